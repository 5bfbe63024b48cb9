"""From normalised poses to centres and their card: chooses nothing, records everything."""

from __future__ import annotations

import hashlib
import io
import math
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench import __version__
from posebench.banks.assign import two_nearest
from posebench.banks.card import (
    MOST_CENTRES,
    NEAR,
    BankCard,
    Hashes,
    InputFile,
    KMeansFacts,
    Source,
    Thinning,
    check_descriptions,
    parse_card,
)
from posebench.banks.checkpoint import Checkpoint
from posebench.banks.digest import array_sha256
from posebench.banks.kmeans import (
    CHUNK,
    INITS,
    SEEDING_ROWS,
    BatchSettings,
    Poses,
    Progress,
    Settings,
    fit_batches,
    fit_lloyd,
    regrouped,
)
from posebench.banks.layout import CENTRINGS, Fitted, Floats, Layout
from posebench.banks.material import Counter, EvenSample, normalised_rows
from posebench.errors import InputError, UsageError
from posebench.io.array_file import write_arrays
from posebench.kernels.dispatch import map_chunks
from posebench.skeletons import Skeleton


@dataclass
class Builder:
    """Everything about a bank that is known before its poses are clustered."""

    layout: Layout
    name: str
    thinning: Thinning
    sources: tuple[Source, ...]
    split: str
    command: str | None
    files: tuple[InputFile, ...] = ()
    #: What had to be assumed or converted.
    notes: tuple[str, ...] = ()
    checkpoint: str | os.PathLike[str] | None = None
    checkpoint_every: int = 10
    counter: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        # Before the work, not after it.
        check_descriptions(self.name, self.split, self.sources, self.command or "")

    def by_lloyd(self, rows: Floats, settings: Settings, progress: Progress | None) -> tuple[Floats, BankCard]:
        """Centres (k, J, 3) and card, by Lloyd's algorithm on all normalised poses, rows (N, 3 J)."""
        options = f"algorithm='lloyd', n_init={settings.n_init}, max_iter={settings.max_iter}, tol={settings.tol!r}"
        call = f"build(gt_poses, {self._options(settings)}, {options})"
        return self._by_lloyd(rows, lambda centres: summarise((rows,), centres), settings, progress, call)

    def by_passes(
        self, poses: Poses, measure: Callable[[Floats], Summary], settings: Settings, progress: Progress | None
    ) -> tuple[Floats, BankCard]:
        """Centres (k, J, 3) and card, by Lloyd's algorithm in passes over poses that lie in shards."""
        return self._by_lloyd(poses, measure, settings, progress, self.command or "")

    def _by_lloyd(
        self,
        poses: Floats | Poses,
        measure: Callable[[Floats], Summary],
        settings: Settings,
        progress: Progress | None,
        call: str,
    ) -> tuple[Floats, BankCard]:
        self._refuse_too_few(settings.k)
        checkpoint = self._checkpoint(settings)
        fit = fit_lloyd(poses, settings, progress=progress, checkpoint=checkpoint)
        summary = measure(fit.centres)
        facts = KMeansFacts(
            algorithm="lloyd",
            init=settings.init,
            seeding_poses=SEEDING_ROWS if settings.init == "k-means++" else self.counter.used,
            seed=settings.seed,
            n_init=settings.n_init,
            max_iter=settings.max_iter,
            tol=float(settings.tol),
            batch_size=None,
            epochs=None,
            chunk=CHUNK,
            run=fit.run,
            iterations=fit.iterations,
            converged=fit.converged,
        )
        return self._finish(fit.centres, facts, summary, checkpoint, call)

    def by_batches(
        self, sets: Callable[[], Iterable[Fitted]], settings: BatchSettings, progress: Progress | None, call: str
    ) -> tuple[Floats, BankCard]:
        """Centres (k, J, 3) and card, by mini-batches of poses that are read again for every pass."""
        sample = EvenSample(SEEDING_ROWS)
        for some in normalised_rows(sets(), self.layout, self.thinning, self.counter):
            sample.add(some)
        self._refuse_too_few(settings.k)

        def stream() -> Iterator[Floats]:
            again = Counter()
            yield from normalised_rows(sets(), self.layout, self.thinning, again)
            if again.sha256(self.layout) != self.counter.sha256(self.layout):
                raise InputError("batches yields other poses than the first time; it must give the same ones each time")

        checkpoint = self._checkpoint(settings)
        seeding = sample.rows(3 * len(self.layout.joints))
        centres = fit_batches(stream, seeding, settings, progress=progress, checkpoint=checkpoint)
        summary = summarise(regrouped(stream(), CHUNK), centres)
        facts = KMeansFacts(
            algorithm="minibatch",
            init="k-means++",
            seeding_poses=SEEDING_ROWS,
            seed=settings.seed,
            n_init=1,
            max_iter=None,
            tol=None,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            chunk=CHUNK,
            run=0,
            iterations=settings.epochs,
            converged=None,
        )
        options = f"batch_size={settings.batch_size}, epochs={settings.epochs}"
        return self._finish(centres, facts, summary, checkpoint, f"{call}, {self._options(settings)}, {options})")

    def _finish(
        self, centres: Floats, facts: KMeansFacts, summary: Summary, checkpoint: Checkpoint | None, call: str
    ) -> tuple[Floats, BankCard]:
        k, used = len(centres), self.counter.used
        shaped = centres.reshape(k, -1, 3)
        card = BankCard(
            name=self.name,
            k=k,
            layout=self.layout,
            split=self.split,
            sources=self.sources,
            files=self.files,
            notes=self.notes,
            thinning=self.thinning,
            poses=self.counter.counts(),
            kmeans=facts,
            inertia=summary.inertia,
            mean_squared_distance=summary.inertia / used,
            cluster_sizes=summary.sizes,
            near_boundary=summary.near / used,
            versions=_versions(),
            hashes=Hashes(
                self.counter.sha256(self.layout), array_sha256(shaped), hashlib.sha256(npz_bytes(shaped)).hexdigest()
            ),
            command=f"posebench.ClusterBank.{call}" if self.command is None else self.command,
        )
        parsed = parse_card(card.to_dict(), "the card")
        if checkpoint is not None:
            checkpoint.remove()
        return shaped, parsed

    def _options(self, settings: Settings | BatchSettings) -> str:
        """The arguments that every way of building shares, as Python text."""
        layout = self.layout
        given: dict[str, Any] = {"k": settings.k, "skeleton": layout.skeleton, "seed": settings.seed}
        given |= {"joints": list(layout.joints), "centring": layout.centring}
        given |= {} if layout.root is None else {"root": layout.root}
        given |= {"reference": layout.reference}
        given |= {"stride": self.thinning.stride, "min_distance": self.thinning.min_distance}
        return ", ".join(f"{name}={value!r}" for name, value in given.items())

    def _refuse_too_few(self, k: int) -> None:
        counts = self.counter.counts()
        if counts.used < k:
            raise InputError(
                f"{counts.used} of {counts.given} poses can be clustered, too few for {k} clusters ({counts.thinned} "
                f"are thinned out, {counts.masked} have masked joints, {counts.degenerate} all joints in one point); "
                "give more poses or a smaller k"
            )

    def _checkpoint(self, settings: Settings | BatchSettings) -> Checkpoint | None:
        if self.checkpoint is None:
            return None
        import sklearn

        depends_on = (self.counter.sha256(self.layout), settings, CHUNK, SEEDING_ROWS, sklearn.__version__)
        fingerprint = hashlib.sha256(repr(depends_on).encode()).hexdigest()
        return Checkpoint(Path(self.checkpoint), fingerprint, self.checkpoint_every)


