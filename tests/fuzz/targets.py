"""What is fuzzed: every reader of strangers' files, with whole files to begin from and the ways to damage them.

Whole files come from writers other than posebench's wherever there are some: NumPy, json, pickle, h5py, pyarrow, SciPy
and those in tests/support; and from real recordings where `POSEBENCH_DATA` leads to them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from posebench import io as pose_files
from posebench.poses import PoseSet
from posebench.resources import resource
from posebench.skeletons import H36M17
from tests.fuzz import mutations
from tests.fuzz.mutations import Mutation, of
from tests.support.layouts import standing

ROOT = Path(__file__).resolve().parents[2]
#: Four people with 17 joints, in mm, in the camera.
POSES = 1000 * standing(4)
KEYS = {
    "subject": ["S9", "S9", "S11", "S11"], "action": ["Walking 1", "Walking 1", "Photo", "Photo"],
    "sequence": ["w"] * 4, "camera": ["54138969", "", "a", "a"], "frame": [3, 4, 0, 1],
}  # fmt: skip
FACTS = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", "origin": "absolute", "dataset": "open4v"}
CAMERA = [[1145.0, 0.0, 512.5], [0.0, 1143.8, 515.5], [0.0, 0.0, 1.0]]


@dataclass(frozen=True)
class Target:
    """One reader.

    name : str
    file : str
        What the damaged file is called; it may lie in folders.
    whole : (folder) -> sequence of bytes
        Whole files, made in a folder that is empty.
    mutation : Mutation
    read : (path) -> object
        Reads the damaged file.
    scored : bool
        What is read is a set of poses, and gets scored.
    isolated : bool
        Another process parses such files, for the library that does may crash; see `worker`.
    prepare : (folder) -> None, optional
        Puts beside the damaged file what its reader needs.
    seconds : float
        Processor time that one file may take.
    """

    name: str
    file: str
    whole: Callable[[Path], Sequence[bytes]]
    mutation: Mutation
    read: Callable[[Path], object]
    scored: bool = False
    isolated: bool = False
    prepare: Callable[[Path], object] | None = None
    seconds: float = 5.0

    def damaged(self, files: Sequence[bytes], number: int) -> bytes:
        """The input of a number; the same on every machine."""
        return self.mutation(Random(f"{self.name} {number}"), files)


def _read_all(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]


def _arrays() -> dict[str, Any]:
    return {
        "poses": POSES.astype(np.float32), "valid": np.ones((4, 17), bool), "fps": np.float64(50.0),
        "intrinsics": np.array(CAMERA), "root_depth": POSES[:, 0, 2],
        **{key: np.array(values) for key, values in (*KEYS.items(), *FACTS.items())},
    }  # fmt: skip


# Poses


def _npz(folder: Path) -> list[bytes]:
    np.savez(folder / "a.npz", **_arrays())
    np.savez_compressed(folder / "b.npz", **_arrays())
    np.savez(folder / "c.npz", poses=np.asfortranarray(POSES[:, :5]), unit="m", action=KEYS["action"])
    np.savez(folder / "d.npz", poses=POSES[:2].astype(">f8"), extrinsics=np.eye(3, 4), frame=[1, 2])
    return [*_read_all(folder), resource("examples", "zoo", "gt.npz").read_bytes()]


def _npy(folder: Path) -> list[bytes]:
    np.save(folder / "a.npy", POSES)
    np.save(folder / "b.npy", np.asfortranarray(POSES.astype("f4")))
    np.save(folder / "c.npy", POSES[:, :3].astype("i2"))
    np.save(folder / "d.npy", np.array({"poses": POSES, "unit": "mm"}, object), allow_pickle=True)
    np.save(folder / "e.npy", np.array([{"a": POSES[0]}, None], object), allow_pickle=True)
    return _read_all(folder)


def _json_value() -> dict[str, Any]:
    arrays = {name: value.tolist() for name, value in _arrays().items()}
    return {**arrays, "poses": POSES.round(1).tolist(), "valid": np.ones((4, 17), int).tolist()}


def _json(folder: Path) -> list[bytes]:
    small = {
        "poses": [[[1, 2.5, None], [0, -1e3, 4]]],
        "unit": "m",
        "frame": [7],
        "action": "Eating",
        "extra": {"a": []},
    }
    return [json.dumps(each).encode() for each in (_json_value(), small, POSES[:2].round().tolist())]


def _csv(folder: Path) -> list[bytes]:
    names = H36M17.joints
    files = []
    for joints, digits, comments in ((names, 3, "# unit: mm\n# skeleton: h36m17\n# fps: 50\n"), (names[:3], 0, "")):
        out = io.StringIO()
        out.write(comments)
        writer = csv.writer(out)
        writer.writerow([*KEYS, *(f"{joint}_{axis}" for joint in joints for axis in "xyz")])
        for row, pose in enumerate(POSES[:, : len(joints)].round(digits)):
            writer.writerow([*(values[row] for values in KEYS.values()), *pose.ravel().tolist()])
        files.append(out.getvalue().encode())
    rows = [f"{i},{j},{i}.5,{j},,1\n" for i in range(3) for j in range(4)]
    files.append(("frame,joint,x,y,z,valid\n" + "".join(rows)).encode())
    rows = [
        f'S9,"Walking, ""1""",{name},{x!r},{y!r},{z!r}\r\n'
        for name, (x, y, z) in zip(names, POSES[0].tolist(), strict=True)
    ]
    files.append(("\ufeffsubject,action,joint,x,y,z\r\n" + "".join(rows)).encode())
    return files


