r"""What each part of the preset `plus` contributes, at equal CPU minutes.

    python benchmarks/ablation.py --db db --data_sets models/pretrained/data_sets.json \
        --out runs/ablation

Trains a network for every row of ROWS with the same data, image size, points and CPU minutes of
training steps, and measures it on every fourth test object of each data set (the first view, true
cameras), with the iso value that is best on validation objects. CPU minutes instead of minutes make
rows comparable that ran beside other work. Stopped and started again it goes on with the missing
rows; at the end it prints the table, and writes it to OUT/table.md.
"""

import argparse
import collections.abc
import dataclasses
import multiprocessing
import pathlib
import statistics
import time
import typing

from benchmarks.machine import cpu_name
from data.data_sets import DataSets, read_data_sets
from utils.cli import parser, real_number, run
from utils.errors import UserError
from utils.files import read_json, write_json
from utils.metrics import registry
from utils.surface.field_voxels import surface_voxels

METRICS = ("iou", "volume_iou", "f_score_1", "f_score_2", "psnr")
RESOLUTION = 40  # points along each axis of the measured fields
EVERY = 4  # test objects of which one is measured
VALIDATION = 2  # validation objects of which one chooses the iso value

# Short runs need smaller images and fewer points to see the data more than once, and averages that
# forget sooner.
COMMON = "--img_h 96 --img_w 96 --num_sample_points 256 --max_epoch 1000"
# The last two flags are the preset as it was when the table was measured; so is its weight decay,
# which has no flag, and which then took the encoder's weights at the rate of the rest.
PLUS = f"--preset plus {COMMON} --averaging 0.99 --warm_up 100 --fourier 6 --no-augshape"
WEIGHT_DECAY = 0.02


@dataclasses.dataclass(frozen=True)
class Row:
    """A network to train: the flags of train/train_sdf.py."""

    name: str
    flags: str
    seeds: tuple[int, ...] = (0,)


ROWS = (
    Row(
        "preset `small` in SDF mode: the original's layers, narrow, and DISN's loss",
        f"--preset small --no-binary --alpha --crop 0.85 --backcolorwhite --batch_size 32 {COMMON}",
        (0, 1, 2),
    ),
    Row("`plus` without ImageNet weights", f"{PLUS} --restore_modelcnn none"),
    Row("`plus` without the mirrored reading", f"{PLUS} --no-reflection"),
    Row("`plus` without the camera's axes", f"{PLUS} --no-camera_axes"),
    Row("`plus` without Fourier features", f"{PLUS} --fourier 0"),
    Row("`plus` with distances instead of soft occupancy", f"{PLUS} --softness 0"),
    Row("`plus` without thicker surfaces", f"{PLUS} --distance_offset 0"),
    Row("`plus` without averaged weights", PLUS.replace("--averaging 0.99", "--averaging 0")),
    Row("`plus` without augmentation", f"{PLUS} --no-augmirror --no-augcolours --no-auglight --no-augcolorback"),
    Row("`plus` with three residual layers", f"{PLUS} --residual_layers 3"),
    Row("`plus`", PLUS, (0, 1, 2)),
)


def test_pairs(database: typing.Any, data_sets: DataSets) -> list[tuple]:
    """(entry, view 0, data set) of every EVERY-th test object of each data set."""
    groups: dict[str, list] = {}
    for entry in database.objects("test", "all"):
        groups.setdefault(data_sets.of(entry.category, entry.object_id), []).append(entry)
    return [(entry, 0, name) for name, entries in groups.items() for entry in entries[::EVERY]]


def plan_of(flags: str, db: str, folder: pathlib.Path, minutes: float) -> typing.Any:
    """What train_sdf.py is to do for a row."""
    from train import train_sdf

    argv = [*flags.split(), "--db", db, "--log_dir", str(folder), "--max_minutes", str(minutes)]
    plan = train_sdf.plan(train_sdf.build_parser().parse_args(argv))
    if plan.config.preset != "plus":
        return plan
    return dataclasses.replace(plan, config=dataclasses.replace(plan.config, weight_decay=WEIGHT_DECAY))


def train_and_measure(flags: str, db: str, folder: pathlib.Path, minutes: float, data_sets: DataSets) -> None:
    """Train one network, measure it, write folder/measured.json. Runs in a process of its own."""
    from data.shards import Database
    from models.inference import iso_search
    from models.inference.field_query import FieldQuery
    from models.networks.texdisn import build_field_network
    from models.training.field_trainer import FieldTrainer
    from models.training.session import train
    from models.weights.sources import open_model

    train(plan_of(flags, db, folder, minutes), FieldTrainer, clock=time.process_time)

    database, model = Database(db), open_model(folder)
    network = build_field_network(model.config)
    model.load(network)
    query = FieldQuery(network)
    best = iso_search.search_iso(query, database, database.objects("val", "all")[::VALIDATION])
    iso = best["solid"]["iso"]
    images = []
    for entry, view, source in test_pairs(database, data_sets):
        image = {"category": entry.category, "object_id": entry.object_id, "source": source}
        images.append({**image, **measure(query, database, entry, view, iso)})
    step = read_json(folder / "history.json")[-1]["step"]
    write_json(
        folder / "measured.json", {"flags": flags, "minutes": minutes, "step": step, "iso": iso, "images": images}
    )


