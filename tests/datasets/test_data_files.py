"""Parquet, Excel and SQL: the table of the same CSV file, and every bad file refused with its place."""

from __future__ import annotations

import contextlib
import datetime as dt
import inspect
import io
import json
import sqlite3
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tests.strangers.odd_tables import same

from chainrule import memory
from chainrule.cli import chainrule
from chainrule.datasets import Table, read, read_csv, read_excel, read_parquet, read_sql
from chainrule.errors import ChainruleError, DataError, ExtraMissingError, FormatError, SettingError

NAN = float("nan")
ROWS: list[list[Any]] = [
    [1, 1.5, "x", dt.date(2024, 1, 31), "p"], [None, 2.25, None, None, "q"],
    [3, None, "y", dt.date(1970, 1, 2), "p"], [4, -1.0, "x", dt.date(1969, 12, 31), "q"],
]  # fmt: skip
NAMES = ["whole", "real", "text", "day", "t"]
COLUMNS = {name: [row[j] for row in ROWS] for j, name in enumerate(NAMES)}


def parquet(path: Path, columns: Any) -> Path:
    pytest.importorskip("duckdb")
    arrow: Any = pytest.importorskip("pyarrow")
    made = arrow.table(columns) if isinstance(columns, dict) else columns
    pytest.importorskip("pyarrow.parquet").write_table(made, path)
    return path


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    pytest.importorskip("python_calamine")
    book = pytest.importorskip("openpyxl").Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def database(path: Path, names: list[str], rows: list[list[Any]], table: str = "data") -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute(f'create table "{table}" ({", ".join(names)})')
        slots = ", ".join("?" * len(names))
        connection.executemany(f'insert into "{table}" values ({slots})', rows)
    connection.close()
    return path


def make(kind: str, folder: Path) -> Path:
    """The rows above in a file of this kind."""
    if kind == "parquet":
        return parquet(folder / "d.parquet", COLUMNS)
    if kind == "xlsx":
        return workbook(folder / "d.xlsx", Data=[NAMES, *ROWS])
    rows = [[c.isoformat() if isinstance(c, dt.date) else c for c in row] for row in ROWS]
    return database(folder / "d.sqlite", NAMES, rows)


@pytest.mark.parametrize("kind", ["parquet", "xlsx", "sqlite"])
def test_the_same_table_from_every_file(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path)
    table = read(path)
    assert table.names == tuple(NAMES)
    assert same(table["whole"], [1, NAN, 3, 4])
    assert same(table["real"], [1.5, 2.25, NAN, -1])
    assert table["text"].tolist() == ["x", "", "y", "x"]
    assert same(table["day"], [19753, NAN, 1, -1])
    text = "\n".join(",".join("" if c is None else str(c) for c in row) for row in [NAMES, *ROWS])
    (tmp_path / "d.csv").write_text(text)
    assert table.fingerprint() == read_csv(tmp_path / "d.csv").fingerprint()
    bare = path.rename(tmp_path / "noending")
    assert read(bare).fingerprint() == table.fingerprint()
    texts = read(bare, kinds={"day": "text"})["day"].tolist()
    if kind != "parquet":  # whose dates are no texts to begin with
        assert [text[:10] for text in texts] == ["2024-01-31", "", "1970-01-02", "1969-12-31"]


@pytest.mark.parametrize("kind", ["parquet", "xlsx", "sqlite"])
def test_the_command_takes_them(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=60).round(3).tolist(), rng.choice(["u", "v"], 60).tolist()
    rows: list[list[Any]] = [[x, c, "hi" if x > 0 else "lo"] for x, c in zip(a, b, strict=True)]
    names = ["a", "b", "label"]
    columns = {name: [row[j] for row in rows] for j, name in enumerate(names)}
    more: list[str] = []
    if kind == "parquet":
        data = parquet(Path("d.parquet"), columns)
    elif kind == "xlsx":
        data, more = (
            workbook(Path("d.xlsx"), Notes=[["hello"]], Data=[names, *rows]),
            ["--sheet", "Data"],
        )
    else:
        data, more = database(Path("d.sqlite"), names, rows), ["--query", "select * from data"]
    Path("d.csv").write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]) + "\n")

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(chainrule, list(arguments))
        assert result.exit_code == 0, result.output
        return result.output

    train = ["--epochs", "3", "--engine", "numpy", "--json", "--out"]
    one = json.loads(run("train", str(data), *more, *train, "one.safetensors"))
    other = json.loads(run("train", "d.csv", *train, "other.safetensors"))
    assert one["data"]["fingerprint"] == other["data"]["fingerprint"]
    assert one["held_out"] == other["held_out"]
    assert run("predict", "one.safetensors", str(data)) == run(
        "predict", "one.safetensors", "d.csv"
    )
    scores = [json.loads(run("evaluate", f"{m}.safetensors", str(data), *x, "--json"))["held_out"]
              for m, x in (("one", []), ("other", more))]  # fmt: skip
    assert scores[0] == scores[1]