@dataclass(frozen=True)
class Summary:
    """Cluster sizes, inertia, and how many poses lie near a boundary."""

    sizes: tuple[int, ...]
    inertia: float
    near: int


def summarise(pieces: Iterable[Floats], centres: Floats) -> Summary:
    """Facts about rows (n, D), piece by piece, and the centres (k, D) nearest to them."""
    sizes = np.zeros(len(centres), np.int64)
    parts: list[float] = []
    near = 0
    for rows in pieces:

        def measure(part: slice, rows: Floats = rows) -> tuple[npt.NDArray[np.int64], float, int]:
            labels, squares = two_nearest(rows[part], centres)
            first, second = np.sqrt(squares).T
            counts = np.bincount(labels[:, 0], minlength=len(centres))
            # Exactly rounded sums are the same on every machine.
            return counts, math.fsum(squares[:, 0].tolist()), int((second <= (1 + NEAR) * first).sum())

        for counts, inertia, close in map_chunks(measure, len(rows), CHUNK):
            sizes += counts
            parts.append(inertia)
            near += close
    return Summary(tuple(sizes.tolist()), math.fsum(parts), near)


def npz_bytes(centres: Floats) -> bytes:
    """The .npz of centres (k, J, 3)."""
    file = io.BytesIO()
    write_arrays(file, {"centres": centres})
    return file.getvalue()


