"""Kernels: text becomes machine code that runs without the compiler, on arrays as they lie."""

from __future__ import annotations

import gc
import importlib
import re
import subprocess
import sys
import threading
import weakref
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine.compiled.compiling import FIRST

from chainrule.engine.compiled import cache, machine
from chainrule.engine.compiled.cache import Code
from chainrule.engine.compiled.helpers import HELPERS, salt
from chainrule.engine.compiled.symbolic import NotCompilable
from chainrule.engine.compiled.threads import crew_words
from chainrule.errors import SettingError

pytest.importorskip("llvmlite")
llvm = pytest.importorskip("llvmlite.binding")
elementary = pytest.importorskip("chainrule.engine.compiled.elementary")
kernels = pytest.importorskip("chainrule.engine.compiled.kernels")
products = pytest.importorskip("chainrule.engine.compiled.products")
trigonometric = pytest.importorskip("chainrule.engine.compiled.trigonometric")
entry = pytest.importorskip("chainrule.engine.compiler.entry")

DOUBLE = f"""{FIRST}\
def double(x, n):
    for i in range(n):
        x[i] = x[i] * 2
    return n
"""
RETURN = f"{FIRST}def number(n):\n    return n\n"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of this test, and a process that has obtained nothing yet."""
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_obtained", {})
    return tmp_path / "cache" / "kernels"


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if in a new process; what is loaded stays loaded."""
    monkeypatch.setattr(cache, "_obtained", {})


def made(source: str, name: str, given: dict[str, Any], **known: int) -> machine.Kernel:
    return machine.kernel(source, name, given, None, None, **known)


def doubles(said: list[str] | None = None) -> bool:
    """Whether the kernel is right."""
    x = np.array([1.0, 2, 3, 4])
    given = {"x": x, "n": 3}
    say = None if said is None else said.append
    result = machine.kernel(DOUBLE, "double", given, say).call(given)()
    return result == 3 and x.tolist() == [2, 4, 6, 4]


# -- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, -1, 2**63 - 1, -(2**63), np.int32(-7), np.uint8(200), True])
def test_a_whole_number(n: Any) -> None:
    number = made(RETURN, "number", {"n": 0})
    assert number.call({"n": n})() == n


@pytest.mark.parametrize("n", [2**63, -(2**63) - 1])
def test_a_number_too_large_is_refused(n: int) -> None:
    number = made(RETURN, "number", {"n": 0})
    with pytest.raises(OverflowError):
        number.call({"n": n})


DTYPES = ("float32", "float64", "int64", "uint64", "bool", "int32", "uint8")


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_arrays_of_all_kinds(axes: int) -> None:
    """Each is turned around: every element is where its shape says."""
    rng, shape, given = np.random.default_rng(0), (4, 3, 2)[:axes], {}
    source, letters = "", "ijk"[:axes]
    loops = "".join(
        f"{'    ' * (a + 1)}for {v} in range(x.shape[{a}]):\n" for a, v in enumerate(letters)
    )
    names = []
    for dtype in DTYPES:
        x = rng.integers(0, 256, (*shape, 8), np.uint8).view(np.uint64)[..., 0]
        x = x & np.uint64(1) if dtype == "bool" else x
        array = (
            x.astype(dtype) if "float" in dtype or dtype == "bool" else x.view("u8").astype(dtype)
        )
        given[f"{dtype}_x"], given[f"{dtype}_y"] = array, np.zeros(shape[::-1], dtype)
        place = ", ".join(letters), ", ".join(reversed(letters))
        body = f"{loops}{'    ' * (axes + 1)}y[{place[1]}] = x[{place[0]}]\n"
        source += re.sub(r"\b([xy])\b", rf"{dtype}_\1", body)
        names += [f"{dtype}_x", f"{dtype}_y"]
    text = f"{FIRST}def turn({', '.join(names)}):\n{source}    return {names[-1]}.size\n"
    assert made(text, "turn", given).call(given)() == np.prod(shape)
    for dtype in DTYPES:
        x, y = given[f"{dtype}_x"], given[f"{dtype}_y"]
        assert x.any()
        assert y.tobytes() == np.ascontiguousarray(x.T).tobytes()


