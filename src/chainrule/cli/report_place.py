"""Where `--report` goes, looked at before the work begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chainrule.atomic_write import check_place
from chainrule.cli.places import keep_apart
from chainrule.errors import ExtraMissingError, SettingError
from chainrule.lang.messages import Text, _

if TYPE_CHECKING:
    from chainrule.datasets import Table

__all__ = ["check_in_memory", "check_report"]


def check_report(path: str, force: bool, others: Mapping[Text, str | None]) -> None:
    """Refuse a report that could not be drawn or written; `others` as for `keep_apart`."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ExtraMissingError(
            _(
                "--report draws with matplotlib, which is in the extra [draw]: {command}.",
                command="pip install 'chainrule[draw]'",
            )
        ) from None
    check_place(path, overwrite=force)
    keep_apart("--report", path, others)
    if not path.lower().endswith((".html", ".htm")):
        raise SettingError(
            _(
                "--report {file}: a report is a page of HTML. Give a name that ends in .html.",
                file=path,
            )
        )


def check_in_memory(path: str, table: Table) -> None:
    """Refuse to draw a report of a table that is larger than memory."""
    if table.on_disk:
        raise SettingError(
            _(
                "--report {file}: the table is larger than memory, and a report is drawn of one in memory."
                " Leave the option out.",
                file=path,
            )
        )
