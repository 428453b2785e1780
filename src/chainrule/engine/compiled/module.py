"""The whole text of a kernel file: the step, the optimizer's rule, and the loop around them."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.engine.compiled.arrays import Written
from chainrule.engine.compiled.effort import bounded
from chainrule.engine.compiled.elements import LOOPS, Argument, Elements
from chainrule.engine.compiled.helpers import HELPERS
from chainrule.engine.compiled.loops import Stack, looped
from chainrule.engine.compiled.marks import unmarked
from chainrule.engine.compiled.parts import Part, shared
from chainrule.engine.compiled.places import rows_text
from chainrule.engine.compiled.schedule import Schedule
from chainrule.engine.compiled.source import Body
from chainrule.engine.compiled.symbolic import NotCompilable, Rows, Symbolic
from chainrule.engine.compiled.update import RUN, update_source
from chainrule.engine.compiled.values import NotAbreast, NotInTurn
from chainrule.engine.names import Names
from chainrule.engine.origins import Origin
from chainrule.engine.protocols import UpdateRule
from chainrule.lang.messages import Text, _

__all__ = ["Run", "Source", "handed_over", "predict_text", "train_text"]

_FIRST = ("blas", "crew", "shard", "shards")
#: What the step and the loop take besides, if ranks share every batch.
_OF_RANKS = "rank", "ranks", "told"
_BUILT_IN = (
    "i",
    *LOOPS,
    "n",
    "r",
    "rows",
    "first",
    "before",
    "everyone",
    "rank",
    "ranks",
    "told",
    "parts",
    "mine",
    "q",
    "batch",
    "team",
    "numbers",
    "words",
    "abs",
    "range",
    "float",
)

#: In how many pieces ranks add up squares: they are half of the numbers that each thread tells.
PIECES = 8

_CALL = re.compile(r" *\w+\(")
#: A comma between arguments, and not within one of them.
_OUTER_COMMA = re.compile(r", (?![^(]*\))")


@dataclass
class Run:
    """A run of parameters that one update kernel changes: the names of its arrays in the text."""

    kernel: str
    arrays: tuple[str, ...]


@dataclass
class Source:
    """The source, the arrays of its main function, and the reason if it cannot be sharded."""

    source: str
    arguments: list[Argument]
    mixed: Text | None
    #: The nodes that a line computes, where the step was recorded with them, by its number from 0.
    origins: Mapping[int, frozenset[Origin]] = field(default_factory=dict)
    #: The functions that update the parameters.
    updates: tuple[str, ...] = ()


def _body(
    step: Symbolic,
    written: Sequence[Written],
    dtype: np.dtype[Any],
    gathered: bool,
    abreast: bool = False,
    block: int = 0,
    ranked: bool = False,
    part: int = 0,
    in_turn: bool = False,
) -> tuple[Body, Schedule]:
    bounded(len(step.values))
    if any(role == "written" and v.has_rows for role, _, v, _ in written):
        raise NotCompilable(_("a buffer in it goes with the batch"))
    whole = [v for role, _, v, _ in written if role == "written"]
    schedule = Schedule(step, whole, gather=abreast)
    given = [
        (role, name, schedule.total(own) if role == "written" else own, payload)
        for role, name, v, payload in written
        for own in [schedule.own(v)]
    ]
    names = Names((*_FIRST, *_GROUPS.values(), *HELPERS, *_BUILT_IN))
    sums = all(v in schedule.parts for role, _, v, _ in given if role in ("loss", "gradient"))
    if block and not (sums and not schedule.mixed):
        raise NotAbreast
    if in_turn and not sums:
        raise NotInTurn
    body = Body(
        schedule,
        given,
        dtype,
        names,
        gathered=gathered,
        abreast=abreast,
        adding=bool(block),
        ranked=ranked,
        part=part,
        in_turn=in_turn,
    )
    if in_turn and any(a.role in ("part", "written") for a in body.arguments):
        raise NotInTurn
    if block and any(a.role in ("part", "written") for a in body.arguments):
        raise NotAbreast
    return body, schedule


def _functions(body: Body, name: str, given: str, doc: str, first: Sequence[str] = ()) -> list[str]:
    """One shard's part as a function, after those that it calls; the lines `first` come before all others."""
    e = body.elements
    found, parts = shared(body.lines, e.names.unique)
    tables = {local: (_number(dtype, "{}"), index) for (dtype, index), local in e.numbers.items()}
    inside, stacks = looped(found, e.arguments, tables, e.names.unique)
    bound = [line for stack in stacks for line in _stacked(stack, inside, e)]
    used = set(re.findall(r"\w+", "\n".join([*inside, *bound])))
    head = bound
    for a in body.arguments:
        if a.role == "work" and not a.stacked and any(isinstance(d, Rows) for d in a.shape):
            head.append(f"{a.name} = {_own_rows(a, e)}")
    for (dtype, value), local in e.literals.items():
        number = f"float('{value}')" if value in (math.inf, -math.inf) else repr(value)
        head.append(f"{local} = {dtype}({number})")
    for (dtype, index), local in e.numbers.items():
        if local in used:
            head.append(f"{local} = {_number(dtype, index)}")
    groups = _grouped(body.arguments)
    lines = ["@kernel", *_wrapped(f"def {name}({given}, {', '.join(groups)}):"), f'    """{doc}"""']
    lines += [f"    {line}" for line in first]
    if "team" in used:
        ranks = ", everyone, before, rank, ranks" if e.part and not e.in_turn else ""
        lines.append(f"    team = crew, shard, shards, first, batch{ranks}")
    if "alone" in used:
        lines.append("    alone = crew, shard, 1, 0, n")
    for group, names in groups.items():
        lines += _wrapped(f"    ({', '.join(names)},) = {group}")
    for line in [*head, *inside]:
        lines += _wrapped(f"    {line}") if _CALL.match(line) else [f"    {line}"]
    return [*map(_part, parts), "\n".join(lines)]


