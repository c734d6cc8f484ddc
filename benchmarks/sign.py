"""Rules for the sign of a distance: how often they are right, and how fast.

    python benchmarks/sign.py --out sign.json
    python benchmarks/sign.py --meshes MESHES --limit 50 --out sign.json

Measures every rule on solids whose inside is known, in all the forms of benchmarks/broken.py. The
points are those of sample_space. Prints for each form, as soon as it is measured, the percentage of
points that have the wrong sign, the mean over the solids; points nearer than 0.004 to the surface
do not count.

With --meshes, a folder of <category>/<object>.{glb,gltf,obj,ply,off,stl}, also on these meshes:
the percentage of points at which a rule differs from 'auto', the share of the cube that is inside,
and the processor time of a mesh in seconds. Its last rows are the means.

The tables are Markdown. They are kept beside the JSON file, with the suffix .md.

auto        the rule of preprocessing/meshes/inside.py
winding     fast winding number of the faces as they are
oriented    fast winding number after orientation by patches and visibility, without sheets
parity      odd number of faces along most of 9 rays
sky         less than a quarter of 40 rays meet nothing
flood       not connected to the border in a grid of 64^3 cells
open3d      Open3D's signed distance, 9 rays
normals     libigl's signed distance by pseudonormals
"""

import pathlib
import time
import warnings

import igl
import numpy as np
import scipy.ndimage

from benchmarks.broken import FORMS, OTHERS, SOLIDS
from preprocessing.meshes.distances import sample_space, signed_distances
from preprocessing.meshes.find import find_meshes
from preprocessing.meshes.inside import Solid, winding_inside
from preprocessing.meshes.load import load_mesh
from preprocessing.meshes.patches import find_patches
from preprocessing.meshes.visibility import Visibility, directions
from utils.cli import parser, run, whole_number
from utils.files import write_json
from utils.mesh.mesh import coloured_mesh, normalise
from utils.mesh.sampling import sample_surface

POINTS = 2048  # of each solid
NEAREST = 0.004  # distance from the surface, in lengths of the object, from which a point counts
CELLS = 64  # of the grid of `flood`, along a side


def tensor(array, dtype=np.float32):
    import open3d

    return open3d.core.Tensor(array.astype(dtype))


def scene_of(mesh):
    import open3d

    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(tensor(mesh.vertices), tensor(mesh.faces, np.uint32))
    return scene


def rays_from(points, count):
    origins = np.broadcast_to(points[:, None], (len(points), count, 3))
    ways = np.broadcast_to(directions(count), origins.shape)
    return tensor(np.concatenate([origins, ways], -1))


def auto(mesh, points):
    return Solid(mesh).contains(points)


def winding(mesh, points):
    return winding_inside(mesh.vertices, mesh.faces, points)


def oriented(mesh, points):
    patches = find_patches(mesh)
    votes = Visibility(patches).votes[:-1].reshape(-1, 2)
    faces = np.where((votes[:, :1] < votes[:, 1:]), patches.faces, patches.faces[:, ::-1])
    kept = patches.closed[patches.patch] | (votes.prod(1) < 0)
    faces[patches.closed[patches.patch]] = patches.faces[patches.closed[patches.patch]]
    return winding_inside(patches.vertices, faces[kept], points) if kept.any() else np.zeros(len(points), bool)


def parity(mesh, points):
    return (scene_of(mesh).count_intersections(rays_from(points, 9)).numpy() % 2).mean(1) > 0.5


def sky(mesh, points):
    return (~scene_of(mesh).test_occlusions(rays_from(points, 40)).numpy()).mean(1) < 0.25


def flood(mesh, points):
    size = 1.2 / CELLS
    centres = (np.stack(np.meshgrid(*[np.arange(CELLS)] * 3, indexing="ij"), -1) + 0.5) * size - 0.6
    wall = scene_of(mesh).compute_distance(tensor(centres)).numpy() < 0.87 * size
    regions = scipy.ndimage.label(~wall)[0]
    cell = ((points + 0.6) / size).astype(int)
    return regions[tuple(cell.T)] != regions[0, 0, 0]


def by_open3d(mesh, points):
    return scene_of(mesh).compute_signed_distance(tensor(points), nsamples=9).numpy() < 0


def normals(mesh, points):
    kind = igl.SignedDistanceType.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
    return igl.signed_distance(points, mesh.vertices, mesh.faces, sign_type=kind)[0] < 0


