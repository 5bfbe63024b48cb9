"""A file that states the wrong skeleton gives no number: its bones are no person's, and another skeleton's are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench.resources import resource

EXAMPLE = Path(resource("examples", "pose2sim"))
H36M, MPI = pb.get_skeleton("h36m17"), pb.get_skeleton("3dhp17")


def mislabelled(name: str, folder: Path) -> Path:
    """The example's poses in the order of MPI-INF-3DHP, under the name of Human3.6M's."""
    real = pb.convert(pb.read(EXAMPLE / name), MPI)
    path = folder / name
    pb.write(real.replace(skeleton=H36M), path)
    return path


@pytest.mark.parametrize("side", ["pred", "gt"])
def test_another_order_of_joints_is_refused_with_the_skeleton_that_fits(tmp_path, side: str) -> None:
    files = {"pred": EXAMPLE / "pred_cam01_cam02.npz", "gt": EXAMPLE / "gt.npz"}
    files[side] = mislabelled(files[side].name, tmp_path)
    with pytest.raises(pb.InputError, match=f"says h36m17, and as such its .* while as .*3dhp17.* --{side}-skeleton"):
        pb.score(files["pred"], files["gt"])


def test_the_users_word_is_believed(tmp_path) -> None:
    path = mislabelled("pred_cam01_cam02.npz", tmp_path)
    right = pb.score(pb.read(path, skeleton="3dhp17"), EXAMPLE / "gt.npz", metrics=["MPJPE"])
    assert right.metrics["MPJPE"].value < 60
    forced = pb.score(pb.read(path, skeleton="h36m17"), EXAMPLE / "gt.npz", metrics=["MPJPE"])
    assert forced.metrics["MPJPE"].value > 300


def test_a_prediction_that_is_nobody_is_scored_with_a_note_and_a_ground_truth_is_refused(tmp_path) -> None:
    gt = pb.read(EXAMPLE / "gt.npz")
    strange = gt.poses.copy()
    strange[:, H36M.index("RWrist")] += [0, 900, 0]
    pb.write(gt.replace(poses=strange), tmp_path / "strange.npz")
    report = pb.score(tmp_path / "strange.npz", EXAMPLE / "gt.npz", metrics=["MPJPE"])
    assert any("which no person's is" in note for note in report.notes)
    with pytest.raises(pb.InputError, match=r"strange.npz says h36m17, and as such its RElbow-RWrist"):
        pb.score(EXAMPLE / "gt.npz", tmp_path / "strange.npz")


def test_arrays_are_taken_at_their_word() -> None:
    rng = np.random.default_rng(0)
    poses = pb.PoseSet(rng.normal(size=(5, 17, 3)) * 1000, skeleton="h36m17", unit="mm")
    assert pb.score(poses, poses, metrics=["MPJPE"]).metrics["MPJPE"].value == 0
