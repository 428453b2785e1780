"""One network, by every road: what each gives, and where it parts from the eager Variables.

The reference is the plain reading of a network: its formula on Variables, the chain rule over the
graph, `p -= lr * g`. It is itself held against a complex step.
"""

from __future__ import annotations

import contextlib
import io
import runpy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tests.differential.networks import Formula, Plan, PlannedNetwork, data, entered, flow, make
from tests.distributed.threads import Threads, on_threads

import chainrule as cr
from chainrule.errors import NonFiniteError
from chainrule.graph.mode import complex_steps
from chainrule.graph.recording import recording
from chainrule.nodes.base import ignore_fp_errors

__all__ = [
    "NUMPY_ROADS",
    "STEPS",
    "Case",
    "Unfit",
    "compare",
    "compiled",
    "compiled_predictions",
    "divided",
    "on_ranks",
    "script",
]

Array = npt.NDArray[Any]
Data = tuple[Array, Array, Array | None]
LR = 0.05

#: How far two roads may part, as a share of the largest number of the kind.
TOLERANCE = {"float64": 1e-9, "float32": 1e-3}

#: So often the numbers are moved to find a kink: some show themselves in one direction of eight only.
MOVES = 32


class Unfit(Exception):
    """The network says nothing here: it overflows, or stands at a kink where rounding decides."""


@dataclass
class Reference:
    """Losses and gradients of some steps, and the parameters after the last."""

    losses: list[float]
    grads: list[dict[str, Array]]
    params: dict[str, Array]
    buffers: dict[str, Array]


def _named(net: cr.Network) -> dict[str, cr.Parameter]:
    return {k: p for k, p in net.named_parameters().items() if p.trainable}


def _eager(net: cr.Network, x: Array, t: Array, w: Array | None) -> tuple[float, dict[str, Array]]:
    """The loss and the gradients of a batch, by Variables."""
    given = cr.Variable(x)
    more = () if w is None else (cr.Variable(w, requires_grad=False),)
    with ignore_fp_errors():
        loss = net._record_loss(given, cr.Variable(t, requires_grad=False), *more)
        graph = loss.graph
        found = graph.gradients() if loss.requires_grad else {}
    grads = {}
    for name, p in _named(net).items():
        g = found.get(p)
        grads[name] = np.zeros_like(p.data) if g is None else np.array(g)
    return float(loss.data), grads


def reference_steps(
    net: cr.Network, prepared: Data, batches: list[npt.NDArray[np.intp]]
) -> Reference:
    """Steps of plain gradient descent, taken by hand."""
    x, t, w = prepared
    losses, all_grads = [], []
    for rows in batches:
        loss, grads = _eager(net, x[rows], t[rows], None if w is None else w[rows])
        with ignore_fp_errors():  # a norm that overflows ends a training, as the Trainer says
            squares = [float(np.vdot(g, g)) for g in grads.values()]
        if not np.isfinite([loss, *squares]).all():
            raise Unfit("not finite")
        losses.append(loss)
        all_grads.append(grads)
        for name, p in _named(net).items():
            p.data -= np.asarray(LR, p.dtype) * grads[name]
    params = {k: p.data.copy() for k, p in net.named_parameters().items()}
    buffers = {k: b.copy() for k, b in net.named_buffers().items()}
    return Reference(losses, all_grads, params, buffers)


def complex_step(net: cr.Network, prepared: Data, grads: dict[str, Array]) -> tuple[float, float]:
    """The slope of the loss along a random direction: by the gradients, and by a complex step."""
    x, t, w = prepared
    rng = np.random.default_rng(0)
    named = _named(net)
    ways = {k: rng.standard_normal(p.shape) for k, p in named.items()}
    kept = {k: p.data for k, p in net.named_parameters().items()}
    h = 1e-30
    try:
        for k, p in net.named_parameters().items():
            p.data = p.data.astype(complex)
            if k in ways:
                p.data = p.data + 1j * h * ways[k]
        more = () if w is None else (cr.Variable(w.astype(float), requires_grad=False),)
        target = cr.Variable(t if t.dtype.kind in "iu" else t.astype(float), requires_grad=False)
        with ignore_fp_errors(), recording(), complex_steps():
            loss = net._record_loss(cr.Variable(x, requires_grad=False), target, *more)
    finally:
        for k, p in net.named_parameters().items():
            p.data = kept[k]
    along = sum(float(np.sum(g * ways[k])) for k, g in grads.items())
    return along, float(np.imag(loss.data) / h)