# -- Parquet ------------------------------------------------------------------------------------


def test_parquet_dates_are_dates_and_the_index_of_pandas_is_none(tmp_path: Path) -> None:
    """plotly's oil-and-gas.parquet: 'Date Well Completed', and '__index_level_0__'."""
    pytest.importorskip("pyarrow")
    pandas: Any = pytest.importorskip("pandas")
    days = pandas.to_datetime(["1944-04-25", "1928-09-11", None])
    frame = pandas.DataFrame({"done": days, "gas": [0.0, 260.0, 192.0]}, index=[2, 0, 5])
    frame.to_parquet(tmp_path / "d.parquet")
    table = read_parquet(tmp_path / "d.parquet")
    assert table.names == ("done", "gas")
    form = table.form("done")
    assert form is not None
    assert form.kind == "date"
    assert "'__index_level_0__' is the index of a pandas frame; it was left out." in table.notes
    kept = read_parquet(tmp_path / "d.parquet", {"__index_level_0__": "number"})
    assert kept["__index_level_0__"].tolist() == [2, 0, 5]


def test_parquet_names_are_kept(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": [1], "A": [2], "list": [[1, 2]], "b.c": ["x"], "größe": [1.5]})
    path = parquet(tmp_path / "s*r[1].parquet", table.drop_columns("list"))
    parquet(tmp_path / "star1.parquet", {"other": [9]})
    assert read(path).names == ("a", "A", "b.c", "größe")
    twice = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(DataError, match="two columns are called 'a'"):
        read(parquet(tmp_path / "twice.parquet", twice))


BAD_PARQUET: list[tuple[str, Callable[[Any], Any], type[ChainruleError], str]] = [
    ("D24 a list", lambda pa: {"odd": [[1], [2]]}, DataError, "column 'odd': .*Got list cells"),
    ("D24 nested", lambda pa: {"odd": [{"a": 1}, {"a": 2}]}, DataError, "'odd': .*Got struct cells"),
    ("D24 binary", lambda pa: {"odd": [b"\xff", b"a"]}, DataError, "'odd': .*Got binary cells"),
    ("D24 zero row groups", lambda pa: pa.table({"a": pa.array([], pa.int64())}), DataError, "has 0 rows"),
    ("D24 infinity", lambda pa: {"odd": [1.0, float("inf")]}, DataError, "'odd'.*infinite"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "columns", "error", "words"), BAD_PARQUET, ids=[c[0] for c in BAD_PARQUET]
)
def test_bad_parquet(
    name: str,
    columns: Callable[[Any], Any],
    error: type[ChainruleError],
    words: str,
    tmp_path: Path,
) -> None:
    path = parquet(tmp_path / "d.parquet", columns(pytest.importorskip("pyarrow")))
    with pytest.raises(error, match=words) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_d24_not_parquet_and_damaged_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path / "d.parquet", COLUMNS)
    whole = path.read_bytes()
    for data, words in (
        (b"a,b\n1,2\n", "this is plain text, not Parquet. Give it a name that ends in .csv."),
        (b"PK\x03\x04aaaa", "a zip file, not Parquet"),
        (b"PAR1", "damaged"),
        (whole[:-10], "damaged"),
        (whole[: len(whole) // 2], "damaged"),
        (whole[:100] + whole[200:], "damaged"),
    ):
        path.write_bytes(data)
        with pytest.raises(FormatError, match=words):
            read(path)


def test_d24_columns_that_are_not_used_may_be_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    columns = {"x": list(range(20)), "odd": [[1]] * 20, "label": ["a", "b"] * 10}
    parquet(Path("d.parquet"), columns)
    run = CliRunner().invoke
    refused = run(chainrule, ["train", "d.parquet"])
    assert refused.exit_code == 2
    assert "Got list cells" in refused.output
    made = run(
        chainrule,
        ["train", "d.parquet", "--without", "odd", "--epochs", "1", "--quiet", "--out", "m"],
    )
    assert made.exit_code == 0, made.output
    assert run(chainrule, ["predict", "m", "d.parquet"]).exit_code == 0


def test_d24_a_target_of_nulls(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    path = parquet(tmp_path / "d.parquet", pa.table({"x": [1, 2], "y": pa.nulls(2)}))
    result = CliRunner().invoke(chainrule, ["train", str(path), "--target", "y"])
    assert result.exit_code == 2
    assert "every one of the 2 cells is missing" in result.output


def test_d24_types_of_packages_are_never_loaded(tmp_path: Path) -> None:
    """pyarrow before 14 ran code from such a file (CVE-2023-47248); here the plain numbers are read."""
    pa = pytest.importorskip("pyarrow")
    field = pa.field("e", pa.int64(), metadata={
        "ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": "cos\nsystem\n",
    })  # fmt: skip
    table = pa.table([pa.array([1, 2])], schema=pa.schema([field]))
    assert read(parquet(tmp_path / "d.parquet", table))["e"].tolist() == [1, 2]


def test_a_parquet_file_larger_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(tmp_path / "d.parquet", {"a": [1] * 5000})
    monkeypatch.setattr(memory, "physical_memory", lambda: 60_000)
    with pytest.raises(DataError, match=r"needs about .* of memory"):
        read(path)


def test_damaged_parquet_files_end_in_our_error(tmp_path: Path) -> None:
    path = parquet(tmp_path / "d.parquet", COLUMNS)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _case in range(150):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 6)):
            data[place] = rng.integers(256)
        path.write_bytes(data[: rng.integers(1, len(data))] if rng.random() < 0.3 else data)
        with contextlib.suppress(ChainruleError):
            read_parquet(path)


# -- Excel --------------------------------------------------------------------------------------


def test_cells_of_workbooks(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["n", "price\n(EUR)", "code", "when", "clock", "yes", "mixed", "gap"],
        [1, "1.234,5", "007", dt.datetime(2024, 1, 1, 12), dt.time(18), True, 1, None],
        [2, "2,25", "012", dt.datetime(2024, 1, 2), dt.time(6), False, "few", None],
        [3, "3,0", "1", None, dt.time(0), True, 7, None],
        [4, "4,5", "2", dt.datetime(2024, 1, 3, 6), None, None, 9.5, None],
    ]
    table = read(workbook(tmp_path / "d.xlsx", Data=rows))
    assert table.names == ("n", "price (EUR)", "code", "when", "clock", "yes", "mixed", "gap")
    assert table["n"].tolist() == [1, 2, 3, 4]
    assert table["price (EUR)"].tolist() == [1234.5, 2.25, 3, 4.5]
    assert table["code"].tolist() == ["007", "012", "1", "2"]
    assert same(table["when"], [19723.5, 19724, NAN, 19725.25])
    assert same(table["clock"], [0.75, 0.25, 0, NAN])
    assert table["yes"].tolist() == ["TRUE", "FALSE", "TRUE", ""]
    words = table.words("mixed")
    assert words is not None
    assert words.decoded().tolist() == ["", "few", "", ""]
    assert table.location_of(2, "n").endswith("d.xlsx:4, column 'n'")
    as_texts = read_excel(tmp_path / "d.xlsx", kinds={"n": "text", "when": "text"})
    assert as_texts["n"].tolist() == ["1", "2", "3", "4"]
    assert as_texts["when"].tolist()[0] == "2024-01-01 12:00:00"


def test_sheets(tmp_path: Path) -> None:
    path = workbook(tmp_path / "d.xlsx", One=[["a"], [1]], Two=[["b"], [2]], None_=[])
    table = read(path)
    assert table.names == ("a",)
    assert "The sheet 'One' was read; there are 2 others ('Two', 'None_')" in table.notes[-1]
    assert read_excel(path, "Two").names == ("b",)
    with pytest.raises(DataError, match=r"no sheet 'two'; did you mean \"Two\""):
        read_excel(path, "two")
    with pytest.raises(DataError, match="sheet 'None_' has 0 rows"):
        read_excel(path, "None_")
    titled = workbook(
        tmp_path / "t.xlsx", A=[[None, None], ["Report"], [], ["a", "b"], [1, 2], [3, 4]]
    )
    table = read(titled)
    assert table.names == ("a", "b")
    assert table.location_of(1, "a").endswith(":6, column 'a'")
    with pytest.raises(DataError, match="has 0 rows: there is nothing after the row of names"):
        read(workbook(tmp_path / "h.xlsx", A=[["a", "b"]]))
    assert read_excel(workbook(tmp_path / "n.xlsx", A=[[1, 2], [3, 4]]), header=False).names == (
        "x0",
        "x1",
    )


def test_hidden_sheets_come_last(tmp_path: Path) -> None:
    openpyxl: Any = pytest.importorskip("openpyxl")
    path = workbook(tmp_path / "d.xlsx", Lists=[["z"], [9]], Data=[["a"], [1]])
    book = openpyxl.load_workbook(path)
    book["Lists"].sheet_state = "hidden"
    book.save(path)
    assert read(path).names == ("a",)


def test_bad_workbooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "d.xlsx", A=[["a"], [1]])
    whole = path.read_bytes()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("a.txt", "hello")
    for data, words in (
        (b"a,b\n1,2\n", "this is plain text, not Excel. Give it a name that ends in .csv."),
        (whole[:-30], "no workbook, or a damaged one"),
        (made.getvalue(), "no workbook, or a damaged one"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "no workbook, or a damaged one"),
        (b"PK\x03\x04", "no workbook, or a damaged one"),
    ):
        path.write_bytes(data)
        with pytest.raises(FormatError, match=words):
            read(path)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/worksheets/sheet1.xml", b"0" * 10**7)
    path.write_bytes(made.getvalue())
    monkeypatch.setattr(memory, "physical_memory", lambda: 10**6)
    with pytest.raises(DataError, match="unpacks to 10,000,000 bytes; at most 250,000"):
        read(path)


