"""From an image to a coloured mesh: the plain dense evaluation against the coarse-to-fine one, in one process.

    python benchmarks/query.py --resolution 64 --out query_64.json
    python benchmarks/query.py --resolution 256 --bfloat16 --out query_256_bfloat16.json

The reference is the original's way (benchmarks/original.py): the whole network, encoder included, for every chunk of points, in
float32, colours everywhere; its marching cubes are not counted. Where it has more than 8 chunks it is timed on a sample of
them and scaled, which the result says (reference_chunks_timed). The network is of full size, fitted to four synthetic objects
(benchmarks/fitted.py). Times are medians of repeated runs, after one that compiles.

peak_rss_mb       the most memory of the process before the reference runs
agreement         IoU of the surface voxels, at this resolution, with those of the dense float32 field
lost_components   connected pieces of more than 8 surface voxels of the dense field of which nothing is found
surface_distance  mean distance of the fast mesh's vertices from the dense mesh's, in voxels (and back, the larger)
"""

import argparse
import dataclasses
import time

import numpy as np
import tensorflow as tf

from benchmarks.fitted import fit
from benchmarks.machine import matrix_rates, median_seconds, peak_rss_mb, report
from benchmarks.original import Original
from data.network_input import network_camera, network_image
from data.shards import Database
from models.inference.field_query import FieldQuery
from models.inference.predict import sampled_surface, textured_mesh
from models.networks.texdisn import build
from models.weights.run import Run, load_checkpoint
from utils.cli import parser, run
from utils.geometry import frames

REFERENCE_CHUNK = 32768  # points: the original's network takes some 7 GB with all of 64^3 at once
TIMED_CHUNKS = 4  # of the reference, where it has more than 8


def load(run_folder, bfloat16):
    """A fitted run -> its network in float32 or all in bfloat16."""
    network = build(dataclasses.replace(run_folder.load_config(), bfloat16=bfloat16), all_bfloat16=bfloat16)
    load_checkpoint(run_folder.last, {"network": network.variables}, partial=True)
    return network


def reference(network, rgba, camera, resolution):
    """Seconds of the original's way, how many of its chunks were timed, and of how many."""
    config = network.config
    points = frames.to_model(frames.voxel_centres(resolution), config.binary).astype(np.float32)
    image = tf.constant(network_image(rgba, config)[None])
    matrix = frames.model_camera(network_camera(camera, rgba, config), config.binary)
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
    """FieldQuery in float32, the one that was timed, its (vertices, faces) -> agreement, lost components, surface distance."""
    from scipy.ndimage import label
    from scipy.spatial import cKDTree

    config = exact.config
    encoded = exact.encode(network_image(rgba, config), network_camera(camera, rgba, config))
    slabs = frames.voxel_centres(resolution).reshape(resolution, -1, 3)
    dense = (
        np.concatenate([exact.geometry(encoded, points) for points in slabs])
        .reshape((resolution,) * 3)
        .transpose(2, 1, 0)
    )
    true = dense.extract(dense, config.binary, iso)
    if config.binary:
        again = fast.encode(network_image(rgba, config), network_camera(camera, rgba, config))
        level, _ = sampled_surface(fast, again, resolution, iso)
        cells = np.stack(np.indices(dense.shape), -1).reshape(-1, 3)
        found = np.concatenate([level.look_up(part)[0] > 0 for part in np.array_split(cells, 64)]).reshape(dense.shape)
        voxels = dense > iso
    else:
        voxels, found = (voxelised(*each, resolution) for each in (true, mesh))
    labels, count = label(voxels, np.ones((3, 3, 3)))
    sizes, hit = np.bincount(labels.ravel(), minlength=count + 1), np.bincount(labels[found], minlength=count + 1)
    distances = [cKDTree(a).query(b)[0].mean() * resolution for a, b in ((true[0], mesh[0]), (mesh[0], true[0]))]
    return {
        "agreement": float((voxels & found).sum() / (voxels | found).sum()),
        "components": int((sizes[1:] > 8).sum()),
        "lost_components": int(((sizes[1:] > 8) & (hit[1:] == 0)).sum()),
        "surface_distance": float(max(distances)),
        "dense_vertices": len(true[0]),
    }


def voxelised(vertices, faces, resolution):
    """The voxels that a surface goes through, (R, R, R) bool: those of its vertices, edges' middles and faces' middles.

    A face of marching cubes is smaller than a voxel.
    """
    corners = vertices[faces]
    points = np.concatenate(
        [corners.reshape(-1, 3), (corners + np.roll(corners, 1, 1)).reshape(-1, 3) / 2, corners.mean(1)]
    )
    result = np.zeros((resolution,) * 3, bool)
    result[tuple(np.clip(np.floor((points + 0.5) * resolution).astype(int), 0, resolution - 1).T)] = True
    return result


def fitted_object(database, category):
    """-> the object of a category that the network was fitted to, its first view, that view's camera."""
    entry = next(e for e in database.objects("train") if e.category == category)
    return entry, database.image(entry, 0), database.trans_mat(entry, 0)


def measure(run_folder, resolution, bfloat16, iso, category):
    network = load(run_folder, bfloat16)
    entry, rgba, camera = fitted_object(Database(network.config.db), category)
    query, meshes = FieldQuery(network), []
    result = {"resolution": resolution, "bfloat16": bfloat16, "binary": network.config.binary, "iso": iso}
    result["object"] = f"{entry.category}/{entry.object_id}"
    start = time.perf_counter()
    textured_mesh(query, rgba, camera, resolution, iso)
    result["first_s"] = time.perf_counter() - start  # compilation included
    result["fast_s"] = median_seconds(lambda: meshes.append(textured_mesh(query, rgba, camera, resolution, iso)), 5)
    vertices, faces, _, _, asked = meshes[-1]
    result |= {"points_asked": asked, "vertices": len(vertices), "faces": len(faces), "peak_rss_mb": peak_rss_mb()}
    exact = query
    if bfloat16:
        network = load(run_folder, False)
        exact = FieldQuery(network)
    seconds, timed, chunks = reference(network, rgba, camera, resolution)
    result |= {"reference_s": seconds, "reference_chunks_timed": timed, "reference_chunks": chunks}
    result["ratio"] = seconds / result["fast_s"]
    return {**result, **compare(exact, query, (vertices, faces), rgba, camera, resolution, iso), **matrix_rates()}


def main(argv):
    p = parser(__doc__)
    p.add_argument("--resolution", type=int, default=64, help="cells along each axis")
    p.add_argument("--bfloat16", action="store_true", help="the fast side computes in bfloat16")
    p.add_argument(
        "--binary", default=True, action=argparse.BooleanOptionalAction, help="logits of occupancy, or distances"
    )
    p.add_argument("--iso", type=float, default=0.0, help="level")
    p.add_argument("--category", default="chair", help="which of the fitted objects")
    p.add_argument("--restore_model", help="a run to take instead of the fitted one")
    p.add_argument("--out", required=True, help="JSON file to write")
    args = p.parse_args(argv)
    folder = Run(args.restore_model) if args.restore_model else fit(binary=args.binary)
    result = measure(folder, args.resolution, args.bfloat16, args.iso, args.category)
    report(args.out, result)


if __name__ == "__main__":
    run(main)
