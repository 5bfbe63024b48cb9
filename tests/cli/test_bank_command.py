"""`posebench bank`: files in, banks and cards out; what is listed, shown, verified; what is refused; what resumes."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn

import posebench as pb
from posebench.banks import ClusterBank, bank_names, find_bank
from posebench.banks.recipe import Plan
from posebench.cli import bank as command
from posebench.datasets import CMU_ATTRIBUTION, CMU_LICENCE, HDM05_ATTRIBUTION, HDM05_LICENCE
from posebench.protocols import get_protocol
from posebench.resources import resource
from tests.cli.conftest import Run, refused
from tests.support.mocap import clip_text, written
from tests.support.poses import people

N = 60
FAST = ("--n-init", 1, "--max-iter", 20)


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    """The working directory, with gt.npz of sixty poses in the camera reference in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POSEBENCH_DATA", raising=False)
    pb.write(gt_set(), "gt.npz")
    return tmp_path


@pytest.fixture
def build(posebench, place):
    """`posebench bank build` on gt.npz, fast."""

    def run(*arguments: object, gt: object = "gt.npz", k: object = 3, name: str = "mine") -> Run:
        return posebench("bank", "build", "--gt", gt, "-k", k, "--name", name, *FAST, *arguments)

    return run


@pytest.fixture
def mine(build) -> str:
    """The path of a bank."""
    assert build().code == 0
    return "mine-k3.npz"


def gt_set(**facts) -> pb.PoseSet:
    poses = people(np.random.default_rng(3), N)
    given = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", "sequence": ["a"] * 30 + ["b"] * 30}
    return pb.PoseSet(poses, **{**given, **facts})


def spoil(path: str) -> None:
    """Change one byte of a bank's card that changes its meaning."""
    card = Path(path).with_suffix(".json")
    card.write_bytes(card.read_bytes().replace(b'"split": ""', b'"split": "x"'))


# build


def test_a_bank_is_built_of_a_file(build) -> None:
    found = build("--seed", 7, "--split", "all of it", "--source", "Mine|CC0-1.0|nobody")
    assert (found.code, found.err) == (0, "")
    bank = ClusterBank.load("mine-k3.npz")
    again = ClusterBank.build(gt_set(), k=3, seed=7, n_init=1, max_iter=20)
    assert bank.sha256 == again.sha256
    assert (bank.name, bank.card.split, bank.card.sources[0].name) == ("mine-k3", "all of it", "Mine")
    assert found.out == (
        f"mine-k3.npz: 3 centres of 60 poses, lloyd, {bank.card.kmeans.iterations} iterations, converged, "
        f"centres {bank.sha256[:12]}\n"
    )


def test_every_k_and_every_seed_is_a_bank_of_its_own(build) -> None:
    found = build("-k", 2, "-k", 3, "--seeds", 2)
    assert found.code == 0
    names = ["mine-k3", "mine-k3-seed1", "mine-k2", "mine-k2-seed1"]
    assert [line.partition(".npz")[0] for line in found.out.splitlines()] == names
    banks = [ClusterBank.load(f"{name}.npz") for name in names]
    assert [(bank.name, bank.k, bank.card.kmeans.seed) for bank in banks] == [
        ("mine-k3", 3, 0), ("mine-k3-seed1", 3, 1), ("mine-k2", 2, 0), ("mine-k2-seed1", 2, 1),
    ]  # fmt: skip


def test_every_option_reaches_the_card(build) -> None:
    found = build(
        "--joints", "pelvis,head,LWrist", "--centring", "mean", "--stride", 2, "--min-distance", 0.01, "--tol", 0.01,
        "--algorithm", "lloyd", "--canonical", "--skeleton", "h36m17",
    )  # fmt: skip
    assert found.code == 0
    card = ClusterBank.load("mine-k3.npz").card
    assert card.layout.joints == ("pelvis", "head", "LWrist")
    assert (card.layout.root, card.layout.reference) == (None, "canonical")
    assert (card.thinning.stride, card.thinning.min_distance) == (2, 0.01)
    assert (card.poses.given, card.poses.used) == (60, 30)
    assert (card.kmeans.n_init, card.kmeans.max_iter, card.kmeans.tol) == (1, 20, 0.01)


