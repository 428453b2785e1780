"""What can be taken home from a run: code, a NumPy program, the model, the data, the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.drawing.drawing import Drawing
from chainrule.drawing.raster import to_png
from chainrule.errors import SettingError, nearest
from chainrule.files.model import pack_model
from chainrule.lang.messages import _
from chainrule.playground.csv_file import preparation_of, write_rows
from chainrule.playground.programs import code, script
from chainrule.playground.run import Run
from chainrule.playground.settings import Problems

__all__ = ["EXPORTS", "Export", "export"]

#: Rows of a batch in a picture.
MOST_ROWS = 30


@dataclass(frozen=True)
class Export:
    """A file to take home."""

    name: str
    media: str
    data: bytes


def export(run: Run, what: str, lang: str = "en") -> Export:
    """The file of one of `EXPORTS` for a run as it stands.

    "code": chainrule code that trains the same network on the same data to the same bits, with what
    was changed on the way. "script": plain NumPy, without chainrule, from the last change on.
    "model": a model file, for `chainrule predict`.
    "data": the rows as CSV. "svg" and "png": the computational graph of a batch.

    >>> from chainrule.playground.settings import Settings
    >>> from chainrule.playground.sources import draw
    >>> run = Run(Settings(), draw(Settings()))
    >>> print(export(run, "code").data.decode().splitlines()[0])
    \"\"\"A network from chainrule's playground, trained again: 2-4-2-1 on the data set circle.
    """
    if what not in EXPORTS:
        raise SettingError(
            _(
                "There is nothing to export called {what!r}; {nearest}.",
                what=what,
                nearest=nearest(what, EXPORTS),
            )
        )
    if what != "model" and not run.data.train:
        raise Problems(
            [_("There are no rows to train on yet, so there is nothing to export but the model.")]
        )
    return EXPORTS[what](run, lang)


def _code(run: Run, lang: str) -> Export:
    return Export(*code(run, lang).packed())


def _script(run: Run, lang: str) -> Export:
    return Export(*script(run, lang).packed())


def _model(run: Run, lang: str) -> Export:
    """The network and its preparation: `chainrule predict` answers as the page does."""
    settings = run.machine.settings
    facts = {"playground": settings.as_dict(), "steps": run.step}
    preparation = preparation_of(run.data, settings.features)
    data = pack_model(run.machine.network, preparation, facts)
    return Export("playground.safetensors", "application/octet-stream", data)


def _data(run: Run, lang: str) -> Export:
    rows = write_rows(run.data, run.machine.settings.features)
    return Export("playground.csv", "text/csv", rows)


def _drawing(run: Run, lang: str) -> Drawing:
    machine = run.machine
    x, t = machine.train
    rows = machine.rows if machine.rows is not None else np.arange(len(x))
    rows = rows[:MOST_ROWS]
    return machine.network.draw(x[rows], t[rows], lang=lang, theme="light")


def _svg(run: Run, lang: str) -> Export:
    return Export("network.svg", "image/svg+xml", _drawing(run, lang).svg.encode())


def _png(run: Run, lang: str) -> Export:
    return Export("network.png", "image/png", to_png(_drawing(run, lang).scene, False, 192.0))


#: What can be taken home, by its name.
EXPORTS: dict[str, Callable[[Run, str], Export]] = {
    "code": _code,
    "script": _script,
    "model": _model,
    "data": _data,
    "svg": _svg,
    "png": _png,
}
