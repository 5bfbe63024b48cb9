"""Metrics on real motion with errors like an estimator's, against plain NumPy written here pose by pose."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import posebench
from posebench.datasets import read_cmu

pytestmark = pytest.mark.mocap

CLIPS = ("01_05", "02_01", "05_06", "06_15", "09_12")
EVERY = 20


@cache
def clip(root: Path, name: str, every: int = EVERY) -> posebench.PoseSet:
    """A clip thinned out, without the rest pose."""
    return read_cmu(root / "cmu-mocap" / "bvh" / name[:2] / f"{name}.bvh")[1::every]


def estimated(gt: np.ndarray, seed: int) -> np.ndarray:
    """Turned as a whole, scaled, every joint off by 30 mm; a quarter without depth; all somewhere else."""
    rng = np.random.default_rng(seed)
    turns = np.linalg.qr(rng.normal(size=(len(gt), 3, 3)))[0]
    turns *= np.sign(np.linalg.det(turns))[:, None, None]
    pred = gt @ turns * rng.uniform(0.7, 1.4, (len(gt), 1, 1)) + rng.normal(scale=30, size=gt.shape)
    pred[::4, :, 2] = 0
    return pred + rng.normal(scale=2000, size=(len(gt), 1, 3))


def mean_distance(p: np.ndarray, g: np.ndarray) -> float:
    return float(np.sqrt(((p - g) ** 2).sum(axis=1)).mean())


def mpjpe(p: np.ndarray, g: np.ndarray) -> float:
    return mean_distance(p - p[0], g - g[0])


def nmpjpe(p: np.ndarray, g: np.ndarray) -> float:
    p, g = p - p[0], g - g[0]
    return mean_distance((p * g).sum() / (p * p).sum() * p, g)


def pmpjpe(p: np.ndarray, g: np.ndarray) -> float:
    p, g = p - p.mean(axis=0), g - g.mean(axis=0)
    u, s, vt = np.linalg.svd(p.T @ g)
    d = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    return mean_distance((s * d).sum() / (p * p).sum() * p @ (u * d) @ vt, g)


TWINS = {"MPJPE": mpjpe, "NMPJPE": nmpjpe, "PMPJPE": pmpjpe}


def by_hand(pred: np.ndarray, gt: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.array([twin(p, g) for p, g in zip(pred, gt, strict=True)]) for name, twin in TWINS.items()}


def tolerance(gt: np.ndarray) -> np.ndarray:
    return 1e-9 * np.linalg.norm(gt - gt.mean(axis=1, keepdims=True), axis=(1, 2))


@pytest.mark.parametrize("name", CLIPS)
def test_every_pose_scores_as_by_hand(mocap_root: Path, name: str) -> None:
    gt = clip(mocap_root, name).poses
    pred = estimated(gt, seed=int(name.replace("_", "")))
    found = posebench.per_pose(pred, gt)
    for metric, expected in by_hand(pred, gt).items():
        assert (np.abs(found[metric] - expected) < tolerance(gt)).all(), metric
    assert (found["PMPJPE"] < found["MPJPE"]).all()


@pytest.mark.parametrize("name", CLIPS)
def test_flattened_people_score_as_by_hand(mocap_root: Path, name: str) -> None:
    gt = clip(mocap_root, name).poses.copy()
    pred = estimated(gt, seed=1)
    gt[..., 2] = gt[:, :1, 2]
    found = posebench.per_pose(pred, gt)
    for metric, expected in by_hand(pred, gt).items():
        assert (np.abs(found[metric] - expected) < tolerance(gt)).all(), metric


@pytest.mark.parametrize("name", CLIPS)
def test_a_similar_pose_is_a_perfect_one(mocap_root: Path, name: str) -> None:
    gt = clip(mocap_root, name).poses
    turn = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    found = posebench.per_pose(gt @ turn * 0.6 + [100, -2000, 30], gt)
    assert (found["PMPJPE"] < tolerance(gt)).all()
    assert (posebench.per_pose(gt * 1.7 - 500, gt)["NMPJPE"] < tolerance(gt)).all()


def test_two_people_in_one_set_score_together_and_apart(mocap_root: Path) -> None:
    clips = [clip(mocap_root, name) for name in ("02_01", "09_12")]
    poses = np.concatenate([each.poses for each in clips])
    keys = {
        key: np.concatenate([getattr(each, key).values for each in clips]) for key in ("subject", "sequence", "action")
    }
    gt = posebench.PoseSet(
        poses,
        skeleton="h36m17",
        unit="mm",
        reference="world",
        origin="absolute",
        frame=np.concatenate([each.frame for each in clips]),
        **keys,
    )
    shuffled = np.random.default_rng(3).permutation(len(gt))
    pred = gt.replace(poses=estimated(poses, seed=3))
    report = posebench.score(pred[shuffled], gt)
    assert report.coverage.scored == len(gt)
    expected = by_hand(pred.poses, poses)
    reach = tolerance(poses).max()
    for metric, values in expected.items():
        assert abs(report.metrics[metric].value - values.mean()) < reach, metric
    for subject, frames in (("02", slice(len(clips[0]))), ("09", slice(len(clips[0]), None))):
        for metric, values in expected.items():
            assert abs(report.by("subject")[subject][metric] - values[frames].mean()) < reach, metric


@pytest.mark.parametrize("name", CLIPS)
def test_a_late_prediction_has_velocity_error(mocap_root: Path, name: str) -> None:
    gt = clip(mocap_root, name, every=1).poses[:1000]
    early, late = gt[5:], gt[:-5]
    moved = np.diff((late - late[:, :1]) - (early - early[:, :1]), axis=0)
    found = posebench.mpjve(late, early, fps=120)
    assert found > 10
    assert found == pytest.approx(120 * np.linalg.norm(moved, axis=-1).mean(), rel=1e-9)
    assert posebench.mpjve(gt, gt, fps=120) == 0
