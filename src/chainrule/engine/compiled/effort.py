"""What compiling a step takes, told from how long it is: a step that takes too much is declined."""

from __future__ import annotations

from chainrule.engine.compiled.values import NotCompilable
from chainrule.engine.cost import duration
from chainrule.lang.messages import _

__all__ = ["bounded"]

#: Seconds for each operation of a step, to write its text, and for each line of that, to compile it.
OPERATION, LINE = 0.0006, 0.0015
#: More than so many are not spent. Memory goes with them: some 20 MB a second.
MOST = 30.0


def bounded(operations: int, lines: int = 0) -> None:
    """Decline a step of so many operations, or whose text has so many lines.

    Raises:
        NotCompilable: it would take too long to compile.
    """
    seconds = operations * OPERATION + lines * LINE
    if seconds > MOST:
        raise NotCompilable(
            _("compiling it would take {time}, which is too long", time=duration(seconds))
        )
