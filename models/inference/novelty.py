"""How far an image, and what was made of it, is from what the weights were trained on.

The distance of an image's description (models/inference/image_description.py) to those of the
training split is that of a normal distribution with some principal components, and one variance for
all other directions (Moghaddam & Pentland 1997, "Probabilistic visual learning"). The limit is a
quantile of the distances of objects to the others.
"""

import dataclasses
import os
import typing
from collections.abc import Sequence

import h5py
import numpy as np

from models.inference.image_description import create_fitted, open_fitted
from models.weights.sources import ModelSource, RunModel
from utils import hdf5
from utils.files import file_digest

COMPONENTS = 128  # of more, images of categories that were left out are not found more often
KNOWN = 0.95  # share of the images of known objects that are within the limit
FOLDS = 6  # parts of the objects, each of which is measured by the others
LEAST = 1e-6  # deviation, variance and limit of images that do not differ
# Of the outlines of mask and surface; 98 % of 126 validation images of the pretrained weights reach
# 0.64. Unknown things do not fall short of it: a field follows the outline of anything.
OVERLAP = 0.5

Novelty = dict[str, float | None]  # of one image, as results.json has it


@dataclasses.dataclass(frozen=True)
class Known:
    """What images are like that the weights were trained on; D numbers describe an image."""

    mean: np.ndarray  # (D,)
    scale: np.ndarray  # (D,) standard deviations, by which the differences to the mean are divided
    axes: np.ndarray  # (K, D) orthonormal, the principal components of the divided differences
    variances: np.ndarray  # (K,) along the axes
    rest: float  # variance along every other direction
    limit: float  # of the distance, which KNOWN of the known images do not exceed

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Descriptions (N, D) -> distances (N,) over the limit: above 1 an image is unlike."""
        return self._distance(features) / self.limit

    def _distance(self, features: np.ndarray) -> np.ndarray:
        z = (features - self.mean) / self.scale
        along = z @ self.axes.T
        beyond = np.square(z).sum(1) - np.square(along).sum(1)
        return np.sqrt(np.square(along).dot(1 / self.variances) + np.maximum(beyond, 0) / self.rest)

    @classmethod
    def of(cls, features: np.ndarray, objects: Sequence[str]) -> typing.Self:
        """Fit the distribution, and set the limit.

        Args:
            features: (N, D) descriptions of training images.
            objects: N, what each of them shows. Fewer than FOLDS are measured by themselves, which
                makes the limit too low.
        """
        known = cls._fitted(features)
        number = np.unique(objects, return_inverse=True)[1]
        if number.max() + 1 < FOLDS:
            distances = known._distance(features)
        else:
            parts = [number % FOLDS == fold for fold in range(FOLDS)]
            distances = np.concatenate([cls._fitted(features[~part])._distance(features[part]) for part in parts])
        limit = max(float(np.quantile(distances, KNOWN)), LEAST)  # 0 where all images are the same
        return dataclasses.replace(known, limit=limit)

    @classmethod
    def _fitted(cls, features: np.ndarray) -> typing.Self:
        """The distribution of features (N, D), with a limit of 1."""
        mean, scale = features.mean(0), np.maximum(features.std(0), LEAST)
        values, vectors = np.linalg.eigh(np.cov(((features - mean) / scale).T, ddof=min(1, len(features) - 1)))
        count = min(COMPONENTS, len(values) - 1)
        variances, axes = values[::-1][:count], vectors[:, ::-1][:, :count].T
        rest = max(float(values[: len(values) - count].mean()), LEAST)
        return cls(mean, scale, axes, np.maximum(variances, rest), rest, 1.0)

    def save(self, path: str | os.PathLike[str], weights: str) -> None:
        """Write to an HDF5 file; `weights` is the digest of those that it belongs to."""
        with create_fitted(path, weights) as file:
            file.attrs.update({"rest": self.rest, "limit": self.limit})
            for name in ("mean", "scale", "variances"):
                hdf5.put(file, name, getattr(self, name).astype(np.float32))
            hdf5.put(file, "axes", self.axes.astype(np.float16))

    @classmethod
    def load(cls, path: str | os.PathLike[str], weights: str) -> typing.Self | None:
        """Read a file of save(); None if there is none, or one of other weights or descriptions.

        Raises:
            UserError: the file is damaged.
        """
        with open_fitted(path, weights) as file:
            if file is None:
                return None
            values: dict[str, typing.Any] = {name: float(file.attrs[name]) for name in ("rest", "limit")}
            values |= {name: _array(file, name) for name in ("mean", "scale", "axes", "variances")}
            return cls(**values)


def _array(file: h5py.File, name: str) -> np.ndarray:
    return np.asarray(file[name][()], np.float64)


def known_images(model: ModelSource) -> Known | None:
    """What the images are like that weights were trained on.

    None where that is not stored, or was stored by a version that described images differently.
    """
    return Known.load(model.run.novelty, file_digest(model.weights)) if isinstance(model, RunModel) else None


def assess(known: Known | None, features: np.ndarray | None, overlap: float) -> tuple[Novelty, list[str]]:
    """How far an image is from those of the training, and the warnings that follow.

    Args:
        known: what those are like; None: unknown, so nothing is warned of.
        features: (D,) the description of the image; None where known is.
        overlap: of the outlines of mask and surface.

    Returns:
        The distance over its limit (None where it is not known) and the overlap; the warnings, of
        one line each.
    """
    distance = None if known is None or features is None else float(known.distance(features[None])[0])
    warnings = []
    if distance is not None and distance > 1:
        warnings.append(
            f"the image is unlike those that the weights were trained on ({distance:.2f} times the distance that "
            f"{100 * KNOWN:.0f} % of known objects stay below): the shape may be wrong"
        )
    if overlap < OVERLAP:
        warnings.append(f"surface and mask have other outlines (overlap {overlap:.2f}): mask, camera or shape is wrong")
    return {"distance": distance, "overlap": overlap}, warnings
