"""Colours of glTF files: textures and their coordinates, factors, emission, vertex colours."""

import base64
import json
import unicodedata
import warnings
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from preprocessing.meshes.load import load_mesh
from preprocessing.meshes.side_files import recorded_side_files, side_digests
from tests.preprocessing.meshes.gltf.build import (
    CORNERS,
    QUARTERS,
    UV,
    File,
    assert_is_square,
    colours_at,
    mean_colour,
    png,
)
from utils.errors import UserError
from utils.mesh.glb import write_glb
from utils.mesh.mesh import albedo
from utils.mesh.sampling import sample_surface

RED, GREEN, BLUE, YELLOW = QUARTERS.reshape(4, 3)
LEFT_TOP, RIGHT_TOP, LEFT_BOTTOM, RIGHT_BOTTOM = [-0.25, 0.25], [0.25, 0.25], [-0.25, -0.25], [0.25, -0.25]
SPOTS = [LEFT_TOP, RIGHT_TOP, LEFT_BOTTOM, RIGHT_BOTTOM]


def srgb(linear):
    """Display value of linear light, by the formula of IEC 61966-2-1."""
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def linear(display):
    """Its inverse."""
    return display / 12.92 if display <= 0.04045 else ((display + 0.055) / 1.055) ** 2.4


def plain(colour):
    """A picture of one colour."""
    return png(np.full((4, 4, 3), colour))


def core(file, **info):
    """A core material with the picture of the quarters."""
    return {"pbrMetallicRoughness": {"baseColorTexture": {"index": file.texture(), **info}}}


def moved(**transform):
    return {"extensions": {"KHR_texture_transform": transform}}


@pytest.mark.parametrize("number", [1, 2, 5])
def test_every_set_of_coordinates(tmp_path, number):
    file = File()
    primitive = file.square(uv=UV * 0, material=core(file, texCoord=number))
    primitive["attributes"][f"TEXCOORD_{number}"] = file.array(UV)
    assert_is_square(file.load(tmp_path))
    primitive["attributes"].pop(f"TEXCOORD_{number}")
    with pytest.warns(UserWarning, match="file.glb: a textured part has no texture coordinates"):
        file.load(tmp_path)


@pytest.mark.parametrize(
    ("transform", "colours"),
    [
        ({"offset": [0.5, 0]}, [GREEN, RED, YELLOW, BLUE]),
        ({"offset": [0, 0.5]}, [BLUE, YELLOW, RED, GREEN]),
        ({"scale": [0.5, 0.5]}, [RED] * 4),
        ({"scale": [0.5, 0.5], "offset": [0.5, 0.5]}, [YELLOW] * 4),
        ({"offset": [0, 1], "scale": [1, -1]}, [BLUE, YELLOW, RED, GREEN]),
        # the example of the specification: the lower left quarter, turned
        ({"offset": [0, 1], "rotation": np.pi / 2, "scale": [0.5, 0.5]}, [BLUE] * 4),
        # turned by 90 degrees: the upper left corner of the square shows the lower left one
        ({"offset": [0, 1], "rotation": np.pi / 2}, [BLUE, RED, YELLOW, GREEN]),
        ({"offset": [0, 0.5], "rotation": np.pi / 2, "scale": [0.5, 1]}, [RED, RED, GREEN, GREEN]),
    ],
)
def test_texture_transforms(tmp_path, transform, colours):
    for used in ("extensionsUsed", "extensionsRequired"):
        file = File()
        file.header[used] = ["KHR_texture_transform"]
        file.square(material=core(file, **moved(**transform)))
        assert np.abs(colours_at(file.load(tmp_path), SPOTS).astype(int) - colours).max() <= 2
    file = File()
    primitive = file.square(uv=UV * 0, material=core(file, texCoord=0, **moved(texCoord=1, **transform)))
    primitive["attributes"]["TEXCOORD_1"] = file.array(UV)
    assert np.abs(colours_at(file.load(tmp_path), SPOTS).astype(int) - colours).max() <= 2


