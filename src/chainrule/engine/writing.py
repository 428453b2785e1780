"""The source lines of one operation: a NumPy call or two that write into the planned memory."""

from __future__ import annotations

import numpy as np

from chainrule.engine.choosing import WORDS, chosen, mask_shape
from chainrule.engine.primitives import (
    cast,
    checked,
    filled,
    item,
    pick,
    put_flat,
    take_flat,
    take_rows,
)
from chainrule.engine.texts import Texts
from chainrule.engine.trace import Traced
from chainrule.nodes.indexing import add_at

__all__ = ["lines_of"]

_REDUCE = {np.sum: "add", np.prod: "multiply", np.max: "maximum", np.min: "minimum"}
#: Fewer elements are chosen sooner by jumps than by five calls.
_MANY = 512


def lines_of(texts: Texts, value: Traced, out: str | None) -> list[str]:
    """The lines that compute a value into the array `out`; without it, into a new array."""
    f, args = value.function, value.args
    assert f is not None
    if isinstance(f, np.ufunc):
        return [_call(texts, value, _ufunc_name(texts, value), _operands(texts, value), out)]
    if f is np.where:
        return _where(texts, value, out)
    if f in _REDUCE:
        return _reduction(texts, value, out)
    x = texts.text(args[0]) if args and isinstance(args[0], Traced) else ""
    if f is take_rows and out is not None:
        return [f"{x}.take({texts.text(args[1])}, 0, {out}, 'clip')"]
    if f is take_flat:
        call = f"{x}.take({texts.text(args[1])}, None, {out}, 'clip')"
        return [call if out is not None else f"{texts.text(value)} = {call}"]
    if f is put_flat:
        return _put(texts, value, out)
    if f is checked:
        copy = (
            f"{texts.function(np.copyto)}({out}, {x})"
            if out
            else f"{texts.text(value)} = {x}.copy()"
        )
        return [f"{texts.constant(args[1], 'check')}({x})", copy]
    if out is None:
        arguments = _arguments(texts, value)
        name = texts.text(value)
        if f is pick:
            return [f"{name} = {x}[{texts.key(args[1])}]"]
        if f is cast:
            return [f"{name} = {x}.astype({arguments[1]})"]
        if f is filled:
            return [f"{name} = {x}.copy()"]
        if f is item:
            return [f"{name} = {x}[{args[1]}]"]
        if f is take_rows:
            return [f"{name} = {x}[{arguments[1]}]"]
        return [f"{name} = {texts.function(f)}({', '.join(arguments)})"]
    if f in (np.concatenate, np.stack):
        parts = texts.text(tuple(args[0]))
        axis = value.kwargs["axis"]
        return [f"{texts.function(f)}({parts}, axis={axis}, out={out})"]
    if f is add_at:
        key = texts.plain(args[1]) if len(args[1]) > 1 else texts.text(args[1][0])
        return [
            f"{out}.fill(0)",
            f"{texts.constant(texts.small.setdefault('at', np.add.at), 'add_at')}({out}, {key}, {x})",
        ]
    if f is pick:
        return [f"{out}[...] = {x}[{texts.key(args[1])}]"]
    if f in (cast, filled):
        return [f"{texts.function(np.copyto)}({out}, {x}, 'unsafe')"]
    arguments = _arguments(texts, value)
    return [f"{out}[...] = {texts.function(f)}({', '.join(arguments)})"]


def _arguments(texts: Texts, value: Traced) -> list[str]:
    keywords = (f"{k}={texts.text(v)}" for k, v in value.kwargs.items())
    return [*map(texts.text, value.args), *keywords]


def _call(texts: Texts, value: Traced, function: str, operands: list[str], out: str | None) -> str:
    if out is None:
        return f"{texts.text(value)} = {function}({', '.join(operands)})"
    # NumPy takes the result of these two by keyword only.
    named = "out=" if value.function in (np.maximum, np.minimum) else ""
    return f"{function}({', '.join([*operands, named + out])})"


def _ufunc_name(texts: Texts, value: Traced) -> str:
    if value.function is np.matmul and value.ndim == 2:
        return texts.function(np.dot)  # the same product, with less around it
    assert value.function is not None
    return texts.function(value.function)


