"""Convert a predicted field (txt) to a coloured mesh.

    python eval/to_mesh.py runs/all/eval_test/predictions/chair/0a1b/00_pred.txt --out chair.glb
    python eval/to_mesh.py 00_pred.txt --out chair.ply --fill              # a binary field without its inner wall
    python eval/to_mesh.py 00_pred.txt --out chair.obj --mode sdf --iso 0.003

The file has one row per point of an R^3 grid, x fastest: x y z r g b g0 (voxel frame; colour -1 -1 -1 where empty; g0 = logit of
class 1 minus class 0, or the signed distance). Six columns (no g0) are read too. Every vertex gets its colour from the
coloured points around it. Prints the mode and level used, vertices, faces, bounds, whether the mesh is watertight, and its
path. Takes about 2 s at 64^3, about a minute at 256^3.
"""

import numpy as np

from utils import cli
from utils.errors import UserError
from utils.geometry import frames


def build_parser():
    parser = cli.parser(__doc__)
    parser.add_argument("txt", help="field to convert, <view>_pred.txt")
    parser.add_argument("--out", required=True, help="mesh to write: .ply, .glb or .obj, all with colours")
    parser.add_argument(
        "--mode",
        choices=["auto", "binary", "sdf"],
        default="auto",
        help="what g0 is; auto: coloured points have the larger g0 -> binary",
    )
    parser.add_argument(
        "--iso",
        type=float,
        help="level: occupied where g0 > iso, inside where distance < iso (default: what divides coloured from empty)",
    )
    parser.add_argument(
        "--fill", action="store_true", help="fill closed cavities: a shell of occupied voxels gets one outer wall only"
    )
    parser.add_argument(
        "--frame",
        choices=["object", "voxel"],
        default="object",
        help="object: the cube [-0.5, 0.5]^3; voxel: the txt file's, -32..31",
    )
    return parser


def main(argv):
    args = build_parser().parse_args(argv)

    from utils.mesh import writers
    from utils.surface import dense, field_grid, txt_format

    writers.check_suffix(args.out)
    if args.iso is not None and not np.isfinite(args.iso):
        raise UserError(f"--iso {args.iso} is not a finite number")
    field = txt_format.read_txt(args.txt)
    if not field.coloured().any():
        low, high, iso = field.geometry.min(), field.geometry.max(), args.iso or 0
        raise UserError(
            f"{args.txt}: field is empty: min {low:.6g}, max {high:.6g}, level {iso:g} (no point has a colour)"
        )
    mode = field_grid.infer_mode(field) if args.mode == "auto" else args.mode
    if mode is None:
        raise UserError(
            f"{args.txt}: g0 does not separate coloured from empty points, so it does not tell its mode: give --mode"
        )
    iso = field_grid.infer_iso(field, mode == "binary") if args.iso is None else args.iso
    print(
        f"{args.txt}: {field.resolution}^3 points, {int(field.coloured().sum())} coloured; mode {mode}, level {iso:.6g}"
    )
    try:
        vertices, faces = dense.extract(field.grid(), mode == "binary", iso, args.fill, field.line)
        colours = field_grid.interpolate_colours(vertices, field)
    except UserError as error:
        raise UserError(f"{args.txt}: {error}") from None
    if args.frame == "voxel":
        vertices = frames.to_voxel(vertices)
    writers.write_mesh(args.out, vertices, faces, colours)
    report(args.out, vertices, faces)


def report(path, vertices, faces):
    """Print what was written."""
    import trimesh

    low, high = vertices.min(0), vertices.max(0)
    watertight = trimesh.Trimesh(vertices, faces, process=False).is_watertight
    print(f"{len(vertices)} vertices, {len(faces)} faces, {'' if watertight else 'not '}watertight")
    print("bounds  " + "  ".join(f"{axis} [{a:.3f}, {b:.3f}]" for axis, a, b in zip("xyz", low, high, strict=True)))
    print(f"mesh    {path}")


if __name__ == "__main__":
    cli.run(main)
