"""What can be taken home from a run: code, a NumPy program, the model, the data, the picture."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from chainrule.drawing.drawing import Drawing
from chainrule.drawing.raster import to_png
from chainrule.errors import SettingError, nearest
from chainrule.files.model import pack_model
from chainrule.lang.messages import Text, _, listed
from chainrule.layers import Affine, Dropout
from chainrule.networks import Sequential
from chainrule.playground.building import make_network, make_optimizer
from chainrule.playground.csv_file import preparation_of, write_rows
from chainrule.playground.data import Array, Data, Points
from chainrule.playground.run import Run
from chainrule.playground.settings import Problems, Settings
from chainrule.playground.translation import link_of

__all__ = ["EXPORTS", "Export", "export"]

#: How many epochs a program runs for a network that was not trained yet.
EPOCHS = 100
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

    "code": chainrule code that trains the same network on the same data, bit for bit if nothing was
    changed on the way. "script": the same as plain NumPy, without chainrule. "model": a model file.
    "data": the rows as CSV. "svg" and "png": the computational graph of a batch.

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


def _epochs(run: Run) -> int:
    return max(run.machine.epoch, 0) or EPOCHS


# -- programs ----------------------------------------------------------------------------------


def _script(run: Run, lang: str) -> Export:
    machine = run.machine
    settings, rows = machine.settings, run.data.train
    compatible = settings.mode == "compatible"
    if compatible and rows % settings.batch_size:
        raise Problems(
            [
                _(
                    "A NumPy script cannot begin an epoch with the rows left over from the one before,"
                    " as TensorFlow Playground does. Take a batch size that divides {rows}.",
                    rows=rows,
                )
            ]
        )
    made = make_network(settings, run.data).script(
        make_optimizer(settings),
        *machine.train,
        epochs=_epochs(run),
        batch_size=min(settings.batch_size, rows),
        seed=settings.weight_seed,
        shuffle=not compatible,
        lang=lang,
    )
    changed = "".join(f"# {line}\n" for line in _changes(run, lang))
    return _program("train", changed + made.text, made.arrays)


def _changes(run: Run, lang: str) -> list[str]:
    """What a program leaves out of the way to where the run stands."""
    steps = sorted({event.step for event in run.events if event.step <= run.step})
    if not steps:
        return []
    at: Text = listed(steps[:8])
    if len(steps) > 8:
        at = _("{steps} and {count} more", steps=at, count=len(steps) - 8)
    told = _(
        "In the playground something was changed by hand at step {steps}; here nothing is.",
        steps=at,
    )
    return [told.said(lang)]


def _program(name: str, text: str, arrays: Mapping[str, Array]) -> Export:
    """A program; with its arrays, if it reads any, in one archive."""
    if not arrays:
        return Export(f"{name}.py", "text/x-python", text.encode())
    packed, archive = io.BytesIO(), io.BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        for file, data in ((f"{name}.py", text.encode()), (f"{name}.npz", packed.getvalue())):
            # A date of its own, so that the same program gives the same bytes.
            files.writestr(zipfile.ZipInfo(file), data, zipfile.ZIP_DEFLATED)
    return Export(f"{name}.zip", "application/zip", archive.getvalue())


#: How the inputs are written that the playground makes of a point.
_INPUTS = {
    "x": "x1", "y": "x2", "x2": "x1 * x1", "y2": "x2 * x2", "xy": "x1 * x2",
    "sinx": "np.sin(x1)", "siny": "np.sin(x2)",
}  # fmt: skip


def _code(run: Run, lang: str) -> Export:
    """Chainrule code."""
    settings, data = run.machine.settings, run.data
    sizes = "-".join(
        map(str, [len(settings.features), *settings.hidden, data.outputs[settings.loss]])
    )
    what = _(
        "A network from chainrule's playground, trained again: {sizes} on the data set {data}.",
        sizes=sizes,
        data=settings.data,
    )
    needed = _("Nothing else but chainrule is needed: pip install chainrule.")
    top = [
        f'"""{what.said(lang)}',
        "",
        *_changes(run, lang),
        needed.said(lang),
        '"""',
        "",
    ]
    score = "r2" if data.classes is None else "accuracy"
    if settings.mode == "compatible":
        return _program("playground", "\n".join([*top, *_compatible_code(run, score), ""]), {})
    network = make_network(settings, data)
    lines = [
        *top,
        "import numpy as np",
        "",
        "import chainrule as cr",
        "",
    ]
    from_seed = _data_code(settings, data)
    arrays: dict[str, Array] = {}
    if from_seed is None:
        rows = data.rows if isinstance(data, Points) else data.inputs(data.names)
        is_train = np.arange(len(rows)) < data.train
        arrays = {"rows": rows, "labels": data.labels, "train": is_train}
        from_seed = [
            'with np.load("playground.npz") as file:',
            '    rows, labels, is_train = file["rows"], file["labels"], file["train"]',
            "train, test = np.flatnonzero(is_train), np.flatnonzero(~is_train)",
        ]
    lines += [*from_seed, *_inputs_code(settings, data), _targets_code(settings, data), ""]
    layers = ",\n    ".join(_layers_code(network, settings))
    lines += [
        f"net = cr.Sequential(\n    {layers},\n    loss=cr.{type(network.loss).__name__}(),"
        f"\n    seed={settings.weight_seed},\n)",
        f"optimizer = cr.{make_optimizer(settings)!r}",
        f'trainer = cr.Trainer(net, optimizer, seed={settings.weight_seed}, engine="numpy")',
        f"history = trainer.fit(x[train], t[train], epochs={_epochs(run)},"
        f" batch_size={min(settings.batch_size, data.train)}, progress=None)",
        "",
        f'print("train", trainer.evaluate(x[train], t[train], metrics=["{score}"]))',
        f'print("test", trainer.evaluate(x[test], t[test], metrics=["{score}"]))',
    ]
    return _program("playground", "\n".join(lines) + "\n", arrays)


