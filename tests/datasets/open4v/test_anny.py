"""Bodies out of anny, compared with what anny itself computes. Needs that package; its first model takes minutes."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.datasets.open4v.body import Body, Shape, make_bodies
from posebench.datasets.open4v.motions import synthetic_motion
from posebench.datasets.open4v.retarget import bone_rotations, perform
from posebench.skeletons import H36M17

pytestmark = pytest.mark.slow

SHAPES = [Shape(1800, 0.0, 0.67, 0.6, 0.5, 0.5), Shape(1620, 1.0, 0.7, 0.4, 0.6, 0.4)]
#: anny's axes (x left, y back, z up, m) as ours (x left, y up, z front, mm).
AXES = np.array([[1000.0, 0, 0], [0, 0, 1000], [0, -1000, 0]])


@pytest.fixture(scope="module")
def bodies() -> list[Body]:
    pytest.importorskip("anny")
    return make_bodies(SHAPES)


def test_bodies_are_as_tall_as_asked_and_share_everything_but_their_shape(bodies: list[Body]) -> None:
    for body, shape in zip(bodies, SHAPES, strict=True):
        assert np.ptp(body.vertices[:, 1]) == pytest.approx(shape.height)
        assert body.vertices[body.crown, 1] == pytest.approx(body.vertices[:, 1].max(), abs=5)
        np.testing.assert_allclose(body.weights.sum(axis=1), 1)
        assert abs(body.vertices[body.nose, 0]) < 1
    np.testing.assert_array_equal(bodies[0].faces, bodies[1].faces)
    assert (bodies[0].nose, bodies[0].crown) == (bodies[1].nose, bodies[1].crown)


def test_joints_lie_inside_the_body_in_the_right_order(bodies: list[Body]) -> None:
    for body in bodies:
        n = len(body.bones)
        joints = body.joints(body.bone_transforms(np.tile(np.eye(3), (1, n, 1, 1)), np.zeros((1, 3))))[0]
        at = dict(zip(H36M17.joints, joints, strict=True))
        heights = [at[joint][1] for joint in ("RAnkle", "RKnee", "RHip", "spine", "thorax", "nose", "head")]
        assert heights == sorted(heights)
        assert at["LHip"][0] > 50 > -50 > at["RHip"][0]
        assert at["nose"][2] > at["head"][2]


def test_posed_joints_and_skin_are_those_that_anny_computes(bodies: list[Body]) -> None:
    anny, torch = pytest.importorskip("anny"), pytest.importorskip("torch")
    model = anny.Anny(rig="cmu_mb", pose_parameterization="world-orient", skinning_method="lbs")
    for body, shape in zip(bodies, SHAPES, strict=True):
        motion = synthetic_motion("syn03", 1, frames=3, fps=1)
        rotations = bone_rotations(body, motion)
        performance = perform(body, motion)
        given = {name: getattr(shape, name) for name in ("gender", "age", "muscle", "weight", "proportions")}
        given["height"] = 0.5
        rest = model(pose_parameters=None, phenotype_kwargs=given)
        size = shape.height / np.ptp(rest["rest_vertices"][0].numpy()[:, 2] * 1000)
        # World orientations: ours from the rest pose, in anny's axes, on top of its bones' own at rest.
        turn = AXES / 1000
        poses = np.tile(np.eye(4), (3, len(body.bones), 1, 1))
        poses[..., :3, :3] = turn.T @ rotations @ turn @ rest["rest_bone_poses"][0, :, :3, :3].numpy()
        theirs = model(pose_parameters=torch.from_numpy(poses), phenotype_kwargs=given)
        heads = theirs["bone_poses"][..., :3, 3].numpy() @ AXES.T * size
        ours = np.einsum("nbij,bj->nbi", performance.transforms[..., :3], body.heads) + performance.transforms[..., 3]
        hips = [body.index("LeftUpLeg"), body.index("RightUpLeg")]
        heads += (ours[:, hips].mean(axis=1) - heads[:, hips].mean(axis=1))[:, None]
        np.testing.assert_allclose(ours, heads, atol=1e-3)
        vertices = theirs["vertices"].numpy() @ AXES.T * size
        mine = body.skin(performance.transforms)
        vertices += (mine - vertices)[:, :1]
        np.testing.assert_allclose(mine, vertices, atol=0.05)
