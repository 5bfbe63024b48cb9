"""Figure 5: the poses lie where t-SNE puts them, in the colours of their nearest centres, the same each time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from posebench.drawing import figure_bytes
from posebench.errors import InputError, UsageError
from posebench.figures import figure5
from posebench.poses import PoseSet

K = 3


@pytest.fixture(scope="module")
def found(gt: PoseSet) -> figure5.Figure5:
    return figure5.measure(gt, k=K, poses=60)


def test_poses_have_the_label_of_their_nearest_centre(found, gt) -> None:
    poses = gt.poses[::4] - gt.poses[::4, :1]
    unit = poses / np.linalg.norm(poses, axis=(1, 2), keepdims=True)
    distances = np.linalg.norm(unit[:, None] - found.bank.centres[None], axis=(2, 3))
    assert found.labels.tolist() == distances.argmin(1).tolist()


def test_poses_of_a_cluster_lie_together(gt) -> None:
    # Two crowds that have nothing in common, in turns.
    rng = np.random.default_rng(0)
    shapes = np.concatenate([gt.poses[:1] - gt.poses[0, 0], gt.poses[0, 0] - gt.poses[:1]])
    crowd = np.tile(shapes, (20, 1, 1)) + rng.normal(0, 5, (40, 17, 3))
    found = figure5.measure(PoseSet(crowd, skeleton="h36m17", reference="camera"), k=2)
    assert found.labels.tolist() in ([0, 1] * 20, [1, 0] * 20)
    middles = np.stack([found.positions[found.labels == cluster].mean(0) for cluster in (0, 1)])
    nearer = np.linalg.norm(found.positions[:, None] - middles, axis=2).argmin(1)
    assert nearer.tolist() == found.labels.tolist()


def test_the_same_poses_are_laid_out_the_same(found, gt) -> None:
    again = figure5.measure(gt, k=K, poses=60)
    assert (again.positions == found.positions).all()
    assert figure_bytes(figure5.draw(again), "png") == figure_bytes(figure5.draw(found), "png")


def test_the_marks_have_the_colours_of_their_clusters_and_the_centres_stand_below(found) -> None:
    figure = figure5.draw(found)
    plane, legend = figure.axes
    for cluster, marks in enumerate(plane.collections):
        np.testing.assert_array_equal(marks.get_offsets(), found.positions[found.labels == cluster])
        assert to_hex(marks.get_facecolor()[0]) == figure5.COLOURS[cluster]
        assert legend.lines[cluster].get_color() == figure5.COLOURS[cluster]
    shares = [100 * float((found.labels == cluster).mean()) for cluster in range(K)]
    assert [text.get_text() for text in legend.texts] == [f"{c}\n{share:.1f} %" for c, share in enumerate(shares)]
    assert len(legend.collections) == K


def test_more_clusters_than_colours_differ_in_their_marks(gt) -> None:
    figure = figure5.draw(figure5.measure(gt, k=12, poses=60))
    marks = [
        (marks.get_facecolor()[0].tobytes(), marks.get_paths()[0].vertices.tobytes())
        for marks in figure.axes[0].collections
    ]
    assert len(set(marks)) == 12


def test_a_cluster_without_poses_has_no_number_in_the_plane(found) -> None:
    figure = figure5.draw(replace(found, labels=np.zeros_like(found.labels)))
    assert [text.get_text() for text in figure.axes[0].texts] == ["0"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 1}, "the number of clusters is 1, expected one from 2 to 60"),
        ({"k": 61}, "the number of clusters is 61"),
        ({"poses": 9}, "the number of poses is 9, expected one from 10 to 20000"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_numbers_out_of_range_are_refused(gt, options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        figure5.measure(gt, **options)


def test_too_few_poses_are_refused(gt) -> None:
    with pytest.raises(InputError, match=r"gt.npz: has 9 poses that can be laid out, expected 10 or more"):
        figure5.measure(gt[:9])
