"""Whether a file is one from its first byte to its last, by its ending: readers of others, where there are any."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickletools
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml


def check(path: Path) -> None:
    """Fail unless the file is whole."""
    _CHECKS[path.suffix](path, path.read_bytes())


def _npz(path: Path, data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()


def _npy(path: Path, data: bytes) -> None:
    np.load(io.BytesIO(data), allow_pickle=False)


def _json(path: Path, data: bytes) -> None:
    assert isinstance(json.loads(data), dict | list)


def _yaml(path: Path, data: bytes) -> None:
    assert isinstance(yaml.safe_load(data), dict)
    assert data.endswith(b"\n")


def _text(path: Path, data: bytes) -> None:
    assert data.endswith(b"\n"), path


def _csv(path: Path, data: bytes) -> None:
    _text(path, data)
    assert len({len(row) for row in csv.reader(data.decode().splitlines()) if not row[0].startswith("#")}) == 1


def _html(path: Path, data: bytes) -> None:
    assert data.rstrip().endswith(b"</html>")


def _svg(path: Path, data: bytes) -> None:
    ElementTree.fromstring(data)  # noqa: S314 - of our own making


def _picture(path: Path, data: bytes) -> None:
    import PIL.Image

    with PIL.Image.open(io.BytesIO(data)) as picture:
        picture.load()


def _pdf(path: Path, data: bytes) -> None:
    assert data.rstrip().endswith(b"%%EOF")


def _pickle(path: Path, data: bytes) -> None:
    assert list(pickletools.genops(data))[-1][2] == len(data) - 1


def _hdf5(path: Path, data: bytes) -> None:
    import h5py

    with h5py.File(io.BytesIO(data)) as file:
        file.visititems(lambda name, item: item[()] if isinstance(item, h5py.Dataset) else None)


def _parquet(path: Path, data: bytes) -> None:
    import pyarrow.parquet

    pyarrow.parquet.read_table(io.BytesIO(data))


def _arrow(path: Path, data: bytes) -> None:
    import pyarrow

    pyarrow.ipc.open_file(io.BytesIO(data)).read_all()


def _safetensors(path: Path, data: bytes) -> None:
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    ends = [each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"]
    assert 8 + size + max(ends) == len(data)


def sums(folder: Path) -> None:
    """Fail unless every file that SHA256SUMS names is there, as it says."""
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        value, _, name = line.partition("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == value, name


_CHECKS: dict[str, Callable[[Path, bytes], None]] = {
    ".npz": _npz, ".npy": _npy, ".json": _json, ".yaml": _yaml, ".csv": _csv, ".html": _html, ".svg": _svg,
    ".png": _picture, ".jpg": _picture, ".pdf": _pdf, ".pkl": _pickle, ".h5": _hdf5, ".parquet": _parquet,
    **dict.fromkeys((".md", ".tex", ".txt", ""), _text), ".arrow": _arrow, ".safetensors": _safetensors, ".pt": _npz,
}  # fmt: skip

__all__ = ["check", "sums"]
