"""The report: a training run on one self-contained HTML page."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from importlib import metadata

import numpy as np

from chainrule.checking import check
from chainrule.datasets.parts import MISSING
from chainrule.engine.naming import parameter_names
from chainrule.graph.variable import Array
from chainrule.graph.verdicts import Verdict
from chainrule.graph.wording import shape_text
from chainrule.lang.messages import Text, _, _n, _p, in_language, listed
from chainrule.layers import Affine, MatMul, NTKAffine
from chainrule.networks import Network
from chainrule.plots.curves import draw_history
from chainrule.plots.explained import explained_sections
from chainrule.plots.features import draw_features
from chainrule.plots.figure import label_of
from chainrule.plots.judged import Evaluation, evaluation_of
from chainrule.plots.page import (
    Html,
    beside,
    facts,
    picture,
    section,
    table,
    text,
    tiles,
    whole_page,
)
from chainrule.plots.regions import draw_regions
from chainrule.plots.runs import Run
from chainrule.plots.tuning import trials_section
from chainrule.version import __version__

__all__ = ["again", "network_picture", "report_page"]


#: The number of rows for the gradient check, and the number of parameters above which it is left out.
CHECKED_ROWS, LARGE = 5, 3_000_000
#: Above WIDE inputs, a first layer is drawn only if they are an image; at most UNITS units are drawn.
WIDE, UNITS = 40, 40
#: The width of the page in pixels, and the width at which the network's picture wraps, to be shrunk.
PAGE, WIDTH = 944, 1080


def report_page(run: Run, lang: str = "en") -> str:
    """The report as HTML with all pictures inline, without scripts or external resources."""
    evaluation = evaluation_of(run.judged, lang)
    words = _("{target}, learned from {name}", target=run.preparation.target, name=run.name)
    title = words.said(lang)
    return whole_page(
        title,
        lang,
        _head(run, title, evaluation.headline(), lang),
        _data(run, lang),
        section(
            _("Network").said(lang),
            network_picture(run.network, evaluation.x[:4], evaluation.t[:4], lang),
        ),
        *_tuning(run, lang),
        section(_("Training").said(lang), *_curves(run, lang)),
        section(evaluation.title(), *evaluation.parts()),
        section(_("The hardest rows").said(lang), *evaluation.worst()),
        *explained_sections(evaluation),
        *_features(evaluation, lang),
        _gradients(run, lang),
        _time(run, lang),
        _again(run, lang),
    )


# -- sections --------------------------------------------------------------------------------------


def _head(run: Run, title: str, headline: tuple[str, str], lang: str) -> Html:
    parameters = sum(p.size for p in run.network.named_parameters().values())
    epochs = len(run.trainer.history)
    length = (
        _n("for {n:,} epoch, with compiling", "for {n:,} epochs, with compiling", epochs)
        if run.trainer.engine_used == "compiled"
        else _n("for {n:,} epoch", "for {n:,} epochs", epochs)
    )
    numbers = [
        headline,
        (f"{len(run.training):,}", _("rows trained on").said(lang)),
        (f"{parameters:,}", _("parameters").said(lang)),
        (_("{seconds:.1f} s", seconds=run.seconds).said(lang), length.said(lang)),
    ]
    version = _("A report of chainrule {version}.", version=__version__).said(lang)
    stopped = run.trainer.history.stopped
    note = _("Training ended early: {why}.", why=stopped).said(lang) if stopped else ""
    return Html(
        f"<h1>{text(title)}</h1><p class=lead>{text(version)} {text(note)}</p>\n{tiles(numbers)}"
    )


def _data(run: Run, lang: str) -> Html:
    data, preparation = run.facts["data"], run.preparation
    pairs = [
        (_("data").said(lang), data["name"]),
        (_("rows").said(lang), f"{data['rows']:,}"),
        (_("columns").said(lang), f"{data['columns']:,}"),
        (_p("column of a table", "target").said(lang), preparation.target),
        (_p("how many rows", "trained on").said(lang), f"{len(run.training):,}"),
        (_p("how many rows", "held out").said(lang), f"{len(run.held):,}"),
        (_p("how many", "inputs").said(lang), f"{len(preparation.features):,}"),
    ]
    if preparation.classes:
        classes = _p("how many", "classes").said(lang)
        pairs.insert(4, (classes, f"{len(preparation.classes):,}"))
    notes = "".join(f"<li>{text(in_language(note, lang))}</li>" for note in run.notes)
    title = _("What was prepared").said(lang)
    notes_html = Html(f"<h3>{text(title)}</h3><ul>{notes}</ul>") if notes else ""
    middle = -(-len(pairs) // 2)
    return section(
        _("Data").said(lang), beside(facts(pairs[:middle]), facts(pairs[middle:])), notes_html
    )


def network_picture(network: Network, x: Array, t: Array, lang: str = "en") -> Html:
    """The network's graph for these rows, layer by layer, and a table of the layers by the same names."""
    graph = network.graph(x, t)
    svg = graph.draw(fold=True, lang=lang, width=WIDTH).svg
    width = re.search(r'<svg[^>]* width="([\d.]+)"', svg)
    # On a narrow screen it shrinks to this width; if it is still too wide, it scrolls.
    least = f"{min(0.85 * float(width[1]), PAGE):.0f}px" if width else "auto"
    svg = svg.replace("<svg ", f'<svg style="min-width:{least}" ', 1)
    graph_html = Html(f'<div class="graph">{svg}</div>')
    runs = {graph.paths.get(id(run.layer)): name for run, name in graph.layers.items()}
    parameter_labels = parameter_names(network)
    layers = {f"layer {n} ({layer.label})": (n, layer) for n, layer in network.named_layers()}
    body: list[Sequence[object]] = [(_("input").said(lang), _shape(x), "", "")]
    for key, out in network.activations(x).items():
        path, layer = layers[key]
        parameters = layer._parameters.values()
        sizes = ", ".join(f"{parameter_labels[p]} {shape_text(p.shape)}" for p in parameters)
        count = sum(p.size for p in parameters if p.tied is None)
        name = runs.get(path, layer.label)
        body.append((name, _shape(out), sizes, f"{count:,}" if count else ""))
    body.append((type(network.loss).__name__, "", "", ""))
    heads = (_("layer"), _("output"), _("parameters"), _("count"))
    return Html(graph_html + table([head.said(lang) for head in heads], body, left=3))


