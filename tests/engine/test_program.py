"""The NumPy engine: traced steps give the nodes' own numbers, in memory planned beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.engine.lowering import Lowered
from chainrule.engine.program import Program, Section, build
from chainrule.engine.rules import FUNCTIONS
from chainrule.engine.trace import Trace
from chainrule.errors import RecordingError
from chainrule.graph.graph import Graph

Array = npt.NDArray[Any]


def compiled(f: Any, *arrays: Array, planned: bool) -> tuple[Program, list[Array]]:
    """A program for the value of f and its gradients, and what the graph itself gives."""
    variables = [cr.Variable(a, f"x{i}") for i, a in enumerate(arrays)]
    out = f(*variables)
    graph = Graph([out])
    trace = Trace(FUNCTIONS)
    leaves = {v: trace.argument(v.shape, v.dtype, v.name or "x") for v in variables}
    low = Lowered(graph, trace, leaves)
    grads = low.gradients(variables)
    section = Section("run", list(leaves.values()), [low.value(graph.outputs[0]), *grads])
    found = graph.gradients()
    return build([section], planned=planned), [
        out.data,
        *(found.get(v, np.zeros_like(v.data)) for v in variables),
    ]


EXPRESSIONS: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "affine": (lambda x, W, b: cr.sum(cr.tanh(x @ W + b)), [(5, 3), (3, 4), (4,)]),
    "softmax": (lambda x: cr.sum(cr.softmax(x) ** 2), [(4, 6)]),
    "transposed": (lambda x: cr.sum((x.T @ x) * x[0]), [(4, 3)]),
    "reshaped transpose": (lambda x: cr.sum(cr.reshape(x.T, (2, 6)) @ x), [(6, 2)]),
    "own transpose": (lambda x: cr.sum(x * x.T), [(4, 4)]),
    "gather": (lambda x: cr.sum(x[np.array([0, 2, 2])] ** 3), [(4, 2)]),
    "slices": (lambda x: cr.sum(x[1:] * x[:-1] + x[::-1][1:]), [(5, 2)]),
    "join": (lambda x, y: cr.sum(cr.concatenate([x, y * 2], 1) ** 2), [(3, 2), (3, 4)]),
    "stack": (lambda x, y: cr.sum(cr.stack([x, x * y], 1).max(1)), [(3, 2), (3, 2)]),
    "statistics": (lambda x: cr.sum((x - cr.mean(x, 0)) / cr.std(x, 0) * x), [(6, 3)]),
    "where": (lambda x, y: cr.sum(cr.where(x > y, x * y, cr.exp(x))), [(3, 4), (3, 4)]),
    "prod": (lambda x: cr.sum(cr.prod(x, 1)), [(3, 4)]),
    "norm": (lambda x: cr.norm(x) * cr.norm(x, axis=0).sum(), [(3, 4)]),
    "stacks of matrices": (lambda x, y: cr.sum(x @ y), [(2, 3, 4), (2, 4, 5)]),
    "powers": (lambda x: cr.sum(cr.exp(x) ** 2 + cr.exp(x) ** -0.5 + cr.exp(x) ** 1.7), [(7,)]),
    "scalar": (lambda x: x * x * 3.0 + 1.0, [()]),
    "unused": (lambda x, y: cr.sum(x) + 0.0 * cr.sum(y), [(3,), (2,)]),
    "gradient inside": (
        lambda x: cr.sum(cr.grad(lambda z: cr.sum(cr.sin(z) * z))(x) ** 2), [(4,)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("planned", [True, False])
@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_program_gives_the_graphs_numbers(name: str, planned: bool, dtype: Any) -> None:
    f, shapes = EXPRESSIONS[name]
    rng = np.random.default_rng(0)
    program, _ = compiled(f, *(np.ones(s, dtype) for s in shapes), planned=planned)
    for _ in range(3):  # again with other numbers, in the same buffers
        arrays = [np.asarray(rng.standard_normal(s), dtype) for s in shapes]
        kept = [a.copy() for a in arrays]
        _, expected = compiled(f, *arrays, planned=planned)
        found = program.functions["run"](*arrays)
        for got, want in zip(found, expected, strict=True):
            scale = max(1.0, float(np.abs(want).max(initial=0)))
            tolerance = (1e-12 if dtype == np.float64 else 2e-5) * scale
            np.testing.assert_allclose(got, want, rtol=0, atol=tolerance)
            assert np.asarray(got).dtype == dtype
        for a, b in zip(arrays, kept, strict=True):
            np.testing.assert_array_equal(a, b)


def test_equal_operations_are_written_once_and_known_ones_left_out() -> None:
    program, _ = compiled(lambda x: cr.sum(cr.exp(x) * cr.exp(x)) * 1.0, np.ones(3), planned=True)
    assert program.source.count("exp(") == 1
    assert "where" not in program.source
    assert "equal" not in program.source


def test_division_by_a_number_costs_one_division() -> None:
    program, _ = compiled(lambda x: cr.sum(x / 3.0), np.ones(3), planned=True)
    assert program.source.count("divide(") <= 1


def test_buffers_are_reused() -> None:
    def deep(x: cr.Variable) -> Any:
        for _ in range(50):
            x = cr.sin(x)
        return cr.sum(x)

    with_gradient, _ = compiled(deep, np.ones((100, 100)), planned=True)
    one = 100 * 100 * 8
    assert with_gradient.nbytes <= 53 * one  # one for each sin that the way back needs


def test_values_may_not_steer_a_recording() -> None:
    class Steered(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.MeanSquaredError())
            self.first = cr.Affine.sized(2, 1)

        def predict(self, x: Any) -> Any:
            y = self.first(x)
            return y if cr.sum(y) > 0 else -y

    with pytest.raises(RecordingError, match=r"recorded.*cr\.where"):
        Steered().forward(np.ones((3, 2)), np.ones((3, 1)))


def test_unknown_numpy_functions_are_refused_by_name() -> None:
    with pytest.raises(RecordingError, match=r"np\.i0 is not known for Variables"):
        np.i0(cr.Variable([1.0]))


def test_random_expressions_agree() -> None:
    """Random graphs of elementwise and matrix operations: program and graph, value and gradient."""
    unary = [cr.sin, cr.tanh, cr.sigmoid, cr.softplus, cr.gelu, cr.relu, cr.exp, lambda v: v * 0.5]
    binary = [cr.add, cr.subtract, cr.multiply, cr.maximum, cr.matmul, lambda a, b: a / (2 + b * b)]
    for seed in range(60):
        rng = np.random.default_rng(seed)
        choices = rng.integers(0, 1000, 24)

        def f(*variables: Any, choices: Any = choices) -> Any:
            pool = list(variables)
            for c in choices.reshape(-1, 3):
                a, b = pool[c[1] % len(pool)], pool[c[2] % len(pool)]
                if c[0] % 2:
                    pool.append(unary[c[0] // 2 % len(unary)](cr.tanh(a)))
                else:
                    pool.append(binary[c[0] // 2 % len(binary)](cr.tanh(a), b.T))
            return cr.mean(sum(pool[2:]))

        arrays = [rng.standard_normal((4, 4)) for _ in range(3)]
        for planned in (True, False):
            program, expected = compiled(f, *arrays, planned=planned)
            for got, want in zip(program.functions["run"](*arrays), expected, strict=True):
                scale = max(1.0, float(np.abs(want).max()))
                np.testing.assert_allclose(got, want, rtol=0, atol=1e-11 * scale)


def test_parameters_without_axes_get_their_gradients_from_a_stack() -> None:
    class Weighted(cr.Layer):
        def formula(self, x: Any, a: Any, b: Any) -> Any:
            return x * cr.sum(cr.stack([a, b]) * np.array([1.0, 2.0]))

    net = cr.Sequential(Weighted(a=np.array(1.5), b=np.array(2.5)), loss=cr.MeanSquaredError())
    x = np.ones((4, 1))
    net.forward(x, x)
    net.backward()  # L = (a + 2b - 1)², so da = 2 · 5.5 and db = 4 · 5.5
    assert [g.item() for g in net.grads] == [11.0, 22.0]


@pytest.mark.parametrize("planned", [True, False])
def test_what_is_known_of_a_number_is_computed_beforehand(planned: bool) -> None:
    x = np.array([0.5, -1.0, 2.0])
    program, expected = compiled(lambda v: cr.sum(2.0**v), x, planned=planned)
    value, slope = program.functions["run"](x)
    np.testing.assert_allclose([value, expected[0]], [np.sum(2.0**x)] * 2, rtol=1e-15)
    np.testing.assert_allclose(slope, 2.0**x * np.log(2.0), rtol=1e-15)
    assert "log" not in program.source
