"""A few hundred changed files and command lines, of another choice than those of `make fuzz`."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def test_every_changed_file_is_accepted_and_right_or_refused_in_one_line():
    # in a process that runs nothing else: the forks of one with threads may hang
    words = [sys.executable, "-m", "tests.fuzz.run", "--inputs", "300", "--seed", "14"]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "| all 300 |" in result.stdout and result.stdout.count("| 0 |") == 9
