"""How wrong a base model is on training subjects: its errors, each with the pose that it was made on.

An error is prediction minus reference, both relative to their roots, in millimetres of the average body (`normal.py`).
A network is not equally wrong about all poses: it draws what it seldom saw towards what it often saw, and mistakes left
for right where limbs are behind a body. So a pose of motion capture gets the error of a pose that is like it, as the
camera sees both: of the one most like it among a thirty-second of all, drawn anew each time. Two such errors are mixed
by the cosine and sine of a random angle, so that a unit does not learn a few of them by heart: where they average 0,
what comes out has the covariance of each.

The reference is either pseudo-labels, which nobody had to measure in 3D (`ru-ss`), or ground truth (`ru-gt`), and the
card says which. Labels lack the joints that the 2D branch was not sure of, which are those that networks err most on;
were such poses left out, errors would look smaller than they are. So a joint that a label lacks gets the error that
the model made on it elsewhere: where its prediction is the most like this one and the label is whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.evaluation import labelled_poses
from model_zoo.epipolarpose.labels import Labels
from model_zoo.refiner.normal import (
    J,
    centred,
    check_poses,
    complete_rows,
    known_joints,
    refuse_test_subjects,
    size_of,
)
from posebench.datasets.views import UnlabelledView
from posebench.errors import InputError
from posebench.io.array_file import read_arrays, write_arrays
from posebench.io.atomic import atomic_write
from posebench.matching import match
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

SCHEMA = "posebench.refiner-errors/2"
#: Fewer whole poses than this say nothing about how wrong a model is.
LEAST = 100
#: Errors that are kept, evenly spaced among all; a training of a unit draws from them in every step.
MOST = 2**15
#: A reference that knows fewer joints than this, or not the root, is left out.
ENOUGH = 9
#: One in so many errors is offered to a pose, at least `_OFFERED` of them.
_ONE_OF, _OFFERED = 32, 8
#: Poses that are offered the same errors, and rows of distances that are in memory at once.
_TOGETHER, _ROWS = 64, 512
#: Bytes of a file.
_LIMIT = 2**24
_MM: Mapping[str | None, float] = {"mm": 1.0, "m": 1000.0}
_ARRAYS = {"errors": (np.float32, (J, 3)), "poses": (np.float32, (J, 3)), "lengths": (np.float64, ())}


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """The errors of a base model, in mm of the average body.

    errors : (M, 17, 3) float32
        0 at the root.
    poses : (M, 17, 3) float32
        What was right where each of them was made: in the camera, relative to the root, of size 1.
    lengths : (16,)
        Bones of the average body, in mm.
    card : mapping
        What was measured against what.
    """

    errors: Singles
    poses: Singles
    lengths: Floats
    card: Mapping[str, Any] = field(default_factory=dict)

    def draw(self, random: np.random.Generator, poses: Floats) -> Floats:
        """Errors (N, 17, 3) as the base model might make them on poses (N, 17, 3) of size 1; the root has none.

        Examples
        --------
        >>> right = np.zeros((100, 17, 3), np.float32)
        >>> right[50:, 16] = 300  # the right wrist
        >>> model = ErrorModel(right / 10, right, np.full(16, 200.0))
        >>> low, high = model.draw(np.random.default_rng(0), np.stack([right[0], right[-1]]))[:, 16, 0]
        >>> bool(low == 0), bool(30 <= high <= 30 * np.sqrt(2))
        (True, True)
        """
        drawn = np.empty(poses.shape)
        for start in range(0, len(poses), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            angle = random.uniform(0, np.pi / 2, len(poses[part]))[:, None, None]
            one, other = (self._alike(random, poses[part]) for _ in range(2))
            drawn[part] = np.cos(angle) * one + np.sin(angle) * other
        return drawn

    def _alike(self, random: np.random.Generator, poses: Floats) -> Floats:
        """For each pose the error of the one most like it, of those that are offered to all."""
        offered = min(len(self.errors), max(_OFFERED, len(self.errors) // _ONE_OF))
        rows = random.choice(len(self.errors), offered, replace=False, shuffle=False)
        return self.errors[rows[nearest(poses, self.poses[rows])]].astype(np.float64)


def nearest(poses: Floats | Singles, others: Singles) -> Ints:
    """For each of poses (N, 17, 3), which of `others` (M, 17, 3) has its joints nearest, by the sum of squares.

    Examples
    --------
    >>> others = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((3, 17, 3), np.float32)
    >>> nearest(np.full((1, 17, 3), 1.2), others).tolist()
    [1]
    """
    flat = others.reshape(len(others), -1)
    squares = np.einsum("ij,ij->i", flat, flat)
    found = np.empty(len(poses), np.int64)
    for start in range(0, len(poses), _ROWS):
        given = poses[start : start + _ROWS].reshape(-1, 3 * J).astype(np.float32)
        found[start : start + _ROWS] = (squares - 2 * (given @ flat.T)).argmin(axis=1)
    return found


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
    """The errors against labels made by geometry: `ru-ss`. Labels without the root, or with fewer than 9 joints, are
    left out.

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
    pred: PoseSet, reference: PoseSet, pairs: Ints, lengths: Floats, kind: str, *, uses_3d: bool
) -> ErrorModel:
    """The errors in pairs of rows, those without a whole prediction or enough of a reference left out."""
    for poses in (pred, reference):
        check_poses(poses)
    names = () if reference.subject is None else reference.subject.names
    refuse_test_subjects(names, reference.source)
    refuse_test_subjects(() if pred.subject is None else pred.subject.names, pred.source)
    given = len(pairs)
    if given > MOST:
        pairs = pairs[np.linspace(0, given - 1, MOST).round().astype(np.int64)]
    taken = len(pairs)
    known = known_joints(reference)[pairs[:, 1]]
    usable = complete_rows(pred)[pairs[:, 0]] & known[:, H36M17.root] & (known.sum(axis=1) >= ENOUGH)
    pairs, known = pairs[usable], known[usable]
    whole = known.all(axis=1)
    if whole.sum() < LEAST:
        raise InputError(
            f"{pred.source}: {whole.sum()} poses are whole and have a whole reference ({kind}), expected {LEAST} or "
            "more"
        )
    predicted = centred(pred.poses[pairs[:, 0]].astype(np.float64))
    right = np.where(known[..., None], centred(reference.poses[pairs[:, 1]].astype(np.float64)), 0.0)
    size = size_of(right, lengths, known)[:, None, None]
    if not (np.isfinite(size) & (size > 0)).all():
        raise InputError(f"{reference.source}: holds a pose whose joints are all at one place")
    metric = pred.unit in _MM and reference.unit in _MM
    if metric:
        predicted *= _MM[pred.unit] / _MM[reference.unit]
    else:
        seen = np.where(known[..., None], predicted, 0.0)
        scale = (seen * right).sum(axis=(1, 2)) / np.maximum((seen**2).sum(axis=(1, 2)), 1e-300)
        predicted *= scale[:, None, None]
    predicted /= size
    errors = np.where(known[..., None], predicted - right / size, 0.0)
    mpjpe = np.linalg.norm(errors, axis=-1)[known].mean()
    lacking, complete = np.flatnonzero(~whole), np.flatnonzero(whole)
    alike = complete[nearest(predicted[lacking], predicted[complete].astype(np.float32))]
    errors[lacking] = np.where(known[lacking, :, None], errors[lacking], errors[alike])
    card = {
        "schema": SCHEMA,
        "reference": kind,
        "uses_3d": uses_3d,
        "scale": "as predicted" if metric else "fitted to the reference",
        "poses": len(errors),
        "whole": len(complete),
        "left_out": taken - len(errors),
        "not_looked_at": given - taken,
        "subjects": sorted(names),
        "mpjpe": float(mpjpe),
    }
    made_on = (predicted - errors).astype(np.float32)
    return ErrorModel(errors.astype(np.float32), made_on, lengths.astype(np.float64), card)


