"""How programs of Windows write what is no number, in texts of numbers."""

import re

# Microsoft's C library: in full, or rounded to one to three places
NO_NUMBER = re.compile(r"(?<!\S)[-+]?1\.#(?:[QS]NAN|IND|INF|QNB|QO|IO|R|J)0*(?:e[-+]?\d+)?(?!\S)", re.IGNORECASE)


def as_nan(text: str) -> str:
    """A text with such words written as nan, which has no # that begins a comment."""
    return NO_NUMBER.sub("nan", text) if "1.#" in text else text
