"""Rows of results: from pictures to a scored prediction, step by step, each row by one command (`posebench zoo row`).

A row is one way of learning (its configuration, its labels, whether its poses are refined), and `steps` are the
commands of posebench that make it. Steps that rows share, such as the 2D branch, lie in the same places and are done
once; a step whose file is there is not done again, and one that was interrupted goes on.

    WORK/TWOD/network.safetensors              the 2D branch
    WORK/TWOD/SPLIT-joints.npz                 what it finds in the pictures
    WORK/TWOD/SPLIT-HOW-labels.npz             labels made of that
    WORK/CONFIG-seedN/network.safetensors      the 3D branch
    WORK/CONFIG-seedN/SPLIT.npz                its poses, and SPLIT-ru.npz after the refinement unit
    RESULTS/ROW/PROTOCOL-seedN.json            as `posebench score` writes it
    RESULTS/ROW/run.yaml                       what the row is and its commands
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from posebench.errors import UsageError

Refined = Literal["labels", "truth"]


@dataclass(frozen=True)
class Family:
    """What rows of one data set and one network have in common.

    data : str
        The data set, in words.
    twod : str
        Configuration of the 2D branch.
    twod_data : str
        Name of the placeholder for the folder that it learns from.
    train : str
        The split that the 3D branch learns from.
    scored : mapping
        Split -> protocol.
    backbone : str, optional
        Of which data set of `posebench data fetch` the ImageNet weights are, in words for a user.
    refiner : tuple of str
        Options of `posebench zoo train-refiner`.
    """

    data: str
    twod: str
    twod_data: str
    train: str
    scored: Mapping[str, str]
    backbone: str
    refiner: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One way of learning.

    name, description : str
    family : Family
    config : str
        Of the 3D branch.
    supervision : tuple of str
        In the words of published results.
    joints : {"truth", "branch", None}
        Where joints in 2D come from, of which labels are made; None where ground truth in 3D is learnt.
    extrinsics : {"known", "estimated"}
    refined : {"labels", "truth", None}
        What the errors were measured against that the refinement unit learnt from.
    target : bool
        Whether the 2D branch goes on to learn from joints in 2D of the training split.
    """

    name: str
    description: str
    family: Family
    config: str
    supervision: tuple[str, ...]
    joints: Literal["truth", "branch"] | None = None
    extrinsics: Literal["known", "estimated"] = "estimated"
    refined: Refined | None = None
    target: bool = False


@dataclass(frozen=True)
class Step:
    """A command and the file that is there when it is done.

    command : tuple of str
        What follows `posebench`, with paths under placeholders: {data}, {work}, {results}, {backbone} and others.
    makes : str
    """

    command: tuple[str, ...]
    makes: str

    def text(self) -> str:
        """The command as one would type it, placeholders and all."""
        return " ".join(("posebench", *self.command))


_ALWAYS = ("data", "work", "results", "backbone")
_OPEN4V = {"test": "open4v", "wild": "open4v-wild"}
_NARROW = ("--width", "256", "--dropout", "0.1", "--epochs", "60")
#: Beginning of the names of rows -> what they have in common.
FAMILIES: Mapping[str, Family] = {
    "open4v-small-lite0": Family(
        "Open4V small",
        "open4v-small-lite0-2d",
        "data",
        "train",
        _OPEN4V,
        "EfficientNet-Lite0 (posebench data fetch efficientnet-lite0)",
        _NARROW,
    ),
    "open4v-small-r18": Family("Open4V small", "open4v-small-r18-2d", "data", "train", _OPEN4V, "ResNet-18", _NARROW),
    "open4v-full-r50": Family("Open4V full", "open4v-full-r50-2d", "data", "train", _OPEN4V, "ResNet-50"),
    "h36m-r50": Family("Human3.6M", "mpii-r50-2d", "mpii", "train", {"test": "h36m-epipolarpose"}, "ResNet-50"),
    "3dhp-r50": Family("MPI-INF-3DHP", "mpii-r50-2d", "mpii", "train", {"test": "3dhp-official"}, "ResNet-50"),
}
#: Ending of a row's name -> description, ending of its configuration, and what else `Row` says.
_KINDS: Mapping[str, tuple[str, str, dict[str, object]]] = {
    "fs": ("fully supervised by poses in 3D", "fs", {"supervision": ("full",)}),
    "fs-one": ("fully supervised by one subject", "fs-one", {"supervision": ("subject-subset",)}),
    "gt": (
        "self-supervised from ground truth in 2D, R and t known",
        "gt",
        {"supervision": ("2d", "multi-view-rt"), "joints": "truth", "extrinsics": "known"},
    ),
    "ss-rt": (
        "self-supervised, R and t known",
        "ss-rt",
        {"supervision": ("multi-view-rt",), "joints": "branch", "extrinsics": "known"},
    ),
    "ss": ("self-supervised, R and t estimated", "ss", {"supervision": ("multi-view",), "joints": "branch"}),
    "ss-ru": (
        "self-supervised, R and t estimated; refinement unit, errors measured against labels",
        "ss",
        {"supervision": ("multi-view",), "joints": "branch", "refined": "labels"},
    ),
    "ss-ru-gt": (
        "self-supervised, R and t estimated; refinement unit, errors measured against ground truth",
        "ss",
        {"supervision": ("multi-view", "full"), "joints": "branch", "refined": "truth"},
    ),
    "unfrozen": (
        "one network, labels made online of its own joints, the gradient stopped at them",
        "unfrozen",
        {"supervision": ("multi-view",), "joints": "branch"},
    ),
    "unfrozen-through": (
        "one network, labels made online of its own joints, the gradient passing through them",
        "unfrozen-through",
        {"supervision": ("multi-view",), "joints": "branch"},
    ),
    "ss-target2d": (
        "self-supervised, R and t estimated, 2D branch trained on joints in 2D of the training subjects",
        "ss-target2d",
        {"supervision": ("2d", "multi-view"), "joints": "branch", "target": True},
    ),
}