def test_tuples_within_tuples() -> None:
    text = f"""{FIRST}\
def sums(n, all, none, out):
    a, (k, b, (c,)), several = all
    out[0] = a[0, 1] + n
    out[1] = b[2] * k
    out[2] = c[1]
    for part in several:
        out[3] += part[0]
    return len(none)
"""
    a, b, c = np.array([[1.0, 2]]), np.array([3, 4, 5]), np.array([6, 7], np.float32)
    several = tuple(np.full(1, 10.0**k) for k in range(4))
    out = np.zeros(4)
    given = {"n": -1, "all": (a, (-2, b, (c,)), several), "none": (), "out": out}
    assert made(text, "sums", given).call(given)() == 0
    assert out.tolist() == [1, -10, 7, 1111]


@pytest.mark.parametrize("shape", [(0, 3, 2), (4, 0, 2), (4, 3, 0), (0, 0, 0)])
def test_empty_arrays(shape: tuple[int, ...]) -> None:
    text = f"""{FIRST}\
def shape(x):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            for k in range(x.shape[2]):
                x[i, j, k] = 1
    return x.shape[0] * 100 + x.shape[1] * 10 + x.shape[2]
"""
    given = {"x": np.zeros(shape)}
    assert made(text, "shape", given).call(given)() == shape[0] * 100 + shape[1] * 10 + shape[2]


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros(6)[::2],
        np.zeros((3, 2)).T,
        np.zeros((3, 4))[:, :2],
        np.zeros(6)[::-1],
        np.frombuffer(bytearray(25), np.uint8)[1:].view(np.float64),  # between two addresses
    ],
)
def test_an_array_that_does_not_lie_in_one_piece_is_refused(bad: Any) -> None:
    x = np.arange(3.0)
    double = made(DOUBLE, "double", {"x": x, "n": 3})
    call = double.call({"x": x, "n": 3})
    for argument in (bad, (1, (bad,))):
        with pytest.raises(AssertionError):
            call.change(x=argument)
        with pytest.raises(AssertionError):
            double.call({"x": argument, "n": 3})
    assert call() == 3
    assert x.tolist() == [0, 2, 4]  # as it was given before


# -- other arguments ------------------------------------------------------------------------------

THREE = f"""{FIRST}\
def three(a, b, n):
    x, k = b
    for i in range(a.size):
        a[i] = a[i] + 1
    for i in range(x.size):
        x[i] = x[i] + k
    return n
"""


def test_arguments_change_and_the_others_stay() -> None:
    a, x = np.zeros(2), np.zeros(3)
    call = made(THREE, "three", {"a": a, "b": (x, 0), "n": 0}).call({"a": a, "b": (x, 10), "n": 5})
    assert call() == 5
    call.change(n=-6)
    assert call() == -6
    assert (a.tolist(), x.tolist()) == ([2, 2], [20, 20, 20])
    longer = np.zeros(4)
    call.change(a=longer)
    assert call() == -6
    assert (a.tolist(), longer.tolist(), x.tolist()) == ([2, 2], [1] * 4, [30] * 3)
    other = np.zeros(1)
    call.change(b=(other, 7), n=8)
    assert call() == 8
    assert (longer.tolist(), x.tolist(), other.tolist()) == ([2] * 4, [30] * 3, [7])
    with pytest.raises(KeyError):
        call.change(unknown=1)


def test_two_calls_of_one_kernel_have_nothing_in_common() -> None:
    x, y = np.ones(2), np.ones(3)
    double = made(DOUBLE, "double", {"x": x, "n": 0})
    calls = [double.call({"x": x, "n": 2}), double.call({"x": y, "n": 1})]
    assert [call() for call in calls] == [2, 1]
    calls[0].change(n=0)
    assert [call() for call in calls] == [0, 1]
    assert (x.tolist(), y.tolist()) == ([2, 2], [4, 1, 1])


