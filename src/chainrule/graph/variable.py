"""Variable: a value on an arrow of the computational graph, and how a node is recorded on it."""

from __future__ import annotations

import copy
import itertools
import re
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex, Unpack

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from chainrule.errors import DTypeError, RecordingError, SettingError, ShapeError, shown
from chainrule.graph.array_methods import ArrayMethods
from chainrule.graph.locks import Hold
from chainrule.graph.mode import stepping
from chainrule.graph.recording import current_recording, differentiated
from chainrule.graph.scopes import current_scope
from chainrule.graph.sources import here, line_of
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, _n, in_language, listed, sentences
from chainrule.nodes import Cast, Node, Repeat
from chainrule.nodes.base import Array, Value, ignore_fp_errors

if TYPE_CHECKING:
    from chainrule.drawing.drawing import Drawing, DrawOptions
    from chainrule.graph.graph import Graph

__all__ = ["Array", "Call", "Parameter", "Variable", "apply"]

# The functions import Variables, so they register themselves here.

#: For NumPy's ufuncs and other functions, what they call for a Variable.
UFUNCS: dict[np.ufunc, Callable[..., Value]] = {}
FUNCTIONS: dict[Callable[..., Value], Callable[..., Value]] = {}
#: The functions that index Variables ("index"), join them ("stack") and answer NumPy ("ufunc", "function").
CALLED: dict[str, Callable[..., Value]] = {}
#: The names of all functions, for advice in errors.
NAMES: set[str] = set()

_order = itertools.count()


class Call:
    """One node applied to Variables; a graph is made of calls."""

    __slots__ = (
        "__weakref__",
        "_made",
        "_spare",
        "hold",
        "inputs",
        "node",
        "order",
        "place",
        "scope",
    )

    def __init__(self, node: Node, inputs: tuple[Variable, ...], made: list[Variable]) -> None:
        self.node, self.inputs = node, inputs
        #: The run of a layer that it was recorded in, or None.
        self.scope = current_scope()
        #: Where it was written: in the user's code, or in the formula of a layer.
        self.place = here(self.scope is not None, 3)
        self.order = next(_order)
        # Weak, so that a Variable and its Call do not keep each other alive.
        self._made = [weakref.ref(v) for v in made]
        #: The values of several outputs, since backward may read one whose Variable is gone.
        self._spare = [(v.data, v.requires_grad) for v in made] if len(made) > 1 else []
        self.hold: Hold | None = None

    @property
    def outputs(self) -> tuple[Variable, ...]:
        """The Variables it made; one that is gone is made again."""
        made = [ref() for ref in self._made]
        return tuple([self._remade(i) if v is None else v for i, v in enumerate(made)])

    def _remade(self, i: int) -> Variable:
        data, needs = self._spare[i]
        variable = Variable(data, requires_grad=needs)
        variable.call = self
        self._made[i] = weakref.ref(variable)
        return variable


