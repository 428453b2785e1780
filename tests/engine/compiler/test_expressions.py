"""Every operator and function between every two kinds of numbers, as NumPy's scalars have it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engine.compiler.language import HEAD, as_written_only, bits, compiled, refused

DTYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
]  # fmt: skip
#: Kinds of operands: dtypes, Python's numbers that are computed, and such that the text says.
WEAK = ["int", "float"]
SAID = [
    "0", "1", "2", "-3", "5", "300", "70000", "-1", "18446744073709551615", "True", "2.5", "2.0", "0.1",
    "1e300",
]  # fmt: skip
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "<<", ">>", "|", "&", "^"]
COMPARISONS = ["==", "!=", "<", "<=", ">", ">="]


def samples(kind: str) -> list[Any]:
    """Numbers of a kind, among them all that are on some edge."""
    if kind == "int":
        return [*range(-4, 9)]
    if kind == "float":
        return [float(x) for x in samples("float64")]
    if kind not in DTYPES:
        return [{"True": True}.get(kind) or (float(kind) if set(kind) & {".", "e"} else int(kind))]
    dtype = np.dtype(kind)
    if dtype.kind == "b":
        return [np.False_, np.True_]
    if dtype.kind == "f":
        some = [0.0, -0.0, 1, -1, 0.5, 2.5, -7.25, 3e9, -1e-30, np.inf, -np.inf, np.nan, 2**53 + 2]
        some += [2.0**63, 1e19]
        return [dtype.type(x) for x in some]
    info = np.iinfo(dtype)
    some = [0, 1, 2, 3, 7, 8, -1, -2, -7, info.min, info.max, info.max // 2 + 1, info.min + 1]
    return [dtype.type(x) for x in sorted(set(some)) if info.min <= x <= info.max]


def read(name: str, kind: str, array: str, at: str) -> tuple[str, str]:
    """The line that gives an operand, and the array that it is read from ("" for none)."""
    if kind == "int":
        return f"{name} = {at} - 4", ""
    if kind == "float":
        return f"{name} = float({array}[{at}])", "float64"
    return (f"{name} = {array}[{at}]", kind) if kind in DTYPES else ("pass", "")


def answer(function: Callable[..., Any], *given: Any) -> Any:
    """What Python says: a number, or the exception."""
    with np.errstate(all="ignore"):
        try:
            return function(*given)
        except Exception as error:
            return error


def python(expression: str) -> Callable[..., Any]:
    names: dict[str, Any] = {}
    exec(f"{HEAD}\ndef f(a, b):\n    return {expression}\n", names)
    found: Callable[..., Any] = names["f"]
    return found


def text(lines: list[str], expressions: dict[int, str]) -> str:
    """A text that notes these expressions for all operands."""
    notes = [f"            note(words, i * m + j, {k}, {e})" for k, e in expressions.items()]
    return "\n".join([
        HEAD, "def f(x, y, n, m, words):", "    for i in range(n):", "        for j in range(m):",
        *(f"            {line}" for line in lines), *notes, "    return 0", "",
    ])  # fmt: skip


def name_of(x: Any) -> str:
    return {"bool_": "bool"}.get(type(x).__name__, type(x).__name__)


def compare(
    left: str, right: str, expressions: list[str], may_refuse: Callable[[str], bool],
    within: Callable[[str, Any, Any], int | None] = lambda e, a, b: 0,
) -> None:  # fmt: skip
    """All expressions in a and b of these kinds: the same numbers, of the same kinds.

    What Python refuses is refused. `within` gives how many ulp the numbers may part; None where neither
    language nor NumPy says what comes out.
    """
    (one, from_x), (other, from_y) = read("a", left, "x", "i"), read("b", right, "y", "j")
    a, b = samples(left), samples(right)
    x, y = np.array(a, from_x or "float64"), np.array(b, from_y or "float64")
    if left not in DTYPES + WEAK:
        replace = [re.sub(r"\ba\b", f"({left})", e) for e in expressions]
    else:
        replace = expressions
    if right not in DTYPES + WEAK:
        replace = [re.sub(r"\bb\b", f"({right})", e) for e in replace]
    names, expressions = dict(zip(replace, expressions, strict=True)), replace
    given = {"x": x, "y": y, "n": len(a), "m": len(b), "words": np.zeros((1, 1), np.uint64)}
    wanted: dict[int, list[Any]] = {}
    for k, e in enumerate(expressions):
        f = python(e)
        answers = [answer(f, p, q) for p, q in itertools.product(a, b)]
        always = all(isinstance(w, Exception) for w in answers)
        why = refused(text([one, other], {k: e}), "f", given)
        if why is not None:
            assert always or may_refuse(names[e]), f"{e} of {left}, {right}: {why}"
            continue
        assert not always or not isinstance(answers[0], TypeError), f"{e} of {left}, {right}"
        wanted[k] = answers
    given["words"] = np.zeros((len(a) * len(b), len(expressions)), np.uint64)
    with as_written_only():
        run = compiled(text([one, other], {k: expressions[k] for k in wanted}), "f", given)
    for k, answers in wanted.items():
        e = expressions[k]
        for (p, q), want, got in zip(
            itertools.product(a, b), answers, run.given["words"][:, k], strict=True
        ):
            slack = within(names[e], p, q)
            if isinstance(want, Exception | complex) or slack is None:
                continue
            said = f"{e} of {p!r}, {q!r}: {want!r}, {run.kinds[k]} {got:#x}"
            assert run.kinds[k] == name_of(want), said
            if isinstance(want, int) and not -(2**63) <= want < 2**64:
                continue  # Python goes on counting
            if isinstance(want, float | np.floating) and want != want:
                kind = np.float32 if isinstance(want, np.float32) else np.float64
                whole = np.uint32 if kind is np.float32 else np.uint64
                assert np.isnan(np.array(got, np.uint64).astype(whole).view(kind)), said
            elif slack:
                assert abs(int(got) - int(bits(want))) <= slack, said
            else:
                assert got == bits(want), said


KINDS = [*DTYPES, *WEAK, *SAID]
#: Every operand beside every other takes a minute; by default each is beside a tenth of the others.
some = pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.long)])


def beside(left: str, whole: bool, others: Sequence[str] = KINDS) -> list[str]:
    """The right operands for a left one."""
    found = []
    for i, right in enumerate(others):
        chosen = whole or left == right or (KINDS.index(left) + 3 * i) % 10 == 0
        if chosen and not (left in SAID and right in SAID):
            found.append(right)
    return found


def real(kind: str) -> bool:
    return "float" in kind or bool(set(kind) & {".", "e"} and kind != "True")


def boolean(kind: str) -> bool:
    return kind in ("bool", "True")


def kind_of(kind: str) -> Any:
    """As `result_type` takes it."""
    return np.dtype(kind) if kind in DTYPES else 1.0 if real(kind) else 1


def weak(kind: str) -> bool:
    return kind not in DTYPES


@some
@pytest.mark.parametrize("left", KINDS)
def test_operators(left: str, whole: bool) -> None:
    for right in beside(left, whole):

        def may_refuse(e: str, right: str = right) -> bool:
            pair = (left, right)
            fraction = any(map(real, pair)) or np.result_type(*map(kind_of, pair)).kind == "f"
            if any(f" {op} " in e for op in ("//", "%")) and fraction:
                return True
            if " ** " in e and not any(map(real, pair)):
                return True
            if any(map(boolean, pair)) and (any(map(weak, pair)) or all(map(boolean, pair))):
                return True  # Python counts with them
            # A number that is said and does not fit is refused, which Python does where it is used.
            return any(k in ("18446744073709551615",) for k in pair) and any(map(weak, pair))

        def within(e: str, a: Any, b: Any) -> int | None:
            if " ** " in e:
                return 2
            if any(f" {op} " in e for op in ("<<", ">>")) and isinstance(b, int) and b < 0:
                return None
            return 0

        compare(left, right, [f"a {op} b" for op in OPERATORS], may_refuse, within)


@some
@pytest.mark.parametrize("left", KINDS)
def test_comparisons(left: str, whole: bool) -> None:
    def may_refuse(e: str) -> bool:
        return False

    for right in beside(left, whole):
        compare(left, right, [f"a {op} b" for op in COMPARISONS], may_refuse)


# -- of one number ------------------------------------------------------------------------------------

UNARY = [
    "-a", "+a", "~a", "not a", "abs(a)", "a if a else a", "a != a", "float(a)", "square(a)", "maximum(a, a)",
    "a and a", "a or a", "not not a", "-(-a)", "a ** 2", "a ** 2.0",
]  # fmt: skip
FUNCTIONS = {
    "sign": 0,
    "isfinite": 0, "sqrt": 0, "floor": 0, "ceil": 0, "trunc": 0, "rint": 0, "sin": 4, "cos": 4,
    "exp2": 2, "log2": 2, "log10": 2, "expm1": 2, "cbrt": 2, "tan": 4, "arcsin": 4, "arccos": 4, "arctan": 4,
    "sinh": 4, "cosh": 4, "arcsinh": 4, "arccosh": 4, "arctanh": 4,
}  # fmt: skip


def finite(kind: Any, x: Any) -> bool:
    """Whether a whole number's dtype holds a number with a fraction, or nearly."""
    whole = np.trunc(np.float64(x))
    wraps = (
        -(2.0**31) < whole < 2.0**31
    )  # what C's conversions do of a negative one, or a large one
    info = np.iinfo(kind)
    return bool(wraps or float(info.min) <= whole < float(info.max))


