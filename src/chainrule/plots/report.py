"""The report: a training run on one page, which needs nothing but itself."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.checking import check
from chainrule.datasets.fitting import MISSING
from chainrule.engine.naming import parameter_names
from chainrule.graph.wording import shape_text
from chainrule.lang.notes import note_in
from chainrule.lang.words import say
from chainrule.networks import Network
from chainrule.plots.curves import draw_history
from chainrule.plots.features import draw_features
from chainrule.plots.figure import label_of
from chainrule.plots.judged import Classes, Judged, Numbers, Run
from chainrule.plots.page import Html, beside, facts, picture, section, table, text, whole_page
from chainrule.plots.regions import draw_regions
from chainrule.version import __version__

__all__ = ["network_picture", "report_page"]

Array = npt.NDArray[Any]

#: The gradients are checked on so many rows, unless there are more parameters than this.
CHECKED_ROWS, LARGE = 5, 3_000_000
#: A first layer of more inputs than this is drawn only if they are an image; and so many units of it.
WIDE, UNITS = 40, 40
#: The page is so many pixels wide; the network's picture goes on in rows at a little more, and shrinks.
PAGE, WIDTH = 944, 1080


def report_page(run: Run, lang: str = "en") -> str:
    """The report as HTML, with all its pictures inside: no scripts, and nothing from elsewhere."""
    judged = Classes(run, lang) if run.preparation.classes else Numbers(run, lang)
    title = say("{target}, learned from {name}", lang, target=run.preparation.target, name=run.name)
    return whole_page(
        title,
        lang,
        _head(run, title, judged.headline(), lang),
        _data(run, lang),
        section(
            say("Network", lang), network_picture(run.network, judged.x[:4], judged.t[:4], lang)
        ),
        section(say("Training", lang), *_curves(run, lang)),
        section(judged.title(), *judged.parts()),
        section(say("The hardest rows", lang), *judged.worst()),
        *_features(judged, lang),
        _gradients(run, lang),
        _time(run, lang),
        _again(run, lang),
    )


# -- what it is ------------------------------------------------------------------------------------


def _head(run: Run, title: str, headline: tuple[str, str], lang: str) -> Html:
    parameters = sum(p.size for p in run.network.named_parameters().values())
    words = "for {epochs} epochs"
    if run.trainer.engine_used == "compiled":
        words += ", with compiling"
    tiles = [
        headline,
        (f"{len(run.training):,}", say("rows trained on", lang)),
        (f"{parameters:,}", say("parameters", lang)),
        (f"{run.seconds:.1f} s", say(words, lang, epochs=f"{len(run.trainer.history):,}")),
    ]
    shown = "".join(
        f"<div><b>{text(value)}</b><span>{text(what)}</span></div>" for value, what in tiles
    )
    made = say("A report of chainrule {version}.", lang, version=__version__)
    stopped = run.trainer.history.stopped
    why = note_in(stopped or "", lang)
    note = say("Training ended early: {why}.", lang, why=why) if stopped else ""
    return Html(
        f"<h1>{text(title)}</h1><p class=lead>{text(made)} {text(note)}</p>\n<div class=tiles>{shown}</div>\n"
    )


def _data(run: Run, lang: str) -> Html:
    data, preparation = run.facts["data"], run.preparation
    pairs = [
        (say("data", lang), data["name"]),
        (say("rows", lang), f"{data['rows']:,}"),
        (say("columns", lang), f"{data['columns']:,}"),
        (say("target", lang), preparation.target),
        (say("trained on", lang), f"{len(run.training):,}"),
        (say("held out", lang), f"{len(run.held):,}"),
        (say("inputs", lang), f"{len(preparation.features):,}"),
    ]
    if preparation.classes:
        pairs.insert(4, (say("classes", lang), f"{len(preparation.classes):,}"))
    notes = "".join(f"<li>{text(note_in(note, lang))}</li>" for note in run.notes)
    told = Html(f"<h3>{text(say('What was prepared', lang))}</h3><ul>{notes}</ul>") if notes else ""
    middle = -(-len(pairs) // 2)
    return section(say("Data", lang), beside(facts(pairs[:middle]), facts(pairs[middle:])), told)


def network_picture(network: Network, x: Array, t: Array, lang: str = "en") -> Html:
    """The network's graph for these rows, layer by layer, and a table of its layers, named alike."""
    graph = network.graph(x, t)
    svg = graph.draw(fold=True, lang=lang, width=WIDTH).svg
    width = re.search(r'<svg[^>]* width="([\d.]+)"', svg)
    # On a narrow screen it is made a little smaller, and what is still too wide can be pushed aside.
    least = f"{min(0.85 * float(width[1]), PAGE):.0f}px" if width else "auto"
    svg = svg.replace("<svg ", f'<svg style="min-width:{least}" ', 1)
    drawn = Html(f'<div class="graph">{svg}</div>')
    runs = {graph.paths.get(id(run.layer)): name for run, name in graph.layers.items()}
    called = parameter_names(network)
    layers = {f"layer {n} ({layer.label})": (n, layer) for n, layer in network.named_layers()}
    body: list[Sequence[object]] = [(say("input", lang), _shape(x), "", "")]
    for key, out in network.activations(x).items():
        path, layer = layers[key]
        parameters = layer._parameters.values()
        sizes = ", ".join(f"{called[p]} {shape_text(p.shape)}" for p in parameters)
        count = sum(p.size for p in parameters if p.tied is None)
        name = runs.get(path, layer.label)
        body.append((name, _shape(out), sizes, f"{count:,}" if count else ""))
    body.append((type(network.loss).__name__, "", "", ""))
    heads = ("layer", "output", "parameters", "count")
    return Html(drawn + table([say(head, lang) for head in heads], body, left=3))