def gap(ours: Any, theirs: Any, least: float = 0.0) -> float:
    """How far apart two arrays are, as a share of the largest number of either (or of `least`)."""
    a, b = np.asarray(ours, float), np.asarray(theirs, float)
    if a.shape != b.shape:
        return np.inf
    if not a.size:
        return 0.0
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return 0.0 if np.array_equal(a, b, equal_nan=True) else np.inf
    largest = max(np.abs(a).max(), np.abs(b).max(), least)
    return float(np.abs(a - b).max() / largest) if largest else 0.0


# -- the roads ------------------------------------------------------------------------------------------

#: Rows of the data, and of a batch: the last batch is smaller.
N, BATCH, EPOCHS = 9, 5, 2


class Case:
    """A network, its data, and what the reference makes of them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.given = data(plan, N)
        self.x = self.given[0]
        net = make(plan)
        try:
            self.prepared = net._prepare(*self.given)
        except NonFiniteError:
            raise Unfit("not finite") from None
        rows = np.arange(N)
        batches = [rows[i : i + BATCH] for _ in range(EPOCHS) for i in range(0, N, BATCH)]
        self.reference = reference_steps(net, self.prepared, batches)
        self.limit = TOLERANCE["float32" if _coarse(plan) else "float64"]
        self._net = make(plan)
        self._first = [a.copy() for a in self._arrays()]

    def _arrays(self) -> list[Array]:
        net = self._net
        return [*(p.data for p in net.named_parameters().values()), *net.named_buffers().values()]

    def fresh(self) -> PlannedNetwork:
        """The network with its first weights, and no gradients; what it has planned may stay."""
        for array, first in zip(self._arrays(), self._first, strict=True):
            array[...] = first
        for g in self._net.grads:
            g.fill(np.nan)
        return self._net

    def another(self) -> PlannedNetwork:
        """A network of its own, with the same first weights."""
        net = make(self.plan)
        arrays = [*(p.data for p in net.named_parameters().values()), *net.named_buffers().values()]
        for array, first in zip(arrays, self._first, strict=True):
            array[...] = first
        return net

    def part(self, i: int) -> tuple[Array, Array, Array | None]:
        """Batch i, as a user hands it over."""
        rows = slice(i * BATCH, (i + 1) * BATCH)
        x, t, w = self.given
        return x[rows], t[rows], None if w is None else w[rows]

    # What each road gives is held against the reference; a line for every disagreement.

    def grads(self, what: str, found: dict[str, Array], wanted: dict[str, Array]) -> list[str]:
        least = 1e-3 * max((float(np.abs(g).max()) for g in wanted.values()), default=0.0)
        return [
            f"{what}: the gradient of {k} is {off:.1e} off"
            for k, g in wanted.items()
            if (off := gap(found[k], g, least)) > self.limit
        ]

    def after(self, what: str, losses: Any, net: cr.Network) -> list[str]:
        """After the steps of the reference."""
        wrong = []
        limit = 10 * self.limit  # what each step leaves of rounding goes on into the next
        if (off := gap(losses, self.reference.losses)) > limit:
            wrong.append(f"{what}: the losses are {off:.1e} off")
        for k, p in net.named_parameters().items():
            if (off := gap(p.data, self.reference.params[k], 0.1)) > limit:
                wrong.append(f"{what}: {k} is {off:.1e} off after training")
        for k, b in net.named_buffers().items():
            if (off := gap(b, self.reference.buffers[k], 0.1)) > limit:
                wrong.append(f"{what}: the buffer {k} is {off:.1e} off after training")
        return wrong


def _coarse(plan: Plan) -> bool:
    """Whether something in it is computed in float32."""
    return plan.dtype == "float32" or plan.both or "float32" in repr((plan.moves, plan.parts))


def _nodes(net: cr.Network, x: Any, t: Any, w: Any) -> list[cr.nodes.Node]:
    more = () if w is None else (cr.Variable(w, requires_grad=False),)
    with ignore_fp_errors():
        loss = net._record_loss(cr.Variable(x), cr.Variable(t, requires_grad=False), *more)
    return list(loss.graph.nodes)


def oracle(case: Case) -> list[str]:
    """The reference itself, against a complex step."""
    if "by hand" in repr(case.plan.parts) or _coarse(case.plan):
        return []  # what is written by hand takes no complex numbers
    net = case.fresh()
    x, t, w = (None if a is None else a[:BATCH] for a in case.prepared)
    if not all(node.analytic for node in _nodes(make(case.plan), x, t, w)):
        return []
    try:
        along, wanted = complex_step(net, (x, t, w), case.reference.grads[0])  # type: ignore[arg-type]
    except TypeError:  # what takes real numbers only, in a part that the loss is not made of
        return []
    least = max((float(np.abs(g).max()) for g in case.reference.grads[0].values()), default=0.0)
    off = gap(along, wanted, least)
    return [f"the chain rule and a complex step are {off:.1e} apart"] if off > 1e-7 else []


def by_itself(case: Case) -> list[str]:
    """`forward` and `backward` of the network, the second time in the buffers of the first."""
    net, wrong = case.fresh(), []
    for turn in ("at first", "again"):
        kept = {k: b.copy() for k, b in net.named_buffers().items()}
        loss = net.forward(*case.part(0))
        net.backward()
        found = {k: p.grad for k, p in _named(net).items()}
        if (off := gap(loss, case.reference.losses[0], 1e-3)) > case.limit:
            wrong.append(f"forward, {turn}: the loss is {off:.1e} off")
        wrong += case.grads(f"backward, {turn}", found, case.reference.grads[0])
        if turn == "at first":  # in between, other numbers go through the same program
            net.forward(*(None if a is None else a[::-1] for a in case.part(0)))
            net.backward()
        for k, b in net.named_buffers().items():
            b[...] = kept[k]
    return wrong


def trainer(case: Case) -> list[str]:
    """Trainer on the NumPy engine, a smaller batch last, twice over the data."""
    return _trained(case, "Trainer (numpy)", "numpy")[0]


def divided(case: Case, engine: str) -> list[str] | None:
    """Trainer with every batch in eight parts, of which some have no rows; None where it refuses that.

    Raises:
        Unfit: the compiled engine declines.
    """
    try:
        wrong, why = _trained(case, f"Trainer ({engine}, in parts)", engine, reproducible=True)
    except cr.errors.SettingError:
        return None
    if why is not None:
        raise Unfit(why)
    return wrong


def on_ranks(case: Case, engine: str, ranks: int, *, reproducible: bool) -> list[str] | None:
    """Trainer on ranks, which are threads; None where it refuses that."""

    def rank(communicator: Threads) -> tuple[list[str], str | None]:
        what = f"Trainer ({engine}, rank {communicator.rank} of {ranks})"
        how: dict[str, Any] = {"communicator": communicator, "reproducible": reproducible}
        return _trained(case, what, engine, case.another(), threads=1, **how)

    try:
        found = on_threads(ranks, rank)
    except cr.errors.SettingError:
        return None
    if found[0][1] is not None and engine == "compiled":
        raise Unfit(found[0][1])
    return [line for lines, _why in found for line in lines]


def _trained(
    case: Case, what: str, engine: str, net: cr.Network | None = None, **how: Any
) -> tuple[list[str], str | None]:
    x, t, w = case.given
    net = net or case.fresh()
    made = cr.Trainer(net, cr.SGD(lr=LR), engine=engine, **how)
    history = made.fit(x, t, EPOCHS, BATCH, sample_weight=w, shuffle=False, progress=None)
    return case.after(what, history.losses, net), made.engine_reason


def predictions(case: Case) -> list[str]:
    """`predict` of rows that lie in memory in several ways."""
    net, x = case.fresh(), case.x
    wrong = []
    with cr.inference_mode(), ignore_fp_errors():
        wanted = net.predict(cr.Variable(x)).data
        some = net.predict(cr.Variable(x[1::2])).data
    wide = np.repeat(x, 2, axis=-1)[..., ::2]
    turned = np.asfortranarray(x)
    for what, got, right in (
        ("predict", net.predict(x), wanted),
        ("predict again", net.predict(x), wanted),
        ("predict of every other row", net.predict(x[1::2]), some),
        ("predict of every other column", net.predict(wide), wanted),
        ("predict of columns one after the other", net.predict(turned), wanted),
    ):
        if (off := gap(got, right)) > case.limit:
            wrong.append(f"{what} is {off:.1e} off")
    return wrong


def alone(case: Case) -> list[str]:
    """Layers of the user's own by themselves: `forward` and `backward`, which give fresh arrays."""
    wrong: list[str] = []
    moves = [m for m in case.plan.moves if m.name == "part"]
    with ignore_fp_errors():
        values = flow(case.plan.moves, entered(case.plan, cr.Variable(case.x)), case.fresh().parts)
    net, other = make(case.plan), make(case.plan)
    first = {k: b.copy() for k, b in net.named_buffers().items()}

    def anew(network: cr.Network) -> None:
        for k, b in network.named_buffers().items():
            b[...] = first[k]

    for move in moves:
        ours, theirs = (n.parts[move.how[0]] for n in (net, other))
        if not isinstance(ours, Formula):
            continue
        x = values[move.given[0]].data.astype(case.plan.dtype)

        def eager(x: Array, theirs: Any = theirs) -> tuple[Array, Array, dict[str, Array]]:
            """Output, dx and gradients by Variables."""
            given = cr.Variable(x)
            anew(other)
            with ignore_fp_errors():
                out = theirs._record(given)
                found = out.graph.gradients(seed_of(out)) if out.requires_grad else {}
            grads = {k: found[p] for k, p in theirs.named_parameters().items() if p in found}
            return out.data, found.get(given, np.zeros_like(x)), grads

        out, dx, grads = eager(x)
        apart: list[str] = []
        for turn in ("at first", "again"):
            what = f"a layer alone, {turn}"
            anew(net)
            kept = x.copy()
            if (off := gap(ours.forward(x), out)) > case.limit:
                apart.append(f"{what}: the output is {off:.1e} off")
            if (off := gap(ours.backward(seed_of(out)), dx)) > case.limit:
                apart.append(f"{what}: dx is {off:.1e} off")
            mine = ours.named_parameters()
            wanted = {k: g for k, g in grads.items() if mine[k].trainable}
            apart += case.grads(what, {k: mine[k].grad for k in wanted}, wanted)
            if not np.array_equal(x, kept):
                wrong.append(f"{what}: it changed its input")
        # What cancels to nothing leaves rounding, which has no right value: the reference moves, too.
        if apart and all(
            _near(eager(_moved(x, case.limit, k)), (out, dx, grads), case) for k in (1, 2, 3)
        ):
            wrong += apart
    return wrong


