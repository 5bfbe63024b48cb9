"""`posebench score`: the numbers of `pb.score`, in every format, by every group."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from tests.cli.conftest import KEYS, refused
from tests.scoring.plain import DEFAULTS, pair, poseset


def test_the_terminal_shows_coverage_before_metrics(score) -> None:
    run = score()
    assert run.code == 0
    assert run.out.startswith("scored 12 of 12 frames, matched by subject, action, frame\nprotocol standard, version 1")
    assert [line.split()[0] for line in run.out.splitlines()[7:15]] == list(DEFAULTS)


def test_nothing_but_a_word_about_compilation_goes_to_stderr(score) -> None:
    assert all("compiling" in line for line in score().err.splitlines())


def test_the_terminal_shows_the_numbers_of_the_library(score) -> None:
    value = pb.score("pred.npz", "gt.npz").metrics["MPJPE"].value
    assert f" {value:.2f}  mm" in score().out


@pytest.mark.parametrize(
    "by", [("--by", "action,joint"), ("--by", "action", "--by", "joint"), ("--by", " action, ,joint,")]
)
def test_groups_are_given_one_by_one_or_with_commas(score, by) -> None:
    out = score(*by).out
    assert out.index("by action") < out.index("by joint")
    assert "Eating" in out
    assert "LElbow" in out


def test_an_unknown_group_is_refused_with_those_there_are(score) -> None:
    refused(score("--by", "camera"), "cannot group by 'camera'", "has subject, action, joint, part")


def test_an_unknown_group_leaves_no_result_behind(score, folder) -> None:
    assert score("--by", "camera", "-o", "out.json", "-o", "out.csv").code == 2
    assert sorted(path.name for path in folder.iterdir()) == ["gt.npz", "pred.npz"]


def test_metrics_replace_those_of_the_protocol(score) -> None:
    out = score("--metric", "PCK@100", "-m", "NMPJPE(scale=procrustes)").out
    assert "PCK@100" in out
    assert "NMPJPE(scale=procrustes)" in out
    assert "PMPJPE" not in out


def test_every_format_is_written_with_the_groups_asked_for(score, folder) -> None:
    outputs = [argument for kind in ("json", "csv", "md", "tex") for argument in ("-o", f"out.{kind}")]
    run = score("--by", "action", *outputs)
    assert run.code == 0
    for kind in ("json", "csv", "md", "tex"):
        text = (folder / f"out.{kind}").read_text("utf-8")
        assert "Walking" in text
        assert "MPJPE" in text
    lines = (folder / "out.csv").read_text("utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    found = {(row["group"], row["key"], row["metric"]): row["value"] for row in rows}
    assert float(found["action", "Eating", "MPJPE"]) == pytest.approx(
        json.loads((folder / "out.json").read_text())["by"]["action"]["Eating"]["MPJPE"]
    )


def test_a_result_on_stdout_is_not_changed_by_one_in_a_file(score) -> None:
    assert score("-o", "out.json").out == score().out


def test_an_existing_result_is_replaced(score, folder) -> None:
    (folder / "out.json").write_text("old")
    assert score("-o", "out.json").code == 0
    assert pb.Report.load(folder / "out.json").coverage.scored == 12


def test_a_result_may_have_spaces_and_foreign_letters_in_its_name(score, folder) -> None:
    assert score("-o", "mein Ergebnis ä.json").code == 0
    assert pb.Report.load(folder / "mein Ergebnis ä.json").metrics["MPJPE"].n == 12


@pytest.mark.parametrize("name", ["out.txt", "out", "out.htm", ".json", "out.json.gz", "-"])
def test_an_ending_that_is_not_known_is_refused_before_anything_is_read(score, name: str) -> None:
    refused(score("-o", name, pred="nowhere.npz"), "known endings are .json, .csv, .md, .tex")


def test_the_inputs_are_never_written_over(score, folder) -> None:
    for name in ("pred", "gt"):
        pb.write(pb.read(f"{name}.npz"), f"{name}.json")
    before = (folder / "pred.json").read_bytes()
    run = score("-o", "pred.json", pred="pred.json", gt="gt.json")
    assert (folder / "pred.json").read_bytes() == before
    assert run.code == 2


def test_a_folder_that_is_not_there_is_named(score) -> None:
    run = score("-o", "nowhere/out.json")
    assert run.code == 2
    assert run.sentence.startswith("posebench: nowhere/out.json: cannot be written: No such file")


def test_a_result_that_cannot_be_written_does_not_take_the_numbers_with_it(score, monkeypatch) -> None:
    """Scoring may take an hour: refuse before, or show what was found."""
    from posebench import scoring

    scored = []
    monkeypatch.setattr(
        scoring.Scorer, "report", lambda self, report=scoring.Scorer.report: scored.append(1) or report(self)
    )
    run = score("-o", "nowhere/out.json")
    assert run.code == 2
    assert not scored or "MPJPE" in run.out


def test_a_folder_in_place_of_the_result_is_refused(score, folder) -> None:
    (folder / "out.json").mkdir()
    run = score("-o", "out.json")
    assert run.code == 2
    assert "out.json" in run.sentence


# Facts said by hand


def test_units_said_by_hand_are_believed(score, folder) -> None:
    pred, gt = pair(12)
    np.savez("bare_pred.npz", poses=pred * 3, reference="camera")
    np.savez("bare_gt.npz", poses=gt * 3, reference="camera")
    refused(score(pred="bare_pred.npz", gt="bare_gt.npz"), "bare_pred.npz does not say its unit", "--pred-unit mm")
    said = ("--pred-unit", "mm", "--gt-unit", "mm", "--pred-skeleton", "h36m17", "--gt-skeleton", "h36m17")
    run = score(*said, "-o", "out.json", pred="bare_pred.npz", gt="bare_gt.npz")
    assert run.code == 0
    expected = pb.score(pred * 3, gt * 3).metrics["MPJPE"].value
    assert pb.Report.load(folder / "out.json").metrics["MPJPE"].value == pytest.approx(expected)


def test_a_unit_said_against_the_file_is_noted(score) -> None:
    run = score("--pred-unit", "m")
    assert run.code == 0
    assert "note: pred.npz says unit mm; read as m as asked" in run.out


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--pred-unit", "cm", "there is no unit 'cm'; known are mm, m, scale-free"),
        ("--gt-unit", " ", "there is no unit ' '"),
        ("--gt-unit", "scale-free", "ground truth must be in mm or m"),
        ("--pred-skeleton", "coco18", "there is no skeleton 'coco18'; known are 3dhp17"),
        ("--pred-reference", "image", "there is no reference 'image'"),
        ("--pred-reference", "world", "is in the world reference and gt.npz in the camera"),
        ("--gt-origin", "pelvis", "there is no origin 'pelvis'"),
        ("--protocol", "P1", "there is no protocol 'P1'; known are standard"),
        ("--protocol", "nowhere.yaml", "nowhere.yaml: cannot be read"),
        ("--metric", "P1", "names different protocols in different codes"),
        ("--metric", "mpjp", "there is no metric 'mpjp'; known are MPJPE"),
        ("--metric", " ", "is not spelled NAME"),
        ("--metric", "PCK@", "is not spelled NAME"),
        ("--metric", "PCK@0", "threshold must be positive"),
        ("--metric", "AUC(0:150:7)", "do not reach 150"),
        ("--metric", "NMPJPE(scale=best)", "scale=best is not one of"),
        ("--metric", "MPJPE@5", "takes no threshold"),
        ("--metric", "MPJVE", "does not say its frame rate, which MPJVE needs; say it with --fps"),
        ("--fps", "0", "fps is 0"),
        ("--fps", "nan", "fps is nan"),
    ],
)
def test_a_strange_option_is_refused_in_words(score, option: str, value: str, words: str) -> None:
    refused(score(option, value), words)


@pytest.mark.parametrize("option", [("--metric", "mpjp"), ("--protocol", "P1"), ("-o", "x.doc"), ("--fail-over", "x")])
def test_names_are_checked_before_files_are_read(score, option) -> None:
    run = score(*option, pred="nowhere.npz")
    refused(run)
    assert "nowhere.npz" not in run.sentence


def test_the_frame_rate_said_by_hand_is_used(score, folder) -> None:
    pb.write(pb.read("gt.npz").replace(action="Walking", subject="S9"), "walk.npz")
    pb.write(pb.read("pred.npz").replace(action="Walking", subject="S9"), "pred_walk.npz")
    run = score(
        "--fps", "50", "-m", "MPJVE", "-m", "MPJVE(per=frame)", "-o", "o.json", pred="pred_walk.npz", gt="walk.npz"
    )
    assert run.code == 0
    metrics = pb.Report.load(folder / "o.json").metrics
    assert metrics["MPJVE"].value == pytest.approx(50 * metrics["MPJVE(per=frame)"].value)


def test_a_protocol_file_of_ones_own_is_scored(score, folder) -> None:
    (folder / "mine.yaml").write_text(
        "name: mine\nversion: 3\nsummary: Legs.\nsource: me\ndefinition:\n  skeleton: h36m17\n"
        "  joints: [pelvis, RHip, RKnee, RAnkle]\n  pred_root: pelvis\n  gt_root: pelvis\n  pooling: action\n"
        "  metrics: [MPJPE]\n  banks: []\n"
    )
    run = score("--protocol", "mine.yaml", "-o", "out.json")
    assert "protocol mine, version 3" in run.out
    pred, gt = pair(12)
    errors = np.linalg.norm((pred - pred[:, :1]) - (gt - gt[:, :1]), axis=2)[:, :4].mean(1)
    expected = (errors[:4].mean() + errors[4:].mean()) / 2
    assert pb.Report.load(folder / "out.json").metrics["MPJPE"].value == pytest.approx(expected)


def test_missing_predictions_are_refused_or_counted(score, folder) -> None:
    pred = pb.read("pred.npz")
    poses = np.array(pred.poses)
    poses[2, 5] = np.nan
    pb.write(pred.replace(poses=poses)[:11], "part.npz")
    refused(score(pred="part.npz"), "part.npz lacks 1 of the 12 poses of gt.npz", "frame=11", "--allow-missing")
    run = score("--allow-missing", pred="part.npz")
    assert run.code == 0
    assert run.out.startswith("scored 10 of 12 frames, matched by subject, action, frame; 2 missing")
    assert "* incomplete: leaves out what the prediction lacks" in run.out


def test_what_was_assumed_is_said_on_stderr_too(score) -> None:
    """stdout may go into a file that nobody reads before the number is in a paper."""
    _, gt = pair(12)
    np.savez("bare.npz", poses=gt, unit="mm", reference="camera")
    run = score(pred="bare.npz", gt="bare.npz")
    assert "skeleton of bare.npz assumed: h36m17" in run.out
    assert "skeleton of bare.npz assumed: h36m17" in run.err


# The result file


def test_the_result_has_the_documented_layout(score, folder) -> None:
    score("-o", "out.json")
    data = json.loads((folder / "out.json").read_text("utf-8"))
    assert data["schema"] == "posebench.result/1"
    assert set(data) == {
        "schema", "metrics", "by", "coverage", "protocol", "banks", "inputs", "environment", "notes",
    }  # fmt: skip
    assert tuple(data["metrics"]) == DEFAULTS
    for metric in data["metrics"].values():
        assert set(metric) == {"value", "unit", "higher_is_better", "n", "ci95"}
        assert (metric["n"], metric["ci95"]) == (12, None)
    assert set(data["by"]) == {"subject", "action", "joint", "part", "cluster@50", "cluster@100"}
    assert {"gt_frames", "scored", "missing", "invalid_joints", "degenerate", "matched"} <= set(data["coverage"])
    assert {"name", "version", "sha256"} <= set(data["protocol"])
    assert [(bank["name"], bank["k"], len(bank["sha256"])) for bank in data["banks"]] == [
        ("cmu-h36m17-k50", 50, 64),
        ("cmu-h36m17-k100", 100, 64),
    ]
    assert data["inputs"].keys() == {"pred", "gt"}
    for side in data["inputs"].values():
        assert set(side) == {"path", "sha256"}
        assert len(side["sha256"]) == 64


def test_the_same_inputs_give_the_same_bytes_but_for_the_date(score, folder, monkeypatch) -> None:
    texts = []
    for threads, by in (("1", "action"), ("2", "joint")):
        monkeypatch.setenv("POSEBENCH_THREADS", threads)
        score("-o", "out.json", "--by", by)
        data = json.loads((folder / "out.json").read_text("utf-8"))
        text = (folder / "out.json").read_text("utf-8")
        assert text.count(data["environment"]["date"]) == 1
        texts.append(text.replace(data["environment"]["date"], ""))
    assert texts[0] == texts[1]


def test_a_result_can_be_read_back(score, folder) -> None:
    score("-o", "out.json")
    report, fresh = pb.Report.load(folder / "out.json"), pb.score("pred.npz", "gt.npz")
    assert report.metrics == fresh.metrics
    assert report.by("action") == fresh.by("action")
    assert report.coverage == fresh.coverage


def test_by_joint_of_every_format_of_input_is_the_same(score) -> None:
    results = []
    for suffix in (".npz", ".csv", ".json", ".pkl"):
        for name in ("pred", "gt"):
            poses = pb.read(f"{name}.npz")
            pb.write(poses, f"again_{name}{suffix}")
        results.append(score("--by", "joint", pred=f"again_pred{suffix}", gt=f"again_gt{suffix}").out)
    assert len(set(results)) == 1


def test_frames_in_another_order_and_in_metres_score_the_same(score) -> None:
    pred, _ = pair(12)
    order = np.random.default_rng(0).permutation(12)
    shuffled = {key: np.array(column)[order] for key, column in KEYS.items()}
    pb.write(poseset(pred[order] / 1000, unit="m", **shuffled), "shuffled.npz")
    assert score(pred="shuffled.npz").out == score().out


def test_a_page_has_the_poses_and_the_command_that_made_it(score) -> None:
    run = score("-o", "my report.html", "--by", "action")
    assert run.code == 0
    page = Path("my report.html").read_text("utf-8")
    assert page.count('<g class="pred">') == 9
    assert "posebench score --pred pred.npz --gt gt.npz -o &#x27;my report.html&#x27; --by action" in page


def test_a_page_of_all_protocols_is_one_of_tables(posebench, folder) -> None:
    assert posebench("score", "--pred", "gt.npz", "--gt", "gt.npz", "--protocol", "all", "-o", "all.html").code == 0
    assert "the rows do not compare with each other" in Path("all.html").read_text("utf-8")
