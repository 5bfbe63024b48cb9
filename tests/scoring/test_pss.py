"""PSS in reports: the numbers of plain twins, what is not scored, which bank a number belongs to."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import posebench as pb
from posebench.metrics.clusters import turned_to_front
from tests.support import pss_twins as twins

H36M = pb.get_skeleton("h36m17")
RIGHT, LEFT = H36M.index("RHip"), H36M.index("LHip")
RNG = np.random.default_rng(7)
#: Postures that poses scatter about; so many that clusters have others beside them.
POSTURES = RNG.normal(size=(500, 17, 3)) * [150, 400, 150]
POSTURES[:, [RIGHT, LEFT]] = [[-350, 20, 90], [350, -20, -90]]  # nobody lies on their side


def people(n: int, spread: float = 170.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    poses = POSTURES[rng.integers(0, len(POSTURES), n)] + rng.normal(size=(n, 17, 3)) * spread
    return poses * rng.uniform(0.8, 1.2, (n, 1, 1)) + rng.normal(size=(n, 1, 3)) * 1000


TRAIN, GT = people(600, seed=1), people(150, seed=2)
PRED = GT + RNG.normal(size=GT.shape) * 100
BANK = pb.ClusterBank.build(TRAIN, k=8, name="eight", n_init=2)
SMALL = pb.ClusterBank.build(TRAIN, k=5, name="five", centring="mean", n_init=2)
BY_NAME = [joint for joint in H36M.joints if joint != "spine"][::-1]
NAMED = pb.ClusterBank.build(TRAIN, k=6, name="named", joints=BY_NAME, n_init=2)
FRONT = pb.ClusterBank.build(
    pb.PoseSet(turned_to_front(TRAIN, H36M)[0], skeleton=H36M, unit="mm", reference="canonical"),
    k=8,
    name="front",
    n_init=2,
)
FACTS = {"skeleton": "h36m17", "unit": "mm", "reference": "camera"}


def sets(pred=PRED, gt=GT, **facts):
    keys = {"action": ["a"] * 40 + ["b"] * (len(gt) - 40), "frame": np.arange(len(gt))}
    given = {**FACTS, **keys, **facts}
    return pb.PoseSet(pred, **given), pb.PoseSet(gt, **given)


def value(report: pb.Report, metric: str) -> float:
    return report.metrics[metric].value


def test_pss_of_several_banks_equals_the_twin() -> None:
    report = pb.score(*sets(), banks=[BANK, SMALL, NAMED])
    expected = {
        "PSS@8(bank=eight)": twins.hits(PRED, GT, BANK.centres),
        "PSS@5(bank=five)": twins.hits(PRED, GT, SMALL.centres, root=None),
        "PSS@6(bank=named)": twins.hits(
            *(side[:, [H36M.index(joint) for joint in BY_NAME]] for side in (PRED, GT)),
            NAMED.centres,
            root=BY_NAME.index("pelvis"),
        ),
    }
    assert list(report.metrics)[:6] == list(pb.get_protocol("standard").metrics)[:6]
    for key, hits in expected.items():
        assert 0 < hits.mean() < 100
        assert value(report, key) == pytest.approx(hits.mean())
        for action, rows in (("a", slice(0, 40)), ("b", slice(40, None))):
            assert report.by("action")[action][key] == pytest.approx(hits[rows].mean())
    assert [(bank["name"], bank["k"], bank["sha256"]) for bank in report.banks if bank["name"] != "x"][-3:] == [
        (bank.name, bank.k, bank.sha256) for bank in (BANK, SMALL, NAMED)
    ]


def test_the_extensions_equal_their_twins() -> None:
    tau = BANK.card.mean_squared_distance
    asked = ["PSS-top2@8(bank=eight)", "PSS-soft@8(bank=eight)", "PSS-kappa@8(bank=eight)"]
    report = pb.score(*sets(), metrics=asked, banks=[BANK])
    assert value(report, asked[0]) == pytest.approx(twins.top2(PRED, GT, BANK.centres).mean())
    assert value(report, asked[1]) == pytest.approx(twins.soft(PRED, GT, BANK.centres, tau).mean())
    assert value(report, asked[2]) == pytest.approx(twins.kappa(PRED, GT, BANK.centres))
    by = report.by("action")
    assert by["a"][asked[2]] == pytest.approx(twins.kappa(PRED[:40], GT[:40], BANK.centres))
    assert report.metrics[asked[2]].n == 150


def test_the_canonical_score_turns_both_sides_and_says_which_way_is_up() -> None:
    report = pb.score(*sets(), banks=[FRONT])
    turned = [np.array([twins.to_front(pose, RIGHT, LEFT) for pose in side]) for side in (PRED, GT)]
    key = "PSS-canonical@8(bank=front)"
    assert value(report, key) == pytest.approx(twins.hits(*turned, FRONT.centres).mean())
    assert any("the vertical is taken to be the camera's y axis" in note for note in report.notes)
    # Turning one side about the vertical changes nothing.
    angle = 1.1
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    assert value(pb.score(*sets(pred=PRED @ turn), banks=[FRONT]), key) == pytest.approx(value(report, key))


def test_poses_that_lie_on_their_side_are_left_as_they_are_and_counted() -> None:
    gt = GT.copy()
    gt[3, RIGHT] = gt[3, LEFT] + [5, 400, 20]
    turned, lying = turned_to_front(gt, H36M)
    assert np.flatnonzero(lying).tolist() == [3]
    np.testing.assert_array_equal(turned[3], gt[3])
    report = pb.score(*sets(gt=gt), banks=[FRONT])
    assert any(note.startswith("1 poses of the ground truth lie on their side") for note in report.notes)


def test_turning_to_the_front_is_a_rotation_about_the_vertical() -> None:
    turned, lying = turned_to_front(GT, H36M)
    assert not lying.any()
    across = turned[:, RIGHT] - turned[:, LEFT]
    np.testing.assert_allclose(across[:, 2], 0, atol=1e-9)
    assert (across[:, 0] < 0).all()
    np.testing.assert_allclose(turned[..., 1], GT[..., 1])
    lengths = [np.linalg.norm(side[:, 5] - side[:, 12], axis=1) for side in (turned, GT)]
    np.testing.assert_allclose(*lengths)
    handed = [np.linalg.det(side[:, 1:4] - side[:, :1]) for side in (turned, GT)]
    np.testing.assert_allclose(*handed, rtol=1e-6)


def test_a_ground_truth_that_lacks_a_joint_of_the_bank_is_not_scored_and_counted() -> None:
    valid = np.ones((150, 17), bool)
    valid[:10, 7] = False  # the spine
    pred, gt = sets()
    report = pb.score(pred, gt.replace(valid=valid), banks=[BANK, NAMED])
    assert report.metrics["PSS@8(bank=eight)"].n == 140
    assert value(report, "PSS@8(bank=eight)") == pytest.approx(twins.hits(PRED[10:], GT[10:], BANK.centres).mean())
    assert report.metrics["PSS@6(bank=named)"].n == 150
    assert any(note.startswith("PSS@8(bank=eight) leaves out 10 frames") for note in report.notes)


def test_a_prediction_without_extent_or_missing_is_wrong_and_never_raises_the_score() -> None:
    pred = PRED.copy()
    pred[:5] = pred[:5, :1]
    pred[5:9, 3] = np.nan
    report = pb.score(*sets(pred=pred), banks=[BANK], allow_missing=True)
    hits = twins.hits(pred, GT, BANK.centres)
    assert hits[:9].sum() == 0
    assert value(report, "PSS@8(bank=eight)") == pytest.approx(hits.mean())
    assert not report.metrics["PSS@8(bank=eight)"].incomplete
    for variant in ("top2", "soft"):
        values = pb.pss(*sets(pred=np.where(np.isnan(pred), 0, pred)), BANK, variant=variant, reduce="none")
        assert values[:5].tolist() == [0] * 5
    with pytest.raises(pb.InputError, match="pose 5, joint 3"):
        pb.score(*sets(pred=pred), banks=[BANK])


def test_a_joint_that_only_the_bank_reads_must_be_predicted_too() -> None:
    legs = replace(pb.get_protocol("standard"), joints=("RKnee", "LKnee"))
    pred = PRED.copy()
    pred[4, 16] = np.nan
    assert pb.score(*sets(pred=pred), protocol=replace(legs, banks=(), metrics=("MPJPE",))).coverage.missing == 0
    with pytest.raises(pb.InputError, match=r"pose 4, joint 16 \(RWrist\)"):
        pb.score(*sets(pred=pred), protocol=replace(legs, banks=(), metrics=("MPJPE",)), banks=[BANK])


def test_clusters_are_a_group_and_confusions_add_up() -> None:
    report = pb.score(*sets(), banks=[BANK])
    p = np.array([twins.label(pose, BANK.centres, 0) for pose in PRED])
    q = np.array([twins.label(pose, BANK.centres, 0) for pose in GT])
    by = report.by("cluster@8(bank=eight)")
    assert {int(name) for name in by} == set(q.tolist())
    for name, values in by.items():
        assert values["PSS@8(bank=eight)"] == pytest.approx(100 * (p == q)[q == int(name)].mean())
    confusion = report.confusion("PSS@8(bank=eight)")
    expected = np.zeros((8, 9))
    np.add.at(expected, (q, p), 1)
    np.testing.assert_array_equal(confusion, expected)
    with pytest.raises(pb.UsageError, match="no confusion of MPJPE"):
        report.confusion("MPJPE")


def test_pieces_and_merged_scorers_equal_the_whole() -> None:
    metrics = ["PSS-kappa@8(bank=eight)", "PSS-soft@8(bank=eight)"]
    whole = pb.score(*sets(), also=metrics, banks=[BANK, FRONT])
    pred, gt = sets()
    scorers = [pb.Scorer(also=metrics, banks=[BANK, FRONT]) for _ in range(2)]
    for number, rows in enumerate((slice(0, 7), slice(7, 90), slice(90, 150))):
        scorers[number % 2].update(pred[rows], gt[rows])
    scorers[0].merge(scorers[1])
    merged = scorers[0].report()
    for name, metric in whole.metrics.items():
        assert merged.metrics[name].value == pytest.approx(metric.value, abs=1e-9), name
    key = "PSS@8(bank=eight)"
    np.testing.assert_array_equal(merged.confusion(key), whole.confusion(key))
    assert merged.by("cluster@8(bank=eight)") == whole.by("cluster@8(bank=eight)")


def test_scorers_of_different_banks_of_one_name_do_not_merge() -> None:
    other = pb.ClusterBank.build(TRAIN, k=8, name="eight", seed=5, n_init=1)
    one, two = pb.Scorer(banks=[BANK]), pb.Scorer(banks=[other])
    one.update(*sets())
    two.update(*sets())
    with pytest.raises(pb.UsageError, match="different cluster banks"):
        one.merge(two)
    with pytest.raises(pb.UsageError, match="two different banks are called 'eight'"):
        pb.Scorer(banks=[BANK, other])


# Which bank, and whether it fits


def test_poses_in_another_reference_are_refused_or_left_out() -> None:
    pred, gt = sets(reference="world")
    with pytest.raises(pb.InputError, match="world reference, but bank eight takes poses in the camera reference"):
        pb.score(pred, gt, banks=[BANK])
    with pytest.raises(pb.InputError, match="camera reference"):
        pb.pss(pred, gt, BANK)


def test_a_reference_that_is_not_said_is_assumed_and_noted() -> None:
    report = pb.score(*sets(reference="unknown"), banks=[BANK])
    assert any("reference of array assumed: camera, as PSS needs it" in note for note in report.notes)
    assert value(report, "PSS@8(bank=eight)") == value(pb.score(*sets(), banks=[BANK]), "PSS@8(bank=eight)")


def test_a_scale_free_prediction_has_a_pss() -> None:
    pred, gt = sets()
    report = pb.score(pred.replace(unit="scale-free", poses=PRED * 0.01), gt, banks=[BANK])
    assert value(report, "PSS@8(bank=eight)") == pytest.approx(twins.hits(PRED, GT, BANK.centres).mean())


def test_a_metric_without_a_fitting_bank_says_what_to_do() -> None:
    free = replace(pb.get_protocol("standard"), banks=(), metrics=("MPJPE",))
    with pytest.raises(pb.UsageError, match=r"PSS@50 needs a bank of 50 clusters, .* binds none; name one"):
        pb.score(*sets(), protocol=free, metrics=["PSS@50"])
    with pytest.raises(pb.UsageError, match="bank eight has 8 clusters"):
        pb.score(*sets(), protocol=free, metrics=["PSS@50(bank=eight)"], banks=[BANK])
    with pytest.raises(pb.UsageError, match="there is no bank 'nowhere'"):
        pb.score(*sets(), protocol=free, metrics=["PSS@8(bank=nowhere)"])
    with pytest.raises(pb.UsageError, match="has no ensemble"):
        pb.score(*sets(), protocol=free, metrics=["PSS-ensemble@8(bank=eight)"], banks=[BANK])
    with pytest.raises(pb.UsageError, match="expected a list of banks"):
        pb.Scorer(banks="eight")


def test_a_bank_is_taken_from_a_path(tmp_path) -> None:
    BANK.save(tmp_path / "eight.npz")
    report = pb.score(*sets(), banks=[tmp_path / "eight.npz"])
    assert report.banks[-1]["sha256"] == BANK.sha256
    assert value(report, "PSS@8(bank=eight)") == pb.pss(PRED, GT, tmp_path / "eight.npz")


def test_the_result_carries_the_banks_and_is_plain_json(tmp_path) -> None:
    report = pb.score(*sets(), banks=[BANK], also=["PSS-kappa@8(bank=eight)"])
    report.save(tmp_path / "run.json")
    data = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert {"name": "eight", "k": 8, "sha256": BANK.sha256} in data["banks"]
    assert "cluster@8(bank=eight)" in data["by"]
    assert pb.Report.load(tmp_path / "run.json").metrics == report.metrics
    assert "†" in str(report)


# The function


@pytest.mark.parametrize("variant", ["pss", "top2", "soft"])
def test_pss_of_arrays_equals_the_twin_per_pose(variant: str) -> None:
    tau = BANK.card.mean_squared_distance
    expected = {
        "pss": twins.hits(PRED, GT, BANK.centres),
        "top2": twins.top2(PRED, GT, BANK.centres),
        "soft": twins.soft(PRED, GT, BANK.centres, tau),
    }[variant]
    np.testing.assert_allclose(pb.pss(PRED, GT, BANK, variant=variant, reduce="none"), expected, rtol=1e-9)
    assert pb.pss(PRED, GT, BANK, variant=variant) == pytest.approx(expected.mean())
    assert pb.pss(GT, GT, BANK, variant=variant) == pytest.approx(100)


def test_pss_function_agrees_with_score_for_kappa_and_canonical() -> None:
    report = pb.score(*sets(), banks=[FRONT, BANK], also=["PSS-kappa@8(bank=eight)"])
    assert pb.pss(PRED, GT, BANK, variant="kappa") == value(report, "PSS-kappa@8(bank=eight)")
    assert pb.pss(PRED, GT, FRONT) == value(report, "PSS-canonical@8(bank=front)")


def test_pss_takes_arrays_of_the_banks_joints_only() -> None:
    columns = [H36M.index(joint) for joint in BY_NAME]
    assert pb.pss(PRED[:, columns], GT[:, columns], NAMED) == pb.pss(PRED, GT, NAMED)


def test_pss_leaves_out_masked_poses_and_refuses_what_it_cannot_read() -> None:
    valid = np.ones((150, 17), bool)
    valid[0, 3] = False
    values = pb.pss(PRED, GT, BANK, valid=valid, reduce="none")
    assert np.isnan(values[0])
    assert not np.isnan(values[1:]).any()
    with pytest.raises(pb.InputError, match="none of the 150 poses can be scored"):
        pb.pss(PRED, GT, BANK, valid=np.zeros((150, 17), bool))
    broken = PRED.copy()
    broken[70, 2, 1] = np.inf
    with pytest.raises(pb.InputError, match=r"pred: pose 70, joint 2 \(RKnee\)"):
        pb.pss(broken, GT, BANK)
    with pytest.raises(pb.InputError, match=r"gt: pose 70, joint 2 \(RKnee\)"):
        pb.pss(GT, broken, BANK)
    with pytest.raises(pb.InputError, match="same"):
        pb.pss(PRED[:3], GT, BANK)
    with pytest.raises(pb.InputError, match="expected the 17 of bank eight"):
        pb.pss(PRED[:, :5], GT[:, :5], BANK)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "hard"}, "variant is 'hard'"),
        ({"reduce": "sum"}, "reduce is 'sum'"),
        ({"variant": "kappa", "reduce": "none"}, "reduce is 'none', expected 'mean'"),
    ],
)
def test_pss_refuses_unknown_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(pb.UsageError, match=message):
        pb.pss(PRED, GT, BANK, **arguments)


def test_per_pose_points_to_pss() -> None:
    with pytest.raises(pb.UsageError, match="needs a bank: pss"):
        pb.per_pose(PRED, GT, ["PSS@50"])
