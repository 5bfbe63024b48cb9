"""What pytest leaves alone, because its packages are not installed, and what it does first."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec

import pytest

#: What needs torch as soon as it is imported.
_NETWORKS = (
    "model_zoo/backbones/*",
    "model_zoo/epipolarpose/inference.py",
    "model_zoo/epipolarpose/loop.py",
    "model_zoo/epipolarpose/losses.py",
    "model_zoo/epipolarpose/network.py",
    "model_zoo/epipolarpose/pretraining.py",
    "model_zoo/epipolarpose/run_folder.py",
    "model_zoo/epipolarpose/shared_norm.py",
    "model_zoo/epipolarpose/showing.py",
    "model_zoo/epipolarpose/softargmax.py",
    "model_zoo/epipolarpose/training.py",
    "model_zoo/refiner/network.py",
    "model_zoo/refiner/training.py",
    "model_zoo/weights.py",
)

#: Adapters, and the packages that they need as soon as they are imported.
_ADAPTERS = {
    "posebench/torch/*": ("torch",),
    "posebench/torchmetrics.py": ("torch", "torchmetrics"),
    "posebench/mmengine.py": ("torch", "mmengine"),
}

collect_ignore_glob = [] if find_spec("torch") and find_spec("safetensors") else list(_NETWORKS)
collect_ignore_glob += [path for path, needed in _ADAPTERS.items() if not all(map(find_spec, needed))]


def pytest_configure(config: pytest.Config) -> None:
    """Before workers start: yapf, which MMEngine imports, keeps a cache that one process reads while another writes."""
    if not hasattr(config, "workerinput"):
        with suppress(ImportError):
            import_module("yapf")