def _pkl(folder: Path) -> list[bytes]:
    content = {name: value for name, value in _arrays().items() if name not in ("fps", "unit")}
    content = {**content, "poses": POSES[:2, :6], "valid": np.ones((2, 6), bool), "fps": np.float32(50), "unit": "mm"}
    content = {name: value for name, value in content.items() if name not in (*KEYS, "root_depth", "skeleton")}
    found = [pickle.dumps({**content, "action": ["a", "b"]}, protocol) for protocol in range(6)]
    return [*found, pickle.dumps(POSES, 4), pickle.dumps(np.asfortranarray(POSES[:1]), 2)]


def _table(pa: Any, **changes: Any) -> Any:
    flat = pa.array(POSES.reshape(4, 51).tolist(), changes.pop("kind", None) or pa.list_(pa.float64(), 51))
    return pa.table({"poses": flat, **{key: pa.array(values) for key, values in KEYS.items()}, **changes})


def _parquet(folder: Path) -> list[bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    pose_files.write(PoseSet(POSES, **KEYS, **FACTS, fps=50), folder / "a.parquet")
    parquet.write_table(_table(pa), folder / "b.parquet")
    parquet.write_table(
        _table(pa, kind=pa.list_(pa.float32())), folder / "c.parquet", compression="zstd", version="1.0"
    )
    parquet.write_table(_table(pa), folder / "d.parquet", compression="none", use_dictionary=False, row_group_size=2)
    return _read_all(folder)


def _arrow(folder: Path) -> list[bytes]:
    import pyarrow as pa
    from pyarrow import feather, ipc

    pose_files.write(PoseSet(POSES, **KEYS, **FACTS, fps=50), folder / "a.arrow")
    feather.write_feather(_table(pa), folder / "b.feather", "lz4")
    feather.write_feather(_table(pa), folder / "c.feather", "uncompressed")
    table = _table(pa, action=pa.array(KEYS["action"]).dictionary_encode())
    with pa.OSFile(str(folder / "d.arrow"), "wb") as sink, ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return _read_all(folder)


def _by_columns(suffix: str) -> Mutation:
    """Tables with odd columns and metadata, as pyarrow itself writes them."""

    def mutation(rng: Random, files: Sequence[bytes]) -> bytes:
        import pyarrow as pa
        from pyarrow import ipc, parquet

        n = rng.choice((0, 1, 4, 4, 4))
        poses = np.resize(POSES, (n, 17, 3))
        kinds = [
            pa.array(poses.reshape(n, 51).tolist(), pa.list_(pa.float64())),
            pa.array(poses.reshape(n, 51).tolist(), pa.list_(pa.float32(), 51)),
            pa.array(poses.tolist(), pa.list_(pa.list_(pa.float64()))),
            pa.array([each.tobytes() for each in poses], pa.binary(408)),
            pa.array([each.tobytes() for each in poses], pa.binary()),
            pa.array([rng.choice((None, [1.0] * rng.randrange(5))) for _ in range(n)], pa.list_(pa.float64())),
            pa.array([str(i) for i in range(n)]), pa.nulls(n), pa.array(range(n), pa.int8()),
            pa.array([bool(i % 2) for i in range(n)]), pa.array([b"\xff"] * n), pa.array([2**63 - 1] * n, pa.int64()),
            pa.array(["S9"] * n).dictionary_encode(), pa.array([float("nan")] * n),
            pa.array([{"a": 1}] * n, pa.struct([("a", pa.int8())])), pa.array([10] * n, pa.timestamp("s")),
            pa.array([[("a", 1)]] * n, pa.map_(pa.string(), pa.int8())), pa.array([b"a" * 17] * n, pa.binary(17)),
        ]  # fmt: skip
        columns = {
            name: pa.array(np.resize(np.array(values), n)) for name, values in KEYS.items() if rng.random() < 0.5
        }
        columns["poses"] = rng.choice(kinds[:5])
        for _ in range(rng.choice((0, 1, 1, 2))):
            columns[rng.choice((*KEYS, "poses", "valid", "intrinsics", "root_depth", "a", ""))] = rng.choice(kinds)
        stated = mutations.spoil(rng, {**FACTS, "fps": 50.0, "intrinsics": CAMERA})
        metadata = {
            b"dtype": rng.choice((b"float64", b"float32", b"<f8", b"object", b"", b"\xff")),
            b"joints": rng.choice((b"17", b"-1", b"0", b"1e9", b"9" * 5000, b"x")),
            b"posebench": mutations.dumped(rng, stated),
        }
        metadata = {key: value for key, value in metadata.items() if rng.random() < 0.6}
        table = pa.table(columns).replace_schema_metadata(metadata)
        out = io.BytesIO()
        if suffix == ".parquet":
            parquet.write_table(
                table, out, compression=rng.choice(("none", "snappy", "gzip")), store_schema=rng.random() < 0.8
            )
        else:
            make = ipc.new_file if rng.random() < 0.7 else ipc.new_stream
            with make(out, table.schema) as writer:
                writer.write_table(table)
        return out.getvalue()

    def safe(rng: Random, files: Sequence[bytes]) -> bytes:
        import pyarrow as pa

        try:
            return mutation(rng, files)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):  # pyarrow itself does not write it
            return mutations.blindly(rng, files)

    return safe


