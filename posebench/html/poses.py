"""The poses of a report: typical ones and the worst, as skeletons that the script turns."""

from __future__ import annotations

from typing import Any

from posebench.html.figures import bones_of, extent, overlay, rounded, seen
from posebench.html.markup import Markup, tag
from posebench.report.content import clean
from posebench.report.samples import SampledPose, Samples


def poses(samples: Samples | None) -> list[Any]:
    """All sampled poses, or a sentence that says why there are none."""
    if samples is None:
        return [
            tag(
                "p",
                "Poses and curves are kept while a set is scored; this report has only its numbers. Score the files "
                "again with -o report.html, or with samples=True from Python.",
            )
        ]
    if not samples.poses:
        return [tag("p", "No frame has an error to choose poses by.")]
    # One scale for all, so that poses and errors can be compared; what is far off leaves the picture.
    most = 1.12 * extent(*(pose.gt for pose in samples.poses))
    typical = [(i, pose) for i, pose in enumerate(samples.poses) if pose.why != "worst"]
    worst = [(i, pose) for i, pose in enumerate(samples.poses) if pose.why == "worst"]
    apart = f"one from each of {samples.stretches:,} stretches of the set at most, since neighbouring frames look alike"
    toolbar = tag(
        "div",
        (
            tag("button", name, type="button", data_view=view)
            for name, view in (("Front", "0 0"), ("Side", "90 0"), ("Above", "0 80"), ("Oblique", "25 10"))
        ),
        tag("label", tag("input", type="checkbox", id="together", checked=True), " turn all together", for_="together"),
        class_="actions needs-script",
        role="group",
        aria_label="View of the poses",
    )
    legend = tag(
        "p",
        tag("span", class_="key bone-gt"),
        "broad and pale: ground truth; ",
        tag("span", class_="key bone-pred"),
        "thin and strong: prediction; ",
        tag("span", class_="key bone-l"),
        "the person's left, ",
        tag("span", class_="key bone-r"),
        "right.",
        class_="hint",
    )
    return [
        tag(
            "p",
            f"Chosen by {samples.metric}; prediction and ground truth are drawn as this metric compares them. ",
            tag("span", "Drag a pose, or focus it and use the arrow keys; Home turns back.", class_="needs-script"),
            id="pose-help",
        ),
        toolbar,
        legend,
        tag("h3", "Typical"),
        tag("div", (_pose(samples, i, pose, most) for i, pose in typical), class_="poses"),
        tag("h3", "Worst"),
        tag("p", f"The largest errors, {apart}.", class_="hint"),
        tag("div", (_pose(samples, i, pose, most) for i, pose in worst), class_="poses"),
    ]


def _pose(samples: Samples, i: int, pose: SampledPose, most: float) -> Markup:
    where = ", ".join(f"{name} {clean(value)}" for name, value in pose.keys.items()) or f"row {pose.row}"
    rank = {"50 %": "median", "worst": "worst"}.get(pose.why, f"{pose.why} of the frames are better")
    label = f"{rank}: {samples.metric} {pose.error:.1f} mm, {where}"
    pred, gt = seen(pose.pred, samples.up), seen(pose.gt, samples.up)
    return tag(
        "figure",
        tag(
            "div",
            overlay(pred, gt, samples.skeleton, most, label),
            class_="stage",
            data_pose=i,
            role="img",
            aria_label=label,
            aria_describedby="pose-help",
        ),
        tag(
            "figcaption",
            tag("b", f"{pose.error:.1f} mm"),
            f" {rank}",
            tag("br"),
            tag("span", where, class_="where"),
        ),
        class_="pose",
    )


def pose_data(samples: Samples | None) -> dict[str, Any]:
    """What the script needs to draw them."""
    if samples is None:
        return {"bones": [], "list": []}
    return {
        "bones": bones_of(samples.skeleton),
        "list": [
            {name: rounded(seen(side, samples.up), 1) for name, side in (("gt", pose.gt), ("pred", pose.pred))}
            for pose in samples.poses
        ],
    }
