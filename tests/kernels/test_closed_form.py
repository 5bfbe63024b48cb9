"""The compiled closed form against its plain SVD twin in `posebench.kernels.reference`, and the flags of a pose.

The metrics are compared with twins that know nothing of posebench in tests/metrics; here the two kernels are held
against each other, alignment by alignment and joint by joint.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core.dispatcher import Dispatcher

from posebench.banks import ClusterBank
from posebench.errors import UsageError
from posebench.kernels import (
    AMBIGUOUS_RATIO,
    Alignment,
    PoseFlag,
    aligned_errors,
    closed_form,
    limbs,
    map_chunks,
    nearest,
    reductions,
    reference,
    threads,
)
from posebench.metrics import pmpjpe
from posebench.poses import PoseSet
from posebench.scoring import score
from posebench.skeletons import H36M17
from tests.support import twins
from tests.support.compare import ROUNDING, sizes, uniqueness
from tests.support.poses import FEW, KINDS, MODERATE, Case, cases, make_case, masked, near_ambiguous, people, seeds

EVERY = list(Alignment)


def closed(case: Case, alignments=EVERY, **options):
    """The door, with the case's own mask, joints and root unless said otherwise."""
    joints = np.arange(case.gt.shape[1]) if case.joints is None else np.array(case.joints)
    settings = {"joints": joints, "pred_root": case.root, "gt_root": case.root, **options}
    return aligned_errors(case.pred, case.gt, case.valid, alignments, **settings)


def plain(case: Case, alignment: Alignment):
    """The SVD twin on the poses that are scorable, the only ones it takes. NaN and no flag elsewhere."""
    joints = np.arange(case.gt.shape[1]) if case.joints is None else np.array(case.joints)
    p, g = case.pred.astype(float), case.gt.astype(float)
    mask = np.ones(g.shape[:2], bool) if case.valid is None else case.valid
    # What is masked is not for the twin to see.
    p, g = np.where(mask[..., None], p, 0.0), np.where(mask[..., None], g, 0.0)
    field, flags = np.full((len(g), len(joints)), np.nan), np.zeros(len(g), np.uint16)
    rows = np.flatnonzero(scorable(case, alignment))
    if len(rows):
        p, g, mask = p[rows], g[rows], mask[rows]
        field[rows], flags[rows] = reference.aligned_errors(
            p[:, joints], g[:, joints], mask[:, joints], p[:, case.root], g[:, case.root], alignment
        )
    return field, flags


def scorable(case: Case, alignment: Alignment = Alignment.SIMILARITY) -> np.ndarray:
    """Poses with two valid joints apart; one joint alone will do where nothing is fitted about the mean."""
    about_mean = alignment is Alignment.SCALE_PROCRUSTES or alignment >= Alignment.SCALE_LEAST_SQUARES_MEAN
    found = []
    for i in range(len(case.gt)):
        _, g, options = case.pose(i)
        joints = range(len(g)) if options.get("joints") is None else options["joints"]
        count = sum(options.get("valid") is None or bool(options["valid"][j]) for j in joints)
        found.append(twins.size(g, **options) > 0 or (count == 1 and not about_mean))
    return np.array(found)


def assert_same_field(case: Case, alignment: Alignment) -> None:
    ours = closed(case, [alignment]).errors[0]
    twin, _ = plain(case, alignment)
    usable = scorable(case, alignment)
    if alignment.needs_root and case.valid is not None:
        usable &= case.valid[:, case.root]
    assert np.isnan(ours[~usable]).all()
    compared = usable.copy()
    if alignment.needs_rotation and alignment is not Alignment.SCALE_PROCRUSTES:
        reflect = alignment is Alignment.PROCRUSTES_NORM_RATIO_REFLECT
        extent = np.array([twins.size(case.pose(i)[0], **case.pose(i)[2]) for i in range(len(case.gt))])
        compared &= uniqueness(case, reflect=reflect) > AMBIGUOUS_RATIO
        compared &= extent > 0
    ours, twin = ours[compared], twin[compared]
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(twin))
    allowed = 1e-9 * np.abs(twin) + 1e-9 * sizes(case)[compared][:, None] + ROUNDING * case.reach
    off = np.where(np.isnan(ours), 0.0, np.abs(ours - twin))
    assert (off <= np.where(np.isnan(allowed), np.inf, allowed)).all(), f"{case}, {alignment.name}: off by {off.max()}"


