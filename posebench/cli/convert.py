"""`posebench convert`: pose files in, one pose file out, in another format, skeleton, unit or reference."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from posebench.cli import completion, options
from posebench.errors import UsageError

if TYPE_CHECKING:
    from posebench.cameras import Camera, CameraUnit
    from posebench.poses import PoseSet

#: What --to takes.
_REFERENCES = ("camera", "world", "root")
#: What --drop takes. The mask is no fact to be left out: what it hides would pass for poses.
_DROPPABLE = (
    *("subject", "action", "sequence", "camera", "frame", "skeleton", "unit", "reference", "origin", "fps", "dataset"),
    *("intrinsics", "extrinsics", "root_depth"),
)


def convert(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="IN...", help="Files to read, joined in this order.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="File to write; one that exists is replaced.", show_default=False),
    ],
    skeleton: Annotated[
        str | None,
        typer.Option(
            "--skeleton",
            help="Convert to this skeleton by joint name: a name or a .yaml file.",
            show_default=False,
            autocompletion=completion.skeletons,
        ),
    ] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Convert to mm or m.", show_default=False)] = None,
    axes: Annotated[
        str | None,
        typer.Option(
            "--axes",
            help="Which axis of IN becomes each new one, as in x,-y,-z; what IN says of its reference stays.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="Convert to camera or world coordinates, or relative to the root.", show_default=False
        ),
    ] = None,
    cameras: Annotated[
        Path | None,
        typer.Option(
            "--cameras",
            help="Calibration: .json, .toml (anipose, Pose2Sim) or .qca.txt (Qualisys); else the extrinsics in IN.",
            show_default=False,
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            "--camera",
            help="Camera of poses that do not say theirs; with --to camera also all, for a copy per camera.",
            show_default=False,
        ),
    ] = None,
    cameras_unit: Annotated[
        str | None,
        typer.Option(
            "--cameras-unit",
            help="Unit of the cameras' translations: mm, cm or m; believed over the file.",
            show_default=False,
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            "--drop", help="Key or fact that OUT shall not hold, such as intrinsics; repeatable.", show_default=False
        ),
    ] = None,
    from_skeleton: options.FromSkeleton = None,
    from_unit: options.FromUnit = None,
    from_reference: options.FromReference = None,
    from_origin: options.FromOrigin = None,
    fps: Annotated[
        float | None, typer.Option("--fps", help="Frames per second of IN; believed over the file.", show_default=False)
    ] = None,
) -> None:
    """Convert pose files to another format, skeleton, unit or reference, or join several.

    The endings of the names say the formats. Skeleton, unit, --axes and --to are converted in this
    order, after joining.

    Example: posebench convert gt.npz world.npz --to world --cameras Calib.qca.txt
    """
    _check_usage(unit, to, cameras, camera, cameras_unit)
    dropped = tuple(dict.fromkeys(word.strip() for text in drop or () for word in text.split(",") if word.strip()))
    for name in dropped:
        if name not in _DROPPABLE:
            raise UsageError(f"--drop {name}: expected one of {', '.join(_DROPPABLE)}")

    from posebench import references
    from posebench.cli.outputs import refuse_unwritable
    from posebench.conversion import convert as to_skeleton
    from posebench.io import read, write
    from posebench.joining import concatenate
    from posebench.settling import settle_facts
    from posebench.skeletons import get_skeleton

    _refuse_unknown_format(output)
    refuse_unwritable(output, [*inputs, *([cameras] if cameras is not None else [])])
    wanted = None if skeleton is None else get_skeleton(skeleton)
    rig, notes = (None, []) if cameras is None else _read_rig(cameras, cameras_unit)
    said = {"skeleton": from_skeleton, "unit": from_unit, "reference": from_reference, "origin": from_origin}
    sets = [read(path, **said, fps=fps) for path in inputs]
    # Only what comes with cameras and other units depends on the unit; an unknown one may stay unknown otherwise.
    sets = [
        settle_facts(each, matters=unit is not None or (to in ("camera", "world") and each.origin == "absolute"))
        for each in sets
    ]
    poses = concatenate(sets)
    if wanted is not None:
        poses = to_skeleton(poses, wanted)
    if unit is not None:
        poses = references.to_unit(poses, unit)
    if axes is not None:
        poses = references.to_axes(poses, axes)
    if to == "camera":
        poses = references.to_camera(poses, rig, camera=camera)
    elif to == "world":
        poses = references.to_world(poses, rig, camera=camera)
    elif to == "root":
        poses = references.to_root(poses)
    if dropped:
        poses = poses.replace(**{name: "unknown" if name == "reference" else None for name in dropped})
    for note in (*notes, *poses.notes):
        print(f"posebench: note: {_printable(note)}", file=sys.stderr)
    write(poses, output)
    typer.echo(_printable(f"{output}: {_summary(poses)}" + (f", from {len(inputs)} files" if len(inputs) > 1 else "")))


def _check_usage(
    unit: str | None,
    to: str | None,
    cameras: Path | None,
    camera: str | None,
    cameras_unit: str | None,
) -> None:
    if unit is not None and unit not in ("mm", "m"):
        raise UsageError(f"--unit {unit}: expected mm or m")
    if to is not None and to not in _REFERENCES:
        raise UsageError(f"--to {to}: expected one of {', '.join(_REFERENCES)}")
    given = {"--cameras": cameras, "--camera": camera, "--cameras-unit": cameras_unit}
    surplus = [option for option, value in given.items() if value is not None]
    if surplus and to not in ("camera", "world"):
        raise UsageError(f"{surplus[0]} has nothing to do without --to camera or --to world")
    if cameras_unit is not None and cameras is None:
        raise UsageError("--cameras-unit is the unit of a camera file; give one with --cameras FILE")


def _refuse_unknown_format(output: Path) -> None:
    """Find out before reading that the ending of the output is that of no format, or of one that is only read."""
    from posebench.io import formats

    known = {suffix: each for each in formats() for suffix in each.suffixes}
    fitting = [suffix for suffix in known if output.name.lower().endswith(suffix)]
    if not fitting or known[max(fitting, key=len)].write is None:
        writable = ", ".join(suffix for suffix, each in known.items() if each.write is not None)
        what = "no format has this ending" if not fitting else "this format is only read"
        raise UsageError(f"{output}: cannot be written: {what}; written are {writable}")


def _read_rig(path: Path, unit: str | None) -> tuple[dict[str, Camera], list[str]]:
    """The cameras, in the unit that the user says, and a note where the file says another."""
    from dataclasses import replace

    from posebench.cameras import read_cameras
    from posebench.cameras.camera import UNITS

    if unit is not None and unit not in UNITS:
        raise UsageError(f"--cameras-unit {unit}: expected one of {', '.join(UNITS)}")
    rig = read_cameras(path)
    if unit is None:
        return rig, []
    said = sorted({str(each.unit) for each in rig.values() if each.unit not in (None, unit)})
    notes = [f"{path} says that its unit is {', '.join(said)}; read as {unit} as asked"] if said else []
    stated = cast("CameraUnit", unit)
    return {name: replace(each, unit=stated, unit_stated=True) for name, each in rig.items()}, notes


def _summary(poses: PoseSet) -> str:
    """What the file holds now, on one line."""
    name = "unknown skeleton" if poses.skeleton is None else poses.skeleton.name
    facts = [f"{len(poses)} poses of {poses.poses.shape[1]} joints ({name})"]
    facts += [f"unit {poses.unit or 'unknown'}", f"reference {poses.reference}", f"origin {poses.origin or 'unknown'}"]
    if poses.keys:
        facts.append(f"keys {' '.join(poses.keys)}")
    return ", ".join(facts)


def _printable(text: str) -> str:
    """File names may hold bytes that are no text."""
    return text.encode("utf-8", "backslashreplace").decode()
