"""Turn textured meshes into training data: views with cameras, colour and flow volumes, distances near the surface.

    python preprocessing/render_views.py --meshes MESHES --out RAW
    python preprocessing/render_views.py --meshes MESHES --out RAW --azimuth random --elevation 5 50 --distance auto 1 1.6 --jobs 4

MESHES holds <category>/<object>.glb (or gltf, obj, ply, off) or ShapeNet's <category>/<object>/models/*.obj; the
meshes need not be watertight. Every object becomes RAW/<category>/<object>/ in the layout of data/raw_layout.py. Meshes are
taken as y up; view 0 looks from azimuth 90 degrees (+x), the next from 120, and so on.
Prints a progress bar, one line for every mesh or texture that cannot be used, and where the result is. About 1 to 2
seconds an object and core. Started again it goes on where it stopped. Exit code 3: some meshes were left out.
"""

import collections
import concurrent.futures
import dataclasses
import multiprocessing
import os
import pathlib
import shutil
import warnings
from concurrent.futures.process import BrokenProcessPool

import numpy as np
from tqdm import tqdm

from data.categories import name as category_name
from data.categories import spellings
from data.raw_layout import RawObject
from preprocessing.out_folder import check_out
from preprocessing.random_streams import object_rng
from preprocessing.rendering import volumes
from utils.cli import Incomplete, UserError, parser, run
from utils.files import read_json, write_json
from utils.geometry import frames
from utils.mesh import sampling
from utils.mesh.mesh import SUFFIXES, load_mesh, normalise
from utils.processes import start_worker

