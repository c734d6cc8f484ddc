"""First weights of the encoder, from small files like TF-slim's and Keras's VGG16.

Which variables they load, and the pixels that the encoder then expects.
"""

import h5py
import keras
import numpy as np
import pytest

from models.choices import ENCODER_INPUTS
from models.networks.texdisn import build_field_network
from models.networks.vgg16 import encoder_pixels
from models.presets import preset
from models.weights.encoder_sources import open_encoder
from models.weights.run import Run, save_checkpoint
from tests.helpers import tf1_models, tiny
from train import train_sdf
from utils.errors import UserError

CONVS = tf1_models.SIZES["convs"]
NAMES = [f"block{b}_conv{i}" for b, count in enumerate(CONVS, 1) for i in range(1, count + 1)]


def config(**overrides):
    """The tiny configuration without what TF1 does not have, its encoder as in tf1_models."""
    plain = {
        "normalisation": False,
        "resized_reading": True,
        "coordinate_scale": 1.0,
        "encoder_convs": CONVS,
        "encoder_size": 64,
    }
    return tiny.config(**{**plain, **overrides})


def vgg(classes=10, top=True, convs=CONVS):
    """A small VGG16 as keras.applications builds the large one, for 64 x 64 images.

    Its biases are not 0.
    """
    layers = [keras.Input((64, 64, 3))]
    for block, (width, count) in enumerate(zip(tf1_models.SIZES["widths"], convs, strict=True), 1):
        for i in range(1, count + 1):
            layers.append(
                keras.layers.Conv2D(width, 3, padding="same", activation="relu", name=f"block{block}_conv{i}")
            )
        layers.append(keras.layers.MaxPooling2D(name=f"block{block}_pool"))
    if top:
        layers.append(keras.layers.Flatten(name="flatten"))
        layers += [keras.layers.Dense(16, activation="relu", name=f"fc{i}") for i in (1, 2)]
        layers.append(keras.layers.Dense(classes, name="predictions"))
    x = layers[0]
    for layer in layers[1:]:
        x = layer(x)
    model = keras.Model(layers[0], x)
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.1, weight.shape))
    return model


