"""From an image to a coloured mesh: dense evaluation against the coarse-to-fine one.

    python benchmarks/query.py --resolution 64 --out query_64.json
    python benchmarks/query.py --resolution 256 --bfloat16 --out query_256_bfloat16.json

The reference is computed as the original does (benchmarks/original.py): the whole network, encoder
included, for every chunk of points, in float32, with colours everywhere. Its marching cubes are not
counted. With more than 8 chunks, a sample of them is timed and the time scaled; see
reference_chunks_timed in the result. The network has full size and is fitted to four synthetic
objects (benchmarks/fitted.py). Times are medians of repeated runs, after one that compiles.

peak_rss_mb       the largest memory of the process before the reference runs
agreement         IoU of the surface voxels, at this resolution, with those of the dense field in
                  float32
lost_components   connected components of more than 8 surface voxels of the dense field that the
                  fast mesh lacks completely
surface_distance  mean distance of the vertices of the fast mesh from those of the dense mesh, or
                  back, whichever is larger, in voxels
"""

import argparse
import dataclasses
import time

import numpy as np
from scipy.ndimage import label
from scipy.spatial import cKDTree

from benchmarks.fitted import fit
from benchmarks.machine import matrix_rates, median_seconds, peak_rss_mb, report
from data.network_input import network_camera, network_image
from data.shards import Database
from models.config import Config
from models.weights.run import Run, load_checkpoint
from utils.cli import parser, real_number, run, whole_number
from utils.errors import UserError
from utils.geometry import frames
from utils.surface import dense

REFERENCE_CHUNK = 32768  # points; with all of 64^3 at once the original's network takes some 7 GB
TIMED_CHUNKS = 4  # of the reference, if it has more than 8


def load(run_folder, bfloat16):
    """The network of a fitted run, in float32 or all in bfloat16."""
    from models.networks.texdisn import build_field_network

    precision = "bfloat16" if bfloat16 else "float32"
    network = build_field_network(
        dataclasses.replace(run_folder.load_config(Config), precision=precision), all_bfloat16=bfloat16
    )
    load_checkpoint(run_folder.last, {"network": network.variables}, partial=True)
    return network