def test_files_can_be_shards(build) -> None:
    for start, name in ((0, "a.npz"), (25, "b.npz")):
        pb.write(gt_set()[slice(start, start + 35 if start else 25)], name)
    whole = build().code == 0 and ClusterBank.load("mine-k3.npz")
    assert build("--jobs", 1, "--checkpoint", "state", gt="[ab].npz", name="cut").code == 0
    bank = ClusterBank.load("cut-k3.npz")
    np.testing.assert_allclose(bank.centres, whole.centres, rtol=0, atol=1e-9)
    assert [file.name for file in bank.card.files] == ["a.npz", "b.npz"]
    assert "--algorithm sharded --init k-means++" in bank.card.command
    again = build("--algorithm", "sharded", "--jobs", 1, "--checkpoint", "state", gt="[ab].npz", name="cut")
    assert "cut-k3.npz is built already, by this very command from these files" in again.err
    drawn = build("--init", "k-means||", "--jobs", 1, gt="[ab].npz", name="drawn")
    assert (drawn.code, ClusterBank.load("drawn-k3.npz").card.kmeans.init) == (0, "k-means||")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_workers_of_dask_build_the_same_bytes(build) -> None:
    pytest.importorskip("distributed")
    for start, name in ((0, "a.npz"), (25, "b.npz")):
        pb.write(gt_set()[slice(start, start + 35 if start else 25)], name)
    for folder, arguments in (("here", ("--jobs", 1)), ("far", ("--jobs", 2, "--scheduler", "local"))):
        Path(folder).mkdir()
        assert build("--init", "k-means||", "-o", folder, *arguments, gt="[ab].npz").code == 0
    for name in ("mine-k3.npz", "mine-k3.json"):
        assert Path("here", name).read_bytes() == Path("far", name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--jobs", 2, "--algorithm", "lloyd"), "--jobs and --scheduler are for --algorithm sharded, not for lloyd"),
        (("--scheduler", "local", "--algorithm", "minibatch"), "not for minibatch"),
        (("--scheduler", "tcp://h:1", "--jobs", 2), "--jobs is for processes on this machine; a scheduler"),
        (("--init", "k-means||"), "init k-means|| is for algorithm sharded"),
    ],
)
def test_what_shards_alone_can_have_is_refused_elsewhere(build, arguments, words: str) -> None:
    refused(build(*arguments), words)


def test_mini_batches_can_be_asked_for(build) -> None:
    assert "minibatch, 3 iterations, centres " in build("--algorithm", "minibatch").out


def test_notes_go_to_stderr_and_onto_the_card(build) -> None:
    pb.write(gt_set(skeleton=None), "nameless.npz")
    found = build(gt="nameless.npz")
    assert found.err.splitlines() == [
        "posebench: note: skeleton of nameless.npz assumed: h36m17",
        "posebench: note: the cards name no source; say where the poses come from with --source",
    ]
    assert ClusterBank.load("mine-k3.npz").card.notes == ("skeleton of nameless.npz assumed: h36m17",)


def test_clips_below_a_folder_are_seen_by_cameras(build, place, monkeypatch) -> None:
    for name in ("07_01.bvh", "07_02.bvh"):
        written(place / "data", clip_text({}, *({"LeftArm": 9 * i} for i in range(8))), name)
    monkeypatch.setenv("POSEBENCH_DATA", str(place / "data"))
    found = build("--cameras", "h36m-like", gt="data/cmu-mocap/bvh")
    assert found.code == 0
    assert "rest pose" in found.err
    card = ClusterBank.load("mine-k3.npz").card
    assert (card.poses.given, card.layout.reference, len(card.files)) == (64, "camera", 2)
    assert card.sources[0].name.startswith("CMU")
    assert '--gt "$POSEBENCH_DATA"/cmu-mocap/bvh ' in card.command


