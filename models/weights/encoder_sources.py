"""First weights of the encoder, from a run, a TF1 checkpoint or Keras's VGG16.

TF-slim's vgg_16.ckpt is such a TF1 checkpoint. Every variable is loaded or listed. Two things may
be missing or differ, and then keep their random start: the head of a classifier (fc8 or
`predictions`, with 1000 classes instead of num_classes channels), and fc6 and fc7, which Keras's
files without top do not have.
"""

import os
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import h5py
import keras
import numpy as np

from models.config import load_either
from models.networks.vgg16 import VGG16
from models.weights import efficientnet_weights, tf1_checkpoint, tf1_conventions, tf1_files, tf1_names
from models.weights.load_report import Skipped, check_finite, print_report
from models.weights.run import Run, load_checkpoint
from utils import hdf5_limits
from utils.errors import UserError, first_of

IMAGENET = "imagenet"
KERAS_TOP = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}  # our layer: Keras's dense layer

KerasWeights = dict[str, list[np.ndarray]]  # Keras's layer name: [kernel, bias]


class EncoderSource(Protocol):
    """Weights of an encoder in a file, opened but not loaded.

    Attributes:
        input_kind: The encoder_input they were trained with (models.choices.ENCODER_INPUTS).
    """

    input_kind: str

    def load(self, encoder: keras.layers.Layer) -> None:
        """Assign the variables of the encoder and print what was loaded.

        Raises:
            UserError: The weights do not fit; then nothing is assigned.
        """
        ...


def check_vgg16(encoder: keras.layers.Layer, source: str) -> None:
    """UserError if weights of a VGG16 are for another encoder."""
    if not isinstance(encoder, VGG16):
        raise UserError(f"{source} holds weights of a VGG16, this encoder is another one: choose encoder vgg16")


