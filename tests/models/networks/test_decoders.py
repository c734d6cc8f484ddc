"""The decoders of models.choices.DECODERS; rot, tanh and a missing colour branch."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config import Config
from models.inference.field_query import GREY, FieldQuery
from models.networks import texdisn
from models.networks.local_features import to_camera_axes
from models.networks.voxel_decoder import read_grid
from models.presets import preset
from models.training.field_trainer import FieldTrainer
from models.weights.run import load_checkpoint, save_checkpoint
from tests.helpers import tiny
from tests.models.networks.test_texdisn import inputs, randomise, read_numpy, stream_numpy
from utils.geometry import frames
from utils.geometry.cameras import compose, decompose, intrinsics, look_at, project, resize_camera

VARIANTS = {
    "onestream": {"decoder": "onestream"},
    "global alone": {"decoder": "global"},
    "voxels": {"decoder": "threedcnn"},
    "camera axes": {"rot": True},
    "one stream, camera axes, no colour": {"decoder": "onestream", "rot": True, "colour": False},
    "geometry": {"colour": False},
}
COVERED = {  # by others: voxels with tanh, one stream with and without axes, axes with and without colour
    (False, "voxels"),
    (False, "onestream"),
    (True, "one stream, camera axes, no colour"),
}
ALL = [(binary, name) for binary in (True, False) for name in VARIANTS if (binary, name) not in COVERED]
ALL += [(False, "tanh"), (False, "voxels tanh")]


def config(binary, name, **given):
    overrides = VARIANTS.get(name) or {"tanh": True, "decoder": "threedcnn" if "voxels" in name else "twostream"}
    return tiny.config(binary, voxel_widths=(6, 5, 4, 4, 3, 2), **overrides, **given)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def deconvolve_numpy(x, layer, stride, valid):
    """Transposed convolution by its definition: every input node adds its kernel to the output.

    One cell of the kernel at a time, for all nodes. SAME padding cuts off the ends.
    """
    kernel, k = layer.kernel.numpy(), layer.kernel.shape[0]
    n = len(x)
    full = np.zeros(((n - 1) * stride + k,) * 3 + (kernel.shape[3],))
    for cell in itertools.product(range(k), repeat=3):
        window = tuple(slice(a, a + (n - 1) * stride + 1, stride) for a in cell)
        full[window] += x @ kernel[cell].T
    size = len(full) if valid else n * stride
    start = (len(full) - size) // 2
    return full[(slice(start, start + size),) * 3] + layer.bias.numpy()


def voxels_numpy(decoder, feature):
    """(F,) -> (65, 65, 65, C)"""
    x = feature[None, None, None]
    for number, (layer, norm) in enumerate(decoder.deconvs, 1):
        x = deconvolve_numpy(x, layer, 2, number == 6)
        gamma, beta, mean, variance = (w.numpy() for w in norm.weights)
        x = np.maximum((x - mean) / np.sqrt(variance + norm.epsilon) * gamma + beta, 0)
    return x @ decoder.out.kernel.numpy()[0, 0, 0] + decoder.out.bias.numpy()


def forward_numpy(model, images, points, camera):
    """The maths of a variant in plain NumPy, for one image.

    Args:
        model: TexDISN.
        images: (1, h, w, 3 or 4).
        points: (N, 3) in the model frame.
        camera: (4, 3), model frame to pixels.

    Returns:
        Geometry (N, 2 or 1), colour (N, 3) or None.
    """
    c = model.config
    glob, maps = (
        value.numpy() if hasattr(value, "numpy") else [m[0].numpy() for m in value] for value in model.encoder(images)
    )
    if c.decoder == "threedcnn":
        grid = voxels_numpy(model.decoder, glob[0])
        p = points / 64 + 0.5 / 64 if c.binary else points / 2
        geometry = np.array([interpolate(grid, (q + 0.5) * 64) for q in p])
        return np.tanh(geometry) if c.tanh else geometry, None
    uv = np.clip(project(points.astype(float), camera.astype(float))[0], 0, tiny.SIZE - 1)
    glob = np.repeat(glob, len(points), 0)

    def local(chosen):
        return np.concatenate(
            [[read_numpy(m, *np.minimum(q * len(m) / tiny.SIZE, len(m) - 1)) for q in uv] for m in chosen], 1
        )

    if c.rot:
        R = decompose(camera)[1][:, :3]
        points = points @ R.T * [1, -1, -1]
    if c.decoder == "onestream":
        streams = [(model.streams[0], np.concatenate([glob, local(maps[:3])], 1))]
    elif c.decoder == "twostream":
        streams = [(model.streams[0], glob), (model.streams[1], local(maps))]
    else:
        streams = [(model.streams[0], glob)]
    parts = [stream_numpy(stream, points, feature, c.coordinate_scale) for stream, feature in streams]
    geometry = sum(g for g, _ in parts)
    return np.tanh(geometry) if c.tanh else geometry, sum(colour for _, colour in parts) if c.colour else None


def interpolate(grid, xyz):
    """The trilinear value of a [z, y, x] grid at a position (x, y, z) in nodes."""
    for value in xyz[::-1]:
        value = np.clip(value, 0, len(grid) - 1)
        low = min(int(value), len(grid) - 2)
        grid = grid[low] * (1 - (value - low)) + grid[low + 1] * (value - low)
    return grid


@pytest.mark.parametrize(("binary", "name"), ALL)
def test_variants_equal_numpy_in_every_way_they_are_run(binary, name, rng, tmp_path):
    c = config(binary, name, normalisation=True)
    model = texdisn.build_field_network(c)
    randomise(model, rng)
    images, points, cameras = sample = inputs(c, rng)
    geometry, colour = model(sample)
    assert (colour is None) == (not c.colour)
    for b in range(2):
        expected, expected_colour = forward_numpy(model, images[b : b + 1], points[b], cameras[b])
        np.testing.assert_allclose(geometry[b], expected, rtol=1e-3, atol=1e-3)
        if c.colour:
            np.testing.assert_allclose(colour[b], expected_colour, rtol=1e-3, atol=1e-3)
    compiled = tf.function(model, autograph=False)(sample)
    c.save(tmp_path / "config.json")
    save_checkpoint(tmp_path / "last.h5", {"network": model.variables}, {"step": 3})
    again = texdisn.build_field_network(Config.load(tmp_path / "config.json"))
    load_checkpoint(tmp_path / "last.h5", {"network": again.variables})
    reloaded = again(sample)
    for value, other, same in zip((geometry, colour), compiled, reloaded, strict=True):
        if value is None:
            assert other is None and same is None
            continue
        np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(value, same)
    field_query_is_its_network(model, rng)


def field_query_is_its_network(model, rng):
    """FieldQuery, which takes other operations, answers in the object frame."""
    c, binary = model.config, model.config.binary
    image = rng.random((tiny.SIZE, tiny.SIZE, 3)).astype(np.float32)
    matrix = compose(intrinsics(tiny.SIZE), look_at(30, 20, 2.0))
    points = rng.uniform(-0.5, 0.5, (50, 3))
    query = FieldQuery(model)
    encoded = query.encode(image, matrix)
    camera = frames.cube_frame(binary).camera(matrix)[None].astype(np.float32)
    geometry, colour = model([image[None], frames.cube_frame(binary).to_model(points)[None].astype(np.float32), camera])
    expected = geometry[0, :, 1] - geometry[0, :, 0] if binary else geometry[0, :, 0] / 20
    np.testing.assert_allclose(query.geometry(encoded, points), expected, rtol=1e-3, atol=1e-5)
    shown = np.clip(colour[0], 0, 1) if c.colour else np.full((50, 3), GREY)
    np.testing.assert_allclose(query.colour(encoded, points), shown, rtol=1e-3, atol=1e-5)
    if c.tanh:
        assert np.abs(query.geometry(encoded, points)).max() < 0.05 + 1e-6  # 1 / 20: where tanh saturates


@pytest.mark.slow
@pytest.mark.parametrize(("binary", "name"), [each for each in ALL if each != (True, "voxels")])  # slow; with tanh too
def test_every_variable_of_a_variant_is_trained(binary, name, rng, eagerly):
    """Training steps lower the loss and change every variable, so all have gradients."""
    keras.utils.set_random_seed(0)
    trainer = FieldTrainer(config(binary, name, normalisation=name == "onestream"), tf.distribute.get_strategy())
    images, points, cameras = inputs(trainer.config, rng, 64)
    batch = {"image": images, "points": points, "trans_mat": cameras}
    inside = (np.abs(points) < (16 if binary else 0.5)).all(-1)
    batch["colour"] = np.where(inside[..., None] | (not binary), 0.25, -1).astype(np.float32)
    if not binary:
        distance = np.linalg.norm(points, axis=-1).astype(np.float32) - 0.5
        batch |= {"distance": distance, "near": np.abs(distance) < 0.2}
    batch = {key: tf.constant(value) for key, value in batch.items()}
    before = [v.numpy() for v in trainer.network.trainable_variables]
    losses = [{key: float(value) for key, value in trainer.train_step(batch).items()} for _ in range(3)]
    for old, variable in zip(before, trainer.network.trainable_variables, strict=True):
        assert (old != variable.numpy()).any(), variable.path
    assert min(later["loss"] for later in losses[1:]) < losses[0]["loss"]  # single steps of Adam may go too far
    assert ("colour" in losses[0]) == trainer.config.colour
    total = losses[0]["geometry"] + losses[0].get("colour", 0) + losses[0]["weight_decay"]
    assert np.isclose(losses[0]["loss"], total, rtol=1e-5)


def test_grid_reading_at_nodes_between_them_and_outside(rng):
    """The nodes are at linspace(-0.5, 0.5) of the object frame in both modes.

    So a linear function is read exactly.
    """
    line = np.linspace(-0.5, 0.5, 65)
    z, y, x = np.meshgrid(line, line, line, indexing="ij")
    grid = tf.constant(np.stack([x + 2 * y - 3 * z, x * y], -1)[None], tf.float32)
    points = np.concatenate([rng.choice(line, (20, 3)), rng.uniform(-0.5, 0.5, (20, 3)), [[0.5] * 3, [-0.5, 0.5, 0.5]]])
    for binary in (True, False):
        to_model = frames.cube_frame(binary).to_model
        read = read_grid(grid, tf.constant(to_model(points)[None], tf.float32), binary)[0]
        np.testing.assert_allclose(read[:, 0], points @ [1, 2, -3], atol=1e-5)
        np.testing.assert_allclose(read[:20, 1], points[:20, 0] * points[:20, 1], atol=1e-5)
        outside = np.array([[0.7, 0.1, -0.9]])
        read = read_grid(grid, tf.constant(to_model(outside)[None], tf.float32), binary)[0, 0, 0]
        assert np.isclose(read, 0.5 + 0.2 + 1.5, atol=1e-5)


def test_camera_axes_are_those_of_disn(rng):
    """Compares with DISN's formula for obj_rot_mat of a rendering (azimuth, elevation).

    DISN has cameras and an object frame of its own.
    """
    for azimuth, elevation in ((10, 25), (200, 30), (300, -20)):
        az, el = np.radians(azimuth), np.radians(elevation)
        turn_y = np.array(
            [[np.cos(az + np.pi), 0, np.sin(az + np.pi)], [0, 1, 0], [-np.sin(az + np.pi), 0, np.cos(az + np.pi)]]
        )
        turn_x = np.array([[1, 0, 0], [0, np.cos(el), -np.sin(el)], [0, np.sin(el), np.cos(el)]])
        obj_rot_mat = np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]]) @ (turn_x @ turn_y).T
        # The same view: the camera stands at azimuth 90 - a of this project's frame, since
        # 3D-R2N2 counts azimuths from x to z.
        points = rng.uniform(-1, 1, (5, 3))
        expected = points @ obj_rot_mat
        towards = obj_rot_mat[:, 2]  # of the camera, in the object frame
        RT = look_at(np.degrees(np.arctan2(towards[0], towards[2])), np.degrees(np.arcsin(towards[1])), 1.5)
        for binary, size in ((True, (40, 40)), (False, (30, 50))):
            matrix = resize_camera(compose(intrinsics(40), RT), (40, 40), size)
            camera = tf.constant(frames.cube_frame(binary).camera(matrix)[None], tf.float32)
            np.testing.assert_allclose(
                to_camera_axes(tf.constant(points[None], tf.float32), camera)[0], expected, atol=1e-4
            )


def test_full_size_variants_have_the_variables_of_disn():
    """Compares scopes and shapes with DISN's definition.

    That is 3deconv1 to 3deconv6, 3conv7, and the stream of 1024 + 448 features.
    """
    shapes = {}
    for decoder in ("threedcnn", "onestream"):
        model = texdisn.TexDISN(preset("faithful", False, decoder=decoder))
        if decoder == "threedcnn":
            model.decoder(tf.zeros((1, 1024)))
        else:
            model.streams[0](tf.zeros((1, 2, 3)), [tf.zeros((1, 1, 1024)), tf.zeros((1, 2, 64 + 128 + 256))])
        shapes |= {
            v.path.removeprefix("texdisn/"): tuple(v.shape) for layer in model.layers[1:] for v in layer.variables
        }
    widths, kernels = [1024, 128, 128, 128, 64, 64, 32], [2, 3, 3, 3, 3, 3]
    for i, k in enumerate(kernels, 1):
        assert shapes[f"sdf3dcnn/3deconv{i}/kernel"] == (k, k, k, widths[i], widths[i - 1])
    assert shapes["sdf3dcnn/3conv7/kernel"] == (1, 1, 1, 32, 1)
    rows = [shapes[f"sdfimgfeat/fold2_conv1_{part}/kernel"][0] for part in ("point", "feature", "local")]
    assert rows == [512, 1024, 448]


def test_onestream_ignores_the_last_two_maps_and_the_global_stream_all_maps(rng):
    """Changing a map changes only the outputs of the variants that read it."""
    for name, first, last in (("onestream", True, False), ("global alone", False, False), ("camera axes", True, True)):
        c = config(False, name)
        model = texdisn.build_field_network(c)
        images, points, cameras = inputs(c, rng)
        encoded = glob, maps = model.encode(images)
        before = model.geometry(encoded, points, cameras).numpy()
        for index, seen in ((2, first), (4, last)):
            changed = [m + 1.0 if i == index else m for i, m in enumerate(maps)]
            after = model.geometry((glob, changed), points, cameras).numpy()
            assert (np.abs(after - before).max() > 1e-6) == seen
        assert np.abs(model.geometry((glob + 1.0, maps), points, cameras).numpy() - before).max() > 1e-6