def test_the_command_on_the_card_builds_the_same_bytes_again(build, posebench, place) -> None:
    options = ("--source", "It's mine|CC0-1.0|", "--joints", "pelvis,head,LWrist", "--seeds", 2, "--canonical")
    assert build(*options, "--split", "all & everything", "--gt-reference", "camera").code == 0
    banks = [Path(f"mine-k3{seed}.npz") for seed in ("", "-seed1")]
    before = [path.read_bytes() + path.with_suffix(".json").read_bytes() for path in banks]
    words = shlex.split(ClusterBank.load(banks[1]).card.command)
    assert words[:3] == ["posebench", "bank", "build"]
    for path in banks:
        path.unlink()
    assert posebench(*words[1:]).code == 0
    assert before == [path.read_bytes() + path.with_suffix(".json").read_bytes() for path in banks]


def test_no_path_of_this_machine_stands_on_a_card(build, place) -> None:
    (place / "mine.yaml").write_text(Path(pb.__file__).with_name("skeletons").joinpath("lsp14.yaml").read_text())
    pb.write(pb.PoseSet(people(np.random.default_rng(3), N)[:, :14], unit="mm", reference="camera"), "lsp.npz")
    found = build("--skeleton", place / "mine.yaml", "--centring", "mean", gt=place / "lsp.npz")
    assert found.code == 0
    text = Path("mine-k3.json").read_text()
    assert str(place) not in text
    assert "--gt lsp.npz" in text
    assert "--skeleton mine.yaml" in text


