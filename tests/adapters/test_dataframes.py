"""A tidy table of joints gives the metrics of the arrays that it holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import posebench as pb

JOINTS = pb.get_skeleton("h36m17").joints
TRUE = ["x_gt", "y_gt", "z_gt"]


def table_of(pred, gt, **keys):
    """One row per pose and joint, shuffled."""
    n = len(gt)
    rows = {key: np.repeat(values, 17) for key, values in keys.items()}
    table = pd.DataFrame({**rows, "joint": np.tile(JOINTS, n)})
    table[["x", "y", "z"]] = pred.reshape(-1, 3)
    table[TRUE] = gt.reshape(-1, 3)
    return table.sample(frac=1, random_state=0)


def poses(n: int = 12):
    rng = np.random.default_rng(0)
    gt = rng.normal(size=(n, 17, 3)) * 300
    return gt + rng.normal(size=gt.shape) * 60, gt


ACTIONS = np.array(["sit", "walk", "sit", "run"] * 3)


def test_a_table_gives_the_metrics_of_its_poses() -> None:
    pred, gt = poses()
    found = pb.score_dataframe(
        table_of(pred, gt, frame=np.arange(12)), unit="mm", metrics=["MPJPE", "PA-MPJPE", "PCK@100"]
    )
    assert list(found.columns) == ["poses", "MPJPE", "PMPJPE", "PCK@100"]
    assert found.index.tolist() == ["all"]
    assert found.loc["all"].tolist() == pytest.approx(
        [12, pb.mpjpe(pred, gt), pb.pmpjpe(pred, gt), pb.pck(pred, gt, threshold=100)]
    )


def test_groups_have_a_row_each() -> None:
    pred, gt = poses()
    table = table_of(pred / 1000, gt / 1000, action=ACTIONS, camera=np.arange(12) % 2, frame=np.arange(12) // 2)
    found = pb.score_dataframe(table, unit="m", pose=["camera", "frame"], by="action", metrics=["MPJPE"])
    assert found.index.tolist() == ["run", "sit", "walk"]
    assert found.poses.tolist() == [3, 6, 3]
    for action, value in found.MPJPE.items():
        assert value == pytest.approx(pb.mpjpe(pred[action == ACTIONS], gt[action == ACTIONS]))
    both = pb.score_dataframe(table, unit="m", pose="frame", by=["action", "camera"], metrics=["MPJPE"])
    chosen = (ACTIONS == "sit") & (np.arange(12) % 2 == 0)
    assert both.loc[("sit", 0), "MPJPE"] == pytest.approx(pb.mpjpe(pred[chosen], gt[chosen]))


def test_missing_truth_is_masked_and_gaps_in_the_table_too() -> None:
    pred, gt = poses()
    valid = np.random.default_rng(1).random((12, 17)) < 0.8
    valid[:, 0] = True
    valid[0, 3] = False
    table = table_of(np.where(valid[..., None], pred, np.nan), np.where(valid[..., None], gt, np.nan), frame=range(12))
    table = table[~((table.frame == 0) & (table.joint == JOINTS[3]))]
    found = pb.score_dataframe(table, unit="mm", metrics=["MPJPE", "PMPJPE"])
    assert found.loc["all", "MPJPE"] == pytest.approx(pb.mpjpe(pred, gt, valid=valid))
    assert found.loc["all", "PMPJPE"] == pytest.approx(pb.pmpjpe(pred, gt, valid=valid))


def test_another_skeleton_and_root_are_taken_by_name() -> None:
    pred, gt = poses()
    coco = pb.get_skeleton("coco17")
    table = table_of(pred, gt, frame=range(12))
    table["joint"] = table.joint.map(dict(zip(JOINTS, coco.joints, strict=True)))
    found = pb.score_dataframe(table, unit="mm", metrics=["MPJPE"], skeleton="coco17", root=coco.joints[5])
    assert found.loc["all", "MPJPE"] == pytest.approx(pb.mpjpe(pred, gt, root=5))


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda t: t.drop(columns="y"), {}, "the table has no column 'y'"),
        (lambda t: t[:0], {}, "holds no rows"),
        (lambda t: t.replace({"joint": {"head": "Kopf"}}), {}, "joint 'Kopf' is not one of skeleton h36m17"),
        (lambda t: t.assign(frame=0), {}, "frame=0 has joint .* twice"),
        (lambda t: t.assign(x=np.nan), {}, "has no prediction of joint"),
        (lambda t: t.assign(x=1j), {}, "hold something other than numbers"),
        (lambda t: t.to_dict(), {}, "the table is a dict, expected a pandas DataFrame"),
        (lambda t: t["x"], {}, "the table is a Series, expected"),
        (lambda t: t, {"pose": []}, "pose is empty, expected the columns"),
        (lambda t: t, {"by": "joint"}, r"column 'joint' holds the joints.* report\.by\('joint'\)"),
        (lambda t: t.assign(poses=1), {"by": "poses"}, "has a column 'poses' of its own; rename"),
        (lambda t: t.assign(MPJPE=1), {"by": ["MPJPE"]}, "has a column 'MPJPE' of its own; rename"),
        (lambda t: pd.concat([t, t[["x"]]], axis=1), {}, "has 2 columns 'x'; rename the others"),
        (lambda t: t.assign(x="far"), {}, "hold something other than numbers"),
        (lambda t: t, {"unit": "cm"}, "unit is 'cm'"),
        (lambda t: t, {"metrics": ["MPJVE"]}, "MPJVE is taken across frames"),
        (lambda t: t, {"pred": ["x", "y"]}, "expected three columns each"),
        (lambda t: t, {"root": "tail"}, "tail"),
    ],
)
def test_what_cannot_be_understood_is_refused(change, arguments, message) -> None:
    table = change(table_of(*poses(), frame=range(12)))
    with pytest.raises(pb.PosebenchError, match=message):
        pb.score_dataframe(table, **{"unit": "mm", **arguments})
