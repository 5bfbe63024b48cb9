"""Fuzz readers, and print what came of it as the table of docs/security.md.

python tests/fuzz/report.py --files 20000 --folder build/fuzz            # goes on where it was stopped
python tests/fuzz/report.py --files 20000 --folder build/fuzz h5 mat73   # some readers only
python tests/fuzz/report.py --folder build/fuzz --show                   # the table of what is there
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fuzz import campaign
from tests.fuzz.targets import TARGETS


def table(found: list[campaign.Campaign]) -> str:
    lines = [
        "| reader | files | refused | read | scored | library ended | findings | slowest (s) | memory (MB) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in found:
        of = each.outcomes
        read = of["read"] + of["scored"] + of["score refused"]
        scored = f"{of['scored']:,}" if TARGETS[each.target].scored else "–"
        ended = f"{of['ended']:,}" if TARGETS[each.target].isolated else "–"
        lines.append(
            f"| {each.target} | {each.files:,} | {of['refused']:,} | {read:,} | {scored} | {ended} | {of['finding']:,} "
            f"| {each.slowest:.2f} | {each.memory / 1e6:.0f} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", help=f"all by default; {', '.join(TARGETS)}", metavar="READER")
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    if unknown := set(given.readers) - set(TARGETS):
        parser.error(f"there is no reader {', '.join(sorted(unknown))}")
    found = []
    for name in given.readers or TARGETS:
        folder = given.folder / name
        if given.show:
            if (folder / "outcomes").exists():
                found.append(campaign.result(name, folder))
            continue
        found.append(campaign.run(name, given.files, folder.resolve()))
        of = found[-1]
        print(f"{name}: {of.files} files, {of.outcomes}, {of.slowest:.2f} s, {of.memory >> 20} MiB", file=sys.stderr)
        for number, wrong in list(of.findings.items())[:5]:
            print(f"  {number}: {wrong.strip().splitlines()[-1][:300]}", file=sys.stderr)
    print(table(found))
    return int(any(each.findings for each in found))


if __name__ == "__main__":
    sys.exit(main())
