"""graph.steps(): every node is played, its numbers are the computation's, its formula is true."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.graph.recorded import NAMES, graph_of, small_net
from tests.nodes.shares import shares
from tests.nodes.table import TABLE, draw

import chainrule as cr
from chainrule.graph.graph import Graph
from chainrule.graph.steps import Step
from chainrule.graph.variable import Variable, apply
from chainrule.graph.wording import formula_of, gradient_of, read_by
from chainrule.text_width import cells_wide

every_node = pytest.mark.parametrize("name", sorted(TABLE))


def replay(graph: Graph) -> tuple[list[Step], dict[str, Any]]:
    """Run the steps on their own: every step's inputs are what came out under that name before."""
    known: dict[str, Any] = {}
    played = list(graph.steps())
    for step in played:
        for flow in (*step.inputs, *step.reads):
            name = flow.name.partition("→")[0] if step.direction == "forward" else flow.name
            before = known.setdefault(name, flow.value)
            assert np.array_equal(before, flow.value, equal_nan=True), (step, name)
        node = graph.nodes[step.index]
        if step.direction == "forward":
            out = node.bound((), ()).pure_forward(*[f.value for f in step.inputs])
            outs = out if isinstance(out, tuple) else (out,)
            for flow, value in zip(step.outputs, outs, strict=True):
                assert np.array_equal(flow.value, value), step
        for flow in step.outputs:
            known[flow.name] = flow.value
    return played, known


@every_node
@shares(6, 12)
def test_every_node_is_stepped_through_and_its_numbers_replay(name: str, cases: range) -> None:
    for i in cases:
        case, _ = draw(name, i)
        graph = graph_of(case)
        played, known = replay(graph)
        forward = [s.index for s in played if s.direction == "forward"]
        assert forward == list(range(len(graph.nodes)))
        assert [s.number for s in played] == list(range(1, len(played) + 1))
        assert {s.of for s in played} == {len(played)}
        if case.moving:
            for v, g in graph.gradients().items():
                assert np.array_equal(known[f"∂{graph.names[v]}"], g)


@every_node
def test_every_node_says_what_it_computes_and_how_its_gradients_come(name: str) -> None:
    case, _ = draw(name, 1)
    node = case.node.bound(case.inputs, ())
    inputs = [f"{n}_in" for n in NAMES[: len(case.inputs)]]
    made = node.pure_forward(*case.inputs)
    outs = [f"out{k}" for k in range(len(made) if isinstance(made, tuple) else 1)]
    text = formula_of(node, inputs, outs)
    assert text.startswith(", ".join(outs) + " = ")
    assert f"{node.label}(" not in text  # it has words of its own
    for k in case.moving:
        assert inputs[k] in text
        how = gradient_of(node, k, inputs, outs, [f"∂{out}" for out in outs])
        assert how, f"{name}.gradients does not say how the gradient {k} comes about"
        assert "∂" in how or how == "0"


class Reader(ast.NodeVisitor):
    """Works out the formulas of elementwise nodes, once they are in Python's signs."""

    functions: ClassVar[dict[str, Callable[..., Any]]] = {
        "sqrt": math.sqrt,
        "log": math.log,
        "erf": math.erf,
        **{
            name: getattr(math, name.replace("arc", "a"))
            for name in (
                *(
                    "sin",
                    "cos",
                    "tan",
                    "sinh",
                    "cosh",
                    "tanh",
                    "arcsin",
                    "arccos",
                    "arctan",
                    "arctan2",
                ),
                *(
                    "arcsinh",
                    "arccosh",
                    "arctanh",
                    "floor",
                    "ceil",
                    "trunc",
                    "log2",
                    "log10",
                    "cbrt",
                ),
            )
        },
        "round": round,
        "max": max,
        "min": min,
        "abs": abs,
        "sign": lambda x: (x > 0) - (x < 0),
        "sigma": lambda x: 1 / (1 + math.exp(-x)),
        "held": lambda x, low, high: min(max(x, low), high),
    }

    def __init__(self, names: dict[str, float]) -> None:
        self.names: dict[str, Any] = {**names, "e": math.e, "π": math.pi, "inf": math.inf}

    def visit_Expression(self, node: ast.Expression) -> Any:
        return self.visit(node.body)

    def visit_Constant(self, node: ast.Constant) -> Any:
        return node.value

    def visit_Name(self, node: ast.Name) -> Any:
        return self.names[node.id]

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        x = self.visit(node.operand)
        return not x if isinstance(node.op, ast.Not) else -x

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        x, y = self.visit(node.left), self.visit(node.right)
        ways: dict[type, Any] = {
            ast.Add: lambda: x + y,
            ast.Sub: lambda: x - y,
            ast.Mult: lambda: x * y,
            ast.Div: lambda: x / y,
            ast.Mod: lambda: x % y,
            ast.Pow: lambda: x**y,
        }
        return ways[type(node.op)]()

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        values = [self.visit(v) for v in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)

    def visit_Compare(self, node: ast.Compare) -> Any:
        values = [self.visit(node.left), *map(self.visit, node.comparators)]
        ways: dict[type, Any] = {
            ast.Lt: lambda a, b: a < b,
            ast.LtE: lambda a, b: a <= b,
            ast.Gt: lambda a, b: a > b,
            ast.GtE: lambda a, b: a >= b,
            ast.Eq: lambda a, b: a == b,
            ast.NotEq: lambda a, b: a != b,
        }
        pairs = zip(node.ops, values, values[1:], strict=False)
        return all(ways[type(op)](a, b) for op, a, b in pairs)

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        return self.visit(node.body if self.visit(node.test) else node.orelse)

    def visit_Call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        return self.functions[node.func.id](*map(self.visit, node.args))


