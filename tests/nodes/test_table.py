"""Every public node stands in the table, and every law holds for the cases it draws."""

from __future__ import annotations

import numpy as np
import pytest
from tests.nodes import laws
from tests.nodes.shares import shares
from tests.nodes.table import TABLE, Case, draw

from chainrule import nodes
from chainrule.graph.variable import Variable

FEW, CASES = 40, 100
SECOND_ORDER = 25
LOWERED = 15, 25
MANY = 10_000

every_node = pytest.mark.parametrize("name", sorted(TABLE))


def report(faults: list[str], case: Case, i: int) -> None:
    assert not faults, f"case {i}, {case}: " + "; ".join(faults)


def test_a_public_node_missing_from_the_table_fails() -> None:
    apart = set(TABLE) ^ (set(nodes.__all__) - {"Node"})
    assert not apart, f"only one of nodes and tests/nodes/table.py has {sorted(apart)}"
    for name in TABLE:
        case, _ = draw(name, 0)
        assert case.name == name


@every_node
@shares(FEW, CASES)
def test_stand_alone_gradients_and_laws(name: str, cases: range) -> None:
    for i in cases:
        case, rng = draw(name, i)
        faults = laws.stands_alone(case, rng) + laws.is_linear(case, rng)
        faults += laws.is_dual(case, rng) + laws.keeps_dtype(case, rng)
        report(faults + laws.answers_what_is_asked(case, rng), case, i)


@every_node
@shares(FEW, CASES)
def test_recorded_gradients(name: str, cases: range) -> None:
    for i in cases:
        case, rng = draw(name, i)
        faults = laws.is_recorded(case, i, second_order=i < SECOND_ORDER)
        report(faults + laws.broadcasts(case, rng, i), case, i)


@every_node
@shares(*LOWERED)
def test_lowered_gives_the_same_numbers(name: str, cases: range) -> None:
    for i in cases:
        case, rng = draw(name, i)
        report(laws.lowers(case, rng), case, i)


@every_node
@shares(*LOWERED)
def test_functions_and_numpys_own_give_the_same(name: str, cases: range) -> None:
    for i in cases:
        case, _ = draw(name, i)
        expected = laws.anew(case).forward(*case.inputs)
        for function in (case.function, case.numpy):
            if function is None:
                continue
            variables = [
                Variable(a) if j in case.moving or not case.moving else a
                for j, a in enumerate(case.inputs)
            ]
            made = laws.outputs(function(*variables))
            assert all(isinstance(out, Variable) for out in made), (case, made)
            plain = function(*case.inputs) if function is case.function else expected
            for out, right, alone in zip(
                made, laws.outputs(expected), laws.outputs(plain), strict=True
            ):
                assert np.array_equal(out.data, right), case
                assert np.array_equal(alone, right), case


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1), (0, -1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_repeat_and_sum_are_each_others_backward(
    axis: int | tuple[int, ...] | None, keepdims: bool
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4))
    total = nodes.Sum(axis, keepdims)
    y = np.asarray(total.forward(x))
    dy = rng.normal(size=y.shape)
    kept = np.sum(x, axis, keepdims=True).shape
    repeat = nodes.Repeat(x.shape)
    assert np.array_equal(total.backward(dy), repeat.forward(dy.reshape(kept)))
    assert np.allclose(repeat.backward(x).reshape(y.shape), y, rtol=1e-15)


@pytest.mark.long
@every_node
def test_ten_thousand_cases(name: str) -> None:
    for i in range(CASES, CASES + MANY):
        case, rng = draw(name, i)
        faults = laws.stands_alone(case, rng) + laws.is_linear(case, rng)
        report(faults + laws.is_recorded(case, i, second_order=i % 10 == 0), case, i)
