"""train/export_run.py: a small run that predicts the same, with its iso value."""

import json

import h5py
import numpy as np
import pytest

from data.raw_layout import render_settings
from models.config import load_either
from models.inference.iso_search import solid_iso
from models.networks.texdisn import build_field_network
from models.weights.run import Run, save_checkpoint
from models.weights.sources import open_model
from tests.helpers import tiny
from tests.helpers.flipped import edited
from train import export_run
from utils.errors import UserError
from utils.files import file_digest, write_json


@pytest.fixture
def run(tmp_path):
    config, run = tiny.config(normalisation=True), Run(tmp_path / "run")
    config.save(run.config)
    save_checkpoint(run.best, {"network": build_field_network(config).variables}, {"step": 7})
    return run


def test_an_exported_run_has_16_bit_kernels_and_predicts_the_same(run, tmp_path, capsys):
    write_json(run.folder / "render.json", {"light": "random"})
    export_run.main([str(run.folder), "--out", str(tmp_path / "small")])
    assert render_settings(tmp_path / "small") == {"light": "random"}
    assert "largest change of a weight" in capsys.readouterr().out
    source, target = open_model(run.folder), open_model(tmp_path / "small")
    assert source.config == target.config
    assert not Run(tmp_path / "small").last.exists() and not Run(tmp_path / "small").iso.exists()
    networks = [build_field_network(source.config) for _ in range(2)]
    for model, network in zip((source, target), networks, strict=True):
        model.load(network)
    assert source.step == target.step == 7
    for a, b in zip(networks[0].variables, networks[1].variables, strict=True):
        assert np.abs(a.numpy() - b.numpy()).max() <= 2**-11 * np.abs(a.numpy()).max()
    kinds = {}

    def collect(_, item):
        if isinstance(item, h5py.Dataset):
            kinds.setdefault(item.ndim > 1, set()).add(item.dtype)

    with h5py.File(target.weights) as file:
        file.visititems(collect)
    assert kinds == {True: {np.dtype(np.float16)}, False: {np.dtype(np.float32)}}
    (run.folder / "render.json").unlink()
    export_run.main([str(run.folder), "--out", str(tmp_path / "small")])
    assert render_settings(tmp_path / "small") is None  # not those of the earlier one


@pytest.mark.parametrize("file", ["iso.json", "level.json", "eval_test/iso.json"])
def test_the_iso_value_is_exported_for_the_new_weights(file, run, tmp_path):
    weights = {"file": "best.h5", "bytes": 1} if file == "level.json" else file_digest(run.best)
    (run.folder / file).parent.mkdir(exist_ok=True)
    (run.folder / file).write_text(json.dumps({"weights": weights, "category": "all", "iso": 1.5}))
    small = Run(tmp_path / "small")
    export_run.export_run(run, small)
    expected = {"weights": file_digest(small.best), "category": "all", "iso": 1.5}
    assert json.loads(small.iso.read_text()) == expected and not small.level.exists()
    assert solid_iso(open_model(small.folder)) == 1.5


def test_an_iso_value_of_other_weights_is_not_exported(run, tmp_path):
    run.iso.write_text(json.dumps({"weights": "0" * 64, "iso": 1.5}))
    small = Run(tmp_path / "small")
    small.folder.mkdir()
    small.level.write_text('{"iso": 3.0}')  # of an earlier export
    export_run.export_run(run, small)
    assert not small.iso.exists() and not small.level.exists()


def test_a_camera_network_is_exported_too(tmp_path):
    source, small = Run(tiny.camera_run(tmp_path / "run")), Run(tmp_path / "small")
    assert 0 < export_run.export_run(source, small) < 1e-3
    assert load_either(small.config) == load_either(source.config) and small.best.exists()
    with pytest.raises(UserError, match="--db would do nothing"):
        export_run.main([str(source.folder), "--out", str(tmp_path / "other"), "--db", str(tmp_path)])
    assert not (tmp_path / "other").exists()


def test_runs_that_cannot_be_exported_are_refused(run, tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        export_run.main([str(tmp_path / "none"), "--out", str(tmp_path / "small")])
    with edited(run.best) as file:
        name = "network/" + build_field_network(tiny.config(normalisation=True)).streams[1].geometry_out.kernel.path
        file[name][...] = 1e6
    with pytest.raises(UserError, match="too large for 16 bits"):
        export_run.main([str(run.folder), "--out", str(tmp_path / "small")])
    assert not Run(tmp_path / "small").best.exists()
    run.last.write_bytes(b"")
    with pytest.raises(UserError, match="can be trained"):
        export_run.main([str(tmp_path / "run"), "--out", str(run.folder)])


def test_an_export_replaces_an_export_alone(tmp_path):
    """The render.json of a database is no outdated file of an export."""
    source, database = tiny.camera_run(tmp_path / "run"), tmp_path / "db"
    write_json(database / "render.json", {"light": "random"})
    (database / "box_train_000.h5").touch()
    with pytest.raises(UserError, match="db holds other files than an exported run: give another folder"):
        export_run.main([str(source), "--out", str(database)])
    assert {path.name for path in database.iterdir()} == {"box_train_000.h5", "render.json"}
    for _ in range(2):
        export_run.main([str(source), "--out", str(tmp_path / "small")])
    (tmp_path / "small" / "config.json").unlink()  # one that was killed
    export_run.main([str(source), "--out", str(tmp_path / "small")])


def test_a_refused_export_leaves_all_files_as_they_are(tmp_path):
    source, small = tiny.camera_run(tmp_path / "run"), tmp_path / "small"
    export_run.main([str(source), "--out", str(small)])
    write_json(small / "render.json", {"light": "random"})
    for name in ("iso.json", "novelty.h5", "categories.h5"):
        (small / name).write_bytes(b"of this export")
    before = {path.name: path.read_bytes() for path in small.iterdir()}
    (tmp_path / "link").symlink_to("small")
    for out in (small, tmp_path / "link", tmp_path / "run" / ".." / "small"):
        with pytest.raises(UserError, match="is the run itself: give another folder"):
            export_run.main([str(small), "--out", str(out)])
    (source / "render.json").write_text("{")
    with pytest.raises(UserError, match=r"render\.json cannot be read as JSON"):
        export_run.main([str(source), "--out", str(small)])
    assert {path.name: path.read_bytes() for path in small.iterdir()} == before
