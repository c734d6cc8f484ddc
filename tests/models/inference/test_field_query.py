"""The fast ways against the reference: views together, grids, dense fields, coarse-to-fine meshes.

Random and trained weights, both modes.
"""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import trimesh

from benchmarks.original import Original
from data.network_input import network_camera, network_image, network_view
from models.inference import chunks, field_query, predict
from models.inference.field_query import FieldQuery
from models.networks import texdisn
from models.training.field_trainer import FieldTrainer
from tests.helpers import tiny
from tests.models.networks.test_texdisn import randomise
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.metrics import voxel_metrics
from utils.surface import dense, field_voxels
from utils.surface.txt_format import read_txt, write_txt

CAMERAS = [compose(intrinsics(tiny.SIZE), look_at(azimuth, 20, 2.0)) for azimuth in (30, 100, 250)]


def pictures(rng):
    return [(rng.integers(0, 256, (tiny.SIZE, tiny.SIZE, 4), np.uint8), camera) for camera in CAMERAS]


def random_network(rng, **given):
    model = texdisn.build_field_network(tiny.config(**{"normalisation": True, **given}))
    randomise(model, rng)
    return model


@pytest.fixture(scope="module", params=[True, False], ids=["binary", "sdf"])
def trained(request):
    """A tiny network fitted to one view of a box, and that view."""
    config = tiny.config(request.param, normalisation=True, batch_size=1, num_sample_points=1024, learning_rate=5e-3)
    record = tiny.box("box", "a", np.random.default_rng(0))
    frame, rng = frames.cube_frame(config.binary), np.random.default_rng(1)
    image = network_image(record.images[0], config)
    occupied = np.zeros((64,) * 3, bool)
    occupied[tuple(record.voxels.T)] = True
    trainer = FieldTrainer(config, tf.distribute.get_strategy())
    centres = frames.voxel_centres()
    for _ in range(100):
        points = centres[rng.integers(64**3, size=512)]
        points = np.concatenate(
            [points, record.surface_points[rng.integers(len(record.surface_points), size=512)]]
        ).astype(np.float32)
        full = occupied[tuple(np.floor((points + 0.5) * 64).astype(int).clip(0, 63).T)]
        colour = np.broadcast_to(record.voxel_colours[0] / 255, (1024, 3))
        batch = {
            "image": image[None],
            "trans_mat": frame.camera(record.trans_mats[:1]),
            "points": frame.to_model(points)[None],
        }
        if config.binary:
            batch["colour"] = np.where(full[:, None], colour, -1)[None]
        else:
            outside = abs(points) - abs(record.surface_points).max(0)
            distance = np.linalg.norm(np.maximum(outside, 0), axis=1) + np.minimum(outside.max(1), 0)
            batch |= {
                "colour": colour[None],
                "distance": frame.scale * distance[None],
                "near": abs(distance[None]) < 1 / 64,
            }
        trainer.train_step({k: tf.constant(v, tf.bool if k == "near" else tf.float32) for k, v in batch.items()})
    return trainer.network, record.images[0], record.trans_mats[0]


