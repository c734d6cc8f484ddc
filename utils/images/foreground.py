"""Finds the object in a photograph: by its transparency, by a mask file, or automatically."""

import dataclasses
import functools
import importlib.util
import os

import cv2
import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from skimage.segmentation import slic

from utils.errors import UserError
from utils.images.mask_parts import LEAST, OBJECT, OPAQUE, doubts, made_opaque, without_specks, without_strays
from utils.images.photo import Photo, as_photo
from utils.images.resize import fitted_size, lay_over, resize_mask

CLEAR = 5  # alpha up to which a pixel counts as entirely clear: rounding is not transparency
MOST = 0.95  # share of an image that an object can cover
ADVICE = "give a mask file (white where the object is), or an image with a transparent background"

WORKING = 400  # pixels of the longest side while GrabCut works
SMOOTH = 1.5  # largest distance of the border from a smooth background, L*a*b*: the noise of a sensor
BAND = 0.02  # of the shorter side: width of the border from which the background is learned
PATCHES = 300  # superpixels of an image


@dataclasses.dataclass(frozen=True)
class Foreground:
    """Where the object is.

    Attributes:
        alpha: (H, W) uint8, 255 object, 0 background.
        used: the source of the mask: "alpha", "file", "rembg", "grabcut" or "none".
        notes: remarks for the user, one line each.
    """

    alpha: np.ndarray
    used: str
    notes: list[str]


def foreground(photo: Photo, mask: str | os.PathLike[str] | Image.Image = "auto") -> Foreground:
    """Find the object in a photograph.

    Args:
        photo: the photograph.
        mask: "auto" (its transparency where it has any, else rembg where that is installed, else
            GrabCut), "alpha" (its transparency), "none" (the whole image is the object), or a mask,
            as the path of a file or a PIL image: white is object; of the photograph's size or
            aspect ratio.

    Returns:
        The mask, in the size of photo.rgba.

    Raises:
        UserError: there is no object, or no background, or the mask does not fit.
    """
    if mask == "none":
        return Foreground(np.full(photo.rgba.shape[:2], 255, np.uint8), "none", [])
    if mask == "alpha" or (mask == "auto" and _has_clear_part(photo.rgba)):
        return given_mask(_own_alpha(photo), "alpha", photo.name)
    if mask != "auto":
        alpha, name = _from_image(photo, mask)
        return given_mask(alpha, "file", name)
    result = _automatic(lay_over(photo.rgba))
    if not LEAST < (result.alpha >= OBJECT).mean() < MOST:
        raise UserError(f"{photo.name}: no object can be distinguished from the background: {ADVICE}")
    return result


def given_mask(alpha: np.ndarray, used: str, name: str) -> Foreground:
    """A mask (H, W) uint8 that came with the image, without specks that would move its crop; one
    that is faint throughout becomes opaque.

    Raises:
        UserError: no pixel is of the object, which begins at OBJECT.
    """
    if alpha.max() < OBJECT:
        raise UserError(f"{name}: the mask shows no object: it is at most {alpha.max()}, an object {OBJECT} to 255")
    alpha, notes = without_strays(alpha)
    alpha, further = made_opaque(alpha)
    return Foreground(alpha, used, [*notes, *further, *doubts(alpha >= OBJECT)])


def _has_clear_part(rgba: np.ndarray) -> bool:
    """Whether (H, W, 4) uint8 has a part that is clear, not only faint or rounded pixels."""
    return bool((rgba[..., 3] <= CLEAR).mean() > LEAST)


def _own_alpha(photo: Photo) -> np.ndarray:
    """The alpha of a photograph; UserError where it does not show an object."""
    alpha = photo.rgba[..., 3]
    if alpha.min() >= OPAQUE:
        raise UserError(f"{photo.name} has no transparent background: use mask auto, or give a mask file")
    if alpha.max() <= CLEAR:
        raise UserError(f"{photo.name} is entirely transparent: it shows no object")
    return alpha


