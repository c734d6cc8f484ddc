"""The decoder of plus: its symmetry, its coordinates, its forms eager, compiled, saved, queried."""

import numpy as np
import pytest
import tensorflow as tf

from data.network_input import network_camera, network_image
from models.inference import field_query, folded_residual, predict
from models.inference.field_query import FieldQuery
from models.networks import residual_decoder
from models.networks.residual_decoder import fourier_features
from models.networks.texdisn import build_field_network
from models.weights.run import load_checkpoint, save_checkpoint
from tests.helpers import tiny
from tests.models.networks.test_texdisn import randomise
from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at, project

CAMERA = compose(intrinsics(64), look_at(30, 20, 2.2))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def inputs(rng, count=50):
    image = rng.random((1, 64, 64, 4)).astype(np.float32)
    points = rng.uniform(-1, 1, (1, count, 3)).astype(np.float32)
    return image, points, frames.cube_frame(False).camera(CAMERA)[None].astype(np.float32)


def network_of(rng, **given):
    network = build_field_network(tiny.plus_config(**given))
    randomise(network, rng)
    return network


@pytest.mark.parametrize("octaves", [0, 1, 4])
def test_fourier_features_by_their_definition(rng, octaves):
    x = rng.uniform(-1, 1, (2, 5, 3)).astype(np.float32)
    angles = [np.pi / 2 * 2**k * x for k in range(octaves)]
    found = fourier_features(tf.constant(x), octaves).numpy()
    expected = [x]
    for function in (np.sin, np.cos):
        if octaves:
            expected.append(np.stack([function(a) for a in angles], -1).reshape(2, 5, -1))
    np.testing.assert_allclose(found, np.concatenate(expected, -1), atol=1e-5)


def test_both_sides_are_read(rng):
    """With weights that treat the two sides alike, and no other sign of the side, the field is
    symmetric; read on one side alone it is not.
    """
    for reflection in (True, False):
        network = network_of(rng, reflection=reflection, camera_axes=False, fourier=0)
        decoder = network.decoder
        kernel = decoder.feature_local.kernel.numpy()
        if reflection:
            half = len(kernel) // 2
            decoder.feature_local.kernel.assign(np.concatenate([kernel[:half]] * 2))
        point = decoder.point.kernel.numpy()
        point[0] = 0  # x
        decoder.point.kernel.assign(point)
        image, points, camera = inputs(rng)
        found = network([image, points, camera])[0].numpy()
        mirrored = network([image, points * np.float32([-1, 1, 1]), camera])[0].numpy()
        assert np.allclose(found, mirrored, rtol=1e-4, atol=1e-4 * np.abs(found).max()) == reflection


def test_camera_axes_tell_views_apart(rng):
    """Without local features only the axes of the camera say where the image was taken from."""
    for camera_axes in (True, False):
        network = network_of(rng, camera_axes=camera_axes)
        network.decoder.feature_local.kernel.assign(0 * network.decoder.feature_local.kernel)
        image, points, camera = inputs(rng)
        other = frames.cube_frame(False).camera(compose(intrinsics(64), look_at(200, -10, 2.2)))[None]
        differ = np.abs(network([image, points, camera])[0] - network([image, points, other.astype(np.float32)])[0])
        assert (differ.max() > 1e-3) == camera_axes


def test_gradients_do_not_depend_on_how_maps_are_read(rng, monkeypatch):
    network = network_of(rng)
    arguments, results = inputs(rng), []
    for cells in (residual_decoder.SMALL_MAP, 0):
        monkeypatch.setattr(residual_decoder, "SMALL_MAP", cells)
        with tf.GradientTape() as tape:
            geometry, colour = network(list(arguments), training=True)
            loss = tf.reduce_mean(geometry**2) + tf.reduce_mean(colour)
        results.append([loss, *map(tf.convert_to_tensor, tape.gradient(loss, network.trainable_variables))])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * max(np.abs(b).max(), 1e-6))


def test_compiled_saved_and_reloaded_it_is_the_same(rng, tmp_path):
    network = network_of(rng)
    arguments = inputs(rng)
    expected = [x.numpy() for x in network(list(arguments))]
    compiled = [x.numpy() for x in tf.function(network, autograph=False)([tf.constant(x) for x in arguments])]
    save_checkpoint(tmp_path / "best.h5", {"network": network.variables}, {"step": 0})
    again = build_field_network(network.config)
    load_checkpoint(tmp_path / "best.h5", {"network": again.variables})
    for a, b, c in zip(expected, compiled, again(list(arguments)), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-3 * np.abs(a).max())
        np.testing.assert_allclose(c, a, rtol=1e-5, atol=1e-5 * np.abs(a).max())


@pytest.mark.parametrize(
    ("narrow", "given"),
    [
        (folded_residual.NARROW, {}),
        (0, {"reflection": False}),
        (0, {"camera_axes": False, "fourier": 0}),
        (folded_residual.NARROW, {"img_h": 96, "colour": False}),
    ],
)
def test_queries_are_the_network(rng, monkeypatch, narrow, given):
    """Some of the points are beside the image, whose outermost pixels they read."""
    monkeypatch.setattr(folded_residual, "NARROW", narrow)
    monkeypatch.setattr(field_query, "chunk_size", lambda _: 300)
    network = network_of(rng, **given)
    rgba = rng.integers(0, 256, (80, 80, 4), np.uint8)
    config, query = network.config, FieldQuery(network)
    image, camera = network_image(rgba, config), network_camera(CAMERA, rgba, config)
    encoded = query.encode(image, camera)
    points = np.concatenate([frames.voxel_centres(10), 2 * frames.voxel_centres(4)])
    frame = frames.cube_frame(False)
    pixels = project(points, camera)[0]
    assert ((pixels < 0) | (pixels > [config.img_w - 1, config.img_h - 1])).any()
    raw, colour = network(
        [image[None], frame.to_model(points)[None].astype(np.float32), frame.camera(camera)[None].astype(np.float32)]
    )
    expected = (raw.numpy()[0, :, 0] / 10 + config.distance_offset) / frame.scale
    scale = np.abs(expected).max()
    np.testing.assert_allclose(query.geometry(encoded, points), expected, atol=1e-4 * scale)
    np.testing.assert_allclose(query.geometry_of_grid(encoded, 10), expected[:1000], atol=1e-4 * scale)
    np.testing.assert_allclose(query.geometry_of_views([encoded, encoded], points)[1], expected, atol=1e-4 * scale)
    found = query.geometry_and_colour(encoded, points)[1]
    np.testing.assert_allclose(found, field_query.GREY if colour is None else colour[0], atol=2e-3)
    iso = float(np.median(expected))
    assert len(predict.extract_mesh(query, encoded, 16, iso).faces)
