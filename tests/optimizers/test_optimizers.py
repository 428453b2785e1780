"""Every optimizer against its rule by hand, and the laws of `update`."""

from __future__ import annotations

import copy
import math
import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.optimizers.table import ROWS, Row, State

import chainrule as cr
from chainrule import optimizers
from chainrule.errors import DTypeError, SettingError, ShapeError
from chainrule.optimizers import clip_grads, global_norm

Array = npt.NDArray[Any]

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
SHAPES = ((3, 2), (2,), (2, 1, 2), (1,))


def address(array: Array) -> int:
    place: int = array.__array_interface__["data"][0]
    return place


def draw(seed: int, dtype: Any = np.float64) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]


def test_every_optimizer_has_a_row() -> None:
    apart = {row.name for row in ROWS} ^ set(optimizers.OPTIMIZERS)
    assert not apart, f"only one of optimizers and tests/optimizers/table.py has {sorted(apart)}"
    others = {"OPTIMIZERS", "Optimizer", "clip_grads", "default_numbers", "global_norm"}
    assert set(optimizers.__all__) == others | set(optimizers.OPTIMIZERS)


@every_row
@pytest.mark.parametrize("lr", [None, 0.1])
def test_fifty_steps_of_the_rule_by_hand(row: Row, lr: float | None) -> None:
    optimizer = row.make() if lr is None else row.make(lr)
    params = draw(0)
    by_hand = [a.ravel().tolist() for a in params]
    states: list[list[State]] = [[{} for _ in numbers] for numbers in by_hand]
    for t in range(1, 51):
        grads = draw(t)
        optimizer.update(params, grads)
        for p, g, numbers, state in zip(params, grads, by_hand, states, strict=True):
            rule = row.rule if row.plain is None or p.ndim >= 2 else row.plain
            for i, slope in enumerate(g.ravel().tolist()):
                numbers[i] = rule(numbers[i], slope, state[i], lr or row.lr, t)
            np.testing.assert_allclose(p.ravel(), numbers, rtol=1e-12, atol=1e-13)
    assert optimizer.iter == 50


def test_nesterov_is_a_look_ahead() -> None:
    """In the textbook's own coordinates: the gradient is taken at w + μ v, for f = w²/2."""
    w, v, mu, lr = 1.0, 0.0, 0.9, 0.1
    ahead = np.array([w])
    optimizer = cr.Nesterov(lr, mu)
    for _ in range(20):
        v = mu * v - lr * (w + mu * v)
        w = w + v
        optimizer.update([ahead], [ahead.copy()])
        np.testing.assert_allclose(ahead, w + mu * v, rtol=1e-12)


def test_two_first_steps_by_arithmetic() -> None:
    """p = 1, gradients 1 and 2, lr = 0.1, worked out on paper."""
    paper: list[tuple[Any, float, float]] = [
        (cr.SGD(0.1), 0.9, 0.7),
        (cr.Momentum(0.1), 0.9, 0.61),
        (cr.Nesterov(0.1), 0.81, 0.81 + 0.9 * -0.29 - 0.2),
        (cr.AdaGrad(0.1), 0.9, 0.9 - 0.2 / math.sqrt(5)),
        (cr.RMSprop(0.1), 0.0, -0.2 / math.sqrt(0.0499)),
    ]
    for optimizer, first, second in paper:
        p = np.array([1.0])
        optimizer.update([p], [np.array([1.0])])
        assert p[0] == pytest.approx(first, abs=2e-6)
        optimizer.update([p], [np.array([2.0])])
        assert p[0] == pytest.approx(second, abs=4e-6)


# -- the laws of update ---------------------------------------------------------------------------------


