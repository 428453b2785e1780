"""Text tables larger than memory: read block by block, to the bits of a table in memory."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tests.strangers.odd_tables import odd_file

import chainrule as cr
from chainrule import memory
from chainrule.cli import chainrule, train_ways
from chainrule.datasets import Preprocessor, Table, column_reader, read, storage, streams
from chainrule.datasets.rules import Reading
from chainrule.datasets.text_tables import read_text
from chainrule.errors import ChainruleError, DataError, FormatError
from chainrule.files import Model, load_model
from chainrule.training import batches

NOTE = "The file is larger than memory, so the table is kept in temporary files."


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few rows, so that a small file has many."""
    monkeypatch.setattr(column_reader, "CELLS_A_CHUNK", 10)
    monkeypatch.setattr(column_reader, "LEAST_ROWS", 7)
    monkeypatch.setattr(storage, "BLOCK", 5)
    monkeypatch.setattr(streams, "CHUNK", 64)


def both(path: Path, **options: Any) -> tuple[Table | str, Table | str]:
    """The table of a file in memory and on disk; or the sentences of the errors."""
    found: list[Table | str] = []
    for on_disk in (False, True):
        try:
            found.append(read_text(path, Reading(on_disk=on_disk, **options)))
        except ChainruleError as error:
            found.append(f"{type(error).__name__}: {error}")
    return found[0], found[1]


def told(table: Table | str) -> object:
    """All that is known of a table."""
    if isinstance(table, str):
        return table
    forms = {name: table.form(name) for name in table.names}
    words = {n: w.decoded().tolist() for n in table.names if (w := table.words(n)) is not None}
    kinds = [table.kind(name) for name in table.names]
    last = len(table) - 1
    place = table.location_of(last, table.names[0])
    return table.fingerprint(), table.names, kinds, table.notes, forms, words, place


