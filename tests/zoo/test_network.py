"""Backbones, the pose network, freezing, and weights in files."""

from __future__ import annotations

import json
import struct
import zipfile

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from model_zoo import weights  # noqa: E402
from model_zoo.backbones import BACKBONES, create_backbone  # noqa: E402
from model_zoo.backbones.efficientnet_lite import EfficientNetLite0Classifier, public_weights  # noqa: E402
from model_zoo.backbones.resnet import ResNet  # noqa: E402
from model_zoo.epipolarpose.network import (  # noqa: E402
    Frozen,
    PoseNet,
    PoseNetConfig,
    load_backbone,
    load_network,
    save_network,
)
from model_zoo.weights import fit, read_foreign, read_weights  # noqa: E402
from posebench.errors import InputError, UsageError  # noqa: E402

#: A network that is made and run in milliseconds.
TINY = PoseNetConfig("resnet18", joints=2, depth=4, side=32, channels=4)
BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def crops(n: int = 2, side: int = 32, seed: int = 0):
    return torch.randint(0, 256, (n, 3, side, side), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def published_resnet(depth: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's ResNets, put together from their known structure."""
    blocks = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}[depth]
    found: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, norm: str, out: int, inputs: int, kernel: int) -> None:
        found[f"{name}.weight"] = (out, inputs, kernel, kernel)
        found.update({f"{norm}.{part}": () if part.startswith("num") else (out,) for part in BATCH_NORM})

    convolution("conv1", "bn1", 64, 3, 7)
    inputs = 64
    for stage, count in enumerate(blocks):
        width = 64 * 2**stage
        out = 4 * width if depth == 50 else width
        kernels = [(width, 1), (width, 3), (out, 1)] if depth == 50 else [(width, 3), (width, 3)]
        for index in range(count):
            block = f"layer{stage + 1}.{index}"
            narrow = inputs
            for number, (channels, kernel) in enumerate(kernels, 1):
                convolution(f"{block}.conv{number}", f"{block}.bn{number}", channels, narrow, kernel)
                narrow = channels
            if index == 0 and inputs != out:
                convolution(f"{block}.downsample.0", f"{block}.downsample.1", out, inputs, 1)
            inputs = out
    found["fc.weight"], found["fc.bias"] = (1000, inputs), (1000,)
    return found


# Backbones


@pytest.mark.parametrize(("depth", "parameters"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032)])
def test_a_resnet_has_the_names_shapes_and_size_of_torchvisions(depth: int, parameters: int) -> None:
    expected = published_resnet(depth)
    with torch.device("meta"):
        network = ResNet(depth)
    state = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert state == {name: shape for name, shape in expected.items() if not name.startswith("fc.")}
    classifier = sum(torch.Size(expected[name]).numel() for name in ("fc.weight", "fc.bias"))
    assert sum(each.numel() for each in network.parameters()) + classifier == parameters


