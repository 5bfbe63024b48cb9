"""`posebench demo`: the main job on the example that ships with posebench."""

from __future__ import annotations

import typer

#: The predictions of the example, and what they are.
_PREDICTIONS = {
    "pred_cam01_cam02.npz": "two-camera triangulation, cameras 1 and 2 (47 degrees apart)",
    "pred_cam01_cam04.npz": "two-camera triangulation, cameras 1 and 4 (106 degrees apart)",
}


def demo() -> None:
    """Score the shipped example: a person balancing, seen by four real cameras.

    The ground truth is triangulated from all four cameras, each prediction from two of them.
    """
    from posebench.cli.progress import announce_compilation
    from posebench.report.render import print_report
    from posebench.resources import resource
    from posebench.scoring import score

    gt = resource("examples", "pose2sim", "gt.npz")
    announce_compilation()
    for name, what in _PREDICTIONS.items():
        pred = resource("examples", "pose2sim", name)
        report = score(pred, gt)
        typer.echo(f"{name}: {what}\n")
        print_report(report, ("part",))
        typer.echo("")
    typer.echo(f"The same by hand:\n  posebench score --pred {pred} --gt {gt} --by joint -o result.json")
