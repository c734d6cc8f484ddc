"""Which part of a photograph is the object: its own transparency, a mask file, or cut out of its background."""

import dataclasses
import functools
import importlib.util

import cv2
import numpy as np

from utils.errors import UserError
from utils.images.photo import read_photo

WAYS = ("auto", "alpha", "none")  # anything else is the path of a mask file
OPAQUE, CLEAR = (
    250,
    5,
)  # alpha beyond which a pixel counts as wholly opaque or clear: JPEG-like rounding is no transparency
LEAST, MOST = 0.002, 0.95  # share of a picture that an object can take
ADVICE = "give a mask with --mask FILE (white where the object is), or a picture with a transparent background"

WORKING = 400  # pixels of the longest side while GrabCut works
SMOOTH = 1.5  # how far the border of a smooth background is from one, L*a*b*: the noise of a sensor
HOLE = 0.0004  # share of the picture: smaller holes are flaws of the mask, larger ones may be seen through, as between the legs of a chair
BAND = 0.02  # of the shorter side: the border from which the background is learned
PATCHES = 300  # superpixels of a picture


@dataclasses.dataclass(frozen=True)
class Foreground:
    """Where the object is."""

    alpha: np.ndarray  # (H, W) uint8, 255 object, 0 background
    used: str  # "alpha", "file", "rembg", "grabcut" or "none"
    notes: list[str]  # what the user should know, one line each


def foreground(photo, how="auto"):
    """utils.images.photo.Photo -> Foreground of its size.

    how: auto (its transparency where it has any, else rembg where that is installed, else GrabCut), alpha (its transparency),
    none (all of it is object), or the path of a mask file: white is object, of the photograph's size or another size of the same shape.
    UserError where that finds no object, or nothing else.
    """
    if how == "none":
        return Foreground(np.full(photo.rgba.shape[:2], 255, np.uint8), "none", [])
    if how == "alpha" or (how == "auto" and has_transparency(photo.rgba)):
        return Foreground(_own_alpha(photo), "alpha", [])
    if how != "auto":
        return Foreground(_from_file(photo, how), "file", [])
    found = _automatic(np.ascontiguousarray(photo.rgba[..., :3]))
    share = (found.alpha >= 128).mean()
    if not LEAST < share < MOST:
        raise UserError(f"{photo.name}: no object could be told from the background: {ADVICE}")
    return found


def has_transparency(rgba):
    """(H, W, 4) uint8 -> whether it has a part that is clear, and not only faint or rounded pixels."""
    return bool((rgba[..., 3] <= CLEAR).mean() > LEAST)


def _own_alpha(photo):
    """The alpha of a Photo; UserError where it says nothing."""
    alpha = photo.rgba[..., 3]
    if alpha.min() >= OPAQUE:
        raise UserError(
            f"{photo.name} has no transparent background: leave out --mask alpha, or give a mask with --mask FILE"
        )
    if alpha.max() <= CLEAR:
        raise UserError(f"{photo.name} is transparent all over: there is no object to be seen")
    return alpha


