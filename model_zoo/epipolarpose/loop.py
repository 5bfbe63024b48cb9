"""The loop that trains either branch: steps of Adam, validation, checkpoints, on one processor or on many devices.

A run is decided by its `Task` and its configuration alone. It may be interrupted and killed at any step and gives the
same weights in the end, to the last bit on one thread of a processor; with several processes, started by torchrun, it
gives what one gives, but for rounding. No state of random numbers is kept, because there is none.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model_zoo.configs import TrainingConfig
from model_zoo.epipolarpose.batches import Batch, Examples, ahead, order, order_in_groups
from model_zoo.epipolarpose.losses import heat_loss, joint_loss
from model_zoo.epipolarpose.network import PoseNet, load_network, save_network
from model_zoo.epipolarpose.run_folder import (
    BEST,
    NETWORK,
    Log,
    Progress,
    load_checkpoint,
    save_checkpoint,
    write_json,
)
from model_zoo.epipolarpose.shared_norm import share_norms
from model_zoo.epipolarpose.softargmax import Joints
from posebench.errors import InputError, MissingExtraError, UsageError

Told = Callable[[float, float, str], None]
Precision = Literal["32", "bf16", "64"]

#: What Lightning Fabric calls them.
_PRECISIONS: Mapping[str, str] = {"32": "32-true", "bf16": "bf16-mixed", "64": "64-true"}
#: Of mallopt(3): how much may be mapped apart, how much is kept at the end of the heap, by how much it grows.
_M_MMAP_MAX, _M_TRIM_THRESHOLD, _M_TOP_PAD = -4, -1, -2
#: Changes whenever the same task comes out differently, so that no run goes on as another one.
_RULE = "posebench.loop/2"


@dataclass(frozen=True, eq=False)
class Task:
    """What is learnt, from what, and what counts as better.

    network : PoseNet
        Where training begins; it is changed.
    examples : Examples
        With joints in two dimensions or in three.
    check : callable
        Joints (n·V, J, D) in px of the crop, as the network finds them for the examples set aside -> a figure.
    aside : Examples, optional
        None to take the last weights.
    figure : str
        What the figure is, with its unit.
    higher : bool or None
        Whether more of it is better; None if it is no measure of quality, and the last weights are the result.
    facts : mapping
        Plain data about all of this, kept with the weights.
    groups : (P,) int, optional
        Of the examples, where those of a step must be of one group.
    loss : callable, optional
        Heat maps and batch -> the sum over known joints of the mean over their coordinates, and the number of known
        joints; by default they are held against the examples' joints. For one process only.
    """

    network: PoseNet
    examples: Examples
    check: Callable[[npt.NDArray[np.float64]], float]
    aside: Examples | None
    figure: str
    higher: bool | None
    facts: Mapping[str, Any]
    groups: npt.NDArray[np.int64] | None = None
    loss: Callable[[PoseNet, Tensor, Batch], tuple[Tensor, int]] | None = None


@dataclass(frozen=True)
class Where:
    """On what a run is carried out.

    accelerator : str
        auto, cpu, cuda or another one of Lightning Fabric.
    devices : int
        Under torchrun, which says it itself, leave it at 1.
    precision : {"32", "bf16", "64"}
        64 takes longer, and is for telling rounding from mistakes.

    Examples
    --------
    >>> Where(precision="16")
    Traceback (most recent call last):
        ...
    posebench.errors.UsageError: precision is '16', expected 32, bf16 or 64
    """

    accelerator: str = "auto"
    devices: int = 1
    precision: str = "32"

    def __post_init__(self) -> None:
        if self.precision not in _PRECISIONS:
            raise UsageError(f"precision is {ascii(self.precision)[:80]}, expected 32, bf16 or 64")
        if not 1 <= self.devices <= 1024:
            raise UsageError(f"devices are {self.devices}, expected a number from 1 to 1024")


@dataclass(frozen=True)
class Trained:
    """What came out.

    weights : Path
    steps : int
    figure, value, step : str, float, int
        The figure of validation, its value for these weights and after which step they were; NaN without validation.
    """

    weights: Path
    steps: int
    figure: str
    value: float
    step: int


def fit_task(
    task: Task,
    config: TrainingConfig,
    folder: str | os.PathLike[str],
    *,
    where: Where | None = None,
    progress: Told | None = None,
) -> Trained:
    """Train, or go on where an earlier run of the same task stopped.

    Parameters
    ----------
    task : Task
    config : TrainingConfig
    folder : path
        Of the run, as `run_folder` describes it; made if it is not there.
    where : Where, optional
    progress : callable, optional
        Called with steps done, their number, and words on how it goes.

    Raises
    ------
    UsageError
        If the batch cannot be split as it must be, or there is no such device.
    InputError
        If the folder is of another run, a file cannot be written, or the loss is no number any more.
    KeyboardInterrupt
        After Ctrl-C, once the state is kept.
    """
    where = where or Where()
    place = Path(folder)
    _keep_memory()
    fabric = _fabric(where)
    views, processes = task.examples.views, fabric.world_size
    if task.loss is not None and processes > 1:
        raise UsageError(f"{config.name} makes its labels out of whole batches; train it in one process")
    if config.batch % (views * processes):
        raise UsageError(
            f"a batch of {config.batch} pictures cannot be split among {processes} processes, {views} pictures at once"
        )
    size = config.batch // views
    count = len(task.examples) * views if config.pictures_per_epoch is None else config.pictures_per_epoch
    per_epoch = max(1, count // config.batch)
    steps = per_epoch * config.epochs
    fingerprint = _fingerprint(task, config, where)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{place}: cannot be written: {error.strerror or error}") from None
    network = task.network.train()
    network.fix(config.fixed_parts)
    if processes > 1:
        share_norms(network, on_processor=fabric.device.type == "cpu")
    model = fabric.setup_module(network)
    optimiser = torch.optim.Adam([each for each in network.parameters() if each.requires_grad], lr=config.rate)
    state = load_checkpoint(place, fingerprint, network, optimiser) or Progress()
    fabric.barrier()
    chief = fabric.global_rank == 0
    log = Log(place, state.step) if chief else None
    if chief:
        write_json(
            {"config": config.to_dict(), "facts": dict(task.facts), "steps": steps, "fingerprint": fingerprint},
            place / "run.json",
        )

    def made(step: int) -> tuple[Batch, int]:
        chosen = (
            order(step, size, len(task.examples), config.seed)
            if task.groups is None
            else order_in_groups(step, size, task.groups, config.seed)
        )
        part = size // processes
        mine = chosen[fabric.global_rank * part : (fabric.global_rank + 1) * part]
        known = int(task.examples.known[[index for _, index in chosen]].sum()) * views
        return task.examples.varied(mine, config.augmentation, config.seed), known

    meter = _Meter(state, fabric)
    try:
        with (
            _interruption() as pressed,
            closing(ahead(made, range(state.step, steps), threads=config.threads)) as batches,
        ):
            for batch, known in batches:
                epoch = state.step // per_epoch
                for group in optimiser.param_groups:
                    group["lr"] = config.rate_of(epoch)
                optimiser.zero_grad()
                if task.loss is None:
                    loss = _loss(network, model, batch, config, fabric.device)
                else:
                    loss, known = task.loss(network, model(as_crops(batch.pixels, fabric.device)), batch)
                # Processes have the mean of their gradients taken, and here it is the sum over all of them that counts.
                fabric.backward(loss * (processes / max(known, 1)))
                optimiser.step()
                meter.add(loss, known)
                state = replace(state, step=state.step + 1)
                words, value = f"epoch {epoch + 1} of {config.epochs}", math.nan
                ends = state.step % per_epoch == 0
                speaks = ends or state.step % config.log_steps == 0
                stops = _agreed(pressed.is_set(), speaks, fabric)
                if speaks:
                    mean, speed = meter.read(state.step, config.batch)
                    if not math.isfinite(mean):
                        raise InputError(
                            f"{place}: the loss is {mean} after step {state.step}; lower the rate of the configuration "
                            f"({config.rate:g}), and begin anew in another folder"
                        )
                    if ends and task.aside is not None and chief:
                        value = _figure(network, task, config.batch, fabric)
                        state = _keep_best(state, value, task, config, network, place)
                    if log is not None:
                        log.add(
                            step=state.step,
                            epoch=epoch + 1,
                            loss=mean,
                            rate=config.rate_of(epoch),
                            images_per_s=speed,
                            validation=value,
                        )
                    words += f", loss {mean:.5f}, {speed:.0f} images/s" + _best(state, task)
                if stops or state.step == steps or state.step % config.checkpoint_steps == 0:
                    state = replace(state, loss=meter.total(), joints=meter.joints)
                    if chief:
                        save_checkpoint(place, fingerprint, network, optimiser, state)
                    fabric.barrier()
                if progress is not None and chief:
                    progress(state.step, steps, words)
                if stops and state.step < steps:
                    raise KeyboardInterrupt
    finally:
        if log is not None:
            log.close()
    return _finish(state, task, config, network, place, chief)


def find(
    network: PoseNet, examples: Examples, batch: int, dimensions: int, device: Any = "cpu"
) -> npt.NDArray[np.float64]:
    """Joints (P·V, J, D) in px of the crop, as a network finds them in examples as they are; it is left in its mode."""
    training = network.training
    network.eval()
    found = []
    size = max(1, batch // examples.views)
    for first in range(0, len(examples), size):
        pixels = examples.plain(np.arange(first, min(first + size, len(examples)))).pixels
        with torch.no_grad():
            found.append(
                _joints(network, network(as_crops(pixels, device)), dimensions).positions.cpu().double().numpy()
            )
    network.train(training)
    return np.concatenate(found)


def as_crops(pixels: npt.NDArray[np.uint8], device: Any) -> Tensor:
    """Crops (N, side, side, 3) as the network takes them, channels last in memory as they are."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device)