def worked_out(text: str, names: dict[str, float]) -> float:
    """The number a formula gives, a choice between several included."""
    if " where " not in text:
        return computed(text, names)
    for choice in text.split(", "):
        value, _, condition = choice.removeprefix("else ").partition(" where ")
        if not condition or computed(condition, names):
            return computed(value, names)
    raise AssertionError(f"{text} leaves a case out")


SIGNS = (
    *(("·", "*"), ("^", "**"), ("σ(", "sigma("), ("∂", "d_"), (" = ", " == "), (" mod ", " % ")),
    *(("√(", "sqrt("), ("²", "**2"), ("₂", "2"), ("₁₀", "10")),
)


def computed(text: str, names: dict[str, float]) -> float:
    """The textbook's signs turned into Python's, and worked out."""
    text = re.sub(r"(\w+) held between (\S+) and (\S+)", r"held(\1, \2, \3)", text)
    text = re.sub(r"-∞ <= | <= ∞", "", text).replace("∞", "inf")
    text = re.sub(r"\|(\w+)\|", r"abs(\1)", text)
    text = re.sub(r"√(\w+)", r"sqrt(\1)", text)
    text = re.sub(r"∛(\w+)", r"cbrt(\1)", text)
    text = re.sub(r"⌊(.*?)⌋", r"floor(\1)", text)
    text = re.sub(r"⌈(.*?)⌉", r"ceil(\1)", text)
    for sign, python in SIGNS:
        text = text.replace(sign, python)
    return float(Reader(names).visit(ast.parse(text.strip(), mode="eval")))


ELEMENTWISE = sorted(
    name
    for name in TABLE
    if draw(name, 0)[0].node.elementwise and name not in ("GELU", "Mish", "SELU")
)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_formulas_of_elementwise_nodes_are_true(name: str) -> None:
    """What the formulas say, worked out by another reader, is what the nodes compute."""
    tried = 0
    for i in range(40):
        case, _ = draw(name, i)
        if not case.inputs[0].size:
            continue
        tried += 1
        node = case.node.bound((), ())
        out = np.reshape(np.asarray(node.forward(*case.inputs)), -1)
        names = {n: np.reshape(x, -1)[0].item() for n, x in zip(NAMES, case.inputs, strict=False)}
        letters = list(names)
        text = formula_of(node, letters, ["r"]).removeprefix("r = ")
        assert worked_out(text, names) == pytest.approx(float(out[0]), rel=1e-12), text
        if not case.moving:
            continue
        dout = np.full(np.shape(case.node.forward(*case.inputs)), -0.75)
        dxs = node.backward(dout)
        dxs = dxs if isinstance(dxs, tuple) else (dxs,)
        known = {**names, "r": float(out[0]), "d_r": -0.75}
        for k in case.moving:
            expected = float(np.reshape(dxs[k], -1)[0])
            how = gradient_of(node, k, letters, ["r"], ["∂r"])
            if not (name == "Pow" and k == 1 and names["a"] < 0):
                assert worked_out(how, known) == pytest.approx(expected, rel=1e-10, abs=1e-14), how
    assert tried > 20


