"""Links: what is copied and opened again is the same, to the bit; what cannot be is said."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.playground.caps import Caps
from chainrule.playground.compatible.links import Link
from chainrule.playground.linking import read_link, whole_link, write_link
from chainrule.playground.session import Session
from chainrule.playground.settings import Problems
from chainrule.playground.translation import link_of, settings_of


def done(session: Session, do: str, **fields: Any) -> dict[str, Any]:
    answer = session.do({"do": do, **fields})
    assert answer.kind == "reply", answer.fields
    while not session.playing and session.advance(0.05):
        pass
    return dict(answer.fields)


def opened(link: str) -> Session:
    session = Session()
    done(session, "link", text=link)
    while session.advance(0.01):
        pass
    return session


def same(a: Session, b: Session) -> bool:
    one, other = a.run.machine, b.run.machine
    return (
        a.run.step == b.run.step
        and np.array_equal(one.flat.data, other.flat.data)
        and np.array_equal(one.slots, other.slots)
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"data": "spiral", "hidden": [6, 4, 2], "features": ["x", "sinx", "xy"]},
        {"optimizer": "RMSprop", "optimizer_numbers": {"decay_rate": 0.5}, "learning_rate": 1e-3},
        {"loss": "softmax", "data": "book_spiral", "noise": 0.15, "dropout": 0.3, "l1": 0.001},
        {"hidden": [], "data": "plane", "train_part": 0.8, "data_seed": 7, "weight_seed": 9},
        {"activations": ["relu", "gelu"], "init": "he", "batch_size": 33},
    ],
)
def test_a_copied_link_gives_the_same_run(settings: dict[str, Any]) -> None:
    session = Session()
    done(session, "configure", settings=settings)
    done(session, "step", unit="epoch", count=2)
    done(session, "configure", settings={"learning_rate": 0.002})
    done(session, "step", unit="batch", count=3)
    done(session, "edit", parameter=0, place=[0, 0], value=-0.25)
    done(session, "configure", settings={"optimizer": "Adam"})
    done(session, "step", unit="batch", count=4)
    link = session.state().fields["link"]
    other = opened(link)
    assert same(session, other)
    assert other.state().fields["link"] == link
    assert other.run.settings == session.run.settings


@pytest.mark.parametrize(
    ("hash_", "train", "test"),
    [
        ("seed=0.40401", 0.005287127978189086, 0.007721098639144192),
        ("seed=0.40401&dataset=gauss", 0.000666977, 0.006295474),
        ("seed=0.40401&regularization=L2&regularizationRate=0.01", 0.016233756, 0.021459778),
        ("seed=0.40401&initZero=true", 0.499895674, 0.500627865),
        ("seed=0.40401&problem=regression", 0.000418490, 0.000475909),
    ],
)
def test_the_losses_of_tensorflow_playground(hash_: str, train: float, test: float) -> None:
    session = opened(f"#{hash_}")
    done(session, "step", unit="epoch", count=100)
    assert session.run.scores[:2] == pytest.approx((train, test), abs=6e-10)
    assert session.run.machine.epoch == 100


def test_rows_left_over_join_the_next_epoch() -> None:
    session = opened("#seed=0.40401&batchSize=30")
    done(session, "step", unit="epoch", count=1)
    done(session, "step", unit="batch", count=1)
    rows = session.run.machine.rows
    assert rows is not None
    assert rows.tolist() == [*range(240, 250), *range(30)]
    weights = session.run.machine.flat.data.copy()
    done(session, "step", unit="batch", count=40)
    done(session, "goto", step=9)
    np.testing.assert_array_equal(session.run.machine.flat.data, weights)


def test_a_batch_larger_than_the_data_learns_nothing_and_says_so() -> None:
    session = opened("#seed=1&batchSize=300")
    before = session.run.machine.flat.data.copy()
    done(session, "step", unit="epoch", count=3)
    np.testing.assert_array_equal(session.run.machine.flat.data, before)
    assert "nothing is learnt" in session.state().fields["data"]["notes"]["en"][0]


def test_reset_draws_the_next_weights_of_the_stream() -> None:
    session = opened("#seed=0.40401")
    first = session.run.machine.flat.data.copy()
    done(session, "new_weights")
    assert not np.array_equal(session.run.machine.flat.data, first)
    assert np.abs(session.run.machine.network.params[0]).max() <= 0.5


@pytest.mark.parametrize("more", [(), ("new_weights",), ("regenerate",)])
def test_a_link_to_a_compatible_run_opens_at_its_step(more: tuple[str, ...]) -> None:
    session = opened("#seed=0.40401&networkShape=3&dataset=xor")
    for what in more:
        done(session, what)
    done(session, "step", unit="batch", count=57)
    link = session.state().fields["link"]
    assert link.endswith("&step=57")
    again = opened(link)
    while again.advance(0.05):
        pass
    assert again.run.settings == session.run.settings
    assert again.run.step == 57
    np.testing.assert_array_equal(again.run.machine.flat.data, session.run.machine.flat.data)


def test_the_link_is_to_where_a_long_way_has_ended() -> None:
    session = Session()
    done(session, "step", unit="batch", count=10_000)
    while session.advance(0.05):
        pass
    assert session.state().fields["link"].endswith("&step=10000")
    before = session.version
    done(session, "goto", step=9_999)
    while session.advance(0.001):
        pass
    assert session.version > before
    assert session.state().fields["link"].endswith("&step=9999")


def test_a_training_that_stops_by_itself_tells_its_link() -> None:
    session = Session()
    settings = {"data": "plane", "learning_rate": 100.0, "activations": ["linear", "linear"]}
    done(session, "configure", settings=settings)
    done(session, "play")
    told = session.version
    while session.advance(0.01):
        pass
    assert session.run.failure is not None
    assert session.version > told
    assert session.state().fields["link"].endswith(f"&step={session.run.step}")


def test_what_a_link_does_not_name_follows_from_its_data() -> None:
    session = opened("#chainrule=1&data=digits&hidden=5")
    assert len(session.run.settings.features) == 64
    assert session.state().fields["link"] == "#chainrule=1&data=digits&hidden=5&activations=tanh"
    done(session, "configure", settings={"features": ["pixel 3,3", "pixel 4,4"]})
    assert session.state().fields["link"].count("pixel") == 2
    # A table's columns may be called like those of the plane, so their names are always there.
    rows = "".join(f"{k},{k * k % 7},{k % 5},{'ab'[k % 2]}\n" for k in range(20))
    done(session, "paste", text="x,y,z,class\n" + rows)
    done(session, "configure", settings={"data": "own", "features": ["x", "y", "z"]})
    link = session.state().fields["link"]
    done(session, "link", text=link)
    assert session.run.settings.features == ("x", "y", "z")
    assert session.state().fields["link"] == link


def test_a_run_too_long_for_a_link_says_so() -> None:
    run = Session().run
    assert whole_link(run)
    run.step = run.end = 500_000  # half a minute of the default network
    assert whole_link(run)
    assert write_link(run) == "#chainrule=1&step=500000"
    run.step = run.end = 2_000_000
    assert not whole_link(run)
    assert write_link(run) == "#chainrule=1"


@given(
    st.builds(
        Link,
        activation=st.sampled_from(["tanh", "relu", "sigmoid", "linear"]),
        regularization=st.sampled_from(["L1", "L2"]),
        regularization_rate=st.sampled_from([0.001, 0.3]),
        batch_size=st.integers(1, 30).map(float),
        dataset=st.sampled_from(["circle", "xor", "gauss", "spiral"]),
        learning_rate=st.sampled_from([0.00001, 0.03, 3.0]),
        noise=st.integers(0, 80).map(float),
        hidden=st.lists(st.integers(1, 8).map(float), min_size=1, max_size=6).map(tuple),
        seed=st.sampled_from(["0.40401", "0.4", "x y"]),
        train_percent=st.integers(10, 90).map(float),
        x_squared=st.booleans(),
        init_zero=st.booleans(),
    )
)
def test_settings_say_all_that_a_link_says_of_training(link: Link) -> None:
    back = link_of(settings_of(link))
    assert str(back) == str(link)


@pytest.mark.parametrize(
    "link",
    [
        "#networkShape=1000,1000",
        "#batchSize=0",
        "#chainrule=1&hidden=1000",
        "#chainrule=1&hidden=NaN",
        "#chainrule=1&step=1e9",
        "#chainrule=1&step=-1",
        "#chainrule=2&data=xor",
        "#chainrule=10",
        "#networkShape=3&step=1000001",
        "#chainrule=1&nonsense=1",
        "#chainrule=1&events=%5B%5B1%2C%22x%22%5D%5D&step=3",
        "#chainrule=1&events=%5B%5B5%2C%7B%7D%5D%5D&step=3",
        "#chainrule=1&events=" + "%5B" * 5000,
        "#chainrule=1&mode=compatible&optimizer=Adam",
        "#chainrule=1&init=reference",
    ],
)
def test_what_cannot_be_opened_is_refused_and_changes_nothing(link: str) -> None:
    with pytest.raises(Problems):
        read_link(link, Caps())
    session = Session()
    before = session.state().to_bytes()
    assert session.do({"do": "link", "text": link}).kind == "error"
    assert session.state().to_bytes() == before
    assert not session.advance(0.001)


@given(st.sampled_from(["", "#", "#chainrule=1&"]), st.text(max_size=80))
def test_any_text_is_a_link_or_refused(begin: str, text: str) -> None:
    with suppress(Problems):
        linked = read_link(begin + text, Caps())
        assert linked.settings.changed({}, Caps()) == linked.settings


def test_a_change_in_a_link_that_cannot_be_done_ends_what_is_done_again() -> None:
    session = Session()
    text = '#chainrule=1&events=[[2,{"learning_rate":0.5}],[3,[0,[9,9],1]],[4,{"l2":0.1}]]&step=6'
    assert session.do({"do": "link", "text": text}).kind == "reply"
    while session.advance(0.01):
        pass
    assert session.run.settings.learning_rate == 0.5
    assert (session.run.step, session.run.settings.l2) == (3, 0)
    session.do({"do": "link", "text": "#chainrule=1&step=90000"})
    session.advance(0.001)
    session.do({"do": "pause"})
    assert not session.advance(0.01)


def test_a_batch_that_becomes_too_large_on_the_way_ends_it_there() -> None:
    session = opened("#seed=0.40401")
    done(session, "step", count=20)
    done(session, "configure", settings={"batch_size": 300})
    done(session, "goto", step=5)
    done(session, "play")
    session.advance(0.2)
    assert session.run.step == 20
    done(session, "pause")
    done(session, "configure", settings={"batch_size": 10})
    done(session, "step")
    assert session.run.step == 21
