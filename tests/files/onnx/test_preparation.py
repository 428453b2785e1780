"""Models with a preparation: raw columns of a table in, labels or values out, as `predict` has them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.files.onnx.runtimes import close, outputs

import chainrule as cr
from chainrule.datasets import Preprocessor, Table
from chainrule.datasets.parts import Part
from chainrule.datasets.preprocessing import rows_with_target
from chainrule.files import Model
from chainrule.files.onnx.export import pack_onnx
from chainrule.files.onnx.preprocessing import PARTS


def test_every_kind_of_part_has_a_rule() -> None:
    assert set(PARTS) == set(get_args(Part))


def model_of(table: Table, target: str, loss: Any = None, width: int | None = None) -> Model:
    prepared = Preprocessor.fit(table, target)
    outputs = width or (len(prepared.classes) if prepared.classes else 1)
    if loss is None:
        loss = cr.SoftmaxWithLoss() if prepared.classes else cr.MeanSquaredError()
    net = cr.Sequential(
        cr.Affine.sized(len(prepared.features), 9), cr.BatchNorm.sized(9), cr.SiLU(),
        cr.Dropout(0.2), cr.Affine.sized(9, outputs), loss=loss, seed=1,
    )  # fmt: skip
    x, t = prepared.transform(table), prepared.targets(table)
    trainer = cr.Trainer(net, cr.Adam(0.02), engine="numpy")
    trainer.fit(x, t[:, None] if loss.target == "binary" else t, epochs=4, progress=None)
    return Model(net, prepared)


def columns(model: Model, table: Table) -> dict[str, Any]:
    """The raw columns, as a user hands them over."""
    assert model.preparation is not None
    given: dict[str, Any] = {}
    for name in model.preparation.columns:
        words = table.words(name)
        if words is not None:
            numbers, beside = table[name].tolist(), words.decoded().tolist()
            cells = [
                word or ("" if number != number else f"{number:g}")
                for number, word in zip(numbers, beside, strict=True)
            ]
            given[name] = np.array(cells, object)[:, None]
        elif table.kind(name) == "text":
            given[name] = np.array(table[name], object)[:, None]
        else:
            given[name] = np.array(table[name], np.float64)[:, None]
    return given


def agrees(model: Model, table: Table) -> list[Any]:
    """Both runtimes answer as `predict`; the answers."""
    file, want = pack_onnx(model), model.predict(table)
    for found in outputs(file, columns(model, table)):
        if not model.classifies:
            (value,) = found
            assert model.preparation is not None
            near = 1e-5 * model.preparation.scale  # of an answer near 0
            np.testing.assert_allclose(value, want, rtol=1e-6, atol=near)
            assert value.dtype == np.float64
            continue
        label, probabilities = found
        assert label.tolist() == want.tolist()
        close(probabilities, two_columns(model.predict_proba(table)))
    return list(want.tolist())


def two_columns(p: Any) -> Any:
    """The probabilities of both classes, where a network gives that of the second."""
    return np.concatenate([1 - p, p], 1) if p.shape[1] == 1 else p


@pytest.mark.parametrize("name", ["penguins", "iris"])
def test_bundled_tables_for_every_target(name: str) -> None:
    table = cr.datasets.load(name)
    for target in table.names:
        known, _ = rows_with_target(table, target)
        rows = table.rows(known)
        assert len(set(agrees(model_of(rows, target), rows))) > 1


def test_missing_cells_and_unseen_texts() -> None:
    table = cr.datasets.load("penguins")
    model = model_of(table, "species")
    assert model.preparation is not None
    new = Table(
        {
            "island": ["Biscoe", "", "Atlantis", "Dream"],
            "bill_length_mm": [39.1, np.nan, 50.0, 1e6],
            "bill_depth_mm": [np.nan, np.nan, np.nan, 0.0],
            "flipper_length_mm": [181, 195, 200, 220],
            "body_mass_g": [3750.0, np.nan, 5000.0, -1.0],
            "sex": ["male", "", "female", "?"],
            "year": [2007, 2008, 2009, 1900],
        }
    )
    agrees(model, new)


def test_words_among_numbers_constants_and_whole_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["dose,always,grade,note"]
    for i in range(80):
        dose = ("low", "", "none given")[i % 3] if i % 4 == 0 else f"{rng.random():.3f}"
        rows.append(f"{dose},3.5,{rng.integers(1, 4) * 10},{('a', 'b', '')[i % 3]}")
    (tmp_path / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    table = cr.datasets.read_csv(tmp_path / "table.csv")
    assert table.words("dose") is not None
    model = model_of(table, "grade")
    assert set(agrees(model, table)) <= {10, 20, 30}


@pytest.mark.parametrize("encoding", ["standard", "robust", "embedded"])
@pytest.mark.parametrize("target", ["price", "colour"])
def test_every_encoding_of_numbers_texts_dates_and_gaps(
    encoding: Any, target: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    lines = ["wild,member,city,colour,when,price"]
    for i in range(90):
        wild = "" if i % 9 == 0 else f"{rng.standard_cauchy():.4f}"
        day = f"{rng.integers(1890, 2104)}-{rng.integers(1, 13):02}-{rng.integers(1, 29):02}"
        clock = f"{rng.integers(0, 24):02}:{rng.integers(0, 60):02}"
        colour = rng.choice(["red", "green", "blue"])
        words = [rng.choice(["yes", "no"]), f"city {rng.integers(0, 14)}", colour]
        lines.append(f"{wild},{','.join(words)},{day} {clock},{rng.standard_normal():.3f}")
    (tmp_path / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    table = cr.datasets.read_csv(tmp_path / "table.csv", kinds={"when": "date"})
    prepared = Preprocessor.fit(table, target, encoding=encoding)
    assert {f"when: {part}" for part in ("year", "month", "day", "weekday", "hour")} <= set(
        prepared.features
    )
    x, t = prepared.transform(table), prepared.targets(table)
    preset = cr.PRESETS["table" if encoding == "embedded" else "table-small"]
    small = dataclasses.replace(preset, hidden=(9,))
    net = small.network(
        x,
        outputs=len(prepared.classes or "1"),
        layout=prepared.layout,
        task=prepared.task,
        epochs=9,
    )
    optimizer = small.optimizer(len(x), task=prepared.task, epochs=9)
    cr.Trainer(net, optimizer, engine="numpy").fit(x, t, 9, 256, progress=None)
    agrees(Model(net, prepared), table)


def test_an_ensemble() -> None:
    table = cr.datasets.load("penguins")
    members = [model_of(table, "species") for _ in range(2)]
    networks = [member.network for member in members]
    cr.Trainer(networks[0], cr.SGD(0.1), engine="numpy").fit(
        *_prepared(members[0], table), epochs=2, progress=None
    )
    agrees(Model(cr.Ensemble(networks, [2.0, 1.0]), members[0].preparation), table)


def _prepared(model: Model, table: Table) -> tuple[Any, Any]:
    assert model.preparation is not None
    return model.preparation.transform(table), model.preparation.targets(table)


def test_yes_or_no_by_one_output() -> None:
    x, t = cr.datasets.moons(80)
    table = Table({"a": x[:, 0], "b": x[:, 1], "side": np.where(t == 1, "up", "down")})
    model = model_of(table, "side", cr.SigmoidWithLoss(), 1)
    assert set(agrees(model, table)) == {"up", "down"}


def test_models_without_a_preparation() -> None:
    x, t = cr.datasets.spiral()
    net = cr.TwoLayerNet(2, 8, 3)
    cr.Trainer(net, cr.SGD(1.0), engine="numpy").fit(x, t, epochs=5, progress=None)
    rows = x.astype(np.float32)
    for found in outputs(pack_onnx(Model(net)), {"x": rows}):
        label, probabilities = found
        assert np.array_equal(label, net.classify(rows))
        close(probabilities, net.predict_proba(rows))
    values = cr.Sequential(cr.Affine.sized(2, 2), loss=cr.MeanSquaredError())
    for (value,) in outputs(pack_onnx(Model(values)), {"x": rows}):
        close(value, values.predict(rows))


def test_columns_and_outputs_may_have_one_name() -> None:
    table = Table({"label": [1.0, 2.0, 3.0, 4.0], "x": ["p", "q", "p", ""], "t": list("abab")})
    agrees(model_of(table, "t"), table)
