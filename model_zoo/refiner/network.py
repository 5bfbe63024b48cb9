"""The refinement unit as a network, its weights in files, and what it does to a set of poses.

Two blocks follow each other. Each makes features of a pose (Linear, BatchNorm, LeakyReLU, Dropout), passes them through
two such layers with a residual connection, and adds a correction to the pose. The second block sees the pose as the
first has corrected it, and the first one's features; the first one's pose has a loss of its own. The layout follows the
paper's section 3.3; that blocks correct the pose instead of making it anew is ours, and lets an untrained unit leave
poses as they are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model_zoo.refiner.normal import J, centred, check_poses, complete_rows, size_of
from model_zoo.weights import config_of, fit, read_weights, save_weights
from posebench.errors import InputError, UsageError
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]

MODEL = "refiner"
#: Poses that go through at once.
_BATCH = 4096


@dataclass(frozen=True)
class RefinerConfig:
    """How large a unit is.

    width : int
        Features of each layer; the paper's unit has 1024.
    dropout : float
        Share of the features that training leaves out at random.
    """

    width: int = 1024
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if type(self.width) is not int or not 1 <= self.width <= 8192:
            raise UsageError(f"width is {self.width!r}, expected a whole number from 1 to 8192")
        if type(self.dropout) not in (int, float) or not 0 <= self.dropout < 1:
            raise UsageError(f"dropout is {self.dropout!r}, expected a number from 0 to below 1")


class Block(nn.Module):
    """Standardised poses (N, 51) and features of the block before -> corrected poses, and features (N, width)."""

    def __init__(self, config: RefinerConfig) -> None:
        super().__init__()
        self.enter = _layer(3 * J, config)
        self.layers = nn.Sequential(_layer(config.width, config), _layer(config.width, config))
        self.correction = nn.Linear(config.width, 3 * J)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def forward(self, poses: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """As above."""
        features = self.enter(poses)
        if before is not None:
            features = features + before
        features = features + self.layers(features)
        return poses + self.correction(features), features


def _layer(inputs: int, config: RefinerConfig) -> nn.Sequential:
    linear = nn.Linear(inputs, config.width)
    nn.init.kaiming_normal_(linear.weight, a=0.01, nonlinearity="leaky_relu")
    nn.init.zeros_(linear.bias)
    return nn.Sequential(linear, nn.BatchNorm1d(config.width), nn.LeakyReLU(0.01), nn.Dropout(config.dropout))


class Refiner(nn.Module):
    """The unit, for poses (N, 17, 3) relative to their roots and of size 1 (`normal.py`).

    Parameters
    ----------
    config : RefinerConfig

    Attributes
    ----------
    mean, spread : (51,)
        By which coordinates are standardised; a coordinate without spread is never corrected.
    lengths : (16,)
        Bones of the average body in mm, by which the size of a pose is told.

    Examples
    --------
    >>> unit = Refiner(RefinerConfig(width=8)).eval()
    >>> poses = torch.ones(2, 17, 3)
    >>> middle, refined = unit(poses)  # untrained
    >>> bool((refined == poses).all())
    True
    """

    mean: Tensor
    spread: Tensor
    lengths: Tensor

    def __init__(self, config: RefinerConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList([Block(config), Block(config)])
        self.register_buffer("mean", torch.zeros(3 * J))
        self.register_buffer("spread", torch.ones(3 * J))
        self.register_buffer("lengths", torch.ones(J - 1))

    def standardised(self, poses: Tensor) -> Tensor:
        """Poses (N, 17, 3) as (N, 51), every coordinate of mean 0 and standard deviation 1 over training."""
        return (poses.flatten(1) - self.mean) / torch.where(self.spread > 0, self.spread, 1.0)

    def forward(self, poses: Tensor) -> tuple[Tensor, Tensor]:
        """Poses after the first block and after both, each (N, 17, 3)."""
        given = self.standardised(poses)
        first, features = self.blocks[0](given, None)
        second, _ = self.blocks[1](first, features)
        # The corrections alone are scaled back, so that poses come out as exactly as they went in.
        middle, refined = (poses + ((out - given) * self.spread).view_as(poses) for out in (first, second))
        return middle, refined


def refine(poses: PoseSet, refiner: Refiner) -> PoseSet:
    """Refine the poses of a set; keys, units, places of the roots and everything else stay.

    Each pose is taken relative to its root and brought to size 1, refined, and brought back: of c times a pose it makes
    c times its result, whether c is known or not. Poses that lack a joint stay as they are, and a note counts them.

    Parameters
    ----------
    poses : PoseSet
        H36M-17 in the cameras, in any unit, absolute or relative to the root.
    refiner : Refiner

    Raises
    ------
    UsageError
        If they have another skeleton or are not in cameras.

    Examples
    --------
    >>> poses = PoseSet(np.random.default_rng(0).normal(size=(2, 17, 3)), skeleton="h36m17", unit="scale-free")
    >>> refined = refine(poses, Refiner(RefinerConfig(width=8)))  # untrained
    >>> bool(np.allclose(refined.poses, poses.poses)), refined.notes
    (True, ('refined: 2 of 2 poses',))
    """
    check_poses(poses)
    lengths = refiner.lengths.numpy().astype(np.float64)
    result = np.array(poses.poses)
    rows = np.flatnonzero(complete_rows(poses))
    done = 0
    was_training = refiner.training
    refiner.eval()
    try:
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            given = poses.poses[batch].astype(np.float64)
            size = size_of(given, lengths)
            batch, given, size = batch[size > 0], given[size > 0], size[size > 0][:, None, None]
            normal = torch.from_numpy((centred(given) / size).astype(np.float32))
            with torch.no_grad():
                correction = (refiner(normal)[1] - normal).numpy().astype(np.float64)
            result[batch] = given + correction * size
            done += len(batch)
    finally:
        refiner.train(was_training)
    note = f"refined: {done} of {len(poses)} poses"
    if done < len(poses):
        note += "; the others lack a joint and stay as they were"
    return poses.replace(poses=result, notes=(*poses.notes, note))


def save_refiner(
    path: str | os.PathLike[str], refiner: Refiner, *, half: bool = True, notes: Mapping[str, Any] | None = None
) -> None:
    """Write a unit as safetensors, its configuration in the header.

    Parameters
    ----------
    path : path
    refiner : Refiner
    half : bool
        Matrices in float16, else in float32.
    notes : mapping, optional
        Plain data about how it was trained.

    Raises
    ------
    UsageError
        If a weight is not finite or beyond float16.
    InputError
        If the file cannot be written.
    """
    header = {"model": MODEL, "config": asdict(refiner.config), "notes": dict(notes or {})}
    save_weights(path, refiner, header, half=half)


def load_refiner(path: str | os.PathLike[str]) -> Refiner:
    """Read a unit that `save_refiner` wrote, in float32 and evaluation mode.

    Raises
    ------
    InputError
        If the file cannot be read, is damaged, holds another model, or its weights are not those of its configuration.
    """
    where = os.fspath(path)
    weights = read_weights(path)
    config = config_of(weights, MODEL, RefinerConfig, where)
    # The width is believed only once a weight has it: nothing is allocated for a number alone.
    entrance = weights.tensors.get("blocks.0.enter.0.weight")
    if entrance is None or tuple(entrance.shape) != (config.width, 3 * J):
        raise InputError(f"{where}: its weights are not those of a unit of width {config.width}")
    refiner = Refiner(config)
    fit(refiner, weights.tensors, where)
    root = refiner.spread.view(J, 3)[H36M17.root]
    if not (bool((refiner.spread >= 0).all()) and bool((refiner.lengths > 0).all())) or bool((root > 0).any()):
        raise InputError(f"{where}: the statistics in it are not those of poses relative to their roots")
    refiner.eval()
    return refiner


__all__ = ["MODEL", "Block", "Refiner", "RefinerConfig", "load_refiner", "refine", "save_refiner"]
