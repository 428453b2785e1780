"""Limits: how many learners and browser tabs the server takes, and how much each may send."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Limits:
    """What the server takes; the command's options change the first four.

    >>> Limits().clients, Limits(clients=200).clients
    (32, 200)
    """

    #: WebSockets open at the same time, all learners together.
    clients: int = 32
    #: WebSockets open at the same time from one address.
    clients_per_address: int = 8
    #: Sessions kept, those of learners who have closed the page included.
    sessions: int = 40
    #: Seconds for which the session of a learner who has closed the page is kept.
    idle: float = 3600.0

    #: Frames a second, at most.
    frames: float = 40.0
    #: Seconds of training before another learner's turn.
    turn: float = 0.01

    header: int = 8 * KIB
    headers: int = 128
    #: Seconds within which a request's header must have come.
    handshake: float = 5.0
    #: Bytes of one WebSocket message from the page, and how deep its JSON may be nested.
    message: int = 64 * KIB
    depth: int = 8
    #: WebSocket messages a second.
    messages: int = 50
    #: Bytes of an uploaded file, and seconds within which it must have come.
    upload: int = 2 * MIB
    upload_time: float = 30.0
    #: Uploads under way at the same time.
    uploads: int = 4
    #: Seconds between pings, and for an answer.
    ping: float = 20.0
    #: Seconds within which a client must take a message.
    send: float = 5.0
    #: Answers that may wait for a client to take them.
    answers: int = 32
