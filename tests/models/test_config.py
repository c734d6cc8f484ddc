"""Settings: every one is declared once, saved, read back, checked, and read by the code."""

import ast
import dataclasses
import json
import pathlib

import pytest

from models.config import CameraConfig, Config, load_either
from models.presets import PRESETS, camera_preset, preset
from models.settings import architecture
from models.training.flags import overridden
from train import train_cam, train_sdf
from utils.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
KINDS = {Config: train_sdf, CameraConfig: train_cam}
SETTINGS = [(cls, field) for cls in KINDS for field in dataclasses.fields(cls)]
NAMED = [f"{cls.__name__}.{field.name}" for cls, field in SETTINGS]


def other_value(field):
    """A value that the setting may have and that is not its default."""
    if field.metadata["choices"]:
        return next(value for value in field.metadata["choices"] if value != field.default)
    kind = type(field.default)
    if kind is bool:
        return not field.default
    if kind is tuple:
        return tuple(value + 1 for value in field.default)
    if kind is str:
        return "elsewhere"
    step = field.metadata["multiple"] or 1
    return field.default + step if field.metadata["most"] is None else type(field.default)(field.metadata["most"] / 4)


@pytest.mark.parametrize(("cls", "field"), SETTINGS, ids=NAMED)
def test_a_setting_is_saved_and_read_back(cls, field, tmp_path):
    config = dataclasses.replace(cls(), **{field.name: other_value(field)})
    config.save(tmp_path / "config.json")
    assert cls.load(tmp_path / "config.json") == load_either(tmp_path / "config.json") == config != cls()
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, field.name: {}}))
    with pytest.raises(UserError, match=field.name):
        cls.load(tmp_path / "config.json")
    del values[field.name]  # a run from before the setting
    if field.name not in ("preset", "camera_widths"):  # they tell that and which kind it is
        (tmp_path / "config.json").write_text(json.dumps(values))
        assert cls.load(tmp_path / "config.json") == cls()


@pytest.mark.parametrize(("cls", "field"), SETTINGS, ids=NAMED)
def test_a_setting_has_a_flag_with_help(cls, field):
    parser = KINDS[cls].build_parser()
    flag = f"--{field.name}"
    actions = [action for action in parser._actions if flag in action.option_strings]
    if not field.metadata["flag"]:
        assert not actions or field.name in ("preset", "restore_model")
        return
    value = other_value(field)
    words = [flag if value else f"--no-{field.name}"] if isinstance(value, bool) else [flag, shown(value)]
    args = parser.parse_args(["--log_dir", "run", *words])
    assert overridden(args, cls) == {field.name: value}
    assert field.metadata["help"] in actions[0].help


