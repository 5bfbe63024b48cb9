"""Protocols: named, versioned, hashed ways to score; one YAML file each, beside this module.

A protocol has a *definition* (joints, what each side is centred on, metrics, pooling, bound banks), which can be
applied to any poses, and perhaps a *selection* (subjects, stride, skipped sequences), which only means something on its
data set. The hash covers both, not comments or layout, and goes into every result.
"""

from __future__ import annotations

from posebench.protocols.difference import Difference, differences
from posebench.protocols.model import Pooling, Protocol
from posebench.protocols.registry import get_protocol, protocol_names
from posebench.protocols.selection import Selection

__all__ = ["Difference", "Pooling", "Protocol", "Selection", "differences", "get_protocol", "protocol_names"]
