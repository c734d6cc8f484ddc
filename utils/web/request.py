"""One visitor's request: its checks, its reconstruction and the files that the page shows."""

import dataclasses
import io
import math
import operator
import os
import pathlib
import zipfile
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from utils.errors import UserError
from utils.files import read_json
from utils.images.photo import FORMATS as READABLE_FORMATS
from utils.images.photo import Photo, decode_photo
from utils.images.resize import resize_image
from utils.mesh.writers import write_mesh
from utils.rendering.backgrounds import lay_over
from utils.reports.result_folder import TEXTURES, MeshFormat, Reconstruction, write_results
from utils.stages import Stages
from utils.surface.adaptive import check_resolution
from utils.web.description import about, sentence

LEAST, MOST = 32, 256  # cells along an axis
LONGEST = 768  # pixels of the longest side of the images that the page shows
FORMATS = {"glb": "GLB", "ply": "PLY", "obj": "OBJ"}
COLOURS = ("photo", "field")
MASKS, CAMERAS = ("auto", "alpha", "none", "file"), ("est", "angles")
FIELD_OF_VIEW = 0.75  # radians from top to bottom that the model fills in the viewer, whose camera has 0.8


class Reconstructor(Protocol):
    """The networks, such as models.inference.reconstruct.Reconstructor."""

    def reconstruct(
        self,
        photo: Photo,
        mask: str,
        camera: str | tuple[float, float],
        resolution: int,
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
    resolution: float = 128
    format: str = "glb"
    texture: str = "auto"
    colours: str = "photo"
    mask: str = "auto"
    mask_file: str | None = None
    camera: str = "est"
    azimuth: float = 0
    elevation: float = 20

    def validate(self) -> None:
        """Raise UserError for values that cannot be used, before any file is read."""
        if not self.image:
            raise UserError("There is no image yet: drop one into the box, or click an example")
        numbers = (self.resolution, self.azimuth, self.elevation)
        if not all(isinstance(number, (int, float)) and math.isfinite(number) for number in numbers):
            raise UserError("Resolution, azimuth and elevation must be numbers")
        if not LEAST <= self.resolution <= MOST or self.resolution != int(self.resolution):
            raise UserError(f"The resolution must be a whole number from {LEAST} to {MOST}")
        check_resolution("Resolution", int(self.resolution))
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
    masked: np.ndarray  # (H, W, 3) uint8 the image, with its background paled
    overlay: pathlib.Path
    turntable: pathlib.Path
    about: str  # HTML
    azimuth: float  # degrees, of the estimated camera
    elevation: float  # degrees
    distance: float  # from which the viewer shows the whole model


def display_name(path: str | os.PathLike[str]) -> str:
    """The base name of an uploaded file as the page shows it: short, without control characters."""
    name = "".join(c for c in pathlib.PurePath(path).name if c.isprintable()) or "the file"
    return name if len(name) <= 48 else f"{name[:30]}…{name[-15:]}"


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
            photo, mask, camera, int(request.resolution), stages=stages, colours=request.colours
        )
        return _write(result, request, stages, folder)
    except UserError as error:
        raise UserError(sentence(error, names)) from None


def _write(result: Reconstruction, request: Request, stages: Stages, folder: pathlib.Path) -> Result:
    """Write the files of a reconstruction into the folder of its request."""
    mesh_format = MeshFormat(request.format, request.texture)
    write_results(folder, result, stages, mesh_format, {"resolution": int(request.resolution)})
    download = folder / f"mesh.{request.format}"
    view = download
    if request.format != "glb":  # the viewer shows the colours of GLB files only
        view = folder / "view.glb"
        write_mesh(view, result.vertices, result.faces, result.colours)
    if request.format == "obj" and mesh_format.is_textured(len(result.faces)):
        download = folder / "mesh.zip"
        with zipfile.ZipFile(download, "w", zipfile.ZIP_DEFLATED) as file:
            for part in ("mesh.obj", "mesh.mtl", "mesh_texture.png"):
                file.write(folder / part, part)
    results = read_json(folder / "results.json")
    centre = (result.vertices.min(0) + result.vertices.max(0)) / 2
    radius = np.linalg.norm(result.vertices - centre, axis=1).max()
    return Result(
        view=view,
        download=download,
        masked=_with_pale_background(result),
        overlay=folder / "overlay.png",
        turntable=folder / "turntable.gif",
        about=about(results),
        azimuth=results["camera"]["azimuth"],
        elevation=results["camera"]["elevation"],
        distance=float(radius / np.sin(FIELD_OF_VIEW / 2)),
    )


def preview(photo: Photo) -> np.ndarray:
    """The image on white, (H, W, 3) uint8, not too large for a page."""
    rgba = resize_image(photo.rgba, _reduced_size(photo.rgba))
    return lay_over(rgba, np.full((*rgba.shape[:2], 3), 255, np.uint8))


def _with_pale_background(result: Reconstruction) -> np.ndarray:
    """The image for the page, its background paled, with the outline of the mask."""
    size = _reduced_size(result.photo)
    rgba = cv2.resize(np.dstack([result.photo, result.mask]), size[::-1], interpolation=cv2.INTER_AREA)
    image, mask = rgba[..., :3], rgba[..., 3]
    share = mask[..., None] / 255
    image = np.rint(image * share + (255 - 0.25 * (255.0 - image)) * (1 - share)).astype(np.uint8)
    outline = cv2.findContours((mask >= 128).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    return cv2.drawContours(image, outline, -1, (255, 0, 128), 2)


def _reduced_size(image: np.ndarray) -> tuple[int, int]:
    """(height, width) of an image after its longest side is reduced to LONGEST, if it is longer."""
    ratio = min(1, LONGEST / max(image.shape[:2]))
    height, width = (max(1, round(side * ratio)) for side in image.shape[:2])
    return height, width
