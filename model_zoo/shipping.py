"""From runs to a model that comes with posebench: weights in half precision, measured as users get them, and a card.

    python -m model_zoo.shipping --row open4v-small-lite0-ss-ru --seed 0 --data OPEN4V --work RUNS [--footage FOOTAGE]

takes the network and the refinement unit of a row (`model_zoo.rows`), rounds them to float16, predicts the test splits
with `posebench zoo predict` and nothing but the pictures, and scores that. So a card's numbers hold for the file beside
it and for boxes that the model finds itself; a row's are of float32 and boxes of the 2D branch.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from model_zoo.card import Measured, ModelCard, TrainingData, WeightsFile, write_card
from model_zoo.epipolarpose.network import MODEL, load_network, save_network
from model_zoo.refiner.network import load_refiner, save_refiner
from model_zoo.registry import FOLDER
from model_zoo.rows import Row, facts, get_row
from model_zoo.weights import read_weights
from posebench.errors import InputError
from posebench.io.atomic import atomic_write
from posebench.io.hashing import sha256_of

PAPER = "Kocabas, Karagoz, Akbas, Self-Supervised Learning of 3D Human Pose using Multi-view Geometry, CVPR 2019"
#: The split of the footage.
FOOTAGE = "real"
LICENCE = "CC BY-SA 3.0"
#: What a wheel can carry, in bytes, weights and unit together.
MOST = 12_000_000
#: In the card, of those that the protocol measures.
TOLD = ("MPJPE", "NMPJPE", "PMPJPE", "PCK@150", "PSS@50", "PSS@100")


def main() -> None:
    """Ship a row."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--row", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, required=True, help="Open4V, as the row has it")
    parser.add_argument("--work", type=Path, required=True, help="folder of runs")
    parser.add_argument("--results", type=Path, default=Path("docs/results"))
    parser.add_argument("--footage", type=Path, help="of `posebench data prepare pose2sim`, to be scored as well")
    parser.add_argument("--name", help="of the model; by default that of the configuration")
    asked = parser.parse_args()
    row = get_row(asked.row)
    name = asked.name or row.config
    card = weights_of(row, asked.seed, asked.work, name)
    path = write_card(card, FOLDER)
    found: list[Measured] = []
    for split, protocol in row.family.scored.items():
        result = asked.results / f"shipped-{name}" / f"{protocol}-seed{asked.seed}.json"
        score(path, asked.data, split, protocol, asked.work, result)
        found += measured(json.loads(result.read_text("utf-8")), row.family.data, split)
    write_card(replace(card, measured=tuple(found)), FOLDER)
    write_run(asked.results / f"shipped-{name}", row, asked.seed, name, row.family.data, "{open4v}", row.family.scored)
    if asked.footage is not None:
        folder = asked.results / f"pose2sim-{name}"
        score(path, asked.footage, FOOTAGE, "standard", asked.work, folder / f"standard-seed{asked.seed}.json")
        write_run(folder, row, asked.seed, name, "Pose2Sim demo", "{footage}", {FOOTAGE: "standard"})


def weights_of(row: Row, seed: int, work: Path, name: str) -> ModelCard:
    """Write the weights of a row in half precision; the card that goes with them, without numbers.

    Raises
    ------
    InputError
        If the runs are not there, or the weights are larger than what a wheel can carry.
    """
    FOLDER.mkdir(exist_ok=True)
    run = work / f"{row.config}-seed{seed}"
    source = run / "network.safetensors"
    network, weights = load_network(source), FOLDER / f"{name}.safetensors"
    notes: Mapping[str, Any] = read_weights(source).header["notes"]
    save_network(weights, network, half=True, notes=notes)
    unit = None
    if row.refined is not None:
        unit = FOLDER / f"{name}-refiner.safetensors"
        origin = run / f"refiner-{row.refined}" / "refiner.safetensors"
        save_refiner(unit, load_refiner(origin), half=True, notes=read_weights(origin).header["notes"])
    size = sum(path.stat().st_size for path in (weights, unit) if path is not None)
    if size > MOST:
        raise InputError(
            f"{weights}: the model has {size} bytes, more than {MOST}; it is too large to come with a wheel"
        )
    family = row.family
    return ModelCard(
        name=name,
        summary=row.description,
        model=MODEL,
        config=asdict(network.config),
        weights=WeightsFile(weights.name, sha256_of(weights)),
        refiner=None if unit is None else WeightsFile(unit.name, sha256_of(unit)),
        data=(
            TrainingData(family.data, "pretrain2d", ("2d",), LICENCE),
            TrainingData(family.data, family.train, row.supervision, LICENCE),
        ),
        recipe=row.name,
        seed=seed,
        licence=LICENCE,
        paper=PAPER,
        measured=(),
    )


def score(card: Path, data: Path, split: str, protocol: str, work: Path, result: Path) -> None:
    """Predict a split with the model of a card, and score that."""
    result.parent.mkdir(parents=True, exist_ok=True)
    truth, pred = data / "labels" / f"{split}.npz", work / f"shipped-{card.stem}" / f"{split}.npz"
    pred.parent.mkdir(parents=True, exist_ok=True)
    predict = ["zoo", "predict", "--model", str(card), "--images", str(data), "--split", split]
    scoring = ["score", "--pred", str(pred), "--pred-unit", "mm", "--gt", str(truth), "--protocol", protocol]
    for command in (
        [*predict, "--root-depth", str(truth), "-o", str(pred)],
        [*scoring, "-o", str(result), "--no-frames"],
    ):
        subprocess.run([sys.executable, "-m", "posebench", *command], check=True)  # noqa: S603 - posebench itself


def write_run(folder: Path, row: Row, seed: int, name: str, data: str, place: str, scored: Mapping[str, str]) -> None:
    """Write run.yaml beside the results of a model that ships."""
    commands = []
    for split, protocol in scored.items():
        truth, pred = f"{place}/labels/{split}.npz", f"{{runs}}/{name}-{split}.npz"
        commands += [
            f"posebench zoo predict --model {name} --images {place} --split {split} --root-depth {truth} -o {pred}",
            f"posebench score --pred {pred} --pred-unit mm --gt {truth} --protocol {protocol} "
            f"-o {{results}}/{folder.name}/{protocol}-seed{seed}.json",
        ]
    told = {
        **facts(row, [seed]),
        "name": folder.name,
        "description": f"{row.description}; as it ships, boxes by the model itself",
        "data": data,
        "commands": commands,
    }
    with atomic_write(folder / "run.yaml") as handle:
        handle.write(yaml.safe_dump(told, sort_keys=False, width=120).encode())


def measured(result: Mapping[str, Any], data: str, split: str) -> list[Measured]:
    """What a card tells of a result."""
    protocol = result["protocol"]
    banks = {bank["name"]: bank["sha256"] for bank in result["banks"]}
    return [
        Measured(
            metric,
            round(result["metrics"][metric]["value"], 2),
            result["metrics"][metric]["unit"],
            data,
            split,
            result["metrics"][metric]["n"],
            protocol["name"],
            protocol["sha256"],
            banks,
        )
        for metric in TOLD
    ]


if __name__ == "__main__":
    main()
