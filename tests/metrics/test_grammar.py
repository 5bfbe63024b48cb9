"""The spelling of metrics: one parser, one printer, and nothing understood that was not meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.errors import UsageError
from posebench.metrics import MetricSpec
from posebench.metrics.grammar import number, threshold_range
from tests.support.poses import MODERATE

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,9}", fullmatch=True)
positive = st.floats(1e-3, 1e6) | st.integers(1, 10**6).map(float)
words = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
ranges = st.tuples(st.integers(0, 9), st.integers(10, 99), st.integers(1, 9)).map(lambda t: ("", "{}:{}:{}".format(*t)))
arguments = st.lists(
    st.tuples(words, words | positive.map(number)) | words.map(lambda word: (word, "")) | ranges,
    max_size=3,
    unique_by=lambda pair: pair[0],
).map(tuple)
specs = st.builds(MetricSpec, names, st.none() | positive, arguments)


@MODERATE
@given(specs)
def test_what_is_printed_parses_back_to_the_same(spec):
    assert MetricSpec.parse(str(spec)) == spec


@MODERATE
@given(specs)
def test_printing_is_canonical(spec):
    assert str(MetricSpec.parse(str(spec))) == str(spec)


@MODERATE
@given(st.text(max_size=30))
def test_any_text_parses_or_is_refused(text):
    try:
        spec = MetricSpec.parse(text)
    except UsageError:
        return
    assert MetricSpec.parse(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("MPJPE", "MPJPE"),
        ("PCK@150", "PCK@150"),
        ("PCK@150.0", "PCK@150"),
        ("PCK@1.5e2", "PCK@150"),
        ("PCK@.5", "PCK@0.5"),
        (" PCK @ 100 ( inclusive ) ", "PCK@100(inclusive)"),
        ("AUC(0:150:5)", "AUC(0:150:5)"),
        ("AUC( 0 : 150 : 5 )", "AUC(0:150:5)"),
        ("NMPJPE(scale=procrustes)", "NMPJPE(scale=procrustes)"),
        ("NMPJPE( scale = procrustes )", "NMPJPE(scale=procrustes)"),
        ("PCK@150(align=none,inclusive)", "PCK@150(align=none,inclusive)"),
        ("MPJPE()", "MPJPE"),
    ],
)
def test_spacing_and_numbers_are_normalised(text, canonical):
    assert str(MetricSpec.parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    ["", " ", "@150", "150", "PCK@", "PCK@-5", "PCK@abc", "PCK@150@200", "PCK(", "PCK)", "PCK(a", "PCK(a))", "PCK((a))",
     "PCK(a)(b)", "PCK(a=)", "PCK(=a)", "PCK(=)", "PCK(a,a)", "PCK(a=1,a=2)", "PCK 150", "PCK@1 50", "PCK@150 x",
     "MP JPE", "PCK@nan", "PCK@inf", "PCK(a)@150", "MPJPE;", "MPJPE,PCK", "_MPJPE", "-MPJPE"],
)  # fmt: skip
def test_malformed_spellings_are_refused(text):
    with pytest.raises(UsageError):
        MetricSpec.parse(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(150.0, "150"), (0.5, "0.5"), (0.1 + 0.2, "0.30000000000000004"), (1e6, "1000000"), (1e22, "1e+22")],
)
def test_numbers_are_never_rounded(value, text):
    assert number(value) == text and float(text) == value


@MODERATE
@given(st.floats(0, 1e300))
def test_a_number_reads_back_exactly(value):
    assert float(number(value)) == value


def test_the_31_and_the_40_thresholds():
    assert threshold_range("0:150:5") == tuple(float(t) for t in range(0, 151, 5))
    assert threshold_range("0:195:5") == tuple(float(t) for t in range(0, 196, 5))


def test_a_range_may_be_a_single_threshold_or_have_a_fractional_step():
    assert threshold_range("50:50:5") == (50,)
    assert threshold_range("0:1:0.1") == pytest.approx([k / 10 for k in range(11)])


@pytest.mark.parametrize(
    "text", ["", "5", "0:150", "0:150:5:1", "0:150:0", "0:150:-5", "150:0:5", "-5:150:5", "0:150:7", "a:b:c", "0:inf:5",
             "nan:150:5", "0:nan:5", "0:150:nan", "0:150:inf", "0:1e9:1e-9", "::", "0::5", "0:1e308:1e-308"],
)  # fmt: skip
def test_ranges_that_lead_nowhere_are_refused(text):
    with pytest.raises(UsageError):
        threshold_range(text)