# ------------------------------------------------------------------------------------------------------- steps of a run


def _loss(network: PoseNet, model: Any, batch: Batch, config: TrainingConfig, device: Any) -> Tensor:
    """The sum over known joints, of joints the mean over their coordinates."""
    side, dimensions = network.config.side, batch.joints.shape[-1]
    found = _joints(network, model(as_crops(batch.pixels, device)), dimensions)
    wanted, known = torch.from_numpy(batch.joints).to(device), torch.from_numpy(batch.known).to(device)
    loss = joint_loss(found.positions, wanted, known, side=side, beta=config.beta) / dimensions
    if not config.heat_weight:
        return loss
    depth_boxes = network.config.depth_boxes
    heat = heat_loss(found, wanted, known, side=side, depth_boxes=depth_boxes, cells=config.heat_cells)
    return loss + config.heat_weight * heat


def _joints(network: PoseNet, heatmaps: Tensor, dimensions: int) -> Joints:
    return (network.joints_3d if dimensions == 3 else network.joints_2d)(heatmaps)


def _figure(network: PoseNet, task: Task, batch: int, fabric: Any) -> float:
    assert task.aside is not None
    with fabric.autocast():
        return task.check(find(network, task.aside, batch, task.aside.joints.shape[-1], fabric.device))


