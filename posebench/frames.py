"""Per-frame numbers of a run: the file `run.frames.npz` beside a result `run.json`.

A result says what the means are, its frames what they are means of. Comparisons and intervals are taken from them
without the poses. A `FrameTable` has a row for each ground-truth frame that was scored, in the order of the ground
truth, and for each metric that has a value per frame

- a value, in the metric's unit; NaN where the frame was not scored for this metric. `score` keeps float32: it rounds a
  value by less than 6e-8 of itself, and so a mean by no more;
- where the protocol pools over joints, a weight: how many joints (or bones, angles) the value is a mean over.

The mean of a metric, weighted where there are weights and pooled as the protocol says, is the report's value. Motion
metrics have the value of a transition at its last frame (MPJVE from the second frame of a sequence on, MPJAE from the
third). BoneSpread and PSS-kappa are no means over frames, so they are absent, and the table says why.

The file is an uncompressed .npz; the same run gives the same bytes, whatever the number of threads. Its arrays:

| array | what it holds |
|---|---|
| `record` | bytes of a JSON text: schema, what the file belongs to, and names, see below |
| `values` | float32 or float64 (metrics, frames) |
| `weights` | uint16 (sets of weights, frames); no sets where the protocol does not pool over joints |
| `codes` | integers (keys, frames): which of its names each text key of a frame has |
| `frame` | integers (frames,): frame numbers; (0,) where the ground truth has none |

`record` is `{"schema": "posebench.frames/1", "inputs": {"pred": sha256, "gt": sha256}, "protocol": {"name", "sha256",
"pooling"}, "banks": [sha256], "dataset", "metrics": [{"name", "unit", "higher_is_better", "weights"}], "absent":
{metric: why}, "keys": {key: names}}`; `weights` is the number of a set, or null. `inputs`, `protocol` and `banks` are
those of the result that the file belongs to (`FrameTable.refuse_foreign`); a hash is null for poses that came from no
file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.poses import TEXT_KEYS, KeyColumn

if TYPE_CHECKING:
    from posebench.report import Report

SCHEMA = "posebench.frames/1"

#: Bytes of the largest file that is read: ten million frames of fifty metrics.
LIMIT = 2**31

_ARRAYS = ("record", "values", "weights", "codes", "frame")
_POOLINGS = ("frame", "joint", "action", "subject", "sequence")
_ENDING = ".frames.npz"

Values = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True)
class FrameMetric:
    """A metric of the table: the number of its row of weights is None where every frame weighs the same."""

    name: str
    unit: str
    higher_is_better: bool
    weights: int | None = None


@dataclass(frozen=True)
class Origin:
    """What a table was made from: hashes that a result has as well, None where poses came from no file."""

    pred: str | None
    gt: str | None
    protocol: str
    protocol_sha256: str
    pooling: str
    #: Hashes of the cluster banks.
    banks: tuple[str, ...] = ()
    #: The data set that the ground truth says it is of.
    dataset: str | None = None


@dataclass(frozen=True, eq=False)
class FrameTable:
    """Values per frame of a run, with the keys of the frames.

    Examples
    --------
    >>> import posebench as pb
    >>> gt = np.random.default_rng(0).normal(size=(4, 17, 3)) * 300
    >>> report = pb.score(pb.PoseSet(gt + 30, unit="mm", skeleton="h36m17"), gt, metrics=["MPJPE", "PCK"], frames=True)
    >>> report.frames.of("PCK").tolist()
    [100.0, 100.0, 100.0, 100.0]
    """

    metrics: tuple[FrameMetric, ...]
    #: (metrics, frames).
    values: Values
    #: (sets, frames), see `FrameMetric.weights`.
    weights: npt.NDArray[np.uint16]
    #: The text keys that the ground truth has.
    keys: dict[str, KeyColumn]
    #: Frame numbers, None where the ground truth has none.
    frame: npt.NDArray[Any] | None
    origin: Origin
    #: Metrics of the run that have no value per frame, and why.
    absent: dict[str, str] = field(default_factory=dict)
    source: str = "frames"

    def __len__(self) -> int:
        return int(self.values.shape[1])

    def of(self, metric: str) -> Values:
        """Values (frames,) of a metric, NaN where a frame was not scored for it.

        Raises
        ------
        UsageError
            If the table does not have the metric.
        """
        found: Values = self.values[self._row(metric)]
        return found

    def weights_of(self, metric: str) -> npt.NDArray[np.float64]:
        """What each frame (frames,) weighs in the metric's mean: 0 where it was not scored.

        Raises
        ------
        UsageError
            If the table does not have the metric.
        """
        row = self._row(metric)
        scored = ~np.isnan(self.values[row])
        which = self.metrics[row].weights
        return scored.astype(np.float64) if which is None else np.where(scored, self.weights[which], 0.0)

    def groups(self, *keys: str) -> tuple[npt.NDArray[np.int64], list[tuple[str, ...]]]:
        """A number for each frame (frames,) that stands for these keys of it, and what the numbers stand for.

        ``groups("subject", "action", "sequence")`` numbers the sequences. Keys that the ground truth lacks are left
        out; numbers follow the order of the names.
        """
        codes = np.zeros(len(self), np.int64)
        columns = [self.keys[key] for key in keys if key in self.keys]
        for column in columns:
            codes = codes * max(len(column.names), 1) + column.codes
            codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
        first = np.unique(codes, return_index=True)[1]
        return codes, [tuple(column.names[column.codes[row]] for column in columns) for row in first.tolist()]

    def refuse_foreign(self, report: Report, source: str = "the result") -> None:
        """Raise unless the table belongs to a result: the same inputs, protocol and banks, the same numbers of frames.

        Raises
        ------
        InputError
            If it does not.
        """
        theirs = origin_of(report, self.origin.dataset)
        for what, mine, other in (
            ("predictions", self.origin.pred, theirs.pred),
            ("ground truth", self.origin.gt, theirs.gt),
            ("protocol", self.origin.protocol_sha256, theirs.protocol_sha256),
            ("cluster banks", ", ".join(self.origin.banks), ", ".join(theirs.banks)),
        ):
            if mine != other:
                raise InputError(
                    f"{self.source}: holds the frames of another run than {source}: the {what} have sha256 "
                    f"{mine or 'unknown'} here and {other or 'unknown'} there; score again with --frames"
                )
        for row, metric in enumerate(self.metrics):
            told = report.metrics.get(metric.name)
            scored = int(np.count_nonzero(~np.isnan(self.values[row])))
            if told is None or told.n != scored:
                raise InputError(
                    f"{self.source}: holds the frames of another run than {source}: {scored} values of {metric.name} "
                    f"here, {'none' if told is None else told.n} there; score again with --frames"
                )

    def save(self, path: str | Path) -> None:
        """Write the file; it is there whole, or as it was before.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        from posebench.io.array_file import write_arrays
        from posebench.io.atomic import atomic_write

        origin = self.origin
        record = {
            "schema": SCHEMA,
            "inputs": {"pred": origin.pred, "gt": origin.gt},
            "protocol": {"name": origin.protocol, "sha256": origin.protocol_sha256, "pooling": origin.pooling},
            "banks": list(origin.banks),
            "dataset": origin.dataset,
            "metrics": [
                {"name": m.name, "unit": m.unit, "higher_is_better": m.higher_is_better, "weights": m.weights}
                for m in self.metrics
            ],
            "absent": self.absent,
            "keys": {key: list(column.names) for key, column in self.keys.items()},
        }
        columns = list(self.keys.values())
        most = max((len(column.names) for column in columns), default=0)
        codes = np.array([column.codes for column in columns], _smallest(0, most)).reshape(len(columns), len(self))
        frame = np.zeros(0, np.int64) if self.frame is None else self.frame
        frame = frame.astype(_smallest(int(frame.min(initial=0)), int(frame.max(initial=0))))
        with atomic_write(path) as handle:
            write_arrays(
                handle,
                {
                    "record": np.frombuffer(json.dumps(record, separators=(",", ":")).encode(), np.uint8),
                    "values": self.values,
                    "weights": self.weights,
                    "codes": codes,
                    "frame": frame,
                },
            )

    def _row(self, metric: str) -> int:
        from posebench.metrics import resolve

        key = resolve(metric).key
        for row, known in enumerate(self.metrics):
            if known.name == key:
                return row
        why = self.absent.get(key)
        has = ", ".join(m.name for m in self.metrics) or "none"
        raise UsageError(f"{self.source}: no values of {key} per frame: {why if why else f'it has {has}'}")