def seed_of(out: Any) -> Array:
    """The gradient that a layer alone is given."""
    seed: Array = np.random.default_rng(1).standard_normal(out.shape).astype(out.dtype)
    return seed


def _near(found: Any, wanted: Any, case: Case) -> bool:
    """Whether output, dx and gradients are as near as rounding leaves them, by the measure of `steady`."""
    (y, dx, grads), (right, right_dx, right_grads) = found, wanted
    if max(gap(y, right), gap(dx, right_dx)) > case.limit * 0.5:
        return False
    return not case.grads("", grads, right_grads)


def _moved(a: Array, limit: float, k: int | np.random.Generator) -> Array:
    """The numbers, each moved by a rounding error or so."""
    noise = 0.01 * limit * np.random.default_rng(k).standard_normal(a.shape) * (np.abs(a) + 0.1)
    return np.asarray(a + noise, a.dtype)


def script(case: Case, folder: Path) -> list[str] | None:
    """The written program: the losses of the NumPy engine.

    (To the last digit they are the same where BLAS does not go by where its arrays lie, which
    `tests/files` holds it to.) None where it is refused, as for layers written by hand.
    """
    x, t, w = case.given
    settings: dict[str, Any] = {"epochs": EPOCHS, "batch_size": BATCH, "shuffle": False}
    net = case.fresh()
    try:
        written = net.script(cr.SGD(lr=LR), x, t, sample_weight=w, **settings)
    except cr.errors.ChainruleError:
        return None
    written.save(folder / "program.py", overwrite=True)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), ignore_fp_errors():
        runpy.run_path(str(folder / "program.py"), run_name="__main__")
    history = cr.Trainer(net, cr.SGD(lr=LR), engine="numpy").fit(
        x, t, sample_weight=w, progress=None, **settings
    )
    lines = out.getvalue().splitlines()
    wrong = []
    for line, row in zip(lines, history.epochs, strict=True):
        loss = float(line.split()[-1])
        if gap(loss, row["loss"]) > (case.limit if _coarse(case.plan) else 1e-10):
            wrong.append(f"script: {line}, and Trainer has {row['loss']!r}")
    return wrong


