"""Evaluate a run on unseen objects.

    python eval/eval.py --restore_model runs/all --iso auto --views 0,3,6 --create_obj

Writes for every (object, view) the field as txt (x y z r g b g0) and its surface voxels as a coloured point OBJ, with
--create_obj the coloured mesh too; then evaluation.json (the metrics with their definitions, means and standard deviations per
category and per view, beside the mean-shape and the retrieval baseline, with the failures) and figure.png (input, prediction
and truth from three sides). Prints the tables. Takes about 1 s an image with the small preset at 64^3 on 2 cores; --metrics all
takes about 5 s more, baselines included.
Stopped and started again it goes on with the images that are missing; metrics that are new are measured on the stored fields.
"""

import itertools
import json
import math
import pathlib

from models.weights import tf1_conventions
from models.weights.sources import open_model
from utils.cli import parser, run
from utils.errors import UserError
from utils.files import read_json, write_json
from utils.metrics import registry
from utils.surface.adaptive import check_resolution


def build_parser():
    p = parser(__doc__)
    p.add_argument("--restore_model", required=True, help="run to evaluate, or TF1 checkpoint (folder or prefix)")
    p.add_argument(
        "--log_dir", help="where results go (default: RUN/eval_<split>, beside a TF1 checkpoint PREFIX_eval_<split>)"
    )
    p.add_argument("--db", help="database, where it has moved (default: the run's)")
    p.add_argument("--split", choices=["test", "val", "train"], default="test", help="objects to evaluate")
    p.add_argument("--category", help="evaluate one category (default: the run's)")
    p.add_argument("--sdf_res", type=int, default=64, help="points along each axis of the grid")
    p.add_argument("--views", help="indices of the views of each object, such as 0,3,6 (default: all)")
    p.add_argument("--limit", type=int, help="at most so many objects of each category (default: all)")
    p.add_argument(
        "--iso",
        default="0",
        help="level: occupied where g0 > iso, inside where distance < iso; auto: the best one on val",
    )
    p.add_argument(
        "--create_obj",
        action="store_true",
        help="also write the coloured mesh of every image, asked from the field itself",
    )
    p.add_argument(
        "--mesh_res", type=int, help="cells along each axis for --create_obj, up to 512 (default: --sdf_res)"
    )
    p.add_argument(
        "--cam_est",
        help="also evaluate with cameras that this run of train_cam.py estimates (default: the run's --cam_est)",
    )
    p.add_argument("--metrics", default=registry.DEFAULT, help=f"some of {', '.join(registry.METRICS)}, or all")
    p.add_argument("--figure_objects", type=int, default=2, help="objects of every category in figure.png")
    tf1_conventions.add_flags(p)
    return p


def checked(args):
    """Flags that were given as text -> views (list or None), iso (float or 'auto')."""
    if args.sdf_res < 2:
        raise UserError(f"--sdf_res {args.sdf_res} must be at least 2")
    if args.mesh_res is not None and not args.create_obj:
        raise UserError(f"--mesh_res {args.mesh_res} needs --create_obj")
    if args.mesh_res is not None:
        check_resolution("--mesh_res", args.mesh_res)
    if args.limit is not None and args.limit < 1:
        raise UserError(f"--limit {args.limit} must be at least 1")
    try:
        views = None if args.views is None else [int(view) for view in args.views.split(",")]
    except ValueError:
        raise UserError(f"--views {args.views}: give indices such as 0,3,6") from None
    if views is not None and (min(views) < 0 or len(set(views)) < len(views)):
        raise UserError(f"--views {args.views}: give each index once, from 0 on")
    try:
        iso = "auto" if args.iso == "auto" else float(args.iso)
        if iso != "auto" and not math.isfinite(iso):
            raise ValueError
    except ValueError:
        raise UserError(f"--iso {args.iso}: give a number or auto") from None
    if args.figure_objects < 0:
        raise UserError(f"--figure_objects {args.figure_objects} must not be negative")
    return views, iso


