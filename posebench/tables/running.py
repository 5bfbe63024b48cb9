"""Making the runs that a table lacks: the commands of their recipes, one after the other, each in a process of its own.

A recipe may come from a folder of somebody else, so a command is a call of posebench and nothing else, and no shell
reads it. Steps go on where they stopped, so the same call after a failure does.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from posebench.ending import run_step
from posebench.errors import InputError, UsageError
from posebench.tables.model import Missing, PaperTable, Recipe
from posebench.tables.results import default_folder

_PLACE = re.compile(r"\{([a-z0-9_]+)\}")
#: Placeholders that nobody has to name.
_KNOWN = ("results", "seed")


def make_missing(
    table: PaperTable,
    *,
    results: Path | None,
    paths: Sequence[str],
    only: Sequence[str] = (),
    say: Callable[[str], None],
) -> int:
    """Make the missing runs of a table; how many were made.

    Parameters
    ----------
    table : PaperTable
    results : Path or None
        Folder for them; the checkout's if None.
    paths : sequence of str
        `NAME=PATH`: what a placeholder stands for. `runs` is POSEBENCH_RUNS unless it is given.
    only : sequence of str
        Names of runs; all that are missing if empty.
    say : callable
        Takes a line of progress.

    Raises
    ------
    UsageError
        If a path is not given, or a run is not missing or has no recipe.
    InputError
        If a command fails; the sentence names the run and the step.
    """
    folder = _writable(results)
    places = {**_given(paths), "results": str(folder)}
    if "runs" not in places and os.environ.get("POSEBENCH_RUNS"):
        places["runs"] = os.environ["POSEBENCH_RUNS"]
    made = {row.recipe.name: row.recipe for row in table.rows if row.recipe is not None}
    wanted = _wanted(table.missing, only, made)
    for name, recipe in made.items():
        # Killed after its last result and before this.
        if (not only or name in only) and (folder / name).is_dir():
            _record(recipe, folder / name / "run.yaml")
    # Everything is filled in before anything runs: a path that is missing is noticed now, not after hours.
    plans = [(recipe, plan(recipe, places)) for recipe in wanted]
    done: set[tuple[str, ...]] = set()
    for number, (recipe, commands) in enumerate(plans, 1):
        (folder / recipe.name).mkdir(parents=True, exist_ok=True)
        for step, command in enumerate(commands, 1):
            if tuple(command) in done:
                continue
            say(f"run {number} of {len(plans)}, step {step} of {len(commands)}: posebench {shlex.join(command)}")
            _run(recipe, step, len(commands), command)
            done.add(tuple(command))
        _record(recipe, folder / recipe.name / "run.yaml")
    return len(plans)


def plan(recipe: Recipe, places: Mapping[str, str]) -> list[list[str]]:
    """The commands of a recipe, words without `posebench`, with paths and seeds filled in.

    Raises
    ------
    UsageError
        If a placeholder has no path.
    InputError
        If a command is no call of posebench.
    """
    found = []
    for seed in recipe.seeds:
        known = {**places, "seed": str(seed)}
        for command in recipe.commands:
            filled = [_fill(word, known, recipe.name) for word in _words(command, recipe.name)]
            if filled not in found:
                found.append(filled)
    return found


def places_of(recipe: Recipe) -> tuple[str, ...]:
    """The placeholders of a recipe that a user has to name, in the order of its commands.

    Examples
    --------
    >>> from posebench.tables.definitions import recipes
    >>> places_of(recipes()["labels-pre2d"])
    ('open4v', 'backbone', 'runs')
    """
    found = dict.fromkeys(name for command in recipe.commands for name in _PLACE.findall(command))
    return tuple(name for name in found if name not in _KNOWN)


def _words(command: str, run: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"run {run}: {command!r} cannot be read as a command: {error}") from None
    if not words or words[0] != "posebench":
        raise InputError(f"run {run}: {command!r} is no call of posebench, and nothing else is run")
    return words[1:]


def _fill(word: str, places: Mapping[str, str], run: str) -> str:
    for name in _PLACE.findall(word):
        if name not in places:
            raise UsageError(f"--run {run}: its commands need {{{name}}}; add --path {name}=PATH")
    return _PLACE.sub(lambda found: places[found[1]], word)


def _run(recipe: Recipe, step: int, steps: int, command: Sequence[str]) -> None:
    """Run one command; what it prints goes to stderr, since stdout is for the table."""
    try:
        code = run_step(command, output=2)
    except (OSError, ValueError) as error:
        raise InputError(f"run {recipe.name}: step {step} of {steps} cannot be started: {error}") from None
    if code:
        raise InputError(
            f"run {recipe.name}: step {step} of {steps} ended with {code}: posebench {shlex.join(command)}; its own "
            "words stand above, and the same call goes on from there"
        )


def _record(recipe: Recipe, path: Path) -> None:
    """Write run.yaml, unless the commands wrote it."""
    import yaml

    from posebench.io.atomic import atomic_write

    if path.exists():
        return
    said = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(recipe).items()}
    content = {name: "unknown" if value is None else value for name, value in said.items() if value != ""}
    if recipe.config is None:
        del content["config"]
    with atomic_write(path) as file:
        file.write(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120).encode("utf-8"))


def _wanted(missing: Sequence[Missing], only: Sequence[str], made: Collection[str]) -> list[Recipe]:
    names = [each.name for each in missing]
    for name in only:
        if name not in names and name not in made:
            raise UsageError(f"--only {name}: is not missing; missing are {', '.join(names) or 'none'}")
    chosen = [each for each in missing if not only or each.name in only]
    for each in chosen:
        if each.recipe is None:
            raise UsageError(f"--run {each.name}: there is no recipe for it; put its result there by hand")
    return [each.recipe for each in chosen if each.recipe is not None]


def _given(paths: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in paths:
        name, equals, place = text.partition("=")
        if not equals or not place or not _PLACE.fullmatch(f"{{{name}}}"):
            raise UsageError(f"--path {text!r}: expected NAME=PATH, as in open4v=DIR")
        found[name] = place
    return found


def _writable(results: Path | None) -> Path:
    if results is not None:
        return results
    folder = default_folder()
    # Results inside an installed package would vanish with its next version.
    if folder.parent.name != "docs":
        raise UsageError("--run needs --results DIR: results that come with an installed posebench stay as they are")
    return folder


__all__ = ["make_missing", "places_of", "plan"]
