"""Pictures from several cameras: with labels, and so that no label can be reached."""

from __future__ import annotations

import gc
import shutil
import types
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from posebench.datasets.open4v.labels import Views, write_labels
from posebench.datasets.views import MultiViewSet, UnlabelledView, open_unlabelled, strip_labels
from posebench.errors import InputError, UsageError
from posebench.poses import PoseSet

#: Subject, sequence, camera, frame. Camera b has no picture of the last one.
ROWS = [("p1", "s", "b", 0), ("p1", "s", "a", 0), ("p1", "s", "a", 7), ("p1", "s", "b", 7), ("p2", "s", "a", 0)]
RANDOM = np.random.default_rng(3)
N = len(ROWS)
TURN = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
LABELS = {
    "joints": RANDOM.uniform(0, 16, (N, 17, 2)),
    "visible": RANDOM.uniform(size=(N, 17)) > 0.5,
    "box": RANDOM.uniform(0, 16, (N, 4)),
    "poses": RANDOM.uniform(-900, 900, (N, 17, 3)) + [0, 0, 4000],
}
INTRINSICS = np.array([[[20.0 + row, 0, 7.5], [0, 20 + row, 7.5], [0, 0, 1]] for row in range(N)])
EXTRINSICS = np.stack([np.column_stack([TURN, [row, 2.0, 3000.0]]) for row in range(N)])


def views(*, flat: bool = False, first: str | None = None) -> Views:
    columns = [np.array(column) for column in zip(*ROWS, strict=True)]
    images = [f"images/train/{s}/{q}/{c}_{f:06d}.png" for s, q, c, f in ROWS]
    labels = dict(LABELS) | {"extrinsics": EXTRINSICS}
    if flat:
        del labels["poses"], labels["extrinsics"]
    return Views(
        image=np.array([first or images[0], *images[1:]]),
        subject=columns[0], action=np.array(["Walk"] * N), sequence=columns[1], camera=columns[2], frame=columns[3],
        crop=np.zeros((N, 3)), intrinsics=INTRINSICS, camera_intrinsics=INTRINSICS, **labels,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path) -> Path:
    """As Open4V writes it; a picture has the colour of its row."""
    place = tmp_path / "set"
    (place / "labels").mkdir(parents=True)
    made = views()
    write_labels(made, place / "labels", "train", dataset="open4v", fps=10.0)
    for row, name in enumerate(made.image.tolist()):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(np.full((16, 16, 3), [row, 100, 200], np.uint8)).save(place / name)
    return place


# With labels


def test_a_split_holds_keys_cameras_labels_and_pictures(folder) -> None:
    found = MultiViewSet(folder, "train")
    assert len(found) == N
    assert list(zip(found.subject, found.sequence, found.camera, found.frame, strict=True)) == ROWS
    np.testing.assert_array_equal(found.joints, LABELS["joints"])
    assert [picture[0, 0].tolist() for picture in found.images()] == [[row, 100, 200] for row in range(N)]
    assert found.image(-1)[3, 3].tolist() == [N - 1, 100, 200]


def test_the_ground_truth_is_that_of_the_file(folder) -> None:
    found = MultiViewSet(folder, "train").ground_truth()
    np.testing.assert_allclose(found.poses, LABELS["poses"], atol=1e-2)
    assert (found.unit, found.reference, found.dataset) == ("mm", "camera", "open4v")


def test_a_pictures_camera_has_its_intrinsics_and_place(folder) -> None:
    camera = MultiViewSet(folder, "train").calibrated(2)
    np.testing.assert_array_equal(camera.K, INTRINSICS[2])
    np.testing.assert_allclose(camera.to_camera([[0, 0, 0]])[0], [2, 2, 3000])
    np.testing.assert_allclose(camera.R, TURN)


def test_pictures_taken_together_are_found_across_cameras(folder) -> None:
    """By sequence of each subject, then frame; the columns are cameras a and b."""
    expected = [[1, 0], [2, 3], [4, -1]]
    found = MultiViewSet(folder, "train")
    assert found.instants.tolist() == expected
    assert found.unlabelled().instants.tolist() == expected


def test_two_pictures_of_one_camera_and_instant_are_refused() -> None:
    view = UnlabelledView(lambda index: np.zeros((1, 1, 3), np.uint8), ["s"] * 2, ["a"] * 2, [4, 4], INTRINSICS[:2])
    with pytest.raises(InputError, match="two pictures have one sequence, frame and camera"):
        _ = view.instants


def test_pictures_are_not_kept(folder) -> None:
    found = MultiViewSet(folder, "train")
    assert found.image(0) is not found.image(0)
    first = found.image(0)
    first[:] = 9
    assert found.image(0)[0, 0].tolist() == [0, 100, 200]


def test_a_split_in_2d_has_no_poses_and_no_places(folder) -> None:
    write_labels(views(flat=True), folder / "labels", "flat", dataset="open4v", fps=None)
    found = MultiViewSet(folder, "flat")
    for wrong in (found.ground_truth, lambda: found.calibrated(0), lambda: found.unlabelled(with_extrinsics=True)):
        with pytest.raises(InputError):
            wrong()
    strip_labels(folder, folder)
    assert len(open_unlabelled(folder, "flat")) == N
    with pytest.raises(InputError, match=r"flat.extrinsics.npz: is missing"):
        open_unlabelled(folder, "flat", with_extrinsics=True)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_damaged_picture_is_one_sentence(folder, content: bytes) -> None:
    found = MultiViewSet(folder, "train")
    path = folder / "images/train/p1/s/b_000000.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"b_000000.png: is no whole picture"):
        found.image(0)
    path.unlink()
    with pytest.raises(InputError, match=r"b_000000.png: is missing"):
        found.image(0)


