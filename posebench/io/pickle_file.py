"""Reading and writing .pkl without unpickling: a small machine that knows the opcodes and names that NumPy writes.

A pickle is a program. Python's own unpickler imports and calls what the program names; this one imports and calls
nothing: the few names in `_GLOBALS` are marks that `_Machine` understands, any other name is refused. It builds
dicts with text keys, lists, tuples, texts, bytes, numbers, arrays of numbers or text, and arrays of such objects,
which is what `numpy.save` pickles; and no array that the file's own bytes do not fill. Time and memory are bounded by
the size of the file.

What the objects mean is `facts_in`'s business: a dict with the names of .npz, a bare array (N, J, 3), or one of the
layouts in `posebench.io.layouts`.
"""

from __future__ import annotations

import ast
import math
import pickle
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io import layouts
from posebench.io.facts import Facts, brief, characters_exist, collect, facts_of, shown, shown_kind, shown_number
from posebench.poses import KeyColumn, PoseSet

#: Steps of one pickle; the objects of so many steps take about 2 GB. Arrays take a few steps, lists one per item.
STEP_LIMIT = 20_000_000

#: The names that NumPy's pickles hold, with the modules of NumPy 1 and 2 and of Python 2 and 3.
_GLOBALS = {
    **{(f"numpy.{core}.multiarray", name): name for core in ("core", "_core") for name in ("_reconstruct", "scalar")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): "_frombuffer" for core in ("core", "_core")},
    **{("numpy", name): name for name in ("ndarray", "memmap", "dtype")},
    **{("numpy.core.memmap", "memmap"): "memmap", ("numpy._core.memmap", "memmap"): "memmap"},
    ("_codecs", "encode"): "encode",
    **{(module, "bytes"): "bytes" for module in ("builtins", "__builtin__")},
}
_DTYPE = re.compile(r"[<>=|]?(?:[?]|b1|[iu][1248]|f(?:2|4|8|16)|[SU][1-9][0-9]{0,6})|[|]?O[48]?")
#: Packages whose objects turn up in dumps of results, and what to save instead.
_FOREIGN = ("torch", "mmengine", "mmpose", "mmcv", "jax", "tensorflow", "pandas")


def read_pickle(path: Path) -> Facts:
    """Read a .pkl file that holds a dict with the names of .npz, or one array (N, J, 3).

    Raises
    ------
    InputError
        If the pickle is damaged or holds anything besides NumPy arrays in plain containers.
    """
    return facts_in(load_numpy_pickle(path), str(path), path.stat().st_size)


def facts_in(content: Any, source: str, size: int) -> Facts:
    """What unpickled objects mean: a dict with the names of .npz, one array (N, J, 3), or a layout of another project.

    Raises
    ------
    InputError
        If they are none of these.
    """
    if isinstance(content, np.ndarray) and content.dtype.kind == "O" and content.ndim < 2:
        content = content.item() if content.ndim == 0 else content.tolist()  # as numpy.save pickles a dict or a list
    reading = layouts.Reading.of(source, size)
    if isinstance(content, list) and (read := layouts.by_items(content)):
        return read(content, reading)
    if isinstance(content, dict) and (layout := layouts.by_names(content)):
        return layout.read(content, reading)
    raw = {"poses": content} if isinstance(content, np.ndarray) else content
    if not isinstance(raw, dict):
        raise InputError(f"{source}: holds {shown_kind(content)}, expected a dict with 'poses' or an array (N, J, 3)")
    for name in ("poses", "valid"):
        if isinstance(raw.get(name), list | tuple):
            kind = type(raw[name]).__name__
            raise InputError(f"{source}: {name} is a {kind}, expected a NumPy array; use numpy.array")
    return collect(raw, source)


