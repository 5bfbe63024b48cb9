"""From files of ground truth to a bank: which poses go in, how they are seen, and what the card says of it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench.banks import ClusterBank, Source
from posebench.banks.recipe import (
    MPII16,
    Plan,
    Recipe,
    gt_files,
    input_files,
    joints_of,
    known_sources,
    portable,
    source_of,
)
from posebench.errors import InputError, UsageError
from posebench.skeletons import H36M17, get_skeleton
from tests.support.mocap import amc_text, asf_text, clip_text, written
from tests.support.poses import people

ROOM = Recipe(cameras="h36m-like")
RHIP, LHIP = H36M17.index("RHip"), H36M17.index("LHip")


def saved(path: Path, poses: np.ndarray, **facts) -> Path:
    """A file of poses, in the camera reference unless said otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pb.write(pb.PoseSet(poses, **{"skeleton": "h36m17", "unit": "mm", "reference": "camera", **facts}), path)
    return path


def moving_clip(folder: Path, n: int, name: str = "07_12.bvh") -> Path:
    """A clip of n frames, the rest pose first, in each of which an arm and a leg are turned a little more."""
    return written(folder, clip_text({}, *({"LeftArm": 3 * i, "RightUpLeg": -i} for i in range(1, n))), name)


def relative(poses: np.ndarray) -> np.ndarray:
    return poses - poses[:, :1]


def directions(poses: np.ndarray) -> np.ndarray:
    return relative(poses) / np.linalg.norm(relative(poses), axis=(1, 2), keepdims=True)


def views_by_hand(poses: np.ndarray, sequence: str) -> np.ndarray:
    """Directions in four cameras 5 m from the middle of a room and 1.5 m high that look at 0.9 m, axis by axis."""
    digest = hashlib.sha256(f"0/{sequence}".encode()).digest()
    yaw = int.from_bytes(digest[:8], "big") / 2**64 * 2 * np.pi
    x, y, z = np.moveaxis(relative(poses), -1, 0)
    x, z = np.cos(yaw) * x + np.sin(yaw) * z, np.cos(yaw) * z - np.sin(yaw) * x
    views = []
    for angle in np.radians([45, 135, 225, 315]):
        out = np.cos(angle) * x + np.sin(angle) * z
        right = np.cos(angle) * z - np.sin(angle) * x
        tilt = np.arctan2(600, 5000)
        forward = -np.cos(tilt) * out - np.sin(tilt) * y
        down = -np.cos(tilt) * y + np.sin(tilt) * out
        views.append(np.stack([-right, down, forward], -1))
    return np.concatenate(views)


# Which files


def test_a_folder_stands_for_all_files_below_it_that_can_be_read_in_order(tmp_path: Path) -> None:
    for name in ("b/2.npz", "b/10.npz", "a.npz", "a/z.npy", "b/take.AMC", "c/01_01.bvh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("notes.txt", "motions.csv", ".hidden.npz", "HDM_bd.asf", "b/.svn/x.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in gt_files([tmp_path])]
    assert found == ["a.npz", "a/z.npy", "b/10.npz", "b/2.npz", "b/take.AMC", "c/01_01.bvh"]
    assert gt_files([tmp_path / "b" / "2.npz", tmp_path / "a"]) == [tmp_path / "b" / "2.npz", tmp_path / "a" / "z.npy"]


def test_files_that_are_not_there_or_given_twice_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: holds no file of poses; read are \.npz, "):
        gt_files([tmp_path / "empty"])
    with pytest.raises(InputError, match=r"nowhere\.npz: cannot be read: No such file"):
        gt_files([tmp_path / "nowhere.npz"])
    (tmp_path / "a.npz").touch()
    with pytest.raises(UsageError, match=r"a\.npz is given twice"):
        gt_files([tmp_path / "a.npz", tmp_path])


def test_no_file_and_more_files_than_a_card_can_list_are_refused(tmp_path: Path) -> None:
    for count in (0, 10_001):
        with pytest.raises(UsageError, match=f"from 1 to 10000 files of ground truth, got {count}"):
            Recipe().read([tmp_path / "a.npz"] * count)


