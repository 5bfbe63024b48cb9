"""Every command that writes, on full disks, in read-only folders, under strange names: whole or untouched, and said."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from posebench.io import formats
from tests.faults import limits, whole
from tests.faults.cases import CASES, SILENT, Case, commands, parameters
from tests.faults.conftest import content, leftovers, sentence_of

EARLIER = b"what was here before\n"


# What is covered


def test_every_command_is_either_silent_or_called_here() -> None:
    called = {case.command for case in CASES.values()}
    assert called & SILENT == set()
    assert called | SILENT == set(commands())


def test_every_format_that_is_written_is_converted_to() -> None:
    written = {Path(case.outputs[0]).suffix for case in CASES.values() if case.command == "convert"}
    assert all(written & set(each.suffixes) for each in formats() if each.write is not None)


@pytest.mark.parametrize("case", parameters())
def test_it_writes_what_the_table_says_and_all_of_it_is_whole(case: Case, call, work) -> None:
    _ready(case, work)
    assert call(case).code == 0
    found = content(work / "out")
    assert set(case.outputs) <= set(found)
    assert leftovers(work) == []
    if not case.makes:
        assert {name for name in found if not name.startswith(("state/", "drawn/"))} == set(case.outputs)
    for name in case.outputs:
        whole.check(work / "out" / name)


# Full disks


def _ready(case: Case, work: Path, *, earlier: bool = False) -> None:
    """Do what comes before the command, and let something stand at each name that the user gives."""
    if case.prepare is not None:
        case.prepare(work)
    if not earlier:
        return
    if not case.makes:
        for name in case.outputs:
            (work / "out" / name).write_bytes(EARLIER)


def _held(case: Case, work: Path) -> list[str]:
    """Those outputs that are there and no longer what was there before, all of them whole."""
    paths = [work / "out" / name for name in case.outputs]
    new = [path for path in paths if path.is_file() and path.read_bytes() != EARLIER]
    for path in new:
        whole.check(path)
    return [str(path) for path in new]


@pytest.mark.parametrize("case", parameters())
def test_where_no_file_may_grow_it_is_said_and_what_was_there_stays(case: Case, call, work) -> None:
    _ready(case, work, earlier=True)
    for room in (0, 900):
        with limits.file_size(room):
            run = call(case)
        new = _held(case, work)
        assert leftovers(work) == []
        assert room or not new
        if run.code or not room:
            said = sentence_of(run)
            assert "cannot be written: File too large" in said
            assert "out" in said or "runs" in said
            assert len(new) < len(case.outputs)
        if not room:
            assert case.makes or content(work / "out").keys() >= set(case.outputs)


@pytest.mark.parametrize("case", parameters())
def test_a_full_disk_is_said_and_what_was_there_stays(case: Case, call, work) -> None:
    with limits.small_disk(work / "out", 16 * os.sysconf("SC_PAGESIZE")) as fill:
        _ready(case, work, earlier=True)
        fill()
        run = call(case)
        assert _held(case, work) == []
        assert leftovers(work) == []
    said = sentence_of(run)
    assert "cannot be written: No space left on device" in said
    assert "out" in said


# Folders that may not be written to


@pytest.mark.parametrize("case", parameters())
def test_a_read_only_folder_is_said_and_stays_as_it_is(case: Case, call, work) -> None:
    _ready(case, work, earlier=True)
    before = content(work / "out")
    folders = [work / "out", *(path for path in (work / "out").rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    try:
        with limits.no_privileges():
            run = call(case)
    finally:
        for folder in folders:
            folder.chmod(0o700)
    assert "Permission denied" in sentence_of(run)
    assert "out" in run.sentence
    assert content(work / "out") == before


@pytest.mark.parametrize("case", parameters(files=True))
def test_a_folder_in_place_of_a_file_is_said_before_any_work(case: Case, call, work) -> None:
    for name in case.outputs:
        (work / "out" / name).mkdir()
        said = sentence_of(call(case))
        assert f"out/{name}: " in said
        assert "folder" in said or "Is a directory" in said
        assert content(work / "out") == {}
        (work / "out" / name).rmdir()


@pytest.mark.parametrize("case", parameters(folders=True))
def test_a_file_in_place_of_a_folder_is_said_and_stays(case: Case, call, work) -> None:
    (work / "out" / case.makes).write_bytes(EARLIER)
    assert f"out/{case.makes}" in sentence_of(call(case))
    assert content(work / "out") == {case.makes: EARLIER}


# Links


@pytest.mark.parametrize("case", parameters(files=True))
def test_a_link_in_place_of_an_output_stays_and_what_it_points_to_is_replaced(case: Case, call, work) -> None:
    place = work / "elsewhere"
    place.mkdir()
    for number, name in enumerate(case.outputs):
        if number % 2:
            (place / name).write_bytes(EARLIER)  # every other link points to nothing yet
        (work / "out" / name).symlink_to(place / name)
    assert call(case).code == 0
    for name in case.outputs:
        assert (work / "out" / name).is_symlink()
        assert (place / name).read_bytes() not in (b"", EARLIER)
    assert leftovers(work) == []


@pytest.mark.parametrize("case", parameters(files=True))
def test_a_link_that_leads_round_in_a_circle_is_said(case: Case, call, work) -> None:
    name = case.outputs[0]
    (work / "out" / name).symlink_to("other")
    (work / "out" / "other").symlink_to(name)
    assert f"out/{name}" in sentence_of(call(case))
    assert (work / "out" / name).is_symlink()


def test_a_link_to_a_folder_that_is_not_there_is_said_before_any_work(posebench, work) -> None:
    (work / "out" / "c.npz").symlink_to("nowhere/c.npz")
    said = sentence_of(posebench("convert", "pred.npz", "out/c.npz"))
    assert said.endswith(f"out/c.npz: cannot be written: No such file or directory: {work / 'out' / 'nowhere'}")


# Names

#: Spaces, quotes, a line break, bytes that are no text, and about as long as file systems take it.
NAME = "a b'c\"d\ne" + os.fsdecode(b"\xff\xfe-") + "é" * 100


def _renamed(case: Case, name: str) -> list[str]:
    """The arguments with `out` called by another name."""
    return [f"{name}{word[3:]}" if word == "out" or word.startswith("out/") else word for word in case.arguments]


@pytest.mark.parametrize("case", parameters())
def test_a_folder_of_any_name_is_written_to(case: Case, call, work) -> None:
    _ready(case, work)
    (work / "out").rename(work / NAME)
    assert call(case, *_renamed(case, NAME)).code == 0
    assert set(case.outputs) <= set(content(work / NAME))


def test_inputs_and_outputs_of_any_name_are_read_and_written(posebench, work) -> None:
    name = NAME
    shutil.copy(work / "pred.npz", f"{name}.npz")
    result, copy = f"{name}.json", f"2{name}.npz"
    assert posebench("convert", f"{name}.npz", copy).code == 0
    assert Path(copy).read_bytes() == Path(f"{name}.npz").read_bytes()
    found = posebench("score", "--pred", copy, "--gt", "gt.npz", "-o", result, "-o", f"{name}.html")
    assert found.code == 0
    assert posebench("score", "--pred", "gt.npz", "--gt", "gt.npz", "-o", f"3{result}").code == 0
    assert posebench("compare", f"x={result}", f"y=3{result}", "-o", f"{name}.md").code == 0
    assert posebench("doctor", "--pred", copy, "-o", f"{name}.txt", "--exit-zero").code == 0
    assert posebench("figure", "joints", f"x={result}", "-o", f"{name}.svg").code == 0
    built = posebench("bank", "build", "--gt", copy, "-k", 3, "--n-init", 1, "--name", "b", "-o", "out")
    assert "the card of a bank cannot spell this name" in sentence_of(built)
    assert posebench("bank", "plot", "bank.npz", "-o", f"{name}.svg").code == 0


def test_a_name_that_is_too_long_is_said(posebench, work) -> None:
    for arguments in (("convert", "pred.npz", "x" * 300 + ".npz"), ("convert", "x" * 300 + ".npz", "out/c.npz")):
        run = posebench(*arguments)
        assert "File name too long" in sentence_of(run)
    assert content(work / "out") == {}


def test_inputs_are_read_through_links(posebench, work) -> None:
    (work / "deeper").mkdir()
    (work / "deeper" / "p.npz").symlink_to("../pred.npz")
    assert posebench("convert", "deeper/p.npz", "out/c.npz").code == 0
    assert (work / "out" / "c.npz").read_bytes() == (work / "pred.npz").read_bytes()


# An output that is an input


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("convert own.npz {}", "own.npz"),
        ("convert gt.npz own.npz {}", "own.npz"),
        ("score --pred own.json --gt gt.npz -o {}", "own.json"),
        ("compare a.json x=own.json -o {}", "own.json"),
        ("doctor --pred own.json --exit-zero -o {}", "own.json"),
        ("figure 4 --gt own.json --bank bank.npz --pairs 10 --level 35 --table {}", "own.json"),
        ("zoo labels --data data --joints own.npz --extrinsics known -o {}", "own.npz"),
        ("zoo refine --pred own.npz --weights refiner.safetensors -o {}", "own.npz"),
        ("zoo labels --data own --joints truth --extrinsics known -o {}", "own/labels/train.npz"),
        ("zoo labels --data own --joints truth --extrinsics known -o {}", "own/views/train.npz"),
        ("zoo detect --data own --weights network.safetensors -o {}", "own/labels/train.views.npz"),
        ("zoo label-poses --data data --labels own/pred.npz --out own", "own/pred.npz"),
        ("zoo train-refiner --data data --pred own/errors.npz --width 16 --epochs 1 -o own", "own/errors.npz"),
        ("table 2 --results own -o {}", "own/a/own.json"),
    ],
)
@pytest.mark.parametrize("guise", ["itself", "a link", "another link"])
def test_an_input_is_never_replaced(words: str, target: str, guise: str, posebench, work) -> None:
    if words.startswith("zoo") and not CASES[" ".join(words.split()[:2])].runs:
        pytest.skip("a package that it needs is not installed")
    path = _own(words, target, work)
    before = path.read_bytes()
    output = work / f"guise{path.suffix}"
    if guise == "itself":
        output = path
    elif guise == "a link":
        output.symlink_to(path)
    else:
        os.link(path, output)
    if "{}" not in words and guise != "itself":
        pytest.skip("the name is the command's own")
    assert "it is the input" in sentence_of(posebench(*(word.format(output) for word in words.split())))
    assert path.read_bytes() == before
    assert leftovers(work) == []


def _own(words: str, target: str, work: Path) -> Path:
    """A copy of what a command reads, where it may be spoilt."""
    path = work / target
    if "--data own" in words:
        shutil.copytree(work / "data", work / "own")
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    sources = {"joints own": "found.npz", "labels own": "labels.npz", "x=own": "b.json", "refine": "train-pred.npz"}
    sources |= {"train-refiner": "train-pred.npz", "table": "a.json"}
    chosen = next((file for said, file in sources.items() if said in words), f"pred{path.suffix}")
    shutil.copy(work / chosen, path)
    if chosen == "b.json":
        shutil.copy(work / "b.frames.npz", path.with_name("own.frames.npz"))
    return path


def test_nothing_is_written_beside_a_device(posebench, work) -> None:
    said = sentence_of(posebench("convert", "pred.npz", "/dev/full"))
    assert "/dev/full" in said
    for device in ("/dev/null", "/dev/full"):
        Path("link.npz").unlink(missing_ok=True)
        Path("link.npz").symlink_to(device)
        assert "link.npz: cannot be written" in sentence_of(posebench("convert", "pred.npz", "link.npz"))
        assert Path(device).is_char_device()
