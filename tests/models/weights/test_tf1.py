"""TF1 checkpoints: inferred configuration, strict loading, the outputs of TF1, exact conversion."""

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf

from models.networks.texdisn import build_field_network
from models.weights.run import Run, save_checkpoint
from models.weights.sources import open_model
from models.weights.tf1_checkpoint import Checkpoint
from tests.helpers import tf1_models, tiny
from train import convert_checkpoint
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at

SMALL = {"img_h": tf1_models.IMAGE, "img_w": tf1_models.IMAGE}
TWO, ONE, GLOBAL = ("sdfprediction", "sdfprediction_imgfeat"), ("sdfimgfeat",), ("sdfprediction",)
KINDS = [
    {},
    {"binary": False, "colour": False},
    {"binary": False},
    {"colour": False, "kernel": 2},
    {"binary": False, "colour": False, "scopes": ONE},
    {"scopes": ONE},
    {"scopes": GLOBAL},
]


def weights(**kind):
    return tf1_models.values(tf1_models.shapes(**kind))


def camera():
    return compose(intrinsics(tf1_models.IMAGE), look_at(30, 20, 2.0))


@pytest.mark.parametrize("kind", KINDS)
def test_configuration_is_inferred_and_outputs_are_those_of_tf1(kind, tmp_path):
    w = weights(**kind)
    prefix = tf1_models.save(tmp_path / "model.ckpt", w)
    model = open_model(prefix, SMALL)
    binary, colour = kind.get("binary", True), kind.get("colour", True)
    config, s = model.config, tf1_models.SIZES
    assert (config.binary, config.colour, config.encoder_size) == (binary, colour, 32 * kind.get("kernel", 1))
    assert (config.encoder_widths, config.encoder_convs, config.encoder_fc) == (s["widths"], s["convs"], s["fc"])
    assert (config.num_classes, config.point_widths, config.decoder_widths) == (s["classes"], s["point"], s["decoder"])
    scopes = kind.get("scopes", TWO)
    assert config.decoder == ("twostream" if scopes == TWO else "onestream" if scopes == ONE else "global")
    disn = not binary and not colour
    expected = (
        {"encoder_input": "bgr", "model_frame": "sphere", "distance_offset": 0.003}
        if disn
        else {"encoder_input": "rgb"}
    )
    assert all(getattr(config, name) == value for name, value in expected.items())
    assert dataclasses.replace(open_model(prefix).config, **SMALL) == config and open_model(prefix).config.img_h == (
        137 if disn else 138
    )

    network = build_field_network(dataclasses.replace(config, precision="float32"))
    model.load(network)
    rng = np.random.default_rng(0)
    image = rng.random((tf1_models.IMAGE, tf1_models.IMAGE, 3)).astype(np.float32)
    points = frames.cube_frame(binary).to_model(rng.uniform(-0.5, 0.5, (9, 3))).astype(np.float32)
    matrix = frames.cube_frame(binary).camera(camera()).astype(np.float32)
    uv, geometry, colours = tf1_models.forward(w, image[..., ::-1] if disn else image, points, matrix, binary, colour)
    predicted, predicted_colours = network([image[None], points[None], matrix[None]])
    np.testing.assert_allclose(predicted[0], geometry, rtol=1e-3, atol=1e-3 * np.abs(geometry).max())
    assert (predicted_colours is None) == (colours is None)
    if colour:
        np.testing.assert_allclose(predicted_colours[0], colours, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("version", [1, 2])
def test_folders_prefixes_and_both_formats(version, tmp_path):
    w = weights()
    prefix = tf1_models.save(tmp_path / "a" / "model.ckpt-120", w, version)
    shutil.copytree(tmp_path / "a", tmp_path / "moved")
    for path in (prefix, tmp_path / "a", tmp_path / "moved"):
        model = open_model(path, SMALL)
        assert model.step == 120 and model.weights.exists()
        network = build_field_network(model.config)
        model.load(network)
        np.testing.assert_array_equal(network.encoder.fc7.kernel, w["vgg_16/fc7/weights"])
    shutil.rmtree(tmp_path / "a")
    model = open_model(tmp_path / "moved")
    assert model.weights.parent == tmp_path / "moved" and model.beside("iso.json").name == "model.ckpt-120_iso.json"
    for file in (tmp_path / "moved").glob("model*"):
        file.unlink()
    with pytest.raises(UserError, match="neither there nor in"):
        open_model(tmp_path / "moved")


def test_optimiser_is_listed_as_ignored(tmp_path, capsys):
    name = "sdfprediction/fold1/conv1/weights"
    w = weights()
    extra = {
        name + "/Adam": w[name],
        name + "/Adam_1": w[name],
        "beta1_power": np.float32(0.5),
        "beta2_power": np.float32(0.5),
        "batch": 77,
    }
    model = open_model(tf1_models.save(tmp_path / "model.ckpt", {**w, **extra}), SMALL)
    assert model.step == 77
    model.load(build_field_network(model.config))
    printed = capsys.readouterr().out
    assert f"{len(w)} variables loaded, 5 not" in printed
    assert f"{name}/Adam [1, 1, 3, 8]: optimiser slot" in printed and "batch []" in printed


def damaged(w, change):
    """The weights with a variable missing, of another shape or type, not finite, or too many."""
    w, name = dict(w), "sdfprediction_imgfeat/fold2/conv1/weights"
    if change == "missing":
        del w["sdfprediction/fold2/conv2/biases"]
    elif change == "shape":
        w[name] = w[name][:, :, 1:]
    elif change == "type":
        w[name] = w[name].astype(np.float64)
    elif change == "finite":
        w[name] = np.where(np.arange(w[name].size).reshape(w[name].shape) == 5, np.nan, w[name]).astype(np.float32)
    else:
        w["sdfprediction/fold9/weights"] = np.zeros((2, 3), np.float32)
    return w


REASONS = {
    "missing": r"sdfprediction/fold2/conv2/biases \[8\] is not in the checkpoint",
    "shape": r"imgfeat/fold2/conv1/weights is \[1, 1, 47, 16\] in the checkpoint and \[1, 1, 48, 16\] here",
    "type": "is float64, not float32",
    "finite": "cannot be used, values are not finite: sdfprediction_imgfeat/fold2/conv1/weights$",
    "more": r"sdfprediction/fold9/weights \[2, 3\] is only in the checkpoint",
}


@pytest.mark.parametrize("change", REASONS)
def test_a_checkpoint_that_does_not_fit_is_refused_with_its_reason_and_assigns_nothing(change, tmp_path):
    model = open_model(tf1_models.save(tmp_path / "model.ckpt", damaged(weights(), change)), SMALL)
    network = build_field_network(model.config)
    before = [v.numpy() for v in network.variables]
    with pytest.raises(UserError, match=REASONS[change]):
        model.load(network)
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize(
    ("conventions", "reason"),
    [
        ({"img_h": 0}, "img_h must be above 0, not 0"),
        ({"distance_offset": float("nan")}, "distance_offset nan is not a finite number"),
        ({"tanh": True}, "tanh are settings of signed distances; this model is binary"),
    ],
)
def test_conventions_are_checked_like_the_settings_of_a_run(conventions, reason, tmp_path):
    prefix = tf1_models.save(tmp_path / "model.ckpt", weights())
    with pytest.raises(UserError, match=f"model.ckpt: .*{reason}"):
        open_model(prefix, {**SMALL, **conventions})


def test_files_that_are_not_models_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="neither a run folder .* nor a TF1 checkpoint"):
        open_model(tmp_path / "empty")
    with pytest.raises(UserError, match="no such folder"):
        open_model(tmp_path / "none")
    encoder = {name: value for name, value in weights().items() if name.startswith("vgg_16")}
    with pytest.raises(UserError, match="it has no decoder"):
        open_model(tf1_models.save(tmp_path / "vgg" / "vgg_16.ckpt", encoder))
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    with pytest.raises(UserError, match="cannot be read as a TF1 checkpoint"):
        open_model(tmp_path / "text.ckpt")
    with pytest.raises(UserError, match="this model is binary"):
        open_model(tf1_models.save(tmp_path / "b" / "model.ckpt", weights()), {"model_frame": "sphere"})


