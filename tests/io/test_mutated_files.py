"""Damaged files: whatever the bytes, the answer is a set or a sentence, never a traceback, and never late."""

from __future__ import annotations

import pickle
import sys
import warnings
from contextlib import ExitStack

import h5py
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from posebench.errors import PosebenchError
from posebench.io import child, hdf5, npz, read, write
from posebench.poses import PoseSet
from tests.support.forking import forking

MUTATIONS = 300


def _matlab73(path, poses, texts):
    """A file as MATLAB writes it with -v7.3: 512 bytes before the HDF5 data, axes reversed, text as UTF-16."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value, kind in (("poses", poses.T, b"double"), ("fps", np.array([[50.0]]), b"double")):
            file[name] = value
            file[name].attrs["MATLAB_class"] = np.bytes_(kind)
        cells = file.create_dataset("action", (1, len(texts)), h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_(b"cell")
        for i, text in enumerate(texts):
            cell = file.create_dataset(f"#refs#/{i}", data=np.array([[ord(c)] for c in text], np.uint16))
            cell.attrs["MATLAB_class"] = np.bytes_(b"char")
            cells[0, i] = cell.ref
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")


def _originals(folder, full):
    small = full(4, joints=3)
    for suffix in (".npz", ".json", ".csv", ".pkl", ".h5", ".parquet", ".arrow"):
        write(small, folder / f"own{suffix}")
    with h5py.File(folder / "chunked.h5", "w") as file:
        file.create_dataset("poses", data=small.poses, chunks=(2, 3, 3), compression="gzip", shuffle=True)
        file["action"] = small.action.values.tolist()
        file["unit"] = "mm"
    lists = pa.array(small.poses.reshape(4, 9).tolist(), pa.list_(pa.float64()))
    parquet.write_table(pa.table({"poses": lists, "subject": small.subject.values.tolist()}), folder / "lists.parquet")
    _matlab73(folder / "v73.mat", small.poses, small.action.values)
    feather.write_feather(pa.table({"poses": lists, "frame": [1, 2, 3, 4]}), folder / "lists.feather", "lz4")
    np.save(folder / "plain.npy", small.poses)
    np.savez_compressed(folder / "deflated.npz", poses=small.poses, unit="mm", action=small.action.values)
    (folder / "long.csv").write_text(
        "frame,joint,x,y,z,valid\n" + "".join(f"{i},{j},{i}.5,{j},0,1\n" for i in range(4) for j in range(3))
    )
    for protocol in (0, 2, 5):
        (folder / f"p{protocol}.pkl").write_bytes(
            pickle.dumps({"poses": small.poses, "action": small.action.values, "fps": np.float64(5)}, protocol)
        )


NAMES = (
    *("own.npz", "deflated.npz", "plain.npy", "own.json", "own.csv", "long.csv"),
    *("own.pkl", "p0.pkl", "p2.pkl", "p5.pkl"),
    *("own.h5", "chunked.h5", "own.parquet", "lists.parquet", "own.arrow", "lists.feather", "v73.mat"),
)


MAPPED = ("own.npz", "deflated.npz", "own.h5", "chunked.h5")


@pytest.mark.parametrize(("name", "mapped"), [*((name, False) for name in NAMES), *((name, True) for name in MAPPED)])
def test_a_mutated_file_gives_a_set_or_a_sentence(name, mapped, full, mutate, tmp_path, monkeypatch):
    if mapped:
        for module in (npz, hdf5):
            monkeypatch.setattr(module, "MAP_FROM", 0)
            monkeypatch.setattr(module, "MEMORY_LIMIT", 100)
    _originals(tmp_path, full)
    content = (tmp_path / name).read_bytes()
    rng = np.random.default_rng([len(name), mapped])
    target = tmp_path / f"mutated.{name.split('.')[-1]}"
    refused = 0
    with ExitStack() as stack:
        if target.suffix in (".h5", ".mat"):
            if sys.platform == "win32":
                pytest.skip("needs fork")
            monkeypatch.setattr(child, "run", stack.enter_context(forking()))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error")
        for _ in range(MUTATIONS // 5 if target.suffix in (".h5", ".mat") else MUTATIONS):
            target.write_bytes(mutate(content, rng))
            try:
                assert isinstance(read(target), PoseSet)
            except PosebenchError as error:
                refused += 1
                assert str(target) in str(error)
                assert "\n" not in str(error)
                assert len(str(error)) < 600 + len(str(target))
    assert refused > 0