@pytest.mark.parametrize("kind", [*DTYPES, *WEAK])
def test_of_one_number(kind: str) -> None:
    def may_refuse(e: str) -> bool:
        if kind == "bool":
            return e not in (
                "not a",
                "a if a else a",
                "a != a",
                "float(a)",
                "a and a",
                "not not a",
                "a or a",
            )
        return "and" in e or " or " in e or (e == "a ** 2.0" and kind == "int")

    compare(kind, "0", UNARY, may_refuse)


@pytest.mark.parametrize("kind", [*DTYPES, *WEAK])
def test_functions_of_one_number(kind: str) -> None:
    def may_refuse(e: str) -> bool:
        return kind in ("bool", "int8", "uint8")  # which have a float16 for it

    def within(e: str, a: Any, b: Any) -> int | None:
        name = e.partition("(")[0]
        with np.errstate(all="ignore"):
            large = name in ("sin", "cos", "tan") and abs(float(a)) > 1e6
        return None if large else FUNCTIONS[name]

    compare(
        kind,
        "0",
        [f"{name}(a)" for name in FUNCTIONS if name != "sign"] + ["sign(a) + 0"],
        may_refuse,
        within,
    )


@pytest.mark.parametrize("kind", [*DTYPES, *WEAK, "2", "-3", "2.5", "-1.5", "300", "True", "1e300"])
def test_conversions(kind: str) -> None:
    def within(e: str, a: Any, b: Any) -> int | None:
        to = e.partition("(")[0].rstrip("_")
        if "float" in to or to == "bool" or isinstance(a, int | np.integer | np.bool_):
            return 0
        return 0 if finite(to, a) else None

    names = [f"{name}_" if name == "bool" else name for name in DTYPES]
    compare(kind, "0", [f"{name}(a)" for name in names], lambda e: False, within)


