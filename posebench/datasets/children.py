"""Asking a child process about a file of a data set, and turning what goes wrong with it into one sentence.

`posebench.io.child` says why files of strangers are parsed elsewhere; what the children of this room do stands in
`h36m_child.py`, `mpi_inf_3dhp_child.py` and `mpii_child.py`.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io import child
from posebench.io.facts import brief

#: What a child may take: memory beside that for the file, bytes per byte of the file, seconds, and bytes per second.
MEMORY, RATIO, SECONDS, SPEED = 4 * 2**30, 8, 20, 2**22


def ask(
    script: ModuleType,
    path: Path,
    folder: str,
    kind: str,
    *more: str,
    size: int | None = None,
    seconds: int = SECONDS,
) -> dict[str, Any]:
    """What a child says of a file; arrays that it saves lie in `folder`.

    Parameters
    ----------
    script : module
        Has the function `convert`.
    path : path
    folder : str
        An empty folder.
    kind : str
        What the file should be, such as ``".cdf file"``.
    *more : str
        Passed to `convert`.
    size : int, optional
        Bytes of all files that the child reads; by default those of `path`.
    seconds : int
        Processor time that it may take beside that for the size.

    Raises
    ------
    InputError
        If the child broke off, or says that the file is not what it should be.
    """
    try:
        size = path.stat().st_size if size is None else size
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        answer = child.ask(script, path, folder, MEMORY + RATIO * size, seconds + size // SPEED, *more)
    except child.BrokenOffError as error:
        if error.seconds is not None:
            raise InputError(
                f"{path}: was not read within {error.seconds} seconds; it is damaged, fetch it again"
            ) from None
        raise InputError(f"{path}: is damaged: reading it as a {kind} broke off; fetch it again") from None
    if "refused" in answer:
        raise InputError(f"{answer.get('file') or path}: {' '.join(str(answer['refused']).split())[:500]}")
    if "error" in answer:
        reason = brief(ValueError(answer["error"]))
        raise InputError(
            f"{answer.get('file') or path}: is no complete {kind}: {reason}; unpack it again, or fetch it again"
        )
    return answer


def saved(folder: str, name: str, shape: tuple[int | None, ...], source: str) -> npt.NDArray[Any]:
    """An array of numbers that a child saved, of a shape in which None is any length.

    Raises
    ------
    InputError
        If the child saved something else.
    """
    try:
        array = np.load(Path(folder, name), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{source}: is damaged: its reader answered nonsense: {brief(error)}") from None
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits or array.dtype.kind not in "biuf":
        raise InputError(f"{source}: is damaged: its reader answered {array.dtype} of shape {array.shape}")
    return np.asarray(array)


def check_whole(path: Path) -> None:
    """Walk over the elements of a .mat file before version 7.3: SciPy reads a file that ends within one up to there.

    Raises
    ------
    InputError
        If the last element ends behind the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(128)
        if head[124:128] not in (b"\0\1IM", b"\1\0MI"):
            return  # HDF5, or no .mat file, which its reader says
        order: Literal["little", "big"] = "little" if head.endswith(b"IM") else "big"
        end = 128
        while end < size:
            file.seek(end)
            tag = file.read(8)
            # Eight bytes of kind and length; MATLAB pads nothing at the top of a file.
            end += 8 + int.from_bytes(tag[4:8], order)
    if end != size:
        raise InputError(f"{path}: is cut off: it should end at byte {end}, but has {size}; fetch it again")


__all__ = ["ask", "check_whole", "saved"]
