"""Images of a reconstructed mesh: from all around, and over the photograph it was made from."""

from collections.abc import Sequence

import cv2
import numpy as np

from utils.geometry.cameras import compose, fitting_distance, intrinsics, look_at, resize_camera
from utils.images.mask_parts import OBJECT
from utils.images.resize import fitted_size, lay_over, resize_image
from utils.mesh.mesh import coloured_mesh
from utils.rendering.lights import GENTLE_LIGHT
from utils.rendering.raycast import Scene
from utils.stages import check_stop

VIEWS = 8
ELEVATION = 20  # degrees
SIZE = 256  # pixels along a side of a view
LONGEST = 512  # pixels along the longer side of the photograph under the mesh, at most
VEIL = 0.75  # share of its contrast that the photograph loses, so that the mesh stands out


def scene_of(vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> Scene:
    """The Scene of a coloured mesh: (V, 3) object frame, (F, 3), (V, 3) in [0, 1]."""
    return Scene(coloured_mesh(vertices, faces, colours))


def turntable(scene: Scene) -> list[np.ndarray]:
    """VIEWS images (SIZE, SIZE, 3) uint8 on white, from azimuth 0 in equal steps."""
    K, images = intrinsics(SIZE), []
    distance = fitting_distance(np.linalg.norm(scene.mesh.vertices, axis=1).max())
    for i in range(VIEWS):
        check_stop()
        camera = compose(K, look_at(360 * i / VIEWS, ELEVATION, distance))
        images.append(lay_over(scene.render(camera, SIZE, samples=3, light=GENTLE_LIGHT)))
    return images


def two_rows(images: Sequence[np.ndarray]) -> np.ndarray:
    """Images of one size -> one image of them, in two rows."""
    half = len(images) // 2
    return np.vstack([np.hstack(images[:half]), np.hstack(images[half:])])


def over_photo(scene: Scene, photo: np.ndarray, mask: np.ndarray, trans_mat: np.ndarray) -> np.ndarray:
    """A photograph and, beside it, the mesh over the photograph, both with the outline of the mask.

    Args:
        scene: the mesh.
        photo: (H, W, 3) uint8 photograph.
        mask: (H, W) uint8, 255 where the object is.
        trans_mat: (4, 3) camera of the photograph, object frame to pixels.

    Returns:
        (h, 2 w, 3) uint8.
    """
    height, width = fitted_size(mask.shape, LONGEST)
    camera = resize_camera(trans_mat, mask.shape, (height, width))
    small = resize_image(np.dstack([photo, np.full_like(mask, 255)]), (height, width))[..., :3]
    outline = (cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) >= OBJECT).astype(np.uint8)
    pale = np.rint(255 - (1 - VEIL) * (255.0 - small)).astype(np.uint8)
    rendered = scene.render(camera, max(height, width), samples=2, light=GENTLE_LIGHT)[:height, :width]
    images = [np.ascontiguousarray(small), lay_over(rendered, pale)]
    contours = cv2.findContours(outline, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    for image in images:
        cv2.drawContours(image, contours, -1, (255, 0, 128), 1)
    return np.hstack(images)
