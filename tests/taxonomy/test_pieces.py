"""Explained in pieces, merged in any way, by any number of threads: the same shares as in one go."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from posebench.errors import InputError, UsageError
from posebench.taxonomy.state import windows
from tests.taxonomy.conftest import clip


@pytest.fixture(scope="module")
def pair(moving) -> tuple[pb.PoseSet, pb.PoseSet]:
    """Two sequences with a gap in one of them."""
    rng = np.random.default_rng(2)
    wrong = moving + rng.normal(0, 30, (1, 17, 3)) + rng.normal(0, 15, moving.shape)
    frame = np.concatenate([np.arange(150), np.arange(160, 260), np.arange(150)])
    keys = {"sequence": ["walk"] * 250 + ["run"] * 150, "action": ["A"] * 250 + ["B"] * 150}
    return clip(wrong, frame, **keys), clip(moving, frame, **keys)


@pytest.fixture(scope="module")
def whole(pair) -> pb.Explanation:
    return pb.explain(*pair)


def same(one: pb.Explanation, other: pb.Explanation) -> None:
    assert (one.frames, one.consecutive, one.swapped, one.torn) == (
        other.frames, other.consecutive, other.swapped, other.torn
    )  # fmt: skip
    for name, fault in one.faults.items():
        for kind in ("mm", "squared", "left"):
            assert getattr(fault, kind) == pytest.approx(getattr(other.faults[name], kind), rel=1e-9, abs=1e-9)
    assert one.by("action").keys() == other.by("action").keys()
    for key, shares in one.by("action").items():
        assert shares == pytest.approx(other.by("action")[key], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("rows", [1, 7, 64, 399])
def test_pieces_in_any_order_give_the_whole(pair, whole, rows) -> None:
    pieces = [slice(start, start + rows) for start in range(0, 400, rows)]
    scorer = pb.Scorer(metrics=["MPJPE"], explain=True)
    for n in np.random.default_rng(rows).permutation(len(pieces)):
        scorer.update(pair[0][pieces[n]], pair[1][pieces[n]])
    same(scorer.report().explanation, whole)


def test_frames_dealt_out_to_scorers_in_turn_merge_to_the_whole(pair, whole) -> None:
    scorers = [pb.Scorer(metrics=["MPJPE"], explain=True) for _ in range(3)]
    for n, scorer in enumerate(scorers):
        scorer.update(pair[0][n::3], pair[1][n::3])
    scorers[0].merge(scorers[2])
    scorers[0].merge(scorers[1])
    same(scorers[0].report().explanation, whole)


def test_a_report_in_between_changes_nothing_that_comes_after(pair, whole) -> None:
    scorer = pb.Scorer(metrics=["MPJPE"], explain=True)
    for start in range(0, 400, 90):
        scorer.update(*(side[start : start + 90] for side in pair))
        scorer.report()
    same(scorer.report().explanation, whole)


def test_what_waits_is_bounded_by_the_ends_of_runs(pair) -> None:
    scorer = pb.Scorer(metrics=["MPJPE"], explain=True)
    scorer.update(*(side[:150] for side in pair))
    reach = scorer._explained.state.reach
    assert reach == 12
    assert len(scorer._explained.state.waiting) == 4 * reach


@pytest.mark.parametrize("threads", ["1", "3"])
def test_threads_and_chunks_make_no_difference(pair, whole, threads, monkeypatch) -> None:
    monkeypatch.setenv("POSEBENCH_THREADS", threads)
    monkeypatch.setattr("posebench.scoring.explaining.map_chunks", lambda f, n: map(f, [slice(0, 33), slice(33, n)]))
    same(pb.explain(*pair), whole)


def test_a_frame_that_comes_twice_is_refused_and_leaves_the_scorer_as_it_was(pair) -> None:
    scorer = pb.Scorer(metrics=["MPJPE"], explain=True)
    scorer.update(*(side[:100] for side in pair))
    before = scorer.report()
    with pytest.raises(InputError, match="stands twice in one sequence"):
        scorer.update(*(side[95:120] for side in pair))
    after = scorer.report()
    assert after.explanation == before.explanation
    assert after.metrics == before.metrics


def test_scorers_that_explain_do_not_merge_with_others(pair) -> None:
    one, other = pb.Scorer(metrics=["MPJPE"], explain=True), pb.Scorer(metrics=["MPJPE"])
    with pytest.raises(UsageError, match="explain"):
        one.merge(other)


def test_pieces_of_another_frame_rate_do_not_merge(pair) -> None:
    scorer = pb.Scorer(metrics=["MPJPE"], explain=True)
    scorer.update(*(side[:100] for side in pair))
    with pytest.raises(UsageError, match="explained differently"):
        scorer.update(*(side[100:].replace(fps=10) for side in pair))


def test_a_window_ends_at_gaps_and_at_other_sequences() -> None:
    numbers, cells = np.array([0, 1, 2, 5, 6, 7, 0, 1]), np.array([0, 0, 0, 0, 0, 0, 1, 1])
    first, last = windows(cells, numbers, 2)
    assert first.tolist() == [0, 0, 0, 3, 3, 3, 6, 6]
    assert last.tolist() == [2, 2, 2, 5, 5, 5, 7, 7]
