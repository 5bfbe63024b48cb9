"""The label generator: exact where joints are exact, like plain loops where they are not, honest about the rest."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_zoo.epipolarpose import labels as generator
from model_zoo.epipolarpose.detections import Detections
from model_zoo.epipolarpose.geometry import Reason, RelativePose
from model_zoo.epipolarpose.label_files import read_labels, write_labels
from model_zoo.epipolarpose.labels import LabelConfig, Labels, make_labels, view_sha256
from posebench.datasets.views import open_unlabelled
from posebench.errors import InputError, UsageError
from tests.support import twins
from tests.support.two_views import degrees_between
from tests.support.zoo import Footage, footage, lifted, refusals, rewritten, rig, standing

KNOWN = LabelConfig(extrinsics="known")
KNOWN_MEDIAN = replace(KNOWN, combine="median")


@pytest.fixture(scope="module")
def walk() -> Footage:
    """Twelve instants by four cameras."""
    return footage()


@pytest.fixture(scope="module")
def labels(walk) -> Labels:
    return made(walk, KNOWN, walk.found(2.0))


def made(seen: Footage, config: LabelConfig, found: Detections | None = None) -> Labels:
    """Labels, whose report has been added up."""
    if config.extrinsics == "estimated":
        pytest.importorskip("poselib")
    view = seen.view(with_extrinsics=config.extrinsics == "known")
    result = make_labels(view, found or seen.found(), config)
    pairs, joints = result.report["pairs"], result.report["joints"]
    assert pairs["labelled"] + sum(pairs["left_out"].values()) == pairs["offered"]
    assert joints["known"] + sum(joints["masked"].values()) == joints["offered"] == 17 * pairs["offered"]
    assert result.report["labels"] == len(result)
    assert not np.isfinite(result.joints[~np.broadcast_to(result.known[:, None], result.joints.shape[:3])]).any()
    if config.combine == "pair":
        assert (len(result), int(result.known.sum())) == (pairs["labelled"], joints["known"])
    json.dumps(result.report, allow_nan=False)
    return result


def farthest(seen: Footage, result: Labels) -> float:
    """mm: the largest error of any joint; after the best similarity where the scale is not known."""
    errors = []
    for label, pictures in enumerate(result.pictures):
        for side, row in enumerate(pictures):
            depth = result.root_depth[label, side]
            pose = lifted(result.joints[label, side], seen.K[row], 1.0 if np.isnan(depth) else depth)
            known, truth = result.known[label], seen.poses[row]
            if np.isnan(depth):
                errors.append(np.nanmax(twins.procrustes_row(pose[known], truth[known], root=0)))
            else:
                errors.append(np.linalg.norm(pose[known] - truth[known], axis=1).max())
    return max(errors)


def turned_wrong(seen: Footage, result: Labels) -> float:
    """Degrees: the largest error of any pair's rotation."""
    return max(
        degrees_between(pose[1, :, :3], seen.R[second] @ seen.R[first].T)
        for pose, (first, second) in zip(result.pose, result.pictures, strict=True)
    )


# Exact joints


@pytest.mark.parametrize("cameras", [2, 3, 4])
@pytest.mark.parametrize("combine", ["pair", "median"])
@pytest.mark.parametrize("extrinsics", ["known", "estimated"])
def test_labels_of_exact_joints_are_the_truth(cameras, combine, extrinsics) -> None:
    seen = footage(cameras=rig(cameras))
    result = made(seen, LabelConfig(extrinsics, combine=combine))
    assert len(result) == {"pair": 12 * (cameras if cameras > 2 else 1), "median": 12 * cameras}[combine]
    assert result.known.all()
    assert farthest(seen, result) < 0.01
    assert np.isfinite(result.root_depth).all() == (extrinsics == "known")
    if combine == "pair":
        assert turned_wrong(seen, result) < 0.01
        np.testing.assert_array_equal(result.pose[:, 0], np.tile(np.eye(3, 4), (len(result), 1, 1)))


def test_pixels_of_labels_of_exact_joints_are_the_joints(walk) -> None:
    result = made(walk, KNOWN)
    np.testing.assert_allclose(result.joints[..., :2], walk.joints[result.pictures], atol=1e-6)
    np.testing.assert_array_equal(result.joints[:, :, 0, 2], 0)
    assert result.error.max() < 1e-6


