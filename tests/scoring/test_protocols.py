"""Every named protocol gives the numbers of its plain NumPy twin, on its own frames, alone and beside the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import posebench as pb
from tests.support import protocol_twins as twins

NAMES = pb.protocol_names()


def body(skeleton: pb.Skeleton, n: int, rng: np.random.Generator) -> np.ndarray:
    """Poses as large as people, in no particular posture."""
    return rng.normal(size=(n, len(skeleton), 3)) * [150, 400, 150]


def files(name: str, n: int = 60, *, masked: bool = False) -> tuple[pb.PoseSet, pb.PoseSet, dict]:
    """A prediction and its ground truth under a protocol's own skeleton, and the ground truth's keys."""
    protocol = pb.get_protocol(name)
    skeleton = protocol.skeleton
    rng = np.random.default_rng(len(name))
    absolute = protocol.pred_root is not None
    gt = body(skeleton, n, rng) + ([300, 200, 5000] + rng.normal(size=(n, 1, 3)) * 100)
    # Errors of all sizes, so that every threshold has errors on both sides, and a scale for the fits to find.
    error = rng.normal(size=gt.shape) * rng.uniform(1, 150, (n, 1, 1))
    pred = (gt - gt[:, [skeleton.root]]) * 1.1 + error + (gt[:, [skeleton.root]] if absolute else 0)
    valid = np.ones(gt.shape[:2], bool)
    if masked:
        valid = rng.random(gt.shape[:2]) > 0.2
        valid[:, skeleton.root] = True
    subjects = {"3dhp": [f"TS{k}" for k in range(1, 7)], "mupots": [f"TS{k}" for k in range(1, 21)]}
    chosen = subjects.get(name.split("-")[0], ["S1", "S9", "S11"])
    keys = {
        "subject": rng.choice(chosen, n),
        "action": rng.choice(["Walking", "Directions", "Greeting", "SittingDown", "Waiting"], n),
        "camera": rng.choice(["a", "b"], n),
        "frame": rng.permutation(n * 3)[:n],
    }
    keys["sequence"] = np.array([f"{a} {rng.choice(['1', '2'])}" for a in keys["action"]])
    facts = {"skeleton": skeleton, "unit": "mm", "reference": "camera", **keys}
    return (
        pb.PoseSet(pred, origin="absolute" if absolute else "root", **facts),
        pb.PoseSet(gt, origin="absolute", valid=valid if masked else None, **facts),
        keys,
    )


def assert_same(found: dict, expected: dict) -> None:
    assert found
    found = {metric: value for metric, value in found.items() if not metric.startswith("PSS")}  # see test_values
    for metric, value in found.items():
        assert value == pytest.approx(expected[metric], abs=1e-8), metric


def values(report: pb.Report) -> dict:
    return {metric.name: metric.value for metric in report.metrics.values()}


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("name", NAMES)
def test_a_protocol_gives_the_numbers_of_its_twin(name: str, masked: bool) -> None:
    pred, gt, keys = files(name, masked=masked)
    found = pb.score(pred, gt, protocol=name)
    assert list(found.metrics) == list(pb.get_protocol(name).metrics)
    assert_same(values(found), twins.PROTOCOLS[name](pred.poses, gt.poses, gt.valid, keys))


@pytest.mark.parametrize("name", [name for name in NAMES if pb.get_protocol(name).selection is not None])
def test_a_selection_takes_the_frames_of_its_twin_where_the_ground_truth_names_the_data_set(name: str) -> None:
    protocol = pb.get_protocol(name)
    pred, gt, keys = files(name, 900)
    if name == "h36m-videopose3d":  # whose files have the names of the release
        keys["sequence"] = np.char.replace(keys["sequence"], " 2", "")
        pred, gt = pred.replace(sequence=keys["sequence"]), gt.replace(sequence=keys["sequence"])
    if name.startswith("open4v"):
        renamed = np.where(keys["subject"] == "S9", "cmu02", np.where(keys["subject"] == "S11", "HDM05-mm", "cmu01"))
        keys["subject"] = renamed
        pred, gt = pred.replace(subject=renamed), gt.replace(subject=renamed)
        chosen = renamed != "cmu01"
    else:
        chosen = twins.SELECTIONS[name](keys)
    gt = gt.replace(dataset=protocol.selection.dataset)
    if name.startswith(("h36m", "open4v")):
        assert 0 < chosen.sum() < len(gt)
    found = pb.score(pred, gt, protocol=name)
    assert found.coverage.gt_frames == chosen.sum()
    assert found.protocol["selection"]["applied"] is True
    of_chosen = {key: column[chosen] for key, column in keys.items()}
    assert_same(values(found), twins.PROTOCOLS[name](pred.poses[chosen], gt.poses[chosen], None, of_chosen))


def test_a_selection_is_not_applied_to_a_ground_truth_of_unknown_origin() -> None:
    pred, gt, _ = files("h36m-epipolarpose")
    found = pb.score(pred, gt, protocol="h36m-epipolarpose")
    assert found.coverage.gt_frames == len(gt)
    assert found.protocol["selection"]["applied"] is False
    assert any("definition only" in note and "does not say that it is of h36m" in note for note in found.notes)
    other = pb.score(pred, gt.replace(dataset="MPI-INF-3DHP"), protocol="h36m-epipolarpose")
    assert any("is of MPI-INF-3DHP, not of h36m" in note for note in other.notes)


@pytest.mark.parametrize("dataset", ["h36m", "Human3.6M", "human36m", "H36M"])
def test_a_data_set_is_known_under_its_usual_spellings(dataset: str) -> None:
    pred, gt, _ = files("h36m-mmpose")
    assert pb.score(pred, gt.replace(dataset=dataset), protocol="h36m-mmpose").protocol["selection"]["applied"]


def test_a_selection_without_the_keys_that_it_needs_is_not_applied_in_part() -> None:
    pred, gt, _ = files("h36m-epipolarpose")
    pred, gt = (side.replace(frame=None, sequence=np.arange(60).astype(str)) for side in (pred, gt))
    found = pb.score(pred, gt.replace(dataset="h36m"), protocol="h36m-epipolarpose")
    assert found.coverage.gt_frames == 60
    assert any("has no frame keys" in note for note in found.notes)


def test_clips_named_as_in_the_release_are_known_under_those_names() -> None:
    pred, gt, keys = files("h36m-learnable-triangulation", 300)
    # The release has no number on one clip of each action.
    names = np.char.replace(np.char.replace(keys["sequence"], " 1", " 3"), " 2", "")
    names = np.char.replace(names, " 3", " 1")
    facts = {"sequence": names, "subject": "S9", "frame": np.arange(300) * 5}
    pred, gt = pred.replace(**facts), gt.replace(**facts, dataset="h36m")
    damaged = np.isin(names, ["Greeting", "SittingDown 1", "Waiting 1"])
    assert damaged.any()
    found = pb.score(pred, gt, protocol="h36m-learnable-triangulation")
    assert set(found.by("sequence")) == {f"S9/{n.split()[0]}/{n}" for n in names[~damaged]}


def test_without_anything_that_tells_clips_apart_the_selection_is_not_applied() -> None:
    pred, gt, _ = files("h36m-videopose3d", 30)
    pred, gt = (side.replace(sequence=None, frame=np.arange(30)) for side in (pred, gt))
    found = pb.score(pred, gt.replace(dataset="h36m"), protocol="h36m-videopose3d")
    assert any("has no sequence keys" in note for note in found.notes)


def test_a_sequence_to_be_left_out_that_is_not_there_is_mentioned() -> None:
    pred, gt, keys = files("h36m-learnable-triangulation")
    names = np.char.replace(keys["sequence"], " 2", " 3")
    pred, gt = pred.replace(sequence=names), gt.replace(sequence=names, dataset="h36m")
    notes = pb.score(pred, gt, protocol="h36m-learnable-triangulation").notes
    assert any("leaves out S9 Greeting 2, S9 SittingDown 2, which array does not have" in note for note in notes)


@pytest.mark.parametrize("spelling", ["Greeting 2", "Greeting-2", "greeting_02", "GREETING2", "Greeting subact 2"])
@pytest.mark.parametrize("subject", ["S9", "s_09", "S09", "9"])
def test_spellings_of_subjects_and_sequences_agree(subject: str, spelling: str) -> None:
    pred, gt, _ = files("h36m-learnable-triangulation", 20)
    facts = {"subject": subject, "action": "Greeting", "sequence": [spelling] * 10 + ["Greeting 1"] * 10}
    facts["frame"] = np.arange(20) * 5
    pred, gt = pred.replace(**facts), gt.replace(**facts, dataset="h36m")
    assert pb.score(pred, gt, protocol="h36m-learnable-triangulation").coverage.gt_frames == 10


def test_a_set_that_is_thinned_already_is_taken_whole() -> None:
    pred, gt, _ = files("h36m-epipolarpose", 30)
    facts = {
        "subject": "S9",
        "action": "Walking",
        "sequence": "Walking",
        "camera": "a",
        "frame": np.arange(30) * 64 + 1,
    }
    pred, gt = pred.replace(**facts), gt.replace(**facts, dataset="h36m")
    assert pb.score(pred, gt, protocol="h36m-epipolarpose").coverage.gt_frames == 30


def test_predictions_may_be_for_the_selected_frames_alone() -> None:
    pred, gt, keys = files("h36m-mmpose", 200)
    gt = gt.replace(dataset="h36m")
    chosen = twins.SELECTIONS["h36m-mmpose"](keys)
    whole = pb.score(pred, gt, protocol="h36m-mmpose")
    assert values(pb.score(pred[chosen], gt, protocol="h36m-mmpose")) == values(whole)
    shuffled = np.random.default_rng(0).permutation(np.flatnonzero(chosen))
    assert values(pb.score(pred[shuffled], gt, protocol="h36m-mmpose")) == pytest.approx(values(whole))


def test_a_selected_frame_without_a_prediction_is_named_and_others_are_not_asked_for() -> None:
    pred, gt, keys = files("h36m-mmpose", 200)
    gt = gt.replace(dataset="h36m")
    chosen = np.flatnonzero(twins.SELECTIONS["h36m-mmpose"](keys))
    keep = np.setdiff1d(np.arange(200), chosen[3])
    with pytest.raises(pb.InputError, match="lacks 1 of the"):
        pb.score(pred[keep], gt, protocol="h36m-mmpose")
    others = np.setdiff1d(np.arange(200), chosen)[:5]
    assert pb.score(pred[np.setdiff1d(np.arange(200), others)], gt, protocol="h36m-mmpose").coverage.missing == 0
    assert pb.score(pred[keep], gt, protocol="h36m-mmpose", allow_missing=True).coverage.missing == 1


def test_a_bad_joint_is_named_by_the_row_of_the_file_not_of_the_selection() -> None:
    pred, gt, keys = files("h36m-mmpose", 200)
    row = int(np.flatnonzero(twins.SELECTIONS["h36m-mmpose"](keys))[7])
    pred.poses[row, 4] = np.nan
    with pytest.raises(pb.InputError, match=f"pose {row}, joint 4"):
        pb.score(pred, gt.replace(dataset="h36m"), protocol="h36m-mmpose")


def test_a_selection_that_leaves_nothing_is_refused() -> None:
    pred, gt, _ = files("h36m-mmpose")
    pred, gt = (side.replace(subject="S1") for side in (pred, gt))
    with pytest.raises(
        pb.InputError, match=r"none of the frames that protocol h36m-mmpose selects \(subjects S9, S11\)"
    ):
        pb.score(pred, gt.replace(dataset="h36m"), protocol="h36m-mmpose")


def test_pieces_cannot_be_thinned_by_stride() -> None:
    pred, gt, _ = files("h36m-epipolarpose")
    scorer = pb.Scorer("h36m-epipolarpose")
    with pytest.raises(pb.InputError, match="every 64th frame"):
        scorer.update(pred, gt.replace(dataset="h36m"))
    scorer.update(pred, gt)
    assert scorer.report().coverage.gt_frames == 60


def test_pieces_with_and_without_a_selection_do_not_mix() -> None:
    pred, gt, _ = files("h36m-mmpose")
    scorer = pb.Scorer("h36m-mmpose")
    scorer.update(pred, gt)
    with pytest.raises(pb.InputError, match="fits some pieces and not others"):
        scorer.update(pred, gt.replace(dataset="h36m"))
    other = pb.Scorer("h36m-mmpose")
    other.update(pred, gt.replace(dataset="h36m"))
    with pytest.raises(pb.UsageError, match="selection"):
        other.merge(scorer)


# What the benchmarks print besides their total


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize(
    ("name", "twin"), [("3dhp-official", twins.three_dhp_official_by), ("mupots", twins.mupots_by)]
)
def test_groups_equal_those_of_the_twin(name: str, twin, masked: bool) -> None:
    pred, gt, keys = files(name, 120, masked=masked)
    found = pb.score(pred, gt, protocol=name)
    for group, members in twin(pred.poses, gt.poses, gt.valid, keys).items():
        if name == "mupots" and group == "joint_group":
            continue  # groups of joints are means over all frames and joints, whatever the pooling
        shown = found.by(group)
        assert set(shown) == set(members), group
        for member, expected in members.items():
            mine = {metric: value for metric, value in shown[member].items() if metric in expected}
            if group == "joint_group" and masked:
                continue
            assert_same(mine, expected)


def test_the_settings_of_3dhp_weigh_frames_not_sequences() -> None:
    pred, gt, keys = files("3dhp-official", 90)
    found = pb.score(pred, gt, protocol="3dhp-official").by("setting")
    rows = np.isin(keys["subject"], ["TS5", "TS6"])
    errors = np.linalg.norm(pred.poses[rows] - gt.poses[rows] + gt.poses[rows][:, [14]], axis=2)
    assert found["outdoor"]["MPJPE"] == pytest.approx(errors.mean())
    assert found["outdoor"]["PCK@150"] == pytest.approx((errors[:, :14] < 150).mean() * 100)


def test_a_metric_over_some_joints_has_no_value_for_the_others() -> None:
    pred, gt, _ = files("3dhp-official")
    by_joint = pb.score(pred, gt, protocol="3dhp-official").by("joint")
    assert by_joint["spine"]["PCK@150"] is None
    assert by_joint["spine"]["MPJPE"] > 0


def test_predictions_of_human36m_are_scored_under_3dhp_by_joint_name() -> None:
    rng = np.random.default_rng(0)
    h36m, mpi = pb.get_skeleton("h36m17"), pb.get_skeleton("3dhp17")
    gt = body(mpi, 5, rng)
    # The thorax that 3DHP lacks is not needed; its neck is the middle of the shoulders.
    gt[:, 1] = (gt[:, mpi.index("LShoulder")] + gt[:, mpi.index("RShoulder")]) / 2
    gt -= gt[:, [14]]
    sources = {"head": "head_top", "nose": "head_3dhp", "thorax": "neck"}
    pred = np.stack([gt[:, mpi.index(sources.get(joint, joint))] for joint in h36m.joints], axis=1)
    facts = {"unit": "mm", "reference": "camera", "origin": "root"}
    found = pb.score(
        pb.PoseSet(pred, skeleton=h36m, **facts), pb.PoseSet(gt, skeleton=mpi, **facts), protocol="3dhp-official"
    )
    assert values(found) == pytest.approx({"PCK@150": 100, "AUC(0:150:5)": 100 * 30 / 31, "MPJPE": 0})


# Predictions that are taken as they are


UNCENTRED = [name for name in NAMES if pb.get_protocol(name).pred_root is None]


@pytest.mark.parametrize("name", [name for name in UNCENTRED if "mmpose" not in name])
def test_an_absolute_prediction_is_refused_where_it_is_not_centred(name: str) -> None:
    pred, gt, _ = files(name)
    absolute = pred.poses + gt.poses[:, [pb.get_protocol(name).skeleton.root]]
    for origin in ("absolute", None):
        with pytest.raises(pb.InputError, match="holds absolute coordinates"):
            pb.score(pred.replace(poses=absolute, origin=origin), gt, protocol=name)


@pytest.mark.parametrize("origin", ["absolute", None])
@pytest.mark.parametrize("name", ["h36m-mmpose", "3dhp-mmpose"])
def test_an_absolute_prediction_is_taken_minus_the_ground_truths_root_where_the_code_added_it(name, origin) -> None:
    pred, gt, _ = files(name)
    root = pb.get_protocol(name).skeleton.root
    absolute = pred.replace(poses=pred.poses + gt.poses[:, [root]], origin=origin)
    found = pb.score(absolute, gt, protocol=name)
    assert values(found) == pytest.approx(values(pb.score(pred, gt, protocol=name)))
    assert any("taken minus the ground truth's pelvis" in note for note in found.notes)
    in_metres = absolute.replace(poses=absolute.poses / 1000, unit="m")
    assert values(pb.score(in_metres, gt, protocol=name)) == pytest.approx(values(found))
    relative = gt.replace(poses=gt.poses - gt.poses[:, [root]], origin="root")
    with pytest.raises(pb.InputError, match="give both in one form"):
        pb.score(absolute, relative, protocol=name)


def test_a_prediction_that_is_slightly_off_its_root_is_no_absolute_one() -> None:
    pred, gt, keys = files("h36m-videopose3d")
    pred = pred.replace(poses=pred.poses + [60, 0, 0], origin=None)
    found = pb.score(pred, gt, protocol="h36m-videopose3d")
    assert_same(values(found), twins.h36m_videopose3d(pred.poses, gt.poses, None, keys))


def test_what_needs_the_persons_position_is_left_out_with_a_note_or_refused_if_asked_for() -> None:
    pred, gt, _ = files("h36m-mmpose")
    gt = gt.replace(poses=gt.poses - gt.poses[:, :1], origin="root")
    found = pb.score(pred, gt, protocol="h36m-mmpose")
    assert list(found.metrics) == ["MPJPE", "PMPJPE"]
    assert any(note.startswith("NMPJPE(scale=least_squares_absolute) not given") for note in found.notes)
    with pytest.raises(pb.InputError, match="relative to its root"):
        pb.score(pred, gt, protocol="h36m-mmpose", metrics=["NMPJPE(scale=least_squares_absolute)"])


# All at once


def test_all_protocols_at_once_give_what_each_gives_alone() -> None:
    pred, gt, _ = files("h36m-videopose3d", 300)
    pred, gt = (side.replace(dataset="h36m") for side in (pred, gt))
    found = pb.score_protocols(pred, gt)
    assert set(found.reports) | set(found.refused) == set(NAMES)
    assert set(found.refused) == {"3dpw"}
    for name, report in found.reports.items():
        alone = pb.score(pred, gt, protocol=name)
        mine, expected = report.to_dict(), alone.to_dict()
        for result in (mine, expected):
            result["environment"].pop("date")
        assert mine == expected


def test_a_protocol_that_fails_on_a_joint_of_its_own_does_not_cost_the_others() -> None:
    pred, gt, _ = files("h36m-mmpose", 20)
    pred.poses[3, 7] = np.nan  # the spine
    found = pb.score_protocols(pred, gt, protocols=["standard", "h36m-canonpose", "h36m-epipolarpose-refiner"])
    assert set(found.reports) == {"h36m-canonpose", "h36m-epipolarpose-refiner"}
    assert "joint 7 (spine)" in found.refused["standard"]
    alone = pb.score(pred, gt, protocol="h36m-canonpose")
    assert values(found.reports["h36m-canonpose"]) == values(alone)


def test_a_file_that_does_not_say_its_skeleton_is_one_skeleton_under_all_protocols(tmp_path) -> None:
    pred, gt, _ = files("h36m-mmpose", 20)
    pb.write(pred.replace(skeleton=None, poses=np.abs(pred.poses)), tmp_path / "pred.npz")
    clips = pb.read(tmp_path / "pred.npz").replace(path=None)  # the bones of random poses are nobody's
    found = pb.score_protocols(clips, gt)
    assert all("head_3dhp is nose" in " ".join(found.reports[name].notes) for name in ("3dhp-official", "mupots"))


def test_no_protocol_at_all_is_an_error_that_names_every_reason() -> None:
    rng = np.random.default_rng(0)
    ring = pb.PoseSet(body(pb.get_skeleton("coco17"), 3, rng), skeleton="coco17", unit="mm")
    with pytest.raises(pb.InputError, match=r"no protocol fits: standard, .*: .*; 3dpw: "):
        pb.score_protocols(ring, ring)


def test_a_reason_that_all_protocols_share_is_said_once() -> None:
    pred, gt, _ = files("standard")
    with pytest.raises(pb.InputError, match=r"no protocol fits: .* lacks ") as refused:
        pb.score_protocols(pred[:-1], gt, protocols=["standard", "h36m-canonpose"])
    assert str(refused.value).count(" lacks ") == 1


def test_two_protocols_of_one_name_are_refused() -> None:
    standard = pb.get_protocol("standard")
    pred, gt, _ = files("standard")
    with pytest.raises(pb.UsageError, match="different protocols"):
        pb.score_protocols(pred, gt, protocols=[standard, replace(standard, pooling="joint")])
