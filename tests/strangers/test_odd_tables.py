"""Files of random oddities, read as they are meant, and as pandas reads them with the right options."""

from __future__ import annotations

import io
import re
import unicodedata
from typing import Any

import numpy as np
import pytest
from tests.strangers.odd_tables import NUMBERS, Odd, odd_file, rows, same

from chainrule.datasets import parse_csv
from chainrule.datasets.cells import MISSING, NO_NUMBER

source = pytest.mark.source
NAN = float("nan")


def wrong(odd: Odd) -> str:
    """What of a generated file was not read as it is meant; nothing if all is right."""
    table = parse_csv(odd.data, "f.csv")
    if table.names != tuple(odd.columns):
        return f"names {table.names}, not {tuple(odd.columns)}"
    for name, values in odd.columns.items():
        if len(table) != len(values):
            return f"{len(table)} rows, not {len(values)}"
        if any(isinstance(value, str) for value in values):
            if table.kind(name) != "text" or table[name].tolist() != [v or "" for v in values]:
                return f"texts of {name!r}: {table[name][:5].tolist()}, not {values[:5]}"
        elif table.kind(name) == "text" or table.words(name) is not None:
            return f"kind of {name!r}: {table.notes}"
        else:
            wanted = np.array([NAN if v is None else v for v in values], float)
            if not np.allclose(
                table.matrix([name])[:, 0], wanted, rtol=1e-12, atol=0, equal_nan=True
            ):
                return f"numbers of {name!r}: {table[name][:5].tolist()}, not {values[:5]}"
    return ""


def check_generated(seeds: range) -> None:
    for seed in seeds:
        odd = odd_file(np.random.default_rng(seed))
        fault = wrong(odd)
        assert not fault, (seed, odd.what, fault, odd.data[:300])


@source("strangers 4")
def test_generated_files_are_read_as_they_are_meant() -> None:
    check_generated(range(300))


@pytest.mark.long
@source("strangers 4")
def test_many_generated_files_are_read_as_they_are_meant() -> None:
    check_generated(range(300, 12_300))


def by_pandas(odd: Odd) -> Any:
    """The frame that pandas reads once it is told all that is odd of the file but the numbers."""
    pandas: Any = pytest.importorskip("pandas")
    more: dict[str, Any] = {}
    framed = "framed bars" in odd.what
    if framed:
        more["usecols"] = range(1, max(line.count(b"|") for line in odd.data.splitlines()))
    if "backslashes" in odd.what:
        more["escapechar"] = "\\"
    frame = pandas.read_csv(io.BytesIO(odd.data), encoding="utf-8-sig", **odd.options | more)
    names = []
    for j, name in enumerate(frame.columns):
        if odd.options["header"] is None:
            name = f"x{j}"
        elif not re.sub(r"\.\d", "", name).strip() or (name.startswith("Unnamed") and framed):
            name = f"Unnamed: {j + ('index_col' in odd.options and 'R header' not in odd.what)}"
        name = re.sub(r" +(?=\.\d|$)", "", name.strip())
        names.append(f"{name}.1" if name in names else name)
    frame.columns = names
    return frame.loc[:, [name in odd.columns for name in names]]


def as_number(cell: str, decimal: str) -> float:
    """A number as the generator writes them, by taking off all that belongs to none."""
    cell = unicodedata.normalize("NFKC", cell.replace("²", "").replace("−", "-")).replace("[1]", "")
    if cell.strip() in MISSING | NO_NUMBER:
        return NAN
    cell = "".join(str(unicodedata.decimal(c, c)) for c in cell).replace("٫", ".")
    cell = cell.replace("ca.", "").replace("USD", "").replace("D", "e")
    sign = -1 if cell.strip("$").startswith("(") else 1
    cell = cell.replace(",", "." if decimal == "," else "")
    return sign * float("".join(c for c in cell if c in "0123456789.eE+-").removesuffix("+"))


def check_by_pandas(seeds: range) -> None:
    for seed in seeds:
        odd = odd_file(np.random.default_rng(seed))
        frame, table = by_pandas(odd), parse_csv(odd.data, "f.csv")
        told = (seed, odd.what, odd.data[:300])
        assert list(table.names) == list(frame.columns), told
        assert len(table) == len(frame), told
        for name in table.names:
            cells = ["" if c != c else c.strip() for c in frame[name].tolist()]
            if table.kind(name) == "text":
                assert table[name].tolist() == cells, (*told, name)
            else:
                numbers = [as_number(cell, odd.decimal) for cell in cells]
                assert same(table[name], numbers), (*told, name)


@source("strangers 4")
def test_generated_files_are_read_as_pandas_reads_them_given_the_right_options() -> None:
    check_by_pandas(range(20_000, 20_200))


@pytest.mark.long
@source("strangers 4")
def test_many_generated_files_are_read_as_pandas_reads_them_given_the_right_options() -> None:
    check_by_pandas(range(20_200, 31_000))


@source("strangers 2")
@pytest.mark.parametrize("way", NUMBERS)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_share_of_odd_cells_decides_nothing(way: str, sign: int) -> None:
    values = [sign * (i * 37 % 400 * 25 + 0.5) for i in range(400)]
    if way in ("formula", "quoted for a spreadsheet") and sign < 0:
        values = [-v for v in values]
    for share in (1, 5, 10, 30, 100):
        odd = {i for i in range(400) if i * 7 % 100 < share}
        cells = [NUMBERS[way](v) if i in odd else str(v) for i, v in enumerate(values)]
        text = "x\tn\n" + "".join(
            '"{}"\t{}\n'.format(c.replace('"', '""').replace("\t", " "), i)
            for i, c in enumerate(cells)
        )
        table = parse_csv(text.encode(), "f")
        assert np.allclose(table["x"], values, rtol=1e-12), share
        assert table.words("x") is None


@source("strangers 2")
@pytest.mark.parametrize("word", ["NULL", "oops", "At-Large", "see note", "V57", "n.d.", "."])
def test_words_among_numbers_have_one_verdict_whatever_their_share(word: str) -> None:
    for share in (1, 5, 10, 30, 60):
        cells = [word if i * 7 % 100 < share else str(i * 0.5) for i in range(400)]
        table = parse_csv(rows(cells), "f")
        assert table.kind("x") == "float", share
        wanted = [NAN if c == word else float(c) for c in cells]
        assert same(table["x"], wanted)
        words = table.words("x")
        assert any(word in note for note in table.notes), share
        if word in ("NULL", "n.d.", "."):
            assert words is None
            assert table.missing_counts() == {"x": cells.count(word)}
        else:
            assert words is not None
            assert words.decoded().tolist() == [word if c == word else "" for c in cells]
            assert table.missing_counts() == {}
