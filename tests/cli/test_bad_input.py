"""Whatever is fed to the command line: exit code 2, one sentence that names the file, nothing on stdout."""

from __future__ import annotations

import json
import os
import pickle
import zipfile

import numpy as np
import pytest

import posebench as pb
from tests.cli.conftest import refused
from tests.scoring.plain import pair, poseset


class Payload:
    """Unpickled the naive way, it makes a file."""

    def __reduce__(self):
        return os.mkdir, ("pwned",)


def test_a_file_that_is_not_there(score) -> None:
    refused(score(pred="nowhere.npz"), "nowhere.npz: cannot be read: No such file or directory")
    refused(score(gt="nowhere.npz"), "nowhere.npz: cannot be read")


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("score", "--pred", "", "--gt", "gt.npz"), "--pred"),
        (("score", "--pred=", "--gt", "gt.npz"), "--pred"),
        (("score", "--pred", "pred.npz", "--gt", "gt.npz", "-o", ""), "-o"),
        (("bank", "verify", ""), "argument 3"),
        (("",), "argument 1"),
    ],
)
def test_an_argument_out_of_a_variable_that_is_not_set(posebench, folder, words, place: str) -> None:
    refused(
        posebench(*words), f"posebench: {place}: is empty; if it comes from a variable of the shell, that is not set"
    )


def test_a_folder(score, folder) -> None:
    (folder / "set.npz").mkdir()
    refused(score(pred="set.npz"), "set.npz: is a folder, expected a file")


@pytest.mark.parametrize("suffix", ["npz", "npy", "json", "csv", "pkl"])
def test_an_empty_file(score, folder, suffix: str) -> None:
    (folder / f"set.{suffix}").touch()
    refused(score(pred=f"set.{suffix}"), f"set.{suffix}: is empty")


@pytest.mark.parametrize("name", ["set.txt", "set", "set.npz.bak"])
def test_an_unknown_suffix(score, folder, name: str) -> None:
    (folder / name).write_text("x")
    refused(score(pred=name), f"{name}: no format has this suffix; known are .npz")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_a_truncated_archive(score, folder, share: float) -> None:
    whole = (folder / "pred.npz").read_bytes()
    (folder / "cut.npz").write_bytes(whole[: int(len(whole) * share)])
    refused(score(pred="cut.npz"), "cut.npz: is not a complete .npz archive")


@pytest.mark.parametrize("suffix", ["npz", "npy", "json", "csv", "pkl"])
def test_a_file_of_another_format_than_its_name_says(score, folder, suffix: str) -> None:
    (folder / f"set.{suffix}").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    refused(score(pred=f"set.{suffix}"), f"set.{suffix}")


SHAPES = {
    "one pose": (np.zeros((17, 3)), "poses[None]"),
    "two coordinates": (np.zeros((4, 17, 2)), "(4, 17, 2)"),
    "no poses": (np.zeros((0, 17, 3)), "holds no poses"),
    "no joints": (np.zeros((4, 0, 3)), "no joints"),
    "a sequence of sets": (np.zeros((2, 4, 17, 3)), "(2, 4, 17, 3)"),
    "a number": (np.float64(5), "()"),
    "other joints": (np.zeros((12, 21, 3)), "21 joints"),
    "text": (np.full((12, 17, 3), "a"), "set.npz"),
    "truth values": (np.zeros((12, 17, 3), bool), "set.npz"),
}


@pytest.mark.parametrize(("poses", "words"), SHAPES.values(), ids=SHAPES.keys())
def test_poses_of_another_shape(score, poses, words: str) -> None:
    np.savez("set.npz", poses=poses, unit="mm")
    refused(score(pred="set.npz"), "set.npz", words)


def test_an_archive_of_objects_with_a_payload(score, folder) -> None:
    np.savez("set.npz", poses=np.array([Payload()], object))
    refused(score(pred="set.npz"), "set.npz")
    assert not (folder / "pwned").exists()


@pytest.mark.parametrize("name", ["set.pkl", "set.npy", "set.npz"])
def test_a_pickle_with_a_payload(score, folder, name: str) -> None:
    (folder / name).write_bytes(pickle.dumps({"poses": Payload()}))
    refused(score(pred=name), name)
    assert not (folder / "pwned").exists()


def test_an_archive_without_poses(score) -> None:
    np.savez("set.npz", arr_0=np.zeros((12, 17, 3)))
    refused(score(pred="set.npz"), "set.npz: has no array 'poses'", "it has 'arr_0'")


