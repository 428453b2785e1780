"""Links trained here and on the page: numbers of the page itself, and a plain Python oracle."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from tests.playground.compatible.oracle import ACTIVATIONS, INPUTS, Oracle

import chainrule as cr
from chainrule.errors import NonFiniteError
from chainrule.playground.caps import Caps
from chainrule.playground.compatible import Compatible, Link, LinkError
from chainrule.playground.compatible.data import GENERATORS, points
from chainrule.playground.compatible.optimizer import PlaygroundSGD
from chainrule.playground.compatible.random import SeedRandom, fixed5
from chainrule.playground.compatible.training import epoch_batches

CHAPTER = (
    "#activation=tanh&batchSize=10&dataset=circle&regDataset=reg-plane&learningRate=0.03"
    "&regularizationRate=0&noise=0&networkShape=4,2&seed=0.40401&showTestData=false"
    "&discretize=false&percTrainData=50&x=true&y=true&xTimesY=false&xSquared=false"
    "&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false"
    "&problem=classification&initZero=false&hideText=false"
)


def model_of(text: str) -> Compatible:
    return Compatible(Link.parse(text))


# -- numbers that the page itself gave ------------------------------------------------------------


def test_the_random_stream() -> None:
    stream = SeedRandom("0.40401")
    assert [stream.random() for _ in range(3)] == [
        0.005325321144268823,
        0.8505930977654318,
        0.5672218848344854,
    ]


def test_data_and_first_weights_of_the_chapters_link_to_the_last_bit() -> None:
    model = model_of(CHAPTER)
    assert model.points[:2].tolist() == [
        [0.8750083152746584, 3.967851392074685, -1.0],
        [-1.5528278121154433, 0.8945247337159099, 1.0],
    ]
    assert (model.train[1] > 0).sum() == 127
    first, *_, last = model.network.params[::2]  # W of every layer; the page goes unit by unit
    assert first.T.ravel()[:4].tolist() == [
        0.11756518276410477,
        -0.38039649424062355,
        0.32070987150725916,
        -0.33774686261094233,
    ]
    assert last[-1, 0] == -0.43767178635030707
    assert all((b == 0.1).all() for b in model.network.params[1::2])


#: What follows the chapter's link; epoch -> loss in training and test.
PAGE: dict[str, dict[int, tuple[float, float]]] = {
    "": {
        0: (0.5046747982048918, 0.49087161202727486),
        1: (0.4994050583755921, 0.48792219360185385),
        10: (0.45693989836852894, 0.4489743018740535),
        100: (0.005287127978189086, 0.007721098639144192),
        500: (0.0005477565032506631, 0.0015256479473495313),
    },
    "&dataset=gauss": {
        0: (0.463738296, 0.459314439),
        1: (0.253950654, 0.251960431),
        10: (0.010166071, 0.010601554),
        100: (0.000666977, 0.006295474),
        500: (0.000100742, 0.007002777),
    },
    "&regularization=L2&regularizationRate=0.01": {
        0: (0.504674798, 0.490871612),
        1: (0.499370855, 0.488044470),
        10: (0.467237480, 0.458953985),
        100: (0.016233756, 0.021459778),
        500: (0.011785198, 0.023549332),
    },
    "&initZero=true": {
        0: (0.5, 0.5),
        1: (0.499879348, 0.500268673),
        10: (0.499895594, 0.500627412),
        100: (0.499895674, 0.500627865),
    },
    "&problem=regression": {
        0: (0.147868125, 0.142065818),
        1: (0.038905262, 0.037846437),
        10: (0.005842063, 0.006345044),
        100: (0.000418490, 0.000475909),
        500: (0.000107045, 0.000124315),
    },
}


@pytest.mark.parametrize("more", PAGE)
def test_the_losses_of_the_page(more: str) -> None:
    model = model_of(CHAPTER + more)
    for epoch, losses in PAGE[more].items():
        model.advance(epoch - model.epoch)
        assert model.epoch == epoch
        # The chapter's link is known to all digits, the others to nine decimals.
        assert model.losses() == pytest.approx(losses, rel=0, abs=1e-9 if more else 1e-15)


# -- the oracle ------------------------------------------------------------------------------------


def drawn_state(rng: random.Random) -> dict[str, Any]:
    """Some state of the page, every setting drawn."""
    shape = [rng.randint(1, 5) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
    inputs = {name: rng.random() < 0.4 for name in INPUTS}
    inputs[rng.choice(list(INPUTS))] = True
    return {
        "activation": rng.choice(list(ACTIVATIONS)),
        "regularization": rng.choice(["none", "L1", "L2"]),
        "regularizationRate": rng.choice([0, 0.001, 0.01, 0.1, 0.3]),
        "batchSize": rng.choice([1, 3, 7, 10, 10, 29, 30, 30, 240, 1000]),
        "dataset": rng.choice(["circle", "xor", "gauss", "spiral"]),
        "regDataset": rng.choice(["reg-plane", "reg-gauss"]),
        "problem": rng.choice(["classification", "classification", "regression"]),
        "learningRate": rng.choice([0.0001, 0.003, 0.01, 0.02]),
        "noise": rng.choice([0, 5, 35, 50, 77.5]),
        "networkShape": shape,
        "seed": rng.choice([f"{rng.random():.5f}", "0.4", "0.40", "tea", "x" * 200]),
        "percTrainData": rng.choice([10, 33.3, 50, 50, 90]),
        "initZero": rng.random() < 0.1,
        **inputs,
    }


def compare(state: dict[str, Any], epochs: int) -> None:
    """Same losses after every epoch and same weights, as far as the page's numbers mean anything.

    Where training is chaotic, the last digit of a weight soon decides over all of them. A second
    oracle that begins with such a digit changed tells how far: it may differ as much as we do.
    """
    page, nudged = Oracle(**state), Oracle(**state)
    for wires in nudged.wires:
        for wire in wires:
            wire.weight = math.nextafter(wire.weight, math.inf)
    model = model_of(page.link())
    for epoch in range(epochs + 1):
        if epoch:
            page.epoch()
            nudged.epoch()
            try:
                model.advance()
            except NonFiniteError:
                assert not math.isfinite(sum(page.losses())), page.link()
                return
        losses = page.losses()
        spread = max(abs(a - b) / b for a, b in zip(nudged.losses(), losses, strict=True) if b)
        if spread > 1e-6:
            return
        assert model.losses() == pytest.approx(losses, rel=1e-9 + 100 * spread, abs=1e-12), (
            page.link()
        )
    flat = [wire.weight for wires in page.wires for wire in wires]
    ours = np.concatenate([W.T.ravel() for W in model.network.params[::2]])
    rtol, atol = 1e-8 + 100 * spread, 1e-11
    np.testing.assert_allclose(ours, flat, rtol=rtol, atol=atol, err_msg=page.link())


@pytest.mark.parametrize("seed", range(16))
def test_links_drawn_at_random_against_the_oracle(seed: int) -> None:
    compare(drawn_state(random.Random(seed)), epochs=3)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 300))
def test_many_more_links_against_the_oracle(seed: int) -> None:
    compare(drawn_state(random.Random(seed)), epochs=5)


@pytest.mark.parametrize(
    "state",
    [
        {"batchSize": 30},
        {"batchSize": 30, "percTrainData": 90, "problem": "regression"},
        {"regularization": "L1", "regularizationRate": 0.1, "dataset": "gauss"},
        {"regularization": "L1", "regularizationRate": 1, "initZero": True},
        {"networkShape": [], "dataset": "gauss"},
        {"activation": "relu", "networkShape": [8], "xSquared": True, "ySquared": True},
    ],
    ids=str,
)
def test_what_is_special_against_the_oracle(state: dict[str, Any]) -> None:
    compare(state, epochs=6)


@pytest.mark.parametrize("key", GENERATORS)
@pytest.mark.parametrize("noise", [0, 25, 80])
def test_every_data_set_against_the_oracle(key: str, noise: int) -> None:
    state = {"regDataset": key, "problem": "regression"} if "-" in key else {"dataset": key}
    page = Oracle(**state, noise=noise, seed="0.12345")
    drawn = points(SeedRandom("0.12345"), key, noise / 100)
    np.testing.assert_allclose(drawn, page.train + page.test, rtol=0, atol=1e-13)


# -- what the page does that few would expect ----------------------------------------------------


def test_rows_left_over_join_the_first_batch_of_the_next_epoch() -> None:
    first, later = epoch_batches(250, 30)
    assert [len(rows) for rows in first] == [30] * 8
    assert [len(rows) for rows in later] == [40, *[30] * 7]
    assert later[0].tolist() == [*range(240, 250), *range(30)]
    assert epoch_batches(250, 251) == ([], [])
    for n, size in ((250, 10), (250, 1), (7, 7)):
        once, again = epoch_batches(n, size)
        assert np.concatenate(once).tolist() == list(range(n))
        assert [a.tolist() for a in again] == [a.tolist() for a in once]


def test_a_batch_larger_than_the_data_teaches_nothing() -> None:
    model = model_of("#batchSize=251&seed=1")
    before = model.losses()
    model.advance(5)
    assert model.losses() == before
    assert model.epoch == 5


def test_weights_that_l1_has_killed_stay_dead() -> None:
    model = model_of("#regularization=L1&regularizationRate=0.1&dataset=gauss&seed=0.3")
    dead = 0
    for _ in range(10):
        model.advance()
        assert model.optimizer.state is not None
        killed = model.optimizer.state[0][0] > 0
        assert (model.network._segments()[0][0][killed] == 0).all()
        assert killed.sum() >= dead
        dead = killed.sum()
    assert 0 < dead < killed.size


def test_a_dead_weight_moves_no_more_whatever_its_gradient() -> None:
    optimizer, W = PlaygroundSGD(0.1, l1=0.5), np.array([[0.01, 1.0]])
    optimizer.update([W], [np.array([[0.0, 0.0]])])
    assert W.tolist() == [[0.0, 0.95]]
    optimizer.update([W], [np.array([[-100.0, 0.0]])])
    assert W[0].tolist() == pytest.approx([0.0, 0.9])


def test_a_weight_that_is_zero_beforehand_is_not_killed() -> None:
    optimizer, W = PlaygroundSGD(0.1, l1=0.5), np.array([[0.0]])
    optimizer.update([W], [np.array([[0.0]])])  # sign(0) = 0: the product is 0, not negative
    optimizer.update([W], [np.array([[-1.0]])])
    assert W[0, 0] == 0.1


def test_biases_have_no_penalty() -> None:
    for kind in ({"l1": 0.5}, {"l2": 0.5}):
        b = np.array([1.0])
        PlaygroundSGD(0.1, **kind).update([b], [np.array([1.0])])
        assert b[0] == pytest.approx(0.9)


@pytest.mark.parametrize(
    "penalty",
    [
        *(pytest.param(p, marks=pytest.mark.long) for p in ({}, {"l1": 0.01}, {"l2": 0.01})),
        {"l1": 0.01, "l2": 0.02},
    ],
)
def test_both_engines_take_the_same_steps(penalty: dict[str, float]) -> None:
    pytest.importorskip("llvmlite")
    x, t = cr.datasets.moons(noise=0.2)
    found = []
    for engine in ("numpy", "compiled"):
        net = cr.Sequential(
            cr.Affine.sized(2, 4, dtype=float), cr.Tanh(), cr.Affine.sized(4, 1, dtype=float),
            cr.Tanh(), loss=cr.HalfSquaredError(),
        )  # fmt: skip
        trainer = cr.Trainer(net, PlaygroundSGD(0.1, **penalty), engine=engine)
        trainer.fit(x, 2.0 * t[:, None] - 1, 20, 10, progress=None)
        assert trainer.engine_used == engine
        found.append(np.concatenate([p.ravel() for p in net.params]))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-10, atol=1e-13)


def test_the_seed_is_a_text() -> None:
    assert model_of("#seed=0.4").losses() != model_of("#seed=0.40").losses()
    assert SeedRandom("猫").random() != SeedRandom("犬").random()
    long = "0123456789" * 30  # the key has 256 places, and goes round
    assert SeedRandom(long).random() != SeedRandom(long[:256]).random()


def test_the_seed_that_comes_next_has_five_decimals() -> None:
    model = model_of(CHAPTER)
    seed = model.new_seed()
    stream = SeedRandom("0.40401")
    points(stream, "circle", 0)
    for _ in range(18):  # the weights of 2-4-2-1
        stream.random()
    assert seed == fixed5(stream.random())
    assert len(seed) == 7


def test_ties_of_five_decimals_go_up_and_only_real_ties() -> None:
    assert fixed5(0.5 + 2**-6) == "0.51563"  # 0.515625 exactly
    assert fixed5(0.000025) == "0.00003"  # a little above 0.000025, as floats go
    assert fixed5(0.000035) == "0.00003"  # a little below
    assert fixed5(0.999999) == "1.00000"


def test_outputs_are_those_of_each_unit() -> None:
    model = model_of("#networkShape=3&activation=linear&xSquared=true&problem=regression&seed=1")
    features, hidden, output = model.outputs([[2.0, 3.0], [0.5, -1.0]])
    assert features.tolist() == [[2.0, 3.0, 4.0], [0.5, -1.0, 0.25]]
    W1, b1, W2, b2 = model.network.params
    np.testing.assert_allclose(hidden, features @ W1 + b1)
    np.testing.assert_allclose(output, hidden @ W2 + b2)
    model = model_of("#networkShape=&activation=relu&seed=1")
    _, out = model.outputs([[100.0, 100.0]])
    assert abs(out[0, 0]) <= 1


def test_what_diverges_stops_with_the_last_good_weights() -> None:
    model = model_of("#problem=regression&activation=relu&learningRate=10&seed=1")
    with pytest.raises(NonFiniteError, match=r"epoch \d+, batch \d+ of 60"):
        model.advance(50)
    assert all(np.isfinite(p).all() for p in model.network.params)


def test_a_link_beyond_the_caps_is_not_made() -> None:
    with pytest.raises(LinkError, match="64"):
        model_of("#networkShape=1000,1000")
    with pytest.raises(LinkError, match="at most 2"):
        Compatible(Link(hidden=(2, 2, 2)), Caps(layers=2))
