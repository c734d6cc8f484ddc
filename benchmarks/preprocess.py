"""Objects per second of preprocessing, by --jobs: rendering, and building the database.

    python benchmarks/preprocess.py --objects 64 --out preprocess.json

Runs the commands on synthetic objects as users run them, start-up included, in a temporary folder.

volumes_times_faster            writing the volumes of an object, against HDF5's own compression
heavy_SUFFIX                    a mesh of 327,680 faces in a new process: seconds of reading it, of all
                                of the work on it (with reading; wall and CPU), peak memory in MB
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

import h5py
import numpy as np
import trimesh

from benchmarks.fitted import ROOT
from benchmarks.machine import median_seconds, peak_rss_mb, report
from data.raw_layout import RawObject
from preprocessing.meshes.load import load_mesh
from preprocessing.rendering.raw_writer import Settings, Task, write_object
from preprocessing.rendering.volumes import flow_volume, write_volume
from utils.cli import parser, run
from utils.errors import UserError
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.mesh.voxels import voxelise
from utils.processes import run_in_processes

HEAVY = ("glb", "obj", "ply")


def seconds(*words):
    """Run a command of the project -> its seconds; UserError if it fails."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{words[0]} failed: {done.stderr.strip().splitlines()[-1]}")
    return time.perf_counter() - start


def sphere(subdivisions):
    """A sphere of radius 1/2 with 20 * 4^subdivisions faces."""
    return trimesh.creation.icosphere(subdivisions, 0.5)


def volumes_times_faster(folder):
    """The seconds of HDF5's own compression over those of write_volume, for a flow volume."""
    points = sphere(5).vertices
    index, _ = voxelise(points, np.zeros_like(points))
    volume = flow_volume(index, compose(intrinsics(138), look_at(90, 25, 2)), 138)

    def hdf5():
        with h5py.File(folder / "volume.h5", "w") as file:
            options = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
            file.create_dataset("data", data=volume, chunks=volume.shape, **options)

    ours = median_seconds(lambda: write_volume(folder / "volume.h5", volume), 20)
    return median_seconds(hdf5, 20) / ours


def write_heavy(path):
    """Read, render and sample a mesh file in this process -> what the report holds."""
    start = time.perf_counter()
    load_mesh(path)
    read, start, cpu = time.perf_counter() - start, time.perf_counter(), time.process_time()
    _, reason = write_object(Task(path, RawObject(path.parent / "raw", "heavy", path.suffix[1:]), Settings()))
    if reason:
        raise UserError(reason)
    spent = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
    return {"read_seconds": read, **spent, "peak_mb": peak_rss_mb()}


def perished(path):
    raise UserError(f"the process of {path} died")


def main(argv):
    p = parser(__doc__)
    p.add_argument("--objects", type=int, default=64, help="number of objects, a multiple of 4")
    p.add_argument("--out", required=True, help="JSON file to write")
    args = p.parse_args(argv)
    if args.objects < 4 or args.objects % 4:
        raise UserError(f"--objects {args.objects} must be a multiple of 4, one for each category")
    cores = os.cpu_count()
    result = {"objects": args.objects, "cores": cores}
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        result["volumes_times_faster"] = volumes_times_faster(out)
        heavy = [out / f"sphere.{suffix}" for suffix in HEAVY]
        for path in heavy:
            sphere(7).export(path)
            for _, measured in run_in_processes(write_heavy, [path], 1, died=perished, isolate=True):
                result[f"heavy_{path.suffix[1:]}"] = measured
                print(path.name, measured, flush=True)
        seconds(
            "preprocessing/make_shapes.py", "--out", out / "meshes", "--per_category", args.objects // 4, "--seed", 0
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
