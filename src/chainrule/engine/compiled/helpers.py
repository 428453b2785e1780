"""The functions that generated code may import, listed without importing their modules."""

from __future__ import annotations

import functools
import re
from pathlib import Path

__all__ = ["HELPERS", "salt"]

_PACKAGE = __name__.rpartition(".")[0]
_HERE = Path(__file__)
_FILES = (
    *("abreast", "constants", "elementary", "kernels", "large"),
    *("library", "machine", "parted", "products", "tiles", "trigonometric"),
)
_TEXTS = {name: _HERE.with_name(f"{name}.py").read_text("utf-8") for name in _FILES}
_COMPILER = sorted((_HERE.parent.parent / "compiler").glob("*.py"))

#: The module of each function that generated text may import.
HELPERS = {
    function: f"{_PACKAGE}.{name}"
    for name in ("abreast", "elementary", "kernels", "products", "trigonometric")
    for function in re.findall(r"^def ([a-z]\w*)\(", _TEXTS[name], re.MULTILINE)
} | {
    "at": "chainrule.engine.compiler.memory",
    "own_rows": "chainrule.engine.compiler.memory",
    "shaped": "chainrule.engine.compiler.memory",
    "abreast": "chainrule.engine.compiler.vectors",
    "without_subnormals": "chainrule.engine.compiler.functions",
}


@functools.cache
def salt() -> str:
    """Text that machine code depends on besides its source: the helpers in it, and its callers."""
    return "\0".join([*_TEXTS.values(), *(path.read_text("utf-8") for path in _COMPILER)])
