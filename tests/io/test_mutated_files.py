"""Damaged files: whatever the bytes, the answer is a set or a sentence, never a traceback, and never late."""

from __future__ import annotations

import pickle
import time
import warnings

import numpy as np
import pytest

from posebench.errors import PosebenchError
from posebench.io import npz, read, write
from posebench.poses import PoseSet

MUTATIONS = 300


def _mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Change, drop, repeat or insert a few bytes, more often near the beginning and the end."""
    mutated = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        if not mutated:
            break
        at = int(rng.integers(len(mutated)))
        if rng.random() < 0.5:
            at = int(rng.choice([min(at, 300), max(len(mutated) - 400, 0) + at % 400])) % len(mutated)
        size = int(rng.integers(1, 9))
        match rng.integers(6):
            case 0:
                mutated[at] ^= 1 << int(rng.integers(8))
            case 1:
                mutated[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, 0x28, 0x2C, 0x39]))
            case 2:
                del mutated[at : at + size]
            case 3:
                mutated[at:at] = mutated[at : at + size]
            case 4:
                mutated[at : at + size] = rng.integers(0, 256, size, np.uint8).tobytes()
            case _:
                del mutated[at:]
    return bytes(mutated)


def _originals(folder, full):
    small = full(4, joints=3)
    for suffix in (".npz", ".json", ".csv", ".pkl"):
        write(small, folder / f"own{suffix}")
    np.save(folder / "plain.npy", small.poses)
    np.savez_compressed(folder / "deflated.npz", poses=small.poses, unit="mm", action=small.action.values)
    (folder / "long.csv").write_text(
        "frame,joint,x,y,z,valid\n" + "".join(f"{i},{j},{i}.5,{j},0,1\n" for i in range(4) for j in range(3))
    )
    for protocol in (0, 2, 5):
        (folder / f"p{protocol}.pkl").write_bytes(
            pickle.dumps({"poses": small.poses, "action": small.action.values, "fps": np.float64(5)}, protocol)
        )


NAMES = (
    *("own.npz", "deflated.npz", "plain.npy", "own.json", "own.csv", "long.csv"),
    *("own.pkl", "p0.pkl", "p2.pkl", "p5.pkl"),
)


@pytest.mark.parametrize(
    ("name", "mapped"), [*((name, False) for name in NAMES), ("own.npz", True), ("deflated.npz", True)]
)
def test_a_mutated_file_gives_a_set_or_a_sentence(name, mapped, full, tmp_path, monkeypatch):
    if mapped:
        monkeypatch.setattr(npz, "MAP_FROM", 0)
        monkeypatch.setattr(npz, "MEMORY_LIMIT", 100)
    _originals(tmp_path, full)
    content = (tmp_path / name).read_bytes()
    rng = np.random.default_rng([len(name), mapped])
    target = tmp_path / f"mutated.{name.split('.')[-1]}"
    refused = 0
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(MUTATIONS):
            target.write_bytes(_mutate(content, rng))
            try:
                assert isinstance(read(target), PoseSet)
            except PosebenchError as error:
                refused += 1
                assert str(target) in str(error)
                assert "\n" not in str(error)
                assert len(str(error)) < 600 + len(str(target))
    assert refused > 0
    assert time.perf_counter() - start < 60
