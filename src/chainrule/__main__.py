"""`python -m chainrule` is the command."""

from __future__ import annotations

from chainrule.cli import main

main()
