"""Faults of ours: the log has them in full, people are told a number to find them by."""

from __future__ import annotations

import logging
import secrets

from chainrule.lang.messages import Text, _

__all__ = ["fault"]

log = logging.getLogger("chainrule.playground")


def fault() -> Text:
    """Log the exception that is being handled; the sentence for who met it, with its number."""
    number = secrets.token_hex(4)
    log.exception("error %s", number)
    return _(
        "chainrule itself failed (error {number}). Its terminal says more; please report what it says.",
        number=number,
    )
