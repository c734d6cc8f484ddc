"""JSON files: settings, results, rows and notes of runs, evaluations, databases and meshes."""

import dataclasses
import importlib
import json
import pathlib
import types

import numpy as np

from data.raw_layout import render_settings
from models.config import Config, load_either
from models.inference import iso_search
from models.inference.evaluated_views import ViewEvaluator, _finished_rows
from models.inference.evaluation_folder import EvaluationFolder
from models.inference.kept_evaluations import refuse_other_settings
from models.settings import handed_on
from preprocessing import make_lists
from preprocessing.database import flags as database_flags
from preprocessing.database import unfinished
from preprocessing.library import credits
from tests.fuzz.targets.target import Target
from tests.helpers import tiny
from utils.files import file_digest, write_json
from utils.metrics import registry
from utils.metrics.summary import summarise

reconstruct = importlib.import_module("eval.reconstruct")
report = importlib.import_module("eval.report")
NAMES = ["iou", "psnr"]
MOST_WEIGHTS = 10**9


def model(folder: pathlib.Path) -> types.SimpleNamespace:
    """A ModelSource whose weights are a file of the folder."""
    (folder / "weights").write_bytes(b"weights")
    config = Config()
    return types.SimpleNamespace(config=config, weights=folder / "weights", beside=lambda name: folder / name)


def read_config(folder: pathlib.Path) -> None:
    config = load_either(folder / "config.json")
    for field in dataclasses.fields(config):
        value, kind = getattr(config, field.name), type(field.default)
        values = value if isinstance(value, tuple) else [value]
        if kind in (int, float, tuple):
            assert all(type(v) in (int, float) and np.isfinite(v) and abs(v) < 1e12 for v in values), field.name
        assert len(values) < 1000
    assert config.img_h > 0 and config.img_w > 0 and sum(config.encoder_convs) < 1000
    assert max(config.encoder_widths) * config.encoder_fc < MOST_WEIGHTS
    config.check()
    handed_on(config)


def write_row(folder: pathlib.Path) -> None:
    rows = [
        {"category": "chair", "object_id": "a", "view": f"{view:02d}", "iou": 0.5, "psnr": 20.0, "failed": None,
         "mesh_res": 32, "no_mesh": None}
        for view in range(3)
    ]  # fmt: skip
    rows[2] |= {"failed": "field is empty"}
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def read_rows(folder: pathlib.Path) -> None:
    evaluator = ViewEvaluator(None, None, None, EvaluationFolder(folder), NAMES, 0.0, 64, 32)  # type: ignore[arg-type]
    rows = _finished_rows(folder / "rows.jsonl")
    for row in rows.values():
        evaluator._complete(row)
        for name in NAMES:
            assert name not in row or registry.METRICS[name].text(row[name])


def write_iso(folder: pathlib.Path) -> None:
    source = model(folder)
    digest = file_digest(source.weights)
    write_json(folder / "iso.json", {"weights": digest, "iso": 0.5, "iou": 0.7, "solid": {"iso": 0.25, "iou": 0.8}})


def read_iso(folder: pathlib.Path) -> None:
    iso = iso_search.solid_iso(model(folder))
    assert isinstance(iso, float) and np.isfinite(iso)


def results() -> dict:
    """A results.json as eval.py writes it."""
    row = {"category": "chair", "object_id": "a", "view": "00", "iou": 0.5, "psnr": 20.0, "failed": None}
    failed = {**row, "view": "01", "failed": "field is empty", "iou": 0.0, "psnr": 0.0}
    rows = [row, failed]
    return {
        "weights": {"file": "runs/a/best.h5", "sha256": "0" * 64}, "step": 7, "db": "db", "split": "test", "iso": 0.5,
        "sdf_res": 64, "mode": "binary", "metrics": NAMES, "definitions": registry.definitions(NAMES),
        "results": {"prediction": summarise(rows, NAMES), "mean shape": summarise(rows, NAMES)},
        "images": {"prediction": rows, "mean shape": rows}, "views": None, "category": "all",
    }  # fmt: skip


