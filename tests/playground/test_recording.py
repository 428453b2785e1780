"""Recordings: the session's own numbers, whatever the run; a page that nothing can break out of."""

from __future__ import annotations

import gzip
import random
import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest

from chainrule.errors import SettingError
from chainrule.playground.messages import Message
from chainrule.playground.page_file import embedded, page_file
from chainrule.playground.recorded_page import recorded_page
from chainrule.playground.recording import LEVELS, Recorder, Recording, kept_steps, open_steps
from chainrule.playground.session import Session

NASTY = "</script><script>alert(1)</script><!--"
TABLE = f"a,b,{NASTY}\n" + "".join(f"{i},{i * i % 7},{'xy'[i % 2]}{NASTY}\n" for i in range(20))


def done(session: Session, **command: object) -> Message:
    answer = session.do(command)
    while session.advance(0.1) and not session.playing:
        pass
    assert answer.kind != "error", answer.fields
    return answer


def frames(recording: Recording) -> list[dict[str, np.ndarray]]:
    """The arrays of every frame, read from a recording as the page does."""
    arrays = recording.frames.arrays
    found: list[dict[str, np.ndarray]] = [{} for _ in recording.frames.fields["steps"]]
    for name in (name[3:] for name in arrays if name.startswith("in/")):
        data, kept = arrays[f"frame/{name}"], arrays[f"range/{name}"]
        at = 0
        for place, k in enumerate(arrays[f"in/{name}"]):
            if kept.dtype == np.int32:
                size = int(np.prod(kept[place]))
                found[k][name] = data[at : at + size].reshape(kept[place])
                at += size
            else:
                levels = np.cumsum(data[: place + 1], axis=0, dtype=np.uint8)[-1].astype(float)
                least, most = kept[place].T[..., None, None]
                found[k][name] = np.where(
                    levels > LEVELS, np.nan, least + levels * (most - least) / LEVELS
                )
    return found


def same(recording: Recording, session: Session, besides: tuple[str, ...] = ("trouble",)) -> None:
    """Every frame is the session's own: numbers to the bit, maps to half a level."""
    for step, fields, arrays in zip(
        recording.frames.fields["steps"],
        recording.frames.fields["frames"],
        frames(recording),
        strict=True,
    ):
        session.do({"do": "goto", "step": step})
        while session.advance(1.0):
            pass
        frame = session.frame()
        for name in ("step", "end", "epoch", "batch", "loss", "train_loss", "test_score", *besides):
            np.testing.assert_equal(fields[name], frame.fields[name], err_msg=f"{name} at {step}")
        assert arrays.keys() == frame.arrays.keys() - {"curve"}
        for name, array in arrays.items():
            own = frame.arrays[name]
            if name in ("map", "units"):
                span = np.ptp(own.reshape(len(own), -1), axis=1)[:, None, None]
                assert np.all(np.abs(array - own) <= 0.51 * span / LEVELS + 1e-6), (name, step)
            else:
                np.testing.assert_array_equal(array, own, err_msg=f"{name} at {step}")
    np.testing.assert_array_equal(recording.frames.arrays["curve"], session.frame().arrays["curve"])


def random_run(seed: int) -> Session:
    """A run of any data, network and optimizer, changed on the way."""
    chance, session = random.Random(seed), Session()
    data = chance.choice(["circle", "xor", "spiral", "plane", "book_spiral", "digits"])
    done(session, do="configure", settings={"data": data})
    loss = "squared" if data == "plane" else chance.choice(["squared", "softmax"])
    settings = {
        "loss": loss, "optimizer": chance.choice(["SGD", "Adam", "Momentum"]),
        "batch_size": chance.choice([7, 10, 50]), "dropout": chance.choice([0, 0.2]),
    }  # fmt: skip
    done(session, do="configure", settings=settings)
    for _ in range(chance.randrange(1, 4)):
        done(session, do="step", unit="batch", count=chance.randrange(1, 60))
        if chance.random() < 0.5:
            done(session, do="configure", settings={"learning_rate": chance.choice([0.001, 0.1])})
        else:
            done(session, do="edit", parameter=0, place=[0, 0], value=chance.uniform(-2, 2))
    done(session, do="step", unit="batch", count=chance.randrange(1, 60))
    return session


@pytest.mark.parametrize("seed", range(4))
def test_random_runs_are_recorded_to_the_bit(seed: int) -> None:
    session = random_run(seed)
    session.do({"do": "goto", "step": 3})  # it records all of the run, wherever that stands
    recording = Recorder(session.run, Session(), most=24, opened=[]).finish()
    assert session.run.step == 3
    assert recording.frames.fields["steps"][-1] == session.run.end
    same(recording, session)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4, 104))
def test_more_random_runs(seed: int) -> None:
    session = random_run(seed)
    same(Recorder(session.run, Session(), most=24, opened=[]).finish(), session)


