"""Which engine runs a network: the names, and what the compiled one needs."""

from __future__ import annotations

import importlib.util
import os

from chainrule.errors import ExtraMissingError, SettingError, nearest, shown
from chainrule.lang.messages import Spelled, _, listed

__all__ = ["ENGINES", "engine_name", "extra_missing", "missing_packages"]

ENGINES = ("auto", "numpy", "compiled")

_NEEDED = ("numba", "llvmlite", "scipy", "threadpoolctl")


def engine_name(given: object) -> str:
    """The name of an engine, checked; for "auto", what CHAINRULE_ENGINE says, if it is set."""
    if given == "auto":
        preferred = os.environ.get("CHAINRULE_ENGINE") or "auto"
        if preferred not in ENGINES:
            raise SettingError(
                _(
                    "CHAINRULE_ENGINE={given}: {nearest}.",
                    given=shown(preferred),
                    nearest=nearest(preferred, ENGINES),
                )
            )
        return preferred
    if isinstance(given, str) and given in ENGINES:
        return given
    raise SettingError(
        _(
            "engine={given} is not known; {nearest}.",
            given=shown(given),
            nearest=nearest(given, ENGINES),
        )
    )


def missing_packages() -> list[str]:
    """What the compiled engine needs and is not installed."""
    return [name for name in _NEEDED if name not in _found and not _finds(name)]


#: What was found once, so that nobody looks on the disk for every fit.
_found: set[str] = set()


def _finds(name: str) -> bool:
    try:
        found = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # kept from being imported
        return False
    if found:
        _found.add(name)
    return found


def extra_missing(missing: list[str]) -> ExtraMissingError:
    """The error that names the extra."""
    return ExtraMissingError(
        _(
            'the compiled engine needs {packages}: pip install "chainrule[compiled]", or use {numpy}.',
            packages=listed(missing, "all"),
            numpy=Spelled('engine="numpy"', command="--engine numpy"),
        )
    )
