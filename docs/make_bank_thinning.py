"""How thinning moves a bank: `python docs/make_bank_thinning.py` prints the table of clusters/README.md again.

Centres come from CMU subjects 01, 03, 05, 06 and 07 as for the banks that ship, but for the thinning. Held-out poses
are those of subjects 02, 08 and 09, seen alike, ten a second: the mean of the squared distance from a normalised pose
to its nearest centre says how well the centres cover people whom they have not seen. Takes some minutes, and needs the
data that POSEBENCH_DATA names.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from posebench.banks import ClusterBank
from posebench.banks.recipe import Plan, Recipe
from posebench.datasets.cmu import cmu_clips

TRAIN = ("01", "03", "05", "06", "07")
TEST = ("02", "08", "09")
SHIPPED = (12, 0.05)
#: Stride and smallest distance.
CHOICES = ((1, 0.05), (4, 0.0), (6, 0.05), (12, 0.0), SHIPPED, (12, 0.1), (12, 0.2), (24, 0.05))
LEVELS = (50, 100)
SEEDS = range(5)
RUNS = 3


def main() -> None:
    """Build, measure, print."""
    recipe = Recipe(cameras="h36m-like", stride=12)
    clips = cmu_clips()
    train = [path for path in clips if path.parent.name in TRAIN]
    held_out = list(recipe.read([path for path in clips if path.parent.name in TEST]))
    print("| stride | min. distance | poses | " + " | ".join(f"k = {k}" for k in LEVELS) + " | s |")
    print("|--:|--:|--:|" + "--:|" * len(LEVELS) + "--:|")
    for stride, distance in CHOICES:
        ground = replace(recipe, stride=stride).read(train)
        cells, used, begin = [], 0, time.perf_counter()
        for k in LEVELS:
            banks = [
                Plan("thinned", k, recipe, seed=seed, min_distance=distance, n_init=RUNS).build(ground)
                for seed in SEEDS
            ]
            errors = [distance_to(bank, held_out) for bank in banks]
            cells.append(f"{np.mean(errors):.4f} ± {np.std(errors, ddof=1):.4f}")
            used = banks[0].card.poses.used
        seconds = (time.perf_counter() - begin) / len(LEVELS) / len(SEEDS)
        star = "**" * ((stride, distance) == SHIPPED)
        row = [str(stride), f"{distance:g}", f"{used:,}", *cells, f"{seconds:.1f}"]
        print("| " + " | ".join(f"{star}{cell}{star}" for cell in row) + " |", flush=True)


def distance_to(bank: ClusterBank, sets: list) -> float:
    """Mean squared distance of poses to their nearest centre."""
    return float(np.mean(np.concatenate([bank.squared_distances(poses).min(1) for poses in sets])))


if __name__ == "__main__":
    main()
