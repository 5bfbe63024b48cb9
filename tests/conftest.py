"""What all tests share: reproducible hypothesis examples, and the motion capture data where there are any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def mocap_root() -> Path:
    """Folder that POSEBENCH_DATA points to; the test is skipped where the variable is not set."""
    folder = os.environ.get("POSEBENCH_DATA")
    if not folder:
        pytest.skip("needs motion capture data: set POSEBENCH_DATA to their folder")
    root = Path(folder).resolve()
    assert root.is_dir(), f"POSEBENCH_DATA is {folder}, which is not a folder"
    return root


@pytest.fixture(autouse=True)
def _mocap_marker(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("mocap"):
        request.getfixturevalue("mocap_root")
