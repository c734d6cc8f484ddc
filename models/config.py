"""The settings of a run: a dataclass per network, saved with the run.

Every setting is declared once, as a field. Its flag, its help, its check, the saved file and the
list of settings that weights depend on follow from the field's metadata (models/settings.py).
"""

import dataclasses
import os
import typing

from models.settings import SavedSettings, setting
from utils.errors import UserError
from utils.files import read_json

# What the first convolution sees of an image in [0, 1]; weights work with the one that they were
# trained on.
ENCODER_INPUTS = {
    "rgb": "RGB in [0, 1] (the original)",
    "bgr": "BGR in [0, 1] (DISN)",
    "slim": "RGB in 0..255 minus the ImageNet mean (TF-slim's vgg_16.ckpt)",
    "keras": "BGR in 0..255 minus the ImageNet mean (Keras's VGG16)",
}


@dataclasses.dataclass(frozen=True)
class Decoder:
    """A way from image features to the field. Scopes are those of DISN's TF1 variables."""

    help: str
    streams: dict[str, tuple[str, ...]]  # scope -> the features that the stream takes; none: a network of its own
    maps: int = 0  # feature maps, from the first on, that make up the local feature
    colour: bool = True  # whether it can have a colour branch


DECODERS = {
    "twostream": Decoder(
        "a stream of the global feature and one of the local features, added up (the original)",
        {"sdfprediction": ("global",), "sdfprediction_imgfeat": ("local",)},
        maps=5,
    ),
    "onestream": Decoder(
        "one stream of the global feature joined with the local features of conv1 to conv3 (DISN)",
        {"sdfimgfeat": ("global", "local")},
        maps=3,
    ),
    "global": Decoder("a stream of the global feature alone", {"sdfprediction": ("global",)}),
    "threedcnn": Decoder(
        "transposed 3D convolutions from the global feature to a 65^3 grid of geometry, without colour (DISN)",
        {},
        colour=False,
    ),
}


@dataclasses.dataclass(frozen=True)
class Settings(SavedSettings):
    """The settings that all networks share."""

    preset: str = setting("full", "the preset that gave the values without a flag", flag=False)

    # the image and its encoder
    img_h: int = setting(138, "image height the network works in, pixels", architecture=True, above=0)
    img_w: int = setting(138, "image width the network works in, pixels", architecture=True, above=0)
    alpha: bool = setting(
        False, "give the network the foreground mask as a fourth channel", architecture=True, needs_mask=True
    )
    crop: float = setting(
        0.0,
        "crop every view to its object, which takes this share of the image's side; 0 takes views as they are",
        architecture=True,
        least=0,
        most=1,
        needs_mask=True,
    )
    num_classes: int = setting(1024, "channels of the global feature", architecture=True, above=0)
    encoder_size: int = setting(
        224,
        "the image is resized to this many pixels before the first convolution, a multiple of 32",
        architecture=True,
        above=0,
        multiple=32,
    )
    encoder_input: str = setting(
        "rgb",
        "what the encoder sees; without the flag that of the weights it starts from: "
        + "; ".join(f"{name} = {meaning}" for name, meaning in ENCODER_INPUTS.items()),
        architecture=True,
        choices=ENCODER_INPUTS,
    )
    encoder_widths: tuple[int, ...] = setting(
        (64, 128, 256, 512, 512), "channels of the encoder's five blocks", architecture=True, length=5
    )
    encoder_convs: tuple[int, ...] = setting(
        (2, 2, 3, 3, 3), "convolutions of the encoder's five blocks", architecture=True, length=5
    )
    encoder_fc: int = setting(4096, "channels of fc6 and fc7", architecture=True, above=0)
    normalisation: bool = setting(False, "batch normalisation after every hidden layer", architecture=True)

    # data
    db: str = setting("db", "folder of shards (preprocessing/gen_db.py)", resumable=True)
    category: str = setting("all", "all, or one category by name or synset id")
    num_sample_points: int = setting(2048, "points per image", above=0)
    cat_limit: int = setting(168000, "most samples of one category in an epoch", above=0)
    augcolorfore: bool = setting(
        False, "shift the colours of the foreground by up to 30/255 in each channel", needs_mask=True
    )
    augcolorback: bool = setting(False, "a random background colour for every sample", needs_mask=True)
    backcolorwhite: bool = setting(False, "white background instead of black", needs_mask=True)

    # training
    batch_size: int = setting(20, "samples per step, over all devices", above=0)
    max_epoch: int = setting(200, "epochs", resumable=True, above=0)
    max_minutes: float = setting(
        0.0,
        "stop after so many minutes of training steps, 0 = no limit; a resumed run counts all its minutes",
        resumable=True,
        least=0,
    )
    optimizer: str = setting("adam", "optimiser", choices=("adam", "momentum"))
    learning_rate: float = setting(1e-4, "first learning rate", above=0)
    beta1: float = setting(
        0.5,
        "Adam's beta1",
        least=0,
        most=1,
        unused=lambda config: "" if config.optimizer == "adam" else f"with optimizer {config.optimizer}",
    )
    momentum: float = setting(
        0.9,
        "momentum of the optimiser of that name",
        least=0,
        most=1,
        unused=lambda config: "" if config.optimizer == "momentum" else f"with optimizer {config.optimizer}",
    )
    decay_step: int = setting(200000, "samples after which the learning rate is multiplied by decay_rate", above=0)
    decay_rate: float = setting(0.9, "factor of the learning rate", least=0, most=1)
    weight_decay: float = setting(1e-5, "factor of half the sum of squared convolution weights", least=0, flag=False)
    bfloat16: bool = setting(False, "compute in bfloat16, keep weights in float32")
    seed: int = setting(0, "seed of weights, order and points", least=0)
    restore_model: str = setting("", "the source of the first weights", flag=False)

    @property
    def image_channels(self) -> int:
        return 4 if self.alpha else 3


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
        least=0,
        unused=lambda config: "in binary mode" if config.binary else "",
    )
    cam_est: str = setting(
        "", "train with the cameras that this run of train_cam.py estimates, instead of the true ones"
    )

    @classmethod
    def renamed(cls, values: dict[str, typing.Any]) -> dict[str, typing.Any]:
        """Decoders were three booleans once."""
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
        if self.rot and not self.streams:
            raise UserError(f"rot would do nothing: decoder {self.decoder} does not take points")
        if self.binary and (self.model_frame != "cube" or self.distance_offset or self.tanh):
            raise UserError(
                "model_frame sphere, distance_offset and tanh are settings of signed distances; this model is binary"
            )

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
        8, "rotations that the network proposes, one of which it chooses; 1: DISN's", architecture=True, least=1
    )


def load_either(path: str | os.PathLike[str]) -> Config | CameraConfig:
    """The saved configuration of a network of either kind."""
    values = read_json(path)
    return (CameraConfig if isinstance(values, dict) and "camera_widths" in values else Config).load(path)
