"""The simplest models: their optima are optima, and a comparison says what the scores say."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.datasets.parts import Layout
from chainrule.errors import DataError, FormatError, SettingError, ShapeError
from chainrule.files import load_model, save_model
from chainrule.storage.container import pack, unpack

# -- the linear model ----------------------------------------------------------------------------


@pytest.mark.parametrize("ridge", [0.0, 1.0, 30.0])
def test_least_squares_is_where_the_gradient_is_nothing(ridge: float) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(3, 2, (50, 4)), rng.normal(size=(50, 2))
    line = cr.fit_linear(x, t, ridge=ridge)
    rest = x @ line.W + line.b - t
    np.testing.assert_allclose(x.T @ rest + ridge * line.W, 0, atol=1e-9)
    np.testing.assert_allclose(rest.sum(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("classes", [2, 5])
def test_softmax_regression_is_where_the_gradient_is_nothing(classes: int) -> None:
    """The objective is written with Variables, and its gradient comes by the chain rule."""
    rng = np.random.default_rng(1)
    x = rng.normal(1, 3, (200, 6))
    t = (x @ rng.normal(size=(6, classes)) + 3 * rng.normal(size=(200, classes))).argmax(axis=1)
    line = cr.fit_linear(x, t, classes, ridge=2.0)

    def objective(W: Any, b: Any) -> Any:
        return 200 * cr.softmax_cross_entropy(x @ W + b, t).mean() + cr.sum(W**2)

    W, b = cr.Variable(line.W, "W"), cr.Variable(line.b, "b")
    objective(W, b).backward()
    assert W.grad is not None
    assert b.grad is not None
    assert max(abs(W.grad).max(), abs(b.grad).max()) < 1e-2  # of a sum over 200 rows


@pytest.mark.parametrize("rows", [90, 40_000])
def test_row_numbers_of_embeddings_are_columns_of_the_line(rows: int) -> None:
    """The same line and scores as of the table with a column for each of them."""
    rng = np.random.default_rng(3)
    ids = rng.integers(1, 5, (rows, 1))
    x = np.concatenate([rng.normal(size=(rows, 2)), ids], axis=1)
    t = x[:, 0] + 2.0 * (ids[:, 0] == 3)
    layout = Layout(numbers=2, columns=1, rows=5, unknown=(0,))
    found, wide = cr.Baselines.fit(x, t, layout=layout), cr.Baselines.fit(layout.one_hot(x), t)
    assert found.linear is not None
    assert wide.linear is not None
    assert np.array_equal(found.linear.W, wide.linear.W)
    y = rng.normal(size=(rows, 1))
    assert found.compare(y, x, t, layout) == wide.compare(y, layout.one_hot(x), t)


def test_thousands_of_categories_take_no_column_for_each_row() -> None:
    """Wells of plotly's oil-and-gas.parquet: 14,000 names in 208,000 rows were 23 GB."""
    rows, names = 4000, 20_000
    x = np.random.default_rng(0).integers(0, names, (rows, 1)).astype(np.float32)
    layout = Layout(numbers=0, columns=1, rows=names)
    tracemalloc.start()
    found = cr.Baselines.fit(x, x[:, 0], layout=layout)
    compared = found.compare(x, x, x[:, 0], layout)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.linear is None
    assert compared.model == 1.0
    assert most < rows * names / 10


def test_columns_that_say_the_same_and_nothing_are_no_trouble() -> None:
    rng = np.random.default_rng(2)
    one = rng.normal(size=(40, 1))
    x = np.concatenate([one, 2 * one, np.zeros((40, 1)), np.ones((40, 1))], axis=1)
    for ridge in (0.0, 1.0):
        line = cr.fit_linear(x, 3 * one[:, 0] + 1, ridge=ridge)
        assert np.abs(line.predict(x)[:, 0] - (3 * one[:, 0] + 1)).max() < 0.1
        ids = (one[:, 0] > 0).astype(int)
        found = cr.fit_linear(x, ids, 2, ridge=ridge)
        assert np.mean(found.predict(x).argmax(axis=1) == ids) == 1.0


def test_a_class_without_rows_is_never_said() -> None:
    line = cr.fit_linear([[0.0], [1.0], [2.0], [3.0]], [0, 0, 2, 2], 4)
    assert set(line.predict([[-9.0], [9.0]]).argmax(axis=1)) == {0, 2}


def test_what_cannot_be_fitted_is_refused() -> None:
    x = np.ones((3, 2))
    for t, classes in (([0, 1, 2], 2), ([0.0, 1.0, 1.0], 2), ([0, -1, 1], 2)):
        with pytest.raises(DataError, match="class ids"):
            cr.fit_linear(x, t, classes)
    with pytest.raises(SettingError, match="two classes"):
        cr.fit_linear(x, [0, 0, 0], 1)
    with pytest.raises(DataError, match="not finite"):
        cr.fit_linear(x * np.inf, [0.0, 1.0, 2.0])
    with pytest.raises(DataError, match="no rows"):
        cr.fit_linear(np.ones((0, 2)), [])
    with pytest.raises(ShapeError, match=r"\(4,\)"):
        cr.fit_linear(x, [0.0, 1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match="rows of 2 numbers"):
        cr.fit_linear(x, [0.0, 1.0, 2.0]).predict(np.ones((3, 1)))


# -- comparing -----------------------------------------------------------------------------------


def line_and_noise(noise: float, rows: int = 200) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(rows, 3))
    return x, x @ [1.0, -1.0, 0.5] + noise * rng.normal(size=rows)


