"""figure.png: a row an object, with the input image, the prediction from three sides, and the truth from the same sides."""

import numpy as np

from utils import files
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.mesh.voxels import cubes

SIDES = ((30, 20), (150, 20), (270, 20))  # azimuth, elevation in degrees: two of them show what the other does not
DISTANCE = 2.0  # of the camera: the cube's corners stay in the picture
SIZE = 288  # pixels of a rendered picture, before the margin that all pictures of a row have in common is cut off


def figure(rows, path):
    """Write the PNG. rows: list of (title, image, mesh, (voxels, voxel colours)).

    title     text over the row, e.g. the object's name with its IoU and PSNR
    image     (H, W, 3 or 4), uint8 or float in [0, 1], the input
    mesh      predicted (vertices (V, 3) object frame, faces (F, 3), colours (V, 3) in [0, 1]), or None: shown as 'failed'
    voxels    true surface voxels (N, 3) in the voxel frame, colours (N, 3) in [0, 1]
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not rows:
        raise ValueError("a figure needs at least one row")
    columns = 1 + 2 * len(SIDES)
    # a Figure of its own, not pyplot's: no window system, no state shared with the caller
    sheet = Figure(figsize=(1.6 * columns, 1.8 * len(rows)), dpi=120, layout="constrained")
    FigureCanvasAgg(sheet)
    grid = sheet.subplots(len(rows), columns, squeeze=False)
    for row, (axes, (title, image, mesh, truth)) in enumerate(zip(grid, rows, strict=True)):
        predicted = views(*mesh) if mesh is not None else []
        rendered = crop([*predicted, *views(*cubes(*truth))])
        pictures = [image, *([] if predicted else [None] * len(SIDES)), *rendered]
        for axis, picture in zip(axes, pictures, strict=True):
            axis.set_axis_off()
            if picture is None:
                axis.text(0.5, 0.5, "failed", ha="center", va="center", color="firebrick", transform=axis.transAxes)
                axis.set_box_aspect(1)
            else:
                axis.imshow(picture)
        axes[0].set_title(title, fontsize=8, loc="left", parse_math=False)
        if row == 0:
            axes[2].set_title("prediction", fontsize=8)
            axes[2 + len(SIDES)].set_title("truth", fontsize=8)
    with files.replacing(path) as temporary:
        sheet.savefig(temporary, facecolor="white")


def views(vertices, faces, colours):
    """[(SIZE, SIZE, 4) uint8] pictures of a coloured mesh (object frame) from the SIDES."""
    from utils.mesh.mesh import coloured_mesh
    from utils.rendering.raycast import Scene

    scene = Scene(coloured_mesh(vertices, faces, colours))
    K = intrinsics(SIZE)
    return [scene.render(compose(K, look_at(*side, DISTANCE)), SIZE, samples=3) for side in SIDES]


def crop(pictures):
    """The same square of each of the RGBA pictures, as small as holds all that is seen in them: their scale stays comparable."""
    rows, columns = np.nonzero(np.max([picture[..., 3] for picture in pictures], axis=0))
    if not len(rows):
        return pictures
    middle = [(each.min() + each.max() + 1) // 2 for each in (rows, columns)]
    half = max(np.ptp(rows), np.ptp(columns)) // 2 + SIZE // 40
    padded = [np.pad(picture, ((half, half), (half, half), (0, 0))) for picture in pictures]
    top, left = middle  # of the square in the padded picture: middle + half - half
    return [picture[top : top + 2 * half, left : left + 2 * half] for picture in padded]
