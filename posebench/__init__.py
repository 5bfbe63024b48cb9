"""posebench: metrics and benchmarks for 3D human pose estimation.

Names load when they are first used, so that `import posebench` and `posebench --help` cost next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Public name -> module that holds it. tests/public_names.txt is the checked-in list that must not shrink.
_HOMES = {
    "InputError": "posebench.errors",
    "MissingExtraError": "posebench.errors",
    "PosebenchError": "posebench.errors",
    "UsageError": "posebench.errors",
    "ClusterBank": "posebench.banks",
    "PoseSet": "posebench.poses",
    "concatenate": "posebench.joining",
    "Camera": "posebench.cameras",
    "read_cameras": "posebench.cameras",
    "to_camera": "posebench.references",
    "to_root": "posebench.references",
    "to_unit": "posebench.references",
    "to_world": "posebench.references",
    "Comparison": "posebench.comparison",
    "compare": "posebench.comparison",
    "convert": "posebench.conversion",
    "Diagnosis": "posebench.doctor",
    "diagnose": "posebench.doctor",
    "lift_uvd": "posebench.lifting",
    "Skeleton": "posebench.skeletons",
    "get_skeleton": "posebench.skeletons",
    "register_skeleton": "posebench.skeletons",
    "skeleton_names": "posebench.skeletons",
    "read": "posebench.io",
    "write": "posebench.io",
    "Protocol": "posebench.protocols",
    "get_protocol": "posebench.protocols",
    "protocol_names": "posebench.protocols",
    "FrameTable": "posebench.frames",
    "read_frames": "posebench.frames",
    "PublishedResult": "posebench.published",
    "published_result": "posebench.published",
    "published_results": "posebench.published",
    "reasons_not_comparable": "posebench.published",
    "Report": "posebench.report",
    "bootstrap_ci": "posebench.statistics",
    "score_dataframe": "posebench.dataframes",
    "Explanation": "posebench.taxonomy",
    "explain": "posebench.scoring",
    "ProtocolReports": "posebench.scoring",
    "Scorer": "posebench.scoring",
    "score_protocols": "posebench.scoring",
    "score_shards": "posebench.scoring",
    "score": "posebench.scoring",
    "MetricSpec": "posebench.metrics",
    "families": "posebench.metrics",
    "resolve": "posebench.metrics",
} | dict.fromkeys(
    (
        "auc",
        "axis_error",
        "bone_length_error",
        "bone_length_spread",
        "cps",
        "joint_angle_error",
        "mpjae",
        "mpjpe",
        "mpjve",
        "mrpe",
        "nmpjpe",
        "npck",
        "pck",
        "pckh",
        "per_pose",
        "pmpjpe",
        "pss",
        "symmetry_error",
        "worst_joint",
    ),
    "posebench.metrics",
)

_MODULES = ("alignment",)

__all__ = ["__version__", *_MODULES, *sorted(_HOMES)]  # noqa: PLE0604

if TYPE_CHECKING:
    from posebench import alignment as alignment
    from posebench.banks import ClusterBank as ClusterBank
    from posebench.cameras import Camera as Camera
    from posebench.cameras import read_cameras as read_cameras
    from posebench.comparison import Comparison as Comparison
    from posebench.comparison import compare as compare
    from posebench.conversion import convert as convert
    from posebench.dataframes import score_dataframe as score_dataframe
    from posebench.doctor import Diagnosis as Diagnosis
    from posebench.doctor import diagnose as diagnose
    from posebench.errors import InputError as InputError
    from posebench.errors import MissingExtraError as MissingExtraError
    from posebench.errors import PosebenchError as PosebenchError
    from posebench.errors import UsageError as UsageError
    from posebench.frames import FrameTable as FrameTable
    from posebench.frames import read_frames as read_frames
    from posebench.io import read as read
    from posebench.io import write as write
    from posebench.joining import concatenate as concatenate
    from posebench.lifting import lift_uvd as lift_uvd
    from posebench.metrics import MetricSpec as MetricSpec
    from posebench.metrics import auc as auc
    from posebench.metrics import axis_error as axis_error
    from posebench.metrics import bone_length_error as bone_length_error
    from posebench.metrics import bone_length_spread as bone_length_spread
    from posebench.metrics import cps as cps
    from posebench.metrics import families as families
    from posebench.metrics import joint_angle_error as joint_angle_error
    from posebench.metrics import mpjae as mpjae
    from posebench.metrics import mpjpe as mpjpe
    from posebench.metrics import mpjve as mpjve
    from posebench.metrics import mrpe as mrpe
    from posebench.metrics import nmpjpe as nmpjpe
    from posebench.metrics import npck as npck
    from posebench.metrics import pck as pck
    from posebench.metrics import pckh as pckh
    from posebench.metrics import per_pose as per_pose
    from posebench.metrics import pmpjpe as pmpjpe
    from posebench.metrics import pss as pss
    from posebench.metrics import resolve as resolve
    from posebench.metrics import symmetry_error as symmetry_error
    from posebench.metrics import worst_joint as worst_joint
    from posebench.poses import PoseSet as PoseSet
    from posebench.protocols import Protocol as Protocol
    from posebench.protocols import get_protocol as get_protocol
    from posebench.protocols import protocol_names as protocol_names
    from posebench.published import PublishedResult as PublishedResult
    from posebench.published import published_result as published_result
    from posebench.published import published_results as published_results
    from posebench.published import reasons_not_comparable as reasons_not_comparable
    from posebench.references import to_camera as to_camera
    from posebench.references import to_root as to_root
    from posebench.references import to_unit as to_unit
    from posebench.references import to_world as to_world
    from posebench.report import Report as Report
    from posebench.scoring import ProtocolReports as ProtocolReports
    from posebench.scoring import Scorer as Scorer
    from posebench.scoring import explain as explain
    from posebench.scoring import score as score
    from posebench.scoring import score_protocols as score_protocols
    from posebench.scoring import score_shards as score_shards
    from posebench.skeletons import Skeleton as Skeleton
    from posebench.skeletons import get_skeleton as get_skeleton
    from posebench.skeletons import register_skeleton as register_skeleton
    from posebench.skeletons import skeleton_names as skeleton_names
    from posebench.statistics import bootstrap_ci as bootstrap_ci
    from posebench.taxonomy import Explanation as Explanation


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"posebench.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'posebench' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
