"""The settings of a run: a dataclass per network, saved with the run.

Every setting is declared once, as a field. Its flag, its help, its check, the saved file and the
list of settings that weights depend on follow from the field's metadata (models/settings.py).
"""

import dataclasses
import itertools
import os
import typing

from models.choices import DECODERS
from models.settings import setting
from models.shared_settings import Settings
from utils.errors import UserError
from utils.files import read_json


def _not_residual(config: typing.Any) -> str:
    """Why a setting of decoder residual does nothing in a configuration, or nothing."""
    return "" if config.decoder == "residual" else "without decoder residual"


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """The network that predicts the field, and its training."""

    KIND: typing.ClassVar[str] = "a field network"

    # what is predicted
    binary: bool = setting(True, "predict occupied surface voxels; off: signed distances (DISN)", architecture=True)
    colour: bool = setting(True, "predict colours too; off: no colour branch", architecture=True)

    # decoders
    decoder: str = setting(
        "twostream",
        "; ".join(f"{name}: {decoder.help}" for name, decoder in DECODERS.items()),
        architecture=True,
        choices=DECODERS,
    )
    point_widths: tuple[int, ...] = setting(
        (64, 256, 512),
        "channels of the decoders' layers that see the point alone",
        architecture=True,
        unused=lambda config: "" if config.streams else f"with decoder {config.decoder}",
    )
    decoder_widths: tuple[int, ...] = setting(
        (512, 256),
        "channels of the decoders' two layers that see point and image",
        architecture=True,
        length=2,
        unused=lambda config: "" if config.streams else f"with decoder {config.decoder}",
    )
    residual_width: int = setting(
        256, "channels of decoder residual", architecture=True, above=0, most=1 << 14, unused=_not_residual
    )
    residual_layers: int = setting(
        5, "layers of decoder residual", architecture=True, above=0, most=256, unused=_not_residual
    )
    reflection: bool = setting(
        True,
        "decoder residual: read the image at the mirrored point too (Ladybird)",
        architecture=True,
        unused=_not_residual,
    )
    camera_axes: bool = setting(
        True,
        "decoder residual: give the point in the axes of the camera too",
        architecture=True,
        unused=_not_residual,
    )
    fourier: int = setting(
        4,
        "decoder residual: octaves of sines and cosines of the coordinates",
        architecture=True,
        least=0,
        most=64,
        unused=_not_residual,
    )
    voxel_widths: tuple[int, ...] = setting(
        (128, 128, 128, 64, 64, 32),
        "channels of the six layers of decoder threedcnn",
        architecture=True,
        length=6,
        unused=lambda config: "" if config.decoder == "threedcnn" else "without decoder threedcnn",
    )
    rot: bool = setting(
        False,
        "turn the points into the axes of the camera (x right, y up, z towards it) before the decoders (DISN)",
        architecture=True,
    )
    tanh: bool = setting(
        False,
        "SDF mode: tanh of the predicted distance, which thus ends at 0.05 of the object's longest side (DISN)",
        architecture=True,
    )
    resized_reading: bool = setting(
        True,
        "local features: resize every map to the image, then read it (the original); off: read it as it is",
        architecture=True,
        unused=lambda config: "" if DECODERS[config.decoder].maps else "without local features",
    )
    coordinate_scale: float = setting(
        1.0, "points are multiplied by this before the decoders", architecture=True, flag=False
    )
    model_frame: str = setting(
        "cube",
        "cube: all objects share it; sphere: SDF mode, every object in a unit sphere (DISN)",
        architecture=True,
        choices=("cube", "sphere"),
    )
    distance_offset: float = setting(
        0.0, "SDF mode: predict the distance minus this, model frame; DISN 0.003", architecture=True
    )

    mask_weight: float = setting(
        4.0,
        "SDF mode: weight of points at or inside the surface",
        inherited=True,
        least=0,
        unused=lambda config: "in binary mode" if config.binary else ("with softness" if config.softness else ""),
    )
    softness: float = setting(
        0.0,
        "SDF mode: train the occupancy sigmoid(-distance / softness), model frame, by its cross-entropy; "
        "0: the distance itself (DISN)",
        inherited=True,
        least=0,
    )
    augshape: bool = setting(
        False,
        "SDF mode: stretch some objects along their axes, turn and stretch some images, with their cameras",
        inherited=True,
        needs_mask=True,
        unused=lambda config: "in binary mode" if config.binary else "",
    )
    scored_objects: int = setting(
        4,
        "validation objects whose surface is compared with the truth before the first step and after every epoch, by "
        "volumetric IoU and F-score on a coarse grid (TensorBoard, history.json); 0 = none",
        resumable=True,
        least=0,
    )
    cam_est: str = setting(
        "", "train with the cameras that this run of train_cam.py estimates, instead of the true ones"
    )

    @classmethod
    def renamed(cls, values: dict[str, typing.Any]) -> dict[str, typing.Any]:
        """Decoders were three booleans once."""
        values = super().renamed(values)
        older = {"img_feat_twostream", "img_feat_onestream", "threedcnn"} & values.keys()
        if not older or "decoder" in values:
            return values
        names = (("threedcnn", "threedcnn"), ("img_feat_onestream", "onestream"), ("img_feat_twostream", "twostream"))
        decoder = next((name for key, name in names if values.get(key)), "global")
        return {**{key: value for key, value in values.items() if key not in older}, "decoder": decoder}

    def check(self) -> None:
        super().check()
        if self.num_sample_points < 2:
            raise UserError("num_sample_points must be at least 2: half are occupied, half are empty")
        if self.colour and not DECODERS[self.decoder].colour:
            raise UserError(f"colour: decoder {self.decoder} has no colour branch")
        if self.encoder not in DECODERS[self.decoder].encoders:
            raise UserError(
                f"decoder {self.decoder} takes the features of encoder {', '.join(DECODERS[self.decoder].encoders)}, "
                f"not of {self.encoder}"
            )
        if self.binary and (self.decoder == "residual" or self.softness):
            raise UserError("decoder residual and softness are settings of signed distances; this model is binary")
        for name in ("augmirror", "augshape"):
            if getattr(self, name) and self.model_frame != "cube":
                raise UserError(f"{name} needs model_frame cube")
        if self.decoder == "residual" and self.reflection and self.model_frame != "cube":
            raise UserError("reflection needs model_frame cube: an object's sphere is not about its plane; turn it off")
        if self.rot and not self.streams:
            raise UserError(f"rot would do nothing: decoder {self.decoder} does not take points")
        if self.binary and (self.model_frame != "cube" or self.distance_offset or self.tanh):
            raise UserError(
                "model_frame sphere, distance_offset and tanh are settings of signed distances; this model is binary"
            )

    def other_weights(self) -> int:
        if self.decoder == "residual":
            return self.residual_layers * self.residual_width**2
        if self.decoder == "threedcnn":
            return sum(27 * a * b for a, b in itertools.pairwise((self.num_classes, *self.voxel_widths)))
        first, second = self.decoder_widths
        features = (self.num_classes + sum(self.encoder_widths)) * first
        of_points = sum(a * b for a, b in itertools.pairwise((3, *self.point_widths)))
        stream = of_points + self.point_widths[-1] * first + first * second
        return (2 if self.colour else 1) * (features + len(self.streams) * stream)

    @property
    def geometry_channels(self) -> int:
        return 2 if self.binary else 1

    @property
    def streams(self) -> dict[str, tuple[str, ...]]:
        """Scope -> features of the decoder's streams; empty where it has none."""
        return DECODERS[self.decoder].streams


@dataclasses.dataclass(frozen=True)
class CameraConfig(Settings):
    """The network that estimates the camera of an image (DISN, section 3.3), and its training."""

    KIND: typing.ClassVar[str] = "a camera network"

    num_sample_points: int = setting(256, "surface points per image that the loss compares", above=0)
    camera_widths: tuple[int, ...] = setting(
        (512, 256), "channels of the layers between the global feature and the camera", architecture=True
    )
    hypotheses: int = setting(
        8,
        "rotations that the network proposes, one of which it chooses; 1: DISN's",
        architecture=True,
        least=1,
        most=1024,
    )

    def other_weights(self) -> int:
        sizes = (self.num_classes, *self.camera_widths, 7 * self.hypotheses + 4)
        return sum(a * b for a, b in itertools.pairwise(sizes))


def load_either(path: str | os.PathLike[str]) -> Config | CameraConfig:
    """The saved configuration of a network of either kind."""
    values = read_json(path)
    return (CameraConfig if isinstance(values, dict) and "camera_widths" in values else Config).load(path)
