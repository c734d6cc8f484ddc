"""Pictures of a reconstructed mesh: around it, and over the photograph it came from."""

import numpy as np

from utils.geometry.cameras import compose, intrinsics, look_at, resize_camera
from utils.images.resize import resize_image

VIEWS = 8
ELEVATION = 20  # degrees
SIZE = 256  # pixels
LONGEST = 512  # pixels of the photograph under the mesh
VEIL = 0.75  # share of the photograph's contrast that goes, so that the mesh is seen against it


def scene_of(vertices, faces, colours):
    """A utils.rendering.raycast.Scene of a coloured mesh: (V, 3) object frame, (F, 3), (V, 3) in [0, 1]."""
    from utils.mesh.mesh import coloured_mesh
    from utils.rendering.raycast import Scene

    return Scene(coloured_mesh(vertices, faces, colours))


def turntable(scene):
    """VIEWS pictures (SIZE, SIZE, 3) uint8 on white, from azimuth 0 on in equal steps."""
    from utils.geometry.cameras import fitting_distance

    K, pictures = intrinsics(SIZE), []
    distance = fitting_distance(np.linalg.norm(scene.mesh.vertices, axis=1).max())
    for i in range(VIEWS):
        camera = compose(K, look_at(360 * i / VIEWS, ELEVATION, distance))
        pictures.append(over(scene.render(camera, SIZE, samples=3), np.full((SIZE, SIZE, 3), 255, np.uint8)))
    return pictures


def sheet(pictures):
    """Pictures of one size -> one picture, in two rows."""
    half = len(pictures) // 2
    return np.vstack([np.hstack(pictures[:half]), np.hstack(pictures[half:])])


def over_photo(scene, photo, mask, trans_mat):
    """(H, W, 3) uint8 photograph, (H, W) uint8 mask, its camera -> (h, 2 w, 3) uint8: the photograph, and the mesh over it.

    Both have the outline of the mask.
    """
    import cv2

    size = tuple(max(1, round(side * min(1, LONGEST / max(mask.shape)))) for side in mask.shape)
    camera = resize_camera(trans_mat, mask.shape, size)
    small = resize_image(np.dstack([photo, np.full_like(mask, 255)]), size)[..., :3]
    outline = (cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA) >= 128).astype(np.uint8)
    pale = np.rint(255 - (1 - VEIL) * (255.0 - small)).astype(np.uint8)
    pictures = [
        np.ascontiguousarray(small),
        over(scene.render(camera, max(size), samples=2)[: size[0], : size[1]], pale),
    ]
    for picture in pictures:
        contours = cv2.findContours(outline, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        cv2.drawContours(picture, contours, -1, (255, 0, 128), 1)
    return np.hstack(pictures)


def over(rgba, background):
    """(H, W, 4) uint8 over (H, W, 3) uint8 -> (H, W, 3) uint8."""
    alpha = rgba[..., 3:] / 255
    return np.rint(rgba[..., :3] * alpha + background * (1 - alpha)).astype(np.uint8)