def make_layout(
    skeleton: Skeleton, joints: Sequence[str] | None, centring: str, root: str | None, reference: str
) -> Layout:
    """The layout that a caller asks for.

    Raises
    ------
    UsageError
        If it names joints that the skeleton lacks, or contradicts itself.
    """
    if centring not in CENTRINGS:
        raise UsageError(f"centring is {centring!r}, expected one of {', '.join(CENTRINGS)}")
    if isinstance(joints, str):
        raise UsageError(f"joints is {joints!r}, expected a list of joint names")
    if centring == "mean" and root is not None:
        raise UsageError(f"centring is 'mean', so root has no meaning, got {root!r}")
    chosen = skeleton.joints if joints is None else tuple(joints)
    for joint in chosen if root is None else (*chosen, root):
        skeleton.index(joint)
    at = None if centring == "mean" else root or skeleton.joints[skeleton.root]
    return Layout(skeleton.name, chosen, at, reference)


def make_settings(k: int, seed: int, n_init: int, max_iter: int, tol: float, init: str = "k-means++") -> Settings:
    """Checked settings of Lloyd's algorithm."""
    if init not in INITS:
        raise UsageError(f"init is {init!r}, expected one of {', '.join(INITS)}")
    check_whole(k=(k, 2), seed=(seed, 0), n_init=(n_init, 1), max_iter=(max_iter, 1))
    _check_k(k)
    number = isinstance(tol, int | float | np.number) and not isinstance(tol, bool)
    if not number or not 0 <= tol < math.inf:
        raise UsageError(f"tol is {tol!r}, expected a number from 0")
    return Settings(int(k), int(seed), int(n_init), int(max_iter), float(tol), init)


def make_batch_settings(k: int, seed: int, batch_size: int, epochs: int) -> BatchSettings:
    """Checked settings of mini-batches."""
    check_whole(k=(k, 2), seed=(seed, 0), batch_size=(batch_size, 1), epochs=(epochs, 1))
    _check_k(k)
    return BatchSettings(int(k), int(seed), int(batch_size), int(epochs))


def _check_k(k: int) -> None:
    if k > MOST_CENTRES:
        raise UsageError(f"k is {k}, expected at most {MOST_CENTRES}")


def check_whole(**values: tuple[Any, int]) -> None:
    """Raise unless each value is a whole number from its least one."""
    for name, (value, least) in values.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise UsageError(f"{name} is {value!r}, expected a whole number from {least}")


def _versions() -> dict[str, str]:
    import numba
    import sklearn

    return {
        "posebench": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "numba": numba.__version__,
    }
