"""MMPose's files: converted annotations (.npz), dumps of predictions (.pkl), the .json of its demos and evaluations.

| what | told by | written by |
|---|---|---|
| annotations | `imgname` and `S` (N, J, 4) | `preprocess_h36m.py` and `preprocess_mpi_inf_3dhp.py` |
| dump | a list of dicts with `pred_instances` | `tools/test.py --dump` of MMPose 1.x |
| frames | `instance_info`, or a list of dicts with `instances` | the 3D demo and inferencer of MMPose 1.x |
| batches | a list of dicts with `preds` and `target_image_paths` | `tools/test.py --out` of MMPose 0.x |
| results | a list of dicts with `keypoints` and `target_id` | `result_keypoints.json` of MMPose 0.x |

What the data are follows from the names of the images, where those are known (`image_names`): Human3.6M or
MPI-INF-3DHP, 17 joints, in the camera. Annotations are then in metres and absolute, for the converters divide by 1000.
Predictions state no unit: it is whatever the model was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io.facts import Facts, shown_kind
from posebench.io.layouts.common import Reading
from posebench.io.layouts.image_names import facts_named, image_keys
from posebench.poses import as_poses
from posebench.skeletons import get_skeleton

#: Where the names of the images of a sample or batch stand.
IMAGES = ("target_img_path", "target_image_paths", "img_path", "image_paths", "img_paths", "image_path")


def read_annotations(raw: Mapping[str, Any], reading: Reading) -> Facts:
    """Read converted annotations: `S` (N, J, 4), of which the last number says whether a joint is visible.

    Raises
    ------
    InputError
        If `S` has another shape, or `imgname` another length.
    """
    joints = raw["S"]
    if not isinstance(joints, np.ndarray) or joints.dtype.kind not in "fiu":
        raise reading.error("S", f"is {shown_kind(joints)}, expected an array (N, J, 4)")
    if joints.ndim != 3 or joints.shape[2] not in (3, 4) or 0 in joints.shape:
        raise reading.error("S", f"has shape {joints.shape}, expected (N, J, 4): x, y, z and visibility")
    names = reading.texts(raw["imgname"], "imgname")
    if len(names) != len(joints):
        raise reading.error("imgname", f"has {len(names)} names for {len(joints)} poses, expected one per pose")
    keys = image_keys(names, reading.source)
    facts = facts_named(joints[..., :3], keys)
    facts.valid = None if joints.shape[2] == 3 else joints[..., 3] > 0
    if facts.skeleton is not None:
        facts.unit, facts.origin = "m", "absolute"
    return facts


def read_dump(samples: list[Any], reading: Reading) -> Facts:
    """Read the predictions of a dump; its ground truth, if it has any, is left aside, and a note says so.

    Raises
    ------
    InputError
        If a sample has no poses, or those of several people.
    """
    parts: list[npt.NDArray[Any]] = []
    places: list[str] = []
    names: list[Any] = []
    for i, sample in enumerate(samples):
        where = f"sample {i}"
        instances = reading.mapping(sample, where, "a dict with pred_instances").get("pred_instances")
        where = f"{where}: pred_instances"
        keypoints = reading.mapping(instances, where, "a dict with keypoints").get("keypoints")
        poses = reading.poses(keypoints, f"{where}.keypoints", (2, 3, 4))
        if poses.ndim == 4 and 1 not in poses.shape[:2]:
            raise reading.error(f"{where}.keypoints", f"has shape {poses.shape}, expected one person: select first")
        poses = poses.reshape(-1, *poses.shape[-2:])
        images = _images(sample, f"sample {i}", reading)
        named = len(images) == len(poses)
        if len(poses) != 1 and not named:
            raise reading.error(
                f"{where}.keypoints", f"holds {len(poses)} poses, expected one; select one person per frame first"
            )
        parts.append(poses)
        places.append(f"{where}.keypoints")
        names.extend(images if named else ())
    facts = _named(parts, places, names, reading)
    if any("gt_instances" in sample for sample in samples):
        facts.notes.append(f"{reading.source}: its predictions were read, its gt_instances were not")
    return facts


def read_batches(batches: list[Any], reading: Reading) -> Facts:
    """Read the outputs of MMPose 0.x, batch by batch: `preds` (B, J, 3) and the names of B images.

    Raises
    ------
    InputError
        If a batch has no poses, or another number of names than of poses.
    """
    parts: list[npt.NDArray[Any]] = []
    places: list[str] = []
    names: list[Any] = []
    for i, batch in enumerate(batches):
        where = f"batch {i}"
        poses = reading.poses(reading.mapping(batch, where, "a dict with preds").get("preds"), f"{where}: preds")
        images = _images(batch, where, reading)
        if len(images) not in (0, len(poses)):
            raise reading.error(where, f"has {len(poses)} preds and {len(images)} image names, expected as many")
        parts.append(poses)
        places.append(f"{where}: preds")
        names.extend(images)
    return _named(parts, places, names, reading)


def read_results(items: list[Any], reading: Reading) -> Facts:
    """Read a list of poses: those of MMPose 0.x with a `target_id` or the name of an image, or the people of one image.

    `target_id` is the row of the pose in the annotations, so poses are put into that order.

    Raises
    ------
    InputError
        If ids repeat, or nothing tells which frames the poses belong to.
    """
    parts: list[npt.NDArray[Any]] = []
    places: list[str] = []
    names: list[Any] = []
    ids: list[int] = []
    for i, item in enumerate(items):
        where = f"item {i}"
        entry = reading.mapping(item, where, "a dict with keypoints")
        parts.append(_one(entry.get("keypoints"), f"{where}: keypoints", reading))
        places.append(f"{where}: keypoints")
        images = _images(entry, where, reading)
        names.extend(images if len(images) == 1 else ())
        if "target_id" in entry:
            ids.append(_whole(entry["target_id"], f"{where}: target_id", reading))
    if names and len(names) == len(parts):
        return _named(parts, places, names, reading)
    if len(ids) != len(parts):
        if len(parts) == 1 and not ids:
            return _named(parts, places, [], reading)
        raise InputError(
            f"{reading.source}: holds {len(parts)} poses, {len(ids)} with a target_id and {len(names)} with the name "
            "of an image: which frames they belong to is unknown, or these are several people; keep one per frame"
        )
    order = np.argsort(np.array(ids, np.int64), kind="stable")
    repeats = np.flatnonzero(np.diff(np.array(ids, np.int64)[order]) == 0)
    if len(repeats):
        twice = ids[order[repeats[0]]]
        raise InputError(f"{reading.source}: target_id {twice} stands twice, expected one pose per row; select first")
    facts = _named(parts, places, [], reading)
    facts.poses = facts.poses[order]
    facts.notes.append(f"{reading.source}: ordered by target_id, the row in MMPose's annotations; it has no other keys")
    return facts


def read_instance_info(raw: Mapping[str, Any], reading: Reading) -> Facts:
    """Read the .json of MMPose's 3D demo: `instance_info` as in `read_frames`, and `meta_info` with the data set.

    Raises
    ------
    InputError
        As `read_frames`.
    """
    items, meta = raw["instance_info"], raw.get("meta_info")
    if not isinstance(items, list) or not items:
        what = "an empty list" if isinstance(items, list) else shown_kind(items)
        raise reading.error("instance_info", f"is {what}, expected a list of frames")
    dataset = meta.get("dataset_name") if isinstance(meta, dict) else None
    dataset = dataset if isinstance(dataset, str) else None
    if isinstance(items[0], dict) and "instances" not in items[0]:  # one image: its people, without a frame
        items = [{"instances": items}]
    return read_frames(items, reading, dataset)


def read_frames(items: list[Any], reading: Reading, dataset: str | None = None) -> Facts:
    """Read a list of frames, each with its `frame_id` and the people in it, `instances`; one person per frame.

    A frame without a person is left out, and a note says how many are.

    Raises
    ------
    InputError
        If a frame holds several people.
    """
    parts: list[npt.NDArray[Any]] = []
    places: list[str] = []
    frames: list[int] = []
    empty = 0
    for i, item in enumerate(items):
        entry = reading.mapping(item, f"frame {i}", "a dict with instances")
        number = _whole(entry["frame_id"], f"frame {i}: frame_id", reading) if "frame_id" in entry else None
        where = f"frame {i}" if number is None else f"frame_id {number}"
        people = entry.get("instances")
        if not isinstance(people, list):
            raise reading.error(where, f"has {shown_kind(people)} as instances, expected a list of people")
        if len(people) > 1:
            raise reading.error(where, f"holds {len(people)} people, expected one per frame; keep one of them first")
        if number is not None:
            frames += [number] * len(people)
        empty += not people
        for person in people:
            keypoints = reading.mapping(person, where, "a dict with keypoints").get("keypoints")
            parts.append(_one(keypoints, f"{where}: keypoints", reading))
            places.append(where)
    facts = Facts(as_poses(reading.stack(parts, places), reading.source))
    if len(frames) == len(parts):
        facts.frame = np.array(frames, np.int64)
    if empty:
        facts.notes.append(f"{reading.source}: {empty} of {len(items)} frames hold nobody and were left out")
    if dataset == "h36m" and facts.poses.shape[1] == 17:
        facts.skeleton = "h36m17"
    _turn_back(facts, reading.source)
    return facts


def _named(parts: list[npt.NDArray[Any]], places: list[str], names: list[Any], reading: Reading) -> Facts:
    """Poses with the keys that their images' names hold, if there is a name for each."""
    poses = as_poses(reading.stack(parts, places), reading.source)
    if len(names) == len(poses):
        return facts_named(poses, image_keys(names, reading.source))
    facts = Facts(poses)
    if names:
        facts.notes.append(f"{reading.source}: no keys, for {len(poses)} poses have {len(names)} image names")
    return facts