def reference(network, rgba, camera, resolution):
    """Seconds of the original's computation, number of timed chunks, number of all chunks."""
    import tensorflow as tf

    from benchmarks.original import Original

    config = network.config
    points = frames.cube_frame(config.binary).to_model(frames.voxel_centres(resolution)).astype(np.float32)
    image = tf.constant(network_image(rgba, config)[None])
    matrix = frames.cube_frame(config.binary).camera(network_camera(camera, rgba, config))
    matrix, original = tf.constant(matrix[None], tf.float32), Original(network)
    whole = tf.function(lambda chunk: original(image, chunk, matrix))
    starts = list(range(0, len(points), REFERENCE_CHUNK))
    timed = starts if len(starts) <= 8 else starts[:: len(starts) // TIMED_CHUNKS][:TIMED_CHUNKS]
    whole(tf.constant(points[None, :REFERENCE_CHUNK]))
    start = time.perf_counter()
    for first in timed:
        [part.numpy() for part in whole(tf.constant(points[None, first : first + REFERENCE_CHUNK]))]
    return (time.perf_counter() - start) * len(starts) / len(timed), len(timed), len(starts)


def compare(exact, fast, mesh, rgba, camera, resolution, iso):
    """Compare the fast mesh with the dense field -> agreement, lost components, surface distance.

    Args:
        exact: FieldQuery in float32.
        fast: the FieldQuery that was timed.
        mesh: its (vertices, faces).
        rgba: (H, W, 4) uint8 view.
        camera: (4, 3) its camera, object frame to pixels.
        resolution: cells along each axis.
        iso: iso value of the field.
    """
    from models.inference.predict import sample_surface

    config = exact.config
    encoded = exact.encode(network_image(rgba, config), network_camera(camera, rgba, config))
    slabs = frames.voxel_centres(resolution).reshape(resolution, -1, 3)
    values = np.concatenate([exact.geometry(encoded, points) for points in slabs])
    geometry = values.reshape((resolution,) * 3).transpose(2, 1, 0)
    true = dense.extract(geometry, config.binary, iso)
    if config.binary:
        again = fast.encode(network_image(rgba, config), network_camera(camera, rgba, config))
        grid, _ = sample_surface(fast, again, resolution, iso)
        cells = np.stack(np.indices(geometry.shape), -1).reshape(-1, 3)
        occupied = np.concatenate([grid.look_up(part)[0] > 0 for part in np.array_split(cells, 64)])
        fast_voxels = occupied.reshape(geometry.shape)
        voxels = geometry > iso
    else:
        voxels, fast_voxels = (voxelised(*surface, resolution) for surface in (true, mesh))
    labels, count = label(voxels, np.ones((3, 3, 3)))
    sizes, hit = (np.bincount(part.ravel(), minlength=count + 1) for part in (labels, labels[fast_voxels]))
    distances = [cKDTree(a).query(b)[0].mean() * resolution for a, b in ((true[0], mesh[0]), (mesh[0], true[0]))]
    return {
        "agreement": float((voxels & fast_voxels).sum() / (voxels | fast_voxels).sum()),
        "components": int((sizes[1:] > 8).sum()),
        "lost_components": int(((sizes[1:] > 8) & (hit[1:] == 0)).sum()),
        "surface_distance": float(max(distances)),
        "dense_vertices": len(true[0]),
    }


def voxelised(vertices, faces, resolution):
    """The voxels that a surface goes through, (R, R, R) bool.

    These are the voxels of its vertices and of the middles of its edges and faces: a face of
    marching cubes is smaller than a voxel.
    """
    corners = vertices[faces]
    points = np.concatenate(
        [corners.reshape(-1, 3), (corners + np.roll(corners, 1, 1)).reshape(-1, 3) / 2, corners.mean(1)]
    )
    result = np.zeros((resolution,) * 3, bool)
    result[tuple(np.clip(np.floor((points + 0.5) * resolution).astype(int), 0, resolution - 1).T)] = True
    return result


def fitted_object(database, category):
    """The object of a category that the network was fitted to, its first view, its camera."""
    entry = next((e for e in database.objects("train") if e.category == category), None)
    if entry is None:
        raise UserError(f"--category {category}: {database.path} has no such object for training")
    return entry, database.image(entry, 0), database.trans_mat(entry, 0)


def measure(run_folder, resolution, bfloat16, iso, category):
    from models.inference.field_query import FieldQuery
    from models.inference.predict import mesh_of_image

    network = load(run_folder, bfloat16)
    entry, rgba, camera = fitted_object(Database(network.config.db), category)
    query, meshes = FieldQuery(network), []
    result = {"resolution": resolution, "bfloat16": bfloat16, "binary": network.config.binary, "iso": iso}
    result["object"] = f"{entry.category}/{entry.object_id}"
    start = time.perf_counter()
    mesh_of_image(query, rgba, camera, resolution, iso)
    result["first_s"] = time.perf_counter() - start  # compilation included
    result["fast_s"] = median_seconds(lambda: meshes.append(mesh_of_image(query, rgba, camera, resolution, iso)), 5)
    mesh = meshes[-1]
    result |= {"points_asked": mesh.queries, "vertices": len(mesh.vertices), "faces": len(mesh.faces)}
    result["peak_rss_mb"] = peak_rss_mb()
    exact = query
    if bfloat16:
        network = load(run_folder, False)
        exact = FieldQuery(network)
    seconds, timed, chunks = reference(network, rgba, camera, resolution)
    result |= {"reference_s": seconds, "reference_chunks_timed": timed, "reference_chunks": chunks}
    result["ratio"] = seconds / result["fast_s"]
    compared = compare(exact, query, (mesh.vertices, mesh.faces), rgba, camera, resolution, iso)
    return {**result, **compared, **matrix_rates()}


def main(argv):
    p = parser(__doc__)
    p.add_argument("--resolution", type=whole_number(1), default=64, help="cells along each axis")
    p.add_argument("--bfloat16", action="store_true", help="the fast side computes in bfloat16")
    p.add_argument(
        "--binary", default=True, action=argparse.BooleanOptionalAction, help="logits of occupancy, or distances"
    )
    p.add_argument("--iso", type=real_number(), default=0.0, help="iso value of the field")
    p.add_argument("--category", default="chair", help="which of the fitted objects")
    p.add_argument("--restore_model", help="run to measure instead of the fitted one")
    p.add_argument("--out", required=True, help="JSON file to write")
    args = p.parse_args(argv)
    folder = Run(args.restore_model) if args.restore_model else fit(binary=args.binary)
    result = measure(folder, args.resolution, args.bfloat16, args.iso, args.category)
    report(args.out, result)


if __name__ == "__main__":
    run(main)
