"""Folders of results for tests: small sets, really scored, with the run.yaml that a run has beside its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

import posebench as pb
from tests.scoring.plain import poseset
from tests.support.poses import people

#: Sequences and frames of each; with fewer than eight a result has no intervals.
SEQUENCES, FRAMES = 10, 3
N = SEQUENCES * FRAMES
SUBJECTS = {"open4v": ("cmu02", "cmu08"), "open4v-wild": ("cmu02", "cmu08"), "h36m": ("S9", "S11")}


def ground_truth(dataset: str | None = "open4v", seed: int = 0) -> pb.PoseSet:
    """People with keys as a data set has them."""
    subjects = SUBJECTS.get(dataset or "", ("a", "b"))
    keys = {
        "subject": np.repeat(subjects, N // 2),
        "sequence": np.repeat(np.arange(SEQUENCES), FRAMES).astype(str),
        # Every 64th frame: what protocols of Human3.6M select.
        "frame": 64 * np.arange(N),
    }
    return poseset(people(np.random.default_rng(seed), N), dataset=dataset, **keys)


def noisy(gt: pb.PoseSet, noise: float, seed: int = 0) -> pb.PoseSet:
    """A prediction that is off by so many mm, one standard deviation of each coordinate."""
    keys = {name: getattr(gt, name) for name in ("subject", "sequence", "frame")}
    return poseset(gt.poses + np.random.default_rng(seed + 1).normal(0, noise, gt.poses.shape), **keys)


def facts(name: str, **changes: Any) -> dict[str, Any]:
    """What a run.yaml says."""
    said: dict[str, Any] = {
        "name": name,
        "description": "people with noise",
        "data": "Open4V small",
        "supervision": ["full"],
        "gt_root_depth": False,
        "gt_intrinsics": False,
        "epoch_by_test_gt": False,
        "commands": [f"posebench zoo row {name} --data {{open4v}} --seed {{seed}}"],
    }
    return {key: value for key, value in {**said, **changes}.items() if value is not None}


def add_run(
    results: Path,
    name: str,
    *,
    noise: float = 40.0,
    seeds: int = 1,
    protocol: str = "open4v",
    gt: pb.PoseSet | None = None,
    pred: pb.PoseSet | None = None,
    score: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """Score a set and put the result where tables look for it; what files hold is what is scored."""
    folder = results / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.yaml").write_text(yaml.safe_dump(facts(name, **changes)), "utf-8")
    dataset = {"open4v-wild": "open4v-wild", "h36m-epipolarpose": "h36m"}.get(protocol, "open4v")
    truth = ground_truth(dataset) if gt is None else gt
    pb.write(truth, folder / "gt.npz")
    for seed in range(seeds):
        pb.write(noisy(truth, noise, seed) if pred is None else pred, folder / "pred.npz")
        report = pb.score(folder / "pred.npz", folder / "gt.npz", protocol=protocol, **(score or {}))
        report.save(folder / f"{protocol}-seed{seed}.json")
    return folder
