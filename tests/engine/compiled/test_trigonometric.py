"""sin and cos in compiled code: digits for numbers of every size, special values, vectors."""

from __future__ import annotations

import platform
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("llvmlite")

from tests.engine.compiled.compiling import FIRST, ir_of, run

from chainrule.engine.compiled import trigonometric

Array = npt.NDArray[Any]

each_function = pytest.mark.parametrize("name", ["sin", "cos"])
INF, NAN = np.inf, np.nan


LOOP = "for j in range(x.shape[0]):\n        out[j] = {}(x[j])"
OF_VECTORS = """for j in range(0, x.shape[0], lanes(x)):
        put_some({}(some(x, x.shape[0] - j, j)), out, x.shape[0] - j, j)"""


def text(name: str, loop: str = LOOP) -> str:
    """A loop of the function over an array."""
    return f"""from chainrule.engine.compiled.trigonometric import {name}
from chainrule.engine.compiler.vectors import lanes, put_some, some
{FIRST}\
def run(x, out):
    {loop.format(name)}
"""


def compiled(name: str, x: Array, loop: str = LOOP) -> Array:
    out = np.empty_like(x)
    run(text(name, loop), "run", x=x, out=out)
    return out


def errors(name: str, x: Array) -> Array:
    """In units in the last place of float32, against NumPy's float64."""
    true = getattr(np, name)(x.astype(np.float64))
    unit = np.maximum(np.spacing(np.abs(true).astype(np.float32)), np.finfo(np.float32).tiny)
    found: Array = np.abs(compiled(name, x) - true) / unit
    return found


def floats(step: int) -> Array:
    """Every step-th float32 there is, of both signs."""
    x = np.arange(0, 2**32, step, dtype=np.uint32).view(np.float32)
    return x[np.isfinite(x)]


@each_function
def test_numbers_of_every_size_have_all_their_digits(name: str) -> None:
    x = floats(4099)
    assert len(x) > 1_000_000
    assert np.abs(x).max() > 3e38
    assert errors(name, x).max() < 0.6


@pytest.mark.long
@each_function
def test_every_number_has_all_its_digits(name: str) -> None:
    for start in range(0, 2**32, 2**24):
        x = np.arange(start, start + 2**24, dtype=np.uint32).view(np.float32)
        assert errors(name, x[np.isfinite(x)]).max(initial=0) < 0.6, start


@each_function
def test_where_quarter_turns_end(name: str) -> None:
    """The nearest numbers to multiples of π/4, where what is left is small, or the polynomial changes."""
    ends = np.arange(-100_000, 100_000) * (np.pi / 4)
    near = ends.astype(np.float32)
    with np.errstate(all="ignore"):
        x = np.concatenate([near, np.nextafter(near, np.float32(INF))])
    assert errors(name, x).max() < 0.6


def test_the_worst_case_of_float32() -> None:
    """16367173·2⁷² is closer to a multiple of π/2 than any other float32: Muller, Elementary Functions."""
    x = np.array([16367173.0 * 2.0**72], np.float32)
    assert abs(float(np.cos(float(x[0])))) < 2e-9
    assert errors("cos", x).max() < 0.6
    assert errors("sin", x).max() < 0.6


SPECIAL = {
    "sin": [(0.0, 0.0), (-0.0, -0.0), (1e-45, 1e-45), (-1e-40, -1e-40), (INF, NAN), (-INF, NAN)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (1e-45, 1.0), (1e-20, 1.0), (INF, NAN), (-INF, NAN)],
}


@each_function
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_values_and_the_sign_of_zero(name: str, dtype: Any) -> None:
    given, wanted = np.array([*SPECIAL[name], (NAN, NAN)], dtype).T.copy()
    for copies in (1, 40):  # at the end of a loop, and in its vectors
        got = compiled(name, np.tile(given, copies))
        np.testing.assert_array_equal(got, np.tile(wanted, copies))
        signs = np.signbit(got) == np.signbit(np.tile(wanted, copies))
        assert np.all(signs | np.isnan(got))


@each_function
def test_they_are_even_and_odd(name: str) -> None:
    x = np.abs(floats(900_001))
    sign = -1 if name == "sin" else 1
    np.testing.assert_array_equal(compiled(name, -x), sign * compiled(name, x))


@each_function
def test_a_vector_gets_the_bits_of_its_numbers(name: str) -> None:
    x = floats(1_000_003)
    np.testing.assert_array_equal(compiled(name, x, OF_VECTORS), compiled(name, x))


@each_function
def test_float64_is_that_of_c(name: str) -> None:
    x = np.random.default_rng(0).normal(size=500) * 10.0 ** np.arange(500).clip(0, 300)
    np.testing.assert_array_max_ulp(compiled(name, x), getattr(np, name)(x), maxulp=2)


@each_function
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_plain_python_is_numpy(name: str, dtype: Any) -> None:
    number = getattr(trigonometric, name)(dtype(0.7))
    assert type(number) is dtype
    assert number == getattr(np, name)(dtype(0.7))


@pytest.mark.skipif(
    platform.machine().lower() not in {"x86_64", "amd64"}, reason="read on x86-64 only"
)
@each_function
def test_a_loop_becomes_vector_instructions_without_calls(name: str) -> None:
    from chainrule.engine.compiler.target import listing

    given = {"x": np.zeros(1, np.float32), "out": np.zeros(1, np.float32)}
    ir, asm = listing(ir_of(text(name), "run", given))
    assert re.search(r"fmul [a-z ]*<\d+ x double>", ir)
    assert re.search(r"\bv?mulpd\s.*%[xyz]mm", asm)
    for found in (ir, asm):
        assert not re.search(rf"(?<!\w)(llvm\.|_)?{name}f?\b", found)
