"""A class over real sockets: who may do what, the wall, the same start for all, all stop and look."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from tests.playground.server.process import Answer, Served, header, serving, until
from websockets.sync.client import ClientConnection

from chainrule.playground.messages import Message
from chainrule.playground.server.access import CODE_LENGTH, LETTERS, Access
from chainrule.playground.server.classroom import LEVELS, SIDE, card
from chainrule.playground.session import Session


class Class:
    """The server, the teacher's cookie and the code."""

    def __init__(self, served: Served) -> None:
        self.served = served
        found = re.search(rf"([{LETTERS}]{{{CODE_LENGTH}}})\n", served.said)
        assert found, served.said
        self.code = found[1]
        self.teacher = self.enter(served.token, "/class")

    def enter(self, token: str, to: str = "/") -> str:
        """Come in with a token; the cookie."""
        answer = self.served.get(f"/?token={quote(token)}", cookie=None)
        assert (answer.status, answer.headers["location"]) == (303, to), answer
        return answer.headers["set-cookie"].partition(";")[0]

    def pupil(self) -> ClientConnection:
        return self.served.client(self.enter(self.code))

    def order(self, cookie: str | None = None, **command: Any) -> Message:
        answer = self.posted(cookie or self.teacher, json.dumps(command).encode())
        assert answer.status == 200, answer
        return Message.from_bytes(answer.body)

    def posted(self, cookie: str, body: bytes, origin: str | None = None) -> Answer:
        headers = [*self.served.headers(cookie), ("Content-Length", str(len(body)))]
        headers.append(("Origin", origin or self.served.origin))
        return self.served.request("POST", "/class/do", headers, body)

    def wall(self) -> Message:
        answer = self.served.get("/class/wall", cookie=self.teacher)
        assert answer.status == 200, answer
        return Message.from_bytes(answer.body)


@pytest.fixture(scope="module")
def room() -> Iterator[Class]:
    with serving("--class", "--host=127.0.0.1") as served:
        yield Class(served)


def do(client: ClientConnection, **command: Any) -> dict[str, Any]:
    client.send(json.dumps({"id": 7, **command}))
    while True:
        found = header(client.recv(timeout=60))
        if found.get("id") == 7:
            return found


def test_only_the_teacher_teaches(room: Class) -> None:
    served = room.served
    pupil = room.enter(room.code.lower()[:4] + " " + room.code[4:])  # as people type it
    for path in ("/class", "/class/wall"):
        assert served.get(path, cookie=pupil).status == 403
        assert served.get(path, cookie=None).status == 403
        assert served.get(path, cookie=room.teacher).status == 200
    for cookie in (pupil, pupil.replace("=", "=teacher-", 1)):
        assert room.posted(cookie, b'{"do": "look", "message": "!"}').status == 403
    stranger = room.posted(room.teacher, b'{"do": "look", "message": "!"}', "http://evil.example")
    assert stranger.status == 403
    assert room.wall().fields["look"] is None
    for body in (b"", b"[]", b"{", b'{"do": "reset"}', b'{"do": 1}', b'{"do": "start", "link": 3}',
                 b'{"do": "start", "link": "#chainrule=1&noise=9"}', b"x" * 100_000):  # fmt: skip
        answer = Message.from_bytes(room.posted(room.teacher, body).body)
        assert answer.kind == "error", body
        assert answer.fields["told"]["zh"]
    assert room.wall().fields["start"] is None


def test_the_page_at_which_pupils_join(room: Class) -> None:
    asked = room.served.get("/", cookie=None, Accept_Language="zh-CN")
    assert asked.status == 200
    page = asked.body.decode()
    assert 'lang="zh-CN"' in page
    assert "老师展示的代码" in page
    assert "script" not in page
    assert "form-action 'self'" in asked.headers["content-security-policy"]
    wrong = room.served.get("/?token=ABCDEFGH%3Cscript%3E", cookie=None)
    assert wrong.status == 403
    assert "This is not the code of the class" in wrong.body.decode()
    assert "<script" not in wrong.body.decode()


