"""The replay of links: what a link says was done with a run is done again, a slice at a time."""

from __future__ import annotations

from chainrule.errors import ChainruleError
from chainrule.playground.commands import configure, edit
from chainrule.playground.run import Edit
from chainrule.playground.workspace import Workspace

__all__ = ["replay_link"]


def replay_link(workspace: Workspace, seconds: float) -> None:
    """Advance to the next event of the link, for about so long, and do it if it is reached."""
    event, *rest = workspace.link_events
    workspace.advance_run(event.step - workspace.run.step, seconds)
    failed = workspace.run.failure is not None
    if not failed and workspace.run.step < event.step:
        return
    workspace.link_events = () if failed else rest
    if not failed:
        try:
            if isinstance(event.what, Edit):
                change = event.what
                edit(workspace, change.parameter, list(change.place), change.value)
            elif event.what:
                configure(workspace, event.what)
        except ChainruleError:  # a change that this run does not allow ends the replay
            workspace.link_events = ()
    workspace.changed()
