"""Which requests reach the page: of its own visitors, to what it has, and within its limits.

An ASGI middleware inside Gradio's application. Another site that a visitor has open can neither
read the page under a name of its own (DNS rebinding) nor post to it. Requests that the page never
makes end here, in one line, instead of in a traceback of Gradio.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LOCAL = ("127.0.0.1", "localhost", "[::1]")
API = "/gradio_api"
CALLS = (f"{API}/queue/join", f"{API}/run/")  # beginnings of addresses whose body names a function
POSTS = (f"{API}/upload", f"{API}/reset", f"{API}/cancel")  # what else the page's own script posts to
READS = ("GET", "HEAD")
LONGEST = 1 << 18  # bytes of the body of a call: file names and numbers
ENVELOPE = 1 << 14  # bytes of an upload beside its file


class Refused(Exception):
    """A request that is not passed on: its status code and the reason, one line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Gate:
    """Passes on the requests that the page can make, and answers all others itself."""

    def __init__(
        self,
        app: App,
        hosts: Collection[str],
        functions: Mapping[int, int],
        upload_bytes: int,
        full: Callable[[], bool],
    ) -> None:
        """
        Args:
            app: the application.
            hosts: names that the page may be asked for, beside those of this computer.
            functions: {number of a function: number of its inputs}.
            upload_bytes: size of the largest file.
            full: whether there are as many uploads as the page keeps.
        """
        self.app, self.functions, self.upload_bytes, self.full = app, functions, upload_bytes, full
        self.hosts = {*LOCAL, *(host.lower() for host in hosts)}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            if scope["type"] != "http":
                raise Refused(404, "The page has no such address")
            await self.app(scope, await self._checked(scope, receive), noting)
        except Refused as error:
            if not begun:
                await _answer(send, error.status, str(error))
        except Exception as error:  # in Gradio, because of what was sent
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            print(f"a request could not be answered: {reason}", file=sys.stderr)
            if not begun:
                await _answer(send, 400, "This request cannot be answered")

    async def _checked(self, scope: Message, receive: Receive) -> Receive:
        """What the application receives from; Refused where it is to receive nothing."""
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        if not self._is_own(headers.get("host", "")):
            raise Refused(403, "The page is not served under this name")
        path = scope["path"].rstrip("/")
        if scope["method"] in READS:
            return receive
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if (origin is not None and not self._is_own(urlsplit(origin).netloc)) or site == "cross-site":
            raise Refused(403, "Other sites cannot post to this page")
        if path not in POSTS and not path.startswith(CALLS):
            raise Refused(404, "The page has no such address")
        if path.endswith("/upload"):
            if self.full():
                raise Refused(503, "There are too many uploads here: try again later")
            return _limited(receive, self.upload_bytes + ENVELOPE)
        if path in POSTS:
            return _limited(receive, LONGEST)
        body = await _body(receive)
        self._check_call(body)
        return _replayed(body, receive)

    def _is_own(self, host: str) -> bool:
        """Whether a host, with or without its port, is one of the page's."""
        name, _, port = host.lower().rpartition(":")
        return host.lower() in self.hosts or (port.isdigit() and name in self.hosts)

    def _check_call(self, body: bytes) -> None:
        """Refuse a call of a function that the page does not have, or with other inputs."""
        try:
            call = json.loads(body)
        except (ValueError, RecursionError):
            call = None
        if not isinstance(call, dict) or type(call.get("fn_index")) is not int:
            raise Refused(400, "This is not a call of a function of the page")
        inputs, data = self.functions.get(call["fn_index"]), call.get("data")
        if inputs is None or not isinstance(data, list) or len(data) != inputs:
            raise Refused(400, "The page has no such function")
        if not isinstance(call.get("session_hash"), str) or not 0 < len(call["session_hash"]) <= 100:
            raise Refused(400, "This call belongs to no visit of the page")


async def _body(receive: Receive) -> bytes:
    """The whole body of a request."""
    body, limited = b"", _limited(receive, LONGEST)
    while True:
        message = await limited()
        if message["type"] == "http.disconnect":
            raise Refused(400, "The request is cut off")
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Receives a body that was read already."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _limited(receive: Receive, most: int) -> Receive:
    """Receives a body of at most so many bytes."""
    count = 0

    async def limit() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > most:
            raise Refused(413, "This is larger than the page takes")
        return message

    return limit


async def _answer(send: Send, status: int, reason: str) -> None:
    """Send a response of one line."""
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"detail": f"{reason}."}).encode()})
