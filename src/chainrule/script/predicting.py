"""Programs that predict: the network of a model file and the preprocessing of its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainrule.engine.protocols import RecordableNetwork
from chainrule.errors import SettingError
from chainrule.graph.variable import Array
from chainrule.lang.messages import _, listed, sentences
from chainrule.layers import CategoryEmbedding, Embedding, PeriodicEmbedding
from chainrule.layers.losses import Loss
from chainrule.script.function_source import literal
from chainrule.script.page import Page, lay_out, widths_of
from chainrule.script.protocols import WritableModel
from chainrule.script.recorded import record_predict
from chainrule.script.script import Script
from chainrule.script.wording import WIDTH, comment, docstring, printed, spoken
from chainrule.settings import language

if TYPE_CHECKING:
    from chainrule.datasets import Preprocessor

__all__ = ["prediction_script", "rows_for", "unread_columns"]

_READ = """\
def read(path):
    {doc}
    with open(path, encoding={encoding}, newline="") as file:
        first = file.readline()
        file.seek(0)
        delimiter = max(",;\\t", key=first.count)
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=delimiter != "\\t")
        rows = [(reader.line_num, row) for row in reader if row]
    names = {first} if rows else []
    if not rows:
        sys.exit({nothing})
    if not names[-1]:
        names.pop()  # {trailing}
    for line, row in rows:
        if len(row) != len(names) and (len(row) != len(names) + 1 or row[-1].strip()):
            sys.exit({unequal})
    return dict(zip(names, zip(*(row for _, row in rows)))), [line for line, _ in rows]
"""

_NUMBER = """\
def number(cell, place):
    {doc}
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        sys.exit({refused})
    return value
"""

_DATE = """\
def day(cell, place, day_first):
    {doc}
    parts = re.fullmatch(r"(\\d{{1,2}})[-/.](\\d{{1,2}})[-/.](\\d{{2,4}})(?:[ T]+(\\d.*))?", cell)
    date, clock = "1970-01-01", cell
    if parts:
        one, two, year, clock = parts.groups("0:00")
        if max(int(one), int(two)) > 12:
            day_first = int(one) > 12
        month, day = (two, one) if day_first else (one, two)
        year = year if len(year) > 2 else ("20" if int(year) < 70 else "19") + year
        date = f"{{year}}-{{month:0>2}}-{{day:0>2}}"
    if re.fullmatch(r"\\d{{1,2}}(:\\d\\d){{1,2}}", clock):
        cell = date + " " + clock.zfill(8 if clock.count(":") > 1 else 5)
    try:
        when = datetime.datetime.fromisoformat(cell).replace(tzinfo=None)
    except ValueError:
        return number(cell, place)
    return (when - datetime.datetime(1970, 1, 1)).total_seconds() / 86400


def date_part(days, part):
    {part_doc}
    dates = np.floor(days).astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    return {{
        "year": dates.astype("datetime64[Y]").astype(int) + 1970,
        "month": months.astype(int) % 12 + 1,
        "day": (dates - months.astype("datetime64[D]")).astype(int) + 1,
        "weekday": (np.floor(days).astype(int) + 3) % 7,
        "hour": (days - np.floor(days)) * 24,
    }}[part]


DAY_FIRST = dict({names})
"""

_PREPARE = """\
def prepare(path):
    {doc}
    table, lines = read(path)
    absent = [repr(name) for name, *_ in COLUMNS if name not in table]
    if absent:
        sys.exit({absent})
    inputs = []
    for name, kind, *how in COLUMNS:
        cells = [cell.strip() for cell in table[name]]
        cells = ["" if cell in MISSING else cell for cell in cells]
        if kind == "texts":
            inputs += [np.array([cell == word for cell in cells], float) for word in how[0]]
        elif kind == "codes":
            codes = dict(zip(how[0], how[1]))
            inputs.append(np.array([codes.get(cell, how[2]) for cell in cells]))
        elif kind == "missing":
            inputs.append(np.array([cell == "" for cell in cells], float))
        else:
            center, scale, median, clip = how[:4]
            words = {{"", *(w for n, k, *h in COLUMNS if n == name and k == "texts" for w in h[0])}}
            places = [{place} for line in lines]
            known = [c not in words for c in cells]
            numbers = np.full(len(cells), median)
            numbers[known] = [{cell} for c, at, k in zip(cells, places, known) if k]
{of}            numbers = (numbers - center) / scale if scale else 0 * numbers
            inputs.append(numbers / np.hypot(1, numbers / clip) if clip else numbers)
    return np.column_stack(inputs)
