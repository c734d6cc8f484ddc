"""Draw the images in this folder: synthetic objects that no network was trained on.

    python examples/make_examples.py

The objects are drawn with seed 1; the weights of this project were trained with seed 0. Four images
have a transparent background, and two look like photographs: a chair in a room, a car before
stripes. Takes a few seconds.
"""

import pathlib

import cv2
import numpy as np

from preprocessing.make_shapes import scene
from preprocessing.meshes.load import load_mesh
from utils.cli import parser, run
from utils.files import replacing
from utils.geometry.cameras import compose, fitting_distance, intrinsics, look_at
from utils.mesh.mesh import normalise
from utils.rendering.backgrounds import photograph, room, stripes
from utils.rendering.raycast import Scene

HERE = pathlib.Path(__file__).parent
SIZE = 512  # pixels along a side
IMAGES = {  # name: category, number, azimuth and elevation in degrees, background
    "car.png": ("car", 3, 40, 20, None),
    "chair.png": ("chair", 5, 30, 25, None),
    "guitar.png": ("guitar", 2, 15, 15, None),
    "table.png": ("table", 4, 60, 30, None),
    "chair_room.jpg": ("chair", 14, 325, 20, room),
    "car_stripes.jpg": ("car", 7, 300, 15, stripes),
}


def view(category, number, azimuth, elevation):
    """(SIZE, SIZE, 4) uint8 view of an object; azimuth and elevation in degrees."""
    # written and read, so that it passes through the reader of mesh files
    path = HERE / ".object.glb"
    try:
        path.write_bytes(scene(category, 1, number).export(file_type="glb", include_normals=True))
        mesh = normalise(load_mesh(path))[0]
    finally:
        path.unlink(missing_ok=True)
    distance = 1.15 * fitting_distance(np.linalg.norm(mesh.vertices, axis=1).max())
    return Scene(mesh).render(compose(intrinsics(SIZE), look_at(azimuth, elevation, distance)), SIZE)


def main(argv):
    parser(__doc__).parse_args(argv)
    rng = np.random.default_rng(1)
    for name, (*view_of, background) in IMAGES.items():
        rgba = view(*view_of)
        if background:
            rgba = photograph(rgba, background(rng, rgba[..., 3], SIZE), rng)[..., :3]
        code = cv2.COLOR_RGB2BGR if background else cv2.COLOR_RGBA2BGRA
        with replacing(HERE / name) as temporary:
            cv2.imwrite(str(temporary), cv2.cvtColor(rgba, code))
    print(f"{len(IMAGES)} images: {HERE}")


if __name__ == "__main__":
    run(main)
