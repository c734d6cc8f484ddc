"""Objects per second of preprocessing, by --jobs: rendering, and building the database.

    python benchmarks/preprocess.py --objects 64 --out preprocess.json

Runs the commands on synthetic objects as users run them, start-up included, in a temporary folder.

render_J, gen_db_J              objects per second with J jobs
render_scaling, gen_db_scaling  objects per second with as many jobs as cores, over that with one
                                job, over the number of cores: 1 is ideal
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

from benchmarks.machine import ROOT, report
from utils.cli import parser, run, whole_number
from utils.errors import UserError


def seconds(*words):
    """Run a command of the project -> its seconds; UserError if it fails."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{words[0]} failed: {done.stderr.strip().splitlines()[-1]}")
    return time.perf_counter() - start


def main(argv):
    p = parser(__doc__)
    p.add_argument("--objects", type=whole_number(4), default=64, help="number of objects, a multiple of 4")
    p.add_argument("--out", required=True, help="JSON file to write")
    args = p.parse_args(argv)
    if args.objects % 4:
        raise UserError(f"--objects {args.objects} must be a multiple of 4, one for each category")
    cores = os.cpu_count()
    result = {"objects": args.objects, "cores": cores}
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        seconds(
            "preprocessing/make_shapes.py",
            "--out",
            out / "meshes",
            "--per_category",
            args.objects // 4,
            "--seed",
            0,
            "--categories",
            "car,chair,guitar,table",
        )
        for jobs in sorted({1, cores}):
            raw, db = out / f"raw{jobs}", out / f"db{jobs}"
            result[f"render_{jobs}"] = args.objects / seconds(
                "preprocessing/render_views.py", "--meshes", out / "meshes", "--out", raw, "--jobs", jobs
            )
            result[f"gen_db_{jobs}"] = args.objects / seconds(
                "preprocessing/gen_db.py", "--raw", raw, "--out", db, "--jobs", jobs
            )
            print(
                f"jobs {jobs}: {result[f'render_{jobs}']:.2f} objects/s rendered, {result[f'gen_db_{jobs}']:.2f} built",
                flush=True,
            )
    for name in ("render", "gen_db"):
        result[f"{name}_scaling"] = result[f"{name}_{cores}"] / result[f"{name}_1"] / cores
    report(args.out, result)


if __name__ == "__main__":
    run(main)
