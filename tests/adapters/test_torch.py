"""Metrics on tensors give the numbers, the masks and the errors of those on arrays, and gradients that can be used."""

from __future__ import annotations

import inspect
from functools import partial

import numpy as np
import pytest

import posebench as pb
from posebench.metrics.distance import SCALES, VARIANTS

torch = pytest.importorskip("torch", reason="needs the extra [torch]")

import posebench.torch as pt  # noqa: E402

BANK = pb.ClusterBank.build(np.random.default_rng(5).normal(size=(400, 17, 3)) * 300, k=8, skeleton="h36m17", seed=0)

#: (name, arguments) of everything that takes pred, gt, root, joints, valid and reduce.
ROOTED = [
    ("mpjpe", {}),
    ("mpjpe", {"root": None}),
    ("mpjpe", {"root": 3}),
    *(("nmpjpe", {"scale": scale}) for scale in SCALES),
    *(("pmpjpe", {"variant": variant}) for variant in VARIANTS),
    ("worst_joint", {}),
    *(("axis_error", {"axis": axis}) for axis in "xyz"),
    ("pck", {"threshold": 120.0}),
    ("pck", {"threshold": 120.0, "inclusive": True, "root": None}),
    ("npck", {"threshold": 120.0, "scale": "procrustes"}),
    ("auc", {}),
    ("auc", {"thresholds": "0:200:10"}),
    ("auc", {"thresholds": "continuous=150"}),
    ("auc", {"thresholds": [20.0, 80.0, 160.0]}),
    ("cps", {}),
    ("cps", {"align": "root"}),
    ("bone_length_error", {}),
    ("symmetry_error", {}),
    ("joint_angle_error", {}),
]
WITH_VALUES = [*ROOTED, ("mrpe", {})]
IDS = [f"{name}-{'-'.join(map(str, arguments.values()))}" for name, arguments in WITH_VALUES]
#: Those that count joints: a step in the error, so float32 may put a joint on the other side.
COUNTS = ("pck", "npck", "auc")


def poses(n: int = 40, seed: int = 0):
    """Predictions, ground truth and a mask; absolute coordinates, some 4 m away."""
    rng = np.random.default_rng(seed)
    gt = rng.normal(size=(n, 17, 3)) * 300
    pred = 1.1 * gt + rng.normal(size=gt.shape) * 60
    place = rng.normal(size=(n, 1, 3)) * 500 + [0, 0, 4000]
    valid = rng.random((n, 17)) < 0.85
    valid[:3], valid[3] = True, False  # whole poses, and one without any joint
    valid[4, 0] = False  # no root
    valid[5], valid[5, 0] = False, True  # the root alone
    valid[6], valid[6, 9] = False, True  # one joint alone
    return pred + place + 20, gt + place, valid


def both(name, pred, gt, valid=None, dtype=None, **arguments):
    """The values of the core and of torch, as arrays."""
    mask = None if valid is None else torch.tensor(valid)
    ours = getattr(pt, name)(torch.tensor(pred, dtype=dtype), torch.tensor(gt, dtype=dtype), valid=mask, **arguments)
    return getattr(pb, name)(pred, gt, valid=valid, **arguments), ours.detach().numpy()


@pytest.mark.parametrize(("name", "arguments"), WITH_VALUES, ids=IDS)
def test_float64_agrees_with_the_core(name, arguments) -> None:
    pred, gt, _ = poses()
    for reduce in ("mean", "none"):
        core, ours = both(name, pred, gt, reduce=reduce, **arguments)
        np.testing.assert_allclose(ours, core, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "arguments"), WITH_VALUES, ids=IDS)
def test_masked_joints_count_for_nothing_whatever_stands_in_them(name, arguments) -> None:
    pred, gt, valid = poses()
    pred[~valid], gt[~valid] = np.nan, np.inf
    for reduce in ("mean", "none"):
        core, ours = both(name, pred, gt, valid, reduce=reduce, **arguments)
        np.testing.assert_allclose(ours, core, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "arguments"), ROOTED, ids=IDS[: len(ROOTED)])
def test_chosen_joints_agree_with_the_core(name, arguments) -> None:
    pred, gt, valid = poses()
    joints = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16, 8]
    core, ours = both(name, pred, gt, valid, reduce="none", joints=joints, **arguments)
    np.testing.assert_allclose(ours, core, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "arguments"), WITH_VALUES, ids=IDS)