@pytest.mark.parametrize("wrap", [(33071, 10497), (33648, 33071), (10497, 33648), (33071, 33071), (None, None)])
def test_wrap_modes_by_brute_force(tmp_path, wrap):
    file = File()
    sampler = {name: value for name, value in zip(("wrapS", "wrapT"), wrap, strict=True) if value}
    texture = {"index": file.texture(sampler=sampler)}
    file.square(uv=(UV - 0.5) * 5, material={"pbrMetallicRoughness": {"baseColorTexture": texture}})
    mesh = file.load(tmp_path)
    spots = np.random.default_rng(0).uniform(-0.49, 0.49, (200, 2))

    def side(value, mode):  # 0 or 1: which half of the picture
        if mode == 33071:
            value = min(max(value, 0.001), 0.999)
        whole, rest = divmod(value, 1)
        return int((1 - rest if mode == 33648 and whole % 2 else rest) > 0.5)

    u, v = spots[:, 0] * 5, -spots[:, 1] * 5
    expected = [QUARTERS[side(b, wrap[1]), side(a, wrap[0])] for a, b in zip(u, v, strict=True)]
    same = (np.abs(colours_at(mesh, spots).astype(int) - expected) <= 2).all(1)
    assert same.mean() > 0.9  # the others lie near an edge


def test_unknown_wrap_modes_repeat_the_texture(tmp_path):
    """As 10242 and 10243, the names of the settings in OpenGL, which some tilesets have."""
    file = File()
    texture = {"index": file.texture(sampler={"wrapS": 10242, "wrapT": 10243})}
    file.square(uv=UV + [3, -2], material={"pbrMetallicRoughness": {"baseColorTexture": texture}})
    with pytest.warns(UserWarning, match="file.glb: .* wrap mode 10242, 10243$") as caught:
        assert_is_square(file.load(tmp_path))
    assert len(caught) == 1


def test_a_nearest_sampler_does_not_blend_texels(tmp_path):
    pixels = QUARTERS[:1]  # red and green
    for filters, share in (({"magFilter": 9728}, 1), ({"magFilter": 9729}, 0.5), ({"magFilter": "?"}, 0.5)):
        file = File()
        texture = {"index": file.texture(png(pixels), {"wrapS": 33071, **filters})}
        black = {"baseColorFactor": [0, 0, 0, 1]}
        file.square(material={"pbrMetallicRoughness": {"baseColorTexture": texture}})
        file.header["nodes"].append({"mesh": 1, "translation": [3, 0, 0]})
        file.header["scenes"][0]["nodes"] = [0, 1]
        light = {"pbrMetallicRoughness": black, "emissiveTexture": texture, "emissiveFactor": [1, 1, 1]}
        file.square(material=light)["material"] = 1
        mesh = file.load(tmp_path)
        write_glb(tmp_path / "again.glb", mesh)
        for each in (mesh, load_mesh(tmp_path / "again.glb")):
            colours = sample_surface(each, 4000, np.random.default_rng(0))[1].astype(int)
            pure = (np.abs(colours[:, None] - pixels[0]) <= 1).all(2).any(1)
            assert pure.mean() == pytest.approx(share, abs=0.05)


def test_factors_multiply_in_linear_light(tmp_path):
    file = File()
    base = {"baseColorFactor": [0.5, 0.2, 1, 1], "baseColorTexture": {"index": file.texture(plain([100, 60, 30]))}}
    primitive = file.square(material={"pbrMetallicRoughness": base})
    expected = [255 * srgb(0.5 * linear(100 / 255)), 255 * srgb(0.2 * linear(60 / 255)), 30]
    assert np.allclose(mean_colour(file.load(tmp_path)), expected, atol=0.6)
    primitive["attributes"]["COLOR_0"] = file.array([[0.3, 1, 0.1]] * 4)
    factors = [0.15, 0.2, 0.1]
    expected = [255 * srgb(f * linear(t / 255)) for f, t in zip(factors, [100, 60, 30], strict=True)]
    assert np.allclose(mean_colour(file.load(tmp_path)), expected, atol=0.6)
    del base["baseColorTexture"]
    assert np.allclose(mean_colour(file.load(tmp_path)), [255 * srgb(f) for f in factors], atol=0.6)