def test_a_resnet_strides_in_the_middle_of_a_bottleneck() -> None:
    with torch.device("meta"):
        block = ResNet(50).layer2[0]
    assert [block.conv1.stride, block.conv2.stride, block.conv3.stride] == [(1, 1), (2, 2), (1, 1)]


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_gives_a_feature_for_every_32_pixels(name: str) -> None:
    network = create_backbone(name).eval()
    with torch.no_grad():
        features = network(torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)))
    assert tuple(features.shape) == (1, network.channels, 2, 3)
    assert 0 < features.std() < 1e3


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("side", [7, 8])
def test_a_stride_of_two_pads_as_tensorflow_does(kernel: int, side: int) -> None:
    from model_zoo.backbones.efficientnet_lite import PaddedBehind

    convolution = PaddedBehind(1, 1, kernel, stride=2, bias=False)
    torch.nn.init.ones_(convolution.weight)
    ramp = torch.arange(1.0, side + 1).expand(1, 1, side, side)
    with torch.no_grad():
        columns = convolution(ramp)[0, 0, 1].tolist()
    out = -(-side // 2)
    before = max((out - 1) * 2 + kernel - side, 0) // 2  # TensorFlow's definition of SAME
    rows = min(2 - before + kernel, side) - max(2 - before, 0)
    windows = [range(max(2 * i - before, 0), min(2 * i - before + kernel, side)) for i in range(out)]
    assert columns == [rows * sum(at + 1 for at in window) for window in windows]


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no backbone 'vgg16'; known are resnet18, resnet34"):
        create_backbone("vgg16")
    with pytest.raises(UsageError, match="no ResNet-101 here; known depths are 18, 34, 50"):
        ResNet(101)


@pytest.fixture(scope="module")
def lite0():
    """EfficientNet-Lite0 with its public weights, where they were fetched."""
    try:
        path = public_weights()
    except UsageError:
        pytest.skip("needs the public weights: posebench data fetch efficientnet-lite0")
    network = EfficientNetLite0Classifier()
    fit(network, read_foreign(path), str(path))
    return network.eval()


@pytest.mark.parametrize(("picture", "classes"), [("chelsea", {281, 282, 285}), ("coffee", {967}), ("rocket", {657})])
def test_the_public_weights_see_what_a_picture_shows(picture: str, classes: set[int], lite0) -> None:
    """ImageNet's tabby, tiger and Egyptian cat; espresso; missile."""
    data = pytest.importorskip("skimage.data")
    transform = pytest.importorskip("skimage.transform")
    image = getattr(data, picture)()
    height, width = image.shape[:2]
    top, left = (height - min(height, width)) // 2, (width - min(height, width)) // 2
    square = image[top : top + min(height, width), left : left + min(height, width)]
    small = transform.resize(square, (224, 224), anti_aliasing=True, preserve_range=True)
    with torch.no_grad():
        share = lite0((torch.from_numpy(small).float().permute(2, 0, 1)[None] - 127) / 128).softmax(1)[0]
    assert int(share.argmax()) in classes
    assert share[sorted(classes)].sum() > 0.25


def test_the_public_weights_fit_the_backbone_of_a_pose_network(lite0) -> None:
    network = PoseNet(PoseNetConfig("efficientnet-lite0", side=64, depth=2, channels=4))
    load_backbone(network, public_weights())
    given = lite0.state_dict()
    assert all(torch.equal(tensor, given[name]) for name, tensor in network.backbone.state_dict().items())


# The pose network


@pytest.mark.parametrize("name", BACKBONES)
def test_heat_maps_have_a_quarter_of_the_crops_side(name: str) -> None:
    config = PoseNetConfig(name, joints=3, depth=5, side=64, channels=8)
    network = PoseNet(config).eval()
    with torch.no_grad():
        heatmaps = network(crops(side=64))
    assert tuple(heatmaps.shape) == (2, 3, 5, 16, 16) == (2, 3, 5, config.cells, config.cells)
    assert tuple(network.joints_2d(heatmaps).positions.shape) == (2, 3, 2)


@pytest.mark.parametrize(("side", "cells"), [(256, 64), (128, 32)])
def test_the_sizes_of_the_paper_and_of_the_small_network(side: int, cells: int) -> None:
    assert PoseNetConfig(side=side, depth=cells).cells == cells


def test_a_network_that_knows_nothing_finds_every_joint_in_the_middle() -> None:
    network = PoseNet(TINY).eval()
    torch.nn.init.zeros_(network.head[-1].weight)
    with torch.no_grad():
        joints = network.joints_3d(network(crops()))
    assert torch.allclose(joints.positions, torch.tensor([15.5, 15.5, 0.0]).expand(2, 2, 3), atol=1e-5)
    assert torch.allclose(joints.confidence, torch.tensor(9 / 64))


def test_joint_and_depth_of_a_heat_map_are_channels_in_this_order() -> None:
    network = PoseNet(TINY).eval()
    torch.nn.init.zeros_(network.head[-1].weight)
    with torch.no_grad():
        network.head[-1].bias.copy_(torch.arange(8.0))
        assert network(crops())[0, :, :, 3, 5].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_crops_are_normalised_inside_whatever_their_type() -> None:
    network = PoseNet(TINY).eval()
    seen = []
    network.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        assert torch.equal(network(crops()), network(crops().float()))
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    assert torch.allclose(seen[0], (crops().float() - mean[:, None, None]) / std[:, None, None], atol=1e-6)


def test_the_layout_of_the_crops_changes_nothing() -> None:
    network = PoseNet(TINY).eval()
    given = crops().float()
    with torch.no_grad():
        first, last = network(given), network(given.contiguous(memory_format=torch.channels_last))
    assert torch.allclose(first, last, atol=1e-6)
    assert first.stride(2) == 1  # depth innermost: what soft-argmax reads fastest


def test_the_seed_alone_decides_the_weights_and_no_random_state_is_touched() -> None:
    before = torch.random.get_rng_state()
    first = PoseNet(TINY, seed=3).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(5)
    again, other = PoseNet(TINY, seed=3).state_dict(), PoseNet(TINY, seed=4).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.0.weight"], other["head.0.weight"])
    assert not torch.equal(first["backbone.conv1.weight"], other["backbone.conv1.weight"])


@pytest.mark.slow
def test_two_pictures_are_learnt_by_heart() -> None:
    network = PoseNet(PoseNetConfig("resnet18", joints=2, depth=8, side=64, channels=64)).train()
    wanted = torch.tensor([[[18.0, 40.0, -20.0], [45.0, 16.0, 12.0]], [[22.0, 19.0, 5.0], [38.0, 42.0, -14.0]]])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    errors = []
    for _ in range(60):
        optimiser.zero_grad()
        error = (network.joints_3d(network(crops(side=64))).positions - wanted).abs().mean()
        error.backward()
        optimiser.step()
        errors.append(error.item())
    assert errors[-1] < errors[0] / 2


def test_autocast_trains_the_same_network_in_lower_precision() -> None:
    network = PoseNet(TINY).train()
    with torch.autocast("cpu", torch.bfloat16):
        heatmaps = network(crops())
        joints = network.joints_3d(heatmaps)
    assert heatmaps.dtype == torch.bfloat16
    assert joints.positions.dtype == torch.float32
    joints.positions.sum().backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters())


