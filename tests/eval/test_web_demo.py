"""The command of the page, and the page in a browser."""

import contextlib
import functools
import importlib
import importlib.util
import io
import os
import pathlib
import re
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

from benchmarks.page import FLAGS, system_browser
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

        if path := system_browser():
            return path
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


def findings(tab):
    """What axe-core finds on a page and calls serious or critical."""
    if importlib.util.find_spec("axe_playwright_python") is None:
        (pytest.fail if REQUIRED else pytest.skip)("axe-playwright-python is not installed")
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(tab).response["violations"]
    return [
        (finding["id"], [node["html"] for node in finding["nodes"]])
        for finding in found
        if finding["impact"] in ("serious", "critical")
    ]


class Tab:
    """The page in a tab of a browser."""

    def __init__(self, browser, address, width, height):
        self.elsewhere, self.tab = [], browser.new_page(viewport={"width": width, "height": height})
        own, self.height = (address, "data:", "blob:"), height
        self.tab.set_default_timeout(60_000)
        self.tab.on("request", lambda r: None if r.url.startswith(own) else self.elsewhere.append(r.url))
        self.tab.goto(address)
        self.tab.wait_for_selector("#notice")

    def choose(self, data, name):
        """Choose a file as the image."""
        if self.tab.locator("#upload button[aria-label*=lear]").count():
            self.tab.locator("#upload button[aria-label*=lear]").click()
        box = self.tab.locator("#upload input[type=file]")
        box.wait_for(state="attached")
        box.set_input_files([{"name": name, "mimeType": "image/png", "buffer": data}])

    def is_visible(self, selector):
        """Whether a part of the page begins in the upper three quarters of the screen."""
        return 0 <= self.tab.locator(selector).bounding_box()["y"] <= 0.75 * self.height

    def reconstruct(self, button, words):
        """Press a button; returns once the model is drawn, and the description has these words."""
        self.tab.click(button)
        inside = f"0 <= y && y <= {0.5 * self.height}"  # the progress moves to the top of the screen
        self.tab.wait_for_function(
            f"() => {{ const y = document.querySelector('#status').getBoundingClientRect().y; return {inside} }}"
        )
        self.tab.wait_for_selector(f"#about:has-text('{words}')")
        self.tab.wait_for_selector("#status:has-text('Done')")
        end = time.monotonic() + 60
        while redness(self.model()) < 0.05 and time.monotonic() < end:
            time.sleep(0.5)
        assert 0.05 < redness(self.model()) < 0.6 and self.is_visible("#model")

    def model(self):
        """A picture of the viewer, whose canvas makes way for another one with every model."""
        try:
            return self.tab.locator("#model canvas").screenshot()
        except Exception as error:
            if "not attached" not in str(error):
                raise
            return self.tab.locator("#model canvas").screenshot()


def mean_red(image):
    """The mean of the red channel over the red pixels of a picture, 0 to 255."""
    r, g, b = np.moveaxis(np.asarray(image.convert("RGB")).astype(int), -1, 0)
    return r[(r > 60) & (r > 2 * g) & (r > 2 * b)].mean()


@pytest.mark.slow
def test_in_a_browser(tmp_path):
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, served(tmp_path) as address:  # the page ends before the browser
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        phone = Tab(browser, address, 390, 844)
        tab = phone.tab
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        phone.choose(png()[:100], HOSTILE)
        tab.wait_for_selector("#notice .bad")
        words = tab.inner_text("#notice [role=status]").strip()
        assert re.fullmatch(r"x; rm.* is broken or cut off \(.*\): give a PNG, JPEG or WebP\.", words)
        assert phone.is_visible("#notice") and tab.locator("#upload img").count() == 0
        phone.choose(b"x" * 2**21, "large.png")
        tab.wait_for_selector("text=exceed the maximum allowed size of 1.0 Mb")
        tab.click(".toast-close")  # Gradio's, in which axe-core finds a button inside a button
        tab.click("#examples button:has-text('block')")
        tab.wait_for_selector("#upload img")
        phone.choose(png((30, 90, 200)), f"../../{HOSTILE}")
        tab.wait_for_selector("#notice:has-text('Press Reconstruct')")
        assert tab.locator("#upload img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
        tab.click("#settings button")
        tab.click("text=a mask file")
        tab.wait_for_selector("#mask_file")
        assert findings(tab) == []
        tab.click("text=auto: find the object")
        tab.fill("#settings input[aria-label*=Resolution]", "64")
        tab.click("text=5,000")
        tab.click("#settings button")
        phone.reconstruct("#go", "azimuth")
        assert findings(tab) == []

        turntable = Image.open(io.BytesIO(tab.request.get(tab.get_attribute("#turntable img", "src")).body()))
        assert mean_red(Image.open(io.BytesIO(phone.model()))) <= 1.03 * mean_red(turntable)
        with tab.expect_download() as download:
            tab.click("#download")
        assert re.fullmatch(r"x_rm_[\w-]*\.glb", download.value.suggested_filename)
        download.value.save_as(tmp_path / "mesh.glb")
        mesh = trimesh.load(tmp_path / "mesh.glb", force="mesh")
        mesh.merge_vertices(merge_tex=True, merge_norm=True)  # those on seams of the texture
        assert mesh.is_watertight and 1000 < len(mesh.faces) < 6000
        np.testing.assert_allclose(np.abs(mesh.vertices).sum(1), 0.4, atol=0.03)

        before = tab.get_attribute("#overlay img", "src")
        tab.fill("#camera input[type=number] >> nth=0", "90")
        tab.press("#camera input[type=number] >> nth=0", "Enter")
        tab.wait_for_function("before => document.querySelector('#overlay img').src != before", arg=before)
        phone.reconstruct("#again", "azimuth 90°")

        refused = tab.request.get(f"{address}gradio_api/file={ROOT / 'README.md'}")
        assert refused.status == 403 and phone.elsewhere == []
        tab.close()
        desktop = Tab(browser, address, 1200, 900)
        tab = desktop.tab
        tab.focus("#examples button")  # all by keys
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#notice:has-text('Press Reconstruct')")
        tab.wait_for_selector("#upload img")  # the button takes what the box shows
        tab.focus("#go")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#status progress")
        assert tab.is_disabled("#go")  # a second press would do nothing
        tab.focus("#stop")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#status:has-text('Stopped')")
        tab.wait_for_selector("#stop", state="hidden")
        tab.focus("#go")
        tab.keyboard.press("Enter")  # a job that runs when the page ends leaves nothing
        tab.wait_for_selector("#status progress")
        assert desktop.is_visible("#upload") and findings(tab) == []
