"""What a model file says of a preparation: written, taken back, and every place that is wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from chainrule.datasets.fitting import NumberColumn, Part, TextColumn, WordColumn
from chainrule.datasets.forms import Form
from chainrule.errors import shown

__all__ = ["VERSION", "check_json", "described", "restored"]

VERSION = 1


def described(part: Part) -> dict[str, Any]:
    """A rule as plain numbers, texts and lists."""
    if isinstance(part, NumberColumn):
        numbers = {"mean": part.mean, "std": part.std, "median": part.median}
        return {"name": part.name, "kind": "number", **numbers, "form": asdict(part.form)}
    kind = "words" if isinstance(part, WordColumn) else "text"
    return {"name": part.name, "kind": kind, "categories": list(part.categories)}


def restored(column: Mapping[str, Any]) -> Part:
    """The rule that `described` wrote, once it is checked."""
    if column["kind"] == "number":
        mean, std, median = (float(column[key]) for key in ("mean", "std", "median"))
        form = Form(**(column.get("form") or {"kind": "number"}))
        return NumberColumn(column["name"], mean, std, median, form)
    kind = WordColumn if column["kind"] == "words" else TextColumn
    return kind(column["name"], tuple(column["categories"]))


def check_json(data: object, problems: list[str]) -> None:
    """Add to `problems` a sentence for every place that is wrong."""
    keys = ("version", "target", "task", "classes", "center", "spread", "columns", "notes")
    if not _has_keys(data, keys, "the whole", problems, ("form",)):
        return
    assert isinstance(data, Mapping)
    if data["version"] != VERSION or type(data["version"]) is not int:
        problems.append(f"version: {VERSION} is known, got {shown(data['version'])}")
    _is_name(data["target"], "target", problems)
    if data["task"] not in ("classification", "regression"):
        problems.append(f"task: classification or regression, got {shown(data['task'])}")
    _check_classes(data["classes"], data["task"], problems)
    _is_finite(data["center"], "center", problems)
    if _is_finite(data["spread"], "spread", problems) and not data["spread"] > 0:
        problems.append(f"spread: a number above 0, got {shown(data['spread'])}")
    if not isinstance(data["notes"], list) or not all(isinstance(n, str) for n in data["notes"]):
        problems.append(f"notes: a list of texts, got {shown(data['notes'])}")
    _check_form(data.get("form"), "form", problems)
    columns = data["columns"]
    if not isinstance(columns, list) or not columns:
        problems.append(f"columns: a list that is not empty, got {shown(columns)}")
        return
    seen: set[tuple[str, bool]] = set()
    for i, column in enumerate(columns):
        name = _check_column(column, f"columns[{i}]", problems)
        beside = name is not None and column["kind"] == "words"
        if name is not None and ((name, beside) in seen or name == data["target"]):
            problems.append(f"columns[{i}].name: {shown(name)} occurs twice")
        seen.add((name or "", beside))


def _check_classes(classes: object, task: object, problems: list[str]) -> None:
    if task == "regression":
        if classes is not None:
            problems.append(f"classes: null in regression, got {shown(classes)}")
        return
    texts = isinstance(classes, list) and all(isinstance(c, str) and c for c in classes)
    numbers = isinstance(classes, list) and all(type(c) is int and abs(c) <= 2**53 for c in classes)
    if not isinstance(classes, list) or not (texts or numbers) or len(classes) < 2:
        problems.append(
            f"classes: two or more texts, or two or more whole numbers, got {shown(classes)}"
        )
    elif any(not a < b for a, b in pairwise(classes)):
        problems.append(f"classes: must be sorted, each once, got {shown(classes)}")


def _check_column(column: object, where: str, problems: list[str]) -> str | None:
    kind = column.get("kind") if isinstance(column, Mapping) else None
    if kind == "number":
        keys = ("name", "kind", "mean", "std", "median")
        if not _has_keys(column, keys, where, problems, ("form",)):
            return None
        assert isinstance(column, Mapping)
        for key in ("mean", "std", "median"):
            _is_finite(column[key], f"{where}.{key}", problems)
        if type(column["std"]) in (int, float) and column["std"] < 0:
            problems.append(f"{where}.std: 0 or more, got {shown(column['std'])}")
        _check_form(column.get("form"), f"{where}.form", problems)
    elif kind in ("text", "words"):
        if not _has_keys(column, ("name", "kind", "categories"), where, problems):
            return None
        assert isinstance(column, Mapping)
        words = column["categories"]
        good = isinstance(words, list) and words and all(isinstance(w, str) for w in words)
        if not good or len(set(words)) < len(words):
            problems.append(f"{where}.categories: distinct texts, got {shown(words)}")
    else:
        problems.append(f"{where}.kind: number, text or words, got {shown(kind)}")
        return None
    return column["name"] if _is_name(column["name"], f"{where}.name", problems) else None


def _check_form(form: object, where: str, problems: list[str]) -> None:
    """Whether it says how a column is written, or nothing."""
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
            problems.append(f"{where}.{key}: one of {allowed}, got {shown(form[key])}")
    if not isinstance(form["unit"], str):
        problems.append(f"{where}.unit: a text, got {shown(form['unit'])}")


def _has_keys(
    data: object,
    keys: Sequence[str],
    where: str,
    problems: list[str],
    optional: Sequence[str] = (),
) -> bool:
    if not isinstance(data, Mapping):
        problems.append(f"{where}: an object with keys, got {shown(data)}")
        return False
    absent = [key for key in keys if key not in data]
    unknown = [key for key in data if key not in (*keys, *optional)]
    if absent:
        problems.append(f"{where}: {', '.join(absent)} missing")
    if unknown:
        problems.append(f"{where}: unknown {', '.join(shown(key) for key in unknown[:5])}")
    return not absent


def _is_name(value: object, where: str, problems: list[str]) -> bool:
    good = isinstance(value, str) and value != ""
    if not good:
        problems.append(f"{where}: a text that is not empty, got {shown(value)}")
    return good


def _is_finite(value: object, where: str, problems: list[str]) -> bool:
    try:
        good = type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:
        good = False
    if not good:
        problems.append(f"{where}: a finite number, got {shown(value)}")
    return good
