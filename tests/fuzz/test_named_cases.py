"""Attacks that have a name, against every reader that they fit: refused in a sentence, soon and in little memory.

Those that belong to one format stand with its tests in tests/io; here is what all formats of a kind have in common.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import resource
import struct
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest

from posebench.errors import PosebenchError
from posebench.io import read
from tests.fuzz import mutations
from tests.fuzz.targets import FACTS, KEYS, POSES, TARGETS
from tests.fuzz.test_fuzz import NAMES
from tests.io.test_c3d_file import content as c3d

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="counts the memory of a process")

#: Processor time in seconds and bytes of memory that refusing a small file may take.
SECONDS, MEMORY = 3.0, 400 * 2**20


@contextlib.contextmanager
def soon() -> Iterator[None]:
    """What happens inside takes little processor time and little memory."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    yield
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < SECONDS
    assert (after.ru_maxrss - before.ru_maxrss) * 1024 < MEMORY


def refused(name: str, content: bytes, folder: Path, words: str = "") -> str:
    """What a reader says of a file."""
    target = TARGETS[name]
    path = folder / target.file
    path.parent.mkdir(parents=True, exist_ok=True)
    if target.prepare is not None:
        target.prepare(folder)
    path.write_bytes(content)
    with soon(), pytest.raises(PosebenchError) as caught:
        target.read(path)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 700 + len(str(path))
    assert words in said
    return said


# Archives

_ZIPPED = [name for name, target in TARGETS.items() if target.file.endswith((".npz", ".whl")) and name in NAMES]


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def _first_member(name: str, folder: Path) -> str:
    (folder / "whole").mkdir()
    with zipfile.ZipFile(io.BytesIO(TARGETS[name].whole(folder / "whole")[0])) as archive:
        return archive.namelist()[0]


@cache
def bomb(member: str, method: int) -> bytes:
    """16 MiB of one byte, a thousand times smaller in the file."""
    header = mutations.npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (2097152,), }\n", b"")
    return zipped((member, header + bytes(2**24)), method=method)


@pytest.mark.parametrize("name", [name for name in _ZIPPED if name != "archive"])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_is_not_unfolded(name: str, method: int, tmp_path: Path) -> None:
    content = bomb(_first_member(name, tmp_path), method)
    assert len(content) < 2**16
    refused(name, content, tmp_path)


@pytest.mark.parametrize("name", [name for name in _ZIPPED if name != "archive"])
@pytest.mark.parametrize(
    "shape", ["(10**12,)", "(1000000000000, 17, 3)", "(9223372036854775807, 17, 3)", "(-1, 17, 3)"]
)
def test_an_archive_whose_header_promises_a_trillion_frames_is_refused(name: str, shape: str, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    with zipfile.ZipFile(io.BytesIO(TARGETS[name].whole(tmp_path / "whole")[0])) as archive:
        members = [(each, archive.read(each)) for each in archive.namelist()]
    header = mutations.npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode(), bytes(64))
    for at in range(len(members)):
        changed = [(each, header if place == at else held) for place, (each, held) in enumerate(members)]
        refused(name, zipped(*changed, method=zipfile.ZIP_STORED), tmp_path)


@pytest.mark.parametrize(
    "inside",
    ["../out", "/etc/passwd", "a/../../b", "C:\\x", "..\\b", "//x", ".", "..", "a/" * 40 + "../" * 41 + "x"],
)
def test_a_name_that_leads_out_of_the_folder_is_refused_and_nothing_is_written(inside: str, tmp_path: Path) -> None:
    refused("archive", zipped(("fine", b"x"), (inside, b"y")), tmp_path, "unsafe")
    assert [path.name for path in tmp_path.rglob("*")] == ["a.whl"]