def measure(query: typing.Any, database: typing.Any, entry: typing.Any, view: int, iso: float) -> dict[str, float]:
    """The metrics of a view; their worst values where the field has no surface."""
    from models.inference.predict import predict_view
    from utils.metrics.comparison import Prediction, load_truth

    field = predict_view(query, database, entry, view, RESOLUTION, iso)
    try:
        voxels, colours = surface_voxels(field, query.config.binary, iso)
    except UserError:
        return registry.worst_values(METRICS)
    prediction = Prediction.of_field(field, query.config.binary, iso, voxels, colours)
    return registry.measure(METRICS, prediction, load_truth(database, entry))


def measure_baselines(db: str, folder: pathlib.Path, data_sets: DataSets) -> None:
    """Write folder/<baseline>/measured.json for mean shape and retrieval on the same images."""
    from data.shards import Database
    from models.inference.baseline_rows import Baselines
    from models.presets import preset

    database, pairs = Database(db), test_pairs(Database(db), data_sets)
    train, val = (database.objects(split, "all") for split in ("train", "val"))
    config = preset("plus", db=db)
    baselines = Baselines(database, train, val, config, folder / "baselines.jsonl")
    tables = baselines.rows([pair[:2] for pair in pairs], list(METRICS))
    for name, rows in tables.items():
        images = [{**row, "source": source} for row, (_, _, source) in zip(rows, pairs, strict=True)]
        write_json(folder / name.replace(" ", "_") / "measured.json", {"step": 0, "images": images})


def table(measured: dict[str, list[dict[str, typing.Any]]]) -> str:
    """{row: what was measured with each seed} -> a Markdown table of means over images.

    With several seeds: their mean ± half of their range.
    """
    first = next(iter(measured.values()))[0]["images"]
    sources = sorted({image["source"] for image in first})
    head = [registry.METRICS[name].heading for name in METRICS] + [f"F-score 2 %, {source}" for source in sources]
    lines = ["| | steps | " + " | ".join(head) + " |", "|---" * (len(head) + 2) + "|"]
    for name, runs in measured.items():
        values = [[_mean(run["images"], metric) for run in runs] for metric in METRICS]
        values += [[_mean(run["images"], "f_score_2", source) for run in runs] for source in sources]
        digits = [registry.METRICS[metric].digits for metric in METRICS] + [3] * len(sources)
        cells = [_cell(numbers, n) for numbers, n in zip(values, digits, strict=True)]
        steps = round(statistics.mean(run["step"] for run in runs))
        lines.append(f"| {name} | {steps or ''} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _mean(images: list[dict[str, typing.Any]], metric: str, source: str | None = None) -> float:
    return statistics.mean(image[metric] for image in images if source in (None, image["source"]))


def _cell(numbers: list[float], digits: int) -> str:
    text = f"{statistics.mean(numbers):.{digits}f}"
    return text if len(numbers) == 1 else f"{text} ± {(max(numbers) - min(numbers)) / 2:.{digits}f}"


def in_a_process(function: collections.abc.Callable[..., None], *args: typing.Any) -> None:
    """Call a function in a process of its own, which gives its memory back."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=args)
    process.start()
    process.join()
    if process.exitcode:
        raise UserError(f"{function.__name__} ended with code {process.exitcode}; its messages stand above")


def build_parser() -> argparse.ArgumentParser:
    p = parser(__doc__)
    p.add_argument("--db", required=True, help="database of all splits")
    p.add_argument("--data_sets", required=True, help="JSON file of the data sets that the table is divided by")
    p.add_argument("--out", required=True, help="folder of the trained networks and the table")
    p.add_argument(
        "--cpu_minutes", type=real_number(above=0), default=10.0, help="CPU minutes of training steps of each network"
    )
    return p


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    data_sets = read_data_sets(args.data_sets)
    out = pathlib.Path(args.out)
    jobs = [(row, seed, out / f"row{i}_seed{seed}") for i, row in enumerate(ROWS) for seed in row.seeds]
    # the rows that the others are compared with come first, their other seeds last
    for row, seed, folder in sorted(jobs, key=lambda job: (job[1], -ROWS.index(job[0]))):
        if not (folder / "measured.json").exists():
            print(f"{row.name}, seed {seed}: {row.flags}", flush=True)
            flags = f"{row.flags} --seed {seed}"
            in_a_process(train_and_measure, flags, args.db, folder, args.cpu_minutes, data_sets)
    if not (out / "retrieval" / "measured.json").exists():
        in_a_process(measure_baselines, args.db, out, data_sets)
    measured = {
        name: [read_json(out / name.replace(" ", "_") / "measured.json")] for name in ("mean shape", "retrieval")
    }
    for i, row in enumerate(ROWS):
        measured[row.name] = [read_json(out / f"row{i}_seed{seed}" / "measured.json") for seed in row.seeds]
    text = table(measured)
    (out / "table.md").write_text(text + "\n")
    print(text)
    print(f"table: {out / 'table.md'}  ({args.cpu_minutes:g} CPU minutes a row, {cpu_name()})")


if __name__ == "__main__":
    run(main)