def _from_file(photo, path):
    """The alpha that a mask file gives a Photo."""
    mask = read_photo(path)
    (height, width), own = mask.size, photo.size
    # the same shape: one side scaled like the other, up to the rounding of a pixel
    if abs(height * own[1] - width * own[0]) > max(own[0], own[1], height, width):
        raise UserError(
            f"{path} is {width}x{height} and {photo.name} {own[1]}x{own[0]}: the mask must have the photograph's size, or its shape"
        )
    # a mask is grey, or it is the object on a clear background
    grey = mask.rgba[..., 3] if has_transparency(mask.rgba) else cv2.cvtColor(mask.rgba[..., :3], cv2.COLOR_RGB2GRAY)
    if grey.max() <= CLEAR:
        raise UserError(f"{path} is black all over: a mask is white where the object is")
    if grey.min() >= OPAQUE:
        raise UserError(
            f"{path} is white all over: a mask is black where the background is; for a picture without any use --mask none"
        )
    rows, columns = photo.rgba.shape[:2]
    shrinks = grey.shape[0] > rows
    return cv2.resize(grey, (columns, rows), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _automatic(rgb):
    """(H, W, 3) uint8 -> Foreground by rembg where it is installed and works, else by GrabCut."""
    notes = []
    if importlib.util.find_spec("rembg") is not None:
        try:
            return Foreground(_by_rembg(rgb), "rembg", notes)
        # a model that cannot be downloaded, a library that does not fit: many kinds of error; without onnxruntime rembg exits
        except (Exception, SystemExit) as error:
            reason = str(error).strip().splitlines()
            notes.append(
                f"rembg does not work ({reason[0] if reason else type(error).__name__}), GrabCut is used instead"
            )
    return Foreground(by_grabcut(rgb), "grabcut", notes)


@functools.lru_cache(1)
def _rembg_session():
    """rembg's network, read (and downloaded, the first time) once a process; errors are not kept."""
    import rembg

    return rembg.new_session()


def _by_rembg(rgb):
    """(H, W, 3) uint8 -> (H, W) uint8."""
    import rembg

    alpha = np.asarray(rembg.remove(rgb, session=_rembg_session(), only_mask=True))
    if alpha.shape[:2] != rgb.shape[:2]:
        raise ValueError(f"its mask is {alpha.shape}")
    return alpha.reshape(rgb.shape[:2]).astype(np.uint8)


def by_grabcut(rgb):
    """(H, W, 3) uint8 -> (H, W) uint8 alpha by GrabCut, begun with what differs from the border. The same for the same picture.

    Before a background whose colour changes smoothly, GrabCut sees the picture's difference from it; else the picture.
    """
    ratio = min(1.0, WORKING / max(rgb.shape[:2]))
    height, width = (max(1, round(side * ratio)) for side in rgb.shape[:2])
    small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    backdrop, spread = _backdrop(small)
    if spread < SMOOTH:
        difference = _lab(small) - _lab(backdrop)
        likely = np.linalg.norm(difference, axis=-1) > 6 + 2 * spread
        picture = np.clip(np.rint(difference + 128), 0, 255).astype(np.uint8)
    else:
        likely = _salient(small)
        picture = cv2.bilateralFilter(small, 7, 30, 5)  # GrabCut takes grains for edges
    seed = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seed[:2] = seed[-2:] = seed[:, :2] = seed[:, -2:] = cv2.GC_BGD
    if not (seed == cv2.GC_PR_FGD).any():
        return np.zeros(rgb.shape[:2], np.uint8)
    cv2.setRNGSeed(0)  # of this thread's generator: other threads have their own
    cv2.grabCut(picture, seed, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    mask = _whole_parts((seed & 1) == 1)
    soft = _mixed(small, backdrop, mask) if spread < SMOOTH else cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)
    large = cv2.resize(soft, rgb.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.rint(255 * np.clip((large - 0.5) * 1.5 + 0.5, 0, 1)).astype(
        np.uint8
    )  # 1.5: edges as steep as before enlarging


def _lab(rgb):
    """RGB 0..255 -> CIE L*a*b*, in which a difference of 2 is just seen."""
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _backdrop(rgb):
    """(H, W, 3) uint8 -> the same as float32 with nothing but a smooth background, by what the border tells, and how far the border is from it.

    The background's colour is a quadratic function of the place; the distance is in L*a*b*, that which four fifths of the border stay below.
    """
    height, width = rgb.shape[:2]
    band = max(2, round(BAND * min(height, width)))
    border = np.zeros((height, width), bool)
    border[:band] = border[-band:] = border[:, :band] = border[:, -band:] = True
    y, x = (axis.astype(np.float32) for axis in np.mgrid[:height, :width])
    x, y = 2 * x / width - 1, 2 * y / height - 1
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], -1)
    known, values = terms[border], cv2.GaussianBlur(rgb, (0, 0), 0.7)[border].astype(np.float32)
    keep = np.ones(len(known), bool)
    for _ in range(4):  # least squares, without what fits badly: an object that touches the border
        fit = np.linalg.lstsq(known[keep], values[keep], rcond=None)[0]
        residual = np.linalg.norm(known @ fit - values, axis=1)
        keep = residual <= max(3 * np.median(residual), 6)
    backdrop = np.clip(terms @ fit, 0, 255)
    far = np.linalg.norm(_lab(values[None]) - _lab(backdrop[border][None]), axis=-1)
    return backdrop, np.quantile(far, 0.8)


