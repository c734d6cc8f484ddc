"""Check a database of gen_db.py, print what is in it and draw some of its views with the surface points over them.

    python preprocessing/check_db.py DB
    python preprocessing/check_db.py DB --out sheet.png --objects 24

Checks every shard (format, version, datasets, types, shapes, offsets, descriptions), every object (values that are not
finite or out of range; voxels, surface points and distances that contradict each other; at most 5 % of the surface points
may fall beside the mask of a view, up to a pixel and a voxel, and at most 5 % of the mask may have no point near it; a view
without transparency is checked against its edges) and the whole (shards that are missing or made with other settings,
objects that are there twice, identical voxels or views in two splits).
Prints a progress bar, a table of categories and splits, and a line for every defect. Some 60 ms an object of 12 views.
Exit code 1: there are defects.
"""

import collections
import json
import pathlib

import cv2
import numpy as np
from tqdm import tqdm

from data.shards import SPLITS, UNFINISHED, Shard, find_shards
from preprocessing.database import checks
from preprocessing.database.contact_sheet import sheet
from utils.cli import parser, run
from utils.errors import UserError
from utils.files import check_out, replacing


def whole(folder, paths):
    """Defects of the folder: an unfinished build, gaps in the numbers of the shards."""
    found = []
    if (folder / UNFINISHED).exists():
        found.append(f"{UNFINISHED}: the database is not finished; start gen_db.py again with the same flags")
    names = {path.name for path, _, _ in paths}
    for path in sorted(names):
        stem, number = path[:-3].rsplit("_", 1)
        if int(number) and f"{stem}_{int(number) - 1:03d}.h5" not in names:
            found.append(f"{stem}_{int(number) - 1:03d}.h5: the shard is missing")
    return found


def check(folder, wanted):
    """Check every shard; gives defects (list of str), counts {(category, split): Counter}, settings, records for the sheet.

    wanted: how many records are kept, as even over categories and splits as their order allows.
    """
    paths = find_shards(folder)
    if not paths:
        raise UserError(f"{folder} holds no shard (<category>_<split>_<nnn>.h5); build it with preprocessing/gen_db.py")
    defects, counts, settings = whole(folder, paths), collections.defaultdict(collections.Counter), {}
    duplicates, kept = checks.Duplicates(), collections.defaultdict(list)
    with tqdm(paths, unit="shard") as bar:
        for path, category, split in bar:
            faults = checks.structure(path)
            defects += faults
            if faults:
                continue  # nothing of it can be relied on
            shard = Shard(path)
            settings.setdefault((shard.settings_text, tuple(shard.image_size)), []).append(path.name)
            count = counts[category, split]
            count["MB"] += path.stat().st_size / 1e6
            for index, object_id in enumerate(shard.object_ids):
                try:
                    record = shard.record(index)
                except UserError as error:  # a damaged chunk
                    defects.append(str(error))
                    continue
                lines = checks.values(record)
                lines += checks.cameras(record) if not lines else []
                defects += [f"{path.name}: {object_id}: {line}" for line in lines]
                duplicates.add(split, record)
                opaque = (record.images[..., 3] == 255).all((1, 2)).sum()
                count.update(
                    objects=1,
                    views=len(record.images),
                    opaque=opaque,
                    voxels=len(record.voxels),
                    distances=len(record.sdf),
                )
                recovered = int(np.isfinite(record.reprojection_error))
                count.update({"surface": len(record.surface_points), record.sdf_source: 1, "recovered": recovered})
                if len(kept[category, split]) < wanted:
                    kept[category, split].append(record)
            count["left out"] += len(shard.left_out)
            shard.file.close()
    for (text, size), names in list(settings.items())[1:]:
        first = next(iter(settings.values()))[0]
        what = f"views of {size[1]} x {size[0]} pixels" if text == next(iter(settings))[0] else "other settings"
        defects += [f"{name}: was made with {what} than {first}" for name in names]
    records = [each[i] for i in range(wanted) for each in kept.values() if i < len(each)][:wanted]
    return defects + duplicates.defects(), counts, next(iter(settings), None), records


def show(counts, settings):
    """Print what is in the database."""
    print(f"{'':37}{'mean of an object':>29}")
    print(
        f"{'category':<14}{'split':<7}{'objects':>8}{'views':>8}{'voxels':>9}{'distances':>11}{'surface':>9}{'MB':>8}"
    )
    for (category, split), count in sorted(counts.items(), key=lambda item: (item[0][0], SPLITS.index(item[0][1]))):
        objects = max(count["objects"], 1)
        points = f"{count['voxels'] // objects:>9}{count['distances'] // objects:>11}{count['surface'] // objects:>9}"
        print(f"{category:<14}{split:<7}{count['objects']:>8}{count['views']:>8}{points}{count['MB']:>8.1f}")
    total = sum(counts.values(), collections.Counter())
    print(f"{total['objects']} objects, {total['views']} views, {total['opaque']} of them without transparency")
    print(
        f"distances: {total['file']} objects from a file or mesh, {total['volume']} from the filled volume; cameras recovered: "
        f"{total['recovered']} objects; left out when it was built: {total['left out']} objects"
    )
    if settings:
        print(f"settings: {', '.join(f'{key} {value}' for key, value in json.loads(settings[0]).items())}")


def main(argv=None):
    flags = parser(__doc__)
    flags.add_argument("db", type=pathlib.Path, help="folder of the database")
    flags.add_argument("--out", type=pathlib.Path, help="PNG of the contact sheet; none: DB/contact_sheet.png")
    flags.add_argument("--objects", type=int, default=12, help="objects on the contact sheet; 0: no sheet")
    args = flags.parse_args(argv)
    if not args.db.is_dir():
        raise UserError(f"{args.db} is not a folder; build the database with preprocessing/gen_db.py")
    if args.objects < 0:
        raise UserError(f"--objects {args.objects}: it must be at least 0")
    out = args.out or args.db / "contact_sheet.png"
    if out.suffix.lower() != ".png":
        raise UserError(f"--out {out}: the contact sheet is a PNG, name it so")
    check_out(out.parent)
    defects, counts, settings, records = check(args.db, args.objects)
    show(counts, settings)
    if records:
        with replacing(out) as temporary:
            cv2.imwrite(str(temporary), cv2.cvtColor(sheet(records), cv2.COLOR_RGB2BGR))
        print(f"contact sheet of {len(records)} objects (green points lie in the mask, red ones beside it): {out}")
    for defect in defects:
        print(f"defect: {defect}")
    if defects:
        raise UserError(f"{len(defects)} defects in {args.db}; delete the shards named above and start gen_db.py again")
    print(f"no defects: {args.db}")


if __name__ == "__main__":
    run(main)
