"""What a run writes for TensorBoard: scalars, pictures, its configuration."""

import collections.abc
import dataclasses
import pathlib
import typing

import numpy as np
import tensorflow as tf

from models.settings import shown


class Board:
    """The TensorBoard files of a run: a folder for training, one for validation."""

    def __init__(self, folder: pathlib.Path, active: bool = True):
        """
        Args:
            folder: of the run's TensorBoard files.
            active: False: nothing is written (a worker that is not the chief).
        """
        self.folder, self.active = folder, active
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def scalars(self, name: str, values: collections.abc.Mapping[str, float], step: int) -> None:
        """Write values by their tags; name: train or val."""
        if self.active:
            with self._writer(name).as_default(step):
                for key, value in values.items():
                    tf.summary.scalar(key, value)

    def picture(self, name: str, title: str, image: np.ndarray, step: int) -> None:
        """Write an image (H, W, 3) in [0, 1]."""
        if self.active:
            with self._writer(name).as_default(step):
                tf.summary.image(title, image[None])

    def configuration(self, config: typing.Any, step: int) -> None:
        """Write all settings as a table of text."""
        if self.active:
            with self._writer("train").as_default(step):
                tf.summary.text("configuration", settings_table(config))

    def flush(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def _writer(self, name: str) -> tf.summary.SummaryWriter:
        if name not in self._writers:
            self._writers[name] = tf.summary.create_file_writer(str(self.folder / name))
        return self._writers[name]


def settings_table(config: typing.Any) -> str:
    """The settings of a configuration as a Markdown table."""
    rows = [f"| {name} | {shown(value)} |" for name, value in dataclasses.asdict(config).items()]
    return "\n".join(["| setting | value |", "|---|---|", *rows])