def test_the_constant_is_the_mean_or_the_largest_class() -> None:
    x, t = line_and_noise(0.1)
    found = cr.Baselines.fit(x, t)
    assert found.answer == pytest.approx([t.mean()])
    assert found.compare(np.full((200, 1), t.mean()), x, t).worse_than == "constant"
    ids = np.array([0] * 30 + [1] * 170)
    found = cr.Baselines.fit(x, ids, 3)
    assert found.answer.tolist() == [0.15, 0.85, 0.0]
    ones = np.tile([0.0, 1.0, 0.0], (200, 1))
    compared = found.compare(ones, x, ids)
    assert (compared.model, compared.constant) == (0.85, 0.85)
    assert compared.worse_than == "constant"


def test_only_more_than_chance_counts_against_a_line() -> None:
    x, t = line_and_noise(1.0)
    found = cr.Baselines.fit(x, t)
    assert found.linear is not None
    best = found.linear.predict(x)
    rng = np.random.default_rng(4)
    for error, worse in ((0.0, None), (0.02, None), (0.8, "linear"), (9.0, "constant")):
        compared = found.compare(best + error * rng.normal(size=best.shape), x, t)
        assert compared.worse_than == worse, error
    assert compared.linear is not None
    assert compared.constant == pytest.approx(0.0)


def test_a_model_that_makes_no_mistake_is_never_blamed() -> None:
    x = np.zeros((4, 1))
    found = cr.Baselines.fit(x, [1, 1, 1, 1], 2)
    assert found.compare(np.tile([0.0, 1.0], (4, 1)), x, [1, 1, 1, 1]).worse_than is None
    same = cr.Baselines.fit(x, [2.0, 2.0, 2.0, 2.0])
    compared = same.compare(np.full((4, 1), 2.0), x, np.full(4, 2.0))
    assert (compared.worse_than, compared.model, compared.constant) == (None, None, None)


def test_a_label_that_training_did_not_have_is_a_mistake_of_all() -> None:
    x = np.array([[0.0], [1.0], [2.0], [3.0]])
    found = cr.Baselines.fit(x, [0, 0, 1, 1], 2)
    compared = found.compare(np.eye(2)[[0, 0, 1, 1]], x, [0, 0, 1, 2])
    assert compared.model == 0.75
    assert compared.constant == 0.5


def test_a_line_is_fitted_to_a_draw_of_many_rows() -> None:
    """Every second row is of the other class, so rows at even distances would show one alone."""
    rows = 20_001
    x = np.stack([np.arange(rows) % 2.0, np.arange(rows) / rows], axis=1)
    found = cr.Baselines.fit(x, np.arange(rows) % 2, 2)
    assert found.linear is not None
    assert np.array_equal(found.linear.predict(x).argmax(axis=1), np.arange(rows) % 2)
    wide = cr.Baselines.fit(np.ones((2, 1001)), [0.0, 1.0])
    assert wide.linear is None
    assert wide.compare([[0.5], [0.5]], np.ones((2, 1001)), [0.0, 1.0]).linear is None


# -- in a model file -----------------------------------------------------------------------------


def kept(tmp_path: Path) -> Path:
    table = cr.datasets.Table({"x": [float(i) for i in range(20)], "t": ["a", "b"] * 10})
    preparation = cr.datasets.Preprocessor.fit(table, "t")
    x, t = preparation.transform(table), preparation.targets(table)
    net = cr.Sequential(cr.Affine.sized(1, 2), loss=cr.SoftmaxWithLoss(), seed=0)
    path = tmp_path / "m.safetensors"
    save_model(path, net, preparation=preparation, baselines=cr.Baselines.fit(x, t, 2))
    with pytest.raises(SettingError, match="preparation"):
        save_model(tmp_path / "n.safetensors", net, baselines=cr.Baselines.fit(x, t, 2))
    wrong = cr.Baselines.fit(np.ones((20, 3)), t, 2)
    with pytest.raises(SettingError, match="preparation"):
        save_model(tmp_path / "n.safetensors", net, preparation=preparation, baselines=wrong)
    assert not (tmp_path / "n.safetensors").exists()
    return path


def test_a_file_keeps_them_to_the_bit(tmp_path: Path) -> None:
    path = kept(tmp_path)
    model = load_model(path)
    assert model.baselines is not None
    assert model.baselines.linear is not None
    assert model.baselines.classifies
    assert model.baselines.answer.tolist() == [0.5, 0.5]
    again = tmp_path / "again.safetensors"
    save_model(again, model.network, preparation=model.preparation, baselines=model.baselines)
    assert again.read_bytes() == path.read_bytes()
    save_model(again, model.network, preparation=model.preparation, overwrite=True)
    assert load_model(again).baselines is None


def test_an_older_file_has_no_mean(tmp_path: Path) -> None:
    path = kept(tmp_path)
    contents = unpack(path.read_bytes(), str(path))
    assert contents.tensors.pop("baselines.mean").tolist() == pytest.approx([0.0], abs=1e-6)
    path.write_bytes(pack(contents.tensors, contents.description))
    baselines = load_model(path).baselines
    assert baselines is not None
    assert baselines.mean is None
    assert baselines.linear is not None


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("baselines.answer", None),
        ("baselines.W", None),
        ("baselines.b", np.zeros(3)),
        ("baselines.answer", np.zeros(2, np.float32)),
        ("baselines.W", np.full((1, 2), np.nan)),
        ("baselines.C", np.zeros(2)),
        ("baselines.mean", np.zeros(2)),
    ],
)
def test_a_damaged_file_says_so(tmp_path: Path, name: str, array: Any) -> None:
    path = kept(tmp_path)
    contents = unpack(path.read_bytes(), str(path))
    tensors = dict(contents.tensors)
    if array is None:
        del tensors[name]
    else:
        tensors[name] = array
    path.write_bytes(pack(tensors, contents.description))
    with pytest.raises(FormatError, match=name.replace(".", r"\.")):
        load_model(path)
