"""From an image to a coloured mesh: foreground, camera, field, surface.

eval/reconstruct.py, the page of eval/web_demo.py and the module texdisn share it.
"""

import dataclasses
import functools
import os
import pathlib

import numpy as np
import PIL.Image

from data.network_input import network_image, network_view
from models.choices import PRECISIONS
from models.inference.camera_estimator import CameraEstimator
from models.inference.category_classifier import Category, category_classifier
from models.inference.field_query import Encoded, FieldQuery
from models.inference.image_description import describe
from models.inference.iso_search import solid_iso
from models.inference.mask_coverage import covering_bound, iso_covering_mask
from models.inference.novelty import Novelty, assess, known_images
from models.inference.photo_camera import Camera, photo_camera, turned
from models.inference.predict import PredictedMesh, extract_mesh
from models.networks.precision import chosen
from models.networks.texdisn import build_field_network
from models.weights.sources import open_model
from utils.errors import UserError
from utils.images.crop import object_square
from utils.images.foreground import Foreground, foreground, given_mask
from utils.images.photo import Photo, as_photo
from utils.images.resize import lay_over, resize_mask, with_mask
from utils.mesh.simplify import FACES, check_count, merge_faces
from utils.rendering.outline import outline_overlap
from utils.rendering.photo_colours import COLOURS, PhotoColours
from utils.rendering.ray_surface import RaySurface
from utils.reports.reconstruction import Reconstruction
from utils.stages import Stages
from utils.surface.adaptive import check_resolution

# Runs of a field and of a camera network; models/pretrained/MODEL_CARD.md describes them.
PRETRAINED = pathlib.Path(__file__).parents[1] / "pretrained"
PRETRAINED_FIELD, PRETRAINED_CAMERA = PRETRAINED / "field", PRETRAINED / "camera"
# Share of the image's side that an object takes for a network trained on whole views: the mean of
# render_views.py's.
SHARE = 0.75

Image = str | os.PathLike[str] | PIL.Image.Image | np.ndarray | Photo


