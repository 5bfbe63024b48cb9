"""Motion capture and pose data sets: found where the user keeps them, read into a `PoseSet`, their licence at hand.

`bvh` and `acclaim` parse file formats; `cmu`, `hdm05`, `h36m`, `mpi_inf_3dhp` and `mpii` are one data set each. `views`
has pictures from several cameras. `actions` sorts what people did into classes, `quality` finds the frames that were
not captured. `catalog` lists all data sets; `fetching` downloads those that it is asked for, and nothing else does.

Names load when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

#: Public name -> module that holds it. tests/datasets/public_names.txt is the checked-in list that must not shrink.
_HOMES = {
    name: f"posebench.datasets.{module}"
    for module, names in {
        "acclaim": (
            *("AcclaimMotion", "AcclaimSkeleton", "parse_amc", "parse_asf", "read_amc", "read_asf", "read_motion"),
        ),
        "actions": ("ACTION_CLASSES", "action_class"),
        "bvh": ("Bvh", "parse_bvh", "read_bvh"),
        "cmu": ("CMU_ATTRIBUTION", "CMU_LICENCE", "cmu_clips", "read_cmu"),
        "h36m": ("read_h36m",),
        "hdm05": ("HDM05_ATTRIBUTION", "HDM05_LICENCE", "hdm05_clips", "read_hdm05"),
        "mpi_inf_3dhp": ("read_3dhp_test", "read_3dhp_train"),
        "mpii": ("read_mpii",),
        "quality": ("unusable_frames", "usable_frames"),
        "views": ("MultiViewSet", "UnlabelledView", "open_unlabelled"),
    }.items()
    for name in names
}

__all__ = sorted(_HOMES)  # noqa: PLE0605

if TYPE_CHECKING:
    from posebench.datasets.acclaim import AcclaimMotion as AcclaimMotion
    from posebench.datasets.acclaim import AcclaimSkeleton as AcclaimSkeleton
    from posebench.datasets.acclaim import parse_amc as parse_amc
    from posebench.datasets.acclaim import parse_asf as parse_asf
    from posebench.datasets.acclaim import read_amc as read_amc
    from posebench.datasets.acclaim import read_asf as read_asf
    from posebench.datasets.acclaim import read_motion as read_motion
    from posebench.datasets.actions import ACTION_CLASSES as ACTION_CLASSES
    from posebench.datasets.actions import action_class as action_class
    from posebench.datasets.bvh import Bvh as Bvh
    from posebench.datasets.bvh import parse_bvh as parse_bvh
    from posebench.datasets.bvh import read_bvh as read_bvh
    from posebench.datasets.cmu import CMU_ATTRIBUTION as CMU_ATTRIBUTION
    from posebench.datasets.cmu import CMU_LICENCE as CMU_LICENCE
    from posebench.datasets.cmu import cmu_clips as cmu_clips
    from posebench.datasets.cmu import read_cmu as read_cmu
    from posebench.datasets.h36m import read_h36m as read_h36m
    from posebench.datasets.hdm05 import HDM05_ATTRIBUTION as HDM05_ATTRIBUTION
    from posebench.datasets.hdm05 import HDM05_LICENCE as HDM05_LICENCE
    from posebench.datasets.hdm05 import hdm05_clips as hdm05_clips
    from posebench.datasets.hdm05 import read_hdm05 as read_hdm05
    from posebench.datasets.mpi_inf_3dhp import read_3dhp_test as read_3dhp_test
    from posebench.datasets.mpi_inf_3dhp import read_3dhp_train as read_3dhp_train
    from posebench.datasets.mpii import read_mpii as read_mpii
    from posebench.datasets.quality import unusable_frames as unusable_frames
    from posebench.datasets.quality import usable_frames as usable_frames
    from posebench.datasets.views import MultiViewSet as MultiViewSet
    from posebench.datasets.views import UnlabelledView as UnlabelledView
    from posebench.datasets.views import open_unlabelled as open_unlabelled


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'posebench.datasets' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return __all__
