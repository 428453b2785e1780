"""The one route by which a file comes in: its bytes go to the learner's session, nowhere else."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from chainrule.lang.messages import Text, _
from chainrule.playground import messages
from chainrule.playground.server.learners import Learners
from chainrule.playground.server.limits import Limits
from chainrule.playground.server.worker import Worker

__all__ = ["Uploads"]

MEDIA = "application/octet-stream"
LONGEST_NAME = 255


class Uploads:
    """Takes files of learners who have the page open; a refusal is a message as well."""

    def __init__(self, learners: Learners, worker: Worker, limits: Limits) -> None:
        self.learners, self.worker, self.limits = learners, worker, limits
        self._present = 0

    async def take(self, request: Request) -> Response:
        """Take one file."""
        learner = self.learners.known.get(request.state.learner)
        name = request.query_params.get("name", "")
        if learner is None or not learner.clients:
            return refused(_("Open the page first."), 409)
        if len(name) > LONGEST_NAME:
            return refused(_("A file's name has at most {most} letters.", most=LONGEST_NAME), 400)
        if self._present >= self.limits.uploads:
            return refused(_("Other files are just coming in. Try again."), 503)
        self._present += 1
        try:
            async with asyncio.timeout(self.limits.upload_time):
                body = await self.body(request)
        except TimeoutError:
            return refused(_("The file did not come in time."), 408)
        except ClientDisconnect:
            return Response(status_code=400)
        finally:
            self._present -= 1
        if body is None:
            most = self.limits.upload / (1 << 20)
            return refused(
                _("The file is too large: at most {most:g} MiB can be taken.", most=most), 413
            )
        answer = await self.worker.do(learner, lambda session: session.upload(name, body))
        return Response(answer, media_type=MEDIA)

    async def body(self, request: Request) -> bytes | None:
        """The file, or None as soon as it is too large."""
        said = request.headers.get("content-length", "0")
        if not said.isdecimal() or int(said) > self.limits.upload:
            return None
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > self.limits.upload:
                return None
            parts.append(part)
        return b"".join(parts)


def refused(sentence: Text, status: int) -> Response:
    """A refusal in a sentence."""
    headers = {"Connection": "close", **({"Retry-After": "5"} if status == 503 else {})}
    message = messages.refused([sentence], id=None)
    return Response(message.to_bytes(), status, headers, MEDIA)
