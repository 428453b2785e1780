"""Trainer: mini-batch, gradient, update, repeat."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, NonFiniteError, SettingError, shown
from chainrule.layers.initial import Seed, generator
from chainrule.layers.losses import Loss
from chainrule.networks import Network
from chainrule.nodes.base import quiet
from chainrule.optimizers import Adam, Optimizer, clip_grads, global_norm
from chainrule.settings import positive, whole
from chainrule.training.callbacks import Callback, EarlyStopping
from chainrule.training.history import History
from chainrule.training.metrics import Metric, named_metrics
from chainrule.training.progress import Progress
from chainrule.training.steps import Step, make_step

__all__ = ["Trainer"]

#: How many elements NumPy copies at a time where an operand is repeated: a step stays within a
#: few KiB of its plan, and is no slower than with NumPy's own 8,192.
BUFFER = 416

Array = npt.NDArray[Any]
Data = tuple[npt.ArrayLike, npt.ArrayLike] | list[Array]


class Trainer:
    """Trains a model with an optimizer: draw a mini-batch, take the gradient, update, repeat.

    The model is a chainrule network, or a class of yours with the chapter's `params`, `grads`,
    `forward(x, t)` and `backward()`; the optimizer is one of ours, or has `update(params, grads)`.
    `seed` shuffles and splits; the same seed gives the same bits.

    >>> import chainrule as cr
    >>> x, t = cr.datasets.spiral()
    >>> trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.SGD(lr=1.0))
    >>> history = trainer.fit(x, t, epochs=300, batch_size=30, progress=None)
    >>> trainer.evaluate(x, t)["accuracy"] > 0.9
    True
    """

    def __init__(self, model: Any, optimizer: Any = None, *, seed: Seed = 0) -> None:
        self.model = model
        self.optimizer = Adam() if optimizer is None else optimizer
        if not callable(getattr(self.optimizer, "update", None)):
            raise SettingError(
                f"optimizer={shown(optimizer)} has no update(params, grads); give for example"
                " cr.SGD(lr=0.1) or cr.Adam()."
            )
        self.history = History()
        self.current_epoch = 0
        self.rng = generator(seed)
        self._stop: str | None = None

    # -- training ---------------------------------------------------------------------------------

    def fit(
        self,
        x: npt.ArrayLike,
        t: npt.ArrayLike,
        epochs: int = 10,
        batch_size: int = 32,
        *,
        validation: float | Data | None = None,
        sample_weight: npt.ArrayLike | None = None,
        metrics: Iterable[str | Metric] | None = None,
        early_stopping: EarlyStopping | int | None = None,
        callbacks: Sequence[Callback | Callable[[Trainer], None]] = (),
        max_grad: float | None = None,
        shuffle: bool = True,
        progress: str | bool | None = "auto",
    ) -> History:
        """Train for some epochs, and give the history (which goes on over several fits).

        x: one row a sample. t: class ids, one-hot rows or values, as the loss takes them.
        `validation`: a fraction of the rows to hold out (drawn once, by class for ids), or (x, t).
        `metrics`: names or functions (outputs, t) -> number, for held-out data; by default
        accuracy or R². `early_stopping`: a patience in epochs, or an EarlyStopping.
        `max_grad`: the largest global norm of the gradients. The last, smaller batch of an epoch
        is kept. `progress`: "auto", "bar", "lines" or None.

        Ctrl-C ends training after the step it falls in; the model stays usable and
        `history.stopped` says so. A loss or gradient that is not finite raises NonFiniteError
        before the update, so the last good parameters stay.
        """
        epochs = whole(epochs, "epochs")
        batch_size = whole(batch_size, "batch_size")
        x, t, w = self._enter(x, t, sample_weight)
        x, t, w, held = self._split(x, t, w, validation)
        batch_size = min(batch_size, len(x))
        if max_grad is not None:
            max_grad = positive(max_grad, "max_grad")
        watchers = [_as_callback(c) for c in callbacks]
        if early_stopping is not None:
            stopping = early_stopping
            if not isinstance(stopping, EarlyStopping):
                stopping = EarlyStopping(patience=stopping)
            if held is None and stopping.monitor.startswith("val_"):
                raise SettingError(
                    f'early_stopping watches "{stopping.monitor}", but no rows are held out:'
                    " give fit(..., validation=0.2), or watch another column."
                )
            watchers.append(stopping)
        loop = _Loop(self, x, t, w, held, batch_size)
        wanted = held is not None or metrics is not None
        loop.metrics = named_metrics(metrics, self._target(t)) if wanted else {}
        loop.max_grad, loop.shuffle, loop.watchers = max_grad, shuffle, watchers
        loop.progress = Progress(progress, epochs, loop.steps)
        return loop.run(epochs)

    def stop(self, why: str) -> None:
        """End training after the step or epoch in hand."""
        self._stop = why

    def _target(self, t: Array) -> str:
        """What the targets are: as the loss says; with a loss by hand, ids are classes."""
        loss = getattr(self.model, "loss", None)
        if isinstance(loss, Loss):
            return loss.target
        return "classes" if t.ndim == 1 and t.dtype.kind in "iu" else "unknown"

    def _enter(
        self, x: npt.ArrayLike, t: npt.ArrayLike, w: npt.ArrayLike | None
    ) -> tuple[Array, Array, Array | None]:
        if isinstance(self.model, Network):
            x, t, w = self.model.prepare(x, t, w)
        else:
            x, t = np.asarray(x), np.asarray(t)
            if w is not None:
                raise SettingError("sample_weight needs a chainrule network.")
            if x.ndim == 0 or t.ndim == 0 or len(x) != len(t):
                raise DataError(
                    f"x has shape {x.shape} and t {t.shape}: every row needs one target."
                )
        _finite("x", x)
        _finite("t", t)
        # Rows are gathered at every step, which NumPy does without a copy for this layout only.
        return np.ascontiguousarray(x), np.ascontiguousarray(t), w

    def _split(
        self, x: Array, t: Array, w: Array | None, validation: float | Data | None
    ) -> tuple[Array, Array, Array | None, tuple[Array, Array] | None]:
        if validation is None:
            return x, t, w, None
        if isinstance(validation, tuple | list):
            if len(validation) != 2:
                raise SettingError(
                    f"validation={shown(validation)} must be a fraction of the rows, or (x, t)."
                )
            hx, ht, _ = self._enter(validation[0], validation[1], None)
            return x, t, w, (hx, ht)
        from chainrule.datasets import stratified_split

        ids = t.ndim == 1 and t.dtype.kind in "iu"
        by = t if ids else np.arange(len(t), dtype=float)  # only classes are kept in proportion
        train, held = stratified_split(by, validation, self.rng)
        return x[train], t[train], None if w is None else w[train], (x[held], t[held])

    # -- what was learnt ----------------------------------------------------------------------------

    def predict(self, x: npt.ArrayLike) -> Array:
        """The model's outputs for x: scores or values."""
        out: Array = self.model.predict(x)
        return out

    def predict_proba(self, x: npt.ArrayLike) -> Array:
        """Probabilities (N, C)."""
        out: Array = self.model.predict_proba(x)
        return out

    def evaluate(
        self, x: npt.ArrayLike, t: npt.ArrayLike, metrics: Iterable[str | Metric] | None = None
    ) -> dict[str, float]:
        """The loss and the metrics on some data, layers behaving as in use."""
        x, t, _ = self._enter(x, t, None)
        return self._evaluate(x, t, named_metrics(metrics, self._target(t)))

    def _evaluate(self, x: Array, t: Array, metrics: dict[str, Metric]) -> dict[str, float]:
        y = np.asarray(self.model.predict(x))
        loss = getattr(self.model, "loss", None)
        found = {}
        if isinstance(self.model, Network) and loss is not None:
            found["loss"] = float(loss.forward(y, t))
        else:
            found["loss"] = float(self.model.forward(x, t))
        found.update((name, metric(y, t)) for name, metric in metrics.items())
        return found

    # -- state --------------------------------------------------------------------------------------

    def _state_arrays(self) -> list[Array]:
        arrays = list(parameter_arrays(self.model))
        if isinstance(self.model, Network):
            arrays += self.model.named_buffers().values()
        return arrays

    def snapshot(self) -> Any:
        """A copy of parameters, buffers and the optimizer's state, for `restore`."""
        slots, iteration = None, None
        if isinstance(self.optimizer, Optimizer):
            slots, iteration = self.optimizer.state, self.optimizer.iter
        kept = None if slots is None else [[s.copy() for s in group] for group in slots]
        return [a.copy() for a in self._state_arrays()], kept, iteration

    def restore(self, kept: Any) -> None:
        """Go back to a snapshot; every array keeps its address."""
        arrays, slots, iteration = kept
        for array, old in zip(self._state_arrays(), arrays, strict=True):
            array[...] = old
        if isinstance(self.optimizer, Optimizer):
            self.optimizer.iter = iteration
            if slots is None:
                self.optimizer.state = None
            for group, old_group in zip(self.optimizer.state or [], slots or [], strict=True):
                for slot, old in zip(group, old_group, strict=True):
                    slot[...] = old

    def __repr__(self) -> str:
        return f"Trainer({self.model!r}, {self.optimizer!r}, epoch {self.current_epoch})"


