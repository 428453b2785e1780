"""What people build on changes only on purpose: then `python -m tests.project.surface` writes it anew."""

from __future__ import annotations

import difflib

from tests.project.surface import GOLDEN, lines

import chainrule as cr


def test_the_public_surface_is_as_it_was() -> None:
    kept = GOLDEN.read_text("utf-8").splitlines()
    changes = [line for line in difflib.ndiff(kept, list(lines())) if line[0] in "+-"]
    assert not changes, "\n".join(changes)


def test_what_users_subclass_shows_only_what_they_may_touch() -> None:
    most = {cr.Layer: 17, cr.Network: 20, cr.Optimizer: 11, cr.nodes.Node: 22, cr.Callback: 4}
    for kind, count in most.items():
        assert len([name for name in dir(kind) if not name.startswith("_")]) <= count, kind
