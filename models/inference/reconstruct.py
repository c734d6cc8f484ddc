"""From a picture to a coloured mesh: foreground, camera, field, surface; what reconstruct.py and the page of web_demo.py share."""

import dataclasses
import pathlib

import numpy as np

from data.network_input import network_camera, network_image, source_camera
from models.inference.camera_estimator import CameraEstimator
from models.inference.field_query import FieldQuery
from models.inference.mask_coverage import iso_covering_mask
from models.inference.predict import encoded_mesh
from models.networks.texdisn import build
from models.weights.sources import open_model
from utils.errors import UserError
from utils.files import read_json
from utils.geometry.camera_parameters import CameraParts
from utils.geometry.cameras import check_camera, compose, intrinsics, look_at, resize_camera
from utils.images.crop import object_square
from utils.images.foreground import foreground
from utils.rendering.turntable import over
from utils.stages import Stages

PRETRAINED = (
    pathlib.Path(__file__).parents[1] / "pretrained"
)  # runs of a field and of a camera network, see MODEL_CARD.md there
PRETRAINED_FIELD, PRETRAINED_CAMERA = PRETRAINED / "field", PRETRAINED / "camera"
SHARE = (
    0.75  # of the image's side that an object takes for a network trained on whole views: the mean of render_views.py's
)


@dataclasses.dataclass
class Reconstruction:
    """What became of a picture. Cameras are 4x3, object frame to pixels."""

    photo: np.ndarray  # (H, W, 3) uint8 the photograph, on white where it is transparent
    mask: np.ndarray  # (H, W) uint8 255 where the object is
    foreground: str  # where the mask came from
    notes: list  # what the user should know, one line each
    seen: np.ndarray  # (img_h, img_w, 3 or 4) float32 in [0, 1]: the image as the network saw it
    camera: np.ndarray  # of photo
    camera_source: str
    level: float  # of the surface
    vertices: np.ndarray  # (V, 3) object frame
    faces: np.ndarray  # (F, 3)
    colours: np.ndarray  # (V, 3) in [0, 1]
    normals: np.ndarray  # (V, 3)
    colour_of: object  # (N, 3) object-frame points -> (N, 3) colours in [0, 1], from the field


class Reconstructor:
    """The networks, loaded once: a field (run folder or TF1 checkpoint) and the run of a camera network."""

    def __init__(self, field=PRETRAINED_FIELD, camera=PRETRAINED_CAMERA, iso=None):
        """iso: level of the surface; None: the best for solids on the field's validation split, where that was looked for, else 0, and for
        every picture nearer to 0 where the object in it is not covered (models.inference.mask_coverage)."""
        self.model = open_model(field)
        self.config = self.model.config
        network = build(self.config)
        self.model.load(network)
        self.query = FieldQuery(network)
        self.iso, self.covers = (stored_iso(self.model), True) if iso is None else (iso, False)
        self.camera_run = pathlib.Path(camera)
        self._estimator = None

    @property
    def estimator(self):
        if self._estimator is None:  # with a given camera it is not needed
            self._estimator = CameraEstimator(self.camera_run)
        return self._estimator

    def reconstruct(self, photo, mask="auto", camera="est", resolution=128, simplify=None, stages=None):
        """utils.images.photo.Photo -> Reconstruction; UserError in one line where that cannot be.

        mask: as utils.images.foreground.foreground takes it. camera: "est"; (azimuth, elevation), of which the rest is estimated; (azimuth,
        elevation, distance), looking at the middle of the picture with the default focal length; or a (4, 3) trans_mat of the picture.
        resolution: cells along an axis. simplify: number of faces, or None. stages: a Stages.
        """
        stages = stages or Stages()
        with stages("mask"):
            found = foreground(photo, mask)
            rgba = np.concatenate([photo.rgba[..., :3], found.alpha[..., None]], -1)
        with stages("camera"):
            matrix, source = self._camera(photo, rgba, camera)
        with stages("image"):
            view, view_matrix = self._as_in_training(rgba, matrix)
            seen = network_image(view, self.config)
            seen_camera = network_camera(view_matrix, view, self.config)
            encoded = self.query.encode(seen, seen_camera)
        with stages("level"):
            level = self.iso
            if self.covers:
                covered = network_image(view, dataclasses.replace(self.config, alpha=True))[..., 3] >= 0.5
                level = iso_covering_mask(self.query, encoded, seen_camera, covered, level)
        with stages("mesh"):
            vertices, faces, colours, normals, _ = encoded_mesh(
                self.query, encoded, resolution, level, fill=True, crumbs=False
            )

        white = np.full((*rgba.shape[:2], 3), 255, np.uint8)

        def colour_of(points):
            return self.query.colour(encoded, points)

        if simplify:
            with stages("simplify"):
                vertices, faces = simplify.simplify(vertices, faces, simplify)
                colours, normals = colour_of(vertices), None
        picture = over(photo.rgba, white), found.alpha, found.used, [*photo.notes, *found.notes], seen
        return Reconstruction(*picture, matrix, source, level, vertices, faces, colours, normals, colour_of)

    def _camera(self, photo, rgba, camera):
        """-> the camera of rgba, what it is."""
        if isinstance(camera, np.ndarray):  # of the file's pixels, of which rgba may have fewer
            return resize_camera(camera, photo.size, rgba.shape[:2]), "given"
        if camera == "est":
            return self.estimator.cameras([rgba])[0], "estimated"
        if len(camera) == 2:
            return self._turned(rgba, *camera), "angles given, the rest estimated"
        height, width = rgba.shape[:2]
        K = intrinsics(width)
        K[1, 2] = (height - 1) / 2
        return compose(K, look_at(*camera)), "angles and distance given"

    def _turned(self, rgba, azimuth, elevation):
        """The estimated camera with the rotation of the given angles."""
        config = self.estimator.config
        parts = CameraParts.of(network_camera(self.estimator.cameras([rgba])[0], rgba, config), config.img_w)
        parts = dataclasses.replace(parts, rotation=look_at(azimuth, elevation, 1.0)[:, :3])
        return source_camera(parts.trans_mat(config.img_w), rgba, config)

    def _as_in_training(self, rgba, matrix):
        """The picture and its camera as a view of the training data: a network that crops by itself takes them as they are."""
        if self.config.crop:
            return rgba, matrix
        square = object_square(rgba[..., 3], SHARE)
        return square.cut(rgba), square.camera(matrix)


def stored_iso(model):
    """The level that `--iso auto` found for a model (level.json), the one for solids where there is one; or 0."""
    path = model.beside("level.json")
    if not path.exists():
        return 0.0
    known = read_json(path)
    return float(known.get("solid", known)["iso"])


def parse_camera(text):
    """What --camera names -> as Reconstructor.reconstruct takes it: est, az,el, az,el,dist or the path of a 4x3 matrix."""
    if text == "est":
        return text
    path = pathlib.Path(text)
    if path.exists():
        try:
            matrix = np.loadtxt(path, ndmin=2)
        except (ValueError, OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"{path} is no camera: 4 lines of 3 numbers are needed ({str(error).splitlines()[0]})"
            ) from None
        return check_camera(matrix, path)
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (2, 3) or not np.isfinite(numbers).all():
        raise UserError(
            f"--camera {text}: give est, azimuth,elevation or azimuth,elevation,distance in degrees, or a file that is there"
        )
    if not -90 < numbers[1] < 90:
        raise UserError(f"--camera {text}: the elevation must be between -90 and 90 degrees")
    if len(numbers) == 3 and numbers[2] <= 0.5:
        raise UserError(f"--camera {text}: the distance must be above 0.5, the object's longest side being 1")
    return numbers