def test_crops_of_another_size_are_refused() -> None:
    with pytest.raises(UsageError, match=r"crops must have the shape \(N, 3, 32, 32\), got \(2, 3, 64, 64\)"):
        PoseNet(TINY)(crops(side=64))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "vgg16"}, "there is no backbone 'vgg16'"),
        ({"joints": 0}, "joints must be a whole number from 1 to 256, got 0"),
        ({"depth": 10**9}, "depth must be a whole number from 1 to 128, got 1000000000"),
        ({"channels": True}, "channels must be a whole number from 1 to 1024, got True"),
        ({"side": 100}, "side must be a multiple of 32, got 100"),
        ({"depth_boxes": float("nan")}, "depth_boxes must be a number above 0, at most 16, got nan"),
    ],
)
def test_a_configuration_of_nothing_that_can_be_built_is_refused(change: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PoseNetConfig(**change)


# Freezing


def test_a_frozen_branch_stays_as_it_is_while_the_other_learns() -> None:
    network = PoseNet(TINY).train()
    branch = Frozen(network)
    both = torch.nn.ModuleDict({"upper": network, "lower": branch}).train()
    before = {name: tensor.clone() for name, tensor in branch.state_dict().items()}
    optimiser = torch.optim.SGD([each for each in both.parameters() if each.requires_grad], lr=1e-2)
    lower = branch(crops())
    (network.joints_3d(network(crops())).positions.sum() + lower.sum()).backward()
    optimiser.step()
    assert not lower.requires_grad
    assert all(torch.equal(tensor, before[name]) for name, tensor in branch.state_dict().items())
    assert torch.equal(branch(crops()), lower)
    assert not torch.equal(network.head[-1].bias, branch.network.head[-1].bias)
    assert not torch.equal(network.backbone.bn1.running_mean, branch.network.backbone.bn1.running_mean)


# Files


def trained(seed: int = 1) -> PoseNet:
    """A network whose statistics are not those it began with."""
    network = PoseNet(TINY, seed=seed).train()
    with torch.no_grad():
        network(crops())
    return network.eval()


@pytest.mark.parametrize(("half", "tolerance"), [(False, 0.0), (True, 1e-3)])
def test_a_network_comes_back_as_it_was_written(half: bool, tolerance: float, tmp_path) -> None:
    network = trained()
    path = tmp_path / "network.safetensors"
    save_network(path, network, half=half, notes={"epochs": 3})
    back = load_network(path)
    assert back.config == network.config
    assert not back.training
    assert read_weights(path).header["notes"] == {"epochs": 3}
    for name, tensor in network.state_dict().items():
        assert torch.allclose(back.state_dict()[name].double(), tensor.double(), rtol=tolerance, atol=1e-7 * half)
    with torch.no_grad():
        assert torch.allclose(back(crops()), network(crops()), atol=tolerance)


def test_half_precision_halves_the_file_and_keeps_the_statistics(tmp_path) -> None:
    network = trained()
    network.backbone.bn1.running_var.fill_(1e6)  # beyond float16
    save_network(tmp_path / "half.safetensors", network)
    save_network(tmp_path / "full.safetensors", network, half=False)
    sizes = [(tmp_path / name).stat().st_size for name in ("half.safetensors", "full.safetensors")]
    assert sizes[0] < 0.51 * sizes[1]
    assert load_network(tmp_path / "half.safetensors").backbone.bn1.running_var[0] == 1e6


def test_the_same_network_gives_the_same_file(tmp_path) -> None:
    for name in ("a", "b"):
        save_network(tmp_path / name, PoseNet(TINY), notes={"b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("value", [float("nan"), 1e6])
def test_weights_that_the_file_cannot_hold_are_not_written(value: float, tmp_path) -> None:
    network = PoseNet(TINY)
    torch.nn.init.constant_(network.backbone.conv1.weight, value)
    with pytest.raises(UsageError, match=r"backbone.conv1.weight holds values that are no numbers in torch.float16"):
        save_network(tmp_path / "network.safetensors", network)
    assert list(tmp_path.iterdir()) == []


def write_safetensors(path, header: dict, tensors: dict) -> None:
    """An independent writer: eight bytes of length, JSON, then the float32 values."""
    entries, data = {}, b""
    for name, tensor in tensors.items():
        values = struct.pack(f"<{tensor.numel()}f", *tensor.flatten().tolist())
        entries[name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(values)],
        }
        data += values
    text = json.dumps({"__metadata__": {"posebench": json.dumps(header)}, **entries}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


CONFIG = {"backbone": "resnet18", "joints": 2, "depth": 4, "side": 32, "channels": 4, "depth_boxes": 1.0}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({}, r"holds no posebench.PoseNet/1; its header says None"),
        ({"model": "other"}, r"holds no posebench.PoseNet/1; its header says 'other'"),
        ({"model": "posebench.PoseNet/1", "config": [1]}, "must have exactly backbone, joints, depth, side"),
        ({"model": "posebench.PoseNet/1", "config": {**CONFIG, "more": 1}}, "must have exactly backbone, joints"),
        ({"model": "posebench.PoseNet/1", "config": {**CONFIG, "depth": 10**12}}, "depth must be a whole number"),
        ({"model": "posebench.PoseNet/1", "config": CONFIG}, "it lacks backbone.conv1.weight, .* and 114 more"),
        ([], "is no object of JSON"),
        ({"notes": "x" * 70_000}, "characters about its network, at most 65536 are read"),
    ],
)
def test_a_file_of_another_network_is_refused(header: object, message: str, tmp_path) -> None:
    path = tmp_path / "network.safetensors"
    write_safetensors(path, header, {"w": torch.zeros(2)})
    with pytest.raises(InputError, match=message):
        load_network(path)


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "long header"])
def test_a_damaged_file_is_refused(damage: str, tmp_path) -> None:
    path = tmp_path / "network.safetensors"
    save_network(path, PoseNet(TINY))
    data = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "cut": data[:-10], "text": b"no weights", "long header": b"\xff" * 8 + data[8:]}[damage]
    )
    with pytest.raises(InputError, match="is no whole safetensors file"):
        load_network(path)