@every_row
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lists_and_one_flat_array_give_the_same_bits(row: Row, dtype: Any) -> None:
    params, optimizer, flat_optimizer = draw(0, dtype), row.make(0.05), row.make(0.05)
    flat = np.concatenate([p.ravel() for p in params])
    for t in range(1, 11):
        grads = draw(t, dtype)
        optimizer.update(params, grads, [True] * len(params))
        flat_optimizer.update([flat], [np.concatenate([g.ravel() for g in grads])], [True])
        np.testing.assert_array_equal(np.concatenate([p.ravel() for p in params]), flat)


@every_row
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("settings", [{}, {"l1": 0.1, "l2": 0.1, "clip_value": 1, "clip_norm": 1}])
def test_arrays_stay_in_place_and_keep_their_dtype(row: Row, dtype: Any, settings: Any) -> None:
    schedule = cr.schedules.Cosine(cr.schedules.WarmUp(0.1, 3), 20)
    optimizer = row.make(schedule, **settings)
    params = draw(0, dtype)
    places = [address(p) for p in params]
    for t in range(1, 6):
        grads = draw(t, np.float64 if t % 2 else np.float32)  # gradients of either dtype
        kept = [g.copy() for g in grads]
        optimizer.update(params, grads)
        for g, k in zip(grads, kept, strict=True):
            np.testing.assert_array_equal(g, k)
    assert [address(p) for p in params] == places
    assert {a.dtype for a in params} == {np.dtype(dtype)}
    assert all(s.dtype == dtype for slots in optimizer.state for s in slots)


@every_row
def test_float32_is_computed_in_float32(row: Row) -> None:
    """NumPy's own scalars as settings make no difference: they are taken as plain numbers."""
    a, b = draw(0, np.float32), draw(0, np.float32)
    plain = row.make(0.05, **row.numbers)
    numpy_ = row.make(np.float64(0.05), **{k: np.float64(v) for k, v in row.numbers.items()})
    for t in range(1, 6):
        plain.update(a, draw(t, np.float32))
        numpy_.update(b, draw(t, np.float32))
    for p, q in zip(a, b, strict=True):
        np.testing.assert_array_equal(p, q)


@every_row
def test_state_is_made_at_the_first_update(row: Row) -> None:
    optimizer, params = row.make(), draw(0)
    assert row.make().state is None
    assert optimizer.slots == row.slots
    optimizer.update(params, draw(1))
    assert [[s.shape for s in slots] for slots in optimizer.state] == [
        [p.shape] * len(row.slots) for p in params
    ]
    before = [[address(s) for s in slots] for slots in optimizer.state]
    optimizer.update(params, draw(2))
    assert [[address(s) for s in slots] for slots in optimizer.state] == before


@every_row
def test_other_arrays_of_the_same_shapes_go_on_with_the_state(row: Row) -> None:
    """After a copy or a reload the arrays are new, and the rule goes on."""
    one, two = row.make(0.1), row.make(0.1)
    params, moved = draw(0), draw(0)
    for t in range(1, 8):
        one.update(params, draw(t))
        moved = [m.copy() for m in moved]
        two.update(moved, draw(t))
    for p, m in zip(params, moved, strict=True):
        np.testing.assert_array_equal(p, m)


@every_row
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_a_copy_goes_on_where_the_original_is(row: Row, copied: Any) -> None:
    optimizer, params = row.make(cr.schedules.Step(0.1, 2)), draw(0)
    for t in range(1, 4):
        optimizer.update(params, draw(t))
    twin, others = copied(optimizer), [p.copy() for p in params]
    assert repr(twin) == repr(optimizer)
    for t in range(4, 8):
        optimizer.update(params, draw(t))
        twin.update(others, draw(t))
    for p, q in zip(params, others, strict=True):
        np.testing.assert_array_equal(p, q)


