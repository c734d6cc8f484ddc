"""The figure of an evaluation: its rows and columns show what they should."""

import numpy as np
import pytest
from PIL import Image

from utils.mesh.voxels import cubes
from utils.rendering.figure import FigureRow, write_figure


def test_figure_has_a_row_per_object(tmp_path):
    rng = np.random.default_rng(0)
    voxels = np.stack(np.meshgrid(*[np.arange(-8.0, 8)] * 3, indexing="ij"), -1).reshape(-1, 3)
    truth = voxels, np.tile([0.1, 0.2, 0.9], (len(voxels), 1))
    red = cubes(voxels, np.tile([0.9, 0.1, 0.1], (len(voxels), 1)))
    view = rng.integers(0, 255, (40, 50, 4), np.uint8)
    rows = [FigureRow("one $ IoU 1.0", view, red, truth), FigureRow("two", view[..., :3] / 255, None, truth)]
    write_figure(rows, tmp_path / "figure.png")
    image = np.asarray(Image.open(tmp_path / "figure.png").convert("RGB")).astype(int)
    half = len(image) // 2
    redness = image[..., 0] - image[..., 2] > 60
    blueness = image[..., 2] - image[..., 0] > 60
    columns = np.array_split(np.arange(image.shape[1]), 7)
    for side in (1, 2, 3):
        assert redness[:half, columns[side]].mean() > 0.1  # predictions in the first row, 'failed' in the second
        assert redness[half:, columns[side]].mean() < 0.05
        for part in (slice(0, half), slice(half, None)):
            assert blueness[part, columns[side + 3]].mean() > 0.1
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
    with pytest.raises(ValueError):
        write_figure([], tmp_path / "none.png")
