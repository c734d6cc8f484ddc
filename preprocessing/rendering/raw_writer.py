"""One mesh -> its views, volumes, cameras and distances in a raw folder."""

import dataclasses
import os
import pathlib
import shutil
import tempfile
import warnings

import cv2
import numpy as np

from data.raw_layout import RawObject
from preprocessing.meshes.distances import DEFAULT_SIGN, sample_space, signed_distances, warn_without_inside
from preprocessing.meshes.load import load_mesh
from preprocessing.meshes.side_files import recorded_side_files, side_digests
from preprocessing.random_streams import object_rng
from preprocessing.rendering import volumes
from utils import hdf5
from utils.errors import UserError, reason_of, writing
from utils.files import read_json_object, write_json
from utils.geometry.cameras import FOCAL, compose, fitting_distance, intrinsics, look_at
from utils.geometry.frames import voxel_centres
from utils.mesh import sampling, voxels
from utils.mesh.mesh import Mesh, normalise, stretched
from utils.processes import DIED
from utils.rendering.lights import CAMERA_LIGHT, LIGHTS, random_light
from utils.rendering.raycast import Scene, draw_missed_points

UNFINISHED = ".unfinished"  # sub-folder of a raw folder for objects being written; readers ignore it
INSIDE_GRID = 20  # points along each side of the cube that measure the share of it that is inside
STRETCH = (0.7, 1.4)  # factors of the sides of stretched copies, whose logarithms are drawn
AZIMUTHS = ("even", "random")  # values of Settings.azimuth
AUTO = "auto"  # first entry of Settings.distance: the whole object is in the image
# what the numbers of a setting are above and below
BOUNDS = {"elevation": (-90.0, 90.0), "distance": (0.0, 100.0), "focal": (0.0, 100.0)}


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings that raw data depends on; kept in render.json of the raw folder."""

    views: int = 12  # number of views of an object
    image_size: int = 138  # side of the views in pixels
    # degrees: [value] or [lowest, highest]
    elevation: list[float] = dataclasses.field(default_factory=lambda: [25.0])
    azimuth: str = "even"  # 'even': 90 + 360 i / views degrees; 'random': uniform in the circle
    # [value] or [lowest, highest] in lengths of the object frame; or AUTO, followed by the same
    # as factors of the smallest distance at which the whole object is in the image
    distance: list[float | str] = dataclasses.field(default_factory=lambda: [AUTO])
    # focal length over the image's width: [value], or [lowest, highest], whose logarithm is drawn
    focal: list[float] = dataclasses.field(default_factory=lambda: [FOCAL])
    light: str = LIGHTS[0]  # of the views, one of utils.rendering.lights.LIGHTS
    sdf_points: int = 32768  # number of points with a signed distance
    surface_points: int = 16384  # number of coloured surface points
    sign: str = DEFAULT_SIGN  # how inside is told from outside, one of preprocessing.meshes.distances.SIGNS
    seed: int = 0  # of all random numbers


@dataclasses.dataclass(frozen=True)
class Task:
    """One mesh to render."""

    mesh: pathlib.Path  # the mesh file
    target: RawObject  # where its data goes
    settings: Settings
    stretched: bool = False  # whether the object is a stretched copy of the mesh


@dataclasses.dataclass(frozen=True)
class Surface:
    """Samples of the surface of a mesh in the object frame, and the voxels they lie in."""

    points: np.ndarray  # (N, 3)
    colours: np.ndarray  # (N, 3) uint8
    kept: np.ndarray  # (settings.surface_points,) indices of the samples that are stored
    voxels: np.ndarray  # (M, 3) indices 0..63 of occupied voxels
    voxel_colours: np.ndarray  # (M, 3) in [0, 1]


def view_cameras(settings: Settings, radius: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the cameras of the views of one object.

    Args:
        settings: number of views, and the ranges of their angles and distances.
        radius: distance of the object's farthest point from the origin (object frame).
        rng: source of the random numbers.

    Returns:
        K: (V, 3, 3) intrinsics.
        RT: (V, 3, 4) extrinsics.

    Raises:
        UserError: a camera would stand within the object.
    """
    views = settings.views
    azimuths = 90 + 360 * np.arange(views) / views if settings.azimuth == "even" else rng.uniform(0, 360, views)
    elevations = rng.uniform(settings.elevation[0], settings.elevation[-1], views)
    automatic = settings.distance[0] == AUTO
    span = [float(distance) for distance in (settings.distance[1:] or [1.0] if automatic else settings.distance)]
    distances = rng.uniform(span[0], span[-1], views)
    focal = np.full(views, settings.focal[0])
    if len(settings.focal) > 1:  # otherwise the random numbers are those of folders without this setting
        focal = np.exp(rng.uniform(np.log(settings.focal[0]), np.log(settings.focal[1]), views))
    if automatic:
        distances *= [fitting_distance(radius, float(value)) for value in focal]
    if distances.min() <= radius:
        raise UserError(
            f"a camera at distance {distances.min():.3g} stands within the object, which reaches to {radius:.3g}"
        )
    RT = np.stack([look_at(*pose) for pose in zip(azimuths, elevations, distances, strict=True)])
    return np.stack([intrinsics(settings.image_size, float(value)) for value in focal]), RT