def load_numpy_pickle(path: Path) -> Any:
    """What a pickle holds, built from NumPy arrays and plain containers only; protocols 0 to 5.

    Raises
    ------
    InputError
        If the pickle is damaged, or names anything that NumPy arrays do not need.

    Examples
    --------
    >>> import os, tempfile
    >>> file = Path(tempfile.mkdtemp(), "a.pkl")
    >>> _ = file.write_bytes(pickle.dumps({"poses": np.zeros((1, 17, 3))}))
    >>> load_numpy_pickle(file)["poses"].shape
    (1, 17, 3)
    >>> _ = file.write_bytes(pickle.dumps(os.getcwd))
    >>> load_numpy_pickle(file)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    posebench.errors.InputError: ...a.pkl: byte ... names 'posix.getcwd'; only NumPy arrays in dicts, ...
    """
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty")
    return run_numpy_pickle(np.memmap(path, np.uint8, "r"), str(path))


def run_numpy_pickle(data: npt.NDArray[np.uint8], where: str) -> Any:
    """What the pickle in an array of bytes holds; `where` is how messages call it.

    Raises
    ------
    InputError
        As `load_numpy_pickle`.
    """
    machine = _Machine(memoryview(data), where)  # type: ignore[arg-type]
    try:
        return machine.run()
    except InputError:
        raise
    except (IndexError, KeyError, struct.error, ValueError, TypeError, OverflowError, SyntaxError) as error:
        raise InputError(f"{where}: byte {machine.start} is not part of a NumPy pickle: {brief(error)}") from None


def write_pickle(poseset: PoseSet, handle: BinaryIO, path: str) -> None:
    """Write a dict of plain arrays and texts, protocol 4.

    Raises
    ------
    InputError
        If the set is empty or a text in it could not be read back.
    """
    known = facts_of(poseset, path)
    for name, value in known.items():
        if isinstance(value, KeyColumn):
            known[name] = value.values
        elif isinstance(value, np.ndarray):
            known[name] = np.array(value, order="C")  # a memory map would be pickled as one
    pickle.dump(known, handle, protocol=4)


@dataclass(frozen=True)
class _Global:
    """A name that the pickle refers to; never the thing itself."""

    name: str


@dataclass
class _DType:
    """A dtype under construction: NumPy pickles its kind first and its byte order afterwards."""

    kind: str
    byteorder: str = "|"

    @property
    def holds_objects(self) -> bool:
        """Whether it is the type of Python objects."""
        return "O" in self.kind

    def get(self) -> np.dtype[Any]:
        """The dtype as built so far."""
        if self.holds_objects:
            return np.dtype(object)
        return np.dtype(self.kind).newbyteorder(self.byteorder)  # type: ignore[arg-type]


_MARK = object()


