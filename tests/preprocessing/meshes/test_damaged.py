"""Damaged files of each format give a Mesh or a UserError, quickly and within memory.

MUTATIONS=2000 in the environment tries so many of each.
"""

import os
import resource
import time
import warnings

import numpy as np
import pytest
import trimesh

from preprocessing.meshes.load import load_mesh
from utils.errors import UserError

MUTATIONS = int(os.environ.get("MUTATIONS", "100"))
NUMBERS = [b"-1", b"0", b"99999999999", b"4294967295", b"1e308", b"nan", b"inf", b"0.5", b"x", b"", b"list", b"\n"]
SEED_FILES = {
    "ascii.ply": lambda shape: shape.export(file_type="ply", encoding="ascii"),
    "binary.ply": lambda shape: shape.export(file_type="ply"),
    "a.off": lambda shape: shape.export(file_type="off"),
    "text.stl": lambda shape: shape.export(file_type="stl_ascii"),
    "binary.stl": lambda shape: shape.export(file_type="stl"),
}


def mutate(data, rng):
    """A few bytes, words or stretches of a file changed, or its end cut off."""
    for _ in range(rng.integers(1, 4)):
        kind, place = rng.integers(6), int(rng.integers(len(data) + 1) * rng.choice([1, 0.1]))
        if kind == 0:
            data = data[:place]
        elif kind == 1:
            data = data[:place] + bytes(rng.integers(0, 256, rng.integers(1, 5), dtype=np.uint8)) + data[place + 1 :]
        elif kind == 2:
            words = data.split(b" ")
            words[rng.integers(len(words))] = NUMBERS[rng.integers(len(NUMBERS))]
            data = b" ".join(words)
        elif kind == 3:
            data = data[:place] + data[place + int(rng.integers(1, 40)) :]
        elif kind == 4:
            data = data[:place] + data[place : place + 30] + data[place:]
        elif data[place : place + 1].isdigit():
            data = data[:place] + b"%d" % rng.integers(10) + data[place + 1 :]
    return data


@pytest.mark.parametrize("name", SEED_FILES)
def test_damage_is_a_user_error_or_a_mesh(tmp_path, name):
    shape = trimesh.creation.icosphere(1)
    shape.visual.vertex_colors = [10, 20, 30, 255]
    whole = SEED_FILES[name](shape)
    whole = whole.encode() if isinstance(whole, str) else whole
    rng = np.random.default_rng(0)
    outcomes = {True: 0, False: 0}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(MUTATIONS):
        (tmp_path / name).write_bytes(mutate(whole, rng))
        start = time.perf_counter()
        with warnings.catch_warnings(action="ignore"):
            try:
                mesh = load_mesh(tmp_path / name)
                assert len(mesh.faces) and np.isfinite(mesh.vertices[mesh.faces]).all()
                outcomes[True] += 1
            except UserError as error:
                assert "\n" not in str(error) and error.__cause__ is None, (number, repr(error.__cause__))
                outcomes[False] += 1
        assert time.perf_counter() - start < 10, number
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # kB
    assert min(outcomes.values()) > 0
