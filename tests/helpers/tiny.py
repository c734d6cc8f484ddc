"""A tiny network and a tiny database of coloured boxes, for tests of training and evaluation."""

import dataclasses
import functools
import json

import h5py
import numpy as np

from data.shard_format import ObjectRecord, write_shard
from models.config import Config
from models.presets import camera_preset, preset
from models.settings import shown
from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at, project

SIZE = 40  # pixels
SHARED = {  # settings of both networks
    "img_h": SIZE,
    "img_w": SIZE,
    "num_classes": 8,
    "encoder_size": 32,
    "encoder_widths": (4, 4, 8, 8, 8),
    "encoder_convs": (1, 1, 1, 1, 1),
    "encoder_fc": 16,
    "normalisation": False,  # it doubles the variables, which take most of the time of a test; its tests ask for it
    "batch_size": 4,
    "max_epoch": 2,
    "precision": "float32",  # the same on every machine
}


def config(binary=True, **given):
    """The small preset, much smaller."""
    values = {
        **SHARED,
        "point_widths": (8, 16),
        "decoder_widths": (16, 8),
        "num_sample_points": 64,
        "scored_objects": 0,
    }
    return preset("small", binary, **{**values, **given})


def plus_config(**given):
    """The plus preset, much smaller where it has a size; its encoder has one size."""
    values = {
        "img_h": 64,
        "img_w": 64,
        "num_classes": 8,
        "residual_width": 16,
        "residual_layers": 2,
        "fourier": 2,
        "num_sample_points": 64,
        "batch_size": 4,
        "max_epoch": 2,
        "warm_up": 0,
        "scored_objects": 0,
        "precision": "float32",
    }
    return preset("plus", **{**values, **given})


def camera_config(**given):
    """The camera network of the small preset, much smaller."""
    values = {
        **SHARED,
        "camera_widths": (16, 8),
        "num_sample_points": 32,
    }
    return camera_preset("small", **{**values, **given})


def flags(made=None):
    """The words of a command line for a tiny configuration, config() unless given: the preset small
    and what the configuration changes of it.
    """
    made = made or config()
    plain = preset("small", made.binary) if isinstance(made, Config) else camera_preset("small")
    words = ["--preset", "small"] + ([] if getattr(made, "binary", True) else ["--no-binary"])
    for field in dataclasses.fields(made):
        value = getattr(made, field.name)
        if value == getattr(plain, field.name):
            continue
        words += [f"--{'' if value else 'no-'}{field.name}"] if isinstance(value, bool) else [f"--{field.name}"]
        words += [] if isinstance(value, bool) else [shown(value)]
    return words


def make_octahedron(network, radius):
    """Weights that make the geometry that of the octahedron |x| + |y| + |z| < radius of the cube
    [-1, 1], whatever the image.
    """

    def put(layer, block):
        kernel = np.zeros(layer.kernel.shape, np.float32)
        kernel[: len(block), : len(block[0])] = block
        layer.kernel.assign(kernel)
        if layer.use_bias:
            layer.bias.assign(np.zeros(layer.bias.shape))

    stream, identity = network.streams[0], np.eye(6)
    (first, _), (second, _) = stream.fold1
    put(first, np.hstack([np.eye(3), -np.eye(3)]))  # the ReLU leaves |x|, |y|, |z| in two parts each
    for layer in (second, stream.geometry_point, stream.geometry_hidden):
        put(layer, identity)
    put(stream.geometry_features[0], [[0]])
    for layer in (stream.geometry_out, network.streams[1].geometry_out):
        put(layer, [[0]])
    sign = np.array([1, -1]) if network.config.binary else np.array([1])  # outside: class 0, positive distance
    stream.geometry_out.kernel.assign(
        np.vstack([np.repeat(sign[None], 6, 0), np.zeros((stream.geometry_out.kernel.shape[0] - 6, len(sign)))])
    )
    stream.geometry_out.bias.assign(-radius * sign)


@functools.cache
def field_network(binary):
    """The network of config(binary), made once: its variables take longer than what runs do."""
    from models.networks.texdisn import build_field_network

    return build_field_network(config(binary))


def field_run(folder, database, binary, radius=1.0):
    """A run folder of a field network whose geometry is an octahedron (see make_octahedron)."""
    from models.weights.run import Run, save_checkpoint

    settings, run = config(binary, db=str(database)), Run(folder)
    network = field_network(binary)
    make_octahedron(network, radius)
    settings.save(run.config)
    save_checkpoint(run.best, {"network": network.variables}, {"step": 7})
    return folder


def camera_run(folder, seed=0, **given):
    """A run folder of a camera network with random weights."""
    import keras

    from models.networks.camera_network import build_camera_network
    from models.weights.run import Run, save_checkpoint

    config, run = camera_config(**given), Run(folder)
    keras.utils.set_random_seed(seed)
    config.save(run.config)
    save_checkpoint(run.best, {"network": build_camera_network(config).variables}, {"step": 3})
    return folder


def box(category, object_id, rng, views=3):
    """A record of a box of one colour with exact distances, seen from `views` sides."""
    half = rng.uniform(0.15, 0.5, 3)
    half[rng.integers(3)] = 0.5
    colour = rng.integers(30, 256, 3)
    centres = frames.voxel_centres()
    shell = (np.abs(centres) < half).all(1) & ~(np.abs(centres) < half - 1.01 / frames.VOXELS).all(1)
    points = rng.uniform(-0.5, 0.5, (512, 3))
    outside = np.abs(points) - half
    sdf = np.linalg.norm(np.maximum(outside, 0), axis=1) + np.minimum(outside.max(1), 0)
    K = intrinsics(SIZE)
    cameras = np.stack([compose(K, look_at(90 + 360 * i / views, 25, 2.2)) for i in range(views)])
    images = np.zeros((views, SIZE, SIZE, 4), np.uint8)
    for image, camera in zip(images, cameras, strict=True):
        u, v = np.round(project(centres[shell], camera)[0]).astype(int).T
        image[v, u] = [*colour, 255]
    index = np.round((centres[shell] + 0.5) * frames.VOXELS - 0.5).astype(np.uint8)

    def painted(count):
        return np.repeat(colour[None].astype(np.uint8), count, 0)

    surface = centres[shell].astype(np.float32)
    return ObjectRecord(
        category,
        object_id,
        [f"{i:02d}" for i in range(views)],
        images,
        cameras,
        index,
        painted(len(index)),
        points.astype(np.float32),
        sdf.astype(np.float32),
        painted(512),
        surface,
        painted(len(surface)),
        np.zeros(3),
        1.0,
        float("nan"),
        "file",
    )


def write_database(folder, counts=(4, 2, 2), categories=("box", "crate")):
    """Shards of boxes: counts objects of each category in train, val and test."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for category in categories:
        for split, count in zip(("train", "val", "test"), counts, strict=True):
            records = [box(category, f"{category}_{split}{i}", rng) for i in range(count)]
            write_shard(folder / f"{category}_{split}_000.h5", records, {"made": "by a test"})
    return folder


def damage_view(path, view):
    """Change bytes of a view of a shard: its checksum fails when it is read."""
    with h5py.File(path) as file:
        chunk = file["images"].id.get_chunk_info_by_coord((view, 0, 0, 0))
    content = bytearray(path.read_bytes())
    middle = chunk.byte_offset + chunk.size // 2
    content[middle : middle + 10] = bytes(byte ^ 0xFF for byte in content[middle : middle + 10])
    path.write_bytes(content)


def stored(path):
    """The values of a checkpoint by name, and its progress."""
    values = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: values.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return values, json.loads(file.attrs["progress"])
