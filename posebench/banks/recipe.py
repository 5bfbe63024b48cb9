"""The recipe of a bank: from files of ground truth to the poses that are clustered, and the card that says it all.

Each file is read, rid of frames that nobody captured, thinned, seen by cameras and turned to the front, as asked for,
before the next one is touched. Clustering itself is `ClusterBank`; what a person types is `posebench.cli.bank`.
"""

from __future__ import annotations

import glob
import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from posebench import __version__
from posebench.banks.bank import ClusterBank
from posebench.banks.building import Builder, make_layout, make_settings
from posebench.banks.card import MOST_NOTES, InputFile, Source, check_descriptions, parse_card
from posebench.banks.kmeans import Progress
from posebench.banks.material import make_thinning
from posebench.banks.shard_steps import Material
from posebench.banks.sharded import ShardedPoses, common_layout, files_of, survey_shards
from posebench.banks.thin import thin_by_stride
from posebench.errors import InputError, UsageError
from posebench.poses import PoseSet
from posebench.skeletons import Skeleton, get_skeleton
from posebench.workers import Spread

#: The 16 joints of MPII, in its order, as the evaluator of PSS's authors collects them: H36M-17 without the spine.
MPII16 = (
    *("RAnkle", "RKnee", "RHip", "LHip", "LKnee", "LAnkle", "pelvis", "thorax", "nose", "head"),
    *("RWrist", "RElbow", "RShoulder", "LShoulder", "LElbow", "LWrist"),
)
#: Sets of joints that have a name.
JOINT_SETS = {"mpii16": MPII16}

#: The only rig there is: `posebench.datasets.room` with these settings, lengths in mm.
CAMERAS = "h36m-like"
N_CAMERAS, DISTANCE, HEIGHT, TARGET, YAW_SEED = 4, 5000, 1500, 900, 0

#: The environment variable that names the folder of data sets.
DATA = "POSEBENCH_DATA"
#: Motion capture, which is read as clips of CMU or HDM05: their readers know all about the poses.
_MOCAP = (".bvh", ".amc")
#: Decimals of a millimetre that poses of motion capture are rounded to: far below what cameras resolve, and above the
#: digits in which matrix products differ from one processor to the next, so that all of them cluster the same poses.
_DECIMALS = 3
#: A table of what is done in the clips beside it, no poses.
_INDEX = "motions.csv"

#: As `ClusterBank.build`, and Lloyd's algorithm in passes over shards.
ALGORITHMS = ("auto", "lloyd", "minibatch", "sharded")

#: Called with the number of files done and of all.
Reading = Callable[[int, int], None]


