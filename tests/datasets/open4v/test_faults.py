"""What goes wrong with a folder that is being made: kills, full disks, other versions, no EGL; nothing half counts."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from posebench.datasets.open4v import parts, writer
from posebench.datasets.open4v.renderer import open_context
from posebench.datasets.open4v.splits import Clip
from posebench.errors import InputError, MissingExtraError
from tests.support.open4v import Blank, stick_body

PIXELS = 32
CLIPS = [Clip("train", f"syn0{n}", f"syn0{n}_01", 1, take=1, frames=2) for n in (1, 2, 3, 4)]
RECIPE = {"recipe": 1, "seed": 0}
VERSIONS = {"anny": "0.6.1", "numpy": "2.0.0"}
#: Renders with stick figures instead of bodies, and four clips instead of a size, through the command line.
SCRIPT = """
import sys
from posebench.cli import main
from posebench.datasets.open4v import writer
from tests.datasets.open4v.test_faults import CLIPS
from tests.support.open4v import stick_body

if __name__ == "__main__":
    writer.make_bodies = lambda shapes: [stick_body(shape.height / 1710) for shape in shapes]
    writer.clips_of = lambda *_, **__: CLIPS
    sys.argv[0] = "posebench"
    main()
"""


def claimed(place: Path, versions: dict[str, str] | None = None, **recipe: int) -> dict | None:
    return parts.claim(place, {**RECIPE, **recipe}, noun="render", verb="render", versions=versions)


# ------------------------------------------------------------------------------------------------- who may go on where


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({**VERSIONS, "anny": "0.6.2"}, "was begun with anny 0.6.1, and here is 0.6.2; go on with what it was begun"),
        ({**VERSIONS, "opengl": "Mesa 22"}, "was begun with opengl of an unknown version, and here is Mesa 22"),
    ],
)
def test_a_folder_begun_with_another_version_is_not_gone_on_with(tmp_path: Path, now, said: str) -> None:
    assert claimed(tmp_path / "a", VERSIONS) is None
    assert claimed(tmp_path / "a", VERSIONS) is None
    with pytest.raises(InputError, match=f"a: {said}"):
        claimed(tmp_path / "a", now)


def test_a_complete_folder_is_one_whatever_the_versions_are_now(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").touch()
    (tmp_path / "card.json").write_text(json.dumps({"recipe": RECIPE, "versions": VERSIONS}))
    found = claimed(tmp_path, {"anny": "0.9"})
    assert found is not None
    assert found["versions"] == VERSIONS
    with pytest.raises(InputError, match="holds another render, with seed 0 instead of 1"):
        claimed(tmp_path, VERSIONS, seed=1)


def test_a_process_killed_between_the_folder_and_its_recipe_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "a" / ".parts").mkdir(parents=True)
    (tmp_path / "a" / ".parts" / ".0123456789ab.json").write_text('{"recipe": 1, "se')
    assert claimed(tmp_path / "a", VERSIONS) is None
    assert json.loads((tmp_path / "a" / ".parts" / "recipe.json").read_text())["versions"] == VERSIONS


def test_a_process_killed_while_it_tidied_up_leaves_a_complete_folder(tmp_path: Path) -> None:
    (tmp_path / ".parts" / "train").mkdir(parents=True)
    (tmp_path / "SHA256SUMS").touch()
    (tmp_path / "card.json").write_text(json.dumps({"recipe": RECIPE}))
    assert claimed(tmp_path) is not None
    assert not (tmp_path / ".parts").exists()


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("thesis")
    with pytest.raises(InputError, match="a: is a file; name a new folder"):
        claimed(tmp_path / "a")
    with pytest.raises(InputError, match=r"a/b: cannot be written: .*name another folder"):
        claimed(tmp_path / "a" / "b")
    assert (tmp_path / "a").read_text() == "thesis"


def test_a_card_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").touch()
    with pytest.raises(InputError, match=r"card\.json: is missing; remove the folder, and render again"):
        claimed(tmp_path)


@pytest.mark.parametrize("splits", [None, [], {"train": 8}, {"train": {"pictures": "many"}}])
def test_a_card_without_numbers_of_pictures_is_damaged(tmp_path: Path, splits) -> None:
    with pytest.raises(InputError, match=r"card\.json: is damaged"):
        writer._pictures({"splits": splits}, tmp_path)


# ---------------------------------------------------------------------------------------------- what counts as done


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that renders blank pictures."""
    pytest.importorskip("PIL")
    bodies = {clip.subject: stick_body() for clip in CLIPS}
    monkeypatch.setattr(writer, "_stage", (writer.Stage(Blank(PIXELS), bodies, 0), "jpg"))  # type: ignore[arg-type]


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def made(place: Path) -> dict[str, bytes]:
    """A folder whose clips are rendered here, and finished."""
    recipe = {"recipe": 1, "motions": "synthetic", "splits": ["train"]}
    for clip in CLIPS:
        if not writer._is_done(place, clip):
            writer._render_clip(place, clip)
    writer._finish(place, CLIPS, recipe, VERSIONS)
    return content(place)


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize("damage", [b"", b"\xff\xd8 half"])
def test_a_picture_that_did_not_reach_the_disk_is_rendered_again(tmp_path: Path, damage: bytes) -> None:
    writer._render_clip(tmp_path, CLIPS[0])
    assert writer._is_done(tmp_path, CLIPS[0])
    next((tmp_path / "images").rglob("*.jpg")).write_bytes(damage)
    assert not writer._is_done(tmp_path, CLIPS[0])


