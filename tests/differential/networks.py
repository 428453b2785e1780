"""Random networks: a plan that is drawn from a seed, and the network that is written by a plan."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from tests.differential.moves import CALLED, MOVES, ROWS, Draw, Move, NotHere, batch_axes, run

import chainrule as cr

__all__ = [
    "Data",
    "Part",
    "Plan",
    "PlannedNetwork",
    "data",
    "draw_plan",
    "entered",
    "flow",
    "looked",
    "make",
]

Array = npt.NDArray[Any]
Data = tuple[Array, Array, Array | None]

#: Shapes of one row of the data: a table, a picture in one channel, steps of time.
_SHAPES = ((6,), (6,), (4, 3), (2, 3, 2), (1, 4, 4), (5, 2))
#: Numbers beyond this are scaled down, so that networks of many moves stay well-conditioned.
_LARGE = 3.0


@dataclass(frozen=True)
class Part:
    """A layer of a random network."""

    name: str
    sizes: tuple[Any, ...] = ()
    frozen: bool = False
    #: Of a layer of the user's own: the shapes of its parameters, its moves, the layers it holds.
    shapes: tuple[tuple[int, ...], ...] = ()
    moves: tuple[Move, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A network to be: what each of its values is computed from."""

    seed: int
    dtype: str
    shape: tuple[int, ...]
    #: How a row enters: "whole", "cut" into several values, "ids" beside it, or "only ids".
    entry: str
    moves: tuple[Move, ...] = ()
    parts: tuple[Part, ...] = ()
    #: The values that the output is made of: which, the axis of its rows, how many numbers a row has.
    ends: tuple[tuple[int, int, int], ...] = ()
    loss: str = "MeanSquaredError"
    weighted: bool = False
    #: Whether every other layer is float32, whatever the dtype.
    both: bool = False
    tame: bool = field(default=False, compare=False)


# -- layers ---------------------------------------------------------------------------------------------


class HandSigmoid:
    """In the chapter's way."""

    def __init__(self) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []

    def forward(self, x: Array) -> Array:
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout: Array) -> Array:
        return np.asarray(dout * (1.0 - self.out) * self.out)


class HandTurn(HandSigmoid):
    """Gives the memory that it was given, looked at the other way round."""

    def forward(self, x: Array) -> Array:
        return x[:, ::-1]

    def backward(self, dout: Array) -> Array:
        return dout[:, ::-1]


class HandNothing(HandSigmoid):
    """Gives what it was given, as dropout by hand does in use."""

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, dout: Array) -> Array:
        return dout


class HandAffine:
    """Keeps its input for the way back, and its arrays where they are."""

    def __init__(self, W: Array, b: Array) -> None:
        self.params, self.grads = [W, b], [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x: Array) -> Array:
        self.x = x
        return np.asarray(x @ self.params[0] + self.params[1])

    def backward(self, dout: Array) -> Array:
        self.grads[0][...] = self.x.T @ dout
        self.grads[1][...] = dout.sum(axis=0)
        return np.asarray(dout @ self.params[0].T)


BY_HAND = {
    "by hand: sigmoid": HandSigmoid,
    "by hand: turn": HandTurn,
    "by hand: nothing": HandNothing,
}


class Formula(cr.Layer):
    """A layer of the user's own: its formula is moves over its input and its parameters."""

    def __init__(self, part: Part, dtype: Any) -> None:
        rng = np.random.default_rng(len(part.moves))
        drawn = {f"p{i}": rng.standard_normal(s).astype(dtype) for i, s in enumerate(part.shapes)}
        super().__init__(**drawn)
        self.held = [layer(p, dtype, i) for i, p in enumerate(part.parts)]
        self.moves = part.moves

    def formula(self, x: Any, *parameters: Any) -> Any:
        return flow(self.moves, [x, *parameters], self.held)[-1]


class Memory(cr.Layer):
    """The means of the batch before and of the one before that, which change places."""

    def __init__(self, n: int, turn: int, dtype: Any) -> None:
        super().__init__()
        self.turn = turn
        self._buffers = {"last": np.zeros(n, dtype), "before": np.ones(n, dtype)}

    def formula(self, x: Any) -> Any:
        last, before = self.buffer("last"), self.buffer("before")
        if cr.is_training():
            new = {"last": cr.mean(x, tuple(range(x.ndim - 1))), "before": last}
            for name in list(new)[:: self.turn]:
                self.write_buffer(name, new[name])
        return x * 0.9 + last * 0.3 - before * 0.2


