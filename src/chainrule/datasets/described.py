"""A `Preprocessor` as JSON in a model file: its rules written and read, and a check for errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from chainrule.datasets.fitting import NumberColumn, Part, TextColumn, WordColumn
from chainrule.datasets.forms import Form
from chainrule.errors import shown
from chainrule.lang.messages import Text, _, listed

__all__ = ["VERSION", "check_json", "part_from_json", "part_to_json"]

VERSION = 1


def part_to_json(part: Part) -> dict[str, object]:
    """The rule for one column as plain numbers, texts and lists."""
    if isinstance(part, NumberColumn):
        numbers = {"mean": part.mean, "std": part.std, "median": part.median}
        return {"name": part.name, "kind": "number", **numbers, "form": asdict(part.form)}
    kind = "words" if isinstance(part, WordColumn) else "text"
    return {"name": part.name, "kind": kind, "categories": list(part.categories)}


def part_from_json(column: Mapping[str, Any]) -> Part:
    """The rule that `part_to_json` wrote; `check_json` has checked it."""
    if column["kind"] == "number":
        mean, std, median = (float(column[key]) for key in ("mean", "std", "median"))
        form = Form(**(column.get("form") or {"kind": "number"}))
        return NumberColumn(column["name"], mean, std, median, form)
    kind = WordColumn if column["kind"] == "words" else TextColumn
    return kind(column["name"], tuple(column["categories"]))


def check_json(data: object, problems: list[Text]) -> None:
    """Check what `Preprocessor.to_json` wrote; each error adds a sentence to `problems`."""
    keys = ("version", "target", "task", "classes", "center", "spread", "columns", "notes")
    if not _has_keys(data, keys, _("the whole"), problems, ("form", "messages")):
        return
    assert isinstance(data, Mapping)
    if data["version"] != VERSION or type(data["version"]) is not int:
        known = _("{version} is known", version=VERSION)
        problems.append(_wrong("version", known, data["version"]))
    _is_name(data["target"], "target", problems)
    if data["task"] not in ("classification", "regression"):
        problems.append(_wrong("task", _("classification or regression"), data["task"]))
    _check_classes(data["classes"], data["task"], problems)
    _is_finite(data["center"], "center", problems)
    if _is_finite(data["spread"], "spread", problems) and not data["spread"] > 0:
        problems.append(_wrong("spread", _("a number above 0"), data["spread"]))
    if not isinstance(data["notes"], list) or not all(isinstance(n, str) for n in data["notes"]):
        problems.append(_wrong("notes", _("a list of texts"), data["notes"]))
    elif "messages" in data and not _is_long(data["messages"], len(data["notes"])):
        problems.append(_wrong("messages", _("a list as long as notes"), data["messages"]))
    _check_form(data.get("form"), "form", problems)
    columns = data["columns"]
    if not isinstance(columns, list) or not columns:
        problems.append(_wrong("columns", _("a list that is not empty"), columns))
        return
    seen: set[tuple[str, bool]] = set()
    for i, column in enumerate(columns):
        name = _check_column(column, f"columns[{i}]", problems)
        beside = name is not None and column["kind"] == "words"
        if name is not None and ((name, beside) in seen or name == data["target"]):
            where = f"columns[{i}].name"
            problems.append(_("{where}: {name} occurs twice", where=where, name=shown(name)))
        seen.add((name or "", beside))


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
        keys = ("name", "kind", "mean", "std", "median")
        if not _has_keys(column, keys, where, problems, ("form",)):
            return None
        assert isinstance(column, Mapping)
        for key in ("mean", "std", "median"):
            _is_finite(column[key], f"{where}.{key}", problems)
        if type(column["std"]) in (int, float) and column["std"] < 0:
            problems.append(_wrong(f"{where}.std", _("0 or more"), column["std"]))
        _check_form(column.get("form"), f"{where}.form", problems)
    elif kind in ("text", "words"):
        if not _has_keys(column, ("name", "kind", "categories"), where, problems):
            return None
        assert isinstance(column, Mapping)
        words = column["categories"]
        good = isinstance(words, list) and words and all(isinstance(w, str) for w in words)
        if not good or len(set(words)) < len(words):
            problems.append(_wrong(f"{where}.categories", _("distinct texts"), words))
    else:
        problems.append(_wrong(f"{where}.kind", _("number, text or words"), kind))
        return None
    return column["name"] if _is_name(column["name"], f"{where}.name", problems) else None


def _check_form(form: object, where: str, problems: list[Text]) -> None:
    """Check a `Form` as JSON; None stands for no form."""
    keys = ("kind", "decimal", "unit", "day_first")
    if form is None or not _has_keys(form, keys, where, problems):
        return
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
