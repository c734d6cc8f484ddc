"""Commands start without lines about a GPU that is not there, and lose no other line.

tests/eval/test_query_points.py looks at what a command writes that loads TensorFlow.
"""

import os

import pytest

from utils import quiet

NOTE = b"I0000 00:00:17 99 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.\n"


@pytest.mark.parametrize("gpu", [False, True])
def test_only_lines_about_a_missing_gpu_are_left_out(gpu, monkeypatch, tmp_path, capfd):
    device = tmp_path / "device"
    monkeypatch.setattr(quiet, "DEVICES", (str(device),))
    if gpu:
        device.touch()
    with pytest.raises(ValueError, match="x"), quiet.without_gpu_notes():
        os.write(2, b"before\n" + NOTE + b"after\n")
        raise ValueError("x")
    os.write(2, b"later\n")
    expected = b"before\n" + (NOTE if gpu else b"") + b"after\nlater\n"
    assert capfd.readouterr().err.encode() == expected
