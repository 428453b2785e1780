"""The step of a run as programs to read: in NumPy, and as the compiled engine's kernel.

Each line tells which operations of the open graph it computes, as the writers of both know it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainrule.engine.compiled.module import Source
from chainrule.engine.origins import Origin
from chainrule.errors import ChainruleError
from chainrule.lang.messages import in_language
from chainrule.playground.machine import Machine
from chainrule.playground.messages import Fields, Message
from chainrule.playground.settings import sentences_of

__all__ = ["listings"]

UPDATE = "update"


def listings(machine: Machine, lang: str) -> Message:
    """The lines of both programs; why there is no kernel, if there is none."""
    kernel, why = _kernel(machine)
    told = None if why is None else " ".join(in_language(text, lang, "page") for text in why)
    return Message("code", {"numpy": _numpy(machine, lang), "kernel": kernel, "why": told})


def _numpy(machine: Machine, lang: str) -> list[Fields]:
    """The program from its gradient on, to the end of the update."""
    settings = machine.settings
    script = machine.network.script(
        machine.optimizer,
        *machine.train,
        epochs=1,
        batch_size=min(settings.batch_size, len(machine.train[0])),
        seed=settings.weight_seed,
        lang=lang,
    )
    lines = script.text.splitlines()
    begin = next(k for k, line in enumerate(lines) if line.startswith("def gradient("))
    return [
        _line(lines[k], script.origins.get(k, ()), k in script.update)
        for k in range(begin, script.update.stop)
    ]


def _kernel(machine: Machine) -> tuple[list[Fields], list[str] | None]:
    """The functions of a kernel that compute the step, and that update."""
    try:
        from chainrule.engine.compiled.step import CompiledStep

        with machine.unchanged():
            source = CompiledStep(
                machine.network,
                machine.optimizer,
                list(zip("xt", machine.train, strict=True)),
                min(machine.settings.batch_size, len(machine.train[0])),
                threads=1,
                origins=True,
            ).text
    except ChainruleError as error:
        return [], list(sentences_of(error))
    return _functions(source), None


def _functions(source: Source) -> list[Fields]:
    found: list[Fields] = []
    wanted, name = ("step", *source.updates), ""
    for k, line in enumerate(source.source.splitlines()):
        if line.startswith("def "):
            name = line[4:].partition("(")[0]
        elif line and not line.startswith((" ", ")")):
            name = ""
        if name in wanted:
            computes = name in source.updates and line.startswith("    ")
            found.append(_line(line, source.origins.get(k, ()), computes))
    return found


def _line(text: str, origins: Iterable[Origin], update: bool) -> Fields:
    keys: Sequence[str] = [
        f"{'backward' if backward else 'forward'} {node}" for node, backward in sorted(origins)
    ]
    return {"text": text, "of": [*keys, *([UPDATE] if update else [])]}
