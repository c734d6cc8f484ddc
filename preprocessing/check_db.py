"""Check a database of gen_db.py, print its contents, and draw some views with surface points.

    python preprocessing/check_db.py DB
    python preprocessing/check_db.py DB --out sheet.png --objects 24

The checks cover
  every shard   format, version, datasets, types, shapes, offsets, descriptions
  every object  values that are not finite or out of range; voxels, surface points and distances
                that contradict each other; cameras that disagree with the masks: at most 5 % of
                the surface points may fall beside the mask of a view, up to a pixel and a voxel,
                and at most 5 % of the mask may have no point near it (a view without transparency
                is checked against its edges)
  the whole     shards that are missing or made with other settings, objects that are there twice,
                identical voxels or views in two splits
Prints a progress bar, a table of categories and splits, and a line for every defect. Exit
code 1: there are defects.
"""

import collections
import dataclasses
import json
import pathlib
from collections.abc import Iterator

import numpy as np
from PIL import Image
from tqdm import tqdm

from data.shard_format import SPLITS, UNFINISHED, ObjectRecord, find_shards
from data.shards import Shard
from preprocessing.database import checks
from preprocessing.database.contact_sheet import sheet
from utils.cli import parser, run, whole_number
from utils.errors import UserError
from utils.files import check_out, replacing


@dataclasses.dataclass
class Findings:
    """What the checks of a database find."""

    defects: list[str] = dataclasses.field(default_factory=list)
    # (category, split) -> numbers of objects, views, ...
    counts: dict[tuple[str, str], collections.Counter] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(collections.Counter)
    )
    # (JSON of the settings, size of the views) -> names of the shards made with them
    settings: dict[tuple[str, tuple[int, int]], list[str]] = dataclasses.field(default_factory=dict)
    records: list[ObjectRecord] = dataclasses.field(default_factory=list)  # for the contact sheet


def folder_defects(folder: pathlib.Path, names: set[str]) -> list[str]:
    """Defects of the folder: an unfinished build, gaps in the numbers of the shards `names`."""
    defects = []
    if (folder / UNFINISHED).exists():
        defects.append(f"{UNFINISHED}: the database is not finished; start gen_db.py again with the same flags")
    for name in sorted(names):
        stem, number = name[:-3].rsplit("_", 1)
        previous = f"{stem}_{int(number) - 1:03d}.h5"
        if int(number) and previous not in names:
            defects.append(f"{previous}: the shard is missing")
    return defects


def check(folder: pathlib.Path, wanted: int) -> Findings:
    """Check every shard of a folder.

    Args:
        folder: the database.
        wanted: the number of records to keep for the contact sheet, spread evenly over categories
            and splits as far as their order allows.
    """
    paths = find_shards(folder)
    if not paths:
        raise UserError(f"{folder} holds no shard (<category>_<split>_<nnn>.h5); build it with preprocessing/gen_db.py")
    findings = Findings(folder_defects(folder, {path.name for path, _, _ in paths}))
    duplicates = checks.Duplicates()
    kept: dict[tuple[str, str], list[ObjectRecord]] = collections.defaultdict(list)
    for path, category, split in tqdm(paths, unit="shard"):
        defects = checks.structure(path)
        findings.defects += defects
        if defects:
            continue  # nothing in this shard can be relied on
        before = len(findings.defects)
        for record in check_shard(path, findings, findings.counts[category, split]):
            duplicates.add(split, record)
            if len(kept[category, split]) < wanted:
                kept[category, split].append(record)
        if len(findings.defects) == before:  # otherwise the reason is known
            findings.defects += checks.digest(path)
    findings.defects += setting_defects(findings) + duplicates.defects()
    findings.records = [records[i] for i in range(wanted) for records in kept.values() if i < len(records)][:wanted]
    return findings


