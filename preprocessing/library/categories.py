"""The category of a piece of furniture, by the words of its name; categories.json has the words."""

import functools
import pathlib
import re

from data.categories import OTHER
from utils.files import read_json

TABLE = pathlib.Path(__file__).with_name("categories.json")
# A name ends where its qualification begins: "chair with cushion", "table for two", "table, round"
QUALIFICATION = re.compile(r"[,;:(\[/]| - |\b(?:with|without|for|on|under|in|and|of)\b")


def category_of(name: str, catalogue_category: str) -> str:
    """The category of a piece: the folder it goes to.

    In English the last noun of a name says what the thing is: a table lamp is a lamp. So the last
    word or phrase of the name that the table knows decides, and the catalogue's own category where
    it knows none.
    """
    words, sections = _table()
    tokens = re.findall(r"[^\W_]+", QUALIFICATION.split(name.lower())[0])
    for end in range(len(tokens), 0, -1):
        for start in range(max(0, end - 3), end):  # the longest phrase first
            phrase = " ".join(tokens[start:end])
            for form in (phrase, phrase.removesuffix("s")):
                if form in words:
                    return words[form]
    return sections.get(catalogue_category.lower(), OTHER)


@functools.cache
def _table() -> tuple[dict[str, str], dict[str, str]]:
    """{word or phrase: category}, {category of catalogues: category}."""
    table = read_json(TABLE)
    words = {word: category for category, entries in table["words"].items() for word in entries}
    return words, table["catalogue_categories"]
