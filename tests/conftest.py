"""What all tests share: reproducible hypothesis examples, and the motion capture data where there are any."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
#: Tests that need pages, scripts, notebooks and settings of the checkout, as those marked `checkout` do.
CHECKOUT = tuple(
    ROOT / "tests" / name
    for name in (
        "docs",
        "examples",
        "support/pages.py",
        "test_architecture.py",
        "test_documentation.py",
        "test_readme.py",
        "test_statistics.py",
    )
)

# Whoever runs the suite in the background of a shell has Ctrl-C ignored, and so would have all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Beside an installed wheel, where there is no checkout, leave alone what needs one."""
    return True if collection_path in CHECKOUT and not (ROOT / "Makefile").is_file() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a checkout."""
    for item in items:
        if any(item.path.is_relative_to(place) for place in CHECKOUT):
            item.add_marker("checkout")
