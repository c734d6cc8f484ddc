"""The Python interface: what its functions give, and the notebook that shows them."""

import functools
import importlib
import json
import os
import pathlib
import re
import subprocess
import sys

import matplotlib
import numpy as np
import PIL.Image
import pytest
import trimesh

import texdisn
from data.shards import Database
from models.inference import reconstruct as reconstruction
from tests.helpers import tiny
from utils.errors import UserError
from utils.geometry.cameras import resize_camera
from utils.images.photo import LONGEST, read_photo

ROOT = pathlib.Path(__file__).parents[1]
CHAIR = ROOT / "examples" / "chair.png"


@pytest.fixture(scope="module")
def model():
    return texdisn.load_model(precision="float32")


@pytest.fixture(scope="module")
def result(model):
    return model.reconstruct(CHAIR, resolution=40)


def test_a_mesh_is_the_same_in_every_form(result, tmp_path):
    mesh, other = result.mesh, result.to_trimesh()
    assert other.is_watertight and len(other.faces) == len(mesh.faces) > 1000
    np.testing.assert_array_equal(other.vertices, mesh.vertices)
    np.testing.assert_allclose(other.visual.vertex_colors[:, :3] / 255, mesh.colours[:, :3], atol=1 / 255)
    for suffix in ("glb", "ply", "obj"):
        result.save(tmp_path / f"chair.{suffix}", texture_size=None if suffix == "ply" else 128)
        loaded = trimesh.load(tmp_path / f"chair.{suffix}", force="mesh", process=False)
        assert len(loaded.faces) == len(mesh.faces)
        np.testing.assert_allclose(loaded.bounds, other.bounds, atol=1e-5)
    assert trimesh.load(tmp_path / "chair.glb", force="mesh").visual.material.baseColorTexture.size == (128, 128)
    with pytest.raises(texdisn.UserError, match="stl"):
        result.save(tmp_path / "chair.stl")
    result.save(tmp_path / "LOUD.PLY")
    for wrong in ({"texture": "none"}, {"texture_size": 0}):
        with pytest.raises(texdisn.UserError, match="texture"):
            result.save(tmp_path / "chair.glb", **wrong)
    with pytest.raises(texdisn.UserError, match="texture size 128 would do nothing"):
        result.save(tmp_path / "chair.ply", texture_size=128)


@pytest.mark.parametrize(("setting", "value"), [
    ("resolution", 1), ("resolution", 514), ("resolution", 258), ("simplify", 5), ("colours", "bright"),
])  # fmt: skip
def test_settings_out_of_range_are_refused_at_once(model, setting, value):
    with pytest.raises(texdisn.UserError, match=f"{setting} {value}: give"):
        model.reconstruct("no.png", **{setting: value})  # before the image is read


def test_a_turntable_shows_the_mesh(result):
    frames = result.turntable()
    assert len(frames) == 8 and all((frame < 250).any() and (frame[0, 0] == 255).all() for frame in frames)


