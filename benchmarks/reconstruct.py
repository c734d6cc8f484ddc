"""From a photograph to a GLB file, with the weights that come with the project.

    python benchmarks/reconstruct.py --out reconstruct.json

For each image of examples/ given by --images, after one run that compiles and loads the networks:

seconds_IMAGE   median of repeated runs, reading of the image and writing of the file included
cpu_IMAGE       the same in seconds of CPU time over all threads, which other work on the machine
                changes less
stages_IMAGE    {stage: median seconds}
vertices_IMAGE  of the mesh
"""

import collections
import pathlib
import statistics
import tempfile
import time

from benchmarks.machine import cpu_seconds, matrix_rates, peak_rss_mb, report
from utils.cli import parser, run, whole_number
from utils.stages import Stages

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


def measure(reconstructor, image, resolution, repeats):
    """The entries of the result for one image of EXAMPLES."""
    wall, cpu, stages = [], [], collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats + 1):
            times = Stages()
            start, start_cpu = time.perf_counter(), cpu_seconds()
            result = reconstructor.reconstruct(EXAMPLES / image, resolution=resolution, stages=times)
            with times("file"):
                result.save(pathlib.Path(folder) / "mesh.glb")
            wall.append(time.perf_counter() - start)
            cpu.append(cpu_seconds() - start_cpu)
            for name, seconds in times.seconds.items():
                stages[name].append(seconds)
    name = pathlib.Path(image).stem
    return {
        f"seconds_{name}": statistics.median(wall[1:]),
        f"cpu_{name}": statistics.median(cpu[1:]),
        f"stages_{name}": {stage: statistics.median(seconds[1:]) for stage, seconds in stages.items()},
        f"vertices_{name}": len(result.vertices),
    }


def main(argv):
    p = parser(__doc__)
    p.add_argument("--images", nargs="+", default=["chair.png", "car.png", "chair_room.jpg"], help="of examples/")
    p.add_argument("--resolution", type=whole_number(1), default=128, help="cells along each axis")
    p.add_argument("--repeats", type=whole_number(1), default=5, help="runs of each image after the first")
    p.add_argument("--out", required=True, help="JSON file to write")
    args = p.parse_args(argv)

    from models.inference.reconstruct import Reconstructor

    reconstructor, result = Reconstructor(), {"resolution": args.resolution}
    for image in args.images:
        result |= measure(reconstructor, image, args.resolution, args.repeats)
    report(args.out, {**result, "peak_rss_mb": peak_rss_mb(), **matrix_rates()})


if __name__ == "__main__":
    run(main)
