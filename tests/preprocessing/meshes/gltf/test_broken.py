"""Broken and hostile glTF files: one line that says why, in little time and memory."""

import importlib
import json
import os
import resource
import struct
import time
import warnings

import DracoPy
import numpy as np
import pytest

from preprocessing.meshes.load import load_mesh
from tests.preprocessing.meshes.gltf.build import CORNERS, INDICES, File, assert_is_square, png
from utils.errors import UserError
from utils.mesh.mesh import Mesh


def rich_file():
    """A file with some of everything."""
    file = File()
    picture = {
        "index": file.texture(sampler={"wrapS": 33648, "wrapT": 33071}),
        "extensions": {"KHR_texture_transform": {"offset": [0.1, 0.2], "rotation": 0.3, "scale": [2, 2]}},
    }
    material = {"pbrMetallicRoughness": {"baseColorTexture": picture, "baseColorFactor": [1, 0.5, 1, 1]}}
    material |= {"emissiveTexture": {"index": 0}, "emissiveFactor": [0.1, 0.2, 0.3], "alphaMode": "MASK"}
    targets = [{"POSITION": file.array(CORNERS)}, {"POSITION": file.array(CORNERS * 2)}]
    square = file.square(material=material, targets=targets)
    square["attributes"] |= {
        "NORMAL": file.array(CORNERS + [0, 0, 1]),
        "COLOR_0": file.array([[9, 99, 200, 255]] * 4, "u1", normalized=True),
        "JOINTS_0": file.array([[0, 1, 0, 0]] * 4, "u1"),
        "WEIGHTS_0": file.array([[0.5, 0.5, 0, 0]] * 4),
    }
    file.header["meshes"][0]["weights"] = [0.2, 0.1]
    draco = DracoPy.encode(CORNERS.astype(np.float32), INDICES.reshape(-1, 3).astype(np.uint32))
    extension = {"KHR_draco_mesh_compression": {"bufferView": file.view(draco), "attributes": {"POSITION": 0}}}
    compressed = {"attributes": {"POSITION": file.accessor(5126, 4, "VEC3")}, "extensions": extension}
    sparse = {
        "count": 1,
        "indices": {"bufferView": file.view(b"\1\0"), "componentType": 5123},
        "values": {"bufferView": file.view(np.float32([2, 2, 2]).tobytes())},
    }
    thin = {"attributes": {"POSITION": file.array(CORNERS, sparse=sparse)}, "mode": 5}
    file.add("meshes", primitives=[compressed, thin])
    copies = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": file.array(CORNERS)}}}
    file.header["nodes"] = [
        {"mesh": 0, "skin": 0},
        {"children": [2], "rotation": [0, 0, 0.6, 0.8]},
        {"mesh": 1, "matrix": np.eye(4).ravel().tolist(), "children": [3]},
        {"mesh": 1, "extensions": copies},
    ]
    file.header["skins"] = [{"joints": [1, 2], "inverseBindMatrices": file.array([np.eye(4).ravel()] * 2)}]
    file.header["scenes"] = [{"nodes": [0, 1]}]
    return file


def fails(path, reason):
    """The file is refused with one line that names it."""
    with warnings.catch_warnings(action="ignore"), pytest.raises(UserError, match=reason) as caught:
        load_mesh(path)
    assert path.name in str(caught.value) and "\n" not in str(caught.value)


def at(tree, path):
    """The parent of the place `path` of a header, and its last key."""
    *parents, last = path.split(".")
    for key in parents:
        tree = tree[int(key) if key.isdigit() else key]
    return tree, int(last) if last.isdigit() else last


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("asset.version", "1.0", "glTF 1.0, not 2.0"),
        ("asset.version", 1, "glTF 1.0, not 2.0"),
        ("asset.version", True, "asset.version"),
        ("asset.version", 10**400, "cannot be read"),
        ("asset.minVersion", "2.1", "glTF 2.1, not 2.0"),
        ("accessors", {}, "accessors: .*array"),
        ("accessors.0.count", -1, "accessors.0.count"),
        ("accessors.0.count", "4", "accessors.0.count"),
        ("accessors.0.count", True, "accessors.0.count"),
        ("accessors.0.count", 10**9, "outside its buffer view"),
        ("accessors.0.count", 10**400, "accessors.0.count"),
        ("accessors.0.componentType", 5124, "componentType"),
        ("accessors.0.byteOffset", 1000, "outside its buffer view"),
        ("accessors.0.bufferView", 99, "buffer view 99"),
        ("bufferViews.0.byteLength", 10**6, "outside its buffer"),
        ("bufferViews.0.byteOffset", -8, "byteOffset"),
        ("bufferViews.1.byteStride", 3, "stride"),
        ("nodes.0.mesh", 7, "mesh 7"),
        ("nodes.0.skin", 7, "skin 7"),
        ("nodes.0.scale", [1, 2], "nodes.0.scale"),
        ("nodes.0.scale", [1, 2, None], "nodes.0.scale"),
        ("nodes.1.rotation", [0, 0, 0, 0], "quaternion"),
        ("nodes.1.children", [9], "node 9"),
        ("nodes.3.children", [1], "cycle"),
        ("nodes.3.children", [3], "its own"),
        ("nodes.0.children", [2], "more than one parent"),
        ("nodes.2.matrix", [1] * 15, "nodes.2.matrix"),
        ("nodes.2.matrix", [float("nan")] * 16, "nodes.2.matrix"),
        ("nodes.2.matrix", [1e308] * 16, "not finite|no face with an area"),
        ("scene", 3, "scene 3"),
        ("skins.0.joints", [99], "node 99"),
        ("skins.0.joints", [], "no joints"),
        ("meshes.0.primitives.0.indices", 1, "VEC3 instead of SCALAR"),
        ("meshes.0.primitives.0.mode", 9, "mode"),
        ("meshes.0.primitives.0.material", 9, "material 9"),
        ("materials.0.pbrMetallicRoughness.baseColorTexture.index", 9, "texture 9"),
        ("textures.0.source", 9, "image 9"),
        ("textures.0.sampler", 9, "sampler 9"),
        ("extensionsRequired", ["XYZ_new", "KHR_mesh_quantization"], "needs XYZ_new, which"),
    ],
)
def test_broken_headers(tmp_path, place, value, reason):
    file = rich_file()
    (tmp_path / "a.glb").write_bytes(file.glb())
    assert isinstance(load_mesh(tmp_path / "a.glb"), Mesh)  # as it is, it can be read
    tree, key = at(file.header, place)
    tree[key] = value
    (tmp_path / "a.glb").write_bytes(file.glb())
    fails(tmp_path / "a.glb", reason)


