"""A data set -> shards: planning them, reading objects in processes, writing, resuming."""

import collections
import contextlib
import dataclasses
import functools
import os
import pathlib
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from data import categories
from data.lists import split_objects
from data.shard_format import SPLITS, Inputs, ObjectRecord, find_shards, shard_name, write_shard
from data.shards import Shard
from preprocessing.database import unfinished
from preprocessing.database.inputs import input_digest, is_as_recorded, with_side_files
from preprocessing.meshes.distances import UNRECORDED_SIGN
from preprocessing.meshes.side_files import recorded_side_files
from preprocessing.readers import registry
from preprocessing.readers.reader import DataFolders, Options, Source
from preprocessing.recovery import dlt
from utils.engines import Engine
from utils.errors import UserError
from utils.files import differing_settings
from utils.processes import DIED

AHEAD = 8  # objects per process that may be read before they are written; bounds the memory


@dataclasses.dataclass(frozen=True)
class Job:
    """What is built: from which data set, into which folder."""

    layout: str  # a name in registry.READERS
    folders: DataFolders
    out: pathlib.Path
    category: str  # name, synset id or 'all'
    lst_dir: pathlib.Path | None  # lists of objects; None: those of the data set, or a split by hash
    shares: Mapping[str, float]  # of the split by hash
    objects_per_shard: int
    engine: Engine  # where the objects are read


@dataclasses.dataclass
class Plan:
    """One shard that is to be written."""

    path: pathlib.Path
    category: str
    split: str
    objects: list[Source]  # sorted by id


def make_plan(job: Job) -> tuple[list[Plan], int]:
    """The shards to write, and the number of listed objects that the data set lacks.

    Prints where the lists come from.
    """
    root = job.folders.root
    present = _objects_by_category(job)
    wanted = sorted(present) if job.category == "all" else [categories.name(job.category)]
    if not set(wanted) <= set(present):
        raise UserError(f"{root} has no category {job.category!r}; known: all, {', '.join(sorted(present))}")
    plans, absent = [], 0
    for category in wanted:
        objects = present[category]
        lists = split_objects(category, objects, root, job.lst_dir, job.shares)
        counts = ", ".join(f"{len(lists.ids[split])} {split}" for split in SPLITS)
        unlisted = f", {lists.unlisted} in no list" if lists.unlisted else ""
        print(f"{category}: {counts} objects by {lists.source}{unlisted}")
        if lists.absent:
            missing = f"{len(lists.absent)} listed objects are not in {root}"
            print(f"{category}: {missing}, the first is {lists.absent[0]}")
            absent += len(lists.absent)
        for split in SPLITS:
            ids, step = lists.ids[split], job.objects_per_shard
            for number, start in enumerate(range(0, len(ids), step)):
                path = job.out / shard_name(category, split, number)
                plans.append(Plan(path, category, split, [objects[i] for i in ids[start : start + step]]))
    if not plans:
        raise UserError(f"no listed object is in {root}")
    return plans, absent


def _objects_by_category(job: Job) -> dict[str, dict[str, Source]]:
    """{category name: {object id: object}} of the data set."""
    present: dict[str, dict[str, Source]] = collections.defaultdict(dict)
    for source in registry.find_objects(job.layout, job.folders):
        other = present[categories.name(source.category)].setdefault(source.object_id, source)
        if other is not source:
            raise UserError(f"{other.folder} and {source.folder} are the same object: remove one of them")
    return present


def shard_settings(job: Job, options: Options) -> dict[str, Any]:
    """The settings that shards record, to recognise those of another database."""
    settings: dict[str, Any] = {
        "image_size": [options.image_size, options.image_size],
        "objects_per_shard": job.objects_per_shard,
        "sdf_points": options.sdf_points,
        "surface_points": options.surface_points,
        "axes": dlt.describe(options.axes),
    }
    if job.layout != registry.DEFAULT:
        settings["format"] = job.layout
    return settings | registry.READERS[job.layout].settings(options, job.folders)


def build(plans: Sequence[Plan], job: Job, options: Options) -> dict[pathlib.Path, str]:
    """Write the shards that are missing, and those with objects that have changed or were left out.

    A shard with no object left is removed.

    Prints a progress bar, and lines for objects that are left out or whose cameras are recovered.

    Returns:
        {object folder: why it was left out}.

    Raises:
        UserError: the folder holds another database.
        StorageError: the disk is full or read-only.
    """
    settings = shard_settings(job, options)
    shards = [_finished(plan, settings, job.out) for plan in plans]
    _check_leftovers(plans, job)
    tasks = [
        [source for source in plan.objects if not shard or _to_read_again(source, shard)]
        for plan, shard in zip(plans, shards, strict=True)
    ]
    done = sum(shard is not None for shard in shards)
    if done:
        print(f"{done} of {len(plans)} shards are there already and are kept")
    again = sum(source.object_id in shard.inputs for s, shard in enumerate(shards) if shard for source in tasks[s])
    if again:
        print(f"{again} objects are read again, since their files have changed")
    total = sum(map(len, tasks))
    results = _read_objects([source for task in tasks for source in task], job, options)
    left_out = {}
    with contextlib.closing(results), tqdm(total=total, unit="object", disable=not total) as bar:
        for plan, shard, task in zip(plans, shards, tasks, strict=True):
            records, reasons = [], {}
            inputs = dict(shard.inputs) if shard else {}
            for source in task:
                _, (result, digest) = next(results)
                bar.update()
                if isinstance(result, str):
                    bar.write(f"left out: {result}")
                    left_out[source.folder] = reasons[source.object_id] = result
                    continue
                records.append(result)
                inputs[source.object_id] = digest
                if not np.isnan(result.reprojection_error):
                    name, error = f"{plan.category}/{source.object_id}", result.reprojection_error
                    bar.write(f"{name}: cameras from the flow volumes, {error:.3f} px")
            if records or (shard and reasons != shard.left_out):
                unfinished.begin(job.out, {plan.category for plan in plans})
                _write(plan, shard, records, settings, reasons, inputs)
    return left_out


