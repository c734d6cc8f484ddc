"""Triangles of glTF files: arrays of all kinds, nodes, morph targets, skins, instances."""

import json
import struct

import DracoPy
import numpy as np
import pygltflib
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from preprocessing.meshes.load import load_mesh
from tests.preprocessing.meshes.gltf.build import CORNERS, INDICES, UV, File, assert_is_square
from utils.errors import UserError
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.mesh.mesh import area_vectors, normalise
from utils.rendering.raycast import Scene

TURN = Rotation.from_rotvec([0.3, -1.1, 0.4])
QUATERNION = TURN.as_quat().tolist()


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
@pytest.mark.parametrize("stride", [None, 20])
def test_a_square(tmp_path, suffix, stride):
    file = File()
    file.square(position=file.array(CORNERS, stride=stride))
    assert_is_square(file.load(tmp_path, suffix))


def test_the_content_tells_gltf_from_glb(tmp_path):
    file = File()
    file.square()
    (tmp_path / "a.gltf").write_bytes(file.glb())
    assert_is_square(load_mesh(tmp_path / "a.gltf"))
    (tmp_path / "b.glb").write_bytes(b"\xef\xbb\xbf" + file.gltf())
    assert_is_square(load_mesh(tmp_path / "b.glb"))
    (tmp_path / "c.glb").write_bytes(file.glb() + b"rest of a larger file")
    assert_is_square(load_mesh(tmp_path / "c.glb"))


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
@pytest.mark.parametrize(
    ("mode", "indices"),
    [(4, [0, 1, 2, 0, 2, 3]), (4, [0, 1, 2, 0, 2, 3, 1, 0]), (5, [0, 1, 3, 2]), (6, [0, 1, 2, 3])],
)
def test_triangle_modes(tmp_path, dtype, mode, indices):
    indexed = File()
    indexed.square(indices=indexed.array(indices, dtype), mode=mode)
    assert_is_square(indexed.load(tmp_path))
    plain = File()
    plain.square(CORNERS[indices], UV[indices], None, mode=mode)
    assert_is_square(plain.load(tmp_path))


def test_strips_of_many_triangles_are_wound_alike(tmp_path):
    file = File()
    x = np.repeat(np.arange(20.0), 2)
    strip = np.stack([x, np.tile([0.0, 1], 20), np.zeros(40)], 1)[:39]
    file.square(strip, None, None, material={}, mode=5)
    mesh = file.load(tmp_path)
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    assert len(mesh.faces) == 37 and np.allclose(np.cross(b - a, c - a), [0, 0, -1])


def test_points_and_lines_do_not_count(tmp_path):
    file = File()
    square = file.square()
    for mode in (0, 1, 2, 3):
        file.header["meshes"][0]["primitives"].append({**square, "mode": mode})
    mesh = file.load(tmp_path)
    assert len(mesh.faces) == 2
    file.header["meshes"][0]["primitives"].pop(0)
    with pytest.raises(UserError, match="no triangles"):
        file.load(tmp_path)


@pytest.mark.parametrize(("dtype", "top"), [("i1", 127), ("u1", 255), ("i2", 32767), ("u2", 65535)])
def test_quantised_positions_and_coordinates(tmp_path, dtype, top):
    file = File()
    file.header["extensionsRequired"] = ["KHR_mesh_quantization"]
    step = 4 if dtype.endswith("1") else 8
    normalised = (CORNERS + 0.5) * top
    file.square(
        file.array(normalised, dtype, stride=step, normalized=True),
        file.array(UV * top, dtype, stride=4, normalized=True),
    )
    file.header["nodes"][0]["translation"] = [-0.5, -0.5, -0.5]
    mesh = file.load(tmp_path)
    mesh.vertices[:, 2] = 0
    assert_is_square(mesh)
    plain = File()  # integers as they are, made smaller by the node and by the texture's transform
    texture = {"index": plain.texture(), "extensions": {"KHR_texture_transform": {"scale": [0.1, 0.1]}}}
    plain.square(
        plain.array(CORNERS * 100 + 50, dtype, stride=step),
        plain.array(UV * 10, dtype, stride=4),
        material={"pbrMetallicRoughness": {"baseColorTexture": texture}},
    )
    plain.header["nodes"][0] |= {"translation": [-0.5, -0.5, -0.5], "scale": [0.01] * 3}
    mesh = plain.load(tmp_path)
    mesh.vertices[:, 2] = 0
    assert_is_square(mesh)


