"""What a formula reads beside its inputs, and whether that is as it was when a step was recorded.

A recorded step is run without Python. So what the formula reads elsewhere (globals, closures, dicts,
lists, attributes of objects, arrays that it computes with at once) is looked up when the step is
recorded, and compared before every run: after a change the step is recorded again.
"""

from __future__ import annotations

import dis
import functools
import sys
from collections import deque
from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
)
from contextvars import ContextVar
from functools import partial
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.graph.recording import Read
from chainrule.graph.revisions import Revision
from chainrule.graph.variable import Variable
from chainrule.lang.messages import Text, _

__all__ = ["ArrayRead", "ContainerRead", "Walk", "outdated"]

Array = npt.NDArray[Any]

#: Values that are told by what they are, not by which object they are.
_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
#: More entries than this are not looked through, one by one, for what they hold.
_MANY = 1000
#: Packages whose functions read nothing of the user's.
_LIBRARIES = frozenset({*sys.stdlib_module_names, "chainrule", "numpy", "scipy"} - {"__main__"})
_GONE = object()
#: What holds other things, which may change.
_CONTAINERS = (list, bytearray, MutableMapping, MutableSequence, MutableSet, deque)
#: Methods that no expression calls.
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
    """What stands in an array that the step does not read itself."""

    def __init__(self, array: Array) -> None:
        self.array, self.held = array, array.copy()

    def changed(self) -> bool:
        """Whether something else stands in it."""
        if self.array.dtype.hasobject:
            return not all(map(_same, self.array.ravel().tolist(), self.held.ravel().tolist()))
        return not np.array_equal(_bits(self.array), _bits(self.held))


def _bits(array: Array) -> Array:
    """The array as whole numbers, quickly compared, in which NaN is as good as any."""
    flat = np.ascontiguousarray(array).reshape(-1)
    size = flat.dtype.itemsize
    return flat.view(np.dtype(f"u{size}") if size in (1, 2, 4, 8) else np.uint8)


class ValueRead:
    """What a name stands for: a global, a variable around the function, an attribute."""

    def __init__(self, name: str, get: Callable[[], Any]) -> None:
        self.name, self.get = name, get
        self.value = get()

    def changed(self) -> bool:
        """Whether the name stands for something else."""
        return not _same(self.get(), self.value)


class ContainerRead:
    """What stands in a list, dict or set; computed Variables that a formula leaves there do not count."""

    def __init__(self, name: str, container: Any) -> None:
        self.name, self.container = name, container
        self.held = _listed(container)
        #: A copy, if plain values are all there is: Python compares those at once.
        self.plain = None
        if type(container) in (list, dict, set) and all(isinstance(v, _PLAIN) for v in self.held):
            self.plain = container.copy()

    def changed(self) -> bool:
        """Whether other things stand in it."""
        if self.plain is not None and self.container == self.plain:
            return False
        now = _listed(self.container)
        return len(now) != len(self.held) or not all(map(_same, now, self.held))


def _part(whole: str, part: str) -> str:
    """What a part of something is called, such as `self.rates[0]`; the whole may have a name in words."""
    return _("{whole}{part}", whole=whole, part=part) if isinstance(whole, Text) else whole + part


def _listed(container: Any) -> list[Any]:
    if isinstance(container, Mapping):
        return [part for item in container.items() for part in item if not _computed(part)]
    return [part for part in container if not _computed(part)]


def _computed(value: Any) -> bool:
    return isinstance(value, Variable) and value.call is not None


def _same(a: Any, b: Any) -> bool:
    if a is b:
        return True
    return isinstance(a, _PLAIN) and type(a) is type(b) and bool(a == b or (a != a and b != b))


