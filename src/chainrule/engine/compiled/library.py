"""What multiplies large matrices: BLAS, and products of our own, compiled once for a processor.

A kernel takes the addresses as an argument, so its machine code depends on neither, and products that
take long to compile are not compiled again with every kernel.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.aligned import room
from chainrule.engine.compiled.blas import blas
from chainrule.engine.compiled.constants import TILED
from chainrule.engine.compiled.machine import Kernel, kernel

__all__ = ["NO_PRODUCTS", "Products", "products"]

DTYPES: tuple[np.dtype[Any], ...] = (np.dtype(np.float32), np.dtype(np.float64))

#: The addresses of BLAS's gemm, and of our `affine`, `dot_t` and `dot_by_t`; 0 for what is not used.
Addresses = tuple[int, int, int, int]
#: Those for float32, and those for float64: a network of one may have products of the other.
Products = tuple[Addresses, Addresses]
NO_PRODUCTS: Products = ((0, 0, 0, 0), (0, 0, 0, 0))

_TEXT = '''"""One product of large matrices, of any lengths, for kernels that call it by its address."""

from chainrule.engine.compiled.kernels import kernel
from chainrule.engine.compiled.large import {name}

@kernel
def product(a, b, {given}, room):
    {name}(a, b, {given}, room)
    return 0
'''
_GIVEN = {
    "affine_part": ("bias", "out", "low", "high"),
    "dot_t_part": ("out", "low", "high", "left", "right"),
    "dot_by_t_part": ("out", "low", "high"),
}


def products(sizes: Iterable[tuple[np.dtype[Any], int]]) -> Products:
    """What a kernel needs whose products have these dtypes, and so many multiplications."""
    most: dict[np.dtype[Any], int] = dict.fromkeys(DTYPES, 0)
    for dtype, size in sizes:
        if dtype in most:
            most[dtype] = max(most[dtype], size)
    single, double = (_addresses(dtype, size) for dtype, size in most.items())
    return single, double


def _addresses(dtype: np.dtype[Any], most: int) -> Addresses:
    gemm = blas().address(dtype) if most else 0
    if most < TILED:
        return gemm, 0, 0, 0
    affine, dot_t, dot_by_t = (_product(name, dtype).address for name in _GIVEN)
    return gemm, affine, dot_t, dot_by_t


@functools.cache
def _product(name: str, dtype: np.dtype[Any]) -> Kernel:
    """The machine code of a product."""
    given: dict[str, Any] = {}
    for argument in ("a", "b", *_GIVEN[name], "room"):
        shape = (1,) if argument in ("bias", "room") else (1, 1)
        number = argument in ("low", "high", "left", "right")
        given[argument] = 0 if number else room(shape, dtype)
    return kernel(_TEXT.format(name=name, given=", ".join(_GIVEN[name])), "product", given, None)
