r"""Query the field of one image at given points.

    python eval/query_points.py --restore_model runs/all --image chair.png \
        --trans_mat T.txt --points P.txt --out O.txt
    python eval/query_points.py --restore_model DISN/ --image chair.npy --camera_frame model \
        --trans_mat T.txt --points P.txt --out O.txt

P.txt has a point x y z a row, in the model's own frame (--frame model: the voxel frame -32..31 in
binary mode, 2 p in SDF mode) or in another one. T.txt is the 4x3 camera, [x y z 1] @ T = (u w, v w,
w), from the object frame to the pixels of the image file. A matrix of the model's frame, such as
the original code works with, needs --camera_frame model. An image file is turned upright, if its
EXIF data say so, composited and resized as in training, its camera with it. An .npy of float
(H, W, 3 or 4) in [0, 1] goes to the network as it is: in its own channel order (--encoder_input
bgr: BGR) and of its own size.

O.txt has a row per point under a header line that names the columns: the point; u v, the pixel
where local features are read (clipped to the image); w, its depth (below 0: behind the camera);
in_image, 1 where it was not clipped; the network's own output (logit0 logit1, or output = 10 x
distance in the model frame); g0, logit1 - logit0 or the signed distance in object-frame length; r g
b, the sum of the streams, not clipped (absent from a network without colours).
"""

import argparse
import pathlib
import typing

import numpy as np

from data.network_input import network_camera, network_image
from models.choices import PRECISION_HELP, PRECISIONS
from models.config import Config
from models.weights import tf1_conventions
from models.weights.run import check_there
from utils import cli
from utils.errors import UserError
from utils.files import replacing
from utils.geometry import frames
from utils.geometry.cameras import check_camera, project
from utils.images.photo import read_view
from utils.text_files import line_of_row, read_numbers


def build_parser() -> argparse.ArgumentParser:
    p = cli.parser(__doc__)
    p.add_argument("--restore_model", required=True, help="run, or TF1 checkpoint (folder or prefix)")
    p.add_argument("--image", required=True, help="image file, or .npy of float in [0, 1]")
    p.add_argument("--trans_mat", required=True, help="text file of the 4x3 camera")
    p.add_argument("--points", required=True, help="text file, x y z a row")
    p.add_argument("--out", required=True, help="text file to write")
    p.add_argument("--frame", choices=["model", "voxel", "object"], default="model", help="frame of the points")
    p.add_argument(
        "--camera_frame", choices=["object", "model"], default="object", help="frame that the camera projects from"
    )
    p.add_argument(
        "--norm_params",
        help="model_frame sphere: cx,cy,cz,r of the object, object frame (default: 0,0,0,0.5, the sphere in the cube)",
    )
    p.add_argument("--precision", choices=PRECISIONS, default="auto", help=PRECISION_HELP)
    cli.older_switch(p, "--bfloat16", "precision", "bfloat16", "float32")
    tf1_conventions.add_flags(p)
    return p


def read_table(path: str, columns: int, content: str) -> np.ndarray:
    """A text file of numbers -> (N, columns) float64."""
    try:
        values = read_numbers(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is not a table of numbers: {error}") from None
    if values.shape[1:] != (columns,) or not len(values):
        shape = "x".join(map(str, values.shape))
        raise UserError(f"{path}: {content} has {columns} finite numbers a row, this file is {shape}")
    bad = ~np.isfinite(values).all(1)
    if bad.any():
        raise UserError(f"{line_of_row(path, bad.argmax(), comments='#')}: a value is not a finite number")
    return values


def read_image(path: str, config: Config) -> tuple[np.ndarray, np.ndarray | None]:
    """The network's image (h, w, 3 or 4) float32, RGB, and the image (H, W, 4) uint8 it came from.

    The second is None for an .npy, which is the network's own.
    """
    if pathlib.Path(path).suffix == ".npy":
        return _read_array(path, config), None
    photo = read_view(path)
    if (config.alpha or config.crop) and not photo.has_alpha:
        raise UserError(f"{path} has no alpha channel, which this network takes as the foreground mask")
    return network_image(photo.rgba, config), photo.rgba


def _read_array(path: str, config: Config) -> np.ndarray:
    try:
        image = np.load(path, mmap_mode="r")  # which reads the header only, and no other kind of file
    except Exception as error:  # what damaged headers raise has no common type
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} cannot be read as .npy: {reason}") from None
    if not isinstance(image, np.ndarray):
        raise UserError(f"{path} is an archive, not an .npy file of one array")
    image = image[0] if image.ndim == 4 and len(image) == 1 else image
    wanted = (config.img_h, config.img_w, config.image_channels)
    if image.shape != wanted or not np.issubdtype(image.dtype, np.floating):
        raise UserError(f"{path} is {image.dtype} {image.shape}; the network takes float {wanted}")
    if not (image.min() >= 0 and image.max() <= 1):
        raise UserError(f"{path} has values outside [0, 1]")
    if config.encoder_input in ("bgr", "keras"):  # the encoder turns RGB into this
        image = np.concatenate([image[..., 2::-1], image[..., 3:]], -1)
    return image.astype(np.float32)


