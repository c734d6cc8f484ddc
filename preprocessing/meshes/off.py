"""OFF files: trimesh reads them, but drops the vertex colours of the COFF variant."""

import pathlib

import numpy as np
import trimesh


def read_scene(path: pathlib.Path) -> trimesh.Scene:
    """Read an .off file with its vertex colours."""
    scene = trimesh.load_scene(path, process=False)
    lines = [line.split("#")[0].split() for line in path.read_text(errors="replace").splitlines()]
    lines = [words for words in lines if words]
    if lines[0][0].upper() == "COFF":
        (geometry,) = scene.geometry.values()
        first = 1 if len(lines[0]) > 1 else 2  # the counts may stand on the line of the keyword
        vertex_lines = lines[first : first + len(geometry.vertices)]
        colours = np.array([words[3:6] for words in vertex_lines], np.float64)  # x y z r g b [a]
        geometry.visual.vertex_colors = colours if colours.max() <= 1 else colours / 255
    return scene
