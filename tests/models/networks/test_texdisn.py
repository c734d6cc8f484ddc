"""The network against the same maths in plain NumPy, eager and compiled, saved and reloaded."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from models.config import Config
from models.inference.field_query import FieldQuery
from models.networks import layers, losses, texdisn
from models.networks.local_features import clipped_pixels, read_bilinear, read_maps, read_small, resize_bilinear
from models.networks.vgg16 import resize_to_encoder
from models.presets import preset
from models.training.trainer import StepDecay
from models.weights.run import load_checkpoint, save_checkpoint
from tests.helpers import tiny
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at, project

MODES = [
    {"binary": True, "normalisation": True},
    {"binary": False, "normalisation": True},
    {"binary": True, "resized_reading": True, "coordinate_scale": 1.0},
]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def camera(binary, size=tiny.SIZE):
    matrix = compose(intrinsics(size), look_at(30, 20, 2.0))
    return frames.cube_frame(binary).camera(matrix).astype(np.float32)


def inputs(config, rng, count=7):
    images = rng.random((2, config.img_h, config.img_w, config.image_channels), np.float32)
    points = frames.cube_frame(config.binary).to_model(rng.uniform(-0.5, 0.5, (2, count, 3))).astype(np.float32)
    return [images, points, np.repeat(camera(config.binary)[None], 2, 0)]


def randomise(model, rng):
    """Weights without zeros, so that a missing term changes the result."""
    for variable in model.variables:
        if "moving_variance" in variable.path or variable.path.endswith("gamma"):
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif not variable.path.endswith("kernel"):
            variable.assign(rng.normal(0, 0.1, variable.shape))


# The same maths in NumPy, from the formulas of the paper: joined vectors, one product.


def resize_numpy(image, height, width):
    h, w = image.shape[:2]
    result = np.zeros((height, width, image.shape[2]), np.float64)
    for y in range(height):
        for x in range(width):
            result[y, x] = read_numpy(image, x * w / width, y * h / height)
    return result


def read_numpy(image, x, y):
    h, w = image.shape[:2]
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    x1, y1 = min(x0 + 1, w - 1), min(y0 + 1, h - 1)
    fx, fy = x - x0, y - y0
    top = image[y0, x0] * (1 - fx) + image[y0, x1] * fx
    return top * (1 - fy) + (image[y1, x0] * (1 - fx) + image[y1, x1] * fx) * fy


def stream_numpy(stream, points, feature, scale):
    def norm(layer, x):
        if layer is None:
            return x
        gamma, beta, mean, variance = (w.numpy() for w in layer.weights)
        return (x - mean) / np.sqrt(variance + layer.epsilon) * gamma + beta

    def product(x, *layers):
        kernel = np.concatenate([layer.kernel.numpy() for layer in layers])
        return x @ kernel + sum(layer.bias.numpy() for layer in layers if layer.use_bias)

    def relu(x):
        return np.maximum(x, 0)

    p = points * scale
    for layer, n in stream.fold1:
        p = relu(norm(n, product(p, layer)))
    joined = np.concatenate([p, feature], -1)
    g = relu(norm(stream.geometry_norm, product(joined, stream.geometry_point, *stream.geometry_features)))
    g = product(relu(norm(stream.geometry_hidden_norm, product(g, stream.geometry_hidden))), stream.geometry_out)
    if not stream.coloured:
        return g, None
    joined = np.concatenate([g, joined], -1)
    c = relu(
        norm(stream.colour_norm, product(joined, stream.colour_geometry, stream.colour_point, *stream.colour_features))
    )
    c = relu(norm(stream.colour_hidden_norm, product(c, stream.colour_hidden)))
    return g, 1 / (1 + np.exp(-product(c, stream.colour_out)))


@pytest.mark.parametrize("overrides", MODES)
def test_decoders_and_reading_equal_numpy(overrides, rng):
    config = tiny.config(**overrides)
    model = texdisn.build_field_network(config)
    randomise(model, rng)
    images, points, cameras = inputs(config, rng)
    geometry, colour = model([images, points, cameras])
    for b in range(2):
        glob, maps = model.encode(images[b : b + 1])
        uv, _ = project(points[b].astype(np.float64), cameras[b].astype(np.float64))
        uv = np.clip(uv, 0, tiny.SIZE - 1)
        local = []
        for feature_map in maps:
            m = feature_map[0].numpy()
            scale = 1 if config.resized_reading else m.shape[0] / tiny.SIZE
            m = resize_numpy(m, tiny.SIZE, tiny.SIZE) if config.resized_reading else m
            local.append([read_numpy(m, *np.minimum(p * scale, m.shape[0] - 1)) for p in uv])
        local = np.concatenate(local, 1)
        g1, c1 = stream_numpy(
            model.streams[0], points[b], np.repeat(glob.numpy(), len(points[b]), 0), config.coordinate_scale
        )
        g2, c2 = stream_numpy(model.streams[1], points[b], local, config.coordinate_scale)
        np.testing.assert_allclose(geometry[b], g1 + g2, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(colour[b], c1 + c2, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("overrides", MODES)
def test_eager_compiled_saved_and_reloaded_agree(overrides, rng, tmp_path):
    config = tiny.config(**overrides)
    model = texdisn.build_field_network(config)
    randomise(model, rng)
    sample = inputs(config, rng)
    expected = model(sample)
    for value, compiled in zip(expected, tf.function(model, autograph=False)(sample), strict=True):
        np.testing.assert_allclose(value, compiled, rtol=1e-4, atol=1e-5)
    config.save(tmp_path / "config.json")
    save_checkpoint(tmp_path / "last.h5", {"network": model.variables}, {"step": 3})
    again = texdisn.build_field_network(Config.load(tmp_path / "config.json"))
    assert load_checkpoint(tmp_path / "last.h5", {"network": again.variables}) == {"step": 3}
    for value, reloaded in zip(expected, again(sample), strict=True):
        np.testing.assert_array_equal(value, reloaded)


@pytest.mark.parametrize("all_bfloat16", [False, True])
def test_bfloat16_is_close_to_float32(rng, all_bfloat16):
    config = tiny.config(normalisation=True)
    exact, coarse = (
        texdisn.build_field_network(config),
        texdisn.build_field_network(dataclasses.replace(config, precision="bfloat16"), all_bfloat16),
    )
    randomise(exact, rng)
    for a, b in zip(coarse.variables, exact.variables, strict=True):
        assert a.dtype == "float32"
        a.assign(b)
    sample = inputs(config, rng, 200)
    for a, b in zip(coarse(sample), exact(sample), strict=True):
        assert 0 < np.abs(a - b).mean() < 0.05 * np.abs(b).mean()


@pytest.mark.parametrize("overrides", MODES)
def test_field_query_is_the_network_in_the_object_frame(overrides, rng):
    config = tiny.config(**overrides)
    model = texdisn.build_field_network(config)
    randomise(model, rng)
    image = rng.random((tiny.SIZE, tiny.SIZE, 3)).astype(np.float32)
    matrix = compose(intrinsics(tiny.SIZE), look_at(30, 20, 2.0))
    points = rng.uniform(-0.5, 0.5, (50, 3))
    query = FieldQuery(model)
    encoded = query.encode(image, matrix)
    geometry, colour = model(
        [
            image[None],
            frames.cube_frame(config.binary).to_model(points)[None].astype(np.float32),
            camera(config.binary)[None],
        ]
    )
    expected = geometry[0, :, 1] - geometry[0, :, 0] if config.binary else geometry[0, :, 0] / 10 / 2
    np.testing.assert_allclose(query.geometry(encoded, points), expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(query.colour(encoded, points), np.clip(colour[0], 0, 1), rtol=1e-3, atol=1e-5)


def test_reading_against_brute_force(rng):
    feature_map = rng.random((1, 5, 7, 3)).astype(np.float32)
    uv = rng.uniform([0, 0], [6, 4], (1, 40, 2)).astype(np.float32)
    uv[0, :2] = [[6, 4], [0, 4]]
    read = read_bilinear(tf.constant(feature_map), tf.constant(uv))[0]
    np.testing.assert_allclose(read, [read_numpy(feature_map[0], *p) for p in uv[0]], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(read_small(tf.constant(feature_map), tf.constant(uv))[0], read, rtol=1e-5, atol=1e-6)


def test_resize_against_brute_force_and_alpha_is_nearest(rng):
    image = rng.random((1, 6, 9, 4)).astype(np.float32)
    np.testing.assert_allclose(resize_bilinear(image, 11, 5)[0], resize_numpy(image[0], 11, 5), rtol=1e-5, atol=1e-6)
    assert set(np.unique(resize_to_encoder(image, 16)[..., 3])) <= set(np.unique(image[..., 3]))


def test_projection_agrees_with_frames_and_is_clipped(rng):
    points = rng.uniform(-1.5, 1.5, (1, 100, 3))
    matrix = compose(intrinsics(50), look_at(70, 10, 3))
    uv = clipped_pixels(tf.constant(points, tf.float32), tf.constant(matrix[None], tf.float32), 50, 50)[0]
    expected, _ = project(points[0], matrix)
    assert (np.abs(expected - np.clip(expected, 0, 49)) > 0).any()
    np.testing.assert_allclose(uv, np.clip(expected, 0, 49), atol=1e-3)


def test_binary_losses_equal_numpy(rng):
    logits, colour = rng.normal(size=(2, 30, 2)), rng.random((2, 30, 3)) * 2
    target = np.where(rng.random((2, 30, 1)) > 0.5, rng.random((2, 30, 3)), -1)
    result = losses.binary_losses(*(tf.constant(x, tf.float32) for x in (logits, colour, target)))
    label = (target[..., 0] > -1).astype(int)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    cross_entropy = -np.take_along_axis(log_p, label[..., None], -1)
    masked = np.where((logits.argmax(-1) == 0)[..., None], -1, colour)
    assert np.isclose(result["geometry"], 100 * cross_entropy.mean(), rtol=1e-5)
    assert np.isclose(result["colour"], 255 * np.abs(masked - target).mean(), rtol=1e-5)
    assert np.isclose(result["accuracy"], (logits.argmax(-1) == label).mean())


def test_sdf_losses_equal_numpy(rng):
    prediction, colour = rng.normal(size=(2, 30, 1)), rng.random((2, 30, 3))
    distance, target = rng.normal(size=(2, 30)) * 0.1, rng.random((2, 30, 3))
    near = np.abs(distance) < 0.03
    args = [tf.constant(x, tf.float32) for x in (prediction, colour, distance, target)]
    result = losses.sdf_losses(*args, tf.constant(near), 4.0)
    weight = np.where(distance <= 0.01, 4, 1)
    assert np.isclose(
        result["geometry"], 1000 * (np.abs(10 * distance - prediction[..., 0]) * weight).mean(), rtol=1e-5
    )
    assert np.isclose(result["colour"], 255 * np.abs(colour - target)[near].mean(), rtol=1e-5)
    none_near = losses.sdf_losses(*args, tf.zeros_like(near), 4.0)
    assert none_near["colour"] == 0


def test_weight_decay_takes_kernels_of_encoder_and_decoders_alone(rng):
    model = texdisn.build_field_network(tiny.config())
    randomise(model, rng)
    kernels = [v.numpy() for v in model.variables if v.path.endswith("kernel")]
    assert len(kernels) == 8 + 2 * 11  # convolutions of the encoder, matrices of two streams
    assert np.isclose(
        losses.weight_decay(model, 1e-3), 1e-3 * sum((k.astype(float) ** 2).sum() for k in kernels) / 2, rtol=1e-5
    )


def test_learning_rate_schedule():
    schedule = StepDecay(Config(batch_size=20, decay_step=200000, decay_rate=0.9, learning_rate=1e-4))
    for step, power in ((0, 0), (9999, 0), (10000, 1), (25000, 2)):
        assert np.isclose(schedule(step), 1e-4 * 0.9**power)
    assert np.isclose(schedule(10**8), 1e-6)


def test_full_preset_has_the_shapes_of_the_original(monkeypatch):
    """Compares sizes by the scopes of TF-slim. Matrices that are split here count as one."""
    monkeypatch.setattr(layers, "glorot_uniform", lambda shape, dtype: tf.zeros(shape, dtype))  # drawing takes seconds
    model = texdisn.build_field_network(preset("faithful", True))
    shapes = {v.path.removeprefix("texdisn/"): tuple(v.shape) for v in model.variables}
    assert shapes["vgg_16/conv3_3/kernel"] == (3, 3, 256, 256)
    assert shapes["vgg_16/fc6/kernel"] == (7, 7, 512, 4096)
    assert shapes["vgg_16/fc8/kernel"] == (1, 1, 4096, 1024)
    rows = [shapes[f"sdfprediction_imgfeat/fold2_conv1_{part}/kernel"][0] for part in ("point", "feature")]
    assert sum(rows) == 1984
    # number of weights in the variables of the original
    for scope, count in (
        ("vgg_16/", 138_455_872),
        ("sdfprediction/", 1_987_333),
        ("sdfprediction_imgfeat/", 2_446_085),
    ):
        assert sum(np.prod(shape) for name, shape in shapes.items() if name.startswith(scope)) == count


def test_unknown_keys_of_a_config_are_refused_and_missing_ones_have_defaults(tmp_path):
    path = tmp_path / "config.json"
    tiny.config(alpha=True, tanh=False).save(path)
    values = json.loads(path.read_text())
    values.pop("tanh")
    path.write_text(json.dumps(values))
    assert Config.load(path) == tiny.config(alpha=True, tanh=False)
    path.write_text(path.read_text().replace('"alpha"', '"alhpa"'))
    with pytest.raises(UserError, match="alhpa"):
        Config.load(path)


def test_maps_are_read_in_their_order(rng):
    maps = [tf.fill((1, s, s, c), float(c)) for s, c in ((8, 2), (4, 3))]
    for resized in (True, False):
        read = read_maps(maps, tf.constant([[[3.3, 2.2]]]), 8, 8, resized)[0, 0]
        np.testing.assert_allclose(read, [2, 2, 3, 3, 3], rtol=1e-5)
