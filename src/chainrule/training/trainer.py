"""Trainer: mini-batch, gradient, update, repeat."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import numpy.typing as npt

from chainrule.checking.gradients import CheckReport, check_rows
from chainrule.checking.step import check_step
from chainrule.distributed import Communicator
from chainrule.distributed.communicator import part_of
from chainrule.engine.choice import engine_name, missing_packages
from chainrule.errors import (
    CheckError,
    DataError,
    RecordingError,
    SettingError,
    refuse_class,
    shown,
)
from chainrule.lang.messages import _, in_language
from chainrule.layers.initial import Seed, generator
from chainrule.networks import Network
from chainrule.networks.parts import ROWS
from chainrule.optimizers import Adam, Optimizer
from chainrule.settings import language, positive, whole
from chainrule.storage.checkpoint import Checkpoint
from chainrule.storage.folder import CheckpointFolder
from chainrule.training.batches import batch_count
from chainrule.training.beginnings import refuse_other_engines, refuse_other_trainings
from chainrule.training.callbacks import Callback, EarlyStopping, as_early_stopping
from chainrule.training.captured import put_back
from chainrule.training.checkpoints import EVERY, NETWORKS, Checkpoints, beginning
from chainrule.training.choice import Choice, choose
from chainrule.training.history import History
from chainrule.training.intervals import Interval
from chainrule.training.loop import Loop, Settings
from chainrule.training.memory_needed import refuse_too_large
from chainrule.training.metrics import Metric, named_metrics
from chainrule.training.ranks import Ranks
from chainrule.training.run_settings import (
    MODEL,
    data_settings,
    fit_settings,
    model_settings,
    refuse_differences,
)
from chainrule.training.signals import end_by
from chainrule.training.state import Training

if TYPE_CHECKING:
    from chainrule.script.script import Script

__all__ = ["Data", "Trainer", "refuse_nonfinite"]

Array = npt.NDArray[Any]
#: Inputs and learning rates above these are remarked on.
LARGE_INPUT, LARGE_RATE = 1e6, 1e3
Data = tuple[npt.ArrayLike, npt.ArrayLike] | list[Array]


class Trainer(Training):
    """Trains a model with an optimizer: draw a mini-batch, compute the gradient, update, repeat.

    The model is a chainrule network, or a class of yours with the chapter's `params`, `grads`,
    `forward(x, t)` and `backward()`; the optimizer is one of chainrule's, or has
    `update(params, grads)`. `seed` shuffles and splits; the same seed gives the same bits.

    `engine`: "compiled" runs many steps per call as machine code (extra `compiled`), "numpy" runs
    step by step; "auto" takes the compiled one if it is installed, the model allows it, and it saves
    more time than compiling costs. That depends on the network, the shapes and the steps, never on
    a cache, so that bits repeat.
    `threads`: how many threads the compiled engine may use; by default one per core, or
    CHAINRULE_NUM_THREADS. `engine_used` is the engine of the latest fit, `engine_reason` why it was
    not the compiled one.
    `communicator`: `cr.MPICommunicator()`, if several processes, ranks, train the network together
    (`mpiexec -n 4 python train.py`): each computes its rows of every batch, and all have the
    parameters, to rounding, of one process that computes them all. `docs/ranks.md` has more.
    `reproducible=True`: the same bits on 1, 2, 4 and 8 ranks, and with any `threads`, at some cost;
    large networks then have 8 / ranks threads each.
    `check=True` makes every fit begin with `cr.check` on its first rows, of the graph and of the
    step that will run; the report is in `checked`, and a wrong gradient raises CheckError.

    >>> import chainrule as cr
    >>> x, t = cr.datasets.spiral()
    >>> trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.SGD(lr=1.0))
    >>> history = trainer.fit(x, t, epochs=300, batch_size=30, progress=None)
    >>> trainer.evaluate(x, t)["accuracy"] > 0.9
    True
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any = None,
        *,
        seed: Seed = 0,
        engine: str = "auto",
        threads: int | None = None,
        check: bool = False,
        communicator: Communicator | None = None,
        reproducible: bool = False,
    ) -> None:
        refuse_class(model, "model", _("a network"))
        refuse_class(optimizer, "optimizer", _("an optimizer"))
        if model is None or isinstance(model, str | Optimizer):
            raise SettingError(
                _(
                    "model={model} is no network: give a cr.Network, or an object with params, grads,"
                    " forward(x, t) and backward().",
                    model=shown(model),
                )
            )
        optimizer = Adam() if optimizer is None else optimizer
        if not callable(getattr(optimizer, "update", None)):
            raise SettingError(
                _(
                    "optimizer={optimizer} has no update(params, grads); give for example cr.SGD(lr=0.1) or"
                    " cr.Adam().",
                    optimizer=shown(optimizer),
                )
            )
        super().__init__(model, optimizer, generator(seed))
        self.engine = engine_name(engine)
        self.threads = None if threads is None else whole(threads, "threads")
        self.check = check
        if communicator is not None:
            self.communicator = communicator
        self.reproducible = reproducible
        #: The report of the check that the latest fit began with.
        self.checked: CheckReport | None = None
        self._reported_reason: str | None = None
        self._reported_scale = False
        self._source: str | None = None
        #: The checkpoint that the next fit goes on from.
        self._resumed: Checkpoint | None = None
        self._may_differ = False
        #: What writes the checkpoints of the next fit, if that is one of many.
        self._keeper: Checkpoints | None = None

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
        drop_last: bool = False,
        progress: str | bool | None = "auto",
        lang: str | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        every: str | None = None,
        keep: int = 2,
    ) -> History:
        """Train for some epochs, and return the history, which continues over several fits.

        x: one row per sample: an array, a frame of numbers (pandas, polars, Arrow), or a mapped file
        larger than memory (`numpy.memmap`), whose rows are read as batches need them. t: class ids,
        one-hot rows or values, as the loss takes them. A `batch_size` beyond the rows means all.
        `validation`: a fraction of the rows to hold out (drawn once, by class for ids), or (x, t).
        `metrics`: names or functions (outputs, t) -> number, for held-out data; by default
        accuracy or R². `early_stopping`: a patience in epochs, or an EarlyStopping.
        `max_grad`: the largest global norm of the gradients. The last, smaller batch of an epoch
        is kept; with `drop_last` it is left out, and other rows with it in every epoch.
        `progress`: "auto", "bar", "lines" or None; `lang`: its language, "en" or "zh"; None
        is the language of CHAINRULE_LANG, else English.

        Ctrl-C ends training after the current step; the model stays usable, and `history.stopped`
        gives the reason. A loss or gradient that is not finite raises NonFiniteError before the
        update, so the parameters stay those of the last good step.

        `checkpoint`: a folder that gets the whole state of the training, `every` "100 steps", "1 epoch"
        or "5 min" (by default every 30 s at the most, which takes at most 2 % of the time), and at the
        end; the latest `keep` of them stay, and the best. `resume` goes on from there. SIGTERM and
        SIGHUP then end training after the current step, write a checkpoint, and end the program as they
        would have; SIGUSR1, by which a scheduler warns, ends it with status 0, and puts a job of SLURM
        back into the queue. A full disk is warned of, and training goes on.
        """
        self._refuse_in_midst()
        if self.divides and not isinstance(self.model, Network):
            raise SettingError(
                _(
                    "{model} is a model written by hand, in Python, whose batches cannot be divided among"
                    " ranks. Write it as a cr.Network, or train it on one rank.",
                    model=type(self.model).__name__,
                )
            )
        epochs = whole(epochs, "epochs")
        batch_size = whole(batch_size, "batch_size")
        resumed, self._resumed = self._resumed, None
        keeper, self._keeper = self._keeper, None
        first = self._first(resumed)
        ranks = Ranks(self)
        whole_data = x, t, w = self._enter(x, t, sample_weight)
        part = part_of(len(x), self.communicator.rank, self.communicator.size)
        ranks.together(lambda: refuse_nonfinite(*whole_data[:2], part))
        keeps = checkpoint is not None or (resumed is not None and keeper is None)
        told: dict[str, Any] = {}
        if keeps:  # of all rows, before some are held out
            ranks.by_first(lambda: told.update(data_settings(*whole_data)))
        x, t, w, held_out = self._split(x, t, w, validation)
        batch_size = min(batch_size, len(x))
        if max_grad is not None:
            max_grad = positive(max_grad, "max_grad")
        callback_list = [_as_callback(c) for c in callbacks]
        if early_stopping is not None:
            callback_list.append(as_early_stopping(early_stopping, held_out is not None))
        evaluates = held_out is not None or metrics is not None
        settings = Settings(
            batch_size,
            held_out,
            named_metrics(metrics, self.kind_of(t)) if evaluates else {},
            max_grad,
            shuffle,
            drop_last,
            callback_list,
            progress,
            language(lang),
            checkpoints=keeper,
            resumed=resumed,
            keeps=checkpoint is not None or (keeper is not None and keeper.writes),
        )
        given = held_out if isinstance(validation, tuple | list) else validation
        if ranks.several:
            begun = {"epochs": epochs, **model_settings(self), **fit_settings(settings, given)}
            begun |= {"checkpoint": settings.keeps, "reproducible": self.reproducible}
            # What callbacks look at decides when the ranks talk to each other.
            begun["callbacks"] = [_callback_name(c) for c in callback_list]
            refuse_other_trainings(self, begun, (x, t, w, *(held_out or ())))
        if not keeps:
            return self._run(x, t, w, epochs, settings)

        def tell() -> None:
            told.update(model_settings(self))
            told.update(fit_settings(settings, given))
            told["reproducible"] = self.reproducible or None
            if resumed is not None:
                now = {k: v for k, v in told.items() if k not in MODEL}
                self._refuse_differences(now, resumed)
                told.update({k: resumed.settings[k] for k in MODEL})

        ranks.by_first(tell)
        if checkpoint is None:
            return self._run(x, t, w, epochs, settings)
        folder = CheckpointFolder(checkpoint, whole(keep, "keep"))
        interval = EVERY if every is None else Interval.of(every)
        told["epochs"] = epochs
        with ExitStack() as opened:
            ranks.by_first(lambda: opened.enter_context(folder.opened()))
            ranks.by_first(lambda: folder.begin(resumed))
            if ranks.first:
                settings.checkpoints = Checkpoints(folder, interval, told, first)
            history = self._run(x, t, w, epochs, settings)
        self.communicator.barrier()  # the last checkpoint is written
        if self.received is not None:
            end_by(self.received, first=ranks.first)
        return history

    def _run(self, x: Array, t: Array, w: Array | None, epochs: int, settings: Settings) -> History:
        """Run the loop of a fit."""
        loop = self._loop(x, t, w, epochs, settings)
        if self.check:
            self._check(x, t, w, settings, loop.threads)
        self.data = x, t, w
        try:
            return loop.run()
        finally:
            self.data = None
            self._source = loop.source()

    # -- going on from a checkpoint -----------------------------------------------------------------

    def resume(
        self, folder: str | os.PathLike[str], *, may_differ: bool = False, missing_ok: bool = False
    ) -> bool:
        """Take the state of the newest checkpoint in a folder; the next `fit` goes on from there.

        Make the trainer, and call `fit`, as in the program that was stopped: the bits are then those of
        a training that was never stopped, in the midst of an epoch, too. `epochs` may be larger.
        `may_differ`: whether network settings, data and the settings of fit may be others. Gives False,
        and changes nothing, if there is no checkpoint and that is `missing_ok`.

        Raises:
            DataError: the folder has no checkpoint.
            FormatError: it has some, but none that can be read.
            SettingError: the network or the optimizer is another one; the message says where.

        >>> import chainrule as cr, tempfile
        >>> x, t = cr.datasets.spiral()
        >>> run = tempfile.mkdtemp()
        >>> def trainer():
        ...     return cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.Adam(0.01))
        >>> _ = trainer().fit(x, t, 5, progress=None, checkpoint=run)
        >>> again = trainer()
        >>> again.resume(run)
        True
        >>> len(again.fit(x, t, 8, progress=None, checkpoint=run))
        8
        """
        self._refuse_in_midst()
        found = CheckpointFolder(folder).newest()
        if found is None:
            if missing_ok:
                return False
            raise DataError(
                _(
                    "{folder} has no checkpoint to go on from. A fit writes them there with"
                    " checkpoint={folder!r}; with missing_ok=True a first run begins anew.",
                    folder=os.fspath(folder),
                )
            )
        if NETWORKS in found.state:
            raise SettingError(
                _(
                    "{file} has the networks of a call of fit_many: the same call goes on with them.",
                    file=found.path,
                )
            )
        self._may_differ = may_differ
        self._refuse_differences(model_settings(self), found)
        put_back(self, found.state)
        self._resumed = found
        return True

    def _refuse_differences(self, told: dict[str, Any], checkpoint: Checkpoint) -> None:
        if not self._may_differ:
            refuse_differences(told, checkpoint.settings, checkpoint.path)

    def _first(self, resumed: Checkpoint | None) -> dict[str, Any]:
        """What a fit begins with: the generator, before it holds rows out, and the epochs before it."""
        if resumed is None:
            return beginning(self)
        first: dict[str, Any] = resumed.state["first"]
        self.rng.bit_generator.state = first["generator"]
        return first

    def _refuse_in_midst(self) -> None:
        if self.data is not None:
            raise SettingError(
                _(
                    "fit was called while this trainer is in the midst of another fit, from a callback or"
                    " another thread. End that one first (trainer.stop(why)), or use a Trainer of its own."
                )
            )

    def _check(self, x: Array, t: Array, w: Array | None, settings: Settings, threads: int) -> None:
        """Compare the gradients of the first rows, and the step on them, with the graph's."""
        if not isinstance(self.model, Network):
            raise SettingError(
                _(
                    "check=True looks into a chainrule network, and {model} is written by hand. Check its"
                    " layers one by one: cr.check(layer, x).",
                    model=type(self.model).__name__,
                )
            )
        n = settings.batch_size
        batch = [a[:n] for a in (x, t, w) if a is not None]
        optimizer = self.optimizer if isinstance(self.optimizer, Optimizer) else None
        step = check_step(
            self.model,
            *batch,
            engine=self.engine_used or "numpy",
            optimizer=optimizer,
            max_grad=settings.max_grad,
            threads=threads,
            sharing=self,
        )
        self.checked = CheckReport(check_rows(self.model, batch), step)
        if not self.checked.ok:
            raise CheckError(self.checked.message)

    def _loop(self, x: Array, t: Array, w: Array | None, epochs: int, settings: Settings) -> Loop:
        """The loop of the engine that runs this training."""
        n, ranks = settings.batch_size, self.communicator.size
        batch = x[:n], t[:n], None if w is None else w[:n]
        resumed = settings.resumed
        if resumed is None:
            steps = epochs * batch_count(len(x), n, settings.drop_last)
            choice = choose(self, *batch, steps=steps)
        else:  # the bits of the engine and the threads that it began with
            choice = self._same_engine(resumed, batch)
        refuse_too_large(self, batch, n, choice.engine, settings)
        by_hand = choice.by_hand
        self.engine_used, self.engine_reason = choice.engine, choice.reason
        if choice.engine == "numpy":
            loop = Loop(self, x, t, w, epochs, settings)
        else:
            from chainrule.training.compiled import CompiledLoop

            loop = CompiledLoop(self, x, t, w, epochs, settings)
            by_hand = self.engine_used != "compiled"
        refuse_other_engines(self)
        if resumed is not None:
            self._refuse_other_engine(resumed)
        if self.communicator.rank == 0:
            self._report_reason(loop, by_hand)
            self._report_scale(x[: part_of(len(x), 0, ranks)[1]], loop)
        return loop

    def _same_engine(self, resumed: Checkpoint, batch: tuple[Array, Array, Array | None]) -> Choice:
        """The engine to go on from a checkpoint with: its own, unless another one is asked for."""
        used, threads = resumed.state["engine"], resumed.state["threads"]
        engine = used if self.engine == "auto" else self.engine
        if engine == "compiled" and self._may_differ and missing_packages():
            engine = "numpy"
        if used == "compiled" and self.threads is None and not self.divides:
            self.threads = threads
        return choose(self, *batch, steps=0, engine=engine)

    def _refuse_other_engine(self, resumed: Checkpoint) -> None:
        """Raise if the engine that has been found is not that of a checkpoint.

        Asked for, the compiled one may still have declined, now as it did before the checkpoint.
        """
        used, now = resumed.state["engine"], self.engine_used
        if now == used or self._may_differ:
            return
        if now == "numpy" and self.engine != "numpy":
            raise SettingError(
                _(
                    "{file} is of engine={then}, which cannot run this training here: {why}. With"
                    " resume(..., may_differ=True) it goes on with engine={now}, whose bits differ.",
                    file=resumed.path,
                    now=repr(now),
                    then=repr(used),
                    why=self.engine_reason,
                )
            )
        raise SettingError(
            _(
                "{file}: engine={now} now, and the checkpoint is of engine={then}; their bits differ."
                " Give engine={then}, or resume(..., may_differ=True).",
                file=resumed.path,
                now=repr(now),
                then=repr(used),
            )
        )

    def _report_reason(self, loop: Loop, by_hand: bool) -> None:
        """Show once why the engine is not the compiled one, where the user may expect that it is."""
        why = self.engine_reason
        if why is None or why == self._reported_reason:
            return
        line = _("This training runs on the NumPy engine: {why}.", why=why)
        if self.engine == "compiled" and not loop.progress.shows:
            print(in_language(line, loop.progress.lang), file=sys.stderr, flush=True)
        elif self.engine == "compiled" or by_hand:
            loop.progress.say(line)
        self._reported_reason = why

    def _report_scale(self, x: Array, loop: Loop) -> None:
        """Show once that inputs, or steps, are so large that training can hardly go well."""
        if self._reported_scale:
            return
        self._reported_scale = True  # once: it reads all of x
        if x.dtype.kind == "f" and (size := _largest(x)) > LARGE_INPUT:
            loop.progress.say(
                _(
                    "x goes up to {size:.3g}; numbers so large keep a network from learning. Standardise"
                    " them: (x - x.mean(axis=0)) / x.std(axis=0).",
                    size=size,
                )
            )
        lr = getattr(self.optimizer, "lr", 0.0)
        if isinstance(lr, float) and lr > LARGE_RATE:
            loop.progress.say(_("lr={lr:g} is far beyond what trains; try 0.01, say.", lr=lr))

    def source(self, file: TextIO | None = None) -> None:
        """Print the program that the latest fit ran, on standard output or into an open file.

        For the compiled engine that is the text that was compiled; for the NumPy engine, the
        recorded step, one NumPy call per line.
        """
        if self._source is None:
            if self.engine_used is None:
                raise RecordingError(_("There is no program yet: call fit first."))
            raise RecordingError(
                _("The latest fit ran no recorded step: a model written by hand runs as it is.")
            )
        print(self._source.rstrip(), file=file)

    @property
    def threads_used(self) -> int:
        """The number of threads that shared the batches of the latest fit; NumPy's BLAS may use more."""
        return self._kernel[1].shards if self._kernel and self.engine_used == "compiled" else 1

    def script(
        self, x: Any, t: Any = None, epochs: int = 10, batch_size: int = 32, **settings: Any
    ) -> Script:
        """The NumPy program of a new Trainer's fit: same model, optimizer and seed; see `Network.script`.

        The program begins with the model's present parameters; call this before `fit` for a program
        that begins where `fit` does.
        """
        if not isinstance(self.model, Network):
            raise RecordingError(
                _(
                    "{model} is a model written by hand, in Python, so what it computes is not known and"
                    " cannot be written out. Write it as a cr.Network.",
                    model=type(self.model).__name__,
                )
            )
        bits = self.rng.bit_generator
        seed = getattr(bits.seed_seq, "entropy", None)
        child = getattr(bits.seed_seq, "spawn_key", ())
        default_kind = type(bits) is type(generator(0).bit_generator)
        if type(seed) is not int or child or not default_kind:
            raise SettingError(
                _("a program needs a seed to shuffle by: make the Trainer with seed=0.")
            )
        settings.update(epochs=epochs, batch_size=batch_size, seed=seed)
        return self.model.script(self.optimizer, x, t, **settings)

    def _enter(
        self, x: npt.ArrayLike, t: npt.ArrayLike, w: npt.ArrayLike | None
    ) -> tuple[Array, Array, Array | None]:
        if isinstance(self.model, Network):
            x, t, w = self.model._prepare(x, t, w)
        else:
            x, t = np.asarray(x), np.asarray(t)
            if w is not None:
                raise SettingError(_("sample_weight needs a chainrule network."))
            if x.ndim == 0 or t.ndim == 0 or len(x) != len(t):
                raise DataError(
                    _(
                        "x has shape {x} and t {t}: every row needs one target.",
                        x=x.shape,
                        t=t.shape,
                    )
                )
        # Every step gathers rows, which NumPy does without a copy for this layout only.
        return np.ascontiguousarray(x), np.ascontiguousarray(t), w

    def _split(
        self, x: Array, t: Array, w: Array | None, validation: float | Data | None
    ) -> tuple[Array, Array, Array | None, tuple[Array, Array] | None]:
        if validation is None:
            return x, t, w, None
        if isinstance(validation, tuple | list):
            if len(validation) != 2:
                raise SettingError(
                    _(
                        "validation={validation} must be a fraction of the rows, or (x, t).",
                        validation=shown(validation),
                    )
                )
            hx, ht, _none = self._enter(validation[0], validation[1], None)
            refuse_nonfinite(hx, ht)
            return x, t, w, (hx, ht)
        train, rest = self._parted(t, validation)
        return x[train], t[train], None if w is None else w[train], (x[rest], t[rest])

    def _parted(self, t: Array, fraction: float) -> tuple[Array, Array]:
        """The rows to train on and those to hold out, drawn now."""
        from chainrule.datasets.splitting import parted_rows

        return parted_rows(t, fraction, self.rng)

    # -- predictions ----------------------------------------------------------------------------------

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
        """The loss and the metrics on some data, in inference mode."""
        x, t, _none = self._enter(x, t, None)
        refuse_nonfinite(x, t)
        return self.evaluate_prepared(x, t, named_metrics(metrics, self.kind_of(t)))

    def __repr__(self) -> str:
        return f"Trainer({self.model!r}, {self.optimizer!r}, epoch {self.current_epoch})"


