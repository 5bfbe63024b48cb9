"""Keys out of the names of images: of every pose or of none."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.errors import InputError
from posebench.io.layouts.image_names import ACTIONS, image_keys, parse_image_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("S9_Directions_1.54138969_000001.jpg", ("h36m", "S9", "Directions", "Directions 1", "54138969", 0)),
        ("S9_Directions.54138969_000001.jpg", ("h36m", "S9", "Directions", "Directions", "54138969", 0)),
        (
            "a/S11/S11_SittingDown_2.60457274_012345.png",
            ("h36m", "S11", "SittingDown", "SittingDown 2", "60457274", 12344),
        ),
        (
            "C:\\h36m\\S1_WalkTogether 1.55011271_000006.JPG",
            ("h36m", "S1", "WalkTogether", "WalkTogether 1", "55011271", 5),
        ),
        ("S1_TakingPhoto_1.55011271_000006.jpeg", ("h36m", "S1", "Photo", "Photo 1", "55011271", 5)),
        ("S1_WalkingDog.55011271_000006.jpg", ("h36m", "S1", "WalkDog", "WalkDog", "55011271", 5)),
        ("s_09_act_02_subact_01_ca_03_000065.jpg", ("h36m", "S9", "Directions", "Directions subact 1", "3", 64)),
        ("s_11_act_16_subact_02_ca_04_000001.jpg", ("h36m", "S11", "WalkTogether", "WalkTogether subact 2", "4", 0)),
        ("S3_Seq2_Cam8_000101.jpg", ("3dhp", "S3", "", "Seq2", "Cam8", 100)),
        ("images/TS6_000492.jpg", ("3dhp", "TS6", "", "", "", 491)),
    ],
)
def test_known_names_are_parsed(name, expected):
    parsed = parse_image_name(name)
    assert (parsed.dataset, parsed.subject, parsed.action, parsed.sequence, parsed.camera, parsed.frame) == expected


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "000001.jpg", "S9_Directions_1.54138969.mp4", "S9_Directions_1.54138969_000001.jpg.txt"),
        *("S9_Directions_1_54138969_000001.jpg", "xS9_Directions_1.54138969_000001.jpg", "S9_.54138969_000001.jpg"),
        *(
            "s_09_act_01_subact_01_ca_01_000001.jpg",
            "s_09_act_17_subact_01_ca_01_000001.jpg",
            "TS1_.jpg",
            "TSX_000001.jpg",
        ),
        *("S9_Directions_1.54138969_" + "9" * 40 + ".jpg", "S٩_Directions_1.54138969_000001.jpg", "S" * 10**6),
    ],
)
def test_other_names_say_nothing(name):
    assert parse_image_name(name) is None


def test_the_numbers_of_actions_begin_at_two():
    names = [f"s_01_act_{number:02d}_subact_01_ca_01_000001.jpg" for number in range(2, 17)]
    assert [parse_image_name(name).action for name in names] == list(ACTIONS)


@pytest.mark.parametrize("kind", [list, np.array, lambda names: [name.encode() for name in names]])
def test_all_keys_come_in_columns(kind):
    keys = image_keys(kind(["S9_Eating.54138969_000001.jpg", "S11_Eating_1.54138969_000003.jpg"]), "a.npz")
    assert {name: getattr(column, "values", column).tolist() for name, column in keys.columns.items()} == {
        "subject": ["S9", "S11"],
        "action": ["Eating", "Eating"],
        "sequence": ["Eating", "Eating 1"],
        "camera": ["54138969"] * 2,
        "frame": [0, 2],
    }
    assert (keys.dataset, keys.skeleton, keys.note) == ("h36m", "h36m17", None)


@pytest.mark.parametrize(
    ("names", "note"),
    [
        (["TS1_000001.jpg", "frame 2.jpg"], "a.npz: no keys, for the image name 'frame 2.jpg' says no subject"),
        (["TS1_000001.jpg", "S9_Eating.54138969_000001.jpg"], "spelt in two ways"),
        (["TS1_000001.jpg", "S1_Seq1_Cam0_000001.jpg"], "spelt in two ways"),
        ([b"\xff\n.jpg"], "'\\\\xff"),
    ],
)
def test_where_one_name_says_nothing_no_pose_has_keys(names, note):
    keys = image_keys(names, "a.npz")
    assert (keys.columns, keys.dataset) == ({}, None)
    assert note in keys.note
    assert "\n" not in keys.note


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(InputError, match=r"a\.npz: the image name of pose 1 is null, expected text"):
        image_keys(["TS1_000001.jpg", None], "a.npz")


def test_no_names_are_no_keys():
    assert image_keys([], "a.npz").columns == {}
