"""Tables in Markdown of what `peers.py` measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

#: What is said where other work takes the cores.
BUSY = (
    "other work takes the cores, so that threads of libraries sleep while they wait (OMP_WAIT_POLICY=PASSIVE), time on "
    "the wall is mostly waiting, and the last column is the one to read, on one thread before several"
)


def markdown(data: dict[str, Any]) -> str:
    """Everything that was measured."""
    return "\n".join([heading(data), *(table(job) for job in data["jobs"])])


def heading(data: dict[str, Any]) -> str:
    """What was timed, on what."""
    packages = ", ".join(f"{name} {version}" for name, version in sorted(data["versions"].items()))
    lines = [
        f"{data['poses']:,} poses x 17 joints, {data['source']}; {data['looped']:,} for peers that are called one by "
        f"one, {4 * data['looped']:,} in files of text; best of {data['repeats']} runs",
        "",
        f"{data['machine']}; load {data['load']:.1f} when it began" + (f"; {BUSY}" if data["busy"] else ""),
        "",
        packages,
    ]
    if data["missing"]:
        lines += ["", f"Not timed, since it is not installed: {', '.join(data['missing'])}"]
    return "\n".join(lines) + "\n"


def table(job: dict[str, Any]) -> str:
    """One job: the table, what differs, and where the peer is faster."""
    lines = [
        f"### {job['name']}",
        "",
        job["introduction"],
        "",
        "| peer | posebench | type | threads | results | one | peer (CPU) | posebench (CPU) | ratio | ratio, CPU |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(line(row) for row in job["rows"]),
    ]
    lines += listed("What the peer computes otherwise, or not:", different(job["rows"]))
    lines += listed("Where the peer needs less computing time:", faster(job["rows"]))
    return "\n".join(lines) + "\n"


def line(row: dict[str, Any]) -> str:
    """One line of a table."""
    sign = "" if row["agrees"] is not False else "DIFFERENT: "
    cells = (
        row["peer"],
        row["own"],
        row["dtype"],
        str(row["threads"]),
        sign + row["result"],
        row["unit"],
        f"{shown(row['peer_wall'])} ({shown(row['peer_cpu'])})",
        f"{shown(row['own_wall'])} ({shown(row['own_cpu'])})",
        ratio(row["peer_wall"], row["own_wall"]),
        ratio(row["peer_cpu"], row["own_cpu"]),
    )
    return "| " + " | ".join(cells) + " |"


def different(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What each peer does otherwise, once."""
    said = set()
    for row in rows:
        told = row["peer"], row["differs"]
        if row["differs"] and told not in said:
            said.add(told)
            yield f"{row['peer']}: {row['differs']}"


def faster(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Peers with a ratio below 1, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["peer_cpu"] < row["own_cpu"]:
            where = f"{row['dtype']}, {row['threads']} thread{'s' if row['threads'] > 1 else ''}"
            ratios = found.setdefault((row["peer"], row["reason"]), [])
            ratios.append(f"{ratio(row['peer_cpu'], row['own_cpu'])} ({where})")
    for (peer, reason), ratios in found.items():
        yield f"{peer}: {', '.join(ratios)}" + (f"; {reason}" if reason else "")


def listed(title: str, items: Iterator[str]) -> list[str]:
    """A list under a title, if there is anything to list."""
    found = [f"- {item}" for item in items]
    return ["", title, "", *found] if found else []


def shown(seconds: float) -> str:
    """A time with three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def ratio(peer: float, own: float) -> str:
    """Time of the peer / time of posebench: above 1, posebench is faster."""
    value = peer / own if own else float("inf")
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"
