"""Training of the network that predicts the field."""

import keras
import numpy as np
import tensorflow as tf

from data.estimated_cameras import EstimatedCameras
from data.field_samples import FieldSamples
from data.shards import Database, ObjectEntry
from models.config import Config
from models.inference.camera_estimator import CameraEstimator
from models.networks import losses
from models.networks.texdisn import build_field_network
from models.training.preview import validation_preview
from models.training.trainer import Trainer


class FieldTrainer(Trainer):
    """Trainer of a models.networks.texdisn.TexDISN."""

    minimised = ("geometry", "colour")
    preview_shows = "input, prediction, truth"
    samples = FieldSamples

    def build(self) -> keras.Model:
        return build_field_network(self.config, all_bfloat16=True)

    def losses(self, batch: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        geometry, colour = self.network([batch["image"], batch["points"], batch["trans_mat"]], training=training)
        if self.config.binary:
            return losses.binary_losses(geometry, colour, batch["colour"])
        if self.config.softness:
            return losses.soft_occupancy_losses(
                geometry, colour, batch["distance"], batch["colour"], batch["near"], self.config.softness
            )
        return losses.sdf_losses(
            geometry, colour, batch["distance"], batch["colour"], batch["near"], self.config.mask_weight
        )

    def preview(self, database: Database, entries: list[ObjectEntry]) -> np.ndarray:
        return validation_preview(self.network, database, entries)

    @classmethod
    def source_database(cls, config: Config, entries: list[ObjectEntry], database: Database) -> Database:
        """With cam_est: estimated cameras take the place of the true ones."""
        if not config.cam_est:
            return database
        views = [(entry, view) for entry in entries for view in range(len(entry.view_names))]
        return EstimatedCameras(database, CameraEstimator(config.cam_est), views)
