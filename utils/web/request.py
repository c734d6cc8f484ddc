"""What a visitor of the page asks for -> a reconstruction's files, or one sentence that says why not."""

import dataclasses
import html
import io
import math
import pathlib
import re
import zipfile

import numpy as np

from utils.errors import UserError

LEAST, MOST = 32, 256  # cells along an axis
TEXTURE_SIZE = 1024  # pixels of an atlas's side
LONGEST = 768  # pixels of the pictures shown
FORMATS = {"glb": "GLB", "ply": "PLY", "obj": "OBJ"}
TEXTURES, MASKS, CAMERAS = ("vertex", "atlas"), ("auto", "alpha", "none", "file"), ("est", "angles")
# Messages of other modules name the flags of reconstruct.py; the page has no flags.
FLAGS = (
    ("give a mask with --mask FILE", "give a mask file (Settings)"),
    ("leave out --mask alpha", "let the object be found automatically (Settings)"),
    ("use --mask none", "choose “all of the picture” (Settings)"),
)
SIDES = ("front", "front right", "right", "back right", "back", "back left", "left", "front left")
HEIGHTS = (
    (-10, "from below"),
    (10, "at its height"),
    (35, "from a little above"),
    (60, "from above"),
    (91, "from far above"),
)
FIELD = 0.75  # radians of the viewer's picture, from top to bottom; it has 0.8
WHERE = {
    "alpha": "by its transparency",
    "file": "by the mask file",
    "none": "as you said",
    "grabcut": "by GrabCut",
    "rembg": "by rembg",
}


@dataclasses.dataclass(frozen=True)
class Limits:
    """Of an uploaded file."""

    bytes: int
    pixels: int


@dataclasses.dataclass(frozen=True)
class Request:
    """The page's controls. Paths are Gradio's, of uploads or examples."""

    picture: str | None
    resolution: float = 128
    format: str = "glb"
    texture: str = "vertex"
    mask: str = "auto"
    mask_file: str | None = None
    camera: str = "est"
    azimuth: float = 0
    elevation: float = 20

    def check(self):
        """UserError for what cannot be done, before anything is read."""
        from utils.surface.adaptive import check_resolution

        if not self.picture:
            raise UserError("There is no picture yet: drop one into the box, or click an example")
        numbers = (self.resolution, self.azimuth, self.elevation)
        if not all(isinstance(number, (int, float)) and math.isfinite(number) for number in numbers):
            raise UserError("Resolution, azimuth and elevation must be numbers")
        if not LEAST <= self.resolution <= MOST or self.resolution != int(self.resolution):
            raise UserError(f"The resolution must be a whole number from {LEAST} to {MOST}")
        check_resolution("Resolution", int(self.resolution))
        choices = {self.format: FORMATS, self.texture: TEXTURES, self.mask: MASKS, self.camera: CAMERAS}
        if not all(choice in known for choice, known in choices.items()):
            raise UserError("There is no such format, texture, mask or camera")
        if self.texture == "atlas" and self.format == "ply":
            raise UserError("PLY files have no textures: choose GLB or OBJ, or colours at the vertices")
        if self.mask == "file" and not self.mask_file:
            raise UserError(
                "There is no mask file yet: drop one into its box, or choose another way to find the object"
            )
        if not -90 < self.elevation < 90:
            raise UserError("The elevation must be between -90 and 90 degrees")


@dataclasses.dataclass(frozen=True)
class Answer:
    """Files in the folder of a request, and HTML that tells of them."""

    view: pathlib.Path  # GLB
    download: pathlib.Path
    masked: np.ndarray  # (H, W, 3) uint8 the picture, with what is not the object paled
    overlay: pathlib.Path
    turntable: pathlib.Path
    about: str
    start: tuple  # azimuth, elevation of the estimated camera; distance from which the whole model is in the viewer


def shown_name(path):
    """The base name of an uploaded file as it may be shown: short, and without control characters."""
    name = "".join(c for c in pathlib.PurePath(path).name if c.isprintable()) or "the file"
    return name if len(name) <= 48 else f"{name[:30]}…{name[-15:]}"


def read_upload(path, limits):
    """Path of an upload -> its bytes, its utils.images.photo.Photo. UserError, without the path, where it cannot be used."""
    from PIL import Image

    from utils.images.photo import FORMATS as READABLE
    from utils.images.photo import decode_photo

    name, most = shown_name(path), limits.bytes
    try:
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except OSError:
        raise UserError(f"{name} is no longer here: drop it into the box again") from None
    if len(data) > most:
        raise UserError(f"{name} is larger than {most / 2**20:g} MB: make it smaller")
    try:
        with Image.open(io.BytesIO(data), formats=READABLE) as image:  # its header alone
            width, height = image.size
    except Exception:  # what is wrong with it is decode_photo's to say
        width = height = 0
    if width * height > limits.pixels:
        raise UserError(
            f"{name} has {width}x{height} pixels, more than {limits.pixels / 1e6:g} megapixels: make it smaller"
        )
    return data, decode_photo(data, name)


