"""Metrics of joints in a tidy table: one row per pose and joint, predicted and true coordinates side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.metrics.evaluate import metrics_per_pose, per_pose
from posebench.poses import PoseSet
from posebench.skeletons import Skeleton, get_skeleton

if TYPE_CHECKING:
    import pandas as pd

_TO_MM = {"mm": 1.0, "m": 1000.0}


def score_dataframe(
    table: pd.DataFrame,
    *,
    unit: str,
    pose: str | Sequence[str] = "frame",
    joint: str = "joint",
    pred: Sequence[str] = ("x", "y", "z"),
    gt: Sequence[str] = ("x_gt", "y_gt", "z_gt"),
    by: str | Sequence[str] = (),
    metrics: Sequence[str] = ("MPJPE", "NMPJPE", "PMPJPE"),
    skeleton: str | Skeleton = "h36m17",
    root: str | None = None,
) -> pd.DataFrame:
    """Metrics of a table of joints, over all of it or per group.

    Parameters
    ----------
    table : DataFrame
        One row for each joint of each pose, in any order. A joint whose true coordinates are missing (NaN, or no row)
        counts for nothing.
    unit : {"mm", "m"}
        Of the coordinates; distances come out in mm.
    pose : str or sequence of str
        Columns that together name a pose, as in ``["sequence", "frame"]``; those of `by` belong to it too.
    joint : str
        Column with the names of joints of the skeleton.
    pred, gt : sequence of three str
        Columns of the coordinates.
    by : str or sequence of str
        Columns to group by, as in ``"action"``.
    metrics : sequence of str
        Spellings of metrics that have a value for each pose.
    skeleton : str or Skeleton
    root : str, optional
        Name of the joint that both sides are centred on; the skeleton's root by default.

    Returns
    -------
    DataFrame
        One row per group, indexed by the columns of `by` (one row "all" without): the number of ``poses`` and a column
        per metric, the mean over the poses that it can be taken of, NaN where there is none.

    Raises
    ------
    InputError
        If a column, or a predicted joint whose truth is known, is missing; if a pose has a joint twice.
    UsageError
        If the unit, a metric, the skeleton or a joint is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"action": ["sit", "sit", "walk", "walk"], "frame": [1, 1, 2, 2]})
    >>> table["joint"] = ["pelvis", "head"] * 2
    >>> table[["x_gt", "y_gt", "z_gt"]] = [[0, 0, 0], [0, 600, 0]] * 2
    >>> table[["x", "y", "z"]] = [[0, 0, 0], [0, 600, 40], [5, 0, 0], [5, 600, 0]]
    >>> score_dataframe(table, unit="mm", by="action", metrics=["MPJPE"]).reset_index().values.tolist()
    [['sit', 1, 20.0], ['walk', 1, 0.0]]
    """
    import pandas as pd

    if unit not in _TO_MM:
        raise UsageError(f"unit is {unit!r}, expected one of {', '.join(_TO_MM)}")
    if not isinstance(table, pd.DataFrame):
        raise InputError(f"the table is a {type(table).__name__}, expected a pandas DataFrame")
    groups, names = _names(by), _names(pose)
    chosen = metrics_per_pose(metrics)
    if not names:
        raise UsageError("pose is empty, expected the columns that together name a pose, as in ['sequence', 'frame']")
    if joint in (*groups, *names):
        raise UsageError(
            f"column {joint!r} holds the joints, so a pose of it would be one joint; for values per joint use "
            "posebench.score and report.by('joint')"
        )
    taken = [column for column in groups if column in ("poses", *(metric.key for metric in chosen))]
    if taken:
        raise UsageError(f"the result has a column {taken[0]!r} of its own; rename that of the table to group by it")
    body = get_skeleton(skeleton)
    if len(pred) != 3 or len(gt) != 3:
        raise UsageError(f"pred is {tuple(pred)!r} and gt {tuple(gt)!r}, expected three columns each: x, y and z")
    lacking = [column for column in (*groups, *names, joint, *pred, *gt) if column not in table.columns]
    if lacking:
        raise InputError(
            f"the table has no column {lacking[0]!r}; its columns are {', '.join(map(str, table.columns))}"
        )
    for column in (*groups, *names, joint, *pred, *gt):
        if list(table.columns).count(column) > 1:
            raise InputError(f"the table has {list(table.columns).count(column)} columns {column!r}; rename the others")
    if not len(table):
        raise InputError("the table holds no rows")
    unknown = sorted({str(name) for name in table[joint].unique()} - set(body.joints))
    if unknown:
        raise InputError(
            f"joint {unknown[0]!r} is not one of skeleton {body.name}: {', '.join(body.joints)}; rename the joints, or "
            "pass skeleton="
        )
    key = list(dict.fromkeys([*groups, *names]))
    rows = table.groupby(key, sort=False, dropna=False).ngroup().to_numpy()
    columns = table[joint].map({name: j for j, name in enumerate(body.joints)}).to_numpy(np.int64)
    twice = pd.Series(rows * len(body) + columns).duplicated().to_numpy()
    if twice.any():
        at = table.iloc[int(np.flatnonzero(twice)[0])]
        raise InputError(f"pose {_said(at, key)} has joint {at[joint]!r} twice; name its pose by more columns: pose=")
    n = int(rows.max()) + 1
    sides = [np.full((n, len(body), 3), np.nan) for _ in range(2)]
    for side, of in zip(sides, (pred, gt), strict=True):
        side[rows, columns] = _numbers(table, of) * _TO_MM[unit]
    valid = np.isfinite(sides[1]).all(2)
    firsts = np.unique(rows, return_index=True)[1]
    gone = valid & ~np.isfinite(sides[0]).all(2)
    if gone.any():
        row, column = np.argwhere(gone)[0]
        raise InputError(
            f"pose {_said(table.iloc[int(firsts[row])], key)} has no prediction of joint {body.joints[column]!r}, "
            "whose truth is known; predict it, or leave out its truth"
        )
    p, g = (PoseSet(np.nan_to_num(side), unit="mm", reference="camera", skeleton=body) for side in sides)
    at_root = body.root if root is None else body.index(root)
    values = per_pose(p, g, list(metrics), root=at_root, valid=valid)
    found = table.iloc[firsts][groups].reset_index(drop=True) if groups else pd.DataFrame(index=range(n))
    found = found.assign(poses=1, **{metric.key: values[metric.key] for metric in chosen})
    if not groups:
        found, groups = found.assign(group="all"), ["group"]
    grouped = found.groupby(groups, dropna=False)
    result = grouped[[metric.key for metric in chosen]].mean()
    result.insert(0, "poses", grouped["poses"].sum())
    return result


def _names(columns: str | Sequence[str]) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)


def _numbers(table: pd.DataFrame, columns: Sequence[str]) -> npt.NDArray[np.float64]:
    try:
        if not any(np.iscomplexobj(table[column]) for column in columns):
            return table[list(columns)].to_numpy(np.float64)
        raise TypeError
    except (TypeError, ValueError):
        raise InputError(f"columns {', '.join(columns)} hold something other than numbers") from None


def _said(row: Any, key: Sequence[str]) -> str:
    """A pose by its keys."""
    return ", ".join(f"{name}={row[name]}" for name in key)


__all__ = ["score_dataframe"]
