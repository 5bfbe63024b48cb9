"""Poses to test with: every shape of pose that has ever broken a scorer, and the hypothesis strategies that draw them.

A *kind* is a function of (rng, n, j) that makes a pair (pred, gt), both (n, j, 3) float64 in mm. `Case` adds what the
metric functions take besides: a mask, a joint subset, a root.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

#: The same examples in every run, as many as a person waits for.
MODERATE = settings(
    derandomize=True, max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
FEW = settings(MODERATE, max_examples=20)

#: What stands in a joint that is masked: nothing of it may ever reach a result.
GARBAGE = (np.nan, np.inf, -np.inf, 1e30, -4.5e4)

#: A standing person in the order of H36M-17, mm, y up; limbs are turned at random about their parents.
_PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
_OFFSETS = np.array(
    [
        [0, 0, 0], [-130, 0, 0], [0, -440, 10], [0, -430, -20], [130, 0, 0], [0, -440, 10], [0, -430, -20],
        [0, 230, 10], [0, 250, -10], [0, 110, 40], [0, 110, -10],
        [150, 0, 0], [0, -280, 0], [0, -250, 20], [-150, 0, 0], [0, -280, 0], [0, -250, 20],
    ],
    float,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A call: `metric(case.pred, case.gt, **case.options)`."""

    kind: str
    pred: np.ndarray
    gt: np.ndarray
    root: int = 0
    joints: tuple[int, ...] | None = None
    valid: np.ndarray | None = None

    @property
    def options(self) -> dict:
        return {"root": self.root, "joints": self.joints, "valid": self.valid}

    @property
    def reach(self) -> float:
        """Largest coordinate that counts: rounding grows with it."""
        held = np.ones(self.gt.shape[:2], bool) if self.valid is None else self.valid
        return float(max(np.abs(side[held].astype(float)).max(initial=0.0) for side in (self.pred, self.gt)))

    def pose(self, i: int) -> tuple[np.ndarray, np.ndarray, dict]:
        """One pose of the batch, as the twins take it."""
        mask = None if self.valid is None else self.valid[i]
        return self.pred[i], self.gt[i], {"joints": self.joints, "valid": mask}

    def __repr__(self) -> str:
        masked = 0 if self.valid is None else int((~self.valid).sum())
        return (
            f"Case({self.kind}, {self.pred.shape}, {self.pred.dtype}, root={self.root}, joints={self.joints}, "
            f"masked={masked})"
        )

    def _repr_pretty_(self, printer, cycle) -> None:
        """Keeps hypothesis from printing the coordinates."""
        printer.text(repr(self))


# ---------------------------------------------------------------------------------------------------------- generators


def rotations(rng: np.random.Generator, n: int) -> np.ndarray:
    """Random proper rotations (n, 3, 3)."""
    q, r = np.linalg.qr(rng.normal(size=(n, 3, 3)))
    q = q * np.sign(np.einsum("nii->ni", r))[:, None, :]
    return q * np.sign(np.linalg.det(q))[:, None, None]


def people(rng: np.random.Generator, n: int, j: int = 17) -> np.ndarray:
    """Human-like poses in camera coordinates, some metres away; a different j keeps the first joints or repeats."""
    poses = np.zeros((n, 17, 3))
    for i in range(n):
        facing = rotations(rng, 1)[0]
        for joint, parent in enumerate(_PARENTS):
            if parent >= 0:
                bend = _small_rotation(rng, 0.6)
                length = rng.uniform(0.8, 1.2)
                poses[i, joint] = poses[i, parent] + length * facing @ bend @ _OFFSETS[joint]
    poses += rng.uniform([-1000, -500, 2500], [1000, 500, 6000], (n, 3))[:, None]
    chosen = poses[:, np.arange(j) % 17]
    return chosen + (rng.normal(size=chosen.shape) if j > 17 else 0.0)


def _small_rotation(rng: np.random.Generator, size: float) -> np.ndarray:
    x, y, z = rng.normal(0, size, 3) / np.sqrt(3)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    q, _ = np.linalg.qr(np.eye(3) + skew)
    return q * np.sign(np.diag(q))


