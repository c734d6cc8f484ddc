"""The commands from meshes to shards, with and without cameras and distances in between."""

import shutil

import numpy as np
import pytest

from data.raw_layout import find_objects, render_settings
from data.shards import Database
from preprocessing import gen_db, make_shapes, render_views
from utils.geometry.cameras import project


@pytest.mark.slow
def test_a_folder_without_cameras_and_distances_gives_the_same_cameras(tmp_path, rendered_here):
    """Im2Avatar has views, colour and flow volumes alone; recovered cameras agree to 0.1 pixel."""
    few = ["--per_category", "1", "--categories", "car,table", "--seed", "3", "--jobs", "1"]
    make_shapes.main(["--out", str(tmp_path / "meshes"), *few])
    views = ["--views", "3", "--sdf_points", "2000", "--surface_points", "2000", "--jobs", "1"]
    render_views.main(["--meshes", str(tmp_path / "meshes"), "--out", str(tmp_path / "full"), *views])
    shutil.copytree(tmp_path / "full", tmp_path / "bare")
    for raw in find_objects(tmp_path / "bare"):
        raw.cameras.unlink()
        raw.surface.unlink()
    databases = []
    for name in ("full", "bare"):
        out = ["--out", str(tmp_path / f"{name}_db"), "--jobs", "1", "--sdf_points", "2000"]
        gen_db.main(["--raw", str(tmp_path / name), *out])
        databases.append(Database(tmp_path / f"{name}_db"))
        assert render_settings(tmp_path / f"{name}_db") == render_settings(tmp_path / name) is not None
    entries = [database.objects("train") for database in databases]
    ids = [[entry.object_id for entry in each] for each in entries]
    assert ids[0] == ids[1] and len(ids[0]) == 2
    for full, bare in zip(*entries, strict=True):
        full, bare = databases[0].record(full), databases[1].record(bare)
        assert full.sdf_source == "file" and bare.sdf_source == "volume"
        assert np.isnan(full.reprojection_error) and bare.reprojection_error < 0.1
        for exact, recovered in zip(full.trans_mats, bare.trans_mats, strict=True):
            a, b = (project(full.surface_points.astype(float), matrix)[0] for matrix in (exact, recovered))
            assert np.abs(a - b).max() < 0.1
