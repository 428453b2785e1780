"""Every case says where it was seen: `@pytest.mark.source("project #number", ...)`."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    without = [
        item.nodeid
        for item in items
        if HERE in item.path.parents and not any(m.args for m in item.iter_markers("source"))
    ]
    if without:
        raise pytest.UsageError(
            'Every case of strangers says where it was seen: @pytest.mark.source("project #number").'
            f" Without: {', '.join(without)}."
        )
