"""Split a raw folder into training, validation and test: variants of one model on one side.

    python preprocessing/make_lists.py --raw raw
    python preprocessing/gen_db.py --raw raw --out db

Objects are variants of one model if their names differ in numbers alone or their shapes nearly
agree; numbers that count more than three objects and more than a twentieth of all group nothing.
Stretched copies (render_views.py --stretched) stay with their object, and are listed for training
alone. Writes {train,val,test}_list_<category>.txt into the raw folder, or into --out, where
gen_db.py finds them (--lst_dir). <category> is the name, also of folders called by the synset id;
lists under that id are replaced. DISN's (<category>_train.lst) are kept, and none are written
beside them, since gen_db.py refuses two lists of one category. The split follows from names and
shapes alone: it is the same on every machine. With --given, a file decides: {split:
["<category>/<object>", ...]}, such as that of the objects that the pretrained weights know
(models/pretrained/split.json). Prints the sizes of the splits and the largest groups.
"""

import argparse
import collections
import itertools
import pathlib
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from data import categories
from data.lists import lists_of
from data.raw_layout import RawObject, find_objects, origin
from data.shard_format import SPLITS
from preprocessing.database.flags import INFO
from preprocessing.readers.hdf5_files import read_hdf5
from preprocessing.splitting.group_split import split_groups
from preprocessing.splitting.near_duplicates import near_duplicates
from utils.cli import parser, real_number, run
from utils.errors import UserError
from utils.files import read_json, replacing
from utils.out_folder import working_in


def surface_of(raw: RawObject) -> np.ndarray:
    """Points (S, 3) on the surface of an object."""
    try:
        return read_hdf5(raw.surface, ["points"])[0]["points"]
    except UserError as error:
        raise UserError(f"{error}; render the object again") from None


def check_lists(folder: pathlib.Path, objects: list[RawObject]) -> None:
    """UserError if gen_db.py would refuse the lists that are to be written for objects."""
    for raw in objects:
        if set(raw.object_id) & set("\r\n"):
            raise UserError(f"{str(raw.folder)!r}: lists cannot hold a name with a line break: rename it")
    for category, split in itertools.product(sorted({raw.category for raw in objects}), SPLITS):
        for path in lists_of(folder, split, category):
            if path.suffix == ".lst":  # the others are written anew
                raise UserError(f"{path} is a list of the same category: remove it, or give another --out")


def write_lists(
    folder: pathlib.Path, objects: list[RawObject], splits: Sequence[str | None]
) -> collections.Counter[str]:
    """Write the three lists of every category; returns {split: number of ids in its lists}.

    An object whose split is None is in no list. A category of such objects has empty lists: without
    any, gen_db.py would split it by hash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts: collections.Counter[str] = collections.Counter()
    names = [categories.name(raw.category) for raw in objects]
    for category in sorted(set(names)):
        for split in SPLITS:
            rows = zip(objects, names, splits, strict=True)
            ids = sorted(raw.object_id for raw, name, own in rows if name == category and own == split)
            if split != SPLITS[0]:
                ids = [object_id for object_id in ids if origin(object_id) == object_id]
            with replacing(folder / f"{split}_list_{category}.txt") as temporary:
                temporary.write_text("".join(f"{object_id}\n" for object_id in ids), encoding="utf-8")
            for other in categories.spellings(category)[1:]:  # two lists of one category are refused
                (folder / f"{split}_list_{other}.txt").unlink(missing_ok=True)
            counts[split] += len(ids)
    return counts


def key(category: str, object_id: str) -> str:
    """What tells objects apart, the same in both spellings of a category."""
    return f"{categories.name(category)}/{object_id}"


def given_split(path: pathlib.Path) -> dict[str, str]:
    """{"<category>/<object>": split} of a JSON file {split: [...]}."""
    values = read_json(path)
    lists = values if isinstance(values, dict) else {}
    known = lists and set(lists) <= set(SPLITS) and all(isinstance(ids, list) for ids in lists.values())
    if not known or not all(isinstance(object_id, str) for ids in lists.values() for object_id in ids):
        raise UserError(f"{path} is not a split: it must hold lists of {', '.join(SPLITS)}")
    split_of: dict[str, str] = {}
    for split, ids in lists.items():
        for object_id in (key(*text.split("/", 1)) if "/" in text else text for text in ids):
            if split_of.setdefault(object_id, split) != split:
                raise UserError(f"{path}: {object_id} is in {split_of[object_id]} and in {split}")
    return split_of


def parse(argv: list[str]) -> argparse.Namespace:
    shares = read_json(INFO)["split"]
    flags = parser(__doc__)
    flags.add_argument("--raw", type=pathlib.Path, required=True, help="raw folder of render_views.py")
    flags.add_argument("--out", type=pathlib.Path, help="folder for the lists (default: the raw folder)")
    flags.add_argument("--given", type=pathlib.Path, help="JSON file with the split; other objects are in no list")
    for split in ("val", "test"):
        flags.add_argument(
            f"--{split}",
            type=real_number(above=-1e-9, below=1),
            help=f"share of the objects (default: {shares[split]})",
        )
    args = flags.parse_args(argv)
    for split in ("val", "test"):
        share = getattr(args, split)
        if args.given and share is not None:
            raise UserError(f"--{split} {share} would do nothing: --given decides")
        setattr(args, split, shares[split] if share is None else share)
    if args.val + args.test >= 1:
        raise UserError(f"--val {args.val} and --test {args.test} leave nothing for training")
    return args


def main(argv: list[str]) -> None:
    args = parse(argv)
    objects = find_objects(args.raw)
    ids = [key(raw.category, raw.object_id) for raw in objects]
    print(f"{len(objects)} objects in {args.raw}")
    out = args.out or args.raw
    check_lists(out, objects)
    if args.given:
        split_of = given_split(args.given)
        own_splits = [split_of.get(origin(own)) for own in ids]
        known = sum(split is not None for split in own_splits)
        if not known:
            raise UserError(f"{args.given} has no object of {args.raw}")
        with working_in(out, depth=0):
            write_lists(out, objects, own_splits)
        print(f"{known} of them in {args.given}; lists    {out}")
        return
    groups = near_duplicates(ids, [surface_of(raw) for raw in tqdm(objects, desc="surfaces", mininterval=2)])
    splits = split_groups(ids, groups, {"val": args.val, "test": args.test})
    with working_in(out, depth=0):
        counts = write_lists(out, objects, splits)
    pairs = {(group, origin(object_id)) for group, object_id in zip(groups.tolist(), ids, strict=True)}
    sizes = collections.Counter(group for group, _ in sorted(pairs))
    print(f"{len(sizes)} groups: " + ", ".join(f"{counts[split]} {split}" for split in SPLITS))
    for group, size in sizes.most_common(5):
        if size > 1:
            members = sorted(object_id for own, object_id in pairs if own == group)
            print(f"  {size} of one kind: {', '.join(members[:4])}{', ...' if size > 4 else ''}")
    print(f"lists    {out}")


if __name__ == "__main__":
    run(main, resumes=False)
