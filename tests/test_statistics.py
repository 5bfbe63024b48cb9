"""Intervals: plain twins that draw frames one resample at a time, what has none, and how often they hold the truth."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench.scoring.intervals import _number, _Table
from posebench.statistics import FEWEST, ClusterSums, draws, student_t
from tests.scoring.plain import poseset
from tests.support.poses import people

_SPEC = importlib.util.spec_from_file_location(
    "make_coverage", Path(__file__).parent.parent / "docs" / "make_coverage.py"
)
make_coverage = importlib.util.module_from_spec(_SPEC)
sys.modules["make_coverage"] = make_coverage  # dataclasses look their module up
_SPEC.loader.exec_module(make_coverage)

SEQUENCES = 12


def frames_of_sequences(seed: int = 0, sequences: int = SEQUENCES):
    """Values per frame, the sequence, weight and group of each; sequences of 5 to 40 frames in three groups."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(5, 41, sequences)
    sequence = np.repeat(np.arange(sequences), lengths)
    values = rng.normal(60, 10, sequences)[sequence] + rng.normal(0, 5, len(sequence))
    return values, sequence, rng.integers(1, 18, len(sequence)).astype(float), sequence % 3


def mean_of_means(values, weights, groups) -> float:
    return float(np.mean([np.average(values[groups == g], weights=weights[groups == g]) for g in np.unique(groups)]))


def looped_interval(values, sequence, weights, groups, resamples: int) -> tuple[float, float]:
    """The interval once more: frames are put together for each resample, and each sequence left out in turn."""
    from scipy import stats

    codes = np.unique(sequence)

    def number(chosen) -> float:
        rows = np.concatenate([np.flatnonzero(sequence == code) for code in chosen])
        return mean_of_means(values[rows], weights[rows], groups[rows])

    places = np.random.default_rng(0).integers(0, len(codes), (resamples, len(codes)), np.uint16)
    drawn = np.array([number(codes[row]) for row in places])
    without = np.array([number(np.delete(codes, place)) for place in range(len(codes))])
    whole = number(codes)
    of = np.array([groups[sequence == code][0] for code in codes])
    error = np.sqrt(sum((np.count_nonzero(of == g) - 1) * without[of == g].var() for g in np.unique(of)))
    share = np.zeros(len(codes))
    for place, code in enumerate(codes):
        for g in np.unique(groups):
            share[place] += weights[(sequence == code) & (groups == g)].sum() / weights[groups == g].sum()
    effective = share.sum() ** 2 / (share**2).sum()
    tail = stats.norm.cdf(-stats.t.ppf(0.975, effective - len(np.unique(groups))))
    ends = np.quantile(drawn, [tail, 1 - tail])
    low, high = (whole + (ends - whole) * error / drawn.std()).tolist()
    return low, high


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_an_interval_equals_that_of_a_loop_over_frames(weighted: bool, grouped: bool) -> None:
    values, sequence, weights, groups = frames_of_sequences()
    weights = weights if weighted else np.ones_like(weights)
    groups = groups if grouped else np.zeros_like(groups)
    # Student's t is approximated to three digits, in the far tail of 300 resamples.
    assert pb.bootstrap_ci(values, sequence, weights=weights, groups=groups, resamples=300) == pytest.approx(
        looped_interval(values, sequence, weights, groups, 300), rel=2e-4
    )


@pytest.mark.parametrize("freedom", [4, 5.5, 7, 19, 239.3])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_students_t_is_that_of_scipy(level: float, freedom: float) -> None:
    from scipy import stats

    assert student_t(level, freedom) == pytest.approx(stats.t.ppf(0.5 + level / 2, freedom), rel=6e-3)


def test_a_group_that_vanishes_in_a_resample_is_left_out_of_it() -> None:
    number = ClusterSums.of_means(
        np.array([[10.0, 0.0], [30.0, 0.0], [0.0, 50.0]]), np.array([[1.0, 0], [1, 0], [0, 1]])
    )
    weights = np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    sums = np.einsum("bc,cgp->bgp", weights, number.sums)
    assert number.values(sums).tolist() == [35.0, pytest.approx(50 / 3), 50.0]


# The sums of a report


def moving_people(n_sequences: int = SEQUENCES, frames: int = 6):
    """A prediction and its ground truth, two cameras per sequence, with masked joints."""
    rng = np.random.default_rng(3)
    n = n_sequences * frames * 2
    gt = people(rng, n)
    sequence = np.repeat(np.arange(n_sequences), 2 * frames)
    pred = gt + rng.normal(size=gt.shape) * (20 + 8 * sequence[:, None, None])
    valid = rng.random((n, 17)) > 0.03
    valid[:, 0] = True
    keys = {
        "subject": np.where(sequence % 2, "S11", "S9"),
        "action": np.array(["Walking", "Eating", "Sitting"])[sequence % 3],
        "sequence": sequence,
        "camera": np.tile(np.repeat(["left", "right"], frames), n_sequences),
        "frame": np.tile(np.arange(frames), 2 * n_sequences),
    }
    return pred, gt, valid, keys


