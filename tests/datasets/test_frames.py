"""Frames of pandas, polars, Arrow and DuckDB: every kind of column gives the same table."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strangers.odd_tables import same

from chainrule.datasets import Form, Preprocessor, Table, parse_csv
from chainrule.datasets.matching import table_of
from chainrule.errors import DataError

NAN = math.nan
UTC8 = dt.timezone(dt.timedelta(hours=8))


def arrow() -> Any:
    return pytest.importorskip("pyarrow")


def polars() -> Any:
    return pytest.importorskip("polars")


def pandas() -> Any:
    return pytest.importorskip("pandas")


#: Name, the type in Arrow, the cells, and the column of a table that they become.
KINDS: list[tuple[str, Callable[[Any], Any], list[object], list[Any]]] = [
    ("int8", lambda pa: pa.int8(), [1, None, -3], [1, NAN, -3]),
    ("uint16", lambda pa: pa.uint16(), [1, 2, 65535], [1, 2, 65535]),
    ("uint64", lambda pa: pa.uint64(), [1, None, 2**63 - 1], [1, NAN, 2.0**63]),
    ("int64", lambda pa: pa.int64(), [2**62, 0, -(2**63)], [2**62, 0, -(2**63)]),
    ("float16", lambda pa: pa.float16(), [1.5, None, NAN], [1.5, NAN, NAN]),
    ("float32", lambda pa: pa.float32(), [1.5, None, NAN], [1.5, NAN, NAN]),
    ("float64", lambda pa: pa.float64(), [0.1, None, NAN], [0.1, NAN, NAN]),
    ("bool", lambda pa: pa.bool_(), [True, False, True], [1, 0, 1]),
    ("bool with a gap", lambda pa: pa.bool_(), [True, None, False], [1, NAN, 0]),
    ("null", lambda pa: pa.null(), [None, None, None], [NAN, NAN, NAN]),
    ("string", lambda pa: pa.string(), ["x", None, ""], ["x", "", ""]),
    ("large string", lambda pa: pa.large_string(), ["身高", "x" * 40, None], ["身高", "x" * 40, ""]),
    ("string view", lambda pa: pa.string_view(), ["身高", "x" * 40, None], ["身高", "x" * 40, ""]),
    ("decimal32", lambda pa: pa.decimal32(5, 2), [decimal.Decimal("-1.25"), None, decimal.Decimal(3)],
     [-1.25, NAN, 3]),
    ("decimal64", lambda pa: pa.decimal64(12, 3), [decimal.Decimal("0.1"), None, decimal.Decimal(3)],
     [0.1, NAN, 3]),
    ("decimal128", lambda pa: pa.decimal128(30, 2), [decimal.Decimal("0.01"), None,
     decimal.Decimal("-123456789012345678901234.56")], [0.01, NAN, -123456789012345678901234.56]),
    ("decimal256", lambda pa: pa.decimal256(60, 1), [decimal.Decimal("0.1"), decimal.Decimal("-0.3"),
     decimal.Decimal(10**40)], [0.1, -0.3, 1e40]),
    ("date32", lambda pa: pa.date32(), [dt.date(1970, 1, 2), None, dt.date(9999, 12, 31)],
     [1, NAN, 2932896]),
    ("date64", lambda pa: pa.date64(), [dt.date(1970, 1, 2), None, dt.date(1969, 12, 31)],
     [1, NAN, -1]),
    ("instants", lambda pa: pa.timestamp("us"), [dt.datetime(1970, 1, 2, 12), None,
     dt.datetime(2024, 3, 1, 7, 11, 3)], [1.5, NAN, 1709277063 / 86400]),
    ("seconds", lambda pa: pa.timestamp("s"), [dt.datetime(1970, 1, 2), dt.datetime(9000, 1, 1),
     dt.datetime(1960, 1, 1)], [1, (dt.date(9000, 1, 1) - dt.date(1970, 1, 1)).days, -3653]),
    ("a zone", lambda pa: pa.timestamp("ms", "Asia/Shanghai"), [dt.datetime(1970, 1, 2, 8, tzinfo=UTC8),
     None, dt.datetime(1970, 1, 2, 20, tzinfo=UTC8)], [1, NAN, 1.5]),
    ("spans", lambda pa: pa.duration("s"), [dt.timedelta(1), None, dt.timedelta(hours=-6)],
     [1, NAN, -0.25]),
    ("times of day", lambda pa: pa.time32("s"), [dt.time(12), None, dt.time(6)], [0.5, NAN, 0.25]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "cells", "wanted"), KINDS, ids=[k[0] for k in KINDS])
def test_kinds_of_arrow(
    name: str, kind: Callable[[Any], Any], cells: list[object], wanted: list[Any]
) -> None:
    pa = arrow()
    column = pa.array(cells, kind(pa))
    frames = {
        "one piece": pa.table({"c": column}),
        "a batch": pa.record_batch({"c": column}),
        "two pieces": pa.table({"c": pa.chunked_array([column[:1], column[1:]])}),
        "a slice": pa.table({"c": pa.concat_arrays([column, column])}).slice(2, 3),
        "a dict of columns": {"c": pa.chunked_array([column[:1], column[1:]])},
    }
    if name not in ("null", "float16", "times of day", "decimal32", "decimal64", "decimal256"):
        frames["a dictionary"] = pa.table({"c": column.dictionary_encode()})
        frames["pieces of a dictionary"] = pa.table(
            {
                "c": pa.chunked_array(
                    [column[:2].dictionary_encode(), column[2:].dictionary_encode()]
                )
            }
        )
    for what, frame in frames.items():
        found = Table(frame)["c"]
        due = [wanted[2], wanted[0], wanted[1]] if what == "a slice" else wanted
        assert (found.dtype.kind == "U") == isinstance(wanted[0], str), what
        equal = found.tolist() == due if found.dtype.kind == "U" else same(found, due)
        assert equal, (what, found, due)


def columns(n: int, seed: int) -> dict[str, list[Any]]:
    rng = np.random.default_rng(seed)

    def gaps(values: list[Any]) -> list[Any]:
        return [None if gap else v for v, gap in zip(values, rng.random(n) < 0.2, strict=True)]

    words = ["", "a", "b", "身高", "a longer text than twelve letters", "B" * 70]
    days = [dt.date(1970, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(-9999, 99999, n)]
    instants = [
        dt.datetime(1970, 1, 1) + dt.timedelta(seconds=int(s)) for s in rng.integers(0, 2**31, n)
    ]
    return {
        "whole": rng.integers(-(2**40), 2**40, n).tolist(),
        "whole with gaps": gaps(rng.integers(-99, 99, n).tolist()),
        "float": rng.normal(size=n).tolist(),
        "float with gaps": gaps(rng.normal(size=n).tolist()),
        "truth": (rng.random(n) < 0.5).tolist(),
        "truth with gaps": gaps((rng.random(n) < 0.5).tolist()),
        "text": [words[i] for i in rng.integers(0, 6, n)],
        "text with gaps": gaps([words[i] for i in rng.integers(0, 6, n)]),
        "day": gaps(days),
        "instant": instants,
    }  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 70), seed=st.integers(0, 2**32))
def test_one_table_from_every_library(n: int, seed: int) -> None:
    data = columns(n, seed)
    wanted = Table(data).fingerprint()
    for name, frame in frames_of(data).items():
        assert Table(frame).fingerprint() == wanted, name


def frames_of(data: dict[str, list[Any]]) -> dict[str, Any]:
    """The same columns as frames of every library that is here, in every kind of its columns."""
    frames: dict[str, Any] = {}
    pd = pytest.importorskip("pandas")
    frames["pandas objects"] = pd.DataFrame(
        {k: pd.Series(v, dtype=object) for k, v in data.items()}
    )
    frame = pd.DataFrame(data)
    for name in ("day", "instant"):
        frame[name] = pd.Series(data[name], dtype="datetime64[s]")
    frames["pandas"] = frame
    own = {"whole with gaps": "Int64", "truth": "boolean", "truth with gaps": "boolean", "whole": "Int64",
           "float with gaps": "Float64", "text": "string"}  # fmt: skip
    masked = pd.DataFrame({k: pd.Series(v, dtype=own.get(k)) for k, v in data.items()})
    masked["day"], masked["instant"] = (
        frame["day"].astype("datetime64[ms]"),
        frame["instant"].dt.tz_localize("UTC"),
    )
    frames["pandas with masks"] = masked
    frames["pandas categories"] = masked.astype({"text": "category", "whole": "category"})
    try:
        import polars as pl
        import pyarrow as pa
    except ImportError:
        return frames
    typed = pl.DataFrame(data, strict=False)
    frames["polars"] = typed
    frames["polars categories"] = typed.with_columns(pl.col("text").cast(pl.Categorical))
    frames["polars pieces"] = pl.concat([typed[:1], typed[1:]], rechunk=False)
    frames["dict of polars columns"] = {name: typed[name] for name in typed.columns}
    table = pa.table(data)
    frames["pyarrow"], frames["batches"] = table, table.to_reader(max_chunksize=7)
    frames["pandas on Arrow"] = table.to_pandas(types_mapper=pd.ArrowDtype)
    try:
        import duckdb
    except ImportError:
        return frames
    frames["DuckDB"] = duckdb.from_arrow(table)
    return frames


REFUSED: list[tuple[str, Callable[[Any], Any], str]] = [
    ("lists", lambda pa: pa.array([[1], [2, 3]]), "list cells"),
    ("lists of one size", lambda pa: pa.array([[1, 2]] * 2, pa.list_(pa.int8(), 2)), "list cells"),
    ("structs", lambda pa: pa.array([{"a": 1}] * 2), "struct cells"),
    ("maps", lambda pa: pa.array([[("a", 1)]] * 2, pa.map_(pa.string(), pa.int8())), "map cells"),
    ("bytes", lambda pa: pa.array([b"a", b"b"]), "binary cells"),
    ("bytes of one size", lambda pa: pa.array([b"ab"] * 2, pa.binary(2)), "binary cells"),
    ("runs", lambda pa: pa.RunEndEncodedArray.from_arrays([2], [1.5]), "run-end encoded cells"),
    ("a type of a package", lambda pa: pa.array(["{}", "1"], pa.json_()), "arrow.json cells"),
    ("an infinity", lambda pa: pa.array([1.0, math.inf]), "infinite"),
    ("too large", lambda pa: pa.array([1, 2**63], pa.uint64()), "too large"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make", "words"), REFUSED, ids=[r[0] for r in REFUSED])
def test_refused_with_their_place(name: str, make: Callable[[Any], Any], words: str) -> None:
    pa = arrow()
    frame = pa.table({"a": [1, 2], "odd one": make(pa)})
    with pytest.raises(DataError, match=words) as caught:
        Table(frame, "answers")
    assert str(caught.value).startswith("answers, column 'odd one'")


def test_names_of_columns() -> None:
    pd = pandas()
    levels = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("b", "")]))
    assert Table(levels).names == ("a_x", "b")
    by_day = pd.DataFrame({"v": [1, 2]}, index=pd.Index(["p", "q"], name="day"))
    assert Table(by_day).names == ("v",)
    assert Table(by_day.reset_index()).names == ("day", "v")
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(DataError, match=r"two columns are called 'a'. Rename one"):
        Table(twice)
    pa = arrow()
    with pytest.raises(DataError, match=r"two columns are called 'a'. Rename one"):
        Table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))
    with pytest.raises(DataError, match="must be a text that is not empty"):
        Table(pa.table([pa.array([1])], names=[""]))


def test_a_table_does_not_change_with_its_frame() -> None:
    pd = pandas()
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": pd.array([1, 2], dtype="Int64")})
    table = Table(frame)
    frame.iloc[0] = 9
    frame["b"].array._data[:] = 9
    assert table["a"].tolist() == [1, 2]
    assert table["b"].tolist() == [1, 2]


def test_frames_without_rows() -> None:
    pl = polars()
    table = Table(pl.DataFrame({"a": [], "b": []}, schema={"a": pl.Int64, "b": pl.String}))
    assert len(table) == 0
    assert table.kind("b") == "text"


def test_a_stream_that_fails() -> None:
    pa = arrow()

    def batches() -> Any:
        yield pa.record_batch({"a": [1]})
        raise OSError("the disk is gone")

    reader = pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), batches())
    with pytest.raises(DataError, match=r"the frame's columns cannot be read: .*the disk is gone"):
        Table(reader, "the frame")


# -- dates that are texts -----------------------------------------------------------------------

DAYS = ["2024-01-31", "", "2024-02-01", "1970-01-02"]


def test_texts_that_are_dates_are_dates_in_every_frame_as_in_csv() -> None:
    cells = {"day": DAYS, "code": ["20240131", "20240201", "", "20240202"], "n": [1, 2, 3, 4]}
    lines = [",".join(map(str, row)) for row in zip(*cells.values(), strict=True)]
    by_file = parse_csv("\n".join(["day,code,n", *lines]).encode(), "d.csv")
    pd, pa, pl = pandas(), arrow(), polars()
    gaps = [day or None for day in DAYS]
    for frame in (
        cells,
        pd.DataFrame(cells),
        pd.DataFrame({"day": pd.Series(gaps, dtype=object), "n": [1, 2, 3, 4]}),
        pd.DataFrame({"day": pd.Series(gaps, dtype="string"), "n": [1, 2, 3, 4]}),
        pl.DataFrame({"day": gaps, "n": [1, 2, 3, 4]}),
        pa.table({"day": gaps, "n": [1, 2, 3, 4]}),
    ):
        table = Table(frame)
        assert same(table["day"], by_file["day"].tolist()), type(frame)
        assert table.form("day") == by_file.form("day") == Form("date")
        (note,) = table.notes
        assert note.startswith("'day' holds dates or times, such as '2024-01-31'. (As texts: ")
        assert note.said("en", "command").endswith("(As texts: --text day.)")  # type: ignore[attr-defined]
        as_texts = Table(frame, kinds={"day": "text"})
        assert as_texts["day"].tolist() == DAYS
        assert as_texts.notes == ()
    # 20240131 is a number in a file, and a text that a frame calls one stays one.
    assert Table(cells)["code"].tolist() == cells["code"]


def test_categories_and_what_can_be_read_in_two_ways_stay_texts() -> None:
    pd, pl = pandas(), polars()
    for frame in (
        pd.DataFrame({"day": pd.Categorical([day or None for day in DAYS])}),
        pl.DataFrame({"day": pl.Series(DAYS, dtype=pl.Categorical)}),
        {"day": ["1/5/2019", "", "2/6/2019", "2/6/2019"]},
        {"day": ["2024-01-31", "", "2024-02-01", "soon"]},
    ):
        assert Table(frame).kind("day") == "text"
    sure = Table({"day": ["13/5/2019", "2/6/2019"]})
    assert sure["day"].tolist() == [18029, 18049]
    assert sure.form("day") == Form("date", day_first=True)


def test_a_model_of_dates_in_texts_takes_later_rows_in_the_same_order_of_day_and_month() -> None:
    rng = np.random.default_rng(0)
    days = [dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 900, 300)]
    table = Table({"day": [f"{d:%d/%m/%Y}" for d in days], "t": [d.month for d in days]})
    prepared = Preprocessor.fit(table, "t", "regression")
    assert "day: month" in prepared.features
    later = table_of({"day": ["3/4/2021"]}, {"day": prepared.forms["day"]})
    assert later["day"].tolist() == [(dt.date(2021, 4, 3) - dt.date(1970, 1, 1)).days]
