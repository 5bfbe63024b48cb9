"""The names of posebench.datasets stay, and cost nothing until they are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebench import datasets
from tests.support.loading import loaded_by

NAMES = Path(__file__).with_name("public_names.txt").read_text(encoding="utf-8").split()


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_stays(name: str) -> None:
    assert name in datasets.__all__
    assert getattr(datasets, name) is not None


def test_the_list_of_public_names_is_complete_and_sorted() -> None:
    assert sorted(datasets.__all__) == NAMES, "enter new public names in tests/datasets/public_names.txt, in order"
    assert set(dir(datasets)) >= set(NAMES)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'posebench\.datasets' has no attribute 'read_nothing'"):
        datasets.read_nothing  # noqa: B018


def test_importing_the_package_loads_no_data_set() -> None:
    loaded = loaded_by("import posebench.datasets", whole=True)
    assert "posebench.datasets" in loaded
    assert not {name for name in loaded if name.startswith("posebench.datasets.")}
    assert "numpy" not in loaded