def _operands(texts: Texts, value: Traced) -> list[str]:
    """The operands of a ufunc; a known number is an array of the right dtype, which is faster."""
    ufunc = value.function
    assert isinstance(ufunc, np.ufunc)
    kinds = [
        (type(o.known) if o.known is not None else float) if o.weak else o.dtype for o in value.args
    ]
    loop = None
    operands = []
    for i, operand in enumerate(value.args):
        if operand.weak and operand.known is not None and not all(o.weak for o in value.args):
            loop = loop or ufunc.resolve_dtypes((*kinds, None))
            number = np.array(operand.known, dtype=loop[i])
            operands.append(texts.number(number))
        else:
            operands.append(texts.text(operand))
    return operands


def _put(texts: Texts, value: Traced, out: str | None) -> list[str]:
    x, indices = map(texts.text, value.args[:2])
    lines = []
    if out is None:
        out = texts.text(value)
        lines.append(f"{out} = {x}.copy()")
    elif out != x:
        lines.append(f"{texts.function(np.copyto)}({out}, {x})")
    new = value.args[2]
    if isinstance(new, Traced) and new.weak:
        new = new.known
    text = (
        texts.text(new)
        if isinstance(new, Traced)
        else texts.number(np.array(new, dtype=value.dtype))
    )
    return [*lines, f"{out}.put({indices}, {text}, 'clip')"]


def _where(texts: Texts, value: Traced, out: str | None) -> list[str]:
    condition, x, y = (
        texts.number(np.array(o.known, dtype=value.dtype))
        if o.weak and o.known is not None
        else texts.text(o)
        for o in value.args
    )
    name = texts.text(value) if out is None else out
    if _by_bits(value):
        choose = texts.function(chosen)
        if out is None:
            return [f"{name} = {choose}({condition}, {x}, {y})"]
        mask = texts.working(mask_shape(value.shape), WORDS[value.dtype], "mask")
        return [f"{choose}({condition}, {x}, {y}, {out}, {mask})"]
    if out is None:
        return [f"{name} = {texts.function(np.where)}({condition}, {x}, {y})"]
    copyto = texts.function(np.copyto)
    lines = [f"{copyto}({out}, {y})"] if y != out else []
    return [*lines, f"{copyto}({out}, {x}, 'same_kind', {condition})"]


def _by_bits(value: Traced) -> bool:
    """Whether `np.where` has enough elements for the bits to be blended, and of one dtype."""
    condition, *choices = value.args
    return (
        value.dtype in WORDS
        and value.size >= _MANY
        and condition.dtype == bool
        and all(o.known is not None if o.weak else o.dtype == value.dtype for o in choices)
    )


def _reduction(texts: Texts, value: Traced, out: str | None) -> list[str]:
    x: Traced = value.args[0]
    axes, keepdims = value.kwargs["axis"], value.kwargs["keepdims"]
    source = texts.text(x)
    if value.function is np.sum and x.ndim == 2 and x.dtype in (np.float32, np.float64):
        # A product with ones is NumPy's fastest sum of rows or columns.
        if axes == (0,):
            ones = np.ones((1, x.shape[0]) if keepdims else x.shape[0], x.dtype)
            return [_call(texts, value, texts.function(np.dot), [texts.ones(ones), source], out)]
        if axes == (1,):
            ones = np.ones((x.shape[1], 1) if keepdims else x.shape[1], x.dtype)
            return [_call(texts, value, texts.function(np.dot), [source, texts.ones(ones)], out)]
    ufunc = _REDUCE[value.function]  # type: ignore[index]
    method = texts.small.setdefault(("reduce", ufunc), getattr(np, ufunc).reduce)
    reduce = texts.constant(method, f"{ufunc}_reduce")
    axis = axes[0] if len(axes) == 1 else axes
    dtype = texts.constant(value.dtype, value.dtype.name)
    if out is None:
        return [f"{texts.text(value)} = {reduce}({source}, {axis}, {dtype}, None, {keepdims})"]
    if value in texts.bound and axes == (1,) and x.ndim == 2 and x.shape[1] <= 32 < x.size:
        # NumPy reduces few columns one number at a time, but rows with vector instructions.
        columns = texts.working(x.shape[::-1], x.dtype, "columns")
        flat = texts.constant(np.reshape(texts.bound[value], -1, copy=False), value.name or "v")
        turn = f"{texts.function(np.copyto)}({columns}, {source}.T)"
        return [turn, f"{reduce}({columns}, 0, {dtype}, {flat}, False)"]
    return [f"{reduce}({source}, {axis}, {dtype}, {out}, {keepdims})"]
