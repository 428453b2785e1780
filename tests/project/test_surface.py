"""What people build on changes only on purpose: then `python -m tests.project.surface` writes it anew."""

from __future__ import annotations

import difflib
import importlib
import pkgutil

import pytest
from tests.project.surface import GOLDEN, lines

import chainrule as cr


def test_the_public_surface_is_as_it_was() -> None:
    kept = GOLDEN.read_text("utf-8").splitlines()
    changes = [line for line in difflib.ndiff(kept, list(lines())) if line[0] in "+-"]
    how = "the public surface has changed; if that is meant: python -m tests.project.surface"
    assert not changes, "\n".join([how, *changes])


def test_what_users_subclass_shows_only_what_they_may_touch() -> None:
    most = {cr.Layer: 17, cr.Network: 22, cr.Optimizer: 11, cr.nodes.Node: 22, cr.Callback: 6}
    for kind, count in most.items():
        assert len([name for name in dir(kind) if not name.startswith("_")]) <= count, kind


#: Classes that only the room itself makes: of Dropout's counters, and around a hand-written layer.
INSIDE = {"chainrule.nodes.random", "chainrule.layers.opaque"}


@pytest.mark.parametrize("room", ["nodes", "layers"])
def test_what_a_file_of_a_room_makes_public_the_room_does(room: str) -> None:
    package = importlib.import_module(f"chainrule.{room}")
    base = {"nodes": cr.nodes.Node, "layers": cr.Layer}[room]
    for file in pkgutil.iter_modules(package.__path__, f"chainrule.{room}."):
        module = importlib.import_module(file.name)
        if file.name in INSIDE:
            continue
        for name in module.__all__:
            kind = getattr(module, name)
            if name[0] != "_" and isinstance(kind, type) and issubclass(kind, base):
                assert name in package.__all__, f"{name} of {file.name} is not in chainrule.{room}"
                if room == "layers":
                    assert getattr(cr, name) is kind
