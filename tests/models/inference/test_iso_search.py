"""The search for an iso value finds by how much a field is shifted."""

import types

import numpy as np
import pytest

from data.shards import Database
from models.inference import iso_search
from tests.helpers import tiny
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
    remark = iso_search.remark(found)
    assert remark is None if said is None else said in remark
    assert iso_search.remark({"iso": 0.0, "iou_by_iso": {"0": 0.2}}) is None  # nothing else was tried
