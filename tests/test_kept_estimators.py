"""Estimators with `checkpoint` and `n_jobs`: killed and gone on with, in searches and ensembles."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.storage.folder import CheckpointFolder, trainings_in

datasets = pytest.importorskip("sklearn.datasets")
selection = pytest.importorskip("sklearn.model_selection")
ROOT = Path(__file__).parents[1]
SETTINGS: dict[str, Any] = {"hidden": 16, "epochs": 30, "random_state": 0}
WAYS: dict[str, dict[str, Any]] = {
    "one": {},
    "ensemble": {"ensemble": 4},
    "drawn": {"preset": "table-small", "ensemble": 3, "drawn": True, "epochs": 8},
    "auto": {"epochs": None, "hidden": None},
}


def answers(model: Any) -> bytes:
    X, _y = datasets.load_wine(return_X_y=True)
    return np.asarray(model.predict_proba(X)).tobytes()


def fitted(**more: Any) -> Any:
    return cr.NetworkClassifier(**{**SETTINGS, **more}).fit(*datasets.load_wine(return_X_y=True))


@pytest.mark.parametrize("way", WAYS)
def test_kept_and_taken_from_there(way: str, tmp_path: Path) -> None:
    expected = fitted(**WAYS[way])
    kept = fitted(**WAYS[way], checkpoint=tmp_path / "run")
    before = {
        path: CheckpointFolder(path).files() for _n, path in trainings_in(str(tmp_path / "run"))
    }
    again = fitted(**WAYS[way], checkpoint=tmp_path / "run")
    assert answers(expected) == answers(kept) == answers(again)
    assert expected.loss_curve_ == kept.loss_curve_ == again.loss_curve_
    assert before == {
        path: CheckpointFolder(path).files() for _n, path in trainings_in(str(tmp_path / "run"))
    }
    assert len(before) == 1


def test_other_settings_seeds_and_data_have_folders_of_their_own(tmp_path: Path) -> None:
    X, y = datasets.load_wine(return_X_y=True)
    others: list[dict[str, Any]] = [{}, {"random_state": 1}, {"epochs": 31}, {"lr": 0.02}]
    for count, more in enumerate(others, 1):
        fitted(**more, checkpoint=tmp_path)
        assert len(os.listdir(tmp_path)) == count
    model = cr.NetworkClassifier(**SETTINGS, checkpoint=tmp_path)
    assert answers(model.fit(X[::2], y[::2])) != answers(fitted())
    assert len(os.listdir(tmp_path)) == 5


def test_the_clones_of_a_search_share_a_folder(tmp_path: Path) -> None:
    X, y = datasets.load_wine(return_X_y=True)
    grid = {"lr": [0.01, 0.003], "ensemble": [1, 2]}
    found = []
    ways: list[dict[str, Any]] = [{}, {"checkpoint": tmp_path}, {"checkpoint": tmp_path}]
    for kept in ways:
        model = cr.NetworkClassifier(**SETTINGS, **kept)
        search = selection.GridSearchCV(model, grid, cv=2, n_jobs=2).fit(X, y)
        found.append((search.cv_results_["mean_test_score"].tolist(), answers(search)))
    assert found[0] == found[1] == found[2]
    assert len(os.listdir(tmp_path)) == 4 * 2 + 1


def test_an_ensemble_in_jobs_has_the_same_bits(tmp_path: Path) -> None:
    expected = answers(fitted(ensemble=4))
    assert answers(fitted(ensemble=4, n_jobs=2)) == expected
    assert answers(fitted(ensemble=4, n_jobs=2, checkpoint=tmp_path)) == expected


def test_regressors_and_bad_folders(tmp_path: Path) -> None:
    X, y = datasets.load_diabetes(return_X_y=True)
    settings: dict[str, Any] = {"hidden": 8, "epochs": 5, "checkpoint": tmp_path / "run"}
    first = cr.NetworkRegressor(**settings, random_state=0).fit(X, y).predict(X)
    again = cr.NetworkRegressor(**settings, random_state=0).fit(X, y).predict(X)
    assert first.tobytes() == again.tobytes()
    with pytest.raises(SettingError, match="needs a random_state"):
        cr.NetworkRegressor(**settings).fit(X, y)
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="cannot be made a folder"):
        cr.NetworkRegressor(**{**settings, "checkpoint": tmp_path / "file"}, random_state=0).fit(
            X, y
        )


VICTIM = """
import sys
from sklearn.datasets import load_wine
import chainrule as cr
X, y = load_wine(return_X_y=True)
model = cr.NetworkClassifier(
    hidden=16, epochs=200, random_state=0, ensemble=int(sys.argv[2]), engine="numpy",
    checkpoint=sys.argv[1] or None, every="50 steps",
)
print(model.fit(X, y).predict_proba(X).tobytes().hex())
"""


@pytest.mark.parametrize("ensemble", [1, 2])
def test_killed_and_gone_on_with(ensemble: int, tmp_path: Path) -> None:
    def begun(folder: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", VICTIM, folder, str(ensemble)], stdout=subprocess.PIPE, text=True,
            cwd=ROOT,
        )  # fmt: skip

    expected = begun("").communicate()[0]
    run = tmp_path / "run"
    for files in (1, 2):
        process = begun(str(run))
        while process.poll() is None and not run.exists():
            time.sleep(0.01)
        while process.poll() is None and sum(len(os.listdir(p)) for p in run.iterdir()) <= files:
            time.sleep(0.01)
        process.kill()
        process.communicate()
    assert len(expected) > 100
    assert begun(str(run)).communicate()[0] == expected
