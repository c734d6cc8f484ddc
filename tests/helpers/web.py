"""A reconstructor without networks, images to upload, and reading what the page shows."""

import io
import re
import threading

import numpy as np
from PIL import Image

from tests.helpers.octahedron import hull, reconstruction
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.images.foreground import foreground
from utils.rendering.photo_colours import PhotoColours
from utils.rendering.ray_surface import RaySurface
from utils.web.page import Page
from utils.web.request import Limits, Request

LIMITS = Limits(300_000, 500_000)
HOSTILE = "x; rm -rf $(y) <img src=x onerror=alert(1)>.png"


class OctahedronReconstructor:
    """Makes every image an octahedron of the object's mean colour."""

    def __init__(self):
        self.may_go_on, self.calls, self.error = threading.Event(), [], None
        self.may_go_on.set()

    def turned(self, rgba, camera, azimuth, elevation):
        return compose(intrinsics(rgba.shape[1]), look_at(azimuth, elevation, 2))

    def reconstruct(self, photo, mask="auto", camera="est", resolution=128, simplify=0, stages=None, colours="photo"):
        self.calls.append((mask, camera, resolution, simplify, colours))
        with stages("mask"):
            cut_out = foreground(photo, mask)
        assert self.may_go_on.wait(20)
        with stages("mesh"):
            if self.error:
                raise self.error
            mesh = hull().subdivide()
        colour = photo.rgba[cut_out.alpha > 128][:, :3].mean(0) / 255

        def colour_of(points):
            return np.repeat(colour[None], len(points), 0)

        matrix = compose(intrinsics(photo.rgba.shape[1]), look_at(40, 25, 2))
        rgba, surface = np.dstack([photo.rgba[..., :3], cut_out.alpha]), RaySurface(mesh.vertices, mesh.faces)
        photo_colours = PhotoColours(rgba, matrix, surface) if colours == "photo" else None
        field_colours = colour_of(mesh.vertices)
        return reconstruction(
            mesh,
            size=photo.size,
            photo=photo.rgba[..., :3],
            mask=cut_out.alpha,
            foreground=cut_out.used,
            notes=[*photo.notes, *cut_out.notes],
            category={"name": "chair", "probability": 0.95},
            photo_camera=matrix,
            iso=0.0,
            iso_at_bound=False,
            extracted_faces=len(mesh.faces),
            colours=photo_colours.of_vertices(field_colours) if photo_colours else field_colours,
            field_colours=field_colours,
            photo_colours=photo_colours,
            colour_of=colour_of,
        )


def png(colour=(200, 30, 30), size=(64, 48), alpha=True):
    """The bytes of a PNG: a block on a transparent background, or on a white one."""
    rgba = np.full((*size[::-1], 4), 255, np.uint8)
    rgba[..., 3] = 0 if alpha else 255
    rgba[size[1] // 4 : -size[1] // 4, size[0] // 4 : -size[0] // 4] = [*colour, 255]
    return png_of(rgba)


def png_of(array):
    """An array of pixels as the bytes of a PNG."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def upload(folder, data, name="image.png"):
    """Store an upload as Gradio does: its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return str(folder / name)


def controls(image, **values):
    """The values of the page's controls, in their order."""
    request = Request(image, **values)
    return [getattr(request, name) for name in Request.__dataclass_fields__]


def changes(page, *values):
    """Yield the changes of every step of a reconstruction, as dicts."""
    for step in page.reconstruct(*values):
        yield dict(zip(Page.RESULTS, step, strict=True))


def last_status(page, *values):
    """The status after a reconstruction has ended."""
    return list(changes(page, *values))[-1]["status"]


def result_of(page, *values):
    """The changes that show the result, and the generator of those that follow."""
    steps = changes(page, *values)
    for step in steps:
        if isinstance(step["model"], dict) and step["model"].get("value"):
            return step, steps
        last = step
    raise AssertionError(last["status"])


def error_of(status, page):
    """The sentence of a status that reports an error.

    It is one sentence, without HTML, paths of the server and command-line flags.
    """
    text = re.fullmatch(r"<span class='bad'>(.*)</span>", status).group(1)
    assert "<" not in text and "\n" not in text and "Traceback" not in text and "--" not in text
    assert str(page.folders.root) not in text and "/" not in text.replace("and/or", "") and text.endswith(".")
    return text
