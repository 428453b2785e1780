"""NumPy's functions of Variables mean what NumPy means, over NumPy's own signatures; or are refused."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.graph.numpy_calls import ROWS, Call, Draw, Moving, draw_call

import chainrule as cr
from chainrule.errors import ChainruleError, RecordingError, SettingError
from chainrule.graph.functions import numpy_calls
from chainrule.graph.variable import FUNCTIONS, UFUNCS
from chainrule.nodes import linear_algebra as primitives
from chainrule.nodes.base import ignore_fp_errors
from chainrule.nodes.indexing import add_at, chosen, replaced

Array = npt.NDArray[Any]

#: NumPy's functions that a Variable answers, but for those that only our own nodes call.
OURS = (add_at, chosen, replaced, primitives.solve, primitives.inv)
NUMPYS = [f for f in (*UFUNCS, *FUNCTIONS) if f not in OURS]
#: The last step of central differences, and how far from them a gradient may be.
H, FAR = 1e-6, 2e-5


def name(function: Any) -> str:
    return str(function.__name__)


def test_every_function_that_is_answered_is_drawn() -> None:
    assert {name(f) for f in NUMPYS} == {name(f) for f in ROWS}


@pytest.mark.parametrize("function", NUMPYS, ids=name)
def test_a_call_means_what_numpy_means(function: Any) -> None:
    rng = np.random.default_rng([ord(c) for c in name(function)])
    refused = 0
    for _ in range(24):
        refused += not agrees(draw_call(function, Draw(rng)))
    assert refused <= 12


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(20))
def test_calls_at_length(chunk: int) -> None:
    rng = np.random.default_rng([7, chunk])
    for _ in range(4):
        for function in NUMPYS:
            agrees(draw_call(function, Draw(rng)))


def agrees(call: Call) -> bool:
    """Whether a call was not refused; then it gives NumPy's values and their slopes."""
    with ignore_fp_errors():
        try:
            right = call.run(lambda m: m.array)
        except (TypeError, ValueError, IndexError):
            right = None  # no call of NumPy's
        made: dict[int, cr.Variable] = {}

        def variable(m: Moving) -> cr.Variable:
            return made.setdefault(id(m), cr.Variable(m.array.copy()))

        try:
            found = call.run(variable)
        except ChainruleError:
            return False
        except (TypeError, ValueError, IndexError):
            assert right is None, str(call)
            return True
    if right is None:
        assert call.function is np.clip, f"{call} is no call of NumPy's"
        return True
    ours, numpys = parts(found), parts(right)
    assert len(ours) == len(numpys), str(call)
    for a, b in zip(ours, numpys, strict=True):
        if not isinstance(b, np.ndarray | np.generic):
            assert a == b, str(call)
            continue
        got = np.asarray(data(a))
        assert (got.shape, got.dtype) == (np.shape(b), b.dtype), str(call)
        np.testing.assert_allclose(got, np.asarray(b), rtol=1e-12, atol=1e-13, err_msg=str(call))
    if all(m.array.dtype.kind == "f" for m in call.moving()):
        slopes_agree(str(call), call.run, [(made[id(m)], m) for m in call.moving()], ours)
    return True


#: Dtypes of arrays, beside float64.
DTYPES = ("bool", "int64", "int32", "uint8", "float32")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", NUMPYS, ids=name)
def test_other_dtypes_have_numpys_dtypes_and_values(function: Any, dtype: str) -> None:
    rng = np.random.default_rng([ord(c) for c in name(function) + dtype])
    for _ in range(4):
        call = draw_call(function, Draw(rng)).of_dtype(np.dtype(dtype))
        with ignore_fp_errors():
            try:
                right = call.run(lambda m: m.array)
            except (TypeError, ValueError, IndexError, OverflowError):
                continue  # no call of NumPy's
            try:
                found = call.run(lambda m: cr.Variable(m.array.copy()))
            except ChainruleError:
                continue
        for a, b in zip(parts(found), parts(right), strict=True):
            if not isinstance(b, np.ndarray | np.generic):
                assert a == b, str(call)
                continue
            got, wanted = np.asarray(data(a)), np.asarray(b)
            half = wanted.dtype == np.float16  # which Variables do not hold
            assert got.dtype == (np.float32 if half else wanted.dtype), str(call)
            near = 1e-3 if half else 2e-5 if wanted.dtype == np.float32 else 1e-12
            np.testing.assert_allclose(got, wanted, near, near, err_msg=str(call))


