"""The page of web_demo.py: what its handlers answer, and the page itself in a browser."""

import concurrent.futures
import contextlib
import functools
import importlib.util
import io
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest
import trimesh
from PIL import Image

from utils.errors import UserError
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.images.foreground import foreground
from utils.images.photo import decode_photo
from utils.rendering import turntable
from utils.web import jobs
from utils.web import page as web_page
from utils.web.jobs import Folders, Jobs
from utils.web.page import BROKEN, Page, build, prepare
from utils.web.request import Limits, Request, camera_words, sentence, shown_name

ROOT = pathlib.Path(__file__).parents[2]
LIMITS = Limits(300_000, 500_000)
HOSTILE = "x; rm -rf $(y) <img src=x onerror=alert(1)>.png"
REQUIRED = os.environ.get("TEXDISN_REQUIRE_BROWSER") == "1"  # then nothing that is missing is excused
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None and not REQUIRED, reason="Gradio is not installed"
)


class Fake:
    """A Reconstructor that makes every picture an octahedron of the picture's mean colour."""

    def __init__(self):
        self.open, self.calls, self.error = threading.Event(), [], None
        self.open.set()

    def reconstruct(self, photo, mask="auto", camera="est", resolution=128, simplify=None, stages=None):
        from models.inference.reconstruct import Reconstruction

        self.calls.append((mask, camera, resolution))
        with stages("mask"):
            found = foreground(photo, mask)
        assert self.open.wait(20)
        with stages("mesh"):
            if self.error:
                raise self.error
            hull = trimesh.convex.convex_hull(np.concatenate([np.eye(3), -np.eye(3)]) / 2).subdivide()
        colour = photo.rgba[found.alpha > 128][:, :3].mean(0) / 255
        matrix = compose(intrinsics(photo.rgba.shape[1]), look_at(40, 25, 2))

        def colour_of(points):
            return np.repeat(colour[None], len(points), 0)

        return Reconstruction(
            photo.rgba[..., :3], found.alpha, found.used, [*photo.notes, *found.notes], np.zeros((8, 8, 3), np.float32), matrix, "estimated",
            0.0, hull.vertices, hull.faces, colour_of(hull.vertices), hull.vertex_normals, colour_of,
        )  # fmt: skip


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setattr(web_page, "POLL", 0.02)
    monkeypatch.setattr(turntable, "SIZE", 32)
    environment = dict(os.environ)
    (tmp_path / "root").mkdir()
    folders, jobs = Folders(tmp_path / "root", 3600), Jobs()
    prepare(folders.cache)
    result = Page(Fake(), jobs, folders, LIMITS)
    yield result
    result.reconstructor.open.set()
    jobs.close()
    jobs.wait()
    folders.close()
    os.environ.clear()
    os.environ |= environment


def png(colour=(200, 30, 30), size=(64, 48), alpha=True):
    """A block on a clear ground, or on a white one, as the bytes of a PNG."""
    rgba = np.full((*size[::-1], 4), 255, np.uint8)
    rgba[..., 3] = 0 if alpha else 255
    rgba[size[1] // 4 : -size[1] // 4, size[0] // 4 : -size[0] // 4] = [*colour, 255]
    file = io.BytesIO()
    Image.fromarray(rgba).save(file, "PNG")
    return file.getvalue()


def put(folder, data, name="picture.png"):
    """An upload, as Gradio stores it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return str(folder / name)


def given(picture, **values):
    """The page's controls, in their order."""
    request = Request(picture, **values)
    return [getattr(request, name) for name in Request.__dataclass_fields__]


def changes(page, *controls):
    """What every step of the generator changes, as dicts."""
    for step in page.reconstruct(*controls):
        yield dict(zip(Page.RESULTS, step, strict=True))


def result_of(page, *controls):
    """What changes with the result; the generator has not gone on."""
    steps = changes(page, *controls)
    for step in steps:
        if isinstance(step["model"], dict) and step["model"].get("value"):
            return step, steps
        last = step
    raise AssertionError(last["status"])


def told(status, page):
    """The one sentence of a status that tells of a failure, checked."""
    text = re.fullmatch(r"<span class='bad'>(.*)</span>", status).group(1)
    assert "<" not in text and "\n" not in text and "Traceback" not in text and "--" not in text
    assert str(page.folders.root) not in text and "/" not in text.replace("and/or", "") and text.endswith(".")
    return text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"), (b"hello", "not a picture"), (b"%PDF-1.4", "PDF"), (b"<svg></svg>", "SVG"), (png()[:120], "broken or cut off"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(50), "HEIC"), (png(size=(8, 8)), "too few"), (png(size=(1000, 600)), "0.5 megapixels"),
        (png() + bytes(300_000), "0.286102 MB"), (png((255, 255, 255), alpha=False), "give a mask file"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_gets_one_sentence(data, words, page, tmp_path):
    path = put(tmp_path / "uploads", data, HOSTILE)
    last = list(changes(page, *given(path)))[-1]
    text = told(last["status"], page)
    assert words in text and "x; rm -rf $(y) &lt;img" in text
    if words != "give a mask file":  # which only the search for the object finds out
        assert told(page.look(path)[0], page) == text
    assert not list(page.folders.requests.iterdir())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"resolution": 1000}, "resolution"), ({"resolution": float("nan")}, "numbers"), ({"resolution": None}, "numbers"),
        ({"resolution": 129}, "even"), ({"format": "exe"}, "no such format"), ({"texture": "atlas", "format": "ply"}, "have no textures"),
        ({"mask": "/etc/passwd"}, "no such"), ({"mask": "file"}, "no mask file"), ({"camera": "angles", "elevation": 90}, "elevation"),
    ],
)  # fmt: skip
def test_controls_that_make_no_sense_get_one_sentence(values, words, page, tmp_path):
    last = list(changes(page, *given(put(tmp_path, png()), **values)))[-1]
    assert words in told(last["status"], page).replace("&#x27;", "'") and not page.reconstructor.calls


