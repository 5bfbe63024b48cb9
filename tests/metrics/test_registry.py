"""The registry: every metric has its facts, every spelling leads to one canonical key."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.errors import UsageError
from posebench.kernels import Alignment
from posebench.metrics import MetricSpec, families, resolve
from posebench.metrics.evaluate import evaluate
from posebench.metrics.registry import FieldKind, Needs
from tests.support.poses import make_case
from tests.support.twins import SCALES, VARIANTS

#: Every family and variant, canonical.
CANONICAL = (
    "MPJPE", "MPJPE(align=none)", "MPJPE(axis=x)", "MPJPE(axis=y)", "MPJPE(axis=z)",
    "NMPJPE", *(f"NMPJPE(scale={s})" for s in SCALES[1:]),
    "PMPJPE", *(f"PMPJPE(variant={v})" for v in VARIANTS[1:]),
    "WorstJoint", "WorstJoint(align=none)", "MRPE",
    "PCK@150", "PCK@50", "PCK@0.5", "PCK@150(inclusive)", "PCK@150(align=none)", "PCK@150(align=none,inclusive)",
    "NPCK@150", "NPCK@150(inclusive)", *(f"NPCK@150(scale={s})" for s in SCALES[1:]),
    "NPCK@100(scale=procrustes,inclusive)",
    "AUC(0:150:5)", "AUC(0:195:5)", "AUC(continuous=150)", "NAUC(0:150:5)", "NAUC(continuous=100)",
    "CPS", "CPS(align=root)",
    "BoneLength", "BoneSpread", "Symmetry", "JointAngle",
    "MPJVE", "MPJVE(per=frame)", "MPJAE", "MPJAE(per=frame)",
)  # fmt: skip
ACROSS_FRAMES = ("MPJVE", "MPJAE", "BoneSpread")


@pytest.mark.parametrize("key", CANONICAL)
def test_a_canonical_key_resolves_to_itself(key):
    metric = resolve(key)
    assert metric.key == key == str(metric)
    assert resolve(metric) is metric or resolve(metric) == metric
    assert resolve(MetricSpec.parse(key)) == metric
    assert str(MetricSpec.parse(key)) == key


def test_every_family_is_listed_here():
    listed = {resolve(key).family.name for key in CANONICAL}
    assert {name for name in families() if not name.startswith("PSS")} == listed


@pytest.mark.parametrize(
    ("spelling", "key"),
    [
        ("N-MPJPE", "NMPJPE"),
        ("n_mpjpe", "NMPJPE"),
        ("PA-MPJPE", "PMPJPE"),
        ("pa-mpjpe", "PMPJPE"),
        ("PAMPJPE", "PMPJPE"),
        ("P-MPJPE", "PMPJPE"),
        ("mpjpe", "MPJPE"),
        ("PCK", "PCK@150"),
        ("pck@100", "PCK@100"),
        ("3DPCK", None),
        ("PCK3D", "PCK@150"),
        ("N-PCK@100", "NPCK@100"),
        ("AUC", "AUC(0:150:5)"),
        ("AUC(0.0:150.0:5.0)", "AUC(0:150:5)"),
        ("AUC(continuous=150.0)", "AUC(continuous=150)"),
        ("N-AUC", "NAUC(0:150:5)"),
        ("MaxJPE", "WorstJoint"),
        ("NMPJPE(scale=least_squares)", "NMPJPE"),
        ("PMPJPE(variant=similarity)", "PMPJPE"),
        ("PA-MPJPE(variant=rigid)", "PMPJPE(variant=rigid)"),
        ("MPJPE(align=root)", "MPJPE"),
        ("CPS(align=procrustes)", "CPS"),
        ("PCK@150(inclusive,align=none)", "PCK@150(align=none,inclusive)"),
        ("PCK@150(align=root)", "PCK@150"),
        ("MPJVE(per=second)", "MPJVE"),
        ("VelocityError", "MPJVE"),
        ("AccelerationError(per=frame)", "MPJAE(per=frame)"),
        ("RootError", "MRPE"),
    ],
)
def test_other_spellings_lead_to_the_canonical_one(spelling, key):
    if key is None:  # a name may not start with a digit; the alias is there for the search alone
        with pytest.raises(UsageError):
            resolve(spelling)
        return
    assert resolve(spelling).key == key


@pytest.mark.parametrize("name", ["P1", "P2", "p1", "P-1", "Protocol1", "protocol-2", "Protocol_2"])
def test_a_bare_protocol_number_is_refused_because_it_means_several_things(name):
    with pytest.raises(UsageError, match="MPJPE or PMPJPE"):
        resolve(name)


def test_accel_is_refused_because_it_is_printed_in_two_units():
    with pytest.raises(UsageError, match=r"per=frame"):
        resolve("Accel")


def test_an_unknown_metric_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="PMPJPE"):
        resolve("MPJPEE")


@pytest.mark.parametrize(
    "spelling",
    ["MPJPE@150", "MPJPE(foo)", "MPJPE(axis=w)", "MPJPE(align=mean)", "MPJPE(0:150:5)", "NMPJPE(scale=x)",
     "NMPJPE(variant=rigid)", "PMPJPE(variant=x)", "PMPJPE(scale=rigid)", "PCK@0", "PCK(150)", "PCK@150(exclusive)",
     "PCK@150(inclusive=yes)", "PCK@1e999", "AUC@150", "AUC(0:150:7)", "AUC(5)", "AUC(continuous)", "AUC(continuous=0)",
     "AUC(continuous=-5)", "AUC(continuous=nan)", "AUC(continuous=150,0:150:5)", "CPS(align=none)", "CPS@300",
     "BoneLength(x)", "MPJVE(per=hour)", "MRPE(root=0)", "MPJPE(axis=x,align=none)"],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_refused(spelling):
    with pytest.raises(UsageError):
        resolve(spelling)


@pytest.mark.parametrize("key", CANONICAL)
def test_every_metric_states_its_facts(key):
    metric = resolve(key)
    family = metric.family
    assert family.meaning and family.source
    assert metric.unit in ("mm", "%", "deg", "mm/s", "mm/s^2", "mm/frame", "mm/frame^2")
    assert family.range[0] == 0
    assert metric.is_distance != family.higher_is_better or family.name == "CPS"


@pytest.mark.parametrize("key", [k for k in CANONICAL if not k.startswith(ACROSS_FRAMES)])
def test_values_lie_in_the_stated_range_and_are_best_when_perfect(key):
    case = make_case("human", n=3)
    metric = resolve(key)
    value = evaluate(key, case.pred, case.gt, 0, None, None, "mean")
    low, high = metric.family.range
    assert low <= value and (high is None or value <= high)
    if key == "Symmetry":  # looks at the prediction alone
        return
    perfect = evaluate(key, case.gt, case.gt, 0, None, None, "mean")
    if metric.unit == "%":  # a share may be full without being perfect
        assert perfect >= value
    else:
        assert perfect > value if metric.family.higher_is_better else perfect < value


@pytest.mark.parametrize("key", ["NMPJPE", "PMPJPE", "NPCK@150", "CPS", "NAUC(0:150:5)", "JointAngle"])
def test_what_fits_a_scale_does_not_need_one(key):
    assert Needs.METRIC_SCALE not in resolve(key).needs


@pytest.mark.parametrize(
    "key",
    ["MPJPE", "PCK@150", "AUC(0:150:5)", "MRPE", "WorstJoint", "PMPJPE(variant=rigid)", "CPS(align=root)", "MPJVE",
     "MPJAE(per=frame)", "BoneLength", "BoneSpread"],
)  # fmt: skip
def test_what_measures_in_millimetres_does(key):
    assert Needs.METRIC_SCALE in resolve(key).needs


def test_only_rates_need_the_frame_rate():
    wanting = {key for key in CANONICAL if Needs.FPS in resolve(key).needs}
    assert wanting == {"MPJVE", "MPJAE"}
    assert all(Needs.SEQUENCES in resolve(key).needs for key in CANONICAL if key.startswith(("MPJVE", "MPJAE")))


@pytest.mark.parametrize("key", ["MPJPE(align=none)", "WorstJoint(align=none)", "PCK@150(align=none)", "MRPE"])
def test_what_is_not_centred_needs_absolute_coordinates(key):
    assert Needs.ABSOLUTE_PRED | Needs.ABSOLUTE_GT in resolve(key).needs
    assert Needs.SAME_REFERENCE in resolve(key).needs


def test_the_absolute_scale_takes_its_root_from_the_ground_truth_alone():
    needs = resolve("NMPJPE(scale=least_squares_absolute)").needs
    assert Needs.ABSOLUTE_GT in needs and Needs.ABSOLUTE_PRED not in needs
    assert not (Needs.ABSOLUTE_PRED | Needs.ABSOLUTE_GT) & resolve("MPJPE").needs


def test_a_rotation_that_is_fitted_makes_the_reference_free():
    assert Needs.SAME_REFERENCE not in resolve("PMPJPE").needs
    assert Needs.SAME_REFERENCE in resolve("MPJPE").needs
    assert Needs.SAME_REFERENCE in resolve("NMPJPE").needs


def test_every_alignment_is_reached_by_some_metric():
    reached = {resolve(key).alignment for key in CANONICAL if resolve(key).field is FieldKind.JOINTS}
    assert reached == set(Alignment)


def test_thresholds_reach_the_reduction():
    assert resolve("PCK@72.5").reduction.thresholds == (72.5,)
    assert resolve("AUC").reduction.thresholds == tuple(np.arange(0, 151, 5.0))


@pytest.mark.parametrize(
    ("spelling", "key", "message"),
    [
        ("pss@50", "PSS@50", None),
        ("PSS@50(bank=mine)", "PSS@50(bank=mine)", None),
        ("pss-top2@100", "PSS-top2@100", None),
        ("PSScanonical@50", "PSS-canonical@50", None),
        ("PSS", None, "say how many clusters, as in PSS@50"),
        ("PSS@50.5", None, "a whole number from 2"),
        ("PSS@1", None, "a whole number from 2"),
        ("PSS@50(k=3)", None, "'k' is not understood; PSS takes bank=NAME"),
        ("PSS-hard@50", None, "there is no metric"),
    ],
)
def test_the_pose_structure_score_says_how_many_clusters(spelling, key, message):
    if key is not None:
        assert resolve(spelling).key == key
        return
    with pytest.raises(UsageError, match=message):
        resolve(spelling)
