"""The precision follows the machine, and a stored one never forces a slower one on another."""

import json
import types

import pytest
import tensorflow as tf

from models.choices import PRECISIONS, TRAINED_PRECISIONS
from models.config import CameraConfig, Config
from models.inference.camera_estimator import CameraEstimator
from models.inference.evaluation import Evaluation, Options
from models.inference.evaluation_folder import EvaluationFolder
from models.networks import precision
from models.networks.layers import policies
from models.training import field_trainer
from models.training.field_trainer import FieldTrainer
from models.weights.run import Run
from models.weights.sources import open_model
from tests.helpers import tiny
from train import train_sdf
from utils.errors import UserError


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A function: flags of the processor, compute capabilities of GPUs -> such a machine."""

    def make(flags, capabilities=()):
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: fpu {flags}\n\nprocessor : 1\nflags : fpu\n")
        monkeypatch.setattr(precision, "CPU_INFO", tmp_path / "cpuinfo")
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: list(capabilities))
        details = {None: {}}
        monkeypatch.setattr(
            tf.config.experimental, "get_device_details", lambda c: details.get(c, {"compute_capability": c})
        )
        precision._faster.cache_clear()

    yield make
    precision._faster.cache_clear()


@pytest.mark.parametrize(
    ("flags", "capabilities", "type", "why"),
    [
        ("avx2 fma", (), "float32", "neither AMX nor AVX512-BF16"),
        ("avx2 avx512f amx_tile", (), "float32", "neither"),
        ("avx512f avx512_bf16", (), "bfloat16", "AVX512-BF16"),
        ("avx512_bf16 amx_bf16 amx_tile", (), "bfloat16", "AMX"),
        ("avx2", ((9, 0),), "bfloat16", "GPU"),
        ("avx512_bf16", ((7, 5),), "float32", "GPU"),  # which computes, not the processor
        ("avx512_bf16", ((8, 0), (7, 0)), "float32", "GPU"),
        ("avx512_bf16", (None,), "float32", "GPU"),
    ],
)
def test_auto_is_the_faster_type_of_the_machine(flags, capabilities, type, why, machine):
    machine(flags, capabilities)
    assert precision.chosen("auto") == type
    assert why in precision.described("auto")
    assert [policies(tiny.config(precision="auto"), alike)[0] == "float32" for alike in (True, False)] == [
        type == "float32"
    ] * 2


def test_what_is_asked_for_is_taken_even_if_it_is_slower(machine):
    machine("avx2")
    assert precision.chosen("bfloat16") == "bfloat16"
    assert "float32 is faster here" in precision.described("bfloat16")
    assert precision.described("float32") == "float32 (as asked)"


def test_machines_without_that_file_compute_in_float32(machine, monkeypatch, tmp_path):
    machine("amx_bf16")
    monkeypatch.setattr(precision, "CPU_INFO", tmp_path / "none")
    assert precision.chosen("auto") == "float32"


@pytest.mark.parametrize("cls", [Config, CameraConfig])
@pytest.mark.parametrize(("older", "now"), [(False, "auto"), (True, "bfloat16")])
def test_the_switch_of_older_runs(cls, older, now, tmp_path):
    cls().save(tmp_path / "config.json")
    values = json.loads((tmp_path / "config.json").read_text())
    del values["precision"]
    (tmp_path / "config.json").write_text(json.dumps({**values, "bfloat16": older}))
    assert cls.load(tmp_path / "config.json") == cls(precision=now)


def test_a_run_trained_in_another_precision_computes_in_that_of_the_machine(tiny_database, tmp_path):
    run, cameras = tiny.field_run(tmp_path / "run", tiny_database, True), tiny.camera_run(tmp_path / "cameras")
    for folder in (run, cameras):
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "precision": "bfloat16"}))
    assert open_model(run).config.precision == CameraEstimator(cameras).config.precision == "auto"
    assert open_model(run, precision="bfloat16").config.precision == "bfloat16"


@pytest.mark.parametrize("kind", TRAINED_PRECISIONS)
def test_cameras_are_estimated_in_the_precision_that_is_asked_for(kind, tmp_path, monkeypatch):
    """In evaluation and training; float16 is of the trained network alone."""
    cameras, wanted = str(tiny.camera_run(tmp_path / "cameras")), kind if kind in PRECISIONS else "auto"
    monkeypatch.setattr(field_trainer, "EstimatedCameras", lambda database, estimator, views: estimator)
    trained = FieldTrainer.source_database(tiny.config(precision=kind, cam_est=cameras), [], None)
    assert trained.config.precision == wanted
    if kind in PRECISIONS:
        options, folder = Options(camera_run=cameras), EvaluationFolder(tmp_path / "out")
        config = tiny.config(precision=kind)
        asked = types.SimpleNamespace(options=options, folder=folder, config=config, _check_masks=lambda config: None)
        assert Evaluation._open_estimator(asked, {}).config.precision == kind


def plan(folder, *flags):
    return train_sdf.plan(train_sdf.build_parser().parse_args(["--log_dir", str(folder), *flags])).config


@pytest.mark.parametrize(
    ("begun", "given", "resumed"),
    [
        ("auto", [], "auto"),
        ("bfloat16", [], "auto"),
        ("float32", [], "float32"),
        ("auto", ["--precision", "float32"], "float32"),
        ("float32", ["--bfloat16"], "bfloat16"),
        ("bfloat16", ["--no-bfloat16"], "float32"),
    ],
)
def test_a_resumed_run_takes_what_is_asked_for_now(begun, given, resumed, tmp_path):
    tiny.config(precision=begun).save(Run(tmp_path).config)
    assert plan(tmp_path, *given).precision == resumed


def test_the_older_switch_and_wrong_values(tmp_path):
    assert plan(tmp_path).precision == "auto"
    assert plan(tmp_path, "--bfloat16") == plan(tmp_path, "--precision", "bfloat16")
    assert plan(tmp_path, "--no-bfloat16") == plan(tmp_path, "--precision", "float32")
    with pytest.raises(UserError, match="invalid choice: 'float64'"):
        plan(tmp_path, "--precision", "float64")
