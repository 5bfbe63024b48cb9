"""What fuzzing found, as small as it gets; every one of these was once a traceback, a hang, or gigabytes."""

from __future__ import annotations

import io
import json
import os
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench.datasets.bvh import read_bvh
from posebench.datasets.fetching import unpack
from posebench.datasets.h36m import read_h36m_cameras
from posebench.datasets.mpi_inf_3dhp import read_3dhp_calibration
from posebench.datasets.open4v.writer import read_sums
from posebench.errors import InputError
from posebench.io.array_file import read_arrays, read_bytes, write_arrays
from posebench.io.npy import _header_text, parse_npy_header
from posebench.metrics import resolve
from posebench.report import Report
from posebench.scoring import state as states
from posebench.scoring.state import State, blank, pack, read_state, write_state
from posebench.skeletons import get_skeleton
from posebench.strict_yaml import load_yaml
from posebench.units import _is_person
from tests.fuzz.targets import POSES


def refused(function, *arguments, match: str) -> None:
    """One sentence, not too long, that a terminal can show."""
    with pytest.raises(InputError, match=match) as caught:
        function(*arguments)
    text = str(caught.value)
    assert len(text) < 900
    assert text.isprintable()


# Numbers that no person has


@pytest.mark.parametrize("number", [1e300, -1e200, 1e-310, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_coordinates_beyond_all_sizes_are_scored_or_refused_without_warnings(number: float, dtype, tmp_path) -> None:
    with np.errstate(over="ignore", under="ignore"):
        poses = np.full((4, 17, 3), number).astype(dtype)
        some = POSES.astype(dtype)
        some[1:3, 4:] = number
    for each in (poses, some):
        pb.write(pb.PoseSet(each), tmp_path / "a.npz")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                report = pb.score(pb.read(tmp_path / "a.npz", unit="mm"), POSES, metrics=["MPJPE", "PMPJPE"])
            except InputError as error:
                assert str(error).isprintable()
            else:
                assert all(np.isfinite(metric.value) for metric in report.metrics.values())


def test_a_pose_of_infinity_in_single_precision_is_named(tmp_path) -> None:
    poses = POSES.astype(np.float32)
    poses[2, 5] = np.inf
    refused(
        lambda: pb.score(pb.PoseSet(poses, unit="mm", skeleton="h36m17"), POSES, metrics=["MPJPE"]),
        match=r"pose 2, joint 5 \(LKnee\) is \[inf, inf, inf\]",
    )


def test_a_limb_that_is_never_known_makes_no_person_and_no_warning() -> None:
    poses = POSES.copy()
    poses[:, 3] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not _is_person(pb.PoseSet(poses, unit="mm"), get_skeleton("h36m17"))
        assert _is_person(pb.PoseSet(POSES, unit="mm"), get_skeleton("h36m17"))


# Files that are none


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (read_h36m_cameras, "metadata.xml"),
        (read_h36m_cameras, "camera-parameters.json"),
        (read_3dhp_calibration, "camera.calibration"),
        (read_bvh, "a.bvh"),
        (lambda path: read_sums(path.parent), "SHA256SUMS"),
        (Report.load, "a.json"),
    ],
)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_not_waited_for(read, name: str, tmp_path) -> None:
    os.mkfifo(tmp_path / name)
    refused(read, tmp_path / name, match="is no regular file")


def test_a_small_file_takes_little_memory_however_much_may_be_read(tmp_path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"small")
    tracemalloc.start()
    try:
        assert read_bytes(path, 2**32) == b"small"
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_file_of_exactly_the_limit_is_read_and_one_byte_more_is_not(tmp_path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    refused(read_bytes, path, 4, match="has more than 4 bytes")


# Headers of arrays


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + data


@pytest.mark.parametrize("version", [1, 2])
def test_ten_thousand_blanks_reach_numpy_as_one(version: int) -> None:
    """Its filter for headers by Python 2 took 26 s for them."""
    blanks = " " * 9000 + "\t\n" * 100
    data = npy("{'descr': '<f8'," + blanks + "'fortran_order': 1False, 'shape': (3,)}" + blanks, version=version)
    head, start = _header_text(data, "a.npy")
    assert start == len(data)
    assert head.read()[4:] == b"{'descr': '<f8', 'fortran_order': 1False, 'shape': (3,)}"
    refused(parse_npy_header, io.BytesIO(data), len(data), "a.npy", match="a.npy: has a damaged npy header")


@pytest.mark.parametrize("version", [1, 2])
def test_a_header_by_python_2_is_read(version: int) -> None:
    data = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 3L), }" + " " * 50 + "\n", bytes(48), version)
    header = parse_npy_header(io.BytesIO(data), len(data), "a.npy")
    assert (header.shape, header.order, header.dtype, header.start) == ((2, 3), "C", np.float64, len(data) - 48)


