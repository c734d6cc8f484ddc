"""Photographs in, coloured meshes out.

    python eval/reconstruct.py chair.jpg car.png --out models3d --format glb
    python eval/reconstruct.py chair.jpg --out models3d --texture atlas --resolution 256 --camera 40,25,2.2 --restore_model runs/all

Works with the weights in models/pretrained (small, trained on synthetic cars, chairs, guitars and tables: see the card there), or with
any run or TF1 checkpoint. Every picture gets a folder in --out, named after it:

    mesh.glb        upright, in the object frame (y up, longest side about 1), closed; or mesh.ply, mesh.obj
    input.png       the picture as the network saw it: foreground cut out, in the middle, background as in training
    camera.txt      the camera, 4x3, object frame to pixels of the picture, as --camera takes it
    overlay.png     the picture, and the mesh over it; the outline is that of the foreground
    turntable.png   the mesh from 8 sides, turntable.gif the same
    results.json    picture, model, camera, resolution, mesh, seconds of every stage

About 4 s a picture on 2 cores, after 5 s of loading. A picture that cannot be used is reported in one line and the others go on (exit
code 3). Pictures that are done with the same settings are not done again.
"""

import pathlib

from utils.cli import parser, run
from utils.errors import PartialFailure, UserError

FORMATS = ("glb", "ply", "obj")
LEVEL = "level of the surface (default: the best on the model's validation split, and for each picture nearer to 0 until its object is covered)"


def build_parser():
    p = parser(__doc__)
    p.add_argument("images", nargs="+", metavar="IMAGE", help="picture of one object: PNG, JPEG, WebP, TIFF, ...")
    p.add_argument("--out", type=pathlib.Path, required=True, help="folder for the results")
    p.add_argument("--format", choices=FORMATS, default="glb", help="of the mesh")
    p.add_argument(
        "--texture",
        choices=("vertex", "atlas"),
        default="vertex",
        help="colours at the vertices, or a UV atlas with a picture",
    )
    p.add_argument("--texture_size", type=int, help="side of the atlas in pixels (default: 1024)")
    p.add_argument("--resolution", type=int, default=128, help="cells along an axis, up to 512")
    p.add_argument("--iso", type=float, help=LEVEL)
    p.add_argument(
        "--restore_model", help="run or TF1 checkpoint of the field (default: the weights that come with the project)"
    )
    p.add_argument(
        "--cam_est", help="run of train_cam.py that estimates cameras (default: the weights that come with the project)"
    )
    p.add_argument(
        "--camera", default="est",
        help="est: estimated; azimuth,elevation in degrees, the rest estimated; azimuth,elevation,distance: looking at the middle of the "
        "picture; or a file with the 4x3 matrix",
    )  # fmt: skip
    p.add_argument(
        "--mask", default="auto",
        help="where the object is: auto (transparency, else rembg where installed, else GrabCut), alpha, none (all of it), or a mask file",
    )  # fmt: skip
    p.add_argument(
        "--units",
        choices=("object", "original"),
        default="object",
        help="original: of the mesh a view in a raw folder shows",
    )
    p.add_argument("--simplify", type=int, metavar="N", help="merge faces until about N are left")
    return p


def check(args):
    """Refuse what cannot be done before anything is loaded."""
    from utils.surface.adaptive import check_resolution

    check_resolution("--resolution", args.resolution)
    if args.texture == "atlas" and args.format == "ply":
        raise UserError("--texture atlas: PLY has no standard texture; give --format glb or obj")
    if args.texture_size is not None and (args.texture == "vertex" or not 64 <= args.texture_size <= 8192):
        raise UserError(f"--texture_size {args.texture_size} must be 64 to 8192, and needs --texture atlas")
    if args.simplify is not None and args.simplify < 100:
        raise UserError(f"--simplify {args.simplify} must be at least 100")
    if args.cam_est and args.camera.count(",") != 1 and args.camera != "est":
        raise UserError("--cam_est would do nothing: the camera is given")


def folders(images, out):
    """The folder of each picture: named after the file, with a number where several have one name."""
    names, result = {}, []
    for image in images:
        stem = pathlib.Path(image).stem or "picture"
        names[stem] = names.get(stem, 0) + 1
        result.append(out / (stem if names[stem] == 1 else f"{stem}_{names[stem]}"))
    return result


