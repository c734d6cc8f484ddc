"""The network that estimates cameras: rotations, losses, training, and evaluation with it."""

import importlib
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from data.camera_samples import CameraSamples
from data.estimated_cameras import EstimatedCameras
from data.network_input import network_camera, network_image
from data.shards import Database
from models.config import CameraConfig
from models.inference.camera_estimator import CameraEstimator, best_supported, estimate
from models.networks.camera_network import build_camera_network, camera_losses, rotation_of, transformed
from models.weights.run import Run, load_checkpoint
from tests.helpers import tiny
from train import train_cam
from utils.errors import UserError
from utils.geometry.camera_parameters import CameraParts
from utils.geometry.cameras import compose, decompose, image_to_pixel, intrinsics, look_at, project
from utils.geometry.symmetry import rotation_about_y
from utils.metrics import camera_metrics

evaluation = importlib.import_module("eval.eval")
PARTS = ("rotation", "distance", "scale", "shift")


def test_six_numbers_make_a_rotation():
    six = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    six[0, 3:] = 2 * six[0, :3]  # one direction defines no rotation, but must not give infinite numbers
    R = rotation_of(tf.constant(six)).numpy()
    assert np.isfinite(R).all()
    np.testing.assert_allclose(R[1:] @ R[1:].transpose(0, 2, 1), np.repeat(np.eye(3)[None], 49, 0), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(R[1:]), 1, atol=1e-5)
    orthonormal = R[1:, :2].reshape(-1, 6)  # stays as it is
    np.testing.assert_allclose(rotation_of(tf.constant(orthonormal)).numpy(), R[1:], atol=1e-5)
    with tf.GradientTape() as tape:
        tape.watch(x := tf.constant(six))
        total = tf.reduce_sum(rotation_of(x) ** 3)
    assert np.isfinite(tape.gradient(total, x)).all()


def parts_of(cameras, size):
    parts = [CameraParts.of(camera, size) for camera in cameras]
    return {name: tf.constant(np.stack([getattr(part, name) for part in parts]), tf.float32) for name in PARTS}


def random_cameras(count, seed=0):
    rng = np.random.default_rng(seed)
    K = intrinsics(100)
    return [compose(K, look_at(rng.uniform(0, 360), rng.uniform(5, 50), rng.uniform(1.5, 3))) for _ in range(count)]


def test_points_are_transformed_as_by_the_camera():
    cameras, points = random_cameras(5), np.random.default_rng(1).uniform(-0.5, 0.5, (5, 20, 3)).astype(np.float32)
    space, pixels = transformed(parts_of(cameras, 100), tf.constant(points))
    for i, camera in enumerate(cameras):
        np.testing.assert_allclose(
            image_to_pixel(pixels[i].numpy() + 0.5, 100), project(points[i], camera)[0], atol=1e-3
        )
        RT = decompose(camera)[1]
        np.testing.assert_allclose(space[i], points[i] @ RT[:, :3].T, atol=1e-5)


def test_losses_vanish_at_the_truth_and_at_its_symmetric_equivalents():
    points = tf.constant(np.random.default_rng(1).uniform(-0.5, 0.5, (4, 30, 3)), tf.float32)
    true = parts_of(random_cameras(4), 100)
    none, half = (
        np.tile(np.stack([np.eye(3), rotation_about_y(angle)]), (4, 1, 1, 1)).astype(np.float32) for angle in (0, 180)
    )
    behind = true["rotation"] @ rotation_about_y(180).astype(np.float32)

    def losses(rotations, symmetries, scores=None, **others):
        scores = np.zeros((4, len(rotations)), np.float32) if scores is None else np.tile(np.float32(scores), (4, 1))
        predicted = {**true, "rotations": tf.stack(rotations, 1), "scores": tf.constant(scores), **others}
        return {
            name: float(value)
            for name, value in camera_losses(predicted, true, points, tf.constant(symmetries)).items()
        }

    for rotation, symmetries, right in ((true["rotation"], none, True), (behind, half, True), (behind, none, False)):
        values = losses([rotation], symmetries)
        assert (values["points"] + values["pixels"] + values["depth"] < 0.1) == right
        assert values["within_15"] == float(right) and values["choice"] == 0
    shifted = losses([true["rotation"]], none, shift=true["shift"] + [0.1, 0.0])
    assert shifted["points"] < 0.1 and shifted["pixels"] == pytest.approx(10, abs=0.1)
    farther = losses([true["rotation"]], none, distance=true["distance"] * np.exp(0.2))
    assert farther["depth"] == pytest.approx(2, abs=1e-3) and farther["points"] < 0.1 < farther["pixels"]
    # of several proposals the nearest counts, and the scores have to choose it
    for scores, right in (([0, 9], True), ([9, 0], False)):
        values = losses([behind, true["rotation"]], none, scores)
        assert values["points"] < 0.1 and values["within_15"] == float(right) and (values["choice"] < 1) == right