def choose(entries, views, limit):
    """The (entry, view index) pairs to evaluate."""
    counts, pairs = {}, []
    for entry in entries:
        counts[entry.category] = counts.get(entry.category, 0) + 1
        if limit is not None and counts[entry.category] > limit:
            continue
        wanted = range(len(entry.view_names)) if views is None else views
        if max(wanted) >= len(entry.view_names):
            raise UserError(
                f"{entry.category}/{entry.object_id} has {len(entry.view_names)} views, there is no view {max(wanted)}"
            )
        pairs += [(entry, view) for view in wanted]
    return pairs


def identity(path):
    """What tells one state of a weights file from another."""
    status = path.stat()
    return {"file": str(path), "bytes": status.st_size, "modified": status.st_mtime_ns}


def level(path, weights, iso, query, database, val, category):
    """The level to use; 'auto' is looked up in the file `path` of the run, or found on the validation split and recorded there."""
    if iso != "auto":
        return iso
    key = {
        "weights": weights,
        "conventions": tf1_conventions.record(query.config),
        "db": str(database.path),
        "category": category,
    }
    if path.exists():
        known = read_json(path)
        if all(known.get(name) == value for name, value in key.items()):
            print(f"level {known['iso']:.4g} (best on val, from {path})")
            return known["iso"]
    from models.inference.iso_search import find_best_iso

    found = find_best_iso(query, database, val)
    write_json(path, {**key, **found})
    print(
        f"level {found['iso']:.4g}: mean IoU {found['iou']:.3f} over {found['images']} validation images; recorded in {path}"
    )
    return found["iso"]


def refuse_other_settings(out, settings):
    """UserError if `out` holds an evaluation whose settings differ."""
    if (out / "settings.json").exists():
        old = read_json(out / "settings.json")
        different = [key for key in settings if settings[key] != old.get(key)]
        if different:
            raise UserError(
                f"{out} holds an evaluation with other settings ({', '.join(different)}); delete it or give another --log_dir"
            )


def evaluate(query, database, entry, view, fields, iso, args, names, out):
    """Take the next of the predicted fields, an image's, and write its files -> (row of evaluation.json)."""
    from models.inference.predict import surface_voxels, textured_view
    from utils.geometry import frames
    from utils.mesh.writers import write_mesh, write_points
    from utils.metrics.comparison import Prediction, load_truth
    from utils.surface.txt_format import write_txt

    binary = query.config.binary
    name = entry.view_names[view]
    folder = out / "predictions" / entry.category / entry.object_id
    row = {
        "category": entry.category,
        "object_id": entry.object_id,
        "view": name,
        **registry.worst_values(names),
        "failed": None,
    }
    row["mesh_res"] = mesh_resolution(args)
    row["no_mesh"] = None  # the reason, where there are voxels and no surface: a field without any empty cell
    try:
        field = next(fields)
        if isinstance(field, UserError):
            raise field
        write_txt(folder / f"{name}_pred.txt", field)
        if not query.occupied(field.geometry, iso).any():
            low, high = field.geometry.min(), field.geometry.max()
            raise UserError(f"field is empty: min {low:.4g}, max {high:.4g}, level {iso:.4g}")
        voxels, predicted = surface_voxels(field, binary, iso)
    except UserError as error:
        row["failed"] = str(error)
        return row
    write_points(folder / f"{name}_pred.obj", frames.from_voxel(voxels), predicted)
    if args.create_obj:
        try:
            write_mesh(folder / f"{name}_mesh.obj", *textured_view(query, database, entry, view, row["mesh_res"], iso))
        except UserError as error:
            row["no_mesh"] = str(error)
    return measured(row, Prediction.of_field(field, binary, iso, voxels, predicted), load_truth(database, entry), names)


def measured(row, prediction, truth, names):
    """The row with the metrics `names` of a prediction."""
    values = registry.measure(names, prediction, truth)
    lacking = registry.need_surface(names) and prediction.solid is None
    return {**row, **values, "no_mesh": prediction.no_surface if lacking else row["no_mesh"]}


