"""How well objects are cut out of photographs without transparency (--mask auto): IoU of the mask with the true one.

    python benchmarks/masks.py --meshes ../shared/meshes/kenney --limit 16 --out masks.json

Takes a folder of <category>/<object>.{glb,gltf,obj,ply,off}. Every object is rendered once (512 x 512, a view of its own, up to an
eighth off the middle), laid over one background of each kind, and cut out again by utils.images.foreground. Background kinds, all drawn from --seed:
plain, gradient (two colours, plus what a lens and a sensor add: noise), room (wall, floor, a soft shadow), blobs (blurred spots of
random colours), stripes, noise (a texture with grains of all sizes). Printed: median, lower quarter and worst IoU of each kind, the share above
0.9, and seconds a picture. A mask that is refused counts as 0. --pictures FOLDER writes what was seen beside what was cut out.
"""

import pathlib
import time
import warnings

import cv2
import numpy as np

from benchmarks.machine import report
from preprocessing.meshes.load import SUFFIXES, load_mesh
from utils.cli import parser, run
from utils.errors import UserError
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.images.foreground import foreground
from utils.images.photo import Photo
from utils.mesh.mesh import normalise
from utils.rendering.raycast import Scene

SIZE = 512  # pixels of a picture


def smooth_noise(rng, grain, channels=3):
    """(SIZE, SIZE, channels) float in [0, 1]: random spots of `grain` pixels."""
    small = rng.random((max(2, SIZE // grain), max(2, SIZE // grain), channels)).astype(np.float32)
    return cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC).reshape(SIZE, SIZE, channels)


def plain(rng, alpha):
    return np.broadcast_to(rng.random(3), (SIZE, SIZE, 3))


def gradient(rng, alpha):
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    share = np.clip(np.cos(angle) * x + np.sin(angle) * y + 0.5, 0, 1)[..., None]
    return rng.random(3) * (1 - share) + rng.random(3) * share


def room(rng, alpha):
    """Wall and floor of different colours, lit unevenly, with a soft shadow under the object."""
    rows = np.flatnonzero(alpha.any(1))
    edge = int(rows[0] + rng.uniform(0.4, 0.8) * np.ptp(rows))
    picture = np.where(np.arange(SIZE)[:, None, None] < edge, rng.random(3), rng.random(3))
    shadow = cv2.GaussianBlur(np.roll(alpha, (20, 15), (0, 1)).astype(np.float32) / 255, (0, 0), 15)[..., None]
    shadow = shadow * (np.arange(SIZE)[:, None, None] > rows[0] + 0.7 * np.ptp(rows))
    return picture * (0.85 + 0.15 * smooth_noise(rng, 256, 1)) * (1 - 0.5 * shadow)


def blobs(rng, alpha):
    return cv2.GaussianBlur(smooth_noise(rng, 64), (0, 0), 12)


def stripes(rng, alpha):
    angle, width = rng.uniform(0, np.pi), rng.uniform(12, 40)
    y, x = np.mgrid[:SIZE, :SIZE]
    stripe = np.sin((np.cos(angle) * x + np.sin(angle) * y) * np.pi / width)[..., None] > 0
    return np.where(stripe, rng.random(3), rng.random(3))


def noise(rng, alpha):
    """Grains of all sizes, the larger ones the stronger, around one colour, like gravel or a lawn."""
    total = sum(2.0**octave * (smooth_noise(rng, 2 ** (octave + 1)) - 0.5) for octave in range(5)) / 16
    return rng.uniform(0.2, 0.8, 3) + 0.5 * total


KINDS = {"plain": plain, "gradient": gradient, "room": room, "blobs": blobs, "stripes": stripes, "noise": noise}


def view(path, rng):
    """(SIZE, SIZE, 4) uint8 view of the object of a mesh file, somewhere near the middle."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # textures that are missing: any picture will do
        scene = Scene(normalise(load_mesh(path))[0])
    matrix = compose(intrinsics(SIZE), look_at(rng.uniform(0, 360), rng.uniform(5, 35), rng.uniform(1.7, 2.6)))
    rgba = scene.render(matrix, SIZE, samples=3)
    rows, columns = (np.flatnonzero(rgba[..., 3].any(axis)) for axis in (1, 0))
    shift = []
    for used in (rows, columns):
        free = min(used[0], SIZE - 1 - used[-1], SIZE // 8) - 4  # stays 4 pixels inside
        shift.append(int(rng.integers(-free, free + 1)) if free > 0 else 0)
    return np.roll(rgba, shift, (0, 1))


def photograph(rgba, background, rng):
    """A view laid over a background in [0, 1], with a little noise -> opaque (SIZE, SIZE, 4) uint8."""
    alpha = rgba[..., 3:] / 255
    colour = (
        rgba[..., :3] * alpha + 255 * np.clip(background, 0, 1) * (1 - alpha) + rng.normal(0, 2, rgba[..., :3].shape)
    )
    return np.concatenate([np.rint(np.clip(colour, 0, 255)), np.full_like(alpha, 255)], -1).astype(np.uint8)


def iou(mask, truth):
    mask, truth = mask >= 128, truth >= 128
    return float((mask & truth).sum() / (mask | truth).sum())


def cut(photo):
    """foreground() of a Photo -> alpha, all 0 where it is refused."""
    try:
        return foreground(photo, "auto").alpha
    except UserError:
        return np.zeros(photo.rgba.shape[:2], np.uint8)


def main(argv):
    p = parser(__doc__)
    p.add_argument("--meshes", type=pathlib.Path, required=True, help="folder of <category>/<object>.glb")
    p.add_argument("--categories", nargs="+", help="of these alone")
    p.add_argument("--limit", type=int, default=16, help="objects of each category")
    p.add_argument("--seed", type=int, default=0, help="of views and backgrounds")
    p.add_argument("--pictures", type=pathlib.Path, help="folder for pictures of what was cut out")
    p.add_argument("--out", help="JSON file to write")
    args = p.parse_args(argv)
    folders = [f for f in sorted(args.meshes.glob("*/")) if not args.categories or f.name in args.categories]
    paths = [
        path for f in folders for path in sorted(q for q in f.iterdir() if q.suffix.lower() in SUFFIXES)[: args.limit]
    ]
    if not paths:
        raise UserError(f"{args.meshes} holds no <category>/<object>.glb")
    scores, seconds = {kind: [] for kind in KINDS}, 0.0
    for index, path in enumerate(paths):
        rng = np.random.default_rng((args.seed, index))
        rgba = view(path, rng)
        strip = []
        for kind, draw in KINDS.items():
            picture = photograph(rgba, draw(rng, rgba[..., 3]), rng)
            start = time.perf_counter()
            alpha = cut(Photo(picture, path.name, picture.shape[:2], []))
            seconds += time.perf_counter() - start
            scores[kind].append(iou(alpha, rgba[..., 3]))
            strip.append(
                np.concatenate([picture[..., :3], np.where(alpha[..., None] >= 128, picture[..., :3], [255, 0, 255])])
            )
        print(
            f"{path.parent.name}/{path.stem}",
            *(f"{kind} {values[-1]:.3f}" for kind, values in scores.items()),
            flush=True,
        )
        if args.pictures:
            args.pictures.mkdir(parents=True, exist_ok=True)
            picture = cv2.resize(
                np.concatenate(strip, 1).astype(np.uint8), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA
            )
            cv2.imwrite(str(args.pictures / f"{path.parent.name}_{path.stem}.png"), picture[..., ::-1])
    print(f"\n{len(paths)} objects      median  quarter  worst   > .9")
    for kind, values in scores.items():
        low, middle = np.quantile(values, (0.25, 0.5))
        print(f"{kind:16s} {middle:.3f}   {low:.3f}   {min(values):.3f}   {np.mean(np.array(values) > 0.9):.2f}")
    each = seconds / len(paths) / len(KINDS)
    print(f"{each:.2f} s a picture")
    if args.out:
        report(args.out, {"objects": len(paths), "seconds": each, **{f"{kind}_median": float(np.median(v)) for kind, v in scores.items()},
                          **{f"{kind}_worst": min(v) for kind, v in scores.items()}})  # fmt: skip


if __name__ == "__main__":
    run(main)
