"""Preprocessor: what is learned from training rows, applied to others, and kept as JSON."""

from __future__ import annotations

import copy
import datetime as dt
import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.datasets import (
    Form,
    Preprocessor,
    Table,
    digits,
    load,
    parse_csv,
    penguins,
    rows_with_target,
    stratified_split,
)
from chainrule.errors import DataError, FormatError, SettingError


def small(**columns: object) -> Table:
    return Table(columns or {"a": [1.0, 2.0, 4.0, None], "t": ["p", "q", "p", "q"]}, "small")


def test_numbers_are_standardised_with_training_moments() -> None:
    table = load("iris")
    prepared = Preprocessor.fit(table, "species")
    x = prepared.transform(table)
    raw = table.drop("species").matrix()
    assert x.dtype == np.float32
    expected = ((raw - raw.mean(axis=0)) / raw.std(axis=0)).astype(np.float32)
    np.testing.assert_allclose(x, expected, rtol=1e-6, atol=1e-6)
    part = prepared.transform(table.rows([140, 3]))
    assert part.tobytes() == x[[140, 3]].tobytes()


def test_penguins_as_they_are() -> None:
    table = penguins()
    prepared = Preprocessor.fit(table, "species")
    assert prepared.classes == ("Adelie", "Chinstrap", "Gentoo")
    assert prepared.features[:4] == (
        "island=Biscoe", "island=Dream", "island=Torgersen", "bill_length_mm",
    )  # fmt: skip
    assert "sex=(missing)" in prepared.features
    text = "\n".join(prepared.notes)
    for part in (
        "2 missing cells in 'bill_length_mm' were filled with the training median 44.45.",
        "'island' became 3 columns (Biscoe, Dream, Torgersen).",
        "'sex' became 3 columns (female, male, (missing)), 11 cells missing.",
        "'species' has 3 classes: Adelie (152), Chinstrap (68), Gentoo (124).",
    ):
        assert part in text
    x = prepared.transform(table)
    assert np.isfinite(x).all()
    assert (x[:, :3].sum(axis=1) == 1).all()
    t = prepared.targets(table)
    assert t.dtype == np.int64
    assert prepared.labels(t).tolist() == table["species"].tolist()
    assert prepared.transform(table.drop("species")).tobytes() == x.tobytes()


def test_missing_numbers_become_the_median() -> None:
    table = small()
    prepared = Preprocessor.fit(table, "t")
    x = prepared.transform(table)
    mean, std = 7 / 3, np.std([1.0, 2.0, 4.0])
    np.testing.assert_allclose(x[3, 0], (2.0 - mean) / std, rtol=1e-6)
    assert prepared.warnings_for(table) == (
        "1 missing cell in 'a' was filled with the training median 2.",
    )


def test_gaps_in_many_columns_are_one_sentence() -> None:
    """The 40 questions of fivethirtyeight's food-world-cup-data.csv, each with gaps."""
    names = [f"q{i}" for i in range(12)]
    table = Table({**{name: [1.0, None, 3.0, 5.0] for name in names}, "t": [0, 1, 0, 1]})
    prepared = Preprocessor.fit(table, "t")
    told = (
        "12 missing cells in 12 columns were filled with their training medians"
        " (q0 3, q1 3, q2 3, q3 3, q4 3, q5 3 and 6 more)."
    )
    assert told in prepared.notes
    assert prepared.warnings_for(table) == (told,)


