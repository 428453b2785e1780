"""The functions that generated code may import, listed without importing their modules and Numba."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["HELPERS", "salt"]

_PACKAGE = __name__.rpartition(".")[0]
_TEXTS = {
    name: Path(__file__).with_name(f"{name}.py").read_text("utf-8")
    for name in ("compiling", "constants", "elementary", "kernels", "layout", "machine", "products")
}

#: The module of each function that generated text may import.
HELPERS = {
    function: f"{_PACKAGE}.{name}"
    for name in ("elementary", "kernels", "products")
    for function in re.findall(r"^def ([a-z]\w*)\(", _TEXTS[name], re.MULTILINE)
}


def salt() -> str:
    """Text that machine code depends on besides its source: the helpers in it, and its callers."""
    return "\0".join(_TEXTS.values())