def list_rows() -> list[str]:
    """Names of all rows, sorted.

    Examples
    --------
    >>> [name for name in list_rows() if name.startswith("open4v-small-lite0-ss")][:2]
    ['open4v-small-lite0-ss', 'open4v-small-lite0-ss-rt']
    """
    from model_zoo.configs import list_configs

    known = set(list_configs())
    return sorted(
        f"{family}-{kind}"
        for family in FAMILIES
        for kind, (_, config, _) in _KINDS.items()
        if f"{family}-{config}" in known
    )


def get_row(name: str) -> Row:
    """A row by its name.

    Raises
    ------
    UsageError
        If there is none of that name.

    Examples
    --------
    >>> get_row("open4v-small-lite0-ss-rt").supervision
    ('multi-view-rt',)
    """
    if name not in list_rows():
        raise UsageError(f"there is no row {ascii(name)[:120]}; known are {', '.join(list_rows())}")
    prefix = max((each for each in FAMILIES if name.startswith(f"{each}-")), key=len)
    described, config, rest = _KINDS[name.removeprefix(f"{prefix}-")]
    family = FAMILIES[prefix]
    return Row(name, f"{family.data}, {described}", family, f"{prefix}-{config}", **rest)  # type: ignore[arg-type]


def steps(row: Row, seed: int) -> list[Step]:
    """The commands of a row, in their order.

    Parameters
    ----------
    row : Row
    seed : int
        Of the 3D branch and of the refinement unit; the 2D branch is the same for all.

    Examples
    --------
    >>> [" ".join(step.command[:2]) for step in steps(get_row("open4v-small-lite0-fs"), 0)][:3]
    ['zoo pretrain2d', 'zoo train', 'zoo detect']
    """
    twod, made = _branch_steps(row)
    labels, labelling = _label_steps(row, twod)
    run = f"{{work}}/{row.config}-seed{seed}"
    weights = f"{run}/network.safetensors"
    given = f" --labels {labels}" if labels else ""
    made += labelling
    made.append(
        _step(
            f"zoo train --data {{data}} --config {row.config}{given} --start {twod}/network.safetensors "
            f"--seed {seed} --out {run}",
            weights,
        )
    )
    unit = None
    if row.refined is not None:
        unit = f"{run}/refiner-{row.refined}"
        made += _refiner_steps(row, seed, twod, run, unit, labels)
    for split, protocol in row.family.scored.items():
        pred = f"{run}/{split}.npz"
        made += [_detected(twod, split), _predicted(weights, twod, split, pred)]
        if unit is not None:
            refined = f"{unit}/{split}.npz"
            made.append(_step(f"zoo refine --pred {pred} --weights {unit}/refiner.safetensors -o {refined}", refined))
            pred = refined
        truth = f"{{data}}/labels/{split}.npz"
        result = f"{{results}}/{row.name}/{protocol}-seed{seed}.json"
        # In mm, without doubt: a pose that a network collapsed may be as small as a person in m.
        scoring = f"score --pred {pred} --pred-unit mm --gt {truth} --protocol {protocol} -o {result}"
        made.append(_step(scoring, result))
    return made


