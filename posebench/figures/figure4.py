"""Figure 4: a right pose, one of changed structure and one with noise, at the same MPJPE; and PSS of many such pairs.

MPJPE cannot tell the two kinds of error apart: it is the same by construction; what the Pose Structure Score makes
of them is measured on as many poses as asked for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from posebench import __version__
from posebench.errors import InputError, UsageError
from posebench.figures import Say, silent
from posebench.figures.bootstrap import FEWEST, RESAMPLES, Interval, interval_over_sequences
from posebench.figures.material import Material, pick, sequence_codes
from posebench.figures.pairs import LARGEST_ANGLE, Changes, Pairs
from posebench.poses import PoseSet
from posebench.report.content import NOTHING, SHORT_HASH, Cell, Column, Content, Table, clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from posebench.banks import ClusterBank
    from posebench.skeletons import Skeleton

Floats = npt.NDArray[np.float64]

#: MPJPEs of the table, in mm.
LEVELS = (20.0, 35.0, 50.0, 75.0, 100.0)
#: MPJPEs of the rows that are drawn: those of the paper's three rows (34.01 and 35.35, 52.94 and 53.03, 54.78 and 53.04
#: mm for structure and noise), each as one number.
DRAWN = (35.0, 53.0, 54.0)
PAIRS = 2000
MOST_PAIRS = 100_000
SCHEMA = "posebench.figure4/1"
#: Endings of the files that the table is written to.
TABLE_ENDINGS = (".md", ".csv", ".json")
#: The viewer stands a little aside and above, so that depth shows.
_AZIMUTH, _ELEVATION = 30.0, 10.0
_CSV_COLUMNS = ("bank", "k", "bank_sha256", "mpjpe_mm", "pairs", "quantity", "value", "unit", "ci95_low", "ci95_high")


@dataclass(frozen=True)
class Estimate:
    """A mean over pairs, and its 95 % interval over sequences where there are enough."""

    value: float
    ci95: Interval | None


@dataclass(frozen=True)
class Score:
    """PSS of the two kinds of wrong pose in one bank, in percent, and of their difference: noise less structure.

    `only_noise` and `only_structure` are the shares of pairs of which PSS holds just the one wrong pose for right.
    """

    bank: str
    structure: Estimate
    noise: Estimate
    difference: Estimate
    only_noise: float
    only_structure: float


@dataclass(frozen=True)
class Level:
    """The pairs at one MPJPE: how they came out, and what PSS says of them in each bank."""

    mpjpe: float
    pairs: int
    #: Poses no limb of which, as drawn, reaches so far.
    left_out: int
    #: Means of `posebench.mpjpe`, in mm, and the largest difference within a pair.
    mpjpe_structure: float
    mpjpe_noise: float
    largest_difference: float
    #: Means: degrees that limbs were turned by, mm of the noise's standard deviation.
    angle: float
    sigma: float
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Row:
    """A reference (J, 3) and its two wrong versions, in mm, and what was done to it."""

    name: str
    mpjpe: float
    reference: Floats
    structural: Floats
    noisy: Floats
    mpjpe_structure: float
    mpjpe_noise: float
    joint: str
    angle: float
    sigma: float
    #: For each bank, whether PSS holds the changed structure for right, and the noise.
    held: tuple[tuple[bool, bool], ...]


@dataclass(frozen=True)
class Figure4:
    """All that figure 4 and its table show."""

    source: str
    notes: tuple[str, ...]
    poses: int
    seed: int
    skeleton: Skeleton
    reference: str
    banks: tuple[ClusterBank, ...]
    levels: tuple[Level, ...]
    #: The levels of the rows, and the rows.
    drawn: tuple[Level, ...]
    rows: tuple[Row, ...]


def measure(
    gt: PoseSet,
    banks: Sequence[ClusterBank],
    *,
    pairs: int = PAIRS,
    levels: Sequence[float] = LEVELS,
    drawn: Sequence[float] = DRAWN,
    seed: int = 0,
    say: Say = silent,
) -> Figure4:
    """Make pairs of wrong poses at equal MPJPE and score them with PSS.

    Parameters
    ----------
    gt : PoseSet
        Poses of a known skeleton, in mm and in the banks' reference (of a camera, for canonical banks).
    banks : sequence of ClusterBank
        The rows are chosen by the first.
    pairs : int
        Most reference poses, taken evenly.
    levels, drawn : sequence of float
        MPJPEs in mm, of the table and of the rows.
    seed : int
        Of limbs, axes and noise, and of the intervals.
    say : callable
        Told of work that takes seconds.

    Returns
    -------
    Figure4

    Raises
    ------
    UsageError
        If a number is out of range.
    InputError
        If the poses have no scale, no limbs, or are not what a bank takes; if no pose allows a level.

    Examples
    --------
    >>> from posebench.banks import ClusterBank
    >>> gt = PoseSet(np.random.default_rng(0).normal(size=(50, 17, 3)) * 300, skeleton="h36m17", unit="mm")
    >>> found = measure(gt.replace(reference="camera"), [ClusterBank.build(gt.poses, k=5)], levels=[40.0])
    >>> found.levels[0].pairs, round(found.levels[0].mpjpe_structure, 6), round(found.levels[0].mpjpe_noise, 6)
    (50, 40.0, 40.0)
    """
    _check(banks, pairs, (*levels, *drawn), seed)
    if gt.unit not in ("mm", None):
        raise InputError(f"{gt.source}: its unit is {gt.unit}, expected mm, in which MPJPE is measured here")
    levels, drawn = tuple(dict.fromkeys(levels)), tuple(dict.fromkeys(drawn))
    material = pick(gt, pairs)
    changes = Changes(material.poses.poses, material.skeleton, seed)
    say(f"scoring {len(material.poses)} pairs at {len({*levels, *drawn})} MPJPEs")
    scored = {level: _score(material, changes.at(level), banks, seed) for level in dict.fromkeys(levels + drawn)}
    return Figure4(
        source=material.words,
        notes=tuple(dict.fromkeys((*gt.notes, *(note for bank in banks for note in _fit_notes(material, bank))))),
        poses=len(material.poses),
        seed=seed,
        skeleton=material.skeleton,
        reference=gt.reference,
        banks=tuple(banks),
        levels=tuple(scored[level].level for level in levels),
        drawn=tuple(scored[level].level for level in drawn),
        rows=_rows(material, [scored[level] for level in drawn]),
    )


def draw(found: Figure4, *, up: str | None = None) -> Figure:
    """The rows as a figure: reference, changed structure, noise.

    Parameters
    ----------
    found : Figure4
    up : {"-y", "y", "z", "-z"}, optional
        The axis that points up; by default that of the poses' reference.

    Raises
    ------
    UsageError
        If there is no such axis, or no row.
    """
    from posebench.drawing import Grid, page, view_of

    if not found.rows:
        raise UsageError("figure 4 has no row to draw: give an MPJPE for one")
    view = view_of(found.reference, up, azimuth=_AZIMUTH, elevation=_ELEVATION)
    poses, titles = [], []
    for row in found.rows:
        for pose, title in (
            (row.reference, f"reference\n{row.name}\n"),
            (
                row.structural,
                f"{row.joint} turned by {row.angle:.0f}°\nMPJPE {row.mpjpe_structure:.2f} mm\n{_held(found, row, 0)}",
            ),
            (
                row.noisy,
                f"Gaussian noise, σ = {row.sigma:.1f} mm\nMPJPE {row.mpjpe_noise:.2f} mm\n{_held(found, row, 1)}",
            ),
        ):
            poses.append(pose)
            titles.append(title)
    first = found.banks[0]
    shares = "\n".join(
        f"at {level.mpjpe:g} mm so are {level.scores[0].only_noise:.1f} % of {level.pairs} pairs, "
        f"the other way round {level.scores[0].only_structure:.1f} %"
        for level in found.drawn
    )
    heading = (
        f"Equal MPJPE, another structure\nshown: pairs of which PSS@{first.k} holds only the noise for right;\n{shares}"
    )
    return page(Grid(np.stack(poses), found.skeleton, titles, columns=3, cell=1.9, view=view), heading=heading)


def _held(found: Figure4, row: Row, which: int) -> str:
    """PSS of one pose in each bank."""
    return ", ".join(
        f"PSS@{bank.k}: {100 if held[which] else 0}" for bank, held in zip(found.banks, row.held, strict=True)
    )


# ----------------------------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True)
class _Scored:
    """Pairs with their PSS (n,) in each bank, in percent."""

    pairs: Pairs
    structure: tuple[Floats, ...]
    noise: tuple[Floats, ...]
    mpjpe: tuple[Floats, Floats]
    level: Level


def _check(banks: Sequence[ClusterBank], pairs: int, levels: Sequence[float], seed: int) -> None:
    if not banks:
        raise UsageError("figure 4 needs a bank or more")
    if len({bank.name for bank in banks}) < len(banks):
        raise UsageError(f"a bank stands twice among {', '.join(bank.name for bank in banks)}")
    if not 1 <= pairs <= MOST_PAIRS:
        raise UsageError(f"the number of pairs is {pairs}, expected one from 1 to {MOST_PAIRS}")
    if seed < 0:
        raise UsageError(f"the seed is {seed}, expected one from 0")
    for level in levels:
        if not (math.isfinite(level) and level > 0):
            raise UsageError(f"an MPJPE is {level:g} mm, expected a positive number")


def _fit_notes(material: Material, bank: ClusterBank) -> tuple[str, ...]:
    """What a bank assumes or converts of the poses."""
    return bank.layout.fit(material.poses[:0].replace(reference=bank.layout.reference)).notes


def _score(material: Material, pairs: Pairs, banks: Sequence[ClusterBank], seed: int) -> _Scored:
    from posebench.metrics import mpjpe, pss

    if not len(pairs.rows):
        raise InputError(
            f"{material.poses.source}: no pose gets to an MPJPE of {pairs.level:g} mm by one limb that turns by at "
            f"most {np.degrees(LARGEST_ANGLE):.0f} degrees; ask for a smaller one"
        )
    gt = _centred(material, pairs)
    structural, noisy = (gt.replace(poses=poses, source="pred") for poses in (pairs.structural, pairs.noisy))
    root = material.skeleton.root
    distances = tuple(
        np.asarray(mpjpe(side.poses, gt.poses, root=root, reduce="none"), np.float64) for side in (structural, noisy)
    )
    scores = [
        tuple(np.asarray(pss(side, gt, bank, reduce="none"), np.float64) for bank in banks)
        for side in (structural, noisy)
    ]
    sequences = sequence_codes(gt)

    def estimate(values: Floats) -> Estimate:
        return Estimate(float(values.mean()), interval_over_sequences(values, sequences, seed))

    level = Level(
        mpjpe=pairs.level,
        pairs=len(pairs.rows),
        left_out=len(material.poses) - len(pairs.rows),
        mpjpe_structure=float(distances[0].mean()),
        mpjpe_noise=float(distances[1].mean()),
        largest_difference=float(np.abs(distances[0] - distances[1]).max()),
        angle=float(np.degrees(pairs.angles).mean()),
        sigma=float(pairs.sigmas.mean()),
        scores=tuple(
            Score(
                bank.name,
                estimate(s),
                estimate(n),
                estimate(n - s),
                only_noise=float(100 * (n > s).mean()),
                only_structure=float(100 * (s > n).mean()),
            )
            for bank, s, n in zip(banks, *scores, strict=True)
        ),
    )
    return _Scored(pairs, scores[0], scores[1], (distances[0], distances[1]), level)


def _centred(material: Material, pairs: Pairs) -> PoseSet:
    """The references of pairs, relative to their roots."""
    gt = material.poses[pairs.rows]
    return gt.replace(poses=gt.poses - gt.poses[:, [material.skeleton.root]], origin="root", root_depth=None)


def _rows(material: Material, scored: Sequence[_Scored]) -> tuple[Row, ...]:
    """One pair of each level: of those that the first bank tells apart, the first with a limb that is not shown yet.

    It is looked for from another place each time. If no pair is told apart, it is the first.
    """
    rows, shown = [], set[str]()
    joints = material.skeleton.joints
    for number, level in enumerate(scored):
        pairs, n = level.pairs, len(level.pairs.rows)
        in_turn = (np.arange(n) + number * n // len(scored)) % n
        told = in_turn[(level.noise[0] > level.structure[0])[in_turn]].tolist() or in_turn.tolist()
        chosen = next((i for i in told if joints[pairs.joints[i]][1:] not in shown), told[0])
        joint = joints[pairs.joints[chosen]]
        shown.add(joint[1:])
        reference = _centred(material, pairs).poses[chosen]
        rows.append(
            Row(
                name=_name(material.poses, int(pairs.rows[chosen])),
                mpjpe=pairs.level,
                reference=reference,
                structural=pairs.structural[chosen],
                noisy=pairs.noisy[chosen],
                mpjpe_structure=float(level.mpjpe[0][chosen]),
                mpjpe_noise=float(level.mpjpe[1][chosen]),
                joint=joint,
                angle=float(np.degrees(pairs.angles[chosen])),
                sigma=float(pairs.sigmas[chosen]),
                held=tuple(
                    (bool(s[chosen]), bool(n[chosen])) for s, n in zip(level.structure, level.noise, strict=True)
                ),
            )
        )
    return tuple(rows)


def _name(poses: PoseSet, row: int) -> str:
    """What the file calls a pose, in a few words."""
    words = [
        clean(column.names[column.codes[row]], 24) for column in (poses.sequence, poses.camera) if column is not None
    ]
    if poses.frame is not None:
        words.insert(1 if poses.sequence is not None else 0, f"frame {poses.frame[row]}")
    return ", ".join(words) or f"pose {row}"


# ----------------------------------------------------------------------------------------------------------- the table


def table(found: Figure4) -> Content:
    """What was measured, for people: one table for each bank, and one that says how the pairs came out."""
    facts = [
        f"pairs made of {clean(found.source, None)}, seed {found.seed}",
        *(
            f"bank {clean(bank.name)}, k = {bank.k}, sha256 {bank.sha256[:SHORT_HASH]}"
            + (f", split: {clean(bank.card.split)}" if bank.card.split else "")
            for bank in found.banks
        ),
    ]
    tables = [_bank_table(found, number) for number in range(len(found.banks))]
    notes = [
        "structure: one hip, knee, shoulder or elbow turned about an axis at random, bones keep their lengths; noise: "
        "Gaussian in every coordinate; both brought to the MPJPE of the row pose by pose",
        f"PSS of the wrong poses, 100 if all have the nearest centre of their reference; in brackets 95 % intervals "
        f"from {RESAMPLES} bootstrap samples of the sequences (none below {FEWEST} sequences)",
    ]
    return Content(
        tuple(facts), (*tables, _pair_table(found)), (*notes, *(clean(note, None) for note in found.notes)), ()
    )


def _bank_table(found: Figure4, number: int) -> Table:
    bank = found.banks[number]
    return Table(
        (
            Column("MPJPE", "mm"),
            Column("pairs"),
            Column("structure", "PSS, %"),
            Column("noise", "PSS, %"),
            Column("noise - structure", "points"),
        ),
        tuple(
            (
                Cell(f"{level.mpjpe:g}"),
                Cell(str(level.pairs)),
                *(
                    Cell(_estimate(each))
                    for score in (level.scores[number],)
                    for each in (score.structure, score.noise, score.difference)
                ),
            )
            for level in found.levels
        ),
        f"PSS@{bank.k} in {clean(bank.name)}",
    )


def _pair_table(found: Figure4) -> Table:
    return Table(
        (
            Column("MPJPE", "mm"),
            Column("structure", "MPJPE, mm"),
            Column("noise", "MPJPE, mm"),
            Column("differ by", "at most, mm"),
            Column("turned by", "mean, degrees"),
            Column("sigma", "mean, mm"),
            Column("left out"),
        ),
        tuple(
            (
                Cell(f"{level.mpjpe:g}"),
                Cell(f"{level.mpjpe_structure:.2f}"),
                Cell(f"{level.mpjpe_noise:.2f}"),
                Cell(f"{level.largest_difference:.4f}"),
                Cell(f"{level.angle:.1f}"),
                Cell(f"{level.sigma:.1f}"),
                Cell(str(level.left_out)),
            )
            for level in found.levels
        ),
        "the pairs",
    )


def _estimate(estimate: Estimate) -> str:
    if estimate.ci95 is None:
        return f"{estimate.value:z.1f} [{NOTHING}]"
    low, high = estimate.ci95
    return f"{estimate.value:z.1f} [{low:z.1f}, {high:z.1f}]"


def table_kind(path: str | Path) -> str:
    """The ending of a file for the table.

    Raises
    ------
    UsageError
        If no table can be written with it.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in TABLE_ENDINGS:
        what = f"ending {suffix!r}" if suffix else "no ending"
        raise UsageError(f"{path}: a table cannot be written with {what}; known endings are {', '.join(TABLE_ENDINGS)}")
    return suffix


