"""ClusterBank: k-means centres of ground-truth poses with the card that says how they came about.

The Pose Structure Score asks whether a prediction and its ground truth have the same nearest centre; this module
makes, keeps and looks up the centres, and leaves the score to `posebench.metrics`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from posebench.banks.assign import Assigner, squared_distances, two_nearest
from posebench.banks.building import (
    Builder,
    check_whole,
    make_batch_settings,
    make_layout,
    make_settings,
    npz_bytes,
)
from posebench.banks.card import BankCard, Source, read_card, render_card
from posebench.banks.digest import array_sha256
from posebench.banks.kmeans import Progress
from posebench.banks.layout import Flags, Floats, Layout
from posebench.banks.material import (
    Item,
    as_items,
    batch_sets,
    collect,
    make_thinning,
    normalised_rows,
    notes_of,
    reference_of,
    upper_count,
)
from posebench.errors import InputError, UsageError
from posebench.io.array_file import read_arrays
from posebench.io.atomic import atomic_write
from posebench.io.hashing import sha256_of
from posebench.kernels.dispatch import map_chunks
from posebench.poses import PoseSet
from posebench.skeletons import Skeleton, get_skeleton

if TYPE_CHECKING:
    from distributed import Client

#: Bytes of normalised poses, 24 J each, that are kept in memory for Lloyd's algorithm.
MEMORY_LIMIT = 2 * 2**30
#: Bytes of the .npz of a bank that is read.
FILE_LIMIT = 256 * 2**20
_ALGORITHMS = ("auto", "lloyd", "minibatch")


@dataclass(frozen=True)
class Assignment:
    """Labels (N,) of poses, -1 where flags (N,) of `PoseFlag` say why there is none, and what had to be assumed."""

    labels: npt.NDArray[np.int64]
    flags: Flags
    notes: tuple[str, ...]


class ClusterBank:
    """Centres (k, J, 3) of normalised poses, and their card.

    Made by `ClusterBank.build`, `build_streaming`, `build_sharded` or `load`. A pose belongs to the centre nearest to
    it after it was centred on the root (or on the mean of its joints) and divided by its Frobenius norm; ties go to the
    lowest index.

    Parameters
    ----------
    centres : array, (k, J, 3)
    card : BankCard

    Raises
    ------
    InputError
        If the centres are not those of the card, or no means of normalised poses.

    References
    ----------
    Kocabas, Karagoz, Akbas, CVPR 2019.

    Examples
    --------
    >>> gt = np.random.default_rng(0).normal(size=(200, 17, 3)) * 300
    >>> bank = ClusterBank.build(gt, k=5, skeleton="h36m17", seed=0)
    >>> bank
    ClusterBank('h36m17-k5', k=5, 17 joints of h36m17, camera reference)
    >>> bank.assign(2 * gt[:3] + 1000).tolist() == bank.assign(gt[:3]).tolist()
    True
    """

    def __init__(self, centres: npt.ArrayLike, card: BankCard) -> None:
        self._centres = _checked(centres, card, card.name)
        self._card = card

    @property
    def centres(self) -> Floats:
        """Centres (k, J, 3), float64, read-only."""
        return self._centres

    @property
    def card(self) -> BankCard:
        """How the bank came about."""
        return self._card

    @property
    def name(self) -> str:
        """The bank's name."""
        return self._card.name

    @property
    def k(self) -> int:
        """Number of centres."""
        return self._card.k

    @property
    def layout(self) -> Layout:
        """Joints, centring and reference."""
        return self._card.layout

    @property
    def sha256(self) -> str:
        """Hash of the centres, which every PSS carries; with the same layout the same hash gives the same labels."""
        return self._card.hashes.centres

    def __repr__(self) -> str:
        joints = f"{len(self.layout.joints)} joints of {self.layout.skeleton}"
        return f"ClusterBank({self.name!r}, k={self.k}, {joints}, {self.layout.reference} reference)"

    # Looking up

    def assign(self, poses: npt.ArrayLike | PoseSet) -> npt.NDArray[np.int64]:
        """Index (N,) of the nearest centre of each pose; -1 for a pose with a masked joint, or all joints in one point.

        Parameters
        ----------
        poses : array (N, J, 3) or PoseSet
            In any unit. An array holds the bank's joints, or those of its skeleton, by number; a set of another
            skeleton is converted by joint name. A set that does not say its reference is taken to be in the bank's.

        Raises
        ------
        InputError
            If joints are lacking or not finite, or a set says that it is in another reference.

        Examples
        --------
        >>> gt = np.random.default_rng(0).normal(size=(200, 17, 3))
        >>> labels = ClusterBank.build(gt, k=5).assign(gt)
        >>> labels.shape, int(labels.min()), int(labels.max())
        ((200,), 0, 4)
        """
        return self.assign_with_flags(poses).labels

    def assign_with_flags(self, poses: npt.ArrayLike | PoseSet) -> Assignment:
        """As `assign`, with the reason of each -1 and notes on what was assumed or converted.

        Raises
        ------
        InputError
            As `assign`.

        Examples
        --------
        >>> gt = np.random.default_rng(0).normal(size=(200, 17, 3))
        >>> found = ClusterBank.build(gt, k=5).assign_with_flags(PoseSet(np.ones((1, 17, 3)), skeleton="h36m17"))
        >>> found.labels.tolist(), found.flags.tolist(), found.notes  # 8 is DEGENERATE
        ([-1], [8], ('reference of array assumed: camera',))
        """
        return assign_all([self], poses)[0]

    def two_nearest(self, poses: npt.ArrayLike | PoseSet) -> tuple[npt.NDArray[np.int64], Floats]:
        """The two nearest centres (N, 2) of each pose and the distances (N, 2) to them; -1 and NaN where there is none.

        Raises
        ------
        InputError
            As `assign`.

        Examples
        --------
        >>> gt = np.random.default_rng(0).normal(size=(200, 17, 3))
        >>> bank = ClusterBank.build(gt, k=5)
        >>> labels, distances = bank.two_nearest(gt)
        >>> bool((labels[:, 0] == bank.assign(gt)).all()), bool((distances[:, 0] <= distances[:, 1]).all())
        (True, True)
        """
        flat_centres = self._centres.reshape(self.k, -1)

        def work(normalised: Floats) -> tuple[npt.NDArray[Any], Floats]:
            labels, squares = two_nearest(normalised, flat_centres)
            return labels, np.sqrt(squares)

        labels, distances = self._over(poses, work)
        return labels.astype(np.int64), distances

    def squared_distances(self, poses: npt.ArrayLike | PoseSet) -> Floats:
        """Squared distances (N, k) of the normalised poses to all centres, NaN where a pose cannot be normalised.

        Raises
        ------
        InputError
            As `assign`.

        Examples
        --------
        >>> gt = np.random.default_rng(0).normal(size=(200, 17, 3))
        >>> ClusterBank.build(gt, k=5).squared_distances(gt).shape
        (200, 5)
        """
        flat_centres = self._centres.reshape(self.k, -1)
        (squares,) = self._over(poses, lambda normalised: (squared_distances(normalised, flat_centres),))
        return squares

    def _over(
        self, poses: npt.ArrayLike | PoseSet, work: Callable[[Floats], tuple[npt.NDArray[Any], ...]]
    ) -> tuple[npt.NDArray[Any], ...]:
        """Results of `work` on the normalised rows of all chunks, joined; -1 or NaN where a pose is flagged."""
        fitted = self.layout.fit(poses)

        def one(part: slice) -> tuple[npt.NDArray[Any], ...]:
            found = self.layout.normalise(*fitted.take(part))
            fitted.refuse_not_finite(found.flags, np.arange(part.start, part.stop))
            results = work(found.rows)
            for result in results:
                result[found.flags != 0] = -1 if result.dtype.kind == "i" else np.nan
            return results

        chunks = list(map_chunks(one, len(fitted))) or [work(np.zeros((0, 3 * len(self.layout.joints))))]
        return tuple(np.concatenate(parts) for parts in zip(*chunks, strict=True))

    # Making

    @classmethod
    def build(
        cls,
        gt_poses: Item | Sequence[Item],
        *,
        k: int,
        skeleton: str | Skeleton = "h36m17",
        seed: int = 0,
        name: str | None = None,
        joints: Sequence[str] | None = None,
        centring: str = "root",
        root: str | None = None,
        reference: str | None = None,
        sources: Sequence[Source] = (),
        split: str = "",
        stride: int = 1,
        min_distance: float = 0.0,
        algorithm: str = "auto",
        n_init: int = 10,
        max_iter: int = 300,
        tol: float = 1e-4,
        batch_size: int = 16_384,
        epochs: int = 3,
        memory_limit: int = MEMORY_LIMIT,
        progress: Progress | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 10,
        command: str | None = None,
    ) -> ClusterBank:
        """Cluster ground-truth poses.

        The same poses, settings and versions give the same centres to the last bit, on any number of threads.

        Parameters
        ----------
        gt_poses : array (N, J, 3), PoseSet, path, or list of these
            In any unit. Plain arrays are in the camera reference. Poses with a masked joint, or with all joints in one
            point, are left out and counted on the card.
        k : int
            Number of centres, at least 2.
        skeleton : str or Skeleton
        seed : int
            Not negative.
        name : str, optional
            By default made of skeleton and k.
        joints : sequence of str, optional
            Which joints of the skeleton, in this order; all by default.
        centring : {"root", "mean"}
            What a pose is centred on before it is divided by its Frobenius norm.
        root : str, optional
            The joint for ``centring="root"``; the skeleton's root by default.
        reference : {"camera", "world", "canonical"}, optional
            By default what the sets say.
        sources : sequence of Source
            Where the poses come from, with licence and attribution, for the card.
        split : str
            Which part of the data, in words, for the card: ``"training subjects S1, S5, S6, S7, S8"``.
        stride, min_distance : int, float
            Thinning within each sequence: every `stride`-th frame, and of these only poses at least `min_distance` (of
            normalised poses) from the last one kept.
        algorithm : {"auto", "lloyd", "minibatch"}
            ``auto``: Lloyd's if the normalised poses fit into `memory_limit`, mini-batches if not. ``lloyd`` beyond the
            limit keeps them in a temporary file.
        n_init, max_iter, tol
            Lloyd's: runs, of which the one of least inertia is taken; most iterations of a run; a run ends when the
            squared shifts of the centres add up to at most `tol` times the mean variance of a coordinate.
        batch_size, epochs
            Mini-batches: poses per update, passes over the poses.
        memory_limit : int
            Bytes; a normalised pose takes 24 J.
        progress : callable, optional
            Called with a `Step` after each iteration. An exception from it, or Ctrl-C, ends the build and leaves the
            checkpoint.
        checkpoint : path, optional
            A file for the state of the fit, every `checkpoint_every` iterations. If it exists, the build goes on from
            there, to the same centres. Removed in the end.
        command : str, optional
            What builds the bank again, for the card.

        Returns
        -------
        ClusterBank

        Raises
        ------
        InputError
            If poses lack joints, are not finite or of different references; if there are fewer different poses than
            centres; if the checkpoint belongs to another build.
        UsageError
            If a setting is out of range.

        Examples
        --------
        >>> gt = np.random.default_rng(0).normal(size=(200, 17, 3)) * 300
        >>> bank = ClusterBank.build(gt, k=5, skeleton="h36m17", seed=0)
        >>> bank.centres.shape, bank.card.poses.used, bank.card.kmeans.converged
        ((5, 17, 3), 200, True)
        """
        if algorithm not in _ALGORITHMS:
            raise UsageError(f"algorithm is {algorithm!r}, expected one of {', '.join(_ALGORITHMS)}")
        check_whole(memory_limit=(memory_limit, 1), checkpoint_every=(checkpoint_every, 1))
        settings = make_settings(k, seed, n_init, max_iter, tol)
        batch_settings = make_batch_settings(k, seed, batch_size, epochs)
        thinning = make_thinning(stride, min_distance)
        known = get_skeleton(skeleton)
        items, files = as_items(gt_poses)
        layout = make_layout(known, joints, centring, root, reference_of(items, reference))
        several = len(items) > 1
        sets = [layout.fit(item, f"gt_poses[{i}]" if several else "gt_poses") for i, item in enumerate(items)]
        builder = Builder(
            layout,
            name or f"{layout.skeleton}-k{k}",
            thinning,
            tuple(sources),
            split,
            command,
            files,
            notes_of(sets),
            checkpoint,
            checkpoint_every,
        )
        width = 3 * len(layout.joints)
        most = upper_count(sets, thinning)
        fits = most * width * 8 <= memory_limit
        if algorithm == "minibatch" or (algorithm == "auto" and not fits):
            call = "build(gt_poses, algorithm='minibatch'"
            return cls(*builder.by_batches(lambda: sets, batch_settings, progress, call))
        rows = collect(normalised_rows(sets, layout, thinning, builder.counter), most, width, on_disk=not fits)
        return cls(*builder.by_lloyd(rows, settings, progress))

    @classmethod
    def build_streaming(
        cls,
        batches: Callable[[], Iterable[Item]],
        *,
        k: int,
        skeleton: str | Skeleton = "h36m17",
        seed: int = 0,
        name: str | None = None,
        joints: Sequence[str] | None = None,
        centring: str = "root",
        root: str | None = None,
        reference: str | None = None,
        sources: Sequence[Source] = (),
        split: str = "",
        stride: int = 1,
        min_distance: float = 0.0,
        batch_size: int = 16_384,
        epochs: int = 3,
        progress: Progress | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 10,
        command: str | None = None,
    ) -> ClusterBank:
        """Cluster poses that do not fit into memory, by mini-batch k-means.

        The poses are read `epochs` + 2 times: once to count, hash and sample them, then for the updates, then for the
        facts on the card. How they are cut into batches does not matter (but sequences end where a batch does, which
        thinning sees); the same poses in the same order give the same centres. An order without long runs of similar
        poses gives better ones.

        Parameters
        ----------
        batches : callable
            Returns an iterable of arrays (n, J, 3), PoseSets or paths, the same each time it is called.
        k, skeleton, seed, name, joints, centring, root, reference, sources, split, stride, min_distance
            As in `build`.
        batch_size, epochs, progress, checkpoint, checkpoint_every, command
            As in `build`.

        Raises
        ------
        InputError, UsageError
            As `build`; UsageError if `batches` is no function.

        Examples
        --------
        >>> gt = np.random.default_rng(0).normal(size=(400, 17, 3)) * 300
        >>> bank = ClusterBank.build_streaming(lambda: (gt[i : i + 100] for i in range(0, 400, 100)), k=5)
        >>> bank.card.kmeans.algorithm, bank.card.poses.used
        ('minibatch', 400)
        """
        check_whole(checkpoint_every=(checkpoint_every, 1))
        settings = make_batch_settings(k, seed, batch_size, epochs)
        thinning = make_thinning(stride, min_distance)
        known = get_skeleton(skeleton)

        def layout_of(item: Item) -> Layout:
            return make_layout(known, joints, centring, root, reference_of(as_items([item])[0], reference))

        layout, sets = batch_sets(batches, layout_of)
        builder = Builder(
            layout,
            name or f"{layout.skeleton}-k{k}",
            thinning,
            tuple(sources),
            split,
            command,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
        )
        return cls(*builder.by_batches(sets, settings, progress, "build_streaming(batches"))

    @classmethod
    def build_sharded(
        cls,
        shards: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        k: int,
        skeleton: str | Skeleton = "h36m17",
        seed: int = 0,
        name: str | None = None,
        joints: Sequence[str] | None = None,
        centring: str = "root",
        reference: str | None = None,
        sources: Sequence[Source] = (),
        split: str = "",
        stride: int = 1,
        min_distance: float = 0.0,
        init: str = "k-means++",
        n_init: int = 10,
        max_iter: int = 300,
        tol: float = 1e-4,
        jobs: int = 1,
        scheduler: str | Client | None = None,
        progress: Progress | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        command: str | None = None,
    ) -> ClusterBank:
        """Cluster poses that lie in many files, by Lloyd's algorithm in passes over the files.

        Centres are those of `build` but for the order of sums, and the same to the last bit for any number of processes
        or workers. A process holds the poses of one file at a time.

        Parameters
        ----------
        shards : path or sequence of paths
            Files, folders (all files of poses below them) and globs.
        k, skeleton, seed, name, joints, centring, sources, split, n_init, max_iter, tol, progress, command
            As in `build`.
        reference : {"camera", "world"}, optional
            Of the files; by default what they say.
        stride, min_distance
            As in `build`; sequences end where a file does.
        init : {"k-means++", "k-means||"}
            Where runs begin: on evenly spaced poses as in `build`, or drawn out of all poses in rounds (Bahmani et al.,
            VLDB 2012).
        jobs : int
            Processes. With more than one, a script needs ``if __name__ == "__main__":``.
        scheduler : str or distributed.Client, optional
            Address of a Dask scheduler whose workers do the passes instead, and see the files under the same paths;
            or ``"local"``: Dask with `jobs` workers here.
        checkpoint : path, optional
            As in `build`; kept in every iteration.

        Raises
        ------
        InputError
            As `build`; also if a file changes between passes, or no scheduler answers.
        UsageError
            If a setting is out of range, or a file is given twice.
        MissingExtraError
            If there is a scheduler, and Dask is not installed.

        Examples
        --------
        >>> import tempfile, posebench as pb
        >>> gt = np.random.default_rng(0).normal(size=(200, 17, 3)) * 300
        >>> facts = {"skeleton": "h36m17", "unit": "mm", "reference": "camera"}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for shard in range(2):
        ...         pb.write(pb.PoseSet(gt[shard::2], **facts), f"{folder}/{shard}.npz")
        ...     bank = ClusterBank.build_sharded(folder, k=5)
        >>> bank.card.kmeans.algorithm, bank.card.poses.used, len(bank.card.files)
        ('lloyd', 200, 2)
        """
        from posebench.banks.recipe import Plan, Recipe, gt_files
        from posebench.scheduling import LOCAL, spread_over

        check_whole(jobs=(jobs, 1))
        if scheduler not in (None, LOCAL) and jobs > 1:
            raise UsageError("jobs are processes on this machine, and the workers of a scheduler are as many as it has")
        known = get_skeleton(skeleton)
        plan = Plan(
            name or f"{known.name}-k{k}",
            k,
            Recipe(stride=stride, skeleton=known, said_reference=reference),
            seed,
            None if joints is None else tuple(joints),
            centring,
            min_distance,
            "sharded",
            init,
            n_init,
            max_iter,
            tol,
            tuple(sources),
            split,
            command or "",
        )
        given = [shards] if isinstance(shards, (str, os.PathLike)) else list(shards)
        files = gt_files([Path(each) for each in given])
        state = None if checkpoint is None else Path(checkpoint)
        what = str(files[0].parent) if files else "shards"
        with spread_over(min(jobs, max(1, len(files))), scheduler, what) as spread:
            return plan.build(plan.survey(files, spread), progress=progress, checkpoint=state)

    # Files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the bank: `path`, which ends in .npz, holds the centres, and the .json beside it the card.

        The same bank gives the same bytes. Files that exist are replaced.

        Raises
        ------
        UsageError
            If the path does not end in .npz.
        InputError
            If a file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> gt = np.random.default_rng(0).normal(size=(200, 17, 3))
        >>> bank, path = ClusterBank.build(gt, k=5), Path(tempfile.mkdtemp(), "small.npz")
        >>> bank.save(path)
        >>> ClusterBank.load(path).sha256 == bank.sha256
        True
        """
        npz, json = _paths(path)
        data = npz_bytes(self._centres)
        self._card = replace(self._card, hashes=replace(self._card.hashes, file=hashlib.sha256(data).hexdigest()))
        with atomic_write(npz) as handle:
            handle.write(data)
        with atomic_write(json) as handle:
            handle.write(render_card(self._card))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ClusterBank:
        """Read a bank from its .npz and the card beside it; nothing in them is believed before it is checked.

        Raises
        ------
        InputError
            If a file cannot be read, is damaged, or the two do not belong together.
        UsageError
            If the path does not end in .npz.

        Examples
        --------
        >>> ClusterBank.load("clusters/none.npz")
        Traceback (most recent call last):
        posebench.errors.InputError: clusters/none.json: cannot be read: No such file or directory
        """
        npz, json = _paths(path)
        return cls._read(npz, read_card(json)[0])

    @classmethod
    def verify(cls, path: str | os.PathLike[str]) -> None:
        """Return if both files of a bank are byte for byte as `save` wrote them, raise if not.

        Beyond what `load` checks, this notices changes that mean nothing, such as white space in the card.

        Raises
        ------
        InputError
            With one sentence that says which file was changed.
        UsageError
            If the path does not end in .npz.

        Examples
        --------
        >>> import tempfile
        >>> bank = ClusterBank.build(np.random.default_rng(0).normal(size=(50, 17, 3)), k=2)
        >>> path = Path(tempfile.mkdtemp(), "small.npz")
        >>> bank.save(path)
        >>> ClusterBank.verify(path)
        >>> _ = path.write_bytes(path.read_bytes()[:-1] + b"?")
        >>> ClusterBank.verify(path)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        posebench.errors.InputError: ...small.npz: is not as it was written, though its centres are the same; ...
        """
        npz, json = _paths(path)
        card, data = read_card(json)
        cls._read(npz, card)
        if render_card(card) != data:
            raise InputError(f"{json}: is not as it was written, though it says the same; save the bank again")
        if sha256_of(npz) != card.hashes.file:
            raise InputError(f"{npz}: is not as it was written, though its centres are the same; save the bank again")

    @classmethod
    def _read(cls, npz: Path, card: BankCard) -> ClusterBank:
        centres = read_arrays(npz, ["centres"], FILE_LIMIT)["centres"]
        _checked(centres, card, str(npz))
        return cls(centres, card)


def assign_all(banks: Sequence[ClusterBank], poses: npt.ArrayLike | PoseSet) -> list[Assignment]:
    """Labels of the same poses in several banks, in their order; banks of one layout share a pass over the poses.

    Raises
    ------
    InputError
        As `ClusterBank.assign`.

    Examples
    --------
    >>> gt = np.random.default_rng(0).normal(size=(200, 17, 3))
    >>> banks = [ClusterBank.build(gt, k=k) for k in (5, 10)]
    >>> [found.labels.shape for found in assign_all(banks, gt)]
    [(200,), (200,)]
    """
    found: dict[int, Assignment] = {}
    for assigner, members in assigners(banks):
        found |= zip(members, _assign(assigner, poses), strict=True)
    return [found[b] for b in range(len(banks))]


def assigners(banks: Sequence[ClusterBank]) -> list[tuple[Assigner, tuple[int, ...]]]:
    """What labels chunks of poses in several banks: one `Assigner` for all banks of a layout, with their indices.

    Examples
    --------
    >>> gt = np.random.default_rng(0).normal(size=(200, 17, 3))
    >>> banks = [ClusterBank.build(gt, k=5), ClusterBank.build(gt, k=5, centring="mean"), ClusterBank.build(gt, k=9)]
    >>> [members for _, members in assigners(banks)]
    [(0, 2), (1,)]
    """
    groups: dict[Layout, list[int]] = {}
    for b, bank in enumerate(banks):
        groups.setdefault(bank.layout, []).append(b)
    return [
        (Assigner(layout, [banks[b].centres for b in members]), tuple(members)) for layout, members in groups.items()
    ]


def _assign(assigner: Assigner, poses: npt.ArrayLike | PoseSet) -> list[Assignment]:
    """Labels in banks that share a layout."""
    fitted = assigner.layout.fit(poses)
    labels = np.empty((len(assigner), len(fitted)), np.int64)
    flags = np.empty(len(fitted), np.uint16)

    def fill(part: slice) -> None:
        labels[:, part], flags[part] = assigner.labels(*fitted.take(part))
        fitted.refuse_not_finite(flags[part], np.arange(part.start, part.stop))

    for _ in map_chunks(fill, len(fitted)):
        pass
    return [Assignment(row, flags, fitted.notes) for row in labels]


def _checked(centres: npt.ArrayLike, card: BankCard, where: str) -> Floats:
    """The centres, read-only, once they are what the card says and means of normalised poses."""
    given = np.asarray(centres)
    k, n_joints = card.k, len(card.layout.joints)
    if given.dtype.kind != "f" or given.dtype.itemsize != 8 or given.shape != (k, n_joints, 3):
        raise InputError(
            f"{where}: the centres are {given.dtype} of shape {given.shape}, expected float64 of shape "
            f"{(k, n_joints, 3)}, as the card says"
        )
    found = np.array(given, np.float64, order="C")
    bad = np.flatnonzero(~np.isfinite(found).all((1, 2)))
    if len(bad):
        raise InputError(f"{where}: centre {bad[0]} is not finite")
    with np.errstate(over="ignore"):  # infinitely long is too long, too
        far = np.flatnonzero((found**2).sum((1, 2)) > 1 + 1e-9)
    if len(far):
        raise InputError(f"{where}: centre {far[0]} is longer than 1, which no mean of normalised poses is")
    if card.layout.root is not None:
        off = np.flatnonzero((np.abs(found[:, card.layout.root_index]) > 1e-9).any(1))
        if len(off):
            raise InputError(
                f"{where}: centre {off[0]} does not have its root, {card.layout.root}, in the origin, as the card says"
            )
    if array_sha256(found) != card.hashes.centres:
        raise InputError(f"{where}: the centres are not those of the card, whose hash of them differs; one was changed")
    found.setflags(write=False)
    return found


def _paths(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The two files of a bank."""
    npz = Path(path)
    if npz.suffix != ".npz":
        raise UsageError(f"{npz}: expected the path of a bank, which ends in .npz; its card is the .json beside it")
    return npz, npz.with_suffix(".json")


__all__ = ["Assignment", "ClusterBank", "assign_all", "assigners"]
