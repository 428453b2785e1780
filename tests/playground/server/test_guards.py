"""Who and what is let in: every rule against a real process, with raw bytes."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect
from tests.playground.server.process import Served, serving
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState

from chainrule.playground.server.access import Access
from chainrule.playground.server.app import application
from chainrule.playground.server.guards import HEADERS, Guards, Hosts
from chainrule.playground.server.learners import Learners
from chainrule.playground.server.limits import Limits
from chainrule.playground.server.listening import own_address
from chainrule.playground.server.protocols import protocols
from chainrule.playground.server.static import Asset


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as found:
        yield found


HOSTS = [
    ("127.0.0.1:{port}", True), ("localhost:{port}", True), ("LOCALHOST:{port}", True),
    ("[::1]:{port}", True), ("127.0.0.1", False), ("localhost", False), ("127.0.0.1:1", False),
    ("localhost.:{port}", False), ("127.0.0.1.evil.example:{port}", False),
    ("evil.example:{port}", False), ("evil.example", False), ("", False), ("0.0.0.0:{port}", False),
    ("127.1:{port}", False), ("2130706433:{port}", False), ("[::ffff:127.0.0.1]:{port}", False),
    ("user@127.0.0.1:{port}", False), ("127.0.0.1:0{port}", False), ("127.0.0.1:{port}:1", False),
    ("localhost:{port}, evil.example", False), ("\xff:{port}", False),
]  # fmt: skip


@pytest.mark.parametrize(("host", "good"), HOSTS)
def test_host(served: Served, host: str, good: bool) -> None:
    host = host.format(port=served.port)
    cookie = ("Cookie", served.cookie)
    assert served.request("GET", "/", [("Host", host), cookie]).status in (
        [200] if good else [403, 400]
    )
    headers = [("Host", host), cookie, ("Origin", f"http://{host}")]
    assert served.shake(*headers) in ([101] if good else [403, 400])


def test_host_must_stand_there_once(served: Served) -> None:
    cookie = ("Cookie", served.cookie)
    good = ("Host", served.host)
    assert served.request("GET", "/", [cookie]).status == 400
    assert served.request("GET", "/", [good, ("Host", "evil.example"), cookie]).status == 400
    assert b"403" in served.raw(f"GET / HTTP/1.0\r\nCookie: {served.cookie}\r\n\r\n".encode())
    assert served.request("GET", f"http://{served.host}/", [good, cookie]).status == 400
    assert served.request("GET", "http://evil.example/", [good, cookie]).status == 400


ORIGINS = [
    None, "null", "", "http://127.0.0.1.evil.com:{port}", "http://evil.example", "http://127.0.0.1",
    "http://127.0.0.1:1", "https://127.0.0.1:{port}", "http://localhost:{port}",
    "http://127.0.0.1:{port}/", "HTTP://127.0.0.1:{port}",
    "file://", "http://127.0.0.1:{port}, http://evil.example",
]  # fmt: skip


@pytest.mark.parametrize("origin", ORIGINS)
def test_origin(served: Served, origin: str | None) -> None:
    given = {} if origin is None else {"Origin": origin.format(port=served.port)}
    headers = served.headers(**given)
    assert served.shake(*headers) == 403
    post = [*headers, ("Content-Length", "1")]
    assert served.request("POST", "/upload?name=a.csv", post, b"x").status == 403
    if origin is not None:
        assert served.get("/", **given).status == 403


def test_origin_of_our_own_page(served: Served) -> None:
    headers = served.headers(Origin=served.origin)
    assert served.shake(*headers) == 101
    assert served.shake(*headers, ("Origin", served.origin)) in (400, 403)
    assert served.get("/", Origin=served.origin).status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Same-Origin", "x"])
def test_requests_that_other_sites_make(served: Served, site: str) -> None:
    assert served.get("/", Sec_Fetch_Site=site).status == 403
    assert served.get(f"/?token={served.token}", cookie=None, Sec_Fetch_Site=site).status == 403
    headers = served.headers(Origin=served.origin, Sec_Fetch_Site=site)
    assert served.shake(*headers) == 403
    assert served.shake(*headers, ("Sec-Fetch-Site", "same-origin")) == 403
    for own in ("none", "same-origin"):
        assert served.get("/", Sec_Fetch_Site=own).status == 200


def test_the_token_becomes_a_cookie(served: Served) -> None:
    answer = served.get(f"/?token={served.token}&lang=zh", cookie=None)
    assert answer.status == 303
    assert answer.headers["location"] == "/?lang=zh"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"chainrule-{served.port}=")
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert served.token not in cookie
    assert len(served.token) >= 43  # 32 bytes
    # who comes again stays who they are
    again = served.get(f"/?token={served.token}", cookie=served.cookie)
    assert again.headers["set-cookie"].startswith(f"{served.cookie};")
    assert (
        "evil"
        not in served.get(f"/?token={served.token}&lang=//evil.example", cookie=None).headers[
            "location"
        ]
    )


def test_no_token_no_entry(served: Served) -> None:
    name, _, value = served.cookie.partition("=")
    learner, _, code = value.partition(".")
    cookies = [
        None, f"{name}=", f"{name}=.", f"{name}={learner}", f"{name}={learner}.{code[:-1]}",
        f"{name}={learner}.{'0' * 64}", f"{name}=other.{code}", f"{name}={served.token}",
        f"chainrule-1={value}", f"{name}=\xff.{code}", f"x{name}={value}",
    ]  # fmt: skip
    origin = ("Origin", served.origin)
    for cookie in cookies:
        for path in ("/", "/index.html", "/socket", "/upload", "/no/such", "/?token=", "/?token=x"):
            assert served.get(path, cookie).status == 403, (path, cookie)
        assert served.shake(*served.headers(cookie), origin) == 403, cookie
        post = [*served.headers(cookie), origin, ("Content-Length", "1")]
        assert served.request("POST", "/upload?name=a", post, b"x").status == 403
    # a token is good at the page alone, and not for doing anything
    assert served.get(f"/index.html?token={served.token}", cookie=None).status == 403
    assert served.get(f"/socket?token={served.token}", cookie=None).status == 403
    post = [*served.headers(None), origin, ("Content-Length", "0")]
    assert served.request("POST", f"/?token={served.token}", post).status == 403


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "请打开 `chainrule play` 给出的链接"),
        ("de-DE,zh-Hans-CN;q=0.7", "请打开 `chainrule play` 给出的链接"),
        ("en-GB,zh;q=0.5", "Open the link that `chainrule play` printed"),
        ("de", "Open the link that `chainrule play` printed"),
        (",;=,\xff", "Open the link that `chainrule play` printed"),
    ],
)
def test_who_has_no_link_is_told_so_in_the_language_of_the_browser(
    served: Served, asked: str, told: str
) -> None:
    answer = served.get("/", cookie=None, Accept_Language=asked)
    assert answer.status == 403
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert told in answer.body.decode()


def test_a_new_start_has_a_new_token_and_knows_no_cookies_of_the_one_before(served: Served) -> None:
    with serving() as other:
        assert other.token != served.token
        cookie = served.cookie.replace(str(served.port), str(other.port))
        assert other.get("/", cookie).status == 403
        assert other.get(f"/?token={served.token}", cookie=None).status == 403


def test_a_browser_is_opened_with_a_token_that_is_good_once() -> None:
    access = Access(1)
    tokens = [access.once(), access.once()]
    assert [access.admits(token) for token in (*tokens, *tokens)] == [True, True, False, False]


def test_the_token_is_logged_nowhere() -> None:
    with serving() as one:
        one.get(f"/?token={one.token}", cookie=None)
        one.get(f"/?token={one.token}x", cookie=None)
        one.raw(f"GET /?token={one.token}\r\n\r\n".encode(), 0.5)
    assert one.said.count(one.token) == 1


def routes(app: Any) -> list[Any]:
    return list(app.app.routes)


def test_every_route_is_guarded() -> None:
    """The table of routes itself, so that none can be added beside the guards."""
    limits = Limits()
    page = {"/": Asset(b"", "text/html"), "/a.js": Asset(b"", "text/javascript")}
    worker: Any = None
    app = application(page, Access(80), Hosts(80), Learners(limits), worker, limits)
    assert {route.path for route in routes(app)} == {"/", "/a.js", "/socket", "/upload"}

    async def status(kind: str, method: str, path: str) -> int:
        scope = {
            "type": kind, "method": method, "path": path, "raw_path": path.encode(), "state": {},
            "query_string": b"", "headers": [(b"host", b"localhost"), (b"origin", b"http://localhost")],
            "extensions": {"websocket.http.response": {}},
        }  # fmt: skip
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            raise AssertionError("a guard reads nothing")

        await app(scope, receive, send)
        return int(sent[0]["status"])

    for route in routes(app):
        assert isinstance(route, Route | WebSocketRoute)
        kind = "http" if isinstance(route, Route) else "websocket"
        for method in (getattr(route, "methods", None) or {"GET"}) | {
            "DELETE",
            "PUT",
            "OPTIONS",
            "X",
        }:
            assert asyncio.run(status(kind, method, route.path)) == 403


GONE = [ClientDisconnected(), WebSocketDisconnect(1006)]


@pytest.mark.parametrize(("error", "told"), [*((gone, 0) for gone in GONE), (OSError("x"), 1)])
def test_who_has_gone_is_no_fault(
    error: Exception, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    access = Access(80)
    cookie = f"{access.cookie_name}={access.cookie()}".encode()
    scope = {
        "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"cookie", cookie)],
    }  # fmt: skip
    asyncio.run(Guards(app, access, Hosts(80), Limits())(scope, receive, send))
    assert len(caplog.records) == told
    assert [message["status"] for message in sent[:1]] == [500] * told
    if told:
        assert b"OSError" not in sent[1]["body"]
        number = caplog.messages[0].removeprefix("error ")
        assert number.encode() in sent[1]["body"]


def test_a_connection_that_broke_a_rule_takes_nothing_more() -> None:
    async def run() -> None:
        config = uvicorn.Config(lambda: None, log_config=None)
        _, websocket = protocols(Limits())
        connection: Any = websocket(config, ServerState(), {})  # type: ignore[call-arg]
        connection.handshake_complete = connection.close_sent = True
        for kind in ("websocket.send", "websocket.close"):
            with pytest.raises(ClientDisconnected):
                await connection.send({"type": kind, "bytes": b""})

    asyncio.run(run())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
def test_methods_that_are_not_meant(served: Served, method: str) -> None:
    headers = [*served.headers(Origin=served.origin), ("Content-Length", "0")]
    for path in ("/", "/index.html", "/socket"):
        assert served.request(method, path, headers).status in (404, 405)
    if method != "POST":
        assert served.request(method, "/upload?name=a", headers).status == 405
    assert served.request(method, "/", [("Host", served.host)]).status == 403


def test_get_changes_nothing(served: Served) -> None:
    assert served.get("/upload?name=a.csv").status == 405
    assert served.get("/socket").status == 404


def test_every_answer_has_the_security_headers_and_none_of_cors(served: Served) -> None:
    post = [*served.headers(Origin=served.origin), ("Content-Length", "1")]
    answers = [
        served.get("/"), served.get("/no"), served.get("/", cookie=None), served.get("/upload"),
        served.get(f"/?token={served.token}", cookie=None), served.request("PUT", "/", post, b"x"),
        served.request("POST", "/upload?name=a.csv", post, b"x"),
        served.request("OPTIONS", "/upload", [
            *served.headers(Origin=served.origin), ("Access-Control-Request-Method", "POST"),
        ]),
    ]  # fmt: skip
    for answer in answers:
        # A browser may keep the page itself, and asks whether it has changed; nothing else.
        kept = {"cache-control": "no-cache"} if "etag" in answer.headers else {}
        assert {**HEADERS, **kept}.items() <= answer.headers.items(), answer
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "server" not in answer.headers
    policy = answers[0].headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert not re.search(r"unsafe|\*|https?:", policy)


PATHS = [
    "/../pyproject.toml", "/..%2fpyproject.toml", "/%2e%2e/pyproject.toml", "/%252e%252e/x",
    "/assets/../../session.py", "/assets/..%5c..%5csession.py", "/..\\session.py", "//etc/passwd",
    "/etc/passwd", "/%2fetc/passwd", "/index.html%00.js", "/index.html/", "/./index.html",
    "/C:/Windows/win.ini", "/C:%5cWindows%5cwin.ini", "/static/index.html", "/assets", "/assets/",
    "/built-from", "/index.htm", "/INDEX.HTML", "/~root", "/.", "/..", "/%00", "/%ff%fe",
    "/file:///etc/passwd", "/index.html;x", "/con", "/index.html::$DATA", "/index%2ehtml%20",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_path_reaches_the_file_system(served: Served, path: str) -> None:
    answer = served.get(path)
    assert answer.status == 404
    assert answer.body == b"Not Found"


def test_the_page_and_its_files(served: Served) -> None:
    page = served.get("/")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    found = re.findall(r'(?:src|href)="\./([^"]+)"', page.body.decode())
    assert any(name.endswith(".js") for name in found)
    for name in found:
        file = served.get(f"/{name}")
        assert file.status == 200
        assert file.headers["content-type"].startswith(("text/javascript", "text/css"))
    assert not re.search(rb'(?:src|href)="(?:https?:)?//', page.body)
    assert not re.search(rb"<script(?![^>]*\bsrc=)|<style|style=|\bon\w+=", page.body)


def test_others_cannot_connect(served: Served) -> None:
    address = own_address()
    if address.startswith("127."):
        pytest.skip("this machine has no other address")
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection((address, served.port), timeout=1),
    ):
        pass


def test_a_server_for_others_asks_for_the_token_as_well() -> None:
    address = own_address()
    with serving("--host", "0.0.0.0", "--allow-remote") as one:
        assert f"http://{address}:{one.port}/?token={one.token}" in one.said
        assert "not encrypted" in one.said
        headers = [("Host", f"{address}:{one.port}")]
        assert one.request("GET", "/", headers).status == 403
        assert one.request("GET", f"/?token={one.token}", headers).status == 303
        assert (
            one.request(
                "GET", f"/?token={one.token}", [("Host", f"evil.example:{one.port}")]
            ).status
            == 403
        )


def test_the_page_comes_compressed_and_is_not_sent_again(served: Served) -> None:
    plain = served.get("/")
    small = served.get("/", Accept_Encoding="br, gzip;q=0.9")
    assert small.headers["content-encoding"] == "gzip"
    assert gzip.decompress(small.body) == plain.body
    assert "content-encoding" not in plain.headers
    again = served.get("/", If_None_Match=plain.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert b'id="loading"' in plain.body  # something to see before the script is there
    for path in re.findall(r'"\./(assets/[^"]+)"', plain.body.decode()):
        asset = served.get(f"/{path}", Accept_Encoding="gzip")
        assert asset.headers["content-encoding"] == "gzip"
        assert "immutable" in asset.headers["cache-control"]
        assert len(asset.body) < 150_000