def write_legacy(path, model, nested=False):
    """Write weights in the layout of vgg16_weights_tf_dim_ordering_tf_kernels.h5."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if nested else file
        root.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = root.create_group(layer.name)
            names = [f"{layer.name}_{kind}_1:0".encode() for kind in ("W", "b")[: len(layer.get_weights())]]
            group.attrs["weight_names"] = names
            for name, value in zip(names, layer.get_weights(), strict=True):
                group[name.decode()] = value


def features(encoder, image):
    """The output of fc7 for one image (1, 64, 64, 3) in [0, 1]."""
    last = encoder(image)[1][-1]
    x = encoder.fc7(keras.ops.relu(encoder.fc6(keras.ops.max_pool(last, 2))))
    return np.asarray(keras.ops.relu(x))[0, 0, 0]


@pytest.mark.parametrize("form", ["legacy", "nested", "keras 3", "download"])
def test_keras_weights_compute_what_keras_computes(form, tmp_path, monkeypatch, capsys):
    model = vgg()
    path = tmp_path / ("vgg.weights.h5" if form == "keras 3" else "vgg.h5")
    if form == "keras 3":
        model.save_weights(path)
    elif form == "download":
        monkeypatch.setattr(keras.applications, "VGG16", lambda weights: model if weights == "imagenet" else None)
        path = "imagenet"
    else:
        write_legacy(path, model, form == "nested")
    source = open_encoder(str(path))
    assert source.input_kind == "keras"
    encoder = build_field_network(config(encoder_input=source.input_kind)).encoder
    head = encoder.fc8.kernel.numpy()
    source.load(encoder)
    image = np.random.default_rng(0).random((1, 64, 64, 3)).astype(np.float32)
    fc2 = keras.Model(model.inputs[0], model.get_layer("fc2").output)
    expected = fc2(255 * image[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32))[0]
    np.testing.assert_allclose(features(encoder, image), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    np.testing.assert_array_equal(encoder.fc8.kernel, head)
    printed = capsys.readouterr().out
    assert "16 variables loaded, 2 not" in printed
    assert (
        "predictions weights [16, 10]: stays as it was initialised: predictions weights is [16, 10] in the file, fc8"
        in printed
    )


def test_a_head_that_fits_is_loaded_and_without_top_it_is_listed(tmp_path, capsys):
    model = vgg(classes=8)
    write_legacy(tmp_path / "top.h5", model)
    encoder = build_field_network(config()).encoder
    open_encoder(str(tmp_path / "top.h5")).load(encoder)
    np.testing.assert_array_equal(encoder.fc8.kernel[0, 0], model.get_layer("predictions").get_weights()[0])
    assert "18 variables loaded, 0 not" in capsys.readouterr().out

    model = vgg(top=False)
    write_legacy(tmp_path / "notop.h5", model)
    encoder = build_field_network(config()).encoder
    before = encoder.fc6.kernel.numpy()
    open_encoder(str(tmp_path / "notop.h5")).load(encoder)
    np.testing.assert_array_equal(encoder.fc6.kernel, before)
    np.testing.assert_array_equal(encoder.blocks[1][1][0].kernel, model.get_layer("block2_conv2").get_weights()[0])
    printed = capsys.readouterr().out
    assert (
        "12 variables loaded, 6 not" in printed and "fc1 weights [2, 2, 8, 16]: stays as it was initialised" in printed
    )


def test_keras_files_that_do_not_fit_load_nothing(tmp_path, monkeypatch):
    write_legacy(tmp_path / "vgg.h5", vgg())
    misfits = {
        r"block3_conv1 weights is \[3, 3, 4, 8\] in the file, conv3_1 here is \[3, 3, 4, 6\]": {
            "encoder_widths": (4, 4, 6, 8, 8)
        },
        "layer block2_conv2 is only in the file": {"encoder_convs": (1, 1, 1, 1, 1)},
        r"fc1 weights is \[32, 16\] in the file": {"encoder_size": 32},
        "conv1_1_norm/gamma .* is not in the file": {"normalisation": True},
    }
    for message, overrides in misfits.items():
        encoder = build_field_network(config(**overrides)).encoder
        before = [v.numpy() for v in encoder.variables]
        with pytest.raises(UserError, match=message):
            open_encoder(str(tmp_path / "vgg.h5")).load(encoder)
        for variable, value in zip(encoder.variables, before, strict=True):
            np.testing.assert_array_equal(variable, value)
    broken = vgg()
    broken.get_layer("block2_conv1").bias.assign(np.full(4, np.inf))
    write_legacy(tmp_path / "infinite.h5", broken)
    encoder = build_field_network(config()).encoder
    before = [v.numpy() for v in encoder.variables]
    with pytest.raises(UserError, match="infinite.h5 cannot be used, values are not finite: .*conv2_1/bias"):
        open_encoder(str(tmp_path / "infinite.h5")).load(encoder)
    for variable, value in zip(encoder.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    (tmp_path / "broken.h5").write_bytes(b"x" * 100)
    with pytest.raises(UserError, match="cannot be read as Keras weights"):
        open_encoder(str(tmp_path / "broken.h5")).load(encoder)
    with pytest.raises(UserError, match="is not a run, a TF1 checkpoint"):
        open_encoder(str(tmp_path / "missing"))

    def offline(weights):
        raise Exception("URL fetch failure on https://...: None -- no route")

    monkeypatch.setattr(keras.applications, "VGG16", offline)
    with pytest.raises(UserError, match="cannot be downloaded .*URL fetch failure.*without internet") as error:
        open_encoder("imagenet").load(encoder)
    assert "\n" not in str(error.value)


def slim(classes):
    """The variables of TF-slim's vgg_16.ckpt."""
    shapes = {
        name: shape for name, shape in tf1_models.shapes(kernel=2, classes=classes).items() if name.startswith("vgg_16")
    }
    extra = {"vgg_16/mean_rgb": np.array([123.68, 116.78, 103.94], np.float32), "global_step": np.int64(0)}
    return {**tf1_models.values(shapes), **extra}


def test_checkpoint_of_tf_slim(tmp_path, capsys):
    w = slim(1000)
    path = tf1_models.save(tmp_path / "vgg_16.ckpt", w, version=1)
    assert path.is_file()  # one file, as it is published
    source = open_encoder(str(path))
    assert source.input_kind == "slim"
    encoder = build_field_network(config(encoder_input="slim")).encoder
    source.load(encoder)
    np.testing.assert_array_equal(encoder.fc6.kernel, w["vgg_16/fc6/weights"])
    printed = capsys.readouterr().out
    assert (
        "16 variables loaded, 4 not" in printed
        and "vgg_16/mean_rgb [3]: the mean" in printed
        and "global_step []" in printed
    )
    assert "vgg_16/fc8/weights [1, 1, 16, 1000]: stays as it was initialised" in printed
    again = build_field_network(config(encoder_input="slim")).encoder
    source.load(again)  # a source can be loaded more than once
    assert capsys.readouterr().out == printed
    for variable, other in zip(encoder.variables, again.variables, strict=True):
        if "fc8" not in variable.path:
            np.testing.assert_array_equal(variable, other)
    with pytest.raises(
        UserError, match=r"vgg_16/conv1/conv1_1/weights is \[3, 3, 3, 4\] in the checkpoint and \[3, 3, 4, 4\] here"
    ):
        open_encoder(str(path)).load(build_field_network(config(alpha=True)).encoder)


