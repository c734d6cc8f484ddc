"""Kill commands at random moments; their final results must equal those of uninterrupted runs.

    python -m tests.kills --kills 100 --seed 0 --work runs/kills

A round starts a command on tiny data, kills it (kill -9, the process alone or with its workers) two
to five times, each time starts the same command again, and lets the last one end by itself. Results
are equal if every file is, but for times and TensorBoard's events. Prints a table; exit code 1 if a
result was wrong. Stopped and started again with the same --work it goes on.

The commands run in copies of one process that has imported TensorFlow, which takes most of the time
of a start.
"""

import argparse
import collections
import dataclasses
import importlib
import json
import os
import pathlib
import shutil
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from PIL import Image

TIMES = {"seconds", "minutes", "date", "provenance", "made", "created", "samples_per_second", "peak_memory_mb"}
MODULES = (  # what the commands import late
    "models.training.session",
    "models.training.field_trainer",
    "models.inference.evaluation",
    "models.inference.reconstruct",
    "preprocessing.rendering.raw_folder",
    "open3d",
    "tensorboard",
)


@dataclasses.dataclass(frozen=True)
class Command:
    """A command that writes a folder."""

    name: str
    module: str
    words: tuple[str, ...]  # OUT stands for the folder, WORK for that of the inputs


COMMANDS = (
    Command(
        "render_views",
        "preprocessing.render_views",
        ("--meshes", "WORK/meshes", "--out", "OUT", "--views", "2", "--image_size", "32")
        + ("--sdf_points", "300", "--surface_points", "3000"),
    ),
    Command("gen_db", "preprocessing.gen_db", ("--raw", "WORK/render_views", "--out", "OUT", "--jobs", "2")),
    Command(
        "train_sdf",
        "train.train_sdf",
        ("--db", "WORK/db", "--log_dir", "OUT", "--preset", "small", "--img_h", "40", "--img_w", "40")
        + ("--num_classes", "8", "--encoder_size", "32", "--encoder_widths", "4,4,8,8,8", "--encoder_fc", "16")
        + ("--encoder_convs", "1,1,1,1,1", "--point_widths", "8,16", "--decoder_widths", "16,8", "--batch_size", "4")
        + ("--num_sample_points", "64", "--max_epoch", "2", "--cat_limit", "4", "--scored_objects", "0")
        + ("--precision", "float32", "--decoder", "onestream", "--checkpoint_minutes", "0"),
    ),
    Command(
        "eval",
        "eval.eval",
        ("--restore_model", "WORK/run", "--log_dir", "OUT", "--sdf_res", "8", "--views", "0,1", "--limit", "1")
        + ("--create_obj",),
    ),
    Command(
        "reconstruct",
        "eval.reconstruct",
        ("WORK/images", "--out", "OUT", "--restore_model", "WORK/run", "--camera", "40,25,2.2", "--resolution", "16")
        + (
            "--format",
            "ply",
        ),
    ),
)


def write_inputs(work: pathlib.Path) -> None:
    """The meshes, the database, the run and the images that the commands read."""
    import trimesh

    from tests.helpers import tiny

    for number in range(3):
        path = work / "meshes" / "box" / f"{number}.ply"
        path.parent.mkdir(parents=True, exist_ok=True)
        trimesh.creation.box((1, 0.5 + 0.1 * number, 0.7)).export(path)
    tiny.write_database(work / "db")
    tiny.field_run(work / "run", work / "db", binary=True)
    (work / "images").mkdir()
    rng = np.random.default_rng(1)
    for number in range(3):
        picture = Image.fromarray(tiny.box("box", str(number), rng, views=1).images[0])
        picture.resize((160, 160), Image.Resampling.NEAREST).save(work / "images" / f"{number}.png")


