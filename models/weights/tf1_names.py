"""The names that the original, DISN and TF-slim give to the variables of this network, and what their shapes tell.

    vgg_16/conv1/conv1_1/weights [3, 3, 3, 64]        sdfprediction/fold2/conv1/weights [1, 1, 1536, 512]

A matrix that takes a joined vector there is one matrix per part here (models.networks.decoder); its rows are those of the parts
in order: geometry (fold3 alone), point, global feature, local features.
"""

import re

import numpy as np

from utils.errors import UserError

PREFIX = "texdisn/"  # of the variable paths here
SLOTS = {"Adam", "Adam_1", "Momentum", "RMSProp", "RMSProp_1", "ExponentialMovingAverage"}
COUNTERS = {"beta1_power", "beta2_power", "batch", "global_step"}


def streams(config):
    """{scope of a decoder stream: its features, as models.networks.texdisn names them}"""
    if config.threedcnn:
        raise UserError("a network with threedcnn has no TF1 names here")
    if config.img_feat_onestream:
        return {"sdfimgfeat": ("feature", "local")}
    both = {"sdfprediction": ("feature",), "sdfprediction_imgfeat": ("feature",)}
    return both if config.img_feat_twostream else {"sdfprediction": ("feature",)}


def encoder_names(config):
    """{TF1 name: [path of the variable here]} of the encoder."""
    layers = [
        (f"conv{b}/conv{b}_{i}", f"conv{b}_{i}")
        for b, count in enumerate(config.encoder_convs, 1)
        for i in range(1, count + 1)
    ]
    names = {}
    for theirs, ours in layers + [(f"fc{i}", f"fc{i}") for i in (6, 7, 8)]:
        for kind, name in (("weights", "kernel"), ("biases", "bias")):
            names[f"vgg_16/{theirs}/{kind}"] = [f"{PREFIX}vgg_16/{ours}/{name}"]
    return names


def all_names(config):
    """{TF1 name: [paths of the variables here whose rows it joins]}; UserError for what TF1 names cannot say."""
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
        for theirs, ours in layers.items():
            names[f"{scope}/{theirs}/weights"] = [f"{PREFIX}{scope}/{layer}/kernel" for layer in ours]
            biased = next((layer for layer in ours if layer.endswith("_point")), ours[0])
            names[f"{scope}/{theirs}/biases"] = [f"{PREFIX}{scope}/{biased}/bias"]
    return names


def tf1_shape(name, parts):
    """The shape of a TF1 variable that joins `parts` (variables or arrays): decoder matrices are 1x1 convolutions there."""
    if not name.endswith("weights") or name.startswith("vgg_16"):
        return tuple(parts[0].shape)
    return (1, 1, sum(part.shape[0] for part in parts), parts[0].shape[1])


def split(value, parts):
    """The value of a TF1 variable -> the values of its parts, bit for bit."""
    if len(parts) == 1:
        return [value.reshape(parts[0].shape)]
    return np.split(value.reshape(value.shape[-2:]), np.cumsum([part.shape[0] for part in parts])[:-1])


def join(name, parts):
    """The inverse of split: arrays of the parts -> the value of the TF1 variable."""
    return np.concatenate(parts).reshape(tf1_shape(name, parts))


def ignored(name, names):
    """Why a variable of a checkpoint is no weight, or None: optimiser slots, running averages, counters."""
    owner, _, last = name.rpartition("/")
    if last in SLOTS and owner in names:
        return "running average" if last == "ExponentialMovingAverage" else "optimiser slot"
    if name in COUNTERS:
        return "counter or power of the optimiser"
    return None


def configuration(shapes):
    """{TF1 name: shape} -> the configuration fields that names and shapes tell; UserError where they tell no network.

    Binary or SDF, colour or none, streams, channels of the image, sizes of encoder and decoders.
    """

    def shape(name, rank=4):
        if len(shapes.get(name, ())) != rank:
            found = f"is {list(shapes[name])}" if name in shapes else "is not in it"
            raise UserError(f"{name} {found}: no model of the original or of DISN")
        return tuple(shapes[name])

    blocks = [sorted(n for n in shapes if re.fullmatch(rf"vgg_16/conv{b}/conv{b}_\d+/weights", n)) for b in range(1, 6)]
    kernel, _, last_width, fc = shape("vgg_16/fc6/weights")
    told = {
        "alpha": shape("vgg_16/conv1/conv1_1/weights")[2] == 4,
        "encoder_widths": tuple(shape(f"vgg_16/conv{b}/conv{b}_1/weights")[3] for b in range(1, 6)),
        "encoder_convs": tuple(len(names) for names in blocks),
        "encoder_fc": fc,
        "encoder_size": 32 * kernel,
        "num_classes": shape("vgg_16/fc8/weights")[3],
    }
    scopes = {
        name.split("/")[0] for name in shapes if re.match(r"(sdfprediction|sdfprediction_imgfeat|sdfimgfeat)/", name)
    }
    known = {
        frozenset({"sdfprediction", "sdfprediction_imgfeat"}): (True, False),
        frozenset({"sdfprediction"}): (False, False),
        frozenset({"sdfimgfeat"}): (False, True),
    }
    if frozenset(scopes) not in known:
        found = f"the decoders {', '.join(sorted(scopes))}" if scopes else "no decoder (sdfprediction)"
        raise UserError(f"it has {found}, no known network")
    told["img_feat_twostream"], told["img_feat_onestream"] = known[frozenset(scopes)]
    scope = min(scopes)
    told["binary"] = f"{scope}/fold2/conv5_bi/weights" in shapes
    told["colour"] = f"{scope}/fold2/conv5_colour/weights" in shapes
    points = len([name for name in shapes if re.fullmatch(rf"{scope}/fold1/conv\d+/weights", name)])
    told["point_widths"] = tuple(shape(f"{scope}/fold1/conv{i}/weights")[3] for i in range(1, points + 1))
    told["decoder_widths"] = tuple(shape(f"{scope}/fold2/conv{i}/weights")[3] for i in (1, 2))
    return told
