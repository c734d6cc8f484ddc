"""Two predictions that any learned single-view method has to beat: the category's mean shape, and the nearest training view."""

import numpy as np
from tqdm import tqdm

from data import baselines as base
from data.network_input import network_image
from utils.geometry.frames import VOXELS

SHARES = np.arange(0.05, 0.96, 0.05)  # what q is chosen from
THUMBNAIL = 24  # texels a side


def accumulate(objects):
    """Voxels of training objects -> share (64, 64, 64) of the objects that occupy each voxel, mean colour (64, 64, 64, 3).

    objects: iterable of (index (M, 3) int 0..63, colours (M, 3) in [0, 1]); colour is 0 where no object is.
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


def choose_share(share, objects, shares=SHARES):
    """The q of `shares` whose mean shape has the best mean IoU with the objects; gives (q, that IoU).

    share (64, 64, 64) of accumulate; objects: iterable of index (M, 3) int 0..63, the validation objects.
    """
    masks = [share >= q - 1e-9 for q in shares]  # 1e-9: 6 of 20 objects are a share of 0.3 whatever the rounding
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


def mean_shape(share, colour, q):
    """Voxels (K, 3) float, voxel frame, occupied in at least a share q of the training objects, and their colours (K, 3)."""
    index = np.argwhere(share >= q - 1e-9)
    return index - float(VOXELS // 2), colour[tuple(index.T)]


def thumbnail(image, size=THUMBNAIL):
    """(H, W, 3) image in [0, 1], as the network sees it (on its background) -> (size * size * 3,) float32."""
    import cv2

    return cv2.resize(np.asarray(image, np.float32), (size, size), interpolation=cv2.INTER_AREA).ravel()


def fit_retrieval(thumbnails):
    """(N, D) thumbnails of all training views, of all categories -> an index for `retrieve`."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=1, algorithm="auto").fit(thumbnails)


def retrieve(neighbours, thumbnails):
    """(Q, D) thumbnails -> (Q,) index of the nearest training view of each, (Q,) mean square difference to it."""
    distances, nearest = neighbours.kneighbors(thumbnails)
    return nearest[:, 0], distances[:, 0] ** 2 / np.asarray(thumbnails).shape[1]


def mean_shapes(database, train, val):
    """{category: (voxels, colours)} of every category's mean shape; without validation objects q is chosen on training."""
    shapes = {}
    for name in sorted({entry.category for entry in train}):
        of_one = [database.voxels(entry) for entry in train if entry.category == name]
        share, colour = base.accumulate((index, colours / 255) for index, colours in of_one)
        unseen = [database.voxels(entry)[0] for entry in val if entry.category == name] or [
            index for index, _ in of_one
        ]
        q, _ = base.choose_share(share, unseen)
        shapes[name] = base.mean_shape(share, colour, q)
    return shapes


def retrieval(database, train, pairs, config):
    """For every (entry, view) pair the training object whose view is nearest to the picture, over all categories."""
    owners, thumbnails = [], []
    for entry in tqdm(train, desc="training views", unit="object", mininterval=2):
        for view in range(len(entry.view_names)):
            owners.append(entry)
            thumbnails.append(base.thumbnail(network_image(database.image(entry, view), config)[..., :3]))
    neighbours = base.fit_retrieval(np.array(thumbnails))
    queries = [base.thumbnail(network_image(database.image(entry, view), config)[..., :3]) for entry, view in pairs]
    return [owners[i] for i in base.retrieve(neighbours, np.array(queries))[0]]