def table_text(found: Figure4, suffix: str) -> str:
    """The table as .md, .csv or .json; the numbers of the last two are whole."""
    if suffix == ".md":
        from posebench.report.markdown import markdown_of

        return markdown_of(table(found))
    if suffix == ".csv":
        from posebench.report.data import table_text as csv_text

        content = table(found)
        lines = [*content.facts, *content.notes]
        return csv_text(lines, _CSV_COLUMNS, [row for level in found.levels for row in _csv_rows(found, level)])
    return json.dumps(to_dict(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _csv_rows(found: Figure4, level: Level) -> list[list[str | float | bool | None]]:
    rows: list[list[str | float | bool | None]] = []
    for bank, score in zip(found.banks, level.scores, strict=True):
        for name, estimate in (
            ("PSS of structure", score.structure),
            ("PSS of noise", score.noise),
            ("noise - structure", score.difference),
        ):
            low, high = estimate.ci95 or (None, None)
            rows.append(
                [clean(bank.name), bank.k, bank.sha256, level.mpjpe, level.pairs, name, estimate.value, "%", low, high]
            )
    return rows


def to_dict(found: Figure4) -> dict[str, Any]:
    """All numbers of the figure and its table as JSON holds them."""
    rows = []
    for row in found.rows:
        facts = {name: value for name, value in vars(row).items() if not isinstance(value, np.ndarray)}
        poses = {name: getattr(row, name).tolist() for name in ("reference", "structural", "noisy")}
        held = [
            {"bank": bank.name, "structure": structure, "noise": noise}
            for bank, (structure, noise) in zip(found.banks, row.held, strict=True)
        ]
        rows.append({**facts, "held": held, **poses})
    return {
        "schema": SCHEMA,
        "poses": {"source": found.source, "picked": found.poses, "notes": list(found.notes)},
        "seed": found.seed,
        "banks": [{"name": bank.name, "k": bank.k, "sha256": bank.sha256} for bank in found.banks],
        "levels": [asdict(level) for level in found.levels],
        "drawn": [asdict(level) for level in found.drawn],
        "rows": rows,
        "environment": {"posebench": __version__, "numpy": np.__version__},
    }


__all__ = [
    "DRAWN",
    "LEVELS",
    "PAIRS",
    "Estimate",
    "Figure4",
    "Level",
    "Row",
    "Score",
    "draw",
    "measure",
    "table",
    "table_kind",
    "table_text",
    "to_dict",
]
