"""The category of the object in an image, said only where it is sure.

Multinomial logistic regression on the image's description (models/inference/image_description.py);
models/inference/category_fit.py fits it.
"""

import dataclasses
import os
import typing

import h5py
import numpy as np
from scipy.special import softmax

from data.categories import OTHER
from models.inference.image_description import create_fitted, open_fitted
from models.weights.sources import ModelSource, RunModel
from utils import hdf5
from utils.files import file_digest

Category = dict[str, str | float | None]  # of one image, as results.json has it


@dataclasses.dataclass(frozen=True)
class CategoryClassifier:
    """Tells C categories apart by the D numbers that describe an image."""

    names: list[str]  # C
    weights: np.ndarray  # (C, D)
    bias: np.ndarray  # (C,)
    limit: float  # probability from which on a category is named

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Descriptions (N, D) -> (N, C)."""
        return softmax(features @ self.weights.T + self.bias, -1)

    def category(self, features: np.ndarray, known: bool) -> Category:
        """The likeliest category of an image and its probability.

        The name is None where that is below the limit, or the category is OTHER.

        Args:
            features: (D,) the description of the image.
            known: whether the image is like those of the training. Others get no name: they may
                show something that belongs to none of the categories.
        """
        values = self.probabilities(features[None])[0]
        best = int(values.argmax())
        said = known and values[best] >= self.limit and self.names[best] != OTHER
        return {"name": self.names[best] if said else None, "probability": float(values[best])}

    def save(self, path: str | os.PathLike[str], weights: str) -> None:
        """Write to an HDF5 file; `weights` is the digest of those that it belongs to."""
        with create_fitted(path, weights) as file:
            file.attrs["limit"] = self.limit
            hdf5.put(file, "names", np.array(self.names, h5py.string_dtype()))
            hdf5.put(file, "weights", self.weights.astype(np.float32))
            hdf5.put(file, "bias", self.bias.astype(np.float32))

    @classmethod
    def load(cls, path: str | os.PathLike[str], weights: str) -> typing.Self | None:
        """Read a file of save(); None if there is none, or one of other weights or descriptions.

        Raises:
            UserError: the file is damaged.
        """
        with open_fitted(path, weights) as file:
            if file is None:
                return None
            coefficients, bias = (np.asarray(file[name][()], np.float64) for name in ("weights", "bias"))
            return cls(list(file["names"].asstr()[()]), coefficients, bias, float(file.attrs["limit"]))


def category_classifier(model: ModelSource) -> CategoryClassifier | None:
    """The classifier of the categories that weights were trained on; None where none is stored."""
    if not isinstance(model, RunModel):
        return None
    return CategoryClassifier.load(model.run.categories, file_digest(model.weights))
