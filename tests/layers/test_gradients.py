"""Every row's gradients against a complex step, first and second order."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.layers.oracle import STEP, Held, close_enough, complex_twin, slope, value
from tests.layers.table import ROWS, Row
from tests.nodes.shares import shares

import chainrule as cr
from chainrule import layers
from chainrule.graph.mode import complex_steps

Array = npt.NDArray[Any]

modes = [pytest.param(row, mode, id=f"{row.name}-{mode}") for row in ROWS for mode in row.modes]


def test_every_public_layer_and_loss_has_a_row() -> None:
    not_layers = {"Layer", "Loss", "inference_mode", "is_training", "one_hot", "training_mode"}
    in_table = {type(row.make(np.float64)).__name__ for row in ROWS}
    apart = in_table ^ (set(layers.__all__) - not_layers)
    assert not apart, f"only one of layers and tests/layers/table.py has {sorted(apart)}"
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("row", "training"), modes)
@shares(40, 200)
def test_first_order(row: Row, training: bool, cases: range) -> None:
    layer = row.make(np.float64)
    held = Held(layer, training)
    for case in range(cases.start // len(row.modes), cases.stop // len(row.modes)):
        rng = np.random.default_rng([case, training])
        x, more = row.inputs(rng, row.shapes[case % len(row.shapes)])
        out = held(x, *more)
        dout = rng.standard_normal(np.shape(out))
        dx = layer.backward(dout)
        held.restore()
        gradients = {} if row.takes_ids else {"x": dx}
        gradients.update(zip(layer.parameters, layer.grads, strict=True))
        for name, g in gradients.items():
            v = rng.standard_normal(g.shape)
            want = float(np.sum(dout * slope(layer, training, x, more, name, v)))
            got = float(np.sum(g * v))
            assert close_enough(got, want, g * v), (row.name, name, x.shape, got, want)


@pytest.mark.parametrize(("row", "training"), modes)
@complex_steps()
def test_second_order(row: Row, training: bool) -> None:
    for case, shape in enumerate(row.shapes):
        rng = np.random.default_rng([case, 2])
        layer = row.make(np.float64)
        x, more = row.inputs(rng, shape)
        if row.is_loss:
            more[0] = layer.targets(x.shape, more[0])
            more[1:] = [layer.weights(more[0], more[1], float)] if row.weighted else []
        # All in complex numbers, so that a step into the imaginary needs no other computation.
        held = Held(complex_twin(layer), training)
        given = [x if row.takes_ids else x.astype(complex)]
        given += [p.data for p in held.layer.parameters.values()]
        wanted = tuple(range(1 if row.takes_ids else 0, len(given)))
        u = rng.standard_normal(np.shape(layer.forward(x, *more)))
        ws = [rng.standard_normal(given[i].shape) for i in wanted]
        gradient = cr.grad(partial(weighted_output, held, more, u), wanted)
        for i, second in zip(
            wanted, cr.grad(partial(weighted, gradient, ws), wanted)(*given), strict=True
        ):
            v = rng.standard_normal(given[i].shape)
            stepped = [*given[:i], given[i] + 1j * STEP * v, *given[i + 1 :]]
            want = float(np.imag(value(weighted(gradient, ws, *stepped))) / STEP)
            got = float(np.sum(second.real * v))
            assert close_enough(got, want, second.real * v), (row.name, i, shape, got, want)


def weighted_output(held: Held, more: list[Any], u: Array, x: Any, *parameters: Any) -> Any:
    """Σ u · layer(x), as a function of x and the parameters."""
    held.restore()
    with layers.training_mode(held.training):
        return cr.sum(u * held.layer.formula(x, *parameters, *more))


def weighted(gradient: Any, ws: list[Array], *given: Any) -> Any:
    """Σ w · gradient, over all the gradients."""
    return sum(cr.sum(w * g) for w, g in zip(ws, gradient(*given), strict=True))
