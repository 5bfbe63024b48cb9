"""Files of poses: the usual readers of each format, on files that posebench wrote."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from reading_speed import touch
from score_speed import JOINTS

import posebench as pb
from peer_jobs.measure import Case, Job, Peers, Same, Size, people

Array = npt.NDArray[Any]


def cases(size: Size, peers: Peers) -> Iterator[Case]:
    """Every format in turn."""
    _, _, gt, keys = people(size.poses)
    whole = pb.PoseSet(gt, skeleton="h36m17", unit="mm", reference="camera", **keys)
    few = whole[: 4 * size.looped]
    peers.get("numpy")
    h5py, pandas, pyarrow = peers.get("h5py"), peers.get("pandas"), peers.get("pyarrow")
    with tempfile.TemporaryDirectory(prefix="posebench-") as folder:

        def case(package: str, name: str, suffix: str, theirs: Callable[[Path], Array], **words: Any) -> Case:
            poses = few if suffix in ("csv", "json") else whole
            path = Path(folder, f"{len(poses)}.{suffix}")
            if suffix == "npy":
                np.save(path, poses.poses)
            elif not path.exists():
                pb.write(poses, path)
            return Case(
                package,
                f"{name}, .{suffix}",
                "`pb.read(path)`",
                lambda: touched(theirs(path)),
                lambda: touched(pb.read(path).poses),
                same_numbers,
                (len(poses), len(poses)),
                dtype="float32",
                **words,
            )

        alone = "the coordinates alone; our reader takes keys and facts too, and checks them"
        yield case(
            "numpy",
            '`np.load(path)["poses"]`',
            "npz",
            lambda path: np.load(path)["poses"],
            differs=f"{alone}; copies the file into memory where ours maps it",
            reason="our reader reads keys of text too, and checks them",
        )
        yield case(
            "numpy",
            "`np.load(path)`",
            "npy",
            np.load,
            differs="copies the file into memory where ours maps it",
            reason="pages that are copied are touched in memory that is at hand",
        )
        yield case(
            "numpy",
            '`np.load(path, mmap_mode="r")`',
            "npy",
            lambda path: np.load(path, mmap_mode="r"),
            reason="both map the file; ours checks it and wraps it, which takes the same time however large it is",
        )
        yield case(
            "json (Python)",
            '`json.load`, `np.array(found["poses"])`',
            "json",
            read_json,
            differs=alone,
            reason="our reader checks each number, and unknown ones may be null",
        )
        if pandas is not None:
            yield case(
                "pandas",
                "`pandas.read_csv`",
                "csv",
                lambda path: of_table(pandas.read_csv(path, comment="#")),
                differs="columns are known beforehand",
                reason="its parser is in C, and ours in Python, which counts lines so that a message can name them",
            )
        if h5py is not None:
            yield case(
                "h5py",
                '`h5py.File(path)["poses"][()]`',
                "h5",
                lambda path: read_hdf5(h5py, path),
                differs=alone,
                reason="our reader opens the file in a process of its own, so that a damaged one cannot end the "
                "caller's; starting that takes the same time however large the file is",
            )
        if pandas is not None and pyarrow is not None:
            import pyarrow.parquet as parquet

            yield case(
                "pandas",
                '`pandas.read_parquet(path)["poses"]`',
                "parquet",
                lambda path: of_bytes(b"".join(pandas.read_parquet(path, columns=["poses"])["poses"])),
                differs="each pose becomes an object of Python, then one array",
                reason="it reads one column of several",
            )
            yield case(
                "pyarrow",
                "`pyarrow.parquet.read_table`",
                "parquet",
                lambda path: of_column(parquet.read_table(path, columns=["poses"])["poses"]),
                differs=alone,
                reason="it reads one column of several",
            )
            yield case(
                "pyarrow",
                "`pyarrow.ipc.open_file` of a mapped file",
                "arrow",
                lambda path: of_column(pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all()["poses"]),
                differs=alone,
                reason="both map the file; ours checks it and reads the keys",
            )


def touched(poses: Array) -> Array:
    """The same poses, every byte of them fetched."""
    touch(poses)
    return poses


def same_numbers(theirs: Array, ours: Array) -> Same:
    """Whether both read the same numbers, bit by bit in float32."""
    equal = np.array_equal(np.asarray(theirs, np.float32), np.asarray(ours, np.float32))
    return Same(bool(equal), "the same numbers" if equal else "other numbers")


def of_bytes(buffer: Any) -> Array:
    """Poses that lie in bytes one after another."""
    return np.frombuffer(buffer, np.float32).reshape(-1, JOINTS, 3)


def of_column(column: Any) -> Array:
    """Poses of a column of fixed-size binary."""
    chunk = column.combine_chunks()
    return of_bytes(chunk.buffers()[1])[chunk.offset : chunk.offset + len(chunk)]


def of_table(table: Any) -> Array:
    """Poses of a wide table."""
    columns = [name for name in table.columns if name[-2:] in ("_x", "_y", "_z")]
    return np.asarray(table[columns].to_numpy(np.float32)).reshape(-1, JOINTS, 3)


def read_json(path: Path) -> Array:
    """Poses of an object."""
    with path.open(encoding="utf-8") as file:
        return np.array(json.load(file)["poses"], np.float32)


def read_hdf5(h5py: Any, path: Path) -> Array:
    """Poses of a dataset."""
    with h5py.File(path) as file:
        return np.asarray(file["poses"][()])


JOB = Job(
    "Reading",
    "From the page cache to an array of which every byte was touched. Each pose of 17 joints is a unit.",
    cases,
)
