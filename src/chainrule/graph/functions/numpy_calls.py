"""How NumPy's call of a Variable becomes one of ours, whatever form its arguments take.

An argument means here what it means in NumPy, in its place or by its name, because it is NumPy's own
signature that it is read by. One that is not known may be given as long as it says what is so anyway.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import RecordingError, SettingError, guess, shown
from chainrule.graph.functions import reductions, shaping
from chainrule.graph.functions.values import value_of
from chainrule.graph.variable import FUNCTIONS, UFUNCS
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, _n, capital, in_language, listed, sentences
from chainrule.nodes.base import Value

__all__ = ["Named", "call_function", "call_ufunc", "takes"]

Function = Callable[..., Any]

#: Arguments that ask for what is so anyway.
_SAYS_NOTHING = (
    ("where", True), ("order", "C"), ("order", "K"), ("order", "A"), ("casting", "same_kind"),
    ("mode", "raise"), ("subok", True), ("subok", False), ("copy", True), ("copy", False),
    ("correction", 0),
)  # fmt: skip

# -- ufuncs ---------------------------------------------------------------------------------------------

#: What `ufunc.reduce` is, where there is a function for it.
_REDUCED: dict[np.ufunc, Function] = {
    np.add: reductions.sum,
    np.multiply: reductions.prod,
    np.maximum: reductions.max,
    np.minimum: reductions.min,
    np.logical_and: reductions.all,
    np.logical_or: reductions.any,
    np.logaddexp: reductions.logsumexp,
}
_ACCUMULATED: dict[np.ufunc, Function] = {
    np.add: reductions.cumsum,
    np.multiply: reductions.cumprod,
}


def call_ufunc(
    ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]
) -> Value:
    """A ufunc, or one of its methods, of Variables."""
    given = {
        name: value
        for name, value in kwargs.items()
        if not (
            (value is None and name != "axis") or (name in ("where", "subok") and value is True)
        )
        and not (isinstance(value, str) and (name, value) in _SAYS_NOTHING)
    }
    dtype = given.pop("dtype", None)
    function = _method(ufunc, method)
    if function is None:
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        raise RecordingError(_unknown(name, {f.__name__ for f in UFUNCS}))
    if method in ("reduce", "accumulate"):
        given.setdefault("axis", 0)
        allowed = {"axis", "keepdims"} if method == "reduce" else {"axis"}
        if len(inputs) > 1:  # by place
            given["axis"] = inputs[1]
            inputs = inputs[:1]
    else:
        allowed = {"axis"} if ufunc is np.vecdot else set()
    extra = sorted(set(given) - allowed)
    if extra == ["out"] and given["out"][0] is inputs[0]:
        raise RecordingError(
            _(
                "np.{name} of a Variable was to write into an array, which cannot hold one: r += x has"
                " an array r. Write r = r + x, which makes a new value.",
                name=ufunc.__name__,
            )
        )
    if extra:
        raise RecordingError(
            _(
                "np.{name} of a Variable does not take {arguments}: it makes a new value, of"
                " every element. Write the choice with cr.where.",
                name=ufunc.__name__,
                arguments=listed(extra),
            )
        )
    if dtype is not None:
        inputs = tuple(_converted(x, dtype, ufunc) for x in inputs)
    made: Value = function(*inputs, **given)
    return made


def _converted(x: Value, dtype: Any, ufunc: np.ufunc) -> Value:
    """An operand in the dtype that is to be computed in."""
    x = value_of(x)
    if not np.can_cast(x.dtype, dtype, "same_kind"):
        said = _(
            "np.{name} cannot compute {given} in {wanted}.",
            name=ufunc.__name__,
            given=x.dtype,
            wanted=np.dtype(dtype),
        )
        raise TypeError(in_language(said, chosen()))
    return x.astype(dtype)


def _method(ufunc: np.ufunc, method: str) -> Function | None:
    if method == "reduce":
        return _REDUCED.get(ufunc)
    if method == "accumulate":
        return _ACCUMULATED.get(ufunc)
    function = UFUNCS.get(ufunc)
    if method == "outer" and function is not None and ufunc.nin == 2 and ufunc is not np.matmul:
        return lambda x, y: function(*_crossed(value_of(x), value_of(y)))
    return function if method == "__call__" else None


def _crossed(x: Any, y: Any) -> tuple[Value, Value]:
    """x and y with axes of length 1 where the other has its own."""
    return (
        shaping.reshape(x, (*x.shape, *(1,) * y.ndim)),
        shaping.reshape(y, (*(1,) * x.ndim, *y.shape)),
    )


def _unknown(name: str, known: Any) -> Text:
    bare = name.removeprefix("nan")
    near = bare != name and bare in known
    return sentences(
        _("np.{name} is not known for Variables.", name=name),
        _("There is np.{name}, for arrays without NaN.", name=bare) if near else "",
        _("For the plain numbers, without a gradient, use x.data."),
    )


# -- functions ------------------------------------------------------------------------------------------

#: NumPy's signatures of functions that older versions of it do not tell.
_TEXTS: dict[Function, str] = {
    np.where: "condition, x=None, y=None",
    np.concatenate: "arrays, axis=0, out=None, *, dtype=None, casting='same_kind'",
    np.dot: "a, b, out=None",
    np.inner: "a, b",
    np.vdot: "a, b",
}


class Named:
    """A function of ours that stands for one of NumPy's.

    `renamed` has NumPy's name of an argument that we call otherwise; `anyway` arguments that say
    nothing for a Variable, whatever they are.
    """

    def __init__(self, numpy: Function, ours: Function, renamed: dict[str, str]) -> None:
        room = "linalg." if numpy.__module__ == "numpy.linalg" else ""
        self.name = room + numpy.__name__
        self.ours = ours
        try:
            signature = inspect.signature(numpy)
        except ValueError:
            signature = _parsed(_TEXTS[numpy])
        self.defaults: dict[str, Any] = {}
        self.places: list[str] = []
        for p in signature.parameters.values():
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                self.defaults[p.name] = p.default
                if p.kind is not p.KEYWORD_ONLY:
                    self.places.append(p.name)
        taken = inspect.signature(ours).parameters
        self.names = {
            theirs: mine
            for theirs in (*self.defaults, *renamed)
            if (mine := renamed.get(theirs, theirs)) in taken
        }
        self.first = [self.names.get(name) for name in self.places]
        #: So many arguments by place are the same ones in ours.
        self.same = 0
        for theirs, mine in zip(self.first, taken, strict=False):
            if theirs != mine:
                break
            self.same += 1

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call ours with what NumPy would make of these arguments."""
        if len(args) <= self.same and not kwargs:
            return self.ours(*args, **kwargs)
        given: dict[str, Any] = dict(zip(self.places, args, strict=False))
        if len(args) > len(self.places):
            said = _n(
                "np.{name} takes {n} argument by place, and got {given}.",
                "np.{name} takes {n} arguments by place, and got {given}.",
                len(self.places),
                name=self.name,
                given=len(args),
            )
            raise TypeError(in_language(said, chosen()))
        for name, value in kwargs.items():
            if name in given:
                said = _(
                    "np.{name} got {argument!r} twice: by its place and by its name.",
                    name=self.name,
                    argument=name,
                )
                raise TypeError(in_language(said, chosen()))
            if name not in self.defaults and name not in self.names:
                known = [*self.defaults, *self.names]
                raise RecordingError(
                    sentences(
                        _("np.{name} has no argument {argument!r}.", name=self.name, argument=name),
                        capital(guess(name, known)),
                        _("It has {known}.", known=listed(dict.fromkeys(known))),
                    )
                )
            given[name] = value
        if isinstance(given.get("dtype"), bool):
            raise SettingError(
                _(
                    "np.{name} got dtype={given}, which is no dtype. Did you mean keepdims={given}?"
                    " NumPy has dtype in that place: write the name, too.",
                    name=self.name,
                    given=given["dtype"],
                )
            )
        ours: dict[str, Any] = {}
        for name, value in given.items():
            default = self.defaults.get(name, inspect.Parameter.empty)
            if name in self.names:
                if value is not default or default is inspect.Parameter.empty:
                    ours[self.names[name]] = value
            elif not _says_nothing(name, value, default):
                raise RecordingError(
                    _(
                        "np.{name} of a Variable does not take {argument}={value}. It takes {known};"
                        " for the plain numbers, without a gradient, use x.data.",
                        name=self.name,
                        argument=name,
                        value=shown(value, 30),
                        known=listed(self.names),
                    )
                )
        return self.ours(**ours)


