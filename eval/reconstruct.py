"""Photographs in, coloured meshes out.

    python eval/reconstruct.py chair.jpg car.png --out models3d --format glb
    python eval/reconstruct.py chair.jpg --out models3d --texture atlas --camera 40,25,2.2
    python eval/reconstruct.py photographs --out models3d --colours field

Works with the weights in models/pretrained (trained on furniture, household things, vehicles and
plants: see the card there), or with any run or TF1 checkpoint. Every image gets a folder in --out,
named after it:

    mesh.glb        upright, closed, in the object frame (y up, longest side about 1); or .ply, .obj
    input.png       the image as the network saw it: cut out, centred, background as in training
    camera.txt      the camera, 4x3, object frame to pixels of the image, as --camera takes it
    overlay.png     the image, and the mesh over it; the outline is that of the foreground
    turntable.png   the mesh from 8 sides, turntable.gif the same
    results.json    image, model, what was found, warnings, seconds of every stage

An image that cannot be used is reported in one line and the others continue (exit code 3). Images
that are done with the same settings are not done again.
"""

import argparse
import collections.abc
import dataclasses
import hashlib
import json
import pathlib
import typing

from tqdm import tqdm

from data.raw_layout import original_units
from models.choices import PRECISION_HELP, PRECISIONS
from models.weights.run import check_there
from utils import cli
from utils.errors import PartialFailure, UserError, reason_of
from utils.files import check_out, distinct_names, file_digest, read_json_object
from utils.geometry.cameras import parse_camera
from utils.images.photo import expanded, read_photo
from utils.mesh.simplify import FACES, check_count
from utils.out_folder import working_in
from utils.rendering.photo_colours import COLOURS
from utils.reports.mesh_format import SIZE, SIZES, TEXTURES, UNWRAPPED, MeshFormat
from utils.reports.result_folder import write_results
from utils.stages import Stages
from utils.surface.adaptive import check_resolution

if typing.TYPE_CHECKING:
    from models.inference.reconstruct import Reconstructor

FORMATS, MASKS = ("glb", "ply", "obj"), ("auto", "alpha", "none")
UNUSED = ("db", "restore_model", "cam_est", "precision")  # settings of a run that change no result of its weights


def build_parser() -> argparse.ArgumentParser:
    p = cli.parser(__doc__)
    p.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="image of one object (PNG, JPEG, WebP, TIFF, ...), or a folder of them",
    )
    p.add_argument("--out", type=pathlib.Path, required=True, help="folder for the results")
    p.add_argument("--format", choices=FORMATS, default="glb", help="of the mesh")
    p.add_argument(
        "--texture",
        choices=TEXTURES,
        default=MeshFormat.texture,
        help=f"atlas: a UV texture; vertex: colours at the vertices; auto: in GLB and OBJ a texture, up to {UNWRAPPED} "
        "faces or where its size is given",
    )
    p.add_argument(
        "--texture_size",
        type=cli.whole_number(*SIZES),
        help=f"side of the UV texture in pixels (default: {SIZE})",
    )
    p.add_argument(
        "--colours",
        choices=COLOURS,
        default="photo",
        help="source of the colours, of vertices or texture: the image where it shows the surface, or a symmetric "
        "object's other side, and the field elsewhere; or the field alone",
    )
    p.add_argument("--resolution", type=int, default=128, help="cells along an axis, up to 512")
    p.add_argument(
        "--iso", type=cli.real_number(), help="iso value (default: the stored one, relaxed to cover the object)"
    )
    p.add_argument(
        "--restore_model", help="run or TF1 checkpoint of the field (default: the weights that come with the project)"
    )
    p.add_argument("--precision", choices=PRECISIONS, default="auto", help=PRECISION_HELP)
    p.add_argument(
        "--cam_est", help="run of train_cam.py that estimates cameras (default: the weights that come with the project)"
    )
    p.add_argument(
        "--camera",
        default="est",
        help="est: estimated; azimuth,elevation in degrees, the rest estimated; azimuth,elevation,distance: looking at "
        "the middle of the image; or a file with the 4x3 matrix",
    )
    p.add_argument(
        "--mask",
        default="auto",
        help="where the object is: auto (transparency, else rembg where installed, else GrabCut), alpha, none (all of "
        "it), or a mask file",
    )
    p.add_argument(
        "--units",
        choices=("object", "original"),
        default="object",
        help="original: of the mesh that a view in a raw folder shows",
    )
    p.add_argument(
        "--simplify",
        type=cli.whole_number(0),
        metavar="N",
        default=FACES,
        help="merge faces until about N are left; 0: keep all of them",
    )
    return p


def check(args: argparse.Namespace) -> None:
    """Refuse flags that do not go together, before anything is loaded."""
    check_out(args.out)
    check_resolution("--resolution", args.resolution)
    if args.texture == "atlas" and args.format == "ply":
        raise UserError("--texture atlas: PLY has no standard texture; give --format glb or obj")
    if args.texture_size is not None and (args.texture == "vertex" or args.format == "ply"):
        raise UserError(f"--texture_size {args.texture_size} would do nothing: there is no texture")
    check_count("--simplify", args.simplify)
    if args.mask not in MASKS and not pathlib.Path(args.mask).is_file():
        raise UserError(f"--mask {args.mask}: give {', '.join(MASKS)}, or a file")
    if args.cam_est and not is_estimated(parse_camera(args.camera)):
        raise UserError("--cam_est would do nothing: the camera is given")
    for run in filter(None, (args.restore_model, args.cam_est)):
        check_there(run)


