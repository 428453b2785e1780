"""Generated kernels run as plain Python, and compared with the NumPy engine.

Compiling takes seconds, which breadth cannot afford. So the generated text is executed as it
stands, with what it imports served from the few lines below: NumPy for the products and the
functions of one number, a barrier for the threads that wait for each other.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import math
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from chainrule.aligned import _APART, _LINE
from chainrule.engine.compiled import predict, step
from chainrule.engine.compiled.constants import SEND, SENT
from chainrule.engine.compiled.library import NO_PRODUCTS
from chainrule.engine.compiled.predict import CompiledPredict
from chainrule.engine.compiled.step import CompiledStep
from chainrule.engine.compiler.sized import Sized
from chainrule.engine.plans import StepRecording
from chainrule.graph.mode import training_mode
from chainrule.networks import Network
from chainrule.networks.steps import RecordedStep
from chainrule.nodes.base import ignore_fp_errors
from chainrule.optimizers import SGD, Optimizer

__all__ = [
    "ABREAST",
    "ABREAST_SHARED",
    "BLOCKS",
    "BLOCKS_SHARED",
    "Data",
    "Outcome",
    "agree",
    "agree_in_use",
    "compiling",
    "plainly",
    "really",
    "scale_of",
    "threads_of",
]

Array = npt.NDArray[Any]

#: In place of a number of shards: rows side by side, one in each lane of a vector; all, or in blocks.
ABREAST, BLOCKS = 0, -1
#: The same in three threads.
ABREAST_SHARED, BLOCKS_SHARED = -2, -3
#: How far engines may part, as a share of the largest number that a step goes through.
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


# -- what generated text imports ------------------------------------------------------------------


class Meeting:
    """Where the threads of a step wait for each other."""

    def __init__(self) -> None:
        self.barriers: dict[int, threading.Barrier] = {}

    def wait(self, crew: Any, shards: int) -> None:
        if shards > 1:
            self.barriers.setdefault(shards, threading.Barrier(shards, timeout=20)).wait()

    def leave(self) -> None:
        """One thread has failed: nobody is to wait for it."""
        for barrier in self.barriers.values():
            barrier.abort()

    def together(self, crew: Any, k: int, shards: int, part: Any, parts: Any, out: Any) -> None:
        parts[k, : part.size] = part.reshape(-1)
        self._over_ranks(crew, k, shards, parts)
        whole = parts[0, : part.size].copy()
        for s in range(1, shards):
            whole += parts[s, : part.size]
        out.reshape(-1)[...] = whole
        self.wait(crew, shards)

    def together_number(self, crew: Any, k: int, shards: int, part: Any, parts: Any) -> Any:
        parts[k, 0] = part
        self._over_ranks(crew, k, shards, parts)
        found = sum(float(parts[s, 0]) for s in range(shards))
        self.wait(crew, shards)
        return found

    def _over_ranks(self, crew: Any, k: int, shards: int, parts: Array) -> None:
        """Of ranks the first part gets what all threads of all of them have, and the others nothing."""
        self.wait(crew, shards)
        if crew[SEND]:
            if k == 0:
                parts[0] = parts[:shards].sum(axis=0)
                parts[1:] = 0
                _add_up(crew, parts)
            self.wait(crew, shards)


def _add_up(crew: Any, array: Array) -> None:
    """As a kernel asks for it: with a table that begins with the array's address."""
    if crew[SEND]:
        crew[SENT] += 1
        words = np.array([array.ctypes.data], np.int64)
        ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(int(crew[SEND]))(words.ctypes.data)


def _add_parts(first: Array, others: Array, k: int, shards: int) -> None:
    part = slice(_share(first.size, k, shards), _share(first.size, k + 1, shards))
    first[part] += others[:, part].sum(axis=0)


def _add_in_turn(first: Array, others: Array, k: int, shards: int, q: int, count: int) -> None:
    """Sums that wait for all others are added one by one."""
    own = others[k - 1] if k else first
    if count > 1:
        each = (len(others) + 1 - shards) // shards
        waiting = others[shards - 1 + k * each]
        waiting[...] = own if q == 0 else waiting + own
        own[...] = waiting


