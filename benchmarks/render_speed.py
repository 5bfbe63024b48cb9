"""How fast Open4V is rendered: pictures per second, compression and files included, on all cores and on one.

Renders the test split of the small size with made-up motions (4,000 pictures) into a temporary folder. The first rate
leaves out what happens once: making the bodies, starting processes, the first clip of each. Nothing is asserted; the
goal is 50 pictures of 256 px per second on two cores with software rendering.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from posebench.datasets.open4v import render
from posebench.datasets.open4v.body import make_bodies
from posebench.datasets.open4v.renderer import open_context
from posebench.datasets.open4v.splits import Clip
from posebench.datasets.open4v.stage import cast_of
from posebench.errors import PosebenchError

GOAL = 50
#: Clips of the split, and pictures of each.
CLIPS, PICTURES = 50, 80


def main() -> None:
    """Render and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pixels", type=int, nargs="+", default=[256, 128], help="sides of the pictures")
    arguments.add_argument("--workers", type=int, nargs="+", default=[os.cpu_count() or 1, 1], help="processes")
    asked = arguments.parse_args()
    try:
        context = open_context()
        # Once, for what anny keeps for the next time.
        make_bodies(list(cast_of([Clip("test", "syn05", "syn05_01", 1)], 0).values()))
    except PosebenchError as error:
        print(f"nothing is rendered: {error}")
        return
    print(f"{os.cpu_count()} cores, OpenGL by {context.info['GL_RENDERER']}\n")
    context.release()
    print("| side (px) | processes | pictures/s | with start, pictures/s | goal |")
    print("|---|---|---|---|---|")
    for pixels in asked.pixels:
        for workers in asked.workers:
            steady, whole = timed(pixels, workers)
            goal = f"{GOAL}" if (pixels, workers) == (256, 2) else ""
            print(f"| {pixels} | {workers} | {steady:.0f} | {whole:.0f} | {goal} |", flush=True)


def timed(pixels: int, workers: int) -> tuple[float, float]:
    """Pictures per second without and with the start."""
    done: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        result = render(
            Path(folder) / "open4v",
            size="small",
            pixels=pixels,
            motions="synthetic",
            splits=("test",),
            workers=workers,
            progress=lambda clips, total, words: done.append(time.perf_counter()),
        )
        taken = time.perf_counter() - begun
    assert result.new == CLIPS * PICTURES
    return (CLIPS - workers) * PICTURES / (done[-1] - done[workers - 1]), result.new / taken


if __name__ == "__main__":
    main()
