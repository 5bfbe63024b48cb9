"""Kernels work where numba may not keep what it compiles."""

from __future__ import annotations

import subprocess
import sys

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
