"""How kernels are compiled: by numba, without the GIL, and kept on disk where there is a place to keep them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from numba import njit

#: Sums may be reordered and products fused. NaN and infinity mark missing joints, so the flags that assume them away
#: ("nnan", "ninf") stay out.
FASTMATH = {"reassoc", "contract", "nsz"}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function over arrays."""
    return _compiled(function, fastmath=FASTMATH)


def plain_kernel(function: Callable[..., Any]) -> Any:
    """Compile a function in which no sum may be reordered."""
    return _compiled(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function of scalars into the kernels that call it."""
    return _compiled(function, fastmath=FASTMATH, inline="always")


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    options |= {"nogil": True, "error_model": "numpy"}
    try:
        return _patient(njit(cache=True, **options)(function))
    except RuntimeError:
        # numba finds no folder that it may write to (a read-only installation, no home): compile in every process.
        return njit(**options)(function)


def _patient(dispatcher: Any) -> Any:
    """Let a kernel do without its cache where that cannot be written, as on a full disk, or is damaged."""
    cache = dispatcher._cache
    load, save = cache.load_overload, cache.save_overload

    def loaded(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except Exception:  # half a pickle falls over in any way
            with suppress(OSError):
                cache.flush()
            return None

    def saved(*arguments: Any) -> None:
        with suppress(OSError):
            save(*arguments)

    cache.load_overload, cache.save_overload = loaded, saved
    return dispatcher
