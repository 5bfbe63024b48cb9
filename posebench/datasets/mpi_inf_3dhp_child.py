"""What SciPy or h5py does with MPI-INF-3DHP's annot.mat, in a process of its own: `child_main.py` calls `convert`.

It imports nothing of posebench, so that the process starts fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

HDF5 = b"\x89HDF\r\n\x1a\n"


class RefusedError(Exception):
    """The file is not what it should be."""


def convert(path: str, folder: Path, arguments: list[str]) -> dict[str, Any]:
    """Save one cell array's matrices of some cameras as 0.npy, 1.npy and so on, with the frames' numbers beside them.

    The arguments are the variable (`annot3`, `univ_annot3`), the stride, the columns of each row, and the cameras.
    """
    name, stride, columns = arguments[0], int(arguments[1]), int(arguments[2])
    try:
        with open(path, "rb") as file:
            head = file.read(520)
        hdf5 = head.startswith(HDF5) or head[512:] == HDF5
        cells, numbers, frames = (from_hdf5 if hdf5 else from_scipy)(path, name)
        return keep(cells, numbers, frames, folder, stride, columns, arguments[3:], name)
    except RefusedError as refusal:
        return {"refused": str(refusal)}


def keep(
    cells: list[Any], numbers: Any, frames: Any, folder: Path, stride: int, columns: int, wanted: list[str], name: str
) -> dict[str, Any]:
    """Check the cells against each other, and save those that are wanted."""
    # `cameras` says which camera, from 0, each cell is of.
    order = [int(number) for number in np.ravel(numbers)]
    if len(order) != len(cells):
        raise RefusedError(f"{name} has {len(cells)} cells and 'cameras' {len(order)} numbers, expected as many")
    first = None
    for i, camera in enumerate(wanted):
        if int(camera) not in order:
            raise RefusedError(f"{name} holds no camera {camera}; it has {', '.join(map(str, order[:20]))}")
        rows = np.asarray(cells[order.index(int(camera))])
        if rows.dtype.kind not in "fiu" or rows.ndim != 2:
            raise RefusedError(f"{name} of camera {camera} is no matrix of numbers")
        if rows.shape[1] != columns:
            raise RefusedError(
                f"{name} of camera {camera} has {rows.shape[1]} columns, expected {columns}: x, y, z of 28 joints"
            )
        first = len(rows) if first is None else first
        if len(rows) != first:
            raise RefusedError(
                f"{name} has {len(rows)} frames of camera {camera} and {first} of camera {wanted[0]}, expected as many "
                "from every camera"
            )
        np.save(folder / f"{i}.npy", np.ascontiguousarray(rows[::stride]), allow_pickle=False)
    frames = np.ravel(frames)
    if len(frames) != first or frames.dtype.kind not in "fiu":
        raise RefusedError(f"'frames' has {len(frames)} numbers for {first} rows of {name}, expected one for each")
    np.save(folder / "frames.npy", frames[::stride].astype(np.float64), allow_pickle=False)
    return {"frames": first}


def from_scipy(path: str, name: str) -> tuple[list[Any], Any, Any]:
    """Cells, cameras and frames of a file before version 7.3."""
    from scipy.io import loadmat, whosmat

    there = [each for each, _, _ in whosmat(path, appendmat=False)]
    check_names(there, name)
    loaded = loadmat(path, appendmat=False, variable_names=[name, "cameras", "frames"])
    cells = loaded[name]
    if not isinstance(cells, np.ndarray) or cells.dtype.kind != "O":
        raise RefusedError(f"{name!r} is no cell array, expected one matrix per camera")
    return list(cells.ravel(order="F")), loaded["cameras"], loaded["frames"]


def from_hdf5(path: str, name: str) -> tuple[list[Any], Any, Any]:
    """The same of version 7.3, where cells are references and axes are reversed."""
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        # Links are not followed: they could lead to other files.
        check_names([key for key in map(str, file) if isinstance(file.get(key, getlink=True), h5py.HardLink)], name)
        cells = file[name]
        if not isinstance(cells, h5py.Dataset) or h5py.check_ref_dtype(cells.dtype) is None:
            raise RefusedError(f"{name!r} is no cell array, expected one matrix per camera")
        found = [np.asarray(file[reference]).T for reference in np.ravel(cells[()])]
        return found, np.asarray(file["cameras"]), np.asarray(file["frames"])


def check_names(there: list[str], name: str) -> None:
    """Refuse a file that lacks a variable."""
    for wanted in (name, "cameras", "frames"):
        if wanted not in there:
            raise RefusedError(f"has no variable {wanted!r}; it has {', '.join(there)[:200] or 'none'}")