def test_everybody_begins_at_the_same_place_and_is_seen_on_the_wall(room: Class) -> None:
    with room.pupil() as one, room.pupil() as two:
        assert do(one, do="name", name=" Ann\u202e\t<b>Lee  and a very long name ")["called"] == (
            "Ann <b>Lee and a very lo"
        )
        # A link without a seed: the same weights and data for all the same.
        link = "#dataset=xor&networkShape=3&noise_hide=true&learningRate_lock=true"
        assert room.order(do="start", link=link).kind == "reply"
        states = [until(client, "state", controls={"noise": "hidden", "learningRate": "locked"})
                  for client in (one, two)]  # fmt: skip
        assert states[0]["link"] == states[1]["link"]
        assert states[0]["settings"]["hidden"] == [3]
        refused = do(one, do="configure", settings={"learning_rate": 1})
        assert refused["kind"] == "error"
        assert "locked" in refused["errors"][0]
        with room.pupil() as late:
            assert until(late, "state")["link"] == states[0]["link"]

        do(two, do="step", unit="epoch", count=2)
        wall = room.wall()  # what a command has changed is shown before its answer
        pupils = {pupil["number"]: pupil for pupil in wall.fields["pupils"] if pupil["here"]}
        first, second = (pupils[number] for number in sorted(pupils)[:2])
        assert (first["called"], first["step"], second["epoch"]) == (
            "Ann <b>Lee and a very lo",
            0,
            2,
        )
        shown = [pupil for pupil in wall.fields["pupils"] if pupil["classes"]]
        assert wall.arrays["maps"].shape == (len(shown), SIDE, SIDE)


def test_mine_to_all_with_its_own_table(room: Class) -> None:
    table = "a,b,kind\n" + "".join(f"{i},{i * i % 7},{'xy'[i % 2]}\n" for i in range(20))
    with room.served.client(room.teacher) as teacher, room.pupil() as pupil:
        do(teacher, do="paste", text=table)
        do(teacher, do="configure", settings={"data": "own"})
        do(teacher, do="step", count=3)
        do(teacher, do="edit", parameter=0, place=[0, 0], value=1.5)
        assert room.order(do="mine").kind == "reply"
        while until(pupil, "state")["position"]["step"] != 3:
            pass
        mine = Message.from_bytes(_frame(teacher)).arrays["weights"]
        theirs = Message.from_bytes(_frame(pupil)).arrays["weights"]
        np.testing.assert_array_equal(mine, theirs)


def _frame(client: ClientConnection) -> bytes:
    """A frame of where a session stands now."""
    client.send('{"do": "configure", "settings": {"learning_rate": 0.5}}')
    while True:
        message = client.recv(timeout=60)
        assert isinstance(message, bytes)
        if header(message)["kind"] == "frame" and header(message)["step"] == 3:
            return message


def test_all_stop_and_look_and_go_on(room: Class) -> None:
    with room.pupil() as pupil, room.served.client(room.teacher) as teacher:
        do(pupil, do="play")
        do(teacher, do="play")
        room.order(do="look", message="Why?")
        assert until(pupil, "class", look="Why?")["teacher"] is False
        stopped = do(pupil, do="step")
        assert "stopped everybody" in stopped["errors"][0]
        stands = []
        for _ in range(2):  # time stands still for pupils alone, once their last frames are made
            before = until(teacher, "frame")["step"]
            while until(teacher, "frame")["step"] <= before:
                pass
            stands.append({p["number"]: p["step"] for p in room.wall().fields["pupils"]})
        assert stands[0] == stands[1]
        with room.pupil() as late:
            late.send('{"id": 7, "do": "play"}')
            assert until(late, "error")["id"] == 7
        room.order(do="go")
        until(pupil, "class", look=None)
        step = until(pupil, "frame")["step"]
        while until(pupil, "frame")["step"] <= step:
            pass


def test_tokens() -> None:
    access = Access(1)
    assert not access.teaches(access.teacher_token)  # no class
    code = access.open_class()
    assert len(set(LETTERS)) == len(LETTERS) == 31
    assert access.admits(code)
    assert not access.admits("")
    assert not access.admits(code[:-1])
    assert not access.teaches(code)
    assert not access.teaches(access.token)
    assert not access.admits(access.teacher_token)
    once = access.once(teacher=True)
    assert [access.teaches(once), access.teaches(once)] == [True, False]
    assert Access.is_teacher(access.new_teacher())
    assert access.learner("teacher-1." + "0" * 64) is None


@pytest.mark.parametrize("data", ["circle", "plane", "book_spiral", "digits"])
def test_what_the_wall_shows_of_a_frame(data: str) -> None:
    session = Session()
    session.do({"do": "configure", "settings": {"data": data, "loss": "squared"}})
    session.do({"do": "step", "unit": "epoch", "count": 3})
    frame = session.frame()
    shown = card(frame)
    assert shown.fields["test_loss"] == frame.fields["test_loss"]
    if data == "digits":
        assert not shown.arrays
        return
    small, whole = shown.arrays["map"], frame.arrays["map"]
    assert small.shape == (1, SIDE, SIDE)
    if len(whole) > 1:
        assert small[0, 0, 0] == whole[:, 0, 0].argmax()
        assert small[0, -1, -1] == whole[:, -1, -1].argmax()
    else:
        most = max(1.0, np.abs(whole).max())
        assert abs(int(small[0, -1, -1]) / LEVELS * 2 - 1 - whole[0, -1, -1] / most) < 0.1
    assert len(shown.to_bytes()) < 2_000  # a card for each of 250 pupils is half a megabyte