@every_row
def test_layouts_make_no_difference(row: Row) -> None:
    plain, odd = row.make(0.1), row.make(0.1)
    rng = np.random.default_rng(0)
    p = rng.standard_normal((4, 3))
    wide = np.zeros((3, 8))
    q = wide[:, ::2].T
    q[...] = p
    for _ in range(5):
        g = rng.standard_normal((4, 3))
        plain.update([p], [g])
        odd.update([q], [np.asfortranarray(g)[::-1][::-1]])
    np.testing.assert_array_equal(p, q)
    assert not wide[:, 1::2].any()


# -- settings -------------------------------------------------------------------------------------------


@every_row
def test_changed_settings_take_effect_at_the_next_update(row: Row) -> None:
    optimizer, params = row.make(0.1), draw(0)
    by_hand = row.make(0.1)
    others = draw(0)
    optimizer.update(params, draw(1))
    by_hand.update(others, draw(1))
    changes: dict[str, Any] = {"lr": 0.3, "l2": 0.5, "l1": 0.2, "clip_value": 0.3, "clip_norm": 0.1}
    changes.update({name: value / 2 for name, value in row.numbers.items()}, weight_decay=0.2)
    for name, value in changes.items():
        same = [p.copy() for p in params]
        twin = copy.deepcopy(optimizer)
        setattr(optimizer, name, value)
        assert getattr(optimizer, name) == value
        for t in range(2, 3 if row.scaled else 20):  # steps by the gradient's sign differ later
            optimizer.update(params, draw(t))
            twin.update(same, draw(t))
        assert any((p != q).any() for p, q in zip(params, same, strict=True)), name
        if name != "lr":
            assert f"{name}={value!r}" in repr(optimizer)


BAD: list[Any] = [np.nan, None, True, "a", -1, np.inf, -np.inf, [0.1]]
SHARED: dict[str, list[Any]] = {
    "lr": [*BAD, 0],
    "l1": BAD,
    "l2": BAD,
    "weight_decay": BAD,
    "clip_value": [*(b for b in BAD if b is not None), 0],
    "clip_norm": [*(b for b in BAD if b is not None), 0],
    "momentum": [*BAD, 1],
    "decay_rate": [*BAD, 1],
    "beta1": [*BAD, 1, 1.5],
    "beta2": [*BAD, 1],
    "eps": [*BAD, 0],
}


@every_row
def test_bad_settings_are_refused_with_name_and_value(row: Row) -> None:
    optimizer = row.make()
    for name in ("lr", "l1", "l2", "weight_decay", "clip_value", "clip_norm", *row.numbers):
        before = getattr(optimizer, name)
        for bad in SHARED[name]:
            for act in (
                lambda name=name, bad=bad: row.make(**{name: bad}),
                lambda name=name, bad=bad: setattr(optimizer, name, bad),
            ):
                with pytest.raises(SettingError) as caught:
                    act()
                assert f"{name}={bad!r} must be a" in str(caught.value)
        assert getattr(optimizer, name) == before
    with pytest.raises(SettingError, match="has no option momentun"):
        row.make(momentun=0.9)


def test_the_book_s_positions_of_arguments() -> None:
    assert repr(cr.SGD(0.5)) == "SGD(lr=0.5)"
    assert repr(cr.Momentum(0.5, 0.8)) == "Momentum(lr=0.5, momentum=0.8)"
    assert repr(cr.Nesterov(0.5, 0.8)) == "Nesterov(lr=0.5, momentum=0.8)"
    assert repr(cr.RMSprop(0.5, 0.8)) == "RMSprop(lr=0.5, decay_rate=0.8, eps=1e-07)"
    assert repr(cr.Adam(0.5, 0.8, 0.7)) == "Adam(lr=0.5, beta1=0.8, beta2=0.7, eps=1e-07)"
    assert cr.SGD().lr == cr.Momentum().lr == cr.Nesterov().lr == cr.AdaGrad().lr == 0.01
    assert (cr.RMSprop().lr, cr.Adam().lr, cr.AdamW().lr) == (0.01, 0.001, 0.001)
    assert cr.AdamW().weight_decay == 0.01


