"""One mesh -> its views, volumes, cameras and distances in a raw folder."""

import dataclasses
import os
import pathlib
import shutil
import warnings

import numpy as np

from data.raw_layout import RawObject
from preprocessing.meshes.distances import sample_space, signed_distances
from preprocessing.meshes.load import load_mesh
from preprocessing.random_streams import object_rng
from preprocessing.rendering import volumes
from utils.errors import UserError
from utils.geometry.cameras import compose, fitting_distance, intrinsics, look_at
from utils.mesh import sampling, voxels
from utils.mesh.mesh import normalise

UNFINISHED = ".unfinished"  # folder in RAW of objects that are being written; no reader of the raw layout looks there


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the raw data depends on; kept in RAW/render.json."""

    views: int
    image_size: int
    elevation: list  # degrees: [value] or [lowest, highest]
    azimuth: str  # 'even' or 'random'
    distance: list  # [value] or [lowest, highest], object-frame length; after 'auto': factors of the fitting distance
    sdf_points: int
    surface_points: int
    seed: int


@dataclasses.dataclass(frozen=True)
class Task:
    """One mesh and where it goes."""

    mesh: pathlib.Path
    target: RawObject
    settings: Settings


def view_cameras(settings, radius, rng):
    """Cameras of the views of an object that lies within `radius` of the origin: K (V, 3, 3), RT (V, 3, 4)."""
    views = settings.views
    azimuths = 90 + 360 * np.arange(views) / views if settings.azimuth == "even" else rng.uniform(0, 360, views)
    elevations = rng.uniform(settings.elevation[0], settings.elevation[-1], views)
    span = settings.distance
    if span[0] == "auto":
        span = [factor * fitting_distance(radius) for factor in span[1:] or [1.0]]
    distances = rng.uniform(span[0], span[-1], views)
    if distances.min() <= radius:
        raise UserError(
            f"a camera at distance {distances.min():.3g} stands within the object, which reaches to {radius:.3g}"
        )
    RT = np.stack([look_at(*each) for each in zip(azimuths, elevations, distances, strict=True)])
    return np.broadcast_to(intrinsics(settings.image_size), (views, 3, 3)), RT


def write_object(task):
    """Render one mesh into its place in the raw folder; gives warnings (list of str) and the reason of a failure or None."""
    if task.target.folder.exists():  # done by a process that died right after it
        return [], None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            _write(task)
            reason = None
        except UserError as error:
            reason = str(error) if str(task.mesh) in str(error) else f"{task.mesh}: {error}"
        except Exception as error:  # one strange mesh must not end the run over all others
            reason = f"{task.mesh}: {type(error).__name__}: {error}"
    return [str(each.message) for each in caught if str(task.mesh) in str(each.message)], reason


def _write(task):
    import cv2
    import h5py

    from utils.rendering.raycast import Scene, draw_lost

    settings, target = task.settings, task.target
    mesh, centre, scale = normalise(load_mesh(task.mesh))
    rng = object_rng(target.category, target.object_id, settings.seed)
    radius = np.linalg.norm(mesh.vertices[mesh.faces.ravel()], axis=1).max()
    K, RT = view_cameras(settings, radius, rng)
    matrices = np.stack([compose(*each) for each in zip(K, RT, strict=True)])
    points, colours = sampling.sample_surface(mesh, max(voxels.sample_count(mesh), settings.surface_points), rng)
    index, voxel_colours = voxels.voxelise(points, colours)
    chosen = rng.choice(len(points), settings.surface_points, replace=False)
    sdf_points = sample_space(points, settings.sdf_points, rng).astype(np.float32)

    unfinished = RawObject(target.root / UNFINISHED, target.category, target.object_id)
    shutil.rmtree(unfinished.folder, ignore_errors=True)  # of a run that was killed
    unfinished.views_folder.mkdir(parents=True)
    unfinished.colour_volume.parent.mkdir()
    scene = Scene(mesh)
    width = max(2, len(str(settings.views - 1)))
    for number, matrix in enumerate(matrices):
        view = f"{number:0{width}d}"
        picture = scene.render(matrix, settings.image_size)
        draw_lost(picture, points[chosen], colours[chosen], matrix)
        if not cv2.imwrite(
            str(unfinished.view(view)), cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA), [cv2.IMWRITE_PNG_COMPRESSION, 4]
        ):
            raise UserError(f"{unfinished.view(view)} cannot be written")
        _write_volume(unfinished.flow_volume(view), volumes.flow_volume(index, matrix, settings.image_size))
    _write_volume(unfinished.colour_volume, volumes.colour_volume(index, voxel_colours))
    with h5py.File(unfinished.cameras, "w") as file:
        file.update({"trans_mat": matrices, "K": K, "RT": RT})
    with h5py.File(unfinished.surface, "w") as file:
        file["sdf_points"] = sdf_points
        file["sdf"] = signed_distances(mesh, sdf_points).astype(np.float32)
        file["points"] = points[chosen].astype(np.float32)
        file["colours"] = colours[chosen]
        file.attrs.update({"centre": centre, "scale": scale})
    target.folder.parent.mkdir(parents=True, exist_ok=True)
    os.replace(unfinished.folder, target.folder)


def _write_volume(path, volume):
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset(
            "data", data=volume, chunks=volume.shape, compression="gzip", compression_opts=1, shuffle=True
        )
