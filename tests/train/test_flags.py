"""Every flag of the three commands does something: with it, what a user gets differs in the way the
flag says.

A new flag fails test_every_flag_is_in_a_table until one of the tables below describes its effect.
"""

import dataclasses
import importlib
import json
import pathlib
import sys

import h5py
import numpy as np
import pytest
import tensorflow as tf
import trimesh

import models.training.loop
from data.field_samples import FieldSamples
from data.shards import Database
from eval import to_mesh
from models.config import Config
from models.inference import iso_search
from models.training.field_trainer import FieldTrainer
from models.weights.run import Run
from tests.helpers import tf1_models, tiny
from tests.helpers.point_network import draw_nothing, take_the_place
from train import train_sdf
from utils import cli
from utils.errors import DEBUG, UserError
from utils.surface.field_grid import FieldGrid
from utils.surface.txt_format import read_txt, write_txt

ROOT = pathlib.Path(__file__).parents[2]
evaluation = importlib.import_module("eval.eval")


def options(parser):
    """The flags of a parser, --help left out."""
    flags = {(action.option_strings or [action.dest])[0] for action in parser._actions}
    return flags - {"-h"}


def differ(a, b):
    """Whether two nested values of dicts, lists, arrays and plain values differ."""
    if isinstance(a, dict):
        return a.keys() != b.keys() or any(differ(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) != len(b) or any(map(differ, a, b))
    return np.shape(a) != np.shape(b) or bool(np.any(np.asarray(a) != np.asarray(b)))


# train/train_sdf.py: what a run has before its first step, and after a few


def shapes(loop):
    return {v.path: tuple(v.shape) for v in loop.trainer.network.variables}


def values(loop):
    return {v.path: v.numpy() for v in loop.trainer.network.variables}


def batch_of(loop):
    order = models.training.loop.epoch_order(loop.train, loop.config.seed, 0, loop.config.cat_limit)
    return next(loop.input(loop.train, order, 0, augment=True))


def batch(loop):
    return {name: value.numpy() for name, value in batch_of(loop).items()}


def image(loop):
    return batch(loop)["image"]


def fields(loop):
    b = batch_of(loop)
    return [
        value.numpy() for value in loop.trainer.network([b["image"], b["points"], b["trans_mat"]]) if value is not None
    ]


def steps(loop):
    """Weights after two steps: the second has a moment of the first, and another rate."""
    b = batch_of(loop)
    for _ in range(2):
        loop.trainer.train_step(b)
    return values(loop)


def late_steps(loop):
    """The same in the middle of the training."""
    loop.trainer.set_elapsed(0.5)
    return steps(loop)


def averages(loop):
    """Averaged weights after two steps."""
    steps(loop)
    with loop.trainer.averaged_weights():
        return values(loop)


def kept(loop):
    """The step of the kept weights after two epochs, the second of which has a higher loss."""
    losses = iter([1.0, 2.0])
    loop.validate = lambda: {"loss": next(losses)}
    models.training.loop.Loop.run(loop)
    with h5py.File(loop.folder.best) as file:
        return json.loads(file.attrs["progress"])["step"]


def history(loop):
    """The steps of the epochs of the whole run, which the other observations leave out."""
    loop.val = loop.val[:1]
    models.training.loop.Loop.run(loop)
    return [row["step"] for row in loop.history]


def checkpoints(loop):
    """How often a run is saved."""
    saves, loop.val = [], loop.val[:1]
    loop.save = lambda: saves.append(True)
    models.training.loop.Loop.run(loop)
    return len(saves)


def place(loop):
    return loop.folder.folder.name == "elsewhere"


def objects(loop):
    return [entry.object_id for entry in loop.train + loop.val]


def points(loop):
    return batch(loop)["points"]


def distances(loop):
    return batch(loop)["distance"]


def cameras(loop):
    return batch(loop)["trans_mat"]


def count(loop):
    return loop.steps


# Network and optimiser take most of the time of a run: they are made where they are looked at.
TRAINED = {steps, late_steps, averages, kept, history, checkpoints}
NETWORK = {shapes, values, fields, *TRAINED}

SDF = ["--no-binary"]
SMALLEST = ["--decoder", "global"]  # where any network will do: tests/helpers/point_network.py
PRESETS = ["--preset", "small"]
PLUS = ["--encoder", "efficientnet_lite0", "--decoder", "residual", "--no-binary", "--restore_modelcnn", "none"]
# flag: (flags of both runs, flags of the second, what differs)
TRAIN = {
    "--log_dir": ([], ["--log_dir", "{tmp}/elsewhere"], place),
    "--preset": (PRESETS, ["--preset", "faithful"], shapes),  # all sizes are given, the normalisation is the preset's
    "--checkpoint_minutes": ([*SMALLEST, "--cat_limit", "4"], ["--checkpoint_minutes", "0"], checkpoints),
    "--db": ([], ["--db", "{other}"], batch),
    "--category": ([], ["--category", "crate"], objects),
    "--num_sample_points": ([], ["--num_sample_points", "24"], points),
    "--max_epoch": ([*SMALLEST, "--cat_limit", "4"], ["--max_epoch", "2"], history),
    "--max_minutes": ([*SMALLEST, "--cat_limit", "4"], ["--max_minutes", "1e-9"], history),
    "--batch_size": ([], ["--batch_size", "3"], image),
    "--img_h": ([], ["--img_h", "32"], image),
    "--img_w": ([], ["--img_w", "32"], image),
    "--num_classes": ([], ["--num_classes", "9"], shapes),
    "--encoder_size": ([], ["--encoder_size", "64"], fields),
    "--encoder_widths": ([], ["--encoder_widths", "4,4,8,8,9"], shapes),
    "--encoder_convs": ([], ["--encoder_convs", "1,1,2,1,1"], shapes),
    "--encoder_fc": ([], ["--encoder_fc", "17"], shapes),
    "--point_widths": ([], ["--point_widths", "8,17"], shapes),
    "--decoder_widths": ([], ["--decoder_widths", "16,9"], shapes),
    "--resized_reading": ([], ["--resized_reading"], fields),
    "--normalisation": (["--normalisation"], ["--no-normalisation"], shapes),
    "--learning_rate": (SMALLEST, ["--learning_rate", "1e-2"], steps),
    "--beta1": (SMALLEST, ["--beta1", "0.1"], steps),
    "--optimizer": (SMALLEST, ["--optimizer", "momentum"], steps),
    "--momentum": ([*SMALLEST, "--optimizer", "momentum"], ["--momentum", "0.1"], steps),
    "--decay_step": (SMALLEST, ["--decay_step", "4"], steps),
    "--decay_rate": ([*SMALLEST, "--decay_step", "4"], ["--decay_rate", "0.1"], steps),
    "--mask_weight": ([*SMALLEST, *SDF], ["--mask_weight", "9"], steps),
    "--schedule": (SMALLEST, ["--schedule", "cosine"], late_steps),
    "--warm_up": ([*SMALLEST, "--schedule", "cosine"], ["--warm_up", "5"], steps),
    "--encoder_rate": (SMALLEST, ["--encoder_rate", "0.1"], steps),
    "--clip_gradient": (SMALLEST, ["--clip_gradient", "1e-6"], steps),
    "--averaging": (SMALLEST, ["--averaging", "0.5"], averages),
    "--keep": ([*SMALLEST, "--cat_limit", "4", "--max_epoch", "2"], ["--keep", "last"], kept),
    "--softness": ([*SMALLEST, *SDF], ["--softness", "0.02"], steps),
    "--encoder": ([], PLUS, shapes),
    "--residual_width": (PLUS, ["--residual_width", "9"], shapes),
    "--residual_layers": (PLUS, ["--residual_layers", "2"], shapes),
    "--reflection": (PLUS, ["--no-reflection"], shapes),
    "--camera_axes": (PLUS, ["--no-camera_axes"], shapes),
    "--fourier": (PLUS, ["--fourier", "1"], shapes),
    "--binary": ([], SDF, shapes),
    "--colour": ([], ["--no-colour"], shapes),
    "--decoder": ([], ["--decoder", "onestream"], shapes),
    "--img_feat_twostream": ([], ["--no-img_feat_twostream"], shapes),
    "--img_feat_onestream": ([], ["--img_feat_onestream"], shapes),
    "--threedcnn": ([], ["--threedcnn"], shapes),
    "--voxel_widths": (["--threedcnn"], ["--voxel_widths", "5,4,4,4,4,4"], shapes),
    "--rot": ([], ["--rot"], fields),
    "--tanh": (SDF, ["--tanh"], fields),
    "--cat_limit": ([], ["--cat_limit", "3"], count),
    "--encoder_input": ([], ["--encoder_input", "bgr"], fields),
    "--model_frame": (SDF, ["--model_frame", "sphere"], points),
    "--distance_offset": (SDF, ["--distance_offset", "0.003"], distances),
    "--alpha": ([], ["--alpha"], image),
    "--crop": ([], ["--crop", "0.8"], image),
    "--cam_est": ([], ["--cam_est", "{cameras}"], cameras),
    "--augcolorfore": ([], ["--augcolorfore"], image),
    "--augcolorback": ([], ["--augcolorback"], image),
    "--auglight": ([], ["--auglight"], image),
    "--augmirror": ([], ["--augmirror"], cameras),
    "--augcolours": ([], ["--augcolours"], image),
    "--augshape": (SDF, ["--augshape"], points),
    "--backcolorwhite": ([], ["--backcolorwhite"], image),
    "--precision": (["--precision", "float32"], ["--precision", "bfloat16"], fields),
    "--bfloat16": (["--no-bfloat16"], ["--bfloat16"], fields),
    "--seed": ([], ["--seed", "1"], values),
    "--restore_model": ([], ["--restore_model", "{source}"], values),
    "--restore_modelcnn": ([], ["--restore_modelcnn", "{source}"], values),
}
SIZES = {"encoder_widths": "4,4,8,8,8", "encoder_convs": "1,1,1,1,1", "point_widths": "8,16", "decoder_widths": "16,8"}
SIZES |= {"img_h": 40, "img_w": 40, "num_classes": 8, "encoder_size": 32, "encoder_fc": 16}
SIZES |= {"num_sample_points": 16, "batch_size": 4, "max_epoch": 1}


class NothingBuilt:
    """In place of a network or an optimiser that an observation does not look at."""

    variables = trainable_variables = ()

    def build(self, variables):
        pass

    def count_params(self):
        return 0


@pytest.fixture(scope="module")
def plain_runs():
    """Observations without the flag in question, made by the first test that needs them."""
    return {}


@pytest.fixture
def trained(tiny_database, tmp_path, monkeypatch, eagerly):
    """A function: flags and an observation -> what is observed when the loop would start."""
    draw_nothing(monkeypatch.setattr)
    places = {
        "tmp": tmp_path,
        "source": tmp_path / "source",
        "other": tmp_path / "other",
        "cameras": tmp_path / "cameras",
    }
    seen = []

    class Recorder(models.training.loop.Loop):
        def begin(self):
            """Validate nothing: the network may not be there."""

        def run(self):
            seen.append(self)

    def observe(flags, observation, folder):
        if "{other}" in flags:
            tiny.write_database(places["other"], (3, 1, 1), ("ball",))
        if "{cameras}" in flags:
            tiny.camera_run(places["cameras"])
        if "{source}" in flags:
            main(["--seed", "9"], places["source"], values)
            seen.pop().save()
        main([flag.format(**places) for flag in flags], tmp_path / folder, observation)
        return observation(seen.pop())

    def main(flags, folder, observation):
        sizes = {**SIZES, "voxel_widths": "4,4,4,4,4,4"} if "--threedcnn" in flags else SIZES
        if "--threedcnn" in flags:
            sizes = {name: value for name, value in sizes.items() if name not in ("point_widths", "decoder_widths")}
        if "efficientnet_lite0" in flags:
            sizes = {name: sizes[name] for name in ("num_classes", "num_sample_points", "batch_size", "max_epoch")}
            sizes |= {"img_h": 32, "img_w": 32, "residual_width": 8, "residual_layers": 1}
        given = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
        if not {"--preset", "--normalisation", "residual"} & set(flags):
            given.append("--no-normalisation")  # it has half of the variables, which take most of the time
        with monkeypatch.context() as patch:
            patch.setattr("models.training.session.Loop", Recorder)
            if observation not in TRAINED:
                patch.setattr("models.training.trainer.make_optimizer", lambda config, schedule: NothingBuilt())
            if "global" in flags:
                take_the_place(patch.setattr)
            if observation not in NETWORK:
                patch.setattr(FieldTrainer, "build", lambda trainer: NothingBuilt())
            train_sdf.main(["--log_dir", str(folder), "--db", str(tiny_database), "--preset", "small", *given, *flags])

    return observe


@pytest.mark.slow
@pytest.mark.parametrize("flag", TRAIN)
def test_flags_of_training_change_what_they_say(flag, trained, plain_runs):
    base, changed, observation = TRAIN[flag]
    known = (*base, observation)
    if known not in plain_runs:
        plain_runs[known] = trained(base, observation, "a")
        if observation not in plain_runs:  # it must be the same twice, or the difference below would mean nothing
            plain_runs[observation] = trained(base, observation, "b")
            assert not differ(plain_runs[known], plain_runs[observation])
    assert differ(plain_runs[known], trained([*base, *changed], observation, "c"))


@pytest.mark.slow
def test_restored_weights_are_those_of_the_other_run(trained):
    """--restore_model takes all of them, --restore_modelcnn the encoder alone."""
    source = trained(["--seed", "9"], values, "s")
    whole = trained(["--restore_model", "{source}"], values, "a")
    encoder = trained(["--restore_modelcnn", "{source}"], values, "b")
    assert not differ(whole, source)
    for path, value in encoder.items():
        if path.endswith("kernel"):
            assert differ(value, source[path]) == ("vgg_16" not in path), path


def flags_to_config(tmp_path, *flags):
    return train_sdf.plan(train_sdf.build_parser().parse_args(["--log_dir", str(tmp_path), *flags])).config


def test_a_decoder_takes_the_place_of_the_two_streams(tmp_path):
    onestream = flags_to_config(tmp_path, "--img_feat_onestream")
    assert onestream.decoder == "onestream" and onestream.colour
    voxels = flags_to_config(tmp_path, "--threedcnn", "--no-binary", "--tanh")
    assert voxels.decoder == "threedcnn" and not voxels.colour and voxels.tanh
    assert flags_to_config(tmp_path, "--no-img_feat_twostream").decoder == "global"
    assert flags_to_config(tmp_path, "--no-img_feat_twostream", "--img_feat_onestream") == onestream
    assert flags_to_config(tmp_path, "--decoder", "onestream") == onestream
    assert flags_to_config(tmp_path, "--img_feat_twostream") == flags_to_config(tmp_path)


IDLE = {
    "--threedcnn --img_feat_onestream": "--img_feat_onestream and --threedcnn exclude each other",
    "--img_feat_onestream --img_feat_twostream": "--img_feat_twostream and --img_feat_onestream exclude each other",
    "--threedcnn --colour": "no colour branch",
    "--tanh": "tanh are settings of signed distances; this model is binary",
    "--threedcnn --rot": "rot would do nothing",
    "--mask_weight 2": "mask_weight would do nothing in binary mode",
    "--threedcnn --resized_reading": "resized_reading would do nothing without local features",
    "--voxel_widths 4,4,4,4,4,4": "voxel_widths would do nothing without decoder threedcnn",
    "--threedcnn --point_widths 8": "point_widths would do nothing with decoder threedcnn",
    "--threedcnn --decoder_widths 8,8": "decoder_widths would do nothing with decoder threedcnn",
    "--threedcnn --voxel_widths 8,8": "voxel_widths 8,8: give 6 numbers",
    "--threedcnn --decoder global": "--threedcnn is --decoder threedcnn, not global",
    "--momentum 0.3": "momentum would do nothing with optimizer adam",
    "--optimizer momentum --beta1 0.3": "beta1 would do nothing with optimizer momentum",
}


@pytest.mark.parametrize("flags", IDLE)
def test_flags_that_contradict_or_do_nothing_are_refused_in_one_line(flags, tmp_path):
    with pytest.raises(UserError, match=IDLE[flags]) as error:
        flags_to_config(tmp_path, *flags.split())
    assert "\n" not in str(error.value)


# eval/eval.py: what stands in the folder of results


class Evaluated:
    """What an evaluation wrote and said."""

    def __init__(self, out, said):
        self.out, self.said = out, said
        self.result = json.loads((out / "results.json").read_text())
        self.rows = self.result["images"]["prediction"]
        self.iou = [row.get("iou") for row in self.rows]
        self.files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
        self.field = read_txt(next(out.rglob("*_pred.txt")))

    def set_of(self, name):
        return {row[name] for row in self.rows}

    def mesh_vertices(self):
        """Vertices of one of the meshes; 0 where there is none."""
        return sum(
            line.startswith("v ")
            for path in list(self.out.rglob("*_mesh.obj"))[:1]
            for line in path.read_text().splitlines()
        )


# flag: (flags, what holds of the plain evaluation and of the one with the flags, and not of the
# plain one twice)
EVAL = {
    "--restore_model": (["--restore_model", "{other_run}"], lambda a, b: np.max(b.iou) < np.min(a.iou)),
    "--log_dir": (["--log_dir", "{tmp}/elsewhere"], lambda a, b: b.out.name == "elsewhere"),
    "--db": (["--db", "{other}"], lambda a, b: b.set_of("category") == {"ball"}),
    "--split": (["--split", "val"], lambda a, b: all("_val" in name for name in b.set_of("object_id"))),
    "--category": (["--category", "crate"], lambda a, b: b.set_of("category") == {"crate"}),
    "--sdf_res": (["--sdf_res", "9"], lambda a, b: (a.field.resolution, b.field.resolution) == (8, 9)),
    "--views": (["--views", "0,2"], lambda a, b: (a.set_of("view"), b.set_of("view")) == ({"00"}, {"00", "02"})),
    "--limit": (["--limit", "2"], lambda a, b: len(b.rows) == 2 * len(a.rows)),
    "--iso": (
        ["--iso", "0.5"],
        lambda a, b: b.field.coloured().sum() < a.field.coloured().sum() and b.result["iso"] == 0.5,
    ),
    "--create_obj": (
        ["--create_obj"],
        lambda a, b: {f.replace("pred.obj", "mesh.obj") for f in a.files if "pred.obj" in f} <= b.files,
    ),
    "--mesh_res": (["--create_obj", "--mesh_res", "32"], lambda a, b: b.mesh_vertices() > 1000),
    "--metrics": (["--metrics", "psnr"], lambda a, b: "iou" not in b.result["results"]["prediction"]),
    "--cam_est": (
        ["--cam_est", "{cameras}"],
        lambda a, b: "cameras" in b.result and "estimated camera" in b.result["results"],
    ),
    "--data_sets": (
        ["--data_sets", "{data_sets}"],
        lambda a, b: {row.get("data_set") for row in b.result["images"]["prediction"]} == {"boxes", "other"},
    ),
    "--figure_objects": (["--figure_objects", "1"], lambda a, b: "figure.png" in b.files - a.files),
}

# conventions of a TF1 checkpoint (of DISN's kind): the field differs
EVAL_TF1 = {
    "--img_h": ["32"],
    "--img_w": ["32"],
    "--encoder_input": ["rgb"],
    "--model_frame": ["cube"],
    "--distance_offset": ["0.5"],
    "--rot": [],
    "--tanh": [],
    "--precision": ["bfloat16"],
    "--bfloat16": [],
}


@pytest.fixture(scope="module")
def plain(tiny_database, tmp_path_factory):
    return tiny.field_run(tmp_path_factory.mktemp("plain") / "run", tiny_database, True)


@pytest.fixture(scope="module")
def other_places(tiny_database, tmp_path_factory):
    """Another run, another database and a camera run, which flags name."""
    folder = tmp_path_factory.mktemp("others")
    (folder / "data_sets.json").write_text('{"boxes": ["box/*"]}')
    return {
        "other_run": tiny.field_run(folder / "other_run", tiny_database, True, radius=0.5),
        "other": tiny.write_database(folder / "other", (2, 1, 1), ("ball",)),
        "cameras": tiny.camera_run(folder / "cameras"),
        "data_sets": folder / "data_sets.json",
    }


@pytest.fixture
def evaluated(plain, other_places, tiny_database, tmp_path, capsys, eagerly, built_once):
    """A function: flags -> the Evaluated of eval.main."""
    places = {"tmp": tmp_path, **other_places}

    def evaluate(flags, folder):
        base = {
            "--restore_model": plain,
            "--log_dir": tmp_path / folder,
            "--views": 0,
            "--limit": 1,
            "--sdf_res": 8,
            "--figure_objects": 0,
        }
        words = [str(word) for pair in base.items() for word in pair]
        given = [flag.format(**places) for flag in flags]
        evaluation.main([*words, *given])
        out = tmp_path / "elsewhere" if "--log_dir" in flags else tmp_path / folder
        return Evaluated(out, capsys.readouterr().out)

    return evaluate


@pytest.mark.slow
@pytest.mark.parametrize("flag", EVAL)
def test_flags_of_evaluation_change_what_they_say(flag, evaluated, plain_runs):
    flags, holds = EVAL[flag]
    plain_one = plain_runs["eval"] = plain_runs.get("eval") or evaluated([], "a")
    assert not holds(plain_one, plain_one)
    assert holds(plain_one, evaluated(flags, "b"))


@pytest.mark.slow
@pytest.mark.parametrize("flag", EVAL_TF1)
def test_conventions_of_a_tf1_checkpoint_change_its_field(flag, evaluated, plain_runs, tiny_database, tmp_path):
    prefix = tf1_models.save(tmp_path / "model.ckpt", tf1_models.values(tf1_models.shapes(binary=False, colour=False)))
    base = ["--restore_model", str(prefix), "--db", str(tiny_database), "--img_h", "40", "--img_w", "40"]
    base += ["--precision", "float32"]
    if "tf1" not in plain_runs:
        plain_runs["tf1"], again = (evaluated(base, folder).field.geometry for folder in ("a", "b"))
        assert not differ(plain_runs["tf1"], again)
    assert differ(plain_runs["tf1"], evaluated([*base, flag, *EVAL_TF1[flag]], "c").field.geometry)


@pytest.mark.slow
def test_iso_auto_is_looked_for_and_recorded(evaluated, plain, monkeypatch):
    monkeypatch.setattr(iso_search, "BINARY_VALUES", iso_search.BINARY_VALUES[::4])  # 0 is one of them
    monkeypatch.setattr(iso_search, "IMAGES", {True: 2})
    evaluation_with = evaluated(["--iso", "auto"], "a")
    kept = json.loads((evaluation_with.out / "iso.json").read_text())
    assert evaluation_with.result["iso"] == kept["iso"] != 0
    assert not Run(plain).iso.exists()  # an evaluation writes into its own folder alone


@pytest.mark.slow
@pytest.mark.parametrize(
    ("binary", "given"),
    [
        (True, {"decoder": "threedcnn", "voxel_widths": (6, 5, 4, 4, 3, 2)}),
        (False, {"decoder": "onestream", "rot": True}),
    ],
    ids=["voxels", "one stream"],
)
def test_other_decoders_train_and_evaluate(binary, given, tiny_database, tmp_path, capsys, monkeypatch):
    """Through training's own loop and eval.main; without a colour branch no metric speaks of
    colours.

    One stream learns. A grid of voxels, of which a step takes a second, would need many of them;
    tests/models/networks/test_decoders.py looks at what one step changes.
    """
    draw_nothing(monkeypatch.setattr)
    if binary:
        given = {**given, "cat_limit": 1, "batch_size": 2}
    config = tiny.config(binary, db=str(tiny_database), max_epoch=1 if binary else 5, learning_rate=5e-3, **given)
    database = Database(tiny_database)
    run = Run(tmp_path / "run")
    config.save(run.config)
    steps = FieldTrainer(config, tf.distribute.get_strategy())
    loop = models.training.loop.Loop(
        steps, run, FieldSamples(database, config), database.objects("train"), database.objects("val")[:1], 1e9
    )
    loop.run()
    losses = [row["train"]["geometry"] for row in loop.history]
    assert np.isfinite(losses).all() and (binary or losses[-1] < 0.9 * losses[0])
    command = ["--restore_model", str(run.folder), "--sdf_res", "16", "--views", "0", "--limit", "1", "--create_obj"]
    evaluation.main([*command, "--figure_objects", "0"])
    result = Evaluated(run.folder / "eval_test", capsys.readouterr().out)
    assert result.result["colour"] == config.colour
    assert ("psnr" in result.result["results"]["prediction"]) == config.colour
    assert ("the network predicts no colours" in result.said) == (not config.colour)
    assert len(result.rows) == 2
    if config.decoder == "threedcnn":
        coloured = result.field.coloured()
        assert (result.field.colours[coloured] == 0.5).all() and (result.field.colours[~coloured] == -1).all()
        with pytest.raises(UserError, match="metrics psnr need colours"):
            evaluation.main([*command, "--metrics", "psnr"])


# eval/to_mesh.py


def shell(scale=1.0):
    """A hollow ball, as logits; the coloured cells are those above 0."""
    line = (np.arange(24) + 0.5) / 24 - 0.5
    z, y, x = np.meshgrid(line, line, line, indexing="ij")
    geometry = (scale * (0.07 - np.abs(np.sqrt(x**2 + y**2 + z**2) - 0.3))).astype(np.float32).ravel()
    return FieldGrid(24, geometry, np.where(geometry[:, None] > 0, 0.6, -1).repeat(3, 1).astype(np.float32))


class Meshed:
    def __init__(self, path):
        self.path, self.mesh = path, trimesh.load(path, force="mesh")


TO_MESH = {
    "txt": (["{small}"], lambda a, b: len(b.mesh.vertices) != len(a.mesh.vertices)),
    "--out": (["--out", "{tmp}/b.obj"], lambda a, b: (a.path.suffix, b.path.suffix) == (".ply", ".obj")),
    "--mode": (["--mode", "sdf"], lambda a, b: b.mesh.volume > 2 * a.mesh.volume),  # what was empty is inside
    "--iso": (["--iso", "0.03"], lambda a, b: 0 < b.mesh.volume < 0.9 * a.mesh.volume),
    "--fill": (["--fill"], lambda a, b: b.mesh.body_count == 1 < a.mesh.body_count),
    "--frame": (["--frame", "voxel"], lambda a, b: b.mesh.extents.min() > 40 > a.mesh.extents.max()),
}


@pytest.mark.parametrize("flag", TO_MESH)
def test_flags_of_to_mesh_change_what_they_say(flag, tmp_path):
    write_txt(tmp_path / "plain.txt", shell())
    smaller = shell()
    smaller.geometry = smaller.geometry - 0.02
    smaller.colours[smaller.geometry <= 0] = -1
    write_txt(tmp_path / "small.txt", smaller)
    flags, holds = TO_MESH[flag]
    given = [word.format(tmp=tmp_path, small=tmp_path / "small.txt") for word in flags]
    to_mesh.main([str(tmp_path / "plain.txt"), "--out", str(tmp_path / "a.ply")])
    plain_one = Meshed(tmp_path / "a.ply")
    source = [] if flag == "txt" else [str(tmp_path / "plain.txt")]
    to_mesh.main([*source, *(["--out", str(tmp_path / "b.ply")] if flag != "--out" else []), *given])
    assert not holds(plain_one, plain_one)
    assert holds(plain_one, Meshed(tmp_path / ("b.obj" if flag == "--out" else "b.ply")))


# all of them


COMMANDS = {
    "train": (train_sdf, ["--log_dir", "{tmp}/run", "--num_sample_points", "0"]),
    "eval": (evaluation, ["--restore_model", "{tmp}/none"]),
    "to_mesh": (to_mesh, ["{tmp}/none.txt", "--out", "{tmp}/a.ply"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_debug_shows_the_traceback_of_an_error(name, tmp_path, monkeypatch, capsys):
    module, words = COMMANDS[name]
    words = [name, *(word.format(tmp=tmp_path) for word in words)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit):
        cli.run(module.main)
    assert capsys.readouterr().err.startswith("error: ")
    monkeypatch.setenv(DEBUG, "")  # which --debug sets, is restored after the test
    monkeypatch.setattr(sys, "argv", [*words, "--debug"])
    with pytest.raises(UserError):
        cli.run(module.main)


ENGINE = {"--jobs", "--backend", "--scheduler"}  # tests/utils/test_engines.py, tests/eval/test_eval.py


@pytest.mark.parametrize(("module", "table"), [(evaluation, {*EVAL, *EVAL_TF1, *ENGINE}), (to_mesh, TO_MESH)])
def test_every_flag_is_in_a_table(module, table):
    assert options(module.build_parser()) == {*table, "--debug"}


def test_every_flag_of_training_is_a_setting_or_in_the_table():
    """tests/models/test_config.py checks that the code reads every setting, and test_processes.py
    what --cluster and --worker do.
    """
    flags, settings = options(train_sdf.build_parser()), {f"--{field.name}" for field in dataclasses.fields(Config)}
    assert set(TRAIN) <= flags and flags - settings - {"--debug", "--cluster", "--worker"} <= set(TRAIN)