def _finished(plan: Plan, settings: Mapping[str, Any], out: pathlib.Path) -> Shard | None:
    """The shard of a plan, None if it is missing; UserError for other settings or objects."""
    if not plan.path.exists():
        return None
    shard = Shard(plan.path)
    unrecorded = {"sign": UNRECORDED_SIGN}
    differing = differing_settings(unrecorded | shard.settings, {**unrecorded, **settings})
    if differing:
        difference = f"made with {', '.join(differing)}"
    else:
        before, now = {*shard.object_ids, *shard.left_out}, {source.object_id for source in plan.objects}
        if before == now:
            return shard
        counts = f"{len(before - now)} fewer now, {len(now - before)} more"
        difference = f"{plan.path.name} holds other objects ({counts}, e.g. {sorted(before ^ now)[0]})"
    advice = "use the same settings and data or another output folder, or delete it"
    raise UserError(f"{out} is another database: {difference}; {advice}")


def _check_leftovers(plans: Sequence[Plan], job: Job) -> None:
    """UserError if the folder holds shards of the wanted categories that are not planned."""
    planned = {plan.path for plan in plans}
    for path, category, _ in find_shards(job.out):
        if path not in planned and (job.category == "all" or category == categories.name(job.category)):
            advice = f"use another output folder, or delete the shards in {job.out}"
            raise UserError(f"{path} is not part of the database planned here: {advice}")


def _to_read_again(source: Source, shard: Shard) -> bool:
    """Whether an object of a finished shard was left out, or has other files than the shard's."""
    if source.object_id in shard.left_out:  # it may have been repaired
        return True
    known = shard.inputs.get(source.object_id)
    return known is not None and not is_as_recorded(source, known)


def _read(source: Source, layout: str, options: Options) -> tuple[ObjectRecord | str, Inputs]:
    """The record of an object or why it is left out, and the digests of its files."""
    try:
        digest = input_digest(source)
        with recorded_side_files() as names:
            result = registry.try_object(source, layout, options)
        return result, with_side_files(digest, names, source)
    except UserError as error:
        return str(error), ""


def _read_objects(
    objects: list[Source], job: Job, options: Options
) -> Generator[tuple[Source, tuple[ObjectRecord | str, Inputs]], None, None]:
    """Yield (object, result of _read) in order; at most AHEAD objects ahead."""
    if min(job.engine.jobs, len(objects)) > 1:  # the processes inherit it: they are the parallelism
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "IGL_NUM_THREADS"):
            os.environ.setdefault(name, "1")
    read = functools.partial(_read, layout=job.layout, options=options)
    return job.engine.run(read, objects, died=_process_died, ordered=True, ahead=AHEAD)


def _process_died(source: Source) -> tuple[str, str]:
    """The result of _read for an object that killed its process."""
    return f"{source.folder}: {DIED}", ""


def _write(
    plan: Plan,
    shard: Shard | None,
    records: list[ObjectRecord],
    settings: Mapping[str, Any],
    reasons: Mapping[str, str],
    inputs: Mapping[str, Inputs],
) -> None:
    """Write a shard; remove the old one if no object is left.

    Args:
        plan: its plan.
        shard: the old shard, where some of its objects were read again.
        records: the objects that were read now.
        settings: of shard_settings.
        reasons: object id -> why it is left out.
        inputs: object id -> digests of its files.
    """
    if shard:
        new = {record.object_id for record in records} | set(reasons)
        records = records + [shard.record(i) for i, name in enumerate(shard.object_ids) if name not in new]
        records.sort(key=lambda record: record.object_id)
    if not records:
        plan.path.unlink()
        return
    inputs = {record.object_id: inputs[record.object_id] for record in records if record.object_id in inputs}
    write_shard(plan.path, records, settings, reasons, inputs)


def report(plans: Sequence[Plan], out: pathlib.Path) -> None:
    """Print counts and sizes of the shards, and the reprojection errors of recovered cameras."""
    objects: collections.Counter = collections.Counter()
    views: collections.Counter = collections.Counter()
    errors: list[tuple[float, str]] = []
    size = 0
    for plan in plans:
        if plan.path.exists():
            shard = Shard(plan.path)
            objects[plan.category, plan.split] += len(shard.object_ids)
            views[plan.category, plan.split] += len(shard.view_names)
            errors += zip(shard.data["reprojection_error"][:].tolist(), shard.object_ids, strict=True)
            size += plan.path.stat().st_size
    for category in sorted({plan.category for plan in plans}):
        counts = [f"{objects[category, split]} {split} ({views[category, split]} views)" for split in SPLITS]
        print(f"{category}: {', '.join(counts)}")
    errors = [(error, object_id) for error, object_id in errors if not np.isnan(error)]
    if errors:
        (worst, object_id), mean = max(errors), np.mean([error for error, _ in errors])
        text = f"reprojection error of its worst view {mean:.3f} px in the mean, {worst:.3f} px at most ({object_id})"
        print(f"cameras of {len(errors)} objects recovered from flow volumes: {text}")
    print(f"database of {sum(objects.values())} objects, {size / 1e6:.1f} MB: {out}")
