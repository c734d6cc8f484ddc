"""TF1 checkpoints in training and evaluation; DISN's frame and offset."""

import dataclasses
import importlib
import json

import numpy as np
import pytest

from data.field_samples import FieldSamples
from data.network_input import object_frame
from data.shards import Database
from models.inference.field_query import FieldQuery
from models.networks.texdisn import build_field_network
from models.weights.sources import open_model
from tests.helpers import tf1_models, tiny
from train import train_sdf
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at, project

evaluation = importlib.import_module("eval.eval")
SIZE = ["--img_h", str(tiny.SIZE), "--img_w", str(tiny.SIZE)]


def checkpoint(folder, **kind):
    return tf1_models.save(folder / "model.ckpt-5", tf1_models.values(tf1_models.shapes(**kind)))


def settings(folder, *words):
    return train_sdf.plan(train_sdf.build_parser().parse_args(["--log_dir", str(folder), *map(str, words)])).config


def test_training_takes_sizes_and_conventions_from_its_first_weights(tmp_path):
    disn = checkpoint(tmp_path / "disn", binary=False, colour=False)
    config = settings(tmp_path / "run", "--restore_model", disn, "--batch_size", 3)
    assert (config.binary, config.colour, config.encoder_input, config.model_frame) == (False, False, "bgr", "sphere")
    assert (config.img_h, config.distance_offset, config.encoder_fc, config.batch_size) == (137, 0.003, 16, 3)
    assert config.restore_model == str(disn) and config.preset == "faithful"
    assert np.isclose(config.learning_rate, 1e-4 / 5)  # fine-tuning
    changed = settings(
        tmp_path / "run", "--restore_model", disn, "--model_frame", "cube", "--distance_offset", 0, *SIZE
    )
    assert (changed.model_frame, changed.distance_offset, changed.img_h) == ("cube", 0, tiny.SIZE)
    with pytest.raises(UserError, match="this model is binary"):
        settings(tmp_path / "run", "--model_frame", "sphere")
    with pytest.raises(UserError, match="this model is binary"):
        settings(tmp_path / "run", "--distance_offset", 0.1)
    with pytest.raises(UserError, match="distance_offset nan"):
        settings(tmp_path / "run", "--no-binary", "--distance_offset", "nan")


@pytest.mark.slow
@pytest.mark.parametrize("binary", [True, False])
def test_train_from_tf1_then_evaluate_it_and_the_checkpoint(
    binary, tiny_database, tmp_path, monkeypatch, capsys, eagerly
):
    monkeypatch.setattr("models.training.field_trainer.validation_preview", lambda *_: np.zeros((4, 4, 3), np.float32))
    prefix = checkpoint(tmp_path / "tf1", binary=binary, colour=binary)
    run = tmp_path / "run"
    words = [
        "--db",
        tiny_database,
        "--restore_model",
        prefix,
        "--num_sample_points",
        32,
        "--batch_size",
        4,
        "--max_epoch",
        1,
        "--cat_limit",
        4,
        "--scored_objects",
        0,
        *SIZE,
    ]
    train_sdf.main([str(word) for word in ["--log_dir", run, "--learning_rate", 1e-9, *words]])
    printed = capsys.readouterr().out
    assert f"{prefix}: {len(open_model(prefix).checkpoint.shapes)} variables loaded, 0 not" in printed
    networks = []
    for model in (open_model(run), open_model(prefix, {"img_h": tiny.SIZE, "img_w": tiny.SIZE})):
        networks.append(build_field_network(model.config))
        model.load(networks[-1])
    for a, b in zip(
        networks[0].variables, networks[1].variables, strict=True
    ):  # a learning rate of nearly nothing: two steps of 1e-6
        np.testing.assert_allclose(a, b, atol=1e-4)

    flags = ["--sdf_res", "16", "--views", "0", "--limit", "1", "--figure_objects", "0"]
    evaluation.main(
        [
            "--restore_model",
            str(prefix.parent),
            "--db",
            str(tiny_database),
            "--log_dir",
            str(tmp_path / "out"),
            *SIZE,
            *flags,
        ]
    )
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["step"] == 5 and results["weights"]["file"] == str(prefix) + ".index"
    expected = {
        "encoder_input": "rgb" if binary else "bgr",
        "model_frame": "cube" if binary else "sphere",
        "img_h": tiny.SIZE,
    }
    assert expected.items() <= results["conventions"].items()
    assert results["conventions"]["distance_offset"] == (0 if binary else 0.003)
    with pytest.raises(UserError, match="other settings .conventions"):
        other = ["--encoder_input", "slim"]
        evaluation.main(
            [
                "--restore_model",
                str(prefix),
                "--db",
                str(tiny_database),
                "--log_dir",
                str(tmp_path / "out"),
                *SIZE,
                *flags,
                *other,
            ]
        )


