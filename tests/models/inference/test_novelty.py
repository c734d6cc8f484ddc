"""How far images are from those of a training: the distance, its limits, its file, the warnings."""

import shutil

import numpy as np
import pytest

from data.shards import Database
from models.inference import novelty, reconstruct
from models.inference.category_classifier import category_classifier
from models.inference.image_description import describe
from models.inference.novelty import KNOWN, Known
from models.weights.run import Run
from models.weights.sources import open_model
from tests.helpers import tiny
from tests.helpers.flipped import edited
from train import export_run
from utils.errors import UserError
from utils.files import file_digest

OBJECTS = [str(i) for i in range(500)]


@pytest.fixture
def data():
    """A function: number -> points of a skewed distribution in 6 dimensions."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6))
    return lambda count: rng.normal(size=(count, 6)) @ mixing + 5


def test_with_all_components_the_distance_is_that_of_mahalanobis(data):
    training, points = data(500), data(40)
    known = Known.of(training, OBJECTS)
    difference = points - training.mean(0)
    inverse = np.linalg.inv(np.cov(training.T))
    distances = np.sqrt(np.einsum("ni,ij,nj->n", difference, inverse, difference))
    np.testing.assert_allclose(known.distance(points) * known.limit, distances, rtol=1e-6)


@pytest.mark.parametrize("components", [2, 4])
def test_few_components_see_what_lies_beyond_them(components, data, monkeypatch):
    monkeypatch.setattr(novelty, "COMPONENTS", components)
    training = data(500)
    known = Known.of(training, OBJECTS)
    smallest = np.linalg.eigh(np.cov(((training - known.mean) / known.scale).T))[1][:, 0]
    assert known.axes.shape == (components, 6)
    away = known.mean + 3 * smallest * known.scale  # not far in itself: other directions have that much
    assert known.distance(away[None])[0] > 1 > known.distance(known.mean[None])[0]


def test_the_limit_leaves_the_wanted_share_of_unseen_objects(data):
    """Of objects that many images of the training show, too: their own images are no measure."""
    centres = data(120)
    rng = np.random.default_rng(1)
    views = np.repeat(centres[:60], 10, 0) + rng.normal(scale=0.3, size=(600, 6))
    known = Known.of(views, [f"object {i // 10}" for i in range(600)])
    unseen = (known.distance(centres[60:]) <= 1).mean()
    own = (known.distance(views) <= 1).mean()
    assert abs(unseen - KNOWN) < 0.06 and own >= KNOWN
    every = Known.of(views, ["one"] * 600)  # cannot be left out
    assert (every.distance(views) <= 1).mean() == pytest.approx(KNOWN, abs=0.005)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [1, 2, 12])
def test_images_that_are_all_alike_are_known_and_others_are_not(count, data):
    """One image, or views of a ball: their distances and the limit of these are finite."""
    image, other = data(1), data(1)
    known = Known.of(np.repeat(image, count, 0), OBJECTS[:count])
    assert known.distance(image)[0] <= 1 < known.distance(other)[0] < np.inf


def test_a_file_belongs_to_its_weights(data, tmp_path):
    known = Known.of(data(500), OBJECTS)
    path = tmp_path / "novelty.h5"
    assert Known.load(path, "a") is None
    known.save(path, "a")
    again, points = Known.load(path, "a"), data(50)
    np.testing.assert_allclose(again.distance(points), known.distance(points), rtol=0.02)
    assert Known.load(path, "b") is None
    with edited(path) as file:
        del file["axes"]
    with pytest.raises(UserError, match="damaged"):
        Known.load(path, "a")


@pytest.fixture(scope="module")
def exported(tiny_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    run = tiny.field_run(folder / "run", tiny_database, True)
    export_run.main([str(run), "--out", str(folder / "small")])
    return folder / "small"


def test_an_export_describes_the_images_of_the_training_split(exported, tiny_database):
    model, database = reconstruct.Reconstructor(exported), Database(tiny_database)
    known = Known.load(Run(exported).novelty, file_digest(Run(exported).best))
    assert known is not None and model.known is not None
    entries = database.objects("train")
    images = [database.image(entry, 0) for entry in entries]
    features = describe(images)
    alone = np.concatenate([describe([image]) for image in images])
    np.testing.assert_allclose(features, alone, atol=1e-4)
    assert features.shape == (len(entries), len(known.mean)) and np.isfinite(known.distance(features)).all()


def test_statistics_of_another_description_are_left_alone(exported, tmp_path):
    """Earlier versions described an image by other numbers."""
    folder = Run(shutil.copytree(exported, tmp_path / "copy"))
    model = open_model(folder.folder)
    assert novelty.known_images(model) is not None and category_classifier(model) is not None
    for path in (folder.novelty, folder.categories):
        with edited(path) as file:
            del file.attrs["description"]
    assert novelty.known_images(model) is None and category_classifier(model) is None


def test_an_export_without_its_database_says_so(tiny_database, tmp_path, capsys):
    run = tiny.field_run(tmp_path / "run", tmp_path / "gone", True)
    export_run.main([str(run), "--out", str(tmp_path / "small")])
    assert "gone is not there" in capsys.readouterr().out and not Run(tmp_path / "small").novelty.exists()
    assert novelty.known_images(open_model(tmp_path / "small")) is None
    export_run.main([str(run), "--out", str(tmp_path / "small"), "--db", str(tiny_database)])
    assert Run(tmp_path / "small").novelty.exists()
    with pytest.raises(UserError, match="none is not a folder"):
        export_run.main([str(run), "--out", str(tmp_path / "small"), "--db", str(tmp_path / "none")])


@pytest.mark.parametrize(
    ("distance", "overlap", "words"),
    [
        (0.9, 0.8, []),
        (1.2, 0.8, ["unlike those that the weights were trained on (1.20 times"]),
        (0.9, 0.05, ["other outlines (overlap 0.05"]),
        (1.2, 0.05, ["1.20 times", "overlap 0.05"]),
    ],
)
def test_warnings(distance, overlap, words):
    known = Known(np.zeros(1), np.ones(1), np.ones((1, 1)), np.ones(1), 1.0, 1.0)
    features = np.array([distance])
    entry, warnings = novelty.assess(known, features, overlap)
    assert len(warnings) == len(words) and all(map(str.__contains__, warnings, words))
    assert not any("\n" in warning for warning in warnings)
    assert entry == {"distance": distance, "overlap": overlap}
    entry, warnings = novelty.assess(None, features, overlap)  # without statistics
    assert entry == {"distance": None, "overlap": overlap} and not any("unlike" in text for text in warnings)