class _Machine:
    """Runs one pickle over the bytes of its file; see `pickletools` for what each opcode means."""

    def __init__(self, data: memoryview, source: str) -> None:
        self.data, self.source = data, source
        self.at = self.start = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        #: Arrays that the pickle has begun and not filled yet, by identity.
        self.begun: dict[int, npt.NDArray[Any]] = {}
        #: Bytes that may still be copied: each byte of the file at most from text to bytes, and then to one array.
        self.allowance = 2 * len(data)

    def run(self) -> Any:
        """The object that the pickle leaves on the stack."""
        data, end = self.data, len(self.data)
        for _ in range(STEP_LIMIT):
            self.start = self.at
            if self.at >= end:
                raise self.error("is past the end, the file is cut off")
            code = data[self.at]
            self.at += 1
            if code == pickle.STOP[0]:
                return self.pop()
            step = _STEPS.get(code)
            if step is None:
                raise self.error(f"is {shown(bytes([code]))}, which begins nothing that NumPy pickles")
            step(self)
        raise self.error(f"is beyond {STEP_LIMIT} steps; save arrays instead of lists")

    def error(self, what: str) -> InputError:
        """An error at the opcode that is being run."""
        place = f"{self.source}: byte {self.start}"
        return InputError(f"{place} {what}; only NumPy arrays in dicts, lists and tuples are read")

    # -- bytes of the file

    def take(self, size: int) -> memoryview:
        if size > len(self.data) - self.at:
            raise self.error(f"asks for {size} bytes, but the file ends after {len(self.data) - self.at}")
        self.at += size
        return self.data[self.at - size : self.at]

    def skip(self, size: int) -> None:
        self.take(size)

    def protocol(self) -> None:
        version = self.number("<B")
        if version > 5:
            raise self.error(f"asks for pickle protocol {version}, expected 0 to 5")

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def counted(self, form: str) -> memoryview:
        return self.take(self.number(form))

    def line(self) -> str:
        """The rest of the line, for the text opcodes of protocol 0."""
        size = 128
        while True:  # ever larger pieces, so that the work is in proportion to the line and not to the file
            piece = bytes(self.data[self.at : self.at + size])
            end = piece.find(b"\n")
            if end >= 0:
                self.at += end + 1
                return piece[:end].decode("latin-1")
            if len(piece) < size:
                raise self.error("starts a line that does not end")
            size *= 4

    # -- the stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise self.error("takes an object where none is")
        return value

    def pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            items.append(value)
        items.reverse()
        return items

    def pop_tuple(self, size: int) -> None:
        items = [self.pop() for _ in range(size)]
        self.push(tuple(reversed(items)))

    def top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise self.error(f"adds to something that is no {kind.__name__}")
        return self.stack[-1]

    # -- containers

    def append(self, items: list[Any]) -> None:
        self.top(list).extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Texts only: hashing nested tuples takes exponential time in a pickle made for it.
            if isinstance(key, bytes):
                key = key.decode("latin-1")
            if not isinstance(key, str):
                raise self.error(f"sets a dict key that is {shown_kind(key)}, not a text")
            target[key] = value

    def make_dict(self) -> None:
        items = self.pop_to_mark()
        self.push({})
        self.set_items(items)

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    # -- names, and the three things that are done with them

    def find(self, module: str, name: str) -> None:
        found = _GLOBALS.get((module, name))
        if found is None:
            what = f"names {shown(f'{module}.{name}', 120)}"
            if module.split(".")[0] in _FOREIGN:
                what += ": pickle arrays and dicts instead of its objects (a tensor's are .cpu().numpy())"
            raise self.error(what)
        self.push(_Global(found))

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        if not (isinstance(module, str) and isinstance(name, str)):
            raise self.error("names something that is no text")
        self.find(module, name)

    def reduce(self) -> None:
        """`function(*arguments)` in a pickle: here, one of the few things that NumPy's functions mean."""
        arguments, function = self.pop(), self.pop()
        match function, arguments:
            case _Global("dtype"), (str() | bytes() as kind, *_):
                self.push(self.dtype(kind))
            case _Global("_reconstruct"), (_Global("ndarray" | "memmap"), tuple(), str() | bytes()):
                array = np.empty(0)  # filled by build()
                self.begun[id(array)] = array
                self.push(array)
            case _Global("_frombuffer"), (data, _DType() as dtype, tuple() as shape, "C" | "F" as order):
                self.push(self.array(data, dtype.get(), shape, order))
            case _Global("_frombuffer"), (data, _DType() as dtype, tuple() as shape, "K", tuple() as axes):
                self.push(self.array(data, dtype.get(), shape, "C").transpose(axes))
            case _Global("scalar"), (_DType() as dtype, data):
                self.push(self.scalar(self.array(data, dtype.get(), (), "C")))
            case _Global("encode"), (str() as text, "latin1" | "latin-1"):
                self.charge(len(text))
                self.push(text.encode("latin-1"))
            case _Global("bytes"), ():
                self.push(b"")
            case _:
                raise self.error("calls something in a way that NumPy's pickles do not")

    def build(self) -> None:
        """`object.__setstate__(state)` in a pickle: here, the byte order of a dtype or the content of an array."""
        state, target = self.pop(), self.stack[-1]
        match target, state:
            case _DType(), (int(), str() | bytes() as byteorder, None, None, None, *_):
                byteorder = byteorder if isinstance(byteorder, str) else byteorder.decode("latin-1")
                if byteorder not in ("<", ">", "=", "|"):
                    raise self.error(f"gives a byte order of {shown(byteorder)}")
                target.byteorder = byteorder
            case np.ndarray(), (int(), tuple() as shape, _DType() as dtype, int() as fortran, data):
                self.fill(target, shape, dtype, bool(fortran), data)
            case _:
                raise self.error("sets the state of something that is no NumPy array")

    def fill(
        self, target: npt.NDArray[Any], shape: tuple[Any, ...], dtype: _DType, fortran: bool, data: object
    ) -> None:
        """Give an array that the pickle has begun its content, in place, for the memo may hold it already."""
        if id(target) not in self.begun:
            raise self.error("sets the state of a NumPy array that has one")
        filling: Any
        if dtype.holds_objects:
            filling = self.items(data, shape)
        else:
            filling = bytes(self.checked(data, dtype.get(), shape))
        del self.begun[id(target)]
        # Every part of this state was checked or made here.
        target.__setstate__((1, shape, dtype.get(), fortran, filling))  # type: ignore[arg-type]

    def dtype(self, kind: str | bytes) -> _DType:
        text = kind.decode("latin-1") if isinstance(kind, bytes) else kind
        if not _DTYPE.fullmatch(text):
            raise self.error(f"names the type {shown(text)}, expected plain numbers or text")
        return _DType(text)

    def items(self, data: object, shape: tuple[Any, ...]) -> list[Any]:
        """The objects of an array of objects, if they fill exactly its shape.

        An array in an array of objects must hold numbers or text: NumPy frees nested arrays one inside the other, and
        thousands of them overflow the stack of the process.
        """
        if not isinstance(data, list):
            raise self.error("fills an array of objects with something that is no list")
        if self.count(shape) != len(data):
            raise self.error(f"makes an array {shown(shape)} out of {shown_number(len(data))} objects")
        if any(isinstance(item, np.ndarray) and (item.dtype.kind == "O" or id(item) in self.begun) for item in data):
            raise self.error("puts an array of objects into another one")
        self.charge(len(data))
        return data

    def count(self, shape: tuple[Any, ...]) -> int:
        """The number of items of a shape, an exact Python integer."""
        if len(shape) > 32 or not all(type(length) is int and 0 <= length < 2**62 for length in shape):
            # Shown number by number: tuples nested by a crafted file take exponential time to print.
            parts = ", ".join(shown_number(n) if type(n) is int else shown_kind(n) for n in shape[:4])
            raise self.error(f"makes an array of shape ({parts}{', ...' if len(shape) > 4 else ''})")
        return math.prod(shape)

    def checked(self, data: object, dtype: np.dtype[Any], shape: tuple[Any, ...]) -> memoryview:
        """The bytes of an array, if they fill exactly its shape."""
        if isinstance(data, list) or dtype.hasobject:
            raise self.error("fills an array with Python objects in a way that NumPy's pickles do not")
        if not isinstance(data, bytes | memoryview):
            raise self.error("fills an array with something that is not bytes")
        expected = self.count(shape) * dtype.itemsize
        if expected != len(data):
            raise self.error(f"makes an array {shown(shape)} of {dtype}, {expected} bytes, out of {len(data)} bytes")
        self.charge(expected)
        return memoryview(data)

    def array(self, data: object, dtype: np.dtype[Any], shape: tuple[Any, ...], order: Literal["C", "F"]) -> Any:
        """An array with memory of its own, aligned."""
        return np.frombuffer(self.checked(data, dtype, shape), dtype).reshape(shape, order=order).copy("K")

    def scalar(self, array: Any) -> Any:
        if not characters_exist(array):
            raise self.error("holds a text of characters that do not exist")
        return array[()]

    def charge(self, size: int) -> None:
        """Account for bytes copied; a pickle that copies the same bytes again and again is refused."""
        self.allowance -= size
        if self.allowance < 0:
            raise self.error("makes more data than the file holds")


