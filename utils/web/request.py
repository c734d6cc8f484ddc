"""One visitor's request: its checks, its reconstruction and the files that the page shows."""

import dataclasses
import io
import math
import operator
import os
import pathlib
import unicodedata
import zipfile
from collections.abc import Callable
from typing import Protocol

import numpy as np
import trimesh
from PIL import Image

from utils.errors import UserError
from utils.files import read_json
from utils.images.photo import FORMATS as READABLE_FORMATS
from utils.images.photo import Photo, decode_photo
from utils.mesh.simplify import FACES, check_count
from utils.mesh.writers import write_mesh, write_textured
from utils.rendering.photo_colours import COLOURS
from utils.reports.mesh_format import TEXTURES, MeshFormat
from utils.reports.reconstruction import Reconstruction
from utils.reports.result_folder import write_results
from utils.stages import Stages
from utils.surface.adaptive import check_resolution
from utils.web.camera_view import CameraView, Turner
from utils.web.description import about, sentence

LEAST, MOST = 32, 256  # cells along an axis
MOST_FACES = 1_000_000  # that can be asked for
SHOWN = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "GIF")  # formats that browsers show
LONGEST_NAME = 40  # characters of the name of a download, before the suffix
FORMATS = {"glb": "GLB", "ply": "PLY", "obj": "OBJ"}
MASKS, CAMERAS = ("auto", "alpha", "none", "file"), ("est", "angles")
FIELD_OF_VIEW = 0.75  # radians from top to bottom that the model fills in the viewer, whose camera has 0.8


class Reconstructor(Turner, Protocol):
    """The networks, such as models.inference.reconstruct.Reconstructor."""

    def reconstruct(
        self,
        photo: Photo,
        mask: str,
        camera: str | tuple[float, float],
        resolution: int,
        simplify: int,
        /,
        *,
        stages: Stages,
        colours: str,
    ) -> Reconstruction:
        """Reconstruct an image.

        Args:
            photo: the image.
            mask: "auto", "alpha", "none" or the path of a mask file.
            camera: "est", or azimuth and elevation in degrees.
            resolution: cells along an axis.
            simplify: number of faces to merge the mesh into, about; 0: all.
            stages: times the stages.
            colours: "photo" or "field".

        Raises:
            UserError: the image cannot be reconstructed.
        """


@dataclasses.dataclass(frozen=True)
class Limits:
    """The largest upload."""

    bytes: int
    pixels: int


@dataclasses.dataclass(frozen=True)
class Request:
    """The values of the page's controls. Paths are Gradio's, of uploads or examples."""

    image: str | None
    camera: str = "est"
    format: str = "glb"
    simplify: float = FACES
    resolution: float = 128
    texture: str = "auto"
    colours: str = "photo"
    mask: str = "auto"
    mask_file: str | None = None
    azimuth: float = 0
    elevation: float = 20

    def validate(self) -> None:
        """Raise UserError for values that cannot be used, before any file is read."""
        if not self.image:
            raise UserError("There is no image yet: drop one into the box, or click an example")
        numbers = (self.resolution, self.simplify, self.azimuth, self.elevation)
        if not all(isinstance(number, (int, float)) and math.isfinite(number) for number in numbers):
            raise UserError("Resolution, faces, azimuth and elevation must be numbers")
        if not LEAST <= self.resolution <= MOST or self.resolution != int(self.resolution):
            raise UserError(f"The resolution must be a whole number from {LEAST} to {MOST}")
        check_resolution("Resolution", int(self.resolution))
        if not 0 <= self.simplify <= MOST_FACES or self.simplify != int(self.simplify):
            raise UserError(f"The number of faces must be a whole number up to {MOST_FACES}")
        check_count("Faces", int(self.simplify))
        chosen = (self.format, self.texture, self.colours, self.mask, self.camera)
        if not all(map(operator.contains, (FORMATS, TEXTURES, COLOURS, MASKS, CAMERAS), chosen)):
            raise UserError("There is no such format, texture, source of colours, mask or camera")
        if self.texture == "atlas" and self.format == "ply":
            raise UserError("PLY files have no textures: choose GLB or OBJ, or colours at the vertices")
        if self.mask == "file" and not self.mask_file:
            raise UserError(
                "There is no mask file yet: drop one into its box, or choose another way to find the object"
            )
        if not -90 < self.elevation < 90:
            raise UserError("The elevation must be between -90 and 90 degrees")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """The files of a reconstruction, in the folder of its request, and a description."""

    view: pathlib.Path  # GLB
    download: pathlib.Path
    camera_view: CameraView
    turntable: pathlib.Path
    about: str  # HTML
    azimuth: float  # degrees, of the estimated camera
    elevation: float  # degrees
    distance: float  # object-frame length from which the viewer shows the whole model


def display_name(path: str | os.PathLike[str]) -> str:
    """The base name of an uploaded file as the page shows it: short, without control characters."""
    name = "".join(c for c in pathlib.PurePath(path).name if c.isprintable()) or "the file"
    return name if len(name) <= 48 else f"{name[:30]}…{name[-15:]}"


