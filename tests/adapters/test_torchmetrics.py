"""The metrics of torchmetrics give the numbers of the core, in any number of batches and processes."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import posebench as pb

torch = pytest.importorskip("torch", reason="needs the extra [torchmetrics]")
torchmetrics = pytest.importorskip("torchmetrics", reason="needs the extra [torchmetrics]")

import posebench.torchmetrics as pm  # noqa: E402

BANK = pb.ClusterBank.build(np.random.default_rng(5).normal(size=(400, 17, 3)) * 300, k=8, skeleton="h36m17", seed=0)


def poses(n: int = 50):
    rng = np.random.default_rng(0)
    gt = rng.normal(size=(n, 17, 3)) * 300
    pred = 1.1 * gt + rng.normal(size=gt.shape) * 60
    valid = rng.random((n, 17)) < 0.97
    valid[3] = False
    return pred, gt, valid


#: Metrics, and what the core says of pred, gt and valid.
CASES = {
    "MPJPE": (lambda: pm.MPJPE(), lambda p, g, v: pb.mpjpe(p, g, valid=v)),
    "MPJPE as it is": (lambda: pm.MPJPE(root=None), lambda p, g, v: pb.mpjpe(p, g, root=None, valid=v)),
    "MPJPE of some joints": (
        lambda: pm.MPJPE(joints=[1, 2, 3], root=6),
        lambda p, g, v: pb.mpjpe(p, g, joints=[1, 2, 3], root=6, valid=v),
    ),
    "NMPJPE": (lambda: pm.NMPJPE(scale="norm_ratio"), lambda p, g, v: pb.nmpjpe(p, g, scale="norm_ratio", valid=v)),
    "PMPJPE": (lambda: pm.PMPJPE(variant="rigid"), lambda p, g, v: pb.pmpjpe(p, g, variant="rigid", valid=v)),
    "PCK": (lambda: pm.PCK(120), lambda p, g, v: pb.pck(p, g, threshold=120, valid=v)),
    "NPCK": (lambda: pm.NPCK(), lambda p, g, v: pb.npck(p, g, valid=v)),
    "AUC": (lambda: pm.AUC("0:200:10"), lambda p, g, v: pb.auc(p, g, thresholds="0:200:10", valid=v)),
    "CPS": (lambda: pm.CPS(align="root"), lambda p, g, v: pb.cps(p, g, align="root", valid=v)),
    "PSS": (lambda: pm.PSS(BANK), lambda p, g, v: pb.pss(p, g, BANK, valid=v)),
    "PSS of a bank by name": (
        lambda: pm.PSS("cmu-h36m17-canonical-k50"),
        lambda p, g, v: pb.pss(p, g, "cmu-h36m17-canonical-k50", valid=v),
    ),
    "PSS-kappa": (
        lambda: pm.PoseMetric("PSS-kappa@8", bank=BANK),
        lambda p, g, v: pb.pss(p, g, BANK, variant="kappa", valid=v),
    ),
    "JointAngle": (lambda: pm.PoseMetric("JointAngle"), lambda p, g, v: pb.joint_angle_error(p, g, valid=v)),
    "BoneSpread": (lambda: pm.PoseMetric("BoneSpread"), lambda p, g, v: pb.bone_length_spread(p, g, valid=v)),
}


def tensors(*arrays):
    return [torch.tensor(array) for array in arrays]


def in_batches(metric, *arrays, size: int = 16):
    for at in range(0, len(arrays[0]), size):
        metric.update(*tensors(*(array[at : at + size] for array in arrays)))
    return metric


@pytest.mark.parametrize("case", CASES)
def test_batches_give_the_value_of_the_whole(case) -> None:
    make, core = CASES[case]
    metric = in_batches(make(), *poses())
    value = metric.compute()
    assert value.shape == ()
    assert value.item() == pytest.approx(core(*poses()), rel=1e-12)
    metric.reset()
    assert make()(*tensors(*poses())).item() == pytest.approx(core(*poses()), rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_forward_gives_the_batch_and_keeps_the_whole(case) -> None:
    make, core = CASES[case]
    metric, parts = make(), [tuple(side[rows] for side in poses()) for rows in (slice(20), slice(20, 50))]
    for part in parts:
        assert metric(*tensors(*part)).item() == pytest.approx(core(*part), rel=1e-12)
    assert metric.compute().item() == pytest.approx(core(*poses()), rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_states_survive_pickling_cloning_and_checkpoints(case) -> None:
    make, core = CASES[case]
    first, second = (tuple(side[rows] for side in poses()) for rows in (slice(20), slice(20, 50)))
    metric = make()
    metric.persistent(True)
    in_batches(metric, *first)
    again = make()
    again.persistent(True)
    again.load_state_dict(metric.state_dict())
    for twin in (again, metric.clone(), pickle.loads(pickle.dumps(metric))):
        assert in_batches(twin, *second)._update_count
        assert twin.compute().item() == pytest.approx(core(*poses()), rel=1e-12)
    assert metric.compute().item() == pytest.approx(core(*first), rel=1e-12)


def test_joints_weigh_alike_where_that_is_asked_for() -> None:
    pred, gt, valid = poses()
    errors = np.linalg.norm((pred - pred[:, :1]) - (gt - gt[:, :1]), axis=2)
    counted = valid & valid[:, :1]
    metric = in_batches(pm.MPJPE(pooling="joint"), pred, gt, valid)
    assert metric.compute().item() == pytest.approx(errors[counted].mean(), rel=1e-12)


def test_a_collection_keeps_apart_metrics_that_agree_on_the_first_batch() -> None:
    pred, gt, valid = poses()
    names = {"near": pm.PCK(50), "far": pm.PCK(150), "mpjpe": pm.MPJPE(), "pmpjpe": pm.PMPJPE(), "pss": pm.PSS(BANK)}
    collection = torchmetrics.MetricCollection(names, prefix="val/")
    collection.update(torch.tensor(gt), torch.tensor(gt))  # perfect: every PCK is 100
    collection.update(*tensors(pred, gt), valid=torch.tensor(valid))
    found = {name: value.item() for name, value in collection.compute().items()}
    whole = np.concatenate([gt, pred]), np.concatenate([gt, gt]), np.concatenate([np.ones_like(valid), valid])
    assert found == pytest.approx(
        {
            "val/near": pb.pck(*whole[:2], threshold=50, valid=whole[2]),
            "val/far": pb.pck(*whole[:2], valid=whole[2]),
            "val/mpjpe": pb.mpjpe(*whole[:2], valid=whole[2]),
            "val/pmpjpe": pb.pmpjpe(*whole[:2], valid=whole[2]),
            "val/pss": pb.pss(*whole[:2], BANK, valid=whole[2]),
        },
        rel=1e-12,
    )
    assert found["val/near"] < found["val/far"]


def test_predictions_in_short_floats_with_a_gradient_are_taken_as_they_are() -> None:
    pred, gt, _ = poses()
    short = torch.tensor(pred).to(torch.bfloat16).requires_grad_()
    value = pm.MPJPE()(short, torch.tensor(gt))
    assert value.item() == pytest.approx(pb.mpjpe(short.detach().float().numpy(), gt), rel=1e-12)
    assert not value.requires_grad


def test_a_bad_batch_raises_and_leaves_the_sums_alone() -> None:
    pred, gt, _ = poses()
    metric = in_batches(pm.MPJPE(), pred, gt)
    before = metric.compute().item()
    bad = torch.tensor(pred)
    bad[4, 5] = torch.nan
    with pytest.raises(pb.InputError, match=r"pred: pose 4, joint 5 \(LKnee\)"):
        metric.update(bad, torch.tensor(gt))
    with pytest.raises(pb.InputError, match="both must be the same"):
        metric.update(bad[:2], torch.tensor(gt))
    metric._computed = None
    assert metric.compute().item() == before


@pytest.mark.parametrize("collected", [False, True])
def test_a_bad_batch_leaves_the_sums_alone_when_the_metric_is_called(collected: bool) -> None:
    pred, gt, _ = (torch.tensor(each) for each in poses())
    metric = torchmetrics.MetricCollection([pm.MPJPE(), pm.PMPJPE()]) if collected else pm.MPJPE()
    bad = pred.clone()
    bad[4, 5] = torch.nan
    with pytest.raises(pb.InputError):
        metric(bad, gt)
    metric(pred[:20], gt[:20])
    for _ in range(2):
        with pytest.raises(pb.InputError):
            metric(bad, gt)
    metric(pred[20:], gt[20:])
    found = metric.compute()
    value = found["MPJPE"] if collected else found
    assert value.item() == pytest.approx(pb.mpjpe(pred.numpy(), gt.numpy()), rel=1e-12)


def test_nothing_scored_gives_nan() -> None:
    pred, gt, valid = poses(4)
    for case, (make, _) in CASES.items():
        metric = make()
        metric.update(*tensors(pred, gt, np.zeros_like(valid)))
        assert metric.compute().isnan(), case


def test_directions_and_bounds_are_known() -> None:
    assert (pm.MPJPE().higher_is_better, pm.PCK().higher_is_better) == (False, True)
    assert (pm.PCK().plot_lower_bound, pm.PCK().plot_upper_bound) == (0.0, 100.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pm.PoseMetric("MPJVE"), "MPJVE is taken between frames"),
        (lambda: pm.PoseMetric("nope"), "there is no metric 'nope'"),
        (lambda: pm.PoseMetric("PSS@50"), "PSS@50 needs a bank"),
        (lambda: pm.PoseMetric("PSS@50", bank=BANK), "has 8 clusters"),
        (lambda: pm.PoseMetric("MPJPE", bank=BANK), "MPJPE uses no bank"),
        (lambda: pm.MPJPE(pooling="frame"), "pooling is 'frame'"),
    ],
)
def test_what_cannot_be_is_refused(make, message) -> None:
    with pytest.raises(pb.UsageError, match=message):
        make()


def test_two_processes_give_the_value_of_one(tmp_path) -> None:
    """Under gloo, as Lightning and torchrun start them; the second process has more batches than the first."""
    pred, gt, valid = poses(70)
    np.savez(tmp_path / "poses.npz", pred=pred, gt=gt, valid=valid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.adapters.metric_process", str(tmp_path), str(rank), port],
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    expected = {
        "MPJPE": pb.mpjpe(pred, gt, valid=valid),
        "PMPJPE": pb.pmpjpe(pred, gt, valid=valid),
        "PCK@100": pb.pck(pred, gt, threshold=100, valid=valid),
        "AUC": pb.auc(pred, gt, valid=valid),
        "PSS@50": pb.pss(pred, gt, "cmu-h36m17-k50", valid=valid),
        "PSS-kappa@50": pb.pss(pred, gt, "cmu-h36m17-k50", variant="kappa", valid=valid),
        "BoneSpread": pb.bone_length_spread(pred, gt, valid=valid),
    }
    for rank in range(2):
        with np.load(tmp_path / f"{rank}.npz") as found:
            values = {name: float(found[name]) for name in found.files}
        assert values == pytest.approx(expected, rel=1e-12)