@pytest.mark.parametrize("count", [8, 9, 11, 40])
def test_a_header_cut_short_is_refused(count: int) -> None:
    data = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0,)}")[:count]
    refused(parse_npy_header, io.BytesIO(data), count, "a.npy", match="a.npy: has a damaged npy header")


# States of shards


@pytest.fixture
def scorer() -> pb.Scorer:
    scorer = pb.Scorer("standard", metrics=["MPJPE", "MPJVE"])
    scorer.update(
        pb.PoseSet(POSES[:4] + 1, unit="mm"),
        pb.PoseSet(POSES[:4], unit="mm", sequence=["a"] * 4, frame=np.arange(4), fps=50),
    )
    return scorer


@pytest.mark.parametrize(
    "shape",
    [[2**40, 2**40], [10**400], [-1, -1], [1.5], [True], "4", ["x" * 10**4] * 3, [[9] * 100] * 8, [2] * 1000],
)
def test_a_shape_that_no_array_of_a_state_has_is_refused(scorer, shape, tmp_path, monkeypatch) -> None:
    whole = json.dumps

    def damaged(record, **options) -> str:
        return whole({**record, "arrays": {**record["arrays"], "sums": ["floats", shape]}}, **options)

    with monkeypatch.context() as patch:
        patch.setattr("posebench.scoring.state.json.dumps", damaged)
        write_state(tmp_path / "a.npz", pack(scorer))
    refused(read_state, tmp_path / "a.npz", match="is no whole state of a shard: ")


@pytest.mark.parametrize(
    "amiss",
    [
        {"offered": float("inf")},
        {"fps": 10**400},
        {"counts": {"scored": float("inf")}},
        {"keys": [{"a": ["b"] * 10_000}]},
        {"matched": ["\n", 1]},
    ],
)
def test_a_record_of_no_scorer_is_refused(scorer, amiss) -> None:
    state = pack(scorer)
    refused(
        states.unpack, State({**state.record, **amiss}, state.arrays), blank(scorer), match="is no state of a scorer"
    )


@pytest.mark.parametrize("name", ["motion.velocity", "motion.runs"])
def test_motion_of_more_cells_than_there_are_is_refused(scorer, name: str) -> None:
    state = pack(scorer)
    more = state.arrays[name].copy()
    more = np.concatenate([more, more]) if name == "motion.velocity" else more + [[9, 0, 0]]
    refused(
        states.unpack,
        State(state.record, {**state.arrays, name: more}),
        blank(scorer),
        match="are of more than 1 cells",
    )


# Texts


def test_a_camera_of_a_thousand_letters_is_not_repeated(tmp_path) -> None:
    path = tmp_path / "camera-parameters.json"
    path.write_text(json.dumps({"intrinsics": {}, "extrinsics": {"S1": {"5\n" * 1000: {}}}}))
    refused(read_h36m_cameras, path, match="intrinsics has no ")


def test_a_metric_of_a_thousand_letters_is_not_repeated() -> None:
    with pytest.raises(pb.UsageError, match=r"there is no metric 'x+\.\.\.x+'; known are") as caught:
        resolve("x" * 1000)
    assert len(str(caught.value)) < 400


def test_a_joint_with_a_line_break_stays_on_the_line(tmp_path) -> None:
    text = (Path(pb.__file__).parent / "protocols" / "standard.yaml").read_text("utf-8")
    joints = 'metric_joints: {MPJPE: ["a\\nb"]}'
    (tmp_path / "a.yaml").write_text(text.replace("definition:\n", f"definition:\n  {joints}\n"))
    refused(pb.get_protocol, tmp_path / "a.yaml", match="MPJPE has a.nb, which is not among the joints")


