"""NetworkClassifier and NetworkRegressor: scikit-learn's own checks, its tools, and frames of strangers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.estimators import NetworkClassifier, NetworkRegressor
from chainrule.training import pool

IRIS, WINE = load_iris(return_X_y=True), load_wine(return_X_y=True)

Test = Callable[..., None]
with_checks: Callable[..., Callable[[Test], Test]] = parametrize_with_checks

#: Shuffled mini-batches: the same rows, counted twice or given twice, meet in other batches.
MINI_BATCHES = {
    "check_sample_weight_equivalence_on_dense_data": "rows given twice meet in other mini-batches"
}
FULL: dict[str, Any] = {
    "preset": "plain",
    "batch_size": "full",
    "dtype": "float64",
    "optimizer": "adam",
}
MADE = [
    NetworkClassifier(random_state=0),
    NetworkRegressor(random_state=0),
    NetworkClassifier("table", hidden=(32,), epochs=25, random_state=0),
    NetworkRegressor("table", hidden=(32,), epochs=40, random_state=0),
    NetworkClassifier(**FULL, lr=0.01, epochs=30, random_state=0),
    NetworkRegressor(**FULL, lr=0.02, epochs=60, random_state=0),
]


def expected(estimator: Any) -> dict[str, str]:
    return {} if estimator.batch_size == "full" else MINI_BATCHES


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@with_checks(MADE, expected_failed_checks=expected)
def test_the_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


def quick(**settings: Any) -> NetworkClassifier:
    return NetworkClassifier(**{"hidden": (24,), "epochs": 30, "random_state": 0, **settings})


# -- in the hands of scikit-learn -----------------------------------------------------------------


def test_pipelines_searches_and_scores() -> None:
    X, y = WINE
    search = GridSearchCV(
        make_pipeline(StandardScaler(), quick()),
        {"networkclassifier__hidden": [(8,), (24, 24)], "networkclassifier__lr": [0.02]},
        cv=2,
        n_jobs=2,
    )
    search.fit(X, y)
    assert search.best_score_ > 0.9
    assert cross_val_score(clone(search.best_estimator_), X, y, cv=3).mean() > 0.9
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 6], "c": np.where(X[:, 12] > 700, "hi", "lo")})
    made = make_column_transformer((OneHotEncoder(), ["c"]), remainder="passthrough")
    both = make_pipeline(made.set_output(transform="default"), quick())
    assert both.fit(frame, y).score(frame, y) > 0.8


def test_importance_and_calibration() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    X = X[:, [0, 7, 9]]
    model = quick().fit(X[:300], y[:300])
    found = permutation_importance(model, X[300:], y[300:], n_repeats=5, random_state=0)
    assert found.importances_mean.argmax() == 1
    calibrated = CalibratedClassifierCV(quick(), cv=2).fit(X[:300], y[:300])
    assert calibrated.score(X[300:], y[300:]) > 0.85


@pytest.mark.parametrize("ensemble", [1, 3])
def test_kept_by_pickle_and_joblib(ensemble: int, tmp_path: Path) -> None:
    model = quick(ensemble=ensemble, epochs=5).fit(*IRIS)
    joblib.dump(model, tmp_path / "model.joblib")
    for again in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib")):
        np.testing.assert_array_equal(again.predict_proba(IRIS[0]), model.predict_proba(IRIS[0]))


def test_the_same_seed_gives_the_same_bits() -> None:
    one, two, other = (quick(random_state=s).fit(*IRIS).predict_proba(IRIS[0]) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_nothing_reads_numpys_own_generator() -> None:
    np.random.seed(0)
    wanted = np.random.random(3).tolist()
    np.random.seed(0)
    quick(epochs=2).fit(*IRIS)
    assert np.random.random(3).tolist() == wanted


# -- rows ---------------------------------------------------------------------------------------------


def cars(n: int = 300) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(0)
    kind = rng.choice(["van", "coupé", "bus"], n)
    age = np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 30, n))
    sold = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1500, n), unit="D")
    colour = pd.Categorical([["red", "blue", None][i] for i in rng.integers(0, 3, n)])
    month = pd.Series(sold).dt.month.to_numpy()
    price = 9 - 0.2 * np.nan_to_num(age, nan=12) + 3 * (kind == "coupé") + 0.4 * month
    frame = pd.DataFrame({"kind": kind, "age": age, "sold": sold, "colour": colour})
    return frame, price + 0.1 * rng.standard_normal(n)


def test_frames_with_texts_dates_categories_and_gaps() -> None:
    frame, price = cars(900)
    model = NetworkRegressor("table", hidden=(64, 64), random_state=0)
    model.fit(frame[:700], price[:700])
    assert model.score(frame[700:], price[700:]) > 0.8
    assert list(model.feature_names_in_) == ["kind", "age", "sold", "colour"]
    assert {"sold: month", "age (missing)"} <= set(model.preparation_.features)
    low, high = price[:700].min(), price[:700].max()
    answers = model.predict(frame.assign(age=-1000.0))
    assert low <= answers.min() <= answers.max() <= high
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"age": "years"}))


def test_dates_in_texts_are_dates_and_later_rows_are_read_like_them() -> None:
    frame, price = cars(300)
    texts = frame.assign(sold=frame["sold"].dt.strftime("%d/%m/%Y"))
    model = NetworkRegressor("table", hidden=(8,), epochs=3, random_state=0)
    answers = model.fit(texts, price).predict(texts)
    np.testing.assert_array_equal(answers, model.fit(frame, price).predict(frame))
    one = texts[texts["sold"].str[:2].astype(int) <= 12].iloc[[0]]  # 3/4/2020, alone
    np.testing.assert_allclose(
        model.fit(texts, price).predict(one), answers[one.index], rtol=1e-4, atol=1e-4
    )
    model.set_params(categorical_features=["sold"]).fit(texts, price)
    assert "sold" in model.preparation_.columns or any(
        "sold" in n for n in model.preparation_.notes
    )
    assert "sold: month" not in model.preparation_.features


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA])
def test_labels_that_are_missing_are_named(gap: Any) -> None:
    """fivethirtyeight/data marvel-wikia-data.csv: good, bad, or nothing."""
    labels = pd.Series(["Good", "Bad", gap, "Good", gap, "Bad"], dtype=object)
    with pytest.raises(ValueError, match="y: 2 labels of 6 are missing, at first in row 2"):
        quick().fit(np.arange(6.0)[:, None], labels)


def test_one_hidden_layer_may_be_a_number() -> None:
    for preset in ("plain", "table"):
        one = NetworkClassifier(preset, hidden=8, epochs=3, random_state=0).fit(*IRIS)
        same = NetworkClassifier(preset, hidden=(8,), epochs=3, random_state=0).fit(*IRIS)
        np.testing.assert_array_equal(one.predict_proba(IRIS[0]), same.predict_proba(IRIS[0]))


@pytest.mark.parametrize("preset", ["plain", "table"])
@pytest.mark.parametrize("ensemble", [1, 2])
def test_what_is_fitted_is_served_as_onnx_and_kept_as_a_model(
    preset: str, ensemble: int, tmp_path: Path
) -> None:
    """From a frame to onnxruntime and to the command: raw columns in, the estimator's answers out."""
    served: Any = pytest.importorskip("onnxruntime")
    frame, price = cars(300)
    texts = pd.Series(np.where(price > np.median(price), "dear", "cheap"))
    whole = np.where(price > np.median(price), 7, 1)
    for kind, y in (
        (NetworkRegressor, price),
        (NetworkClassifier, texts),
        (NetworkClassifier, whole),
    ):
        model = kind(preset, hidden=(16,), epochs=8, ensemble=ensemble, random_state=0).fit(
            frame, y
        )
        path = tmp_path / "m.onnx"
        cr.save_onnx(model.model_, path, overwrite=True)
        session = served.InferenceSession(path)
        dates = (frame["sold"].to_numpy().astype("M8[s]").astype(float) / 86400).astype(float)
        cells = {
            "kind": frame["kind"].to_numpy(object),
            "age": frame["age"].to_numpy(float),
            "sold": np.where(frame["sold"].isna(), np.nan, dates),
            "colour": frame["colour"].astype(object).where(frame["colour"].notna(), "").to_numpy(),
        }
        given = {i.name: cells[i.name].reshape(-1, 1) for i in session.get_inputs()}
        answers = session.run(None, given)[0].ravel()
        kept = tmp_path / "m.safetensors"
        found = model.model_
        if ensemble == 1:
            cr.save_model(kept, found.network, preparation=found.preparation, overwrite=True)
            found = cr.load_model(kept)
        if kind is NetworkRegressor:
            np.testing.assert_allclose(answers, model.predict(frame), rtol=2e-5)
            np.testing.assert_allclose(found.predict(frame), model.predict(frame), rtol=2e-5)
        else:
            assert np.mean(answers == model.predict(frame)) > 0.99
            assert found.predict(frame).tolist() == answers.tolist()


