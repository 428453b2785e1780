"""How NumPy's own results lie in memory, which decides in what order they are added up."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.primitives import filled
from chainrule.engine.trace import Traced
from chainrule.nodes.random import cells

__all__ = ["Layout"]


class Layout:
    """Whether NumPy's own result would lie in memory row by row: tried out, on zeros."""

    def __init__(self) -> None:
        self._seen: dict[Traced, npt.NDArray[Any]] = {}
        self._plain: dict[Traced, bool] = {}

    def is_plain(self, v: Traced) -> bool:
        """Whether the result is C-contiguous; views are what they are."""
        if v.ndim < 2 or v.is_view or v.weak or v.function in (np.matmul, filled, cells):
            return True
        if v not in self._plain:
            operands = [o for o in v.operands if o.ndim > 1]
            plain = all(self._like(o).flags.c_contiguous for o in operands if o.is_view)
            self._plain[v] = plain or self._tried(v)
        return self._plain[v]

    def _tried(self, v: Traced) -> bool:
        run = getattr(v.function, "stand_in", v.function)
        assert run is not None
        with np.errstate(all="ignore"):
            made = run(*map(self._given, v.args), **v.kwargs)
        return bool(np.asarray(made).flags.c_contiguous)

    def _given(self, arg: Any) -> Any:
        if isinstance(arg, Traced):
            return (arg.known or 0) if arg.weak else self._like(arg)
        if isinstance(arg, tuple | list):
            return type(arg)(map(self._given, arg))
        return arg

    def _like(self, v: Traced) -> npt.NDArray[Any]:
        if v not in self._seen:
            if v.is_view and v.function is not None:
                source = v.args[0]
                seen = np.zeros((), v.dtype) if source.weak else self._like(source)
                self._seen[v] = np.asarray(v.function(seen, *v.args[1:], **v.kwargs))
            else:
                self._seen[v] = np.zeros(v.shape, v.dtype)
        return self._seen[v]
