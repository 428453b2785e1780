"""What each column adds: known weights, every kind of model, categories with weights of their own."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.explaining.models import KINDS, Task, a_table, model_of, of_linear

import chainrule as cr
from chainrule.datasets import Preprocessor, Table
from chainrule.datasets.forms import Form
from chainrule.datasets.rules import Reading
from chainrule.datasets.text_tables import read_text
from chainrule.errors import DataError, SettingError
from chainrule.files import Model, load_model, save_model


def test_a_linear_model_adds_weight_times_difference_from_the_mean() -> None:
    """Of classes the difference of two scores, of values in the unit of the target."""
    rng = np.random.default_rng(0)
    cells = {"a": rng.normal(5, 2, 60), "b": rng.choice(["x", "y", "z"], 60)}
    table = Table({**cells, "t": rng.choice(["no", "yes"], 60)})
    W, b = rng.normal(size=(4, 2)), rng.normal(size=2)
    model = of_linear(W, b, table, cr.SoftmaxWithLoss())
    assert model.preparation is not None
    x = model.preparation.transform(table).astype(float)
    why = cr.explain_rows(model, table, label="yes")
    each = (x - x.mean(axis=0)) * (W[:, 1] - W[:, 0])
    np.testing.assert_allclose(why.added[:, 0], each[:, 0], atol=1e-5)
    np.testing.assert_allclose(why.added[:, 1], each[:, 1:].sum(axis=1), atol=1e-5)
    np.testing.assert_allclose(why.start, (x.mean(axis=0) @ W + b) @ [-1, 1], atol=1e-5)
    other = cr.explain_rows(model, table, label="no")
    np.testing.assert_allclose(other.added, -why.added, atol=1e-5)

    table = Table({**cells, "t": rng.normal(1000, 50, 60)})
    model = of_linear(W[:, :1], b[:1], table, cr.MeanSquaredError())
    assert model.preparation is not None
    why = cr.explain_rows(model, table, [3, 5])
    unit = model.preparation.scale
    x = model.preparation.transform(table).astype(float)
    each = (x - x.mean(axis=0)) * W[:, 0] * unit
    expected = np.stack([each[:, 0], each[:, 1:].sum(axis=1)], axis=1)[[3, 5]]
    np.testing.assert_allclose(why.added, expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(why.value, model.predict(table)[[3, 5]], rtol=1e-5)


@pytest.mark.parametrize("method", ["integrated", "gradient"])
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model(kind: str, task: Task, method: Any) -> None:
    model, table = model_of(kind, task), a_table(task)
    prepared = model.preparation
    assert prepared is not None
    why = cr.explain_rows(model, table, np.arange(40), method=method)
    assert why.columns == prepared.columns
    assert why.baseline == "training"
    some = table.rows(np.arange(40))
    if task == "classification":
        p = model.predict_proba(some).astype(float)
        assert why.explained is not None
        assert (prepared.labels(why.explained) == model.predict(some)).all()
        top = p[np.arange(40), why.explained]
        np.testing.assert_allclose(why.value, np.log(top / (1 - top)), rtol=1e-3, atol=1e-4)
        assert why.probabilities is not None
        np.testing.assert_allclose(why.probabilities, p, rtol=1e-5)
    else:
        y = model.network.predict(prepared.transform(some))
        np.testing.assert_allclose(why.value, y[:, 0] * prepared.scale + prepared.center, rtol=1e-5)
    if method == "integrated":
        assert (np.abs(why.gap) <= 0.01 * np.abs(why.added).sum(axis=1) + 1e-4).all()
        assert why.order(0) == sorted(range(5), key=lambda j: -abs(why.added[0, j]))


def test_categories_count_by_the_gradient_of_their_weights() -> None:
    """The same by hand: the layers behind the embedding, from its mean output to that of the row."""
    model, table = model_of("table", "regression"), a_table("regression")
    prepared, net = model.preparation, model.network
    assert prepared is not None
    assert isinstance(net, cr.Sequential)
    x = prepared.transform(table)
    embedded = np.asarray(net.sequence[0].forward(x))
    rest = cr.Sequential(*net.sequence[1:], loss=cr.MeanSquaredError())
    numbers = x.shape[1] - 1
    start = embedded.mean(axis=0)
    by_hand = cr.integrated_gradients(rest, embedded[:30], start)
    why = cr.explain_rows(model, table, np.arange(30))
    town = why.columns.index("town")
    np.testing.assert_allclose(
        why.added[:, town] / prepared.scale, by_hand.added[:, numbers:].sum(axis=1),
        rtol=0.01, atol=1e-3,
    )  # fmt: skip
    others = np.delete(why.added, town, axis=1).sum(axis=1) / prepared.scale
    np.testing.assert_allclose(others, by_hand.added[:, :numbers].sum(axis=1), rtol=0.02, atol=2e-3)


def test_two_columns_with_weights_and_an_embedding_inside_another_network() -> None:
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnop"))
    cells = {"one": rng.choice(letters, 300), "two": rng.choice(letters[:12], 300)}
    table = Table({**cells, "t": rng.normal(size=300)})
    prepared = Preprocessor.fit(table, "t", encoding="embedded")
    layout = prepared.layout
    assert (layout.numbers, layout.columns) == (0, 2)
    inside = cr.Sequential(
        cr.CategoryEmbedding.sized(layout.rows, 4, columns=2), cr.Affine.sized(8, 6)
    )
    net = cr.Sequential(inside, cr.Tanh(), cr.Affine.sized(6, 1), loss=cr.MeanSquaredError())
    model = Model(net, prepared)
    why = cr.explain_rows(model, table)
    assert why.baseline == "rows"
    np.testing.assert_allclose(why.value, model.predict(table), rtol=1e-4, atol=1e-5)
    # A row with the same category in one column differs from another by the other column alone.
    assert (np.abs(why.added) > 1e-6).all()
    assert np.abs(why.gap).max() < 0.01


def test_rows_of_many_categories_are_taken_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, table = model_of("ensemble", "classification"), a_table("classification")
    whole = cr.explain_rows(model, table)
    monkeypatch.setattr("chainrule.explaining.gradients.NUMBERS", 700)
    parts = cr.explain_rows(model, table)
    np.testing.assert_allclose(parts.added, whole.added, rtol=1e-4, atol=1e-5)
    assert (parts.explained == whole.explained).all()  # type: ignore[union-attr]
    none = cr.explain_rows(model, table, [])
    assert none.added.shape == (0, 5)


def test_a_table_on_disk_is_explained_as_one_in_memory(tmp_path: Path) -> None:
    model, table = model_of("table", "regression"), a_table("regression", 500)
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(table.names)
        out.writerows(zip(*(table[n].tolist() for n in table.names), strict=True))
    assert model.preparation is not None
    forms = model.preparation.forms | {"day": Form("number")}
    memory, disk = (read_text(path, Reading(on_disk=d, kinds=forms)) for d in (False, True))
    assert disk.on_disk > memory.on_disk
    a, b = (cr.explain_rows(model, t, [3, 499]) for t in (memory, disk))
    np.testing.assert_array_equal(a.added, b.added)
    c, d = (cr.permutation_importance(model, t, most_rows=100, repeats=2) for t in (memory, disk))
    assert c.rows == 100
    np.testing.assert_array_equal(c.lost["r2"], d.lost["r2"])
    e, f = (cr.partial_dependence(model, t, "town") for t in (memory, disk))
    np.testing.assert_array_equal(e.mean, f.mean)


def test_a_column_without_weights_adds_nothing() -> None:
    table = Table({"a": np.arange(9.0), "b": np.arange(9.0) ** 2, "t": np.arange(9.0)})
    model = of_linear([[0.0], [1.0]], [0.5], table, cr.MeanSquaredError())
    why = cr.explain_rows(model, table)
    assert (why.added[:, 0] == 0).all()


def test_where_the_way_begins(tmp_path: Path) -> None:
    model, table = model_of("table", "classification"), a_table("classification")
    prepared = model.preparation
    assert prepared is not None
    x = prepared.layout.one_hot(prepared.transform(table)).astype(float)
    assert model.baselines is not None
    assert model.baselines.mean is not None
    np.testing.assert_allclose(model.baselines.mean, x.mean(axis=0), atol=1e-6)
    path = tmp_path / "m.safetensors"
    save_model(path, model.network, preparation=prepared, baselines=model.baselines)
    a = cr.explain_rows(load_model(path), table, [0])
    assert a.baseline == "training"
    # Without the mean, the table's own; it is the same table.
    b = cr.explain_rows(Model(model.network, prepared), table, [0])
    assert b.baseline == "rows"
    np.testing.assert_allclose(a.added, b.added, rtol=1e-3, atol=1e-4)
    c = cr.explain_rows(model, table, [0], baseline=table.rows([0]))
    assert c.baseline == "given"
    np.testing.assert_allclose(c.added, 0, atol=1e-9)  # it begins where it ends
    np.testing.assert_allclose(c.value, c.start, rtol=1e-5, atol=1e-5)


def test_one_score_for_yes_or_no_and_probabilities() -> None:
    table = Table({"a": np.arange(20.0), "t": ["no", "yes"] * 10})
    one = of_linear([[0.3]], [0.1], table, cr.SigmoidWithLoss())
    two = of_linear([[0.0, 0.3]], [0.0, 0.1], table, cr.SoftmaxWithLoss())
    assert two.preparation is not None
    chances = Model(
        cr.Sequential(*two.network.layers, cr.Softmax(), loss=cr.CrossEntropyError()),
        two.preparation, {}, two.baselines,
    )  # fmt: skip
    expected: Any = cr.explain_rows(two, table)
    for model in (one, chances):
        found: Any = cr.explain_rows(model, table)
        np.testing.assert_allclose(found.added, expected.added, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=1e-5)
        assert (found.explained == expected.explained).all()


def test_a_sure_answer_has_finite_log_odds() -> None:
    table = Table({"a": [0.0, 1.0] * 10, "t": ["no", "yes"] * 10})
    model = of_linear(
        np.array([[-400.0, 400.0]], np.float32),
        np.zeros(2, np.float32),
        table,
        cr.SoftmaxWithLoss(),
    )
    why = cr.explain_rows(model, table)
    np.testing.assert_allclose(why.value, 800, rtol=1e-5)
    np.testing.assert_allclose(why.gap, 0, atol=0.01)


def test_what_is_refused() -> None:
    model, table = model_of("plain", "classification"), a_table("classification")
    for rows in ([240], [-1], [[0]], [0.5], "x"):
        with pytest.raises(DataError, match="240 rows, 0 to 239"):
            cr.explain_rows(model, table, rows)
    with pytest.raises(SettingError, match='label: did you mean "high"'):
        cr.explain_rows(model, table, label="hgih")
    with pytest.raises(SettingError, match="method"):
        cr.explain_rows(model, table, method="shap")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="no classes"):
        cr.explain_rows(model_of("plain", "regression"), a_table("regression"), label="a")
    with pytest.raises(DataError, match="there are none"):
        cr.explain_rows(model, table, baseline=table.rows([]))
    with pytest.raises(SettingError, match="kept without a preparation"):
        cr.explain_rows(Model(model.network), table)
    embedded = model_of("table", "classification")

    class Wrapped(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.SoftmaxWithLoss())
            self.inside = embedded.network

        def predict(self, x: Any) -> Any:
            return self.inside(x)

    with pytest.raises(SettingError, match="does not begin with a CategoryEmbedding"):
        cr.explain_rows(Model(Wrapped(), embedded.preparation), table)
