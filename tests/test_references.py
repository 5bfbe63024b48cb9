"""Poses change unit, origin and reference as geometry says, and nothing is converted that would have to be guessed."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from posebench.references import BLOCK
from tests.support.cameras import Placed, looking, ring
from tests.support.poses import people

PELVIS = 0
ABSOLUTE = {"skeleton": "h36m17", "unit": "m", "reference": "world", "origin": "absolute", "source": "a.npz"}


def persons(n: int = 6, seed: int = 0) -> np.ndarray:
    """People in metres within 1.5 m of the origin of a world with z up, pelvis about 1 m up."""
    rng = np.random.default_rng(seed)
    poses = people(rng, n) / 1000
    poses = (poses - poses[:, :1])[..., [0, 2, 1]]
    return poses + rng.uniform([-1, -1, 0.9], [1, 1, 1.1], (n, 3))[:, None]


def world(n: int = 6, **facts) -> pb.PoseSet:
    return pb.PoseSet(persons(n), **{**ABSOLUTE, **facts})


def rig(cameras: list[Placed] | None = None, unit: str | None = "m", **facts) -> dict[str, pb.Camera]:
    factor = {"mm": 1000, "cm": 100}.get(unit or "m", 1)
    return {
        each.name: pb.Camera(each.name, each.K, [], each.axes, each.t * factor, unit, source="rig.json", **facts)
        for each in cameras or ring()
    }


def notes_of(before: pb.PoseSet, after: pb.PoseSet) -> tuple[str, ...]:
    return after.notes[len(before.notes) :]


# Units


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1000.0), ("m", 1.0)])
def test_another_unit_scales_coordinates_depths_and_translations(unit: str, factor: float) -> None:
    extrinsics = np.column_stack([np.eye(3), [1.0, 2, 3]])
    before = world(root_depth=np.arange(1.0, 7), extrinsics=extrinsics, intrinsics=np.eye(3), frame=np.arange(6))
    after = pb.to_unit(before, unit)
    np.testing.assert_allclose(after.poses, persons() * factor, rtol=1e-15)
    np.testing.assert_allclose(after.root_depth, np.arange(1.0, 7) * factor)
    np.testing.assert_allclose(after.extrinsics[:, 3], np.array([1, 2, 3]) * factor)
    np.testing.assert_array_equal(after.extrinsics[:, :3], np.eye(3))
    np.testing.assert_array_equal(after.intrinsics, np.eye(3))
    assert after.unit == unit
    np.testing.assert_array_equal(before.poses, persons())


def test_extrinsics_per_pose_are_scaled_alike() -> None:
    extrinsics = np.tile(np.column_stack([np.eye(3), [1.0, 2, 3]]), (6, 1, 1))
    after = pb.to_unit(world(extrinsics=extrinsics), "mm")
    np.testing.assert_allclose(after.extrinsics[5], np.column_stack([np.eye(3), [1000, 2000, 3000]]))


def test_the_unit_that_it_has_already_changes_nothing() -> None:
    before = world()
    assert pb.to_unit(before, "m") is before


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_coordinates_keep_their_type_over_blocks_of_a_mapped_file(tmp_path, kind: type) -> None:
    poses = np.random.default_rng(0).normal(size=(2 * BLOCK + 5, 2, 3)).astype(kind)
    np.save(tmp_path / "a.npy", poses)
    mapped = pb.PoseSet(np.load(tmp_path / "a.npy", mmap_mode="r"), unit="m")
    after = pb.to_unit(mapped, "mm")
    assert after.poses.dtype == kind
    np.testing.assert_array_equal(after.poses, (poses.astype(np.float64) * 1000).astype(kind))


def test_a_unit_is_given_only_to_what_has_one() -> None:
    with pytest.raises(pb.InputError, match=r"a.npz is scale-free: no unit can be given"):
        pb.to_unit(world(unit="scale-free"), "mm")
    with pytest.raises(pb.InputError, match=r"a.npz does not say its unit; say it with --from-unit mm or"):
        pb.to_unit(world(unit=None), "mm")
    with pytest.raises(pb.UsageError, match="there is no unit 'cm' to convert to; known are mm, m"):
        pb.to_unit(world(), "cm")


# Roots


@pytest.mark.parametrize("skeleton", ["h36m17", "3dhp17"])
def test_the_skeletons_root_becomes_the_origin(skeleton: str) -> None:
    root = pb.get_skeleton(skeleton).index("pelvis")
    after = pb.to_root(world(skeleton=skeleton))
    np.testing.assert_array_equal(after.poses, persons() - persons()[:, [root]])
    assert (after.origin, after.reference, after.root_depth) == ("root", "world", None)


def test_in_a_camera_the_depth_of_the_root_is_kept() -> None:
    after = pb.to_root(world(reference="camera"))
    np.testing.assert_array_equal(after.root_depth, persons()[:, PELVIS, 2])
    assert after.notes == ()


def test_a_depth_is_not_made_of_coordinates_that_may_be_relative() -> None:
    after = pb.to_root(world(reference="camera", origin=None))
    assert after.root_depth is None
    assert after.notes == (
        "root_depth of a.npz not kept: it does not say that its coordinates are absolute (--from-origin absolute)",
    )
    kept = pb.to_root(world(reference="camera", origin=None, root_depth=4.0))
    assert (float(kept.root_depth), kept.notes) == (4.0, ())


def test_a_pose_without_a_root_is_named() -> None:
    valid = np.ones((6, 17), bool)
    valid[[3, 4], PELVIS] = False
    with pytest.raises(
        pb.InputError,
        match=r"a.npz: the root pelvis is not known in 2 of 6 poses, the first at row 3 \(frame=13\); such poses",
    ):
        pb.to_root(world(valid=valid, frame=np.arange(10, 16)))
    poses = persons()
    poses[5, PELVIS, 1] = np.nan
    with pytest.raises(pb.InputError, match=r"the root pelvis is not known in 1 of 6 poses, the first at row 5; such"):
        pb.to_root(pb.PoseSet(poses, **ABSOLUTE))


def test_what_hides_in_other_joints_does_no_harm() -> None:
    poses, valid = persons(), np.ones((6, 17), bool)
    poses[2, 7], valid[2, 7] = [np.nan, np.inf, 1e300], False
    after = pb.to_root(pb.PoseSet(poses, valid=valid, **ABSOLUTE))
    np.testing.assert_array_equal(after.poses[valid], (persons() - persons()[:, :1])[valid])
    np.testing.assert_array_equal(after.valid, valid)


def test_roots_that_cannot_be_taken_are_refused() -> None:
    with pytest.raises(pb.InputError, match=r"a.npz is relative to the root already \(origin root\)"):
        pb.to_root(world(origin="root"))
    with pytest.raises(pb.InputError, match=r"a.npz does not say its skeleton, so its root is unknown"):
        pb.to_root(world(skeleton=None))


# World to camera


def test_a_person_in_front_of_a_camera_by_hand() -> None:
    """The camera of `tests/test_cameras.py`: 5 m south of the origin, 1.5 m up, looking north; in mm this time."""
    south = pb.Camera("south", np.eye(3), [], [[1, 0, 0], [0, 0, -1], [0, 1, 0]], [0, 1500, 5000], "mm")
    pose = np.tile([[0.0, 0, 1.0]], (1, 17, 1))
    pose[0, 10] = [0.2, 0, 1.7]
    after = pb.to_camera(pb.PoseSet(pose, **ABSOLUTE), {"south": south})
    np.testing.assert_allclose(after.poses[0, [0, 10]], [[0, 0.5, 5], [0.2, -0.2, 5]])
    np.testing.assert_allclose(after.extrinsics, [[1, 0, 0, 0], [0, 0, -1, 1.5], [0, 1, 0, 5]])
    assert (after.reference, after.origin, after.unit, after.camera.names) == ("camera", "absolute", "m", ("south",))
    np.testing.assert_array_equal(after.intrinsics, np.eye(3))


@pytest.mark.parametrize("cameras_unit", ["mm", "cm", "m"])
@pytest.mark.parametrize("unit", ["mm", "m"])
def test_each_pose_goes_to_its_own_camera_whatever_the_units(unit: str, cameras_unit: str) -> None:
    placed = ring()
    which = [3, 0, 0, 2, 3, 1]
    before = pb.to_unit(world(camera=[placed[i].name for i in which]), unit)
    after = pb.to_camera(before, rig(placed, cameras_unit))
    factor = {"mm": 1000.0, "m": 1.0}[unit]
    for row, i in enumerate(which):
        np.testing.assert_allclose(after.poses[row], placed[i].sees(persons()[row]) * factor, atol=1e-9 * factor)
        np.testing.assert_allclose(after.intrinsics[row], placed[i].K)
        again = before.poses[row] @ after.extrinsics[row, :, :3].T + after.extrinsics[row, :, 3]
        np.testing.assert_allclose(again, after.poses[row], atol=1e-9 * factor)
    assert after.camera.values.tolist() == [placed[i].name for i in which]


def test_one_camera_by_name_or_the_only_one() -> None:
    placed = ring()
    after = pb.to_camera(world(), rig(placed), camera="cam_03")
    np.testing.assert_allclose(after.poses, placed[2].sees(persons()), atol=1e-12)
    assert after.camera.names == ("cam_03",)
    np.testing.assert_allclose(after.intrinsics, placed[2].K)
    assert after.extrinsics.shape == (3, 4)
    alone = pb.to_camera(world(), rig(placed[2:3]))
    np.testing.assert_array_equal(alone.poses, after.poses)


def test_all_cameras_make_a_copy_each_with_keys_and_masks() -> None:
    placed = ring(3)
    valid = np.ones((6, 17), bool)
    valid[4, 9] = False
    before = world(frame=np.arange(6), action=["a", "b"] * 3, valid=valid)
    after = pb.to_camera(before, rig(placed), camera="all")
    assert len(after) == 18
    for i, each in enumerate(placed):
        part = slice(6 * i, 6 * i + 6)
        np.testing.assert_allclose(after.poses[part], each.sees(persons()), atol=1e-12)
        np.testing.assert_array_equal(after.valid[part], valid)
        np.testing.assert_array_equal(after.frame[part], np.arange(6))
        assert after.action.values[part].tolist() == ["a", "b"] * 3
        assert set(after.camera.values[part]) == {each.name}


def test_copies_are_right_beyond_one_block() -> None:
    n = BLOCK // 2 + 3
    placed = ring(3)
    points = np.random.default_rng(0).uniform(-1, 1, (n, 1, 3))
    before = pb.PoseSet(points, unit="m", reference="world", origin="absolute")
    after = pb.to_camera(before, rig(placed), camera="all")
    np.testing.assert_allclose(after.poses, np.concatenate([each.sees(points) for each in placed]), atol=1e-12)


def by_subject() -> tuple[dict[str, list[Placed]], dict[str, pb.Camera]]:
    rigs = {"S1": ring(2, 5.0), "S9": ring(2, 7.0)}
    found = {
        f"{subject}/{name}": camera
        for subject, placed in rigs.items()
        for name, camera in rig(placed, subject=subject).items()
    }
    return rigs, found


@pytest.mark.parametrize("camera", ["cam_02", "all"])
def test_cameras_that_stand_for_a_subject_see_that_subject(camera: str) -> None:
    rigs, cameras = by_subject()
    subjects = ["S9", "S1", "S9", "S1", "S1", "S9"]
    after = pb.to_camera(world(subject=subjects), cameras, camera=camera)
    names = ["cam_01", "cam_02"] if camera == "all" else [camera]
    assert len(after) == 6 * len(names)
    for row in range(len(after)):
        name, subject = names[row // 6], subjects[row % 6]
        placed = next(each for each in rigs[subject] if each.name == name)
        np.testing.assert_allclose(after.poses[row], placed.sees(persons()[row % 6]), atol=1e-12)
        assert (after.camera.values[row], after.subject.values[row]) == (name, subject)


def test_a_camera_of_another_subject_is_not_taken() -> None:
    _, cameras = by_subject()
    with pytest.raises(pb.InputError, match=r"rig.json has no camera cam_01 for subject S5, which a.npz needs"):
        pb.to_camera(world(subject="S5"), cameras, camera="cam_01")
    with pytest.raises(pb.InputError, match=r"rig.json has no camera cam_01 for poses without a subject"):
        pb.to_camera(world(), cameras, camera="cam_01")


def test_names_that_differ_in_punctuation_are_taken_with_a_note() -> None:
    placed = ring()
    after = pb.to_camera(world(camera="Cam01"), rig(placed))
    np.testing.assert_allclose(after.poses, placed[0].sees(persons()), atol=1e-12)
    assert after.camera.names == ("Cam01",)
    assert after.notes == ("camera Cam01 of a.npz taken to be cam_01",)


def test_names_that_two_cameras_are_like_are_not_chosen_between() -> None:
    placed = [looking(name, [5, i, 1], [0, 0, 1]) for i, name in enumerate(("cam_01", "cam.01"))]
    with pytest.raises(pb.InputError, match=r"has no camera cam01, which a.npz needs; it has cam_01, cam.01$"):
        pb.to_camera(world(camera="cam01"), rig(placed))


# Camera to world


@pytest.mark.parametrize("unit", ["mm", "m"])
def test_to_the_camera_and_back_is_where_one_began(unit: str) -> None:
    before = pb.to_unit(world(camera=["cam_01", "cam_04"] * 3), unit)
    seen = pb.to_camera(before, rig(unit="cm"))
    for cameras in (rig(unit="cm"), None):
        after = pb.to_world(seen, cameras)
        np.testing.assert_allclose(after.poses, before.poses, rtol=0, atol=1e-9)
        assert (after.reference, after.unit, after.camera.values.tolist()) == ("world", unit, ["cam_01", "cam_04"] * 3)
        np.testing.assert_array_equal(after.extrinsics, seen.extrinsics)


def test_a_set_of_one_camera_that_says_no_name_takes_the_one_named() -> None:
    placed = ring()
    seen = world().replace(poses=placed[1].sees(persons()), reference="camera")
    after = pb.to_world(seen, rig(placed), camera="cam_02")
    np.testing.assert_allclose(after.poses, persons(), atol=1e-12)
    assert after.camera.names == ("cam_02",)
    with pytest.raises(pb.UsageError, match="--camera all is for --to camera"):
        pb.to_world(seen, rig(placed), camera="all")


def test_the_sets_own_extrinsics_may_differ_from_pose_to_pose() -> None:
    """A camera that moves."""
    placed = [looking("a", [4 + 0.1 * i, 1, 1.5], [0, 0, 1]) for i in range(6)]
    extrinsics = np.stack([np.column_stack([each.axes, each.t]) for each in placed])
    after = pb.to_camera(world(extrinsics=extrinsics))
    np.testing.assert_allclose(
        after.poses, [each.sees(p) for each, p in zip(placed, persons(), strict=True)], atol=1e-12
    )
    np.testing.assert_allclose(pb.to_world(after).poses, persons(), atol=1e-12)


# Root-relative poses


@pytest.mark.parametrize("unit", ["m", "mm", "scale-free"])
def test_root_relative_poses_are_rotated_only_and_a_note_says_so(unit: str) -> None:
    placed = ring()
    centred = persons() - persons()[:, :1]
    before = world(origin="root", unit=unit, camera=["cam_01", "cam_02"] * 3).replace(poses=centred)
    after = pb.to_camera(before, rig(placed))
    seen = [placed[i].sees(persons()[row]) for row, i in enumerate([0, 1] * 3)]
    np.testing.assert_allclose(after.poses, [pose - pose[:1] for pose in seen], atol=1e-12)
    assert (after.origin, after.reference) == ("root", "camera")
    assert after.notes[0] == "a.npz is relative to the root: only the rotation of the cameras was applied"
    assert (after.extrinsics is None) == (unit == "scale-free")
    back = pb.to_world(after, rig(placed))
    np.testing.assert_allclose(back.poses, centred, atol=1e-12)


def test_a_rotation_needs_no_unit_of_the_cameras() -> None:
    before = world(origin="root").replace(poses=persons() - persons()[:, :1])
    after = pb.to_camera(before, rig(unit=None), camera="cam_01")
    assert after.extrinsics is None
    assert after.notes[1:] == ("extrinsics left out: the unit of the poses or of the cameras is not known",)


def test_a_depth_stays_with_the_camera_that_it_is_of() -> None:
    centred = persons() - persons()[:, :1]
    facts = {"origin": "root", "root_depth": np.arange(4.0, 10)}
    named = pb.to_camera(world(camera="cam_01", **facts).replace(poses=centred), rig())
    np.testing.assert_array_equal(named.root_depth, np.arange(4.0, 10))
    unnamed = pb.to_camera(world(**facts).replace(poses=centred), rig(), camera="cam_01")
    assert unnamed.root_depth is None
    assert unnamed.notes[-1] == "root_depth of a.npz left out: it does not say of which camera"


def test_facts_that_give_way_are_named() -> None:
    old = {"intrinsics": np.eye(3), "extrinsics": np.eye(4)[:3], "root_depth": 5.0}
    after = pb.to_camera(world(**old), rig(), camera="cam_01")
    assert after.notes == (
        "intrinsics of a.npz replaced by those of rig.json",
        "extrinsics of a.npz replaced by those of rig.json",
        "root_depth of a.npz left out: the coordinates hold it",
    )
    again = pb.to_camera(world(intrinsics=after.intrinsics, extrinsics=after.extrinsics), rig(), camera="cam_01")
    assert again.notes == ()


# What is refused


def test_a_reference_that_is_so_already_or_not_known_is_refused() -> None:
    with pytest.raises(pb.InputError, match=r"a.npz is in the camera reference already$"):
        pb.to_camera(world(reference="camera"), rig())
    with pytest.raises(pb.InputError, match=r"a.npz is in the world reference already$"):
        pb.to_world(world(), rig())
    with pytest.raises(pb.InputError, match=r"a.npz does not say its reference; if .* --from-reference world$"):
        pb.to_camera(world(reference="unknown"), rig())
    with pytest.raises(
        pb.InputError, match=r"a.npz is in the canonical reference, from which no camera leads to the w"
    ):
        pb.to_world(world(reference="canonical"), rig())


@pytest.mark.parametrize("move", [pb.to_camera, pb.to_world])
def test_an_origin_that_is_not_known_is_asked_for(move) -> None:
    reference = "world" if move is pb.to_camera else "camera"
    with pytest.raises(pb.InputError, match=r"a.npz does not say whether .*; say it with --from-origin absolute or"):
        move(world(origin=None, reference=reference), rig(), camera="cam_01")


def test_poses_without_a_unit_have_no_place_beside_cameras() -> None:
    for cameras, extrinsics in ((rig(), None), (None, np.eye(4)[:3])):
        with pytest.raises(pb.InputError, match=r"a.npz is scale-free, so its absolute coordinates have no place"):
            pb.to_camera(world(unit="scale-free", camera="cam_01", extrinsics=extrinsics), cameras)
        with pytest.raises(pb.InputError, match=r"a.npz does not say its unit; say it with --from-unit mm or"):
            pb.to_camera(world(unit=None, camera="cam_01", extrinsics=extrinsics), cameras)


def test_cameras_without_a_unit_are_asked_about() -> None:
    with pytest.raises(
        pb.InputError, match=r"rig.json does not say the unit .* up to 5.22 long; say it with --cameras-unit mm, --cam"
    ):
        pb.to_camera(world(), rig(unit=None), camera="cam_01")


@pytest.mark.parametrize(("unit", "factor", "distance"), [("mm", 1, "5.22"), ("m", 1000, r"5.22e\+06")])
@pytest.mark.parametrize("move", [pb.to_camera, pb.to_world])
def test_a_unit_that_a_camera_file_cannot_mean_is_refused(move, unit: str, factor: float, distance: str) -> None:
    placed = ring()
    facts = {"unit": unit, "source": "rig.json"}
    cameras = {
        each.name: pb.Camera(each.name, each.K, [], each.axes, each.t * factor, unit_stated=False, **facts)
        for each in placed
    }
    before = world(reference="world" if move is pb.to_camera else "camera")
    with pytest.raises(
        pb.InputError, match=rf"^in {unit}, the world's origin is at most {distance} mm from the cameras of"
    ):
        move(before, cameras, camera="cam_01")
    stated = {name: pb.Camera(name, each.K, [], each.R, each.t, **facts) for name, each in cameras.items()}
    after = pb.to_world(world(reference="camera"), stated, camera="cam_01")
    assert after.notes == (
        f"in {unit}, the world's origin is at most {distance.replace(chr(92), '')} mm from the cameras of rig.json",
    )


def test_a_single_camera_may_be_the_worlds_origin() -> None:
    origin = pb.Camera("a", np.eye(3), [], np.eye(3), [0, 0, 0], "mm", unit_stated=False)
    after = pb.to_camera(world(), {"a": origin})
    np.testing.assert_array_equal(after.poses, persons())


def test_poses_behind_their_camera_are_counted() -> None:
    placed = [looking("a", [0.2, 0, 1], [5, 0, 1]), looking("b", [5, 0, 1], [0, 0, 1])]
    poses = np.zeros((3, 17, 3)) + [[[1, 0, 1]], [[-1, 0, 1]], [[-2, 0, 1]]]
    after = pb.to_camera(pb.PoseSet(poses, **ABSOLUTE), rig(placed), camera="all")
    assert after.notes == ("poses of a.npz lie behind their camera: 2 of 3 for a",)


def test_poses_that_all_lie_behind_their_cameras_are_refused() -> None:
    away = looking("a", [5, 0, 1], [10, 0, 1])
    assert (away.sees(persons())[..., 2] < 0).all()
    with pytest.raises(pb.InputError, match=r"^a.npz and rig.json do not fit: every pose would lie behind its camera"):
        pb.to_camera(world(), rig([away]))
    with pytest.raises(pb.InputError, match=r"^a.npz does not fit its extrinsics: every pose would lie behind its cam"):
        pb.to_camera(world(extrinsics=np.column_stack([away.axes, away.t])))


def test_a_pose_of_which_nothing_is_known_is_no_reason_to_refuse() -> None:
    poses, valid = persons(), np.ones((6, 17), bool)
    valid[2], poses[2] = False, np.nan
    after = pb.to_camera(pb.PoseSet(poses, valid=valid, **ABSOLUTE), rig(), camera="cam_01")
    assert after.notes == ()
    assert np.isfinite(after.poses[valid]).all()


def test_poses_outside_the_pictures_are_told() -> None:
    past = looking("past", [5, 3, 1], [0, 9, 1])
    cameras = {"past": pb.Camera("past", past.K, [], past.axes, past.t, "m", size=past.size)}
    after = pb.to_camera(world(), cameras)
    assert after.notes == ("most poses of a.npz lie outside the pictures of their camera: 6 of 6 for past",)


def test_which_camera_is_never_guessed() -> None:
    with pytest.raises(
        pb.UsageError, match=r"a.npz does not say the cameras .* --camera NAME, .* cam_01, cam_02, cam_03"
    ):
        pb.to_camera(world(), rig())
    with pytest.raises(pb.UsageError, match=r"a.npz says the camera of each pose, so --camera cam_02 has no place"):
        pb.to_camera(world(camera="cam_01"), rig(), camera="cam_02")
    with pytest.raises(pb.InputError, match=r"rig.json has no camera cam_09, which a.npz needs; it has cam_01, cam_02"):
        pb.to_camera(world(camera=["cam_01", "cam_09"] * 3), rig())
    with pytest.raises(pb.UsageError, match="there are no cameras"):
        pb.to_camera(world(), {})


def test_a_long_list_of_cameras_is_cut() -> None:
    with pytest.raises(pb.UsageError, match=r"cam_12 and 8 more$"):
        pb.to_camera(world(), rig(ring(20)))


def test_own_extrinsics_are_needed_and_checked() -> None:
    with pytest.raises(pb.InputError, match=r"a.npz holds no extrinsics; give its cameras with --cameras FILE"):
        pb.to_camera(world())
    with pytest.raises(pb.UsageError, match=r"--camera chooses from a camera file"):
        pb.to_camera(world(extrinsics=np.eye(4)[:3]), camera="a")
    with pytest.raises(pb.InputError, match=r"a.npz: extrinsics: R is no rotation"):
        pb.to_camera(world(extrinsics=np.ones((3, 4))))
    with pytest.raises(pb.InputError, match=r"a.npz: extrinsics hold a number that is not finite"):
        pb.to_camera(world(extrinsics=np.full((3, 4), np.nan)))


def test_nothing_is_changed_in_place() -> None:
    before = world(camera="cam_01")
    pb.to_camera(before, rig())
    pb.to_root(before)
    np.testing.assert_array_equal(before.poses, persons())
    assert (before.reference, before.origin, before.notes) == ("world", "absolute", ())
