"""Trained field networks: runs of this project, TF1 checkpoints of the original and of DISN."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Protocol

import keras

from models.config import CameraConfig, Config
from models.weights import tf1_checkpoint, tf1_conventions, tf1_files, tf1_names
from models.weights.load_report import print_report
from models.weights.run import NO_MODEL, Run, load_checkpoint
from utils.errors import UserError


class ModelSource(Protocol):
    """A trained field network in a file, opened but not loaded.

    Attributes:
        config: Its configuration.
        weights: The file that holds the weights.
        step: Training steps the weights have seen; None before load() where only that tells.
    """

    config: Config
    weights: pathlib.Path
    step: int | None

    def beside(self, name: str) -> pathlib.Path:
        """The path of a result called `name`, beside the weights."""
        ...

    def describe(self) -> str:
        """One line for the user."""
        ...

    def load(self, network: keras.Model) -> None:
        """Assign all variables of the network and print what was loaded.

        Raises:
            UserError: The weights do not fit; then nothing is assigned.
        """
        ...


class RunModel:
    """A run of this project; that of a field is a ModelSource."""

    def __init__(
        self, path: str | os.PathLike[str], cls: type[Config | CameraConfig] = Config, precision: str = "auto"
    ) -> None:
        self.run = Run(path)
        # the precision that the run was trained in may be slow here
        self.config: Any = dataclasses.replace(self.run.load_config(cls), precision=precision)
        self.weights = self.run.weights
        self.step: int | None = None

    def beside(self, name: str) -> pathlib.Path:
        """A path inside the run folder."""
        return self.run.folder / name

    def describe(self) -> str:
        """One line for the user."""
        return f"run {self.run.folder}"

    def load(self, network: keras.Model) -> None:
        """Assign all variables of the network, or raise UserError."""
        self.step = load_checkpoint(self.weights, {"network": network.variables})["step"]
        print(f"{self.weights}: all {len(network.variables)} variables loaded")


class Tf1Model:
    """A TF1 checkpoint, as a ModelSource.

    The configuration is inferred from names and shapes of the variables. Settings that leave no
    trace there have the defaults of the checkpoint's kind (models.weights.tf1_conventions).
    """

    def __init__(self, prefix: str | os.PathLike[str], overrides: Mapping[str, Any], precision: str = "auto") -> None:
        self.checkpoint, self.overrides, self.precision = tf1_checkpoint.Checkpoint(prefix), overrides, precision
        try:
            inferred = tf1_names.infer_settings(self.checkpoint.shapes)
            self.kind, conventions = tf1_conventions.conventions_of(inferred["binary"], inferred["colour"])
            settings = {**inferred, **conventions, **overrides}
            self.config = Config(**settings, precision=precision, restore_model=str(prefix))
            self.config.check()
        except UserError as error:
            raise UserError(f"{prefix}: {error}") from None
        self.weights = self.checkpoint.file
        self.step: int | None = self.checkpoint.step()

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, which opens the checkpoint itself."""
        return type(self), (self.checkpoint.prefix, self.overrides, self.precision)

    def beside(self, name: str) -> pathlib.Path:
        """A path in the folder of the checkpoint, whose name starts with that of the checkpoint."""
        return self.checkpoint.prefix.with_name(f"{self.checkpoint.prefix.name}_{name}")

    def describe(self) -> str:
        """One line for the user, with the conventions in use."""
        conventions = ", ".join(f"{name}={value}" for name, value in tf1_conventions.record(self.config).items())
        mode = f"{'binary' if self.config.binary else 'SDF'}, {'with' if self.config.colour else 'no'} colour"
        return f"TF1 checkpoint {self.checkpoint.prefix} ({mode}; conventions of {self.kind}: {conventions})"

    def load(self, network: keras.Model) -> None:
        """Assign all variables of the network, or raise UserError; list the checkpoint's others."""
        variables = {variable.path: variable for variable in network.variables}
        matched, skipped = self.checkpoint.select(variables, tf1_names.all_names(network.config))
        self.checkpoint.assign(matched)
        print_report(self.checkpoint.prefix, len(matched), skipped)


def open_model(
    path: str | os.PathLike[str], overrides: Mapping[str, Any] | None = None, precision: str = "auto"
) -> RunModel | Tf1Model:
    """Open a trained field network.

    Args:
        path: A run folder, a folder with a TF1 `checkpoint` file, or a TF1 checkpoint's prefix.
        overrides: {setting: value}, the conventions of a TF1 checkpoint that differ from those of
            its kind (models.weights.tf1_conventions).
        precision: What its network computes in (models.choices.PRECISIONS), whatever it was trained
            in.

    Raises:
        UserError: There is no model, or overrides are given for a run.
    """
    if not Run(path).config.exists():
        prefix = tf1_files.find(path)
        if prefix is not None:
            return Tf1Model(prefix, overrides or {}, precision)
        if pathlib.Path(path).exists():
            raise UserError(NO_MODEL.format(path))
    model = RunModel(path, precision=precision)
    if overrides:
        names = ", ".join(overrides)
        raise UserError(f"{path} is a run and carries its settings; only those of a TF1 checkpoint change: {names}")
    return model
