"""How fast soft-argmax is beside one plain softmax, and how many crops the pose network sees in a second.

Prints Markdown tables: joints of heat maps as the small network (17 × 32³) and the paper's (17 × 64³) make them,
forward alone and with gradients, in float32 and bfloat16, runs of the two sides alternating and the best of each
counting; then crops per second of ResNet-18 at 128 px, forward and in a training step.
Without torch it says so, and ends.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from score_speed import machine

try:
    import torch
except ImportError:
    print("network_speed.py needs torch: pip install 'posebench-hpe[zoo]'")
    raise SystemExit(0) from None

from model_zoo.epipolarpose.network import PoseNet, PoseNetConfig
from model_zoo.epipolarpose.softargmax import soft_argmax_3d

#: Heat maps (N, J, D, H, W).
SIZES = ((16, 17, 32, 32, 32), (2, 17, 64, 64, 64))
TYPES = (torch.float32, torch.bfloat16)


def main() -> None:
    """Time everything and print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=7)
    arguments.add_argument("--crops", type=int, default=16, help="crops in a batch")
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = arguments.parse_args()
    torch.set_num_threads(asked.threads)
    print(f"torch {torch.__version__}, {asked.threads} threads; best of {asked.repeats} runs\n\n{machine()}\n")

    print("| heat maps | type | what | plain, ms | posebench, ms | ratio |\n|---|---|---|---|---|---|")
    for size in SIZES:
        for kind in TYPES:
            compare(size, kind, asked.repeats)

    print("\n| ResNet-18, 128 px | type | crops/s |\n|---|---|---|")
    for kind in TYPES:
        count_crops(kind, asked.crops, asked.repeats)


def compare(size: tuple[int, ...], kind: torch.dtype, repeats: int) -> None:
    """Print how long both take for heat maps that lie channels last."""
    flat = torch.randn(size, generator=torch.Generator().manual_seed(0)).flatten(1, 2).to(kind)
    heatmaps = flat.contiguous(memory_format=torch.channels_last).unflatten(1, size[1:3]).requires_grad_()

    def own() -> torch.Tensor:
        return soft_argmax_3d(heatmaps, side=128).positions

    with torch.no_grad():
        assert torch.allclose(own(), plain(heatmaps, 128), atol=1e-2)
        forward = best(repeats, lambda: plain(heatmaps, 128), own)
    both = best(repeats, lambda: learn(heatmaps, plain(heatmaps, 128)), lambda: learn(heatmaps, own()))
    for what, (theirs, ours) in (("forward", forward), ("and gradients", both)):
        name = " × ".join(map(str, size))
        print(f"| {name} | {kind} | {what} | {theirs * 1e3:.1f} | {ours * 1e3:.1f} | {theirs / ours:.1f} |")


def plain(heatmaps: torch.Tensor, side: float) -> torch.Tensor:
    """Soft-argmax by one softmax of everything."""
    mass = heatmaps.float().flatten(2).softmax(-1).unflatten(-1, heatmaps.shape[2:])
    d, h, w = (torch.arange(cells, dtype=torch.float32) for cells in heatmaps.shape[2:])
    x = (mass.sum((2, 3)) * w).sum(-1)
    y = (mass.sum((2, 4)) * h).sum(-1)
    z = (mass.sum((3, 4)) * d).sum(-1)
    u, v = side / len(w) * (x + 0.5) - 0.5, side / len(h) * (y + 0.5) - 0.5
    return torch.stack([u, v, side * ((2 * z + 1) / len(d) - 1)], -1)


def learn(heatmaps: torch.Tensor, positions: torch.Tensor) -> None:
    """The gradient of the heat maps for a loss of the joints."""
    heatmaps.grad = None
    positions.square().mean().backward()


def count_crops(kind: torch.dtype, crops: int, repeats: int) -> None:
    """Print crops per second, forward and in a training step, under autocast where the type asks for it."""
    network = PoseNet(PoseNetConfig("resnet18", depth=32, side=128, channels=128))
    optimiser = torch.optim.Adam(network.parameters())
    pictures = torch.randint(0, 256, (crops, 3, 128, 128), dtype=torch.uint8)

    def joints() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
            return network.joints_3d(network(pictures)).positions

    def see() -> None:
        with torch.inference_mode():
            joints()

    def step() -> None:
        optimiser.zero_grad()
        joints().square().mean().backward()
        optimiser.step()

    network.eval()
    (forward,) = best(repeats, see)
    network.train()
    (trained,) = best(repeats, step)
    print(
        f"| forward | {kind} | {crops / forward:.0f} |\n| training step | {kind} | {crops / trained:.0f} |", flush=True
    )


def best(repeats: int, *sides: Callable[[], Any]) -> tuple[float, ...]:
    """Seconds of the best run of each side, after one that does not count; runs alternate."""
    times: list[list[float]] = [[] for _ in sides]
    for run in range(repeats + 1):
        for kept, side in zip(times, sides, strict=True):
            start = time.perf_counter()
            side()
            if run:
                kept.append(time.perf_counter() - start)
    return tuple(min(kept) for kept in times)


if __name__ == "__main__":
    main()
