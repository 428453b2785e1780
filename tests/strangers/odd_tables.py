"""Tables as strangers write them: random ones, with the oddities of their cells and of their files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["NUMBERS", "Odd", "odd_file", "rows", "same"]

Rng = np.random.Generator
Cells = list[str]

#: How one number may be written, what decimal sign it has, and how it reads.
NUMBERS: dict[str, Callable[[float], str]] = {
    "percent": lambda v: f"{v}%",
    "percent apart": lambda v: f"{v} %",
    "dollars": lambda v: f"${v}" if v >= 0 else f"-${-v}",
    "euros": lambda v: f"{v} €",
    "pounds": lambda v: f"£{v}" if v >= 0 else f"-£{-v}",
    "code of a currency": lambda v: f"{v} USD",
    "kilograms": lambda v: f"{v} kg",
    "km/h": lambda v: f"{v}km/h",
    "degrees": lambda v: f"{v}°C",
    "thousands": lambda v: f"{v:,}",
    "thousands by spaces": lambda v: f"{v:,}".replace(",", " "),
    "thousands by thin spaces": lambda v: f"{v:,}".replace(",", "\u202f"),
    "thousands by apostrophes": lambda v: f"{v:,}".replace(",", "'"),
    "thousands by underscores": lambda v: f"{v:,}".replace(",", "_"),
    "parentheses": lambda v: f"({-v})" if v < 0 else f"{v}",
    "parentheses and dollars": lambda v: f"(${-v:,})" if v < 0 else f"${v:,}",
    "minus sign": lambda v: f"{v}".replace("-", "−"),
    "plus sign": lambda v: f"+{v}" if v >= 0 else f"{v}",
    "star": lambda v: f"{v}*",
    "two stars": lambda v: f"{v}**",
    "dagger": lambda v: f"{v} †",
    "note in brackets": lambda v: f"{v}[1]",
    "note as superscript": lambda v: f"{v}²",
    "about": lambda v: f"~{v}",
    "below": lambda v: f"<{v}",
    "at least": lambda v: f"≥ {v}",
    "or more": lambda v: f"{v}+",
    "circa": lambda v: f"ca. {v}",
    "formula": lambda v: f'="{v}"',
    "quoted for a spreadsheet": lambda v: f"'{v}",
    "single quotes": lambda v: f"'{v}'",
    "Fortran": lambda v: f"{v:.12E}".replace("E", "D"),
    "exponent": lambda v: f"{v:.12e}",
    "full width": lambda v: f"{v}".translate(
        str.maketrans("0123456789.", "０１２３４５６７８９．")
    ),
    "Arabic digits": lambda v: f"{v}".translate(str.maketrans("0123456789.", "٠١٢٣٤٥٦٧٨٩٫")),
    "dollars outside parentheses": lambda v: f"$({-v})" if v < 0 else f"${v}",
    "spaces around": lambda v: f"  {v}\t",
    "no-break space": lambda v: f"\u00a0{v}\u00a0",
}
MISSING = (
    *(
        "",
        "NA",
        "N/A",
        "n/a",
        "NaN",
        "nan",
        "NAN",
        "-NaN",
        "na",
        "NULL",
        "null",
        "#N/A",
        "<NA>",
        "?",
    ),
    *("None", "none", "-", "--", ".", "**", "#DIV/0!", "n.a."),
)
WORDS = ("Ulm", "Bonn", "Kiel", "New York", "O'Hara", "a/b", "x1", "Ärzte", "yes; no", "5 or 6")

#: What may be odd about the file: by name, how the rows become text, and with which names.
FILES = (
    "commas", "semicolons", "tabs", "bars", "framed bars", "spaces", "quoted", "space behind quotes",
    "backslashes", "comments", "sep line", "no names", "numbers as names", "years as names",
    "doubled names", "empty name", "blank last columns", "index", "index with gaps", "row names",
    "R header", "rows cut short", "trailing separators", "blank lines", "carriage returns", "mark",
    "title", "title as wide",
)  # fmt: skip


@dataclass
class Odd:
    """One file, and what is right to read from it: values (None: missing) by the names of the columns."""

    data: bytes
    columns: dict[str, list[float | str | None]]
    what: list[str] = field(default_factory=list)
    decimal: str = "."
    #: How pandas is told to read the same file, but for its numbers; and which columns it then has.
    options: dict[str, Any] = field(default_factory=dict)


def rows(cells: list[str], name: str = "x") -> bytes:
    """A table of one column, and another that counts."""
    return (f"{name},n\n" + "".join(f'"{c}",{i}\n' for i, c in enumerate(cells))).encode()


def same(found: Any, wanted: list[float]) -> bool:
    """Whether numbers are equal, missing ones at the same places."""
    return bool(np.array_equal(np.asarray(found, float), np.asarray(wanted, float), equal_nan=True))


def plain_columns(rng: Rng, rows: int) -> dict[str, list[float | str | None]]:
    """Some columns of numbers and texts, with gaps."""
    columns: dict[str, list[float | str | None]] = {}
    for j in range(int(rng.integers(2, 6))):
        kind = rng.integers(4)
        values: list[float | str | None]
        if kind == 0:
            values = [int(v) for v in rng.integers(-9_000_000, 9_000_000, rows)]
        elif kind == 1:
            values = [round(float(v), 3) + 0.0001 for v in rng.normal(0, 1000, rows)]
            values = [round(v, 4) for v in values if isinstance(v, float)]
        elif kind == 2:
            values = [int(v) + 0.25 for v in rng.integers(-99, 99, rows)]
        else:
            values = [WORDS[k] for k in rng.integers(len(WORDS), size=rows)]
        if rng.integers(2):
            gaps = rng.random(rows) < rng.choice([0.02, 0.3])
            values = [None if gap else v for gap, v in zip(gaps, values, strict=True)]
        columns[f"{'abcdefgh'[j]}{['', ' b', '_1', '%', 'é'][rng.integers(5)]}"] = values
    first = next(iter(columns))
    columns[first] = [
        int(v) if v % 3 else v + 0.5 for v in rng.integers(-99_999, 99_999, rows).tolist()
    ]
    return columns


def odd_file(rng: Rng, rows: int | None = None, share: float | None = None) -> Odd:
    """A random table, with odd cells in its columns of numbers, in a file of some oddities."""
    rows = rows or int(rng.integers(25, 90))
    columns = plain_columns(rng, rows)
    what: list[str] = []
    written: dict[str, Cells] = {}
    numeric = [n for n, v in columns.items() if not any(isinstance(c, str) for c in v)]
    comma = rng.random() < 0.2
    for name, values in columns.items():
        if name not in numeric:
            written[name] = ["" if v is None else str(v) for v in values]
            continue
        odd = [NUMBERS[k] for k in rng.choice(list(NUMBERS), rng.integers(0, 3), replace=False)]
        part = share if share is not None else float(rng.choice([0.01, 0.05, 0.1, 0.3, 1.0]))
        if comma or len(odd) > 1 or (odd and part < 1 and rng.random() < 0.2):
            odd = odd[:1]
        if comma:
            odd = []
        words = rng.choice(MISSING, 3)
        cells = []
        for i, value in enumerate(values):
            if value is None:
                cells.append(str(words[i % 3]))
                continue
            assert not isinstance(value, str)
            if odd and rng.random() < part:
                cells.append(odd[i % len(odd)](value))
            else:
                cells.append(str(value).replace(".", ",") if comma else str(value))
        written[name] = cells
        what += [k for k, way in NUMBERS.items() if way in odd]
    if comma:
        what.append("decimal commas")
    table = Odd(b"", columns, what, "," if comma else ".")
    table.data = _file(rng, table, written, comma)
    return table


SEPARATORS = {"semicolons": ";", "tabs": "\t", "bars": "|", "framed bars": "|", "spaces": " "}


def _file(rng: Rng, odd: Odd, written: dict[str, Cells], comma: bool) -> bytes:
    """The bytes of the file; `odd` is told what was done and how the columns are called then."""
    rows = [list(row) for row in zip(*written.values(), strict=True)]
    chosen = {str(k) for k in rng.choice(FILES, rng.integers(1, 4), replace=False)}
    separator = next((SEPARATORS[k] for k in SEPARATORS if k in chosen), ",")
    if comma and separator == ",":
        separator = ";"
    if separator == " ":
        chosen -= {"empty name", "blank last columns", "rows cut short", "trailing separators"}
        chosen -= {"sep line", "title", "title as wide"}
    if separator == "|":
        chosen -= {"title", "title as wide"}
    if separator != "|":
        chosen -= {"framed bars"}
    if "framed bars" in chosen:
        chosen -= {"sep line", "rows cut short", "trailing separators"}
    if "R header" in chosen and (separator == " " or "framed bars" in chosen):
        chosen = chosen - {"R header"} | {"row names"}
    if "no names" in chosen and not any(_plain(cell) for cell in rows[0]):
        chosen.remove("no names")
    if "no names" in chosen:
        chosen -= {"title as wide"}  # which would be names
    if {"doubled names", "numbers as names", "no names"} & chosen:
        chosen -= {"empty name"}
    odd.what += sorted(chosen)
    odd.options = {"sep": r"\s+" if separator == " " else separator, "dtype": str, "header": 0}
    odd.options |= {"skipinitialspace": separator != "\t", "keep_default_na": False}
    names = _names(odd, list(written), rows, chosen)
    _widths(odd, names, rows, chosen)
    text = _text(names, rows, separator, chosen)
    odd.options["skiprows"] = 0
    for what, above in (
        ("title", "Visitors in May\n\n"),
        ("title as wide", f"Visitors{separator * (len(rows[0]) - 1)}\n"),
        ("comments", "# taken in May\n# by hand\n"),
        ("sep line", f"sep={separator}\n"),
    ):
        if what in chosen and ("sep line" not in chosen or what == "sep line"):
            text = above + text
            odd.options["skiprows"] += above.count("\n")
    if "blank lines" in chosen:
        *most, last, end = text.split("\n")
        text = "\n".join([*most, "", last, end, ""])
    if "carriage returns" in chosen:
        text = text.replace("\n", "\r\n")
    mark = "mark" in chosen and not odd.options["skiprows"]
    return (b"\xef\xbb\xbf" if mark else b"") + text.encode()


def _names(odd: Odd, names: list[str], rows: list[list[str]], chosen: set[str]) -> list[str]:
    """The row of names, none if there is to be none; and the columns of the rows' own names."""
    values = list(odd.columns.values())
    called = list(names)
    if "numbers as names" in chosen:
        called = names = [str(j) for j in range(len(names))]
    elif "years as names" in chosen:
        called = names = [str(1990 + j) for j in range(len(names))]
    elif "doubled names" in chosen and len(names) > 2:
        names = [*names[:2], names[1], *names[3:]]
        called = [*names[:2], f"{names[1]}.1", *names[3:]]
    indexed = {"index", "index with gaps", "row names", "R header"} & chosen
    indexed = set() if "no names" in chosen else indexed
    if "empty name" in chosen and len(names) > 2:
        names = [names[0], "", *names[2:]]
        place = 2 if indexed and "R header" not in chosen else 1
        called = [called[0], f"Unnamed: {place}", *called[2:]]
    if "no names" in chosen:
        names, called = [], [f"x{j}" for j in range(len(values))]
        odd.options["header"] = None
    if indexed:
        for i, row in enumerate(rows):
            gap = 1 if "index" in chosen else 3
            row.insert(0, f"row {i}" if "row names" in chosen else str(i * gap))
        if "R header" not in chosen:
            names = ["", *names]
        odd.options["index_col"] = 0
    odd.columns = dict(zip(called, values, strict=True))
    return names


