"""What holds for all kernels: what is assumed of memory and numbers, and that bits repeat."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("llvmlite")

import llvmlite.binding as llvm
from tests.engine.compiled.plain import ABREAST, BLOCKS, _Plain, agree, compiling, plainly
from tests.engine.compiled.test_agreement_compiled import BAGS
from tests.engine.compiled.test_agreement_graphs import Affine, Tied, Words, norms
from tests.engine.compiler.language import HEAD, compiled, plain, same
from tests.engine.compiler.random_programs import drawn
from tests.engine.compiler.test_random_programs import TEXT, given

import chainrule as cr
from chainrule.engine.compiled import cache, step
from chainrule.engine.compiled.step import CompiledStep
from chainrule.engine.compiler import entry, outlining
from chainrule.engine.compiler.sized import Sized
from chainrule.engine.compiler.values import Array, Value

ROOT = str(Path(cr.__file__).parents[2])


Kernel = tuple[str, str, dict[str, Any], dict[str, int]]


def kernel_of(
    make: Callable[[], cr.Network], x: Any, t: Any, optimizer: Callable[[], Any], shards: int
) -> Kernel:
    """The text of a step, its arguments, and what of them is known."""
    found: list[Kernel] = []

    def kernel(source: str, name: str, given: Any, *_: Any, **known: int) -> Any:
        found.append((source, name, dict(given), known))
        return _Plain(lambda: 0)

    net = make()
    data = list(zip(("x", "t"), net._prepare(x, t)[:2], strict=True))
    net._flatten_parameters()
    with plainly(shards), pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "kernel", kernel)
        CompiledStep(net, optimizer(), data, 8, threads=8)
    return found[-1]


def small() -> cr.Network:
    return cr.Sequential(Affine(4, 5), cr.Tanh(), Affine(5, 3), loss=cr.SoftmaxWithLoss(), seed=0)


def networks() -> dict[str, tuple[Callable[[], cr.Network], Any, Any, Callable[[], Any]]]:
    rng = np.random.default_rng(2)
    x, ids = rng.standard_normal((18, 4)), rng.integers(0, 7, (18, 3))
    classes = rng.integers(0, 3, 18)
    clipped = functools.partial(cr.Adam, 0.01, l2=0.1, clip_norm=0.5)
    return {
        "small": (small, x, classes, cr.Momentum),
        "tied": (Tied, x, x, cr.Nesterov),
        "words": (Words, ids, classes, clipped),
        "norms": (functools.partial(norms, 5, 0.3, np.float32), x, classes, cr.RMSprop),
        "choices": (BAGS["choices"][0], x, rng.standard_normal((18, 3)), BAGS["choices"][1]),
        "rows": (BAGS["rows"][0], x, rng.standard_normal((18, 3)), BAGS["rows"][1]),
    }


def kernel(name: str, shards: int) -> Kernel:
    return kernel_of(*networks()[name], shards)


def in_text(kernel: Kernel) -> tuple[str, str, str, dict[str, Any], dict[str, int]]:
    source, name, given, known = kernel
    return source, "text.py", name, given, known


#: By default each network goes two of the four ways.
WAYS = [
    pytest.param(name, shards, marks=[pytest.mark.long] if (i + j) % 2 else [])
    for i, name in enumerate(networks())
    for j, shards in enumerate((1, 3, ABREAST, BLOCKS))
]
each = pytest.mark.parametrize(("name", "shards"), WAYS)


@each
def test_nothing_is_assumed_of_numbers(name: str, shards: int) -> None:
    """Training looks for NaN and infinity: no instruction may take for granted that there are none."""
    ir = entry.written(*in_text(kernel(name, shards)))
    llvm.parse_assembly(ir).verify()
    assert "fadd " in ir
    assert not re.search(r"\b(nnan|ninf|fast)\b", ir)


# -- memory -------------------------------------------------------------------------------------------

Memory = list[npt.NDArray[Any]]


class Watched(outlining._Taking):
    """Arguments on their way; the latest are at hand."""

    latest: Watched

    def __init__(self, twice: set[str]) -> None:
        super().__init__(twice)
        Watched.latest = self


@contextlib.contextmanager
def watching(arguments: dict[str, Any], read_only: Sequence[str]) -> Iterator[list[str]]:
    """Inside, every function that is written is looked at: is memory of its own where it is said to be?"""
    #: For each function that is being written, the arrays that its pointers lead to.
    stack: list[dict[str, Memory]] = []
    seen: list[str] = []
    writable: Memory = []
    for key, x in arguments.items():
        writable += [] if key in read_only else list(arrays_of(x))
    written, main = outlining._written, vars(entry)["call_outside"]

    def first(w: Any, function: Any, taken: Sequence[Value], **more: Any) -> Value:
        if more.get("apart", True):  # not of the kernel itself
            return main(w, function, taken)
        leads: dict[str, Memory] = {}
        pairs = zip(ours(taken), arrays_of(tuple(arguments.values())), strict=True)
        for ours_, theirs in pairs:
            leads.setdefault(ours_.base, []).append(theirs)
        stack.append(leads)
        return main(w, function, taken, **more)

    def look(w: Any, function: Any, taken: Sequence[Value], parameters: Sequence[str]) -> Any:
        outer, taking = stack[-1], Watched.latest
        leads = {mine: outer[base] for base, mine in taking.bases.items() if base in outer}
        alone = {p.split()[-1] for p in parameters if " noalias " in p}
        for a in ours(taken):
            for b in ours(taken):
                if a is b or a.pointer not in alone:
                    continue
                assert a.base != b.base
                for one in leads.get(a.base, []):
                    for other in leads.get(b.base, []):
                        if np.shares_memory(one, other):
                            where = f"{function.node.name}: {one.shape} and {other.shape}"
                            assert not any(np.shares_memory(one, x) for x in writable), where
        seen.extend([function.node.name] * len(alone))
        stack.append(leads)
        try:
            return written(w, function, taken, parameters)
        finally:
            stack.pop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outlining, "_Taking", Watched)
        patch.setattr(outlining, "_written", look)
        patch.setattr(entry, "call_outside", first)
        yield seen


def ours(given: Any) -> Iterator[Array]:
    for x in given:
        if isinstance(x, tuple):
            yield from ours(x)
        elif isinstance(x, Array):
            yield x


def arrays_of(x: Any) -> Iterator[npt.NDArray[Any]]:
    if isinstance(x, tuple):
        for part in x:
            yield from arrays_of(part)
    elif isinstance(x, Sized):
        yield x.array
    elif isinstance(x, np.ndarray):
        yield x


@each
def test_memory_that_two_arguments_share_is_not_said_to_be_apart(name: str, shards: int) -> None:
    """Parameters are one array for the optimizer, and several for a step, which only reads them."""
    _, main, arguments, known = one = kernel(name, shards)
    with watching(arguments, ("data", "params")) as seen:
        ir = entry.written(*in_text(one))
    # What runs in one thread may assume something, or there was no reason to look.
    assert bool(seen) == (known.get("shards") == 1)
    assert main not in seen
    (head,) = re.findall(rf"^define internal .*@our\.{main}\(.*$", ir, re.MULTILINE)
    assert "noalias" not in head


def test_the_watch_sees_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the kernel itself were told that its arguments lie apart."""
    _, main, arguments, _ = one = kernel("tied", 1)
    outside = outlining.call_outside

    def wrong(*given: Any, apart: bool = True) -> Any:
        return outside(*given, apart=True)

    monkeypatch.setattr(entry, "call_outside", wrong)
    with pytest.raises(AssertionError, match=f"^{main}: "), watching(arguments, ("data", "params")):
        entry.written(*in_text(one))


