"""The `chainrule` command. NumPy and the rooms are imported inside the commands, not here."""

from __future__ import annotations

import os

from chainrule.cli.program import chainrule

__all__ = ["chainrule", "main"]


def main() -> None:
    """Run the command with the arguments of the process, and exit."""
    # The products here are small: several threads only make them slower, ruinously so on a busy
    # machine, and the bits of a model would depend on their number. Before NumPy is imported.
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    chainrule.main()
