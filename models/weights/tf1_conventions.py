"""Conventions of TF1 checkpoints: settings that leave no trace in names and shapes of variables.

Every kind of checkpoint has defaults for them, which flags override.
"""

import argparse
import dataclasses
from collections.abc import Mapping
from typing import Any

from models.choices import ENCODER_INPUTS
from models.config import Config

ORIGINAL = {"img_h": 138, "img_w": 138, "encoder_input": "rgb", "model_frame": "cube", "distance_offset": 0.0}
# DISN reads images with cv2, in BGR. Its objects fill the unit sphere, and its distances are those
# to the iso surface at 0.003.
DISN = {"img_h": 137, "img_w": 137, "encoder_input": "bgr", "model_frame": "sphere", "distance_offset": 0.003}

_SWITCH = argparse.BooleanOptionalAction
FLAGS: dict[str, dict[str, Any]] = {  # setting: options of its flag
    "img_h": {"type": int, "help": "image height it was trained with, pixels: the original 138, DISN 137"},
    "img_w": {"type": int, "help": "image width"},
    "encoder_input": {
        "choices": list(ENCODER_INPUTS),
        "help": "; ".join(f"{name} = {meaning}" for name, meaning in ENCODER_INPUTS.items()),
    },
    "model_frame": {
        "choices": ["cube", "sphere"],
        "help": "cube = the frame all objects share; sphere = every object in the unit sphere (DISN)",
    },
    "distance_offset": {
        "type": float,
        "help": "it predicts the distance minus this, model frame: DISN 0.003",
    },
    "rot": {"action": _SWITCH, "help": "its points are in the axes of the camera"},
    "tanh": {"action": _SWITCH, "help": "its distances went through tanh"},
}


def conventions_of(binary: bool, colour: bool) -> tuple[str, dict[str, Any]]:
    """The kind of a checkpoint, for messages, and the conventions of that kind.

    A model of signed distances without colour is DISN's, all others are the original's.
    """
    if not binary and not colour:
        return "DISN", DISN
    return "the original" if binary else "the original with distances", ORIGINAL


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of all conventions. A flag that is not given leaves no attribute."""
    group = parser.add_argument_group(
        "conventions of a TF1 checkpoint", "which it does not carry itself (default: those of its kind)"
    )
    for name, options in FLAGS.items():
        group.add_argument(f"--{name}", default=argparse.SUPPRESS, **options)


def overrides(args: argparse.Namespace) -> dict[str, Any]:
    """The conventions among parsed flags."""
    return {name: value for name, value in vars(args).items() if name in FLAGS}


def record(config: Config) -> dict[str, Any]:
    """The conventions of a configuration, as the results of a command record them."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name in FLAGS}


def recorded(conventions: Mapping[str, Any]) -> dict[str, Any]:
    """What record() would give for stored conventions: earlier versions had the precision there."""
    return {name: value for name, value in conventions.items() if name in FLAGS}
