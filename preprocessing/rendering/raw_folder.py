"""A folder of meshes -> a raw folder, in several processes; a run that was stopped resumes."""

import contextlib
import dataclasses
import pathlib
import shutil
from collections.abc import Sequence

from tqdm import tqdm

from data.categories import name as category_name
from data.categories import spellings
from data.raw_layout import STRETCHED, RawObject, find_objects, render_settings, render_settings_path
from preprocessing.meshes.distances import UNRECORDED_SIGN
from preprocessing.meshes.find import MeshFile, find_meshes
from preprocessing.rendering.raw_writer import UNFINISHED, Settings, Task, is_done, process_died, write_object
from utils.engines import HERE, Engine
from utils.errors import PartialFailure, UserError
from utils.files import differing_settings, write_json
from utils.out_folder import check_apart, working_in


def render_folder(
    meshes: pathlib.Path,
    out: pathlib.Path,
    settings: Settings,
    *,
    engine: Engine = HERE,
    categories: Sequence[str] | None = None,
    stretched: int = 0,
) -> None:
    """Render every mesh of a folder that the raw folder does not hold yet.

    Prints the plan, a progress bar, one line for every mesh that is left out, and the result.

    Args:
        meshes: folder of meshes (see preprocessing/meshes/find.py).
        out: the raw folder.
        settings: what the data depends on; a raw folder keeps to one set of them.
        engine: where the meshes are rendered.
        categories: names of the categories to render; None for all.
        stretched: copies of every object that are rendered too, with other proportions.

    Raises:
        UserError: a folder cannot be used, a category is unknown, or `out` has other settings.
        PartialFailure: some meshes were left out.
    """
    check_apart(out, meshes)
    with working_in(out, depth=0):
        try:
            _render_missing(meshes, out, settings, engine, categories, stretched)
        finally:
            shutil.rmtree(out / UNFINISHED, ignore_errors=True)


def _render_missing(
    meshes: pathlib.Path,
    out: pathlib.Path,
    settings: Settings,
    engine: Engine,
    categories: Sequence[str] | None,
    stretched: int,
) -> None:
    """Do what render_folder says, as the only process that writes to `out`."""
    files = _select(find_meshes(meshes), categories, meshes)
    tasks = [
        Task(file.path, RawObject(out, file.category, file.object_id + ending), settings, bool(ending))
        for file in files
        for ending in ["", *(f"{STRETCHED}{copy}" for copy in range(1, stretched + 1))]
    ]
    _check_names(tasks)
    _check_settings(out, settings)
    missing = [task for task in tasks if not is_done(task)]
    again = sum(task.target.folder.exists() for task in missing)
    if again:
        print(f"{again} objects are rendered again: files are missing, or their meshes have changed")
    done = len(tasks) - len(missing)
    counts = f"{done} are done already, {len(missing)} to render, {settings.views} views each"
    copies = f", {stretched} stretched copies of each" if stretched else ""
    print(f"{len(files)} meshes in {meshes}{copies}: {counts}")
    if others := _others(out, tasks, categories):
        which = f"of other meshes, such as {others[0]}; where a mesh is gone, delete the object's folder"
        print(f"{len(others)} objects in {out} are {which}")
    engine.share_cores()
    failed = _render(missing, engine)
    print(f"{len(missing) - failed} objects written, {done} were there already: {out}")
    if failed:
        raise PartialFailure(f"{failed} of {len(tasks)} meshes were left out, the reasons are above")


def _select(files: list[MeshFile], categories: Sequence[str] | None, folder: pathlib.Path) -> list[MeshFile]:
    """The meshes of the categories, in either spelling; UserError if a category has none."""
    if categories is None:
        return files
    present = sorted({file.category for file in files})
    for category in categories:
        if not set(spellings(category)) & set(present):
            raise UserError(f"category {category}: {folder} has {' '.join(present)}")
    wanted = {category_name(category) for category in categories}
    return [file for file in files if category_name(file.category) in wanted]


def _others(out: pathlib.Path, tasks: list[Task], categories: Sequence[str] | None) -> list[pathlib.Path]:
    """Folders of the objects of a raw folder, in the wanted categories, that no task makes.

    They are of other folders of meshes, or their meshes were removed or renamed.
    """
    objects = find_objects(out) if any(out.glob("*/*/views")) else []
    wanted = {category_name(category) for category in categories or (raw.category for raw in objects)}
    made = {task.target.folder for task in tasks}
    return [raw.folder for raw in objects if category_name(raw.category) in wanted and raw.folder not in made]


def _check_names(tasks: list[Task]) -> None:
    """UserError if an object has the name of a stretched copy of another one."""
    owners: dict[pathlib.Path, pathlib.Path] = {}
    for task in tasks:
        other = owners.setdefault(task.target.folder, task.mesh)
        if other != task.mesh:
            name = f"{task.target.category}/{task.target.object_id}"
            raise UserError(f"{name} would be a mesh and a stretched copy of another: rename {other} or {task.mesh}")


def _check_settings(out: pathlib.Path, settings: Settings) -> None:
    """Keep the settings in render.json; UserError if the folder holds other data."""
    stored, wanted = render_settings(out), dataclasses.asdict(settings)
    if stored is not None:
        default = Settings()  # older folders do not record the settings that there were not yet
        older = {"sign": UNRECORDED_SIGN, "focal": default.focal, "light": default.light}
        differing = differing_settings(older | stored, wanted)
        if differing:
            advice = "use the same settings or another output folder"
            if "sign" not in stored and settings.sign != UNRECORDED_SIGN:
                advice += f"; folders without a record of their sign need the sign {UNRECORDED_SIGN!r}"
            raise UserError(f"{out} was made with {', '.join(differing)}: {advice}")
        return
    if out.is_dir() and any(out.glob("*/*/views")):
        raise UserError(f"{out} holds objects, but no render.json: it was made by other means, use another folder")
    write_json(render_settings_path(out), wanted)


def _render(tasks: list[Task], engine: Engine) -> int:
    """Carry out the tasks and return how many failed."""
    failed = 0
    results = engine.run(write_object, tasks, died=process_died, isolate=True)
    with contextlib.closing(results), tqdm(total=len(tasks), unit="object") as bar:
        for _, (warnings, reason) in results:
            for warning in warnings:
                bar.write(f"warning: {warning}")
            if reason:
                bar.write(f"left out: {reason}")
                failed += 1
            bar.update()
    return failed
