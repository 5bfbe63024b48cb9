"""The hash of an array's numbers, whatever file they stand in: what cards of banks and results record.

Hashes of whole files are `posebench.io.hashing`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


class ArrayDigest:
    """SHA-256 of an array given in pieces along its first axis.

    Hashed are the float64 values in C order, little-endian, and after them the shape as text: ``50,17,3``.

    Examples
    --------
    >>> digest = ArrayDigest()
    >>> digest.add(np.zeros((2, 3)))
    >>> digest.add(np.zeros((1, 3)))
    >>> digest.hexdigest((3, 3)) == array_sha256(np.zeros((3, 3)))
    True
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, piece: npt.NDArray[np.float64]) -> None:
        """Hash the next piece."""
        self._hash.update(np.ascontiguousarray(piece, "<f8").data)

    def hexdigest(self, shape: Iterable[int]) -> str:
        """The hash of what was added, as an array of this shape."""
        whole = self._hash.copy()
        whole.update(",".join(map(str, shape)).encode())
        return whole.hexdigest()


def array_sha256(array: npt.NDArray[np.float64]) -> str:
    """SHA-256 of an array of float64, as `ArrayDigest`."""
    digest = ArrayDigest()
    digest.add(array)
    return digest.hexdigest(array.shape)
