"""The page's handlers: what visitors see, and which files stay."""

import concurrent.futures
import importlib.util
import os
import pathlib
import time
import zipfile

import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.helpers.web import (
    HOSTILE,
    changes,
    controls,
    error_of,
    last_status,
    png,
    png_of,
    result_of,
    upload,
)
from utils.web import jobs
from utils.web.layout import build
from utils.web.page import BROKEN, DONE, STOPPED, bad

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None and os.environ.get("TEXDISN_REQUIRE_BROWSER") != "1",
    reason="Gradio is not installed",
)


def gradio_skip():
    """What a handler returns for a component that stays as it is."""
    import gradio

    return gradio.skip()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"hello", "not an image"),
        (b"%PDF-1.4", "PDF"),
        (b"<svg></svg>", "SVG"),
        (png()[:120], "broken or cut off"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(50), "HEIC"),
        (png(size=(8, 8)), "too few"),
        (png(size=(1000, 600)), "0.5 megapixels"),
        (png() + bytes(300_000), "0.286102 MB"),
        (png((255, 255, 255), alpha=False), "give a mask file"),
    ],
)
def test_an_unusable_file_gets_one_sentence(data, words, page, tmp_path):
    path = upload(tmp_path / "uploads", data, HOSTILE)
    text = error_of(last_status(page, *controls(path)), page)
    assert words in text and "x; rm -rf $(y) &lt;img" in text
    if words != "give a mask file":  # an error that only the search for the object finds
        for notice, box, *_ in (page.look(path), page.look_at_mask(path)):
            assert error_of(notice, page) == text and box is None
    assert not list(page.folders.requests.iterdir())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"resolution": 1000}, "resolution"),
        ({"resolution": float("nan")}, "numbers"),
        ({"resolution": None}, "numbers"),
        ({"resolution": 129}, "even"),
        ({"format": "exe"}, "no such format"),
        ({"simplify": 50}, "at least 100"),
        ({"simplify": 1e300}, "faces"),
        ({"simplify": "all"}, "numbers"),
        ({"texture": "atlas", "format": "ply"}, "have no textures"),
        ({"mask": "/etc/passwd"}, "no such"),
        ({"colours": "none"}, "source of colours"),
        ({"mask": "file"}, "no mask file"),
        ({"mask": "alpha"}, "no transparent background"),
        ({"camera": "angles", "elevation": 90}, "elevation"),
    ],
)
def test_unusable_controls_get_one_sentence(values, words, page, tmp_path):
    path = upload(tmp_path, png(alpha=False))
    text = error_of(last_status(page, *controls(path, **values)), page)
    assert words in text.replace("&#x27;", "'")
    assert len(page.reconstructor.calls) == (values == {"mask": "alpha"})  # only that needs the image


def test_the_page_shows_an_image_and_its_result(page, tmp_path):
    path = upload(tmp_path / "uploads", png(), "Großer Stuhl (2).png")
    assert "Reconstruct" in page.look(path)[0]
    values = {"resolution": 64, "simplify": 5000, "camera": "angles", "azimuth": 30, "elevation": 10}
    step, steps = result_of(page, *controls(path, **values))
    assert page.reconstructor.calls == [("auto", (30.0, 10.0), 64, 5000, "photo")]
    download = pathlib.Path(step["download"]["value"])
    assert download.name == "Großer_Stuhl_2.glb" and download.parents[2] == page.folders.requests
    model = trimesh.load(download, force="mesh")
    model.merge_vertices(merge_tex=True, merge_norm=True)  # those on seams of the texture
    assert model.is_watertight
    assert "from the front right, from a little above" in step["about"]
    assert "azimuth 40°, elevation 25°, distance 2.00" in step["about"]
    assert "<th>Warning</th><td>a warning</td>" in step["about"]
    assert "by its transparency" in step["about"] and "of the image where it shows the model" in step["about"]
    assert step["model"]["camera_position"] == pytest.approx((50, 65, 0.5 / np.sin(0.375)))
    assert (step["azimuth"], step["elevation"]) == (40, 25)
    assert "Done" in list(steps)[-1]["status"] and not download.exists()


