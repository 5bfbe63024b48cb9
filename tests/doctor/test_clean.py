"""Files in which nothing is wrong get no finding, however noisy, slow, still, symmetrical or small the people are."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from posebench.datasets.cmu import cmu_clips, read_cmu
from posebench.datasets.room import room_cameras, seen_by
from tests.doctor.faults import FAULTS, codes, example, exchanged, planted

NOISE = ("none", "white 30", "white 150", "smooth 40", "smooth 100", "biased 50", "in depth 60")


def noisy(poses: np.ndarray, kind: str, seed: int = 0) -> np.ndarray:
    """Poses of one sequence (n, J, 3) with noise of so many mm in each coordinate."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=poses.shape)
    what, _, mm = kind.rpartition(" ")
    if what == "smooth":
        for i in range(1, len(noise)):
            noise[i] = 0.7 * noise[i - 1] + np.sqrt(1 - 0.7**2) * noise[i]
    elif what == "biased":
        noise = 0.7 * (noise + rng.normal(size=(1, *poses.shape[1:])))
    elif what == "in depth":
        noise = noise * [0.5, 0.5, 1.8]
    return poses + noise * (0 if mm == "none" else float(mm))


def clips(root, every: int) -> list[pb.PoseSet]:
    """Motion capture as one camera sees it, 30 frames per second."""
    found = []
    for path in cmu_clips(root)[::every]:
        clip = read_cmu(path)[5:1205:4].replace(fps=30)
        seen = seen_by(clip, room_cameras())
        found.append(seen[seen.camera.codes == 0])
    return [clip for clip in found if len(clip) >= 30]


def predicted(clip: pb.PoseSet, poses: np.ndarray, **facts) -> pb.PoseSet:
    return clip.replace(poses=poses, path="pred.npz", extrinsics=None, **facts)


@pytest.mark.mocap
@pytest.mark.parametrize("kind", NOISE)
def test_noise_is_no_fault(kind: str, mocap_root) -> None:
    for number, clip in enumerate(clips(mocap_root, 16)):
        pred = predicted(clip, noisy(np.array(clip.poses), kind, number))
        assert codes(pb.diagnose(pred, clip)) == set(), clip.sequence.names
        assert codes(pb.diagnose(pred)) == set(), clip.sequence.names


@pytest.mark.mocap
def test_other_units_and_origins_are_no_fault_where_they_are_stated(mocap_root) -> None:
    for clip in clips(mocap_root, 33):
        body = noisy(np.array(clip.poses), "smooth 30")
        body = body - body[:, :1]
        for facts, factor in (({"unit": "m"}, 1000), ({"unit": "scale-free"}, 431), ({}, 1)):
            pred = predicted(clip, body / factor, **{"origin": "root", **facts})
            assert codes(pb.diagnose(pred, clip)) == set(), (clip.sequence.names, facts)


@pytest.mark.mocap
def test_children_slow_motion_and_predictions_close_to_the_mean_are_no_fault(mocap_root) -> None:
    for clip in clips(mocap_root, 33):
        poses = np.array(clip.poses)
        child = clip.replace(poses=poses * 0.6)
        assert codes(pb.diagnose(predicted(child, noisy(poses * 0.6, "white 60")), child)) == set()
        slow = np.repeat(poses[:20], 10, 0) * 0.5 + np.repeat(poses[1:21], 10, 0) * 0.5
        slowed = clip[np.zeros(200, int)].replace(poses=slow, frame=np.arange(200))
        assert codes(pb.diagnose(predicted(slowed, noisy(slow, "smooth 30")), slowed)) == set()
        body = poses - poses[:, :1]
        timid = poses[:, :1] + body.mean(0) + 0.6 * (body - body.mean(0))
        assert codes(pb.diagnose(predicted(clip, noisy(timid, "white 20")), clip)) == set()


@pytest.mark.parametrize("mm", [0, 5, 60, 150])
def test_standing_still_is_no_fault(mm: float) -> None:
    _, gt = example()
    rng = np.random.default_rng(1)
    sway = np.cumsum(rng.normal(0, 0.3, (100, 1, 3)), 0) + rng.normal(0, 0.5, (100, 17, 3))
    still = gt.replace(poses=np.array(gt.poses, float)[:1] + sway)
    pred = still.replace(poses=still.poses + rng.normal(0, mm, still.poses.shape), path="pred.npz")
    assert codes(pb.diagnose(pred, still)) == set()


def test_a_symmetrical_pose_is_no_fault() -> None:
    _, gt = example()
    body = np.array(gt.poses, float)
    body = body - body[:, :1]
    even = (body + exchanged(body) * [-1, 1, 1]) / 2 + [0, 0, 4000]
    truth = gt.replace(poses=even)
    pred = truth.replace(poses=noisy(even, "white 50"), path="pred.npz")
    assert codes(pb.diagnose(pred, truth)) == set()


def test_frames_in_any_order_are_no_fault_where_keys_name_them() -> None:
    pred, gt = example()
    order = np.random.default_rng(0).permutation(100)
    assert pb.diagnose(pred[order], gt).clean


def test_frames_far_apart_are_no_fault() -> None:
    pred, gt = example()
    assert pb.diagnose(pred[::7], gt[::7]).clean


def test_some_poses_alone_are_no_fault() -> None:
    pred, gt = example()
    for n in (1, 2, 5):
        assert pb.diagnose(pred[:n], gt[:n]).clean
        assert pb.diagnose(pred[:n]).clean


#: What this noise hides; everything else is seen through it.
HIDDEN = {"2 % thrown by 150 mm", "a frame doubled"}
#: And in some clips: two frames fewer, or another frame of the same slow movement, are as little as the noise.
HIDDEN_IN = {
    ("03_02", "two frames left out"),
    ("08_01", "two frames left out"),
    ("03_02", "a tenth shuffled"),
    ("06_03", "a tenth shuffled"),
}


@pytest.mark.mocap
@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_motion_capture_with_noise_is_named(name: str, mocap_root) -> None:
    for clip in clips(mocap_root, 25):
        pred = predicted(clip, noisy(np.array(clip.poses), "smooth 40"))
        found = codes(pb.diagnose(*planted(FAULTS[name], pred, clip)))
        hidden = name in HIDDEN or (clip.sequence.names[0], name) in HIDDEN_IN
        assert hidden != (found >= set(FAULTS[name].codes)) or name in HIDDEN, clip.sequence.names
