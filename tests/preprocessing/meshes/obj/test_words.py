"""Words of OBJ files counted in numpy, against Python's own splitting."""

import numpy as np
import pytest

from preprocessing.meshes.obj.words import slashes_of_words, word_counts


@pytest.mark.parametrize("letters", ["12/ ", "1/.- \t\v\f\r\x1c\x1f\x00", "1/ \u00e9\u3000\u00a0"])
def test_words_are_those_of_python(letters):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list(letters), size)) for size in rng.integers(0, 12, 500)]
    expected = [len(text.split()) for text in texts]
    assert word_counts(texts).tolist() == expected and len(set(expected)) > 3
    whole = " ".join(texts)
    assert slashes_of_words(whole).tolist() == [word.count("/") for word in whole.split()]


def test_texts_without_words():
    assert word_counts([]).tolist() == [] and word_counts(["", " "]).tolist() == [0, 0]
    assert slashes_of_words("").tolist() == [] and slashes_of_words("  ").tolist() == []
