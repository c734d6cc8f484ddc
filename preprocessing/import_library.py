"""Turn furniture libraries of Sweet Home 3D (.sh3f) into a folder of meshes with categories.

    python preprocessing/import_library.py furniture/*.sh3f --out MESHES
    python preprocessing/import_library.py furniture --out MESHES --jobs 4

writes MESHES/<category>/<object>.glb, which render_views.py and check_meshes.py read. As in Sweet
Home 3D, models are turned by their modelRotation and stretched to the width, depth and height of
the catalogue; they are in metres, y up, front towards +z. The words of a piece's name decide its
category (preprocessing/library/categories.json), and the catalogue's category where they do not.
MESHES/manifest.json has the name, creator, licence, library and size of every model;
MESHES/CREDITS.txt has the credits and licences, which go with the models wherever they go.
Prints a progress bar, a line for every texture, model or library that cannot be used, and the
number of models of each category. A stopped run resumes: models that were written from the same
content are kept. Models of a library that it lists no longer, or in another category, are removed.
Exit code 3: some models or libraries were left out.
"""

import argparse
import collections
import contextlib
import pathlib

from tqdm import tqdm

from data.raw_layout import hidden
from preprocessing.library.convert import Settings, Task, convert, process_died
from preprocessing.library.credits import library_row, merge, model_row, read_manifest, write_manifest
from preprocessing.library.plan import Plan, Planned, plan_library
from utils.cli import parser, run, whole_number
from utils.errors import PartialFailure, UserError
from utils.files import temporary_folder
from utils.out_folder import working_in
from utils.processes import run_in_processes, share_cores


def find_libraries(paths: list[pathlib.Path]) -> list[pathlib.Path]:
    """Files as they are, folders as the .sh3f files in them; UserError if one is missing."""
    libraries: list[pathlib.Path] = []
    for path in paths:
        if path.is_dir():
            files = (file for file in path.rglob("*") if file.suffix.lower() == ".sh3f")
            inside = sorted(file for file in files if not hidden(file, path))
            if not inside:
                raise UserError(f"{path} holds no .sh3f files")
            libraries += inside
        elif path.is_file():
            libraries.append(path)
        else:
            raise UserError(f"{path} is missing: name .sh3f files or folders of them")
    return list({path.resolve(): path for path in libraries}.values())


def plan_all(paths: list[pathlib.Path], out: pathlib.Path, settings: Settings) -> tuple[list[Plan], list[str]]:
    """The plans of all libraries that can be read, and the reasons for the others."""
    plans: list[Plan] = []
    reasons: list[str] = []
    owners = {pathlib.Path(row["file"]).stem: row["library"] for row in read_manifest(out)["models"]}
    for path in paths:
        try:
            plan = plan_library(path, out, owners, settings)
            same = [other for other in plans if other.library.id == plan.library.id]
            if same:
                raise UserError(
                    f"{path} is the library {plan.library.id}, as {same[0].archive.path} is: name one of them"
                )
            plans.append(plan)
        except UserError as error:
            reasons.append(str(error))
    return plans, reasons


def write_models(plan: Plan, out: pathlib.Path, settings: Settings, jobs: int, bar: tqdm) -> dict[str, str]:
    """Write the models of a library that are not there yet; returns {file: reason} of failures."""
    failed: dict[str, str] = {}
    missing = [model for model in plan.models if not model.done]
    if not missing:
        return failed
    with temporary_folder(out, "library") as temporary:  # where this process is killed, the next run removes it
        folder = temporary / "unpacked"  # models may take files from the folder around it
        for problem in [*plan.archive.rejected, *plan.archive.unpack(folder)]:
            bar.write(f"warning: {plan.archive.path.name}: {problem}")
        tasks = {Task(model.piece, folder, out / model.file, model.digest, settings): model for model in missing}
        results = run_in_processes(convert, list(tasks), jobs, died=process_died, isolate=True)
        with contextlib.closing(results):
            for task, (warnings, reason) in results:
                for warning in warnings:
                    bar.write(f"warning: {warning}")
                if reason:
                    bar.write(f"left out: {reason}")
                    failed[tasks[task].file] = reason
                bar.update()
    return failed


def record(plan: Plan, failed: dict[str, str], out: pathlib.Path) -> list[Planned]:
    """Enter a library in the manifest and remove what it no longer has; returns its models."""
    models = [model for model in plan.models if model.file not in failed]
    old, kept = read_manifest(out), {model.file for model in models}
    for row in old["models"]:
        stale = out / row["file"]
        if (
            row["library"] == plan.library.id
            and row["file"] not in kept
            and stale.resolve().is_relative_to(out.resolve())
        ):
            stale.unlink(missing_ok=True)
    reasons = {piece: piece.problem for piece in plan.unusable}
    reasons |= {model.piece: failed[model.file] for model in plan.models if model.file in failed}
    new = {
        "libraries": [library_row(plan.library)],
        "models": [model_row(model.piece, model.category, model.file) for model in models],
        "left_out": [
            {"library": plan.library.id, "id": piece.id, "name": piece.name, "reason": reason}
            for piece, reason in reasons.items()
        ],
    }
    write_manifest(out, merge(old, new))
    return models


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments of the command."""
    flags = parser(__doc__)
    flags.add_argument("libraries", type=pathlib.Path, nargs="+", help=".sh3f files, or folders of them")
    flags.add_argument("--out", type=pathlib.Path, required=True, help="folder of meshes to write")
    default = Settings().texture_size
    flags.add_argument(
        "--texture_size", type=whole_number(1), default=default, help="longest side of textures, in texels"
    )
    flags.add_argument("--jobs", type=whole_number(1), default=1, help="models at once")
    return flags.parse_args(argv)


def main(argv: list[str]) -> None:
    args = parse(argv)
    with working_in(args.out):
        import_all(args)


def import_all(args: argparse.Namespace) -> None:
    """Write the models of all libraries that the folder does not hold yet."""
    settings = Settings(args.texture_size)
    plans, unread = plan_all(find_libraries(args.libraries), args.out, settings)
    done = sum(model.done for plan in plans for model in plan.models)
    missing = sum(len(plan.models) for plan in plans) - done
    print(f"{len(plans)} libraries: {done} models are done already, {missing} to write")
    share_cores(args.jobs)
    counts: collections.Counter[str] = collections.Counter()
    left_out = 0
    for reason in unread:
        print(f"left out: {reason}")
    with tqdm(total=missing, unit="model", disable=not missing) as bar:
        for plan in plans:
            for piece in plan.unusable:
                bar.write(f"left out: {piece.source}: {piece.problem}")
            failed = write_models(plan, args.out, settings, args.jobs, bar)
            counts.update(model.category for model in record(plan, failed, args.out))
            left_out += len(failed) + len(plan.unusable)
    print(f"{counts.total()} models in {args.out}: {', '.join(f'{name} {n}' for name, n in sorted(counts.items()))}")
    if unread or left_out:
        raise PartialFailure(f"{left_out} models and {len(unread)} libraries were left out, the reasons are above")


if __name__ == "__main__":
    run(main)