def _keep_best(
    state: Progress, value: float, task: Task, config: TrainingConfig, network: PoseNet, place: Path
) -> Progress:
    if task.higher is None:
        return replace(state, best=value, best_step=state.step)
    better = math.isnan(state.best) or (value > state.best if task.higher else value < state.best)
    if not better:
        return state
    save_network(place / BEST, network, half=False, notes=_notes(task, config, state.step, value))
    return replace(state, best=value, best_step=state.step)


def _finish(state: Progress, task: Task, config: TrainingConfig, network: PoseNet, place: Path, chief: bool) -> Trained:
    chosen = task.aside is not None and task.higher is not None
    step = state.best_step if chosen else state.step
    if chief:
        best = load_network(place / BEST) if chosen else network
        save_network(place / NETWORK, best, half=False, notes=_notes(task, config, step, state.best))
    return Trained(place / NETWORK, state.step, task.figure, state.best, step)


def _notes(task: Task, config: TrainingConfig, step: int, value: float) -> dict[str, Any]:
    figure = {"name": task.figure, "value": value} if math.isfinite(value) else None
    return {"config": config.to_dict(), "facts": dict(task.facts), "step": step, "selected_by": figure}


def _best(state: Progress, task: Task) -> str:
    return f", {task.figure} {state.best:.2f}" if state.best_step else ""


