"""Adapters are there for those who ask for them, say what they need, and get in nobody's way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.loading import loaded_by

ROOT = Path(__file__).parents[2]
PACKAGES = ("torch", "torchmetrics", "mmengine")
#: The adapter, the package that is hidden, and the extra that brings it.
NEEDS = [
    ("torch", "torch", "torch"),
    ("torchmetrics", "torch", "torchmetrics"),
    ("torchmetrics", "torchmetrics", "torchmetrics"),
    ("mmengine", "mmengine", "mmengine"),
]


def test_the_core_loads_none_of_them() -> None:
    loaded = loaded_by("import posebench; posebench.score_dataframe, posebench.mpjpe", whole=True)
    assert "posebench.dataframes" in loaded
    assert loaded.isdisjoint({*PACKAGES, *(f"posebench.{package}" for package in PACKAGES)})


@pytest.mark.parametrize("package", PACKAGES)
def test_an_adapter_does_not_stand_before_the_package_that_it_is_named_after(package) -> None:
    pytest.importorskip(package)
    program = f"import posebench.{package}, {package}, sys; print({package}.__name__, {package}.__version__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split()[0] == package


@pytest.mark.parametrize(("adapter", "hidden", "extra"), NEEDS, ids=lambda value: value)
def test_an_adapter_without_its_package_names_the_extra(adapter, hidden, extra) -> None:
    program = f"import sys; sys.modules[{hidden!r}] = None; import posebench.{adapter}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert f"pip install 'posebench-hpe[{extra}]'" in done.stderr.splitlines()[-1]