def test_a_missing_or_oversized_file_is_refused(tmp_path, monkeypatch) -> None:
    with pytest.raises(InputError, match=r"none\.safetensors: cannot be read"):
        load_network(tmp_path / "none.safetensors")
    monkeypatch.setattr(weights, "SIZE_LIMIT", 100)
    save_network(tmp_path / "network.safetensors", PoseNet(TINY))
    with pytest.raises(InputError, match="has more than 100 bytes"):
        load_network(tmp_path / "network.safetensors")


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"epoch": 1, "state_dict": state}])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_foreign_weights_are_found_below_a_wrapper_and_without_counters(wrap, prefix: str, tmp_path) -> None:
    state = {**ResNet(18).state_dict(), "fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    old = {f"{prefix}{name}": tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    torch.save(wrap(old), tmp_path / "resnet18.pth")
    network = PoseNet(TINY)
    load_backbone(network, tmp_path / "resnet18.pth")
    assert torch.equal(network.backbone.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])


def test_foreign_weights_that_would_run_code_are_refused(tmp_path) -> None:
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "made"), "w"))

    torch.save({"weight": Harmful()}, tmp_path / "harmful.pt")
    with pytest.raises(InputError, match="holds no weights that can be read safely"):
        read_foreign(tmp_path / "harmful.pt")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds no names with tensors"),
        ({}, "holds no names with tensors"),
        ({"weight": 3}, "holds int under 'weight', expected names with a tensor each"),
        ({1: torch.zeros(1)}, "holds a name of type int, expected names with a tensor each"),
        ({torch.zeros(2, 3): 1}, "holds a name of type Tensor, expected names with a tensor each"),
    ],
)
def test_foreign_files_of_other_things_are_refused(content: object, message: str, tmp_path) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(InputError, match=message):
        read_foreign(tmp_path / "a.pt")