def shown(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize(("cls", "field"), SETTINGS, ids=NAMED)
def test_values_out_of_bounds_are_refused(cls, field):
    bounds, wrong = field.metadata, []
    if bounds["above"] is not None:
        wrong += [bounds["above"], bounds["above"] - 1]
    if bounds["least"] is not None:
        wrong.append(bounds["least"] - 1)
    if bounds["most"] is not None:
        wrong.append(bounds["most"] + 1)
    if bounds["multiple"]:
        wrong.append(bounds["multiple"] + 1)
    if bounds["choices"]:
        wrong.append("another")
    if isinstance(field.default, float):
        wrong += [float("nan"), float("inf")]
    if isinstance(field.default, tuple):
        wrong += [(), (0, *field.default[1:])] + ([field.default[1:]] if bounds["length"] else [])
    for value in wrong:
        with pytest.raises(UserError, match=f"^{field.name} ") as error:
            dataclasses.replace(cls(), **{field.name: value}).check()
        assert "\n" not in str(error.value) and "--" not in str(error.value)


def test_the_code_reads_every_setting():
    """A setting that nothing reads does nothing: its name must be an attribute somewhere outside
    its declaration.
    """
    read = set()
    for package in ("data", "models"):
        for path in (ROOT / package).rglob("*.py"):
            if path.name not in ("config.py", "settings.py", "presets.py", "flags.py"):
                tree = ast.parse(path.read_text())
                read |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    by_config = {"preset", "restore_model"}  # told to the user, and read by flags.py
    unread = {field.name for _, field in SETTINGS} - read - by_config
    assert not unread


def test_unknown_settings_are_refused(tmp_path):
    Config().save(tmp_path / "config.json")
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, "colour_depth": 3}))
    with pytest.raises(UserError, match="unknown: .'colour_depth'"):
        Config.load(tmp_path / "config.json")
    CameraConfig().save(tmp_path / "config.json")
    with pytest.raises(UserError, match="not a configuration of a field network"):
        Config.load(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("older", "decoder"),
    [
        ({"img_feat_twostream": True, "img_feat_onestream": False, "threedcnn": False}, "twostream"),
        ({"img_feat_twostream": False, "img_feat_onestream": True, "threedcnn": False}, "onestream"),
        ({"img_feat_twostream": False, "img_feat_onestream": False, "threedcnn": True}, "threedcnn"),
        ({"img_feat_twostream": False, "img_feat_onestream": False, "threedcnn": False}, "global"),
    ],
)
def test_decoders_of_older_runs(older, decoder, tmp_path):
    Config().save(tmp_path / "config.json")
    values = json.loads((tmp_path / "config.json").read_text())
    del values["decoder"]
    (tmp_path / "config.json").write_text(json.dumps({**values, **older}))
    assert Config.load(tmp_path / "config.json").decoder == decoder


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid(name):
    for config in (preset(name), preset(name, binary=False), camera_preset(name)):
        config.check()
    assert architecture(preset(name))["binary"] == (name != "plus")


@pytest.mark.parametrize("make", [preset, camera_preset])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "momentum"])
def test_the_weight_decay_of_adamw_does_not_become_one_of_the_loss(make, optimizer):
    expected = 0.05 if optimizer == "adamw" else Config.weight_decay
    assert make("plus", optimizer=optimizer).weight_decay == expected
    assert make("plus", optimizer=optimizer, weight_decay=0.5).weight_decay == 0.5
    assert make("small", optimizer=optimizer).weight_decay == Config.weight_decay


@pytest.mark.parametrize("name", ["faithful", "small"])
def test_presets_of_vgg16_take_its_decoders(name):
    config = preset(name, decoder="threedcnn")
    config.check()
    assert not config.colour
    with pytest.raises(UserError, match="decoder residual takes the features of encoder efficientnet_lite0"):
        preset(name, decoder="residual").check()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"encoder": "vgg16"}, "takes the features of encoder efficientnet_lite0, not of vgg16"),
        ({"decoder": "onestream"}, "takes the features of encoder vgg16"),
        ({"img_h": 100}, "multiples of 32"),
        ({"binary": True}, "settings of signed distances; this model is binary"),
        ({"model_frame": "sphere"}, "augmirror needs model_frame cube"),
        ({"model_frame": "sphere", "augmirror": False, "augshape": True}, "augshape needs model_frame cube"),
        ({"model_frame": "sphere", "augmirror": False, "augshape": False}, "reflection needs model_frame cube"),
        ({"softness": -1.0}, "softness must be at least 0"),
        ({"averaging": 1.5}, "averaging must be in"),
        ({"seed": 2**32}, "seed must be in"),
        ({"beta1": 1.0}, "beta1 must be in"),
        ({"crop": 1e-6}, "crop 1e-06 must be 0, or at least"),
    ],
)
def test_plus_refuses_what_does_not_go_with_it(wrong, message):
    with pytest.raises(UserError, match=message):
        preset("plus", **wrong).check()


@pytest.mark.parametrize(("saved", "read"), [(Config, CameraConfig), (CameraConfig, Config)])
def test_a_run_of_the_other_kind_is_called_so(saved, read, tmp_path):
    saved().save(tmp_path / "config.json")
    with pytest.raises(UserError, match=f"is not a configuration of {read.KIND} but of {saved.KIND}$"):
        read.load(tmp_path / "config.json")
