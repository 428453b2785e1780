"""Permutation importance, beside shuffling raw cells by hand and beside scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.explaining.models import KINDS, Task, a_table, model_of, of_linear

import chainrule as cr
from chainrule.datasets import Preprocessor, Table
from chainrule.errors import DataError, SettingError
from chainrule.explaining.importance import rows_for
from chainrule.files import Model
from chainrule.layers.initial import generator
from chainrule.training import progress


def shuffled(table: Table, name: str, order: Any) -> dict[str, Any]:
    """The cells of a table with those of one column in another order."""
    return {n: table[n][order] if n == name else table[n] for n in table.names}


def by_hand(model: Model, table: Table, cells: dict[str, Any]) -> list[float]:
    """The scores of a model for raw cells, from its answers alone."""
    prepared, rows = model.preparation, Table(cells)
    assert prepared is not None
    if prepared.classes is None:
        y, t = model.predict(rows), table["t"].astype(float)
        return [
            1 - np.sum((y - t) ** 2) / np.sum((t - t.mean()) ** 2),
            np.sqrt(np.mean((y - t) ** 2)),
        ]
    p, ids = model.predict_proba(rows), prepared.class_ids(table)
    right = np.mean(model.predict(rows) == table["t"])
    return [float(right), float(-np.log(p[np.arange(len(ids)), ids]).mean())]


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("kind", KINDS)
def test_inputs_are_shuffled_as_the_raw_cells_of_a_column_would_be(kind: str, task: Task) -> None:
    model, table = model_of(kind, task), a_table(task)
    found = cr.permutation_importance(model, table, repeats=3, seed=4)
    assert model.preparation is not None
    names = model.preparation.columns
    assert set(found.columns) == {"size", "day", "town", "garage", "noise"}
    before = by_hand(model, table, {n: table[n] for n in table.names})
    assert list(found.scores.values()) == pytest.approx(before, rel=1e-4)
    shuffles = dict(zip(names, generator(4).spawn(len(names)), strict=True))
    for i, name in enumerate(found.columns):
        for repeat in range(3):
            order = shuffles[name].permutation(len(table))
            after = by_hand(model, table, shuffled(table, name, order))
            lost = before[0] - after[0], after[1] - before[1]
            got = [values[i, repeat] for values in found.lost.values()]
            assert got == pytest.approx(lost, abs=2e-4), (name, repeat)
    assert list(found.mean) == sorted(found.mean, reverse=True)


def test_it_agrees_with_scikit_learn() -> None:
    """Both take 100 shuffles of their own; the means differ by what chance can do."""
    inspection = pytest.importorskip("sklearn.inspection")
    pandas = pytest.importorskip("pandas")
    table = cr.datasets.load("iris")
    frame = pandas.DataFrame({name: table[name] for name in table.names})
    X, y = frame.drop(columns="species"), frame["species"]
    estimator = cr.NetworkClassifier(preset="table-small", epochs=10, random_state=0).fit(X, y)
    model = Model(estimator.network_, Preprocessor.fit(table, "species", encoding="robust"))
    assert (model.predict(table) == estimator.predict(X)).all()
    theirs = inspection.permutation_importance(estimator, X, y, n_repeats=100, random_state=1)
    ours = cr.permutation_importance(model, frame, repeats=100)
    for i, name in enumerate(ours.columns):
        j = list(X.columns).index(name)
        error = np.hypot(ours.std[i], theirs.importances_std[j]) / np.sqrt(100)
        assert abs(ours.mean[i] - theirs.importances_mean[j]) < 4 * error + 1e-9
        assert ours.std[i] == pytest.approx(theirs.importances_std[j], rel=0.25)


def test_what_the_network_does_not_go_by_counts_nothing() -> None:
    table = Table({"a": np.arange(50.0), "b": np.arange(50.0)[::-1] ** 2, "t": np.arange(50.0)})
    model = of_linear([[1.0], [0.0]], [0.0], table, cr.MeanSquaredError())
    found = cr.permutation_importance(model, table)
    assert found.columns == ("a", "b")
    assert found.mean[0] == pytest.approx(2, abs=0.5)  # R² of shuffled targets: about -1
    assert (found.lost["r2"][1] == 0).all()
    assert (found.lost["rmse"][1] == 0).all()


def test_pure_noise_is_about_nothing_on_new_rows() -> None:
    model, table = model_of("table-small", "regression"), a_table("regression", 2000)
    found = cr.permutation_importance(model, table.rows(np.arange(240, 2000)))
    i = found.columns.index("noise")
    assert abs(found.mean[i]) < 0.05 < found.mean[0] / 4


def test_the_seed_and_the_choice_of_columns() -> None:
    model, table = model_of("plain", "classification"), a_table("classification")
    every = cr.permutation_importance(model, table, seed=7)
    again = cr.permutation_importance(model, table, seed=7)
    assert all((every.lost[m] == again.lost[m]).all() for m in every.lost)
    two = cr.permutation_importance(model, table, seed=7, columns=["town", "size"])
    for name in ("town", "size"):
        i, j = every.columns.index(name), two.columns.index(name)
        np.testing.assert_array_equal(every.lost["accuracy"][i], two.lost["accuracy"][j])
    other = cr.permutation_importance(model, table, seed=8)
    assert any((every.lost[m] != other.lost[m]).any() for m in every.lost)


def test_many_rows_and_few() -> None:
    model, table = model_of("plain", "regression"), a_table("regression", 20_000)
    whole = cr.permutation_importance(model, table, repeats=2)  # a part of one shuffle at a time
    assert whole.rows == 20_000
    some = cr.permutation_importance(model, table, repeats=2, most_rows=5000)
    assert some.rows == 5000
    assert some.columns[0] == whole.columns[0]
    assert abs(some.mean[0] - whole.mean[0]) < 0.2
    assert rows_for(5, 5) == 40_000


@pytest.mark.parametrize("engine", ["auto", "compiled"])
def test_the_engine_stays_as_it_was(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_ENGINE", raising=False)
    model, table = model_of("plain", "classification"), a_table("classification")
    plain = cr.permutation_importance(model, table)
    model.network.engine = engine
    try:
        compiled = cr.permutation_importance(model, table)
        assert model.network.engine == engine
    finally:
        model.network.engine = "numpy"
    assert compiled.columns == plain.columns
    np.testing.assert_allclose(compiled.lost["log_loss"], plain.lost["log_loss"], atol=1e-5)


def test_one_score_for_yes_or_no() -> None:
    table = Table({"a": np.arange(40.0), "t": ["no", "yes"] * 20})
    sigmoid = of_linear([[0.3]], [0.1], table, cr.SigmoidWithLoss())
    softmax = of_linear([[0.0, 0.3]], [0.0, 0.1], table, cr.SoftmaxWithLoss())
    a, b = (cr.permutation_importance(model, table) for model in (sigmoid, softmax))
    assert a.scores == pytest.approx(b.scores)
    np.testing.assert_allclose(a.lost["log_loss"], b.lost["log_loss"], atol=1e-6)


def test_targets_that_are_all_the_same_have_no_r2() -> None:
    table = Table({"a": np.arange(20.0), "t": np.arange(20.0) / 7})
    model = of_linear([[1.0]], [0.0], table, cr.MeanSquaredError())
    found = cr.permutation_importance(model, Table({"a": np.arange(20.0), "t": np.full(20, 3.0)}))
    assert list(found.scores) == ["rmse"]


def test_what_is_refused() -> None:
    table = a_table("classification")
    model = model_of("plain", "classification")
    columns = {n: table[n] for n in table.names}
    for data, words in [
        (table.rows([0]), "1 rows: shuffling changes nothing"),
        ({**columns, "t": [None, *table["t"][1:]]}, "has no target"),
        ({**columns, "t": ["huge", *table["t"][1:]]}, "a class that the training rows do not have"),
        ({"size": [1.0, 2.0], "t": ["low", "mid"]}, "absent"),
    ]:
        with pytest.raises(DataError, match=words):
            cr.permutation_importance(model, data)
    with pytest.raises(SettingError, match="does not use the column 'sise'; did you mean"):
        cr.permutation_importance(model, table, columns=["sise"])
    with pytest.raises(SettingError, match="kept without a preparation"):
        cr.permutation_importance(Model(model.network), table)
    with pytest.raises(SettingError, match="load_model"):
        cr.permutation_importance(model.network, table)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="a Table, a frame, or a dict"):
        cr.permutation_importance(model, np.zeros((3, 5)))
    with pytest.raises(SettingError, match="repeats"):
        cr.permutation_importance(model, table, repeats=0)


@pytest.mark.parametrize(
    ("lang", "words"), [("en", ("shuffling columns", "the effect of 'size'", "5 of 5")),
                        ("zh", ("打乱各列", "“size”的影响", "5/5"))],
)  # fmt: skip
def test_what_takes_long_shows_how_far_it_is(
    lang: str,
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, table = model_of("plain", "regression"), a_table("regression")

    def shown(mode: str | None) -> str:
        cr.permutation_importance(model, table, progress=mode, lang=lang)
        cr.partial_dependence(model, table, "size", progress=mode, lang=lang)
        return capsys.readouterr().err

    assert shown(None) == shown("lines") == shown("bar") == ""  # it takes no second
    monkeypatch.setattr(progress, "LINE_SECONDS", -1.0)
    lines = shown("lines").splitlines()
    assert lines[4].startswith(words[0])
    assert lines[4].endswith(words[2])
    assert lines[-1].startswith(words[1])
    monkeypatch.setitem(progress.ProgressOfParts.OPTIONS, "delay", 0)
    assert "0%|" in shown("bar")
    with pytest.raises(SettingError, match="progress="):
        shown("loud")
