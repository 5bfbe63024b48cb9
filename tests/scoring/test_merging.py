"""Any split of a set, scored piece by piece and put together in any order, gives the numbers of the whole."""

from __future__ import annotations

import pickle
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import posebench as pb
from tests.scoring.plain import pair, poseset, protocol
from tests.support.poses import FEW, MODERATE

METRICS = ["MPJPE", "NMPJPE", "PMPJPE", "PCK", "AUC", "CPS", "WorstJoint", "BoneLength", "BoneSpread", "JointAngle"]
MOTION = ["MPJVE", "MPJAE", "MPJAE(per=frame)"]
N = 24
KEYS = {
    "subject": np.repeat(["S9", "S11"], 12),
    "action": np.tile(np.repeat(["Walking", "Eating"], 6), 2),
    "frame": np.tile(np.arange(6), 4),
}


def whole_set() -> tuple[pb.PoseSet, pb.PoseSet]:
    """Four sequences of six frames with masked joints, one pose mirrored through its root and one collapsed."""
    pred, gt = pair(N, seed=7)
    pred[5] = 2 * pred[5, :1] - pred[5]
    pred[11] = pred[11, :1]
    valid = np.random.default_rng(8).random((N, 17)) > 0.1
    valid[:, 0] = True
    valid[17, 0] = False
    return poseset(pred, fps=50, **KEYS), poseset(gt, valid=valid, fps=50, **KEYS)


def numbers(report: pb.Report) -> dict:
    """All numbers of a report, by name."""
    found = {(key, "value"): m.value for key, m in report.metrics.items()}
    found |= {(key, "n"): m.n for key, m in report.metrics.items()}
    for group in report.available_groups:
        for name, values in report.by(group).items():
            found |= {(group, name, key): value for key, value in values.items()}
    return found | {("coverage", key): value for key, value in asdict(report.coverage).items()}


def assert_same_numbers(report: pb.Report, whole: pb.Report) -> None:
    found, expected = numbers(report), numbers(whole)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, float):
            assert found[key] == pytest.approx(value, rel=1e-9, abs=1e-9), key
        else:
            assert found[key] == value, key


def scored_in_pieces(pred, gt, pieces, order, **options) -> pb.Report:
    """Every piece by a scorer of its own, merged in the given order."""
    scorers = []
    for rows in pieces:
        scorer = pb.Scorer(**options)
        scorer.update(pred[rows], gt[rows])
        scorers.append(scorer)
    total = pb.Scorer(**options)
    for i in order:
        total.merge(scorers[i])
    return total.report()


@st.composite
def splits(draw) -> tuple[list[np.ndarray], list[int]]:
    """A partition of the rows into pieces, and an order of the pieces."""
    kind = draw(st.sampled_from(["blocks", "interleaved", "random", "single poses"]))
    count = N if kind == "single poses" else draw(st.integers(1, 6))
    if kind == "random":
        label = np.array(draw(st.lists(st.integers(0, count - 1), min_size=N, max_size=N)))
    elif kind == "blocks":
        label = np.arange(N) * count // N
    else:
        label = np.arange(N) % count
    pieces = [rows for k in range(count) if len(rows := np.flatnonzero(label == k))]
    if draw(st.booleans()):
        pieces = [rows[::-1] for rows in pieces]
    return pieces, draw(st.permutations(range(len(pieces))))


@MODERATE
@given(splits())
def test_any_split_merged_in_any_order_is_the_whole(split) -> None:
    pred, gt = whole_set()
    metrics = [*METRICS, *MOTION]
    assert_same_numbers(scored_in_pieces(pred, gt, *split, metrics=metrics), pb.score(pred, gt, metrics=metrics))


@FEW
@given(splits(), st.sampled_from(["joint", "action", "sequence"]))
def test_every_pooling_merges(split, pooling: str) -> None:
    pred, gt = whole_set()
    options = {"protocol": protocol(pooling=pooling), "metrics": METRICS}
    assert_same_numbers(scored_in_pieces(pred, gt, *split, **options), pb.score(pred, gt, **options))


@FEW
@given(splits())
def test_one_scorer_updated_piece_by_piece_is_the_whole(split) -> None:
    pred, gt = whole_set()
    pieces, order = split
    scorer = pb.Scorer(metrics=[*METRICS, *MOTION])
    for i in order:
        scorer.update(pred[pieces[i]], gt[pieces[i]])
    assert_same_numbers(scorer.report(), pb.score(pred, gt, metrics=[*METRICS, *MOTION]))


