"""What the tests of several commands share."""

from __future__ import annotations

import pytest

from chainrule.plots import explained


@pytest.fixture
def short_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports with every section, but one row and one column explained: half of the pictures."""
    monkeypatch.setattr(explained, "ROWS", 1)
    monkeypatch.setattr(explained, "DEPENDENCES", 1)
