"""Programs that train: data, parameters, gradient, loop, in the order of the chapter."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.called import parameter_names
from chainrule.engine.names import Names
from chainrule.engine.trace import Traced
from chainrule.errors import ChainruleError, RecordingError, SettingError, shown
from chainrule.files.script.body import Body
from chainrule.files.script.data import MAKERS, Made, find_maker, made_text
from chainrule.files.script.expressions import Expressions
from chainrule.files.script.plain import function_text, literal
from chainrule.files.script.recorded import Recorded, record_step
from chainrule.files.script.script import Script
from chainrule.files.script.sizes import Sizes, alike
from chainrule.files.script.update import Update, refuse_by_hand
from chainrule.files.script.weights import Weights
from chainrule.files.script.wording import WIDTH, listed, spoken
from chainrule.layers import dropout
from chainrule.layers.base import Layer
from chainrule.settings import positive, whole

if TYPE_CHECKING:
    from chainrule.graph.variable import Parameter
    from chainrule.networks import Network

__all__ = ["Page", "training_script"]

Array = npt.NDArray[Any]

#: Names that a program has of its own.
TAKEN = frozenset(
    "np math Path kept file x t w n rows ones start step order epoch total loss params grads"
    " gradient predict rng norm count run weight_decay max_grad clip_norm print len zip range float"
    " sum min max dict int".split()
)
INNER = TAKEN - {"rows", "ones", "loss", "order", "start", "step", "total", "norm", "run"}
_QUIET = re.compile(r"np\.(exp|log|log1p|sqrt|power)\(|uint64| / ")


class Page:
    """What a program is made of: its blocks in order, and the arrays beside it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.names = Names(TAKEN)
        #: Names inside of functions hide none of these; those of the loop they may use again.
        self.inner = Names(INNER)
        called = parameter_names(network)
        self.parameters = {p: self.names.unique(name) for p, name in called.items()}
        self.buffers: dict[tuple[Layer, str], str] = {
            (layer, key): self.names.unique(key) for layer in network.layers for key in layer.buffers
        }
        self.inner.taken |= {*self.parameters.values(), *self.buffers.values()}
        self.weights = Weights(network, self.parameters, self.buffers, "rng")
        self.arrays: dict[str, Array] = dict(self.weights.arrays)

    def function(self, recorded: Recorded, sizes: Sizes, arguments: Sequence[Traced]) -> Function:
        """A recording as the inside of a function."""
        e = Expressions(self.inner, sizes)
        e.numbers = dict(self.weights.numbers)
        named = {leaf: leaf.name for leaf in arguments}
        for p, name in self.parameters.items():
            leaf = recorded.parameters.get(p)
            if leaf is not None:
                named[leaf] = name
        named |= {leaf: self.buffers[key] for key, leaf in recorded.buffers.items()}
        return Function(Body(recorded, e), named, self.buffers)

    def text(self, doc: Sequence[str], blocks: Sequence[str]) -> str:
        """The whole program; blocks that begin with def stand apart."""
        body = "\n".join(blocks)
        imports = []
        if "math." in body:
            imports.append("import math")
        if self.arrays:
            imports.append("from pathlib import Path")
        head = [f'"""{doc[0]}', *doc[1:], '"""', ""]
        head += [*imports, ""] if imports else []
        head += ["import numpy as np"]
        if self.arrays:
            head += [
                "",
                'with np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False) as file:',
                "    kept = dict(file)  # the arrays that no seed makes",
            ]
        if _QUIET.search(body):
            head += ["", 'np.seterr(all="ignore")  # exp may overflow to infinity, and 1 / ∞ is 0']
        text = "\n".join(head)
        after_function = False
        for block in blocks:
            is_function = block.startswith("def ")
            text += "\n\n\n" if is_function or after_function else "\n\n"
            text += block.strip("\n")
            after_function = is_function
        return text + "\n"