def test_a_name_that_no_card_can_hold_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'two\\nlines\.npz': cannot stand on a card, rename the file"):
        Recipe().read([saved(tmp_path / "two\nlines.npz", people(np.random.default_rng(0), 3))])


def test_files_are_listed_with_their_hashes_and_an_actors_skeleton_once(tmp_path: Path) -> None:
    (tmp_path / "HDM_bd.asf").write_text(asf_text())
    clips = [tmp_path / f"HDM_bd_squat_00{i}_120.amc" for i in (1, 2)]
    for clip in clips:
        clip.write_text(amc_text({}, {"lhumerus": 9}))
    found = input_files(clips)
    assert [file.name for file in found] == ["HDM_bd.asf", *(clip.name for clip in clips)]
    assert found[0].sha256 == hashlib.sha256((tmp_path / "HDM_bd.asf").read_bytes()).hexdigest()


def test_files_of_one_name_in_two_folders_are_both_listed(tmp_path: Path) -> None:
    paths = [
        saved(tmp_path / folder / "gt.npz", people(np.random.default_rng(0), n)) for folder, n in (("a", 3), ("b", 4))
    ]
    assert [file.name for file in input_files(paths)] == ["gt.npz", "gt.npz"]


# Which frames


def test_frames_of_motion_capture_that_nobody_captured_are_left_out_before_thinning(tmp_path: Path) -> None:
    prepared = Recipe(stride=3).prepare(moving_clip(tmp_path, 9))
    assert prepared.poses.frame.tolist() == [1, 4, 7]
    assert prepared.given == 8
    assert {fault: count for fault, count in prepared.left_out.items() if count} == {"rest pose": 1}
    ground = Recipe().read([moving_clip(tmp_path, 9), moving_clip(tmp_path, 5, "07_13.bvh")])
    assert ground.notes[-1] == "frames left out before all else, by fault: 2 rest pose (posebench.datasets.quality)"


def test_frames_of_other_files_are_all_used(tmp_path: Path) -> None:
    poses = people(np.random.default_rng(0), 6)
    prepared = Recipe().prepare(saved(tmp_path / "gt.npz", poses))
    np.testing.assert_array_equal(prepared.poses.poses, poses)
    assert (prepared.given, prepared.left_out, prepared.notes) == (6, {}, ())


def test_files_without_a_frame_left_are_refused_only_if_all_are(tmp_path: Path) -> None:
    rest = written(tmp_path, clip_text({}), "07_01.bvh")
    with pytest.raises(InputError, match=r"07_01\.bvh: has no frame that can be used"):
        Recipe().read([rest])
    ground = ROOM.read([rest, moving_clip(tmp_path, 4)])
    assert [poses.sequence.names for poses in ground] == [("07_12",)]
    assert ground.used == 12


def test_hdm05_and_acclaim_clips_of_cmu_are_read(tmp_path: Path) -> None:
    for skeleton, clip in (("HDM_bd.asf", "HDM_bd_squat_001_120.amc"), ("07.asf", "07_12.amc")):
        (tmp_path / skeleton).write_text(asf_text())
        (tmp_path / clip).write_text(amc_text({"lhumerus": 5}, {"lhumerus": 9}, {"lhumerus": 12}))
        prepared = Recipe().prepare(tmp_path / clip)
        assert len(prepared.poses) == 3
        assert prepared.dataset == ("hdm05" if clip.startswith("HDM") else "cmu-mocap")


# How they are seen


def test_poses_of_a_world_are_seen_by_four_cameras_of_a_room(tmp_path: Path) -> None:
    clip = moving_clip(tmp_path, 6)
    prepared = ROOM.prepare(clip)
    expected = views_by_hand(pb.datasets.read_cmu(clip).poses[1:], "07_12")
    np.testing.assert_allclose(relative(prepared.poses.poses), expected, atol=2e-3)
    assert (prepared.poses.reference, prepared.given) == ("camera", 20)
    assert "4 cameras" in ROOM.viewing
    assert "5000 mm from its middle and 1500 mm high" in ROOM.viewing