def _branch_steps(row: Row) -> tuple[str, list[Step]]:
    """The folder of the 2D branch, and how it comes about."""
    family = row.family
    twod = f"{{work}}/{family.twod}"
    made = [
        _step(
            f"zoo pretrain2d --data {{{family.twod_data}}} --config {family.twod} --backbone {{backbone}} --out {twod}",
            f"{twod}/network.safetensors",
        )
    ]
    if not row.target:
        return twod, made
    target = f"{twod}-target"
    made.append(
        _step(
            f"zoo pretrain2d --data {{data}} --config {family.twod}-target --start {twod}/network.safetensors "
            f"--out {target}",
            f"{target}/network.safetensors",
        )
    )
    return target, made


def _label_steps(row: Row, twod: str) -> tuple[str, list[Step]]:
    """The file of labels, and how it comes about; nothing where ground truth in 3D is learnt."""
    if row.joints is None:
        return "", []
    split, joints, made = row.family.train, "truth", []
    if row.joints == "branch":
        made.append(_detected(twod, split))
        joints = made[0].makes
    labels = f"{twod}/{split}-{row.joints}-{row.extrinsics}-labels.npz"
    made.append(
        _step(
            f"zoo labels --data {{data}} --split {split} --joints {joints} --extrinsics {row.extrinsics} -o {labels}",
            labels,
        )
    )
    return labels, made


def _refiner_steps(row: Row, seed: int, twod: str, run: str, unit: str, labels: str) -> list[Step]:
    split = row.family.train
    reference = "truth" if row.refined == "truth" else labels
    options = " ".join(("", *row.family.refiner))
    return [
        # Scale-free: depths of roots are ground truth too.
        _predicted(f"{run}/network.safetensors", twod, split, f"{run}/{split}.npz", lifted=False),
        _step(
            f"zoo train-refiner --data {{data}} --split {split} --pred {run}/{split}.npz --reference {reference} "
            f"--seed {seed}{options} --out {unit}",
            f"{unit}/refiner.safetensors",
        ),
    ]


def filled(text: str, places: Mapping[str, str]) -> str:
    """A part of a command with a path for each placeholder.

    Examples
    --------
    >>> filled("{work}/train-joints.npz", {"work": "runs"})
    'runs/train-joints.npz'
    """
    for name, place in places.items():
        text = text.replace(f"{{{name}}}", place)
    return text


def placeholders(row: Row) -> tuple[str, ...]:
    """What a user must name to run a row: folders and files, in the order of the commands."""
    return _ALWAYS if row.family.twod_data in _ALWAYS else (*_ALWAYS, row.family.twod_data)


def facts(row: Row, seeds: list[int]) -> dict[str, object]:
    """What run.yaml says beside results (docs/tables.md)."""
    data = "open4v" if row.family.twod_data == "data" else "data"
    source_2d = {"truth": "ground-truth", None: "none"}.get(
        row.joints, "target-domain" if row.target else "pre-training-domain"
    )
    more = "".join(f" --{name} {{{name}}}" for name in placeholders(row) if name not in _ALWAYS)
    return {
        "name": row.name,
        "description": row.description,
        "data": row.family.data,
        "supervision": list(row.supervision),
        "commands": [
            f"posebench zoo row {row.name} --data {{{data}}} --backbone {{backbone}}{more} --work {{runs}} "
            "--results {results} --seed {seed}"
        ],
        "config": row.config,
        "seeds": seeds,
        "source_2d": source_2d,
        "gt_root_depth": True,
        "gt_intrinsics": True,
        "epoch_by_test_gt": False,
        "root_depth": "of the ground truth, in prediction alone",
    }


def _detected(twod: str, split: str) -> Step:
    joints = f"{twod}/{split}-joints.npz"
    return _step(f"zoo detect --data {{data}} --split {split} --weights {twod}/network.safetensors -o {joints}", joints)


def _predicted(weights: str, twod: str, split: str, pred: str, *, lifted: bool = True) -> Step:
    """Boxes are laid around the joints that the 2D branch finds, as in training."""
    depth = f"--root-depth {{data}}/labels/{split}.npz " if lifted else ""
    return _step(
        f"zoo predict --model {weights} --images {{data}} --split {split} --boxes {twod}/{split}-joints.npz {depth}"
        f"-o {pred}",
        pred,
    )


def _step(text: str, makes: str) -> Step:
    return Step(tuple(text.split(" ")), makes)


__all__ = ["FAMILIES", "Family", "Row", "Step", "facts", "filled", "get_row", "list_rows", "placeholders", "steps"]
