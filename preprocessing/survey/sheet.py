"""The contact sheet of a category: a picture of each mesh under its name."""

from collections.abc import Sequence

import cv2
import numpy as np

from preprocessing.survey.measure import SIZE

COLUMNS = 8
TITLE = 16  # pixels of the line above a picture
LONGEST_NAME = 24  # letters that fit above a picture


def contact_sheet(pictures: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """(name, (SIZE, SIZE, 3) uint8 picture) of some meshes, at least one -> (H, W, 3) uint8 RGB."""
    cells = [_cell(name, picture) for name, picture in pictures]
    columns = min(COLUMNS, len(cells))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    return np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])


def _cell(name: str, picture: np.ndarray) -> np.ndarray:
    title = np.full((TITLE, SIZE, 3), 255, np.uint8)
    text = name.encode("ascii", "replace").decode()[-LONGEST_NAME:]
    cv2.putText(title, text, (2, TITLE - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([title, picture])
