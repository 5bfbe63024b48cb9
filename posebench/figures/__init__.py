"""The paper's figures 4, 5 and 6, measured and drawn anew: each module has a function for the data and one that draws.

- `figure4.py`: a changed structure beside noise of the same MPJPE. `pairs.py`: how such pairs are made.
- `figure5.py`: t-SNE of normalised poses, coloured by cluster. `figure6.py`: the centres of a bank.
- `material.py`: the poses that figures 4 and 5 are made of. `bootstrap.py`: intervals over sequences.

How a skeleton is drawn is in `posebench.drawing`, the commands are in `posebench.cli.figure`.
"""

from __future__ import annotations

#: Called with a few words before work that takes seconds.
from collections.abc import Callable

Say = Callable[[str], None]


def silent(_words: str) -> None:
    """Say nothing."""


__all__ = ["Say", "silent"]
