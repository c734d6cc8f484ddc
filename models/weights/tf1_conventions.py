"""What names and shapes of a TF1 checkpoint cannot tell: the defaults of its kind, and the flags that override them."""

import argparse
import dataclasses
import math

from models.config import ENCODER_INPUTS
from utils.errors import UserError

ORIGINAL = {"img_h": 138, "img_w": 138, "encoder_input": "rgb", "model_frame": "cube", "distance_offset": 0.0}
# DISN's image tensors are BGR as cv2 reads them, its objects fill the unit sphere, its distances are those to the 0.003 level
DISN = {"img_h": 137, "img_w": 137, "encoder_input": "bgr", "model_frame": "sphere", "distance_offset": 0.003}
FIELDS = (*ORIGINAL, "rot", "tanh", "bfloat16")


def of_kind(told):
    """What tf1_names.configuration told -> name of the kind, its conventions. SDF without colour is DISN's, all else the original's."""
    if not told["binary"] and not told["colour"]:
        return "DISN", DISN
    return "the original" if told["binary"] else "the original with distances", ORIGINAL


def add_flags(parser):
    """Flags of FIELDS; absent ones leave no trace. For TF1 checkpoints alone: a run of this project carries its settings."""
    group = parser.add_argument_group(
        "conventions of a TF1 checkpoint", "which it does not carry itself (default: those of its kind)"
    )
    switch = argparse.BooleanOptionalAction

    def add(name, help, **options):
        group.add_argument(name, default=argparse.SUPPRESS, help=help, **options)

    add("--img_h", "image height it was trained with, pixels: the original 138, DISN 137", type=int)
    add("--img_w", "image width", type=int)
    add(
        "--encoder_input",
        "; ".join(f"{name} = {what}" for name, what in ENCODER_INPUTS.items()),
        choices=list(ENCODER_INPUTS),
    )
    add(
        "--model_frame",
        "cube = the frame all objects share; sphere = every object in the unit sphere (DISN)",
        choices=["cube", "sphere"],
    )
    add("--distance_offset", "it predicts the distance minus this, model frame: DISN 0.003", type=float)
    add("--rot", "its points are in the axes of the camera", action=switch)
    add("--tanh", "its distances went through tanh", action=switch)
    add("--bfloat16", "compute in bfloat16", action=switch)


def overrides(args):
    """The conventions among parsed flags: {field: value}."""
    return {name: value for name, value in vars(args).items() if name in FIELDS}


def check(config):
    """UserError for conventions that cannot be meant together."""
    if min(config.img_h, config.img_w) < 1:
        raise UserError(f"--img_h {config.img_h} and --img_w {config.img_w} must be above 0")
    if not math.isfinite(config.distance_offset):
        raise UserError(f"--distance_offset {config.distance_offset} is not a finite number")
    if config.binary and (config.model_frame != "cube" or config.distance_offset or config.tanh):
        raise UserError("--model_frame sphere, --distance_offset and --tanh are of distances; this model is binary")


def record(config):
    """{field: value} for the outputs of a command."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name in FIELDS}
