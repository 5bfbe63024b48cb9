"""Motion metrics of keyed sets: never across sequences or cameras, never over a gap, never without the frame rate."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from tests.scoring.plain import pair, poseset

N = 12


def velocity(pred, gt, groups) -> float:
    """Mean over the frames of each group, after its first, of the mean joint speed of the root-centred error."""
    values = []
    for rows in groups:
        error = (pred[rows] - pred[rows][:, :1]) - (gt[rows] - gt[rows][:, :1])
        values += np.linalg.norm(np.diff(error, axis=0), axis=2).mean(1).tolist()
    return float(np.mean(values))


def acceleration(pred, gt, groups) -> float:
    values = []
    for rows in groups:
        error = (pred[rows] - pred[rows][:, :1]) - (gt[rows] - gt[rows][:, :1])
        values += np.linalg.norm(np.diff(error, n=2, axis=0), axis=2).mean(1).tolist()
    return float(np.mean(values))


def scored(pred, gt, metrics=("MPJVE(per=frame)", "MPJAE(per=frame)"), **keys) -> pb.Report:
    return pb.score(poseset(pred), poseset(gt, **keys), metrics=list(metrics))


@pytest.mark.parametrize("key", ["subject", "action", "sequence", "camera"])
def test_differences_never_cross_from_one_sequence_to_the_next(key: str) -> None:
    pred, gt = pair(N)
    report = scored(pred, gt, frame=np.arange(N), **{key: ["a"] * 5 + ["b"] * 7})
    groups = [np.arange(5), np.arange(5, 12)]
    assert report.metrics["MPJVE(per=frame)"].value == pytest.approx(velocity(pred, gt, groups))
    assert report.metrics["MPJAE(per=frame)"].value == pytest.approx(acceleration(pred, gt, groups))
    assert (report.metrics["MPJVE(per=frame)"].n, report.metrics["MPJAE(per=frame)"].n) == (4 + 6, 3 + 5)


def test_cameras_that_take_turns_are_separate_sequences() -> None:
    pred, gt = pair(N)
    report = scored(pred, gt, frame=np.repeat(np.arange(6), 2), camera=["left", "right"] * 6)
    groups = [np.arange(0, N, 2), np.arange(1, N, 2)]
    assert report.metrics["MPJVE(per=frame)"].value == pytest.approx(velocity(pred, gt, groups))
    assert report.by("camera")["left"]["MPJAE(per=frame)"] == pytest.approx(acceleration(pred, gt, groups[:1]))


def test_frames_count_not_rows() -> None:
    pred, gt = pair(N)
    order = np.random.default_rng(1).permutation(N)
    shuffled = scored(pred[order], gt[order], frame=np.arange(N)[order] + 2**60)
    assert shuffled.metrics["MPJVE(per=frame)"].value == pytest.approx(velocity(pred, gt, [np.arange(N)]))


@pytest.mark.parametrize("fps", [25.0, 50.0, 60.0])
def test_the_frame_rate_turns_frames_into_seconds(fps: float) -> None:
    pred, gt = pair(N)
    report = scored(pred, gt, ("MPJVE", "MPJAE"), frame=np.arange(N), fps=fps)
    assert report.metrics["MPJVE"].value == pytest.approx(velocity(pred, gt, [np.arange(N)]) * fps)
    assert report.metrics["MPJAE"].value == pytest.approx(acceleration(pred, gt, [np.arange(N)]) * fps**2)
    assert (report.metrics["MPJVE"].unit, report.metrics["MPJAE"].unit) == ("mm/s", "mm/s^2")


def test_the_frame_rate_may_stand_on_either_side_but_must_agree() -> None:
    pred, gt = pair(3)
    alone = pb.score(poseset(pred, fps=50), poseset(gt, frame=range(3)), metrics=["MPJVE"])
    assert alone.metrics["MPJVE"].value == pytest.approx(velocity(pred, gt, [np.arange(3)]) * 50)
    with pytest.raises(pb.InputError, match=r"50.0 frames per second and .* has 25.0"):
        pb.score(poseset(pred, fps=50), poseset(gt, frame=range(3), fps=25), metrics=["MPJVE"])


def test_without_a_frame_rate_metrics_per_second_are_refused_and_per_frame_offered() -> None:
    pred, gt = pair(3)
    with pytest.raises(pb.InputError, match=r"frame rate, which MPJVE needs; .* --fps, or ask for MPJVE\(per=frame\)"):
        scored(pred, gt, ["MPJVE"], frame=range(3))


def test_without_frame_numbers_motion_is_refused() -> None:
    pred, gt = pair(3)
    with pytest.raises(pb.InputError, match="no `frame` numbers, which MPJVE"):
        scored(pred, gt, ["MPJVE"], fps=50)


@pytest.mark.parametrize("frames", [[0, 1, 3, 4], [0, 2, 4, 6], [9, 1, 0, 2]])
def test_a_gap_is_refused_with_its_sequence_and_frames(frames: list[int]) -> None:
    pred, gt = pair(4)
    missing = {1: 3, 0: 2, 2: 9}
    before = next(f for f in (1, 0, 2) if f in frames and f + 1 not in frames and missing[f] in frames)
    with pytest.raises(pb.InputError, match=rf"action=Walking goes from frame {before} to {missing[before]}"):
        scored(pred, gt, frame=frames, action="Walking")


def test_a_repeated_frame_is_refused() -> None:
    pred, gt = pair(4)
    with pytest.raises(pb.InputError, match="frame 1 stands twice"):
        scored(pred, gt, frame=[0, 1, 1, 2])


def test_sequences_of_a_single_frame_have_no_motion() -> None:
    pred, gt = pair(3)
    report = scored(pred, gt, frame=[5, 9, 2], sequence=["a", "b", "c"])
    assert (report.metrics["MPJVE(per=frame)"].value, report.metrics["MPJVE(per=frame)"].n) == (None, 0)


def test_masked_frames_and_roots_break_the_differences_they_enter() -> None:
    pred, gt = pair(6)
    valid = np.ones((6, 17), bool)
    valid[1, 0] = False
    report = pb.score(pred, poseset(gt, valid=valid, frame=range(6)), metrics=["MPJVE(per=frame)"])
    assert report.metrics["MPJVE(per=frame)"].value == pytest.approx(velocity(pred, gt, [np.arange(2, 6)]))


def test_motion_and_pose_metrics_can_be_asked_for_together() -> None:
    pred, gt = pair(N)
    together = scored(pred, gt, ["MPJPE", "MPJVE(per=frame)", "BoneSpread"], frame=np.arange(N))
    assert together.metrics["MPJPE"].value == pytest.approx(pb.score(pred, gt).metrics["MPJPE"].value)
    assert together.metrics["MPJVE(per=frame)"].value == pytest.approx(velocity(pred, gt, [np.arange(N)]))


def test_metres_and_millimetres_move_at_the_same_speed() -> None:
    pred, gt = pair(N)
    metric = "MPJVE(per=frame)"
    metres = pb.score(
        poseset(pred / 1000, unit="m"), poseset(gt / 1000, unit="m", frame=np.arange(N)), metrics=[metric]
    )
    assert metres.metrics[metric].value == pytest.approx(velocity(pred, gt, [np.arange(N)]))