def test_float32_agrees_to_its_precision(name, arguments) -> None:
    pred, gt, valid = poses(200)
    pred, gt = pred.astype(np.float32), gt.astype(np.float32)
    core, ours = both(name, pred, gt, valid, reduce="none", **arguments)
    assert ours.dtype == np.float32
    if name in COUNTS:
        assert np.nanmax(np.abs(ours - core)) <= 100 / 17 + 1e-3
        assert abs(np.nanmean(ours) - np.nanmean(core)) < 0.1
    else:
        np.testing.assert_allclose(ours, core, rtol=2e-4, atol=5e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_floats_are_computed_in_float32_under_autocast_too(dtype) -> None:
    pred, gt, _ = poses()
    p, g = torch.tensor(pred - gt[:, :1]).to(dtype), torch.tensor(gt - gt[:, :1]).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        for name in ("mpjpe", "nmpjpe", "pmpjpe"):
            found = getattr(pt, name)(p, g)
            assert found.dtype == torch.float32
            assert found.item() == pytest.approx(getattr(pb, name)(p.float().numpy(), g.float().numpy()), rel=1e-5)


def test_whole_numbers_are_computed_in_float64() -> None:
    gt = torch.tensor([[[0, 0, 0], [0, 100, 0], [0, 200, 0]]])
    value = pt.mpjpe(gt + torch.tensor([[0, 0, 0], [30, 0, 0], [0, 0, 60]]), gt)
    assert (value.item(), value.dtype) == (30.0, torch.float64)


def test_degenerate_predictions_get_the_limits_of_the_core() -> None:
    pred, gt = (side[:6] for side in poses()[:2])
    pred[0] = 7.0  # all joints in one point
    pred[1] = [1.0, 2.0, 3.0] * np.arange(17)[:, None]  # on a line
    pred[2] = gt[2] * [-1, 1, 1]  # mirrored
    gt[3] = 5.0  # cannot be scored
    for name, arguments in WITH_VALUES:
        core, ours = both(name, pred, gt, reduce="none", **arguments)
        np.testing.assert_allclose(ours, core, rtol=1e-7, atol=1e-7, err_msg=f"{name} {arguments}")


@pytest.mark.parametrize("variant", ["pss", "top2", "soft", "kappa"])
def test_pss_agrees_with_the_core(variant) -> None:
    pred, gt, valid = poses(300)
    gt[7] = 1.0
    pred[8] = 2.0
    for mask in (None, valid):
        core, ours = both("pss", pred, gt, mask, bank=BANK, variant=variant)
        assert float(ours) == pytest.approx(core, abs=1e-9)
        if variant != "kappa":
            core, ours = both("pss", pred, gt, mask, bank=BANK, variant=variant, reduce="none")
            np.testing.assert_allclose(ours, core, atol=1e-9)


def test_pss_of_a_canonical_bank_agrees_with_the_core() -> None:
    pred, gt, _ = poses(300)
    core, ours = both("pss", pred, gt, bank="cmu-h36m17-canonical-k50")
    assert float(ours) == pytest.approx(core, abs=1e-9)


@pytest.mark.parametrize("name", ["mpjve", "mpjae"])
@pytest.mark.parametrize("fps", [50, None])
def test_motion_agrees_with_the_core(name, fps) -> None:
    pred, gt, valid = poses(40)
    sequence = np.array(["b", "a"])[np.arange(40) % 2]
    frame = np.arange(40)[::-1] // 2
    for arguments in ({}, {"sequence": sequence}, {"sequence": sequence, "frame": frame}):
        core = getattr(pb, name)(pred, gt, fps=fps, valid=valid, **arguments)
        of = {"frame": torch.tensor(frame.copy())} if "frame" in arguments else {}
        ours = getattr(pt, name)(
            torch.tensor(pred), torch.tensor(gt), fps=fps, valid=torch.tensor(valid), **{**arguments, **of}
        )
        assert ours.item() == pytest.approx(core, rel=1e-9)


def test_the_spread_of_bones_agrees_with_the_core() -> None:
    core, ours = both("bone_length_spread", *poses())
    assert float(ours) == pytest.approx(core, rel=1e-9)


def test_several_metrics_of_each_pose_agree_with_the_core() -> None:
    pred, gt, valid = poses()
    spellings = ["MPJPE", "PA-MPJPE", "PCK@100", "AUC(0:150:5,trapezoid)", "NAUC", "BoneLength"]
    core = pb.per_pose(pred, gt, spellings, valid=valid)
    ours = pt.per_pose(torch.tensor(pred), torch.tensor(gt), spellings, valid=torch.tensor(valid))
    assert list(ours) == list(core)
    for key, values in core.items():
        np.testing.assert_allclose(ours[key].numpy(), values, rtol=1e-9, atol=1e-9)


def test_pckh_agrees_with_the_core() -> None:
    rng = np.random.default_rng(2)
    gt = rng.normal(size=(20, 16, 2)) * 100
    pred, sizes, seen = gt + rng.normal(size=gt.shape) * 10, rng.uniform(20, 40, 20), rng.random((20, 16)) < 0.8
    for reduce in ("mean", "joint"):
        ours = pt.pckh(*map(torch.tensor, (pred, gt, sizes, seen)), reduce=reduce)
        np.testing.assert_allclose(ours.numpy(), pb.pckh(pred, gt, sizes, seen, reduce=reduce))


@pytest.mark.parametrize("name", sorted(set(pt.__all__) - {"align_rigid", "align_similarity"}))
def test_a_function_takes_what_its_namesake_takes(name) -> None:
    ours, core = (inspect.signature(getattr(of, name)).parameters for of in (pt, pb))
    assert {key: p.default for key, p in ours.items() if key != "check"} == {key: p.default for key, p in core.items()}
    assert ("check" in ours) == (name != "pckh")


def test_every_metric_of_the_core_is_there() -> None:
    from posebench import metrics

    functions = {name for name in metrics.__all__ if inspect.isfunction(getattr(metrics, name))}
    assert functions - {"families", "resolve"} <= set(pt.__all__)


BAD_CALLS = {
    "two dimensions": lambda p, g, k: (p[0], g[0], {}),
    "no third coordinate": lambda p, g, k: (p[..., :2], g[..., :2], {}),
    "no joints": lambda p, g, k: (p[:, :0], g[:, :0], {}),
    "no poses": lambda p, g, k: (p[:0], g[:0], {}),
    "other shapes": lambda p, g, k: (p[:2], g, {}),
    "truth values": lambda p, g, k: (p > 0, g > 0, {}),
    "another mask": lambda p, g, k: (p, g, {"valid": k[:, :3]}),
    "a mask of other numbers": lambda p, g, k: (p, g, {"valid": 2 * k.astype(int)}),
    "a root that is not there": lambda p, g, k: (p, g, {"root": 17}),
    "a joint twice": lambda p, g, k: (p, g, {"joints": [1, 1]}),
    "another reduction": lambda p, g, k: (p, g, {"reduce": "sum"}),
    "NaN predicted": lambda p, g, k: (np.where(np.arange(3) < 1, np.nan, p), g, {"valid": k}),
    "NaN in the ground truth": lambda p, g, k: (p, np.where(np.arange(3) < 1, np.nan, g), {"valid": k}),
    "nothing to score": lambda p, g, k: (p, g, {"valid": np.zeros_like(k)}),
}


@pytest.mark.parametrize("bad", BAD_CALLS)
@pytest.mark.parametrize("name", ["mpjpe", "nmpjpe", "pmpjpe", "pck"])
def test_a_bad_call_raises_the_error_of_the_core(name, bad) -> None:
    pred, gt, arguments = BAD_CALLS[bad](*poses(7))
    with pytest.raises(pb.PosebenchError) as core:
        getattr(pb, name)(pred, gt, **arguments)
    given = {key: torch.tensor(value) if key == "valid" else value for key, value in arguments.items()}
    with pytest.raises(pb.PosebenchError) as ours:
        getattr(pt, name)(torch.tensor(pred), torch.tensor(gt), **given)
    assert type(ours.value) is type(core.value)
    assert str(ours.value) == str(core.value)


def test_an_unknown_variant_and_bad_motion_raise_the_errors_of_the_core() -> None:
    pred, gt = (side[:4] for side in poses()[:2])
    calls = [
        ("pmpjpe", {"variant": "best"}),
        ("nmpjpe", {"scale": "best"}),
        ("pck", {"threshold": 0}),
        ("auc", {"thresholds": []}),
        ("pss", {"bank": BANK, "variant": "best"}),
        ("mpjve", {"fps": -1}),
        ("mpjve", {"fps": 50, "frame": np.array([0, 1, 3, 4])}),
        ("mpjve", {"fps": 50, "frame": np.array([0, 1, 1, 2])}),
        ("mpjae", {"fps": 50, "sequence": ["a", "b", "c", "d"]}),
    ]
    for name, arguments in calls:
        with pytest.raises(pb.PosebenchError) as core:
            getattr(pb, name)(pred, gt, **arguments)
        with pytest.raises(type(core.value)) as ours:
            getattr(pt, name)(torch.tensor(pred), torch.tensor(gt), **arguments)
        assert str(ours.value) == str(core.value)


def test_without_checks_what_is_wrong_ends_up_as_nan() -> None:
    pred, gt, valid = (torch.tensor(side) for side in poses(7))
    assert pt.mpjpe(pred, gt, valid=torch.zeros_like(valid), check=False).isnan()


@pytest.mark.parametrize("what", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("joint", [0, 3])
def test_without_checks_a_lost_coordinate_makes_its_pose_and_the_mean_nan(what: float, side: int, joint: int) -> None:
    whole = [torch.tensor(each, requires_grad=True) for each in poses(7)[:2]]
    spoilt = [each.detach().clone() for each in whole]
    spoilt[side][2, joint, 1] = what
    cases = [
        *((name, {}) for name in ("mpjpe", "nmpjpe", "pmpjpe", "pck", "npck", "auc", "cps")),
        ("auc", {"thresholds": "continuous=150"}),
        *(("pss", {"bank": BANK, "variant": variant}) for variant in ("pss", "soft", "top2")),
    ]
    for name, arguments in cases:
        call = partial(getattr(pt, name), **arguments, check=False)
        values = call(*spoilt, reduce="none")
        assert values.isnan().tolist() == [False, False, True, False, False, False, False], name
        expected = call(*whole, reduce="none").detach()
        torch.testing.assert_close(values[~values.isnan()], expected[~values.isnan()], rtol=0, atol=0)
        assert call(*spoilt).isnan(), name
    assert pt.pss(*spoilt, BANK, variant="kappa", check=False).isnan()
    for name in ("align_similarity", "align_rigid"):
        aligned = getattr(pt, name)(*spoilt, check=False)
        assert aligned.isnan().any(2).any(1).tolist() == [False, False, True, False, False, False, False]


def test_without_checks_the_gradient_of_the_other_poses_is_what_it_was() -> None:
    pred, gt = (torch.tensor(each) for each in poses(7)[:2])
    for name in ("pmpjpe", "nmpjpe"):
        gradients = []
        for spoilt in (False, True):
            p = pred.clone()
            if spoilt:
                p[2, 3] = torch.nan
            p.requires_grad_()
            getattr(pt, name)(p, gt, reduce="none", check=False)[[0, 1, 3, 4]].sum().backward()
            gradients.append(p.grad[[0, 1, 3, 4]])
        torch.testing.assert_close(*gradients, rtol=0, atol=0)


def test_a_set_of_poses_in_place_of_a_tensor_is_refused() -> None:
    poses_of_file = pb.PoseSet(poses(7)[0])
    with pytest.raises(pb.InputError, match=r"pred: is a PoseSet, expected a tensor in mm"):
        pt.mpjpe(poses_of_file, poses_of_file)


def test_the_core_takes_tensors_of_any_kind() -> None:
    pred, gt = (torch.tensor(each) for each in poses(7)[:2])
    expected = pb.mpjpe(pred.numpy(), gt.numpy())
    assert pb.mpjpe(pred.requires_grad_(), torch.nn.Parameter(gt)) == expected
    assert pb.mpjpe(pred.bfloat16(), gt.bfloat16()) == pytest.approx(expected, rel=0.1)
    scorer = pb.Scorer("standard", metrics=["MPJPE"])
    scorer.update(pred, gt)
    assert scorer.report().metrics["MPJPE"].value == expected


#: What has a gradient, and what it is taken from.
SMOOTH = [
    *(case for case in ROOTED if case[0] not in COUNTS),
    ("auc", {"thresholds": "continuous=400"}),
    ("mrpe", {}),
    ("mpjve", {"fps": 50}),
    ("mpjae", {"fps": 50}),
    ("bone_length_spread", {}),
    ("pss", {"bank": BANK, "variant": "soft"}),
]


@pytest.mark.parametrize(("name", "arguments"), SMOOTH, ids=lambda value: str(value) if isinstance(value, str) else "")
def test_gradients_are_those_of_finite_differences(name, arguments) -> None:
    rng = np.random.default_rng(3)
    gt = rng.normal(size=(5, 17, 3)) * 100
    pred = torch.tensor(gt + rng.normal(size=gt.shape) * 10, requires_grad=True)
    mask = torch.tensor(rng.random((5, 17)) < 0.9) | (torch.arange(17) == 0)
    valid = None if name == "pss" else mask
    value = lambda p: getattr(pt, name)(p, torch.tensor(gt), valid=valid, **arguments)  # noqa: E731
    (gradient,) = torch.autograd.grad(value(pred), pred)
    if valid is not None:
        assert (gradient[~mask] == 0).all()
    for _ in range(4):
        step = torch.tensor(rng.normal(size=gt.shape))
        ahead, behind = value(pred.detach() + 1e-5 * step), value(pred.detach() - 1e-5 * step)
        assert (gradient * step).sum().item() == pytest.approx(((ahead - behind) / 2e-5).item(), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_procrustes_gradient_is_finite_near_poses_without_a_best_rotation(variant, dtype) -> None:
    rng = np.random.default_rng(4)
    gt = rng.normal(size=(17, 3)) * 300
    line = np.outer(np.linspace(-1, 1, 17), [300, 100, 50])
    hard = [
        np.zeros((17, 3)),
        np.full((17, 3), 250.0),
        line,
        gt * [-1, 1, 1],
        -gt,
        gt * [1, 1, 0],
        gt,
        2 * gt,
        np.eye(17, 3) * 300,
    ]
    near = [pose + rng.normal(size=pose.shape) * size for pose in hard for size in (1e-12, 1e-6, 1e-2)]
    for target in (gt, line):
        for pose in [*hard, *near]:
            pred = torch.tensor(pose[None], dtype=dtype, requires_grad=True)
            truth = torch.tensor(target[None], dtype=dtype, requires_grad=True)
            loss = pt.pmpjpe(pred, truth, variant=variant)
            loss.backward()
            assert loss.isfinite()
            assert pred.grad.isfinite().all()
            assert truth.grad.isfinite().all()


def test_a_model_learns_with_pmpjpe_from_a_mirrored_start() -> None:
    gt = torch.tensor(np.random.default_rng(6).normal(size=(4, 17, 3)) * 300)
    pred = (gt * torch.tensor([-1.0, 1, 1])).clone().requires_grad_()
    optimizer = torch.optim.Adam([pred], lr=20)
    first = pt.pmpjpe(pred, gt).item()
    for _ in range(100):
        optimizer.zero_grad()
        loss = pt.pmpjpe(pred, gt)
        loss.backward()
        optimizer.step()
    assert first > 100
    assert loss.item() < 0.2 * first


def test_masked_nan_does_not_reach_the_gradient() -> None:
    pred, gt, valid = (torch.tensor(side) for side in poses(8))
    pred[~valid] = torch.nan
    for name in ("mpjpe", "nmpjpe", "pmpjpe", "cps"):
        leaf = pred.clone().requires_grad_()
        getattr(pt, name)(leaf, gt, valid=valid).backward()
        assert leaf.grad.isfinite().all()


def test_aligned_poses_are_those_of_the_core() -> None:
    pred, gt, _ = poses(9)
    for name in ("align_similarity", "align_rigid"):
        ours = getattr(pt, name)(torch.tensor(pred), torch.tensor(gt))
        np.testing.assert_allclose(ours.numpy(), getattr(pb.alignment, name)(pred, gt), rtol=1e-9)
        with pytest.raises(pb.InputError, match="pred: pose 1 is not finite"):
            getattr(pt, name)(torch.tensor(np.where(np.arange(9)[:, None, None] == 1, np.nan, pred)), torch.tensor(gt))