def test_texts_that_hardly_repeat_are_left_out_though_most_cells_are_empty() -> None:
    """'Other Activities' of plotly's Squirrel Census: 251 texts in 345 of 2,374 rows."""
    n = 600
    notes = [f"seen {i}" if i % 5 == 0 else "" for i in range(n)]
    table = Table(
        {"notes": notes, "few": ["a", ""] * (n // 2), "x": range(n), "t": [0, 1] * (n // 2)}
    )
    prepared = Preprocessor.fit(table, "t")
    assert prepared.columns == ("few", "x")
    assert "'notes' was left out: 120 distinct texts in 120 rows." in prepared.notes


@pytest.mark.parametrize("text", ["{:03}-81-4070", "{}A-AM-1006-01", "{} AVENUE", "name {}"])
def test_codes_and_addresses_are_not_taken_for_numbers(text: str) -> None:
    """plotly's supermarket_sales.csv, Squirrel Census and 311_Animals_short.csv."""
    table = Table({"id": [text.format(i) for i in range(120)], "x": range(120), "t": [0, 1] * 60})
    assert not any("12.5" in note for note in Preprocessor.fit(table, "t").notes)


@pytest.mark.parametrize(
    ("encoding", "became"),
    [
        ("standard", "'q0', 'q1', 'q2' became 2 columns each (no, yes)."),
        ("robust", "'q0', 'q1', 'q2' became one input each, -1 or 1 (no, yes)."),
    ],
)
def test_columns_of_the_same_categories_are_one_sentence(encoding: Any, became: str) -> None:
    """The 90 questions of fivethirtyeight's masculinity-survey, the 15 of plotly's Squirrel Census."""
    asked = {f"q{i}": ["no", "yes", "no", "yes"] for i in range(3)}
    sizes = {f"s{i}": ["a", "b", "", "c"] for i in range(2)}
    table = Table({**asked, **sizes, "t": [0, 1, 0, 1]})
    prepared = Preprocessor.fit(table, "t", encoding=encoding)
    assert became in prepared.notes
    assert (
        "'s0', 's1' became 4 columns each (a, b, c, (missing)), 2 cells missing." in prepared.notes
    )


def test_a_date_that_is_none_is_named_once() -> None:
    table = Table({"day": [dt.date(2024, 1, i) for i in (1, 2, 3, 4)], "t": [0, 1, 0, 1]})
    prepared = Preprocessor.fit(table, "t")
    assert len(prepared.features) == 3
    with pytest.raises(DataError) as error:
        prepared.transform(Table({"day": ["soon"] * 4}))
    assert str(error.value).count("column 'day': 'soon' (row 0)") == 1


def test_constant_empty_and_wordy_columns() -> None:
    n = 120
    table = Table(
        {
            "same": [5.0] * n,
            "huge": [1e300] * n,
            "none": [None] * (n - 1) + [math.nan],
            "id": [f"name {i}" for i in range(n)],
            "word": ["x"] * n,
            "good": list(range(n)),
            "t": ["a", "b"] * (n // 2),
        }
    )
    prepared = Preprocessor.fit(table, "t")
    assert prepared.columns == ("same", "huge", "good")
    x = prepared.transform(table)
    assert (x[:, :2] == 0).all()
    text = "\n".join(prepared.notes)
    assert "'id' was left out: 120 distinct texts in 120 rows." in text
    assert "2 columns hold one value only in the training rows and became 0: same, huge." in text
    assert "1 column has no value in the training rows and was left out: none." in text
    assert "'word' was left out: it holds one text only, 'x'." in text


def test_many_texts_are_kept_when_they_repeat() -> None:
    table = Table({"w": [f"w{i % 60:02}" for i in range(240)], "t": [0, 1] * 120})
    assert len(Preprocessor.fit(table, "t").features) == 60


def test_unseen_and_missing_texts() -> None:
    train = small(s=["a", "b", "a", "c"], t=[0, 1, 0, 1])
    prepared = Preprocessor.fit(train, "t")
    later = small(s=["b", "zebra", "", "a"])
    assert prepared.transform(later).tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert prepared.warnings_for(later) == (
        "2 cells in 's' hold texts that the training rows do not have, and became zeros.",
    )
    gap = Preprocessor.fit(small(s=["a", "", "a", "c"], t=[0, 1, 0, 1]), "t")
    assert gap.features == ("s=a", "s=c", "s=(missing)")
    assert gap.transform(later)[2].tolist() == [0, 0, 1]


def test_texts_that_look_like_numbers_later() -> None:
    prepared = Preprocessor.fit(small(s=["1", "2", "x"], t=[0, 1, 0]), "t")
    assert prepared.transform(parse_csv(b"s,k\n1,a\n2,b\n,c\n", "f")).tolist() == [
        [1, 0, 0], [0, 1, 0], [0, 0, 0],
    ]  # fmt: skip


def test_a_text_column_stays_text_whatever_the_other_rows_hold() -> None:
    cells = ["007", "A1", "12", "1.50", "1.5"]
    prepared = Preprocessor.fit(parse_csv(b"s,n,t\n007,1,a\nA1,2,b\n12,3,a\n1.50,4,b\n", "f"), "t")
    assert prepared.kinds == {"s": "text", "n": "number", "t": "text"}
    together = parse_csv(b"s,n\n007,1\nA1,1\n12,1\n1.50,1\n1.5,1\n", "f", kinds=prepared.forms)
    x = prepared.transform(together)
    assert x[:, :4].sum(axis=1).tolist() == [1, 1, 1, 1, 0]
    for i, cell in enumerate(cells):
        alone = parse_csv(f"s,n\n{cell},001\n".encode(), "f", kinds=prepared.forms)
        assert alone["s"].tolist() == [cell]
        assert prepared.transform(alone).tolist() == x[i : i + 1].tolist()


def test_targets_too_large_or_too_near() -> None:
    for values, part in (
        ([1e305, 2.5, 1.5], "at most 1e"),
        ([0.5e-323, 1e-323, 0.0], "too little"),
    ):
        with pytest.raises(DataError, match=part):
            Preprocessor.fit(small(a=[1, 2, 3], t=values), "t", "regression")
    prepared = Preprocessor.fit(small(a=[1, 2, 3], t=[0.5, 1.5, 2.5]), "t")
    with pytest.raises(DataError, match="small, row 1, column 't': the number is too far"):
        prepared.targets(small(t=[1.0, 1e300]))


@pytest.mark.parametrize(
    ("target", "task", "kind"),
    [
        (["a", "b", "a"], "auto", "classification"),
        ([3, 7, 3], "auto", "classification"),
        ([3.0, 7.0, 3.0], "auto", "classification"),
        ([3.5, 7.0, 3.0], "auto", "regression"),
        ([3, 7, 3], "regression", "regression"),
        (list(range(21)), "auto", "regression"),
        (list(range(20)), "auto", "classification"),
        (list(range(21)), "classification", "classification"),
    ],
)
def test_task(target: list[Any], task: Any, kind: str) -> None:
    table = small(a=list(range(len(target))), t=target)
    prepared = Preprocessor.fit(table, "t", task)
    assert prepared.task == kind
    y = prepared.targets(table)
    if kind == "classification":
        assert prepared.labels(y).tolist() == target
        with pytest.raises(DataError, match="labels"):
            prepared.inverse_transform(y)
    else:
        assert y.shape == (len(target), 1)
        assert y.dtype == np.float32
        np.testing.assert_allclose(
            prepared.inverse_transform(y)[:, 0], target, rtol=1e-5, atol=1e-5
        )
        np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-6)
        with pytest.raises(DataError, match="inverse_transform"):
            prepared.labels([0])


@pytest.mark.parametrize(
    ("table", "target", "task", "part"),
    [
        (small(), "tt", "auto", 'did you mean "t"'),
        (small(a=[1, 2], t=["p", ""]), "t", "auto", "1 of 2 rows have no target.*rows_with"),
        (small(a=[1, 2], t=["", ""]), "t", "auto", "every one of the 2 cells is missing"),
        (small(a=[1, 2], t=["p", "p"]), "t", "auto", "one class only, 'p'"),
        (small(a=[1, 2], t=[3, 3]), "t", "auto", "one class only, 3"),
        (small(a=[1, 2], t=[3, 3]), "t", "regression", "3 in every row"),
        (small(a=[1, 2], t=["p", "q"]), "t", "regression", "regression needs numbers.*'p'"),
        (small(a=[1, 2], t=[0.5, 1]), "t", "classification", "0.5.*task='regression'"),
        (small(t=["p", "q"]), "t", "auto", "no column is left"),
        (small(s=["x", "x"], t=["p", "q"]), "t", "auto", "no column is left.*one text only"),
    ],
)
def test_fit_refuses(table: Table, target: str, task: Any, part: str) -> None:
    with pytest.raises(DataError, match=part) as caught:
        Preprocessor.fit(table, target, task)
    assert "small" in str(caught.value)


def test_unknown_task() -> None:
    with pytest.raises(SettingError, match='did you mean "regression"'):
        Preprocessor.fit(small(), "t", "regresion")  # type: ignore[arg-type]


def test_transform_refuses() -> None:
    prepared = Preprocessor.fit(load("iris"), "species")
    with pytest.raises(DataError) as caught:
        prepared.transform(
            parse_csv(b"sepal_length,sepal_width_cm,petal_width_cm\n1,2,3\n", "new.csv")
        )
    for part in ("new.csv", "2 columns", "'sepal_length_cm' (did you mean \"sepal_length\"?)",
                 "'petal_length_cm'"):  # fmt: skip
        assert part in str(caught.value)
    rows = b"sepal_length_cm,sepal_width_cm,petal_length_cm,petal_width_cm\n1,2,3,x\ny,2,3,4\n"
    with pytest.raises(DataError) as caught:
        prepared.transform(parse_csv(rows, "new.csv"))
    for part in ("new.csv:3, column 'sepal_length_cm': texts", "'y' (line 3)", "'x' (line 2)"):
        assert part in str(caught.value)
    far = Table({name: [1e300] for name in prepared.columns}, "far")
    with pytest.raises(DataError, match=r"far, row 0, column 'sepal_length_cm'.*1e\+300"):
        prepared.transform(far)


def test_targets_refuse() -> None:
    prepared = Preprocessor.fit(load("iris"), "species")
    with pytest.raises(DataError, match=r"1 of 2 rows is of a class.*'rose'.*setosa"):
        prepared.targets(Table({"species": ["setosa", "rose"]}))
    with pytest.raises(DataError, match="1 of 2 rows has no target"):
        prepared.targets(Table({"species": ["setosa", ""]}))
    with pytest.raises(DataError, match="no column 'species'"):
        prepared.targets(Table({"a": [1]}))
    ints = Preprocessor.fit(small(a=[1, 2, 3], t=[3, 7, 9]), "t")
    for wrong in ([3, 4], [3, 10], [2, 3], [3, 7.5], ["3", "x"]):
        with pytest.raises(DataError, match="of a class that the training rows do not have"):
            ints.targets(Table({"t": wrong}))
    with pytest.raises(DataError, match="numbers are needed"):
        Preprocessor.fit(small(a=[1, 2], t=[0.5, 1.5]), "t").targets(Table({"t": ["x"]}))
    for ids in ([3], [-1], [0.0], ["a"]):
        with pytest.raises(DataError, match="from 0 to 2"):
            prepared.labels(ids)


def test_rows_with_target() -> None:
    mask, lost = rows_with_target(penguins(), "sex")
    assert (mask.sum(), lost) == (333, 11)
    Preprocessor.fit(penguins().rows(mask), "sex")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(-1e300, 1e300, allow_subnormal=True),
            st.sampled_from(["red", "blue", "", "grün"]),
            st.integers(-3, 3),
        ),
        min_size=2,
        max_size=40,
    )
)
def test_json_round_trip_bit_for_bit(rows: list[tuple[float | None, str, int]]) -> None:
    table = Table(
        {
            "number": [row[0] for row in rows],
            "word": [row[1] for row in rows],
            "other": list(range(len(rows))),
            "t": [row[2] for row in rows],
        }
    )
    if len({row[2] for row in rows}) < 2:
        return
    prepared = Preprocessor.fit(table, "t")
    text = json.dumps(prepared.to_json(), allow_nan=False)
    again = Preprocessor.from_json(json.loads(text))
    x = prepared.transform(table)
    assert np.isfinite(x).all()
    assert again.transform(table).tobytes() == x.tobytes()
    assert again.targets(table).tobytes() == prepared.targets(table).tobytes()
    assert again.to_json() == prepared.to_json()
    assert again.notes == prepared.notes
    assert again.classes == prepared.classes


