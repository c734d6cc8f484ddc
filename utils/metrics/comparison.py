"""A prediction, the truth of an object, and what of the two is compared; costly parts are made when they are first asked for."""

import functools

import numpy as np

from utils.errors import UserError
from utils.geometry.frames import VOXELS
from utils.metrics import surface_metrics as surfaces
from utils.metrics import voxel_metrics
from utils.surface import dense

PREDICTED_POINTS = 100_000  # samples of a predicted surface, as many as Occupancy Networks take


class Truth:
    """What a database knows of one object.

    voxels (M, 3) voxel frame, colours (M, 3) in [0, 1]; surface (S, 3), sdf_points (P, 3) object frame; sdf (P,).
    """

    def __init__(self, voxels, colours, surface, sdf_points, sdf):
        self.voxels, self.colours = voxels, colours
        self.surface = np.asarray(surface, np.float64)
        self.sdf_points, self.inside = np.asarray(sdf_points, np.float64), np.asarray(sdf) < 0

    @functools.cached_property
    def normals(self):
        """(S, 3) unit normals of unknown sign at `surface`."""
        return surfaces.estimate_normals(self.surface)

    @functools.cached_property
    def volumes(self):
        """(P,) share of the cube that each of `sdf_points` stands for."""
        return surfaces.volumes_of(self.sdf_points)


@functools.lru_cache(maxsize=1)  # the views of an object come one after the other
def load_truth(database, entry):
    """The Truth of an object of a data.shards.Database."""
    points, sdf, _ = database.sdf_block(entry, 0, entry.sdf_count)
    return Truth(*voxel_metrics.true_voxels(*database.voxels(entry)), database.surface(entry)[0], points, sdf)


class Prediction:
    """Surface voxels (K, 3) in the voxel frame, their colours (K, 3) in [0, 1], and the field (arguments of dense.solid)."""

    def __init__(self, voxels, colours, *field):
        self.voxels, self.colours, self._field = voxels, colours, field

    @classmethod
    def of_field(cls, field, binary, iso, voxels, colours):
        """Of a utils.surface.field_grid.FieldGrid. The shell that a binary field is gets filled."""
        return cls(voxels, colours, field.grid(), binary, iso, binary, field.line)

    @classmethod
    def of_voxels(cls, voxels, colours):
        """Of voxels alone: they and what they enclose are the solid, its surface lies half a voxel outside their centres."""
        occupied = np.zeros((VOXELS,) * 3, np.float32)
        occupied[tuple(np.rint(voxels).astype(int).T + VOXELS // 2)] = 1
        return cls(voxels, colours, occupied, True, 0.5, True)

    @functools.cached_property
    def solid(self):
        """The dense.Solid, or None where the field has no surface (`no_surface` says why)."""
        try:
            return dense.solid(*self._field)
        except UserError as error:
            self.no_surface = str(error)
            return None

    @functools.cached_property
    def samples(self):
        """Points (N, 3) of the surface, object frame, and unit normals (N, 3)."""
        return surfaces.sample_mesh(*self.solid.surface(), PREDICTED_POINTS)


class Comparison:
    """Distances between the surfaces of a Prediction (which has one) and a Truth."""

    def __init__(self, prediction, truth):
        self.prediction, self.truth = prediction, truth

    @functools.cached_property
    def accuracy(self):
        """(N,) distances of the predicted points to the nearest true ones, (N,) which those are."""
        return surfaces.nearest(self.prediction.samples[0], self.truth.surface)

    @functools.cached_property
    def completeness(self):
        """(S,) distances of the true points to the nearest predicted ones, (S,) which those are."""
        return surfaces.nearest(self.truth.surface, self.prediction.samples[0])

    def psnr(self, function, convert=np.asarray):
        """metrics.psnr or psnr_im2avatar of the colours, converted."""
        prediction, truth = self.prediction, self.truth
        return function(prediction.voxels, convert(prediction.colours), truth.voxels, convert(truth.colours))

    def iou(self):
        return voxel_metrics.iou(self.prediction.voxels, self.truth.voxels)

    def volume_iou(self):
        inside = self.prediction.solid.contains(self.truth.sdf_points)
        return surfaces.solid_iou(inside, self.truth.inside, self.truth.volumes)

    def chamfer_l1(self):
        return surfaces.chamfer_l1(self.accuracy[0], self.completeness[0])

    def f_score(self, percent):
        return surfaces.f_score(self.accuracy[0], self.completeness[0], percent / 100)

    def normal_consistency(self):
        normals = self.prediction.samples[1]
        return surfaces.normal_consistency(normals, self.truth.normals, self.accuracy[1], self.completeness[1])

    def as_disn(self, function):
        """surface_metrics.chamfer_l2 or emd of clouds of DISN's size in its frame."""
        true = surfaces.subset(self.truth.surface, surfaces.DISN_POINTS)
        predicted = surfaces.subset(self.prediction.samples[0], len(true))
        return function(predicted, true, surfaces.disn_radius(self.truth.surface))
