"""Training of the network that predicts the field."""

import keras
import tensorflow as tf

from data.estimated_cameras import EstimatedCameras
from data.field_samples import FieldSamples
from data.network_input import check_masks
from data.shards import Database, ObjectEntry
from data.spread import spread
from models.choices import PRECISIONS
from models.config import Config
from models.inference.camera_estimator import CameraEstimator
from models.inference.field_query import FieldQuery
from models.networks import losses
from models.networks.texdisn import build_field_network
from models.settings import seen_masks
from models.training.preview import validation_preview
from models.training.trainer import Look, Trainer
from models.training.validation_scores import validation_scores


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

    def look(self, database: Database, entries: list[ObjectEntry]) -> Look:
        """Input, prediction and truth of a few objects; IoU and F-score of scored_objects."""
        query = FieldQuery(self.network)
        scores = validation_scores(query, database, spread(entries, self.config.scored_objects))
        return Look(validation_preview(query, database, entries, scores.iso), scores.means)

    @classmethod
    def source_database(cls, config: Config, entries: list[ObjectEntry], database: Database) -> Database:
        """With cam_est: estimated cameras take the place of the true ones."""
        if not config.cam_est:
            return database
        views = [(entry, view) for entry in entries for view in range(len(entry.view_names))]
        precision = config.precision if config.precision in PRECISIONS else "auto"  # float16 is of training alone
        estimator = CameraEstimator(config.cam_est, precision)
        check_masks(database, entries, seen_masks(estimator.config))
        return EstimatedCameras(database, estimator, views)