@pytest.mark.parametrize("combine", ["pair", "median"])
@pytest.mark.parametrize("extrinsics", ["known", "estimated"])
def test_an_instant_without_a_picture_has_labels_for_the_others(walk, combine, extrinsics) -> None:
    seen = walk.without("walk", "cam2", 5)
    result = made(seen, LabelConfig(extrinsics, combine=combine))
    cameras = seen.camera[result.pictures][(seen.frame[result.pictures] == 5).all(axis=1)]
    expected = {"pair": [["cam3", "cam4"], ["cam4", "cam1"]], "median": [["cam1"], ["cam3"], ["cam4"]]}[combine]
    assert sorted(cameras.tolist()) == sorted(expected)
    assert result.report["pairs"]["offered"] == 12 * 4 - 2
    assert result.report["pictures"] == {"offered": 47, "labelled": 47}
    assert farthest(seen, result) < 0.01


def test_neighbours_are_cameras_whose_names_follow_each_other() -> None:
    seen = footage({"S1/walk": standing(2)}, cameras=rig(4), names=["d", "b", "a", "c"])
    result = made(seen, KNOWN)
    assert {tuple(pair) for pair in seen.camera[result.pictures].tolist()} == {
        *(("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"))
    }
    assert (seen.frame[result.pictures[:, 0]] == seen.frame[result.pictures[:, 1]]).all()
    assert farthest(seen, result) < 0.01


def test_pictures_without_a_partner_are_nothing_to_make_labels_from(walk) -> None:
    alone = walk.take(np.flatnonzero(walk.camera == "cam1"))
    with pytest.raises(InputError, match="no two pictures of neighbouring cameras"):
        make_labels(alone.view(with_extrinsics=True), alone.found(), KNOWN)


def test_each_pair_for_itself_is_exact_for_exact_joints() -> None:
    seen = footage({"S1/walk": standing(3)}, cameras=rig(2))
    result = made(seen, LabelConfig(pool="frame"))
    assert len(result) == 3
    assert result.report["camera_poses"] == []
    assert turned_wrong(seen, result) < 0.01


# The median over pairs, against loops


def median_twin(candidates: list[tuple[np.ndarray, float]]) -> tuple[np.ndarray, float]:
    """Of points with errors: the one with the least distances to the others, and of two the one with less error."""
    if len(candidates) == 2:
        return min(candidates, key=lambda candidate: candidate[1])
    return min(candidates, key=lambda one: sum(np.linalg.norm(one[0] - other[0]) for other in candidates))


def in_pixels(pose: np.ndarray, K: np.ndarray) -> np.ndarray:
    f = np.sqrt(K[0, 0] * K[1, 1])
    rows = [[*((K @ joint)[:2] / joint[2]), (joint[2] - pose[0, 2]) * f / pose[0, 2]] for joint in pose]
    return np.array(rows)


def by_instant(seen: Footage, pairs: Labels) -> dict[int, list[int]]:
    """Frame -> its pairs, in the order of their cameras: 1 and 2, 2 and 3, ..., the last and the first."""
    grouped: dict[int, list[int]] = {}
    for label in np.lexsort((seen.camera[pairs.pictures[:, 0]],)).tolist():
        grouped.setdefault(int(seen.frame[pairs.pictures[label, 0]]), []).append(label)
    return grouped


def compare_with_twin(seen: Footage, median: Labels, twin: dict[int, tuple[np.ndarray, np.ndarray]]) -> None:
    assert sorted(twin) == median.pictures[:, 0].tolist()
    for label, row in enumerate(median.pictures[:, 0].tolist()):
        pose, error = twin[row]
        np.testing.assert_array_equal(median.known[label], np.isfinite(pose).all(axis=1))
        np.testing.assert_allclose(median.joints[label, 0], in_pixels(pose, seen.K[row]), rtol=1e-7, atol=1e-6)
        np.testing.assert_allclose(median.error[label, 1:], error[1:], rtol=1e-12)


def spotted(seen: Footage) -> Detections:
    """Joints off by a few px, some of which are not found."""
    found = seen.found(3.0, seed=4)
    lost = np.random.default_rng(5).random(found.confidence.shape) < 0.15
    lost[:, 0] = False
    return Detections(found.points, np.where(lost, 0.1, 0.9), "spotted")