def _number(dtype: str, index: int | str) -> str:
    """A number of the step, from its table."""
    return f"{dtype}({'numbers' if dtype.startswith('float') else 'words'}[{index}])"


def _stacked(stack: Stack, inside: Sequence[str], e: Elements) -> list[str]:
    """Put a stack in place of its arrays; gives the lines for those that the text still names."""
    form = stack.form
    shape = (stack.size, *form.shape)
    for member in stack.members.values():
        del e.arguments[member]
    e.arguments[stack.name] = Argument(stack.name, "work", shape, form.dtype, stacked=True)
    e.imports.add("at")
    used = set(re.findall(r"\w+", "\n".join(inside)))
    lines = []
    if isinstance(form.shape[0], Rows):
        first, rows = _own(form, e)
        lines.append(f"{stack.name} = own_rows({stack.name}, {first or 0}, {rows})")
        e.imports.add("own_rows")
    named = ((number, name) for number, name in stack.members.items() if name in used)
    return lines + [f"{name} = {stack.text(number)}" for number, name in named]


def _part(part: Part) -> str:
    """A part of a step as a function."""
    lines = ["@kernel", *_wrapped(f"def {part.name}({', '.join(part.parameters)}):")]
    lines.append(f'    """A part of the step, which comes {part.calls} times."""')
    return "\n".join([*lines, *(f"    {line}" for line in part.lines)])


def _file(title: str, imports: set[str], functions: Sequence[str]) -> str:
    """The text of a whole file."""
    head = "\n".join([f'"""{title}"""', "", *_imports(imports)])
    return head + "\n\n" + "\n\n\n".join(functions) + "\n"


def _own_rows(a: Argument, e: Elements) -> str:
    """The part of an array with this thread's n rows, which may be fewer than it has room for."""
    if isinstance(a.shape[0], Rows) and not any(isinstance(d, Rows) for d in a.shape[1:]):
        first, rows = _own(a, e)
        return f"{a.name}[{first}:{first} + {rows}]" if first else f"{a.name}[:{rows}]"
    sizes = [
        rows_text(d) if isinstance(d, Rows) else f"{a.name}.shape[{axis}]"
        for axis, d in enumerate(a.shape)
    ]
    e.imports.add("shaped")
    return f"shaped({a.name}, ({', '.join(sizes)}))"


def _own(a: Argument, e: Elements) -> tuple[str, str]:
    """Where a thread's own rows of an array begin, if not at the first, and how many there are."""
    rows = a.shape[0]
    assert isinstance(rows, Rows)
    if e.gathered and a.shared and not e.abreast:
        first = "first" if rows.times == 1 else f"{rows.times} * first"
        return first, rows_text(rows)
    return "", rows_text(rows)


#: The groups in which arrays are passed, by role.
_GROUPS = {
    "data": "data",
    "bound": "params",
    "constant": "params",
    "gradient": "grads",
    "work": "work",
    "part": "work",
    "written": "written",
    "out": "out",
    "buffer": "buffers",
}


def _grouped(arguments: Sequence[Argument]) -> dict[str, list[str]]:
    """The names of the arrays, by group."""
    groups: dict[str, list[str]] = {}
    for group in dict.fromkeys(_GROUPS.values()):
        names = [a.name for a in arguments if _GROUPS[a.role] == group]
        if names:
            groups[group] = names
    return groups