class Tied(cr.Layer):
    """One matrix, used as it is and transposed, as an autoencoder does."""

    def __init__(self, n: int, dtype: Any) -> None:
        super().__init__()
        W = (np.random.default_rng(n).standard_normal((n, 4)) * 0.5).astype(dtype)
        self.down, self.up = cr.MatMul(W), cr.MatMul(W.T)

    def formula(self, x: Any) -> Any:
        return self.up(cr.tanh(self.down(x)))


def layer(part: Part, dtype: Any, i: int) -> Any:
    """The layer that a part is, number i of its network."""
    made: Any
    name, sizes = part.name, part.sizes
    if name == "formula":
        made = Formula(part, dtype)
    elif name == "nested":
        made = cr.Sequential(*(layer(p, dtype, j) for j, p in enumerate(part.parts)))
    elif name == "tied":
        made = Tied(sizes[0], dtype)
    elif name == "memory":
        made = Memory(sizes[0], sizes[1], dtype)
    elif name == "by hand: affine":
        rng = np.random.default_rng(i)
        made = HandAffine(rng.standard_normal(sizes).astype(dtype), np.zeros(sizes[1], dtype))
    elif name in BY_HAND:
        made = BY_HAND[name]()
    elif name in ("Affine", "MatMul", "Embedding"):
        init = "xavier" if name != "Embedding" else "uniform"
        made = getattr(cr, name).sized(*sizes, init=init, dtype=dtype)
    elif name == "NTKAffine":
        made = cr.NTKAffine.sized(*sizes, dtype=dtype)
    elif name in ("Scale", "ParametricSELU", "ParametricMish"):
        made = getattr(cr, name)(np.linspace(0.5, 1.5, sizes[0]).astype(dtype))
    elif name == "PeriodicEmbedding":
        made = cr.PeriodicEmbedding.sized(sizes[0], waves=3, outputs=sizes[1], dtype=dtype)
    elif name == "CategoryEmbedding":
        made = cr.CategoryEmbedding.sized(*sizes, columns=1, dtype=dtype)
    elif name == "Dropout":
        made = cr.Dropout(sizes[0], steps=sizes[1] if len(sizes) > 1 else None)
    elif name in ("BatchNorm", "LayerNorm"):
        made = getattr(cr, name).sized(*sizes, eps=0.1, dtype=dtype)
    else:
        made = getattr(cr, name)(*sizes)
    if part.frozen and isinstance(made, cr.Layer):
        made.trainable = False
    return made


# -- the network ------------------------------------------------------------------------------------------


def flow(moves: tuple[Move, ...], values: list[Any], parts: list[Any]) -> list[Any]:
    """The values, with those that the moves give."""
    for move in moves:
        if move.name == "part":
            values.append(parts[move.how[0]](values[move.given[0]]))
        else:
            values.append(run(move, values))
    return values


