"""The functions that generated kernels call, besides products: scalar functions and thread barriers.

Each has a compiled form; scalar functions are plain Python too, so that a generated kernel can
also run, slowly, without compiling.
"""

from __future__ import annotations

import platform
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from chainrule.engine.compiled.blas import blas_at_hand
from chainrule.engine.compiled.constants import FAILED, MET, WAITING, YIELD
from chainrule.engine.compiled.layout import laid_out

with blas_at_hand():
    import numba.np.arraymath  # the part of Numba that looks for a BLAS

__all__ = [
    "add_shards",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "ceil",
    "cell",
    "cos",
    "cosh",
    "exp2",
    "expm1",
    "floor",
    "isfinite",
    "kernel",
    "limited",
    "log2",
    "log10",
    "maximum",
    "minimum",
    "put",
    "remainder",
    "rint",
    "shaped",
    "share",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "together",
    "together_number",
    "trunc",
    "wait",
    "where",
]

#: Numba's options for kernels. Sums may be reordered (the machine code then fixes the order, so bits
#: repeat), but NaN and infinity keep their meaning: training checks for them.
OPTIONS: Any = {
    "nogil": True,
    "_nrt": False,  # kernels make no arrays: no reference counts
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp", "afn"},
}
#: Without wrappers for calls from Python and C, which take longer to compile than most helpers:
#: only compiled code can call such a function.
ALONE: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def kernel(function: Any) -> Any:
    """Compile a generated function, into the one that calls it."""
    return numba.njit(function, inline="always", **OPTIONS)


def _helper(function: Any) -> Any:
    # Inlined into the kernel: a separate function might be compiled to other bits.
    return numba.njit(function, forceinline=True, **ALONE, **OPTIONS)


def _small(function: Any) -> Any:
    return numba.njit(function, error_model="numpy", nogil=True, forceinline=True)


# -- one number ---------------------------------------------------------------------------------


@_small
def maximum(a: Any, b: Any) -> Any:
    """The larger; NaN if either is."""
    return a if a > b or a != a else b


@_small
def minimum(a: Any, b: Any) -> Any:
    """The smaller; NaN if either is."""
    return a if a < b or a != a else b


@_small
def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b."""
    return a if condition else b


@_small
def isfinite(a: Any) -> Any:
    """Whether a is neither NaN nor infinite."""
    return a - a == 0


@_small
def sqrt(a: Any) -> Any:
    """√a."""
    return np.sqrt(a)


@_small
def sin(a: Any) -> Any:
    """sin a."""
    return np.sin(a)


@_small
def cos(a: Any) -> Any:
    """cos a."""
    return np.cos(a)


@_small
def exp2(a: Any) -> Any:
    """2 to the a."""
    return np.exp2(a)


@_small
def expm1(a: Any) -> Any:
    """eᵃ - 1."""
    return np.expm1(a)


@_small
def log2(a: Any) -> Any:
    """log a, to the base 2."""
    return np.log2(a)


@_small
def log10(a: Any) -> Any:
    """log a, to the base 10."""
    return np.log10(a)


@_small
def cbrt(a: Any) -> Any:
    """∛a."""
    return np.cbrt(a)


@_small
def tan(a: Any) -> Any:
    """tan a."""
    return np.tan(a)


@_small
def arcsin(a: Any) -> Any:
    """arcsin a."""
    return np.arcsin(a)


@_small
def arccos(a: Any) -> Any:
    """arccos a."""
    return np.arccos(a)


@_small
def arctan(a: Any) -> Any:
    """arctan a."""
    return np.arctan(a)


@_small
def sinh(a: Any) -> Any:
    """sinh a."""
    return np.sinh(a)


@_small
def cosh(a: Any) -> Any:
    """cosh a."""
    return np.cosh(a)


@_small
def arcsinh(a: Any) -> Any:
    """arcsinh a."""
    return np.arcsinh(a)


@_small
def arccosh(a: Any) -> Any:
    """arccosh a."""
    return np.arccosh(a)


@_small
def arctanh(a: Any) -> Any:
    """arctanh a."""
    return np.arctanh(a)


@_small
def floor(a: Any) -> Any:
    """a rounded down."""
    return np.floor(a)


@_small
def ceil(a: Any) -> Any:
    """a rounded up."""
    return np.ceil(a)


@_small
def trunc(a: Any) -> Any:
    """a rounded towards 0."""
    return np.trunc(a)


@_small
def rint(a: Any) -> Any:
    """a rounded to the nearest whole number."""
    return np.rint(a)


@_small
def arctan2(a: Any, b: Any) -> Any:
    """The angle of the point (b, a)."""
    return np.arctan2(a, b)


@_small
def remainder(a: Any, b: Any) -> Any:
    """The remainder of a divided by b."""
    return np.remainder(a, b)


@_small
def sign(a: Any) -> Any:
    """1, 0 or -1; NaN for NaN."""
    return np.sign(a)


@_small
def square(a: Any) -> Any:
    """a²."""
    return a * a


@_small
def cell(row: Any, column: Any) -> Any:
    """The counter of a row and a column, from which random bits are made (see `Dropout`)."""
    at = (np.uint64(row + 1) << np.uint64(32)) | np.uint64(column)
    return at * np.uint64(0x9E3779B97F4A7C15)


@_small
def share(n: Any, k: Any, shards: Any) -> Any:
    """The index where the part of shard k begins, of n items."""
    return n * k if shards == 1 else n * k // shards  # a division takes as long as a short row


# -- arrays -------------------------------------------------------------------------------------


@intrinsic
def shaped(typing: Any, array: Any, shape: Any) -> Any:
    """The array's memory in another shape, which may have fewer elements."""
    # NumPy's reshape in compiled code calls into Numba, and so would not run without it.
    if array.layout != "C":
        raise TypeError("only an array in one piece has another shape")
    form = array.copy(ndim=len(shape))

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        old = context.make_array(array)(context, builder, args[0])
        lengths = cgutils.unpack_tuple(builder, args[1])
        return laid_out(context, builder, form, old.data, lengths)

    return form(array, types.UniTuple(types.intp, len(shape))), codegen


