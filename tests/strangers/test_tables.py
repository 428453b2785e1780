"""Tables as they are: cells, names, layouts and targets of strangers' files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tests.cli.driver import as_json, good, run
from tests.strangers.odd_tables import rows, same

import chainrule as cr
from chainrule.cli import chainrule
from chainrule.datasets import Form, Preprocessor, Table, parse_csv, read
from chainrule.errors import SettingError

source = pytest.mark.source
NAN = float("nan")


# -- the minimal inputs of the list ----------------------------------------------------------------


def sums(odd: str, target: bool = False, percent: str = "") -> str:
    lines = []
    for i in range(400):
        x, z = i * 37 % 400 / 4 + 0.25, i % 10 / 10
        y: Any = 2 * x + z
        gap = bool(odd) and i % 10 == 0
        lines.append(
            f"{odd if gap and not target else x}{percent},{z},{odd if gap and target else y}"
        )
    return "x,z,y\n" + "\n".join(lines) + "\n"


def trained(*args: str) -> Any:
    return as_json(
        "train", *args, "--epochs", "40", "--engine", "numpy", "--hidden", "16", "--force"
    )


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@source("strangers 2")
@pytest.mark.parametrize("odd", ["NULL", "-", "**", "oops", "n/a"])
def test_a_tenth_of_words_in_a_column_of_numbers_leaves_the_rest(odd: str) -> None:
    Path("t.csv").write_text(sums(odd))
    told = trained("t.csv", "--target", "y")
    assert told["held_out"]["r2"] > 0.8
    assert any(odd in note for note in told["notes"])


@source("strangers 2")
@pytest.mark.parametrize("odd", ["NULL", "-", "oops", "n.d."])
def test_a_tenth_of_words_in_the_target_is_left_out(odd: str) -> None:
    Path("t.csv").write_text(sums(odd, target=True))
    told = trained("t.csv", "--target", "y")
    assert told["held_out"]["r2"] > 0.95
    assert told["split"]["training_rows"] + told["split"]["held_out_rows"] == 360
    assert any("40 of 400 rows have" in note for note in told["notes"])
    scores = as_json("evaluate", "t.safetensors", "t.csv")
    assert scores["same_data"] is True
    assert scores["held_out"]["r2"] == told["held_out"]["r2"]


@source("strangers 2")
def test_percentages_are_numbers() -> None:
    Path("t.csv").write_text(sums("", percent="%"))
    assert trained("t.csv", "--target", "y")["held_out"]["r2"] > 0.98
    Path("new.csv").write_text("x,z\n10%,0\n10,0\n")
    first, second = good("predict", "t.safetensors", "new.csv").split()[1:]
    assert first == second


@source("strangers 9")
@pytest.mark.parametrize("name", ["2021", "1950", "2099"])
def test_a_year_may_be_a_name(name: str) -> None:
    text = f"state,{name}\n" + "".join(f"s{i},{i - 20}\n" for i in range(40))
    table = parse_csv(text.encode(), "f")
    assert table.names == ("state", name)
    assert len(table) == 40
    assert any("--no-header" in note for note in table.notes)
    assert parse_csv(text.encode(), "f", header=False).names == ("x0", "x1")
    no_names = "".join(f"s{i},{i - 20}\n" for i in range(40)).encode()
    assert any("--header" in note for note in parse_csv(no_names, "f").notes)
    assert len(parse_csv(no_names, "f", header=True)) == 39


@source("strangers 13", "strangers 12")
def test_codes_among_numbers() -> None:
    lines = "".join(
        f"{i % 9},{'V57' if i % 60 == 1 else 250 + i % 40},{i % 2}\n" for i in range(200)
    )
    Path("icd.csv").write_text("stay,diag,t\n" + lines)
    told = trained("icd.csv", "--target", "t")
    (note,) = (note for note in told["notes"] if "kept beside them" in note)
    for part in ("4 cells of 'diag'", "'V57' (line 3)", "--text diag", "--number diag"):
        assert part in note
    assert not any(
        "V57" in n for n in trained("icd.csv", "--target", "t", "--without", "diag")["notes"]
    )
    told = trained("icd.csv", "--target", "t", "--text", "diag")
    assert any("'diag' became 41 columns" in note for note in told["notes"])
    Path("new.csv").write_text("stay,diag\n1,251\n")
    result = run("predict", "icd.safetensors", "new.csv")
    assert (result.exit_code, result.stderr) == (0, "")


@source("strangers 14")
@pytest.mark.parametrize(
    "word",
    [
        *(
            "NULL",
            "None",
            "n/a",
            "#N/A",
            "<NA>",
            "NAN",
            "Nan",
            "-NaN",
            "na",
            "-",
            ".",
            "--",
            "none",
        ),
        *("#DIV/0!", "?", "NA", "N/A", "nan", "null"),
    ],
)
def test_the_usual_words_for_missing(word: str) -> None:
    cells = [word if i == 5 else str(20 + i) for i in range(60)]
    table = parse_csv(rows(cells), "f")
    assert table.missing("x").tolist() == [i == 5 for i in range(60)]
    assert any(f"{word} (1)" in note for note in table.notes)
    alone = parse_csv(rows(cells), "f", missing_words=["zz"])
    words = alone.words("x")
    assert words is not None
    assert words.categories == (word,)


@source("strangers 14")
def test_a_word_for_missing_in_a_row_to_predict() -> None:
    Path("ok.csv").write_text(
        "a,t\n" + "".join(f"{i},{'hi' if i > 30 else 'lo'}\n" for i in range(60))
    )
    trained("ok.csv", "--target", "t")
    Path("new.csv").write_text('a,pop\n5,"1,234"\nNULL,x\n55,#\n')
    result = run("predict", "ok.safetensors", "new.csv")
    assert result.stdout.split() == ["prediction", "lo", "lo", "hi"]
    assert "pop" not in result.stderr
    assert "says NULL (1)" in result.stderr
    table = read("ok.csv", {"a": "number"})
    assert table.kind("a") == "int"


@source("strangers 15", "UCI AirQuality", "fivethirtyeight pulitzer")
def test_decimal_commas() -> None:
    lines = "".join(f"{i},{i % 10};{100 + i},{i % 7}\n" for i in range(60))
    Path("euro.csv").write_text("breite;preis\n" + lines)
    assert trained("euro.csv", "--target", "preis")["held_out"]["r2"] > 0.5
    Path("new.csv").write_text("breite;z\n12,5;1\n")
    Path("same.csv").write_text("breite;z\n12.5;1\n")
    assert good("predict", "euro.safetensors", "new.csv") == good(
        "predict", "euro.safetensors", "same.csv"
    )
    Path("thousand.csv").write_text("breite;z\n1.234;1\n")
    Path("plain.csv").write_text("breite;z\n1234;1\n")
    told = run("predict", "euro.safetensors", "thousand.csv")
    assert told.stdout == good("predict", "euro.safetensors", "plain.csv")
    assert "read as 1234" in told.stderr


@source("strangers 15")
@pytest.mark.parametrize(
    ("text", "decimal", "values", "words"),
    [
        ('x,n\n"1,234",1\n"5,678",2\n', "", [1234, 5678], "--decimal ,"),
        ('x,n\n"1,234",1\n"5,678",2\n', ",", [1.234, 5.678], "decimal comma"),
        ("x;n\n1,234;1\n5,678;2\n", "", [1.234, 5.678], "--decimal ."),
        ("x;n\n1,234;1\n5,678;2\n", ".", [1234, 5678], "between thousands"),
        ("x;n\n1.234;1,5\n5.678;2,5\n", "", [1234, 5678], "--decimal ."),
        ("x;n\n1.234;1,5\n5.678;2,5\n", ".", [1.234, 5.678], "decimal comma"),
        ("x;n\n1.23;1,5\n5.678;2,5\n", "", [1.23, 5.678], "decimal comma"),
        ("x;n\n1.234,5;1\n5.678,25;2\n", "", [1234.5, 5678.25], "decimal comma"),
        ('x,n\n"1,234.5",1\n"5,678.25",2\n', "", [1234.5, 5678.25], "between thousands"),
        ('x,n\n"0,234",1\n"0,678",2\n', "", [0.234, 0.678], "decimal comma"),
        ('x,n\n"1,00,000",1\n"12,34,567",2\n', "", [100000, 1234567], "between thousands"),
        ("x,n\n1.234,1\n5.678,2\n", "", [1.234, 5.678], ""),
        ("x,n\n1.234,1\n5.678,2\n", ",", [1234, 5678], "between thousands"),
        ('x,n\n"1 234,5",1\n"5 678,25",2\n', "", [1234.5, 5678.25], "decimal comma"),
    ],
)
def test_which_sign_is_the_decimal_one(
    text: str, decimal: str, values: list[float], words: str
) -> None:
    table = parse_csv(text.encode(), "f", decimal=decimal)
    assert table["x"].tolist() == values
    assert any(words in note for note in table.notes) or not words


# -- names and layouts -----------------------------------------------------------------------------

LAYOUTS: list[tuple[str, str, tuple[str, ...], int]] = [
    ("numbers as names", "0,1,2\n0.5,2.5,7\n1.5,3.5,8\n", ("0", "1", "2"), 2),
    ("pandas' index and names", ",0,1\n0,0.5,7\n1,1.5,8\n", ("0", "1"), 2),
    ("years as names", "land,2019,2020\nUlm,1.5,2\nBonn,2,3\n", ("land", "2019", "2020"), 2),
    ("years as data", "2019,1.5\n2020,1.6\n2021,1.9\n", ("x0", "x1"), 3),
    ("doubled names", "a,b,a,a\n1,2,3,4\n", ("a", "b", "a.1", "a.2"), 1),
    ("doubled and taken", "a,a.1,a\n1,2,3\n", ("a", "a.1", "a.2"), 1),
    ("an empty name", "a,,b\n1,x,3\n2,y,4\n", ("a", "Unnamed: 1", "b"), 2),
    ("two empty last columns", "a;b;;\n1;2;;\n3;4;;\n", ("a", "b"), 2),
    ("an index with gaps", ",a\n5,1\n9,2\n", ("a",), 2),
    ("an index of names", '"","mpg"\n"Mazda",21\n"Fiat",32\n', ("mpg",), 2),
    ("an unnamed column of data", ",a\n5,1\n5,2\n", ("Unnamed: 0", "a"), 2),
    ("an R header", '"mpg" "cyl"\n"Mazda" 21 6\n"Fiat" 32 4\n', ("mpg", "cyl"), 2),
    ("an R header with tabs", "mpg\tcyl\nMazda\t21\t6\nFiat\t32\t4\n", ("mpg", "cyl"), 2),
    ("spaces", "   1.0   2.0\n  10.5  20.5\n", ("x0", "x1"), 2),
    (
        "spaces and tabs",
        '18.0 8 307.0\t"chevrolet"\n15.0 8 350.0\t"buick"\n',
        ("x0", "x1", "x2", "x3"),
        2,
    ),
    ("bars", "a|b\nx|1\ny|2\n", ("a", "b"), 2),
    ("a table in Markdown", "| a | b |\n|:--|--:|\n| x | 1 |\n", ("a", "b"), 1),
    ("comments above", "# x\n# y z\na,b\n1,2\n", ("a", "b"), 1),
    ("savetxt", "# a,b\n1.0,2.0\n3.0,4.0\n", ("a", "b"), 2),
    ("a column called #", "#,Name\n1,Bulbasaur\n2,Ivysaur\n", ("#", "Name"), 2),
    ("a comment within", "a,b\n1,2\n# so far by hand\n3,4\n", ("a", "b"), 2),
    ("a space behind quotes", '"a" ,"b"\n"x, y" ,1\n', ("a", "b"), 1),
    ("backslashes", 'a,b\n"say \\"hi\\", twice",1\n"z",2\n', ("a", "b"), 2),
    ("a path in quotes", 'a,b\n"C:\\dir\\",1\n"D:\\",2\n', ("a", "b"), 2),
    ("a separator line", "sep=|\na|b\n1|2\n", ("a", "b"), 1),
    ("rows cut short", "a,b,c\n1,2,3\n4,5\n6\n", ("a", "b", "c"), 3),
    ("tabs at the ends of rows", "a,b\n1,2\t\n3,4\t\n", ("a", "b"), 2),
    ("one column, commas behind", "a,\n1,\n2,\n", ("a",), 2),
    ("rows of empty cells", "a;b\n1;2\n;\n", ("a", "b"), 2),
    ("no names, all texts", "p,x\ne,x\np,y\ne,y\n", ("x0", "x1"), 4),
    ("no names, units", "12 kg,Ulm\n13 kg,Ulm\n", ("x0", "x1"), 2),
    ("names with units", "12h,24h\n1.5,2\n2.5,3\n", ("12h", "24h"), 2),
    ("a name and dates", "day,n\n2024-01-31,1\n2024-02-01,2\n", ("day", "n"), 2),
    ("no names, dates", "2024-01-31,1\n2024-02-01,2\n", ("x0", "x1"), 2),
    ("a mark and returns", "\ufeffa,b\r\n1,2\r\n", ("a", "b"), 1),
    ("one column", "a\n1\n2\n", ("a",), 2),
    ("commas in a table of spaces", "a b\n1,5 2\n2,5 3\n", ("a", "b"), 2),
    ("no first row of data", "1,2\n3,4\n", ("x0", "x1"), 2),
    ("a title", "Visitors 2020\n\na,b\n1,2\n3,4\n", ("a", "b"), 2),
    ("a title as wide as the rows", "Visitors,,\n,,\na,b,c\n1,2,3\n", ("a", "b", "c"), 1),
    ("a title of three words", "Men and women\na\tb\tc\n1\t2\t3\n", ("a", "b", "c"), 1),
    ("a title above semicolons", "Ulm, 2020\na;b;c\n1,5;2;x\n", ("a", "b", "c"), 1),
    ("comments by %", "% one\n% two\na,b\n1,2\n", ("a", "b"), 1),
    ("comments by //, no names", "// one\n1,2,3\n4,5,6\n", ("x0", "x1", "x2"), 2),
    ("an R header of one name", "mpg\nMazda,21\nFiat,32\n", ("mpg",), 2),
    ("an R header, a name empty", "a,,c\nr,1,2,3\ns,2,3,4\n", ("a", "Unnamed: 1", "c"), 2),
    ("a name above blank ones", "a,,\n1,2,3\n4,5,6\n", ("a", "Unnamed: 1", "Unnamed: 2"), 2),
    ("errors behind numbers", "x\ty\n1.2 (0.1)\t1\n3.4 (0.2)\t2\n", ("x", "y"), 2),
    ("missing in the first row", "?,1.5\n3,4\n", ("x0", "x1"), 2),
]


@source("strangers 16", "strangers 18", "strangers 9")
@pytest.mark.parametrize(("what", "text", "names", "count"), LAYOUTS, ids=[c[0] for c in LAYOUTS])
def test_names_and_layouts(what: str, text: str, names: tuple[str, ...], count: int) -> None:
    table = parse_csv(text.encode(), "f")
    assert table.names == names
    assert len(table) == count


@source("strangers 18", "UCI iris.data", "UCI wdbc.data", "538 .dat")
@pytest.mark.parametrize(
    "ending", ["dat", "data", "tab", "psv", "test", "all-data", "data-numeric"]
)
def test_any_ending_will_do(ending: str) -> None:
    sign = {"tab": "\t", "psv": "|"}.get(ending, ",")
    Path(f"t.{ending}").write_text(f"a,b\n1,{'x'}\n2,y\n".replace(",", sign))
    assert read(f"t.{ending}").names == ("a", "b")
    assert read(f"t.{ending}")["a"].tolist() == [1, 2]


@source("strangers 18")
def test_the_cells_of_odd_layouts() -> None:
    def read_all(text: str) -> list[list[Any]]:
        table = parse_csv(text.encode(), "f")
        return [table[name].tolist() for name in table.names]

    assert read_all('a,b\n"say \\"hi\\", twice",1\n"z",2\n') == [['say "hi", twice', "z"], [1, 2]]
    assert read_all('a,b\n"C:\\dir\\",1\n"D:\\",2\n') == [["C:\\dir\\", "D:\\"], [1, 2]]
    assert read_all('"a" ,"b"\n"x, y" ,1\n') == [["x, y"], [1]]
    assert same(read_all("a,b,c\n1,2,3\n4,5\n6\n")[2], [3, NAN, NAN])
    assert read_all('mpg "c yl"\nMazda 21 6\n"Fiat X" 32 4\n') == [[21, 32], [6, 4]]


# -- cells -----------------------------------------------------------------------------------------


@source("strangers 2")
@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["$1.50", "$2", "-$3", "$-4", "5"], [1.5, 2, -3, -4, 5]),
        (["1.2M", "300k", "4", "1bn"], [1_200_000, 300_000, 4, 1e9]),
        (["€1.2M", "€300K", "€0"], [1_200_000, 300_000, 0]),
        (["12 years", "1 year", "3"], [12, 1, 3]),
        (["36 months", "60 months"], [36, 60]),
        (["5 m²", "6 m²", "7"], [5, 6, 7]),
        (["<0.5", "<0.7", "<1.5"], [0.5, 0.7, 1.5]),
        (["65+", "70+", "75+"], [65, 70, 75]),
        (['=""34""', '=""35""'], [34, 35]),
        (["3.4D+01", "2.0D-01"], [34, 0.2]),
        (["１２", "３４"], [12, 34]),
        (["50%", "0.5"], [50, 0.5]),
        (["1.5", "inf", "2.5", "3"], [1.5, NAN, 2.5, 3]),
        (["1.5", "1e400", "2.5", "3"], [1.5, NAN, 2.5, 3]),
        (["US$5", "US$6"], [5, 6]),
        (["5 EUR", "6 EUR"], [5, 6]),
        (["1,5", "2.5", "3"], [1.5, 2.5, 3]),
        (["300 K", "310 K"], [300, 310]),
        (["$(5.00)", "($5.00)", "$5.00"], [-5, -5, 5]),
        (["10+ years", "2 years", "3 years", "4 years"], [10, 2, 3, 4]),
        (["'1.5'", "'2'"], [1.5, 2]),
        (["١٢٫٥", "٣"], [12.5, 3]),
        (["1.2万", "3万", "5000", "1亿"], [12_000, 30_000, 5_000, 1e8]),
        (["5 stars", "1 star"], [5, 1]),
        (["1'234.50", "2"], [1234.5, 2]),
        (["1,23,456", "10"], [123_456, 10]),
    ],
)
def test_numbers_as_people_write_them(cells: list[str], values: list[float]) -> None:
    table = parse_csv(rows(cells), "f")
    assert table.kind("x") != "text"
    assert same(table["x"], values)
    assert table.notes


@source(
    "strangers 13",
    "DAAG hotspots",
    "MASS Insurance",
    "openintro kobe_basket",
    "vcdExtra ICU",
    "nace_rev2",
)
@pytest.mark.parametrize(
    "cells",
    [
        ["<40", ">=40", "<40"],
        ["<=20", ">50", "20-50"],
        ["18-64", "65+"],
        ["12 kg", "13 lb", "14 kg"],
        ["1st", "2nd", "3rd"],
        ["V57", "E909", "A1"],
        ["71Yes", "No"],
        ["control", "6-MP"],
        ["01", "01.1", "A"],
        ["007", "012"],
        ["yes", "100"],
        ["1935-", "1940-"],
        ["1.2±0.1", "3.4±0.2"],
        ["1.2 (0.5-1.8)", "2 (1-3)"],
        ["5'11", "6'0"],
        ["12345-6789", "54321"],
        ["10.0.0.1", "10.0.0.2"],
        ["1/2", "3/4"],
        ["$5", "€6", "£7"],
        ["+", "-", "+"],
        ["0x1F", "0xFF"],
        ["99999999999999999999", "99999999999999999998"],
        ["True", "False"],
        ["", "word"],
    ],
)  # fmt: skip
def test_texts_stay_texts(cells: list[str]) -> None:
    assert parse_csv(rows(cells), "f")["x"].tolist() == cells


@source("openintro kobe_basket", "DAAG hotspots", "MASS Cars93", "mosaicData Galton")
@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["1", "2", "3", "4", "1OT"], ["1OT"]),
        (["12", "14", "16", "12A"], ["12A"]),
        (["4", "6", "8", "rotary"], ["rotary"]),
        (["98108", "98117", "98136", "98115-4820"], ["98115-4820"]),
    ],
)
def test_codes_are_not_taken_for_units(cells: list[str], words: list[str]) -> None:
    table = parse_csv(rows(cells), "f")
    beside = table.words("x")
    assert beside is not None
    assert list(beside.categories) == words
    prepared = Preprocessor.fit(
        Table.from_blocks(["x", "t"], [(["x"], np.asarray(table["x"]).reshape(-1, 1).copy())],
                        {}, "s", more={"t": [0, 1, *[0] * (len(cells) - 2)]}, words={"x": beside}), "t",
    )  # fmt: skip
    assert prepared.features == ("x", *(f"x={word}" for word in words))


# -- dates, kinds, what is kept ----------------------------------------------------------------------


@source("strangers 2")
@pytest.mark.parametrize(
    ("cells", "days"),
    [
        (["1970-01-02", "1971-01-01", "NA"], [1, 365, NAN]),
        (
            ["1970-01-01 12:00", "1970-01-02T06:00:00Z", "1970-01-02 00:00:00+02:00"],
            [0.5, 1.25, 1 - 2 / 24],
        ),
        (["13/1/1970", "2/1/1970"], [12, 1]),
        (["1/13/1970", "1/2/1970"], [12, 1]),
        (["2.1.1970", "31.1.1970"], [1, 30]),
        (["Jan 2, 1970", "2 February 1970"], [1, 32]),
        (["19700102", "19700103"], [1, 2]),
        (["1970-02", "1970-03"], [31, 59]),
        (["1970年1月2日", "1970年2月1日"], [1, 31]),
        (["1/2/70 1:00 PM", "1/3/70 12:00 AM"], [1 + 13 / 24, 2]),
        (["1970-01-02", "soon"], [1, NAN]),
    ],
)
def test_dates_are_days(cells: list[str], days: list[float]) -> None:
    table = parse_csv(rows(cells, "d"), "f", kinds={"d": "date"})
    np.testing.assert_allclose(table["d"], days, rtol=0, atol=1e-9)


@source("strangers 2")
def test_dates_that_can_be_read_in_two_ways_say_so() -> None:
    text = rows(["3/4/1970", "5/6/1970"], "d")
    table = parse_csv(text, "f", kinds={"d": "date"})
    assert any("--day-first" in note for note in table.notes)
    assert table["d"].tolist() == [62, 125]
    other = parse_csv(text, "f", kinds={"d": "date"}, day_first=True)
    assert other["d"].tolist() == [92, 155]
    assert not any("--day-first" in note for note in other.notes)


@source("plotly/datasets space-mission-data.csv", "plotly/datasets supermarket_sales.csv")
@pytest.mark.parametrize(
    ("cells", "days"),
    [
        (["1970-01-02", "NA", "1970-01-11"], [1, NAN, 10]),
        (["1/5/1970", "1/13/1970"], [4, 12]),  # supermarket_sales.csv
        (["12/8/1970", "24/08/1970"], [223, 235]),  # olympic-winners.csv
        (["1/2/70 4:00", "1/13/70 12:00"], [1 + 1 / 6, 12.5]),  # fivethirtyeight masculinity-survey
        (["January 2, 1970", "Feb 1, 1970"], [1, 31]),
        (["18:00", "6:00:00"], [0.75, 0.25]),
    ],
)
def test_a_column_of_dates_is_dates(cells: list[str], days: list[float]) -> None:
    table = parse_csv(rows(cells, "d"), "f")
    np.testing.assert_allclose(table["d"], days, rtol=0, atol=1e-9)
    form = table.form("d")
    assert form is not None
    assert form.kind == "date"
    assert any("--text d" in note for note in table.notes)
    assert parse_csv(rows(cells, "d"), "f", kinds={"d": "text"}).kind("d") == "text"


@source("neighbours of plotly/datasets supermarket_sales.csv")
@pytest.mark.parametrize(
    "cells",
    [
        ["1/5/2019", "2/6/2019"],  # in two orders
        ["13/1/2019", "1/13/2019"],  # each in another one
        ["10-12-55", "11-10-54"],  # codes
        ["1.2.03", "1.2.04"],  # versions
        ["2019-01-05", "soon", "later"],
        ["2019-01-05", "18:00"],
        ["98:87", "101:99"],  # results of games
    ],
)
def test_what_may_be_no_date_stays_text(cells: list[str]) -> None:
    table = parse_csv(rows(cells, "d"), "f")
    assert table.kind("d") == "text"
    assert table["d"].tolist() == cells


@source("plotly/datasets olympic-winners.csv")
def test_dates_are_learnt_from_and_later_rows_are_read_alike() -> None:
    days = [(i % 28 + 1, i % 12 + 1) for i in range(300)]
    lines = "".join(
        f"{day}/{month}/2012,{month + i / 300}\n" for i, (day, month) in enumerate(days)
    )
    Path("t.csv").write_text("day,y\n" + lines)
    told = trained("t.csv", "--target", "y")
    assert told["held_out"]["r2"] > 0.9
    assert any("as month, day of the month" in note for note in told["notes"])
    Path("new.csv").write_text("day\n3/4/2012\n2012-04-03\nsoon\n")
    result = run("predict", "t.safetensors", "new.csv")
    first, second, _ = result.stdout.split()[1:]
    assert first == second
    assert "is no date and counts as missing, such as 'soon'" in result.stderr


@source("selva86/datasets Life_Expectancy_Data.csv")
def test_a_target_may_be_named_with_the_spaces_of_its_file() -> None:
    Path("t.csv").write_text(
        "a,life \n" + "".join(f"{i % 7},{i % 7 * 2.5 + i}\n" for i in range(40))
    )
    trained("t.csv", "--target", "life ")
    assert as_json("predict", "t.safetensors", "t.csv")["target"] == "life"


@source("neighbours of plotly/datasets supermarket_sales.csv")
def test_a_target_of_dates_is_said_to_be_days() -> None:
    lines = "".join(f"{i},2024-03-{i % 28 + 1:02}\n" for i in range(60))
    Path("t.csv").write_text("a,when\n" + lines)
    notes = trained("t.csv", "--target", "when")["notes"]
    assert "'when' holds dates or times: what is predicted are days since 1970-01-01." in notes


@source("jbrownlee/Datasets wheat-seeds.csv")
def test_a_row_of_the_names_that_columns_without_names_got_is_a_header() -> None:
    cells = [(i % 7 / 2, i % 3, i % 2) for i in range(60)]
    lines = "".join(f"{a},{b},{c}\n" for a, b, c in cells)
    Path("t.csv").write_text(lines)
    assert trained("t.csv", "--target", "x2")["data"]["header"] is False
    plain = good("predict", "t.safetensors", "t.csv")
    assert len(plain.split()) == 61
    Path("turned.csv").write_text("x1,x0\n" + "".join(f"{b},{a}\n" for a, b, _ in cells))
    assert good("predict", "t.safetensors", "turned.csv") == plain
    Path("named.csv").write_text("x0,x1,x2\n" + lines)
    trained("named.csv", "--target", "x2")
    assert len(good("predict", "named.safetensors", "named.csv").split()) == 61


@source("fivethirtyeight/data food-world-cup-data.csv")
@pytest.mark.parametrize("kept", ["mac-roman", "cp1252", "utf-16"])
def test_later_rows_may_be_in_utf8_whatever_the_training_file_was_in(kept: str) -> None:
    lines = "".join(f"{'groß' if i % 2 else 'klein'},{i % 7},{i % 2}\n" for i in range(60))
    text = "größe,stück,y\n" + lines
    Path("t.csv").write_bytes(text.encode(kept))
    trained("t.csv", "--target", "y", "--encoding", kept)
    before = run("predict", "t.safetensors", "t.csv")
    Path("new.csv").write_bytes(text.encode())
    after = run("predict", "t.safetensors", "new.csv")
    assert after.stdout == before.stdout
    assert len(set(after.stdout.split())) == 3
    assert "do not have" not in after.stderr
    piped = CliRunner().invoke(chainrule, ["predict", "t.safetensors", "-"], text.encode())
    assert piped.stdout == before.stdout
    Path("other.csv").write_bytes("größe,stück\nmaß,1\n".encode("cp1252"))
    if kept == "cp1252":
        assert (
            "1 cell in 'größe' holds a text" in run("predict", "t.safetensors", "other.csv").stderr
        )


@source("DJCordhose/big-data-visualization Stadtteilprofile_2014.csv")
def test_a_sign_may_stand_apart_from_its_number() -> None:
    table = parse_csv(b"Saldo;Rest\n 71    ;1,5\n-  23    ;2,5\n- 1 056;3,5\n", "f")
    assert table["Saldo"].tolist() == [71, -23, -1056]


@source("strangers 12", "strangers 13")
def test_what_is_said_of_columns_is_kept_with_the_model() -> None:
    lines = "".join(
        f"{i % 7}.50;{'abc'[i % 3]}{i % 2};{i % 28 + 1}.1.2024;{i if i % 5 else 'k.A.'};{i % 2}\n"
        for i in range(80)
    )
    Path("t.csv").write_text("code;w;d;m;t\n" + lines)
    options = ["--text", "code", "--date", "d", "--number", "m", "--missing-words", "k.A.,NA"]
    told = trained("t.csv", "--target", "t", *options, "--day-first")
    assert told["data"]["kinds"] == {"code": "text", "m": "number", "d": "date"}
    assert told["data"]["missing_words"] == "k.A.,NA"
    assert as_json("evaluate", "t.safetensors", "t.csv")["same_data"] is True
    found = cr.load_model("t.safetensors").preparation
    assert found is not None
    assert found.kinds == {"code": "text", "w": "text", "d": "date", "m": "number", "t": "number"}
    Path("new.csv").write_text("code;w;d;m\n3.50;a1;2.1.2024;k.A.\n3.50;a1;2024-01-02;NA\n")
    result = run("predict", "t.safetensors", "new.csv")
    first, second = result.stdout.split()[1:]
    assert first == second
    assert "k.A. (1)" in result.stderr


@source("strangers 2")
def test_the_unit_of_training_is_the_unit_of_later_rows() -> None:
    lines = "".join(f"{i} kg,{i * 2.5}\n" for i in range(60))
    Path("t.csv").write_text("w,y\n" + lines)
    trained("t.csv", "--target", "y")
    Path("new.csv").write_text("w\n30 lb\n30 kg\n30\n")
    result = run("predict", "t.safetensors", "new.csv")
    pounds, kilograms, plain = result.stdout.split()[1:]
    assert kilograms == plain
    assert (
        "1 cell of 'w' is no number and counts as missing, such as '30 lb' (line 2)"
        in result.stderr
    )
    found = cr.load_model("t.safetensors").preparation
    assert found is not None
    assert found.forms["w"] == Form("number", "", "kg")
    assert Preprocessor.from_json(json.loads(json.dumps(found.to_json()))).forms == found.forms
    assert pounds != kilograms


@source("strangers 2")
def test_words_beside_numbers_are_learned_from() -> None:
    lines = "".join(f"{i if i % 3 else 'closed'},{i * 2.0 if i % 3 else 500}\n" for i in range(300))
    Path("t.csv").write_text("x,y\n" + lines)
    told = (
        trained("t.csv", "--target", "y", "--epochs", "200")
        if False
        else trained("t.csv", "--target", "y")
    )
    assert any("became 1 more column (closed)" in note for note in told["notes"])
    assert told["held_out"]["r2"] > 0.8
    Path("new.csv").write_text("x\nclosed\n10\nopen\n")
    result = run("predict", "t.safetensors", "new.csv")
    assert "holds a text that the training rows do not have" in result.stderr
    assert as_json("evaluate", "t.safetensors", "t.csv")["same_data"] is True


@source("strangers 2")
@pytest.mark.parametrize(
    "cells", [[f"{i}:{i % 60:02}" for i in range(300)], [f"{i} {'ab'[i % 2]}b" for i in range(300)]]
)
def test_a_target_of_hundreds_of_classes_is_asked_about(cells: list[str]) -> None:
    Path("t.csv").write_text("x,y\n" + "".join(f"{i},{c}\n" for i, c in enumerate(cells)))
    result = run("train", "t.csv")
    assert result.exit_code == 2
    assert "different texts in 300 rows" in result.stderr
    assert "--number" in result.stderr
    assert "--task classification" in result.stderr


# -- evaluate ----------------------------------------------------------------------------------------


@source("strangers evaluate")
@pytest.mark.parametrize("labels", ["ab", "01"])
def test_labels_that_training_did_not_have_count_as_wrong_and_are_named(labels: str) -> None:
    Path("t.csv").write_text("x,y\n" + "".join(f"{i},{labels[i > 30]}\n" for i in range(60)))
    trained("t.csv", "--target", "y")
    Path("new.csv").write_text(f"x,y\n2,{labels[0]}\n55,{labels[1]}\n3,zebra\n4,7\n5,zebra\n6,\n")
    result = run("evaluate", "t.safetensors", "new.csv")
    assert result.exit_code == 0
    assert "40.0%  (2 of 5 rows)" in result.stdout
    assert (
        "3 rows are of a class that the training rows do not have: 'zebra' (2), '7' (1)."
        in result.stderr
    )
    told = as_json("evaluate", "t.safetensors", "new.csv")["all"]
    assert told["accuracy"] == 0.4
    assert sum(map(sum, told["confusion_matrix"])) == 5
    Path("none.csv").write_text("x,y\n3,zebra\n")
    assert as_json("evaluate", "t.safetensors", "none.csv")["all"]["accuracy"] == 0


@source("strangers 2")
def test_texts_that_are_left_out_come_with_a_guess() -> None:
    table = Table({"x": [f"{i}±0.{i}" for i in range(120)], "z": [1, 2] * 60, "y": [0, 1] * 60})
    notes = " ".join(Preprocessor.fit(table, "y").notes)
    assert "'x' was left out: 120 distinct texts in 120 rows." in notes
    assert "(If they are numbers, such as '0±0.0', write them as 12.5.)" in notes


@source("strangers kinds")
def test_what_is_said_must_be_possible() -> None:
    wrong: Any
    for wrong in ({"x": "nmber"}, {"x": 3}):
        with pytest.raises(SettingError, match="kinds: what 'x' holds"):
            parse_csv(b"x\n1\n", "f", kinds=wrong)
    with pytest.raises(SettingError, match="decimal"):
        parse_csv(b"x\n1\n", "f", decimal=";")
    with pytest.raises(SettingError, match="missing_words"):
        parse_csv(b"x\n1\n", "f", missing_words="NA")
