"""TF1 checkpoints as files: finding, reading and writing them. Their variables: models.weights.tf1_names."""

import pathlib

import tensorflow as tf

from models.weights import tf1_names
from utils.errors import UserError
from utils.files import replacing_folder

STATE = "checkpoint"  # the file of a folder that names its newest checkpoint


def find(path):
    """A folder with a `checkpoint` file, or a prefix (V2: .index, .data-*; V1: one file) -> its prefix, None where there is none."""
    path = pathlib.Path(path)
    if path.is_dir():
        if not (path / STATE).exists():
            return None
        state = tf.train.get_checkpoint_state(str(path))
        if state is None or not state.model_checkpoint_path:
            raise UserError(f"{path / STATE} names no checkpoint")
        named = pathlib.Path(state.model_checkpoint_path)
        for prefix in (named, path / named.name):  # the folder may have moved since it was written
            if find_prefix(prefix):
                return prefix
        raise UserError(f"{path / STATE} names {named}, which is neither there nor in {path}")
    return find_prefix(path)


def find_prefix(path):
    """The prefix of a checkpoint, given itself or its .index file; None where there is none."""
    if path.suffix == ".index" and path.exists():
        return path.with_suffix("")
    if path.with_name(path.name + ".index").exists():
        return path
    return path if path.is_file() and path.suffix not in (".h5", ".hdf5", ".keras") else None


class Checkpoint:
    """An open TF1 checkpoint. shapes: {name: shape} of all its variables; file: what tells one state from another."""

    def __init__(self, prefix):
        self.prefix = pathlib.Path(prefix)
        index = self.prefix.with_name(self.prefix.name + ".index")
        self.file = index if index.exists() else self.prefix
        try:
            self._reader = tf.train.load_checkpoint(str(self.prefix))
            shapes = self._reader.get_variable_to_shape_map()
            self._dtypes = self._reader.get_variable_to_dtype_map()
        except (tf.errors.OpError, ValueError, RuntimeError) as error:
            raise UserError(f"{self.prefix} cannot be read as a TF1 checkpoint: {_line(error)}") from None
        self.shapes = {name: tuple(shape) for name, shape in sorted(shapes.items())}

    def read(self, name):
        try:
            return self._reader.get_tensor(name)
        except (tf.errors.OpError, ValueError, RuntimeError) as error:
            raise UserError(f"{self.prefix}: {name} cannot be read: {_line(error)}") from None

    def step(self):
        """The training steps its weights have seen: its counter, else the number at the end of its name, else 0."""
        for name in ("global_step", "batch"):
            if self.shapes.get(name) == ():
                return int(self.read(name))
        number = self.prefix.name.rpartition("-")[2]
        return int(number) if number.isdigit() else 0

    def select(self, variables, names, optional=()):
        """Match network variables with the checkpoint -> [(TF1 name, its variables)], [(name, shape, reason)] of what stays unread.

        variables {path: variable}; names {TF1 name: [paths]}. UserError, listing what is missing, differs in shape or type,
        or has no place here. A name in `optional` may be missing or differ: then it is left as it is and listed.
        """
        chosen, left, problems = [], [], []
        for name, paths in names.items():
            parts = [variables[path] for path in paths]
            wanted = tf1_names.tf1_shape(name, parts)
            found = self.shapes.get(name)
            if found == wanted and self._dtypes[name] == tf.float32:
                chosen.append((name, parts))
                continue
            if found is None:
                reason = f"{name} {list(wanted)} is not in the checkpoint"
            elif found != wanted:
                reason = f"{name} is {list(found)} in the checkpoint and {list(wanted)} here"
            else:
                reason = f"{name} {list(found)} is {self._dtypes[name].name}, not float32"
            if name in optional:
                left.append((name, found or wanted, "stays as it was initialised: " + reason))
            else:
                problems.append(reason)
        for name, shape in self.shapes.items():
            if name not in names:
                reason = tf1_names.ignored(name, names)
                if reason:
                    left.append((name, shape, reason))
                else:
                    problems.append(f"{name} {list(shape)} is in the checkpoint alone")
        covered = {path for paths in names.values() for path in paths}
        problems += [f"{path} {tuple(v.shape)} has no TF1 name" for path, v in variables.items() if path not in covered]
        if problems:
            more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
            raise UserError(f"{self.prefix} does not fit this network: " + "; ".join(problems[:8]) + more)
        return chosen, left

    def assign(self, chosen):
        """Read what select() chose into its variables."""
        for name, parts in chosen:
            for variable, value in zip(parts, tf1_names.split(self.read(name), parts), strict=True):
                variable.assign(value)


def _line(error):
    return str(error).strip().splitlines()[0]


def write(folder, values, step):
    """Write {name: array} as a V2 checkpoint `model.ckpt-<step>` with its `checkpoint` file: a new folder, whole or not at all.

    The counter `batch` is written too, as the originals do.
    """
    folder, name = pathlib.Path(folder), f"model.ckpt-{step}"
    with replacing_folder(folder) as temporary:
        values = {**{key: tf.constant(value) for key, value in values.items()}, "batch": tf.constant(step)}
        tf.raw_ops.SaveV2(
            prefix=str(temporary / name),
            tensor_names=list(values),
            shape_and_slices=[""] * len(values),
            tensors=list(values.values()),
        )
        (temporary / STATE).write_text(f'model_checkpoint_path: "{name}"\nall_model_checkpoint_paths: "{name}"\n')
    return folder / name