@pytest.mark.parametrize("alignment", EVERY, ids=lambda a: a.name)
@pytest.mark.parametrize("kind", KINDS)
def test_every_alignment_of_every_kind_of_pose(kind, alignment):
    case = make_case(kind, n=17)
    assert_same_field(case, alignment)
    assert_same_field(masked(case, np.random.default_rng(0)), alignment)
    assert_same_field(replace(case, root=5, joints=(1, 9, 2, 16, 12)), alignment)


@pytest.mark.parametrize("alignment", EVERY, ids=lambda a: a.name)
@FEW
@given(case=cases())
def test_every_alignment_with_any_mask_subset_and_root(alignment, case):
    assert_same_field(case, alignment)


@MODERATE
@given(case=cases())
def test_one_pass_for_all_alignments_gives_what_one_pass_each_gives(case):
    together = closed(case, EVERY).errors
    close = {"rtol": 1e-9, "atol": 1e-9 * (sizes(case).max() + 1e-3 * case.reach)}
    for f, alignment in enumerate(EVERY):
        np.testing.assert_allclose(together[f], closed(case, [alignment]).errors[0], **close, err_msg=alignment.name)


@MODERATE
@given(case=cases(subsets=False), permutation=seeds)
def test_the_order_of_the_alignments_does_not_matter(case, permutation):
    order = np.random.default_rng(permutation).permutation(len(EVERY))
    shuffled = closed(case, [EVERY[f] for f in order]).errors
    np.testing.assert_array_equal(shuffled, closed(case, EVERY).errors[order])


@pytest.mark.parametrize("neighbour", ["gaussian", "near collinear", "mirrored round", "coincident"])
def test_a_pose_has_the_same_errors_whatever_stands_beside_it(neighbour):
    """To the last bit, or the shards of a set would not add up to the set."""
    case, other = make_case("human", n=8), make_case(neighbour, n=8)
    alone = replace(case, pred=case.pred[:1], gt=case.gt[:1])
    pred, gt = np.concatenate([case.pred[:1], other.pred]), np.concatenate([case.gt[:1], other.gt])
    together = replace(case, pred=pred, gt=gt)
    for alignment in EVERY:
        ours, expected = closed(together, [alignment]).errors[0, 0], closed(alone, [alignment]).errors[0, 0]
        np.testing.assert_array_equal(ours, expected, err_msg=alignment.name)


def test_the_certified_angle_holds_up_to_the_edge_of_ambiguity():
    for mirrored in (True, False):
        for exponent in np.linspace(-5.5, -0.5, 21):
            rng = np.random.default_rng(int(-1000 * exponent))
            case = Case("near ambiguous", *near_ambiguous(rng, 20, 17, 10.0**exponent, mirrored=mirrored))
            for alignment in (Alignment.SIMILARITY, Alignment.RIGID):
                assert_same_field(case, alignment)


# -------------------------------------------------------------------------------------------------------------- units


@pytest.mark.parametrize("alignment", EVERY, ids=lambda a: a.name)
def test_units_are_factors_to_millimetres(alignment):
    case = make_case("human", n=3)
    value = closed(case, [alignment]).errors
    in_metres = replace(case, pred=case.pred / 1000)
    np.testing.assert_allclose(closed(in_metres, [alignment], pred_unit=1000.0).errors, value, rtol=1e-9, atol=1e-9)
    in_metres = replace(case, gt=case.gt / 1000)
    np.testing.assert_allclose(closed(in_metres, [alignment], gt_unit=1000.0).errors, value, rtol=1e-9, atol=1e-9)