# -- decay and clipping ---------------------------------------------------------------------------------


@every_row
def test_decay_is_for_weights_and_not_for_biases(row: Row) -> None:
    base = {"weight_decay": 0.0}
    for settings in ({"l1": 0.1}, {"l2": 0.1}, {"weight_decay": 0.1}):
        W, b = np.full((2, 2), 2.0), np.full(2, 2.0)
        plain = [W.copy(), b.copy()]
        g = [np.full((2, 2), 0.5), np.full(2, 0.5)]
        optimizer = row.make(0.01, **(base | settings))
        for _ in range(3):  # (the first step of some rules does not see the size of a gradient)
            optimizer.update([W, b], g)
        never = row.make(0.01, **base)
        for _ in range(3):
            never.update(plain, g)
        if row.scaled or "weight_decay" in settings:
            assert (plain[0] > W).all()
        np.testing.assert_array_equal(b, plain[1])
        chosen = row.make(0.01, **(base | settings))
        both = [np.full((2, 2), 2.0), np.full(2, 2.0)]
        for _ in range(3):
            chosen.update(both, g, [False, True])
        np.testing.assert_array_equal(both[0], plain[0])
        np.testing.assert_array_equal(both[1], W[0])


@every_row
def test_decay_by_hand(row: Row) -> None:
    rng = np.random.default_rng(0)
    W = rng.standard_normal((3, 3))
    W[0, 0] = 0.0
    l1, l2, shrink, lr = 0.03, 0.02, 0.1, 0.05
    optimizer = row.make(lr, l1=l1, l2=l2, weight_decay=shrink)
    plain, V = row.make(lr, weight_decay=0.0), W.copy()
    for _ in range(5):
        g = rng.standard_normal((3, 3))
        optimizer.update([W], [g])
        pulled = g + l2 * V + l1 * np.sign(V)
        shrunk = V - lr * shrink * V
        plain.update([shrunk], [pulled])
        V = shrunk
        np.testing.assert_allclose(W, V, rtol=1e-12)


