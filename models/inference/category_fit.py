"""Fits the classifier of categories.

Many things look like another category from some side, so a category is named from a probability on
at which nearly all validation images were named rightly. This is a file of its own, since who
reads a classifier need not wait for scikit-learn.
"""

import dataclasses

import numpy as np
from sklearn.linear_model import LogisticRegression

from models.inference.category_classifier import CategoryClassifier
from models.inference.image_description import Described

RIGHT = 0.9  # share of the named validation images whose category is right
STRENGTH = 0.01  # inverse of the regularisation of the weights


def fit_categories(training: Described, validation: Described) -> CategoryClassifier | None:
    """Fit the weights, and set the limit; None where fewer than two categories were trained."""
    names = sorted(set(training.categories))
    if len(names) < 2:
        return None
    mean, scale = training.features.mean(0), np.maximum(training.features.std(0), 1e-6)
    fitted = LogisticRegression(C=STRENGTH, max_iter=1000)
    fitted.fit((training.features - mean) / scale, training.categories)
    coefficients, bias = fitted.coef_, fitted.intercept_
    if len(names) == 2:  # scikit-learn has one row for both
        coefficients, bias = np.concatenate([-coefficients, coefficients]) / 2, np.concatenate([-bias, bias]) / 2
    weights = coefficients / scale
    whole = CategoryClassifier(names, weights, bias - weights @ mean, 0.0)
    values = whole.probabilities(validation.features)
    best = values.argmax(1)
    right = np.array([names[i] for i in best]) == validation.categories
    return dataclasses.replace(whole, limit=_limit(values.max(1), right))


def _limit(probabilities: np.ndarray, right: np.ndarray) -> float:
    """The lowest probability from which on RIGHT of the images are right, above 1 without one.

    Args:
        probabilities: (N,) of the likeliest category.
        right: (N,) whether it is the true one.
    """
    order = np.argsort(-probabilities)
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(share >= RIGHT)
    return float(probabilities[order[good[-1]]]) if len(good) else 2.0