@FEW
@given(splits())
def test_missing_predictions_merge(split) -> None:
    pred, gt = whole_set()
    poses = pred.poses.copy()
    poses[3, 4], poses[9], poses[20, 0] = np.nan, np.nan, np.nan
    pred = pred.replace(poses=poses)
    options = {"metrics": [*METRICS, *MOTION], "allow_missing": True}
    report = scored_in_pieces(pred, gt, *split, **options)
    assert_same_numbers(report, pb.score(pred, gt, **options))
    assert report.metrics["MPJPE"].incomplete
    assert not report.metrics["CPS"].incomplete


def test_pieces_may_come_in_different_units() -> None:
    pred, gt = whole_set()
    scorer = pb.Scorer()
    scorer.update(pred[:10], gt[:10])
    in_metres = [side[10:].replace(poses=side.poses[10:] / 1000, unit="m") for side in (pred, gt)]
    scorer.update(*in_metres)
    assert_same_numbers(scorer.report(), pb.score(pred, gt))


def test_merging_leaves_the_other_scorer_as_it_was() -> None:
    pred, gt = whole_set()
    parts = [pb.Scorer(metrics=[*METRICS, *MOTION]) for _ in range(2)]
    parts[0].update(pred[:12], gt[:12])
    parts[1].update(pred[12:], gt[12:])
    before = numbers(parts[1].report())
    parts[0].merge(parts[1])
    assert numbers(parts[1].report()) == before


def test_an_empty_scorer_adds_nothing() -> None:
    pred, gt = whole_set()
    scorer = pb.Scorer(metrics=METRICS)
    scorer.update(pred, gt)
    before = numbers(scorer.report())
    scorer.merge(pb.Scorer(metrics=METRICS))
    assert numbers(scorer.report()) == before


@pytest.mark.parametrize("chunk", [1, 2, 7, 24, 100])
def test_the_size_of_chunks_changes_nothing(monkeypatch, chunk: int) -> None:
    pred, gt = whole_set()
    whole = pb.score(pred, gt, metrics=[*METRICS, *MOTION])
    from posebench.kernels import dispatch

    monkeypatch.setattr(dispatch.map_chunks, "__defaults__", (chunk,))
    assert_same_numbers(pb.score(pred, gt, metrics=[*METRICS, *MOTION]), whole)


def test_the_number_of_threads_does_not_change_a_bit(monkeypatch) -> None:
    pred, gt = (np.tile(side, (150, 1, 1)) for side in pair(100))
    pred = pred + np.random.default_rng(0).normal(0, 5, pred.shape)
    keys = {"frame": np.arange(len(gt)), "action": np.repeat(["Walking", "Eating", "Sitting"], 5000)}
    found = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("POSEBENCH_THREADS", threads)
        found.append(numbers(pb.score(pred, poseset(gt, **keys), metrics=[*METRICS, "MPJVE(per=frame)"])))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("threads", ["0", "-1", "two", "", "²"])
def test_a_strange_number_of_threads_is_refused_in_words(monkeypatch, threads: str) -> None:
    pred, gt = pair(1)
    monkeypatch.setenv("POSEBENCH_THREADS", threads)
    with pytest.raises(pb.UsageError, match="POSEBENCH_THREADS"):
        pb.score(pred, gt)


# What does not merge


def filled(pred, gt, **options) -> pb.Scorer:
    scorer = pb.Scorer(**options)
    scorer.update(pred, gt)
    return scorer


def test_scorers_of_different_protocols_do_not_merge() -> None:
    pred, gt = pair(2)
    with pytest.raises(pb.UsageError, match="different protocols"):
        filled(pred, gt, protocol=protocol()).merge(filled(pred, gt, protocol=protocol(pooling="joint")))


def test_scorers_that_treat_missing_predictions_differently_do_not_merge() -> None:
    pred, gt = pair(2)
    with pytest.raises(pb.UsageError, match="allow_missing"):
        filled(pred, gt).merge(filled(pred, gt, allow_missing=True))


def test_what_is_no_scorer_does_not_merge() -> None:
    with pytest.raises(pb.UsageError, match="int does not merge with a Scorer; give another Scorer"):
        pb.Scorer().merge(3)


