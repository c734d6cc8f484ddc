"""Models to start from, whatever wrote them: runs of this project and TF1 checkpoints of the original and of DISN."""

import dataclasses
import pathlib

from models.config import Config
from models.weights import tf1_conventions
from models.weights.run import Run, load_checkpoint
from utils.errors import UserError

WEIGHT_FIELDS = (  # the settings that a network must share with the weights it takes
    "binary", "colour", "img_h", "img_w", "alpha", "crop", "num_classes", "encoder_size", "encoder_input", "encoder_widths", "encoder_convs",
    "encoder_fc", "point_widths", "decoder_widths", "img_feat_twostream", "img_feat_onestream", "threedcnn", "voxel_widths", "rot", "tanh",
    "resized_reading", "normalisation", "coordinate_scale", "model_frame", "distance_offset",
)  # fmt: skip


class RunModel:
    """A run of this project.

    config; weights: the file they are in; step: training steps they have seen (after load); beside(name): where results go.
    """

    def __init__(self, path, overrides):
        self.run = Run(path)
        self.config = self.run.load_config()
        if overrides:
            raise UserError(
                f"{path} is a run, it carries its settings: --{' --'.join(overrides)} is for TF1 checkpoints"
            )
        self.weights, self.step = self.run.weights, None

    def beside(self, name):
        return self.run.folder / name

    def describe(self):
        return f"run {self.run.folder}"

    def load(self, network):
        """All variables of the network, or UserError."""
        self.step = load_checkpoint(self.weights, {"network": network.variables})["step"]
        print(f"{self.weights}: all {len(network.variables)} variables loaded")


class Tf1Model:
    """A TF1 checkpoint; its configuration is told from names and shapes, and from its kind where those are silent."""

    def __init__(self, prefix, overrides):
        from models.weights import tf1_checkpoint, tf1_names

        self.checkpoint = tf1_checkpoint.Checkpoint(prefix)
        try:
            told = tf1_names.configuration(self.checkpoint.shapes)
        except UserError as error:
            raise UserError(f"{prefix}: {error}") from None
        self.kind, conventional = tf1_conventions.of_kind(told)
        self.config = Config(**{**told, **conventional, **overrides}, restore_model=str(prefix))
        tf1_conventions.check(self.config)
        self.weights, self.step = self.checkpoint.file, self.checkpoint.step()

    def beside(self, name):
        return self.checkpoint.prefix.with_name(f"{self.checkpoint.prefix.name}_{name}")

    def describe(self):
        chosen = ", ".join(f"{name}={value}" for name, value in tf1_conventions.record(self.config).items())
        mode = f"{'binary' if self.config.binary else 'SDF'}, {'with' if self.config.colour else 'no'} colour"
        return f"TF1 checkpoint {self.checkpoint.prefix} ({mode}; conventions of {self.kind}: {chosen})"

    def load(self, network):
        """All variables of the network, or UserError; what the checkpoint holds beside them is listed."""
        from models.weights.tf1_names import all_names

        variables = {variable.path: variable for variable in network.variables}
        chosen, left = self.checkpoint.select(variables, all_names(network.config))
        self.checkpoint.assign(chosen)
        report(self.checkpoint.prefix, len(chosen), left)


def report(source, loaded, left):
    """Say what was loaded, and list the rest: [(name, shape, reason)]."""
    print(f"{source}: {loaded} variables loaded, {len(left)} not")
    for name, shape, reason in left:
        print(f"  not loaded: {name} {list(shape)}: {reason}")


def open_model(path, overrides=None):
    """A run folder, a folder with a TF1 `checkpoint`, or a TF1 prefix -> RunModel or Tf1Model.

    overrides {field: value}: conventions of a TF1 checkpoint (models.weights.tf1_conventions).
    """
    folder = Run(path)
    if not folder.config.exists():
        from models.weights.tf1_checkpoint import find

        prefix = find(path)
        if prefix is not None:
            return Tf1Model(prefix, overrides or {})
        if pathlib.Path(path).exists():
            raise UserError(
                f"{path} is neither a run folder (no config.json) nor a TF1 checkpoint (no `checkpoint` file, no .index)"
            )
    return RunModel(path, overrides or {})


def weight_settings(config):
    """{field: value} that a new network takes over with the weights of this one."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name in WEIGHT_FIELDS}
