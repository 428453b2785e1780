"""The protocol of models that can be written as a predicting program."""

from __future__ import annotations

from typing import Any, Protocol

from chainrule.datasets.preprocessing import Preprocessor
from chainrule.engine.protocols import RecordableNetwork

__all__ = ["WritableModel"]


class WritableModel(Protocol):
    """A network with the preparation of its data, and facts about its training."""

    @property
    def network(self) -> RecordableNetwork:
        """The network."""

    @property
    def preparation(self) -> Preprocessor | None:
        """How rows of a table become inputs of the network; None if it takes arrays."""

    @property
    def facts(self) -> dict[str, Any]:
        """Facts about its training."""

    @property
    def classifies(self) -> bool:
        """Whether it predicts classes."""
