"""Figure 4: PSS of the pairs is what plain NumPy finds, and every form of the table says the same numbers."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from posebench.banks import ClusterBank
from posebench.drawing import figure_bytes
from posebench.errors import InputError, UsageError
from posebench.figures import figure4
from posebench.figures.pairs import Changes
from posebench.poses import PoseSet
from posebench.report.terminal import plain_text_of

LEVELS = (20.0, 60.0)


@pytest.fixture(scope="module")
def found(gt: PoseSet, banks: list[ClusterBank]) -> figure4.Figure4:
    return figure4.measure(gt, banks, levels=LEVELS, seed=3)


def nearest(poses: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Nearest centres of root-centred poses divided by their norm."""
    unit = np.array([(pose - pose[0]) / np.sqrt(((pose - pose[0]) ** 2).sum()) for pose in poses])
    return np.array([np.argmin([((pose - centre) ** 2).sum() for centre in centres]) for pose in unit])


@pytest.mark.parametrize("which", [0, 1])
def test_the_scores_are_those_of_plain_nearest_centres(found, gt, banks, which: int) -> None:
    changes = Changes(np.asarray(gt.poses, float), gt.skeleton, seed=3)
    centres = banks[which].centres
    for level in found.levels:
        pairs = changes.at(level.mpjpe)
        right = nearest(gt.poses[pairs.rows], centres)
        structure, noise = (nearest(side, centres) == right for side in (pairs.structural, pairs.noisy))
        score = level.scores[which]
        assert score.structure.value == pytest.approx(100 * structure.mean())
        assert score.noise.value == pytest.approx(100 * noise.mean())
        assert score.difference.value == pytest.approx(100 * (noise.mean() - structure.mean()))
        assert score.only_noise == pytest.approx(100 * (noise & ~structure).mean())
        assert score.only_structure == pytest.approx(100 * (structure & ~noise).mean())
        assert 0 < score.structure.value < 100  # or the test would show nothing


def test_both_mpjpes_agree_and_every_pose_is_accounted_for(found, gt) -> None:
    for level in found.levels:
        assert level.mpjpe_structure == pytest.approx(level.mpjpe, abs=1e-6)
        assert level.mpjpe_noise == pytest.approx(level.mpjpe, abs=1e-6)
        assert level.largest_difference < 0.1
        assert level.pairs + level.left_out == found.poses == len(gt)


def test_intervals_hold_their_means_and_need_sequences(found, gt, banks) -> None:
    for level in found.levels:
        for estimate in (level.scores[0].structure, level.scores[0].noise, level.scores[0].difference):
            low, high = estimate.ci95
            assert low < estimate.value < high
    alone = figure4.measure(gt.replace(sequence=None), banks[:1], levels=[20.0], drawn=[])
    assert alone.levels[0].scores[0].noise.ci95 is None
    assert "[–]" in plain_text_of(figure4.table(alone))


def test_the_rows_are_pairs_that_the_first_bank_tells_apart(found) -> None:
    assert [row.mpjpe for row in found.rows] == list(figure4.DRAWN)
    assert all(row.held[0] == (False, True) for row in found.rows)
    assert all(row.name.startswith("walk") for row in found.rows)
    assert len({row.name for row in found.rows}) == len(found.rows)
    for row in found.rows:
        for pose, stated in ((row.structural, row.mpjpe_structure), (row.noisy, row.mpjpe_noise)):
            distance = np.linalg.norm(pose - row.reference, axis=1).mean()
            assert (distance, stated) == (pytest.approx(row.mpjpe, abs=0.05), pytest.approx(row.mpjpe, abs=0.05))


def test_where_no_pair_is_told_apart_the_first_is_drawn(gt) -> None:
    halves = np.concatenate([gt.poses, -gt.poses])  # two centres far apart, which 5 mm do not change
    bank = ClusterBank.build(halves, k=2)
    found = figure4.measure(gt, [bank], levels=[], drawn=[0.001])
    assert found.rows[0].held == ((True, True),)
    assert found.rows[0].name == "walk0, frame 0, cam1"


