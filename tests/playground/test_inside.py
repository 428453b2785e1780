"""Inside a step: what is shown of it is what the library computes, down to the updated parameters."""

from __future__ import annotations

import copy
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.optimizers import Optimizer
from chainrule.playground.inside import Inside

Array = npt.NDArray[Any]

OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "l1 and l2": lambda: cr.SGD(lr=0.1, l1=0.02, l2=0.03),
    **{name: partial(kind, lr=0.1) for name, kind in cr.optimizers.OPTIMIZERS.items()},
}


def state(network: cr.Network, optimizer: Optimizer) -> dict[str, dict[str, Array]]:
    """Every parameter and its slots, by its path; the optimizer was given the parameters one by one."""
    found = {}
    for i, (path, p) in enumerate(network.named_parameters().items()):
        slots = optimizer.state[i] if optimizer.state else [np.zeros_like(p.data)] * 2
        found[path] = {"p": p.data.copy()} | {
            name: slot.copy() for name, slot in zip(optimizer.slots, slots, strict=False)
        }
    return found


def inside(optimizer: Optimizer, detail: bool = False) -> Inside:
    """A step in the midst of a training, which really is made."""
    rng = np.random.default_rng(1)
    net = cr.Sequential(
        cr.Affine.sized(2, 4, dtype=np.float64),
        cr.Tanh(),
        cr.Affine.sized(4, 3, dtype=np.float64),
        loss=cr.SoftmaxWithLoss(),
        seed=0,
    )
    x, t = rng.normal(size=(5, 2)), rng.integers(0, 3, 5)

    def step(network: cr.Network, o: Optimizer) -> None:
        network.forward(x, t)
        network.backward()
        o.update(network.params, network.grads)

    for _ in range(3):
        step(net, optimizer)
    before = state(net, optimizer)
    later = copy.deepcopy((net, optimizer))
    step(*later)
    columns = {"0": 1, "1": 1, "2": 2}
    return Inside(net, optimizer, x, t, before, state(*later), columns, detail)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_update_in_words_gives_the_numbers_of_the_engine(kind: str) -> None:
    shown = inside(OPTIMIZERS[kind]())
    assert [u.name for u in shown.updates] == ["W1", "b1", "W2", "b2"]
    for update in shown.updates:
        for slot, after in update.after.items():
            place = (0,) * after.ndim
            found = shown.explain_update(update.name, place, slot)
            assert found["value"] == pytest.approx(after[place], rel=1e-13, abs=1e-16)
            assert found["lines"][0]["text"].startswith("new ")


def test_every_number_of_a_step_is_there_and_right() -> None:
    shown = inside(cr.Adam())
    arrows, arrays = shown.arrays()
    steps = list(shown.steps())
    json.dumps(steps, allow_nan=False)
    phases = [step["phase"] for step in steps]
    assert phases == sorted(phases, key=["forward", "loss", "backward", "update"].index)
    assert set(phases) == {"forward", "loss", "backward", "update"}
    for step in steps:
        for flow in [*step["inputs"], *step["reads"], *step["outputs"]]:
            assert flow["arrow"] in arrows or flow["array"] in arrays or "number" in flow
    x, W, b = (arrays[f"value {name}"] for name in ("x", "W1", "b1"))
    np.testing.assert_array_equal(arrays["value affine1"], x @ W + b)
    dout = arrays["gradient affine1"]
    np.testing.assert_allclose(arrays["gradient W1"], x.T @ dout, rtol=1e-14)
    np.testing.assert_allclose(arrays["gradient b1"], dout.sum(axis=0), rtol=1e-14)
    # The engine's update is of this gradient.
    m = arrays["before 0.W m"]
    np.testing.assert_allclose(
        arrays["after 0.W m"], m + 0.1 * (arrays["gradient W1"] - m), rtol=1e-12
    )


def test_arrows_belong_to_the_units_they_come_from() -> None:
    arrows, _ = inside(cr.SGD()).arrays()
    columns = {name: arrow["column"] for name, arrow in arrows.items()}
    assert columns["x"] == 0
    assert [columns[n] for n in ("W1", "b1", "affine1", "tanh")] == [1] * 4
    assert [columns[n] for n in ("W2", "b2", "affine2")] == [2] * 3
    assert columns["L"] is None


@pytest.mark.parametrize("detail", [False, True])
def test_the_picture_has_every_step_and_no_style(detail: bool) -> None:
    shown = inside(cr.SGD(), detail)
    svg = ET.fromstring(shown.svg())
    elements = list(svg.iter())
    assert not any(e.tag.endswith("style") or "style" in e.attrib for e in elements)
    nodes = {e.get("data-node") for e in elements}
    drawn = {e.get("data-arrow") for e in elements}
    for step in shown.steps():
        assert step["node"] is None or step["node"] in nodes
        assert {f["arrow"] for f in step["inputs"] if f["arrow"]} <= drawn


def test_every_arrow_gets_a_verdict_and_a_reason() -> None:
    shown = inside(cr.SGD())
    arrows, arrays = shown.arrays()
    verdicts = shown.check()
    assert set(verdicts) == {n for n, a in arrows.items() if a["gradient"] and n != "L"}
    assert all(v["ok"] for v in verdicts.values())
    found = shown.explain("W1", (1, 2), gradient=True)
    assert found["value"] == arrays["gradient W1"][1, 2]
    assert {"W1", "affine1", "affine2"} <= set(found["arrows"])
    assert all(
        re.match("<math>.*</math>$", line.get("mathml", "<math></math>")) for line in found["lines"]
    )


def test_what_is_not_there_is_refused_by_name() -> None:
    shown = inside(cr.Adam())
    with pytest.raises(SettingError, match="W1"):
        shown.explain_update("w1", (0, 0))
    with pytest.raises(SettingError, match="m, v"):
        shown.explain_update("W1", (0, 0), "h")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_values_and_gradients_that_overflow_are_told_and_marked(lang: str) -> None:
    net = cr.Sequential(
        cr.Affine(np.array([[-1000.0]]), np.zeros(1)), cr.Sigmoid(), loss=cr.MeanSquaredError()
    )
    shown = Inside(net, cr.SGD(lr=0.1), np.ones((1, 1)), np.ones((1, 1)), detail=True, lang=lang)
    told = shown.overflows()
    assert any("exp[1,1]" in sentence and "∞" in sentence for sentence in told)
    assert any("∂neg[1,1]" in sentence and "NaN" in sentence for sentence in told)
    assert ("overflows to" in told[0]) == (lang == "en")
    assert all(f"! {sentence}" in shown.svg() for sentence in told[:2])
    assert shown.svg().count('class="s-bad"') == len(told)
    plain = Inside(net, cr.SGD(lr=0.1), np.ones((1, 1)), np.ones((1, 1)), lang=lang)
    assert plain.overflows() == []
