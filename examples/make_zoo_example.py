"""Makes examples/data/zoo again: one rendered picture of a person whom no model has seen, its camera and its pose.

posebench data render open4v --size tiny --motions synthetic --out OPEN4V
python examples/make_zoo_example.py OPEN4V
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from posebench.datasets.views import MultiViewSet
from posebench.io import write
from posebench.poses import PoseSet

HERE = Path(__file__).resolve().parent / "data" / "zoo"
#: Of the split `test`: a person who crouches and reaches forward.
PICTURE = 33
README = """# Example: a picture of a person

A person crouches and reaches forward, rendered by
`posebench data render open4v --size tiny --motions synthetic` (split `test`,
picture {number}: subject {subject}, camera {camera}, frame {frame}). `make demo-zoo` predicts the pose in it.

| file | what |
|---|---|
| `person.jpg` | the picture, 256 × 256 px |
| `camera.json` | its camera: intrinsics, no distortion, standing in the origin |
| `gt.npz` | the joints that the renderer knows, H36M-17 in the camera, mm |

The motion is made up, the body is anny's (Apache-2.0, its data CC0 1.0; Copyright (C) 2025 NAVER Corp.), the rooms are
papered with pictures of scikit-image that are CC0 or in the public domain.

Made by `python examples/make_zoo_example.py`.
"""


def main(folder: str) -> None:
    """Write the folder."""
    data = MultiViewSet(folder, "test")
    with np.load(Path(folder, "views", "test.npz"), allow_pickle=False) as views:
        picture = Path(folder, str(views["image"][PICTURE]))
        subject = str(views["sequence"][PICTURE]).partition("/")[0]
        camera, frame = str(views["camera"][PICTURE]), int(views["frame"][PICTURE])
    HERE.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(picture, HERE / "person.jpg")
    K = np.round(data.intrinsics[PICTURE], 4).tolist()
    placed = {"name": "camera", "K": K, "R": np.eye(3).tolist(), "t": [0, 0, 0], "size": [256, 256]}
    (HERE / "camera.json").write_text(json.dumps({"unit": "mm", "cameras": [placed]}, indent=1) + "\n", "utf-8")
    truth = data.ground_truth()
    pose = PoseSet(
        np.round(truth.poses[[PICTURE]], 2),
        skeleton=truth.skeleton,
        unit=truth.unit,
        reference="camera",
        sequence=np.array(["person.jpg"]),
        intrinsics=data.intrinsics[[PICTURE]],
        source="open4v",
    )
    write(pose, HERE / "gt.npz")
    told = README.format(number=PICTURE, subject=subject, camera=camera, frame=frame)
    (HERE / "README.md").write_text(told, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