@pytest.mark.parametrize("cameras", [2, 3, 4])
def test_the_median_with_known_cameras_is_that_of_a_loop(cameras) -> None:
    seen = footage({"S1/walk": standing(6, seed=3)}, cameras=rig(cameras))
    found = spotted(seen)
    pairs, median = made(seen, KNOWN, found), made(seen, KNOWN_MEDIAN, found)
    twin = {}
    for frame, group in by_instant(seen, pairs).items():
        for row in np.flatnonzero(seen.frame == frame).tolist():
            pose, error = np.full((17, 3), np.nan), np.full(17, np.nan)
            for joint in range(17):
                candidates = []
                for label in group:
                    if pairs.known[label, joint]:
                        first = pairs.pictures[label, 0]
                        local = lifted(pairs.joints[label, 0], seen.K[first], pairs.root_depth[label, 0])[joint]
                        world = seen.R[first].T @ (local - seen.t[first])
                        candidates.append((seen.R[row] @ world + seen.t[row], pairs.error[label, joint]))
                if candidates:
                    pose[joint], error[joint] = median_twin(candidates)
            twin[row] = pose, error
    compare_with_twin(seen, median, twin)
    for label, row in enumerate(median.pictures[:, 0].tolist()):
        np.testing.assert_allclose(median.root_depth[label, 0], twin[row][0][0, 2], rtol=1e-9)


@pytest.mark.parametrize(("cameras", "lost"), [(2, None), (3, None), (4, None), (4, "cam3")])
def test_the_median_without_cameras_is_that_of_a_loop(cameras, lost) -> None:
    seen = footage({"S1/walk": standing(8, seed=3)}, cameras=rig(cameras))
    seen = seen if lost is None else seen.without("walk", lost, 2)
    found = spotted(seen)
    pairs = made(seen, LabelConfig(), found)
    median = made(seen, LabelConfig(combine="median"), found)
    twin = {}
    for frame, group in by_instant(seen, pairs).items():
        for row in np.flatnonzero(seen.frame == frame).tolist():
            steps = [step_of(seen, pairs, label) for label in group]
            own = [step for step in steps if row in step.rows]
            if not own:
                continue
            centre, _ = median_twin([(step.pose[step.rows.index(row)][0], step.error[0]) for step in own])
            pose, error = np.full((17, 3), np.nan), np.full(17, np.nan)
            for joint in range(17):
                candidates = []
                for step in steps:
                    turn, ratio = chained(step, steps, row)
                    if np.isfinite(ratio) and np.isfinite(step.pose[0][joint]).all():
                        relative = turn @ (step.pose[0][joint] - step.pose[0][0]) / ratio
                        candidates.append((centre + relative, step.error[joint]))
                if candidates:
                    pose[joint], error[joint] = median_twin(candidates) if joint else (centre, np.nan)
            twin[row] = pose, error
    compare_with_twin(seen, median, twin)
    assert np.isnan(median.root_depth).all()


class Step:
    """A pair of an instant: its pictures, its pose in both in units of the root's depth there, and how they differ."""

    def __init__(self, rows: list[int], pose: list[np.ndarray], error: np.ndarray, R: np.ndarray) -> None:
        self.rows, self.pose, self.error, self.R = rows, pose, error, R
        # The same bodies in two units: their sizes are as one depth to the other.
        sizes = [np.nansum(np.linalg.norm(each - each[0], axis=1)) for each in pose]
        self.ratio = sizes[0] / sizes[1]


def step_of(seen: Footage, pairs: Labels, label: int) -> Step:
    rows = pairs.pictures[label].tolist()
    poses = [lifted(pairs.joints[label, side], seen.K[row], 1.0) for side, row in enumerate(rows)]
    return Step(rows, poses, pairs.error[label], pairs.pose[label, 1, :, :3])


def chained(start: Step, steps: list[Step], row: int) -> tuple[np.ndarray, float]:
    """The turn from the first picture of a pair to any, and the depth of the root there over the one here."""
    reached = {start.rows[0]: (np.eye(3), 1.0), start.rows[1]: (start.R, start.ratio)}
    while row not in reached:
        new = {}
        for step in steps:
            a, b = step.rows
            for here, there, turn, ratio in ((a, b, step.R, step.ratio), (b, a, step.R.T, 1 / step.ratio)):
                if here in reached and there not in reached and there not in new:
                    new[there] = turn @ reached[here][0], reached[here][1] * ratio
        if not new:
            return np.full((3, 3), np.nan), np.nan
        reached |= new
    return reached[row]


