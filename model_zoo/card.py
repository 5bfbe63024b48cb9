"""Model cards: what a network is, what it learnt from, and what was measured of it, in YAML that is read strictly.

A card lies beside the weights and names them with their SHA-256. A field too many is as wrong as one that lacks, and a
measured number says the data, the protocol and the banks that it was measured with. `registry` finds cards.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from posebench.errors import InputError, UsageError
from posebench.io.atomic import atomic_write
from posebench.io.facts import shown, shown_names
from posebench.metrics import resolve
from posebench.strict_yaml import load_yaml

#: What training took from the data; the words that published results use.
SUPERVISION = ("none", "2d", "multi-view", "multi-view-rt", "subject-subset", "full")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,79}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class WeightsFile:
    """A file beside the card, by its name and the SHA-256 of its bytes."""

    file: str
    sha256: str


@dataclass(frozen=True)
class TrainingData:
    """Pictures that were learnt from, what of their labels was used, and under which licence they came."""

    name: str
    split: str
    supervision: tuple[str, ...]
    licence: str


@dataclass(frozen=True)
class Measured:
    """A number, and what it takes to measure it again.

    metric, value, unit
        As posebench spells and prints them.
    data, split, poses
        What was scored, and how many poses.
    protocol, protocol_sha256
        By which definition.
    banks : mapping
        Name -> SHA-256 of the cluster banks that the protocol took.
    """

    metric: str
    value: float
    unit: str
    data: str
    split: str
    poses: int
    protocol: str
    protocol_sha256: str
    banks: Mapping[str, str]


@dataclass(frozen=True)
class ModelCard:
    """What a model is.

    name : str
        Lower-case letters, digits, points and hyphens.
    summary : str
    model : str
        The kind of network, as the header of its weights says it.
    config : mapping
        Of the network, as the header says it.
    weights : WeightsFile
    refiner : WeightsFile, optional
        Of a refinement unit that predictions go through.
    data : tuple of TrainingData
    recipe : str
        The configuration that it was trained by.
    seed : int
    licence : str
        Of the weights.
    paper : str
    measured : tuple of Measured
        Empty if nothing was measured.
    """

    name: str
    summary: str
    model: str
    config: Mapping[str, Any]
    weights: WeightsFile
    refiner: WeightsFile | None
    data: tuple[TrainingData, ...]
    recipe: str
    seed: int
    licence: str
    paper: str
    measured: tuple[Measured, ...]

    def to_dict(self) -> dict[str, Any]:
        """Its fields as plain data, as they stand in the file."""
        fields = asdict(self)
        for part in fields["data"]:
            part["supervision"] = list(part["supervision"])
        return {**fields, "data": list(fields["data"]), "measured": list(fields["measured"])}


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Read a card; the weights are not looked at.

    Raises
    ------
    InputError
        If the file cannot be read, or with its first fault: a field that lacks or is too many, or holds something else.
    """
    place = Path(path)
    card = _Fields(load_yaml(place), str(place))
    found = ModelCard(
        card.name("name"),
        card.text("summary"),
        card.text("model"),
        _plain(card.mapping("config")),
        _file(card.inside("weights")),
        None if card.empty("refiner") else _file(card.inside("refiner")),
        tuple(_data(each) for each in card.several("data", least=1)),
        card.text("recipe"),
        card.whole("seed", least=0),
        card.text("licence"),
        card.text("paper"),
        tuple(_measured(each) for each in card.several("measured")),
    )
    card.end()
    if place.name != f"{found.name}.yaml":
        raise InputError(f"{place}: names the model {found.name}; its card must be called {found.name}.yaml")
    return found


def write_card(card: ModelCard, folder: str | os.PathLike[str]) -> Path:
    """Write a card into the folder of its weights; returns its path.

    Raises
    ------
    InputError
        If the file cannot be written.
    UsageError
        If what would stand there is no card.
    """
    import yaml

    path = Path(folder) / f"{card.name}.yaml"
    text = yaml.safe_dump(card.to_dict(), sort_keys=False, allow_unicode=True, width=110)
    with atomic_write(path) as handle:
        handle.write(text.encode())
    try:
        read_card(path)
    except InputError as error:
        path.unlink()
        raise UsageError(str(error)) from None
    return path