def test_a_run_that_stopped_says_why() -> None:
    session = Session()
    settings = {"data": "plane", "activations": ["linear", "linear"], "learning_rate": 100}
    done(session, do="configure", settings=settings)
    done(session, do="step", unit="epoch", count=20)
    assert session.run.failure is not None
    recording = Recorder(session.run, Session(), opened=[]).finish()
    assert recording.frames.fields["frames"][-1]["trouble"][0]["kind"] == "not_finite"
    same(recording, session, besides=())  # a session that goes back there has not tried again


def test_what_is_opened_is_what_the_session_answers() -> None:
    session = Session()
    done(session, do="step", unit="batch", count=30)
    recording = Recorder(session.run, Session(), opened=[7]).finish()
    done(session, do="goto", step=7)
    assert set(recording.opened) == {(7, "en"), (7, "zh")}
    parts = recording.opened[7, "zh"].arrays
    for name, detail in (("detail", True), ("plain", False)):
        own = done(session, do="inside", detail=detail, lang="zh")
        assert parts[name].tobytes() == own.to_bytes()
    assert parts["check"].tobytes() == done(session, do="check").to_bytes()
    asked = Message.from_bytes(parts["asked"].tobytes()).fields["asked"]
    for question in random.Random(0).sample(asked, 12):
        answer = question.pop("answer")
        told = Message.from_bytes(done(session, do="explain", **question).to_bytes()).fields
        assert answer == told
    of_parameters = {(q["arrow"], q.get("update"), q["gradient"]) for q in asked}
    assert {("W1", None, True), ("W1", "p", False), ("b3", "p", False)} <= of_parameters


def test_a_piece_at_a_time() -> None:
    """The worker gives a recording turns as it does a training, so no piece may be all of it."""
    session = Session()
    done(session, do="step", unit="batch", count=40)
    first = session.do({"do": "export", "what": "page"})
    assert first.fields["progress"] == 0
    pieces, seen = 0, [0.0]
    while session.frame().fields["recording"] < 1:
        assert session.advance(0.01)
        pieces += 1
        seen.append(session.frame().fields["recording"])
    assert pieces > 60
    assert seen == sorted(seen)
    page = session.do({"do": "export", "what": "page", "lang": "zh"})
    assert (page.fields["name"], page.fields["media"]) == ("circle.html", "text/html")
    assert page.arrays["bytes"].tobytes().startswith(b'<!doctype html>\n<html lang="zh-CN">')
    assert session.frame().fields["recording"] is None


def test_which_steps_are_kept() -> None:
    for end in (0, 1, 5, 26, 1_000, 100_000):
        for batches in (1, 25, 400):
            kept = kept_steps(end, batches)
            assert kept[0] == 0
            assert kept[-1] == end
            assert kept == sorted(set(kept))
            assert len(kept) <= 160
            assert set(open_steps(kept)) <= set(kept)
            assert end in open_steps(kept)


def test_a_large_network_keeps_fewer_steps() -> None:
    session = Session()
    settings = {
        "data": "digits",
        "hidden": [64, 64],
        "activations": ["relu", "relu"],
        "optimizer": "Adam",
    }
    done(session, do="configure", settings={"data": "digits"})
    done(session, do="configure", settings=settings)
    done(session, do="step", unit="batch", count=60)
    recording = Recorder(session.run, Session(), opened=[]).finish()
    assert len(gzip.compress(recording.frames.to_bytes())) < 1_600_000
    assert recording.frames.fields["steps"][-1] == 60


class Read(HTMLParser):
    """The tags of a page, and what stands in its scripts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.tags: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            attrs, before = self.scripts[-1]
            self.scripts[-1] = (attrs, before + data)


@pytest.mark.usefixtures("page_is_there")
def test_no_text_of_a_table_is_markup_or_script() -> None:
    session = Session()
    done(session, do="paste", text=TABLE)
    done(session, do="configure", settings={"data": "own"})
    done(session, do="step", unit="batch", count=3)
    page = page_file(Recorder(session.run, Session(), opened=[1]).finish())
    read = Read(page)
    assert b"alert(1)" not in page
    assert [attrs.get("type") for attrs, _ in read.scripts] == ["text/plain"] * 3 + ["module"]
    for attrs, data in read.scripts[:-1]:
        assert re.fullmatch(r"[A-Za-z0-9+/=]+", data), attrs
    told = Message.from_bytes(gzip.decompress(b64decode(read.scripts[0][1])))
    assert told.fields["state"]["data"]["target"] == NASTY
    assert read.tags.count("script") == 4
    assert 'sandbox="allow-scripts"' in embedded(page, NASTY)
    assert NASTY not in embedded(page, NASTY)


@pytest.mark.usefixtures("page_is_there")
def test_what_is_wrong_with_a_page_is_said() -> None:
    with pytest.raises(SettingError, match="theme must be"):
        recorded_page(steps=1, opened=[], theme="blue")
    with pytest.raises(SettingError, match="noise must be"):
        recorded_page("#chainrule=1&noise=7", steps=1)
    assert recorded_page(steps=2, opened=[]) == recorded_page(steps=2, opened=[])


@pytest.fixture
def page_is_there() -> None:
    from chainrule.errors import FormatError
    from chainrule.playground.page_file import built

    try:
        built()
    except FormatError:
        pytest.skip("the page is not built: pip install -e . does it")
