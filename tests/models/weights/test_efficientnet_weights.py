"""The published weights of EfficientNet-Lite0 are told from those of its relatives."""

import zipfile

import numpy as np
import pytest

from models.weights import efficientnet_weights
from models.weights.torch_file import read_torch_file
from train import convert_efficientnet
from utils.errors import UserError


def tensors():
    """Tensors by the names and shapes of the published file, with its classifier."""
    found = {"_conv_head.weight": np.zeros((1280, 320, 1, 1)), "_fc.weight": np.zeros((1000, 1280))}
    for number, (_, conv, norm, shape) in enumerate(efficientnet_weights.layer_names()):
        found[f"{conv}.weight"] = np.full(shape, number, np.float32)
        found |= {f"{norm}.{part}": np.ones(shape[0], np.float32) for part in efficientnet_weights.NORM}
        found[f"{norm}.num_batches_tracked"] = np.zeros((), np.int64)
    return found


def test_folded_weights_have_the_shapes_of_those_of_the_project():
    with np.load(efficientnet_weights.FILE) as arrays:
        expected = {name: arrays[name].shape for name in arrays.files}
    assert {name: value.shape for name, value in efficientnet_weights.folded(tensors()).items()} == expected


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("_blocks.0._se_reduce.weight", (8, 32, 1, 1)),  # EfficientNet-B0: else the same names and shapes
        ("_blocks.16._project_conv.weight", (320, 1152, 1, 1)),  # Lite1 has more blocks
        ("_blocks.3._depthwise_conv.weight", (144, 1, 3, 3)),
        ("_blocks.3._bn1.running_var", (240,)),
        ("_conv_stem.weight", (32, 3, 3)),
        ("_bn0.bias", ()),
        ("_bn0.bias", None),
    ],
)
def test_other_networks_are_refused_in_one_line_that_names_the_file(name, shape, tmp_path, monkeypatch):
    changed = {key: value for key, value in tensors().items() if key != name}
    if shape is not None:
        changed[name] = np.ones(shape, np.float32)
    out = tmp_path / "out.npz"
    monkeypatch.setattr("models.weights.torch_file.read_torch_file", lambda path: changed)
    with pytest.raises(
        UserError, match=rf"^x\.pth: these are not the weights of EfficientNet-Lite0: {name} is"
    ) as error:
        convert_efficientnet.main(["x.pth", "--out", str(out)])
    assert "\n" not in str(error.value) and not out.exists()


def test_files_of_later_versions_of_torch_are_named_as_such(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02}.")
    with pytest.raises(UserError, match=r"x\.pt cannot be read .*: it is a zip archive"):
        read_torch_file(tmp_path / "x.pt")
