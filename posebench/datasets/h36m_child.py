"""What cdflib does with Human3.6M's .cdf files, in a process of its own: `posebench.io.child_main` calls `convert`.

It imports nothing of posebench, so that the process starts fast.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

#: What compressed numbers may claim for each byte of the file.
RATIO = 1032
#: The magic numbers of versions 3 and 2.6 and later, and the second one of a file that is not compressed as a whole.
V3, V2, PLAIN = 0xCDF30001, 0xCDF26002, 0x0000FFFF


class RefusedError(Exception):
    """The file is not what it should be."""


def convert(path: str, folder: Path, arguments: list[str]) -> dict[str, Any]:
    """Save the poses (n, 96) of some files, every so-manieth frame, as 0.npy, 1.npy and so on.

    The arguments are the stride and the files after the first; the answer says how many frames each file has.
    """
    frames = []
    for i, name in enumerate([path, *arguments[1:]]):
        try:
            poses = read(name)
        except RefusedError as refusal:
            return {"refused": str(refusal), "file": name}
        except Exception as error:  # a damaged file makes cdflib raise whatever its bytes lead to
            return {"error": f"{type(error).__name__}: {error}"[:500], "file": name}
        np.save(folder / f"{i}.npy", poses[:: int(arguments[0])], allow_pickle=False)
        frames.append(len(poses))
    return {"frames": frames}


def read(name: str) -> Any:
    """The variable `Pose` of one file, (N, columns)."""
    import cdflib

    check_end(name)
    file = cdflib.CDF(name)
    held = file.cdf_info()
    if "Pose" not in held.zVariables + held.rVariables:
        raise RefusedError(
            f"has no variable 'Pose'; it has {', '.join(held.zVariables + held.rVariables)[:200] or 'none'}"
        )
    inquired = file.varinq("Pose")
    claimed = math.prod(int(size) for size in inquired.Dim_Sizes) * (int(inquired.Last_Rec) + 1) * 8
    if claimed > RATIO * Path(name).stat().st_size:
        raise RefusedError("claims more poses than a file of its size can hold; it is damaged")
    poses = np.asarray(file.varget("Pose"))
    # One record holds all frames; releases and converters differ in whether that axis stays.
    while poses.ndim > 2 and poses.shape[0] == 1:
        poses = poses[0]
    if poses.ndim != 2 or poses.dtype.kind != "f":
        raise RefusedError(f"'Pose' has shape {poses.shape} of {poses.dtype}, expected numbers (frames, 96)")
    return np.ascontiguousarray(poses)


def check_end(name: str) -> None:
    """Hold the size of a file against the end that it states: cdflib reads a good part of a file that is cut off."""
    size = Path(name).stat().st_size
    with open(name, "rb") as file:
        head = file.read(64)
        first, second = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
        if first not in (V3, V2):
            raise RefusedError("is no .cdf file of version 2.6 or later: it begins with other bytes")
        if second != PLAIN:
            return  # compressed as a whole: the decompression fails where it is cut off
        width = 8 if first == V3 else 4
        # The first record says, after its own size and kind, where the global one is; that holds, after its size,
        # its kind and three places, the end of the file.
        start = int.from_bytes(head[8 + width + 4 : 8 + 2 * width + 4], "big")
        file.seek(min(start, size))
        record = file.read(5 * width + 4)
        end = int.from_bytes(record[4 * width + 4 : 5 * width + 4], "big")
    if len(record) < 5 * width + 4 or end > size:
        raise RefusedError(f"is cut off: it has {size} bytes; unpack it again, or fetch it again")
