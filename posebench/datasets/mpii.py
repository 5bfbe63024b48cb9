"""MPII Human Pose: the annotations for those who have them, and head sizes for `posebench.pckh`, its metric.

M. Andriluka et al., CVPR 2014; human-pose.mpi-inf.mpg.de. Three kinds of files are read:

- `mpii_human_pose_v1_u12_1.mat`, the release: everybody in every image, with head boxes for the training set;
- `train.json`, `valid.json`, `trainval.json`, `test.json`, the lists of simple baselines and many after it: no boxes;
- `gt_valid.mat` beside them: the same people as in valid.json, in their order, with the boxes.

Coordinates are pixels as the files have them: MATLAB's, the first pixel is 1.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.datasets import children, mpii_child
from posebench.errors import InputError, UsageError
from posebench.io.array_file import read_bytes
from posebench.io.facts import brief
from posebench.metrics.head import PCKH_JOINTS, pckh

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

#: To be cited wherever results on the data are.
MPII_ATTRIBUTION = (
    "M. Andriluka, L. Pishchulin, P. Gehler, B. Schiele: 2D Human Pose Estimation: New Benchmark and State of the Art "
    "Analysis. CVPR 2014."
)
#: Under which terms.
MPII_LICENCE = "Simplified BSD for annotations and code, images for research (human-pose.mpi-inf.mpg.de)"
#: What the diagonal of a head box is multiplied with (util_get_head_size.m of evalMPII: 0.8 times 0.75).
HEAD_BIAS = 0.6

_JOINTS = 16
_LIST_LIMIT = 512 * 2**20
#: The release is a struct for every point of every person, which take SciPy and a loop their time.
_SECONDS = 120


@dataclass(frozen=True, eq=False)
class MpiiPeople:
    """P people of MPII.

    Attributes
    ----------
    images : tuple of str
        The name of the image of each; empty for gt_valid.mat, which does not say.
    points : array, (P, 16, 2)
        Pixels in the order of the skeleton mpii16, NaN where a joint is not annotated.
    in_view : array of bool, (P, 16)
        Annotated and not marked hidden. The lists and gt_valid.mat do not say what is hidden.
    head_boxes : array, (P, 4)
        x1, y1, x2, y2 in px, NaN where there is none.
    centres : array, (P, 2)
        Roughly where the person is, in px; NaN where the file does not say.
    scales : array, (P,)
        Height of the person over 200 px; NaN where the file does not say.
    train : array of bool, (P,)
        Whether the image is in the release's training set (the lists' validation set is a part of that).
    single : array of bool, (P,)
        Whether the person stands apart from others, which the single-person benchmark asks for.
    source : str
    """

    images: tuple[str, ...]
    points: Floats
    in_view: Flags
    head_boxes: Floats
    centres: Floats
    scales: Floats
    train: Flags
    single: Flags
    source: str

    def __len__(self) -> int:
        return len(self.points)

    @property
    def annotated(self) -> Flags:
        """Which joints (P, 16) are annotated: those that PCKh scores."""
        return np.asarray(np.isfinite(self.points).all(axis=2))

    @property
    def head_sizes(self) -> Floats:
        """Head sizes (P,) in px as PCKh takes them, 0.6 times the diagonal of the box; NaN where there is no box."""
        return head_sizes(self.head_boxes)


def read_mpii(path: str | os.PathLike[str]) -> MpiiPeople:
    """Read MPII's annotations: the release's .mat, a list as .json, or gt_valid.mat; the file says which it is.

    Parameters
    ----------
    path : path

    Raises
    ------
    InputError
        If the file is none of these, or damaged; one sentence with the place in it.
    UsageError
        If it is neither .mat nor .json.
    """
    file = Path(path)
    source = os.fspath(path)
    if file.is_dir():
        raise InputError(
            f"{source}: is a folder, expected mpii_human_pose_v1_u12_1.mat, a list such as valid.json, or gt_valid.mat"
        )
    if not file.is_file():
        raise InputError(
            f"{source}: is not there; get mpii_human_pose_v1_u12_2.zip from human-pose.mpi-inf.mpg.de, Download"
        )
    if file.suffix.lower() == ".json":
        return _list(file, source)
    if file.suffix.lower() != ".mat":
        raise UsageError(f"{source}: MPII's annotations are .mat or .json")
    children.check_whole(file)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        answer = children.ask(mpii_child, file, folder, ".mat file", seconds=_SECONDS)
        people = children.saved(folder, "people.npy", (None, mpii_child.COLUMNS), source)
        points = children.saved(folder, "points.npy", (len(people), _JOINTS, 3), source)
        owners = children.saved(folder, "owners.npy", (len(people),), source)
    names = [str(name) for name in answer.get("images", ())]
    if names and len(owners) and not (owners.min() >= 0 and owners.max() < len(names)):
        raise InputError(f"{source}: is damaged: its reader answered nonsense")
    return MpiiPeople(
        tuple(names[owner] for owner in owners.tolist()) if names else (),
        points[..., :2],
        np.isfinite(points).all(axis=2) & (points[..., 2] != 0),
        people[:, :4],
        people[:, 4:6],
        people[:, 6],
        people[:, 7] == 1,
        people[:, 8] == 1,
        source,
    )


def _list(path: Path, source: str) -> MpiiPeople:
    try:
        items = json.loads(read_bytes(path, _LIST_LIMIT))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source}: is not JSON, or cut off: {brief(error)}") from None
    if not isinstance(items, list) or not items:
        raise InputError(f"{source}: holds no list of people, expected [{{image, joints, joints_vis, center, scale}}]")
    n = len(items)
    points, centres, scales = np.full((n, _JOINTS, 2), np.nan), np.empty((n, 2)), np.empty(n)
    images = []
    for i, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("image"), str):
            raise InputError(f"{source}: item {i} names no image, expected image, joints, joints_vis, center and scale")
        images.append(item["image"])
        centres[i] = _numbers(item.get("center"), (2,), f"{source}: item {i}: center")
        scales[i] = _numbers(item.get("scale"), (), f"{source}: item {i}: scale")
        if "joints" not in item and "joints_vis" not in item:
            continue  # the test set
        joints = _numbers(item.get("joints"), (_JOINTS, 2), f"{source}: item {i}: joints")
        known = _numbers(item.get("joints_vis"), (_JOINTS,), f"{source}: item {i}: joints_vis")
        # Joints that are not annotated stand at -1 or 0.
        points[i, known != 0] = joints[known != 0]
    return MpiiPeople(
        tuple(images),
        points,
        np.isfinite(points).all(axis=2),
        np.full((n, 4), np.nan),
        centres,
        scales,
        np.isfinite(points).any(axis=(1, 2)),
        np.ones(n, np.bool_),
        source,
    )


def _numbers(value: Any, shape: tuple[int, ...], place: str) -> Floats:
    try:
        array = np.asarray(value, np.float64)
    except (ValueError, TypeError, OverflowError):
        array = np.full(1, np.nan)
    if array.shape != shape or not np.isfinite(array).all():
        wanted = "a number" if not shape else f"numbers of shape {shape}"
        raise InputError(f"{place} is missing or something else, expected {wanted}")
    return array


def head_sizes(boxes: npt.ArrayLike) -> Floats:
    """Head sizes (P,) of head boxes (P, 4) x1, y1, x2, y2, in px: 0.6 times the diagonal.

    Raises
    ------
    InputError
        If the boxes have another shape.

    References
    ----------
    util_get_head_size.m of evalMPII.zip, human-pose.mpi-inf.mpg.de.

    Examples
    --------
    >>> head_sizes([[100, 100, 130, 140]]).tolist()
    [30.0]
    """
    array = np.asarray(boxes, np.float64)
    if array.ndim != 2 or array.shape[1] != 4:
        raise InputError(f"head boxes have shape {array.shape}, expected (P, 4): x1, y1, x2, y2")
    return np.asarray(HEAD_BIAS * np.hypot(array[:, 2] - array[:, 0], array[:, 3] - array[:, 1]))


__all__ = [
    "HEAD_BIAS",
    "MPII_ATTRIBUTION",
    "MPII_LICENCE",
    "PCKH_JOINTS",
    "MpiiPeople",
    "head_sizes",
    "pckh",
    "read_mpii",
]