ALSO = ("MPJVE", "MPJAE", "BoneSpread", "PSS-kappa@50", "WorstJoint")


@pytest.mark.parametrize("protocol", ["standard", "metrabs", "h36m-videopose3d", "mupots"])
def test_a_resample_of_the_sums_is_the_score_of_the_set_that_was_drawn(protocol: str) -> None:
    """Sequences drawn twice are put into the set twice, under names of their own, and all of it is scored again."""
    pred, gt, valid, keys = moving_people()
    also = ALSO if protocol == "standard" else ALSO[:3]

    def scorer(rows, names) -> pb.Scorer:
        given = {**{key: values[rows] for key, values in keys.items()}, "sequence": names}
        sides = (poseset(pred[rows] - pred[rows, :1], fps=50, origin="root", **given),
                 poseset(gt[rows], valid=valid[rows], fps=50, **given))  # fmt: skip
        made = pb.Scorer(protocol, also=also)
        made.update(*sides)
        return made

    whole = scorer(np.arange(len(gt)), keys["sequence"])
    tally, cells = whole._tally, list(whole._cells)
    order = sorted({cell[:3] for cell in cells})
    codes = np.array([order.index(cell[:3]) for cell in cells])
    pooling = whole.protocol.pooling
    groups = np.zeros(len(cells), np.int64)
    if pooling in ("action", "subject"):
        place = ("subject", "action").index(pooling)
        groups = np.unique([cell[place] for cell in cells], return_inverse=True)[1]
    table = _Table(codes, groups, len(cells))
    for weights in np.concatenate(list(draws(SEQUENCES, 100, 5)))[:3]:
        drawn = [int(order[code][2]) for code in np.repeat(np.arange(SEQUENCES), weights.astype(int))]
        rows = [np.flatnonzero(keys["sequence"] == number) for number in drawn]
        names = np.repeat(np.arange(len(drawn)), [len(of) for of in rows])
        again = scorer(np.concatenate(rows), names).report()
        for m, metric in enumerate(tally.metrics):
            by_item = pooling == "joint" and not metric.reduction.kind.of_one_item
            number = _number(tally, m, table, by_item=by_item)
            value = number.values(np.einsum("c,cgp->gp", weights, number.sums)[None])[0]
            assert value * whole._factor(metric) == pytest.approx(again.metrics[metric.key].value, rel=1e-9), metric.key


def test_the_intervals_of_a_report_are_those_of_its_frames() -> None:
    pred, gt, valid, keys = moving_people()
    sets = poseset(pred, fps=50, **keys), poseset(gt, valid=valid, fps=50, **keys)
    for protocol, pooled in (("standard", None), ("h36m-videopose3d", "action"), ("3dhp-mmpose", None)):
        given = (pb.to_root(sets[0]), sets[1]) if protocol != "standard" else sets
        report = pb.score(*given, protocol=protocol, also=["MPJVE"], frames=True)
        frames = report.frames
        sequences, _ = frames.groups("subject", "action", "sequence")
        groups = None if pooled is None else frames.groups(pooled)[0]
        for name, metric in report.metrics.items():
            expected = pb.bootstrap_ci(frames.of(name), sequences, weights=frames.weights_of(name), groups=groups)
            assert metric.ci95 == pytest.approx(expected, rel=1e-6), (protocol, name)
            assert metric.ci95[0] < metric.value < metric.ci95[1]


def test_an_interval_does_not_depend_on_what_else_is_scored_or_on_pieces() -> None:
    pred, gt, _, keys = moving_people()
    alone = pb.score(poseset(pred, **keys), poseset(gt, **keys), metrics=["PMPJPE"])
    among = pb.score(poseset(pred, **keys), poseset(gt, **keys))
    pieces = pb.Scorer(metrics=["PMPJPE"])
    for rows in np.array_split(np.random.default_rng(0).permutation(len(gt)), 4):
        given = {key: values[rows] for key, values in keys.items()}
        pieces.update(poseset(pred[rows], **given), poseset(gt[rows], **given))
    assert alone.metrics["PMPJPE"].ci95 == among.metrics["PMPJPE"].ci95 == pieces.report().metrics["PMPJPE"].ci95


def test_intervals_stay_within_the_range_of_the_metric() -> None:
    _, gt, _, keys = moving_people()
    pred = gt.copy()
    pred[keys["sequence"] == 3, 5] += 1000  # one sequence has a joint that is wrong throughout
    metric = pb.score(poseset(pred, **keys), poseset(gt, **keys), metrics=["PCK"]).metrics["PCK@150"]
    assert metric.ci95[1] == 100.0
    assert metric.ci95[0] < metric.value


