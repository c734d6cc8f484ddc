"""The words of many texts, counted all at once."""

from collections.abc import Sequence

import numpy as np

BLANKS = np.frombuffer(b"\t\n\v\f\r\x1c\x1d\x1e\x1f ", np.uint8)  # what str.split splits ASCII at


def word_counts(texts: Sequence[str]) -> np.ndarray:
    """(N,) how many words each of N texts without line breaks has."""
    whole = "\n".join(texts)
    if not whole.isascii() or not texts:
        return np.array([len(text.split()) for text in texts], np.int64)
    letters = np.frombuffer(whole.encode("ascii"), np.uint8)
    ends = np.append(np.flatnonzero(letters == ord("\n")), len(letters))
    return np.diff(np.searchsorted(_word_starts(letters), ends), prepend=0)


def slashes_of_words(text: str) -> np.ndarray:
    """(N,) how many slashes each of the N words of a text has."""
    if not text.isascii():
        return np.array([word.count("/") for word in text.split()], np.int64)
    letters = np.frombuffer(text.encode("ascii"), np.uint8)
    starts = np.append(_word_starts(letters), len(letters))
    return np.diff(np.searchsorted(np.flatnonzero(letters == ord("/")), starts))


def _word_starts(letters: np.ndarray) -> np.ndarray:
    """Places of the first letters of the words of an ASCII text (N,) uint8."""
    table = np.zeros(256, bool)
    table[BLANKS] = True
    blank = table[letters]
    return np.flatnonzero(~blank & np.append(True, blank[:-1])[: len(blank)])
