"""The category of an image: named where it is sure, kept with the weights, silent else."""

import numpy as np
import pytest

from models.inference.category_classifier import CategoryClassifier
from models.inference.category_fit import RIGHT, fit_categories
from models.inference.image_description import Described
from tests.helpers.flipped import edited
from utils.errors import UserError

NAMES = ("chair", "lamp", "other", "table")


def described(count, spread, seed, names=NAMES):
    """Images around a point of each category, in 6 dimensions of very different scales."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(names), size=count)
    centres = np.eye(len(names), 6) * 4
    features = (centres[labels] + rng.normal(scale=spread, size=(count, 6))) * [1, 100, 1e-3, 1, 1, 1] + 7
    return Described(features, [names[label] for label in labels], [str(i) for i in range(count)])


@pytest.mark.parametrize("names", [NAMES, NAMES[:2]])
def test_clear_images_are_named_and_probabilities_are_some(names):
    training, validation, images = (described(count, 0.3, count, names) for count in (400, 200, 100))
    classifier = fit_categories(training, validation)
    values = classifier.probabilities(images.features)
    np.testing.assert_allclose(values.sum(1), 1, rtol=1e-9)
    for row, features, truth in zip(values, images.features, images.categories, strict=True):
        result = classifier.category(features, known=True)
        assert result["probability"] == pytest.approx(row.max()) and classifier.names[row.argmax()] == truth
        assert result["name"] == (truth if truth != "other" else None)
        assert classifier.category(features, known=False) == {**result, "name": None}


@pytest.mark.parametrize("spread", [2.0, 3.0])
def test_of_the_validation_images_that_are_named_most_are_named_rightly(spread):
    """And the limit is the lowest of which that is true."""
    validation = described(1000, spread, 1)
    classifier = fit_categories(described(2000, spread, 0), validation)
    values = classifier.probabilities(validation.features)
    right = np.array(classifier.names)[values.argmax(1)] == validation.categories
    named = values.max(1) >= classifier.limit
    assert right.mean() < RIGHT <= right[named].mean() and 0.02 < named.mean() < 1
    for limit in np.unique(values.max(1)[~named]):
        assert right[values.max(1) >= limit].mean() < RIGHT
    said = [classifier.category(features, known=True)["name"] for features in validation.features]
    assert {name is not None for name, sure in zip(said, named, strict=True) if not sure} == {False}


def test_nothing_is_named_where_nothing_can_be_told_apart():
    rng = np.random.default_rng(0)
    training, validation = (
        Described(rng.normal(size=(n, 6)), [NAMES[i] for i in rng.integers(4, size=n)], [""] * n) for n in (50, 400)
    )
    wrong = validation._replace(categories=["unheard of"] * 400)
    classifier = fit_categories(training, wrong)
    assert all(classifier.category(features, known=True)["name"] is None for features in wrong.features)
    assert fit_categories(described(50, 1, 0, NAMES[:1]), validation) is None


def test_a_file_belongs_to_its_weights(tmp_path):
    classifier, path = fit_categories(described(400, 1, 0), described(200, 1, 1)), tmp_path / "categories.h5"
    assert CategoryClassifier.load(path, "a") is None
    classifier.save(path, "a")
    again, images = CategoryClassifier.load(path, "a"), described(50, 1, 2)
    assert again.names == classifier.names and again.limit == classifier.limit
    np.testing.assert_allclose(
        again.probabilities(images.features), classifier.probabilities(images.features), atol=1e-3
    )
    assert CategoryClassifier.load(path, "b") is None
    with edited(path) as file:
        del file["bias"]
    with pytest.raises(UserError, match="damaged"):
        CategoryClassifier.load(path, "a")