def test_what_no_model_can_hold_says_so() -> None:
    X, y = np.arange(20.0)[:, None], np.arange(20.0)
    two = NetworkRegressor("plain", hidden=4, epochs=2).fit(X, np.stack([y, -y], axis=1))
    with pytest.raises(SettingError, match="Got 2 outputs"):
        _ = two.model_
    with pytest.raises(SettingError, match=r"y.astype\(str\)"):
        _ = NetworkClassifier("plain", hidden=4, epochs=2).fit(X, y > 9).model_
    with pytest.raises(SettingError, match="the model_ of a fitted estimator"):
        cr.save_onnx(two, "x.onnx")


def test_numbers_that_are_categories() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 12, 600)
    X = np.column_stack([codes, rng.standard_normal(600)])
    y = np.isin(codes, [1, 4, 6, 9])
    named = quick(preset="table", categorical_features=[0], epochs=60).fit(X[:400], y[:400])
    assert named.preparation_.layout.rows == 13
    assert named.score(X[400:], y[400:]) > 0.97
    frame = pd.DataFrame(X, columns=["code", "x"])
    by_name = quick(preset="table", categorical_features=["code"], epochs=60)
    by_name.fit(frame[:400], y[:400])
    np.testing.assert_array_equal(by_name.predict(frame[400:]), named.predict(X[400:]))


