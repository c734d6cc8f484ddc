"""The settings of a run: one dataclass, saved with the run, from which every later command reads it."""

import dataclasses

from utils.cli import UserError
from utils.files import read_json, write_json

# What the first convolution sees of an image in [0, 1]; weights that were trained on one of these work with that one alone.
ENCODER_INPUTS = {
    "rgb": "RGB in [0, 1] (the original)",
    "bgr": "BGR in [0, 1] (DISN)",
    "slim": "RGB in 0..255 minus the ImageNet mean (TF-slim's vgg_16.ckpt)",
    "keras": "BGR in 0..255 minus the ImageNet mean (Keras's VGG16)",
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Network and training settings. The defaults are the original's (Wu 2021; DISN, Xu et al. 2019)."""

    preset: str = "full"  # where the values that no flag gave came from

    # what is predicted
    binary: bool = True  # occupied surface voxels; False: signed distance (DISN)
    colour: bool = True  # False: geometry only (DISN's published model)

    # network
    img_h: int = 138  # pixels of the image that the camera refers to
    img_w: int = 138
    alpha: bool = False  # a fourth input channel: the foreground mask
    num_classes: int = 1024  # channels of the global feature
    encoder_size: int = 224  # the image is resized to this before the first convolution
    encoder_input: str = "rgb"  # what the first convolution sees: a name of ENCODER_INPUTS
    encoder_widths: tuple = (64, 128, 256, 512, 512)  # channels of the five blocks
    encoder_convs: tuple = (2, 2, 3, 3, 3)  # convolutions of the five blocks
    encoder_fc: int = 4096  # channels of fc6 and fc7
    point_widths: tuple = (64, 256, 512)  # fold1: from the point alone
    decoder_widths: tuple = (512, 256)  # fold2 and fold3: point and image together
    img_feat_twostream: bool = True  # a global and a local stream; without any of these three the global stream alone
    img_feat_onestream: bool = False  # one stream: global feature and local ones of conv1 to conv3 (DISN)
    threedcnn: bool = False  # transposed 3D convolutions from the global feature to a 65^3 grid, no colour (DISN)
    voxel_widths: tuple = (128, 128, 128, 64, 64, 32)  # threedcnn: channels of its six layers
    rot: bool = False  # the decoders get the points in the axes of the camera (DISN)
    tanh: bool = False  # SDF mode: tanh of the prediction (DISN)
    resized_reading: bool = True  # local features: maps resized to the image, then read; False: read as they are
    normalisation: bool = False  # batch normalisation after every hidden layer
    coordinate_scale: float = 1.0  # points are multiplied by this before the decoders
    model_frame: str = "cube"  # of the points: utils.frames.ModelFrame; sphere is DISN's
    distance_offset: float = 0.0  # SDF mode: the network predicts the distance minus this, model frame (DISN: 0.003)

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
    mask_weight: float = 4.0  # SDF mode: weight of points at or inside the surface
    weight_decay: float = 1e-5
    bfloat16: bool = False  # compute in bfloat16, weights in float32
    seed: int = 0
    restore_model: str = ""  # where the first weights came from

    @property
    def image_channels(self):
        return 4 if self.alpha else 3

    @property
    def geometry_channels(self):
        return 2 if self.binary else 1

    def save(self, path):
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path):
        """Read a saved configuration; unknown and missing keys are errors."""
        values = read_json(path)
        names = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or values.keys() != names:
            different = sorted(values.keys() ^ names) if isinstance(values, dict) else "not a JSON object"
            raise UserError(f"{path} is not a configuration of this version (unknown or missing: {different})")
        config = cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
        for field in dataclasses.fields(cls):
            value = getattr(config, field.name)
            if not isinstance(value, type(field.default)) and not (isinstance(field.default, float) and isinstance(value, int)):
                raise UserError(f"{path}: {field.name} must be of type {type(field.default).__name__}, not {value!r}")
        return config


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
        "resized_reading": False,
        "normalisation": True,
        "learning_rate": 1e-3,
        "beta1": 0.9,
        "decay_step": 10000,
    },
}


def preset(name, binary, **given):
    """The configuration of a preset with the given fields changed. `small` scales the points to [-1, 1].

    A given onestream or threedcnn takes the place of the default's two streams, and threedcnn has no colour.
    """
    implied = {"coordinate_scale": 1 / 32 if binary else 1.0} if name == "small" else {}
    if given.get("img_feat_onestream") or given.get("threedcnn"):
        implied["img_feat_twostream"] = False
    if given.get("threedcnn"):
        implied["colour"] = False
    return Config(**{**PRESETS[name], **implied, "preset": name, "binary": binary, **given})
