"""The source text of each elementwise primitive in a kernel, in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine.compiled.helpers import HELPERS
from chainrule.engine.compiled.values import no_form
from chainrule.engine.names import bare
from chainrule.engine.primitives import cast, filled

if TYPE_CHECKING:
    from chainrule.engine.compiled.symbolic import Value

__all__ = ["FORMULAS", "formula", "needs_helper", "text_of"]

#: The text of one element from those of the operands; a word before "(" is a helper to import.
FORMULAS: dict[Any, str] = {
    np.add: "({} + {})",
    np.subtract: "({} - {})",
    np.multiply: "({} * {})",
    np.divide: "({} / {})",
    np.negative: "(-{})",
    np.positive: "{}",
    np.power: "({} ** {})",
    np.reciprocal: "({} / {})",
    np.exp: "exp({})",
    np.log: "log({})",
    np.log1p: "log1p({})",
    np.tanh: "tanh({})",
    np.sqrt: "sqrt({})",
    np.sin: "sin({})",
    np.cos: "cos({})",
    np.exp2: "exp2({})",
    np.expm1: "expm1({})",
    np.log2: "log2({})",
    np.log10: "log10({})",
    np.cbrt: "cbrt({})",
    np.tan: "tan({})",
    np.arcsin: "arcsin({})",
    np.arccos: "arccos({})",
    np.arctan: "arctan({})",
    np.sinh: "sinh({})",
    np.cosh: "cosh({})",
    np.arcsinh: "arcsinh({})",
    np.arccosh: "arccosh({})",
    np.arctanh: "arctanh({})",
    np.floor: "floor({})",
    np.ceil: "ceil({})",
    np.trunc: "trunc({})",
    np.rint: "rint({})",
    np.arctan2: "arctan2({}, {})",
    np.remainder: "remainder({}, {})",
    np.absolute: "abs({})",
    np.sign: "sign({})",
    np.square: "square({})",
    np.maximum: "maximum({}, {})",
    np.minimum: "minimum({}, {})",
    np.where: "where({}, {}, {})",
    np.equal: "({} == {})",
    np.not_equal: "({} != {})",
    np.less: "({} < {})",
    np.less_equal: "({} <= {})",
    np.greater: "({} > {})",
    np.greater_equal: "({} >= {})",
    np.logical_and: "({} & {})",
    np.logical_or: "({} | {})",
    np.logical_not: "(not {})",
    np.bitwise_and: "({} & {})",
    np.bitwise_or: "({} | {})",
    np.invert: "(~{})",
    np.bitwise_xor: "({} ^ {})",
    np.left_shift: "({} << {})",
    np.right_shift: "({} >> {})",
    np.isfinite: "isfinite({})",
    filled: "{}",
}


def needs_helper(function: Any) -> str | None:
    """The helper function that the primitive's text calls; None if it calls none."""
    name = FORMULAS[function].split("(")[0]
    return name if name in HELPERS else None


def formula(v: Value, texts: Sequence[str], imports: set[str]) -> str:
    """The text of an element of v, from the texts of its operands' elements."""
    f = v.function
    if f is cast:
        if v.dtype.kind == "b":
            return f"({texts[0]} != 0)"
        imports.add(v.dtype.name)
        return f"{v.dtype.name}({bare(texts[0])})"
    form = FORMULAS.get(f)
    if form is None:
        raise no_form(f)
    if f is np.invert and v.dtype.kind == "b":
        form = FORMULAS[np.logical_not]
    if "(" in form[1:]:  # within a call, brackets around the whole of an argument say nothing
        texts = [bare(text) for text in texts]
    helper = needs_helper(f)
    if helper:
        imports.add(helper)
    return form.format(*texts)


_NAMES = {0.0: "zero", 1.0: "one", 2.0: "two", 3.0: "three", 4.0: "four", 0.5: "half",
          -1.0: "minus_one", -1.5: "minus_three_halves", 1.5: "three_halves", float("inf"): "highest",
          float("-inf"): "lowest", -2.0: "minus_two", -0.5: "minus_half"}  # fmt: skip


def text_of(value: Any, dtype: np.dtype[Any], usual: np.dtype[Any]) -> str:
    """A name for a literal number."""
    name = _NAMES.get(value, "number")
    return name if dtype == usual else f"{name}_{dtype.name}"
