"""Skeletons are drawn near over far, with equal axes, in colours that all readers tell apart, the same each time."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from PIL import Image

from posebench.drawing import (
    CAMERA_VIEW,
    KINDS,
    PALETTE,
    Grid,
    View,
    draw_grid,
    draw_skeleton,
    drawing_order,
    figure_bytes,
    figure_kind,
    new_figure,
    page,
    restricted,
    save_figure,
    sides,
    view_of,
)
from posebench.errors import InputError, UsageError
from posebench.skeletons import H36M17, Skeleton, get_skeleton, skeleton_names
from tests.support.poses import people

#: Two limbs of nothing else: left and right, so that colours tell them apart.
TWO_LIMBS = Skeleton("sticks", ("LHip", "LKnee", "RHip", "RKnee"), (-1, 0, -1, 2), 0, ((0, 2), (1, 3)), {})


def strokes(figure) -> list[tuple[np.ndarray, str, float]]:
    """What is drawn, in order: ends (2, 2), colour and width of each line."""
    found = []
    for axes in figure.axes:
        for collection in axes.collections:
            assert isinstance(collection, LineCollection)
            lines = zip(collection.get_segments(), collection.get_colors(), collection.get_linewidths(), strict=True)
            found += [(ends, to_hex(colour).upper(), float(width)) for ends, colour, width in lines]
    return found


def drawn(pose, skeleton=TWO_LIMBS, **options):
    figure = new_figure(2, 2)
    axes = figure.add_axes((0, 0, 1, 1))
    draw_skeleton(axes, pose, skeleton, **options)
    return figure


def colour_at(figure, x: float, y: float) -> str:
    """Colour of the picture at a share of its width, and of its height from below."""
    with Image.open(io.BytesIO(figure_bytes(figure, "png"))) as image:
        rgb = image.convert("RGB")
        pixel = np.array(rgb.getpixel((round(x * rgb.width), round((1 - y) * rgb.height)))) / 255
    return min(vars(PALETTE).values(), key=lambda colour: float(np.abs(to_rgb(colour) - pixel).sum()))


def cross(left_depth: float, right_depth: float) -> np.ndarray:
    """A left limb across a right one, each at one depth, seen by a camera."""
    return np.array([[-1, -1, left_depth], [1, 1, left_depth], [-1, 1, right_depth], [1, -1, right_depth]], float)


# Order


@pytest.mark.parametrize(("depths", "above"), [((1.0, 2.0), PALETTE.left), ((2.0, 1.0), PALETTE.right)])
def test_the_limb_nearer_to_the_viewer_covers_the_one_behind_it(depths: tuple[float, float], above: str) -> None:
    assert colour_at(drawn(cross(*depths)), 0.5, 0.5) == above


def test_the_depth_where_two_limbs_pass_decides_and_not_that_of_their_middles() -> None:
    # The first comes from far behind to the front of the second, which it crosses near its own front end.
    plane = [[-8, 0], [2, 0], [0, -1], [0, 1]]
    depth = [11, 1, 4, 4]
    assert drawing_order(plane, depth, [(0, 1), (2, 3)]) == [1, 0]
    assert np.mean(depth[:2]) > np.mean(depth[2:])
    assert depth[0] + 0.8 * (depth[1] - depth[0]) < 4


def test_limbs_that_pass_side_by_side_are_ordered_where_they_are_closest() -> None:
    plane = [[0, 0], [0, 10], [0.1, 8], [0.1, 20]]
    depth = [9, 1, 4, 2]  # at height 8 the first is at 2.6
    assert drawing_order(plane, depth, [(0, 1), (2, 3)]) == [1, 0]


def test_limbs_apart_from_each_other_go_by_their_middles() -> None:
    plane = [[0, 0], [0, 1], [9, 0], [9, 1], [4, 0], [4, 1]]
    assert drawing_order(plane, [1, 1, 3, 3, 2, 2], [(0, 1), (2, 3), (4, 5)]) == [1, 2, 0]


def test_of_limbs_that_overlap_in_a_circle_the_farthest_comes_first() -> None:
    # Three sticks, each over the next at its end.
    plane = [[0, 0], [10, 0], [9, -1], [4, 8], [6, 8], [1, -1]]
    depth = [1, 3, 1, 3, 1, 3.2]
    assert drawing_order(plane, depth, [(0, 1), (2, 3), (4, 5)]) == [2, 0, 1]


def test_every_joint_shows_even_where_no_limb_ends() -> None:
    dots = Skeleton("dots", tuple(f"j{i}" for i in range(30)), (-1,) * 30, 0, (), {})
    poses = np.random.default_rng(12).uniform(-1, 1, (30, 3))
    poses[:2, :2] = [[-1, -1], [1, 1]]
    figure = drawn(poses, dots, width=4)
    with Image.open(io.BytesIO(figure_bytes(figure, "png"))) as image:
        grey = image.convert("L")
    half = 0.57 * 2  # of the picture, which shows a little more than the pose
    for x, y, _ in poses:
        at = ((x + half) / (2 * half) * grey.width, (y + half) / (2 * half) * grey.height)
        assert grey.getpixel((int(at[0]), int(at[1]))) < 128


def test_a_joint_covers_its_own_limbs_and_is_covered_by_those_in_front() -> None:
    found = strokes(drawn(cross(1.0, 2.0)))
    far = [i for i, (_, colour, _) in enumerate(found) if colour == PALETTE.right]
    near = [i for i, (_, colour, _) in enumerate(found) if colour == PALETTE.left]
    assert len(far) == len(near) == 3  # a limb and two dots
    assert max(far) < min(near)
    assert [np.ptp(found[i][0], axis=0).max() > 1 for i in far] == [True, False, False]


# Geometry


@pytest.mark.parametrize("up", ["-y", "y", "z", "-z"])
@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 0), (30, 10), (200, -40)])
def test_a_view_is_a_rotation_that_puts_the_viewer_in_front(up: str, azimuth: float, elevation: float) -> None:
    view = View.of(up, azimuth=azimuth, elevation=elevation)
    # Right, up and toward the viewer are a right-handed system.
    axes = np.array([view.right, view.up, -np.array(view.away)])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)


def test_a_viewer_who_walks_to_the_right_sees_the_right_side_come_nearer() -> None:
    _, depth = View.of("-y", azimuth=20).project([[1.0, 0, 0], [-1, 0, 0]])
    assert depth[0] < depth[1]


def test_a_viewer_who_climbs_sees_the_top_come_nearer() -> None:
    _, depth = View.of("y", elevation=20).project([[0.0, 1, 0], [0, -1, 0]])
    assert depth[0] < depth[1]


def test_y_is_down_in_a_camera_and_up_in_a_world() -> None:
    point = [0.0, 1.0, 0.0]
    heights = [view_of(reference).project(point)[0][1] for reference in ("camera", "canonical", "world")]
    assert heights == [-1, -1, 1]
    assert view_of("world", "z").up == (0, 0, 1)


def test_an_axis_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="up is 'x', expected one of -y, y, z, -z"):
        View.of("x")


@pytest.mark.parametrize("size", [(2, 2), (5, 2), (2, 5)])
def test_both_axes_have_one_scale_whatever_the_shape_of_the_figure(size: tuple[float, float]) -> None:
    figure = new_figure(*size)
    axes = figure.add_axes((0, 0, 1, 1))
    draw_skeleton(axes, people(np.random.default_rng(0), 1)[0], H36M17)
    figure_bytes(figure, "svg")  # lays the axes out
    origin, right, up = axes.transData.transform([(0, 0), (1, 0), (0, 1)])
    assert right[0] - origin[0] == pytest.approx(up[1] - origin[1], rel=1e-6)


def test_the_poses_of_a_grid_have_one_scale_and_keep_their_shapes() -> None:
    poses = people(np.random.default_rng(1), 3) * np.array([1, 1, 0.5])[:, None, None]
    figure = draw_grid(poses, H36M17, columns=2)
    found = [ends for ends, colour, _ in strokes(figure) if colour != "#FFFFFF" and np.ptp(ends, axis=0).max() > 1e-2]
    lengths = np.sort([np.linalg.norm(ends[1] - ends[0]) for ends in found])
    bones = poses[:, [b for _, b in H36M17.bones], :2] - poses[:, [a for a, _ in H36M17.bones], :2]
    expected = np.sort(np.linalg.norm(bones, axis=2).ravel())[-len(lengths) :]
    assert len(lengths) > 40
    np.testing.assert_allclose(lengths / lengths[-1], expected / expected[-1], rtol=1e-9)


def test_every_pose_lies_within_its_cell() -> None:
    poses = people(np.random.default_rng(2), 5)
    grid = Grid(poses, H36M17, [str(i) for i in range(5)], columns=3, cell=1.0)
    figure = page(grid)
    collections = figure.axes[0].collections
    assert len(collections) == 5
    for i, collection in enumerate(collections):
        x, y = grid.corner(i)
        points = np.concatenate(collection.get_segments())
        assert (points[:, 0] > x).all() and (points[:, 0] < x + 1).all()
        assert (points[:, 1] < y).all() and (points[:, 1] > y - grid.height / 2).all()


def test_a_pose_moved_and_scaled_gives_the_same_picture() -> None:
    # By powers of two, so that nothing is rounded.
    pose = np.round(people(np.random.default_rng(3), 1)[0])
    small = (pose - pose[0]) / 4096
    assert figure_bytes(drawn(pose, H36M17), "png") == figure_bytes(drawn(small, H36M17), "png")


# Skeletons


@pytest.mark.parametrize("name", skeleton_names())
def test_any_skeleton_is_drawn_by_all_its_bones_and_joints(name: str) -> None:
    skeleton = get_skeleton(name)
    pose = np.random.default_rng(4).normal(size=(len(skeleton), 3))
    found = [colour for _, colour, _ in strokes(drawn(pose, skeleton))]
    assert found.count("#FFFFFF") == len(skeleton.bones)
    assert len(found) == 2 * len(skeleton.bones) + len(skeleton)


def test_a_bone_has_the_colour_of_its_side() -> None:
    pose = people(np.random.default_rng(5), 1)[0]
    plane, _ = CAMERA_VIEW.project(pose)
    colours = {
        tuple(np.round(ends.ravel(), 6)): colour
        for ends, colour, _ in strokes(drawn(pose, H36M17))
        if colour != "#FFFFFF"
    }
    for (parent, child), name in zip(H36M17.bones, H36M17.bone_names, strict=True):
        side = {"L": PALETTE.left, "R": PALETTE.right}.get(H36M17.joints[child][0], PALETTE.middle)
        assert colours[tuple(np.round(plane[[parent, child]].ravel(), 6))] == side, name


def test_joints_without_a_twin_are_in_the_middle() -> None:
    assert dict(zip(H36M17.joints, sides(H36M17), strict=True))["thorax"] == "middle"


def test_a_joint_that_is_not_finite_is_left_out_with_its_bones() -> None:
    pose = people(np.random.default_rng(6), 1)[0]
    pose[H36M17.index("LKnee")] = np.nan
    found = [colour for _, colour, _ in strokes(drawn(pose, H36M17))]
    assert found.count("#FFFFFF") == len(H36M17.bones) - 2
    assert len(found) == 2 * (len(H36M17.bones) - 2) + 16


def test_a_subset_of_the_joints_hangs_together() -> None:
    without_spine = restricted(H36M17, [joint for joint in reversed(H36M17.joints) if joint != "spine"])
    assert "pelvis-thorax" in without_spine.bone_names
    assert len(without_spine.bones) == 15
    assert {tuple(without_spine.joints[j] for j in pair) for pair in without_spine.left_right} == {
        tuple(H36M17.joints[j] for j in pair) for pair in H36M17.left_right
    }


def test_labels_name_the_joints() -> None:
    pose = people(np.random.default_rng(7), 1)[0]
    texts = [text.get_text() for text in drawn(pose, H36M17, labels=True).axes[0].texts]
    assert texts == list(H36M17.joints)
    assert not list(drawn(pose, H36M17).axes[0].texts)


@pytest.mark.parametrize(
    ("poses", "words"),
    [
        (np.zeros((2, 16, 3)), r"shape \(2, 16, 3\), expected \(N, 17, 3\) for h36m17"),
        (np.zeros((0, 17, 3)), "no pose to be drawn"),
        (np.full((1, 17, 3), np.nan), "pose 0 cannot be drawn: none of its joints is finite"),
    ],
)
def test_poses_that_cannot_be_drawn_are_refused(poses: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        draw_grid(poses, H36M17)


def test_titles_are_one_for_each_pose() -> None:
    with pytest.raises(UsageError, match="titles: expected 2, one for each pose, got 1"):
        draw_grid(people(np.random.default_rng(0), 2), H36M17, titles=["one"])


def test_a_pose_in_one_point_is_drawn_as_a_dot() -> None:
    assert figure_bytes(drawn(np.zeros((17, 3)), H36M17), "png")


# Colours

#: Machado, Oliveira and Fernandes, A physiologically-based model for simulation of color vision deficiency, IEEE TVCG
#: 2009, severity 1.0, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}


def lab(colour: str, deficiency: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of an sRGB colour as a colour-blind reader sees it."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(deficiency @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ seen / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_left_and_right_differ_for_colour_blind_readers_too(deficiency: str) -> None:
    seen = {name: lab(colour, DEFICIENCIES[deficiency]) for name, colour in vars(PALETTE).items()}
    # A difference of 2.3 is just noticeable.
    assert np.linalg.norm(seen["left"] - seen["right"]) > 80
    for a, b in itertools.combinations(seen.values(), 2):
        assert np.linalg.norm(a - b) > 40
    for colour in seen.values():
        assert np.linalg.norm(colour - lab("#FFFFFF", DEFICIENCIES[deficiency])) > 60


# Files

DRAW = """
import sys, hashlib, numpy as np
from posebench.drawing import KINDS, draw_grid, figure_bytes
from posebench.skeletons import H36M17
poses = np.random.default_rng(0).normal(size=(3, 17, 3))
figure = draw_grid(poses, H36M17, titles=["a", "$x$", "c"], heading="h")
print(*(hashlib.sha256(figure_bytes(figure, kind)).hexdigest() for kind in KINDS))
print("matplotlib.pyplot" in sys.modules)
"""


def test_the_same_poses_give_the_same_bytes_in_every_process_and_without_pyplot() -> None:
    outputs = [
        subprocess.run([sys.executable, "-c", DRAW], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert outputs[0] == outputs[1]
    hashes, pyplot = outputs[0].splitlines()
    assert len(set(hashes.split())) == len(KINDS)
    assert pyplot == "False"


@pytest.mark.parametrize("kind", KINDS)
def test_a_users_style_has_no_say(kind: str) -> None:
    poses = people(np.random.default_rng(8), 2)

    def picture() -> bytes:
        return figure_bytes(draw_grid(poses, H36M17, titles=["a", "b"], heading="h"), kind)

    plain = picture()
    style = {
        "font.size": 30, "savefig.facecolor": "red", "lines.linewidth": 9, "savefig.bbox": "tight", "svg.hashsalt": "x",
        "path.simplify": False, "font.family": "serif",
    }  # fmt: skip
    with matplotlib.rc_context(style):
        assert picture() == plain
        assert matplotlib.rcParams["font.size"] == 30


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_holds_a_date(kind: str) -> None:
    data = figure_bytes(new_figure(1, 1), kind)
    assert b"Date" not in data
    assert b"date" not in data


def test_a_figure_is_written_in_all_formats_or_in_none(tmp_path) -> None:
    figure = new_figure(1, 1)
    with pytest.raises(
        UsageError, match=r"a figure cannot be written with ending '.gif'; known endings are .png, .svg"
    ):
        save_figure(figure, [tmp_path / "a.png", tmp_path / "b.gif"])
    assert list(tmp_path.iterdir()) == []
    save_figure(figure, [tmp_path / "a.png", tmp_path / "b.SVG", tmp_path / "c.pdf"])
    starts = [path.read_bytes()[:5] for path in sorted(tmp_path.iterdir())]
    assert starts == [b"\x89PNG\r", b"<?xml", b"%PDF-"]


def test_a_name_without_ending_is_refused() -> None:
    with pytest.raises(UsageError, match="figure: a figure cannot be written with no ending"):
        figure_kind("figure")


def test_a_title_is_text_and_no_formula() -> None:
    figure = draw_grid(people(np.random.default_rng(9), 1), H36M17, titles=["$\\frac{1$"], heading="$$")
    assert figure_bytes(figure, "svg")


def test_hundred_skeletons_take_less_than_300_kb() -> None:
    poses = people(np.random.default_rng(10), 100)
    figure = draw_grid(poses, H36M17, titles=[f"{i}\n1.0 %" for i in range(100)])
    assert len(figure_bytes(figure, "png")) < 300_000