def test_units_reach_the_decomposition_too():
    case = make_case("collinear", n=3)
    value = closed(case, [Alignment.SIMILARITY, Alignment.RIGID]).errors
    in_metres = replace(case, pred=case.pred / 1000, gt=case.gt / 1000)
    found = closed(in_metres, [Alignment.SIMILARITY, Alignment.RIGID], pred_unit=1000.0, gt_unit=1000.0).errors
    # Which of the equally good rotations is taken may differ, how good it is may not.
    np.testing.assert_allclose((found**2).sum(2), (value**2).sum(2), rtol=1e-9)


# -------------------------------------------------------------------------------------------------------------- roots


def test_a_side_without_a_root_is_left_as_it_is():
    case = make_case("human", n=2)
    relative = case.gt - case.gt[:, :1]
    one_sided = closed(replace(case, gt=relative), [Alignment.ROOT], gt_root=None).errors
    np.testing.assert_allclose(one_sided, closed(case, [Alignment.ROOT]).errors, rtol=1e-9, atol=1e-9)


def test_each_side_may_have_a_root_of_its_own():
    case = make_case("human", n=2)
    found = closed(case, [Alignment.ROOT], pred_root=3, gt_root=5).errors[0]
    by_hand = (case.pred - case.pred[:, [3]]) - (case.gt - case.gt[:, [5]])
    np.testing.assert_allclose(found, np.linalg.norm(by_hand, axis=2), rtol=1e-12)


# -------------------------------------------------------------------------------------------------------------- flags


def flags_of(case: Case, alignments=EVERY, **options) -> list[PoseFlag]:
    return [PoseFlag(int(flag)) for flag in closed(case, alignments, **options).flags]


def test_an_ordinary_pose_earns_no_flag():
    assert flags_of(make_case("human", n=3)) == [PoseFlag(0)] * 3


def test_a_ground_truth_without_extent_is_unscorable_and_not_a_number():
    case = make_case("human", n=3)
    case.gt[1] = 7.0
    result = closed(case)
    assert [bool(flag & PoseFlag.UNSCORABLE) for flag in result.flags] == [False, True, False]
    assert np.isnan(result.errors[:, 1]).all() and np.isfinite(result.errors[:, [0, 2]]).all()


def test_a_ground_truth_without_a_valid_joint_is_unscorable():
    case = replace(make_case("human", n=2), valid=np.array([[True] * 17, [False] * 17]))
    result = closed(case)
    assert PoseFlag(int(result.flags[1])) & PoseFlag.UNSCORABLE
    assert np.isnan(result.errors[:, 1]).all()


def test_an_invalid_true_root_makes_the_rooted_alignments_unscorable_and_no_others():
    case = make_case("human", n=2)
    valid = np.ones((2, 17), bool)
    valid[1, 0] = False
    result = closed(replace(case, valid=valid))
    assert PoseFlag(int(result.flags[1])) == PoseFlag.ROOT_INVALID | PoseFlag.MASKED
    for f, alignment in enumerate(EVERY):
        assert np.isnan(result.errors[f, 1]).all() == alignment.needs_root
        assert np.isnan(result.errors[f, 1, 0])


def test_masked_joints_are_not_a_number_and_the_pose_says_so():
    valid = np.ones((2, 17), bool)
    valid[1, 4] = False
    result = closed(replace(make_case("human", n=2), valid=valid))
    np.testing.assert_array_equal(np.isnan(result.errors), np.broadcast_to(~valid, result.errors.shape))
    assert flags_of(replace(make_case("human", n=2), valid=valid)) == [PoseFlag(0), PoseFlag.MASKED]