def compiled(case: Case) -> list[str]:
    """Trainer on the compiled engine.

    Raises:
        Unfit: the engine declines.
    """
    wrong, why = _trained(case, "Trainer (compiled)", "compiled")
    if why is not None:
        raise Unfit(why)
    return wrong


def compiled_predictions(case: Case) -> list[str]:
    """`predict` on the compiled engine, of many rows and of one."""
    wrong = []
    net = case.fresh()
    net.engine = "compiled"
    try:
        with cr.inference_mode(), ignore_fp_errors():
            wanted = net.predict(cr.Variable(case.x)).data
            many = np.concatenate([case.x] * 3)
            right_of_many = net.predict(cr.Variable(many)).data
        for what, x, right in (
            ("rows", case.x, wanted),
            ("rows in blocks", many, right_of_many),
            ("one row", case.x[:1], net._by_plan(net._as_input(case.x[:1]))),
        ):
            if (off := gap(net.predict(x), right)) > case.limit:
                wrong.append(f"predict of {what} (compiled) is {off:.1e} off")
    finally:
        net.engine = "numpy"
    return wrong


STEPS: tuple[Callable[[Case], list[str]], ...] = (oracle, by_itself, trainer)
NUMPY_ROADS: tuple[Callable[[Case], list[str]], ...] = (*STEPS, predictions, alone)