def test_the_page_shows_a_picture_and_its_result(page, tmp_path):
    path = put(tmp_path / "uploads", png(), HOSTILE)
    status, picture = page.look(path)
    assert (
        "Reconstruct" in status
        and picture["value"].shape == (48, 64, 3)
        and picture["value"][0, 0].tolist() == [255] * 3
    )
    step, steps = result_of(page, *given(path, resolution=64, camera="angles", azimuth=30, elevation=10))
    assert page.reconstructor.calls == [("auto", (30.0, 10.0), 64)]
    folder = pathlib.Path(step["download"]["value"]).parent
    assert folder.parent == page.folders.requests and {each.name for each in folder.iterdir()} == {
        "mesh.glb", "input.png", "camera.txt", "overlay.png", "turntable.png", "turntable.gif", "results.json"
    }  # fmt: skip
    assert trimesh.load(step["download"]["value"], force="mesh").is_watertight
    assert (
        "from the front right, from a little above" in step["about"]
        and "azimuth 40°, elevation 25°, distance 2.00" in step["about"]
    )
    assert (
        step["model"]["camera_position"] == pytest.approx((50, 65, 0.5 / np.sin(0.375)))
        and "by its transparency" in step["about"]
    )
    masked = step["picture"]["value"]
    assert masked[24, 32].tolist() == [200, 30, 30] and (masked == [255, 0, 128]).all(-1).any()
    assert "Done" in list(steps)[-1]["status"] and not folder.exists()
    assert page.look(None)[1]["visible"] is False
    assert "no longer here" in told(page.look(str(tmp_path / "gone.png"))[0], page)
    assert "no picture" in told(list(changes(page, *given(None)))[-1]["status"], page)


@pytest.mark.parametrize("kind", ["ply vertex mesh.ply", "obj vertex mesh.obj", "obj atlas mesh.zip"])
def test_formats(kind, page, tmp_path):
    form, texture, name = kind.split()
    step, steps = result_of(page, *given(put(tmp_path, png()), format=form, texture=texture))
    download = pathlib.Path(step["download"]["value"])
    assert download.name == name and pathlib.Path(step["model"]["value"]).suffix == ".glb"
    assert len(trimesh.load(step["model"]["value"], force="mesh").faces) == 32
    if name == "mesh.zip":
        with zipfile.ZipFile(download) as file:
            file.extractall(tmp_path / "out")
        download = tmp_path / "out" / "mesh.obj"
        assert sorted(each.name for each in download.parent.iterdir()) == ["mesh.mtl", "mesh.obj", "mesh_texture.png"]
    assert len(trimesh.load(download, force="mesh").faces) == 32
    steps.close()
    assert not list(page.folders.requests.iterdir())


def test_a_mask_file(page, tmp_path):
    picture = put(tmp_path / "a", png(alpha=False))
    mask = np.zeros((48, 64), np.uint8)
    mask[12:36, 16:48] = 255
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    step, steps = result_of(page, *given(picture, mask="file", mask_file=put(tmp_path / "b", file.getvalue(), HOSTILE)))
    assert "25 % of the picture, by the mask file" in step["about"]
    steps.close()
    for data, words in (
        (png(size=(50, 50)), "mask must have"),
        (b"no mask", "not a picture"),
        (png(size=(1000, 600)), "0.5 megapixels"),
    ):
        last = list(changes(page, *given(picture, mask="file", mask_file=put(tmp_path / "c", data, HOSTILE))))[-1]
        text = told(last["status"], page)
        assert words in text and text.startswith("x; rm -rf $(y) &lt;img")