def _text(view: memoryview) -> str:
    return str(view, "utf-8", "surrogatepass")


def _int_line(text: str) -> int:
    """INT of protocol 0, which writes booleans as 00 and 01."""
    return text == "01" if text in ("00", "01") else int(text)


_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*["]""")


def _string_line(text: str) -> bytes:
    """STRING of protocol 0: the `repr` of a Python 2 string."""
    if not _QUOTED.fullmatch(text):
        raise ValueError("a quoted string was expected")
    return bytes(ast.literal_eval(f"b{text}"))


def _put(machine: _Machine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


# What large byte strings leave on the stack is a view of the file: the data of arrays, copied once, by the array.
_STEPS: dict[int, Callable[[_Machine], None]] = {
    code[0]: step
    for code, step in {
        pickle.PROTO: lambda m: m.protocol(),
        pickle.FRAME: lambda m: m.skip(8),
        pickle.MARK: lambda m: m.push(_MARK),
        pickle.NONE: lambda m: m.push(None),
        pickle.NEWTRUE: lambda m: m.push(True),
        pickle.NEWFALSE: lambda m: m.push(False),
        pickle.INT: lambda m: m.push(_int_line(m.line())),
        pickle.LONG: lambda m: m.push(int(m.line().rstrip("L"))),
        pickle.BININT: lambda m: m.push(m.number("<i")),
        pickle.BININT1: lambda m: m.push(m.number("<B")),
        pickle.BININT2: lambda m: m.push(m.number("<H")),
        pickle.LONG1: lambda m: m.push(int.from_bytes(m.counted("<B"), "little", signed=True)),
        pickle.FLOAT: lambda m: m.push(float(m.line())),
        pickle.BINFLOAT: lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
        pickle.UNICODE: lambda m: m.push(m.line().encode("latin-1").decode("raw-unicode-escape")),
        pickle.SHORT_BINUNICODE: lambda m: m.push(_text(m.counted("<B"))),
        pickle.BINUNICODE: lambda m: m.push(_text(m.counted("<I"))),
        pickle.BINUNICODE8: lambda m: m.push(_text(m.counted("<Q"))),
        pickle.STRING: lambda m: m.push(_string_line(m.line())),
        pickle.SHORT_BINSTRING: lambda m: m.push(bytes(m.counted("<B"))),
        pickle.BINSTRING: lambda m: m.push(m.counted("<I")),
        pickle.SHORT_BINBYTES: lambda m: m.push(bytes(m.counted("<B"))),
        pickle.BINBYTES: lambda m: m.push(m.counted("<I")),
        pickle.BINBYTES8: lambda m: m.push(m.counted("<Q")),
        pickle.BYTEARRAY8: lambda m: m.push(m.counted("<Q")),
        pickle.EMPTY_TUPLE: lambda m: m.push(()),
        pickle.TUPLE: lambda m: m.push(tuple(m.pop_to_mark())),
        pickle.TUPLE1: lambda m: m.pop_tuple(1),
        pickle.TUPLE2: lambda m: m.pop_tuple(2),
        pickle.TUPLE3: lambda m: m.pop_tuple(3),
        pickle.EMPTY_LIST: lambda m: m.push([]),
        pickle.LIST: lambda m: m.push(m.pop_to_mark()),
        pickle.APPEND: lambda m: m.append([m.pop()]),
        pickle.APPENDS: lambda m: m.append(m.pop_to_mark()),
        pickle.EMPTY_DICT: lambda m: m.push({}),
        pickle.DICT: lambda m: m.make_dict(),
        pickle.SETITEM: lambda m: m.set_item(),
        pickle.SETITEMS: lambda m: m.set_items(m.pop_to_mark()),
        pickle.GLOBAL: lambda m: m.find(m.line(), m.line()),
        pickle.STACK_GLOBAL: lambda m: m.stack_global(),
        pickle.REDUCE: lambda m: m.reduce(),
        pickle.BUILD: lambda m: m.build(),
        pickle.PUT: lambda m: _put(m, int(m.line())),
        pickle.BINPUT: lambda m: _put(m, m.number("<B")),
        pickle.LONG_BINPUT: lambda m: _put(m, m.number("<I")),
        pickle.MEMOIZE: lambda m: _put(m, len(m.memo)),
        pickle.GET: lambda m: m.push(m.memo[int(m.line())]),
        pickle.BINGET: lambda m: m.push(m.memo[m.number("<B")]),
        pickle.LONG_BINGET: lambda m: m.push(m.memo[m.number("<I")]),
    }.items()
}
