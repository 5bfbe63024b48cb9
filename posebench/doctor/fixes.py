"""The commands that mend a file, as a shell takes them, for the files and options at hand."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from posebench.poses import PoseSet

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Commands:
    """Writes commands for one pair of files."""

    pred: PoseSet
    gt: PoseSet | None
    protocol: str

    @property
    def _pred_path(self) -> str:
        return self.pred.path or "pred.npz"

    @property
    def fixed_path(self) -> str:
        """Where mended poses go: beside the prediction."""
        path = Path(self._pred_path)
        return str(path.with_name(f"{path.stem}-fixed.npz"))

    @property
    def joints_path(self) -> str:
        """Where an order of joints goes that no known skeleton has."""
        path = Path(self._pred_path)
        return str(path.with_name(f"{path.stem}-joints.yaml"))

    def convert(self, options: Options) -> str:
        """`posebench convert` with these options."""
        words = _words(joined((options, _stated(self.pred, "--from-"))))
        return _line(["posebench", "convert", self._pred_path, self.fixed_path, *words])

    def convert_truth(self, options: Options) -> str:
        """The same for the ground truth."""
        assert self.gt is not None
        path = Path(self.gt.path or "gt.npz")
        words = _words(joined((options, _stated(self.gt, "--from-"))))
        return _line(["posebench", "convert", str(path), str(path.with_name(f"{path.stem}-fixed.npz")), *words])

    def score(self, options: Options) -> str:
        """`posebench score` of the two files with further options."""
        return self._on_both("score", options)

    def doctor(self, options: Options) -> str:
        """`posebench doctor` of the two files with further options."""
        return self._on_both("doctor", options)

    def _on_both(self, command: str, options: Options) -> str:
        gt = () if self.gt is None else (("--gt", self.gt.path or "gt.npz"), *_stated(self.gt, "--gt-"))
        protocol = () if self.protocol == "standard" else (("--protocol", self.protocol),)
        pred = (("--pred", self._pred_path), *gt, *protocol)
        return _line(["posebench", command, *_words(joined((pred, options, _stated(self.pred, "--pred-"))))])


def _stated(poses: PoseSet, prefix: str) -> Options:
    """What the user said of a file must be said again, or the file would be believed."""
    skeleton = None if poses.skeleton is None else poses.skeleton.name
    facts = {"skeleton": skeleton, "unit": poses.unit, "reference": poses.reference, "origin": poses.origin}
    return tuple((prefix + name, value) for name, value in facts.items() if name in poses.stated and value is not None)


def joined(several: Iterable[Options]) -> Options:
    """The options of several remedies in one command, each once."""
    found: dict[str, str] = {}
    for options in several:
        for name, value in options:
            found.setdefault(name, value)
    return tuple(found.items())


def _words(options: Options) -> list[str]:
    """`--axes=-x,y,z`: a value that begins with a dash would pass for an option; a switch has the value ""."""
    words = []
    for name, value in options:
        if not value:
            words.append(name)
        else:
            words += [f"{name}={value}"] if value.startswith("-") else [name, value]
    return words


def _line(words: list[str]) -> str:
    return shlex.join(words)


__all__ = ["Commands", "Options", "joined"]