def _from_image(photo: Photo, image: str | os.PathLike[str] | Image.Image) -> tuple[np.ndarray, str]:
    """The mask of a photograph from a file or a PIL image, and its name for messages."""
    mask, name = as_photo(image), "the mask" if isinstance(image, Image.Image) else str(image)
    (height, width), (photo_height, photo_width) = mask.size, photo.size
    # the same aspect ratio: one side scaled like the other, up to the rounding of a pixel
    if abs(height * photo_width - width * photo_height) > max(photo_height, photo_width, height, width):
        raise UserError(
            f"{name} is {width}x{height} and {photo.name} {photo_width}x{photo_height}: "
            "the mask must have the photograph's size or aspect ratio"
        )
    # a mask is grey, or it is the object on a clear background
    grey = mask.rgba[..., 3] if _has_clear_part(mask.rgba) else cv2.cvtColor(mask.rgba[..., :3], cv2.COLOR_RGB2GRAY)
    if grey.max() <= CLEAR:
        raise UserError(f"{name} is entirely black: a mask is white where the object is")
    if grey.min() >= OPAQUE:
        raise UserError(
            f"{name} is entirely white: a mask is black where the background is; "
            "use mask none for an image without background"
        )
    return resize_mask(grey, photo.rgba.shape[:2]), name


def _automatic(rgb: np.ndarray) -> Foreground:
    """Mask (H, W, 3) uint8 by rembg where it is installed and works, else by GrabCut."""
    notes: list[str] = []
    if importlib.util.find_spec("rembg") is not None:
        try:
            return Foreground(made_opaque(without_strays(_by_rembg(rgb))[0])[0], "rembg", notes)
        # many kinds of error: its network cannot be downloaded, a library does not fit; without
        # onnxruntime rembg even exits
        except (Exception, SystemExit) as error:
            reason = str(error).strip().splitlines()
            notes.append(
                f"rembg does not work ({reason[0] if reason else type(error).__name__}), GrabCut is used instead"
            )
    return Foreground(by_grabcut(rgb), "grabcut", notes)


@functools.lru_cache(1)
def _rembg_session() -> object:
    """rembg's network, loaded once a process (downloaded the first time); errors are not cached."""
    import rembg

    return rembg.new_session()


