"""The network: a backbone, three deconvolutions and a 1×1 convolution, from a crop to a volumetric heat map per joint.

Xiao, Wu, Wei, Simple Baselines for Human Pose Estimation and Tracking, ECCV 2018 (the deconvolutions); Sun et al.,
Integral Human Pose Regression, ECCV 2018 (the volume). Heat maps have a quarter of the crop's side. `softargmax` makes
joints of them; the same network serves as 3D branch and, frozen, as 2D branch.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from model_zoo.backbones import BACKBONES, STRIDE, create_backbone
from model_zoo.epipolarpose.softargmax import Joints, soft_argmax_2d, soft_argmax_3d
from model_zoo.weights import config_of, fit, read_foreign, read_weights, save_weights
from posebench.errors import UsageError

#: What the header of a file of weights begins with.
MODEL = "posebench.PoseNet/1"
#: Most that a configuration may ask for, so that a file cannot fill the memory.
_MOST = {"joints": 256, "depth": 128, "side": 1024, "channels": 1024}
_DECONVOLUTIONS = 3


@dataclass(frozen=True)
class PoseNetConfig:
    """What a `PoseNet` is made of; the defaults are the paper's.

    backbone : str
        One of `model_zoo.backbones.BACKBONES`.
    joints, depth : int
        Heat maps, and cells of each along the depth.
    side : int
        Of the crops, in px; a multiple of 32. Heat maps have a quarter of it.
    channels : int
        Of each deconvolution.
    depth_boxes : float
        How far the depth axis reaches on either side of the root, in sides of the crop.

    Raises
    ------
    UsageError
        If a value is not of its kind or out of its range.

    Examples
    --------
    >>> PoseNetConfig("resnet18", side=128, depth=32).cells
    32
    """

    backbone: str = "resnet50"
    joints: int = 17
    depth: int = 64
    side: int = 256
    channels: int = 256
    depth_boxes: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no network can be made of."""
        if not isinstance(self.backbone, str) or self.backbone not in BACKBONES:
            raise UsageError(f"there is no backbone {ascii(self.backbone)[:80]}; known are {', '.join(BACKBONES)}")
        for name, most in _MOST.items():
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= most:
                raise UsageError(f"{name} must be a whole number from 1 to {most}, got {ascii(value)[:80]}")
        if self.side % STRIDE:
            raise UsageError(f"side must be a multiple of {STRIDE}, got {self.side}")
        if type(self.depth_boxes) not in (int, float) or not 0 < self.depth_boxes <= 16:
            raise UsageError(f"depth_boxes must be a number above 0, at most 16, got {ascii(self.depth_boxes)[:80]}")

    @property
    def cells(self) -> int:
        """Cells of a heat map along x and along y."""
        return self.side // STRIDE << _DECONVOLUTIONS