def write_object(task: Task) -> tuple[list[str], str | None]:
    """Render one mesh into its place in the raw folder, whole or not at all.

    Returns the warnings about the mesh, and the reason why it was left out or None.
    """
    if is_done(task):  # written by a process that died right afterwards
        return [], None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            _write(task)
            reason = None
        except Exception as error:  # one strange mesh must not end the run over all others
            reason = reason_of(error, task.mesh)
    messages = [str(warning.message) for warning in caught]
    return [message for message in messages if str(task.mesh) in message], reason


def is_done(task: Task) -> bool:
    """Whether the object is there, whole, and made of the mesh as it is now.

    Objects of earlier versions do not record their mesh; it counts as unchanged.
    """
    raw = task.target
    if not raw.folder.exists() or not raw.whole(task.settings.views):
        return False
    if not raw.source.exists():
        return True
    try:
        recorded = read_json_object(raw.source, "digests")
        return task.mesh.name in recorded and side_digests(recorded, task.mesh) == recorded
    except (OSError, UserError, ValueError):  # a file of the mesh cannot be read, or the record is damaged
        return False


def process_died(task: Task) -> tuple[list[str], str | None]:
    """The result of write_object for a mesh that killed its process."""
    return [], f"{task.mesh}: {DIED}"


def _write(task: Task) -> None:
    """Compute everything about a mesh, write it beside its place and move it there."""
    settings, target = task.settings, task.target
    with recorded_side_files() as side_files:
        mesh = load_mesh(task.mesh)
    rng = object_rng(target.category, target.object_id, settings.seed)
    factors = np.exp(rng.uniform(np.log(STRETCH[0]), np.log(STRETCH[1]), 3)) if task.stretched else np.ones(3)
    mesh, centre, scale = normalise(stretched(mesh, factors) if task.stretched else mesh)
    radius = np.linalg.norm(mesh.vertices[mesh.faces.ravel()], axis=1).max()
    K, RT = view_cameras(settings, radius, rng)
    trans_mats = np.stack([compose(k, rt) for k, rt in zip(K, RT, strict=True)])
    surface = _sample(mesh, settings, rng)
    sdf_points = sample_space(surface.points, settings.sdf_points, rng).astype(np.float32)
    sdf, volume = _signed_distances(mesh, sdf_points, settings.sign, task.mesh)

    unfinished = _new_folder(target)
    _write_views(unfinished, mesh, surface, trans_mats, settings, rng)
    volumes.write_volume(unfinished.colour_volume, volumes.colour_volume(surface.voxels, surface.voxel_colours))
    with hdf5.create(unfinished.cameras) as file:
        for name, matrices in {"trans_mat": trans_mats, "K": K, "RT": RT}.items():
            hdf5.put(file, name, matrices)
    with hdf5.create(unfinished.surface) as file:
        hdf5.put(file, "sdf_points", sdf_points)
        hdf5.put(file, "sdf", sdf)
        hdf5.put(file, "points", surface.points[surface.kept].astype(np.float32))
        hdf5.put(file, "colours", surface.colours[surface.kept])
        file.attrs.update({"centre": centre, "scale": scale, "inside": volume})
        if task.stretched:
            file.attrs["stretch"] = factors
    write_json(unfinished.source, side_digests({task.mesh.name, *side_files}, task.mesh))
    target.folder.parent.mkdir(parents=True, exist_ok=True)
    if target.folder.exists():  # incomplete, or of another mesh
        outdated = tempfile.mkdtemp(prefix=".", dir=unfinished.root)  # hidden, so no category
        os.replace(target.folder, os.path.join(outdated, "object"))
        shutil.rmtree(outdated, ignore_errors=True)
    os.replace(unfinished.folder, target.folder)


