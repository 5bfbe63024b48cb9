"""Reading and writing .parquet and .arrow (also .feather): one row per frame, through pyarrow.

Column `poses` is binary of fixed size, little-endian float32 or float64, J * 3 numbers, with the schema metadata
`dtype` and `joints`; or a list of J * 3 numbers, of fixed size or at least all equally long. Further columns, all
optional: `valid` (J bytes or a list of J flags), `subject`, `action`, `sequence`, `camera` (text, dictionary or
whole numbers), `frame` (whole numbers), and per frame `intrinsics`, `extrinsics`, `root_depth` (9, 12 and 1 numbers).
Facts of the whole file stand as a JSON object in the schema metadata under `posebench`. An .arrow file of one record
batch is memory-mapped without a copy.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io.extras import optional
from posebench.io.facts import (
    ARRAYS,
    NAMES,
    TEXTS,
    Facts,
    brief,
    check_texts,
    collect,
    facts_of,
    listing,
    shown,
    shown_kind,
)
from posebench.poses import TEXT_KEYS, KeyColumn, PoseSet, key_text

#: What a compressed file may claim for each of its bytes, and what it may claim in any case.
RATIO, FREE = 1032, 64 * 2**20
#: Bytes of JSON in the schema metadata.
METADATA_LIMIT = 2**20
_SHAPES: dict[str, tuple[int, ...]] = {"intrinsics": (3, 3), "extrinsics": (3, 4), "root_depth": ()}


def read_parquet(path: Path) -> Facts:
    """Read a .parquet file; the module says which columns it may have.

    Raises
    ------
    InputError
        If the file is damaged, a column is missing or of another type, or a row is null.
    MissingExtraError
        If pyarrow is not installed.
    """
    pa = optional("pyarrow", str(path))
    parquet = optional("pyarrow.parquet", str(path))

    def load() -> Any:
        with parquet.ParquetFile(path, memory_map=True) as file:
            schema, n = file.schema_arrow, file.metadata.num_rows
            leaves = _leaves(file, _wanted(schema, str(path)))
            # Not from the columns' own metadata: asking a damaged file for those can abort the process.
            claimed = n * _width(pa, schema.field("poses").type)
            if not (n >= 0 and claimed <= RATIO * path.stat().st_size + FREE):
                raise InputError(f"{path}: claims {n} rows, {claimed} bytes, too many for its size; it is damaged")
            # By position: a name with a dot in it would mean a field inside another.
            groups = list(range(file.metadata.num_row_groups))
            return file.reader.read_row_groups(groups, column_indices=leaves), schema

    return _facts(pa, load, path)


def _leaves(file: Any, wanted: list[str]) -> list[int]:
    """Indices of the Parquet columns that belong to some columns of the table."""
    columns = [file.metadata.schema.column(i).path for i in range(file.metadata.num_columns)]
    return [i for i, column in enumerate(columns) if column.partition(".")[0] in wanted]


def read_arrow(path: Path) -> Facts:
    """Read an .arrow or .feather file (Arrow IPC, of the file or the stream kind), memory-mapped.

    Raises
    ------
    InputError
        If the file is damaged, a column is missing or of another type, or a row is null.
    MissingExtraError
        If pyarrow is not installed.
    """
    pa = optional("pyarrow", str(path))
    ipc = optional("pyarrow.ipc", str(path))

    def load() -> Any:
        with path.open("rb") as file:
            magic = file.read(6)
        with pa.memory_map(str(path)) as source:
            reader = (ipc.open_file if magic == b"ARROW1" else ipc.open_stream)(source)
            return reader.read_all().select(_wanted(reader.schema, str(path))), reader.schema

    return _facts(pa, load, path)


def _wanted(schema: Any, source: str) -> list[str]:
    """The columns to read; names must not repeat, and `poses` must be there."""
    names = list(schema.names)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{source}: two columns are named {shown(twice)}; rename one")
    if "poses" not in names:
        raise InputError(f"{source}: has no column 'poses', expected one pose per row under it; {listing(names)}")
    return [name for name in names if name in NAMES]


def _width(pa: Any, kind: Any) -> int:
    """Bytes in a row, as far as its type says."""
    if pa.types.is_fixed_size_binary(kind):
        return int(kind.byte_width)
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size) * _width(pa, kind.value_type)
    return 4


def _facts(pa: Any, load: Callable[[], Any], path: Path) -> Facts:
    source = str(path)
    errors = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError)
    try:
        table, schema = load()
        table.validate(full=True)
        columns = _Columns(pa, table, schema, source)
        raw, keys = columns.raw(), columns.keys()
    except InputError:
        raise
    except (FileNotFoundError, PermissionError):
        raise
    except MemoryError:
        raise InputError(f"{source}: claims more than fits into memory; it is damaged, or convert it to .npz") from None
    except errors as error:
        raise InputError(
            f"{source}: is no complete {path.suffix.lower()} file: {brief(error)}; write it again"
        ) from None
    facts = collect(raw, source)
    for key, column in keys.items():
        setattr(facts, key, column)
    return facts


class _Columns:
    """The columns of a table as NumPy arrays."""

    def __init__(self, pa: Any, table: Any, schema: Any, source: str) -> None:
        self.pa, self.table, self.schema, self.source = pa, table, schema, source
        self.metadata = {bytes(k): bytes(v) for k, v in (schema.metadata or {}).items()}
        self.n = table.num_rows
        if self.n == 0:
            raise InputError(f"{source}: holds no poses")

    def error(self, name: str, complaint: str) -> InputError:
        return InputError(f"{self.source}: column {name!r} {complaint}")

    def raw(self) -> dict[str, Any]:
        """Everything but the text keys, by name; names that mean nothing as None."""
        raw: dict[str, Any] = {"poses": self.poses(), **self.facts()}
        for name in self.schema.names:
            if name in ("poses", *TEXT_KEYS):
                continue
            if name in raw and name in NAMES:
                raise self.error(name, "and the metadata both state this; keep one of them")
            raw[name] = self.column(name, raw["poses"].shape[1]) if name in NAMES else None
        return raw

    def facts(self) -> dict[str, Any]:
        """The facts in the metadata."""
        text = self.metadata.get(b"posebench")
        if text is None:
            return {}
        try:
            if len(text) > METADATA_LIMIT:
                raise ValueError(f"{len(text)} bytes")
            stated = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.source}: metadata 'posebench' is not JSON: {brief(error)}") from None
        if not isinstance(stated, dict):
            raise InputError(f"{self.source}: metadata 'posebench' is {shown_kind(stated)}, expected an object")
        facts: dict[str, Any] = {}
        for name, value in stated.items():
            if name in ARRAYS and isinstance(value, list | int | float):
                facts[name] = self.constant(name, value)
            elif name in (*TEXTS, "fps", *ARRAYS):
                facts[name] = value
            else:
                facts[f"posebench.{name}"] = None
        return facts

    def constant(self, name: str, value: Any) -> npt.NDArray[Any]:
        try:
            return np.asarray(value, np.float64)
        except (ValueError, TypeError, OverflowError):
            raise InputError(f"{self.source}: metadata {name!r} is no array of numbers") from None

    def column(self, name: str, joints: int) -> npt.NDArray[Any]:
        """`valid`, `frame` or a camera fact."""
        kind = self.schema.field(name).type
        if name == "valid":
            if self.pa.types.is_fixed_size_binary(kind):
                return self.bytes_of(name, np.dtype(np.uint8))
            return self.lists(name)
        if _SHAPES.get(name):
            values = self.lists(name)
            if values.shape[1] != math.prod(_SHAPES[name]):
                raise self.error(name, f"has {values.shape[1]} numbers per row, expected {math.prod(_SHAPES[name])}")
            return values.reshape(self.n, *_SHAPES[name])
        if not (self.pa.types.is_integer(kind) or self.pa.types.is_floating(kind)):
            raise self.error(name, f"is of type {shown(str(kind))}, expected numbers")
        self.no_nulls(name)
        array: npt.NDArray[Any] = self.table.column(name).to_numpy()
        return array

    def poses(self) -> npt.NDArray[Any]:
        """Coordinates (N, J, 3), without a copy if they lie in one chunk."""
        if not self.pa.types.is_fixed_size_binary(self.schema.field("poses").type):
            flat = self.lists("poses")
        else:
            stated = self.metadata.get(b"dtype", b"").decode("latin-1")
            if stated not in ("float32", "float64"):
                raise self.error(
                    "poses", f"is binary; the schema metadata 'dtype' is {shown(stated)}, expected float32 or float64"
                )
            flat = self.bytes_of("poses", np.dtype(stated).newbyteorder("<"))
        if flat.shape[1] == 0 or flat.shape[1] % 3:
            raise self.error("poses", f"has {flat.shape[1]} numbers per row, expected three per joint")
        joints = self.metadata.get(b"joints")
        if joints is not None and joints != str(flat.shape[1] // 3).encode():
            raise self.error(
                "poses", f"has {flat.shape[1] // 3} joints, but the schema metadata 'joints' says {shown(joints)}"
            )
        return flat.reshape(self.n, -1, 3)

    def bytes_of(self, name: str, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """A column of binary of fixed size as an array (N, numbers in a row)."""
        self.no_nulls(name)
        width = self.schema.field(name).type.byte_width
        if width == 0 or width % dtype.itemsize:
            raise self.error(name, f"has {width} bytes per row, expected a multiple of {dtype.itemsize}")
        parts = []
        for chunk in self.table.column(name).chunks:
            if len(chunk):
                count = len(chunk) * width // dtype.itemsize
                part = np.frombuffer(chunk.buffers()[1], dtype, count, chunk.offset * width)
                parts.append(part.reshape(len(chunk), -1))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def lists(self, name: str) -> npt.NDArray[Any]:
        """A column of lists, all equally long, as an array (N, length)."""
        types = self.pa.types
        self.no_nulls(name)
        chunks = self.table.column(name).chunks
        parts = []
        for chunk in chunks:
            if not len(chunk):
                continue
            length, values = 1, chunk
            while (
                types.is_fixed_size_list(values.type) or types.is_list(values.type) or types.is_large_list(values.type)
            ):
                lengths = values.value_lengths().to_numpy(zero_copy_only=False)
                if len(lengths) == 0 or values.null_count or not (lengths == lengths[0]).all():
                    raise self.error(name, "has lists of different lengths, expected one length for all rows")
                length, values = length * int(lengths[0]), values.flatten()
            if values is chunk or not (
                types.is_floating(values.type) or types.is_integer(values.type) or types.is_boolean(values.type)
            ):
                raise self.error(name, f"is of type {shown(str(chunk.type))}, expected lists of numbers")
            if values.null_count and not types.is_floating(values.type):
                raise self.error(name, "holds nulls inside its lists, expected numbers")
            parts.append(values.to_numpy(zero_copy_only=False).reshape(len(chunk), -1))
        if len({part.shape[1] for part in parts}) > 1:
            raise self.error(name, "has lists of different lengths, expected one length for all rows")
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def no_nulls(self, name: str) -> None:
        if self.table.column(name).null_count:
            raise self.error(name, "holds nulls, expected a value in every row; write unknown coordinates as NaN")

    def keys(self) -> dict[str, KeyColumn]:
        """The text keys, encoded."""
        return {name: self.key(name) for name in TEXT_KEYS if name in self.schema.names}

    def key(self, name: str) -> KeyColumn:
        types = self.pa.types
        kind = self.schema.field(name).type
        column = self.table.column(name)
        values = kind.value_type if types.is_dictionary(kind) else kind
        if not (types.is_string(values) or types.is_large_string(values) or types.is_integer(values)):
            raise self.error(name, f"is of type {shown(str(kind))}, expected text")
        self.no_nulls(name)
        where: dict[str, int] = {}
        parts = []
        for chunk in column.chunks:
            encoded = chunk if types.is_dictionary(kind) else chunk.dictionary_encode()
            indices = encoded.indices.to_numpy(zero_copy_only=False)
            # Counted, not sorted: a column of keys has many rows and few texts.
            used = np.flatnonzero(np.bincount(indices.astype(np.int64, copy=False), minlength=len(encoded.dictionary)))
            if encoded.dictionary.take(self.pa.array(used)).null_count:
                raise self.error(name, "holds nulls, expected text in every row")
            texts = [key_text(value) for value in encoded.dictionary.take(self.pa.array(used)).to_pylist()]
            code = np.array([where.setdefault(text, len(where)) for text in texts], np.int32)
            place = np.zeros(len(encoded.dictionary), np.int32)
            place[used] = code
            parts.append(place[indices])
        check_texts(where, name, self.source)
        names = tuple(sorted(where))
        rank = np.empty(len(names), np.int32)
        rank[[where[text] for text in names]] = np.arange(len(names), dtype=np.int32)
        return KeyColumn(rank[np.concatenate(parts)], names)


def _table(poseset: PoseSet, path: str) -> Any:
    """A set as a table."""
    pa = optional("pyarrow", path)
    known = facts_of(poseset, path)
    poses = known["poses"]
    n, joints, _ = poses.shape
    columns: dict[str, Any] = {}
    stated: dict[str, Any] = {}
    for name, value in known.items():
        if name == "poses":
            columns[name] = _binary(pa, value.astype(value.dtype.newbyteorder("<"), copy=False), n)
        elif name == "valid":
            columns[name] = _binary(pa, value.astype(np.uint8), n)
        elif isinstance(value, KeyColumn):
            columns[name] = pa.DictionaryArray.from_arrays(pa.array(value.codes), pa.array(value.names, pa.string()))
        elif name == "frame":
            columns[name] = pa.array(value, pa.int64())
        elif name in ARRAYS and value.ndim > len(_SHAPES[name]):
            flat = pa.array(np.ascontiguousarray(value).reshape(-1))
            size = math.prod(_SHAPES[name])
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, size) if _SHAPES[name] else flat
        else:
            stated[name] = value.tolist() if isinstance(value, np.ndarray) else value
    metadata = {"posebench": json.dumps(stated), "joints": str(joints), "dtype": poses.dtype.name}
    return pa.table(columns).replace_schema_metadata(metadata)


def _binary(pa: Any, array: npt.NDArray[Any], n: int) -> Any:
    """Rows of an array as binary of fixed size, without a copy if it is contiguous."""
    array = np.ascontiguousarray(array)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(array.nbytes // n), n, [None, pa.py_buffer(array)])


def write_parquet(poseset: PoseSet, handle: BinaryIO, path: str) -> None:
    """Write one row per frame: coordinates as they are, the other columns compressed.

    Raises
    ------
    InputError
        If the set is empty or a text in it could not be read back.
    MissingExtraError
        If pyarrow is not installed.
    """
    table = _table(poseset, path)
    parquet = optional("pyarrow.parquet", path)
    keys = [name for name in table.column_names if name in TEXT_KEYS]
    compression = {name: "NONE" if name == "poses" else "SNAPPY" for name in table.column_names}
    parquet.write_table(
        table, handle, use_dictionary=keys, compression=compression, write_statistics=False, row_group_size=2**20
    )


def write_arrow(poseset: PoseSet, handle: BinaryIO, path: str) -> None:
    """Write one record batch, uncompressed, so that it can be mapped.

    Raises
    ------
    InputError
        If the set is empty or a text in it could not be read back.
    MissingExtraError
        If pyarrow is not installed.
    """
    table = _table(poseset, path)
    ipc = optional("pyarrow.ipc", path)
    with ipc.new_file(handle, table.schema) as writer:
        writer.write_table(table)
