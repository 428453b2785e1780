"""exp, log, log1p and tanh in compiled code: digits, special values, vectors, the cache."""

from __future__ import annotations

import functools
import math
import os
import platform
import re
import subprocess
import sys
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

numba = pytest.importorskip("llvmlite")

from chainrule.engine.compiled import elementary  # noqa: E402 - it imports numba

Array = npt.NDArray[Any]

NAMES = ["exp", "log", "log1p", "tanh"]
DTYPES = [np.float32, np.float64]
INF, NAN = math.inf, math.nan

# The freedom the engine's kernels take around the functions.
KERNEL = {
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp", "afn"},
    "nogil": True,
}

each_function = pytest.mark.parametrize("name", NAMES)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


@functools.cache
def kernel(name: str, dtype: str) -> Any:
    """A compiled loop of the function over an array."""
    function = getattr(elementary, name)

    def run(x: Any, out: Any) -> None:
        for j in range(x.shape[0]):
            out[j] = function(x[j])

    row = numba.from_dtype(np.dtype(dtype))[::1]
    return numba.njit(numba.void(row, row), **KERNEL)(run)


def compiled(name: str, x: Array) -> Array:
    out = np.empty_like(x)
    kernel(name, x.dtype.name)(x, out)
    return out


def bounded(x: Decimal) -> Decimal:
    """x, no further out than either dtype can tell in its exponential: e^±2000 is inf or 0."""
    return max(Decimal(-2000), min(x, Decimal(2000)))


def true_value(name: str, number: float) -> Decimal:
    """The function's value to some 45 digits or more."""
    with localcontext() as context:
        context.prec = 60
        x = Decimal(number)
        if name == "exp":
            return bounded(x).exp()
        if name == "log":
            return x.ln()
        if name == "log1p":
            return x - x * x / 2 + x * x * x / 3 if abs(x) < Decimal("1e-15") else (1 + x).ln()
        if abs(x) < Decimal("1e-8"):
            return x - x**3 / 3 + 2 * x**5 / 15
        return 1 - 2 / (bounded(2 * x).exp() + 1)


def inputs(name: str, dtype: Any) -> Array:
    """Numbers of all sizes in the function's domain, random bits, and the places where it turns."""
    rng = np.random.default_rng(7)
    info = np.finfo(dtype)
    top = float(np.log(info.max))
    bits = rng.bytes(500 * info.dtype.itemsize)
    anything = np.frombuffer(bits, dtype)
    spread = np.geomspace(float(info.smallest_subnormal), float(info.max) / 2, 400)
    usual = rng.uniform(-2, 2, 600)
    turns = [0.5 * math.log(2) * k for k in range(-9, 10)]  # where exp's and tanh's n steps
    turns += [2.0**k * math.sqrt(0.5) - shift for k in range(-3, 5) for shift in (0, 1)]
    turns += [
        1.0,
        9.01,
        19.06,
        top,
        float(np.log(info.tiny)),
        float(np.log(info.smallest_subnormal)),
    ]
    if name == "exp":
        usual = np.concatenate([usual, rng.uniform(-1.2 * top, 1.1 * top, 600)])
    if name == "tanh":
        usual = np.concatenate([usual, rng.uniform(-20, 20, 300), rng.uniform(0.1, 0.6, 300)])
    with np.errstate(all="ignore"):
        near = np.array(turns, dtype)
        near = np.concatenate(
            [near, np.nextafter(near, dtype(INF)), np.nextafter(near, dtype(-INF))]
        )
        x: Array = np.concatenate([near, anything, usual.astype(dtype), spread.astype(dtype)])
        x = np.concatenate([x, -x])
    x = x[np.isfinite(x)]
    if name == "log":
        x = x[x > 0]
    if name == "log1p":
        x = x[x > -1]
    return x


@each_function
@each_dtype
def test_errors_are_below_the_promised_number_of_ulp(name: str, dtype: Any) -> None:
    limit = {"exp": 1.0, "log": 1.0, "log1p": 1.5, "tanh": 2.1}[name]
    x = inputs(name, dtype)
    assert len(x) > 1000
    for number, got in zip(x, compiled(name, x), strict=True):
        true = true_value(name, float(number))
        with np.errstate(over="ignore", under="ignore"):
            nearest = dtype(float(true))
        if np.isinf(nearest):
            assert got == nearest, number
            continue
        error = abs(Decimal(float(got)) - true) / Decimal(float(np.spacing(abs(nearest))))
        assert error < limit, (number, got, nearest)


SPECIAL = {
    "exp": [(-INF, 0), (-1000, 0), (1000, INF), (INF, INF), (0, 1), (-0.0, 1), (NAN, NAN)],
    "log": [(0, -INF), (-0.0, -INF), (-1, NAN), (-1e-30, NAN), (-INF, NAN), (INF, INF), (1, 0)],
    "log1p": [(-1, -INF), (-1.5, NAN), (-INF, NAN), (INF, INF), (0, 0), (-0.0, -0.0)],
    "tanh": [(-INF, -1), (INF, 1), (-30, -1), (1e30, 1), (0, 0), (-0.0, -0.0), (NAN, NAN)],
}