def test_negative_integers_reach_minus_one_once(tmp_path):
    file = File()
    values = [[-128, -127, 0], [127, -127, 0], [127, 127, 0], [-127, 127, 0]]
    file.square(file.array(values, "i1", stride=4, normalized=True))
    mesh = file.load(tmp_path)
    assert np.array_equal(mesh.vertices, CORNERS * 2)


def sparse_array(file, base, places, values, dtype="u2", **more):
    """An accessor of `base` (None: zeros), of which some rows are replaced."""
    sparse = {
        "count": len(places),
        "indices": {
            "bufferView": file.view(np.asarray(places, f"<{dtype}").tobytes()),
            "componentType": {"u1": 5121, "u2": 5123, "u4": 5125}[dtype],
        },
        "values": {"bufferView": file.view(np.asarray(values, "<f4").tobytes())},
    }
    more |= {} if base is None else {"bufferView": file.view(np.asarray(base, "<f4").tobytes())}
    return file.accessor(5126, 4, f"VEC{np.shape(values)[1]}", sparse=sparse, **more)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
def test_sparse_arrays(tmp_path, dtype):
    wrong = CORNERS.copy()
    wrong[[1, 3]] = 9
    for base, places in ((wrong, [1, 3]), (None, [0, 1, 2, 3])):
        file = File()
        file.square(sparse_array(file, base, places, CORNERS[places], dtype))
        assert_is_square(file.load(tmp_path))
    file = File()
    file.square(uv=sparse_array(file, None, [0, 1, 2], UV[:3], dtype))
    assert_is_square(file.load(tmp_path))
    file = File()
    file.square(sparse_array(file, wrong, [1, 4], CORNERS[[1, 3]], dtype))
    with pytest.raises(UserError, match="replaces elements"):
        file.load(tmp_path)