def in_copy(function: Callable[[], Any], written: pathlib.Path) -> int:
    """Call a function in a copy of this process, a group of its own; returns the copy's id.

    Args:
        function: what to call; the copy ends as the process of a command would.
        written: gets what it prints.
    """
    copy = os.fork()
    # Both set the group: whichever comes first, neither side goes on without it.
    os.setpgid(copy, copy)
    if copy:
        return copy
    try:
        output = os.open(written, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(output, 1), os.dup2(output, 2)
        function()
        sys.exit(0)
    except SystemExit as end:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def run(command: Command, work: pathlib.Path, out: pathlib.Path) -> None:
    """Run a command in this process, step by step and in one order, so that its sums are too."""
    import tensorflow as tf

    from utils import cli

    tf.config.run_functions_eagerly(True)
    tf.config.experimental.enable_op_determinism()
    places = {"OUT": str(out), "WORK": str(work)}
    words = ["/".join(places.get(part, part) for part in word.split("/")) for word in command.words]
    sys.argv = [f"{command.name}.py", *words]
    cli.run(importlib.import_module(command.module).main)


def ended(process: int, seconds: float) -> int | None:
    """The exit code of a process that ends within so many seconds; None for one that does not."""
    until = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            return None
        time.sleep(0.01)


def killed(process: int, after: float, group: bool) -> bool:
    """Kill a process, or its group, after so many seconds; False where it ended before."""
    if ended(process, after) is not None:
        return False
    (os.killpg if group else os.kill)(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return True


def timeless(value: Any) -> Any:
    """JSON data without what tells a time or how long something took."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def content(path: pathlib.Path, folder: pathlib.Path) -> Any:
    """What must be equal of a file of a results' folder, in whose place OUT stands."""
    if path.suffix == ".json":
        return timeless(json.loads(path.read_text().replace(str(folder), "OUT")))
    data = path.read_bytes()
    if path.suffix != ".h5" or b'"minutes"' not in data:
        return data
    with h5py.File(path) as file:  # a checkpoint
        values: dict[str, Any] = {"progress": timeless(json.loads(file.attrs["progress"]))}
        file.visititems(
            lambda name, item: values.update({name: item[()].tobytes()}) if hasattr(item, "dtype") else None
        )
    return values


def contents(folder: pathlib.Path) -> dict[str, Any]:
    """{path: what must be equal} of all files of a results' folder; its lock and events are not."""
    return {
        str(path.relative_to(folder)): content(path, folder)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".texdisn-lock" and "tensorboard" not in path.parts
    }


def different(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The paths whose contents differ, or that one of both lacks."""
    return [path for path in sorted({*one, *other}) if path not in one or path not in other or one[path] != other[path]]


@dataclasses.dataclass
class Round:
    """What became of a command that was killed."""

    command: str
    kills: int
    wrong: str  # "": its results are equal

    def __str__(self) -> str:
        return f"{self.command}: {self.kills} kills, {self.wrong or 'equal'}"


def play(command: Command, work: pathlib.Path, expected: dict[str, Any], seconds: float, rng: Any, most: int) -> Round:
    """One round.

    Args:
        command: the command.
        work: the folder of the inputs.
        expected: the contents of an uninterrupted run.
        seconds: how long that takes.
        rng: draws how often, when and how it is killed.
        most: at most so many kills.
    """
    out, log = work / "out" / command.name, work / f"{command.name}.txt"
    shutil.rmtree(out, ignore_errors=True)
    log.unlink(missing_ok=True)
    kills = 0
    for _ in range(min(most, int(rng.integers(2, 6)))):
        process = in_copy(lambda: run(command, work, out), log)
        kills += killed(process, rng.uniform(0, seconds), bool(rng.integers(2)))
    code = ended(in_copy(lambda: run(command, work, out), log), 60 + 20 * seconds)
    if code != 0:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        return Round(command.name, kills, f"exit code {code}: {''.join(last)}")
    files = different(contents(out), expected)
    return Round(command.name, kills, f"other contents: {', '.join(files)}" if files else "")


def table(rounds: list[Round]) -> str:
    """The table of all rounds as Markdown."""
    lines = ["| command | kills | runs | equal | wrong |", "|---|---|---|---|---|"]
    names = [command.name for command in COMMANDS]
    groups = [(name, [each for each in rounds if each.command == name]) for name in names]
    for name, group in [*groups, ("all", rounds)]:
        equal = sum(not each.wrong for each in group)
        kills = sum(each.kills for each in group)
        lines.append(f"| {name} | {kills} | {len(group)} | {equal} | {len(group) - equal} |")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=[command.name for command in COMMANDS])
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("runs/kills"))
    args = parser.parse_args(argv)
    work = args.work.resolve()
    commands = [command for command in COMMANDS if not args.only or command.name in args.only]
    for module in (*MODULES, *(command.module for command in COMMANDS)):
        importlib.import_module(module)
    if not (work / "ready").exists():
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        assert ended(in_copy(lambda: write_inputs(work), work / "inputs.txt"), 600) == 0, work / "inputs.txt"
        (work / "ready").touch()
    seconds, expected = {}, {}
    for command in COMMANDS:  # the database is built from what render_views makes
        if command not in commands and command.name != "render_views":
            continue
        out, log, start = work / command.name, work / f"{command.name}.txt", time.monotonic()
        shutil.rmtree(out, ignore_errors=True)
        log.unlink(missing_ok=True)
        code = ended(in_copy(lambda command=command, out=out: run(command, work, out), log), 600)
        assert code == 0, f"{command.name} ends with {code}: {log}"
        seconds[command.name], expected[command.name] = time.monotonic() - start, contents(out)
        print(f"{command.name}: {seconds[command.name]:.1f} s, {len(expected[command.name])} files", flush=True)
    kept = work / "rounds.jsonl"
    rounds = [Round(**json.loads(line)) for line in kept.read_text().splitlines()] if kept.exists() else []
    while (left := args.kills - sum(each.kills for each in rounds)) > 0:
        number = len(rounds)
        command = commands[number % len(commands)]
        rng = np.random.default_rng((args.seed, number))
        rounds.append(play(command, work, expected[command.name], seconds[command.name], rng, left))
        with kept.open("a") as file:
            file.write(json.dumps(dataclasses.asdict(rounds[-1])) + "\n")
        print(rounds[-1], flush=True)
    print(table(rounds))
    for reason, count in collections.Counter(str(each) for each in rounds if each.wrong).items():
        print(f"{count:5d}  {reason}")
    return 1 if any(each.wrong for each in rounds) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
