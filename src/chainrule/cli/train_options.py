"""The options of one `chainrule train`, and which preset they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chainrule.cli.data_options import DataOptions
from chainrule.datasets import Table
from chainrule.errors import SettingError
from chainrule.lang.messages import Text, _, listed
from chainrule.training.presets import PLAIN
from chainrule.training.rivals import TABLE_FROM, TRIED_TO, presets_for

__all__ = ["TrainOptions"]

#: More numbers than this are pixels or samples, alike and many: the plain network is taken for them.
MANY_NUMBERS = 256


@dataclass(frozen=True)
class TrainOptions:
    """The options as they were given; None where the preset's own setting is taken."""

    data: str
    target: str | None
    without: tuple[str, ...]
    out: str | None
    force: bool
    preset: str
    ensemble: int
    drawn: bool
    hidden: tuple[int, ...] | None
    activation: str | None
    optimizer: str | None
    lr: float | None
    schedule: str | None
    epochs: int | None
    batch_size: int | None
    validation: float
    patience: int | None
    weight_decay: float | None
    l2: float | None
    dropout: float | None
    label_smoothing: float | None
    beta2: float | None
    sigma: float | None
    task: Literal["auto", "classification", "regression"]
    missing: str
    read_as: DataOptions
    seed: int
    engine: str
    threads: int | None
    report: str | None
    #: The command as it was typed, for the report.
    command: list[str]
    ranks: int = 1
    reproducible: bool = False
    max_restarts: int = 0
    rank_timeout: float = 300.0

    def plain_options(self) -> list[str]:
        """The options that were given and that only the plain preset has."""
        given = {
            "--activation": self.activation is not None,
            "--optimizer": self.optimizer is not None,
            "--schedule": self.schedule is not None,
            "--l2": self.l2 is not None,
            "--hidden none": self.hidden == (),
        }
        return [option for option, is_given in given.items() if is_given]

    def table_options(self) -> list[str]:
        """The options that were given and that the plain preset does not have."""
        given = {"--beta2": self.beta2 is not None, "--sigma": self.sigma is not None}
        return [option for option, is_given in given.items() if is_given]

    def settings_given(self) -> bool:
        """Whether a setting of the network or of its training was given."""
        settings = (
            self.hidden, self.lr, self.epochs, self.batch_size, self.patience,
            self.weight_decay, self.dropout, self.label_smoothing,
        )  # fmt: skip
        return self.ensemble > 1 or any(setting is not None for setting in settings)

    def presets_for(self, table: Table, rivals: bool = True) -> tuple[tuple[str, ...], Text | None]:
        """The preset for the training rows of a table, or two to be tried; and why, if it was not asked for.

        With few rows the plain preset, whose decay is chosen by cross-validation, was as good or better
        on nearly all tables that were tried, and took a small part of the time. `rivals`: whether two
        may be tried.

        Raises:
            SettingError: an option that the preset asked for does not have.
        """
        own, tables = self.plain_options(), self.table_options()
        self._refuse_unfit(own, tables)
        if self.preset != "auto":
            return (self.preset,), None
        if own or tables:
            preset = PLAIN if own else "table"
            return (preset,), _(
                "--preset {preset}, since {options} was given.",
                preset=preset,
                options=listed(own or tables, "and"),
            )
        found = presets_for(len(table), one=not rivals or self.settings_given())
        if len(table) > TRIED_TO:
            return found, _(
                "--preset plain, since there are more than {most:,} rows to train on. --preset table may be"
                " better, and takes long.",
                most=TRIED_TO,
            )
        numbers = sum(table.kind(name) != "text" for name in table.names) - 1
        if found != (PLAIN,) and numbers > MANY_NUMBERS:
            return (PLAIN,), _(
                "--preset plain, since {count:,} columns of numbers are pixels or samples, not a table's.",
                count=numbers,
            )
        if len(found) > 1:
            return found, _(
                "Two presets are tried, plain and table: a fifth of the rows to train on is left out, and"
                " says which is kept. --preset takes one alone."
            )
        if found == (PLAIN,):
            return found, None
        return found, _("--preset table, since there are {least:,} rows or more.", least=TABLE_FROM)

    def _refuse_unfit(self, own: list[str], tables: list[str]) -> None:
        """Raise if an option was given that the preset asked for, or another option, does not go with."""
        if self.preset not in ("auto", PLAIN) and own:
            raise SettingError(
                _(
                    "--preset {preset} has no {options}: that is for --preset plain.",
                    preset=self.preset,
                    options=listed(own, "and"),
                )
            )
        if tables and (self.preset == PLAIN or (own and self.preset == "auto")):
            raise SettingError(
                _(
                    "{options} is for --preset table, and the preset is plain ({why}). Leave one out.",
                    options=listed(tables, "and"),
                    why=listed(own, "and") if own else "--preset plain",
                )
            )
        if self.preset == "table-small" and self.sigma is not None:
            raise SettingError(
                _("--preset table-small has no --sigma: its numbers become no waves.")
            )