# -- threads ------------------------------------------------------------------------------------

# `crew` is an array of counters that all threads of a step share.


@intrinsic
def _add(typing: Any, counters: Any, place: Any, amount: Any) -> Any:
    """Add to a counter atomically; gives its old value."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        at = builder.gep(array.data, [args[1]])
        return builder.atomic_rmw("add", at, args[2], "seq_cst")

    return types.int64(counters, types.int64, types.int64), codegen


@intrinsic
def _look(typing: Any, counters: Any, place: Any) -> Any:
    """The value of a counter, read atomically."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.load_atomic(builder.gep(array.data, [args[1]]), "acquire", 8)

    return types.int64(counters, types.int64), codegen


_PAUSE = {"x86_64": "llvm.x86.sse2.pause", "amd64": "llvm.x86.sse2.pause"}.get(
    platform.machine().lower()
)


@intrinsic
def _pause(typing: Any) -> Any:
    """Tell the processor that this is a waiting loop."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _PAUSE:
            form = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, form, _PAUSE), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _call(typing: Any, address: Any) -> Any:
    """Call a C function without arguments."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        form = ir.FunctionType(ir.IntType(32), [])
        builder.call(builder.inttoptr(args[0], form.as_pointer()), [])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@numba.njit(nogil=True, error_model="numpy", **ALONE)
def wait(crew: Any, shards: Any) -> None:
    """Wait until all threads have come here."""
    if shards == 1:
        return
    turn: Any = _look(crew, MET)
    if _add(crew, WAITING, 1) == shards - 1:
        _add(crew, WAITING, -shards)
        _add(crew, MET, 1)
        return
    spins = 0
    while _look(crew, MET) == turn:
        _pause()
        spins += 1
        if spins == 1000:  # a thread may be waiting for this very core
            spins = 0
            if _look(crew, FAILED):
                return
            if crew[YIELD]:
                _call(crew[YIELD])


# -- sums over the rows of all threads ------------------------------------------------------------


@numba.njit(**ALONE, **OPTIONS)
def together(crew: Any, k: Any, shards: Any, part: Any, parts: Any, out: Any) -> None:
    """out = the sum of the parts of all shards, in their order."""
    own = parts[k]
    mine: Any = shaped(part, (part.size,))
    to: Any = shaped(out, (out.size,))
    for j in range(mine.shape[0]):
        own[j] = mine[j]
    wait(crew, shards)
    for j in range(to.shape[0]):
        to[j] = parts[0, j]
    for s in range(1, shards):
        for j in range(to.shape[0]):
            to[j] += parts[s, j]


@numba.njit(nogil=True, error_model="numpy", **ALONE)
def together_number(crew: Any, k: Any, shards: Any, part: Any, parts: Any) -> Any:
    """The sum of a number's parts over all shards, in their order."""
    parts[k, 0] = part
    wait(crew, shards)
    whole = 0.0
    for s in range(shards):
        whole += parts[s, 0]
    return whole


# -- what the loop of a step calls ----------------------------------------------------------------


@numba.njit(**ALONE, **OPTIONS)
def put(to: Any, new: Any) -> Any:
    """to[...] = new; gives 0, or NaN if a number is not finite."""
    check = 0.0
    a: Any = shaped(to, (to.size,))
    b: Any = shaped(new, (new.size,))
    for i in range(a.shape[0]):
        a[i] = b[i]
        check += b[i] * 0.0
    return check


@_helper
def add_shards(g: Any, others: Any, k: Any, shards: Any) -> Any:
    """g += the other shards' gradients, for one thread's part of g; gives Σ g² of the part."""
    low, high = share(g.size, k, shards), share(g.size, k + 1, shards)
    mine, theirs, squares = g[low:high], others[:, low:high], 0.0
    for s in range(theirs.shape[0]):
        for i in range(mine.shape[0]):
            mine[i] += theirs[s, i]
    for i in range(mine.shape[0]):
        squares += np.float64(mine[i]) * np.float64(mine[i])
    return squares


@numba.njit(nogil=True, error_model="numpy", **ALONE)
def limited(checks: Any, shards: Any, limits: Any) -> Any:
    """The factor of the gradients that brings their norm to at most each of two limits (0: none)."""
    squares = 0.0
    for s in range(shards):
        squares += checks[s, 2]
    norm, scale = np.sqrt(squares), 1.0
    for limit in limits:
        if limit > 0 and norm * scale > limit:
            scale = limit / norm
    return scale
