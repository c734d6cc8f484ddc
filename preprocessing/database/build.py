"""A data set -> shards: the plan, reading in processes, writing, resuming."""

import collections
import concurrent.futures
import dataclasses
import multiprocessing
import os
import pathlib
from concurrent.futures.process import BrokenProcessPool

import numpy as np
from tqdm import tqdm

from data import categories
from data.lists import split_objects
from data.shards import SPLITS, Shard, find_shards, shard_name, write_shard
from preprocessing.database import unfinished
from preprocessing.readers.registry import find_objects, try_object
from utils.errors import UserError
from utils.processes import start_worker

AHEAD = 8  # objects per process that may be read before they are written; bounds the memory


@dataclasses.dataclass
class Plan:
    """One shard to be: its file and its objects (list of RawObject or ForeignObject, sorted by id)."""

    path: pathlib.Path
    category: str
    split: str
    objects: list


def make_plan(args):
    """([Plan], number of listed objects that are not there); prints where the lists come from."""
    present = collections.defaultdict(dict)
    for raw in find_objects(args.format, args.raw, args.images, args.meshes):
        other = present[categories.name(raw.category)].setdefault(raw.object_id, raw)
        if other is not raw:
            raise UserError(f"{other.folder} and {raw.folder} are the same object: remove one of them")
    wanted = sorted(present) if args.category == "all" else [categories.name(args.category)]
    if not set(wanted) <= set(present):
        raise UserError(f"{args.raw} has no category {args.category!r}; known: all, {', '.join(sorted(present))}")
    plans, absent = [], 0
    for category in wanted:
        objects = present[category]
        lists = split_objects(category, objects, args.raw, args.lst_dir, args.shares)
        counts = ", ".join(f"{len(lists.ids[split])} {split}" for split in SPLITS)
        unlisted = f", {lists.unlisted} in no list" if lists.unlisted else ""
        print(f"{category}: {counts} objects by {lists.source}{unlisted}")
        if lists.absent:
            print(
                f"{category}: {len(lists.absent)} listed objects are not in {args.raw}, the first is {lists.absent[0]}"
            )
            absent += len(lists.absent)
        for split in SPLITS:
            ids, step = lists.ids[split], args.objects_per_shard
            for number, start in enumerate(range(0, len(ids), step)):
                path = args.out / shard_name(category, split, number)
                plans.append(Plan(path, category, split, [objects[each] for each in ids[start : start + step]]))
    if not plans:
        raise UserError(f"no listed object is in {args.raw}")
    return plans, absent


def finished(plan, settings, out):
    """The Shard of a plan if it is there; UserError if it was made with other settings or of other objects."""
    if not plan.path.exists():
        return None
    shard = Shard(plan.path)
    old = shard.settings
    other = [key for key in sorted({*old, *settings}) if old.get(key) != settings.get(key)]
    differing = [f"{key} {old.get(key)} (now {settings.get(key)})" for key in other]
    if differing:
        what = f"made with {', '.join(differing)}"
    else:
        before, now = {*shard.object_ids, *shard.left_out}, {raw.object_id for raw in plan.objects}
        if before == now:
            return shard
        example = sorted(before ^ now)[0]
        what = f"{plan.path.name} holds other objects ({len(before - now)} fewer now, {len(now - before)} more, e.g. {example})"
    raise UserError(f"{out} is another database: {what}; use the same settings and data, another --out, or delete it")


def check_leftovers(plans, args):
    """UserError if the folder holds shards that are not of this plan; shards of categories not asked for are left alone."""
    planned = {plan.path for plan in plans}
    for path, category, _ in find_shards(args.out):
        if path not in planned and (args.category == "all" or category == categories.name(args.category)):
            raise UserError(
                f"{path} is not of the database planned here: use another --out, or delete the shards in {args.out}"
            )


