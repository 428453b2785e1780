"""What comes again and again in a step is compiled once: as a function, called in a loop."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainrule as cr

pytest.importorskip("llvmlite")

from tests.engine.compiled.made import Holder
from tests.engine.compiled.plain import ABREAST, BLOCKS, agree, agree_in_use, compiling, plainly
from tests.engine.compiled.recurrent import KINDS, data

from chainrule.engine.compiled import effort, loops, parts, step
from chainrule.engine.compiled.parts import shared
from chainrule.engine.compiled.step import CompiledStep
from chainrule.engine.compiled.symbolic import NotCompilable
from chainrule.engine.compiler import entry
from chainrule.engine.cost import Estimate
from chainrule.engine.names import Names

Array = npt.NDArray[Any]
#: The head of a loop over time in a text.
LOOP = re.compile(r"for k in range\(\d+\):")


def made(network: cr.Network, x: Array, t: Array, batch: int = 5) -> CompiledStep:
    """The compiled step of a network."""
    network._flatten_parameters()
    x, t, _ = network._prepare(x, t)
    return CompiledStep(network, cr.SGD(0.1), [("x", x), ("t", t)], batch, threads=8)


# -- how much is compiled -------------------------------------------------------------------------------


class Seen(Exception):
    """The text that a step would compile, and its IR."""


@contextmanager
def seen() -> Iterator[None]:
    """Inside, steps are written and not compiled."""

    def kernel(source: str, name: str, given: Any, *_: Any, **known: int) -> Any:
        raise Seen(source, entry.written(source, "text.py", name, given, known))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "kernel", kernel)
        yield


def written(kind: str, steps: int) -> tuple[str, str]:
    with seen(), pytest.raises(Seen) as caught:
        made(KINDS[kind](steps, 4), *data(kind, steps, 9))
    text, ir = caught.value.args
    return text, ir


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("plain", ABREAST),
        ("plain", 2),
        ("summed", ABREAST),
        pytest.param("gated", 1, marks=pytest.mark.long),
    ],
)
def test_more_steps_of_time_are_no_more_to_compile(kind: str, way: int) -> None:
    with compiling(way):
        (text, ir), (longer, ir_of_longer) = (written(kind, steps) for steps in (160, 240))
    if kind != "summed":  # whose sum of all states is written out
        assert longer.count("\n") == text.count("\n")
        assert ir_of_longer.count("\n") == ir.count("\n")
    assert ir_of_longer.count("\n") <= ir.count("\n") + 12 * 80
    assert ir_of_longer.count("\ndefine") == ir.count("\ndefine")
    assert LOOP.search(text)


@pytest.mark.parametrize("way", [ABREAST, 1])
def test_blocks_with_weights_of_their_own_are_calls(way: int) -> None:
    with compiling(way):
        (text, ir), (longer, ir_of_longer) = (written("blocks", steps) for steps in (10, 20))
    assert ir_of_longer.count("\ndefine") == ir.count("\ndefine")
    loops_in = (len(re.findall("^ *for ", some, re.MULTILINE)) for some in (text, longer))
    assert len({*loops_in}) == 1


def test_a_few_steps_are_written_out() -> None:
    text, _ = written("plain", 3)
    assert "def part" not in text
    assert not LOOP.search(text)


# -- what it computes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "shards"),  # each kind with half of the ways by default
    [
        pytest.param(kind, shards, marks=[pytest.mark.long] if (i + j) % 2 else [])
        for i, kind in enumerate(KINDS)
        for j, shards in enumerate([ABREAST, BLOCKS, 1, 2, 3])
    ],
)
def test_engines_agree(kind: str, shards: int) -> None:
    steps = 33 if kind == "plain" else 9
    x, t = data(kind, steps, 11)
    with plainly(shards):
        outcome = agree(lambda: KINDS[kind](steps, 3), x, t, batch=7, slack=20)
        assert "def part" in outcome.source
        assert bool(LOOP.search(outcome.source)) == (kind != "blocks")
        assert "def part" in agree_in_use(lambda: KINDS[kind](steps, 3), x, slack=10)


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("plain", 2),
        ("gated", 1),
        ("blocks", ABREAST),
        pytest.param("gated", ABREAST, marks=pytest.mark.long),
    ],
)
def test_machine_code_gives_the_bits_that_it_gives_written_out(kind: str, way: int) -> None:
    x, t = data(kind, 6, 12)

    def trained() -> bytes:
        network = KINDS[kind](6, 4, np.float32)
        order = np.arange(12, dtype=np.intp)
        one = made(network, x, t, 6)
        assert ("def part" in one.text.source) == (parts.OFTEN < 100)
        one.run(np.tile(order, 3), np.arange(0, 37, 6), one.rates(6))
        return b"".join(p.tobytes() for p in network.params)

    with compiling(way):
        ours = trained()
        with pytest.MonkeyPatch.context() as patch:
            for module in (parts, loops):
                patch.setattr(module, "OFTEN", 1000)
            assert trained() == ours


#: What a step of time may do to its state h, with earlier states or inputs g and parameters.
MOVES: tuple[Callable[..., Any], ...] = (
    lambda h, g, w, b, v: cr.tanh(h @ w + b),
    lambda h, g, w, b, v: h * 0.5 + g @ v,
    lambda h, g, w, b, v: cr.sigmoid(g) * h,
    lambda h, g, w, b, v: cr.concatenate([h[:, 1:], g[:, :1]], 1),
    lambda h, g, w, b, v: h - cr.mean(h, 1, keepdims=True),
    lambda h, g, w, b, v: cr.where(g > 0, h, b),
    lambda h, g, w, b, v: cr.exp(-cr.abs(h)) @ (w * b),
    lambda h, g, w, b, v: h / (1 + cr.mean(h * h)),
)


class Cells(cr.Network):
    """A loop over time whose step is any of some moves, one after the other."""

    def __init__(self, picks: list[tuple[int, int]], turns: int) -> None:
        super().__init__(loss=cr.MeanSquaredError())
        rng = np.random.default_rng(5)
        self.picks, self.turns = picks, turns
        self.held = Holder([rng.standard_normal(shape) for shape in ((3, 3), (3,), (3, 3))])

    def predict(self, x: Any) -> Any:
        w, b, v = self.held._variables()
        x = cr.reshape(x, (-1, self.turns, 3))
        h, kept = x[:, 0], list[Any]()
        for i in range(self.turns):
            for which, other in self.picks:
                g = kept[-other] if other and other <= len(kept) else x[:, i]
                h = MOVES[which](h, g, w, b, v)
            kept.append(h)
        return (h[:, :2] + kept[0][:, 1:]) * b[:2]


PICKS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2)), min_size=1, max_size=4)


def drawn(examples: int) -> Callable[..., Any]:
    """For so many loops over time, in any way."""
    ways, checks = st.sampled_from([ABREAST, BLOCKS, 1, 2, 3]), list(HealthCheck)
    chosen = settings(
        max_examples=examples, deadline=None, derandomize=True, suppress_health_check=checks
    )
    return lambda test: chosen(given(PICKS, st.integers(5, 11), ways)(test))


@drawn(20)
def test_any_step_of_time(picks: Any, turns: int, shards: int) -> None:
    a_loop_agrees(picks, turns, shards)


@pytest.mark.long
@drawn(200)
def test_any_step_of_time_at_length(picks: Any, turns: int, shards: int) -> None:
    a_loop_agrees(picks, turns, shards)


def a_loop_agrees(picks: Any, turns: int, shards: int) -> None:
    rng = np.random.default_rng(turns)
    x, t = rng.standard_normal((9, 3 * turns)), rng.standard_normal((9, 2))
    with plainly(shards):
        agree(lambda: Cells(picks, turns), x, t, batch=5, slack=1000)


# -- the text -------------------------------------------------------------------------------------------

#: Statements of variables (s, t) and arrays (a to e).
LINES = (
    ("A[:] = s",),
    ("t = A[0] + B[1]",),
    ("s = t * 0.5",),
    ("for i in range(3):", "    A[i] = B[i] + s"),
    ("for i in range(3):", "    t = A[i] * 0.5", "    B[i] = t - s", "    s = t"),
    ("for i in range(3):", "    s += A[i]"),
    ("for i in range(3):", "    q = A[i]", "    for j in range(3):", "        B[j] += q * 0.1"),
)
STATEMENTS = st.lists(
    st.tuples(st.sampled_from(LINES), st.sampled_from("abcde"), st.sampled_from("abcde")),
    min_size=1,
    max_size=4,
)


def run(lines: list[str], functions: list[str]) -> tuple[list[float], ...]:
    names: dict[str, Any] = {}
    exec("\n".join(functions), names)
    names |= {name: np.linspace(k, k + 1, 3) for k, name in enumerate("abcde")}
    names |= {"s": 0.25, "t": 0.75}
    exec("\n".join(lines), names)
    return (*(names[name].tolist() for name in "abcde"), [names["s"], names["t"]])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.tuples(STATEMENTS, st.integers(1, 6)), min_size=1, max_size=4), st.randoms())
def test_parts_compute_what_the_text_does(blocks: Any, random: Any) -> None:
    lines: list[str] = []
    for statements, times in blocks:
        for _ in range(times):
            arrays = random.sample("abcde", 5)
            moved = dict(zip("abcde", arrays, strict=True))
            for text, first, second in statements:
                lines += [
                    re.sub(r"\bA\b", moved[first], re.sub(r"\bB\b", moved[second], line))
                    for line in text
                ]
    lines.append("return s + t")  # what follows reads them
    found, functions = shared(lines, Names().unique)
    texts = [
        "\n".join([f"def {p.name}({', '.join(p.parameters)}):", *(f"    {x}" for x in p.lines)])
        for p in functions
    ]
    ours = [line for s in found for line in s.lines]
    assert ours.pop() == lines.pop()
    assert run(ours, texts) == run(lines, [])


def test_a_part_is_what_comes_often_whatever_its_names() -> None:
    lines = []
    for k in range(6):
        lines += [
            "for i in range(3):",
            f"    p = a{k}[i]",
            f"    a{k + 1}[i] = p * p",
            f"b{k}[:] = 0",
        ]
    found, (part,) = shared(lines, Names().unique)
    assert part.parameters == ["a0", "a1", "b0"]
    assert part.lines == lines[:4]
    assert [s.lines for s in found] == [[f"part(a{k}, a{k + 1}, b{k})"] for k in range(6)]


def test_a_variable_that_is_read_later_stays_where_it_is() -> None:
    lines = []
    for k in range(6):
        lines += ["for i in range(3):", f"    p = a{k}[i]", f"    s{k} = p * p", f"    p = s{k}"]
    lines.append("return s3")
    found, (part,) = shared(lines, Names().unique)
    assert part.calls == 5
    assert found[3].lines == lines[12:16]


# -- too much -------------------------------------------------------------------------------------------


def test_what_takes_too_long_to_compile_is_left_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    x, t = data("plain", 6, 12)
    with seen(), pytest.raises(Seen) as caught:
        made(KINDS["plain"](6, 3), x, t)
    lines = caught.value.args[0].count("\n")
    for limit in (1e-3, 0.9 * lines * effort.LINE):  # before the text is written, and after
        monkeypatch.setattr(effort, "MOST", limit)
        with pytest.raises(NotCompilable, match=r"^compiling it would take .*, which is too long$"):
            made(KINDS["plain"](6, 3), x, t)
    monkeypatch.setattr(Estimate, "pays", lambda *_: True)
    monkeypatch.delenv("CHAINRULE_ENGINE", raising=False)
    for engine in ("compiled", "auto"):
        trainer = cr.Trainer(KINDS["plain"](6, 3), cr.SGD(0.1), engine=engine)
        trainer.fit(x, t, epochs=2, batch_size=6, progress=None)
        assert trainer.engine_used == "numpy"
        assert str(trainer.engine_reason).startswith("compiling it would take")
        assert str(trainer.engine_reason).endswith("which is too long")


def test_the_limit_is_far_from_what_people_train() -> None:
    effort.bounded(20_000, 2000)
    with pytest.raises(NotCompilable):
        effort.bounded(100_000)
    with pytest.raises(NotCompilable):
        effort.bounded(0, 30_000)