def test_missing_numbers_in_arrays() -> None:
    X = IRIS[0].copy()
    X[::7, 2] = np.nan
    assert quick().fit(X, IRIS[1]).score(X, IRIS[1]) > 0.85


# -- targets ------------------------------------------------------------------------------------------


def test_labels_come_back_as_they_are() -> None:
    for labels in (["ä", "b", "c"], [7, -2, 100], [2.0, 3.0, 4.0]):
        y = np.array(labels)[IRIS[1]]
        model = quick(epochs=10).fit(IRIS[0], y)
        assert model.classes_.tolist() == sorted(labels)
        assert model.predict(IRIS[0]).dtype == y.dtype
        assert (model.predict(IRIS[0]) == y).mean() > 0.8


def test_several_numbers_and_several_labels() -> None:
    X, y = load_diabetes(return_X_y=True)
    both = np.column_stack([y, -2 * y + X[:, 0]])
    model = NetworkRegressor("plain", epochs=30, random_state=0).fit(X, both)
    assert model.predict(X).shape == (442, 2)
    assert model.score(X, both) > 0.4
    apart = MultiOutputRegressor(NetworkRegressor("plain", epochs=30, random_state=0)).fit(X, both)
    assert abs(apart.score(X, both) - model.score(X, both)) < 0.2
    labels = np.column_stack([X[:, 2] > 0, X[:, 8] > 0]).astype(int)
    several = quick(epochs=60).fit(X, labels)
    assert several.predict(X).shape == (442, 2)
    assert (several.predict(X) == labels).mean() > 0.9
    assert several.predict_proba(X).shape == (442, 2)