def reference(model, rgba, camera, resolution):
    """The network as its layers state it, on every point: g0 (R^3,), colour (R^3, 3)."""
    config, points = model.config, frames.voxel_centres(resolution)
    matrix = frames.cube_frame(config.binary).camera(network_camera(camera, rgba, config))[None].astype(np.float32)
    inputs = [
        network_image(rgba, config)[None],
        frames.cube_frame(config.binary).to_model(points)[None].astype(np.float32),
        matrix,
    ]
    raw, colour = model(inputs)
    raw = raw.numpy()[0]
    return raw[:, 1] - raw[:, 0] if config.binary else raw[:, 0] / 20, colour if colour is None else colour.numpy()[
        0
    ].clip(0, 1)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"rot": True},
        {"binary": False},
        {"binary": False, "decoder": "threedcnn"},
        {"decoder": "onestream"},
        {"normalisation": False, "resized_reading": True},
    ],
)
def test_views_together_and_grids_are_the_network(given, monkeypatch):
    monkeypatch.setattr(field_query, "BLOCK", 512)
    rng = np.random.default_rng(0)
    model = random_network(rng, **given)
    query, config, views = FieldQuery(model), model.config, pictures(rng)
    query.chunk = 300  # several chunks, the last one smaller
    encoded = query.encode_views([network_image(rgba, config) for rgba, _ in views], [camera for _, camera in views])
    points = frames.voxel_centres(10)
    together = query.geometry_of_views(encoded, points)
    for view, picture, found in zip(encoded, views, together, strict=True):
        expected = reference(model, *picture, 10)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(query.geometry(view, points), expected, rtol=1e-3, atol=1e-4)
        for _ in range(2):  # the second time from what was kept
            np.testing.assert_allclose(query.geometry_of_grid(view, 10), expected, rtol=1e-3, atol=1e-4)
    turned = dataclasses.replace(encoded[0], camera=encoded[1].camera)  # what was kept is of another camera
    np.testing.assert_allclose(query.geometry_of_grid(turned, 10), query.geometry(turned, points), rtol=1e-3, atol=1e-4)


