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

#: The addresses of BLAS's gemm, and of our `affine`, `dot_t`, `dot_by_t`, and `dot_t` in parts; 0 for
#: what is not used.
Addresses = tuple[int, int, int, int, int]
#: Those for float32, and those for float64: a network of one may have products of the other.
Products = tuple[Addresses, Addresses]
NO_PRODUCTS: Products = ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0))

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
    "dot_t_of_parts": ("out", "low", "high", "n", "before", "first", "many", "parts"),
}


def products(sizes: Iterable[tuple[np.dtype[Any], int]], *, parted: bool = False) -> Products:
    """What a kernel needs whose products have these dtypes, and so many multiplications.

    `parted` if sums over rows are made in parts.
    """
    most: dict[np.dtype[Any], int] = dict.fromkeys(DTYPES, 0)
    for dtype, size in sizes:
        if dtype in most:
            most[dtype] = max(most[dtype], size)
    single, double = (_addresses(dtype, size, parted) for dtype, size in most.items())
    return single, double


def _addresses(dtype: np.dtype[Any], most: int, parted: bool) -> Addresses:
    large = most >= TILED
    needed = {
        "affine_part": large,
        "dot_t_part": large,
        "dot_by_t_part": large,
        "dot_t_of_parts": most and parted,
    }
    affine, dot_t, dot_by_t, in_parts = (
        _product(name, dtype).address if needed[name] else 0 for name in _GIVEN
    )
    return blas().address(dtype) if most else 0, affine, dot_t, dot_by_t, in_parts


@functools.cache
def _product(name: str, dtype: np.dtype[Any]) -> Kernel:
    """The machine code of a product."""
    given: dict[str, Any] = {}
    for argument in ("a", "b", *_GIVEN[name], "room"):
        shape = (1,) if argument in ("bias", "room") else (1, 1)
        array = argument in ("a", "b", "bias", "out", "room")
        given[argument] = room(shape, dtype) if array else 0
    return kernel(_TEXT.format(name=name, given=", ".join(_GIVEN[name])), "product", given, None)
