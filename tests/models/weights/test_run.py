"""The run folder: its checkpoints, and the digest that identifies weights."""

import hashlib

import h5py
import numpy as np
import pytest

from models.networks.texdisn import build_field_network
from models.weights import run
from models.weights.run import load_checkpoint, save_checkpoint, weights_digest
from tests.helpers import tiny
from utils.errors import UserError


def test_large_variables_are_read_row_by_row(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "LARGE", 64)
    one, other = build_field_network(tiny.config()), build_field_network(tiny.config())
    save_checkpoint(tmp_path / "c.h5", {"network": one.variables}, {})
    load_checkpoint(tmp_path / "c.h5", {"network": other.variables})
    for a, b in zip(one.variables, other.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_checkpoint_that_does_not_fit_names_the_variables_and_changes_nothing(tmp_path):
    model, other = build_field_network(tiny.config()), build_field_network(tiny.config(num_classes=9))
    save_checkpoint(tmp_path / "a.h5", {"network": other.variables[1:]}, {})
    before = [v.numpy() for v in model.variables]
    with pytest.raises(
        UserError, match=r"vgg_16/fc8/kernel is \(1, 1, 16, 9\) in the file and \(1, 1, 16, 8\) here"
    ) as error:
        load_checkpoint(tmp_path / "a.h5", {"network": model.variables})
    assert f"{model.variables[0].path} {tuple(model.variables[0].shape)} is not in the file" in str(error.value)
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable)
    (tmp_path / "a.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:500])
    with pytest.raises(UserError, match="a.h5"):
        load_checkpoint(tmp_path / "a.h5", {"network": model.variables})


def test_files_that_are_not_checkpoints_are_refused(tmp_path):
    with pytest.raises(UserError, match="missing.h5 is missing or not an HDF5 checkpoint"):
        load_checkpoint(tmp_path / "missing.h5", {})
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(UserError, match="other.h5 is not a checkpoint of this project"):
        load_checkpoint(tmp_path / "other.h5", {})
    with pytest.raises(UserError, match="has no checkpoint yet"):
        _ = run.Run(tmp_path).weights


def test_the_digest_of_weights_follows_their_content(tmp_path):
    one, same, other = (tmp_path / name for name in ("one.h5", "same.h5", "other.h5"))
    for path, content in ((one, b"weights"), (same, b"weights"), (other, b"weightz")):
        path.write_bytes(content)
    assert weights_digest(one) == weights_digest(same) == hashlib.sha256(b"weights").hexdigest()
    assert weights_digest(one) != weights_digest(other)
