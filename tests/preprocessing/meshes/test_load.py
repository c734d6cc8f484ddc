"""Reading mesh files: geometry, colours, textures and materials of every format, broken files."""

import json
import struct

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from preprocessing.meshes.colours import UNCOLOURED
from preprocessing.meshes.load import load_mesh
from utils.errors import UserError
from utils.mesh import sampling
from utils.mesh.mesh import albedo


def textured_box(image, **material):
    """A trimesh box whose every face shows the whole image."""
    box = trimesh.creation.box()
    box.unmerge_vertices()
    uv = np.tile([[0, 0], [1, 0], [1, 1]], (len(box.faces), 1))
    box.visual = TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=image, **material))
    return box


def load_colour(path):
    """Mean albedo of the surface of a mesh file."""
    return sampling.sample_surface(load_mesh(path), 2000, np.random.default_rng(0))[1].mean(0)


def test_scene_transforms_mirrors_and_materials(tmp_path):
    scene = trimesh.Scene()
    for name, colour, mirror in (("left", (255, 0, 0), 1), ("right", (0, 0, 255), -1)):
        shape = textured_box(Image.new("RGB", (4, 4), colour))
        turn = trimesh.transformations.rotation_matrix(0.4, [1, 2, 3])
        place = trimesh.transformations.translation_matrix([-3.0 * mirror, 0, 0])
        scene.add_geometry(shape, geom_name=name, transform=place @ np.diag([mirror, 2, 1, 1]) @ turn)
    scene.export(tmp_path / "two.glb")
    mesh = load_mesh(tmp_path / "two.glb")
    assert np.allclose(mesh.vertices.min(0)[0] + mesh.vertices.max(0)[0], 0, atol=0.5)
    assert trimesh.Trimesh(mesh.vertices, mesh.faces).volume == pytest.approx(4)  # a flipped part would count negative
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    outward = np.cross(b - a, c - a)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    assert np.allclose(np.einsum("fc,fkc->fk", outward, mesh.normals[mesh.faces]), 1, atol=1e-5)
    points, colours = sampling.sample_surface(mesh, 1000, np.random.default_rng(0))
    assert np.array_equal(colours, np.where(points[:, :1] < 0, [[255, 0, 0]], [[0, 0, 255]]))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "I;16", "RGB", "RGBA"])
def test_images_of_every_mode(tmp_path, mode):
    grey = 255 if mode == "1" else 204  # 204 is in the web palette that P takes
    if mode == "I;16":
        image = Image.fromarray(np.full((4, 4), grey * 257, np.uint16))
    else:
        image = Image.new("RGB", (4, 4), (grey,) * 3).convert(mode)
    image.save(tmp_path / "skin.png")
    (tmp_path / "skin.mtl").write_text("newmtl skin\nKd 0 0 0\nmap_Kd skin.png\n")
    (tmp_path / "box.obj").write_text(
        "mtllib skin.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl skin\nf 1/1 2/2 3/3\n"
    )
    assert np.abs(load_colour(tmp_path / "box.obj") - grey).max() <= 1


def test_large_textures_are_made_smaller(tmp_path):
    image = Image.new("RGB", (3000, 30), (10, 200, 30))
    textured_box(image).export(tmp_path / "box.glb")
    mesh = load_mesh(tmp_path / "box.glb")
    assert mesh.materials[0].image.shape == (10, 1024, 4)
    assert np.abs(load_colour(tmp_path / "box.glb") - [10, 200, 30]).max() <= 1


def test_vertex_and_face_colours(tmp_path):
    box = trimesh.creation.box()
    box.visual.vertex_colors = np.tile([255, 128, 0, 255], (8, 1)).astype(np.uint8)
    box.export(tmp_path / "vertex.ply")
    assert np.allclose(load_colour(tmp_path / "vertex.ply"), [255, 128, 0], atol=0.6)
    box = trimesh.creation.box()
    box.visual.face_colors = np.where(box.face_normals[:, :1] > 0.5, [[255, 0, 0, 255]], [[0, 255, 0, 255]]).astype(
        np.uint8
    )
    box.export(tmp_path / "face.ply")
    mesh = load_mesh(tmp_path / "face.ply")
    points, colours = sampling.sample_surface(mesh, 1000, np.random.default_rng(0))
    assert np.array_equal(colours[:, 0] == 255, points[:, 0] > 0.4999)
    assert trimesh.Trimesh(mesh.vertices, mesh.faces).volume == pytest.approx(1)
    (tmp_path / "float.obj").write_text("v 0 0 0 0.2 0.4 1\nv 1 0 0 0.2 0.4 1\nv 0 1 0 0.2 0.4 1\nf 1 2 3\n")
    assert np.allclose(load_colour(tmp_path / "float.obj"), [51, 102, 255], atol=1)
    (tmp_path / "plain.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert np.allclose(load_colour(tmp_path / "plain.obj"), UNCOLOURED * 255, atol=1)


def write_glb(path, colours=None, component=5126, **header):
    """A one-triangle GLB with optional COLOR_0 of any component type."""
    chunks = [np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32).tobytes()]
    accessors = [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}]
    attributes = {"POSITION": 0}
    if colours is not None:
        chunks.append(colours.tobytes())
        accessors.append(
            {"bufferView": 1, "componentType": component, "normalized": component != 5126, "count": 3, "type": "VEC4"}
        )
        attributes["COLOR_0"] = 1
    starts = np.cumsum([0] + [len(chunk) for chunk in chunks])
    views = [
        {"buffer": 0, "byteOffset": int(start), "byteLength": len(chunk)}
        for start, chunk in zip(starts, chunks, strict=False)
    ]
    primitive = {"attributes": attributes, **({"material": 0} if "materials" in header else {})}
    text = json.dumps(
        {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [primitive]}],
            "accessors": accessors,
            "bufferViews": views,
            "buffers": [{"byteLength": int(starts[-1])}],
            **header,
        }
    ).encode()
    text += b" " * (-len(text) % 4)
    body = b"".join(chunks)
    path.write_bytes(
        struct.pack("<4sIIII", b"glTF", 2, 28 + len(text) + len(body), len(text), 0x4E4F534A)
        + text
        + struct.pack("<I4s", len(body), b"BIN\0")
        + body
    )


