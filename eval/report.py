"""One HTML file that shows an evaluated run: tables, training curves, pictures, configuration.

    python eval/report.py runs/all                      # runs/all/eval_test/report.html
    python eval/report.py runs/all --eval runs/all/eval_val --objects 6 --db /data/db --out report.html

Needs the results of eval/eval.py; neither the network nor its weights are loaded. The file holds everything itself and opens
offline, without JavaScript: every metric of the prediction and of the baselines with its definition, the failures with their
reasons, the metrics by view, the losses by epoch, and for every category the best image, the worst and a few between them,
each with its input, the prediction and the true voxels from three sides. Takes about 2 s a picture row on 2 cores, most of it for
the pictures; with --objects 0, which leaves the gallery out and needs no database, 3 s in all. Prints how many images it shows, and
ends with the path of the file.
"""

import base64
import io
import pathlib

from utils.cli import parser, run
from utils.errors import UserError
from utils.files import read_json, replacing
from utils.metrics import registry

PICTURE = 224  # pixels: on a screen of two pixels a point a picture is not much larger
COMMAND = "python eval/eval.py --restore_model"


def build_parser():
    p = parser(__doc__)
    p.add_argument("run", metavar="RUN", help="run folder, evaluated by eval/eval.py")
    p.add_argument(
        "--eval", help="folder of the evaluation (default: RUN/eval_test, or the only RUN/eval_<split> there is)"
    )
    p.add_argument("--out", help="HTML file to write (default: report.html in the folder of the evaluation)")
    p.add_argument("--db", help="database, where it has moved (default: the evaluation's)")
    p.add_argument(
        "--objects", type=int, default=3, help="images of a category between its best and its worst; 0: no gallery"
    )
    return p


def evaluation_folder(folder, given):
    """The folder of the evaluation to show, which holds a results.json; UserError says how to make it."""
    if given is None and not folder.is_dir():
        raise UserError(f"{folder} is not a run folder (there is no such folder)")
    candidates = [pathlib.Path(given)] if given else sorted(path for path in folder.glob("eval_*") if path.is_dir())
    finished = [path for path in candidates if (path / "results.json").exists()]
    unfinished = [path for path in candidates if (path / "settings.json").exists() and path not in finished]
    test = folder / "eval_test"
    if test in finished and not given:
        return test
    if len(finished) > 1:
        raise UserError(
            f"{folder} has several evaluations ({', '.join(path.name for path in finished)}); choose one with --eval"
        )
    if finished:
        return finished[0]
    if unfinished:
        raise UserError(
            f"the evaluation {unfinished[0]} is not finished: it has no results.json; start it again: {COMMAND} {folder}"
        )
    where = f"{given} holds no evaluation (no results.json)" if given else f"{folder} has not been evaluated"
    raise UserError(f"{where}; run: {COMMAND} {folder}" + (f" --log_dir {given}" if given else ""))


def read_results(path):
    """results.json, checked for what the page is made of."""
    results = read_json(path)
    needed = {"weights", "step", "db", "split", "iso", "mode", "metrics", "definitions", "results", "images"}
    lacking = sorted(needed - set(results)) if isinstance(results, dict) else sorted(needed)
    if lacking or "prediction" not in results["results"] or not results["images"].get("prediction"):
        what = f"it lacks {', '.join(lacking)}" if lacking else "it has no prediction"
        raise UserError(f"{path} is not a results.json of eval/eval.py: {what}")
    unknown = [name for name in results["metrics"] if name not in registry.METRICS]
    if unknown:
        raise UserError(f"{path} has metrics of another version ({', '.join(unknown)}); evaluate again")
    return results


