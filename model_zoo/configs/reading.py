"""From a YAML file to a `TrainingConfig`: every field is known, of its kind and within its range, or it is refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_zoo.epipolarpose.crops import Augmentation
from posebench.errors import InputError, UsageError
from posebench.strict_yaml import load_yaml

if TYPE_CHECKING:
    from model_zoo.epipolarpose.network import PoseNetConfig

_FOLDER = Path(__file__).resolve().parent
#: A file that extends one that extends one is as deep as it goes.
_DEEPEST = 4
#: Characters of the longest name of one; file systems take 255 bytes.
_LONGEST = 60

KINDS = ("2d", "self", "full", "unfrozen")
JOINTS = ("any", "truth", "found")
EXTRINSICS = ("any", "known", "estimated")

#: Field -> least and most; a whole number where both are.
_RANGES: Mapping[str, tuple[float, float]] = {
    "epochs": (1, 100_000),
    "pictures_per_epoch": (1, 10**9),
    "batch": (2, 65_536),
    "seed": (0, 2**31),
    "checkpoint_steps": (1, 10**9),
    "log_steps": (1, 10**9),
    "validation_pictures": (1, 10**9),
    "threads": (1, 64),
    "rate": (1e-9, 1.0),
    "beta": (1e-9, 100.0),
    "heat_weight": (0.0, 100.0),
    "heat_cells": (0.1, 100.0),
    "fixed_parts": (0, 100),
    "held_out": (0.0, 0.9),
}


@dataclass(frozen=True)
class LabelDemand:
    """Which labels a configuration is for; others are refused, so that a run is what its name says.

    joints : {"any", "truth", "found"}
        Whether joints in 2D came from the data set's labels or from a network.
    extrinsics : {"any", "known", "estimated"}
    """

    joints: str = "any"
    extrinsics: str = "any"

    def __post_init__(self) -> None:
        for name, allowed in (("joints", JOINTS), ("extrinsics", EXTRINSICS)):
            if getattr(self, name) not in allowed:
                raise UsageError(f"{name} is {ascii(getattr(self, name))[:80]}, expected one of {', '.join(allowed)}")


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained; defaults are the paper's where it says something.

    name, description : str
    kind : {"2d", "self", "full", "unfrozen"}
        The 2D branch, from labels in 2D; the 3D branch from labels made by geometry, or from poses in 3D; or both
        branches as one network, which makes the labels that it learns from (`unfrozen`).
    network : PoseNetConfig
    split : str
        Of the data set.
    subjects : tuple of str
        Who is learnt from; everybody if empty.
    labels : LabelDemand
        For the kind `self`.
    augmentation : Augmentation
    epochs : int
    pictures_per_epoch : int, optional
        An epoch is so many pictures; all of them by default.
    drops : tuple of int
        Epochs after which the rate is a tenth of what it was.
    batch : int
        Pictures of a step, in all processes together.
    rate : float
        Of Adam.
    beta : float
        Where smooth L1 goes over from square to line, in sides of the crop.
    heat_weight, heat_cells : float
        How much the divergence of heat maps from Gaussians counts beside smooth L1, and their deviation in cells; the
        paper has none of it.
    fixed_parts : int
        Parts of the backbone, from the picture on, that stay as they begin.
    through : bool
        For the kind `unfrozen`: whether the gradient goes through the labels to the joints they are made of.
    held_out : float
        Share of the sequences that select the model and are not learnt from; with 0 the last weights are taken.
    validation_pictures : int
        Of those set aside that are looked at, at most.
    seed : int
    checkpoint_steps, log_steps : int
    threads : int
        That make batches.

    Raises
    ------
    UsageError
        If a value is not of its kind or out of its range.
    """

    name: str
    description: str
    kind: str
    network: PoseNetConfig
    split: str = "train"
    subjects: tuple[str, ...] = ()
    labels: LabelDemand = field(default_factory=LabelDemand)
    augmentation: Augmentation = field(default_factory=Augmentation)
    epochs: int = 140
    pictures_per_epoch: int | None = None
    drops: tuple[int, ...] = (90, 120)
    batch: int = 32
    rate: float = 1e-3
    beta: float = 0.02
    heat_weight: float = 0.0
    heat_cells: float = 1.0
    fixed_parts: int = 0
    through: bool = False
    held_out: float = 0.1
    validation_pictures: int = 1024
    seed: int = 0
    checkpoint_steps: int = 500
    log_steps: int = 20
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("name", "description", "split"):
            value = getattr(self, name)
            if not (isinstance(value, str) and value.isprintable() and 0 < len(value) <= 500):
                raise UsageError(f"{name} is {ascii(value)[:80]}, expected a line of text")
        if self.kind not in KINDS:
            raise UsageError(f"kind is {ascii(self.kind)[:80]}, expected one of {', '.join(KINDS)}")
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is None and name == "pictures_per_epoch":
                continue
            kinds = (int,) if isinstance(least, int) else (int, float)
            if type(value) not in kinds or not least <= value <= most:
                what = "a whole number" if kinds == (int,) else "a number"
                raise UsageError(f"{name} is {ascii(value)[:80]}, expected {what} from {least} to {most}")
        if type(self.through) is not bool:
            raise UsageError(f"through is {ascii(self.through)[:80]}, expected true or false")
        if not all(isinstance(subject, str) for subject in self.subjects):
            raise UsageError("subjects must be a list of names")
        if not all(type(drop) is int and drop > 0 for drop in self.drops) or list(self.drops) != sorted(self.drops):
            raise UsageError(f"drops are {list(self.drops)}, expected epochs in rising order")

    def rate_of(self, epoch: int) -> float:
        """The rate in an epoch, counted from 0."""
        return self.rate * 0.1 ** sum(epoch >= drop for drop in self.drops)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def list_configs() -> list[str]:
    """Names of the configurations that come with the zoo, sorted.

    Examples
    --------
    >>> [name for name in list_configs() if name.startswith("open4v-tiny")]
    ['open4v-tiny-2d', 'open4v-tiny-fs', 'open4v-tiny-ss']
    """
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_config(name: str | os.PathLike[str], *, seed: int | None = None) -> TrainingConfig:
    """A configuration by its name, or from a file called .yaml.

    Parameters
    ----------
    name : str or path
        A file may extend one that comes with the zoo, or one beside it.
    seed : int, optional
        Instead of the file's.

    Raises
    ------
    UsageError
        If there is none of that name.
    InputError
        If the file cannot be read, or holds a field that is unknown, missing or wrong.
    """
    path = Path(name)
    if path.suffix != ".yaml":
        if os.fspath(name) not in list_configs():
            raise UsageError(
                f"there is no configuration {ascii(os.fspath(name))[:120]}; known are {', '.join(list_configs())}, or "
                "name a file that is called .yaml"
            )
        path = _FOLDER / f"{name}.yaml"
    given = _merged(path, 0)
    given["name"] = path.stem
    config: TrainingConfig = _made(TrainingConfig, given, path, "")
    return config if seed is None else replace(config, seed=seed)