def read_all(objects, options, jobs):
    """Yield try_object of every object, in order, read by `jobs` processes that run at most AHEAD objects each ahead."""
    if jobs == 1 or len(objects) == 1:
        yield from (try_object(raw, options) for raw in objects)
        return
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "IGL_NUM_THREADS",
    ):  # inherited by the processes: they are the parallelism
        os.environ.setdefault(name, "1")
    context = multiprocessing.get_context("spawn")  # forked copies of threaded libraries may hang
    waiting, objects = collections.deque(), iter(objects)
    with concurrent.futures.ProcessPoolExecutor(jobs, context, start_worker) as pool:
        try:
            for raw in objects:
                waiting.append(pool.submit(try_object, raw, options))
                if len(waiting) >= AHEAD * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise UserError("a process that read objects died (out of memory?): lower --jobs and start again") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def build(plans, options, settings, args):
    """Write the shards that are missing; returns {object folder: why it was left out}."""
    shards = [finished(plan, settings, args.out) for plan in plans]
    check_leftovers(plans, args)
    # of finished shards only what was left out is tried again: it may have been repaired
    tasks = [
        [raw for raw in plan.objects if not shard or raw.object_id in shard.left_out]
        for plan, shard in zip(plans, shards, strict=True)
    ]
    there = sum(shard is not None for shard in shards)
    if there:
        print(f"{there} of {len(plans)} shards are there already and are kept")
    for stale in args.out.glob(".*.tmp.h5"):  # of a run that was killed
        stale.unlink()
    total = sum(map(len, tasks))
    results = read_all([raw for each in tasks for raw in each], options, min(args.jobs, total))
    left_out = {}
    with tqdm(total=total, unit="object", disable=not total) as bar:
        for plan, shard, task in zip(plans, shards, tasks, strict=True):
            records, reasons = [], {}
            for raw in task:
                result = next(results)
                bar.update()
                if isinstance(result, str):
                    bar.write(f"left out: {result}")
                    reasons[raw.object_id] = result
                    left_out[raw.folder] = result
                else:
                    records.append(result)
                    if not np.isnan(result.reprojection_error):
                        name, error = f"{plan.category}/{raw.object_id}", result.reprojection_error
                        bar.write(f"{name}: cameras from the flow volumes, {error:.3f} px")
            if shard and records:  # something was repaired: the shard is written again, with it
                records += map(shard.record, range(len(shard.object_ids)))
                records.sort(key=lambda record: record.object_id)
            if records:
                try:
                    unfinished.begin(args.out, {plan.category for plan in plans})
                    write_shard(plan.path, records, settings, reasons)
                except OSError as error:  # disk full, no permission
                    raise UserError(f"{plan.path} cannot be written: {error}") from None
    return left_out


def report(plans, args):
    """Print counts and sizes of what is there, and the reprojection errors of recovered cameras."""
    counts, views, errors, size = collections.Counter(), collections.Counter(), [], 0
    for plan in plans:
        if plan.path.exists():
            shard = Shard(plan.path)
            counts[plan.category, plan.split] += len(shard.object_ids)
            views[plan.category, plan.split] += len(shard.view_names)
            errors += zip(shard.data["reprojection_error"][:].tolist(), shard.object_ids, strict=True)
            size += plan.path.stat().st_size
    for category in sorted({plan.category for plan in plans}):
        texts = [f"{counts[category, split]} {split} ({views[category, split]} views)" for split in SPLITS]
        print(f"{category}: {', '.join(texts)}")
    errors = [each for each in errors if not np.isnan(each[0])]
    if errors:
        worst, mean = max(errors), np.mean([each[0] for each in errors])
        text = f"reprojection error of its worst view {mean:.3f} px in the mean, {worst[0]:.3f} px at most ({worst[1]})"
        print(f"cameras of {len(errors)} objects recovered from flow volumes: {text}")
    print(f"database of {sum(counts.values())} objects, {size / 1e6:.1f} MB: {args.out}")
