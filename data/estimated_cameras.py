"""A database whose cameras are those that a network estimates from the views."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from tqdm import tqdm

from data.shards import Database, ObjectEntry

STEP = 256  # views that are in memory at once


class Estimator(Protocol):
    """Estimates cameras, like models.inference.camera_estimator.CameraEstimator."""

    def cameras(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Views (H, W, 4) uint8 -> their cameras (4, 3), object frame to pixels."""


class EstimatedCameras(Database):
    """A database with estimated cameras for the views that are named when it is made."""

    def __init__(self, database: Database, estimator: Estimator, pairs: Sequence[tuple[ObjectEntry, int]]):
        """Estimate all cameras; pairs: (object, view) of every view whose camera will be needed."""
        super().__init__(database.path)
        self._cameras: dict[tuple[ObjectEntry, int], np.ndarray] = {}
        with tqdm(total=len(pairs), desc="estimating cameras", unit="image", mininterval=2) as bar:
            for first in range(0, len(pairs), STEP):
                views = pairs[first : first + STEP]
                cameras = estimator.cameras([database.image(entry, view) for entry, view in views])
                self._cameras |= dict(zip(views, cameras, strict=True))
                bar.update(len(views))

    def trans_mat(self, entry: ObjectEntry, view: int) -> np.ndarray:
        """(4, 3) estimated camera of a view: object frame to pixels."""
        return self._cameras[entry, view]
