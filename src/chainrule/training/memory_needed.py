"""The memory that a training takes: one estimate, for the check before its first step and for plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.distributed.messages import PARTS
from chainrule.engine.compiled.threads import thread_count
from chainrule.engine.plans import StepRecording
from chainrule.errors import ChainruleError, SettingError
from chainrule.graph.variable import Variable
from chainrule.lang.messages import Text, _
from chainrule.memory import memory_left
from chainrule.networks import Network
from chainrule.training.callbacks import Callback, EarlyStopping
from chainrule.training.loop import Settings
from chainrule.training.ranks import Ranks, threads_of_rank
from chainrule.training.state import Training, parameter_arrays

__all__ = ["PART", "StepMemory", "refuse_too_large"]

Array = npt.NDArray[Any]
#: Less than this is not asked about; more than this part of what is left is refused, since the
#: estimate may be off by a quarter.
SMALL, PART = 256 << 20, 0.8
#: Rows of the two steps that say how memory grows with the rows.
FEW, MORE = 64, 128
#: A step is recorded with all its rows where one process computes them by NumPy; that takes so many
#: times what its forward pass computes, which is run again, to compare.
RECORDED = 1.5
#: Kernels use their arrays less often again than the NumPy engine does.
COMPILED = 1.25
#: The copies of a checkpoint's arrays while its file is made.
COPIES = 3


class StepMemory:
    """The bytes that a training takes in one process, beside its data, by its rows of a batch.

    With P the bytes of the parameters and S those of the optimizer's slots, they are the sum of

    * P, P of gradients, and S
    * the values of a step, in proportion to its rows; while it is recorded, if that is more
    * numpy: P to compute an update in; with `reproducible`, P for each part
    * compiled: P + S to go back to; for each further part, or thread, what is no matrix
    * 2 P for what other ranks send, of several `ranks`
    * 2 (P + S) for early stopping, which takes a better epoch before it gives the other back
    * 3 (P + S) while a checkpoint is made

    Of a model written by hand the values of a step are not known, and not counted.

    >>> import chainrule as cr, numpy as np
    >>> net = cr.Sequential(cr.Affine.sized(100, 1000), loss=cr.MeanSquaredError())
    >>> data = np.zeros((500, 100), np.float32), np.zeros((500, 1000), np.float32), None
    >>> memory = StepMemory(cr.Trainer(net, cr.Adam()), data, "numpy")
    >>> round(memory.fixed / 2**20, 2)  # 5 times the 101,000 parameters of 4 bytes
    1.93
    >>> round(memory.bytes(500) / 2**20, 1)
    13.4
    """

    def __init__(
        self,
        training: Training,
        data: tuple[Array, Array, Array | None],
        engine: str,
        *,
        ranks: int = 1,
        callbacks: Sequence[Callback] = (),
        keeps: bool = False,
    ) -> None:
        self.training, self.data, self.engine, self.ranks = training, data, engine, ranks
        arrays = parameter_arrays(training.model)
        #: The parameters, which are there before a training begins; what their update changes.
        self.there = p = sum(a.nbytes for a in arrays)
        state = p + len(getattr(training.optimizer, "slots", ())) * p
        update = 0 if engine == "compiled" else p
        checkpoint = COPIES * state if keeps else 0
        #: What does not grow with the rows.
        self.fixed = p + state + max(update, checkpoint)  # these not at the same time
        self.fixed += 2 * state * sum(isinstance(each, EarlyStopping) for each in callbacks)
        self.fixed += state if engine == "compiled" else 0
        self.fixed += 2 * p if ranks > 1 else 0
        #: The gradients that a part of a batch has beside the others', if parts are computed apart by
        #: `reproducible` or by threads; compiled, products for matrices are made for all at once.
        self._apart = p
        if engine == "compiled":
            self._apart = sum(a.nbytes for a in arrays if a.ndim != 2)
        self._parts = PARTS // ranks + 1 if training.reproducible else 1
        if engine == "compiled" and not training.reproducible:
            self._parts = thread_count(training.threads or threads_of_rank(ranks))
        self._known: dict[int, int] = {}

    def bytes(self, rows: int) -> int:
        """The bytes with so many rows in this process."""
        apart = (self._parts - 1) * self._apart
        if rows <= MORE:
            return self.fixed + apart + self._values(rows)
        few, more = self._values(FEW), self._values(MORE)
        return self.fixed + apart + round(few + (more - few) / (MORE - FEW) * (rows - FEW))

    def bound(self, rows: int) -> int:
        """No fewer bytes than those with so many rows, from fewer steps that are planned."""
        if rows <= MORE:
            return self.bytes(rows)
        return self.bytes(MORE) * -(-rows // MORE)

    def rows_in(self, room: float) -> int:
        """The most rows that so many bytes have room for; 0 if not even one has."""
        few, more = self.bytes(MORE), self.bytes(2 * MORE)
        return max(0, MORE + int((room - few) // max((more - few) / MORE, 1.0)))

    def _values(self, rows: int) -> int:
        """The bytes of what steps on so many rows compute."""
        if rows not in self._known:
            self._known[rows] = self._planned(rows)
        return self._known[rows]

    def _planned(self, rows: int) -> int:
        network, (x, t, w) = self.training.model, self.data
        some = np.arange(rows) % len(x)  # there may be fewer
        if not isinstance(network, Network):
            return x[some].nbytes + t[some].nbytes
        step = network.step_program(x, t, w, rows=some).nbytes
        if self.engine == "compiled":
            return round(COMPILED * step)
        if self.training.divides or self.ranks > 1:
            return step
        batch = [(name, a[some]) for name, a in zip("xtw", self.data, strict=True) if a is not None]
        recording = StepRecording(network._record_loss, batch)
        made = _arrays(v for node in recording.graph.nodes for v in node.outputs)
        for there in _arrays(recording.graph.inputs):
            made.pop(there, None)
        return max(step, round(RECORDED * sum(made.values())))


def _arrays(variables: Iterable[Variable]) -> dict[int, int]:
    """The bytes of the arrays of some values, by their ids; a view counts as what it is a view of."""
    found: dict[int, int] = {}
    for variable in variables:
        array = variable.data
        while isinstance(array.base, np.ndarray):
            array = array.base
        found[id(array)] = array.nbytes
    return found


def refuse_too_large(
    training: Training,
    data: tuple[Array, Array, Array | None],
    batch: int,
    engine: str,
    settings: Settings,
) -> None:
    """Raise if a training would not fit into the memory that is left; of ranks all raise, or none.

    Raises:
        SettingError: it would not; the message has the numbers, and a batch that fits.
        RanksDifferError: it would not on another rank.
    """
    ranks = Ranks(training)
    size = training.communicator.size
    rows = -(-batch // size)
    if rows <= training.rows_that_fit:  # in an earlier fit, whose memory is held still
        return
    here = ranks.on_this_machine()
    memory = StepMemory(
        training, data, engine, ranks=size, callbacks=settings.callbacks, keeps=settings.keeps
    )

    def refuse() -> None:
        try:
            if here * (memory.bound(rows) - memory.there) < SMALL:
                return
            needed = here * (memory.bytes(rows) - memory.there)
        except ChainruleError:  # said where the step is made
            return
        left = here * memory_left(here)
        if needed < SMALL or needed < PART * left:
            return
        fits = size * memory.rows_in(PART * left / here + memory.there)
        raise SettingError(_too_large(batch, needed, left, here, fits))

    ranks.together(refuse)
    training.rows_that_fit = rows


def _too_large(batch: int, needed: int, left: int, here: int, fits: int) -> Text:
    advice = (
        _("A batch of {rows:,} rows fits.", rows=fits)
        if fits >= 1
        else _("Not even one row fits: give smaller layers, or an optimizer with fewer slots.")
    )
    if here > 1:
        return _(
            "steps on {batch:,} rows take about {needed:,.1f} GiB on the {here} ranks of this machine, and"
            " {left:,.1f} GiB of memory are left. {advice}",
            batch=batch,
            needed=needed / 2**30,
            here=here,
            left=left / 2**30,
            advice=advice,
        )
    return _(
        "steps on {batch:,} rows take about {needed:,.1f} GiB, and {left:,.1f} GiB of memory are left."
        " {advice}",
        batch=batch,
        needed=needed / 2**30,
        left=left / 2**30,
        advice=advice,
    )
