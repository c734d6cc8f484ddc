"""The table of readers: their declarations fit the flags, the help and the data on disk."""

import os

import pytest

from preprocessing.database import flags
from preprocessing.readers import registry
from preprocessing.readers.majority import Convention, decide
from preprocessing.readers.reader import DataFolders, Options
from utils.errors import UserError


@pytest.mark.parametrize("name", registry.READERS)
def test_readers_declare_known_flags_and_options(name, tmp_path):
    reader = registry.READERS[name]
    assert reader.name == name
    assert set(reader.needs) <= set(reader.uses) <= set(flags.OPTIONAL)
    assert {convention.option for convention in reader.conventions} <= set(Options.__dataclass_fields__)
    assert all(len(line) < 90 for line in reader.description.splitlines())
    file = tmp_path / reader.glob.replace("*/*", "chair/a")
    file.parent.mkdir(parents=True)
    file.with_name(f"._{file.name}").touch()  # macOS puts one beside each file that it copies
    file.parent.with_name(".deleted").mkdir()
    (file.parent.with_name(".deleted") / file.name).touch()
    assert registry.guess(tmp_path) is None
    file.touch()
    assert registry.guess(tmp_path) == name


def test_unknown_folders_and_other_layouts(tmp_path):
    assert registry.guess(tmp_path) is None
    with pytest.raises(UserError, match="holds no <category>/<object>/ori_sample.h5$"):
        registry.find_objects("disn", DataFolders(tmp_path))
    (tmp_path / "chair" / "a" / "views").mkdir(parents=True)
    with pytest.raises(UserError, match="holds no .*; it looks like format im2avatar"):
        registry.find_objects("disn", DataFolders(tmp_path))


@pytest.mark.parametrize("name", registry.READERS)
def test_hidden_folders_hold_no_objects_and_names_are_utf8(name, tmp_path):
    for folder in ("chair/a", ".trash/a", "chair/.b"):
        file = tmp_path / registry.READERS[name].glob.replace("*/*", folder)
        file.mkdir(parents=True)
    (found,) = registry.find_objects(name, DataFolders(tmp_path))
    assert found.folder == tmp_path / "chair" / "a"
    found.folder.rename(tmp_path / "chair" / os.fsdecode(b"st\xfchl"))
    with pytest.raises(UserError, match="its name is not UTF-8"):
        registry.find_objects(name, DataFolders(tmp_path))


def test_a_majority_decides(capsys):
    def read(source):
        if source == "grey":
            raise UserError("cannot tell")
        return source[:3]

    convention = Convention("channels", "rgb", read, "channels {} of {}".format, "all are grey")
    objects = ["bgr 1", "rgb 2", "grey", "bgr 3", "bgr 4"]
    assert decide(convention, objects) == "bgr"
    assert "channels bgr of 5 (3 of 4 objects agree)" in capsys.readouterr().out
    assert decide(convention, [*objects, None]) == "bgr"  # its error is told when it is read as an object
    assert decide(convention, ["grey"]) == "rgb" and "all are grey" in capsys.readouterr().out
    unconcerned = Convention("channels", "rgb", read, "".format, "all are grey", concerns=lambda source: False)
    assert decide(unconcerned, objects) == "rgb" and capsys.readouterr().out == ""