def test_json_of_regression() -> None:
    prepared = Preprocessor.fit(load("iris"), "petal_width_cm")
    again = Preprocessor.from_json(json.loads(json.dumps(prepared.to_json())))
    y = prepared.targets(load("iris"))
    assert again.targets(load("iris")).tobytes() == y.tobytes()
    assert again.inverse_transform(y).tobytes() == prepared.inverse_transform(y).tobytes()


CHANGES: list[tuple[Any, Any, str]] = [
    (["version"], 3, "version"),
    (["version"], True, "version"),
    (["target"], "", "target"),
    (["target"], 3, "target"),
    (["task"], "guess", "task"),
    (["classes"], None, "classes"),
    (["classes"], ["a"], "classes"),
    (["classes"], ["b", "a"], "sorted"),
    (["classes"], ["a", 1], "classes"),
    (["classes"], [True, False], "classes"),
    (["center"], math.nan, "center"),
    (["spread"], 0.0, "spread"),
    (["spread"], "1", "spread"),
    (["spread"], 10**400, "spread"),
    (["notes"], "x", "notes"),
    (["notes"], [1], "notes"),
    (["messages"], "x", "messages"),
    (["messages"], [1], "messages"),
    (["columns"], [], "columns"),
    (["columns"], {}, "columns"),
    (["columns", 0], 5, r"columns\[0\]"),
    (["columns", 0, "kind"], "date", r"columns\[0\].kind"),
    (["columns", 0, "mean"], math.inf, r"columns\[0\].mean"),
    (["columns", 0, "std"], -1.0, r"columns\[0\].std"),
    (["columns", 0, "std"], True, r"columns\[0\].std"),
    (["columns", 0, "name"], "s", "occurs twice"),
    (["columns", 0, "name"], None, r"columns\[0\].name"),
    (["columns", 0, "name"], "t", "occurs twice"),
    (["columns", 1, "categories"], ["a", "a"], "distinct"),
    (["columns", 1, "categories"], [], "distinct"),
    (["columns", 1, "categories"], [[1]], "distinct"),
    (["columns", 0, "clip"], -1.0, r"columns\[0\].clip"),
    (["columns", 0, "of"], "century", r"columns\[0\].of"),
    (["limits"], [1.0], "limits"),
    (["columns", 0, "extra"], 1, "unknown 'extra'"),
    (["extra"], 1, "unknown 'extra'"),
]


