"""Networks that turn a picture into features: ResNet-18, -34 and -50, and EfficientNet-Lite0.

Each takes pictures (N, 3, H, W), RGB, already normalised by its own `mean` and `std`, and returns features
(N, channels, H / 32, W / 32). What is made of the features is left to the models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from model_zoo.backbones.efficientnet_lite import EfficientNetLite0
from model_zoo.backbones.resnet import ResNet
from posebench.errors import UsageError

#: Input pixels per feature, along each side.
STRIDE = 32

#: Name -> what makes it, with random weights.
BACKBONES: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        "resnet18": lambda: ResNet(18),
        "resnet34": lambda: ResNet(34),
        "resnet50": lambda: ResNet(50),
        "efficientnet-lite0": EfficientNetLite0,
    }
)


def create_backbone(name: str) -> Any:
    """A backbone with random weights, by its name.

    Parameters
    ----------
    name : str
        One of `BACKBONES`.

    Returns
    -------
    torch.nn.Module
        Its `channels` says how many features it makes, `mean` and `std` (RGB, of values from 0 to 255) what it expects;
        `parts()` are its modules with weights, from the picture on.

    Raises
    ------
    UsageError
        If there is none of that name.

    Examples
    --------
    >>> create_backbone("resnet18").channels
    512
    """
    if name not in BACKBONES:
        raise UsageError(f"there is no backbone {name!r}; known are {', '.join(BACKBONES)}")
    return BACKBONES[name]()


__all__ = ["BACKBONES", "STRIDE", "EfficientNetLite0", "ResNet", "create_backbone"]
