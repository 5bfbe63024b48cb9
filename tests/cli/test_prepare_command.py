"""`posebench data prepare` of data sets that their makers hand out."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebench.datasets import prepared
from tests.cli.conftest import refused


def test_prepare_passes_its_options_on_and_says_what_was_left_out(posebench, tmp_path, monkeypatch) -> None:
    given = {}

    def prepare(name: str, out: Path, **options: object) -> prepared.Prepared:
        given.update(options, name=name, out=out)
        return prepared.Prepared(out, {"train": 8, "test": 4}, 12, {"nobody in the picture": 3}, ("S9 is odd",))

    monkeypatch.setattr(prepared, "prepare", prepare)
    run = posebench(
        *("data", "prepare", "h36m", "--folder", tmp_path, "--out", tmp_path / "out", "--pixels", "128"),
        *("--subjects", "S1, S9", "--stride", "10", "--workers", "3"),
    )
    assert run.code == 0
    assert run.out.splitlines() == [f"{tmp_path / 'out'}: 12 pictures cut now", "train: 8 pictures", "test: 4 pictures"]
    assert run.err.splitlines() == [
        "posebench: note: S9 is odd",
        "posebench: note: 3 left out: nobody in the picture",
    ]
    assert given.pop("progress") is None
    assert given == {
        "name": "h36m", "out": tmp_path / "out", "folder": tmp_path, "pixels": 128, "subjects": ["S1", "S9"],
        "stride": 10, "annotations": None, "workers": 3,
    }  # fmt: skip


@pytest.mark.parametrize("option", ["--stride", "--workers", "--subjects", "--annotations"])
def test_options_of_crops_are_refused_elsewhere(posebench, tmp_path, option: str) -> None:
    run = posebench("data", "prepare", "open4v", "--out", tmp_path, option, "1")
    refused(run, f"{option} is for crops of h36m, mpi-inf-3dhp and mpii")


def test_what_a_folder_lacks_is_one_sentence(posebench, tmp_path) -> None:
    run = posebench("data", "prepare", "mpii", "--folder", tmp_path, "--out", tmp_path / "out")
    refused(run, "holds no annotations, such as mpii_human_pose_v1_u12_1.mat")