@pytest.mark.parametrize("kind", [{}, {"binary": False, "colour": False}, {"scopes": ONE}])
def test_conversion_and_back_is_bit_for_bit(kind, tmp_path, capsys):
    w = weights(**kind)
    prefix = tf1_models.save(tmp_path / "tf1" / "model.ckpt-9", {**w, "batch": 9})
    run, back, again = tmp_path / "run", tmp_path / "back", tmp_path / "again"
    convert_checkpoint.main([str(prefix), "--out", str(run), "--img_h", "40", "--img_w", "41"])
    model = open_model(run)
    assert model.config == dataclasses.replace(open_model(prefix).config, img_h=40, img_w=41)
    convert_checkpoint.main([str(run), "--out", str(back), "--to", "tf1"])
    assert "--img_h 40" in capsys.readouterr().out
    reader = Checkpoint(open_model(back).checkpoint.prefix)
    assert reader.shapes.keys() == {*w, "batch"} and reader.step() == 9
    for name, value in w.items():
        assert reader.read(name).tobytes() == value.tobytes(), name
    assert tf.train.latest_checkpoint(str(back)) == str(back / "model.ckpt-9")

    convert_checkpoint.main([str(back), "--out", str(again), "--img_h", "40", "--img_w", "41"])
    networks = [build_field_network(model.config) for _ in range(2)]
    for network, folder in zip(networks, (run, again), strict=True):
        open_model(folder).load(network)
    for a, b in zip(networks[0].variables, networks[1].variables, strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


def test_conversions_that_make_no_sense_are_refused(tmp_path):
    prefix = tf1_models.save(tmp_path / "tf1" / "model.ckpt", weights())
    with pytest.raises(UserError, match="is not an empty folder"):
        convert_checkpoint.main([str(prefix), "--out", str(tmp_path / "tf1")])
    with pytest.raises(UserError, match="is a TF1 checkpoint already"):
        convert_checkpoint.main([str(prefix), "--out", str(tmp_path / "new"), "--to", "tf1"])
    plain = {"normalisation": False, "resized_reading": True, "coordinate_scale": 1.0}
    refused = {
        "normalisation": (True, "normalisation"),
        "resized_reading": (False, "resized_reading is False"),
        "coordinate_scale": (0.03, "coordinate_scale is 0.03"),
        "crop": (0.85, "crop is 0.85"),
        "backcolorwhite": (True, "backcolorwhite is True"),
    }
    for field, (value, message) in refused.items():
        config = tiny.config(**{**plain, field: value})
        run = Run(tmp_path / field)
        save_checkpoint(run.best, {"network": build_field_network(config).variables}, {"step": 1})
        config.save(run.config)
        with pytest.raises(UserError, match=message):
            convert_checkpoint.main([str(run.folder), "--out", str(tmp_path / "new"), "--to", "tf1"])
        with pytest.raises(UserError, match="is a run and carries its settings.*: rot"):
            open_model(run.folder, {"rot": True})
    assert not (tmp_path / "new").exists()