def _widths(odd: Odd, names: list[str], rows: list[list[str]], chosen: set[str]) -> None:
    """Cells too many or too few at the ends of rows."""
    if not names or "R header" in chosen:
        return
    if "blank last columns" in chosen:
        names += ["", ""]
        for row in rows:
            row += ["", ""]
    elif "rows cut short" in chosen:
        last = list(odd.columns)[-1]
        for i in range(3, len(rows), 7):
            rows[i].pop()
            odd.columns[last][i] = None
    elif "trailing separators" in chosen:
        odd.options["usecols"] = range(len(names))
        for row in rows[1::2]:
            row.append("")


def _plain(cell: str) -> bool:
    return cell.replace(".", "", 1).lstrip("-").isdigit()


def _text(names: list[str], rows: list[list[str]], separator: str, chosen: set[str]) -> str:
    stream = io.StringIO()
    backslash = "backslashes" in chosen
    quoted = bool({"quoted", "space behind quotes"} & chosen) or separator == " "
    writer = csv.writer(
        stream,
        delimiter=separator,
        lineterminator="\n",
        quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL,
        doublequote=not backslash,
        escapechar="\\" if backslash else None,
    )
    if names:
        writer.writerow(names)
    writer.writerows(rows)
    text = stream.getvalue()
    if "framed bars" in chosen:
        text = "".join(f"| {line} |\n" for line in text.splitlines())
    if "space behind quotes" in chosen and separator in ",;":
        text = text.replace(f'"{separator}', f'" {separator}')
    return text
