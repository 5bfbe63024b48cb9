"""The spelling of metrics: `PCK@100`, `AUC(0:150:5)`, `NMPJPE(scale=procrustes)`; one parser, one printer.

A `MetricSpec` is a spelling taken apart, nothing more; what it means, and whether it exists, is for the registry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from posebench.errors import UsageError

_SPELLING = re.compile(
    r"""\s*(?P<name>[A-Za-z][A-Za-z0-9_-]*)
        (?:@(?P<at>[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?))?
        (?:\((?P<arguments>[^()]*)\))?\s*""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class MetricSpec:
    """A metric's name, the number after @, and the arguments in brackets, in their order.

    Examples
    --------
    >>> spec = MetricSpec.parse("PMPJPE(variant=rigid)")
    >>> spec.name, spec.at, spec.arguments
    ('PMPJPE', None, (('variant', 'rigid'),))
    >>> str(MetricSpec.parse(" PCK@150.0 ( inclusive ) "))
    'PCK@150(inclusive)'
    """

    name: str
    at: float | None = None
    #: (key, value) pairs; a bare word such as `inclusive` has the value "", a bare range the key "".
    arguments: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> MetricSpec:
        """Take a spelling apart.

        Raises
        ------
        UsageError
            If it is not `NAME`, `NAME@number`, `NAME(argument, ...)` or both.
        """
        match = _SPELLING.fullmatch(re.sub(r"\s*([()@])\s*", r"\1", text))
        if match is None:
            raise UsageError(
                f"metric {text!r} is not spelled NAME, NAME@number or NAME(key=value, ...), as in PCK@100 or "
                "NMPJPE(scale=procrustes)"
            )
        arguments = []
        for part in (match["arguments"] or "").split(","):
            word = part.strip()
            if not word:
                continue
            key, equals, value = word.partition("=")
            if equals and key.strip() and value.strip():
                arguments.append((key.strip(), value.strip()))
            elif not equals and ":" in word:
                arguments.append(("", word.replace(" ", "")))
            elif not equals:
                arguments.append((word, ""))
            else:
                raise UsageError(f"metric {text!r}: the argument {word!r} lacks a key or a value")
        keys = [key for key, _ in arguments]
        if len(set(keys)) != len(keys):
            raise UsageError(f"metric {text!r} gives an argument twice")
        return cls(match["name"], None if match["at"] is None else float(match["at"]), tuple(arguments))

    def __str__(self) -> str:
        at = "" if self.at is None else f"@{number(self.at)}"
        inside = ",".join(f"{key}={value}" if key and value else key or value for key, value in self.arguments)
        return f"{self.name}{at}({inside})" if inside else f"{self.name}{at}"


def number(value: float) -> str:
    """A number as it stands in a spelling: no trailing zeros, never rounded.

    Examples
    --------
    >>> number(150.0), number(0.5)
    ('150', '0.5')
    """
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(float(value))


def threshold_range(text: str) -> tuple[float, ...]:
    """The thresholds of `start:stop:step`, stop included.

    Examples
    --------
    >>> thresholds = threshold_range("0:150:5")
    >>> len(thresholds), thresholds[0], thresholds[-1]
    (31, 0.0, 150.0)

    Raises
    ------
    UsageError
        If it is not three numbers, if the step is not positive, or if it does not lead from start to stop.
    """
    try:
        start, stop, step = (float(part) for part in text.split(":"))
    except ValueError:
        raise UsageError(f"thresholds {text!r} are not start:stop:step, as in 0:150:5 (stop included)") from None
    # Written so that NaN fails.
    if not (0 <= start <= stop < float("inf") and 0 < step < float("inf")):
        raise UsageError(f"thresholds {text!r}: expected 0 <= start <= stop and a positive step, in mm")
    if (stop - start) / step > 100_000:
        raise UsageError(f"thresholds {text!r} are more than the 100001 values that are allowed")
    steps = round((stop - start) / step)
    if abs(start + steps * step - stop) > 1e-9 * max(stop, step):
        raise UsageError(
            f"thresholds {text!r}: steps of {number(step)} from {number(start)} do not reach {number(stop)}"
        )
    return tuple(start + k * step for k in range(steps + 1))