@pytest.mark.parametrize("kind", [*DTYPES, *WEAK])
def test_views(kind: str) -> None:
    def may_refuse(e: str) -> bool:
        return kind == "bool" or "bool" in e

    names = [f"{name}_" if name == "bool" else name for name in DTYPES]
    size = 0 if kind in WEAK else np.dtype(kind).itemsize
    names = [name for name in names if np.dtype(name.rstrip("_")).itemsize == size or not size]
    compare(kind, "0", [f"a.view({name})" for name in names], may_refuse)


# -- functions of two numbers -------------------------------------------------------------------------

BINARY = {"remainder(a, b)": 0, "arctan2(a, b)": 4, "maximum(a, b)": 0, "minimum(a, b)": 0, "min(a, b)": 0,
          "max(a, b)": 0, "where(a > b, a, b)": 0, "a if a < b else b": 0, "a and b": 0, "a or b": 0,
          "a > 0 and b > 0": 0, "a > 0 or not b": 0}  # fmt: skip


@some
@pytest.mark.parametrize("left", [*DTYPES, *WEAK, "2", "2.5"])
def test_functions_of_two_numbers(left: str, whole: bool) -> None:
    for right in beside(left, whole, [*DTYPES, *WEAK, "3", "-1.5"]):
        alike = (
            left == right
            or {left, right} <= {"int", "2", "3"}
            or {left, right} <= {"float", "2.5", "-1.5"}
        )

        def may_refuse(e: str, right: str = right, alike: bool = alike) -> bool:
            pair = (left, right)
            if e in ("a and b", "a or b"):
                return pair != ("bool", "bool")
            if e.startswith(("min(", "max(")):
                return not alike or any(map(real, pair))
            if e.startswith("arctan2"):  # whose result is a float16
                return not any(real(k) or "6" in k or "2" in k[1:] for k in pair)
            if e.startswith("remainder"):
                return any(map(boolean, pair))
            return not alike and not e.startswith("a > 0")

        def within(e: str, a: Any, b: Any) -> int | None:
            if e.startswith("remainder") and (
                b == 0 or (isinstance(a, int) and isinstance(b, int))
            ):
                return None
            return BINARY[e]

        compare(left, right, list(BINARY), may_refuse, within)
