"""The same surface with fewer faces."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import trimesh

from utils.errors import UserError
from utils.stages import check_stop

FACES = 20_000  # of a simplified mesh, unless another number is asked for
LEAST = 100  # faces below which nothing is left of a shape
PROJECT = pathlib.Path(__file__).resolve().parents[2]
APART = 250_000  # faces above which Open3D takes more than two seconds at a time


def check_count(name: str, count: int) -> None:
    """UserError for a number of faces that cannot be simplified to; 0 stands for no limit."""
    if count and count < LEAST:
        raise UserError(f"{name} {count}: give 0 to keep all faces, or at least {LEAST}")


def merge_faces(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Merge the faces of a surface until about `count` are left, or as few as leave it closed.

    Faces that lie on each other, or edges of more than two faces, can leave more as well.

    Quadric error decimation (Garland & Heckbert 1997), by Open3D, which keeps Python's lock and so
    the process from ending meanwhile: large meshes go to a process of their own.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        count: number of faces; a mesh that has no more of them is returned as it is.

    Returns:
        vertices (V', 3), faces (F', 3) int64.
    """
    return (_merge_apart if len(faces) > APART else _merge)(vertices, faces, count)


def _merge(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Halve the number of faces until `count` are left, as fast as all at once.

    A step can pinch a surface where two parts of it are closer than the faces are large, which
    makes holes; then the surface before it is the result.
    """
    closed = len(faces) > count and _closed(vertices, faces)
    while len(faces) > count:
        check_stop()
        points, triangles = _decimate(vertices, faces, max(count, len(faces) // 2))
        if not 0 < len(triangles) < len(faces) or (closed and not _closed(points, triangles)):
            break
        vertices, faces = points, triangles
    return vertices, faces


def _closed(vertices: np.ndarray, faces: np.ndarray) -> bool:
    return bool(trimesh.Trimesh(vertices, faces, process=False).is_watertight)


def _decimate(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    import open3d

    mesh = open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(vertices), open3d.utility.Vector3iVector(faces.astype(np.int32))
    )
    small = mesh.simplify_quadric_decimation(count)
    return np.asarray(small.vertices), np.asarray(small.triangles).astype(np.int64)


def _merge_apart(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """_merge in a process of its own, which ends where check_stop() raises an error.

    It is no copy of this one: a script that calls us needs no `if __name__ == "__main__"`.
    """
    with tempfile.TemporaryFile() as task, tempfile.TemporaryFile() as result:
        np.savez(task, vertices=vertices, faces=faces, count=count)
        task.seek(0)
        # modules of the working directory must not stand before ours (-P)
        places = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", f"from {__name__} import _serve; _serve()"],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
            stdin=task,
            stdout=result,
            start_new_session=True,  # Ctrl-C reaches us alone
        )
        try:
            while process.poll() is None:
                check_stop()
                time.sleep(0.02)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise UserError(f"merging {len(faces)} faces ended with code {process.returncode} (out of memory?)")
        result.seek(0)
        with np.load(result) as arrays:
            return arrays["vertices"], arrays["faces"]


def _serve() -> None:
    """The other process: a mesh from standard input, decimated, to standard output."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # what libraries print goes to the terminal
        with np.load(sys.stdin.buffer) as arrays:
            vertices, faces = _merge(arrays["vertices"], arrays["faces"], int(arrays["count"]))
        np.savez(out, vertices=vertices, faces=faces)
