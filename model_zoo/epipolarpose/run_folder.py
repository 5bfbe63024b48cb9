"""The folder of a run: its state, from which it goes on after any interruption, its log, and the weights it chose.

    RUN/checkpoint.safetensors   network and optimiser after so many steps
    RUN/best.safetensors         the network that did best on what was set aside
    RUN/network.safetensors      what came out, once the run is over
    RUN/log.csv, RUN/run.json    how it went, and what it was

Every file is replaced whole. A checkpoint belongs to one configuration, one set of examples and one beginning, and is
refused by any other run.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model_zoo.weights import fit, read_weights
from posebench.datasets.catalog import cache_folder
from posebench.errors import InputError
from posebench.io.atomic import atomic_write

#: The environment variable that names the folder of all runs.
RUNS = "POSEBENCH_RUNS"
CHECKPOINT, BEST, NETWORK = "checkpoint.safetensors", "best.safetensors", "network.safetensors"
COLUMNS = ("step", "epoch", "loss", "rate", "images_per_s", "validation")
_KIND = "posebench.training/1"


def runs_folder() -> Path:
    """Where runs and crops lie: the folder that POSEBENCH_RUNS names, else `runs` in posebench's cache folder."""
    said = os.environ.get(RUNS, "")
    return Path(said) if said else cache_folder() / "runs"


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    step : int
        Steps done.
    best, best_step : float, int
        The best figure of validation so far, NaN for none, and after how many steps it was.
    loss, joints : float
        Sums since the last line of the log.
    """

    step: int = 0
    best: float = float("nan")
    best_step: int = 0
    loss: float = 0.0
    joints: float = 0.0


def save_checkpoint(
    folder: Path, fingerprint: str, network: nn.Module, optimiser: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write the state of a run.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    from safetensors.torch import save

    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors.update({f"optimiser.{number}.{name}": torch.as_tensor(value) for name, value in state.items()})
    told = {name: repr(value) for name, value in asdict(progress).items()}
    header = json.dumps({"kind": _KIND, "fingerprint": fingerprint, "progress": told})
    with atomic_write(folder / CHECKPOINT) as handle:
        handle.write(
            save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, {"posebench": header})
        )


def load_checkpoint(
    folder: Path, fingerprint: str, network: nn.Module, optimiser: torch.optim.Optimizer
) -> Progress | None:
    """Put the state of a run back, if there is one.

    Raises
    ------
    InputError
        If it is damaged, or of another run.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    found = read_weights(path)
    if found.header.get("kind") != _KIND:
        raise InputError(f"{path}: is no checkpoint of training; remove it, or name another folder with --out")
    if found.header.get("fingerprint") != fingerprint:
        raise InputError(
            f"{path}: is of a run with another configuration, other labels or another beginning; remove it, or name "
            "another folder with --out"
        )
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "optimiser": {}}
    for name, tensor in found.tensors.items():
        kind, _, rest = name.partition(".")
        parts.setdefault(kind, {})[rest] = tensor
    try:
        told = found.header["progress"]
        progress = Progress(**{each.name: _number(told[each.name], each.name) for each in fields(Progress)})
        fit(network, parts["network"], str(path))
        _fill(optimiser, parts["optimiser"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is damaged; remove it, and the run begins anew") from None
    return progress


def _number(text: str, name: str) -> Any:
    return int(text) if "step" in name else float(text)


def _fill(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give the optimiser its state back, laid out in memory as its parameters are."""
    if not tensors:
        return
    parameters = [each for group in optimiser.param_groups for each in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, kind = name.partition(".")
        like = parameters[int(number)]
        state.setdefault(int(number), {})[kind] = (
            torch.empty_like(like, device="cpu").copy_(tensor) if tensor.shape == like.shape and tensor.ndim else tensor
        )
    if set(state) != set(range(len(parameters))):
        raise ValueError("states of other parameters")
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


class Log:
    """A table of what happened, one line now and then; on going on, lines beyond the checkpoint are cut off.

    Parameters
    ----------
    folder : path
    step : int
        Steps done already.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / "log.csv"
        kept: list[list[str]] = []
        if step and self._path.exists():
            lines = list(csv.reader(self._path.read_text("utf-8", "replace").splitlines()))[1:]
            kept = [line for line in lines if len(line) == len(COLUMNS) and line[0].isdigit() and int(line[0]) <= step]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *kept])
        with atomic_write(self._path) as handle:
            handle.write(text.getvalue().encode())
        self._board = _board(folder, step)

    def add(self, **values: float) -> None:
        """Write a line; what is not known stays empty."""
        line = [f"{values[name]:.6g}" if name in values and values[name] == values[name] else "" for name in COLUMNS]
        line[0] = str(int(values["step"]))
        try:
            with self._path.open("a", encoding="utf-8", newline="") as handle:
                csv.writer(handle, lineterminator="\n").writerow(line)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written: {error.strerror or error}") from None
        if self._board is not None:
            for name in set(COLUMNS[2:]) & set(values):
                self._board.add_scalar(name, values[name], int(values["step"]))

    def close(self) -> None:
        """Let go of what is open."""
        if self._board is not None:
            self._board.close()


def _board(folder: Path, step: int) -> Any:
    """A writer for TensorBoard, where that is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Keep plain data."""
    with atomic_write(path) as handle:
        handle.write((json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())


__all__ = [
    "BEST",
    "CHECKPOINT",
    "NETWORK",
    "RUNS",
    "Log",
    "Progress",
    "load_checkpoint",
    "runs_folder",
    "save_checkpoint",
    "write_json",
]
