"""The names that the original, DISN and TF-slim give to the variables of this network.

    vgg_16/conv1/conv1_1/weights [3, 3, 3, 64]
    sdfprediction/fold2/conv1/weights [1, 1, 1536, 512]

TF1 multiplies a joined vector by one matrix; here every part of the vector has a matrix of its own
(models.networks.decoder). The rows of the TF1 matrix are those of the parts, in the order geometry
(fold3 only), point, global feature, local features.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from models.choices import DECODERS
from models.config import Config
from models.shared_settings import Settings
from utils.errors import UserError

PREFIX = "texdisn/"  # of the variable paths here
SLOTS = {"Adam", "Adam_1", "Momentum", "RMSProp", "RMSProp_1", "ExponentialMovingAverage"}
COUNTERS = {"beta1_power", "beta2_power", "batch", "global_step"}


class Shaped(Protocol):
    """An array or a variable."""

    @property
    def shape(self) -> tuple[int, ...]: ...


def streams(config: Config) -> dict[str, tuple[str, ...]]:
    """{scope of a decoder stream: its features, as their layers are called here}.

    Raises:
        UserError: The decoder is not made of streams, so it has no TF1 names here.
    """
    if not config.streams:
        raise UserError(f"a network with decoder {config.decoder} has no TF1 names here")
    return {scope: ("feature", *features[1:]) for scope, features in config.streams.items()}


def encoder_names(config: Settings) -> dict[str, list[str]]:
    """{TF1 name: [path of the variable here]} of the encoder."""
    layers = {
        f"conv{b}/conv{b}_{i}": f"conv{b}_{i}"
        for b, count in enumerate(config.encoder_convs, 1)
        for i in range(1, count + 1)
    }
    layers |= {f"fc{i}": f"fc{i}" for i in (6, 7, 8)}
    names = {}
    for tf1_layer, layer in layers.items():
        for tf1_kind, kind in (("weights", "kernel"), ("biases", "bias")):
            names[f"vgg_16/{tf1_layer}/{tf1_kind}"] = [f"{PREFIX}vgg_16/{layer}/{kind}"]
    return names


def all_names(config: Config) -> dict[str, list[str]]:
    """{TF1 name: [paths of the variables here whose rows it joins]} of the whole network.

    Raises:
        UserError: The network has variables without a TF1 name.
    """
    if config.normalisation:
        raise UserError("a network with normalisation (preset small) has variables without a TF1 name")
    names = encoder_names(config)
    for scope, features in streams(config).items():
        layers = {f"fold1/conv{i}": [f"fold1_conv{i}"] for i in range(1, len(config.point_widths) + 1)}
        layers["fold2/conv1"] = [f"fold2_conv1_{part}" for part in ("point", *features)]
        layers["fold2/conv2"] = ["fold2_conv2"]
        layers["fold2/conv5_bi" if config.binary else "fold2/conv5"] = ["fold2_conv5"]
        if config.colour:
            layers["fold3/conv1"] = [f"fold3_conv1_{part}" for part in ("geometry", "point", *features)]
            layers["fold3/conv2"] = ["fold3_conv2"]
            layers["fold2/conv5_colour"] = ["fold3_conv5"]
        for tf1_layer, parts in layers.items():
            names[f"{scope}/{tf1_layer}/weights"] = [f"{PREFIX}{scope}/{part}/kernel" for part in parts]
            biased = next((part for part in parts if part.endswith("_point")), parts[0])
            names[f"{scope}/{tf1_layer}/biases"] = [f"{PREFIX}{scope}/{biased}/bias"]
    return names


def tf1_shape(name: str, parts: Sequence[Shaped]) -> tuple[int, ...]:
    """The shape of a TF1 variable that joins `parts` (variables or arrays).

    The matrices of the decoders are 1x1 convolutions in TF1.
    """
    if not name.endswith("weights") or name.startswith("vgg_16"):
        return tuple(parts[0].shape)
    return (1, 1, sum(part.shape[0] for part in parts), parts[0].shape[1])


def split(value: np.ndarray, parts: Sequence[Shaped]) -> list[np.ndarray]:
    """Split the value of a TF1 variable into the values of its parts, bit for bit."""
    if len(parts) == 1:
        return [value.reshape(parts[0].shape)]
    return np.split(value.reshape(value.shape[-2:]), np.cumsum([part.shape[0] for part in parts])[:-1])


def join(name: str, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Join the values of the parts to the value of the TF1 variable; the inverse of split()."""
    return np.concatenate(parts).reshape(tf1_shape(name, parts))


def ignored(name: str, names: Collection[str]) -> str | None:
    """Why a variable of a checkpoint is not a weight: optimiser slot, running average, counter.

    None if it may be one. `names` are the TF1 names of the network's variables.
    """
    owner, _, last = name.rpartition("/")
    if last in SLOTS and owner in names:
        return "running average" if last == "ExponentialMovingAverage" else "optimiser slot"
    if name in COUNTERS:
        return "counter or power of the optimiser"
    return None


def infer_settings(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Infer the settings that names and shapes of a checkpoint's variables show.

    These are the mode (binary or SDF), the colour branch, the decoder, the channels of the image,
    and the sizes of encoder and decoders.

    Args:
        shapes: {TF1 name: shape}.

    Returns:
        {setting of models.config.Config: value}.

    Raises:
        UserError: They are not the variables of a known network.
    """

    def shape(name: str) -> tuple[int, ...]:
        if len(shapes.get(name, ())) != 4:
            state = f"is {list(shapes[name])}" if name in shapes else "is not in it"
            raise UserError(f"{name} {state}: not a model of the original or of DISN")
        return tuple(shapes[name])

    blocks = [sorted(n for n in shapes if re.fullmatch(rf"vgg_16/conv{b}/conv{b}_\d+/weights", n)) for b in range(1, 6)]
    kernel, _, _, fc = shape("vgg_16/fc6/weights")
    decoder_scopes = {scope for decoder in DECODERS.values() for scope in decoder.streams}
    scopes = {name.split("/")[0] for name in shapes} & decoder_scopes
    decoders = {frozenset(decoder.streams): name for name, decoder in DECODERS.items() if decoder.streams}
    if frozenset(scopes) not in decoders:
        state = f"the decoders {', '.join(sorted(scopes))}" if scopes else "no decoder (sdfprediction)"
        raise UserError(f"it has {state}, which is not a known network")
    scope = min(scopes)
    point_layers = len([name for name in shapes if re.fullmatch(rf"{scope}/fold1/conv\d+/weights", name)])
    return {
        "alpha": shape("vgg_16/conv1/conv1_1/weights")[2] == 4,
        "encoder_widths": tuple(shape(f"vgg_16/conv{b}/conv{b}_1/weights")[3] for b in range(1, 6)),
        "encoder_convs": tuple(len(names) for names in blocks),
        "encoder_fc": fc,
        "encoder_size": 32 * kernel,
        "num_classes": shape("vgg_16/fc8/weights")[3],
        "decoder": decoders[frozenset(scopes)],
        "binary": f"{scope}/fold2/conv5_bi/weights" in shapes,
        "colour": f"{scope}/fold2/conv5_colour/weights" in shapes,
        "point_widths": tuple(shape(f"{scope}/fold1/conv{i}/weights")[3] for i in range(1, point_layers + 1)),
        "decoder_widths": tuple(shape(f"{scope}/fold2/conv{i}/weights")[3] for i in (1, 2)),
    }