@every_row
def test_clipping(row: Row) -> None:
    g = [np.array([[3.0, -40.0]]), np.array([0.5, -2.0])]
    for settings, clipped in (
        ({"clip_value": 1.0}, [np.array([[1.0, -1.0]]), np.array([0.5, -1.0])]),
        ({"clip_norm": 1.0}, [a / global_norm(g) for a in g]),
        ({"clip_norm": 100.0}, g),
        (
            {"clip_norm": 1.0, "clip_value": 0.1},
            [np.clip(a / global_norm(g), -0.1, 0.1) for a in g],
        ),
    ):
        kept = [a.copy() for a in g]
        one, two = row.make(0.1, **settings), row.make(0.1)
        p, q = [np.ones((1, 2)), np.ones(2)], [np.ones((1, 2)), np.ones(2)]
        for _ in range(3):
            one.update(p, g)
            two.update(q, clipped)
        for a, b, c, d in zip(p, q, g, kept, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
            np.testing.assert_array_equal(c, d)  # the caller's gradients stay as they are


def test_global_norm_and_clip_grads() -> None:
    g = [np.array([[3.0]]), np.array([4.0, 12.0])]
    assert global_norm(g) == 13
    assert clip_grads(g, 20) == 13
    assert global_norm(g) == 13
    places = [address(a) for a in g]
    assert clip_grads(g, 6.5) == 13
    np.testing.assert_allclose(np.concatenate([a.ravel() for a in g]), [1.5, 2, 6])
    assert [address(a) for a in g] == places
    assert global_norm([]) == 0
    assert clip_grads([np.zeros(3)], 1.0) == 0
    big = np.full(10, 1e30, np.float32)  # whose squares are beyond float32
    assert global_norm([big]) == pytest.approx(1e30 * math.sqrt(10), rel=1e-6)
    clip_grads([big], 1.0)
    np.testing.assert_allclose(big, 1 / math.sqrt(10), rtol=1e-6)
    assert math.isnan(global_norm([np.array([1.0, np.nan])]))
    assert global_norm([np.array([1.0, np.inf])]) == math.inf
    for bad in (0, -1, np.nan, None, "a", True):
        with pytest.raises(SettingError, match="max_norm="):
            clip_grads(g, bad)  # type: ignore[arg-type]


def test_the_penalty_is_what_decay_is_the_gradient_of() -> None:
    W, b = np.array([[1.0, -2.0]]), np.array([3.0])
    optimizer = cr.SGD(1.0, l1=0.1, l2=0.01)
    assert optimizer.penalty([W, b], [True, False]) == pytest.approx(0.1 * 3 + 0.005 * 5)
    moved = W.copy()
    optimizer.update([moved], [np.zeros((1, 2))])
    numerical = cr.numerical_gradient(lambda w: optimizer.penalty([w], [True]), W)
    np.testing.assert_allclose(W - moved, numerical, rtol=1e-7)


# -- wrong lists ------------------------------------------------------------------------------------------


def ones(*shapes: tuple[int, ...], dtype: Any = float) -> list[Array]:
    return [np.ones(shape, dtype) for shape in shapes]


def read_only() -> Array:
    array = np.ones(2)
    array.setflags(write=False)
    return array


WRONG: list[tuple[Any, Any, type[Exception], tuple[str, ...]]] = [
    (ones((2,)), [], ShapeError, ("1 parameters", "0 gradients")),
    (ones((2,), (3,)), ones((2,)), ShapeError, ("2 parameters", "1 gradients")),
    (ones((2,)), ones((3,)), ShapeError, ("params[0]", "(2,)", "(3,)")),
    (ones((2,), (2, 1)), ones((2,), (1, 2)), ShapeError, ("params[1]", "(2, 1)", "(1, 2)")),
    (ones((2,), dtype=int), ones((2,)), DTypeError, ("params[0]", "int64", "floating")),
    (ones((2,)), ones((2,), dtype=complex), DTypeError, ("grads[0]", "complex128")),
    ([[1.0, 2.0]], ones((2,)), DTypeError, ("params[0]", "list")),
    (ones((2,)), [None], DTypeError, ("grads[0]", "NoneType")),
    (np.ones((2, 2)), np.ones((2, 2)), ShapeError, ("two lists", "one array", "[W], [dW]")),
    ([read_only()], ones((2,)), DTypeError, ("params[0]", "read-only")),
]


@pytest.mark.parametrize(("params", "grads", "error", "parts"), WRONG)
def test_wrong_lists(params: Any, grads: Any, error: Any, parts: Any) -> None:
    for row in ROWS:
        optimizer = row.make()
        with pytest.raises(error) as caught:
            optimizer.update(params, grads)
        for part in (f"{row.name}.update", *parts):
            assert part in str(caught.value)
        assert optimizer.iter == 0


@every_row
def test_an_optimizer_stays_with_its_arrays(row: Row) -> None:
    optimizer = row.make()
    optimizer.update(ones((2, 3), (3,)), ones((2, 3), (3,)))
    changed = [ones((2, 3)), ones((2, 3), (3,), (1,))]
    if row.slots:
        changed += [ones((3,), (2, 3)), ones((2, 3), (3,), dtype=np.float32)]
    for params in changed:
        grads = [np.ones_like(p) for p in params]
        with pytest.raises(ShapeError, match=r"began with 2 arrays.*make a new optimizer"):
            optimizer.update(params, grads)
        assert all((p == 1).all() for p in params)  # nothing was changed before it was refused
    assert optimizer.iter == 1


def test_a_schedule_gone_wrong_is_named() -> None:
    class Odd(cr.schedules.Schedule):
        def __call__(self, step: int) -> float:
            return [0.1, 0.0, -1.0, math.nan, math.inf][step]

    p = ones((2,))
    optimizer = cr.SGD(Odd())
    optimizer.update(p, ones((2,)))
    optimizer.update(p, ones((2,)))
    np.testing.assert_allclose(p[0], 0.9)
    for step in (2, 3, 4):
        optimizer.iter = step
        with pytest.raises(SettingError, match=rf"Odd\(\) gave lr=.* for update {step}"):
            optimizer.update(p, ones((2,)))
    np.testing.assert_allclose(p[0], 0.9)


# -- what it is for -----------------------------------------------------------------------------------------

RATES = {"SGD": 0.1, "Momentum": 0.02, "Nesterov": 0.02, "AdaGrad": 0.5, "RMSprop": 0.01}


@every_row
def test_a_parabola_is_descended(row: Row) -> None:
    p, target = np.array([[5.0, -3.0]]), np.array([[1.0, 2.0]])
    optimizer = row.make(RATES.get(row.name, 0.05), **({"weight_decay": 0} if row.numbers else {}))
    for _ in range(800):
        optimizer.update([p], [2 * (p - target)])
    np.testing.assert_allclose(p, target, atol=0.02)


def bowl(w: Array) -> tuple[float, Array]:
    """A curved valley with its lowest point at (1, 1), after Rosenbrock, less steep."""
    x, y = w
    return (1 - x) ** 2 + 5 * (y - x * x) ** 2, np.array(
        [-2 * (1 - x) - 20 * x * (y - x * x), 10 * (y - x * x)]
    )


@every_row
def test_a_curved_valley_is_followed(row: Row) -> None:
    rate = {"SGD": 0.01, "Momentum": 0.003, "Nesterov": 0.003, "AdaGrad": 0.5, "RMSprop": 0.01}
    w = np.array([-1.2, 1.0])
    optimizer = row.make(cr.schedules.Cosine(rate.get(row.name, 0.05), 3000, end=0.01))
    for _ in range(3000):
        optimizer.update([w], [bowl(w)[1]])
    assert bowl(w)[0] < 1e-3
    np.testing.assert_allclose(w, 1, atol=0.06)


@every_row
@pytest.mark.parametrize("shared", [False, True])
def test_many_updates_keep_no_memory(row: Row, shared: bool) -> None:
    settings: dict[str, Any] = {"l2": 0.01, "clip_norm": 1.0, "clip_value": 1.0} if shared else {}
    optimizer = row.make(cr.schedules.Cosine(0.01, 120), **settings)
    params, grads = draw(0), draw(1)
    big = np.ones((200, 100))
    params.append(big)
    grads.append(np.ones((200, 100)))
    for _ in range(10):
        optimizer.update(params, grads)
    tracemalloc.start()
    try:
        optimizer.update(params, grads)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(250):
            optimizer.update(params, grads)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert now - before < 1024  # four bytes an update, and no object is as small
    assert peak - before < 4096  # a small part of one array: nothing of its size is made


@every_row
def test_a_rule_of_one_s_own_takes_all_that_the_others_take(row: Row) -> None:
    class Halved(row.make):  # type: ignore[name-defined,misc]
        def rule(self, p: Any, g: Any, *slots: Any, **numbers: Any) -> Any:
            return super().rule(p, g / 2, *slots, **numbers)

    one, two = Halved(0.1, clip_value=1), row.make(0.1, clip_value=0.5)
    p, q = draw(0), draw(0)
    for t in range(1, 4):
        one.update(p, draw(t))
        two.update(q, [g / 2 for g in draw(t)])
    for a, b in zip(p, q, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_an_optimizer_without_a_rule_says_so() -> None:
    class Nothing(cr.Optimizer):
        pass

    make: Callable[[], Any] = lambda: Nothing(0.1)  # noqa: E731
    with pytest.raises(NotImplementedError, match="Nothing has no rule"):
        make().update(ones((2,)), ones((2,)))
