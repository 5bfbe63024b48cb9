"""What the vectors of a bank are made of: which joints in which order, how they are centred, in which reference.

A `Layout` brings arrays and PoseSets into that form, or says why it cannot. Normalisation itself is a kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from posebench.conversion import convert_needed
from posebench.errors import InputError, UsageError
from posebench.kernels.dispatch import compiled_form
from posebench.kernels.fields import PoseFlag
from posebench.poses import REFERENCES, PoseSet
from posebench.skeletons import Skeleton, named_skeleton

Centring = Literal["root", "mean"]
CENTRINGS = ("root", "mean")
#: Banks are in one of these; poses may also be in an unknown one.
BANK_REFERENCES = tuple(reference for reference in REFERENCES if reference != "unknown")

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.uint16]
_NO_MASK = np.ones((1, 1), np.bool_)


@dataclass(frozen=True)
class Normalised:
    """Poses (N, J, 3) of Frobenius norm 1; where flags (N,) hold `PoseFlag` bits there is none, and zeros stand."""

    poses: Floats
    flags: Flags

    @property
    def rows(self) -> Floats:
        """The poses as vectors (N, 3 J)."""
        return self.poses.reshape(len(self.poses), -1)


@dataclass(frozen=True)
class Layout:
    """Joints by name, in order; the joint that poses are centred on, None for the mean of the joints; the reference."""

    skeleton: str
    joints: tuple[str, ...]
    root: str | None
    reference: str

    def __post_init__(self) -> None:
        if len(self.joints) < 2:
            raise UsageError(f"a bank needs at least 2 joints, got {len(self.joints)}")
        if len(set(self.joints)) < len(self.joints):
            raise UsageError(f"the joints of a bank repeat: {', '.join(self.joints)}")
        if self.root is not None and self.root not in self.joints:
            raise UsageError(f"root is {self.root!r}, which is not among the joints {', '.join(self.joints)}")
        if self.reference not in BANK_REFERENCES:
            raise UsageError(f"reference is {self.reference!r}, expected one of {', '.join(BANK_REFERENCES)}")

    @property
    def centring(self) -> Centring:
        """What is subtracted from a pose before it is divided by its norm."""
        return "mean" if self.root is None else "root"

    @property
    def root_index(self) -> int:
        """Index of the root among the joints, -1 for the mean: as the kernels take it."""
        return -1 if self.root is None else self.joints.index(self.root)

    @cached_property
    def _as_skeleton(self) -> Skeleton:
        """Names are all that a conversion needs."""
        return Skeleton(self.skeleton, self.joints, (-1,) * len(self.joints), max(self.root_index, 0), (), {})

    def fit(self, poses: npt.ArrayLike | PoseSet, name: str = "poses") -> Fitted:
        """The same poses seen as this layout.

        Parameters
        ----------
        poses : array (N, J, 3) or PoseSet
            An array holds the joints of the layout, or of its skeleton, by number. A set of another skeleton is
            converted by joint name.
        name : str
            What messages call an array.

        Raises
        ------
        InputError
            If joints are lacking, or the set says that it is in another reference.
        """
        given = poses if isinstance(poses, PoseSet) else PoseSet(poses, source=name)
        notes: list[str] = []
        if given.skeleton is None:
            columns = self._columns_by_number(given)
            if isinstance(poses, PoseSet):
                notes.append(f"skeleton of {given.source} assumed: {self.skeleton}")
        else:
            if not set(self.joints) <= set(given.skeleton.joints):
                before = given.notes
                given = convert_needed(given, self._as_skeleton, self.joints)
                notes += given.notes[len(before) :]
            assert given.skeleton is not None
            columns = np.array([given.skeleton.joints.index(joint) for joint in self.joints], np.int64)
        if given.reference == "unknown":
            if isinstance(poses, PoseSet):
                notes.append(f"reference of {given.source} assumed: {self.reference}")
        elif given.reference != self.reference:
            raise InputError(
                f"{given.source} is in the {given.reference} reference, but the bank is in the {self.reference} "
                "reference, where the same pose has another nearest centre; bring both to one reference"
            )
        in_order = len(columns) == given.poses.shape[1] and bool((columns == np.arange(len(columns))).all())
        return Fitted(self, given, None if in_order else columns, tuple(notes))

    def _columns_by_number(self, given: PoseSet) -> npt.NDArray[np.int64]:
        n_joints = given.poses.shape[1]
        if n_joints == len(self.joints):
            return np.arange(n_joints)
        try:
            whole = named_skeleton(self.skeleton).joints  # the name may come from a card, so it never means a file
        except UsageError:
            whole = self.joints
        if n_joints != len(whole) or not set(self.joints) <= set(whole):
            raise InputError(
                f"{given.source}: the poses have {n_joints} joints, expected the {len(self.joints)} of the bank "
                f"({', '.join(self.joints)})"
            )
        return np.array([whole.index(joint) for joint in self.joints], np.int64)

    def normalise(self, poses: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None = None) -> Normalised:
        """Normalised poses from coordinates (N, J, 3) of exactly the layout's joints.

        Each pose is centred on its root, or on the mean of its joints, and divided by its Frobenius norm, in float64.
        Flags: MASKED where `valid` (N, J) lacks a joint, MISSING where a coordinate is not finite (or beyond 1e150),
        DEGENERATE where all joints coincide.

        Examples
        --------
        >>> layout = Layout("pair", ("pelvis", "head"), "pelvis", "camera")
        >>> layout.normalise(np.array([[[1.0, 2, 3], [1, 5, 7]]])).poses.tolist()
        [[[0.0, 0.0, 0.0], [0.0, 0.6, 0.8]]]
        """
        from posebench.kernels.nearest import normalise_poses

        n = len(poses)
        rows, flags = np.empty((n, 3 * len(self.joints))), np.empty(n, np.uint16)
        mask = _NO_MASK if valid is None else compiled_form(valid)
        normalise_poses(flat(poses), mask, valid is not None, self.root_index, rows, flags)
        return Normalised(rows.reshape(n, -1, 3), flags)


@dataclass(frozen=True)
class Fitted:
    """A PoseSet whose columns are those of a layout, and what had to be assumed or converted for that."""

    layout: Layout
    poses: PoseSet
    #: Which joints of the set are the layout's, in order; None if all are, as they stand.
    columns: npt.NDArray[np.int64] | None
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.poses)

    def take(self, rows: slice | npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        """Coordinates (n, J, 3) and mask (n, J) of some rows, in the layout's joints."""
        chunk = self.poses.poses[rows]
        valid = None if self.poses.valid is None else self.poses.valid[rows]
        if self.columns is None:
            return chunk, valid
        return chunk[:, self.columns], None if valid is None else valid[:, self.columns]

    def refuse_not_finite(self, flags: Flags, rows: npt.NDArray[np.int64]) -> None:
        """Raise for the first of `rows` whose flag says that a coordinate is not finite."""
        bad = np.flatnonzero(flags & int(PoseFlag.MISSING))
        if not len(bad):
            return
        row = rows[bad[:1]]
        size = np.abs(self.take(row)[0][0].astype(np.float64)).max(1)
        joint = int(np.argmax(np.where(np.isfinite(size), size, np.inf)))
        column = joint if self.columns is None else int(self.columns[joint])
        raise InputError(
            f"{self.poses.source}: pose {row[0]}, joint {column} ({self.layout.joints[joint]}) is "
            f"{self.poses.poses[row[0], column].tolist()} and is not masked; mark it invalid in `valid`, or mend the "
            "file"
        )


def flat(poses: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Coordinates (N, 3 J) in the one memory layout that kernels are compiled for, float32 or float64."""
    if poses.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        poses = poses.astype(np.float64)
    return compiled_form(poses).reshape(len(poses), -1)