def choose(rows, name, count):
    """Rows of one category -> [(label, row)]: the best by the metric `name`, `count` between, the worst; by rank.

    Those between are spread evenly over the ranks, one of each object (its middle view by rank) where there are enough of them. A
    failed image is behind all others.
    """
    from utils.reports.html import higher

    sign = 1 if higher(name) else -1
    ranked = sorted(rows, key=lambda row: (not row["failed"], sign * row[name]), reverse=True)
    ranks = range(1, len(ranked) - 1)
    taken = {ranked[0]["object_id"], ranked[-1]["object_id"]}
    of_object = {}
    for rank in ranks:
        if ranked[rank]["object_id"] not in taken:
            of_object.setdefault(ranked[rank]["object_id"], []).append(rank)
    one_each = sorted(each[len(each) // 2] for each in of_object.values())
    pool = one_each if len(one_each) >= count else list(ranks)
    count = min(count, len(pool))
    between = [pool[(2 * i + 1) * len(pool) // (2 * count)] for i in range(count)]
    shown = [
        (f"best of {len(ranked)}", ranked[0]),
        *((f"rank {rank + 1} of {len(ranked)}", ranked[rank]) for rank in between),
    ]
    return shown + [(f"worst of {len(ranked)}", ranked[-1])] if len(ranked) > 1 else [("the only image", ranked[0])]


def predicted_mesh(out, row, binary, iso):
    """The stored prediction of an image -> vertices (V, 3) object frame, faces (F, 3), colours (V, 3); UserError where there is none."""
    import trimesh

    from models.inference.predict import coloured_surface
    from utils.surface.txt_format import read_txt

    base = out / "predictions" / row["category"] / row["object_id"]
    mesh = base / f"{row['view']}_mesh.obj"
    if not mesh.exists():
        return coloured_surface(read_txt(base / f"{row['view']}_pred.txt"), binary, iso)
    loaded = trimesh.load(mesh, process=False)
    return loaded.vertices, loaded.faces, loaded.visual.vertex_colors[:, :3] / 255


def gallery(results, out, db, count):
    """results.json, the evaluation's folder, the path of the database -> [Card], category by category, by rank."""
    from tqdm import tqdm

    from data.shards import Database
    from utils.reports.html import Card

    if not pathlib.Path(db).is_dir():
        raise UserError(f"{db}, the database of the evaluation, is not there (seen from this folder), and the gallery needs it; give --db,"
                        " or --objects 0 for a report without gallery")  # fmt: skip
    database = Database(db)
    entries = {(entry.category, entry.object_id): entry for entry in database.objects(results["split"])}
    of_category, shown = {}, []
    for row in results["images"]["prediction"]:
        of_category.setdefault(row["category"], []).append(row)
    for rows in of_category.values():
        shown += choose(rows, results["metrics"][0], count)
    cards = []
    for label, row in tqdm(shown, desc="gallery", unit="image", mininterval=2):
        entry = entries.get((row["category"], row["object_id"]))
        if entry is None or row["view"] not in entry.view_names:
            name = f"{row['category']}/{row['object_id']}, view {row['view']}"
            raise UserError(
                f"{db} has no {name} in its {results['split']} split: it is not the evaluation's database; give --db"
            )
        image = embedded(database.image(entry, entry.view_names.index(row["view"])))
        cards.append(Card(label, row, image, *renderings(results, out, database, entry, row)))
    return cards


def renderings(results, out, database, entry, row):
    """An image of the evaluation -> img elements of its prediction from the sides of figure.png, of the truth, why the first are none."""
    from utils.mesh.voxels import cubes
    from utils.metrics import voxel_metrics
    from utils.rendering import figure

    predicted, lacking = [], row["failed"]
    if not lacking:
        try:
            predicted = figure.views(*predicted_mesh(out, row, results["mode"] == "binary", results["iso"]))
        except UserError as error:  # no surface at the level, or a prediction that is not stored any more
            lacking = str(error)
    # one square for all pictures of the image, as in figure.png: their scale stays comparable
    rendered = figure.crop([*predicted, *figure.views(*cubes(*voxel_metrics.true_voxels(*database.voxels(entry))))])
    shown = [embedded(picture) for picture in rendered]
    return shown[: len(predicted)], shown[len(predicted) :], lacking


def embedded(rgba):
    """(H, W, 4) uint8 -> an img element that holds the picture: on white, at most PICTURE pixels a side, as WebP."""
    import PIL.Image

    image = PIL.Image.fromarray(rgba, "RGBA")
    image = PIL.Image.alpha_composite(PIL.Image.new("RGBA", image.size, "white"), image).convert("RGB")
    image.thumbnail((PICTURE, PICTURE))
    out = io.BytesIO()
    image.save(out, "WEBP", quality=85)
    data = base64.b64encode(out.getvalue()).decode()
    return f'<img alt="" width="{image.width}" height="{image.height}" src="data:image/webp;base64,{data}">'


def main(argv):
    args = build_parser().parse_args(argv)
    if args.objects < 0:
        raise UserError(f"--objects {args.objects} must not be negative")
    folder = pathlib.Path(args.run)
    out = evaluation_folder(folder, args.eval)
    results = read_results(out / "results.json")
    # a TF1 checkpoint has neither configuration nor history
    config, history, settings = (
        read_json(path) if path.exists() else None
        for path in (folder / "config.json", folder / "history.json", out / "settings.json")
    )

    from utils.reports.html import Report, page

    cards = gallery(results, out, args.db or results["db"], args.objects) if args.objects else None
    path = pathlib.Path(args.out) if args.out else out / "report.html"
    with replacing(path) as temporary:
        temporary.write_text(page(Report(str(folder), results, settings, config, history, cards)), encoding="utf-8")
    prediction = results["results"]["prediction"]
    shown = f"{len(cards)} of {prediction['images']} images" if cards is not None else "no gallery"
    print(f"{shown}, {prediction['failed']} failed, {path.stat().st_size / 1e6:.1f} MB")
    print(f"report       {path}")


if __name__ == "__main__":
    run(main)
