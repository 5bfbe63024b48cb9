"""Protocols: what is in the file is what is scored, and the hash covers exactly that."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import posebench as pb

STANDARD = pb.get_protocol("standard")
WHOLE = {
    "name": "mine",
    "version": 1,
    "summary": "A protocol.",
    "source": "somebody",
    "definition": {
        "skeleton": "h36m17",
        "joints": "all",
        "pred_root": "pelvis",
        "gt_root": "pelvis",
        "pooling": "frame",
        "metrics": ["MPJPE", "PCK@150"],
        "banks": [],
    },
}


def with_changes(**changes) -> dict:
    """The whole protocol with some fields, of the file or of its definition, replaced."""
    data = {**WHOLE, "definition": dict(WHOLE["definition"])}
    for key, value in changes.items():
        (data["definition"] if key in data["definition"] else data)[key] = value
    return data


def save(folder: Path, content: dict | str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


def loaded(folder: Path, content: dict | str) -> pb.Protocol:
    return pb.get_protocol(save(folder, content))


def test_standard_comes_first_and_is_the_plainest() -> None:
    assert pb.protocol_names()[0] == "standard"
    assert (STANDARD.pooling, STANDARD.pred_root, STANDARD.gt_root) == ("frame", "pelvis", "pelvis")
    assert STANDARD.banks[:2] == ("cmu-h36m17-k50", "cmu-h36m17-k100")
    assert STANDARD.joints == STANDARD.skeleton.joints


@pytest.mark.parametrize("name", pb.protocol_names())
def test_every_shipped_protocol_loads_under_its_own_name(name: str) -> None:
    protocol = pb.get_protocol(name)
    assert (protocol.name, len(protocol.sha256)) == (name, 64)
    assert all(pb.resolve(metric).key == metric for metric in protocol.metrics)


def test_the_standard_protocol_is_the_one_of_published_results() -> None:
    """A change of this hash makes every number that carries it incomparable: raise the version instead."""
    assert STANDARD.version == 1
    assert STANDARD.sha256.startswith("e45ac6c9bf5b")


def test_a_file_a_path_and_a_protocol_are_all_taken(tmp_path) -> None:
    path = save(tmp_path, WHOLE)
    assert pb.get_protocol(path) == pb.get_protocol(str(path))
    assert pb.get_protocol(STANDARD) is STANDARD
    assert pb.get_protocol(save(tmp_path, WHOLE, "mine.yml")).name == "mine"


# The hash


def test_the_hash_does_not_see_comments_layout_summary_or_source(tmp_path) -> None:
    plain = loaded(tmp_path, WHOLE).sha256
    assert loaded(tmp_path, "# a comment\n" + yaml.safe_dump(WHOLE, default_flow_style=True)).sha256 == plain
    assert loaded(tmp_path, yaml.safe_dump(WHOLE, sort_keys=True)).sha256 == plain
    assert loaded(tmp_path, with_changes(summary="Other words.", source="elsewhere")).sha256 == plain


@pytest.mark.parametrize(
    "same",
    [
        {"joints": list(STANDARD.joints)},
        {"metrics": ["mpjpe", "PCK3D@150.0"]},
        {"skeleton": "H36M-17"},
    ],
)
def test_the_hash_does_not_see_another_spelling_of_the_same(tmp_path, same: dict) -> None:
    assert loaded(tmp_path, with_changes(**same)).sha256 == loaded(tmp_path, WHOLE).sha256


CHANGES = [
    {"name": "yours"},
    {"version": 2},
    {"joints": ["pelvis", "RHip"]},
    {"joints": list(reversed(STANDARD.joints))},
    {"pred_root": None},
    {"gt_root": None},
    {"pred_root": "thorax"},
    {"pooling": "joint"},
    {"pooling": "action"},
    {"pooling": "sequence"},
    {"metrics": ["MPJPE"]},
    {"metrics": ["MPJPE", "PCK@100"]},
    {"metrics": ["MPJPE", "PCK@150(inclusive)"]},
    {"metrics": ["PCK@150", "MPJPE"]},
]


def test_the_hash_sees_every_change_of_the_definition(tmp_path) -> None:
    hashes = [loaded(tmp_path, with_changes(**change)).sha256 for change in [{}, *CHANGES]]
    assert len(set(hashes)) == len(hashes)


def test_a_result_records_the_whole_definition(tmp_path) -> None:
    recorded = loaded(tmp_path, WHOLE).to_dict()
    assert recorded["joints"] == list(STANDARD.joints)
    assert {"name", "version", "sha256", "selection", *WHOLE["definition"]} == set(recorded)


# Malformed files


@pytest.mark.parametrize("field", [*WHOLE, *WHOLE["definition"]])
def test_a_field_that_is_missing_is_named(tmp_path, field: str) -> None:
    data = with_changes()
    (data if field in data else data["definition"]).pop(field)
    with pytest.raises(pb.InputError, match=f"mine.yaml.*amiss: {field}"):
        loaded(tmp_path, data)


@pytest.mark.parametrize("where", ["file", "definition"])
def test_a_field_that_nobody_knows_is_named(tmp_path, where: str) -> None:
    data = with_changes()
    (data if where == "file" else data["definition"])["stride"] = 64
    with pytest.raises(pb.InputError, match=r"mine.yaml.*amiss: stride"):
        loaded(tmp_path, data)


MALFORMED = [
    ({"version": 0}, "version is 0"),
    ({"version": "1"}, "version is '1'"),
    ({"version": 1.5}, "version is 1.5"),
    ({"version": True}, "version is True"),
    ({"name": ""}, "name is ''"),
    ({"name": 7}, "name is 7"),
    ({"summary": None}, "summary is None"),
    ({"source": ["a"]}, "source is"),
    ({"definition": "standard"}, "definition: expected the fields"),
    ({"pooling": "mean"}, "pooling is 'mean', expected one of frame, joint, action, subject, sequence"),
    ({"pooling": ["frame"]}, "pooling is"),
    ({"skeleton": "coco18"}, "there is no skeleton 'coco18'"),
    ({"skeleton": None}, "there is no skeleton"),
    ({"joints": ["pelvis", "tail"]}, "no joint 'tail'"),
    ({"joints": []}, "expected a list of names"),
    ({"joints": "pelvis"}, "expected a list of names"),
    ({"joints": [0, 1]}, "expected a list of names"),
    ({"joints": ["pelvis", "RHip", "pelvis"]}, "stands twice"),
    ({"joints": {"pelvis": 1}}, "expected a list of names"),
    ({"pred_root": "tail"}, "no joint 'tail'"),
    ({"gt_root": ["pelvis"]}, "no joint"),
    ({"pred_root": ""}, "pred_root"),
    ({"pred_root": 0}, "pred_root"),
    ({"gt_root": False}, "gt_root"),
    ({"gt_root": []}, "gt_root"),
    ({"metrics": []}, "expected a list of names"),
    ({"metrics": "MPJPE"}, "expected a list of names"),
    ({"metrics": ["MPJPE", None]}, "expected a list of names"),
    ({"metrics": ["P1"]}, "'P1'"),
    ({"metrics": ["PCK@-5"]}, "PCK@-5"),
    ({"metrics": ["MPJPE", "mpjpe"]}, "stands twice"),
    ({"metrics": ["PCK", "PCK@150"]}, "stands twice"),
    ({"banks": ["a", "a"]}, "banks: a name stands twice"),
    ({"banks": None}, "expected a list of names, or []"),
]


@pytest.mark.parametrize(("change", "words"), MALFORMED, ids=lambda value: str(value)[:40])
def test_a_malformed_protocol_is_refused_with_its_file(tmp_path, change: dict, words: str) -> None:
    with pytest.raises(pb.InputError) as refused:
        loaded(tmp_path, with_changes(**change))
    assert "mine.yaml" in str(refused.value)
    assert words in str(refused.value)


TEXT = yaml.safe_dump(WHOLE)
BROKEN = {
    "empty": "",
    "a list": "- name: mine\n",
    "a number": "7\n",
    "two documents": f"{TEXT}---\n{TEXT}",
    "an open bracket": TEXT.replace("banks: []", "banks: ["),
    "a tab": TEXT.replace("  pooling", "\tpooling"),
    "an unknown alias": TEXT.replace("banks: []", "banks: *nobody"),
    "a python object": TEXT.replace("banks: []", "banks: !!python/object/apply:os.system ['touch pwned']"),
    "a python name": TEXT.replace("version: 1", "version: !!python/name:os.system"),
    "an unknown tag": TEXT.replace("version: 1", "version: !mine 1"),
    "no number where one is said to be": TEXT.replace("version: 1", "version: !!int abc"),
    "a day that does not exist": TEXT.replace("version: 1", "version: 2024-13-45"),
    "no time where one is said to be": TEXT.replace("version: 1", "version: !!timestamp soon"),
    "no truth where one is said to be": TEXT.replace("version: 1", "version: !!bool perhaps"),
    "an endless number": TEXT.replace("version: 1", "version: " + "1" * 5000),
    "a list as a key": TEXT.replace("version: 1", "? [version]\n: 1"),
    "brackets without end": "[" * 100_000,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_protocol_is_refused_in_one_line_with_its_file(tmp_path, monkeypatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pb.InputError) as refused:
        loaded(tmp_path, text)
    assert "mine.yaml" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "pwned").exists()


def test_a_field_given_twice_is_refused_instead_of_the_last_one_winning(tmp_path) -> None:
    with pytest.raises(pb.InputError, match=r"mine.yaml.*pooling"):
        loaded(tmp_path, TEXT.replace("  pooling: frame\n", "  pooling: frame\n  pooling: action\n"))


def test_bytes_that_are_no_text_are_refused(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(TEXT.encode() + b"# \xff\xfe\n")
    with pytest.raises(pb.InputError, match=r"mine.yaml: is not YAML"):
        pb.get_protocol(path)


def test_a_file_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(pb.InputError, match=r"nowhere.yaml: cannot be read: No such file"):
        pb.get_protocol(tmp_path / "nowhere.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(pb.InputError, match=r"folder.yaml: is no regular file"):
        pb.get_protocol(tmp_path / "folder.yaml")


@pytest.mark.parametrize("name", ["", "Standard", "standart", "../protocols/standard", "all", "P1"])
def test_an_unknown_name_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(pb.UsageError, match=r"there is no protocol .*; known are standard"):
        pb.get_protocol(name)