def _wrapped(line: str, width: int = 98) -> list[str]:
    """A long line of arguments on several lines."""
    if len(line) <= width:
        return [line]
    head, rest = line.split("(", 1)
    inside, tail = rest.rsplit(")", 1)
    lines = [f"{head}("]
    pad = " " * (len(head) - len(head.lstrip()) + 4)
    current = pad
    for part in _OUTER_COMMA.split(inside):
        if len(current) + len(part) + 2 > width:
            lines.append(current.rstrip())
            current = pad
        current += f"{part}, "
    lines.append(current.rstrip().rstrip(","))
    lines.append(f"{pad[:-4]}){tail}")
    return lines


def _imports(used: set[str]) -> list[str]:
    lines = []
    dtypes = sorted(u for u in used if hasattr(np, u) and u[:3] in ("flo", "int", "uin"))
    if dtypes:
        lines.append(f"from numpy import {', '.join(dtypes)}")
    for module in sorted(set(HELPERS.values())):
        found = sorted(name for name in used if HELPERS.get(name) == module)
        if found:
            lines += _wrapped_import(module, found)
    return lines


def _wrapped_import(module: str, names: list[str]) -> list[str]:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= 98:
        return [line]
    inside = textwrap.fill(", ".join(names), 94)
    return [f"from {module} import (", textwrap.indent(f"{inside},", "    "), ")"]


def train_text(
    title: str,
    step: Symbolic,
    written: Sequence[Written],
    optimizer: UpdateRule,
    ways: Sequence[tuple[bool, float]],
    dtype: np.dtype[Any],
    limited: bool,
    abreast: bool = False,
    block: int = 0,
    ranked: bool = False,
    part: int = 0,
    in_turn: bool = False,
) -> Source:
    """The kernel file of a training step.

    `abreast` for one row in each lane; with a `block` that many rows at a time, whose gradients are
    added up. `ranked` if ranks share every batch; `part` is how many rows each part of a batch has, if
    no bit may depend on how many ranks there are, else 0. Each part then has a thread, or, `in_turn`, each
    thread computes several parts, one after the other.

    Raises:
        NotAbreast: rows cannot be computed so.
        NotInTurn: parts need each other before they are computed.
    """
    body, schedule = _body(
        step,
        written,
        dtype,
        gathered=True,
        abreast=abreast,
        block=block,
        ranked=ranked,
        part=part,
        in_turn=in_turn,
    )
    imports = {"kernel", "without_subnormals", "share", "wait", "float64"}
    step_text = _functions(
        body,
        "step",
        "blas, crew, shard, shards, first, batch, rows, numbers, words"
        + (", rank, ranks, everyone, before" if ranked else ""),
        "Forward and backward for one shard's rows; gives its part of the loss.",
        ["n = rows.shape[0]"],
    )
    imports |= body.elements.imports
    updates: dict[str, str] = {}
    runs: list[Run] = []
    name = type(optimizer).__name__.lower()
    name = name if name.isidentifier() else "update"
    for i, (decay, factor) in enumerate(ways):
        text, used = update_source(optimizer, dtype, "UPDATE", decay, factor, limited)
        imports |= used
        kernel = updates.setdefault(text, name if not updates else f"{name}_{len(updates) + 1}")
        slots = [f"{s}{i + 1}" for s in optimizer.slots]
        runs.append(Run(kernel, (f"p{i + 1}", f"g{i + 1}", f"others{i + 1}", *slots)))
    update_text = [text.replace("UPDATE", kernel) for text, kernel in updates.items()]
    loop, arguments = _loop(body, runs, limited, imports, block)
    marked = _file(title, imports, [*step_text, *update_text, "\n".join(loop)])
    source, origins = unmarked(marked)
    bounded(len(step.values), source.count("\n"))
    return Source(source, arguments, schedule.mixed, origins, tuple(updates.values()))


