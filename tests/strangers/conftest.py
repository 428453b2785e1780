"""Every case says where it was seen: `@pytest.mark.source("project #number", ...)`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent) + os.sep


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    without = [
        item.nodeid
        for item in items
        if str(item.path).startswith(HERE) and not any(m.args for m in item.iter_markers("source"))
    ]
    if without:
        raise pytest.UsageError(
            'Every case of strangers says where it was seen: @pytest.mark.source("project #number").'
            f" Without: {', '.join(without)}."
        )
