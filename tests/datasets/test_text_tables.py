"""CSV reading: every entry of the catalogue of bad files, and round trips."""

from __future__ import annotations

import csv
import gzip
import io
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chainrule.datasets import opening, parse_csv, read, read_csv
from chainrule.datasets.cells import MISSING, NUMBER, too_wide
from chainrule.datasets.writings import parse_number
from chainrule.errors import ChainruleError, DataError, FormatError, SettingError

NUMBERS = "".join(f"{i},{i * 0.5},w{i % 3}\n" for i in range(30))

REFUSED: list[tuple[str, bytes, type[ChainruleError], list[str]]] = [
    ("D1", b"\n \n", DataError, ["f.csv is empty"]),
    ("D2", b"a,b\n", DataError, ["0 rows", "--no-header"]),
    ("D4", b"a,b\n1,2\n1,2,3\n", DataError, ["f.csv:3", "too long", "3 cells", "2 columns"]),
    ("D6", b"a,b\nx,1\nZo\xeb,1\n", FormatError, ["f.csv:3", "0xeb", "offset 10", "--encoding"]),
    ("D7", "a,b\n1,2\n".encode("utf-16"), FormatError, ["UTF-16", "encoding='utf-16'"]),
    ("D7 no mark", "a,b\n1,2\n".encode("utf-16-le"), FormatError, ["UTF-16"]),
    ("D7 32", "a,b\n1,2\n".encode("utf-32"), FormatError, ["UTF-32"]),
    ("D16", b'a,b\n1,2\n1,"x\n2,3\n', FormatError, ["f.csv:3", "never closed"]),
    ("D16 after", b'a,b\n1,"x"y\n', FormatError, ["f.csv:2", "goes on after"]),
    ("D17", b"a,b\n1,\0\n", FormatError, ["f.csv:2", "NUL", "offset 6"]),
    ("D19", b"a,b\n1," + b"x" * 2_000_000 + b"\n", FormatError, ["f.csv:2", "longer than"]),
    (
        "D20 html",
        b" <!DOCTYPE html>\n<html></html>",
        FormatError,
        ["this is a web page (HTML), not CSV"],
    ),
    ("D20 gzip", gzip.compress(b"a,b\n1,2\n"), FormatError, ["this is gzip", ".gz"]),
    ("D20 zip", b"PK\x03\x04aaaa", FormatError, ["this is a zip file"]),
    ("D20 png", b"\x89PNG\r\n\x1a\n", FormatError, ["a PNG image"]),
    ("D20 npy", b"\x93NUMPY\x01\0", FormatError, ["npy"]),
    ("D20 json", b'[{"a": 1}]', FormatError, ["JSON"]),
    ("D24", b"PAR1\x15\x04\x15aPAR1", FormatError, ["Parquet", ".parquet"]),
]


@pytest.mark.parametrize(
    "name", ["PAR1", "GGUF", "BZh1", "GIF8", "%PDF", "ARROW1", "abcdTFL3", "SQLite format 3"]
)
def test_a_column_may_be_called_as_files_begin(name: str) -> None:
    table = parse_csv(f"{name},y\n1,2\n3,4\n".encode(), "t.csv")
    assert tuple(table.names) == (name, "y")
    assert list(table.column(name)) == [1, 3]


