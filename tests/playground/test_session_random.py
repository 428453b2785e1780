"""Random commands, right and wrong ones: a session answers all of them, and its past never changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from chainrule.optimizers import OPTIMIZERS
from chainrule.playground.commands import COMMANDS
from chainrule.playground.messages import Message
from chainrule.playground.session import Session
from chainrule.playground.settings import ACTIVATIONS, INITS

CSV = "a,b,c,kind\n" + "\n".join(
    f"{i},{i * i % 7},{'red' if i % 3 else ''},{'yes' if i % 2 else 'no'}" for i in range(40)
)
JUNK: list[Any] = [
    None, True, -1, 0, 1, 2**70, -(2**70), 1e308, float("nan"), float("inf"), "", "x", "tanh",
    "<img onerror=x>", [], [[]], [1, "x"], {}, {"a": 1}, [None] * 50, "0.5", {"learning_rate": 1},
    [[0, 0, 1]], [[1e9, 0, 0]], [["x", 0, 0]], ["x", "y"],
]  # fmt: skip


def live(r: random.Random) -> dict[str, Any]:
    return r.choice(
        [
            {"learning_rate": r.choice([0.01, 0.1, 1, 100])},
            {"optimizer": r.choice(list(OPTIMIZERS))},
            {"optimizer_numbers": {r.choice(["momentum", "beta1", "eps"]): r.random()}},
            {"l1": r.choice([0, 0.01]), "l2": r.choice([0, 0.03])},
            {"dropout": r.choice([0, 0.2, 0.5])},
            {"batch_size": r.choice([1, 10, 17, 300])},
        ]
    )


def other(r: random.Random) -> dict[str, Any]:
    return r.choice(
        [
            {
                "data": r.choice(
                    ["circle", "xor", "plane", "book_spiral", "digits", "own", "painted"]
                )
            },
            {"hidden": [r.randint(1, 6) for _ in range(r.randint(0, 3))]},
            {"activations": [r.choice(ACTIVATIONS), r.choice(ACTIVATIONS)]},
            {"features": r.sample(["x", "y", "x2", "sinx", "a", "b", "pixel 1,1"], 2)},
            {"loss": r.choice(["squared", "softmax"])},
            {"init": r.choice(INITS), "weight_seed": r.randint(0, 3)},
            {"mode": r.choice(["teaching", "compatible"])},
            {"noise": r.random() / 2, "train_part": r.choice([0.1, 0.5, 0.9])},
        ]
    )


def random_command(r: random.Random, session: Session) -> dict[str, Any]:
    run = session.run
    makers: list[Callable[[], dict[str, Any]]] = [
        lambda: {"do": "step", "unit": r.choice(["batch", "epoch"]), "count": r.randint(1, 4)},
        lambda: {"do": "step", "count": r.randint(1, 30)},
        lambda: {"do": "goto", "step": r.randint(0, max(run.end, 1))},
        lambda: {"do": "goto", "step": r.randint(0, max(run.end, 1))},
        lambda: {"do": "back", "unit": r.choice(["batch", "epoch"]), "count": r.randint(1, 4)},
        lambda: {"do": "configure", "settings": live(r)},
        lambda: {"do": "configure", "settings": live(r)},
        lambda: {"do": "configure", "settings": other(r)},
        lambda: {"do": r.choice(["play", "pause", "reset", "regenerate", "new_weights"])},
        lambda: {
            "do": "edit", "parameter": r.randint(0, 3), "place": [0, 0][: r.randint(1, 2)],
            "value": r.gauss(0, 1),
        },
        lambda: {"do": "resize", "layer": r.randint(1, 3), "by": r.choice([-1, 1])},
        lambda: {"do": "add_layers", "by": r.choice([-1, 1])},
        lambda: {"do": "activate", "layer": 1, "activation": r.choice(ACTIVATIONS)},
        lambda: {"do": "use", "feature": r.choice(["x", "siny", "a"]), "on": r.random() < 0.5},
        lambda: {"do": "speed", "epochs": r.choice([None, 1, 50])},
        lambda: {"do": "play", "epochs": r.randint(1, 3)},
        lambda: {"do": "remedy", "step": r.choice([None, 0, run.end]),
                 "settings": {"learning_rate": r.choice([0.01, 0.1])}},
        lambda: {"do": "select_run", "run": r.choice(list(session.runs))},
        lambda: {"do": "drop_run", "run": r.choice(list(session.runs))},
        lambda: {"do": "paste", "text": CSV},
        lambda: {"do": "paint", "points": [[r.random(), 0.5, r.randint(0, 2)] for _ in range(5)]},
        lambda: {"do": "paint", "erase": [[0.5, 0.5, r.random()]]},
        lambda: {"do": "unit", "column": 1, "index": 0},
        lambda: {"do": "inside", "detail": False},
        lambda: {"do": "explain", "arrow": r.choice(["W1", "loss"]), "element": [0, 0]},
        lambda: {"do": "link", "text": session.state().fields["link"]},
        lambda: {"do": "link", "text": "#dataset=xor&networkShape=3&seed=0.4"},
        lambda: {"do": "export", "what": r.choice(["code", "script", "model", "data", "svg"])},
        lambda: {
            "do": r.choice(list(COMMANDS)),
            **{
                name: r.choice(JUNK)
                for name in r.sample(
                    ["settings", "step", "unit", "count", "run", "points", "erase", "text", "place",
                     "value", "parameter", "element", "arrow", "row", "what", "lang", "index"],
                    r.randint(0, 3),
                )
            },
        },
        lambda: {
            "do": "configure",
            "settings": {r.choice([*vars(session.run.settings), "junk"]): r.choice(JUNK)},
        },
    ]  # fmt: skip
    return {"id": r.randint(0, 9), **r.choice(makers)()}


def past(session: Session) -> tuple[Any, bytes]:
    """Where the session stands, and all the numbers there."""
    run = session.run
    happened = tuple(repr(event) for event in run.events if event.step <= run.step)
    key = repr(run.start), id(run.data), run.step, happened
    return key, run.machine.flat.data.tobytes() + run.machine.slots.tobytes()


def play_randomly(seed: int, commands: int) -> dict[str, int]:
    r, session = random.Random(seed), Session()
    seen: dict[Any, bytes] = {}
    kept: list[Any] = []  # so that ids stay those of these data
    kinds: dict[str, int] = {}
    for _ in range(commands):
        command = random_command(r, session)
        before = session.version, session.state().to_bytes()
        on_its_way = session.target is not None
        reply = session.do(command)
        kinds[reply.kind] = kinds.get(reply.kind, 0) + 1
        Message.from_bytes(reply.to_bytes())
        if reply.kind == "error":
            assert reply.fields["errors"], command
            if not on_its_way:
                assert (session.version, session.state().to_bytes()) == before, command
        for _ in range(r.choice([0, 1, 5])):
            session.advance(0.002)
        frame = session.frame()
        frame.to_bytes()
        assert frame.fields["step"] <= frame.fields["end"]
        kept.append(session.run.data)
        key, numbers = past(session)
        assert seen.setdefault(key, numbers) == numbers, (command, key)
    return kinds


@pytest.mark.parametrize(
    "seed", [0, 1, 2, *(pytest.param(k, marks=pytest.mark.long) for k in (3, 4, 5))]
)
def test_every_command_is_answered_and_the_past_stays(seed: int) -> None:
    kinds = play_randomly(seed, 120)
    assert kinds["reply"] > 20
    assert kinds["error"] > 5


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 140))
def test_every_command_is_answered_and_the_past_stays_for_long(seed: int) -> None:
    play_randomly(seed, 400)
