"""Programs of runs that were changed, branched off, or stopped within an epoch print their losses."""

from __future__ import annotations

import ast
import io
import random
import re
import zipfile
from typing import Any

import numpy as np
import pytest
from tests.script.programs import tidy

from chainrule.optimizers import OPTIMIZERS
from chainrule.playground.exports import export
from chainrule.playground.run import Run
from chainrule.playground.session import Session


def printed(run: Run, what: str, folder: Any, lang: str = "en") -> str:
    """What an exported program prints, run here: a process of its own takes most of a second."""
    made = export(run, what, lang)
    place = folder / what
    place.mkdir(exist_ok=True)
    if made.name.endswith(".zip"):
        zipfile.ZipFile(io.BytesIO(made.data)).extractall(place)
    else:
        (place / made.name).write_bytes(made.data)
    (file,) = place.glob("*.py")
    out: list[str] = []
    names = {
        "__name__": "program",
        "__file__": str(file),
        "print": lambda *a: out.append(" ".join(map(str, a))),
    }
    with pytest.MonkeyPatch.context() as patch, np.errstate():
        patch.chdir(place)
        exec(compile(file.read_text("utf-8"), str(file), "exec"), names)
    return "\n".join(out)


def code_losses(run: Run, folder: Any) -> list[float]:
    found = re.findall(r"{.*}", printed(run, "code", folder))
    return [ast.literal_eval(text)["loss"] for text in found]


def script_losses(run: Run, folder: Any) -> tuple[list[float], list[float]]:
    """Those of epochs, and the last two."""
    numbers = [float(line.split()[-1]) for line in printed(run, "script", folder).splitlines()]
    return numbers[:-2], numbers[-2:]


def change(r: random.Random, session: Session) -> dict[str, Any]:
    """A change that goes on with the run, or an edit."""
    if r.random() < 0.3:
        machine = session.run.machine
        k = r.randrange(len(machine.parameters))
        place = [r.randrange(n) for n in machine.parameters[k].shape]
        return {"do": "edit", "parameter": k, "place": place, "value": r.gauss(0, 1)}
    compatible = session.run.settings.mode == "compatible"
    changes: list[dict[str, Any]] = [
        {"learning_rate": r.choice([0.01, 0.05, 0.1])},
        {"l1": 0, "l2": r.choice([0, 0.03])},
        {"l1": r.choice([0, 0.01]), "l2": 0},
        {"batch_size": r.choice([25, 50, 125] if compatible else [7, 10, 40, 300])},
    ]
    if not compatible:
        numbers = session.run.settings.optimizer_numbers
        changes += [
            {"optimizer": r.choice(list(OPTIMIZERS))},
            {"dropout": r.choice([0, 0.2, 0.5])},
            {
                "learning_rate": 0.02,
                "dropout": r.choice([0, 0.3]),
                "batch_size": r.choice([10, 30]),
            },
            *({"optimizer_numbers": {name: r.uniform(0.1, 0.9)}} for name in numbers),
        ]
    return {"do": "configure", "settings": r.choice(changes)}


STARTS: list[dict[str, Any]] = [
    {},
    {"data": "spiral", "loss": "softmax", "features": ["x", "sinx"], "hidden": [3]},
    {"data": "plane", "activations": ["relu", "gelu"], "optimizer": "Adam", "dropout": 0.2},
    {"data": "book_spiral", "hidden": [], "optimizer": "Momentum", "batch_size": 40},
]


def random_run(seed: int) -> Session:
    """Steps, changes and branches."""
    r, session = random.Random(seed), Session()
    if seed % 5 == 4:
        session.do({"do": "link", "text": "#dataset=xor&seed=0.3&batchSize=25"})
    else:
        start = {"weight_seed": seed, **STARTS[seed % 5]}
        session.do({"do": "configure", "settings": start})
    for _ in range(r.randint(2, 7)):
        session.do({"do": "step", "count": r.randint(1, 40)})
        if r.random() < 0.3:
            session.do({"do": "goto", "step": r.randint(0, session.run.end)})
        session.do(change(r, session))
    session.do({"do": "step", "count": r.choice([1, 60])})
    if r.random() < 0.3:  # at step 0 programs train a network for the first time
        session.do({"do": "goto", "step": r.randint(1, session.run.end)})
    return session


def same_losses(session: Session, folder: Any) -> None:
    """Code and script end with the numbers that the page shows, and leave the run as it is."""
    run = session.run
    machine = run.machine
    before = machine.flat.data.tobytes(), run.step
    shown = session.frame().fields
    train, test = shown["train_loss"], shown["test_loss"]
    assert code_losses(run, folder) == [train, test]
    epochs, last = script_losses(run, folder)
    assert last == [train, test]
    rows = run.curve.sample(400)
    mine = rows[(rows[:, 0] <= run.step) & (rows[:, 1] > 0), 6].tolist()
    assert epochs == mine[len(mine) - len(epochs) :]
    assert (session.run.machine.flat.data.tobytes(), session.run.step) == before


@pytest.mark.parametrize(
    "seed", [*range(10), *(pytest.param(k, marks=pytest.mark.long) for k in range(10, 150))]
)
def test_programs_of_random_runs_print_their_losses(seed: int, tmp_path: Any) -> None:
    same_losses(random_run(seed), tmp_path)


def test_programs_of_a_branch_and_of_a_run_within_an_epoch(tmp_path: Any) -> None:
    """The way that the page itself invites to: two epochs, an edit, another rate, an epoch and a batch."""
    session = Session()
    session.do({"do": "step", "unit": "epoch", "count": 3})
    session.do({"do": "goto", "step": 50})
    edited = session.do({"do": "edit", "parameter": 3, "place": [0], "value": 0.5})
    assert edited.kind == "reply"
    session.do({"do": "configure", "settings": {"learning_rate": 0.1}})
    session.do({"do": "step", "unit": "epoch", "count": 1})
    session.do({"do": "step", "count": 1})
    same_losses(session, tmp_path)
    tidy(tmp_path / "script")
    code = export(session.run, "code").data.decode()
    assert "take(50)\n" in code
    assert "optimizer.lr = 0.1" in code
    assert "net.params[1][0] = 0.5" in code
    # Without any change, but stopped in the middle of an epoch.
    session = Session()
    session.do({"do": "step", "count": 30})
    same_losses(session, tmp_path / "..")
    # Chinese, too.
    printed(session.run, "code", tmp_path, "zh")
    printed(session.run, "script", tmp_path, "zh")
