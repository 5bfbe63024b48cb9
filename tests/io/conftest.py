"""Sets to write and read, and the comparison that says that nothing was lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from posebench.poses import KEYS, KeyColumn, PoseSet


def _full(n: int = 6, joints: int = 17, dtype: Any = np.float64) -> PoseSet:
    rng = np.random.default_rng(n)
    return PoseSet(
        (rng.normal(size=(n, joints, 3)) * 300).astype(dtype),
        valid=rng.random((n, joints)) > 0.2,
        skeleton="h36m17" if joints == 17 else None,
        unit="mm",
        reference="camera",
        origin="root",
        subject=np.repeat(["S9", "S11"], [n // 2, n - n // 2]),
        action=[f"Walking {i % 2}, é" for i in range(n)],
        sequence="walk",
        camera=[""] + ["54138969"] * (n - 1),
        frame=np.arange(n) * 3 - 1,
        fps=49.97,
        dataset="open4v",
    )


@pytest.fixture
def full() -> Callable[..., PoseSet]:
    """A set with every fact that all keyed formats can hold."""
    return _full


def _agree(one: PoseSet, two: PoseSet) -> None:
    np.testing.assert_array_equal(np.asarray(one.poses, np.float64), np.asarray(two.poses, np.float64))
    for name in ("valid", "intrinsics", "extrinsics", "root_depth"):
        a, b = getattr(one, name), getattr(two, name)
        assert (a is None) == (b is None), name
        if a is not None:
            np.testing.assert_array_equal(a, b, err_msg=name)
    for name in ("skeleton", "unit", "reference", "origin", "fps", "dataset"):
        assert getattr(one, name) == getattr(two, name), name
    assert list(one.keys) == list(two.keys)
    for key in KEYS:
        columns = [c.values if isinstance(c, KeyColumn) else c for c in (getattr(one, key), getattr(two, key))]
        if columns[0] is not None:
            assert columns[0].tolist() == columns[1].tolist(), key


@pytest.fixture
def agree() -> Callable[[PoseSet, PoseSet], None]:
    """Assert that two sets state the same facts."""
    return _agree


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


@pytest.fixture
def mutate() -> Callable[[bytes, np.random.Generator], bytes]:
    """Damage a file's content a little."""
    return _mutate
