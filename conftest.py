"""For all tests: the Python blocks of README and docs run too, and nothing of the user's own is touched."""

from __future__ import annotations

import gc
import os
import runpy
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from xdist.scheduler import LoadScopeScheduling

# Kernels are kept in a folder of this run, which all of its processes share: what one has compiled
# the others find. "auto" is the NumPy engine, since most tests are of other things than compiling,
# and those that are not say engine="compiled".
if "CHAINRULE_CACHE" not in os.environ:
    _kernels = TemporaryDirectory(prefix="chainrule-tests-")
    os.environ["CHAINRULE_CACHE"] = _kernels.name
os.environ.setdefault("CHAINRULE_ENGINE", "numpy")
# Where Python is told to write no bytecode, each of some hundred processes would compile all that it
# imports: they share a folder, too, and nothing is written beside the sources.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None) and "PYTHONPYCACHEPREFIX" not in os.environ:
    _bytecode = TemporaryDirectory(prefix="chainrule-tests-")
    os.environ["PYTHONPYCACHEPREFIX"] = _bytecode.name
# A thread of BLAS or of OpenMP that waits for another burns its core. Here every core has a process
# already, and tests took six times as long; the command, too, takes one. Before NumPy is imported.
for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
# What is read before it was written, or after its memory was given away, is to be NaN.
os.environ.setdefault("CHAINRULE_DEBUG", "1")


# The catalogue as it is now: an installation has that of the day when it was made.
if "PYTEST_XDIST_WORKER" not in os.environ:
    runpy.run_path(str(Path(__file__).parent / "scripts" / "messages.py"))["compile_all"]()
# Errors are English unless a test says otherwise.
os.environ.pop("CHAINRULE_LANG", None)
os.environ["LANGUAGE"] = "en"  # and so is the command, whatever the locale


#: Parts of Sphinx, which is not among what the tests need.
collect_ignore = ["docs/conf.py", "docs/site"]
#: More processes than this have little to do, and each of them compiles in half a gigabyte.
MOST = 8


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--part 3/10`, for modes that take too long at once (they are run before a release)."""
    parser.addoption(
        "--part", metavar="K/N", help="of the tests chosen, every Nth from the Kth on: --part 3/10"
    )


#: Whose tests share what takes long to make: a browser and a server, pictures, machine code.
WHOLE = (
    "tests/playground/browser",
    "tests/drawing/test_notebook_themes.py",
    "tests/figures/test_all.py",
    "tests/engine/compiled/test_tiles.py",
    "tests/distributed/test_same.py",
    "tests/distributed/test_slurm.py",
)


class OneByOne(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out one test after the other, but some folders and files whole, which come first.

    So does a page of documents, in which a block goes on from another.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        whole = (place for place in WHOLE if file.startswith(place))
        return next(whole, file if file.endswith(".md") else nodeid)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """What is done is forgotten: it would be counted again after every test."""
        nodeid = self.registered_collections[node][item_index]
        scope, units = self._split_scope(nodeid), self.assigned_work[node]
        units[scope][nodeid] = True
        if all(units[scope].values()):
            del units[scope]
        self._reschedule(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneByOne:
    """How tests are shared out."""
    return OneByOne(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the tests that -m and -k have chosen, the part that is asked for."""
    if (part := config.getoption("part")) is None:
        return
    chosen = part_of(items, part)
    config.hook.pytest_deselected(items=list(set(items) - set(chosen)))
    items[:] = chosen


def pytest_collection_finish() -> None:
    """The tests themselves are never garbage: a collection need not look at them."""
    gc.collect()
    gc.freeze()


def part_of(items: list[Any], part: str) -> list[Any]:
    """One here and one there, so that what takes long is in every part."""
    k, _, n = part.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise pytest.UsageError(f"--part wants K/N, 1 ≤ K ≤ N, such as 3/10; got {part}")
    return items[int(k) - 1 :: int(n)]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process a core for the whole suite; none beside this one for files that are named."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, MOST) if cores != 1 else 0


# How busy the machine is says nothing about what is tested.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any")

_here = str(Path.cwd())
_room: list[TemporaryDirectory[str]] = []


def _enter(namespace: dict[str, Any]) -> None:
    _room.append(TemporaryDirectory())
    os.chdir(_room[-1].name)


def _leave(namespace: dict[str, Any]) -> None:
    os.chdir(_here)
    _room.pop().cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "CONTRIBUTING.md", "docs/*.md"],
    setup=_enter,
    teardown=_leave,
).pytest()

# A shell starts what it puts in the background with Ctrl-C ignored, which tests of it need.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
