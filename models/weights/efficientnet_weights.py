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

from models.networks.efficientnet import STAGES, STEM, EfficientNetLite0
from models.weights.load_report import check_finite
from models.weights.run import Run
from utils.errors import UserError, first_of
from utils.files import replacing

EPSILON = 1e-3  # of the normalisation
NORM = ("weight", "bias", "running_mean", "running_var")  # of a normalisation in the file
COUNTER = ".num_batches_tracked"  # of a normalisation, which training alone needs
NAME = "efficientnet_lite0"  # of the weights, as a source
FILE = pathlib.Path(__file__).parents[1] / "pretrained" / "encoder" / "efficientnet_lite0.npz"


def layer_names() -> Iterator[tuple[str, str, str, tuple[int, ...]]]:
    """(our layer, convolution, normalisation of the file, shape of the kernel there), in order.

    The shape is (out, in, h, w), or (channels, 1, h, w) of depthwise layers.
    """
    yield "stem", "_conv_stem", "_bn0", (STEM, 3, 3, 3)
    number, inputs = 0, STEM
    for stage, settings in enumerate(STAGES):
        for block in range(settings.blocks):
            ours, theirs, inner = f"block{stage}_{block}", f"_blocks.{number}", inputs * settings.expansion
            if settings.expansion > 1:
                yield f"{ours}/expand", f"{theirs}._expand_conv", f"{theirs}._bn0", (inner, inputs, 1, 1)
            size = (settings.kernel, settings.kernel)
            yield f"{ours}/depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1", (inner, 1, *size)
            yield f"{ours}/project", f"{theirs}._project_conv", f"{theirs}._bn2", (settings.width, inner, 1, 1)
            number, inputs = number + 1, settings.width


def check_network(tensors: Mapping[str, np.ndarray]) -> None:
    """UserError where tensors are those of another network: most have the same names."""
    wanted: dict[str, tuple[int, ...]] = {}
    for _, conv, norm, shape in layer_names():
        wanted |= {f"{conv}.weight": shape, **{f"{norm}.{part}": shape[:1] for part in NORM}}
    problems = [f"{name} is missing" for name in wanted if name not in tensors]
    problems += [
        f"{name} is {list(tensors[name].shape)} instead of {list(shape)}"
        for name, shape in wanted.items()
        if name in tensors and tensors[name].shape != shape
    ]
    blocks = [name for name in map(str, tensors) if name.startswith("_blocks.")]
    problems += [f"{name} is not part of it" for name in blocks if name not in wanted and not name.endswith(COUNTER)]
    if problems:
        raise UserError(f"these are not the weights of EfficientNet-Lite0: {first_of(problems, 4)}")


def folded(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of the published file -> {"<layer>/kernel" or "<layer>/bias": float32 array}.

    Kernels are as Keras has them: (h, w, in, out), or (h, w, channels, 1) of depthwise layers.

    Raises:
        UserError: the tensors are those of another network, or not finite.
    """
    check_network(tensors)
    weights = {}
    for layer, conv, norm, _ in layer_names():
        scale = tensors[f"{norm}.weight"] / np.sqrt(tensors[f"{norm}.running_var"] + EPSILON)
        kernel = tensors[f"{conv}.weight"] * scale[:, None, None, None]
        weights[f"{layer}/kernel"] = kernel.transpose((2, 3, 0, 1) if layer.endswith("depthwise") else (2, 3, 1, 0))
        weights[f"{layer}/bias"] = tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * scale
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