@pytest.mark.parametrize(("dtype", "top"), [("f4", 1), ("u1", 255), ("u2", 65535)])
@pytest.mark.parametrize("width", [3, 4])
def test_vertex_colours(tmp_path, dtype, top, width):
    file = File()
    primitive = file.square(material={})
    values = np.array([[1, 0.5, 0, 1][:width]] * 4) * top
    primitive["attributes"]["COLOR_0"] = file.array(
        values, dtype, stride=8 if dtype != "f4" else 16, normalized=dtype != "f4"
    )
    expected = [255, 255 * srgb(0.5), 0]
    assert np.allclose(mean_colour(file.load(tmp_path)), expected, atol=1)
    primitive.pop("material")
    assert np.allclose(mean_colour(file.load(tmp_path)), expected, atol=1)
    primitive["attributes"].pop("COLOR_0")
    assert np.array_equal(mean_colour(file.load(tmp_path)), [255, 255, 255])


@pytest.mark.parametrize("black", [{"baseColorFactor": [0, 0, 0, 1]}, {"baseColorTexture": {"index": 1}}])
def test_emission_of_a_black_surface_is_what_is_seen(tmp_path, black):
    file = File()
    shown = {"index": file.texture()}
    file.texture(plain([0, 0, 0]))
    file.square(material={"pbrMetallicRoughness": black, "emissiveTexture": shown, "emissiveFactor": [1, 1, 1]})
    assert_is_square(file.load(tmp_path))


def test_emission_adds_light(tmp_path):
    file = File()
    material = {
        "pbrMetallicRoughness": {"baseColorFactor": [0.2, 0, 0.9, 1]},
        "emissiveFactor": [0.3, 0.25, 0.3],
    }
    file.square(material=material)
    expected = np.array([srgb(0.5), srgb(0.25), 1]) * 255
    assert np.allclose(mean_colour(file.load(tmp_path)), expected, atol=0.6)
    material["extensions"] = {"KHR_materials_emissive_strength": {"emissiveStrength": 2}}
    file.header["materials"] = [material]
    expected = np.array([srgb(0.8), srgb(0.5), 1]) * 255
    assert np.allclose(mean_colour(file.load(tmp_path)), expected, atol=0.6)
    material["extensions"]["KHR_materials_unlit"] = {}  # its colour is the base colour
    assert np.allclose(mean_colour(file.load(tmp_path)), [255 * srgb(0.2), 0, 255 * srgb(0.9)], atol=0.6)


def test_extensions_may_hold_extras(tmp_path):
    """Every object of a file may have properties of applications and further extensions."""
    more = {"extras": {"x": [1]}, "extensions": {"ABC_y": {}}}
    strength = {"KHR_materials_emissive_strength": {"emissiveStrength": 2.0, **more}}
    file = File()
    transform = {"offset": [0, 0], **more}
    shown = core(file, extensions={"KHR_texture_transform": transform})["pbrMetallicRoughness"]["baseColorTexture"]
    unlit = {"KHR_materials_unlit": more, "KHR_materials_pbrSpecularGlossiness": {"diffuseTexture": shown, **more}}
    file.square(material={"extensions": strength | unlit})
    file.header["nodes"][0]["extensions"] = {"KHR_node_visibility": {"visible": True, **more}}
    assert_is_square(file.load(tmp_path))


def test_emission_has_coordinates_of_its_own(tmp_path):
    file = File()
    black = {"index": file.texture(plain([0, 0, 0]), sampler={"wrapS": 33071}), **moved(scale=[9, 9])}
    shown = {"index": file.texture(), "texCoord": 1, **moved(offset=[0.5, 0])}
    material = {
        "pbrMetallicRoughness": {"baseColorTexture": black},
        "emissiveTexture": shown,
        "emissiveFactor": [1, 1, 1],
    }
    primitive = file.square(material=material)
    primitive["attributes"]["TEXCOORD_1"] = file.array(UV - [0.5, 0])
    # a second part without emission of its own
    file.header["meshes"].append({"primitives": [{**primitive, "material": 1}]})
    file.header["nodes"] += [{"mesh": 1, "translation": [3, 0, 0]}]
    file.add("materials", pbrMetallicRoughness={"baseColorTexture": {"index": 1}})
    assert_is_square(file.load(tmp_path))
    file.header["scenes"][0]["nodes"] = [1, 0]
    mesh = file.load(tmp_path)
    assert np.abs(colours_at(mesh, SPOTS).astype(int) - [RED, GREEN, BLUE, YELLOW]).max() <= 2
    right = np.add(SPOTS, [3, 0])
    assert np.abs(colours_at(mesh, right).astype(int) - [RED, GREEN, BLUE, YELLOW]).max() <= 2