@pytest.mark.parametrize(
    ("data", "error", "parts"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_refused(data: bytes, error: type[ChainruleError], parts: list[str]) -> None:
    with pytest.raises(error) as caught:
        parse_csv(data, "f.csv")
    for part in ["f.csv", *parts]:
        assert part in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    "thousands", [".", " ", "\xa0", "\u202f", "\u2009", "\u2007", "'", "’", ""]
)
@pytest.mark.parametrize("part", [",25", ""])
def test_european_numbers(thousands: str, part: str) -> None:
    """Semicolons, decimal commas, and every sign that stands between thousands."""
    rows = "".join(
        f"{i + 1}{thousands}{100 + i}{thousands}{200 + i}{part};-{i},5;{'ab'[i % 2]}\n"
        for i in range(9)
    )
    table = parse_csv(f"menge;preis;art\n{rows}".encode(), "f.csv")
    more = 0.25 if part else 0
    assert table["menge"].tolist() == [
        1e6 * (i + 1) + 1e3 * (100 + i) + 200 + i + more for i in range(9)
    ]
    assert table["preis"].tolist() == [-i - 0.5 for i in range(9)]
    assert table["art"].tolist() == [*"abababab", "a"]
    swiss = rows.replace(",", ".").replace(";", ",") if thousands in "'’\u202f" else ""
    if swiss:
        assert (
            parse_csv(f"menge,preis,art\n{swiss}".encode(), "f.csv")["menge"].tolist()
            == table["menge"].tolist()
        )


@pytest.mark.parametrize(
    ("sign", "name"), [("，", "full-width commas"), ("；", "full-width semicolons")]
)
def test_full_width_separators(sign: str, name: str) -> None:
    text = "身高,体重,类别\n" + "".join(f"{170 + i},{60.5 + i},{'甲乙'[i % 2]}\n" for i in range(9))
    plain = parse_csv(text.encode(), "f.csv")
    wide = parse_csv(text.replace(",", sign).encode(), "f.csv")
    assert wide.fingerprint() == plain.fingerprint()
    assert f"The columns are separated by {name}." in wide.notes
    names, rows = text.split("\n", 1)
    mixed = parse_csv(f"{names.replace(',', sign)}\n{rows}".encode(), "f.csv")
    assert mixed.fingerprint() == plain.fingerprint()
    titled = parse_csv(f"五月，测量\n{names.replace(',', sign)}\n{rows}".encode(), "f.csv")
    assert titled.fingerprint() == plain.fingerprint()
    prose = "评论\n" + "".join(f"第{i}条{sign * (i % 3)}好\n" for i in range(9))
    assert parse_csv(prose.encode(), "f.csv").names == ("评论",)


@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n1,x\n2,y\n",
        b"a,b\n1,x\n2,y",
        b"\xef\xbb\xbfa,b\r\n1,x\r\n2,y",
        b"a,b\r1,x\r2,y\r",
        b'"a","b"\n"1","x"\n"2","y"\n',
        b" a ,b,\n 1 , x\n\n2,y,\n   \n",
        b"a;b\n1;x\n2;y\n",
        b"a\tb\n1\tx\n2\ty\n",
        b",a,b\n0,1,x\n1,2,y\n",
        b"a|b\n1|x\n2|y\n",
        b"| a | b |\n|---|--:|\n| 1 | x |\n| 2 | y |\n",
        b"a   b\n 1   x\n 2\ty\n",
        b"# taken in May\n# by hand\na,b\n1,x\n2,y\n",
        b"# a,b\n1,x\n# a remark\n2,y\n",
        b"sep=;\r\na;b\r\n1;x\r\n2;y\r\n",
        b'"a" ,"b"\n"1" ,"x" \n"2" ,"y"\n',
        b'"a" "b"\n"7" 1 "x"\n"9" 2 "y"\n',
        b"a,b,,\n1,x,,\n2,y,,\n",
        b"a,b\n1.0,x\n$2,y\n",
    ],
)
def test_accepted_writings_of_one_table(data: bytes) -> None:
    table = parse_csv(data, "f.csv")
    assert table.names == ("a", "b")
    assert table["a"].tolist() == [1, 2]
    assert table["a"].dtype == np.int64
    assert table["b"].tolist() == ["x", "y"]


def test_what_was_done_is_said() -> None:
    assert "separated by semicolons" in parse_csv(b"a;b\n1;x\n", "f").notes[0]
    assert "separated by tabs" in parse_csv(b"a\tb\n1\tx\n", "f").notes[0]
    notes = " ".join(parse_csv(b" a ,b,\n1,x,\n\n2,,\n", "f").notes)
    for part in ("spaces around 1 column name", "1 blank line", "neither name", "missing cell"):
        assert part in notes
    notes = " ".join(parse_csv(b"a,b,c\n1,,x\n1,,y\n", "f").notes)
    assert "1 column holds one value only: 'a'" in notes
    assert "1 column holds no value at all: 'b'" in notes
    assert "only counts the rows" in " ".join(parse_csv(b",a\n0,5\n1,6\n", "f").notes)
    assert "end of 2 rows" in " ".join(parse_csv(b"a,b\n1,x,\n2,y,\n3,z\n", "f").notes)
    assert parse_csv(b"a,b\n1,x\n2,y\n", "f").notes == ()