def test_banks_go_to_the_folder_that_is_named(build, place) -> None:
    (place / "clusters").mkdir()
    found = build("-o", "clusters")
    assert found.out.startswith("clusters/mine-k3.npz: ")
    assert sorted(path.name for path in (place / "clusters").iterdir()) == ["mine-k3.json", "mine-k3.npz"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-k", 1), ("k is 1, expected a whole number from 2",)),
        (("--joints", "pelvis,tail"), ("no joint 'tail'",)),
        (("--centring", "hips"), ("centring is 'hips'",)),
        (("--cameras", "h36m"), ("there are no cameras 'h36m'; known is h36m-like",)),
        (("--cameras", "h36m-like"), ("gt.npz is in the camera reference", "leave it out")),
        (("--algorithm", "elkan"), ("expected one of auto, lloyd, minibatch",)),
        (("--seeds", 0), ("--seeds 0: expected a number from 1",)),
        (("--stride", 0), ("stride is 0",)),
        (("--min-distance", 5), ("min_distance is 5.0",)),
        (("--source", "CMU"), ("expected name|licence|attribution",)),
        (("--skeleton", "centaur"), ("there is no skeleton 'centaur'",)),
        (("--gt", "gt.npz"), ("gt.npz is given twice",)),
        (("--gt", "nowhere"), ("nowhere: cannot be read: No such file",)),
        (("-o", "nowhere"), ("nowhere/mine-k3.npz: cannot be written: No such file or directory: nowhere",)),
        (("--checkpoint", "gt.npz"), ("gt.npz: File exists",)),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_sentence_before_any_work(build, place, arguments, words) -> None:
    refused(build(*arguments), *words)
    assert not list(place.glob("mine*"))


def test_too_few_poses_are_refused(build) -> None:
    found = build("--source", "Mine|CC0-1.0|", k=61)
    refused(found, "60 of 60 poses can be clustered, too few for 61")


def test_a_name_that_leads_elsewhere_is_refused(build) -> None:
    refused(build(name="../mine"), "the card: name is '../mine-k3'")


def test_an_input_is_never_replaced(build, place) -> None:
    (place / "gt.npz").rename(place / "mine-k3.npz")
    refused(build(gt="mine-k3.npz"), "mine-k3.npz: cannot be written: it is the input")


# Interruptions


def test_an_interrupted_build_goes_on_where_it_was(build, monkeypatch, place) -> None:
    options = ("--seeds", 2, "--n-init", 3, "--tol", 0)
    assert build(*options).code == 0
    whole = {path.name: path.read_bytes() for path in place.glob("mine*")}
    for name in whole:
        (place / name).unlink()

    built: list[str] = []
    runs: set[int] = set()
    stop_in_run = 2

    def build_noted(self, *arguments, **options):
        built.append(self.name)
        return plan_build(self, *arguments, **options)

    def interrupting(_show: object):
        def progress(step) -> None:
            runs.add(step.run)
            if built[-1] == "mine-k3-seed1" and step.run == stop_in_run:
                raise KeyboardInterrupt

        return progress

    plan_build = Plan.build
    monkeypatch.setattr(Plan, "build", build_noted)
    monkeypatch.setattr(command, "_fitting", interrupting)
    stopped = build(*options, "--checkpoint", "state")
    assert stopped.code == 130
    assert "posebench: the same command goes on from what is in state" in stopped.err.splitlines()
    assert [path.name for path in Path("state").iterdir()] == ["mine-k3-seed1.npz"]
    assert not Path("mine-k3-seed1.npz").exists()

    built.clear()
    runs.clear()
    stop_in_run = 0
    finished = build(*options, "--checkpoint", "state")
    assert finished.code == 0
    assert "mine-k3.npz is built already, by this very command from these files" in finished.err
    assert built == ["mine-k3-seed1"]
    assert runs == {2, 3}  # of the three runs the first was done
    assert {path.name: path.read_bytes() for path in place.glob("mine*")} == whole
    assert not list(Path("state").iterdir())


def test_without_a_checkpoint_a_bank_is_built_anew(build, mine) -> None:
    first = Path(mine).stat().st_mtime_ns
    found = build()
    assert "built already" not in found.err
    assert Path(mine).stat().st_mtime_ns > first


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_ends_the_process_with_130(place) -> None:
    start = (
        "import sys, os, signal; sys.argv[0] = 'posebench'; import posebench.banks.recipe as recipe; "
        "recipe.Plan.build = lambda *a, **k: os.kill(os.getpid(), signal.SIGINT); "
        "from posebench.cli import main; main()"
    )
    found = subprocess.run(
        [sys.executable, "-c", start, "bank", "build", "--gt", "gt.npz", "-k", "3", "--name", "mine"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode in (130, -signal.SIGINT)
    assert found.stdout == ""
    assert "Traceback" not in found.stderr


# Progress


def test_progress_is_shown_on_a_terminal_only(build, monkeypatch) -> None:
    shown: list[tuple[str, float, float, str]] = []

    class Bar:
        def __init__(self, label: str) -> None:
            self.label = label

        def __enter__(self):
            return lambda done, total, words: shown.append((self.label, done, total, words))

        def __exit__(self, *error: object) -> None:
            pass

    monkeypatch.setattr("posebench.cli.progress.step_bar", Bar)
    assert build().code == 0
    assert shown[:2] == [("reading", 0, 1, "0 of 1 files"), ("reading", 1, 1, "1 of 1 files")]
    assert shown[2] == ("mine-k3", 1 / 20, 1, "run 1 of 1, iteration 1")


def test_a_bar_moves_on_a_terminal(monkeypatch) -> None:
    import io

    from posebench.cli.progress import step_bar

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with step_bar("reading") as show:
        assert show is not None
        show(1, 2, "1 of 2 files")
    assert "1 of 2 files" in terminal.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with step_bar("reading") as show:
        assert show is None


# list and show


def test_shipped_banks_are_listed_one_a_line(posebench) -> None:
    found = posebench("bank", "list")
    assert (found.code, found.err) == (0, "")
    for name, line in zip(bank_names(), found.out.splitlines(), strict=True):
        bank = find_bank(name)
        cells = re.split(r" {2,}", line.strip())
        joints = f"{len(bank.layout.joints)} of h36m17"
        assert cells == [
            name,
            f"k={bank.k}",
            joints,
            bank.layout.reference,
            str(bank.card.poses.used),
            bank.sha256[:12],
        ]


def test_a_card_is_shown_as_text(posebench, mine) -> None:
    found = posebench("bank", "show", mine)
    card = ClusterBank.load(mine).card
    assert found.code == 0
    lines = found.out.splitlines()
    assert lines[0] == "mine-k3: 3 centres of 17 joints of h36m17"
    assert lines[1] == "reference   camera; each pose centred on pelvis and divided by its Frobenius norm"
    shown = {line[:12].strip(): line[12:] for line in lines[1:]}
    assert shown["viewing"] == "as the files give them"
    assert shown["poses"] == "60 of 60; 0 thinned out, 0 with masked joints, 0 degenerate"
    assert shown["files"] == "1: gt.npz"
    assert shown["command"] == card.command
    for value in (card.hashes.centres, card.hashes.input, card.sha256):
        assert value in found.out
    assert all(joint in found.out for joint in card.layout.joints)


def test_a_card_is_shown_as_json(posebench, mine) -> None:
    found = posebench("bank", "show", mine, "--json")
    assert json.loads(found.out) == json.loads(Path("mine-k3.json").read_text())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_card_can_be_shown_on_a_terminal_of_any_encoding(build, encoding) -> None:
    assert build("--source", "Müller – 测|CC0-1.0|").code == 0
    start = "import sys; sys.argv[0] = 'posebench'; from posebench.cli import main; main()"
    for option in ([], ["--json"]):
        found = subprocess.run(
            [sys.executable, "-c", start, "bank", "show", "mine-k3.npz", *option],
            capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}, check=False,
        )  # fmt: skip
        assert (found.returncode, found.stderr) == (0, b"")
        found.stdout.decode(encoding)


def test_a_bank_that_does_not_exist_is_refused(posebench, place) -> None:
    refused(posebench("bank", "show", "nonsense"), "there is no bank 'nonsense'; known are ")
    refused(posebench("bank", "show", "nowhere.npz"), "nowhere.json: cannot be read: No such file or directory")


# verify


def test_banks_that_are_as_they_were_written_pass(posebench, build) -> None:
    assert build("-k", 2).code == 0
    found = posebench("bank", "verify", "mine-k3.npz", "mine-k2.npz")
    assert (found.code, found.err) == (0, "")
    banks = [ClusterBank.load(f"mine-k{k}.npz") for k in (3, 2)]
    assert found.out.splitlines() == [
        f"mine-k{bank.k}.npz: as it was written, {bank.k} centres {bank.sha256[:12]}" for bank in banks
    ]


def test_a_bank_that_was_changed_fails_in_one_sentence_and_the_others_are_verified(posebench, build) -> None:
    assert build("-k", 2).code == 0
    spoil("mine-k3.npz")
    found = posebench("bank", "verify", "mine-k3.npz", "mine-k2.npz")
    assert found.code == 1
    assert found.out.startswith("mine-k2.npz: as it was written")
    assert found.err.startswith("posebench: mine-k3.json: sha256.card is ")
    assert len(found.err.splitlines()) == 1


def test_half_a_bank_fails(posebench, mine) -> None:
    Path("mine-k3.json").unlink()
    found = posebench("bank", "verify", mine)
    assert (found.code, found.out) == (1, "")
    assert found.err == "posebench: mine-k3.json: cannot be read: No such file or directory\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name the banks to verify, or say --all"),
        (("--all", "mine-k3.npz"), "name the banks to verify, or say --all"),
        (("nowhere.npz",), "nowhere.npz: cannot be read: No such file or directory"),
        (("nonsense",), "there is no bank 'nonsense'"),
    ],
)
def test_what_is_no_bank_cannot_be_verified(posebench, place, arguments, words) -> None:
    refused(posebench("bank", "verify", *arguments), words)