def test_a_texture_of_an_emission_alone_can_be_written(tmp_path):
    file = File()
    lit = {"emissiveFactor": [1, 1, 1], "emissiveTexture": {"index": file.texture(), "texCoord": 1}}
    primitive = file.square(uv=UV * 0, material={"pbrMetallicRoughness": {"baseColorFactor": [0, 0, 0, 1]}, **lit})
    primitive["attributes"]["TEXCOORD_1"] = file.array(UV)
    mesh = file.load(tmp_path)
    assert_is_square(mesh)
    write_glb(tmp_path / "again.glb", mesh)
    assert_is_square(load_mesh(tmp_path / "again.glb"))


@pytest.mark.parametrize("specular", [0.04, 0.2, 0.5, 1])
def test_specular_glossiness_shows_the_diffuse_colour(tmp_path, specular):
    file = File()
    glossy = {"specularFactor": [specular] * 3, "glossinessFactor": 0.7, "diffuseTexture": {"index": file.texture()}}
    wrong = {"baseColorTexture": {"index": file.texture(plain([9, 9, 9]))}}
    extensions = {"KHR_materials_pbrSpecularGlossiness": glossy}
    for base in ({}, {"pbrMetallicRoughness": wrong}):
        file.header.pop("meshes", None), file.header.pop("materials", None)
        file.square(material={"extensions": extensions, **base})
        assert_is_square(file.load(tmp_path))
    del glossy["diffuseTexture"]
    glossy["diffuseFactor"] = [0.5, 1, 0, 1]
    assert np.allclose(mean_colour(file.load(tmp_path)), [255 * srgb(0.5), 255, 0], atol=0.6)