def write_results(folder: pathlib.Path) -> None:
    write_json(folder / "results.json", results())
    epoch = {"epoch": 1, "step": 7, "minutes": 0.5, "train": {"loss": 0.5}, "val": {"loss": 0.6}}
    write_json(folder / "history.json", [epoch, {**epoch, "epoch": 2, "step": 14}])
    write_json(folder / "config.json", dataclasses.asdict(tiny.config()))
    write_json(folder / "settings.json", {"weights": {"file": "a", "sha256": "0"}, "db": "db", "sdf_res": 64})


def read_results(folder: pathlib.Path) -> None:
    """What report.py --objects 0 does."""
    found = report.evaluation_folder(folder, folder)
    args = ["--eval", str(found.path), "--objects", "0", str(folder), "--out", str(folder / "report.html")]
    report.main(args)
    text = (folder / "report.html").read_text()
    assert text.endswith("</html>\n") and "<script" not in text


def read_settings(folder: pathlib.Path) -> None:
    refuse_other_settings(
        EvaluationFolder(folder), {"weights": {"file": "b", "sha256": "0"}, "db": "db", "sdf_res": 64}
    )


def read_info(folder: pathlib.Path) -> None:
    words = ["--raw", str(folder), "--out", str(folder), "--info", str(folder / "info.json")]
    args = database_flags.parse(words, "")
    assert args.image_size >= 8 and args.objects_per_shard >= 1 and args.sdf_points >= 1 and args.jobs >= 1


def read_split(folder: pathlib.Path) -> None:
    split_of = make_lists.given_split(folder / "split.json")
    assert all(isinstance(name, str) for name in split_of)


def read_unfinished(folder: pathlib.Path) -> None:
    unfinished.begin(folder, {"table"})
    unfinished.finish(folder, {"table"})


def read_render(folder: pathlib.Path) -> None:
    render_settings(folder)


def read_done(folder: pathlib.Path) -> None:
    (folder / "mesh.glb").write_bytes(b"")
    assert reconstruct.done(folder, {"image": "0"}, {"field": "x", "iso": 0.5}) in (True, False)


def read_manifest(folder: pathlib.Path) -> None:
    old = credits.read_manifest(folder)
    credits.write_manifest(folder, credits.merge(old, {"libraries": [], "models": [], "left_out": []}))


def _manifest() -> dict:
    library = {"id": "l", "name": "L", "file": "l.sh3f", "licence": "CC", "provider": "p", "licence_text": "t"}
    made = {"library": "l", "id": "1", "name": "A", "file": "chair/1.glb", "licence": "CC", "creator": "c"}
    left = {"library": "l", "id": "2", "name": "B", "reason": "r"}
    return {"libraries": [library], "models": [made], "left_out": [left]}


def _json(name: str, value: object):
    return lambda folder: write_json(folder / name, value)


GROUP = "json"
TARGETS = [
    Target("config", GROUP, lambda folder: tiny.config().save(folder / "config.json"), read_config),
    Target("camera config", GROUP, lambda folder: tiny.camera_config().save(folder / "config.json"), read_config),
    Target("rows", GROUP, write_row, read_rows),
    Target("iso", GROUP, write_iso, read_iso, fixed=("weights",)),
    Target("report", GROUP, write_results, read_results),
    Target(
        "settings", GROUP, _json("settings.json", {"weights": {"file": "a", "sha256": "0"}, "db": "db", "sdf_res": 64}),
        read_settings,
    ),
    Target(
        "info", GROUP,
        _json("info.json", {"image_size": 64, "split": {"train": 0.8, "val": 0.1, "test": 0.1}, "sdf_offset": 0.003}),
        read_info,
    ),
    Target("split", GROUP, _json("split.json", {"train": ["chair/a"], "val": ["chair/b"], "test": []}), read_split),
    Target("unfinished", GROUP, _json("unfinished.json", {"categories": ["chair"]}), read_unfinished),
    Target("render", GROUP, _json("render.json", {"seed": 0, "views": 2, "sign": "auto"}), read_render),
    Target(
        "done", GROUP, _json("results.json", {"settings": {"image": "0"}, "model": {"iso": 0.5}, "camera": {}}),
        read_done,
    ),
    Target("manifest", GROUP, _json(credits.MANIFEST, _manifest()), read_manifest),
]  # fmt: skip