def _h5(folder: Path) -> list[bytes]:
    import h5py

    pose_files.write(PoseSet(POSES, **KEYS, **FACTS, fps=50), folder / "a.h5")
    with h5py.File(folder / "b.h5", "w") as file:
        file.create_dataset("poses", data=POSES, chunks=(2, 17, 3), compression="gzip", shuffle=True, fletcher32=True)
        file["action"] = KEYS["action"]
        file["unit"] = "mm"
    with h5py.File(folder / "c.h5", "w", libver="latest") as file:
        file["poses"] = POSES[:, :5].astype(">f4")
        file.attrs.update({"unit": "m", "fps": 25})
        file.create_dataset("frame", data=KEYS["frame"], maxshape=(None,))
    return _read_all(folder)


def _by_objects(rng: Random, files: Sequence[bytes]) -> bytes:
    """HDF5 files whose content is odd, as h5py itself writes them: types, layouts, links, attributes, huge claims."""
    import h5py

    def put(file: Any, name: str) -> None:
        poses = POSES.astype(rng.choice(("f8", "f4", ">f4", "f2", "i4", "u1", "?")))
        match rng.randrange(14):
            case 0 | 1 | 2:
                file[name] = rng.choice(
                    (poses, poses[:0], poses[0], poses[..., None], poses.ravel(), KEYS["action"], "mm", 5.0)
                )
            case 3:
                file.create_dataset(
                    name,
                    data=poses,
                    chunks=(rng.choice((1, 2, 4)), 17, 3),
                    compression=rng.choice(("gzip", "lzf", None)),
                )
            case 4:
                shape = rng.choice(((10**12, 17, 3), (10**6, 17, 3), (2**31, 2**31, 3), (4, 17, 3)))
                file.create_dataset(name, shape, "f8", chunks=(1, 17, 3), fillvalue=rng.choice((0.0, float("nan"))))
            case 5:
                file[name] = h5py.SoftLink(rng.choice(("/poses", f"/{name}", "/", "/nowhere", "/a/b")))
            case 6:
                file[name] = h5py.ExternalLink(rng.choice(("whole.h5", "/dev/zero", "../whole.h5", "")), "/poses")
            case 7:
                group = file.create_group(name)
                group["self"] = group
            case 8:
                file.create_dataset(name, (4, 17, 3), "f8", external=[("whole.h5", 0, 4 * 17 * 3 * 8)])
            case 9:
                layout = h5py.VirtualLayout((4, 17, 3), "f8")
                layout[:] = h5py.VirtualSource("whole.h5", "poses", (4, 17, 3))
                file.create_virtual_dataset(name, layout)
            case 10:
                kind = rng.choice(
                    (h5py.string_dtype(), h5py.string_dtype("ascii", 3), h5py.vlen_dtype(np.float64), h5py.ref_dtype)
                )
                file.create_dataset(name, (rng.choice((1, 4)),), kind)
            case 11:
                file[name] = np.zeros(4, rng.choice(([("a", "f8")], "S5", "c16", ("f8", (17, 3)))))
            case 12:
                file.create_dataset(name, data=h5py.Empty("f8"))
            case 13:
                file[name] = np.dtype("f8")

    out = io.BytesIO()
    with h5py.File(out, "w", libver=rng.choice(("earliest", "latest"))) as file:
        names = [
            "poses",
            *rng.sample((*KEYS, *FACTS, "valid", "fps", "intrinsics", "root_depth", "a", "\u00e9"), rng.randrange(5)),
        ]
        file["keep"] = POSES[:1]
        for name in names:
            try:
                if rng.random() < 0.25:
                    file.attrs[name] = rng.choice(
                        (1.0, "mm", [1, 2], np.zeros((3, 3)), h5py.Empty("f8"), "x" * 3000, b"\xff", file.ref)
                    )
                elif rng.random() < 0.4:
                    file[name] = (
                        _arrays().get(name, np.float64(1))
                        if name not in (*KEYS, *FACTS)
                        else KEYS.get(name, FACTS.get(name))
                    )
                else:
                    put(file, name)
            except (TypeError, ValueError, OSError, RuntimeError):
                continue
        if rng.random() < 0.3:
            file["group/inside"] = POSES
            file["group/up"] = file["/"]
    data = out.getvalue()
    return data if rng.random() < 0.8 else mutations.blindly(rng, [data])


def _mat_variables() -> dict[str, Any]:
    cells = np.empty(4, object)
    cells[:] = KEYS["action"]
    return {
        "poses": POSES, "frame": np.array(KEYS["frame"], float)[:, None], "unit": "mm", "fps": 50.0,
        "skeleton": "h36m17",
        "subject": ["S9", "S9", "S11", "S11"], "action": cells, "valid": np.ones((4, 17), bool),
    }  # fmt: skip


