"""Soft-argmax: where peaks are found, its gradients, its memory, and how sure it is."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from model_zoo.epipolarpose import softargmax  # noqa: E402
from model_zoo.epipolarpose.softargmax import peak_mass, soft_argmax_2d, soft_argmax_3d  # noqa: E402
from posebench.errors import UsageError  # noqa: E402

#: Any size of a block of work that cuts the small volumes of these tests.
SMALL = 100


def plain(heatmaps):
    """Means along x, y, z in cells, by one softmax of everything, in float64."""
    n, j, d, h, w = heatmaps.shape
    mass = heatmaps.double().reshape(n, j, -1).softmax(-1).reshape(heatmaps.shape)
    x, y, z = (torch.arange(size, dtype=torch.float64) for size in (w, h, d))
    return torch.stack(
        [
            (mass * x).sum((2, 3, 4)),
            (mass * y[:, None]).sum((2, 3, 4)),
            (mass * z[:, None, None]).sum((2, 3, 4)),
        ],
        -1,
    )


def plain_positions(heatmaps, side):
    d, h, w = heatmaps.shape[2:]
    x, y, z = plain(heatmaps).unbind(-1)
    return torch.stack(
        [(x + 0.5) * side / w - 0.5, (y + 0.5) * side / h - 0.5, ((z + 0.5) * 2 / d - 1) * side],
        -1,
    )


def random_heatmaps(*shape, seed=0, scale=3.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def channels_last(heatmaps):
    """The same heat maps as a network that runs channels last lays them out."""
    flat = heatmaps.flatten(1, 2).contiguous(memory_format=torch.channels_last)
    return flat.unflatten(1, heatmaps.shape[1:3])


def gaussian(u, v, w, *, cells, side, sigma):
    """Logits of one joint whose mass is a Gaussian about u, v, w in px of the crop; sigma in cells."""
    at = torch.arange(cells, dtype=torch.float64)
    centre = side / cells * (at + 0.5) - 0.5
    depth = side * (2 * (at + 0.5) / cells - 1)
    scale = side / cells * sigma
    along = [-((place - where) ** 2) / (2 * size**2) for place, where, size in (
        (depth, w, 2 * scale), (centre, v, scale), (centre, u, scale)
    )]  # fmt: skip
    return (along[0][:, None, None] + along[1][:, None] + along[2])[None, None]


@pytest.mark.parametrize(("x", "y", "z"), [(0, 0, 0), (15, 15, 15), (3, 7, 11)])
def test_a_single_cell_is_found_at_its_centre(x: int, y: int, z: int) -> None:
    heatmaps = torch.full((1, 1, 16, 16, 16), -1e4)
    heatmaps[0, 0, z, y, x] = 1e4
    joints = soft_argmax_3d(heatmaps, side=64)
    # 64 px over 16 cells: each is 4 px wide, so the first spans pixels 0 to 3; in depth each is 8 px wide from -64.
    assert joints.positions[0, 0].tolist() == [4 * x + 1.5, 4 * y + 1.5, 8 * z - 60]
    assert joints.confidence.item() == 1


@pytest.mark.parametrize(("u", "v", "w"), [(31.5, 31.5, 0.0), (28.3, 35.9, 10.7), (40.01, 22.77, -17.3)])
def test_a_gaussian_between_cells_is_found_where_it_is(u: float, v: float, w: float) -> None:
    heatmaps = gaussian(u, v, w, cells=32, side=64, sigma=1.0)
    joints = soft_argmax_3d(heatmaps.float(), side=64)
    assert torch.allclose(joints.positions[0, 0], torch.tensor([u, v, w]), atol=2e-4)
    assert torch.allclose(soft_argmax_2d(heatmaps.float(), side=64).positions[0, 0], torch.tensor([u, v]), atol=2e-4)


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("cells", [SMALL, 2**18])
def test_blocks_and_layouts_give_what_the_plain_softmax_gives(order: str, cells: int, monkeypatch) -> None:
    monkeypatch.setattr(softargmax, "_CELLS_CPU", cells)
    heatmaps = random_heatmaps(3, 5, 4, 6, 7)
    given = channels_last(heatmaps) if order == "last" else heatmaps
    joints = soft_argmax_3d(given, side=42)
    assert torch.allclose(joints.positions.double(), plain_positions(heatmaps, 42), atol=1e-4)


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("cells", [SMALL, 2**18])
def test_gradients_are_those_of_the_plain_softmax(order: str, cells: int, monkeypatch) -> None:
    monkeypatch.setattr(softargmax, "_CELLS_CPU", cells)
    heatmaps = random_heatmaps(2, 3, 4, 6, 7)
    slope = random_heatmaps(2, 3, 3, seed=1)
    expected = heatmaps.clone().requires_grad_()
    (plain_positions(expected, 42) * slope).sum().backward()
    given = (channels_last(heatmaps) if order == "last" else heatmaps.clone()).requires_grad_()
    (soft_argmax_3d(given, side=42).positions * slope).sum().backward()
    assert torch.allclose(given.grad, expected.grad, atol=1e-4)
    assert given.grad.stride() == given.stride()


def test_the_2d_pose_is_the_3d_pose_without_its_depth() -> None:
    heatmaps = random_heatmaps(2, 3, 4, 6, 7)
    flat, full = soft_argmax_2d(heatmaps, side=42), soft_argmax_3d(heatmaps, side=42)
    assert torch.equal(flat.positions, full.positions[..., :2])
    assert torch.equal(flat.confidence, full.confidence)


def test_the_reach_of_the_depth_axis_scales_depth_alone() -> None:
    heatmaps = random_heatmaps(1, 2, 4, 6, 7)
    one, half = (soft_argmax_3d(heatmaps, side=42, depth_boxes=boxes).positions for boxes in (1.0, 0.5))
    assert torch.equal(one[..., :2], half[..., :2])
    assert torch.equal(one[..., 2], 2 * half[..., 2])


def test_huge_logits_and_a_shift_of_all_of_them_do_no_harm() -> None:
    heatmaps = random_heatmaps(1, 2, 4, 6, 7)
    expected = plain_positions(heatmaps, 42)
    assert torch.allclose(soft_argmax_3d(heatmaps + 4096, side=42).positions.double(), expected, atol=5e-3)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_is_lost_in_the_logits_only(kind) -> None:
    heatmaps = random_heatmaps(2, 3, 8, 16, 16).to(kind).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        positions = soft_argmax_3d(heatmaps, side=64).positions
    assert positions.dtype == torch.float32
    assert torch.allclose(positions.double(), plain_positions(heatmaps.detach(), 64), atol=1e-3)
    positions.sum().backward()
    assert heatmaps.grad.dtype == kind


def test_nothing_as_large_as_the_heat_maps_is_kept_but_they_themselves() -> None:
    heatmaps = random_heatmaps(1, 4, 8, 16, 16).to(torch.bfloat16).requires_grad_()
    kept = []

    def keep(tensor):
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        soft_argmax_3d(heatmaps, side=64).positions.sum()
    large = [tensor for tensor in kept if tensor.numel() >= heatmaps.numel() // 4]
    assert [tensor.data_ptr() for tensor in large] == [heatmaps.data_ptr()]


def test_forward_and_backward_allocate_no_volume_beside_the_gradient(monkeypatch) -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    monkeypatch.setattr(softargmax, "_CELLS_CPU", 2048)  # one joint of one picture
    heatmaps = random_heatmaps(4, 4, 8, 16, 16).requires_grad_()
    given = heatmaps.untyped_storage()
    volume = given.nbytes()
    made: dict[int, int] = {}  # where -> bytes

    class Made(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            for each in result if isinstance(result, tuple) else [result]:
                if isinstance(each, torch.Tensor) and each.untyped_storage().data_ptr() != given.data_ptr():
                    made[each.untyped_storage().data_ptr()] = each.untyped_storage().nbytes()
            return result

    with Made():
        positions = soft_argmax_3d(heatmaps, side=64).positions
    # The largest is the marginal over the picture, an eighth of the volume here.
    assert max(made.values()) == volume // 8
    made.clear()
    with Made():
        positions.sum().backward()
    assert sorted(size for size in made.values() if size > volume // 8) == [volume]


def test_no_pictures_give_no_joints() -> None:
    heatmaps = torch.zeros((0, 17, 4, 4, 4))
    joints = soft_argmax_3d(heatmaps, side=16)
    assert (tuple(joints.positions.shape), tuple(joints.confidence.shape)) == ((0, 17, 3), (0, 17))


def test_confidence_is_the_mass_of_the_best_window() -> None:
    plane = torch.zeros(1, 3, 8, 8)
    plane[0, 0, 0, 0] = 1.0  # one peak, in a corner
    plane[0, 1, 1, 1], plane[0, 1, 6, 6] = 0.25, 0.75  # two peaks apart
    plane[0, 2] = 1 / 64  # nothing found
    assert peak_mass(plane)[0].tolist() == pytest.approx([1.0, 0.75, 9 / 64])
    assert peak_mass(plane, window=1)[0].tolist() == pytest.approx([1.0, 0.75, 1 / 64])


def test_confidence_sums_out_the_depth_and_has_no_gradient() -> None:
    heatmaps = torch.full((1, 1, 4, 8, 8), -1e4)
    heatmaps[0, 0, :, 3, 5] = 0.0  # sure of the place, not of the depth
    joints = soft_argmax_3d(heatmaps.requires_grad_(), side=32)
    assert joints.confidence.item() == pytest.approx(1.0)
    assert joints.positions.requires_grad
    assert not joints.confidence.requires_grad


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own way of tracing
def test_it_is_compiled_in_one_piece() -> None:
    heatmaps = random_heatmaps(2, 3, 4, 5, 6).requires_grad_()
    whole = torch.compile(lambda each: soft_argmax_3d(each, side=48).positions, backend="aot_eager", fullgraph=True)
    positions = whole(heatmaps)
    assert torch.allclose(positions, soft_argmax_3d(heatmaps, side=48).positions, atol=1e-5)
    positions.sum().backward()
    assert torch.isfinite(heatmaps.grad).all()


def test_what_are_no_heat_maps_is_refused() -> None:
    with pytest.raises(UsageError, match=r"must have the shape \(N, J, D, H, W\), got \(1, 17, 8, 8\)"):
        soft_argmax_3d(torch.zeros(1, 17, 8, 8), side=32)
    with pytest.raises(UsageError, match=r"\(N, J, D, H, W\), got \(1, 17, 0, 8, 8\)"):
        soft_argmax_2d(torch.zeros(1, 17, 0, 8, 8), side=32)
    with pytest.raises(UsageError, match=r"of a floating type, got torch\.int64"):
        soft_argmax_3d(torch.zeros(1, 1, 2, 2, 2, dtype=torch.int64), side=32)


@pytest.mark.parametrize("window", [0, 2, -1])
def test_a_window_without_a_middle_is_refused(window: int) -> None:
    with pytest.raises(UsageError, match=f"must be an odd number of cells, got {window}"):
        peak_mass(torch.ones(1, 1, 4, 4) / 16, window=window)