def test_missing_cells_are_kept() -> None:
    cells = sorted(MISSING)
    table = parse_csv(("n,s\n" + "".join(f"{c},{c}\n" for c in cells) + "1.5,x\n").encode(), "f")
    assert table["n"].dtype == np.float64
    assert np.isnan(table["n"][:-1]).all()
    assert table["n"][-1] == 1.5
    assert table["s"].tolist() == [""] * len(cells) + ["x"]
    assert table.missing_counts() == {"n": len(cells), "s": len(cells)}


def test_text_columns_stay_text() -> None:
    text = "flag,code\n" + "".join(f"True,A{i}\n" for i in range(1, 31))
    table = parse_csv(text.encode(), "f")
    assert [table.kind(name) for name in table.names] == ["text"] * 2
    few = parse_csv(b"a,b\n" + b"1,1\n" * 18 + b"x,1\n", "f")
    assert few.kind("a") == "text"
    assert few["a"][0] == "1"


def test_a_late_text_keeps_the_early_cells_as_written() -> None:
    lines = "".join(f"00{i},{i}\n" for i in range(5)) * 60_000
    table = parse_csv(("a,b\n" + lines + "x,1\n" * 20_000).encode(), "f")
    assert table["a"][:3].tolist() == ["000", "001", "002"]
    assert table.kind("b") == "int"
    assert len(table) == 320_000


def test_digits_that_begin_with_zero_are_text() -> None:
    table = parse_csv(b"zip,n,m,z\n01234,0,-01,0\n56789,10,2,0\n,5,3,1\n", "f")
    assert [table.kind(name) for name in table.names] == ["text", "int", "int", "int"]
    assert table["zip"].tolist() == ["01234", "56789", ""]
    assert any(note.startswith("'zip' holds numbers that begin with 0") for note in table.notes)
    assert parse_csv(b"a,b\n01,1\n1.5,1\n", "f")["a"].tolist() == [1, 1.5]
    late = parse_csv(("a,b\n" + "1,1\n" * 250_000 + "02,1\n").encode(), "f")
    assert late["a"][[0, -1]].tolist() == ["1", "02"]
    assert parse_csv(b",a\n01,5\n02,6\n", "f").names == ("a",)
    assert parse_csv(b"full name\nAnn Lee\nBo Ray\n", "f")["full name"][0] == "Ann Lee"


def test_columns_that_change_between_chunks() -> None:
    lines = "".join(f"{i},{-i * 7}\n" for i in range(250_000)) + "0.5,3000000000\n"
    table = parse_csv(("a,b\n" + lines).encode(), "f")
    assert table["a"].dtype == np.float64
    assert table["a"][[0, 249_999, 250_000]].tolist() == [0, 249_999, 0.5]
    assert table["b"][[1, -1]].tolist() == [-7, 3_000_000_000]


def test_without_header() -> None:
    table = parse_csv(b"1,x\n2,y\n", "f", header=False)
    assert table.names == ("x0", "x1")
    assert len(table) == 2
    assert "x0 to x1" in table.notes[0]


def test_encodings() -> None:
    text = "name,n\nZoë,1\n"
    for encoding in ("latin-1", "utf-16", "utf-8-sig", "cp1252", "utf-32"):
        assert parse_csv(text.encode(encoding), "f", encoding)["name"].tolist() == ["Zoë"]
    assert parse_csv("名,数\n猫,1\n".encode("gb18030"), "f", "gb18030").names == ("名", "数")
    for wrong in ("utf-9", "base64", "rot13", "", "a\0", None):
        with pytest.raises(SettingError, match="there is no text encoding"):
            parse_csv(b"a\n1\n", "f", wrong)  # type: ignore[arg-type]


