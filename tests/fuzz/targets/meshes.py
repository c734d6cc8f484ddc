"""Mesh files of all formats, with their material libraries and textures; furniture libraries."""

import io
import pathlib
import struct
import zipfile

import numpy as np
import trimesh
from hypothesis import strategies as st

from preprocessing.library.archive import Archive
from preprocessing.library.catalogue import read_catalogue
from preprocessing.meshes.load import load_mesh
from tests.fuzz.targets.images import picture
from tests.fuzz.targets.target import Target
from tests.preprocessing.meshes.gltf import build
from utils.errors import UserError
from utils.mesh.mesh import Mesh, normalise
from utils.mesh.sampling import sample_surface

OBJ = """mtllib box.mtl
v -1 -1 0
v 1 -1 0
v 1 1 0
v -1 1 0.5
vt 0 0
vt 1 0
vt 1 1
vt 0 1
vn 0 0 1
usemtl painted
f 1/1/1 2/2/1 3/3/1
usemtl plain
f -4 -2 -1
s 1
o other
f 1 2 3 4
"""
MTL = """newmtl painted
Kd 0.5 0.6 0.7
d 1.0
map_Kd -s 2 2 1 paint.png
newmtl plain
Kd 1 0 0
Ke 0.1 0 0
Tr 0
illum 2
"""
FURNITURE = """id=test
name=Things
version=1
license=CC BY 4.0
provider=somebody
id#1=chair
name#1=A chair
category#1=Chairs
icon#1=/chair.png
model#1=/chair/chair.obj
width#1=50
depth#1=60.5
height#1=90
movable#1=true
doorOrWindow#1=false
modelRotation#1=1 0 0 0 0 1 0 -1 0
creator#1=somebody
"""
COUNTS = st.sampled_from([-1, 0, 1, 3, 10**6, 2**31, 10**12, 10**20])
INDICES = st.lists(st.sampled_from([-1, 0, 1, 2, 3, 4, 2**31, -(2**31), 10**10]), min_size=0, max_size=6)


def sphere() -> trimesh.Trimesh:
    shape = trimesh.creation.icosphere(1)
    shape.visual.vertex_colors = np.abs(np.rint(255 * shape.vertices)).astype(np.uint8)
    return shape


def painted() -> build.File:
    """A square with a texture, a second part with colours, a skin, a morph and an instance."""
    file = build.File()
    file.square()
    colours = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
    attributes = {"POSITION": file.array(build.CORNERS), "COLOR_0": file.array(colours)}
    targets = [{"POSITION": file.array(build.CORNERS / 10)}]
    primitive = {"attributes": attributes, "indices": file.array(build.INDICES, "u2"), "targets": targets, "mode": 4}
    part = file.add("meshes", primitives=[primitive], weights=[0.5])
    file.header["scenes"][0]["nodes"].append(file.add("nodes", mesh=part, translation=[0, 0, 2], rotation=[0, 0, 0, 1]))
    return file


def check(mesh: Mesh) -> None:
    """Assert that a mesh can be rendered and sampled."""
    faces = mesh.faces
    assert faces.ndim == 2 and faces.shape[1] == 3 and len(faces)
    assert faces.min() >= 0 and faces.max() < len(mesh.vertices)
    assert np.isfinite(mesh.vertices[faces]).all() and np.isfinite(mesh.uv[faces]).all()
    assert np.isfinite(mesh.normals[faces]).all() and np.abs(mesh.normals[faces]).max() < 1.01
    assert mesh.face_material.min() >= 0 and mesh.face_material.max() < len(mesh.materials)
    colours = mesh.colours[faces]
    assert np.isfinite(colours).all() and colours.min() >= 0 and colours.max() <= 1
    whole, centre, scale = normalise(mesh)
    assert np.isfinite([*centre, scale]).all() and scale > 0
    points, painted_as = sample_surface(whole, 50, np.random.default_rng(0))
    assert np.isfinite(points).all() and np.abs(points).max() <= 0.5 + 1e-6 and np.isfinite(painted_as).all()


def read(folder: pathlib.Path) -> None:
    (path,) = folder.glob("mesh.*")
    check(load_mesh(path))


def read_library(folder: pathlib.Path) -> None:
    archive = Archive(folder / "library.sh3f")
    pieces = read_catalogue(archive)
    assert pieces
    for piece in pieces:
        assert piece.problem or np.isfinite(piece.rotation).all()
        if piece.model:
            try:
                archive.read(piece.model)
            except UserError as error:
                assert "\n" not in str(error)
    (folder / "unpacked").mkdir()
    archive.unpack(folder / "unpacked")


