"""Presets: values of settings that belong together, under a name."""

import dataclasses
import typing

from models.choices import DECODERS
from models.config import CameraConfig, Config
from models.shared_settings import Settings

# What a preset changes; a flag that is given goes before it.
PRESETS: dict[str, dict[str, typing.Any]] = {
    "faithful": {},
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
    "plus": {
        "img_h": 128,
        "img_w": 128,
        "alpha": True,
        "crop": 0.85,
        "encoder": "efficientnet_lite0",
        "num_classes": 256,
        "binary": False,
        "decoder": "residual",
        "distance_offset": 0.02,
        "softness": 0.02,
        "num_sample_points": 512,
        "backcolorwhite": True,
        "augcolorback": True,
        "auglight": True,
        "augmirror": True,
        "augcolours": True,
        "augshape": True,
        "batch_size": 32,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "beta1": 0.9,
        "schedule": "cosine",
        "warm_up": 200,
        "encoder_rate": 0.3,
        "clip_gradient": 1.0,
        "averaging": 0.999,
        "keep": "last",  # the loss of an image that the network has to guess at rises while surfaces get better
        "weight_decay": 0.05,
    },
}
OLDER_NAMES = {"full": "faithful"}  # of presets, in runs and commands of earlier versions


def preset_name(name: str) -> str:
    """The present name of a preset."""
    return OLDER_NAMES.get(name, name)


def of_preset(name: str, cls: type[Settings] = Config) -> dict[str, typing.Any]:
    """What a preset changes of the settings of a class."""
    names = {field.name for field in dataclasses.fields(cls)}
    return {field: value for field, value in PRESETS[preset_name(name)].items() if field in names}


def _implied(overrides: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """Values that follow from overridden ones, whatever the preset says."""
    if overrides.get("optimizer", "adamw") == "adamw":
        return {}
    return {"weight_decay": Settings.weight_decay}  # of the loss; plus has AdamW's, 5000 times as large


def preset(name: str, binary: bool | None = None, **overrides: typing.Any) -> Config:
    """The configuration of a preset with some settings overridden.

    `small` scales the points to [-1, 1]. A decoder that cannot have colours has none unless they
    are asked for.
    """
    implied = _implied(overrides)
    name = preset_name(name)
    binary = PRESETS[name].get("binary", Config.binary) if binary is None else binary
    if name == "small":
        implied["coordinate_scale"] = 1 / 32 if binary else 1.0
    if not DECODERS[overrides.get("decoder", Config.decoder)].colour:
        implied["colour"] = False
    return Config(**{**of_preset(name), **implied, "preset": name, "binary": binary, **overrides})


def camera_preset(name: str, **overrides: typing.Any) -> CameraConfig:
    """The configuration of a camera network: a preset with some settings overridden."""
    values = {**of_preset(name, CameraConfig), **_implied(overrides), "preset": preset_name(name)}
    return CameraConfig(**{**values, **overrides})
