"""What the settings of a network choose among: encoders, their input, decoders, the precision."""

import dataclasses

# What the first convolution sees of an image in [0, 1]; weights work with the one that they were
# trained on.
ENCODER_INPUTS = {
    "rgb": "RGB in [0, 1] (the original)",
    "bgr": "BGR in [0, 1] (DISN)",
    "slim": "RGB in 0..255 minus the ImageNet mean (TF-slim's vgg_16.ckpt)",
    "keras": "BGR in 0..255 minus the ImageNet mean (Keras's VGG16)",
}

ENCODERS = {
    "vgg16": "VGG16 in TF-slim's form (the original)",
    "efficientnet_lite0": "EfficientNet-Lite0, at the size of the image",
}
_LITE = "efficientnet_lite0"

# models.networks.precision decides what auto is. Weights are float32 in all of them.
PRECISIONS = {
    "auto": "the faster one on this machine, which a run that is used elsewhere chooses anew",
    "float32": "32 bits",
    "bfloat16": "16 bits, off by 1 to 4 percent of the field, several times faster or slower by the processor",
}
# of the training alone: results keep the range of float32
TRAINED_PRECISIONS = {**PRECISIONS, "float16": "16 bits with a scaled loss, for GPUs without products in bfloat16"}
PRECISION_HELP = "; ".join(f"{name}: {text}" for name, text in PRECISIONS.items())
TRAINED_PRECISION_HELP = "; ".join(f"{name}: {text}" for name, text in TRAINED_PRECISIONS.items())


@dataclasses.dataclass(frozen=True)
class Decoder:
    """A way from image features to the field. Scopes are those of DISN's TF1 variables."""

    help: str
    streams: dict[str, tuple[str, ...]]  # scope -> the features that the stream takes; none: a network of its own
    encoders: tuple[str, ...] = ("vgg16",)  # that it works with
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
    "residual": Decoder(
        "residual layers over both sides of an object, in SDF mode",
        {},
        encoders=(_LITE,),
    ),
}
