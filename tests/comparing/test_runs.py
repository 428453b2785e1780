"""Runs that part where a test has them part: the step, the array and the element are found, and no other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.atomic_write import write_whole
from chainrule.comparing import TrainingComparison
from chainrule.errors import DataError, FormatError, SettingError
from chainrule.storage.checkpoint import pack_checkpoint, read_checkpoint
from chainrule.storage.folder import CheckpointFolder

EPOCHS, BATCH, ROWS = 4, 20, 100
#: Of an epoch; and those with checkpoints, which are written every two.
STEPS = 5
KEPT = tuple(range(0, EPOCHS * STEPS + 1, 2))


def network(**more: Any) -> cr.Sequential:
    layers = cr.Affine.sized(3, 8), cr.BatchNorm.sized(8), cr.ReLU(), cr.Dropout(0.2)
    return cr.Sequential(*layers, cr.Affine.sized(8, 3), loss=cr.SoftmaxWithLoss(), seed=2, **more)


def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, 3)).astype(np.float32), rng.integers(0, 3, ROWS)


def trained(
    folder: Path,
    *,
    seed: int = 0,
    lr: float = 0.01,
    engine: str = "numpy",
    epochs: int = EPOCHS,
    every: str = "2 steps",
    before: Callable[[cr.Sequential], None] | None = None,
    **more: Any,
) -> cr.Trainer:
    """A training whose checkpoints are in a folder."""
    made = network()
    if before is not None:
        before(made)
    trainer = cr.Trainer(made, cr.Adam(lr), seed=seed, engine=engine, threads=1)
    trainer.fit(
        *data(), epochs, BATCH, checkpoint=folder, every=every, keep=100, progress=None, **more
    )
    return trainer


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training, with what it left."""
    folder = tmp_path_factory.mktemp("runs") / "base"
    trained(folder)
    return folder


def one(a: Path, b: Path, **more: Any) -> TrainingComparison:
    """The comparison of two trainings, which is the same the other way round."""
    (found,) = cr.compare_runs(a, b, **more).trainings
    (other,) = cr.compare_runs(b, a, **more).trainings
    assert (found.first_step, found.compared) == (other.first_step, other.compared)
    assert found.equal == other.equal
    assert [t.name for t in found.tensors] == [t.name for t in other.tensors]
    return found


def first_loss(a: cr.Trainer | Path, b: cr.Trainer) -> int:
    """The first step whose losses differ, by the histories of the trainers."""
    kept = read_checkpoint(CheckpointFolder(a).files()[-1]) if isinstance(a, Path) else None
    losses = kept.state["history"]["losses"] if kept else a.history.losses  # type: ignore[union-attr]
    pairs = zip(losses.tolist(), b.history.losses.tolist(), strict=True)
    return next(i + 1 for i, (x, y) in enumerate(pairs) if x != y)


def files(folder: Path) -> dict[int, str]:
    return {read_checkpoint(path).step: path for path in CheckpointFolder(folder).files()}