def test_what_spells_no_metric_is_refused() -> None:
    with pytest.raises(pb.UsageError, match="metric is 3, expected its spelling, such as 'PCK@100'"):
        pb.Scorer(metrics=[3])


def test_scorers_of_different_metrics_do_not_merge() -> None:
    pred, gt = pair(2)
    with pytest.raises(pb.UsageError, match="different metrics"):
        filled(pred, gt, metrics=["MPJPE"]).merge(filled(pred, gt, metrics=["PCK"]))


def test_an_unused_scorer_does_not_take_over_the_metrics_of_another() -> None:
    pred, gt = pair(2)
    with pytest.raises(pb.UsageError, match="different metrics"):
        pb.Scorer(metrics=["MPJPE"]).merge(filled(pred, gt, metrics=["PCK"]))


def test_scorers_of_different_frame_rates_do_not_merge() -> None:
    pred, gt = pair(3)
    a = filled(pred, poseset(gt, frame=range(3), fps=50), metrics=["MPJVE"])
    b = filled(pred, poseset(gt, frame=range(3, 6), fps=25), metrics=["MPJVE"])
    with pytest.raises(pb.UsageError, match="frames per second"):
        a.merge(b)


# A refused piece leaves everything as it was


def test_a_refused_piece_of_other_keys_changes_nothing() -> None:
    pred, gt = whole_set()
    scorer = filled(pred, gt, metrics=METRICS)
    before = numbers(scorer.report())
    with pytest.raises(pb.InputError):
        scorer.update(pred[:5], gt[5:10])
    assert numbers(scorer.report()) == before


def test_a_refused_piece_with_a_missing_joint_changes_nothing() -> None:
    pred, gt = whole_set()
    scorer = filled(pred, gt, metrics=METRICS)
    before = numbers(scorer.report())
    poses = pred.poses.copy()
    poses[-1, 0] = np.nan
    with pytest.raises(pb.InputError):
        scorer.update(pred.replace(poses=poses)[10:], gt[10:])
    assert numbers(scorer.report()) == before


def test_a_refused_piece_with_frames_that_were_there_already_changes_nothing() -> None:
    pred, gt = whole_set()
    scorer = filled(pred[:6], gt[:6], metrics=["MPJPE", "MPJVE"])
    before = numbers(scorer.report())
    with pytest.raises(pb.InputError, match="stands twice"):
        scorer.update(pred[4:12], gt[4:12])
    assert numbers(scorer.report()) == before


def test_a_refused_first_piece_leaves_no_frame_rate_behind() -> None:
    pred, gt = pair(3)
    scorer = pb.Scorer(metrics=["MPJVE"])
    with pytest.raises(pb.InputError):
        scorer.update(poseset(pred, frame=[7, 8, 9], fps=25), poseset(gt, frame=[0, 1, 2], fps=25))
    scorer.update(poseset(pred, frame=[0, 1, 2], fps=50), poseset(gt, frame=[0, 1, 2], fps=50))
    assert scorer.report().metrics["MPJVE"].n == 2


def test_a_refused_merge_changes_nothing() -> None:
    pred, gt = whole_set()
    scorer = filled(pred[:6], gt[:6], metrics=["MPJPE", "MPJVE"])
    before = numbers(scorer.report())
    with pytest.raises(pb.InputError, match="stands twice"):
        scorer.merge(filled(pred[:6], gt[:6], metrics=["MPJPE", "MPJVE"]))
    assert numbers(scorer.report()) == before


# Between processes


def test_a_scorer_can_be_sent_from_another_process() -> None:
    pred, gt = whole_set()
    total = pb.Scorer(metrics=[*METRICS, *MOTION])
    for rows in (slice(0, 10), slice(10, None)):
        total.merge(pickle.loads(pickle.dumps(filled(pred[rows], gt[rows], metrics=[*METRICS, *MOTION]))))
    assert_same_numbers(total.report(), pb.score(pred, gt, metrics=[*METRICS, *MOTION]))


@pytest.mark.parametrize("what", ["skeleton", "protocol", "set", "report"])
def test_everything_that_goes_in_or_comes_out_can_be_sent_too(what: str) -> None:
    pred, gt = whole_set()
    things = {
        "skeleton": gt.skeleton,
        "protocol": pb.get_protocol("standard"),
        "set": gt,
        "report": pb.score(pred, gt),
    }
    received = pickle.loads(pickle.dumps(things[what]))
    assert what == "set" or received == things[what]
