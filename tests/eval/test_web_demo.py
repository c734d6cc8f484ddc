"""The command of the page, and the page in a browser."""

import contextlib
import functools
import importlib
import importlib.util
import io
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.helpers.web import HOSTILE, png, upload
from utils.errors import UserError
from utils.out_folder import LOCK, working_in

ROOT = pathlib.Path(__file__).parents[2]
REQUIRED = os.environ.get("TEXDISN_REQUIRE_BROWSER") == "1"  # then a missing package or browser is a failure
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None and not REQUIRED, reason="Gradio is not installed"
)


def test_folders_of_killed_pages_are_removed_and_those_of_others_stay(tmp_path):
    demo = importlib.import_module("eval.web_demo")
    killed, serving, starting, other = (
        tmp_path / name for name in ("texdisn-web-a", "texdisn-web-b", "texdisn-web-c", "x")
    )
    for folder in (killed, serving, starting, other):
        folder.mkdir()
    for folder in (killed, other):
        (folder / LOCK).touch()
    with working_in(serving):
        demo.remove_abandoned(tmp_path)
        assert sorted(tmp_path.iterdir()) == [serving, starting, other]


def test_wrong_flags_are_refused_in_one_line(tmp_path):
    demo = importlib.import_module("eval.web_demo")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for flags, words in (
            (["--port", port], f"--port {port} cannot be used"),
            (["--port", "0"], "--port: '0' is not a whole number .at least 1, at most 65535"),
            (["--max_mb", "1000"], "--max_mb: '1000' is not a number .at least 0.01, at most 47.68"),
            (["--max_megapixels", "0"], "--max_megapixels: '0' is not a number .at least 0.01, at most 50"),
            (["--iso", "nan"], "--iso: 'nan' is not a number"),
            (["--examples", str(tmp_path / "none")], "is not a folder"),
        ):
            with pytest.raises(UserError, match=words) as error:
                demo.main(flags)
            assert "\n" not in str(error.value)


def test_examples_are_copied(tmp_path):
    demo = importlib.import_module("eval.web_demo")
    for name in ("b.PNG", "a.jpg", ".hidden.png", "notes.txt"):
        upload(tmp_path / "examples", png(), name)
    copies = demo.copy_examples(tmp_path / "examples", tmp_path)
    assert copies == [tmp_path / "a.jpg", tmp_path / "b.PNG"] and all(path.is_file() for path in copies)
    assert demo.copy_examples(tmp_path / "none", tmp_path) == []


def chromium():
    """The path of a browser: the system's, or Playwright's own.

    Without one the test is skipped, or fails where a browser is required.
    """
    if importlib.util.find_spec("playwright") is not None:
        from playwright.sync_api import sync_playwright

        for name in ("chromium", "chromium-browser", "google-chrome"):
            if shutil.which(name):
                return shutil.which(name)
        with sync_playwright() as playwright:
            if pathlib.Path(playwright.chromium.executable_path).exists():
                return playwright.chromium.executable_path
    return (pytest.fail if REQUIRED else pytest.skip)("Chromium or Playwright is not installed")


def red_octahedron(folder):
    """A run that makes every image a red octahedron."""
    from models.networks.texdisn import build_field_network
    from models.weights.run import Run, save_checkpoint
    from tests.helpers import tiny

    config, run = tiny.config(True), Run(folder)
    network = build_field_network(config)
    tiny.make_octahedron(network, 0.8)
    for stream, bias in ((network.streams[0], [3, -6, -6]), (network.streams[1], [-6, -6, -6])):
        stream.colour_out.kernel.assign(np.zeros(stream.colour_out.kernel.shape))
        stream.colour_out.bias.assign(bias)
    config.save(run.config)
    save_checkpoint(run.best, {"network": network.variables}, {"step": 1})
    return folder