class Walk:
    """Everything that functions reach by the names in their text.

    A name in the text of one of them counts for all, since they hand each other what they read.
    """

    def __init__(self, owner: Any, names: Iterable[str]) -> None:
        self.names = set(names)
        self.stored: set[str] = set()
        while True:
            self.reads: list[ValueRead | ContainerRead] = []
            #: What tells by itself when it is changed, or is written by the formula before it is read.
            self.own: list[ValueRead] = []
            self.arrays: list[Array] = []
            #: Of layers and networks, which tell when they are changed.
            self.parts: list[Revision] = []
            #: What draws random numbers, by name.
            self.generators: dict[str, Any] = {}
            self._texts: set[CodeType] = set()
            self._seen: set[int] = set()
            self._alive: list[Any] = []
            self._visit("self", owner)
            for path, layer in owner.named_layers():
                if not layer._opaque:
                    self._visit(path or "self", layer)
            names = self.names.union(*(names_in(text) for text in self._texts))
            stored = self.stored.union(*(stored_in(text) for text in self._texts))
            if (names, stored) == (self.names, self.stored):
                break
            self.names, self.stored = names, stored

    @property
    def written(self) -> bool:
        """Whether there is a function of the user's own among them."""
        return bool(self._texts)

    def _visit(self, name: str, value: Any) -> None:
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
        """The names of a module; of a library only what changes, such as os.environ."""
        held: Mapping[str, Any] = vars(module)
        if _is_library(module.__name__):
            held = {
                k: held[k] for k in self.names & held.keys() if isinstance(held[k], _CONTAINERS)
            }
        self._names_of(name, held)

    def _function(self, function: FunctionType) -> None:
        self._visit(function.__name__, getattr(function, "__wrapped__", None))
        if _is_library(function.__globals__.get("__name__") or ""):
            return
        self._texts.add(function.__code__)
        used = names_in(function.__code__)
        for name in sorted(used & function.__globals__.keys()):
            self._entry(name, function.__globals__, name)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            self._value(name, partial(_contents, cell))
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self._visit(_("a default of {function}", function=function.__name__), value)

    def _inside(self, name: str, container: Any) -> None:
        if len(container) > _MANY:
            return
        if isinstance(container, Mapping):
            for key, part in list(container.items()):
                self._visit(_part(name, f"[{key!r}]"), part)
            return
        for i, part in enumerate(list(container)):
            self._visit(_part(name, f"[{i}]"), part)

    def _object(self, name: str, value: Any) -> None:
        kind, held = type(value), getattr(value, "__dict__", {})
        if isinstance(revision := held.get("_revision"), Revision):
            self.parts.append(revision)
        self._names_of(name, held, tells=hasattr(type(value), "named_layers"))
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

    def _names_of(self, name: str, held: Mapping[str, Any], tells: bool = False) -> None:
        """What an object, class or module has under the names; one that `tells` says when it changes."""
        for key in sorted(self.names & held.keys()):
            self._entry(_part(name, f".{key}"), held, key, own=tells and key[0] != "_")

    def _entry(self, name: str, held: Mapping[str, Any], key: str, own: bool = False) -> None:
        self._value(name, lambda: held.get(key, _GONE), own or key in self.stored)

    def _value(self, name: str, get: Callable[[], Any], own: bool = False) -> None:
        read = ValueRead(name, get)
        if own:
            if isinstance(read.value, _PLAIN):
                self.own.append(read)
        elif not isinstance(read.value, ModuleType) and not _computed(read.value):
            self.reads.append(read)
        self._visit(name, read.value)


@functools.lru_cache(maxsize=256)
def stored_in(text: CodeType) -> frozenset[str]:
    """The names that the text of a function gives a value to, outside of itself."""
    kinds = ("STORE_ATTR", "STORE_GLOBAL", "STORE_DEREF")
    inner = (stored_in(part) for part in text.co_consts if isinstance(part, CodeType))
    here = (str(i.argval) for i in dis.get_instructions(text) if i.opname in kinds)
    return frozenset(here).union(*inner)


def names_in(text: CodeType) -> set[str]:
    """The names in the text of a function, and in those of the functions inside it.

    A text in quotes may be one as well: getattr(self, "rate"), globals()["rate"].
    """
    return {*text.co_names, *_quoted(text.co_consts)}.union(
        *(names_in(part) for part in text.co_consts if isinstance(part, CodeType))
    )


def _quoted(constants: tuple[Any, ...]) -> Iterator[str]:
    for part in constants:
        if isinstance(part, str) and part.isidentifier():
            yield part
        elif isinstance(part, tuple):
            yield from _quoted(part)


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return _GONE


def _is_library(module: str) -> bool:
    return module.partition(".")[0] in _LIBRARIES


def _draws(value: Any) -> bool:
    """Whether something draws random numbers: a generator, or a method of one."""
    kinds = ("Generator", "RandomState", "Random", "SystemRandom")
    holder = getattr(value, "__self__", value)
    return type(holder).__name__ in kinds and _is_library(type(holder).__module__)
