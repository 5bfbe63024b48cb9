"""The card of a bank: everything that its centres depend on, and what they are like, as a JSON file beside them.

Cards are files from strangers: every field is checked, none may be missing or added, and the hash in `sha256.card`
covers all the others.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from posebench.banks.layout import BANK_REFERENCES, CENTRINGS, Layout
from posebench.errors import InputError, UsageError
from posebench.io.array_file import read_bytes
from posebench.io.facts import brief, shown, shown_kind
from posebench.skeletons import named_skeleton

SCHEMA = "posebench.bank/1"
#: Poses are divided by their Frobenius norm; there is no other way, and the card says so.
NORMALISATION = "frobenius"
#: A pose lies near a boundary if its second nearest centre is at most this share farther than its nearest.
NEAR = 0.05

#: Bytes of a card that is read.
LIMIT = 4 * 2**20
#: Most clusters, and most joints.
MOST_CENTRES = 65_536
MOST_JOINTS = 1000
#: Most files, sources and notes.
MOST_NOTES = 10_000
_TEXT_LIMIT = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MISSING = object()


@dataclass(frozen=True)
class Source:
    """Where ground truth came from, under which licence, and the words that its authors ask for."""

    name: str
    licence: str
    attribution: str


@dataclass(frozen=True)
class InputFile:
    """A file that poses were read from: its name without folder, and the SHA-256 of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Thinning:
    """Every `stride`-th frame of a sequence, and of these only frames at least `min_distance` from the last one kept.

    The distance is between normalised poses.
    """

    stride: int = 1
    min_distance: float = 0.0


@dataclass(frozen=True)
class PoseCounts:
    """How many poses were given, left out and used; masked and degenerate ones cannot be normalised."""

    given: int
    thinned: int
    masked: int
    degenerate: int
    used: int


@dataclass(frozen=True)
class KMeansFacts:
    """Settings and course of k-means; null where the algorithm has no such thing."""

    #: ``lloyd`` or ``minibatch``.
    algorithm: str
    init: str
    #: Most poses that are seeded from.
    seeding_poses: int
    seed: int
    n_init: int
    max_iter: int | None
    tol: float | None
    batch_size: int | None
    epochs: int | None
    #: Poses whose sums are taken together: fixes the order of summation.
    chunk: int
    #: The run that won, from 0, and its iterations (epochs of mini-batches).
    run: int
    iterations: int
    converged: bool | None


@dataclass(frozen=True)
class Hashes:
    """SHA-256: of the normalised poses used and of the centres (`ArrayDigest`), and of the .npz file's bytes."""

    input: str
    centres: str
    file: str


