"""How wrong a base model is on training subjects: mean, covariance over all joints, and how heavy the tails are.

An error is prediction minus reference, both relative to their roots, in millimetres of the average body (`normal.py`).
Its distribution is elliptical: mean + r · Σ^½ · a direction, where Σ is the covariance of all coordinates of all joints
(shrunk after Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices") and r is
drawn from how far the measured errors lie from their mean by that covariance. So a few poses are far off as a whole, as
networks' are, and most are not. That errors depend on the pose is left out.

The reference is either pseudo-labels, which nobody had to measure in 3D (`ru-ss`), or ground truth (`ru-gt`), and the
card says which.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.evaluation import labelled_poses
from model_zoo.epipolarpose.labels import Labels
from model_zoo.refiner.normal import J, centred, check_poses, complete_rows, refuse_test_subjects, size_of
from posebench.datasets.views import UnlabelledView
from posebench.errors import InputError
from posebench.io.array_file import read_arrays, write_arrays
from posebench.io.atomic import atomic_write
from posebench.matching import match
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]

SCHEMA = "posebench.refiner-errors/1"
#: Fewer errors than this say nothing about 48 coordinates.
LEAST = 100
#: Quantiles of the radius that are kept.
QUANTILES = 65
#: Bytes of a file: the covariance is 20 kB.
_LIMIT = 2**20
_MM: Mapping[str | None, float] = {"mm": 1.0, "m": 1000.0}
_SHAPES = {"mean": (J, 3), "covariance": (3 * J, 3 * J), "radius": (QUANTILES,), "lengths": (J - 1,)}


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """The errors of a base model, in mm of the average body.

    mean : (17, 3)
        0 at the root.
    covariance : (51, 51)
        Of the coordinates, joint after joint; 0 where the root takes part.
    radius : (65,)
        Quantiles of r, evenly spaced from the least to the largest; the mean of r² is 1.
    lengths : (16,)
        Bones of the average body, in mm.
    card : mapping
        What was measured against what.
    """

    mean: Floats
    covariance: Floats
    radius: Floats
    lengths: Floats
    card: Mapping[str, Any] = field(default_factory=dict)

    def draw(self, random: np.random.Generator, n: int) -> Floats:
        """N errors (N, 17, 3); the root has none.

        Examples
        --------
        >>> nothing = ErrorModel(np.full((17, 3), 5.0), np.zeros((51, 51)), np.ones(65), np.full(16, 200.0))
        >>> nothing.draw(np.random.default_rng(0), 2)[:, 16].tolist()
        [[5.0, 5.0, 5.0], [5.0, 5.0, 5.0]]
        """
        direction = random.standard_normal((n, len(self._factor)))
        direction *= np.sqrt(len(self._factor)) / np.linalg.norm(direction, axis=1, keepdims=True)
        radius = np.interp(random.random(n), np.linspace(0, 1, len(self.radius)), self.radius)
        errors = np.zeros((n, 3 * J))
        errors[:, _FREE] = (direction * radius[:, None]) @ self._factor
        return self.mean + errors.reshape(n, J, 3)

    @cached_property
    def _factor(self) -> Floats:
        """F (48, 48), where Fᵀ F is the covariance of all but the root."""
        values, vectors = np.linalg.eigh(self.covariance[np.ix_(_FREE, _FREE)])
        return np.asarray(np.sqrt(np.maximum(values, 0))[:, None] * vectors.T)


#: Coordinates of all joints but the root.
_FREE = np.flatnonzero(np.repeat(np.arange(J) != H36M17.root, 3))


def errors_by_truth(pred: PoseSet, truth: PoseSet, lengths: Floats) -> ErrorModel:
    """The errors against ground truth, matched by keys: `ru-gt`, which uses 3D labels.

    Parameters
    ----------
    pred, truth : PoseSet
        H36M-17 in the cameras; ground truth of training subjects.
    lengths : (16,)
        Of the bones of the average body.

    Raises
    ------
    UsageError
        If there is a test subject, or the poses are of another kind.
    InputError
        If the two do not belong together, or have too little in common.
    """
    found = match(pred, truth, allow_missing=True, allow_extra=True)
    rows = np.arange(len(truth)) if found.pred_rows is None else found.pred_rows
    pairs = np.stack([rows, np.arange(len(truth))], axis=1)
    return _measured(pred, truth, pairs[rows >= 0], lengths, "ground truth", uses_3d=True)


def errors_by_labels(pred: PoseSet, labels: Labels, view: UnlabelledView, lengths: Floats) -> ErrorModel:
    """The errors against labels made by geometry: `ru-ss`. Labels with a masked joint are left out.

    Parameters
    ----------
    pred : PoseSet
        H36M-17 in the cameras, with the keys of the pictures (subject, sequence, camera, frame).
    labels : Labels
    view : UnlabelledView
        That the labels are of.
    lengths : (16,)
        Of the bones of the average body.

    Raises
    ------
    UsageError
        If there is a test subject, or the poses are of another kind.
    InputError
        If the two do not belong together, or have too little in common.
    """
    ids = [text.partition("/") for text in view.sequence.tolist()]
    pictures = PoseSet(
        np.zeros((len(view), J, 3)),
        subject=[subject for subject, _, _ in ids],
        sequence=[sequence for _, _, sequence in ids],
        camera=view.camera,
        frame=view.frame,
        source="labels",
    )
    found = match(pred, pictures, allow_missing=True, allow_extra=True)
    seen = labels.pictures.reshape(-1)
    rows = seen if found.pred_rows is None else found.pred_rows[seen]
    reference = labelled_poses(labels, view.intrinsics).replace(subject=pictures.subject[seen])  # type: ignore[index]
    pairs = np.stack([rows, np.arange(len(seen))], axis=1)
    return _measured(pred, reference, pairs[rows >= 0], lengths, "pseudo-labels", uses_3d=False)


def _measured(
    pred: PoseSet, reference: PoseSet, pairs: npt.NDArray[np.int64], lengths: Floats, kind: str, *, uses_3d: bool
) -> ErrorModel:
    """Statistics over pairs of rows."""
    from sklearn.covariance import ledoit_wolf

    for poses in (pred, reference):
        check_poses(poses)
    names = () if reference.subject is None else reference.subject.names
    refuse_test_subjects(names, reference.source)
    refuse_test_subjects(() if pred.subject is None else pred.subject.names, pred.source)
    whole = complete_rows(pred)[pairs[:, 0]] & complete_rows(reference)[pairs[:, 1]]
    predicted = centred(pred.poses[pairs[whole, 0]].astype(np.float64))
    right = centred(reference.poses[pairs[whole, 1]].astype(np.float64))
    if len(right) < LEAST:
        raise InputError(
            f"{pred.source}: {len(right)} poses are whole and have a whole reference ({kind}), expected {LEAST} or more"
        )
    size = size_of(right, lengths)
    if not (size > 0).all():
        raise InputError(f"{reference.source}: holds a pose whose joints are all at one place")
    metric = pred.unit in _MM and reference.unit in _MM
    if metric:
        scale = np.full(len(size), _MM[pred.unit] / _MM[reference.unit])
    else:
        scale = (predicted * right).sum(axis=(1, 2)) / np.maximum((predicted**2).sum(axis=(1, 2)), 1e-300)
    errors = (predicted * scale[:, None, None] - right) / size[:, None, None]
    mean = errors.mean(axis=0)
    centred_errors = (errors - mean).reshape(len(errors), -1)[:, _FREE]
    shrunk, shrinkage = ledoit_wolf(centred_errors, assume_centered=True)
    covariance = np.zeros((3 * J, 3 * J))
    covariance[np.ix_(_FREE, _FREE)] = shrunk
    card = {
        "schema": SCHEMA,
        "reference": kind,
        "uses_3d": uses_3d,
        "scale": "as predicted" if metric else "fitted to the reference",
        "poses": len(errors),
        "left_out": int(np.count_nonzero(~whole)),
        "subjects": sorted(names),
        "shrinkage": float(shrinkage),
        "mpjpe": float(np.linalg.norm(errors, axis=-1).mean()),
    }
    return ErrorModel(mean, covariance, _radii(centred_errors, shrunk), lengths.astype(np.float64), card)


def _radii(errors: Floats, covariance: Floats) -> Floats:
    """Quantiles of r, scaled so that the mean of r² is 1 for the line through them."""
    if not covariance.any():
        return np.ones(QUANTILES)
    values, vectors = np.linalg.eigh(covariance)
    sound = values > values[-1] * 1e-12
    squared = ((errors @ vectors[:, sound]) ** 2 / values[sound]).mean(axis=1)
    radius = np.quantile(np.sqrt(squared), np.linspace(0, 1, QUANTILES))
    return np.asarray(radius / np.sqrt(_mean_square(radius)))


def _mean_square(radius: Floats) -> float:
    a, b = radius[:-1], radius[1:]
    return float(((a * a + a * b + b * b) / 3).mean())


def write_errors(errors: ErrorModel, path: str | os.PathLike[str]) -> None:
    """Keep them in an .npz.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    card = json.dumps(errors.card, sort_keys=True, allow_nan=False)
    with atomic_write(path) as handle:
        write_arrays(handle, {**{name: getattr(errors, name) for name in _SHAPES}, "card": np.array(card)})


