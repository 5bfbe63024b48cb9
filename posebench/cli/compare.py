"""`posebench compare`: results in, differences with intervals and tests out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posebench.cli import completion
from posebench.cli.outputs import refuse_unwritable


def compare(
    results: Annotated[
        list[str],
        typer.Argument(
            metavar="RESULT...",
            help="FILE.json, NAME=FILE.json, or NAME=SEED0.json,SEED1.json,... for several seeds of one model.",
            show_default=False,
        ),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "-m",
            help="Metric to compare, else all that the results share; repeatable.",
            show_default=False,
            autocompletion=completion.metrics,
        ),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o", "--output", help="Also write .json, .csv, .md, .tex or .html; repeatable.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random patterns of signs.", min=0)] = 0,
) -> None:
    """Compare results that posebench score wrote (-o FILE.json), on the same frames and the same terms.

    Later models are compared with earlier ones. Intervals and p-values are over sequences, not frames.

    Example: posebench compare base.json ours=s0.json,s1.json,s2.json -o table.tex
    """
    from posebench.comparison.load import named_paths
    from posebench.frames import frames_path
    from posebench.report.render import kind_of

    models = named_paths(results)
    inputs = [file for paths in models.values() for path in paths for file in (path, frames_path(path))]
    outputs = tuple(output or ())
    for path in outputs:
        kind_of(path)
        refuse_unwritable(path, inputs)

    from posebench.comparison import compare as compare_results
    from posebench.comparison.render import print_comparison

    found = compare_results(models, metrics=metric, seed=seed)
    print_comparison(found)
    for path in outputs:
        found.save(path)