class Function:
    """The lines inside of a function, and what it needs around it."""

    def __init__(
        self, body: Body, named: dict[Traced, str], buffers: dict[tuple[Layer, str], str]
    ) -> None:
        self.e, self.recorded = body.e, body.recorded
        lines = body.lines(named)
        made = [f"    {name} = {text}" for name, text in self.e.prelude.items()]
        if any(re.search(r"\bn\b", line.split("#")[0]) for line in lines + made):
            made.insert(0, "    n = len(x)")
        self.lines = made + lines
        self.after = self._written()
        self.constants = dict(self.e.constants)
        self.helpers = [_helper(f, name) for f, name in self.e.functions.items()]

    def _written(self) -> list[str]:
        """What the step leaves in buffers, after all has been read."""
        written = {leaf for leaf, _ in self.recorded.writes}
        texts = [(leaf, value, self.e.text(value)) for leaf, value in self.recorded.writes]
        lines, last = [], []
        for leaf, value, text in texts:
            name = self.e.named[leaf]
            others = {self.e.named[other] for other in written if other is not leaf}
            if value not in self.e.named and others & set(re.findall(r"\w+", text)):
                fresh = self.e.names.unique(f"new_{name}")
                lines.append(f"    {fresh} = {text}")
                text = fresh
            last.append(f"    {name}[...] = {text}")
        return lines + last


def _helper(function: Callable[..., Any], name: str) -> str:
    """A function that a step calls, in its own words."""
    words = {
        key: f"np.uint64(0x{int(value):X})"
        for key, value in vars(dropout).items()
        if isinstance(value, np.uint64)
    }
    arguments = {dropout.mixed: "z", dropout.cells: "shape"}[function]
    return function_text(function, name, arguments, words)


# -- sizes --------------------------------------------------------------------------------------


def lay_out(
    record: Callable[[int], Recorded], widths: Iterable[int], used: tuple[int, ...]
) -> tuple[Recorded, Sizes]:
    """A recording for batches of any size, and how its lengths and numbers go with the batch.

    `used` are the sizes that there will be. Where recordings of other sizes are not alike, the
    program holds for one size only.
    """
    exact = {n: record(n) for n in used}
    for m1, m2 in _unlike(set(widths)):
        try:
            base, other = record(m1), record(m2)
        except ChainruleError:
            break  # the formula itself asks for a certain size
        twins = alike(base, other)
        if twins is not None:
            found = {n: alike(base, made) for n, made in exact.items()}
            others = {m2: twins} | {n: t for n, t in found.items() if t is not None}
            others.pop(m1, None)
            return base, Sizes(base, others, used)
    base = exact[used[0]]
    others = {}
    for n in used[1:]:
        twins = alike(base, exact[n])
        if twins is None:
            raise RecordingError(
                f"the network takes other operations for the last, smaller batch of {n} rows than for"
                f" {used[0]}. Give a batch_size that divides the number of rows."
            )
        others[n] = twins
    return base, Sizes(base, others, used)


def _unlike(widths: set[int]) -> list[tuple[int, int]]:
    """Pairs of small sizes that share no factor with each other, and stand for no width."""
    found: list[int] = []
    n = 5
    while len(found) < 4:
        prime = all(n % k for k in range(2, math.isqrt(n) + 1))
        if prime and not any(w == n or (w > n and w % n == 0) for w in widths):
            found.append(n)
        n += 2
    return [(found[0], found[1]), (found[2], found[3])]


def widths_of(network: Network, *arrays: Array | None) -> set[int]:
    """The lengths that have nothing to do with the batch."""
    found = {n for p in network.named_parameters().values() for n in p.shape}
    return found | {n for a in arrays if a is not None for n in a.shape[1:]}


# -- training -------------------------------------------------------------------------------------