@contextlib.contextmanager
def served(tmp_path):
    """Serve a tiny model in a process of its own; yields the address.

    The process must end cleanly and leave no files.
    """
    from tests.helpers import tiny

    field, camera = red_octahedron(tmp_path / "field"), tiny.camera_run(tmp_path / "camera")
    upload(tmp_path / "examples", png(), "block.png")
    (tmp_path / "tmp").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = {
        "--port": port,
        "--restore_model": field,
        "--cam_est": camera,
        "--examples": tmp_path / "examples",
        "--max_mb": 1,
    }
    process = subprocess.Popen(
        [sys.executable, "eval/web_demo.py", *(str(word) for flag in flags.items() for word in flag)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONUNBUFFERED": "1"},
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # tests may run where it is ignored
    )
    try:
        lines, too_late = [], threading.Timer(120, process.kill)  # select() would miss lines that came together
        too_late.start()
        while not (lines and lines[-1].startswith("the page is at")):
            lines.append(process.stdout.readline())
            assert lines[-1], "the page does not start: " + process.communicate()[1]
        too_late.cancel()
        yield lines[-1].split()[4]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out.splitlines()) == (0, ["the page has ended"]), out + err
        assert "Traceback" not in err, err
        assert not list((tmp_path / "tmp").glob("texdisn-web-*"))
    finally:
        process.kill()
        process.communicate()


def redness(screenshot):
    """The share of a screenshot's pixels that are red."""
    r, g, b = np.moveaxis(np.asarray(Image.open(io.BytesIO(screenshot)).convert("RGB")).astype(int), -1, 0)
    return ((r > 60) & (r > 2 * g) & (r > 2 * b)).mean()


@pytest.mark.slow
def test_in_a_browser(tmp_path):
    path = chromium()
    from playwright.sync_api import sync_playwright

    gl = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # WebGL without a graphics card
    with sync_playwright() as playwright, served(tmp_path) as address:  # the page ends before the browser
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *gl])
        tab, elsewhere = browser.new_page(viewport={"width": 1100, "height": 900}), []
        tab.set_default_timeout(60_000)
        tab.on(
            "request",
            lambda request: (
                elsewhere.append(request.url) if not request.url.startswith((address, "data:", "blob:")) else None
            ),
        )
        tab.goto(address)
        status, box = tab.locator("#status"), tab.locator("#upload input[type=file]")

        def choose(data, name):
            if tab.locator("#upload button[aria-label*=lear]").count():
                tab.locator("#upload button[aria-label*=lear]").click()
            box.wait_for(state="attached")
            box.set_input_files([{"name": name, "mimeType": "image/png", "buffer": data}])

        choose(png()[:100], HOSTILE)
        tab.wait_for_selector("#status .bad")
        assert re.fullmatch(
            r"x; rm.* is broken or cut off \(.*\): give a PNG, JPEG or WebP\.", status.inner_text().strip()
        )
        choose(b"x" * 2**21, "large.png")
        tab.wait_for_selector("text=exceed the maximum allowed size of 1.0 Mb")

        tab.locator("#examples button").first.click()
        tab.wait_for_selector("#image img")
        choose(png((30, 90, 200)), f"../../{HOSTILE}")
        tab.wait_for_selector("#status:has-text('Press Reconstruct')")
        assert redness(tab.locator("#model").screenshot()) < 0.001
        tab.click("#go")
        tab.wait_for_selector("#status:has-text('Done')")
        assert "azimuth" in tab.locator("#about").inner_text()
        end = time.monotonic() + 60
        while redness(tab.locator("#model canvas").screenshot()) < 0.05 and time.monotonic() < end:
            time.sleep(0.5)
        assert 0.05 < redness(tab.locator("#model canvas").screenshot()) < 0.6
        assert tab.locator("#overlay img").count() == tab.locator("#turntable img").count() == 1
        with tab.expect_download() as download:
            tab.click("#download")
        download.value.save_as(tmp_path / download.value.suggested_filename)
        mesh = trimesh.load(tmp_path / "mesh.glb", force="mesh")
        mesh.merge_vertices(merge_tex=True, merge_norm=True)  # those on seams of the texture
        assert mesh.is_watertight and len(mesh.faces) > 1000
        np.testing.assert_allclose(np.abs(mesh.vertices).sum(1), 0.4, atol=0.03)
        refused = tab.request.get(f"{address}gradio_api/file={ROOT / 'README.md'}")
        assert refused.status == 403 and elsewhere == []
        tab.click("#go")  # a job that runs when the page ends leaves nothing
        tab.wait_for_selector("#status li.now")
