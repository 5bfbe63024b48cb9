"""ResNet-18, -34 and -50 as feature extractors: everything up to the last stage, without pooling and classifier.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016, table 1; in the bottleneck the stride is at the 3×3
convolution. Parameters and buffers are named as in torchvision, so that its public ImageNet weights fit, `fc.*` apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor, nn

from posebench.errors import UsageError

#: Depth -> blocks per stage.
_STAGES: Mapping[int, tuple[int, int, int, int]] = MappingProxyType(
    {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
)
#: Depths whose blocks are bottlenecks.
_BOTTLENECKS = frozenset({50})
_WIDTHS = (64, 128, 256, 512)


class ResNet(nn.Module):
    """Features of a ResNet: (N, 3, H, W) -> (N, channels, H / 32, W / 32).

    Parameters
    ----------
    depth : int
        18, 34 or 50.

    Raises
    ------
    UsageError
        If there is no such depth.

    Examples
    --------
    >>> import torch
    >>> tuple(ResNet(50)(torch.zeros(1, 3, 64, 64)).shape)
    (1, 2048, 2, 2)
    """

    #: Of RGB values from 0 to 255, over ImageNet: what public weights were trained with.
    mean = (123.675, 116.28, 103.53)
    std = (58.395, 57.12, 57.375)
    #: What public weights have beyond these features.
    classifier = ("fc.",)

    def __init__(self, depth: int) -> None:
        super().__init__()
        if depth not in _STAGES:
            raise UsageError(f"there is no ResNet-{depth} here; known depths are {', '.join(map(str, _STAGES))}")
        block = Bottleneck if depth in _BOTTLENECKS else BasicBlock
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = _WIDTHS[0]
        for number, (width, blocks) in enumerate(zip(_WIDTHS, _STAGES[depth], strict=True), 1):
            stage = nn.Sequential()
            for index in range(blocks):
                stage.append(block(channels, width, stride=2 if number > 1 and index == 0 else 1))
                channels = width * block.expansion
            self.add_module(f"layer{number}", stage)
        self.channels = channels
        _initialise(self)

    def parts(self) -> list[list[nn.Module]]:
        """What has weights, from the picture on: the stem and four stages."""
        return [[self.conv1, self.bn1], [self.layer1], [self.layer2], [self.layer3], [self.layer4]]

    def forward(self, images: Tensor) -> Tensor:
        """Features of normalised pictures."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        return self.layer4(self.layer3(self.layer2(self.layer1(features))))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and the way past them: (N, channels, H, W) -> (N, width, H / stride, W / stride)."""

    expansion = 1

    def __init__(self, channels: int, width: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _way_past(channels, width, stride)

    def forward(self, features: Tensor) -> Tensor:
        """What the convolutions add to the features."""
        past = features if self.downsample is None else self.downsample(features)
        added = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(features)))))
        return self.relu(added + past)


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolution and the way past them: (N, channels, H, W) -> (N, 4 width, H / stride, ...)."""

    expansion = 4

    def __init__(self, channels: int, width: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _way_past(channels, width * self.expansion, stride)

    def forward(self, features: Tensor) -> Tensor:
        """What the convolutions add to the features."""
        past = features if self.downsample is None else self.downsample(features)
        narrow = self.relu(self.bn1(self.conv1(features)))
        added = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(narrow)))))
        return self.relu(added + past)


def _way_past(channels: int, out: int, stride: int) -> nn.Sequential | None:
    """A projection where the shapes differ (option B of section 3.3), else none."""
    if stride == 1 and channels == out:
        return None
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out))


def _initialise(network: nn.Module) -> None:
    """Random weights after He et al., Delving Deep into Rectifiers, ICCV 2015; every BatchNorm starts as identity."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


__all__ = ["BasicBlock", "Bottleneck", "ResNet"]
