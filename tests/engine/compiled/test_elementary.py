"""exp, log, log1p and tanh in compiled code: digits, special values, vectors, the cache."""

from __future__ import annotations

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

pytest.importorskip("llvmlite")

from tests.engine.compiled.compiling import FIRST, ir_of, run

from chainrule.engine.compiled import elementary
from chainrule.engine.compiled.values import NotCompilable

Array = npt.NDArray[Any]

NAMES = ["exp", "log", "log1p", "tanh"]
DTYPES = [np.float32, np.float64]
INF, NAN = math.inf, math.nan

each_function = pytest.mark.parametrize("name", NAMES)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def text(name: str) -> str:
    """A loop of the function over an array."""
    return f"""from chainrule.engine.compiled.elementary import {name}
{FIRST}\
def run(x, out):
    for j in range(x.shape[0]):
        out[j] = {name}(x[j])
"""


def compiled(name: str, x: Array) -> Array:
    out = np.empty_like(x)
    run(text(name), "run", x=x, out=out)
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
    """Beside a Python number it stays what it is; beside a float64 it becomes one."""
    third = f"""from chainrule.engine.compiled.elementary import {name}
{FIRST}\
def run(x, out):
    out[0] = {name}(x[0]) * 0.1
    out[1] = {name}(x[0]) * out[2]
"""
    x, out = np.array([0.7], dtype), np.array([0, 0, 0.1])
    run(third, "run", x=x, out=out)
    y = compiled(name, x)[0]
    assert type(y) is dtype
    assert out.tolist() == [y * 0.1, np.float64(y) * 0.1, 0.1]


@pytest.mark.parametrize("given", [np.zeros(3, np.int64), np.zeros(3, bool), np.zeros(3, np.uint8)])
@each_function
def test_other_dtypes_are_refused_when_compiling(name: str, given: Array) -> None:
    with pytest.raises(NotCompilable) as caught:
        run(text(name), "run", x=given, out=np.zeros(3))
    assert f"`out[j] = {name}(x[j])`: {name} of a {given.dtype.name})" in str(caught.value)


@pytest.mark.skipif(
    platform.machine().lower() not in {"x86_64", "amd64"}, reason="read on x86-64 only"
)
@each_function
@each_dtype
def test_a_loop_becomes_vector_instructions_without_calls(name: str, dtype: Any) -> None:
    from chainrule.engine.compiler.target import listing

    given = {"x": np.zeros(1, dtype), "out": np.zeros(1, dtype)}
    ir, asm = listing(ir_of(text(name), "run", given))
    word = "float" if dtype is np.float32 else "double"
    assert re.search(rf"fmul [a-z ]*<\d+ x {word}>", ir)
    assert re.search(r"\bv?mulp[sd]\s.*%[xyz]mm", asm)
    # A call would stand here as @llvm.exp.v16f32, @expf, $expf or _exp.
    for found in (ir, asm):
        assert not re.search(rf"(?<!\w)(llvm\.|_)?{name}f?\b", found)


PROGRAM = f"""
import numpy as np
from chainrule.engine.compiled import machine

source = '''
from chainrule.engine.compiled.elementary import exp, log1p, tanh
{FIRST}\
def run(x, out):
    for j in range(x.shape[0]):
        out[j] = tanh(x[j]) + log1p(exp(x[j]))
'''
x = np.linspace(-3, 3, 50, dtype=np.float32)
out, said = np.empty_like(x), []
given = {{"x": x, "out": out}}
machine.kernel(source, "run", given, said.append).call(given)()
print(len(said), np.abs(out - np.tanh(x) - np.log1p(np.exp(x))).max() < 1e-5, out.tobytes().hex())
"""


def test_a_second_process_takes_the_kernel_from_the_cache(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    surroundings = {**os.environ, "CHAINRULE_CACHE": str(tmp_path / "cache")}
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
    assert [line[:2] for line in printed] == [["1", "True"], ["0", "True"]]
    assert printed[0][2] == printed[1][2]