class Variable(ArrayMethods, NDArrayOperatorsMixin):
    """A value on an arrow: `data`, its gradient `grad`, a `name`, and the node that made it.

    Operators, `@`, slicing, `cr.exp` and the other functions, and NumPy's own functions of
    the same names make new Variables and record the node. `backward()` then fills `grad`
    of every Variable that the value was computed from.

    The arrays a recorded computation has read are read-only until `backward()` or until the
    Variables are gone (a view of such an array made before stays writeable; do not use it).

    >>> import chainrule as cr
    >>> x, y = cr.Variable([1.0, 2.0], name="x"), cr.Variable([3.0, 4.0], name="y")
    >>> L = cr.sum(x * y)
    >>> L.backward()
    >>> x.grad
    array([3., 4.])
    """

    __slots__ = ("__weakref__", "_grad", "call", "data", "name", "read", "requires_grad", "scalar")

    data: Array
    call: Call | None

    def __init__(
        self, data: npt.ArrayLike, name: str | None = None, *, requires_grad: bool | None = None
    ) -> None:
        if isinstance(data, Variable):
            raise RecordingError(
                _(
                    "Variable(...) takes an array, and got a Variable. Use it as it is, or pass its .data."
                )
            )
        if name is not None and not isinstance(name, str):
            raise SettingError(
                _(
                    "name={name}: a Variable's name is a text, such as name='x'. It has the dtype of its"
                    " array: Variable(np.asarray(data, dtype)).",
                    name=shown(name),
                )
            )
        array = as_array(data)
        kind = array.dtype.kind
        if kind not in "biufc":
            raise _not_numeric(data, array)
        if kind == "f" and array.dtype.itemsize == 2:
            raise DTypeError(
                _(
                    "a Variable does not hold float16: sums overflow above 65,504 and gradients round to 0."
                    " Compute in float32: x.astype(numpy.float32)."
                )
            )
        self.data = array
        self.name = name
        inexact = kind in "fc"
        if requires_grad and not inexact:
            raise DTypeError(
                _(
                    "requires_grad=True, but whole numbers ({dtype}) have no gradient: a small change of"
                    " them means nothing. Give floats: cr.Variable(numpy.asarray(data, float)).",
                    dtype=array.dtype,
                )
            )
        self.requires_grad = inexact if requires_grad is None else bool(requires_grad)
        self._grad: Array | None = None
        self.call = None
        # The Python number a constant was written as, which has no dtype of its own.
        self.scalar: float | None = None
        #: The count of operations recorded before it was first read as a plain number.
        self.read: int | None = None

    # -- properties ---------------------------------------------------------------------

    @property
    def grad(self) -> Array | None:
        """∂L/∂(this), of the same shape and dtype, from the latest `backward()`; None before."""
        return self._grad

    @property
    def node(self) -> Node | None:
        """The node that made the value; None for a Variable made by hand."""
        return None if self.call is None else self.call.node

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `data`."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of `data`."""
        return self.data.dtype

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        made = "" if self.node is None else f", from {self.node!r}"
        name = "" if self.name is None else f", name={self.name!r}"
        values = np.array2string(self.data, precision=6, threshold=20, separator=", ")
        return f"Variable({values}{name}{made})"

    # An identity, not a value: `==` of two Variables is a node.
    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        # Only reached when ordinary lookup fails.
        hint: Text | None = None
        if name in NAMES:
            hint = _("It is a function here: cr.{name}(x).", name=name)
        elif hasattr(np.ndarray, name):
            hint = _("Of the plain array, without a gradient: x.data.{name}.", name=name)
        said = sentences(_("a Variable has no attribute {name!r}.", name=name), hint)
        raise AttributeError(in_language(said, chosen()), name=name, obj=self)

    @property
    def _is_recorded(self) -> bool:
        """Whether it is part of a computation; a copy would cut its gradients."""
        recorded = current_recording() is not None or differentiated() is not None
        return self.call is not None or (self.requires_grad and recorded)

    def __copy__(self) -> Variable:
        """A computed value never changes, so it is its own copy."""
        return self if self._is_recorded else self._with(lambda part: part)

    def __deepcopy__(self, memo: dict[int, object]) -> Variable:
        """The Variable itself if it is computed; else one with copies of its arrays."""
        made = self if self._is_recorded else self._with(lambda part: copy.deepcopy(part, memo))
        memo[id(self)] = made
        return made

    def _with(self, copied: Callable[[Any], Any]) -> Variable:
        """A new Variable with copies of its attributes."""
        made: Variable = object.__new__(type(self))
        for kind in type(self).__mro__:
            for name in getattr(kind, "__slots__", ()):
                if name != "__weakref__" and hasattr(self, name):
                    object.__setattr__(made, name, copied(getattr(self, name)))
        return made

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """A file keeps only the number of a computed value, not its computation."""
        if self.call is None:
            return super().__reduce_ex__(protocol)
        if differentiated() is not None or current_recording() is not None:
            raise RecordingError(self._cut("pickle", _("a pickle")))
        return _value_alone, (self.data, self.name, self._grad)

    # -- plain numbers, and refusals ----------------------------------------------------------------

    def _number(self, what: str) -> Any:
        """The value as a Python number, for `what`; an error where that would lose a gradient."""
        if current_recording() is not None:
            raise RecordingError(
                _(
                    "{what}() of {variable} was asked for while a step is being recorded. The recorded step"
                    " is run again with other values, so no value may steer Python's control flow. Write the"
                    " choice with cr.where, or take the number from the data before training.",
                    what=what,
                    variable=self._named,
                )
            )
        if self.size != 1:
            raise RecordingError(
                _(
                    "{what}() of {variable} of shape {shape}: it is one number that this takes. Choose by"
                    " cr.where(condition, a, b), or ask np.all or np.any of its .data.",
                    what=what,
                    variable=self._named,
                    shape=self.shape,
                )
            )
        if self.requires_grad:
            if differentiated() is not None:
                raise RecordingError(self._cut(f"{what}()"))
            if self.read is None:
                self.read = next(_order)
        return self.data.item()

    @property
    def _named(self) -> Text:
        return _("a Variable ({name})", name=self.name) if self.name else _("a Variable")

    def _cut(self, what: str, kind: Text | None = None) -> Text:
        """The error for a plain number or array of it, where a gradient is wanted."""
        place = here(False, 3)
        line = None if place is None else line_of(place)
        text = line.text if line else ""
        called = re.search(r"\bmath\.(\w+)", line.part if line else "")
        if what == "bool()":
            instead = _("Compare it: x > 0 is a decision, and may steer an if.")
        elif called and called[1] in NAMES:
            instead = _(
                "Write cr.{name}, which takes Variables, and not math.{name}.", name=called[1]
            )
        elif re.search(r"\]\s*=[^=]", text) or re.search(r"\b(array|asarray|fromiter)\(", text):
            instead = _(
                "An array cannot hold Variables: collect them in a list, and join it, cr.stack(list)."
            )
        else:
            instead = _(
                "Compute with the Variable itself: cr.exp(x), not math.exp(x); cr.stack([a, b]), not"
                " numpy.array([a, b])."
            )
        who = differentiated()
        where = _(", in a function that {what} differentiates", what=who) if who else ""
        return sentences(
            _(
                "{what} of {variable} was asked for{where}{line}: through a plain number no gradient flows"
                " back.",
                what=what if kind is None else kind,
                variable=self._named,
                where=where,
                line=_(" ({line})", line=line) if text else "",
            ),
            instead,
            _("If the plain number is what you want, with no gradient, say so: x.data.")
            if what != "array"
            else _("If the plain array is what you want, with no gradient, say so: x.data."),
        )

    def __float__(self) -> float:
        return float(self._number("float"))

    def __int__(self) -> int:
        return int(self._number("int"))

    def __bool__(self) -> bool:
        return bool(self._number("bool"))

    def __complex__(self) -> complex:
        return complex(self._number("complex"))

    def __round__(self, ndigits: int | None = None) -> Any:
        return round(self._number("round"), ndigits)

    def __format__(self, spec: str) -> str:
        return (
            format(self.data.item(), spec) if spec and self.size == 1 else format(str(self), spec)
        )

    def item(self, *place: SupportsIndex) -> Any:
        """One element as a Python number: the only one, or that at an index (one number counts flat)."""
        if not place:
            return self._number("item")
        row = self.reshape(-1) if len(place) == 1 else self
        return row[place].item()

    def tolist(self) -> Any:
        """The values as Python numbers, in lists."""
        return self._number("tolist") if self.ndim == 0 else [v.tolist() for v in self]

    def __array__(self, dtype: object = None, copy: object = None) -> Array:
        raise RecordingError(self._cut("array", _("an array")))

    def __setitem__(self, key: object, value: object) -> None:
        raise RecordingError(
            _(
                "a Variable cannot be changed in place: its value belongs to a recorded computation."
                " Build a new one (cr.where, cr.concatenate), or change the array before recording."
            )
        )

    # -- recording operations ------------------------------------------------

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Value, **kwargs: Value
    ) -> Value:
        function = UFUNCS.get(ufunc)
        if function is not None and method == "__call__" and not kwargs:
            return function(*inputs)
        out = kwargs.get("out", ())
        if len(out) == 1 and out[0] is self and inputs[0] is self:
            kwargs = {}  # `x += y` gives x a new value, as it does for a number
        return CALLED["ufunc"](ufunc, method, inputs, kwargs)

    def __array_function__(
        self,
        func: Callable[..., Value],
        types: Iterable[type],
        args: tuple[Value, ...],
        kwargs: dict[str, Value],
    ) -> Value:
        return CALLED["function"](func, args, kwargs)

    @staticmethod
    def __chainrule_apply__(node: Node, *inputs: Value) -> Value:
        return apply(node, *inputs)

    def astype(self, dtype: npt.DTypeLike, *, copy: bool = True) -> Variable:
        """The same numbers in another dtype."""
        made: Variable = self if self.dtype == np.dtype(dtype) else apply(Cast(dtype), self)
        return made

    def __getitem__(self, key: object) -> Variable:
        made: Variable = CALLED["index"](self, key)
        return made

    def __iter__(self) -> Iterator[Variable]:
        return (self[i] for i in range(len(self)))

    # -- the chain rule ------------------------------------------------------------------

    @property
    def graph(self) -> Graph:
        """The closed graph of everything this value was computed from."""
        from chainrule.graph.graph import Graph

        return Graph([self])

    def backward(self, *, retain_graph: bool = False) -> None:
        """Fill `grad` of every Variable this scalar was computed from: the chain rule.

        Gradients are overwritten, never accumulated over calls. The arrays are then released
        for writing; a second `backward()` of the same computation needs `retain_graph=True`
        at the first, because the arrays may have changed since.
        """
        if self.call is None and not self.requires_grad:
            raise RecordingError(
                _(
                    "backward() of a Variable that nothing was computed for, and that has no gradient: whole"
                    " numbers have none, nor has the copy of a computed value. Call backward() of the value"
                    " itself; for a log, keep its number, loss.item()."
                )
            )
        self.graph.backward(retain_graph=retain_graph)

    def draw(self, **options: Unpack[DrawOptions]) -> Drawing:
        """The picture of everything this value was computed from; the options are `Graph.draw`'s.

        >>> import chainrule as cr
        >>> x, y = cr.Variable(2.0, name="x"), cr.Variable(3.0, name="y")
        >>> (x + y).draw().svg.count("<circle")
        1
        """
        return self.graph.draw(**options)

    def _receive(self, gradient: Array) -> None:
        self._grad = gradient


