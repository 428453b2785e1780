"""`chainrule train`: from a table to a trained network in a file."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.command_line import command_line
from chainrule.cli.help_pages import Command, option
from chainrule.cli.options import Number, data_options, engine_option, json_option
from chainrule.cli.places import Place
from chainrule.cli.terminal import (
    complain,
    json_out,
    paint,
    paragraph,
    printable,
    remark,
    rows,
    say,
    size_of,
    spoken,
    typed,
    width,
)
from chainrule.cli.training_options import (
    max_restarts_option,
    quiet_option,
    rank_timeout_option,
    ranks_option,
    report_option,
    seed_option,
    setting_options,
    target_options,
    threads_option,
    validation_option,
    what_options,
)
from chainrule.lang.messages import Text, _, _n, _p, sentences
from chainrule.text_width import cells_wide, padded

if TYPE_CHECKING:
    from chainrule.cli.kept_run import KeptRun
    from chainrule.cli.train_options import TrainOptions
    from chainrule.cli.train_plan import Plan
    from chainrule.cli.train_run import Trained

__all__ = ["data_lines", "show_name", "show_result", "start", "train", "train_and_show"]

INTERRUPTED = 130


@click.command(
    cls=Command,
    help=(
        _("Train a network on DATA and keep it in a file."),
        _(
            "DATA is a CSV, Excel, Parquet, SQLite, NPY, NPZ or IDX file, or a set that comes with chainrule:"
            " digits, iris, penguins, spiral, moons, circles, xor, blobs."
        ),
        _(
            "NumPy's own products run on one thread, unless OPENBLAS_NUM_THREADS (OMP_, MKL_) says"
            " otherwise."
        ),
    ),
    short_help=_("Train a network on a table and keep it in a file."),
    examples=(
        "chainrule train digits",
        "chainrule train iris.csv --target species --out iris.safetensors",
        "chainrule train houses.csv --target price --hidden 64,32 --epochs 200",
        "chainrule train digits --report digits.html",
        "chainrule train houses.csv --target price --preset table --checkpoint houses-run",
        "chainrule train houses.csv --target price --ranks 4 --checkpoint houses-run --max-restarts 3",
        "chainrule train --playground '#dataset=xor&networkShape=4,2&seed=0.40401' --epochs 100",
    ),
)
@click.argument("data", metavar="DATA", required=False)
@what_options
@option(
    "--ensemble",
    type=Number(whole=True, least=1, most=1000, example="8"),
    default=1,
    metavar="N",
    help=_("Train N networks of different seeds at once, and answer with their mean."),
)
@option(
    "--drawn",
    is_flag=True,
    help=_(
        "Draw settings for each network of --ensemble, and keep those whose mean is best on training rows"
        " left out."
    ),
)
@setting_options(
    "--hidden", "--activation", "--optimizer", "--lr", "--schedule", "--epochs", "--batch-size"
)
@validation_option
@option(
    "--patience",
    type=Number(whole=True, least=1, most=10**6, example="10"),
    metavar="N",
    help=_("Stop when the held-out loss has not improved for N epochs; keep the best."),
)
@setting_options("--weight-decay", "--l2", "--dropout", "--label-smoothing", "--beta2", "--sigma")
@target_options
@data_options
@seed_option
@engine_option
@threads_option
@report_option
@option(
    "--checkpoint",
    type=Place(folder=True),
    metavar="FOLDER",
    help=_(
        "Keep the whole state of the training in FOLDER as it goes; `chainrule resume FOLDER` goes on after"
        " a stop, to the same bits. The networks of --ensemble are then trained one after another."
    ),
)
@option(
    "--every",
    metavar="INTERVAL",
    help=_(
        'How often that is done: "100 steps", "1 epoch", "5 min"; by default every 30 s at the most.'
    ),
)
@ranks_option
@option(
    "--reproducible",
    is_flag=True,
    help=_("The same bits on 1, 2, 4 and 8 ranks, at some cost of time."),
)
@max_restarts_option
@rank_timeout_option
@option(
    "--playground",
    is_eager=True,  # --epochs asks for it
    metavar="LINK",
    help=_(
        "Train what a TensorFlow Playground link describes, with its data and its weights, for --epochs;"
        " in place of DATA and all other options but --json, --quiet and --lang."
    ),
)
@json_option
@quiet_option
def train(playground: str | None, as_json: bool, quiet: bool, **options: Any) -> None:
    """Train a network on a table and keep it in a file."""
    ctx = click.get_current_context()
    if playground is not None:
        from chainrule.cli.link import refuse_others, train_link

        refuse_others(ctx)
        train_link(playground, options["epochs"], as_json=as_json, quiet=quiet)
        return
    from chainrule.cli.kept_run import KeptRun
    from chainrule.cli.launch import is_here
    from chainrule.cli.train_options import TrainOptions

    if options["data"] is None:
        missing = next(param for param in ctx.command.params if param.name == "data")
        raise click.MissingParameter(ctx=ctx, param=missing)
    folder, every = options.pop("checkpoint"), options.pop("every")
    if every is not None and folder is None:
        raise click.UsageError(
            _("--every says how often --checkpoint keeps the training; give that, too."), ctx
        )
    if options["max_restarts"] and folder is None:
        raise click.UsageError(
            _("--max-restarts goes on from what --checkpoint has kept; give that, too."), ctx
        )
    for name in ("ranks", "max_restarts", "rank_timeout"):  # those of `resume` have no defaults
        if options[name] is None:
            del options[name]
    chosen = TrainOptions(**options, command=command_line(ctx))
    here = is_here(chosen)
    kept = None if folder is None else KeptRun.begun(folder, every, chosen)
    if here:
        train_and_show(chosen, kept, as_json=as_json, quiet=quiet)
    else:
        start(chosen, folder, as_json=as_json, quiet=quiet)


def start(options: TrainOptions, folder: str | None, *, as_json: bool, quiet: bool) -> None:
    """Have other processes do what this command was to do, and end as they end."""
    from chainrule.cli.launch import end_with, launch

    words = shlex.split(" ".join(command_line(click.get_current_context())))[1:]
    end_with(launch(words, options, folder, quiet=quiet, as_json=as_json), folder)


def train_and_show(
    options: TrainOptions, kept: KeptRun | None, *, as_json: bool, quiet: bool
) -> None:
    """Train, and show the plan, the progress and the result."""
    from chainrule.cli.train_plan import make_plan
    from chainrule.cli.train_run import run_plan

    plan = make_plan(options)
    loud = not (as_json or quiet)
    if loud:
        show_plan(plan)
    try:
        trained = run_plan(plan, "auto" if loud else None, kept)
    except KeyboardInterrupt:
        _tell_of_going_on(kept)
        raise
    if trained is None:
        return  # another rank keeps it, and tells of it
    if as_json:
        json_out(trained.as_json())
    elif loud:
        show_result(trained)
    if trained.interrupted:
        complain(
            _(
                "interrupted in epoch {epoch} of {epochs}; the model so far is in {model}.",
                epoch=trained.epochs,
                epochs=trained.planned,
                model=trained.out,
            ),
            _("Stopped:"),
        )
        _tell_of_going_on(kept)
        click.get_current_context().exit(INTERRUPTED)


def _tell_of_going_on(kept: KeptRun | None) -> None:
    """After a stop: how to go on with what is kept."""
    if kept is not None:
        remark(_("{command} goes on with it.", command=typed("chainrule", "resume", kept.folder)))


def show_plan(plan: Plan) -> None:
    """The plan, shown before training."""
    show_name(plan)
    pairs = [*data_lines(plan), (_("network"), plan.network)]
    if plan.rival is not None:
        pairs.append((_p("another network", "or"), plan.rival.network))
    first, *others = plan.training
    pairs.append((_("training"), _("{rows}; {steps}", rows=plan.held_out, steps=first)))
    pairs += [("", line) for line in others]
    if plan.rival is not None:
        pairs.append(("", _of(plan.rival, plan.rival.training[0])))
    pairs += [(_("engine") if i == 0 else "", line) for i, line in enumerate(_engine_lines(plan))]
    rows(pairs)
    say()


def _engine_lines(plan: Plan) -> list[Text]:
    """The engine that trains; of two presets each has its own."""
    if plan.rival is None or plan.rival.engine == plan.engine:
        return [plan.engine]
    return [_of(each, each.engine) for each in (plan, plan.rival)]


def _of(plan: Plan, told: Text) -> Text:
    """What is told of one of two presets."""
    return _("{preset}: {told}", preset=plan.way.name, told=told)


def show_name(plan: Plan) -> None:
    """The name of the data, with its size and what is predicted."""
    data = printable(
        _(
            "{rows}, {columns}; {predicts}",
            rows=_n("{n:,} row", "{n:,} rows", plan.rows),
            columns=_n("{n:,} column", "{n:,} columns", plan.columns),
            predicts=plan.predicts,
        )
    )
    name = paint(printable(plan.name), "bold")
    if cells_wide(f"{plan.name}  {data}") <= width():
        say(f"{name}  {data}")
    else:
        say(name)
        paragraph(data)
    say()


def data_lines(plan: Plan) -> list[tuple[str, str]]:
    """What was decided about the data, as lines to show."""
    notes = plan.notes[:30]
    if len(plan.notes) > 30:
        more = _n(
            "and {n} more remark; see `chainrule inspect`",
            "and {n} more remarks; see `chainrule inspect`",
            len(plan.notes) - 30,
        )
        notes = (*notes, more)
    return [(_("data") if i == 0 else "", note) for i, note in enumerate(notes)]


def show_result(trained: Trained, *more: str) -> None:
    """The result, and the commands to type next: how to use the model, and `more`."""
    say()
    pairs: list[tuple[str, str]] = [*trained.figures]
    pairs += [(_("time"), _time(trained)), (_("model"), _model(trained))]
    if trained.report:
        pairs.append((_("report"), trained.report))
    rows(pairs)
    if trained.verdict:
        say()
        remark(sentences(*trained.verdict))
    say()
    start = _p("commands to type next", "next")
    lines = [
        typed("chainrule", name, trained.out, trained.data) for name in ("predict", "evaluate")
    ]
    for i, line in enumerate((*lines, *more)):
        before = paint(start, "dim") if i == 0 else padded("", cells_wide(spoken(start)))
        say(f"{before}  {paint(printable(line), 'bold')}")


def _time(trained: Trained) -> Text:
    """How long training took, and why it ended early, if it did."""
    compiled = trained.facts["training"]["engine"] == "compiled"
    time = _(
        "{seconds:.1f} s, {epochs}, {engine}",
        seconds=trained.seconds,
        epochs=_n("{n:,} epoch", "{n:,} epochs", trained.epochs),
        engine=_("compiled engine") if compiled else _("numpy engine"),
    )
    return _("{time}; {why}", time=time, why=trained.stopped) if trained.stopped else time


def _model(trained: Trained) -> Text:
    """The path and size of the model, and why it does not have the plain name."""
    model = _("{model} ({size})", model=trained.out, size=size_of(trained.bytes))
    if not trained.renamed:
        return model
    return _("{model}; {other} was there already, and stays", model=model, other=trained.renamed)
