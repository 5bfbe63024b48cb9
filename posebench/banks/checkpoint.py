"""The state of a long k-means fit on disk, so that an interrupted build goes on where it was.

The state is small: centres and counts. Labels and bounds follow from the centres, and the rows come from the user
again; a hash of both, rows and settings, says whether the file belongs to the build.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.banks.layout import Floats
from posebench.errors import InputError
from posebench.io.array_file import read_arrays, write_arrays
from posebench.io.atomic import atomic_write

#: Bytes of a file that is read: the centres of some thousand clusters twice.
LIMIT = 2**28


@dataclass(frozen=True)
class Fit:
    """Centres (k, D) and how they were found; `inertia` is the sum of squared distances to the nearest centre."""

    centres: Floats
    inertia: float
    #: Which run it was, from 0, and the iterations it took.
    run: int
    iterations: int
    converged: bool


@dataclass(frozen=True)
class State:
    """Where a fit is: run (or epoch) and the iterations (or batches) done in it, its centres, the best run so far."""

    run: int
    iteration: int
    centres: Floats | None
    best: Fit | None
    counts: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A file that holds a `State`, written every so many iterations and whole or not at all.

    `fingerprint` is the SHA-256, in hexadecimal, of everything that the fit depends on.
    """

    path: Path
    fingerprint: str
    every: int = 10

    def iterated(self, state: State) -> None:
        """Save the state if it is time to."""
        if state.iteration % self.every == 0:
            self.save(state)

    def save(self, state: State) -> None:
        """Replace the file by this state."""
        best = state.best
        none = np.zeros((0, 0))
        numbers = [state.run, state.iteration]
        numbers += [-1, 0, 0] if best is None else [best.run, best.iterations, int(best.converged)]
        arrays: dict[str, npt.NDArray[Any]] = {
            "fingerprint": np.frombuffer(bytes.fromhex(self.fingerprint), np.uint8),
            "numbers": np.array(numbers, np.int64),
            "centres": none if state.centres is None else state.centres,
            "best_centres": none if best is None else best.centres,
            "best_inertia": np.array(0.0 if best is None else best.inertia),
            "counts": np.zeros(0, np.int64) if state.counts is None else state.counts,
        }
        with atomic_write(self.path) as handle:
            write_arrays(handle, arrays)

    def load(self, k: int, width: int, *, counted: bool = False) -> State | None:
        """The state in the file, None if there is no file.

        Raises
        ------
        InputError
            If the file is damaged, or belongs to other poses or settings.
        """
        if not self.path.exists():
            return None
        names = ("fingerprint", "numbers", "centres", "best_centres", "best_inertia", "counts")
        held = read_arrays(self.path, names, LIMIT)
        if held["fingerprint"].tobytes() != bytes.fromhex(self.fingerprint):
            raise InputError(
                f"{self.path}: is the checkpoint of a build from other poses or settings; remove it or name another"
            )
        centres, best_centres, counts = held["centres"], held["best_centres"], held["counts"]
        shapes = ((0, 0), (k, width))
        sound = (
            [(array.dtype, array.shape) for array in (held["numbers"], held["best_inertia"])]
            == [(np.dtype(np.int64), (5,)), (np.dtype(np.float64), ())]
            and all(array.dtype == np.float64 and array.shape in shapes for array in (centres, best_centres))
            and all(bool(np.isfinite(array).all()) for array in (centres, best_centres))
            and counts.dtype == np.int64
            and counts.shape == ((k,) if counted else (0,))
        )
        run, iteration, best_run, best_iterations, converged = held["numbers"].tolist() if sound else [-1] * 5
        if run < 0 or iteration < 0 or (best_run >= 0) != bool(best_centres.size) or (counted and not centres.size):
            raise InputError(f"{self.path}: is damaged, it holds no state of a build; remove it and build anew")
        best = None
        if best_centres.size:
            inertia = float(held["best_inertia"])
            best = Fit(best_centres.copy(), inertia, best_run, best_iterations, bool(converged))
        return State(run, iteration, centres.copy() if centres.size else None, best, counts.copy() if counted else None)

    def remove(self) -> None:
        """Delete the file, once the fit is done."""
        self.path.unlink(missing_ok=True)