def test_images_in_every_form_give_the_same_mesh(model, monkeypatch):
    monkeypatch.setattr(reconstruction, "iso_covering_mask", lambda *_: model.iso)  # most of the time of a small mesh
    image, first = PIL.Image.open(CHAIR), model.reconstruct(CHAIR, resolution=24)
    for form in (str(CHAIR), image, np.asarray(image), np.asarray(image) / 255, read_photo(CHAIR)):
        other = model.reconstruct(form, resolution=24)
        assert np.array_equal(other.seen, first.seen) and np.array_equal(other.mask, first.mask)
        np.testing.assert_allclose(other.vertices, first.vertices, atol=1e-6)
    mask = np.asarray(image)[..., 3]
    other = model.reconstruct(np.asarray(image.convert("RGB")), mask=mask, resolution=24)
    assert other.foreground == "array" and np.array_equal(other.mask, first.mask)
    grey, numbers = PIL.Image.fromarray(mask), PIL.Image.fromarray(mask.astype(np.int32))
    for same in (mask / 255, mask.astype(float), mask.tolist(), grey, grey.convert("P"), grey.convert("RGB"), numbers):
        assert np.array_equal(model.reconstruct(image, mask=same, resolution=24).mask, first.mask)
    for wrong in (mask / np.nan, mask.astype(str)):
        with pytest.raises(texdisn.UserError, match="the mask has values that are not finite numbers"):
            model.reconstruct(image, mask=wrong)
    with pytest.raises(texdisn.UserError, match="must have one size"):
        model.reconstruct(image, mask=mask[:-1])
    for nothing in (mask // 2, np.zeros(mask.shape, bool), (mask / 255).round().astype(np.uint8)):
        with pytest.raises(texdisn.UserError, match="the mask shows no object"):
            model.reconstruct(image, mask=nothing)
    for wrong in (np.zeros((40, 40, 2), np.uint8), np.full((40, 40, 3), 7.0), np.zeros((40, 40), int)):
        with pytest.raises(texdisn.UserError, match="an image array is"):
            model.reconstruct(wrong)


def test_what_transparent_pixels_hide_is_never_seen(model, monkeypatch):
    """With any mask but the transparency itself, an image is what it looks like on white."""
    monkeypatch.setattr(reconstruction, "iso_covering_mask", lambda *_: model.iso)
    rgba = np.array(PIL.Image.open(CHAIR))
    seen = PIL.Image.alpha_composite(PIL.Image.new("RGBA", rgba.shape[1::-1], "white"), PIL.Image.fromarray(rgba))
    rgba[rgba[..., 3] == 0, :3] = [0, 160, 0]
    mask = rgba[..., 3] > 0
    mask[300:, 200:] = True  # more than the object
    for given in ("none", mask):
        hiding, plain = (model.reconstruct(x, mask=given, resolution=24) for x in (rgba, np.array(seen.convert("RGB"))))
        np.testing.assert_allclose(hiding.seen, plain.seen, atol=2 / 255)
        np.testing.assert_allclose(hiding.colours, plain.colours, atol=0.02)
        assert abs(hiding.photo.astype(int) - plain.photo).max() <= 1


def test_a_half_transparent_image_is_compared_in_the_colours_that_it_gives(model, result):
    rgba = np.array(PIL.Image.open(CHAIR))
    rgba[..., 3] = np.rint(0.6 * rgba[..., 3])
    faint = model.reconstruct(rgba, resolution=40)
    inside = result.mask == 255
    assert abs(faint.photo[inside].astype(int) - result.photo[inside]).max() <= 1
    np.testing.assert_allclose(faint.seen, result.seen, atol=0.02)


def test_cameras(model, result):
    given = model.reconstruct(CHAIR, camera=result.camera, resolution=32)
    np.testing.assert_allclose(given.camera, result.camera)
    size = result.mask.shape[0]
    matrix = texdisn.camera(40, 20, 2.2, size)
    np.testing.assert_allclose(model.reconstruct(CHAIR, camera=(40.0, 20.0, 2.2), resolution=32).camera, matrix)
    assert np.array_equal(model.reconstruct(CHAIR, camera=result.camera.tolist(), resolution=32).camera, given.camera)
    in_forms = [
        model.reconstruct(CHAIR, camera=form((40.0, 20.0)), resolution=32).camera for form in (tuple, list, np.array)
    ]
    assert all(np.array_equal(camera, in_forms[0]) for camera in in_forms)
    for wrong in [(40,), (40.0, 95.0), (float("nan"), 20.0), (40.0, 25.0, -2.0), np.eye(4), [[1, 2], 3], "40,20", None]:
        with pytest.raises(texdisn.UserError, match="camera"):
            model.reconstruct(CHAIR, camera=wrong)
    for wrong in [(40.0, 95.0, 2.0), (40.0, 20.0, 0.0), (float("nan"), 20.0, 2.0)]:
        with pytest.raises(texdisn.UserError, match="camera"):
            texdisn.camera(*wrong, size)
    with pytest.raises(texdisn.UserError, match="size 0: give"):
        texdisn.camera(40.0, 20.0, 2.0, 0)


def test_an_iso_value_that_is_no_number_is_refused_at_once():
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(texdisn.UserError, match=f"iso {wrong}: give a finite number"):
            texdisn.load_model("nowhere", iso=wrong)


def test_a_precision_that_there_is_not_is_refused_before_anything_is_loaded():
    for wrong in ("half", "float16"):
        with pytest.raises(texdisn.UserError, match=f"precision {wrong}: give auto, float32, bfloat16"):
            texdisn.load_model("nowhere", precision=wrong)


def test_camera_and_mask_of_an_image_that_is_reduced_are_those_of_the_image(model, result):
    size = (2 * LONGEST, 2 * LONGEST)
    large = PIL.Image.open(CHAIR).resize(size, PIL.Image.Resampling.NEAREST)
    mask = np.asarray(large)[..., 3]
    first = model.reconstruct(large.convert("RGB"), mask=mask, resolution=24)
    np.testing.assert_allclose(first.camera, resize_camera(result.camera, result.mask.shape, size), atol=0.02 * size[0])
    again = model.reconstruct(large, camera=first.camera, resolution=24)
    np.testing.assert_allclose(again.camera, first.camera, rtol=1e-9)
    assert first.mask.shape == (LONGEST, LONGEST) and again.novelty["overlap"] > 0.7


def test_the_field_of_a_result(model, result):
    """At its vertices the field, a signed distance, has the iso value; inside it is smaller."""
    assert not model.config.binary
    values = result.field(result.vertices)
    assert np.abs(values - result.iso).mean() < 0.003
    corner = result.field(np.array([[0.49, 0.49, 0.49]]))
    assert corner[0] > result.iso + 0.01
    inner = result.vertices - 0.5 / 40 * result.normals
    assert (result.field(inner) < values + 1e-5).mean() > 0.8
    moved = np.abs(result.colour_of(result.vertices) - result.field_colours)  # queried before the vertices' last move
    assert np.quantile(moved, 0.98) < 0.1
    for wrong in (np.zeros(3), np.zeros((4, 2)), np.full((1, 3), np.nan)):
        for query in (result.field, result.colour_of):
            with pytest.raises(texdisn.UserError, match=r"points \(.*: give an array \(N, 3\) of finite numbers"):
                query(wrong)


def test_evaluate_is_the_command(tiny_database, tmp_path, eagerly):
    run = tiny.field_run(tmp_path / "run", tiny_database, True)
    options = {"views": [0], "limit": 1, "resolution": 16, "figure_objects": 0}
    with pytest.raises(UserError, match="mesh_resolution 1000"):
        texdisn.evaluate(run, tiny_database, tmp_path / "python", mesh_resolution=1000, **options)
    for wrong, message in (
        ({"resolution": 0}, "resolution 0: give"),
        ({"iso": float("nan")}, "iso nan: give"),
        ({"figure_objects": -1}, "figure_objects -1: give"),
        ({"metrics": ("iou", "cd")}, "unknown metric 'cd'"),
        ({"metrics": ()}, "unknown metric ''"),
        ({"metrics": "iou"}, "unknown metric 'i'"),
    ):
        with pytest.raises(UserError, match=message):
            texdisn.evaluate(run, tiny_database, tmp_path / "python", **options | wrong)
    assert not (tmp_path / "python").exists()
    results = texdisn.evaluate(run, tiny_database, tmp_path / "python", **options)
    assert isinstance(texdisn.open_database(tiny_database), Database)
    words = ["--views", "0", "--limit", "1", "--sdf_res", "16", "--figure_objects", "0"]
    command = importlib.import_module("eval.eval")
    command.main(["--restore_model", str(run), "--log_dir", str(tmp_path / "command"), *words])
    by_command = json.loads((tmp_path / "command" / "results.json").read_text())
    assert by_command["results"] == json.loads(json.dumps(results["results"]))


def test_the_module_is_found_from_any_folder(tmp_path):
    """It and the packages that it imports; importing them takes seconds, and is tested above."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = "import importlib.util as u; print(*[u.find_spec(name) is not None for name in {NAMES}])"
    names = ["texdisn", "data", "models", "utils"]
    command = [sys.executable, "-c", code.replace("{NAMES}", str(names))]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * len(names)


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(model, tmp_path, monkeypatch, rendered_here):
    """Its commands run in this process, and everything is smaller."""
    smaller = ["--image_size", "48", "--sdf_points", "2000", "--surface_points", "2000"]
    run = subprocess.run

    def called(command, **options):
        python, script, *words = command
        if python == "git":  # for the record of the evaluation
            return run(command, **options)
        script = pathlib.Path(script).relative_to(ROOT)
        assert python == sys.executable and (ROOT / script).exists()
        words += [] if script.stem == "make_shapes" else smaller
        return importlib.import_module(".".join(script.with_suffix("").parts)).main(words)

    monkeypatch.setattr(subprocess, "run", called)
    monkeypatch.setattr(texdisn, "load_model", lambda: model)
    monkeypatch.setattr(texdisn, "Options", functools.partial(texdisn.Options, resolution=24))
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((ROOT / "examples" / "texdisn.ipynb").read_text())
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            code = re.sub(r"resolution=\d+", "resolution=24", "".join(cell["source"]))
            exec(compile(code, cell["id"], "exec"), names)
    assert names["results"]["results"]["prediction"]["iou"]["mean"] > 0