@pytest.mark.parametrize(("path", "value", "part"), CHANGES)
def test_damaged_json(path: list[Any], value: object, part: str) -> None:
    table = small(a=[1.0, 2.0, 4.0], s=["x", "y", "x"], t=["p", "q", "p"])
    data = copy.deepcopy(Preprocessor.fit(table, "t").to_json())
    place: Any = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(FormatError, match=part):
        Preprocessor.from_json(data)


def test_damaged_json_names_everything() -> None:
    data = Preprocessor.fit(small(), "t").to_json()
    del data["center"], data["notes"]
    data["odd"] = 1
    with pytest.raises(FormatError, match=r"center, notes missing; .*unknown 'odd'"):
        Preprocessor.from_json(data)
    data = Preprocessor.fit(small(), "t").to_json()
    data["spread"] = -1
    data["target"] = ""
    with pytest.raises(FormatError, match=r"target.*; spread"):
        Preprocessor.from_json(data)
    odd: Any
    for odd in (None, [], "x"):
        with pytest.raises(FormatError, match="object with keys"):
            Preprocessor.from_json(odd)


def test_wide_matrices_in_several_blocks_of_rows() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (5000, 100), dtype=np.uint8)
    pixels[:, 3] = 7
    table = Table.from_matrix(pixels, more={"t": np.arange(5000) % 3})
    prepared = Preprocessor.fit(table, "t")
    x = prepared.transform(table)
    raw = pixels.astype(np.float64)
    std = raw.std(axis=0)
    std[3] = 1
    np.testing.assert_allclose(x, (raw - raw.mean(axis=0)) / std, atol=1e-6)
    assert (x[:, 3] == 0).all()
    alone = prepared.transform(table.rows([4321]))
    assert alone.tobytes() == x[4321:4322].tobytes()


