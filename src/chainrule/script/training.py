"""Programs that train: data, parameters, gradient and training loop, in the chapter's order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.origins import Origin
from chainrule.engine.protocols import RecordableNetwork
from chainrule.errors import DataError, SettingError, shown
from chainrule.graph.variable import Array
from chainrule.lang.messages import Text, _, _p, sentences
from chainrule.lang.messages import listed as enumerated
from chainrule.script.data import GeneratedData, find_maker, generated_text, maker_text
from chainrule.script.midway import Evaluation, Start
from chainrule.script.page import Function, Page, lay_out, widths_of
from chainrule.script.recorded import record_step
from chainrule.script.script import Script
from chainrule.script.update import Update, refuse_by_hand
from chainrule.script.wording import comment, docstring, listed, printed, spoken, wrapped
from chainrule.settings import language, positive, whole

if TYPE_CHECKING:
    from chainrule.graph.variable import Parameter

__all__ = ["training_script"]


#: Names and docstrings of the gradient functions: one for all batches, or one for each of two sizes.
_GRADIENTS = (
    ("gradient", _("The loss of a mini-batch, and its gradient for every parameter.")),
    ("last_gradient", _("The same for the last, smaller batch, which takes other operations.")),
)


def training_script(
    network: RecordableNetwork,
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
    test: tuple[Array, Array] | None = None,
    start: Start | None = None,
    steps: int | None = None,
    lang: str | None = None,
) -> Script:
    """One NumPy file, without chainrule, that trains as Trainer does and prints the same losses.

    Forward, backward and update are written from the step that the NumPy engine runs: the same
    NumPy calls on the same numbers in the same order. So for a float64 network every epoch's loss
    is the same to the last digit, on the same machine with the same number of BLAS threads; in
    float32 the program computes in float32 too.

    `x`, `t`: arrays; or one of chainrule's generated sets, `cr.datasets.spiral` or
    `functools.partial(cr.datasets.moons, 500, seed=3)`, in place of x. The program generates again
    what came from a seed: a generated set (also if its arrays are given), and initial weights that
    have not been trained. Everything else is in `Script.arrays`, saved in an `.npz` beside the file.
    Training starts from the network's present parameters with a fresh optimizer; `seed` is that of
    Trainer, the other settings are those of `Trainer.fit`. With `test`, other rows (x, t), the program
    ends with the losses of the trained network on both. `start` goes on from the middle of a training,
    whose `epochs` are counted from its beginning; `steps` is how many batches it takes, where the last
    epoch is not to be complete. `lang` is the language of the comments and of the program's output,
    "en" or "zh"; None: the language of CHAINRULE_LANG, else English.

    Raises:
        RecordingError: a layer or an optimizer written by hand; a step that depends on the batch
            size in a way that cannot be written.
        SettingError: a schedule that depends on the losses, or a setting out of its range.
        DataError: data that the network does not take.

    >>> import chainrule as cr
    >>> script = training_script(cr.TwoLayerNet(2, 4, 3), cr.SGD(), cr.datasets.spiral, epochs=1)
    >>> "z1 = np.dot(x, W1) + b1  # Affine: y = x W + b." in script.text
    True
    """
    lang = language(lang)
    epochs, batch_size = whole(epochs, "epochs"), whole(batch_size, "batch_size")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        allowed = _("a whole number from 0")
        raise SettingError(
            _("{name}={value} must be {allowed}.", name="seed", value=shown(seed), allowed=allowed)
        )
    if max_grad is not None:
        max_grad = positive(max_grad, "max_grad")
    refuse_by_hand(optimizer)
    network._flatten_parameters()
    generated = find_maker(x, t)
    if generated is not None:
        x, t = (generated.x, generated.t) if t is None else (x, t)
    data = network._prepare(x, t, sample_weight)
    for name, array in zip("xt", data[:2], strict=True):
        if not np.isfinite(array).all():
            raise DataError(
                _(
                    "{name} holds NaN or infinity, which cannot be trained on. Fill or drop such rows.",
                    name=name,
                )
            )
    batch = [
        (k, np.ascontiguousarray(a)) for k, a in zip("xtw", data, strict=True) if a is not None
    ]
    training = _Training(network, optimizer, batch, generated, max_grad, lang)
    training.test, training.start, training.steps = test, start, steps
    return training.script(epochs, min(batch_size, len(data[0])), int(seed), shuffle)


class _Training:
    def __init__(
        self,
        network: RecordableNetwork,
        optimizer: Any,
        batch: list[tuple[str, Array]],
        generated: GeneratedData | None,
        max_grad: float | None,
        lang: str,
    ) -> None:
        self.network, self.optimizer, self.max_grad = network, optimizer, max_grad
        self.lang = lang
        self.batch, self.generated = batch, generated
        self.data = dict(batch)
        self.page = Page(network, lang)
        self.test: tuple[Array, Array] | None = None
        self.start: Start | None = None
        self.steps: int | None = None

    def script(self, epochs: int, batch_size: int, seed: int, shuffle: bool) -> Script:
        rows = len(self.data["x"])
        used = tuple(dict.fromkeys(n for n in (batch_size, rows % batch_size) if n))
        laid_out = lay_out(
            lambda n: record_step(self.network, self.batch, n),
            widths_of(self.network, *self.data.values()),
            used,
        )
        page = self.page
        groups = runs(self.network)
        if not groups:
            raise SettingError(
                _("every parameter of the network is frozen: nothing would be trained.")
            )
        steps = epochs * math.ceil(rows / batch_size)
        functions = [page.function(base, sizes, base.arguments) for base, sizes in laid_out]
        update = Update(self.optimizer, groups, steps, self.max_grad, page.names, self.lang)
        params = self._params(groups, update.ordered)
        data = self._data()
        page.arrays |= update.arrays
        states = update.fresh_states()
        if self.start is not None:
            states = self.start.states(page, update.states, params)
        evaluation = None if self.test is None else Evaluation(page, self.data, self.test)
        more: list[str] = []
        if evaluation is not None:
            functions = [*functions, *evaluation.functions]
            more = evaluation.data_lines()
        helpers = dict.fromkeys(helper for function in functions for helper in function.helpers)
        text = page.text(
            self._doc(epochs, batch_size, seed, shuffle),
            [
                *(
                    [maker_text(self.generated.name, self.lang)]
                    if self.generated is not None and data[1]
                    else []
                ),
                "\n".join([*comment(_p("part of a program", "Data"), self.lang), *data[0], *more]),
                self._parameters(params, functions),
                *update.functions,
                *helpers,
                *(
                    self._gradient(*pair, params)
                    for pair in zip(functions[: len(laid_out)], _GRADIENTS, strict=False)
                ),
                *(evaluation.blocks() if evaluation is not None else []),
                "\n".join(
                    [
                        self._loop(
                            update, used, len(laid_out), [epochs, batch_size, seed], shuffle, states
                        ),
                        *(evaluation.lines() if evaluation is not None else []),
                    ]
                ),
            ],
        )
        return Script(
            text, page.arrays, *self._places(text, functions[: len(laid_out)], update, params)
        )

    def _places(
        self,
        text: str,
        functions: Sequence[Function],
        update: Update,
        params: Sequence[Parameter],
    ) -> tuple[dict[int, frozenset[Origin]], range]:
        """Which nodes the lines of the program compute, and which of them are the update."""
        lines = text.splitlines()
        origins: dict[int, frozenset[Origin]] = {}
        for function, pair in zip(functions, _GRADIENTS, strict=False):
            block = self._gradient(function, pair, params).splitlines()
            begin = lines.index(block[0])
            body = begin + 2  # after def and its docstring
            origins |= {body + k: found for k, found in enumerate(function.origins) if found}
            if function.returned:
                origins[begin + len(block) - 1] = function.returned
        inside = [f"        {line}" for line in update.lines]
        begin = len(lines) - lines[::-1].index(inside[-1]) - len(inside)
        return origins, range(begin, begin + len(inside))

    # -- blocks -----------------------------------------------------------------------------------

    def _doc(self, epochs: int, batch_size: int, seed: int, shuffle: bool) -> list[str]:
        layers = [type(layer).__name__ for layer in (*self.network.layers, self.network.loss)]
        names = enumerated(layers if len(layers) <= 8 else [*layers[:8], "…"])
        more = f", max_grad={self.max_grad!r}" if self.max_grad is not None else ""
        more += "" if shuffle else ", shuffle=False"
        more += ", sample_weight=w" if "w" in self.data else ""
        call = (
            f"Trainer(network, {self.optimizer!r}, seed={seed}, engine='numpy')"
            f".fit(x, t, epochs={epochs}, batch_size={batch_size}{more})"
        )
        prints = (
            _("It prints, to the last digit, the losses of {call} on the same machine.", call=call)
            if self.network.dtype == np.float64
            else _("It prints the losses of {call}, up to rounding in float32.", call=call)
        )
        if self.start is not None or self.steps is not None:
            prints = _(
                "It trains for a part of a longer run, and prints, to the last digit, that run's losses on"
                " the same machine."
            )
        first = _("A neural network trained with NumPy alone: {layers}.", layers=names)
        second = sentences(_("Written by chainrule."), prints)
        return [
            spoken(first.said(self.lang), 95),
            "",
            *wrapped(spoken(second.said(self.lang), 2000), self.lang),
        ]

    def _data(self) -> tuple[list[str], bool]:
        """The lines that assign the data, and whether they generate it."""
        if self.generated is not None and "w" not in self.data:
            lines = generated_text(self.generated, self.data["x"], self.data["t"], ("x", "t"))
            if lines is not None:
                return lines, True
        self.page.arrays |= self.data
        return [f'{name} = kept["{name}"]' for name in self.data], False

    def _params(self, groups: Sequence[Sequence[Parameter]], ordered: bool) -> list[Parameter]:
        """The trainable parameters, in the order of the network, or of its buffer if `ordered`."""
        buffer = [p for group in groups for p in group]
        inside = set(buffer)
        return buffer if ordered else [p for p in self.page.parameters if p in inside]

    def _parameters(self, params: Sequence[Parameter], functions: Sequence[Function]) -> str:
        lines = [
            *comment(_("Parameters"), self.lang),
            *self.page.parameter_lines(functions),
        ]
        return "\n".join([*lines, *listed("params", [self.page.parameters[p] for p in params])])

    def _gradient(
        self, function: Function, name_and_doc: tuple[str, Text], params: Sequence[Parameter]
    ) -> str:
        e, gradients = function.e, dict(function.recording.gradients)
        grads = [
            e.text(gradients[p]) if p in gradients else f"np.zeros_like({self.page.parameters[p]})"
            for p in params
        ]
        lines = [
            f"def {name_and_doc[0]}({', '.join(self.data)}):",
            f"    {docstring(name_and_doc[1], self.lang)}",
            *function.lines,
        ]
        if function.after:
            note = comment(_("What later batches build on."), self.lang, 4)
            lines += ["", *note, *function.after]
        listing = listed("grads", grads, 4)
        if len(listing) == 1 and len(listing[0]) < 80:
            lines.append(
                f"    return float({e.text(function.recording.out)}), [{', '.join(grads)}]"
            )
        else:
            lines += [*listing, f"    return float({e.text(function.recording.out)}), grads"]
        return "\n".join(lines)

    def _loop(
        self,
        update: Update,
        used: Sequence[int],
        functions: int,
        numbers: Sequence[int],
        shuffle: bool,
        states: Sequence[str],
    ) -> str:
        epochs, batch_size, seed = numbers
        call, choice = "gradient", []
        if functions > 1:
            call = "taken"
            choice = [f"        taken = gradient if len(rows) == {used[0]} else last_gradient"]
        arguments = ", ".join(f"{name}[rows]" for name in self.data)
        weighed = "w" in self.data
        weight, count = "len(rows)", "len(x)"
        if "w" in self.data:
            weight, count = "float(w[rows].sum())", "count"
        lang = self.lang
        lines = [*comment(_p("part of a program", "Training"), lang), *update.settings, *states]
        lines += [f'{name} = kept["{name}"]' for name in update.arrays]
        start = self.start or Start()
        if update.counts:
            lines.append(f"step = {start.updates}")
        if shuffle:
            lines.append(f"rng = np.random.default_rng({seed})")
            lines += start.generator_lines(lang) if start.generator else []
        span = start.span(self.steps, epochs, batch_size, len(self.data["x"]))
        step_1, step_2 = _("step 1: mini-batch").said(lang), _("step 2: gradient").said(lang)
        step_4 = _("step 4: repeat").said(lang)
        order = "rng.permutation(len(x))" if shuffle else "np.arange(len(x))"
        lines += [
            f"for epoch in {span.epochs}:  # {step_4}",
            f"    order = {order}",
            f"    total, count = {span.total}, 0.0" if weighed else f"    total = {span.total}",
            f"    for start in {span.starts}:",
            f"        rows = order[start : start + {batch_size}]  # {step_1}",
            *choice,
            f"        loss, grads = {call}({arguments})  # {step_2}",
            *comment(_("step 3: update. {rule}", rule=update.rule_note), lang, 8),
            *(f"        {line}" for line in update.lines),
        ]
        if count == "count":
            lines += [
                f"        weight = {weight}",
                "        total, count = total + loss * weight, count + weight",
            ]
        else:
            lines.append(f"        total += loss * {weight}")
        mean = f"{{total / {count}}}"
        report = _("epoch {epoch}: loss {loss}", epoch="{epoch}", loss=mean)
        said = f"print({printed(report, lang)})"
        lines += [f"    {span.printed}", f"        {said}"] if span.printed else [f"    {said}"]
        return "\n".join(lines)


def runs(network: RecordableNetwork) -> list[list[Parameter]]:
    """The trainable parameters in groups; the optimizer updates each group as one flat array."""
    groups: list[list[Parameter]] = []
    flats = network._flatten_parameters()
    for flat in flats:
        before: Parameter | None = None
        for p in flat.parameters:
            if p.trainable:
                settings = p.decays, p.lr_factor
                last = None if before is None else (before.decays, before.lr_factor)
                if before is not None and before.trainable and last == settings:
                    groups[-1].append(p)
                else:
                    groups.append([p])
            before = p
    inside = {p for flat in flats for p in flat.parameters}
    groups += [[p] for p in network.named_parameters().values() if p.trainable and p not in inside]
    return groups