def test_the_formulation_of_the_original_is_the_network():
    rng = np.random.default_rng(0)
    model = random_network(rng, normalisation=False, resized_reading=True)
    points = frames.cube_frame(True).to_model(rng.uniform(-0.5, 0.5, (2, 50, 3))).astype(np.float32)
    images = rng.random((2, tiny.SIZE, tiny.SIZE, 3), np.float32)
    cameras = np.stack([frames.cube_frame(True).camera(camera) for camera in CAMERAS[:2]]).astype(np.float32)
    for a, b in zip(Original(model)(images, points, cameras), model([images, points, cameras]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def check_field(model, rgba, camera, iso, path):
    """The txt of the fast path equals the reference's to 1e-3, and so do IoU and PSNR to 1e-4 ->
    share of occupied cells.
    """
    query = FieldQuery(model)
    write_txt(path, predict.predict(query, [(rgba, camera)] * 2, 24, iso)[1])
    fast = read_txt(path)
    geometry, colour = reference(model, rgba, camera, 24)
    np.testing.assert_allclose(fast.geometry, geometry, atol=1e-3 * max(1, abs(geometry).max()))
    occupied = query.occupied(geometry, iso)
    sure = abs(geometry - iso) > 1e-3 * max(1, abs(geometry).max())
    np.testing.assert_array_equal(fast.coloured()[sure], occupied[sure])
    both = fast.coloured() & occupied
    np.testing.assert_allclose(fast.colours[both], colour[both], atol=1e-3)
    if model.config.binary and both.any():
        plain = type(fast)(24, geometry.astype(np.float32), np.where(occupied[:, None], colour, -1).astype(np.float32))
        true = field_voxels.binary_voxels(plain, np.median(geometry[occupied]))[
            0
        ]  # any other set of voxels, of any colours
        true = true, np.random.default_rng(0).random(true.shape)
        for metric in (
            lambda voxels, _: voxel_metrics.iou(voxels, true[0]),
            lambda voxels, colours: voxel_metrics.psnr(voxels, colours, *true),
        ):
            assert metric(*field_voxels.binary_voxels(fast, iso)) == pytest.approx(
                metric(*field_voxels.binary_voxels(plain, iso)), abs=1e-4
            )
    return occupied.mean()


@pytest.mark.parametrize("binary", [True, False])
def test_fields_of_random_weights(binary, tmp_path):
    rng = np.random.default_rng(3)
    model = random_network(rng, binary=binary)
    rgba, camera = pictures(rng)[0]
    middle = float(np.median(reference(model, rgba, camera, 24)[0]))
    assert 0.3 < check_field(model, rgba, camera, middle, tmp_path / "t.txt") < 0.7


def test_fields_of_trained_weights(trained, tmp_path):
    assert 0.005 < check_field(*trained, 0.0, tmp_path / "t.txt") < 0.6


def check_mesh(model, rgba, camera, iso, resolution):
    """The coarse-to-fine surface against the dense one."""
    query = FieldQuery(model)
    mesh = predict.mesh_of_image(query, rgba, camera, resolution, iso)
    vertices, faces, colours, normals, asked = mesh.vertices, mesh.faces, mesh.colours, mesh.normals, mesh.queries
    encoded = query.encode(network_image(rgba, model.config), network_camera(camera, rgba, model.config))
    grid = query.geometry(encoded, frames.voxel_centres(resolution)).reshape((resolution,) * 3).transpose(2, 1, 0)
    expected, _ = dense.extract(grid, model.config.binary, iso)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent
    assert len(vertices) == pytest.approx(len(expected), rel=0.01)
    tree = trimesh.proximity.cKDTree
    assert (
        tree(expected).query(vertices)[0].mean() * resolution < 0.25
        and tree(vertices).query(expected)[0].mean() * resolution < 0.25
    )
    assert asked < resolution**3
    moved = abs(colours - query.colour(encoded, vertices))  # they are asked before the last move of the vertices
    assert np.quantile(moved, 0.99) < 0.02 and moved.mean() < 0.005
    agreement = (normals * mesh.vertex_normals).sum(1)
    assert np.median(agreement) > 0.9 and (agreement > 0).mean() > 0.95
    return vertices


def test_meshes_of_trained_weights(trained):
    check_mesh(*trained, 0.0, 64)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("radius", [0.5, 1.3], ids=["inside", "touching the border"])
def test_meshes_of_an_octahedron(binary, radius):
    model = texdisn.build_field_network(tiny.config(binary))
    tiny.make_octahedron(model, radius)
    vertices = check_mesh(model, *pictures(np.random.default_rng(0))[0], 0.0, 64)
    assert abs(vertices).max() == pytest.approx(min(radius / 2, 0.5), abs=1.5 / 64)


@pytest.mark.parametrize("binary", [True, False])
def test_an_empty_field_says_so(binary):
    model = texdisn.build_field_network(tiny.config(binary))
    tiny.make_octahedron(model, -1.0)
    with pytest.raises(UserError, match="field is empty: min .*, max .*, iso value 0"):
        predict.mesh_of_image(FieldQuery(model), *pictures(np.random.default_rng(0))[0], 64, 0.0)


def test_a_surface_of_one_wall_keeps_it_when_inner_walls_are_left_out():
    model = texdisn.build_field_network(tiny.config(False))
    tiny.make_octahedron(model, 0.5)
    query = FieldQuery(model)
    encoded = query.encode(*network_view(*pictures(np.random.default_rng(0))[0], model.config))
    with_all, outer = (predict.extract_mesh(query, encoded, 64, 0.0, inner_walls=walls) for walls in (True, False))
    np.testing.assert_allclose(with_all.vertices, outer.vertices)
    np.testing.assert_allclose(with_all.normals, outer.normals)


def test_bfloat16_changes_few_voxels(trained):
    model, rgba, camera = trained
    coarse = texdisn.build_field_network(dataclasses.replace(model.config, precision="bfloat16"), all_bfloat16=True)
    for a, b in zip(coarse.variables, model.variables, strict=True):
        a.assign(b)
    queries = FieldQuery(model), FieldQuery(coarse)
    one, other = (
        query.occupied(predict.predict(query, [(rgba, camera)], 64, 0.0)[0].geometry, 0.0) for query in queries
    )
    assert (one & other).sum() / (one | other).sum() > 0.9


def test_chunks_fit_the_memory_that_is_there(monkeypatch):
    config = tiny.config()
    usual = chunks.chunk_size(config)
    monkeypatch.setattr(chunks, "available_memory", lambda: 1 << 22)
    assert chunks.STEP <= chunks.chunk_size(config) < usual
    monkeypatch.setattr(chunks, "available_memory", lambda: 0)
    assert chunks.chunk_size(config) == chunks.STEP
