"""Which of the cameras that the camera network thinks of is the image's.

The network scores its proposals by the image alone, and now and then prefers one that is a quarter
or half a turn off. What the field looks like from such a camera seldom has the outline of the mask:
of the likely proposals the one is taken whose outline agrees best.
"""

import collections.abc
import dataclasses
import typing

import cv2
import numpy as np

from data.network_input import network_view
from models.inference.camera_estimator import Proposal
from models.inference.field_query import Encoded, FieldQuery
from utils.geometry import frames
from utils.geometry.cameras import project, resize_camera

LIKELY = 0.1  # share of the likeliest proposal's share from which another is tried
TRIED = 4  # proposals at most
WEIGHT = 10.0  # of the outline's IoU beside the logarithm of the proposal's share
CELLS = 24  # along an axis of the grid on which the field is queried
SIZE = 24  # pixels of the square in which outlines are compared: no cell is smaller than a pixel

View = tuple[np.ndarray, np.ndarray]


class Estimator(typing.Protocol):
    """Proposes cameras, like models.inference.camera_estimator.CameraEstimator."""

    def proposals(self, images: collections.abc.Sequence[np.ndarray]) -> list[list[Proposal]]: ...


class CameraChoice:
    """Cameras of images, by a camera network and the field of the same images."""

    def __init__(
        self,
        estimator: Estimator,
        query: FieldQuery,
        iso: float,
        as_in_training: collections.abc.Callable[[np.ndarray, np.ndarray], View] = lambda rgba, matrix: (rgba, matrix),
    ) -> None:
        """
        Args:
            estimator: proposes cameras.
            query: the field.
            iso: its value at the surface.
            as_in_training: (image, camera) -> the view and its camera as the field's network knows
                them.
        """
        self.estimator, self.query, self.iso, self.as_in_training = estimator, query, iso, as_in_training

    def cameras(self, images: collections.abc.Sequence[np.ndarray]) -> list[np.ndarray]:
        """(H, W, 4) uint8 images -> a (4, 3) trans_mat for each, object frame to its pixels."""
        return [
            self.choose(image, proposals)
            for image, proposals in zip(images, self.estimator.proposals(images), strict=True)
        ]

    def choose(self, rgba: np.ndarray, proposals: list[Proposal]) -> np.ndarray:
        """The (4, 3) camera of an (H, W, 4) uint8 image out of proposals, likeliest first."""
        likely = [proposal for proposal in proposals[:TRIED] if proposal.share >= LIKELY * proposals[0].share]
        if len(likely) == 1:
            return likely[0].trans_mat
        agreements = self.agreements(rgba, [proposal.trans_mat for proposal in likely])
        scores = [np.log(proposal.share) + WEIGHT * iou for proposal, iou in zip(likely, agreements, strict=True)]
        return likely[int(np.argmax(scores))].trans_mat

    def agreements(self, rgba: np.ndarray, cameras: list[np.ndarray]) -> list[float]:
        """IoU of the mask of an image with the outlines that its field has from some cameras."""
        config, encoded, ious = self.query.config, None, []
        for trans_mat in cameras:
            view, matrix = self.as_in_training(rgba, trans_mat)
            seen, camera = network_view(view, matrix, dataclasses.replace(config, alpha=True))
            if encoded is None:
                encoded = self.query.encode(seen[..., : config.image_channels], camera)
            outline = self._outline(self.query.with_camera(encoded, camera), camera)
            mask = (seen[..., 3] >= 0.5).astype(np.float32)
            mask = cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_AREA) >= 0.5
            ious.append(float((outline & mask).sum() / max((outline | mask).sum(), 1)))
        return ious

    def _outline(self, encoded: Encoded, camera: np.ndarray) -> np.ndarray:
        """(SIZE, SIZE) bool: the pixels of the network's image where its field is occupied."""
        occupied = self.query.occupied(self.query.geometry_of_grid(encoded, CELLS), self.iso)
        small = resize_camera(camera, (self.query.config.img_h, self.query.config.img_w), (SIZE, SIZE))
        u, v = np.rint(project(frames.voxel_centres(CELLS)[occupied], small)[0]).astype(int).T
        visible = (u >= 0) & (u < SIZE) & (v >= 0) & (v < SIZE)
        outline = np.zeros((SIZE, SIZE), bool)
        outline[v[visible], u[visible]] = True
        return outline
