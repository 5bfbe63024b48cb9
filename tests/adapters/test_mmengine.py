"""The metric of MMEngine's evaluation loop gives the numbers of the core, alone and gathered from two processes."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import posebench as pb

torch = pytest.importorskip("torch", reason="needs the extra [mmengine]")
mmengine = pytest.importorskip("mmengine", reason="needs the extra [mmengine]")

from mmengine.evaluator import Evaluator  # noqa: E402
from mmengine.registry import METRICS, Registry  # noqa: E402
from mmengine.structures import BaseDataElement, InstanceData  # noqa: E402

from posebench import mmengine as adapter  # noqa: E402


def poses(n: int = 30):
    """In metres, as MMPose's lifting data sets hold them."""
    rng = np.random.default_rng(0)
    gt = rng.normal(size=(n, 17, 3)) * 0.3
    valid = rng.random((n, 17)) < 0.9
    valid[:, 0] = True
    return 1.1 * gt + rng.normal(size=gt.shape) * 0.06, gt, valid


def samples(pred, gt, valid):
    """As MMPose's models give them: tensors or arrays of one person in each sample."""
    return [
        {
            "pred_instances": {"keypoints": torch.tensor(p[None]).float() if i % 2 else p[None].astype(np.float32)},
            "gt_instances": {"lifting_target": g[None], "lifting_target_visible": v[None].astype(np.float32)},
        }
        for i, (p, g, v) in enumerate(zip(pred, gt, valid, strict=True))
    ]


def expected(pred, gt, valid):
    p, g = 1000.0 * pred.astype(np.float32).astype(np.float64), 1000.0 * gt
    return {
        "posebench/MPJPE": pb.mpjpe(p, g, valid=valid),
        "posebench/PMPJPE": pb.pmpjpe(p, g, valid=valid),
        "posebench/PCK@100": pb.pck(p, g, threshold=100, valid=valid),
        "posebench/PSS@50": pb.pss(p, g, "cmu-h36m17-k50", valid=valid),
    }


CONFIG = {
    "type": "PosebenchMetric",
    "unit": "m",
    "metrics": ["MPJPE", "PA-MPJPE", "PCK@100", "PSS@50"],
    "bank": "cmu-h36m17-k50",
}


def test_an_evaluator_built_from_a_configuration_gives_the_numbers_of_the_core() -> None:
    evaluator = Evaluator(CONFIG)
    given = samples(*poses())
    for at in range(0, 30, 8):
        evaluator.process(given[at : at + 8])
    assert evaluator.evaluate(30) == pytest.approx(expected(*poses()), rel=1e-6)


def test_a_project_that_registers_below_mmengine_finds_it() -> None:
    project = Registry("metric", parent=METRICS, scope="project_of_poses")
    assert isinstance(project.build(CONFIG), adapter.PosebenchMetric)


def test_samples_of_several_people_and_data_elements_are_taken() -> None:
    pred, gt, valid = poses()
    element = BaseDataElement(
        pred_instances=InstanceData(keypoints=torch.tensor(pred)),
        gt_instances=InstanceData(lifting_target=gt, lifting_target_visible=torch.tensor(valid)),
    )
    evaluator = Evaluator({"type": "PosebenchMetric", "unit": "m", "metrics": ["MPJPE"], "prefix": "val"})
    evaluator.process([element])
    assert evaluator.evaluate(1) == pytest.approx({"val/MPJPE": pb.mpjpe(pred * 1000, gt * 1000, valid=valid)})


def test_samples_that_a_sampler_repeated_do_not_count() -> None:
    metric = METRICS.build({"type": "PosebenchMetric", "unit": "m", "metrics": ["MPJPE"]})
    pred, gt, valid = poses(4)
    metric.process({}, samples(*(np.concatenate([side, side[:2]]) for side in (pred, gt, valid))))
    value = metric.evaluate(4)["posebench/MPJPE"]
    assert value == pytest.approx(pb.mpjpe(pred * 1000, gt * 1000, valid=valid), rel=1e-6)


def test_poses_under_other_names_are_found() -> None:
    pred, gt, _ = poses(3)
    metric = adapter.PosebenchMetric(unit="mm", metrics=["MPJPE"], pred="xyz", gt="keypoints_3d")
    metric.process({}, [{"pred_instances": {"xyz": pred}, "gt_instances": {"keypoints_3d": gt}}])
    assert metric.evaluate(1)["posebench/MPJPE"] == pytest.approx(pb.mpjpe(pred, gt))


def test_bad_samples_and_bad_arguments_are_refused() -> None:
    metric = adapter.PosebenchMetric(unit="m", metrics=["MPJPE"])
    pred, gt, _ = poses(3)
    with pytest.raises(pb.InputError, match="a sample has no lifting_target in its gt_instances"):
        metric.process({}, [{"pred_instances": {"keypoints": pred}, "gt_instances": {}}])
    with pytest.raises(pb.InputError, match=r"expected \(n, J, 3\)"):
        metric.process({}, [{"pred_instances": {"keypoints": pred[..., :2]}, "gt_instances": {"lifting_target": gt}}])
    with pytest.raises(pb.InputError, match="expected the same"):
        metric.process({}, [{"pred_instances": {"keypoints": pred[:2]}, "gt_instances": {"lifting_target": gt}}])
    with pytest.raises(pb.UsageError, match="unit is 'cm'"):
        adapter.PosebenchMetric(unit="cm")
    with pytest.raises(pb.UsageError, match="expected a list of spellings"):
        adapter.PosebenchMetric(unit="m", metrics="MPJPE")
    with pytest.raises(pb.UsageError, match="MPJVE is taken between frames"):
        adapter.PosebenchMetric(unit="m", metrics=["MPJVE"])


@pytest.mark.parametrize(
    ("joints", "valid", "message"),
    [
        (16, np.ones((1, 16)), "sample 1 has 16 joints and sample 0 17, expected the same"),
        (17, np.ones((1, 16)), r"sample 1 has lifting_target_visible \(1, 16\), expected \(1, 17\)"),
        (17, np.full((1, 17), np.nan), "sample 1 has NaN in lifting_target_visible"),
    ],
)
def test_a_sample_that_does_not_fit_is_named_when_it_comes(joints: int, valid: np.ndarray, message: str) -> None:
    metric = adapter.PosebenchMetric(unit="m", metrics=["MPJPE"])
    first, second = samples(*poses(2))
    second["pred_instances"]["keypoints"] = np.asarray(second["pred_instances"]["keypoints"])[:, :joints]
    second["gt_instances"] = {
        "lifting_target": second["gt_instances"]["lifting_target"][:, :joints],
        "lifting_target_visible": valid,
    }
    with pytest.raises(pb.InputError, match=message):
        metric.process({}, [first, second])
    assert len(metric.results) == 1


PROCESS = """
import sys, numpy as np, torch.distributed as dist
from mmengine.evaluator import Evaluator
import posebench.mmengine
from tests.adapters.test_mmengine import CONFIG, poses, samples
rank, port, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
evaluator = Evaluator(CONFIG)
evaluator.process(samples(*poses())[rank::2])  # every second sample, as the samplers of torch deal them out
np.savez(f"{folder}/{rank}.npz", **evaluator.evaluate(30))
dist.destroy_process_group()
"""


def test_two_processes_give_the_value_of_one(tmp_path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(rank), port, str(tmp_path)],
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    for rank in range(2):
        with np.load(tmp_path / f"{rank}.npz") as found:
            values = {name: float(found[name]) for name in found.files}
        assert values == pytest.approx(expected(*poses()), rel=1e-9)
