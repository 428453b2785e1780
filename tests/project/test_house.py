"""The law of the house: rooms look down, and no two modules need each other."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from tests.project.house import FLOOR, FLOORS, UP, Arrow, arrows, circles, modules, room

import chainrule

ROOT = Path(chainrule.__file__).parent


@functools.cache
def all_arrows() -> list[Arrow]:
    """Those of the whole house, which take seconds to find: only for a test that asks."""
    return arrows(ROOT)


def upward(found: list[Arrow]) -> list[Arrow]:
    """The arrows to a higher floor, or to another room on the same."""
    return [
        a
        for a in found
        if room(a.at) != room(a.to) and FLOOR.get(room(a.to), -1) >= FLOOR.get(room(a.at), 99)
    ]


def test_every_file_has_a_room() -> None:
    assert {room(name) for name in modules(ROOT)} == set(FLOOR)


def test_rooms_look_down() -> None:
    wrong = [a for a in upward(all_arrows()) if (a.at, room(a.to)) not in UP]
    assert not wrong, "\n".join(map(str, wrong))


def test_the_exceptions_are_few_and_in_use() -> None:
    assert len(UP) <= 4
    assert {(a.at, room(a.to)) for a in upward(all_arrows())} == set(UP)


def test_no_modules_need_each_other() -> None:
    """But for the circles that the exceptions make."""
    down = [a for a in all_arrows() if (a.at, room(a.to)) not in UP]
    assert not [c for c in circles(down) if not in_one_core(c)], circles(down)
    assert max(map(len, circles(all_arrows()))) <= 20


def in_one_core(circle: list[str]) -> bool:
    """Whether a circle is of the graph: a Variable knows its graph, and a graph its Variables."""
    return {"graph.variable", "graph.graph"} <= set(circle)


def test_the_documents_name_the_same_order() -> None:
    """The design has a row for each floor; README and CONTRIBUTING name them in a sentence."""
    folder, floors = ROOT.parents[1], [rooms for rooms in FLOORS if rooms[0][0] != "_"]
    design = (folder / "docs/design.md").read_text("utf-8").splitlines()
    rows = [line.split("|")[1].split("`")[1::2] for line in design if line.startswith("| `")]
    assert rows == floors
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (folder / name).read_text("utf-8")
        sentence = text[text.index("`lang` `version`") :].partition("`cli`")[0] + "`cli`"
        assert [part.split("`")[1::2] for part in sentence.split("|")] == floors, name


# -- the test of the test -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("graph/new.py", "from chainrule.layers import Affine", "layers"),
        ("graph/new.py", "from chainrule import layers", "layers"),
        ("graph/new.py", "import chainrule.layers.base", "layers.base"),
        ("graph/new.py", "def f():\n    from chainrule.layers import Affine", "layers"),
        ("graph/new.py", "if TYPE_CHECKING:\n    from chainrule.layers import Affine", "layers"),
        ("graph/new.py", "from ..layers import Affine", "layers"),
        ("drawing/new.py", "from chainrule.engine import trace", "engine.trace"),
        ("errors.py", "from chainrule import settings", "settings"),
        ("graph/new.py", "import chainrule", "__init__"),
    ],
)
def test_an_arrow_up_is_seen(tmp_path: Path, file: str, text: str, said: str) -> None:
    house = tmp_path / "chainrule"
    for name in ("__init__.py", "settings.py", "errors.py"):
        house.mkdir(exist_ok=True)
        (house / name).write_text("")
    for name in ("graph", "layers", "engine", "drawing"):
        (house / name).mkdir()
        (house / name / "__init__.py").write_text("")
    (house / "layers/base.py").write_text("")
    (house / "engine/trace.py").write_text("")
    (house / file).write_text(text)
    assert [a.to for a in upward(arrows(house))] == [said]


def test_a_file_without_a_room_is_seen(tmp_path: Path) -> None:
    (tmp_path / "attic.py").write_text("")
    assert {room(name) for name in modules(tmp_path)} - set(FLOOR) == {"attic"}


def test_circles_are_found() -> None:
    found = [Arrow("a", "b", 1), Arrow("b", "c", 1), Arrow("c", "a", 1), Arrow("c", "d", 1)]
    assert circles(found) == [["a", "b", "c"]]
