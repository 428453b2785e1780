"""`python -m chainrule.cli` is the command, too."""

from __future__ import annotations

from chainrule.cli import main

main()