def frames_path(result: str | Path) -> Path:
    """Where the frames of a result lie: `run.frames.npz` beside `run.json`.

    Examples
    --------
    >>> frames_path("runs/a.json").name
    'a.frames.npz'
    """
    result = Path(result)
    return result.with_name(result.stem + _ENDING)


def origin_of(report: Report, dataset: str | None = None) -> Origin:
    """What a report says that its numbers come from."""
    hashes = {side: report.inputs.get(side, {}).get("sha256") for side in ("pred", "gt")}
    return Origin(
        hashes["pred"],
        hashes["gt"],
        str(report.protocol.get("name")),
        str(report.protocol.get("sha256")),
        str(report.protocol.get("pooling")),
        tuple(str(bank.get("sha256")) for bank in report.banks),
        dataset,
    )


def read_frames(path: str | Path) -> FrameTable:
    """Read the frames that lie beside a result.

    Parameters
    ----------
    path : str or Path
        ``run.frames.npz``.

    Returns
    -------
    FrameTable

    Raises
    ------
    InputError
        If the file cannot be read, is damaged, or is no file of frames.

    Examples
    --------
    >>> import tempfile
    >>> import posebench as pb
    >>> gt = np.random.default_rng(0).normal(size=(4, 17, 3)) * 300
    >>> frames = pb.score(pb.PoseSet(gt + 30, unit="mm", skeleton="h36m17"), gt, metrics=["PCK"], frames=True).frames
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     frames.save(folder + "/run.frames.npz")
    ...     read_frames(folder + "/run.frames.npz").of("PCK").tolist()
    [100.0, 100.0, 100.0, 100.0]
    """
    from posebench.io.array_file import read_arrays

    path = Path(path)
    arrays = read_arrays(path, _ARRAYS, LIMIT)
    try:
        return _table(_record(arrays["record"], str(path)), arrays, str(path))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(
            f"{path}: is damaged, or no file of frames of posebench ({error}); score again with --frames"
        ) from None


