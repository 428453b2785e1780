"""The application: its routes, all of them behind the guards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router, WebSocketRoute

from chainrule.playground.server.access import Access
from chainrule.playground.server.guards import Guards, Hosts
from chainrule.playground.server.learners import Learners
from chainrule.playground.server.limits import Limits
from chainrule.playground.server.socket import Gate
from chainrule.playground.server.static import Asset
from chainrule.playground.server.teaching import Teaching
from chainrule.playground.server.uploads import Uploads
from chainrule.playground.server.worker import Worker

__all__ = ["application"]


def application(
    page: Mapping[str, Asset],
    access: Access,
    hosts: Hosts,
    learners: Learners,
    worker: Worker,
    limits: Limits,
    teaching: Teaching | None = None,
) -> Guards:
    """The page's files, one WebSocket and one way for files, behind the guards."""
    routes: list[BaseRoute] = [
        *(Route(path, serving(asset), methods=["GET"]) for path, asset in page.items()),
        *(teaching.routes(page["/"], serving) if teaching is not None else ()),
        WebSocketRoute("/socket", Gate(learners, worker, limits).admit),
        Route("/upload", Uploads(learners, worker, limits).take, methods=["POST"]),
    ]
    return Guards(Router(routes, redirect_slashes=False), access, hosts, limits)


def serving(asset: Asset) -> Callable[[Request], Awaitable[Response]]:
    """What answers with a file of the page."""

    async def serve(request: Request) -> Response:
        return asset.answer(request)

    return serve
