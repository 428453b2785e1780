"""Table: kinds, missing cells, immutability, fingerprint."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from chainrule.datasets import Table, parse_csv
from chainrule.errors import DataError


@pytest.fixture
def pets() -> Table:
    return Table(
        {"name": ["Tom", "", "Rex"], "age": [3, None, 5], "legs": [4, 4, 3]}, source="pets"
    )


def test_columns_and_kinds(pets: Table) -> None:
    assert pets.names == ("name", "age", "legs")
    assert [pets.kind(name) for name in pets.names] == ["text", "float", "int"]
    assert pets["name"].tolist() == ["Tom", "", "Rex"]
    assert pets["age"].dtype == np.float64
    assert pets["legs"].dtype == np.int64
    assert pets.missing("name").tolist() == [False, True, False]
    assert pets.missing_counts() == {"name": 1, "age": 1}
    assert dict(pets.columns).keys() == set(pets.names)
    assert list(pets.columns) == list(pets.names)
    assert "name" in pets
    assert "nobody" not in pets
    assert len(pets) == 3


def test_nothing_can_be_changed(pets: Table) -> None:
    with pytest.raises(AttributeError, match="cannot be changed"):
        pets.names = ("a",)  # type: ignore[misc]
    with pytest.raises(AttributeError, match="cannot be changed"):
        del pets._length
    with pytest.raises(ValueError, match="read-only"):
        pets["legs"][0] = 9
    given = np.array([1.0, 2.0])
    table = Table({"a": given})
    given[0] = 9
    assert table["a"].tolist() == [1, 2]
    x = np.zeros((2, 2))
    table = Table.from_matrix(x)
    x[0, 0] = 9
    assert table["x0"].tolist() == [0, 0]


def test_rows(pets: Table) -> None:
    assert pets.rows([2, 0])["name"].tolist() == ["Rex", "Tom"]
    assert pets.rows(np.array([True, False, True]))["legs"].tolist() == [4, 3]
    assert pets.rows(slice(1, None))["legs"].tolist() == [4, 3]
    assert len(pets.rows([])) == 0
    assert pets.rows([-1])["name"].tolist() == ["Rex"]
    wrong: Any
    for wrong in ([3], [-4], [0.5], [True], "a", [[0]]):
        with pytest.raises(DataError, match="rows"):
            pets.rows(wrong)


def test_drop_and_noted(pets: Table) -> None:
    assert pets.drop("age").names == ("name", "legs")
    assert "age" not in pets.drop("age")
    assert pets.with_notes("Hm.").notes == ("Hm.",)
    with pytest.raises(DataError, match=r"no column 'ages'.*did you mean \"age\""):
        pets.drop("ages")
    with pytest.raises(DataError, match="none is left"):
        pets.drop(*pets.names)


def test_matrix_over_blocks() -> None:
    block = np.arange(12, dtype=np.uint8).reshape(3, 4)
    table = Table.from_matrix(block, more={"y": [0.5, None, 1.5], "s": ["a", "b", "c"]})
    assert table.matrix().shape == (3, 5)
    assert table.matrix(["y", "x2", "x0"], 1).tolist()[1] == [1.5, 10, 8]
    assert np.isnan(table.matrix(["y"])[1, 0])
    assert table.matrix([]).shape == (3, 0)
    with pytest.raises(DataError, match="texts, not numbers"):
        table.matrix(["s"])


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        ({"a": [1, 2], "b": [1]}, "equally long"),
        ({}, "at least one column"),
        ({"": [1]}, "not empty"),
        ({"a": [[1, 2]]}, "1-D"),
        ({"a": [1.0, float("inf")]}, "infinite"),
        ({"a": [1 + 2j]}, "dtype complex"),
        ({"a": [b"x"]}, "dtype"),
        ({"a": [1, "x"]}, "mixed"),
        ({"a": [None, 1, "x"]}, "one kind only"),
        ({"a": [[1], [1, 2]]}, "unlike length"),
        ({"a": np.ma.masked_array([1, 2], [True, False])}, "mask"),
        ({"a": np.array([2**64 - 1], dtype=np.uint64)}, "too large"),
    ],
)
def test_refused_columns(columns: dict[str, object], part: str) -> None:
    with pytest.raises(DataError, match=part):
        Table(columns)


def test_from_matrix_refuses_two_equal_names() -> None:
    with pytest.raises(DataError, match="same name"):
        Table.from_matrix([[1, 2]], names=["a", "a"])


def test_fingerprint_is_about_contents() -> None:
    wide = Table.from_matrix(np.arange(200, dtype=np.int64).reshape(2, 100))
    small = Table.from_matrix(np.arange(200, dtype=np.uint8).reshape(2, 100))
    apart = Table({f"x{i}": [i, 100 + i] for i in range(100)}, source="other", notes=["x"])
    read = parse_csv(
        "\n".join(
            [",".join(f"x{i}" for i in range(100))]
            + [",".join(str(v) for v in range(k, k + 100)) for k in (0, 100)]
        ).encode(),
        "f.csv",
    )
    assert len({table.fingerprint() for table in (wide, small, apart, read)}) == 1
    base = Table({"a": [1, 2], "b": ["x", ""]})
    others = [
        Table({"a": [1, 3], "b": ["x", ""]}),
        Table({"a": [1.0, 2.0], "b": ["x", ""]}),
        Table({"c": [1, 2], "b": ["x", ""]}),
        Table({"b": ["x", ""], "a": [1, 2]}),
        Table({"a": [1, 2], "b": ["", "x"]}),
        base.drop("b"),
        base.rows([0]),
        base.rows([1, 0]),
    ]
    prints = {table.fingerprint() for table in [base, *others]}
    assert len(prints) == len(others) + 1


def test_fingerprint_in_another_process() -> None:
    code = (
        "from chainrule.datasets import Table;"
        "print(Table({'a': [1, None], 'b': ['x', 'ü']}).fingerprint())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == Table({"a": [1, None], "b": ["x", "ü"]}).fingerprint()


def test_pickle_and_copy(pets: Table) -> None:
    for twin in (pickle.loads(pickle.dumps(pets.drop("legs"))), copy.deepcopy(pets.drop("legs"))):
        assert twin.fingerprint() == pets.drop("legs").fingerprint()
        assert twin.source == "pets"


def test_constants() -> None:
    table = Table({"a": [1, 1], "b": [None, 2.0], "c": ["x", "x"], "d": ["x", "y"], "e": [1, 2]})
    assert table.constants() == ("a", "b", "c")
