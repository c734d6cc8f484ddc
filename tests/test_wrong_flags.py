"""Wrong flags are told in one line before TensorFlow is loaded, which takes seconds."""

import argparse
import json
import pathlib
import subprocess
import sys

import pytest

from tests.test_docs import COMMANDS, parser_of

ROOT = pathlib.Path(__file__).parents[1]
# a command and what is wrong with it; {tmp} is an empty folder
WRONG = {
    "train/train_sdf.py --log_dir {tmp}/run --nonsense": "unrecognized arguments: --nonsense",
    "train/train_sdf.py --log_dir {tmp}/run --preset plus --batch_size 0": "batch_size must be above 0",
    "train/train_sdf.py --log_dir {tmp}/run --preset plus --binary": "this model is binary",
    "train/train_sdf.py --log_dir {tmp}/run --preset plus --encoder_fc 9": "encoder_fc would do nothing",
    "train/train_sdf.py --log_dir {tmp}/run --restore_model {tmp}/none": "there is no such folder",
    "train/train_sdf.py --log_dir {tmp}/run --db {tmp}/none": "is not a folder",
    "train/train_cam.py --log_dir {tmp}/run --learning_rate -1": "learning_rate must be above 0",
    "train/train_cam.py --log_dir {tmp}/run --db {tmp}/none": "is not a folder",
    "train/convert_checkpoint.py {tmp}/none --out {tmp}/out": "there is no such folder",
    "train/export_run.py {tmp}/none --out {tmp}/out": "there is no such folder",
    "eval/eval.py --restore_model {tmp}/none": "there is no such folder",
    "eval/eval.py --restore_model {tmp}": "neither a run folder",
    "eval/eval.py --restore_model {tmp} --metrics beauty": "beauty",
    "eval/eval.py --restore_model {tmp} --db {tmp}/none": "is not a folder",
    "eval/eval.py --restore_model {tmp} --precision float16": "invalid choice: 'float16'",
    "eval/query_points.py --restore_model {tmp} --image x.png --trans_mat T --points P --out O": "P is missing",
    "eval/reconstruct.py x.png --out {tmp}/out --camera somewhere": "camera somewhere",
    "eval/reconstruct.py x.png --out {tmp}/out --mask {tmp}/none.png": "give auto, alpha, none, or a file",
    "eval/reconstruct.py x.png --out {tmp}/out --simplify 5": "--simplify 5: give 0",
    "eval/reconstruct.py x.png --out {tmp}/out --cam_est {tmp}/none": "there is no such folder",
    "eval/reconstruct.py {tmp}/none.png --out {tmp}/out": "none.png is missing",
    "eval/reconstruct.py x.png --out LICENSE": "LICENSE is a file, not a folder",
    "eval/eval.py --restore_model {tmp} --log_dir LICENSE/run": "LICENSE is a file, not a folder",
    "train/train_sdf.py --log_dir LICENSE": "LICENSE is a file, not a folder",
    "train/train_cam.py --log_dir LICENSE": "LICENSE is a file, not a folder",
    "train/export_run.py {tmp}/none --out LICENSE": "LICENSE is a file, not a folder",
    "train/convert_checkpoint.py {tmp}/none --out LICENSE": "LICENSE exists and is not an empty folder",
    "eval/web_demo.py --restore_model {tmp}/none": "there is no such folder",
    "eval/web_demo.py --restore_model {tmp}": "neither a run folder",
    "train/train_sdf.py --log_dir {tmp}/run --restore_model {tmp}": "neither a run folder",
    "eval/report.py {tmp}/none": "none",
    "eval/to_mesh.py {tmp}/none.txt --out {tmp}/a.stl": "stl",
    "benchmarks/cameras.py --db db": "arguments are required: --cam_est, --data_sets",
    "benchmarks/reconstruct.py --resolution 64": "arguments are required: --out",
    "benchmarks/unknown.py --split val": "there is nothing to reconstruct: give --projects, --db, or both",
    "benchmarks/preprocess.py --objects 5 --out {tmp}/x.json": "--objects 5 must be a multiple of 4",
    "benchmarks/ablation.py --nonsense": "required",
    "benchmarks/fitted.py --minutes 0": "--minutes: '0' is not a number",
    "benchmarks/growth.py --iso 0": "arguments are required: --out",
    "benchmarks/input.py": "arguments are required: --out",
    "benchmarks/many.py --objects 100": "--objects: '100' is not a whole number",
    "benchmarks/query.py --resolution 0": "--resolution: '0' is not a whole number",
    "benchmarks/silhouette.py --db db": "arguments are required: --restore_model, --cam_est, --out",
    "benchmarks/train_step.py --preset big": "invalid choice: 'big'",
    "examples/make_examples.py --nonsense": "unrecognized arguments: --nonsense",
    "preprocessing/render_views.py --meshes {tmp} --out {tmp}": "is the folder that is read",
    "preprocessing/gen_db.py --raw {tmp} --out {tmp}": "is the folder that is read",
    "preprocessing/gen_db.py --format meshes --meshes {tmp} --raw {tmp}/raw --out {tmp}": "is the folder that is read",
    "preprocessing/gen_db.py --format meshes --meshes {tmp} --raw {tmp} --out {tmp}/db": "is the folder that is read",
    "benchmarks/page_end.py --ends 0": "--ends: '0' is not a whole number",
}
# all in one process: only its imports take time
PROGRAM = """
import importlib, json, sys
from utils.errors import UserError
for command in json.loads(sys.argv[1]):
    script, *words = command.split()
    try:
        importlib.import_module(script.removesuffix(".py").replace("/", ".")).main(words)
        said = "nothing"
    except UserError as error:
        said = str(error)
    print(json.dumps([command, said, "tensorflow" in sys.modules]))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """{command: (its error, whether TensorFlow was loaded by then)}."""
    folder = tmp_path_factory.mktemp("empty")
    commands = [command.format(tmp=folder) for command in WRONG]
    words = [sys.executable, "-c", PROGRAM, json.dumps(commands)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == len(WRONG), done.stderr
    return dict(zip(WRONG, (line[1:] for line in lines), strict=True))


@pytest.mark.parametrize("command", WRONG)
def test_what_is_wrong_is_told_before_tensorflow_is_loaded(command, said):
    error, loaded = said[command]
    assert WRONG[command] in error
    assert "\n" not in error and not loaded


@pytest.mark.slow  # imports TensorFlow
@pytest.mark.parametrize("script", [script for script in COMMANDS if script.startswith("benchmarks")])
def test_benchmarks_refuse_numbers_that_they_cannot_use(script):
    for action in parser_of(script)._actions:
        if action.type in (None, pathlib.Path):
            continue
        for text in ("nan", "-1"):
            if (action.dest, text) != ("iso", "-1"):
                with pytest.raises(argparse.ArgumentTypeError, match="is not a"):
                    action.type(text)