@dataclass(frozen=True)
class Recipe:
    """How the files of a bank become poses: what they are, which are kept, and how they are seen.

    `cameras` is ``"h36m-like"`` or None for the poses' own reference; `canonical` turns poses to the front afterwards;
    every `stride`-th frame of a sequence is kept. `skeleton` is the bank's; `said_skeleton` and `said_reference` are
    what the user says of the files.

    Raises
    ------
    UsageError
        If `cameras` is something else.
    """

    cameras: str | None = None
    canonical: bool = False
    stride: int = 1
    skeleton: Skeleton = field(default_factory=lambda: get_skeleton("h36m17"))
    said_skeleton: str | None = None
    said_reference: str | None = None

    def __post_init__(self) -> None:
        if self.cameras not in (None, CAMERAS):
            raise UsageError(f"there are no cameras {self.cameras!r}; known is {CAMERAS}")
        make_thinning(self.stride, 0.0)

    @property
    def viewing(self) -> str:
        """How the poses are seen, in words for the card.

        Examples
        --------
        >>> Recipe().viewing
        'as the files give them'
        """
        seen = "as the files give them"
        if self.cameras is not None:
            seen = (
                f"seen by {N_CAMERAS} cameras around a room, {DISTANCE} mm from its middle and {HEIGHT} mm high, "
                f"looking at the point {TARGET} mm above it; each sequence is turned about the vertical by an angle "
                f"made of its name and the seed {YAW_SEED} (posebench.datasets.room)"
            )
        return f"{seen}; then turned about the camera's y axis until the hips have no depth" if self.canonical else seen

    def read(self, paths: Sequence[Path], *, keep: bool = True, progress: Reading | None = None) -> GroundTruth:
        """All files, one after the other; without `keep` the poses are dropped again and read anew when needed.

        Raises
        ------
        InputError
            If a file cannot be read, its poses are not what the recipe needs, or none is left.
        UsageError
            If there is no file, or there are more than a card can list.
        """
        _refuse_count(paths)
        found = GroundTruth(self, tuple(paths), input_files(paths))
        for number, path in enumerate(paths):
            if progress is not None:
                progress(number, len(paths))
            found.add(self.prepare(path), keep=keep)
        if progress is not None:
            progress(len(paths), len(paths))
        _refuse_none(found, paths)
        return found

    def prepare(self, path: Path) -> Prepared:
        """One file: read, rid of what is no captured pose, thinned, seen and turned.

        Raises
        ------
        InputError
            If the file cannot be read, or its poses are not what the recipe needs.
        """
        poses, notes = self._read(path)
        dataset = poses.dataset
        left_out: dict[str, int] = {}
        if _is_mocap(path):
            poses, left_out = _captured(poses)
        views = 1 if self.cameras is None else N_CAMERAS
        given = len(poses) * views
        if self.stride > 1:
            poses = poses[thin_by_stride(poses, self.stride)]
        if self.cameras is not None and len(poses):
            poses = _seen(poses)
        lying = 0
        if self.canonical:
            poses, lying = _turned(poses)
        if _is_mocap(path):
            poses = poses.replace(poses=np.round(poses.poses, _DECIMALS))
            notes += (f"coordinates of motion capture are rounded to {10**-_DECIMALS:g} mm",)
        return Prepared(dataset, left_out, given, len(poses), lying, notes, poses)

    def _read(self, path: Path) -> tuple[PoseSet, tuple[str, ...]]:
        """The poses of a file as far as they can be seen and turned, and what had to be assumed for it."""
        if _is_mocap(path):
            for name, value in (("skeleton", self.said_skeleton), ("reference", self.said_reference)):
                if value is not None:
                    raise UsageError(f"{path} says its {name} itself; leave --gt-{name} out, or build from other files")
            poses = _read_clip(path)
        else:
            from posebench.io import read

            poses = read(path, skeleton=self.said_skeleton, reference=self.said_reference)
        notes = list(poses.notes)
        if poses.skeleton is None and poses.poses.shape[1] == len(self.skeleton):
            notes.append(f"skeleton of {path} assumed: {self.skeleton.name}")
            poses = poses.replace(skeleton=self.skeleton)
        self._refuse_reference(path, poses.reference)
        if (self.cameras is not None or self.canonical) and poses.skeleton is None:
            raise InputError(
                f"{path} does not say what its {poses.poses.shape[1]} joints are; name the skeleton with --gt-skeleton"
            )
        if self.cameras is not None:
            # A bank knows directions only: neither the place of a body nor its size matters to it.
            sequence = path.stem if poses.sequence is None else poses.sequence
            poses = poses.replace(unit="mm", origin="absolute", sequence=sequence)
        return poses, tuple(note.replace(str(path), path.name) for note in notes)

    def _refuse_reference(self, path: Path, reference: str) -> None:
        """Raise unless poses in this reference can be seen or turned as asked."""
        if reference == "unknown":
            raise InputError(
                f"{path} does not say its reference, which a bank is built in; say it with --gt-reference camera, "
                "world or canonical"
            )
        if self.cameras is not None and reference != "world":
            raise InputError(
                f"{path} is in the {reference} reference, and --cameras is for poses of a world with y up; leave it out"
            )
        if self.canonical and self.cameras is None and reference == "world":
            raise InputError(
                f"{path} is in the world reference, and --canonical turns poses as a camera sees them; add --cameras "
                f"{CAMERAS}, or convert the file to a camera's coordinates"
            )
        if self.canonical and reference == "canonical":
            raise InputError(f"{path} is in the canonical reference already; leave --canonical out")


