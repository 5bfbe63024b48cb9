"""Which cluster bank a metric means: the one that the protocol binds, or one that its spelling names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posebench.errors import UsageError
from posebench.metrics.clusters import ClusterPlan
from posebench.metrics.registry import Metric, resolve
from posebench.protocols import Protocol
from posebench.skeletons import Skeleton

if TYPE_CHECKING:
    from posebench.banks import ClusterBank


class Bindings:
    """Banks of a run: those of the protocol, loaded when a metric needs them, and those that the user gives."""

    def __init__(self, protocol: Protocol, banks: Sequence[str | Path | ClusterBank] = ()) -> None:
        self._protocol = protocol
        self._given: dict[str, ClusterBank] = {}
        self._found: dict[str, tuple[ClusterBank, ...]] = {}
        if isinstance(banks, str | Path):
            raise UsageError(f"banks is {banks!r}, expected a list of banks: [{banks!r}]")
        if banks:
            from posebench.banks import find_bank

            for bank in map(find_bank, banks):
                if self._given.setdefault(bank.name, bank).sha256 != bank.sha256:
                    raise UsageError(f"two different banks are called {bank.name!r}; rename one of them")

    def metrics(self) -> list[Metric]:
        """PSS in every bank that the user gives and the protocol does not bind."""
        if not self._given:
            return []
        bound = {bank.sha256 for bank in self._bound()}
        return [
            resolve(f"{'PSS-canonical' if _is_canonical(bank) else 'PSS'}@{bank.k}(bank={bank.name})")
            for bank in self._given.values()
            if bank.sha256 not in bound
        ]

    def of(self, metric: Metric) -> tuple[ClusterBank, ...]:
        """The banks of a metric; none for one that uses none.

        Raises
        ------
        UsageError
            If the protocol binds no bank with so many clusters, or there is no bank of that name.
        """
        if metric.cluster is None:
            return ()
        if metric.key not in self._found:
            self._found[metric.key] = self._find(metric)
        return self._found[metric.key]

    def plan(self, metrics: Sequence[Metric], skeleton: Skeleton) -> ClusterPlan | None:
        """What assigns poses for these metrics; None if none of them uses banks."""
        using = [metric for metric in metrics if metric.cluster is not None]
        return ClusterPlan({metric.key: self.of(metric) for metric in using}, using, skeleton) if using else None

    def hashes(self, metrics: Sequence[Metric]) -> dict[str, list[str]]:
        """Hashes of the centres that each metric uses."""
        return {
            metric.key: [bank.sha256 for bank in self.of(metric)] for metric in metrics if metric.cluster is not None
        }

    def records(self, metrics: Sequence[Metric]) -> list[dict[str, Any]]:
        """What a result says of its banks."""
        banks = {bank.sha256: bank for metric in metrics for bank in self.of(metric)}
        return [{"name": bank.name, "k": bank.k, "sha256": bank.sha256} for bank in banks.values()]

    def _find(self, metric: Metric) -> tuple[ClusterBank, ...]:
        from posebench.banks import ensemble_of, find_bank

        use = metric.cluster
        assert use is not None
        if use.bank is not None:
            bank = self._given.get(use.bank) or find_bank(use.bank)
            if bank.k != use.k or _is_canonical(bank) != use.canonical:
                raise UsageError(
                    f"{metric.key}: bank {bank.name} has {bank.k} clusters in the {bank.layout.reference} reference"
                )
        else:
            fitting = [b for b in self._bound() if b.k == use.k and _is_canonical(b) == use.canonical]
            if not fitting:
                bound = ", ".join(self._protocol.banks) or "none"
                raise UsageError(
                    f"{metric.key} needs a bank of {use.k} clusters, but protocol {self._protocol.name} binds {bound}; "
                    f"name one, as in {metric.family.name}@{use.k}(bank=NAME), or give one with --bank"
                )
            bank = fitting[0]
        return ensemble_of(bank) if use.kind == "ensemble" else (bank,)

    def _bound(self) -> list[ClusterBank]:
        from posebench.banks import find_bank

        return [find_bank(name) for name in self._protocol.banks]


def _is_canonical(bank: ClusterBank) -> bool:
    return bank.layout.reference == "canonical"
