"""Arrays within compiled code, made of an address and lengths."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.np.arrayobj import populate_array

__all__ = ["laid_out"]


def laid_out(context: Any, builder: Any, kind: Any, data: Any, lengths: Any) -> Any:
    """Generate code that makes a contiguous array at the address `data`."""
    step = context.get_constant(types.intp, context.get_abi_sizeof(data.type.pointee))
    itemsize, strides = step, list[Any]()
    for length in reversed(lengths):
        strides.insert(0, step)
        step = builder.mul(step, length)
    made = context.make_array(kind)(context, builder)
    fill: Any = populate_array
    fill(made, data, lengths, strides, itemsize, None)
    return made._getvalue()