# -- SQL ----------------------------------------------------------------------------------------


def test_queries(tmp_path: Path) -> None:
    pets: list[list[Any]] = [["Tom", 3], ["Rex", None], ["Ann", 2.5]]
    path = database(tmp_path / "d.sqlite", ["name", "age"], pets, "my pets")
    assert read(path)["name"].tolist() == ["Tom", "Rex", "Ann"]
    assert read_sql("my pets", path).fingerprint() == read(path).fingerprint()
    assert same(read_sql('select age from "my pets" where age > ?', path, [2])["age"], [3, 2.5])
    database(path, ["a"], [[1]], "more")
    for query, words in (
        ("", "a query is needed, as there are 2 tables: more, my pets. Say which rows"),
        ("mor", r"no table 'mor'; did you mean \"more\""),
        ("select nope from more", "the query failed: no such column: nope"),
        ("select a from more where a > 5", "has 0 rows"),
        ("drop table more", "attempt to write a readonly database"),
        ("select 1 as a, 2 as a", "two columns are called 'a'"),
        ("select x'ff' as b", "'b': whole numbers, floats or bools are needed. Got dtype .S1"),
        ("select 1; drop table more", "one statement at a time"),
    ):
        with pytest.raises(DataError, match=words):
            read_sql(query, path)
    assert read_sql("more", path)["a"].tolist() == [1]


