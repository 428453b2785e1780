"""Access: who may come in. A link with a token, exchanged for a cookie that names the learner."""

from __future__ import annotations

import hashlib
import hmac
import secrets

__all__ = ["Access"]

TOKEN_BYTES = 32
LEARNER_BYTES = 16
#: What a code for people is made of: nothing that looks like something else. Eight of them are 39 bits.
LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 8
#: How the names of teachers begin; other names are hexadecimal.
TEACHER = "teacher-"


class Access:
    """The secrets of one start of the server. None of them is ever logged.

    `token` stands in the link that the command prints, and is good as long as the server runs; a
    token from `once` is good for one entry, since what a browser is started with can be seen in
    the list of processes. The cookie holds the learner's name and its code under a secret key, so
    that the server need not remember whom it has let in. In a class, `code` lets pupils in, too: it
    is short enough to be typed, and guessing it would take decades; `teacher_token` lets the teacher in.

    >>> access = Access(port=8700)
    >>> access.admits(access.token), access.admits("x")
    (True, False)
    >>> key = access.once()
    >>> access.admits(key), access.admits(key)
    (True, False)
    >>> access.learner(access.cookie("ann")), access.learner("ann.forged")
    ('ann', None)
    """

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        #: Cookies don't tell ports apart, so the name does.
        self.cookie_name = f"chainrule-{port}"
        self._key = secrets.token_bytes(TOKEN_BYTES)
        self._once: set[str] = set()
        self._once_teacher: set[str] = set()
        self.teacher_token = secrets.token_urlsafe(TOKEN_BYTES)
        #: The code of a class, if this is one.
        self.code: str | None = None

    def open_class(self) -> str:
        """Let pupils in by a code; the code."""
        self.code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
        return self.code

    def teaches(self, token: str) -> bool:
        """Whether a token is the teacher's."""
        if self.code is None:
            return False
        found = next((known for known in self._once_teacher if same(token, known)), None)
        self._once_teacher.discard(found or "")
        return found is not None or same(token, self.teacher_token)

    @staticmethod
    def is_teacher(learner: str) -> bool:
        """Whether a learner is the teacher; who has no cookie of ours is no learner."""
        return learner.startswith(TEACHER)

    def new_teacher(self) -> str:
        """The name of a teacher who comes in."""
        return TEACHER + secrets.token_hex(LEARNER_BYTES)

    def once(self, *, teacher: bool = False) -> str:
        """A token that is good for one entry."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        (self._once_teacher if teacher else self._once).add(token)
        return token

    def admits(self, token: str) -> bool:
        """Whether a token lets in."""
        if same(token, self.token):
            return True
        typed = "".join(token.split()).replace("-", "").upper()
        if self.code is not None and same(typed, self.code):
            return True
        found = next((known for known in self._once if same(token, known)), None)
        self._once.discard(found or "")
        return found is not None

    def cookie(self, learner: str | None = None) -> str:
        """The value of the cookie of a learner, by default of a new one."""
        name = secrets.token_hex(LEARNER_BYTES) if learner is None else learner
        return f"{name}.{self._code(name)}"

    def learner(self, cookie: str) -> str | None:
        """The learner whom a cookie's value names, or None if it is not one of ours."""
        name, _, code = cookie.partition(".")
        return name if same(code, self._code(name)) else None

    def _code(self, name: str) -> str:
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()


def same(given: str, right: str) -> bool:
    """Whether two texts are equal, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())