def is_estimated(camera: typing.Any) -> bool:
    """Whether a camera, as parse_camera returns it, needs the camera network."""
    return isinstance(camera, str) or len(camera) == 2


def folders(images: list[str], out: pathlib.Path) -> list[pathlib.Path]:
    """The folder of each image: named after the file, numbered where several have one name."""
    names = [pathlib.Path(image).stem.rstrip(" .") or "image" for image in images]
    return [out / name for name in distinct_names(names)]


def settings_of(args: argparse.Namespace, image: str) -> dict[str, typing.Any]:
    """What decides the result beside the weights; files count by their content (SHA-256)."""
    names = ["format", "texture", "texture_size", "colours", "resolution", "iso", "camera", "mask", "units", "simplify"]
    values = {name: getattr(args, name) for name in names}
    for name in ("camera", "mask"):
        if values[name] not in ("est", *MASKS) and pathlib.Path(values[name]).is_file():
            values[name] = file_digest(values[name])
    if args.units == "original":
        centre, scale = original_units(image)
        values["units"] = [*map(float, centre), scale]
    return {"image": file_digest(image), **values}


def model_of(reconstructor: "Reconstructor", estimated: bool) -> dict[str, typing.Any]:
    """The weights that decide the result, with their content, and the iso value in use."""
    model = reconstructor.model
    config = {name: value for name, value in dataclasses.asdict(model.config).items() if name not in UNUSED}
    weights = {
        "field": str(model.weights),
        "field_sha256": file_digest(model.weights),
        "config_sha256": hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest(),
        "iso": reconstructor.iso,
        "precision": reconstructor.precision,
    }
    if estimated:
        path = reconstructor.estimator.weights
        weights |= {"camera": str(path), "camera_sha256": file_digest(path)}
    return weights


def done(folder: pathlib.Path, settings: dict[str, typing.Any], model: dict[str, typing.Any]) -> bool:
    """Whether the folder holds all of the result of these settings and weights."""
    path = folder / "results.json"
    if not path.is_file():
        return False
    known = read_json_object(path, "results of a reconstruction", "; delete it to reconstruct again")
    files = known.get("files")
    names = files if isinstance(files, list) else [known.get("mesh")]  # older results name the mesh alone
    if not all((folder / str(name)).is_file() for name in names):
        return False
    stored = known.get("model", {})
    return (
        isinstance(stored, dict)
        and known.get("settings") == settings
        and all(stored.get(name) == value for name, value in model.items() if name not in ("field", "camera"))
    )


class Session:
    """The reconstruction of several images with the same settings."""

    def __init__(self, args: argparse.Namespace, reconstructor: "Reconstructor", camera: typing.Any):
        self.args, self.reconstructor, self.camera = args, reconstructor, camera
        self.model = model_of(reconstructor, is_estimated(camera))
        if not is_estimated(camera):
            self.model["camera"] = args.camera

    def reconstruct(self, image: str, folder: pathlib.Path, on_stage: collections.abc.Callable[[str], object]) -> str:
        """Reconstruct an image into its folder, unless that is done.

        Returns a line for the user.
        """
        if not pathlib.Path(image).is_file():
            raise UserError(f"{image} is missing, or not a file")
        args, settings = self.args, settings_of(self.args, image)
        if done(folder, settings, self.model):
            return f"done already, {folder}"
        stages = Stages(on_stage)
        centre, scale = original_units(image) if args.units == "original" else ((0.0, 0.0, 0.0), 1.0)
        with stages("read"):
            photo = read_photo(image)
        wanted = (args.mask, self.camera, args.resolution, args.simplify)
        result = self.reconstructor.reconstruct(photo, *wanted, stages, args.colours)
        file = str(pathlib.Path(image).absolute())
        extra = {"image_file": file, "settings": settings, "model": self.model, "resolution": args.resolution}
        mesh_format = MeshFormat(args.format, args.texture, args.texture_size, centre, scale)
        return write_results(folder, result, stages, mesh_format, extra)


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    check(args)
    images = expanded(args.images)
    camera, count = parse_camera(args.camera), len(images)
    if not any(pathlib.Path(image).is_file() for image in images):
        raise UserError(f"{images[0]} is missing, or not a file")

    from models.inference.reconstruct import PRETRAINED_CAMERA, PRETRAINED_FIELD, Reconstructor
    from models.networks.precision import described

    runs = args.restore_model or PRETRAINED_FIELD, args.cam_est or PRETRAINED_CAMERA
    reconstructor = Reconstructor(*runs, args.iso, args.precision)
    session = Session(args, reconstructor, camera)
    iso = f"{reconstructor.iso:.3g}{' or what covers the object' if reconstructor.covers else ''}"
    plan = f"{args.resolution}^3, iso value {iso}, camera {args.camera}, mask {args.mask}"
    print(f"{count} images -> {args.out}: {plan}, precision {described(args.precision)}")
    failed = 0
    with working_in(args.out), tqdm(total=count, unit="image") as bar:
        for image, folder in zip(images, folders(images, args.out), strict=True):
            try:
                bar.write(f"{image}: {session.reconstruct(image, folder, bar.set_postfix_str)}")
            except Exception as error:  # one strange image must not end the run over all others
                bar.write(f"failed: {reason_of(error, image)}")
                failed += 1
            bar.update()
    print(f"{count - failed} of {count} images reconstructed: {args.out}")
    if failed:
        raise PartialFailure(f"{failed} of {count} images could not be used, the reasons are above")


if __name__ == "__main__":
    cli.run(main)
