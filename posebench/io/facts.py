"""What every format hands over: the facts that make a `PoseSet`, by name, checked once for all formats.

A reader turns bytes into plain arrays and values and calls `collect`; a writer starts from `facts_of`. What a file
looks like inside is the readers' and writers' business, what shapes belong together is `PoseSet`'s.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.poses import KEYS, TEXT_KEYS, KeyColumn, PoseSet, as_poses, key_text

#: Facts about the whole file, as text, and those that are numbers of some shape.
TEXTS = ("skeleton", "unit", "reference", "origin", "dataset")
ARRAYS = ("intrinsics", "extrinsics", "root_depth")
#: Every name that a file may hold, in the order in which files are written.
NAMES = ("poses", "valid", *KEYS, *TEXTS, "fps", *ARRAYS)

#: Longest key or fact, in characters: keys are stored at fixed width, so one long text would cost every frame.
TEXT_LIMIT = 255


@dataclass
class Facts:
    """The parameters of a `PoseSet` as a file states them; see there for shapes and units."""

    poses: npt.NDArray[Any]
    valid: npt.NDArray[Any] | None = None
    subject: KeyColumn | None = None
    action: KeyColumn | None = None
    sequence: KeyColumn | None = None
    camera: KeyColumn | None = None
    frame: npt.NDArray[np.int64] | None = None
    skeleton: str | None = None
    unit: str | None = None
    reference: str = "unknown"
    origin: str | None = None
    dataset: str | None = None
    fps: float | None = None
    intrinsics: npt.NDArray[Any] | None = None
    extrinsics: npt.NDArray[Any] | None = None
    root_depth: npt.NDArray[Any] | None = None
    notes: list[str] = field(default_factory=list)


def collect(raw: Mapping[str, Any], source: str) -> Facts:
    """Check what a file holds by name: arrays, single values, and lists of texts or numbers for the keys.

    Names that mean nothing here are left out, and a note says so.

    Raises
    ------
    InputError
        If `poses` is missing or a value is not of the kind that its name asks for.

    Examples
    --------
    >>> facts = collect({"poses": np.zeros((2, 17, 3)), "unit": "mm", "units": "mm"}, "a.npz")
    >>> facts.unit, facts.notes
    ('mm', ["a.npz: ignored 'units'"])
    """
    if "poses" not in raw:
        raise InputError(f"{source}: has no 'poses', expected (N, J, 3) under that name; {listing(raw)}")
    for name, value in raw.items():
        if isinstance(value, np.ndarray) and not characters_exist(value):
            raise InputError(f"{source}: {name} holds a text of characters that do not exist; it is damaged")
    poses = as_poses(_numbers(raw["poses"], "poses", source), source)
    n = len(poses)
    if n == 0:
        raise InputError(f"{source}: holds no poses")
    facts = Facts(poses)
    for name in NAMES[1:]:
        value = raw.get(name)
        if value is None:
            continue
        if name in TEXT_KEYS:
            setattr(facts, name, _key(value, n, name, source))
        elif name == "frame":
            facts.frame = _frames(value, n, source)
        elif name in TEXTS:
            setattr(facts, name, _scalar_text(value, name, source))
        elif name == "fps":
            facts.fps = _scalar_number(value, name, source)
        else:
            setattr(facts, name, _numbers(value, name, source))
    ignored = [name for name in raw if name not in NAMES]
    if ignored:
        facts.notes.append(f"{source}: ignored {shown_names(ignored)}")
    return facts


def facts_of(poseset: PoseSet, path: str) -> dict[str, Any]:
    """What is known of a set, by name and in the order of `NAMES`, ready to be written to `path`.

    Text keys stay `KeyColumn`s, facts of the whole set are str or float, everything else is an array.

    Raises
    ------
    InputError
        If the set is empty, or a text in it could not be read back.

    Examples
    --------
    >>> list(facts_of(PoseSet(np.zeros((1, 17, 3)), unit="mm", frame=[7]), "a.npz"))
    ['poses', 'frame', 'unit']
    """
    if len(poseset) == 0:
        raise InputError(f"{path}: not written, the set holds no poses")
    known: dict[str, Any] = {}
    for name in NAMES:
        value = getattr(poseset, name)
        if value is None or (name == "reference" and value == "unknown"):
            continue
        if name == "skeleton":
            value = value.name
        if isinstance(value, KeyColumn):
            check_texts(value.names, name, path)
        elif isinstance(value, str):
            check_texts([value], name, path)
        known[name] = value
    return known


def refuse_loss(known: Iterable[str], kept: Iterable[str], path: str, what: str) -> None:
    """Raise if a format that keeps only some facts would drop one silently.

    Examples
    --------
    >>> refuse_loss(["poses", "unit"], ["poses"], "a.npy", "an .npy file")
    Traceback (most recent call last):
    posebench.errors.InputError: a.npy: an .npy file cannot hold unit; write .npz, or leave that out with --drop unit, in Python poseset.replace(unit=None)
    """  # noqa: E501
    lost = [name for name in known if name not in set(kept)]
    if lost:
        drop = ", ".join(f"{name}=" + ("'unknown'" if name == "reference" else "None") for name in lost)
        # The mask is no fact to leave out on the command line: what it hides would pass for poses.
        how = "with" if "valid" in lost else f"with --drop {','.join(lost)}, in Python"
        raise InputError(
            f"{path}: {what} cannot hold {', '.join(lost)}; write .npz, or leave that out {how} poseset.replace({drop})"
        )


def nan_as_none(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same numbers; where one is NaN, as objects with None in its place, for formats that write nothing there.

    Examples
    --------
    >>> nan_as_none(np.array([1.5, np.nan])).tolist()
    [1.5, None]
    """
    unknown = np.isnan(numbers)
    if unknown.any():
        numbers = numbers.astype(object)
        numbers[unknown] = None
    return numbers


