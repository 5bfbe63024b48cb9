"""The two files of a bank: written the same way every time, believed only as far as they can be checked."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest

from posebench.banks import ClusterBank, Source
from posebench.banks.card import parse_card
from posebench.errors import InputError, UsageError


@pytest.fixture
def saved(gt, tmp_path):
    """Path of a small bank on disk."""
    path = tmp_path / "small.npz"
    sources = (Source("Müller", "CC BY-SA 3.0", "M. Müller et al."),)
    ClusterBank.build(gt[:60], k=3, n_init=1, joints=("pelvis", "head", "LWrist"), sources=sources).save(path)
    return path


def card_of(path) -> dict:
    return json.loads(path.with_suffix(".json").read_text("utf-8"))


def rewrite(path, content: dict) -> None:
    path.with_suffix(".json").write_text(json.dumps(content), "utf-8")


def seal(content: dict) -> dict:
    """The card with the hash that belongs to it: what a forger would do."""
    if not isinstance(content["sha256"], dict):
        return content
    hashes = {name: value for name, value in content["sha256"].items() if name != "card"}
    text = json.dumps({**content, "sha256": hashes}, sort_keys=True, separators=(",", ":"))
    return {**content, "sha256": {**hashes, "card": hashlib.sha256(text.encode()).hexdigest()}}


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def archive(path, members: dict[str, bytes], method=zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as out:
        for name, data in members.items():
            out.writestr(name, data)


# There and back


def test_a_bank_is_read_back_as_it_was(saved, gt):
    bank = ClusterBank.load(saved)
    built = ClusterBank.build(gt[:60], k=3, n_init=1, joints=("pelvis", "head", "LWrist"), sources=bank.card.sources)
    assert bank.card == built.card
    np.testing.assert_array_equal(bank.centres, built.centres)
    np.testing.assert_array_equal(bank.assign(gt), built.assign(gt))


def test_the_same_bank_gives_the_same_bytes(saved, tmp_path):
    other = tmp_path / "elsewhere" / "other.npz"
    other.parent.mkdir()
    ClusterBank.load(saved).save(other)
    assert other.read_bytes() == saved.read_bytes()
    assert other.with_suffix(".json").read_bytes() == saved.with_suffix(".json").read_bytes()


def test_numpy_alone_reads_the_centres(saved):
    with np.load(saved, allow_pickle=False) as held:
        centres = held["centres"]
    assert (centres.dtype, centres.shape) == (np.float64, (3, 3, 3))
    assert card_of(saved)["sha256"]["centres"] == hashlib.sha256(centres.tobytes() + b"3,3,3").hexdigest()
    assert card_of(saved)["sha256"]["file"] == hashlib.sha256(saved.read_bytes()).hexdigest()


def test_the_hash_of_a_card_covers_everything_else_on_it(saved):
    assert seal(card_of(saved)) == card_of(saved)


def test_centres_saved_by_numpy_in_another_way_are_read(saved):
    centres = ClusterBank.load(saved).centres
    for save in (np.savez, np.savez_compressed):
        save(saved, centres=np.asfortranarray(centres).astype(">f8"))
        np.testing.assert_array_equal(ClusterBank.load(saved).centres, centres)
        with pytest.raises(InputError, match=r"small\.npz: is not as it was written, though its centres are the same"):
            ClusterBank.verify(saved)


def test_a_bank_that_was_saved_is_verified(saved):
    assert ClusterBank.verify(saved) is None


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_one_changed_byte_anywhere_is_noticed(saved, suffix):
    path = saved.with_suffix(suffix)
    data = path.read_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x01
        path.write_bytes(changed)
        with pytest.raises(InputError, match=r"small\.(npz|json): "):
            ClusterBank.verify(saved)


@pytest.mark.parametrize("suffix", [".npz", ".json"])
@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\n", lambda data: b""])
def test_files_cut_off_or_appended_to_are_noticed(saved, suffix, change):
    path = saved.with_suffix(suffix)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=r"small\.(npz|json): "):
        ClusterBank.verify(saved)


def test_the_card_of_another_bank_is_noticed(saved, gt):
    other = saved.with_name("other.npz")
    ClusterBank.build(gt[60:120], k=3, n_init=1, joints=("pelvis", "head", "LWrist")).save(other)
    other.with_suffix(".json").replace(saved.with_suffix(".json"))
    with pytest.raises(InputError, match=r"small\.npz: the centres are not those of the card"):
        ClusterBank.load(saved)


def test_a_bank_is_written_whole_or_not_at_all(saved, monkeypatch):
    before = saved.read_bytes()
    bank = ClusterBank.load(saved)
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match=r"small\.npz: cannot be written: No space left on device"):
        bank.save(saved)
    assert saved.read_bytes() == before


def test_loading_a_bank_needs_neither_scikit_learn_nor_numba(saved):
    script = (
        "import sys; from posebench.banks import ClusterBank; ClusterBank.verify(sys.argv[1]); "
        "print({'sklearn', 'numba', 'scipy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script, str(saved)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


# Files from strangers


def test_the_path_of_a_bank_ends_in_npz(saved, bank):
    for act in (ClusterBank.load, ClusterBank.verify, bank.save):
        with pytest.raises(UsageError, match=r"expected the path of a bank, which ends in \.npz"):
            act(saved.with_suffix(".json"))


def test_a_bank_without_its_card_is_refused(saved):
    saved.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"small\.json: cannot be read: No such file"):
        ClusterBank.load(saved)


def test_a_card_without_its_bank_is_refused(saved):
    saved.unlink()
    with pytest.raises(InputError, match=r"small\.npz: cannot be read: No such file"):
        ClusterBank.load(saved)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_a_pipe_is_not_waited_for(saved, suffix):
    path = saved.with_suffix(suffix)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="is no regular file"):
        ClusterBank.load(saved)


def test_a_file_that_is_far_too_large_is_not_read(saved):
    with saved.open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(InputError, match=r"small\.npz: has more than 268435456 bytes"):
        ClusterBank.load(saved)


def test_python_objects_are_not_unpickled(saved):
    archive(saved, {"centres.npy": npy(np.array([{"a": 1}], object))})
    with pytest.raises(InputError, match=r"array 'centres': holds Python objects, which are not unpickled"):
        ClusterBank.load(saved)


def test_a_size_that_is_only_promised_is_not_allocated(saved):
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 17, 3), }"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    archive(saved, {"centres.npy": b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode()})
    with pytest.raises(
        InputError, match=r"promises \(1000000000, 17, 3\) of float64, which is 408000000000 bytes, but 0"
    ):
        ClusterBank.load(saved)


def test_a_small_archive_does_not_unfold_into_a_large_one(saved, monkeypatch):
    monkeypatch.setattr("posebench.banks.bank.FILE_LIMIT", 10**6)
    archive(saved, {"centres.npy": npy(np.zeros((10**6, 3)))}, zipfile.ZIP_DEFLATED)
    assert saved.stat().st_size < 10**6
    with pytest.raises(InputError, match=r"array 'centres': claims 24000128 bytes, at most 1000000 are read"):
        ClusterBank.load(saved)


def test_an_archive_that_understates_its_sizes_is_not_inflated_beyond_them(saved):
    archive(saved, {"centres.npy": npy(np.zeros((10**5, 3)))}, zipfile.ZIP_DEFLATED)
    data = saved.read_bytes()
    true, false = struct.pack("<I", 2_400_128), struct.pack("<I", 128)
    assert data.count(true) == 2
    saved.write_bytes(data.replace(true, false))
    with pytest.raises(InputError, match=r"small\.npz: "):
        ClusterBank.load(saved)


@pytest.mark.parametrize("names", [[], ["center"], ["centres", "poses"], ["centres.npy/../x"], ["a"] * 3000])
def test_an_archive_of_other_arrays_is_refused(saved, names):
    with zipfile.ZipFile(saved, "w") as out, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that stands twice
        for name in names:
            out.writestr(f"{name}.npy", npy(np.zeros(1)))
    with pytest.raises(InputError, match=r"small\.npz: expected the arrays 'centres', it has"):
        ClusterBank.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.astype(np.float32), "the centres are float32 of shape (3, 3, 3), expected float64"),
        (lambda c: c[:2], "of shape (2, 3, 3), expected float64 of shape (3, 3, 3), as the card says"),
        (lambda c: c.reshape(3, 9), "of shape (3, 9), expected"),
        (lambda c: np.where(np.arange(3)[:, None, None] == 1, np.nan, c), "centre 1 is not finite"),
        (lambda c: c * [[[1.0]], [[1.0]], [[5.0]]], "centre 2 is longer than 1, which no mean of normalised poses is"),
        (lambda c: c * 1e300, "centre 0 is longer than 1"),
        (lambda c: c / 2 + 0.01, "centre 0 does not have its root, pelvis, in the origin"),
        (lambda c: c[::-1], "the centres are not those of the card, whose hash of them differs"),
        (lambda c: c * 0.5, "the centres are not those of the card"),
    ],
)
def test_centres_that_are_not_those_of_the_card_are_refused(saved, change, message):
    import re

    np.savez(saved, centres=change(ClusterBank.load(saved).centres))
    with pytest.raises(InputError, match=r"small\.npz: .*" + re.escape(message)):
        ClusterBank.load(saved)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", r"line 1, column 1: is not JSON"),
        (b"{", r"line 1, column 2: is not JSON"),
        (b"[]", r"the file holds a list, expected an object"),
        (b"\xff\xfe", r"byte 0 is not text, expected JSON in UTF-8"),
        (b'{"k": NaN}', r"holds NaN, which is no number of JSON"),
        (b'{"k": -Infinity}', r"holds -Infinity, which is no number of JSON"),
        (b'{"k": 2, "k": 3}', r"a name stands twice in one object, among \['k'\]"),
        (b"[" * 100_000, r"is nested too deeply"),
        (b'{"k": ' + b"9" * 10_000 + b"}", r"holds a number that cannot be read"),
        (b'{"schema": "posebench.bank/2"}', r"schema is 'posebench.bank/2', expected 'posebench.bank/1'"),
        (b'{"schema": "posebench.bank/1"}', r"lacks name, which the card of a bank has"),
        (b" " * (4 * 2**20 + 1), r"has more than 4194304 bytes"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else "",
)
def test_a_card_that_is_no_card_is_refused(saved, text, message):
    saved.with_suffix(".json").write_bytes(text)
    with pytest.raises(InputError, match=r"small\.json: " + message):
        ClusterBank.load(saved)


def changed(content: dict, place: str, value: object) -> dict:
    """The card with another value at a place such as ``kmeans.tol``."""
    content = json.loads(json.dumps(content))
    *path, last = place.split(".")
    inner = content
    for name in path:
        inner = inner[int(name) if isinstance(inner, list) else name]
    inner[last] = value
    return content


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("name", "../../etc", r"name is '\.\./\.\./etc', expected at most 64 letters"),
        ("name", 7, "name is 7, expected a line of text"),
        ("k", 4, r"cluster_sizes is .*, expected 4 numbers that add up to the 60 poses used"),
        ("k", 3.0, "k is 3.0, expected a whole number from 2 to 65536"),
        ("k", True, "k is True, expected a whole number"),
        ("k", 10**40, "k is 'a huge number', expected a whole number"),
        ("skeleton", "", "skeleton is '', expected a line of text"),
        ("joints", "pelvis", "joints is 'pelvis', expected a list of at most 1000"),
        ("joints", ["pelvis", "pelvis", "head"], "the joints of a bank repeat"),
        ("joints", ["pelvis", "head", "tail"], r"joints is \['pelvis', 'head', 'tail'\], expected joints of h36m17"),
        ("joints", ["pelvis"], "a bank needs at least 2 joints"),
        ("root", "spine", "root is 'spine', expected one of the joints, or null"),
        ("root", ["pelvis"], r"root is \['pelvis'\], expected one of the joints, or null"),
        ("centring", "mean", "centring is 'mean', expected 'root' with a root, 'mean' with null"),
        ("centring", "hips", "centring is 'hips', expected one of root, mean"),
        ("reference", "unknown", "reference is 'unknown', expected one of camera, world, canonical"),
        ("normalisation", "none", "normalisation is 'none', expected 'frobenius'"),
        ("split", None, "split is None, expected a line of text"),
        ("split", "bell\a", r"split is 'bell\\x07', expected a line of text"),
        ("split", "x" * 10_001, "split is .*, expected a line of text of at most 10000 characters"),
        ("sources", {}, "sources is {}, expected a list"),
        ("sources", ["CMU"], r"sources\[0\] holds 'CMU', expected an object"),
        ("sources.0.licence", " ", r"sources\[0\]\.licence is ' ', expected a line of text"),
        ("sources.0.url", "x", r"has sources\[0\]\.'url', which no card of a bank has"),
        ("files", [{"name": "a", "sha256": "0"}], r"files\[0\]\.sha256 is '0', expected a SHA-256"),
        ("notes", [1], "notes is 1, expected a line of text"),
        ("thinning.stride", 0, r"thinning\.stride is 0, expected a whole number from 1"),
        ("thinning.min_distance", 2.5, r"thinning\.min_distance is 2\.5, expected a number from 0 to 2"),
        ("poses.given", 61, "poses is .*, expected as many given as"),
        ("poses.used", 2, r"poses\.used is 2, expected at least the 3 of k"),
        ("kmeans.algorithm", "elkan", r"kmeans\.algorithm is 'elkan', expected one of lloyd, minibatch"),
        ("kmeans.batch_size", 5, r"kmeans\.batch_size is 5, expected None"),
        ("kmeans.max_iter", None, r"kmeans\.max_iter is None, expected a whole number"),
        ("kmeans.tol", -1, r"kmeans\.tol is -1, expected a number from 0"),
        ("kmeans.converged", 1, r"kmeans\.converged is 1, expected true or false"),
        ("kmeans.colour", 1, r"has kmeans\.'colour', which no card of a bank has"),
        ("inertia", -1, "inertia is -1, expected a number from 0"),
        ("inertia", "1", "inertia is '1', expected a number from 0"),
        ("mean_squared_distance", 3, "mean_squared_distance is 3.0, expected the inertia over the number of poses"),
        ("cluster_sizes", [60, 0], r"cluster_sizes is \[60, 0\], expected 3 numbers"),
        ("cluster_sizes", [60, 1, -1], "cluster_sizes is -1, expected a whole number from 0"),
        ("near_boundary", 1.5, "near_boundary is 1.5, expected a number from 0 to 1"),
        ("versions", [], r"versions is \[\], expected texts by name"),
        ("versions.numpy", 2, r"versions\.numpy is 2, expected a line of text"),
        ("sha256", "00", "sha256 holds '00', expected an object"),
        ("sha256.centres", "G" * 64, r"sha256\.centres is 'GGG.*, expected a SHA-256 as 64 hexadecimal digits"),
        ("command", ["a"], r"command is \['a'\], expected a line of text"),
        ("extra", 1, "has 'extra', which no card of a bank has"),
    ],
)
def test_every_field_of_a_card_is_checked(saved, place, value, message):
    rewrite(saved, seal(changed(card_of(saved), place, value)))
    with pytest.raises(InputError, match=r"small\.json: " + message):
        ClusterBank.load(saved)


def test_no_field_of_a_card_may_be_missing(saved):
    whole = card_of(saved)
    for name in whole:
        rewrite(saved, {key: value for key, value in whole.items() if key != name})
        with pytest.raises(InputError, match=rf"small\.json: lacks {name}, which the card of a bank has"):
            ClusterBank.load(saved)


@pytest.mark.parametrize(
    ("place", "value"),
    [("name", "another"), ("split", "test subjects"), ("kmeans.seed", 1), ("near_boundary", 0.5), ("command", "make")],
)
def test_a_card_that_was_changed_after_it_was_written_is_refused(saved, place, value):
    rewrite(saved, changed(card_of(saved), place, value))
    with pytest.raises(InputError, match=r"small\.json: sha256\.card is .*: the card was changed after it was written"):
        ClusterBank.load(saved)


def test_white_space_in_a_card_is_read_but_not_verified(saved):
    rewrite(saved, card_of(saved))
    ClusterBank.load(saved)
    with pytest.raises(InputError, match=r"small\.json: is not as it was written, though it says the same"):
        ClusterBank.verify(saved)


def test_a_skeleton_that_is_not_known_here_does_no_harm(saved, gt):
    content = seal(changed(card_of(saved), "skeleton", "somebody-elses"))
    card = parse_card(content, "a.json")
    bank = ClusterBank(ClusterBank.load(saved).centres, card)
    np.testing.assert_array_equal(bank.assign(gt[:, [0, 10, 13]]), ClusterBank.load(saved).assign(gt))
