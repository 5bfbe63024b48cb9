"""Measure how often 95 % intervals hold the true mean, where frames of a sequence are alike: docs/statistics.md.

    python docs/make_coverage.py             # some minutes
    python docs/make_coverage.py --rejected  # methods that are not used

Frames are an AR(1) series around the mean of their sequence; sequences differ in their means and lengths. What is
simulated is drawn anew in every run, what is true is known. Beside the interval of posebench stand the percentile
bootstrap over sequences as it is, and the interval that takes all frames for independent.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from posebench.statistics import ClusterSums, draws, intervals, totals_of

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

#: Correlation of neighbouring frames, and the standard deviation of frames around their sequence's mean.
CORRELATION, WITHIN = 0.95, 15.0
FRAMES = 300
ACTIONS = 15


@dataclass(frozen=True)
class Case:
    """What is simulated: how means of sequences are spread, and how lengths are."""

    name: str
    means: Literal["normal", "skewed", "longer is harder", "shares"] = "normal"
    #: Standard deviation of the logarithm of a sequence's length.
    lengths: float = 0.6
    #: Whether the mean is one over actions that differ.
    actions: bool = False
    #: For shares: standard deviation of the logarithm of what sequences fall short of 100 % by.
    short: float = 0.5


CASES = (
    Case("normal"),
    Case("skewed", "skewed"),
    Case("longer sequences are harder", "longer is harder"),
    Case("lengths differ tenfold and more", lengths=1.1),
    Case("shares near 100 %", "shares"),
    Case("mean over 15 actions", actions=True),
)
#: What no method holds with few sequences: some of the sequences that matter are rare.
RARE = Case("shares, with rare sequences far below", "shares", short=0.9)
SIZES = (8, 12, 20, 60, 240)
SIZES_BY_ACTION = (30, 60, 240)
KINDS = ("posebench", "percentile", "frames")
Method = Callable[[Floats, npt.NDArray[np.int64], npt.NDArray[np.int64], int], dict[str, Interval | None]]


def simulate(case: Case, sequences: int, rng: np.random.Generator) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Values per frame and the sequence of each."""
    stretch = case.lengths * rng.standard_normal(sequences)
    lengths = np.maximum(np.round(FRAMES * np.exp(stretch)), 20).astype(np.int64)
    deviation = rng.standard_normal(sequences)
    within = WITHIN
    if case.means == "skewed":
        means = 45 * np.exp(0.35 * deviation)
    elif case.means == "longer is harder":
        means = 60 + 10 * deviation + 8 * stretch
    elif case.means == "shares":
        means, within = 100 - 3 * np.exp(case.short * deviation), 1.0
    else:
        means = 60 + 12 * deviation
    if case.actions:
        means = means + action_effects(sequences)
    noise = within * autoregressive(sequences, int(lengths.max()), rng)
    held = np.arange(noise.shape[1]) < lengths[:, None]
    return (means[:, None] + noise)[held], np.repeat(np.arange(sequences), lengths)


def autoregressive(series: int, length: int, rng: np.random.Generator) -> Floats:
    """Series (series, length) of variance 1 whose neighbours correlate."""
    from scipy.signal import lfilter

    steps = rng.standard_normal((series, length)) * np.sqrt(1 - CORRELATION**2)
    steps[:, 0] /= np.sqrt(1 - CORRELATION**2)
    filtered: Floats = lfilter([1.0], [1.0, -CORRELATION], steps, axis=1)
    return filtered


def action_effects(sequences: int) -> Floats:
    """How much harder the action of each sequence is than the mean action."""
    return np.linspace(-25, 25, ACTIONS)[np.arange(sequences) % ACTIONS]


def truth(case: Case) -> float:
    """The mean that the intervals should hold."""
    if case.means == "skewed":
        return float(45 * np.exp(0.35**2 / 2))
    if case.means == "longer is harder":
        # E[length * stretch] / E[length] of a lognormal length is the variance of its logarithm.
        return 60 + 8 * case.lengths**2
    return 60.0 if case.means != "shares" else float(100 - 3 * np.exp(case.short**2 / 2))


def three_intervals(
    values: Floats, sequence: npt.NDArray[np.int64], action: npt.NDArray[np.int64], resamples: int
) -> dict[str, Interval | None]:
    """The interval of posebench, the percentile bootstrap over sequences, and the one of independent frames."""
    totals, counts = totals_of(values, sequence, action, np.ones(len(values)))
    number = ClusterSums.of_means(totals, counts)
    flat = number.sums.reshape(len(totals), -1)
    drawn = np.concatenate([w @ flat for w in draws(len(totals), resamples, 0)])
    low, high = np.nanquantile(number.values(drawn.reshape(-1, *number.sums.shape[1:])), [0.025, 0.975]).tolist()
    each = [values[action == code] for code in range(counts.shape[1])]
    mean = float(np.mean([of.mean() for of in each if len(of)]))
    error = float(
        np.sqrt(np.sum([of.var(ddof=1) / len(of) for of in each if len(of)])) / sum(map(bool, map(len, each)))
    )
    found = intervals([number], resamples=resamples)[0], (low, high), (mean - 1.96 * error, mean + 1.96 * error)
    return dict(zip(KINDS, found, strict=True))