@pytest.mark.parametrize("version", [2.0, 2])
def test_a_version_may_be_a_number(tmp_path, version):
    file = File()
    file.square()
    file.header["asset"] = {"version": version, "minVersion": version}
    assert_is_square(file.load(tmp_path))


def test_null_is_what_is_absent(tmp_path):
    """As serialisers write members that are not set, in any object."""
    file = File()
    primitive = file.square(material={**core_material(file), "emissiveFactor": None, "alphaMode": None, "name": None})
    primitive.update(mode=None, targets=None, extensions=None)
    node = {"mesh": 0, "matrix": None, "scale": None, "children": None, "skin": None, "extras": {"a": None}}
    file.header.update(nodes=[node], skins=None, extensionsUsed=None)
    file.add("samplers", wrapS=None, wrapT=None, magFilter=None)
    file.header["textures"][0]["sampler"] = 0
    for suffix in (".glb", ".gltf"):
        assert_is_square(file.load(tmp_path, suffix))
    file.header["meshes"][0]["primitives"] = None
    (tmp_path / "a.glb").write_bytes(file.glb())
    fails(tmp_path / "a.glb", "meshes.0.primitives: Field required")


def core_material(file):
    return {"pbrMetallicRoughness": {"baseColorTexture": {"index": file.texture()}, "baseColorFactor": None}}


def test_indices_beyond_the_vertices(tmp_path):
    for dtype, wrong in (("u1", 255), ("u2", 4), ("u4", 2**32 - 1)):
        file = File()
        file.square(indices=file.array([0, 1, wrong], dtype))
        (tmp_path / "a.glb").write_bytes(file.glb())
        fails(tmp_path / "a.glb", f"an index is {wrong}")


def test_small_files_cannot_ask_for_much(tmp_path):
    file = File()
    file.square(file.accessor(5126, 2**39, "VEC3"), None, None, material={})
    (tmp_path / "zeros.glb").write_bytes(file.glb())
    fails(tmp_path / "zeros.glb", "elements without data")
    file = File()
    file.square()
    copies = {"TRANSLATION": file.accessor(5126, 5_000_000, "VEC3")}
    file.header["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": copies}}
    (tmp_path / "copies.glb").write_bytes(file.glb())
    fails(tmp_path / "copies.glb", "5000000 instances")
    deep = b'{"asset":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    (tmp_path / "deep.gltf").write_bytes(deep)
    fails(tmp_path / "deep.gltf", "cannot be read")


def test_containers_that_are_cut_off(tmp_path):
    whole = rich_file().glb()
    for length in (*range(0, 40, 3), 400, len(whole) - 5):
        (tmp_path / "a.glb").write_bytes(whole[:length])
        fails(tmp_path / "a.glb", "cut off|not a glTF file|no JSON chunk")
    (tmp_path / "a.glb").write_bytes(whole[:4] + struct.pack("<I", 1) + whole[8:])
    fails(tmp_path / "a.glb", "binary glTF 1, not 2")


