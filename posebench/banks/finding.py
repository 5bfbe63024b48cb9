"""Banks by name: those that ship with posebench, and any other by the path of its .npz."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from posebench.banks.bank import ClusterBank
from posebench.errors import InputError, UsageError
from posebench.resources import resource

#: Banks that differ from `NAME` in their seed only are called `NAME-seed1`, `NAME-seed2`, ...
_SEED = "-seed"


def bank_names() -> tuple[str, ...]:
    """Names of the banks that ship with posebench, smaller k first.

    Examples
    --------
    >>> all(name == find_bank(name).name for name in bank_names())
    True
    """
    try:
        folder = resource("clusters")
    except InputError:
        return ()
    return tuple(sorted((path.stem for path in folder.glob("*.npz")), key=_order))


def find_bank(bank: str | Path | ClusterBank) -> ClusterBank:
    """A bank by name or path; a `ClusterBank` passes through.

    Raises
    ------
    UsageError
        If no bank of that name ships with posebench.
    InputError
        If the files are damaged.
    """
    if isinstance(bank, ClusterBank):
        return bank
    path = bank_path(bank)
    return _load(path, path.stat().st_mtime_ns if path.is_file() else 0)


def bank_path(bank: str | Path) -> Path:
    """The .npz of a bank by name or path.

    Raises
    ------
    UsageError
        If no bank of that name ships with posebench.
    """
    if isinstance(bank, Path) or bank.endswith(".npz"):
        return Path(bank)
    if bank not in bank_names():
        known = ", ".join(name for name in bank_names() if _SEED not in name) or "none"
        raise UsageError(f"there is no bank {bank!r}; known are {known}, or give the path of an .npz file")
    return resource("clusters", f"{bank}.npz")


def ensemble_of(bank: ClusterBank) -> tuple[ClusterBank, ...]:
    """A shipped bank and those that differ from it in their seed only.

    Raises
    ------
    UsageError
        If there are no such banks.
    """
    others = [name for name in bank_names() if name.startswith(f"{bank.name}{_SEED}")]
    if not others or bank.name not in bank_names() or find_bank(bank.name).sha256 != bank.sha256:
        raise UsageError(f"bank {bank.name} has no ensemble: banks of other seeds that ship with posebench")
    return (bank, *(find_bank(name) for name in others))


@lru_cache(maxsize=64)
def _load(path: Path, _changed: int) -> ClusterBank:
    return ClusterBank.load(path)


def _order(name: str) -> tuple[str, int, str]:
    stem, _, rest = name.partition("-k")
    digits = "".join(character for character in rest.partition("-")[0] if character.isdigit())
    return stem, int(digits or 0), name


__all__ = ["bank_names", "bank_path", "ensemble_of", "find_bank"]