def test_a_huge_picture_is_not_decoded(folder) -> None:
    PIL.Image.new("1", (8200, 1)).save(folder / "images/train/p1/s/b_000000.png")
    with pytest.raises(InputError, match="8200 × 1 px, at most 8192"):
        MultiViewSet(folder, "train").image(0)


def test_an_index_beyond_the_end_is_refused(folder) -> None:
    with pytest.raises(UsageError, match="there is no picture 5; there are 5"):
        MultiViewSet(folder, "train").image(N)


@pytest.mark.parametrize("name", ["../secret.png", "/secret.png", "a/../../secret.png", "C:secret.png"])
def test_labels_that_name_pictures_elsewhere_are_refused(folder, name: str) -> None:
    write_labels(views(first=name), folder / "labels", "train", dataset="open4v", fps=10.0)
    for wrong in (lambda: MultiViewSet(folder, "train"), lambda: strip_labels(folder, folder)):
        with pytest.raises(InputError, match=r"train.views.npz: names the picture .*not below its folder"):
            wrong()


# Without labels


@pytest.fixture
def stripped(folder) -> Path:
    """Every file that holds a label is deleted."""
    assert strip_labels(folder, folder) == {"train": N}
    shutil.rmtree(folder / "labels")
    return folder


@pytest.mark.parametrize("with_extrinsics", [False, True])
def test_the_view_without_labels_works_when_every_label_is_deleted(stripped, with_extrinsics: bool) -> None:
    found = open_unlabelled(stripped, "train", with_extrinsics=with_extrinsics)
    assert len(found) == N
    np.testing.assert_array_equal(found.intrinsics, INTRINSICS)
    assert list(zip(found.sequence, found.camera, found.frame, strict=True)) == [
        (f"{s}/{q}", c, f) for s, q, c, f in ROWS
    ]
    assert [picture[0, 0, 0] for picture in found.images([3, 1])] == [3, 1]
    if with_extrinsics:
        np.testing.assert_allclose(found.R, np.stack([TURN] * N))
        np.testing.assert_allclose(found.t, EXTRINSICS[:, :, 3])


def test_without_being_asked_for_extrinsics_are_not_even_read(stripped) -> None:
    (stripped / "views" / "train.extrinsics.npz").unlink()
    found = open_unlabelled(stripped, "train")
    for name in ("R", "t"):
        with pytest.raises(UsageError, match="holds no extrinsics"):
            getattr(found, name)


def reachable(start: object) -> list[object]:
    """Everything that an object leads to, short of modules, classes and the globals of functions."""
    found: dict[int, object] = {}
    waiting = [start]
    while waiting:
        each = waiting.pop()
        if id(each) in found or isinstance(each, types.ModuleType | type):
            continue
        found[id(each)] = each
        if isinstance(each, types.FunctionType):
            waiting += [cell.cell_contents for cell in each.__closure__ or ()]
        else:
            waiting += [getattr(each, "base", None), *gc.get_referents(each)]
    return list(found.values())


def arrays_of_labels(start: object) -> list[str]:
    """The labels that are among the arrays that an object leads to, by name."""
    arrays = [each for each in reachable(start) if isinstance(each, np.ndarray)]
    return [name for name, label in LABELS.items() if any(array.shape == label.shape for array in arrays)]


def test_the_search_finds_labels_where_there_are_some(folder) -> None:
    assert set(arrays_of_labels(MultiViewSet(folder, "train"))) == set(LABELS)


@pytest.mark.parametrize("with_extrinsics", [False, True])
@pytest.mark.parametrize("way", ["opened", "made of a split with labels"])
def test_nothing_of_the_view_without_labels_leads_to_a_label(folder, way: str, with_extrinsics: bool) -> None:
    strip_labels(folder, folder)
    if way == "opened":
        found = open_unlabelled(folder, "train", with_extrinsics=with_extrinsics)
    else:
        found = MultiViewSet(folder, "train").unlabelled(with_extrinsics=with_extrinsics)
    assert arrays_of_labels(found) == []
    assert not any(isinstance(each, MultiViewSet | Views | PoseSet) for each in reachable(found))
    public = {name for name in dir(found) if not name.startswith("_")}
    assert public == {
        "R", "camera", "frame", "image", "images", "instants", "intrinsics", "sequence", "t", "with_extrinsics"
    }  # fmt: skip
    with pytest.raises(AttributeError):
        found.poses = LABELS["poses"]


def test_the_index_without_labels_holds_none(stripped) -> None:
    with np.load(stripped / "views" / "train.npz") as file:
        assert sorted(file.files) == ["camera", "frame", "image", "intrinsics", "sequence"]
    with np.load(stripped / "views" / "train.extrinsics.npz") as file:
        assert sorted(file.files) == ["R", "t"]


def test_a_missing_index_says_how_to_make_it(folder) -> None:
    with pytest.raises(InputError, match=r"views/train.npz: is missing; make .*: posebench data prepare open4v"):
        open_unlabelled(folder, "train")


def test_a_damaged_index_is_refused(stripped) -> None:
    path = stripped / "views" / "train.npz"
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, "intrinsics": arrays["intrinsics"][:-1]})
    with pytest.raises(InputError, match=r"train.npz: array 'intrinsics' has shape \(4, 3, 3\)"):
        open_unlabelled(stripped, "train")
    np.savez(path, **{**arrays, "image": np.array(["../a.png"] * N)})
    with pytest.raises(InputError, match="not below its folder"):
        open_unlabelled(stripped, "train")


def test_a_folder_without_labels_cannot_be_stripped(tmp_path) -> None:
    with pytest.raises(InputError, match=r"holds no labels/SPLIT.views.npz"):
        strip_labels(tmp_path, tmp_path)