def read_errors(path: str | os.PathLike[str]) -> ErrorModel:
    """Read what `write_errors` wrote.

    Raises
    ------
    InputError
        If the file is damaged or of another kind.
    """
    file = Path(path)
    arrays = read_arrays(file, (*_SHAPES, "card"), _LIMIT)
    card = _card_of(arrays.pop("card"), file)
    for name, shape in _SHAPES.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.float64 or not np.isfinite(array).all():
            raise InputError(f"{file}: array {name!r} is {array.dtype} {array.shape}, expected finite float64 {shape}")
    covariance, radius, root = arrays["covariance"], arrays["radius"], H36M17.root
    fixed = np.setdiff1d(np.arange(3 * J), _FREE)
    spread = max(float(np.abs(covariance).max()), 1e-300)
    sound = (
        np.array_equal(covariance, covariance.T)
        and float(np.linalg.eigvalsh(covariance)[0]) > -1e-9 * spread
        and not covariance[fixed].any()
        and not arrays["mean"][root].any()
        and bool((np.diff(radius) >= 0).all() and radius[0] >= 0 and (arrays["lengths"] > 0).all())
        and abs(_mean_square(radius) - 1) < 1e-6
    )
    if not sound:
        raise InputError(f"{file}: contradicts itself, its arrays are not those of errors; measure them again")
    return ErrorModel(**{name: array.copy() for name, array in arrays.items()}, card=card)


def _card_of(array: npt.NDArray[Any], file: Path) -> Mapping[str, Any]:
    try:
        card = json.loads(str(array[()])) if array.dtype.kind == "U" and not array.ndim else None
    except (ValueError, RecursionError):
        card = None
    if not isinstance(card, dict) or card.get("schema") != SCHEMA:
        raise InputError(f"{file}: is no file of a model's errors ({SCHEMA})")
    return card


__all__ = ["LEAST", "ErrorModel", "errors_by_labels", "errors_by_truth", "read_errors", "write_errors"]