@pytest.mark.parametrize(("dtype", "component"), [(np.uint8, 5121), (np.uint16, 5123), (np.float32, 5126)])
@pytest.mark.parametrize("material", [False, True])
def test_gltf_colours_are_linear_light(tmp_path, dtype, component, material):
    top = np.iinfo(dtype).max if dtype != np.float32 else 1
    colours = np.tile(np.array([1, 0.5, 0, 1]) * top, (3, 1)).astype(dtype)
    header = {"materials": [{"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 0.5, 1]}}]} if material else {}
    write_glb(tmp_path / "a.glb", colours, component, **header)
    assert np.allclose(load_colour(tmp_path / "a.glb"), [255, 187.5, 0], atol=1)  # sRGB of linear 0.5 is 0.735


def test_gltf_factor_and_required_extensions(tmp_path):
    write_glb(tmp_path / "a.glb", materials=[{"pbrMetallicRoughness": {"baseColorFactor": [0.2140, 1, 0, 1]}}])
    assert np.allclose(load_colour(tmp_path / "a.glb"), [127.5, 255, 0], atol=1)  # sRGB 0.5
    write_glb(tmp_path / "b.glb", extensionsRequired=["EXT_meshopt_compression", "ABC_own"])
    with pytest.raises(UserError, match="b.glb needs EXT_meshopt_compression, ABC_own"):
        load_mesh(tmp_path / "b.glb")


@pytest.mark.parametrize(
    ("mode", "cutoff", "share"), [("OPAQUE", None, 1), ("BLEND", None, 0.75), ("MASK", 0.3, 0.5), ("MASK", None, 0.25)]
)
def test_absent_texels(tmp_path, mode, cutoff, share):
    alpha = np.repeat(np.array([0, 60, 100, 255], np.uint8), 64)  # columns, in four blocks
    image = np.full((4, 256, 4), 90, np.uint8)
    image[..., 3] = alpha
    textured_box(Image.fromarray(image), alphaMode=mode, alphaCutoff=cutoff).export(tmp_path / "box.glb")
    mesh = load_mesh(tmp_path / "box.glb")
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 40000))
    weights = np.stack([1 - x, x - np.minimum(x, y), np.minimum(x, y)], 1)
    weights = weights[x >= y]  # uniform in the triangle (0,0) (1,0) (1,1)
    present = albedo(mesh, np.zeros(len(weights), int), weights)[1]
    # the triangle's part with u > t has the share 1 - t^2
    assert present.mean() == pytest.approx(1 - (1 - share) ** 2, abs=0.02)
    uv = weights[present] @ mesh.uv[mesh.faces[0]]
    assert uv[:, 0].min() == pytest.approx(1 - share, abs=0.01)


def test_a_missing_texture_is_warned_of_and_its_factor_used(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 1 0 0\nmap_Kd gone.png\n")
    (tmp_path / "a.obj").write_text("mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl m\nf 1/1 2/1 3/1\n")
    with pytest.warns(UserWarning, match="a.obj: gone.png is missing"):
        assert np.array_equal(load_colour(tmp_path / "a.obj"), [255, 0, 0])
    textured_box(Image.new("RGB", (4, 4), (9, 9, 9))).export(tmp_path / "b.gltf")
    header = json.loads((tmp_path / "b.gltf").read_text())
    header["images"] = [{"uri": "gone.png"}]
    (tmp_path / "b.gltf").write_text(json.dumps(header))
    with pytest.warns(UserWarning, match="b.gltf: gone.png is missing"):
        assert np.array_equal(load_colour(tmp_path / "b.gltf"), [255, 255, 255])
    (tmp_path / "c.obj").write_text("mtllib none.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl m\nf 1 2 3\n")
    with pytest.warns(UserWarning, match="none.mtl is missing"):
        load_mesh(tmp_path / "c.obj")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.obj", "", "cannot be read|holds no triangles"),
        ("points.obj", "v 0 0 0\nv 1 1 1\n", "holds no triangles"),
        ("nan.obj", "v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("line.obj", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "no face with an area"),
        ("broken.glb", "glTF nonsense that is long enough", "cannot be read"),
        ("short.glb", "g", "cannot be read"),
        ("broken.gltf", "[1, 2]", "cannot be read"),
        ("broken.ply", "ply\nnonsense", "cannot be read"),
        ("broken.off", "OFF\n9 9 0\n1 2 3", "cannot be read"),
        ("mesh.stp", "", "is not a mesh"),
    ],
)
def test_unusable_files_say_why_in_one_line(tmp_path, name, content, reason):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=reason) as caught:
        load_mesh(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(UserError, match="missing"):
        load_mesh(tmp_path / "nowhere.obj")
