"""What fuzzing found, as small as it gets; every one of these was once a traceback, a hang, or gigabytes."""

from __future__ import annotations

import io
import json
import os
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
from posebench.report import Report
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


# Texts


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
