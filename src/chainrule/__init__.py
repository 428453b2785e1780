"""chainrule: learning neural networks, with the working shown.

Every value, every gradient and every update can be looked at and checked. See `Variable` for
the computational graph, `Sequential` and `Trainer` for training, `datasets` for data.

The rooms are loaded at the first use of a name (PEP 562), so that `chainrule --help` need not
wait for NumPy; `chainrule.basics` lists the names of a training, `chainrule.api` all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.version import __version__ as __version__

if TYPE_CHECKING:
    from chainrule.api import *  # noqa: F403
else:
    #: Names of rooms that few people enter, each loaded for itself.
    _LATE = {
        "NetworkClassifier": "chainrule.estimators",
        "NetworkRegressor": "chainrule.estimators",
        "Playground": "chainrule.playground.notebook",
    }

    def __getattr__(name: str) -> object:
        """A room by its name, or a public name from one of them; all are kept once found."""
        from importlib import import_module
        from importlib.util import find_spec

        # A room's name always means the room, so that no import order can change it.
        if not name.startswith("_") and find_spec(f"chainrule.{name}") is not None:
            return import_module(f"chainrule.{name}")
        if name != "__all__" and name.startswith("_"):
            raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
        if name in _LATE:
            globals()[name] = getattr(import_module(_LATE[name]), name)
            return globals()[name]
        for part in ("chainrule.basics", "chainrule.api"):  # the second enters every room
            names = import_module(part)
            globals().update((k, getattr(names, k)) for k in names.__all__ if k not in globals())
            if name in globals():
                return globals()[name]
        globals()["__all__"] = sorted({*names.__all__, *_LATE, "__version__"})
        if name not in globals():
            from difflib import get_close_matches

            close = get_close_matches(name, globals()["__all__"], n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise AttributeError(f"module 'chainrule' has no attribute {name!r}{hint}")
        return globals()[name]

    def __dir__() -> list[str]:
        """Every public name, for `dir()` and for completion."""
        own = (name for name in globals() if name.startswith("__"))
        return sorted({*own, *__getattr__("__all__")})