def _shape(out: Array) -> str:
    return "N×" + shape_text(out.shape[1:]) if out.ndim > 1 else "N"


def _curves(run: Run, lang: str) -> list[str]:
    training, history = run.facts["training"], run.trainer.history
    summary = _(
        "{optimizer}, learning rate {lr:g}, {epochs} of {steps} with {rows} each.",
        optimizer=type(run.trainer.optimizer).__name__,
        lr=training["lr"],
        epochs=_n("{n:,} epoch", "{n:,} epochs", len(history)),
        steps=_n("{n:,} step", "{n:,} steps", history.steps // len(history)),
        rows=_n("{n:,} row", "{n:,} rows", training["batch_size"]),
    ).said(lang)
    return [f"<p>{text(summary)}</p>", picture(draw_history(history, lang=lang), "curves", summary)]


def _tuning(run: Run, lang: str) -> list[Html]:
    """The trials that the settings come from, if they were tuned."""
    if run.trials is None:
        return []
    return [section(_("Tuning").said(lang), *trials_section(run.trials, lang))]


def _features(evaluation: Evaluation, lang: str) -> list[Html]:
    """The weights of the first layer, if they can be drawn; decision regions, if there are two inputs."""
    network = evaluation.judged.network
    names = [_feature(name, lang) for name in evaluation.preparation.features]
    shape, parts = evaluation.image, []
    if _weighs_inputs(network, len(names)) and (shape is not None or len(names) <= WIDE):
        title = _("What the first layer looks for").said(lang)
        features_figure = draw_features(
            network, shape, names=None if shape else names, most=UNITS, lang=lang
        )
        words = _(
            "A bright weight makes the unit larger where its input is large, a dark one smaller."
        )
        explanation = evaluation.dim(words)
        parts.append(section(title, explanation, picture(features_figure, "features", title)))
    if len(names) == 2 and not evaluation.preparation.layout.columns:
        title = _("The plane as the network sees it").said(lang)
        figure = draw_regions(
            network, evaluation.x, evaluation.t, names=evaluation.preparation.classes, lang=lang
        )
        figure.axes[0].set(xlabel=_axis(names[0], lang), ylabel=_axis(names[1], lang))
        parts.append(section(title, picture(figure, "regions", title)))
    return parts


def _weighs_inputs(network: Network, inputs: int) -> bool:
    """Whether the first matrix of weights has a row for each input, and no embedding comes before."""
    for _name, layer in network.named_layers():
        matrices = [p.data for p in layer._parameters.values() if p.data.ndim == 2]
        if matrices:
            return isinstance(layer, Affine | MatMul | NTKAffine) and len(matrices[0]) == inputs
    return False


def _feature(name: str, lang: str) -> str:
    """An input's name, with the word for missing cells in the page's language."""
    for before in ("=", " "):  # a text that is missing, and where a number is
        column, found, kind = name.rpartition(before)
        if found and kind == MISSING:
            return column + before + _("(missing)").said(lang)
    return name


def _axis(name: str, lang: str) -> str:
    return _("{name}, standardised", name=label_of(name)).said(lang)


# -- checks and reproduction -----------------------------------------------------------------------


def _gradients(run: Run, lang: str) -> Html:
    title = _("Gradient check").said(lang)
    if sum(p.size for p in run.network.named_parameters().values()) > LARGE:
        large = _("Left out: the network is large.").said(lang)
        return section(title, f"<p>{text(large)}</p>")
    indices = np.linspace(0, len(run.training) - 1, min(CHECKED_ROWS, len(run.training))).astype(
        int
    )
    rows = run.table.rows(run.training[indices])
    result = check(run.network, run.preparation.transform(rows), run.preparation.targets(rows))
    paths, labels = run.network.named_parameters(), parameter_names(run.network)
    names = {path: labels[p] for path, p in paths.items()}
    body = [
        (Html(f"∂L/∂{text(names.get(row.name, row.name))}"), shape_text(row.shape),
         f"{row.error:.1e}", f"{row.allowed:.1e}",
         Html(f"<span class={'good' if row.ok else 'bad'}>{text(_verdict(row).said(lang))}</span>"))
        for row in result.rows
    ]  # fmt: skip
    explanation = _n(
        "The gradients by the chain rule, on {n} row, against a complex step along a random direction"
        " (central differences for layers written by hand).",
        "The gradients by the chain rule, on {n} rows, against a complex step along a random direction"
        " (central differences for layers written by hand).",
        len(indices),
    )
    wrong, count = sum(not row.ok for row in result.rows), len(result.rows)
    verdict = (
        _("All {count} gradients agree.", count=count)
        if result.ok
        else _("{wrong} of {count} gradients disagree.", wrong=wrong, count=count)
    )
    mark = "good" if result.ok else "bad"
    heads = (
        _("gradient"),
        _("shape"),
        _p("column of a table", "error"),
        _p("error", "allowed"),
        _("verdict"),
    )
    return section(
        title,
        f"<p class='verdict {mark}'>{text(verdict.said(lang))}</p>",
        f"<p class=dim>{text(explanation.said(lang))}</p>",
        table([head.said(lang) for head in heads], body, left=2),
    )


def _verdict(row: Verdict) -> Text:
    if not row.ok:
        return _("WRONG")
    return _("ok, at a kink") if row.kink else _("ok")


def _time(run: Run, lang: str) -> Html:
    history, trainer = run.trainer.history, run.trainer
    steps = float(np.sum(history["seconds"]))
    engine, why = trainer.engine_used, trainer.engine_reason
    whole = (
        _("{seconds:.2f} s, with compiling", seconds=run.seconds)
        if engine == "compiled"
        else _("{seconds:.2f} s", seconds=run.seconds)
    )
    pairs = [
        (_("in all"), whole),
        (_("in the epochs"), _("{seconds:.2f} s", seconds=steps)),
        (_("samples per second"), f"{len(run.training) * len(history) / steps:,.0f}"),
        (_("engine"), _("{what} ({why})", what=engine, why=why) if why else engine),
        (_("threads"), trainer.threads_used),
        (_("machine"), _machine()),
    ]
    lines = [(in_language(name, lang), in_language(what, lang)) for name, what in pairs]
    return section(_("Time").said(lang), facts(lines))


def _machine() -> Text:
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            names = [
                line.partition(":")[2].strip() for line in file if line.startswith("model name")
            ]
        name = names[0] if names else name
    except OSError:
        pass
    return _(
        "{processor}, {cores}, {system}",
        processor=name,
        cores=_n("{n} core", "{n} cores", os.cpu_count() or 1),
        system=f"{platform.system()} {platform.release()}",
    )


def _again(run: Run, lang: str) -> Html:
    pairs = [
        (_("seed").said(lang), run.facts["training"]["seed"]),
        (_("fingerprint of the table").said(lang), run.facts["data"]["fingerprint"]),
    ]
    if run.checksum is not None:
        pairs.append((_("sha256 of the file").said(lang), run.checksum))
    words = _("The same version, machine, engine, threads and seed give the same bits.")
    return again(run.command, pairs, lang, f"<p class=dim>{text(words.said(lang))}</p>")


def again(
    command: Sequence[str], pairs: Sequence[tuple[str, object]], lang: str, *more: str
) -> Html:
    """The section with what is needed to do it again: the command, the versions, and these facts."""
    versions = [f"Python {platform.python_version()}", f"chainrule {__version__}"]
    for package in ("numpy", "llvmlite", "scipy", "matplotlib"):
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    lines: list[tuple[str, object]] = [(_("versions").said(lang), listed(versions).said(lang))]
    lines += [
        (name, Html(f"<code>{text(what)}</code>") if len(str(what)) == 64 else what)
        for name, what in pairs
    ]
    return section(
        _("To do it again").said(lang), f"<pre>{_command(command)}</pre>", facts(lines), *more
    )


def _command(parts: Sequence[str]) -> Html:
    """A shell command on one line or, if it is long, with one line for each part."""
    short = sum(map(len, parts)) + len(parts) <= 88
    return Html((" " if short else " \\\n    ").join(map(text, parts)))
