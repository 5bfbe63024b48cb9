"""Small reports built by hand, with names that a hostile file might hold."""

from __future__ import annotations

from posebench.report import Coverage, MetricValue, Report

HOSTILE = (
    "</script><b>x",
    "$x_1$ 5% & #2 {y} ~ ^ \\z",
    "[red]alert[/red]",
    "=cmd()",
    "\t+1",
    "a|b `c`",
    "\x1b[31mred\x1b[0m",
    "two\nlines\r\u2028\u202eetag",
    "\ud800",
    "Gehen auf 歩く",
    "long" * 200,
    "[2ex]",
    "*",
    "@octocat www.example.org http://example.org",
    '"quoted", # no comment',
    "",
)


def small_report() -> Report:
    """Three metrics, one of them incomplete, one without a value; grouped by action and joint."""
    return Report(
        {
            "MPJPE": MetricValue("MPJPE", 52.3149, "mm", False, 99, (50.0, 54.125), incomplete=True),
            "MPJVE": MetricValue("MPJVE", 310.25, "mm/s", False, 98),
            "PSS@50": MetricValue("PSS@50", None, "%", True, 0),
        },
        Coverage(
            gt_frames=100, scored=99, missing=1, invalid_joints=0, degenerate=0, matched="by subject, action, frame"
        ),
        {"name": "standard", "version": 1, "sha256": "0123456789abcdef" * 4, "pooling": "frame"},
        [{"name": "cmu-50", "k": 50, "sha256": "fedcba9876543210" * 4}],
        {"pred": {"path": "pred.npz", "sha256": "aa"}, "gt": {"path": "gt.npz", "sha256": "bb"}},
        {"posebench": "0.1.0"},
        ["skeleton assumed: h36m17"],
        {
            "action": {
                "Walking": {"MPJPE": 50.0, "MPJVE": 1 / 3, "PSS@50": 75.0},
                "Eating": {"MPJPE": 60.125, "MPJVE": None, "PSS@50": 0.1},
            },
            "joint": {"r_hip": {"MPJPE": 10.0}, "l_hip": {"MPJPE": None}},
        },
    )


def hostile_report() -> Report:
    """Every hostile name as an action, a note, and a place in the protocol, the bank and the matching."""
    report = small_report()
    worst = "\x1b[2J[bold]|$x_1$</script>\n=cmd()"
    report.groups = {"action": {name: {"MPJPE": 1.0, "PSS@50": None} for name in HOSTILE}}
    report.notes = [*HOSTILE, "read pred.npz,=cmd()"]
    report.coverage = Coverage(2, 1, 1, 3, 1, f"by {worst}", 1, 1, 1)
    report.protocol["name"] = worst
    report.banks[0]["name"] = worst
    return report


def wide_report() -> Report:
    """More metrics than 80 columns hold, with long spellings, one with a foreign bank."""
    names = [*(f"PCK@{k}" for k in range(50, 200, 10)), "PMPJPE(variant=rigid_rerooted)", "PSS@50(bank=mine)"]
    report = small_report()
    report.metrics = {name: MetricValue(name, 12.5, "%", True, 10, (1.0, 20.0)) for name in names}
    report.groups = {"joint": {joint: dict.fromkeys(names, 12.5) for joint in ("right shoulder " * 4, "hip")}}
    return report
