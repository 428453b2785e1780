"""`python -m chainrule.cli.as_rank HOST:PATH WORDS...`: the command, as a process of a job."""

from __future__ import annotations

import sys
from typing import Any

from chainrule.cli import main as run_command
from chainrule.cli.rank import enter, say

__all__ = ["main"]


def main() -> None:
    """Run the command, and say how it ended."""
    enter(sys.argv.pop(1))
    code: Any = 70
    try:
        run_command()
    except SystemExit as ended:
        code = ended.code or 0
        raise
    finally:
        say(done=code)


if __name__ == "__main__":
    main()
