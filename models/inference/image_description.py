"""What an image shows, in numbers.

An image is described by the means of the maps of EfficientNet-Lite0 with its ImageNet weights,
which tell more kinds of things apart than an encoder that was trained on the known ones alone: to
that one an animal is like a lamp. So the description is the same whatever network was trained. Its
D = 784 numbers are the channels of the seven stages.
"""

import contextlib
import functools
import os
import typing
from collections.abc import Iterator

import h5py
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from data.network_input import network_image
from data.shards import Database, ObjectEntry
from data.spread import spread
from models.config import Config
from models.networks.efficientnet import EfficientNetLite0
from models.presets import preset
from models.weights import efficientnet_weights
from models.weights.run import open_checkpoint
from utils import hdf5

SIZE = 224  # pixels of the side of an image: what the ImageNet weights were trained with
DESCRIPTION = f"efficientnet_lite0, {SIZE} pixels"  # files of other descriptions are not read
VIEWS = {"train": 3, "val": 12}  # of an object, at most, that are described
BATCH = 32


class Described(typing.NamedTuple):
    """The images of a split."""

    features: np.ndarray  # (N, D)
    categories: list[str]  # N, of the objects in them
    objects: list[str]  # N


@functools.cache
def _settings() -> Config:
    """How an image is prepared for being described, whatever network reconstructs it."""
    return preset("plus", alpha=False, img_h=SIZE, img_w=SIZE)


@functools.cache
def _encoder() -> EfficientNetLite0:
    encoder = EfficientNetLite0(_settings(), "float32", "float32")
    encoder(tf.zeros((1, SIZE, SIZE, 3)))
    efficientnet_weights.assign(encoder)
    return encoder


def describe(images: list[np.ndarray]) -> np.ndarray:
    """B images (H, W, 4) uint8, alpha the mask, of any sizes -> their descriptions (B, D)."""
    pixels = np.stack([network_image(rgba, _settings()) for rgba in images])
    means = [tf.reduce_mean(x, (1, 2)) for x in _encoder().stage_maps(tf.constant(pixels))]
    return tf.concat(means, -1).numpy().astype(np.float64)


def describe_views(database: Database, views: list[tuple[ObjectEntry, int]], title: str) -> np.ndarray:
    """Every (entry, view index) of a database -> descriptions (N, D)."""
    starts = tqdm(range(0, len(views), BATCH), desc=f"images of {title}", unit="batch", mininterval=2)
    return np.concatenate(
        [describe([database.image(*view) for view in views[start : start + BATCH]]) for start in starts]
    )


def describe_split(database: Database, split: str, category: str) -> Described:
    """Evenly spaced views of the objects of a split.

    Args:
        database: of the objects.
        split: "train" or "val".
        category: of the objects, "all" for every one.
    """
    views = _views(database.objects(split, category), VIEWS[split])
    names = [(entry.category, entry.name) for entry, _ in views]
    return Described(describe_views(database, views, split), *map(list, zip(*names, strict=True)))


def _views(entries: list[ObjectEntry], count: int) -> list[tuple[ObjectEntry, int]]:
    """At most `count` views of every object, evenly spaced."""
    pairs = []
    for entry in entries:
        pairs += [(entry, view) for view in spread(range(len(entry.view_names)), count)]
    return pairs


@contextlib.contextmanager
def create_fitted(path: str | os.PathLike[str], weights: str) -> Iterator[h5py.File]:
    """An HDF5 file to write, of what was fitted to descriptions, for weights of this digest."""
    with hdf5.create(path) as file:
        file.attrs.update({"weights": weights, "description": DESCRIPTION})
        yield file


@contextlib.contextmanager
def open_fitted(path: str | os.PathLike[str], weights: str) -> Iterator[h5py.File | None]:
    """A file of create_fitted; None if there is none, or one of other weights or descriptions.

    Raises:
        UserError: the file is damaged.
    """
    if not os.path.exists(path):
        yield None
        return
    with open_checkpoint(path) as file:
        fits = (file.attrs["weights"], file.attrs.get("description")) == (weights, DESCRIPTION)
        yield file if fits else None