def test_neither_unit_nor_origin_nor_place_matters_to_what_cameras_see(tmp_path: Path) -> None:
    poses = people(np.random.default_rng(1), 5)
    facts = {"reference": "world", "sequence": "walk"}
    variants = [
        saved(tmp_path / "mm.npz", poses, **facts, origin="absolute"),
        saved(tmp_path / "m.npz", poses / 1000 + 7, **facts, unit="m"),
        saved(tmp_path / "root.npz", relative(poses) * 3, **facts, unit="scale-free", origin="root"),
    ]
    for path in variants:
        seen = directions(ROOM.prepare(path).poses.poses)
        np.testing.assert_allclose(seen, directions(views_by_hand(poses, "walk")), atol=1e-9)


def test_a_file_without_sequences_is_one_that_has_its_name(tmp_path: Path) -> None:
    poses = people(np.random.default_rng(1), 5)
    path = saved(tmp_path / "evening.npz", poses, reference="world")
    np.testing.assert_allclose(
        directions(ROOM.prepare(path).poses.poses), directions(views_by_hand(poses, "evening")), atol=1e-9
    )


def test_what_stands_in_a_masked_joint_moves_no_other(tmp_path: Path) -> None:
    poses = people(np.random.default_rng(1), 5)
    valid = np.ones((5, 17), bool)
    valid[2, 0] = valid[3, 10] = False
    poses[~valid] = np.nan
    seen = ROOM.prepare(saved(tmp_path / "gt.npz", poses, valid=valid, reference="world")).poses
    sound = np.tile(np.array([0, 1, 4]), 4) + np.repeat(5 * np.arange(4), 3)
    np.testing.assert_allclose(
        directions(seen.poses[sound]), directions(views_by_hand(poses[[0, 1, 4]], "gt")), atol=1e-9
    )
    np.testing.assert_array_equal(seen.valid, np.tile(valid, (4, 1)))


def test_canonical_poses_have_hips_without_depth_and_are_otherwise_as_they_were(tmp_path: Path) -> None:
    poses = people(np.random.default_rng(2), 30)
    prepared = Recipe(canonical=True).prepare(saved(tmp_path / "gt.npz", poses))
    hips = prepared.poses.poses[:, RHIP] - prepared.poses.poses[:, LHIP]
    before = poses[:, RHIP] - poses[:, LHIP]
    lying = np.hypot(before[:, 0], before[:, 2]) <= np.tan(np.radians(10)) * np.abs(before[:, 1])
    assert np.abs(hips[~lying, 2]).max() < 1e-9
    assert (hips[~lying, 0] < 0).all()
    assert prepared.lying == lying.sum()
    np.testing.assert_array_equal(prepared.poses.poses[..., 1], poses[..., 1])
    assert prepared.poses.reference == "canonical"


def test_poses_that_lie_on_their_side_are_counted_in_a_note(tmp_path: Path) -> None:
    poses = people(np.random.default_rng(2), 4)
    poses[1, LHIP], poses[1, RHIP] = [0, 100, 0], [5, -100, 0]
    ground = Recipe(canonical=True).read([saved(tmp_path / "gt.npz", poses)])
    assert ground.notes == ("1 of 4 poses lie on their side and are not turned to the front",)


def test_a_pose_whose_facing_is_unknown_is_masked_as_a_whole(tmp_path: Path) -> None:
    valid = np.ones((4, 17), bool)
    valid[1, LHIP] = valid[2, 5] = False
    path = saved(tmp_path / "gt.npz", people(np.random.default_rng(2), 4), valid=valid)
    seen = Recipe(canonical=True).prepare(path).poses
    assert seen.valid.sum(1).tolist() == [17, 0, 16, 17]