def _by_rembg(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (H, W) uint8 alpha by rembg."""
    import rembg

    alpha = np.asarray(rembg.remove(rgb, session=_rembg_session(), only_mask=True))
    if alpha.shape[:2] != rgb.shape[:2]:
        raise ValueError(f"its mask is {alpha.shape}")
    return alpha.reshape(rgb.shape[:2]).astype(np.uint8)


def by_grabcut(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (H, W) uint8 alpha by GrabCut; the same image gives the same mask.

    It starts from the parts that differ from the border. Where the colour of the background
    changes smoothly, GrabCut works on the difference from it, otherwise on the image.
    """
    height, width = fitted_size(rgb.shape[:2], WORKING)
    small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    backdrop, spread = _backdrop(small)
    if spread < SMOOTH:
        difference = _lab(small) - _lab(backdrop)
        likely = np.linalg.norm(difference, axis=-1) > 6 + 2 * spread
        image = np.clip(np.rint(difference + 128), 0, 255).astype(np.uint8)
    else:
        likely = _salient(small)
        image = cv2.bilateralFilter(small, 7, 30, 5)  # GrabCut mistakes grain for edges
    seed = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seed[:2] = seed[-2:] = seed[:, :2] = seed[:, -2:] = cv2.GC_BGD
    if not (seed == cv2.GC_PR_FGD).any():
        return np.zeros(rgb.shape[:2], np.uint8)
    cv2.setRNGSeed(0)  # every thread has its own generator
    cv2.grabCut(image, seed, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    mask = without_specks((seed & 1) == 1)
    soft = _soft(small, backdrop, mask) if spread < SMOOTH else cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)
    large = cv2.resize(soft, rgb.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    steep = (large - 0.5) * 1.5 + 0.5  # edges as steep as before enlarging
    return np.rint(255 * np.clip(steep, 0, 1)).astype(np.uint8)


def _lab(rgb: np.ndarray) -> np.ndarray:
    """RGB 0..255 -> CIE L*a*b*, in which a difference of 2 is just visible."""
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _backdrop(rgb: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit a smooth background to the border of an image.

    The colour of the background is a quadratic function of the position.

    Args:
        rgb: (H, W, 3) uint8.

    Returns:
        The background (H, W, 3) float32, and the distance from it, in L*a*b*, within which four
        fifths of the border lie.
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
    for _ in range(4):  # least squares without outliers, such as an object that touches the border
        fit = np.linalg.lstsq(known[keep], values[keep], rcond=None)[0]
        residual = np.linalg.norm(known @ fit - values, axis=1)
        keep = residual <= max(3 * np.median(residual), 6)
    backdrop = np.clip(terms @ fit, 0, 255)
    distance = np.linalg.norm(_lab(values[None]) - _lab(backdrop[border][None]), axis=-1)
    return backdrop, np.quantile(distance, 0.8)


def _soft(rgb: np.ndarray, backdrop: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Give a mask a soft edge: the share of a pixel that is object, by the object's colour nearby.

    Args:
        rgb: (H, W, 3) uint8.
        backdrop: (H, W, 3) float32, the background.
        mask: (H, W) bool.

    Returns:
        (H, W) float32 in [0, 1].
    """
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if not inner.any():
        return mask.astype(np.float32)
    distance, (row, column) = distance_transform_edt(~inner, return_indices=True)
    own, nearby = rgb - backdrop, rgb[row, column] - backdrop
    share = np.clip((own * nearby).sum(-1) / np.maximum((nearby**2).sum(-1), 1), 0, 1)
    # farther from the inside the object is too thin to have an inside, so its colour is unknown
    share = np.where(inner | (distance > 2.5), 1, share)
    return np.where(mask, share, 0).astype(np.float32)


def _salient(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (H, W) bool: superpixels that contrast with what the border connects to.

    Zhu, Liang, Wei and Sun, Saliency optimization from robust background detection, CVPR 2014: its
    background measure, and the contrast weighted by it.
    """
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
    difference = np.linalg.norm(colour[:, None] - colour, axis=-1)
    geodesic = _geodesic_distances(_neighbours(patch), difference)
    near = np.exp(-(geodesic**2) / (2 * 10**2))
    area, length = near.sum(1), near[:, outer].sum(1)
    background = 1 - np.exp(-((length / np.sqrt(area)) ** 2) / 2)
    distance = np.linalg.norm(place[:, None] - place, axis=-1)
    contrast = (difference * np.exp(-(distance**2) / (2 * 0.4**2)) * background).sum(1)
    contrast *= 1 - background
    value = np.rint(255 * contrast / max(contrast.max(), 1e-6)).astype(np.uint8)[patch]
    return cv2.threshold(value, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1] > 0


def _neighbours(patch: np.ndarray) -> np.ndarray:
    """(H, W) labels -> (N, 2) pairs of different labels at adjacent pixels, each pair once."""
    vertical = np.stack([patch[1:].ravel(), patch[:-1].ravel()], 1)
    horizontal = np.stack([patch[:, 1:].ravel(), patch[:, :-1].ravel()], 1)
    pairs = np.concatenate([vertical, horizontal])
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def _geodesic_distances(pairs: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Lengths of the shortest paths between all superpixels.

    Args:
        pairs: (N, 2) neighbours.
        difference: (P, P) difference of the colours, the length of a step.

    Returns:
        (P, P) lengths.
    """
    count = len(difference)
    cost = difference[tuple(pairs.T)]
    least = np.full(count, np.inf)
    np.minimum.at(least, pairs.ravel(), np.repeat(cost, 2))
    cost = np.maximum(cost - least.mean(), 1e-6)  # small steps, as of a gradient, cost nothing
    return dijkstra(coo_matrix((cost, tuple(pairs.T)), (count, count)).tocsr(), directed=False)
