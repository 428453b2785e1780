"""Comparing optimizers from the same start: on a network, or on a function of two variables."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.errors import DataError, NonFiniteError, SettingError, shown
from chainrule.graph.derivatives import grad
from chainrule.lang.messages import _
from chainrule.nodes.base import ignore_fp_errors
from chainrule.plots.figure import (
    DASHES,
    PALETTE,
    end_labels,
    finish,
    label_of,
    new_axes,
    new_figure,
    tidy,
    whole_ticks,
)
from chainrule.settings import language, whole
from chainrule.training.trainer import Trainer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["compare_optimizers"]

Numbers = npt.NDArray[np.float64]
Optimizers = Sequence[Any] | Mapping[str, Any]

HEIGHT = 4.0
#: A point this many times as far above the start as the best point is below it is not shown.
FAR = 25.0
#: Points on a side of the contour plot of a function.
POINTS = 121


def compare_optimizers(
    subject: object,
    optimizers: Optimizers,
    x: npt.ArrayLike | None = None,
    t: npt.ArrayLike | None = None,
    epochs: int = 30,
    batch_size: int = 32,
    *,
    start: tuple[float, float] | None = None,
    steps: int = 100,
    seed: int = 0,
    engine: str = "auto",
    path: Pathish | None = None,
    ax: Axes | None = None,
    lang: str | None = None,
) -> Figure:
    """Run optimizers from the same start, and draw how the loss falls with each.

    `subject`: a network, of which each optimizer trains a copy, with the same weights and the same
    mini-batches of x, t; the curves are the loss on all of x, t, before and after every epoch. Or
    a function f(x, y) of two variables: each optimizer takes `steps` steps from `start`; the paths
    are drawn on f's contours, beside the curves of f (on `ax`, if given, only the contours).

    `optimizers`: a list, or a dict with names of your own. They are copied, so yours do not
    change. If one diverges, its curve ends there, and its label says so. `lang`: "en" or "zh";
    None: the language of CHAINRULE_LANG, else English.

    >>> import chainrule as cr
    >>> bowl = lambda x, y: x**2 / 20 + y**2
    >>> figure = cr.compare_optimizers(bowl, [cr.SGD(lr=0.9), cr.Adam(lr=0.3)], start=(-7.0, 2.0), steps=30)
    >>> [len(line.get_xdata()) for line in figure.axes[1].lines]
    [31, 31]
    """
    lang = language(lang)
    check_path(path, lang=lang)
    entrants = _by_name(optimizers)
    if hasattr(subject, "params"):
        if x is None or t is None:
            raise DataError(
                _(
                    "compare_optimizers(network, optimizers, x, t) needs the data x and t to train on."
                )
            )
        ax = new_axes(ax, 6.4, HEIGHT)
        losses = {
            name: _trained(subject, one, x, t, epochs, batch_size, seed, engine)
            for name, one in entrants.items()
        }
        _curves(ax, losses, epochs, _("epoch").said(lang), _("loss").said(lang), lang)
        return finish(ax.figure, path)
    if not callable(subject) or start is None:
        given = shown(subject)
        raise SettingError(
            _(
                "compare_optimizers takes a network with x and t, or a function f(x, y) with start=(x, y);"
                " got {given}.",
                given=given,
            )
            if start is not None
            else _(
                "compare_optimizers takes a network with x and t, or a function f(x, y) with start=(x, y);"
                " got {given} and no start.",
                given=given,
            )
        )
    beside = None
    if ax is None:
        _figure, (ax, beside) = new_figure(2, width=11.0, height=HEIGHT)
    paths = {n: _path_of(subject, one, start, whole(steps, "steps")) for n, one in entrants.items()}
    heights = {name: _heights(subject, points) for name, points in paths.items()}
    _contours(ax, subject, paths, np.concatenate(list(heights.values())))
    if beside is None:
        ax.legend(frameon=False, fontsize=8)
    else:
        _curves(beside, heights, steps, _("step").said(lang), "f(x, y)", lang)
    return finish(ax.figure, path)


def _by_name(optimizers: Optimizers) -> dict[str, Any]:
    """The optimizers by name: the name of their class, or their repr if several share a class."""
    if isinstance(optimizers, Mapping):
        by_name = {str(name): one for name, one in optimizers.items()}
    else:
        kinds = [type(one).__name__ for one in optimizers]
        by_name = {}
        for one, kind in zip(optimizers, kinds, strict=True):
            name = kind if kinds.count(kind) == 1 else repr(one)
            while name in by_name:
                name += "′"
            by_name[name] = one
    if not by_name:
        raise SettingError(
            _("compare_optimizers needs at least one optimizer, such as [cr.SGD(0.1), cr.Adam()].")
        )
    for one in by_name.values():
        if not callable(getattr(one, "update", None)):
            raise SettingError(
                _("compare_optimizers: {given} has no update(params, grads).", given=shown(one))
            )
    return by_name


def _trained(
    network: Any,
    optimizer: Any,
    x: npt.ArrayLike,
    t: npt.ArrayLike,
    epochs: int,
    batch: int,
    seed: int,
    engine: str,
) -> list[float]:
    """The loss on all rows before training and after every epoch."""
    trainer = Trainer(copy.deepcopy(network), copy.deepcopy(optimizer), seed=seed, engine=engine)
    losses = [trainer.evaluate(x, t, metrics=())["loss"]]
    with suppress(NonFiniteError):  # the curve ends where training diverged
        trainer.fit(x, t, epochs, batch, validation=(x, t), metrics=(), progress=None)
    return losses + trainer.history["val_loss"]


def _path_of(
    f: Callable[..., Any], optimizer: Any, start: tuple[float, float], steps: int
) -> Numbers:
    """The points (n, 2) that the optimizer visits; fewer than steps + 1 if it diverges."""
    optimizer = copy.deepcopy(optimizer)
    slope = grad(f, (0, 1))
    point, gradient = np.array(start, dtype=float), np.empty(2)
    if point.shape != (2,):
        raise SettingError(_("start={start} must be two numbers, (x, y).", start=shown(start)))
    points = [point.copy()]
    for _step in range(steps):
        with ignore_fp_errors():
            gradient[...] = slope(point[0], point[1])
            if not np.isfinite(gradient).all():
                break
            optimizer.update([point], [gradient])
        if not np.isfinite(point).all():
            break
        points.append(point.copy())
    return np.array(points)


def _heights(f: Callable[..., Any], points: Numbers) -> list[float]:
    with ignore_fp_errors():
        return [float(f(a, b)) for a, b in points]


def _curves(
    ax: Axes, losses: Mapping[str, list[float]], length: int, xlabel: str, ylabel: str, lang: str
) -> None:
    """Draw the curves, each with its name at its end."""
    first = max(values[0] for values in losses.values())
    shown = [
        v for values in losses.values() for v in values if np.isfinite(v) and v <= 4 * abs(first)
    ]
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    log = low > 0 and high / low > 30
    ends = []
    for i, (name, values) in enumerate(losses.items()):
        colour = PALETTE[i % len(PALETTE)]
        ax.plot(
            range(len(values)), values, color=colour, linewidth=1.8,
            linestyle=DASHES[(i // len(PALETTE)) % len(DASHES)], label=label_of(name, 40),
        )  # fmt: skip
        finished = len(values) == length + 1
        note = f"{values[-1]:.3g}" if finished else _("diverged").said(lang)
        ends.append((float(len(values) - 1), values[-1], f"{label_of(name, 40)}  {note}", colour))
    room = 0.05 * (high - low) or 0.5
    limits = (low / 1.25, high * 1.25) if log else (low - room, high + room)
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear", ylim=limits)
    ax.set_xlim(0, length)
    whole_ticks(ax.xaxis)
    end_labels(ax, ends, 0.75 * HEIGHT)


def _contours(
    ax: Axes, f: Callable[..., Any], paths: Mapping[str, Numbers], path_heights: Numbers
) -> None:
    """Draw the paths on the contours of f; `path_heights` are the values of f along all paths."""
    tidy(ax)
    ax.grid(visible=False)
    near = np.concatenate(list(paths.values()))[_near(path_heights)]
    sides = [_side(near[:, k]) for k in range(2)]
    with ignore_fp_errors():
        heights = np.array([[float(f(a, b)) for a in sides[0]] for b in sides[1]])
    known = heights[np.isfinite(heights)]
    if not known.size:
        raise NonFiniteError(
            _("f(x, y) is not finite anywhere near the paths. Choose another start.")
        )
    # More lines at low values, where the optimizers go.
    low, high = float(known.min()), float(known.max())
    levels = low + (high - low or 1.0) * np.linspace(0, 1, 16)[1:] ** 2
    shown_heights = np.where(np.isfinite(heights), heights, high)
    ax.contour(*sides, shown_heights, levels, cmap="Greys_r", linewidths=0.7, alpha=0.8)
    for i, (name, points) in enumerate(paths.items()):
        colour = PALETTE[i % len(PALETTE)]
        ax.plot(*points.T, color=colour, linewidth=1.3, marker=".", markersize=3.5,
                linestyle=DASHES[(i // len(PALETTE)) % len(DASHES)],
                label=label_of(name, 40))  # fmt: skip
        ax.plot(*points[-1], "*", color=colour, markersize=11, markeredgecolor="white", zorder=5)
    first = next(iter(paths.values()))[0]
    ax.plot(*first, "o", color="black", markersize=6, zorder=5)
    ax.set(
        xlabel="x", ylabel="y", xlim=(sides[0][0], sides[0][-1]), ylim=(sides[1][0], sides[1][-1])
    )


def _near(heights: Numbers) -> npt.NDArray[np.bool_]:
    """A mask of the points to show: all but those far above the start, if any is below it."""
    down = heights[0] - np.min(heights, where=np.isfinite(heights), initial=heights[0])
    return np.asarray(heights <= heights[0] + FAR * down) if down > 0 else heights == heights


def _side(values: Numbers) -> Numbers:
    """Grid coordinates that span the values, except for outliers."""
    low, high = np.quantile(values, (0.01, 0.99))
    low, high = min(low, values[0]), max(high, values[0])
    margin = 0.2 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, POINTS)