def test_a_bomb(score, folder) -> None:
    with zipfile.ZipFile(folder / "set.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        header = np.lib.format.header_data_from_array_1_0(np.zeros((1, 17, 3)))
        header["shape"] = (10**12, 17, 3)
        with archive.open("poses.npy", "w") as member:
            np.lib.format.write_array_header_1_0(member, header)
            member.write(bytes(10**6))
    refused(score(pred="set.npz"), "set.npz")


def test_numbers_that_are_not_finite_are_found_in_their_row(score) -> None:
    pred = pb.read("pred.npz")
    poses = np.array(pred.poses)
    poses[7, 3] = np.inf
    pb.write(pred.replace(poses=poses), "broken.npz")
    refused(score(pred="broken.npz"), "broken.npz: pose 7, joint 3 (RAnkle)", "--allow-missing")


def test_repeated_and_surplus_keys(score) -> None:
    pred = pb.read("pred.npz")
    pb.write(pred.replace(frame=[0] * 12), "twice.npz")
    refused(
        score(pred="twice.npz"),
        "twice.npz: rows ",
        " have the same keys (subject=S",
        "frame=0)",
        "add sequence or camera to both",
    )
    pb.write(pred.replace(frame=np.arange(12) + 1), "late.npz")
    refused(score(pred="late.npz"), "late.npz has 3 poses that gt.npz has not", "row 3", "frame=4")


def test_other_numbers_of_poses_without_keys(score) -> None:
    pred, _ = pair(12)
    np.savez("bare.npz", poses=pred[:5], unit="mm", skeleton="h36m17", reference="camera")
    refused(score(pred="bare.npz"), "bare.npz has 5 poses and gt.npz has 12: without common keys")


def test_another_unit_than_the_file_says(score) -> None:
    pred, _ = pair(12)
    np.savez("set.npz", poses=pred / 1000, unit="mm", skeleton="h36m17")
    refused(score(pred="set.npz"), "set.npz says its unit is mm", "a person in m", "--pred-unit m")


def test_metres_and_millimetres_in_one_file(score) -> None:
    pred, _ = pair(12)
    pred[6:8] /= 1000
    np.savez("set.npz", poses=pred, skeleton="h36m17")
    refused(score(pred="set.npz"), "set.npz: 2 of 12 poses are a person in m", "the first at row 6")


def test_joints_in_another_order(score) -> None:
    pred, _ = pair(12)
    np.savez("set.npz", poses=pred[:, ::-1], unit="mm", reference="camera")
    refused(score(pred="set.npz"), "set.npz does not say its skeleton", "--pred-skeleton NAME")


def test_a_skeleton_nobody_knows(score) -> None:
    pred, _ = pair(12)
    np.savez("set.npz", poses=pred, unit="mm", skeleton="coco18")
    refused(score(pred="set.npz"), "set.npz: there is no skeleton 'coco18'")


def test_the_way_out_of_an_unknown_skeleton_is_an_option_of_the_command(score) -> None:
    pred, _ = pair(12)
    np.savez("set.npz", poses=pred, unit="mm", skeleton="coco18")
    assert "skeleton=" not in score(pred="set.npz").sentence


@pytest.mark.parametrize("name", ["my set.npz", "ünï.npz", "a'b\"c.npz", "-set.npz", "[red]set.npz", "%s{0}.npz"])
def test_any_name_of_a_file_is_read_and_named(score, name: str) -> None:
    pred, _ = pair(12)
    np.savez(name, poses=pred, reference="camera")
    run = score(pred=f"./{name}")
    assert run.code == 0
    assert f"note: skeleton of {name} assumed: h36m17" in run.out
    np.savez(name, poses=pred * 7)
    refused(score(pred=f"./{name}"), name)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_not_utf_8_is_read_named_and_recorded(score, folder) -> None:
    pred, _ = pair(12)
    name = os.fsdecode(b"pr\xe9d.npz")
    try:
        with open(name, "wb") as file:
            np.savez(file, poses=pred, reference="camera")
    except OSError:
        pytest.skip("this file system takes no such names")
    run = score("-o", "out.json", "-o", "out.csv", "-o", "out.md", "-o", "out.tex", pred=name)
    assert run.code == 0
    assert json.loads((folder / "out.json").read_text("utf-8"))["inputs"]["pred"]["path"] == name
    assert "pr\\udce9d.npz" in run.out


def test_keys_that_would_act_on_a_terminal_do_not(score, folder) -> None:
    pred, gt = pair(12)
    for path, poses in (("p.npz", pred), ("g.npz", gt)):
        pb.write(poseset(poses, action=["[bold]x"] * 6 + ["=1+1"] * 6, frame=range(12)), path)
    run = score("--by", "action", "-o", "out.csv", "-o", "out.tex", "-o", "out.md", pred="p.npz", gt="g.npz")
    assert run.code == 0
    assert "[bold]x" in run.out
    assert '"\'=1+1"' in (folder / "out.csv").read_text("utf-8")


def test_an_error_is_one_line_even_if_a_name_holds_two(score, folder) -> None:
    name = "two\nlines.npz"
    run = score(pred=name)
    assert run.code == 2
    assert len(run.err.splitlines()) == 1