def test_a_mask_on_joints_that_do_not_count_is_no_mask():
    valid = np.ones((2, 17), bool)
    valid[1, 4] = False
    case = replace(make_case("human", n=2), valid=valid, joints=(0, 1, 2, 3))
    assert flags_of(case) == [PoseFlag(0)] * 2


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_a_missing_joint_is_infinitely_wrong(hole):
    case = make_case("human", n=2)
    complete = closed(case).errors
    case.pred[1, 6, 2] = hole
    result = closed(case)
    assert [bool(flag & PoseFlag.MISSING) for flag in result.flags] == [False, True]
    for f, alignment in enumerate(EVERY):
        if alignment.fits_pose:  # a fit over fewer joints could flatter the rest
            assert np.isposinf(result.errors[f, 1]).all()
        else:
            assert np.isposinf(result.errors[f, 1, 6])
            others = np.arange(17) != 6
            np.testing.assert_allclose(result.errors[f, 1, others], complete[f, 1, others], rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(result.errors[f, 0], complete[f, 0])


def test_a_missing_root_is_infinitely_wrong_everywhere_it_is_taken_off():
    case = make_case("human", n=2)
    case.pred[1, 0] = np.nan
    result = closed(case)
    for f, alignment in enumerate(EVERY):
        everywhere = np.isposinf(result.errors[f, 1]).all()
        assert everywhere == (alignment is not Alignment.NONE)
        assert np.isposinf(result.errors[f, 1, 0])


def test_a_missing_joint_that_is_masked_is_not_missing():
    valid = np.ones((2, 17), bool)
    valid[1, 6] = False
    case = replace(make_case("human", n=2), valid=valid)
    complete = closed(case).errors
    case.pred[1, 6] = np.nan
    result = closed(case)
    np.testing.assert_array_equal(result.errors, complete)
    assert not (result.flags & int(PoseFlag.MISSING)).any()


def test_a_missing_joint_beside_a_masked_one():
    valid = np.ones((1, 17), bool)
    valid[0, 6] = False
    case = replace(make_case("human", n=1), valid=valid)
    case.pred[0, 9] = np.nan
    for f, alignment in enumerate(EVERY):
        row = closed(case).errors[f, 0]
        assert np.isnan(row[6]) and np.isposinf(row[9])
        assert np.isnan(row).sum() == 1
        assert np.isposinf(row).sum() == (16 if alignment.fits_pose else 1)


def test_a_ground_truth_that_is_not_finite_where_it_claims_to_be_is_flagged():
    case = make_case("human", n=3)
    case.gt[1, 4, 0] = np.nan
    flags = closed(case).flags
    assert [bool(flag & PoseFlag.BAD_GROUND_TRUTH) for flag in flags] == [False, True, False]


@pytest.mark.parametrize("place", [[0, 0, 0], [12.3, -45.6, 7.8e6]])
def test_a_prediction_without_extent_is_degenerate_and_finite(place):
    case = make_case("human", n=2)
    case.pred[1] = place
    result = closed(case)
    assert [bool(flag & PoseFlag.DEGENERATE) for flag in result.flags] == [False, True]
    assert np.isfinite(result.errors).all()
    f = EVERY.index(Alignment.SIMILARITY)
    spread = np.linalg.norm(case.gt[1] - case.gt[1].mean(0), axis=1)
    np.testing.assert_allclose(result.errors[f, 1], spread, rtol=1e-9)


def test_a_negative_scale_is_flagged():
    case = make_case("human", n=2)
    case.pred[1] = 2 * case.pred[1, 0] - case.gt[1]
    scales = [Alignment.SCALE_LEAST_SQUARES]
    assert [bool(f & PoseFlag.NEGATIVE_SCALE) for f in flags_of(case, scales)] == [False, True]
    positive = [Alignment.ROOT, Alignment.SCALE_NORM_RATIO, Alignment.SIMILARITY]
    assert not any(f & PoseFlag.NEGATIVE_SCALE for f in flags_of(case, positive))


@MODERATE
@given(case=cases(dtypes=("float64",)))
def test_the_negative_scale_is_that_of_the_twin(case):
    flags = closed(case, [Alignment.SCALE_LEAST_SQUARES]).flags
    usable = scorable(case) & (np.ones(len(case.gt), bool) if case.valid is None else case.valid[:, case.root])
    for i in np.flatnonzero(usable):
        p, g, options = case.pose(i)
        scale = twins.least_squares_scale(p, g, root=case.root, **options)
        if abs(scale) > 1e-12:
            assert bool(flags[i] & int(PoseFlag.NEGATIVE_SCALE)) == (scale < 0)


@pytest.mark.parametrize("kind", KINDS)
def test_ambiguous_is_what_the_singular_values_say(kind):
    for j in (4, 5, 17):
        case = make_case(kind, n=200, j=j)
        usable = scorable(case)
        ratio = uniqueness(case)
        extent = np.array([twins.size(p) for p in case.pred])
        flags = closed(case, [Alignment.SIMILARITY]).flags
        flagged = (flags & int(PoseFlag.AMBIGUOUS)) != 0
        clear = usable & (extent > 0) & (np.abs(np.log10(np.maximum(ratio, 1e-300) / AMBIGUOUS_RATIO)) > 0.1)
        np.testing.assert_array_equal(flagged[clear], (ratio <= AMBIGUOUS_RATIO)[clear])
        assert not (flags & int(PoseFlag.NEEDS_SVD)).any()
        assert not flagged[usable & (extent == 0)].any()


@pytest.mark.parametrize("ratio", [1e-9, 5e-7, 2e-6, 1e-4])
@pytest.mark.parametrize("mirrored", [True, False], ids=["mirrored", "needle"])
def test_ambiguity_begins_at_a_millionth(ratio, mirrored):
    case = Case("near ambiguous", *near_ambiguous(np.random.default_rng(0), 50, 17, ratio, mirrored=mirrored))
    for alignment in (Alignment.SIMILARITY, Alignment.RIGID, Alignment.PROCRUSTES_NORM_RATIO):
        flagged = (closed(case, [alignment]).flags & int(PoseFlag.AMBIGUOUS)) != 0
        assert (flagged == (ratio <= AMBIGUOUS_RATIO)).all()


def test_without_a_rotation_nothing_is_ambiguous():
    case = make_case("collinear", n=5)
    alignments = [a for a in EVERY if not a.needs_rotation]
    assert not (closed(case, alignments).flags & int(PoseFlag.AMBIGUOUS)).any()


@MODERATE
@given(case=cases(kinds=("collinear", "mirrored round", "whole numbers", "human", "coincident")))
def test_the_flags_of_the_door_are_those_of_the_plain_twin(case):
    usable = scorable(case) & (np.ones(len(case.gt), bool) if case.valid is None else case.valid[:, case.root])
    for alignment in (Alignment.SIMILARITY, Alignment.RIGID, Alignment.PROCRUSTES_NORM_RATIO):
        ours = closed(case, [alignment]).flags & int(PoseFlag.AMBIGUOUS)
        twin = plain(case, alignment)[1] & int(PoseFlag.AMBIGUOUS)
        np.testing.assert_array_equal(ours[usable], twin[usable])


def test_garbage_under_a_mask_makes_no_noise():
    """Masked infinities must not raise floating-point warnings on the way through the decomposition."""
    case = make_case("collinear", n=4)
    valid = np.ones((4, 17), bool)
    valid[:, [2, 5]] = False
    case.pred[:, 2] = case.gt[:, 2] = np.inf
    case.gt[:, 5] = np.nan
    with np.errstate(all="raise"):
        closed(replace(case, valid=valid))


def test_no_warning_where_the_decomposition_gets_a_pose_whose_root_is_masked():
    case = make_case("collinear", n=4)
    valid = np.ones((4, 17), bool)
    valid[:, 0] = False
    case.pred[:, 0] = case.gt[:, 0] = np.inf
    with np.errstate(all="raise"):
        result = closed(replace(case, valid=valid))
    for f, alignment in enumerate(EVERY):
        assert np.isnan(result.errors[f]).all() == alignment.needs_root


# ------------------------------------------------------------------------------------------------------------- chunks


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch):
    rng = np.random.default_rng(0)
    gt = np.tile(people(rng, 50), (400, 1, 1))
    pred = gt + rng.normal(0, 60, gt.shape)

    def total(rows):
        fields = aligned_errors(pred[rows], gt[rows], None, EVERY, joints=np.arange(17), pred_root=0, gt_root=0)
        return fields.errors.sum(axis=(1, 2)), fields.flags

    found = {}
    for count in ("1", "2", "5"):
        monkeypatch.setenv("POSEBENCH_THREADS", count)
        assert threads() == int(count)
        parts = list(map_chunks(total, len(gt)))
        found[count] = (np.sum([part[0] for part in parts], 0), np.concatenate([part[1] for part in parts]))
        found[count] += (pmpjpe(pred, gt), pmpjpe(pred, gt, reduce="none"))
    for count in ("2", "5"):
        for ours, theirs in zip(found["1"], found[count], strict=True):
            np.testing.assert_array_equal(ours, theirs)


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "axes in another order": lambda array: np.ascontiguousarray(array.T).T,
    "every second of a larger one": lambda array: np.repeat(array, 2, axis=0)[::2],
    "read-only": lambda array: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape),
    "not aligned": lambda array: (
        np.frombuffer(b"." + array.tobytes(), np.uint8)[1:].view(array.dtype).reshape(array.shape)
    ),
}


