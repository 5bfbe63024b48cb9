"""`posebench doctor`: what is wrong with a prediction file, before a number misleads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from posebench.cli import completion, options
from posebench.cli.outputs import refuse_unwritable


def doctor(
    pred: options.Pred,
    gt: Annotated[
        Path | None,
        typer.Option("--gt", help="Ground truth; without it the file is examined alone.", show_default=False),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol",
            help="Name of a protocol (posebench protocols list), or a .yaml file.",
            autocompletion=completion.protocols,
        ),
    ] = "standard",
    pred_unit: options.PredUnit = None,
    gt_unit: options.GtUnit = None,
    pred_skeleton: options.PredSkeleton = None,
    gt_skeleton: options.GtSkeleton = None,
    pred_reference: options.PredReference = None,
    gt_reference: options.GtReference = None,
    pred_origin: options.PredOrigin = None,
    gt_origin: options.GtOrigin = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Frames without a prediction are no finding.")
    ] = False,
    allow_extra: Annotated[
        bool, typer.Option("--allow-extra", help="Predictions without ground truth are no finding.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    output: Annotated[
        list[Path] | None,
        typer.Option("-o", "--output", help="Also write .json or .txt; repeatable.", show_default=False),
    ] = None,
    joints: Annotated[
        Path | None,
        typer.Option(
            "--joints",
            help="Write the order of joints that was found, if no known skeleton has it, as a skeleton (.yaml).",
            show_default=False,
        ),
    ] = None,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 whatever is found.")] = False,
) -> None:
    """Find out what is wrong with predictions, with evidence and the command that helps.

    Exit code 0 if nothing is wrong (notes are harmless), 1 if something is, 2 if a file cannot be read.

    Example: posebench doctor --pred pred.npz --gt gt.npz --json
    """
    from posebench.errors import UsageError

    outputs = tuple(output or ())
    inputs = [pred] if gt is None else [pred, gt]
    for path in outputs:
        if path.suffix.lower() not in (".json", ".txt"):
            raise UsageError(f"{path}: a diagnosis is written as .json or .txt")
    if joints is not None and joints.suffix.lower() not in (".yaml", ".yml"):
        raise UsageError(f"{joints}: a skeleton is written as .yaml")
    for path in (*outputs, *([joints] if joints is not None else [])):
        refuse_unwritable(path, inputs)

    from posebench.doctor import diagnose
    from posebench.doctor.model import json_text
    from posebench.io import read
    from posebench.io.atomic import atomic_write

    p = read(pred, skeleton=pred_skeleton, unit=pred_unit, reference=pred_reference, origin=pred_origin)
    g = None
    if gt is not None:
        g = read(gt, skeleton=gt_skeleton, unit=gt_unit, reference=gt_reference, origin=gt_origin)
    found = diagnose(p, g, protocol=protocol, allow_missing=allow_missing, allow_extra=allow_extra)
    text = json_text(found) if as_json else str(found)
    # File names may hold bytes that are no text.
    typer.echo(text.encode("utf-8", "backslashreplace").decode(), nl=False)
    for path in outputs:
        found.save(path)
    if joints is not None and found.joints is not None:
        with atomic_write(joints) as handle:
            handle.write(found.joints.encode())
    elif joints is not None:
        print(f"posebench: note: {joints} not written: no order of joints was found but known ones", file=sys.stderr)
    if not found.clean and not exit_zero:
        raise typer.Exit(1)


__all__ = ["doctor"]