class TextColumn:
    """Collects one text per frame into a `KeyColumn`, without ever holding the texts of all frames.

    Examples
    --------
    >>> column = TextColumn()
    >>> for text in ("Walking", "Eating", "Walking"):
    ...     column.append(text)
    >>> column.finish("action", "a.csv").values.tolist()
    ['Walking', 'Eating', 'Walking']
    """

    def __init__(self) -> None:
        self._where: dict[str, int] = {}
        self._codes = array("i")

    def append(self, text: str) -> None:
        """Add the next frame's text."""
        self._codes.append(self._where.setdefault(text, len(self._where)))

    def finish(self, name: str, source: str) -> KeyColumn:
        """The column, its names sorted and checked."""
        check_texts(self._where, name, source)
        names = tuple(sorted(self._where))
        rank = np.empty(len(names), np.int32)
        rank[[self._where[text] for text in names]] = np.arange(len(names), dtype=np.int32)
        return KeyColumn(rank[np.frombuffer(self._codes, np.int32)], names)


def characters_exist(array: npt.NDArray[Any]) -> bool:
    """Whether all text in an array is of Unicode characters; NumPy believes it and fails much later."""
    if array.dtype.kind != "U":
        return True
    points = np.ascontiguousarray(array).reshape(-1).view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
    return bool(np.all(points <= 0x10FFFF))


def check_texts(texts: Iterable[str], name: str, source: str) -> None:
    """Refuse texts that are too long or hold characters that cannot be printed or stored."""
    for text in texts:
        if len(text) > TEXT_LIMIT:
            raise InputError(f"{source}: {name} holds a text of {len(text)} characters, expected at most {TEXT_LIMIT}")
        if not text.isprintable() and any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
            raise InputError(f"{source}: {name} holds {shown(text)}, expected text without control characters")


def shown(value: object, limit: int = 60) -> str:
    """A value from a file as a message shows it: quoted, plain ASCII, not longer than `limit`.

    Examples
    --------
    >>> shown("a" * 100, limit=9)
    "'aaa...'"
    """
    if isinstance(value, str | bytes | bytearray):
        value = value[: limit + 1]
    text = ascii(value)
    return text if len(text) <= limit else f"{text[: limit - 5]}...{text[-1]}"