def parts(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def data(value: Any) -> Any:
    return value.data if isinstance(value, cr.Variable) else value


def slopes_agree(
    what: str,
    run: Callable[[Callable[[Moving], Any]], Any],
    moving: list[tuple[cr.Variable, Moving]],
    found: list[Any],
) -> None:
    """The chain rule against central differences of NumPy's own function."""
    rng = np.random.default_rng(0)
    smooth = [isinstance(v, cr.Variable) and v.requires_grad for v in found]
    weights = [rng.standard_normal(np.shape(data(v))) for v in found]
    total: Any = sum(
        (cr.sum(v * u) for v, u, s in zip(found, weights, smooth, strict=True) if s), start=0
    )
    grads = total.graph.gradients() if any(smooth) else {}

    def value(place: Moving, array: Array) -> float:
        out = parts(run(lambda m: array if m is place else m.array))
        reals = [np.asarray(o, float) for o in out if np.asarray(o).dtype.kind in "fiub"]
        return float(sum(np.sum(o * u) for o, u in zip(reals, weights, strict=False)))

    with ignore_fp_errors():
        for v, m in moving:
            way = rng.standard_normal(m.array.shape)
            slope = (value(m, m.array + H * way) - value(m, m.array - H * way)) / (2 * H)
            ours = float(np.sum(np.asarray(grads.get(v, np.zeros(v.shape))) * way))
            assert ours == pytest.approx(slope, rel=FAR, abs=FAR), what


@pytest.mark.parametrize(
    "function",
    [
        np.add,
        np.subtract,
        np.multiply,
        np.divide,
        np.power,
        np.hypot,
        np.arctan2,
        np.logaddexp,
        np.logaddexp2,
    ],
    ids=name,
)
def test_smooth_functions_at_equal_arguments(function: Any) -> None:
    """Random numbers never meet, and where two are one a rule made of choices may show its seams."""
    at = np.array([0.75, 1.0, 2.5])

    def both(x: Any, y: Any) -> Any:
        return cr.sum(function(x, y) * np.array([1.0, -2.0, 0.5]))

    for f in (
        lambda x: both(x, at),
        lambda x: both(at, x),
        lambda x: both(x, x),
        lambda x: both(x, 1.0),
    ):
        report = cr.check(f, at, elements=True, second_order=True)
        assert report, str(report)


# -- programs -------------------------------------------------------------------------------------------

SMOOTH = [
    f
    for f in NUMPYS
    if f not in (np.argsort, np.nonzero, np.argwhere, np.flatnonzero)
    and name(f) not in ("allclose", "isclose", "array_equal", "result_type", "shape", "ndim", "size",
                        "array_repr", "array_str", "array2string", "iscomplexobj", "isrealobj",
                        "bitwise_and", "bitwise_or", "bitwise_xor", "invert")
]  # fmt: skip


class Program:
    """Calls one after the other: a little of what came before is added to each array of the next."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 3])
        self.first = rng.uniform(-1, 1, 5)
        self.calls: list[Call] = []
        while len(self.calls) < 6:
            call = draw_call(SMOOTH[int(rng.integers(len(SMOOTH)))], Draw(rng))
            if self.takes(call):
                self.calls.append(call)

    def takes(self, call: Call) -> bool:
        """Whether the call is one of NumPy's, and one that Variables do not refuse."""
        try:
            call.run(lambda m: m.array)
            call.run(lambda m: cr.Variable(m.array))
        except (ChainruleError, TypeError, ValueError, IndexError):
            return False
        return True

    def run(self, x: Any) -> Any:
        total: Any = 0.0
        for call in self.calls:
            wave = 1e-3 * np.sin(x)

            def mixed(m: Moving, wave: Any = wave) -> Any:
                places = np.arange(m.array.size).reshape(m.array.shape) % 5
                return m.array + np.take(wave, places)

            out = [o for o in parts(call.run(mixed)) if np.size(o)]
            if out:
                mean = sum((np.mean(o * 1.0) for o in out), start=0.0)
                x = x + 0.1 * np.tanh(mean)
                total = total + np.sum(np.cos(x))
        return total

    def __str__(self) -> str:
        return "; ".join(map(str, self.calls))


@pytest.mark.parametrize(
    "chunk", [*range(3), *(pytest.param(k, marks=pytest.mark.long) for k in range(3, 8))]
)
def test_random_programs_of_numpy_calls(chunk: int) -> None:
    for seed in range(50 * chunk, 50 * chunk + 50):
        program = Program(seed)
        with ignore_fp_errors():
            assert float(cr.grad(program.run)(program.first).sum()) == pytest.approx(
                (float(program.run(program.first + H)) - float(program.run(program.first - H)))
                / (2 * H),
                rel=FAR,
                abs=FAR,
            ), str(program)
            value, _ = cr.value_and_grad(program.run)(program.first)
            assert value == pytest.approx(float(program.run(program.first)), rel=1e-12), str(
                program
            )
        assert cr.check(program.run, program.first, directions=2), str(program)


# -- methods, and refusals ------------------------------------------------------------------------------


def test_every_method_of_an_array_is_the_same_or_says_what_to_write() -> None:
    a = np.arange(6.0).reshape(2, 3) + 0.5
    calls: dict[str, tuple[Any, ...]] = {
        "astype": (np.float32,), "clip": (1, 4), "dot": (np.ones((3, 2)),), "item": (1,),
        "repeat": (2,), "reshape": (3, 2), "swapaxes": (0, 1), "take": ([0, 5],), "transpose": (1, 0),
        "round": (0,),
    }  # fmt: skip
    for method in dir(np.ndarray):
        if method.startswith("_"):
            continue
        v = cr.Variable(a.copy())
        if not hasattr(v, method):
            with pytest.raises(AttributeError, match=f"attribute '{method}'.*"):
                getattr(v, method)
            continue
        ours, numpys = getattr(v, method), getattr(a, method)
        if callable(numpys):
            ours, numpys = ours(*calls.get(method, ())), numpys(*calls.get(method, ()))
        if method == "flat":
            numpys = a.ravel()
        for got, right in zip(parts(ours), parts(numpys), strict=True):
            np.testing.assert_array_equal(data(got), right, err_msg=method)


def test_methods_take_numpys_arguments() -> None:
    a: Any = np.arange(24.0).reshape(2, 3, 4)
    v = cr.Variable(a)
    assert np.array_equal(v.sum(1, float, None, True).data, a.sum(1, float, None, True))
    assert np.array_equal(v.reshape([4, 6]).data, a.reshape([4, 6]))
    assert np.array_equal(v.reshape(4, -1, order="F").data, a.reshape(4, -1, order="F"))
    assert np.array_equal(v.transpose((2, 0, 1)).data, a.transpose((2, 0, 1)))
    assert v.argmax() == a.argmax()
    assert np.array_equal(v.std(axis=(0, 2), ddof=1).data, a.std(axis=(0, 2), ddof=1))
    with pytest.raises(SettingError, match=r"got dtype=True, which is no dtype.*keepdims=True"):
        v.sum(1, True)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda v: functools.partial(np.sum, v)(**{"axes": 0}), "axes"),
        (lambda v: np.clip(v, 0, 1, out=np.zeros(3)), "does not take out="),
        (lambda v: np.fft.fft(v), "np.fft.fft is not known"),
        (lambda v: np.linalg.svd(v), "x.data"),
        (lambda v: np.add.at(v, [0], 1), "add.at is not known"),
        (lambda v: np.bitwise_and(v, 1), "truth values"),
        (lambda v: np.sort(v, order="f"), "does not take order"),
        (lambda v: np.add(v, 1, out=np.zeros(3)), "does not take out"),
        (lambda v: np.mean(v, where=np.ones(3, bool)), "does not take where="),
        (lambda v: v.var(where=np.ones(3, bool)), "does not take where="),
        (lambda v: np.add(v, 1, where=np.ones(3, bool)), "does not take where"),
    ],
)
def test_what_is_not_known_says_so(call: Any, said: str) -> None:
    with pytest.raises((RecordingError, TypeError), match=said):
        call(cr.Variable(np.ones(3)))


def test_signatures_of_older_numpys_are_the_same() -> None:
    """What stands in for a signature that NumPy does not tell has its names, in its order."""
    from chainrule.graph.functions.numpy_calls import _TEXTS, _signature_of

    for function, text in _TEXTS.items():
        try:
            told = inspect.signature(function)
        except ValueError:
            continue
        assert list(_signature_of(text).parameters) == list(told.parameters)


@pytest.mark.parametrize("function", numpy_calls._TEXTS, ids=lambda f: f.__name__)
def test_signatures_that_old_versions_of_numpy_lack_are_numpys(function: Any) -> None:
    ours = numpy_calls._signature_of(numpy_calls._TEXTS[function])
    try:
        theirs = inspect.signature(function)
    except ValueError:  # NumPy before 2.4
        theirs = ours
    assert str(ours) == str(theirs)