def test_every_azimuth_is_near_an_anchor_rotation():
    network = build_camera_network(tiny.camera_config(hypotheses=8))
    anchors = rotation_of(tf.constant(network.anchors)).numpy()
    for azimuth in range(0, 360, 7):
        angles = [camera_metrics.rotation_angle(anchor, look_at(azimuth, 0, 2.0)[:, :3]) for anchor in anchors]
        assert min(angles) <= 22.5 + 1e-3


@pytest.mark.parametrize("crop", [0.0, 0.85])
def test_a_sample_holds_the_camera_of_the_image(crop, tiny_database):
    database, config = Database(tiny_database), tiny.camera_config(crop=crop)
    samples, entry = CameraSamples(database, config), database.objects("train")[0]
    sample = samples.read(entry, 1, np.random.default_rng(0))
    assert {name: (value.shape, value.dtype) for name, value in sample.items()} == samples.shapes
    parts = CameraParts(**{name: sample[name].astype(np.float64) for name in PARTS})
    rgba = database.image(entry, 1)
    camera = network_camera(database.trans_mat(entry, 1), rgba, config)
    points = sample["points"].astype(np.float64)
    np.testing.assert_allclose(project(points, parts.trans_mat(tiny.SIZE))[0], project(points, camera)[0], atol=1e-3)
    np.testing.assert_array_equal(sample["image"], network_image(rgba, config))
    # the symmetries bring the surface back to itself
    surface = database.surface(entry)[0]
    for matrix in sample["symmetries"][:4]:
        distance = np.linalg.norm((sample["points"] @ matrix.T)[:, None] - surface[None], axis=-1).min(1)
        assert np.median(distance) < 1.5 / 64


def test_cameras_of_images_are_those_of_their_crops(tiny_database, tmp_path, eagerly):
    estimator = CameraEstimator(tiny.camera_run(tmp_path / "run", crop=0.85), "float32")
    database = Database(tiny_database)
    entries = database.objects("val")
    images = [database.image(entry, 0) for entry in entries]
    wider = [np.pad(image, ((7, 3), (11, 0), (0, 0))) for image in images]
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    inside = [project(points, camera)[0] for camera in estimator.cameras(images)]
    moved = [project(points, camera)[0] for camera in estimator.cameras(wider)]
    np.testing.assert_allclose(np.array(moved) - [11, 7], inside, atol=1e-2)
    alone = [estimate(estimator.network, network_image(image, estimator.config)[None])[0][0].camera for image in images]
    batch = estimate(estimator.network, np.stack([network_image(image, estimator.config) for image in images]))
    for one, ((other, _), *_) in zip(alone, batch, strict=True):
        np.testing.assert_allclose(one.rotation, other.rotation, atol=1e-5)
    pairs = [(entry, 0) for entry in entries]
    estimated = EstimatedCameras(database, estimator, pairs)
    np.testing.assert_allclose(
        estimated.trans_mat(entries[0], 0), estimator.cameras(images[:1])[0], rtol=1e-4, atol=1e-4
    )
    assert np.array_equal(estimated.image(entries[0], 0), images[0]) and estimated.image_size == database.image_size


