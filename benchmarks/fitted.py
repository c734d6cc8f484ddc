"""A full-size run fitted to four named synthetic objects, so that benchmarks have a field with something in it.

    python benchmarks/fitted.py --out runs/benchmark --minutes 10

Makes three of each of car, chair, guitar and table, of which the split takes one each for training, renders them and trains
the original's network on those four. Made once; the benchmarks ask its last weights for the objects it was fitted to.
"""

import pathlib
import subprocess
import sys

from utils.cli import UserError, parser, run
from utils.run import Run

ROOT = pathlib.Path(__file__).parents[1]


def fit(out, minutes):
    """Make the run where it is not there yet -> Run."""
    out = pathlib.Path(out)
    steps = [
        ["preprocessing/make_shapes.py", "--out", out / "meshes", "--per_category", "3", "--seed", "0"],
        ["preprocessing/render_views.py", "--meshes", out / "meshes", "--out", out / "raw"],
        ["preprocessing/gen_db.py", "--raw", out / "raw", "--out", out / "db"],
        ["train/train_sdf.py", "--db", out / "db", "--log_dir", out / "run", "--bfloat16", "--max_minutes", minutes],
    ]  # fmt: skip
    folder = Run(out / "run")
    if not folder.last.exists():
        for step in steps:
            print(" ".join(map(str, step)), flush=True)
            if subprocess.run([sys.executable, *map(str, step)], cwd=ROOT, check=False).returncode:
                raise UserError(f"{step[0]} failed; what is there already in {out} is used again")
    return folder


def main(argv):
    p = parser(__doc__)
    p.add_argument("--out", default="runs/benchmark", help="folder of meshes, views, database and run")
    p.add_argument("--minutes", type=float, default=10, help="minutes of training")
    args = p.parse_args(argv)
    print(f"run: {fit(args.out, args.minutes).folder}")


if __name__ == "__main__":
    run(main)