def test_a_picture_without_joints_of_its_own_has_no_box_and_so_no_label(walk) -> None:
    found = walk.found()
    blind = walk.row("cam2", 3)
    found.confidence[blind] = 0
    result = made(walk, KNOWN_MEDIAN, found)
    assert blind not in result.pictures
    assert result.report["pictures"] == {"offered": 48, "labelled": 47}


# What is masked or left out


def one_instant() -> Footage:
    return footage({"S1/walk": standing(1)}, cameras=rig(2))


def middle(seen: Footage, camera: str) -> np.ndarray:
    row = seen.row(camera)
    return -seen.R[row].T @ seen.t[row]


@pytest.mark.parametrize("camera", ["cam1", "cam2"])
def test_a_joint_that_either_picture_is_unsure_of_is_masked(camera) -> None:
    seen = one_instant()
    found = seen.found()
    found.confidence[seen.row(camera), 5] = 0.29
    found.confidence[seen.row(camera), 6] = 0.3
    result = made(seen, KNOWN, found)
    assert np.flatnonzero(~result.known[0]).tolist() == [5]
    assert result.report["joints"]["masked"]["confidence too low in a picture"] == 1


def test_a_joint_that_was_not_found_is_masked_whatever_its_confidence() -> None:
    seen = one_instant()
    found = seen.found()
    found.points[0, 9] = np.nan
    assert np.flatnonzero(~made(seen, KNOWN, found).known[0]).tolist() == [9]


def test_a_joint_far_off_its_epipolar_line_is_masked(walk) -> None:
    found = walk.found(1.0)
    first, second = walk.row("cam1", 4), walk.row("cam2", 4)
    # Straight across the line of the other picture's joint: by the fundamental matrix of the true cameras.
    R = walk.R[second] @ walk.R[first].T
    x, y, z = walk.t[second] - R @ walk.t[first]
    F = (
        np.linalg.inv(walk.K[second]).T
        @ np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        @ R
        @ np.linalg.inv(walk.K[first])
    )
    across = (F @ [*walk.joints[first, 7], 1])[:2]
    found.points[second, 7] += 60 * across / np.linalg.norm(across)
    result = made(walk, KNOWN, found)
    (label,) = np.flatnonzero((result.pictures == [first, second]).all(axis=1))
    assert np.flatnonzero(~result.known[label]).tolist() == [7]
    assert result.report["joints"]["masked"]["reprojection error beyond the noise"] >= 1


def test_a_pair_whose_root_is_masked_is_left_out(walk) -> None:
    found = walk.found()
    found.confidence[walk.row("cam1", 0), 0] = 0
    result = made(walk, KNOWN, found)
    assert result.report["pairs"]["left_out"] == {"the root is masked": 2}
    assert result.report["joints"]["masked"]["the root is masked"] == 2 * 16
    assert walk.row("cam1", 0) not in result.pictures


def test_a_pair_with_few_joints_is_left_out(walk) -> None:
    found = walk.found()
    found.confidence[walk.row("cam1", 0), 8:] = 0
    found.confidence[walk.row("cam3", 1), 7:] = 0
    result = made(walk, KNOWN, found)
    assert result.report["pairs"]["left_out"] == {"too few joints are left": 2}
    assert result.report["joints"]["masked"]["too few joints are left"] == 2 * 7
    assert made(walk, replace(KNOWN, min_joints=7), found).report["pairs"]["left_out"] == {}


def test_a_joint_deeper_than_the_box_is_masked() -> None:
    small = standing(1)
    small = small[:, :1] + 0.2 * (small - small[:, :1])
    seen = footage({"S1/walk": small}, cameras=rig(2))
    eye, root = middle(seen, "cam1"), small[0, 0]
    # Behind the root as cam1 sees it, where it does not widen the box: the box is 0.4 m wide, or less.
    seen = seen.with_joint(0, 3, root + 1500 * (root - eye) / np.linalg.norm(root - eye))
    result = made(seen, KNOWN)
    assert np.flatnonzero(~result.known[0]).tolist() == [3]
    assert result.report["joints"]["masked"]["deeper than the box"] == 1


