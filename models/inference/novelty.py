"""How far an image, and what was made of it, is from what the weights were trained on.

An image is described by the means of the maps of EfficientNet-Lite0 with its ImageNet weights,
which tell more kinds of things apart than an encoder that was trained on the known ones alone: to
that one an animal is like a lamp. So the description is the same whatever network was trained. The
distance to the images of the training split is that of a normal distribution with as many principal
components as are worth storing, and one variance for all other directions (Moghaddam & Pentland
1997, "Probabilistic visual learning"). The limit is a quantile of the validation split.
"""

import dataclasses
import functools
import os
import typing

import h5py
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from data.network_input import network_image
from data.shards import Database, ObjectEntry
from models.config import Config
from models.networks.efficientnet import STAGES, EfficientNetLite0
from models.presets import preset
from models.weights import efficientnet_weights
from models.weights.run import open_checkpoint, weights_digest
from models.weights.sources import ModelSource, RunModel
from utils import hdf5

COMPONENTS = 48  # with more the file grows, and it is part of the 20 MB of the pretrained weights
KNOWN = 0.96  # share of the validation images that are within the limit
# Of the outlines of mask and surface; 98 % of 126 validation images of the pretrained weights reach
# 0.64. Unknown things do not fall short of it: a field follows the outline of anything.
OVERLAP = 0.5
VIEWS = {"train": 3, "val": 12}  # of an object, at most, that are described
BATCH = 32

Novelty = dict[str, float | None]  # of one image, as results.json has it