def test_digits_train_and_held_rows() -> None:
    table = load("digits")
    train, held = stratified_split(digits()[1], 0.2, seed=1)
    prepared = Preprocessor.fit(table.rows(train), "digit")
    assert prepared.transform(table.rows(held)).shape == (len(held), 64)
    assert prepared.classes == tuple(range(10))


# -- robust and embedded encodings ------------------------------------------------------------------


def messy_table(rng: np.random.Generator, n: int = 200) -> Table:
    """Numbers with outliers and gaps, a constant, two, five and thirty texts, with gaps, and dates."""
    numbers = rng.standard_cauchy(n) * 10 ** rng.uniform(-3, 3)
    gaps = np.where(rng.random(n) < 0.2, np.nan, rng.normal(5, 2, n))
    few = rng.choice(["a", "b", "c", "d", ""], n)
    many = [f"city {i}" for i in rng.integers(0, 30, n)]
    days = [dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 900, n)]
    columns = {"wild": numbers, "gaps": gaps, "same": np.full(n, 3.0), "rare": rng.random(n) < 0.1}
    texts = {"two": rng.choice(["no", "yes"], n), "few": few, "many": many}
    dates = "\n".join(["when", *map(str, days)]).encode()
    date = parse_csv(dates, "dates.csv", kinds={"when": "date"})
    t = rng.standard_normal(n)
    table = Table({**columns, **texts, "when": date["when"], "t": t})
    return Table.from_blocks(
        table.names,
        [([name], table[name].reshape(-1, 1)) for name in (*columns, "when", "t")],
        {name: table.texts(name) for name in texts},
        "messy",
        forms={"when": Form("date")},
    )