def test_a_joint_behind_a_camera_is_masked() -> None:
    seen = one_instant()
    row = seen.row("cam2")
    seen = seen.with_joint(0, 3, middle(seen, "cam2") - 500 * seen.R[row][2])
    assert seen.poses[row, 3, 2] < 0 < seen.poses[seen.row("cam1"), 3, 2]
    result = made(seen, KNOWN)
    assert np.flatnonzero(~result.known[0]).tolist() == [3]
    assert result.report["joints"]["masked"]["not in front of both cameras"] == 1


@pytest.mark.parametrize("combine", ["pair", "median"])
def test_where_nothing_is_found_there_is_no_label(walk, combine) -> None:
    found = walk.found()
    found.confidence[:] = 0
    result = made(walk, replace(KNOWN, combine=combine), found)
    assert len(result) == 0
    assert result.report["pairs"]["left_out"] == {"the root is masked": 48}
    assert (result.report["noise_px"], result.report["reprojection_px"]) == (None, None)
    assert np.isnan(result.box).all()


# Sequences that say little of their cameras


@pytest.fixture(scope="module")
def two_subjects() -> Footage:
    """Two subjects, each with a rig of the same names and a long, a motionless and a short sequence."""
    poses = {
        f"{subject}/{name}": each
        for seed, subject in enumerate(("S1", "S2"))
        for name, each in (
            ("long", standing(20, seed=seed)),
            ("still", np.repeat(standing(1, seed=7 + seed), 15, axis=0)),
            ("short", standing(2, seed=9 + seed)),
        )
    }
    return footage(poses, cameras={"S1": rig(2, seed=1), "S2": rig(2, seed=2)})


def worst_by_sequence(seen: Footage, result: Labels) -> dict[str, float]:
    worst: dict[str, float] = {}
    for pose, (first, second) in zip(result.pose, result.pictures.tolist(), strict=True):
        name = f"{seen.subject[first]}/{seen.sequence[first]}"
        error = degrees_between(pose[1, :, :3], seen.R[second] @ seen.R[first].T)
        worst[name] = max(worst.get(name, 0.0), error)
    return worst


def test_weak_sequences_take_the_pose_of_all_sequences_of_their_subject(two_subjects) -> None:
    result = made(two_subjects, LabelConfig(), two_subjects.found(0.5))
    worst = worst_by_sequence(two_subjects, result)
    assert len(worst) == 6
    assert max(worst.values()) < 1.0
    rotation = {}
    for pose, (first, _) in zip(result.pose, result.pictures.tolist(), strict=True):
        rotation.setdefault((two_subjects.subject[first], two_subjects.sequence[first]), pose[1, :, :3])
    for subject in ("S1", "S2"):
        np.testing.assert_array_equal(rotation[subject, "still"], rotation[subject, "short"])
    assert degrees_between(rotation["S1", "still"], rotation["S2", "still"]) > 1
    told = result.report["camera_poses"]
    assert sum(facts["serves"] for facts in told) == result.report["pairs"]["offered"]
    pooled = [facts for facts in told if facts["sequence"] is None]
    assert [(facts["sequences"], facts["pairs"], facts["serves"]) for facts in pooled] == [(3, 37, 17), (3, 37, 17)]


def test_where_cameras_may_move_between_sequences_the_motionless_are_left_out(two_subjects) -> None:
    result = made(two_subjects, LabelConfig(fixed="sequence"), two_subjects.found(0.5))
    assert not {name for name in worst_by_sequence(two_subjects, result) if name.endswith("still")}
    assert sum(result.report["pairs"]["left_out"].values()) >= 30
    for facts in result.report["camera_poses"]:
        assert (facts["left_out"] is None) == (facts["serves"] == facts["pairs"])
        if facts["left_out"] is not None:
            assert facts["serves"] == 0
    still = {f["left_out"] for f in result.report["camera_poses"] if f["sequence"].endswith("still")}
    assert still <= set(result.report["pairs"]["left_out"])
    joints = result.report["joints"]["masked"]
    lost = sum(f["pairs"] for f in result.report["camera_poses"] if f["left_out"] is not None)
    assert joints["the cameras' pose is unknown"] == 17 * lost


