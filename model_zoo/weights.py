"""Weights of networks in files: safetensors, which the zoo writes and reads, and foreign .pt files, which it reads.

A file is looked at before it is believed: its size, then names, shapes and types of all tensors against the network,
then their values. What its header says about the network is handed on as plain data, for the network to check.
"""

from __future__ import annotations

import json
import os
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from posebench.errors import InputError, UsageError
from posebench.io.array_file import read_bytes
from posebench.io.atomic import atomic_write
from posebench.io.facts import shown

#: Bytes of a file of weights, and of what stands in its header about the network.
SIZE_LIMIT = 2**30
HEADER_LIMIT = 2**16
_KEY = "posebench"
#: Counters that old files lack; they count the batches seen and change no result.
_COUNTER = ".num_batches_tracked"
#: Names under which training programs keep the weights beside other things, and what wrappers put before each name.
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIX = "module."
Config = TypeVar("Config")


@dataclass(frozen=True)
class Weights:
    """What a file holds.

    tensors : mapping
        Name -> tensor.
    header : mapping
        What was written beside them.
    """

    tensors: Mapping[str, Tensor]
    header: Mapping[str, Any]


def save_weights(path: str | os.PathLike[str], network: nn.Module, header: Mapping[str, Any], *, half: bool) -> None:
    """Write the weights of a network as safetensors; the file is there whole or not at all.

    Parameters
    ----------
    path : path
    network : torch.nn.Module
    header : mapping
        Plain data for JSON, of at most `HEADER_LIMIT` bytes, that says what the network is.
    half : bool
        Whether matrices and kernels are kept in float16; vectors stay in float32, for the statistics of BatchNorm can
        be beyond it.

    Raises
    ------
    UsageError
        If a weight is not finite, or beyond float16, or the header too long.
    InputError
        If the file cannot be written.
    """
    from safetensors.torch import save

    tensors = {}
    for name, tensor in network.state_dict().items():
        kept = tensor.detach().cpu().contiguous()
        if kept.is_floating_point():
            kept = kept.to(torch.float16 if half and kept.ndim > 1 else torch.float32)
        if not bool(torch.isfinite(kept).all()):
            raise UsageError(f"{os.fspath(path)}: {name} holds values that are no numbers in {kept.dtype}; not written")
        tensors[name] = kept
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    if len(text.encode()) > HEADER_LIMIT:
        raise UsageError(f"{os.fspath(path)}: its header would have more than {HEADER_LIMIT} bytes")
    with atomic_write(path) as file:
        file.write(save(tensors, {_KEY: text}))


