"""What `chainrule compare` shows on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.cli.facts import fact_name, fact_text
from chainrule.cli.terminal import paint, paragraph, printable, remark, rows, say, table, too_wide
from chainrule.comparing import (
    Difference,
    LossDifference,
    NumberDifference,
    RunComparison,
    TensorDifference,
    TrainingComparison,
)
from chainrule.comparing.numbers import TensorName, number_difference
from chainrule.comparing.results import after_steps
from chainrule.lang.messages import Text, _, _n, _p, listed
from chainrule.training.run_settings import NAMES, differing

__all__ = ["show"]

#: How many arrays, parts of the state and steps are shown; --json has all.
MOST = 10
_SETTINGS: dict[str, Text | str] = {
    **NAMES,
    "generator": _("the seed"),
    "epochs": _("epochs"),
    "engine": _("engine"),
    "threads": _("threads"),
    "chainrule": "chainrule",
    "numpy": "NumPy",
    "python": "Python",
    "machine": _("machine"),
}


def show(found: RunComparison) -> None:
    """Say what came of a comparison."""
    for i, training in enumerate(found.trainings):
        if i:
            say()
        if len(found.trainings) > 1:
            say(paint(_("training {name}", name=printable(training.name)), "bold"))
        _show(found, training)
    for names, only in ((found.only_a, "A"), (found.only_b, "B")):
        if names:
            say()
            told = listed([printable(name) for name in names])
            paragraph(_("Only {side} has the training {names}.", side=only, names=told), "bold")
    for training in found.trainings:
        for note in training.notes:
            remark(note)


def _show(found: RunComparison, training: TrainingComparison) -> None:
    rows(
        (side, _side(path, kind, steps, length))
        for side, path, kind, steps, length in zip(
            "AB", (found.a, found.b), training.kinds, training.steps, training.lengths, strict=True
        )
    )
    say()
    if training.settings:
        paragraph(
            _("These settings differ, and made no difference:")
            if training.equal
            else _("These settings differ, which is the likely cause:")
        )
        rows(map(_setting, training.settings))
        say()
    paragraph(training.verdict, "bold")
    if training.tolerated:
        paragraph(_tolerated(found.tolerance, training))
    if not training.parts:
        return
    for part in (_show_losses, _show_arrays, _show_forms, _show_state):
        part(training)


def _side(path: str, kind: str, steps: Sequence[int], length: int | None) -> Text:
    name = printable(path)
    if kind == "model":
        return _("{file}: a model file", file=name)
    if kind == "checkpoint":
        return _("{file}: a checkpoint after step {step:,}", file=name, step=steps[0])
    told = _n("{n:,} step", "{n:,} steps", length or 0)
    return _(
        "{folder}: {steps}; checkpoints {after}", folder=name, steps=told, after=after_steps(steps)
    )


def _setting(each: Difference) -> tuple[str, str]:
    label = _SETTINGS.get(each.name) or " ".join(map(fact_name, each.name.split(".")))
    return label, _two(each)


def _two(each: Difference) -> Text:
    return _("{a} in A, {b} in B", a=_value(each.a, each.b), b=_value(each.b, each.a))


def _value(value: Any, other: Any) -> str:
    """A value in few words: of long texts what differs, of other long ones the beginning."""
    if isinstance(value, float | np.generic):
        return str(value)
    told = fact_text(value)
    if isinstance(value, str) and told == value:
        return differing(value, other)
    return told if len(told) <= 60 else told[:59] + "…"


def _tolerated(tolerance: float, training: TrainingComparison) -> Text:
    return _(
        "{numbers} by no more than {tolerance}, and count as equal; the largest difference among them is"
        " {most}, relative to the number.",
        numbers=_n("{n:,} number differs", "{n:,} numbers differ", training.tolerated),
        tolerance=f"{tolerance:g}",
        most=_size(training.most_tolerated),
    )


def _show_losses(training: TrainingComparison) -> None:
    if not training.losses:
        return
    say()
    rows([(_("losses"), _losses(training))])
    if training.loss is not None:
        _loss_table(training.loss)


def _losses(training: TrainingComparison) -> Text:
    loss = training.loss
    if loss is None:
        return _n("{n:,} compared, and equal", "{n:,} compared, all equal", training.losses)
    told = _(
        "{many}, by {absolute} at the most, at step {step:,}",
        many=_many(loss.differing, training.losses),
        absolute=_size(loss.largest.absolute),
        step=loss.largest_step,
    )
    if loss.step == 1:
        return _("different from the first step on; {told}", told=told)
    return _("equal up to step {last:,}; {told}", last=loss.step - 1, told=told)


def _many(count: int, of: int) -> Text:
    return _n("{n:,} of {all:,} differs", "{n:,} of {all:,} differ", count, all=of)


def _loss_table(loss: LossDifference) -> None:
    heads = (_("step"), "A", "B", _p("of two numbers", "difference"))

    def lines(form: str) -> list[tuple[str, ...]]:
        return [
            (f"{step:,}", format(a, form), format(b, form), _apart(a, b))
            for step, a, b in loss.around
        ]

    exact = lines("")
    table(heads, lines(".6g") if too_wide(heads, exact) else exact, left=0)


def _apart(a: float, b: float) -> str:
    absolute = number_difference(np.float64(a), np.float64(b)).absolute
    return _size(absolute) if absolute else "="


def _show_arrays(training: TrainingComparison) -> None:
    label, after = _("arrays"), ""
    if training.equal_steps:
        after = _("equal {after}", after=after_steps(training.equal_steps))
    if training.tensors:
        many = _many(len(training.tensors), training.compared)
        if training.tensors_step is not None:
            many = _("after step {step:,}: {told}", step=training.tensors_step, told=many)
        first = _p("of several arrays", "first"), _first(training.tensors[0])
        say()
        rows([(label, listed(filter(None, (after, many)), "clauses")), first])
        _array_table(training.tensors)
    elif training.compared:
        say()
        told = _n("{n:,} compared, and equal", "{n:,} compared, all equal", training.compared)
        rows([(label, listed(filter(None, (after, told)), "clauses"))])
    elif "model" not in training.kinds and not {*training.steps[0]} & {*training.steps[1]}:
        say()
        none = _(
            "no two checkpoints are after the same step. --every by steps makes such ones, and keep= of"
            " Trainer.fit keeps more of them."
        )
        rows([(label, none)])


def _show_forms(training: TrainingComparison) -> None:
    if training.arrays:
        say()
        paragraph(_("Arrays of other shapes or dtypes, or that only one has:"))
        rows((printable(each.name), _forms(each)) for each in training.arrays[:MOST])
        _left_out(len(training.arrays))


def _forms(each: Difference) -> Text:
    if each.a is None or each.b is None:
        side, form = ("A", each.a) if each.b is None else ("B", each.b)
        return _("{form}, only in {side}", form=form, side=side)
    return _two(each)


def _first(first: TensorDifference) -> Text:
    place = f"{_name(first.name)}{list(first.index) if first.index else ''}"
    kinds = map(np.dtype, first.dtypes)
    numbers = zip(kinds, (first.first.a, first.first.b), strict=True)
    a, b = (str(kind.type(number)) for kind, number in numbers)
    told = _("{place} is {a} in A, {b} in B", place=place, a=a, b=b)
    if first.first.same_value:
        return _("{told}: equal in value, with other bits", told=told)
    apart = _("{told}: apart by {much}", told=told, much=_much(first.first))
    if first.row is None:
        return apart
    return _("row {row:,}: {told}", row=first.row, told=apart)


def _much(number: NumberDifference) -> Text:
    told = _(
        "{absolute}, relatively {relative}",
        absolute=_size(number.absolute),
        relative=_size(number.relative),
    )
    if number.ulps is None:
        return told
    return _("{told}, {ulps}", told=told, ulps=_n("{n:,} ulp", "{n:,} ulps", number.ulps))


def _array_table(tensors: Sequence[TensorDifference]) -> None:
    relative = _p("of two numbers", "relative")
    heads = [_("array"), _("shape"), _("differ"), _("largest"), relative, "ulps"]
    body = [
        [
            _name(each.name),
            "×".join(map(str, each.shape)) or "-",
            f"{each.differing:,}",
            _size(each.largest.absolute),
            _size(each.largest.relative),
            "-" if each.largest.ulps is None else f"{each.largest.ulps:,}",
        ]
        for each in tensors[:MOST]
    ]
    kept = [0, 2, 3] if too_wide(heads, body) else range(len(heads))
    table([heads[i] for i in kept], [[line[i] for i in kept] for line in body])
    _left_out(len(tensors))


def _show_state(training: TrainingComparison) -> None:
    if training.state:
        step = training.state_step
        say()
        paragraph(
            _("What else differs:")
            if step is None
            else _("What else differs after step {step:,}:", step=step)
        )
        rows(map(_part, training.state[:MOST]))
        _left_out(len(training.state))


def _part(each: Difference) -> tuple[str, str]:
    kind, _dot, place = each.name.partition(".")
    if each.name == "generator":
        return _("generator"), _("its state, so that other rows are drawn from here on")
    if kind == "history":
        column, _dot, epoch = place.rpartition(".")
        return _("{column} of epoch {epoch}", column=printable(column), epoch=epoch), _two(each)
    return _SETTINGS.get(each.name, printable(each.name)), _two(each)


def _left_out(count: int) -> None:
    if count > MOST:
        paragraph(_("and {n:,} more; --json has them all", n=count - MOST), "dim")


def _name(name: TensorName) -> str:
    if name.kind == "slot":
        return _("{slot} of {name}", slot=name.slot, name=printable(name.name))
    if name.kind in ("optimizer", "callback"):
        return printable(f"{name.kind} {name.name}")
    return printable(name.name)


def _size(number: float) -> str:
    return f"{number:.2g}"
