"""One chunk of poses through the closed form, its uncertain rows through the SVD twin; many chunks through threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from posebench.errors import UsageError
from posebench.kernels.fields import Alignment, PoseFlag

T = TypeVar("T")

#: Poses per chunk: enough to hide the cost of a call, few enough that the error fields of a chunk stay in the cache.
CHUNK = 8192

_NO_MASK = np.ones((1, 1), np.bool_)
#: How many threads the running task takes where nobody has said so by POSEBENCH_THREADS.
_THREADS: ContextVar[int | None] = ContextVar("posebench_threads", default=None)


@dataclass(frozen=True)
class ErrorFields:
    """Errors of a chunk: `errors[f]` is the field (N, K) of the f-th alignment; `flags` (N,) holds `PoseFlag` bits."""

    errors: npt.NDArray[np.float64]
    flags: npt.NDArray[np.uint16]


def aligned_errors(
    pred: npt.NDArray[Any],
    gt: npt.NDArray[Any],
    valid: npt.NDArray[np.bool_] | None,
    alignments: Sequence[Alignment],
    *,
    joints: npt.NDArray[np.int64],
    pred_root: int | None,
    gt_root: int | None,
    pred_unit: float = 1.0,
    gt_unit: float = 1.0,
) -> ErrorFields:
    """Error fields of one chunk.

    Parameters
    ----------
    pred, gt : array, (N, J, 3)
        float32 or float64; both are brought to mm by `pred_unit` and `gt_unit`.
    valid : array of bool, (N, J), optional
        The ground truth's mask.
    alignments : sequence of Alignment
    joints : array of int, (K,)
        The joints that are aligned and scored.
    pred_root, gt_root : int or None
        Root joint of each side; None leaves that side's coordinates as they are.

    Returns
    -------
    ErrorFields
        NaN where the ground truth holds nothing to score, +inf where the prediction is missing.
    """
    from posebench.kernels import closed_form

    if pred.dtype != gt.dtype:
        with np.errstate(invalid="ignore"):  # a signalling NaN is one like others
            pred, gt = pred.astype(np.float64), gt.astype(np.float64)
    codes = np.array([int(a) for a in alignments], np.int64)
    errors = np.empty((len(codes), len(pred), len(joints)))
    flags = np.empty(len(pred), np.uint16)
    in_order = len(joints) == pred.shape[1] and bool((joints == np.arange(len(joints))).all())

    def chosen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return compiled_form(array if in_order else array[:, joints]).reshape(len(array), -1)

    def roots(array: npt.NDArray[Any], root: int | None) -> npt.NDArray[Any]:
        return np.zeros((len(array), 3), array.dtype) if root is None else np.array(array[:, root], order="C")

    closed_form.aligned_errors(
        chosen(pred),
        chosen(gt),
        _NO_MASK if valid is None else chosen(valid),
        valid is not None,
        roots(pred, pred_root),
        roots(gt, gt_root),
        np.ones(len(gt), np.bool_) if valid is None or gt_root is None else np.array(valid[:, gt_root]),
        float(pred_unit),
        float(gt_unit),
        codes,
        errors,
        flags,
    )
    uncertain = np.flatnonzero(flags & int(PoseFlag.NEEDS_SVD))
    if len(uncertain):
        _solve_by_svd(
            pred, gt, valid, alignments, joints, pred_root, gt_root, pred_unit, gt_unit, uncertain, errors, flags
        )
    return ErrorFields(errors, flags)


def _solve_by_svd(
    pred: npt.NDArray[Any],
    gt: npt.NDArray[Any],
    valid: npt.NDArray[np.bool_] | None,
    alignments: Sequence[Alignment],
    joints: npt.NDArray[np.int64],
    pred_root: int | None,
    gt_root: int | None,
    pred_unit: float,
    gt_unit: float,
    rows: npt.NDArray[np.int64],
    errors: npt.NDArray[np.float64],
    flags: npt.NDArray[np.uint16],
) -> None:
    """Overwrite the given rows of every field that needs a rotation by the SVD twin's."""
    from posebench.kernels import reference

    p = pred[rows].astype(np.float64) * pred_unit
    g = gt[rows].astype(np.float64) * gt_unit
    mask = np.ones((len(rows), len(joints)), np.bool_) if valid is None else valid[rows][:, joints]
    no_root = (flags[rows] & int(PoseFlag.ROOT_INVALID)) != 0
    for f, alignment in enumerate(alignments):
        if not alignment.needs_rotation:
            continue
        field, noticed = reference.aligned_errors(
            p[:, joints],
            g[:, joints],
            mask,
            None if pred_root is None else p[:, pred_root],
            None if gt_root is None else g[:, gt_root],
            alignment,
        )
        if alignment.needs_root:
            field[no_root] = np.nan
        errors[f, rows] = field
        flags[rows] |= noticed
    flags[rows] &= np.uint16(0xFFFF ^ int(PoseFlag.NEEDS_SVD))


def compiled_form(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array in the one memory layout that kernels are compiled for; copies what is mapped, strided or read-only."""
    return np.require(array, requirements=("C", "A", "W", "E"))


def threads() -> int:
    """Threads to use: POSEBENCH_THREADS if set, else the cores this process may run on."""
    asked = os.environ.get("POSEBENCH_THREADS")
    if asked is not None:
        if not (asked.isascii() and asked.isdigit()) or int(asked) < 1:
            raise UsageError(f"POSEBENCH_THREADS is {asked!r}, expected a whole number from 1")
        return int(asked)
    return _THREADS.get() or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Take one thread inside, unless POSEBENCH_THREADS says otherwise: for tasks that run beside each other.

    Examples
    --------
    >>> with one_thread():
    ...     threads() == int(os.environ.get("POSEBENCH_THREADS", 1))
    True
    """
    before = _THREADS.set(1)
    try:
        yield
    finally:
        _THREADS.reset(before)


def map_chunks(function: Callable[[slice], T], n: int, chunk: int = CHUNK) -> Iterator[T]:
    """`function(rows)` for consecutive slices of at most `chunk` rows of n, in threads, results in order.

    Chunk borders and the order of results do not depend on the number of threads, and so neither does anything that is
    summed from them. Only a few chunks are under way at a time, so results do not pile up.
    """
    slices = [slice(start, min(start + chunk, n)) for start in range(0, n, chunk)]
    workers = min(threads(), len(slices))
    if workers <= 1:
        yield from map(function, slices)
        return
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[T]] = deque()
        for rows in slices:
            pending.append(pool.submit(function, rows))
            if len(pending) >= 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