def _images(entry: Mapping[str, Any], where: str, reading: Reading) -> Sequence[Any]:
    """The names of the images of a sample or batch; never copied, as many samples of a pickle can share one list."""
    name = next((name for name in IMAGES if entry.get(name) is not None), None)
    return () if name is None else reading.texts(entry[name], f"{where}: {name}")


def _one(keypoints: Any, where: str, reading: Reading) -> npt.NDArray[Any]:
    """One pose as (1, J, 3)."""
    poses = reading.poses(keypoints, where, (2, 3))
    if poses.ndim == 3 and len(poses) != 1:
        raise reading.error(where, f"holds {len(poses)} poses, expected one; select one person per frame first")
    return poses.reshape(1, *poses.shape[-2:])


def _whole(value: Any, where: str, reading: Reading) -> int:
    if isinstance(value, np.integer):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**53:
        raise reading.error(where, f"is {shown_kind(value)}, expected a whole number")
    return value


def _turn_back(facts: Facts, source: str) -> None:
    """Undo how MMPose's demo and inferencer turn poses before they draw and save them.

    Up to release 1.3 they write (-x, z, -y) of the camera's axes, z moved so that the lowest joint has 0. That is a
    reflection: no rotation brings such a pose back, and every score that tells left from right would be wrong. Scripts
    derived from them write other axes, so it is undone only where the bodies are seen to be mirrored.
    """
    if facts.poses.shape[1] == 17 and handedness(facts.poses) < -0.5:
        x, y, z = -facts.poses[..., 0], -facts.poses[..., 2], facts.poses[..., 1]
        facts.poses, facts.reference = np.stack([x, y, z], axis=-1), "camera"
        facts.notes.append(
            f"{source}: mirrored, as MMPose's demos draw poses; turned back from (-x, z, -y) to the axes of the camera"
        )
    else:
        facts.notes.append(f"{source}: MMPose's demos turn poses before they save them; the axes were left as they are")


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is left out
def handedness(poses: npt.NDArray[Any]) -> float:
    """From -1 to 1: how surely bodies (N, 17, 3) in the order of H36M-17 are mirrored (-1) or as people are (1).

    Knees bend forwards. The sum over frames and legs of the volume that hip axis, knee and spine span, over the sum of
    its absolute values.

    Examples
    --------
    >>> pose = np.zeros((1, 17, 3))
    >>> pose[0, 1:4], pose[0, 8] = [[1, 0, 0], [1, 1, -4], [1, 0, -8]], [0, 0, 5]
    >>> pose[0, 4:7] = pose[0, 1:4] * [-1, 1, 1]
    >>> handedness(pose), handedness(pose * [-1, 1, 1])
    (1.0, -1.0)
    """
    joints = get_skeleton("h36m17")
    at = {name: np.asarray(poses[:, joints.index(name)], np.float64) for name in joints.joints}
    volumes = []
    across, up = at["RHip"] - at["LHip"], at["thorax"] - at["pelvis"]
    for side in "RL":
        bend = at[f"{side}Knee"] - (at[f"{side}Hip"] + at[f"{side}Ankle"]) / 2
        volumes.append(np.einsum("ni,ni->n", np.cross(across, bend), up))
    volume = np.concatenate(volumes)
    volume = volume[np.isfinite(volume)]
    total = float(np.abs(volume).sum())
    return float(volume.sum()) / total if 0 < total < np.inf else 0.0
