"""Pictures of the web page on a phone and on a desktop, in Chromium.

    python benchmarks/page.py --out docs/images

Serves the page with the weights that come with the project, reconstructs an example and writes
page_phone.png (the page as it opens, while it works, and the result) and page_desktop.png. It needs
Playwright, which is among the development tools, and Chromium.
"""

import argparse
import contextlib
import io
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from PIL import Image

from benchmarks.machine import ROOT
from utils.cli import parser, run, whole_number
from utils.errors import UserError

PHONE, DESKTOP = (390, 844), (1200, 900)  # pixels: width, height
LONGEST = 1400  # pixels along the longest side of a picture
# without a sandbox and without a graphics card, as in a container
FLAGS = ("--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


def system_browser() -> str | None:
    """The path of the system's Chromium or Chrome."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def build_parser() -> argparse.ArgumentParser:
    p = parser(__doc__)
    p.add_argument("--out", type=pathlib.Path, required=True, help="folder of the pictures")
    p.add_argument("--image", default="chair", help="name of the example")
    p.add_argument("--port", type=whole_number(1, 65535), default=7871, help="of the page meanwhile")
    return p


def choose(tab: Any, image: str) -> None:
    """Choose an example as the image."""
    tab.click(f"#examples button:has-text('{image}') >> nth=0")
    tab.wait_for_selector("#notice:has-text('Press')")
    tab.wait_for_selector("#upload img")  # the button takes what the box shows


def pictures(tab: Any, image: str) -> list[Image.Image]:
    """The page as it opens, while it reconstructs an example, and its result."""

    def screen(whole: bool = False) -> Image.Image:
        return Image.open(io.BytesIO(tab.screenshot(full_page=whole))).convert("RGB")

    opened = screen()
    choose(tab, image)
    tab.click("#go")
    tab.wait_for_selector("#status progress")
    working = screen()
    tab.wait_for_selector("#status:has-text('Done')")
    time.sleep(8)  # until the viewer has drawn the model
    return [opened, working, screen(), screen(whole=True)]


def side_by_side(images: list[Image.Image]) -> Image.Image:
    """Images from left to right, on grey, at most LONGEST along a side."""
    width, height = sum(image.width + 10 for image in images) - 10, max(image.height for image in images)
    sheet, left = Image.new("RGB", (width, height), (128, 128, 128)), 0
    for image in images:
        sheet.paste(image, (left, 0))
        left += image.width + 10
    sheet.thumbnail((LONGEST, LONGEST))
    return sheet


@contextlib.contextmanager
def served(port: int) -> Iterator[tuple[subprocess.Popen[str], str, Any]]:
    """The page in a process of its own: the process, the address, a browser."""
    from playwright.sync_api import sync_playwright

    path = system_browser()
    if path is None:
        raise UserError("Chromium is not installed")
    command = [sys.executable, "eval/web_demo.py", "--port", str(port)]
    with (
        subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE) as page,
        sync_playwright() as playwright,
    ):
        assert page.stdout is not None
        try:
            address = next((line.split()[4] for line in page.stdout if line.startswith("the page is at")), None)
            if address is None:
                raise UserError("the page did not start: the reason is above")
            yield page, address, playwright.chromium.launch(executable_path=path, args=FLAGS)
        finally:
            page.terminate()


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    with served(args.port) as (_, address, browser):
        for name, (width, height) in (("phone", PHONE), ("desktop", DESKTOP)):
            tab = browser.new_page(viewport={"width": width, "height": height})
            tab.set_default_timeout(600_000)
            tab.goto(address)
            tab.wait_for_selector("#notice")
            time.sleep(1)
            opened, working, result, whole = pictures(tab, args.image)
            sheet = side_by_side([opened, working, result, whole] if name == "phone" else [opened, whole])
            sheet.save(args.out / f"page_{name}.png", optimize=True)
            print(args.out / f"page_{name}.png")
            tab.close()


if __name__ == "__main__":
    run(main)
