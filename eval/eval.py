"""Evaluate a run on unseen objects.

    python eval/eval.py --restore_model runs/all --iso auto --views 0,3,6 --create_obj

Writes for every (object, view) the field as txt (x y z r g b g0) and its surface voxels as a
coloured point OBJ, with --create_obj the coloured mesh too; then results.json (the metrics with
their definitions, means and standard deviations per category and per view, beside the mean-shape
and the retrieval baseline, with the failures) and figure.png (input, prediction and truth from
three sides). Prints the tables. Stopped and started again it resumes with the missing images; new
metrics are measured on the stored fields. After more training the same command evaluates the new
weights; results of earlier ones are kept in steps/<step>/.
"""

import argparse
import pathlib

from models.choices import PRECISION_HELP, PRECISIONS
from models.config import Config
from models.inference.evaluation_folder import EvaluationFolder, default_name
from models.weights import tf1_conventions
from models.weights.run import check_there
from utils import cli, engine_flags
from utils.errors import UserError
from utils.files import check_out
from utils.metrics import registry
from utils.out_folder import working_in
from utils.surface.adaptive import check_resolution


def build_parser() -> argparse.ArgumentParser:
    p = cli.parser(__doc__)
    p.add_argument("--restore_model", required=True, help="run to evaluate, or TF1 checkpoint (folder or prefix)")
    p.add_argument(
        "--log_dir", help="where results go (default: RUN/eval_<split>, beside a TF1 checkpoint PREFIX_eval_<split>)"
    )
    p.add_argument("--db", help="database, where it has moved (default: the run's)")
    p.add_argument("--split", choices=["test", "val", "train"], default="test", help="objects to evaluate")
    p.add_argument("--category", help="evaluate one category (default: the run's)")
    p.add_argument("--sdf_res", type=cli.whole_number(2), default=64, help="points along each axis of the grid")
    p.add_argument(
        "--views",
        type=cli.numbers_list(cli.whole_number(0)),
        help="indices of the views of each object, such as 0,3,6 (default: all)",
    )
    p.add_argument("--limit", type=cli.whole_number(1), help="at most so many objects of each category (default: all)")
    p.add_argument(
        "--iso",
        type=iso_value,
        default=0.0,
        help="iso value: occupied where g0 > iso, inside where distance < iso; auto: the best one on validation",
    )
    p.add_argument("--create_obj", action="store_true", help="also write the coloured mesh of every image")
    p.add_argument(
        "--mesh_res", type=int, help="cells along each axis for --create_obj, up to 512 (default: --sdf_res)"
    )
    p.add_argument(
        "--cam_est",
        help="also evaluate with cameras that this run of train_cam.py estimates (default: the run's --cam_est)",
    )
    known = "; ".join(
        f"{name} = {metric.heading}, {metric.better} is better" for name, metric in registry.METRICS.items()
    )
    known = known.replace("%", "%%")  # argparse formats help texts
    p.add_argument(
        "--metrics",
        type=metric_names,
        default=registry.DEFAULT,
        help=f"names with commas between them, or all. {known}",
    )
    p.add_argument(
        "--data_sets",
        type=pathlib.Path,
        help='JSON file {"data set": ["category/object*", ...]}: means of each data set too (default: data_sets.json '
        "in the database, where it is)",
    )
    p.add_argument(
        "--figure_objects",
        type=figure_objects,
        nargs="+",
        default=[2],
        help="objects in figure.png: how many of every category, or category/object of each",
    )
    engine_flags.add_flags(
        p, "objects evaluated at once, each by a process with the network (more than one: without a GPU)"
    )
    p.add_argument("--precision", choices=PRECISIONS, default="auto", help=PRECISION_HELP)
    cli.older_switch(p, "--bfloat16", "precision", "bfloat16", "float32")
    tf1_conventions.add_flags(p)
    return p


def iso_value(text: str) -> float | None:
    """--iso: a number, or None for auto."""
    return None if text == "auto" else cli.real_number()(text)


def figure_objects(text: str) -> int | str:
    """--figure_objects: a number, or the name of an object."""
    return text if "/" in text else cli.whole_number(0)(text)


def metric_names(text: str) -> tuple[str, ...]:
    """--metrics: names of metrics, in the order of the registry."""
    try:
        return tuple(registry.parse_names(text))
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def check(args: argparse.Namespace) -> None:
    """Refuse flags that do not go together, or name nothing, before TensorFlow is loaded."""
    if args.mesh_res is not None:
        if not args.create_obj:
            raise UserError(f"--mesh_res {args.mesh_res} needs --create_obj")
        check_resolution("--mesh_res", args.mesh_res)
    if args.views and len(set(args.views)) < len(args.views):
        raise UserError(f"--views {','.join(map(str, args.views))}: give each index once")
    figured = args.figure_objects
    if len(set(figured)) < len(figured) or len(figured) > 1 and any(isinstance(word, int) for word in figured):
        words = " ".join(map(str, figured))
        raise UserError(f"--figure_objects {words}: give one number, or each object's name once")
    if args.db and not pathlib.Path(args.db).is_dir():
        raise UserError(f"--db {args.db} is not a folder")
    if args.log_dir:
        check_out(args.log_dir)
    engine_flags.of_flags(args)
    for run in filter(None, (args.restore_model, args.cam_est)):
        check_there(run)


def database_path(args: argparse.Namespace, config: Config) -> str:
    if not args.db and not pathlib.Path(config.db).is_dir():
        raise UserError(
            f"{config.db}, the database of {args.restore_model}, is not there (seen from this folder); give --db"
        )
    return args.db or config.db


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    check(args)

    from data.data_sets import find_data_sets
    from data.shards import Database
    from models.inference.evaluation import Evaluation, Options
    from models.weights.sources import open_model

    model = open_model(args.restore_model, tf1_conventions.overrides(args), args.precision)
    print(model.describe())
    folder = EvaluationFolder(args.log_dir or model.beside(default_name(args.split)))
    database = database_path(args, model.config)
    first, *_ = args.figure_objects
    shown = first if isinstance(first, int) else tuple(args.figure_objects)
    options = Options(
        split=args.split,
        category=args.category or model.config.category,
        views=None if args.views is None else list(args.views),
        limit=args.limit,
        resolution=args.sdf_res,
        iso=args.iso,
        mesh_resolution=(args.mesh_res or args.sdf_res) if args.create_obj else None,
        metrics=args.metrics,
        camera_run=args.cam_est or model.config.cam_est,
        figure_objects=shown,
        data_sets=find_data_sets(database, args.data_sets),
        engine=engine_flags.of_flags(args),
    )
    with working_in(folder.path, folder.DEPTH):
        Evaluation(model, Database(database), folder.path, options).run()
    if shown and folder.figure.exists():  # no view may be readable
        print(f"figure       {folder.figure}")
    print(f"results      {folder.results}")
    print(f"predictions  {folder.predictions}")


if __name__ == "__main__":
    cli.run(main)
