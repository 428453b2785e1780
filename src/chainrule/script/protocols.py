"""What a predicting program is written of: a network with the preparation of its data."""

from __future__ import annotations

from typing import Any, Protocol

from chainrule.datasets.preprocessing import Preprocessor
from chainrule.engine.protocols import RecordableNetwork

__all__ = ["WritableModel"]


class WritableModel(Protocol):
    """A network with the preparation of its data, and facts about its training."""

    @property
    def network(self) -> RecordableNetwork:
        """What predicts."""

    @property
    def preparation(self) -> Preprocessor | None:
        """How rows of a table become its inputs."""

    @property
    def facts(self) -> dict[str, Any]:
        """About its training."""

    @property
    def classifies(self) -> bool:
        """Whether it predicts classes."""
