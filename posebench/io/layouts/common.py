"""What the readers of all layouts share: arrays out of nested content, and the keys of whole sequences.

Content comes from a pickle or from JSON and is not trusted: every step into it is one that the layout has, so nothing
is walked that nests without end, and coordinates are counted, so nothing is repeated without end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io.facts import characters_exist, check_texts, shown, shown_kind
from posebench.poses import KeyColumn

#: Bytes of coordinates granted to any file, and to each of its bytes: numbers of one byte become numbers of eight.
GRANTED, PER_BYTE = 2**26, 16


@dataclass
class Reading:
    """One reading of a file: what messages call it, and how much may still come out of it.

    Examples
    --------
    >>> reading = Reading.of("a.pkl", 1000)
    >>> reading.numbers(np.zeros((1, 17, 3)), "keypoints").shape
    (1, 17, 3)
    >>> reading.numbers([0.0], "keypoints")
    Traceback (most recent call last):
    posebench.errors.InputError: a.pkl: keypoints is a list, expected an array of numbers
    """

    source: str
    #: Bytes of coordinates that may still be taken: in a pickle one array can be referred to a million times.
    left: int
    #: Whether lists of numbers are arrays, as in JSON; in a pickle a few bytes make a list of a billion items.
    lists: bool = False

    @classmethod
    def of(cls, source: str, size: int, lists: bool = False) -> Reading:
        """The reading of a file of `size` bytes."""
        return cls(source, GRANTED + PER_BYTE * size, lists)

    def error(self, where: str, what: str) -> InputError:
        """An error at a place in the file."""
        return InputError(f"{self.source}: {where} {what}")

    def numbers(self, value: Any, where: str) -> npt.NDArray[Any]:
        """An array of numbers, charged to this reading; in JSON, null is NaN."""
        if self.lists and isinstance(value, list):
            value = self._from_lists(value, where)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
            raise self.error(where, f"is {shown_kind(value)}, expected an array of numbers")
        self.left -= 8 * value.size
        if self.left < 0:
            raise self.error(where, "comes after more coordinates than the file holds; save every array once")
        return value

    def poses(self, value: Any, where: str, ndim: tuple[int, ...] = (3,)) -> npt.NDArray[Any]:
        """An array of poses (..., J, 3) of the given numbers of dimensions."""
        array = self.numbers(value, where)
        if array.ndim >= 2 and array.shape[-1] == 2:
            raise self.error(where, f"has shape {shown(array.shape)}: 2D keypoints, while poses to score are 3D")
        if array.ndim not in ndim or array.shape[-1] != 3 or array.shape[-2] == 0:
            wanted = "(N, J, 3)" if ndim == (3,) else "(J, 3), or such poses"
            raise self.error(where, f"has shape {shown(array.shape)}, expected {wanted}")
        return array

    def texts(self, value: Any, where: str) -> Sequence[Any]:
        """A sequence of what should be texts: an array or list, or one text alone."""
        if isinstance(value, str | bytes):
            return (value,)
        if isinstance(value, np.ndarray) and value.ndim < 2 and value.dtype.kind in "USO":
            if not characters_exist(value):
                raise self.error(where, "holds a text of characters that do not exist; it is damaged")
            return value.reshape(-1)  # type: ignore[return-value]
        if not isinstance(value, list | tuple):
            raise self.error(where, f"is {shown_kind(value)}, expected texts")
        return value

    def mapping(self, value: Any, where: str, what: str) -> dict[str, Any]:
        """A dict, as JSON and the pickle machine make it: with text keys."""
        if not isinstance(value, dict):
            raise self.error(where, f"is {shown_kind(value)}, expected {what}")
        return value

    def stack(self, parts: Sequence[npt.NDArray[Any]], places: Sequence[str]) -> npt.NDArray[Any]:
        """Poses (N_i, J, 3) from several places as one array, refused where J differs."""
        if not parts or not any(len(part) for part in parts):
            raise InputError(f"{self.source}: holds no poses")
        joints = parts[0].shape[1]
        for part, place in zip(parts, places, strict=True):
            if part.shape[1] != joints:
                raise self.error(place, f"has {part.shape[1]} joints and {places[0]} has {joints}, expected the same")
        return np.concatenate(parts)

    def _from_lists(self, value: list[Any], where: str) -> npt.NDArray[np.float64]:
        # Objects first: left to itself NumPy would make numbers of texts and booleans.
        array = np.asarray(value, object)
        odd = next((item for item in array.reshape(-1) if type(item) not in (int, float, type(None))), None)
        if odd is not None:
            what = "lists of different lengths" if isinstance(odd, list) else shown_kind(odd)
            raise self.error(where, f"holds {what}, expected numbers")
        try:
            return array.astype(np.float64)
        except OverflowError:
            raise self.error(where, "holds a number that cannot be stored in 64 bits") from None


def runs(names: Sequence[str], counts: Sequence[int], key: str, source: str) -> KeyColumn:
    """A key column in which each name stands for some number of frames.

    Examples
    --------
    >>> runs(["S9", "S11"], [1, 2], "subject", "a.npz").values.tolist()
    ['S9', 'S11', 'S11']
    """
    known = tuple(sorted(set(names)))
    check_texts(known, key, source)
    code = {name: i for i, name in enumerate(known)}
    return KeyColumn(np.repeat(np.array([code[name] for name in names], np.int32), counts), known)
