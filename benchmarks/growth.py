"""How the time from an image to a coloured mesh grows with the resolution.

    python benchmarks/growth.py --out growth.json

Measured on the field of benchmarks/fitted.py, in bfloat16, or in float32 with --no-bfloat16. For
every resolution R:

seconds_R      median of repeated runs
points_R       queried points
vertices_R     vertices of the mesh
peak_rss_mb_R  the largest memory of the process so far
growth_R       seconds_R over seconds_(R/2)
"""

import argparse

from benchmarks.fitted import fit
from benchmarks.machine import matrix_rates, median_seconds, peak_rss_mb, report
from benchmarks.query import fitted_object, load
from data.shards import Database
from utils.cli import parser, real_number, run


def measure(run_folder, bfloat16, iso, category):
    from models.inference.field_query import FieldQuery
    from models.inference.predict import mesh_of_image

    network = load(run_folder, bfloat16)
    entry, rgba, camera = fitted_object(Database(network.config.db), category)
    query, meshes = FieldQuery(network), []
    result = {"bfloat16": bfloat16, "iso": iso, "object": f"{entry.category}/{entry.object_id}"}
    for resolution in (64, 128, 256, 512):
        seconds = median_seconds(lambda r=resolution: meshes.append(mesh_of_image(query, rgba, camera, r, iso)), 3)
        mesh = meshes[-1]
        meshes.clear()
        result |= {
            f"seconds_{resolution}": seconds,
            f"points_{resolution}": mesh.queries,
            f"vertices_{resolution}": len(mesh.vertices),
        }
        result[f"peak_rss_mb_{resolution}"] = peak_rss_mb()
        if resolution > 64:
            result[f"growth_{resolution}"] = seconds / result[f"seconds_{resolution // 2}"]
    return {**result, **matrix_rates()}


def main(argv):
    p = parser(__doc__)
    p.add_argument("--bfloat16", default=True, action=argparse.BooleanOptionalAction, help="compute in bfloat16")
    p.add_argument("--iso", type=real_number(), default=0.0, help="iso value of the field")
    p.add_argument("--category", default="chair", help="which of the fitted objects")
    p.add_argument("--out", required=True, help="JSON file to write")
    args = p.parse_args(argv)
    result = measure(fit(), args.bfloat16, args.iso, args.category)
    report(args.out, result)


if __name__ == "__main__":
    run(main)
