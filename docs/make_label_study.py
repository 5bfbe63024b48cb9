"""How good labels by epipolar geometry are: writes the tables and the picture of docs/labels.md again.

    python docs/make_label_study.py --open4v DIR --footage DIR [--kept DIR]

needs Open4V, size small, as `posebench data render open4v --size small` makes it and `posebench data prepare open4v`
strips it of labels; the footage that `posebench data prepare pose2sim` cuts; and the networks of BlazePose, as
`posebench data fetch blazepose` says. Joints that BlazePose finds are kept in the third folder: that takes a quarter of
an hour, and the rest another.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import posebench as pb
from model_zoo.blazepose import BlazePose, find_network
from model_zoo.epipolarpose.detections import Detections, detect, read_detections, true_joints, write_detections
from model_zoo.epipolarpose.evaluation import METRICS, angles_between, evaluate_labels
from model_zoo.epipolarpose.geometry.arrays import homogeneous, rays_of
from model_zoo.epipolarpose.geometry.depth import from_image_space
from model_zoo.epipolarpose.geometry.essential import fundamental_from_pose
from model_zoo.epipolarpose.labels import LabelConfig, Labels, make_labels, view_sha256
from posebench.cameras import Camera
from posebench.datasets.triangulation import triangulate
from posebench.datasets.views import MultiViewSet, UnlabelledView, open_unlabelled
from posebench.drawing import draw_skeleton
from posebench.skeletons import H36M17

HERE = Path(__file__).resolve().parent
#: px in the camera's whole picture, whose focal length is about 1145.
NOISES = (0.0, 2.0, 5.0, 10.0)
#: Instants of which each pair is estimated alone: that is slow, and what it shows does not need more.
ALONE = 60
CONFIDENT, DISAGREES = 0.3, 50.0
Table = list[list[object]]


def main() -> None:
    """Measure everything, and write the JSON, the picture and the tables of the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--open4v", type=Path, required=True)
    parser.add_argument("--footage", type=Path, required=True)
    parser.add_argument("--kept", type=Path, default=Path("kept"))
    parser.add_argument("--looks", action="store_true", help="only print how often BlazePose should look again")
    asked = parser.parse_args()
    if asked.looks:
        looks(MultiViewSet(asked.open4v, "test"), MultiViewSet(asked.footage, "real"))
        return
    asked.kept.mkdir(parents=True, exist_ok=True)
    results = {"open4v": open4v(asked.open4v, asked.kept), "footage": footage(asked.footage, asked.kept)}
    (HERE / "label_study.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    page = HERE / "labels.md"
    text = page.read_text("utf-8")
    for name, table in results.items():
        text = filled(text, name, table)
    page.write_text(text, "utf-8")
    picture(asked.footage)


# --------------------------------------------------------------------------------------------------------------- open4v


def open4v(folder: Path, kept: Path) -> Table:
    """Table 1 of the paper: 2D source by what is known of the cameras."""
    dataset = MultiViewSet(folder, "train")
    table: Table = [
        ["joints in 2D", "R, t", "label", *METRICS, "rotation error", "pairs", "joints"],
    ]
    for noise in (*NOISES, None):
        found = found_by_blazepose(folder, "train", kept) if noise is None else true_joints(dataset, noise=noise)
        for extrinsics, pool, combine in (
            ("known", "sequence", "pair"),
            ("known", "sequence", "median"),
            ("estimated", "sequence", "pair"),
            ("estimated", "sequence", "median"),
            ("estimated", "frame", "pair"),
        ):
            config = LabelConfig(extrinsics, pool, combine=combine)
            tell(f"{found.source}, {extrinsics}, {pool}, {combine}")
            labels = some_labels(dataset, found, config) if pool == "frame" else all_labels(dataset, found, config)
            how = "known" if extrinsics == "known" else "pooled" if pool == "sequence" else "pair by pair"
            if not len(labels):
                table.append([found.source, how, combine, *["–"] * len(METRICS), "–", "0.0 %", "–"])
                continue
            quality = evaluate_labels(labels, dataset)
            table.append(
                [
                    found.source,
                    how,
                    combine,
                    *[
                        number(value, 1 if name.startswith("PSS") else 2 if found.source != "ground truth" else 4)
                        for name, value in quality.metrics.items()
                    ],
                    "–"
                    if quality.rotation is None
                    else f"{quality.rotation[0]:.2f}°, at most {quality.rotation[1]:.1f}°",
                    f"{100 * quality.pairs:.1f} %",
                    f"{100 * quality.joints:.1f} %",
                ]
            )
    return table


def all_labels(dataset: MultiViewSet, found: Detections, config: LabelConfig) -> Labels:
    """Labels of a whole split."""
    return make_labels(dataset.unlabelled(with_extrinsics=config.extrinsics == "known"), found, config)


def some_labels(dataset: MultiViewSet, found: Detections, config: LabelConfig) -> Labels:
    """Labels of some instants, spread over the split."""
    instants = dataset.instants
    rows = instants[np.linspace(0, len(instants) - 1, ALONE).astype(int)].reshape(-1)
    labels = make_labels(part(dataset.unlabelled(), rows), part_of(found, rows), config)
    box = np.full((len(dataset), 3), np.nan)
    box[rows] = labels.box
    report = {**labels.report, "view_sha256": view_sha256(dataset.unlabelled())}
    return replace(labels, pictures=rows[labels.pictures], box=box, report=report)


def part(view: UnlabelledView, rows: np.ndarray) -> UnlabelledView:
    """Some pictures of a view."""
    names = view.sequence[rows], view.camera[rows], view.frame[rows], view.intrinsics[rows]
    known = (view.R[rows], view.t[rows]) if view.with_extrinsics else ()
    return UnlabelledView(lambda index: view.image(int(rows[index])), *names, *known)


def part_of(found: Detections, rows: np.ndarray) -> Detections:
    """Detections of some pictures."""
    return Detections(found.points[rows], found.confidence[rows], found.source)


def found_by_blazepose(folder: Path, split: str, kept: Path) -> Detections:
    """What BlazePose finds, or found before."""
    view, path = open_unlabelled(folder, split), kept / f"{split}.npz"
    if not path.exists():
        network = BlazePose(find_network())
        tell(f"{network.name} on {len(view)} pictures")
        write_detections(detect(view, network, source=network.name), view, path)
    return read_detections(path, view)


def looks(*datasets: MultiViewSet) -> None:
    """Print the median error, in px of the picture, of BlazePose on 150 pictures of each data set."""
    for again in (0, 1, 2):
        network = BlazePose(find_network(), looks=again)
        for dataset in datasets:
            rows = np.random.default_rng(0).choice(len(dataset), 150, replace=False)
            points = np.array([network(dataset.image(int(row)))[0] for row in rows])
            error = np.linalg.norm(points - dataset.joints[rows], axis=-1)
            print(f"{again} looks, {dataset.split}: {np.nanmedian(error):.1f} px")


# -------------------------------------------------------------------------------------------------------------- footage


def footage(folder: Path, kept: Path) -> Table:
    """Two views without extrinsics against the triangulation of the same detections by four calibrated cameras."""
    dataset = MultiViewSet(folder, "real")
    table: Table = [
        ["joints in 2D", "cameras", "apart", "noise", "R, t known", "R, t estimated", "rotation error", "joints"],
    ]
    openpose = replace(true_joints(dataset), source="openpose")
    for found in (openpose, found_by_blazepose(folder, "real", kept)):
        reference, known = four_views(dataset, found)
        names = np.unique(dataset.camera)
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                tell(f"{found.source}, {first}, {second}")
                table.append(footage_row(dataset, found, (str(first), str(second)), reference, known))
    return table


def four_views(dataset: MultiViewSet, found: Detections) -> tuple[np.ndarray, np.ndarray]:
    """Points of the world for each picture's instant (N, 17, 3), and which are known."""
    instants = dataset.instants
    cameras = [dataset.calibrated(int(row)) for row in instants[0]]
    cameras = [
        replace_intrinsics(camera, dataset.camera_intrinsics[row])
        for camera, row in zip(cameras, instants[0], strict=True)
    ]
    pixels = homogeneous(rays_of(found.points, dataset.intrinsics)[..., :2]) @ np.swapaxes(
        dataset.camera_intrinsics, -1, -2
    )
    sure = np.where(found.confidence >= CONFIDENT, found.confidence, 0.0)
    seen = np.nan_to_num(pixels[instants][..., :2].swapaxes(0, 1).reshape(len(cameras), -1, 2))
    weights = sure[instants].swapaxes(0, 1).reshape(len(cameras), -1)
    points = triangulate(seen, weights, cameras, max_error=DISAGREES).points.reshape(len(instants), -1, 3)
    each = np.empty((len(dataset), len(H36M17), 3))
    each[instants.T.reshape(-1)] = np.tile(points, (len(cameras), 1, 1))
    return each, np.isfinite(each).all(axis=-1)


def replace_intrinsics(camera: Camera, K: np.ndarray) -> Camera:
    """The camera behind a crop."""
    return Camera(camera.name, K, [], camera.R, camera.t, "mm")


def footage_row(
    dataset: MultiViewSet, found: Detections, names: tuple[str, str], reference: np.ndarray, known: np.ndarray
) -> list[object]:
    """One pair of cameras."""
    rows = np.flatnonzero(np.isin(dataset.camera, names))
    view = dataset.unlabelled(with_extrinsics=True)
    some = part_of(found, rows)
    errors, share, rotation, noise = [], 0.0, float("nan"), float("nan")
    for extrinsics in ("known", "estimated"):
        labels = make_labels(
            part(dataset.unlabelled(with_extrinsics=extrinsics == "known"), rows), some, LabelConfig(extrinsics)
        )
        if not len(labels):
            errors.append("–")
            continue
        pictures = rows[labels.pictures[:, 0]]
        poses = from_image_space(
            np.where(labels.known[..., None], labels.joints[:, 0], 0.0),
            dataset.intrinsics[pictures],
            valid=labels.known,
        )
        both = labels.known & known[pictures]
        error = pb.pmpjpe(np.nan_to_num(poses), np.nan_to_num(reference[pictures]), valid=both)
        errors.append(f"{error:.1f} mm")
        if extrinsics == "estimated":
            share = float(both.mean())
            true = view.R[rows[labels.pictures[:, 1]]] @ np.swapaxes(view.R[pictures], -1, -2)
            rotation = float(angles_between(true, labels.pose[:, 1, :, :3]).max())
            scale = dataset.camera_intrinsics[rows, 0, 0] / dataset.intrinsics[rows, 0, 0]
            noise = labels.report["noise_px"] * float(np.median(scale))
    one, other = (view.R[np.flatnonzero(dataset.camera == name)[0]] for name in names)
    apart = float(angles_between(one[None], other[None])[0])
    return [
        found.source,
        f"{names[0]}, {names[1]}",
        f"{apart:.0f}°",
        f"{noise:.1f} px",
        *errors,
        f"{rotation:.1f}°",
        f"{100 * share:.0f} %",
    ]


def picture(folder: Path) -> None:
    """Two views, epipolar lines, and the pose: docs/figures/labels.jpg."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dataset = MultiViewSet(folder, "real")
    rows = np.flatnonzero(np.isin(dataset.camera, ("cam01", "cam02")))
    view = part(dataset.unlabelled(), rows)
    found = part_of(true_joints(dataset), rows)
    labels = make_labels(view, found)
    chosen = int(np.argmax(labels.known.sum(axis=1)))
    pair = labels.pictures[chosen]
    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right, drawn = figure.subplots(1, 3)
    F = fundamental_from_pose(
        labels.pose[chosen, 1, :, :3], labels.pose[chosen, 1, :, 3], *(view.intrinsics[row] for row in pair)
    )
    size = view.image(int(pair[0])).shape[0]
    for axes, row in ((left, pair[0]), (right, pair[1])):
        axes.imshow(view.image(int(row)))
        axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), xticks=[], yticks=[], title=str(view.camera[row]))
    colours = {joint: f"C{i % 10}" for i, joint in enumerate(np.flatnonzero(labels.known[chosen]))}
    for joint, colour in colours.items():
        for axes, row, line in (
            (left, pair[0], F.T @ [*found.points[pair[1], joint], 1]),
            (right, pair[1], F @ [*found.points[pair[0], joint], 1]),
        ):
            x = np.array([-0.5, size - 0.5])
            axes.plot(x, -(line[0] * x + line[2]) / line[1], color=colour, linewidth=0.8)
            axes.plot(*found.points[row, joint], "o", color=colour, markersize=4, markeredgecolor="white")
    pose = from_image_space(labels.joints[[chosen], 0], view.intrinsics[pair[0]], 1000.0, valid=labels.known[[chosen]])
    draw_skeleton(drawn, pose[0] - pose[0, H36M17.root], H36M17)
    drawn.set_title("the label, seen from the first camera")
    (HERE / "figures").mkdir(exist_ok=True)
    figure.savefig(HERE / "figures" / "labels.jpg", dpi=100, pil_kwargs={"quality": 85})


# -------------------------------------------------------------------------------------------------------------- helpers


def number(value: float | None, digits: int) -> str:
    """A cell."""
    return "–" if value is None else f"{value:.{digits}f}"


def tell(words: str) -> None:
    """Say on stderr what is being done."""
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def filled(text: str, name: str, table: Sequence[Sequence[object]]) -> str:
    """The page with a table in its place."""
    header, *rows = [[str(cell) for cell in row] for row in table]
    lines = [f"| {' | '.join(header)} |", f"|{'|'.join(['---'] * 3 + ['--:'] * (len(header) - 3))}|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    pattern = re.compile(rf"(<!-- study: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"the page has no place for {name}")
    return pattern.sub(lambda found: found[1] + "\n".join(lines) + "\n" + found[2], text)


if __name__ == "__main__":
    main()