def training_script(
    network: Network,
    optimizer: Any,
    x: Any,
    t: Any = None,
    *,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
    sample_weight: npt.ArrayLike | None = None,
    max_grad: float | None = None,
    shuffle: bool = True,
) -> Script:
    """A program that trains as Trainer does; see `Network.script`."""
    epochs, batch_size = whole(epochs, "epochs"), whole(batch_size, "batch_size")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise SettingError(f"seed={shown(seed)} must be a whole number from 0.")
    if max_grad is not None:
        max_grad = positive(max_grad, "max_grad")
    refuse_by_hand(optimizer)
    network.adopt()
    made = find_maker(x, t)
    if made is not None:
        x, t = (made.x, made.t) if t is None else (x, t)
    data = network.prepare(x, t, sample_weight)
    batch = [(k, np.ascontiguousarray(a)) for k, a in zip("xtw", data, strict=True) if a is not None]
    return _Training(network, optimizer, batch, made, max_grad).script(
        epochs, min(batch_size, len(data[0])), int(seed), shuffle
    )


class _Training:
    def __init__(
        self,
        network: Network,
        optimizer: Any,
        batch: list[tuple[str, Array]],
        made: Made | None,
        max_grad: float | None,
    ) -> None:
        self.network, self.optimizer, self.max_grad = network, optimizer, max_grad
        self.batch, self.made = batch, made
        self.data = dict(batch)
        self.page = Page(network)

    def script(self, epochs: int, batch_size: int, seed: int, shuffle: bool) -> Script:
        rows = len(self.data["x"])
        used = tuple(dict.fromkeys(n for n in (batch_size, rows % batch_size) if n))
        base, sizes = lay_out(
            lambda n: record_step(self.network, self.batch, n),
            widths_of(self.network, *self.data.values()),
            used,
        )
        page = self.page
        groups = runs(self.network)
        if not groups:
            raise SettingError("every parameter of the network is frozen: nothing would be trained.")
        steps = epochs * math.ceil(rows / batch_size)
        function = page.function(base, sizes, base.arguments)
        update = Update(self.optimizer, groups, steps, self.max_grad, page.names)
        params = self._params(groups, update.ordered)
        data = self._data()
        page.arrays |= update.arrays
        text = page.text(
            self._doc(epochs, batch_size, seed, shuffle),
            [
                *([MAKERS[self.made.name]] if self.made is not None and data[1] else []),
                "\n".join(["# Data", *data[0]]),
                self._parameters(params, function),
                *update.functions,
                *function.helpers,
                self._gradient(function, params),
                self._loop(update, epochs, batch_size, seed, shuffle),
            ],
        )
        return Script(text, page.arrays)

    # -- blocks -----------------------------------------------------------------------------------

    def _doc(self, epochs: int, batch_size: int, seed: int, shuffle: bool) -> list[str]:
        layers = [type(layer).__name__ for layer in (*self.network.layers, self.network.loss)]
        names = ", ".join(layers[:8]) + (", …" if len(layers) > 8 else "")
        more = f", max_grad={self.max_grad!r}" if self.max_grad is not None else ""
        more += "" if shuffle else ", shuffle=False"
        more += ", sample_weight=w" if "w" in self.data else ""
        whole = (
            "Written by chainrule. In float64 it prints, to the last digit, the losses of"
            f" Trainer(network, {self.optimizer!r}, seed={seed}, engine='numpy')"
            f".fit(x, t, epochs={epochs}, batch_size={batch_size}{more}) on the same machine."
        )
        return [
            spoken(f"A neural network trained with NumPy alone: {names}.", 95),
            "",
            *textwrap.wrap(spoken(whole, 2000), WIDTH, break_on_hyphens=False),
        ]

    def _data(self) -> tuple[list[str], bool]:
        """The lines that bring the data, and whether they make it again."""
        if self.made is not None and "w" not in self.data:
            lines = made_text(self.made, self.data["x"], self.data["t"], ("x", "t"))
            if lines is not None:
                return lines, True
        self.page.arrays |= self.data
        return [f'{name} = kept["{name}"]' for name in self.data], False

    def _params(self, groups: Sequence[Sequence[Parameter]], ordered: bool) -> list[Parameter]:
        """The parameters that move, in the order of the network, or of its buffer."""
        buffer = [p for group in groups for p in group]
        inside = set(buffer)
        return buffer if ordered else [p for p in self.page.parameters if p in inside]

    def _parameters(self, params: Sequence[Parameter], function: Function) -> str:
        page = self.page
        lines = ["# Parameters"]
        lines += [f'{name} = kept["{name}"]' for name in page.weights.arrays]
        lines += page.weights.lines
        for name, array in function.constants.items():
            if array.size <= 12:
                kind = f", dtype=np.{array.dtype.name}" if array.dtype != np.float64 else ""
                lines.append(f"{name} = np.array({literal(array.tolist())}{kind})")
            else:
                page.arrays[name] = array
                lines.append(f'{name} = kept["{name}"]')
        return "\n".join([*lines, *listed("params", [page.parameters[p] for p in params])])

    def _gradient(self, function: Function, params: Sequence[Parameter]) -> str:
        e, found = function.e, dict(function.recorded.gradients)
        grads = [
            e.text(found[p]) if p in found else f"np.zeros_like({self.page.parameters[p]})"
            for p in params
        ]
        lines = [
            f"def gradient({', '.join(self.data)}):",
            '    """The loss of a mini-batch, and its gradient for every parameter."""',
            *function.lines,
        ]
        if function.after:
            lines += ["", "    # What later batches build on.", *function.after]
        listing = listed("grads", grads, 4)
        if len(listing) == 1 and len(listing[0]) < 80:
            lines.append(f"    return float({e.text(function.recorded.out)}), [{', '.join(grads)}]")
        else:
            lines += [*listing, f"    return float({e.text(function.recorded.out)}), grads"]
        return "\n".join(lines)

    def _loop(
        self, update: Update, epochs: int, batch_size: int, seed: int, shuffle: bool
    ) -> str:
        given = ", ".join(f"{name}[rows]" for name in self.data)
        weight, count = "len(rows)", "len(x)"
        if "w" in self.data:
            weight, count = "float(w[rows].sum())", "count"
        lines = ["# Training", *update.settings]
        lines += [f'{name} = kept["{name}"]' for name in update.arrays]
        if update.counts:
            lines.append("step = 0")
        if shuffle:
            lines.append(f"rng = np.random.default_rng({seed})")
        order = "rng.permutation(len(x))" if shuffle else "np.arange(len(x))"
        lines += [
            f"for epoch in range(1, {epochs + 1}):  # step 4: repeat",
            f"    order = {order}",
            f"    total{', count' if count == 'count' else ''} = 0.0{', 0.0' if count == 'count' else ''}",
            f"    for start in range(0, len(x), {batch_size}):",
            f"        rows = order[start : start + {batch_size}]  # step 1: mini-batch",
            f"        loss, grads = gradient({given})  # step 2: gradient",
            f"        # step 3: update. {update.rule_note}",
            *(f"        {line}" for line in update.lines),
        ]
        if count == "count":
            lines += [
                f"        weight = {weight}",
                "        total, count = total + loss * weight, count + weight",
            ]
        else:
            lines.append(f"        total += loss * {weight}")
        lines.append(f'    print(f"epoch {{epoch}}: loss {{total / {count}}}")')
        return "\n".join(lines)


def runs(network: Network) -> list[list[Parameter]]:
    """The parameters that move, in the runs that an optimizer updates as one array each."""
    found: list[list[Parameter]] = []
    flats = network.adopt()
    for flat in flats:
        before: Parameter | None = None
        for p in flat.parameters:
            if p.trainable:
                if before is not None and before.trainable and before.decays == p.decays:
                    found[-1].append(p)
                else:
                    found.append([p])
            before = p
    inside = {p for flat in flats for p in flat.parameters}
    found += [[p] for p in network.named_parameters().values() if p.trainable and p not in inside]
    return found
