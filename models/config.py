"""The settings of a run: one dataclass, saved with the run, from which every later command reads it."""

import dataclasses
import typing

from utils.errors import UserError
from utils.files import read_json, write_json

# What the first convolution sees of an image in [0, 1]; weights that were trained on one of these work with that one alone.
ENCODER_INPUTS = {
    "rgb": "RGB in [0, 1] (the original)",
    "bgr": "BGR in [0, 1] (DISN)",
    "slim": "RGB in 0..255 minus the ImageNet mean (TF-slim's vgg_16.ckpt)",
    "keras": "BGR in 0..255 minus the ImageNet mean (Keras's VGG16)",
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all networks here are told. The defaults are the original's (Wu 2021; DISN, Xu et al. 2019)."""

    preset: str = "full"  # where the values that no flag gave came from

    # the image and its encoder
    img_h: int = 138  # pixels of the image that the camera refers to
    img_w: int = 138
    alpha: bool = False  # a fourth input channel: the foreground mask
    crop: float = 0.0  # views are cropped to the object, which takes this share of the image's side (utils.images.crop); 0: taken as they are
    num_classes: int = 1024  # channels of the global feature
    encoder_size: int = 224  # the image is resized to this before the first convolution
    encoder_input: str = "rgb"  # what the first convolution sees: a name of ENCODER_INPUTS
    encoder_widths: tuple = (64, 128, 256, 512, 512)  # channels of the five blocks
    encoder_convs: tuple = (2, 2, 3, 3, 3)  # convolutions of the five blocks
    encoder_fc: int = 4096  # channels of fc6 and fc7
    normalisation: bool = False  # batch normalisation after every hidden layer

    # data
    db: str = "db"
    category: str = "all"
    num_sample_points: int = 2048  # points per image
    cat_limit: int = 168000  # most samples of one category in an epoch
    augcolorfore: bool = False  # shift the colours of the foreground
    augcolorback: bool = False  # a random background colour
    backcolorwhite: bool = False  # white background instead of black

    # training
    batch_size: int = 20
    max_epoch: int = 200
    max_minutes: float = 0.0  # stop after so many minutes of training; 0 = no limit
    optimizer: str = "adam"
    learning_rate: float = 1e-4
    beta1: float = 0.5
    momentum: float = 0.9  # of the optimiser of that name
    decay_step: int = 200000  # in samples
    decay_rate: float = 0.9
    weight_decay: float = 1e-5
    bfloat16: bool = False  # compute in bfloat16, weights in float32
    seed: int = 0
    restore_model: str = ""  # where the first weights came from

    @property
    def image_channels(self):
        return 4 if self.alpha else 3

    def save(self, path):
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path):
        """Read a saved configuration. Unknown keys are errors; a key that an earlier version had not has its default."""
        values = read_json(path)
        names = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or "preset" not in values or not values.keys() <= names:
            reason = f"unknown: {sorted(values.keys() - names)}" if isinstance(values, dict) else "not a JSON object"
            raise UserError(f"{path} is not a configuration of {cls.KIND} of this version ({reason})")
        config = cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
        for field in dataclasses.fields(cls):
            value = getattr(config, field.name)
            if not isinstance(value, type(field.default)) and not (
                isinstance(field.default, float) and isinstance(value, int)
            ):
                raise UserError(f"{path}: {field.name} must be of type {type(field.default).__name__}, not {value!r}")
        return config


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """The network that predicts the field, and its training."""

    KIND: typing.ClassVar[str] = "a field network"

    # what is predicted
    binary: bool = True  # occupied surface voxels; False: signed distance (DISN)
    colour: bool = True  # False: geometry only (DISN's published model)

    # decoders
    point_widths: tuple = (64, 256, 512)  # fold1: from the point alone
    decoder_widths: tuple = (512, 256)  # fold2 and fold3: point and image together
    img_feat_twostream: bool = True  # a global and a local stream; without any of these three the global stream alone
    img_feat_onestream: bool = False  # one stream: global feature and local ones of conv1 to conv3 (DISN)
    threedcnn: bool = False  # transposed 3D convolutions from the global feature to a 65^3 grid, no colour (DISN)
    voxel_widths: tuple = (128, 128, 128, 64, 64, 32)  # threedcnn: channels of its six layers
    rot: bool = False  # the decoders get the points in the axes of the camera (DISN)
    tanh: bool = False  # SDF mode: tanh of the prediction (DISN)
    resized_reading: bool = True  # local features: maps resized to the image, then read; False: read as they are
    coordinate_scale: float = 1.0  # points are multiplied by this before the decoders
    model_frame: str = "cube"  # of the points: utils.geometry.frames.ModelFrame; sphere is DISN's
    distance_offset: float = 0.0  # SDF mode: the network predicts the distance minus this, model frame (DISN: 0.003)

    mask_weight: float = 4.0  # SDF mode: weight of points at or inside the surface
    cam_est: str = ""  # the camera network's run whose cameras took the place of the true ones

    @property
    def geometry_channels(self):
        return 2 if self.binary else 1


@dataclasses.dataclass(frozen=True)
class CameraConfig(Settings):
    """The network that estimates the camera of an image (DISN, section 3.3), and its training."""

    KIND: typing.ClassVar[str] = "a camera network"

    num_sample_points: int = 256  # surface points that the loss compares
    camera_widths: tuple = (512, 256)  # channels of the layers between the global feature and the camera
    hypotheses: int = 8  # rotations that the network proposes, of which it chooses one; 1: DISN's


def load_either(path):
    """The saved configuration of a network of either kind."""
    values = read_json(path)
    return (CameraConfig if isinstance(values, dict) and "camera_widths" in values else Config).load(path)


# What --preset changes; a flag that is given goes before it.
PRESETS = {
    "full": {},
    "small": {
        "num_classes": 256,
        "encoder_size": 96,
        "encoder_widths": (16, 32, 64, 96, 128),
        "encoder_convs": (1, 2, 2, 2, 2),
        "encoder_fc": 512,
        "point_widths": (64, 128),
        "decoder_widths": (256, 128),
        "voxel_widths": (64, 64, 64, 32, 32, 16),
        "camera_widths": (256, 128),
        "resized_reading": False,
        "normalisation": True,
        "learning_rate": 1e-3,
        "beta1": 0.9,
        "decay_step": 10000,
    },
}


def of_preset(name, cls=Config):
    """What a preset changes of the settings of a class."""
    names = {field.name for field in dataclasses.fields(cls)}
    return {field: value for field, value in PRESETS[name].items() if field in names}


def preset(name, binary, **given):
    """The configuration of a preset with the given fields changed. `small` scales the points to [-1, 1].

    A given onestream or threedcnn takes the place of the default's two streams, and threedcnn has no colour.
    """
    implied = {"coordinate_scale": 1 / 32 if binary else 1.0} if name == "small" else {}
    if given.get("img_feat_onestream") or given.get("threedcnn"):
        implied["img_feat_twostream"] = False
    if given.get("threedcnn"):
        implied["colour"] = False
    return Config(**{**of_preset(name), **implied, "preset": name, "binary": binary, **given})


def camera_preset(name, **given):
    """The configuration of a camera network: a preset with the given fields changed."""
    return CameraConfig(**{**of_preset(name, CameraConfig), "preset": name, **given})