def parameter_arrays(model: Any) -> list[Array]:
    """The parameter arrays of a model, each once."""
    if isinstance(model, Network):
        return [p.data for p in model.named_parameters().values()]
    return list({id(p): p for p in model.params}.values())


class _Loop:
    """One fit: the epochs, the steps, and what may end them."""

    metrics: dict[str, Metric]
    max_grad: float | None
    shuffle: bool
    watchers: list[Callback]
    progress: Progress

    def __init__(
        self,
        trainer: Trainer,
        x: Array,
        t: Array,
        w: Array | None,
        held: tuple[Array, Array] | None,
        batch_size: int,
    ) -> None:
        self.trainer, self.held = trainer, held
        self.n, self.batch_size = len(x), batch_size
        self.steps = math.ceil(self.n / batch_size)
        self.step: Step = make_step(trainer.model, x, t, w)
        self.x, self.w = x, w
        self.buffers: list[Array] = []
        if isinstance(trainer.model, Network):
            self.buffers = list(trainer.model.named_buffers().values())
        self.before = [b.copy() for b in self.buffers]
        self.optimizer = trainer.optimizer
        self.ours = isinstance(trainer.optimizer, Optimizer)
        self.order = np.arange(self.n)

    def run(self, epochs: int) -> History:
        """All epochs."""
        trainer, history = self.trainer, self.trainer.history
        history.reserve(epochs * self.steps)
        history.stopped = trainer._stop = None
        self._tell("on_start")
        ended = False
        try:
            with _Interrupt(trainer), quiet():
                np.setbufsize(BUFFER)  # for this block only
                for _ in range(epochs):
                    self._epoch(trainer.current_epoch + 1)
                    if trainer._stop:
                        break
            ended = True
        finally:
            self.progress.close()
            if ended:
                self._tell("on_end")
        history.stopped = trainer._stop
        return history

    def _epoch(self, number: int) -> None:
        trainer, history = self.trainer, self.trainer.history
        started, total, rows = time.perf_counter(), 0.0, 0.0
        self.order[...] = np.arange(self.n)
        if self.shuffle:
            trainer.rng.shuffle(self.order)
        lr = float(getattr(trainer.optimizer, "lr", math.nan))
        for i in range(self.steps):
            batch = self.order[i * self.batch_size : (i + 1) * self.batch_size]
            loss = self._step(batch, number, i)
            history.add_step(loss)
            # Of batches too, the mean is weighted: by rows, or by the weights of the rows.
            weight = len(batch) if self.w is None else float(self.w[batch].sum())
            total, rows = total + loss * weight, rows + weight
            if self.progress.bar is not None:
                self.progress.step(number, loss)
            if self.watchers:
                self._tell("on_step")
            if trainer._stop:
                break
        trainer.current_epoch = number
        figures = {"loss": total / rows if rows else 0.0}
        figures.update(self._evaluated(number))
        self._add_penalty(figures)
        figures.update(lr=lr, seconds=time.perf_counter() - started)
        history.epochs.append(figures)
        if isinstance(trainer.optimizer, Optimizer):
            trainer.optimizer.schedule.observe(figures.get("val_loss", figures["loss"]))
        self.progress.epoch(number, figures)
        self._tell("on_epoch")

    def _evaluated(self, number: int) -> dict[str, float]:
        """Loss and metrics on the held-out rows; without any, the metrics that were asked for."""
        if self.held is None and not self.metrics:
            return {}
        data = (self.x, self.step.t) if self.held is None else self.held
        try:
            found = self.trainer._evaluate(*data, self.metrics)
        except NonFiniteError as error:
            which = "all" if self.held is None else "the held-out"
            raise NonFiniteError(
                f"Training stopped after epoch {number}, when {which} rows were evaluated. {error}"
            ) from None
        if self.held is None:
            return {name: value for name, value in found.items() if name != "loss"}
        return {f"val_{name}": value for name, value in found.items()}

    def _add_penalty(self, figures: dict[str, float]) -> None:
        optimizer = self.trainer.optimizer
        if isinstance(optimizer, Optimizer) and (optimizer.l1 or optimizer.l2):
            params, _, decays = self.step.runs()
            figures["penalty"] = optimizer.penalty(params, decays)

    def _step(self, rows: Array, epoch: int, i: int) -> float:
        if self.buffers:
            _copy(self.buffers, self.before)
        loss = self.step.run(rows)
        params, grads, decays = self.step.runs()
        norm = clip_grads(grads, self.max_grad) if self.max_grad else global_norm(grads)
        if not (math.isfinite(loss) and math.isfinite(norm) and self._sound()):
            _copy(self.before, self.buffers)
            self._blame(rows, epoch, i, loss)
        if self.ours:
            self.optimizer.update(params, grads, decays)
        else:
            self.optimizer.update(params, grads)
        return loss

    def _sound(self) -> bool:
        return not self.buffers or all(np.isfinite(buffer).all() for buffer in self.buffers)

    def _blame(self, rows: Array, epoch: int, i: int, loss: float) -> None:
        model = self.trainer.model
        what = (
            f"the loss is {loss}"
            if not math.isfinite(loss)
            else ("a gradient or a running statistic is not finite")
        )
        where = ""
        if isinstance(model, Network):
            where = " " + model.find_nonfinite(self.x[rows])
        raise NonFiniteError(
            f"Training stopped in epoch {epoch}, batch {i + 1} of {self.steps}: {what}.{where} The"
            f" parameters are those before this batch. Lower the learning rate (now"
            f" {getattr(self.trainer.optimizer, 'lr', '?')}), clip the gradients (max_grad=1.0), or look"
            " at the scale of the data."
        )

    def _tell(self, event: str) -> None:
        for watcher in self.watchers:
            try:
                getattr(watcher, event)(self.trainer)
            except Exception as error:
                error.add_note(
                    f"raised by the callback {type(watcher).__name__}.{event} in epoch"
                    f" {self.trainer.current_epoch}; the model is as the last step left it"
                )
                raise


def _copy(sources: list[Array], targets: list[Array]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target[...] = source


class _Interrupt:
    """Ctrl-C asks for a stop at the next step's end; a second one raises at once."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.old: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self.old = signal.getsignal(signal.SIGINT)
            if self.old is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._asked)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, self.old)
        self.trainer.stop("interrupted by Ctrl-C")

    def __exit__(self, *error: object) -> None:
        if self.old is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.old)


class _Function(Callback):
    def __init__(self, function: Callable[[Trainer], None]) -> None:
        self.function = function

    def on_epoch(self, trainer: Trainer) -> None:
        self.function(trainer)


def _as_callback(given: Callback | Callable[[Trainer], None]) -> Callback:
    if isinstance(given, Callback):
        return given
    if callable(given):
        return _Function(given)
    raise SettingError(
        f"{shown(given)} is no callback: give a Callback or a function of the trainer."
    )


def _finite(name: str, array: Array) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))
        place = ", ".join(map(str, bad[0]))
        raise DataError(
            f"{name}[{place}] is {array[tuple(bad[0])]} ({len(bad)} of {array.size} numbers are not"
            " finite). Fill or drop such rows before training."
        )
