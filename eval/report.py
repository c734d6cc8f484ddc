"""One HTML file that shows an evaluated run: tables, training curves, images, configuration.

    python eval/report.py runs/all                      # runs/all/eval_test/report.html
    python eval/report.py runs/all --eval runs/all/eval_val --objects 6 --db /data/db --out a.html

Needs the results of eval/eval.py; neither the network nor its weights are loaded. The file is
self-contained and opens offline, without JavaScript. It begins with one table of all methods by all
metrics, and one by data set where these are known; a matrix for each metric shows the categories.
Then come the failures with their reasons, the metrics by view, the losses by epoch, links to the
files of every image, and for every category the best image, the worst and a few between them, each
with its input, the prediction and the true voxels from three sides. With --objects 0 there is no
gallery, and no database is needed. The last line of the output is the path of the file.
"""

import argparse
import os
import pathlib
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import trimesh
from tqdm import tqdm

from data.data_sets import DataSets, read_data_sets
from data.shards import Database, ObjectEntry
from models.inference.evaluation_folder import EvaluationFolder, default_name
from models.inference.kept_evaluations import kept_evaluations
from models.weights.run import Run
from utils.cli import parser, run, whole_number
from utils.errors import UserError
from utils.files import read_json, replacing
from utils.mesh.voxels import cubes
from utils.metrics.registry import METRICS
from utils.metrics.summary import summarise
from utils.metrics.voxel_metrics import true_voxels
from utils.provenance import provenance
from utils.rendering import figure
from utils.reports.elements import text
from utils.reports.html import Report, page
from utils.reports.images import Card, Links, Row, choose, embedded
from utils.surface.dense import coloured_surface
from utils.surface.txt_format import read_txt

COMMAND = "python eval/eval.py --restore_model"
NEEDED = ("db", "definitions", "images", "iso", "metrics", "mode", "results", "split", "step", "weights")


def build_parser() -> argparse.ArgumentParser:
    p = parser(__doc__)
    p.add_argument("run", metavar="RUN", type=pathlib.Path, help="run folder, evaluated by eval/eval.py")
    p.add_argument(
        "--eval",
        type=pathlib.Path,
        help="folder of the evaluation (default: RUN/eval_test, or the only RUN/eval_<split> there is)",
    )
    p.add_argument(
        "--out", type=pathlib.Path, help="HTML file to write (default: report.html in the folder of the evaluation)"
    )
    p.add_argument("--db", type=pathlib.Path, help="database, where it has moved (default: the evaluation's)")
    p.add_argument(
        "--objects",
        type=whole_number(0),
        default=3,
        help="images of a category between its best and its worst; 0: no gallery",
    )
    p.add_argument(
        "--data_sets",
        type=pathlib.Path,
        help='JSON file {"data set": ["category/object*", ...]}: means of each data set too (default: as evaluated)',
    )
    return p


def evaluation_folder(run: pathlib.Path, requested: pathlib.Path | None) -> EvaluationFolder:
    """Find the evaluation to show: the requested folder, eval_test, or the only one of the run.

    Raises:
        UserError: there is no results.json, or the choice is not clear; says what to do.
    """
    if requested is None and not run.is_dir():
        raise UserError(f"{run} is not a run folder (there is no such folder)")
    paths = [requested] if requested else sorted(path for path in run.glob(default_name("*")) if path.is_dir())
    candidates = [EvaluationFolder(path) for path in paths]
    finished = [folder for folder in candidates if folder.results.exists()]
    unfinished = [folder for folder in candidates if folder.settings.exists() and not folder.results.exists()]
    test = EvaluationFolder(run / default_name("test"))
    if test.results.exists() and not requested:
        return test
    if len(finished) > 1:
        names = ", ".join(folder.path.name for folder in finished)
        raise UserError(f"{run} has several evaluations ({names}); choose one with --eval")
    if finished:
        return finished[0]
    if unfinished:
        raise UserError(
            f"the evaluation {unfinished[0].path} is not finished: it has no results.json; "
            f"start it again: {COMMAND} {run}"
        )
    if requested:
        raise UserError(
            f"{requested} holds no evaluation (no results.json); run: {COMMAND} {run} --log_dir {requested}"
        )
    raise UserError(f"{run} has not been evaluated; run: {COMMAND} {run}")


def read_results(path: pathlib.Path, data_sets: DataSets | None = None) -> dict[str, Any]:
    """Read results.json; UserError if it lacks entries that the page shows.

    The means are made anew from the images: by data set, if these are given, and with all that
    earlier versions left out.
    """
    results = read_json(path)
    lacking = [name for name in NEEDED if not isinstance(results, dict) or name not in results]
    if lacking or "prediction" not in results["results"] or not results["images"].get("prediction"):
        what = f"it lacks {', '.join(lacking)}" if lacking else "it has no prediction"
        raise UserError(f"{path} is not a results.json of eval/eval.py: {what}")
    unknown = [name for name in results["metrics"] if name not in METRICS]
    if unknown:
        raise UserError(f"{path} has metrics of another version ({', '.join(unknown)}); evaluate again")
    try:
        for method, rows in results["images"].items():
            if data_sets:
                rows[:] = [{**row, "data_set": data_sets.of(row["category"], row["object_id"])} for row in rows]
            results["results"][method] = summarise(rows, [name for name in results["metrics"] if name in rows[0]])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({type(error).__name__}: {error}); evaluate again") from None
    return results


def earlier_results(out: EvaluationFolder) -> list[dict[str, Any]]:
    """results.json of the evaluations of other weights; those that cannot be read are left out."""
    results = []
    for kept in kept_evaluations(out):
        try:
            results.append(read_results(kept.results))
        except UserError as error:
            print(f"left out: {error}")
    return results


