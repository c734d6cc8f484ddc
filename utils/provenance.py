"""Where results come from: the date, the command line, the versions, the commit of the code."""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import shlex
import subprocess
import sys
from typing import Any

PACKAGES = ("texdisn", "tensorflow", "keras", "numpy", "scipy", "scikit-image", "trimesh")
ROOT = pathlib.Path(__file__).parents[1]


def provenance() -> dict[str, Any]:
    """What the results of this process come from, as they record it.

    Returns:
        date (ISO 8601, local time with its offset), command, commit (None where the code is no git
        checkout), versions {package: version}, system.
    """
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": command_line(),
        "commit": commit(),
        "versions": {"python": platform.python_version(), **_versions()},
        "system": f"{platform.system()} {platform.machine()}",
    }


def command_line() -> str:
    """The command that started this process, its script relative to this folder where it can be."""
    script, *words = sys.argv
    if os.path.isabs(script):
        relative = os.path.relpath(script)
        script = script if relative.startswith("..") else relative
    return shlex.join(["python", script, *words])


def commit(root: pathlib.Path = ROOT) -> str | None:
    """The commit that is checked out at `root`, ending in -dirty where files differ from it.

    None where `root` is not the top of a git checkout, or git is missing.
    """
    if not (root / ".git").exists():  # a checkout around an installed package is not its source
        return None
    head = _git(root, "rev-parse", "HEAD")
    return f"{head}-dirty" if head and _git(root, "status", "-s", "-uno") else head


def _git(root: pathlib.Path, *words: str) -> str | None:
    """What git prints; None where it fails."""
    try:
        command = ["git", "-C", str(root), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _versions() -> dict[str, str]:
    """{package: version} of those that are installed."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
