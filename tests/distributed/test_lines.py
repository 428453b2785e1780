"""Signs of life, and the lines that they go on: whole, from the rank before, and from nobody else."""

from __future__ import annotations

import socket
import threading
import types
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from tests.distributed.threads import on_threads

from chainrule.distributed import lines
from chainrule.distributed.lines import Lines
from chainrule.distributed.signs import SIZE, USERS, WAITS, Sign, doing


class Ranks:
    """What `Lines` asks of mpi4py, by threads."""

    def __init__(self, of: Any) -> None:
        self.of = of

    def Get_rank(self) -> int:
        return int(self.of.rank)

    def Get_size(self) -> int:
        return int(self.of.size)

    def Bcast(self, array: Any, root: int) -> None:
        assert root == 0
        self.of.broadcast(array)

    def Allgather(self, own: Any, table: Any) -> None:
        table[...] = 0
        table[self.of.rank] = own if table.ndim > 1 else own[0]
        self.of.all_reduce(table)


@contextmanager
def lines_of(ranks: Any) -> Iterator[Lines]:
    """Those of a rank; cut once all ranks are done with them."""
    with closing(Lines(Ranks(ranks))) as own:
        yield own
        ranks.barrier()


def heard(own: Lines, signs: int) -> list[Sign]:
    """So many signs, once they have come."""
    found: list[Sign] = []
    while len(found) < signs:
        found += own.take()
        assert own.open
    return found


def test_each_rank_hears_the_one_before() -> None:
    def work(ranks: Any) -> str:
        with lines_of(ranks) as own:
            assert own.lost == []
            own.send(Sign(WAITS, 1, call="all_reduce", size=8, where="一行.py:3"))
            own.send(Sign(USERS, 2, where=f"{ranks.rank}.py"))
            first, second = heard(own, 2)
        assert first == Sign(WAITS, 1, 0, 8, "all_reduce", "一行.py:3")
        return second.where

    assert on_threads(3, work) == ["2.py", "0.py", "1.py"]


def test_a_line_that_is_cut_is_noticed() -> None:
    def work(ranks: Any) -> bool:
        own = Lines(Ranks(ranks))
        ranks.barrier()
        while own.open and ranks.rank == 0:
            own.take()
        own.close()
        return own.open

    assert on_threads(2, work) == [False, False]


def test_signs_wait_for_one_that_does_not_read() -> None:
    def work(ranks: Any) -> list[int]:
        with lines_of(ranks) as own:
            if ranks.rank == 0:
                for n in range(20_000):  # more than there is room for on the way
                    own.send(Sign(WAITS, n))
            ranks.barrier()
            return [sign.calls for sign in heard(own, 100)] if ranks.rank == 1 else []

    _none, calls = on_threads(2, work)
    assert calls[:3] == [0, 1, 2]
    assert calls == sorted(calls)  # some were left out, none came in pieces


def test_who_does_not_know_the_secret_is_not_heard() -> None:
    with socket.create_server((lines.LOOPBACK, 0)) as door:
        place, port = door.getsockname()[:2]
        strangers = [socket.create_connection((place, port)) for _ in "123"]
        strangers[0].sendall(b"GET / HTTP/1.1\r\n\r\n")
        strangers[1].close()  # and the third says nothing
        rank = lines._reached(["no-such-host.invalid", place], port, b"s" * 16)
        assert rank is not None
        line = lines._knocked(door, b"s" * 16)
        assert line is not None
        rank.sendall(Sign(WAITS, 5).packed)
        line.settimeout(10)
        assert Sign.of(line.recv(SIZE)).calls == 5
        for each in (*strangers, rank, line):
            each.close()


def test_a_rank_that_cannot_be_reached_is_known_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_reached", lambda hosts, port, secret: None)
    found = on_threads(2, lambda ranks: Lines(Ranks(ranks)))
    assert [(own.lost, own.open) for own in found] == [([0, 1], False)] * 2
    found[0].send(Sign(WAITS))  # to nobody
    assert found[0].take() == []


@pytest.mark.parametrize(
    ("file", "users"),
    [
        ("/home/a/project/train.py", True),
        ("/home/a/.local/lib/python3.11/site-packages/numpy/lib.py", False),
        ("/usr/lib/python3/dist-packages/numpy/lib.py", False),
        (threading.__file__, False),
        ("<frozen importlib>", False),
    ],
)
def test_whose_code_it_is(file: str, users: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages count as part of who calls them, wherever they are installed: here, as chainrule's."""

    def frame(file: str, module: str, back: Any) -> Any:
        code = types.SimpleNamespace(co_filename=file, co_name="f")
        scope = {"__name__": module, "__spec__": None}
        return types.SimpleNamespace(f_globals=scope, f_code=code, f_lineno=7, f_back=back)

    ours = frame("/home/a/chainrule/loop.py", "chainrule.training.loop", None)
    inner = frame(file, "something", ours)
    main = threading.main_thread().ident
    monkeypatch.setattr("sys._current_frames", lambda: {main: inner})
    assert doing() == ((USERS, "train.py:7 (f)") if users else (b"c", ""))