def brief(error: BaseException) -> str:
    """What a parser complains of, on one line of at most 100 characters: some quote the file at length."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text.encode("utf-8", "backslashreplace").decode()  # half of a surrogate pair is no text
    return text if len(text) <= 100 else f"{text[:97]}..."


def shown_names(names: Sequence[str]) -> str:
    """The first eight of some names from a file, quoted."""
    return ", ".join(shown(name, 40) for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def listing(names: Iterable[str]) -> str:
    """`it has 'a', 'b'`, for messages that say what stands in a file instead."""
    found = list(names)
    return f"it has {shown_names(found)}" if found else "it is empty"


def _numbers(value: Any, name: str, source: str) -> npt.NDArray[Any]:
    """An array or a single number as an array. Lists are refused: in a pickle they may repeat beyond all bounds."""
    if isinstance(value, int | float | np.number | np.bool_):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        raise InputError(f"{source}: {name} is {shown_kind(value)}, expected an array of numbers")
    if value.dtype.kind not in "biuf":
        raise InputError(f"{source}: {name} is an array of type {value.dtype}, expected numbers")
    return value


def _key(value: Any, n: int, name: str, source: str) -> KeyColumn:
    if isinstance(value, list | tuple):
        if len(value) != n:
            raise InputError(f"{source}: {name} has {len(value)} values for {n} poses, expected one per pose")
        column = TextColumn()
        for row, item in enumerate(value):
            if not isinstance(item, str | bytes | int | float | np.number) or _is_huge(item):
                raise InputError(f"{source}: {name}[{row}] is {shown_kind(item)}, expected text")
            column.append(key_text(item.item() if isinstance(item, np.number) else item))
        return column.finish(name, source)
    values = np.asarray(value) if isinstance(value, str | bytes | int | float | np.generic) else value
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "USiuf":
        raise InputError(f"{source}: {name} is {shown_kind(value)}, expected one text per pose")
    if values.shape == (1,):
        values = values[0:1].reshape(())
    try:
        column_of = KeyColumn.of(values, n, name)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    check_texts(column_of.names, name, source)
    return column_of


def _is_huge(item: object) -> bool:
    return isinstance(item, int) and item.bit_length() > 64


def _frames(value: Any, n: int, source: str) -> npt.NDArray[np.int64]:
    """Frame numbers as int64; `PoseSet` would convert them too, but NaN and 2^70 must not get that far."""
    if isinstance(value, list | tuple):
        if not all(isinstance(item, int | float | np.number) for item in value):
            raise InputError(f"{source}: frame holds something other than whole numbers")
        try:
            value = np.asarray(value)
        except OverflowError:
            raise InputError(f"{source}: frame holds numbers beyond 64 bits") from None
    if not isinstance(value, np.ndarray) or value.shape != (n,):
        shape = getattr(value, "shape", "no shape")
        raise InputError(f"{source}: frame has shape {shape}, expected ({n},): one number per pose")
    if value.dtype.kind in "US":
        try:
            value = value.astype(np.float64)
        except (ValueError, OverflowError):
            raise InputError(f"{source}: frame holds something other than whole numbers") from None
    if value.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = bool(np.all((np.abs(value) < 2**53) & (np.trunc(value) == value)))
    else:
        whole = value.dtype.kind in "iu" and not (value.dtype.kind == "u" and np.any(value > np.iinfo(np.int64).max))
    if not whole:
        raise InputError(f"{source}: frame holds something other than whole numbers")
    return np.asarray(value, np.int64)


def _scalar_text(value: Any, name: str, source: str) -> str:
    value = _single(value, name, source)
    if not isinstance(value, str | bytes):
        raise InputError(f"{source}: {name} is {shown_kind(value)}, expected one text")
    text = key_text(value)
    check_texts([text], name, source)
    return text


def _scalar_number(value: Any, name: str, source: str) -> float:
    value = _single(value, name, source)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{source}: {name} is {shown_kind(value)}, expected one number")
    try:
        return float(value)
    except OverflowError:
        raise InputError(f"{source}: {name} is too large a number") from None


def _single(value: Any, name: str, source: str) -> Any:
    """The Python value of a scalar or of an array that holds one item."""
    if isinstance(value, np.ndarray | np.generic):
        if value.size != 1:
            raise InputError(f"{source}: {name} has shape {value.shape}, expected a single value")
        return value.item()
    return value


def shown_kind(value: object) -> str:
    """How a message names a value of the wrong kind: arrays by type and shape, containers by type, the rest as is."""
    if isinstance(value, np.ndarray):
        return f"an array of type {value.dtype} and shape {value.shape}"
    if value is None or isinstance(value, str | bytes | bool | int | float | np.generic):
        return "null" if value is None else shown_number(value) if isinstance(value, int) else shown(value)
    return "bytes" if isinstance(value, memoryview) else f"a {type(value).__name__.lstrip('_')}"


def shown_number(value: int) -> str:
    """An integer from a file; beyond 64 bits only its size, since printing thousands of digits helps nobody."""
    return str(value) if value.bit_length() <= 64 else f"an integer of {value.bit_length()} bits"