@dataclass(frozen=True)
class Facts:
    """What became of the frames of one file."""

    dataset: str | None
    #: Fault -> number of frames left out because of it; a frame may have several.
    left_out: Mapping[str, int]
    #: Poses before and after thinning, all views counted.
    given: int
    used: int
    #: Poses that lie on their side and were not turned.
    lying: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Prepared(Facts):
    """The poses of one file after the recipe, and what became of the others."""

    poses: PoseSet

    @property
    def facts(self) -> Facts:
        """All but the poses."""
        return Facts(self.dataset, self.left_out, self.given, self.used, self.lying, self.notes)


class GroundTruth:
    """All files of a bank after the recipe: iterate over the sets of poses, as often as needed."""

    def __init__(self, recipe: Recipe, paths: tuple[Path, ...], files: tuple[InputFile, ...]) -> None:
        self._recipe, self._paths = recipe, paths
        self._sets: list[PoseSet] | None = []
        self._datasets: set[str | None] = set()
        self._left_out: Counter[str] = Counter()
        self._notes: dict[str, None] = {}
        self._lying = 0
        #: The poses of a build from shards, which never come here.
        self.shards: ShardedPoses | None = None
        #: Names and hashes, in order.
        self.files = files
        #: Poses before and after thinning by stride, all views counted.
        self.given = self.used = 0

    def __iter__(self) -> Iterator[PoseSet]:
        sets = (self._recipe.prepare(path).poses for path in self._paths) if self._sets is None else self._sets
        return (poses for poses in sets if len(poses))

    def count(self, facts: Facts) -> None:
        """Count a file in."""
        self._datasets.add(facts.dataset)
        self._left_out.update(facts.left_out)
        self._notes |= dict.fromkeys(facts.notes)
        self._lying += facts.lying
        self.given += facts.given
        self.used += facts.used

    def add(self, prepared: Prepared, *, keep: bool) -> None:
        """Count a file in, and hold its poses if they are to be kept."""
        self.count(prepared)
        if not keep:
            self._sets = None
        elif self._sets is not None:
            self._sets.append(prepared.poses)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a card says of the files beyond its numbers."""
        notes = list(self._notes)
        faults = ", ".join(f"{count} {fault}" for fault, count in self._left_out.items() if count)
        if faults:
            notes.append(f"frames left out before all else, by fault: {faults} (posebench.datasets.quality)")
        if self._recipe.canonical:
            notes.append(f"{self._lying} of {self.used} poses lie on their side and are not turned to the front")
        return tuple(notes[:MOST_NOTES])

    @property
    def sources(self) -> tuple[Source, ...]:
        """The data sets among the files that posebench knows."""
        known = known_sources()
        return tuple(known[name] for name in sorted(filter(None, self._datasets)) if name in known)


@dataclass(frozen=True)
class Plan:
    """One bank: what it is called and how it is clustered; the rest of what its card says is the recipe's.

    Raises
    ------
    UsageError
        If a setting is out of range, before any work.
    """

    name: str
    k: int
    recipe: Recipe
    seed: int = 0
    joints: tuple[str, ...] | None = None
    centring: str = "root"
    min_distance: float = 0.0
    algorithm: str = "auto"
    init: str = "k-means++"
    n_init: int = 10
    max_iter: int = 300
    tol: float = 1e-4
    sources: tuple[Source, ...] = ()
    split: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        make_settings(self.k, self.seed, self.n_init, self.max_iter, self.tol, self.init)
        make_thinning(self.recipe.stride, self.min_distance)
        make_layout(self.recipe.skeleton, self.joints, self.centring, None, "camera")
        check_descriptions(self.name, self.split, self.sources, self.command)
        if self.algorithm not in ALGORITHMS:
            raise UsageError(f"algorithm is {self.algorithm!r}, expected one of {', '.join(ALGORITHMS)}")
        if self.init != "k-means++" and self.algorithm != "sharded":
            raise UsageError(f"init {self.init} is for algorithm sharded; poses in memory begin by k-means++")

    def survey(self, paths: Sequence[Path], spread: Spread, progress: Reading | None = None) -> GroundTruth:
        """All files for a build from shards: counted and hashed wherever `spread` works, and read anew in each pass.

        Raises
        ------
        InputError, UsageError
            As `Recipe.read`; InputError also if files are in different references.
        """
        _refuse_count(paths)
        material = Material(self.recipe, self.joints, self.centring, self.min_distance)
        surveyed = list(survey_shards(material, paths, spread, progress))
        found = GroundTruth(self.recipe, tuple(paths), files_of(surveyed))
        for each in surveyed:
            found.count(each.facts)
        _refuse_none(found, paths)
        found.shards = ShardedPoses(material, common_layout(surveyed), surveyed, spread)
        return found

    def build(
        self, ground: GroundTruth, *, progress: Progress | None = None, checkpoint: Path | None = None
    ) -> ClusterBank:
        """Cluster the poses, and write the recipe on the card; `ground` is what `survey` found for algorithm sharded.

        Raises
        ------
        InputError
            As `ClusterBank.build`.
        """
        shared: dict[str, Any] = {
            "k": self.k,
            "skeleton": self.recipe.skeleton,
            "seed": self.seed,
            "name": self.name,
            "joints": self.joints,
            "centring": self.centring,
            "sources": self.sources or ground.sources,
            "split": self.split,
            "min_distance": self.min_distance,
            "progress": progress,
            "checkpoint": checkpoint,
            "command": self.command,
        }
        if self.algorithm == "sharded":
            bank = self._build_sharded(ground, progress, checkpoint)
        elif self.algorithm == "minibatch":
            bank = ClusterBank.build_streaming(lambda: iter(ground), **shared)
        else:
            lloyd: dict[str, Any] = {
                "n_init": self.n_init,
                "max_iter": self.max_iter,
                "tol": self.tol,
                "algorithm": self.algorithm,
            }
            bank = ClusterBank.build(list(ground), **shared, **lloyd)
        card = bank.card
        counts = card.poses
        card = replace(
            card,
            files=ground.files,
            notes=(*ground.notes, *card.notes),
            thinning=replace(card.thinning, stride=self.recipe.stride),
            poses=replace(counts, given=ground.given, thinned=counts.thinned + ground.given - counts.given),
            viewing=self.recipe.viewing,
        )
        return ClusterBank(bank.centres, parse_card(card.to_dict(), "the card"))

    def _build_sharded(self, ground: GroundTruth, progress: Progress | None, checkpoint: Path | None) -> ClusterBank:
        shards = ground.shards
        if shards is None or shards.material.choices != (self.joints, self.centring, self.min_distance):
            raise UsageError("a build from shards needs their survey with the same joints, centring and distance")
        builder = Builder(
            shards.layout,
            self.name,
            make_thinning(1, self.min_distance),
            self.sources or ground.sources,
            self.split,
            self.command,
            notes=shards.notes,
            checkpoint=checkpoint,
            checkpoint_every=1,
            counter=shards.counter,
        )
        settings = make_settings(self.k, self.seed, self.n_init, self.max_iter, self.tol, self.init)
        return ClusterBank(*builder.by_passes(shards, shards.measure, settings, progress))

    def is_built(self, path: Path, files: tuple[InputFile, ...]) -> bool:
        """Whether a file holds this very bank, whole: built by the same command and versions from the same files."""
        if not (path.is_file() and path.with_suffix(".json").is_file()):
            return False
        try:
            ClusterBank.verify(path)
            card = ClusterBank.load(path).card
        except InputError:
            return False
        import sklearn

        versions = {"posebench": __version__, "numpy": np.__version__, "scikit-learn": sklearn.__version__}
        return (
            (card.name, card.k, card.kmeans.seed) == (self.name, self.k, self.seed)
            and card.command == self.command != ""
            and (card.files, card.viewing) == (files, self.recipe.viewing)
            and {**card.versions, **versions} == card.versions
        )


# ------------------------------------------------------------------------------------------------------- files to build


def gt_files(paths: Sequence[Path]) -> list[Path]:
    """Files as given, and in place of each folder all files below it that can be read, of each glob its files, sorted.

    Raises
    ------
    InputError
        If a folder holds nothing that can be read, or a path does not exist.
    UsageError
        If a file is given twice.
    """
    from posebench.io import formats

    suffixes = tuple(suffix for known in formats() for suffix in known.suffixes) + _MOCAP
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            matched = [] if path.exists() else sorted(glob.glob(os.fspath(path), recursive=True))
            files += [Path(name) for name in matched] or [path]
            continue
        below = [
            each
            for each in path.rglob("*")
            if each.name.lower().endswith(suffixes)
            and each.name != _INDEX
            and not any(part.startswith(".") for part in each.relative_to(path).parts)
            and each.is_file()
        ]
        if not below:
            raise InputError(f"{path}: holds no file of poses; read are {', '.join(dict.fromkeys(suffixes))}")
        files += sorted(below, key=lambda each: each.relative_to(path).as_posix())
    seen: dict[Path, Path] = {}
    for each in files:
        if not each.exists():
            raise InputError(f"{each}: cannot be read: No such file or directory")
        first = seen.setdefault(each.resolve(), each)
        if first is not each:
            raise UsageError(f"{each} is given twice; its poses would count twice")
    return files


def portable(path: Path) -> str:
    """A path as a word of a shell command that works elsewhere: below POSEBENCH_DATA, or relative, or its name alone.

    Examples
    --------
    >>> portable(Path("my poses/train.npz"))
    "'my poses/train.npz'"
    >>> portable(Path("/tmp/train.npz"))
    'train.npz'
    """
    data = os.environ.get(DATA)
    if data:
        try:
            below = path.resolve().relative_to(Path(data).resolve()).as_posix()
        except ValueError:
            pass
        else:
            return f'"${DATA}"' + ("" if below == "." else f"/{shlex.quote(below)}")
    return shlex.quote(path.name if path.is_absolute() else path.as_posix())


def joints_of(text: str | None) -> tuple[str, ...] | None:
    """Joints as a person names them: separated by commas, or the name of a set; None for all.

    Examples
    --------
    >>> joints_of("pelvis, head")
    ('pelvis', 'head')
    >>> len(joints_of("mpii16"))
    16
    """
    if text is None:
        return None
    return JOINT_SETS.get(text) or tuple(word.strip() for word in text.split(","))


def source_of(text: str) -> Source:
    """A source as a person writes it.

    Raises
    ------
    UsageError
        If it has not three parts.

    Examples
    --------
    >>> source_of("Mine|CC0-1.0|nobody")
    Source(name='Mine', licence='CC0-1.0', attribution='nobody')
    """
    parts = [part.strip() for part in text.split("|")]
    if len(parts) != 3 or not (parts[0] and parts[1]):
        raise UsageError(f"source {text!r}: expected name|licence|attribution, of which only the last may be empty")
    return Source(*parts)


def known_sources() -> dict[str, Source]:
    """Data set -> what its card has to say."""
    from posebench.datasets.cmu import CMU_ATTRIBUTION, CMU_LICENCE
    from posebench.datasets.hdm05 import HDM05_ATTRIBUTION, HDM05_LICENCE

    return {
        "cmu-mocap": Source("CMU Graphics Lab Motion Capture Database", CMU_LICENCE, CMU_ATTRIBUTION),
        "hdm05": Source("Motion Capture Database HDM05", HDM05_LICENCE, HDM05_ATTRIBUTION),
    }


def input_files(paths: Iterable[Path]) -> tuple[InputFile, ...]:
    """Names and hashes of files, of each .amc its skeleton's before it.

    Raises
    ------
    InputError
        If a file cannot be read, or has a name that no card can hold.
    """
    from posebench.io import sha256_of

    every = dict.fromkeys(each for path in paths for each in needed(path))
    for path in every:
        if not path.name.isprintable():
            raise InputError(f"{path.name!a}: cannot stand on a card, rename the file")
    return tuple(InputFile(path.name, sha256_of(path)) for path in every)


# ---------------------------------------------------------------------------------------------------- steps of a recipe


def _refuse_count(paths: Sequence[Path]) -> None:
    """Raise unless a card can list so many files."""
    if not 0 < len(paths) <= MOST_NOTES:
        raise UsageError(f"expected from 1 to {MOST_NOTES} files of ground truth, got {len(paths)}; join some first")


def _refuse_none(found: GroundTruth, paths: Sequence[Path]) -> None:
    """Raise if no pose is left."""
    if not found.used:
        raise InputError(f"{paths[0]}: has no frame that can be used" + (", nor have the others" * (len(paths) > 1)))


def _is_mocap(path: Path) -> bool:
    return path.suffix.lower() in _MOCAP


def needed(path: Path) -> Iterator[Path]:
    """The file, after its skeleton where that is a file of its own: HDM_bd.asf, or 02.asf."""
    if path.suffix.lower() == ".amc":
        parts = path.stem.split("_")
        skeleton = path.with_name("_".join(parts[: 2 if parts[0] == "HDM" else 1]) + ".asf")
        if skeleton.is_file():
            yield skeleton
    yield path


def _read_clip(path: Path) -> PoseSet:
    from posebench.datasets.cmu import read_cmu
    from posebench.datasets.hdm05 import read_hdm05

    return read_hdm05(path) if path.stem.startswith("HDM_") else read_cmu(path)


def _captured(poses: PoseSet) -> tuple[PoseSet, dict[str, int]]:
    """The frames of a clip that were captured whole, and how many were not, by fault."""
    from posebench.datasets.quality import unusable_frames

    faults = unusable_frames(poses)
    left = ~np.any(list(faults.values()), axis=0)
    return poses[left], {fault: int(mask.sum()) for fault, mask in faults.items()}


def _seen(poses: PoseSet) -> PoseSet:
    from posebench.datasets.room import room_cameras, seen_by

    if poses.valid is not None:
        # What stands in a masked joint may be anything; NaN would move the others.
        poses = poses.replace(poses=np.where(poses.valid[..., None], poses.poses, 0))
    cameras = room_cameras(N_CAMERAS, distance=DISTANCE, height=HEIGHT, target=TARGET)
    # No bank reads intrinsics, which take a fifth of the room.
    return seen_by(poses, cameras, seed=YAW_SEED).replace(intrinsics=None)


def _turned(poses: PoseSet) -> tuple[PoseSet, int]:
    """Poses turned to the front, and how many lie on their side. A pose without both hips is masked as a whole."""
    from posebench.metrics.clusters import turned_to_front

    assert poses.skeleton is not None
    turned, lying = turned_to_front(poses.poses, poses.skeleton)
    valid = poses.valid
    if valid is not None:
        hips = [poses.skeleton.index(joint) for joint in ("LHip", "RHip")]
        valid = valid & valid[:, hips].all(1, keepdims=True)
        lying = lying & valid.any(1)
    return poses.replace(poses=turned, valid=valid, reference="canonical"), int(np.count_nonzero(lying))