def test_the_report_says_over_whom_its_intervals_are(tmp_path) -> None:
    pred, gt, _, keys = moving_people()
    report = pb.score(poseset(pred, **keys), poseset(gt, **keys))
    assert "2 subjects: the 95 % intervals are over sequences (12) of these subjects, not over people" in report.notes
    report.save(tmp_path / "run.json")
    assert pb.Report.load(tmp_path / "run.json").metrics == report.metrics
    assert "95% interval" in str(report)


def test_few_sequences_have_no_interval_and_the_report_says_so() -> None:
    pred, gt, _, keys = moving_people(FEWEST - 1)
    report = pb.score(poseset(pred, **keys), poseset(gt, **keys))
    assert {metric.ci95 for metric in report.metrics.values()} == {None}
    assert "no 95 % intervals: 7 sequences, and they need 8" in report.notes


def test_without_a_sequence_key_there_is_no_interval_and_no_word_about_it() -> None:
    pred, gt, _, keys = moving_people()
    keys = {"subject": keys["sequence"], "frame": np.arange(len(gt))}
    report = pb.score(poseset(pred, **keys), poseset(gt, **keys))
    assert {metric.ci95 for metric in report.metrics.values()} == {None}
    assert not any("interval" in note for note in report.notes)


def test_sequences_that_are_all_right_have_no_interval_and_the_report_says_so() -> None:
    _, gt, _, keys = moving_people()
    report = pb.score(poseset(gt, **keys), poseset(gt, **keys), metrics=["PCK"])
    assert report.metrics["PCK@150"].ci95 is None
    assert any(note.startswith("no 95 % intervals: the 12 sequences are too few") for note in report.notes)


# What has an interval, and what has none


def test_missing_values_are_left_out() -> None:
    values, sequence, *_ = frames_of_sequences()
    holes = np.arange(len(values)) % 3 == 0
    assert pb.bootstrap_ci(np.where(holes, np.nan, values), sequence) == pb.bootstrap_ci(
        values[~holes], sequence[~holes]
    )


def test_sequences_may_be_named_by_text() -> None:
    values, sequence, *_ = frames_of_sequences()
    names = np.array([f"{code:03d}" for code in sequence])
    assert pb.bootstrap_ci(values, names) == pb.bootstrap_ci(values, sequence)


def test_too_few_sequences_or_one_that_outweighs_all_have_no_interval() -> None:
    values, sequence, *_ = frames_of_sequences(sequences=FEWEST - 1)
    assert pb.bootstrap_ci(values, sequence) is None
    values, sequence, *_ = frames_of_sequences()
    assert pb.bootstrap_ci(values, sequence, weights=np.where(sequence == 2, 1000.0, 1.0)) is None


def test_sequences_that_do_not_differ_tell_nothing_about_others() -> None:
    _, sequence, *_ = frames_of_sequences()
    assert pb.bootstrap_ci(np.full(len(sequence), 100.0), sequence) is None
    assert pb.bootstrap_ci(np.full(len(sequence), np.nan), sequence) is None


def test_many_sequences_are_bundled_without_changing_the_interval_much() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(60, 10, 50_000)
    low, high = pb.bootstrap_ci(values, np.arange(50_000))
    half = 1.96 * 10 / np.sqrt(50_000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.06 * half)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"values": [[1.0]], "clusters": [1]}, pb.InputError, "expected (N,) each"),
        ({"values": [1.0, 2.0], "clusters": [1]}, pb.InputError, "expected (N,) each"),
        ({"values": [1.0, np.inf], "clusters": [1, 2]}, pb.InputError, "values are infinite"),
        ({"values": [1.0, 2.0], "clusters": [1, 2], "weights": [1, -1]}, pb.InputError, "negative"),
        ({"values": [1.0, 2.0], "clusters": [1, 2], "level": 95}, pb.UsageError, "expected 0.5 to 1"),
        ({"values": [1.0, 2.0], "clusters": [1, 2], "resamples": 10}, pb.UsageError, "and 100 or more"),
    ],
)
def test_what_cannot_be_resampled_is_refused(given, error, says: str) -> None:
    with pytest.raises(error) as refusal:
        pb.bootstrap_ci(**given)
    assert says in str(refusal.value)


# Coverage


def test_intervals_hold_the_truth_on_frames_that_are_alike_where_naive_ones_do_not() -> None:
    found = make_coverage.coverage(make_coverage.CASES[0], 20, runs=400, resamples=1000)
    assert 92.5 < found["posebench"] < 97.5  # 95 within 2.5, which 400 runs tell with 99 %
    assert found["frames"] < 20
    assert found["percentile"] < found["posebench"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [20, 60, 240])
@pytest.mark.parametrize("case", make_coverage.CASES, ids=lambda case: case.name)
def test_ninety_five_of_a_hundred_intervals_hold_the_truth(case, size: int) -> None:
    found = make_coverage.coverage(case, max(size, 30) if case.actions else size, runs=2000)
    # What falls short of 100 % by a skewed amount is held a little less often, by every method (docs/statistics.md).
    assert (92 if case.means == "shares" else 93) <= found["posebench"] <= 97
    assert found["frames"] < 30
