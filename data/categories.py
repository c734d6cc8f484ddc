"""Category names and their ShapeNet synset ids: two spellings of the same folder."""

SYNSETS = {"car": "02958343", "chair": "03001627", "guitar": "03467517", "table": "04379243"}
NAMES = {synset: name for name, synset in SYNSETS.items()}


def name(folder):
    """The name of a category folder: 'chair' for 'chair' and for '03001627', any other folder is its own name."""
    return NAMES.get(folder, folder)


def spellings(category):
    """The folder names under which a category may be found, the given one first."""
    return [category, *({NAMES.get(category), SYNSETS.get(category)} - {None, category})]