def _annotations() -> dict[str, Any]:
    points = standing(4).transpose(2, 1, 0)[:, :, None] * 1000
    return {
        "annot2": points[:2], "annot3": points, "univ_annot3": points * 1.1, "valid_frame": np.ones((4, 1)),
        "activity_annotation": np.full((4, 1), 2.0),
    }  # fmt: skip


def _mat5(folder: Path) -> list[bytes]:
    from scipy.io import savemat

    variables = _mat_variables()
    savemat(folder / "a.mat", variables, do_compression=True)
    savemat(folder / "b.mat", variables, do_compression=False)
    savemat(folder / "c.mat", {"pred": POSES.astype(np.float32), "note": "x", "s": {"a": 1}}, do_compression=True)
    savemat(folder / "e.mat", _annotations(), do_compression=True)
    return _read_all(folder)


def _mat73(folder: Path) -> list[bytes]:
    from tests.support.matlab import save73

    save73(folder / "a.mat", _mat_variables())
    save73(folder / "b.mat", {"pred": POSES}, userblock=0)
    save73(folder / "c.mat", _annotations())
    return _read_all(folder)


def _trc(folder: Path) -> list[bytes]:
    from tests.io.test_trc import text

    odd = POSES[:2] / 1000
    odd[1, 3] = np.nan
    return [text().encode(), text(odd, unit="mm", rate="29.97", tail="\t").replace("\n", "\r\n").encode()]


def _c3d(folder: Path) -> list[bytes]:
    from tests.io.test_c3d_file import content

    seen = np.ones((3, 17), bool)
    seen[1, 2] = False
    return [
        content(),
        content(seen=seen, unit=b"m", rate=59.94),
        content(POSES[:2, :4].astype("f4"), ["a", "b", "c", "d"], None),
    ]


def _real(pattern: str, lines: int) -> list[bytes]:
    """The beginnings of real recordings, in whole lines."""
    folder = os.environ.get("POSEBENCH_DATA")
    if not folder:
        return []
    found = sorted(Path(folder).glob(pattern))[:2]
    return [b"\n".join(path.read_bytes().split(b"\n", lines)[:lines]) + b"\n" for path in found]


def _bvh(folder: Path) -> list[bytes]:
    from tests.support.mocap import clip_text, skeleton_text

    made = [clip_text({}, {"LeftArm": 30.0}, {"Head": 5.0}).encode()]
    assert skeleton_text() in made[0].decode()
    real = []
    for content in _real("cmu-mocap/bvh/0[19]/*.bvh", 250):
        head, _, motion = content.partition(b"MOTION")
        rows = motion.split(b"\n")
        real.append(head + b"MOTION" + b"\n".join([*rows[:1], b"Frames: 3", *rows[2:6]]) + b"\n")
    return made + real


def _layouts(names: Sequence[str]) -> Callable[[Path], list[bytes]]:
    def whole(folder: Path) -> list[bytes]:
        from tests.io.test_layout_mutations import LAYOUTS, _save

        for name in names:
            _save(folder / name, LAYOUTS[name](standing(4)))
        return _read_all(folder)

    return whole


# Cameras, calibrations


def _cameras(suffix: str) -> Callable[[Path], list[bytes]]:
    def whole(folder: Path) -> list[bytes]:
        from tests.test_cameras import WHOLE

        found = [text.encode() for name, text in WHOLE.items() if name.endswith(suffix)]
        return found + ([resource("examples", "zoo", "camera.json").read_bytes()] if suffix == ".json" else [])

    return whole


def _read_cameras(path: Path) -> object:
    from posebench.cameras import read_cameras

    found = read_cameras(path)
    for camera in found.values():
        assert np.isfinite(camera.K).all()
        assert np.isfinite(camera.R).all()
        assert np.isfinite(camera.t).all()
        with np.errstate(all="ignore"):
            camera.project(np.ones((2, 3)))
    return found


def _metadata(folder: Path) -> list[bytes]:
    from tests.support.cameras import ring
    from tests.support.recordings import metadata_xml

    return [metadata_xml(ring(4)).encode()]


def _read_h36m_cameras(path: Path) -> object:
    from posebench.datasets.h36m import read_h36m_cameras

    return read_h36m_cameras(path)


def _h36m_table(folder: Path) -> list[bytes]:
    place = {"R": np.eye(3).tolist(), "t": [[0.0], [1.0], [4000.0]]}
    lens = {"calibration_matrix": CAMERA, "distortion": [-0.2, 0.2, -0.001, 0.0, 0.01]}
    names = ("54138969", "55011271", "58860488", "60457274")
    subjects = {f"S{number}": dict.fromkeys(names, place) for number in (1, 5, 6, 7, 8, 9, 11)}
    return [json.dumps({"intrinsics": dict.fromkeys(names, lens), "extrinsics": subjects}).encode()]


