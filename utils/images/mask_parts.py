"""Parts of a mask: which of them are the object, and which are specks or frames beside it; masks
that are faint throughout, or may be another one than was meant.
"""

import cv2
import numpy as np

OBJECT = 128  # alpha from which a pixel is the object's
OPAQUE = 250  # alpha from which a pixel shows nothing but the object: rounding is not transparency
FAINT = 32  # alpha below which a pixel neither joins parts nor is one
LEAST = 0.002  # share of an image that an object covers
AROUND = 0.9  # share of the edge of an image above which a mask may be that of the background
GAP = 0.05  # of the object's longer side: parts that are closer to each other belong together
SPECK = 0.02  # share of the largest part that a part of a given mask has at least
FOUND_SPECK = 0.1  # the same in a mask that was found, which is less reliable
# share of the image: smaller holes are flaws of the mask, larger ones may be gaps of the object
HOLE = 0.0004
DUST = 0.001  # of the largest part: a part up to this size, or of 4 pixels, may be noise
TILES = 8  # per side of an image: noise has parts in most of those that the object leaves
HAZE = 0.1  # share of the edge of an image above which what is faint there is not the object's
BORDER = 0.02  # of the shorter side: width of the border in which a frame lies


def without_strays(alpha: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Remove what a given mask has apart from the object: specks, and a frame along the border.

    Parts that are close to each other, such as the pieces of a thin leg, count as one. The largest
    part stays always. Tiny parts all over the image are noise, which joins nothing, and neither do
    faint pixels where they reach the edge of the image.

    Args:
        alpha: (H, W) uint8, 255 where the object is.

    Returns:
        The mask without them, and remarks for the user. Where there are none, it is the given one.
    """
    opaque = alpha >= (OBJECT if _is_hazy(alpha) else FAINT)
    depth = _depth(alpha.shape)
    frame = _frame(opaque, depth)
    count, label, stats, centres = cv2.connectedComponentsWithStats((opaque & ~frame).astype(np.uint8))
    if count == 2 and not frame.any():
        return alpha, []
    lies_within = np.bincount(label.ravel(), depth.ravel() >= _band(alpha.shape), count) > 0
    spans = (stats[:, [cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH]] >= np.array(alpha.shape) / 2).any(1)
    part = lies_within | ~spans  # else it is a line along the border
    part[0] = False
    noise = _noise(label, part, stats[:, cv2.CC_STAT_AREA], centres)
    part &= ~noise
    if not part.any():
        return alpha, []
    solid = part[label]
    largest = stats[np.where(part, stats[:, cv2.CC_STAT_AREA], 0).argmax()]
    reach = round(GAP * max(largest[cv2.CC_STAT_WIDTH], largest[cv2.CC_STAT_HEIGHT])) | 1
    # two parts touch once each has grown by half of the gap
    groups, group = cv2.connectedComponents(cv2.dilate(solid.astype(np.uint8), np.ones((reach, reach), np.uint8)))
    areas = np.bincount(group[solid], minlength=groups)
    kept = (areas > 0) & (areas >= SPECK * areas.max())
    near = kept[group] & ~frame & ~noise[label]
    stray = opaque & ~near
    if not stray.any():
        return alpha, []
    note = f"specks or a frame of the mask apart from the object are left out (pixels: {np.count_nonzero(stray)})"
    stray = cv2.dilate(stray.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0  # with their soft edges
    return np.where(stray & ~near, 0, alpha).astype(np.uint8), [note]


def _is_hazy(alpha: np.ndarray) -> bool:
    """Whether a mask (H, W) is faint along its edge, as where its background is not quite clear."""
    edge = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    return bool(((edge >= FAINT) & (edge < OBJECT)).mean() > HAZE)


def _noise(label: np.ndarray, part: np.ndarray, areas: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Which parts of a mask are noise: tiny ones, where they lie all over the image.

    Args:
        label: (H, W) the part of each pixel.
        part: (N,) bool, the parts that count.
        areas, centres: (N,) in pixels, and (N, 2) as x and y.

    Returns:
        (N,) bool.
    """
    largest = np.where(part, areas, 0).max()
    tiny = part & (areas <= max(DUST * largest, 4)) & (areas < SPECK * largest)
    cover = cv2.resize((part & ~tiny)[label].astype(np.float32), (TILES, TILES), interpolation=cv2.INTER_AREA)
    hit = np.zeros((TILES, TILES), bool)
    column, row = (centres[tiny] / label.shape[::-1] * TILES).astype(int).T
    hit[row, column] = True
    free = cover < 0.5
    everywhere = (hit & free).sum() > max(free.sum() / 2, TILES)
    return tiny & everywhere


def made_opaque(alpha: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Scale a mask that is opaque nowhere, as of a picture with a half-transparent layer.

    Its object would be dark to the networks, and no pixel would give its colour to the mesh.

    Args:
        alpha: (H, W) uint8.

    Returns:
        The mask, and remarks for the user. One without any object stays as it is.
    """
    largest = int(alpha.max())
    if not OBJECT <= largest < OPAQUE:
        return alpha, []
    usual = np.median(alpha[alpha >= largest / 2])  # not the largest, which noise may have raised
    scaled = np.rint(np.minimum(alpha * (255 / usual), 255)).astype(np.uint8)
    return scaled, [f"the mask is nowhere opaque (at most {largest} of 255): it is scaled until it is"]


def doubts(inside: np.ndarray) -> list[str]:
    """Remarks for the user on a given mask (H, W) bool that may be another one than was meant."""
    edge = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]]).mean()
    if edge > AROUND:
        return [f"the mask covers {edge:.0%} of the edge of the image: is it inverted? White is the object"]
    if inside.mean() <= LEAST:
        return [f"the mask covers {inside.mean():.2%} of the image, which is little for an object"]
    return []


def without_specks(mask: np.ndarray) -> np.ndarray:
    """Keep the largest part of a mask that was found and other large ones; fill small holes.

    Args:
        mask: (H, W) bool.
    """
    count, label, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    area = stats[1:, cv2.CC_STAT_AREA]
    mask = np.isin(label, 1 + np.flatnonzero(area >= FOUND_SPECK * area.max()))
    count, label, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < HOLE * mask.size)
    return mask | np.isin(label, small[small > 0])


def _band(shape: tuple[int, ...]) -> int:
    """Pixels from the border within which a frame lies, and beyond which an object reaches."""
    return max(1, round(BORDER * min(shape)))


def _depth(shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) distances of all pixels from the border: 0 for those that lie at it."""
    rows, columns = (np.minimum(np.arange(side), np.arange(side)[::-1]) for side in shape)
    return np.minimum(rows[:, None], columns)


def _frame(opaque: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """A thin frame all around the image, which may touch the object.

    Args:
        opaque: (H, W) bool.
        depth: (H, W) distances from the border.

    Returns:
        (H, W) bool; nothing where an object fills the image up to its border.
    """
    rings = np.bincount(depth.ravel(), opaque.ravel()) / np.bincount(depth.ravel())
    width = int((rings < 0.98).argmax())  # number of rings that are opaque all around
    thin = width <= _band(opaque.shape) and rings[width] < 0.5
    return depth < (width if thin else 0)
