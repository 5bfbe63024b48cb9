"""The ablation with an unfrozen 2D branch: labels made online, and what reaches the joints they are made of."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from model_zoo.epipolarpose.batches import order_in_groups  # noqa: E402
from model_zoo.epipolarpose.geometry.depth import to_image_space  # noqa: E402
from model_zoo.epipolarpose.losses import joint_loss  # noqa: E402
from model_zoo.epipolarpose.unfrozen import online_labels, spread_of_joints, triangulated, unfrozen_task  # noqa: E402

FOCAL, SIDE = 600.0, 128


def two_cameras(pairs: int = 24):
    """Poses seen by two cameras: points in each camera (2 P, 17, 3), intrinsics, and affine maps into crops."""
    random = np.random.default_rng(4)
    points = random.normal(0, 350, (pairs, 17, 3)) + random.normal(0, 200, (pairs, 1, 3)) + [0, 0, 4000]
    angle = np.radians(70)
    R = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    t = np.array([0, 0, 4000.0]) - R @ [0, 0, 4000.0]
    seen = np.stack([points, points @ R.T + t], 1).reshape(-1, 17, 3)
    K = np.tile([[FOCAL, 0, 128], [0, FOCAL, 128], [0, 0, 1]], (len(seen), 1, 1))
    turns = random.uniform(-0.5, 0.5, len(seen))
    scales = random.uniform(0.4, 0.6, len(seen))
    A = np.stack([np.cos(turns), -np.sin(turns), np.sin(turns), np.cos(turns)], -1).reshape(-1, 2, 2)
    A = A * scales[:, None, None]
    return seen, K, np.concatenate([A, random.uniform(-5, 5, (len(seen), 2, 1))], -1), scales


def in_crops(seen, K, matrices, scales):
    uvw = to_image_space(seen, K)
    plane = uvw[..., :2] @ np.swapaxes(matrices[:, :, :2], 1, 2) + matrices[:, None, :, 2]
    return np.concatenate([plane, uvw[..., 2:] * scales[:, None, None]], -1)


def test_labels_of_exact_joints_are_the_poses_as_the_crops_show_them() -> None:
    scene = two_cameras()
    expected = in_crops(*scene)
    labels, known = online_labels(torch.from_numpy(expected[..., :2]), scene[2], scene[1])
    assert known.all()
    # float64 through the estimated R and t of exact joints; labels are kept in float32.
    assert np.abs(labels.numpy() - expected).max() < 1e-2


def test_the_gradient_of_a_label_reaches_the_joints_of_both_pictures() -> None:
    scene = two_cameras()
    found = torch.from_numpy(in_crops(*scene)[..., :2]).requires_grad_()
    labels, _ = online_labels(found, scene[2], scene[1])
    labels[0, 5, 2].backward()
    reached = found.grad.abs().sum(-1) > 0
    root = 0
    assert set(map(tuple, reached.nonzero().tolist())) == {(0, root), (1, root), (0, 5), (1, 5)}


def test_joints_that_lie_in_one_place_have_no_label() -> None:
    seen, K, matrices, _ = two_cameras()
    _, known = online_labels(torch.full((len(seen), 17, 2), 60.0), matrices, K)
    assert not known.any()


def test_triangulation_has_the_gradient_that_differences_show() -> None:
    random = np.random.default_rng(0)
    seen, *_ = two_cameras(2)
    R, t = np.eye(3), np.array([-800.0, 0, 0])
    rays = [torch.from_numpy(seen[:1, :3, :2] / seen[:1, :3, 2:] + random.normal(0, 0.01, (1, 3, 2))) for _ in range(2)]
    rays = [each.double().requires_grad_() for each in rays]
    R, t = torch.from_numpy(R), torch.from_numpy(t)
    assert torch.autograd.gradcheck(lambda a, b: triangulated(a, b, R, t) / 1000, rays)


@pytest.mark.parametrize("through", [False, True])
def test_the_gradient_passes_through_the_label_only_if_it_is_asked_to(through: bool) -> None:
    seen, K, matrices, scales = two_cameras()
    exact = in_crops(seen, K, matrices, scales)
    random = np.random.default_rng(1)
    joints = torch.from_numpy(exact + random.normal(0, 0.5, exact.shape)).float().requires_grad_()
    view = SimpleNamespace(
        sequence=np.full(len(seen), "S1/walk"), camera=np.tile(["a", "b"], len(seen) // 2), intrinsics=K
    )
    net = SimpleNamespace(
        config=SimpleNamespace(side=SIDE), joints_3d=lambda heatmaps: SimpleNamespace(positions=heatmaps)
    )
    config = SimpleNamespace(through=through, beta=0.02, network=SimpleNamespace(side=SIDE))
    pictures = np.arange(len(seen)).reshape(-1, 2)
    task = unfrozen_task(net, view, None, pictures, None, config, {})
    loss, known = task.loss(net, joints, SimpleNamespace(matrices=matrices, pictures=np.arange(len(seen))))
    loss.backward()
    labels, sound = online_labels(joints.detach()[..., :2], matrices, K)
    assert known == int(sound.sum())
    alone = joints.detach().clone().requires_grad_()
    expected = joint_loss(alone, labels, sound, side=SIDE, beta=0.02) / 3
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.allclose(joints.grad, alone.grad, atol=1e-6) is not through


def test_the_spread_does_not_depend_on_where_a_pose_is() -> None:
    random = np.random.default_rng(0)
    joints = random.normal(0, 20, (5, 17, 3))
    moved = joints + random.normal(0, 50, (5, 1, 3))
    assert spread_of_joints(moved, 128) == pytest.approx(spread_of_joints(joints, 128))
    assert spread_of_joints(0 * joints, 128) == 0


def test_a_step_takes_its_examples_from_one_group() -> None:
    groups = np.array([0, 1, 0, 1, 1, 2])
    for step in range(20):
        chosen = [index for _, index in order_in_groups(step, 2, groups, seed=3)]
        assert len(set(groups[chosen].tolist())) == 1
        if groups[chosen[0]] != 2:
            assert len(set(chosen)) == 2
    assert order_in_groups(7, 2, groups, seed=3) == order_in_groups(7, 2, groups, seed=3)
