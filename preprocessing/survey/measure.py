"""One mesh: its faces, parts, textures, size, inside and warnings, and a picture of it."""

import dataclasses
import warnings
from typing import NamedTuple

import numpy as np
import trimesh

from preprocessing.meshes.colours import UNCOLOURED
from preprocessing.meshes.distances import signed_distances
from preprocessing.meshes.find import MeshFile
from preprocessing.meshes.load import load_mesh
from preprocessing.meshes.textures import MissingTextures
from utils.errors import reason_of
from utils.geometry.cameras import compose, fitting_distance, intrinsics, look_at
from utils.images.resize import lay_over
from utils.mesh.mesh import Mesh, normalise
from utils.processes import DIED
from utils.rendering.raycast import Scene

INSIDE_CELLS = 24  # the inside is measured at one point in each of so many cells along each axis
SIZE = 160  # pixels along a side of a picture


@dataclasses.dataclass
class Findings:
    """What was found in a mesh file; `error` says why it cannot be used."""

    category: str
    object_id: str
    file: str
    faces: int = 0
    parts: int = 0  # connected components, vertices at one place being one
    textures: int = 0  # pictures that are used by faces
    missing: int = 0  # textures that could not be used
    closed: bool = False  # every edge has two faces: watertight
    inside: float = 0.0  # share of the bounding box's volume that is inside the mesh
    size: tuple[float, float, float] = (0.0, 0.0, 0.0)  # along x, y and z, in the file's units
    warnings: list[str] = dataclasses.field(default_factory=list)
    error: str = ""


class Task(NamedTuple):
    """A mesh to look at."""

    mesh: MeshFile
    pictured: bool
    azimuth: float  # degrees, of the picture
    elevation: float


def measure(task: Task) -> tuple[Findings, np.ndarray | None]:
    """What a mesh file holds, and a (SIZE, SIZE, 3) uint8 picture if one is wanted and possible."""
    path = task.mesh.path
    findings = Findings(task.mesh.category, task.mesh.object_id, str(path))
    picture = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            mesh = load_mesh(path)
            findings.warnings = _messages(caught, path)
            findings.warnings += _describe(mesh, findings)
            picture = draw(mesh, task.azimuth, task.elevation) if task.pictured else None
        except Exception as error:  # one strange mesh must not end the run over all others
            findings.error = reason_of(error, path)
            findings.warnings = _messages(caught, path)
    findings.missing = sum(one.message.count for one in caught if isinstance(one.message, MissingTextures))
    return findings, picture


def process_died(task: Task) -> tuple[Findings, None]:
    """The result for a mesh that killed its process."""
    mesh = task.mesh
    return Findings(mesh.category, mesh.object_id, str(mesh.path), error=f"{mesh.path}: {DIED}"), None


def draw(mesh: Mesh, azimuth: float, elevation: float) -> np.ndarray:
    """(SIZE, SIZE, 3) uint8 picture of a mesh on white from a direction in degrees."""
    mesh, _, _ = normalise(mesh)
    radius = np.linalg.norm(mesh.vertices[mesh.faces.ravel()], axis=1).max()
    camera = compose(intrinsics(SIZE), look_at(azimuth, elevation, fitting_distance(radius)))
    return lay_over(Scene(mesh).render(camera, SIZE, samples=2))


def inside_share(mesh: Mesh) -> float:
    """The share of the bounding box's volume that is inside, to about 0.01; 0 for a flat mesh."""
    corners = mesh.vertices[mesh.faces.ravel()]
    low, high = corners.min(0), corners.max(0)
    if (high - low).min() <= 0:
        return 0.0
    cells = np.stack(np.meshgrid(*[np.arange(INSIDE_CELLS)] * 3, indexing="ij"), -1).reshape(-1, 3)
    places = (cells + np.random.default_rng(0).random(cells.shape)) / INSIDE_CELLS
    return float((signed_distances(mesh, low + places * (high - low)) < 0).mean())


def _describe(mesh: Mesh, findings: Findings) -> list[str]:
    """Fill in what the mesh holds; returns warnings about what training would suffer from."""
    merged = trimesh.Trimesh(mesh.vertices, mesh.faces)  # merges vertices at one place
    labels = trimesh.graph.connected_component_labels(merged.edges, node_count=len(merged.vertices))
    used = np.unique(mesh.face_material)
    corners = mesh.vertices[mesh.faces.ravel()]
    findings.faces = len(mesh.faces)
    findings.parts = len(np.unique(labels[merged.faces]))
    findings.textures = len({id(mesh.materials[i].image) for i in used if mesh.materials[i].image is not None})
    findings.closed = bool(merged.is_watertight)
    x, y, z = np.ptp(corners, axis=0).tolist()
    findings.size = (x, y, z)
    findings.inside = inside_share(normalise(mesh)[0])
    notes = []
    if findings.inside == 0:
        notes.append("nothing is inside it")
    plain = all(mesh.materials[i].image is None for i in used) and (mesh.colours[:, :3] == 1).all()
    if plain and all(np.isin(mesh.materials[i].factor[:3], (UNCOLOURED, 1)).all() for i in used):
        notes.append("it has no colours")
    return notes


def _messages(caught: list[warnings.WarningMessage], path: object) -> list[str]:
    """The texts of warnings, each once and without the name of the mesh file."""
    texts = (str(warning.message) for warning in caught)
    return list(dict.fromkeys(text.removeprefix(f"{path}: ") for text in texts))
