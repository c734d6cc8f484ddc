"""Convert a predicted field (txt) to a coloured mesh.

    python eval/to_mesh.py runs/all/eval_test/predictions/chair/0a1b/00_pred.txt --out chair.glb
    python eval/to_mesh.py 00_pred.txt --out chair.ply --fill  # without the inner wall of a shell
    python eval/to_mesh.py 00_pred.txt --out chair.obj --mode sdf --iso 0.003

The file has one row per point of an R^3 grid, x fastest: x y z r g b g0. Coordinates are in the
voxel frame; the colour is -1 -1 -1 where the field is empty; g0 is the logit of class 1 minus
class 0, or the signed distance. Files of six columns (no g0) can be read too. Every vertex gets its
colour from the coloured points around it.

Prints the mode and the iso value used, the numbers of vertices and faces, the bounds, whether the
mesh is watertight, and its path.
"""

import argparse
import os

import numpy as np

from utils import cli
from utils.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    parser = cli.parser(__doc__)
    parser.add_argument("txt", help="field to convert, <view>_pred.txt")
    parser.add_argument("--out", required=True, help="mesh to write: .ply, .glb or .obj, all with colours")
    parser.add_argument(
        "--mode",
        choices=["auto", "binary", "sdf"],
        default="auto",
        help="what g0 is; auto: binary if coloured points have the larger g0",
    )
    parser.add_argument(
        "--iso",
        type=cli.real_number(),
        help="iso value: occupied where g0 > iso, inside where distance < iso (default: between coloured and empty)",
    )
    parser.add_argument(
        "--fill", action="store_true", help="fill closed cavities: a shell of occupied voxels gets its outer wall only"
    )
    parser.add_argument(
        "--frame",
        choices=["object", "voxel"],
        default="object",
        help="object: the cube [-0.5, 0.5]^3; voxel: that of the txt file, -32..31",
    )
    return parser


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)

    # late, so that --help is fast
    from utils.geometry import frames
    from utils.mesh import writers
    from utils.surface import dense, field_grid, txt_format

    writers.check_suffix(args.out)
    field = txt_format.read_txt(args.txt)
    if not field.coloured().any():
        low, high, iso = field.geometry.min(), field.geometry.max(), args.iso or 0
        raise UserError(
            f"{args.txt}: field is empty: min {low:.6g}, max {high:.6g}, iso value {iso:g} (no point has a colour)"
        )
    mode = field_grid.infer_mode(field) if args.mode == "auto" else args.mode
    if mode is None:
        raise UserError(f"{args.txt}: g0 does not separate coloured from empty points: give --mode binary or sdf")
    iso = field_grid.infer_iso(field, mode == "binary") if args.iso is None else args.iso
    coloured = int(field.coloured().sum())
    print(f"{args.txt}: {field.resolution}^3 points, {coloured} coloured; mode {mode}, iso value {iso:.6g}")
    try:
        vertices, faces, colours = dense.coloured_surface(field, mode == "binary", iso, args.fill)
    except UserError as error:
        raise UserError(f"{args.txt}: {error}") from None
    if args.frame == "voxel":
        vertices = frames.to_voxel(vertices)
    writers.write_mesh(args.out, vertices, faces, colours)
    report(args.out, vertices, faces)


def report(path: str | os.PathLike[str], vertices: np.ndarray, faces: np.ndarray) -> None:
    """Print the size of a mesh: (V, 3) vertices, (F, 3) faces."""
    import trimesh

    low, high = vertices.min(0), vertices.max(0)
    watertight = trimesh.Trimesh(vertices, faces, process=False).is_watertight
    print(f"{len(vertices)} vertices, {len(faces)} faces, {'' if watertight else 'not '}watertight")
    print("bounds  " + "  ".join(f"{axis} [{a:.3f}, {b:.3f}]" for axis, a, b in zip("xyz", low, high, strict=True)))
    print(f"mesh    {path}")


if __name__ == "__main__":
    cli.run(main, resumes=False)
