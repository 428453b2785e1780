"""`--ranks` and `--max-restarts`: the command starts itself, and again if a process is lost."""

from __future__ import annotations

import os
import signal
from typing import Any

import click

from chainrule.cli import rank
from chainrule.cli.data_source import STDIN
from chainrule.cli.job import Job
from chainrule.cli.job_end import End
from chainrule.cli.kept_run import COMMAND, KeptRun
from chainrule.cli.terminal import complain, remark, typed
from chainrule.cli.train_options import TrainOptions
from chainrule.distributed.messages import PARTS
from chainrule.distributed.mpiexec import cores, path_of_mpiexec, started_ranks, take_turns
from chainrule.errors import SettingError
from chainrule.lang.messages import Text, _, _n, sentences

INTERRUPTED = 130

__all__ = ["end_with", "is_here", "launch"]


def is_here(options: TrainOptions) -> bool:
    """Whether this process is to train: alone, or as a rank of its own; else it is to start those.

    Raises:
        SettingError: what cannot be divided among ranks.
    """
    started = started_ranks()
    if os.name == "nt" and (options.ranks > 1 or options.max_restarts):
        raise SettingError(_("--ranks and --max-restarts need Linux or macOS. Leave them out."))
    if options.ranks > 1:
        _refuse(options)
        if started not in (1, options.ranks):
            raise SettingError(
                _(
                    "--ranks {ranks}, and this is one of {started} processes that mpiexec has started. Say"
                    " --ranks {started}; or start the command alone, which then starts its ranks.",
                    ranks=options.ranks,
                    started=started,
                )
            )
        if rank.member() or started > 1:
            rank.join(options.rank_timeout)
            return True
        path_of_mpiexec()
        return False
    return rank.member() or not options.max_restarts


def _refuse(options: TrainOptions) -> None:
    if options.data == STDIN:
        raise SettingError(
            _(
                "--ranks: every rank reads the data, and standard input can be read once. Write it into a"
                " file first, and name that."
            )
        )
    if options.reproducible and PARTS % options.ranks:
        raise SettingError(
            _(
                "--reproducible divides every batch into {parts} parts, and {ranks} ranks cannot share"
                " them evenly: give 1, 2, 4 or 8 ranks.",
                parts=PARTS,
                ranks=options.ranks,
            )
        )


def launch(
    words: list[str], options: TrainOptions, folder: str | None, *, quiet: bool, as_json: bool
) -> End:
    """Start the processes of a command, and start them again as often as is allowed.

    They go on from the checkpoints in the folder. What is tried again is what came from outside: a
    process that was killed, crashed or hung. An error that Python tells of would come again.
    """
    if take_turns(options.ranks) and not quiet:
        remark(
            _n(
                "{ranks} ranks share {n} core, which is slower than one.",
                "{ranks} ranks share {n} cores, which is slower than as many ranks as cores.",
                cores(),
                ranks=options.ranks,
            )
        )
    given = options.out is not None and os.path.lexists(options.out)
    for left in reversed(range(options.max_restarts + 1)):
        end = Job(words, options.ranks).run()
        if not end.again or not left or folder is None:
            break
        words = _words_again(words, folder, forced=given, quiet=quiet, as_json=as_json)
        if not quiet:
            count = {"n": options.max_restarts - left + 1, "most": options.max_restarts}
            remark(sentences(end.why, _again(folder, **count)))
    return end


def _again(folder: str, n: int, most: int) -> Text:
    if os.path.exists(os.path.join(folder, COMMAND)):
        return _(
            "The training goes on from its latest checkpoint (restart {n} of {most}).",
            n=n,
            most=most,
        )
    return _("The training begins anew (restart {n} of {most}).", n=n, most=most)


def _words_again(
    words: list[str], folder: str, *, forced: bool, quiet: bool, as_json: bool
) -> list[str]:
    """What goes on with the command: nothing else than the same, if it has kept nothing."""
    if not os.path.exists(os.path.join(folder, COMMAND)):
        return words
    if words[0] != "resume":
        words = ["resume", folder]
        words += [name for name, on in (("--json", as_json), ("--quiet", quiet)) if on]
    out = KeptRun.read(folder).options.out
    if "--out" in words:
        out = words[words.index("--out") + 1]
    # A model that is there now is of the attempt that was lost at its very end.
    if out is not None and os.path.lexists(out) and not forced and "--force" not in words:
        words = [*words, "--force"]
    return words


def end_with(end: End, folder: str | None) -> None:
    """End the command as its job ended."""
    context = click.get_current_context()
    why: Any = end.why
    if why is not None and end.again and folder is not None:
        why = sentences(why, _go_on(folder))
    if why is not None:
        complain(why, _("Stopped:") if end.code == INTERRUPTED else None)
    if end.code >= 0:
        context.exit(end.code)
    signal.signal(-end.code, signal.SIG_DFL)
    os.kill(os.getpid(), -end.code)


def _go_on(folder: str) -> Text:
    return _("{command} goes on with it.", command=typed("chainrule", "resume", folder))
