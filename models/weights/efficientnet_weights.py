"""ImageNet weights of EfficientNet-Lite0: from its published file, and into an encoder.

The file of the network's PyTorch package holds convolutions and batch normalisations in the order
of the layers. A normalisation is a scale and a shift, folded into the convolution before it.
"""

import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from models.networks.efficientnet import STAGES, EfficientNetLite0
from models.weights.load_report import check_finite
from models.weights.run import Run
from utils.errors import UserError
from utils.files import replacing

EPSILON = 1e-3  # of the normalisation
NAME = "efficientnet_lite0"  # of the weights, as a source
FILE = pathlib.Path(__file__).parents[1] / "pretrained" / "encoder" / "efficientnet_lite0.npz"


def layer_names() -> Iterator[tuple[str, str, str, bool]]:
    """(our layer, convolution, normalisation of the file, whether it is depthwise), in order."""
    yield "stem", "_conv_stem", "_bn0", False
    number = 0
    for stage, settings in enumerate(STAGES):
        for block in range(settings.blocks):
            ours, theirs = f"block{stage}_{block}", f"_blocks.{number}"
            if settings.expansion > 1:
                yield f"{ours}/expand", f"{theirs}._expand_conv", f"{theirs}._bn0", False
            yield f"{ours}/depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1", True
            yield f"{ours}/project", f"{theirs}._project_conv", f"{theirs}._bn2", False
            number += 1


def folded(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of the published file -> {"<layer>/kernel" or "<layer>/bias": float32 array}.

    Kernels are as Keras has them: (h, w, in, out), or (h, w, channels, 1) of depthwise layers.

    Raises:
        UserError: a tensor is missing, or not finite.
    """
    weights = {}
    try:
        for layer, conv, norm, depthwise in layer_names():
            scale = tensors[f"{norm}.weight"] / np.sqrt(tensors[f"{norm}.running_var"] + EPSILON)
            kernel = tensors[f"{conv}.weight"] * scale[:, None, None, None]
            weights[f"{layer}/kernel"] = kernel.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            weights[f"{layer}/bias"] = tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * scale
    except KeyError as error:
        raise UserError(f"the weights have no {error}: they are not those of EfficientNet-Lite0") from None
    check_finite("the file of EfficientNet-Lite0", weights.items())
    return {name: value.astype(np.float32) for name, value in weights.items()}


def save(path: str | os.PathLike[str], weights: Mapping[str, np.ndarray]) -> None:
    """Write the result of folded(): kernels in float16, biases in float32."""
    arrays: dict[str, Any] = {
        name: value.astype(np.float16) if value.ndim > 1 else value for name, value in weights.items()
    }
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def assign(encoder: EfficientNetLite0) -> None:
    """Give an encoder the ImageNet weights that come with the project, all but its last layer.

    The mask, if it is a fourth channel, has no effect.
    """
    with np.load(FILE) as arrays:
        weights = {name: arrays[name].astype(np.float32) for name in arrays.files}
    for variable in encoder.variables:
        name = variable.path.split("efficientnet_lite0/", 1)[1]
        if name.startswith("fc/"):
            continue
        value = weights[name]
        if name == "stem/kernel" and variable.shape[2] == 4:
            value = np.concatenate([value, np.zeros_like(value[:, :, :1])], 2)
        variable.assign(value)


class ImageNetEncoder:
    """The ImageNet weights that come with the project, as an EncoderSource."""

    input_kind = "rgb"  # of the images; the encoder itself scales them

    def load(self, encoder: keras.layers.Layer) -> None:
        """Assign all variables of the encoder but its last layer, which is new, or raise UserError.

        The mask, if it is a fourth channel, has no effect at first.
        """
        if not isinstance(encoder, EfficientNetLite0):
            raise UserError(f"{NAME} are weights of the encoder of that name, and this network has another one")
        assign(encoder)
        print(f"{FILE}: {len(encoder.variables) - 2} variables of the encoder loaded")


def is_source(source: str) -> bool:
    """Whether a source of first weights is meant to be these, and not a run of the same name."""
    return source == NAME and not Run(source).config.exists()