def test_a_mirrored_image_has_the_mirrored_camera(tiny_database, tmp_path, eagerly):
    estimator = CameraEstimator(tiny.camera_run(tmp_path / "cameras", crop=0.85, hypotheses=8), "float32")
    database = Database(tiny_database)
    images = np.stack(
        [network_image(database.image(entry, 1), estimator.config) for entry in database.objects("val")[:3]]
    )
    mirror = np.diag([-1, 1, 1])
    pairs = [estimate(estimator.network, x) for x in (images, images[:, :, ::-1])]
    for ((one, support), *_), ((other, mirrored_support), *_) in zip(*pairs, strict=True):
        assert 0 < support <= 1 and mirrored_support == pytest.approx(support, abs=1e-4)
        np.testing.assert_allclose(mirror @ other.rotation @ mirror, one.rotation, atol=1e-4)
        np.testing.assert_allclose(other.shift, one.shift * [-1, 1], atol=1e-5)
        np.testing.assert_allclose([other.distance, other.scale], [one.distance, one.scale], rtol=1e-4)
        np.testing.assert_allclose(one.rotation @ one.rotation.T, np.eye(3), atol=1e-9)


def test_proposals_that_agree_outvote_one_that_is_alone():
    def chosen(*azimuths_and_support):
        azimuths, support = zip(*azimuths_and_support, strict=True)
        found = best_supported(np.stack([rotation_about_y(azimuth) for azimuth in azimuths]), np.array(support))
        assert all(share <= sum(support) + 1e-9 for _, share in found)
        assert sorted((share for _, share in found), reverse=True) == [share for _, share in found]
        others.append([(rotation, share) for rotation, share in found[1:]])
        return found[0][0]

    def off(rotation, azimuth):
        return camera_metrics.rotation_angle(rotation, rotation_about_y(azimuth))

    others = []
    assert off(chosen((180, 0.4), (0, 0.3), (6, 0.3)), 3) < 0.2  # about the mean of the two that agree
    ((rotation, share),) = others[-1]
    assert off(rotation, 180) < 0.1 and share == pytest.approx(0.4)  # the one that is alone is the likeliest other
    assert off(chosen((180, 0.9), (0, 0.05), (6, 0.05)), 180) < 0.1
    assert off(chosen((40, 1.0), (220, 0.0)), 40) < 1e-6
    assert off(chosen((355, 0.5), (5, 0.5)), 0) < 1  # across the seam of the circle
    assert others[-1] == []  # there is no other one


def command(database, folder, *flags):
    return ["--db", str(database), "--log_dir", str(folder), *tiny.flags(tiny.camera_config()), *flags]


@pytest.mark.slow
def test_training_learns_resumes_and_starts_from_other_weights(tiny_database, tmp_path, eagerly, capsys):
    flags = ["--crop", "0.85", "--alpha", "--learning_rate", "1e-2", "--cat_limit", "8"]
    train_cam.main(command(tiny_database, tmp_path / "run", "--max_epoch", "2", *flags))
    train_cam.main(command(tiny_database, tmp_path / "run", "--max_epoch", "5"))
    run = Run(tmp_path / "run")
    history = json.loads(run.history.read_text())
    assert [row["epoch"] for row in history] == list(range(1, 6))
    assert history[-1]["train"]["pixels"] < 0.6 * history[0]["train"]["pixels"]
    assert (run.tensorboard / "val").is_dir()
    with pytest.raises(UserError, match="learning_rate 0.01 -> 0.5"):
        train_cam.main(command(tiny_database, tmp_path / "run", "--learning_rate", "0.5"))
    with pytest.raises(UserError, match="not a configuration of a field network"):
        evaluation.main(["--restore_model", str(run.folder)])
    train_cam.main(
        command(
            tiny_database,
            tmp_path / "second",
            "--max_epoch",
            "1",
            "--restore_modelcnn",
            str(run.folder),
            *flags[:-1],
            "2",
        )
    )
    capsys.readouterr()
    # from all weights, in a network of their settings: the other run ended with the loss to beat
    given = ["--db", str(tiny_database), *flags[-2:], "--max_epoch", "1", "--batch_size", "4", "--learning_rate", "10"]
    train_cam.main([*given, "--log_dir", str(tmp_path / "third"), "--restore_model", str(run.folder)])
    best = min(row["val"]["loss"] for row in history)
    printed = re.search(r"before the first step: validation loss ([\d.]+)", capsys.readouterr().out)
    assert float(printed[1]) == pytest.approx(best, rel=1e-2)  # three digits are printed
    config = Run(tmp_path / "third").load_config(CameraConfig)
    assert (config.camera_widths, config.crop, config.alpha) == (tiny.camera_config().camera_widths, 0.85, True)
    field = tiny.field_run(tmp_path / "field", tiny_database, True)
    with pytest.raises(UserError, match="not a configuration of a camera network"):
        train_cam.main([*given, "--log_dir", str(tmp_path / "fourth"), "--restore_model", str(field)])


