"""Results say which code, versions and command they come from."""

import re
import shlex
import subprocess

from utils import provenance


def test_the_commit_is_that_of_the_checkout(tmp_path):
    assert provenance.commit(tmp_path) is None  # no checkout
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert provenance.commit(tmp_path) == head and re.fullmatch("[0-9a-f]{40}", head)
    (tmp_path / "file").write_text("a")
    subprocess.run([*git, "add", "file"], check=True)
    assert provenance.commit(tmp_path) == f"{head}-dirty"
    (tmp_path / "inside").mkdir()
    assert provenance.commit(tmp_path / "inside") is None  # a package within another project's checkout


def test_the_command_can_be_given_to_a_shell_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--iso", "auto", "--log_dir", "a folder", "it's"]
    for script, shown in ((str(tmp_path / "eval" / "eval.py"), "eval/eval.py"), ("/elsewhere/x.py", "/elsewhere/x.py")):
        monkeypatch.setattr("sys.argv", [script, *words])
        assert shlex.split(provenance.command_line()) == ["python", shown, *words]


def test_versions_and_date():
    made = provenance.provenance()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", made["date"])
    assert {"python", "numpy", "tensorflow"} <= set(made["versions"])
