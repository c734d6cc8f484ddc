"""figure.png: for each object the input image, and prediction and truth from the same sides."""

import dataclasses
import os
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import IdentityTransform

from utils import files
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.images.resize import lay_over, resize_image, scaled_size
from utils.mesh.mesh import coloured_mesh
from utils.mesh.voxels import cubes
from utils.rendering.raycast import Scene

SIDES = ((30, 20), (150, 20), (270, 20))  # azimuth, elevation in degrees; no part is hidden in all of them
DISTANCE = 2.0  # of the camera: the corners of the cube stay in the image
SIZE = 288  # pixels of a rendered view, before the margin common to all views of a row is cut off
CELL, GAP, TITLE, DPI = 176, 16, 44, 120  # pixels: an image, between two, the text over a row, an inch


@dataclasses.dataclass
class FigureRow:
    """What the figure shows of one object."""

    title: str  # text over the row, e.g. the object's name with its IoU and PSNR
    image: np.ndarray  # (H, W, 3 or 4) uint8, or float in [0, 1]: the input
    # the predicted mesh: vertices (V, 3) object frame, faces (F, 3), colours (V, 3) in [0, 1];
    # None is shown as 'failed'
    prediction: tuple[np.ndarray, np.ndarray, np.ndarray] | None
    truth: tuple[np.ndarray, np.ndarray]  # surface voxels (N, 3) voxel frame, colours (N, 3) in [0, 1]


def write_figure(rows: Iterable[FigureRow], path: str | os.PathLike[str]) -> None:
    """Write the figure as a PNG. Rows are drawn as they come; their meshes are not kept."""
    drawn = [(row.title, _cells(row)) for row in rows]
    if not drawn:
        raise ValueError("a figure needs at least one row")
    columns = 1 + 2 * len(SIDES)
    # a Figure of its own, not one of pyplot: no window system, no state shared with the caller;
    # without axes, since hundreds of them take minutes
    page = Figure((columns * (CELL + GAP) / DPI, len(drawn) * (TITLE + CELL) / DPI), DPI)
    FigureCanvasAgg(page)
    pixels, left = IdentityTransform(), [GAP // 2 + column * (CELL + GAP) for column in range(columns)]
    for number, (title, cells) in enumerate(drawn):
        bottom = (len(drawn) - 1 - number) * (TITLE + CELL)
        for x, cell in zip(left, cells, strict=True):
            if cell is None:
                place = {"ha": "center", "va": "center", "color": "firebrick", "transform": pixels}
                page.text(x + CELL / 2, bottom + CELL / 2, "failed", **place)
            else:
                page.figimage(cell, x, bottom, origin="upper")
        over = {"fontsize": 8, "transform": pixels}
        page.text(left[0], bottom + CELL + 2, title, parse_math=False, **over)
        if number == 0:
            for column, text in (2, "prediction"), (2 + len(SIDES), "truth"):
                page.text(left[column] + CELL / 2, bottom + CELL + 2, text, ha="center", **over)
    with files.replacing(path) as temporary:
        page.savefig(temporary, facecolor="white")


def _cells(row: FigureRow) -> list[np.ndarray | None]:
    """The images of a row, (CELL, CELL, 3) uint8 each: input, prediction (None: failed), truth."""
    predicted = render_sides(*row.prediction) if row.prediction is not None else []
    rendered = [_cell(image) for image in crop_alike([*predicted, *render_sides(*cubes(*row.truth))])]
    return [_cell(row.image), *([] if predicted else [None] * len(SIDES)), *rendered]


def _cell(image: np.ndarray) -> np.ndarray:
    """An image as FigureRow has it, in the middle of a white one of (CELL, CELL, 3) uint8."""
    if image.dtype != np.uint8:
        image = np.rint(255 * image.clip(0, 1)).astype(np.uint8)
    if image.shape[2] == 3:
        image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    height, width = scaled_size(image.shape[:2], CELL / max(image.shape[:2]))
    cell, top, left = np.full((CELL, CELL, 3), 255, np.uint8), (CELL - height) // 2, (CELL - width) // 2
    cell[top : top + height, left : left + width] = lay_over(resize_image(image, (height, width)))
    return cell


def render_sides(vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> list[np.ndarray]:
    """Views (SIZE, SIZE, 4) uint8 of a coloured mesh from the SIDES.

    vertices (V, 3) object frame, faces (F, 3), colours (V, 3) in [0, 1].
    """
    scene = Scene(coloured_mesh(vertices, faces, colours))
    K = intrinsics(SIZE)
    return [scene.render(compose(K, look_at(*side, DISTANCE)), SIZE, samples=3) for side in SIDES]


def crop_alike(images: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """Cut the same square out of all RGBA images: the smallest that holds everything visible.

    The scale of the images thus stays comparable.
    """
    rows, columns = np.nonzero(np.max([image[..., 3] for image in images], axis=0))
    if not len(rows):
        return images
    # In the padded images the square begins at middle + half - half = middle.
    top, left = ((indices.min() + indices.max() + 1) // 2 for indices in (rows, columns))
    half = int(max(np.ptp(rows), np.ptp(columns))) // 2 + SIZE // 40
    padded = [np.pad(image, ((half, half), (half, half), (0, 0))) for image in images]
    return [image[top : top + 2 * half, left : left + 2 * half] for image in padded]
