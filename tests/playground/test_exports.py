"""What is taken home does what the playground did: run as processes of their own."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.playground.exports import EXPORTS, export
from chainrule.playground.run import Run
from chainrule.playground.session import Session

RUNS: dict[str, dict[str, Any]] = {
    "default": {},
    "softmax": {
        "data": "spiral",
        "loss": "softmax",
        "optimizer": "Adam",
        "features": ["x", "sinx"],
    },
    "regression": {"data": "plane", "noise": 0.1, "dropout": 0.2, "activations": ["relu", "gelu"]},
    "three classes": {"data": "book_spiral", "hidden": [5], "optimizer": "Nesterov", "l2": 0.01},
    "no hidden layer": {"data": "gauss", "hidden": [], "init": "zeros", "train_part": 0.8},
}


def stepped(session: Session, epochs: int) -> Run:
    """The run after so many epochs, however busy the machine is."""
    session.do({"do": "step", "unit": "epoch", "count": epochs})
    while session.target is not None:
        session.advance(1.0)
    return session.run


def trained(settings: dict[str, Any], epochs: int = 4) -> Run:
    session = Session()
    assert session.do({"do": "configure", "settings": settings}).kind == "reply"
    return stepped(session, epochs)


#: TensorFlow Playground links; in the last, rows are left over at the end of an epoch.
LINKS = {
    "default": "#seed=0.40401",
    "l1": "#dataset=spiral&regularization=L1&regularizationRate=0.01&noise=20&seed=0.7",
    "regression": "#problem=regression&regDataset=reg-gauss&batchSize=1&networkShape=3&seed=1",
    "rows left over": "#dataset=xor&batchSize=30&activation=relu&seed=0.2",
}


def opened(link: str, epochs: int = 4) -> Run:
    session = Session()
    assert session.do({"do": "link", "text": link}).kind == "reply"
    session.do({"do": "new_weights"})
    return stepped(session, epochs)


def printed(run: Run, what: str, folder: Path) -> str:
    """What an exported program prints."""
    made = export(run, what)
    if made.name.endswith(".zip"):
        zipfile.ZipFile(io.BytesIO(made.data)).extractall(folder)
    else:
        (folder / made.name).write_bytes(made.data)
    (program,) = folder.glob("*.py")
    command = [sys.executable, "-W", "error", program.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def started(name: str) -> Run:
    kind, _, which = name.partition(": ")
    return opened(LINKS[which]) if kind == "link" else trained(RUNS[name])


EVERY = [*RUNS, *(f"link: {name}" for name in LINKS)]


@pytest.mark.parametrize("name", EVERY[:-1])
def test_the_script_prints_the_losses_of_the_run(name: str, tmp_path: Path) -> None:
    run = started(name)
    lines = printed(run, "script", tmp_path).splitlines()
    losses = [float(line.split()[-1]) for line in lines]
    assert losses == [*run.curve.sample(9)[1:, 6].tolist(), *run.scores[:2]]


@pytest.mark.parametrize("name", EVERY)
def test_the_code_ends_where_the_run_stands(name: str, tmp_path: Path) -> None:
    run = started(name)
    out = printed(run, "code", tmp_path)
    found = [json.loads(text.replace("'", '"')) for text in re.findall(r"{.*}", out)]
    train, test, *scores = run.scores
    assert [f.pop("loss") for f in found] == [train, test]
    assert [f.popitem()[1] for f in found] == scores


def test_a_script_that_could_not_print_the_same_losses_is_refused() -> None:
    with pytest.raises(SettingError, match="divides 250"):
        export(opened(LINKS["rows left over"]), "script")


def test_the_model_file_is_the_network(tmp_path: Path) -> None:
    run = trained(RUNS["three classes"])
    file = tmp_path / "model.safetensors"
    file.write_bytes(export(run, "model").data)
    model = cr.load_model(file)
    x = run.machine.test[0]
    np.testing.assert_array_equal(model.network.predict(x), run.machine.network.predict(x))
    assert model.facts["playground"]["data"] == "book_spiral"


def test_the_data_have_every_row() -> None:
    run = trained(RUNS["three classes"], 1)
    rows = list(csv.DictReader(io.StringIO(export(run, "data").data.decode())))
    assert len(rows) == 300
    assert [float(row["x1"]) for row in rows] == run.data.inputs(["x"])[:, 0].tolist()
    assert sum(row["part"] == "train" for row in rows) == run.data.train
    assert {row["label"] for row in rows} == {"0", "1", "2"}


def test_the_same_run_gives_the_same_files() -> None:
    one, other = (trained(RUNS["softmax"], 2) for _ in range(2))
    for what in EXPORTS:
        assert export(one, what) == export(other, what)


def test_pictures_are_pictures_and_nothing_else_is_known() -> None:
    run = trained({}, 1)
    assert export(run, "png").data.startswith(b"\x89PNG")
    assert export(run, "svg", "zh").data.startswith(b"<svg")
    with pytest.raises(SettingError, match="script"):
        export(run, "scrypt")
