"""Cameras: where they stand, how they see, and the files that calibrations come in.

Moving whole sets of poses between world and cameras is the business of `posebench.references`.
"""

from posebench.cameras.camera import Camera, CameraUnit
from posebench.cameras.files import read_cameras

__all__ = ["Camera", "CameraUnit", "read_cameras"]
