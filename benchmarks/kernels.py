"""Small loops in LLVM IR, compiled for this processor: what it can do, with no language around it.

Vectors are as wide as the processor's registers. Every kernel is a C function called by ctypes,
which releases the GIL; it handles whole vectors, so a few numbers at the end may be left out.
"""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import llvmlite.binding as llvm

#: Chains of multiply-adds that do not wait for each other: more than latency times units.
CHAINS = 12
#: Vectors in one round of the loop over memory.
UNROLLED = 4

_ADDRESS, _COUNT, _NUMBER = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float


def family() -> str:
    """The processor's family by LLVM's name for it, such as znver3 or skylake-avx512."""
    return str(llvm.get_host_cpu_name())


@functools.cache
def lanes() -> int:
    """How many float32 a vector register holds."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx") else 4


def multiply_adds() -> Callable[..., None]:
    """f(rounds, data): CHAINS vectors, each multiplied and added to once a round.

    data: the first value of each chain, the factor and the summand, one vector each.
    """
    k = range(CHAINS)
    start = "\n".join(_load(f"c{i}", "%data", i) for i in k)
    phis = "\n".join(f"  %c{i}.now = phi V [ %c{i}, %entry ], [ %c{i}.next, %loop ]" for i in k)
    steps = "\n".join(f"  %c{i}.next = {_fma(f'%c{i}.now', '%a', '%b')}" for i in k)
    ends = "\n".join(_store(f"c{i}.next", "%data", i) for i in k)
    text = f"""
define void @kernel(i64 %n, ptr %data) {{
entry:
{start}
{_load("a", "%data", CHAINS)}
{_load("b", "%data", CHAINS + 1)}
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
{phis}
{steps}
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, %n
  br i1 %more, label %loop, label %end
end:
{ends}
  ret void
}}"""
    return _compiled(text, _COUNT, _ADDRESS)


def scaled_sum() -> Callable[..., None]:
    """f(passes, n, y, x, a): y += a x, so often, for n numbers at the addresses y and x."""
    body = []
    for i in range(UNROLLED):
        body += [_load(f"y{i}", "%y.at", i), _load(f"x{i}", "%x.at", i)]
        body += [f"  %z{i} = {_fma('%a.all', f'%x{i}', f'%y{i}')}", _store(f"z{i}", "%y.at", i)]
    return _over_memory(("y", "x"), ("a",), body)


def adam() -> Callable[..., None]:
    """f(passes, n, p, g, m, v, rate, gain, rest, eps): steps of Adam, without corrections of bias.

    m += gain (g - m); v += rest (g² - v); p -= rate m / (√v + eps).
    """
    body = []
    for i in range(UNROLLED):
        body += [_load(f"{name}{i}", f"%{name}.at", i) for name in "pgmv"]
        body += [
            f"  %dm{i} = fsub V %g{i}, %m{i}",
            f"  %nm{i} = {_fma('%gain.all', f'%dm{i}', f'%m{i}')}",
            f"  %gg{i} = fmul V %g{i}, %g{i}",
            f"  %dv{i} = fsub V %gg{i}, %v{i}",
            f"  %nv{i} = {_fma('%rest.all', f'%dv{i}', f'%v{i}')}",
            f"  %r{i} = call V @llvm.sqrt.W(V %nv{i})",
            f"  %re{i} = fadd V %r{i}, %eps.all",
            f"  %q{i} = fdiv V %nm{i}, %re{i}",
            f"  %d{i} = fmul V %rate.all, %q{i}",
            f"  %np{i} = fsub V %p{i}, %d{i}",
            *(_store(f"n{name}{i}", f"%{name}.at", i) for name in "pmv"),
        ]
    return _over_memory(tuple("pgmv"), ("rate", "gain", "rest", "eps"), body)


# -- text --------------------------------------------------------------------------------------
# V stands for the type of a vector, W for its name within an intrinsic's.


def _load(name: str, address: str, i: int) -> str:
    place = f"  %{name}.p = getelementptr V, ptr {address}, i64 {i}"
    return f"{place}\n  %{name} = load V, ptr %{name}.p, align 4"


def _store(name: str, address: str, i: int) -> str:
    place = f"  %{name}.to{i} = getelementptr V, ptr {address}, i64 {i}"
    return f"{place}\n  store V %{name}, ptr %{name}.to{i}, align 4"


def _fma(a: str, b: str, c: str) -> str:
    return f"call V @llvm.fma.W(V {a}, V {b}, V {c})"


def _over_memory(
    arrays: tuple[str, ...], numbers: tuple[str, ...], body: list[str]
) -> Callable[..., None]:
    """f(passes, n, *arrays, *numbers): `body` does UNROLLED vectors at %array.at."""
    types = [
        "i64 %passes",
        "i64 %n",
        *(f"ptr %{a}" for a in arrays),
        *(f"float %{x}" for x in numbers),
    ]
    alike = "\n".join(
        f"  %{x}.one = insertelement V poison, float %{x}, i32 0\n"
        f"  %{x}.all = shufflevector V %{x}.one, V poison, <L x i32> zeroinitializer"
        for x in numbers
    )
    places = "\n".join(f"  %{a}.at = getelementptr float, ptr %{a}, i64 %i" for a in arrays)
    lines = "\n".join(body)
    step = UNROLLED * lanes()
    text = f"""
define void @kernel({", ".join(types)}) {{
entry:
{alike}
  %whole = sub i64 %n, {step - 1}
  br label %pass
pass:
  %k = phi i64 [ 0, %entry ], [ %k.next, %done ]
  %again = icmp slt i64 %k, %passes
  br i1 %again, label %test, label %end
test:
  %i = phi i64 [ 0, %pass ], [ %i.next, %loop ]
  %more = icmp slt i64 %i, %whole
  br i1 %more, label %loop, label %done
loop:
{places}
{lines}
  %i.next = add i64 %i, {step}
  br label %test
done:
  %k.next = add i64 %k, 1
  br label %pass
end:
  ret void
}}"""
    return _compiled(text, _COUNT, _COUNT, *[_ADDRESS] * len(arrays), *[_NUMBER] * len(numbers))


#: What keeps the machine code alive.
_engines: list[Any] = []


def _compiled(text: str, *arguments: Any) -> Callable[..., None]:
    """The function `kernel` of the text, compiled for this processor."""
    with suppress(RuntimeError):  # newer versions of llvmlite do this by themselves
        llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    n = lanes()
    for name, type_ in (("V", f"<{n} x float>"), ("W", f"v{n}f32"), ("L", str(n))):
        text = re.sub(rf"\b{name}\b", type_, text)
    declared = f"""
declare <{n} x float> @llvm.fma.v{n}f32(<{n} x float>, <{n} x float>, <{n} x float>)
declare <{n} x float> @llvm.sqrt.v{n}f32(<{n} x float>)
"""
    module = llvm.parse_assembly(declared + text)
    module.verify()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=family(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    engine = llvm.create_mcjit_compiler(module, target)
    engine.finalize_object()
    _engines.append(engine)
    function: Callable[..., None] = ctypes.CFUNCTYPE(None, *arguments)(
        engine.get_function_address("kernel")
    )
    return function