def test_connections(tmp_path: Path) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t (a, b)")
    connection.executemany(
        "insert into t values (?, ?)", [(1, "1,5"), ("few", "2,5"), (3, None), (4, "x")]
    )
    table = read_sql("select * from t", connection)
    words = table.words("a")
    assert words is not None
    assert words.decoded().tolist() == ["", "few", "", ""]
    assert table["b"].tolist() == ["1,5", "2,5", "", "x"]
    assert same(
        read_sql("select b from t", connection.cursor(), kinds={"b": "number"})["b"],
        [1.5, 2.5, NAN, NAN],
    )
    with pytest.raises(DataError, match="the query gives no rows; a select is needed"):
        read_sql("create table u (a)", connection)
    with pytest.raises(
        SettingError, match="database=7: give the path of an SQLite file, or a connection"
    ):
        read_sql("select 1", 7)
    connection.close()
    duckdb: Any = pytest.importorskip("duckdb")
    days = read_sql("select date '1970-01-02' as d, 1.25::decimal(5,2) as m", duckdb.connect())
    assert (days["d"].tolist(), days["m"].tolist()) == ([1], [1.25])


def test_readers_share_their_options(tmp_path: Path) -> None:
    """What one reader calls kinds, decimal, missing_words and day_first, all of them do."""
    names = ["day", "price", "kind", "t"]
    rows: list[list[Any]] = [
        ["3/4/2024", "1.234", "none", 1],
        ["4/4/2024", "5", "ok", 2],
        ["5/4/2024", "7", "bad", 3],
    ]
    text = "\n".join(",".join(map(str, row)) for row in [names, *rows])
    (tmp_path / "d.csv").write_text(text)
    columns = {name: [row[j] for row in rows] for j, name in enumerate(names)}
    workbook(tmp_path / "d.xlsx", A=[names, *rows])
    options: dict[str, Any] = {
        "kinds": {"price": "number"}, "decimal": ",", "missing_words": ["none"], "day_first": True,
    }  # fmt: skip
    tables = [
        read_csv(tmp_path / "d.csv", **options),
        read_excel(tmp_path / "d.xlsx", **options),
        read_parquet(parquet(tmp_path / "d.parquet", columns), **options),
        read_sql("data", database(tmp_path / "d.sqlite", names, rows), **options),
        *(read(tmp_path / f"d.{e}", **options) for e in ("csv", "xlsx", "parquet", "sqlite")),
    ]
    for table in tables:
        assert table.fingerprint() == tables[0].fingerprint()
        assert table["day"][0] == (dt.date(2024, 4, 3) - dt.date(1970, 1, 1)).days
        assert table["price"][0] == 1234
        assert table["kind"].tolist() == ["", "ok", "bad"]
    shared = [list(inspect.signature(reader).parameters.values())[-4:] for reader in
              (read, read_csv, read_excel, read_parquet, read_sql)]  # fmt: skip
    assert all(options == shared[0] for options in shared)


