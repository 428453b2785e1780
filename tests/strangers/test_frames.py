"""Frames of other libraries and dicts of columns: as tables, and in Model.predict."""

from __future__ import annotations

import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.strangers.odd_tables import same

import chainrule as cr
from chainrule.datasets import Preprocessor, Table
from chainrule.errors import DataError
from chainrule.files import Model

source = pytest.mark.source
NAN = float("nan")


def model() -> tuple[Model, dict[str, list[Any]]]:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=200), rng.normal(size=200)
    columns: dict[str, list[Any]] = {
        "a": a.tolist(), "b": b.tolist(), "c": rng.choice(["u", "v"], 200).tolist(),
        "t": np.where(a > b, "hi", "lo").tolist(),
    }  # fmt: skip
    table = Table(columns)
    prepared = Preprocessor.fit(table, "t")
    net = cr.Sequential(
        cr.Affine.sized(4, 16), cr.ReLU(), cr.Affine.sized(16, 2), loss=cr.SoftmaxWithLoss(), seed=0
    )
    trainer = cr.Trainer(net, cr.Adam(0.01), engine="numpy")
    trainer.fit(prepared.transform(table), prepared.targets(table), epochs=40, progress=None)
    return Model(net, prepared), columns


@source("strangers 3")
def test_predict_goes_by_name() -> None:
    found, columns = model()
    wanted = found.predict(Table(columns))
    assert (wanted == columns["t"]).mean() > 0.95
    swapped = {name: columns[name] for name in "cbat"}
    for data in (columns, swapped, {**swapped, "more": ["x"] * 200}, Table(swapped)):
        assert found.predict(data).tolist() == wanted.tolist()
    units = {**columns, "a": [f"{v:.15g} kg" for v in columns["a"]]}
    assert found.predict(units).tolist() == wanted.tolist()
    with pytest.raises(DataError, match=r"1 column of the training rows is absent: 'b'.*a, c"):
        found.predict({"a": columns["a"], "c": columns["c"]})
    with pytest.raises(DataError, match=r"'a' \(did you mean \"A\"\?\)"):
        found.predict({"A": columns["a"], "b": columns["b"], "c": columns["c"]})
    with pytest.raises(DataError, match="texts where the training rows have numbers"):
        found.predict({**columns, "a": ["x"] * 200})
    bare = Model(found.network)
    with pytest.raises(DataError, match="no frames"):
        bare.predict(columns)


@source("strangers 3")
def test_predict_on_frames() -> None:
    pandas: Any = pytest.importorskip("pandas")
    found, columns = model()
    wanted = found.predict(columns).tolist()
    frame = pandas.DataFrame(columns)
    for data in (
        frame, frame[["c", "b", "a"]], frame.assign(z=1), frame.astype({"c": "category"}),
        frame.astype({"c": "string"}), frame.sample(frac=1, random_state=0).sort_index(),
    ):  # fmt: skip
        assert found.predict(data).tolist() == wanted
        assert found.predict_proba(data).shape == (200, 2)
    doubled = pandas.concat([frame, frame[["a"]]], axis=1)
    with pytest.raises(DataError, match="two columns are called 'a'"):
        found.predict(doubled)
    polars: Any = pytest.importorskip("polars")
    assert found.predict(polars.DataFrame(columns)[["b", "c", "a"]]).tolist() == wanted


@source("strangers 17")
def test_frames_of_pandas_become_tables() -> None:
    pandas: Any = pytest.importorskip("pandas")
    at = pandas.to_datetime(["1970-01-02", None, "1970-01-03 12:00"], format="mixed")
    frame = pandas.DataFrame(
        {
            "text": ["x", None, "y"],
            "nan": pandas.Series(["x", np.nan, "y"], dtype=object),
            "string": pandas.array(["x", pandas.NA, "y"], dtype="string"),
            "category": pandas.Categorical(["x", None, "y"]),
            "whole": pandas.array([1, None, 3], dtype="Int64"),
            "truth": pandas.array([True, None, False], dtype="boolean"),
            "date": at,
            "zone": at.tz_localize("UTC"),
            "money": pandas.Series(
                [decimal.Decimal("1.5"), None, decimal.Decimal(2)], dtype=object
            ),
            "day": pandas.Series([dt.date(1970, 1, 2), None, dt.date(1969, 12, 31)], dtype=object),
            0: [1, 2, 3],
        }
    )
    table = Table(frame)
    assert table.names[-1] == "0"
    for name in ("text", "nan", "string", "category"):
        assert table[name].tolist() == ["x", "", "y"], name
    for name, values in (
        ("whole", [1, NAN, 3]), ("truth", [1, NAN, 0]), ("date", [1, NAN, 2.5]),
        ("zone", [1, NAN, 2.5]), ("money", [1.5, NAN, 2]), ("day", [1, NAN, -1]),
    ):  # fmt: skip
        assert same(table[name], values), name
    with pytest.raises(DataError, match="one kind only"):
        Table(pandas.DataFrame({"a": [1, "x", None]}))