def kernels() -> dict[str, Dispatcher]:
    """Everything that is compiled when poses are scored."""
    modules = (closed_form, limbs, nearest, reductions)
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Dispatcher)
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_kernels_are_compiled_for_one_layout_of_memory(layout: str) -> None:
    case = masked(make_case("human", n=30), np.random.default_rng(0), 0.1, keep=(0,))
    bank = ClusterBank.build(make_case("human", n=30).gt, k=3, n_init=1)

    def everything(pred, gt, valid):
        errors = aligned_errors(pred, gt, valid, EVERY, joints=np.arange(17), pred_root=0, gt_root=0).errors
        truth = PoseSet(gt, valid=valid, skeleton=H36M17, unit="mm")
        report = score(PoseSet(pred, skeleton=H36M17, unit="mm"), truth, banks=[bank]).to_dict()
        return errors, report["metrics"]

    expected = everything(case.pred, case.gt, case.valid)
    before = {name: len(each.signatures) for name, each in kernels().items()}
    assert before["posebench.kernels.closed_form.aligned_errors"] > 0
    found = everything(*(LAYOUTS[layout](array) for array in (case.pred, case.gt, case.valid)))
    assert {name: len(each.signatures) for name, each in kernels().items()} == before
    np.testing.assert_array_equal(found[0], expected[0])
    assert found[1] == expected[1]


