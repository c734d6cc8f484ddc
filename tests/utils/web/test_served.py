"""The page as Gradio serves it: answers to mistakes of visitors, and what is printed."""

import contextlib
import http.client
import importlib.util
import json
import os
import socket
import time

import pytest

from tests.helpers.web import LIMITS, png, upload
from utils.web.gate import API
from utils.web.layout import build
from utils.web.serving import launch

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None and os.environ.get("TEXDISN_REQUIRE_BROWSER") != "1",
    reason="Gradio is not installed",
)
BOUNDARY = "----limit"


class Served:
    """A page that is served."""

    def __init__(self, blocks, port):
        self.blocks, self.port = blocks, port

    def ask(self, path, body=None, content="application/json", **headers):
        """The status and the text of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET" if body is None else "POST", path, data, {"content-type": content, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")

    def send_file(self, name, data):
        """Upload a file under a name."""
        disposition = f'Content-Disposition: form-data; name="files"; filename="{name}"'
        body = f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
        return self.ask(f"{API}/upload", body, f"multipart/form-data; boundary={BOUNDARY}")

    def call(self, number, data, visit="visit"):
        """Call a function of the page; the statuses of its event."""
        call = {"fn_index": number, "data": data, "session_hash": visit}
        status, text = self.ask(f"{API}/queue/join", call)
        if status != 200:
            return [f"{status} {text}"]
        return [line for line in self.ask(f"{API}/queue/data?session_hash={visit}")[1].splitlines() if line]


@pytest.fixture
def served(page):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    blocks = build(page)
    launch(blocks, port, LIMITS, page.folders)
    page.folders.keep()
    yield Served(blocks, port)
    blocks.server.force_exit = True
    blocks.close(verbose=False)


def test_mistakes_of_visitors_are_answered_without_a_traceback(served, page, capfd):
    status, text = served.ask("/")
    assert status == 200 and "gradio" in text
    assert served.ask("/", host="evil.example")[0] == 403
    assert served.ask(f"{API}/queue/join", {"data": []}, origin="http://evil.example")[0] == 403
    assert served.call(99_999, [])[0].startswith("400")

    named = {getattr(function.fn, "__name__", ""): number for number, function in served.blocks.fns.items()}
    look, start, turn = (named[name] for name in ("look", "reconstruct", "turn"))
    inputs = len(served.blocks.fns[start].inputs)
    for number, data in [
        (look, [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}]),
        (look, ["/etc/passwd"]),
        (look, [{"path": ""}]),
        (look, [7]),
        (turn, [None, "x", 1e300]),
        (start, [None] * inputs),
        (start, [{"a": 1}] * inputs),
        (start, [None, None, "glb", "x", "x", "vertex", "photo", "auto", None, "x", "y"]),
    ]:
        events = served.call(number, data, f"visit{time.monotonic_ns()}")
        assert any("process_completed" in event for event in events), events
    for name in ("", ".", "..", "a" * 3000, "é\t/\\x.png", "a.png"):
        assert served.send_file(name, png())[0] in (200, 400, 413, 422)
    assert served.send_file("large.png", bytes(LIMITS.bytes + 100_000))[0] == 413
    assert served.ask(f"{API}/upload", b"nothing", f"multipart/form-data; boundary={BOUNDARY}")[0] in (200, 400, 422)

    printed = "".join(capfd.readouterr())
    assert "Traceback" not in printed and "Error in" not in printed, printed
    status, text = served.send_file("image.png", png())
    assert status == 200
    events = served.call(look, [{"path": json.loads(text)[0], "meta": {"_type": "gradio.FileData"}}])
    assert any("Press" in event and '"success":true' in event.replace(" ", "") for event in events), events


def test_uploads_are_limited_in_number(page, tmp_path, monkeypatch):
    assert not page.folders.full()
    monkeypatch.setattr("utils.web.jobs.MOST_UPLOADS", 2)
    for name in "ab":
        upload(page.folders.cache / name, png())
    assert page.folders.full()
    monkeypatch.setattr("utils.web.jobs.MOST_UPLOADS", 3)
    assert not page.folders.full()
    monkeypatch.setattr("utils.web.jobs.MOST_BYTES", len(png()))
    assert page.folders.full()
    page.folders.keep()
    assert not page.folders.full()