def _calibration(folder: Path) -> list[bytes]:
    lines = ["Skeletool Camera Calibration File V1.0"]
    for number in range(14):
        lines += [f"name {number}", "  sensor 10 10", "  size 320 320", "  animated 0"]
        lines += [
            "  intrinsic 300 0 160 0 0 301 158 0 0 0 1 0 0 0 0 1",
            "  extrinsic 1 0 0 5 0 1 0 6 0 0 1 4000 0 0 0 1",
        ]
        lines.append("  radial 0")
    return ["\n".join(lines).encode() + b"\n"]


def _read_calibration(path: Path) -> object:
    from posebench.datasets.mpi_inf_3dhp import read_3dhp_calibration

    return read_3dhp_calibration(path)


# Annotations and recordings of data sets


def _mpii(folder: Path) -> list[bytes]:
    joints = [[float(10 * joint), 50.0] for joint in range(15)] + [[-1, -1]]
    item = {"image": "a.jpg", "center": [161.0, 171.0], "scale": 0.9, "joints": joints, "joints_vis": [1] * 15 + [0]}
    return [json.dumps([item, {**item, "image": "b.jpg"}]).encode()]


def _read_mpii(path: Path) -> object:
    from posebench.datasets.mpii import read_mpii

    people = read_mpii(path)
    assert people.points.shape == (len(people), 16, 2)
    return people


def _openpose(folder: Path) -> list[bytes]:
    from tests.support.pose2sim import detections, rig

    return [json.dumps(detections(next(iter(rig())), 3, others=others)).encode() for others in (0, 2)]


def _read_openpose(path: Path) -> object:
    from posebench.datasets.pose2sim import read_detections

    (people,) = read_detections(path.parent, "cam01").values()
    assert np.isfinite(people).all()
    return people


def _asf(folder: Path) -> list[bytes]:
    from tests.support.mocap import asf_text

    return [
        asf_text().encode(),
        asf_text("1.0").replace("angle deg", "angle rad").encode(),
        *_real("hdm05/bd/*.asf", 10**6),
    ]


def _read_asf(path: Path) -> object:
    from posebench.datasets.acclaim import read_asf

    return read_asf(path)


def _amc(folder: Path) -> list[bytes]:
    from tests.support.mocap import amc_text

    return [amc_text({}, {"lfemur": 30.0}, {"head": -5.5}).encode()]


@cache
def _skeleton() -> Any:
    from posebench.datasets.acclaim import parse_asf
    from tests.support.mocap import asf_text

    return parse_asf(asf_text())


def _read_amc(path: Path) -> object:
    from posebench.datasets.acclaim import read_motion

    motion = read_motion(path, _skeleton())
    assert len(motion.positions()) == len(motion)
    return motion


@cache
def _footage() -> Any:
    from tests.support.zoo import footage

    walk = footage()
    return walk.take(np.flatnonzero(walk.frame < 2))


def _data_set(folder: Path) -> None:
    _footage().write(folder, "train")


def _views(name: str) -> Callable[[Path], list[bytes]]:
    def whole(folder: Path) -> list[bytes]:
        _data_set(folder)
        return [(folder / name).read_bytes()]

    return whole


def _read_data_set(path: Path) -> object:
    from posebench.datasets.views import MultiViewSet

    found = MultiViewSet(path.parents[1], "train")
    assert len(found.unlabelled(with_extrinsics=False)) == len(found)
    return found


def _read_unlabelled(path: Path) -> object:
    from posebench.datasets.views import open_unlabelled

    view = open_unlabelled(path.parents[1], "train", with_extrinsics=True)
    assert view.instants.shape == (len(view), 2) or len(view.instants) <= len(view)
    return view


def _archive(folder: Path) -> list[bytes]:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(folder / f"{method}.zip", "w", method) as out:
            out.mkdir("a")
            out.writestr("a/b.txt", "text" * 40)
            out.writestr("a/c/d.bin", bytes(range(256)) * 3)
            out.writestr("e", b"")
    return _read_all(folder)


def _unpack(path: Path) -> object:
    import shutil

    from posebench.datasets.fetching import unpack

    target = path.parent / "out"
    try:
        written = unpack(path, target, lambda name: not name.startswith("skip"))
        root = target.resolve()
        assert all(found.resolve().is_relative_to(root) and not found.is_symlink() for found in target.rglob("*"))
        return written
    finally:
        shutil.rmtree(target, ignore_errors=True)


# Banks, protocols, results, states


def _small_bank(folder: Path) -> None:
    from posebench.banks import ClusterBank, Source

    poses = np.random.default_rng(0).normal(size=(60, 17, 3)) * 300
    sources = (Source("Müller", "CC BY-SA 3.0", "M. Müller et al."),)
    ClusterBank.build(poses, k=3, n_init=1, joints=("pelvis", "head", "LWrist"), sources=sources).save(
        folder / "bank.npz"
    )


def _bank(name: str) -> Callable[[Path], list[bytes]]:
    def whole(folder: Path) -> list[bytes]:
        _small_bank(folder)
        return [(folder / name).read_bytes()]

    return whole


def _read_bank(path: Path) -> object:
    from posebench.banks import ClusterBank

    return ClusterBank.load(path.with_suffix(".npz"))


