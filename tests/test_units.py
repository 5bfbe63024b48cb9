"""Millimetres, metres and no scale: told from limbs where a file does not say, refused where it cannot be told."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import posebench as pb
from posebench.io import read
from posebench.resources import resource
from posebench.skeletons import H36M17
from posebench.units import refuse_inhuman, settle_unit, some_of
from tests.support.poses import people

H36M = pb.get_skeleton("h36m17")
FACTORS = {"mm": 1.0, "m": 1e-3}


def persons(n: int = 5) -> np.ndarray:
    return people(np.random.default_rng(0), n)


def from_file(poses: np.ndarray, **facts) -> pb.PoseSet:
    """A set as if it had been read from a file."""
    return pb.PoseSet(poses, source="run.npz", path="run.npz", **facts)


def settled(poses: np.ndarray, **facts) -> pb.PoseSet:
    return settle_unit(from_file(poses, **facts), H36M, "--pred-unit")


@pytest.mark.parametrize("unit", ["mm", "m"])
def test_an_unsaid_unit_is_read_off_the_limbs_with_a_note(unit: str) -> None:
    found = settled(persons() * FACTORS[unit])
    assert found.unit == unit
    (note,) = found.notes
    assert note.startswith(f"unit of run.npz inferred: {unit} (limbs add up to ")


@pytest.mark.parametrize("unit", ["mm", "m"])
def test_a_stated_unit_that_fits_is_taken_without_a_note(unit: str) -> None:
    found = settled(persons() * FACTORS[unit], unit=unit)
    assert (found.unit, found.notes) == (unit, ())


@pytest.mark.parametrize("factor", [1e-6, 0.1, 10.0, 1 / 25.4])
def test_limbs_of_nobody_are_refused_with_the_options_that_help(factor: float) -> None:
    with pytest.raises(pb.InputError, match=r"a person in neither mm nor m .* --pred-unit mm, --pred-unit m or"):
        settled(persons() * factor)


@pytest.mark.parametrize(("said", "true"), [("mm", "m"), ("m", "mm")])
def test_a_stated_unit_that_the_limbs_contradict_is_refused(said: str, true: str) -> None:
    with pytest.raises(pb.InputError, match=rf"says its unit is {said}, .* a person in {true}; .* --pred-unit {true}"):
        settled(persons() * FACTORS[true], unit=said)


@pytest.mark.parametrize("factor", [0.1, 1 / 25.4])
def test_ground_truth_in_centimetres_or_inches_does_not_pass_for_millimetres_in_silence(
    tmp_path, factor: float
) -> None:
    path = tmp_path / "gt.npz"
    pb.write(pb.PoseSet(persons() * factor, skeleton="h36m17", unit="mm"), path)
    try:
        report = pb.score(path, path)
    except pb.InputError as refused:
        assert "--gt-unit" in str(refused)
    else:
        assert any("limbs" in note for note in report.notes)


@pytest.mark.parametrize("unit", [None, "mm", "m"])
@pytest.mark.parametrize("most", ["mm", "m"])
def test_mixed_units_are_refused_with_the_first_row_that_differs(unit: str | None, most: str) -> None:
    if unit not in (None, most):
        return
    poses = persons(9) * FACTORS[most]
    other = "m" if most == "mm" else "mm"
    poses[[4, 7]] *= FACTORS[other] / FACTORS[most]
    with pytest.raises(pb.InputError, match=rf"2 of 9 poses are a person in {other} .* {most}, the first at row 4"):
        settled(poses, unit=unit)


def test_half_mm_and_half_m_is_refused_too() -> None:
    poses = persons(4)
    poses[2:] /= 1000
    with pytest.raises(pb.InputError, match=r"run.npz"):
        settled(poses)
    with pytest.raises(pb.InputError, match="the first at row 2"):
        settled(poses, unit="mm")


@pytest.mark.parametrize("flag", ["mm", "m", "scale-free"])
def test_a_unit_stated_by_hand_is_believed_whatever_the_limbs_say(flag: str) -> None:
    found = settled(persons() * 17.0, unit=flag, stated={"unit"})
    assert (found.unit, found.notes) == (flag, ())


def test_a_scale_free_set_is_not_measured() -> None:
    assert settled(persons() * 123.4, unit="scale-free").unit == "scale-free"


def test_arrays_are_believed() -> None:
    poses = pb.PoseSet(persons() * 0.001, unit="mm")
    assert settle_unit(poses, H36M, "--gt-unit") is poses


def test_masked_limbs_are_not_measured() -> None:
    poses = persons(3)
    valid = np.ones((3, 17), bool)
    valid[0, 3] = False
    poses[0, 3] = 1e7
    assert settled(poses, valid=valid).unit == "mm"


def test_poses_whose_limbs_are_never_whole_are_not_said_to_add_up_to_nan() -> None:
    poses = persons(3)
    valid = np.ones((3, 17), bool)
    valid[:, 16] = False
    with pytest.raises(pb.InputError, match="--pred-unit mm") as refused:
        settled(poses, valid=valid)
    assert "nan" not in str(refused.value)


@pytest.mark.parametrize("nothing", [np.nan, np.inf])
def test_missing_joints_do_not_hide_the_unit(nothing: float) -> None:
    poses = persons(5)
    poses[1] = nothing
    poses[2, 3] = nothing
    assert settled(poses).unit == "mm"


def test_a_skeleton_without_long_bones_must_have_its_unit_said() -> None:
    face = pb.Skeleton("face", ("chin", "nose"), (-1, 0), 0, (), {})
    with pytest.raises(pb.InputError, match="say it with --pred-unit mm"):
        settle_unit(from_file(np.ones((2, 2, 3))), face, "--pred-unit")


def test_a_long_set_is_measured_whole_not_by_its_first_chunk() -> None:
    poses = np.tile(persons(10), (1000, 1, 1))
    poses[9_999] /= 1000
    with pytest.raises(pb.InputError, match=r"1 of 10000 poses .* row 9999"):
        settled(poses)


# In scoring


def files(tmp_path, pred_facts: dict, gt_facts: dict, pred_factor=1.0, gt_factor=1.0):
    gt = persons()
    pred = gt + np.random.default_rng(1).normal(0, 30, gt.shape)
    paths = tmp_path / "pred.npz", tmp_path / "gt.npz"
    np.savez(paths[0], poses=pred * pred_factor, **{"skeleton": "h36m17", "reference": "camera", **pred_facts})
    np.savez(paths[1], poses=gt * gt_factor, **{"skeleton": "h36m17", "reference": "camera", **gt_facts})
    return paths


def test_files_without_units_score_as_if_they_had_them(tmp_path) -> None:
    said = pb.score(*files(tmp_path, {"unit": "mm"}, {"unit": "mm"}))
    unsaid = pb.score(*files(tmp_path, {}, {}, pred_factor=1e-3))
    for key, metric in said.metrics.items():
        assert unsaid.metrics[key].value == pytest.approx(metric.value)
    assert [note.split(" (")[0] for note in unsaid.notes] == [
        f"unit of {tmp_path}/pred.npz inferred: m",
        f"unit of {tmp_path}/gt.npz inferred: mm",
    ]


def test_the_option_in_a_message_is_that_of_the_side(tmp_path) -> None:
    pred, gt = files(tmp_path, {"unit": "mm"}, {}, gt_factor=7.0)
    with pytest.raises(pb.InputError, match="--gt-unit mm, --gt-unit m"):
        pb.score(pred, gt)


def test_a_scale_free_prediction_loses_what_needs_a_scale_with_a_note(tmp_path) -> None:
    pred, gt = files(tmp_path, {"unit": "scale-free"}, {"unit": "mm"}, pred_factor=0.0123)
    whole = pb.score(*files(tmp_path, {"unit": "mm"}, {"unit": "mm"}))
    pred, gt = files(tmp_path, {"unit": "scale-free"}, {"unit": "mm"}, pred_factor=0.0123)
    report = pb.score(pred, gt)
    assert list(report.metrics) == ["NMPJPE", "PMPJPE", "NPCK@150", "PSS@50", "PSS@100"]
    for key, metric in report.metrics.items():
        assert metric.value == pytest.approx(whole.metrics[key].value)
    assert f"MPJPE, PCK@150, AUC(0:150:5) not given: {pred} is scale-free" in report.notes[0]


NEEDS_SCALE = [
    "MPJPE",
    "PCK",
    "AUC",
    "PMPJPE(variant=rigid)",
    "NMPJPE(scale=least_squares_absolute)",
    "MPJVE(per=frame)",
]
NEEDS_SCALE += ["BoneLength", "BoneSpread", "Symmetry", "WorstJoint", "MRPE", "CPS(align=root)", "MPJPE(axis=x)"]


@pytest.mark.parametrize("metric", NEEDS_SCALE)
def test_a_scale_free_prediction_is_refused_what_needs_a_scale(metric: str) -> None:
    gt = persons()
    pred = pb.PoseSet(gt, skeleton="h36m17", unit="scale-free", reference="camera", frame=range(5))
    with pytest.raises(pb.InputError, match=r"pred is scale-free, so .* has no meaning"):
        pb.score(
            pred.replace(source="pred"), pb.PoseSet(gt, skeleton="h36m17", unit="mm", frame=range(5)), metrics=[metric]
        )


@pytest.mark.parametrize(
    "metric", ["NMPJPE", "PMPJPE", "NPCK", "NAUC", "CPS", "JointAngle", "NMPJPE(scale=norm_ratio)"]
)
def test_a_scale_free_prediction_gets_what_needs_no_scale(metric: str) -> None:
    gt = persons()
    pred = gt + np.random.default_rng(1).normal(0, 30, gt.shape)
    truth = pb.PoseSet(gt, skeleton="h36m17", unit="mm", reference="camera")
    free = pb.PoseSet(pred * 1e-4, skeleton="h36m17", unit="scale-free", reference="camera")
    found = pb.score(free, truth, metrics=[metric]).metrics
    expected = pb.score(free.replace(poses=pred, unit="mm"), truth, metrics=[metric]).metrics
    for key in expected:
        assert found[key].value == pytest.approx(expected[key].value)


@pytest.mark.parametrize("metric", ["MPJPE", "NMPJPE", "PMPJPE", "NPCK"])
def test_a_scale_free_ground_truth_is_refused(metric: str) -> None:
    gt = pb.PoseSet(persons(), skeleton="h36m17", unit="scale-free", reference="camera", source="gt")
    with pytest.raises(pb.InputError, match="gt is scale-free: ground truth must be in mm or m"):
        pb.score(persons(), gt, metrics=[metric])


def test_a_protocol_of_which_nothing_is_left_for_a_scale_free_prediction_is_refused() -> None:
    from tests.scoring.plain import protocol

    gt = pb.PoseSet(persons(), skeleton="h36m17", unit="mm", reference="camera")
    with pytest.raises(pb.InputError, match="scale-free"):
        pb.score(gt.replace(unit="scale-free"), gt, protocol=protocol(metrics=("MPJPE",)))


def test_a_set_in_memory_that_does_not_say_its_unit_is_measured_like_a_file() -> None:
    gt = persons()
    report = pb.score(pb.PoseSet(gt / 1000, skeleton="h36m17", reference="camera"), gt)
    assert report.metrics["MPJPE"].value == pytest.approx(0, abs=1e-9)
    assert "inferred: m" in report.notes[0]


def test_a_pelvis_that_is_never_valid_raises_no_doubt_about_the_order_of_the_joints(tmp_path):
    shipped = read(resource("examples", "pose2sim", "gt.npz"))
    valid = np.ones(shipped.poses.shape[:2], bool)
    valid[:, 0] = False
    poses = np.where(valid[..., None], shipped.poses, np.nan)
    np.savez(tmp_path / "gt.npz", poses=poses, valid=valid, unit="mm")
    refuse_inhuman(read(tmp_path / "gt.npz"), H36M17, "--gt-skeleton")  # a warning would be an error


@pytest.mark.parametrize(("bits", "kind"), [(0x7F800001, "<u4"), (0x7C01, "<u2"), (0x7F800001, ">u4")])
def test_a_signalling_nan_is_no_number_like_others_and_nothing_warns(bits: int, kind: str) -> None:
    """Files of strangers may hold any bits; casting these raises the processor's flag for invalid operations."""
    value = np.array([bits], kind).view(kind.replace("u", "f"))
    array = np.full((20, 17, 3), 100.0, value.dtype)
    array[::2, 3] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        poses = pb.PoseSet(array, skeleton="h36m17")
        rows, sample = some_of(poses)
    assert len(rows) == 20
    assert np.isnan(sample[::2, 3]).all()
    assert np.isfinite(sample[1::2]).all()