@source("strangers 17")
def test_frames_of_polars_become_tables() -> None:
    polars: Any = pytest.importorskip("polars")
    table = Table(
        polars.DataFrame(
            {
                "text": ["x", None, "y"],
                "whole": [1, None, 3],
                "part": [1.5, None, float("nan")],
                "truth": [True, None, False],
                "day": [dt.date(1970, 1, 2), None, dt.date(1970, 1, 3)],
                "at": [dt.datetime(1970, 1, 1, 12), None, dt.datetime(1970, 1, 2)],
            }
        )
    )
    assert table["text"].tolist() == ["x", "", "y"]
    for name, values in (
        ("whole", [1, NAN, 3]), ("part", [1.5, NAN, NAN]), ("truth", [1, NAN, 0]),
        ("day", [1, NAN, 2]), ("at", [0.5, NAN, 1]),
    ):  # fmt: skip
        assert same(table[name], values), name


@source("strangers 17")
def test_columns_of_python_objects() -> None:
    table = Table(
        {
            "day": [dt.date(1970, 1, 2), None],
            "at": np.array(["1970-01-02T12", "NaT"], dtype="datetime64[h]"),
            "money": [decimal.Decimal("1.5"), decimal.Decimal("NaN")],
            7: ["x", None],
        }
    )
    assert same(table["day"], [1, NAN])
    assert same(table["at"], [1.5, NAN])
    assert same(table["money"], [1.5, NAN])
    assert table["7"].tolist() == ["x", ""]
    with pytest.raises(DataError, match="columns by name are needed"):
        Table([[1, 2]])


@source("issue 17")
@pytest.mark.parametrize("library", ["pandas", "pandas with masks", "polars", "pyarrow"])
def test_a_trainer_takes_frames_of_numbers(library: str) -> None:
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=40), "b": rng.integers(0, 9, 40)}
    t = (columns["a"] > 0).astype(int)
    make: Any = pytest.importorskip(library.split()[0])
    one: Any = make.array if library == "pyarrow" else make.Series
    frame = make.table(columns) if library == "pyarrow" else make.DataFrame(columns)
    texts = {**columns, "b": ["x"] * 40}
    gaps: Any = {**columns, "b": [None, *[1] * 39]}
    odd = [make.table(c) if library == "pyarrow" else make.DataFrame(c) for c in (texts, gaps)]
    if library == "pandas with masks":
        frame, *odd = (f.convert_dtypes() for f in (frame, *odd))

    def trained(x: Any, t: Any) -> bytes:
        net = cr.Sequential(cr.Affine.sized(2, 3), loss=cr.SoftmaxWithLoss(), seed=0)
        cr.Trainer(net, cr.SGD(0.1), engine="numpy").fit(x, t, epochs=2, progress=None)
        return net.params[0].tobytes()

    matrix = np.column_stack(list(columns.values()))
    assert trained(frame, one(t)) == trained(matrix, t)
    with pytest.raises(cr.errors.DTypeError, match="Column 'b' holds text, such as 'x' in row 0"):
        trained(odd[0], t)
    with pytest.raises(
        (cr.errors.DTypeError, DataError), match=r"no value in row 0|x\[0, 1\] is nan"
    ):
        trained(odd[1], t)


@source("selva86/datasets")
def test_blanks_around_texts_are_no_part_of_them_whatever_they_come_from(tmp_path: Path) -> None:
    """adult.csv: pandas keeps the blank of ` Private`, and the CSV reader does not."""
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "adult.csv"
    kinds = ["Private", "State-gov", "Self-emp"]
    rows = [f"{i % 60}, {kinds[i % 3]}, {'>50K' if i % 3 else '<=50K'}" for i in range(60)]
    path.write_text("\n".join(["age,workclass,income", *rows]) + "\n")
    frame = pandas.read_csv(path)
    assert frame["workclass"][0] == " Private"
    read, framed = cr.datasets.read_csv(path), Table(frame)
    assert framed.texts("workclass").categories == read.texts("workclass").categories
    prepared = Preprocessor.fit(read, "income")
    assert not prepared.warnings_for(framed)
    np.testing.assert_array_equal(prepared.transform(framed), prepared.transform(read))
    np.testing.assert_array_equal(prepared.targets(framed), prepared.targets(read))