def _value_alone(data: Array, name: str | None, grad: Array | None) -> Variable:
    made = Variable(data.copy(), name, requires_grad=False)
    made._grad = grad
    return made


class Parameter(Variable):
    """A Variable that training changes: its `grad` is always the same array, overwritten in place."""

    __slots__ = ("adopted", "decays", "lr_factor", "tied", "trainable")

    def __init__(self, data: Array, name: str | None = None, grad: Array | None = None) -> None:
        super().__init__(data, name, requires_grad=True)
        self._grad = np.zeros_like(self.data) if grad is None else grad
        self.trainable = True
        #: Whether weight decay applies: to matrices by default, not to biases and gains.
        self.decays = self.data.ndim >= 2
        #: The factor of the learning rate for this parameter.
        self.lr_factor = 1.0
        #: Whether a network has moved its arrays into the network's flat buffers.
        self.adopted = False
        #: The parameter whose memory this one shares, and whether as its transpose.
        self.tied: tuple[Parameter, bool] | None = None

    @property
    def grad(self) -> Array:
        """∂L/∂(this): always the same array."""
        assert self._grad is not None
        return self._grad

    def _receive(self, gradient: Array) -> None:
        self.grad[...] = gradient

    @property
    def recorded(self) -> Variable:
        """The Variable to compute with: for a tied parameter, the one it is tied to."""
        if self.tied is None:
            return self
        first, transposed = self.tied
        return first.T if transposed else first

    def move(self, data: Array, grad: Array) -> None:
        """Copy the values into these arrays, and use these from now on."""
        data[...], grad[...] = self.data, self.grad
        self.data, self._grad = data, grad