def test_a_pose_pooled_over_a_rig_is_one_for_all_its_sequences(two_subjects) -> None:
    result = made(two_subjects, LabelConfig(pool="rig"), two_subjects.found(0.5))
    for subject in ("S1", "S2"):
        rows = two_subjects.subject[result.pictures[:, 0]] == subject
        assert len(np.unique(result.pose[rows].reshape(rows.sum(), -1), axis=0)) == 1
    assert max(worst_by_sequence(two_subjects, result).values()) < 1.0


def test_an_uncertain_sequence_keeps_its_pose_where_all_together_say_nothing_more() -> None:
    seen = footage({"S1/short": standing(4, seed=2)}, cameras=rig(2))
    result = made(seen, LabelConfig(certain=0.001), seen.found(1.0))
    assert len(result) == 4
    assert sum(facts["serves"] for facts in result.report["camera_poses"]) == 4


def test_a_pose_that_is_less_certain_than_asked_stays_where_its_rig_has_none(monkeypatch) -> None:
    seen = footage({"S1/a": standing(2), "S1/b": standing(2, seed=1)}, cameras=rig(2))
    first, second = (np.flatnonzero(seen.camera == camera)[0] for camera in ("cam1", "cam2"))
    R = seen.R[second] @ seen.R[first].T
    t = seen.t[second] - R @ seen.t[first]
    some = RelativePose(R, t / np.linalg.norm(t), np.ones((2, 17), np.bool_), 34, 1.0, 3.0, 1.0)
    answers = iter([some, some.left_out(Reason.MOTIONLESS), some.left_out(Reason.PLANAR)])
    monkeypatch.setattr(generator, "pooled_pose", lambda *_: next(answers))
    result = make_labels(seen.view(), seen.found(), LabelConfig())
    assert result.report["pairs"] == {"offered": 4, "labelled": 2, "left_out": {str(Reason.PLANAR): 2}}
    assert [facts["serves"] for facts in result.report["camera_poses"]] == [2, 0, 0]
    assert farthest(seen, result) < 0.01


# The same every time, and nothing but pictures, intrinsics and ids


def test_labels_are_the_same_bytes_without_a_file_of_ground_truth(tmp_path, walk) -> None:
    pytest.importorskip("poselib")
    folder = tmp_path / "set"
    walk.write(folder)
    found = walk.found(2.0)
    write_labels(make_labels(open_unlabelled(folder, "train"), found), tmp_path / "before.npz")
    write_labels(make_labels(open_unlabelled(folder, "train"), found), tmp_path / "again.npz")
    shutil.rmtree(folder / "labels")
    (folder / "views" / "train.extrinsics.npz").unlink()
    write_labels(make_labels(open_unlabelled(folder, "train"), found), tmp_path / "after.npz")
    before = (tmp_path / "before.npz").read_bytes()
    assert (tmp_path / "again.npz").read_bytes() == before
    assert (tmp_path / "after.npz").read_bytes() == before


def test_cameras_are_not_estimated_where_they_could_be_looked_up(walk) -> None:
    with pytest.raises(UsageError, match="extrinsics are to be estimated, and the view holds them"):
        make_labels(walk.view(with_extrinsics=True), walk.found())
    with pytest.raises(UsageError, match="extrinsics are to be known, and the view does not hold them"):
        make_labels(walk.view(), walk.found(), KNOWN)


def test_detections_of_other_pictures_are_refused(walk) -> None:
    with pytest.raises(UsageError, match="detections of 3 pictures, and 48 pictures"):
        make_labels(walk.view(with_extrinsics=True), walk.take([0, 1, 2]).found(), KNOWN)


def test_progress_counts_poses_of_cameras(two_subjects) -> None:
    pytest.importorskip("poselib")
    calls: list[tuple[float, float, str]] = []
    make_labels(
        two_subjects.view(), two_subjects.found(0.5), LabelConfig(fixed="sequence"), progress=lambda *a: calls.append(a)
    )
    assert calls == [(done, 6, "poses of cameras") for done in range(1, 7)]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"extrinsics": "guessed"}, "extrinsics is 'guessed', expected one of known, estimated"),
        ({"pool": "none"}, "pool is 'none'"),
        ({"fixed": "rig"}, "fixed is 'rig'"),
        ({"combine": "mean"}, "combine is 'mean'"),
        ({"min_confidence": 1.5}, "min_confidence is 1.5, expected a number from 0 to 1"),
        ({"min_confidence": float("nan")}, "min_confidence is nan"),
        ({"outlier": float("inf")}, "outlier is inf"),
        ({"certain": -1}, "certain is -1"),
        ({"min_joints": 18}, "min_joints is 18, expected a number from 2 to 17"),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(wrong, words) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        LabelConfig(**wrong)


