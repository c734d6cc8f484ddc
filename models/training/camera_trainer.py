"""Training of the network that estimates cameras: the same steps and loop as the field's, its own
losses.
"""

import keras
import numpy as np
import tensorflow as tf

from data.camera_samples import CameraSamples
from data.network_input import network_image
from data.shards import Database, ObjectEntry
from data.spread import spread
from models.inference.camera_estimator import estimate
from models.networks.camera_network import build_camera_network, camera_losses
from models.training.trainer import Look, Trainer
from utils.geometry.camera_parameters import CameraParts
from utils.geometry.cameras import project

SHOWN = 8  # objects in a preview


class CameraTrainer(Trainer):
    """Trainer of a models.networks.camera_network.CameraNetwork."""

    minimised = ("points", "pixels", "depth", "choice")
    preview_shows = "image with the surface as the estimated camera sees it"
    samples = CameraSamples

    def build(self) -> keras.Model:
        return build_camera_network(self.config, all_bfloat16=True)

    def losses(self, batch: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        true = {name: batch[name] for name in CameraParts.names()}
        predicted = self.network(batch["image"], training=training)
        return camera_losses(predicted, true, batch["points"], batch["symmetries"])

    def look(self, database: Database, entries: list[ObjectEntry]) -> Look:
        """Views with the object's surface points where the estimated camera has them."""
        images = []
        for entry in spread(entries, SHOWN):
            image = network_image(database.image(entry, 0), self.config)
            shown, size = image[..., :3].copy(), self.config.img_w
            camera = estimate(self.network, image[None])[0][0].camera.trans_mat(size)
            pixels = project(database.surface(entry)[0][::16], camera)[0]
            u, v = np.clip(np.rint(pixels), 0, size - 1).astype(int).T
            shown[v, u] = [1, 0.2, 0.2]
            images.append(shown)
        return Look(np.hstack(images), {})
