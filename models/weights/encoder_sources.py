"""Encoder weights for --restore_modelcnn: a run, a TF1 checkpoint (TF-slim's vgg_16.ckpt among them), Keras's VGG16.

Everything is loaded or listed. What may differ is the head of a classifier (fc8, `predictions`: 1000 classes there, num_classes
channels here), and what Keras's files without top do not have (fc6, fc7): these keep their random start.
"""

import pathlib

import h5py
import numpy as np

from models.config import load_either
from models.weights import tf1_conventions, tf1_names
from models.weights.run import Run, load_checkpoint
from models.weights.sources import report
from utils.errors import UserError

IMAGENET = "imagenet"
PREDICTS = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}  # Keras's layers


class RunEncoder:
    """The encoder of a run of this project. input_kind: the encoder_input it was trained with."""

    def __init__(self, path):
        self.run = Run(path)
        self.input_kind = load_either(self.run.config).encoder_input

    def load(self, encoder):
        load_checkpoint(self.run.weights, {"network": encoder.variables}, partial=True)
        print(f"{self.run.weights}: {len(encoder.variables)} variables of the encoder loaded")


class Tf1Encoder:
    """The variables vgg_16/... of a TF1 checkpoint: TF-slim's classifier, or a whole model of the original or of DISN."""

    def __init__(self, prefix):
        from models.weights.tf1_checkpoint import Checkpoint

        self.checkpoint = Checkpoint(prefix)
        shapes = self.checkpoint.shapes
        self.outside = [name for name in shapes if not name.startswith("vgg_16/")]
        if any(name.startswith("sdf") for name in self.outside):
            self.input_kind = tf1_conventions.of_kind(tf1_names.configuration(shapes))[1]["encoder_input"]
        else:
            self.input_kind = "slim"

    def load(self, encoder):
        shapes, left = self.checkpoint.shapes, []
        for name in [*self.outside, "vgg_16/mean_rgb"]:
            if name in shapes:
                reason = (
                    "no part of the encoder" if name in self.outside else "the mean that encoder_input slim subtracts"
                )
                left.append((name, shapes[name], reason))
        self.checkpoint.shapes = {
            name: shape for name, shape in shapes.items() if name not in {item[0] for item in left}
        }
        names = tf1_names.encoder_names(encoder.config)
        variables = {variable.path: variable for variable in encoder.variables}
        chosen, more = self.checkpoint.select(variables, names, optional=[name for name in names if "/fc8/" in name])
        self.checkpoint.assign(chosen)
        report(self.checkpoint.prefix, len(chosen), left + more)


class KerasEncoder:
    """Keras's VGG16. read() -> {Keras's layer name: [kernel, bias]}; dense kernels are those of convolutions here, reshaped."""

    input_kind = "keras"

    def __init__(self, source, read):
        self.source, self.read = source, read

    def load(self, encoder):
        layers = _renamed(self.read(), encoder.config.encoder_convs)
        top = any(name in layers for name in PREDICTS)
        ours, taken, chosen, left, problems = {v.path: v for v in encoder.variables}, set(), [], [], []
        for name, (path,) in tf1_names.encoder_names(encoder.config).items():
            layer, kind = name.split("/")[-2:]
            theirs = next(
                (k for k, v in PREDICTS.items() if v == layer), layer.replace("conv", "block").replace("_", "_conv")
            )
            taken.add(theirs)
            wanted = ours.pop(path)
            value = layers[theirs][kind == "biases"] if theirs in layers else None
            flat = (int(np.prod(wanted.shape[:-1])), wanted.shape[-1])  # of a dense layer
            if value is not None and value.shape in (tuple(wanted.shape), flat if layer.startswith("fc") else None):
                chosen.append((wanted, value))
                continue
            found = f"is {list(value.shape)} in the file" if value is not None else "is not in the file"
            reason = f"{theirs} {kind} {found}, {layer} here is {list(wanted.shape)}"
            if layer == "fc8" or (not top and layer in ("fc6", "fc7")):
                left.append(
                    (
                        f"{theirs} {kind}",
                        wanted.shape if value is None else value.shape,
                        "stays as it was initialised: " + reason,
                    )
                )
            else:
                problems.append(reason)
        problems += [f"layer {name} is in the file alone" for name in layers if name not in taken]
        problems += [f"{path} {tuple(variable.shape)} is not in the file" for path, variable in ours.items()]
        if problems:
            more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
            raise UserError(f"{self.source} does not fit this encoder: " + "; ".join(problems[:8]) + more)
        for variable, value in chosen:
            variable.assign(np.asarray(value, np.float32).reshape(variable.shape))
        report(self.source, len(chosen), left)


