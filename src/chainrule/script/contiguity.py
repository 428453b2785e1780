"""The memory layout of NumPy's results, which determines the order in which sums are added."""

from __future__ import annotations

import numpy as np

from chainrule.engine.primitives import filled
from chainrule.engine.trace import Traced
from chainrule.graph.variable import Array
from chainrule.nodes.random import cells

__all__ = ["Layout"]


class Layout:
    """Finds out whether NumPy's result of an operation is C-contiguous, by running it on zeros."""

    def __init__(self) -> None:
        self._arrays: dict[Traced, Array] = {}
        self._plain: dict[Traced, bool] = {}

    def is_plain(self, v: Traced) -> bool:
        """Whether the result needs no copy to be C-contiguous; views are left as they are."""
        if v.ndim < 2 or v.is_view or v.weak or v.function in (np.matmul, filled, cells):
            return True
        if v not in self._plain:
            operands = [o for o in v.operands if o.ndim > 1]
            plain = all(self._like(o).flags.c_contiguous for o in operands if o.is_view)
            self._plain[v] = plain or self._is_contiguous(v)
        return self._plain[v]

    def _is_contiguous(self, v: Traced) -> bool:
        run = getattr(v.function, "stand_in", v.function)
        assert run is not None
        with np.errstate(all="ignore"):
            result = run(*map(self._argument, v.args), **v.kwargs)
        return bool(np.asarray(result).flags.c_contiguous)

    def _argument(self, arg: object) -> object:
        if isinstance(arg, Traced):
            return (arg.known or 0) if arg.weak else self._like(arg)
        if isinstance(arg, tuple | list):
            return type(arg)(map(self._argument, arg))
        return arg

    def _like(self, v: Traced) -> Array:
        if v not in self._arrays:
            if v.is_view and v.function is not None:
                source = v.args[0]
                operand = np.zeros((), v.dtype) if source.weak else self._like(source)
                self._arrays[v] = np.asarray(v.function(operand, *v.args[1:], **v.kwargs))
            else:
                self._arrays[v] = np.zeros(v.shape, v.dtype)
        return self._arrays[v]
