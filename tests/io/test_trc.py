"""TRC files, as OpenSim and Pose2Sim write them."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.errors import InputError, PosebenchError, UsageError
from posebench.io import read, write
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

POSES = np.random.default_rng(0).normal(size=(3, 17, 3)).round(6)


def text(poses=POSES, names=H36M17.joints, unit="m", rate="60", count=None, tail=""):
    """A file as Pose2Sim writes it."""
    n, joints, _ = poses.shape
    axes = "\t".join(f"X{j}\tY{j}\tZ{j}" for j in range(1, joints + 1))
    lines = [
        "PathFileType\t4\t(X/Y/Z)\ta.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{n}\t{joints if count is None else count}\t{unit}\t{rate}\t5\t{n}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + axes,
    ]
    for i, pose in enumerate(poses):
        cells = ["" if np.isnan(x) else repr(float(x)) for x in pose.ravel()]
        lines.append("\t".join([str(i + 5), f"{i / 60:.3f}", *cells]) + tail)
    return "\n".join(lines) + "\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.trc"


@pytest.mark.parametrize("tail", ["", "\t"])
def test_a_file_is_read(tail, path):
    path.write_text(text(tail=tail))
    poses = read(path)
    np.testing.assert_array_equal(poses.poses, POSES)
    assert (poses.unit, poses.fps, poses.skeleton) == ("m", 60.0, H36M17)
    assert poses.frame.tolist() == [5, 6, 7]
    assert poses.notes == ()


def test_markers_are_put_into_the_order_of_their_skeleton(path):
    path.write_text(text(POSES[:, ::-1], H36M17.joints[::-1]))
    np.testing.assert_array_equal(read(path).poses, POSES)


def test_unknown_markers_stay_as_they_are_with_a_note(path):
    path.write_text(text(POSES[:, :2], ("CLAV", "C7")))
    poses = read(path)
    np.testing.assert_array_equal(poses.poses, POSES[:, :2])
    assert poses.skeleton is None
    assert "'CLAV', 'C7' are those of no known skeleton" in poses.notes[0]


@pytest.mark.parametrize(("unit", "expected", "factor"), [("mm", "mm", 1), ("cm", "mm", 10), ("M", "m", 1)])
def test_units_are_kept_or_become_millimetres(unit, expected, factor, path):
    path.write_text(text(unit=unit))
    poses = read(path)
    assert poses.unit == expected
    np.testing.assert_array_equal(poses.poses, POSES * factor)


def test_empty_cells_are_unknown_coordinates(path):
    poses = POSES.copy()
    poses[1, 3] = poses[2, 16] = np.nan
    path.write_text(text(poses))
    np.testing.assert_array_equal(read(path).poses, poses)


def test_windows_line_ends_are_read(path):
    path.write_bytes(text().replace("\n", "\r\n").encode())
    np.testing.assert_array_equal(read(path).poses, POSES)


def test_another_number_of_frames_is_noted(path):
    path.write_text("\n".join(text().split("\n")[:-2]) + "\n")
    assert read(path).notes == (f"{path}: says NumFrames '3', but has 2 rows",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("frame\tx\n", "line 1: begins with 'frame', expected PathFileType"),
        (text(unit="inch"), "line 3: Units is 'inch', expected one of m, mm, cm"),
        (text(rate="fast"), "line 3: DataRate is 'fast'"),
        (text(rate="-1"), "fps is -1.0"),
        (text(count=16), "line 4: names 17 markers, but NumMarkers is '16'"),
        (text(POSES[:, :2], ("a", "a")), "line 4: two markers are called 'a'"),
        (text(tail="\t7"), "line 6: has 54 cells, expected 53"),
        (text().replace("Frame#", "Image"), "line 4: begins with 'Image', 'Time'"),
        (text().replace("\t\t\tRHip", "\tRHip"), "line 4: expected the name of a marker in every third column"),
        (text().replace(repr(float(POSES[1, 2, 0])), "1_0"), "line 7: a coordinate is '1_0', expected a number"),
        (text().replace("\n6\t", "\n6.5\t"), "line 7: Frame# is '6.5', expected a whole number"),
        (text().replace("\n6\t", "\n\t"), "line 7: Frame# is '', expected a whole number"),
        ("\n".join(text().split("\n")[:5]), "line 5: the file ends, expected rows"),
        ("\n".join(text().split("\n")[:2]), "line 2: the file ends"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(content, message, path):
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_trc_is_only_read(path):
    with pytest.raises(UsageError, match="only read"):
        write(PoseSet(POSES), path)


def test_a_mutated_file_gives_a_set_or_a_sentence(path, mutate):
    content, rng, refused = text().encode(), np.random.default_rng(1), 0
    for _ in range(300):
        path.write_bytes(mutate(content, rng))
        try:
            assert isinstance(read(path), PoseSet)
        except PosebenchError as error:
            refused += 1
            assert str(path) in str(error)
            assert "\n" not in str(error)
    assert refused > 0