# -- the same bytes, the same numbers -----------------------------------------------------------------


def codes() -> list[str]:
    """Words for the object files of two kernels."""
    found = [kernel("small", 1), kernel("small", ABREAST)]
    return [hashlib.sha256(entry.machine_code(*in_text(k))).hexdigest() for k in found]


def test_the_same_text_gives_the_same_bytes_in_every_process() -> None:
    program = "from tests.engine.compiler.test_laws import codes; print(*codes())"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join([ROOT, f"{ROOT}/src"])},
    )  # fmt: skip
    here = codes()
    assert run.stdout.split() == here == codes()


@pytest.fixture
def generic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kernels for any processor of this family."""
    monkeypatch.setenv("CHAINRULE_CPU", "generic")
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "_obtained", {})


@pytest.mark.parametrize("seed", range(15))
def test_any_processor_computes_the_same(seed: int, generic: None) -> None:
    """As this one, and as plain Python: whole numbers to the bit, others but for some roundings."""
    program = drawn(seed)
    text, arguments = TEXT + program.text, given(seed, program.notes)
    try:
        theirs = plain(text, "f", arguments)
        ours = compiled(text, "f", arguments)
    except Exception:
        pytest.skip("none of these programs")
    # Where a rounding decides which way a program goes, all may differ: none of these does.
    same(ours, theirs, 2000)


@pytest.mark.parametrize("shards", [1, ABREAST])
@pytest.mark.parametrize("name", ["small", pytest.param("words", marks=pytest.mark.long)])
def test_any_processor_trains_the_same(name: str, shards: int, generic: None) -> None:
    make, x, t, optimizer = networks()[name]
    with compiling(shards):
        agree(make, x, t, batch=8, optimizer=optimizer, slack=20)


def test_elementary_functions_on_any_processor(generic: None) -> None:
    x = np.random.default_rng(0).normal(size=200)
    for dtype in (np.float32, np.float64):
        text = f"{HEAD}from chainrule.engine.compiled.elementary import *\n"
        text += "def f(x, y):\n    for i in range(len(x)):\n"
        text += "        y[i] = exp(x[i]) + tanh(x[i]) * log(x[i] * x[i])\n"
        arguments = {"x": x.astype(dtype), "y": x.astype(dtype)}
        same(compiled(text, "f", arguments), plain(text, "f", arguments), 200)
