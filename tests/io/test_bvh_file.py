"""BVH files as poses: those with the bones of the CMU conversion."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.datasets.cmu import read_cmu
from posebench.errors import InputError, PosebenchError, UsageError
from posebench.io import read, write
from posebench.poses import PoseSet

#: (bone, parent, offset): the CMU skeleton with round numbers, as far as H36M-17 needs it.
BONES = (
    *(("LeftUpLeg", "Hips", "2 -2 0"), ("LeftLeg", "LeftUpLeg", "0 -7 0"), ("LeftFoot", "LeftLeg", "0 -8 0")),
    *(("RightUpLeg", "Hips", "-2 -2 0"), ("RightLeg", "RightUpLeg", "0 -7 0"), ("RightFoot", "RightLeg", "0 -8 0")),
    *(("Spine", "Hips", "0 2 0"), ("Spine1", "Spine", "0 3 4"), ("Neck", "Spine1", "0 0 0"), ("Head", "Neck", "0 2 0")),
    *(("LeftShoulder", "Spine1", "0 0 0"), ("LeftArm", "LeftShoulder", "3 1 0")),
    *(("LeftForeArm", "LeftArm", "5 0 0"), ("LeftHand", "LeftForeArm", "3 0 0")),
    *(("RightShoulder", "Spine1", "0 0 0"), ("RightArm", "RightShoulder", "-3 1 0")),
    *(("RightForeArm", "RightArm", "-5 0 0"), ("RightHand", "RightForeArm", "-3 0 0")),
)


def tree(parent="Hips"):
    below = [bone for bone in BONES if bone[1] == parent]
    return "".join(
        f"JOINT {name} {{ OFFSET {offset} CHANNELS 1 Zrotation {tree(name)} }}\n" for name, _, offset in below
    ) or ("End Site { OFFSET 0 1 0 }\n")


@pytest.fixture
def path(tmp_path):
    angles = np.random.default_rng(0).integers(-90, 90, (3, len(BONES)))
    rows = "".join(f"10 20 30 {' '.join(map(str, row))}\n" for row in angles)
    path = tmp_path / "07_12.bvh"
    path.write_text(
        "HIERARCHY\nROOT Hips { OFFSET 0 0 0 CHANNELS 3 Xposition Yposition Zposition\n"
        f"{tree()}}}\nMOTION\nFrames: 3\nFrame Time: .0083333\n{rows}"
    )
    return path


def test_a_clip_gives_the_poses_of_the_data_set(path):
    poses, expected = read(path), read_cmu(path)
    np.testing.assert_array_equal(poses.poses, expected.poses)
    for fact in ("skeleton", "unit", "reference", "origin", "fps"):
        assert getattr(poses, fact) == getattr(expected, fact)
    assert poses.frame.tolist() == [0, 1, 2]
    assert "rest pose" in poses.notes[0]


def test_other_bones_are_refused(path):
    path.write_text(path.read_text().replace("RightForeArm", "right_elbow"))
    with pytest.raises(InputError, match=r"07_12\.bvh: has no joint 'RightForeArm'.*only if it has the bones"):
        read(path)


def test_bvh_is_only_read(tmp_path):
    with pytest.raises(UsageError, match="only read"):
        write(PoseSet(np.zeros((1, 17, 3))), tmp_path / "a.bvh")


def test_a_mutated_file_gives_a_set_or_a_sentence(path, mutate):
    content, rng, refused = path.read_bytes(), np.random.default_rng(1), 0
    for _ in range(200):
        path.write_bytes(mutate(content, rng))
        try:
            assert isinstance(read(path), PoseSet)
        except PosebenchError as error:
            refused += 1
            assert str(path) in str(error)
            assert "\n" not in str(error)
    assert refused > 0
