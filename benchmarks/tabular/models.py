"""The models that learn the tables: each with the settings that its users get by default.

All get the same training rows, of which some hold out a part for their own use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.environments import OURS
from benchmarks.tabular.sources import texts

__all__ = ["MODELS", "PEERS", "Model"]

#: The environment of the peers, and of what reads the tables.
PEERS = "tables"


@dataclass(frozen=True)
class Model:
    """A model's title, where it runs, what is installed for it, and what makes it.

    `make(regression, frame, seed)` gives something with `fit(frame, target)` and `predict(frame)`,
    for columns as in `frame`.
    """

    title: str
    environment: str
    asked: tuple[str, ...]
    make: Callable[[bool, Any, int], Any] = field(repr=False)


def _ours(preset: str, **settings: Any) -> Callable[[bool, Any, int], Any]:
    def make(regression: bool, frame: Any, seed: int) -> Any:
        import chainrule as cr

        kind = cr.NetworkRegressor if regression else cr.NetworkClassifier
        return kind(preset, random_state=seed, **settings)

    return make


def _mlp(regression: bool, frame: Any, seed: int) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    text = texts(frame)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    prepared = make_column_transformer(
        (numbers, [name for name in frame if name not in text]),
        (OneHotEncoder(handle_unknown="ignore"), text),
        sparse_threshold=0,
    )
    kind = MLPRegressor if regression else MLPClassifier
    return make_pipeline(prepared, kind(random_state=seed))


class _Filled:
    """A model that takes no missing numbers: a flag and the median; texts are categories."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, frame: Any, target: Any) -> None:
        self.text = texts(frame)
        numbers = frame.drop(columns=self.text)
        self.medians = numbers.median()
        self.flagged = [name for name in numbers if numbers[name].isna().any()]
        self.known = {name: frame[name].dropna().unique() for name in self.text}
        self.model.fit(self._prepared(frame), target)

    def _prepared(self, frame: Any) -> Any:
        import pandas

        found = frame.copy()
        for name in frame:
            if name in self.text:
                kinds = pandas.CategoricalDtype([*self.known[name], "missing"])
                found[name] = frame[name].astype(object).fillna("missing").astype(kinds)
            else:
                found[name] = frame[name].astype(float).fillna(self.medians[name])
        for name in self.flagged:
            found[f"{name} is missing"] = frame[name].isna().astype(float)
        return found

    def predict(self, frame: Any) -> Any:
        return self.model.predict(self._prepared(frame))


def _realmlp(kind: str) -> Callable[[bool, Any, int], Any]:
    def make(regression: bool, frame: Any, seed: int) -> Any:
        import pytabkit

        of = getattr(pytabkit, f"{kind}_{'Regressor' if regression else 'Classifier'}")
        return _Filled(of(device="cpu", random_state=seed, n_threads=1, verbosity=0))

    return make


class _WithCategories:
    """A model that takes columns of texts as pandas' categories."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def _prepared(self, frame: Any) -> Any:
        return frame.astype(self.kinds)

    def fit(self, frame: Any, target: Any) -> None:
        kinds = frame.astype(dict.fromkeys(texts(frame), "category")).dtypes
        self.kinds = {name: kinds[name] for name in texts(frame)}
        self.model.fit(self._prepared(frame), target)

    def predict(self, frame: Any) -> Any:
        return self.model.predict(self._prepared(frame))


def _lightgbm(regression: bool, frame: Any, seed: int) -> Any:
    import lightgbm

    kind = lightgbm.LGBMRegressor if regression else lightgbm.LGBMClassifier
    return _WithCategories(kind(random_state=seed, n_jobs=1, verbose=-1))


class _CatBoost:
    """CatBoost, told which columns are categories; a missing text is one of its own."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def _prepared(self, frame: Any) -> Any:
        return frame.fillna(dict.fromkeys(texts(frame), "missing"))

    def fit(self, frame: Any, target: Any) -> None:
        self.model.fit(self._prepared(frame), target, cat_features=texts(frame))

    def predict(self, frame: Any) -> Any:
        return self.model.predict(self._prepared(frame)).ravel()


def _catboost(regression: bool, frame: Any, seed: int) -> Any:
    import catboost

    kind = catboost.CatBoostRegressor if regression else catboost.CatBoostClassifier
    made = kind(random_seed=seed, thread_count=1, verbose=0, allow_writing_files=False)
    return _CatBoost(made)


_CHAINRULE = ("chainrule", "scikit-learn", "pandas", "llvmlite")
MODELS = {
    "auto": Model("chainrule", OURS, _CHAINRULE, _ours("auto")),
    "plain": Model("chainrule plain", OURS, _CHAINRULE, _ours("plain")),
    "table-small": Model("chainrule table-small", OURS, _CHAINRULE, _ours("table-small")),
    "table": Model("chainrule table", OURS, _CHAINRULE, _ours("table")),
    "ensemble": Model("chainrule table, ensemble of 8", OURS, _CHAINRULE, _ours("table", ensemble=8)),
    "mlp": Model("scikit-learn MLP", PEERS, ("scikit-learn", "pandas"), _mlp),
    "realmlp-s": Model("RealMLP-TD-S", PEERS, ("pytabkit",), _realmlp("RealMLP_TD_S")),
    "realmlp": Model("RealMLP-TD", PEERS, ("pytabkit",), _realmlp("RealMLP_TD")),
    "lightgbm": Model("LightGBM", PEERS, ("lightgbm", "pandas"), _lightgbm),
    "catboost": Model("CatBoost", PEERS, ("catboost", "pandas"), _catboost),
}  # fmt: skip
