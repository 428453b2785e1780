"""Trees: arrays in lists, tuples and dicts, such as the parameters of a user's own model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from copy import copy
from typing import Any

import numpy as np

from chainrule.graph.variable import Variable

__all__ = ["has_variable", "is_numeric", "leaves", "mapped"]

_NUMBERS = (bool, int, float, complex, np.number, np.bool_)


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same lists, tuples and dicts with `function` of every leaf.

    A leaf is a Variable, an array, a number, or anything else that is no list, tuple or dict. A list
    of nothing but numbers is an array, as it is for NumPy.

    >>> mapped(lambda a: a + 1, {"W": [1.0, np.ones(2)], "b": (0.5, None, np.zeros(1))})
    {'W': [2.0, array([2., 2.])], 'b': (1.5, None, array([1.]))}
    """
    if tree is None:
        return None
    if isinstance(tree, Mapping):
        items = {key: mapped(function, part) for key, part in tree.items()}
        if type(tree) is dict:
            return items
        if isinstance(tree, MutableMapping):  # defaultdict and others have other constructors
            of_its_kind = copy(tree)
            of_its_kind.update(items)
            return of_its_kind
        return type(tree)(items)  # type: ignore[call-arg]
    if isinstance(tree, list | tuple) and not _all_numbers(tree):
        parts = [mapped(function, part) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return function(tree)


def leaves(tree: object) -> Iterator[object]:
    """Every leaf of a tree, in order.

    >>> list(leaves({"W": [1.0, (2.0, None)], "b": "text"}))
    [1.0, 2.0, 'text']
    """
    if isinstance(tree, Mapping):
        for part in tree.values():
            yield from leaves(part)
    elif isinstance(tree, list | tuple) and not _all_numbers(tree):
        for part in tree:
            yield from leaves(part)
    elif tree is not None:
        yield tree


def _all_numbers(parts: Collection[object]) -> bool:
    """Whether a list, or lists in a list, hold nothing but numbers."""
    return bool(parts) and all(
        _all_numbers(p) if isinstance(p, list | tuple) else isinstance(p, _NUMBERS) for p in parts
    )


def is_numeric(leaf: Any) -> bool:
    """Whether there can be a gradient for a leaf: a Variable, numbers, or an array of them."""
    if isinstance(leaf, Variable):
        return True
    if isinstance(leaf, str | bytes) or callable(leaf):
        return False
    return np.asarray(leaf).dtype.kind in "biufc"


def has_variable(tree: object) -> bool:
    """Whether one of the leaves is a Variable."""
    return any(isinstance(leaf, Variable) for leaf in leaves(tree))