#: Python's own numbers, which have neither a shape nor a dtype.
_NUMBERS = frozenset({bool, int, float, complex})


def _scalar(value: Value) -> bool:
    return type(value) in _NUMBERS


def as_array(value: Any) -> Array:
    """A value as an array; an error if the conversion would lose information."""
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise DTypeError(
            _n(
                "an array with {n} masked element has no value there to compute with. Fill them"
                " (x.filled(0)), or take the others (x.compressed()).",
                "an array with {n} masked elements has no value there to compute with. Fill them"
                " (x.filled(0)), or take the others (x.compressed()).",
                int(np.count_nonzero(value.mask)),
            )
        )
    if isinstance(value, np.matrix):
        raise DTypeError(
            _(
                "numpy.matrix multiplies by * as matrices do, and a Variable element by element. Give an"
                " array, numpy.asarray(m), and write products of matrices with @."
            )
        )
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise DTypeError(
            _(
                "a sparse matrix ({kind}) has to be dense here: give x.toarray().",
                kind=type(value).__name__,
            )
        )
    return np.asarray(value)


def _not_numeric(data: object, array: Array) -> DTypeError:
    if array.dtype == object and any(isinstance(v, Variable) for v in array.flat):
        return DTypeError(
            _(
                "an array of Variables is no array of numbers. Join them, so that gradients flow back to"
                " each: cr.stack(list)."
            )
        )
    return DTypeError(
        _(
            "a Variable holds numbers; got dtype {dtype} ({value}). Convert it with .astype(float) first.",
            dtype=array.dtype,
            value=shown(data, 40),
        )
    )