def write_errors(errors: ErrorModel, path: str | os.PathLike[str]) -> None:
    """Keep them in an .npz.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    card = json.dumps(errors.card, sort_keys=True, allow_nan=False)
    with atomic_write(path) as handle:
        write_arrays(handle, {**{name: getattr(errors, name) for name in _ARRAYS}, "card": np.array(card)})


def read_errors(path: str | os.PathLike[str]) -> ErrorModel:
    """Read what `write_errors` wrote.

    Raises
    ------
    InputError
        If the file is damaged or of another kind.
    """
    file = Path(path)
    arrays = read_arrays(file, (*_ARRAYS, "card"), _LIMIT)
    card = _card_of(arrays.pop("card"), file)
    for name, (kind, rest) in _ARRAYS.items():
        array = arrays[name]
        if array.dtype != kind or not array.ndim or array.shape[1:] != rest or not np.isfinite(array).all():
            wanted = ", ".join(["*", *map(str, rest)])
            found = f"{array.dtype} {array.shape}"
            raise InputError(f"{file}: array {name!r} is {found}, expected finite {np.dtype(kind)} ({wanted})")
    errors, poses, lengths = (arrays[name] for name in _ARRAYS)
    sound = (
        LEAST <= len(errors) == len(poses)
        and lengths.shape == (J - 1,)
        and bool((lengths > 0).all())
        and not errors[:, H36M17.root].any()
        and not poses[:, H36M17.root].any()
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


__all__ = [
    "LEAST",
    "MOST",
    "ErrorModel",
    "errors_by_labels",
    "errors_by_truth",
    "nearest",
    "read_errors",
    "write_errors",
]