@pytest.mark.parametrize("keep", [0, 1, 30, 200, -1])
def test_cut_foreign_files_are_refused(keep: int, tmp_path) -> None:
    torch.save({"weight": torch.zeros(8)}, tmp_path / "a.pt")
    data = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(data[:keep])
    with pytest.raises(InputError, match="holds no weights that can be read safely"):
        read_foreign(tmp_path / "a.pt")


def test_a_foreign_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(weights, "SIZE_LIMIT", 2**16)
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(2**20))
    with pytest.raises(InputError, match="unpacks to 1048576 bytes, at most 65536 are read"):
        read_foreign(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": None}, "it lacks weight"),
        ({"other": torch.zeros(1)}, "it has no place for other"),
        ({"weight": torch.zeros(2, 1)}, r"weight has the shape \(2, 1\), expected \(1, 2\)"),
        ({"weight": torch.zeros(1, 2, dtype=torch.int64)}, r"weight is torch.int64, not torch.float32"),
        ({"weight": torch.full((1, 2), float("inf"))}, "weight holds values that are no numbers"),
    ],
)
def test_weights_that_do_not_fit_are_named_and_change_nothing(change: dict, message: str) -> None:
    layer = torch.nn.Linear(2, 1)
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    given = {"weight": torch.ones(1, 2), "bias": torch.ones(1), **change}
    with pytest.raises(InputError, match=f"a.pt: .*{message}"):
        fit(layer, {name: tensor for name, tensor in given.items() if tensor is not None}, "a.pt")
    assert all(torch.equal(layer.state_dict()[name], tensor) for name, tensor in before.items())
