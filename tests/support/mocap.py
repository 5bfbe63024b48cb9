"""Small motion capture files: the skeletons of CMU's conversion to BVH and of Vicon's BodyBuilder, in round numbers."""

from __future__ import annotations

from pathlib import Path

#: (bone, parent, offset): the CMU skeleton with round numbers, as far as H36M-17 needs it.
BONES = (
    ("LeftUpLeg", "Hips", (2, -2, 0)),
    ("LeftLeg", "LeftUpLeg", (0, -7, 0)),
    ("LeftFoot", "LeftLeg", (0, -8, 0)),
    ("RightUpLeg", "Hips", (-2, -2, 0)),
    ("RightLeg", "RightUpLeg", (0, -7, 0)),
    ("RightFoot", "RightLeg", (0, -8, 0)),
    ("Spine", "Hips", (0, 2, 0)),
    ("Spine1", "Spine", (0, 3, 4)),
    ("Neck", "Spine1", (0, 0, 0)),
    ("Head", "Neck", (0, 2, 0)),
    ("LeftShoulder", "Spine1", (0, 0, 0)),
    ("LeftArm", "LeftShoulder", (3, 1, 0)),
    ("LeftForeArm", "LeftArm", (5, 0, 0)),
    ("LeftHand", "LeftForeArm", (3, 0, 0)),
    ("RightShoulder", "Spine1", (0, 0, 0)),
    ("RightArm", "RightShoulder", (-3, 1, 0)),
    ("RightForeArm", "RightArm", (-5, 0, 0)),
    ("RightHand", "RightForeArm", (-3, 0, 0)),
)


def skeleton_text(parent: str = "Hips", bones: tuple = BONES) -> str:
    """What stands between the braces of a bone: its children, or an End Site one unit above it."""
    children = [(name, offset) for name, above, offset in bones if above == parent]
    if not children:
        return "End Site { OFFSET 0 1 0 }\n"
    return "".join(
        f"JOINT {name} {{ OFFSET {offset[0]} {offset[1]} {offset[2]} CHANNELS 1 Zrotation\n"
        f"{skeleton_text(name, bones)}}}\n"
        for name, offset in children
    )


def clip_text(*frames: dict[str, float], bones: tuple = BONES) -> str:
    """A clip whose root stays at (10, 20, 30); each frame says by how many degrees which bones turn about z."""
    tree = skeleton_text(bones=bones)
    order = [line.split()[1] for line in tree.splitlines() if line.startswith("JOINT")]
    rows = "".join(
        " ".join(str(value) for value in (10, 20, 30, *(turns.get(bone, 0) for bone in order))) + "\n"
        for turns in frames
    )
    return (
        "HIERARCHY\nROOT Hips { OFFSET 0 0 0 CHANNELS 3 Xposition Yposition Zposition\n"
        f"{tree}}}\nMOTION\nFrames: {len(frames)}\nFrame Time: .0083333\n{rows}"
    )


def written(folder: Path, text: str, name: str = "07_12.bvh") -> Path:
    path = folder / "cmu-mocap" / "bvh" / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------------------------------- Acclaim

#: (bone, parent, direction, length): BodyBuilder's skeleton as far as H36M-17 needs it.
ACCLAIM_BONES = (
    ("lhipjoint", "root", (0.6, -0.8, 0), 2.5),
    ("lfemur", "lhipjoint", (0, -1, 0), 7),
    ("ltibia", "lfemur", (0, -1, 0), 8),
    ("rhipjoint", "root", (-0.6, -0.8, 0), 2.5),
    ("rfemur", "rhipjoint", (0, -1, 0), 7),
    ("rtibia", "rfemur", (0, -1, 0), 8),
    ("thorax", "root", (0, 0.6, 0.8), 5),
    ("upperneck", "thorax", (0, 1, 0), 4),
    ("head", "upperneck", (0, 1, 0), 1),
    ("lclavicle", "thorax", (0.6, 0.8, 0), 5),
    ("lhumerus", "lclavicle", (1, 0, 0), 5),
    ("lradius", "lhumerus", (1, 0, 0), 3),
    ("rclavicle", "thorax", (-0.6, 0.8, 0), 5),
    ("rhumerus", "rclavicle", (-1, 0, 0), 5),
    ("rradius", "rhumerus", (-1, 0, 0), 3),
)


def asf_text(length: str = "0.45", bones: tuple = ACCLAIM_BONES) -> str:
    """A skeleton whose bones all turn about their z axis, which is the world's."""
    data = "".join(
        f"  begin\n name {name}\n direction {x} {y} {z}\n length {size}\n axis 0 0 0 XYZ\n dof rz\n"
        f" limits (-180.0 180.0)\n  end\n"
        for name, _, (x, y, z), size in bones
    )
    tree = "".join(f"{parent} {name}\n" for name, parent, _, _ in bones)
    return (
        f":version 1.10\n:name VICON\n:units\n  mass 1.0\n  length {length}\n  angle deg\n"
        ":root\n  order TX TY TZ RX RY RZ\n  axis XYZ\n  position 0 0 0\n  orientation 0 0 0\n"
        f":bonedata\n{data}:hierarchy\n  begin\n{tree}  end\n"
    )


def amc_text(*frames: dict[str, float], first: int = 1, bones: tuple = ACCLAIM_BONES) -> str:
    """A motion whose root stays at (10, 20, 30); each frame says by how many degrees which bones turn about z."""
    rows = []
    for number, turns in enumerate(frames, first):
        rows += [str(number), "root 10 20 30 0 0 0", *(f"{name} {turns.get(name, 0)}" for name, *_ in bones)]
    return ":FULLY-SPECIFIED\n:DEGREES\n" + "\n".join(rows) + "\n"
