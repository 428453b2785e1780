"""Reads: what a formula reads besides its inputs, and whether it has changed since it was recorded.

A recorded step is run without Python. So whatever else the formula reads (globals, closures, dicts,
lists, attributes of objects, arrays that it computes with directly) is looked up when the step is
recorded, and compared before every run: after a change the step is recorded again.
"""

from __future__ import annotations

import dis
import functools
import sys
from collections import deque
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
)
from contextvars import ContextVar
from functools import partial
from types import CellType, CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np

from chainrule.graph.recording import Read
from chainrule.graph.revisions import Revision
from chainrule.graph.variable import Variable
from chainrule.lang.messages import Text, _
from chainrule.nodes.base import Array

__all__ = ["ArrayRead", "ContainerRead", "Walk", "outdated"]

#: Types whose values are compared by value, and not by identity.
_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
#: The entries of larger containers are not visited.
_MANY = 1000
#: Packages whose functions read no variables of the user.
_LIBRARIES = frozenset({*sys.stdlib_module_names, "chainrule", "numpy", "scipy"} - {"__main__"})
#: Stands for the value of a name that does not exist.
_GONE = object()
#: Containers that may change.
_CONTAINERS = (list, bytearray, MutableMapping, MutableSequence, MutableSet, deque)
#: Special methods that no expression in a formula calls.
_NOT_CALLED = {f"__{name}__" for name in (
    "new", "init", "del", "repr", "str", "setattr", "delattr", "setitem", "delitem", "reduce",
    "reduce_ex", "getstate", "setstate", "copy", "deepcopy", "init_subclass", "set_name", "dict",
    "class_getitem", "weakref", "doc", "module", "annotations", "slots", "sizeof", "dir", "hash",
    "match_args", "dataclass_fields", "dataclass_params", "replace", "eq",
)}  # fmt: skip


def outdated(reads: Iterable[Read]) -> bool:
    """Whether something that was read has changed since.

    >>> import numpy as np
    >>> a = np.array([1, 2])
    >>> reads = [ArrayRead(a)]
    >>> outdated(reads)
    False
    >>> a[0] = 3
    >>> outdated(reads)
    True
    """
    return any([read.changed() for read in reads])


class ArrayRead:
    """The contents of an array that the step does not read as an input."""

    def __init__(self, array: Array) -> None:
        self.array, self.original = array, array.copy()

    def changed(self) -> bool:
        """Whether its contents have changed."""
        if self.array.dtype.hasobject:
            return not all(map(_same, self.array.ravel().tolist(), self.original.ravel().tolist()))
        return not np.array_equal(_bits(self.array), _bits(self.original))


def _bits(array: Array) -> Array:
    """The array's bits as whole numbers, which compare quickly, and for which NaN equals NaN."""
    flat = np.ascontiguousarray(array).reshape(-1)
    size = flat.dtype.itemsize
    return flat.view(np.dtype(f"u{size}") if size in (1, 2, 4, 8) else np.uint8)


class ValueRead:
    """The value of a name: a global, a variable of an enclosing function, an attribute."""

    def __init__(self, name: str, get: Callable[[], object]) -> None:
        self.name, self.get = name, get
        self.value = get()

    def changed(self) -> bool:
        """Whether the name has another value now."""
        return not _same(self.get(), self.value)


class ContainerRead:
    """The contents of a list, dict or set, without computed Variables that a formula stores there."""

    def __init__(self, name: str, container: Any) -> None:
        self.name, self.container = name, container
        self.contents = _listed(container)
        #: A copy, if all values are plain: Python compares these in one call.
        self.plain = None
        if type(container) in (list, dict, set) and all(
            isinstance(v, _PLAIN) for v in self.contents
        ):
            self.plain = container.copy()

    def changed(self) -> bool:
        """Whether its contents have changed."""
        if self.plain is not None and self.container == self.plain:
            return False
        now = _listed(self.container)
        return len(now) != len(self.contents) or not all(map(_same, now, self.contents))


