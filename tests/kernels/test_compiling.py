"""Kernels work where numba may not keep what it compiles."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import posebench

ROOT = Path(posebench.__file__).resolve().parents[1]
SCRIPT = """
from numba.core import caching
for kind in (caching.CacheImpl, caching.CompileResultCacheImpl):
    kind._locator_classes = []  # no folder anywhere: a read-only installation without a home
import numpy as np
from posebench.kernels.compiling import plain_kernel

@plain_kernel
def total(values):
    result = 0.0
    for value in values:
        result += value
    return result

from posebench.kernels import reductions
values = np.empty(1)
reductions.reduce_field(np.array([[1.0, 3.0]]), 0, np.zeros(0), np.zeros(1, np.int64), values, np.zeros((1, 4)),
                        np.zeros((2, 2)))
print(total(np.ones(3)), values[0])
"""


def test_without_a_folder_for_the_cache_kernels_are_compiled_in_memory():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["3.0", "2.0"]


KEPT = """
import numba, resource, sys
numba.config.CACHE_DIR = sys.argv[1]
from posebench.kernels.compiling import plain_kernel
from kernel_of_a_test import plain
if sys.argv[2] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
twice = plain_kernel(plain)
print(twice(21.0), twice.stats.cache_hits)
"""


def kept(folder: Path, disk: str) -> list[str]:
    """What a kernel gives, and for how many types it was read from the cache."""
    (folder / "kernel_of_a_test.py").write_text("def plain(value):\n    return 2.0 * value\n")
    os.utime(folder / "kernel_of_a_test.py", (0, 0))  # numba goes by the date of the file
    path = os.pathsep.join(filter(None, (str(folder), str(ROOT), os.environ.get("PYTHONPATH"))))
    run = subprocess.run(
        [sys.executable, "-c", KEPT, str(folder / "cache"), disk],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_on_a_full_disk_kernels_are_compiled_and_not_kept(tmp_path):
    assert kept(tmp_path, "full") == ["42.0", "Counter()"]
    assert not [path for path in tmp_path.rglob("cache/*/*") if path.stat().st_size]


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_damaged_cache_is_replaced(tmp_path):
    assert kept(tmp_path, "free") == ["42.0", "Counter()"]
    assert kept(tmp_path, "free")[1].startswith("Counter({")
    for path in tmp_path.rglob("*.nb?"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert kept(tmp_path, "free") == ["42.0", "Counter()"]
    assert kept(tmp_path, "free")[1].startswith("Counter({")