def sentence(error, names=()):
    """A UserError -> one line for the page, not escaped: no flags, no paths of the server. names: (path, what to call it) pairs."""
    text = " ".join(str(error).split())
    for path, name in names:
        text = text.replace(str(path), name)
    for flag, words in FLAGS:
        text = text.replace(flag, words)
    text = re.sub(r"(^|\s)--(\w+)", r"\1\2", text)
    text = re.sub(r"(?<![\w.])/(?:[^\s/:]+/)+", "", text)  # folders; what is left of a path is its base name
    return text if text.endswith((".", "!", "?")) else f"{text}."


def answer(reconstructor, request, limits, folder, tell):
    """Reconstruct what a checked Request asks for into an empty folder -> Answer. UserError as sentence() makes it.

    tell: called with the name of every stage when it begins. All names in the folder are ours.
    """
    from utils.stages import Stages

    stages, mask_path = Stages(tell), folder / "mask"
    names = [(mask_path, shown_name(request.mask_file or "mask"))]
    try:
        with stages("read"):
            photo = read_upload(request.picture, limits)[1]
            mask = request.mask
            if mask == "file":
                mask_path.write_bytes(read_upload(request.mask_file, limits)[0])
                mask = str(mask_path)
        camera = "est" if request.camera == "est" else (float(request.azimuth), float(request.elevation))
        result = reconstructor.reconstruct(photo, mask, camera, int(request.resolution), stages=stages)
        return _written(result, request, stages, folder)
    except UserError as error:
        raise UserError(sentence(error, names)) from None


def _written(result, request, stages, folder):
    """models.inference.reconstruct.Reconstruction -> Answer, its files in the folder."""
    from utils.files import read_json
    from utils.mesh.writers import write_mesh
    from utils.reports.result_folder import write_results

    atlas = TEXTURE_SIZE if request.texture == "atlas" else None
    more = {"resolution": int(request.resolution)}
    write_results(folder, result, stages, request.format, atlas, centre=(0, 0, 0), scale=1.0, more=more)
    download = folder / f"mesh.{request.format}"
    view = download
    if request.format != "glb":  # the viewer shows colours of GLB files alone
        view = folder / "view.glb"
        write_mesh(view, result.vertices, result.faces, result.colours)
    if request.format == "obj" and atlas:  # an OBJ, its material and its picture
        download = folder / "mesh.zip"
        with zipfile.ZipFile(download, "w", zipfile.ZIP_DEFLATED) as file:
            for part in ("mesh.obj", "mesh.mtl", "mesh_texture.png"):
                file.write(folder / part, part)
    told = read_json(folder / "results.json")
    radius = np.linalg.norm(result.vertices - (result.vertices.min(0) + result.vertices.max(0)) / 2, axis=1).max()
    start = told["camera"]["azimuth"], told["camera"]["elevation"], float(radius / np.sin(FIELD / 2))
    return Answer(
        view, download, _masked(result), folder / "overlay.png", folder / "turntable.gif", _about(told), start
    )


def _about(told):
    """results.json -> HTML: camera, object, model, notes."""
    camera, surface = told["camera"], told["surface"]
    azimuth, elevation, distance = (camera[name] for name in ("azimuth", "elevation", "distance"))
    share, source = 100 * told["foreground"]["share"], told["foreground"]["source"]
    found_by = WHERE.get(source, source)
    closed = "closed" if surface["closed"] else "not closed"
    rows = [
        ("Camera", f"{camera_words(azimuth, elevation)} ({camera['source']})"),
        (
            "",
            f"azimuth {azimuth:.0f}°, elevation {elevation:.0f}°, distance {distance:.2f} (the object's longest side is 1)",
        ),
        ("Object", f"{share:.0f} % of the picture, {found_by}"),
        ("Model", f"{surface['faces']} faces, {closed}, {sum(told['seconds'].values()):.1f} s"),
        *(("Note", note) for note in told["notes"]),
    ]
    cells = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(sentence(text)[:-1])}</td></tr>" for name, text in rows)
    return f"<table>{''.join(cells)}</table>"


def camera_words(azimuth, elevation):
    """Degrees -> where the picture was taken from. Right is that of somebody who looks at the object's front."""
    side = SIDES[round(azimuth / 45) % 8]
    height = next(words for below, words in HEIGHTS if elevation < below)
    return f"from the {side}, {height}"


def shown(photo):
    """Photo -> (H, W, 3) uint8 on white, not too large for a page."""
    from utils.rendering.turntable import over

    rgba = _reduced(photo.rgba)
    return over(rgba, np.full((*rgba.shape[:2], 3), 255, np.uint8))


def _masked(result):
    """A Reconstruction's picture, paled where the object is not, with the outline of the mask."""
    import cv2

    masked = _reduced(np.dstack([result.photo, result.mask]), False)
    picture, mask = masked[..., :3], masked[..., 3]
    share = mask[..., None] / 255
    picture = np.rint(picture * share + (255 - 0.25 * (255.0 - picture)) * (1 - share)).astype(np.uint8)
    outline = cv2.findContours((mask >= 128).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    return cv2.drawContours(picture, outline, -1, (255, 0, 128), 2)


def _reduced(rgba, weighted=True):
    """(H, W, 4) uint8, its longest side at most LONGEST."""
    import cv2

    from utils.images.resize import resize_image

    ratio = min(1, LONGEST / max(rgba.shape[:2]))
    size = tuple(max(1, round(side * ratio)) for side in rgba.shape[:2])
    return resize_image(rgba, size) if weighted else cv2.resize(rgba, size[::-1], interpolation=cv2.INTER_AREA)
