"""The sha256 of what a training begins with, of its data and parameters: equal for equal bits."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from chainrule.networks.parts import ROWS

__all__ = ["digest"]


def digest(*values: object) -> str:
    """The sha256 of arrays (dtypes, shapes and numbers), numbers and texts, in lists and dicts too.

    Arrays are read in parts, since one may be a mapped file larger than memory. A value that is
    none of these counts as its `repr`.

    >>> import numpy as np
    >>> digest(np.arange(3)) == digest(np.arange(3)), digest(np.arange(3)) == digest(np.arange(3.0))
    (True, False)
    >>> digest({"a": [1, "b"], "c": 2}) == digest({"c": 2, "a": [1, "b"]})
    True
    """
    whole = hashlib.sha256()
    for value in values:
        _enter(whole, value)
    return whole.hexdigest()


def _enter(whole: Any, value: object) -> None:
    if isinstance(value, dict):
        whole.update(f"{{{len(value)}}}".encode())
        for key in sorted(value):
            _enter(whole, key)
            _enter(whole, value[key])
    elif isinstance(value, list | tuple):
        whole.update(f"[{len(value)}]".encode())
        for each in value:
            _enter(whole, each)
    elif isinstance(value, np.ndarray):
        whole.update(f"{value.dtype.str}{value.shape};".encode())
        for start in range(0, len(value), ROWS) if value.ndim else (0,):
            part = value[start : start + ROWS] if value.ndim else value
            whole.update(np.ascontiguousarray(part).tobytes())
    else:
        plain = value.item() if isinstance(value, np.generic) else value
        whole.update(f"{plain!r};".encode())