def _shape(out: Array) -> str:
    return "N×" + shape_text(out.shape[1:]) if out.ndim > 1 else "N"


def _curves(run: Run, lang: str) -> list[str]:
    training, history = run.facts["training"], run.trainer.history
    told = say(
        "{optimizer}, learning rate {lr}, {epochs} epochs of {steps} steps with {batch} rows each.",
        lang, optimizer=type(run.trainer.optimizer).__name__, lr=f"{training['lr']:g}",
        epochs=f"{len(history):,}", steps=f"{history.steps // len(history):,}",
        batch=f"{training['batch_size']:,}",
    )  # fmt: skip
    return [f"<p>{text(told)}</p>", picture(draw_history(history, lang=lang), "curves", told)]


def _features(judged: Judged, lang: str) -> list[Html]:
    """What the first layer looks for, where that can be seen; and the plane, if there are two inputs."""
    network = judged.run.network
    names = [_feature(name, lang) for name in judged.run.preparation.features]
    shape, parts = judged.image, []
    if shape is not None or len(names) <= WIDE:
        title = say("What the first layer looks for", lang)
        drawn = draw_features(network, shape, names=None if shape else names, most=UNITS, lang=lang)
        words = (
            "A bright weight makes the unit larger where its input is large, a dark one smaller."
        )
        told = f"<p class=dim>{text(say(words, lang))}</p>"
        parts.append(section(title, told, picture(drawn, "features", title)))
    if len(names) == 2:
        title = say("The plane as the network sees it", lang)
        figure = draw_regions(
            network, judged.x, judged.t, names=judged.run.preparation.classes, lang=lang
        )
        figure.axes[0].set(xlabel=_axis(names[0], lang), ylabel=_axis(names[1], lang))
        parts.append(section(title, picture(figure, "regions", title)))
    return parts


def _feature(name: str, lang: str) -> str:
    """An input's name, in which what stands for empty cells is said in the page's language."""
    column, equals, kind = name.rpartition("=")
    return column + equals + say(MISSING, lang) if equals and kind == MISSING else name


def _axis(name: str, lang: str) -> str:
    return say("{name}, standardised", lang, name=label_of(name))


# -- whether to trust it ---------------------------------------------------------------------------