def constant(value: Value) -> Variable:
    """A Variable without a gradient."""
    return value if isinstance(value, Variable) else Variable(value, requires_grad=False)


def apply(node: Node, *inputs: Value) -> Value:
    """Run a node: on arrays it gives arrays; if any input is a Variable, it is recorded.

    The inputs of an elementwise node are brought to one shape by `Repeat` and to one dtype
    by `Cast`, which are nodes of their own; a Python number has neither shape nor dtype.
    """
    if not any([isinstance(value, Variable) for value in inputs]):
        arrays = [v if _scalar(v) else as_array(v) for v in inputs]
        if not node.holomorphic:
            _refuse_complex(node, arrays)
        with ignore_fp_errors():
            return node.pure_forward(*arrays)
    variables = _aligned(node, inputs) if node.elementwise else tuple(map(constant, inputs))
    if not node.holomorphic:
        _refuse_complex(node, variables)
    with ignore_fp_errors():
        out = node.pure_forward(*[v.data for v in variables])
    needs = node.differentiable and any([v.requires_grad for v in variables])
    outs = out if type(out) is tuple else (out,)
    made = [Variable(o, requires_grad=needs and o.dtype.kind in "fc") for o in outs]
    call = Call(node, variables, made)
    for variable in made:
        variable.call = call
    if current_recording() is None:
        call.hold = Hold([v.data for v in (*variables, *made) if v.scalar is None])
    return tuple(made) if type(out) is tuple else made[0]


def _refuse_complex(node: Node, values: Iterable[Value]) -> None:
    """Raise if an operation of real numbers gets complex ones."""
    are_complex = [
        np.iscomplexobj(v) if type(v) in _NUMBERS else v.dtype.kind == "c" for v in values
    ]
    if any(are_complex) and not stepping():
        raise DTypeError(
            _(
                "{node} is an operation of real numbers, without a derivative by complex ones, and was given"
                " complex numbers. Compute with the real and the imaginary part as two Variables.",
                node=type(node).__name__,
            )
        )


def _aligned(node: Node, inputs: tuple[Value, ...]) -> tuple[Variable, ...]:
    """The inputs of an elementwise node as Variables of one shape and one dtype."""
    numbers = [v for v in inputs if type(v) in _NUMBERS]
    arrays = [
        v.data if isinstance(v, Variable) else as_array(v)
        for v in inputs
        if type(v) not in _NUMBERS
    ]
    shape = _common_shape(node, [a.shape for a in arrays])
    dtype = _common_dtype([a.dtype for a in arrays], numbers)
    aligned = []
    for value in inputs:
        if type(value) in _NUMBERS:
            number = np.array(value, dtype)
            v = Variable(np.broadcast_to(number, shape) if shape else number, requires_grad=False)
            v.scalar = value
            aligned.append(v)
            continue
        v = constant(value)
        if v.data.dtype != dtype and v.data.dtype.kind != "b":
            # A recorded step casts again at every run, since the array may have changed.
            live = isinstance(value, Variable) or (
                isinstance(value, np.ndarray) and value.ndim and current_recording() is not None
            )
            v = apply(Cast(dtype), v) if live else constant(v.data.astype(dtype))
        aligned.append(v if v.data.shape == shape else apply(Repeat(shape), v))
    return tuple(aligned)


def _common_shape(node: Node, shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    if shapes.count(shapes[0]) == len(shapes):
        return shapes[0]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(
            _(
                "{node} got shapes {shapes}, which cannot be repeated to one shape: counted from the last"
                " axis, two lengths must be equal or one of them 1.",
                node=type(node).__name__,
                shapes=listed(shapes, "and"),
            )
        ) from None


def _common_dtype(dtypes: list[np.dtype[Any]], numbers: list[complex]) -> np.dtype[Any]:
    first = dtypes[0]
    if (
        first.kind == "f"
        and dtypes.count(first) == len(dtypes)
        and complex not in map(type, numbers)
    ):
        return first
    # A truth value (the condition of Where) has no influence on the dtype.
    kinds = [d for d in dtypes if d.kind != "b"]
    plain = [n for n in numbers if type(n) is not bool]
    return np.result_type(*kinds, *plain) if kinds or plain else np.dtype(bool)
