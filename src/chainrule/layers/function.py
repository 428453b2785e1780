"""Function: a function without parameters as a layer, such as `cr.tanh` in a Sequential."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import SettingError, shown
from chainrule.graph import functions
from chainrule.graph.functions.elementwise import OF_ONE
from chainrule.graph.variable import UFUNCS, Variable
from chainrule.lang.messages import _, listed, says
from chainrule.layers.base import Layer
from chainrule.nodes.base import Value

__all__ = ["Function"]

#: The functions that a model file may name: one array in, one of the same shape out.
KEPT: dict[str, Callable[[Value], Value]] = {**OF_ONE, "softmax": functions.softmax}


class Function(Layer):
    """y = f(x) for a function f of one array: `cr.tanh`, or one of your own, such as a lambda.

    In a Sequential give just the function. It runs on Variables, so write it with operators and
    chainrule's or NumPy's functions; its gradient follows from them. A model file stores
    chainrule's functions by name; a function of your own is Python code, which no file contains.

    >>> import chainrule as cr, numpy as np
    >>> cr.Function(lambda x: x * cr.sigmoid(x)).forward(np.array([0.0, 100.0]))
    array([  0., 100.])
    >>> cr.Sequential(cr.Affine.sized(2, 3), cr.tanh, cr.Affine.sized(3, 1))
    Sequential(0=Affine(W: 2×3, b: 3), 1=Function(tanh), 2=Affine(W: 3×1, b: 1), loss=None)
    """

    def __init__(self, function: Callable[[Value], Value] | str) -> None:
        super().__init__()
        if isinstance(function, str):
            if function not in KEPT:
                raise SettingError(
                    _(
                        'Function("{name}") is not known. Known by name: {names}.',
                        name=function,
                        names=listed(KEPT),
                    )
                )
            function = KEPT[function]
        if isinstance(function, type) or not callable(function):
            raise SettingError(
                _(
                    "Function({given}): give a function of one array, such as cr.tanh.",
                    given=shown(function),
                )
            )
        if isinstance(function, np.ufunc):
            function = UFUNCS.get(function, function)
        self.function = function

    @property
    def kept(self) -> str | None:
        """The function's name in a model file; None for a function of your own."""
        return next((name for name, known in KEPT.items() if known is self.function), None)

    @says("y = f(x).")
    def formula(self, x: Value) -> Value:
        y = self.function(x)
        if not isinstance(y, Variable):
            raise SettingError(
                _(
                    "{layer} gave {given} for a Variable: a function in a network is written with"
                    " operators, chainrule's functions or NumPy's, and returns what they give.",
                    layer=repr(self),
                    given=shown(y, 40),
                )
            )
        return y

    @property
    def label(self) -> str:
        """The name of the function."""
        return str(getattr(self.function, "__name__", "function"))

    def __repr__(self) -> str:
        return f"Function({self.label})"

    def __getstate__(self) -> dict[str, object]:
        # By name where there is one, since that means the same function in every process.
        return {**super().__getstate__(), "function": self.kept or self.function}

    def __setstate__(self, state: dict[str, Any]) -> None:
        function = state["function"]
        self.__dict__.update(
            state, function=KEPT[function] if isinstance(function, str) else function
        )