def test_a_stream_that_asks_for_gigabytes_is_damaged(tmp_path, monkeypatch) -> None:
    """The properties of an LZMA stream name the size of its dictionary, which is allocated before the first byte."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", bytes(range(256)) * 100)

    def decompressor(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr("lzma.LZMADecompressor", decompressor)
    refused(unpack, path, tmp_path / "out", lambda name: True, match="is not a whole zip archive: MemoryError")


def test_a_text_of_characters_that_do_not_exist_is_refused(tmp_path) -> None:
    path = tmp_path / "a.npz"
    with path.open("wb") as file:
        write_arrays(file, {"image": np.frombuffer(np.array([0x110000, 65], "<u4").tobytes(), "<U2")})
    refused(read_arrays, path, ["image"], 10**6, match="array 'image': holds a text of characters that do not exist")


def test_a_damaged_name_in_an_archive_is_not_repeated_at_length(tmp_path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("n" * 200, b"x")
    content = path.read_bytes()
    path.write_bytes(content[:30] + b"\x7f" * 200 + content[230:])
    refused(
        unpack, path, tmp_path / "out", lambda name: True, match="is not a whole zip archive: File name in directory"
    )


@pytest.mark.parametrize("name", ["a" * 256, "é" * 128, "a/" * 501])
def test_a_name_that_no_folder_can_hold_is_refused_before_anything_is_written(name: str, tmp_path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fine", b"x")
        archive.writestr(name, b"x")
    refused(unpack, path, tmp_path / "out", lambda name: True, match="holds the unsafe name")
    assert not (tmp_path / "out").exists()


# Results


@pytest.fixture(scope="module")
def result() -> dict:
    return pb.score(pb.PoseSet(POSES + 1, unit="mm"), POSES, metrics=["MPJPE"]).to_dict()


@pytest.mark.parametrize("value", [10**400, [0.5] * 5000, "x" * 5000, True])
def test_a_result_with_a_number_that_is_none_is_damaged(result, value, tmp_path) -> None:
    metric = {**result["metrics"]["MPJPE"], "value": value}
    (tmp_path / "a.json").write_text(json.dumps({**result, "metrics": {"MPJPE": metric}}))
    refused(Report.load, tmp_path / "a.json", match="the result is damaged: (TypeError|OverflowError)")


def test_a_schema_that_goes_on_for_ever_is_not_repeated(result, tmp_path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**result, "schema": "x" * 100_000}))
    refused(Report.load, tmp_path / "a.json", match="is it a posebench result")


# YAML


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("x: 0x" + "f" * 30, "a whole number has 120 bits"),
        ("x: 0x" + "f" * 5000, "a number has 5002 characters"),
        ("x: " + "1:" * 200 + "1", "a number has 401 characters"),
        ("x: " + "1:" * 200 + "1.5", "a number has 403 characters"),
        ("[" * 51 + "]" * 51, "nested more than 50 deep"),
        ('"\\e[31m": 1', "a text holds"),
        ('x: "\\ud800"', "a text holds"),
        ("a: 1\nb: 2\na: 3", "the field 'a' stands twice"),
        ("? [a]\n: 1", "expected a name"),
        ("*" + "a" * 5000, "a reference"),
    ],
)
def test_yaml_that_costs_or_misleads_is_refused(text: str, match: str, tmp_path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    refused(load_yaml, tmp_path / "a.yaml", match=match)


def test_yaml_as_people_write_it_is_read(tmp_path) -> None:
    text = "a: [1, 2.5, 0x1F, 1e3, .inf, -7]\nb: {c: 'é', d: null, 5: true}\ne: |\n  two\n  lines\nf: 2031-01-02\n"
    (tmp_path / "a.yaml").write_text(text, "utf-8")
    found = load_yaml(tmp_path / "a.yaml")
    assert found["a"] == [1, 2.5, 31, "1e3", float("inf"), -7]
    assert (found["b"], found["e"]) == ({"c": "é", "d": None, 5: True}, "two\nlines\n")


@pytest.mark.parametrize("read", [pb.get_protocol, get_skeleton])
def test_thousands_of_unknown_fields_are_not_all_named(read, tmp_path) -> None:
    path = Path(tmp_path, "a.yaml")
    with io.StringIO() as file:
        file.writelines(f"field{number}: 1\n" for number in range(10_000))
        path.write_text(file.getvalue())
    refused(read, path, match="expected exactly the fields")
