"""The run folder: its checkpoints, and the digest that identifies weights."""

import resource

import h5py
import numpy as np
import pytest

from models.networks.texdisn import build_field_network
from models.weights import run
from models.weights.run import load_checkpoint, save_checkpoint
from tests.helpers import tiny
from tests.helpers.flipped import flip
from utils.errors import StorageError, UserError


def test_large_variables_are_read_row_by_row(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "LARGE", 64)
    one, other = build_field_network(tiny.config()), build_field_network(tiny.config())
    save_checkpoint(tmp_path / "c.h5", {"network": one.variables}, {"step": 0})
    load_checkpoint(tmp_path / "c.h5", {"network": other.variables})
    for a, b in zip(one.variables, other.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_checkpoint_that_does_not_fit_names_the_variables_and_changes_nothing(tmp_path):
    model, other = build_field_network(tiny.config()), build_field_network(tiny.config(num_classes=9))
    save_checkpoint(tmp_path / "a.h5", {"network": other.variables[1:]}, {"step": 0})
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


def test_a_flipped_bit_is_refused_and_changes_nothing(tmp_path):
    path, one, other = tmp_path / "c.h5", Variable([1.0, 2.0]), Variable([0.0, 0.0])
    save_checkpoint(path, {"network": [one]}, {"step": 3})
    for position in np.random.default_rng(0).choice(8 * path.stat().st_size, 100, replace=False).tolist():
        flip(path, position)
        with pytest.raises(UserError, match="c.h5 is (damaged|missing or not an HDF5 checkpoint)"):
            load_checkpoint(path, {"network": [other]})
        flip(path, position)
    assert other.value.tolist() == [0, 0]
    assert load_checkpoint(path, {"network": [other]}) == {"step": 3} and other.value.tolist() == [1, 2]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("large", [False, True])
def test_weights_that_are_not_finite_are_refused(tmp_path, monkeypatch, value, large):
    if large:
        monkeypatch.setattr(run, "LARGE", 1)
    first, other = Variable([1.0, 1.0], "first"), Variable([[1.0], [value]], "other")
    save_checkpoint(tmp_path / "c.h5", {"network": [first, other]}, {"step": 0})
    targets = [Variable([0.0, 0.0], "first"), Variable([[0.0], [0.0]], "other")]
    with pytest.raises(UserError, match="c.h5 cannot be used, values are not finite: other"):
        load_checkpoint(tmp_path / "c.h5", {"network": targets})
    assert not targets[0].value.any() and not targets[1].value.any()


def test_weights_of_earlier_versions_load_with_one_line(tmp_path, capsys):
    variable = Variable([0.0, 0.0])
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.attrs["progress"] = '{"step": 0}'
        file["network/x"] = np.float32([1, 2])
    load_checkpoint(tmp_path / "c.h5", {"network": [variable]})
    assert variable.value.tolist() == [1, 2]
    assert capsys.readouterr().out == f"{tmp_path}/c.h5: an older file without a checksum, damage in it may go unseen\n"


def test_equal_weights_are_equal_files(tmp_path):
    for name in ("one.h5", "other.h5"):
        save_checkpoint(tmp_path / name, {"network": [Variable([1.0, 2.0], "a/b")]}, {"step": 3})
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "other.h5").read_bytes()


def test_a_full_disk_leaves_the_weights_that_were_there(tmp_path):
    path, target = tmp_path / "c.h5", Variable(np.zeros(500))
    save_checkpoint(path, {"network": [Variable(np.ones(500))]}, {"step": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))
    try:
        with pytest.raises(StorageError, match="c.h5 cannot be written: File too large"):
            save_checkpoint(path, {"network": [Variable(np.zeros(500))]}, {"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_checkpoint(path, {"network": [target]}) == {"step": 1} and target.value.all()
    assert list(tmp_path.iterdir()) == [path]


class Variable:
    """A variable without its network."""

    def __init__(self, values, path="x"):
        self.path, self.value = path, np.float32(values)
        self.shape = self.value.shape

    def __array__(self, dtype=None, copy=None):
        return self.value

    def assign(self, value):
        self.value = np.asarray(value)