def library(*, catalogue: str = FURNITURE, **files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("PluginFurnitureCatalog.properties", catalogue)
        file.writestr("chair/chair.obj", OBJ)
        file.writestr("LICENSE.TXT", "CC BY")
        for name, content in files.items():
            file.writestr(name, content)
    return out.getvalue()


def ply(vertices: object, faces: object, indices: list[int], kind: str) -> bytes:
    """A PLY whose header declares any numbers of things."""
    head = f"ply\nformat {kind} 1.0\nelement vertex {vertices}\nproperty float x\nproperty float y\nproperty float z\n"
    head += f"element face {faces}\nproperty list uchar int vertex_indices\nend_header\n"
    if kind == "ascii":
        return (head + "0 0 0\n1 0 0\n0 1 0\n" + " ".join(map(str, [len(indices), *indices])) + "\n").encode()
    order = "<" if "little" in kind else ">"
    numbers = [np.clip(index, -(2**31), 2**31 - 1) for index in indices]
    body = struct.pack(f"{order}9fB{len(numbers)}i", 0, 0, 0, 1, 0, 0, 0, 1, 0, len(numbers), *map(int, numbers))
    return head.encode() + body


def gltf(accessor: dict) -> bytes:
    """A glTF with an accessor that declares any sizes, with or without a view of bytes."""
    file = build.File()
    file.square(material={})
    file.header["accessors"][0] |= accessor
    return file.gltf()


def _export(name: str, **options: str):
    def write(folder: pathlib.Path) -> None:
        data = sphere().export(file_type=options.pop("file_type", name), **options)
        (folder / f"mesh.{name}").write_bytes(data.encode() if isinstance(data, str) else data)

    return write


def _write_obj(folder: pathlib.Path) -> None:
    (folder / "mesh.obj").write_text(OBJ)
    (folder / "box.mtl").write_text(MTL)
    picture().save(folder / "paint.png")


_PLY = st.builds(ply, COUNTS, COUNTS, INDICES, st.sampled_from(["ascii", "binary_little_endian", "binary_big_endian"]))
_OFF = st.builds(
    lambda v, f, i: f"OFF\n{v} {f} 0\n0 0 0\n1 0 0\n0 1 0\n{len(i)} {' '.join(map(str, i))}\n".encode(),
    COUNTS, COUNTS, INDICES,
)  # fmt: skip
_STL = st.sampled_from([0, 1, 2, 2**31, 2**32 - 1]).map(lambda n: bytes(80) + struct.pack("<I", n) + bytes(100))
_OBJ = st.builds(
    lambda i, w: (OBJ + f"f {' '.join(map(str, i))}\nv {w} 0 1\nf 1 2 5\n").encode(),
    INDICES,
    st.sampled_from(["nan", "1e400", "x", "1e300", "-1"]),
)
_GLTF = st.fixed_dictionaries(
    {},
    optional={
        "count": COUNTS, "bufferView": st.sampled_from([None, -1, 0, 99]), "byteOffset": COUNTS,
        "componentType": st.sampled_from([5120, 5126, 0, 5130]),
        "type": st.sampled_from(["VEC3", "MAT4", "x", "SCALAR"]),
        "sparse": st.fixed_dictionaries({"count": COUNTS}), "min": st.just([None]),
    },
).map(gltf)  # fmt: skip
_FILES = st.fixed_dictionaries(
    {}, optional={"../out.txt": st.just(b"x"), "/abs.obj": st.just(b"x"), "zeros.obj": st.just(bytes(80_000_000))}
).map(lambda files: library(**files))
TARGETS = [
    Target("obj", "meshes", _write_obj, read, [_OBJ.map(lambda data: {"mesh.obj": data})]),
    Target("ply", "meshes", _export("ply", encoding="ascii"), read, [_PLY.map(lambda data: {"mesh.ply": data})]),
    Target("binary ply", "meshes", _export("ply"), read),
    Target("off", "meshes", _export("off"), read, [_OFF.map(lambda data: {"mesh.off": data})]),
    Target("stl", "meshes", _export("stl"), read, [_STL.map(lambda data: {"mesh.stl": data})]),
    Target("text stl", "meshes", _export("stl", file_type="stl_ascii"), read),
    Target("glb", "meshes", lambda folder: (folder / "mesh.glb").write_bytes(painted().glb()), read),
    Target(
        "gltf", "meshes", lambda folder: (folder / "mesh.gltf").write_bytes(painted().gltf()), read,
        [_GLTF.map(lambda data: {"mesh.gltf": data})],
    ),
    Target(
        "library", "meshes", lambda folder: (folder / "library.sh3f").write_bytes(library()), read_library,
        [_FILES.map(lambda data: {"library.sh3f": data})],
    ),
]  # fmt: skip
