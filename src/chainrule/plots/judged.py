"""The evaluation of a trained network on the held-out or training rows: the middle of a report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.datasets import Preprocessor, Table
from chainrule.explaining.cells import cell_text
from chainrule.lang.messages import Text, _, _n, _p, in_language, sentences
from chainrule.plots.confusion import draw_confusion
from chainrule.plots.curves import NAMES, metric_name
from chainrule.plots.features import image_shape, mosaic
from chainrule.plots.figure import finish, label_of, new_figure
from chainrule.plots.page import Html, beside, facts, picture, table, text
from chainrule.plots.residuals import draw_residuals
from chainrule.plots.runs import Judged
from chainrule.training import confusion_matrix
from chainrule.training.metrics import class_scores, in_units, regression_scores

__all__ = ["Classes", "Evaluation", "Numbers", "evaluation_of"]


#: How many of the worst predictions are shown, with how many cells of each row.
WORST, CELLS = 12, 6


class Evaluation:
    """A model on the rows that it is judged by."""

    def __init__(self, judged: Judged, lang: str) -> None:
        self.judged, self.lang, self.held_out = judged, lang, judged.which == "held_out"
        self.preparation = judged.preparation
        self.rows = judged.table.rows(judged.indices)
        self.x = self.preparation.transform(self.rows)
        self.t = np.asarray(self.preparation.targets(self.rows))
        #: The shape of a row as an image, if the rows are images.
        self.image = _image(self.preparation, self.rows)

    def title(self) -> str:
        """The title of the section, which says which rows these are."""
        n = len(self.t)
        if self.judged.which == "all":
            return _n("On {n:,} row", "On {n:,} rows", n).said(self.lang)
        return (
            _n("On the {n:,} row held out", "On the {n:,} rows held out", n)
            if self.held_out
            else _n("On the {n:,} row trained on", "On the {n:,} rows trained on", n)
        ).said(self.lang)

    def warning(self) -> str:
        """The comparison with the baselines; or the warning that no rows were held out."""
        if self.judged.which == "training":
            return self.dim(_("No rows were held out, so this says little about new ones."))
        return "".join(self.dim(line) for line in self.comparison() if line)

    def dim(self, words: Text) -> str:
        """A sentence in a paragraph of small grey text."""
        return f"<p class=dim>{text(words.said(self.lang))}</p>"

    def comparison(self) -> list[Text]:
        """The scores of the baselines, and the verdict."""
        if self.judged.compared is None:
            return [sentences(*self.judged.verdict)]
        classes = bool(self.preparation.classes)
        constant, linear = (
            "-" if score is None else f"{score:.1%}" if classes else f"{score:.4f}"
            for score in self.judged.compared
        )
        scores_text = _(
            "To compare: {linear} by a linear model, {constant} by the same answer for every row.",
            linear=linear,
            constant=constant,
        )
        return [scores_text, sentences(*self.judged.verdict)]

    def line(self, row: int) -> Text:
        """The line of a row in its file, or its number in the whole table."""
        return self.judged.table.line_of(int(self.judged.indices[row]))

    def location(self, row: int) -> Html:
        """The same as HTML that stays on one line."""
        return Html(f"<span class=fixed>{text(in_language(self.line(row), self.lang))}</span>")

    def cells(self, row: int, most: int = CELLS) -> list[str]:
        """The first cells of a row."""
        columns = self.preparation.columns[:most]
        return [cell_text(self.rows, name, row, self.preparation) for name in columns]

    def columns(self, most: int = CELLS) -> list[str]:
        """The names of those columns."""
        return list(self.preparation.columns[:most])


class Classes(Evaluation):
    """The evaluation of a classifier."""

    def __init__(self, judged: Judged, lang: str) -> None:
        super().__init__(judged, lang)
        self.classes: Sequence[object] = judged.preparation.classes or ()
        self.ids = np.asarray(self.judged.network.classify(self.x))
        self.shares = self.judged.network.predict_proba(self.x)
        self.counts = confusion_matrix(self.ids, self.t, len(self.classes))

    def headline(self) -> tuple[str, str]:
        """The number at the top."""
        name = in_language(metric_name(NAMES["accuracy"], self.held_out), self.lang)
        return f"{np.trace(self.counts) / len(self.t):.1%}", name

    def parts(self) -> list[str]:
        """Accuracy, the confusion matrix, and a table of the classes."""
        right = int(np.trace(self.counts))
        accuracy = _(
            "{right:,} of {count:,} answers are right: {part:.1%}.",
            right=right,
            count=len(self.t),
            part=right / len(self.t),
        )
        matrix = draw_confusion(self.counts, self.classes, lang=self.lang)
        label = _("confusion matrix").said(self.lang)
        return [
            f"<p>{text(accuracy.said(self.lang))}</p>",
            self.warning(),
            beside(picture(matrix, "confusion", label), self.each()),
        ]

    def each(self) -> Html:
        """Precision and recall of every class."""
        body = [
            (name, f"{c.rows:,}", _percent(c.recall), _percent(c.precision))
            for name, c in zip(self.classes, class_scores(self.counts), strict=True)
        ]
        columns = (_("rows"), _("found (recall)"), _("right when said (precision)"))
        heads = [self.preparation.target, *(head.said(self.lang) for head in columns)]
        return table(heads, body)

    def hardest(self, count: int = WORST) -> list[int]:
        """The rows whose true class got the lowest probability."""
        truth = self.shares[np.arange(len(self.t)), self.t]
        order: list[int] = np.argsort(truth, kind="stable")[:count].tolist()
        return order

    def answer(self, row: int) -> Text:
        """What was said of a row, and what it is."""
        said, true = (self.classes[k] for k in (self.ids[row], self.t[row]))
        share = self.shares[row, self.ids[row]]
        if self.ids[row] == self.t[row]:
            return _("{share:.1%} {label}, and so it is", share=share, label=said)
        return _("{share:.1%} {label}, and it is {true}", share=share, label=said, true=true)

    def worst(self) -> list[str]:
        """A table of the hardest rows."""
        order = self.hardest()
        words = _("The rows whose true class the network thought least probable.")
        parts = [self.dim(words)]
        if self.image is not None:
            parts.append(self._pictures(order, self.image))
        most = CELLS if self.image is None else 0
        share = _("probability")
        columns = (_p("column of a table", "row"), _p("column of a table", "it is"), share,
                _p("column of a table", "said"), share)  # fmt: skip
        heads = [head.said(self.lang) for head in columns]
        body = []
        for i in order:
            true, answer_id = self.t[i], self.ids[i]
            shares = [f"{self.shares[i, k]:.1%}" for k in (true, answer_id)]
            answer = text(self.classes[answer_id])
            if answer_id != true:
                answer = Html(f"<span class='verdict bad'>{answer} ✗</span>")
            answers = (self.classes[true], shares[0], answer, shares[1])
            body.append((self.location(i), *answers, *self.cells(i, most)))
        heads += self.columns(most)
        return [*parts, table(heads, body, left=len(heads))]

    def _pictures(self, order: list[int], shape: tuple[int, ...]) -> Html:
        rows = self.rows.rows(np.array(order)).matrix(list(self.preparation.columns))
        labels = [
            f"{label_of(self.classes[self.t[i]], 8)} → {label_of(self.classes[self.ids[i]], 8)}"
            for i in order
        ]
        across = 6
        figure, (ax,) = new_figure(width=1.1 * across, height=1.35 * -(-len(rows) // across))
        limits = float(np.nanmin(rows)), float(np.nanmax(rows))
        images = [row.reshape(shape) for row in rows]
        mosaic(ax, images, labels, across, cmap="Greys", limits=limits)
        return picture(finish(figure), "worst", _("The hardest rows").said(self.lang))


class Numbers(Evaluation):
    """The evaluation of a regression."""

    def __init__(self, judged: Judged, lang: str) -> None:
        super().__init__(judged, lang)
        y = np.asarray(judged.network.predict(self.x))
        self.predicted = self.preparation.inverse_transform(y).ravel()
        self.true = self.preparation.inverse_transform(self.t).ravel()

        self.scores = regression_scores(y, self.t, self.preparation.scale)

    def headline(self) -> tuple[str, str]:
        """The number at the top."""
        name = in_language(metric_name("R²", self.held_out), self.lang)
        return "-" if self.scores["r2"] is None else f"{self.scores['r2']:.4f}", name

    def parts(self) -> list[str]:
        """R², RMSE, MAE, and the residuals."""
        target = self.preparation.target
        pairs = [("R²", self.headline()[0])]
        for name, key in (("RMSE", "rmse"), ("MAE", "mae")):
            value = in_units(self.scores[key])
            words = _("{value} in units of {target}", value=value, target=target)
            pairs.append((name, words.said(self.lang)))
        figure = draw_residuals(self.predicted, self.true, target, lang=self.lang)
        label = _("residuals").said(self.lang)
        return [facts(pairs), self.warning(), picture(figure, "residuals", label)]

    def hardest(self, count: int = WORST) -> list[int]:
        """The rows with the largest errors."""
        errors = np.abs(self.predicted - self.true)
        order: list[int] = np.argsort(-errors, kind="stable")[:count].tolist()
        return order

    def answer(self, row: int) -> Text:
        """What was said of a row, and what it is."""
        said, true = (f"{values[row]:.6g}" for values in (self.predicted, self.true))
        return _("{said}, and it is {true}", said=said, true=true)

    def worst(self) -> list[str]:
        """A table of the hardest rows."""
        wrong, order = self.predicted - self.true, self.hardest()
        columns = (_p("column of a table", "row"), _p("column of a table", "it is"),
                _p("column of a table", "said"), _("said − true"))  # fmt: skip
        heads = [*(head.said(self.lang) for head in columns), *self.columns()]
        body = [
            (self.location(i), f"{self.true[i]:.6g}", f"{self.predicted[i]:.6g}",
             f"{wrong[i]:+.6g}".replace("-", "−"), *self.cells(i))
            for i in order
        ]  # fmt: skip
        words = _("The rows with the largest errors.")
        return [self.dim(words), table(heads, body, left=len(heads))]


def evaluation_of(judged: Judged, lang: str) -> Classes | Numbers:
    """The evaluation of a classifier or of a regression."""
    return Classes(judged, lang) if judged.preparation.classes else Numbers(judged, lang)


def _image(preparation: Preprocessor, rows: Table) -> tuple[int, ...] | None:
    """The shape of a row as an image: a square of pixels p0, p1, …, none of them negative."""
    columns = list(preparation.columns)
    if (
        len(columns) != len(preparation.features)
        or len({c.rstrip("0123456789") for c in columns}) > 1
    ):
        return None
    shape = image_shape(len(columns))
    return shape if shape is not None and np.nanmin(rows.matrix(columns)) >= 0 else None


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{part:.1%}"
