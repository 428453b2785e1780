"""`chainrule learn`: the course's exercises, answered in files that are checked as they are saved."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainrule.cli.help_pages import Command, option
from chainrule.cli.language import current
from chainrule.cli.options import OneOf
from chainrule.cli.places import Place
from chainrule.cli.terminal import paint, paragraph, printable, rows, say
from chainrule.lang.messages import _, _n

if TYPE_CHECKING:
    from chainrule.lessons.folder import ReaderFolder

__all__ = ["learn"]

#: Seconds between two looks at a file that is watched.
LOOK = 0.25


@click.command(
    cls=Command,
    help=(
        _("Answer the course's exercises in files, which are checked by the chain rule itself."),
        _(
            "Without more it makes the files that are not there yet, and checks the first exercise that is"
            " not done. `watch` checks a file whenever it is saved, and goes on to the next when it"
            " passes. Progress is kept in progress.json beside the files; nothing leaves this machine."
        ),
    ),
    short_help=_("Answer the course's exercises."),
    examples=(
        "chainrule learn",
        "chainrule learn watch",
        "chainrule learn hint",
        "chainrule learn check 6",
        "chainrule learn list",
    ),
)
@click.argument(
    "action",
    type=OneOf(("check", "watch", "hint", "next", "list", "reset")),
    default="check",
    metavar="[check|watch|hint|next|list|reset]",
)
@click.argument("exercise", required=False, metavar="[EXERCISE]")
@option(
    "--dir", "folder", type=Place(folder=True), default="chainrule-lessons", show_default=True,
    metavar="DIR", help=_("The folder of your answers; it is made if need be."),
)  # fmt: skip
@option("--all", "everything", is_flag=True, help=_("Say all that there is to say, not one thing."))
def learn(action: str, exercise: str | None, folder: str, everything: bool) -> None:
    """Answer the course's exercises in files, which are checked by the chain rule itself."""
    from chainrule.lessons.folder import ReaderFolder

    reader = ReaderFolder.open(folder)
    if written := reader.begin(current()):
        say(
            _n(
                "{n} exercise was put into {folder}.",
                "{n} exercises were put into {folder}.",
                written,
                folder=printable(folder),
            )
        )
    if action == "list":
        return _list(reader)
    number = _chosen(reader, exercise)
    if number is None:
        return say(paint(_("All exercises are done."), "green", "bold"))
    if action == "hint":
        return _hint(reader, number)
    if action == "reset":
        return _reset(reader, number)
    if action == "next":
        number = reader.next(number) or number
        return _task(reader, number)
    if action == "watch":
        return _watch(reader, number, everything)
    if not _check(reader, number, everything):
        raise click.exceptions.Exit(1)


def _chosen(reader: ReaderFolder, which: str | None) -> int | None:
    """The number of the exercise that is meant: the one named, else the first that is not done."""
    from chainrule.lessons.exercises import EXERCISES, find_exercise

    if which is None:
        return reader.next()
    found = find_exercise(which)
    return next(n for n, exercise in EXERCISES.items() if exercise is found)


def _list(reader: ReaderFolder) -> None:
    from chainrule.lessons.exercises import EXERCISES

    rows(
        [
            (f"{'✓' if e.name in reader.done else ' '} {n:>2}", e.title.said(current()))
            for n, e in EXERCISES.items()
        ]
    )
    _progress(reader)


def _progress(reader: ReaderFolder) -> None:
    from chainrule.lessons.exercises import EXERCISES

    say(_("{done} of {count} exercises are done.", done=len(reader.done), count=len(EXERCISES)))


def _task(reader: ReaderFolder, number: int) -> None:
    from chainrule.lessons.exercises import EXERCISES

    exercise = EXERCISES[number]
    say(paint(f"{number}. {exercise.title.said(current())}", "bold"))
    paragraph(exercise.task.said(current()))
    say(_("Your file: {file}", file=printable(str(reader.file(number)))))


def _hint(reader: ReaderFolder, number: int) -> None:
    """The next hint; the last one again, when there are no more."""
    from chainrule.lessons.exercises import EXERCISES

    exercise = EXERCISES[number]
    seen = min(reader.hints.get(exercise.name, 0), len(exercise.hints) - 1)
    head = _("Hint {n} of {count}", n=seen + 1, count=len(exercise.hints))
    say(paint(f"{number}. {exercise.title.said(current())} · {head.said(current())}", "bold"))
    paragraph(exercise.hints[seen].said(current()))
    reader.hints[exercise.name] = seen + 1
    reader.save()


def _reset(reader: ReaderFolder, number: int) -> None:
    """The file as it was at first; the answer that stood there is kept beside it."""
    from chainrule.lessons.exercises import EXERCISES

    file = reader.file(number)
    kept = file.with_suffix(".old.py")
    kept.write_bytes(file.read_bytes())
    reader.reset(number, EXERCISES[number], current())
    reader.record(number, False)
    say(
        _(
            "{file} is as it was at first; your answer is in {kept}.",
            file=printable(str(file)),
            kept=printable(str(kept)),
        )
    )


def _check(reader: ReaderFolder, number: int, everything: bool) -> bool:
    """Try the reader's file, and say what there is to say."""
    from chainrule.atomic_write import write_whole
    from chainrule.lessons.exercises import EXERCISES
    from chainrule.lessons.running import run_file

    exercise, file = EXERCISES[number], reader.file(number)
    result = run_file(exercise, file, current())
    say(paint(f"{number}. {exercise.title.said(current())}", "bold"))
    if result.printed:
        say(_("Your code printed:"))
        say(printable(result.printed.rstrip()))
    say(paint(("✓ " if result.ok else "✗ ") + result.sentence, "green" if result.ok else "red"))
    picture = file.with_suffix(".svg")
    if result.picture is not None:
        write_whole(picture, result.picture.encode(), overwrite=True)
        say(_("The graph, its wrong arrow marked: {file}", file=printable(str(picture))))
    else:
        picture.unlink(missing_ok=True)
    if everything:
        for line in result.more:
            say(f"  {line}")
    elif result.more:
        say(paint(_("--all says more; `chainrule learn hint` gives a hint."), "dim"))
    reader.record(number, result.ok)
    if result.ok:
        _progress(reader)
    return result.ok


def _watch(reader: ReaderFolder, number: int, everything: bool) -> None:
    """Check the file whenever it is saved; go on to the next exercise when it passes. Ctrl-C ends."""
    _task(reader, number)
    say(_("It is checked whenever you save it. Ctrl-C ends."))
    seen = _saved(reader.file(number))
    try:
        while True:
            time.sleep(LOOK)
            if (now := _saved(reader.file(number))) == seen:
                continue
            seen = now
            say()
            if _check(reader, number, everything):
                after = reader.next(number)
                if after is None:
                    return say(paint(_("All exercises are done."), "green", "bold"))
                number = after
                seen = _saved(reader.file(number))
                say()
                _task(reader, number)
    except KeyboardInterrupt:
        say()
        _progress(reader)


def _saved(file: Path) -> tuple[int, int]:
    """When a file was saved, and how long it is; zeros while an editor puts it in place."""
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size