def read_keras(path):
    """A Keras VGG16 weights file (.h5 of Keras 1 and 2, or .weights.h5 of Keras 3) -> {layer name: [kernel, bias]}."""
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            layers = (_named if "layer_names" in root.attrs else _numbered)(root)
    except (OSError, KeyError) as error:
        raise UserError(f"{path} cannot be read as Keras weights: {error}") from None
    wrong = [name for name, values in layers.items() if len(values) != 2]
    if wrong or not layers:
        raise UserError(
            f"{path} holds no VGG16: {'layer ' + wrong[0] + ' has no kernel and bias' if wrong else 'no layer has weights'}"
        )
    return layers


def _named(root):
    """Keras 1 and 2: groups named as the layers, whose attributes name their arrays in order."""
    found = {}
    for name in root.attrs["layer_names"]:
        group = root[name.decode() if isinstance(name, bytes) else name]
        values = [group[n.decode() if isinstance(n, bytes) else n][()] for n in group.attrs["weight_names"]]
        if values:
            found[group.name.rpartition("/")[2]] = values
    return found


def _numbered(root):
    """Keras 3: layers/conv2d, conv2d_1, ..., dense, dense_1, dense_2 in the order of the model, arrays vars/0 and vars/1."""
    if "layers" not in root:
        raise KeyError("it has neither layer_names (Keras 1 and 2) nor layers (Keras 3)")
    groups = {name: group["vars"] for name, group in root["layers"].items() if len(group.get("vars", ()))}
    return {name: [variables[key][()] for key in sorted(variables, key=int)] for name, variables in groups.items()}


def _renamed(layers, convs):
    """Layers of Keras 3, numbered in the order of the model, get the names of an encoder with `convs` convolutions a block."""
    blocks = [f"block{b}_conv{i}" for b, count in enumerate(convs, 1) for i in range(1, count + 1)]
    names = {}
    for kind, known in (("conv2d", blocks), ("dense", list(PREDICTS))):
        names |= {f"{kind}_{i}" if i else kind: name for i, name in enumerate(known)}
    return {names.get(name, name): values for name, values in layers.items()}


def download():
    """Keras's own ImageNet weights, from its cache or the net -> {layer name: [kernel, bias]}."""
    import keras

    try:
        model = keras.applications.VGG16(weights="imagenet")
    except Exception as error:  # keras wraps every failure of the download in a bare Exception
        raise UserError(
            f"Keras's VGG16 weights cannot be downloaded ({str(error).splitlines()[0]}); without internet get "
            "vgg16_weights_tf_dim_ordering_tf_kernels.h5 elsewhere and give its path"
        ) from None
    return {layer.name: layer.get_weights() for layer in model.layers if layer.get_weights()}


def open_encoder(source):
    """What --restore_modelcnn names -> an object with input_kind and load(encoder), which loads all or raises UserError."""
    path = pathlib.Path(source)
    if source == IMAGENET and not path.exists():
        return KerasEncoder("imagenet", download)
    if Run(path).config.exists():
        return RunEncoder(path)
    if path.suffix in (".h5", ".hdf5") and path.is_file():
        return KerasEncoder(str(path), lambda: read_keras(path))
    from models.weights.tf1_checkpoint import find

    prefix = find(path)
    if prefix is None:
        raise UserError(
            f"{source} is no run, TF1 checkpoint (folder, prefix), Keras weights file (.h5) or '{IMAGENET}'"
        )
    return Tf1Encoder(prefix)
