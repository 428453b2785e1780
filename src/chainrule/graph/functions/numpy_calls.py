"""NumPy's functions called on Variables: how such a call becomes a call of our function.

Arguments are matched by NumPy's own signature, so they mean what they mean in NumPy, by position or by
name. An unsupported argument is accepted if its value changes nothing.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Collection

import numpy as np
import numpy.typing as npt

from chainrule.errors import RecordingError, SettingError, guess, shown
from chainrule.graph.functions import reductions, shaping
from chainrule.graph.functions.values import value_of
from chainrule.graph.variable import FUNCTIONS, UFUNCS
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, _n, capital, in_language, listed, sentences
from chainrule.nodes.base import Value

__all__ = ["Named", "call_function", "call_ufunc", "takes"]

Function = Callable[..., Value]

#: Arguments whose value changes nothing for Variables.
_NO_EFFECT = (
    ("where", True), ("order", "C"), ("order", "K"), ("order", "A"), ("casting", "same_kind"),
    ("mode", "raise"), ("subok", True), ("subok", False), ("copy", True), ("copy", False),
    ("correction", 0),
)  # fmt: skip

# -- ufuncs ---------------------------------------------------------------------------------------------

#: The functions that `ufunc.reduce` and `ufunc.accumulate` call.
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
    ufunc: np.ufunc, method: str, inputs: tuple[Value, ...], kwargs: dict[str, Value]
) -> Value:
    """A ufunc, or one of its methods, of Variables."""
    arguments = {
        name: value
        for name, value in kwargs.items()
        if not (
            (value is None and name != "axis") or (name in ("where", "subok") and value is True)
        )
        and not (isinstance(value, str) and (name, value) in _NO_EFFECT)
    }
    dtype = arguments.pop("dtype", None)
    function = _method(ufunc, method)
    if function is None:
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        raise RecordingError(_unknown(name, {f.__name__ for f in UFUNCS}))
    if method in ("reduce", "accumulate"):
        arguments.setdefault("axis", 0)
        allowed = {"axis", "keepdims"} if method == "reduce" else {"axis"}
        if len(inputs) > 1:  # by position
            arguments["axis"] = inputs[1]
            inputs = inputs[:1]
    else:
        allowed = {"axis"} if ufunc is np.vecdot else set()
    extra = sorted(set(arguments) - allowed)
    if extra == ["out"] and arguments["out"][0] is inputs[0]:
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
    result: Value = function(*inputs, **arguments)
    return result


def _converted(x: Value, dtype: npt.DTypeLike, ufunc: np.ufunc) -> Value:
    """An operand in the dtype of the computation."""
    x = value_of(x)
    if not np.can_cast(x.dtype, dtype, "same_kind"):
        text = _(
            "np.{name} cannot compute {given} in {wanted}.",
            name=ufunc.__name__,
            given=x.dtype,
            wanted=np.dtype(dtype),
        )
        raise TypeError(in_language(text, chosen()))
    return x.astype(dtype)


def _method(ufunc: np.ufunc, method: str) -> Function | None:
    if method == "reduce":
        return _REDUCED.get(ufunc)
    if method == "accumulate":
        return _ACCUMULATED.get(ufunc)
    function = UFUNCS.get(ufunc)
    if method == "outer" and function is not None and ufunc.nin == 2 and ufunc is not np.matmul:
        return lambda x, y: function(*_for_outer(value_of(x), value_of(y)))
    return function if method == "__call__" else None


def _for_outer(x: Value, y: Value) -> tuple[Value, Value]:
    """x and y for an outer product: each with axes of length 1 where the other has its axes."""
    return (
        shaping.reshape(x, (*x.shape, *(1,) * y.ndim)),
        shaping.reshape(y, (*(1,) * x.ndim, *y.shape)),
    )


def _unknown(name: str, known: Collection[str]) -> Text:
    bare = name.removeprefix("nan")
    near = bare != name and bare in known
    return sentences(
        _("np.{name} is not known for Variables.", name=name),
        _("There is np.{name}, for arrays without NaN.", name=bare) if near else "",
        _("For the plain numbers, without a gradient, use x.data."),
    )


# -- functions ------------------------------------------------------------------------------------------

#: NumPy's signatures of functions for which older versions of NumPy have none.
_TEXTS: dict[Function, str] = {
    np.where: "condition, x=None, y=None, /",
    np.concatenate: "arrays, /, axis=0, out=None, *, dtype=None, casting='same_kind'",
    np.dot: "a, b, out=None",
    np.inner: "a, b, /",
    np.vdot: "a, b, /",
    np.empty_like: "prototype, /, dtype=None, order='K', subok=True, shape=None, *, device=None",
    np.result_type: "*arrays_and_dtypes",
}


class Named:
    """A function of ours that replaces one of NumPy's for Variables.

    `renamed` maps NumPy's name of an argument to ours, where they differ.
    """

    def __init__(self, numpy: Function, ours: Function, renamed: dict[str, str]) -> None:
        room = "linalg." if numpy.__module__ == "numpy.linalg" else ""
        self.name = room + numpy.__name__
        self.ours = ours
        try:
            signature = inspect.signature(numpy)
        except ValueError:
            signature = _signature_of(_TEXTS[numpy])
        self.defaults: dict[str, Value] = {}
        #: NumPy's names of the positional arguments, and ours; None where we have none.
        self.positional: list[str] = []
        for p in signature.parameters.values():
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                self.defaults[p.name] = p.default
                if p.kind is not p.KEYWORD_ONLY:
                    self.positional.append(p.name)
        parameters = inspect.signature(ours).parameters
        self.names = {
            theirs: mine
            for theirs in (*self.defaults, *renamed)
            if (mine := renamed.get(theirs, theirs)) in parameters
        }
        self.ours_positional = [self.names.get(name) for name in self.positional]
        #: The number of leading positional arguments that our function has, too.
        self.same = 0
        for theirs, mine in zip(self.ours_positional, parameters, strict=False):
            if theirs != mine:
                break
            self.same += 1

    def __call__(self, *args: Value, **kwargs: Value) -> Value:
        """Call our function with these arguments, matched by NumPy's signature."""
        if len(args) <= self.same and not kwargs:
            return self.ours(*args, **kwargs)
        arguments: dict[str, Value] = dict(zip(self.positional, args, strict=False))
        if len(args) > len(self.positional):
            text = _n(
                "np.{name} takes {n} argument by place, and got {given}.",
                "np.{name} takes {n} arguments by place, and got {given}.",
                len(self.positional),
                name=self.name,
                given=len(args),
            )
            raise TypeError(in_language(text, chosen()))
        for name, value in kwargs.items():
            if name in arguments:
                text = _(
                    "np.{name} got {argument!r} twice: by its place and by its name.",
                    name=self.name,
                    argument=name,
                )
                raise TypeError(in_language(text, chosen()))
            if name not in self.defaults and name not in self.names:
                known = [*self.defaults, *self.names]
                raise RecordingError(
                    sentences(
                        _("np.{name} has no argument {argument!r}.", name=self.name, argument=name),
                        capital(guess(name, known)),
                        _("It has {known}.", known=listed(dict.fromkeys(known))),
                    )
                )
            arguments[name] = value
        if isinstance(arguments.get("dtype"), bool):
            raise SettingError(
                _(
                    "np.{name} got dtype={given}, which is no dtype. Did you mean keepdims={given}?"
                    " NumPy has dtype in that place: write the name, too.",
                    name=self.name,
                    given=arguments["dtype"],
                )
            )
        ours: dict[str, Value] = {}
        for name, value in arguments.items():
            default = self.defaults.get(name, inspect.Parameter.empty)
            if name in self.names:
                if value is not default or default is inspect.Parameter.empty:
                    ours[self.names[name]] = value
            elif not _has_no_effect(name, value, default):
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


