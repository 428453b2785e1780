"""The learner's own data: tables as they come, painted points, digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.playground.caps import Caps
from chainrule.playground.session import Session
from chainrule.playground.settings import Settings
from chainrule.playground.sources import draw
from chainrule.playground.tables import Cells, read_table, table_cells


def done(session: Session, do: str, **fields: Any) -> dict[str, Any]:
    answer = session.do({"do": do, **fields})
    assert answer.kind == "reply", answer.fields
    return dict(answer.fields)


def people(n: int = 120) -> str:
    rng = np.random.default_rng(0)
    lines = ["Größe (cm); Gewicht, kg ;Stadt;Klasse\u00a0ja"]
    for i in range(n):
        weight = "" if i % 17 == 0 else f"{rng.normal(-(i % 3), 0.3):.2f}"
        town = ["Ulm", "Köln", "Berlin"][rng.integers(3)]
        lines.append(f"{rng.normal(2 * (i % 3), 0.3):.2f};{weight};{town};{'abc'[i % 3]}")
    return "\n".join(lines)


def test_a_table_with_odd_names_gaps_and_texts_is_learnt() -> None:
    session = Session()
    answer = session.upload("people.csv", people().encode())
    columns = answer.fields["columns"]
    assert columns == ["Größe (cm)", "Gewicht, kg", "Stadt", "Klasse\u00a0ja"]
    settings = {"data": "own", "target": columns[3], "features": columns[:3], "loss": "softmax"}
    done(session, "configure", settings=settings | {"optimizer": "Adam"})
    done(session, "step", unit="epoch", count=60)
    assert session.run.scores[3] > 0.9
    state, frame = session.state(), session.frame()
    assert state.fields["data"]["plane"] is None
    cities = ["Stadt=Berlin", "Stadt=Köln", "Stadt=Ulm"]
    assert state.fields["data"]["names"][2:] == ["Gewicht, kg (missing)", *cities]
    assert any("missing" in note for note in state.fields["data"]["notes"]["en"])
    confusion = frame.arrays["confusion"]
    assert confusion.sum(axis=(1, 2)).tolist() == [60, 60]
    right = confusion.diagonal(axis1=1, axis2=2).sum(axis=1) / 60
    assert right.tolist() == pytest.approx([session.run.scores[2], session.run.scores[3]])


def test_what_the_rows_become_is_learnt_from_the_training_rows_alone() -> None:
    table = read_table("people.csv", people().encode())
    data = table_cells(Settings(data="own", train_part=0.3), table, Caps())
    assert data.table is not None
    train = data.table.rows(slice(0, data.train))
    again = cr.datasets.Preprocessor.fit(train, "Klasse\u00a0ja")
    np.testing.assert_array_equal(data.matrix, again.transform(data.table))
    assert np.bincount(data.labels[: data.train]).tolist() == [12, 12, 12]


def test_two_columns_of_numbers_are_a_plane_in_their_own_units() -> None:
    table = read_table("people.csv", people().encode())
    data = table_cells(Settings(data="own"), table, Caps())
    features = ("Größe (cm)", "Gewicht, kg")
    plane = data.plane(features)
    assert plane is not None
    assert plane.names == features
    points = data.points(features)
    assert data.table is not None
    heights = data.table.matrix(["Größe (cm)"])[:, 0]
    np.testing.assert_allclose(points[:, 0], heights, atol=1e-5)
    # A point of the grid is given to the network as a row of the table would be.
    corner = data.grid(features, 2)[0]
    row = {"Größe (cm)": [plane.x[0]], "Gewicht, kg": [plane.y[1]], "Stadt": ["Ulm"]}
    assert data.preparation is not None
    prepared = data.preparation.transform(cr.datasets.Table(row))[0, :2]
    np.testing.assert_allclose(corner, prepared, rtol=1e-5)
    assert data.plane(("Größe (cm)", "Stadt=Ulm")) is None


def test_numbers_to_predict_have_a_plot_of_all_rows() -> None:
    session = Session()
    lines = [f"{i},{i * i % 7},{0.5 * i + 1.25},{i % 4}" for i in range(60)]
    done(session, "paste", text="\n".join(["a,b,y,c", *lines]))
    settings = {"data": "own", "target": "y", "features": ["a", "b", "c"], "hidden": []}
    done(session, "configure", settings=settings)
    done(session, "step", unit="epoch", count=200)
    predicted, labels = session.frame().arrays["predicted"], session.state().arrays["labels"]
    assert predicted.shape == labels.shape == (60,)
    assert np.abs(predicted - labels).max() < 1e-3
    assert session.run.scores[3] > 0.999


def test_a_new_table_is_taken_though_the_settings_are_the_same() -> None:
    session = Session()
    for k in (1, 2):
        done(session, "paste", text="a,y\n" + "\n".join(f"{i},{k * i + 0.5}" for i in range(40)))
        done(session, "configure", settings={"data": "own", "target": "y"})
        rows = session.run.data.points(("a", "a"))
        assert rows.shape == (40, 2)
        note = next(n for n in session.state().fields["data"]["notes"]["en"] if "'y'" in n)
        assert f"mean {np.mean([k * i + 0.5 for i in range(40)]):.3g}"[:8] in note or k == 2
    assert len(session.runs) == 1  # nothing had happened in the first


def test_large_tables_are_drawn_from_and_small_ones_refused() -> None:
    table = read_table("n.csv", ("a,y\n" + "\n".join(f"{i},{i}.5" for i in range(900))).encode())
    data = table_cells(Settings(data="own"), table, Caps(points=200))
    assert len(data.labels) == 200
    assert "200 of 900 rows were drawn." in data.notes
    session = Session()
    for body, what in [
        (b"a\n1\n2", "two columns"),
        (b"", "empty"),
        (b"<html>", "HTML"),
        (b"a,b\n1,2,3\n4,5\n", "n.csv:2"),
        (b"a,b\n" + b"1,2\n" * 700_000, "bytes"),
    ]:
        assert what in session.upload("n.csv", body).fields["errors"][0]
    done(session, "paste", text="a,b\n1,2")
    answer = session.do({"do": "configure", "settings": {"data": "own"}})
    assert "at least 4" in answer.fields["errors"][0]
    answer = session.do({"do": "configure", "settings": {"data": "own", "target": "z"}})
    assert "no column" in answer.fields["errors"][0]


def test_painted_points_keep_their_part_and_can_be_erased() -> None:
    session = Session()
    done(session, "paint", points=[[1, 2, 0], [-1, -2, 1], [3.123, 3, 0], [0, 0, 2]])
    first = session.run.data
    rows = {tuple(p): i < first.train for i, p in enumerate(first.points(()).tolist())}
    done(session, "paint", points=[[k / 10, 1, 1] for k in range(40)])
    data = session.run.data
    after = {tuple(p): i < data.train for i, p in enumerate(data.points(()).tolist())}
    assert rows.items() <= after.items()
    assert rows[1, 2]  # the first one trains: there is something to learn from at once
    assert abs(data.train - data.test) <= 2
    assert data.classes == ("1", "2", "3")
    done(session, "paint", erase=[[0, 0, 50]])
    assert len(session.run.data.labels) == 0
    done(session, "play")
    assert session.advance(0.01)
    assert session.frame().fields["train_loss"] is not None or session.run.step == 0


def test_digits_are_images() -> None:
    data = draw(Settings(data="digits", data_seed=3))
    assert isinstance(data, Cells)
    assert data.image == (8, 8)
    assert len(data.names) == 64
    assert data.matrix.max() == 1
    session = Session()
    done(session, "configure", settings={"data": "digits", "loss": "softmax", "hidden": [16]})
    done(session, "step", unit="epoch", count=2)
    frame = session.frame()
    means = frame.arrays["means"]
    assert means.shape == (16 + 10,)
    assert means[16:].sum() == pytest.approx(1, abs=1e-6)
    assert "map" not in frame.arrays


def test_a_unit_has_a_map_of_its_own() -> None:
    session = Session()
    done(session, "step", unit="epoch", count=1)
    found = session.do({"do": "unit", "column": 2, "index": 1}).arrays["map"]
    grid = session.run.data.grid(["x", "y"], 100)
    layers = session.run.machine.network.sequence
    h = np.tanh(np.tanh(grid @ layers[0].W + layers[0].b) @ layers[2].W + layers[2].b)
    np.testing.assert_allclose(found, h[:, 1].reshape(100, 100), rtol=1e-5, atol=1e-6)
    assert session.do({"do": "unit", "column": 3, "index": 0}).kind == "error"
    assert session.do({"do": "unit", "column": 1, "index": 4}).kind == "error"


def test_a_table_that_would_become_too_many_inputs_or_classes_is_refused() -> None:
    names = ",".join(f"c{i}" for i in range(30))
    cells = [",".join(f"word{row % 40}" for _ in range(30)) for row in range(400)]
    lines = [f"{names},kind", *(f"{cell},{i % 2}" for i, cell in enumerate(cells))]
    session = Session()
    assert session.upload("wide.csv", "\n".join(lines).encode()).kind == "reply"
    (sentence,) = session.do({"do": "configure", "settings": {"data": "own"}}).fields["errors"]
    assert "inputs" in sentence
    lines = ["x,kind", *(f"{i},word{i % 300}" for i in range(1800))]
    assert session.upload("many.csv", "\n".join(lines).encode()).kind == "reply"
    (sentence,) = session.do({"do": "configure", "settings": {"data": "own"}}).fields["errors"]
    assert "300 different answers" in sentence


def test_the_caps_of_the_session_hold_for_a_table() -> None:
    session = Session(Caps(points=20))
    session.upload("long.csv", ("x,y\n" + "\n".join(f"{i},{i / 7}" for i in range(100))).encode())
    assert session.do({"do": "configure", "settings": {"data": "own"}}).kind == "reply"
    data = session.state().fields["data"]
    assert data["train"] + data["test"] == 20
    assert any("20 of 100 rows" in note for note in data["notes"]["en"])


@pytest.mark.parametrize(
    ("mean", "deviation"),
    [(0.0, 1.0), (2020.0, 3.0), (8e4, 2e4), (1.7e9, 1e4), (1e12, 1e3), (5e-300, 1e-301), (1e300, 1e299)],
)  # fmt: skip
def test_the_plane_is_in_the_tables_own_units(mean: float, deviation: float) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(mean, deviation, 60).tolist(), rng.normal(0, 1, 60).tolist()
    rows = [f"{a[i]!r},{b[i]!r},{'pq'[i % 2]}" for i in range(60)]
    session = Session()
    session.upload("a.csv", "\n".join(["a,b,c", *rows]).encode())
    done(session, "configure", settings={"data": "own", "target": "c", "features": ["a", "b"]})
    state = session.state()
    table = session.run.data.table  # type: ignore[attr-defined]
    points = state.arrays["points"]
    np.testing.assert_allclose(points[:, 0], table["a"], rtol=0, atol=1e-6 * deviation)
    margin = 0.06 * (max(a) - min(a))
    ends = (min(a) - margin, max(a) + margin)
    assert state.fields["data"]["plane"]["x"] == pytest.approx(ends, rel=0, abs=1e-6 * deviation)
    session.frame().to_bytes(), state.to_bytes()


@pytest.mark.parametrize(
    ("encoding", "heading"),
    [("gb18030", "身高"), ("cp1252", "Größe"), ("utf-16", "身高"), ("utf-16-le", "ß"), ("utf-16-be", "a")],
)  # fmt: skip
def test_tables_of_older_programs_are_read_and_it_is_said(encoding: str, heading: str) -> None:
    text = f"{heading},b,{heading}2\n" + "".join(f"{i},{i * i},{'xy'[i % 2]}\n" for i in range(9))
    answer = Session().upload("old.csv", text.encode(encoding))
    assert answer.fields["columns"] == [heading, "b", f"{heading}2"]
    told = answer.fields["notes"]
    assert any(encoding in note for note in told["en"])
    assert told["en"] != told["zh"]
