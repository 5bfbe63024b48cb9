"""How a case is declared: a decorator on the function that builds it."""

from __future__ import annotations

from collections.abc import Callable

from posebench.conformance.model import Case, Problem


class Cases:
    """The cases of one file."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def add(
        self, name: str, metric: str, title: str, *, trouble: str, source: str
    ) -> Callable[[Callable[[], Problem]], Callable[[], Problem]]:
        """Enter the function below as a case."""

        def enter(build: Callable[[], Problem]) -> Callable[[], Problem]:
            self.cases.append(Case(name, metric, title, trouble, source, build))
            return build

        return enter