class Reconstructor:
    """The networks, loaded once: a field (run or TF1 checkpoint) and a camera network."""

    def __init__(
        self,
        field: str | os.PathLike[str] = PRETRAINED_FIELD,
        camera: str | os.PathLike[str] = PRETRAINED_CAMERA,
        iso: float | None = None,
        precision: str = "auto",
    ):
        """
        Args:
            field, camera: where the networks are.
            iso: value of the field at the surface; None: the one stored with the weights, else 0,
                and for every image relaxed until the object is covered
                (models.inference.mask_coverage).
            precision: what the networks compute in, one of models.choices.PRECISIONS.
        """
        if precision not in PRECISIONS:
            raise UserError(f"precision {precision}: give {', '.join(PRECISIONS)}")
        if iso is not None and not np.isfinite(iso):
            raise UserError(f"iso {iso}: give a finite number, or None for the stored one")
        self.model = open_model(field, precision=precision)
        self.config = self.model.config
        network = build_field_network(self.config)
        self.model.load(network)
        self.query = FieldQuery(network)
        self.known, self.classifier = known_images(self.model), category_classifier(self.model)
        self.iso, self.covers = (solid_iso(self.model), True) if iso is None else (iso, False)
        self.camera_run = pathlib.Path(camera)
        self._estimator: CameraEstimator | None = None

    @property
    def precision(self) -> str:
        """float32 or bfloat16, what the networks compute in."""
        return chosen(self.config.precision)

    @property
    def estimator(self) -> CameraEstimator:
        """The camera network, loaded on first use: a given camera does not need it."""
        if self._estimator is None:
            self._estimator = CameraEstimator(self.camera_run, self.config.precision)
        return self._estimator

    def reconstruct(
        self,
        image: Image,
        mask: str | os.PathLike[str] | PIL.Image.Image | np.ndarray = "auto",
        camera: Camera = "est",
        resolution: int = 128,
        simplify: int = FACES,
        stages: Stages | None = None,
        colours: str = "photo",
    ) -> Reconstruction:
        """Reconstruct the object in an image.

        Args:
            image: a path, a PIL image, an (H, W, 3 or 4) array or a Photo.
            mask: as utils.images.foreground.foreground takes it, or an (H, W) array: true, 255, or
                1.0 where the object is.
            camera: "est"; (azimuth, elevation) in degrees, the rest estimated; (azimuth, elevation,
                distance), looking at the middle of the image with the default focal length; or a
                (4, 3) trans_mat of the image as it is given. Lists and arrays count alike.
            resolution: cells along an axis, as utils.surface.adaptive.check_resolution allows.
            simplify: number of faces to merge the mesh into, about; 0: all that were extracted.
            stages: is told of every stage.
            colours: "photo": those of the image where it shows the surface, the field's elsewhere
                (utils.rendering.photo_colours); "field": the field's.

        Raises:
            UserError: a setting, the image, its mask or camera cannot be used, or no surface was
                found.
        """
        if colours not in COLOURS:
            raise UserError(f"colours {colours}: give {' or '.join(COLOURS)}")
        check_resolution("resolution", resolution)
        check_count("simplify", simplify)
        stages, photo = stages or Stages(), as_photo(image)
        with stages("mask"):
            cut_out = _foreground(photo, mask)
            if cut_out.used == "alpha":  # it may be scaled, and the colours behind it are the object's
                rgba = np.dstack([photo.rgba[..., :3], cut_out.alpha])
            else:
                rgba = with_mask(photo.rgba, cut_out.alpha)
        with stages("camera"):
            camera_found = photo_camera(rgba, photo.size, camera, lambda: self.estimator)
        with stages("image"):
            view, view_camera = self._as_in_training(rgba, camera_found.matrix)
            seen, seen_camera = network_view(view, view_camera, self.config)
            encoded = self.query.encode(seen, seen_camera)
        with stages("iso"):
            iso, at_bound = self._iso_of(view, encoded, seen_camera)
        with stages("mesh"):
            extracted = extract_mesh(self.query, encoded, resolution, iso, inner_walls=False, small_components=False)
        mesh, notes = extracted, [*photo.notes, *cut_out.notes, *camera_found.notes]
        if 0 < simplify < len(extracted.faces):
            with stages("simplify"):
                mesh = self._merged(extracted, encoded, simplify)
            if len(mesh.faces) > 1.1 * simplify:
                notes.append(f"{len(mesh.faces)} faces are left, since with fewer the surface would have holes")
        surface = RaySurface(mesh.vertices, mesh.faces, mesh.normals)
        with stages("check"):
            overlap = outline_overlap(surface, cut_out.alpha, camera_found.matrix)
            novelty, category, warnings = self._assessed(rgba, overlap)
        vertex_colours, photo_colours = mesh.colours, None
        if colours == "photo":
            with stages("colours"):
                photo_colours = PhotoColours(rgba, camera_found.matrix, surface)
                vertex_colours = photo_colours.of_vertices(mesh.colours)
        return Reconstruction(
            size=photo.size,
            # what it looks like; half-transparent objects as opaque as they were reconstructed
            photo=lay_over(np.dstack([rgba[..., :3], np.maximum(photo.rgba[..., 3], cut_out.alpha)])),
            mask=cut_out.alpha,
            foreground=cut_out.used,
            notes=notes,
            warnings=warnings,
            category=category,
            novelty=novelty,
            seen=seen,
            photo_camera=camera_found.matrix,
            camera_source=camera_found.source,
            camera_choice=camera_found.choice,
            iso=iso,
            iso_at_bound=at_bound,
            vertices=mesh.vertices,
            faces=mesh.faces,
            extracted_faces=len(extracted.faces),
            colours=vertex_colours,
            field_colours=mesh.colours,
            photo_colours=photo_colours,
            normals=mesh.normals,
            field=functools.partial(self.query.geometry, encoded),
            colour_of=functools.partial(self.query.colour, encoded),
        )

    def turned(self, rgba: np.ndarray, camera: np.ndarray, azimuth: float, elevation: float) -> np.ndarray:
        """A camera (4, 3) of an image (H, W, 4) that looks from another direction, in degrees."""
        return turned(rgba, camera, azimuth, elevation, self.estimator.config)

    def _as_in_training(self, rgba: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The image and its camera as a view of the training data.

        A network that crops by itself takes them as they are.
        """
        if self.config.crop:
            return rgba, matrix
        square = object_square(rgba[..., 3], SHARE)
        return square.cut(rgba), square.camera(matrix)

    def _iso_of(self, view: np.ndarray, encoded: Encoded, camera: np.ndarray) -> tuple[float, bool]:
        """The iso value for a view (H, W, 4) uint8, encoded as the network sees it with this camera
        (4, 3), and whether it was relaxed as far as it may be.
        """
        if not self.covers:
            return self.iso, False
        mask = network_image(view, dataclasses.replace(self.config, alpha=True))[..., 3] >= 0.5
        iso = iso_covering_mask(self.query, encoded, camera, mask, self.iso)
        return iso, iso == covering_bound(self.config.binary, self.iso) != self.iso

    def _merged(self, mesh: PredictedMesh, encoded: Encoded, count: int) -> PredictedMesh:
        """A mesh of about `count` faces, with the field's colours at its vertices."""
        vertices, faces = merge_faces(mesh.vertices, mesh.faces, count)
        colours, queries = self.query.colour(encoded, vertices), mesh.queries + len(vertices)
        return PredictedMesh(vertices, faces, colours, None, queries)

    def _assessed(self, rgba: np.ndarray, overlap: float) -> tuple[Novelty, Category | None, list[str]]:
        """How far an image (H, W, 4) is from those of the training, its category, and warnings.

        overlap: of the outlines of mask and surface.
        """
        features = describe([rgba])[0] if self.known or self.classifier else None
        novelty, warnings = assess(self.known, features, overlap)
        category = None
        if self.classifier and features is not None:
            category = self.classifier.category(features, known=(novelty["distance"] or 0) <= 1)
        return novelty, category, warnings


def _foreground(photo: Photo, mask: str | os.PathLike[str] | PIL.Image.Image | np.ndarray) -> Foreground:
    """The object of a photo by a mask array, or as utils.images.foreground finds it."""
    numbers = isinstance(mask, PIL.Image.Image) and mask.mode in ("I", "F")  # with the white of arrays
    if isinstance(mask, (str, os.PathLike, PIL.Image.Image)) and not numbers:
        return foreground(photo, mask)
    mask = np.asarray(mask)
    if mask.shape not in (photo.size, photo.rgba.shape[:2]):
        raise UserError(f"the mask is {mask.shape} and the image {photo.size}: they must have one size")
    if mask.dtype.kind not in "buif" or not np.isfinite(mask).all():
        raise UserError("the mask has values that are not finite numbers")
    in_shares = mask.dtype == bool or (mask.dtype.kind == "f" and mask.max() <= 1)
    alpha = np.rint(np.clip(mask * (255 if in_shares else 1), 0, 255))
    return given_mask(resize_mask(alpha.astype(np.uint8), photo.rgba.shape[:2]), "array", photo.name)
