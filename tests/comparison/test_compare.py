"""`pb.compare`: every number against plain loops over frames, and every refusal."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench.comparison.comparing import outcome
from posebench.comparison.load import named_paths
from posebench.frames import frames_path
from tests.comparison.results import (
    differing_words,
    frame_sequences,
    keys_of,
    pooled,
    report_of,
    table_of,
    write_result,
)

POOLINGS = ("frame", "joint", "action", "subject", "sequence")


def values_of(keys: dict, seed: int, shift: float = 0.0, spread: float = 5.0) -> dict[str, np.ndarray]:
    """Two metrics; frame 3 was not scored for the second."""
    rng = np.random.default_rng(seed)
    n = len(keys["subject"])
    truth = np.random.default_rng(99).normal(size=n)  # what makes a frame hard for every model
    mpjpe = 50 + 10 * truth + shift + rng.normal(0, spread, n)
    pck = np.clip(90 - 5 * truth - shift + rng.normal(0, spread, n), 0, 100)
    pck[3] = np.nan
    return {"MPJPE": mpjpe, "PCK@150": pck}


def randomisation_by_frames(d: np.ndarray, keys: dict, pooling: str, weights) -> float:
    """p by swapping the models in every choice of sequences, and pooling all frames anew each time."""
    of = frame_sequences(keys)
    names = sorted(set(of))
    found = abs(pooled(d, keys, pooling, weights))
    count = 0
    for signs in product((1, -1), repeat=len(names)):
        turned = dict(zip(names, signs, strict=True))
        swapped = np.array([turned[name] * value for name, value in zip(of, d, strict=True)])
        count += abs(pooled(swapped, keys, pooling, weights)) >= found - 1e-9
    return count / 2 ** len(names)


def sequence_means(d: np.ndarray, keys: dict, weights=None) -> list[float]:
    of = frame_sequences(keys)
    w = np.ones(len(d)) if weights is None else weights
    means = []
    for name in sorted(set(of)):
        rows = [i for i in range(len(d)) if of[i] == name and not np.isnan(d[i])]
        means.append(sum(w[i] * d[i] for i in rows) / sum(w[i] for i in rows))
    return means


@pytest.mark.parametrize("pooling", POOLINGS)
def test_differences_and_p_are_those_of_loops_over_frames(tmp_path, pooling: str) -> None:
    keys = keys_of(7)
    a, b = values_of(keys, 1), values_of(keys, 2, shift=-1.0)
    weights = np.random.default_rng(3).integers(5, 18, len(a["MPJPE"])) if pooling == "joint" else None
    paths = [
        write_result(tmp_path / f"{name}.json", values, keys, pooling=pooling, weights=weights)
        for name, values in (("a", a), ("b", b))
    ]
    found = pb.compare(paths)
    assert found.sequences == 7
    assert found.test.exact
    for metric in a:
        pair, d = found.pair(metric, "a", "b"), b[metric] - a[metric]
        assert pair.difference == pytest.approx(pooled(d, keys, pooling, weights), abs=1e-9)
        values = found.metrics[metric].models
        assert pair.difference == pytest.approx(values["b"].value - values["a"].value, abs=1e-9)
        assert pair.p == pytest.approx(randomisation_by_frames(d, keys, pooling, weights))
        means = sequence_means(d, keys, weights)
        assert pair.effect_size == pytest.approx(np.mean(means) / np.std(means, ddof=1))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_intervals_are_those_of_the_frames_differences(tmp_path, pooling: str) -> None:
    keys = keys_of(18, actions=2)
    a, b = values_of(keys, 1), values_of(keys, 2, shift=-1.0)
    weights = np.random.default_rng(3).integers(5, 18, len(a["MPJPE"])) if pooling == "joint" else None
    paths = [
        write_result(tmp_path / f"{name}.json", values, keys, pooling=pooling, weights=weights)
        for name, values in (("a", a), ("b", b))
    ]
    found = pb.compare(paths)
    sequences = np.array(["/".join(name) for name in frame_sequences(keys)])
    for metric in a:
        d = b[metric] - a[metric]
        if pooling == "sequence":
            expected = pb.bootstrap_ci(sequence_means(d, keys), np.arange(18))
        else:
            groups = keys[pooling] if pooling in ("action", "subject") else None
            expected = pb.bootstrap_ci(d, sequences, weights=weights, groups=groups)
        assert found.pair(metric, "a", "b").ci95 == pytest.approx(expected)
        low, high = found.metrics[metric].models["a"].ci95
        assert low < found.metrics[metric].models["a"].value < high


def test_all_pairs_and_metrics_are_one_family_of_holms(tmp_path) -> None:
    keys = keys_of(12)
    paths = [write_result(tmp_path / f"m{k}.json", values_of(keys, k, shift=-2.0 * k), keys) for k in range(3)]
    found = pb.compare(paths)
    pairs = [pair for _, pair in found.pairs()]
    assert found.test.family == len(pairs) == 6
    order = sorted(pairs, key=lambda pair: pair.p)
    largest = 0.0
    for step, pair in enumerate(order):
        largest = max(largest, min(1.0, (6 - step) * pair.p))
        assert pair.p_holm == pytest.approx(largest)


def test_models_are_compared_later_against_earlier_and_the_best_has_the_first_letter(tmp_path) -> None:
    keys = keys_of(14)
    paths = {name: write_result(tmp_path / f"{name}.json", values_of(keys, k, shift), keys)
             for k, (name, shift) in enumerate((("worse", 0.0), ("better", -20.0), ("alike", -20.1)))}  # fmt: skip
    found = pb.compare(paths)
    assert [(p.a, p.b) for p in found.metrics["MPJPE"].pairs] == [
        ("worse", "better"),
        ("worse", "alike"),
        ("better", "alike"),
    ]
    for metric in ("MPJPE", "PCK@150"):
        shown = {name: model.letters for name, model in found.metrics[metric].models.items()}
        assert shown == {"better": "a", "alike": "a", "worse": "b"}
    assert found.pair("MPJPE", "worse", "better").difference < 0 < found.pair("PCK@150", "worse", "better").difference


def test_seeds_of_one_model_are_one_row_with_a_spread_of_its_own(tmp_path) -> None:
    keys = keys_of(12)
    seeds = [values_of(keys, k) for k in range(3)]
    paths = [write_result(tmp_path / f"s{k}.json", values, keys) for k, values in enumerate(seeds)]
    base = values_of(keys, 9, shift=3.0)
    found = pb.compare({"base": write_result(tmp_path / "base.json", base, keys), "ours": paths})
    ours = found.metrics["MPJPE"].models["ours"]
    each = [float(values["MPJPE"].mean()) for values in seeds]
    assert ours.seeds == pytest.approx(each)
    assert ours.value == pytest.approx(sum(each) / 3)
    assert ours.seed_sd == pytest.approx((sum((e - sum(each) / 3) ** 2 for e in each) / 2) ** 0.5)
    mean = sum(values["MPJPE"] for values in seeds) / 3
    assert found.pair("MPJPE", "base", "ours").difference == pytest.approx(float((mean - base["MPJPE"]).mean()))
    assert found.metrics["MPJPE"].models["base"].seed_sd is None
    # The interval is that of one model whose frames have the mean of the seeds: seeds add nothing to it.
    alone = write_result(tmp_path / "alone.json", {"MPJPE": mean, "PCK@150": base["PCK@150"]}, keys)
    same = pb.compare([tmp_path / "base.json", alone]).metrics["MPJPE"].models["alone"]
    assert ours.ci95 == pytest.approx(same.ci95)
    assert any("mean of 3 results" in note for note in found.notes)


def test_an_action_is_won_where_its_difference_lies_beyond_its_interval(tmp_path) -> None:
    keys = keys_of(60)
    a = values_of(keys, 1)
    b = {name: of.copy() for name, of in a.items()}
    noise = np.random.default_rng(4).normal(0, 1, len(a["MPJPE"]))
    b["MPJPE"] += np.select([keys["action"] == "A0", keys["action"] == "A1"], [-8.0, 8.0], 0.0) + noise
    found = pb.compare([write_result(tmp_path / f"{n}.json", v, keys) for n, v in (("a", a), ("b", b))])
    pair = found.pair("MPJPE", "a", "b")
    assert {action: of.outcome for action, of in pair.actions.items()} == {"A0": "win", "A1": "loss", "A2": "tie"}
    rows = keys["action"] == "A1"
    assert pair.actions["A1"].difference == pytest.approx((b["MPJPE"] - a["MPJPE"])[rows].mean())
    low, high = pair.actions["A1"].ci95
    assert 0 < low < pair.actions["A1"].difference < high
    # PCK is the same in both: no spread, no interval, and neither a win nor a tie.
    assert {of.outcome for of in found.pair("PCK@150", "a", "b").actions.values()} == {None}
    assert found.pair("PCK@150", "a", "b").p == 1.0


@pytest.mark.parametrize(
    ("interval", "higher", "expected"),
    [
        ((1, 2), True, "win"),
        ((1, 2), False, "loss"),
        ((-2, -1), True, "loss"),
        ((-1, 1), True, "tie"),
        (None, True, None),
    ],
)
def test_which_way_a_difference_went_depends_on_what_is_better(interval, higher, expected) -> None:
    assert outcome(interval, higher_is_better=higher) == expected


def test_one_sequence_gives_values_and_differences_and_nothing_else(tmp_path) -> None:
    keys = keys_of(1)
    found = pb.compare([write_result(tmp_path / f"{n}.json", values_of(keys, k), keys) for k, n in enumerate("ab")])
    pair = found.pair("MPJPE", "a", "b")
    assert (pair.ci95, pair.p, pair.p_holm, pair.effect_size) == (None, None, None, None)
    assert pair.actions["A0"].outcome is None
    assert found.metrics["MPJPE"].models["a"].letters is None
    assert (found.test.exact, found.test.patterns, found.test.family) == (None, 0, 0)
    assert found.notes[0].startswith("one sequence says nothing")


def test_frames_without_keys_are_compared_without_tests(tmp_path) -> None:
    keys = keys_of(4)
    values = [values_of(keys, k) for k in range(2)]
    found = pb.compare([write_result(tmp_path / f"{n}.json", v, {}) for n, v in zip("ab", values, strict=True)])
    assert found.sequences is None
    assert found.pair("MPJPE", "a", "b").p is None
    assert "nobody knows which frames belong together" in found.notes[0]


def test_so_few_sequences_that_nothing_can_be_significant_are_named(tmp_path) -> None:
    keys = keys_of(5)
    found = pb.compare([write_result(tmp_path / f"{n}.json", values_of(keys, k, -30.0 * k), keys)
                        for k, n in enumerate("ab")])  # fmt: skip
    assert found.pair("MPJPE", "a", "b").p == 0.0625
    assert "5 sequences: no p can be below 0.0625, so nothing can be significant" in found.notes


def test_a_metric_that_not_all_have_is_listed_and_not_compared(tmp_path) -> None:
    keys = keys_of(6)
    a, b = values_of(keys, 1), values_of(keys, 2)
    more = {**b, "PMPJPE": b["MPJPE"] - 10}
    found = pb.compare([write_result(tmp_path / "a.json", a, keys), write_result(tmp_path / "b.json", more, keys)])
    assert list(found.metrics) == ["MPJPE", "PCK@150"]
    assert found.not_compared == {"PMPJPE": "only b has it"}
    assert "PMPJPE is not compared: only b has it" in str(found)


def test_a_metric_without_values_per_frame_is_listed_with_its_reason(tmp_path) -> None:
    keys = keys_of(6)
    for k, name in enumerate("ab"):
        values = values_of(keys, k)
        report = report_of({**values, "BoneSpread": values["MPJPE"]}, keys, pred=name)
        report.save(tmp_path / f"{name}.json")
        table_of(report, values, keys).save(tmp_path / f"{name}.frames.npz")
    found = pb.compare([tmp_path / "a.json", tmp_path / "b.json"])
    assert found.not_compared == {"BoneSpread": "has no value per frame: a standard deviation over frames"}


def test_the_metrics_asked_for_are_the_family(tmp_path) -> None:
    keys = keys_of(8)
    paths = [write_result(tmp_path / f"{n}.json", values_of(keys, k), keys) for k, n in enumerate("ab")]
    found = pb.compare(paths, metrics=["PCK"])
    assert list(found.metrics) == ["PCK@150"]
    assert found.test.family == 1
    assert found.pair("PCK@150", "a", "b").p_holm == found.pair("PCK", "a", "b").p


def test_the_same_files_give_the_same_bytes(tmp_path) -> None:
    keys = keys_of(20)
    paths = [write_result(tmp_path / f"{n}.json", values_of(keys, k), keys) for k, n in enumerate("ab")]
    for ending in ("json", "csv", "md", "tex"):
        for copy in "12":
            pb.compare(paths).save(tmp_path / f"out{copy}.{ending}")
        assert (tmp_path / f"out1.{ending}").read_bytes() == (tmp_path / f"out2.{ending}").read_bytes()


# --------------------------------------------------------------------------------------------------------- refusals


@pytest.fixture
def pair(tmp_path):
    """A function that writes two results, the second altered, and gives the sentence that refuses them."""
    keys = keys_of(4)

    def refusal(*, keys_b: dict | None = None, values_b: dict | None = None, alter=None, **facts: object) -> str:
        write_result(tmp_path / "a.json", values_of(keys, 1), keys)
        other = keys if keys_b is None else keys_b
        path = write_result(tmp_path / "b.json", values_b or values_of(other, 2), other, **facts)
        if alter is not None:
            data = json.loads(path.read_text("utf-8"))
            alter(data)
            path.write_text(json.dumps(data), "utf-8")
        with pytest.raises(pb.InputError) as error:
            pb.compare([tmp_path / "a.json", path])
        return str(error.value)

    return refusal


def test_another_ground_truth_is_refused(pair) -> None:
    sentence = pair(gt="h" * 64)
    assert f"the sha256 of the ground truth is {'g' * 64} in the first and {'h' * 64} in the second" in sentence
    assert differing_words(sentence) == ["a.json", "b.json"]


def test_a_ground_truth_of_unknown_origin_is_refused(pair) -> None:
    assert "b.json: does not say which ground truth it was scored against" in pair(gt=None)


def test_another_version_of_the_protocol_is_refused(pair) -> None:
    sentence = pair(alter=lambda data: data["protocol"].update(version=2))
    assert "the protocol is standard version 1 in the first and standard version 2 in the second" in sentence


def test_another_selection_of_frames_is_refused(pair) -> None:
    sentence = pair(alter=lambda data: data["protocol"].update(selection={"applied": True}))
    assert "whether the protocol's selection was applied is None in the first and True" in sentence


def test_another_bank_of_the_same_name_is_refused(pair) -> None:
    assert f"the sha256 of bank cmu-50 is {'b' * 64} in the first and {'c' * 64}" in pair(bank="c" * 64)


def test_another_number_of_frames_is_refused(pair) -> None:
    assert "the number of frames is 34 in the first and 26 in the second" in pair(keys_b=keys_of(3))


def test_other_names_of_the_same_frames_are_refused(pair) -> None:
    keys = keys_of(4)
    keys["action"] = np.where(keys["action"] == "A1", "other", keys["action"])
    assert "the action of frame 8 is A1 in the first and other in the second" in pair(keys_b=keys)


def test_frames_with_fewer_keys_are_refused(pair) -> None:
    keys = keys_of(4)
    del keys["camera"]
    sentence = pair(keys_b=keys)
    assert "the keys of the frames is subject, action, sequence, camera in the first" in sentence


def test_another_set_of_scored_frames_is_refused(pair) -> None:
    values = values_of(keys_of(4), 2)
    values["PCK@150"][5] = np.nan
    sentence = pair(values_b=values)
    assert "what frame 5 counts in PCK@150 (1 frames differ; 0 is not scored) is 1 in the first and 0" in sentence


def test_missing_predictions_are_refused(pair) -> None:
    sentence = pair(alter=lambda data: data["coverage"].update(missing=3))
    assert sentence.endswith("b.json: is incomplete (3 frames lack a prediction or a joint of it) and compares with "
                             "nothing; predict every frame")  # fmt: skip


def test_an_incomplete_metric_is_refused(pair) -> None:
    sentence = pair(alter=lambda data: data["metrics"]["MPJPE"].update(incomplete=True))
    assert "b.json: is incomplete (MPJPE are marked so)" in sentence


def test_a_value_that_its_frames_do_not_give_is_refused(pair) -> None:
    sentence = pair(alter=lambda data: data["metrics"]["MPJPE"].update(value=12.5))
    assert "says MPJPE = 12.5, but the frames in b.frames.npz give" in sentence


def test_a_metric_that_is_better_when_lower_on_one_side_only_is_refused(pair) -> None:
    sentence = pair(alter=lambda data: data["metrics"]["PCK@150"].update(higher_is_better=False))
    assert "higher_is_better of PCK@150 is True in the first and False in the second" in sentence


def test_frames_of_another_run_are_refused(pair) -> None:
    sentence = pair(alter=lambda data: data["inputs"]["pred"].update(sha256="0" * 64))
    assert "holds the frames of another run" in sentence


def test_a_result_without_its_frames_is_refused(tmp_path) -> None:
    keys = keys_of(3)
    a = write_result(tmp_path / "a.json", values_of(keys, 1), keys)
    b = write_result(tmp_path / "b.json", values_of(keys, 2), keys)
    frames_path(b).unlink()
    with pytest.raises(pb.InputError, match=r"b.json: its numbers per frame are not there: expected b.frames.npz"):
        pb.compare([a, b])


def test_results_without_a_common_metric_are_refused(tmp_path) -> None:
    keys = keys_of(3)
    values = values_of(keys, 1)
    a = write_result(tmp_path / "a.json", {"MPJPE": values["MPJPE"]}, keys)
    b = write_result(tmp_path / "b.json", {"PMPJPE": values["MPJPE"]}, keys)
    with pytest.raises(
        pb.InputError, match="share no metric that can be compared: MPJPE: only a has it; PMPJPE: only b"
    ):
        pb.compare([a, b])


def test_a_metric_asked_for_that_is_not_shared_is_refused(tmp_path) -> None:
    keys = keys_of(3)
    paths = [write_result(tmp_path / f"{n}.json", values_of(keys, k), keys) for k, n in enumerate("ab")]
    with pytest.raises(pb.UsageError, match="CPS cannot be compared: no result has it; comparable: MPJPE, PCK@150"):
        pb.compare(paths, metrics=["CPS"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["a.json"], "a comparison needs two models or more, got 1"),
        ({"ours": ["a.json", "b.json"]}, "seeds of one model are one"),
        (["a.json", "x/a.json"], "two models are called 'a': a.json and x/a.json; name them"),
        ({"one": "a.json", "two": "a.json"}, "a.json: is given twice"),
        ({"one": "a.json", "two": []}, "model 'two' has no name or no result"),
        ("a.json", "expected a list of files"),
    ],
)
def test_what_is_no_comparison_is_refused(given, words: str) -> None:
    with pytest.raises(pb.UsageError, match=words):
        pb.compare(given)


def test_a_pair_that_there_is_not_is_refused(tmp_path) -> None:
    keys = keys_of(3)
    found = pb.compare([write_result(tmp_path / f"{n}.json", values_of(keys, k), keys) for k, n in enumerate("ab")])
    with pytest.raises(pb.UsageError, match=r"no pair \('b', 'a'\); its models are, in order, a, b"):
        found.pair("MPJPE", "b", "a")
    with pytest.raises(pb.UsageError, match="has no CPS"):
        found.pair("CPS", "a", "b")


@pytest.mark.parametrize("word", ["=a.json", "ours=", "ours=a.json,,b.json"])
def test_a_word_that_names_no_results_is_refused(word: str) -> None:
    with pytest.raises(pb.UsageError, match="expected FILE, NAME=FILE or NAME=FILE,FILE"):
        named_paths([word])


def test_a_file_whose_name_has_an_equals_sign_is_that_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lr=0.1,b=2.json").write_text("{}", "utf-8")
    assert named_paths(["lr=0.1,b=2.json"]) == {"lr=0.1,b=2": [Path("lr=0.1,b=2.json")]}