def read_weights(path: str | os.PathLike[str]) -> Weights:
    """Read safetensors, with what the header says; empty if it is not the zoo's.

    Raises
    ------
    InputError
        If it cannot be read, is larger than `SIZE_LIMIT` or is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    data = read_bytes(Path(path), SIZE_LIMIT)
    try:
        tensors = load(data)
    # A type that this release of torch has not is a KeyError.
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise InputError(f"{os.fspath(path)}: is no whole safetensors file: {_first_line(error)}") from None
    return Weights(tensors, _header(data, os.fspath(path)))


def _header(data: bytes, where: str) -> Mapping[str, Any]:
    """What `save_weights` put into the header of a file that safetensors has found whole."""
    top = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    # safetensors takes null for metadata.
    text = (top.get("__metadata__") or {}).get(_KEY, "{}")
    if len(text) > HEADER_LIMIT:
        raise InputError(f"{where}: says {len(text)} characters about its network, at most {HEADER_LIMIT} are read")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{where}: what it says about its network is not JSON") from None
    if not isinstance(header, dict):
        raise InputError(f"{where}: what it says about its network is no object of JSON")
    return header


def read_foreign(path: str | os.PathLike[str]) -> Mapping[str, Tensor]:
    """Read the weights in a .pt or .pth file of somebody else; only tensors are unpickled, nothing in it is run.

    Raises
    ------
    InputError
        If it cannot be read, is larger than `SIZE_LIMIT`, unpacks to more, is damaged, or holds no names with tensors.
    """
    where = os.fspath(path)
    data = read_bytes(Path(path), SIZE_LIMIT)
    try:
        if zipfile.is_zipfile(BytesIO(data)):
            with zipfile.ZipFile(BytesIO(data)) as archive:
                size = sum(member.file_size for member in archive.infolist())
            if size > SIZE_LIMIT:
                raise InputError(f"{where}: unpacks to {size} bytes, at most {SIZE_LIMIT} are read")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a damaged pickle makes torch call
            content = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # damage shows itself in any way
        raise InputError(f"{where}: holds no weights that can be read safely: {_first_line(error)}") from None
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content:
        raise InputError(f"{where}: holds no names with tensors, which the weights of a network would be")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            held = (
                f"{type(tensor).__name__} under {shown(name)}"
                if isinstance(name, str)
                else f"a name of type {type(name).__name__}"
            )
            raise InputError(f"{where}: holds {held}, expected names with a tensor each")
    return {name.removeprefix(_PREFIX): tensor for name, tensor in content.items()}


def fit(network: nn.Module, tensors: Mapping[str, Tensor], where: str, *, leave: tuple[str, ...] = ()) -> None:
    """Put weights into a network if they are exactly its own; else the network stays as it was.

    Parameters
    ----------
    network : torch.nn.Module
    tensors : mapping
        Name -> tensor; floating ones are brought to the network's type.
    where : str
        The file, for the message.
    leave : tuple of str
        Names that begin with one of these are left aside.

    Raises
    ------
    InputError
        If a name is missing or too many, or a shape, type or value is not what it must be; the first ones are named.

    Examples
    --------
    >>> fit(nn.Linear(2, 1), {"weight": torch.zeros(1, 2)}, "a.pt")
    Traceback (most recent call last):
        ...
    posebench.errors.InputError: a.pt: does not fit the network: it lacks bias
    """
    wanted = network.state_dict()
    given = {name: tensor for name, tensor in tensors.items() if not name.startswith(leave)} if leave else dict(tensors)
    missing = [name for name in wanted if name not in given and not name.endswith(_COUNTER)]
    if missing:
        raise InputError(f"{where}: does not fit the network: it lacks {_some(missing)}")
    foreign = [name for name in given if name not in wanted]
    if foreign:
        raise InputError(f"{where}: does not fit the network: it has no place for {_some(foreign)}")
    for name, tensor in given.items():
        if tensor.shape != wanted[name].shape:
            raise InputError(
                f"{where}: does not fit the network: {name} has the shape {tuple(tensor.shape)}, expected "
                f"{tuple(wanted[name].shape)}"
            )
        if tensor.is_floating_point() != wanted[name].is_floating_point():
            raise InputError(f"{where}: does not fit the network: {name} is {tensor.dtype}, not {wanted[name].dtype}")
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{where}: {name} holds values that are no numbers")
    with torch.no_grad():
        for name, tensor in given.items():
            wanted[name].copy_(tensor)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(ascii(name)[1:-1][:120] for name in names[:3]) + more


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


def config_of(weights: Weights, model: str, kind: type[Config], where: str) -> Config:
    """The configuration that a header states for a model, of a dataclass.

    Raises
    ------
    InputError
        If the header names another model, or has other fields or values than the configuration takes.
    """
    named = weights.header.get("model")
    if named != model:
        raise InputError(f"{where}: holds no {model}; its header says {ascii(named)[:80]}")
    stated = weights.header.get("config")
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if not isinstance(stated, dict) or set(stated) != set(names):
        raise InputError(f"{where}: its header's config must have exactly {', '.join(names)}")
    try:
        return kind(**stated)
    except UsageError as error:
        raise InputError(f"{where}: its header's config: {error}") from None


__all__ = ["HEADER_LIMIT", "SIZE_LIMIT", "Weights", "config_of", "fit", "read_foreign", "read_weights", "save_weights"]
