"""Which camera sees which pose: by the key column `camera`, and by subject where cameras were calibrated for each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from posebench.cameras.camera import Camera
from posebench.errors import InputError, UsageError
from posebench.poses import KeyColumn, PoseSet


class Rig:
    """The cameras of a file, to be found by name and subject."""

    def __init__(self, cameras: Mapping[str, Camera]) -> None:
        self.cameras = list(cameras.values())
        if not self.cameras:
            raise UsageError("there are no cameras")
        self.names = tuple(dict.fromkeys(each.name for each in self.cameras))
        self.source = self.cameras[0].source
        self._where = {(each.subject, each.name): each for each in self.cameras}

    @property
    def listing(self) -> str:
        """The first of its cameras, for messages."""
        more = f" and {len(self.names) - 12} more" if len(self.names) > 12 else ""
        return ", ".join(self.names[:12]) + more

    def choose(self, poses: PoseSet, camera: str | None) -> tuple[KeyColumn, int]:
        """The name of the camera of each pose that results, and how many copies of the set these are.

        Parameters
        ----------
        poses : PoseSet
            Its key column `camera` decides if it has one.
        camera : str, optional
            A name, or "all" for one copy of the set per camera.

        Raises
        ------
        UsageError
            If `camera` is missing, or contradicts the column.
        """
        if poses.camera is not None:
            if camera is not None:
                raise UsageError(
                    f"{poses.source} says the camera of each pose, so --camera {camera} has no place; leave it out"
                )
            return poses.camera, 1
        if camera is None and len(self.names) > 1:
            raise UsageError(
                f"{poses.source} does not say the cameras of its poses; choose with --camera NAME, or with --camera "
                f"all for a copy per camera; {self.source} has {self.listing}"
            )
        if camera == "all":
            names = tuple(sorted(self.names))
            return KeyColumn(np.repeat(np.arange(len(names), dtype=np.int32), len(poses)), names), len(names)
        return KeyColumn.of(self.names[0] if camera is None else camera, len(poses), "camera"), 1

    def find(
        self, poses: PoseSet, names: KeyColumn, copies: int
    ) -> tuple[list[Camera], npt.NDArray[np.int64], dict[str, str]]:
        """The cameras in use, which of them each resulting pose takes, and the names that were taken for others.

        Raises
        ------
        InputError
            If there is no such camera; the message says which there are.
        """
        pairs = names.codes.astype(np.int64)
        if poses.subject is not None:
            pairs += np.tile(poses.subject.codes.astype(np.int64), copies) * len(names.names)
        present, codes = np.unique(pairs, return_inverse=True)
        used, renamed = [], {}
        for pair in present.tolist():
            subject = None if poses.subject is None else poses.subject.names[pair // len(names.names)]
            name = names.names[pair % len(names.names)]
            found = self._camera(poses, subject, name)
            used.append(found)
            if found.name != name:
                renamed[name] = found.name
        return used, codes.astype(np.int64), renamed

    def _camera(self, poses: PoseSet, subject: str | None, name: str) -> Camera:
        """The subject's own camera of that name, else everybody's; failing both, the only one of a name like it."""
        mine = {key[1]: self._where[key] for key in self._where if key[0] is None}
        mine |= {key[1]: self._where[key] for key in self._where if key[0] == subject}
        if name in mine:
            return mine[name]
        alike = [known for known in mine if _bare(known) == _bare(name)]
        if len(alike) == 1:
            return mine[alike[0]]
        if name in self.names:
            whose = "poses without a subject" if subject is None else f"subject {subject}"
            raise InputError(f"{self.source} has no camera {name} for {whose}, which {poses.source} needs")
        raise InputError(f"{self.source} has no camera {name}, which {poses.source} needs; it has {self.listing}")


def _bare(name: str) -> str:
    """A name without case and punctuation: what one file calls cam_01 is another's Cam01."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


__all__ = ["Rig"]