def _merged(path: Path, depth: int) -> dict[str, Any]:
    """The fields of a file over those of the one that it extends; blocks are merged field by field."""
    content = load_yaml(path)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError(f"{path}: holds no fields, expected description, kind, network and others")
    base = content.pop("extends", None)
    if base is None:
        return content
    if depth >= _DEEPEST:
        raise InputError(f"{path}: extends a configuration that extends others, more than {_DEEPEST} deep")
    if not isinstance(base, str) or not 0 < len(base) <= _LONGEST or not base.isprintable() or set(base) & set("/\\:"):
        raise InputError(f"{path}: extends {ascii(base)[:80]}, expected the name of a configuration")
    beside = path.with_name(f"{base}.yaml")
    found = beside if beside.is_file() else _FOLDER / beside.name
    if not found.is_file():
        raise InputError(f"{path}: extends {base!r}, which lies neither beside it nor among those that ship")
    merged = _merged(found, depth + 1)
    for key, value in content.items():
        old = merged.get(key)
        merged[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _made(kind: Any, given: Any, path: Path, where: str) -> Any:
    """A dataclass out of a mapping."""
    if not isinstance(given, dict):
        raise InputError(f"{path}: {where or 'the file'} is {ascii(given)[:80]}, expected fields")
    known = {each.name: each for each in fields(kind)}
    if unknown := [key for key in given if key not in known]:
        raise InputError(
            f"{path}: {where + ': ' if where else ''}there is no field {ascii(unknown[0])[:80]}; known are "
            f"{', '.join(known)}"
        )
    for name, each in known.items():
        if name not in given and each.default is MISSING and each.default_factory is MISSING:
            raise InputError(f"{path}: {where + ': ' if where else ''}the field {name} is missing")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    if kind is TrainingConfig:
        for block, what in _blocks().items():
            if block in values:
                values[block] = _made(what, values[block], path, block)
        for block in ("subjects", "drops"):
            if not isinstance(values.get(block, ()), tuple):
                raise InputError(f"{path}: {block} is {ascii(values[block])[:80]}, expected a list")
    try:
        return kind(**values)
    except UsageError as error:
        raise InputError(f"{path}: {where + ': ' if where else ''}{error}") from None


def _blocks() -> dict[str, Any]:
    from model_zoo.epipolarpose.network import PoseNetConfig

    return {"network": PoseNetConfig, "labels": LabelDemand, "augmentation": Augmentation}


__all__ = ["EXTRINSICS", "JOINTS", "KINDS", "LabelDemand", "TrainingConfig", "list_configs", "load_config"]
