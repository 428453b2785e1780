"""The catalogue of bad data files (D1 to D26): an error with its place, or a note; never silence."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

from chainrule.cli import chainrule
from chainrule.datasets import Preprocessor, parse_csv, read
from chainrule.errors import ChainruleError, DataError, FormatError

COUNTED = b"".join(b"%d,%d,%s\n" % (i, i * i % 7, b"ab"[i % 2 : i % 2 + 1]) for i in range(40))

#: What is refused: the entry, the bytes of f.csv, the error, and parts of its sentence.
REFUSED: list[tuple[str, bytes, type[ChainruleError], list[str]]] = [
    ("D1 empty", b"", DataError, ["f.csv is empty", "row of names"]),
    ("D1 blank", b" \n\t\n", DataError, ["f.csv is empty"]),
    ("D2 header only", b"a,b\n", DataError, ["f.csv has 0 rows", "Add rows", "--no-header"]),
    ("D4 a row too long", b"a,b\n1,2\n3,4,5\n", DataError, ["f.csv:3", "Got 3 cells", "there are 2 columns"]),
    ("D4 several", b"a,b\n1,2\n" + b"1,2,3\n" * 6, DataError, ["f.csv:3", "line 4 has 3", "and 3 more rows"]),
    ("D6 Latin-1", "a,t\n1,x\n2,Köln\n".encode("latin-1"), FormatError,
     ["f.csv:3", "byte 0xf6 at offset 11", "--encoding cp1252"]),
    ("D6 GB 18030", "数,类\n1,猫\n".encode("gb18030"), FormatError, ["f.csv:1", "--encoding gb18030"]),
    ("D7 UTF-16", "a,b\n1,2\n".encode("utf-16"), FormatError, ["stored as UTF-16", "--encoding utf-16"]),
    ("D16 an open quote", b'a,t\n1,x\n2,"y\n3,z\n', FormatError, ["f.csv:3", "never closed"]),
    ("D17 NUL", b"a,t\n1,x\n2,\0\n", FormatError, ["f.csv:3", "NUL byte (offset 10; 1 in all)"]),
    ("D19 a cell of 2 MB", b"a,t\n1," + b"x" * 2_000_000 + b"\n", FormatError, ["f.csv:2", "longer than"]),
    ("D20 HTML", b"<!doctype html><p>gone</p>", FormatError, ["a web page (HTML), not CSV", "Download the"]),
    ("D20 gzip", gzip.compress(b"a,b\n1,2\n"), FormatError, ["this is gzip, not CSV", "ends in .gz"]),
    ("D20 zip", b"PK\x03\x04aaaa", FormatError, ["a zip file, not CSV", ".xlsx"]),
    ("D20 PNG", b"\x89PNG\r\n\x1a\n", FormatError, ["a PNG image, not CSV"]),
    ("D20 Parquet", b"PAR1\x15\x04\x15aPAR1", FormatError, ["Parquet, not CSV", "ends in .parquet"]),
    ("D20 SQLite", b"SQLite format 3\0" + bytes(9), FormatError, ["an SQLite database", "ends in .sqlite"]),
]  # fmt: skip

#: What is read with a note: the entry, the bytes, the first column as read, and the note.
NOTED: list[tuple[str, bytes, list[object], str]] = [
    ("D3 numbers as names", b"5.1,3.5,x\n4.9,3.0,y\n6.2,3.4,x\n", [5.1, 4.9, 6.2],
     "There is no row of names; the columns are x0 to x2. The first row holds data (5.1, 3.5, x)."
     " (If it holds names: header=True, --header.)"),
    ("D5 a row too short", b"a,b,t\n1,2,x\n3\n4,5,y\n", [1, 3, 4],
     "1 row is cut short (line 3: 1 of 3 cells); the cells that lack count as missing."),
    ("D9 semicolons", b"a;b\n1;2\n3;4\n", [1, 3], "The columns are separated by semicolons."),
    ("D9 tabs", b"a\tb\n1\t2\n3\t4\n", [1, 3], "The columns are separated by tabs."),
    ("D10 decimal commas", b"a;b\n1,5;2\n3,75;4\n", [1.5, 3.75],
     "2 cells of 'a' have a decimal comma, such as '1,5' (line 2), read as 1.5."),
    ("D10 thousands", b'a,b\n"1,234",1\n"2,500,000",2\n', [1234, 2500000],
     "2 cells of 'a' have signs between thousands, such as '1,234' (line 2), read as 1234."),
    ("D11 text in a number column", b"a,b\n" + b"".join(b"%d,1\n" % i for i in range(9)) + b"oops,2\n",
     [*range(9), float("nan")], "1 cell of 'a' is a word among the numbers and is kept beside them, such as"
     " 'oops' (line 11). (All as text: --text a; as missing: --number a, or --missing-words oops.)"),
    ("D12 words for missing", b"a,b\n1,2\nNA,3\n,4\nNULL,5\n?,6\n", [1] + [float("nan")] * 4,
     "3 cells of 'a' say NA (1), NULL (1), ? (1) and count as missing."
     " (If one is a value: --missing-words.)"),
    ("D12 infinite", b"a,b\n1,2\ninf,3\n2,4\n3,5\n", [1, float("nan"), 2, 3],
     "1 cell of 'a' is infinite and counts as missing, such as 'inf' (line 3)."),
    ("D13 1e400", b"a,b\n1e400,2\n3,4\n5,6\n7,8\n", [float("nan"), 3, 5, 7],
     "1 cell of 'a' is infinite and counts as missing, such as '1e400' (line 2)."),
    ("D14 30 digits", b"a,b\n" + b"1" * 30 + b",1\n2,2\n", ["1" * 30, "2"],
     "'a' holds whole numbers of more than 18 digits, so it is read as text. (As numbers: --number a.)"),
    ("D14 zip codes", b"a,b\n01234,1\n00501,2\n", ["01234", "00501"],
     "'a' holds numbers that begin with 0, so it is read as text. (As numbers: --number a.)"),
    ("D14 1_000", b"a,b\n1_000,1\n2_000,2\n", [1000, 2000],
     "2 cells of 'a' are numbers written another way, such as '1_000' (line 2), read as 1000."),
    ("D14 dates", b"a,b\n2024-01-31,1\n2024-02-01,2\n", [19753, 19754],
     "'a' holds dates or times, such as '2024-01-31' (line 2). (As texts: kinds={'a': 'text'} (--text a).)"),
    ("D14 dates in two orders", b"a,b\n1/2/2024,1\n2/3/2024,2\n", ["1/2/2024", "2/3/2024"],
     "'a' holds dates, and each is a text of its own. (As numbers of days: --date a.)"),
    ("D15 a doubled column", b"a,a,t\n1,2,x\n3,4,y\n", [1, 3],
     "1 name occurs more than once ('a'); the later columns are called 'a' with .1, .2 behind."),
    ("D18 blank lines", b"a,b\n1,2\n\n3,4\n", [1, 3], "1 blank line was skipped."),
    ("D18 commas at the end", b"a,b\n1,2,\n3,4,\n", [1, 3],
     "A separator at the end of 2 rows was taken off."),
    ("D18 padded names", b" a , b \n1,2\n3,4\n", [1, 3], "The spaces around 2 column names were taken off."),
    ("D22 constant", b"a,b\n1,2\n1,3\n", [1, 1], "1 column holds one value only: 'a'."),
    ("D22 all missing", b"a,b\n,2\n,3\n", [float("nan")] * 2, "1 column holds no value at all: 'a'."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "error", "parts"), REFUSED, ids=[r[0] for r in REFUSED])
def test_refused_with_place_and_advice(
    name: str, data: bytes, error: type[ChainruleError], parts: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(data)
    with pytest.raises(error) as caught:
        read(path)
    for part in parts:
        assert part in str(caught.value)
    result = CliRunner().invoke(chainrule, ["train", str(path)])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert not list(tmp_path.glob("*.safetensors"))


@pytest.mark.parametrize(("name", "data", "column", "note"), NOTED, ids=[n[0] for n in NOTED])
def test_read_with_a_note(name: str, data: bytes, column: list[object], note: str) -> None:
    table = parse_csv(data, "f.csv")
    found = table[table.names[0]].tolist()
    assert len(found) == len(column)
    assert all(a == b or (a != a and b != b) for a, b in zip(found, column, strict=True))
    assert note in table.notes


def test_d8_marks_and_line_ends_are_accepted_without_a_word() -> None:
    for data in (b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4", b"a,b\n1,2\n3,4\n", b"a,b\r1,2\r3,4"):
        table = parse_csv(data, "f.csv")
        assert (table.names, table["b"].tolist(), table.notes) == (("a", "b"), [2, 4], ())


def test_d12_gaps_are_counted_and_filled_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(b"a,b,label\n" + COUNTED.replace(b"3,2,b", b",2,b"))
    for missing, code, words in (
        ("error", 2, "1 of 40 rows has missing cells ('a' 1). Complete them, or say --missing fill or"),
        ("drop", 0, "1 row with missing cells is left out ('a' 1)."),
        ("fill", 0, "1 missing cell in 'a' was filled with the training median"),
    ):  # fmt: skip
        more = ["--epochs", "1", "--out", str(tmp_path / missing), "--validation", "0"]
        result = CliRunner().invoke(chainrule, ["train", str(path), "--missing", missing, *more])
        assert result.exit_code == code, result.output
        assert words in " ".join(result.output.split())


def test_d14_hexadecimal_stays_text_and_truths_are_said() -> None:
    table = parse_csv(b"a,b\n0x1F,True\n0x2A,False\n", "f.csv")
    assert table["a"].tolist() == ["0x1F", "0x2A"]
    assert table["b"].tolist() == ["True", "False"]


def test_d21_an_absent_target_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(b"a,b,label\n" + COUNTED)
    table = read(path)
    with pytest.raises(
        DataError, match="no column 'lable' to be the target; did you mean \"label\""
    ):
        Preprocessor.fit(table, "lable")
    result = CliRunner().invoke(chainrule, ["train", str(path), "--target", "lable"])
    assert result.exit_code == 2
    assert 'did you mean "label"? Columns: a, b, label.' in " ".join(result.output.split())


NPY: list[tuple[str, Callable[[], npt.NDArray[Any]], str]] = [
    ("D25 objects", lambda: np.array([[1, "x"]], dtype=object), "object"),
    ("D25 structured", lambda: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]), "numbers"),
    ("D25 three axes", lambda: np.zeros((2, 3, 4)), r"\(2, 3, 4\)"),
    ("D25 complex", lambda: np.zeros((2, 2), complex), "complex128"),
]


@pytest.mark.parametrize(("name", "make", "words"), NPY, ids=[n[0] for n in NPY])
def test_d25_arrays_that_are_no_table(
    name: str,
    make: Callable[[], npt.NDArray[Any]],
    words: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / "f.npy"
    np.save(path, make(), allow_pickle=True)
    with pytest.raises((DataError, FormatError), match=words):
        read(path)


def test_d25_npy_of_the_other_byte_order_and_truncated_and_bombs(tmp_path: Path) -> None:
    path = tmp_path / "f.npy"
    np.save(path, np.arange(6, dtype=">i4").reshape(3, 2))
    assert read(path)["x1"].tolist() == [1, 3, 5]
    whole = path.read_bytes()
    for data in (whole[:-1], whole + b"x", whole.replace(b"(3, 2)", b"(9, 2)"), whole[:30]):
        path.write_bytes(data)
        with pytest.raises(FormatError):
            read(path)
    bomb = whole.replace(b"(3, 2), }", b"(10000000, 10000000), }")
    path.write_bytes(bomb)
    with pytest.raises((DataError, FormatError)):
        read(path)


def test_d26_places_that_are_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="is a folder, not a file"):
        read(tmp_path)
    with pytest.raises(DataError, match="there is no such file"):
        read(tmp_path / "none.csv")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.csv")
        for place in (tmp_path / "pipe.csv", "/dev/zero"):
            with pytest.raises(DataError, match="a device or a pipe"):
                read(place)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")

    def refuse(path: object) -> os.stat_result:
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(DataError, match="no permission"):
        read(tmp_path / "a.csv")


ADDRESSES = [
    ("U1", "http://example.org/iris.csv"), ("U2 file", "file:///etc/passwd"), ("U2 ftp", "ftp://h/x.csv"),
    ("U2 data", "data:text/csv,a,b"), ("U3 loopback", "http://127.0.0.1:8000/x.csv"),
    ("U3 metadata", "http://169.254.169.254/latest"), ("U4", "https://example.org/moved"),
    ("U5", "https://example.org/404.csv"), ("U6", "https://example.org/endless"),
    ("U7", "https://example.org/x.csv#sha256=0"), ("U8", "https://user:secret@example.org/x.csv"),
    ("S3", "s3://bucket/x.parquet"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "address"), ADDRESSES, ids=[a[0] for a in ADDRESSES])
def test_addresses_are_not_opened_and_not_repeated(name: str, address: str) -> None:
    """chainrule takes files: nothing is fetched, so nothing can be redirected, endless or private."""
    with pytest.raises(DataError, match="files are read, and no addresses of a network") as caught:
        read(address)
    assert "secret" not in str(caught.value)
    for command in (["train", address], ["predict", address, "iris"], ["inspect", address]):
        result = CliRunner().invoke(chainrule, command)
        assert result.exit_code == 2
        assert "Get the file first, with a browser or with curl -LO" in " ".join(
            result.output.split()
        )
        assert "secret" not in result.output