def rejected_intervals(
    values: Floats, sequence: npt.NDArray[np.int64], action: npt.NDArray[np.int64], resamples: int
) -> dict[str, Interval | None]:
    """Intervals of a mean by methods that cover less, beside that of posebench.

    t with the linearised variance and the number of sequences; BCa (Efron 1987); the bootstrap of t (Davison and
    Hinkley, 2.4).
    """
    from scipy import stats

    found = three_intervals(values, sequence, action, resamples)
    (total, count), n = (of[:, 0] for of in totals_of(values, sequence, action, np.ones(len(values)))), sequence[-1] + 1
    mean = total.sum() / count.sum()
    error = np.sqrt(n / (n - 1) * ((total - mean * count) ** 2).sum()) / count.sum()
    reach = stats.t.ppf(0.975, n - 1) * error
    weights = np.concatenate(list(draws(n, resamples, 0)))
    drawn, size = weights @ total / (weights @ count), weights @ count
    squares = weights @ total**2 - 2 * drawn * (weights @ (total * count)) + drawn**2 * (weights @ count**2)
    errors = np.sqrt(np.maximum(n / (n - 1) * squares, 0)) / size
    low, high = np.quantile((drawn - mean) / np.where(errors > 0, errors, np.inf), [0.025, 0.975])
    without = (total.sum() - total) / (count.sum() - count)
    skew = without.mean() - without
    bend = (skew**3).sum() / (6 * (skew**2).sum() ** 1.5)
    middle = stats.norm.ppf(np.clip((drawn < mean).mean(), 1e-4, 1 - 1e-4))
    shift = middle + stats.norm.ppf([0.025, 0.975])
    bca = np.quantile(drawn, stats.norm.cdf(middle + shift / (1 - bend * shift))).tolist()
    return {
        "posebench": found["posebench"],
        "t": (mean - reach, mean + reach),
        "BCa": (bca[0], bca[1]),
        "bootstrap of t": (mean - high * error, mean - low * error),
    }


def coverage(
    case: Case,
    sequences: int,
    runs: int,
    resamples: int = 10_000,
    seed: int = 0,
    method: Method = three_intervals,
) -> dict[str, float]:
    """Per cent of intervals that hold the true mean, by kind, where there is one; its length over that of frames."""
    rng = np.random.default_rng([seed, sequences, (*CASES, RARE).index(case)])
    true = truth(case)
    held: Counter[str] = Counter()
    length: Counter[str] = Counter()
    action = np.arange(sequences) % ACTIONS if case.actions else np.zeros(sequences, np.int64)
    given = 0
    for _ in range(runs):
        values, sequence = simulate(case, sequences, rng)
        found = method(values, sequence, action[sequence], resamples)
        if found["posebench"] is None:
            continue
        given += 1
        for kind, interval in found.items():
            assert interval is not None
            held[kind] += interval[0] <= true <= interval[1]
            length[kind] += interval[1] - interval[0]
    shares = {kind: 100 * count / max(given, 1) for kind, count in held.items()}
    return {**shares, "longer": length["posebench"] / max(length["frames"], 1e-9)}


def table(runs: int) -> Iterator[str]:
    """The lines of the table of docs/statistics.md."""
    yield "| means of sequences | sequences | posebench | percentile bootstrap | independent frames | length, times |"
    yield "|---|--:|--:|--:|--:|--:|"
    for case in (*CASES, RARE):
        for size in SIZES_BY_ACTION if case.actions else SIZES:
            found = coverage(case, size, runs)
            shares = " | ".join(f"{found[kind]:.1f}" for kind in KINDS)
            yield f"| {case.name} | {size} | {shares} | {found['longer']:.1f} |"


def table_of_rejected(runs: int) -> Iterator[str]:
    """The lines of its second table."""
    kinds = ("posebench", "t", "BCa", "bootstrap of t")
    yield f"| means of sequences | sequences | {' | '.join(kinds)} |"
    yield "|---|--:|--:|--:|--:|--:|"
    for case in CASES:
        for size in () if case.actions else (10, 20):
            found = coverage(case, size, runs, method=rejected_intervals)
            yield f"| {case.name} | {size} | {' | '.join(f'{found[kind]:.1f}' for kind in kinds)} |"


def main() -> None:
    """Print a table line by line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--rejected", action="store_true")
    arguments = parser.parse_args()
    for line in (table_of_rejected if arguments.rejected else table)(arguments.runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
