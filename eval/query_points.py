"""Ask the field of one image at given points.

    python eval/query_points.py --restore_model runs/all --image chair.png --trans_mat T.txt --points P.txt --out O.txt
    python eval/query_points.py --restore_model DISN/ --image chair.npy --trans_mat T.txt --points P.txt --out O.txt --camera_frame model

P.txt has a point x y z a row, in the model's own frame (--frame model: the voxel frame -32..31 in binary mode, 2 p in SDF mode) or in
another one. T.txt is the 4x3 camera, [x y z 1] @ T = (u w, v w, w), from the object frame to the pixels of the image as the file has
it. A matrix of the model's frame, such as the original code works with, needs --camera_frame model.
The image: a picture file (composited and resized as in training, its camera with it), or an .npy of float (H, W, 3 or 4) in [0, 1], which
is given to the network as it is: in its own channel order (--encoder_input bgr: BGR) and of its own size.

O.txt has a row per point under a header line that names the columns: the point as given; u v, the pixel where local features are
read (clipped to the image); w, its depth (below 0: behind the camera), in_image, 1 where it was not clipped; the network's own
output (logit0 logit1, or output = 10 x distance in the model frame); g0, logit1 - logit0 or the signed distance in object-frame length;
r g b, the sum of the streams, not clipped (absent from a network without colours). Takes a few seconds, most of it TensorFlow's start.
"""

import pathlib

import numpy as np

from models.weights import tf1_conventions
from utils.cli import parser, run
from utils.errors import UserError
from utils.files import replacing
from utils.geometry import frames
from utils.geometry.cameras import check_camera, project


def build_parser():
    p = parser(__doc__)
    p.add_argument("--restore_model", required=True, help="run, or TF1 checkpoint (folder or prefix)")
    p.add_argument("--image", required=True, help="PNG or JPEG, or .npy of float in [0, 1]")
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
    tf1_conventions.add_flags(p)
    return p


def read_table(path, columns, what):
    """A text file of numbers -> (N, columns) float64."""
    try:
        values = np.loadtxt(path, ndmin=2)
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is no table of numbers: {error}") from None
    if values.shape[1:] != (columns,) or not len(values) or not np.isfinite(values).all():
        raise UserError(
            f"{path}: {what} has {columns} finite numbers a row, this file is {'x'.join(map(str, values.shape))}"
        )
    return values


def read_image(path, config):
    """-> the network's image (h, w, 3 or 4) float32, RGB, and the picture (H, W, 4) it came from; None where it is the network's own."""
    from data.network_input import network_image

    if pathlib.Path(path).suffix == ".npy":
        try:
            image = np.load(path)
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read as .npy: {error}") from None
        image = image[0] if image.ndim == 4 and len(image) == 1 else image
        wanted = (config.img_h, config.img_w, config.image_channels)
        if image.shape != wanted or not np.issubdtype(image.dtype, np.floating):
            raise UserError(f"{path} is {image.dtype} {image.shape}; the network takes float {wanted}")
        if not (image.min() >= 0 and image.max() <= 1):
            raise UserError(f"{path} has values outside [0, 1]")
        if config.encoder_input in ("bgr", "keras"):  # the encoder turns RGB into this
            image = np.concatenate([image[..., 2::-1], image[..., 3:]], -1)
        return image.astype(np.float32), None
    import cv2

    if not pathlib.Path(path).is_file():
        raise UserError(f"{path} is missing")
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype != np.uint8:
        raise UserError(f"{path} is no picture with 8 bits a channel (PNG, JPEG), and no .npy")
    picture = picture if picture.ndim == 3 else picture[..., None].repeat(3, -1)
    alpha = picture[..., 3:] if picture.shape[-1] == 4 else np.full((*picture.shape[:2], 1), 255, np.uint8)
    if (config.alpha or config.crop) and picture.shape[-1] != 4:
        raise UserError(f"{path} has no alpha channel, which this network takes as the foreground mask")
    rgba = np.concatenate([picture[..., 2::-1], alpha], -1)
    return network_image(rgba, config), rgba