def _compatible_code(run: Run, score: str) -> list[str]:
    """That of a TensorFlow Playground link: its data, first weights and order of rows."""
    settings = run.machine.settings
    again = f", again={settings.weight_seed}" if settings.weight_seed else ""
    return [
        "import chainrule as cr",
        "from chainrule.playground.compatible import Compatible, Link",
        "",
        f'link = Link.parse("#{link_of(settings)}")',
        f"model = Compatible(link{again})",
        f"model.advance(epochs={_epochs(run)})",
        "",
        "trainer = cr.Trainer(model.network, model.optimizer)",
        f'print("train", trainer.evaluate(*model.train, metrics=["{score}"]))',
        f'print("test", trainer.evaluate(*model.test, metrics=["{score}"]))',
    ]


def _data_code(settings: Settings, data: Data) -> list[str] | None:
    """How the data come about from their seed; None where they have none."""
    from chainrule.datasets.playground import PLAYGROUND

    if settings.mode != "teaching" or settings.data not in PLAYGROUND:
        return None
    held = 1 - settings.train_part
    return [
        f"seed = {settings.data_seed}",
        f'rows, labels = cr.datasets.playground("{settings.data}", {settings.noise!r}, seed=seed)',
        "rng = np.random.default_rng([seed, 1])",
        f"train, test = cr.datasets.stratified_split(labels, {held!r}, rng)",
    ]


def _inputs_code(settings: Settings, data: Data) -> list[str]:
    if isinstance(data, Points):
        inputs = ", ".join(_INPUTS[name] for name in settings.features)
        return ["x1, x2 = rows.T", f"x = np.stack([{inputs}], axis=1)"]
    if settings.features == data.names:
        return ["x = rows"]
    columns = [data.names.index(name) for name in settings.features]
    return [f"x = rows[:, {columns}]"]


def _targets_code(settings: Settings, data: Data) -> str:
    if data.classes is None:
        return "t = labels[:, None]"
    if settings.loss == "softmax":
        return "t = labels"
    if len(data.classes) <= 2:
        return "t = np.where(labels == 1, 1.0, -1.0)[:, None]"
    return f"t = np.where(labels[:, None] == np.arange({len(data.classes)}), 1.0, -1.0)"


def _layers_code(network: Sequential, settings: Settings) -> list[str]:
    found = []
    hidden = -1
    for layer in network.layers:
        kind = type(layer).__name__
        if isinstance(layer, Affine):
            hidden += 1
            n, m = layer.W.shape
            found.append(f'cr.Affine.sized({n}, {m}, init="{settings.init}", dtype=np.float64)')
        elif isinstance(layer, Dropout):
            seed = settings.weight_seed + hidden
            found.append(f"cr.Dropout({settings.dropout!r}, seed={seed})")
        else:
            found.append(f"cr.{kind}()")
    return found


# -- the rest ------------------------------------------------------------------------------------


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