def _loop(
    body: Body, runs: Sequence[Run], limited: bool, imports: set[str], block: int
) -> tuple[list[str], list[Argument]]:
    """The text of the function that makes many steps, one thread's part of each."""
    ranked, arguments = body.elements.ranked, body.arguments
    in_turn = body.elements.in_turn
    buffers = [a for a in arguments if a.role == "written"]
    targets = []
    for a in buffers:
        targets.append(
            Argument(a.name.replace("new_", "old_"), "buffer", a.shape, a.dtype, a.payload)
        )
    given = [
        *_FIRST, *(_OF_RANKS if ranked else []), *(["parts"] if in_turn else []),
        "batch", "order", "starts", "rates", "numbers", "words", "losses", "checks",
        *(["limits"] if limited else []),
        *_grouped(arguments), *(["buffers"] if targets else []), *(f"run{i + 1}" for i in range(len(runs))),
    ]  # fmt: skip
    groups = ", ".join(
        [*(["rank", "ranks", "n", "before"] if ranked else []), *_grouped(arguments)]
    )
    who, result = ("q, parts", "q") if in_turn else ("shard, shards", "shard")
    call = (
        f"step(blas, crew, {who}, {{0}}, m, rows[{{0}}:{{1}}], numbers[which], words[which], {{2}})"
    )
    if block:
        steps = [
            "        for g in grads:",
            "            g[:] = 0",
            "        loss = float64(0.0)",
            f"        for start in range(low, high, {block}):",
            f"            stop = min(start + {block}, high)",
            *_wrapped(f"            loss += {call.format('start', 'stop', groups)}"),
            f"        checks[s % 2, {result}, 0] = loss",
        ]
    else:
        steps = _wrapped(
            f"        checks[s % 2, {result}, 0] = {call.format('low', 'high', groups)}"
        )
    if in_turn:
        steps = _in_turn(steps, runs, imports)
    lines = [
        "@kernel",
        "@without_subnormals",
        *_wrapped(f"def train({', '.join(given)}):"),
        '    """Step after step, one thread\'s part of each; gives how many steps went well."""',
        *(f"    {', '.join(run.arrays)} = run{i + 1}" for i, run in enumerate(runs)),
        "    for s in range(starts.shape[0] - 1):",
        *(_ROWS_OF_A_RANK if ranked else _ROWS),
        *(_ROWS_OF_A_THREAD if ranked and not in_turn else []),
        *steps,
        "        wait(crew, shards)",
        *(_added_over_ranks(runs, imports, in_turn) if ranked else []),
        "        check = float64(0.0)",
    ]
    if limited:
        lines += _limited(runs, imports, ranked)
    for i in range(len(buffers)):
        imports.add("put")
        lines += ["        if shard == 0:", f"            check += put(buffers[{i}], written[{i}])"]
    lines.append("        rate = rates[min(s, rates.shape[0] - 1)]")
    scale = "scale" if limited else "1.0"
    for run in runs:
        p, g, others, *slots = run.arrays
        rest = f"{others}[:0, low:high]" if ranked else f"{others}[:, low:high]"  # added already
        parts = [f"{p}[low:high]", f"{g}[low:high]", rest]
        parts += [f"{slot}[low:high]" for slot in slots]
        lines += [
            f"        end = share({p}.size, shard + 1, shards)",
            f"        for low in range(share({p}.size, shard, shards), end, {RUN}):",
            f"            high = min(low + {RUN}, end)",
            *_wrapped(f"            check += {run.kernel}({', '.join(parts)}, rate, {scale})"),
        ]
    lines += [
        "        checks[s % 2, shard, 1] = check",
        "        wait(crew, shards)",
        f"        loss = {'told[0]' if ranked else 'float64(0.0)'}",
        "        check = float64(0.0)",
        "        for i in range(shards):",
        *([] if ranked else ["            loss += checks[s % 2, i, 0]"]),
        "            check += checks[s % 2, i, 1]",
        "        losses[s] = loss",
        "        if not isfinite(loss + check):",
        *(["            if shard == 0:", "                told[2] = 2.0"] if ranked else []),
        "            return s",
        *(["        if told[1] != 0.0:", "            return s + 1"] if ranked else []),
        "    return starts.shape[0] - 1",
    ]
    imports.add("isfinite")
    return lines, [*arguments, *targets]


#: The rows of a step, and those of a thread.
_ROWS = [
    "        rows = order[starts[s]:starts[s + 1]]",
    "        m = rows.shape[0]",
    "        which = 0 if m == batch else 1",
    "        low, high = share(m, shard, shards), share(m, shard + 1, shards)",
]
#: The same of a rank, which has some rows of the batch; `before` are those of the ranks before it.
_ROWS_OF_A_RANK = [
    "        all_rows = order[starts[s]:starts[s + 1]]",
    "        n = all_rows.shape[0]",
    "        which = 0 if n == batch else 1",
    "        before = share(n, rank, ranks)",
    "        rows = all_rows[before:share(n, rank + 1, ranks)]",
    "        m = rows.shape[0]",
]
#: The rows of each of its threads.
_ROWS_OF_A_THREAD = [
    "        low = share(n, rank * shards + shard, ranks * shards) - before",
    "        high = share(n, rank * shards + shard + 1, ranks * shards) - before",
]