@pytest.mark.parametrize("kind", [0o120777, 0o010644, 0o020644, 0o060644, 0o140755])
def test_links_pipes_and_devices_in_an_archive_are_refused(kind: int, tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = kind << 16
        archive.writestr(info, "/etc/passwd")
    refused("archive", out.getvalue(), tmp_path, "unsafe")


def test_an_archive_in_an_archive_is_a_file_like_others(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    path.write_bytes(zipped(("inner.zip", zipped(("../x", b"x")))))
    TARGETS["archive"].read(path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.whl"]


# JSON

_JSON = [name for name, target in TARGETS.items() if target.file.endswith(".json") and name in NAMES]


@pytest.mark.parametrize("name", _JSON)
@pytest.mark.parametrize("opening", [b"[", b'{"poses":', b'{"a":[', b'{"cameras":[', b'{"people":[{"a":'])
def test_json_nested_a_hundred_thousand_deep_is_refused(name: str, opening: bytes, tmp_path: Path) -> None:
    refused(name, opening * 100_000, tmp_path)


@pytest.mark.parametrize("name", _JSON)
@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "9" * 4000, "9" * 10_000, "NaN", "Infinity", "1e-99999999999", "0." + "1" * 9000]
)
def test_no_number_of_json_is_too_large_for_a_sentence(name: str, number: str, tmp_path: Path) -> None:
    """In every place of a whole file that holds a number."""
    (tmp_path / "whole").mkdir()
    target = TARGETS[name]
    if target.prepare is not None:
        target.prepare(tmp_path)
    whole = json.loads(target.whole(tmp_path / "whole")[0])
    places = [
        (inside, key)
        for inside, key in mutations._places([whole])
        if isinstance(inside[key], int | float) and not isinstance(inside[key], bool)
    ]
    path = tmp_path / target.file
    for inside, key in Random(0).sample(places, min(12, len(places))):
        kept, inside[key] = inside[key], "@"
        path.write_text(json.dumps(whole).replace('"@"', number))
        inside[key] = kept
        try:
            target.read(path)
        except PosebenchError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 700 + len(str(path))


# YAML

#: Nine of nine of nine and so on: a few lines that unfold into gigabytes.
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

_YAML = [name for name, target in TARGETS.items() if target.file.endswith(".yaml")]


@pytest.mark.parametrize("name", _YAML)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAUGHS, "reference"),
        ("&a [*a]", "reference"),
        ("{" + ",".join(f"k{i}" for i in range(15_000)) + "}", ""),
        ("x: " + "1:" * 100_000 + "1", ""),
        ("x: 0x" + "f" * 200_000, ""),
        ("x: 0b" + "1" * 200_000, ""),
        ("x: " + "9" * 200_000, ""),
        ("[" * 100_000, ""),
        ("{a: " * 50_000, ""),
        ("- " * 100_000, ""),
        ("? " * 100_000, ""),
        ("x: !!python/object/apply:os.mkdir [pwned]", ""),
        ("x: !!python/object/new:os.mkdir {args: [pwned]}", ""),
        ("x: !<tag:yaml.org,2002:python/name:os.system> ''", ""),
        ("!!binary " + "QQ" * 90_000, ""),
        ("--- a\n" * 30_000, ""),
        ("%TAG ! tag:x,2000:\n" * 10_000, ""),
        ("a" * 300_000, "bytes"),
        ("\ufeff" * 1000, ""),
        ("x: \u0000", ""),
        ("<<: [{a: 1}, {b: 2}]", ""),
        ("'" + "x" * 100_000, ""),
        ("x: |\n" + " " * 200_000, ""),
        ("# " + "x" * 200_000, ""),
    ],
    ids=lambda value: value[:18] if isinstance(value, str) else "",
)  # fmt: skip
def test_yaml_that_unfolds_nests_or_calls_is_refused(
    name: str, text: str, words: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(name, text.encode(), tmp_path, words)
    assert not (tmp_path / mutations.CANARY).exists()


# Pickles

_TEXT = b"X" + struct.pack("<I", len(mutations.CANARY)) + mutations.CANARY.encode()
#: Every opcode that can call, import or ask for something from outside, with what it needs before it.
CALLS = {
    "REDUCE": b"cos\nmkdir\n" + _TEXT + b"\x85R.",
    "INST": b"(" + _TEXT + b"ios\nmkdir\n.",
    "OBJ": b"(cos\nmkdir\n" + _TEXT + b"o.",
    "NEWOBJ": b"cos\nmkdir\n" + _TEXT + b"\x85\x81.",
    "NEWOBJ_EX": b"cos\nmkdir\n" + _TEXT + b"\x85}\x92.",
    "GLOBAL": b"cos\nmkdir\n.",
    "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93" + _TEXT + b"\x85R.",
    "BUILD": b"cos\nmkdir\n}b.",
    "EXT1": b"\x80\x02\x82\x01" + _TEXT + b"\x85R.",
    "EXT2": b"\x80\x02\x83\x01\x00.",
    "EXT4": b"\x80\x02\x84\x01\x00\x00\x00.",
    "PERSID": b"Pos\n.",
    "BINPERSID": _TEXT + b"Q.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "READONLY_BUFFER": b"\x80\x05\x97\x98.",
    "SETITEM on a class": b"cnumpy\nndarray\n" + _TEXT + b"Ns.",
    "APPEND on a class": b"cnumpy\nndarray\nNa.",
    "BUILD on a class": b"cnumpy\nndarray\n}" + _TEXT + b"Nsb.",
    "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.__init__\x93)R.",
    "dtype of objects": b"cnumpy\ndtype\nX\x02\x00\x00\x00O8\x88\x88\x87R.",
}


@pytest.mark.parametrize("name", ["pkl", "npz", "npy", "layouts-npz"])
@pytest.mark.parametrize("opcode", CALLS)
def test_no_opcode_of_a_pickle_calls_anything(name: str, opcode: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    header = mutations.npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (), }\n", CALLS[opcode])
    content = {
        "pkl": CALLS[opcode], "npy": header, "npz": zipped(("poses.npy", header)),
        "layouts-npz": zipped(("positions_3d.npy", header)),
    }[name]  # fmt: skip
    refused(name, content, tmp_path)
    assert not (tmp_path / mutations.CANARY).exists()


def test_the_canary_of_these_pickles_sings(tmp_path: Path, monkeypatch) -> None:
    """Python's own unpickler runs them: they are no blanks."""
    monkeypatch.chdir(tmp_path)
    for opcode in ("REDUCE", "INST", "OBJ", "STACK_GLOBAL"):
        with contextlib.suppress(TypeError):
            pickle.loads(CALLS[opcode])
        assert (tmp_path / mutations.CANARY).is_dir(), opcode
        (tmp_path / mutations.CANARY).rmdir()


def test_every_opcode_that_can_call_is_among_them() -> None:
    known = {name for name in dir(pickle) if name.isupper() and isinstance(getattr(pickle, name), bytes)}
    can = {name for name in known if name.startswith(("EXT", "NEWOBJ", "REDUCE", "INST", "OBJ", "BUILD"))}
    can |= {name for name in known if name.endswith(("GLOBAL", "PERSID", "_BUFFER"))}
    assert can <= set(CALLS)


# Tables and recordings that promise more than they hold, or never end a cell


def _wide(n: int) -> bytes:
    return (",".join(f"j{i}_x,j{i}_y,j{i}_z" for i in range(n)) + "\n" + "1," * (3 * n - 1) + "1\n").encode()


CSV = {
    "a million columns": _wide(350_000),
    "a million empty columns": b"," * 1_000_000 + b"\n" + b"," * 1_000_000,
    "a million rows of nothing": b"\n" * 1_000_000,
    "a quote that is never closed": b'frame,joint,x,y,z\n1,0,"' + b"1\n" * 200_000,
    "a quote in the header that is never closed": b'"frame,joint,x,y,z\n' + b"1,0,1,2,3\n" * 50_000,
    "a NUL in a number": b"frame,joint,x,y,z\n1,0,1\0,2,3\n",
    "a NUL in the header": b"frame,joint\0,x,y,z\n1,0,1,2,3\n",
    "only quotes": b'"' * 200_001,
    "UTF-16": "frame,joint,x,y,z\n1,0,1,2,3\n".encode("utf-16"),
    "UTF-32": "frame,joint,x,y,z\n1,0,1,2,3\n".encode("utf-32"),
    "UTF-16 without its mark": "frame,joint,x,y,z\n1,0,1,2,3\n".encode("utf-16-le"),
    "digits of another script": "frame,joint,x,y,z\n\N{ARABIC-INDIC DIGIT ONE},0,1,2,3\n".encode(),
    "a huge exponent": b"frame,joint,x,y,z\n1,0,1e" + b"9" * 5000 + b",2,x\n",
    "a frame of 10,000 digits": b"frame,joint,x,y,z\n" + b"9" * 10_000 + b",0,1,2,3\n",
    "frames and joints far apart": b"frame,joint,x,y,z\n" + b"".join(b"%d,%d,1,2,3\n" % (i, i) for i in range(3000)),
    "a million comments": b"# unit: mm\n" * 1_000_000,
}


@pytest.mark.parametrize("case", CSV)
def test_a_table_that_cannot_be_one_is_refused(case: str, tmp_path: Path) -> None:
    refused("csv", CSV[case], tmp_path)


@pytest.mark.parametrize("name", ["csv", "boxes-csv", "trc", "cameras-toml"])
def test_a_mark_of_the_byte_order_does_no_harm_or_is_named(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    whole = target.whole(tmp_path)[0]
    path = tmp_path / target.file
    for content in (b"\xef\xbb\xbf" + whole, whole.decode().encode("utf-16"), whole.decode().encode("utf-16-le")):
        path.write_bytes(content)
        try:
            target.read(path)
        except PosebenchError as error:
            assert "\n" not in str(error)


TRILLION = {
    "csv digits": lambda whole: b"frame,joint,x,y,z\n1,0," + b"9" * 300_000 + b",2,3\n",
    "csv joint of 10,000 digits": lambda whole: b"frame,joint,x,y,z\n1," + b"9" * 10_000 + b",1,2,3\n",
    "trc": lambda whole: whole.replace(b"\t3\t17\t", b"\t1000000000000\t17\t"),
    "trc joints": lambda whole: whole.replace(b"\t3\t17\t", b"\t3\t1000000000000\t"),
    "bvh": lambda whole: whole.replace(b"Frames: 3", b"Frames: 1000000000000"),
    "bvh channels": lambda whole: whole.replace(b"CHANNELS 3", b"CHANNELS 1000000000000"),
    "npy": lambda whole: mutations.npy(
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 17, 3), }\n", bytes(8)
    ),
    "mat": lambda whole: whole.replace(struct.pack("<iii", 4, 17, 3), struct.pack("<iii", 2**31 - 1, 2**31 - 1, 3)),
    "c3d": lambda whole: c3d()[:6] + struct.pack("<HH", 1, 65535) + c3d()[10:],
}