class _Function(Callback):
    def __init__(self, function: Callable[[Trainer], None]) -> None:
        self.function = function

    def on_epoch(self, trainer: Trainer) -> None:
        self.function(trainer)


def _callback_name(callback: Callback) -> str:
    """What a callback is called: a function by its own name."""
    of = callback.function if isinstance(callback, _Function) else type(callback)
    return str(getattr(of, "__qualname__", type(of).__qualname__))


def _as_callback(given: Callback | Callable[[Trainer], None]) -> Callback:
    if isinstance(given, Callback):
        return given
    refuse_class(given, _("a callback"), _("a callback"))
    if callable(given):
        return _Function(given)
    raise SettingError(
        _(
            "{given} is no callback: give a Callback or a function of the trainer.",
            given=shown(given),
        )
    )


def _largest(x: Array) -> float:
    """The largest number of x, whatever its sign; in parts, since x may be larger than memory."""
    starts = range(0, len(x), ROWS) if x.size else ()
    parts = (x[start : start + ROWS] for start in starts)
    return max((max(float(part.max()), -float(part.min())) for part in parts), default=0.0)


def refuse_nonfinite(x: Array, t: Array, part: tuple[int, int] | None = None) -> None:
    """Raise if a number is not finite; of ranks each looks through its part of the rows."""
    for name, array in (("x", x), ("t", t)):
        _finite(name, array, *(part or (0, len(array))))


def _finite(name: str, array: Array, first: int, end: int) -> None:
    if array.dtype.kind != "f":
        return
    # In parts: x may be a mapped file larger than memory.
    parts = [(start, min(start + ROWS, end)) for start in range(first, end, ROWS)]
    wrong = [(a, b) for a, b in parts if not np.isfinite(array[a:b]).all()]
    if wrong:
        found = [np.argwhere(~np.isfinite(array[a:b])) for a, b in wrong]
        for (start, _end), places in zip(wrong, found, strict=True):
            places[:, 0] += start
        bad = np.concatenate(found)
        raise DataError(
            _(
                "{name}[{place}] is {value} ({n} of {size} numbers are not finite). Fill or drop such rows"
                " before training.",
                name=name,
                place=", ".join(map(str, bad[0])),
                value=array[tuple(bad[0])],
                n=len(bad),
                size=array.size,
            )
        )