def test_a_step_says_it_all() -> None:
    x, y = cr.Variable(2.0, name="x"), cr.Variable(3.0, name="y")
    z = x * y + x
    steps = list(z.graph.steps())
    assert [s.formula for s in steps] == [
        "x→mul, x→L = x",
        "mul = x · y",
        "L = mul + x",
        "∂mul = ∂L\n∂x→L = ∂L",
        "∂x→mul = ∂mul · y\n∂y = ∂mul · x",
        "∂x = ∂x→mul + ∂x→L",
    ]
    text = str(steps[4]).splitlines()
    assert text[0] == "Step 5 of 6, backward: Mul"
    assert text[3:8] == [
        "      ∂mul    1",
        "      y       3",
        "      x       2",
        "      ∂x→mul  3",
        "      ∂y      2",
    ]
    assert text[8].endswith("z = x * y + x")
    assert text[9].strip() == "^^^^^"
    assert repr(steps[1]) == "<Step 2 of 6, forward: mul = x · y>"
    (line,) = steps[1].source
    assert line.part == "x * y"
    assert line.file == __file__
    with pytest.raises(ValueError, match="read-only"):
        steps[1].inputs[0].value[...] = 7.0


def test_a_step_is_plain_data() -> None:
    _, graph = small_net()
    for step in graph.steps():
        plain = json.loads(json.dumps(step.as_dict()))
        assert plain["operation"] == step.operation
        assert np.array_equal(plain["outputs"][0]["value"], step.outputs[0].value)
        assert plain["source"][-1]["part"] == step.source[-1].part