@dataclasses.dataclass(frozen=True)
class Known:
    """What images are like that the weights were trained on; D numbers describe an image."""

    mean: np.ndarray  # (D,)
    scale: np.ndarray  # (D,) standard deviations, by which the differences to the mean are divided
    axes: np.ndarray  # (K, D) orthonormal, the principal components of the divided differences
    variances: np.ndarray  # (K,) along the axes
    rest: float  # variance along every other direction
    limit: float  # of the distance, which KNOWN of the validation images do not exceed

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Descriptions (N, D) -> distances (N,) over the limit: above 1 an image is unlike."""
        return self._distance(features) / self.limit

    def _distance(self, features: np.ndarray) -> np.ndarray:
        z = (features - self.mean) / self.scale
        along = z @ self.axes.T
        beyond = np.square(z).sum(1) - np.square(along).sum(1)
        return np.sqrt(np.square(along).dot(1 / self.variances) + np.maximum(beyond, 0) / self.rest)

    @classmethod
    def of(cls, training: np.ndarray, validation: np.ndarray) -> typing.Self:
        """Fit the distribution, and set the limit.

        Args:
            training: (N, D) descriptions of training images.
            validation: (M, D) of validation images.
        """
        mean, scale = training.mean(0), np.maximum(training.std(0), 1e-6)
        values, vectors = np.linalg.eigh(np.cov(((training - mean) / scale).T))
        count = min(COMPONENTS, len(values) - 1)
        variances, axes = values[::-1][:count], vectors[:, ::-1][:, :count].T
        rest = max(float(values[: len(values) - count].mean()), 1e-6)
        known = cls(mean, scale, axes, np.maximum(variances, rest), rest, 1.0)
        return dataclasses.replace(known, limit=float(np.quantile(known._distance(validation), KNOWN)))

    def save(self, path: str | os.PathLike[str], weights: str) -> None:
        """Write to an HDF5 file; `weights` is the digest of those that it belongs to."""
        with hdf5.create(path) as file:
            file.attrs.update({"weights": weights, "rest": self.rest, "limit": self.limit})
            for name in ("mean", "scale", "variances"):
                hdf5.put(file, name, getattr(self, name).astype(np.float32))
            hdf5.put(file, "axes", self.axes.astype(np.float16))

    @classmethod
    def load(cls, path: str | os.PathLike[str], weights: str) -> typing.Self | None:
        """Read a file of save(); None if there is none, or one of other weights.

        Raises:
            UserError: the file is damaged.
        """
        if not os.path.exists(path):
            return None
        with open_checkpoint(path) as file:
            if file.attrs["weights"] != weights:
                return None
            values: dict[str, typing.Any] = {name: float(file.attrs[name]) for name in ("rest", "limit")}
            values |= {name: _array(file, name) for name in ("mean", "scale", "axes", "variances")}
            return cls(**values)


def _array(file: h5py.File, name: str) -> np.ndarray:
    return np.asarray(file[name][()], np.float64)


@functools.cache
def _settings() -> Config:
    """How an image is prepared for being described, whatever network reconstructs it."""
    return preset("plus", alpha=False)


@functools.cache
def _encoder() -> EfficientNetLite0:
    encoder = EfficientNetLite0(_settings(), "float32", "float32")
    encoder(tf.zeros((1, _settings().img_h, _settings().img_w, 3)))
    efficientnet_weights.assign(encoder)
    return encoder


def describe(images: list[np.ndarray]) -> np.ndarray:
    """B images (H, W, 4) uint8, alpha the mask, of any sizes -> their descriptions (B, D)."""
    pixels = np.stack([network_image(rgba, _settings()) for rgba in images])
    means = [tf.reduce_mean(x, (1, 2)) for x in _encoder().stage_maps(tf.constant(pixels))]
    return tf.concat(means, -1).numpy().astype(np.float64)


def known_images(model: ModelSource) -> Known | None:
    """What the images are like that weights were trained on.

    None where that is not stored, or by an earlier version, which described images otherwise.
    """
    if not isinstance(model, RunModel):
        return None
    known = Known.load(model.run.novelty, weights_digest(model.weights))
    return known if known is not None and len(known.mean) == sum(stage.width for stage in STAGES) else None


def assess(known: Known | None, rgba: np.ndarray, overlap: float) -> tuple[Novelty, list[str]]:
    """How far an image is from those of the training, and the warnings that follow.

    Args:
        known: what those are like; None: unknown, so nothing is warned of.
        rgba: the image, (H, W, 4) uint8, alpha the mask.
        overlap: of the outlines of mask and surface.

    Returns:
        The distance over its limit (None where it is not known) and the overlap; the warnings, of
        one line each.
    """
    distance = None if known is None else float(known.distance(describe([rgba]))[0])
    warnings = []
    if distance is not None and distance > 1:
        warnings.append(
            f"the image is unlike those that the weights were trained on ({distance:.2f} times the distance that "
            f"{100 * KNOWN:.0f} % of known objects stay below): the shape may be wrong"
        )
    if overlap < OVERLAP:
        warnings.append(f"surface and mask have other outlines (overlap {overlap:.2f}): mask, camera or shape is wrong")
    return {"distance": distance, "overlap": overlap}, warnings


def distances(known: Known, database: Database, views: list[tuple[ObjectEntry, int]]) -> list[float]:
    """The distance over its limit of every (entry, view index) of a database."""
    return known.distance(_described(database, views, "the evaluation")).tolist()


def measure(database: Database, category: str) -> Known:
    """What the training images of a database are like, with the limit by the validation split.

    Args:
        database: with a training and a validation split.
        category: of the objects that were trained on, "all" for every one.
    """
    parts = (
        _described(database, _views(database.objects(split, category), count), split) for split, count in VIEWS.items()
    )
    return Known.of(*parts)


def _described(database: Database, views: list[tuple[ObjectEntry, int]], title: str) -> np.ndarray:
    """Descriptions (N, D) of the images of a database."""
    starts = tqdm(range(0, len(views), BATCH), desc=f"images of {title}", unit="batch", mininterval=2)
    return np.concatenate(
        [describe([database.image(*view) for view in views[start : start + BATCH]]) for start in starts]
    )


def _views(entries: list[ObjectEntry], count: int) -> list[tuple[ObjectEntry, int]]:
    """At most `count` views of every object, evenly spaced."""
    pairs = []
    for entry in entries:
        views = len(entry.view_names)
        pairs += [(entry, view) for view in sorted({i * views // count for i in range(count)})]
    return pairs
