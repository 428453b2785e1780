"""What nodes say of themselves: declared, checked when the class is made, in docstrings and in Chinese."""

from __future__ import annotations

import os
import pickle
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.graph.recorded import small_net
from tests.nodes.table import TABLE, draw

import chainrule as cr
from chainrule import nodes
from chainrule.graph.variable import Variable
from chainrule.graph.wording import brief, formula_of, gradient_of, in_letters, shape_text
from chainrule.lang.messages import Text, in_language, words
from chainrule.nodes import Mul, Node, Sigmoid
from chainrule.nodes.notation import FUNCTIONS, WORD, WORDS, FormulaError, letter_of

ROOT = Path(__file__).parents[2]

every_node = pytest.mark.parametrize("name", sorted(TABLE))


# -- what is declared --------------------------------------------------------------------------


@every_node
def test_every_node_declares_its_formula_and_its_gradients(name: str) -> None:
    case, _ = draw(name, 1)
    kind = type(case.node)
    assert " = " in kind.formula
    letters = {letter_of(kind.letters.ins, k) for k in case.moving}
    assert letters <= kind.gradients.keys()
    if kind.differentiable:
        assert letters
    else:
        assert not kind.gradients
    assert in_letters(case.node).startswith(", ".join(kind.letters.outs).replace("*", "") + " = ")


def letters(text: str) -> list[str]:
    """What is no word of a sentence, in order of the alphabet."""
    said = sorted(word for _sum, word in WORD.findall(text) if word not in WORDS)
    return [word for word in said if word != "sign" or "logarithm" not in text]


@every_node
def test_a_translated_formula_has_the_same_letters(name: str) -> None:
    kind = getattr(nodes, name)
    for text in (kind.formula, *kind.gradients.values()):
        assert letters(text) == letters(in_language(text, "zh")), text


def test_the_vocabulary_is_used() -> None:
    said = " ".join(
        text
        for name in TABLE
        for text in (getattr(nodes, name).formula, *getattr(nodes, name).gradients.values())
    )
    used = {word for _sum, word in WORD.findall(said)}
    assert used >= WORDS - {"row", "column"}
    assert not FUNCTIONS & WORDS


# -- what is refused ---------------------------------------------------------------------------


def made(
    formula: Any = "", gradients: Any = None, forward: Any = None, backward: Any = None, **more: Any
) -> type[Node]:
    """A class of nodes z = x · y with these words."""

    def times(self: Any, x: Any, y: Any) -> Any:
        return x * y

    def back(self: Any, dz: Any) -> Any:
        x, y = self.inputs
        return dz * y, dz * x

    body = {"formula": formula, "forward": forward or times, "backward": backward or back, **more}
    return type("Mine", (Node,), body if gradients is None else {**body, "gradients": gradients})


REFUSED = [
    (
        {"formula": "z = x · w"},
        r"Mine\.formula: 'w' in 'x · w' stands for nothing\. Allowed are x, y,",
    ),
    ({"formula": "z = x · slpoe", "slope": 2.0}, 'Did you mean "slope"'),
    ({"formula": "z = x repated y"}, 'Did you mean "repeated"'),
    ({"formula": "x · y"}, r"Mine\.formula must be such as 'z = x · y': .* Got 'x · y'"),
    ({"formula": "z ="}, "must be such as"),
    ({"formula": "2 z = x"}, "must be such as"),
    ({"formula": "x = x · y"}, "must be such as"),
    ({"formula": len}, r"must be such as .* Got <built-in function len>"),
    (
        {"formula": "s, p = x + y, x · y"},
        r"'s, p = x \+ y, x · y' has 2 outputs, and backward takes the gradient of 1",
    ),
    (
        {"formula": "z = x · y", "backward": lambda self, ds, dp: None},
        "has 1 output, and backward takes the gradients of 2",
    ),
    ({"gradients": "dz · y"}, r"Mine\.gradients must be a dict such as .* Got 'dz · y'"),
    (
        {"gradients": {"w": "dz"}},
        r"Mine\.gradients: forward has no argument 'w'\. It takes x, y\.",
    ),
    (
        {"gradients": {"x": "dy · y"}},
        r"Mine\.gradients\['x'\]: 'dy' in 'dy · y' stands for nothing",
    ),
    ({"gradients": {"x": "dz · y", "y": "dw · x"}}, "'dw' in 'dw · x'"),
    ({"gradients": {"x": "dx"}}, "'dx' in 'dx'"),
]


