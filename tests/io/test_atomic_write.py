"""A file is there whole or not at all; and its hash is that of its bytes."""

from __future__ import annotations

import hashlib
import os
import stat

import pytest

from posebench.errors import InputError
from posebench.io import atomic_write, sha256_of


def test_the_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "a.txt"
    with atomic_write(target) as handle:
        handle.write(b"new")
        assert not target.exists()
        assert os.path.dirname(handle.name) == str(tmp_path)
        assert handle.name.endswith(".txt")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, InputError])
def test_an_error_leaves_everything_as_it_was(error, tmp_path):
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    with pytest.raises(error), atomic_write(target) as handle:
        handle.write(b"half")
        raise error("stop")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"a\.txt: cannot be written: No space left"), atomic_write(tmp_path / "a.txt"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_one_sentence(tmp_path):
    with (
        pytest.raises(InputError, match=r"a\.txt: cannot be written: No such file"),
        atomic_write(tmp_path / "b/a.txt"),
    ):
        pass


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(InputError, match="name a regular file"), atomic_write(tmp_path / "a.txt"):
        pass
    assert (tmp_path / "a.txt").is_dir()


@pytest.mark.skipif(os.name != "posix", reason="needs /dev/null")
def test_a_device_is_not_replaced():
    with pytest.raises(InputError, match="name a regular file"), atomic_write("/dev/null"):
        pass
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.skipif(os.name != "posix", reason="needs modes and links")
def test_mode_and_links_are_kept(tmp_path):
    target, link = tmp_path / "a.txt", tmp_path / "link.txt"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    with atomic_write(link) as handle:
        handle.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="needs a umask")
def test_a_new_file_has_the_usual_mode(tmp_path):
    (tmp_path / "plain").touch()
    with atomic_write(tmp_path / "a.txt"):
        pass
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_name_of_full_length_fits(tmp_path):
    target = tmp_path / ("a" * 250 + ".txt")
    with atomic_write(target) as handle:
        handle.write(b"x")
    assert target.exists()


def test_the_hash_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_a_missing_file_has_no_hash(tmp_path):
    with pytest.raises(InputError, match="gone: cannot be read"):
        sha256_of(tmp_path / "gone")
