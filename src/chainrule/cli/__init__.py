"""The `chainrule` command. NumPy and the rooms are imported inside the commands, not here."""

from __future__ import annotations

from chainrule.cli.program import chainrule

__all__ = ["chainrule", "main"]


def main() -> None:
    """Run the command with the arguments of the process, and exit."""
    chainrule.main()