def links_of(rows: Sequence[Row], out: EvaluationFolder, page_folder: pathlib.Path) -> Links:
    """URLs, relative to the folder of the page, of the files that are there of each image."""
    links: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in rows:
        files = out.prediction(row)
        paths = {"mesh": files.mesh, "points": files.points, "field": files.field}  # what pages call them
        links[row["category"], row["object_id"], row["view"]] = {
            name: urllib.parse.quote(os.fsencode(pathlib.Path(os.path.relpath(path, page_folder)).as_posix()))
            for name, path in paths.items()
            if path.exists()
        }
    return links


def predicted_mesh(
    out: EvaluationFolder, row: Row, binary: bool, iso: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the stored prediction of an image as a mesh.

    Args:
        out: folder of the evaluation.
        row: of the image.
        binary: whether the field holds occupancy logits (True) or signed distances.
        iso: value of the field at the surface.

    Returns:
        Vertices (V, 3) in the object frame, faces (F, 3) and colours (V, 3) in [0, 1].

    Raises:
        UserError: the prediction is not stored, or its field has no surface.
    """
    files = out.prediction(row)
    if files.mesh.exists():
        mesh = trimesh.load(files.mesh, process=False)
        return mesh.vertices, mesh.faces, mesh.visual.vertex_colors[:, :3] / 255
    return coloured_surface(read_txt(files.field), binary, iso)


def gallery(results: Mapping[str, Any], out: EvaluationFolder, db: pathlib.Path, count: int) -> list[Card]:
    """Make the cards of the chosen images, category by category, by rank.

    Args:
        results: results.json.
        out: folder of the evaluation.
        db: path of the database.
        count: number of images between the best and the worst of a category.
    """
    if not db.is_dir():
        raise UserError(
            f"{db}, the database of the evaluation, is missing (seen from this folder), and the gallery needs it;"
            " give --db, or --objects 0 for a report without gallery"
        )
    database = Database(db)
    entries = {(entry.category, entry.object_id): entry for entry in database.objects(results["split"])}
    rows_of_category: dict[str, list[Row]] = {}
    for row in results["images"]["prediction"]:
        rows_of_category.setdefault(row["category"], []).append(row)
    chosen = [pair for rows in rows_of_category.values() for pair in choose(rows, results["metrics"][0], count)]
    cards = []
    for label, row in tqdm(chosen, desc="gallery", unit="image", mininterval=2):
        entry = entries.get((row["category"], row["object_id"]))
        if entry is None or row["view"] not in entry.view_names:
            name = f"{row['category']}/{row['object_id']}, view {row['view']}"
            raise UserError(
                f"{db} has no {name} in its {results['split']} split: it is not the evaluation's database; give --db"
            )
        try:
            image = embedded(database.image(entry, entry.view_names.index(row["view"])))
        except UserError as error:  # a failure of the evaluation, which did not end it
            image = f'<p class="bad">{text(str(error))}</p>'
        predicted, truth, lacking = renderings(results, out, database, entry, row)
        cards.append(Card(label=label, row=row, image=image, predicted=predicted, truth=truth, lacking=lacking))
    return cards


def renderings(
    results: Mapping[str, Any], out: EvaluationFolder, database: Database, entry: ObjectEntry, row: Row
) -> tuple[list[str], list[str], str | None]:
    """Render prediction and truth of an image from the sides of figure.png.

    Args:
        results: results.json.
        out: folder of the evaluation.
        database: of the evaluation.
        entry: the object.
        row: of the image.

    Returns:
        img elements of the prediction, img elements of the truth, and why the former are missing.
    """
    predicted, lacking = [], row["failed"]
    if not lacking:
        try:
            predicted = figure.render_sides(*predicted_mesh(out, row, results["mode"] == "binary", results["iso"]))
        except UserError as error:
            lacking = str(error)
    # cropped to one square, as in figure.png: the scale of prediction and truth stays comparable
    views = figure.crop_alike([*predicted, *figure.render_sides(*cubes(*true_voxels(*database.voxels(entry))))])
    elements = [embedded(view) for view in views]
    return elements[: len(predicted)], elements[len(predicted) :], lacking


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    out = evaluation_folder(args.run, args.eval)
    try:
        make(args, out, args.out or out.report)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{out.path} is damaged: a file of the run or of its evaluation lacks what the report shows ({what}); "
            "evaluate again"
        ) from None


def make(args: argparse.Namespace, out: EvaluationFolder, path: pathlib.Path) -> None:
    """Write the page of an evaluation to `path`, and print what it holds."""
    evaluated = Run(args.run)
    results = read_results(out.results, read_data_sets(args.data_sets) if args.data_sets else None)
    # a TF1 checkpoint has neither configuration nor history
    config, history, settings = (
        read_json(file) if file.exists() else None for file in (evaluated.config, evaluated.history, out.settings)
    )
    cards = gallery(results, out, args.db or pathlib.Path(results["db"]), args.objects) if args.objects else None
    report = Report(
        run=str(args.run),
        results=results,
        settings=settings,
        config=config,
        history=history,
        cards=cards,
        links=links_of(results["images"]["prediction"], out, path.parent),
        earlier=earlier_results(out),
        made=provenance(),
    )
    content = page(report)
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
    prediction = results["results"]["prediction"]
    shown = f"{len(cards)} of {prediction['images']} images" if cards is not None else "no gallery"
    print(f"{shown}, {prediction['failed']} failed, {path.stat().st_size / 1e6:.1f} MB")
    print(f"report       {path}")


if __name__ == "__main__":
    run(main, resumes=False)
