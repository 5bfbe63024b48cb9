"""A scorer as one writes it in an afternoon, with mistakes that are common, for the conformance suite to find.

posebench conformance --scorer examples/naive_scorer.py:score
"""

from __future__ import annotations

import numpy as np


def score(pred, gt, *, metric):
    """Value of a metric of poses (N, J, 3) in mm."""
    if metric == "PMPJPE":
        return np.mean([np.linalg.norm(align(p, g) - g, axis=-1).mean() for p, g in zip(pred, gt, strict=False)])
    errors = np.linalg.norm((pred - pred[:, :1]) - (gt - gt[:, :1]), axis=-1)
    if metric == "MPJPE":
        return np.nanmean(errors)
    if metric == "PCK@150":
        return 100 * (errors <= 150).mean()
    if metric == "AUC(0:150:5)":
        return 100 * np.mean([(errors < threshold).mean() for threshold in range(5, 151, 5)])
    raise NotImplementedError(metric)


def align(p, g):
    """A pose (J, 3) moved, turned and scaled onto another."""
    p_mean, g_mean = p.mean(0), g.mean(0)
    p, g = p - p_mean, g - g_mean
    u, sigma, vt = np.linalg.svd(p.T @ g)
    return sigma.sum() / (p**2).sum() * p @ u @ vt + g_mean
