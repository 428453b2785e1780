"""`draw` and `check`: expressions mean what they say and nothing else; pictures show the numbers."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from tests.cli.driver import as_json, good, run
from tests.drawing.reading import texts

import chainrule as cr
from chainrule.cli.expression import FUNCTIONS, Expression
from chainrule.errors import SettingError
from chainrule.nodes import Sigmoid

#: What NumPy has for the functions, to compute an expression in another way.
NUMPY: dict[str, Any] = {
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "relu": lambda a: np.maximum(a, 0),
    "softmax": lambda a: np.exp(a) / np.exp(a).sum(-1, keepdims=True),
    "softplus": lambda a: np.log1p(np.exp(a)),
    **{
        name: getattr(np, name)
        for name in ("exp", "log", "tanh", "sin", "sum", "mean", "max", "abs", "maximum", "square")
    },
}
EXPRESSIONS = [
    "sigmoid(x @ W + b)",
    "sum((tanh(x @ W1 + b1) @ W2 + b2) ** 2)",
    "x * y + x",
    "a * x ** 2 - b * x / 4 + -c",
    "x @ W.T",
    "x.T @ x",
    "softmax(x @ W + b) * 2.5",
    "sum(relu(x @ W), axis=0)",
    "mean(maximum(x @ W, 0.5 * (x @ V)), axis=-1)",
    "max(abs(x @ W)) - 3",
    "-(exp(sin(x)) + softplus(y))",
    "(x + 1) @ W @ V",
    "x @ W + b + c",
    "2 ** x",
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_is_worth_what_numpy_says(text: str) -> None:
    expression = Expression(text)
    variables = expression.variables({})
    got = expression.value(variables)
    given = {name: v.data for name, v in variables.items()}
    wanted = eval(text, {"__builtins__": {}}, {**NUMPY, **given})
    np.testing.assert_allclose(got.data, wanted, rtol=1e-12, atol=1e-12)
    assert got.graph.check().ok


HOSTILE = [
    "__import__('os').system('touch here')",
    "x.__class__.__mro__",
    "x.data",
    "(lambda: x)()",
    "[y for y in x]",
    "x if y else z",
    "x[0]",
    "eval('x')",
    "exec('x')",
    "open('here', 'w')",
    "f'{x}'",
    "x := 3",
    "x and y",
    "x < y",
    "sum(*x)",
    "sum(x, axis=y)",
    "sum(x, axis=999)",
    "sum(x, **y)",
    "sum(x)(y)",
    "True * x",
    "'a' * x",
    "x + 1j",
    "x * 1e999",
    "9**9**9**9 * x",
    "sigmoid",
    "sigmoid()",
    "x ** (",
    "",
    "1 + 1",
    "x\ny",
    "x; y",
    "abs(" * 90 + "x" + ")" * 90,
    "-" * 200 + "x",
    "x" * 2000,
    "x @ " * 100 + "x",
    "reshape(x, 3)",
    "foo(x)",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_anything_else_is_refused_in_a_sentence(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("draw", "--out", "a.svg", "--", text)
    assert done.exit_code == 2
    assert done.stderr.startswith("Error:")
    assert "Traceback" not in done.output
    assert len(done.stderr) < 900
    assert list(tmp_path.iterdir()) == []


def test_every_function_is_known_and_takes_what_it_is_given() -> None:
    for name in FUNCTIONS:
        text = f"{name}(x, y)" if name in ("maximum", "minimum", "matmul") else f"{name}(x)"
        if name == "softmax_cross_entropy":
            continue
        expression = Expression(text)
        shape = (2, 2)
        numbers = np.array([[0.5, 0.7], [0.25, 0.9]]) + (name == "arccosh")
        values = {n: numbers for n in expression.names}
        assert {v.shape for v in expression.variables(values).values()} == {shape}
        assert expression.value(expression.variables(values)).graph.check().ok


def test_class_ids_are_whole_numbers_without_a_gradient() -> None:
    told = good("check", "softmax_cross_entropy(x @ W + b, t)", "--set", "t=[0, 2]")
    lines = told.splitlines()
    assert any(line.startswith("∂W ") for line in lines)
    assert not any(line.startswith("∂t ") for line in lines)
    done = run("check", "mean(softmax_cross_entropy(x, t))", "--set", "t=[0, 0.5]")
    assert done.exit_code == 2
    assert "whole numbers" in done.stderr


def texts_of(path: Path) -> list[str]:
    root = ElementTree.parse(path).getroot()
    return ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("}text")]


def test_a_picture_of_an_expression_has_its_numbers(tmp_path: Path) -> None:
    out = tmp_path / "loss.svg"
    told = good("draw", "(x * w - t) ** 2", "--set", "x=2", "--set", "w=0.5", "--set", "t=3",
                "--out", str(out), "--check")  # fmt: skip
    assert "agree with the complex step" in told
    texts = texts_of(out)
    assert texts.count("4") >= 1  # (1 - 3)²
    assert "−2" in texts
    assert "−8" in texts  # ∂L/∂w = 2 (xw - t) x
    facts = as_json("draw", "x * y", "--out", str(tmp_path / "b.png"))
    assert facts["nodes"] == 1
    assert (tmp_path / "b.png").read_bytes()[:4] == b"\x89PNG"


def test_detail_unfolds_and_tells_of_overflow(tmp_path: Path) -> None:
    args = ["draw", "sigmoid(x)", "--set", "x=[-1000, 0]"]
    folded = as_json(*args, "--out", str(tmp_path / "a.svg"))
    unfolded = as_json(*args, "--out", str(tmp_path / "b.svg"), "--detail")
    assert folded["nodes"] == 1
    assert unfolded["nodes"] == 4
    assert folded["overflows"] == []
    assert "overflows" in unfolded["overflows"][0]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("models") / "iris.safetensors"
    good("train", "iris", "--epochs", "3", "--hidden", "5", "--seed", "1", "--out", str(path))
    return str(path)


def test_a_picture_of_a_model_at_work(model: str, tmp_path: Path) -> None:
    out = tmp_path / "iris.svg"
    told = good("draw", model, "--data", "iris", "--rows", "4", "--out", str(out), "--fold", "all")
    assert "the first 4 training rows of iris" in told
    found = cr.load_model(model)
    assert found.preparation is not None
    from chainrule.cli.data_options import DataOptions
    from chainrule.cli.model_and_data import open_both
    from chainrule.cli.scoring import training_rows

    _, preparation, table = open_both(model, "iris", DataOptions())
    rows = training_rows(found, preparation, table).rows(np.arange(4))
    loss = found.network.forward(preparation.transform(rows), preparation.targets(rows))
    numbers = [float(t) for t in texts_of(out) if re.fullmatch(r"\d+\.\d+", t)]
    assert any(math.isclose(n, loss, rel_tol=1e-3) for n in numbers)
    assert run("draw", model, "--out", str(out)).exit_code == 2  # it is there already
    good("draw", model, "--out", str(out), "--force")


def drawn(*args: str) -> Element:
    """The picture that the command draws."""
    done = run("draw", *args, "--out", "a.svg", "--force")
    assert done.exit_code == 0, done.output
    return ElementTree.parse("a.svg").getroot()


def boxes(picture: Element) -> set[str]:
    """The layers in it, as boxes around nodes or in their place."""
    return {box.get("data-layer", "") for box in picture.iter() if box.get("data-layer")}


def nodes(picture: Element) -> int:
    return sum(1 for g in picture.iter() if g.get("data-node"))


def test_layers_fold_and_unfold_by_name(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folded, unfolded = (nodes(drawn(model, option, "all")) for option in ("--fold", "--unfold"))
    assert folded == 0
    assert unfolded == as_json("draw", model, "--out", "b.svg")["nodes"]
    one = nodes(drawn(model, "--unfold", "Affine1"))
    two = nodes(drawn(model, "--unfold", "Affine1", "--unfold", "Affine2"))
    assert 0 < one < two < unfolded
    assert nodes(drawn(model, "--unfold", "Affine")) == two
    assert nodes(drawn(model, "--fold", "all", "--unfold", "Affine1")) == one
    assert nodes(drawn(model, "--fold", "Affine")) == unfolded - two
    assert nodes(drawn(model, "--unfold", "all", "--fold", "Affine")) == unfolded - two
    layers = as_json("draw", model, "--out", "b.svg", "--force")["layers"]
    assert {"Affine1", "Affine2"} <= boxes(drawn(model, "--fold", "all")) <= set(layers)


def test_the_options_of_a_picture_reach_it(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = [float(drawn(model, "--width", w).get("width", "")) for w in ("none", "900")]
    assert whole[1] < 0.6 * whole[0]  # the loss, which stays in one row, is 1,600 wide
    assert nodes(drawn(model, "--width", "900")) == nodes(drawn(model, "--width", "none"))
    shown = {c.get("class") for c in drawn(model, "--highlight", "W1").iter()}
    assert "s-highlight" in shown
    assert "s-highlight" not in {c.get("class") for c in drawn(model).iter()}
    for option, role in (("values", "value"), ("shapes", "shape"), ("gradients", "gradient")):
        drawn("x * y", "--set", "x=[1, 2]", "--set", "y=[3, 5]")
        assert len(texts(Path("a.svg").read_text(), role)) >= 3
        drawn("x * y", "--set", "x=[1, 2]", "--set", "y=[3, 5]", f"--no-{option}")
        assert texts(Path("a.svg").read_text(), role) == []
    drawn("x * w + b", "--name", "mul=pull", "--name", "b=the = bias", "--lang", "zh")
    assert {"pull", "the = bias"} <= set(texts_of(Path("a.svg")))
    for dpi in ("48", "192"):
        good("draw", "x * y", "--out", f"{dpi}.png", "--dpi", dpi)
    small, large = (Path(f"{dpi}.png").read_bytes() for dpi in ("48", "192"))
    assert int.from_bytes(large[16:20]) == pytest.approx(4 * int.from_bytes(small[16:20]), rel=0.02)


def test_counts_of_one_are_told_as_one(model: str, tmp_path: Path) -> None:
    assert "a.svg: 1 node, with" in good("draw", "tanh(x)", "--out", str(tmp_path / "a.svg"))
    assert "the first 1 training row of iris" in good(
        "check", model, "--data", "iris", "--rows", "1"
    )
    assert "with 1 random row and targets" in good("check", model, "--rows", "1")


def test_names_of_an_expression_stay_when_its_value_would_have_the_same(tmp_path: Path) -> None:
    for expression, names in (
        ("sum(x, axis=0) * y", ("x", "y")),
        ("sum(L * y)", ("L", "y")),
    ):
        rows = as_json("check", expression)["rows"]
        assert set(names) <= {row["gradient"] for row in rows}
    good("draw", "sum(x, axis=0) * y", "--out", str(tmp_path / "y.svg"), "--highlight", "y")


def test_a_model_of_ids_is_drawn_with_random_ids(tmp_path: Path) -> None:
    path = str(tmp_path / "m.safetensors")
    net = cr.Sequential(
        cr.Sequential(cr.Embedding.sized(10, 4), cr.Tanh()), cr.Affine.sized(4, 3),
        loss=cr.SoftmaxWithLoss(),
    )  # fmt: skip
    cr.files.save_model(path, net)
    assert as_json("check", path, "--rows", "5")["ok"]
    assert "5 random rows" in good("draw", path, "--rows", "5", "--out", str(tmp_path / "a.svg"))
    cr.files.save_model(path, cr.Sequential(cr.Tanh(), loss=cr.MeanSquaredError()), overwrite=True)
    done = run("check", path)
    assert done.exit_code == 2
    assert "no layer that tells how wide" in done.stderr
    assert "load_model(path).network.graph(x, t).check()." in done.stderr


def test_the_gradients_of_a_model_are_checked(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = good("check", model, "--data", "iris", "--elements")
    assert "WRONG" not in told
    assert "end to end" in told
    assert as_json("check", model)["ok"]
    monkeypatch.setattr(Sigmoid, "pure_backward", lambda self, dy: dy)
    done = run("check", "sum(sigmoid(x @ W))")
    assert done.exit_code == 1
    wrong = [line for line in done.stdout.splitlines() if "WRONG" in line and "Sigmoid" in line]
    assert len(wrong) == 1


BAD = [
    (["draw", "x * y", "--out", "a.svg", "--set", "z=3"], "'z' is given a value"),
    (["draw", "x * y", "--out", "a.svg", "--set", "x=[[1],[2,3]]"], "finite numbers"),
    (["draw", "x * y", "--out", "a.svg", "--set", "x=NaN"], "finite numbers"),
    (["draw", "x * y", "--out", "a.svg", "--set", "x"], "finite numbers"),
    (["draw", "x * y", "--out", "a.gif"], ".svg"),
    (["draw", "x * y", "--out", "no/such/a.svg"], "no/such"),
    (["draw", "x @ W", "--out", "a.svg", "--set", "x=3"], "matmul"),
    (["draw", "missing.safetensors", "--out", "a.svg"], "missing.safetensors"),
    (["draw", "x * y", "--out", "a.svg", "--data", "iris"], "names no file"),
    (["check", "x * y", "--rows", "0"], "--rows"),
    (["draw", "x * y", "--out", "a.svg", "--unfold", "Affine"], "no layers"),
    (["draw", "x * y", "--out", "a.svg", "--fold", "all", "--unfold", "all"], "contradict"),
    (["draw", "x * y", "--out", "a.svg", "--unfold"], "requires an argument"),
    (["draw", "x * y", "--out", "a.svg", "--width", "-3"], "above 0, such as 1200, or none"),
    (["draw", "x * y", "--out", "a.svg", "--width", "wide"], "or none"),
    (["draw", "x * y", "--out", "a.svg", "--dpi", "1e9"], "--dpi"),
    (["draw", "x * y", "--out", "a.svg", "--highlight", "z"], "no arrow is called"),
    (["draw", "x * y", "--out", "a.svg", "--name", "x"], "ARROW=TEXT"),
    (["draw", "x * y", "--out", "a.svg", "--name", "z=h"], "no arrow is called"),
]


@pytest.mark.parametrize(("args", "said"), BAD)
def test_bad_input(
    args: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*args)
    assert done.exit_code == 2, done.output
    assert said.lower() in done.stderr.lower()
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_the_ending_is_looked_at_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chainrule.cli.graphs.graph_of", lambda *_, **__: pytest.fail("computed"))
    for out, got in (("a.txt", "got .txt"), ("a", "got no ending")):
        done = run("draw", "x * y", "--out", out)
        assert done.exit_code == 2
        assert got in done.stderr


def test_a_model_that_takes_no_tables_is_drawn_from_python(tmp_path: Path) -> None:
    path = str(tmp_path / "m.safetensors")
    cr.files.save_model(path, cr.TwoLayerNet(4, 3, 3))
    for command, words in (
        (["draw", path, "--out", "a.svg"], ").network.draw(x, t).save('a.svg')."),
        (["draw", path, "--out", "a.svg"], "leave --data out"),
        (["check", path], "leave --data out"),
        (["check", path], ").network.graph(x, t).check()."),
        (["export", path, "--to", "script", "--out", "a.py"], ".network.script(optimizer, x, t)."),
        (["evaluate", path, "iris"], ").predict(x)."),
    ):
        done = run(*command, *(["--data", "iris"] if command[0] != "evaluate" else []))
        assert done.exit_code == 2
        assert words in done.stderr, done.stderr


def test_errors_are_typed() -> None:
    with pytest.raises(SettingError, match="not allowed"):
        Expression("x.y")


MORE_BAD = [
    (["check", "softmax_cross_entropy(x, t)", "--set", "t=[0,5]"], "class ids from 0 to 2"),
    (["check", "sum(x, axis=5)"], "axis=5"),
    (["check", "sum(x, axis=0)", "--set", "x=3"], "0 axes"),
    (["check", "iris"], "no model file"),
    (["check", "x * y", "--set", "x=true"], "finite numbers"),
    (["check", "x * y", "--set", 'x="3"'], "finite numbers"),
    (["check", "x * y", "--set", "x=1", "--set", "x=2"], "two values"),
    (["check", "softmax_cross_entropy(x, t)", "--set", "t=[-1,1]"], "whole numbers from 0"),
    (["check", "x * y", "--set", "x=[]"], "finite numbers"),
    (["check", "9 ** 9 ** 9 * x"], "one of its numbers becomes too large"),
    (["check", "./nosuch"], "no model file"),
    (["check", "x.__class__"], "no model file"),
    (["check", "(-8) ** (1 / 3) * x"], "root of a negative number"),
]


@pytest.mark.parametrize(("args", "said"), MORE_BAD)
def test_more_bad_input(args: list[str], said: str) -> None:
    done = run(*args)
    assert done.exit_code == 2, done.output
    assert said in done.stderr


@pytest.mark.parametrize("text", ["x-1", "x/y", "x_1/2", "W.T", "x.T/y"])
def test_what_reads_like_a_path_may_be_an_expression(text: str, tmp_path: Path) -> None:
    told = good("check", text)
    assert f"{text}, with random numbers" in told
    assert "with the complex step" in told
    assert "WRONG" not in told


def test_a_model_without_its_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x-1.safetensors").write_text("")
    done = run("check", "x-1")
    assert done.exit_code == 2
    assert "Did you mean x-1.safetensors?" in done.stderr


def test_what_is_not_finite_is_null_in_json() -> None:
    done = run("check", "log(x)", "--set", "x=0", "--json")
    assert done.exit_code == 1
    assert '"error": null' in done.stdout


def test_arrows_of_another_graph_are_refused() -> None:
    x = cr.Variable([2.0], name="x")
    L = cr.sum(x * x)
    with pytest.raises(SettingError, match=r"no arrows of this graph.*Take the graph once"):
        L.draw(verdicts=L.graph.check().verdicts)
    graph = L.graph
    graph.draw(verdicts=graph.check().verdicts)
