"""`plan`: how a training would go on more ranks, and on more machines, than there are here."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import numpy.typing as npt

from chainrule.distributed.messages import PARTS
from chainrule.engine.choice import engine_name
from chainrule.engine.compiled.threads import thread_count
from chainrule.errors import DataError, SettingError, refuse_class, shown
from chainrule.lang.messages import Text, _
from chainrule.memory import memory_left, memory_limit
from chainrule.networks import Network
from chainrule.networks.made_up import made_up_rows
from chainrule.optimizers import Adam, Optimizer
from chainrule.planning.links import BETWEEN, WITHIN, Link, Machines
from chainrule.planning.measured import measure_link, measure_steps
from chainrule.planning.planner import Planner
from chainrule.planning.results import ScalingPlan
from chainrule.planning.steps import RankSteps
from chainrule.settings import below_one, from_zero, optional_positive, positive, whole
from chainrule.training import Trainer
from chainrule.training.choice import choose
from chainrule.training.memory_needed import PART, StepMemory

__all__ = ["DEFAULT_LEAST", "RANKS", "plan"]

Array = npt.NDArray[Any]
#: The ranks that are planned by default, and the efficiency that is asked for.
RANKS = tuple(2**i for i in range(9))
DEFAULT_LEAST = 0.5
#: Rows that are made up to time steps on; larger batches take them again.
SAMPLE = 2048


def plan(
    network: Network,
    batch_size: int = 32,
    ranks: Iterable[int] | None = None,
    *,
    optimizer: Optimizer | None = None,
    x: npt.ArrayLike | None = None,
    t: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    rows: int | None = None,
    engine: str = "auto",
    reproducible: bool = False,
    ranks_per_node: int | None = None,
    bandwidth: float = BETWEEN.bandwidth * 8 / 1e9,
    latency: float = BETWEEN.latency * 1e6,
    flops: float | None = None,
    memory: float | None = None,
    efficiency: float = DEFAULT_LEAST,
) -> ScalingPlan:
    """Plan a training on ranks: the time of a step, efficiency and memory, before there are machines for it.

    Every rank computes its rows of a batch, one sum over all ranks adds up the gradients, and each makes
    the same update (`Trainer(communicator=)`, `docs/ranks.md`). The step on p ranks takes

        T(p) = slowest rank's computing + Σ over its messages of the all-reduce,
        efficiency = T(1) / (p T(p)),

    with T(1) that of one rank on one core. With reproducible=True a rank computes its share of eight parts,
    and sums are log₂ p exchanges. Computing is timed here in some seconds: this very step at
    some sizes, alone and on all cores at a time; between and beyond them it follows the cost model. The
    all-reduce is by the alpha-beta model (`planning.links`): on a machine measured, if the extra mpi is
    installed, then over the network of the machines.

    network, optimizer: stay as they are; by default Adam. batch_size: rows of a whole batch.
    ranks: by default 1, 2, 4, …, 256. x, t, sample_weight: rows to time steps on, of which a few will do;
    without them, made-up ones. rows: the rows of an epoch, whose time is then known.
    ranks_per_node: ranks on a machine; by default one a core of this one. bandwidth: of the network, in
    Gbit/s; latency: in µs. flops: GFLOP/s of a core in matrix products: of another machine, on which
    nothing can be timed; the same numbers then always come out. memory: GiB of a machine; by default of
    this one, unless flops is given. efficiency: what is asked for, above 0 and below 1.
    engine: "auto" is the one that ranks train on.

    Raises:
        SettingError: a setting outside what is allowed, or a network that cannot be divided.
        DataError: no data is given, and the network does not tell how wide its rows are.

    >>> import chainrule as cr
    >>> layers = cr.Affine.sized(784, 1024), cr.ReLU(), cr.Affine.sized(1024, 10)
    >>> network = cr.Sequential(*layers, loss=cr.SoftmaxWithLoss())
    >>> found = cr.plan(network, 512, [1, 8, 64], flops=100, ranks_per_node=8, rows=60_000)
    >>> [round(each.same_batch.efficiency, 2) for each in found.ranks]
    [1.0, 0.44, 0.07]
    >>> [each.nodes for each in found.ranks], found.messages  # 814,090 parameters and two more, of 4 bytes
    ([1, 1, 8], (3256368,))
    """
    _refuse(network, optimizer)
    batch_size = whole(batch_size, "batch_size")
    numbers = _ranks(ranks, reproducible)
    threshold = below_one(positive(efficiency, "efficiency"), "efficiency")
    per_node = (
        thread_count(None) if ranks_per_node is None else whole(ranks_per_node, "ranks_per_node")
    )
    between = Link(from_zero(latency, "latency") / 1e6, positive(bandwidth, "bandwidth") * 1e9 / 8)
    speed = optional_positive(flops, "flops")
    speed = None if speed is None else speed * 1e9
    room = optional_positive(memory, "memory")
    node_memory = int(room * 2**30) if room else memory_limit() if speed is None else None
    optimizer = Adam() if optimizer is None else optimizer
    data = _data(network, x, t, sample_weight)
    rows = None if rows is None else whole(rows, "rows")
    batch_size = min(batch_size, rows or batch_size)  # as in a training

    by = _engine(network, optimizer, data, engine_name(engine), batch_size)
    steps = RankSteps(network, optimizer, data, by, reproducible=reproducible)
    trainer = Trainer(
        steps.network, steps.optimizer, engine=by, threads=1, reproducible=reproducible
    )
    taken = {k: StepMemory(trainer, data, by, ranks=k) for k in numbers}
    messages = {k: steps.messages(k) for k in (numbers if reproducible else [2]) if k > 1}
    cores = min(thread_count(None), per_node)
    fitting = taken[numbers[-1]].rows_in(PART * memory_left(cores))
    times = measure_steps(steps, batch_size, numbers, cores, speed, fitting)
    within, why = WITHIN, _within_assumed(speed, cores, max(numbers))
    if why is None:
        measured = measure_link(cores, [each.nbytes for each in messages[max(messages)]])
        within, why = (measured, None) if isinstance(measured, Link) else (WITHIN, measured)
    machines = Machines(per_node, within, between)
    planner = Planner(times, machines, messages, reproducible, rows, batch_size)
    return ScalingPlan(
        batch_size=batch_size,
        rows=rows,
        parameters=sum(p.size for p in network.named_parameters().values()),
        engine=by,
        reproducible=reproducible,
        least=threshold,
        ranks_per_node=per_node,
        memory=node_memory,
        messages=tuple(each.nbytes for each in messages[min(messages)]) if messages else (),
        within=within,
        between=between,
        within_assumed=why,
        flops=speed,
        crowd=max(times.crowd.values(), default=None),
        fixed=times.computing(numbers[-1], 1, 1),
        ranks=tuple(
            planner.plan(k, threshold, taken[k].bytes(-(-batch_size // k)), node_memory)
            for k in numbers
        ),
    )


def _refuse(network: object, optimizer: object) -> None:
    refuse_class(network, "network", _("a network"))
    refuse_class(optimizer, "optimizer", _("an optimizer"))
    if not isinstance(network, Network):
        raise SettingError(
            _(
                "network={network} is no cr.Network: what cannot be recorded cannot be divided among ranks.",
                network=shown(network),
            )
        )
    if network.loss is None:
        raise SettingError(_("this network has no loss, so it has no training step: give loss=."))
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise SettingError(
            _(
                "optimizer={optimizer} is none of chainrule's; give for example cr.SGD(lr=0.1) or cr.Adam().",
                optimizer=shown(optimizer),
            )
        )


def _ranks(ranks: Iterable[int] | None, reproducible: bool) -> list[int]:
    """The numbers of ranks, in order; 1 is always among them."""
    shared = tuple(k for k in RANKS if PARTS % k == 0)
    given = (shared if reproducible else RANKS) if ranks is None else ranks
    numbers = sorted({1, *(whole(k, "ranks") for k in given)})
    if reproducible and not {*numbers} <= {*shared}:
        raise SettingError(
            _(
                "for the same bits on any number of ranks every batch has {parts} parts, and {size} ranks"
                " cannot share them evenly: give 1, 2, 4 or 8 ranks.",
                parts=PARTS,
                size=next(k for k in numbers if k not in shared),
            )
        )
    return numbers


def _data(
    network: Network,
    x: npt.ArrayLike | None,
    t: npt.ArrayLike | None,
    w: npt.ArrayLike | None,
) -> tuple[Array, Array, Array | None]:
    """Rows to make steps on, prepared for the network."""
    if x is not None and t is not None:
        prepared: tuple[Array, Array, Array | None] = network._prepare(x, t, w)
        return prepared
    if x is not None or t is not None or w is not None:
        raise DataError(_("x and t belong together: give both, or none for made-up rows."))
    made = made_up_rows(network, SAMPLE)
    if made is None:
        raise DataError(
            _("this network does not tell how wide its rows are: give x and t, a few rows will do.")
        )
    prepared = network._prepare(*made)
    return prepared


def _engine(
    network: Network,
    optimizer: Optimizer,
    data: tuple[Array, Array, Array | None],
    engine: str,
    batch: int,
) -> str:
    """The engine that ranks train on."""
    if engine != "auto":
        return engine
    trainer = Trainer(network, optimizer, reproducible=True)  # whose batches are divided, too
    x, t, w = data
    first = x[:batch], t[:batch], None if w is None else w[:batch]
    return choose(trainer, *first, steps=sys.maxsize).engine


def _within_assumed(flops: float | None, cores: int, ranks: int) -> Text | None:
    """Why what connects ranks of a machine is not measured; None: it can be."""
    if flops is not None:
        return _("the machine is another one")
    if ranks == 1 or cores == 1:
        return _("there is one core")
    return None