def test_nodes_matrices_and_mirrors(tmp_path):
    turn = TURN.as_matrix() @ np.diag([1, 2, 3])
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    for node in ({"rotation": QUATERNION, "scale": [1, 2, 3]}, {"matrix": matrix.T.ravel().tolist()}):
        file = File()
        file.square()
        file.header["nodes"] = [node | {"children": [1]}, {"mesh": 0}]
        mesh = file.load(tmp_path)
        assert np.allclose(mesh.vertices, CORNERS @ turn.T, atol=1e-6)
    file = File()
    box = trimesh.creation.box()
    file.square(box.vertices, None, box.faces.ravel(), material={}, attributes={})
    attributes = {"POSITION": file.array(box.vertices), "NORMAL": file.array(box.vertices / 0.75**0.5)}
    file.header["meshes"][0]["primitives"][0]["attributes"] = attributes
    for scale in ([-1, 2, 3], [-1, -2, 3], [-1, -2, -3]):
        file.header["nodes"][0] = {"mesh": 0, "scale": scale, "rotation": QUATERNION}
        mesh = file.load(tmp_path)
        assert trimesh.Trimesh(mesh.vertices, mesh.faces).volume == pytest.approx(6, rel=1e-5)
        expected = TURN.apply(box.vertices / scale)
        assert np.allclose(mesh.normals, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize("mirror", [1, -1])
@pytest.mark.parametrize("skinned", [False, True])
def test_without_normals_faces_are_flat(tmp_path, mirror, skinned):
    """As the specification wants it (section 3.7.2.1), also where faces share vertices."""
    ball, file = trimesh.creation.icosphere(1), File()
    primitive = file.square(ball.vertices, None, ball.faces.ravel(), {})
    file.header["nodes"][0]["scale"] = [mirror, 1, 2]
    if skinned:
        joints, weights = np.zeros((len(ball.vertices), 4)), np.tile([1, 0, 0, 0], (len(ball.vertices), 1))
        primitive["attributes"] |= {"JOINTS_0": file.array(joints, "u1"), "WEIGHTS_0": file.array(weights)}
        file.header["nodes"] = [{"mesh": 0, "skin": 0}, {"scale": [mirror, 1, 2]}]
        file.header["skins"] = [{"joints": [1]}]
    mesh = file.load(tmp_path)
    areas = area_vectors(mesh.vertices, mesh.faces)
    assert np.allclose(mesh.normals[mesh.faces], (areas / np.linalg.norm(areas, axis=1, keepdims=True))[:, None])
    image = Scene(normalise(mesh)[0]).render(compose(intrinsics(96), look_at(30, 20, 3)), 96, samples=1)
    assert len(np.unique(image[image[..., 3] > 0], axis=0)) <= len(ball.faces) / 2  # one brightness for each face
    primitive["attributes"]["NORMAL"] = file.array(ball.vertices)
    smooth = file.load(tmp_path)
    assert len(smooth.vertices) == len(ball.vertices)
    assert not np.allclose(smooth.normals[smooth.faces], mesh.normals[mesh.faces])


def test_scenes(tmp_path):
    file = File()
    file.square()
    file.header |= {"nodes": [{"mesh": 0, "translation": [7, 0, 0]}, {"mesh": 0}], "scenes": [{"nodes": [0]}]}
    file.header["scenes"].append({"nodes": [1]})
    file.header["scene"] = 1
    assert_is_square(file.load(tmp_path))
    del file.header["scene"]
    assert file.load(tmp_path).vertices[:, 0].min() == 6.5
    file.header["scenes"] = []
    assert len(file.load(tmp_path).faces) == 4
    file.header["nodes"][0]["extensions"] = {"KHR_node_visibility": {"visible": False}}
    assert_is_square(file.load(tmp_path))
    for absent in ("nodes", "scenes"):  # a library of meshes
        del file.header[absent]
    assert_is_square(file.load(tmp_path))


@pytest.mark.parametrize("of_node", [False, True])
def test_morph_targets(tmp_path, of_node):
    file = File()
    start = CORNERS * [1, 0.1, 1]
    targets = [
        {"POSITION": file.array((CORNERS - start) * 2), "TEXCOORD_0": file.array(UV)},
        {"POSITION": file.array(CORNERS + 100)},
    ]
    primitive = file.square(start, UV / 2, targets=targets)
    file.header["meshes"][0]["weights"] = [7, 7] if of_node else [0.5, 0]
    if of_node:
        file.header["nodes"][0]["weights"] = [0.5, 0]
    assert_is_square(file.load(tmp_path))
    small = file.array(CORNERS - start, stride=16)
    primitive["targets"] = [{"POSITION": small}, {"POSITION": small, "TEXCOORD_0": file.array(UV / 2)}]
    file.header["nodes"][0]["weights"] = [0, 1.0]
    assert_is_square(file.load(tmp_path))
    file.header["nodes"][0]["weights"] = []  # as if there were none
    file.header["meshes"][0]["weights"] = [0, 1.0]
    assert_is_square(file.load(tmp_path))
    file.header["nodes"][0].pop("weights")
    file.header["meshes"][0].pop("weights")  # then all are 0
    assert np.allclose(file.load(tmp_path).vertices, start)


def skinned(file, joints, weights, **more):
    """A skinned square; its own node, which is to be ignored, is large and far away."""
    primitive = file.square()
    primitive["attributes"] |= {"JOINTS_0": joints, "WEIGHTS_0": weights}
    file.header["skins"] = [{"joints": [1, 2], **more}]
    file.header["nodes"] = [
        {"mesh": 0, "skin": 0, "translation": [9, 9, 9], "scale": [5, 5, 5]},
        {"rotation": QUATERNION, "children": [2]},
        {"translation": [0, 0, 1]},
    ]
    file.header["scenes"] = [{"nodes": [0]}]


@pytest.mark.parametrize(("dtype", "top"), [("f4", 1), ("u1", 255), ("u2", 65535)])
@pytest.mark.parametrize("joint_dtype", ["u1", "u2", "i2", "f4"])
def test_skins(tmp_path, dtype, top, joint_dtype):
    file = File()
    joints = file.array([[0, 200, 0, 0]] * 4, joint_dtype)  # a joint with a weight of 0 may be anything
    weights = file.array([[top, 0, 0, 0]] * 4, dtype, normalized=dtype != "f4")
    skinned(file, joints, weights)
    assert_is_square(file.load(tmp_path), TURN.as_matrix())
    move, away = np.eye(4), np.eye(4)
    move[:3, 3], away[:3, 3] = [1, 2, 3], [5, 5, 5]
    matrices = file.array([move.T.ravel(), away.T.ravel()])
    file.header["skins"][0]["inverseBindMatrices"] = matrices
    assert np.allclose(file.load(tmp_path).vertices, TURN.apply(CORNERS + [1, 2, 3]), atol=1e-5)


def test_skins_blend_joints_of_several_sets(tmp_path):
    file = File()
    skinned(file, file.array([[0] * 4] * 4, "u1"), file.array([[0.5, 0, 0, 0]] * 4))
    attributes = file.header["meshes"][0]["primitives"][0]["attributes"]
    attributes |= {"JOINTS_1": file.array([[1, 0, 0, 0]] * 4, "u1"), "WEIGHTS_1": file.array([[1.5, 0, 0, 0]] * 4)}
    expected = TURN.apply(CORNERS + [0, 0, 0.75])
    assert np.allclose(file.load(tmp_path).vertices, expected, atol=1e-5)
    for dtype, wrong in (("u1", 2), ("f4", 0.5), ("i2", -1)):
        attributes["JOINTS_1"] = file.array([[wrong, 0, 0, 0]] * 4, dtype)
        with pytest.raises(UserError, match=f"follows joint {wrong} of 2"):
            file.load(tmp_path)
    del attributes["WEIGHTS_1"]  # joints without weights move nothing
    assert_is_square(file.load(tmp_path), TURN.as_matrix())


def test_instances(tmp_path):
    file = File()
    file.square()
    places = np.array([[0.0, 0, 0], [2, 0, 0], [0, 3, 0]])
    turns = Rotation.from_rotvec([[0, 0, 0], [0, 0, np.pi / 2], [0, 0.5, 0]])
    scales = np.array([[1.0, 1, 1], [1, 2, 1], [-2, 1, 1]])
    quaternions = file.array(np.rint(turns.as_quat() * 32767), "i2", normalized=True)
    attributes = {"TRANSLATION": file.array(places), "ROTATION": quaternions, "SCALE": file.array(scales)}
    node = {"mesh": 0, "extensions": {"EXT_mesh_gpu_instancing": {"attributes": attributes}}, "scale": [2, 2, 2]}
    file.header["nodes"] = [node]
    mesh = file.load(tmp_path)
    expected = [
        2 * (turn.apply(CORNERS * scale) + place) for place, turn, scale in zip(places, turns, scales, strict=True)
    ]
    assert np.allclose(mesh.vertices.reshape(3, 4, 3), expected, atol=1e-3)
    attributes["TRANSLATION"] = file.array(places[:2])
    with pytest.raises(UserError, match="different numbers"):
        file.load(tmp_path)
    attributes.clear()
    attributes["_ID"] = file.array([1, 2, 3], "u2")  # an application's own, which moves nothing
    node.pop("scale")
    assert_is_square(file.load(tmp_path))


def test_primitives_share_vertices(tmp_path):
    file = File()
    primitive = file.square(np.concatenate([CORNERS, CORNERS + 100]), np.tile(UV, (2, 1)))
    for part in (INDICES[:3], INDICES[3:]):
        file.header["meshes"][0]["primitives"].append({**primitive, "indices": file.array(part, "u1")})
    file.header["meshes"][0]["primitives"].pop(0)
    mesh = file.load(tmp_path)
    assert len(mesh.vertices) == 6
    assert_is_square(mesh)


def test_draco(tmp_path):
    generic = {7: (UV * 65535).astype(np.uint16)}
    options = {"quantization_bits": 16, "preserve_order": True, "generic_attributes": generic}
    data = DracoPy.encode(CORNERS.astype(np.float32), INDICES.reshape(-1, 3).astype(np.uint32), **options)
    numbers = {attribute["attribute_type"]: attribute["unique_id"] for attribute in DracoPy.decode(data).attributes}
    file = File()
    file.header["extensionsRequired"] = ["KHR_draco_mesh_compression"]
    compressed = {"bufferView": file.view(data), "attributes": {"POSITION": numbers[0], "TEXCOORD_0": 7}}
    file.square(
        file.accessor(5126, 4, "VEC3"),
        file.accessor(5123, 4, "VEC2", normalized=True),
        file.accessor(5125, 6, "SCALAR"),
        extensions={"KHR_draco_mesh_compression": compressed},
    )
    assert_is_square(file.load(tmp_path))
    compressed["attributes"]["TEXCOORD_0"] = 19
    with pytest.raises(UserError, match="have no attribute 19"):
        file.load(tmp_path)
    compressed["bufferView"] = file.view(data[: len(data) // 2])
    with pytest.raises(UserError, match="Draco data cannot be decoded"):
        file.load(tmp_path)


def test_meshopt_is_read_uncompressed_or_refused(tmp_path):
    file = File()
    file.square()
    extension = {"EXT_meshopt_compression": {"buffer": 0, "byteLength": 9, "count": 4, "mode": "ATTRIBUTES"}}
    for view in file.header["bufferViews"]:
        view["extensions"] = extension
    assert_is_square(file.load(tmp_path))
    header = file.header | {
        "buffers": [{"byteLength": 999, "extensions": {"EXT_meshopt_compression": {"fallback": True}}}]
    }
    (tmp_path / "a.gltf").write_text(json.dumps(header))
    with pytest.raises(UserError, match=r"a.gltf is compressed with meshoptimizer \(EXT_meshopt_compression\)"):
        load_mesh(tmp_path / "a.gltf")


def test_trimesh_as_an_independent_writer(tmp_path):
    rng = np.random.default_rng(1)
    ball = trimesh.creation.icosphere(subdivisions=2)
    ball.visual.vertex_colors = rng.integers(0, 255, (len(ball.vertices), 4), np.uint8)
    scene = trimesh.Scene()
    placed = []
    for number in range(3):
        matrix = trimesh.transformations.random_rotation_matrix(rng.random(3))
        matrix[:3, 3] = rng.normal(size=3) * 5
        scene.add_geometry(ball, transform=matrix, node_name=str(number))
        placed.append(trimesh.transform_points(ball.vertices, matrix))
    for suffix in (".glb", ".gltf"):
        folder = tmp_path / suffix[1:]
        folder.mkdir()
        scene.export(str(folder / f"a{suffix}"))
        mesh = load_mesh(folder / f"a{suffix}")
        corners = mesh.vertices[mesh.faces]
        expected = np.concatenate([points[ball.faces] for points in placed])
        order, other = (np.lexsort(c.mean(1).round(3).T) for c in (corners, expected))
        assert np.allclose(np.sort(corners[order], 1), np.sort(expected[other], 1), atol=1e-5)


def test_pygltflib_as_an_independent_writer(tmp_path):
    file = File()
    file.square()
    (tmp_path / "a.glb").write_bytes(file.glb())
    document = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    for name in ("b.glb", "b.gltf"):
        document.save(str(tmp_path / name))
        assert_is_square(load_mesh(tmp_path / name))
    assert struct.unpack("<4sI", (tmp_path / "b.glb").read_bytes()[:8]) == (b"glTF", 2)
