"""How long the web page takes to end while it reconstructs.

    python benchmarks/page_end.py --ends 8 --resolution 256

Starts the page, lets it reconstruct an example, sends SIGTERM after a random time and waits for the
end of the process. Prints the seconds of each end and the longest.
"""

import argparse
import time

import numpy as np

from benchmarks.machine import cpu_name
from benchmarks.page import DESKTOP, choose, served
from utils.cli import parser, real_number, run, whole_number


def build_parser() -> argparse.ArgumentParser:
    p = parser(__doc__)
    p.add_argument("--ends", type=whole_number(1), default=8, help="how often the page is ended")
    p.add_argument("--resolution", type=whole_number(1), default=256, help="of the reconstruction")
    p.add_argument("--latest", type=real_number(0), default=20.0, help="seconds of work before the latest end")
    p.add_argument("--image", default="chair", help="name of the example")
    p.add_argument("--port", type=whole_number(1, 65535), default=7872, help="of the page meanwhile")
    p.add_argument("--seed", type=whole_number(0), default=0)
    return p


def end_after(seconds: float, args: argparse.Namespace) -> tuple[str, float]:
    """(what the page was at, seconds from SIGTERM to the end of the process)."""
    with served(args.port) as (page, address, browser):
        tab = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
        tab.goto(address)
        tab.wait_for_selector("#notice")
        choose(tab, args.image)
        tab.click("#settings button")
        tab.fill("#settings input[aria-label*=Resolution]", str(args.resolution))
        tab.click("#settings button")
        tab.click("#go")
        tab.wait_for_selector("#status progress")
        time.sleep(seconds)
        status = " ".join(tab.inner_text("#status").split())
        began = time.monotonic()
        page.terminate()
        page.wait()
        return status, time.monotonic() - began


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    print(f"{args.ends} ends of a reconstruction at {args.resolution}^3, {cpu_name()}")
    taken = []
    for seconds in np.random.default_rng(args.seed).uniform(0, args.latest, args.ends):
        status, end = end_after(seconds, args)
        taken.append(end)
        print(f"after {seconds:4.1f} s ({status}): {end:.2f} s", flush=True)
    print(f"longest end: {max(taken):.2f} s")


if __name__ == "__main__":
    run(main)