def test_the_overlay_follows_the_sliders(page, tmp_path):
    step, steps = result_of(page, *controls(upload(tmp_path, png())))
    list(steps)
    view = step["camera_view"]
    assert page.turn(view, 40, 25) == step["overlay"] != page.turn(view, 41, 25)
    assert isinstance(page.turn(view, 0, 90), str)  # straight above is no direction to look from
    for unusable in ((None, 0, 0), (view, "x", 0), (view, 0, float("nan")), (view, None, 0)):
        assert page.turn(*unusable) == gradio_skip()


def test_an_image_that_browsers_cannot_show_is_shown_all_the_same(page, tmp_path):
    rgba = np.random.default_rng(0).integers(0, 256, (40, 50, 4), np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a chair.tiff")
    notice, shown, _ = page.look(str(tmp_path / "a chair.tiff"))
    assert "Press" in notice and pathlib.Path(shown).name == "a_chair.png"
    np.testing.assert_array_equal(np.asarray(Image.open(shown)), rgba)
    assert page.look(shown)[1] == gradio_skip()


def test_a_copy_that_browsers_can_show_is_not_too_large_for_its_box(page, tmp_path):
    noise = np.random.default_rng(0).normal(128, 40, (360, 360, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.tif", compression="jpeg", quality=80)
    shown = page.look(str(tmp_path / "a.tif"))[1]
    assert "Press" in page.look(shown)[0]
    grey, original = (np.asarray(Image.open(path).convert("L"), float) for path in (shown, tmp_path / "a.tif"))
    assert abs(grey - original).mean() < 6


def test_no_image(page, tmp_path):
    assert page.look(None) == (gradio_skip(),) * 3 and page.look_at_mask(None) == (gradio_skip(),) * 2
    assert "no longer here" in error_of(page.look(str(tmp_path / "gone.png"))[0], page)
    assert "no image" in error_of(last_status(page, *controls(None)), page)


@pytest.mark.parametrize(
    "case", ["ply auto chair.ply", "obj vertex chair.obj", "obj atlas chair.zip", "obj auto chair.zip"]
)
def test_formats(case, page, tmp_path):
    mesh_format, texture, name = case.split()
    values = controls(upload(tmp_path, png(), "chair.png"), format=mesh_format, texture=texture, colours="field")
    step, steps = result_of(page, *values)
    assert page.reconstructor.calls[0][-1] == "field" and "of the field" in step["about"]
    download = pathlib.Path(step["download"]["value"])
    assert download.name == name and pathlib.Path(step["model"]["value"]).suffix == ".glb"
    view = trimesh.load(step["model"]["value"], force="mesh")
    assert len(view.faces) == 32
    if name == "chair.zip":
        with zipfile.ZipFile(download) as file:
            file.extractall(tmp_path / "out")
        download = tmp_path / "out" / "chair.obj"
        assert sorted(path.name for path in download.parent.iterdir()) == ["chair.obj", "mesh.mtl", "mesh_texture.png"]
    loaded = trimesh.load(download, force="mesh")
    assert len(loaded.faces) == 32
    if name == "chair.zip":  # the viewer shows what is downloaded
        picture = view.visual.material.baseColorTexture
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(loaded.visual.material.image))
        by_place = [mesh.visual.uv[np.lexsort([*mesh.visual.uv.T, *mesh.vertices.T])] for mesh in (view, loaded)]
        np.testing.assert_allclose(*by_place, atol=1e-5)
    steps.close()
    assert not list(page.folders.requests.iterdir())


def test_a_mask_file(page, tmp_path):
    image = upload(tmp_path / "a", png(alpha=False))
    mask = np.zeros((48, 64), np.uint8)
    mask[12:36, 16:48] = 255
    mask_file = upload(tmp_path / "b", png_of(mask), HOSTILE)
    step, steps = result_of(page, *controls(image, mask="file", mask_file=mask_file))
    assert "25 % of the image, by the mask file" in step["about"]
    steps.close()
    for data, words in (
        (png(size=(50, 50)), "mask must have"),
        (b"no mask", "not an image"),
        (png(size=(1000, 600)), "0.5 megapixels"),
        (png_of(np.full((48, 64), 255, np.uint8)), "white"),
        (png_of(np.zeros((48, 64), np.uint8)), "black"),
    ):
        mask_file = upload(tmp_path / "c", data, HOSTILE)
        text = error_of(last_status(page, *controls(image, mask="file", mask_file=mask_file)), page)
        assert words in text and text.startswith("x; rm -rf $(y) &lt;img")


def test_two_at_once_get_their_own_results_one_after_the_other(page, tmp_path):
    page.reconstructor.may_go_on.clear()
    colours, statuses = ((250, 10, 10), (10, 10, 250)), []

    def noted(number, steps):
        for step in steps:
            statuses.append((number, str(step["status"])))
            yield step

    def visit(number):
        path = upload(tmp_path / str(number), png(colours[number]))
        step, steps = None, noted(number, changes(page, *controls(path, format="ply")))
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
        while not any("1 image is reconstructed before yours" in text for number, text in statuses if number == 1):
            time.sleep(0.01)
        assert len(page.reconstructor.calls) == 1
        assert any("Cutting the object out" in text for number, text in statuses if number == 0)
        page.reconstructor.may_go_on.set()
        (first, red), (second, blue) = (visit.result() for visit in visits)
    assert first != second and (tuple(red), tuple(blue)) == colours
    assert not list(page.folders.requests.iterdir())


def test_visitors_who_leave_keep_nobody_waiting(page, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "MOST", 2)
    page.reconstructor.may_go_on.clear()
    values = controls(upload(tmp_path, png()))
    running, waiting = page.reconstruct(*values), page.reconstruct(*values)
    for steps in (running, waiting):
        next(steps)
        next(steps)
    assert "2 images are waiting already" in error_of(last_status(page, *values), page)
    running.close()
    waiting.close()
    page.reconstructor.may_go_on.set()
    step, steps = result_of(page, *values)
    steps.close()
    assert len(page.reconstructor.calls) == 2  # the job that waited never began
    assert step["download"]["value"] and not list(page.folders.requests.iterdir())


def test_one_press_at_a_time_until_its_end_or_stop(page, tmp_path):
    import gradio as gr

    image = upload(tmp_path, png())
    steps = changes(page, *controls(image))
    first = next(steps)
    assert not first["go"]["interactive"] and first["stop"]["visible"]
    steps.close()  # as Gradio does at Stop
    assert result_of(page, *controls(image))[0]["reconstructed"] == image
    for status, after in [(DONE, gr.skip()), (bad("x"), gr.skip()), (first["status"], STOPPED)]:
        shown, model, go, stop = page.ready(status)
        assert shown == after and go["interactive"] and not stop["visible"]
        assert (model == gr.skip()) == (after == gr.skip())
    blocks = build(page)
    runs = {number for number, function in blocks.fns.items() if function.fn == page.reconstruct}
    assert len(runs) == 2
    assert {function.trigger_after for function in blocks.fns.values() if function.fn == page.ready} == runs
    assert {number for function in blocks.fns.values() for number in function.cancels} == runs


def test_a_defect_is_reported_without_details(page, tmp_path, capsys):
    page.reconstructor.error = RuntimeError("/srv/secret/file")
    status = last_status(page, *controls(upload(tmp_path, png())))
    assert error_of(status, page) == BROKEN and "/srv/secret/file" in capsys.readouterr().err


def test_the_page_is_built_with_and_without_examples(page):
    examples = [pathlib.Path(upload(page.folders.examples, png(), f"{name}.png")) for name in ("chair", "table")]
    for blocks in (build(page), build(page, examples)):
        assert "googleapis" not in str(blocks.config)
        assert all(function.api_visibility != "public" for function in blocks.fns.values())