def _mixed(rgb, backdrop, mask):
    """The mask (H, W) bool with a soft edge, (H, W) float32: how much of a pixel is not backdrop, by the colour of the object close by."""
    from scipy.ndimage import distance_transform_edt

    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if not inner.any():
        return mask.astype(np.float32)
    distance, (row, column) = distance_transform_edt(~inner, return_indices=True)
    own, object_ = rgb - backdrop, rgb[row, column] - backdrop
    share = np.clip((own * object_).sum(-1) / np.maximum((object_**2).sum(-1), 1), 0, 1)
    # further from the inside the object is too thin to have one, and its colour there is not known
    share = np.where(inner | (distance > 2.5), 1, share)
    return np.where(mask, share, 0).astype(np.float32)


def _salient(rgb):
    """(H, W, 3) uint8 -> (H, W) bool: superpixels that stand out against all that is connected with the border.

    Zhu, Liang, Wei and Sun, Saliency optimization from robust background detection, CVPR 2014: the measure of the background and the
    contrast weighted by it.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import dijkstra
    from skimage.segmentation import slic

    height, width = rgb.shape[:2]
    lab = _lab(cv2.GaussianBlur(rgb, (0, 0), 2))
    patch = slic(lab, PATCHES, compactness=15, convert2lab=False, start_label=0, channel_axis=-1)
    count = patch.max() + 1
    size = np.bincount(patch.ravel(), minlength=count)
    y, x = np.mgrid[:height, :width]
    colour, place = (
        np.stack([np.bincount(patch.ravel(), values.ravel(), count) / size for values in channels], 1)
        for channels in (np.moveaxis(lab, -1, 0), (x / width, y / height))
    )
    outer = np.zeros(count, bool)
    outer[np.concatenate([patch[0], patch[-1], patch[:, 0], patch[:, -1]])] = True
    pairs = np.concatenate(
        [
            np.stack([patch[1:].ravel(), patch[:-1].ravel()], 1),
            np.stack([patch[:, 1:].ravel(), patch[:, :-1].ravel()], 1),
        ]
    )
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    difference = np.linalg.norm(colour[:, None] - colour, axis=-1)
    cost = difference[tuple(pairs.T)]
    least = np.full(count, np.inf)
    np.minimum.at(least, pairs.ravel(), np.repeat(cost, 2))
    cost = np.maximum(cost - least.mean(), 1e-6)  # small steps, as of a gradient, cost nothing
    geodesic = dijkstra(coo_matrix((cost, tuple(pairs.T)), (count, count)).tocsr(), directed=False)
    near = np.exp(-(geodesic**2) / (2 * 10**2))
    area, length = near.sum(1), near[:, outer].sum(1)
    background = 1 - np.exp(-((length / np.sqrt(area)) ** 2) / 2)
    distance = np.linalg.norm(place[:, None] - place, axis=-1)
    contrast = (difference * np.exp(-(distance**2) / (2 * 0.4**2)) * background).sum(1)
    contrast *= 1 - background
    value = np.rint(255 * contrast / max(contrast.max(), 1e-6)).astype(np.uint8)[patch]
    return cv2.threshold(value, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1] > 0


def _whole_parts(mask):
    """Boolean mask with the largest part and what is large beside it, small holes filled."""
    count, label, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    area = stats[1:, cv2.CC_STAT_AREA]
    mask = np.isin(label, 1 + np.flatnonzero(area >= 0.1 * area.max()))
    count, label, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < HOLE * mask.size)
    return mask | np.isin(label, small[small > 0])
