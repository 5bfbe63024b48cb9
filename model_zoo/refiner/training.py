"""Training of the refinement unit on poses of motion capture, seen from anywhere, with errors like a base model's.

A pose is turned about the vertical by any angle, as if its camera had stood elsewhere around the person, brought to
size 1, and put off by an error that a base model made on a pose like it (`errors.py`). The unit sees that, again
brought to size 1, and learns what was there before. Every so many sequences are held out, and tell how much better
poses become.

All that is random follows from the seed and the number of the step alone, so a run that was killed goes on from its
last checkpoint and ends with the same weights (by the same number of threads, to the bit). There is no choosing among
epochs: the last one is the result. It runs on the CPU; a unit is small.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model_zoo.refiner.errors import ErrorModel
from model_zoo.refiner.network import Refiner, RefinerConfig, save_refiner
from model_zoo.refiner.normal import (
    bone_lengths,
    centred,
    check_poses,
    complete_rows,
    refuse_test_subjects,
    size_of,
    turned,
)
from posebench.datasets.open4v.motions import rng
from posebench.errors import InputError, UsageError
from posebench.io.array_file import read_bytes
from posebench.io.atomic import atomic_write
from posebench.poses import PoseSet

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Progress = Callable[[float, float, str], None]

CHECKPOINT, LOG, WEIGHTS = "checkpoint.pt", "log.csv", "refiner.safetensors"
#: Steps after which, at the end of an epoch, a checkpoint is written.
_CHECKPOINT_STEPS = 2000
#: Bytes of a checkpoint: a unit of width 8192 and Adam's two moments.
_CHECKPOINT_LIMIT = 2**32
#: Poses by which coordinates are standardised and by which a unit is validated, at most.
_STATISTICS, _VALIDATED = 20_000, 5_000
_COLUMNS = ("epoch", "step", "learning_rate", "loss", "middle_loss", "nmpjpe", "pmpjpe")
Row = list[float]


@dataclass(frozen=True)
class TrainingConfig:
    """How a unit is trained; by default as in the paper.

    refiner : RefinerConfig
    epochs, batch : int
    learning_rate, decay, decay_steps : float, float, int
        Adam's rate is multiplied by `decay` in the course of every so many steps.
    gradient_norm : float
        Longer gradients are cut to this.
    held_out : float
        Share of the sequences that are held out for validation.
    seed : int
    """

    refiner: RefinerConfig = field(default_factory=RefinerConfig)
    epochs: int = 200
    batch: int = 64
    learning_rate: float = 1e-3
    decay: float = 0.96
    decay_steps: int = 100_000
    gradient_norm: float = 1.0
    held_out: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch", 2), ("decay_steps", 1), ("seed", 0)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= 2**31:
                raise UsageError(f"{name} is {value!r}, expected a whole number from {least} on")
        for name, most in (("learning_rate", 1.0), ("decay", 1.0), ("gradient_norm", math.inf), ("held_out", 0.9)):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value <= most:
                raise UsageError(f"{name} is {value!r}, expected a number above 0 up to {most}")


@dataclass(frozen=True, eq=False)
class Material:
    """Poses of motion capture that a unit learns from.

    poses : (N, 17, 3)
        In the cameras, relative to their roots.
    upright : (N, 3)
        The vertical in the cameras, of length 1.
    sequence : (N,) str
        Subject and sequence.
    """

    poses: Floats
    upright: Floats
    sequence: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.poses)

    def lengths(self) -> Floats:
        """Bones (16,) of the average body: the mean over all poses."""
        return np.asarray(bone_lengths(self.poses).mean(axis=0))


@dataclass(frozen=True, eq=False)
class Trained:
    """What came out.

    refiner : Refiner
        In evaluation mode.
    validation : mapping
        NMPJPE and PMPJPE of held-out poses with simulated errors, in mm of the average body, before and after.
    path : Path
        The file of its weights.
    """

    refiner: Refiner
    validation: Mapping[str, Mapping[str, float]]
    path: Path


def material_of(truth: PoseSet) -> Material:
    """The whole poses of ground truth of training subjects; pictures are not looked at.

    Parameters
    ----------
    truth : PoseSet
        H36M-17 in cameras, with the keys subject and sequence. Where there are extrinsics they say how cameras are
        tilted; else each is taken to stand upright.

    Raises
    ------
    UsageError
        If there is a test subject, or the poses are of another kind.
    InputError
        If there are no subjects, no sequences, no whole poses, or bones without length.
    """
    check_poses(truth)
    if truth.subject is None or truth.sequence is None:
        raise InputError(f"{truth.source}: does not say subjects and sequences, so none could be held out")
    refuse_test_subjects(truth.subject.names, truth.source)
    rows = np.flatnonzero(complete_rows(truth))
    poses = centred(truth.poses[rows].astype(np.float64))
    if not len(rows) or not (bone_lengths(poses) > 0).all():
        raise InputError(f"{truth.source}: has no whole pose, or one with a bone of no length")
    upright = np.tile([0.0, -1.0, 0.0], (len(rows), 1))
    if truth.extrinsics is not None:
        R = np.broadcast_to(truth.extrinsics, (len(truth), 3, 4))[rows, :, :3]
        # Cameras look about in all directions, so what points up in all of them on average is the world's vertical.
        up = np.abs(np.einsum("nji,j->ni", R, upright[0]).mean(axis=0)).argmax()
        upright = R[:, :, up]
    sequence = np.char.add(np.char.add(truth.subject.values, "/"), truth.sequence.values)[rows]
    return Material(poses, np.array(upright), sequence)


def simulated(material: Material, rows: Ints, errors: ErrorModel, random: np.random.Generator) -> tuple[Floats, Floats]:
    """What a unit is given and what it should make of it, each (N, 17, 3), in mm of the average body.

    Parameters
    ----------
    material : Material
    rows : (N,) int
    errors : ErrorModel
    random : numpy.random.Generator

    Returns
    -------
    given, right : arrays
        `given` is of size 1; `right` is the same pose without errors, by the same factor.
    """
    pose = turned(material.poses[rows], material.upright[rows], random.uniform(0, 2 * np.pi, len(rows)))
    pose /= size_of(pose, errors.lengths)[:, None, None]
    given = pose + errors.draw(random, pose)
    size = size_of(given, errors.lengths)[:, None, None]
    return given / size, pose / size


def train(
    material: Material,
    errors: ErrorModel,
    config: TrainingConfig,
    run: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
) -> Trained:
    """Train a unit in a folder, or go on with what was begun there.

    The folder holds a checkpoint, `log.csv` with one row per epoch, and in the end the weights.

    Parameters
    ----------
    material : Material
    errors : ErrorModel
    config : TrainingConfig
    run : path
        Made if it is not there.
    progress : callable, optional
        Told epochs done, epochs in all and the last loss.

    Raises
    ------
    InputError
        If there are too few sequences or poses, the folder cannot be written, or its checkpoint is damaged.
    UsageError
        If the checkpoint in the folder is of another run.
    """
    folder = Path(run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    learning, held = _split(material, config)
    with torch.random.fork_rng(devices=[]):
        training = _Training(material, errors, config, learning, held, folder / CHECKPOINT)
        saved = training.load()
        for epoch in range(training.epoch, config.epochs):
            training.advance(epoch)
            last = epoch + 1 == config.epochs
            if last or (epoch + 1 - saved) * training.steps >= _CHECKPOINT_STEPS:
                training.save()
                write_log(training.log, folder / LOG)
                saved = epoch + 1
            if progress is not None:
                progress(epoch + 1, config.epochs, f"loss {training.log[-1][3]:.4f}")
    validation = training.validation()
    stated = asdict(config)
    notes = {
        "training": {name: value for name, value in stated.items() if name != "refiner"},
        "errors": dict(errors.card),
        "material": "3D poses of training subjects, without pictures",
        "subjects": sorted({name.partition("/")[0] for name in material.sequence.tolist()}),
        "poses": len(learning),
        "validation": validation,
    }
    write_log(training.log, folder / LOG)
    save_refiner(folder / WEIGHTS, training.unit, notes=notes)
    return Trained(training.unit.eval(), validation, folder / WEIGHTS)


def _split(material: Material, config: TrainingConfig) -> tuple[Ints, Ints]:
    """Rows to learn from and rows that are held out, by whole sequences."""
    names = np.unique(material.sequence)
    if len(names) < 2 or len(material) < 4:
        raise InputError(f"there are {len(material)} poses of {len(names)} sequences, expected 4 of 2 or more")
    count = min(max(1, round(config.held_out * len(names))), len(names) - 1)
    held = rng(config.seed, "held out").permutation(names)[:count]
    out = np.isin(material.sequence, held)
    learning = np.flatnonzero(~out)
    if len(learning) < 2:
        raise InputError("there is one pose that is not held out, expected 2 or more")
    return learning, np.flatnonzero(out)


class _Training:
    """A unit on its way, and where it is."""

    def __init__(
        self, material: Material, errors: ErrorModel, config: TrainingConfig, learning: Ints, held: Ints, path: Path
    ) -> None:
        self.material, self.errors, self.config, self.path = material, errors, config, path
        self.learning = learning
        self.batch = min(config.batch, len(learning))
        #: Per epoch; what is left over waits for another epoch.
        self.steps = len(learning) // self.batch
        self.epoch = 0
        self.log: list[Row] = []
        random = rng(config.seed, "statistics")
        given, _ = simulated(material, random.permutation(learning)[:_STATISTICS], errors, random)
        torch.manual_seed(_seed(config.seed, "weights"))
        self.unit = Refiner(config.refiner)
        flat = given.reshape(len(given), -1)
        for name, value in (("mean", flat.mean(axis=0)), ("spread", flat.std(axis=0)), ("lengths", errors.lengths)):
            getattr(self.unit, name).copy_(torch.from_numpy(np.array(value)))
        self.optimiser = torch.optim.Adam(self.unit.parameters(), lr=config.learning_rate)
        random = rng(config.seed, "validation")
        self._validated = simulated(material, random.permutation(held)[:_VALIDATED], errors, random)

    def advance(self, epoch: int) -> None:
        """One epoch, and its row in the log."""
        config = self.config
        order = rng(config.seed, "order", str(epoch)).permutation(self.learning)
        losses = np.zeros(2)
        self.unit.train()
        for number in range(self.steps):
            step = epoch * self.steps + number
            rows = order[number * self.batch : (number + 1) * self.batch]
            rate = config.learning_rate * config.decay ** (step / config.decay_steps)
            losses += self._step(rows, step, rate)
        middle, final = losses / self.steps
        if not math.isfinite(final):
            raise UsageError(f"the loss is no number after epoch {epoch + 1}; lower the learning rate")
        every = max(1, config.epochs // 20)
        look = (epoch + 1) % every == 0 or epoch + 1 == config.epochs
        found = self.validation()["after"] if look else {"NMPJPE": math.nan, "PMPJPE": math.nan}
        row = [epoch + 1, step + 1, rate, final, middle, found["NMPJPE"], found["PMPJPE"]]
        self.log.append([float(value) for value in row])
        self.epoch = epoch + 1

    def _step(self, rows: Ints, step: int, rate: float) -> list[float]:
        config = self.config
        given, right = simulated(self.material, rows, self.errors, rng(config.seed, "step", str(step)))
        inputs, targets = (torch.from_numpy(poses.astype(np.float32)) for poses in (given, right))
        torch.manual_seed(_seed(config.seed, "dropout", str(step)))
        wanted = self.unit.standardised(targets)
        losses = [nn.functional.mse_loss(self.unit.standardised(out), wanted) for out in self.unit(inputs)]
        self.optimiser.zero_grad()
        (losses[0] + losses[1]).backward()
        nn.utils.clip_grad_norm_(self.unit.parameters(), config.gradient_norm)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        return [float(loss.detach()) for loss in losses]

    def validation(self) -> dict[str, dict[str, float]]:
        """NMPJPE and PMPJPE of held-out poses before and after, in mm of the average body."""
        from posebench.metrics import nmpjpe, pmpjpe

        given, right = self._validated
        self.unit.eval()
        with torch.no_grad():
            refined = self.unit(torch.from_numpy(given.astype(np.float32)))[1].numpy().astype(np.float64)
        return {
            name: {
                "NMPJPE": float(nmpjpe(pred=poses, gt=right)),
                "PMPJPE": float(pmpjpe(pred=poses, gt=right)),
            }
            for name, poses in (("before", given), ("after", refined))
        }

    def fingerprint(self) -> str:
        """SHA-256 of all that the weights depend on."""
        digest = hashlib.sha256(json.dumps(asdict(self.config), sort_keys=True).encode())
        material, errors = self.material, self.errors
        digest.update("\n".join(material.sequence.tolist()).encode())
        for array in (material.poses, material.upright, errors.errors, errors.poses, errors.lengths):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def save(self) -> None:
        """Replace the checkpoint."""
        state = {
            "fingerprint": self.fingerprint(),
            "epoch": self.epoch,
            "log": self.log,
            "unit": self.unit.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        # Where a disk is full, torch's own writer falls over its end.
        data = io.BytesIO()
        torch.save(state, data)
        with atomic_write(self.path) as handle:
            handle.write(data.getbuffer())

    def load(self) -> int:
        """Take over the checkpoint, if there is one; the epochs that it has behind it."""
        if not self.path.exists():
            return 0
        data = read_bytes(self.path, _CHECKPOINT_LIMIT)
        try:
            state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            fingerprint = state["fingerprint"]
        except Exception as error:  # damage shows itself in any way
            raise InputError(f"{self.path}: is no whole checkpoint ({type(error).__name__}); remove it") from None
        if fingerprint != self.fingerprint():
            raise UsageError(f"{self.path}: is of a run with other poses, errors or settings; name another folder")
        try:
            _fits(state["unit"], self.unit.state_dict())
            self.unit.load_state_dict(state["unit"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.epoch, self.log = int(state["epoch"]), [list(map(float, row)) for row in state["log"]]
        except Exception as error:
            raise InputError(f"{self.path}: is damaged ({type(error).__name__}); remove it") from None
        return self.epoch


def _fits(held: Mapping[str, Any], wanted: Mapping[str, Tensor]) -> None:
    if any(not bool(torch.isfinite(held[name]).all()) for name in wanted):
        raise ValueError("weights that are no numbers")


def _seed(seed: int, *names: str) -> int:
    """A seed for torch, of its own for everything that has a name."""
    return int(rng(seed, "torch", *names).integers(0, 2**63))


def write_log(rows: list[Row], path: Path) -> None:
    """Rows of the log as CSV; what was not measured in an epoch is left empty."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for epoch, step, *values in rows:
        table.writerow([int(epoch), int(step), *("" if math.isnan(value) else f"{value:.6g}" for value in values)])
    with atomic_write(path) as handle:
        handle.write(text.getvalue().encode())


__all__ = ["Material", "Trained", "TrainingConfig", "material_of", "simulated", "train"]