def changed(path: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the state in a checkpoint."""
    kept = read_checkpoint(path)
    change(kept.state)
    write_whole(path, pack_checkpoint(kept), overwrite=True)


# -- trainings ---------------------------------------------------------------------------------


def test_a_training_repeats_to_the_bit(base: Path, tmp_path: Path) -> None:
    trained(tmp_path / "again")
    found = one(base, tmp_path / "again")
    assert found.equal
    assert (found.equal_steps, found.losses) == (KEPT, EPOCHS * STEPS)
    assert (found.first_step, found.settings, found.notes) == (None, (), ())
    # Parameters, buffers (a mean, a variance, Dropout's clock), and two slots of each parameter.
    assert found.compared == 6 + 3 + 2 * 6


def test_one_that_was_stopped_and_gone_on_with_is_equal(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "stopped"
    folder.mkdir()
    shutil.copy(files(base)[6], folder)
    made = cr.Trainer(network(), cr.Adam(0.01), seed=9, engine="numpy", threads=1)
    made.resume(folder)
    made.fit(*data(), EPOCHS, BATCH, checkpoint=folder, every="2 steps", keep=100, progress=None)
    found = one(base, folder)
    assert found.equal, found
    assert found.equal_steps == KEPT[3:]


def test_another_seed_parts_at_the_first_step(base: Path, tmp_path: Path) -> None:
    other = trained(tmp_path / "other", seed=1)
    found = one(base, tmp_path / "other")
    assert not found.equal
    assert [each.name for each in found.settings] == ["generator"]
    assert [each.name for each in found.state] == ["generator"]
    assert found.loss is not None
    assert found.loss.step == first_loss(base, other) == found.first_step == 1
    assert found.loss.around[0][1:] == (found.loss.first.a, found.loss.first.b)
    assert (found.state_step, found.tensors_step, found.equal_steps) == (0, 2, ())
    assert str(found.tensors[0].name.name) == "0.W"


def test_the_last_bit_of_one_weight(base: Path, tmp_path: Path) -> None:
    def nudge(made: cr.Sequential) -> None:
        weights = made.named_parameters()["4.W"].data
        weights[5, 1] = np.nextafter(weights[5, 1], np.float32(np.inf))

    trained(tmp_path / "nudged", before=nudge)
    found = one(base, tmp_path / "nudged")
    (difference,) = found.tensors
    assert found.first_step == found.tensors_step == 0
    assert difference.name == ("parameter", "4.W", "")
    assert (difference.index, difference.row, difference.differing) == ((5, 1), 5, 1)
    assert difference.first.ulps == 1
    assert (found.settings, found.state, found.arrays) == ((), (), ())


def test_a_row_that_changes_after_an_epoch(base: Path, tmp_path: Path) -> None:
    def change(trainer: cr.Trainer) -> None:
        if trainer.current_epoch == 2:
            trainer.data[0][7] += 1.0  # type: ignore[index]

    other = trained(tmp_path / "row", callbacks=[change])
    found = one(base, tmp_path / "row")
    assert found.loss is not None
    step = first_loss(base, other)
    assert 2 * STEPS < step <= 3 * STEPS
    assert found.loss.step == found.first_step == step
    assert found.last_equal_step == step - 1
    assert found.tensors_step == next(k for k in KEPT if k >= step)
    assert found.equal_steps == tuple(k for k in KEPT if k < step)
    assert [s for s, _a, _b in found.loss.around][:3] == [step - 2, step - 1, step]


def test_other_data_and_another_rate_are_told(base: Path, tmp_path: Path) -> None:
    trained(tmp_path / "rate", lr=0.02)
    found = one(base, tmp_path / "rate")
    assert [each.name for each in found.settings] == ["optimizer"]
    assert found.state[0] == ("optimizer.schedule.lr", 0.01, 0.02)
    x, t = data()
    x[3, 1] += 1
    made = cr.Trainer(network(), cr.Adam(0.01), seed=0, engine="numpy", threads=1)
    made.fit(x, t, EPOCHS, BATCH, checkpoint=tmp_path / "x", progress=None)
    assert [each.name for each in one(base, tmp_path / "x").settings] == ["x"]


def test_engines_part_by_rounding_alone(base: Path, tmp_path: Path) -> None:
    other = trained(tmp_path / "compiled", engine="compiled")
    found = one(base, tmp_path / "compiled")
    assert [(e.name, e.a, e.b) for e in found.settings] == [("engine", "numpy", "compiled")]
    assert found.loss is not None
    assert found.loss.step == first_loss(base, other)
    assert found.loss.largest.relative < 1e-4
    near = one(base, tmp_path / "compiled", tolerance=0.5)
    assert near.loss is None
    assert near.tolerated > 0


def test_a_longer_training_is_equal_as_far_as_both_go(base: Path, tmp_path: Path) -> None:
    trained(tmp_path / "long", epochs=EPOCHS + 1)
    found = one(base, tmp_path / "long")
    assert (found.parts, found.equal, found.longer) == (False, False, STEPS)
    assert [each.name for each in found.settings] == ["epochs"]


def test_checkpoints_of_no_equal_steps(base: Path, tmp_path: Path) -> None:
    for folder, steps in (("a", (2, 6)), ("b", (4, 8))):
        (tmp_path / folder).mkdir()
        for step in steps:
            shutil.copy(files(base)[step], tmp_path / folder)
    found = one(tmp_path / "a", tmp_path / "b")
    assert (found.losses, found.loss, found.compared, found.equal) == (6, None, 0, False)


class Own:
    """A network by hand: a line through the origin."""

    def __init__(self) -> None:
        self.W = np.ones((2, 1))
        self.params, self.grads = [self.W], [np.zeros((2, 1))]

    def predict(self, x: Any) -> Any:
        return x @ self.W

    def forward(self, x: Any, t: Any) -> float:
        self.x, self.d = x, x @ self.W - t
        return float((self.d**2).mean())

    def backward(self) -> None:
        self.grads[0][...] = 2 * self.x.T @ self.d / self.d.size


class OwnOptimizer:
    """Gradient descent that remembers the sum of the gradients."""

    def __init__(self) -> None:
        self.sum = np.zeros((2, 1))

    def update(self, params: Any, grads: Any) -> None:
        for p, g in zip(params, grads, strict=True):
            self.sum += g
            p -= 0.1 * g


def test_a_network_and_an_optimizer_by_hand(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(50, 2))
    for seed, name in ((0, "a"), (0, "b"), (1, "c")):
        trainer = cr.Trainer(Own(), OwnOptimizer(), seed=seed)
        t = x @ [[1.0], [2.0]]
        trainer.fit(x, t, 3, 10, checkpoint=tmp_path / name, progress=None)
    assert one(tmp_path / "a", tmp_path / "b").equal
    found = one(tmp_path / "a", tmp_path / "c")
    assert found.first_step == 1
    assert [tuple(t.name) for t in found.tensors] == [
        ("parameter", "params.0", ""),
        ("optimizer", "numbers.sum", ""),
    ]


# -- single numbers ----------------------------------------------------------------------------


def places(state: dict[str, Any]) -> list[tuple[tuple[str, str, str], Any]]:
    """Every array of a state, by the name that it should have."""
    found = [(("parameter", name, ""), a) for name, a in state["parameters"].items()]
    found += [(("buffer", name, ""), a) for name, a in state["buffers"].items()]
    for name, group in state["optimizer"]["slots"].items():
        found += [(("slot", name, slot), a) for slot, a in zip("mv", group, strict=True)]
    return found


@given(draw=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_one_number_that_is_changed_is_found(
    base: Path, tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("changed") / "run"
    shutil.copytree(base, folder)
    step = draw.draw(st.sampled_from(KEPT))
    kept = read_checkpoint(files(folder)[step])
    name, array = draw.draw(st.sampled_from(places(kept.state)))
    index = tuple(draw.draw(st.integers(0, n - 1)) for n in array.shape)
    bits = array.view(f"u{array.itemsize}")
    old = array[index].copy()
    bits[index] ^= bits.dtype.type(1 << draw.draw(st.integers(0, 8 * array.itemsize - 1)))
    write_whole(kept_path := files(folder)[step], pack_checkpoint(kept), overwrite=True)
    found = one(base, folder)
    (difference,) = found.tensors
    assert found.tensors_step == found.first_step == step
    assert found.equal_steps == tuple(k for k in KEPT if k < step)
    assert (tuple(difference.name), difference.index) == (name, index)
    assert difference.row == (index[0] if index else None)
    assert difference.differing == 1
    new = read_checkpoint(kept_path)
    assert repr(difference.first.a) == repr(old.item())
    assert repr(difference.first.b) == repr(dict(places(new.state))[name][index].item())
    assert (found.loss, found.state, found.arrays) == (None, (), ())
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("generator", lambda s: s["generator"]["state"].update(state=1)),
        ("optimizer.updates", lambda s: s["optimizer"].update(updates=5)),
        ("optimizer.numbers.beta1", lambda s: s["optimizer"]["numbers"].update(beta1={"value": 0.8})),
        ("epoch", lambda s: s.update(epoch=9)),
        ("mask_seeds.3", lambda s: s["mask_seeds"].update({"3": 1})),
        ("callbacks.Own.0.best", lambda s: s["callbacks"].update({"Own.0": {"best": 1.0}})),
        ("history.loss.1", lambda s: s["history"]["epochs"][0].update(loss=0.0)),
        ("place.steps", lambda s: s["place"].update(steps=2)),
    ],
)  # fmt: skip
def test_all_that_later_steps_go_by_counts(
    base: Path, tmp_path: Path, name: str, change: Callable[[dict[str, Any]], object]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(base, folder)
    changed(files(folder)[6], change)
    found = one(base, folder)
    assert [each.name for each in found.state] == [name]
    assert (found.state_step, found.tensors, found.equal) == (6, (), False)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["place"].update(seconds=99.0),
        lambda s: s["history"]["epochs"][0].update(seconds=99.0),
        lambda s: s.update(ended="interrupted by Ctrl-C"),
    ],
)
def test_times_do_not_count(
    base: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(base, folder)
    changed(files(folder)[6], change)
    assert one(base, folder).equal


def test_shapes_dtypes_and_names_that_differ_are_told_and_the_rest_is_compared(
    base: Path, tmp_path: Path
) -> None:
    def change(state: dict[str, Any]) -> None:
        parameters = state["parameters"]
        parameters["0.W"] = parameters["0.W"].astype(np.float64)
        parameters["4.b"] = np.zeros(5, np.float32)
        parameters["9.W"] = parameters.pop("4.W")
        parameters["0.b"][3] += 1

    folder = tmp_path / "run"
    shutil.copytree(base, folder)
    changed(files(folder)[0], change)
    found = one(base, folder)
    assert {(each.name, each.a, each.b) for each in found.arrays} == {
        ("parameter 0.W", "float32[3, 8]", "float64[3, 8]"),
        ("parameter 4.b", "float32[3]", "float32[5]"),
        ("parameter 4.W", "float32[8, 3]", None),
        ("parameter 9.W", None, "float32[8, 3]"),
    }
    assert [(t.name.name, t.index) for t in found.tensors] == [("0.b", (3,))]


def test_with_a_tolerance_dtypes_may_differ(base: Path, tmp_path: Path) -> None:
    def change(state: dict[str, Any]) -> None:
        state["parameters"]["0.W"] = state["parameters"]["0.W"].astype(np.float64)

    folder = tmp_path / "run"
    shutil.copytree(base, folder)
    changed(files(folder)[4], change)
    assert not one(base, folder).equal
    found = one(base, folder, tolerance=1e-12)
    assert found.equal
    assert (found.tolerated, found.most_tolerated) == (24, 0.0)


def test_the_tolerance_takes_small_differences_for_none(base: Path, tmp_path: Path) -> None:
    def change(state: dict[str, Any]) -> None:
        state["parameters"]["0.W"][1, 2] *= np.float32(1 + 1e-6)

    folder = tmp_path / "run"
    shutil.copytree(base, folder)
    changed(files(folder)[4], change)
    assert one(base, folder, tolerance=1e-5).equal
    found = one(base, folder, tolerance=1e-8)
    assert (found.tensors_step, found.tolerated, found.equal) == (4, 0, False)


# -- files of several kinds --------------------------------------------------------------------


def test_model_files_and_checkpoints_of_one_training(tmp_path: Path) -> None:
    trainer = trained(tmp_path / "run")
    model, newest = tmp_path / "m.safetensors", Path(files(tmp_path / "run")[EPOCHS * STEPS])
    cr.save_model(model, trainer.model, facts={"training": {"seed": 0}})
    for other in (tmp_path / "run", newest):
        found = one(model, other)
        assert found.equal, found
        assert (found.compared, found.losses) == (9, 0)
    assert one(newest, tmp_path / "run").equal
    assert one(model, Path(files(tmp_path / "run")[18])).tensors_step == 18
    trainer.model.named_parameters()["4.b"].data[2] = 7
    cr.save_model(tmp_path / "n.safetensors", trainer.model, facts={"training": {"seed": 1}})
    found = one(model, tmp_path / "n.safetensors")
    assert [(t.name.name, t.row) for t in found.tensors] == [("4.b", 2)]
    assert found.settings == (("seed", 0, 1),)
    assert found.first_step is None


def test_the_preparation_is_a_part_of_a_model(tmp_path: Path) -> None:
    net = cr.Sequential(cr.Affine.sized(4, 3), loss=cr.SoftmaxWithLoss(), seed=0)
    table = cr.datasets.load("iris")
    for name, step in (("a", 1), ("b", 2)):
        prepared = cr.datasets.Preprocessor.fit(table.rows(np.arange(0, 150, step)), "species")
        cr.save_model(tmp_path / name, net, preparation=prepared)
    found = one(tmp_path / "a", tmp_path / "b")
    assert not found.equal
    assert found.state
    assert all(each.name.startswith("preparation.") for each in found.state)


def test_another_layer_with_the_same_arrays_is_another_network(tmp_path: Path) -> None:
    for name, layer in (("a", cr.ReLU()), ("b", cr.Tanh())):
        layers = cr.Affine.sized(2, 4), layer, cr.Affine.sized(4, 3)
        net = cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=0)
        for p in net.named_parameters().values():
            p.data[...] = 1
        cr.save_model(tmp_path / name, net)
    found = one(tmp_path / "a", tmp_path / "b")
    assert [each.name for each in found.state] == ["network"]
    assert not found.tensors
    assert not found.equal


def test_folders_with_several_trainings(base: Path, tmp_path: Path) -> None:
    for folder, names in (("a", ("plain", "table")), ("b", ("plain", "other")), ("c", ("more",))):
        for name in names:
            shutil.copytree(base, tmp_path / folder / name)
    found = cr.compare_runs(tmp_path / "a", tmp_path / "b")
    assert [t.name for t in found.trainings] == ["plain"]
    assert (found.only_a, found.only_b, found.equal) == (("table",), ("other",), False)
    assert found.trainings[0].equal
    assert cr.compare_runs(tmp_path / "c", base).equal  # one each, whatever its name
    with pytest.raises(SettingError, match=r"has the trainings plain, table, .* has one training"):
        cr.compare_runs(tmp_path / "a", base)


# -- what cannot be compared -------------------------------------------------------------------


def test_a_damaged_checkpoint_is_passed_over_and_told(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(base, folder)
    for step in (4, 20):
        path = Path(files(base)[step].replace(str(base), str(folder)))
        path.write_bytes(path.read_bytes()[:-9])
    found = one(base, folder)
    assert found.lengths == (20, 18)
    assert found.equal_steps == tuple(k for k in KEPT if k not in (4, 20))
    assert len(found.notes) == 2
    assert all(str(folder) in note for note in found.notes)
    assert not found.equal  # the base goes on
    for path in folder.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FormatError, match="no checkpoint that can be read"):
        cr.compare_runs(base, folder)


def test_what_is_no_run_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such model file"):
        cr.compare_runs(base, tmp_path / "nothing")
    with pytest.raises(DataError, match="folder without checkpoints"):
        cr.compare_runs(tmp_path, base)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FormatError, match="plain text"):
        cr.compare_runs(base, tmp_path / "t.csv")
    with pytest.raises(SettingError, match="tolerance"):
        cr.compare_runs(base, base, tolerance=-1)


@pytest.mark.parametrize("gone", ["parameters", "optimizer", "history", "first", "engine"])
def test_a_checkpoint_without_a_part_of_its_state_is_refused(
    base: Path, tmp_path: Path, gone: str
) -> None:
    kept = read_checkpoint(files(base)[4])
    del kept.state[gone]
    path = tmp_path / "odd.safetensors"
    path.write_bytes(pack_checkpoint(kept))
    with pytest.raises(FormatError, match="not what it should be"):
        cr.compare_runs(base, path)