def test_arrays_live_as_long_as_they_are_needed() -> None:
    x, y = np.ones(3), np.ones(3)
    first, second = weakref.ref(x), weakref.ref(y)
    call = made(DOUBLE, "double", {"x": x, "n": 0}).call({"x": x, "n": 3})
    del x
    gc.collect()
    assert call() == 3
    kept = first()
    assert kept is not None
    assert kept.tolist() == [2, 2, 2]
    del kept
    call.change(x=y)
    del y
    gc.collect()
    assert first() is None
    assert second() is not None
    call.change(n=2)
    assert second() is not None
    call.forget("x")
    gc.collect()
    assert second() is None
    call.change(x=(z := np.ones(3)))
    assert call() == 2
    assert z.tolist() == [2, 2, 1]
    del call
    gc.collect()
    assert z.tolist() == [2, 2, 1]


def test_arrays_within_tuples_live_too() -> None:
    a, x = np.zeros(1), np.zeros(2)
    gone = weakref.ref(x)
    given: dict[str, Any] = {"a": a, "b": (x, 1), "n": 0}
    call = made(THREE, "three", given).call(given)
    del x
    given.clear()  # the mapping is the caller's
    gc.collect()
    call()
    kept = gone()
    assert kept is not None
    assert kept.tolist() == [1, 1]


# -- running --------------------------------------------------------------------------------------


def test_a_number_that_is_known_is_part_of_the_machine_code() -> None:
    """Whatever a call gives for it: so a kernel is called with what it was made for."""
    text = f"{FIRST}def sum(n, k):\n    return n * 10 + k\n"
    given = {"n": 3, "k": 1}
    assert made(text, "sum", given).call({"n": 4, "k": 2})() == 42
    assert made(text, "sum", given, n=3).call({"n": 4, "k": 2})() == 32
    assert made(text, "sum", given, n=5).call({"n": 4, "k": 2})() == 52
    assert "%words" in (ir := entry.written(text, "", "sum", given, {"n": 7}))
    assert re.search(r"define internal fastcc i64 @\S*sum\(i64 %\w+\)", ir)