class _Fields:
    """The fields of a mapping, each asked for once and checked; `end` refuses what nobody asked for."""

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, dict):
            raise InputError(f"{where}: is {type(data).__name__}, expected fields with names")
        self._data, self._where, self._asked = data, where, set[str]()

    def _value(self, name: str) -> Any:
        self._asked.add(name)
        if name not in self._data:
            raise InputError(f"{self._where}: lacks the field {name}")
        return self._data[name]

    def wrong(self, name: str, expected: str) -> InputError:
        return InputError(f"{self._where}: {name} is {shown(self._data[name])}, expected {expected}")

    def empty(self, name: str) -> bool:
        return self._value(name) is None

    def text(self, name: str) -> str:
        value = self._value(name)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(name, "text")
        return value

    def name(self, name: str) -> str:
        value = self._value(name)
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise self.wrong(name, "lower-case letters, digits, points and hyphens")
        return value

    def sha256(self, name: str) -> str:
        value = self._value(name)
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise self.wrong(name, "64 hexadecimal digits")
        return value

    def whole(self, name: str, least: int) -> int:
        value = self._value(name)
        if type(value) is not int or value < least:
            raise self.wrong(name, f"a whole number from {least}")
        return value

    def number(self, name: str) -> float:
        value = self._value(name)
        if type(value) not in (int, float) or not math.isfinite(value):
            raise self.wrong(name, "a number")
        return float(value)

    def words(self, name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        value = self._value(name)
        if not isinstance(value, list) or not value or any(word not in allowed for word in value):
            raise self.wrong(name, f"a list of {', '.join(allowed)}")
        return tuple(value)

    def mapping(self, name: str) -> dict[Any, Any]:
        value = self._value(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "names with values")
        return value

    def inside(self, name: str) -> _Fields:
        return _Fields(self._value(name), f"{self._where}: {name}")

    def several(self, name: str, least: int = 0) -> list[_Fields]:
        value = self._value(name)
        if not isinstance(value, list) or len(value) < least:
            raise self.wrong(name, "a list" + (", and one of them at least" if least else ", perhaps an empty one"))
        return [_Fields(item, f"{self._where}: {name}, {number}.") for number, item in enumerate(value, 1)]

    def end(self) -> None:
        foreign = [str(name) for name in self._data if name not in self._asked]
        if foreign:
            raise InputError(f"{self._where}: has no place for {shown_names(foreign)}")


def _file(fields: _Fields) -> WeightsFile:
    name = fields.text("file")
    if Path(name).name != name or not name.endswith(".safetensors"):
        raise fields.wrong("file", "the name of a .safetensors file beside the card")
    found = WeightsFile(name, fields.sha256("sha256"))
    fields.end()
    return found


def _data(fields: _Fields) -> TrainingData:
    found = TrainingData(
        fields.text("name"), fields.text("split"), fields.words("supervision", SUPERVISION), fields.text("licence")
    )
    fields.end()
    return found


def _measured(fields: _Fields) -> Measured:
    banks = fields.mapping("banks")
    hashes = [value for value in banks.values() if isinstance(value, str) and _SHA256.fullmatch(value)]
    if len(hashes) < len(banks) or not all(isinstance(name, str) for name in banks):
        raise fields.wrong("banks", "names of banks, each with its SHA-256 of 64 hexadecimal digits")
    try:
        metric = resolve(fields.text("metric"))
    except UsageError as error:
        raise fields.wrong("metric", f"a metric; {error}") from None
    unit = fields.text("unit")
    if unit != metric.unit:
        raise fields.wrong("unit", f"{metric.unit}, which is that of {metric.key}")
    found = Measured(
        fields.text("metric"),
        fields.number("value"),
        unit,
        fields.text("data"),
        fields.text("split"),
        fields.whole("poses", least=1),
        fields.name("protocol"),
        fields.sha256("protocol_sha256"),
        banks,
    )
    fields.end()
    return found


def _plain(config: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in config.items()}


__all__ = ["SUPERVISION", "Measured", "ModelCard", "TrainingData", "WeightsFile", "read_card", "write_card"]