@pytest.mark.parametrize("name", ["my picture.png", "täx#1.png", "100%.png", "a/b c.png"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])  # as other systems and macOS store accents
def test_uris_with_and_without_escapes(tmp_path, name, stored):
    picture, data = (tmp_path / unicodedata.normalize(stored, file) for file in (name, f"{name}.bin"))
    picture.parent.mkdir(exist_ok=True)
    picture.write_bytes(png())
    for uri in (quote, str):
        file = File()
        file.square(material={"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}})
        file.header |= {"images": [{"uri": uri(name)}], "textures": [{"source": 0}]}
        data.write_bytes(file.data)
        header = file.header | {"buffers": [{"byteLength": len(file.data), "uri": uri(f"{name}.bin")}]}
        (tmp_path / "a.gltf").write_text(json.dumps(header))
        assert_is_square(load_mesh(tmp_path / "a.gltf"))


@pytest.mark.parametrize(
    "uri",
    ["C:\\Users\\me\\my%20skin.png", "C:/me/my skin.png", "file:///C:/me/my%20skin.png", "/home/me/my%20skin.png"]
    + ["../maps/my%20skin.png", "gone/my%20skin.png", "https://me.org/my%20skin.png", "my%20skin.png"],
)
@pytest.mark.parametrize("place", ["", "textures", "Images"])
def test_files_that_were_moved_are_found_by_their_names(tmp_path, uri, place):
    """As those of other formats; the message of what is not found asks to put it there."""
    file = File()
    file.square(material={"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}})
    file.header |= {"images": [{"uri": uri}], "textures": [{"source": 0}]}
    with recorded_side_files() as missed, pytest.warns(UserWarning, match="is missing|is outside"):
        file.load(tmp_path)
    before = side_digests(missed, tmp_path / "file.glb")
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "my skin.png").write_bytes(png())
    assert_is_square(file.load(tmp_path))
    assert side_digests(missed, tmp_path / "file.glb") != before  # so that it is rendered again


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_data_uris(tmp_path, file_format):
    code = base64.b64encode(png(None, file_format, quality=95)).decode()
    for uri in (f"data:image/x;base64,{code}", f"data:;charset=x;base64,{code.rstrip('=')}"):
        file = File()
        file.square(material={"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}})
        file.header |= {"images": [{"uri": uri}], "textures": [{"source": 0}]}
        mesh = file.load(tmp_path)
        assert np.abs(colours_at(mesh, SPOTS).astype(int) - [RED, GREEN, BLUE, YELLOW]).max() <= 4


def test_webp_is_preferred_and_ktx2_falls_back(tmp_path):
    file = File()
    file.square(material={"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}})
    good = file.add("images", bufferView=file.view(png(None, "WEBP", lossless=True)))
    other = file.add("images", bufferView=file.view(plain([1, 2, 3])))
    file.header["extensionsRequired"] = ["EXT_texture_webp"]
    file.header["textures"] = [{"source": other, "extensions": {"EXT_texture_webp": {"source": good}}}]
    assert_is_square(file.load(tmp_path))
    del file.header["extensionsRequired"]
    file.header["textures"] = [{"source": good, "extensions": {"KHR_texture_basisu": {"source": other}}}]
    with warnings.catch_warnings(action="error"):
        assert_is_square(file.load(tmp_path))
    del file.header["textures"][0]["source"]
    with pytest.warns(UserWarning, match="KHR_texture_basisu"):
        assert np.array_equal(mean_colour(file.load(tmp_path)), [255] * 3)
    file.header["extensionsRequired"] = ["KHR_texture_basisu"]
    with pytest.raises(UserError, match="needs KHR_texture_basisu"):
        file.load(tmp_path)


@pytest.mark.parametrize("extension", ["MSFT_texture_dds", "EXT_texture_webp"])
def test_a_texture_that_cannot_be_read_is_replaced_by_its_fallback(tmp_path, extension):
    file = File()
    file.square(material=core(file))
    broken = file.add("images", bufferView=file.view(b"DDS " + bytes(200)))
    file.header["textures"][0]["extensions"] = {extension: {"source": broken}}
    with warnings.catch_warnings(action="error"):
        assert_is_square(file.load(tmp_path))
    file.header["textures"][0]["source"] = broken
    with pytest.warns(UserWarning, match=f"image {broken}"):
        file.load(tmp_path)


def test_textures_that_cannot_be_used_are_named_in_one_warning(tmp_path):
    file = File()
    primitive = file.square(material={})
    del file.header["meshes"][0]["primitives"][0], file.header["materials"][0]
    (tmp_path / "page.png").write_text("<!DOCTYPE html><html>not found</html>")
    (tmp_path / "cut.png").write_bytes(png()[:60])
    for number, name in enumerate(["gone.png", "page.png", "cut.png", "gone.png"]):
        file.add("images", uri=name)
        file.add("textures", source=number)
        base = {"baseColorTexture": {"index": number}, "baseColorFactor": [0, 1, 0, 1]}
        file.add("materials", pbrMetallicRoughness=base, emissiveFactor=[1, 1, 1], emissiveTexture={"index": number})
        file.header["meshes"][0]["primitives"].append({**primitive, "material": number})
    with pytest.warns(UserWarning) as caught:
        colour = mean_colour(file.load(tmp_path))
    assert len(caught) == 1 and np.array_equal(colour, [0, 255, 0])
    text = str(caught[0].message)
    assert all(part in text for part in ("file.glb", "gone.png is missing", "page.png", "cut.png")) and "\n" not in text


@pytest.mark.parametrize("texture", [{}, {"extensions": {"XYZ_texture_new": {"source": 0}}}])
def test_a_texture_without_a_picture_is_told(tmp_path, texture):
    file = File()
    file.square()
    file.header["textures"] = [texture]
    with pytest.warns(UserWarning, match="file.glb: a texture has no picture that can be read; plain") as caught:
        file.load(tmp_path)
    assert len(caught) == 1


def test_large_pictures_are_decoded_at_the_size_needed(tmp_path):
    file = File()
    large = Image.fromarray(QUARTERS).resize((2500, 2500), Image.Resampling.NEAREST)
    file.square(material={"pbrMetallicRoughness": {"baseColorTexture": {"index": file.texture(png(large))}}})
    mesh = file.load(tmp_path)
    assert mesh.materials[0].image.shape == (1024, 1024, 4)
    assert_is_square(mesh)


@pytest.mark.parametrize("use", ["base", "emission"])
def test_alpha_that_is_not_shown_does_not_weigh_colours(tmp_path, use):
    pixels = np.zeros((2, 2048, 4), np.uint8)
    pixels[:, ::2], pixels[:, 1::2] = [200, 0, 0, 255], [0, 0, 100, 0]
    file = File()
    texture = {"index": file.texture(png(pixels))}
    material = {"pbrMetallicRoughness": {"baseColorTexture": texture}}
    if use == "emission":
        black = {"baseColorFactor": [0, 0, 0, 1]}
        material = {"pbrMetallicRoughness": black, "emissiveTexture": texture, "emissiveFactor": [1, 1, 1]}
    file.square(material=material)
    assert np.allclose(mean_colour(file.load(tmp_path)), [100, 0, 50], atol=1)


@pytest.mark.parametrize(("mode", "alpha", "told"), [("BLEND", 0.15, 1), ("BLEND", 1, 0), ("OPAQUE", 0.15, 0)])
def test_glass_is_drawn_opaque_with_a_warning(tmp_path, mode, alpha, told):
    file = File()
    file.square(material={"alphaMode": mode, "pbrMetallicRoughness": {"baseColorFactor": [0, 0, 1, alpha]}})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert mean_colour(file.load(tmp_path)).tolist() == [0, 0, 255]
    text = "file.glb: materials that let light through are drawn opaque: material 0 (0.15)"
    assert [str(warning.message).endswith(text) for warning in caught] == [True] * told


@pytest.mark.parametrize(
    ("factor", "alpha", "told"), [(1, 1, "0"), (0.6, 1, "0.4"), (0.5, 0.5, "0.25"), (0, 1, None), (None, 1, None)]
)
def test_light_passes_by_transmission_too(tmp_path, factor, alpha, told):
    """Of glass with KHR_materials_transmission, which is not blended, nothing was told."""
    extension = {} if factor is None else {"transmissionFactor": factor}
    material = {"pbrMetallicRoughness": {"baseColorFactor": [0, 0, 1, alpha]}}
    material |= {"extensions": {"KHR_materials_transmission": extension}}
    file = File()
    file.square(material=material | ({} if alpha == 1 else {"alphaMode": "BLEND"}))
    file.header["extensionsRequired"] = ["KHR_materials_transmission"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert mean_colour(file.load(tmp_path)).tolist() == [0, 0, 255]
    text = f"file.glb: materials that let light through are drawn opaque: material 0 ({told})"
    assert [str(warning.message).endswith(text) for warning in caught] == [True] * (told is not None)


@pytest.mark.parametrize(
    ("mode", "cutoff", "kept"), [("OPAQUE", 0.5, 4), ("MASK", 0.3, 2), ("MASK", None, 1), ("BLEND", 0.9, 3)]
)
def test_alpha_modes(tmp_path, mode, cutoff, kept):
    pixels = np.full((4, 4, 4), 90, np.uint8)
    pixels[..., 3] = [0, 60, 100, 255]  # columns
    file = File()
    material = {"alphaMode": mode} | ({} if cutoff is None else {"alphaCutoff": cutoff})
    texture = {"index": file.texture(png(pixels), {"wrapS": 33071})}
    file.square(CORNERS, material=material | {"pbrMetallicRoughness": {"baseColorTexture": texture}})
    mesh = file.load(tmp_path)
    x = np.array([0.125, 0.375, 0.625, 0.875])  # centres of the columns, on the lower edge
    weights = np.stack([1 - x, x, 0 * x], 1)
    assert albedo(mesh, np.zeros(4, int), weights)[1].tolist() == [False] * (4 - kept) + [True] * kept