def test_no_message_of_the_mask_names_a_flag():
    opaque, clear = (decode_photo(png(alpha=alpha), "a.png") for alpha in (False, True))
    for photo, how in (
        (opaque, "alpha"),
        (decode_photo(png((255, 255, 255), alpha=False), "a.png"), "auto"),
        (clear, "/srv/data/mask file"),
    ):
        with pytest.raises(UserError) as error:
            foreground(photo, how)
        text = sentence(error.value, [("/srv/data/mask file", "m.png")])
        assert "--" not in text and "/" not in text and text.endswith(".")
    assert sentence("/tmp/a/b/c.h5 and/or --iso 3") == "c.h5 and/or iso 3."


def test_two_at_once_get_their_own_results_one_after_the_other(page, tmp_path):
    page.reconstructor.open.clear()
    colours, waiting = ((250, 10, 10), (10, 10, 250)), []

    def visit(number):
        def note(steps):
            for step in steps:
                waiting.append((number, str(step["status"])))
                yield step

        step, steps = None, note(changes(page, *given(put(tmp_path / str(number), png(colours[number])), format="ply")))
        for step in steps:
            if isinstance(step["model"], dict) and step["model"].get("value"):
                break
        mesh = trimesh.load(step["download"]["value"], force="mesh")
        folder = pathlib.Path(step["download"]["value"]).parent
        list(steps)
        return folder, mesh.visual.vertex_colors[0, :3].tolist()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        visits = [pool.submit(visit, 0)]
        while not page.reconstructor.calls:
            time.sleep(0.01)
        visits.append(pool.submit(visit, 1))
        while not any("1 picture is reconstructed before yours" in text for number, text in waiting if number == 1):
            time.sleep(0.01)
        assert len(page.reconstructor.calls) == 1 and any(
            "● Finding the object" in text for number, text in waiting if number == 0
        )
        page.reconstructor.open.set()
        (first, red), (second, blue) = (each.result() for each in visits)
    assert first != second and (tuple(red), tuple(blue)) == colours
    assert not list(page.folders.requests.iterdir())


def test_who_leaves_makes_nobody_wait(page, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "MOST", 2)
    page.reconstructor.open.clear()
    controls = given(put(tmp_path, png()))
    running, waiting = page.reconstruct(*controls), page.reconstruct(*controls)
    for steps in (running, waiting):
        next(steps)
        next(steps)
    assert "2 pictures are waiting already" in told(list(changes(page, *controls))[-1]["status"], page)
    running.close()
    waiting.close()
    page.reconstructor.open.set()
    step, steps = result_of(page, *controls)
    steps.close()
    assert len(page.reconstructor.calls) == 2  # that which waited never began
    assert step["download"]["value"] and not list(page.folders.requests.iterdir())


def test_a_defect_of_ours_is_told_without_details(page, tmp_path, capsys):
    page.reconstructor.error = RuntimeError("/srv/secret/file")
    last = list(changes(page, *given(put(tmp_path, png()))))[-1]
    assert told(last["status"], page) == BROKEN and "/srv/secret/file" in capsys.readouterr().err


def test_old_files_go_away(page, monkeypatch):
    own = pathlib.Path(put(page.folders.cache / "a", b"an example"))
    page.folders.keep()
    old = [pathlib.Path(put(page.folders.cache / "b", b"old")), pathlib.Path(put(page.folders.requests / "c", b"old"))]
    page.folders.sweep()
    assert all(path.exists() for path in (own, *old))
    now = time.time()
    monkeypatch.setattr(jobs.time, "time", lambda: now + 3700)
    page.folders.sweep()
    assert own.exists() and not any(path.parent.exists() for path in old)
    page.folders.close()
    assert not page.folders.root.exists()


def test_the_page_is_built_with_and_without_examples(page):
    examples = [pathlib.Path(put(page.folders.examples, png(), f"{name}.png")) for name in ("chair", "table")]
    for blocks in (build(page), build(page, examples)):
        assert "googleapis" not in str(blocks.config) and all(
            function.api_visibility != "public" for function in blocks.fns.values()
        )


def test_words():
    assert (
        camera_words(0, 0) == "from the front, at its height"
        and camera_words(350, 89.9) == "from the front, from far above"
    )
    assert (
        camera_words(100, -30) == "from the right, from below" and camera_words(200, 50) == "from the back, from above"
    )
    assert shown_name("../../x; rm -rf $(y).png") == "x; rm -rf $(y).png" and shown_name("a\n\x00b.png") == "ab.png"
    assert len(shown_name(300 * "a" + ".png")) < 50 and shown_name("").startswith("the file")