def test_pairs_say_how_many_poses_are_taken(gt, banks) -> None:
    found = figure4.measure(gt, banks[:1], pairs=30, levels=[20.0], drawn=[])
    assert (found.poses, found.levels[0].pairs) == (30, 30)
    assert found.source == "30 of 240 poses of gt.npz"


def test_the_figure_has_three_poses_in_each_row_and_says_what_was_chosen(found) -> None:
    figure = figure4.draw(found)
    texts = [text.get_text() for text in (*figure.texts, *figure.axes[0].texts)]
    assert len(figure.axes[0].collections) == 9
    assert sum("MPJPE 53.00 mm" in text for text in texts) == 2
    level = found.drawn[0]
    assert f"at 35 mm so are {level.scores[0].only_noise:.1f} % of {level.pairs} pairs" in texts[0]
    assert figure_bytes(figure, "png") == figure_bytes(figure4.draw(found), "png")


def test_a_figure_without_rows_is_refused(gt, banks) -> None:
    with pytest.raises(UsageError, match="no row to draw"):
        figure4.draw(figure4.measure(gt, banks, levels=[20.0], drawn=[]))


# The table


def test_the_markdown_holds_every_number_for_people(found, banks) -> None:
    text = figure4.table_text(found, ".md")
    assert f"bank people-k6, k = 6, sha256 {banks[0].sha256[:12]}, split: all" in text
    for level in found.levels:
        score = level.scores[1]
        low, high = score.noise.ci95
        assert f"{score.noise.value:.1f} \\[{low:.1f}, {high:.1f}\\]" in text


def test_the_csv_holds_every_number_whole(found, banks) -> None:
    text = figure4.table_text(found, ".csv")
    rows = list(csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#")))
    assert len(rows) == len(LEVELS) * len(banks) * 3
    first = next(row for row in rows if row["bank"] == "people-k12" and row["quantity"] == "PSS of structure")
    score = found.levels[0].scores[1].structure
    assert (float(first["value"]), float(first["ci95_low"]), float(first["mpjpe_mm"])) == (
        score.value, score.ci95[0], 20.0,
    )  # fmt: skip
    assert first["bank_sha256"] == banks[1].sha256


def test_the_json_holds_the_numbers_and_the_poses(found) -> None:
    data = json.loads(figure4.table_text(found, ".json"))
    assert data["schema"] == "posebench.figure4/1"
    assert [level["scores"][0]["noise"]["value"] for level in data["levels"]] == [
        level.scores[0].noise.value for level in found.levels
    ]
    np.testing.assert_array_equal(data["rows"][1]["structural"], found.rows[1].structural)
    assert data["rows"][1]["held"][0] == {"bank": "people-k6", "structure": False, "noise": True}


def test_the_same_call_gives_the_same_bytes(found, gt, banks) -> None:
    again = figure4.measure(gt, banks, levels=LEVELS, seed=3)
    for suffix in figure4.TABLE_ENDINGS:
        assert figure4.table_text(again, suffix) == figure4.table_text(found, suffix)


# Refused


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pairs": 0}, "the number of pairs is 0"),
        ({"levels": [-1.0]}, "an MPJPE is -1 mm, expected a positive number"),
        ({"levels": [float("nan")]}, "an MPJPE is nan mm"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_numbers_out_of_range_are_refused(gt, banks, options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        figure4.measure(gt, banks, **options)


def test_banks_are_one_or_more_of_different_names(gt, banks) -> None:
    with pytest.raises(UsageError, match="needs a bank"):
        figure4.measure(gt, [])
    with pytest.raises(UsageError, match="a bank stands twice among people-k6, people-k6"):
        figure4.measure(gt, [banks[0], banks[0]])


def test_an_mpjpe_that_no_limb_reaches_is_refused(gt, banks) -> None:
    with pytest.raises(InputError, match="no pose gets to an MPJPE of 900 mm by one limb"):
        figure4.measure(gt, banks, levels=[900.0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": "scale-free"}, "its unit is scale-free, expected mm"),
        ({"reference": "world"}, "is in the world reference, but bank people-k6 takes poses in the camera reference"),
    ],
)
def test_poses_that_a_bank_or_mpjpe_cannot_take_are_refused(gt, banks, changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        figure4.measure(gt.replace(**changes), banks, levels=[20.0])
