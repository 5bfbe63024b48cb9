"""Figure 5: normalised poses, laid out in the plane by t-SNE and coloured by cluster, with the clusters' centres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.figures import Say, silent
from posebench.figures.material import pick
from posebench.poses import PoseSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from posebench.banks import ClusterBank
    from posebench.skeletons import Skeleton

Floats = npt.NDArray[np.float64]

K = 10
POSES = 2000
MOST_POSES = 20_000
#: Neighbours that t-SNE takes each pose to have; fewer where there are few poses.
PERPLEXITY = 30.0
FEWEST_POSES = 10

#: Ten colours that also colour-blind readers tell apart as far as ten can be (Petroff, Accessible color sequences for
#: data visualization, 2021); further clusters have them again with another mark.
COLOURS = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)
MARKS = "os^DvP"

#: Inches.
_SIDE, _CELL, _PER_ROW = 6.0, 0.66, 10


@dataclass(frozen=True)
class Figure5:
    """Positions (n, 2) of poses in the plane, their clusters (n,), and the bank that was built of them."""

    source: str
    notes: tuple[str, ...]
    positions: Floats
    labels: npt.NDArray[np.int64]
    bank: ClusterBank
    skeleton: Skeleton
    perplexity: float
    seed: int
    #: Kullback-Leibler divergence that t-SNE was left with.
    divergence: float


def measure(gt: PoseSet, *, k: int = K, poses: int = POSES, seed: int = 0, say: Say = silent) -> Figure5:
    """Cluster poses as banks are clustered, and lay them out by t-SNE.

    Parameters
    ----------
    gt : PoseSet
        Of a known skeleton and reference, in any unit.
    k : int
        Number of clusters.
    poses : int
        Most poses, taken evenly.
    seed : int
        Of k-means and of t-SNE, which starts from the two principal components.
    say : callable
        Told of work that takes seconds.

    Returns
    -------
    Figure5
        The same for the same poses and versions on one machine: everything runs on one thread.

    Raises
    ------
    UsageError
        If a number is out of range.
    InputError
        If there are too few poses, or a joint that is not masked is not finite.

    References
    ----------
    Van der Maaten and Hinton, Visualizing data using t-SNE, Journal of Machine Learning Research 9, 2008.

    Examples
    --------
    >>> gt = PoseSet(np.random.default_rng(0).normal(size=(30, 17, 3)), skeleton="h36m17", reference="camera")
    >>> found = measure(gt, k=3)
    >>> found.positions.shape, sorted(set(found.labels.tolist()))
    ((30, 2), [0, 1, 2])
    """
    from posebench.banks import ClusterBank

    most_clusters = len(COLOURS) * len(MARKS)
    if not 2 <= k <= most_clusters:
        raise UsageError(f"the number of clusters is {k}, expected one from 2 to {most_clusters}")
    if not FEWEST_POSES <= poses <= MOST_POSES:
        raise UsageError(f"the number of poses is {poses}, expected one from {FEWEST_POSES} to {MOST_POSES}")
    if not 0 <= seed < 2**32:
        raise UsageError(f"the seed is {seed}, expected one from 0 to 2^32 - 1")
    material = pick(gt, poses)
    n = len(material.poses)
    if n < FEWEST_POSES:
        raise InputError(f"{gt.source}: has {n} poses that can be laid out, expected {FEWEST_POSES} or more")
    say(f"clustering {n} poses")
    bank = ClusterBank.build(material.poses, k=k, skeleton=material.skeleton, seed=seed)
    labels = bank.assign(material.poses)
    perplexity = min(PERPLEXITY, (n - 1) / 3)
    say(f"laying out {n} poses by t-SNE")
    positions, divergence = _laid_out(bank.layout.normalise(material.poses.poses).rows, perplexity, seed)
    return Figure5(
        material.words, gt.notes, positions, labels, bank, material.skeleton, perplexity, seed, float(divergence)
    )


def _laid_out(rows: Floats, perplexity: float, seed: int) -> tuple[Floats, float]:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    # Sums over threads depend on their number.
    with threadpool_limits(limits=1):
        tsne = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
        positions = tsne.fit_transform(rows)
    return np.asarray(positions, np.float64), float(tsne.kl_divergence_)


def draw(found: Figure5, *, up: str | None = None) -> Figure:
    """Poses as marks in the colour of their cluster, with the centres, their numbers and shares below.

    Parameters
    ----------
    found : Figure5
    up : {"-y", "y", "z", "-z"}, optional
        The axis that points up; by default that of the poses' reference.

    Raises
    ------
    UsageError
        If there is no such axis.
    """
    from posebench.drawing import Grid, heading_height, new_figure, plain_style, put_heading, put_sides, view_of

    bank, k = found.bank, found.bank.k
    colours = [COLOURS[cluster % len(COLOURS)] for cluster in range(k)]
    counts = np.bincount(found.labels, minlength=k)
    legend = Grid(
        bank.centres,
        found.skeleton,
        [f"{cluster}\n{share:.1f} %" for cluster, share in enumerate(100 * counts / counts.sum())],
        columns=min(k, _PER_ROW),
        cell=_CELL,
        view=view_of(bank.layout.reference, up),
    )
    heading = f"t-SNE of {len(found.labels)} normalised poses in {k} clusters"
    above, beside, below = heading_height(heading), 0.35, 0.25
    with plain_style():
        figure = new_figure(_SIDE + 2 * beside, above + _SIDE + 0.15 + legend.height + below)
        put_heading(figure, heading)
        width, height = figure.get_size_inches()
        axes = figure.add_axes((beside / width, 1 - (above + _SIDE) / height, _SIDE / width, _SIDE / height))
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xticks([])
        axes.set_yticks([])
        for cluster in range(k):
            members = found.positions[found.labels == cluster]
            axes.scatter(
                members[:, 0],
                members[:, 1],
                s=9,
                c=colours[cluster],
                marker=MARKS[cluster // len(COLOURS)],
                linewidths=0,
                alpha=0.85,
                rasterized=True,
            )
        for cluster in range(k):
            members = found.positions[found.labels == cluster]
            if len(members):
                # The pose in the midst of the others: clusters are no discs.
                middle = members[np.linalg.norm(members - np.median(members, axis=0), axis=1).argmin()]
                axes.text(
                    float(middle[0]),
                    float(middle[1]),
                    str(cluster),
                    ha="center",
                    va="center",
                    fontsize=9,
                    weight="bold",
                    bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": colours[cluster], "lw": 1.5},
                )
        left, top = (width - legend.width) / 2, above + _SIDE + 0.15
        grid = legend.place(figure, left, top)
        for cluster in range(k):
            x, y = legend.corner(cluster)
            mark = MARKS[cluster // len(COLOURS)]
            grid.plot(x + 0.1, y - 0.1, marker=mark, color=colours[cluster], markersize=6, linestyle="none")
        put_sides(figure, found.skeleton)
    return figure


__all__ = ["COLOURS", "MARKS", "POSES", "Figure5", "K", "draw", "measure"]