def check_shard(path: pathlib.Path, findings: Findings, count: collections.Counter) -> Iterator[ObjectRecord]:
    """Check the objects of a shard, add to findings and count, and yield the readable ones."""
    try:
        shard = Shard(path)
    except UserError as error:  # such as damaged attributes
        findings.defects.append(str(error))
        return
    findings.settings.setdefault((shard.settings_text, shard.image_size), []).append(path.name)
    count["bytes"] += path.stat().st_size
    for index, object_id in enumerate(shard.object_ids):
        try:
            record = shard.record(index)
        except UserError as error:  # a damaged chunk
            findings.defects.append(str(error))
            continue
        defects = checks.values(record) or checks.cameras(record)
        findings.defects += [f"{path.name}: {object_id}: {defect}" for defect in defects]
        count.update(
            {
                "objects": 1,
                "views": len(record.images),
                "opaque": (record.images[..., 3] == 255).all((1, 2)).sum(),
                "voxels": len(record.voxels),
                "distances": len(record.sdf),
                "surface": len(record.surface_points),
                record.sdf_source: 1,
                "recovered": int(np.isfinite(record.reprojection_error)),
            }
        )
        yield record
    count["left out"] += len(shard.left_out)
    shard.file.close()


def setting_defects(findings: Findings) -> list[str]:
    """One line for every shard that was made with other settings than the first."""
    defects = []
    if findings.settings:
        ((first_text, _), (first, *_)), *others = findings.settings.items()
        for (text, size), names in others:
            difference = f"views of {size[1]} x {size[0]} pixels" if text == first_text else "other settings"
            defects += [f"{name}: was made with {difference} than {first}" for name in names]
    return defects


def show(findings: Findings) -> None:
    """Print the contents of the database."""
    print(f"{'':37}{'mean of an object':>29}")
    print(
        f"{'category':<14}{'split':<7}{'objects':>8}{'views':>8}{'voxels':>9}{'distances':>11}{'surface':>9}{'MB':>8}"
    )
    counts = findings.counts
    for category, split in sorted(counts, key=lambda place: (place[0], SPLITS.index(place[1]))):
        count = counts[category, split]
        objects = max(count["objects"], 1)
        points = f"{count['voxels'] // objects:>9}{count['distances'] // objects:>11}{count['surface'] // objects:>9}"
        print(f"{category:<14}{split:<7}{count['objects']:>8}{count['views']:>8}{points}{count['bytes'] / 1e6:>8.1f}")
    total = sum(counts.values(), collections.Counter())
    print(f"{total['objects']} objects, {total['views']} views, {total['opaque']} of them without transparency")
    print(
        f"distances: {total['file']} objects from a file or mesh, {total['volume']} from the filled volume; "
        f"cameras recovered: {total['recovered']} objects; left out when it was built: {total['left out']} objects"
    )
    for text, _ in list(findings.settings)[:1]:
        print(f"settings: {', '.join(f'{key} {value}' for key, value in json.loads(text).items())}")


def main(argv: list[str]) -> None:
    flags = parser(__doc__)
    flags.add_argument("db", type=pathlib.Path, help="folder of the database")
    flags.add_argument("--out", type=pathlib.Path, help="PNG of the contact sheet; none: DB/contact_sheet.png")
    flags.add_argument("--objects", type=whole_number(0), default=12, help="objects on the contact sheet; 0: no sheet")
    args = flags.parse_args(argv)
    if not args.db.is_dir():
        raise UserError(f"{args.db} is not a folder; build the database with preprocessing/gen_db.py")
    if args.out and not args.objects:
        raise UserError(f"--out {args.out} would do nothing: --objects 0 draws no contact sheet")
    out = args.out or args.db / "contact_sheet.png"
    if out.suffix.lower() != ".png":
        raise UserError(f"--out {out}: the contact sheet is a PNG, name it so")
    check_out(out.parent)
    findings = check(args.db, args.objects)
    show(findings)
    if findings.records:
        with replacing(out) as temporary:
            Image.fromarray(sheet(findings.records)).save(temporary)
        colours = "green points lie in the mask, red ones beside it"
        print(f"contact sheet of {len(findings.records)} objects ({colours}): {out}")
    for defect in findings.defects:
        print(f"defect: {defect}")
    if findings.defects:
        advice = "mend the data set where it causes them, delete the shards named above, start gen_db.py again"
        raise UserError(f"{len(findings.defects)} defects in {args.db}; {advice}")
    print(f"no defects: {args.db}")


if __name__ == "__main__":
    run(main, resumes=False)
