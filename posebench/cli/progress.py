"""What a person sees on stderr while they wait: a progress bar, and a word when kernels are compiled."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

#: Fewer poses than this are scored before a bar could be read.
_WORTH_A_BAR = 2_000_000


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """A function that moves a bar on stderr by a number of poses; None if nobody would see or need it."""
    if total < _WORTH_A_BAR or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, advance=done)


@contextmanager
def step_bar(label: str) -> Iterator[Callable[[float, float, str], None] | None]:
    """A function that sets a bar on stderr to so many steps of so many, with a word on where that is.

    None if stderr is no terminal.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None, words="")
        yield lambda done, total, words: bar.update(task, completed=done, total=total, words=words)


def announce_compilation() -> None:
    """Say so on stderr if the kernels are about to be compiled: it happens once and takes some seconds."""
    from posebench.kernels import closed_form, nearest

    kept = {
        "closed_form.aligned_errors": closed_form.aligned_errors.stats.cache_path,
        "nearest.nearest_of_poses": nearest.nearest_of_poses.stats.cache_path,
    }
    if not all(cache is not None and any(Path(cache).glob(f"{name}-*.nbi")) for name, cache in kept.items()):
        print("posebench: compiling its kernels for this machine, once; this takes some seconds", file=sys.stderr)
