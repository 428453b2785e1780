"""One step of a training: the gradient of a batch, its check, the update."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import NonFiniteError
from chainrule.lang.messages import Spelled, _, sentences
from chainrule.networks import Network
from chainrule.networks.steps import Segments, Step, make_step
from chainrule.optimizers import Optimizer, clip_grads, global_norm
from chainrule.training.state import Training

__all__ = ["BUFFER", "Stepper"]

#: NumPy's buffer size, in elements, while training: a step then allocates only a few KiB beyond its
#: plan, and is no slower than with NumPy's default, 8,192.
BUFFER = 416

Array = npt.NDArray[Any]


class Stepper:
    """Makes steps on prepared data: x, targets t, weights w of the rows.

    `max_grad` is the largest global norm of the gradients; `batches`, the number of batches in an
    epoch, is for error messages.
    """

    def __init__(
        self,
        training: Training,
        x: Array,
        t: Array,
        w: Array | None,
        *,
        batches: int,
        max_grad: float | None = None,
    ) -> None:
        self.model, self.optimizer = training.model, training.optimizer
        self.own_optimizer = isinstance(training.optimizer, Optimizer)  # one of chainrule's
        self.x, self.t, self.w = x, t, w
        self.batches, self.max_grad = batches, max_grad
        self.training = training
        self.buffers: list[Array] = []
        if isinstance(training.model, Network):
            self.buffers = list(training.model.named_buffers().values())
        self.before = [b.copy() for b in self.buffers]

    @cached_property
    def program(self) -> Step:
        """The step; of ranks, or of parts, made when it is first needed: a kernel may do without."""
        training = self.training
        if not training.divides:
            return make_step(training.model, self.x, self.t, self.w)
        return training.divided_step(training.model, self.x, self.t, self.w)

    def step(self, rows: Array, epoch: int, i: int) -> float:
        """Make one step on these rows: gradient, check, update. Gives the loss before the update.

        Raises:
            NonFiniteError: the loss or a gradient is not finite, and nothing was updated.
        """
        loss, (params, grads, decays, factors) = self.gradient(rows, epoch, i)
        if self.own_optimizer and not params:  # all is frozen: the optimizer's state stays as it is
            self.optimizer.iter += 1
        elif self.own_optimizer:
            # A subclass with an update of its own may not take factors.
            self.optimizer.update(params, grads, decays, *(() if factors is None else (factors,)))
        else:
            self.optimizer.update(params, grads)
        return loss

    def gradient(self, rows: Array, epoch: int, i: int) -> tuple[float, Segments]:
        """The loss of a batch, and the segments to update; raises if a number is not finite."""
        if self.buffers:
            _copy(self.buffers, self.before)
        loss = self.program.run(rows)
        segments = self.program.segments()
        grads, most = segments[1], self.max_grad
        norm = clip_grads(grads, most) if most else global_norm(grads)
        if not (math.isfinite(loss) and math.isfinite(norm) and self._buffers_finite()):
            _copy(self.before, self.buffers)
            self.blame(rows, epoch, i, loss)
        return loss, segments

    def explain(self, rows: Array, epoch: int, i: int, loss: float) -> None:
        """Raise for a batch with a number that is not finite in a kernel; nothing is changed.

        NumPy says what it is, if its numbers are not finite either.
        """
        self.gradient(rows, epoch, i)
        _copy(self.before, self.buffers)
        self.blame(rows, epoch, i, loss)

    def _buffers_finite(self) -> bool:
        return not self.buffers or all(np.isfinite(buffer).all() for buffer in self.buffers)

    def blame(self, rows: Array, epoch: int, i: int, loss: float) -> None:
        """Raise, saying what is not finite, where it comes from, and what to do."""
        model = self.model
        what = _("a gradient or a running statistic is not finite")
        if not math.isfinite(loss):
            what = _("the loss is {loss}", loss=loss)
        stopped = _(
            "Training stopped in epoch {epoch}, batch {batch} of {batches}: {what}.",
            epoch=epoch,
            batch=i + 1,
            batches=self.batches,
            what=what,
        )
        where = None
        if isinstance(model, Network):
            w = None if self.w is None else self.w[rows]
            where = model.find_nonfinite(self.x[rows], self.t[rows], w)
        raise NonFiniteError(sentences(stopped, where, self._advice()))

    def _advice(self) -> Spelled:
        """What to do about it, for Python or for the command; the playground's page gives its own."""
        lr = getattr(self.optimizer, "lr", "?")
        return Spelled(
            _(
                "The parameters are those before this batch. Lower the learning rate (now {lr}), clip the"
                " gradients (max_grad=1.0), or look at the scale of the data.",
                lr=lr,
            ),
            command=_(
                "The parameters are those before this batch. Lower the learning rate (now {lr}) or look at"
                " the scale of the data.",
                lr=lr,
            ),
            page="",
        )


def _copy(sources: list[Array], targets: list[Array]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target[...] = source