def compare(plan: Plan, roads: Sequence[Callable[[Case], list[str]]] = NUMPY_ROADS) -> list[str]:
    """A line for every disagreement of the roads with the reference.

    Raises:
        Unfit: the network is not finite there, or stands at a kink, where rounding decides.
    """
    case = Case(plan)
    wrong = []
    for road in roads:
        try:
            wrong += road(case)
        except NonFiniteError as error:  # which the reference is not
            wrong.append(f"{road.__name__}: {error}")
    if wrong and not steady(plan):
        raise Unfit("at a kink")
    return wrong


def steady(plan: Plan) -> bool:
    """Whether outputs and gradients hardly change when every number moves by a rounding error or so."""
    limit = TOLERANCE["float32" if _coarse(plan) else "float64"]
    first: dict[str, Array] | None = None
    for k in range(MOVES):
        net = make(plan)
        x, t, w = net._prepare(*data(plan, N))
        rng = np.random.default_rng(k)

        def moved(a: Array, size: float = limit * bool(k), rng: Any = rng) -> Array:
            return _moved(a, size, rng)

        for p in net.named_parameters().values():
            p.data[...] = moved(p.data)
        ids = plan.entry == "ids"
        real = x[:, :-1] if ids else x
        if x.dtype.kind == "f":
            x = np.concatenate([moved(real), x[:, -1:]], 1) if ids else moved(x)
        with cr.inference_mode(), ignore_fp_errors():
            y = net.predict(cr.Variable(x)).data
        _, found = _eager(net, x[:BATCH], t[:BATCH], None if w is None else w[:BATCH])
        least = 1e-3 * max((float(np.abs(g).max()) for g in found.values()), default=0.0)
        if first is None:
            first = {**found, "": y}
        if gap(y, first[""]) > limit * 0.5:
            return False
        if any(gap(g, first[name], least) > limit * 0.5 for name, g in found.items()):
            return False
    return True