def with_more(row, query, database, entry, iso, names, out):
    """The row of an image that was evaluated, with those of the metrics `names` that it lacks, from the stored field."""
    from models.inference.predict import surface_voxels
    from utils.metrics.comparison import Prediction, load_truth
    from utils.surface.txt_format import read_txt

    if row["failed"]:
        return {**registry.worst_values(names), **row}
    field = read_txt(out / "predictions" / row["category"] / row["object_id"] / f"{row['view']}_pred.txt")
    prediction = Prediction.of_field(field, query.config.binary, iso, *surface_voxels(field, query.config.binary, iso))
    return measured(row, prediction, load_truth(database, entry), [name for name in names if name not in row])


def mesh_resolution(args):
    """Cells along each axis for the mesh of an image, or None."""
    return (args.mesh_res or args.sdf_res) if args.create_obj else None


def complete(row, mesh_res, out):
    """Whether the files of an image that was evaluated are there; mesh_res: with a mesh of that resolution, None: with any or none."""
    base = out / "predictions" / row["category"] / row["object_id"]
    files = [] if row["failed"] else ["pred.txt", "pred.obj"]
    if mesh_res and not row["failed"] and not row["no_mesh"]:
        if row.get("mesh_res") != mesh_res:
            return False
        files.append("mesh.obj")
    return all((base / f"{row['view']}_{name}").exists() for name in files)


def evaluate_all(query, database, pairs, iso, args, names, out):
    """Rows of all images; those that an interrupted evaluation has done are read from rows.jsonl, the last of an image counts."""
    from tqdm import tqdm

    from models.inference.predict import predict_views

    path = out / "rows.jsonl"
    done = {}
    if path.exists():
        lines = path.read_text().splitlines(keepends=True)
        try:
            rows = [
                json.loads(line) for line in lines if line.endswith("\n")
            ]  # the last line of a killed run may be cut
        except ValueError as error:
            raise UserError(f"{path} is damaged ({error}); delete {out} to evaluate again") from None
        done = {(row["category"], row["object_id"], row["view"]): row for row in rows}
        path.write_text("".join(line for line in lines if line.endswith("\n")))
        print(f"{len(done)} images are done already")
    rows = []
    with open(path, "a") as log, tqdm(total=len(pairs), desc="evaluating", unit="image", mininterval=2) as bar:
        for entry, group in itertools.groupby(pairs, lambda pair: pair[0]):
            views = [view for _, view in group]
            known = {view: done.get((entry.category, entry.object_id, entry.view_names[view])) for view in views}
            missing = [
                view for view in views if known[view] is None or not complete(known[view], mesh_resolution(args), out)
            ]
            fields = predict_views(query, database, entry, missing, args.sdf_res, iso)
            for view in views:
                row = known[view]
                if view in missing:
                    row = evaluate(query, database, entry, view, fields, iso, args, names, out)
                elif not set(names) <= set(row):
                    row = with_more(row, query, database, entry, iso, names, out)
                if row is not known[view]:
                    log.write(json.dumps(row) + "\n")
                    log.flush()
                rows.append(row)
                bar.update()
    return rows


def evaluate_estimated(query, database, pairs, args, names, settings, out, path):
    """The same images with the cameras that the run `path` estimates -> rows as of evaluate_all, rows of the cameras' errors."""
    from data.estimated_cameras import EstimatedCameras
    from models.inference.camera_estimator import CameraEstimator
    from utils.metrics.camera_metrics import camera_errors

    estimator, out = CameraEstimator(path), out / "cam_est"
    settings = {**settings, "cam_est": identity(estimator.weights)}
    refuse_other_settings(out, settings)
    write_json(out / "settings.json", settings)
    estimated = EstimatedCameras(database, estimator, pairs)
    rows = evaluate_all(query, estimated, pairs, settings["iso"], args, names, out)
    errors = []
    for entry, view in pairs:
        found = camera_errors(
            estimated.trans_mat(entry, view), database.trans_mat(entry, view), *database.surface(entry)
        )
        errors.append(
            {"category": entry.category, "object_id": entry.object_id, "view": entry.view_names[view], **found}
        )
    return rows, errors


