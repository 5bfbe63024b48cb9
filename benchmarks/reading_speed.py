"""How fast poses are read from the page cache, by format and layout, until every coordinate has been touched.

The demand is 25 M poses of 17 joints per second, 5.1 GB/s. Reading alone maps a file; so that the pages are counted
too, the coordinates are then added up as 64-bit numbers, the cheapest pass over them that NumPy has. `NumPy, the same
pass` is that pass over an array in memory: what is left of the demand when reading costs nothing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from score_speed import JOINTS, machine

import posebench as pb

DEMAND = 25e6
POSES = 1_000_000


def main() -> None:
    """Time every layout and print the table."""
    import pyarrow as pa
    import pyarrow.parquet

    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--poses", type=int, default=POSES)
    arguments.add_argument("--repeats", type=int, default=5)
    asked = arguments.parse_args()
    n = asked.poses
    array = np.random.default_rng(0).standard_normal((n, JOINTS, 3), np.float32)
    poses = pb.PoseSet(array, skeleton="h36m17", unit="mm", subject="S9", frame=np.arange(n))
    print(f"{n:,} poses x {JOINTS} joints, float32; CPU time, best of {asked.repeats} runs, from the page cache\n")
    print(machine() + f"; load {os.getloadavg()[0]:.1f}\n")
    print(f"| layout | read | rate | read and touched | rate | of the demand of {DEMAND / 1e6:.0f} M poses/s |")
    print("|---|---|---|---|---|---|")
    seconds = min(timed(lambda: touch(array)) for _ in range(asked.repeats))
    print(f"| NumPy, the same pass | | | {seconds * 1e3:.1f} ms | {n / seconds / 1e6:.1f} M/s | {ratio(n, seconds)} |")
    with tempfile.TemporaryDirectory(prefix="posebench-") as folder:
        lists = as_lists(pa, poses, Path(folder, "as_written.arrow"))
        for name, suffix, write in (
            (".npz", "npz", lambda path: pb.write(poses, path)),
            (".npy", "npy", lambda path: np.save(path, array)),
            (".arrow, fixed-size binary", "arrow", lambda path: pb.write(poses, path)),
            (".arrow, fixed-size binary, 16 record batches", "arrow", lambda path: batches(pa, poses, path, n // 16)),
            (".arrow, FixedSizeList", "arrow", lambda path: write_ipc(pa, lists, path, n)),
            (".arrow, FixedSizeList, 16 record batches", "arrow", lambda path: write_ipc(pa, lists, path, n // 16)),
            (".parquet, fixed-size binary", "parquet", lambda path: pb.write(poses, path)),
            (".parquet, FixedSizeList", "parquet", lambda path: pa.parquet.write_table(lists, path)),
        ):
            path = Path(folder, f"poses.{suffix}")
            write(path)
            measure(name, path, n, asked.repeats)
            path.unlink()


#: CPU time of the process, which other work on the machine changes less than the time on the wall.
clock = time.process_time


def measure(name: str, path: Path, n: int, repeats: int) -> None:
    """One line of the table."""
    touch(pb.read(path).poses)  # into the page cache
    read, whole = [], []
    for _ in range(repeats):
        start = clock()
        poses = pb.read(path).poses
        read.append(clock() - start)
        touch(poses)
        whole.append(clock() - start)
        del poses
    a, b = min(read), min(whole)
    columns = f"{a * 1e3:.1f} ms", f"{n / a / 1e6:.0f} M/s", f"{b * 1e3:.1f} ms", f"{n / b / 1e6:.1f} M/s", ratio(n, b)
    print(f"| {name} | {' | '.join(columns)} |", flush=True)


def timed(function: Callable[[], object]) -> float:
    """CPU time of a call, in s."""
    start = clock()
    function()
    return clock() - start


def touch(poses: npt.NDArray[np.float32]) -> int:
    """Have every byte come from memory."""
    flat = poses.reshape(-1)
    return int(flat[: len(flat) // 2 * 2].view(np.int64).sum())


def ratio(n: int, seconds: float) -> str:
    """How often the demand is met."""
    return f"{n / seconds / DEMAND:.2f}"


def as_lists(pa: Any, poses: pb.PoseSet, path: Path) -> Any:
    """What posebench writes, with poses as lists of fixed size."""
    pb.write(poses, path)
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    column = pa.FixedSizeListArray.from_arrays(pa.array(poses.poses.reshape(-1)), JOINTS * 3)
    metadata = {key: value for key, value in table.schema.metadata.items() if key != b"dtype"}
    place = table.column_names.index("poses")
    return table.set_column(place, "poses", column).replace_schema_metadata(metadata)


def batches(pa: Any, poses: pb.PoseSet, path: Path, rows: int) -> None:
    """What posebench writes, cut into record batches."""
    pb.write(poses, path)
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    write_ipc(pa, table, path, rows)


def write_ipc(pa: Any, table: Any, path: Path, rows: int) -> None:
    """An Arrow file with so many rows in each record batch."""
    whole = path.with_name("whole")
    with pa.ipc.new_file(whole, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    whole.replace(path)


if __name__ == "__main__":
    main()