@pytest.mark.parametrize(
    "uri",
    ["/etc/hostname", "../outside.bin", "%2e%2e/outside.bin", "a/../../outside.bin", "..\\outside.bin"]
    + ["http://localhost/x.bin", "file:///etc/hostname", "C:\\x.bin"],
)
def test_uris_stay_in_the_folder_of_the_mesh(tmp_path, uri):
    folder = tmp_path / "meshes"
    folder.mkdir()
    file = File()
    file.square()
    (tmp_path / "outside.bin").write_bytes(file.data)
    (folder / "a.gltf").write_text(json.dumps(file.header | {"buffers": [{"byteLength": len(file.data), "uri": uri}]}))
    fails(folder / "a.gltf", "outside the folder of the mesh")
    (tmp_path / "outside.bin").write_bytes(png())
    file.header["images"] = [{"uri": uri}]
    (folder / "a.glb").write_bytes(file.glb())
    with pytest.warns(UserWarning, match="outside the folder of the mesh"):
        assert load_mesh(folder / "a.glb").materials[0].image is None


def test_missing_buffers_pipes_and_folders(tmp_path):
    file = File()
    file.square()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "short").write_bytes(file.data[:9])
    cases = {"gone.bin": "gone.bin is missing", "pipe": "pipe is not a file", "folder": "folder is not a file"}
    cases |= {"short": "cut off: 9 of", "data:;base64,???": "not valid base64", "x" * 9999: "missing"}
    for uri, reason in cases.items():
        header = file.header | {"buffers": [{"byteLength": len(file.data), "uri": uri}]}
        (tmp_path / "a.gltf").write_text(json.dumps(header))
        fails(tmp_path / "a.gltf", reason)
    (tmp_path / "good").write_bytes(file.data)
    (tmp_path / "a.gltf").write_text(
        json.dumps(file.header | {"buffers": [{"byteLength": len(file.data), "uri": "./folder/../good"}]})
    )
    assert_is_square(load_mesh(tmp_path / "a.gltf"))


def test_unknown_extensions_that_are_only_used_are_named(tmp_path):
    file = File()
    file.square()
    file.header["extensionsUsed"] = ["ABC_shape", "KHR_materials_ior", "KHR_texture_transform"]
    with pytest.warns(UserWarning, match="file.glb uses ABC_shape, which is ignored"):
        assert_is_square(file.load(tmp_path))


WRONG = [None, True, -1, 0, 1, 3, 10**9, 2**63, 1e300, -1e300, 0.5, "", "x", "TRIANGLES", [], [0], {}, [[[]]], "../x"]


NUMBERS = [0, 1, 2, 3, 4, 5, 6, 8, 16, 100, 1000, 10**6, 10**9, 0.25, -1.5, 1e30, 1e300]


def _value(tree, rng):
    """A list or dictionary in a header, and one of its keys."""
    while True:
        keys = list(tree) if isinstance(tree, dict) else range(len(tree))
        key = keys[rng.integers(len(keys))]
        if not isinstance(tree[key], (dict, list)) or not tree[key] or rng.random() < 0.05:
            return tree, key
        tree = tree[key]


def mutated(rng):
    """The bytes of a damaged file, and its suffix."""
    file = rich_file()
    suffix = ".glb" if rng.random() < 0.6 else ".gltf"
    kind = rng.integers(5)
    if kind < 2:  # values of the header: of any type, or other numbers
        for _ in range(rng.integers(1, 4)):
            tree, key = _value(file.header, rng)
            number = isinstance(tree[key], (int, float)) and kind == 1
            tree[key] = NUMBERS[rng.integers(len(NUMBERS))] if number else WRONG[rng.integers(len(WRONG))]
    elif kind == 2:  # bytes of the buffer
        data = bytearray(file.data)
        for _ in range(rng.integers(1, 20)):
            data[rng.integers(len(data))] = rng.integers(256)
        file.data = bytes(data)
    content = bytearray(file.glb() if suffix == ".glb" else file.gltf())
    if kind == 3:  # bytes anywhere
        for _ in range(rng.integers(1, 4)):
            content[rng.integers(len(content))] = rng.integers(256)
    elif kind == 4:  # cut off, or cut out
        start = rng.integers(len(content))
        del content[start : len(content) if rng.random() < 0.5 else start + rng.integers(1, 50)]
    return bytes(content), suffix


def test_damaged_files_are_read_or_refused(tmp_path):
    """MUTATIONS=2000 tries more of them."""
    importlib.import_module("open3d")  # the first one that needs it would pay for its start
    count = int(os.environ.get("MUTATIONS", 200))
    read, slowest = 0, 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(count):
        content, suffix = mutated(np.random.default_rng(seed))
        path = tmp_path / f"a{suffix}"
        path.write_bytes(content)
        start = time.perf_counter()
        with warnings.catch_warnings(action="ignore"):
            try:
                mesh = load_mesh(path)
                assert np.isfinite(mesh.vertices[mesh.faces]).all() and np.isfinite(mesh.uv).all(), seed
                read += 1
            except UserError as error:
                assert "a.gl" in str(error) and "\n" not in str(error), seed
        slowest = max(slowest, time.perf_counter() - start)
    used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024  # MB
    print(f"{read} of {count} read, at most {slowest:.2f} s, {used:.0f} MB")
    assert count / 20 < read < count * 0.8 and slowest < 10 and used < 1000
