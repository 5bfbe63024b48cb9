"""MPII's annotations in its three kinds of files."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
from scipy.io import savemat

from posebench.datasets.mpii import head_sizes, read_mpii
from posebench.errors import InputError, UsageError
from posebench.io import child
from tests.support.forking import forking


@pytest.fixture(scope="module", autouse=True)
def quick():
    """What these tests say of files holds in whatever process they are parsed."""
    if sys.platform == "win32":
        yield
        return
    with forking() as run, pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "run", run)
        yield


def structs(items):
    """A MATLAB struct array 1 x N out of dicts with the same names."""
    array = np.empty((1, len(items)), [(name, object) for name in items[0]])
    for i, item in enumerate(items):
        for name, value in item.items():
            array[0, i][name] = value
    return array


EMPTY = np.zeros((0, 0))
POINTS = [
    {"x": 610.5, "y": 187.25, "id": 9.0, "is_visible": EMPTY},  # the head's points do not say
    {"x": 647.0, "y": 176.0, "id": 8.0, "is_visible": EMPTY},
    {"x": 620.0, "y": 394.0, "id": 0.0, "is_visible": np.array([[1]], np.uint8)},
    {"x": 616.0, "y": 269.0, "id": 1.0, "is_visible": "0"},  # digits as text in a part of the release
    {"x": 573.0, "y": 185.0, "id": 6.0, "is_visible": "1"},
]
BOX = {"x1": 627.0, "y1": 100.0, "x2": 706.0, "y2": 198.0}
PLACED = {"scale": 3.021046, "objpos": structs([{"x": 594.0, "y": 257.0}])}


def release(points=POINTS, names=("015601864.jpg", "086617615.jpg", "000000001.jpg")):
    """Three images: one with two people of whom the second has no points, one without people, one of the test set."""
    marked = structs([{"point": structs(points)}])
    people = structs([BOX | {"annopoints": marked} | PLACED, BOX | {"annopoints": EMPTY} | PLACED])
    # People of the test set have a place and nothing else: their struct lacks the names of the others.
    images = structs(
        [
            {"image": structs([{"name": names[0]}]), "annorect": people, "vidx": 1.0},
            {"image": structs([{"name": names[1]}]), "annorect": EMPTY, "vidx": 1.0},
            {"image": structs([{"name": names[2]}]), "annorect": structs([PLACED]), "vidx": 2.0},
        ]
    )
    apart = np.empty((3, 1), object)
    apart[0, 0], apart[1, 0], apart[2, 0] = np.array([[2.0]]), EMPTY, np.array([[1.0]])
    return {"annolist": images, "img_train": np.array([[1, 1, 0]]), "version": "12", "single_person": apart}


def saved(folder, content, name="mpii_human_pose_v1_u12_1.mat"):
    path = folder / name
    savemat(path, content, do_compression=True)
    return path


def test_the_release_gives_everybody_with_head_box_and_points(tmp_path):
    people = read_mpii(saved(tmp_path, {"RELEASE": release()}))
    assert people.images == ("015601864.jpg", "015601864.jpg", "000000001.jpg")
    expected = np.full((16, 2), np.nan)
    expected[[9, 8, 0, 1, 6]] = [[610.5, 187.25], [647, 176], [620, 394], [616, 269], [573, 185]]
    np.testing.assert_array_equal(people.points[0], expected)
    assert np.flatnonzero(people.in_view[0]).tolist() == [0, 6, 8, 9]
    assert np.flatnonzero(people.annotated[0]).tolist() == [0, 1, 6, 8, 9]
    assert not people.annotated[1:].any()
    assert people.train.tolist() == [True, True, False]
    assert people.single.tolist() == [False, True, True]
    np.testing.assert_array_equal(people.centres, [[594, 257]] * 3)
    np.testing.assert_array_equal(people.head_sizes, [0.6 * math.sqrt(79**2 + 98**2)] * 2 + [np.nan])


def test_a_person_with_a_single_point_is_read(tmp_path):
    people = read_mpii(saved(tmp_path, {"RELEASE": release(POINTS[2:3])}))
    assert np.argwhere(people.annotated).tolist() == [[0, 0]]


def test_a_point_of_an_unknown_joint_is_refused_by_its_place(tmp_path):
    with pytest.raises(InputError, match=r"annolist\(1\)\.annorect\(1\) has a point of id 16, expected 0 to 15$"):
        read_mpii(saved(tmp_path, {"RELEASE": release([POINTS[0] | {"id": 16.0}])}))


def test_flags_for_another_number_of_images_are_refused(tmp_path):
    content = release() | {"img_train": np.array([[1, 0]])}
    with pytest.raises(InputError, match=r"RELEASE has 3 images and 2 flags img_train, expected as many$"):
        read_mpii(saved(tmp_path, {"RELEASE": content}))


def test_a_mat_file_of_something_else_says_what_it_holds(tmp_path):
    with pytest.raises(InputError, match=r"has neither the variable RELEASE .*; it has other$"):
        read_mpii(saved(tmp_path, {"other": np.zeros(3)}))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_release_that_is_cut_off_is_one_sentence(share, tmp_path):
    path = saved(tmp_path, {"RELEASE": release()})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError) as caught:
        read_mpii(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def valid(n=3):
    """gt_valid.mat, joints by axes by people."""
    rng = np.random.default_rng(5)
    missing = np.zeros((16, n))
    missing[[2, 11], [0, 1]] = 1
    places = rng.uniform(1, 900, (16, 2, n))
    boxes = np.stack([rng.uniform(1, 400, (2, n)), rng.uniform(420, 600, (2, n))])
    names = np.array([["rank", "rkne"]], object)
    return {"pos_gt_src": places, "headboxes_src": boxes, "jnt_missing": missing, "dataset_joints": names}


def test_the_validation_set_gives_points_and_head_sizes(tmp_path):
    content = valid()
    people = read_mpii(saved(tmp_path, content, "gt_valid.mat"))
    assert (len(people), people.images) == (3, ())
    for person in range(3):
        for joint in range(16):
            point = people.points[person, joint].tolist()
            if content["jnt_missing"][joint, person]:
                assert all(map(math.isnan, point))
            else:
                assert point == content["pos_gt_src"][joint, :, person].tolist()
        (x1, y1), (x2, y2) = content["headboxes_src"][:, :, person]
        assert people.head_sizes[person] == pytest.approx(0.6 * math.hypot(x2 - x1, y2 - y1), rel=1e-12)


def test_validation_arrays_of_different_people_are_refused(tmp_path):
    content = valid() | {"headboxes_src": np.ones((2, 2, 4))}
    with pytest.raises(InputError, match=r"headboxes_src has shape \(2, 2, 4\), expected \(2, 2, 3\)"):
        read_mpii(saved(tmp_path, content, "gt_valid.mat"))


ITEM = {
    "joints_vis": [1] * 15 + [0],
    "joints": [[float(joint), 2.0 * joint] for joint in range(15)] + [[-1.0, -1.0]],
    "image": "015601864.jpg",
    "scale": 3.02,
    "center": [594.0, 257.0],
}
UNMARKED = {name: ITEM[name] for name in ("image", "scale", "center")}


def listed(folder, items):
    path = folder / "valid.json"
    path.write_text(json.dumps(items))
    return path


def test_a_list_gives_its_people_and_leaves_out_joints_that_are_not_annotated(tmp_path):
    people = read_mpii(listed(tmp_path, [ITEM, UNMARKED]))
    assert people.images == ("015601864.jpg",) * 2
    assert people.points[0, 14].tolist() == [14, 28]
    assert people.annotated.sum(axis=1).tolist() == [15, 0]
    assert not people.annotated[0, 15]
    assert people.scales.tolist() == [3.02, 3.02]
    assert np.isnan(people.head_sizes).all()


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([ITEM | {"joints": ITEM["joints"][:15]}], r"item 0: joints is missing or something else, .* \(16, 2\)"),
        ([ITEM, {**ITEM, "joints_vis": None}], r"item 1: joints_vis is missing or something else, .* \(16,\)"),
        ([ITEM | {"scale": "big"}], "item 0: scale is missing or something else, expected a number"),
        ([{"images": []}], "item 0 names no image"),
        ({"people": []}, "holds no list of people"),
    ],
)
def test_what_is_wrong_with_a_list_is_named(items, said, tmp_path):
    with pytest.raises(InputError, match=said):
        read_mpii(listed(tmp_path, items))


def test_a_list_that_is_cut_off_is_refused(tmp_path):
    path = listed(tmp_path, [ITEM])
    path.write_text(path.read_text()[:-5])
    with pytest.raises(InputError, match=r"valid\.json: is not JSON, or cut off"):
        read_mpii(path)


def test_a_wrong_folder_and_a_missing_file_say_what_to_get(tmp_path):
    with pytest.raises(InputError, match=r"is a folder, expected mpii_human_pose_v1_u12_1\.mat"):
        read_mpii(tmp_path)
    with pytest.raises(InputError, match=r"is not there; get mpii_human_pose_v1_u12_2\.zip from human-pose"):
        read_mpii(tmp_path / "mpii.mat")
    (tmp_path / "a.txt").touch()
    with pytest.raises(UsageError, match=r"are \.mat or \.json$"):
        read_mpii(tmp_path / "a.txt")


# Head sizes


def test_head_boxes_of_another_shape_are_refused():
    with pytest.raises(InputError, match=r"head boxes have shape \(2,\), expected \(P, 4\)"):
        head_sizes([1, 2])
