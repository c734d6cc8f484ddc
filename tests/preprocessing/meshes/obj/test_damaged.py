"""Broken OBJ and MTL files give a mesh or one clear error; nothing else.

MUTATIONS=2000 in the environment tries more of them than a usual run does.
"""

import os
import random
import time
import warnings

import numpy as np
import pytest
from PIL import Image

from preprocessing.meshes.load import load_mesh
from utils.errors import UserError
from utils.mesh.mesh import albedo

COUNT = int(os.environ.get("MUTATIONS", 200))
BATCHES = 10
OBJ = """# a roof and a wall
mtllib m.mtl other.mtl
v 0 0 0
v 1 0 0 0.5 0.5 1
v 1 1 0 1 0 0
v 0 1 0 1.0
v 0.5 0.3 1 255 0 3
vt 0 0
vt 1 0
vt 1 1
vn 0 0 1
g roof
usemtl a
f 1/1 2/2 3/3
f 1/1/1 3/3/1 4//1 \\
 5
usemtl b c
f -5 -4 -3 -2 -1
f 1/1 2/2 5/3
s off
l 1 2
"""
MTL = """newmtl a
Kd 0 0 0
Ka 1 0 0
map_Kd -s 2 2 1 -o 0.5 -clamp on tex.png
map_d tex.png
d 0.5
newmtl b c
Kd 0.8 0.1 0.1
Tr 0.3
Ke 0 0 0
"""
TOKENS = (
    *("nan", "-inf", "1e400", "1e308", "-1e-320", "99999999999999999999", "-9223372036854775808", "0", "-0", "-1", ""),
    *("/", "//", "1//", "1/2/3/4", "\\", "#", "\0", "é", "f", "v", "vt", "usemtl", "mtllib", "newmtl", "map_Kd", "-s"),
    *("../../../etc/passwd", "/dev/zero", "C:\\x.png", ".", "..", "x" * 5000, "1_0", "0x10", "1,5", "１"),
)


def mutated(data, rng):
    """Bytes of a text file with one to five faults of different kinds."""
    for _ in range(rng.randint(1, 5)):
        kind = rng.choice(("bytes", "cut", "line", "token", "token", "token"))
        if kind == "bytes":
            changed = bytearray(data)
            for _ in range(min(len(changed), rng.randint(1, 4))):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            data = bytes(changed)
        elif kind == "cut":
            data = data[: rng.randrange(len(data) + 1)]
        elif kind == "line":
            lines = data.split(b"\n")
            action = rng.choice(("drop", "double", "shuffle", "join"))
            place = rng.randrange(len(lines))
            if action == "drop":
                del lines[place]
            elif action == "double":
                lines[place:place] = [lines[place]] * rng.choice((1, 2, 100))
            elif action == "shuffle":
                rng.shuffle(lines)
            data = (b" " if action == "join" else b"\n").join(lines)
        else:
            words = data.split(b" ")
            words[rng.randrange(len(words))] = rng.choice(TOKENS).encode()
            data = b" ".join(words)
    return data


@pytest.mark.parametrize("batch", range(BATCHES))
def test_mutations_give_a_mesh_or_one_clear_error(tmp_path, batch):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 4), dtype=np.uint8)).save(tmp_path / "tex.png")
    outcomes = set()
    for seed in range(batch, COUNT, BATCHES):
        rng = random.Random(seed)
        (tmp_path / "a.obj").write_bytes(mutated(OBJ.encode(), rng) if rng.random() < 0.8 else OBJ.encode())
        (tmp_path / "m.mtl").write_bytes(mutated(MTL.encode(), rng) if rng.random() < 0.5 else MTL.encode())
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                mesh = load_mesh(tmp_path / "a.obj")
            except UserError as error:
                assert "a.obj" in str(error) and "\n" not in str(error), seed
                assert error.__cause__ is None, f"mutation {seed}: {error.__cause__!r}"  # a fault nobody foresaw
                outcomes.add("error")
            else:
                outcomes.add("mesh")
                assert np.isfinite(mesh.vertices).all() and np.isfinite(mesh.uv).all(), seed
                assert np.isfinite(mesh.normals).all() and np.isfinite(mesh.colours).all(), seed
                face = np.arange(len(mesh.faces))
                rgba, _ = albedo(mesh, face, np.full((len(face), 3), 1 / 3))
                assert (rgba >= 0).all() and (rgba <= 1.0001).all(), seed
        assert all(issubclass(w.category, UserWarning) and "a.obj" in str(w.message) for w in caught), (
            seed,
            [str(w.message) for w in caught],
        )
        assert time.perf_counter() - start < 10, seed
    assert outcomes == {"error", "mesh"}
