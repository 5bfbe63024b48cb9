"""Cut a file of poses into shards: ``python cut_into_shards.py gt.npz gt 25`` writes gt/0000.npz and so on.

Both sides must be cut alike, so that a prediction and its ground truth stand in shards of one name. For scoring it does
not matter whether a sequence crosses shards, except under protocols that take every so many frames of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import posebench as pb


def main() -> None:
    """Cut the file that the command line names; without arguments, say how."""
    if len(sys.argv) < 4:
        print(__doc__)
        return
    source, folder, rows = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    poses = pb.read(source)
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(poses), rows)):
        pb.write(poses[slice(start, start + rows)], folder / f"{number:04d}{source.suffix}")


if __name__ == "__main__":
    main()