@pytest.mark.parametrize(("declared", "message"), REFUSED)
def test_words_that_fit_nothing_are_refused(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(FormulaError, match=message) as caught:
        made(**declared)
    assert isinstance(caught.value, TypeError)
    assert not caught.value.said("zh").isascii()


def test_what_words_may_be_of() -> None:
    made("z = x · y", {"x": "dz · y", "y": "dx · x / y"})
    made("z = x · y", {"x": "dz · z / x where x > 0, else 0"})
    made(gradients={"x": "dz · z"})  # of the output whose gradient is dz
    made("z = k · x + q · y", k=2.0, __init__=lambda self, q: None)
    made("z = x · f(u), u = y^2", why="f(u) = √u", f=1.0)
    made("z, w = x, y", {"x": "a", "y": "b"}, backward=lambda self, a, b: (a, b))
    made("z = x 乘 y")
    rest = made("z = Σ xs", {"x": "dz"}, forward=lambda self, *xs: sum(xs))
    assert rest.letters.ins == ("*xs",)


def test_a_family_of_nodes_is_checked_where_it_has_a_forward() -> None:
    class Scaled(Node):
        gradients: ClassVar = {"x": "dy · k"}
        k = 3.0

        def backward(self, dy: Any) -> Any:
            return dy * self.k

    class Threefold(Scaled):
        formula = "y = k · x"

        def forward(self, x: Any) -> Any:
            return self.k * x

    steps = list(Threefold().forward(Variable(2.0, "a")).graph.steps())
    assert [step.formula for step in steps] == ["L = 3 · a", "∂a = ∂L · 3"]
    with pytest.raises(FormulaError, match="forward has no argument 'x'"):

        class Other(Scaled):
            def forward(self, q: Any) -> Any:
                return self.k * q


def test_words_are_inherited_with_the_text_that_they_are_about() -> None:
    class Renamed(Sigmoid):
        symbol = "s"

    class Backwards(Sigmoid):
        def backward(self, dy: Any) -> Any:
            return dy

    class Forwards(Sigmoid):
        def forward(self, a: Any) -> Any:
            return a

    class Same(Sigmoid):
        formula = "y = e^x / (1 + e^x)"
        gradients = Sigmoid.gradients

        def forward(self, x: Any) -> Any:
            return np.exp(x) / (1 + np.exp(x))

    assert (Renamed.formula, Renamed.gradients) == (Sigmoid.formula, Sigmoid.gradients)
    assert (Backwards.formula, Backwards.gradients) == (Sigmoid.formula, {})
    assert (Forwards.formula, Forwards.gradients, Forwards.why) == ("", {}, "")
    x = Variable(0.5, "x")
    said = [
        [step.formula for step in kind().forward(x).graph.steps()]
        for kind in (Renamed, Backwards, Forwards, Same)
    ]
    assert said == [
        ["L = 1 / (1 + e^-x)", "∂x = ∂L · L · (1 - L)"],
        ["L = 1 / (1 + e^-x)", "∂x = Backwards.backward(∂L)"],
        ["L = Forwards(x)", "∂x = Forwards.backward(∂L)"],
        ["L = e^x / (1 + e^x)", "∂x = ∂L · L · (1 - L)"],
    ]
    # What it unfolds into is the forward it has no more.
    assert len(Renamed().forward(x).graph.detailed().nodes) == 4
    assert len(Forwards().forward(x).graph.detailed().nodes) == 1


# -- docstrings --------------------------------------------------------------------------------


def test_docstrings_are_made_of_what_is_declared() -> None:
    assert Mul.forward.__doc__ == "z = x · y."
    assert Mul.backward.__doc__ == (
        "∂z/∂x = y and ∂z/∂y = x: the inputs change places, so dx = dz · y and dy = dz · x."
    )
    assert str(nodes.Pow.backward.__doc__).startswith("So dx = dz · y · x ** (y - 1) and dy = ")
    assert str(nodes.Softplus.forward.__doc__).startswith("y = log(1 + e^x); computed as max(x, 0)")
    assert nodes.Floor.backward.__doc__ == "A step does not move with its input: no gradient."
    page = pydoc.plain(pydoc.render_doc(Mul))
    assert "z = x · y" in page
    assert "{'x': 'dz · y', 'y': 'dz · x'}" in page
    assert str(cr.multiply.__doc__).startswith("z = x · y.\n\nThe product")


def test_a_docstring_that_somebody_wrote_stays() -> None:
    def forward(self: Any, x: Any, y: Any) -> Any:
        """Times."""
        return x * y

    kind = made("z = x · y", {"x": "dz · y", "y": "dz · x"}, forward=forward)
    assert kind.forward.__doc__ == "Times."
    assert kind.backward.__doc__ == "So dx = dz · y and dy = dz · x."
    assert made().forward.__doc__ is None


SAID = """
import numpy as np
from tests.graph.recorded import graph_of
from tests.nodes.table import TABLE, draw

for step in square.forward(cr.Variable(3.0, "q")).graph.steps():
    print(step)
print(cr.nodes.Mul.forward.__doc__, cr.nodes.Mul.backward.__doc__, cr.add.__doc__.splitlines()[0])
for name in sorted(TABLE):
    with np.errstate(all="ignore"):
        for step in graph_of(draw(name, 1)[0]).steps():
            print(step.formula, step.reads)
x = cr.Variable([0.0, -1000.0], "x")
print(*cr.sum(cr.sigmoid(x)).graph.detailed().overflows)
print(graph.draw().svg.count("y = 1 / (1 + e^-x)"))

class Net(cr.Network):
    def __init__(self):
        super().__init__(loss=cr.MeanSquaredError())
        self.W = cr.Parameter(np.ones((2, 1)))
    def predict(self, x):
        return cr.softplus(x @ self.W)

script = Net().script(cr.SGD(lr=1.0), np.ones((3, 2)), np.ones((3, 1)), epochs=1)
print(*[line for line in script.text.splitlines() if "Softplus:" in line])
"""


@pytest.mark.parametrize("name", nodes.__all__)
def test_what_a_node_says_in_words_is_a_message(name: str) -> None:
    kind = getattr(nodes, name)
    for told in (kind.why, kind.how):
        if not isinstance(told, Text):
            words_in = set(re.findall(r"[A-Za-z]{2,}", told)) - FUNCTIONS
            assert not words_in, f"{name}: {told!r} has the words {words_in}: write _(…)"


def test_nothing_is_lost_where_python_drops_docstrings(tmp_path: Path) -> None:
    """What README and this program print: steps, explanations, comments of a written program."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    first, see, square = (
        next(block for block in blocks if begins in block)
        for begins in ("cr.datasets.spiral()", "L.draw().save", "class Square(")
    )
    first = first.replace("epochs=300", "epochs=1, progress=None").replace("history.plot", "# ")
    program = tmp_path / "readme.py"
    program.write_text("\n".join((first, see, square, SAID)), "utf-8")
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    said = [
        subprocess.run(
            [sys.executable, *flags, str(program)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        for flags in ([], ["-OO"])
    ]
    assert said[0] == said[1]
    for line in (
        "    L = q^2",
        "    ∂q = 2 · ∂L · q",
        "sigmoid = 1 / (1 + e^-affine1)",
        "Softplus: y = log(1 + e^x); computed as max(x, 0)",
        "Softplus: ∂y/∂x = eˣ / (1 + eˣ), the sigmoid of x, so dx = dy / (1 + e^-x).",
    ):
        assert line in said[0]


# -- in Chinese --------------------------------------------------------------------------------


def test_formulas_are_said_in_chinese() -> None:
    clip = nodes.Clip(0.0, None)
    assert formula_of(clip, ["a"], ["b"]) == "b = a held between 0 and ∞"
    assert formula_of(clip, ["a"], ["b"]).said("zh") == "b = a 限制在 0 与 ∞ 之间"
    how = gradient_of(nodes.ReLU(), 0, ["-2"], ["0"], ["∂y"])
    assert (how, how.said("zh")) == ("∂y where -2 > 0, else 0", "∂y（当 -2 > 0），否则 0")
    for axis, english, chinese in (
        (None, "over all axes", "（沿所有轴）"),
        (0, "over axis 0", "（沿轴 0）"),
        ((0, 2), "over axes 0, 2", "（沿轴 0、2）"),
    ):
        text = formula_of(nodes.Sum(axis), ["a"], ["s"])
        assert (text, text.said("zh")) == (f"s = Σ a {english}", f"s = Σ a{chinese}")
    assert formula_of(Mul(), ["a", "b"], ["c"]).said("zh") == "c = a · b"


def test_steps_and_explanations_are_said_in_chinese() -> None:
    _, graph = small_net()
    relu = cr.sum(cr.relu(Variable([[1.0, -2.0]], "x"))).graph
    forward, *_rest, back = relu.steps()
    assert in_language(back.formula, "zh") == "∂x = ∂relu（当 x > 0），否则 0"
    assert in_language(forward.formula, "zh") == "relu = max(x, 0)"
    explained = relu.explain("x", (0, 1), gradient=True)
    assert explained.said("zh").startswith("∂x[0,1] = ∂relu[0,1]（当 x[0,1] > 0），否则 0 = 1（当")
    for name, kind in (("W1", "（参数）"), ("x", "（输入）")):
        assert graph.explain(name, (0, 0)).said("zh").splitlines()[0].endswith(kind)
    assert "（其余 3 项）" in graph.explain("W1", (0, 0), gradient=True, terms=2).said("zh")
    again = pickle.loads(pickle.dumps(back.formula))
    assert isinstance(again, Text)
    assert again.said("zh") == in_language(back.formula, "zh")


def test_arrays_in_a_few_characters_are_said_in_chinese() -> None:
    for value, chinese in (
        (np.zeros((0, 3)), "0×3，空"),
        (np.arange(20.0), "20，从 0 到 19"),
        (np.ones((3, 4)), "3×4，全为 1"),
        (np.arange(20) > 15, "20，20 个中 4 个为 True"),
        (np.full(20, np.nan), "20，20 个中 20 个不是有限数"),
        (np.zeros(20, complex), "20，复数"),
        (np.array(2.0), "2"),
    ):
        assert in_language(brief(value), "zh") == chinese
    assert in_language(shape_text(()), "zh") == "一个数"
    assert words("y = ", shape_text(()), "!").said("zh") == "y = 一个数!"