MARGIN = 1.03  # the bounding sphere leaves 3 % free, so that antialiasing and voxel corners stay in the picture
AUTO = "auto (all in the picture), auto MIN MAX to draw a factor of that from, D, or MIN MAX to draw from"
UNFINISHED = ".unfinished"  # folder in RAW of objects that are being written; no reader of the raw layout looks there


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the raw data depends on; kept in RAW/render.json."""

    views: int
    image_size: int
    elevation: list  # degrees: [value] or [lowest, highest]
    azimuth: str  # 'even' or 'random'
    distance: list  # [value] or [lowest, highest], object-frame length; after 'auto': factors of the fitting distance
    sdf_points: int
    surface_points: int
    seed: int


@dataclasses.dataclass(frozen=True)
class Task:
    """One mesh and where it goes."""

    mesh: pathlib.Path
    target: RawObject
    settings: Settings


def find_meshes(root):
    """[(category, object id, mesh path)] of a folder of meshes, sorted; UserError if two meshes are one object."""
    root = pathlib.Path(root)
    if not root.is_dir():
        raise UserError(f"{root} is not a folder of <category>/<object>.glb")
    found = {}
    for path in sorted(root.glob("*/*")):
        if path.name.startswith("."):  # a file that was being written when its program was killed
            continue
        meshes = [path] if path.is_file() and path.suffix.lower() in SUFFIXES else _shapenet(path) if path.is_dir() else []
        for mesh in meshes:
            key = path.parent.name, path.stem if mesh is path else path.name
            if key in found:
                raise UserError(f"{found[key]} and {mesh} would both become {'/'.join(key)}: rename or remove one of them")
            found[key] = mesh
    if not found:
        raise UserError(f"{root} holds no <category>/<object> meshes ({' '.join(SUFFIXES)}) and no <category>/<object>/models/*.obj")
    return [(*key, mesh) for key, mesh in sorted(found.items())]


def _shapenet(folder):
    """The OBJ file of a ShapeNet object folder (v2: models/*.obj, v1: model.obj), or none."""
    meshes = sorted([*folder.glob("models/*.obj"), *folder.glob("model.obj")])
    return [mesh for mesh in meshes if mesh.name == "model_normalized.obj"] or meshes


def fitting_distance(radius):
    """The smallest distance (with margin) at which a sphere of this radius around the origin is wholly in the picture."""
    return radius / np.sin(np.arctan(0.5 / frames.FOCAL)) * MARGIN


def view_cameras(settings, radius, rng):
    """Cameras of the views of an object that lies within `radius` of the origin: K (V, 3, 3), RT (V, 3, 4)."""
    views = settings.views
    azimuths = 90 + 360 * np.arange(views) / views if settings.azimuth == "even" else rng.uniform(0, 360, views)
    elevations = rng.uniform(settings.elevation[0], settings.elevation[-1], views)
    span = settings.distance
    if span[0] == "auto":
        span = [factor * fitting_distance(radius) for factor in span[1:] or [1.0]]
    distances = rng.uniform(span[0], span[-1], views)
    if distances.min() <= radius:
        raise UserError(f"a camera at distance {distances.min():.3g} stands within the object, which reaches to {radius:.3g}")
    RT = np.stack([frames.look_at(*each) for each in zip(azimuths, elevations, distances, strict=True)])
    return np.broadcast_to(frames.intrinsics(settings.image_size), (views, 3, 3)), RT


def write_object(task):
    """Render one mesh into its place in the raw folder; gives warnings (list of str) and the reason of a failure or None."""
    if task.target.folder.exists():  # done by a process that died right after it
        return [], None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            _write(task)
            reason = None
        except UserError as error:
            reason = str(error) if str(task.mesh) in str(error) else f"{task.mesh}: {error}"
        except Exception as error:  # one strange mesh must not end the run over all others
            reason = f"{task.mesh}: {type(error).__name__}: {error}"
    return [str(each.message) for each in caught if str(task.mesh) in str(each.message)], reason


def _write(task):
    import cv2
    import h5py

    from utils.rendering.raycast import Scene, draw_lost

    settings, target = task.settings, task.target
    mesh, centre, scale = normalise(load_mesh(task.mesh))
    rng = object_rng(target.category, target.object_id, settings.seed)
    radius = np.linalg.norm(mesh.vertices[mesh.faces.ravel()], axis=1).max()
    K, RT = view_cameras(settings, radius, rng)
    matrices = np.stack([frames.trans_mat(*each) for each in zip(K, RT, strict=True)])
    points, colours = sampling.sample_surface(mesh, max(volumes.sample_count(mesh), settings.surface_points), rng)
    index, voxel_colours = volumes.voxelise(points, colours)
    chosen = rng.choice(len(points), settings.surface_points, replace=False)
    sdf_points = sampling.sample_space(points, settings.sdf_points, rng).astype(np.float32)

    unfinished = RawObject(target.root / UNFINISHED, target.category, target.object_id)
    shutil.rmtree(unfinished.folder, ignore_errors=True)  # of a run that was killed
    unfinished.views_folder.mkdir(parents=True)
    unfinished.colour_volume.parent.mkdir()
    scene = Scene(mesh)
    width = max(2, len(str(settings.views - 1)))
    for number, matrix in enumerate(matrices):
        view = f"{number:0{width}d}"
        picture = scene.render(matrix, settings.image_size)
        draw_lost(picture, points[chosen], colours[chosen], matrix)
        if not cv2.imwrite(str(unfinished.view(view)), cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA), [cv2.IMWRITE_PNG_COMPRESSION, 4]):
            raise UserError(f"{unfinished.view(view)} cannot be written")
        _write_volume(unfinished.flow_volume(view), volumes.flow_volume(index, matrix, settings.image_size))
    _write_volume(unfinished.colour_volume, volumes.colour_volume(index, voxel_colours))
    with h5py.File(unfinished.cameras, "w") as file:
        file.update({"trans_mat": matrices, "K": K, "RT": RT})
    with h5py.File(unfinished.surface, "w") as file:
        file["sdf_points"] = sdf_points
        file["sdf"] = sampling.signed_distances(mesh, sdf_points).astype(np.float32)
        file["points"] = points[chosen].astype(np.float32)
        file["colours"] = colours[chosen]
        file.attrs.update({"centre": centre, "scale": scale})
    target.folder.parent.mkdir(parents=True, exist_ok=True)
    os.replace(unfinished.folder, target.folder)


def _write_volume(path, volume):
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=volume, chunks=volume.shape, compression="gzip", compression_opts=1, shuffle=True)


def in_processes(function, tasks, jobs):
    """Yield (task, function(task)) as they are done, `jobs` at once, each in a process of its own.

    Where a process dies, those that were at work are tried again one by one, and the one that kills its process
    again gives ([], reason).
    """
    tasks, suspects = collections.deque(tasks), collections.deque()
    while tasks or suspects:
        queue, count = (suspects, 1) if suspects else (tasks, jobs)
        running = {}
        context = multiprocessing.get_context("spawn")  # forked copies of threaded libraries may hang
        try:
            with concurrent.futures.ProcessPoolExecutor(count, context, start_worker) as pool:
                while queue or running:
                    while queue and len(running) < count:
                        running[pool.submit(function, queue[0])] = queue[0]  # this may find the pool broken:
                        queue.popleft()  # only now is the task taken
                    for future in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
                        yield running[future], future.result()
                        del running[future]
        except BrokenProcessPool:
            if queue is suspects:
                yield from ((task, ([], f"{task.mesh}: the process died (out of memory?)")) for task in running.values())
            else:
                suspects.extend(running.values())


def check_settings(out, settings):
    """Keep the settings in out/render.json; UserError if `out` was made with others or by something else."""
    path, given = out / "render.json", dataclasses.asdict(settings)
    if path.exists():
        kept = read_json(path)
        other = [key for key in sorted({*kept, *given}) if kept.get(key) != given.get(key)]
        differing = [f"--{key} {kept.get(key)} (now {given.get(key)})" for key in other]
        if differing:
            raise UserError(f"{out} was made with {', '.join(differing)}: use the same settings or another --out")
        return
    if out.is_dir() and any(out.glob("*/*/views")):
        raise UserError(f"{out} holds objects, but no render.json: it was not made by this command, use another --out")
    write_json(path, given)


def _numbers(values, flag, low, high):
    """The one or two numbers of a flag as a list of float, low < value < high."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        raise UserError(f"{flag} {' '.join(values)}: give a number or two") from None
    if len(numbers) > 2 or numbers != sorted(numbers) or not all(low < value < high for value in numbers):
        raise UserError(f"{flag} {' '.join(values)}: give one number or MIN MAX, between {low:g} and {high:g}")
    return numbers


def parse(argv):
    """The command's arguments and its Settings, checked."""
    flags = parser(__doc__)
    flags.add_argument("--meshes", type=pathlib.Path, required=True, help="folder of <category>/<object> meshes")
    flags.add_argument("--out", type=pathlib.Path, required=True, help="raw folder to write")
    flags.add_argument("--views", type=int, default=12, help="views of every object")
    flags.add_argument("--image_size", type=int, default=138, help="side of the views in pixels")
    flags.add_argument("--elevation", nargs="+", default=["25"], metavar="DEGREES", help="elevation, or MIN MAX to draw from")
    flags.add_argument("--azimuth", choices=("even", "random"), default="even", help="even: 90 + 360 i / views degrees")
    flags.add_argument("--distance", nargs="+", default=["auto"], metavar="D", help=AUTO)
    flags.add_argument("--sdf_points", type=int, default=32768, help="points with a signed distance, of every object")
    flags.add_argument("--surface_points", type=int, default=16384, help="coloured surface points of every object")
    flags.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    flags.add_argument("--jobs", type=int, default=1, help="objects at once")
    flags.add_argument("--categories", nargs="+", help="only these category folders")
    args = flags.parse_args(argv)
    for flag, least in (("views", 1), ("image_size", 8), ("sdf_points", 1), ("surface_points", 1), ("seed", 0), ("jobs", 1)):
        if getattr(args, flag) < least:
            raise UserError(f"--{flag} {getattr(args, flag)}: it must be at least {least}")
    auto = args.distance[:1] if args.distance[0] == "auto" else []
    numbers = args.distance[len(auto) :]
    distance = [*auto, *(_numbers(numbers, "--distance", 0, 100) if numbers else [])]
    elevation = _numbers(args.elevation, "--elevation", -90, 90)
    counts = args.sdf_points, args.surface_points, args.seed
    return args, Settings(args.views, args.image_size, elevation, args.azimuth, distance, *counts)


def main(argv=None):
    args, settings = parse(argv)
    check_out(args.out)
    meshes = find_meshes(args.meshes)
    if args.categories:
        known = sorted({category for category, _, _ in meshes})
        for category in args.categories:
            if not set(spellings(category)) & set(known):
                raise UserError(f"--categories {category}: {args.meshes} has {' '.join(known)}")
        wanted = {category_name(category) for category in args.categories}
        meshes = [each for each in meshes if category_name(each[0]) in wanted]
    check_settings(args.out, settings)
    tasks = [Task(mesh, RawObject(args.out, category, object_id), settings) for category, object_id, mesh in meshes]
    todo = [task for task in tasks if not task.target.folder.exists()]
    there = len(tasks) - len(todo)
    print(f"{len(tasks)} meshes in {args.meshes}: {there} are done already, {len(todo)} to render, {settings.views} views each")
    # before the libraries start in the workers: N jobs with all cores each would fight
    threads = str(max(1, (os.cpu_count() or 1) // args.jobs))
    os.environ.setdefault("OMP_NUM_THREADS", threads)
    os.environ.setdefault("IGL_NUM_THREADS", os.environ["OMP_NUM_THREADS"])
    failed = 0
    with tqdm(total=len(todo), unit="object") as bar:
        for _, (notes, reason) in in_processes(write_object, todo, args.jobs):
            for note in notes:
                bar.write(f"warning: {note}")
            if reason:
                bar.write(f"left out: {reason}")
                failed += 1
            bar.update()
    shutil.rmtree(args.out / UNFINISHED, ignore_errors=True)
    print(f"{len(todo) - failed} objects written, {there} were there already: {args.out}")
    if failed:
        raise Incomplete(f"{failed} of {len(tasks)} meshes were left out, the reasons are above")


if __name__ == "__main__":
    run(main)
