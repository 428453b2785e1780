"""ONNX's operators that move numbers, or make lengths and shapes, as functions of chainrule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.errors import FormatError
from chainrule.files.onnx.calls import Call, Meaning, constant, largest, shapes_of
from chainrule.files.onnx.checks import DTYPES
from chainrule.graph import functions as f
from chainrule.graph.functions import elementwise as el
from chainrule.graph.variable import Variable
from chainrule.lang.messages import _

__all__ = ["SHAPING"]


def _reshape(call: Call) -> Any:
    x, target = call.inputs[0], call.whole("shape", 1)
    if not call.settings.get("allowzero"):
        target = [x.shape[i] if n == 0 else n for i, n in enumerate(target)]
    return f.reshape(x, tuple(target))


def _no_more(call: Call) -> int:
    """No more than the first input has."""
    return math.prod(shapes_of(call)[0])


def _one(call: Call) -> int:
    return 1


def _flatten(call: Call) -> Any:
    x = call.inputs[0]
    axis = call.settings.get("axis", 1)
    axis = axis % x.ndim if axis < 0 else axis
    return f.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def _squeeze(call: Call) -> Any:
    axes = call.whole("axes", 1)
    return f.squeeze(call.inputs[0], None if not axes else tuple(axes))


def _unsqueeze(call: Call) -> Any:
    x, axes = call.inputs[0], call.whole("axes", 1)
    rank = np.ndim(x) + len(axes) if not isinstance(x, Variable) else x.ndim + len(axes)
    for axis in sorted(a % rank for a in axes):
        x = f.expand_dims(x, axis)
    return x


def _transpose(call: Call) -> Any:
    return f.transpose(call.inputs[0], call.settings.get("perm"))


def _concat(call: Call) -> Any:
    return f.concatenate(list(call.inputs), call.settings["axis"])


def _joined_size(call: Call) -> int:
    return sum(math.prod(shape) for shape in shapes_of(call))


def _slice(call: Call) -> Any:
    x = call.inputs[0]
    starts, ends = call.whole("starts", 1), call.whole("ends", 2)
    axes = call.whole("axes", 3) or list(range(len(starts)))
    steps = call.whole("steps", 4) or [1] * len(starts)
    key = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        n = x.shape[axis]
        low, high, by = slice(start, end, step).indices(n)
        if step < 0:
            high = None if end < -n else high  # type: ignore[assignment]
        key[axis] = slice(low, high, by)
    return x[tuple(key)]


def _split(call: Call) -> Any:
    x, axis = call.inputs[0], call.settings.get("axis", 0)
    parts = call.whole("split", 1)
    if not parts:
        n = -(-x.shape[axis] // call.outputs)
        parts = [n] * (call.outputs - 1) + [x.shape[axis] - n * (call.outputs - 1)]
    ends = np.cumsum(parts).tolist()
    return tuple(f.split(x, ends[:-1], axis))


def _gather(call: Call) -> Any:
    x, ids = call.inputs
    axis = call.settings.get("axis", 0) % x.ndim
    ids = ids if isinstance(ids, Variable) or np.ndim(ids) else int(ids)
    return x[(*(slice(None),) * axis, ids)]


def _gather_size(call: Call) -> int:
    x, ids = shapes_of(call)
    axis: int = call.settings.get("axis", 0)
    return math.prod(x) // max(x[axis], 1) * math.prod(ids)


def _gather_elements(call: Call) -> Any:
    x, ids = call.inputs
    return f.take_along_axis(x, ids, call.settings.get("axis", 0))


def _gather_nd(call: Call) -> Any:
    x, ids = call.inputs
    if call.settings.get("batch_dims"):
        raise FormatError(_("GatherND with batch_dims"))
    return x[tuple(ids[..., i] for i in range(ids.shape[-1]))]


def _gather_nd_size(call: Call) -> int:
    x, ids = shapes_of(call)
    return math.prod(ids[:-1]) * math.prod(x[ids[-1] :])


def _scatter_elements(call: Call) -> Any:
    """x with other numbers at ids along an axis, or with numbers added there."""
    x, ids, values = call.inputs
    axis = call.settings.get("axis", 0) % x.ndim
    grid = [np.arange(n).reshape(-1, *(1,) * (x.ndim - 1 - i)) for i, n in enumerate(ids.shape)]
    key = tuple(ids if i == axis else grid[i] for i in range(x.ndim))
    added = f.index_add(values, key, x.shape)
    if call.settings.get("reduction", "none") == "add":
        return x + added
    there = f.index_add(np.ones(ids.shape), key, x.shape)
    return el.where(there > 0, added, x)


def _expand(call: Call) -> Any:
    x = call.inputs[0]
    shape = np.broadcast_shapes(x.shape, tuple(call.whole("shape", 1)))
    return f.broadcast_to(x, shape)


def _expand_size(call: Call) -> int:
    return math.prod(np.broadcast_shapes(shapes_of(call)[0], tuple(call.whole("shape", 1))))


def _tile(call: Call) -> Any:
    return f.tile(call.inputs[0], call.whole("repeats", 1))


def _tile_size(call: Call) -> int:
    repeats: list[int] = call.whole("repeats", 1)
    return _no_more(call) * math.prod(repeats)


def _shape(call: Call) -> Any:
    shape = np.array(call.inputs[0].shape, np.int64)
    return shape[slice(call.settings.get("start"), call.settings.get("end"))]


def _constant_of_shape(call: Call) -> Any:
    value = call.settings.get("value", np.zeros(1, np.float32))
    return np.full([int(n) for n in constant(call.inputs[0])], value.ravel()[0], value.dtype)


def _filled_size(call: Call) -> int:
    return math.prod(int(n) for n in constant(call.inputs[0]))


def _range(call: Call) -> Any:
    start, stop, step = (constant(v).ravel()[0] for v in call.inputs)
    return np.arange(start, stop, step)


def _range_size(call: Call) -> int:
    start, stop, step = (float(constant(v).ravel()[0]) for v in call.inputs)
    return int(abs((stop - start) / step)) + 1


def _constant(call: Call) -> Any:
    for name, value in call.settings.items():
        if name == "value":
            return value
        kind = np.float32 if "float" in name else np.int64 if "int" in name else object
        return np.array(value, kind)
    raise FormatError(_("a constant without a value"))


def _cast(call: Call) -> Any:
    code = call.settings["to"]
    name = DTYPES.get(code, ("", ""))[0]
    if name in ("", "str"):
        raise FormatError(_("Cast to a dtype that is not read"))
    dtype = np.dtype("float32" if name == "float16" else name)
    x = call.inputs[0]
    if isinstance(x, np.ndarray) and x.dtype.kind not in "biuf":
        raise FormatError(_("Cast of texts"))
    return x.astype(dtype) if not np.isscalar(x) else dtype.type(x)


def _one_hot(call: Call) -> Any:
    ids, depth, ends = call.inputs
    n = int(constant(depth).ravel()[0])
    off, on = constant(ends).ravel().tolist()
    rows = f.one_hot(ids % n, n, constant(ends).dtype)
    axis = call.settings.get("axis", -1)
    rows = rows if (on, off) == (1, 0) else off + (on - off) * rows
    return rows if axis in (-1, rows.ndim - 1) else f.moveaxis(rows, -1, axis)


def _one_hot_size(call: Call) -> int:
    return _no_more(call) * abs(int(constant(call.inputs[1]).ravel()[0]))


def _same(call: Call) -> Any:
    return call.inputs[0]


#: Each operator by its name.
SHAPING: dict[str, Meaning] = {
    "Cast": Meaning(_cast, _no_more),
    "Concat": Meaning(_concat, _joined_size),
    "Constant": Meaning(_constant, _one),
    "ConstantOfShape": Meaning(_constant_of_shape, _filled_size),
    "Dropout": Meaning(_same, _no_more),
    "Expand": Meaning(_expand, _expand_size),
    "Flatten": Meaning(_flatten, _no_more),
    "Gather": Meaning(_gather, _gather_size),
    "GatherElements": Meaning(_gather_elements, largest),
    "GatherND": Meaning(_gather_nd, _gather_nd_size),
    "Identity": Meaning(_same, _no_more),
    "OneHot": Meaning(_one_hot, _one_hot_size),
    "Range": Meaning(_range, _range_size),
    "Reshape": Meaning(_reshape, _no_more),
    "ScatterElements": Meaning(_scatter_elements, largest),
    "Shape": Meaning(_shape, _one),
    "Slice": Meaning(_slice, _no_more),
    "Split": Meaning(_split, _no_more),
    "Squeeze": Meaning(_squeeze, _no_more),
    "Tile": Meaning(_tile, _tile_size),
    "Transpose": Meaning(_transpose, _no_more),
    "Unsqueeze": Meaning(_unsqueeze, _no_more),
}