def make_figure(query, database, pairs, rows, iso, count, names, path):
    """figure.png: the first view of a few objects of every category, evenly spaced over its objects; titles of two metrics."""
    from data.network_input import network_image
    from models.inference.predict import coloured_surface, predict_view
    from utils.geometry import frames
    from utils.metrics import voxel_metrics
    from utils.rendering import figure

    first = {}
    for pair, row in zip(pairs, rows, strict=True):
        first.setdefault(pair[0].category, {}).setdefault(pair[0].object_id, (*pair, row))
    shown = []
    for of_one in first.values():
        objects = list(of_one.values())
        for entry, view, row in objects[:: max(1, len(objects) // count)][:count]:
            field = predict_view(query, database, entry, view, frames.VOXELS, iso)
            try:
                mesh = coloured_surface(field, query.config.binary, iso)
            except UserError:
                mesh = None
            true = voxel_metrics.true_voxels(*database.voxels(entry))
            shown_metrics = [
                f"{registry.METRICS[name].heading} {row[name]:.{registry.METRICS[name].digits}f}" for name in names[:2]
            ]
            title = f"{entry.category} {entry.object_id}\n{'  '.join(shown_metrics)}"
            image = network_image(database.image(entry, view), query.config)[..., :3]
            shown.append((title, image, mesh, true))
    figure.figure(shown, path)


def main(argv):
    args = build_parser().parse_args(argv)
    views, iso = checked(args)
    names = registry.parse_names(args.metrics)
    model = open_model(args.restore_model, tf1_conventions.overrides(args))
    config = model.config
    print(model.describe())
    if not config.colour:
        names = registry.without_colour(names)
        print("the network predicts no colours: they are grey in every file, and metrics of colours are left out")
    weights = identity(model.weights)

    from data.shards import Database
    from models.inference import evaluation
    from models.inference.field_query import FieldQuery
    from models.networks.texdisn import build

    if not args.db and not pathlib.Path(config.db).is_dir():
        raise UserError(
            f"{config.db}, the database of {args.restore_model}, is not there (seen from this folder); give --db"
        )
    database = Database(args.db or config.db)
    category = args.category or config.category
    pairs = choose(database.objects(args.split, category), views, args.limit)
    train, val = (database.objects(split, category) for split in ("train", "val"))  # for the level and the baselines
    network = build(config)
    model.load(network)
    query = FieldQuery(network)
    out = pathlib.Path(args.log_dir) if args.log_dir else model.beside(f"eval_{args.split}")
    print(
        f"evaluating {model.weights} (step {model.step}) on {len(pairs)} images of {database.path}, {args.split} split -> {out}"
    )
    settings = {
        "weights": weights,
        "step": model.step,
        "db": str(database.path),
        "split": args.split,
        "sdf_res": args.sdf_res,
    }
    settings["conventions"] = tf1_conventions.record(config)
    refuse_other_settings(out, settings)
    settings["iso"] = iso = level(model.beside("level.json"), weights, iso, query, database, val, category)
    refuse_other_settings(out, settings)
    write_json(out / "settings.json", settings)

    rows = evaluate_all(query, database, pairs, iso, args, names, out)
    tables, cameras = {"prediction": rows}, None
    cam_est = args.cam_est or config.cam_est
    if cam_est:
        tables["estimated camera"], cameras = evaluate_estimated(
            query, database, pairs, args, names, settings, out, cam_est
        )
    tables |= evaluation.baselines(database, train, val, pairs, config, names)
    chosen = {
        "mode": "binary" if config.binary else "sdf",
        "category": category,
        "views": args.views,
        "limit": args.limit,
    }
    chosen["colour"] = config.colour
    chosen["cam_est"] = cam_est or None
    evaluation.write(out / "results.json", {**settings, **chosen}, tables, names, cameras)
    if args.figure_objects:
        make_figure(query, database, pairs, rows, iso, args.figure_objects, names, out / "figure.png")
        print(f"figure       {out / 'figure.png'}")
    print(f"results      {out / 'results.json'}")
    print(f"predictions  {out / 'predictions'}")


if __name__ == "__main__":
    run(main)
