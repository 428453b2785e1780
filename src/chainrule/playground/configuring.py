"""Changed settings: in the shown run where that can be, else in a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chainrule.errors import shown
from chainrule.lang.messages import _
from chainrule.playground.settings import DATA_FIELDS, LIVE, Problems
from chainrule.playground.workspace import Workspace

__all__ = ["configure"]


def configure(workspace: Workspace, settings: object = None) -> None:
    """Change settings: in the shown run where they are live, else in a new one."""
    if not isinstance(settings, Mapping):
        raise Problems(
            [_("configure needs settings, an object. Got {value}.", value=shown(settings))]
        )
    run = workspace.run
    new = run.settings.changed(settings, workspace.caps)
    differing = set(new.differing(run.settings))
    other_table = workspace.table_is_new and settings.get("data") == "own"
    if not differing and not other_table:
        return
    untouched = not run.end and not run.events
    if differing and differing <= set(LIVE) and not untouched:
        workspace.history.run_to_change().change(new)
        workspace.changed()
        return
    data = run.data
    if differing & set(DATA_FIELDS) or other_table:
        data = workspace.draw(new)
        own = "own" in (new.data, run.settings.data)
        if own and (differing & {"data", "target"} or other_table) and "loss" not in settings:
            new = replace(new, loss=data.usual_loss)
    workspace.begin(data.suited(new, settings), data)
    workspace.table_is_new = workspace.table_is_new and not other_table