def test_weights_of_rows_and_classes() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    kept = np.r_[np.flatnonzero(y == 1)[:200], np.flatnonzero(y == 0)[:12]]
    X, y = X[kept], y[kept]
    noisy = y.copy()
    noisy[::9] = 1 - noisy[::9]
    weight = np.ones(len(y))
    weight[::9] = 0
    settings: dict[str, Any] = {"early_stopping": False, "epochs": 60}
    clean = quick(**settings).fit(X[weight > 0], y[weight > 0])
    weighed = quick(**settings).fit(X, noisy, sample_weight=weight)
    np.testing.assert_allclose(
        weighed.predict_proba(X), clean.predict_proba(X), rtol=1e-3, atol=1e-4
    )
    shares = [
        quick(class_weight=w, **settings).fit(X, noisy).predict_proba(X)[:, 0].mean()
        for w in (None, "balanced", {0: 30, 1: 1})
    ]
    assert shares[0] < shares[1] < shares[2]


# -- training -----------------------------------------------------------------------------------------


def test_in_parts() -> None:
    X, y = WINE
    X = StandardScaler().fit_transform(X)
    order = np.random.default_rng(0).permutation(len(X))
    model = NetworkClassifier("plain", hidden=(24,), random_state=0)
    for _ in range(20):
        for rows in np.array_split(order, 4):
            model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert model.n_iter_ == 80
    assert model.score(X, y) > 0.95
    with pytest.raises(ValueError, match="classes must be passed"):
        NetworkClassifier().partial_fit(X, y)


def test_warm_start_goes_on() -> None:
    model = quick(preset="plain", epochs=3, warm_start=True).fit(*IRIS)
    first = model.loss_curve_[-1]
    model.set_params(lr=0.005).fit(*IRIS)
    assert model.loss_curve_[0] < first
    cold = quick(preset="plain", epochs=3).fit(*IRIS)
    assert cold.fit(*IRIS).loss_curve_[0] > model.loss_curve_[0]


def test_early_stopping_and_validation_data() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model = quick(preset="plain", epochs=200, early_stopping=3)
    model.fit(X[:200], y[:200], validation_data=(X[200:], y[200:]))
    assert model.n_iter_ < 200
    assert model.history_["val_accuracy"]
    best = max(model.history_["val_accuracy"])
    assert model.score(X[200:], y[200:]) == pytest.approx(best, abs=0.004)
    assert "val_loss" in quick(preset="table", epochs=3).fit(*WINE).history_.epochs[0]
    never = quick(preset="table", epochs=3, early_stopping=False).fit(*WINE)
    assert "val_loss" not in never.history_.epochs[0]


