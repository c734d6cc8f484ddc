"""Commands start without lines about a GPU that is not there, and lose no other line."""

import os
import pathlib
import subprocess
import sys

import pytest

from utils import quiet

ROOT = pathlib.Path(__file__).parents[2]
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


@pytest.mark.skipif(any(map(os.path.exists, quiet.DEVICES)), reason="this machine has a GPU")
def test_a_command_that_loads_tensorflow_writes_nothing_else():
    code = (
        "from utils import cli\n"
        "def main(argv):\n"
        "    import tensorflow as tf\n"
        "    print(float(tf.reduce_sum(tf.ones(3))))\n"
        "cli.run(main)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("3.0\n", "")
