"""A training that was stopped after any step goes on, in another process, to the bits of a straight one."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.checkpoints import runs
from tests.training.checkpoints.runs import (
    ALL,
    ENGINES,
    FEW,
    STEPS,
    outcome,
    trainer,
    training,
    watched,
)

import chainrule as cr
from chainrule.errors import DataError, FormatError, SettingError
from chainrule.storage.checkpoint import Checkpoint, read_checkpoint
from chainrule.storage.folder import CheckpointFolder
from chainrule.training.batches import Batches

ROOT = Path(__file__).parents[3]


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(Batches, "shuffle", Batches.shuffle)  # to be set back
    return watched()


def straight(text: str, folder: Path, orders: list[str]) -> dict[str, Any]:
    """A training that is not stopped; the folder gets one with a checkpoint for every step."""
    orders.clear()
    plain = trainer(text)
    expected = outcome(plain, training(plain), [*orders])
    orders.clear()
    kept = trainer(text)
    assert outcome(kept, training(kept, folder, every="1 step", keep=1000), [*orders]) == expected
    return expected


def separated(text: str, tmp_path: Path) -> list[Path]:
    """A folder for each checkpoint, as if the training had been stopped there."""
    places = []
    for file in CheckpointFolder(tmp_path / "all").files():
        step = read_checkpoint(file).step
        place = tmp_path / str(step) / text / "run"
        place.mkdir(parents=True)
        shutil.copy(file, place)
        places.append(place)
    assert len(places) == STEPS + 1
    return places


def gone_on(places: list[Path]) -> dict[Path, dict[str, Any]]:
    """What comes of them in one process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.checkpoints.runs"],
        input="\n".join(map(str, places)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {Path(path): found for path, found in map(json.loads, done.stdout.splitlines())}


def assert_same(found: dict[str, Any], expected: dict[str, Any], step: int) -> None:
    assert found == {**expected, "orders": expected["orders"][step // 3 :]}


@pytest.mark.parametrize("engine", ENGINES)
def test_after_any_step_in_a_fresh_process(engine: str, tmp_path: Path, orders: list[str]) -> None:
    expected, places = {}, []
    for text in (t for t in FEW if t.endswith(engine)):
        (tmp_path / text).mkdir()
        expected[text] = straight(text, tmp_path / text / "all", orders)
        places += separated(text, tmp_path / text)
    for place, found in gone_on(places).items():
        assert_same(found, expected[place.parts[-2]], int(place.parts[-3]))


@pytest.mark.long
@pytest.mark.parametrize("text", ALL)
def test_all_of_them_each_in_a_process_of_its_own(
    text: str, tmp_path: Path, orders: list[str]
) -> None:
    expected = straight(text, tmp_path / "all", orders)
    for place in separated(text, tmp_path):
        assert_same(gone_on([place])[place], expected, int(place.parts[-3]))


# -- each part of the state matters -----------------------------------------------------------------


def parts(state: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every part of a state that has no parts itself."""
    if isinstance(state, dict) and state:
        for key, value in state.items():
            yield from parts(value, (*path, key))
    else:
        yield path


def spoilt(value: Any) -> Any:
    """Another value of the same kind: what a new training begins with."""
    if isinstance(value, np.ndarray):
        return value[:-1] * 0 if value.ndim == 1 and value.dtype == np.float64 else value * 0 + 1
    if isinstance(value, list):
        return [spoilt(v) for v in value] if value and not isinstance(value[0], dict) else []
    if isinstance(value, bool | None):
        return "ended" if value is None else not value
    if isinstance(value, str):
        return {"compiled": "numpy", "numpy": "compiled"}.get(value, value)
    return value * 0 + 7 if isinstance(value, int) else value + 0.75


#: What is for people, or is compared, and not gone on by.
TOLD = {("threads",)}


def idle_parts(
    step: int,
    epochs: int,
    patience: int | None,
    tmp_path: Path,
    orders: list[str],
    tried: set[tuple[str, ...]] | None,
) -> set[tuple[str, ...]]:
    """The parts of the state at a step, of those tried, without which the training comes to the same."""
    runs.EPOCHS, runs.PATIENCE = epochs, patience
    text = "Adam-plateau-both-numpy"
    tmp_path.mkdir()
    expected = straight(text, tmp_path / "all", orders)
    [file] = [f for f in CheckpointFolder(tmp_path / "all").files() if f"{step:09d}" in f]
    whole = read_checkpoint(file)
    idle = set()
    for path in parts(whole.state):
        if tried is not None and path not in tried:
            continue
        if path in TOLD or path[-1] in ("seconds", "has_uint32", "uinteger", "bit_generator"):
            continue
        place = tmp_path / "-".join(path) / text / "run"
        place.mkdir(parents=True)
        state = read_checkpoint(file).state
        inside = state
        for key in path[:-1]:
            inside = inside[key]
        inside[path[-1]] = spoilt(inside[path[-1]])
        CheckpointFolder(place).write(
            Checkpoint(whole.step, whole.epoch, whole.settings, state, whole.score)
        )
        try:
            found = runs.going_on(place, orders)
        except Exception:
            continue
        if found == {**expected, "orders": expected["orders"][step // 3 :]}:
            idle.add(path)
    return idle


def test_every_part_of_the_state_matters(
    tmp_path: Path, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any one part, a training comes to something else, or says that it cannot go on."""
    for name, value in {"EPOCHS": 0, "PATIENCE": 0, "MONITOR": "val_loss"}.items():
        monkeypatch.setattr(runs, name, value)  # to be set back
    cases = [(4, 9, 3), (6, 9, 3), (10, 9, 3), (13, 9, 3), (5, 4, None)]
    idle: set[tuple[str, ...]] | None = None
    for i, case in enumerate(cases):  # what has mattered in one need not matter in the others
        idle = idle_parts(*case, tmp_path / str(i), orders, idle)
    assert idle == set()


# -- refused, or harmless ---------------------------------------------------------------------------


def stopped(folder: Path, epochs: int = 2) -> None:
    """A short training that is kept in a folder."""
    x, t = cr.datasets.spiral()
    spiral().fit(x, t, epochs, progress=None, checkpoint=folder)


def spiral(hidden: int = 10, lr: float = 0.01) -> cr.Trainer:
    return cr.Trainer(cr.TwoLayerNet(2, hidden, 3), cr.Adam(lr), engine="numpy")


def test_more_epochs_are_the_straight_training_of_so_many(tmp_path: Path) -> None:
    x, t = cr.datasets.spiral()
    stopped(tmp_path / "run", 3)
    again, whole = spiral(), spiral()
    again.resume(tmp_path / "run")
    again.fit(x, t, 7, progress=None, checkpoint=tmp_path / "run")
    whole.fit(x, t, 7, progress=None)
    assert [p.tobytes() for p in again.model.params] == [p.tobytes() for p in whole.model.params]
    assert len(again.history) == 7
    again = spiral()
    again.resume(tmp_path / "run")
    again.fit(x, t, 7, progress=None)  # all is done, and nothing is left to do
    assert [p.tobytes() for p in again.model.params] == [p.tobytes() for p in whole.model.params]


DIFFERENT: dict[str, tuple[Any, dict[str, Any], str]] = {
    "network": (lambda: spiral(hidden=12), {}, r"the network: .*12.*10"),
    "rate": (lambda: spiral(lr=0.02), {}, r"the optimizer: Adam\(lr=0.02.*Adam\(lr=0.01"),
    "optimizer": (
        lambda: cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.SGD(0.01), engine="numpy"),
        {},
        r"the optimizer: SGD.*Adam",
    ),
    "batch": (spiral, {"batch_size": 16}, "batch_size: 16 now, 32 in the checkpoint"),
    "shuffle": (spiral, {"shuffle": False}, "shuffle: False now, True in the checkpoint"),
    "limit": (spiral, {"max_grad": 1.0}, "max_grad: 1.0 now, None in the checkpoint"),
    "validation": (spiral, {"validation": 0.2}, "the held-out rows: 0.2 now, None"),
    "weights": (spiral, {"sample_weight": np.ones(300)}, "sample_weight differ"),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_another_training_is_refused_with_the_difference(name: str, tmp_path: Path) -> None:
    x, t = cr.datasets.spiral()
    make, settings, words = DIFFERENT[name]
    stopped(tmp_path / "run")

    def go_on(**more: Any) -> None:
        again = make()
        again.resume(tmp_path / "run", **more)
        again.fit(x, t, 3, progress=None, checkpoint=tmp_path / "run", **settings)

    with pytest.raises(SettingError, match=words):
        go_on()
    if name not in ("network", "optimizer"):
        go_on(may_differ=True)


def test_other_data_are_refused(tmp_path: Path) -> None:
    x, t = cr.datasets.spiral()
    stopped(tmp_path / "run")
    for wrong, words in [
        ((x + 1e-6, t), "the inputs x differ"),
        ((x, np.roll(t, 1)), "the targets t differ"),
        ((x[:-1], t[:-1]), "the inputs x differ .*; the targets t differ"),
    ]:
        again = spiral()
        again.resume(tmp_path / "run")
        with pytest.raises(SettingError, match=words):
            again.fit(*wrong, 3, progress=None, checkpoint=tmp_path / "run")


class OwnUpdate(cr.SGD):
    """An update in Python, which the compiled engine does not run."""

    def update(self, params: Any, grads: Any, *more: Any) -> None:
        super().update(params, grads, *more)


class ByHand:
    """A layer in the chapter's way, which the compiled engine declines when it records the step."""

    def __init__(self) -> None:
        self.params: list[Any] = []
        self.grads: list[Any] = []

    def forward(self, x: Any) -> Any:
        return 2 * x

    def backward(self, dout: Any) -> Any:
        return 2 * dout


@pytest.mark.parametrize("kind", ["update", "layer"])
def test_the_engine_that_declined_goes_on_as_it_was(kind: str, tmp_path: Path) -> None:
    """engine="compiled" is of the NumPy engine where compiling is declined, then as now."""
    pytest.importorskip("llvmlite")
    x, t = cr.datasets.spiral()

    def made(own: bool = True, engine: str = "compiled") -> cr.Trainer:
        layers = cr.Affine.sized(2, 4), *([ByHand()] if own and kind == "layer" else [])
        net = cr.Sequential(*layers, cr.Affine.sized(4, 3), loss=cr.SoftmaxWithLoss(), seed=1)
        optimizer = OwnUpdate(0.1) if own and kind == "update" else cr.SGD(0.1)
        return cr.Trainer(net, optimizer, engine=engine)

    straight, again = made(), made()
    straight.fit(x, t, 3, progress=None)
    made().fit(x, t, 2, progress=None, checkpoint=tmp_path)
    again.resume(tmp_path)
    again.fit(x, t, 3, progress=None, checkpoint=tmp_path)
    assert again.engine_used == "numpy"
    assert again.engine_reason
    assert [p.tobytes() for p in again.model.params] == [p.tobytes() for p in straight.model.params]


@pytest.mark.parametrize(
    ("then", "now", "words"),
    [
        ("numpy", "compiled", "engine='compiled' now, and the checkpoint is of engine='numpy'"),
        ("compiled", "numpy", "engine='numpy' now, and the checkpoint is of engine='compiled'"),
        (
            "compiled",
            "auto",
            "is of engine='compiled', which cannot run this training here: too odd",
        ),
    ],
)
def test_another_engine_is_refused(
    then: str, now: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = pytest.importorskip("chainrule.training.compiled")
    x, t = cr.datasets.spiral()
    cr.Trainer(cr.TwoLayerNet(2, 10, 3), engine=then).fit(
        x, t, 2, progress=None, checkpoint=tmp_path
    )

    def decline(*_given: Any, **_named: Any) -> None:
        raise compiled.NotCompilable("too odd")

    if now == "auto":
        monkeypatch.delenv("CHAINRULE_ENGINE", raising=False)
        monkeypatch.setattr(compiled, "CompiledStep", decline)
    again = cr.Trainer(cr.TwoLayerNet(2, 10, 3), engine=now)
    again.resume(tmp_path)
    with pytest.raises(SettingError, match=words):
        again.fit(x, t, 3, progress=None, checkpoint=tmp_path)
    again.resume(tmp_path, may_differ=True)
    again.fit(x, t, 3, progress=None, checkpoint=tmp_path)
    assert again.engine_used == ("numpy" if now == "auto" else now)


def test_a_folder_with_another_training_is_left_alone(tmp_path: Path) -> None:
    x, t = cr.datasets.spiral()
    stopped(tmp_path / "run")
    before = {f.name: f.read_bytes() for f in (tmp_path / "run").iterdir()}
    with pytest.raises(SettingError, match=r"has checkpoints of a training .*trainer.resume"):
        spiral().fit(x, t, 3, progress=None, checkpoint=tmp_path / "run")
    stopped(tmp_path / "other")
    again = spiral()
    again.resume(tmp_path / "other")
    with pytest.raises(SettingError, match="has checkpoints of a training"):
        again.fit(x, t, 3, progress=None, checkpoint=tmp_path / "run")
    assert {f.name: f.read_bytes() for f in (tmp_path / "run").iterdir()} == before


def test_two_trainings_do_not_write_into_one_folder(tmp_path: Path) -> None:
    x, t = cr.datasets.spiral()
    errors = []

    def second(trainer: cr.Trainer) -> None:
        try:
            spiral().fit(x, t, 1, progress=None, checkpoint=tmp_path / "run")
        except SettingError as error:
            errors.append(str(error))

    spiral().fit(x, t, 1, progress=None, checkpoint=tmp_path / "run", callbacks=[second])
    [text] = errors
    assert f"(process {os.getpid()}) keeps its checkpoints there" in text


def test_damaged_files_are_passed_over(tmp_path: Path) -> None:
    run = tmp_path / "run"
    stopped(run, 3)
    first, last = CheckpointFolder(run).files()
    whole = Path(last).read_bytes()
    for damaged in (b"", whole[:-1], whole[:1000], b"x" * 100, whole[:-1] + b"?"):
        Path(last).write_bytes(damaged)
        again = spiral()
        again.resume(run)
        assert again.history.steps == read_checkpoint(first).step
    x, t = cr.datasets.spiral()
    again.fit(x, t, 3, progress=None, checkpoint=run)
    assert read_checkpoint(last).step == again.history.steps
    for file in CheckpointFolder(run).files():
        Path(file).write_bytes(b"")
    with pytest.raises(FormatError, match=r"no checkpoint that can be read.*is empty"):
        spiral().resume(run)


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no checkpoint to go on from"):
        spiral().resume(tmp_path / "none")
    assert spiral().resume(tmp_path / "none", missing_ok=True) is False
    (tmp_path / "file").write_text("")
    x, t = cr.datasets.spiral()
    for place, words in [("file", "is a file"), ("a/b", "no folder"), ("", "needs a name")]:
        where = str(tmp_path / place) if place else ""
        with pytest.raises(SettingError, match=words):
            spiral().fit(x, t, 1, progress=None, checkpoint=where)
    for every in ("3", "0 steps", "1.5 epochs", "-1 s", 5):
        with pytest.raises(SettingError, match="every"):
            spiral().fit(x, t, 1, progress=None, checkpoint=tmp_path / "c", every=every)  # type: ignore[arg-type]
    assert not (tmp_path / "c").exists()


def test_the_latest_and_the_best_are_kept(tmp_path: Path) -> None:
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.Adam(1.0), engine="numpy")  # it diverges
    history = trainer.fit(
        x, t, 12, progress=None, validation=0.2, checkpoint=tmp_path, every="1 epoch", keep=3
    )
    kept = [read_checkpoint(f) for f in CheckpointFolder(tmp_path).files()]
    best = int(np.argmin(history["val_loss"])) + 1
    assert [c.epoch for c in kept] == sorted({best, 10, 11, 12})
    assert min(c.score or math.inf for c in kept) == min(history["val_loss"])


def test_a_model_of_ones_own_hand(tmp_path: Path) -> None:
    """The textbook's own two classes: a model with params and grads, an optimizer with update."""

    class Momentum:
        def __init__(self) -> None:
            self.lr, self.v = 0.1, None  # type: float, Any

        def update(self, params: list[Any], grads: list[Any]) -> None:
            self.v = [np.zeros_like(p) for p in params] if self.v is None else self.v
            for v, p, g in zip(self.v, params, grads, strict=True):
                v *= 0.9
                v -= self.lr * g
                p += v

    class Line:
        def __init__(self) -> None:
            self.params, self.grads = [np.zeros(2)], [np.zeros(2)]

        def predict(self, x: Any) -> Any:
            return x @ self.params[0]

        def forward(self, x: Any, t: Any) -> float:
            self.x, self.error = x, self.predict(x) - t
            return float((self.error**2).mean())

        def backward(self) -> None:
            self.grads[0][...] = 2 * self.error @ self.x / len(self.x)

    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    t = x @ [1.0, -2.0]
    whole = cr.Trainer(Line(), Momentum())
    whole.fit(x, t, 6, 8, progress=None)
    half = cr.Trainer(Line(), Momentum())
    half.fit(x, t, 3, 8, progress=None, checkpoint=tmp_path)
    again = cr.Trainer(Line(), Momentum())
    again.resume(tmp_path)
    again.fit(x, t, 6, 8, progress=None, checkpoint=tmp_path)
    assert again.model.params[0].tobytes() == whole.model.params[0].tobytes()
    assert again.history.losses.tolist() == whole.history.losses.tolist()


def test_the_state_of_callbacks_of_ones_own(tmp_path: Path) -> None:
    class Counting(cr.Callback):
        def __init__(self) -> None:
            self.steps, self.best = 0, math.inf

        def on_step(self, trainer: cr.Trainer) -> None:
            self.steps += 1
            self.best = min(self.best, trainer.history.losses[-1])

    x, t = cr.datasets.spiral()
    first = Counting()
    spiral().fit(x, t, 2, progress=None, checkpoint=tmp_path, callbacks=[first])
    second, again = Counting(), spiral()
    again.resume(tmp_path)
    again.fit(x, t, 5, progress=None, checkpoint=tmp_path, callbacks=[second])
    assert second.steps == again.history.steps == 5 * first.steps / 2
    assert second.best == again.history.losses.min()


def test_frozen_layers_keep_their_slots(tmp_path: Path) -> None:
    def made() -> cr.Trainer:
        layers = cr.Affine.sized(2, 8), cr.ReLU(), cr.Affine.sized(8, 3)
        network = cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=0)
        return cr.Trainer(network, cr.Momentum(0.05), engine="numpy")

    x, t = cr.datasets.spiral()
    whole = made()
    whole.fit(x, t, 2, progress=None)
    whole.model.layers[0].trainable = False
    whole.fit(x, t, 2, progress=None, checkpoint=tmp_path)
    again = made()
    again.model.layers[0].trainable = False
    again.resume(tmp_path)
    again.fit(x, t, 2, progress=None)
    for each in (whole, again):  # and thawed, with the slots of long ago
        each.model.layers[0].trainable = True
        each.fit(x, t, 2, progress=None)
    assert [p.tobytes() for p in again.model.params] == [p.tobytes() for p in whole.model.params]
