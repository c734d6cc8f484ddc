"""How much a coloured mesh, seen from the camera of a photograph, looks like the photograph."""

from collections.abc import Mapping

import numpy as np

from utils.geometry.cameras import pixel_rays, resize_camera
from utils.images.mask_parts import OBJECT
from utils.images.resize import fitted_size, resize_image
from utils.mesh.mesh import Mesh, albedo
from utils.rendering.raycast import Scene

LONGEST = 384  # pixels along the longer side of the compared images, at most
BEST = 100.0  # dB of images that are the same


def likeness(
    scene: Scene, looks: Mapping[str, Mesh], photo: np.ndarray, mask: np.ndarray, trans_mat: np.ndarray
) -> dict[str, float]:
    """PSNR of the mesh against a photograph, without light, where the mask and the mesh overlap.

    Args:
        scene: the mesh.
        looks: the same mesh in several looks: other colours, textures and texture coordinates of
            the same faces.
        photo: (H, W, 3) uint8.
        mask: (H, W) uint8, 255 where the object is.
        trans_mat: (4, 3) camera of the photograph, object frame to pixels.

    Returns:
        dB, 20 log10(1 / root mean square error of the RGB values in [0, 1]), of every look; none
        where nothing overlaps.
    """
    size = fitted_size(mask.shape, LONGEST)
    picture = resize_image(np.dstack([photo, mask]), size)
    v, u = np.nonzero(picture[..., 3] >= OBJECT)
    ray, face, weights, _ = scene.cast(*pixel_rays(resize_camera(trans_mat, mask.shape, size), u, v))
    if not len(ray):
        return {}
    true = picture[v[ray], u[ray], :3] / 255.0
    errors = {name: np.square(albedo(mesh, face, weights)[0][:, :3] - true).mean() for name, mesh in looks.items()}
    return {name: float(min(BEST, -10 * np.log10(max(error, 1e-12)))) for name, error in errors.items()}