@pytest.mark.usefixtures("stage")
def test_what_a_killed_process_left_of_its_last_files_does_not_count(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    whole = made(tmp_path / "whole")
    for folder in ("labels", "views", "."):
        (tmp_path / "killed" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "killed" / folder / ".0123456789ab.npz").write_bytes(b"PK half")
    (tmp_path / "killed" / ".ba9876543210").write_bytes(b"12ab  images/")
    assert made(tmp_path / "killed") == whole


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize("seed", range(6))
def test_a_disk_that_fills_up_anywhere_costs_nothing_but_the_work_in_hand(
    tmp_path: Path, monkeypatch, seed: int
) -> None:
    pytest.importorskip("skimage")
    whole = made(tmp_path / "whole")
    left = int(np.random.default_rng(seed).integers(sum(map(len, whole.values()))))
    monkeypatch.setattr(Path, "write_bytes", _short(Path.write_bytes, budget := [left]))
    monkeypatch.setattr("posebench.io.atomic.os.fsync", lambda descriptor: _spend(budget, os.fstat(descriptor).st_size))
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        made(tmp_path / "full")
    assert not (tmp_path / "full" / "SHA256SUMS").exists()
    monkeypatch.undo()
    bodies = {clip.subject: stick_body() for clip in CLIPS}
    monkeypatch.setattr(writer, "_stage", (writer.Stage(Blank(PIXELS), bodies, 0), "jpg"))  # type: ignore[arg-type]
    assert made(tmp_path / "full") == whole


def _spend(budget: list[int], size: int) -> None:
    budget[0] -= size
    if budget[0] < 0:
        raise OSError(errno.ENOSPC, "No space left on device")


def _short(write, budget: list[int]):
    def write_bytes(path: Path, data: bytes) -> int:
        write(path, data[: max(budget[0], 0)])
        _spend(budget, len(data))
        return len(data)

    return write_bytes


# ------------------------------------------------------------------------------------------------------------ processes


def command(out: Path, *more: str) -> list[str]:
    options = ["--size", "tiny", "--motions", "synthetic", "--pixels", str(PIXELS), "--out", str(out)]
    return ["data", "render", "open4v", *options, *more]


def test_without_egl_nothing_is_written_and_debians_packages_are_named(tmp_path: Path) -> None:
    pytest.importorskip("moderngl")
    environment = {**os.environ, "__EGL_VENDOR_LIBRARY_FILENAMES": "/nonexistent"}
    run = subprocess.run(
        [sys.executable, "-m", "posebench", *command(tmp_path / "out")],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout, len(run.stderr.splitlines())) == (2, "", 1)
    assert "apt-get install libegl1 libgl1-mesa-dri" in run.stderr
    assert not (tmp_path / "out").exists()


def test_a_machine_without_anny_has_no_folder_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL")
    monkeypatch.setattr(writer, "opengl_version", lambda: "none")
    monkeypatch.setitem(sys.modules, "anny", None)
    with pytest.raises(MissingExtraError, match="anny"):
        writer.render(tmp_path / "out", size="tiny", motions="synthetic", pixels=PIXELS)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def script(tmp_path: Path) -> list[str]:
    pytest.importorskip("moderngl")
    pytest.importorskip("skimage")
    try:
        open_context().release()
    except InputError as error:
        pytest.skip(str(error))
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return [sys.executable, str(path)]


def started(script: list[str], out: Path, **options) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen(
        [*script, *command(out, "--workers", "2")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options,
    )  # fmt: skip


def wait_for(out: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    """Until a file is there, or the process has ended."""
    while process.poll() is None and not (out.is_dir() and any(out.rglob(pattern))):
        time.sleep(0.005)


def gone_on(script: list[str], out: Path) -> dict[str, bytes]:
    """What is in a folder once the command has run to its end."""
    process = started(script, out)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    return content(out)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("pattern", ["recipe.json", "*.jpg", ".parts/train/*.npz"])
def test_ctrl_c_is_one_line_and_130_and_the_same_command_goes_on(tmp_path: Path, script, pattern: str) -> None:
    out = tmp_path / "mit Leerzeichen und ä"
    process = started(script, out, start_new_session=True)
    wait_for(out, pattern, process)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)
    assert (stdout, stderr) == ("", "posebench: interrupted\n")
    assert not (out / "SHA256SUMS").exists()
    assert gone_on(script, out) == gone_on(script, tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("pattern", ["recipe.json", "*.jpg", ".parts/train/*.npz", "labels", "views"])
def test_a_render_killed_anywhere_goes_on_to_the_same_bytes(tmp_path: Path, script, pattern: str) -> None:
    out = tmp_path / "killed"
    process = started(script, out)
    wait_for(out, pattern, process)
    process.kill()
    process.communicate(timeout=60)
    assert gone_on(script, out) == gone_on(script, tmp_path / "whole")