def test_bad_databases(tmp_path: Path) -> None:
    path = database(tmp_path / "d.db", ["a"], [[i] for i in range(5000)])
    whole = path.read_bytes()
    for data, words in (
        (b"a,b\n1,2\n", "this is plain text, not SQLite"),
        (whole[:100] + bytes(2000) + whole[2100:], "damaged"),
        (whole[: len(whole) // 2], "damaged"),
    ):
        path.write_bytes(data)
        with pytest.raises((FormatError, DataError), match=words):
            read(path)
    before = path.read_bytes()
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.db"]


# -- without the extra --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "package"), [("d.parquet", "duckdb"), ("d.xlsx", "python_calamine")]
)
def test_without_the_extra(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"PAR1\0" if name == "d.parquet" else b"PK\x03\x04")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ExtraMissingError, match=r"is in the extra \[data\]: pip install 'chainrule\[data\]'"
    ):
        read(tmp_path / name)


def test_options_that_do_not_apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("x,label\n1,a\n2,b\n")
    for name in ("d.xlsx", "d.parquet", "d.sqlite"):
        Path(name).write_bytes(b"x")
    for arguments, options in (
        ("d.csv --sheet A", "--sheet"), ("d.csv --query a", "--query"), ("iris --sheet A", "--sheet"),
        ("d.xlsx --encoding cp1252", "--encoding"), ("d.sqlite --encoding a", "--encoding"),
        ("d.parquet --no-header --sheet A", "--no-header and --sheet"),
    ):  # fmt: skip
        result = CliRunner().invoke(chainrule, ["train", *arguments.split()])
        assert result.exit_code == 2
        assert f"{options} does not apply" in result.output, result.output


def test_frames_of_a_file_are_the_table_of_the_file(tmp_path: Path) -> None:
    pandas: Any = pytest.importorskip("pandas")
    path = parquet(tmp_path / "d.parquet", COLUMNS)
    assert Table(pandas.read_parquet(path)).fingerprint() == read(path).fingerprint()