def _agreed(pressed: bool, speaks: bool, fabric: Any) -> bool:
    """Whether to stop. Ctrl-C does not reach all processes at the same step; they agree where they meet anyway."""
    if fabric.world_size == 1:
        return pressed
    return speaks and bool(fabric.all_reduce(torch.tensor(float(pressed)), reduce_op="max") > 0)


class _Meter:
    """The mean loss of all processes since the last line of the log, and how many pictures a second are learnt from.

    Sums stay on the device until they are asked for.
    """

    def __init__(self, state: Progress, fabric: Any) -> None:
        self._fabric, self._before, self.joints = fabric, state.loss, state.joints
        self._sum = torch.zeros((), device=fabric.device)
        self._step, self._since = state.step, time.monotonic()

    def add(self, loss: Tensor, known: int) -> None:
        """Count a step in: the sum of its losses here, and its known joints in all processes."""
        self._sum += loss.detach()
        self.joints += known

    def total(self) -> float:
        """The sum so far."""
        # What is not written into the log yet belongs to the state, or a run that goes on would log something else.
        self._before += float(self._fabric.all_reduce(self._sum, reduce_op="sum"))
        self._sum = torch.zeros_like(self._sum)
        return self._before

    def read(self, step: int, batch: int) -> tuple[float, float]:
        """Mean loss and speed, and begin anew."""
        mean, now = self.total() / max(self.joints, 1.0), time.monotonic()
        speed = (step - self._step) * batch / max(now - self._since, 1e-9)
        self._before, self.joints, self._step, self._since = 0.0, 0.0, step, now
        return mean, speed


def _keep_memory() -> None:
    """Have the C library keep what is freed, where it is glibc.

    A step takes and frees tensors of many megabytes, which glibc hands back to the system each time; to be given zeroed
    pages again costs a processor a tenth of the step and more.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return
    for parameter, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 2**28)):
        mallopt(parameter, value)


def _fingerprint(task: Task, config: TrainingConfig, where: Where) -> str:
    """What a checkpoint belongs to; how often it is written, or on how many devices, is no part of it."""
    settings = {
        name: value
        for name, value in config.to_dict().items()
        if name not in ("name", "description", "checkpoint_steps", "log_steps", "threads")
    }
    digest = hashlib.sha256(f"{_RULE} {json.dumps(settings, sort_keys=True)} {where.precision};".encode())
    digest.update(task.examples.sha256().encode())
    digest.update((task.aside.sha256() if task.aside is not None else "").encode())
    for name, tensor in task.network.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _fabric(where: Where) -> Any:
    try:
        from lightning_fabric import Fabric
    except ImportError:
        raise MissingExtraError("training", "lightning-fabric", "zoo") from None
    # torchrun has started the processes already, and says how many are here.
    started = int(os.environ.get("LOCAL_WORLD_SIZE", "0")) if "TORCHELASTIC_RUN_ID" in os.environ else 0
    devices = started or where.devices
    several = devices > 1 or int(os.environ.get("WORLD_SIZE", "1") if started else 1) > 1
    nodes = int(os.environ.get("GROUP_WORLD_SIZE", "1")) if started else 1
    try:
        fabric = Fabric(
            accelerator=where.accelerator,
            devices=devices,
            num_nodes=nodes,
            precision=_PRECISIONS[where.precision],
            strategy="ddp" if several else "auto",
        )
    except Exception as error:
        # Fabric's own error is told by its name.
        if not isinstance(error, (ValueError, RuntimeError)) and type(error).__name__ != "MisconfigurationException":
            raise
        raise UsageError(
            f"training on {devices} × {where.accelerator} is not possible here: {str(error).splitlines()[0][:200]}"
        ) from None
    fabric.launch()
    return fabric


@contextmanager
def _interruption() -> Iterator[threading.Event]:
    """Whether Ctrl-C was pressed: the step ends and the state is kept. Pressed again, it ends the run at once."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return

    def note(number: int, frame: Any) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


__all__ = ["Task", "Trained", "Where", "as_crops", "find", "fit_task"]
