"""Every command that writes, called once on the small files of `tests.faults.material`: what it writes into `out`.

`tests.faults.test_every_command` holds that no command of the application is left out here.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.faults.material import NETWORKS, PICTURES, ROW


@dataclass(frozen=True)
class Case:
    """A call of a command in a folder where the material lies.

    words : str
        What follows `posebench`, as one would type it; everything is written below `out`.
    outputs : tuple of str
        Files in `out`, in the order in which they are written; those of a folder that is made are below it.
    makes : str
        The folder in `out` that the command makes; empty if its outputs are files that the user names.
    runs : bool
        Whether this machine has what the command needs.
    prepare : callable, optional
        Given the working folder, does there what has to be done before.
    slow : bool
        More than a second.
    """

    words: str
    outputs: tuple[str, ...]
    makes: str = ""
    runs: bool = True
    prepare: Callable[[Path], None] | None = None
    slow: bool = False

    @property
    def arguments(self) -> list[str]:
        return shlex.split(self.words)

    @property
    def command(self) -> str:
        """Its name, as in `bank build`."""
        words = self.arguments
        return " ".join(words[:2]) if words[0] in GROUPS else words[0]


GROUPS = ("bank", "data", "figure", "protocols", "published", "zoo")


def _steps_of_a_row(work: Path) -> None:
    """Let all that a row trains and scores be there, so that only what it writes itself is left to do."""
    from model_zoo.rows import filled, get_row, steps

    places = {"data": "data", "work": "work", "results": "out/results", "backbone": "network.safetensors"}
    for step in steps(get_row(ROW), 0):
        made = work / filled(step.makes, places)
        made.parent.mkdir(parents=True, exist_ok=True)
        if not made.exists():
            made.write_text("{}\n")


#: Commands that write nothing but what they print.
SILENT = {
    *("bank list", "bank show", "bank verify", "conformance", "data card", "data list", "data verify", "demo", "env"),
    *("protocols diff", "protocols list", "protocols show", "published list", "published show", "published validate"),
    *("zoo list", "zoo show"),
}
_LABELS = "--joints truth --extrinsics known"
_RENDER = all(find_spec(name) for name in ("PIL", "skimage"))

CASES = {
    "score": Case(
        "score --pred pred.npz --gt gt.npz -o out/r.json -o out/r.csv -o out/r.md -o out/r.tex -o out/r.html",
        ("r.json", "r.csv", "r.md", "r.tex", "r.html", "r.frames.npz"),
    ),
    "score of shards": Case(
        "score --pred shards/pred --gt shards/gt --jobs 1 --state out/state -o out/s.json", ("s.json",)
    ),
    "score of all protocols": Case("score --pred pred.npz --gt gt.npz --protocol all -o out/all.json", ("all.json",)),
    "compare": Case(
        "compare a.json b.json -m MPJPE -o out/c.json -o out/c.csv -o out/c.md -o out/c.html",
        ("c.json", "c.csv", "c.md", "c.html"),
    ),
    **{
        f"convert to {suffix}": Case(f"convert {given} out/c.{suffix}", (f"c.{suffix}",), runs=runs)
        for given, suffix, runs in (
            *(("pred.npz", suffix, True) for suffix in ("npz", "json", "csv", "pkl")),
            ("truth.npy", "npy", True),
            ("pred.npz", "h5", find_spec("h5py") is not None),
            *(("pred.npz", suffix, find_spec("pyarrow") is not None) for suffix in ("parquet", "arrow")),
        )
    },
    "doctor": Case(
        "doctor --pred shuffled.npy --gt truth.npy --pred-unit mm --gt-unit mm --gt-skeleton h36m17 --exit-zero "
        "-o out/d.json -o out/d.txt --joints out/d.yaml",
        ("d.json", "d.txt", "d.yaml"),
    ),
    "bank build": Case(
        "bank build --gt gt.npz -k 3 -k 4 --name mine --n-init 1 --source 'mine|CC0-1.0|me' -o out",
        ("mine-k3.npz", "mine-k3.json", "mine-k4.npz", "mine-k4.json"),
    ),
    "bank build with a checkpoint": Case(
        "bank build --gt gt.npz -k 3 --seeds 2 --name mine --n-init 2 --tol 0 --max-iter 30 --source 'mine|CC0-1.0|me' "
        "-o out --checkpoint out/state",
        ("mine-k3.npz", "mine-k3.json", "mine-k3-seed1.npz", "mine-k3-seed1.json"),
    ),
    "bank plot": Case("bank plot bank.npz -o out/b.png -o out/b.svg", ("b.png", "b.svg"), slow=True),
    "figure 4": Case(
        "figure 4 --gt gt.npz --bank bank.npz --pairs 10 --level 35 --row 35 -o out/f4.svg --table out/f4.md "
        "--table out/f4.json",
        ("f4.svg", "f4.md", "f4.json"),
        slow=True,
    ),
    "figure 5": Case("figure 5 --gt gt.npz -k 3 --poses 40 -o out/f5.pdf", ("f5.pdf",), slow=True),
    "figure 6": Case("figure 6 --bank bank.npz -o out/f6.png", ("f6.png",)),
    "figure joints": Case("figure joints a.json b.json -o out/j.svg", ("j.svg",)),
    "figure errors": Case("figure errors a.json b.json -o out/e.svg", ("e.svg",)),
    "figure pck": Case("figure pck --pred pred.npz --gt gt.npz -o out/p.svg", ("p.svg",)),
    "figure poses": Case("figure poses --pred pred.npz --gt gt.npz -o out/q.svg", ("q.svg",), slow=True),
    "figure faults": Case("figure faults a.json b.json -o out/x.svg", ("x.svg",)),
    "table": Case(
        "table 2 -o out/t.md -o out/t.csv -o out/t.html -o out/t.json", ("t.md", "t.csv", "t.html", "t.json")
    ),
    "data fetch": Case(
        "data fetch pose2sim --to out/fetched", ("fetched/SHA256SUMS", "fetched/LICENCE.txt"), "fetched"
    ),
    "data prepare": Case(
        "data prepare open4v --folder data --out out/index", ("index/views/train.npz",), "index", PICTURES
    ),
    "data render": Case(
        "data render open4v --size tiny --motions synthetic --pixels 32 --out out/set",
        ("set/labels/train.npz", "set/views/train.npz", "set/card.json", "set/SHA256SUMS"),
        "set",
        _RENDER,
    ),
    "zoo labels": Case(
        f"zoo labels --data data {_LABELS} -o out/l.npz --detections out/d.npz --evaluate",
        ("d.npz", "l.npz", "l.json"),
        runs=PICTURES,
    ),
    "zoo label-poses": Case(
        "zoo label-poses --data data --labels labels.npz --out out/poses",
        ("poses/pred.npz", "poses/gt.npz"),
        "poses",
        PICTURES,
    ),
    "zoo predict": Case(
        "zoo predict --model network.safetensors --images data/images/train/s0 --assume-fov 50 --device cpu "
        "-o out/p.npz --draw out/drawn",
        ("p.npz", "p.json"),
        runs=NETWORKS,
        slow=True,
    ),
    "zoo refine": Case(
        "zoo refine --pred train-pred.npz --weights refiner.safetensors -o out/refined.npz",
        ("refined.npz",),
        runs=NETWORKS,
    ),
    "zoo train-refiner": Case(
        "zoo train-refiner --data data --pred train-pred.npz --width 16 --epochs 3 --batch 8 -o out/unit",
        ("unit/checkpoint.pt", "unit/log.csv", "unit/refiner.safetensors", "unit/errors.npz"),
        "unit",
        NETWORKS,
    ),
    "zoo pretrain2d": Case(
        "zoo pretrain2d --data data --config 2d.yaml --accelerator cpu --out out/two",
        (
            "two/run.json",
            "two/log.csv",
            "two/best.safetensors",
            "two/checkpoint.safetensors",
            "two/network.safetensors",
        ),
        "two",
        NETWORKS,
    ),
    "zoo detect": Case(
        "zoo detect --data data --weights network.safetensors -o out/joints.npz", ("joints.npz",), runs=NETWORKS
    ),
    "zoo train": Case(
        "zoo train --data data --config ss.yaml --labels labels.npz --accelerator cpu --out out/three",
        (
            *("three/run.json", "three/log.csv", "three/best.safetensors", "three/checkpoint.safetensors"),
            "three/network.safetensors",
        ),
        "three",
        NETWORKS,
    ),
    "zoo row": Case(
        f"zoo row {ROW} --data data --backbone network.safetensors --work work --results out/results",
        (f"results/{ROW}/run.yaml",),
        "results",
        NETWORKS,
        _steps_of_a_row,
    ),
}


def parameters(*, files: bool = False, folders: bool = False) -> list[object]:
    """The cases for pytest, those that take long marked slow.

    Of those alone that write files that the user names, or that make a folder which is not there yet.
    """
    return [
        pytest.param(
            case,
            id=name,
            marks=[
                pytest.mark.skipif(not case.runs, reason="a package that it needs is not installed"),
                *([pytest.mark.slow] if case.slow else []),
            ],
        )
        for name, case in CASES.items()
        if not (files and case.makes) and not (folders and (not case.makes or case.prepare))
    ]


def commands() -> Iterator[str]:
    """The names of all commands of the application, as in `bank build`."""
    import typer

    from posebench.cli.app import app

    pending: list[tuple[str, object]] = [("", typer.main.get_command(app))]
    while pending:
        name, command = pending.pop()
        below = getattr(command, "commands", None)
        if below is None:
            yield name
        else:
            pending += [(f"{name} {word}".strip(), each) for word, each in below.items()]


__all__ = ["CASES", "GROUPS", "SILENT", "Case", "commands", "parameters"]