def original_units(image):
    """Centre (3,) and scale of the mesh that a view in a raw folder shows, p = (x - centre) * scale; UserError for any other picture."""
    import h5py

    path = (
        pathlib.Path(image).absolute().parents[1] / "models" / "surface.h5"
        if len(pathlib.Path(image).absolute().parents) > 1
        else None
    )
    if path is None or not path.is_file():
        raise UserError(
            f"{image}: --units original needs a view of a raw folder (<object>/views/*.png beside <object>/models/surface.h5)"
        )
    with h5py.File(path) as file:
        return file.attrs["centre"], float(file.attrs["scale"])


def settings_of(args, image):
    """What decides the result, for results.json and to tell whether it is there already."""
    file = pathlib.Path(image)
    named = (
        "format",
        "texture",
        "texture_size",
        "resolution",
        "iso",
        "camera",
        "mask",
        "units",
        "simplify",
        "restore_model",
        "cam_est",
    )
    stamps = {}
    for name in ("camera", "mask"):
        if pathlib.Path(getattr(args, name)).is_file():
            stamps[f"{name}_modified"] = pathlib.Path(getattr(args, name)).stat().st_mtime_ns
    stat = file.stat()
    stamps |= {"bytes": stat.st_size, "modified": stat.st_mtime_ns}
    return {"image": str(file.absolute()), **stamps, **{name: getattr(args, name) for name in named}}


def done(folder, settings, weights):
    """Whether the folder holds the result of these settings and weights."""
    from utils.files import read_json

    path = folder / "results.json"
    if not path.is_file() or not any(folder.glob("mesh.*")):
        return False
    known = read_json(path)
    return known.get("settings") == settings and weights.items() <= known.get("model", {}).items()


def one(reconstructor, image, folder, args, camera, settings, weights, tell):
    """Reconstruct a picture into its folder; the line that tells of it. tell: called with the name of every stage when it begins."""
    from utils.images.photo import read_photo
    from utils.reports.result_folder import write_results
    from utils.stages import Stages

    stages = Stages(tell)
    centre, scale = original_units(image) if args.units == "original" else ((0, 0, 0), 1.0)
    with stages("read"):
        photo = read_photo(image)
    result = reconstructor.reconstruct(photo, args.mask, camera, args.resolution, args.simplify, stages)
    kind = {"format": args.format, "atlas": (args.texture_size or 1024) if args.texture == "atlas" else None}
    more = {"settings": settings, "model": weights, "resolution": args.resolution}
    return write_results(folder, result, stages, **kind, centre=centre, scale=scale, more=more)


def main(argv):
    args = build_parser().parse_args(argv)
    check(args)
    from tqdm import tqdm

    from models.inference.reconstruct import PRETRAINED_CAMERA, PRETRAINED_FIELD, Reconstructor, parse_camera

    camera = parse_camera(args.camera)
    reconstructor = Reconstructor(args.restore_model or PRETRAINED_FIELD, args.cam_est or PRETRAINED_CAMERA, args.iso)
    estimated = isinstance(camera, str) or len(camera) == 2
    weights = {
        "field": str(reconstructor.model.weights),
        "camera": str(reconstructor.estimator.weights) if estimated else args.camera,
    }
    places = folders(args.images, args.out)
    level = f"{reconstructor.iso:.3g}{' or what covers the object' if reconstructor.covers else ''}"
    plan = f"{args.resolution}^3, level {level}, camera {args.camera}, mask {args.mask}"
    print(f"{len(args.images)} pictures -> {args.out}: {plan}")
    failed = 0
    with tqdm(total=len(args.images), unit="picture") as bar:
        for image, folder in zip(args.images, places, strict=True):
            try:
                if not pathlib.Path(image).is_file():
                    raise UserError(f"{image} is missing, or no file")
                settings = settings_of(args, image)
                if done(folder, settings, weights):
                    bar.write(f"{image}: done already, {folder}")
                else:
                    bar.write(
                        f"{image}: {one(reconstructor, image, folder, args, camera, settings, weights, bar.set_postfix_str)}"
                    )
            except Exception as error:  # one strange picture must not end the run over all others
                if args.debug and not isinstance(error, UserError):
                    raise
                message = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
                bar.write(f"failed: {message if str(image) in message else f'{image}: {message}'}")
                failed += 1
            bar.update()
    print(f"{len(args.images) - failed} of {len(args.images)} pictures reconstructed: {args.out}")
    if failed:
        raise PartialFailure(f"{failed} of {len(args.images)} pictures could not be used, the reasons are above")


if __name__ == "__main__":
    run(main)
