"""Ways to damage a file: blind ones, which know bytes, and those that know what a format is made of.

A mutation takes a source of chance and some whole files, and gives the bytes of a damaged one; the same chance gives
the same bytes. Those that know the format put the damage back where checksums and lengths agree with it, so that it
gets past the first look of a reader.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import pickle
import pickletools
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Mutation = Callable[[Random, Sequence[bytes]], bytes]

#: Numbers that no reader should believe.
EXTREME = (
    *(0, 1, -1, 2, 3, 7, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32),
    *(10**12, 2**40, 2**48, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -(2**31), -(2**63)),
)
#: Tokens that may stand anywhere in a text.
TOKENS = (
    *(b"1e400", b"-1e400", b"1e308", b"NaN", b"nan", b"inf", b"-Infinity", b"Infinity", b"-0", b"1e-400", b"0x10"),
    *(b"0x" + b"f" * 5000, b"9" * 400, b"9" * 10_000, b"-" + b"9" * 5000, b"1_000", b"1.5", b"007", b".", b"-", b"+"),
    *(
        b"null",
        b"None",
        b"true",
        b"false",
        b'""',
        b'"',
        b"'",
        b'"' * 3,
        b"[]",
        b"{}",
        b"[" * 300,
        b"{" * 300,
        b"(",
        b")",
    ),
    *(b"[[[[", b"]]]]", b"}", b"{", b"[", b"]", b":", b",", b";", b"#", b"=", b"\\", b"\\u0000", b"\\ud800", b"\\x00"),
    *(
        b"\0",
        b"\r",
        b"\n",
        b"\r\n",
        b"\t",
        b"\x0b",
        b"\x0c",
        b"\x1a",
        b"\x1b[31m",
        b"\x7f",
        b"\x85",
        b"\xff",
        b"\xc0\x80",
    ),
    *(
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xe2\x80\xa8",
        b"\xe2\x80\xae",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xc2\xa0",
    ),
    *("é٣①−".encode(), b"a" * 300, b"a" * 70_000, b" " * 5000, b"%s%n", b"../../x", b"file:///x", b"<!DOCTYPE x>"),
    *(b"&x;", b"<a>", b"</a>", b"<![CDATA[", b"]]>", b"*a", b"&a", b"!!python/object/apply:os.getcwd []", b"!!int x"),
    *(
        b"!!binary x",
        b"!!timestamp 2001-13-40",
        b"<<: {a: 1}",
        b"? a",
        b"| ",
        b"> ",
        b"---",
        b"...",
        b"1:1:1:1",
        b"0o9",
    ),
)
#: What begins files, and so may begin a part of one.
MAGIC = (
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"\x93NUMPY",
    b"\x89HDF\r\n\x1a\n",
    b"PAR1",
    b"ARROW1",
    b"\x80\x04",
)
_WIDTHS = ("<b", "<h", ">h", "<i", ">i", "<q", ">q", "<f", "<d", ">d")

# Bytes


def _spot(rng: Random, size: int) -> int:
    """A place, half of the time near the beginning or the end, where formats keep what they are about."""
    if size == 0:
        return 0
    match rng.randrange(4):
        case 0:
            return rng.randrange(min(size, 400))
        case 1:
            return size - 1 - rng.randrange(min(size, 600))
    return rng.randrange(size)


def _chunk(rng: Random, size: int) -> tuple[int, int]:
    start = _spot(rng, size)
    return start, min(size, start + rng.choice((1, 2, 4, 8, 16, 64, 512, 4096, max(1, size // 3))))


def flip_bits(rng: Random, data: bytearray) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        if data:
            data[_spot(rng, len(data))] ^= 1 << rng.randrange(8)


def overwrite(rng: Random, data: bytearray) -> None:
    start, stop = _chunk(rng, len(data))
    length = min(stop - start, 64)
    run = bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF))]) * length if rng.random() < 0.5 else rng.randbytes(length)
    data[start : start + length] = run


def cut_off(rng: Random, data: bytearray) -> None:
    del data[rng.randrange(len(data) + 1) if rng.random() < 0.7 else _spot(rng, len(data)) :]


def remove(rng: Random, data: bytearray) -> None:
    start, stop = _chunk(rng, len(data))
    del data[start:stop]


def repeat(rng: Random, data: bytearray) -> None:
    start, stop = _chunk(rng, len(data))
    data[start:start] = data[start:stop] * rng.choice((1, 1, 2, 5))


def swap(rng: Random, data: bytearray) -> None:
    (a, b), (c, d) = sorted((_chunk(rng, len(data)), _chunk(rng, len(data))))
    if b <= c:
        data[a:d] = data[c:d] + data[b:c] + data[a:b]


def set_number(rng: Random, data: bytearray) -> None:
    """An extreme number of some width, somewhere."""
    form = rng.choice(_WIDTHS)
    size = struct.calcsize(form)
    if len(data) < size:
        return
    at = min(_spot(rng, len(data)), len(data) - size)
    if rng.random() < 0.6:
        at -= at % size
    if form[-1] in "fd":
        number: Any = rng.choice((float("nan"), float("inf"), -float("inf"), 1e38, -1e38, 5e-324, 0.0, -1.0))
    else:
        bits = 8 * size
        number = (rng.choice(EXTREME) + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    data[at : at + size] = struct.pack(form, number)


def change_length(rng: Random, data: bytearray) -> None:
    """Something that looks like a length or an offset, made a little or much too large or small."""
    form = rng.choice(("<H", "<I", "<I", "<Q", ">I", ">Q"))
    size = struct.calcsize(form)
    for _ in range(30):
        if len(data) < size:
            return
        at = min(_spot(rng, len(data)), len(data) - size)
        (found,) = struct.unpack_from(form, data, at)
        if 0 < found <= 2 * len(data):
            new = rng.choice((found + 1, found - 1, 2 * found, found // 2, len(data), len(data) - at, 0, 10**12, 2**63))
            struct.pack_into(form, data, at, new % 2 ** (8 * size))
            return


def insert_token(rng: Random, data: bytearray) -> None:
    at = _spot(rng, len(data))
    data[at:at] = rng.choice(MAGIC if rng.random() < 0.3 else TOKENS)


BLIND: tuple[Callable[[Random, bytearray], None], ...] = (
    *(flip_bits, flip_bits, overwrite, cut_off, remove, repeat, swap, set_number, set_number, change_length),
    *(change_length, insert_token),
)


def blindly(rng: Random, files: Sequence[bytes]) -> bytes:
    """One to three of the above, one after the other."""
    data = bytearray(rng.choice(files))
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(BLIND)(rng, data)
    return bytes(data)


def spliced(rng: Random, files: Sequence[bytes]) -> bytes:
    """The beginning of one file and the end of another, or a piece of one in the middle of another."""
    one, other = rng.choice(files), rng.choice(files)
    if rng.random() < 0.5:
        at = rng.randrange(len(one) + 1)
        return one[:at] + other[min(at, len(other)) if rng.random() < 0.5 else rng.randrange(len(other) + 1) :]
    (a, b), (c, d) = _chunk(rng, len(one)), _chunk(rng, len(other))
    return one[:a] + other[c:d] + one[b:]


# Text

_WORDS = re.compile(rb"[A-Za-z_]+|[-+]?[0-9][0-9.eE+-]*|[ \t]+|\r?\n|.", re.DOTALL)


def by_tokens(rng: Random, files: Sequence[bytes]) -> bytes:
    """Words, numbers and signs of a text removed, repeated, exchanged, or replaced by odd ones."""
    words = _WORDS.findall(rng.choice(files))
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not words:
            break
        at = rng.randrange(len(words))
        match rng.randrange(7):
            case 0:
                del words[at : at + rng.choice((1, 1, 2, 10))]
            case 1:
                words[at:at] = words[at : at + rng.choice((1, 3, 20))]
            case 2:
                other = rng.randrange(len(words))
                words[at], words[other] = words[other], words[at]
            case 3:
                words[at] = str(rng.choice(EXTREME)).encode()
            case 4:
                words[at] = rng.choice(words)
            case _:
                words[at] = rng.choice(TOKENS)
    return b"".join(words)


def by_lines(rng: Random, files: Sequence[bytes]) -> bytes:
    """Lines of a text removed, repeated or exchanged, also with those of another; other ends of lines and encodings."""
    lines = rng.choice(files).splitlines(keepends=True)
    others = rng.choice(files).splitlines(keepends=True)
    for _ in range(rng.choice((1, 2, 3))):
        if not lines:
            break
        at = rng.randrange(len(lines))
        match rng.randrange(5):
            case 0:
                del lines[at : at + rng.choice((1, 1, 5))]
            case 1:
                lines[at:at] = lines[at : at + rng.choice((1, 1, 5, 50))]
            case 2:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                lines.insert(at, rng.choice(others or [b"\n"]))
            case 4:
                lines[at] = lines[at].rstrip(b"\r\n")
    data = b"".join(lines)
    match rng.randrange(8):
        case 0:
            data = data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\r", b"\0", b"\x0b", b"\xe2\x80\xa8")))
        case 1:
            with contextlib.suppress(UnicodeError):
                data = data.decode().encode(
                    rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7", "cp037"))
                )
    return data


# Plain data, as JSON, YAML and pickles hold it


def anything(rng: Random, deep: bool = True) -> Any:
    """What may stand where something else belongs; plain data."""
    values: list[Any] = [
        *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**70), 10**400, 1.5, -0.0, 1e308, float("nan")),
        *(float("inf"), "", "S9", "a\nb", "\0", "x" * 400, "é\u2028", "\ud800", "1", "nan", "mm", "h36m17", "../../x"),
        *([], {}, [[]], [None], ["a"], [1, 2, 3], [[1.0, 2.0, 3.0]], [[[1.0, 2.0], 3]], [{}], {"a": 1}, {"": None}),
    ]
    if deep:
        nested: Any = rng.choice(values)
        for _ in range(rng.choice((2, 20, 200))):
            nested = [nested] if rng.random() < 0.5 else {"a": nested}
        values += [nested, [anything(rng, False) for _ in range(rng.choice((3, 17, 300)))]]
    return rng.choice(values)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in plain data with a key of it."""
    found, left = [], [value]
    while left:
        inside = left.pop()
        keys = list(inside) if isinstance(inside, dict) else range(len(inside)) if isinstance(inside, list) else ()
        for key in keys:
            found.append((inside, key))
            left.append(inside[key])
    return found


