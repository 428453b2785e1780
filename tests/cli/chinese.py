"""Is it Chinese: what is left of a text without names, options, code and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from click.testing import CliRunner, Result

from chainrule.cli import chainrule

__all__ = ["HAN", "english_words", "in_words", "names_and_numbers", "run_in"]

HAN = re.compile("[一-鿿]")
#: What stands in Chinese sentences as it is: products, formats, functions, classes, sets.
NAMES = {
    *("chainrule", "Python", "NumPy", "TensorFlow", "Playground", "Chromium", "matplotlib"),
    *("mpi", "mpiexec", "Linux", "macOS"),
    *("Excel", "Parquet", "SQLite", "onnxruntime"),
    *("Ctrl", "sigmoid", "exp", "sum", "softmax", "Sigmoid", "Affine", "Dropout", "adamw"),
    *("table", "small", "plain", "relu", "cosine"),  # presets and settings
    *("all", "none", "digits", "iris", "penguins", "spiral", "moons", "circles", "xor", "blobs"),
}
#: What is code: between backquotes or quotes, options, choices, names in capitals, files, links, calls.
CODE = re.compile(
    r"""`[^`]*`|“[^”]*”|'[^']*'|"[^"]*"|默认值：[^\]]*\]
    |\[[A-Za-z_.,|]+\]|--?[A-Za-z][\w-]*(=\S+)?|\#\S*|https?://\S+
    |[\w./-]*\.[a-zA-Z]+|\b[A-Z][A-Z0-9_=|.-]*\b|\w+\([^)]*\)[^。；]*|\w+=\S+
    |\w*[\d_]\w*(-\d+)?|utf-8|latin-1""",
    re.X,
)


def run_in(lang: str | None, *args: str, **env: str | None) -> Result:
    """The command, in a language that the environment names."""
    return CliRunner().invoke(chainrule, args, env={"CHAINRULE_LANG": lang, **env})


def english_words(text: str, known: Iterable[str] = ()) -> list[str]:
    """The English words of a Chinese text, without names and code."""
    left = CODE.sub(" ", text)
    return [word for word in re.findall(r"[A-Za-z]{2,}", left) if word not in {*NAMES, *known}]


def in_words(text: str) -> list[str]:
    """Runs of three English words and more, but for code, and for what NumPy says of its files."""
    left = re.sub(r"`[^`]*`|'[^'\n]*'|\"[^\"\n]*\"|（EOF: .*?）", " ", text)
    return re.findall(r"[A-Za-z]{2,},? (?:[A-Za-z]+,? )*[A-Za-z]+,? [A-Za-z]{2,}", left)


def names_and_numbers(text: str) -> set[str]:
    """The options, the numbers and the file names that a text has."""
    options = re.findall(r"--[a-z0-9][a-z0-9-]*", text)
    numbers = re.findall(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?", text)
    files = re.findall(r"\b[a-z]+\.(?:csv|svg|npy|npz|safetensors|html|py)\b", text)
    return {*options, *files, *(number.strip(",") for number in numbers)}
