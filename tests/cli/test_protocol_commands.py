"""`posebench protocols list|show|diff` and `score --protocol all`, as a user types them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

import posebench as pb


@pytest.fixture
def sides(tmp_path):
    rng = np.random.default_rng(0)
    gt = rng.normal(size=(8, 17, 3)) * [150, 400, 150]
    gt -= gt[:, :1]
    facts = {
        "skeleton": "h36m17",
        "unit": "mm",
        "reference": "camera",
        "origin": "root",
        "action": ["A"] * 4 + ["B"] * 4,
    }
    facts |= {"subject": "S9", "frame": np.arange(8)}
    pb.write(pb.PoseSet(gt, dataset="h36m", **facts), tmp_path / "gt.npz")
    pb.write(pb.PoseSet(gt + rng.normal(size=gt.shape) * 20, **facts), tmp_path / "pred.npz")
    return ["--pred", str(tmp_path / "pred.npz"), "--gt", str(tmp_path / "gt.npz")]


def test_list_names_every_protocol_with_its_sentence(posebench) -> None:
    lines = posebench("protocols", "list").out.splitlines()
    assert [line.split("/")[0] for line in lines] == list(pb.protocol_names())
    assert all(len(line) > 60 for line in lines)


@pytest.mark.parametrize("name", pb.protocol_names())
def test_what_show_prints_is_the_protocol(posebench, tmp_path, name: str) -> None:
    text = posebench("protocols", "show", name).out
    (tmp_path / "copy.yaml").write_text(text, "utf-8")
    assert pb.get_protocol(tmp_path / "copy.yaml").sha256 == pb.get_protocol(name).sha256
    assert yaml.safe_load(text)["summary"]


def test_diff_shows_the_fields_that_differ(posebench) -> None:
    text = posebench("protocols", "diff", "standard", "h36m-epipolarpose").out
    assert "only standard: NMPJPE, PMPJPE, NPCK@150, AUC(0:150:5)" in text
    assert "only h36m-epipolarpose: NMPJPE(scale=procrustes), PMPJPE(variant=similarity_rerooted)" in text
    assert "selection: stride:\n  standard: none\n  h36m-epipolarpose: 64\n" in text
    assert "pred_root" not in text
    roots = posebench("protocols", "diff", "standard", "h36m-mmpose").out
    assert "pred_root:\n  standard: pelvis\n  h36m-mmpose: none\n" in roots
    assert "pooling:\n  standard: frame\n  h36m-mmpose: joint\n" in roots


def test_diff_of_a_protocol_with_itself_says_so(posebench) -> None:
    assert "in the same way" in posebench("protocols", "diff", "mupots", "mupots").out


def test_diff_of_an_unknown_protocol_is_bad_usage(posebench) -> None:
    result = posebench("protocols", "diff", "standard", "nope")
    assert result.code == 2
    assert "there is no protocol 'nope'" in result.err


def test_all_scores_what_fits_and_writes_one_file(posebench, sides, tmp_path) -> None:
    result = posebench("score", *sides, "--protocol", "all", "-o", str(tmp_path / "all.json"))
    assert "the rows do not compare" in result.out
    data = json.loads((tmp_path / "all.json").read_text("utf-8"))
    assert set(data["results"]) | set(data["refused"]) == set(pb.protocol_names())
    alone = pb.score(tmp_path / "pred.npz", tmp_path / "gt.npz", protocol="h36m-videopose3d")
    assert data["results"]["h36m-videopose3d"]["metrics"]["MPJPE"]["value"] == alone.metrics["MPJPE"].value
    assert data["results"]["h36m-videopose3d"]["inputs"]["gt"]["sha256"]


@pytest.mark.parametrize(
    "option", [["--metric", "MPJPE"], ["--by", "action"], ["--fail-over", "MPJPE=1"], ["--fail-under", "PCK=1"]]
)
def test_all_refuses_what_only_means_something_under_one_protocol(posebench, sides, option) -> None:
    result = posebench("score", *sides, "--protocol", "all", *option)
    assert result.code == 2
    assert f"{option[0]} needs one protocol" in result.err


def test_a_protocols_own_groups_are_shown_unless_others_are_asked_for(posebench, sides) -> None:
    text = posebench("score", *sides, "--protocol", "3dhp-official").out
    assert "by joint_group" in text
    assert "by subject" in text
    assert "by action" in text
    text = posebench("score", *sides, "--protocol", "3dhp-official", "--by", "part").out
    assert "by joint_group" not in text
    assert "by part" in text
    result = posebench("score", *sides, "--by", "setting")
    assert result.code == 2
    assert "cannot group by 'setting'" in result.err