def _human(rng, n, j):
    gt = people(rng, n, j)
    return gt + rng.normal(0, 40, gt.shape) + rng.normal(0, 200, (n, 1, 3)), gt


def _gaussian(rng, n, j):
    return rng.normal(0, 300, (n, j, 3)), rng.normal(0, 300, (n, j, 3))


def _planar(rng, n, j):
    """Both sides flat, each in a plane of its own."""
    pred, gt = _human(rng, n, j)
    flat = np.array([1.0, 1.0, 0.0])
    return (pred * flat) @ rotations(rng, n), (gt * flat) @ rotations(rng, n)


def _planar_prediction(rng, n, j):
    pred, gt = _human(rng, n, j)
    return pred * [1.0, 1.0, 0.0], gt


def _mirrored(rng, n, j):
    _, gt = _human(rng, n, j)
    return gt * [-1.0, 1.0, 1.0], gt


def _mirrored_round(rng, n, j):
    """A mirrored pose as deep as it is wide: a whole family of rotations is equally good."""
    return near_ambiguous(rng, n, j, 0.0, mirrored=True)


def _collinear(rng, n, j):
    """Both sides on a line: any turn about it is equally good."""
    pred, gt = _gaussian(rng, n, j)
    return pred * [1.0, 0.0, 0.0] @ rotations(rng, n), gt * [0.0, 1.0, 0.0] @ rotations(rng, n) + 50.0


def _collinear_prediction(rng, n, j):
    pred, gt = _gaussian(rng, n, j)
    return pred * [1.0, 0.0, 0.0] @ rotations(rng, n), gt


def _coincident(rng, n, j):
    """Predictions without extent, far from and at the origin."""
    _, gt = _human(rng, n, j)
    place = rng.normal(0, 1000, (n, 1, 3)) * (rng.random((n, 1, 1)) < 0.7)
    return np.broadcast_to(place, gt.shape).copy(), gt


def _tiny(rng, n, j):
    pred, gt = _human(rng, n, j)
    return (pred - pred[:, :1]) * 1e-6, (gt - gt[:, :1]) * 1e-6


def _huge(rng, n, j):
    pred, gt = _human(rng, n, j)
    return pred * 1e3, gt * 1e3


def _far(rng, n, j):
    pred, gt = _human(rng, n, j)
    return pred + rng.normal(0, 1e6, (n, 1, 3)), gt + rng.normal(0, 1e6, (n, 1, 3))


def _equal(rng, n, j):
    _, gt = _human(rng, n, j)
    return gt.copy(), gt


def _similar(rng, n, j):
    _, gt = _human(rng, n, j)
    scale = np.exp(rng.normal(0, 1, (n, 1, 1)))
    return scale * gt @ rotations(rng, n) + rng.normal(0, 500, (n, 1, 3)), gt


def _reflected_through_a_point(rng, n, j):
    """The least-squares scale is negative."""
    pred, gt = _human(rng, n, j)
    return 2 * pred[:, :1] - pred, gt


def _another_unit(rng, n, j):
    pred, gt = _human(rng, n, j)
    return pred / 1000, gt


def _near_collinear(rng, n, j):
    """Needles, each with a thickness of its own from a tenth to a hundred-thousandth of their length."""
    pred, gt = _gaussian(rng, n, j)
    thick = 10.0 ** -rng.uniform(1, 5, (n, 1, 1))
    shape = np.concatenate([np.ones_like(thick), thick, thick * 0.3], axis=2)
    gt = gt * shape
    pred = gt + rng.normal(size=gt.shape) * 30 * shape
    return pred @ rotations(rng, n), gt @ rotations(rng, n)


def _near_ambiguous_kind(rng, n, j):
    ratio = 10.0 ** -rng.uniform(1, 5)
    return near_ambiguous(rng, n, j, ratio, mirrored=bool(rng.random() < 0.5))


def _whole_numbers(rng, n, j):
    """Small whole numbers: symmetric, planar and collinear poses by the dozen, and no rounding."""
    return rng.integers(-2, 3, (n, j, 3)).astype(float), rng.integers(-2, 3, (n, j, 3)).astype(float)