def _sample(mesh: Mesh, settings: Settings, rng: np.random.Generator) -> Surface:
    """Samples of a surface: enough to find all of its voxels, and those to be stored among them."""
    count = max(voxels.sample_count(mesh), settings.surface_points)
    points, colours = sampling.sample_surface(mesh, count, rng)
    index, voxel_colours = voxels.voxelise(points, colours)
    kept = rng.choice(len(points), settings.surface_points, replace=False)
    return Surface(points, colours, kept, index, voxel_colours)


def _signed_distances(mesh: Mesh, points: np.ndarray, sign: str, path: pathlib.Path) -> tuple[np.ndarray, float]:
    """Signed distances (N,) float32 of points (N, 3), and the share of the cube that is inside.

    Warns, with the name of the mesh file `path`, if no point is inside.
    """
    cube = voxel_centres(INSIDE_GRID)
    distances = signed_distances(mesh, np.concatenate([points, cube]), sign).astype(np.float32)
    sdf, volume = distances[: len(points)], float((distances[len(points) :] < 0).mean())
    warn_without_inside(distances, sign, path)
    return sdf, volume


def _new_folder(target: RawObject) -> RawObject:
    """Make the empty folders in which an object is written before it moves to its place."""
    unfinished = RawObject(target.root / UNFINISHED, target.category, target.object_id)
    shutil.rmtree(unfinished.folder, ignore_errors=True)  # left by a run that was killed
    unfinished.views_folder.mkdir(parents=True)
    unfinished.colour_volume.parent.mkdir()
    return unfinished


def _write_views(
    raw: RawObject,
    mesh: Mesh,
    surface: Surface,
    trans_mats: np.ndarray,
    settings: Settings,
    rng: np.random.Generator,
) -> None:
    """Write a PNG and a flow volume for every camera (V, 4, 3)."""
    size = settings.image_size
    scene = Scene(mesh)
    points, colours = surface.points[surface.kept], surface.colours[surface.kept]
    digits = max(2, len(str(len(trans_mats) - 1)))
    for number, trans_mat in enumerate(trans_mats):
        name = f"{number:0{digits}d}"
        light = random_light(rng) if settings.light == "random" else CAMERA_LIGHT
        image = scene.render(trans_mat, size, light=light)
        draw_missed_points(image, points, colours, trans_mat)
        bgra = cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA)
        encoded = cv2.imencode(".png", bgra, [cv2.IMWRITE_PNG_COMPRESSION, 4])[1]
        with writing(raw.view(name)):  # OpenCV's own writing of files hides errors of the disk
            raw.view(name).write_bytes(encoded)
        volumes.write_volume(raw.flow_volume(name), volumes.flow_volume(surface.voxels, trans_mat, size))