def _squares(g: Array, k: int, pieces: int) -> float:
    part = g[_share(g.size, k, pieces) : _share(g.size, k + 1, pieces)]
    return float(np.sum(part.astype(float) ** 2))


def _of_all(own: Array, first: int, batch: int) -> Array:
    """All rows of the batch, from a thread's own, which begin at row `first`."""
    if isinstance(own, _Member):
        assert own.ctypes.data == own.whole[first:].ctypes.data or not own.size
        all_rows: Array = own.whole[:batch]
        return all_rows
    memory, size = own.base, batch * own.shape[1] * own.itemsize
    assert memory is not None
    start = _APART + -(memory.ctypes.data + _APART) % _LINE  # as `room` lays them out
    rows: Array = memory[start : start + size].view(own.dtype).reshape(batch, own.shape[1])
    # (Of an array without elements NumPy does not say where it lies.)
    assert not own.size or own.ctypes.data == rows[first:].ctypes.data
    return rows


class _Member(np.ndarray):
    """A thread's own rows of an array of a stack; `whole` are those of all threads."""

    whole: Array


@dataclass
class _OwnRows:
    """A thread's own rows of the arrays of a stack."""

    stack: Array
    first: int
    n: int


def _at(stack: Array | _OwnRows, number: int) -> Array:
    assert number >= 0
    if not isinstance(stack, _OwnRows):
        found: Array = stack[number]
        return found
    member = stack.stack[number]
    own: _Member = member[stack.first : stack.first + stack.n].view(_Member)
    own.whole = member
    return own


Team = tuple[Any, int, int, int, int]


def _product(meeting: Meeting, turn_a: bool, turn_b: bool) -> Callable[..., None]:
    """A product: where threads do it together, each does its share of the columns, in all rows."""

    def dot(blas: Any, team: Team, a: Array, b: Array, out: Array) -> None:
        # The arrays come as BLAS will want them: rows one after the other.
        for array in (a, b, out):
            assert array.flags.c_contiguous
        assert not np.shares_memory(out, a)
        assert not np.shares_memory(out, b)
        crew, shard, shards, first, batch = team[:5]
        meeting.wait(crew, shards)
        shard = 0 if shards == 1 else shard  # one that computes alone still says who it is
        if shards > 1:
            a = _of_all(a, first, batch)
            b = _of_all(b, first, batch) if turn_a else b
            out = out if turn_a else _of_all(out, first, batch)
        n = out.shape[1]
        mine = slice(_share(n, shard, shards), _share(n, shard + 1, shards))
        out[:, mine] = ((a.T if turn_a else a) @ (b.T if turn_b else b))[:, mine]
        meeting.wait(crew, shards)

    return dot


def _affine(meeting: Meeting) -> Callable[..., None]:
    def affine(blas: Any, team: Team, a: Array, b: Array, bias: Array, out: Array) -> None:
        assert bias.shape == out.shape[1:]
        _product(meeting, False, False)(blas, team, a, b, out)
        out += bias

    return affine


def _abreast(turn_b: bool) -> Callable[..., None]:
    """A product whose rows lie abreast."""

    def dot(a: Array, b: Array, *rest: Any) -> None:
        *bias, out = rest
        out[...] = a @ (b.T if turn_b else b)
        if bias:
            out += bias[0]

    return dot


def _sums(team: Team, a: Array, b: Array, out: Array) -> None:
    out[...] = a.T @ b


def _add_sums(team: Team, a: Array, b: Array, out: Array) -> None:
    out += a.T @ b


def _unpacked(x: Any) -> Any:
    """Arguments as plain Python indexes them."""
    if isinstance(x, tuple):
        return tuple(map(_unpacked, x))
    return x.plain if isinstance(x, Sized) else x


def _share(n: int, k: int, shards: int) -> int:
    return n * k // shards


def _put(to: Array, new: Array) -> float:
    to[...] = new
    return float((np.asarray(new, float) * 0).sum())


