"""Two baselines that any learned single-view method should beat: mean shape and retrieval.

The mean shape of a category is the set of voxels that at least a share q of its training objects
occupy. Retrieval answers with the training object whose view looks most like the query.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from data.network_input import ViewSettings
from data.shards import Database, ObjectEntry
from utils.errors import UserError
from utils.geometry.frames import VOXELS
from utils.images.crop import object_square

SHARES = np.arange(0.05, 0.96, 0.05)  # the values that q is chosen from
THUMBNAIL = 24  # pixels a side
ROUNDING = 1e-9  # 6 of 20 objects are a share of 0.3 whatever the rounding


@dataclasses.dataclass(frozen=True)
class MeanShape:
    """The mean shape of a category, from which an object that it was made of can be taken out."""

    share: np.ndarray  # (64, 64, 64) share of the objects that occupy each voxel
    colour: np.ndarray  # (64, 64, 64, 3) mean colour of those
    count: int  # objects
    q: float  # the share that makes a voxel one of the mean shape

    def voxels(self) -> tuple[np.ndarray, np.ndarray]:
        """Voxels (K, 3) float in the voxel frame and their colours (K, 3) in [0, 1]."""
        return mean_shape(self.share, self.colour, self.q)

    def without(self, index: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """voxels() of all objects but the one with voxels (M, 3) and colours (M, 3) in [0, 1]."""
        where = tuple(np.asarray(index, np.int64).T)
        holders, total = self.share * self.count, self.colour * (self.share * self.count)[..., None]
        holders[where] -= 1
        total[where] -= colours
        left = self.count - 1
        share = np.rint(holders) / left if left else np.zeros_like(self.share)
        return mean_shape(share, total / np.maximum(np.rint(holders), 1)[..., None], self.q)


def mean_shape_of(
    database: Database, train: Sequence[ObjectEntry], val: Sequence[ObjectEntry], category: str
) -> MeanShape | None:
    """The mean shape of a category; None where it has no training object.

    q is chosen on the validation objects, or on the training objects where a category has none.
    """
    objects = [database.voxels(entry) for entry in train if entry.category == category]
    if not objects:
        return None
    validation = [database.voxels(entry)[0] for entry in val if entry.category == category]
    share, colour = accumulate((index, colours / 255) for index, colours in objects)
    q, _ = choose_share(share, validation or [index for index, _ in objects])
    return MeanShape(share, colour, len(objects), q)


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


def choose_share(share: np.ndarray, objects: Iterable[np.ndarray]) -> tuple[float, float]:
    """The q among SHARES whose mean shape has the best mean IoU with the validation objects.

    Args:
        share: (64, 64, 64) of accumulate.
        objects: index (M, 3) int in 0..63 of every validation object.

    Returns:
        q and its mean IoU.
    """
    masks = [share >= q - ROUNDING for q in SHARES]
    sizes = np.array([mask.sum() for mask in masks])
    scores = []
    for index in objects:
        where = tuple(np.asarray(index, np.int64).T)
        matched = np.array([mask[where].sum() for mask in masks])
        scores.append(matched / (len(index) + sizes - matched))
    if not scores:
        raise ValueError("choosing q needs at least one validation object")
    mean = np.mean(scores, 0)
    return float(SHARES[mean.argmax()]), float(mean.max())


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
) -> list[ObjectEntry | UserError]:
    """For every (entry, view) pair the training object with the nearest view, of any category.

    An object that is itself among the training objects gets another one. Where there is none, or
    the view cannot be read, the pair gets the UserError that says so.

    Raises:
        UserError: a training view cannot be read.
    """
    queries, errors = [], {}
    for entry, view in pairs:
        if not train or (len(train) == 1 and train[0] == entry):
            errors[entry, view] = UserError("no other training object")
            continue
        try:
            rgba = database.image(entry, view)
        except UserError as error:
            errors[entry, view] = error
        else:
            queries.append(thumbnail(rgba, config))
    if not queries:
        return [errors[pair] for pair in pairs]
    owners, views = [], []
    for number, entry in enumerate(tqdm(train, desc="training views", unit="object", mininterval=2)):
        for view in range(len(entry.view_names)):
            owners.append(number)
            views.append(thumbnail(database.image(entry, view), config))
    numbers = {entry: number for number, entry in enumerate(train)}
    own = [numbers.get(entry, -1) for entry, view in pairs if (entry, view) not in errors]
    nearest, _ = nearest_views(np.array(views), np.array(queries), np.array(owners), np.array(own))
    answers = iter(nearest)
    return [errors[pair] if pair in errors else train[owners[next(answers)]] for pair in pairs]


def thumbnail(rgba: np.ndarray, config: ViewSettings) -> np.ndarray:
    """A small picture of what the network sees of a view: cropped, on its background.

    It is made of the view itself. The network's own, larger image would take four times as long and
    show the same.

    Args:
        rgba: the view, (H, W, 4) uint8.
        config: the settings of the network.

    Returns:
        (THUMBNAIL * THUMBNAIL * 3,) float32 in [0, 1].
    """
    if config.crop:
        rgba = object_square(rgba[..., 3], config.crop).cut(rgba)
    alpha = rgba[..., 3:].astype(np.float32) / 255
    background = 255 * (1 - alpha) if config.backcolorwhite else 0
    seen = (rgba[..., :3] * alpha + background) / np.float32(255)
    return cv2.resize(seen, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).ravel()


def nearest_views(
    thumbnails: np.ndarray, queries: np.ndarray, owners: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The training view nearest to each query that is not of the query's own object.

    Args:
        thumbnails: (N, D) of all training views.
        queries: (Q, D).
        owners: (N,) number of the object of each training view.
        own: (Q,) number of the object of each query; -1 where it is not a training object.

    Returns:
        (Q,) index of the nearest training view, and (Q,) mean square difference to it.

    Raises:
        UserError: a query is of the only training object.
    """
    views = np.bincount(owners)  # of each training object
    own_views = np.where(own >= 0, views[own], 0)
    if own_views.max() == len(thumbnails):
        raise UserError("retrieval needs a training object other than the one that is evaluated")
    # among one more than the views of its own object there is one of another object
    search = NearestNeighbors(n_neighbors=1 + int(own_views.max()), algorithm="brute").fit(thumbnails)
    distances, indices = search.kneighbors(queries)
    first = (owners[indices] != own[:, None]).argmax(1)
    rows = np.arange(len(queries))
    return indices[rows, first], distances[rows, first] ** 2 / queries.shape[1]