def object_frame(config: Config, norm_params: str | None) -> frames.ModelFrame:
    """The model frame of the object."""
    if norm_params is None:
        return frames.cube_frame(config.binary)
    if config.model_frame != "sphere":
        raise UserError("--norm_params would do nothing: all objects share the model frame (--model_frame cube)")
    try:
        *centre, radius = (float(part) for part in norm_params.split(","))
        if len(centre) != 3 or not radius > 0 or not np.isfinite([*centre, radius]).all():
            raise ValueError
    except ValueError:
        raise UserError(f"--norm_params {norm_params}: give cx,cy,cz,r with r above 0") from None
    return frames.ModelFrame(1 / radius, -np.array(centre) / radius)


def read_camera(path: str, camera_frame: str, frame: frames.ModelFrame, image_size: tuple[int, ...]) -> np.ndarray:
    """Read a camera.

    Args:
        path: text file of the 4x3 matrix.
        camera_frame: "object" or "model", the frame that it projects from.
        frame: the object's model frame.
        image_size: height and width of the image, pixels.

    Returns:
        (4, 3) object frame to pixels.

    Raises:
        UserError: the file holds no camera, or one that cannot be of the frame that was named.
    """
    camera = read_table(path, 3, "a camera (4 rows)")
    if len(camera) != 4:
        raise UserError(f"{path}: a camera is a 4x3 trans_mat, this file has {len(camera)} rows")
    camera = check_camera(frame.object_camera(camera) if camera_frame == "model" else camera, path)
    corners = np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3), -1).reshape(-1, 3)
    uv, w = project(corners, camera)
    size = np.ptp(uv, 0).max()
    if (w > 0).all() and size < 0.05 * max(image_size):
        hint = " (a matrix of the model's frame needs --camera_frame model)" if camera_frame == "object" else ""
        raise UserError(f"{path}: the object's cube would be {size:.1f} pixels wide in the image{hint}")
    return camera


def header(config: Config) -> list[str]:
    """Names of the columns."""
    geometry = ["logit0", "logit1"] if config.binary else ["output"]
    return ["x", "y", "z", "u", "v", "w", "in_image", *geometry, "g0", *(["r", "g", "b"] if config.colour else [])]


def query_table(
    network: typing.Any, image: np.ndarray, camera: np.ndarray, frame: frames.ModelFrame, model_points: np.ndarray
) -> np.ndarray:
    """The columns of header() after x y z.

    Args:
        network: models.networks.texdisn.TexDISN.
        image: of the network.
        camera: (4, 3), object frame to pixels of that image.
        frame: the object's model frame.
        model_points: (N, 3) in that frame.
    """
    from models.inference.field_query import FieldQuery
    from models.networks.local_features import clipped_pixels

    config, query = network.config, FieldQuery(network)
    encoded = query.encode(image, camera, frame)
    geometry, colour = query.raw(encoded, model_points)
    matrix = encoded.camera.numpy()
    points = np.asarray(model_points[None], np.float32)
    pixels = clipped_pixels(points, matrix, config.img_h, config.img_w).numpy()[0]
    exact, w = project(model_points, matrix[0].astype(np.float64))
    inside = ((exact >= 0) & (exact <= [config.img_w - 1, config.img_h - 1])).all(1) & (w > 0)
    g0 = query.g0(geometry, frame)
    columns = [pixels, w[:, None], inside[:, None], geometry, g0[:, None]]
    return np.hstack(columns + ([colour] if config.colour else []))


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    rows = read_table(args.points, 3, "a point")
    for path in (args.image, args.trans_mat):
        if not pathlib.Path(path).is_file():
            raise UserError(f"{path} is missing")
    check_there(args.restore_model)

    from models.networks.precision import described
    from models.networks.texdisn import build_field_network
    from models.weights.sources import open_model

    model = open_model(args.restore_model, tf1_conventions.overrides(args), args.precision)
    config = model.config
    print(f"{model.describe()}, precision {described(config.precision)}")
    frame = object_frame(config, args.norm_params)
    image, rgba = read_image(args.image, config)
    size = (config.img_h, config.img_w) if rgba is None else rgba.shape[:2]
    camera = read_camera(args.trans_mat, args.camera_frame, frame, size)
    camera = camera if rgba is None else network_camera(camera, rgba, config)
    points = rows
    if args.frame != "model":
        points = frame.to_model(frames.from_voxel(rows) if args.frame == "voxel" else rows)
    network = build_field_network(config)
    model.load(network)
    table = query_table(network, image, camera, frame, points)
    names = header(config)
    with replacing(args.out) as temporary:
        np.savetxt(temporary, np.hstack([rows, table]), fmt="%.9g", header=" ".join(names))
    outside = int((table[:, names.index("in_image") - 3] == 0).sum())
    cameras = f"camera of the {args.camera_frame} frame"
    print(f"{len(points)} points in the {args.frame} frame, {cameras}; {outside} fall outside the image")
    g0 = table[:, names.index("g0") - 3]
    print(f"g0 from {g0.min():.4g} to {g0.max():.4g}")
    print(f"written  {args.out}  ({' '.join(names)})")


if __name__ == "__main__":
    cli.run(main, resumes=False)