# plot


def test_the_centres_are_drawn(posebench, mine) -> None:
    found = posebench("bank", "plot", mine, "-o", "centres.svg")
    assert (found.code, found.out) == (0, "centres.svg: 3 centres of mine-k3\n")
    assert Path("centres.svg").read_text().startswith("<?xml")
    refused(posebench("bank", "plot", mine, "-o", "centres.txt"), "centres.txt: a figure cannot be written")


# The banks that ship

OF_OPEN4V = {"open4v-k50", "open4v-k100"}
OF_CMU = sorted(set(bank_names()) - OF_OPEN4V)


def test_the_banks_of_the_standard_protocol_ship() -> None:
    names = {f"cmu-{layout}-k{k}" for layout in ("h36m17", "mpii16", "h36m17-canonical") for k in (50, 100)}
    names |= {f"cmu-h36m17-k{k}-seed{seed}" for k in (50, 100) for seed in range(1, 5)}
    assert names | OF_OPEN4V == set(bank_names())


def test_the_banks_that_ship_are_as_they_were_written(posebench) -> None:
    found = posebench("bank", "verify", "--all")
    assert (found.code, found.err) == (0, "")
    assert len(found.out.splitlines()) == len(bank_names())


@pytest.mark.parametrize("name", OF_CMU)
def test_a_shipped_bank_says_where_it_comes_from_and_how_to_make_it_again(name: str) -> None:
    card = find_bank(name).card
    assert card.kmeans.converged
    assert card.sources and all(source.attribution for source in card.sources)
    assert card.split
    assert "4 cameras" in card.viewing
    assert '"$POSEBENCH_DATA"/' in card.command
    used = [word.strip('"') for word in card.command.split() if word.startswith('"$')]
    assert used and all("/0" in word for word in used)


