"""Programs of a run: chainrule code that does all of it again, and a NumPy script from its last change on."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from chainrule.lang.messages import _
from chainrule.layers import Affine, Dropout
from chainrule.networks import Sequential
from chainrule.playground.building import make_network, make_optimizer
from chainrule.playground.data import Array, Data, Points
from chainrule.playground.machine import Machine
from chainrule.playground.retold import retold
from chainrule.playground.run import Edit, Run
from chainrule.playground.settings import Problems, Settings
from chainrule.playground.translation import link_of
from chainrule.script.midway import Start
from chainrule.script.training import training_script

__all__ = ["Program", "code", "script"]

#: How many epochs a program runs for a network that was not trained yet.
EPOCHS = 100


@dataclass(frozen=True)
class Program:
    """A Python program, with the arrays that it reads from an .npz file of its name."""

    name: str
    text: str
    arrays: Mapping[str, Array]

    def packed(self) -> tuple[str, str, bytes]:
        """The file to keep, its media type, its bytes: the program, or an archive of it and its arrays."""
        if not self.arrays:
            return f"{self.name}.py", "text/x-python", self.text.encode()
        arrays, archive = io.BytesIO(), io.BytesIO()
        np.savez(arrays, **self.arrays)  # type: ignore[arg-type]
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
            for ending, data in (("py", self.text.encode()), ("npz", arrays.getvalue())):
                # A date of its own, so that the same program gives the same bytes.
                info = zipfile.ZipInfo(f"{self.name}.{ending}")
                files.writestr(info, data, zipfile.ZIP_DEFLATED)
        return f"{self.name}.zip", "application/zip", archive.getvalue()


# -- NumPy -------------------------------------------------------------------------------------


def script(run: Run, lang: str) -> Program:
    """NumPy alone, from where something was changed last, or from the first weights, to where it stands."""
    machine = run.machine
    rows = run.data.train
    changed = [event.step for event in run.events if event.step <= run.step]
    begin = run.at(changed[-1]).machine if changed else Machine(run.start, run.data)
    settings = begin.settings
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
    midway = bool(changed) or machine.batch > 0
    made = training_script(
        begin.network,
        make_optimizer(settings),
        *machine.train,
        epochs=machine.epoch or EPOCHS,
        batch_size=min(settings.batch_size, rows),
        seed=settings.weight_seed,
        shuffle=not compatible,
        test=machine.test,
        start=_start(begin) if changed else None,
        steps=run.step - (changed[-1] if changed else 0) if midway else None,
        lang=lang,
    )
    return Program("train", _since(changed, lang) + made.text, made.arrays)


def _since(changed: list[int], lang: str) -> str:
    """The comment that says where the program begins, if not at the beginning."""
    if not changed:
        return ""
    told = _(
        "It begins at step {step}, where something was changed last, with the weights of that moment.",
        step=changed[-1],
    )
    return f"# {told.said(lang)}\n"


def _start(machine: Machine) -> Start:
    """Where a machine goes on from."""
    state = machine.state()
    slots = dict(zip(machine.optimizer.slots, machine.slots, strict=True))
    return Start(
        epochs=state.epoch,
        batches=state.batch,
        total=state.total,
        generator={} if machine.settings.mode == "compatible" else state.rng,
        updates=machine.optimizer.iter,
        slots={
            name: {p: slot[place].reshape(p.shape) for p, place in machine.flat.places()}
            for name, slot in slots.items()
        },
    )


# -- chainrule ---------------------------------------------------------------------------------


def code(run: Run, lang: str) -> Program:
    """Chainrule code that trains the same network in the same way, what was changed on the way too."""
    settings, data = run.start, run.data
    sizes = "-".join(
        map(str, [len(settings.features), *settings.hidden, data.outputs[settings.loss]])
    )
    what = _(
        "A network from chainrule's playground, trained again: {sizes} on the data set {data}.",
        sizes=sizes,
        data=settings.data,
    )
    needed = _("Nothing else but chainrule is needed: pip install chainrule.")
    top = [f'"""{what.said(lang)}', "", needed.said(lang), '"""', ""]
    score = "r2" if data.classes is None else "accuracy"
    midway = run.machine.batch > 0 or any(event.step <= run.step for event in run.events)
    epochs = run.machine.epoch or EPOCHS
    if settings.mode == "compatible":
        training = retold(run, lang) if midway else [f"model.advance(epochs={epochs})", ""]
        lines = _compatible_code(settings, training, midway, score)
        return Program("playground", "\n".join([*top, *lines, ""]), {})
    network = make_network(settings, data)
    if midway:  # with all layers of Dropout that are switched on later
        network = make_network(replace(settings, dropout=0.5), data) if _drops(run) else network
    lines = [*top, "import numpy as np", "", "import chainrule as cr", ""]
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
    seed = settings.weight_seed
    lines += [
        f"net = cr.Sequential(\n    {layers},\n    loss=cr.{type(network.loss).__name__}(),"
        f"\n    seed={seed},\n)",
        f"optimizer = cr.{make_optimizer(settings)!r}",
    ]
    if midway:
        lines += [*retold(run, lang), 'trainer = cr.Trainer(net, optimizer, engine="numpy")']
    else:
        lines += [
            f'trainer = cr.Trainer(net, optimizer, seed={seed}, engine="numpy")',
            f"history = trainer.fit(x[train], t[train], epochs={epochs},"
            f" batch_size={min(settings.batch_size, data.train)}, progress=None)",
        ]
    lines += [
        "",
        f'print("train", trainer.evaluate(x[train], t[train], metrics=["{score}"]))',
        f'print("test", trainer.evaluate(x[test], t[test], metrics=["{score}"]))',
    ]
    return Program("playground", "\n".join(lines) + "\n", arrays)


def _drops(run: Run) -> bool:
    """Whether there is dropout at any time."""
    return any("dropout" in event.what for event in run.events if not isinstance(event.what, Edit))


def _compatible_code(
    settings: Settings, training: list[str], midway: bool, score: str
) -> list[str]:
    """That of a TensorFlow Playground link: its data, first weights and order of rows."""
    imports = ["from chainrule.playground.compatible import Compatible, Link"]
    if midway:
        imports.append("from chainrule.playground.compatible.training import epoch_batches")
    again = f", again={settings.weight_seed}" if settings.weight_seed else ""
    return [
        "import chainrule as cr",
        *imports,
        "",
        f'link = Link.parse("#{link_of(settings)}")',
        f"model = Compatible(link{again})",
        *training,
        "trainer = cr.Trainer(model.network, model.optimizer)",
        *(
            f'print("{part}", trainer.evaluate(*model.{part}, metrics=["{score}"]))'
            for part in ("train", "test")
        ),
    ]


#: How the inputs are written that the playground makes of a point.
_INPUTS = {
    "x": "x1", "y": "x2", "x2": "x1 * x1", "y2": "x2 * x2", "xy": "x1 * x2",
    "sinx": "np.sin(x1)", "siny": "np.sin(x2)",
}  # fmt: skip


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
    found: list[str] = []
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
