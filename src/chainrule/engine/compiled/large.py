"""Parts of products of large matrices, in tiles: what `library` compiles, and kernels call by address."""

from __future__ import annotations

from typing import Any

from chainrule.engine.compiled import tiles
from chainrule.engine.compiled.parted import dot_t_of_parts

__all__ = ["affine_part", "dot_by_t_part", "dot_t_of_parts", "dot_t_part"]


def affine_part(a: Any, b: Any, bias: Any, out: Any, low: Any, high: Any, room: Any) -> None:
    """Columns low to high of out = a b + bias; an empty bias is none."""
    first, end = min(low, len(bias)), min(high, len(bias))
    part = out[:, low:high]
    tiles.affine(a, b[:, low:high], bias[first:end], part, room, tiles.stored, ())


def dot_t_part(
    a: Any, b: Any, out: Any, low: Any, high: Any, left: Any, right: Any, room: Any
) -> None:
    """Rows low to high and columns left to right of out = aᵀ b."""
    part = out[low:high, left:right]
    tiles.dot_t(a[:, low:high], b[:, left:right], part, room, tiles.stored, ())


def dot_by_t_part(a: Any, b: Any, out: Any, low: Any, high: Any, room: Any) -> None:
    """Columns low to high of out = a bᵀ."""
    tiles.dot_by_t(a, b[low:high], out[:, low:high], room, tiles.stored, ())
