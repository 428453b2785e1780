"""A `Preprocessor` as JSON in a model file: its rules written and read, and a check for errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from chainrule.datasets.forms import Form
from chainrule.datasets.parts import (
    DATE_PARTS,
    CodeColumn,
    FlagColumn,
    NumberColumn,
    Part,
    TextColumn,
    WordColumn,
)
from chainrule.errors import shown
from chainrule.lang.messages import Text, _, listed

__all__ = ["VERSION", "check_json", "part_from_json", "part_to_json"]

#: Version 1 had neither flags, codes, clipping, parts of dates nor limits; it is read, too.
VERSION = 2
_KINDS: dict[type[Part], str] = {
    NumberColumn: "number",
    FlagColumn: "flag",
    TextColumn: "text",
    WordColumn: "words",
    CodeColumn: "code",
}


def part_to_json(part: Part) -> dict[str, object]:
    """The rule for one column as plain numbers, texts and lists."""
    described = asdict(part)
    if isinstance(part, NumberColumn):
        described["mean"], described["std"] = described.pop("center"), described.pop("scale")
    lists = {key: list(value) for key, value in described.items() if isinstance(value, tuple)}
    return {"kind": _KINDS[type(part)], **described, **lists}


def part_from_json(column: Mapping[str, Any]) -> Part:
    """The rule that `part_to_json` wrote; `check_json` has checked it."""
    name, kind = column["name"], column["kind"]
    if kind == "number":
        mean, std, median = (float(column[key]) for key in ("mean", "std", "median"))
        form = Form(**(column.get("form") or {"kind": "number"}))
        clip = column.get("clip")
        return NumberColumn(
            name, mean, std, median, form, None if clip is None else float(clip), column.get("of")
        )
    if kind == "flag":
        return FlagColumn(name)
    categories = tuple(column["categories"])
    if kind == "code":
        values = tuple(map(float, column["values"]))
        return CodeColumn(name, categories, values, float(column["other"]), column["rows"])
    return (WordColumn if kind == "words" else TextColumn)(name, categories)


def check_json(data: object, problems: list[Text]) -> None:
    """Check what `Preprocessor.to_json` wrote; each error adds a sentence to `problems`."""
    keys = ("version", "target", "task", "classes", "center", "spread", "columns", "notes")
    if not _has_keys(data, keys, _("the whole"), problems, ("form", "messages", "limits")):
        return
    assert isinstance(data, Mapping)
    if data["version"] not in (1, VERSION) or type(data["version"]) is not int:
        known = _("{version} is known", version=VERSION)
        problems.append(_wrong("version", known, data["version"]))
    _is_name(data["target"], "target", problems)
    if data["task"] not in ("classification", "regression"):
        problems.append(_wrong("task", _("classification or regression"), data["task"]))
    _check_classes(data["classes"], data["task"], problems)
    _is_finite(data["center"], "center", problems)
    if _is_finite(data["spread"], "spread", problems) and not data["spread"] > 0:
        problems.append(_wrong("spread", _("a number above 0"), data["spread"]))
    _check_limits(data.get("limits"), problems)
    if not isinstance(data["notes"], list) or not all(isinstance(n, str) for n in data["notes"]):
        problems.append(_wrong("notes", _("a list of texts"), data["notes"]))
    elif "messages" in data and not _is_long(data["messages"], len(data["notes"])):
        problems.append(_wrong("messages", _("a list as long as notes"), data["messages"]))
    _check_form(data.get("form"), "form", problems)
    columns = data["columns"]
    if not isinstance(columns, list) or not columns:
        problems.append(_wrong("columns", _("a list that is not empty"), columns))
        return
    seen: set[str] = set()
    texts: dict[str, bool] = {}
    rows = 0
    for i, column in enumerate(columns):
        where = f"columns[{i}]"
        if _check_column(column, where, problems) is None:
            continue
        part = part_from_json(column)
        beside = "|" * isinstance(part, WordColumn)  # words stand beside a number's own column
        twice = [name for name in part.features if name + beside in seen]
        text = isinstance(part, TextColumn | CodeColumn) and not beside
        twice += [part.name] * (texts.setdefault(part.name, text) is not text)
        if twice or part.name == data["target"]:
            problems.append(
                _("{where}: {name} occurs twice", where=f"{where}.name", name=shown(part.name))
            )
        seen.update(name + beside for name in part.features)
        if isinstance(part, CodeColumn) and part.rows:
            places = (part.other, *part.values)
            if not all(rows <= n < rows + part.rows and n == int(n) for n in places):
                allowed = _(
                    "whole numbers from {first} to {last}", first=rows, last=rows + part.rows - 1
                )
                problems.append(_wrong(f"{where}.values", allowed, places[:9]))
            rows += part.rows
        elif rows:
            problems.append(_("{where}: row numbers come last", where=where))


def _check_limits(limits: object, problems: list[Text]) -> None:
    if limits is None:
        return
    good = isinstance(limits, list) and len(limits) == 2
    if not good or not all(_is_finite(n, "limits", problems) for n in limits):  # type: ignore[attr-defined]
        problems.append(_wrong("limits", _("two finite numbers"), limits))


def _is_long(value: object, count: int) -> bool:
    return isinstance(value, list) and len(value) == count


def _wrong(where: str, allowed: Text, got: object) -> Text:
    """The sentence that `where` must hold something else."""
    return _("{where}: {allowed}, got {got}", where=where, allowed=allowed, got=shown(got))


def _check_classes(classes: object, task: object, problems: list[Text]) -> None:
    if task == "regression":
        if classes is not None:
            problems.append(_wrong("classes", _("null in regression"), classes))
        return
    texts = isinstance(classes, list) and all(isinstance(c, str) and c for c in classes)
    numbers = isinstance(classes, list) and all(type(c) is int and abs(c) <= 2**53 for c in classes)
    if not isinstance(classes, list) or not (texts or numbers) or len(classes) < 2:
        allowed = _("two or more texts, or two or more whole numbers")
        problems.append(_wrong("classes", allowed, classes))
    elif any(not a < b for a, b in pairwise(classes)):
        problems.append(_wrong("classes", _("must be sorted, each once"), classes))


def _check_column(column: object, where: str, problems: list[Text]) -> str | None:
    kind = column.get("kind") if isinstance(column, Mapping) else None
    if kind == "number":
        keys: tuple[str, ...] = ("name", "kind", "mean", "std", "median")
        if not _has_keys(column, keys, where, problems, ("form", "clip", "of")):
            return None
        assert isinstance(column, Mapping)
        good = [_is_finite(column[key], f"{where}.{key}", problems) for key in keys[2:]]
        if good[1] and column["std"] < 0:
            problems.append(_wrong(f"{where}.std", _("0 or more"), column["std"]))
        clip = column.get("clip")
        if clip is not None and not (_is_finite(clip, f"{where}.clip", problems) and clip > 0):
            problems.append(_wrong(f"{where}.clip", _("a number above 0"), clip))
            return None
        if column.get("of") not in (None, *DATE_PARTS):
            allowed = _("one of {allowed}", allowed=DATE_PARTS)
            problems.append(_wrong(f"{where}.of", allowed, column["of"]))
        if not all(good) or not _check_form(column.get("form"), f"{where}.form", problems):
            return None
    elif kind == "flag":
        if not _has_keys(column, ("name", "kind"), where, problems):
            return None
        assert isinstance(column, Mapping)
    elif kind in ("text", "words", "code"):
        more = ("values", "other", "rows") if kind == "code" else ()
        if not _has_keys(column, ("name", "kind", "categories", *more), where, problems):
            return None
        assert isinstance(column, Mapping)
        words = column["categories"]
        texts = isinstance(words, list) and words and all(isinstance(w, str) for w in words)
        if not texts or len(set(words)) < len(words):
            problems.append(_wrong(f"{where}.categories", _("distinct texts"), words))
            return None
        if kind == "code" and not _check_codes(column, where, problems):
            return None
    else:
        problems.append(_wrong(f"{where}.kind", listed(_KINDS.values(), "or"), kind))
        return None
    return column["name"] if _is_name(column["name"], f"{where}.name", problems) else None


def _check_codes(column: Mapping[str, Any], where: str, problems: list[Text]) -> bool:
    values, rows = column["values"], column["rows"]
    if not _is_long(values, len(column["categories"])):
        problems.append(_wrong(f"{where}.values", _("a number for each category"), values))
        return False
    if type(rows) is not int or not 0 <= rows < 2**24:
        problems.append(_wrong(f"{where}.rows", _("a whole number from 0"), rows))
        return False
    return all(_is_finite(n, f"{where}.values", problems) for n in (*values, column["other"]))


def _check_form(form: object, where: str, problems: list[Text]) -> bool:
    """Check a `Form` as JSON; None stands for no form."""
    keys, before = ("kind", "decimal", "unit", "day_first"), len(problems)
    if form is None or not _has_keys(form, keys, where, problems):
        return form is None
    assert isinstance(form, Mapping)
    for key, allowed in (
        ("kind", ("number", "mixed", "date", "text")),
        ("decimal", ("", ".", ",")),
        ("day_first", (None, True, False)),
    ):
        if form[key] not in allowed or isinstance(form[key], int) is not isinstance(
            form[key], bool
        ):
            one = _("one of {allowed}", allowed=allowed)
            problems.append(_wrong(f"{where}.{key}", one, form[key]))
    if not isinstance(form["unit"], str):
        problems.append(_wrong(f"{where}.unit", _("a text"), form["unit"]))
    return len(problems) == before


def _has_keys(
    data: object,
    keys: Sequence[str],
    where: str,
    problems: list[Text],
    optional: Sequence[str] = (),
) -> bool:
    if not isinstance(data, Mapping):
        problems.append(_wrong(where, _("an object with keys"), data))
        return False
    absent = [key for key in keys if key not in data]
    unknown = [key for key in data if key not in (*keys, *optional)]
    if absent:
        problems.append(_("{where}: {names} missing", where=where, names=listed(absent)))
    if unknown:
        names = listed(shown(key) for key in unknown[:5])
        problems.append(_("{where}: unknown {names}", where=where, names=names))
    return not absent


def _is_name(value: object, where: str, problems: list[Text]) -> bool:
    good = isinstance(value, str) and value != ""
    if not good:
        problems.append(_wrong(where, _("a text that is not empty"), value))
    return good


def _is_finite(value: object, where: str, problems: list[Text]) -> bool:
    try:
        good = type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:
        good = False
    if not good:
        problems.append(_wrong(where, _("a finite number"), value))
    return good