def test_weights_that_do_not_fit_start_no_training(tiny_database, tmp_path):
    prefix = checkpoint(tmp_path / "tf1")
    words = [
        "--db",
        tiny_database,
        "--restore_model",
        prefix,
        "--log_dir",
        tmp_path / "run",
        "--num_classes",
        9,
        "--batch_size",
        4,
        *SIZE,
    ]
    with pytest.raises(
        UserError, match=r"vgg_16/fc8/weights is \[1, 1, 16, 8\] in the checkpoint and \[1, 1, 16, 9\] here"
    ):
        train_sdf.main([str(word) for word in words])
    assert not (tmp_path / "run").exists()


def test_sphere_frame_of_samples(tiny_database):
    """Points, camera and distances of a sample in DISN's frame: the same pixels, lengths scaled,
    the surface in the unit sphere.
    """
    database = Database(tiny_database)
    entry = database.objects("train")[0]
    cube = tiny.config(binary=False)
    sphere = dataclasses.replace(cube, model_frame="sphere", distance_offset=0.003)
    frame = object_frame(sphere, database, entry)
    surface = frame.to_model(database.surface(entry)[0].astype(float))
    np.testing.assert_allclose(surface.mean(0), 0, atol=1e-6)
    assert np.isclose(np.linalg.norm(surface, axis=1).max(), 1)
    a, b = (FieldSamples(database, config).read(entry, 0, np.random.default_rng(0)) for config in (cube, sphere))
    uv = [project(s["points"].astype(float), s["trans_mat"].astype(float))[0] for s in (a, b)]
    np.testing.assert_allclose(*uv, atol=1e-3)
    np.testing.assert_allclose(frame.from_model(b["points"]), a["points"] / 2, atol=1e-6)
    np.testing.assert_allclose(b["distance"] + 0.003, a["distance"] / 2 * frame.scale, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(a["near"], b["near"])
    np.testing.assert_array_equal(a["image"], b["image"])


def test_field_is_the_distance_whatever_the_frame():
    """A network that answers -10 x offset everywhere predicts distance 0.

    An output of 10 d is d / scale in the object frame.
    """
    config = tiny.config(binary=False, model_frame="sphere", distance_offset=0.25)
    model = build_field_network(config)
    for stream in model.streams:
        stream.geometry_out.kernel.assign(np.zeros(stream.geometry_out.kernel.shape))
    frame = frames.ModelFrame(1.7, np.array([0.1, 0.2, 0.3]))
    matrix = compose(intrinsics(tiny.SIZE), look_at(30, 20, 2.0))
    for raw, distance in ((-2.5, 0.0), (1.0, 0.35 / 1.7)):
        model.streams[0].geometry_out.bias.assign([raw])
        query = FieldQuery(model)
        encoded = query.encode(np.zeros((tiny.SIZE, tiny.SIZE, 3), np.float32), matrix, frame)
        np.testing.assert_allclose(query.geometry(encoded, np.zeros((3, 3))), distance, atol=1e-6)


@pytest.mark.parametrize(
    "frame", [frames.cube_frame(True), frames.cube_frame(False), frames.ModelFrame(1.3, np.array([0.2, -0.1, 0.4]))]
)
def test_model_frames_are_inverse_and_keep_pixels(frame):
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    matrix = compose(intrinsics(64), look_at(70, -20, 2.2))
    np.testing.assert_allclose(frame.from_model(frame.to_model(points)), points, atol=1e-12)
    np.testing.assert_allclose(frame.object_camera(frame.camera(matrix)), matrix, atol=1e-9)
    for a, b in zip(project(points, matrix), project(frame.to_model(points), frame.camera(matrix)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)