def _part(whole: str, part: str) -> str:
    """The name of a part, such as `self.rates[0]`; the name of the whole may be a message."""
    return _("{whole}{part}", whole=whole, part=part) if isinstance(whole, Text) else whole + part


def _listed(container: Iterable[object]) -> list[object]:
    if isinstance(container, Mapping):
        return [part for item in container.items() for part in item if not _computed(part)]
    return [part for part in container if not _computed(part)]


def _computed(value: object) -> bool:
    return isinstance(value, Variable) and value.call is not None


def _same(a: object, b: object) -> bool:
    if a is b:
        return True
    return isinstance(a, _PLAIN) and type(a) is type(b) and bool(a == b or (a != a and b != b))


class Walk:
    """Everything that functions reach by the names in their code.

    A name in the code of one function counts for all, since they pass objects to each other.
    """

    def __init__(self, owner: Any, names: Iterable[str]) -> None:
        self.names = set(names)
        self.stored: set[str] = set()
        while True:
            self.reads: list[ValueRead | ContainerRead] = []
            #: Values whose owner counts their changes, or which the formula itself writes.
            self.own: list[ValueRead] = []
            self.arrays: list[Array] = []
            #: The revisions of layers and networks, which count their changes.
            self.parts: list[Revision] = []
            #: Generators of random numbers, by name.
            self.generators: dict[str, object] = {}
            self._codes: set[CodeType] = set()
            self._seen: set[int] = set()
            self._alive: list[object] = []
            self._visit("self", owner)
            for path, layer in owner.named_layers():
                if not layer._opaque:
                    self._visit(path or "self", layer)
            names = self.names.union(*(names_in(code) for code in self._codes))
            stored = self.stored.union(*(stored_in(code) for code in self._codes))
            if (names, stored) == (self.names, self.stored):
                break
            self.names, self.stored = names, stored

    @property
    def written(self) -> bool:
        """Whether there are functions of the user among them."""
        return bool(self._codes)

    def _visit(self, name: str, value: object) -> None:
        if isinstance(value, _PLAIN) or id(value) in self._seen:
            return
        self._seen.add(id(value))
        self._alive.append(value)
        if isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, MethodType):
            self._visit(name, value.__func__)
            self._visit(name, value.__self__)
        elif isinstance(value, np.ndarray):
            self.arrays.append(value)
        elif isinstance(value, partial):
            self._visit(name, value.func)
            self._inside(name, (*value.args, *value.keywords.values()))
        elif isinstance(value, _CONTAINERS):
            self.reads.append(ContainerRead(name, value))
            self._inside(name, value)
            if type(value).__module__ not in ("builtins", "collections", "array"):
                self._object(name, value)
        elif isinstance(value, tuple | frozenset):
            self._inside(name, value)
        elif isinstance(value, property):
            self._visit(name, value.fget)
        elif isinstance(value, staticmethod | classmethod):
            self._visit(name, value.__func__)
        elif _draws(value):
            self.generators[name] = getattr(value, "__self__", value)
        elif isinstance(value, ModuleType):
            self._module(name, value)
        elif isinstance(value, ContextVar):
            self._value(_part(name, ".get()"), partial(value.get, _GONE))
        elif isinstance(value, type):
            self._class(name, value)
        elif not isinstance(value, Variable):
            self._object(name, value)

    def _module(self, name: str, module: ModuleType) -> None:
        """The names of a module; of a library only containers, such as os.environ."""
        attributes: Mapping[str, object] = vars(module)
        if _is_library(module.__name__):
            attributes = {
                k: attributes[k]
                for k in self.names & attributes.keys()
                if isinstance(attributes[k], _CONTAINERS)
            }
        self._names_of(name, attributes)

    def _function(self, function: FunctionType) -> None:
        self._visit(function.__name__, getattr(function, "__wrapped__", None))
        if _is_library(function.__globals__.get("__name__") or ""):
            return
        self._codes.add(function.__code__)
        used = names_in(function.__code__)
        for name in sorted(used & function.__globals__.keys()):
            self._entry(name, function.__globals__, name)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            self._value(name, partial(_contents, cell))
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self._visit(_("a default of {function}", function=function.__name__), value)

    def _inside(self, name: str, container: Collection[object]) -> None:
        if len(container) > _MANY:
            return
        if isinstance(container, Mapping):
            for key, part in list(container.items()):
                self._visit(_part(name, f"[{key!r}]"), part)
            return
        for i, part in enumerate(list(container)):
            self._visit(_part(name, f"[{i}]"), part)

    def _object(self, name: str, value: object) -> None:
        kind, attributes = type(value), getattr(value, "__dict__", {})
        if isinstance(revision := attributes.get("_revision"), Revision):
            self.parts.append(revision)
        self._names_of(name, attributes, counts_changes=hasattr(type(value), "named_layers"))
        for key in sorted(self.names):
            if isinstance(getattr(kind, key, None), MemberDescriptorType):  # one of __slots__
                self._value(_part(name, f".{key}"), partial(getattr, value, key, _GONE))
        self._class(name, kind)

    def _class(self, name: str, kind: type) -> None:
        for parent in kind.__mro__:
            if not _is_library(parent.__module__):
                self._names_of(name, vars(parent))
                for key, part in vars(parent).items():  # what operators and calls run
                    if key[:2] == "__" and key not in _NOT_CALLED:
                        self._visit(_part(name, f".{key}"), part)

    def _names_of(
        self, name: str, attributes: Mapping[str, object], counts_changes: bool = False
    ) -> None:
        """Read the attributes of an object, class or module that are among the names.

        `counts_changes`: whether the object counts changes of its public attributes itself.
        """
        for key in sorted(self.names & attributes.keys()):
            self._entry(
                _part(name, f".{key}"), attributes, key, own=counts_changes and key[0] != "_"
            )

    def _entry(
        self, name: str, attributes: Mapping[str, object], key: str, own: bool = False
    ) -> None:
        self._value(name, lambda: attributes.get(key, _GONE), own or key in self.stored)

    def _value(self, name: str, get: Callable[[], object], own: bool = False) -> None:
        read = ValueRead(name, get)
        if own:
            if isinstance(read.value, _PLAIN):
                self.own.append(read)
        elif not isinstance(read.value, ModuleType) and not _computed(read.value):
            self.reads.append(read)
        self._visit(name, read.value)


