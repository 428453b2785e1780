"""Many fits in jobs of joblib: blocks of networks, each trained in another process, or on a machine."""

from __future__ import annotations

import copy
import os
import sys
import time
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from chainrule.errors import ExtraMissingError, SettingError
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, _n, in_language
from chainrule.networks import Network
from chainrule.optimizers import Optimizer
from chainrule.training.kept_fits import KeptFits
from chainrule.training.progress import ProgressOfMany
from chainrule.training.sharing import ManyFits
from chainrule.training.signals import Interrupt
from chainrule.training.structure import structure_of
from chainrule.training.trainer import Trainer

__all__ = ["Jobs", "job_count"]

#: Blocks for each job: more of them share the work more evenly, and each costs its way there and back.
BLOCKS = 4
#: What a job hands back: its number, the state of each of its networks, why they are not compiled; no
#: states if it was interrupted.
Result = tuple[int, list[Mapping[str, Any]] | None, list[Text]]


def job_count(n_jobs: int | None) -> int:
    """How many jobs joblib has for `n_jobs`, in the block of `joblib.parallel_config` that this is in.

    Raises:
        SettingError: it is no whole number, or 0.
        ExtraMissingError: there is no joblib.
    """
    if n_jobs is not None and (isinstance(n_jobs, bool) or not hasattr(n_jobs, "__index__")):
        n_jobs = 0
    if n_jobs == 0:
        raise SettingError(
            _(
                "n_jobs must be a number of jobs, -1 for one per core, or None: this process, or the jobs"
                " of joblib.parallel_config."
            )
        )
    if n_jobs in (None, 1) and "joblib" not in sys.modules:  # nobody has chosen other jobs
        return 1
    count: int = _joblib().effective_n_jobs(n_jobs)
    return count


def _joblib() -> Any:
    try:
        import joblib
    except ImportError:
        raise ExtraMissingError(
            _(
                "n_jobs is for joblib, which is in the extra [sklearn]: {command}.",
                command='pip install "chainrule[sklearn]"',
            )
        ) from None
    return joblib