def _sealed(rng: Random, files: Sequence[bytes]) -> bytes:
    """A card that was spoilt and then given the hash that belongs to it."""
    from tests.banks.test_files import seal

    spoilt = mutations.spoil(rng, json.loads(rng.choice(files)))
    try:
        return json.dumps(seal(spoilt)).encode()
    except (KeyError, TypeError, AttributeError):
        return json.dumps(spoilt).encode()


def _shipped(package: str, pattern: str) -> Callable[[Path], list[bytes]]:
    """Files of a package, wherever it is installed."""
    place = Path(find_spec(package).origin).parent
    return lambda folder: [path.read_bytes() for path in sorted(place.glob(pattern))]


def _read_protocol(path: Path) -> object:
    from posebench.protocols import get_protocol

    return get_protocol(path)


def _read_skeleton(path: Path) -> object:
    from posebench.skeletons import get_skeleton

    return get_skeleton(path)


def _recipes(folder: Path) -> list[bytes]:
    """Those of the results, each called as the folder that it is read in."""
    found = sorted(resource("results").glob("*/run.yaml"))
    return [re.sub(rb"(?m)^name: .*$", b"name: labels-gt", path.read_bytes()) for path in found]


def _read_recipe(path: Path) -> object:
    from posebench.tables.definitions import read_recipe

    return read_recipe(path)


def _read_published(path: Path) -> object:
    from posebench.published.reading import read_library

    return read_library([path])


def _pair() -> tuple[PoseSet, PoseSet]:
    sets = [
        PoseSet(poses, **KEYS, **FACTS, fps=50) for poses in (POSES + np.linspace(0, 60, 204).reshape(4, 17, 3), POSES)
    ]
    return sets[0], sets[1]


@cache
def _report() -> Any:
    from posebench.scoring import score

    return score(*_pair(), metrics=["MPJPE", "PMPJPE", "PCK", "AUC", "PSS@50"], frames=True)


def _result(folder: Path) -> list[bytes]:
    _report().save(folder / "a.json")
    return _read_all(folder)


def _read_result(path: Path) -> object:
    from posebench.report.render import render
    from posebench.tables.results import read_result

    report = read_result(path)
    for kind in ("json", "csv", "md", "html"):
        render(report, kind)
    return report


def _frames(folder: Path) -> list[bytes]:
    _report().frames.save(folder / "a.frames.npz")
    return _read_all(folder)


def _read_frames(path: Path) -> object:
    from posebench.frames import read_frames

    frames = read_frames(path)
    for metric in frames.metrics:
        assert frames.of(metric.name).dtype.kind == "f"
    return frames


@cache
def _scorer() -> Any:
    from posebench.scoring import Scorer

    scorer = Scorer(metrics=["MPJPE", "PCK", "MPJVE"])
    scorer.update(*_pair())
    return scorer


def _state(folder: Path) -> list[bytes]:
    from posebench.scoring.state import pack, write_state

    write_state(folder / "a.npz", pack(_scorer()))
    return _read_all(folder)


def _read_state(path: Path) -> object:
    from posebench.scoring.state import blank, read_state, unpack

    return unpack(read_state(path), blank(_scorer())).report()


def _by_digest(rng: Random, files: Sequence[bytes]) -> bytes:
    """A state with another record or other sums, and the digest that belongs to them."""
    with np.load(io.BytesIO(rng.choice(files))) as held:
        arrays = dict(held)
    if rng.random() < 0.8:
        record = mutations.dumped(rng, mutations.spoil(rng, json.loads(arrays["record"].tobytes())))
        arrays["record"] = np.frombuffer(record, np.uint8)
    if rng.random() < 0.4:
        name = rng.choice(("floats", "ints"))
        values = arrays[name].copy()
        if len(values):
            values[rng.randrange(len(values))] = rng.choice((-1, 0, 2**62, 10**6))
        arrays[name] = rng.choice((values, values[:-1], values.astype("f4"), np.append(values, values), values[None]))
    hashed = hashlib.sha256()
    for name in ("record", "floats", "ints"):
        array = np.ascontiguousarray(arrays[name])
        hashed.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    out = io.BytesIO()
    np.savez(out, **{**arrays, "digest": np.frombuffer(hashed.digest(), np.uint8)})
    return out.getvalue()


# Models


def _by_report(name: str) -> Mutation:
    """An archive whose one text of JSON is spoilt."""

    def mutation(rng: Random, files: Sequence[bytes]) -> bytes:
        with np.load(io.BytesIO(rng.choice(files))) as held:
            arrays = dict(held)
        spoilt = mutations.dumped(rng, mutations.spoil(rng, json.loads(str(arrays[name])))).decode("utf-8", "replace")
        out = io.BytesIO()
        np.savez(out, **{**arrays, name: np.array(spoilt.strip("\0"))})
        return out.getvalue()

    return mutation


def _labels(folder: Path) -> list[bytes]:
    from model_zoo.epipolarpose.label_files import write_labels
    from model_zoo.epipolarpose.labels import LabelConfig, make_labels

    walk = _footage()
    write_labels(
        make_labels(walk.view(with_extrinsics=True), walk.found(), LabelConfig(extrinsics="known")), folder / "a.npz"
    )
    return _read_all(folder)