def spoil(rng: Random, top: Any) -> Any:
    """Plain data with one to three places that hold something else, are gone, there twice, or called otherwise."""
    holder = [copy.deepcopy(top)]
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = _places(holder)
        if not places:
            break
        # Long lists of numbers would otherwise take nearly all of the damage.
        short = [place for place in places if not (isinstance(place[0], list) and len(place[0]) > 3)]
        inside, key = rng.choice(short if short and rng.random() < 0.6 else places)
        match rng.randrange(7):
            case 0:
                del inside[key]
            case 1 if isinstance(inside, dict):
                inside[rng.choice(("a", "", "poses", "unit", "name", "K", "\ud800", "x" * 300))] = inside.pop(key)
            case 2 if isinstance(inside, list):
                inside[key:key] = [inside[key]] * rng.choice((1, 2, 50))
            case 3:
                inside[key] = inside[key][: rng.randrange(4)] if isinstance(inside[key], list | str) else [inside[key]]
            case 4 if isinstance(inside[key], int | float) and not isinstance(inside[key], bool):
                inside[key] = rng.choice(
                    (-inside[key], inside[key] + 1, rng.choice(EXTREME), float("nan"), str(inside[key]))
                )
            case _:
                inside[key] = anything(rng)
    return holder[0] if holder else None