@pytest.mark.parametrize(
    "words, message",
    [
        (["--img_h", "30"], "width and height must be equal"),
        (["--camera_widths", "0"], "camera_widths 0"),
        (["--crop", "2"], "crop must be in"),
        (["--momentum", "0.3"], "momentum would do nothing"),
        (["--encoder_size", "40"], "encoder_size 40"),
    ],
)
def test_wrong_settings_are_refused(words, message, tiny_database, tmp_path):
    with pytest.raises(UserError, match=message) as error:
        train_cam.main(command(tiny_database, tmp_path / "run", *words))
    assert "\n" not in str(error.value) and not (tmp_path / "run").exists()


@pytest.mark.slow
def test_evaluation_reports_estimated_cameras_beside_the_true_ones(tiny_database, tmp_path, capsys, eagerly):
    run = tiny.field_run(tmp_path / "run", tiny_database, True)
    cameras = tiny.camera_run(tmp_path / "cameras", crop=0.85)
    base = ["--restore_model", str(run), "--views", "0,2", "--limit", "1", "--sdf_res", "16", "--figure_objects", "0"]
    evaluation.main(base)
    plain = json.loads((run / "eval_test" / "results.json").read_text())
    evaluation.main([*base, "--cam_est", str(cameras)])
    both = json.loads((run / "eval_test" / "results.json").read_text())
    printed = capsys.readouterr().out
    assert "4 images are done already" in printed and "estimated cameras: median (mean)" in printed
    assert both["images"]["prediction"] == plain["images"]["prediction"]
    # this network ignores the image, so the field is the same for any camera
    assert [row["iou"] for row in both["images"]["estimated camera"]] == [
        row["iou"] for row in plain["images"]["prediction"]
    ]
    database = Database(tiny_database)
    entries = {entry.object_id: entry for entry in database.objects("test")}
    estimator = CameraEstimator(cameras)
    assert len(both["camera_images"]) == 4
    for row in both["camera_images"]:
        entry = entries[row["object_id"]]
        view = entry.view_names.index(row["view"])
        estimated = estimator.cameras([database.image(entry, view)])[0]
        expected = camera_metrics.camera_errors(estimated, database.trans_mat(entry, view), *database.surface(entry))
        assert row["angle"] == pytest.approx(expected["angle"], abs=0.1) and row["angle"] <= row["angle_plain"] + 1e-9
    assert both["cameras"]["all"]["images"] == 4 and set(both["cameras"]) == {"all", "box", "crate"}


def test_weights_survive_their_file(tmp_path):
    config = tiny.camera_config(normalisation=True)
    folder = Run(tiny.camera_run(tmp_path / "run", normalisation=True))
    network = build_camera_network(config)
    load_checkpoint(folder.weights, {"network": network.variables})
    images = np.random.default_rng(0).random((2, 40, 40, 3)).astype(np.float32)
    eager = network(tf.constant(images))
    compiled = tf.function(network, autograph=False)(tf.constant(images))
    again = CameraEstimator(folder.folder, "float32").network(tf.constant(images))
    for name in PARTS:
        np.testing.assert_allclose(eager[name], compiled[name], atol=1e-5)
        np.testing.assert_array_equal(eager[name], again[name])