def _read_labels(path: Path) -> object:
    from model_zoo.epipolarpose.label_files import read_labels

    return read_labels(path, _footage().view())


def _detections(folder: Path) -> list[bytes]:
    from model_zoo.epipolarpose.detections import write_detections

    walk = _footage()
    write_detections(walk.found(2.0), walk.view(), folder / "a.npz")
    return _read_all(folder)


def _read_found(path: Path) -> object:
    from model_zoo.epipolarpose.detections import read_detections

    return read_detections(path, _footage().view())


def _errors(folder: Path) -> list[bytes]:
    from model_zoo.refiner.errors import errors_by_truth, write_errors

    noise = np.random.default_rng(0).normal(size=(400, 17, 3)) * 20
    truth = np.resize(POSES, (400, 17, 3))
    facts = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", "origin": "absolute"}
    pred, gt = PoseSet(truth + noise, **facts), PoseSet(truth, **facts)
    write_errors(errors_by_truth(pred, gt, np.full(16, 250.0)), folder / "a.npz")
    return _read_all(folder)


def _read_errors(path: Path) -> object:
    from model_zoo.refiner.errors import read_errors

    return read_errors(path)


def _boxes(suffix: str) -> Callable[[Path], list[bytes]]:
    def whole(folder: Path) -> list[bytes]:
        tables: list[list[dict[str, Any]]] = [
            [{"picture": f"{i}.jpg", "left": 10 * i, "top": 5.5, "side": 200} for i in range(4)],
            [{"frame": i, "left": 10 * i, "top": 5.5, "right": 200, "bottom": 300.25} for i in range(4)],
            [{"picture": f"{i}.jpg", "root_depth": 4000 + i} for i in range(4)],
        ]
        if suffix == ".json":
            return [json.dumps(table).encode() for table in tables]
        found = []
        for table in tables:
            out = io.StringIO()
            writer = csv.DictWriter(out, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
            found.append(out.getvalue().encode())
        return found

    return whole


def _read_boxes(path: Path) -> object:
    from model_zoo.epipolarpose.pictures import Source, read_boxes, read_root_depths
    from posebench.errors import PosebenchError

    try:
        return read_boxes(path)
    except PosebenchError:
        # The same table may be one of depths.
        four = Source(
            "pictures", 4, lambda: iter(()), lambda n: {"frame": np.arange(n)},
            lambda n: [f"{i}.jpg" for i in range(n)], lambda row, picture: np.eye(3),
        )  # fmt: skip
        return read_root_depths(path, four)


def _safetensors(folder: Path) -> list[bytes]:
    """Small ones: what a reader does with the header does not depend on how much follows it."""
    import torch
    from safetensors.torch import save

    from model_zoo.weights import save_weights

    layer = torch.nn.Linear(3, 2)
    save_weights(folder / "a.safetensors", layer, {"model": "x", "config": {"a": 1}}, half=False)
    tensors = {"weight": torch.zeros(2, 3), "bias": torch.ones(2)}
    (folder / "b.safetensors").write_bytes(save(tensors, {"format": "pt"}))
    return _read_all(folder)


def _read_weights(path: Path) -> object:
    import torch

    from model_zoo.weights import fit, read_weights

    weights = read_weights(path)
    layer = torch.nn.Linear(3, 2)
    fit(layer, weights.tensors, str(path))
    return weights


def _foreign(folder: Path) -> list[bytes]:
    import torch

    state = {"module.weight": torch.zeros(2, 3), "bias": torch.ones(2)}
    torch.save({"state_dict": state, "epoch": 3}, folder / "a.pt")
    torch.save(state, folder / "b.pt", _use_new_zipfile_serialization=False)
    return _read_all(folder)


def _read_foreign(path: Path) -> object:
    from model_zoo.weights import read_foreign

    return read_foreign(path)


def _read_model_card(path: Path) -> object:
    from model_zoo.card import read_card

    return read_card(path)


def _read_config(path: Path) -> object:
    from model_zoo.configs.reading import load_config

    return load_config(path)


_read = pose_files.read


def _scored(
    name: str, suffix: str, whole: Callable[[Path], Sequence[bytes]], mutation: Mutation, **more: Any
) -> Target:
    """A reader of poses."""
    return Target(name, f"07_12{suffix}", whole, mutation, _read, scored=True, **more)


def _of_layouts(suffix: str, mutation: Mutation, *names: str) -> Target:
    """Layouts of other projects in one container."""
    return _scored(f"layouts-{suffix[1:]}", suffix, _layouts([name + suffix for name in names]), mutation)


_LABELS, _VIEWS, _MODEL = "labels/train.views.npz", "views/train.npz", "open4v-small-lite0-ss"
_CARD = of((5, mutations.JSON), (5, _sealed))
_PICKLED = of((3, mutations.blindly), (5, mutations.by_opcodes), (1, mutations.spliced))
_PICKLES_INSIDE = of((2, mutations.BYTES), (5, mutations.members(mutations.by_npy, mutations.by_opcodes)))
_SPOILT_INSIDE = mutations.members(mutations.blindly, mutations.by_opcodes)

_POSES = (
    _scored("npz", ".npz", _npz, mutations.ZIP),
    _scored("npy", ".npy", _npy, of((4, mutations.NPY), (1, mutations.by_opcodes))),
    _scored("json", ".json", _json, mutations.JSON),
    _scored("csv", ".csv", _csv, mutations.TEXT),
    _scored("pkl", ".pkl", _pkl, mutations.PICKLE),
    _scored("parquet", ".parquet", _parquet, of((6, mutations.BYTES), (4, _by_columns(".parquet")))),
    _scored("arrow", ".arrow", _arrow, of((6, mutations.BYTES), (4, _by_columns(".arrow")))),
    _scored("h5", ".h5", _h5, of((6, mutations.BYTES), (4, _by_objects)), isolated=True),
    _scored("mat", ".mat", _mat5, mutations.MAT5, isolated=True),
    _scored("mat73", ".mat", _mat73, mutations.BYTES, isolated=True),
    _scored("trc", ".trc", _trc, mutations.TEXT),
    _scored("c3d", ".c3d", _c3d, mutations.BYTES),
    _scored("bvh", ".bvh", _bvh, mutations.TEXT),
    _of_layouts(".npz", _PICKLES_INSIDE, "videopose3d", "views", "annotations", "integral"),
    _of_layouts(".pkl", _PICKLED, "views", "dump", "integral", "integral_list", "toolbox_list"),
    _of_layouts(".json", mutations.JSON, "demo", "frames", "batches", "results", "integral"),
)
_RECORDINGS = (
    Target("cameras-json", "a.json", _cameras(".json"), mutations.JSON, _read_cameras),
    Target("cameras-toml", "a.toml", _cameras(".toml"), mutations.TEXT, _read_cameras),
    Target("cameras-qca", "a.qca.txt", _cameras(".qca.txt"), mutations.TEXT, _read_cameras),
    Target("h36m-xml", "metadata.xml", _metadata, mutations.TEXT, _read_h36m_cameras),
    Target("h36m-json", "camera-parameters.json", _h36m_table, mutations.JSON, _read_h36m_cameras),
    Target("3dhp-calibration", "camera.calibration", _calibration, mutations.TEXT, _read_calibration),
    Target("mpii", "train.json", _mpii, mutations.JSON, _read_mpii),
    Target("openpose", "cam01.3.json", _openpose, mutations.JSON, _read_openpose),
    Target("asf", "a.asf", _asf, mutations.TEXT, _read_asf),
    Target("amc", "a.amc", _amc, mutations.TEXT, _read_amc),
    Target("labels", _LABELS, _views(_LABELS), mutations.ZIP, _read_data_set, prepare=_data_set),
    Target("views", _VIEWS, _views(_VIEWS), mutations.ZIP, _read_unlabelled, prepare=_data_set),
    Target("archive", "a.whl", _archive, of((4, mutations.BYTES), (5, mutations.members(mutations.blindly))), _unpack),
)
_OWN = (
    Target("bank", "bank.npz", _bank("bank.npz"), mutations.ZIP, _read_bank, prepare=_small_bank),
    Target("bank-card", "bank.json", _bank("bank.json"), _CARD, _read_bank, prepare=_small_bank),
    Target("protocol", "a.yaml", _shipped("posebench", "protocols/*.yaml"), mutations.YAML, _read_protocol),
    Target("skeleton", "a.yaml", _shipped("posebench", "skeletons/*.yaml"), mutations.YAML, _read_skeleton),
    Target("recipe", "labels-gt/run.yaml", _recipes, mutations.YAML, _read_recipe),
    Target("published", "a.yaml", _shipped("posebench", "published/others.yaml"), mutations.YAML, _read_published),
    Target("result", "a.json", _result, mutations.JSON, _read_result),
    Target("frames", "a.frames.npz", _frames, mutations.ZIP, _read_frames),
    Target("state", "a.npz", _state, of((2, mutations.ZIP), (8, _by_digest)), _read_state),
)
_MODELS = (
    Target("zoo-labels", "a.npz", _labels, of((7, mutations.ZIP), (3, _by_report("report"))), _read_labels),
    Target("zoo-detections", "a.npz", _detections, mutations.ZIP, _read_found),
    Target("zoo-errors", "a.npz", _errors, of((7, mutations.ZIP), (3, _by_report("card"))), _read_errors),
    Target("boxes-csv", "a.csv", _boxes(".csv"), mutations.TEXT, _read_boxes),
    Target("boxes-json", "a.json", _boxes(".json"), mutations.JSON, _read_boxes),
    Target("weights", "a.safetensors", _safetensors, mutations.SAFETENSORS, _read_weights),
    Target("weights-pt", "a.pt", _foreign, of((6, mutations.BYTES), (4, _SPOILT_INSIDE)), _read_foreign),
    Target("model-card", f"{_MODEL}.yaml", _shipped("model_zoo", "weights/*.yaml"), mutations.YAML, _read_model_card),
    Target("config", "a.yaml", _shipped("model_zoo", "configs/*.yaml"), mutations.YAML, _read_config),
)

TARGETS: dict[str, Target] = {target.name: target for target in (*_POSES, *_RECORDINGS, *_OWN, *_MODELS)}
