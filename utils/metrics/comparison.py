"""A prediction, the truth of an object, and the comparison of the two that metrics read.

Costly parts are computed on first use and kept.
"""

import functools
from collections.abc import Callable
from typing import Any, Protocol, Self

import numpy as np

from utils.errors import UserError
from utils.geometry.frames import VOXELS
from utils.metrics import surface_metrics as surfaces
from utils.metrics import voxel_metrics
from utils.surface import dense
from utils.surface.field_grid import FieldGrid

PREDICTED_POINTS = 100_000  # samples of a predicted surface, as many as Occupancy Networks take


class Entry(Protocol):
    """An object of a database, such as data.shards.ObjectEntry."""

    @property
    def sdf_count(self) -> int:
        """Number of points with a signed distance."""


class Database(Protocol):
    """The parts of data.shards.Database that `load_truth` reads; the shapes stand there."""

    def sdf_block(self, entry: Any, start: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points, signed distances and colours."""

    def voxels(self, entry: Any) -> tuple[np.ndarray, np.ndarray]:
        """Indices and colours of the surface voxels."""

    def surface(self, entry: Any) -> tuple[np.ndarray, np.ndarray]:
        """Surface points and their colours."""


class Truth:
    """The shape and colours of an object as a database stores them."""

    def __init__(
        self, voxels: np.ndarray, colours: np.ndarray, surface: np.ndarray, sdf_points: np.ndarray, sdf: np.ndarray
    ) -> None:
        """Keep the arrays.

        Args:
            voxels: (M, 3) surface voxels, voxel frame.
            colours: (M, 3) their colours in [0, 1].
            surface: (S, 3) surface points, object frame.
            sdf_points: (P, 3) points with a signed distance, object frame.
            sdf: (P,) signed distances, negative inside.
        """
        self.voxels, self.colours = voxels, colours
        self.surface = np.asarray(surface, np.float64)
        self.sdf_points, self.inside = np.asarray(sdf_points, np.float64), np.asarray(sdf) < 0

    @functools.cached_property
    def normals(self) -> np.ndarray:
        """(S, 3) unit normals at `surface`, of unknown sign."""
        return surfaces.estimate_normals(self.surface)

    @functools.cached_property
    def tree(self) -> surfaces.Tree:
        """`surface`, ready to be searched."""
        return surfaces.Tree(self.surface)

    @functools.cached_property
    def volumes(self) -> np.ndarray:
        """(P,) share of the cube that each of `sdf_points` stands for."""
        return surfaces.volumes_of(self.sdf_points)


@functools.lru_cache(maxsize=1)  # the views of an object are evaluated one after another
def load_truth(database: Database, entry: Entry) -> Truth:
    """Read the Truth of an object from a database."""
    points, sdf, _ = database.sdf_block(entry, 0, entry.sdf_count)
    return Truth(*voxel_metrics.true_voxels(*database.voxels(entry)), database.surface(entry)[0], points, sdf)


class Prediction:
    """Predicted surface voxels with their colours, and the field whose surface is compared."""

    def __init__(
        self,
        voxels: np.ndarray,
        colours: np.ndarray,
        geometry: np.ndarray,
        inside_positive: bool,
        iso: float,
        fill: bool = False,
        line: np.ndarray | None = None,
    ) -> None:
        """Keep the arrays.

        Args:
            voxels: (K, 3) surface voxels, voxel frame.
            colours: (K, 3) their colours in [0, 1].
            geometry: (R, R, R) field. This and the rest are arguments of utils.surface.dense.solid.
            inside_positive: whether inside is above the iso value (logits) or below it (distances).
            iso: value of the field at the surface.
            fill: whether enclosed cavities become inside.
            line: (R,) cell centres along each axis, object frame; default: those of the cube.
        """
        self.voxels, self.colours = voxels, colours
        self._field = (geometry, inside_positive, iso, fill, line)
        self.no_surface: str | None = None  # why `solid` is None; set by `solid`

    @classmethod
    def of_field(cls, field: FieldGrid, binary: bool, iso: float, voxels: np.ndarray, colours: np.ndarray) -> Self:
        """The prediction of a field on a grid. A binary field is a shell, which is filled.

        Args:
            field: the predicted field.
            binary: whether it holds occupancy logits (True) or signed distances.
            iso: value of the field at the surface.
            voxels: (K, 3) surface voxels of the field, voxel frame.
            colours: (K, 3) their colours in [0, 1].
        """
        return cls(voxels, colours, field.grid(), binary, iso, binary, field.line)

    @classmethod
    def of_voxels(cls, voxels: np.ndarray, colours: np.ndarray) -> Self:
        """The prediction of a baseline that has voxels (K, 3) and colours (K, 3) only.

        The solid is made of the voxels and all that they enclose. Its surface lies half a voxel
        outside their centres.
        """
        occupied = np.zeros((VOXELS,) * 3, np.float32)
        occupied[tuple(np.rint(voxels).astype(int).T + VOXELS // 2)] = 1
        return cls(voxels, colours, occupied, True, 0.5, True)

    @functools.cached_property
    def solid(self) -> dense.Solid | None:
        """The solid of the field; None where it has no surface (`no_surface` says why)."""
        try:
            return dense.solid(*self._field)
        except UserError as error:
            self.no_surface = str(error)
            return None

    @functools.cached_property
    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, 3) of the surface, object frame, and unit normals (N, 3)."""
        assert self.solid is not None, self.no_surface
        vertices, faces = self.solid.surface()
        return surfaces.sample_mesh(vertices, faces, PREDICTED_POINTS)

    @functools.cached_property
    def tree(self) -> surfaces.Tree:
        """The points of `samples`, ready to be searched."""
        return surfaces.Tree(self.samples[0])


class Comparison:
    """The measurements of a Prediction against a Truth.

    Those of surfaces need a prediction that has a surface.
    """

    def __init__(self, prediction: Prediction, truth: Truth) -> None:
        self.prediction, self.truth = prediction, truth

    @functools.cached_property
    def accuracy(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) distances from the predicted to the nearest true points, (N,) indices of these."""
        return surfaces.nearest(self.prediction.samples[0], self.truth.tree)

    @functools.cached_property
    def completeness(self) -> tuple[np.ndarray, np.ndarray]:
        """(S,) distances from the true to the nearest predicted points, (S,) indices of these."""
        return surfaces.nearest(self.truth.surface, self.prediction.tree)

    def psnr(self, function: Callable[..., float], convert: Callable[[np.ndarray], np.ndarray] = np.asarray) -> float:
        """Apply voxel_metrics.psnr or psnr_im2avatar to the converted colours."""
        prediction, truth = self.prediction, self.truth
        return function(prediction.voxels, convert(prediction.colours), truth.voxels, convert(truth.colours))

    def iou(self) -> float:
        """IoU of the surface voxels."""
        return voxel_metrics.iou(self.prediction.voxels, self.truth.voxels)

    def volume_iou(self) -> float:
        """IoU of the solids, at the points with a true signed distance."""
        assert self.prediction.solid is not None, self.prediction.no_surface
        inside = self.prediction.solid.contains(self.truth.sdf_points)
        return surfaces.solid_iou(inside, self.truth.inside, self.truth.volumes)

    def chamfer_l1(self) -> float:
        """Occupancy Networks' Chamfer-L1."""
        return surfaces.chamfer_l1(self.accuracy[0], self.completeness[0])

    def f_score(self, percent: float) -> float:
        """F-score at a threshold in percent of the longest side."""
        return surfaces.f_score(self.accuracy[0], self.completeness[0], percent / 100)

    def normal_consistency(self) -> float:
        """Normal consistency over both directions."""
        normals = self.prediction.samples[1]
        return surfaces.normal_consistency(normals, self.truth.normals, self.accuracy[1], self.completeness[1])

    def as_disn(self, function: Callable[[np.ndarray, np.ndarray, float], float]) -> float:
        """Apply surface_metrics.chamfer_l2 or emd to point clouds of DISN's size in its frame."""
        true = surfaces.subset(self.truth.surface, surfaces.DISN_POINTS)
        predicted = surfaces.subset(self.prediction.samples[0], len(true))
        return function(predicted, true, surfaces.disn_radius(self.truth.surface))
