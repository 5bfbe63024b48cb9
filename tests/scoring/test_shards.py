"""A set in shards has the report of the set in one piece; what is no set is refused, what is done is not done again."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench.scoring import one_shard
from posebench.scoring import shards as module
from posebench.scoring.shard_files import find_shards, is_shards
from posebench.scoring.state import blank, pack, read_state, unpack, write_state
from tests.scoring.plain import pair, poseset, protocol
from tests.scoring.test_merging import METRICS, MOTION, assert_same_numbers

ALL = [*METRICS, *MOTION, "PSS@50", "PSS-kappa@50", "PSS-ensemble@50"]
#: Ten sequences of two people and two cameras, twelve frames each.
SEQUENCES, FRAMES = 10, 12
N = SEQUENCES * FRAMES
KEYS = {
    "subject": np.repeat(["S9", "S11"], N // 2),
    "action": np.repeat(np.tile(["Walking", "Eating", "Sitting", "Posing", "Waiting"], 2), FRAMES),
    "sequence": np.repeat([f"{number}" for number in range(SEQUENCES)], FRAMES),
    "camera": np.tile(np.repeat(["a", "b"], FRAMES), SEQUENCES // 2),
    "frame": np.tile(np.arange(FRAMES) + 100, SEQUENCES),
}
NUMBERED = np.arange(N) // FRAMES
SPLITS = {
    "sequences": NUMBERED // 2,
    "cut sequences": np.arange(N) // 17,
    "interleaved": np.arange(N) % 5,
    "shuffled": np.random.default_rng(3).integers(0, 4, N),
    "one shard": np.zeros(N, int),
}


def whole_set() -> tuple[pb.PoseSet, pb.PoseSet]:
    """Predictions with a mirrored and a collapsed pose, and ground truth with masked joints."""
    pred, gt = pair(N, seed=7)
    pred[5], pred[50] = 2 * pred[5, :1] - pred[5], pred[50, :1]
    valid = np.random.default_rng(8).random((N, 17)) > 0.01
    valid[:, 0], valid[30, 0] = True, False
    return poseset(pred, fps=50, **KEYS), poseset(gt, valid=valid, fps=50, **KEYS)


def sharded(
    folder: Path,
    pred: pb.PoseSet,
    gt: pb.PoseSet,
    label: Sequence[int] = SPLITS["sequences"],
    suffixes=(".npz", ".npz"),
) -> tuple[Path, Path]:
    """Both sides in shards, the rows of each label in one."""
    for side, poses, suffix in zip(("pred", "gt"), (pred, gt), suffixes, strict=True):
        (folder / side).mkdir()
        for number in np.unique(label).tolist():
            pb.write(poses[np.flatnonzero(np.asarray(label) == number)], folder / side / f"part{number:02d}{suffix}")
    return folder / "pred", folder / "gt"


def plain_report(report: pb.Report) -> dict:
    """A report without what differs from run to run."""
    return {name: part for name, part in report.to_dict().items() if name != "environment"}


def assert_same_report(found: pb.Report, whole: pb.Report) -> None:
    """Numbers, intervals, notes and confusions agree."""
    assert_same_numbers(found, whole)
    for key, metric in whole.metrics.items():
        assert found.metrics[key].ci95 == (metric.ci95 and pytest.approx(metric.ci95, rel=1e-9, abs=1e-9)), key
    assert sorted(found.notes) == sorted(whole.notes)
    assert found.coverage == whole.coverage
    assert found.protocol == whole.protocol
    assert found.banks == whole.banks
    for key, counts in whole.confusions.items():
        np.testing.assert_array_equal(found.confusions[key], counts)


@pytest.mark.parametrize("split", SPLITS)
def test_shards_have_the_report_of_the_set_in_one_piece(tmp_path, split: str) -> None:
    pred, gt = whole_set()
    folders = sharded(tmp_path, pred, gt, SPLITS[split])
    whole = pb.score(pred, gt, metrics=ALL, explain=True)
    found = pb.score_shards(*folders, metrics=ALL, explain=True)
    assert any(metric.ci95 for metric in whole.metrics.values())
    assert_same_report(found, whole)
    assert found.explanation.value == pytest.approx(whole.explanation.value, rel=1e-9)
    for name, fault in whole.explanation.faults.items():
        assert found.explanation.faults[name].percent == pytest.approx(fault.percent, rel=1e-9, abs=1e-9), name
    assert found.explanation.notes == whole.explanation.notes


@pytest.mark.parametrize("pooling", ["joint", "action", "subject", "sequence"])
def test_every_pooling_is_that_of_the_whole(tmp_path, pooling: str) -> None:
    pred, gt = whole_set()
    options = {"protocol": protocol(pooling=pooling), "metrics": METRICS}
    found = pb.score_shards(*sharded(tmp_path, pred, gt, SPLITS["cut sequences"]), **options)
    assert_same_report(found, pb.score(pred, gt, **options))


def test_processes_and_formats_change_nothing_not_even_the_last_bit(tmp_path) -> None:
    pytest.importorskip("pyarrow")
    pred, gt = whole_set()
    folders = sharded(tmp_path, pred, gt, SPLITS["cut sequences"], (".parquet", ".arrow"))
    alone = pb.score_shards(*folders, metrics=ALL, explain=True)
    seen = []
    together = pb.score_shards(*folders, metrics=ALL, explain=True, jobs=2, progress=lambda *done: seen.append(done))
    assert plain_report(together) == plain_report(alone)
    assert seen[-1] == (8, 8, N)
    assert_same_report(alone, pb.score(pred, gt, metrics=ALL))


def test_a_report_of_shards_names_its_inputs(tmp_path) -> None:
    folders = sharded(tmp_path, *whole_set())
    found = pb.score_shards(*folders, metrics=["MPJPE"])
    for side, folder in zip(("pred", "gt"), folders, strict=True):
        lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
        digest = hashlib.sha256("".join(lines).encode()).hexdigest()
        assert found.inputs[side] == {"path": str(folder), "sha256": digest, "shards": 5}


# Which files


def test_globs_and_folders_below_name_shards_by_what_is_below_them(tmp_path, monkeypatch) -> None:
    for name in (
        "pred/S9/a.npz",
        "pred/S11/a.NPY",
        "gt/S9/a.json",
        "gt/S11/a.csv",
        "pred/.hidden.npz",
        "gt/.git/b.npz",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert [shard.name for shard in find_shards("pred", "gt").shards] == ["S11/a", "S9/a"]
    assert [shard.name for shard in find_shards("pred/*/a.*", "gt").shards] == ["S11/a", "S9/a"]
    only = find_shards("pred/S9/*", tmp_path / "gt/S9").shards
    assert [(shard.name, shard.pred, shard.gt) for shard in only] == [
        ("a", Path("pred/S9/a.npz"), tmp_path / "gt/S9/a.json")
    ]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path) -> None:
    (tmp_path / "pred[1].npz").touch()
    assert not is_shards(tmp_path / "pred[1].npz")
    assert is_shards(tmp_path / "pred[2].npz")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda p, g: (p / "part02.npz").unlink(),
            r"gt: .*pred has no shard of the same name for part02; add its predictions",
        ),
        (
            lambda p, g: (g / "part02.npz").unlink(),
            r"pred: .*gt has no shard of the same name for part02; add its ground truth",
        ),
        (lambda p, g: shutil.copy(p / "part01.npz", p / "part01.npy"), r"part01\.np. and .*part01\.np. are two shards"),
        (lambda p, g: [path.unlink() for path in p.iterdir()], r"pred: holds no file that posebench reads"),
        (lambda p, g: (p / "part07.npz").symlink_to("nowhere"), r"part07\.npz: is no regular file"),
        (lambda p, g: (p / "part03.npz").write_bytes(b"no"), r"part03\.npz: "),
        (lambda p, g: (g / "part03.npz").write_bytes(b""), r"part03\.npz: is empty"),
    ],
)
def test_shards_that_cannot_be_scored_are_named(tmp_path, spoil: Callable[[Path, Path], object], words: str) -> None:
    folders = sharded(tmp_path, *whole_set())
    spoil(*folders)
    with pytest.raises(pb.InputError, match=words):
        pb.score_shards(*folders, metrics=["MPJPE"])


def test_many_shards_without_counterpart_are_counted(tmp_path) -> None:
    pred, gt = sharded(tmp_path, *whole_set())
    for number in range(4):
        (gt / f"part0{number}.npz").unlink()
    with pytest.raises(pb.InputError, match="same name for part00, part01, part02 and 1 more;"):
        pb.score_shards(pred, gt)


def test_one_file_and_a_folder_are_refused(tmp_path) -> None:
    pred, gt = sharded(tmp_path, *whole_set())
    with pytest.raises(pb.UsageError, match=r"pred: is a folder, expected a file, as --gt .*part00\.npz"):
        pb.score_shards(pred, gt / "part00.npz")
    with pytest.raises(pb.UsageError, match=r"gt/\*: is a pattern of shards, expected a file, as --pred"):
        pb.score_shards(pred / "part00.npz", gt / "*")


def test_other_files_of_a_folder_are_left_alone_and_said_so(tmp_path) -> None:
    pred, gt = sharded(tmp_path, *whole_set())
    (gt / "README.md").write_text("what this is")
    said: list[str] = []
    pb.score_shards(pred, gt, metrics=["MPJPE"], say=said.append)
    assert said == [f"README.md in {gt} left alone: no reader has that suffix"]


# One set


def test_a_frame_that_stands_in_two_shards_is_refused(tmp_path) -> None:
    pred, gt = whole_set()
    folders = sharded(tmp_path, pred, gt, SPLITS["cut sequences"])
    for folder, poses in zip(folders, (pred, gt), strict=True):
        pb.write(poses[[3, 5, 7]], folder / "zz.npz")
    where = (
        r"part00\.npz and .*zz\.npz both hold subject=S9, action=Walking, sequence=0, camera=a, "
        r"frame 103, and 2 more frames of it"
    )
    for metrics in (["MPJPE"], ["MPJVE"]):
        with pytest.raises(pb.InputError, match=where):
            pb.score_shards(*folders, metrics=metrics)


@pytest.mark.parametrize("keys", [{}, {"subject": "S9"}])
def test_the_same_ground_truth_twice_is_refused_even_without_keys(tmp_path, keys: dict) -> None:
    pred, gt = pair(6)
    folders = sharded(tmp_path, poseset(pred), poseset(gt, **keys), [0, 0, 0, 1, 1, 1])
    for folder in folders:
        shutil.copy(folder / "part00.npz", folder / "part02.npz")
    with pytest.raises(pb.InputError, match=r"part00\.npz and .*part02\.npz are the same ground truth, byte for byte"):
        pb.score_shards(*folders, metrics=["MPJPE"])


def test_shards_that_do_not_name_their_frames_are_scored_and_said_so(tmp_path) -> None:
    pred, gt = pair(6)
    folders = sharded(tmp_path, poseset(pred), poseset(gt), [0, 0, 0, 1, 1, 1])
    said: list[str] = []
    found = pb.score_shards(*folders, metrics=["MPJPE"], say=said.append)
    assert_same_report(found, pb.score(poseset(pred), poseset(gt), metrics=["MPJPE"]))
    assert len(said) == 1
    assert said[0].startswith("2 shards do not name each of their frames")


def test_a_pose_named_without_frames_that_stands_in_two_shards_is_refused(tmp_path) -> None:
    pred, gt = (poseset(side, sequence=["a", "b", "c", "d", "b"]) for side in pair(5))
    with pytest.raises(pb.InputError, match=r"part00\.npz and .*part01\.npz both hold sequence=b: each frame"):
        pb.score_shards(*sharded(tmp_path, pred, gt, [0, 0, 0, 1, 1]), metrics=["MPJPE"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": "m"}, "has the unit m and .*part00.* mm, but shards are one set"),
        ({"reference": "world"}, "has the reference world and"),
        ({"origin": "root"}, "has the origin root and .* unknown"),
        ({"fps": 25.0}, "has the fps 25.0 and .* 50.0"),
        ({"dataset": "h36m"}, "has the dataset h36m"),
        ({"camera": None}, r"has the keys \(subject, action, sequence, frame\) and .*camera"),
    ],
)
def test_shards_that_say_different_things_are_refused(tmp_path, changes: dict, words: str) -> None:
    pred, gt = whole_set()
    folders = sharded(tmp_path, pred, gt)
    for folder in folders:
        shard = pb.read(folder / "part03.npz").replace(**changes)
        pb.write(shard.replace(poses=shard.poses / 1000) if "unit" in changes else shard, folder / "part03.npz")
    with pytest.raises(pb.InputError, match=f"part03.*{words}"):
        pb.score_shards(*folders, metrics=["PMPJPE"])


def test_absolute_and_relative_predictions_are_no_set(tmp_path) -> None:
    pred, gt = whole_set()
    folders = sharded(tmp_path, pred, gt.replace(origin="absolute"))
    shard = pb.read(folders[0] / "part03.npz")
    pb.write(shard.replace(poses=shard.poses - shard.poses[:, :1]), folders[0] / "part03.npz")
    takes_them_as_they_are = protocol(pred_root=None, absolute_pred=True)
    with pytest.raises(
        pb.InputError, match=r"part00\.npz holds absolute coordinates and .*part03\.npz holds coordinates"
    ):
        pb.score_shards(*folders, protocol=takes_them_as_they_are, metrics=["MPJPE"])


def test_what_is_stated_holds_for_every_shard(tmp_path) -> None:
    pred, gt = whole_set()
    bare = {"skeleton": None, "unit": None}
    folders = sharded(tmp_path, pred.replace(**bare, poses=pred.poses / 1000), gt.replace(**bare))
    facts = {"pred_facts": {"skeleton": "h36m17", "unit": "m"}, "gt_facts": {"skeleton": "h36m17", "unit": "mm"}}
    assert_same_report(pb.score_shards(*folders, metrics=METRICS, **facts), pb.score(pred, gt, metrics=METRICS))


def test_a_note_of_every_shard_is_one_of_the_whole_and_others_name_their_shard(tmp_path) -> None:
    pred, gt = whole_set()
    folders = sharded(tmp_path, pred.replace(skeleton=None), gt)
    assert pb.score_shards(*folders, metrics=["MPJPE"]).notes == [
        f"skeleton of {folders[0]} assumed: h36m17",
        *pb.score(pred, gt, metrics=["MPJPE"]).notes,
    ]


def test_missing_and_extra_predictions_are_counted_over_all_shards(tmp_path) -> None:
    pred, gt = whole_set()
    folders = sharded(tmp_path, pred, gt)
    for name in ("part01.npz", "part03.npz"):
        p, g = (pb.read(folder / name) for folder in folders)
        pb.write(p[3:], folders[0] / name)
        pb.write(g[:-2], folders[1] / name)
    pieces = [[pb.read(path) for path in sorted(folder.iterdir())] for folder in folders]
    options = {"metrics": METRICS, "allow_missing": True, "allow_extra": True}
    whole = pb.score(*(pb.concatenate(side) for side in pieces), **options)
    found = pb.score_shards(*folders, **options)
    assert found.coverage.missing > 0
    assert any("4 predictions without ground truth are left out" in note for note in found.notes)
    assert_same_report(found, whole)


# Selections


def h36m() -> tuple[pb.PoseSet, pb.PoseSet]:
    """Three people, of whom the protocol takes two, and every 64th frame."""
    n = 3 * 200
    pred, gt = pair(n)
    keys = {
        "subject": np.repeat(["S8", "S9", "S11"], 200),
        "action": "Walking",
        "sequence": "Walking 1",
        "frame": np.tile(np.arange(200) + 5, 3),
    }
    root = gt[:, :1]
    return poseset(pred - root, origin="root", **keys), poseset(gt, dataset="h36m", **keys)


def test_a_selection_is_that_of_the_whole_where_sequences_stand_in_one_shard(tmp_path) -> None:
    pred, gt = h36m()
    options = {"protocol": "h36m-epipolarpose", "metrics": ["PMPJPE"]}
    found = pb.score_shards(*sharded(tmp_path, pred, gt, np.arange(600) // 200), **options)
    whole = pb.score(pred, gt, **options)
    assert whole.coverage.gt_frames < 10
    assert_same_report(found, whole)


def test_a_sequence_that_crosses_shards_under_such_a_selection_is_refused(tmp_path) -> None:
    pred, gt = h36m()
    folders = sharded(tmp_path, pred, gt, np.arange(600) // 150)
    with pytest.raises(
        pb.InputError, match=r"subject=S9, .* stands in .*part01\.npz and in .*part02\.npz, but protocol"
    ):
        pb.score_shards(*folders, protocol="h36m-epipolarpose", metrics=["PMPJPE"])


def test_shards_without_any_frame_of_the_selection_are_no_set(tmp_path) -> None:
    pred, gt = h36m()
    folders = sharded(tmp_path, pred[:200], gt[:200], np.arange(200) // 100)
    with pytest.raises(pb.InputError, match=r"no shard of .*gt has any of the frames that protocol h36m-epipolarpose"):
        pb.score_shards(*folders, protocol="h36m-epipolarpose", metrics=["PMPJPE"])


def test_a_gap_inside_a_sequence_is_noticed_across_shards(tmp_path) -> None:
    pred, gt = whole_set()
    kept = np.flatnonzero(np.arange(N) != 20)
    folders = sharded(tmp_path, pred[kept], gt[kept], SPLITS["cut sequences"][kept])
    with pytest.raises(pb.InputError, match=r"need consecutive frames, but subject=S9, .* goes from frame 107 to 109"):
        pb.score_shards(*folders, metrics=["MPJVE"])


# States


@pytest.fixture
def leaves(monkeypatch) -> list[str]:
    """Names of the shards that were scored, not taken from their states."""
    names: list[str] = []
    real = one_shard.score_leaf

    def counted(task, shard, progress):
        names.append(shard.name)
        return real(task, shard, progress)

    monkeypatch.setattr(one_shard, "score_leaf", counted)
    return names


def test_a_packed_scorer_goes_on_as_if_it_had_not_been_packed(tmp_path) -> None:
    pred, gt = whole_set()
    kept, stored = (pb.Scorer(metrics=ALL, explain=True) for _ in range(2))
    for rows in (slice(0, 40), slice(40, 77), slice(77, N)):
        kept.update(pred[rows], gt[rows])
        stored.update(pred[rows], gt[rows])
        write_state(tmp_path / "state.npz", pack(stored))
        stored = unpack(read_state(tmp_path / "state.npz"), blank(stored))
    assert plain_report(stored.report()) == plain_report(kept.report())


def test_finished_shards_are_not_scored_again(tmp_path, leaves) -> None:
    folders = sharded(tmp_path, *whole_set())
    options = {"metrics": ALL, "state": tmp_path / "state"}
    first = pb.score_shards(*folders, **options)
    assert len(leaves) == 5
    said: list[str] = []
    again = pb.score_shards(*folders, **options, say=said.append)
    assert len(leaves) == 5
    assert said == ["5 of 5 shards were done before"]
    assert plain_report(again) == plain_report(first)


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path, leaves) -> None:
    folders = sharded(tmp_path, *whole_set())
    options = {"metrics": ["MPJPE", "PSS@50"], "state": tmp_path / "state"}

    def stop(done: int, total: int, poses: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pb.score_shards(*folders, **options, progress=stop)
    assert leaves == ["part00", "part01", "part02"]
    found = pb.score_shards(*folders, **options)
    assert leaves[3:] == ["part03", "part04"]
    assert plain_report(found) == plain_report(pb.score_shards(*folders, metrics=options["metrics"]))


@pytest.mark.parametrize("side", [0, 1])
def test_a_shard_that_was_changed_is_scored_again(tmp_path, leaves, side: int) -> None:
    folders = sharded(tmp_path, *whole_set())
    options = {"metrics": ["MPJPE"], "state": tmp_path / "state"}
    pb.score_shards(*folders, **options)
    shard = pb.read(folders[side] / "part02.npz")
    pb.write(shard.replace(poses=shard.poses * 1.01), folders[side] / "part02.npz")
    del leaves[:]
    found = pb.score_shards(*folders, **options)
    assert leaves == ["part02"]
    assert plain_report(found) == plain_report(pb.score_shards(*folders, metrics=["MPJPE"]))


@pytest.mark.parametrize(
    "other",
    [
        {"metrics": ["MPJPE", "PCK"]},
        {"protocol": protocol(pooling="joint")},
        {"allow_missing": True},
        {"allow_extra": True},
        {"explain": True},
        {"pred_facts": {"reference": "camera"}},
    ],
    ids=lambda other: next(iter(other)),
)
def test_states_belong_to_protocol_metrics_and_options(tmp_path, leaves, other: dict) -> None:
    folders = sharded(tmp_path, *whole_set())
    options = {"metrics": ["MPJPE"], "state": tmp_path / "state"}
    pb.score_shards(*folders, **options)
    pb.score_shards(*folders, **{**options, **other})
    assert len(leaves) == 10
    pb.score_shards(*folders, **options)  # those of before are still there
    assert len(leaves) == 10


def test_states_of_another_version_are_not_taken(tmp_path, leaves, monkeypatch) -> None:
    folders = sharded(tmp_path, *whole_set())
    options = {"metrics": ["MPJPE"], "state": tmp_path / "state"}
    pb.score_shards(*folders, **options)
    monkeypatch.setattr(module, "__version__", "0.0.0")
    pb.score_shards(*folders, **options)
    assert len(leaves) == 10


def test_a_damaged_state_is_never_read(tmp_path, leaves) -> None:
    folders = sharded(tmp_path, *whole_set(), SPLITS["one shard"])
    options = {"metrics": ["MPJPE", "MPJVE"], "state": tmp_path / "state"}
    expected = plain_report(pb.score_shards(*folders, **options))
    (path,) = (tmp_path / "state").glob("*.npz")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    damages = [
        b"",
        whole[: len(whole) // 2],
        whole[:-1],
        *(_flipped(whole, at) for at in rng.integers(0, len(whole), 25)),
    ]
    for damaged in damages:
        path.write_bytes(damaged)
        scored, said = len(leaves), list[str]()
        assert plain_report(pb.score_shards(*folders, **options, say=said.append)) == expected
        redone = len(leaves) - scored
        # Some bytes of a zip file mean nothing; then the state is whole.
        assert (redone, len([s for s in said if "part00 is scored again" in s])) in ((1, 1), (0, 0))
    assert len(leaves) > 20


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def test_a_state_of_another_scorer_is_refused(tmp_path) -> None:
    pred, gt = whole_set()
    scorer = pb.Scorer(metrics=["MPJPE"])
    scorer.update(pred, gt)
    for other in (pb.Scorer(metrics=["PCK"]), pb.Scorer(metrics=["MPJPE"], explain=True)):
        with pytest.raises(pb.InputError, match="is no state of a scorer"):
            unpack(pack(scorer), other)
    state = pack(scorer)
    state.arrays["sums"] = state.arrays["sums"][:-1]
    with pytest.raises(pb.InputError, match=r"shape \(9, 1, 4\), expected \(10, 1, 4\)"):
        unpack(state, scorer)


def test_a_shard_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch) -> None:
    folders = sharded(tmp_path, *whole_set())
    real = one_shard.score_leaf

    def slow(task, shard, progress):
        state = real(task, shard, progress)
        shard.gt.write_bytes(shard.gt.read_bytes() + b" ")
        return state

    monkeypatch.setattr(one_shard, "score_leaf", slow)
    with pytest.raises(pb.InputError, match=r"gt/part00\.npz: was changed while it was read"):
        pb.score_shards(*folders, metrics=["MPJPE"])


def test_a_folder_of_states_is_no_shard_no_file_and_of_one_run(tmp_path) -> None:
    pred, gt = sharded(tmp_path, *whole_set())
    with pytest.raises(pb.UsageError, match="where its files would be taken for shards"):
        pb.score_shards(pred, gt, state=gt / "state")
    (tmp_path / "file").touch()
    with pytest.raises(pb.InputError, match="file: is a file; name a folder for states"):
        pb.score_shards(pred, gt, state=tmp_path / "file")
    with (
        module._folder(tmp_path / "state", find_shards(pred, gt)),
        pytest.raises(pb.InputError, match="state: another run is using it"),
    ):
        pb.score_shards(pred, gt, state=tmp_path / "state")


def test_what_a_killed_run_left_half_written_is_removed(tmp_path) -> None:
    folders = sharded(tmp_path, *whole_set())
    left = tmp_path / "state" / ".0123456789ab.npz"
    left.parent.mkdir()
    left.write_bytes(b"half")
    pb.score_shards(*folders, metrics=["MPJPE"], state=left.parent)
    assert not left.exists()


def test_no_process_is_no_number_of_processes(tmp_path) -> None:
    with pytest.raises(pb.UsageError, match="jobs is 0"):
        pb.score_shards(*sharded(tmp_path, *whole_set()), jobs=0)
