"""The command line as a process of its own: exit codes, pipes, interrupts, help."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import posebench as pb
from posebench.resources import resource

ROOT = Path(pb.__file__).resolve().parents[1]
START = "import sys; sys.argv[0] = 'posebench'; from posebench.cli import main; main()"
COMMAND = [sys.executable, "-c", START]
SCORE = ("score", "--pred", "pred.npz", "--gt", "gt.npz")


def environment(**changes: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "120", **changes}


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    settings = {"capture_output": True, "text": True, "env": environment(), "timeout": 120, **options}
    return subprocess.run([*COMMAND, *arguments], check=False, **settings)


# Help and version


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize(
    "command",
    [
        *((), ("score",), ("compare",), ("convert",), ("demo",)),
        *(("protocols",), ("protocols", "list"), ("protocols", "show")),
        *(("bank",), *(("bank", command) for command in ("build", "list", "show", "verify", "plot"))),
        *(("data",), *(("data", command) for command in ("list", "fetch", "prepare", "render", "verify", "card"))),
        *(("figure",), *(("figure", number) for number in "456")),
        *(("published",), *(("published", command) for command in ("list", "show", "validate"))),
    ],
)
def test_every_command_answers_help(command: tuple[str, ...], flag: str) -> None:
    found = run(*command, flag)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("Usage: posebench")


def test_the_version_is_printed_alone() -> None:
    found = run("--version")
    assert (found.returncode, found.stdout, found.stderr) == (0, f"posebench {pb.__version__}\n", "")


def test_the_package_can_be_run_as_a_module(folder) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "posebench", *SCORE], capture_output=True, text=True, env=environment(), check=False
    )
    assert found.returncode == 0
    assert "MPJPE" in found.stdout


def test_help_of_score_names_every_option_of_the_contract() -> None:
    text = run("score", "--help").stdout
    for option in (
        "--pred", "--gt", "--protocol", "--metric", "--by", "--output", "--pred-unit", "--gt-unit", "--pred-skeleton",
        "--gt-skeleton", "--allow-missing", "--fail-over", "--fail-under",
    ):  # fmt: skip
        assert option in text


# Bad usage


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("score",),
        ("score", "--pred", "pred.npz"),
        ("score", "pred.npz", "gt.npz"),
        (*SCORE, "--nonsense"),
        (*SCORE, "--fps", "fast"),
        (*SCORE, "--by"),
        ("protocols", "show"),
        ("protocols", "nonsense"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_one_sentence_and_exit_code_2(folder, arguments: tuple[str, ...]) -> None:
    found = run(*arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert "Traceback" not in found.stderr
    assert found.stderr.splitlines()[-1].startswith("posebench: ")


def test_bad_input_is_one_sentence_and_exit_code_2(folder) -> None:
    found = run("score", "--pred", "nowhere.npz", "--gt", "gt.npz")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == "posebench: nowhere.npz: cannot be read: No such file or directory\n"


def test_a_failed_gate_is_exit_code_1(folder) -> None:
    found = run(*SCORE, "--fail-over", "MPJPE=1")
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1].startswith("posebench: MPJPE is ")


# Pipes and interrupts


def test_stdout_holds_the_report_and_nothing_else(folder) -> None:
    found = run(*SCORE, "--by", "action")
    assert found.returncode == 0
    assert found.stdout.startswith("scored 12 of 12 frames")
    assert "\x1b" not in found.stdout
    assert found.stdout == run(*SCORE, "--by", "action", env=environment(COLUMNS="40", FORCE_COLOR="")).stdout


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
@pytest.mark.parametrize("arguments", [SCORE, ("demo",), ("protocols", "show", "standard")], ids=lambda a: a[0])
def test_a_reader_that_has_gone_is_no_failed_check(folder, arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    found = run(*arguments, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert "Traceback" not in found.stderr
    assert "BrokenPipeError" not in found.stderr
    assert found.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_stdout_is_exit_code_2(folder) -> None:
    with open("/dev/full", "w") as full:
        found = run(*SCORE, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1].startswith("posebench: ")
    assert "Traceback" not in found.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_is_neither_success_nor_a_failed_gate(folder) -> None:
    slow = "import os, signal, posebench.scoring as s; s.score = lambda *a, **k: os.kill(os.getpid(), signal.SIGINT); "
    found = subprocess.run(
        [sys.executable, "-c", slow + START, *SCORE], capture_output=True, text=True, env=environment(), check=False
    )
    assert found.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in found.stderr
    assert found.stdout == ""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_of_any_encoding_gets_its_report(folder, encoding: str) -> None:
    found = run(*SCORE, env=environment(PYTHONIOENCODING=encoding), text=False)
    assert found.returncode == 0
    assert b"MPJPE" in found.stdout
    found.stdout.decode(encoding)


# A place that cannot be written


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions hold back")
def test_a_read_only_folder_is_named(folder) -> None:
    (folder / "locked").mkdir(mode=0o500)
    found = run(*SCORE, "-o", "locked/out.json")
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1] == "posebench: locked/out.json: cannot be written: Permission denied"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions hold back")
def test_a_file_that_may_not_be_read_is_named(folder) -> None:
    (folder / "pred.npz").chmod(0)
    found = run(*SCORE)
    assert (found.returncode, found.stderr) == (2, "posebench: pred.npz: cannot be read: Permission denied\n")


# Demo and protocols


NO_NETWORK = "import socket; socket.socket.connect = socket.create_connection = None; "


def test_the_demo_runs_anywhere_without_a_network_and_writes_nothing(tmp_path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", NO_NETWORK + START, "demo"],
        capture_output=True, text=True, env=environment(), cwd=tmp_path, check=False,
    )  # fmt: skip
    assert found.returncode == 0
    assert list(tmp_path.iterdir()) == []
    gt = resource("examples", "pose2sim", "gt.npz")
    for name in ("pred_cam01_cam02.npz", "pred_cam01_cam04.npz"):
        report = pb.score(resource("examples", "pose2sim", name), gt)
        part = found.stdout[found.stdout.index(f"{name}: ") :]
        line = next(line for line in part.splitlines() if line.startswith("MPJPE"))
        assert line.split()[1] == f"{report.metrics['MPJPE'].value:.2f}"
        assert "scored 100 of 100 frames" in part


def test_the_command_that_the_demo_ends_with_can_be_copied(tmp_path) -> None:
    import shlex

    lines = run("demo", cwd=tmp_path).stdout.splitlines()
    words = shlex.split(lines[-1])
    assert words[0] == "posebench"
    assert run(*words[1:], cwd=tmp_path).returncode == 0
    assert pb.Report.load(tmp_path / "result.json").coverage.scored == 100


def test_protocols_are_listed_with_their_hashes() -> None:
    found = run("protocols", "list")
    assert found.returncode == 0
    for name, line in zip(pb.protocol_names(), found.stdout.splitlines(), strict=True):
        protocol = pb.get_protocol(name)
        assert line.split()[:2] == [f"{name}/{protocol.version}", protocol.sha256[:12]]


def test_a_protocol_is_shown_as_yaml_that_tells_everything() -> None:
    import yaml

    shown = yaml.safe_load(run("protocols", "show", "standard").stdout)
    standard = pb.get_protocol("standard")
    assert (shown["sha256"], shown["definition"]) == (standard.sha256, standard.definition())


def test_a_protocol_that_is_shown_can_be_scored_by_when_saved(folder) -> None:
    shown = run("protocols", "show", "standard").stdout
    (folder / "mine.yaml").write_text(shown)
    found = run("protocols", "show", "mine.yaml")
    assert (found.returncode, found.stdout) == (0, shown)


def test_an_unknown_protocol_is_refused_with_those_that_are_known() -> None:
    found = run("protocols", "show", "P1")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("posebench: there is no protocol 'P1'; known are standard")
