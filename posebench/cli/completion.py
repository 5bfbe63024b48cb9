"""What shells complete beside commands and options: names of protocols, metrics, banks, models and other things.

A shell asks while somebody types, so names come from listings of folders where they can; nothing heavy is imported.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
#: In the checkout and in an installed posebench alike, the zoo lies beside the package.
_ZOO = _PACKAGE.parent / "model_zoo"


def protocols() -> list[str]:
    """Names of protocols."""
    return _stems(_PACKAGE / "protocols", ".yaml")


def scored_protocols() -> list[str]:
    """Names of protocols, and all, where several may be scored by at once."""
    return [*protocols(), "all"]


def metrics() -> list[str]:
    """Families of metrics, as they are spelt without arguments."""
    from posebench.metrics.registry import families

    return sorted(families())


def banks() -> list[str]:
    """Names of the banks that ship with posebench."""
    from posebench.errors import InputError
    from posebench.resources import resource

    try:
        return _stems(resource("clusters"), ".npz")
    except InputError:
        return []


def skeletons() -> list[str]:
    """Names of skeletons."""
    from posebench.skeletons import skeleton_names

    return list(skeleton_names())


def models() -> list[str]:
    """Names of the models that come with posebench."""
    return _stems(_ZOO / "weights", ".yaml")


def configs() -> list[str]:
    """Names of configurations of training."""
    return _stems(_ZOO / "configs", ".yaml")


def _stems(folder: Path, suffix: str) -> list[str]:
    return sorted(path.stem for path in folder.glob(f"*{suffix}"))


__all__ = ["banks", "configs", "metrics", "models", "protocols", "scored_protocols", "skeletons"]