class RunEncoder:
    """The encoder of a run of this project."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.run = Run(path)
        self.input_kind = load_either(self.run.config).encoder_input

    def load(self, encoder: keras.layers.Layer) -> None:
        """Assign all variables of the encoder, or raise UserError."""
        load_checkpoint(self.run.weights, {"network": encoder.variables}, partial=True)
        print(f"{self.run.weights}: {len(encoder.variables)} variables of the encoder loaded")


class Tf1Encoder:
    """The variables vgg_16/... of a TF1 checkpoint.

    It holds TF-slim's classifier, or a whole model of the original or of DISN.
    """

    def __init__(self, prefix: str | os.PathLike[str]) -> None:
        self.checkpoint = tf1_checkpoint.Checkpoint(prefix)
        shapes = self.checkpoint.shapes
        self.outside = [name for name in shapes if not name.startswith("vgg_16/")]
        if any(name.startswith("sdf") for name in self.outside):
            try:
                inferred = tf1_names.infer_settings(shapes)
            except UserError as error:
                raise UserError(f"{prefix}: {error}") from None
            _, conventions = tf1_conventions.conventions_of(inferred["binary"], inferred["colour"])
            self.input_kind: str = conventions["encoder_input"]
        else:
            self.input_kind = "slim"

    def load(self, encoder: keras.layers.Layer) -> None:
        """Assign all variables of the encoder except a head that differs, or raise UserError."""
        check_vgg16(encoder, str(self.checkpoint.prefix))
        ignored = dict.fromkeys(self.outside, "not part of the encoder")
        ignored["vgg_16/mean_rgb"] = "the mean that encoder_input slim subtracts"
        names = tf1_names.encoder_names(encoder.config)
        head = [name for name in names if "/fc8/" in name]
        variables = {variable.path: variable for variable in encoder.variables}
        matched, skipped = self.checkpoint.select(variables, names, optional=head, ignored=ignored)
        self.checkpoint.assign(matched)
        print_report(self.checkpoint.prefix, len(matched), skipped)


class KerasEncoder:
    """Keras's VGG16.

    Its dense kernels are reshaped to the convolutions fc6, fc7 and fc8.
    """

    input_kind = "keras"

    def __init__(self, source: str, read: Callable[[], KerasWeights]) -> None:
        """`source` names the weights in messages, `read` reads them."""
        self.source, self.read = source, read

    def load(self, encoder: keras.layers.Layer) -> None:
        """Assign all variables of the encoder that the file has, or raise UserError."""
        check_vgg16(encoder, self.source)
        layers = _numbers_to_names(self.read(), encoder.config.encoder_convs)
        has_top = any(name in layers for name in KERAS_TOP.values())
        unmatched = {variable.path: variable for variable in encoder.variables}
        expected, matched, skipped, problems = set(), [], [], []
        for tf1_name, (path,) in tf1_names.encoder_names(encoder.config).items():
            layer, kind = tf1_name.split("/")[-2:]
            keras_layer = KERAS_TOP.get(layer) or layer.replace("conv", "block").replace("_", "_conv")
            expected.add(keras_layer)
            variable = unmatched.pop(path)
            value = layers[keras_layer][kind == "biases"] if keras_layer in layers else None
            if value is not None and _fits(value, variable, layer):
                matched.append((variable, value))
                continue
            state = f"is {list(value.shape)} in the file" if value is not None else "is not in the file"
            reason = f"{keras_layer} {kind} {state}, {layer} here is {list(variable.shape)}"
            if layer == "fc8" or (not has_top and layer in ("fc6", "fc7")):
                shape = variable.shape if value is None else value.shape
                skipped.append(Skipped(f"{keras_layer} {kind}", shape, f"stays as it was initialised: {reason}"))
            else:
                problems.append(reason)
        problems += [f"layer {name} is only in the file" for name in layers if name not in expected]
        problems += [f"{path} {tuple(variable.shape)} is not in the file" for path, variable in unmatched.items()]
        if problems:
            raise UserError(f"{self.source} does not fit this encoder: {first_of(problems)}")
        check_finite(self.source, ((variable.path, value) for variable, value in matched))
        for variable, value in matched:
            variable.assign(np.asarray(value, np.float32).reshape(variable.shape))
        print_report(self.source, len(matched), skipped)


def _fits(value: np.ndarray, variable: keras.Variable, layer: str) -> bool:
    """Whether a value has the shape of the variable, or is the dense form of a convolution fc*."""
    dense = (int(np.prod(variable.shape[:-1])), variable.shape[-1])
    return value.shape == tuple(variable.shape) or (layer.startswith("fc") and value.shape == dense)


def read_keras(path: str | os.PathLike[str]) -> KerasWeights:
    """Read a VGG16 weights file of Keras: .h5 of Keras 1 and 2, or .weights.h5 of Keras 3."""
    try:
        with hdf5_limits.opened(path) as file:
            root = file.get("model_weights", file)
            layers = _read_named(root) if "layer_names" in root.attrs else _read_numbered(root)
    except hdf5_limits.DAMAGED as error:
        raise UserError(f"{path} cannot be read as Keras weights: {error}") from None
    layers = {name: [np.asarray(value) for value in values] for name, values in layers.items()}  # single ones too
    wrong = [name for name, values in layers.items() if len(values) != 2]
    if wrong or not layers:
        reason = f"layer {wrong[0]} does not have a kernel and a bias" if wrong else "no layer has weights"
        raise UserError(f"{path} does not hold a VGG16: {reason}")
    if texts := [name for name, values in layers.items() if any(value.dtype.kind != "f" for value in values)]:
        raise UserError(f"{path} does not hold a VGG16: layer {texts[0]} has values that are not numbers")
    return layers


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _read_named(root: h5py.Group) -> KerasWeights:
    """Keras 1 and 2: a group per layer, whose attribute names its arrays in order."""
    layers = {}
    for name in map(_text, root.attrs["layer_names"]):
        group = root[name]
        values = [hdf5_limits.dataset(root, f"{name}/{_text(weight)}")[()] for weight in group.attrs["weight_names"]]
        if values:
            layers[group.name.rpartition("/")[2]] = values
    return layers


def _read_numbered(root: h5py.Group) -> KerasWeights:
    """Keras 3: layers/conv2d, conv2d_1, ..., dense, dense_1, dense_2; arrays vars/0 and vars/1.

    The numbers follow the order of the layers in the model.
    """
    if "layers" not in root:
        raise KeyError("it has neither layer_names (Keras 1 and 2) nor layers (Keras 3)")
    keys_of = {
        name: sorted(group["vars"], key=int) for name, group in root["layers"].items() if len(group.get("vars", ()))
    }
    return {
        name: [hdf5_limits.dataset(root, f"layers/{name}/vars/{key}")[()] for key in keys]
        for name, keys in keys_of.items()
    }


def _numbers_to_names(layers: Mapping[str, list[np.ndarray]], convs: Iterable[int]) -> KerasWeights:
    """Give the numbered layers of Keras 3 their names in VGG16; convs: convolutions per block."""
    blocks = [f"block{b}_conv{i}" for b, count in enumerate(convs, 1) for i in range(1, count + 1)]
    names: dict[str, str] = {}
    for kind, known in (("conv2d", blocks), ("dense", list(KERAS_TOP.values()))):
        names |= {f"{kind}_{i}" if i else kind: name for i, name in enumerate(known)}
    return {names.get(name, name): values for name, values in layers.items()}


def download() -> KerasWeights:
    """Get Keras's own ImageNet weights, from its cache or the internet."""
    try:
        model = keras.applications.VGG16(weights=IMAGENET)
    except Exception as error:  # Keras wraps every failure of the download in a bare Exception
        raise UserError(
            f"Keras's VGG16 weights cannot be downloaded ({str(error).splitlines()[0]}); without internet get "
            "vgg16_weights_tf_dim_ordering_tf_kernels.h5 elsewhere and give its path"
        ) from None
    return {layer.name: layer.get_weights() for layer in model.layers if layer.get_weights()}


def open_encoder(source: str) -> EncoderSource:
    """Open first weights of the encoder.

    Args:
        source: The path of a run, a TF1 checkpoint or a Keras file; "imagenet" for Keras's VGG16;
            "efficientnet_lite0" for the ImageNet weights that come with the project.
    """
    path = pathlib.Path(source)
    if efficientnet_weights.is_source(source):
        return efficientnet_weights.ImageNetEncoder()
    if source == IMAGENET and not path.exists():
        return KerasEncoder(IMAGENET, download)
    if Run(path).config.exists():
        return RunEncoder(path)
    if path.suffix in (".h5", ".hdf5") and path.is_file():
        return KerasEncoder(source, lambda: read_keras(path))
    prefix = tf1_files.find(path)
    if prefix is None:
        raise UserError(
            f"{source} is not a run, a TF1 checkpoint (folder or prefix), a Keras weights file (.h5) or '{IMAGENET}'"
        )
    return Tf1Encoder(prefix)
