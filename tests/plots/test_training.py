"""Pictures of training: histograms, the loss surface, and races are the numbers they show."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.chapter import by_hand

import chainrule as cr
from chainrule.drawing.fonts import letters_as_text
from chainrule.errors import DataError, SettingError, ShapeError
from chainrule.plots.landscape import loss_surface
from chainrule.training.histograms import Histogram

ENGINES = ["numpy", "compiled"]


def digits(rows: int = 300) -> tuple[Any, Any]:
    x, t = cr.datasets.digits()
    return x[:rows] / 16, t[:rows]


def net(activation: Any = cr.ReLU) -> cr.Sequential:
    return cr.Sequential(
        cr.Affine.sized(64, 20, init="he"), activation(), cr.Dropout(0.2), cr.Affine.sized(20, 10),
        loss=cr.SoftmaxWithLoss(), seed=0,
    )  # fmt: skip


def same(a: cr.Network, b: cr.Network) -> bool:
    return all(p.tobytes() == q.tobytes() for p, q in zip(a.params, b.params, strict=True))


# -- histograms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_looking_does_not_change_training(engine: str) -> None:
    x, t = digits()
    watchers = [[], [cr.Histograms(), cr.Trajectory()]]
    models = [net(), net()]
    for model, callbacks in zip(models, watchers, strict=True):
        cr.Trainer(model, cr.SGD(0.1), engine=engine).fit(
            x, t, 4, 32, callbacks=callbacks, progress=None
        )
    assert same(*models)


@pytest.mark.parametrize("engine", ENGINES)
def test_histograms_count_what_the_layers_give(engine: str) -> None:
    x, t = digits()
    seen, model = cr.Histograms(rows=1000), net()
    trainer = cr.Trainer(model, cr.SGD(0.1), engine=engine)
    trainer.fit(x, t, 2, 300, callbacks=[seen], progress=None)
    assert [(r.epoch, r.layer, r.units) for r in seen.records[-2:]] == [
        (2, "0 Affine, ReLU, Dropout", 20), (2, "3 Affine", 10),
    ]  # fmt: skip
    layers = model.named_parameters()
    for record, out in zip(seen.records[-2:], ("1 (ReLU)", "3 (Affine)"), strict=True):
        given = model.activations(x)[f"layer {out}"].astype(float)
        counts, edges = np.histogram(given, 50)
        np.testing.assert_array_equal(record.activations.counts, counts)
        np.testing.assert_array_equal(record.activations.edges, edges)
        grads = np.concatenate(
            [layers[f"{out[0] if out[0] == '3' else 0}.{n}"].grad.ravel() for n in "Wb"]
        )
        some = np.abs(grads[grads != 0]).astype(float)
        np.testing.assert_array_equal(record.gradients.counts, np.histogram(np.log10(some), 50)[0])  # type: ignore[union-attr]
        assert record.zero_gradients == 1 - len(some) / len(grads)
        assert some.size < grads.size or out[0] == "3"  # the digits' dark corners


def test_dead_units_and_saturation_are_numbers() -> None:
    x, t = digits()
    for kind, column in ((cr.ReLU, "dead"), (cr.Sigmoid, "saturated"), (cr.Tanh, "saturated")):
        model = net(kind)
        model.named_parameters()["0.b"].data[:5] = -1000
        seen = cr.Histograms()
        cr.Trainer(model, cr.SGD(1e-6), engine="numpy").fit(
            x, t, 1, callbacks=[seen], progress=None
        )
        first = seen.records[0]
        given = model.activations(x)[f"layer 1 ({kind.__name__})"]
        if column == "dead":
            alive = (given > 0).any(axis=0)
            assert (first.dead, first.saturated) == (20 - alive.sum(), None)
            assert first.dead is not None
            assert first.dead >= 5
        else:
            slope = given * (1 - given) * 4 if kind is cr.Sigmoid else 1 - given**2
            assert first.dead is None
            assert first.saturated == pytest.approx(np.mean(slope < 1 - 0.95**2), abs=0.01)
            assert first.saturated is not None
            assert first.saturated >= 0.25
        assert (seen.records[1].dead, seen.records[1].saturated) == (None, None)
        assert first.gradients is None


def test_when_histograms_are_recorded() -> None:
    x, t = digits(60)

    def epochs(seen: cr.Histograms, **more: Any) -> list[int]:
        model = net()
        cr.Trainer(model, engine="numpy").fit(x, t, 7, callbacks=[seen], progress=None, **more)
        return sorted({r.epoch for r in seen.records})

    assert epochs(cr.Histograms(every=3)) == [0, 3, 6, 7]
    assert epochs(cr.Histograms(at=[2, 5])) == [0, 2, 5, 7]
    with pytest.raises(SettingError, match="every=0"):
        cr.Histograms(every=0)
    with pytest.raises(DataError, match="nothing was recorded"):
        cr.Histograms().plot()


def test_hand_written_networks_are_refused() -> None:
    class Mine:
        params: ClassVar[list[Any]] = []
        grads: ClassVar[list[Any]] = []

        def forward(self, x: Any, t: Any) -> float:
            return 0.0

        def backward(self) -> None: ...

    with pytest.raises(SettingError, match="Mine is written by hand"):
        cr.Trainer(Mine()).fit([[1.0]], [0], 1, callbacks=[cr.Histograms()], progress=None)


def test_the_ridges_are_the_histograms(tmp_path: Path) -> None:
    x, t = digits()
    seen = cr.Histograms(at=[1, 2])
    cr.Trainer(net(), engine="numpy").fit(x, t, 3, callbacks=[seen], progress=None)
    figure: Any = seen.plot(tmp_path / "h.svg")
    first, _, below, _ = figure.axes
    assert [p.get_text() for p in first.get_yticklabels()] == ["0", "1", "2", "3"]
    records = [r for r in seen.records if r.layer.startswith("0")]
    for k, (patch, record) in enumerate(zip(first.patches, records, strict=True)):
        values, edges, base = patch.get_data()
        density = record.activations.counts / np.diff(record.activations.edges)
        np.testing.assert_allclose((values + k) / 1.5, density / density.max(), atol=1e-12)
        np.testing.assert_array_equal(edges, record.activations.edges)
        assert base == -k
    assert [text.get_text() for text in first.texts] == [
        *(f"{r.dead}/20" for r in records), "dead",
    ]  # fmt: skip
    assert len(below.patches) == 3  # before the first step there are no gradients


def test_a_histogram_leaves_out_what_is_not_finite() -> None:
    found = Histogram.of(np.array([np.nan, np.inf, 1.0, 2.0]), 2)
    assert found.counts.tolist() == [1, 1]


# -- trajectory and surface ---------------------------------------------------------------------


def spiral() -> tuple[cr.TwoLayerNet, Any, Any, cr.Trajectory]:
    x, t = cr.datasets.spiral()
    model, path = cr.TwoLayerNet(2, 10, 3), cr.Trajectory(every=5)
    trainer = cr.Trainer(model, cr.SGD(1.0), engine="numpy")
    trainer.fit(x, t, 20, 30, callbacks=[path], progress=None)
    assert pickle.loads(pickle.dumps(trainer)).data is None
    return model, x, t, path


def flat(model: cr.Network) -> Any:
    return np.concatenate([p.ravel() for p in model.params])


def test_a_trajectory_ends_where_the_network_is_and_goes_on_with_the_next_fit() -> None:
    model, x, t, path = spiral()
    assert path.epochs == [0, 5, 10, 15, 20]
    np.testing.assert_array_equal(path.points[0], flat(cr.TwoLayerNet(2, 10, 3)))
    np.testing.assert_array_equal(path.points[-1], flat(model))
    trainer = cr.Trainer(model, engine="numpy")
    trainer.current_epoch = 20
    trainer.fit(x, t, 2, callbacks=[path], progress=None)
    assert path.epochs == [0, 5, 10, 15, 20, 22]


@pytest.mark.parametrize("directions", ["random", "principal"])
def test_every_loss_of_the_surface_is_that_of_its_parameters(directions: str) -> None:
    model, x, t, path = spiral()
    surface = loss_surface(model, x, t, path, directions=directions, points=4)
    twin = copy.deepcopy(model)
    for i, j in np.ndindex(4, 4):
        theta = (
            flat(model)
            + surface.a[j] * surface.directions[0]
            + surface.b[i] * surface.directions[1]
        )
        start = 0
        for p in twin.params:
            p[...] = theta[start : start + p.size].reshape(p.shape)
            start += p.size
        loss = cr.SoftmaxWithLoss().forward(twin.predict(x), t)
        assert surface.losses[i, j] == pytest.approx(float(loss), rel=1e-6)
    center = loss_surface(model, x, t, span=0.5, points=3)
    assert center.losses[1, 1] == cr.Trainer(model).evaluate(x, t)["loss"]


def test_random_directions_are_as_long_as_each_units_weights() -> None:
    model, x, t, _ = spiral()
    found = loss_surface(model, x, t, points=1, seed=3).directions
    shapes = [p.shape for p in model.params]
    for d in found:
        start = 0
        for p, shape in zip(model.params, shapes, strict=True):
            part = d[start : start + p.size].reshape(shape)
            start += p.size
            if len(shape) == 1:
                assert not part.any()
            else:
                np.testing.assert_allclose(
                    np.linalg.norm(part, axis=0), np.linalg.norm(p, axis=0), rtol=1e-5
                )
    assert (found != loss_surface(model, x, t, points=1, seed=4).directions).any()


def test_principal_directions_show_as_much_of_the_path_as_any_plane_can() -> None:
    model, x, t, path = spiral()
    surface = loss_surface(model, x, t, path, points=2)
    steps = np.array(path.points, float) - flat(model)
    np.testing.assert_allclose(surface.directions @ surface.directions.T, np.eye(2), atol=1e-9)
    assert surface.path is not None
    assert surface.shares is not None
    np.testing.assert_allclose(surface.path, steps @ surface.directions.T, atol=1e-6)
    sizes = np.linalg.svd(steps, compute_uv=False) ** 2
    np.testing.assert_allclose(surface.shares, sizes[:2] / sizes.sum(), rtol=1e-9)
    left = np.sum((steps - surface.path @ surface.directions) ** 2)
    assert left == pytest.approx(sizes[2:].sum(), rel=1e-6)
    for k, side in enumerate((surface.a, surface.b)):
        assert side[0] < surface.path[:, k].min()
        assert side[-1] > surface.path[:, k].max()


@pytest.mark.parametrize("three_d", [False, True])
def test_the_network_is_not_touched(three_d: bool, tmp_path: Path) -> None:
    model, x, t, path = spiral()
    before = copy.deepcopy(model)
    figure: Any = cr.draw_surface(model, x, t, path, tmp_path / "s.png", points=4, three_d=three_d)
    assert same(model, before)
    assert len(figure.axes) == 2 + three_d
    surface = loss_surface(model, x, t, path, points=4)
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xydata(), surface.path)


def test_the_network_is_not_touched_when_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, t, _ = spiral()
    before, calls = copy.deepcopy(model), []

    def interrupted(*given: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return {"loss": 1.0}

    monkeypatch.setattr(cr.Trainer, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cr.draw_surface(model, x, t, points=4)
    assert len(calls) == 7
    assert same(model, before)


def test_a_surface_with_heights_that_are_no_numbers_is_drawn() -> None:
    x = np.ones((4, 1), np.float32)
    model = cr.Sequential(
        cr.Affine(np.ones((1, 1), np.float32), np.zeros(1, np.float32)), loss=cr.MeanSquaredError()
    )
    surface = loss_surface(model, x, x, span=1e30, points=5)
    assert np.isinf(surface.losses).any()
    assert surface.losses[2, 2] == 0
    cr.draw_surface(model, x, x, span=1e30, points=5)


def test_surfaces_that_cannot_be() -> None:
    model, x, t, path = spiral()
    with pytest.raises(SettingError, match="give a trajectory"):
        cr.draw_surface(model, x, t, directions="principal")
    with pytest.raises(SettingError, match='did you mean "principal"'):
        cr.draw_surface(model, x, t, path, directions="principle")
    with pytest.raises(ShapeError, match="points of 63 parameters, and the network 33"):
        cr.draw_surface(cr.TwoLayerNet(2, 5, 3), x, t, path)


class ByHand:
    """The chapter's network, of the chapter's own layers."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.layers: list[Any] = [
            by_hand.Affine(rng.normal(size=(2, 10)), np.zeros(10)), by_hand.Sigmoid(),
            by_hand.Affine(rng.normal(size=(10, 3)), np.zeros(3)),
        ]  # fmt: skip
        self.loss_layer = cr.SoftmaxWithLoss()
        self.params = [p for layer in self.layers for p in layer.params]
        self.grads = [g for layer in self.layers for g in layer.grads]

    def predict(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def forward(self, x: Any, t: Any) -> Any:
        return self.loss_layer.forward(self.predict(x), t)

    def backward(self) -> None:
        dout = self.loss_layer.backward()
        for layer in reversed(self.layers):
            dout = layer.backward(dout)


def test_a_network_written_by_hand_has_a_surface_a_race_and_features() -> None:
    x, t = cr.datasets.spiral()
    model, path = ByHand(), cr.Trajectory()
    before = [p.copy() for p in model.params]
    trainer = cr.Trainer(model, cr.SGD(1.0), engine="numpy")
    surface = loss_surface(model, x, t, points=3)
    assert surface.losses[1, 1] == model.forward(x, t)
    race = cr.compare_optimizers(model, [by_hand.SGD(1.0), cr.SGD(1.0)], x, t, 2, engine="numpy")
    first, second = (list(np.asarray(line.get_ydata())) for line in race.axes[0].lines)
    assert first == pytest.approx(second)
    assert first[0] == surface.losses[1, 1]
    assert all((p == q).all() for p, q in zip(model.params, before, strict=True))
    trainer.fit(x, t, 2, callbacks=[path], progress=None)
    assert loss_surface(model, x, t, path, points=2).path is not None
    assert len(cr.draw_features(model).axes[0].images) == 1


# -- race ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_each_curve_is_that_of_a_trainer_of_its_own(engine: str) -> None:
    x, t = digits(100)
    model = net()
    start = copy.deepcopy(model)
    more = [cr.Adam(0.01), cr.SGD(0.5, l2=0.1)] if engine == "numpy" else []
    entrants = [cr.SGD(0.1), cr.SGD(0.2), *more]
    twins = copy.deepcopy(entrants)
    figure = cr.compare_optimizers(model, entrants, x, t, 3, 32, seed=5, engine=engine)
    lines: Any = figure.axes[0].lines
    names = ["SGD(lr=0.1)", "SGD(lr=0.2)", "Adam", "SGD(lr=0.5, l2=0.1)"]
    assert [line.get_label() for line in lines] == names[: len(entrants)]
    assert len({line.get_ydata()[0] for line in lines}) == 1
    for line, optimizer in zip(lines, twins, strict=True):
        trainer = cr.Trainer(copy.deepcopy(start), optimizer, seed=5, engine=engine)
        first = trainer.evaluate(x, t)["loss"]
        trainer.fit(x, t, 3, 32, validation=(x, t), progress=None)
        assert list(line.get_ydata()) == [first, *trainer.history["val_loss"]]
    assert same(model, start)
    assert all(one.iter == 0 and one.state is None for one in entrants)


def test_names_of_ones_own_and_one_that_runs_out_of_bounds() -> None:
    x, t = cr.datasets.spiral()
    model = cr.Sequential(cr.Affine.sized(2, 1), loss=cr.MeanSquaredError())
    figure = cr.compare_optimizers(
        model, {"wild": cr.SGD(1e6), "calm": cr.SGD(0.01)}, x, t[:, None], 20, engine="numpy"
    )
    wild, calm = (np.asarray(line.get_ydata()) for line in figure.axes[0].lines)
    assert len(wild) < 21
    assert len(calm) == 21
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert labels == ["wild  diverged", f"calm  {calm[-1]:.3g}"]
    assert figure.axes[0].get_ylim()[1] < 10


def test_on_a_function_the_paths_are_the_optimizers_own() -> None:
    def f(x: Any, y: Any) -> Any:
        return x**2 / 20 + y**2

    figure = cr.compare_optimizers(f, [cr.SGD(0.9), cr.Momentum(0.1)], start=(-7.0, 2.0), steps=10)
    axes: Any = figure.axes
    contours, curves = axes
    for i, optimizer in enumerate((cr.SGD(0.9), cr.Momentum(0.1))):
        point, points = np.array([-7.0, 2.0]), [np.array([-7.0, 2.0])]
        for _ in range(10):
            optimizer.update([point], [np.array([point[0] / 10, 2 * point[1]])])
            points.append(point.copy())
        line = contours.lines[2 * i]
        np.testing.assert_allclose(line.get_xydata(), points, rtol=1e-12)
        np.testing.assert_allclose(curves.lines[i].get_ydata(), [f(*p) for p in points], rtol=1e-9)
    alone = cr.compare_optimizers(f, [cr.SGD(0.9)], start=(1, 1), steps=3, ax=figure.add_subplot())
    assert alone is figure


def test_a_way_out_of_bounds_does_not_hide_the_others() -> None:
    def valley(x: Any, y: Any) -> Any:
        return x**2 + 50 * y**2

    axes: Any = cr.compare_optimizers(
        valley, [cr.SGD(0.1), cr.Adam(0.1)], start=(3, 1), steps=60
    ).axes
    contours = axes[0]
    wild, calm = (contours.lines[2 * i].get_xydata() for i in range(2))
    (left, right), (bottom, top) = contours.get_xlim(), contours.get_ylim()
    assert np.abs(wild).max() > 1e50
    inside = (left < calm[:, 0]) & (calm[:, 0] < right) & (bottom < calm[:, 1]) & (calm[:, 1] < top)
    assert inside.mean() > 0.9
    assert top - bottom < 10
    # Where no way leads down, all of every way is shown.
    hill: Any = cr.compare_optimizers(
        lambda x, y: x**2 + y**2, [cr.SGD(2.0)], start=(1, 1), steps=3
    ).axes
    assert hill[0].get_xlim()[1] > 5


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_words_beside_a_relief_stay_in_the_picture(lang: str) -> None:
    model, x, t = cr.TwoLayerNet(2, 8, 3), *cr.datasets.spiral()
    figure = cr.draw_surface(model, x, t, None, three_d=True, points=5, lang=lang)
    with letters_as_text():  # whether or not this machine has a font for them
        figure.draw_without_rendering()
    relief: Any = figure.axes[-1] if hasattr(figure.axes[-1], "zaxis") else figure.axes[1]
    for axis in (relief.xaxis, relief.yaxis, relief.zaxis):
        box = axis.label.get_window_extent()
        assert box.x0 > 0
        assert box.x1 < figure.bbox.width
        ticks = [tick.get_window_extent() for tick in axis.get_ticklabels() if tick.get_text()]
        assert not any(box.overlaps(tick) for tick in ticks)


def test_races_that_cannot_start() -> None:
    x, t = cr.datasets.spiral()
    model = cr.TwoLayerNet(2, 10, 3)
    with pytest.raises(DataError, match="needs the data"):
        cr.compare_optimizers(model, [cr.SGD()])
    with pytest.raises(SettingError, match="at least one"):
        cr.compare_optimizers(model, [], x, t)
    with pytest.raises(SettingError, match="no update"):
        cr.compare_optimizers(model, ["adam"], x, t)
    with pytest.raises(SettingError, match="no start"):
        cr.compare_optimizers(lambda x, y: x, [cr.SGD()])
    with pytest.raises(SettingError, match="two numbers"):
        cr.compare_optimizers(lambda x, y: x, [cr.SGD()], start=(1.0,))  # type: ignore[arg-type]