@pytest.mark.parametrize("kind", ["tf1", "keras"])
def test_weights_of_a_vgg16_are_for_no_other_encoder(kind, tmp_path):
    if kind == "tf1":
        path = tf1_models.save(tmp_path / "a.ckpt", tf1_models.values(tf1_models.shapes(binary=False, colour=False)))
    else:
        path = tmp_path / "a.h5"
        write_legacy(path, vgg())
    encoder = build_field_network(preset("plus", img_h=32, img_w=32)).encoder
    with pytest.raises(UserError, match="VGG16"):
        open_encoder(str(path)).load(encoder)


def test_encoder_of_a_whole_tf1_model(tmp_path, capsys):
    w = tf1_models.values(tf1_models.shapes(binary=False, colour=False, kernel=2))
    source = open_encoder(str(tf1_models.save(tmp_path / "model.ckpt", w)))
    assert source.input_kind == "bgr"  # DISN's
    encoder = build_field_network(config()).encoder
    source.load(encoder)
    np.testing.assert_array_equal(encoder.fc8.kernel, w["vgg_16/fc8/weights"])
    assert "sdfprediction/fold1/conv1/weights [1, 1, 3, 8]: not part of the encoder" in capsys.readouterr().out


def test_pixels_of_every_encoder_input():
    image = np.random.default_rng(0).random((1, 2, 2, 4)).astype(np.float32)
    r, g, b, a = np.moveaxis(image, -1, 0).astype(np.float64)
    expected = {
        "rgb": [r, g, b],
        "bgr": [b, g, r],
        "slim": [255 * r - 123.68, 255 * g - 116.779, 255 * b - 103.939],
        "keras": [255 * b - 103.939, 255 * g - 116.779, 255 * r - 123.68],
    }
    assert expected.keys() == ENCODER_INPUTS.keys()
    for kind, channels in expected.items():
        np.testing.assert_allclose(encoder_pixels(image, kind), np.stack([*channels, a], -1), rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(encoder_pixels(image[..., :3], kind), np.stack(channels, -1), rtol=1e-5, atol=1e-4)


def test_training_takes_the_encoder_input_of_its_first_weights(tmp_path):
    write_legacy(tmp_path / "vgg.h5", vgg())
    tf1_models.save(tmp_path / "slim" / "vgg_16.ckpt", slim(1000), version=1)
    run = Run(tmp_path / "run")
    saved = config(encoder_input="bgr")
    save_checkpoint(run.best, {"network": build_field_network(saved).variables}, {"step": 1})
    saved.save(run.config)

    def settings(*words):
        return train_sdf.plan(
            train_sdf.build_parser().parse_args(["--log_dir", str(tmp_path / "new"), *map(str, words)])
        ).config

    for source, kind in (("vgg.h5", "keras"), ("slim/vgg_16.ckpt", "slim"), ("run", "bgr"), ("slim", "slim")):
        started = settings("--restore_modelcnn", tmp_path / source)
        assert (
            started.encoder_input == kind
            and started.preset == "faithful"
            and started.restore_model.endswith("(encoder)")
        )
        assert settings("--restore_modelcnn", tmp_path / source, "--encoder_input", "rgb").encoder_input == "rgb"
    assert settings().encoder_input == "rgb"
    assert settings("--restore_model", run.folder).encoder_input == "bgr"


def test_a_checkpoint_of_another_model_is_named(tmp_path):
    values = {"vgg_16/fc6/weights": np.zeros((8, 16), np.float32), "sdfprediction/a": np.zeros(1, np.float32)}
    prefix = tf1_models.save(tmp_path / "model.ckpt-7", values)
    with pytest.raises(UserError, match=r"model\.ckpt-7: .*not a model of the original or of DISN"):
        open_encoder(str(prefix))