KINDS: dict[str, Callable] = {
    "human": _human,
    "gaussian": _gaussian,
    "planar": _planar,
    "planar prediction": _planar_prediction,
    "mirrored": _mirrored,
    "mirrored round": _mirrored_round,
    "collinear": _collinear,
    "collinear prediction": _collinear_prediction,
    "coincident": _coincident,
    "tiny": _tiny,
    "huge": _huge,
    "far": _far,
    "equal": _equal,
    "similar": _similar,
    "point reflected": _reflected_through_a_point,
    "another unit": _another_unit,
    "near collinear": _near_collinear,
    "near ambiguous": _near_ambiguous_kind,
    "whole numbers": _whole_numbers,
}


def near_ambiguous(rng, n, j, ratio, *, mirrored):
    """Poses whose (s2 + d s3) / s1 is `ratio`: a mirrored round one, or a needle if not mirrored; j >= 5."""
    if j < 5:
        return _collinear(rng, n, j)
    pred, gt = np.empty((n, j, 3)), np.empty((n, j, 3))
    for i in range(n):
        # Orthonormal columns that sum to zero: then p'g is whatever g's part along them is.
        basis = np.linalg.qr(np.column_stack([np.ones(j), rng.normal(size=(j, 4))]))[0][:, 1:]
        u, v = rotations(rng, 2)
        if mirrored:
            s = np.diag([1.0, 0.4 + ratio, -0.4])
        else:
            s = np.diag([1.0, ratio, 0.0])
        p, g = basis[:, :3] @ u.T, basis[:, :3] @ s @ v.T
        g = g + 0.1 * np.outer(basis[:, 3], rng.normal(size=3))  # what no rotation explains
        pred[i], gt[i] = 1000 * p + rng.normal(0, 300, 3), 1000 * g + rng.normal(0, 300, 3)
    return pred, gt


def make_case(kind: str, *, n: int, j: int = 17, seed: int = 0, dtype: str = "float64") -> Case:
    """A case of that kind without mask or subset, the same for the same arguments."""
    rng = np.random.default_rng([sum(map(ord, kind)), n, j, seed])
    pred, gt = KINDS[kind](rng, n, j)
    return Case(kind, pred.astype(dtype), gt.astype(dtype))


def masked(case: Case, rng: np.random.Generator, share: float = 0.3, *, keep: tuple[int, ...] = ()) -> Case:
    """The same case with joints masked, and garbage in them on both sides; the joints in `keep` stay valid."""
    valid = rng.random(case.gt.shape[:2]) >= share
    valid[:, list(keep)] = True
    pred, gt = case.pred.copy(), case.gt.copy()
    for side in (pred, gt):
        side[~valid] = rng.choice(GARBAGE, (int((~valid).sum()), 3))
    return replace(case, pred=pred, gt=gt, valid=valid)


# ---------------------------------------------------------------------------------------------------------- strategies

seeds = st.integers(0, 2**16)
batch_sizes = st.sampled_from([1, 2, 3, 17])


@st.composite
def cases(
    draw,
    kinds: tuple[str, ...] = tuple(KINDS),
    dtypes: tuple[str, ...] = ("float64", "float32"),
    joint_counts: tuple[int, ...] = (17, 5, 14),
    subsets: bool = True,
    masks: bool = True,
) -> Case:
    """Any kind of pose in any batch size, with any root, and perhaps a mask and a subset without the root."""
    j = draw(st.sampled_from(joint_counts))
    seed = draw(seeds)
    case = make_case(
        draw(st.sampled_from(kinds)), n=draw(batch_sizes), j=j, seed=seed, dtype=draw(st.sampled_from(dtypes))
    )
    rng = np.random.default_rng(seed)
    case = replace(case, root=draw(st.integers(0, j - 1)))
    if masks and draw(st.booleans()):
        case = masked(case, rng)
    if subsets and draw(st.booleans()):
        count = draw(st.integers(2, j - 1))
        without_root = draw(st.booleans())
        pool = [k for k in range(j) if not (without_root and k == case.root)]
        case = replace(case, joints=tuple(int(k) for k in rng.permutation(pool)[:count]))
    return case
