"""One picture of several reconstructions: image, mesh over it, mesh from eight sides.

python eval/reconstruct.py examples/*.png examples/*.jpg --out models3d
python benchmarks/gallery.py models3d/car models3d/chair --out docs/images/reconstructions.png
"""

import argparse
import pathlib

from PIL import Image, ImageOps

from utils.cli import parser, run, whole_number
from utils.errors import UserError
from utils.files import replacing
from utils.rendering.turntable import VIEWS


def build_parser() -> argparse.ArgumentParser:
    p = parser(__doc__)
    p.add_argument("results", type=pathlib.Path, nargs="+", help="folders of reconstructions, one row each")
    p.add_argument("--out", type=pathlib.Path, required=True, help="the picture, a PNG")
    p.add_argument("--size", type=whole_number(1), default=140, help="pixels along a side of a tile")
    return p


def tiles(folder: pathlib.Path) -> list[Image.Image]:
    """The image, the mesh over it, and the mesh from all sides, of a folder of reconstruct.py."""
    try:
        pair, sides = (Image.open(folder / name).convert("RGB") for name in ("overlay.png", "turntable.png"))
    except OSError as error:
        raise UserError(f"{folder} is not a result of reconstruct.py: {error}") from None
    half, columns = pair.width // 2, VIEWS // 2
    side = sides.width // columns
    boxes = [(side * (i % columns), side * (i // columns)) for i in range(VIEWS)]
    views = [sides.crop((left, top, left + side, top + side)) for left, top in boxes]
    return [pair.crop((0, 0, half, pair.height)), pair.crop((half, 0, 2 * half, pair.height)), *views]


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    rows, size = [tiles(folder) for folder in args.results], args.size
    picture = Image.new("RGB", (size * (2 + VIEWS), size * len(rows)), "white")
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            picture.paste(ImageOps.pad(tile, (size, size), color="white"), (x * size, y * size))
    with replacing(args.out) as temporary:
        picture.save(temporary, optimize=True)
    print(f"picture: {args.out}")


if __name__ == "__main__":
    run(main)
