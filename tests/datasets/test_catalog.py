"""The catalogue of data sets, checks against it, and fetching through the package client."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from posebench.datasets import catalog, fetching
from posebench.datasets.catalog import CATALOGUE, Wheel, check, find, locate
from posebench.errors import InputError, UsageError
from tests.support.pose2sim import fake_wheels, parts, wheel_bytes


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """POSEBENCH_DATA and the cache folder."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    monkeypatch.setenv("POSEBENCH_DATA", str(data))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return data, cache / "posebench"


@pytest.fixture
def small(monkeypatch) -> list[Wheel]:
    """The catalogue's pose2sim, with wheels made up."""
    wheels = tuple(Wheel(**fields) for fields in fake_wheels())
    entry = replace(CATALOGUE["pose2sim"], wheels=wheels)
    monkeypatch.setattr(catalog, "CATALOGUE", {**CATALOGUE, "pose2sim": entry})
    return list(wheels)


class Client:
    """Hands out wheels as a package client does, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, requirement: str, folder: Path) -> None:
        self.asked.append(requirement)
        release = requirement.partition("==")[2]
        (folder / f"pose2sim-{release}-py3-none-any.whl").write_bytes(wheel_bytes(release))


def put(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


# Where data sets are


def test_the_users_folder_comes_before_the_cache(places) -> None:
    data, cache = places
    assert find("hdm05") is None
    put(cache / "hdm05", a="1")
    assert find("hdm05") == cache / "hdm05"
    put(data / "hdm05", a="1")
    assert find("hdm05") == data / "hdm05"


def test_an_empty_folder_is_no_data_set(places) -> None:
    (places[0] / "hdm05").mkdir(parents=True)
    assert find("hdm05") is None


def test_without_a_cache_variable_the_cache_is_in_the_home_folder(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for said in (None, "", "relative"):
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False) if said is None else monkeypatch.setenv(
            "XDG_CACHE_HOME", said
        )
        assert catalog.cache_folder() == tmp_path / ".cache" / "posebench"


def test_a_data_set_that_is_not_there_says_where_it_was_looked_for_and_how_to_get_it(places) -> None:
    with pytest.raises(
        UsageError, match=r"looked for .*data/pose2sim and .*; to get it: posebench data fetch pose2sim"
    ):
        locate("pose2sim")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no data set 'cmu'; known are cmu-mocap, hdm05"):
        locate("cmu")


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_entry_says_its_terms_and_how_to_get_it(name: str) -> None:
    entry = CATALOGUE[name]
    assert all((entry.what, entry.licence, entry.attribution, entry.derived, entry.steps))
    for wheel in entry.wheels:
        assert wheel.requirement.partition("==")[2] in wheel.file
        assert len(wheel.sha256) == len(wheel.listing) == 64


@pytest.mark.mocap
@pytest.mark.parametrize(("name", "files"), [("cmu-mocap", 99), ("hdm05", 292)])
def test_the_motion_capture_at_hand_is_that_of_the_catalogue(name: str, files: int, request, monkeypatch) -> None:
    import os

    monkeypatch.undo()
    if not os.environ.get("POSEBENCH_DATA"):
        pytest.skip("POSEBENCH_DATA is not set")
    found = check(name)
    assert (found.hashed, found.wrong) == (files, ())


# Checks


@pytest.fixture
def listed(places, monkeypatch) -> Path:
    """A data set of two files that the catalogue has hashes of."""
    folder = put(places[0] / "hdm05", bd__a="one", b="two")
    lines = "".join(f"{hashlib.sha256(t.encode()).hexdigest()}  {n}\n" for n, t in (("b", "two"), ("bd/a", "one")))
    entry = replace(CATALOGUE["hdm05"], files={}, listing=hashlib.sha256(lines.encode()).hexdigest())
    monkeypatch.setattr(catalog, "CATALOGUE", {"hdm05": entry})
    return folder


def sums(folder: Path, prefix: str = "") -> str:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {prefix}{name}\n" for name in names)


def test_files_as_the_catalogue_has_them_are_fine(listed) -> None:
    assert check("hdm05").wrong == ()
    assert check("hdm05").hashed == 2


def test_a_changed_file_is_noticed_without_a_list_of_hashes(listed) -> None:
    (listed / "b").write_text("three")
    (wrong,) = check("hdm05").wrong
    assert "its 2 files are not those of the catalogue" in wrong


@pytest.mark.parametrize("prefix", ["", "./"])
def test_a_list_of_hashes_of_the_catalogues_files_names_the_one_that_differs(listed, prefix: str) -> None:
    above = listed.parent / "SHA256SUMS"
    above.write_text(sums(listed, f"{prefix}hdm05/"))
    (listed / "b").write_text("three")
    (listed / "bd" / "a").unlink()
    assert sorted(check("hdm05").wrong) == sorted(
        [f"{listed}/b: its SHA-256 differs from the catalogue's", f"{listed}/bd/a: is missing"]
    )


def test_a_list_of_hashes_that_was_changed_with_the_files_is_not_believed(listed) -> None:
    (listed / "b").write_text("three")
    (listed / "SHA256SUMS").write_text(sums(listed))
    assert len(check("hdm05").wrong) == 1


@pytest.mark.parametrize("line", ["nonsense", f"{'0' * 64}  ../a", f"{'0' * 64}  /a", f"{'X' * 64}  a"])
def test_a_damaged_list_of_hashes_is_refused(listed, line: str) -> None:
    (listed / "SHA256SUMS").write_text(f"{line}\n")
    with pytest.raises(InputError, match="SHA256SUMS: line 1 is no SHA-256 with a file below this folder"):
        check("hdm05")


def test_too_few_files_are_noticed(places) -> None:
    put(places[0] / "cmu-mocap", bvh__01__01_01_DOT_bvh="")
    assert any("holds 1 files bvh/*/*.bvh, expected 98" in sentence for sentence in check("cmu-mocap").wrong)


def test_a_data_set_without_hashes_is_said_to_have_none(places) -> None:
    put(places[0] / "mpii", a="1")
    found = check("mpii")
    assert (found.hashed, found.wrong) == (0, ())
    assert "no hashes of mpii" in found.notes[0]


# Fetching


def test_fetching_unpacks_what_is_wanted_and_nothing_else(small, places) -> None:
    found = fetching.fetch("pose2sim", download=Client())
    assert found.folder == places[1] / "pose2sim"
    for release, files in parts().items():
        there = {
            p.relative_to(found.folder / release).as_posix(): p.read_bytes()
            for p in (found.folder / release).rglob("*")
            if p.is_file()
        }
        assert there == files
    assert not (found.folder / "wheels").exists()
    assert check("pose2sim").wrong == ()


def test_what_is_complete_is_not_fetched_again(small) -> None:
    fetching.fetch("pose2sim", download=Client())
    client = Client()
    assert fetching.fetch("pose2sim", download=client).new == ()
    assert client.asked == []


def test_an_interrupted_fetch_goes_on_where_it_stopped(small, tmp_path) -> None:
    class Stopped(Client):
        def __call__(self, requirement: str, folder: Path) -> None:
            if len(self.asked) == 1:
                (folder / "pose2sim-0.8.4-py3-none-any.whl").write_bytes(b"half")
                raise KeyboardInterrupt
            super().__call__(requirement, folder)

    with pytest.raises(KeyboardInterrupt):
        fetching.fetch("pose2sim", tmp_path / "here", download=Stopped())
    client = Client()
    assert fetching.fetch("pose2sim", tmp_path / "here", download=client).new == ("pose2sim==0.8.4", "pose2sim==0.4.15")
    assert client.asked == ["pose2sim==0.8.4", "pose2sim==0.4.15"]
    assert check("pose2sim", tmp_path / "here").wrong == ()


def test_a_part_that_was_damaged_later_is_noticed_and_fetched_again(small) -> None:
    place = fetching.fetch("pose2sim", download=Client()).folder
    damaged = place / "0.10.49" / "Pose2Sim/Demo_SinglePerson/videos/cam02.mp4"
    damaged.write_bytes(b"shorter")
    assert check("pose2sim").wrong == (f"{damaged}: its SHA-256 differs from the catalogue's",)
    client = Client()
    fetching.fetch("pose2sim", download=client)
    assert client.asked == ["pose2sim==0.10.49"]
    assert check("pose2sim").wrong == ()


def test_a_wrong_checksum_is_an_error_and_the_file_is_removed(small, places) -> None:
    def forged(requirement: str, folder: Path) -> None:
        (folder / "pose2sim-0.10.49-py3-none-any.whl").write_bytes(wheel_bytes("0.10.49") + b"x")

    with pytest.raises(InputError, match=r"pose2sim-0.10.49-py3-none-any.whl: has SHA-256 .*, expected .*was removed"):
        fetching.fetch("pose2sim", download=forged)
    assert [path for path in places[1].rglob("*") if path.is_file()] == []


def test_a_wheel_that_was_put_there_by_hand_is_taken(small, tmp_path) -> None:
    folder = tmp_path / "here" / "wheels"
    folder.mkdir(parents=True)
    for wheel in small:
        (folder / wheel.file).write_bytes(wheel_bytes(wheel.into))
    client = Client()
    fetching.fetch("pose2sim", tmp_path / "here", download=client)
    assert client.asked == []


def test_a_wheel_that_holds_other_files_is_refused(small, monkeypatch, tmp_path) -> None:
    entry = catalog.CATALOGUE["pose2sim"]
    other = replace(small[0], listing="0" * 64)
    monkeypatch.setattr(catalog, "CATALOGUE", {"pose2sim": replace(entry, wheels=(other,))})
    with pytest.raises(InputError, match="does not hold the files that the catalogue expects"):
        fetching.fetch("pose2sim", tmp_path / "here", download=Client())
    assert not (tmp_path / "here" / "0.10.49").exists()


def test_a_data_set_that_no_package_holds_is_not_fetched() -> None:
    with pytest.raises(UsageError, match="h36m does not come through a package client; to get it: its makers"):
        fetching.fetch("h36m")


def test_a_folder_that_cannot_be_written_is_one_sentence(small, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written: .*what is finished is kept"):
        fetching.fetch("pose2sim", tmp_path / "file" / "below", download=Client())


def test_pip_is_asked_for_the_wheels(small, tmp_path, monkeypatch) -> None:
    """pip itself, with a folder of wheels in place of an index."""
    links = tmp_path / "links"
    links.mkdir()
    for wheel in small:
        (links / wheel.file).write_bytes(wheel_bytes(wheel.into))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    assert len(fetching.fetch("pose2sim", tmp_path / "here").new) == 3
    assert check("pose2sim", tmp_path / "here").wrong == ()


def test_what_pip_cannot_find_is_one_sentence_with_the_next_step(small, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(InputError, match=r"pip could not download pose2sim==0.10.49: .*; or put pose2sim-0.10.49-py3"):
        fetching.fetch("pose2sim", tmp_path / "here")


# Archives


def archive(path: Path, *names: str, mode: int | None = None, content: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            member = zipfile.ZipInfo("placeholder")
            member.filename = name
            if mode is not None:
                member.external_attr = mode << 16
            file.writestr(member, content)
    return path


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/out", "C:/out", "a\\..\\out", "..", "//out"])
def test_a_name_that_leads_out_of_the_folder_is_refused_before_anything_is_written(tmp_path, name: str) -> None:
    path = archive(tmp_path / "a.zip", "fine", name)
    with pytest.raises(InputError, match=r"a.zip: holds the unsafe name .*; nothing was unpacked"):
        fetching.unpack(path, tmp_path / "made", lambda name: True)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, kind: int) -> None:
    path = archive(tmp_path / "a.zip", "link", mode=kind | 0o777)
    with pytest.raises(InputError, match="unsafe name 'link'"):
        fetching.unpack(path, tmp_path / "made", lambda name: True)


def test_a_name_that_stands_twice_is_refused(tmp_path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(tmp_path / "a.zip", "a", "a")
    with pytest.raises(InputError, match="holds 'a' twice"):
        fetching.unpack(path, tmp_path / "made", lambda name: True)


def test_files_and_archives_beyond_the_limits_are_refused(tmp_path, monkeypatch) -> None:
    path = archive(tmp_path / "a.zip", "a", "b", content=bytes(100))
    monkeypatch.setattr(fetching, "MEMBER_LIMIT", 99)
    with pytest.raises(InputError, match="'a' has 100 bytes, at most 99 are unpacked"):
        fetching.unpack(path, tmp_path / "made", lambda name: True)
    monkeypatch.setattr(fetching, "MEMBER_LIMIT", 100)
    monkeypatch.setattr(fetching, "ARCHIVE_LIMIT", 199)
    with pytest.raises(InputError, match="unpacks to more than 199 bytes"):
        fetching.unpack(path, tmp_path / "made", lambda name: True)


@pytest.mark.parametrize("keep", [0, 30, 120])
def test_a_truncated_archive_is_refused(tmp_path, keep: int) -> None:
    path = archive(tmp_path / "a.zip", "a", "b")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"a.zip: is not a whole zip archive"):
        fetching.unpack(path, tmp_path / "made", lambda name: True)


def test_damaged_content_is_refused(tmp_path) -> None:
    path = archive(tmp_path / "a.zip", "a", content=b"some content")
    path.write_bytes(path.read_bytes().replace(b"some content", b"same content"))
    with pytest.raises(InputError, match=r"a.zip: is not a whole zip archive"):
        fetching.unpack(path, tmp_path / "made", lambda name: True)
