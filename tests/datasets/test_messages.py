"""What is said of tables and preparations, in Chinese, on the page, and after a model was loaded."""

from __future__ import annotations

import copy
import json
import pickle
import re
from collections.abc import Iterator
from typing import Any

import pytest

from chainrule.datasets import Preprocessor, Table, parse_csv
from chainrule.datasets.note_json import message_from_json, message_to_json
from chainrule.datasets.remarks import READ
from chainrule.datasets.wording import topic_of
from chainrule.lang.messages import Text, in_language

#: Names and cells of the tables below, and what is written alike in both languages.
ALIKE = r"“[^”]*”|（[^（）]*）|--[\w-]+ \S+|\bNULL\b|\b[xc]\d+\b|\b[abt]\b"


def many(odd: str, name: str = "w") -> bytes:
    lines = (f'"{odd if i % 10 == 0 else i}",{i % 2}\n' for i in range(30))
    return f"{name},t\n{''.join(lines)}".encode()


def with_gaps() -> bytes:
    rows = [["" if (i + j) % 7 == 0 else str(i * j) for j in range(30)] for i in range(9)]
    return "\n".join(",".join(row) for row in ([f"c{j}" for j in range(30)], *rows)).encode()


ODD = ("1,5", "1.234,5", "$12", "300k", "(34.44)", "<0.5", "34*", "1'234", '=""34""', "inf", "oops")
TABLES: list[tuple[bytes, dict[str, Any]]] = [
    *((many(odd), {}) for odd in ODD),
    (many("NULL"), {}),
    (many("oops"), {"kinds": {"w": "number"}}),
    (b"d,t\nsoon,0\n1/2/2024,1\n2/3/2024,0\n", {"kinds": {"d": "date"}}),
    (b"d,t\n2024-01-31,1\n2024-02-01,2\n", {}),
    (b"id,t\n99999999999999999999,1\n99999999999999999998,2\n", {}),
    (b"w,t\n12 kg,1\n13 lb,2\n14 kg,3\n", {}),
    (b"zip;t\n01234;1\n02345;2\n02345;1\n", {}),
    (b"a;t\n" + b"".join(b"1,%d23;%d\n" % (i, i % 2) for i in range(9)), {}),
    (b" a , a,t,\n1,2,0,\n\n# so\n3,,1\n4,5,0,,\n5,6\n", {}),
    (b"x\n\n5,6\n7,8\n", {}),
    (b"t,b,c,d\n1,,x,5\n2,,x,6\n", {}),
    (b"2020,2021\n-5,1\n7,2\n", {}),
    (b"a,t\n" + b"".join(b"%s,%d\n" % (b"few" if i % 9 else b"%d" % i, i % 2) for i in range(99)), {}),
    (b"a,t\n" + b"".join(b"w%d,%d\n" % (i, i % 2) for i in range(99)), {}),
    (with_gaps(), {}),
]  # fmt: skip


def notes() -> Iterator[Any]:
    for data, options in TABLES:
        table = parse_csv(data, "f.csv", **options)
        yield from table.notes
        if "t" in table and not table.missing("t").any() and len(table.names) > 2:
            yield from Preprocessor.fit(table, "t").notes


def test_every_note_is_said_in_chinese_and_on_the_page() -> None:
    said = list(notes())
    for note in said:
        assert isinstance(note, Text), note
        chinese = re.sub(ALIKE, "", in_language(note, "zh", "command"))
        assert re.search("[一-鿿]", chinese), note
        assert not re.search("[A-Za-z]{2}", chinese), chinese
        assert "--" not in in_language(note, "en", "page")
        assert "--" not in in_language(note, "zh", "page")
        assert "header=" not in in_language(note, "en", "command")
        assert set(re.findall(r"\d+", note)) == set(re.findall(r"\d+", in_language(note, "zh")))
        assert in_language(pickle.loads(pickle.dumps(note)), "zh") == in_language(note, "zh")
    assert len(set(said)) > 40
    parts = [note.values["cells"] for note in said if "cells" in getattr(note, "values", ())]
    templates = {part.template for part in parts}
    assert {clause(1, said[0]).template for clause in READ.values()} <= templates


def test_notes_say_what_they_are_about() -> None:
    table = parse_csv(b"a;b;c\n1;;x\n2;5;x\n3;;x\n", "f.csv")
    assert [topic_of(note) for note in table.notes] == ["layout", "gaps", "constants"]
    more = parse_csv(b"1.5,2\n3,\n4,7\n", "f.csv")
    assert [topic_of(note) for note in more.rows([0]).notes] == ["layout", "gaps"]
    assert topic_of(pickle.loads(pickle.dumps(table)).notes[1]) == "gaps"


def prepared() -> Preprocessor:
    text = "n,s,w,k\n" + "".join(
        f"{'' if i % 5 == 0 else i},{'xyz'[i % 3]},{'few' if i % 9 == 0 else i},{i % 2}\n"
        for i in range(40)
    )
    return Preprocessor.fit(parse_csv(text.encode(), "f.csv"), "k")


def test_notes_of_a_loaded_preparation_are_said_in_chinese() -> None:
    first = prepared()
    again = Preprocessor.from_json(json.loads(json.dumps(first.to_json())))
    assert [*map(type, first.to_json()["notes"])] == [str] * len(first.notes)
    for before, after in zip(first.notes, again.notes, strict=True):
        assert after == before
        assert in_language(after, "zh") == in_language(before, "zh") != before
    data = first.to_json()
    del data["messages"]
    assert Preprocessor.from_json(data).notes == first.notes


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(data, dict | list):
        for key in data if isinstance(data, dict) else range(len(data)):
            yield from places(data[key], (*path, key))


@pytest.mark.parametrize("odd", [None, 7, "", "{n:>999999999}", "{x.y}", "{", [], {}, {"parts": 3}])
def test_a_damaged_message_is_its_english_note(odd: Any) -> None:
    data = prepared().to_json()
    for *path, key in places(data["messages"]):
        damaged = copy.deepcopy(data)
        place: Any = damaged["messages"]
        for step in path:
            place = place[step]
        place[key] = odd
        loaded = Preprocessor.from_json(damaged)
        assert list(map(str, loaded.notes)) == data["notes"]
        assert all(in_language(note, "zh") for note in loaded.notes)


def test_a_message_that_grows_is_not_made() -> None:
    bomb: Any = "lol"
    for _ in range(60):
        bomb = {"template": "{a}{a}", "values": {"a": bomb}}
    assert message_from_json(bomb, "lol" * 4) == "lol" * 4
    assert message_to_json(message_from_json(bomb["values"], "lol")) == "lol"


def test_places_and_names_have_the_quotes_of_the_language() -> None:
    table = parse_csv(b"it's,b\n1,2\n", "f.csv")
    assert table.location_of(0, "it's") == 'f.csv:2, column "it\'s"'
    assert table.location_of(0, "it's").said("zh") == "f.csv，第 2 行，“it's”列"
    odd = Table({"a\x1b[2J": [1]})
    assert "\x1b" not in odd.location_of(0, "a\x1b[2J").said("zh")
