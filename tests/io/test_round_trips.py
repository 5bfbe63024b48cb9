"""What is written can be read back, in every format that can hold it."""

from __future__ import annotations

import string

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from posebench.errors import InputError
from posebench.io import read, write
from posebench.poses import PoseSet

KEYED = (".npz", ".json", ".csv", ".pkl", ".h5", ".parquet", ".arrow")


@pytest.mark.parametrize("suffix", KEYED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("joints", [17, 3])
def test_every_fact_comes_back(suffix, dtype, joints, full, agree, tmp_path):
    poses = full(joints=joints, dtype=dtype)
    path = tmp_path / f"a{suffix}"
    write(poses, path)
    back = read(path)
    agree(poses, back)
    assert back.source == str(path)
    assert back.notes == ()


@pytest.mark.parametrize("suffix", [".npz", ".json", ".pkl", ".h5", ".parquet", ".arrow"])
@pytest.mark.parametrize("per_frame", [False, True])
def test_camera_facts_come_back(suffix, per_frame, full, agree, tmp_path):
    n = (6,) if per_frame else ()
    rng = np.random.default_rng(0)
    facts = {
        "intrinsics": rng.random((*n, 3, 3)),
        "extrinsics": rng.random((*n, 3, 4)),
        "root_depth": rng.random(n) * 5000,
    }
    poses = full().replace(**facts)
    write(poses, tmp_path / f"a{suffix}")
    agree(poses, read(tmp_path / f"a{suffix}"))


@pytest.mark.parametrize("suffix", [*KEYED, ".npy"])
def test_bare_coordinates_come_back_with_nothing_invented(suffix, agree, tmp_path):
    poses = PoseSet(np.arange(18.0).reshape(2, 3, 3))
    write(poses, tmp_path / f"a{suffix}")
    back = read(tmp_path / f"a{suffix}")
    agree(poses, back)
    assert back.unit is None
    assert back.skeleton is None


@pytest.mark.parametrize("suffix", [*KEYED, ".npy"])
def test_unknown_coordinates_come_back_as_nan(suffix, agree, tmp_path):
    poses = PoseSet(np.array([[[1.5, np.nan, -2e-300]], [[np.nan] * 3]]))
    write(poses, tmp_path / f"a{suffix}")
    agree(poses, read(tmp_path / f"a{suffix}"))


@pytest.mark.parametrize("suffix", [*KEYED, ".npy"])
def test_the_same_set_gives_the_same_bytes(suffix, full, tmp_path):
    poses = full() if suffix != ".npy" else PoseSet(np.ones((2, 3, 3)))
    for name in ("a", "b"):
        write(poses, tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_a_sliced_fortran_ordered_set_gives_the_bytes_of_its_copy(full, tmp_path):
    poses = full(8)
    write(poses[::2], tmp_path / "a.npz")
    write(poses[::2].replace(poses=np.ascontiguousarray(poses.poses[::2])), tmp_path / "b.npz")
    write(poses[::2].replace(poses=np.asfortranarray(poses.poses[::2])), tmp_path / "c.npz")
    first, second, third = ((tmp_path / f"{name}.npz").read_bytes() for name in "abc")
    assert first == second == third


_TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)
_ASCII = st.text(string.ascii_letters + string.digits + " ,;\"'#_", max_size=6)


@st.composite
def _sets(draw):
    n, joints = draw(st.integers(1, 4)), draw(st.sampled_from([1, 2, 17]))
    numbers = st.floats(allow_nan=True, allow_infinity=False)
    per_frame = st.none() | st.lists(_TEXT | _ASCII, min_size=n, max_size=n)
    frames = st.lists(st.integers(-(10**15), 10**15), min_size=n, max_size=n)
    return PoseSet(
        draw(hnp.arrays(np.float64, (n, joints, 3), elements=numbers)),
        valid=draw(st.none() | hnp.arrays(np.bool_, (n, joints))),
        skeleton=draw(st.sampled_from([None, "h36m17"])) if joints == 17 else None,
        unit=draw(st.sampled_from([None, "mm", "m", "scale-free"])),
        reference=draw(st.sampled_from(["camera", "world", "canonical", "unknown"])),
        origin=draw(st.sampled_from([None, "absolute", "root"])),
        subject=draw(per_frame),
        action=draw(per_frame),
        sequence=draw(per_frame),
        camera=draw(per_frame),
        frame=draw(st.none() | frames),
        fps=draw(st.none() | st.floats(1e-3, 1e6)),
        dataset=draw(st.none() | _ASCII.map(str.strip)),
    )


@pytest.mark.parametrize("suffix", KEYED)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(poses=_sets())
def test_any_set_comes_back(suffix, agree, tmp_path, poses):
    write(poses, tmp_path / f"a{suffix}")
    agree(poses, read(tmp_path / f"a{suffix}"))


@pytest.mark.parametrize(
    ("suffix", "change", "lost"),
    [
        (".csv", {"intrinsics": np.eye(3)}, "intrinsics"),
        (".csv", {"root_depth": 4000.0}, "root_depth"),
        (".csv", {"dataset": " a"}, "space"),
        (".npy", {}, "unit"),
        (".npz", {"dataset": "a\nb"}, "control"),
        (".npz", {"action": "a" * 300}, "300 characters"),
        (".json", {"poses": np.full((6, 17, 3), np.inf)}, "infinite"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(suffix, change, lost, full, tmp_path):
    path = tmp_path / f"kept{suffix}"
    path.write_bytes(b"before")
    with pytest.raises(InputError, match=lost) as caught:
        write(full().replace(**change), path)
    assert path.name in str(caught.value)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [*KEYED, ".npy"])
def test_an_empty_set_is_not_written(suffix, tmp_path):
    with pytest.raises(InputError, match="holds no poses"):
        write(PoseSet(np.zeros((0, 17, 3))), tmp_path / f"a{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_a_file_can_be_replaced_while_it_is_mapped(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(51.0).reshape(1, 17, 3))
    mapped = read(path)
    write(mapped.replace(poses=mapped.poses * 2), path)
    assert mapped.poses[0, -1, -1] == 50
    assert read(path).poses[0, -1, -1] == 100
