"""Curves, regions, features, confusion and residuals: what is drawn is what was computed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Annotation, Text

import chainrule as cr
from chainrule.errors import DataError, SettingError, ShapeError
from chainrule.plots.curves import draw_history
from chainrule.plots.figure import PALETTE, end_labels, new_figure
from chainrule.plots.regions import POINTS


def spiral_net(epochs: int = 20, **more: Any) -> tuple[cr.TwoLayerNet, Any, Any, cr.Trainer]:
    x, t = cr.datasets.spiral()
    net = cr.TwoLayerNet(2, 10, 3)
    trainer = cr.Trainer(net, cr.SGD(lr=1.0), engine="numpy")
    trainer.fit(x, t, epochs, 30, progress=None, **more)
    return net, x, t, trainer


# -- history ------------------------------------------------------------------------------------


def test_the_lines_are_the_history() -> None:
    history = spiral_net(validation=0.2)[3].history
    left, right = history.plot().axes
    steps, training, held = left.lines
    np.testing.assert_array_equal(steps.get_ydata(), history.losses)
    assert steps.get_xdata()[-1] == len(history)  # type: ignore[index]
    np.testing.assert_array_equal(training.get_ydata(), history["loss"])
    np.testing.assert_array_equal(training.get_xdata(), np.arange(20) + 0.5)
    np.testing.assert_array_equal(held.get_ydata(), history["val_loss"])
    np.testing.assert_array_equal(held.get_xdata(), np.arange(1, 21))
    np.testing.assert_array_equal(right.lines[0].get_ydata(), history["val_accuracy"])
    assert right.texts[0].get_text() == f"held-out accuracy\n{history['val_accuracy'][-1]:.3f}"


def test_one_epoch_of_one_step_is_to_be_seen() -> None:
    """A line of one point shows nothing; a dot does."""
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(cr.TwoLayerNet(2, 3, 3), cr.SGD(0.1), engine="numpy")
    trainer.fit(x, t, 1, len(x), validation=(x, t), progress=None)
    left, right = trainer.history.plot().axes
    assert [line.get_marker() for line in (*left.lines, *right.lines)] == ["o"] * 4
    assert {line.get_marker() for line in spiral_net(2)[3].history.plot().axes[0].lines} == {"None"}


def test_any_number_of_metrics_of_any_name_are_drawn() -> None:
    def metric(name: str) -> Any:
        def f(y: Any, t: Any) -> float:
            return float(len(name))

        f.__name__ = name
        return f

    names = ["a$b$", "猫", *(f"m{i}" for i in range(7))]
    history = spiral_net(2, metrics=[metric(name) for name in names])[3].history
    right = history.plot().axes[1]
    assert [line.get_label() for line in right.lines] == ["a\\$b\\$", "猫", *names[2:]]
    assert len({(line.get_color(), str(line.get_linestyle())) for line in right.lines}) == 9


def test_chinese_words_on_the_axes() -> None:
    left, right = spiral_net(2, validation=0.2)[3].history.plot(lang="zh").axes
    assert (left.get_xlabel(), left.get_ylabel()) == ("轮次", "损失")
    assert right.texts[0].get_text().startswith("验证集准确率")


def test_an_empty_history_says_so() -> None:
    with pytest.raises(DataError, match="call fit"):
        draw_history(cr.History())


def test_labels_at_the_ends_do_not_touch() -> None:
    figure, (ax,) = new_figure(width=6, height=4)
    ends = [(1.0, y, f"line {i}", "black") for i, y in enumerate([0.5, 0.51, 0.5, 0.0, 1.0, 0.99])]
    ax.set(xlim=(0, 1), ylim=(0, 1))
    end_labels(ax, ends, 3.4)
    figure.canvas.draw()
    labels = [text for text in ax.texts if isinstance(text, Annotation)]
    middles = [label.xyann[1] * ax.get_window_extent().height for label in labels]
    tall = max(Text.get_window_extent(text).height for text in ax.texts)  # without the threads
    assert all(high - low >= tall for low, high in pairwise(sorted(middles)))
    order = sorted(range(6), key=lambda i: middles[i])
    assert [ends[i][1] for i in order] == sorted(end[1] for end in ends)


# -- regions ------------------------------------------------------------------------------------


def plane_of(ax: Any) -> Any:
    """The points in the middle of the pixels of an image on the axes."""
    image = ax.images[0]
    left, right, low, high = image.get_extent()
    step = (right - left) / POINTS, (high - low) / POINTS
    u = left + step[0] * (np.arange(POINTS) + 0.5)
    v = low + step[1] * (np.arange(POINTS) + 0.5)
    return np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)


def test_every_point_has_the_colour_of_its_class_and_the_strength_of_its_probability() -> None:
    net, x, t, _ = spiral_net(100)
    ax: Any = cr.draw_regions(net, x, t).axes[0]
    image = ax.images[0].get_array().reshape(-1, 4)
    plane = plane_of(ax)
    ids, sure = net.classify(plane), net.predict_proba(plane).max(axis=1)
    colours = np.array([to_rgb(c) for c in PALETTE])
    same = (image[:, :3] == colours[ids]).all(axis=1)
    assert same.mean() > 0.999  # the grid's ends are not met to the last digit
    order = np.argsort(sure)
    assert (np.diff(image[order, 3]) > -1e-3).all()
    points = [len(group.get_offsets()) for group in ax.collections if len(group.get_offsets()) > 1]
    assert points == [100, 100, 100]


def test_one_hot_targets_are_the_same_classes() -> None:
    net, x, t, _ = spiral_net(5)
    a, b = (cr.draw_regions(net, x, u).axes[0].collections[-1] for u in (t, np.eye(3)[t]))
    np.testing.assert_array_equal(a.get_offsets(), b.get_offsets())


@pytest.mark.parametrize("column", [False, True])
def test_a_yes_or_no_network(column: bool) -> None:
    x, t = cr.datasets.moons()
    net = cr.TwoLayerNet(2, 8, 1, loss=cr.SigmoidWithLoss())
    cr.Trainer(net, cr.Adam(0.05), engine="numpy").fit(x, t, 20, progress=None)
    ax: Any = cr.draw_regions(net, x, t[:, None] if column else t).axes[0]
    plane, image = plane_of(ax), ax.images[0].get_array().reshape(-1, 4)
    yes = net.predict_proba(plane).ravel()
    blue = (image[:, :3] == to_rgb(PALETTE[0])).all(axis=1)
    assert (blue == (yes < 0.5)).mean() > 0.999
    expected = 0.06 + 0.34 * np.clip(2 * np.maximum(yes, 1 - yes) - 1, 0, 1)
    np.testing.assert_allclose(image[:, 3], expected, atol=1e-3)


def test_a_regression_is_a_map_of_its_values() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    t = x[:, :1] + 2 * x[:, 1:]
    net = cr.Sequential(
        cr.Affine(np.array([[1.0], [2.0]]), np.zeros(1)), loss=cr.MeanSquaredError()
    )
    figure = cr.draw_regions(net, x, t)
    points: Any = figure.axes[0].collections[-1]
    np.testing.assert_array_equal(points.get_array(), t[:, 0])
    low, high = points.get_clim()
    u, v = (np.array(figure.axes[0].get_xlim()), np.array(figure.axes[0].get_ylim()))
    assert low == pytest.approx(u[0] + 2 * v[0])
    assert high == pytest.approx(u[1] + 2 * v[1])


def test_what_cannot_be_drawn_says_why() -> None:
    net, x, t, _ = spiral_net(1)
    with pytest.raises(DataError, match=r"two features.*\(3, 3\)"):
        cr.draw_regions(net, np.ones((3, 3)), [0, 1, 2])
    with pytest.raises(ShapeError, match="300 rows and t has 299"):
        cr.draw_regions(net, x, t[:-1])
    two = cr.TwoLayerNet(2, 3, 2, loss=cr.MeanSquaredError())
    with pytest.raises(ShapeError, match="one output"):
        cr.draw_regions(two, x, np.zeros((300, 2)))


def test_regions_need_places_and_a_name_for_every_class() -> None:
    x, t = cr.datasets.spiral()
    net = cr.TwoLayerNet(2, 3, 3)
    with pytest.raises(ShapeError, match="1 names were given, and there is a class 2"):
        cr.draw_regions(net, x, t, names=["a"])
    x = x.copy()
    x[7, 1] = np.nan
    with pytest.raises(DataError, match=r"row 7 of x is .* and 1 of 300 rows are not finite"):
        cr.draw_regions(net, x, t)


def test_names_that_begin_alike_keep_their_ends() -> None:
    names = [f"a class with a long name, number {i}" for i in range(3)]
    ax: Any = cr.draw_confusion(np.eye(3, dtype=int), names).axes[0]
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels == [f"a class…number {i}" for i in range(3)]
    heat: Any = cr.draw_features(
        cr.TwoLayerNet(3, 2, 2), names=["猫" * 20 + str(i) for i in range(3)]
    )
    assert len({t.get_text() for t in heat.axes[0].get_yticklabels()}) == 3


def test_axes_of_ones_own_are_drawn_on(tmp_path: Path) -> None:
    net, x, t, _ = spiral_net(1)
    figure, axes = new_figure(2)
    drawn = cr.draw_regions(net, x, t, tmp_path / "two.png", ax=axes[1])
    assert drawn is figure
    assert (len(axes[0].images), len(axes[1].images)) == (0, 1)
    assert (tmp_path / "two.png").stat().st_size > 1000


# -- features -----------------------------------------------------------------------------------


def test_the_images_are_the_weights() -> None:
    net = cr.TwoLayerNet(64, 10, 4)
    images = cr.draw_features(net).axes[0].images
    W = net.named_parameters()["0.W"].data
    assert len(images) == 10
    for j, image in enumerate(images):
        np.testing.assert_array_equal(image.get_array(), W[:, j].reshape(8, 8))
        low, high = image.get_clim()
        assert low == -high


def test_another_shape_another_layer_and_the_strongest_units() -> None:
    net = cr.TwoLayerNet(12, 9, 3)
    W1, W2 = (net.named_parameters()[name].data for name in ("0.W", "2.W"))
    W1[:, [1, 4]] *= 100
    ax = cr.draw_features(net, (3, 4), most=2).axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array(), W1[:, 1].reshape(3, 4))
    np.testing.assert_array_equal(ax.images[1].get_array(), W1[:, 4].reshape(3, 4))
    assert [text.get_text() for text in ax.texts] == ["1", "4"]
    assert ax.get_title(loc="left") == "the 2 of 9 units with the largest weights"
    second = cr.draw_features(net, (3, 3), layer="2").axes[0].images
    np.testing.assert_array_equal(second[2].get_array(), W2[:, 2].reshape(3, 3))


def test_colour_images_hold_the_weights_around_grey() -> None:
    net = cr.TwoLayerNet(48, 3, 2)
    W = net.named_parameters()["0.W"].data
    images = cr.draw_features(net, (4, 4, 3)).axes[0].images
    for j, image in enumerate(images):
        expected = 0.5 + W[:, j].reshape(4, 4, 3) / (2 * np.abs(W).max())
        np.testing.assert_allclose(np.asarray(image.get_array()), expected, rtol=1e-6)


def test_other_inputs_become_a_heat_map_with_signs_written_in() -> None:
    W = np.array([[1.0, -2.0], [0.25, 0.5], [-0.125, 4.0]])
    net = cr.Sequential(cr.Affine(W, np.zeros(2)), loss=cr.SoftmaxWithLoss())
    ax: Any = cr.draw_features(net, names=["a", "b", "c$d$"]).axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array(), W)
    assert ax.images[0].get_clim() == (-4, 4)
    assert [t.get_text() for t in ax.texts] == [
        "+1.00",
        "−2.00",
        "+0.25",
        "+0.50",
        "−0.12",
        "+4.00",
    ]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c\\$d\\$"]


def test_a_network_written_by_hand_shows_its_first_matrix() -> None:
    class Mine:
        def __init__(self) -> None:
            self.params = [np.zeros(3), np.arange(12.0).reshape(4, 3)]
            self.grads = [np.zeros_like(p) for p in self.params]

    images = cr.draw_features(Mine(), (2, 2)).axes[0].images
    np.testing.assert_array_equal(images[1].get_array(), [[1, 4], [7, 10]])


def test_features_that_do_not_fit() -> None:
    net = cr.TwoLayerNet(12, 9, 3)
    with pytest.raises(ShapeError, match="12 inputs"):
        cr.draw_features(net, (4, 4))
    with pytest.raises(ShapeError, match="2 names"):
        cr.draw_features(net, names=["a", "b"])
    with pytest.raises(SettingError, match=r"0\.W, 2\.W"):
        cr.draw_features(net, layer="1")
    with pytest.raises(SettingError, match="no layer"):
        cr.draw_features(cr.Sequential(cr.ReLU(), loss=cr.MeanSquaredError()))


# -- confusion and residuals --------------------------------------------------------------------


def test_the_confusion_matrix_has_its_counts_in_their_places() -> None:
    counts = np.array([[5, 1, 0], [0, 7, 0], [2, 0, 1200]])
    ax: Any = cr.draw_confusion(counts, ["a", "b$", "c" * 40]).axes[0]
    written = {
        (round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in ax.texts
    }
    assert written == {(0, 0): "5", (0, 1): "1", (1, 1): "7", (2, 0): "2", (2, 2): "1,200"}
    image = ax.images[0].get_array()
    assert (image[..., 3] > 0).tolist() == (counts > 0).tolist()
    assert (image[0, 0, :3] != image[0, 1, :3]).any()  # right and wrong
    assert [t.get_text() for t in ax.get_yticklabels()][:2] == ["a", "b\\$"]


def test_many_classes_have_no_numbers_but_all_colours() -> None:
    counts = np.eye(50, dtype=int)
    ax: Any = cr.draw_confusion(counts).axes[0]
    assert len(ax.texts) == 0
    assert (ax.images[0].get_array()[..., 3] > 0.9).sum() == 50
    with pytest.raises(ShapeError, match="square"):
        cr.draw_confusion(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="2 classes came with 1 names"):
        cr.draw_confusion(np.eye(2), ["a"])


def test_long_counts_do_not_touch() -> None:
    counts = np.full((16, 16), 12_345_678)
    figure = cr.draw_confusion(counts)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts[:16]]
    gaps = [after.x0 - before.x1 for before, after in pairwise(boxes)]
    assert min(gaps) > 2


def test_residuals_of_what_is_no_number_say_which_row() -> None:
    with pytest.raises(DataError, match="row 1 has the answer nan and the truth 2, and 1 of 3"):
        cr.draw_residuals([1.0, np.nan, 3.0], [1.0, 2.0, 3.0])


def test_residuals_are_answers_less_truths() -> None:
    y, t = np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 3.0, 3.0])
    left, right = cr.draw_residuals(y, t, "price", lang="zh").axes
    np.testing.assert_array_equal(left.lines[1].get_xydata(), np.column_stack([t, y.ravel()]))
    assert (left.get_xlabel(), right.get_ylabel()) == ("price，真实值", "行数")
    patch: Any = right.patches[0]
    values, edges, _ = patch.get_data()
    assert (values.sum(), edges[0], edges[-1]) == (3, -1.0, 1.0)
    with pytest.raises(ShapeError, match="3 answers do not go with 2"):
        cr.draw_residuals(y, t[:2])
