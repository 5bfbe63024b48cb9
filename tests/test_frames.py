"""Values per frame: what they are, that means of them are the report, and what is refused as a file of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import posebench as pb
from posebench.frames import frames_path
from tests.scoring.plain import DEFAULTS, default_values, pair, poseset

N = 24
KEYS = {
    "subject": np.repeat(["S9", "S11"], N // 2),
    "action": np.repeat(["Walking", "Eating", "Sitting"], [4, 8, 12]),
    "sequence": np.repeat(["a", "b", "c", "d", "e", "f"], 4),
    "frame": np.tile(np.arange(4), 6),
}


def masked(seed: int = 1) -> np.ndarray:
    """A mask with holes, one pose without a root and one without any joint."""
    valid = np.random.default_rng(seed).random((N, 17)) > 0.2
    valid[:, 0] = True
    valid[3, 0] = False
    valid[7] = False
    return valid


def scored(*, keys=KEYS, valid=None, n=N, **options) -> pb.Report:
    pred, gt = pair(n)
    return pb.score(poseset(pred, **keys), poseset(gt, valid=valid, **keys), frames=True, **options)


def test_each_frame_has_the_value_that_plain_numpy_gives_it() -> None:
    pred, gt = pair(N)
    valid = masked()
    frames = scored(valid=valid).frames
    assert [metric.name for metric in frames.metrics] == list(DEFAULTS)
    assert frames.values.dtype == np.float32
    for name, values in default_values(pred, gt, valid).items():
        np.testing.assert_allclose(frames.of(name), values, rtol=1e-6)


def test_frames_are_kept_only_where_they_are_asked_for() -> None:
    assert pb.score(*pair(4)).frames is None


@pytest.mark.parametrize("protocol", ["standard", "3dhp-mmpose", "h36m-videopose3d", "mupots"])
def test_pooled_means_of_frames_are_the_report(protocol: str) -> None:
    pred, gt = pair(N)
    facts = {"valid": masked(), "origin": "root", **KEYS}
    report = pb.score(poseset(pred - pred[:, :1], **KEYS, origin="root"), poseset(gt, **facts), protocol=protocol,
                      frames=True)  # fmt: skip
    frames, pooling = report.frames, report.protocol["pooling"]
    groups, _ = frames.groups(*([pooling] if pooling in ("action", "subject") else []))
    assert {"standard": "frame", "3dhp-mmpose": "joint", "h36m-videopose3d": "action", "mupots": "subject"}[
        protocol
    ] == pooling
    for name, metric in report.metrics.items():
        values, weights = frames.of(name).astype(np.float64), frames.weights_of(name)
        used = weights > 0
        means = [
            np.average(values[used & (groups == group)], weights=weights[used & (groups == group)])
            for group in np.unique(groups[used])
        ]
        assert np.mean(means) == pytest.approx(metric.value, rel=1e-6)


def test_motion_has_the_value_of_a_transition_at_its_last_frame() -> None:
    pred, gt = pair(N)
    shuffled = np.random.default_rng(0).permutation(N)
    keys = {key: values[shuffled] for key, values in KEYS.items()}
    report = pb.score(
        poseset(pred[shuffled], fps=50, **keys),
        poseset(gt[shuffled], fps=50, **keys),
        metrics=["MPJVE", "MPJAE(per=frame)"],
        frames=True,
    )
    errors = (pred - pred[:, :1]) - (gt - gt[:, :1])
    for name, steps, factor in (("MPJVE", 1, 50), ("MPJAE(per=frame)", 2, 1)):
        expected = np.full(N, np.nan)
        for start in range(0, N, 4):
            for t in range(steps, 4):
                window = errors[start + t - steps : start + t + 1]
                change = window[1] - window[0] if steps == 1 else window[2] - 2 * window[1] + window[0]
                expected[start + t] = factor * np.linalg.norm(change, axis=1).mean()
        np.testing.assert_allclose(report.frames.of(name), expected[shuffled], rtol=1e-6)
        assert np.nanmean(report.frames.of(name), dtype=np.float64) == pytest.approx(report.metrics[name].value)


def test_a_metric_that_is_no_mean_over_frames_says_why_it_has_no_values() -> None:
    frames = scored(metrics=["MPJPE", "BoneSpread"]).frames
    assert [metric.name for metric in frames.metrics] == ["MPJPE"]
    with pytest.raises(pb.UsageError, match="no values of BoneSpread per frame: a standard deviation over frames"):
        frames.of("BoneSpread")
    with pytest.raises(pb.UsageError, match="no values of PMPJPE per frame: it has MPJPE"):
        frames.of("PMPJPE")


def test_only_frames_that_the_protocol_selects_are_kept_with_their_keys() -> None:
    pred, gt = pair(200)
    keys = {
        "subject": np.repeat(["S1", "S9"], 100),
        "action": "Walking 1",
        "camera": "a",
        "frame": np.tile(np.arange(100), 2),
    }
    sets = [poseset(side - side[:, :1], origin="root", dataset="h36m", **keys) for side in (pred, gt)]
    frames = pb.score(*sets, protocol="h36m-epipolarpose", frames=True).frames
    assert (frames.frame.tolist(), frames.keys["subject"].names) == ([0, 64], ("S9",))
    np.testing.assert_allclose(frames.of("MPJPE"), pb.mpjpe(pred, gt, reduce="none")[[100, 164]], rtol=1e-6)


def test_values_beyond_float32_are_left_out_and_said_so() -> None:
    pred, gt = pair(N)
    report = pb.score(pb.PoseSet(pred * 1e60, unit="mm", skeleton="h36m17", stated={"unit"}), gt,
                      metrics=["MPJPE", "PMPJPE"], frames=True)  # fmt: skip
    assert list(report.frames.absent) == ["MPJPE"]
    np.testing.assert_allclose(report.frames.of("PMPJPE"), pb.pmpjpe(pred, gt, reduce="none"), rtol=1e-5)


# The file


@pytest.fixture
def saved(tmp_path):
    """A run whose frames lie in a file, and the file."""
    report = scored(valid=masked(), protocol="3dhp-mmpose", metrics=["MPJPE", "PMPJPE", "BoneSpread"])
    report.frames.save(tmp_path / "run.frames.npz")
    return report, tmp_path / "run.frames.npz"


def test_a_file_gives_back_what_was_saved(saved) -> None:
    report, path = saved
    read, kept = pb.read_frames(path), report.frames
    np.testing.assert_array_equal(read.values, kept.values)
    np.testing.assert_array_equal(read.weights, kept.weights)
    np.testing.assert_array_equal(read.frame, kept.frame)
    assert (read.metrics, read.origin, read.absent) == (kept.metrics, kept.origin, kept.absent)
    assert {key: column.values.tolist() for key, column in read.keys.items()} == {
        key: KEYS[key].tolist() for key in ("subject", "action", "sequence")
    }
    read.refuse_foreign(report)


def test_numpy_alone_reads_the_file(saved) -> None:
    report, path = saved
    with np.load(path, allow_pickle=False) as arrays:
        record = json.loads(arrays["record"].tobytes())
        assert record["schema"] == "posebench.frames/1"
        row = [metric["name"] for metric in record["metrics"]].index("MPJPE")
        weights = np.where(np.isnan(arrays["values"][row]), 0, arrays["weights"][record["metrics"][row]["weights"]])
        assert np.average(np.nan_to_num(arrays["values"][row].astype(float)), weights=weights) == pytest.approx(
            report.metrics["MPJPE"].value, rel=1e-6
        )


def test_the_same_bytes_come_out_on_any_number_of_threads(tmp_path, monkeypatch) -> None:
    n = 20_000
    keys = {"sequence": np.repeat(np.arange(10), n // 10), "frame": np.tile(np.arange(n // 10), 10)}
    files = []
    for threads in ("1", "3"):
        monkeypatch.setenv("POSEBENCH_THREADS", threads)
        files.append(tmp_path / f"{threads}.frames.npz")
        scored(keys=keys, n=n, also=["MPJVE(per=frame)"]).frames.save(files[-1])
    assert files[0].read_bytes() == files[1].read_bytes()


def test_frames_of_another_run_are_refused(tmp_path) -> None:
    pred, gt = pair(N)
    for name, poses in (("pred", pred), ("other", pred + 1), ("gt", gt)):
        pb.write(poseset(poses, **KEYS), tmp_path / f"{name}.npz")
    one, other = (pb.score(tmp_path / f"{name}.npz", tmp_path / "gt.npz", frames=True) for name in ("pred", "other"))
    one.frames.refuse_foreign(one)
    with pytest.raises(pb.InputError, match=r"the frames of another run than run\.json: the predictions have sha256"):
        one.frames.refuse_foreign(other, "run.json")
    fewer = pb.score(tmp_path / "pred.npz", tmp_path / "gt.npz", metrics=["PMPJPE"])
    fewer.banks = one.banks
    with pytest.raises(pb.InputError, match="24 values of MPJPE here, none there"):
        one.frames.refuse_foreign(fewer)


def rewritten(path, change) -> None:
    """The file again, after a change to its record and arrays."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    record = json.loads(arrays["record"].tobytes())
    change(record, arrays)
    if arrays["record"].dtype == np.uint8:
        arrays["record"] = np.frombuffer(json.dumps(record).encode(), np.uint8)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r, a: r.update(schema="posebench.result/1"), "expected schema 'posebench.frames/1', found"),
        (lambda r, a: a.update(record=np.zeros(3)), "record is float64 of shape"),
        (lambda r, a: a.update(values=np.zeros((2, N), np.int64)), "values are no table of finite numbers"),
        (lambda r, a: a.update(values=np.full_like(a["values"], np.inf)), "values are no table of finite numbers"),
        (lambda r, a: a.update(values=a["values"][:1]), "1 rows of values for 2 metrics"),
        (lambda r, a: a.update(weights=a["weights"][:, 1:]), "weights are uint16 of shape"),
        (lambda r, a: a.update(codes=a["codes"] + 99), "a code has no name"),
        (lambda r, a: a.update(codes=a["codes"].astype(np.int8) - 1), "a code has no name"),
        (lambda r, a: a.update(codes=a["codes"][:1]), "codes are uint8 of shape"),
        (lambda r, a: a.update(frame=a["frame"][1:]), "frame is uint8 of shape"),
        (lambda r, a: a.update(frame=np.full(N, 2**63, np.uint64)), "frame is uint64 of shape"),
        (lambda r, a: r["metrics"][0].update(weights=7), "7 is not in range"),
        (lambda r, a: r["metrics"][0].update(weights=-1), "-1 is not in range"),
        (lambda r, a: r["metrics"][0].update(name=3), "expected str, found '3'"),
        (lambda r, a: r["protocol"].update(pooling="none"), "pooling 'none' is not known"),
        (lambda r, a: r.pop("inputs"), "'inputs'"),
        (lambda r, a: a.update(values=np.array([[None]])), "Python objects"),
        (lambda r, a: a.pop("frame"), "expected the arrays"),
    ],
)
def test_a_damaged_file_is_refused_in_a_sentence(saved, change, says: str) -> None:
    rewritten(saved[1], change)
    with pytest.raises(pb.InputError) as refusal:
        pb.read_frames(saved[1])
    assert says in str(refusal.value)
    assert str(saved[1]) in str(refusal.value)


def test_a_file_whose_end_is_lost_is_refused(saved) -> None:
    saved[1].write_bytes(saved[1].read_bytes()[:-200])
    with pytest.raises(pb.InputError, match=r"not a complete \.npz archive"):
        pb.read_frames(saved[1])


def test_frames_lie_beside_the_result_under_its_name() -> None:
    assert frames_path("runs/model.v2.json").as_posix() == "runs/model.v2.frames.npz"