def _gradients(run: Run, lang: str) -> Html:
    title = say("Gradient check", lang)
    if sum(p.size for p in run.network.named_parameters().values()) > LARGE:
        return section(title, f"<p>{text(say('Left out: the network is large.', lang))}</p>")
    places = np.linspace(0, len(run.training) - 1, min(CHECKED_ROWS, len(run.training))).astype(int)
    rows = run.table.rows(run.training[places])
    found = check(run.network, run.preparation.transform(rows), run.preparation.targets(rows))
    paths, called = run.network.named_parameters(), parameter_names(run.network)
    names = {path: called[p] for path, p in paths.items()}
    body = [
        (Html(f"∂L/∂{text(names.get(row.name, row.name))}"), shape_text(row.shape),
         f"{row.error:.1e}", f"{row.allowed:.1e}",
         Html(f"<span class={'good' if row.ok else 'bad'}>{text(say(row.verdict, lang))}</span>"))
        for row in found.rows
    ]  # fmt: skip
    told = say(
        "The gradients by the chain rule, on {count} rows, against a complex step along a random direction"
        " (central differences for layers written by hand).", lang, count=len(places),
    )  # fmt: skip
    verdict = say(
        "All {count} gradients agree." if found.ok else "{wrong} of {count} gradients disagree.",
        lang, count=len(found.rows), wrong=sum(not row.ok for row in found.rows),
    )  # fmt: skip
    mark = "good" if found.ok else "bad"
    heads = [say(h, lang) for h in ("gradient", "shape", "error", "allowed", "verdict")]
    return section(
        title,
        f"<p class='verdict {mark}'>{text(verdict)}</p><p class=dim>{text(told)}</p>",
        table(heads, body, left=2),
    )


def _time(run: Run, lang: str) -> Html:
    history, trainer = run.trainer.history, run.trainer
    steps = float(np.sum(history["seconds"]))
    why = note_in(trainer.engine_reason or "", lang)
    engine = say("{what} ({why})", lang, what=trainer.engine_used, why=why)
    whole = "{seconds} s, with compiling" if trainer.engine_used == "compiled" else "{seconds} s"
    pairs = [
        (say("in all", lang), say(whole, lang, seconds=f"{run.seconds:.2f}")),
        (say("in the epochs", lang), f"{steps:.2f} s"),
        (say("samples per second", lang), f"{len(run.training) * len(history) / steps:,.0f}"),
        (say("engine", lang), engine if why else trainer.engine_used),
        (say("threads", lang), trainer.threads_used),
        (say("machine", lang), _machine(lang)),
    ]
    return section(say("Time", lang), facts(pairs))


def _machine(lang: str) -> str:
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            names = [
                line.partition(":")[2].strip() for line in file if line.startswith("model name")
            ]
        name = names[0] if names else name
    except OSError:
        pass
    cores = say("{count} cores", lang, count=os.cpu_count())
    return f"{name}, {cores}, {platform.system()} {platform.release()}"


def _again(run: Run, lang: str) -> Html:
    versions = [f"Python {platform.python_version()}", f"chainrule {__version__}"]
    for package in ("numpy", "numba", "scipy", "matplotlib"):
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    pairs = [
        (say("seed", lang), run.facts["training"]["seed"]),
        (say("versions", lang), ", ".join(versions)),
        (
            say("fingerprint of the table", lang),
            Html(f"<code>{text(run.facts['data']['fingerprint'])}</code>"),
        ),
    ]
    if run.checksum is not None:
        pairs.append((say("sha256 of the file", lang), Html(f"<code>{text(run.checksum)}</code>")))
    words = "The same version, machine, engine, threads and seed give the same bits."
    return section(
        say("To do it again", lang),
        f"<pre>{_command(run.command)}</pre>",
        facts(pairs),
        f"<p class=dim>{text(say(words, lang))}</p>",
    )


def _command(parts: Sequence[str]) -> Html:
    """A command as a shell takes it: on one line, or, if it is long, on a line for each part."""
    short = sum(map(len, parts)) + len(parts) <= 88
    return Html((" " if short else " \\\n    ").join(map(text, parts)))
