"""Options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posebench.cli import completion

Pred = Annotated[
    Path, typer.Option("--pred", help="Predictions: .npz, .npy, .json, .csv, .pkl and others.", show_default=False)
]
Gt = Annotated[Path, typer.Option("--gt", help="Ground truth, same formats.", show_default=False)]
ProtocolName = Annotated[
    str,
    typer.Option(
        "--protocol",
        help="Name of a protocol (posebench protocols list), a .yaml file, or all.",
        autocompletion=completion.scored_protocols,
    ),
]
PredUnit = Annotated[
    str | None, typer.Option("--pred-unit", help="mm, m or scale-free; believed over the file.", show_default=False)
]
GtUnit = Annotated[str | None, typer.Option("--gt-unit", help="mm or m; believed over the file.", show_default=False)]
PredSkeleton = Annotated[
    str | None,
    typer.Option(
        "--pred-skeleton",
        help="What the predicted joints are: a name or a .yaml file.",
        show_default=False,
        autocompletion=completion.skeletons,
    ),
]
GtSkeleton = Annotated[
    str | None,
    typer.Option(
        "--gt-skeleton",
        help="What the ground truth's joints are.",
        show_default=False,
        autocompletion=completion.skeletons,
    ),
]
PredReference = Annotated[
    str | None, typer.Option("--pred-reference", help="camera, world or canonical.", show_default=False)
]
GtReference = Annotated[
    str | None, typer.Option("--gt-reference", help="camera, world or canonical.", show_default=False)
]
PredOrigin = Annotated[str | None, typer.Option("--pred-origin", help="absolute or root.", show_default=False)]
GtOrigin = Annotated[str | None, typer.Option("--gt-origin", help="absolute or root.", show_default=False)]
FromSkeleton = Annotated[
    str | None,
    typer.Option(
        "--from-skeleton",
        help="What the joints of IN are: a name or a .yaml file.",
        show_default=False,
        autocompletion=completion.skeletons,
    ),
]
FromUnit = Annotated[
    str | None,
    typer.Option("--from-unit", help="Unit of IN: mm, m or scale-free; believed over the file.", show_default=False),
]
FromReference = Annotated[
    str | None,
    typer.Option("--from-reference", help="Reference of IN: camera, world or canonical.", show_default=False),
]
FromOrigin = Annotated[
    str | None, typer.Option("--from-origin", help="Origin of IN: absolute or root.", show_default=False)
]
SchedulerAddress = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        help="Dask scheduler whose workers do the work, as in tcp://host:8786; local: one with --jobs workers here.",
        show_default=False,
    ),
]