@each_function
@each_dtype
def test_special_values_and_the_sign_of_zero(name: str, dtype: Any) -> None:
    given, wanted = np.array([*SPECIAL[name], (NAN, NAN), (-NAN, NAN)], dtype).T.copy()
    # Once in the loop of vectors, once in the loop over what is left at its end.
    for copies in (1, 40):
        got = compiled(name, np.tile(given, copies))
        np.testing.assert_array_equal(got, np.tile(wanted, copies))
        signs = np.signbit(got) == np.signbit(np.tile(wanted, copies))
        assert np.all(signs | np.isnan(got))


@each_dtype
def test_exp_goes_through_the_subnormal_numbers_to_zero(dtype: Any) -> None:
    info = np.finfo(dtype)
    x = np.linspace(np.log(info.tiny), np.log(info.smallest_subnormal) - 1, 500, dtype=dtype)
    y = compiled("exp", x)
    assert np.all(np.diff(y) <= 0)
    assert np.count_nonzero((y > 0) & (y < info.tiny)) > 400
    assert y[-1] == 0


@each_dtype
@pytest.mark.parametrize("name", ["log1p", "tanh"])
def test_tiny_numbers_stay_as_they_are(name: str, dtype: Any) -> None:
    info = np.finfo(dtype)
    x = np.geomspace(float(info.tiny), float(info.eps) / 8, 100).astype(dtype)
    x = np.concatenate([x, -x, [info.smallest_subnormal, -info.tiny / 8]]).astype(dtype)
    np.testing.assert_array_equal(compiled(name, x), x)


@each_dtype
def test_tanh_is_odd_and_never_beyond_one(dtype: Any) -> None:
    x = np.abs(inputs("tanh", dtype))
    y = compiled("tanh", x)
    np.testing.assert_array_equal(compiled("tanh", -x), -y)
    assert np.all((y >= 0) & (y <= 1))


@each_function
@each_dtype
def test_plain_python_agrees_with_compiled_code(name: str, dtype: Any) -> None:
    x = np.random.default_rng(3).uniform(0.01, 4, 200).astype(dtype)
    function = getattr(elementary, name)
    plain = [function(number) for number in x]
    assert {type(number) for number in plain} == {dtype}
    np.testing.assert_array_max_ulp(compiled(name, x), np.array(plain), maxulp=6)


@each_function
@each_dtype
def test_the_result_has_the_dtype_of_the_argument(name: str, dtype: Any) -> None:
    function = getattr(elementary, name)
    one_number = numba.njit(lambda x: function(x), **KERNEL)
    number = numba.from_dtype(np.dtype(dtype))
    one_number.compile((number,))
    assert one_number.nopython_signatures[0].return_type == number


def test_other_types_are_refused_when_compiling() -> None:
    function = elementary.exp
    with pytest.raises(numba.TypingError):
        numba.njit(lambda x: function(x), **KERNEL).compile((numba.complex64,))


@pytest.mark.skipif(
    platform.machine().lower() not in {"x86_64", "amd64"}, reason="read on x86-64 only"
)
@each_function
@each_dtype
def test_a_loop_becomes_vector_instructions_without_calls(name: str, dtype: Any) -> None:
    loop = kernel(name, np.dtype(dtype).name)
    (ir,) = loop.inspect_llvm().values()
    word = "float" if dtype is np.float32 else "double"
    assert re.search(rf"fmul [a-z ]*<\d+ x {word}>", ir)
    (asm,) = loop.inspect_asm().values()
    assert re.search(r"\bv?mulp[sd]\s.*%[xyz]mm", asm)
    # A call would stand here as @llvm.exp.v16f32, @expf, $expf or _exp.
    for text in (ir, asm):
        assert not re.search(rf"(?<!\w)(llvm\.|_)?{name}f?\b", text)


PROGRAM = """
import numba, numpy as np
from chainrule.engine.compiled.elementary import exp, log1p, tanh

@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"}, nogil=True)
def run(x, out):
    for j in range(x.shape[0]):
        out[j] = tanh(x[j]) + log1p(exp(x[j]))

x = np.linspace(-3, 3, 50, dtype=np.float32)
out = np.empty_like(x)
run(x, out)
print(sum(run.stats.cache_hits.values()), np.abs(out - np.tanh(x) - np.log1p(np.exp(x))).max() < 1e-5)
"""


def test_a_second_process_takes_the_kernel_from_the_cache(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    surroundings = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    printed = [
        subprocess.run(
            [sys.executable, str(program)],
            env=surroundings,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert printed == [["0", "True"], ["1", "True"]]
