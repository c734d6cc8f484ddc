"""The cost of heavy meshes in preprocessing, and of writing volumes; without TensorFlow.

    python benchmarks/heavy.py --out heavy.json

volumes_times_faster    writing the volume of a view, against HDF5's own compression
SUFFIX                  a mesh of 327,680 faces, in a new process: seconds of reading it and, with
                        that, of all the work on it (wall and CPU); the peak of memory in MB

Memory is measured in a process for each mesh, which must not load TensorFlow as the other
benchmarks do.
"""

import pathlib
import resource
import statistics
import tempfile
import time
from collections.abc import Callable

import h5py
import numpy as np
import trimesh

from data.raw_layout import RawObject
from preprocessing.meshes.load import load_mesh
from preprocessing.rendering.raw_writer import Settings, Task, write_object
from preprocessing.rendering.volumes import flow_volume, write_volume
from utils.cli import parser, run
from utils.errors import UserError
from utils.files import write_json
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.mesh.voxels import voxelise
from utils.processes import run_in_processes

SUFFIXES = ("glb", "obj", "ply")
REPEATS = 21  # of writing a volume


def pebble(subdivisions: int) -> trimesh.Trimesh:
    """An uneven ellipsoid with 20 * 4^subdivisions faces, at most 1 long.

    Not a sphere: near its middle all faces are equally far, which no tree of faces can exploit.
    """
    ball = trimesh.creation.icosphere(subdivisions, 0.45)
    x, y, _ = 20 * ball.vertices.T
    bumps = 1 + 0.1 * np.sin(x) * np.cos(y)
    return trimesh.Trimesh(ball.vertices * bumps[:, None] * [1, 0.6, 0.8], ball.faces, process=False)


def median_cpu(function: Callable[[], None]) -> float:
    """Median CPU seconds of a function."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return statistics.median(times)


def volumes_times_faster(path: pathlib.Path) -> float:
    """The seconds of HDF5's own compression over those of write_volume, for a flow volume."""
    points = pebble(5).vertices
    index, _ = voxelise(points, np.zeros_like(points))
    volume = flow_volume(index, compose(intrinsics(138), look_at(90, 25, 2)), 138)

    def by_hdf5() -> None:
        with h5py.File(path, "w") as file:
            options = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
            file.create_dataset("data", data=volume, chunks=volume.shape, **options)

    return median_cpu(by_hdf5) / median_cpu(lambda: write_volume(path, volume))


def measure(path: pathlib.Path) -> dict[str, float]:
    """Read, render and sample a mesh file in this process; what the report holds of it."""
    start = time.perf_counter()
    load_mesh(path)
    read = time.perf_counter() - start
    start, cpu = time.perf_counter(), time.process_time()
    _, reason = write_object(Task(path, RawObject(path.parent / "raw", "heavy", path.suffix[1:]), Settings()))
    if reason:
        raise UserError(reason)
    return {
        "read_seconds": read,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def died(path: pathlib.Path) -> dict[str, float]:
    """What takes the place of a measurement whose process was killed."""
    raise UserError(f"the process that read {path} died")


def main(argv: list[str]) -> None:
    p = parser(__doc__)
    p.add_argument("--out", required=True, help="JSON file to write")
    args = p.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        result: dict[str, object] = {"volumes_times_faster": volumes_times_faster(pathlib.Path(folder) / "volume.h5")}
        for suffix in SUFFIXES:
            path = pathlib.Path(folder) / f"pebble.{suffix}"
            pebble(7).export(path)
            for _, measured in run_in_processes(measure, [path], 1, died=died, isolate=True):
                result[suffix] = measured
                print(suffix, {name: round(value, 2) for name, value in measured.items()}, flush=True)
    write_json(args.out, result)
    print(f"results: {args.out}")


if __name__ == "__main__":
    run(main)
