"""The `chainrule` command. NumPy and the rooms are imported inside the commands, not here."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.cli.program import chainrule

__all__ = ["chainrule", "main"]


def __getattr__(name: str) -> Any:
    if name != "chainrule":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from chainrule.cli.program import chainrule

    return chainrule


def main() -> None:
    """Run the command with the arguments of the process, and exit."""
    # The products here are small: several threads only make them slower, ruinously so on a busy
    # machine, and the bits of a model would depend on their number. Before NumPy is imported.
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    try:
        from chainrule.cli.program import chainrule
    except KeyboardInterrupt:  # pressed before there is a program to tell of it
        sys.exit(130)
    chainrule.main()