def dumped(rng: Random, value: Any) -> bytes:
    """JSON; huge numbers as they are, in one of several encodings."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.7, indent=rng.choice((None, None, 1)))
    return text.encode(rng.choice(("utf-8",) * 9 + ("utf-8-sig", "utf-16")), "surrogatepass")


def by_json(rng: Random, files: Sequence[bytes]) -> bytes:
    """The content of a JSON file, spoilt."""
    return dumped(rng, spoil(rng, json.loads(rng.choice(files))))


def by_yaml(rng: Random, files: Sequence[bytes]) -> bytes:
    """The content of a YAML file, spoilt, with a reference, a tag, a merge key or a second document now and then."""
    import yaml

    spoilt = spoil(rng, yaml.safe_load(rng.choice(files)))
    try:
        text = yaml.safe_dump(
            spoilt, allow_unicode=rng.random() < 0.5, default_flow_style=rng.choice((None, False, True))
        )
    except (yaml.YAMLError, ValueError, RecursionError):
        return by_tokens(rng, files)
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.3:
        lines = data.splitlines(keepends=True)
        extra = rng.choice(
            (b"a: &a [1]\nb: *a\n", b"<<: {name: x}\n", b"--- \n", b"? [a, b]\n: 1\n", b"? {a: 1}\n: 1\n", b"1: 2\n",
             b"x: !!set {a, b}\n", b"x: !!omap [a: 1]\n", b"x: !!pairs [a: 1]\n", b"x: !!binary '*'\n", b"%YAML 9.9\n",
             b"x: !!python/name:os.system\n", b"x: 2001-02-30\n", b"x: 0b2\n", b"x: 190:20:30\n", b"x: =\n",
             b"x: .inf\n")
        )  # fmt: skip
        lines.insert(rng.randrange(len(lines) + 1), extra)
        data = b"".join(lines)
    return data


# NumPy's files


def npy(header: bytes, data: bytes, version: int = 1) -> bytes:
    """A .npy file with any header at all."""
    length = struct.pack("<H" if version == 1 else "<I", len(header) % (2**16 if version == 1 else 2**32))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


_DTYPES = (
    *(b"'<f8'", b"'>f8'", b"'<f2'", b"'<f4'", b"'|b1'", b"'<i8'", b"'|S0'", b"'<U0'", b"'<U255'", b"'|O'", b"'|V8'"),
    *(
        b"[('a','<f8')]",
        b"'<M8[s]'",
        b"'<c16'",
        b"'<f16'",
        b"('<f8',(3,))",
        b"'|S1000000000'",
        b"'f8,f8'",
        b"3",
        b"None",
    ),
    *(b"{'names':['a'],'formats':['O']}", b"'" + b"(" * 200 + b"f8'", b"'<U1'", b"'|S8'", b"[('a','O',(10**9,))]"),
)
_SHAPES = (
    *(b"()", b"(0,)", b"(4,)", b"(4,17,3)", b"(17,4,3)", b"(4,51)", b"(-1,17,3)", b"(10**12,17,3)", b"(1e9,17,3)"),
    *(b"(1000000000000,17,3)", b"(9223372036854775807,3,3)", b"(True,17,3)", b"(4,17,3L)", b"4", b"[4,17,3]"),
    *(b"(" + b"1," * 40 + b")", b"(0,10000000000000000000,3)", b"(" + b"9" * 5000 + b",)", b"(4,17,3,1)"),
    b"(" * 100 + b")" * 100,
)


def by_npy(rng: Random, files: Sequence[bytes]) -> bytes:
    """The header of an .npy file changed, its length kept right; or its data."""
    data = rng.choice(files)
    if not data.startswith(b"\x93NUMPY"):
        return blindly(rng, [data])
    size = struct.unpack_from("<H", data, 8)[0]
    header, body = data[10 : 10 + size], data[10 + size :]
    match rng.randrange(6):
        case 0:
            header = re.sub(rb"'descr': *[^,]*,", b"'descr': %s," % rng.choice(_DTYPES).replace(b"\\", rb"\\"), header)
        case 1:
            header = re.sub(rb"\([^)]*\)", rng.choice(_SHAPES), header)
        case 2:
            header = header.replace(b"False", rng.choice((b"True", b"None", b"0", b"1", b"'a'")))
        case 3:
            header = by_tokens(rng, [header])[:20_000]
        case 4:
            body = body[: rng.randrange(len(body) + 1)] if rng.random() < 0.5 else body + rng.randbytes(8)
        case 5:
            body = blindly(rng, [body])
    return npy(header, body, rng.choice((1, 1, 1, 1, 2, 3, 9)))


def by_members(rng: Random, files: Sequence[bytes], inner: Sequence[Mutation] | None = None) -> bytes:
    """A zip archive of which one member is damaged, renamed, left out, doubled or compressed in another way.

    Sizes and checksums are those of what is in it.
    """
    inner = inner or (blindly, by_npy, by_npy, spliced)
    with zipfile.ZipFile(io.BytesIO(rng.choice(files))) as held:
        members = [(name, held.read(name)) for name in held.namelist()]
    with zipfile.ZipFile(io.BytesIO(rng.choice(files))) as held:
        foreign = [(name, held.read(name)) for name in held.namelist()]
    for _ in range(rng.choice((1, 1, 2))):
        if not members:
            break
        at = rng.randrange(len(members))
        name, content = members[at]
        match rng.randrange(8):
            case 0:
                del members[at]
            case 1:
                members[at] = (rng.choice((rng.choice(foreign)[0], "../x.npy", "/x", "", "é", "a" * 300)), content)
            case 2:
                members.insert(at, rng.choice(foreign))
            case 3:
                members[at] = (name, rng.choice(foreign)[1])
            case _:
                members[at] = (name, rng.choice(inner)(rng, [content, rng.choice(foreign)[1]]))
    packed = io.BytesIO()
    method = zipfile.ZIP_STORED if rng.random() < 0.6 else zipfile.ZIP_DEFLATED
    if rng.random() < 0.03:
        method = rng.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(packed, "w", method) as out:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            if rng.random() < 0.03:
                info.external_attr = rng.choice((0o120777, 0o010644, 0o060644, 0o040755)) << 16
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a name that stands twice
                out.writestr(info, content)
    return packed.getvalue()


# Pickles

_INSERTED = (
    *(
        pickle.MARK,
        pickle.POP,
        pickle.DUP,
        pickle.STOP,
        pickle.NONE,
        pickle.TUPLE,
        pickle.LIST,
        pickle.DICT,
        pickle.BUILD,
    ),
    *(pickle.REDUCE, pickle.APPEND, pickle.APPENDS, pickle.SETITEM, pickle.SETITEMS, pickle.MEMOIZE, pickle.NEWOBJ),
    *(pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.EMPTY_TUPLE, pickle.EMPTY_LIST, pickle.EMPTY_DICT),
    *(pickle.BININT + b"\xff\xff\xff\x7f", pickle.LONG1 + b"\xff" + b"\x7f" * 255, pickle.BINGET + b"\0"),
    *(
        pickle.BINPUT + b"\0",
        pickle.LONG_BINGET + b"\xff\xff\xff\xff",
        pickle.GET + b"-1\n",
        pickle.PUT + b"99999999999\n",
    ),
    *(pickle.LONG + b"9" * 10_000 + b"L\n", pickle.FLOAT + b"nan\n", pickle.INT + b"01\n", pickle.POP_MARK),
    *(pickle.BINUNICODE8 + b"\xff" * 8, pickle.BINBYTES8 + b"\0" * 7 + b"\x10", pickle.LONG4 + b"\xff\xff\xff\x7f"),
    *(pickle.EXT1 + b"\1", pickle.PERSID + b"x\n", pickle.BINPERSID, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
    *(pickle.FRAME + b"\xff" * 8, pickle.PROTO + b"\x09", pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET),
    pickle.NEWOBJ_EX,
)


def by_opcodes(rng: Random, files: Sequence[bytes]) -> bytes:
    """The steps of a pickle removed, repeated, exchanged, made odd; and calls put in, of whatever the canary names."""
    data = rng.choice(files)
    try:
        starts = [at for _, _, at in pickletools.genops(data)]
    except Exception:  # no pickle, as an .npy around one
        return blindly(rng, [data])
    steps = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(steps))
        match rng.randrange(8):
            case 0:
                del steps[at]
            case 1:
                steps[at:at] = steps[at : at + rng.choice((1, 2, 8))]
            case 2:
                other = rng.randrange(len(steps))
                steps[at], steps[other] = steps[other], steps[at]
            case 3:
                steps.insert(at, calling(rng))
            case 4:
                changed = bytearray(steps[at])
                (set_number if len(changed) > 4 else flip_bits)(rng, changed)
                steps[at] = bytes(changed)
            case 5:
                name = rng.choice(
                    (b"posix\nsystem", b"builtins\neval", b"numpy\nndarray", b"numpy\nload", b"os\nmkdir")
                )
                steps[at] = b"c" + name + b"\n"
            case _:
                steps.insert(at, rng.choice(_INSERTED))
        if not steps:
            return b""
    return b"".join(steps)


#: Name of a folder that a call which is made would leave behind in the working folder.
CANARY = "pwned"


def calling(rng: Random) -> bytes:
    """Steps that make the folder `CANARY` if they are run as they stand, by each opcode that can call."""
    name = CANARY.encode()
    text = b"X" + struct.pack("<I", len(name)) + name
    return rng.choice(
        (
            b"cos\nmkdir\n(" + text + b"tR",
            b"cos\nmkdir\n" + text + b"\x85R",
            b"(" + text + b"ios\nmkdir\n",
            b"(cos\nmkdir\n" + text + b"o",
            b"cos\nmkdir\n" + text + b"\x85\x81",
            b"cos\nmkdir\n" + text + b"\x85}\x92",
            b"\x8c\x02os\x8c\x05mkdir\x93" + text + b"\x85R",
            b"cbuiltins\neval\nX" + struct.pack("<I", 24) + b'__import__("os").getcwd(' + b"\x85R",
            b"cnumpy\nndarray\n)\x81}b",
        )
    )


# Other containers


def by_safetensors(rng: Random, files: Sequence[bytes]) -> bytes:
    """The header of a .safetensors file spoilt, with the right length before it."""
    data = rng.choice(files)
    size = int.from_bytes(data[:8], "little")
    header = spoil(rng, json.loads(data[8 : 8 + size])) if rng.random() < 0.7 else None
    text = by_tokens(rng, [data[8 : 8 + size]]) if header is None else dumped(rng, header)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def by_elements(rng: Random, files: Sequence[bytes]) -> bytes:
    """An element of a .mat file before version 7.3 damaged inside its compression, or between its siblings."""
    data = rng.choice(files)
    head, left, elements = data[:128], data[128:], []
    while len(left) >= 8:
        kind, size = struct.unpack_from("<II", left)
        size = size if kind == 15 else -(-size // 8) * 8
        elements.append((kind, left[8 : 8 + size]))
        left = left[8 + size :]
    if not elements:
        return blindly(rng, files)
    at = rng.randrange(len(elements))
    kind, content = elements[at]
    match rng.randrange(6):
        case 0:
            del elements[at]
        case 1:
            elements.insert(at, elements[at])
        case _:
            inside = zlib.decompress(content) if kind == 15 else content
            inside = blindly(rng, [inside])
            elements[at] = (kind, zlib.compress(inside) if kind == 15 else inside)
    return head + b"".join(struct.pack("<II", kind, len(content)) + content for kind, content in elements)


def of(*choices: tuple[int, Mutation]) -> Mutation:
    """One of several mutations, by weight."""
    weights = [weight for weight, _ in choices]
    mutations = [mutation for _, mutation in choices]

    def chosen(rng: Random, files: Sequence[bytes]) -> bytes:
        (mutation,) = rng.choices(mutations, weights)
        return mutation(rng, files)

    return chosen


def members(*inner: Mutation) -> Mutation:
    """`by_members` of the archives among the files, with these mutations for what is inside."""

    def mutation(rng: Random, files: Sequence[bytes]) -> bytes:
        return by_members(rng, [each for each in files if each.startswith(b"PK")], inner)

    return mutation


BYTES = of((8, blindly), (2, spliced))
TEXT = of((3, blindly), (1, spliced), (4, by_tokens), (2, by_lines))
JSON = of((2, blindly), (1, spliced), (3, by_tokens), (1, by_lines), (4, by_json))
YAML = of((2, blindly), (1, spliced), (4, by_tokens), (2, by_lines), (4, by_yaml))
NPY = of((3, blindly), (1, spliced), (6, by_npy))
ZIP = of((3, blindly), (1, spliced), (6, by_members))
PICKLE = of((3, blindly), (1, spliced), (6, by_opcodes))
SAFETENSORS = of((3, blindly), (1, spliced), (5, by_safetensors))
MAT5 = of((4, blindly), (1, spliced), (5, by_elements))