RULES = {
    "auto": auto,
    "winding": winding,
    "oriented": oriented,
    "parity": parity,
    "sky": sky,
    "flood": flood,
    "open3d": by_open3d,
    "normals": normals,
}


def points_near(mesh, count):
    rng = np.random.default_rng(0)
    return sample_space(sample_surface(mesh, count, rng)[0], count, rng)


class Table:
    """A Markdown table with a column for each rule, printed row by row."""

    def __init__(self, title):
        self.lines = []
        self._add(f"| {title} | {' | '.join(RULES)} |")
        self._add("|---" * (1 + len(RULES)) + "|")

    def row(self, name, values, digits=1):
        self._add(f"| {name} | {' | '.join(f'{values[rule]:.{digits}f}' for rule in RULES)} |")

    def _add(self, line):
        print(line, flush=True)
        self.lines.append(line)


def wrong_signs(shape, truth):
    """{rule: percentage of points with the wrong sign} for a trimesh and its true inside."""
    mesh = coloured_mesh(shape.vertices, shape.faces, np.ones((len(shape.vertices), 3)))
    points = points_near(mesh, POINTS)
    points = points[np.abs(signed_distances(mesh, points, "winding")) > NEAREST]
    expected = truth(points)
    return {rule: 100 * float((decide(mesh, points) != expected).mean()) for rule, decide in RULES.items()}


def measure_solids():
    """{form: {rule: percentage of points with the wrong sign}}, and the table of it."""
    table, rows = Table("wrong signs, %"), {}
    for form, broken in FORMS.items():
        errors = [
            wrong_signs(broken(make()), truth)
            for solid, (make, truth) in SOLIDS.items()
            if not (solid == "plate" and "open" in form)  # a flat tray might as well be a sheet
        ]
        rows[form] = {rule: float(np.mean([one[rule] for one in errors])) for rule in RULES}
        table.row(form, rows[form])
    for name, (make, truth) in OTHERS.items():
        rows[name] = wrong_signs(make(), truth)
        table.row(name, rows[name])
    return rows, table.lines


def compare(mesh, count):
    """(3, rules): points at which a rule differs from 'auto' and cube inside, %; seconds."""
    points = np.concatenate([points_near(mesh, count), np.random.default_rng(1).uniform(-0.5, 0.5, (count // 4, 3))])
    inside, seconds = [], []
    for decide in RULES.values():
        start = time.process_time()
        inside.append(decide(mesh, points))
        seconds.append(time.process_time() - start)
    inside = np.array(inside)
    differing = inside[:, :count] != inside[list(RULES).index("auto"), :count]
    return np.array([100 * differing.mean(1), 100 * inside[:, count:].mean(1), seconds])


def measure_meshes(folder, limit, count):
    """{measure: {rule: mean over the meshes}}, and the table of it and of all meshes."""
    files = find_meshes(folder)
    files = [files[i] for i in np.unique(np.linspace(0, len(files) - 1, min(limit, len(files))).astype(int))]
    table, results = Table("differs from auto, %"), []
    for file in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mesh = normalise(load_mesh(file.path))[0]
        results.append(compare(mesh, count))
        table.row(f"{file.category}/{file.object_id}", dict(zip(RULES, results[-1][0], strict=True)))
    names = ("differs from auto, %", "cube inside, %", "seconds")
    means = {
        name: dict(zip(RULES, map(float, mean), strict=True))
        for name, mean in zip(names, np.mean(results, 0), strict=True)
    }
    for name, values in means.items():
        table.row(f"**{name}**, mean of {len(files)}", values, 2)
    return means, table.lines


def main(argv):
    p = parser(__doc__)
    p.add_argument("--meshes", type=pathlib.Path, help="folder of meshes to compare the rules on as well")
    p.add_argument("--limit", type=whole_number(1), default=50, help="number of these meshes, evenly chosen")
    p.add_argument("--points", type=whole_number(1), default=8192, help="points near each of these meshes")
    p.add_argument("--out", type=pathlib.Path, required=True, help="JSON file to write")
    args = p.parse_args(argv)
    wrong, lines = measure_solids()
    result = {"wrong": wrong}
    if args.meshes:
        print()
        result["meshes"], more = measure_meshes(args.meshes, args.limit, args.points)
        lines += ["", *more]
    write_json(args.out, result)
    args.out.with_suffix(".md").write_text("\n".join(lines) + "\n")
    print(f"results: {args.out}")


if __name__ == "__main__":
    run(main)
