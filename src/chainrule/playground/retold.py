"""A run told again in chainrule code: so many steps, then what was changed, then more steps."""

from __future__ import annotations

from dataclasses import replace

from chainrule.lang.messages import _
from chainrule.playground.building import make_optimizer
from chainrule.playground.run import Edit, Event, Run
from chainrule.playground.settings import Settings, Values
from chainrule.script.function_source import literal

__all__ = ["retold"]


def retold(run: Run, lang: str) -> list[str]:
    """The lines that train `net` by `optimizer` on x, t as the run did, step for step.

    Batches come from `waiting`, those of the epoch that are still to come.
    """
    compatible = run.start.mode == "compatible"
    lines = _batches(run.start, lang) if not compatible else _batches_of_a_link(run.start, lang)
    lines += _train(compatible, lang)
    settings, at = run.start, 0
    for event in run.events:
        if event.step > run.step:
            break
        lines += _taken(event.step - at)
        at = event.step
        lines += _change(event, run, settings, lang)
        if not isinstance(event.what, Edit):
            settings = replace(settings, **event.what)
    return [*lines, *_taken(run.step - at)]


def _taken(steps: int) -> list[str]:
    return [f"take({steps})"] if steps else []


def _batches(settings: Settings, lang: str) -> list[str]:
    doc = _("The rows of every batch of an epoch, in a new order.").said(lang)
    return [
        f"rng = np.random.default_rng({settings.weight_seed})",
        f"batch_size, waiting = {settings.batch_size}, []",
        "",
        "",
        "def batches():",
        f'    """{doc}"""',
        "    order = train[rng.permutation(len(train))]",
        "    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]",
    ]


def _batches_of_a_link(settings: Settings, lang: str) -> list[str]:
    doc = _("The rows of every batch of an epoch, in the order of TensorFlow Playground.").said(
        lang
    )
    return [
        "net, optimizer, (x, t) = model.network, model.optimizer, model.train",
        f"batch_size, waiting, epoch = {settings.batch_size}, [], 0",
        "",
        "",
        "def batches():",
        f'    """{doc}"""',
        "    return list(epoch_batches(len(x), batch_size)[epoch > 0])",
    ]


def _train(compatible: bool, lang: str) -> list[str]:
    doc = _("Train for so many steps, each with the next batch.").said(lang)
    return [
        "",
        "",
        "def take(steps):",
        f'    """{doc}"""',
        f"    global waiting{', epoch' if compatible else ''}",
        "    for _ in range(steps):",
        "        waiting = waiting or batches()",
        "        rows = waiting.pop(0)",
        "        net.forward(x[rows], t[rows])",
        "        net.backward()",
        "        optimizer.update(net.params, net.grads)",
        *(["        epoch += not waiting"] if compatible else []),
        "",
        "",
    ]


def _change(event: Event, run: Run, settings: Settings, lang: str) -> list[str]:
    """The lines of a change, under a comment that says at which step it was made."""
    told = _("step {step}", step=event.step)
    if isinstance(event.what, Edit):
        edit = event.what
        place = ", ".join(map(str, edit.place))
        lines = [f"net.params[{_number_of(run, edit.parameter)}][{place}] = {literal(edit.value)}"]
    else:
        lines = _settings_lines(event.what, settings)
    return [f"{lines[0]}  # {told.said(lang)}", *lines[1:]]


def _number_of(run: Run, parameter: int) -> int:
    """Where a parameter stands in `net.params`: they lie in another order in memory."""
    machine = run.machine
    wanted = machine.parameters[parameter]
    return next(i for i, p in enumerate(machine.network.params) if p is wanted)


def _settings_lines(changed: Values, before: Settings) -> list[str]:
    after = replace(before, **changed)
    lines: list[str] = []
    if after.optimizer != before.optimizer:
        lines.append(f"optimizer = cr.{make_optimizer(after)!r}")
    else:
        names = {"learning_rate": "lr", "l1": "l1", "l2": "l2"}
        lines += [
            f"optimizer.{attribute} = {literal(changed[name])}"
            for name, attribute in names.items()
            if name in changed
        ]
        lines += [
            f"optimizer.{name} = {literal(value)}"
            for name, value in after.optimizer_numbers.items()
            if value != before.optimizer_numbers[name]
        ]
    if after.dropout != before.dropout:
        lines += [
            "for layer in net.layers:",
            "    if isinstance(layer, cr.Dropout):",
            f"        layer.ratio = {literal(after.dropout)}",
            *(["        layer.clock[...] = 0"] if not before.dropout else []),
        ]
    if after.batch_size != before.batch_size:
        lines.append(f"batch_size, waiting = {after.batch_size}, []")
    return lines
