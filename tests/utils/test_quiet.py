"""Commands start without lines about a GPU that is not there, and lose no other line.

tests/eval/test_query_points.py looks at what a command writes that loads TensorFlow.
"""

import os
import subprocess
import sys

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


def test_tensorflow_starts_quietly_in_python_too():
    code = "import models, models, sys, utils.quiet as q; q.start_tensorflow_quietly(); import os; "
    code += "print(sum(type(finder) is q._QuietFinder for finder in sys.meta_path), os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    out = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, env=environment, check=True)
    assert (out.stdout, out.stderr) == ("1 2\n", "")
