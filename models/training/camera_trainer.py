"""Training of the camera network: its losses in place of the field's, in the same steps and loop."""

import numpy as np

from data.network_input import network_image
from models.inference.camera_estimator import estimate
from models.networks.camera_network import build, camera_losses
from models.training.trainer import Trainer
from utils.geometry.camera_parameters import CameraParts
from utils.geometry.cameras import project

SHOWN = 8  # objects in a picture


class CameraTrainer(Trainer):
    """Trainer of a models.networks.camera_network.CameraNetwork."""

    minimised = ("points", "pixels", "choice")
    picture_shows = "image with the surface as the estimated camera sees it"

    def build(self):
        return build(self.config, all_bfloat16=True)

    def _losses(self, batch, training):
        true = {name: batch[name] for name in CameraParts.names()}
        return camera_losses(self.network(batch["image"], training=training), true, batch["points"], batch["turns"])

    def picture(self, database, entries):
        """(H, W, 3) in [0, 1]: views with the object's surface points where the estimated camera has them."""
        pictures = []
        for entry in entries[:: max(1, len(entries) // SHOWN)][:SHOWN]:
            image = network_image(database.image(entry, 0), self.config)
            picture, size = image[..., :3].copy(), self.config.img_w
            pixels = project(database.surface(entry)[0][::16], estimate(self.network, image[None])[0].trans_mat(size))[
                0
            ]
            u, v = np.clip(np.rint(pixels), 0, size - 1).astype(int).T
            picture[v, u] = [1, 0.2, 0.2]
            pictures.append(picture)
        return np.hstack(pictures)
