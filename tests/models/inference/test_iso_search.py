"""The search for an iso value finds by how much a field is shifted."""

import shutil
import types

import numpy as np
import pytest

from data.shards import Database
from models.inference import iso_search
from tests.helpers import tiny
from utils.errors import UserError
from utils.files import file_digest, write_json
from utils.geometry import frames
from utils.surface.field_grid import FieldGrid


@pytest.mark.parametrize("shift", [-0.0078125, 0.01171875])
def test_solids_of_distances_are_taken_where_the_surface_is(shift, tiny_database, monkeypatch):
    """Exact distances of boxes plus a constant: the surface lies where the field has that value."""
    database = Database(tiny_database)
    entries = database.objects("val")

    def shifted(query, database, entry, view, resolution, iso):
        half = np.abs(database.surface(entry)[0]).max(0)
        outside = np.abs(frames.voxel_centres(resolution)) - half
        distance = np.linalg.norm(np.maximum(outside, 0), axis=1) + np.minimum(outside.max(1), 0)
        return FieldGrid(resolution, (distance + shift).astype(np.float32), np.zeros((resolution**3, 3), np.float32))

    monkeypatch.setattr(iso_search, "predict_view", shifted)
    monkeypatch.setattr(iso_search, "SDF_VALUES", iso_search.SDF_VALUES[3:11])  # -0.75 to 1 voxels
    query = types.SimpleNamespace(config=tiny.config(binary=False))
    found = iso_search.search_iso(query, database, entries[:1])
    assert found["solid"]["iso"] == pytest.approx(shift, abs=1e-6)
    assert found["solid"]["f_score"] > 0.7
    assert found["iou"] == max(found["iou_by_iso"].values())


@pytest.mark.parametrize("binary", [True, False])
def test_views_that_cannot_be_read_have_no_part_and_are_remarked(binary, tiny_database, tmp_path, monkeypatch):
    """The result is that of the other objects; only without any it is an error."""
    path = shutil.copytree(tiny_database, tmp_path / "db")
    tiny.damage_view(path / "box_val_000.h5", 0)  # the first object is seen in its first view, the second in its second
    entries, damaged = Database(tiny_database).objects("val"), Database(path).objects("val")

    def read(query, database, entry, view, resolution, iso):
        values = database.image(entry, view)[..., 3].mean() / 255 + np.linspace(-0.1, 0.1, resolution**3)
        return FieldGrid(resolution, values.astype(np.float32), np.zeros((resolution**3, 3), np.float32))

    monkeypatch.setattr(iso_search, "predict_view", read)
    values = "BINARY_VALUES" if binary else "SDF_VALUES"
    monkeypatch.setattr(iso_search, values, getattr(iso_search, values)[2:5])
    query = types.SimpleNamespace(config=tiny.config(binary=binary))
    found = iso_search.search_iso(query, Database(path), damaged)
    assert found["images"] == len(entries) - 1 and found["unread"] == 1
    last = iso_search.search_iso(query, Database(path), damaged[:2])  # of the second object alone
    assert "unread" not in iso_search.search_iso(query, Database(tiny_database), entries)
    assert (last["images"], last["unread"]) == (1, 1) and last["iou"] == max(last["iou_by_iso"].values())
    (remark,) = [line for line in iso_search.remarks(found) if "cannot be read" in line]
    assert f"1 of {len(entries)} validation images" in remark
    with pytest.raises(UserError, match="none of the 1 validation images can be read; the first: .*box_val_000"):
        iso_search.search_iso(query, Database(path), damaged[:1])
    with pytest.raises(UserError, match="no validation objects"):
        iso_search.find_iso(tmp_path / "iso.json", None, query, Database(path), [])


@pytest.mark.parametrize(
    ("iso", "solid", "said"),
    [
        (0.0, 0.5, None),
        (1.0, 0.0, "for surface voxels, 1, is the largest of the 3"),
        (-1.0, 0.0, "for surface voxels, -1, is the smallest of the 3"),
        (0.0, 1.0, "for solids, 1, is the largest"),
        (0.0, None, None),
    ],
)
def test_a_value_at_the_end_of_its_range_is_remarked(iso, solid, said):
    found = {"iso": iso, "iou_by_iso": {"-1": 0.1, "0": 0.2, "1": 0.3}}
    if solid is not None:
        found["solid"] = {"iso": solid}
    remarks = iso_search.remarks(found)
    assert remarks == [] if said is None else said in remarks[0] and len(remarks) == 1
    assert iso_search.remarks({"iso": 0.0, "iou_by_iso": {"0": 0.2}}) == []  # nothing else was tried


@pytest.mark.parametrize("name", ["model.ckpt-7", "model[1].ckpt", "model*?.ckpt"])
def test_the_iso_value_of_a_checkpoint_is_found_whatever_its_name(name, tmp_path):
    """It is in an evaluation beside the checkpoint, and is of these weights alone."""
    weights = tmp_path / f"{name}.index"
    weights.write_bytes(b"weights")
    model = types.SimpleNamespace(weights=weights, beside=lambda other: tmp_path / f"{name}_{other}")
    write_json(model.beside("eval_val") / "iso.json", {"weights": file_digest(weights), "iso": 0.5})
    write_json(tmp_path / "model1.ckpt_eval_test" / "iso.json", {"weights": "of other ones", "iso": 0.25})
    assert iso_search.solid_iso(model) == 0.5
    weights.write_bytes(b"trained on")
    assert iso_search.solid_iso(model) == 0.0