@MODERATE
@given(st.integers(0, 40), st.integers(1, 9))
def test_chunks_cover_every_row_once_and_in_order(n, chunk):
    slices = list(map_chunks(lambda rows: rows, n, chunk))
    assert [row for rows in slices for row in range(n)[rows]] == list(range(n))
    assert all(rows.stop - rows.start == chunk for rows in slices[:-1])


def test_an_error_in_one_chunk_comes_through(monkeypatch):
    def fail(rows):
        if rows.start == 4:
            raise KeyError("the fifth row")
        return rows

    for count in ("1", "2"):
        monkeypatch.setenv("POSEBENCH_THREADS", count)
        with pytest.raises(KeyError, match="fifth"):
            list(map_chunks(fail, 10, 2))


@pytest.mark.parametrize("count", ["0", "-1", "two", "", "1.5"])
def test_a_number_of_threads_that_is_none_is_refused(monkeypatch, count):
    monkeypatch.setenv("POSEBENCH_THREADS", count)
    with pytest.raises(UsageError, match="POSEBENCH_THREADS"):
        threads()


def test_two_joints_are_always_ambiguous_and_always_fit_exactly():
    # Rank one: the quartic's largest root is double, and a careless certificate would pass a wrong eigenvector.
    rng = np.random.default_rng(0)
    gt = rng.normal(0, 300, (5000, 2, 3)) + rng.normal(0, 1e5, (5000, 1, 3))
    pred = gt + rng.normal(0, 60, gt.shape)
    found = aligned_errors(pred, gt, None, [Alignment.SIMILARITY], joints=np.arange(2), pred_root=None, gt_root=None)
    assert ((found.flags & int(PoseFlag.AMBIGUOUS)) != 0).all()
    assert found.errors.max() < 1e-6
