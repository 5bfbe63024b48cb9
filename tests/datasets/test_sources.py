"""The same body in every source: proportions of CMU's and HDM05's people, whose joints come by different ways."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from posebench.datasets import cmu_clips, hdm05_clips, read_amc, read_bvh, read_cmu, read_hdm05, usable_frames
from posebench.datasets.acclaim import JOINTS
from posebench.datasets.cmu import MM_PER_UNIT
from posebench.skeletons import H36M17

pytestmark = pytest.mark.mocap

#: Ratio -> by which factor the medians over people may differ from source to source.
#:
#: People differ: torso to leg has a standard deviation of 4 % among CMU's eight people and HDM05's five, upper arm to
#: forearm one of 4 % (subject 05 aside) and 8 %, so medians of so few differ by chance by 3 and 5 %. 12 % are more than
#: twice that, and less than what a wrong bone makes: without its thorax bone the trunk of CMU's people is nearly a
#: quarter shorter, and a forearm that ends with the bone `wrist` is half as long again.
#: Widths agree less, because the laboratories place the joints differently: HDM05's shoulders are 41 to 51 cm apart and
#: CMU's 35 to 40, the hips 12 to 21 and 15 to 20. The medians differ by a factor of 1.34. Up to 1.5 is allowed, which
#: still tells the ends of these bones from their beginnings, where left and right meet.
ALLOWED = {"torso to leg": 1.12, "upper arm to forearm": 1.12, "shoulder width to hip width": 1.5}


def distance(poses: np.ndarray, a: str, b: str) -> float:
    """The median over frames, in mm."""
    return float(np.median(np.linalg.norm(poses[:, H36M17.index(a)] - poses[:, H36M17.index(b)], axis=-1)))


def ratios(poses: np.ndarray) -> dict[str, float]:
    leg = sum(distance(poses, f"{s}Hip", f"{s}Knee") + distance(poses, f"{s}Knee", f"{s}Ankle") for s in "LR") / 2
    upper_arm, forearm = (
        sum(distance(poses, s + a, s + b) for s in "LR") for a, b in (("Shoulder", "Elbow"), ("Elbow", "Wrist"))
    )
    return {
        "torso to leg": distance(poses, "pelvis", "thorax") / leg,
        "upper arm to forearm": upper_arm / forearm,
        "shoulder width to hip width": distance(poses, "LShoulder", "RShoulder") / distance(poses, "LHip", "RHip"),
    }


def shortest(paths: list[Path], person: str, name: str = "") -> Path:
    """The shortest clip in a person's folder whose name holds a word."""
    theirs = [path for path in paths if path.parent.name == person and name in path.name]
    return min(theirs, key=lambda path: (path.stat().st_size, path.name))


def people(paths: list[Path]) -> list[str]:
    return sorted({path.parent.name for path in paths})


@cache
def cmu_clips_of_people(root: Path) -> dict[str, Path]:
    paths = cmu_clips(root)
    return {person: shortest(paths, person) for person in people(paths)}


@cache
def hdm05_clips_of_people(root: Path) -> dict[str, Path]:
    paths = hdm05_clips(root)
    return {person: shortest(paths, person, "squat") for person in people(paths)}


@cache
def cmu(root: Path) -> list[dict[str, float]]:
    """The ratios of each subject."""
    clips = [read_cmu(path) for path in cmu_clips_of_people(root).values()]
    return [ratios(clip[usable_frames(clip)].poses) for clip in clips]


@cache
def hdm05(root: Path) -> list[dict[str, float]]:
    """The ratios of each actor."""
    clips = [read_hdm05(path) for path in hdm05_clips_of_people(root).values()]
    return [ratios(clip[usable_frames(clip)].poses) for clip in clips]


def agree(some: list[dict[str, float]], others: list[dict[str, float]], ratio: str) -> bool:
    a, b = (np.median([person[ratio] for person in group]) for group in (some, others))
    return bool(1 / ALLOWED[ratio] < a / b < ALLOWED[ratio])


@pytest.mark.parametrize("ratio", ALLOWED)
def test_people_have_the_same_proportions_in_every_source(mocap_root: Path, ratio: str) -> None:
    assert (len(cmu(mocap_root)), len(hdm05(mocap_root))) == (8, 5)
    assert agree(cmu(mocap_root), hdm05(mocap_root), ratio)


def test_a_trunk_without_its_thorax_bone_would_be_noticed(mocap_root: Path) -> None:
    wrong = []
    for path in cmu_clips_of_people(mocap_root).values():
        bvh, poses = read_bvh(path), read_cmu(path).poses
        arms = bvh.positions()[:, [bvh.index("LeftArm"), bvh.index("RightArm")]] * MM_PER_UNIT
        poses[:, H36M17.index("thorax")] = arms.mean(axis=1)
        wrong.append(ratios(poses[5:]))
    assert not agree(wrong, hdm05(mocap_root), "torso to leg")


def test_a_forearm_that_ends_with_the_wrist_bone_would_be_noticed(mocap_root: Path) -> None:
    joints = {**JOINTS, "LWrist": "lwrist", "RWrist": "rwrist"}
    wrong = [
        ratios(read_amc(path.with_name(f"HDM_{person}.asf"), path, joints=joints).poses)
        for person, path in hdm05_clips_of_people(mocap_root).items()
    ]
    assert not agree(cmu(mocap_root), wrong, "upper arm to forearm")
