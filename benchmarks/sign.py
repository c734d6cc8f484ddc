"""Rules for the sign of a distance: how often they are right, and how fast.

    python benchmarks/sign.py --out sign.json
    python benchmarks/sign.py --meshes MESHES --limit 20 --out sign.json

Measures every rule on solids whose inside is known, in all the forms of benchmarks/broken.py. The
points are those of sample_space. Prints for each form the percentage of points that have the wrong
sign, the mean over the solids; points nearer than 0.004 to the surface do not count.
With --meshes, a folder of <category>/<object>.{glb,gltf,obj,ply,off}, also for each rule the
percentage of points of which it says otherwise than 'auto', the share of the cube that is inside,
and seconds per 100,000 points.

auto        the rule of preprocessing/meshes/inside.py
winding     fast winding number of the faces as they are
oriented    fast winding number after orientation by patches and visibility; sheets dropped
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
import open3d
import scipy.ndimage

from benchmarks.broken import FORMS, OTHERS, SOLIDS
from preprocessing.meshes.distances import sample_space, signed_distances
from preprocessing.meshes.find import find_meshes
from preprocessing.meshes.inside import Solid, winding_inside
from preprocessing.meshes.load import load_mesh
from preprocessing.meshes.patches import find_patches
from preprocessing.meshes.visibility import Visibility, directions
from utils.cli import parser, run
from utils.files import write_json
from utils.mesh.mesh import coloured_mesh, normalise
from utils.mesh.sampling import sample_surface

POINTS = 8192  # of each solid
NEAREST = 0.004  # distance from the surface, in lengths of the object, from which a point counts
CELLS = 64  # of the grid of `flood`, along a side


def scene_of(mesh):
    scene = open3d.t.geometry.RaycastingScene()
    tensor = open3d.core.Tensor
    scene.add_triangles(tensor(mesh.vertices.astype(np.float32)), tensor(mesh.faces.astype(np.uint32)))
    return scene


def rays_from(points, count):
    origins = np.broadcast_to(points[:, None], (len(points), count, 3))
    ways = np.broadcast_to(directions(count), origins.shape)
    return open3d.core.Tensor(np.concatenate([origins, ways], -1).astype(np.float32))


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
    wall = scene_of(mesh).compute_distance(open3d.core.Tensor(centres.astype(np.float32))).numpy() < 0.87 * size
    regions = scipy.ndimage.label(~wall)[0]
    cell = ((points + 0.6) / size).astype(int)
    return regions[tuple(cell.T)] != regions[0, 0, 0]


def by_open3d(mesh, points):
    return scene_of(mesh).compute_signed_distance(open3d.core.Tensor(points.astype(np.float32)), nsamples=9).numpy() < 0


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


def wrong_signs(shape, truth):
    """{rule: percentage of points with the wrong sign} for a trimesh and its true inside."""
    mesh = coloured_mesh(shape.vertices, shape.faces, np.ones((len(shape.vertices), 3)))
    points = points_near(mesh, POINTS)
    points = points[np.abs(signed_distances(mesh, points)) > NEAREST]
    expected = truth(points)
    return {rule: 100 * float((decide(mesh, points) != expected).mean()) for rule, decide in RULES.items()}


def table(rows, width):
    print(" " * width, *(f"{rule:>9}" for rule in RULES))
    for name, values in rows.items():
        print(f"{name:{width}s}", *(f"{values[rule]:9.2f}" for rule in RULES), flush=True)


def measure_solids():
    rows = {}
    for form, broken in FORMS.items():
        each = [
            wrong_signs(broken(make()), truth)
            for solid, (make, truth) in SOLIDS.items()
            if not (solid == "plate" and "open" in form)  # a flat tray might as well be a sheet
        ]
        rows[form] = {rule: float(np.mean([one[rule] for one in each])) for rule in RULES}
    for name, (make, truth) in OTHERS.items():
        rows[name] = wrong_signs(make(), truth)
    table(rows, 38)
    return rows


def measure_meshes(folder, limit, count):
    files = find_meshes(folder)
    files = files[:: max(1, len(files) // limit)]
    result = {}
    totals = {name: dict.fromkeys(RULES, 0.0) for name in ("differs %", "inside %", "s per 100k")}
    for file in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mesh = normalise(load_mesh(file.path))[0]
        points, cube = points_near(mesh, count), np.random.default_rng(1).uniform(-0.5, 0.5, (4096, 3))
        expected = auto(mesh, points)
        row = {}
        for rule, decide in RULES.items():
            start = time.perf_counter()
            said = decide(mesh, points)
            seconds = time.perf_counter() - start
            row[rule] = (100 * (said != expected).mean(), 100 * decide(mesh, cube).mean(), seconds * 1e5 / count)
            for name, value in zip(totals, row[rule], strict=True):
                totals[name][rule] += float(value) / len(files)
        result[f"{file.category}/{file.object_id}"] = row
        print(
            f"{file.category}/{file.object_id}"[:28],
            len(mesh.faces),
            *(f"{r} {row[r][0]:.1f}/{row[r][1]:.1f}" for r in RULES),
            flush=True,
        )
    table(totals, 28)
    return totals


def main(argv):
    p = parser(__doc__)
    p.add_argument("--meshes", type=pathlib.Path, help="folder of meshes to compare the rules on")
    p.add_argument("--limit", type=int, default=40, help="number of these meshes")
    p.add_argument("--points", type=int, default=32768, help="points of each of these meshes")
    p.add_argument("--out", type=pathlib.Path, required=True, help="JSON file to write")
    args = p.parse_args(argv)
    result = (
        {"wrong": measure_solids()}
        if not args.meshes
        else {"meshes": measure_meshes(args.meshes, args.limit, args.points)}
    )
    write_json(args.out, result)


if __name__ == "__main__":
    run(main)
