"""What SciPy does with MPII's .mat files, in a process of its own: `posebench.io.child_main` calls `convert`.

It imports nothing of posebench, so that the process starts fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

JOINTS = 16
#: Columns of a person: head box x1, y1, x2, y2, objpos x, y, scale, whether in the training set, whether apart.
COLUMNS = 9


class RefusedError(Exception):
    """The file is not what it should be."""


def convert(path: str, folder: Path, arguments: list[str]) -> dict[str, Any]:
    """Save people and their points as flat arrays: people.npy (P, 9), points.npy (P, 16, 3), and images by index.

    The third number of a point is 1 where it is in view, 0 where it is marked hidden; NaN is what is not annotated.
    """
    from scipy.io import loadmat, whosmat

    there = [name for name, _, _ in whosmat(path, appendmat=False)]
    try:
        if "RELEASE" in there:
            return release(loadmat(path, appendmat=False, variable_names=["RELEASE"])["RELEASE"], folder)
        wanted = ["pos_gt_src", "headboxes_src", "jnt_missing"]
        if all(name in there for name in wanted):
            return validation(loadmat(path, appendmat=False, variable_names=wanted), folder)
        raise RefusedError(
            "has neither the variable RELEASE of MPII's annotations nor pos_gt_src, headboxes_src and jnt_missing of "
            f"gt_valid.mat; it has {', '.join(there)[:200] or 'none'}"
        )
    except RefusedError as refusal:
        return {"refused": str(refusal)}


def release(variable: Any, folder: Path) -> dict[str, Any]:
    """mpii_human_pose_v1_u12_1.mat: one struct of structs."""
    top = first(variable)
    annotated, trained, apart = held(top, "annolist"), held(top, "img_train"), held(top, "single_person")
    if annotated is None or annotated.dtype.names is None:
        raise RefusedError("RELEASE has no struct annolist; the file is damaged")
    images = annotated.reshape(-1)
    if trained is not None and trained.size != len(images):
        raise RefusedError(f"RELEASE has {len(images)} images and {trained.size} flags img_train, expected as many")
    if apart is not None and apart.size != len(images):
        raise RefusedError(f"RELEASE has {len(images)} images and {apart.size} cells single_person, expected as many")
    names, owners, people, points = [], [], [], []
    for i, image in enumerate(images):
        named = held(first(held(image, "image")), "name")
        if named is None or named.dtype.kind != "U":
            raise RefusedError(f"annolist({i + 1}).image has no name")
        names.append(str(named.reshape(-1)[0]))
        train = float(trained.reshape(-1)[i]) if trained is not None else np.nan
        alone = set()
        if apart is not None and apart.dtype.kind == "O":
            alone = {int(number) for number in np.ravel(apart.reshape(-1)[i])}
        rectangles = held(image, "annorect")
        # Images without people have an empty matrix in place of the struct.
        for j, person in enumerate(rectangles.reshape(-1) if rectangles is not None and rectangles.dtype.names else ()):
            place = f"annolist({i + 1}).annorect({j + 1})"
            where = first(held(person, "objpos"))
            row = [number(person, name, place) for name in ("x1", "y1", "x2", "y2")]
            row += [number(where, name, place) for name in ("x", "y")]
            owners.append(i)
            people.append([*row, number(person, "scale", place), train, float(j + 1 in alone)])
            points.append(marked(person, place))
    np.save(folder / "people.npy", np.array(people, np.float64).reshape(-1, COLUMNS), allow_pickle=False)
    np.save(folder / "points.npy", np.array(points, np.float64).reshape(-1, JOINTS, 3), allow_pickle=False)
    np.save(folder / "owners.npy", np.array(owners, np.int64), allow_pickle=False)
    return {"images": names}


def marked(person: Any, place: str) -> Any:
    """The points of a person (16, 3)."""
    found = np.full((JOINTS, 3), np.nan)
    points = held(first(held(person, "annopoints")), "point")
    if points is None or points.dtype.names is None:
        return found
    for point in points.reshape(-1):
        joint = number(point, "id", place)
        if not (0 <= joint < JOINTS and joint == int(joint)):
            raise RefusedError(f"{place} has a point of id {joint:g}, expected 0 to {JOINTS - 1}")
        # is_visible is a number, a digit as text, or empty for the points of the head.
        seen = number(point, "is_visible", place)
        found[int(joint)] = number(point, "x", place), number(point, "y", place), 1.0 if np.isnan(seen) else seen
    return found


def validation(loaded: dict[str, Any], folder: Path) -> dict[str, Any]:
    """gt_valid.mat: pos_gt_src (16, 2, N), headboxes_src (2, 2, N), jnt_missing (16, N)."""
    places, boxes, missing = (np.asarray(loaded[name]) for name in ("pos_gt_src", "headboxes_src", "jnt_missing"))
    n = missing.shape[-1]
    wanted = {"pos_gt_src": (JOINTS, 2, n), "headboxes_src": (2, 2, n), "jnt_missing": (JOINTS, n)}
    for name, shape in wanted.items():
        array = np.asarray(loaded[name])
        if (
            array.dtype.kind not in "biuf"
            or array.reshape(*array.shape, *(1,) * (len(shape) - array.ndim)).shape != shape
        ):
            raise RefusedError(f"{name} has shape {array.shape}, expected {shape}: the arrays do not belong together")
    places, boxes = places.reshape(JOINTS, 2, n), boxes.reshape(2, 2, n)
    points = np.full((n, JOINTS, 3), np.nan)
    points[..., :2] = places.transpose(2, 0, 1)
    points[..., 2] = 1
    points[missing.T != 0] = np.nan
    people = np.full((n, COLUMNS), np.nan)
    # Rows are corners, columns x and y.
    people[:, :4] = boxes.transpose(2, 0, 1).reshape(n, 4)
    people[:, 7:] = 1
    np.save(folder / "people.npy", people, allow_pickle=False)
    np.save(folder / "points.npy", points, allow_pickle=False)
    np.save(folder / "owners.npy", np.full(n, -1), allow_pickle=False)
    return {"images": []}


def first(struct: Any) -> Any:
    """The only element of a struct array, None of an empty one."""
    return struct.reshape(-1)[0] if isinstance(struct, np.ndarray) and struct.size else None


def held(struct: Any, name: str) -> Any:
    """A field of one struct as an array, None where it is absent or empty."""
    if struct is None or getattr(struct, "dtype", None) is None or name not in (struct.dtype.names or ()):
        return None
    value = struct[name]
    return value if isinstance(value, np.ndarray) and value.size else None


def number(struct: Any, name: str, place: str) -> float:
    """A field of one struct as a number, NaN where it is absent or empty."""
    value = held(struct, name)
    if value is None:
        return float("nan")
    try:
        return float(value.reshape(-1)[0])
    except (TypeError, ValueError):
        raise RefusedError(f"{place}: {name} is no number") from None
