"""The voxel volumes of the raw layout: colours of surface voxels, and where a view shows them."""

import pathlib
import zlib

import numpy as np

from utils import hdf5
from utils.geometry.cameras import pixel_to_image, project
from utils.geometry.frames import VOXELS, centres_of


def colour_volume(index: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """(64, 64, 64, 3) float32 volume, axes x, y, z: the colours of occupied voxels, -1 elsewhere.

    `index` (M, 3) are indices 0..63 of the occupied voxels, `colours` (M, 3) is in [0, 1].
    """
    return _volume(index, colours)


def flow_volume(index: np.ndarray, trans_mat: np.ndarray, size: int) -> np.ndarray:
    """(64, 64, 64, 2) float32 volume: image coordinates (x, y) in [0, 1] of voxel centres, or -1.

    Empty voxels and voxels that are behind the camera or outside the image have -1.

    Args:
        index: (M, 3) indices 0..63 of the occupied voxels.
        trans_mat: (4, 3) camera.
        size: side of the image in pixels.
    """
    pixels, w = project(centres_of(index), trans_mat)
    image = pixel_to_image(pixels, size)
    visible = (w > 0) & ((image >= 0) & (image <= 1)).all(1)
    return _volume(index[visible], image[visible])


def _volume(index: np.ndarray, values: np.ndarray) -> np.ndarray:
    volume = np.full((VOXELS,) * 3 + (values.shape[1],), -1, np.float32)
    volume[tuple(index.T)] = values
    return volume


def write_volume(path: pathlib.Path, volume: np.ndarray) -> None:
    """Write a volume as the dataset 'data' of an HDF5 file, compressed as one chunk.

    The chunk is compressed here, since HDF5's own compression takes longer. ISA-L would be three
    times as fast, but now and then gives other bytes for the same volume.
    """
    with hdf5.create(path) as file:
        data = file.create_dataset(
            "data", volume.shape, volume.dtype, chunks=volume.shape, compression="gzip", track_times=False
        )
        data.id.write_direct_chunk((0,) * volume.ndim, zlib.compress(volume.tobytes(), 1))
