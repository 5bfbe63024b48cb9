"""Action classes: descriptions of CMU and names of HDM05, sorted by hand here."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from posebench import UsageError
from posebench.datasets import ACTION_CLASSES, action_class
from posebench.datasets.actions import named

SORTED = {
    # CMU, the clips of subjects 01 to 09
    "playground - forward jumps, turn around": "playground",
    "playground - climb, sit, dangle legs, jump down": "playground",
    "walk": "walk",
    "run/jog": "run",
    "jump, balance": "jump",
    "punch/strike": "fight",
    "bend over, scoop up, rise, lift arm": "reach",
    "swordplay": "fight",
    "wash self": "everyday",
    "walk on uneven terrain": "walk",
    "dance - cartwheel-like start, pirouettes, jete": "dance",
    "basketball - low, fast free style dribble, dribble through legs": "sport",
    "slow walk/stride": "walk",
    "navigate - walk forward, backward, sideways": "walk",
    # CMU, others
    "sit on high stool, stand up": "sit",
    "climb, step over, sit on, jump over stepstool": "climb",
    "walk forward stepping up stairs": "climb",
    "Run Jump Over": "jump",
    "JumpTurn": "jump",
    "SexyWalk": "walk",
    "basketball signals": "gesture",
    "direct traffic, wave, point": "gesture",
    "walk up to object, squat, pick up object, set down in another place": "reach",
    "jumping jacks, side twists, reach up, bend over": "exercise",
    "RangeOfMotion": "exercise",
    "soccer - kick ball": "sport",
    "jump kick": "fight",
    "Walk With Arms Out, balancing": "balance",
    "sweep floor": "everyday",
    "prairie dog (human subject)": "other",
    "dragon (human subject)": "other",
    "clean": "other",
    "": "other",
    # HDM05
    "depositFloorR": "reach",
    "elbowToKnee1RepsLelbowStart": "exercise",
    "grabHighR": "reach",
    "hopBothLegs1hops": "jump",
    "jogLeftCircle4StepsRstart": "run",
    "kickLFront1Reps": "fight",
    "lieDownFloor": "sit",
    "rotateArmsBothBackward1Reps": "exercise",
    "sneak2StepsLStart": "walk",
    "squat1Reps": "exercise",
    "throwBasketball": "sport",
    # HDM05, actions of the whole database
    "cartwheelLHandStart1Reps": "sport",
    "clapHandsAboveHead5Reps": "gesture",
    "jumpingJack3Reps": "exercise",
    "sitDownChair": "sit",
    "staircaseUp3Rstart": "climb",
    "runOnPlaceStartAir2StepsLStart": "run",
    "walk4StepsLstart": "walk",
    "punchRFront1Reps": "fight",
    "skier1RepsLstart": "sport",
}


@pytest.mark.parametrize(("description", "expected"), SORTED.items(), ids=SORTED)
def test_a_description_has_the_class_that_people_would_give_it(description: str, expected: str) -> None:
    assert action_class(description) == expected


def test_every_class_occurs() -> None:
    assert set(SORTED.values()) == set(ACTION_CLASSES)


def test_letter_case_and_separators_do_not_matter() -> None:
    assert action_class("SIT DOWN") == action_class("sit_down") == action_class("sitDown") == action_class("sit,down")


def test_keywords_are_whole_words() -> None:
    assert action_class("transit") == "other"  # no sit
    assert action_class("trunk") == "other"  # no run
    assert action_class("trombone leg") == "other"  # not one leg


def test_an_unknown_naming_is_refused() -> None:
    assert (named("slow walk", "description"), named("slow walk", "class")) == ("slow walk", "walk")
    with pytest.raises(UsageError, match="actions is 'both', expected one of description, class"):
        named("slow walk", "both")


@pytest.mark.mocap
def test_every_clip_of_the_index_with_walk_in_its_description_has_a_class(mocap_root: Path) -> None:
    with (mocap_root / "cmu-mocap" / "motions.csv").open(encoding="utf-8", newline="") as file:
        descriptions = [row["description"] for row in csv.DictReader(file)]
    assert len(descriptions) > 2000
    assert "other" not in {action_class(text) for text in descriptions if "walk" in text.lower().split()}