def download_name(path: str | os.PathLike[str]) -> str:
    """The name of an upload without its suffix, as the name of files that any system can store."""
    stem = unicodedata.normalize("NFC", pathlib.PurePath(path).stem)
    words = "".join(c if c.isalnum() or c in "-_" else " " for c in stem).split()
    return "_".join(words)[:LONGEST_NAME] or "model"


def is_shown(data: bytes) -> bool:
    """Whether browsers show an image file of these bytes, which read_upload accepts."""
    with Image.open(io.BytesIO(data), formats=READABLE_FORMATS) as image:  # reads the header only
        return image.format in SHOWN


def read_upload(path: str | os.PathLike[str], limits: Limits) -> tuple[bytes, Photo]:
    """Read an uploaded image: its bytes and the decoded image.

    Raises:
        UserError: it cannot be used; the message has the file's name but not its path.
    """
    name = display_name(path)
    try:
        with open(path, "rb") as file:
            data = file.read(limits.bytes + 1)
    except OSError:
        raise UserError(f"{name} is no longer here: drop it into the box again") from None
    if len(data) > limits.bytes:
        raise UserError(f"{name} is larger than {limits.bytes / 2**20:g} MB: make it smaller")
    try:
        with Image.open(io.BytesIO(data), formats=READABLE_FORMATS) as image:  # reads the header only
            width, height = image.size
    except Exception:  # decode_photo finds out what is wrong
        width = height = 0
    if width * height > limits.pixels:
        raise UserError(
            f"{name} has {width}x{height} pixels, more than {limits.pixels / 1e6:g} megapixels: make it smaller"
        )
    return data, decode_photo(data, name)


def process(
    reconstructor: Reconstructor,
    request: Request,
    limits: Limits,
    folder: pathlib.Path,
    on_start: Callable[[str], object],
) -> Result:
    """Reconstruct what a validated request asks for.

    Args:
        reconstructor: the networks.
        request: the validated request.
        limits: of its uploads.
        folder: an empty folder for the files. Names of uploads do not occur in it.
        on_start: called with the name of every stage that begins.

    Raises:
        UserError: the image or the mask cannot be used; the message is a `sentence`.
    """
    stages, mask_path = Stages(on_start), folder / "mask"
    names = [(mask_path, display_name(request.mask_file or "mask"))]
    try:
        with stages("read"):
            assert request.image is not None  # validated
            photo = read_upload(request.image, limits)[1]
            mask = request.mask
            if mask == "file":
                assert request.mask_file is not None  # validated
                mask_path.write_bytes(read_upload(request.mask_file, limits)[0])
                mask = str(mask_path)
        camera = "est" if request.camera == "est" else (float(request.azimuth), float(request.elevation))
        result = reconstructor.reconstruct(
            photo,
            mask,
            camera,
            int(request.resolution),
            int(request.simplify),
            stages=stages,
            colours=request.colours,
        )
        return _write(result, request, stages, folder)
    except UserError as error:
        raise UserError(sentence(error, names)) from None


def _write(result: Reconstruction, request: Request, stages: Stages, folder: pathlib.Path) -> Result:
    """Write the files of a reconstruction into the folder of its request."""
    assert request.image is not None  # validated
    mesh_format = MeshFormat(request.format, request.texture)
    write_results(folder, result, stages, mesh_format, {"resolution": int(request.resolution)})
    mesh, name = folder / f"mesh.{request.format}", download_name(request.image)
    downloads = folder / "download"  # any name is free there
    downloads.mkdir()
    view, textured = folder / "view.glb", mesh_format.is_textured(len(result.faces))
    if request.format == "glb":
        view.write_bytes(mesh.read_bytes())
    elif textured:  # the viewer shows the colours of GLB files only; another texture would take seconds
        read = trimesh.load(mesh, force="mesh", process=False)
        write_textured(view, read.vertices, read.faces, read.visual.uv, np.asarray(read.visual.material.image))
    else:
        write_mesh(view, result.vertices, result.faces, result.colours)
    if request.format == "obj" and textured:
        download = downloads / f"{name}.zip"
        with zipfile.ZipFile(download, "w", zipfile.ZIP_DEFLATED) as file:
            file.write(mesh, f"{name}.obj")
            for part in ("mesh.mtl", "mesh_texture.png"):  # the names that the OBJ file has in it
                file.write(folder / part, part)
    else:
        download = mesh.rename(downloads / f"{name}.{request.format}")
    results = read_json(folder / "results.json")
    centre = (result.vertices.min(0) + result.vertices.max(0)) / 2
    radius = np.linalg.norm(result.vertices - centre, axis=1).max()
    return Result(
        view=view,
        download=download,
        camera_view=CameraView.of(result),
        turntable=folder / "turntable.gif",
        about=about(results),
        azimuth=results["camera"]["azimuth"],
        elevation=results["camera"]["elevation"],
        distance=float(radius / np.sin(FIELD_OF_VIEW / 2)),
    )