@pytest.mark.parametrize("name", sorted(OF_OPEN4V))
def test_a_bank_of_open4v_names_the_terms_of_both_databases(name: str) -> None:
    card = find_bank(name).card
    assert card.kmeans.converged
    (cmu, hdm05) = card.sources
    assert (cmu.licence, cmu.attribution) == (CMU_LICENCE, CMU_ATTRIBUTION)
    assert hdm05.licence.startswith(f"{HDM05_LICENCE};") and hdm05.attribution == HDM05_ATTRIBUTION
    assert card.command.startswith("posebench bank build --gt labels/train.npz ")
    assert set(get_protocol("open4v").banks) == set(get_protocol("open4v-wild").banks) == OF_OPEN4V


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")
@pytest.mark.parametrize(("rendered", "names"), [(False, OF_CMU), (True, sorted(OF_OPEN4V))], ids=["cmu", "open4v"])
def test_the_script_that_builds_the_shipped_banks_runs_the_commands_on_their_cards(
    posebench, place, monkeypatch, rendered: bool, names: list[str]
) -> None:
    recorder = place / "bin" / "posebench"
    recorder.parent.mkdir()
    recorder.write_text(
        f'#!/bin/sh\nfor word; do printf "%s\\n" "$word" >> "{place}/words"; done\necho >> "{place}/words"\n'
    )
    recorder.chmod(0o755)
    monkeypatch.setenv("POSEBENCH_DATA", str(place))
    path = os.pathsep.join((str(recorder.parent), os.environ["PATH"]))
    settings = {"PATH": path, "OPEN4V": str(place) if rendered else ""}
    subprocess.run(["sh", str(resource("clusters", "build.sh")), "."], env={**os.environ, **settings}, check=True)

    if rendered:  # which the script unsets, so that no card depends on it
        monkeypatch.delenv("POSEBENCH_DATA")
    commands: dict[str, str] = {}
    monkeypatch.setattr("posebench.banks.recipe.gt_files", lambda paths: list(paths))
    monkeypatch.setattr(command, "_run", lambda jobs, *_: commands.update({j.plan.name: j.plan.command for j in jobs}))
    for block in (place / "words").read_text().strip().split("\n\n"):
        assert posebench(*block.split("\n")).code == 0
    assert commands == {name: find_bank(name).card.command for name in names}


@pytest.mark.slow
@pytest.mark.mocap
def test_the_centres_of_a_shipped_bank_come_out_again(posebench, place, mocap_root: Path, monkeypatch) -> None:
    shipped = find_bank("cmu-h36m17-canonical-k50").card
    if (np.__version__, sklearn.__version__) != (shipped.versions["numpy"], shipped.versions["scikit-learn"]):
        pytest.skip("the bank was made by other versions")
    monkeypatch.setenv("POSEBENCH_DATA", str(mocap_root))
    words = shlex.split(os.path.expandvars(shipped.command.replace(" -k 100 ", " ")))
    assert posebench(*words[1:]).code == 0
    again = ClusterBank.load("cmu-h36m17-canonical-k50.npz").card
    assert (again.hashes, again.files, again.poses) == (shipped.hashes, shipped.files, shipped.poses)
