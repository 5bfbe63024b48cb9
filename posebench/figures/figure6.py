"""Figure 6: the centres of a bank as skeletons, each with its number and its share of the poses that were clustered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from posebench.drawing import restricted
from posebench.errors import UsageError
from posebench.report.content import clean
from posebench.skeletons import Skeleton, get_skeleton, named_skeleton

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from posebench.banks import ClusterBank

ORDERS = ("size", "number")
COLUMNS = 10


@dataclass(frozen=True)
class Figure6:
    """The numbers (k,) of a bank's centres in the order in which they are drawn, and their shares (k,) in percent."""

    bank: ClusterBank
    skeleton: Skeleton
    order: str
    numbers: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64]


def measure(bank: ClusterBank, *, order: str = "size", skeleton: str | Path | Skeleton | None = None) -> Figure6:
    """Number and share of each centre.

    Parameters
    ----------
    bank : ClusterBank
    order : {"size", "number"}
        The largest cluster first, of equal ones the lower number; or as the bank numbers them.
    skeleton : str, path or Skeleton, optional
        Whose bones to draw; by default the skeleton that the bank names.

    Raises
    ------
    UsageError
        If there is no such order, or the skeleton is not known or lacks the bank's joints.

    Examples
    --------
    >>> from posebench.banks import ClusterBank
    >>> bank = ClusterBank.build(np.random.default_rng(0).normal(size=(200, 17, 3)), k=5)
    >>> found = measure(bank)
    >>> round(float(found.shares.sum()), 6), bool((np.diff(found.shares) <= 0).all())
    (100.0, True)
    """
    if order not in ORDERS:
        raise UsageError(f"order is {order!r}, expected one of {', '.join(ORDERS)}")
    sizes = np.array(bank.card.cluster_sizes, np.int64)
    numbers = np.argsort(-sizes, kind="stable") if order == "size" else np.arange(bank.k)
    return Figure6(bank, skeleton_of(bank, skeleton), order, numbers, 100 * sizes[numbers] / sizes.sum())


def skeleton_of(bank: ClusterBank, skeleton: str | Path | Skeleton | None = None) -> Skeleton:
    """The bank's joints with the bones of a skeleton, by default of the one that the bank names.

    Raises
    ------
    UsageError
        If the skeleton is not known or lacks a joint.
    """
    if skeleton is not None:
        return restricted(get_skeleton(skeleton), bank.layout.joints)
    try:
        whole = named_skeleton(bank.layout.skeleton)  # the name comes from a file, so it never means one
    except UsageError:
        raise UsageError(
            f"bank {bank.name} is of skeleton {bank.layout.skeleton!r}, whose bones posebench does not know; give its "
            ".yaml file with --skeleton"
        ) from None
    return restricted(whole, bank.layout.joints)


def draw(found: Figure6, *, up: str | None = None) -> Figure:
    """The centres in a grid, to one scale.

    Parameters
    ----------
    found : Figure6
    up : {"-y", "y", "z", "-z"}, optional
        The axis that points up; by default that of the bank's reference.

    Raises
    ------
    UsageError
        If there is no such axis.
    """
    from posebench.drawing import draw_grid, view_of

    card = found.bank.card
    order = "largest first" if found.order == "size" else "in the bank's order"
    heading = (
        f"{clean(card.name)}: {card.k} centres of {card.poses.used} poses, {card.layout.reference} reference\n"
        f"number and share of the poses, {order}"
    )
    return draw_grid(
        found.bank.centres[found.numbers],
        found.skeleton,
        titles=[f"{number}\n{share:.1f} %" for number, share in zip(found.numbers, found.shares, strict=True)],
        columns=COLUMNS,
        cell=0.8,
        view=view_of(card.layout.reference, up),
        heading=heading,
    )


__all__ = ["ORDERS", "Figure6", "draw", "measure", "skeleton_of"]
