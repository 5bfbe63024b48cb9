"""The default metrics once more in plain NumPy and SVD, and small sets of people to score with them."""

from __future__ import annotations

import numpy as np

import posebench as pb
from posebench.protocols import Protocol
from posebench.resources import resource
from tests.support import pss_twins
from tests.support.poses import people

THRESHOLDS = np.arange(0, 151, 5)
#: What the standard protocol takes of joints, and all that it takes.
OF_JOINTS = ("MPJPE", "NMPJPE", "PMPJPE", "PCK@150", "NPCK@150", "AUC(0:150:5)")
DEFAULTS = (*OF_JOINTS, "PSS@50", "PSS@100")
#: Centres of the banks that the standard protocol binds.
CENTRES = {k: np.load(resource("clusters", f"cmu-h36m17-k{k}.npz"), allow_pickle=False)["centres"] for k in (50, 100)}
FACTS = {"skeleton": "h36m17", "unit": "mm", "reference": "camera"}


def pair(n: int, seed: int = 0, noise: float = 60.0) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and ground truth (n, 17, 3) in mm; about a tenth of the joints are off by more than 150 mm."""
    rng = np.random.default_rng(seed)
    gt = people(rng, n)
    return gt + rng.normal(0, noise, gt.shape), gt


def poseset(poses: np.ndarray, **facts) -> pb.PoseSet:
    """A PoseSet in mm and the camera reference unless told otherwise."""
    return pb.PoseSet(poses, **{**FACTS, **facts})


def root_errors(p, g, valid):
    """|(p - p_pelvis) - (g - g_pelvis)| (N, J); NaN where g does not hold the joint or the pelvis."""
    errors = np.linalg.norm((p - p[:, :1]) - (g - g[:, :1]), axis=2)
    return np.where(valid & valid[:, :1], errors, np.nan)


def scaled_errors(p, g, valid):
    """The same after the scale <p, g> / <p, p> of each pose."""
    p, g = (p - p[:, :1]) * valid[..., None], (g - g[:, :1]) * valid[..., None]
    scale = (p * g).sum((1, 2)) / np.maximum((p * p).sum((1, 2)), 1e-300)
    return np.where(valid & valid[:, :1], np.linalg.norm(scale[:, None, None] * p - g, axis=2), np.nan)


def aligned_errors(p, g, valid):
    """Errors after the optimal similarity of each pose (Umeyama 1991)."""
    errors = np.full(p.shape[:2], np.nan)
    for i in np.flatnonzero(valid.any(1)):
        held = valid[i]
        a, b = p[i, held] - p[i, held].mean(0), g[i, held] - g[i, held].mean(0)
        u, s, vt = np.linalg.svd(a.T @ b)
        flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        rotation = vt.T @ np.diag(flip) @ u.T
        errors[i, held] = np.linalg.norm((s @ flip) / (a * a).sum() * a @ rotation.T - b, axis=1)
    return errors


def item_values(p, g, valid=None) -> dict[str, np.ndarray]:
    """What each joint contributes to each metric of joints: {key: (N, J)}, NaN where nothing is to be scored."""
    p, g = np.asarray(p, float), np.asarray(g, float)
    valid = np.ones(g.shape[:2], bool) if valid is None else valid
    p, g = np.where(valid[..., None], p, 0.0), np.where(valid[..., None], g, 0.0)
    root, scaled, aligned = root_errors(p, g, valid), scaled_errors(p, g, valid), aligned_errors(p, g, valid)

    def correct(errors, limit):
        return np.where(np.isnan(errors), np.nan, 100.0 * (errors < limit))

    area = np.mean([correct(root, limit) for limit in THRESHOLDS], axis=0)
    shares = correct(root, 150), correct(scaled, 150), area
    return dict(zip(OF_JOINTS, (root, scaled, aligned, *shares), strict=True))


def pose_values(p, g, valid=None) -> dict[str, np.ndarray]:
    """Mean over the joints of each pose: {key: (N,)}; NaN where no joint of a pose is to be scored."""
    return {key: row_means(items) for key, items in item_values(p, g, valid).items()}


def default_values(p, g, valid=None) -> dict[str, np.ndarray]:
    """All default metrics of each pose: {key: (N,)}."""
    structure = {
        f"PSS@{k}": pss_twins.hits(np.asarray(p, float), np.asarray(g, float), CENTRES[k], valid=valid)
        for k in (50, 100)
    }
    return {**pose_values(p, g, valid), **structure}


def row_means(items: np.ndarray) -> np.ndarray:
    held = ~np.isnan(items)
    count = held.sum(1)
    return np.where(count > 0, np.where(held, items, 0.0).sum(1) / np.maximum(count, 1), np.nan)


def values_of(report: pb.Report) -> dict[str, float | None]:
    return {key: metric.value for key, metric in report.metrics.items()}


def assert_same_values(found, expected, rtol: float = 1e-9) -> None:
    """Two {metric: value} mappings agree."""
    assert found.keys() == expected.keys()
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], rtol=rtol, atol=1e-9, err_msg=key)


def protocol(**changes) -> Protocol:
    """A protocol that differs from `standard` as told; it binds no banks unless told."""
    standard = pb.get_protocol("standard")
    facts = {field: getattr(standard, field) for field in standard.__dataclass_fields__}
    return Protocol(**{**facts, "name": "test", "banks": (), "metrics": OF_JOINTS, **changes})
