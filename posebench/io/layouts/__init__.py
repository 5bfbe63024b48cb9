"""Layouts of other projects inside the containers that posebench reads, told apart by the names in a file.

The readers of .npz, .npy, .pkl and .json ask here when a file has no `poses`: `by_names` with the names at its top,
`by_items` with the items of a bare list. A further layout is a module beside this one and a line in one of the two.
MATLAB's files have a layout of their own, `mpi_inf_3dhp`, which their reader asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from posebench.io.facts import Facts
from posebench.io.layouts import annotation_lists, integral, mmpose, videopose3d
from posebench.io.layouts.common import Reading

__all__ = ["Layout", "Reading", "by_items", "by_names"]


#: Readers look at numbers of damaged files too; what is not finite is no reason to warn.
_quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")


@dataclass(frozen=True)
class Layout:
    """How one layout is read: the names that it needs out of the file, and the reader that takes them."""

    names: tuple[str, ...]
    read: Callable[[Mapping[str, Any], Reading], Facts]
    #: Names whose arrays may be pickled objects.
    pickled: tuple[str, ...] = ()
    #: Names whose lists are arrays where the container has no arrays, as in JSON.
    arrays: tuple[str, ...] = ()


_NAMED: tuple[tuple[Callable[[Collection[str]], bool], Layout], ...] = (
    (
        lambda names: "positions_3d" in names,
        Layout(("positions_3d",), _quiet(videopose3d.read_positions), pickled=("positions_3d",)),
    ),
    (lambda names: "positions_2d" in names, Layout((), videopose3d.refuse_2d)),
    (
        lambda names: "imgname" in names and "S" in names,
        Layout(("imgname", "S"), _quiet(mmpose.read_annotations), pickled=("imgname",), arrays=("S",)),
    ),
    (lambda names: "instance_info" in names, Layout(("instance_info", "meta_info"), _quiet(mmpose.read_instance_info))),
    (
        lambda names: any(name in names for name in integral.JOINTS),
        Layout(
            integral.LOADED, _quiet(integral.read_uvd), arrays=(*integral.JOINTS, "valid", "intrinsics", "root_depth")
        ),
    ),
)

_LISTED: tuple[tuple[str, Callable[[list[Any], Reading], Facts]], ...] = (
    ("pred_instances", _quiet(mmpose.read_dump)),
    ("instances", _quiet(mmpose.read_frames)),
    ("preds", _quiet(mmpose.read_batches)),
    ("keypoints", _quiet(mmpose.read_results)),
    ("joints_3d", _quiet(annotation_lists.read_list)),
)


def by_names(names: Collection[str]) -> Layout | None:
    """The layout of a file that has these names at its top; None for a file with `poses`, or of no known layout.

    Examples
    --------
    >>> by_names(["positions_3d"]).names
    ('positions_3d',)
    >>> by_names(["poses", "positions_3d"])
    """
    if "poses" in names:
        return None
    return next((layout for fits, layout in _NAMED if fits(names)), None)


def by_items(items: list[Any]) -> Callable[[list[Any], Reading], Facts] | None:
    """The reader of a bare list whose first item is a dict of a known layout; None for any other list.

    Examples
    --------
    >>> by_items([{"pred_instances": {}}]).__name__
    'read_dump'
    """
    if not items or not isinstance(items[0], dict):
        return None
    return next((read for name, read in _LISTED if name in items[0]), None)
