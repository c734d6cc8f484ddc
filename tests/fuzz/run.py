"""Feed changed files to every reader, each in a process of its own, and count what becomes of them.

    python -m tests.fuzz.run --inputs 10000 --seed 0
    python -m tests.fuzz.run --inputs 500 --only shards --keep wrong

An input is accepted and right (what was read is sane), refused in one line, or wrong: a traceback,
a crash, more than 10 s or 1 GB. Prints a table, then each kind of what is wrong once; with --keep
the inputs themselves are kept.
"""

import argparse
import collections
import dataclasses
import functools
import os
import pathlib
import resource
import shutil
import sys
import tempfile
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(_name, "1")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import seed as seeded  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from tests.fuzz import hdf5_edits  # noqa: E402
from tests.fuzz.mutations import changed  # noqa: E402
from tests.fuzz.sandbox import REFUSED, RIGHT, WRONG, Verdict, judge, no_collection, place  # noqa: E402
from tests.fuzz.targets import data_sets, flags, images, meshes, records, texts, weights  # noqa: E402
from tests.fuzz.targets.target import Changes, Target  # noqa: E402

ROOMS = (images, meshes, data_sets, weights, texts, records, flags)
TARGETS = [target for room in ROOMS for target in room.TARGETS]
BATCH = 40  # inputs of a process
GROUPS = list(dict.fromkeys(target.group for target in TARGETS))

Files = dict[str, bytes]
Results = dict[str, collections.Counter]


def write_corpus(root: pathlib.Path, targets: list[Target]) -> dict[str, Files]:
    """{target: its valid files}, written by a process of its own, which runs TensorFlow."""
    process = os.fork()
    if not process:
        try:
            for target in targets:
                (root / target.name).mkdir(parents=True)
                target.write(root / target.name)
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    assert os.waitpid(process, 0)[1] == 0
    return {
        target.name: {
            path.relative_to(root / target.name).as_posix(): path.read_bytes()
            for path in sorted((root / target.name).rglob("*"))
            if path.is_file()
        }
        for target in targets
    }


def inputs(targets: list[Target], corpus: dict[str, Files]) -> st.SearchStrategy[tuple[Target, Changes]]:
    """(target, changes of its valid files); the groups come equally often."""
    groups: dict[str, list[tuple[Target, list[st.SearchStrategy[Changes]]]]] = {}
    for target in targets:
        files = {name: data for name, data in corpus[target.name].items() if name not in target.fixed}
        ways: list[st.SearchStrategy[Changes]] = []
        for name, data in files.items():
            ways.append(changed(name, data).map(lambda content, name=name: {name: content}))
        repeated = max(1, len(ways) // 2 // max(1, len(target.crafted)))
        groups.setdefault(target.group, []).append((target, [*ways, *[*target.crafted] * repeated]))

    @st.composite
    def drawn(draw: Any) -> tuple[Target, Changes]:
        target, ways = draw(st.sampled_from(groups[draw(st.sampled_from(list(groups)))]))
        return target, draw(draw(st.sampled_from(ways)))

    return drawn()


def write(changes: Changes, valid: Files, folder: pathlib.Path) -> None:
    """Write the files of an input into a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in valid.items():
        content = changes.get(name, data)
        if content is None:
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data if isinstance(content, list) else content)
        if isinstance(content, list):
            hdf5_edits.apply(folder / name, content)


@dataclasses.dataclass
class Tally:
    """The verdicts so far."""

    results: Results = dataclasses.field(default_factory=lambda: collections.defaultdict(collections.Counter))
    wrong: dict[str, list[Verdict]] = dataclasses.field(default_factory=lambda: collections.defaultdict(list))

    def add(self, target: Target, changes: Changes, verdict: Verdict) -> str:
        """Count a verdict; what is wrong gets a key by kind and place, which is returned."""
        key = ""
        if verdict.kind == WRONG or (not changes and verdict.kind != RIGHT):
            verdict = Verdict(WRONG, verdict.text if changes else f"valid, but {verdict.text}", verdict.details)
            key = f"{target.name}: {place(verdict)} {verdict.text[:110]}"
            self.wrong[key].append(verdict)
        self.results[target.group][verdict.kind] += 1
        return key


def fuzz(count: int, seed: int, targets: list[Target], keep: pathlib.Path | None = None) -> Tally:
    """Try the valid files of every target and as many changed ones as make `count` inputs."""
    tally, waiting = Tally(), []
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as scratch, no_collection():
        root = pathlib.Path(scratch)
        corpus = write_corpus(root / "corpus", targets)
        waiting = [(target, {}) for target in targets]

        def flush() -> None:
            def trial(target: Target, changes: Changes) -> None:
                write(changes, corpus[target.name], root / "input")
                target.read(root / "input")

            trials = [functools.partial(trial, *case) for case in waiting]
            for case, verdict in zip(waiting, judge(trials), strict=True):
                key = tally.add(*case, verdict)
                if key and keep and len(tally.wrong[key]) == 1:
                    kept = keep / f"{len(tally.wrong):03d} {case[0].name}"
                    judge([functools.partial(write, case[1], corpus[case[0].name], kept)])
                    edits = {name: change for name, change in case[1].items() if isinstance(change, list)}
                    kept.with_suffix(".txt").write_text(f"{key}\n{edits}\n{verdict.details}")
            waiting.clear()

        @settings(
            max_examples=max(1, count - len(targets)),
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @seeded(seed)
        @given(inputs(targets, corpus))
        def one(case: tuple[Target, Changes]) -> None:
            waiting.append(case)
            if len(waiting) >= BATCH:
                flush()

        one()
        flush()
    return tally


def table(results: Results, seconds: float) -> str:
    """The table of the verdicts as Markdown."""
    lines = ["| inputs | accepted and right | refused in one line | wrong |", "|---|---|---|---|"]
    for group in [group for group in GROUPS if group in results]:
        count = results[group]
        lines.append(f"| {group} | {count[RIGHT]} | {count[REFUSED]} | {count[WRONG]} |")
    total = sum(results.values(), collections.Counter())
    lines.append(f"| all {total.total()} | {total[RIGHT]} | {total[REFUSED]} | {total[WRONG]} |")
    used = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return "\n".join([*lines, "", f"{total.total()} inputs in {seconds:.0f} s ({used:.0f} s of processor time)"])


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="groups or targets")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the inputs that are wrong")
    args = parser.parse_args(argv)
    targets = [t for t in TARGETS if not args.only or {t.name, t.group} & set(args.only)]
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    tally = fuzz(args.inputs, args.seed, targets, args.keep)
    print(table(tally.results, time.monotonic() - start))
    for key, verdicts in sorted(tally.wrong.items(), key=lambda item: -len(item[1])):
        print(f"{len(verdicts):5d}  {key}")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
