"""Guards: what every request passes before any route sees it. What no rule lets in stays out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect
from uvicorn.protocols.utils import ClientDisconnected

from chainrule.lang.languages import LANGUAGES
from chainrule.lang.messages import Text, _, sentences
from chainrule.playground.server.access import Access
from chainrule.playground.server.answers import explained_refusal, plain_refusal, values
from chainrule.playground.server.faults import fault
from chainrule.playground.server.join_page import join_page
from chainrule.playground.server.limits import Limits

__all__ = ["Guards", "Hosts"]

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
        " font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
#: What a browser says of requests that our own page makes, or that people make themselves.
OWN_SITES = {"same-origin", "none"}
READING = {"GET", "HEAD"}
LINK = _("Open the link that `chainrule play` printed, or paste it into the address bar.")


class Hosts:
    """The values of the Host header that mean this server.

    A page of a stranger can give this server's address a name of its own (DNS rebinding), so names
    are let in one by one; addresses cannot be rebound, so on a server for others any will do.

    >>> hosts = Hosts(8700)
    >>> [host in hosts for host in ("127.0.0.1:8700", "LOCALHOST:8700", "localhost.:8700")]
    [True, True, False]
    >>> "192.0.2.1:8700" in hosts, "192.0.2.1:8700" in Hosts(8700, others=("class.example",))
    (False, True)
    """

    def __init__(self, port: int, others: Iterable[str] = ()) -> None:
        names = {"127.0.0.1", "localhost", "[::1]", *(name.lower() for name in others)}
        self._any_address = bool(set(names) - {"127.0.0.1", "localhost", "[::1]"})
        self._port = port
        self._allowed = {f"{name}:{port}" for name in names} | (names if port == 80 else set())

    def __contains__(self, host: str) -> bool:
        if host.lower() in self._allowed:
            return True
        name, _, port = host.rpartition(":")
        return self._any_address and port == str(self._port) and is_address(name)


def is_address(name: str) -> bool:
    """Whether a host is written as an address, not as a name."""
    try:
        if name.startswith("[") and name.endswith("]"):
            return ipaddress.IPv6Address(name[1:-1]) is not None
        return ipaddress.IPv4Address(name) is not None
    except ValueError:
        return False


class Guards:
    """Wraps the whole application, so that no route can be without guards.

    In this order: the header's size, the form of the path, Host, Sec-Fetch-Site, Origin, and the
    cookie, or at "/" a token. All answers get the security headers.
    """

    def __init__(self, app: ASGIApp, access: Access, hosts: Hosts, limits: Limits) -> None:
        self.app, self.access, self.hosts, self.limits = app, access, hosts, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it."""

        begun = False

        async def secure(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                own = list(message.get("headers", ()))
                names = {name for name, _value in own}
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*own, *(a for a in added if a[0] not in names)]}
            await send(message)

        answer: ASGIApp = self.refusal(scope) or self.entry(scope) or self.app
        try:
            await answer(scope, receive, secure)
        except (ClientDisconnected, WebSocketDisconnect):
            return  # who asked has gone
        except Exception:
            sentence = fault()
            if begun:
                raise
            await plain_refusal(sentence, scope, 500)(scope, receive, secure)

    def refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that no page of ours makes; None if all is well."""
        raw: list[tuple[bytes, bytes]] = scope["headers"]

        def refuse(sentence: Text, status: int = 403) -> Response:
            return plain_refusal(sentence, scope, status)

        target = scope["raw_path"] + scope["query_string"]
        size = len(target) + sum(len(name) + len(value) + 4 for name, value in raw)
        if len(raw) > self.limits.headers or size > self.limits.header:
            return refuse(_("The header of the request is too large."), 431)
        if not target.startswith(b"/"):
            return refuse(_("The path of the request must begin with a slash."), 400)
        host = values(raw, b"host")
        if len(host) != 1 or host[0] not in self.hosts:
            return refuse(sentences(_("This is not the address of the playground."), LINK))
        if not set(values(raw, b"sec-fetch-site")) <= OWN_SITES:
            return refuse(sentences(_("Another site may not lead here."), LINK))
        origin = values(raw, b"origin")
        reading = scope["type"] == "http" and scope["method"] in READING
        if (origin or not reading) and origin != [f"http://{host[0]}"]:
            return refuse(_("Only the playground's own page may do this."))
        return None

    def entry(self, scope: Scope) -> Response | None:
        """The answer to a request without a cookie; None if it has one, which names the learner."""
        learner = self.learner(scope["headers"])
        query = parse_qs(scope["query_string"].decode("latin-1"))
        token = query.get("token", [])
        if scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "GET" and token:
            if self.access.teaches(token[0]):
                return self.welcome(self.access.new_teacher(), query, "/class")
            if not self.access.admits(token[0]):
                if self.access.code is not None:
                    return join_page(scope, _("This is not the code of the class. Look again."))
                used = _("This link is used up, or of an earlier start.")
                return explained_refusal(sentences(used, LINK), scope)
            return self.welcome(learner, query)
        if learner is None and self.access.code is not None and scope.get("path") == "/":
            return join_page(scope)
        if learner is None:
            unknown = _("The playground does not know this browser.")
            return explained_refusal(sentences(unknown, LINK), scope)
        if scope["path"].startswith("/class") and not self.access.is_teacher(learner):
            return plain_refusal(_("This page is the teacher's."), scope)
        scope.setdefault("state", {})["learner"] = learner
        return None

    def welcome(
        self, learner: str | None, query: Mapping[str, list[str]], path: str = "/"
    ) -> Response:
        """To the page, with the cookie instead of the token, which so stays in no history."""
        lang = query.get("lang", [""])[0]
        answer = RedirectResponse(f"{path}?lang={lang}" if lang in LANGUAGES else path, 303)
        answer.set_cookie(
            self.access.cookie_name, self.access.cookie(learner), httponly=True, samesite="strict"
        )
        return answer

    def learner(self, raw: list[tuple[bytes, bytes]]) -> str | None:
        """The learner whom the cookie names."""
        for header in values(raw, b"cookie"):
            for pair in header.split(";"):
                name, _, value = pair.strip().partition("=")
                if name == self.access.cookie_name:
                    found = self.access.learner(value)
                    if found is not None:
                        return found
        return None