# Files


@pytest.fixture
def path(tmp_path, labels) -> Path:
    write_labels(labels, tmp_path / "labels.npz")
    return tmp_path / "labels.npz"


@pytest.mark.parametrize("combine", ["pair", "median"])
def test_labels_come_back_from_a_file_as_they_were(tmp_path, walk, combine) -> None:
    before = made(walk, replace(KNOWN, combine=combine), walk.found(2.0))
    write_labels(before, tmp_path / "l.npz")
    after = read_labels(tmp_path / "l.npz", walk.view(with_extrinsics=True))
    for name in ("pictures", "joints", "known", "error", "root_depth", "pose", "box"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert after.report == before.report


def test_labels_are_bound_to_ids_and_intrinsics_and_not_to_how_wide_texts_are_stored(walk) -> None:
    view, wide = walk.view(), replace(walk, camera=walk.camera.astype("<U40")).view()
    assert view_sha256(view) == view_sha256(wide)
    other = walk.view()
    other.intrinsics[3, 0, 0] += 1e-9
    assert view_sha256(view) != view_sha256(other)
    assert view_sha256(view) != view_sha256(replace(walk, frame=walk.frame + 1).view())


def test_labels_of_other_pictures_are_refused(path, walk) -> None:
    for other in (walk.take(np.arange(47)), walk.take(np.arange(48)[::-1])):
        with pytest.raises(InputError, match=r"labels\.npz: its labels are of other pictures"):
            read_labels(path, other.view())


def with_report(labels: Labels, **changes: object) -> np.ndarray:
    return np.array(json.dumps({**labels.report, **changes}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: {"known": None}, "expected the arrays"),
        (lambda each: {"joints": each.joints[:, :, :16]}, "array 'joints' has shape"),
        (lambda each: {"known": each.known.astype(float)}, "array 'known' has shape"),
        (lambda each: {"pictures": each.pictures[:, 0]}, "array 'pictures' has shape"),
        (lambda each: {"pictures": each.pictures + 1}, "names pictures that are not there"),
        (lambda each: {"pictures": each.pictures - 1}, "names pictures that are not there"),
        (lambda each: {"joints": each.joints * np.nan}, "a known joint that is not finite"),
        (lambda each: {"known": each.known & (np.arange(17) > 0)}, "a label whose root is not known"),
        (lambda each: {"pose": each.pose * np.nan}, "a pair whose cameras have no pose"),
        (lambda each: {"root_depth": -each.root_depth}, "a depth of a root that is no distance"),
        (lambda each: {"report": with_report(each, schema="posebench.labels/9")}, "is no file of labels"),
        (lambda _: {"report": np.array("[" * 100_000)}, "is no file of labels"),
        (lambda _: {"report": np.array("7")}, "is no file of labels"),
        (lambda _: {"report": np.zeros(3)}, "is no file of labels"),
        (lambda each: {"report": with_report(each, pairs=None)}, "report is damaged"),
        (lambda each: {"report": with_report(each, config={"pool": []})}, "report is damaged"),
    ],
)
def test_what_contradicts_itself_is_refused_in_one_sentence(path, labels, change, words) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        read_labels(rewritten(path, **change(labels)))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_cut_or_no_archive_is_refused(path) -> None:
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"PK\x03\x04 nothing"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="complete"):
            read_labels(path)
    path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        read_labels(path)


def test_labels_that_cannot_be_written_are_named(tmp_path, labels) -> None:
    with pytest.raises(InputError, match="nowhere"):
        write_labels(labels, tmp_path / "nowhere" / "labels.npz")


def test_two_thousand_damaged_files_raise_nothing_but_errors_of_the_project(tmp_path, walk) -> None:
    short = walk.take(np.flatnonzero(walk.frame < 2))
    write_labels(made(short, KNOWN), tmp_path / "good.npz")
    assert refusals(tmp_path / "good.npz", lambda file: read_labels(file, short.view()), seed=0) > 1000