def _has_no_effect(name: str, value: object, default: object) -> bool:
    """Whether the value of an unsupported argument changes nothing."""
    if value is default or value is None or value is np._NoValue:
        return True
    return isinstance(value, str | int) and (name, value) in _NO_EFFECT


def _signature_of(text: str) -> inspect.Signature:
    """The signature of a text such as `a, b=None`; defaults are None, numbers or strings."""
    arguments = ast.parse(f"def f({text}): pass").body[0].args  # type: ignore[attr-defined]
    Parameter = inspect.Parameter
    parameters = []
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [Parameter.empty] * (len(positional) - len(arguments.defaults)) + [
        ast.literal_eval(d) for d in arguments.defaults
    ]
    for a, default in zip(positional, defaults, strict=True):
        alone = a in arguments.posonlyargs
        kind = Parameter.POSITIONAL_ONLY if alone else Parameter.POSITIONAL_OR_KEYWORD
        parameters.append(Parameter(a.arg, kind, default=default))
    if arguments.vararg is not None:
        parameters.append(Parameter(arguments.vararg.arg, Parameter.VAR_POSITIONAL))
    for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters.append(Parameter(a.arg, Parameter.KEYWORD_ONLY, default=ast.literal_eval(d)))
    return inspect.Signature(parameters)


def takes(numpy: Function, ours: Function, **renamed: str) -> None:
    """Register our function for one of NumPy's; `renamed` has NumPy's names of arguments named otherwise."""
    FUNCTIONS[numpy] = Named(numpy, ours, renamed)


def call_function(func: Function, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Value:
    """One of NumPy's functions of Variables."""
    function = FUNCTIONS.get(func)
    if function is None:
        module = getattr(func, "__module__", "numpy").removeprefix("numpy").lstrip(".")
        name = (
            f"{module}.{func.__name__}" if module and not module.startswith("_") else func.__name__
        )
        raise RecordingError(_unknown(name, {f.__name__ for f in FUNCTIONS}))
    return function(*args, **kwargs)