"""

_OF = """\
            if kind != "number":
                numbers[known] = date_part(numbers[known], kind)
"""


def prediction_script(model: WritableModel, *, lang: str | None = None) -> Script:
    """A program that makes the model's predictions, from a CSV file or an array.

    The weights are in the `.npz` beside it. `python FILE table.csv` prints a prediction for every
    row: the label, or the value in the target's own unit. The table has the columns the model was
    trained on; missing cells are filled and numbers scaled as in training. It reads plain numbers, texts,
    words among numbers, and dates such as 2024-03-31 or 3/31/2024 12:30; dates with names, units and
    decimal commas are for `chainrule predict`.
    `python FILE inputs.npy` takes an array of network inputs: prepared rows, or, for a model saved
    without a preparation, the rows themselves (which may then also be a CSV file of plain numbers).

    `lang` is the language of the comments and of the program's error messages, "en" or "zh"; None:
    the language of CHAINRULE_LANG, else English.

    Raises:
        RecordingError: a part of the network cannot be written out.
        SettingError: a network whose inputs have no known shape.
    """
    lang = language(lang)
    network = model.network
    network._flatten_parameters()
    page = Page(network, lang)
    x = (
        rows_for(network)
        if model.preparation is None
        else _prepared_rows(model.preparation, network)
    )
    if x is None:
        raise SettingError(
            _(
                "the shape of this network's inputs is not known from its layers, so no program that predicts"
                " can be written. From Python, network.script(optimizer, x, t) writes one that trains."
            )
        )
    ((recording, sizes),) = lay_out(
        lambda n: record_predict(network, x, n), widths_of(network, x), ()
    )
    function = page.function(recording, sizes, recording.arguments)
    parameters = page.parameter_lines([function])
    doc = _("The outputs of the network: scores or values, one row for each row of x.")
    lines = [
        "def predict(x):",
        f"    {docstring(doc, lang)}",
        *function.lines,
        f"    return {function.e.text(recording.out)}",
    ]
    blocks = ["\n".join([*comment(_("Parameters"), lang), *parameters])]
    if model.preparation is not None:
        blocks += [
            _columns(model.preparation, lang),
            _reader(model.facts, lang),
            _number(lang),
            *_dates(model.preparation, lang),
            _prepare(model.preparation, lang),
        ]
    blocks += [*function.helpers, "\n".join(lines), "\n".join(_use(model, x, lang))]
    return Script(page.text(_doc(model, lang), blocks), page.arrays)


def _prepared_rows(preparation: Preprocessor, network: RecordableNetwork) -> Array:
    """Two rows of zeros of the shape that a preparation makes."""
    return np.zeros((2, len(preparation.features)), network.dtype)


def rows_for(network: RecordableNetwork) -> Array | None:
    """Two rows of zeros of the shape that the network takes; None if its layers do not tell."""
    for layer in network.layers:
        if isinstance(layer, Embedding | CategoryEmbedding | PeriodicEmbedding):
            break
        for p in layer._parameters.values():
            return np.zeros((2, p.shape[0]), network.dtype)
    return None


def _doc(model: WritableModel, lang: str) -> list[str]:
    layers = [type(layer).__name__ for layer in model.network.layers]
    names = listed(layers if len(layers) <= 8 else [*layers[:8], "…"])
    if model.preparation is None:
        what, table = _("Predict with NumPy alone: {layers}.", layers=names), "numbers.csv"
    else:
        target, table = model.preparation.target, "table.csv"
        what = _("Predict {target} with NumPy alone: {layers}.", target=target, layers=names)
    use = _("Use: python THIS_FILE {table} or {array}", table=table, array="inputs.npy")
    return [
        spoken(what.said(lang), 95),
        "",
        sentences(_("Written by chainrule."), use).said(lang),
    ]


def _columns(preparation: Preprocessor, lang: str) -> str:
    """The constants that say how each column of a table is prepared."""
    from chainrule.datasets.cells import MISSING

    description = preparation.to_json()
    rows: list[tuple[object, ...]] = []
    for column in description["columns"]:
        name, kind = column["name"], column["kind"]
        if kind == "number":
            numbers = [float(column[key]) for key in ("mean", "std", "median")]
            rows.append((name, column["of"] or "number", *numbers, column["clip"]))
        elif kind == "flag":
            rows.append((name, "missing"))
        elif kind == "code":
            rows.append((name, "codes", column["categories"], column["values"], column["other"]))
        else:
            rows.append((name, "texts", column["categories"]))
    note = _(
        "A column: a number with center, scale, median and limit; a text with its words, or with a number"
        " for each of its words and for all others; or whether a number is missing"
    )
    lines = [*comment(note, lang), *_list_lines("COLUMNS", rows)]
    if description["classes"] is not None:
        lines += _list_lines("CLASSES", description["classes"])
    lines += _list_lines("MISSING", sorted(MISSING))
    return "\n".join(lines)


def unread_columns(preparation: Preprocessor, *, dates: bool = False) -> list[str]:
    """The columns whose cells stand in the table with a unit or a decimal comma, or are `dates`."""
    forms = {
        column["name"]: column["form"]
        for column in preparation.to_json()["columns"]
        if column["kind"] == "number"
    }
    return [
        name
        for name, form in forms.items()
        if form["unit"] or form["decimal"] == "," or (dates and form["kind"] == "date")
    ]


def _list_lines(name: str, items: Sequence[object]) -> list[str]:
    """An assignment of a list, on one line or with one line for each item, as a formatter has it."""
    text = f"{name} = {literal(list(items))}"
    if len(text) <= WIDTH and not any(isinstance(i, tuple) for i in items):
        return [text]
    return [f"{name} = [", *_items(items, 4), "]"]


def _items(items: Sequence[object], indent: int) -> list[str]:
    lead, lines = " " * indent, []
    for item in items:
        text = f"{lead}{literal(item)},"
        if len(text) <= WIDTH or not isinstance(item, tuple | list):
            lines.append(text)
            continue
        opened, closed = "()" if isinstance(item, tuple) else "[]"
        lines += [f"{lead}{opened}", *_items(item, indent + 4), f"{lead}{closed},"]
    return lines


def _reader(facts: Mapping[str, object], lang: str) -> str:
    """The function that reads a table, with the encoding and header of the training data if known."""
    data = facts.get("data") if isinstance(facts.get("data"), dict) else {}
    assert isinstance(data, dict)
    encoding = data.get("encoding")
    text = literal(encoding if isinstance(encoding, str) else "utf-8-sig")
    headless = data.get("header") is False
    doc = (
        _("The columns of a table by name, and the line of each row; these are x0, x1, ....")
        if headless
        else _(
            "The columns of a table by name, and the line of each row; the first line holds the names."
        )
    )
    nothing = _("{path}: there are no rows of data.", path="{path}")
    unequal = _(
        "{path}, line {line}: {cells} cells, but {columns} columns.",
        path="{path}",
        line="{line}",
        cells="{len(row)}",
        columns="{len(names)}",
    )
    return _READ.format(
        doc=docstring(doc, lang),
        encoding=text,
        nothing=printed(nothing, lang),
        trailing=_("a separator at the end of the line").said(lang),
        unequal=printed(unequal, lang),
        first='[f"x{i}" for i in range(len(rows[0][1]))]'
        if headless
        else "[name.strip() for name in rows.pop(0)[1]]",
    )


def _number(lang: str) -> str:
    refused = _("{place}: {cell} is not a finite number.", place="{place}", cell="{cell!r}")
    doc = docstring(_("The number in a cell."), lang)
    return _NUMBER.format(doc=doc, refused=printed(refused, lang))


def _dates(preparation: Preprocessor, lang: str) -> list[str]:
    """The functions that read dates, if there are any."""
    names = _date_columns(preparation)
    if not names:
        return []
    doc = docstring(
        _(
            "Days since 1970-01-01: of a date or a time of day such as 2024-03-31, 3/31/2024 or 18:30."
        ),
        lang,
    )
    part_doc = docstring(_("The year, month, ... of days since 1970-01-01."), lang)
    return [_DATE.format(doc=doc, part_doc=part_doc, names=literal(list(names.items())))]


def _date_columns(preparation: Preprocessor) -> dict[str, bool]:
    """The columns of dates, and whether 3/4/2024 is in April."""
    forms = preparation.forms.items()
    return {name: bool(form.day_first) for name, form in forms if form.kind == "date"}


def _prepare(preparation: Preprocessor, lang: str) -> str:
    doc = _("The inputs of the network: numbers as (cell - center) / scale, texts as numbers.")
    absent = _(
        "{path}: no column {names}. Columns: {columns}.",
        path="{path}",
        names="{', '.join(absent)}",
        columns="{', '.join(table)}",
    )
    place = _(
        "{path}, line {line}, column {column}", path="{path}", line="{line}", column="{name!r}"
    )
    dates = bool(_date_columns(preparation))
    cell = "number(c, at)"
    if dates:
        cell = "day(c, at, DAY_FIRST[name]) if name in DAY_FIRST else number(c, at)"
    return _PREPARE.format(
        doc=docstring(doc, lang),
        absent=printed(absent, lang),
        place=printed(place, lang),
        cell=cell,
        of=_OF if dates else "",
    )


def _use(model: WritableModel, x: Array, lang: str) -> list[str]:
    """The lines that read the file named on the command line and print the predictions."""
    kinds = "numbers.csv|inputs.npy" if model.preparation is None else "table.csv|inputs.npy"
    read, errors = 'np.loadtxt(path, delimiter=",", ndmin=2)', "OSError, ValueError"
    if model.preparation is not None:
        read, errors = "prepare(path)", "OSError, ValueError, csv.Error"
    use = _("use: python {program} {files}", program="{sys.argv[0]}", files=kinds)
    why = "{getattr(error, 'strerror', None) or error}"
    unread = _("{where}: {what}", where="{path}", what=why)
    wide = _(
        "{path}: rows of {n} numbers are needed; got an array {shape}.",
        path="{path}",
        n=x.shape[1],
        shape="{x.shape}",
    )
    lines = [
        *comment(_("The answers"), lang),
        "if len(sys.argv) != 2:",
        f"    sys.exit({printed(use, lang)})",
        "path = sys.argv[1]",
        "try:",
        '    if path.endswith(".npy"):',
        "        x = np.load(path, allow_pickle=False)",
        "    else:",
        f"        x = {read}",
        f"    x = x.astype(np.{x.dtype.name})",
        f"except ({errors}) as error:",
        f"    sys.exit({printed(unread, lang)})",
        f"if x.ndim != 2 or x.shape[1] != {x.shape[1]}:",
        f"    sys.exit({printed(wide, lang)})",
        "y = predict(x)",
    ]
    answer = "y"
    if model.classifies:
        target = model.network.loss.target if isinstance(model.network.loss, Loss) else "values"
        answer = "(y[:, 0] > 0).astype(int)" if target == "binary" else "y.argmax(axis=1)"
        if target == "values":  # one answer tells by its sign, several by the largest
            answer = "(y[:, 0] > 0 if y.shape[1] == 1 else y.argmax(axis=1)).astype(int)"
        if model.preparation is not None:
            answer = f"np.array(CLASSES)[{answer}]"
    elif model.preparation is not None:
        description = model.preparation.to_json()
        spread, center = (
            literal(float(description["spread"])),
            literal(float(description["center"])),
        )
        answer = f"(y[:, 0].astype(float) * {spread} + {center})"
        if description["limits"] is not None:
            low, high = map(literal, description["limits"])
            answer += f".clip({low}, {high})"
    return [*lines, f"for answer in {answer}.tolist():", "    print(answer)"]
