"""A body's joints, its skin and its coarser copies, on a stick figure."""

from __future__ import annotations

import numpy as np
import pytest

from posebench import UsageError
from posebench.datasets.open4v.body import JOINTS, make_bodies, sample_shape
from posebench.datasets.open4v.motions import about_axis, rng
from posebench.skeletons import H36M17
from tests.support.open4v import stick_body

BODY = stick_body()


def still(n: int = 1) -> np.ndarray:
    return np.tile(np.eye(3), (n, len(BODY.bones), 1, 1))


def test_at_rest_the_joints_are_where_bones_begin() -> None:
    transforms = BODY.bone_transforms(still(), np.array([[0.0, 900.0, 0.0]]))
    joints = dict(zip(H36M17.joints, BODY.joints(transforms)[0], strict=True))
    for joint, bone in JOINTS.items():
        np.testing.assert_allclose(joints[joint], BODY.heads[BODY.index(bone)], atol=1e-9)
    np.testing.assert_allclose(joints["pelvis"], [0, 900, 0], atol=1e-9)
    np.testing.assert_allclose(joints["thorax"], [0, 1400, 0], atol=1e-9)
    np.testing.assert_allclose(joints["spine"], [0, 1150, 0], atol=1e-9)
    np.testing.assert_allclose(joints["nose"], [0, 1620, 90], atol=1e-9)
    np.testing.assert_allclose(joints["head"], [0, 1710, 0], atol=1e-9)


def test_a_turned_bone_takes_along_what_hangs_from_it() -> None:
    rotations = still()
    turned = about_axis(2, np.pi / 2)
    for bone in ("LeftArm", "LeftForeArm", "LeftHand", "LeftFingerBase"):
        rotations[0, BODY.index(bone)] = turned
    transforms = BODY.bone_transforms(rotations, np.array([[5.0, 900.0, 7.0]]))
    joints = BODY.joints(transforms)[0] - [5, 0, 7]
    shoulder = BODY.heads[BODY.index("LeftArm")]
    for joint in ("LElbow", "LWrist"):
        at_rest = BODY.heads[BODY.index(JOINTS[joint])]
        np.testing.assert_allclose(joints[H36M17.index(joint)], shoulder + turned @ (at_rest - shoulder), atol=1e-9)
    np.testing.assert_allclose(joints[H36M17.index("RWrist")], BODY.heads[BODY.index("RightHand")], atol=1e-9)


def test_skin_is_the_weighted_mean_of_what_its_bones_do() -> None:
    rotations = still()
    rotations[0, BODY.index("LeftForeArm") :] = about_axis(0, 0.7)
    transforms = BODY.bone_transforms(rotations, np.array([[0.0, 900.0, 0.0]]))
    rows = np.array([3, BODY.nose, 150])
    expected = []
    for row in rows:
        moved = [t[:, :3] @ BODY.vertices[row] + t[:, 3] for t in transforms[0]]
        expected.append(sum(w * m for w, m in zip(BODY.weights[row], moved, strict=True)))
    np.testing.assert_allclose(BODY.skin(transforms, rows)[0], expected, atol=1e-9)
    np.testing.assert_allclose(BODY.skin(transforms)[0, rows], expected, atol=1e-9)


def test_normals_point_outwards() -> None:
    head = np.flatnonzero(BODY.weights[:, BODY.index("Head")])
    outwards = BODY.vertices[head] - [0, 1620, 0]
    np.testing.assert_allclose(BODY.normals[head], outwards / 90, atol=1e-12)


def test_a_coarser_body_keeps_its_joints_its_landmarks_and_closed_surfaces() -> None:
    coarse = BODY.simplified(60.0)
    assert len(coarse.vertices) < len(BODY.vertices)
    np.testing.assert_array_equal(coarse.vertices[coarse.nose], BODY.vertices[BODY.nose])
    np.testing.assert_array_equal(coarse.vertices[coarse.crown], BODY.vertices[BODY.crown])
    transforms = BODY.bone_transforms(still(), np.array([[0.0, 900.0, 0.0]]))
    np.testing.assert_array_equal(coarse.joints(transforms), BODY.joints(transforms))
    assert coarse.faces.max() < len(coarse.vertices)
    # Cubes smaller than all triangles change nothing.
    same = BODY.simplified(5.0)
    assert same.faces.shape == BODY.faces.shape
    np.testing.assert_array_equal(
        same.vertices[same.faces].sum(axis=(0, 1)), BODY.vertices[BODY.faces].sum(axis=(0, 1))
    )


def test_shapes_at_random_are_adults() -> None:
    shapes = [sample_shape(rng(0, str(i))) for i in range(200)]
    heights = np.array([shape.height for shape in shapes])
    assert 1500 <= heights.min() < 1600 < 1800 < heights.max() <= 1960
    assert 0.3 < np.mean([shape.gender > 0.5 for shape in shapes]) < 0.7


def test_no_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match="no shapes"):
        make_bodies([])
