"""The survey of a data folder: its counts on files made here, and that the documentation shows what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from posebench.datasets import survey
from tests.support.mocap import amc_text, asf_text, clip_text, written

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"


def data(folder: Path) -> Path:
    """Two clips of CMU, one of them described, and one of HDM05."""
    written(folder, clip_text({}, {}, {}), "07_01.bvh")
    written(folder, clip_text({}, {"LeftArm": 90}), "07_02.bvh")
    (folder / "cmu-mocap" / "motions.csv").write_text("subject,trial,description\n7,1,slow walk\n", encoding="utf-8")
    actor = folder / "hdm05" / "bd"
    actor.mkdir(parents=True)
    (actor / "HDM_bd.asf").write_text(asf_text(), encoding="utf-8")
    # The left elbow is 5 units, 282 mm, from the shoulder: turned by 90 degrees at once it moves with 48 m/s.
    (actor / "HDM_bd_squat1Reps_001_120.amc").write_text(amc_text({}, {"lhumerus": 90}, {}), encoding="utf-8")
    return folder


def test_clips_frames_and_faults_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert survey.main([str(data(tmp_path))]) == 0
    lines = [re.split(r"  +", line.strip()) for line in capsys.readouterr().out.splitlines()]
    head = ["clips", "frames", "rest pose", "empty", "not finite", "bone length", "usable", "> 20 m/s"]
    assert lines[:3] == [
        head,
        ["cmu-mocap", "2", "5", "2", "0", "0", "0", "3", "0"],
        ["hdm05", "1", "3", "0", "0", "0", "0", "3", "2"],
    ]
    classes = {line[0]: line[1:] for line in lines[4:]}
    assert classes["class"] == ["cmu-mocap clips", "cmu-mocap frames", "hdm05 clips", "hdm05 frames"]
    assert {name: counts for name, counts in classes.items() if set(counts) - {"0"}} == {
        "class": classes["class"],
        "walk": ["1", "2", "0", "0"],
        "exercise": ["0", "0", "1", "3"],
        "other": ["1", "1", "0", "0"],
    }


def test_one_database_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, clip_text({}))
    assert survey.main([str(tmp_path)]) == 0
    assert "hdm05" not in capsys.readouterr().out


def test_what_cannot_be_surveyed_ends_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POSEBENCH_DATA", raising=False)
    for arguments, complaint in (
        ([], "Error: name the folder of the data, or set POSEBENCH_DATA to it"),
        ([str(tmp_path)], f"Error: {tmp_path}: holds neither cmu-mocap nor hdm05"),
    ):
        assert survey.main(arguments) == 2
        assert capsys.readouterr().err.strip() == complaint
    path = written(tmp_path, "HIERARCHY")
    assert survey.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"Error: {path}: line 1: the file ends, expected ROOT")


@pytest.mark.checkout
@pytest.mark.slow
@pytest.mark.mocap
def test_the_page_shows_what_the_survey_prints(mocap_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert survey.main([str(mocap_root)]) == 0
    assert f"```text\n{capsys.readouterr().out}```" in PAGE.read_text("utf-8")