class PoseNet(nn.Module):
    """From crops (N, 3, side, side) to heat maps (N, joints, depth, side / 4, side / 4), as logits.

    Crops are RGB with values from 0 to 255, of any type; the network normalises them itself. Its weights lie channels
    last. Run it in lower precision under autocast, not by converting it.

    Parameters
    ----------
    config : PoseNetConfig, optional
    seed : int
        Of the random weights; the state of torch's generators is left alone.

    Examples
    --------
    >>> network = PoseNet(PoseNetConfig("resnet18", side=64, depth=8, channels=16)).eval()
    >>> heatmaps = network(torch.zeros(2, 3, 64, 64, dtype=torch.uint8))
    >>> tuple(heatmaps.shape), tuple(network.joints_3d(heatmaps).positions.shape)
    ((2, 17, 8, 16, 16), (2, 17, 3))
    """

    def __init__(self, config: PoseNetConfig | None = None, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config = PoseNetConfig() if config is None else config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.backbone = create_backbone(config.backbone)
            self.head = _head(self.backbone.channels, config)
        self._fixed: list[nn.Module] = []
        for name in ("mean", "std"):
            values = torch.tensor(getattr(self.backbone, name)).view(3, 1, 1)
            self.register_buffer(f"_{name}", values, persistent=False)
        self.to(memory_format=torch.channels_last)

    def forward(self, crops: Tensor) -> Tensor:
        """Heat maps of crops.

        Raises
        ------
        UsageError
            If the crops have another shape than the network was made for.
        """
        side = self.config.side
        if tuple(crops.shape[1:]) != (3, side, side):
            raise UsageError(f"crops must have the shape (N, 3, {side}, {side}), got {tuple(crops.shape)}")
        features = self.backbone((crops.to(self._mean.dtype) - self._mean) / self._std)
        return self.head(features).unflatten(1, (self.config.joints, self.config.depth))

    def fix(self, parts: int) -> None:
        """Keep the first parts of the backbone as they are: no gradient, and BatchNorm with the statistics it has.

        What a network learnt of edges and textures in the same pictures needs no learning again, and these parts, of
        many pixels, take a third of a step's time.

        Raises
        ------
        UsageError
            If the backbone has fewer parts.

        Examples
        --------
        >>> network = PoseNet(PoseNetConfig("resnet18", side=32, depth=1, channels=8)).train()
        >>> network.fix(2)
        >>> network.backbone.layer1.training, network.train().backbone.layer1.training, network.backbone.layer2.training
        (False, False, True)
        """
        there = self.backbone.parts()
        if not 0 <= parts <= len(there):
            raise UsageError(f"{parts} parts are to stay as they are, and the backbone has {len(there)}")
        self._fixed = [module.requires_grad_(False) for part in there[:parts] for module in part]
        self.train(self.training)

    def train(self, mode: bool = True) -> PoseNet:
        """Set the mode of all but the parts that stay as they are."""
        super().train(mode)
        for module in self._fixed:
            module.eval()
        return self

    def joints_3d(self, heatmaps: Tensor) -> Joints:
        """Joints (N, J, 3) of heat maps: u and v in px of the crop, and depth relative to the root in px of it."""
        return soft_argmax_3d(heatmaps, side=self.config.side, depth_boxes=self.config.depth_boxes)

    def joints_2d(self, heatmaps: Tensor) -> Joints:
        """Joints (N, J, 2) of heat maps: u and v in px of the crop."""
        return soft_argmax_2d(heatmaps, side=self.config.side)


def _head(channels: int, config: PoseNetConfig) -> nn.Sequential:
    """Deconvolutions and the last convolution.

    Random weights are normal, with deviation 0.001 as in Xiao et al.; 0.02 in the last one, whose logits are otherwise
    so even that the joints leave the middle slowly.
    """
    layers: list[Any] = []
    for _ in range(_DECONVOLUTIONS):
        deconvolution = nn.ConvTranspose2d(channels, config.channels, 4, stride=2, padding=1, bias=False)
        nn.init.normal_(deconvolution.weight, std=0.001)
        layers += [deconvolution, nn.BatchNorm2d(config.channels), nn.ReLU(inplace=True)]
        channels = config.channels
    last = nn.Conv2d(channels, config.joints * config.depth, 1)
    nn.init.normal_(last.weight, std=0.02)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


class Frozen(nn.Module):
    """A copy of a network that stays as it is: the 2D branch, which would draw all joints into one place if trained.

    No weight has a gradient, BatchNorm keeps its statistics, and `train` changes nothing. The network given is left
    alone.

    Examples
    --------
    >>> network = PoseNet(PoseNetConfig("resnet18", side=32, depth=1, channels=8))
    >>> branch = Frozen(network).train()
    >>> branch.network.training, network.training
    (False, True)
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Frozen:
        """Stay in evaluation mode, whatever is asked for."""
        super().train(False)
        return self

    def forward(self, crops: Tensor) -> Tensor:
        """What the network gives, without gradient."""
        with torch.no_grad():
            return self.network(crops)


def load_backbone(network: PoseNet, path: str | os.PathLike[str]) -> None:
    """Put public ImageNet weights into the backbone of a network; their classifier is left aside.

    Parameters
    ----------
    network : PoseNet
    path : path
        .safetensors, else a .pt or .pth file, named as in torchvision (ResNet) or as `posebench data fetch
        efficientnet-lite0` brings it.

    Raises
    ------
    InputError
        If the file cannot be read or does not fit the backbone.
    """
    where = os.fspath(path)
    tensors = read_weights(path).tensors if where.endswith(".safetensors") else read_foreign(path)
    fit(network.backbone, tensors, where, leave=network.backbone.classifier)


def save_network(
    path: str | os.PathLike[str], network: PoseNet, *, half: bool = True, notes: Mapping[str, Any] | None = None
) -> None:
    """Write a network as safetensors, its configuration in the header.

    Parameters
    ----------
    path : path
    network : PoseNet
    half : bool
        In float16 (but for vectors), else in float32.
    notes : mapping, optional
        Plain data about how it was trained, kept in the header as they are.

    Raises
    ------
    UsageError
        If a weight is not finite or beyond float16.
    InputError
        If the file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> network = PoseNet(PoseNetConfig("resnet18", side=32, depth=4, channels=8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "network.safetensors")
    ...     save_network(path, network, half=False)
    ...     load_network(path).config == network.config
    True
    """
    header = {"model": MODEL, "config": asdict(network.config), "notes": dict(notes or {})}
    save_weights(path, network, header, half=half)


def load_network(path: str | os.PathLike[str]) -> PoseNet:
    """Read a network that `save_network` wrote, in float32 and evaluation mode.

    Raises
    ------
    InputError
        If the file cannot be read, is damaged, holds another model, or its weights are not those of its configuration.
    """
    where = os.fspath(path)
    weights = read_weights(path)
    network = PoseNet(config_of(weights, MODEL, PoseNetConfig, where))
    fit(network, weights.tensors, where)
    network.eval()
    return network


__all__ = [
    "MODEL",
    "Frozen",
    "PoseNet",
    "PoseNetConfig",
    "load_backbone",
    "load_network",
    "save_network",
]
