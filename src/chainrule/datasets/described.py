"""Whether what a model file says of a preparation can be one: every place that is wrong, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from chainrule.errors import shown

__all__ = ["VERSION", "check_json"]

VERSION = 1


def check_json(data: object, problems: list[str]) -> None:
    """Add to `problems` a sentence for every place that is wrong."""
    keys = ("version", "target", "task", "classes", "center", "spread", "columns", "notes")
    if not _has_keys(data, keys, "the whole", problems):
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
    columns = data["columns"]
    if not isinstance(columns, list) or not columns:
        problems.append(f"columns: a list that is not empty, got {shown(columns)}")
        return
    seen: set[str] = set()
    for i, column in enumerate(columns):
        name = _check_column(column, f"columns[{i}]", problems)
        if name is not None and (name in seen or name == data["target"]):
            problems.append(f"columns[{i}].name: {shown(name)} occurs twice")
        seen.add(name or "")


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
        if not _has_keys(column, ("name", "kind", "mean", "std", "median"), where, problems):
            return None
        assert isinstance(column, Mapping)
        for key in ("mean", "std", "median"):
            _is_finite(column[key], f"{where}.{key}", problems)
        if type(column["std"]) in (int, float) and column["std"] < 0:
            problems.append(f"{where}.std: 0 or more, got {shown(column['std'])}")
    elif kind == "text":
        if not _has_keys(column, ("name", "kind", "categories"), where, problems):
            return None
        assert isinstance(column, Mapping)
        words = column["categories"]
        good = isinstance(words, list) and words and all(isinstance(w, str) for w in words)
        if not good or len(set(words)) < len(words):
            problems.append(f"{where}.categories: distinct texts, got {shown(words)}")
    else:
        problems.append(f"{where}.kind: number or text, got {shown(kind)}")
        return None
    return column["name"] if _is_name(column["name"], f"{where}.name", problems) else None


def _has_keys(data: object, keys: Sequence[str], where: str, problems: list[str]) -> bool:
    if not isinstance(data, Mapping):
        problems.append(f"{where}: an object with keys, got {shown(data)}")
        return False
    absent = [key for key in keys if key not in data]
    unknown = [key for key in data if key not in keys]
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
