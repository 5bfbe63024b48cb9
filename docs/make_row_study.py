"""How the rows of the model zoo compare: measures it from their results, and puts the tables into docs/models.md.

    python docs/make_row_study.py          # exit code 1 if the page shows anything else than what was saved
    python docs/make_row_study.py --write  # put in what was saved
    python docs/make_row_study.py --results RESULTS --work RUNS --data OPEN4V --write  # measure again, put in

RESULTS, RUNS and OPEN4V are those of `posebench zoo row`: results with the values of each frame beside them
(`*.frames.npz`), which docs/results does not keep, and predictions. What is measured is saved as row_study.json beside
this file. The tables stand between `<!-- rows -->` and `<!-- end: rows -->`.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import posebench as pb
from posebench.banks import find_bank
from posebench.matching import match

DOCS = Path(__file__).resolve().parent
SAVED, PAGE = DOCS / "row_study.json", DOCS / "models.md"
BLOCK = re.compile(r"(<!-- rows -->\n).*?(<!-- end: rows -->\n)", re.DOTALL)
FAMILY = "open4v-small-lite0"
#: In the order of the table: ending of a row's name -> what it is.
ROWS: Mapping[str, str] = {
    "fs": "fully supervised",
    "gt": "labels from true joints in 2D, R and t known",
    "ss-rt": "self-supervised, R and t known",
    "ss": "self-supervised, R and t estimated",
    "ss-ru": "the same with its refinement unit",
    "ss-ru-gt": "with a refinement unit that uses 3D",
    "ss-target2d": "2D branch trained on the same pictures",
    "fs-one": "fully supervised by one subject",
}
#: Which row is held against which.
PAIRS = (
    ("gt", "fs"),
    ("ss-rt", "fs"),
    ("ss-rt", "gt"),
    ("ss", "ss-rt"),
    ("ss-ru", "ss"),
    ("ss-ru-gt", "ss-ru"),
    ("ss-target2d", "ss"),
    ("fs-one", "fs"),
)
#: Test and wild pictures.
PROTOCOLS = {"test": "open4v", "wild": "open4v-wild"}
METRICS = ("PMPJPE", "MPJPE", "PSS@50", "PSS@100")
#: Of the tables: column, split, metric, unit.
SHOWN = (
    ("PMPJPE", "test", "PMPJPE", " mm"),
    ("MPJPE", "test", "MPJPE", " mm"),
    ("PSS@50", "test", "PSS@50", " %"),
    ("PSS@100", "test", "PSS@100", " %"),
    ("PMPJPE, wild", "wild", "PMPJPE", " mm"),
    ("PSS@50, wild", "wild", "PSS@50", " %"),
)
#: What is looked at more closely: predictions of a row, and how far a second centre is in multiples of the nearest.
SECOND_OF, BANK, NEARLY = "ss", "open4v-k50", 1.25
#: Where `gt` keeps its labels.
BRANCH, TRUE_LABELS = f"{FAMILY}-2d", "train-truth-known-labels.npz"
Numbers = dict[str, dict[str, Any]]


def main() -> None:
    """Measure if asked, then compare or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    if asked.results is not None:
        if asked.work is None or asked.data is None:
            parser.error("--results wants --work and --data")
        found = measure(asked.results)
        found |= {
            "second": measure_second(asked.data, asked.work),
            "same": measure_labels(asked.data, asked.work / BRANCH / TRUE_LABELS),
        }
        SAVED.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    before = PAGE.read_text("utf-8")
    after = made(before, json.loads(SAVED.read_text("utf-8")))
    if asked.write:
        PAGE.write_text(after, "utf-8")
    elif after != before:
        raise SystemExit(f"{PAGE.name}: not what was saved; put it in with --write")


def measure(results: Path) -> Numbers:
    """Values of all rows that are there, and differences of pairs, for each split."""
    return {split: _measured(results, protocol) for split, protocol in PROTOCOLS.items()}


def _measured(results: Path, protocol: str) -> dict[str, Any]:
    found = {
        row: sorted(map(str, (results / f"{FAMILY}-{row}").glob(f"{protocol}-seed*.json")), key=_seed) for row in ROWS
    }
    compared = pb.compare({row: paths for row, paths in found.items() if paths}, metrics=METRICS)
    rows: Numbers = {row: {} for row in compared.models}
    for name, metric in compared.metrics.items():
        for row, value in metric.models.items():
            rows[row][name] = {"seeds": value.seeds, "value": value.value, "sd": value.seed_sd, "ci95": value.ci95}
    pairs = []
    for a, b in PAIRS:
        if a in rows and b in rows:
            pairs.append({"row": a, "against": b} | {name: _difference(compared, name, a, b) for name in METRICS})
    return {"sequences": compared.sequences, "frames": compared.frames, "rows": rows, "pairs": pairs}