def test_quoted_line_ends_do_not_shift_line_numbers() -> None:
    with pytest.raises(DataError, match=r"f\.csv:5: the row is too long"):
        parse_csv(b'a,b\n"x\ny",1\nz,2\nw,3,4\n', "f.csv")


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tmp_path / "a.csv"
    plain.write_bytes(b"a,b\n1,x\n")
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(b"a,b\n1,x\n"))
    assert read(plain).fingerprint() == read(str(packed)).fingerprint()
    assert read(plain).source == str(plain)
    for name in ("a.tsv", "a.txt", "a.data", "a", "a.dat", "a.tab", "a.psv", "a.all-data"):
        (tmp_path / name).write_bytes(b"a,b\n1,x\n")
        assert read(tmp_path / name).names == ("a", "b")

    (tmp_path / "empty.csv").touch()
    (tmp_path / "cut.csv.gz").write_bytes(packed.read_bytes()[:-12])
    (tmp_path / "odd.feather").write_bytes(b"ARROW1\0\0aaaa")
    (tmp_path / "not.csv.gz").write_bytes(b"a,b\n1,2\n")
    for name, error, part in (
        ("none.csv", DataError, "no such file"),
        (".", DataError, "is a folder"),
        ("empty.csv", DataError, "is empty"),
        ("cut.csv.gz", FormatError, "damaged or cut short"),
        ("odd.feather", FormatError, "cannot be read; it is Arrow/Feather.*save it as CSV"),
        ("not.csv.gz", FormatError, "plain text, not gzip"),
        ("nul\0.csv", DataError, "cannot be read"),
    ):
        with pytest.raises(error, match=part):
            read(tmp_path / name)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.csv")
        with pytest.raises(DataError, match="pipe"):
            read(tmp_path / "pipe.csv")
        with pytest.raises(DataError, match="device"):
            read_csv("/dev/zero")

    def refuse(path: object) -> os.stat_result:
        raise PermissionError(13, "no")

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refuse)
        with pytest.raises(DataError, match="no permission"):
            read(plain)


def test_changed_while_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"a,b\n1,2\n")

    def grow(needed: int, where: str) -> None:
        with file.open("ab") as stream:
            stream.write(b"3,4\n")

    monkeypatch.setattr(opening, "room_for", grow)
    with pytest.raises(DataError, match="changed while it was read"):
        read(file)


LETTERS = st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0")
WORDS = st.text(LETTERS, min_size=1, max_size=8).map(str.strip).filter(
    lambda word: word not in MISSING
)  # fmt: skip
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.tuples(FLOATS, st.integers(-(2**63), 2**63 - 1), WORDS, st.none() | FLOATS),
        min_size=1,
        max_size=30,
    ),
    separator=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_round_trip(
    rows: list[tuple[float, int, str, float | None]], separator: str, end: str
) -> None:
    stream = io.StringIO()
    writer = csv.writer(
        stream, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_NONNUMERIC
    )
    writer.writerow(["real", "whole", "word", "gap"])
    # A word that is no number at all goes first, so that the column is surely text.
    rows = [(0.5, 1, "no number, really", None), *rows]
    for real, whole, word, gap in rows:
        writer.writerow([real, whole, "_" + word, "" if gap is None else gap])
    table = parse_csv(stream.getvalue().encode(), "f.csv")
    assert table.names == ("real", "whole", "word", "gap")
    assert table["real"].tolist() == [row[0] for row in rows]
    assert table["whole"].tolist() == [row[1] for row in rows]
    assert table["word"].tolist() == ["_" + row[2] for row in rows]
    gaps = [row[3] for row in rows]
    assert [None if math.isnan(v) else v for v in table["gap"].tolist()] == gaps


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=12) | st.from_regex(NUMBER, fullmatch=True))
@example("010000000000000001")
def test_a_plain_number_is_itself_and_no_cell_is_lost(cell: str) -> None:
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerow(["x", cell])
    data = b"k,v\n" + stream.getvalue().encode("utf-8", "ignore")
    try:
        table = parse_csv(data, "f.csv", header=True)
    except ChainruleError:
        return
    cell = cell.encode("utf-8", "ignore").decode().strip()
    if cell in MISSING:
        assert table.missing("v").all()
    elif cell.isascii() and cell.isdigit() and len(cell) > 1 and cell[0] == "0":
        assert table["v"].tolist() == [cell]
        wanted = float(cell) if too_wide(cell) else int(cell)
        assert parse_csv(data, "f.csv", kinds={"v": "number"})["v"].tolist() == [wanted]
    elif NUMBER.fullmatch(cell) and math.isfinite(float(cell)) and not too_wide(cell):
        assert table.matrix(["v"]).item() == float(cell)
    elif table.kind("v") == "text":
        assert table["v"].tolist() == [cell]
    else:
        assert parse_number(cell) is not None
        assert table.notes


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_a_table_or_a_clear_error(data: bytes) -> None:
    message = "f.csv"
    try:
        table = parse_csv(data, "f.csv")
    except (DataError, FormatError) as error:
        message = str(error)
    else:
        assert len(table) >= 1
        assert len(table.fingerprint()) == 64
    assert "f.csv" in message
