"""Optuna, which `chainrule tune` keeps its trials with: the extra `[tune]`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from chainrule.errors import ExtraMissingError
from chainrule.lang.messages import _

try:
    import optuna
    import sqlalchemy
except ImportError:
    raise ExtraMissingError(
        _(
            "tuning needs Optuna, which is in the extra [tune]: {command}.",
            command="pip install 'chainrule[tune]'",
        )
    ) from None

__all__ = ["optuna", "quiet_optuna", "sqlalchemy"]


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Within it, Optuna says nothing: what there is to say, the command says."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