def _record(data: npt.NDArray[Any], source: str) -> Mapping[str, Any]:
    if data.dtype != np.uint8 or data.ndim != 1:
        raise ValueError(f"record is {data.dtype} of shape {data.shape}")
    try:
        record = json.loads(data.tobytes())
    except (ValueError, RecursionError):
        raise ValueError("record is no JSON") from None
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise InputError(f"{source}: expected schema {SCHEMA!r}, found {str(schema)[:60]!r}; score again with --frames")
    found: dict[str, Any] = record
    return found


def _table(record: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], source: str) -> FrameTable:
    values, weights, codes, frame = (arrays[name] for name in _ARRAYS[1:])
    if values.dtype not in (np.float32, np.float64) or values.ndim != 2 or np.isinf(values).any():
        raise ValueError("values are no table of finite numbers")
    n = values.shape[1]
    if weights.dtype != np.uint16 or weights.ndim != 2 or weights.shape[1] != n:
        raise ValueError(f"weights are {weights.dtype} of shape {weights.shape}")
    metrics = tuple(
        FrameMetric(
            _text(metric["name"]),
            _text(metric["unit"]),
            _of(metric["higher_is_better"], bool),
            None if metric["weights"] is None else range(len(weights)).index(_of(metric["weights"], int)),
        )
        for metric in _of(record["metrics"], list)
    )
    if len(metrics) != len(values) or len({metric.name for metric in metrics}) != len(metrics):
        raise ValueError(f"{len(values)} rows of values for {len(metrics)} metrics")
    names = {key: tuple(map(_text, _of(of, list))) for key, of in _of(record["keys"], dict).items()}
    if not set(names) <= set(TEXT_KEYS) or codes.dtype.kind not in "iu" or codes.shape != (len(names), n):
        raise ValueError(f"codes are {codes.dtype} of shape {codes.shape} for the keys {', '.join(names)[:60]}")
    for row, of in zip(codes, names.values(), strict=True):
        if n and (int(row.min()) < 0 or int(row.max()) >= len(of)):
            raise ValueError("a code has no name")
    if frame.dtype.kind not in "iu" or frame.shape not in ((n,), (0,)) or int(frame.max(initial=0)) >= 2**63:
        raise ValueError(f"frame is {frame.dtype} of shape {frame.shape}")
    inputs, protocol = record["inputs"], record["protocol"]
    pooling = _text(protocol["pooling"])
    if pooling not in _POOLINGS:
        raise ValueError(f"pooling {pooling[:60]!r} is not known")
    return FrameTable(
        metrics,
        values,
        weights,
        {key: KeyColumn(row.astype(np.int32), of) for row, (key, of) in zip(codes, names.items(), strict=True)},
        frame.astype(np.int64) if len(frame) == n else None,
        Origin(
            _maybe(inputs["pred"]),
            _maybe(inputs["gt"]),
            _text(protocol["name"]),
            _text(protocol["sha256"]),
            pooling,
            tuple(map(_text, _of(record["banks"], list))),
            _maybe(record["dataset"]),
        ),
        {_text(name): _text(why) for name, why in _of(record["absent"], dict).items()},
        source,
    )


def _of(value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"expected {kind.__name__}, found {str(value)[:60]!r}")
    return value


def _text(value: Any) -> str:
    return str(_of(value, str))


def _maybe(value: Any) -> str | None:
    return None if value is None else _text(value)


def _smallest(low: int, high: int) -> np.dtype[Any]:
    """The smallest integer type that holds all from `low` to `high`."""
    return np.promote_types(np.min_scalar_type(min(low, 0)), np.min_scalar_type(high))


__all__ = ["FrameMetric", "FrameTable", "Origin", "frames_path", "origin_of", "read_frames"]