def _says_nothing(name: str, value: Any, default: Any) -> bool:
    """Whether an argument that we do not have asks for what is so anyway."""
    if value is default or value is None or value is np._NoValue:
        return True
    return isinstance(value, str | int) and (name, value) in _SAYS_NOTHING


def _parsed(text: str) -> inspect.Signature:
    """A signature written as in a function definition; its defaults are None, numbers or texts."""
    arguments = ast.parse(f"def f({text}): pass").body[0].args  # type: ignore[attr-defined]
    kinds = inspect.Parameter
    found = []
    given = arguments.args
    ends = [kinds.empty] * (len(given) - len(arguments.defaults)) + [
        ast.literal_eval(d) for d in arguments.defaults
    ]
    for a, default in zip(given, ends, strict=True):
        found.append(kinds(a.arg, kinds.POSITIONAL_OR_KEYWORD, default=default))
    for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(kinds(a.arg, kinds.KEYWORD_ONLY, default=ast.literal_eval(d)))
    return inspect.Signature(found)


def takes(numpy: Function, ours: Function, **renamed: str) -> None:
    """Let one of ours stand for one of NumPy's; `renamed` has its name of what we call otherwise."""
    FUNCTIONS[numpy] = Named(numpy, ours, renamed)


def call_function(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One of NumPy's functions of Variables."""
    function = FUNCTIONS.get(func)
    if function is None:
        module = getattr(func, "__module__", "numpy").removeprefix("numpy").lstrip(".")
        name = (
            f"{module}.{func.__name__}" if module and not module.startswith("_") else func.__name__
        )
        raise RecordingError(_unknown(name, {f.__name__ for f in FUNCTIONS}))
    return function(*args, **kwargs)
