"""What holds for every layer and loss: the contract of `params`, `grads`, `forward`, `backward`."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.layers.oracle import Held
from tests.layers.table import LAYERS, LOSSES, ROWS, Row, normal

import chainrule as cr
from chainrule import layers
from chainrule.graph import Variable

Array = npt.NDArray[Any]

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
every_layer = pytest.mark.parametrize("row", LAYERS, ids=lambda row: row.name)
every_loss = pytest.mark.parametrize("row", LOSSES, ids=lambda row: row.name)


def address(array: Array) -> int:
    place: int = array.__array_interface__["data"][0]
    return place


def near(got: Any, want: Any, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-14)


def run(layer: Any, x: Array, more: list[Any], training: bool = False) -> tuple[Any, Any, Any]:
    """The output, dx, and copies of the gradients, for the same dout each time."""
    held = Held(layer, training)
    out = held(x, *more)
    dout = np.random.default_rng(9).standard_normal(np.shape(out)).astype(np.asarray(out).dtype)
    dx = layer.backward(dout)
    held.restore()
    return out, dx, [g.copy() for g in layer.grads]


def same(got: tuple[Any, Any, Any], want: tuple[Any, Any, Any], rtol: float = 1e-12) -> None:
    near(got[0], want[0], rtol)
    if want[1] is None:
        assert got[1] is None
    else:
        near(got[1], want[1], rtol)
    for g, w in zip(got[2], want[2], strict=True):
        near(g, w, rtol)


# -- dtypes and shapes ------------------------------------------------------------------------------


@every_row
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_dtype_is_kept(row: Row, dtype: Any) -> None:
    for mode in row.modes:
        layer = row.make(dtype)
        x, more = row.inputs(np.random.default_rng(0), row.shapes[0], dtype)
        exact = run(row.make(np.float64), x if row.takes_ids else x.astype(float), more, mode)
        out, dx, grads = run(layer, x, more, mode)
        assert np.asarray(out).dtype == dtype
        assert dx is None if row.takes_ids else dx.dtype == dtype
        assert [g.dtype for g in grads] == [dtype] * len(grads)
        assert all(b.dtype == dtype for b in layer.buffers.values() if b.dtype.kind == "f")
        size = {np.float32: 3e-5, np.float64: 0}[dtype]
        np.testing.assert_allclose(out, exact[0], rtol=size, atol=size)


@every_row
def test_half_precision_is_for_data_and_not_for_computing(row: Row) -> None:
    x, more = row.inputs(np.random.default_rng(0), row.shapes[0], np.float16)
    if row.make(np.float32).params:
        with pytest.raises(cr.errors.DTypeError, match="float16"):
            row.make(np.float16)
        if not row.takes_ids:
            layer = row.make(np.float32)
            same(run(layer, x, more), run(layer, x.astype(np.float32), more))
    else:
        with pytest.raises(cr.errors.DTypeError, match="float16"):
            row.make(np.float16).forward(x, *more)


@every_row
def test_shapes_are_those_of_the_contract(row: Row) -> None:
    for shape in row.shapes:
        layer = row.make(np.float64)
        x, more = row.inputs(np.random.default_rng(0), shape)
        out, dx, _ = run(layer, x, more)
        assert (
            np.shape(out) == ()
            if row.is_loss
            else np.shape(out)[:-1] == x.shape[: np.ndim(out) - 1]
        )
        assert dx is None if row.takes_ids else dx.shape == x.shape
        assert [p.shape for p in layer.params] == [g.shape for g in layer.grads]


@every_row
@pytest.mark.parametrize("kind", [int, bool])
def test_whole_numbers_are_computed_with_as_real_ones(row: Row, kind: Any) -> None:
    if row.takes_ids or row.draw.__name__ == "probabilities":
        return
    x = np.ones(row.shapes[0], kind)
    _, more = row.inputs(np.random.default_rng(0), row.shapes[0])
    layer = row.make(np.float64)
    same(run(layer, x, more), run(row.make(np.float64), x.astype(float), more))
    assert layer.backward(np.asarray(layer.forward(x, *more))).dtype == np.float64


@every_layer
def test_no_rows_give_no_rows(row: Row) -> None:
    shape = (0, *row.shapes[-1][1:])
    if len(row.shapes[-1]) < 2:
        return
    layer = row.make(np.float64)
    out, dx, grads = run(layer, np.zeros(shape, np.int64 if row.takes_ids else float), [])
    assert len(out) == 0
    assert dx is None if row.takes_ids else dx.shape == shape
    assert all(not g.any() for g in grads)


# -- memory -------------------------------------------------------------------------------------------


def forms(x: Array) -> dict[str, Array]:
    """The same numbers, laid out in every way NumPy knows."""
    wide = np.zeros((*x.shape, 2), x.dtype)
    wide[..., 0] = x
    read_only = x.copy()
    read_only.setflags(write=False)
    swapped = x.astype(x.dtype.newbyteorder(">"))
    return {
        "Fortran": np.asfortranarray(x),
        "every second": wide[..., 0],
        "backwards": x[::-1].copy()[::-1],
        "transposed": np.ascontiguousarray(x.T).T,
        "read-only": read_only,
        "big-endian": swapped,
        "a subclass": x.view(_Subclass),
    }


class _Subclass(np.ndarray):
    pass


@every_row
def test_the_layout_of_inputs_makes_no_difference(row: Row) -> None:
    for shape in row.shapes:
        x, more = row.inputs(np.random.default_rng(0), shape)
        want = run(row.make(np.float64), x, more)
        for name, form in forms(x).items():
            got = run(row.make(np.float64), form, [forms(a)[name] for a in more])
            assert type(got[0]) is not _Subclass
            same(got, want, 1e-11)


@every_row
def test_rows_that_are_one_row_in_memory(row: Row) -> None:
    if row.mixes_rows or len(row.shapes[1 % len(row.shapes)]) < 2:
        return
    x, more = row.inputs(np.random.default_rng(0), row.shapes[1 % len(row.shapes)])
    repeated = np.broadcast_to(x[:1], (5, *x.shape[1:]))
    more = [np.broadcast_to(a[:1], (5, *a.shape[1:])) for a in more]
    want = run(row.make(np.float64), repeated.copy(), [a.copy() for a in more])
    same(run(row.make(np.float64), repeated, more), want)


@every_row
def test_nothing_given_is_written_and_nothing_given_back_is_shared(row: Row) -> None:
    for mode in row.modes:
        rng = np.random.default_rng(1)
        layer = row.make(np.float64)
        x, more = row.inputs(rng, row.shapes[0])
        params = [p.copy() for p in layer.params]
        kept = [a.copy() for a in (x, *more)]
        with layers.training_mode(mode):
            first = layer.forward(x, *more)
            first_kept = np.array(first)
            dout = rng.standard_normal(np.shape(first))
            dout_kept = dout.copy()
            dx = layer.backward(dout)
            dx_kept = None if dx is None else dx.copy()
            second = layer.forward(x[::-1].copy(), *more)
            dx2 = layer.backward(2 * dout)
        for a, b in zip((x, *more, dout, *layer.params), (*kept, dout_kept, *params), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(first, first_kept)
        ours = [a for a in (first, second, dx, dx2) if isinstance(a, np.ndarray)]
        theirs = [x, *more, dout, *layer.params, *layer.grads, *layer.buffers.values()]
        for i, a in enumerate(ours):
            assert not any(np.shares_memory(a, b) for b in (*theirs, *ours[:i])), row.name
            assert a.flags.writeable
        if dx is not None:
            np.testing.assert_array_equal(dx, dx_kept)


@every_row
def test_addresses_stay_for_life(row: Row) -> None:
    layer = row.make(np.float64)
    x, more = row.inputs(np.random.default_rng(0), row.shapes[0])
    params, grads = layer.params, layer.grads
    places = [address(a) for a in (*params, *grads)]

    def check(places: list[int]) -> None:
        assert [address(a) for a in (*layer.params, *layer.grads)] == places

    for _ in range(3):
        run(layer, x, more)
        check(places)
    assert all(
        a is b for a, b in zip((*layer.params, *layer.grads), (*params, *grads), strict=True)
    )
    for name in layer.parameters:
        setattr(layer, name, getattr(layer, name) * 2)  # assignment changes contents, not address
    check(places)
    if row.is_loss:
        return
    x, _ = row.inputs(np.random.default_rng(0), row.shapes[1 % len(row.shapes)])
    net = cr.Sequential(layer, loss=cr.MeanSquaredError())
    places = [address(a) for a in (*layer.params, *layer.grads)]  # moved once, by adoption
    optimizer = cr.SGD(lr=0.1)
    for n in (len(x), 2 * len(x)):
        rows = np.resize(x, (n, *x.shape[1:]))
        t = np.zeros(np.shape(net.predict(rows)))
        net.forward(rows, t)
        net.backward()
        optimizer.update(net.params, net.grads)
        layer.backward(np.ones(np.shape(layer.forward(rows))))
        check(places)
    cr.Sequential(layer, loss=cr.MeanSquaredError())  # a second network shares, and moves nothing
    check(places)


# -- forward and backward -------------------------------------------------------------------------------


@every_row
def test_backward_belongs_to_the_latest_forward(row: Row) -> None:
    rng = np.random.default_rng(2)
    layer, other = row.make(np.float64), row.make(np.float64)
    given = [row.inputs(rng, shape) for shape in row.shapes]
    for x, more in given:  # shapes in turn, and back: the latest one counts
        run(layer, x, more)
    x, more = given[0]
    want = run(other, x, more)
    same(run(layer, x, more), want)


@every_row
def test_backward_twice_gives_the_same(row: Row) -> None:
    for mode in row.modes:
        rng = np.random.default_rng(3)
        layer = row.make(np.float64)
        x, more = row.inputs(rng, row.shapes[-1])
        with layers.training_mode(mode):
            out = layer.forward(x, *more)
            dout = rng.standard_normal(np.shape(out))
            dx = layer.backward(dout)
            grads = [g.copy() for g in layer.grads]
            again = layer.backward(dout)
        np.testing.assert_array_equal(dx, again)
        for g, h in zip(grads, layer.grads, strict=True):
            np.testing.assert_array_equal(g, h)  # overwritten, not added up


@every_row
def test_variables_in_variables_out_with_the_same_values(row: Row) -> None:
    for mode in row.modes:
        for shape in row.shapes:
            layer = row.make(np.float64)
            x, more = row.inputs(np.random.default_rng(4), shape)
            out, dx, grads = run(layer, x, more, mode)
            for g in layer.grads:
                g[...] = np.nan
            held, v = Held(layer, mode), Variable(x)
            y = held(v, *more)
            held.restore()
            assert isinstance(y, Variable)
            dout = np.random.default_rng(9).standard_normal(np.shape(out))
            cr.sum(y * dout).backward()
            same((y.data, None if row.takes_ids else v.grad, layer.grads), (out, dx, grads))
            assert layer(v, *more).shape == y.shape


@every_layer
def test_alone_and_in_a_network_it_is_the_same_layer(row: Row) -> None:
    for shape in row.shapes:
        if len(shape) < 2 and row.draw is normal and row.make(float).params:
            continue  # in a network the first axis is that of the rows
        alone, inside, loss = row.make(np.float64), row.make(np.float64), cr.MeanSquaredError()
        net = cr.Sequential(inside, loss=cr.MeanSquaredError())
        rng = np.random.default_rng(5)
        x, _ = row.inputs(rng, shape)
        with layers.inference_mode():
            y = alone.forward(x)
        near(net.predict(x), y)
        t = rng.standard_normal(y.shape)
        near(net.forward(x, t), loss.forward(alone.forward(x), t))
        net.backward()
        alone.backward(loss.backward())
        for g, h in zip(inside.grads, alone.grads, strict=True):
            near(g, h)
        for name, buffer in alone.buffers.items():
            near(inside.buffers[name], buffer)


@every_loss
def test_a_loss_alone_and_in_a_network_is_the_same(row: Row) -> None:
    for shape in row.shapes:
        if len(shape) != 2:
            continue
        rng = np.random.default_rng(6)
        x, more = row.inputs(rng, shape)
        loss = row.make(np.float64)
        W = np.eye(shape[1])
        net = cr.Sequential(cr.MatMul(W.copy()), loss=row.make(np.float64))
        near(net.forward(x, *more), loss.forward(x, *more))
        net.backward()
        near(net.grads[0], x.T @ loss.backward())


@every_loss
def test_doubling_every_row_changes_neither_loss_nor_gradients(row: Row) -> None:
    rng = np.random.default_rng(7)
    x, more = row.inputs(rng, row.shapes[0])
    loss, loss2 = row.make(np.float64), row.make(np.float64)
    near(
        loss2.forward(np.repeat(x, 2, axis=0), *(np.repeat(a, 2, axis=0) for a in more)),
        loss.forward(x, *more),
    )
    near(loss2.backward()[::2] + loss2.backward()[1::2], loss.backward())


@every_layer
def test_doubling_every_row_in_a_network(row: Row) -> None:
    if row.name in ("Dropout", "Dropout over steps"):  # a doubled row has a mask of its own
        return
    rng = np.random.default_rng(8)
    shape = next(s for s in row.shapes if len(s) >= 2)
    x, _ = row.inputs(rng, shape)
    found = []
    for times in (1, 2):
        net = cr.Sequential(row.make(np.float64), loss=cr.MeanSquaredError())
        y = net.predict(x)
        t = np.random.default_rng(1).standard_normal(y.shape)
        loss = net.forward(np.repeat(x, times, axis=0), np.repeat(t, times, axis=0))
        net.backward()
        found.append((loss, None, [g.copy() for g in net.grads]))
    same(found[1], found[0], 1e-11)


# -- keeping ----------------------------------------------------------------------------------------------


def by_pickle(layer: Any) -> Any:
    return pickle.loads(pickle.dumps(layer))


@every_row
@pytest.mark.parametrize("copied", [copy.deepcopy, by_pickle])
def test_copies_keep_values_and_work(row: Row, copied: Any) -> None:
    for mode in row.modes:
        layer = row.make(np.float64)
        x, more = row.inputs(np.random.default_rng(0), row.shapes[0])
        with layers.training_mode(mode):
            layer.forward(x, *more)  # the clock and the running means have moved
        twin = copied(layer)
        assert repr(twin) == repr(layer)
        for a, b in zip(
            (*twin.params, *twin.grads, *twin.buffers.values()),
            (*layer.params, *layer.grads, *layer.buffers.values()),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)
            assert not np.shares_memory(a, b)
        same(run(twin, x, more, mode), run(layer, x, more, mode), 0)
        for name, p in twin.parameters.items():
            setattr(twin, name, p.data + 1)
            assert not np.array_equal(getattr(twin, name), getattr(layer, name))


@every_layer
def test_a_layer_copied_out_of_a_network_stands_alone(row: Row) -> None:
    layer = row.make(np.float64)
    cr.Sequential(layer, loss=cr.MeanSquaredError())
    x, _ = row.inputs(np.random.default_rng(0), row.shapes[0])
    same(run(by_pickle(layer), x, []), run(layer, x, []), 0)


def test_a_layer_without_its_own_settings_takes_none() -> None:
    kinds: list[Any] = [cr.Sigmoid, cr.Tanh, cr.ReLU, cr.GELU, cr.Softmax, cr.MeanSquaredError]
    for kind in kinds:
        with pytest.raises(TypeError, match="unexpected keyword argument 'slope'"):
            kind(slope=0.1)