@dataclass(frozen=True)
class BankCard:
    """What a bank is.

    `inertia` is the sum over poses of the squared distance to their centre, `mean_squared_distance` that sum over the
    number of poses (the tau of PSS-soft); `near_boundary` is the share of poses whose second nearest centre is at most
    5 % farther away than the nearest, d2 <= 1.05 d1.
    """

    name: str
    k: int
    layout: Layout
    split: str
    sources: tuple[Source, ...]
    files: tuple[InputFile, ...]
    #: What was assumed of the poses, and how joints were converted.
    notes: tuple[str, ...]
    thinning: Thinning
    poses: PoseCounts
    kmeans: KMeansFacts
    inertia: float
    mean_squared_distance: float
    cluster_sizes: tuple[int, ...]
    near_boundary: float
    versions: Mapping[str, str] = field(hash=False)
    hashes: Hashes
    command: str
    #: How the poses were seen: by which cameras, turned or not.
    viewing: str = ""

    @property
    def sha256(self) -> str:
        """Hash of the whole card but itself."""
        content = json.dumps(self._content(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The card as it stands in its file."""
        content = self._content()
        content["sha256"]["card"] = self.sha256
        return content

    def _content(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "name": self.name,
            "k": self.k,
            "skeleton": self.layout.skeleton,
            "joints": list(self.layout.joints),
            "root": self.layout.root,
            "centring": self.layout.centring,
            "reference": self.layout.reference,
            "viewing": self.viewing,
            "normalisation": NORMALISATION,
            "split": self.split,
            "sources": [asdict(source) for source in self.sources],
            "files": [asdict(file) for file in self.files],
            "notes": list(self.notes),
            "thinning": asdict(self.thinning),
            "poses": asdict(self.poses),
            "kmeans": asdict(self.kmeans),
            "inertia": self.inertia,
            "mean_squared_distance": self.mean_squared_distance,
            "cluster_sizes": list(self.cluster_sizes),
            "near_boundary": self.near_boundary,
            "versions": dict(self.versions),
            "sha256": asdict(self.hashes),
            "command": self.command,
        }


def render_card(card: BankCard) -> bytes:
    """The bytes of a card's file; the same card gives the same bytes."""
    return (json.dumps(card.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_card(path: Path) -> tuple[BankCard, bytes]:
    """A card and the bytes of its file.

    Raises
    ------
    InputError
        If the file cannot be read, is not JSON, or is no card; the message names the field.
    """
    data = read_bytes(path, LIMIT)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) < len(pairs):
            raise InputError(f"{path}: a name stands twice in one object, among {shown(sorted(names))}")
        return names

    def no_number(text: str) -> NoReturn:
        raise InputError(f"{path}: holds {text}, which is no number of JSON")

    try:
        content = json.loads(data.decode(), object_pairs_hook=unique, parse_constant=no_number)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: line {error.lineno}, column {error.colno}: is not JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not text, expected JSON in UTF-8") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply for the card of a bank") from None
    except InputError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise InputError(f"{path}: holds a number that cannot be read: {brief(error)}") from None
    return parse_card(content, str(path)), data


def parse_card(content: Any, where: str) -> BankCard:
    """A card from plain data, field by field.

    Raises
    ------
    InputError
        If a field is missing, unknown, of the wrong kind, contradicts another or does not match the hash of the card.
    """
    top = _Fields(content, where, "")
    top.constant("schema", SCHEMA)
    name = _name(top)
    k = top.whole("k", 2, MOST_CENTRES)
    layout = _layout(top)
    top.constant("normalisation", NORMALISATION)
    sources = _sources(top)
    files = tuple(InputFile(each.text("name"), each.sha256("sha256")) for each in top.several("files"))
    notes = top.texts("notes", MOST_NOTES)
    thinned = top.fields("thinning")
    thinning = Thinning(thinned.whole("stride", 1), thinned.number("min_distance", 0, 2))
    counted = top.fields("poses")
    counts = PoseCounts(*(counted.whole(each) for each in ("given", "thinned", "masked", "degenerate", "used")))
    if counts.used < k:
        top.refuse("poses.used", counts.used, f"at least the {k} of k")
    if counts.given != counts.thinned + counts.masked + counts.degenerate + counts.used:
        top.refuse("poses", asdict(counts), "as many given as thinned, masked, degenerate and used together")
    kmeans = _kmeans(top.fields("kmeans"))
    inertia = top.number("inertia", 0)
    mean = top.number("mean_squared_distance", 0)
    if not math.isclose(mean * counts.used, inertia, rel_tol=1e-9, abs_tol=1e-12):
        top.refuse("mean_squared_distance", mean, "the inertia over the number of poses used")
    sizes = top.wholes("cluster_sizes")
    if len(sizes) != k or sum(sizes) != counts.used:
        top.refuse("cluster_sizes", list(sizes), f"{k} numbers that add up to the {counts.used} poses used")
    near = top.number("near_boundary", 0, 1)
    versions = top.texts_by_name("versions")
    hashed = top.fields("sha256")
    hashes = Hashes(*(hashed.sha256(each) for each in ("input", "centres", "file")))
    stated = hashed.sha256("card")
    split, command, viewing = (top.text(each, empty=True) for each in ("split", "command", "viewing"))
    top.nothing_else()
    card = BankCard(
        name=name,
        k=k,
        layout=layout,
        split=split,
        sources=sources,
        files=files,
        notes=notes,
        thinning=thinning,
        poses=counts,
        kmeans=kmeans,
        inertia=inertia,
        mean_squared_distance=mean,
        cluster_sizes=sizes,
        near_boundary=near,
        versions=versions,
        hashes=hashes,
        command=command,
        viewing=viewing,
    )
    if card.sha256 != stated:
        top.refuse("sha256.card", stated, f"{card.sha256}: the card was changed after it was written")
    return card


def check_descriptions(name: str, split: str, sources: Sequence[Source], command: str) -> None:
    """Raise unless these can stand on a card.

    Raises
    ------
    UsageError
        With the field that cannot.
    """
    if not all(isinstance(source, Source) for source in sources):
        raise UsageError("sources holds something else than Source(name, licence, attribution)")
    content = {"name": name, "split": split, "sources": [asdict(source) for source in sources], "command": command}
    top = _Fields(content, "the card", "")
    try:
        _name(top)
        _sources(top)
        for line in ("split", "command"):
            top.text(line, empty=True)
    except InputError as error:
        raise UsageError(str(error)) from None


def _name(top: _Fields) -> str:
    name = top.text("name")
    if not _NAME.fullmatch(name):
        top.refuse("name", name, "at most 64 letters, digits and . _ -, a letter or digit first")
    return name


def _sources(top: _Fields) -> tuple[Source, ...]:
    return tuple(
        Source(each.text("name"), each.text("licence"), each.text("attribution", empty=True))
        for each in top.several("sources")
    )


def _layout(top: _Fields) -> Layout:
    joints = top.texts("joints", MOST_JOINTS)
    root = top.get("root")
    if root is not None and root not in joints:
        top.refuse("root", root, "one of the joints, or null")
    centring = top.choice("centring", CENTRINGS)
    if (centring == "root") != (root is not None):
        top.refuse("centring", centring, "'root' with a root, 'mean' with null")
    reference = top.choice("reference", BANK_REFERENCES)
    skeleton = top.text("skeleton")
    try:
        known = named_skeleton(skeleton).joints
    except UsageError:
        known = joints  # a skeleton of the user's own; the names of its joints are all that is needed
    if not set(joints) <= set(known):
        top.refuse("joints", list(joints), f"joints of {skeleton}")
    try:
        return Layout(skeleton, joints, root, reference)
    except UsageError as error:
        raise InputError(f"{top.where}: {error}") from None


def _kmeans(fields: _Fields) -> KMeansFacts:
    algorithm = fields.choice("algorithm", ("lloyd", "minibatch"))
    batches = algorithm == "minibatch"
    for name in ("max_iter", "tol", "converged") if batches else ("batch_size", "epochs"):
        fields.constant(name, None)
    return KMeansFacts(
        algorithm=algorithm,
        init=fields.text("init"),
        seeding_poses=fields.whole("seeding_poses", 1),
        seed=fields.whole("seed"),
        n_init=fields.whole("n_init", 1),
        max_iter=None if batches else fields.whole("max_iter", 1),
        tol=None if batches else fields.number("tol", 0),
        batch_size=fields.whole("batch_size", 1) if batches else None,
        epochs=fields.whole("epochs", 1) if batches else None,
        chunk=fields.whole("chunk", 1),
        run=fields.whole("run"),
        iterations=fields.whole("iterations", 1),
        converged=None if batches else fields.flag("converged"),
    )


class _Fields:
    """Typed access to the fields of an object; what was not asked for must not be there."""

    def __init__(self, content: Any, where: str, prefix: str) -> None:
        self.where, self.prefix = where, prefix
        if not isinstance(content, dict):
            raise InputError(
                f"{where}: {prefix.rstrip('.') or 'the file'} holds {shown_kind(content)}, expected an object with the "
                "fields of a bank's card"
            )
        self.content = content
        self.asked: set[str] = set()
        self.inner: list[_Fields] = []

    def refuse(self, name: str, found: object, expected: str) -> NoReturn:
        raise InputError(f"{self.where}: {self.prefix}{name} is {shown(found)}, expected {expected}")

    def get(self, name: str) -> Any:
        self.asked.add(name)
        value = self.content.get(name, _MISSING)
        if value is _MISSING:
            raise InputError(f"{self.where}: lacks {self.prefix}{name}, which the card of a bank has")
        return value

    def constant(self, name: str, expected: object) -> None:
        value = self.get(name)
        if type(value) is not type(expected) or value != expected:
            self.refuse(name, value, shown(expected))

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        value = self.get(name)
        if not isinstance(value, str) or value not in allowed:
            self.refuse(name, value, f"one of {', '.join(allowed)}")
        return value

    def text(self, name: str, *, empty: bool = False) -> str:
        return self._text(name, self.get(name), empty=empty)

    def _text(self, name: str, value: Any, *, empty: bool = False) -> str:
        sound = isinstance(value, str) and len(value) <= _TEXT_LIMIT and value.isprintable()
        if not sound or not (value.strip() or empty):
            self.refuse(name, value, f"a line of text of at most {_TEXT_LIMIT} characters")
        return str(value)

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        return tuple(self._text(name, item) for item in self._list(name, most))

    def texts_by_name(self, name: str) -> dict[str, str]:
        value = self.get(name)
        if not isinstance(value, dict):
            self.refuse(name, value, "texts by name")
        return {self._text(name, key): self._text(f"{name}.{key}", text) for key, text in value.items()}

    def sha256(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            self.refuse(name, value, "a SHA-256 as 64 hexadecimal digits")
        return value

    def whole(self, name: str, least: int = 0, most: int = 2**63 - 1) -> int:
        return self._whole(name, self.get(name), least, most)

    def _whole(self, name: str, value: Any, least: int, most: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            limits = f"from {least}" + (f" to {most}" if most < 2**63 - 1 else "")
            found = value if not isinstance(value, int) or value.bit_length() < 64 else "a huge number"
            self.refuse(name, found, f"a whole number {limits}")
        return value

    def wholes(self, name: str) -> tuple[int, ...]:
        return tuple(self._whole(name, item, 0, 2**63 - 1) for item in self._list(name, MOST_CENTRES))

    def number(self, name: str, least: float, most: float = math.inf) -> float:
        value = self.get(name)
        sound = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e300
        if not sound or not least <= value <= most:
            self.refuse(name, value, f"a number from {least}" + (f" to {most}" if most < math.inf else ""))
        return float(value)

    def flag(self, name: str) -> bool:
        value = self.get(name)
        if not isinstance(value, bool):
            self.refuse(name, value, "true or false")
        return value

    def fields(self, name: str) -> _Fields:
        found = _Fields(self.get(name), self.where, f"{self.prefix}{name}.")
        self.inner.append(found)
        return found

    def several(self, name: str) -> list[_Fields]:
        items = self._list(name, MOST_NOTES)
        found = [_Fields(item, self.where, f"{self.prefix}{name}[{i}].") for i, item in enumerate(items)]
        self.inner += found
        return found

    def _list(self, name: str, most: int) -> list[Any]:
        value = self.get(name)
        if not isinstance(value, list) or len(value) > most:
            self.refuse(name, value, f"a list of at most {most}")
        return value

    def nothing_else(self) -> None:
        """Raise if this object, or one in it, has a field that nobody asked for."""
        odd = sorted(set(self.content) - self.asked)
        if odd:
            raise InputError(f"{self.where}: has {self.prefix}{odd[0]!a}, which no card of a bank has")
        for fields in self.inner:
            fields.nothing_else()
