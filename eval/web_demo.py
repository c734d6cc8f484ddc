"""A page in the browser: drop a picture, turn the coloured model, take it home.

    python eval/web_demo.py
    python eval/web_demo.py --port 8000 --restore_model runs/all --cam_est runs/camera

Then open the address that it prints, http://127.0.0.1:7860. The page shows the mask over the picture, the estimated camera, the model to
turn, its outline over the picture, and a button that downloads the model. Ctrl-C ends it.

Nothing leaves this computer: the page is served to it alone, needs no network and tells nobody. Uploads are limited in bytes and
pixels; they and the models go away after an hour, and all of them when the page ends. Pictures are reconstructed one after the other.
It needs Gradio, which is among the requirements.
"""

import importlib.util
import logging
import pathlib
import shutil
import signal
import socket
import tempfile
import threading

from utils.cli import parser, run
from utils.errors import UserError

ROOT = pathlib.Path(__file__).parents[1]
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")  # of examples: what browsers show
SWEEP = 300  # seconds between two looks for files that are too old


def build_parser():
    p = parser(__doc__)
    p.add_argument("--port", type=int, default=7860, help="of the page's address, on this computer alone")
    p.add_argument(
        "--restore_model", help="run or TF1 checkpoint of the field (default: the weights that come with the project)"
    )
    p.add_argument(
        "--cam_est", help="run of train_cam.py that estimates cameras (default: the weights that come with the project)"
    )
    p.add_argument("--iso", type=float, help="level of the surface (default: as in reconstruct.py)")
    p.add_argument(
        "--examples", type=pathlib.Path, default=ROOT / "examples", help="folder of pictures to click: PNG, JPEG, WebP"
    )
    p.add_argument("--max_mb", type=float, default=10, help="largest upload in megabytes of 2^20 bytes")
    p.add_argument("--max_megapixels", type=float, default=20, help="largest picture in megapixels")
    return p


def check(args):
    """Refuse what cannot be done before anything is loaded. -> web_request.Limits"""
    from utils.images.photo import MAX_BYTES, MAX_PIXELS
    from utils.web.request import Limits

    for flag, value, most in (
        ("--max_mb", args.max_mb, MAX_BYTES / 2**20),
        ("--max_megapixels", args.max_megapixels, MAX_PIXELS / 1e6),
    ):
        if not 0.01 <= value <= most:
            raise UserError(f"{flag} {value:g} must be 0.01 to {most:.4g}")
    if not 1 <= args.port <= 65535:
        raise UserError(f"--port {args.port} must be 1 to 65535")
    if args.examples != ROOT / "examples" and not args.examples.is_dir():
        raise UserError(f"--examples {args.examples} is no folder")
    if importlib.util.find_spec("gradio") is None:
        raise UserError("the page needs Gradio: pip install -r requirements.txt")
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a page that has just ended is none
            probe.bind(("127.0.0.1", args.port))
    except OSError as error:
        raise UserError(f"--port {args.port} cannot be used ({error.strerror}): give another one") from None
    return Limits(round(args.max_mb * 2**20), round(args.max_megapixels * 1e6))


def copied(source, target):
    """Copy the examples into the page's own folder, which alone is served; their paths there."""
    if not source.is_dir():
        return []
    names = sorted(
        path
        for path in source.iterdir()
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    return [pathlib.Path(shutil.copyfile(path, target / path.name)) for path in names]


def serve(args, limits, root):
    """Load the networks, serve until an interrupt."""
    from utils.web.jobs import Folders, Jobs
    from utils.web.page import AGE, Page, build, launch, prepare

    folders = Folders(root, AGE)
    prepare(folders.cache)
    from models.inference.reconstruct import PRETRAINED_CAMERA, PRETRAINED_FIELD, Reconstructor

    reconstructor = Reconstructor(args.restore_model or PRETRAINED_FIELD, args.cam_est or PRETRAINED_CAMERA, args.iso)
    _ = reconstructor.estimator  # what is wrong with it is said now
    jobs = Jobs()
    blocks = build(Page(reconstructor, jobs, folders, limits), copied(args.examples, folders.examples))
    try:
        try:
            _, address, _ = launch(blocks, args.port, limits)
        except OSError:
            raise UserError(f"--port {args.port} is taken: give another one") from None
        folders.keep()
        folders.sweep_for_ever(SWEEP)
        print(f"the page is at {address}    (Ctrl-C ends it)", flush=True)
        threading.Event().wait()
    finally:
        jobs.close()
        logging.disable(logging.CRITICAL)  # that browsers are still connected is no news
        if blocks.is_running:
            blocks.server.force_exit = True  # without waiting until the browsers have gone
        blocks.close(verbose=False)
        jobs.wait()
        folders.close()


def main(argv):
    args = build_parser().parse_args(argv)
    limits = check(args)

    def interrupt(*_):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)  # as Ctrl-C: the files of visitors must go
    root = pathlib.Path(tempfile.mkdtemp(prefix="texdisn-web-"))
    try:
        serve(args, limits, root.resolve())
    except KeyboardInterrupt:
        print("the page has ended")
    finally:
        shutil.rmtree(root, ignore_errors=True)
        signal.signal(signal.SIGTERM, previous)


if __name__ == "__main__":
    run(main)