def measure_second(data: Path, work: Path) -> dict[str, Any]:
    """How many test poses are nearly as near to a second centre, and how many wrong ones are put with it."""
    truth = pb.read(data / "labels" / "test.npz")
    pred = pb.read(work / f"{FAMILY}-{SECOND_OF}-seed0" / "test.npz")
    rows = match(pred, truth).pred_rows
    bank = find_bank(BANK)
    two, squared = bank.two_nearest(truth)
    found = bank.assign(pred if rows is None else pred[rows])
    wrong = found != two[:, 0]
    return {
        "near": float((squared[:, 1] < NEARLY**2 * squared[:, 0]).mean()),
        "wrong": float(wrong.mean()),
        "second": float((found == two[:, 1])[wrong].mean()),
    }


def measure_labels(data: Path, labels: Path) -> dict[str, Any]:
    """How far labels by geometry from true joints in 2D lie from those out of poses in 3D, and how many there are."""
    from model_zoo.epipolarpose.label_files import read_labels
    from model_zoo.epipolarpose.supervision import supervised_labels
    from posebench.datasets.views import MultiViewSet

    made = read_labels(labels)
    true = supervised_labels(MultiViewSet(data, "train"))
    place = np.full(int(true.pictures.max()) + 1, -1)
    place[true.pictures[:, 0]] = np.arange(len(true.pictures))
    at = place[made.pictures]
    gap = np.abs(made.joints - np.where((at >= 0)[..., None, None], true.joints[at, 0], np.nan))
    return {"px": float(np.nanmax(gap)), "joints": int(made.known.sum()), "of": made.known.size}


def _seed(path: str) -> int:
    return int(path.removesuffix(".json").rpartition("seed")[2])


def _difference(compared: pb.Comparison, metric: str, row: str, against: str) -> dict[str, Any]:
    """Of `row` from `against`; a comparison has each pair once, the later minus the earlier."""
    for pair in compared.metrics[metric].pairs:
        if {pair.a, pair.b} == {row, against}:
            sign = 1 if pair.b == row else -1
            ends = None if pair.ci95 is None else sorted(sign * end for end in pair.ci95)
            return {"difference": sign * pair.difference, "ci95": ends}
    raise KeyError((row, against))


def made(text: str, saved: Numbers) -> str:
    """The page with its tables made anew."""
    body = f"\n{values(saved)}\n\n{differences(saved)}\n\n{same(saved['same'])}\n\n{second(saved['second'])}\n\n"
    return BLOCK.sub(lambda found: found[1] + body + found[2], text)


def values(saved: Numbers) -> str:
    """The table of rows."""
    lines = [_line(["row", "what it is", "seeds", *(name for name, *_ in SHOWN)]), _line(["---"] * (3 + len(SHOWN)))]
    for row, what in ROWS.items():
        if row in saved["test"]["rows"]:
            first = saved["test"]["rows"][row]["PMPJPE"]
            cells = [_value(saved[split]["rows"][row][metric], unit) for _, split, metric, unit in SHOWN]
            lines.append(_line([f"`{row}`", what, str(len(first["seeds"])), *cells]))
    return "\n".join(lines)


def differences(saved: Numbers) -> str:
    """The table of pairs."""
    lines = [_line(["change", *(name for name, *_ in SHOWN)]), _line(["---"] * (1 + len(SHOWN)))]
    for number, pair in enumerate(saved["test"]["pairs"]):
        cells = [_change(saved[split]["pairs"][number][metric], unit) for _, split, metric, unit in SHOWN]
        lines.append(_line([f"`{pair['row']}` from `{pair['against']}`", *cells]))
    return "\n".join(lines)


def second(found: Mapping[str, float]) -> str:
    """The sentence on second centres."""
    return (
        f"Of the test poses, {100 * found['near']:.0f} % are less than {NEARLY} times as far from a second centre of\n"
        f"`{BANK}` as from the nearest; and of the {100 * found['wrong']:.0f} % of the poses of `{SECOND_OF}` (seed 0) "
        f"that PSS@50\nfinds wrong, {100 * found['second']:.0f} % are put with the second."
    )


def same(found: Mapping[str, float]) -> str:
    """The sentence on labels that are the same."""
    return (
        f"The labels of `gt` lie at most {found['px']:.0e} px from those of `fs` and leave out "
        f"{found['of'] - found['joints']:,.0f}\nof {found['of']:,.0f} joints of its pairs, which lie deeper than a box."
    )


def _value(found: Mapping[str, Any], unit: str) -> str:
    spread = "" if found["sd"] is None else f" ± {found['sd']:.1f}"
    return f"{found['value']:.1f}{spread}{unit}{_ends(found['ci95'], '')}"


def _change(found: Mapping[str, Any], unit: str) -> str:
    return f"{found['difference']:+.1f}{unit}{_ends(found['ci95'], '+')}"


def _ends(ends: Sequence[float] | None, sign: str) -> str:
    return "" if ends is None else f" [{ends[0]:{sign}.1f}, {ends[1]:{sign}.1f}]"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
