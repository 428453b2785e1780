"""Every model file answers as the page did: by `chainrule predict`, on the exported rows."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from chainrule.cli.program import chainrule
from chainrule.playground.exports import export
from chainrule.playground.run import Run
from chainrule.playground.session import Session

PLANE = ("circle", "xor", "gauss", "spiral", "book_spiral", "painted", "plane", "gaussian")
FEATURES: dict[str, dict[str, Any]] = {
    "usual": {},
    "formulas": {"features": ["sinx", "y2", "xy"]},
    "one": {"features": ["y"]},
}
#: Gaps, a word among numbers, a decimal comma, a unit, dates, a column called part, three kinds.
TABLE = "day;size;price;town;part;kind\n" + "\n".join(
    f"{1 + i % 28}.{1 + i % 12}.2024;{'' if i % 11 == 0 else 'few' if i % 7 == 0 else i % 13};"
    f"{i * 37 % 50},{i % 10} kg;{['Ulm', 'Köln', ''][i % 3]};{i % 2};{'abc'[i % 13 // 5]}"
    for i in range(90)
)
NUMBERS = "a,b,value\n" + "\n".join(f"{i},{i * i % 7},{i * 0.25 + 100:.2f}" for i in range(60))
TWO = "a,b,kind\n" + "\n".join(f"{i},{i * i % 7},{'yes' if i > 30 else 'no'}" for i in range(60))


def session_of(**settings: Any) -> Session:
    session = Session()
    answer = session.do({"do": "configure", "settings": settings})
    assert answer.kind == "reply", answer.fields
    return session


def with_table(text: str, **settings: Any) -> Session:
    session = Session()
    assert session.do({"do": "paste", "text": text}).kind == "reply"
    answer = session.do({"do": "configure", "settings": {"data": "own", **settings}})
    assert answer.kind == "reply", answer.fields
    return session


def answers_of(run: Run) -> list[str]:
    """What the page shows for every row: the class, or the number in the table's own unit."""
    data, settings = run.data, run.machine.settings
    y = np.asarray(run.machine.network.predict(data.inputs(settings.features)))
    if data.classes is None:
        scale, shift = data.unit
        return [str(v) for v in y[:, 0] * scale + shift]
    ids = y.argmax(axis=1) if y.shape[1] > 1 else (y[:, 0] > 0).astype(int)
    return [data.classes[k].replace("−", "-").removeprefix("+") for k in ids]


def same_answers(session: Session, folder: Path) -> int:
    """Export, predict by the command, compare; how many different answers there are."""
    session.do({"do": "step", "unit": "epoch", "count": 3})
    run = session.run
    model, rows = folder / "playground.safetensors", folder / "playground.csv"
    model.write_bytes(export(run, "model").data)
    rows.write_bytes(export(run, "data").data)
    done = CliRunner().invoke(chainrule, ["predict", str(model), str(rows)])
    assert done.exit_code == 0, done.output
    found = [row["prediction"] for row in csv.DictReader(io.StringIO(done.stdout))]
    wanted = answers_of(run)
    if run.data.classes is None:
        numbers = [np.array(some, float) for some in (found, wanted)]
        np.testing.assert_allclose(numbers[0], numbers[1], rtol=2e-5, atol=2e-6)
    else:
        assert found == wanted
    return len(set(found))


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("loss", ["squared", "softmax"])
@pytest.mark.parametrize("data", PLANE)
def test_points_of_the_plane(data: str, loss: str, features: str, tmp_path: Path) -> None:
    if data in ("plane", "gaussian") and loss == "softmax":
        pytest.skip("softmax is for classes")
    points = [[i % 9 - 4, (i * i) % 11 - 5, i % 3] for i in range(60)] if data == "painted" else []
    more = {"points": points} if points else {}
    session = session_of(data=data, loss=loss, learning_rate=0.3, **more, **FEATURES[features])
    assert same_answers(session, tmp_path) > 1 or features == "one"


@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_digits_by_all_and_by_some_pixels(loss: str, tmp_path: Path) -> None:
    session = session_of(data="digits", loss=loss, hidden=[8], learning_rate=0.3)
    same_answers(session, tmp_path)
    names = session.run.data.names
    session.do({"do": "configure", "settings": {"features": list(names[40:10:-3])}})
    same_answers(session, tmp_path)


@pytest.mark.parametrize("link", ["#dataset=xor&seed=0.3", "#problem=regression&seed=0.3"])
def test_links_of_tensorflow_playground(link: str, tmp_path: Path) -> None:
    session = Session()
    session.do({"do": "link", "text": link})
    same_answers(session, tmp_path)


@pytest.mark.parametrize("loss", [None, "squared", "softmax"])
@pytest.mark.parametrize("text", [TABLE, TWO], ids=["three", "two"])
def test_own_tables_with_classes(text: str, loss: str | None, tmp_path: Path) -> None:
    session = with_table(text, learning_rate=0.3, **({"loss": loss} if loss else {}))
    assert session.run.settings.loss == (loss or "softmax")
    assert same_answers(session, tmp_path) > 1
    names = list(session.run.data.names)
    for some in (names[::-1], names[::2], names[1:2]):
        session.do({"do": "configure", "settings": {"features": some}})
        same_answers(session, tmp_path)


def test_own_tables_with_numbers_to_predict(tmp_path: Path) -> None:
    session = with_table(NUMBERS)
    assert session.run.settings.loss == "squared"
    same_answers(session, tmp_path)


def test_the_loss_of_a_table_is_left_behind_with_it() -> None:
    session = with_table(TWO)
    session.do({"do": "configure", "settings": {"data": "circle"}})
    assert session.run.settings.loss == "squared"
    session.do({"do": "configure", "settings": {"loss": "softmax"}})
    session.do({"do": "configure", "settings": {"data": "xor"}})
    assert session.run.settings.loss == "softmax"