def test_threads_run_one_kernel_at_once() -> None:
    text = f"""{FIRST}\
def count(k, out):
    for i in range(100000):
        out[i % 8] += k
    return k
"""
    given: list[dict[str, Any]] = [{"k": k, "out": np.zeros(8)} for k in range(6)]
    kernel, results = made(text, "count", given[0]), {}

    def work(k: int) -> None:
        call = kernel.call(given[k])
        results[k] = [call() for _ in range(10)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {k: [k] * 10 for k in range(6)}
    assert [float(g["out"].sum()) for g in given] == [k * 1e6 for k in range(6)]


def test_others_run_meanwhile() -> None:
    """A kernel does not hold the interpreter: here it waits for what Python does."""
    text = f"""from chainrule.engine.compiled.kernels import wait
{FIRST}\
def meet(crew):
    wait(crew, 2)
    return 1
"""
    crew = crew_words(0)
    kernel, results = made(text, "meet", {"crew": crew}), []
    threads = [
        threading.Thread(target=lambda: results.append(kernel.call({"crew": crew})()), daemon=True)
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [1, 1]


# -- one kernel for what is alike -----------------------------------------------------------------


class Fake:
    """Counts what is compiled, and loads nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(entry, "machine_code", self.machine_code)
        monkeypatch.setattr(machine, "Kernel", lambda code: code)

    def machine_code(self, source: str, file: str, name: str, given: Any, known: Any) -> bytes:
        self.count += 1
        return b""

    def anew(self, given: Any, **known: int) -> bool:
        """Whether it is compiled, and not found."""
        before = self.count
        made(DOUBLE, "double", given, **known)
        return self.count > before


def test_arguments_of_other_kinds_make_another_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, x = Fake(monkeypatch), np.zeros((2, 3))
    kinds: list[Any] = [
        1, x, x[0], x.astype(np.float32), x.astype(np.int64), x.astype(np.uint64), x.astype(bool),
        x.astype(">f8"), x.reshape(1, 2, 3), (), (1,), ((1,),), (x,), (x, x), ((x,), x),
        (x, (x,)), (x, 1), (1, x), (x[0], x), (x, x[0]), (1, 1), ((), 1), (1, ()), ((1, 1),),
    ]  # fmt: skip
    for anew in (True, False):
        assert [fake.anew({"x": kind, "n": 1}) for kind in kinds] == [anew] * len(kinds)
    assert fake.anew({"x": 1, "n": x})


def test_arguments_of_the_same_kinds_make_none(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(monkeypatch)
    assert fake.anew({"x": np.zeros((2, 3)), "n": (1, 2)})
    assert not fake.anew({"x": np.ones((7, 0)), "n": (-1, np.int64(2))})


def test_whatever_machine_code_depends_on_makes_another_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake, given = Fake(monkeypatch), {"x": np.zeros(3), "n": 3}
    monkeypatch.delenv("CHAINRULE_CPU", raising=False)
    assert fake.anew(given)
    version = metadata.version

    def other(package: str) -> Any:
        return lambda p: "0.0.0" if p == package else version(p)

    class Features:
        def flatten(self) -> str:
            return "+none"

    for change in (
        (machine, "__version__", "0.0.0"),
        (np, "__version__", "0.0.0"),
        (machine, "salt", lambda: "other helpers"),
        (metadata, "version", other("llvmlite")),
        (llvm, "get_host_cpu_name", lambda: "none"),
        (llvm, "get_host_cpu_features", Features),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(*change)
            assert fake.anew(given)
            assert not fake.anew(given)
    for known in ({"n": 3}, {"n": 4}, {"n": 4, "k": 3}):
        assert fake.anew(given, **known)
        assert not fake.anew(given, **known)
    monkeypatch.setenv("CHAINRULE_CPU", "generic")
    assert fake.anew(given)
    monkeypatch.setenv("CHAINRULE_CPU", "")
    assert not fake.anew(given)
    monkeypatch.setenv("ANOTHER_CPU", "generic")
    assert not fake.anew(given)


def test_another_processor_than_a_generic_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_CPU", "pentium")
    with pytest.raises(SettingError, match=r"^CHAINRULE_CPU=.pentium. is not known"):
        doubles()


def test_a_generic_processor_gets_no_more_than_all_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code for it runs here, is the same on every machine, and has no wide registers."""
    target = pytest.importorskip("chainrule.engine.compiler.target")
    given = {"x": np.zeros(3), "n": 3}
    monkeypatch.setenv("CHAINRULE_CPU", "generic")
    assert doubles()
    with monkeypatch.context() as patch:
        patch.setattr(llvm, "get_host_cpu_name", lambda: "another")
        _, assembly = target.listing(entry.written(DOUBLE, "", "double", given, {}))
    assert "entry:" in assembly
    assert not re.search(r"%[yz]mm", assembly)


def test_the_helpers_are_what_the_modules_offer() -> None:
    for module in (elementary, kernels, products, trigonometric):
        assert set(module.__all__) <= set(HELPERS)
    for name, where in HELPERS.items():
        module = importlib.import_module(where)
        assert name in module.__all__
        assert callable(getattr(module, name))
        assert Path(str(module.__file__)).read_text("utf-8") in salt()


def test_what_goes_into_machine_code_is_in_the_salt() -> None:
    constants = Path(machine.__file__).with_name("constants.py")
    parts = [constants, Path(machine.__file__), *Path(entry.__file__).parent.glob("*.py")]
    assert len(parts) > 10
    for path in parts:
        assert path.read_text("utf-8") in salt(), path


# -- kept code ------------------------------------------------------------------------------------


def kernel_in(place: Path) -> Path:
    (kernel,) = place.iterdir()
    return kernel


def test_compiled_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    assert doubles(said)
    assert said == ["Compiling for this kind of network: some seconds, once."]
    assert (kernel_in(place) / f"{kernel_in(place).name}.py").read_text() == DOUBLE
    monkeypatch.setattr(entry, "machine_code", None)  # not called again
    assert doubles(said)
    forget(monkeypatch)
    assert doubles(said)
    assert len(said) == 1


def test_it_runs_where_nothing_can_be_kept(place: Path) -> None:
    place.parent.write_text("a file")
    said: list[str] = []
    assert doubles(said)
    assert doubles(said)
    (line,) = said
    assert "in every process, as" in line


#: A sum whose bits depend on the order and on each instruction.
PROCESS = f"""
import sys
import numpy as np
from chainrule.engine.compiled import machine

source = '''
from chainrule.engine.compiled.elementary import exp, tanh
{FIRST}\
def total(x, out):
    s = x[0, 0] * 0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            s += exp(x[i, j]) * tanh(x[i, j]) / 3
    out[0] = s
    return x.size
'''
x, out = np.random.default_rng(0).normal(size=(33, 17)).astype(np.float32), np.zeros(1, np.float32)
given, said = {{"x": x, "out": out}}, []
assert machine.kernel(source, "total", given, said.append).call(given)() == 561
compiler = "chainrule.engine.compiler.entry" in sys.modules
print(len(said), compiler, "scipy" in sys.modules, out.tobytes().hex())
"""


def process() -> list[str]:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROCESS], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    return run.stdout.split()


def test_a_new_process_loads_it_without_the_compiler(place: Path) -> None:
    first = process()
    assert first[:2] == ["1", "True"]
    file = kernel_in(place) / "code"
    data, number = file.read_bytes(), file.stat().st_ino
    for _ in range(2):
        assert process() == ["0", "False", "False", first[3]]
    assert file.read_bytes() == data
    assert file.stat().st_ino == number
    file.unlink()
    assert process()[3] == first[3]  # compiled again, to the same bits


def test_a_process_of_its_own_takes_what_this_one_compiled(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = PROCESS.split("'''")[1]
    x, out = np.zeros((1, 1), np.float32), np.zeros(1, np.float32)
    made(source, "total", {"x": x, "out": out})
    assert process()[:2] == ["0", "False"]


@pytest.mark.parametrize("part", ["symbol", "machine code", "end"])
def test_a_bit_the_other_way_round_is_noticed(
    place: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    assert doubles()
    file = kernel_in(place) / "code"
    data = bytearray(file.read_bytes())
    whole = bytes(data)
    at = {"symbol": len(cache.FIRST) + 40, "machine code": len(data) // 2, "end": len(data) - 1}
    data[at[part]] ^= 1
    file.write_bytes(data)
    forget(monkeypatch)
    said: list[str] = []
    assert doubles(said)
    assert len(said) == 1
    assert file.read_bytes() == whole  # the same text gives the same code
    forget(monkeypatch)
    assert doubles(said)
    assert len(said) == 1


def wrong_symbol(code: Code) -> Code:
    return Code("nothing_of_this_name", code.data)


def half(code: Code) -> Code:
    return Code(code.symbol, code.data[: len(code.data) // 2])


def empty(code: Code) -> Code:
    return Code(code.symbol, b"")


def garbage(code: Code) -> Code:
    return Code(code.symbol, np.random.default_rng(0).bytes(len(code.data)))


def wanting(code: Code) -> Code:
    """Code that calls a function which is not there when it is loaded."""
    target = pytest.importorskip("chainrule.engine.compiler.target")
    ir = """
declare i64 @nowhere(i64)
define i64 @entry(i64 %x) {
    %y = call i64 @nowhere(i64 %x)
    ret i64 %y
}"""
    return Code(code.symbol, target.object_file(ir))


@pytest.mark.parametrize("damage", [wrong_symbol, half, empty, garbage, wanting])
def test_code_that_cannot_be_loaded_is_compiled_anew(
    place: Path, monkeypatch: pytest.MonkeyPatch, damage: Any
) -> None:
    assert doubles()
    file = kernel_in(place) / "code"
    code = cache._unpacked(file.read_bytes())
    assert code is not None
    bad = damage(code)
    with pytest.raises(RuntimeError):
        machine.Kernel(bad)
    file.write_bytes(cache._packed(bad))
    forget(monkeypatch)
    said: list[str] = []
    assert doubles(said)
    assert len(said) == 1
    forget(monkeypatch)
    assert doubles(said)
    assert len(said) == 1


# -- what cannot be compiled ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "line", "why"),
    [
        ("return unknown(x)", 6, "`return unknown(x)`: unknown is not defined"),
        ("return x.sort_of()", 6, "`return x.sort_of()`: x.sort_of is not known"),
        ("return x[0] + 'text'", 6, "`return x[0] + 'text'`: 'text' is not a number"),
        ("pass\n    yield x", 7, "`yield x`: an expression of this kind (Yield)"),
        ("y = {}\n    return y", 6, "`y = {}`: an expression of this kind (Dict)"),
        ("if x.size:\n        raise ValueError('mine')", 7, "a statement of this kind (Raise)"),
        ("import math\n    return 1", 6, "`import math`: a statement of this kind (Import)"),
    ],
)
def test_what_cannot_be_compiled_is_declined(place: Path, body: str, line: int, why: str) -> None:
    """It is said in one line, which names the file, the line and what stands there."""
    text, given = f"{FIRST}def f(x):\n    {body}\n", {"x": np.zeros(3)}
    for _ in range(2):
        with pytest.raises(NotCompilable) as caught:
            made(text, "f", given)
        (said,) = str(caught.value).splitlines()
        (file,) = place.glob("*/*.py")
        assert said.startswith(f"its kernel cannot be compiled ({file.name}, line {line}, `")
        assert said.endswith(f"{why})")
        assert file.read_text() == text
    assert not list(place.glob("*/code"))
    assert doubles()


@pytest.mark.parametrize("dtype", ["float16", ">f8", "complex64", "datetime64[s]"])
def test_arrays_of_other_dtypes_are_declined_too(dtype: str) -> None:
    text = f"{FIRST}def f(x):\n    return 1\n"
    with pytest.raises(NotCompilable) as caught:
        made(text, "f", {"x": np.zeros(3, dtype)})
    assert str(caught.value).endswith(f": numbers of dtype {np.dtype(dtype)})")


def test_a_mistake_in_the_compiler_is_none_of_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not caught: nobody would learn of it."""

    def failing(*_: Any) -> None:
        raise KeyError("mine")

    monkeypatch.setattr(entry, "machine_code", failing)
    with pytest.raises(KeyError, match="mine"):
        doubles()


# -- what is yet to be put right ------------------------------------------------------------------


def died(program: str) -> bool:
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=300)
    return run.returncode != 0


def test_a_call_outlives_its_kernel() -> None:
    assert not died(f"""
import gc
import numpy as np
from chainrule.engine.compiled import cache, machine
from chainrule.engine.compiler.entry import SYMBOL, machine_code
x = np.ones(3)
code = machine_code({DOUBLE!r}, "double.py", "double", {{"x": x, "n": 3}}, {{}})
call = machine.Kernel(cache.Code(SYMBOL, code)).call({{"x": x, "n": 3}})
gc.collect()
assert call() == 3
""")


def test_a_fraction_in_place_of_a_whole_number_is_refused() -> None:
    number = made(RETURN, "number", {"n": 0})
    with pytest.raises(TypeError):
        number.call({"n": 1.5})