def test_what_json_cannot_hold_is_text() -> None:
    def strict(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    x = Variable([[0.0, -1.0, 2.0]], "x")
    with np.errstate(all="ignore"):
        graph = cr.sum(cr.log(x) / (x * 0)).graph
    steps = list(graph.steps())
    plain = [
        json.loads(json.dumps(step.as_dict()), parse_constant=strict) for step in steps
    ]  # the numbers, and those that are none, as they are
    for step, data in zip(steps, plain, strict=True):
        for kind in ("inputs", "reads", "outputs"):
            for flow, given in zip(getattr(step, kind), data[kind], strict=True):
                back = np.array(given["value"], dtype=object)
                found = np.vectorize(float, otypes=[float])(back)
                assert np.array_equal(found, flow.value, equal_nan=True)
    assert "-Infinity" in str(plain)
    assert "NaN" in str(plain)


def test_layers_are_named_and_their_formula_line_is_told() -> None:
    _, graph = small_net()
    steps = list(graph.steps())
    assert [s.layer for s in steps[:9]] == [
        *["Affine1"] * 3,
        "Sigmoid",
        *["Affine2"] * 3,
        *["SoftmaxWithLoss"] * 2,
    ]
    assert steps[3].formula == "sigmoid = 1 / (1 + e^-affine1)"
    outer, inner = steps[0].source
    assert outer.text == 'loss = net.forward(Variable(x, "x"), np.arange(5) % 3)'
    assert inner.part == "x @ W"
    assert steps[-1].formula == "∂x = ∂matmul1 @ W1ᵀ\n∂W1 = xᵀ @ ∂matmul1"


def test_an_output_of_many_numbers_has_forward_steps_only() -> None:
    x = cr.Variable([1.0, 2.0], name="x")
    assert [s.direction for s in cr.exp(x).graph.steps()] == ["forward"]
    assert [s.direction for s in (x > 1).graph.steps()] == ["forward"]
    assert list(x.graph.steps()) == []


def test_a_node_without_words_is_called_by_its_name() -> None:
    class Cube(cr.nodes.Node):
        def forward(self, x: Any) -> Any:
            return x * x * x

        def backward(self, dy: Any) -> Any:
            (x,) = self.inputs
            return dy * 3 * x * x

    x = cr.Variable(2.0, name="x")
    steps = list(Cube().forward(x).graph.steps())
    assert [s.formula for s in steps] == ["L = Cube(x)", "∂x = Cube.backward(∂L)"]


def test_the_arguments_of_backward_may_have_any_names() -> None:
    class Half(cr.nodes.Node):
        formula = "y = e^(a / 2)"
        gradients: ClassVar = {"a": "g · y / 2"}

        def forward(self, a: Any) -> Any:
            return np.exp(a / 2)

        def backward(self, g: Any) -> Any:
            return g * self.outputs[0] / 2

    class Both(cr.nodes.Node):
        elementwise = True
        formula = "s, p = a + b, a · b"
        gradients: ClassVar = {"a": "upper + lower · b", "b": "upper + lower · a"}

        def forward(self, a: Any, b: Any) -> Any:
            return a + b, a * b

        def backward(self, upper: Any, lower: Any) -> Any:
            a, b = self.inputs
            return upper + lower * b, upper + lower * a

    x, y = Variable(2.0, "x"), Variable(3.0, "y")
    assert [s.formula for s in Half().forward(x).graph.steps()] == [
        "L = e^(x / 2)",
        "∂x = ∂L · L / 2",
    ]
    assert read_by(Half().forward(x).graph.nodes[0], 0) == ([], [0])
    s, p = apply(Both(), x, y)
    steps = list((s * p).graph.steps())
    assert steps[2].formula == "∂both1 = ∂L · both2\n∂both2 = ∂L · both1"
    assert steps[3].formula == "∂x = ∂both1 + ∂both2 · y\n∂y = ∂both1 + ∂both2 · x"
    assert [f.name for f in steps[3].reads] == ["y", "x"]


def test_a_gradient_is_told_without_that_of_another_input() -> None:
    """The other input may be a number, or one of several copies: ∂1 and ∂x are not what is meant."""
    x = Variable(2.0, "x")
    backward = [s.formula for s in (1 / x).graph.steps() if s.direction == "backward"]
    assert backward == ["∂x = -(∂L / x) · L"]
    y, z = Variable(6.0, "y"), Variable(3.0, "z")
    graph = (y / z + y).graph
    division = next(s for s in graph.steps() if s.direction == "backward" and s.operation == "Div")
    assert division.formula == "∂y→div = ∂div / z\n∂z = -(∂div / z) · div"
    assert [f.name for f in division.reads] == ["z", "div"]
    assert graph.explain("z", gradient=True).lines[0] == (
        "∂z = -(∂div / z) · div = -(1 / 3) · 2 ≈ -0.6667"
    )


def test_an_output_that_leads_nowhere_has_the_gradient_0() -> None:
    class Wave(cr.nodes.Node):
        elementwise = True
        formula = "s, c = sin(a), cos(a)"
        gradients: ClassVar = {"a": "ds · c - dc · s"}

        def forward(self, a: Any) -> Any:
            return np.sin(a), np.cos(a)

        def backward(self, ds: Any, dc: Any) -> Any:
            s, c = self.outputs
            return (0 if ds is None else ds * c) - (0 if dc is None else dc * s)

    a = Variable([0.3, 0.7], "a")
    for which, formula in ((0, "∂wave1 · wave2 - 0 · wave1"), (1, "0 · wave2 - ∂wave2 · wave1")):
        graph = cr.sum(apply(Wave(), a)[which]).graph
        assert list(graph.steps())[-1].formula == f"∂a = {formula}"
        assert graph.check()
    # Each part of the gradient is told, whichever outputs it came by.
    s, c = apply(Wave(), a)
    why = cr.sum(s * 2 + c * 3).graph.explain("a", 1, gradient=True)
    assert why.value == pytest.approx(2 * np.cos(0.7) - 3 * np.sin(0.7))
    assert sum(term.value for term in why.terms) == pytest.approx(why.value)
    assert "2·0.7648 + 3·(-0.6442)" in str(why)


def test_chinese_names_stand_in_columns() -> None:
    数据, w = Variable([[1.0, 2.0]], "数据"), Variable([[0.5], [1.0]], "w")
    graph = cr.sum(数据 @ w).graph
    lines = str(next(graph.steps())).splitlines()
    assert lines[2:5] == [
        "      数据    [[1, 2]]",
        "      w       [[0.5], [1]]",
        "      matmul  [[2.5]]",
    ]
    written, marks = lines[5:7]
    assert cells_wide(written[: written.index("数据 @ w")]) == marks.index("^")
    assert marks.count("^") == cells_wide("数据 @ w")


def test_a_blank_name_is_no_name() -> None:
    graph = (Variable(1.0, "") * Variable(2.0, " ")).graph
    assert list(graph.names.values()) == ["input1", "input2", "L"]


def test_long_graphs_do_not_recurse() -> None:
    x = cr.Variable(0.5, name="x")
    y = x
    for _ in range(3000):
        y = y * 1.0001 + x
    played = list(y.graph.steps())
    assert len(played) == 2 * len(y.graph.nodes)
