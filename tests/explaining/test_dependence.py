"""Partial dependence, beside raw cells set by hand and beside scikit-learn's brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.explaining.models import KINDS, Task, a_table, model_of

import chainrule as cr
from chainrule.datasets import Preprocessor, Table
from chainrule.errors import DataError, SettingError
from chainrule.files import Model


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_mean_answer_with_raw_cells_set_by_hand(kind: str, task: Task) -> None:
    model, table = model_of(kind, task), a_table(task, 60)
    for name, grid_kind in (
        ("size", "number"),
        ("day", "date"),
        ("town", "text"),
        ("garage", "text"),
    ):
        found = cr.partial_dependence(model, table, name, points=6, lines=True)
        assert (found.column, found.kind) == (name, grid_kind)
        assert len(found.grid) == (2 if name == "garage" else 6)
        assert found.lines is not None
        np.testing.assert_allclose(found.lines.mean(axis=0), found.mean, rtol=1e-6)
        for value, mean, each in zip(
            found.grid.tolist(), found.mean, found.lines.swapaxes(0, 1), strict=True
        ):
            cells: dict[str, Any] = {n: table[n] for n in table.names}
            rows = Table({**cells, name: [value] * len(table)})
            answers = model.predict_proba(rows) if task == "classification" else model.predict(rows)
            np.testing.assert_allclose(each, answers, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(mean, answers.mean(axis=0), rtol=1e-4, atol=1e-6)


def test_it_agrees_with_scikit_learn() -> None:
    inspection = pytest.importorskip("sklearn.inspection")
    pandas = pytest.importorskip("pandas")
    data = pytest.importorskip("sklearn.datasets").load_diabetes(as_frame=True)
    frame = data.frame
    estimator = cr.NetworkRegressor(preset="table-small", epochs=8, random_state=0)
    estimator.fit(data.data, data.target)
    prepared = Preprocessor.fit(Table(frame), "target", "regression", encoding="robust")
    model = Model(estimator.network_, prepared)
    theirs = estimator.predict(data.data)
    np.testing.assert_allclose(model.predict(frame), theirs, rtol=1e-4)
    for name in ("bmi", "s5", "sex"):
        brute = inspection.partial_dependence(
            estimator, data.data, [name], method="brute", kind="both", grid_resolution=9
        )
        found: Any = cr.partial_dependence(
            model, frame, name, grid=brute["grid_values"][0], lines=True
        )
        np.testing.assert_allclose(found.mean, brute["average"][0], rtol=1e-4)
        np.testing.assert_allclose(found.lines, brute["individual"][0], rtol=1e-4)
        assert isinstance(frame, pandas.DataFrame)


def test_the_grid() -> None:
    model, table = model_of("plain", "regression"), a_table("regression")
    found = cr.partial_dependence(model, table, "noise", points=30)
    low, high = np.quantile(table["noise"].astype(float), (0.05, 0.95))
    np.testing.assert_allclose(found.grid, np.linspace(low, high, 30))
    few = cr.partial_dependence(model, table.rows([1, 2, 3]), "size")
    np.testing.assert_array_equal(few.grid, np.unique(table["size"][[1, 2, 3]].astype(float)))
    towns = cr.partial_dependence(model, table, "town")
    assert set(towns.grid.tolist()) == {f"t{k}" for k in range(12)}
    names, counts = np.unique(table["town"].astype(str), return_counts=True)
    often = cr.partial_dependence(model, table, "town", points=3)
    assert min(counts[list(names).index(n)] for n in often.grid.tolist()) == sorted(counts)[-3]
    mostly = {n: table[n][:50] for n in table.names}
    flat = cr.partial_dependence(
        model, {**mostly, "noise": [0.0] * 48 + [1.0, 2.0]}, "noise", points=2
    )
    assert flat.grid.tolist() == [0.0, 2.0]


def test_words_and_gaps_among_numbers() -> None:
    cells = ["1", "2", "few", "3", "7", "", "9"] * 9
    text = "n,t\n" + "".join(f"{cell},{i}.5\n" for i, cell in enumerate(cells))
    table = cr.datasets.parse_csv(text.encode(), "few.csv")
    prepared = Preprocessor.fit(table, "t", "regression")
    width = len(prepared.features)
    net = cr.Sequential(cr.Affine.sized(width, 1), loss=cr.MeanSquaredError(), seed=1)
    found = cr.partial_dependence(Model(net, prepared), table, "n")
    assert (found.kind, found.grid.tolist()) == ("number", [1.0, 2.0, 3.0, 7.0, 9.0])
    assert np.isfinite(found.mean).all()


def test_what_is_refused() -> None:
    model, table = model_of("plain", "regression"), a_table("regression")
    with pytest.raises(SettingError, match='did you mean "town"'):
        cr.partial_dependence(model, table, "twon")
    with pytest.raises(SettingError, match="one column"):
        cr.partial_dependence(model, table, ["town"])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no rows to average over"):
        cr.partial_dependence(model, table.rows([]), "town")
    gaps: dict[str, Any] = {n: table[n] for n in table.names}
    gaps["size"] = [None] * len(table)
    with pytest.raises((DataError, SettingError)):
        cr.partial_dependence(model, gaps, "size")
    with pytest.raises(SettingError, match="points"):
        cr.partial_dependence(model, table, "size", points=0)