@functools.lru_cache(maxsize=256)
def stored_in(code: CodeType) -> frozenset[str]:
    """The attributes, globals and outer variables that a function assigns."""
    kinds = ("STORE_ATTR", "STORE_GLOBAL", "STORE_DEREF")
    inner = (stored_in(part) for part in code.co_consts if isinstance(part, CodeType))
    here = (str(i.argval) for i in dis.get_instructions(code) if i.opname in kinds)
    return frozenset(here).union(*inner)


def names_in(code: CodeType) -> set[str]:
    """The names in the code of a function, and of the functions inside it.

    A string may be a name as well: getattr(self, "rate"), globals()["rate"].
    """
    return {*code.co_names, *_quoted(code.co_consts)}.union(
        *(names_in(part) for part in code.co_consts if isinstance(part, CodeType))
    )


def _quoted(constants: tuple[object, ...]) -> Iterator[str]:
    for part in constants:
        if isinstance(part, str) and part.isidentifier():
            yield part
        elif isinstance(part, tuple):
            yield from _quoted(part)


def _contents(cell: CellType) -> object:
    """The value of a variable of an enclosing function."""
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return _GONE


def _is_library(module: str) -> bool:
    return module.partition(".")[0] in _LIBRARIES


def _draws(value: object) -> bool:
    """Whether a value draws random numbers: a generator, or a method of one."""
    kinds = ("Generator", "RandomState", "Random", "SystemRandom")
    holder = getattr(value, "__self__", value)
    return type(holder).__name__ in kinds and _is_library(type(holder).__module__)