def _add_shards(g: Array, others: Array, k: int, shards: int) -> float:
    part = slice(_share(g.size, k, shards), _share(g.size, k + 1, shards))
    for other in others:
        g[part] += other[part]
    return float(np.sum(g[part].astype(float) ** 2))


def _limited(checks: Array, shards: int, limits: Array) -> float:
    return _limited_alike(checks[:shards, 2], limits)


def _limited_alike(squares: Array, limits: Array) -> float:
    norm, scale = math.sqrt(float(squares.sum())), 1.0
    for limit in limits:
        if limit > 0 and norm * scale > limit:
            scale = limit / norm
    return scale


def _shaped(array: Array, shape: tuple[int, ...]) -> Array:
    if (
        shape[:1] == array.shape[:1] and math.prod(shape) == array.size
    ):  # of rows that lie side by side, too
        found = array.reshape(shape)
        if isinstance(found, _Member) and isinstance(array, _Member):
            found.whole = array.whole.reshape(-1, *shape[1:])
        return found
    assert array.flags.c_contiguous
    return array.reshape(-1)[: math.prod(shape)].reshape(shape)


def _gather(a: Array, rows: Array, out: Array) -> None:
    out[...] = a[rows]


def _cell(row: int, column: int) -> np.uint64:
    at = np.uint64(row + 1) << np.uint64(32) | np.uint64(column)
    return np.uint64(at * np.uint64(0x9E3779B97F4A7C15))


def _same(function: Any) -> Any:
    return function


def _where(condition: Any, a: Any, b: Any) -> Any:
    assert type(a) is type(b), (a, b)  # else the compiled text would mix their dtypes
    return a if condition else b


def stand_ins(meeting: Meeting) -> dict[str, Any]:
    """By name, what `kernels` and `elementary` have for generated text."""
    return {
        "kernel": _same,
        "without_subnormals": _same,
        "wait": meeting.wait,
        "together": meeting.together,
        "together_number": meeting.together_number,
        "affine": _affine(meeting),
        "dot": _product(meeting, False, False),
        "dot_t": _product(meeting, True, False),
        "dot_by_t": _product(meeting, False, True),
        "dot_t_by_t": _product(meeting, True, True),
        "affine_in_parts": _affine(meeting),
        "dot_in_parts": _product(meeting, False, False),
        "dot_t_in_parts": _product(meeting, True, False),
        "dot_by_t_in_parts": _product(meeting, False, True),
        "add_dot_t_abreast": _add_sums,
        "affine_abreast": _abreast(False),
        "dot_abreast": _abreast(False),
        "dot_t_abreast": _sums,
        "dot_by_t_abreast": _abreast(True),
        "gather_abreast": _gather,
        "abreast": range,
        "share": _share,
        "put": _put,
        "add_shards": _add_shards,
        "limited": _limited,
        "limited_alike": _limited_alike,
        "squares": _squares,
        "add_in_pairs": _add_parts,
        "add_in_turn": _add_in_turn,
        "add_up": _add_up,
        "loss_of_all": lambda checks, shards, like: float(checks[:shards, 0].sum()),
        "at": _at,
        "own_rows": _OwnRows,
        "shaped": _shaped,
        "cell": _cell,
        "where": _where,
        **{
            name: getattr(np, name)
            for name in (
                "exp", "log", "log1p", "tanh", "sqrt", "sin", "cos", "sign", "square", "maximum",
                "minimum", "isfinite", "exp2", "expm1", "log2", "log10", "cbrt", "tan", "arcsin", "arccos",
                "arctan", "arctan2", "sinh", "cosh", "arcsinh", "arccosh", "arctanh", "floor", "ceil",
                "trunc", "rint", "remainder",
            )
        },
    }  # fmt: skip


