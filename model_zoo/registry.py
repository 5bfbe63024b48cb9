"""The models there are: found by name among those that come with posebench, or by the path of their weights.

A model is a file of weights and a card (`card`) beside it; both lie in `model_zoo/weights`. Torch is loaded only where
a network is made.
"""

from __future__ import annotations

import fnmatch
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model_zoo.card import ModelCard, WeightsFile, read_card
from posebench.errors import InputError, MissingExtraError, UsageError
from posebench.io.facts import shown
from posebench.io.hashing import sha256_of

if TYPE_CHECKING:
    from model_zoo.epipolarpose.network import PoseNet

FOLDER = Path(__file__).parent / "weights"


@dataclass(frozen=True, eq=False)
class Model:
    """A network that is ready to run, in evaluation mode, and where it came from.

    name : str
        Of the card, else the path.
    network : PoseNet
    sha256 : str
        Of the file of weights.
    card : ModelCard, optional
    refiner : Path, optional
        Weights of the refinement unit that the card names.
    """

    name: str
    network: PoseNet
    sha256: str
    card: ModelCard | None = None
    refiner: Path | None = None


def list_models(pattern: str = "*") -> tuple[str, ...]:
    """Names of the models that come with posebench, sorted; those that fit a pattern such as ``open4v-*``.

    Examples
    --------
    >>> list_models("no-model-is-called-this")
    ()
    """
    return tuple(fnmatch.filter(sorted(path.stem for path in FOLDER.glob("*.yaml")), pattern))


def get_card(name: str | os.PathLike[str]) -> ModelCard:
    """The card of a model by its name, or by the path of a card, .yaml.

    Raises
    ------
    UsageError
        If there is none of that name.
    InputError
        If the card is damaged.

    Examples
    --------
    >>> get_card("no-model-is-called-this")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    posebench.errors.UsageError: there is no model 'no-model-is-called-this'; ...
    """
    return read_card(_card_path(os.fspath(name)))


def create_model(name: str) -> PoseNet:
    """The network of a model that comes with posebench, with its weights, in evaluation mode.

    Raises
    ------
    UsageError
        If there is none of that name.
    InputError
        If its files are damaged or are not those that the card names.
    MissingExtraError
        If the extra zoo is not installed.
    """
    return open_model(name).network


def open_model(name: str | os.PathLike[str]) -> Model:
    """A model by its name, by the path of its card, or by that of its weights, .safetensors.

    Weights without a card beside them are taken as they are.

    Raises
    ------
    UsageError
        If there is none of that name.
    InputError
        If a file is missing or damaged, is of another kind, or the weights are not those that the card names.
    MissingExtraError
        If the extra zoo is not installed.
    """
    given = os.fspath(name)
    weights = Path(given)
    if given.endswith(".safetensors"):
        path = weights.with_suffix(".yaml")
        if not path.is_file():
            return Model(given, _network(weights), sha256_of(weights))
    else:
        path = _card_path(given)
    card = read_card(path)
    if given.endswith(".safetensors") and card.weights.file != weights.name:
        raise InputError(f"{path}: is the card of {card.weights.file}, and not of {weights.name} beside it")
    weights = _checked(path.parent, card.weights, path)
    refiner = None if card.refiner is None else _checked(path.parent, card.refiner, path)
    network = _network(weights)
    if (stated := asdict(network.config)) != dict(card.config):
        raise InputError(f"{path}: config is {shown(card.config, 200)}, but the weights are of {shown(stated, 200)}")
    return Model(card.name, network, card.weights.sha256, card, refiner)


def _card_path(name: str) -> Path:
    if name.endswith(".yaml"):
        return Path(name)
    known = list_models()
    if name not in known:
        there = f"known are {', '.join(known)}" if known else "posebench ships none yet"
        raise UsageError(f"there is no model {shown(name)}; {there}; or give the path of a .safetensors file")
    return FOLDER / f"{name}.yaml"


def _checked(folder: Path, file: WeightsFile, card: Path) -> Path:
    """The path of a file that a card names, once its hash is right."""
    path = folder / file.file
    if not path.is_file():
        raise InputError(f"{path}: is missing, and {card.name} names it; install posebench again, or fetch it")
    if (digest := sha256_of(path)) != file.sha256:
        raise InputError(f"{path}: has the SHA-256 {digest}, but {card.name} names {file.sha256}; fetch it again")
    return path


def _network(path: Path) -> PoseNet:
    try:
        from model_zoo.epipolarpose.network import load_network
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        raise MissingExtraError("running a model", str(error.name), "zoo") from None
    return load_network(path)


__all__ = ["FOLDER", "Model", "create_model", "get_card", "list_models", "open_model"]
