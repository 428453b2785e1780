"""The names of the engines, and the packages that the compiled one needs."""

from __future__ import annotations

import importlib.util
import os

from chainrule.errors import ExtraMissingError, SettingError, nearest, shown
from chainrule.lang.messages import Spelled, _, listed

__all__ = ["ENGINES", "engine_name", "extra_missing", "missing_packages"]

ENGINES = ("auto", "numpy", "compiled")

_PACKAGES = ("llvmlite", "scipy", "threadpoolctl")


def engine_name(given: object) -> str:
    """The name of an engine, checked; for "auto", the value of CHAINRULE_ENGINE if that is set."""
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
    """The packages that the compiled engine needs and that are not installed."""
    return [name for name in _PACKAGES if name not in _installed and not _is_installed(name)]


#: Packages known to be installed, so that not every fit searches the disk.
_installed: set[str] = set()


def _is_installed(name: str) -> bool:
    try:
        if importlib.util.find_spec(name) is None:
            return False
    except (ImportError, ValueError):  # its import is blocked, as by a None in sys.modules
        return False
    _installed.add(name)
    return True


def extra_missing(missing: list[str]) -> ExtraMissingError:
    """The error that names the missing packages and how to install them."""
    return ExtraMissingError(
        _(
            'the compiled engine needs {packages}: pip install "chainrule[compiled]", or use {numpy}.',
            packages=listed(missing, "all"),
            numpy=Spelled('engine="numpy"', command="--engine numpy"),
        )
    )