def object_frame(config, norm_params):
    """The frames.ModelFrame of the object."""
    if norm_params is None:
        return frames.cube_frame(config.binary)
    if config.model_frame != "sphere":
        raise UserError("--norm_params would do nothing: the model frame is that of all objects (--model_frame cube)")
    try:
        *centre, radius = (float(part) for part in norm_params.split(","))
        if len(centre) != 3 or not radius > 0 or not np.isfinite([*centre, radius]).all():
            raise ValueError
    except ValueError:
        raise UserError(f"--norm_params {norm_params}: give cx,cy,cz,r with r above 0") from None
    return frames.ModelFrame(1 / radius, -np.array(centre) / radius)


def read_camera(path, camera_frame, frame, image_size):
    """-> the (4, 3) camera of the object frame; refuses one that cannot be of the frame it is said to be of."""
    camera = read_table(path, 3, "a camera (4 rows)")
    if len(camera) != 4:
        raise UserError(f"{path}: a camera is a 4x3 trans_mat, this file has {len(camera)} rows")
    camera = check_camera(frame.object_camera(camera) if camera_frame == "model" else camera, path)
    corners = np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3), -1).reshape(-1, 3)
    uv, w = project(corners, camera)
    if (w > 0).all() and np.ptp(uv, 0).max() < 0.05 * max(image_size):
        size = np.ptp(uv, 0).max()
        other = " (a matrix of the model's frame needs --camera_frame model)" if camera_frame == "object" else ""
        raise UserError(f"{path}: the object's cube would be {size:.1f} pixels wide in the image{other}")
    return camera


def header(config):
    """Names of the columns."""
    geometry = ["logit0", "logit1"] if config.binary else ["output"]
    return ["x", "y", "z", "u", "v", "w", "in_image", *geometry, "g0", *(["r", "g", "b"] if config.colour else [])]


def query_table(network, image, camera, frame, model_points):
    """The columns of header() after x y z, for (N, 3) model-frame points and an object-frame camera of the network's image."""
    from models.inference.field_query import FieldQuery
    from models.networks.local_features import project

    config, query = network.config, FieldQuery(network)
    encoded = query.encode(image, camera, frame)
    geometry, colour = query.raw(encoded, model_points)
    matrix = encoded.camera.numpy()
    pixels = project(np.asarray(model_points[None], np.float32), matrix, config.img_h, config.img_w).numpy()[0]
    exact, w = project(model_points, matrix[0].astype(np.float64))
    inside = ((exact >= 0) & (exact <= [config.img_w - 1, config.img_h - 1])).all(1) & (w > 0)
    g0 = query.g0(geometry, frame)
    columns = [pixels, w[:, None], inside[:, None], geometry, g0[:, None]]
    return np.hstack(columns + ([colour] if config.colour else []))


def main(argv):
    args = build_parser().parse_args(argv)
    from models.weights.sources import open_model

    model = open_model(args.restore_model, tf1_conventions.overrides(args))
    config = model.config
    print(model.describe())
    frame = object_frame(config, args.norm_params)
    given = read_table(args.points, 3, "a point")
    from data.network_input import network_camera

    image, rgba = read_image(args.image, config)
    camera = read_camera(
        args.trans_mat, args.camera_frame, frame, (config.img_h, config.img_w) if rgba is None else rgba.shape[:2]
    )
    camera = camera if rgba is None else network_camera(camera, rgba, config)
    points = (
        given if args.frame == "model" else frame.to_model(frames.from_voxel(given) if args.frame == "voxel" else given)
    )

    from models.networks.texdisn import build

    network = build(config)
    model.load(network)
    table = query_table(network, image, camera, frame, points)
    names = header(config)
    with replacing(args.out) as temporary:
        np.savetxt(temporary, np.hstack([given, table]), fmt="%.9g", header=" ".join(names))
    outside = int((table[:, names.index("in_image") - 3] == 0).sum())
    print(
        f"{len(points)} points in the {args.frame} frame, camera of the {args.camera_frame} frame; {outside} fall outside the image"
    )
    low, high = table[:, names.index("g0") - 3].min(), table[:, names.index("g0") - 3].max()
    print(f"g0 from {low:.4g} to {high:.4g}")
    print(f"written  {args.out}  ({' '.join(names)})")


if __name__ == "__main__":
    run(main)