def _in_turn(steps: Sequence[str], runs: Sequence[Run], imports: set[str]) -> list[str]:
    """The lines by which a thread computes its parts of a batch, of which `steps` compute one."""
    imports.add("add_in_turn")
    arrays = [run.arrays for run in runs]
    return [
        "        mine, end = share(parts, shard, shards), share(parts, shard + 1, shards)",
        "        for q in range(mine, end):",
        "            low = share(n, rank * parts + q, ranks * parts) - before",
        "            high = share(n, rank * parts + q + 1, ranks * parts) - before",
        *(f"    {line}" for line in steps),
        *(
            f"            add_in_turn({g}, {others}, shard, shards, q - mine, end - mine)"
            for _, g, others, *_ in arrays
        ),
    ]


def _limited(runs: Sequence[Run], imports: set[str], ranked: bool) -> list[str]:
    """The lines that find the factor for gradients whose norm has a limit.

    Ranks need the same bits, however many threads each has: there, squares are added up in pieces.
    """
    if ranked:
        imports |= {"squares", "limited_alike"}
        found = " + ".join(f"squares({run.arrays[1]}, p, {PIECES})" for run in runs)
        return [
            f"        for p in range(share({PIECES}, shard, shards), share({PIECES}, shard + 1, shards)):",
            f"            checks[s % 2, 0, {PIECES} + p] = {found}",
            "        wait(crew, shards)",
            f"        scale = limited_alike(checks[s % 2, 0, {PIECES}:], limits)",
        ]
    imports |= {"add_shards", "limited"}
    lines = ["        checks[s % 2, shard, 2] = 0.0"]
    for run in runs:
        _, g, others = run.arrays[:3]
        lines.append(f"        checks[s % 2, shard, 2] += add_shards({g}, {others}, shard, shards)")
    lines += [
        "        wait(crew, shards)",
        "        scale = limited(checks[s % 2], shards, limits)",
    ]
    return lines


def _added_over_ranks(runs: Sequence[Run], imports: set[str], in_turn: bool) -> list[str]:
    """The lines that add up gradients and loss, over this rank's threads and then over the ranks.

    `told` are the loss, whether a rank wants to stop after this step, and whether adding up failed.
    """
    imports |= {"add_in_pairs", "add_up", "loss_of_all"}
    threads, parts = ("[:shards - 1]", "parts") if in_turn else ("", "shards")
    return [
        *(
            f"        add_in_pairs({g}, {others}{threads}, shard, shards)"
            for _, g, others, *_ in (run.arrays for run in runs)
        ),
        "        wait(crew, shards)",
        "        if shard == 0:",
        "            told[2] = 1.0",
        f"            told[0] = loss_of_all(checks[s % 2], {parts}, {runs[0].arrays[1]})",
        "            add_up(crew, told)",
        "        wait(crew, shards)",
        "        if told[2] != 0.0:",
        "            return s",
    ]


def handed_over(
    arguments: Sequence[Argument], arrays: Mapping[str, Any]
) -> dict[str, tuple[Any, ...]]:
    """The arrays by name, in the groups that the main function takes."""
    groups = _grouped(arguments)
    return {group: tuple(arrays[name] for name in names) for group, names in groups.items()}


def predict_text(
    title: str, step: Symbolic, written: Sequence[Written], dtype: np.dtype[Any]
) -> Source:
    """The kernel file of a prediction: blocks of rows, one after the other."""
    body, schedule = _body(step, written, dtype, gathered=False)
    forward = _functions(
        body,
        "forward",
        "blas, crew, shard, shards, first, n, numbers, words",
        "The outputs for n rows.",
    )
    imports = {"kernel", *body.elements.imports}
    arguments = body.arguments
    groups = _grouped(arguments)
    given = ["blas", "crew", "low", "high", "block", "numbers", "words", *groups]
    parts = [f"({name}[0][start:stop],)" if name in ("data", "out") else name for name in groups]
    loop = [
        "@kernel",
        *_wrapped(f"def predict({', '.join(given)}):"),
        '    """Rows low to high, a block at a time."""',
        "    for start in range(low, high, block):",
        "        stop = min(start + block, high)",
        *_wrapped(
            "        forward(blas, crew, 0, 1, start, stop - start, numbers, words,"
            f" {', '.join(parts)})"
        ),
    ]
    source = _file(title, imports, [*forward, "\n".join(loop)])
    bounded(len(step.values), source.count("\n"))
    return Source(source, arguments, schedule.mixed)