def test_motion_capture_is_rounded_to_a_thousandth_of_a_millimetre_in_the_end(tmp_path: Path) -> None:
    for recipe in (Recipe(), ROOM, replace(ROOM, canonical=True)):
        prepared = recipe.prepare(moving_clip(tmp_path, 4))
        np.testing.assert_array_equal(prepared.poses.poses, np.round(prepared.poses.poses, 3))
        assert prepared.notes == ("coordinates of motion capture are rounded to 0.001 mm",)
    seen = ROOM.prepare(moving_clip(tmp_path, 4)).poses.poses
    assert not np.array_equal(seen, np.round(seen, 2))


def test_the_skeleton_of_a_file_that_does_not_say_it_is_assumed_with_a_note(tmp_path: Path) -> None:
    path = saved(tmp_path / "gt.npz", people(np.random.default_rng(2), 4), skeleton=None)
    prepared = Recipe(canonical=True).prepare(path)
    assert prepared.notes == ("skeleton of gt.npz assumed: h36m17",)


def test_what_the_user_says_of_a_file_is_believed(tmp_path: Path) -> None:
    path = saved(tmp_path / "gt.npz", people(np.random.default_rng(2), 4), skeleton=None, reference="unknown")
    poses = Recipe(said_skeleton="3dhp17", said_reference="world").prepare(path).poses
    assert (poses.skeleton.name, poses.reference) == ("3dhp17", "world")


@pytest.mark.parametrize(
    ("recipe", "facts", "message"),
    [
        (
            Recipe(),
            {"reference": "unknown"},
            "gt.npz does not say its reference, .*; say it with --gt-reference camera, ",
        ),
        (ROOM, {"reference": "camera"}, "gt.npz is in the camera reference, and --cameras is for poses of a world"),
        (ROOM, {"reference": "canonical"}, "gt.npz is in the canonical reference, and --cameras is"),
        (Recipe(canonical=True), {"reference": "world"}, "in the world reference, and .*; add --cameras h36m-like, or"),
        (Recipe(canonical=True), {"reference": "canonical"}, "canonical reference already; leave --canonical out"),
        (Recipe(canonical=True, skeleton=get_skeleton("coco17")), {"skeleton": "coco17"}, None),
        (
            Recipe(canonical=True, skeleton=get_skeleton("body25")),
            {"skeleton": None},
            "gt.npz does not say what its 17 joints are; name the skeleton with --gt-skeleton",
        ),
    ],
)
def test_poses_that_cannot_be_seen_as_asked_are_refused(tmp_path, recipe, facts, message: str | None) -> None:
    path = saved(tmp_path / "gt.npz", people(np.random.default_rng(2), 4), **facts)
    if message is None:
        recipe.prepare(path)
        return
    with pytest.raises(InputError, match=message):
        recipe.prepare(path)


def test_motion_capture_says_itself_what_it_is(tmp_path: Path) -> None:
    clip = moving_clip(tmp_path, 3)
    with pytest.raises(UsageError, match=r"07_12\.bvh says its skeleton itself; leave --gt-skeleton out"):
        Recipe(said_skeleton="h36m17").prepare(clip)
    with pytest.raises(UsageError, match="says its reference itself; leave --gt-reference out"):
        Recipe(said_reference="camera").prepare(clip)


def test_a_recipe_with_unknown_cameras_or_stride_is_refused() -> None:
    with pytest.raises(UsageError, match="there are no cameras 'h36m'; known is h36m-like"):
        Recipe(cameras="h36m")
    with pytest.raises(UsageError, match="stride is 0"):
        Recipe(stride=0)


# Banks and their cards


SMALL = {"n_init": 1, "max_iter": 30}


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    return [moving_clip(tmp_path, 40), moving_clip(tmp_path, 25, "07_13.bvh")]


