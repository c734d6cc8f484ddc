"""How well objects are cut out of photographs without transparency: IoU with the true mask.

    python benchmarks/masks.py --meshes MESHES --limit 16 --out masks.json

Takes a folder of <category>/<object>.{glb,gltf,obj,ply,off,stl}. Every object is rendered once, at
512 x 512 pixels, from its own direction and up to an eighth off the middle. It is laid over one
background of each kind of utils.rendering.backgrounds, with the noise of a sensor, and cut out
again by utils.images.foreground, as --mask auto does. All random numbers come from --seed.

Prints for each kind the median, lower quartile and worst IoU and the share above 0.9; and the
seconds per image. A mask that is refused counts as 0. --pictures FOLDER writes the images, each
above its cut-out.
"""

import pathlib
import time
import warnings

import cv2
import numpy as np

from benchmarks.machine import report
from preprocessing.meshes.load import SUFFIXES, load_mesh
from utils.cli import parser, run, whole_number
from utils.errors import UserError
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.images.foreground import foreground
from utils.images.photo import Photo
from utils.mesh.mesh import normalise
from utils.rendering.backgrounds import BACKGROUNDS, photograph
from utils.rendering.raycast import Scene

SIZE = 512  # pixels along a side of an image


def view(path, rng):
    """(SIZE, SIZE, 4) uint8 view of the object of a mesh file, somewhere near the middle."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # missing textures do not matter here
        scene = Scene(normalise(load_mesh(path))[0])
    matrix = compose(intrinsics(SIZE), look_at(rng.uniform(0, 360), rng.uniform(5, 35), rng.uniform(1.7, 2.6)))
    rgba = scene.render(matrix, SIZE, samples=3)
    rows, columns = (np.flatnonzero(rgba[..., 3].any(axis)) for axis in (1, 0))
    shift = []
    for lines in (rows, columns):
        free = min(lines[0], SIZE - 1 - lines[-1], SIZE // 8) - 4  # stays 4 pixels inside
        shift.append(int(rng.integers(-free, free + 1)) if free > 0 else 0)
    return np.roll(rgba, shift, (0, 1))


def iou(mask, truth):
    mask, truth = mask >= 128, truth >= 128
    return float((mask & truth).sum() / (mask | truth).sum())


def cut_out(photo):
    """foreground() of a Photo -> (H, W) uint8 alpha, all 0 if it refuses."""
    try:
        return foreground(photo, "auto").alpha
    except UserError:
        return np.zeros(photo.rgba.shape[:2], np.uint8)


def mesh_files(folder, categories, limit):
    """The first `limit` mesh files of every category, in the order of their names."""
    folders = [path for path in sorted(folder.glob("*/")) if not categories or path.name in categories]
    paths = []
    for category in folders:
        paths += sorted(path for path in category.iterdir() if path.suffix.lower() in SUFFIXES)[:limit]
    if not paths:
        raise UserError(f"{folder} holds no <category>/<object>.glb")
    return paths


def main(argv):
    p = parser(__doc__)
    p.add_argument("--meshes", type=pathlib.Path, required=True, help="folder of <category>/<object>.glb")
    p.add_argument("--categories", nargs="+", help="only these categories")
    p.add_argument("--limit", type=whole_number(1), default=16, help="objects of each category")
    p.add_argument("--seed", type=whole_number(0), default=0, help="seed of views and backgrounds")
    p.add_argument("--pictures", type=pathlib.Path, help="folder for images and their cut-outs")
    p.add_argument("--out", help="JSON file to write")
    args = p.parse_args(argv)
    paths = mesh_files(args.meshes, args.categories, args.limit)
    scores, seconds = {kind: [] for kind in BACKGROUNDS}, 0.0
    for index, path in enumerate(paths):
        rng = np.random.default_rng((args.seed, index))
        rgba = view(path, rng)
        strips = []
        for kind, draw in BACKGROUNDS.items():
            image = photograph(rgba, draw(rng, rgba[..., 3], SIZE), rng)
            start = time.perf_counter()
            alpha = cut_out(Photo(image, path.name, image.shape[:2], []))
            seconds += time.perf_counter() - start
            scores[kind].append(iou(alpha, rgba[..., 3]))
            colour = image[..., :3]
            strips.append(np.concatenate([colour, np.where(alpha[..., None] >= 128, colour, [255, 0, 255])]))
        print(
            f"{path.parent.name}/{path.stem}",
            *(f"{kind} {values[-1]:.3f}" for kind, values in scores.items()),
            flush=True,
        )
        if args.pictures:
            args.pictures.mkdir(parents=True, exist_ok=True)
            sheet = np.concatenate(strips, 1).astype(np.uint8)
            half = cv2.resize(sheet, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(args.pictures / f"{path.parent.name}_{path.stem}.png"), half[..., ::-1])
    print(f"\n{len(paths)} objects      median  quarter  worst   > .9")
    for kind, values in scores.items():
        low, middle = np.quantile(values, (0.25, 0.5))
        print(f"{kind:16s} {middle:.3f}   {low:.3f}   {min(values):.3f}   {np.mean(np.array(values) > 0.9):.2f}")
    seconds_per_image = seconds / len(paths) / len(BACKGROUNDS)
    print(f"{seconds_per_image:.2f} s per image")
    if args.out:
        medians = {f"{kind}_median": float(np.median(values)) for kind, values in scores.items()}
        worst = {f"{kind}_worst": min(values) for kind, values in scores.items()}
        report(args.out, {"objects": len(paths), "seconds": seconds_per_image, **medians, **worst})


if __name__ == "__main__":
    run(main)
