"""Variables: gradients, Branches, locks, release, and what they refuse."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import nodes
from chainrule.errors import RecordingError, ShapeError
from chainrule.graph import locks
from chainrule.graph.recording import recording
from chainrule.graph.variable import Parameter, Variable, apply

Array = npt.NDArray[Any]


def grad_of(v: Variable) -> Array:
    assert v.grad is not None
    return v.grad


def locked(array: Array) -> bool:
    return not array.flags.writeable


# -- what a Variable is -------------------------------------------------------------------------


def test_what_it_shows() -> None:
    x = Variable(np.arange(6.0).reshape(2, 3), name="x")
    assert (x.shape, x.ndim, x.size, len(x)) == ((2, 3), 2, 6, 2)
    assert x.dtype == np.float64
    assert x.node is None
    assert x.grad is None
    y = x * 2
    assert isinstance(y.node, nodes.Mul)
    assert repr(y) == "Variable([[ 0.,  2.,  4.],\n [ 6.,  8., 10.]], from Mul())"
    assert "name='x'" in repr(x)
    assert y.T.shape == (3, 2)
    assert (y == x * 2).data.all()
    assert float(cr.sum(x)) == 15.0
    assert int(cr.sum(x)) == 15
    assert cr.max(x).item() == 5.0
    assert bool(cr.max(x) > 4)


def test_a_name_is_a_text() -> None:
    wrong: Any = np.float32  # as the second argument of np.array
    with pytest.raises(cr.errors.SettingError, match="name is a text, such as name='x'"):
        cr.Variable([1.0, 2.0], wrong)


def test_one_import_is_enough_to_compute() -> None:
    text = "from chainrule.graph.variable import Variable; print((Variable(1.0) + 1).data)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "2.0\n"


def test_while_a_step_is_recorded_no_value_steers_python() -> None:
    x = Variable(1.0, name="x")
    with recording():
        y = x * 2
        for steer in (float, int, bool):
            with pytest.raises(RecordingError, match=r"Write the choice with cr\.where"):
                steer(y)
    assert float(x) == 1.0


def test_a_variable_is_a_key() -> None:
    x, y = Variable(1.0), Variable(1.0)
    assert {x: "x", y: "y"}[y] == "y"
    assert len({x, y, x}) == 2


# -- the chain rule -----------------------------------------------------------------------------


def test_nasty_20_one_value_used_many_times() -> None:
    uses: list[tuple[Callable[[Any], Any], float]] = [
        (lambda x: x * x + x, 7.0),
        (lambda x: x + x, 2.0),
        (lambda x: x * x * x, 27.0),
        (lambda x: (x + 1) * (x - 1), 6.0),  # a diamond
        (lambda x: x - x, 0.0),
        (lambda x: x / x, 0.0),
    ]
    for f, at_three in uses:
        x = Variable(3.0)
        f(x).backward()
        assert grad_of(x) == pytest.approx(at_three, abs=1e-15)


def test_every_arrow_has_one_end() -> None:
    x, W = Variable(np.ones((2, 3)), name="x"), Variable(np.ones((3, 3)), name="W")
    h = cr.tanh(x @ W)
    graph = cr.sum(h * h + h @ W + h).graph
    ends = [v for node in graph.nodes for v in node.inputs] + list(graph.outputs)
    with_gradient = [v for v in ends if v.requires_grad]
    assert len(with_gradient) == len(set(with_gradient))
    branches = {n.hyperparameters()["k"] for n in graph.nodes if isinstance(n, nodes.Branch)}
    assert branches == {2, 4}  # W twice, h four times
    gradients = graph.gradients()
    assert all(gradients[v].shape == v.shape for v in with_gradient)
    for node in graph.nodes:
        if isinstance(node, nodes.Branch):
            total = sum(gradients[v] for v in node.outputs)
            np.testing.assert_allclose(gradients[node.inputs[0]], total, rtol=1e-15)


def test_a_value_used_once_has_no_branch() -> None:
    x = Variable([1.0, 2.0], name="x")
    assert [type(n).__name__ for n in cr.sum(cr.exp(x)).graph.nodes] == ["Exp", "Sum"]
    assert [type(n).__name__ for n in (x + 1).graph.nodes] == ["Add"]
    assert [type(n).__name__ for n in (x + np.ones((3, 1))).graph.nodes] == [
        "Repeat",
        "Repeat",
        "Add",
    ]
    assert (x + 1).graph.inputs == (x,)


def test_nasty_21_one_weight_in_two_places_transposed() -> None:
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(4, 3)), rng.normal(size=(3, 2))
    report = cr.check(lambda W: cr.tanh(cr.tanh(x @ W) @ W.T), W, elements=True, second_order=True)
    assert report, str(report)


def test_nasty_23_what_is_not_used_has_the_gradient_zero_or_none() -> None:
    x, unused = Variable([1.0, 2.0]), Variable([3.0])
    cr.sum(x * x).backward()
    assert unused.grad is None
    both = cr.grad(lambda a, b: cr.sum(a * a), (0, 1))(np.ones(2), np.ones(3))
    assert np.array_equal(both[1], np.zeros(3))
    with pytest.raises(RecordingError, match=r"gave 5\.0 \(float\), and no Variable"):
        cr.grad(lambda a: 5.0)(np.ones(2))


@pytest.mark.parametrize("depth", [1, 3, 20, 100])
def test_nasty_25_gradients_share_no_memory(depth: int) -> None:
    leaves = [Variable(np.ones(3)) for _ in range(depth + 1)]
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total + leaf  # Add hands the same array to both sides
    cr.sum(total).backward()
    grad_of(leaves[0])[...] = 99
    for leaf in leaves[1:]:
        assert np.array_equal(grad_of(leaf), np.ones(3))
        grad_of(leaf)[...] += 1
    assert np.array_equal(total.data, np.full(3, depth + 1.0))


def test_nasty_25_gradients_are_not_views_of_each_other() -> None:
    x = Variable(np.arange(6.0).reshape(2, 3))
    y = x.reshape(3, 2)
    z = y.T
    cr.sum(z).backward()
    grads = [grad_of(v) for v in (x, y, z)]
    assert all(g.flags.owndata and g.flags.writeable for g in grads)
    assert not any(np.shares_memory(a, b) for a in grads for b in grads if a is not b)


def test_nasty_26_a_second_backward() -> None:
    x = Variable([1.0, 2.0])
    L = cr.sum(x * x)
    L.backward()
    first = grad_of(x)
    with pytest.raises(RecordingError, match="retain_graph=True"):
        L.backward()
    L = cr.sum(x * x)
    L.backward(retain_graph=True)
    L.backward()
    assert np.array_equal(grad_of(x), [2.0, 4.0])  # overwritten, not added up
    assert np.array_equal(first, [2.0, 4.0])
    with pytest.raises(RecordingError, match="released"):
        cr.sum(L * 2).backward()  # what hangs on a released part is refused too


def test_parameters_keep_their_gradient_array() -> None:
    W = Parameter(np.ones((2, 2)), "W")
    at = W.grad
    for k in (1.0, 2.0):
        cr.sum(W * k).backward()
        assert W.grad is at
        assert np.array_equal(at, np.full((2, 2), k))


def test_nasty_27_any_memory_layout_gives_the_same() -> None:
    x = np.random.default_rng(0).normal(size=(4, 4))
    wide = np.zeros((4, 8))
    wide[:, ::2] = x
    read_only = x.copy()
    read_only.flags.writeable = False

    def run(a: Array) -> tuple[Array, Array]:
        v = Variable(a)
        out = cr.sum(cr.tanh(v @ v) * v, 0)
        cr.sum(out * out).backward()
        return out.data, grad_of(v)

    value, gradient = run(x)
    flipped = np.flip(np.flip(x, 1).copy(), 1)
    for other in (np.asfortranarray(x), wide[:, ::2], read_only, flipped):
        assert np.array_equal(other, x)
        for a, b in zip(run(other), (value, gradient), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)  # a sum may cancel
    repeated = np.broadcast_to(x[:1], (4, 4))
    for a, b in zip(run(repeated), run(repeated.copy()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    assert locked(read_only)


# -- locks ----------------------------------------------------------------------------------------


def test_nasty_24_changing_an_array_before_backward_raises_at_that_line() -> None:
    x = np.ones(3)
    v = Variable(x)
    y = v * v
    L = cr.sum(y)
    with pytest.raises(ValueError, match="read-only"):
        x[0] = 100.0
    with pytest.raises(ValueError, match="read-only"):
        x += 1
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 1.0
    L.backward()
    x[0] = 100.0
    y.data[0] = 1.0
    assert np.array_equal(grad_of(v), [2.0, 2.0, 2.0])


def test_constants_and_ids_are_locked_too() -> None:
    x, c, ids = Variable(np.ones(3)), np.ones(3), np.array([0, 1])
    L = cr.sum((x * c)[ids])
    assert locked(c)
    assert locked(ids)
    L.backward()
    c[0], ids[0] = 2.0, 1


def test_a_dropped_computation_lets_go_of_its_arrays() -> None:
    before = set(locks._holds)  # of other tests
    x = np.ones(3)
    v = Variable(x)
    L = cr.sum(v * v)
    assert locked(x)
    del L
    assert not locked(x)
    w = v * v
    del v
    assert locked(x)
    del w
    assert not locked(x)
    assert set(locks._holds) <= before


def test_a_cycle_lets_go_when_the_garbage_is_collected() -> None:
    x = np.ones(3)
    cycle: list[Any] = [Variable(x) * 2]
    cycle.append(cycle)
    assert locked(x)
    del cycle
    gc.collect()
    assert not locked(x)


def test_an_array_stays_locked_until_its_last_use_is_done() -> None:
    x = np.ones(3)
    v = Variable(x)
    first, second = cr.sum(v * v), cr.sum(v * 3)
    first.backward()
    assert locked(x)
    second.backward()
    assert not locked(x)


@pytest.mark.parametrize("view_first", [True, False])
def test_views_and_their_bases(view_first: bool) -> None:
    x = np.arange(6.0)
    view = x[:3]
    a, b = Variable(view), Variable(x)
    A, B = cr.sum(a * a), cr.sum(b * b)
    assert locked(x)
    assert locked(view)
    for L in (A, B) if view_first else (B, A):
        assert locked(x)
        L.backward()
    assert not locked(x)
    assert not locked(view)
    view[0] = x[1] = 5.0


def test_what_its_owner_made_read_only_stays_so() -> None:
    x = np.ones(3)
    x.flags.writeable = False
    cr.sum(Variable(x) * 2).backward()
    assert locked(x)
    base = np.ones(4)
    view = base[:2]
    base.flags.writeable = False
    L = cr.sum(Variable(view) * 2)
    L.backward()  # the view cannot be made writeable again; nothing is raised
    assert locked(base)


def test_an_error_in_the_middle_leaves_nothing_locked() -> None:
    x = np.ones(3)
    v = Variable(x)
    with pytest.raises(ShapeError):
        (v * v) + np.ones(4)
    gc.collect()
    assert not locked(x)


def test_recording_for_an_engine_locks_nothing() -> None:
    x = np.ones(3)
    with recording():
        y = Variable(x) * 2
        assert not locked(x)
    assert y.shape == (3,)


# -- depth ----------------------------------------------------------------------------------------


def chain(depth: int) -> tuple[Variable, Variable]:
    x = Variable(1.0)
    y = x
    for _ in range(depth):
        y = y + 1.0
    return x, y


def test_nasty_35_a_hundred_thousand_nodes_deep() -> None:
    x, y = chain(100_000)
    assert float(y.data) == 100_001.0
    assert len(y.graph.nodes) == 100_000
    y.backward()
    assert grad_of(x) == 1.0
    del y  # link by link: no recursion, and nothing that is left over
    second = cr.grad(cr.grad(lambda v: _power_by_steps(v, 2_000)))
    assert float(second(np.float64(1.0))) == pytest.approx(2_000 * 1_999)


def _power_by_steps(v: Variable, n: int) -> Variable:
    y = v
    for _ in range(n - 1):
        y = y * v
    return y


@pytest.mark.long
def test_nasty_35_a_million_nodes_are_freed_without_recursion() -> None:
    x, y = chain(1_000_000)
    y.backward()
    assert grad_of(x) == 1.0
    del y


def test_a_node_of_ones_own() -> None:
    class Cube(nodes.Node):
        def forward(self, x: Any) -> Any:
            return x**3

        def backward(self, dy: Any) -> Any:
            return dy * 3 * self.inputs[0] ** 2

    assert cr.check(lambda x: apply(Cube(), x), np.array([1.0, 2.0]), second_order=True)
    assert Cube().forward(Variable(2.0)).data == 8.0


def test_backward_may_read_an_output_that_nobody_kept() -> None:
    class SquareAndRoot(nodes.Node):
        """x² + c, with 2x as a further output, for backward."""

        def forward(self, x: Any) -> Any:
            return x * x, 2 * x

        def backward(self, dy: Any, dslope: Any) -> Any:
            back = 0 if dslope is None else 2 * dslope
            return back if dy is None else back + dy * self.outputs[1]

    def f(x: Any) -> Any:
        return apply(SquareAndRoot(), x)[0]

    report = cr.check(f, np.array([1.0, -3.0]), elements=True, second_order=True)
    assert report, str(report)
    assert float(cr.grad(cr.grad(f))(5.0)) == 2.0


def test_an_array_used_twice_is_one_input() -> None:
    a, x = np.array([1.0, 2.0, 3.0]), cr.Variable([1.0, 1.0, 2.0], name="x")
    L = cr.sum((x * a + a) * a[::-1] - a.copy())
    assert [v.data.tolist() for v in L.graph.inputs if v is not x] == [
        [1, 2, 3],
        [3, 2, 1],
        [1, 2, 3],
    ]
    L.backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad, a * a[::-1])
    other = cr.Variable(a, name="other", requires_grad=False)  # what has a name is itself
    assert [v.name for v in (x * other + other * a).graph.inputs] == ["x", "other", None]
