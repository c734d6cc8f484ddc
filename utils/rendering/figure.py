"""figure.png: for each object the input image, and prediction and truth from the same sides."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from utils import files
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.mesh.mesh import coloured_mesh
from utils.mesh.voxels import cubes
from utils.rendering.raycast import Scene

SIDES = ((30, 20), (150, 20), (270, 20))  # azimuth, elevation in degrees; no part is hidden in all of them
DISTANCE = 2.0  # of the camera: the corners of the cube stay in the image
SIZE = 288  # pixels of a rendered view, before the margin common to all views of a row is cut off


@dataclasses.dataclass
class FigureRow:
    """What the figure shows of one object."""

    title: str  # text over the row, e.g. the object's name with its IoU and PSNR
    image: np.ndarray  # (H, W, 3 or 4) uint8, or float in [0, 1]: the input
    # the predicted mesh: vertices (V, 3) object frame, faces (F, 3), colours (V, 3) in [0, 1];
    # None is shown as 'failed'
    prediction: tuple[np.ndarray, np.ndarray, np.ndarray] | None
    truth: tuple[np.ndarray, np.ndarray]  # surface voxels (N, 3) voxel frame, colours (N, 3) in [0, 1]


def write_figure(rows: Sequence[FigureRow], path: str | os.PathLike[str]) -> None:
    """Write the figure as a PNG."""
    if not rows:
        raise ValueError("a figure needs at least one row")
    columns = 1 + 2 * len(SIDES)
    # a Figure of its own, not one of pyplot: no window system, no state shared with the caller
    page = Figure(figsize=(1.6 * columns, 1.8 * len(rows)), dpi=120, layout="constrained")
    FigureCanvasAgg(page)
    grid = page.subplots(len(rows), columns, squeeze=False)
    for number, (axes, row) in enumerate(zip(grid, rows, strict=True)):
        predicted = render_sides(*row.prediction) if row.prediction is not None else []
        rendered = crop_alike([*predicted, *render_sides(*cubes(*row.truth))])
        images = [row.image, *([] if predicted else [None] * len(SIDES)), *rendered]
        for axis, image in zip(axes, images, strict=True):
            axis.set_axis_off()
            if image is None:
                axis.text(0.5, 0.5, "failed", ha="center", va="center", color="firebrick", transform=axis.transAxes)
                axis.set_box_aspect(1)
            else:
                axis.imshow(image)
        axes[0].set_title(row.title, fontsize=8, loc="left", parse_math=False)
        if number == 0:
            axes[2].set_title("prediction", fontsize=8)
            axes[2 + len(SIDES)].set_title("truth", fontsize=8)
    with files.replacing(path) as temporary:
        page.savefig(temporary, facecolor="white")


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