class Jobs:
    """The fits of some trainers in jobs, of which each trains the networks of some blocks, one after another.

    What is no network of chainrule's, or shares its arrays with something outside, stays in this
    process, and is trained when the jobs have ended.
    """

    def __init__(self, fits: ManyFits, places: Sequence[int], n_jobs: int | None) -> None:
        self.fits, self.n_jobs = fits, n_jobs
        first = [copy.deepcopy(fits.trainers[i].rng.bit_generator.state) for i in places]
        groups = fits.groups(places)
        for i, bits in zip(places, first, strict=True):
            fits.trainers[
                i
            ].rng.bit_generator.state = bits  # jobs draw the held-out rows themselves
        alike: list[list[int]] = []
        for group in groups:
            for entry in group.entries:
                entry.trainer.engine = entry.trainer.engine_used = group.choice.engine
            alike.append([entry.i for entry in group.entries])
        apart, fits.alone = fits.alone, []
        fits.alone = [i for i in apart if not _travels(fits.trainers[i])]
        alike.append([i for i in apart if i not in fits.alone])
        self._jobs = job_count(n_jobs)
        size = self._size(sum(map(len, alike)))
        #: The places of the networks of each block.
        self.places = [ids[k : k + size] for ids in alike for k in range(0, len(ids), size)]
        self.blocks: list[ManyFits] = []
        self.interrupted = self._waits = False
        #: The places of the networks that jobs have brought back.
        self._ended: set[int] = set()

    def _size(self, networks: int) -> int:
        """How many networks a block has: at least one for each thread of a job."""
        from chainrule.engine.compiled.threads import thread_count

        jobs = self._jobs
        threads = self.fits.trainers[0].threads or max(1, thread_count(None) // jobs)
        return max(1, -(-networks // (BLOCKS * jobs)), min(threads, -(-networks // jobs)))

    def interrupt(self) -> None:
        """End training, since Ctrl-C was pressed, or a signal came."""
        self.interrupted = True
        if self._waits:
            raise KeyboardInterrupt

    def run(self) -> None:
        """Train all networks."""
        fits, kept = self.fits, self.fits.kept
        writes = kept is not None and kept.writes
        if kept is not None:
            for places in self.places:  # threads train them in place, while checkpoints are written
                for i in places:
                    kept.fix(i, fits.resumed.get(i))
        fits.progress.begin()
        try:
            with Interrupt(self, keeps=writes) as interrupt:
                if kept is not None:
                    kept.write(must=True)
                if self.places:
                    self._run()
        except Exception as error:
            self._add_note(error)
            raise
        fits.received = interrupt.received
        if self.interrupted:
            fits.interrupt()
            for i in (i for places in self.places for i in places if i not in self._ended):
                trainer = fits.trainers[i]
                trainer.interrupt()
                trainer.history.stopped = trainer.stop_reason
                trainer.history.interrupted = True
        if fits.alone and fits.received is None:
            fits.run([])

    def _run(self) -> None:
        results = self._results()
        try:
            while not self.interrupted and (result := self._next(results)) is not None:
                number, states, told = result
                for reason in told:
                    self.fits.tell(reason)
                if states is None:
                    self.interrupted = True
                    break
                for i, state in zip(self.places[number], states, strict=True):
                    self.fits.finish(i, state)
                    self._ended.add(i)
                if self.fits.kept is not None:
                    self.fits.kept.observe_all()
        except KeyboardInterrupt:
            if not self.interrupted:
                raise
        finally:
            for block in self.blocks:
                block.interrupt()
            with warnings.catch_warnings():  # joblib advises who ends jobs to make fewer of them
                warnings.filterwarnings("ignore", ".* have been cancelled", UserWarning)
                results.close()
            while any(block.running for block in self.blocks):  # those of threads, in this process
                time.sleep(0.01)
            if self.fits.kept is not None:
                self.fits.kept.write()

    def _results(self) -> Generator[Result]:
        """What the jobs hand back, in whatever order; closing it ends them."""
        joblib = _joblib()
        options = {"n_jobs": self.n_jobs, "batch_size": 1}
        calls = self._calls(joblib)
        try:
            parallel = joblib.Parallel(return_as="generator_unordered", **options)
        except ValueError:  # multiprocessing, and Ray, which is made of it, give lists
            kept = self.fits.kept is not None and self.fits.kept.writes
            some = self._jobs if kept else len(self.places)
            with joblib.Parallel(**options) as parallel:
                while made := list(islice(calls, some)):
                    yield from parallel(made)
        else:
            yield from parallel(calls)

    def _next(self, results: Generator[Result]) -> Result | None:
        """The next result, in whatever order they come; meanwhile Ctrl-C ends the waiting."""
        try:
            self._waits = True
            return None if self.interrupted else next(results, None)
        finally:
            self._waits = False

    def _calls(self, joblib: Any) -> Iterator[Any]:
        """The calls of the jobs; made when a job takes them, so that not all are copied at once."""
        for number, places in enumerate(self.places):
            given, words = _once([self.fits.data[i] for i in places])
            block = ManyFits(
                [self.fits.trainers[i] for i in places],
                [self.fits.numbers[i] for i in places],
                words,
                self.fits.epochs,
                self.fits.options,
                self.fits.stopping,
                ProgressOfMany(None, len(places), self.fits.epochs, self.fits.options["lang"]),
            )
            block.file = self.fits.file
            block.resumed = {
                k: self.fits.resumed[i] for k, i in enumerate(places) if i in self.fits.resumed
            }
            self.blocks.append(block)
            yield joblib.delayed(_train_block)(number, block, *given)

    def _add_note(self, error: Exception) -> None:
        note: Text = _n(
            "{ended} of {n:,} network were trained by then",
            "{ended} of {n:,} networks were trained by then",
            sum(map(len, self.places)),
            ended=len(self._ended),
        )
        error.add_note(in_language(note, chosen()))


def _travels(trainer: Trainer) -> bool:
    """Whether a network that shares no compiled step may be trained elsewhere, and its state brought back."""
    network, optimizer = trainer.model, trainer.optimizer
    plain = isinstance(network, Network) and isinstance(optimizer, Optimizer)
    return plain and structure_of(network) is not None


def _once(data: Sequence[tuple[Any, ...]]) -> tuple[list[Any], list[Any]]:
    """The objects in some tuples, each once; and for each tuple where they are in that list."""
    found: list[Any] = []
    numbers: dict[int, int] = {}
    places = []
    for each in data:
        for one in each:
            if id(one) not in numbers:
                numbers[id(one)] = len(found)
                found.append(one)
        places.append(tuple(numbers[id(one)] for one in each))
    return found, places


def _train_block(number: int, fits: ManyFits, *given: Any) -> Result:
    """Train the networks of a block, with its data; this runs in a job."""
    fits.running = True
    try:
        fits.data = [tuple(given[k] for k in each) for each in fits.data]
        for trainer in fits.trainers:
            trainer.threads = trainer.threads or _threads()
        fits.kept = KeptFits(fits.trainers)
        fits.run(fits.groups(range(len(fits.trainers))))
        return number, None if fits.interrupted else fits.kept.states(), fits.told
    except Exception as error:
        note = _(
            "raised by the job of networks[{first}] to networks[{last}]",
            first=fits.numbers[0],
            last=fits.numbers[-1],
        )
        error.add_note(in_language(note, chosen()))
        raise
    finally:
        fits.running = False


def _threads() -> int | None:
    """The threads of a job: joblib, Dask and Ray all say them by OMP_NUM_THREADS."""
    if os.environ.get("CHAINRULE_NUM_THREADS"):
        return None
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return max(1, int(said)) if said.isdigit() else 1
