"""The bundled data sets: counts, contents, licences; and finding data by name or path."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule.datasets as datasets
from chainrule.datasets import digits, iris, load, names, open_data, penguins
from chainrule.errors import DataError

DATA = Path(datasets.__file__).parent / "data"


def test_digits() -> None:
    x, t = digits()
    assert x.shape == (1797, 64)
    assert x.dtype == np.float64
    assert t.dtype == np.int64
    assert np.bincount(t).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (x.min(), x.max()) == (0, 16)
    assert x.sum() == 561718
    assert x[0, :8].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    t[0] = 5  # the caller's own array


def test_iris() -> None:
    x, t = iris()
    assert x.shape == (150, 4)
    assert np.bincount(t).tolist() == [50, 50, 50]
    assert x[0].tolist() == [5.1, 3.5, 1.4, 0.2]
    np.testing.assert_allclose(x.mean(axis=0), [5.8433, 3.0573, 3.758, 1.1993], atol=1e-4)
    table = load("iris")
    assert table["species"][[0, 50, 100]].tolist() == ["setosa", "versicolor", "virginica"]


def test_penguins() -> None:
    table = penguins()
    assert len(table) == 344
    species, counts = np.unique(table["species"], return_counts=True)
    assert species.tolist() == ["Adelie", "Chinstrap", "Gentoo"]
    assert counts.tolist() == [152, 68, 124]
    assert table.names[-1] == "year"
    assert [name for name in table.names if table.kind(name) == "text"] == [
        "species", "island", "sex",
    ]  # fmt: skip
    assert table.missing_counts() == {
        "bill_length_mm": 2, "bill_depth_mm": 2, "flipper_length_mm": 2, "body_mass_g": 2,
        "sex": 11,
    }  # fmt: skip


def test_sources_and_checksums() -> None:
    text = (DATA / "SOURCES.md").read_text(encoding="utf-8")
    for name in names():
        section = text.split(f"## {name}.csv.gz")[1].split("\n## ")[0]
        assert "Licence: Creative Commons" in section
        found = re.search(r"sha256: `([0-9a-f]{64})`", section)
        assert found is not None
        data = (DATA / f"{name}.csv.gz").read_bytes()
        assert hashlib.sha256(data).hexdigest() == found[1]
    assert {file.name for file in DATA.glob("*.gz")} == {f"{name}.csv.gz" for name in names()}


def test_load_unknown() -> None:
    with pytest.raises(DataError, match=r'did you mean "iris".*digits, iris, penguins'):
        load("iriss")


def test_open_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, target in (("digits", "digit"), ("iris", "species"), ("penguins", "species")):
        table, found = open_data(name)
        assert found == target
        assert target in table
    Path("iris").write_text("a,b\n1,2\n")
    table, _ = open_data("iris")
    assert len(table) == 150
    assert "./iris" in table.notes[-1]
    for path in ("./iris", Path("iris"), tmp_path / "iris"):
        table, found2 = open_data(path)
        assert table.names == ("a", "b")
        assert found2 is None
    np.savez("a.npz", x=np.eye(2), t=[0, 1])
    assert open_data("a.npz")[1] == "t"
    Path("b-idx2-ubyte").write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 1, 7]))
    assert open_data("b-idx2-ubyte")[1] is None
    for wrong in ("iri", "nothing.csv", ""):
        with pytest.raises(DataError, match=r"neither a file nor a bundled.*digits, iris, peng"):
            open_data(wrong)


def test_import_reads_no_files_and_stays_light() -> None:
    code = (
        "import sys, numpy, chainrule.datasets;"
        "print([m for m in ('gzip', 'hashlib', 'zipfile', 'importlib.resources', 'pandas')"
        " if m in sys.modules and m not in before])"
    )
    code = "import sys, numpy; before = set(sys.modules); " + code
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_all_is_there() -> None:
    assert all(hasattr(datasets, name) for name in datasets.__all__)
    assert datasets.__all__ == sorted(datasets.__all__)
