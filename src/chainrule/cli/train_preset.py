"""`chainrule train --preset table`: a network with pre-tuned settings, as `training.presets` has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.cli.interrupt import CtrlC
from chainrule.cli.model_and_data import Facts
from chainrule.cli.train_ways import Array, Outcome, Rows, Way, check_memory, layers_and_width
from chainrule.lang.messages import Text, _
from chainrule.optimizers import Optimizer
from chainrule.training import PRESETS
from chainrule.training.presets import (
    BEST_EPOCH_BY,
    EMBEDDING,
    FEW_ROWS,
    VALUES,
    best_epoch,
)

__all__ = ["SmallTableWay", "TableWay"]


class TableWay(Way):
    """The preset `table`, with the settings that were given in place of its own."""

    drop_last = True
    name = "table"
    held_out_chooses = False
    encoding = PRESETS["table"].encoding

    def _build(self, x: Array) -> None:
        options, task = self.options, self.preparation.task
        self.preset = PRESETS[self.name].with_settings(
            task,
            hidden=options.hidden,
            dropout=options.dropout,
            weight_decay=options.weight_decay,
            label_smoothing=options.label_smoothing,
            beta2=options.beta2,
            sigma=options.sigma,
            epochs=options.epochs,
            batch_size=options.batch_size,
            lr=options.lr,
        )
        self.epochs, self.lr = self.preset.epochs, self.preset.lr[task]
        self.batch_size = min(self.preset.batch_size, self.count)
        layout = self.preparation.layout
        width = x.shape[1] + layout.columns * (EMBEDDING - 1)
        width += layout.numbers * (VALUES - 1) * self.preset.embeds
        check_memory(self.preset.hidden, self._parameters(width) * options.ensemble)
        #: The preset with the settings of each network.
        self.presets = [self.preset.with_settings(task, **own) for own in self.drawn]
        self.networks = [
            preset.network(
                x, outputs=self.outputs, layout=layout, task=task, rows=self.trained, seed=seed
            )
            for preset, (seed, _) in zip(self.presets, self.seeds, strict=True)
        ]

    def _parameters(self, width: int) -> int:
        count = 0
        for size in (*self.preset.hidden, self.outputs):
            count, width = count + (width + 1) * size, size
        return count

    def _optimizer(self) -> Optimizer:
        return self._optimizers()[0]

    def _optimizers(self) -> list[Optimizer]:
        task = self.preparation.task
        return [preset.optimizer(self.trained, task=task) for preset in self.presets]

    def network_line(self) -> Text:
        """The network in a line."""
        inputs, outputs, parameters = self.inputs_and_outputs()
        return _(
            "preset {preset}: {inputs} → {hidden} → {outputs}; {parameters}",
            preset=self.name,
            inputs=inputs,
            hidden=" → ".join(map(str, self.preset.hidden)),
            outputs=outputs,
            parameters=parameters,
        )

    def training_lines(self) -> Sequence[Text]:
        """The training in a line or two."""
        lines = [self.epochs_and_steps(type(self.trainer.optimizer).__name__)]
        if self.chosen_by:
            lines.append(
                _(
                    "the best epoch is kept, by {part:.0%} of these rows, which are not trained on",
                    part=self.chosen_by,
                )
            )
        return lines

    @property
    def chosen_by(self) -> float:
        """The part of the training rows that chooses the epoch to keep; 0 where rows are few."""
        return BEST_EPOCH_BY if self.count >= FEW_ROWS else 0.0

    def values(self) -> dict[str, Any]:
        """The settings, by the names of their ranges."""
        preset = self.preset
        return {
            **layers_and_width(preset.hidden),
            "lr": self.lr,
            "dropout": preset.dropout,
            "weight_decay": preset.weight_decay,
            "beta2": preset.beta2,
            "sigma": preset.sigma,
            "label_smoothing": preset.label_smoothing,
        }

    def facts(self) -> Facts:
        """How training is set up."""
        preset = self.preset
        return {
            "preset": self.name,
            "ensemble": self.options.ensemble,
            "hidden": list(preset.hidden),
            "lr": self.lr,
            "batch_size": self.batch_size,
            "dropout": preset.dropout,
            "weight_decay": preset.weight_decay,
            "label_smoothing": preset.label_smoothing if self.preparation.classes else None,
            "beta2": preset.beta2,
            "sigma": preset.sigma if preset.embeds else None,
            "seed": self.options.seed,
        }

    def train(
        self, rows: Rows, validation: Rows | None, progress: str | None, ctrl_c: CtrlC
    ) -> Outcome:
        """Train for all epochs, and keep the best one by a part of the training rows.

        The rows held out stay apart from that, so that their score is that of new rows.
        """
        by, stopping = self.chosen_by or None, None
        if by is not None:
            stopping = best_epoch(bool(self.preparation.classes), self.options.patience)
        history = self.fit(rows, by, self.epochs, stopping, progress, ctrl_c)
        facts: Facts = {"best_epoch_by": by}
        if self.chosen is None:
            return Outcome(history, self.epochs, facts=facts)
        return Outcome(history, self.epochs, (self.chosen.line,), facts | self.chosen.facts)

    def train_by(self, rows: Rows, left_out: Rows, progress: str | None, ctrl_c: CtrlC) -> Outcome:
        """Train on some of the training rows, and keep the best epoch by the others."""
        stopping = best_epoch(bool(self.preparation.classes))
        history = self.fit(rows, left_out, self.epochs, stopping, progress, ctrl_c)
        return Outcome(history, self.epochs, facts={"best_epoch_by": BEST_EPOCH_BY})


class SmallTableWay(TableWay):
    """The preset `table-small`."""

    name = "table-small"
    encoding = PRESETS["table-small"].encoding
