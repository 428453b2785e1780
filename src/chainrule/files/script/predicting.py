"""Programs that predict: a model file's network and the preparation of its tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError
from chainrule.files.programs import Script
from chainrule.files.script.page import Page, lay_out, widths_of
from chainrule.files.script.plain import literal
from chainrule.files.script.recorded import record_predict
from chainrule.files.script.wording import WIDTH, spoken
from chainrule.layers import Embedding
from chainrule.layers.losses import Loss

if TYPE_CHECKING:
    from chainrule.datasets import Preparation
    from chainrule.files.model import Model
    from chainrule.networks import Network

__all__ = ["predict"]

_READ = '''\
def read(path):
    """The columns of a table by name; its first line holds the names."""
    with open(path, encoding={encoding}, newline="") as file:
        first = file.readline()
        file.seek(0)
        delimiter = max(",;\\t", key=first.count)
        rows = [row for row in csv.reader(file, delimiter=delimiter) if row]
    names = {names}
    return {{name.strip(): column for name, column in zip(names, zip({rows}))}}
'''

_PREPARE = '''\
def prepare(table):
    """The inputs of the network: numbers as (cell - mean) / deviation, texts as 0 and 1."""
    inputs = []
    for name, *how in COLUMNS:
        cells = [cell.strip() for cell in table[name]]
        cells = ["" if cell in MISSING else cell for cell in cells]
        if len(how) == 1:
            inputs += [np.array([cell == word for cell in cells], float) for word in how[0]]
        else:
            mean, deviation, median = how
            numbers = np.array([float(cell) if cell else median for cell in cells])
            inputs.append((numbers - mean) / deviation if deviation else 0 * numbers)
    return np.column_stack(inputs)
'''


def predict(model: Model) -> Script:
    """The program that predicts: see `chainrule.files.predicting_script`."""
    network = model.network
    network.adopt()
    page = Page(network)
    x = _example(network)
    ((recorded, sizes),) = lay_out(
        lambda n: record_predict(network, x, n), widths_of(network, x), ()
    )
    function = page.function(recorded, sizes, recorded.arguments)
    parameters = page.parameter_lines([function])
    lines = [
        "def predict(x):",
        '    """The outputs of the network: scores or values, one row for each row of x."""',
        *function.lines,
        f"    return {function.e.text(recorded.out)}",
    ]
    blocks = ["\n".join(["# Parameters", *parameters])]
    if model.preparation is not None:
        blocks += [
            _columns(model.preparation),
            _reader(model.facts),
            _PREPARE,
        ]
    blocks += [*function.helpers, "\n".join(lines), "\n".join(_use(model, x.dtype))]
    return Script(page.text(_doc(model), blocks), page.arrays)


def _example(network: Network) -> npt.NDArray[Any]:
    """Two rows like those the network takes."""
    for layer in network.layers:
        for p in layer._parameters.values():
            if isinstance(layer, Embedding):
                break
            return np.zeros((2, p.shape[0]), network.dtype)
    raise SettingError(
        "the shape of this network's inputs is not known from its layers, so no program that predicts"
        " can be written. Give data to train on (--data FILE)."
    )


def _doc(model: Model) -> list[str]:
    layers = [type(layer).__name__ for layer in model.network.layers]
    names = ", ".join(layers[:8]) + (", …" if len(layers) > 8 else "")
    what = "Predict" if model.preparation is None else f"Predict {model.preparation.target}"
    kinds = "numbers.csv or inputs.npy" if model.preparation is None else "table.csv or inputs.npy"
    return [
        spoken(f"{what} with NumPy alone: {names}.", 95),
        "",
        f"Written by chainrule. Use: python THIS_FILE {kinds}",
    ]


def _columns(preparation: Preparation) -> str:
    """How each column of a table is prepared, as data."""
    from chainrule.datasets.text_tables import MISSING

    kept = preparation.to_json()
    rows = []
    for column in kept["columns"]:
        if column["kind"] == "number":
            numbers = [float(column[key]) for key in ("mean", "std", "median")]
            rows.append((column["name"], *numbers))
        else:
            rows.append((column["name"], column["categories"]))
    lines = [
        "# A number with its mean, deviation and median in training, or a text with its words",
        *_written("COLUMNS", rows),
    ]
    if kept["classes"] is not None:
        lines += _written("CLASSES", kept["classes"])
    lines += _written("MISSING", sorted(MISSING))
    return "\n".join(lines)


def _written(name: str, items: Sequence[Any]) -> list[str]:
    """A list, on one line or one line for each item, as a formatter leaves it."""
    text = f"{name} = {literal(list(items))}"
    if len(text) <= WIDTH and not any(isinstance(i, tuple) for i in items):
        return [text]
    return [f"{name} = [", *_items(items, 4), "]"]


def _items(items: Sequence[Any], indent: int) -> list[str]:
    lead, lines = " " * indent, []
    for item in items:
        text = f"{lead}{literal(item)},"
        if len(text) <= WIDTH or not isinstance(item, tuple | list):
            lines.append(text)
            continue
        opened, closed = "()" if isinstance(item, tuple) else "[]"
        lines += [f"{lead}{opened}", *_items(item, indent + 4), f"{lead}{closed},"]
    return lines


def _reader(facts: dict[str, Any]) -> str:
    """How a table is read: as the training data was, where the model knows."""
    data = facts.get("data") if isinstance(facts.get("data"), dict) else {}
    assert isinstance(data, dict)
    encoding = data.get("encoding")
    text = literal(encoding if isinstance(encoding, str) else "utf-8-sig")
    headless = data.get("header") is False
    return (
        _READ.format(
            encoding=text,
            names='[f"x{i}" for i in range(len(rows[0]))]' if headless else "rows[0]",
            rows="*rows" if headless else "*rows[1:]",
        ).replace("its first line holds the names", "the columns are x0, x1, ...")
        if headless
        else (_READ.format(encoding=text, names="rows[0]", rows="*rows[1:]"))
    )


def _use(model: Model, dtype: np.dtype[Any]) -> list[str]:
    """What the program does with the file it is given."""
    kinds = "numbers.csv|inputs.npy" if model.preparation is None else "table.csv|inputs.npy"
    read = 'np.loadtxt(path, delimiter=",", ndmin=2)'
    if model.preparation is not None:
        read = "prepare(read(path))"
    lines = [
        "# The answers",
        "if len(sys.argv) != 2:",
        f'    sys.exit(f"use: python {{sys.argv[0]}} {kinds}")',
        "path = sys.argv[1]",
        'if path.endswith(".npy"):',
        "    x = np.load(path, allow_pickle=False)",
        "else:",
        f"    x = {read}",
        f"y = predict(x.astype(np.{dtype.name}))",
    ]
    answer = "y"
    if model.classifies:
        binary = isinstance(model.network.loss, Loss) and model.network.loss.target == "binary"
        answer = "(y[:, 0] > 0).astype(int)" if binary else "y.argmax(axis=1)"
        if model.preparation is not None:
            answer = f"np.array(CLASSES)[{answer}]"
    elif model.preparation is not None:
        kept = model.preparation.to_json()
        spread, center = literal(float(kept["spread"])), literal(float(kept["center"]))
        answer = f"(y[:, 0].astype(float) * {spread} + {center})"
    return [*lines, f"for answer in {answer}.tolist():", "    print(answer)"]
