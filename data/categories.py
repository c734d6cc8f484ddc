"""Category names and their ShapeNet synset ids: two spellings of the same folder."""

OTHER = "other"  # the folder of what belongs to no other category
SYNSETS = {
    "airplane": "02691156",
    "car": "02958343",
    "chair": "03001627",
    "guitar": "03467517",
    "table": "04379243",
}
NAMES = {synset: name for name, synset in SYNSETS.items()}


def name(folder: str) -> str:
    """The category name of a folder: 'chair' for both 'chair' and '03001627'.

    A folder without a known synset is its own name.
    """
    return NAMES.get(folder, folder)


def spellings(category: str) -> list[str]:
    """The names a category's folder may have, the given one first."""
    other = NAMES.get(category) or SYNSETS.get(category)
    return [category, other] if other else [category]