def entered(plan: Plan, x: Any) -> list[Any]:
    """The values that a batch of rows begins as."""
    if plan.entry == "only ids":
        return [x]
    if plan.entry == "ids":
        return [x[:, -1].astype(np.int64), x[:, :-1]]
    if plan.entry == "cut":
        return [x[:, : x.shape[1] // 2], x[:, x.shape[1] // 2 :]]
    return [x]


class PlannedNetwork(cr.Network):
    """The network that a plan describes."""

    def __init__(self, plan: Plan) -> None:
        losses: dict[str, Any] = {
            "Huber": lambda: cr.Huber(0.7),
            "SoftmaxWithLoss": lambda: cr.SoftmaxWithLoss(label_smoothing=0.05),
        }
        super().__init__(loss=losses.get(plan.loss, getattr(cr, plan.loss))(), seed=plan.seed)
        self.plan = plan
        dtype = np.dtype(plan.dtype)
        self.parts = [
            _opened(layer(part, np.dtype(np.float32) if plan.both and i % 2 else dtype, i))
            for i, part in enumerate(plan.parts)
        ]
        self.head = cr.Affine.sized(sum(width for _, _, width in plan.ends), 3, dtype=dtype)

    def predict(self, x: Any) -> Any:
        values = flow(self.plan.moves, entered(self.plan, x), self.parts)
        y = self.head(cr.concatenate([_in_rows(values[i], *how) for i, *how in self.plan.ends], 1))
        return cr.softmax(y) if self.plan.loss == "CrossEntropyError" else y


def _opened(made: Any) -> Any:
    """A layer to be called on Variables, whoever wrote it."""
    if isinstance(made, cr.Layer | cr.Network):
        return made
    return cr.layers.opaque.OpaqueLayer(made)


def _looked_at(part: Part, i: int) -> Any:
    """A layer of no network, to be called on Variables; its weights are drawn from i."""
    made = _opened(layer(part, np.dtype(float), i))
    for _, one in made.named_layers():
        if one._needs_seed:
            one.initialize(np.random.default_rng(i))
    return made


def looked(plan: Plan) -> list[Any]:
    """The layers of a plan, to be called on Variables."""
    return [_looked_at(part, i) for i, part in enumerate(plan.parts)]


def _in_rows(v: Any, axis: int, width: int) -> Any:
    """A value as one row for each of the batch: their axis to the front, the rest flat."""
    if axis:
        v = cr.transpose(v, (axis, *(a for a in range(v.ndim) if a != axis)))
    return cr.reshape(v, (-1, width))


def make(plan: Plan) -> PlannedNetwork:
    """The network, with the same first weights at every call."""
    net = PlannedNetwork(plan)
    net._flatten_parameters()
    return net


def data(plan: Plan, n: int, seed: int = 0) -> Data:
    """Rows, targets and weights for the network."""
    rng = np.random.default_rng([plan.seed, seed])
    x: Array
    if plan.entry == "only ids":
        x = rng.integers(0, 4, (n, *plan.shape))
    else:
        x = rng.standard_normal((n, *plan.shape)).astype(plan.dtype)
        if plan.entry in ("ids", "category"):
            x[:, -1] = rng.integers(0, 4, n)
    if plan.loss in ("SoftmaxWithLoss", "CrossEntropyError"):
        t: Array = rng.integers(0, 3, n)
    elif plan.loss == "SigmoidWithLoss":
        t = rng.integers(0, 2, (n, 3))
    else:
        t = rng.standard_normal((n, 3)).astype(plan.dtype)
    w = (rng.random(n) + 0.2).astype(plan.dtype) if plan.weighted else None
    return x, t, w


# -- drawing ------------------------------------------------------------

_LOSSES = (
    "MeanSquaredError", "MeanSquaredError", "HalfSquaredError", "MeanAbsoluteError", "Huber",
    "SoftmaxWithLoss", "SoftmaxWithLoss", "CrossEntropyError", "SigmoidWithLoss",
)  # fmt: skip


def draw_plan(
    seed: int, *, tame: bool = False, by_hand: bool = True, moves: int | None = None
) -> Plan:
    """A random network. A tame one leaves the rows of the batch apart, as most people's do."""
    d = Draw(np.random.default_rng([seed, tame]), tame)
    entry = str(d.one_of(("whole", "whole", "whole", "cut", "ids", "only ids", "category")))
    if tame and entry == "ids":
        entry = "only ids"
    shape = (
        (7,)
        if entry == "ids"
        else (5,)
        if entry == "category"
        else (3,)
        if entry == "only ids"
        else d.one_of(_SHAPES)
    )
    if entry == "cut" and shape[0] < 2:
        entry = "whole"
    plan = Plan(
        seed,
        "float64" if d.chance(0.75) else "float32",
        shape,
        entry,
        loss=str(d.one_of(_LOSSES)),
        weighted=d.chance(0.25),
        both=by_hand and d.chance(0.06),
        tame=tame,
    )
    values = entered(plan, cr.Variable(data(plan, ROWS)[0].astype(_wide(plan))))
    maker = _Maker(d, by_hand)
    begun = len(values)
    with np.errstate(all="ignore"):
        if entry == "only ids":
            maker.add(values, maker.part(Part("Embedding", (4, d.number(1, 4)))), 0)
        if entry == "category":
            maker.add(values, maker.part(Part("CategoryEmbedding", (4, d.number(1, 2)))), 0)
        maker.some(values, moves or d.number(2, 12))
    fit = [i for i, v in enumerate(values) if v.dtype.kind == "f" and _fits_the_end(v)]
    late = [i for i in fit if i >= begun] or fit
    if not late:
        return draw_plan(seed + 1_000_003, tame=tame, by_hand=by_hand, moves=moves)
    chosen = sorted({late[-1], *(int(d.one_of(late)) for _ in range(d.number(0, 2)))})
    ends = tuple((i, batch_axes(values[i].shape)[0], values[i].size // ROWS) for i in chosen)
    drawn = dataclasses.replace(plan, moves=tuple(maker.moves), parts=tuple(maker.parts), ends=ends)
    if not _goes_with_the_batch(drawn):
        return draw_plan(seed + 1_000_003, tame=tame, by_hand=by_hand, moves=moves)
    return drawn


def _goes_with_the_batch(plan: Plan, n: int = 11) -> bool:
    """Whether what looked like rows are rows: an axis may have come out as long by chance."""
    x = data(plan, n)[0]
    try:
        with np.errstate(all="ignore"):
            values = flow(plan.moves, entered(plan, cr.Variable(x)), looked(plan))
    except (cr.errors.ChainruleError, ValueError, IndexError):
        return False
    return all(
        values[i].shape[axis] % n == 0 and values[i].size == n * width
        for i, axis, width in plan.ends
    )


def _wide(plan: Plan) -> Any:
    return np.int64 if plan.entry == "only ids" else np.float64


def _fits_the_end(v: cr.Variable) -> bool:
    return len(batch_axes(v.shape)) == 1 and v.size // ROWS <= 60


def _matrix(v: cr.Variable) -> bool:
    """Whether v has the form that layers written by hand take: rows of numbers, one for each of the batch."""
    return v.ndim == 2 and v.shape[0] == ROWS


class _Maker:
    """Draws moves and layers, and runs each at once, to see that it goes."""

    def __init__(self, d: Draw, by_hand: bool, depth: int = 0) -> None:
        self.d, self.by_hand, self.depth = d, by_hand, depth
        self.moves: list[Move] = []
        self.parts: list[Part] = []
        self.layers: list[Any] = []

    def some(self, values: list[Any], n: int) -> None:
        """So many moves, where the values allow them."""
        names = [name for name in MOVES if self.by_hand or name not in CALLED]
        for _ in range(6 * n):
            if n <= 0:
                break
            try:
                if self.d.chance(0.25):
                    self._layer(values)
                else:
                    name = str(self.d.one_of(names))
                    given, how = MOVES[name][0](self.d, values)
                    self._take(values, Move(name, given, how))
                n -= 1
            except NotHere:
                continue

    def _take(self, values: list[Any], move: Move) -> None:
        (*_, new) = flow((move,), list(values), self.layers)
        size = np.abs(new.data).max(initial=0)
        if new.size == 0 or new.size > 4000 or new.ndim > 5 or not np.isfinite(size):
            raise NotHere
        if len(batch_axes(new.shape)) > 1 and self.d.tame:
            raise NotHere
        if any(n and n % ROWS**2 == 0 for n in new.shape):  # rows times rows
            raise NotHere
        values.append(new)
        self.moves.append(move)
        if new.dtype.kind == "f" and size > _LARGE:
            small = Move(self.d.one_of(("tanh", "sigmoid", "sin")), (len(values) - 1,))
            (*_, new) = flow((small,), list(values), [])
            values.append(new)
            self.moves.append(small)

    # -- layers ---------------------------------------------------------------------------------------

    def part(self, part: Part) -> int:
        """A new layer; its place."""
        if self.d.chance(0.1):
            part = dataclasses.replace(part, frozen=True)
        self.parts.append(part)
        self.layers.append(_looked_at(part, len(self.layers)))
        return len(self.parts) - 1

    def add(self, values: list[Any], k: int, i: int) -> None:
        """A layer applied to a value."""
        self._take(values, Move("part", (i,), (k,)))

    def _layer(self, values: list[Any]) -> None:
        i = self.d.value(values, lambda v: bool(v.ndim >= 2 and batch_axes(v.shape)))
        v = values[i]
        if self.layers and self.d.chance(0.25):  # one that there is already
            k = self.d.number(0, len(self.layers) - 1)
            if self.parts[k].name.startswith("by hand") and not _matrix(v):
                raise NotHere
            if self.parts[k].name == "CategoryEmbedding":  # no other values are its row numbers
                raise NotHere
            try:
                self.add(values, k, i)
            except (cr.errors.ChainruleError, ValueError, IndexError):
                raise NotHere from None
            return
        part = self._drawn(v)
        k = self.part(part)
        try:
            self.add(values, k, i)
        except NotHere:
            self.parts.pop()
            self.layers.pop()
            raise

    def _drawn(self, v: cr.Variable) -> Part:
        d, n = self.d, v.shape[-1]
        if n % ROWS == 0:
            raise NotHere
        plain = ["Sigmoid", "Tanh", "ReLU", "LeakyReLU", "GELU", "Softmax"]
        plain += ["ELU", "SELU", "SiLU", "Mish"]
        kinds = [
            "Affine",
            "Affine",
            "Affine",
            "NTKAffine",
            "Scale",
            "bent",
            "MatMul",
            "LayerNorm",
            "plain",
            "plain",
            "tied",
        ]
        leading = v.shape[0] == ROWS
        if leading:
            kinds += ["BatchNorm", "Dropout", "memory"]
        if leading and self.depth == 0:
            kinds.append("Flatten")
        if _matrix(v):
            kinds.append("PeriodicEmbedding")
        if self.depth < 2:
            kinds += ["formula", "formula", "formula", "nested"]
        if self.by_hand and _matrix(v) and self.depth == 0 and not d.tame:
            kinds += ["by hand: affine", *BY_HAND]
        kind = str(d.one_of(kinds))
        if kind in ("Affine", "NTKAffine", "MatMul", "by hand: affine"):
            return Part(kind, (n, d.number(1, 6)))
        if kind == "PeriodicEmbedding":
            return Part(kind, (d.number(1, n), d.number(2, 3)))
        if kind == "bent":
            return Part(str(d.one_of(("ParametricSELU", "ParametricMish"))), (n,))
        if kind in ("BatchNorm", "LayerNorm", "Scale", "tied"):
            return Part(kind, (n,))
        if kind == "memory":
            return Part(kind, (n, int(d.one_of((-1, 1)))))
        if kind == "Dropout":
            return Part(kind, (0.3, 6) if d.chance(0.5) else (0.3,))
        if kind == "plain" and d.chance(0.1):
            return Part("Function", (str(d.one_of(("tanh", "silu", "softplus"))),))
        if kind == "plain":
            return Part(str(d.one_of(plain)))
        if kind == "nested":
            inside = _Maker(d, False, 2)
            return Part(kind, parts=tuple(inside._drawn_chain(v, d.number(1, 3))))
        return self._formula(v) if kind == "formula" else Part(kind)

    def _drawn_chain(self, v: cr.Variable, n: int) -> list[Part]:
        parts: list[Part] = []
        width = v.shape[-1]
        for _ in range(n):
            part = self._drawn(cr.Variable(np.zeros((*v.shape[:-1], width))))
            if part.name in ("Affine", "NTKAffine", "MatMul"):
                width = part.sizes[1]
            if part.name == "PeriodicEmbedding":
                width += part.sizes[0] * (part.sizes[1] - 1)
            parts.append(part)
        return parts

    def _formula(self, v: cr.Variable) -> Part:
        d = self.d
        shapes = []
        for _ in range(d.number(0, 3)):
            shape = tuple(d.number(1, 5) for _ in range(d.number(0, 3)))
            if d.chance(0.4) and v.shape[-1] <= 6:
                shape = (*shape[:-1], v.shape[-1])
            shapes.append(shape)
        rng = np.random.default_rng(d.number(0, 99))
        values: list[Any] = [v, *(cr.Variable(rng.standard_normal(s)) for s in shapes)]
        inside = _Maker(d, False, self.depth + 1)
        inside.some(values, d.number(1, 5))
        if not inside.moves:
            raise NotHere
        return Part(
            "formula",
            shapes=tuple(shapes),
            moves=tuple(inside.moves),
            parts=tuple(inside.parts),
        )