def load(source: str) -> types.SimpleNamespace:
    """The functions of a generated text, as plain Python."""
    meeting = Meeting()
    served = stand_ins(meeting)

    def importing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith(("chainrule.engine.compiled", "chainrule.engine.compiler")):
            return types.SimpleNamespace(**served)
        return builtins.__import__(name, *args, **kwargs)

    module: dict[str, Any] = {"__builtins__": {**vars(builtins), "__import__": importing}}
    exec(compile(source, "<generated>", "exec"), module)

    def quietly(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(**given: Any) -> Any:
            try:
                with ignore_fp_errors():  # for this thread
                    return function(**given)
            except BaseException:
                meeting.leave()
                raise

        return run

    return types.SimpleNamespace(
        **{k: quietly(module[k]) for k in ("train", "predict") if k in module}
    )


class _NoBlas:
    def address(self, dtype: Any) -> int:
        return 0

    def alone(self) -> contextlib.nullcontext[None]:
        return contextlib.nullcontext()


class _Plain:
    """A kernel that is called as it stands."""

    def __init__(self, function: Callable[..., int]) -> None:
        self.function = function

    def call(self, given: dict[str, Any]) -> _PlainCall:
        return _PlainCall(self.function, given)


class _PlainCall:
    def __init__(self, function: Callable[..., int], given: dict[str, Any]) -> None:
        self.function = function
        self.given = {name: _unpacked(x) for name, x in given.items()}

    def change(self, **given: Any) -> None:
        assert set(given) <= set(self.given)
        self.given.update({name: _unpacked(x) for name, x in given.items()})

    def forget(self, *names: str) -> None:
        for name in names:
            self.given[name] = None

    def bare(self) -> _PlainCall:
        return self

    def __call__(self) -> int:
        return self.function(**self.given)


def _kernel(source: str, name: str, *_: Any, **known: int) -> _Plain:
    return _Plain(getattr(load(source), name))


@contextlib.contextmanager
def plainly(shards: int = 1) -> Iterator[None]:
    """Inside, generated kernels are plain Python, and run in so many shards where they can."""
    with pytest.MonkeyPatch.context() as patch, compiling(shards):
        for module in (step, predict):
            patch.setattr(module, "kernel", _kernel)
            patch.setattr(module, "blas", _NoBlas)
            patch.setattr(module, "products", lambda *_, **__: NO_PRODUCTS)
        yield


@contextlib.contextmanager
def really(way: int = 1) -> Iterator[None]:
    """Inside, generated kernels are plain Python with what they import as it is, in one thread."""

    def kernel(source: str, name: str, *_: Any, **known: int) -> _Plain:
        module: dict[str, Any] = {}
        exec(compile(source, "<generated>", "exec"), module)

        def run(**given: Any) -> int:
            with ignore_fp_errors():
                found: int = module[name](**given)
            return found

        return _Plain(run)

    with pytest.MonkeyPatch.context() as patch, compiling(way):
        for module in (step, predict):
            patch.setattr(module, "kernel", kernel)
            patch.setattr(module, "blas", _NoBlas)
            patch.setattr(module, "products", lambda *_, **__: NO_PRODUCTS)
        yield


def threads_of(way: int) -> int:
    """The threads of a way: its number, or those of a form."""
    return 3 if way in (ABREAST_SHARED, BLOCKS_SHARED) else max(way, 1)


@contextlib.contextmanager
def compiling(shards: int = 1) -> Iterator[None]:
    """Inside, steps are cut into so many shards where they can be, or go as ABREAST or BLOCKS say."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (step, predict):
            patch.setattr(module, "shards_for", lambda *_: threads_of(shards))
        patch.setattr(CompiledStep, "_is_small", lambda _: shards <= 0)
        patch.setattr(step, "BLOCK", 3 if shards in (BLOCKS, BLOCKS_SHARED) else 10**6)
        yield


# -- comparing --------------------------------------------------------------------------------------

Data = tuple[Array, Array, Array | None]


@dataclass
class Outcome:
    """A compiled step that agreed: its text, and how many shards it took."""

    source: str
    shards: int
    mixed: str | None


def scale_of(network: Network, data: Data) -> float:
    """The largest number that a step goes through forwards."""
    names = ("x", "t", "w")
    given = [(n, a) for n, a in zip(names, data, strict=True) if a is not None]
    with training_mode(True), ignore_fp_errors():
        graph = StepRecording(network._record_loss, given).graph
    largest = 1.0
    for node in graph.nodes:
        for v in (*node.inputs, *node.outputs):
            if v.dtype.kind == "f" and v.data.size:
                largest = max(largest, float(np.abs(v.data).max()))
    return largest


def close(what: str, ours: Any, theirs: Any, scale: float, dtype: Any, slack: float = 1.0) -> None:
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape, what
    largest = max([scale, *np.abs(theirs[np.isfinite(theirs)]).ravel()])
    limit = slack * TOLERANCE[np.dtype(dtype).name] * largest
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with ignore_fp_errors():
        worst = np.max(np.where(same, 0.0, np.abs(ours - theirs)), initial=0.0)
    assert worst <= limit, f"{what}: {worst:.3g} apart, {limit:.3g} allowed\n{ours}\n{theirs}"


def agree(
    make: Callable[[], Network],
    x: Any,
    t: Any,
    w: Any = None,
    *,
    batch: int | None = None,
    optimizer: Callable[[], Optimizer] = lambda: SGD(0.1),
    steps: int = 2,
    slack: float = 1.0,
    max_grad: float | None = None,
) -> Outcome:
    """Both engines take these steps: losses, gradients, buffers and parameters are alike."""
    ours, theirs = make(), make()
    data = theirs._prepare(x, t, w)
    named: Sequence[tuple[str, Array]] = [
        (n, a) for n, a in zip(("x", "t", "w"), data, strict=True) if a is not None
    ]
    ours._flatten_parameters(), theirs._flatten_parameters()
    n = len(data[0])
    batch = batch or n
    order = np.random.default_rng(n).permutation(n).astype(np.intp)
    starts = np.append(np.arange(0, n, batch), n)
    moves, moves_too = optimizer(), optimizer()
    compiled = CompiledStep(ours, moves, named, min(batch, n), threads=8, max_grad=max_grad)
    reference = RecordedStep(theirs, *data)
    dtype = theirs.dtype
    with contextlib.ExitStack():
        for i in range(min(steps, len(starts) - 1)):
            part = starts[i : i + 2] if i + 1 < steps else starts[-2:]
            rows = order[part[0] : part[1]]
            scale = scale_of(theirs, tuple(None if a is None else a[rows] for a in data))  # type: ignore[arg-type]
            with ignore_fp_errors():
                loss = reference.run(rows)
                losses = compiled.run(rows, np.array([0, len(rows)]), compiled.rates(1))
            close(
                "loss", losses[0] if len(losses) else compiled.bad_loss, loss, scale, dtype, slack
            )
            grads = dict(zip(theirs.named_parameters(), theirs.grads, strict=False))
            for name, g, h in zip(grads, ours.grads, theirs.grads, strict=True):
                close(f"gradient of {name}", g, h, scale, dtype, slack)
                scale = max(scale, float(np.abs(h).max()))
            with ignore_fp_errors():
                moves_too.update(*reference.segments())
            if len(losses):
                for name, p in ours.named_parameters().items():
                    close(name, p.data, theirs.named_parameters()[name].data, scale, dtype, slack)
                for name, b in ours.named_buffers().items():
                    close(name, b, theirs.named_buffers()[name], scale, dtype, slack)
    return Outcome(compiled.text.source, compiled.shards, compiled.text.mixed)


def agree_in_use(make: Callable[[], Network], x: Any, *, slack: float = 1.0) -> str:
    """Both engines predict alike; gives the compiled text."""
    ours, theirs = make(), make()
    x = ours._as_input(x)
    ours._flatten_parameters(), theirs._flatten_parameters()
    with ignore_fp_errors():
        wanted = theirs.predict(x)
        scale = max([1.0, *(float(np.abs(a).max()) for a in theirs.activations(x).values())])
        compiled = CompiledPredict(ours, x)
        close("prediction", compiled(x), wanted, scale, wanted.dtype, slack)
        close("one row", compiled(x[:1]), theirs.predict(x[:1]), scale, wanted.dtype, slack)
    return compiled.text.source