@pytest.mark.parametrize("preset", ["plain", "table-small", "table"])
def test_an_ensemble_is_compiled_once_for_all(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    make = pool.Group.__init__

    def counted(group: Any, *given: Any) -> None:
        make(group, *given)
        made.append(group)

    monkeypatch.setattr(pool.Group, "__init__", counted)
    quick(preset=preset, ensemble=3, engine="compiled", epochs=3).fit(*WINE)
    assert len(made) == 1


def test_an_ensemble_and_its_spread() -> None:
    X, y = load_diabetes(return_X_y=True)
    settings: dict[str, Any] = {"hidden": (16,), "epochs": 25, "random_state": 0}
    many = NetworkRegressor(ensemble=4, **settings).fit(X[:300], y[:300])
    assert len(many.network_.members) == 4
    answers = np.stack([m.predict(many._rows(X)) for m in many.network_.members])[..., 0]
    answers = answers * many._spread + many._center
    np.testing.assert_allclose(many.predict_spread(X), answers.std(axis=0), rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(many.predict(X), answers.mean(axis=0), rtol=1e-4, atol=1e-2)
    one = NetworkRegressor(**settings).fit(X[:300], y[:300])
    with pytest.raises(SettingError, match="ensemble=2"):
        one.predict_spread(X)


@pytest.mark.parametrize("preset", ["table", "table-small", "plain"])
def test_an_ensemble_of_drawn_settings(preset: str) -> None:
    X, y = load_diabetes(return_X_y=True)
    settings: dict[str, Any] = {"hidden": (16,), "epochs": 15, "random_state": 0, "ensemble": 6}
    model = NetworkRegressor(preset, drawn=True, **settings).fit(X[:300], y[:300])
    weights = [one["weight"] for one in model.members_]
    assert sum(weights) == pytest.approx(1)
    if len(weights) > 1:
        assert list(model.network_.weights) == pytest.approx(weights)
    again = NetworkRegressor(preset, drawn=True, **settings).fit(X[:300], y[:300])
    assert again.members_ == model.members_
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    classes = quick(preset=preset, ensemble=4, drawn=True, epochs=15)
    assert classes.fit(*WINE).score(*WINE) > 0.9
    X, y = WINE
    given = quick(preset=preset, ensemble=4, drawn=True, epochs=5, lr=0.01)
    given.fit(X[::2], y[::2], validation_data=(X[1::2], y[1::2]))
    assert all("lr" not in one for one in given.members_)


@pytest.mark.parametrize(
    "settings",
    [{}, {"ensemble": 3, "optimizer": "adam"}, {"ensemble": 3, "warm_start": True, "epochs": 2}],
)
def test_what_cannot_be_drawn_is_refused(settings: dict[str, Any]) -> None:
    model = NetworkClassifier("plain", drawn=True, random_state=0, **settings)
    if settings.get("warm_start"):
        model.fit(*WINE)
    with pytest.raises(SettingError, match="ensemble=32"):
        model.fit(*WINE)


def test_activations_optimizers_and_callbacks() -> None:
    seen: list[int] = []
    model = NetworkClassifier(
        "plain", hidden=(12, 8), activation=["tanh", "relu"], optimizer=cr.Momentum(0.05),
        epochs=20, random_state=0, callbacks=[lambda trainer: seen.append(trainer.current_epoch)],
    )  # fmt: skip
    assert model.fit(*WINE).score(*WINE) > 0.95
    assert seen == list(range(1, 21))
    kinds = [type(layer).__name__ for layer in model.network_.layers]
    assert kinds == ["Affine", "Tanh", "Affine", "ReLU", "Affine"]
    slow = NetworkClassifier("plain", lr=cr.schedules.WarmUp(0.01, 50), epochs=15, random_state=0)
    assert slow.fit(*WINE).score(*WINE) > 0.95


def test_the_network_inside_is_like_any_other() -> None:
    model = quick(preset="table", epochs=3).fit(*IRIS)
    x = model.preparation_.transform(model._table(IRIS[0][:6], reset=False))
    assert cr.check(model.network_, x, IRIS[1][:6]).ok
    assert "PeriodicEmbedding" in model.network_.summary()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"preset": "tabel"}, "did you mean"),
        ({"preset": "plain", "optimizer": "adma"}, "did you mean"),
        ({"preset": "plain", "activation": ["relu", "tanh"]}, "one for each"),
        ({"preset": "plain", "optimizer": "sgd", "schedule": "cosin"}, "did you mean"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": -1}, "batch_size"),
        ({"ensemble": 2, "callbacks": [print]}, "callbacks"),
    ],
)
def test_settings_are_refused_by_name(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NetworkClassifier(**settings).fit(*IRIS)
