"""Running the command inside the tests, as a person would type it."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from chainrule.cli import chainrule

__all__ = ["as_json", "good", "run"]


def run(*args: str) -> Result:
    return CliRunner().invoke(chainrule, args)


def good(*args: str) -> str:
    result = run(*args)
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(*args: str) -> Any:
    out = good(*args, "--json")
    assert out.count("\n") == 1
    return json.loads(out)
