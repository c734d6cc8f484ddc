"""Two baselines that any learned single-view method should beat: mean shape and retrieval.

The mean shape of a category is the set of voxels that at least a share q of its training objects
occupy. Retrieval answers with the training object whose view looks most like the query.
"""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from data.network_input import ViewSettings, network_image
from data.shards import Database, ObjectEntry
from utils.geometry.frames import VOXELS

SHARES = np.arange(0.05, 0.96, 0.05)  # the values that q is chosen from
THUMBNAIL = 24  # pixels a side
ROUNDING = 1e-9  # 6 of 20 objects are a share of 0.3 whatever the rounding


def mean_shapes(
    database: Database, train: Sequence[ObjectEntry], val: Sequence[ObjectEntry]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{category: (voxels, colours)} of the mean shape (see mean_shape) of every training category.

    q is chosen on the validation objects, or on the training objects where a category has none.
    """
    shapes = {}
    for name in sorted({entry.category for entry in train}):
        objects = [database.voxels(entry) for entry in train if entry.category == name]
        validation = [database.voxels(entry)[0] for entry in val if entry.category == name]
        share, colour = accumulate((index, colours / 255) for index, colours in objects)
        q, _ = choose_share(share, validation or [index for index, _ in objects])
        shapes[name] = mean_shape(share, colour, q)
    return shapes


def accumulate(objects: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Count how many objects occupy each voxel, and average their colours.

    Args:
        objects: (index (M, 3) int in 0..63, colours (M, 3) in [0, 1]) of every training object.

    Returns:
        The share (64, 64, 64) of the objects that occupy each voxel, and the mean colour
        (64, 64, 64, 3) of those, 0 where there is none.
    """
    count, total, number = np.zeros((VOXELS,) * 3), np.zeros((VOXELS,) * 3 + (3,)), 0
    for index, colours in objects:
        where = tuple(np.asarray(index, np.int64).T)
        count[where] += 1
        total[where] += colours
        number += 1
    if not number:
        raise ValueError("a mean shape needs at least one training object")
    return count / number, total / np.maximum(count, 1)[..., None]


def choose_share(share: np.ndarray, objects: Iterable[np.ndarray], shares: np.ndarray = SHARES) -> tuple[float, float]:
    """The q whose mean shape has the best mean IoU with the validation objects.

    Args:
        share: (64, 64, 64) of accumulate.
        objects: index (M, 3) int in 0..63 of every validation object.
        shares: the values that q is chosen from.

    Returns:
        q and its mean IoU.
    """
    masks = [share >= q - ROUNDING for q in shares]
    sizes = np.array([mask.sum() for mask in masks])
    scores = []
    for index in objects:
        where = tuple(np.asarray(index, np.int64).T)
        matched = np.array([mask[where].sum() for mask in masks])
        scores.append(matched / (len(index) + sizes - matched))
    if not scores:
        raise ValueError("choosing q needs at least one validation object")
    mean = np.mean(scores, 0)
    return float(shares[mean.argmax()]), float(mean.max())


def mean_shape(share: np.ndarray, colour: np.ndarray, q: float) -> tuple[np.ndarray, np.ndarray]:
    """The voxels that at least a share q of the training objects occupy.

    share and colour are those of accumulate. Returns voxels (K, 3) float in the voxel frame and
    their colours (K, 3) in [0, 1].
    """
    index = np.argwhere(share >= q - ROUNDING)
    return index - float(VOXELS // 2), colour[tuple(index.T)]


def retrieval(
    database: Database,
    train: Sequence[ObjectEntry],
    pairs: Sequence[tuple[ObjectEntry, int]],
    config: ViewSettings,
) -> list[ObjectEntry]:
    """For every (entry, view) pair the training object with the nearest view, of any category."""

    def small(entry: ObjectEntry, view: int) -> np.ndarray:
        return thumbnail(network_image(database.image(entry, view), config)[..., :3])

    owners, thumbnails = [], []
    for entry in tqdm(train, desc="training views", unit="object", mininterval=2):
        for view in range(len(entry.view_names)):
            owners.append(entry)
            thumbnails.append(small(entry, view))
    queries = [small(entry, view) for entry, view in pairs]
    nearest, _ = nearest_views(np.array(thumbnails), np.array(queries))
    return [owners[i] for i in nearest]


def thumbnail(image: np.ndarray, size: int = THUMBNAIL) -> np.ndarray:
    """(H, W, 3) in [0, 1], the network's image on its background -> (size * size * 3,) float32."""
    return cv2.resize(np.asarray(image, np.float32), (size, size), interpolation=cv2.INTER_AREA).ravel()


def nearest_views(thumbnails: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The training view nearest to each query.

    Args:
        thumbnails: (N, D) of all training views.
        queries: (Q, D).

    Returns:
        (Q,) index of the nearest training view, and (Q,) mean square difference to it.
    """
    distances, nearest = NearestNeighbors(n_neighbors=1, algorithm="auto").fit(thumbnails).kneighbors(queries)
    return nearest[:, 0], distances[:, 0] ** 2 / queries.shape[1]