def test_a_bank_is_built_of_the_poses_that_the_recipe_leaves(clips: list[Path]) -> None:
    recipe = replace(ROOM, stride=2)
    bank = Plan("small-k4", 4, recipe, seed=5, **SMALL).build(recipe.read(clips))
    poses = [views_by_hand(pb.datasets.read_cmu(clip).poses[1::2], clip.stem) for clip in clips]
    rows = directions(np.concatenate(poses)).reshape(-1, 51)
    labels = ((rows[:, None] - bank.centres.reshape(4, -1)) ** 2).sum(2).argmin(1)
    assert bank.card.cluster_sizes == tuple(np.bincount(labels, minlength=4).tolist())
    for j in range(4):
        np.testing.assert_allclose(bank.centres[j].ravel(), rows[labels == j].mean(0), atol=1e-3)


def test_the_card_says_how_the_poses_were_chosen_and_seen(clips: list[Path]) -> None:
    recipe = replace(ROOM, stride=2, canonical=True)
    plan = Plan("small-k4", 4, recipe, min_distance=0.05, split="subject 07", command="make it", **SMALL)
    card = plan.build(recipe.read(clips)).card
    assert (card.name, card.k, card.split, card.command) == ("small-k4", 4, "subject 07", "make it")
    assert card.layout.reference == "canonical"
    assert card.viewing == recipe.viewing
    assert card.viewing.endswith("then turned about the camera's y axis until the hips have no depth")
    assert (card.thinning.stride, card.thinning.min_distance) == (2, 0.05)
    assert card.poses.given == 4 * (39 + 24)
    assert card.poses.given == card.poses.used + card.poses.thinned
    assert card.poses.thinned > 4 * (19 + 12)
    assert [file.name for file in card.files] == ["07_12.bvh", "07_13.bvh"]
    assert card.sources == (known_sources()["cmu-mocap"],)
    assert "mocap.cs.cmu.edu" in card.sources[0].attribution


def test_a_card_with_its_recipe_can_be_saved_loaded_and_verified(clips: list[Path], tmp_path: Path) -> None:
    bank = Plan("small-k4", 4, ROOM, **SMALL).build(ROOM.read(clips))
    bank.save(tmp_path / "small-k4.npz")
    ClusterBank.verify(tmp_path / "small-k4.npz")
    assert ClusterBank.load(tmp_path / "small-k4.npz").card == bank.card


def test_sources_that_the_user_names_stand_instead(clips: list[Path]) -> None:
    mine = Source("Mine", "CC0-1.0", "nobody")
    assert Plan("a", 2, ROOM, sources=(mine,), **SMALL).build(ROOM.read(clips)).card.sources == (mine,)


def test_sixteen_joints_are_those_of_mpii_in_its_order(clips: list[Path]) -> None:
    renamed = {"upper_neck": "nose", "head_top": "head"}
    assert tuple(renamed.get(joint, joint) for joint in get_skeleton("mpii16").joints) == MPII16
    assert set(H36M17.joints) - set(MPII16) == {"spine"}
    bank = Plan("a", 3, ROOM, joints=joints_of("mpii16"), **SMALL).build(ROOM.read(clips))
    assert bank.centres.shape == (3, 16, 3)
    assert (bank.layout.joints, bank.layout.skeleton, bank.layout.root) == (MPII16, "h36m17", "pelvis")


