"""Which requests the page answers: without Gradio, which would get those that pass."""

import asyncio
import json

import pytest

from utils.web.gate import API, ENVELOPE, LONGEST, Gate

CALL = {"fn_index": 3, "data": [1, 2], "session_hash": "abc"}
JOIN = f"{API}/queue/join"


class Inner:
    """The application behind the gate: keeps the bodies that it receives."""

    def __init__(self, error=None):
        self.bodies, self.error = [], error

    async def __call__(self, scope, receive, send):
        body, more = b"", True
        while more and scope["method"] == "POST":
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body")
        self.bodies.append(body)
        if self.error:
            raise self.error
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"passed"})


def request(path="/", body=None, inner=None, full=False, hosts=(), **headers):
    """The status and the body of the answer; a `body` is posted in two parts."""
    inner, sent = inner or Inner(), []
    headers = {"host": "127.0.0.1:7860", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {"type": "http", "method": "GET" if body is None else "POST", "path": path}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    parts = [{"body": data[:5], "more_body": True}, {"body": data[5:], "more_body": False}]
    parts = [{"type": "http.request", **part} for part in parts]

    async def receive():
        return parts.pop(0) if parts else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(Gate(inner, hosts, {3: 2}, 1000, lambda: full)(scope, receive, send))
    start, *rest = sent
    return start["status"], b"".join(message["body"] for message in rest).decode()


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost", "LOCALHOST:80", "[::1]:7860", "demo.example"])
def test_the_hosts_of_the_page_are_served(host):
    assert request(host=host, hosts=["Demo.example"]) == (200, "passed")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost:x", "", "demo.example", "[::2]"])
def test_other_hosts_are_refused(host):
    status, text = request(host=host)
    assert status == 403 and "not served under this name" in json.loads(text)["detail"]


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:7860", "http://localhost:7860", "https://demo.example"])
def test_the_page_posts_to_itself(origin):
    inner = Inner()
    headers = {} if origin is None else {"origin": origin}
    assert request(JOIN, CALL, inner, hosts=["demo.example"], **headers) == (200, "passed")
    assert json.loads(inner.bodies[0]) == CALL


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": ""}, {"sec_fetch_site": "cross-site"}]
)
def test_other_sites_cannot_post(headers):
    inner = Inner()
    assert request(JOIN, CALL, inner, **headers)[0] == 403 and not inner.bodies
    assert request("/", **headers)[0] == 200  # a link from another site


WRONG_CALLS = {
    "unknown function": {**CALL, "fn_index": 99_999},
    "no number": {**CALL, "fn_index": "3"},
    "a switch": {**CALL, "fn_index": True},
    "no function": {"data": [1, 2], "session_hash": "abc"},
    "too few inputs": {**CALL, "data": [1]},
    "no inputs": {**CALL, "data": None},
    "no visit": {**CALL, "session_hash": None},
    "a long visit": {**CALL, "session_hash": "a" * 1000},
    "a list": [CALL],
    "no JSON": b"fn_index=3",
    "deep JSON": b"[" * 100_000,
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_calls_that_the_page_never_makes_are_refused_in_one_line(name, capsys):
    inner = Inner()
    status, text = request(JOIN, WRONG_CALLS[name], inner)
    assert status == 400 and not inner.bodies and "\n" not in json.loads(text)["detail"]
    assert capsys.readouterr() == ("", "")


def test_other_addresses_cannot_be_posted_to():
    inner = Inner()
    for path in ("/", f"{API}/process_recording", f"{API}/component_server", f"{API}/call/look", "/login"):
        assert request(path, CALL, inner)[0] == 404 and not inner.bodies


def test_bodies_are_limited():
    assert request(f"{API}/upload", b"x" * 1000)[0] == 200
    assert request(f"{API}/upload", b"x" * (1001 + ENVELOPE))[0] == 413
    assert request(f"{API}/upload", b"x", full=True)[0] == 503
    assert request(JOIN, b" " * (LONGEST + 1))[0] == 413
    assert request(f"{API}/reset", b" " * (LONGEST + 1))[0] == 413


def test_an_error_behind_the_gate_is_one_line(capsys):
    status, text = request(f"{API}/upload", b"x", Inner(RuntimeError("no\nname")))
    assert status == 400 and "RuntimeError" not in text
    assert capsys.readouterr().err == "a request could not be answered: RuntimeError: no name\n"