@pytest.mark.parametrize("case", TRILLION)
def test_a_recording_that_promises_too_much_is_refused_or_has_what_it_holds(case: str, tmp_path: Path) -> None:
    target = TARGETS[case.split()[0]]
    (tmp_path / "whole").mkdir()
    whole = target.whole(tmp_path / "whole")
    path = tmp_path / target.file
    content = TRILLION[case](whole[1 if case == "mat" else 0])
    assert content != whole[0]
    path.write_bytes(content)
    with soon():
        try:
            assert len(read(path)) < 10
        except PosebenchError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".h5", ".mat"])
def test_a_table_that_promises_a_trillion_rows_is_refused(suffix: str, tmp_path: Path) -> None:
    """Chunks that were never written, and columns of one value a trillion times."""
    path = tmp_path / f"a{suffix}"
    if suffix in (".h5", ".mat"):
        import h5py

        with h5py.File(path, "w") as file:
            found = file.create_dataset("poses", (10**12, 17, 3), "f8", chunks=(1000, 17, 3), compression="gzip")
            found.attrs["MATLAB_class"] = np.bytes_(b"double")
    else:
        import pyarrow as pa
        from pyarrow import feather, parquet

        n = 200_000
        same = pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(n, np.int32)), pa.array([b"\0" * 408 * 64], pa.binary())
        )
        table = pa.table({"poses": same})
        if suffix == ".parquet":
            parquet.write_table(table, path, compression="zstd")
        else:
            feather.write_feather(table, path, "zstd")
    with soon(), pytest.raises(PosebenchError) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_groups_of_hdf5_that_hold_each_other_are_not_walked(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        first, second = file.create_group("first"), file.create_group("first/second")
        second["first"] = first
        second["top"] = file["/"]
        file["link"] = h5py.SoftLink("/link")
        file["poses"] = POSES
        file["subject"] = KEYS["subject"]
        file.attrs["unit"] = FACTS["unit"]
    with soon():
        found = read(path)
    np.testing.assert_array_equal(found.poses, POSES)


@pytest.mark.parametrize("target", ["other.h5", "/dev/zero", "../other.h5"])
@pytest.mark.parametrize("name", ["poses", "subject"])
def test_links_to_other_files_are_not_followed(target: str, name: str, tmp_path: Path) -> None:
    import h5py

    (tmp_path / "inside").mkdir()
    for place in (tmp_path, tmp_path / "inside"):
        with h5py.File(place / "other.h5", "w") as file:
            file["poses"] = POSES
            file["subject"] = KEYS["subject"]
    path = tmp_path / "inside" / "a.h5"
    with h5py.File(path, "w") as file:
        if name != "poses":
            file["poses"] = POSES
        file[name] = h5py.ExternalLink(target, name)
    with soon(), pytest.raises(PosebenchError, match="is a link, which is not followed"):
        read(path)


# Texts


@pytest.mark.parametrize("name", NAMES)
def test_a_text_of_escape_sequences_never_reaches_a_terminal_raw(name: str, tmp_path: Path) -> None:
    """Colours, titles and returns of the carriage out of a file would let it write what the terminal shows."""
    target = TARGETS[name]
    (tmp_path / "whole").mkdir()
    if target.prepare is not None:
        target.prepare(tmp_path)
    path = tmp_path / target.file
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = target.whole(tmp_path / "whole")[0]
    random = Random(name)
    for _ in range(3 if target.isolated else 30):
        at = random.randrange(len(whole) + 1)
        path.write_bytes(whole[:at] + b"\x1b[31m\r\x07" + whole[at:])
        try:
            target.read(path)
        except PosebenchError as error:
            assert not set(str(error)) & set("\x1b\r\x07\n"), ascii(str(error))