@pytest.mark.usefixtures("tiny")
def test_odd_files_are_read_alike(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    for seed in range(40_000, 40_120):
        odd = odd_file(np.random.default_rng(seed))
        file.write_bytes(odd.data)
        memory, disk = both(file)
        assert told(memory) == told(disk), (seed, odd.what)
        assert isinstance(memory, str) or not memory.on_disk
        assert isinstance(disk, str) or disk.on_disk


FILES: dict[str, bytes] = {
    "a declared separator": b"sep=;\na;b\n1;x\n2;y\n",
    "titles above": b"Report of May\n\na,b,c\n1,x,2\n2,y,3\n3,x,4\n",
    "remarks above": b"# made by hand\n# a b c\n1 2 3\n4 5 6\n7 8 9\n",
    "a sign before the names": b"#a,b\n1,2\n3,4\n5,6\n",
    "quoted line ends": b'a,b\n"x\ny",1\nz,2\nw,3\n',
    "spaces behind quotes": b'a,b\n"x, y" ,1\n"z" ,2\n"w" ,3\n',
    "escaped quotes": b'a,b\n"x \\" y",1\n"z",2\n"w",3\n',
    "line ends of an old Mac": b"a,b\r1,2\r3,4\r",
    "a byte-order mark": b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4",
    "a row too long": b"a,b\n" + b"1,2\n" * 30 + b"1,2,3\n",
    "a NUL byte": b"a,b\n" + b"1,2\n" * 30 + b"1,\0\n",
    "an open quote": b'a,b\n1,2\n3,"4\n' + b"5,6\n" * 30,
    "no rows": b"a,b\n",
    "nothing": b" \n",
    "nothing but a declared separator": b"sep=;\n",
    "nothing but remarks": b"# a\n# b\n",
    "Latin-1": b"a,b\n" + b"1,x\n" * 30 + b"2,K\xf6ln\n1,x\n",
    "a web page": b"<!doctype html><p>not found</p>",
    "no names": b"1.5,2\n2.5,3\n3.5,4\n",
    "a counting column": b",a,b\n" + b"".join(b"%d,%d,x\n" % (i, i * i) for i in range(30)),
    "integers that become floats": b"a\n" + b"1\n" * 30 + b"2.5\n" * 9 + b"3\n" * 9,
    "numbers that become texts": b"a,b\n" + b"1,1\n" * 30 + b"x,2\ny,3\nz,4\n",
    "full-width signs": "高，重\n1，2\n3，4\n5，6\n".encode(),
    "full-width names": "五月\n高，重\n1,2\n3,4\n5,6\n".encode(),
    "wide integers": b"a\n9007199254740993\n-9223372036854775808\n1\n",
}


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", FILES)
def test_files_are_read_alike(name: str, tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_bytes(FILES[name])
    memory, disk = both(file)
    assert told(memory) == told(disk)
    packed = tmp_path / "f.csv.gz"
    packed.write_bytes(gzip.compress(FILES[name]))
    memory, disk = both(packed)
    assert told(memory) == told(disk)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    "encoding", ["utf-8", "latin-1", "cp1252", "utf-16", "utf-16-le", "gb18030", "no"]
)
def test_encodings_are_read_alike(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    text = "größe;ort\n" + "".join(f"{i},5;Köln\n{i};Zürich\n" for i in range(40))
    file.write_bytes(text.encode("utf-8" if encoding == "no" else encoding))
    memory, disk = both(file, encoding=encoding)
    assert told(memory) == told(disk)
    memory, disk = both(file)
    assert told(memory) == told(disk)


@pytest.mark.usefixtures("tiny")
def test_columns_of_many_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of another writing are read in a third pass; names without end are left out."""
    monkeypatch.setattr(storage.DISK, "most_texts", 20)
    rows = [
        (f"{i * 7 % 90},{i % 10}5", f"name {i}", f"1.{i:03}", ["few", str(i)][i % 5 != 0])
        for i in range(100)
    ]
    file = tmp_path / "f.csv"
    file.write_text("price;who;thousands;count\n" + "".join(";".join(row) + "\n" for row in rows))
    memory, disk = both(file)
    assert isinstance(memory, Table)
    assert isinstance(disk, Table)
    assert disk.names == ("price", "thousands", "count")
    assert memory.drop("who").fingerprint() == disk.fingerprint()
    assert [memory.form(n) for n in disk.names] == [disk.form(n) for n in disk.names]
    assert (
        "'price', 'thousands', 'count': of more than 20 different texts the first decided how all are read."
        " 'who' was left out: more than 20 different texts." in disk.notes
    )
    numbers = "".join(f"{i},5;1\n" for i in range(50))
    file.write_text("n;m\n" + numbers + "".join(f"w{i};2\n" for i in range(30)))
    with pytest.raises(DataError, match="more than 20 different words stand among the numbers"):
        read_text(file, Reading(on_disk=True, kinds={"n": "mixed"}))


def test_the_size_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    file.write_bytes(b"a,b\n" + b"1,2\n" * 1000)
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert not read(file).on_disk
    monkeypatch.setattr(memory, "physical_memory", lambda: 6000)
    for path in (file, packed):
        table = read(path)
        assert table.on_disk
        assert table.notes[-1].startswith("The file is larger than memory, so the table is kept")
        with pytest.raises(DataError, match="memory"):
            read_text(path, Reading(on_disk=False))


def test_rows_of_a_table_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "BLOCK", 4)
    file = tmp_path / "f.csv"
    file.write_text(
        "a,b,n\n" + "".join(f"{i},{'xyz'[i % 3]},{i}.5\n" for i in range(30)) + "1,x,few\n"
    )
    memory, disk = both(file)
    assert isinstance(memory, Table)
    assert isinstance(disk, Table)
    order = np.random.default_rng(0).permutation(31)
    mask = order > 9
    for rows, stays in ((order, True), (mask, True), (slice(3, 20), False), ([5, 2, 2], True)):
        one, other = memory.rows(rows), disk.rows(rows)
        assert one.fingerprint() == other.fingerprint()
        assert one.location_of(2, "a") == other.location_of(2, "a")
        assert other.on_disk == stays
    blocks = list(disk.in_blocks())
    assert [len(b) for b in blocks] == [4] * 7 + [3]
    assert not any(b.on_disk for b in blocks)


def test_a_full_disk_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f.csv"
    file.write_text("a,b\n" + "1,x\n" * 50)
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=5))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(DataError, match=r"temporary files in .*Free some space, or set TMPDIR"):
        read_text(file, Reading(on_disk=True))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system reserves no space")
def test_a_disk_that_is_full_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: int) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "f.csv"
    file.write_text("a,b\n" + "1,x\n" * 50)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match="No space left on device"):
        read_text(file, Reading(on_disk=True))


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    file = tmp_path / "f.csv"
    file.write_text("a,b\n" + "1,x\n" * 50)
    table = read_text(file, Reading(on_disk=True))
    assert os.listdir(tmp_path / "t") == []
    assert len(table) == 50


@pytest.mark.usefixtures("tiny")
def test_changed_while_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("a,b\n" + "1,x\n" * 50)
    stream = streams.TextStream(file, Reading())
    file.write_text("a,b\n" + "1,x\n" * 60)
    with pytest.raises(DataError, match="changed while it was read"):
        list(stream.lines())


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LONGEST", 1000)
    file = tmp_path / "f.csv"
    file.write_text("a,b\n" + "1,2 " * 1000)
    with pytest.raises(FormatError, match="a line is longer than 1,000 characters"):
        list(streams.TextStream(file, Reading()).lines())


def mixed_file(path: Path, rows: int = 400) -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=rows), rng.integers(0, 99, rows), rng.choice(["u", "v", ""], rows)
    lines = [
        f"{a[i]:.6f},{'' if b[i] < 9 else b[i]},{c[i]},{b[i] / 7:.3f},{'hi' if a[i] > 0 else 'lo'}\n"
        for i in range(rows)
    ]
    path.write_text("a,b,c,y,t\n" + "".join(lines))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("target", ["t", "y"])
def test_the_same_bits_are_learned(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statistics are exact, and batches are drawn from all rows: nothing tells the two apart."""
    mixed_file(tmp_path / "f.csv")
    found, answers = [], []
    for on_disk in (False, True):
        table = read_text(tmp_path / "f.csv", Reading(on_disk=on_disk))
        prepared = Preprocessor.fit(table, target)
        x, t = prepared.transform(table), prepared.targets(table)
        assert isinstance(x, np.memmap) == on_disk
        loss = cr.SoftmaxWithLoss() if target == "t" else cr.MeanSquaredError()
        net = cr.Sequential(
            cr.Affine.sized(x.shape[1], 8), cr.ReLU(), cr.Affine.sized(8, 2 if target == "t" else 1),
            loss=loss, seed=0,
        )  # fmt: skip
        trainer = cr.Trainer(net, cr.Adam(0.01), engine="numpy")
        trainer.fit(x, t, epochs=3, progress=None)
        model = Model(net, prepared)
        answers.append(model.predict(table).tolist())
        bits = [a.tobytes() for a in (x, t, *net.params)]
        found.append((json.dumps(prepared.to_json()), bits))
    assert found[0] == found[1]
    if target == "t":
        assert answers[0] == answers[1]
    else:  # a product of fewer rows may round in another way
        np.testing.assert_allclose(answers[0], answers[1], rtol=1e-5)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("target", ["t", "y"])
def test_the_command_learns_the_same_bits(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mixed_file(tmp_path / "f.csv")

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(chainrule, list(arguments))
        assert result.exit_code == 0, result.output
        return result.output

    train = ["train", "f.csv", "--target", target, "--epochs", "3", "--json", "--engine", "numpy"]
    facts, answers, scores = [], [], []
    for name in ("memory", "disk"):
        model = f"{name}.safetensors"
        facts.append(json.loads(run(*train, "--out", model)))
        answers.append(json.loads(run("predict", model, "f.csv", "--json"))["predictions"])
        scores.append(json.loads(run("evaluate", model, "f.csv", "--json"))["held_out"])
        monkeypatch.setattr(memory, "physical_memory", lambda: 8000)
        monkeypatch.setattr(train_ways, "memory_limit", lambda: 1 << 30)
    assert NOTE in facts[1]["notes"]
    for key in ("held_out", "data", "split"):
        assert facts[0][key] == facts[1][key]
    one, other = (load_model(f"{name}.safetensors").network for name in ("memory", "disk"))
    assert [p.tobytes() for p in one.params] == [p.tobytes() for p in other.params]
    if target == "t":
        assert answers[0] == answers[1]
        assert scores[0] == scores[1]
    else:  # a product of fewer rows may round in another way
        np.testing.assert_allclose(answers[0], answers[1], rtol=1e-5)
        assert scores[0] == pytest.approx(scores[1], rel=1e-5)


def test_a_report_is_drawn_of_tables_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    mixed_file(tmp_path / "f.csv")
    monkeypatch.setattr(memory, "physical_memory", lambda: 8000)
    monkeypatch.setattr(train_ways, "memory_limit", lambda: 1 << 30)
    result = CliRunner().invoke(
        chainrule, ["train", "f.csv", "--target", "t", "--report", "r.html"]
    )
    assert result.exit_code == 2
    assert "--report r.html: the table is larger than memory" in result.output


@pytest.mark.parametrize("n", [1, 2, 5, 1000, 70_000])
def test_orders_of_four_bytes_are_the_same(n: int) -> None:
    """Batches and splits of many rows rely on it: an order does not depend on the size of its numbers."""
    wide, narrow = np.arange(n, dtype=np.int64), np.arange(n, dtype=np.int32)
    one, other, third = (np.random.default_rng(n) for _ in range(3))
    one.permuted(wide, axis=-1, out=wide)
    other.permuted(narrow, axis=-1, out=narrow)
    assert wide.tolist() == narrow.tolist()
    assert one.bit_generator.state == other.bit_generator.state
    narrow = np.arange(n, dtype=np.int32)
    third.shuffle(narrow)
    assert narrow.tolist() == np.random.default_rng(n).permutation(n).tolist()


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_batches_of_many_rows(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if engine == "compiled":
        pytest.importorskip("llvmlite")
    x, t = cr.datasets.moons(seed=0)
    found = []
    for many in (batches.MANY, 10):
        monkeypatch.setattr(batches, "MANY", many)
        layers = cr.Affine.sized(2, 8), cr.ReLU(), cr.Affine.sized(8, 2)
        net = cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=0)
        cr.Trainer(net, cr.SGD(0.1), engine=engine).fit(x, t, epochs=4, progress=None)
        found.append([p.tobytes() for p in net.params])
    assert found[0] == found[1]
