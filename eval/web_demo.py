"""A page in the browser: drop an image, turn the coloured model, download it.

    python eval/web_demo.py
    python eval/web_demo.py --port 8000 --restore_model runs/all --cam_est runs/camera

Then open the address that it prints, http://127.0.0.1:7860. The page shows the mask over the image,
the estimated camera, the model to turn, its outline over the image, and a button that downloads the
model. Ctrl-C ends it.

Nothing leaves this computer: the page is served to this computer only, needs no network and reports
to nobody. Uploads are limited in bytes and pixels. They and the models are removed after an hour,
and all of them when the page ends. Images are reconstructed one after another. The page needs
Gradio, which is among the requirements.
"""

import argparse
import importlib.util
import logging
import os
import pathlib
import shutil
import socket
import tempfile
import threading

from models.choices import PRECISION_HELP, PRECISIONS
from models.weights.run import check_there
from utils.cli import parser, real_number, run, whole_number
from utils.errors import UserError
from utils.images.photo import MAX_BYTES, MAX_PIXELS
from utils.out_folder import is_abandoned, working_in
from utils.signals import Stopped
from utils.web.jobs import Folders, Jobs
from utils.web.layout import build
from utils.web.page import AGE, Page
from utils.web.request import Limits
from utils.web.serving import launch, prepare

ROOT = pathlib.Path(__file__).parents[1]
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")  # of examples: formats that browsers show
PREFIX = "texdisn-web-"  # of the name of a page's folder among the system's temporary files
PATIENCE = 0.5  # seconds that a job may take to end after the page has
# what the weights that come with the project were trained on, and of others what can be said
KNOWS = (
    "It knows chairs, tables and cars best, and other furniture, household things, vehicles, plants and guitars. "
    "Of anything else it makes debris. A view that shows three sides is best."
)
OTHERS = "It knows the kinds of objects that its weights were trained on."
SWEEP = 300  # seconds between two removals of old files


def build_parser() -> argparse.ArgumentParser:
    p = parser(__doc__)
    p.add_argument(
        "--port", type=whole_number(1, 65535), default=7860, help="of the page's address, on this computer only"
    )
    p.add_argument(
        "--allow_host",
        nargs="+",
        default=(),
        metavar="NAME",
        help="names under which a proxy on this computer serves the page; without it, only this computer's own",
    )
    p.add_argument(
        "--restore_model", help="run or TF1 checkpoint of the field (default: the weights that come with the project)"
    )
    p.add_argument("--precision", choices=PRECISIONS, default="auto", help=PRECISION_HELP)
    p.add_argument(
        "--cam_est", help="run of train_cam.py that estimates cameras (default: the weights that come with the project)"
    )
    p.add_argument("--iso", type=real_number(), help="iso value of the surface (default: as in reconstruct.py)")
    p.add_argument(
        "--examples", type=pathlib.Path, default=ROOT / "examples", help="folder of images to click: PNG, JPEG, WebP"
    )
    p.add_argument(
        "--max_mb",
        type=real_number(0.01, MAX_BYTES * 100 // 2**20 / 100),
        default=10,
        help="largest upload in megabytes of 2^20 bytes",
    )
    p.add_argument(
        "--max_megapixels", type=real_number(0.01, MAX_PIXELS / 1e6), default=20, help="largest image in megapixels"
    )
    return p


def check(args: argparse.Namespace) -> None:
    """Raise UserError for a page that cannot be served, before anything is loaded."""
    if args.examples != ROOT / "examples" and not args.examples.is_dir():
        raise UserError(f"--examples {args.examples} is not a folder")
    for path in filter(None, (args.restore_model, args.cam_est)):
        check_there(path)
    if importlib.util.find_spec("gradio") is None:
        raise UserError("the page needs Gradio: pip install -r requirements.txt")
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a page that has just ended blocks nothing
            probe.bind(("127.0.0.1", args.port))
    except OSError as error:
        raise UserError(f"--port {args.port} cannot be used ({error.strerror}): give another one") from None


def copy_examples(source: pathlib.Path, target: pathlib.Path) -> list[pathlib.Path]:
    """Copy the images of a folder into the page's own folder, which alone is served.

    Returns:
        The paths of the copies; none where the folder `source` does not exist.
    """
    if not source.is_dir():
        return []
    images = sorted(
        path
        for path in source.iterdir()
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    return [pathlib.Path(shutil.copyfile(path, target / path.name)) for path in images]


def serve(args: argparse.Namespace, root: pathlib.Path) -> None:
    """Load the networks, then serve until an interrupt; `root` is an empty folder for all files."""
    folders = Folders(root, AGE)
    prepare(folders.cache)
    from models.inference.reconstruct import PRETRAINED_CAMERA, PRETRAINED_FIELD, Reconstructor
    from models.networks.precision import described

    runs = args.restore_model or PRETRAINED_FIELD, args.cam_est or PRETRAINED_CAMERA
    reconstructor = Reconstructor(*runs, args.iso, args.precision)
    _ = reconstructor.estimator  # its errors are raised now
    jobs = Jobs()
    limits = Limits(round(args.max_mb * 2**20), round(args.max_megapixels * 1e6))
    page, knows = Page(reconstructor, jobs, folders, limits), OTHERS if args.restore_model else KNOWS
    blocks = build(page, copy_examples(args.examples, folders.examples), knows)
    try:
        try:
            _, address, _ = launch(blocks, args.port, limits, folders, args.allow_host)
        except OSError:
            raise UserError(f"--port {args.port} is taken: give another one") from None
        folders.keep()
        folders.sweep_regularly(SWEEP)
        print(f"precision {described(args.precision)}")
        print(f"the page is at {address}    (Ctrl-C ends it)", flush=True)
        threading.Event().wait()
    finally:
        jobs.close()
        logging.disable(logging.CRITICAL)  # the server would log every browser that is still connected
        if blocks.is_running:
            blocks.server.force_exit = True  # do not wait for the browsers to disconnect
        blocks.close(verbose=False)
        jobs.wait(PATIENCE)
        folders.close()


def remove_abandoned(folder: pathlib.Path) -> None:
    """Remove the files of visitors that pages left in `folder` when they were killed."""
    for path in folder.glob(f"{PREFIX}*"):
        if is_abandoned(path):
            shutil.rmtree(path, ignore_errors=True)


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    check(args)

    remove_abandoned(pathlib.Path(tempfile.gettempdir()))
    root, code = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX)), 0
    try:
        with working_in(root, depth=0):
            serve(args, root.resolve())
    except KeyboardInterrupt as error:
        code = error.code if isinstance(error, Stopped) else 0
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print("the page has ended", flush=True)
    # Python itself would wait for the thread of a job, and for two seconds take the networks apart
    os._exit(code)


if __name__ == "__main__":
    run(main, resumes=False)
