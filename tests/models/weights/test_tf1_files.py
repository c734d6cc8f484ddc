"""Which TF1 checkpoint a path means; damaged, copied and renamed ones."""

import os
import shutil

import numpy as np
import pytest

from models.weights import tf1_files
from models.weights.encoder_sources import open_encoder
from models.weights.sources import open_model
from models.weights.tf1_checkpoint import Checkpoint
from tests.helpers import tf1_models
from utils.errors import UserError

NAME = "model.ckpt-7"
DATA, INDEX = f"{NAME}.data-00000-of-00001", f"{NAME}.index"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A checkpoint of the original's variables, saved once."""
    return tf1_models.save(tmp_path_factory.mktemp("saved") / NAME, tf1_models.values(tf1_models.shapes()))


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of its folder."""
    return shutil.copytree(saved.parent, tmp_path / "model")


def state(folder, text):
    (folder / "checkpoint").write_text(text)


def half(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def pointer(file):
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 17000\n")


def noise(file):
    """The same size, but another content: TensorFlow's checksums tell."""
    file.write_bytes(np.random.default_rng(0).bytes(file.stat().st_size))


def renamed(file):
    file.rename(file.with_name(f"{NAME}.data-00000-of-00002"))


DAMAGES = {
    "no data": (DATA, os.remove, rf"{DATA} is missing"),
    "no index": (INDEX, os.remove, rf"{INDEX} is missing"),
    "empty data": (DATA, lambda file: file.write_bytes(b""), rf"{DATA} is cut off \(0 bytes"),
    "empty index": (INDEX, lambda file: file.write_bytes(b""), rf"{INDEX} cannot be read as a TF1 checkpoint"),
    "half the data": (DATA, half, rf"{DATA} is cut off"),
    "a byte less": (DATA, lambda file: file.write_bytes(file.read_bytes()[:-1]), rf"{DATA} is cut off"),
    "half the index": (INDEX, half, rf"{INDEX} cannot be read as a TF1 checkpoint"),
    "pointer for data": (DATA, pointer, rf"{DATA} is a pointer of Git LFS"),
    "pointer for index": (INDEX, pointer, rf"{INDEX} is a pointer of Git LFS"),
    "one of two shards": (DATA, renamed, r"data-00001-of-00002 is missing"),
    "other data": (DATA, noise, rf"{NAME} is damaged: .* cannot be read"),
    "other index": (INDEX, noise, rf"{INDEX} cannot be read as a TF1 checkpoint"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoints_are_refused_in_one_line_that_names_the_file(damage, folder):
    name, spoil, message = DAMAGES[damage]
    spoil(folder / name)
    for path in (folder, folder / NAME):

        def load(path=path):
            checkpoint = open_model(path).checkpoint
            for variable in checkpoint.shapes:
                checkpoint.read(variable)

        with pytest.raises(UserError, match=message) as error:
            load()
        assert "\n" not in str(error.value)


def test_what_cannot_be_read_whole_is_not_assigned_in_part(folder):
    class Variable:
        assigned = 0

        def assign(self, value):
            type(self).assigned += 1

    file = folder / DATA
    file.write_bytes(file.read_bytes()[:-100] + bytes(100))  # the first variables can be read
    checkpoint = Checkpoint(folder / NAME)
    checkpoint.read(min(checkpoint.shapes))
    with pytest.raises(UserError, match="is damaged"):
        checkpoint.assign([(name, [Variable()]) for name in checkpoint.shapes])
    assert Variable.assigned == 0


def test_every_file_of_a_checkpoint_means_the_checkpoint(folder):
    (folder / f"{NAME}.meta").write_bytes(b"graph")
    for name in ("", "checkpoint", NAME, INDEX, DATA, f"{NAME}.meta"):
        assert tf1_files.find(folder / name) == folder / NAME
    assert open_encoder(str(folder / INDEX)).checkpoint.prefix == folder / NAME
    renamed = folder / "my weights.v2"
    for name in (INDEX, DATA):
        (folder / name).rename(folder / name.replace(NAME, renamed.name))
    assert open_model(renamed).checkpoint.prefix == renamed


@pytest.mark.parametrize("kind", ["absolute", "relative", "windows"])
def test_a_copied_folder_means_its_own_files(kind, saved, folder):
    text = {"absolute": saved, "relative": NAME, "windows": rf"C:\\runs\\all\\{NAME}"}[kind]
    state(folder, f'model_checkpoint_path: "{text}"\nall_model_checkpoint_paths: "{text}"\n')
    assert (saved.parent / INDEX).exists()
    assert tf1_files.find(folder) == folder / NAME
    if kind == "absolute":  # what is not in the folder may still be where it was
        for name in (INDEX, DATA):
            (folder / name).unlink()
        assert tf1_files.find(folder) == saved


def test_a_relative_path_out_of_a_copied_folder_means_its_own_files(saved, folder):
    twin = shutil.copytree(folder, folder.parent / "twin")
    for inner in (folder, twin):
        state(inner, f'model_checkpoint_path: "../model/{NAME}"\n')
    assert tf1_files.find(twin) == twin / NAME
    for name in (INDEX, DATA):
        (twin / name).unlink()
    assert tf1_files.find(twin).resolve() == (folder / NAME).resolve()  # it may still be where it was


@pytest.mark.parametrize("name", ["run [1]", "a*b", "what?", "back\\slash", "[", "größe 2"])
@pytest.mark.parametrize("version", [1, 2])
def test_paths_with_characters_of_patterns(name, version, tmp_path):
    """TensorFlow takes a path for a pattern of names; another folder fits it too."""
    (tmp_path / "run 1").mkdir()
    written = tf1_models.save(tmp_path / "plain" / "model", {"a": np.arange(6, dtype=np.float32)}, version)
    inside = shutil.copytree(written.parent, tmp_path / name) / written.name
    prefixes = [inside]
    for file in written.parent.glob("model*"):
        target = tmp_path / (name + file.name.removeprefix("model"))
        if not target.exists():  # of V1 it is the folder above
            shutil.copy(file, target)
            prefixes = [inside, tmp_path / name]
    for prefix in prefixes:
        checkpoint = Checkpoint(prefix)
        assert checkpoint.prefix == prefix and checkpoint.shapes == {"a": (6,)}
        np.testing.assert_array_equal(checkpoint.read("a"), np.arange(6))


def test_a_damaged_file_in_a_folder_of_such_a_name_is_named(saved, tmp_path):
    folder = shutil.copytree(saved.parent, tmp_path / "run [1]")
    half(folder / DATA)
    with pytest.raises(UserError, match=rf"run \[1\]/{DATA} is cut off"):
        Checkpoint(folder / NAME)


@pytest.mark.parametrize("counter", ["global_step", "batch"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -5.0, np.int64(-5), np.float32(1e30), b"7", True])
def test_a_counter_that_counts_no_steps_is_passed_over(counter, value, tmp_path):
    values = {"a": np.zeros(2, np.float32), counter: np.asarray(value, object if type(value) is bytes else None)}
    for name, step in (("model.ckpt-31", 31), ("model.ckpt", 0), (f"model.ckpt-{10**30}", 0)):
        assert Checkpoint(tf1_models.save(tmp_path / name, values)).step() == step


def test_a_relative_path_in_the_checkpoint_file_may_lead_to_a_folder_within(folder):
    inner = folder / "inner"
    inner.mkdir()
    for name in (INDEX, DATA):
        shutil.copy(folder / name, inner)
    state(folder, f'model_checkpoint_path: "inner/{NAME}"\n')
    assert tf1_files.find(folder) == inner / NAME


def test_the_checkpoint_file_may_name_any_file_of_a_checkpoint(folder):
    for name in (INDEX, DATA, f"gone/{INDEX}"):
        state(folder, f'model_checkpoint_path: "{name}"\n')
        assert tf1_files.find(folder) == folder / NAME


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"hello {", b'model_checkpoint_path: ""', None])
def test_a_folder_without_a_usable_checkpoint_file(content, folder, capfd, caplog):
    if content is None:
        (folder / "checkpoint").unlink()
        assert tf1_files.find(folder) == folder / NAME  # there is only one
    else:
        (folder / "checkpoint").write_bytes(content)
        with pytest.raises(UserError, match=rf"checkpoint names no checkpoint: give one of \S*{NAME}$"):
            tf1_files.find(folder)
        assert not caplog.records and not capfd.readouterr().err
    for name in (INDEX, DATA):
        shutil.copy(folder / name, folder / name.replace("7", "8", 1))
    with pytest.raises(UserError, match=rf"give one of \S*{NAME}; \S*model.ckpt-8$"):
        tf1_files.find(folder)


def test_folders_without_a_checkpoint_hold_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (".", "/", tmp_path, tmp_path / "gone", tmp_path / "gone" / NAME):
        assert tf1_files.find(path) is None


def test_a_checkpoint_file_that_names_a_missing_one_lists_those_that_are_there(folder):
    state(folder, 'model_checkpoint_path: "model.ckpt-900"\n')
    with pytest.raises(UserError, match=rf"names \S*ckpt-900, which is neither there nor in .*: give one of .*{NAME}$"):
        open_model(folder)


def test_hidden_files_are_no_checkpoints(folder):
    for name in (DATA, INDEX):
        (folder / f"._{name}").write_bytes(b"\0\5\x16\7")  # as macOS writes them on other disks
    for name in (INDEX, "checkpoint"):
        assert (folder / name).exists()
    assert tf1_files.find(folder) == folder / NAME
    (folder / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/model.ckpt-9"')
    with pytest.raises(UserError) as error:
        tf1_files.find(folder)
    assert "._" not in str(error.value)