def test_the_command_refuses_in_one_line(tmp_path):
    demo = importlib.import_module("eval.web_demo")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for flags, words in (
            (["--port", port], f"--port {port} cannot be used"), (["--port", "0"], "--port 0"), (["--max_mb", "1000"], "--max_mb 1000"),
            (["--max_megapixels", "0"], "--max_megapixels 0"), (["--examples", str(tmp_path / "none")], "is no folder"),
        ):  # fmt: skip
            with pytest.raises(UserError, match=words):
                demo.main(flags)
    assert demo.copied(tmp_path / "none", tmp_path) == []


def chromium():
    """The path of a browser: the system's, or Playwright's own. Without one the test is skipped, or fails where a browser is required."""
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
    """A run whose every picture becomes a red octahedron."""
    from models.networks.texdisn import build as network_of
    from models.weights.run import Run, save_checkpoint
    from tests.eval.test_eval import make_octahedron
    from tests.helpers import tiny

    config, run = tiny.config(True), Run(folder)
    network = network_of(config)
    make_octahedron(network, 0.8)
    for stream, bias in ((network.global_stream, [3, -6, -6]), (network.local_stream, [-6, -6, -6])):
        stream.colour_out.kernel.assign(np.zeros(stream.colour_out.kernel.shape))
        stream.colour_out.bias.assign(bias)
    config.save(run.config)
    save_checkpoint(run.best, {"network": network.variables}, {"step": 1})
    return folder


@contextlib.contextmanager
def served(tmp_path):
    """Serve a tiny model in a process of its own -> its address. It must end cleanly and leave nothing."""
    from tests.helpers import tiny

    field, camera = red_octahedron(tmp_path / "field"), tiny.camera_run(tmp_path / "camera")
    put(tmp_path / "examples", png(), "block.png")
    (tmp_path / "tmp").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        "eval/web_demo.py",
        "--port",
        port,
        "--restore_model",
        field,
        "--cam_est",
        camera,
        "--examples",
        tmp_path / "examples",
    ]
    process = subprocess.Popen(
        [sys.executable, *map(str, command), "--max_mb", "1"], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONUNBUFFERED": "1"},
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # tests may run where it is ignored
    )  # fmt: skip
    try:
        lines = []
        while not (lines and lines[-1].startswith("the page is at")):
            assert select.select([process.stdout], [], [], 90)[0], "the page does not start"
            lines.append(process.stdout.readline())
            assert lines[-1], process.communicate()[1]
        yield lines[-1].split()[4]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out.splitlines()) == (0, ["the page has ended"]), out + err
        assert "Traceback" not in err, err
        assert not list((tmp_path / "tmp").glob("texdisn-web-*"))
    finally:
        process.kill()
        process.communicate()


def redness(shot):
    """The share of a screenshot's pixels that are red."""
    r, g, b = np.moveaxis(np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int), -1, 0)
    return ((r > 60) & (r > 2 * g) & (r > 2 * b)).mean()


@pytest.mark.slow
def test_in_a_browser(tmp_path):
    path = chromium()
    from playwright.sync_api import sync_playwright

    gl = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # WebGL without a graphics card
    with sync_playwright() as playwright, served(tmp_path) as address:  # which ends before the browser does
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

        def upload(data, name):
            if tab.locator("#upload button[aria-label*=lear]").count():
                tab.locator("#upload button[aria-label*=lear]").click()
            box.wait_for(state="attached")
            box.set_input_files([{"name": name, "mimeType": "image/png", "buffer": data}])

        upload(png()[:100], HOSTILE)
        tab.wait_for_selector("#status .bad")
        assert re.fullmatch(
            r"x; rm.* is broken or cut off \(.*\): give a PNG, JPEG or WebP\.", status.inner_text().strip()
        )
        upload(b"x" * 2**21, "large.png")
        tab.wait_for_selector("text=exceed the maximum allowed size of 1.0 Mb")

        tab.locator("#examples button").first.click()
        tab.wait_for_selector("#picture img")
        upload(png((30, 90, 200)), f"../../{HOSTILE}")
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
        assert mesh.is_watertight and len(mesh.faces) > 1000
        np.testing.assert_allclose(np.abs(mesh.vertices).sum(1), 0.4, atol=0.03)
        refused = tab.request.get(f"{address}gradio_api/file={ROOT / 'README.md'}")
        assert refused.status == 403 and elsewhere == []
        tab.click("#go")  # what runs when the page ends leaves nothing
        tab.wait_for_selector("#status li.now")