def test_a_bank_of_mini_batches_reads_the_files_anew_instead_of_keeping_their_poses(clips: list[Path]) -> None:
    recipe = replace(ROOM, stride=3)
    ground = recipe.read(clips, keep=False)
    assert ground._sets is None
    plan = Plan("a", 3, recipe, algorithm="minibatch")
    card = plan.build(ground).card
    assert card.kmeans.algorithm == "minibatch"
    assert (card.poses.given, card.poses.used) == (4 * (39 + 24), 4 * (13 + 8))
    assert plan.build(recipe.read(clips)).card == card


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 1}, "k is 1"),
        ({"seed": -1}, "seed is -1"),
        ({"centring": "hips"}, "centring is 'hips'"),
        ({"joints": ("pelvis", "tail")}, "no joint 'tail'"),
        ({"joints": ("head", "LWrist")}, "root is 'pelvis', which is not among the joints"),
        ({"min_distance": 3.0}, "min_distance is 3.0"),
        ({"algorithm": "elkan"}, "algorithm is 'elkan', expected one of auto, lloyd, minibatch"),
        ({"n_init": 0}, "n_init is 0"),
        ({"max_iter": 0}, "max_iter is 0"),
        ({"tol": -1.0}, "tol is -1.0"),
        ({"name": "../escape"}, "name is '../escape'"),
        ({"split": "two\nlines"}, "split is "),
        ({"sources": (Source("", "x", ""),)}, r"sources\[0\]\.name is ''"),
    ],
)
def test_a_plan_that_means_nothing_is_refused_before_any_work(change: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Plan(**{"name": "a", "k": 4, "recipe": Recipe(), **change})


def test_a_bank_that_stands_there_is_known_by_command_files_and_bytes(clips: list[Path], tmp_path: Path) -> None:
    plan = Plan("small-k4", 4, ROOM, command="make it", **SMALL)
    path, files = tmp_path / "small-k4.npz", input_files(clips)
    assert not plan.is_built(path, files)
    plan.build(ROOM.read(clips)).save(path)
    assert plan.is_built(path, files)
    assert not replace(plan, command="make it otherwise").is_built(path, files)
    assert not replace(plan, name="other").is_built(path, files)
    assert not replace(plan, seed=1).is_built(path, files)
    assert not plan.is_built(path, files[:1])
    path.write_bytes(path.read_bytes()[:-1])
    assert not plan.is_built(path, files)


# Words on a command line


def test_a_path_below_the_data_folder_is_named_by_the_variable(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("POSEBENCH_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "a b").mkdir(parents=True)
    assert portable(tmp_path / "data" / "a b" / "x.npz") == "\"$POSEBENCH_DATA\"/'a b/x.npz'"
    assert portable(tmp_path / "data") == '"$POSEBENCH_DATA"'
    monkeypatch.chdir(tmp_path)
    assert portable(Path("data/x.npz")) == '"$POSEBENCH_DATA"/x.npz'
    assert portable(Path("x.npz")) == "x.npz"


def test_a_path_of_this_machine_is_shortened_to_its_name(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("POSEBENCH_DATA", raising=False)
    assert portable(tmp_path / "train set.npz") == "'train set.npz'"


def test_joints_and_sources_are_read_as_people_write_them() -> None:
    assert joints_of(None) is None
    assert joints_of("pelvis, head,nose") == ("pelvis", "head", "nose")
    assert source_of(" CMU | free |thank you ") == Source("CMU", "free", "thank you")
    for text in ("CMU", "CMU|free", "|free|x", "CMU||x", "a|b|c|d"):
        with pytest.raises(UsageError, match=r"expected name\|licence\|attribution"):
            source_of(text)


# Real people


@pytest.mark.mocap
def test_a_bank_of_real_people_has_the_same_bytes_on_one_thread_and_on_two(mocap_root: Path, tmp_path: Path) -> None:
    code = "import sys; sys.argv[0] = 'posebench'; from posebench.cli import main; main()"
    folder = str(mocap_root / "cmu-mocap" / "bvh" / "07")
    options = ["--cameras", "h36m-like", "--stride", "24", "--n-init", "2", "-k", "10", "--name", "people"]
    made: list[list[bytes]] = []
    for threads in ("1", "2"):
        out = tmp_path / threads
        out.mkdir()
        environment = {**os.environ, "POSEBENCH_THREADS": threads, "OMP_NUM_THREADS": threads}
        environment |= {"OPENBLAS_NUM_THREADS": threads}
        subprocess.run(
            [sys.executable, "-c", code, "bank", "build", "--gt", folder, *options, "-o", str(out)],
            env=environment, check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        made.append([path.read_bytes() for path in sorted(out.iterdir())])
    assert len(made[0]) == 2
    assert made[0] == made[1]
    assert ClusterBank.load(tmp_path / "1" / "people-k10.npz").card.poses.used > 300
