"""A small raw folder from formulas: known voxels, colours and cameras, volumes with any axes."""

import cv2
import h5py
import numpy as np

from preprocessing.recovery import dlt
from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at, pixel_to_image, project


def camera(azimuth, size):
    return compose(intrinsics(size), look_at(azimuth, 30, 1.8))


def solid(seed):
    """Surface voxels and colours of an ellipsoid with an ear, different for every seed."""
    centres = frames.voxel_centres().reshape(64, 64, 64, 3).transpose(2, 1, 0, 3)
    stretch = 1 + np.random.default_rng(seed).random(3)
    radius = np.linalg.norm(centres * stretch, axis=-1)
    ear = (np.abs(centres - [0.25, 0.3, 0.1]) < 0.05).all(-1)
    index = np.argwhere((np.abs(radius - 0.4) < 0.02) | ear)
    return index, (index + 0.5) / 64


def write_volume(path, index, values):
    data = np.full((64, 64, 64, values.shape[1]), -1, np.float32)
    data[tuple(index.T)] = values
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=data, compression="gzip", compression_opts=1)


def write_object(raw, seed, views=2, size=32, cameras=False, axes=dlt.IDENTITY):
    """Write one raw object with volume axes p = A q; returns its cameras (V, 4, 3)."""
    index, colours = solid(seed)
    stored = dlt.turn_index(index, np.array(axes).T)
    matrices = np.stack([camera(90 + 30 * view, size) for view in range(views)])
    raw.views_folder.mkdir(parents=True)
    write_volume(raw.colour_volume, stored, colours)
    for view, matrix in enumerate(matrices):
        pixels = project((index + 0.5) / 64 - 0.5, matrix)[0]
        image = np.full((size, size, 3), 255, np.uint8)
        rows, columns = np.clip(np.rint(pixels[:, ::-1]).astype(int), 0, size - 1).T
        image[rows, columns] = (255 * colours[:, ::-1]).astype(np.uint8)
        cv2.imwrite(str(raw.view(f"{view:02d}")), image)
        write_volume(raw.flow_volume(f"{view:02d}"), stored, pixel_to_image(pixels, size))
    if cameras:
        with h5py.File(raw.cameras, "w") as file:
            file["trans_mat"] = matrices
    return matrices
