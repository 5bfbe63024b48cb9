"""What may be compared at all: skeletons, references, origins; refused where it would measure something else."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from posebench.resources import resource
from tests.scoring.plain import pair, poseset, protocol

H36M = pb.get_skeleton("h36m17")
#: COCO-17 by the nearest joints of H36M-17: face, then arms, hips, legs.
COCO = (
    ("nose", "head", "head", "nose", "nose", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist")
    + ("LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle")
)  # fmt: skip
#: MPI-INF-3DHP's 17 joints of its test set.
MPI_INF_3DHP = (
    ("head", "thorax", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "RHip", "RKnee", "RAnkle")
    + ("LHip", "LKnee", "LAnkle", "pelvis", "spine", "nose")
)  # fmt: skip


@pytest.fixture(scope="module")
def real() -> tuple[np.ndarray, np.ndarray]:
    """Prediction and ground truth of a real person, mm, H36M-17."""
    names = ("pred_cam01_cam02.npz", "gt.npz")
    pred, gt = (np.asarray(pb.read(resource("examples", "pose2sim", name)).poses, float) for name in names)
    return pred, gt


def save(path, poses, **facts):
    np.savez(path, poses=poses, **facts)
    return path


# Skeletons


@pytest.mark.parametrize("unit", ["mm", None])
def test_joints_in_the_order_of_coco_are_refused_unless_somebody_says_they_are_not(tmp_path, real, unit) -> None:
    facts = {} if unit is None else {"unit": unit}
    paths = [
        save(tmp_path / f"{name}.npz", side[:, [H36M.index(joint) for joint in COCO]], **facts)
        for name, side in zip(("pred", "gt"), real, strict=True)
    ]
    with pytest.raises(pb.InputError, match=r"pred.npz does not say its (skeleton|unit)"):
        pb.score(*paths)


def test_reversed_joints_are_refused(tmp_path, real) -> None:
    pred, gt = (save(tmp_path / f"{i}.npz", side[:, ::-1], unit="mm") for i, side in enumerate(real))
    with pytest.raises(pb.InputError, match=r"0.npz does not say its skeleton.*another order.*--pred-skeleton h36m17"):
        pb.score(pred, gt)


def test_a_scale_free_prediction_in_another_order_is_refused(tmp_path, real) -> None:
    pred = save(tmp_path / "pred.npz", real[0][:, ::-1] * 0.37, unit="scale-free")
    with pytest.raises(pb.InputError, match="another order"):
        pb.score(pred, save(tmp_path / "gt.npz", real[1], unit="mm", skeleton="h36m17"))


def test_a_ground_truth_in_another_order_is_refused(tmp_path, real) -> None:
    pred = save(tmp_path / "pred.npz", real[0], unit="mm", skeleton="h36m17")
    with pytest.raises(pb.InputError, match=r"gt.npz does not say its skeleton.*--gt-skeleton"):
        pb.score(pred, save(tmp_path / "gt.npz", real[1][:, ::-1], unit="mm"))


def test_joints_in_the_order_of_mpi_inf_3dhp_do_not_pass_for_h36m(tmp_path, real) -> None:
    """Their limbs have human lengths in either reading; the root would be the top of the head."""
    order = [H36M.index(joint) for joint in MPI_INF_3DHP]
    pred, gt = (save(tmp_path / f"{i}.npz", side[:, order], unit="mm") for i, side in enumerate(real))
    with pytest.raises(pb.InputError, match="another order"):
        pb.score(pred, gt)


def test_an_assumed_skeleton_is_noted_for_each_side(tmp_path, real) -> None:
    pred, gt = (save(tmp_path / f"{i}.npz", side, unit="mm", reference="camera") for i, side in enumerate(real))
    assert pb.score(pred, gt).notes == [f"skeleton of {path} assumed: h36m17" for path in (pred, gt)]


def test_a_prediction_of_very_short_limbs_is_a_bad_prediction_not_another_skeleton(tmp_path, real) -> None:
    pred, gt = real
    shrunk = pred[:, :1] + 0.05 * (pred - pred[:, :1])
    report = pb.score(save(tmp_path / "pred.npz", shrunk, unit="mm"), save(tmp_path / "gt.npz", gt, unit="mm"))
    assert report.coverage.scored == len(gt)


def test_a_skeleton_that_the_user_states_is_believed(tmp_path, real) -> None:
    path = save(tmp_path / "gt.npz", real[1][:, ::-1], unit="mm", skeleton="h36m17")
    stated = pb.read(path, skeleton="h36m17")
    assert all("PSS" in note for note in pb.score(stated, stated).notes)


def test_a_skeleton_without_the_protocols_joints_is_refused() -> None:
    _, gt = pair(2)
    other = pb.Skeleton("other17", tuple("abcdefghijklmnopq"), (-1, *range(16)), 0, (), {})
    with pytest.raises(pb.InputError, match="other17 poses, which cannot be converted to h36m17: they lack pelvis, "):
        pb.score(poseset(gt, skeleton=other), gt)


def test_another_number_of_joints_is_refused_with_the_protocols(tmp_path) -> None:
    _, gt = pair(2)
    path = save(tmp_path / "pred.npz", np.concatenate([gt, gt[:, :1]], axis=1), unit="mm")
    with pytest.raises(pb.InputError, match=r"has 18 joints .* h36m17 \(17 joints\): say it with --pred-skeleton"):
        pb.score(path, gt)


# References


@pytest.mark.parametrize("metric", ["MPJPE", "NMPJPE", "PCK", "NPCK", "AUC", "CPS(align=root)", "MPJVE(per=frame)"])
def test_two_references_are_refused_where_axes_matter(metric: str) -> None:
    pred, gt = pair(3)
    with pytest.raises(pb.InputError, match="world reference and gt in the camera reference"):
        pb.score(
            poseset(pred, reference="world", source="pred"), poseset(gt, frame=range(3), source="gt"), metrics=[metric]
        )


@pytest.mark.parametrize("metric", ["PMPJPE", "PMPJPE(variant=rigid)", "CPS", "JointAngle", "BoneLength", "Symmetry"])
def test_two_references_do_not_matter_where_the_rotation_is_fitted_or_no_axis_is_used(metric: str) -> None:
    pred, gt = pair(3)
    turned = pred @ np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    found = pb.score(poseset(turned, reference="world"), gt, metrics=[metric])
    assert found.metrics[metric].value == pytest.approx(pb.score(pred, gt, metrics=[metric]).metrics[metric].value)
    assert found.notes == []


@pytest.mark.parametrize("silent", ["pred", "gt"])
def test_an_unknown_reference_is_assumed_with_a_note(silent: str) -> None:
    sides = {
        name: poseset(poses, reference="unknown" if name == silent else "world", source=name)
        for name, poses in zip(("pred", "gt"), pair(2), strict=True)
    }
    other = "gt" if silent == "pred" else "pred"
    report = pb.score(sides["pred"], sides["gt"])
    assert f"reference of {silent} assumed: world, as in {other}" in report.notes
    left_out = f"PSS@50, PSS@100 not given: {other} is in the world reference and the banks are not"
    assert set(report.notes) - {f"reference of {silent} assumed: world, as in {other}"} == {left_out}


def test_an_unknown_reference_does_not_matter_to_pmpjpe() -> None:
    pred, gt = pair(2)
    assert pb.score(poseset(pred, reference="unknown"), poseset(gt), metrics=["PMPJPE"]).notes == []


# Origins


def test_absolute_metrics_are_refused_for_root_relative_sets() -> None:
    pred, gt = pair(2)
    with pytest.raises(pb.InputError, match="pred is relative to its root, so MRPE cannot be taken"):
        pb.score(poseset(pred, origin="root", source="pred"), poseset(gt), metrics=["MRPE"])
    with pytest.raises(pb.InputError, match=r"gt is relative to its root, so MPJPE\(align=none\) cannot be taken"):
        pb.score(pred, poseset(gt - gt[:, :1], source="gt"), metrics=["MPJPE(align=none)"])


def test_a_file_must_say_that_it_is_absolute(tmp_path) -> None:
    pred, gt = pair(2)
    paths = [save(tmp_path / f"{i}.npz", side, skeleton="h36m17", unit="mm") for i, side in enumerate((pred, gt))]
    with pytest.raises(pb.InputError, match=r"0.npz does not say .* say it with --pred-origin absolute"):
        pb.score(*paths, metrics=["MRPE"])
    said = [pb.read(path, origin="absolute") for path in paths]
    expected = np.linalg.norm(pred[:, 0] - gt[:, 0], axis=1).mean()
    assert pb.score(*said, metrics=["MRPE"]).metrics["MRPE"].value == pytest.approx(expected)


def test_a_file_that_says_absolute_while_its_root_stays_in_the_camera_is_refused(tmp_path, real) -> None:
    pred, gt = real
    facts = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", "origin": "absolute"}
    relative = pred - pred[:, :1]
    zero = save(tmp_path / "zero.npz", relative, **facts)
    near = save(tmp_path / "near.npz", relative + [30.0, -20.0, 10.0], **facts)
    there = save(tmp_path / "there.npz", pred, **facts)
    truth = save(tmp_path / "gt.npz", gt, **facts, action="Walking")
    centred = save(tmp_path / "centred.npz", gt - gt[:, :1], **facts)
    for false in (zero, near):
        for asked in ({"metrics": ["MRPE"]}, {"protocol": "h36m-mmpose"}, {"protocol": "h36m-videopose3d"}):
            with pytest.raises(pb.InputError, match=r"says that its coordinates are absolute, .*--pred-origin root"):
                pb.score(false, truth, **asked)
        assert pb.score(pb.read(false, origin="root"), truth, protocol="h36m-videopose3d").metrics["MPJPE"].value < 100
    with pytest.raises(pb.InputError, match=r"centred.npz says that .* pelvis lies 0 mm .*--gt-origin root"):
        pb.score(there, centred, protocol="h36m-mmpose")
    insisted = pb.score(pb.read(near, origin="absolute"), truth, metrics=["MRPE"])
    assert insisted.metrics["MRPE"].value == pytest.approx(
        np.linalg.norm([30.0, -20.0, 10.0] - gt[:, 0], axis=1).mean()
    )


def test_near_the_origin_of_the_world_somebody_may_stand(tmp_path, real) -> None:
    pred, gt = real
    facts = {"skeleton": "h36m17", "unit": "mm", "reference": "world", "origin": "absolute"}
    here = gt[:, :1] - [30.0, -20.0, 10.0]
    paths = [save(tmp_path / f"{i}.npz", side - here, **facts) for i, side in enumerate((pred, gt))]
    expected = np.linalg.norm(pred[:, 0] - gt[:, 0], axis=1).mean()
    assert pb.score(*paths, metrics=["MRPE"]).metrics["MRPE"].value == pytest.approx(expected)
    zero = save(tmp_path / "zero.npz", gt - gt[:, :1], **facts)
    with pytest.raises(pb.InputError, match=r"zero.npz says that its coordinates are absolute"):
        pb.score(zero, paths[1], metrics=["MRPE"])


def test_absolute_metrics_compare_coordinates_as_they_are() -> None:
    pred, gt = pair(4)
    report = pb.score(pred, gt, metrics=["MRPE", "MPJPE(align=none)"])
    errors = np.linalg.norm(pred - gt, axis=2)
    assert report.metrics["MRPE"].value == pytest.approx(errors[:, 0].mean())
    assert report.metrics["MPJPE(align=none)"].value == pytest.approx(errors.mean())


def test_root_centred_metrics_do_not_care_where_the_person_stands() -> None:
    pred, gt = pair(2)
    relative = pb.score(poseset(pred - pred[:, :1], origin="root"), poseset(gt, origin="absolute"))
    assert relative.metrics["MPJPE"].value == pytest.approx(pb.score(pred, gt).metrics["MPJPE"].value)


def test_an_uncentred_protocol_metric_is_what_its_roots_say() -> None:
    pred, gt = pair(2)
    loose = protocol(pred_root=None, gt_root=None)
    errors = np.linalg.norm(pred - gt, axis=2)
    assert pb.score(pred, gt, protocol=loose).metrics["PCK@150"].value == pytest.approx(100 * (errors < 150).mean())