def robust(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Robust scaling and smooth clipping, as the paper has it (arXiv 2407.04491, section 3)."""
    low, middle, high = np.quantile(column, [0.25, 0.5, 0.75])
    scale = high - low if high > low else (column.max() - column.min()) / 2
    z = (column - middle) / scale if scale else 0 * column
    return np.asarray(z / np.sqrt(1 + (z / 3) ** 2))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("encoding", ["robust", "embedded"])
def test_robust_columns(encoding: Any, seed: int) -> None:
    table = messy_table(np.random.default_rng(seed))
    prepared = Preprocessor.fit(table, "t", encoding=encoding)
    x = prepared.transform(table)
    made = dict(zip(prepared.features, x.T.astype(float), strict=True))
    gaps = np.isnan(table["gaps"])
    median = np.median(table["gaps"][~gaps])
    known = table["gaps"][~gaps]
    filled = np.append(known, median)
    clean = {
        "wild": robust(table["wild"]),
        "same": np.zeros(200),
        "rare": robust(table["rare"].astype(float)),
        "two": robust(np.where(table["two"] == "yes", 1.0, -1.0)),
        "few=a": robust((table["few"] == "a").astype(float)),
        "few=(missing)": robust((table["few"] == "").astype(float)),
        "when: month": robust(
            table["when"].astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12 + 1.0
        ),
    }
    for name, want in clean.items():
        np.testing.assert_allclose(made[name], want, rtol=2e-6, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(made["gaps (missing)"], gaps)
    assert np.ptp(made["gaps"][gaps]) == 0, filled
    numbers = [name for name in prepared.features if name.split(":")[0] in ("wild", "gaps", "same")]
    assert list(prepared.features[:3]) == numbers
    assert prepared.layout.numbers >= 8
    if encoding == "robust":
        assert prepared.layout.columns == 0
        assert sum(name.startswith("many=") for name in prepared.features) == 30
    else:
        assert (prepared.layout.columns, prepared.layout.rows) == (1, 31)
        cities = sorted(set(table["many"]))
        assert [cities[int(i) - 1] for i in made["many"]] == table["many"].tolist()
        assert prepared.features[-1] == "many"
    again = Preprocessor.from_json(json.loads(json.dumps(prepared.to_json())))
    np.testing.assert_array_equal(again.transform(table), x)
    assert again.features == prepared.features
    answers = again.inverse_transform([-1e9, 0.0, 1e9])
    assert (answers[0], answers[2]) == (table["t"].min(), table["t"].max())


def test_rows_of_an_embedding_do_not_overlap_and_unknown_texts_have_their_own() -> None:
    rng = np.random.default_rng(0)
    n = 400
    texts = {f"c{k}": [f"{k}-{i}" for i in rng.integers(0, 12 + k, n)] for k in range(3)}
    table = Table({**texts, "a": rng.random(n), "t": rng.integers(0, 2, n)})
    prepared = Preprocessor.fit(table, "t", encoding="embedded")
    columns, rows = prepared.layout.columns, prepared.layout.rows
    assert (columns, rows) == (3, 13 + 14 + 15)
    x = prepared.transform(table)[:, -3:]
    spans = [set(column.astype(int)) for column in x.T]
    assert [len(span) for span in spans] == [12, 13, 14]
    assert not (spans[0] & spans[1] | spans[1] & spans[2])
    new = Table({**{name: ["?", ""] for name in texts}, "a": [0.5, 0.5]})
    assert prepared.transform(new)[:, -3:].tolist() == [[0, 13, 27]] * 2
    assert len(prepared.warnings_for(new)) == 3


def test_a_number_too_large_for_float32_is_clipped_in_a_robust_encoding() -> None:
    table = Table({"a": [1.0, 2.0, 3.0, 4.0, 1e300], "t": [0, 1, 0, 1, 1]})
    x = Preprocessor.fit(table, "t", encoding="robust").transform(table)
    assert x[-1, 0] == pytest.approx(3.0)


def test_columns_with_the_same_gaps_share_a_flag() -> None:
    nan = np.nan
    table = Table({"a": [1, nan, 3], "b": [nan, 2, 3], "c": [2, nan, 5], "t": ["p", "q", "p"]})
    prepared = Preprocessor.fit(table, "t")
    assert prepared.features == ("a", "a (missing)", "b", "b (missing)", "c")


def test_only_some_features_in_another_order() -> None:
    table = Table(
        {
            "a": [1, 2, None, 4, 5, 6],
            "town": ["x", "y", "z", "x", "", "y"],
            "b": [3, 5, 4, 1, 2, 9],
            "t": ["p", "q"] * 3,
        }
    )
    prepared = Preprocessor.fit(table, "t")
    all_of_them = prepared.transform(table)
    names = list(prepared.features)
    for some in (names, names[::-1], ["town=y", "b", "town=x"], ["town=z", "town=x"], ["b"]):
        part = prepared.only(some)
        assert part.features == tuple(some)
        wanted = all_of_them[:, [names.index(name) for name in some]]
        np.testing.assert_array_equal(part.transform(table), wanted)
        again = Preprocessor.from_json(part.to_json())
        np.testing.assert_array_equal(again.transform(table), wanted)
        assert again.classes == prepared.classes
    assert prepared.only(["b"]).transform(Table({"b": [4]})).shape == (1, 1)
    for wrong in (["b", "b"], ["c"], ["town"]):
        with pytest.raises(SettingError):
            prepared.only(wrong)
