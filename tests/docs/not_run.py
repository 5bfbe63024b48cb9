"""What pages show and no test runs as it stands there: why, and what runs or checks the same instead.

A command is named by its page and its beginning, a block of Python by its page and a line of it. Whatever is in neither
list is run by test_commands.py; an entry that fits nothing any more fails there.
"""

from __future__ import annotations

from dataclasses import dataclass

NETWORK = "fetches packages from the network"
LICENSED = "needs a licensed data set"
MOCAP = "needs the motion capture behind POSEBENCH_DATA, and minutes"
HOURS = "computes for minutes to hours"
SELF = "runs these very tests, or changes the environment that they run in"
PLACEHOLDER = "names a file or a model of the reader's"


@dataclass(frozen=True)
class Left:
    """One that is not run.

    page : str
        Empty: any page.
    begins : str
        The beginning of the command, or a line of the block.
    why : str
    instead : str
        File of the checkout that runs the same, on smaller or made-up data.
    """

    page: str
    begins: str
    why: str
    instead: str


COMMANDS = (
    Left("", "make demo", SELF, ".ci/run"),
    Left("", "make test", SELF, ".ci/run"),
    Left("", "make bench", HOURS, "Makefile"),
    Left("", "pip install", SELF, ".ci/run"),
    Left("docs/howto/completion.md", "posebench --", SELF, "tests/cli/test_completion.py"),
    Left("", "apt-get install", SELF, ".ci/run"),
    Left("CONTRIBUTING.md", ".venv-test/bin/", SELF, "Makefile"),
    Left(
        "README.md",
        "posebench score --pred pred_cam01_cam02.npz",
        "runs beside what the page prints",
        "tests/test_readme.py",
    ),
    Left("", "posebench data fetch", NETWORK, "tests/cli/test_data_command.py"),
    Left(
        "", "posebench data prepare", "needs videos, or pictures under a licence", "tests/cli/test_prepare_command.py"
    ),
    Left("", "posebench data render", "renders for minutes", "tests/zoo/test_end_to_end.py"),
    Left("docs/open4v.md", "posebench data verify", "needs a rendered set", "tests/zoo/test_end_to_end.py"),
    Left("", "posebench zoo labels", "needs a rendered set", "tests/zoo/test_end_to_end.py"),
    Left("docs/tables.md", "posebench zoo label-poses", "needs a rendered set", "tests/zoo/test_label_poses.py"),
    Left(
        "docs/tables.md", "posebench score --pred label-poses", "needs a rendered set", "tests/zoo/test_label_poses.py"
    ),
    Left("docs/models.md", "posebench zoo show NAME", PLACEHOLDER, "tests/cli/test_zoo_command.py"),
    Left("docs/models.md", "posebench zoo predict", "needs a rendered set", "tests/zoo/test_end_to_end.py"),
    Left("docs/models.md", "posebench score", "needs a rendered set", "tests/zoo/test_end_to_end.py"),
    Left("docs/models.md", "posebench zoo row open4v", "needs a rendered set", "tests/zoo/test_rows.py"),
    Left("docs/models.md", "posebench zoo pretrain2d", "trains for hours", "tests/zoo/test_end_to_end.py"),
    Left("docs/models.md", "posebench zoo detect", "needs a trained network", "tests/zoo/test_end_to_end.py"),
    Left("docs/models.md", "posebench zoo train", "trains for hours", "tests/zoo/test_end_to_end.py"),
    Left("docs/howto/cameras.md", "posebench zoo predict", PLACEHOLDER, "docs/extend/model.md"),
    Left("docs/convert.md", "posebench convert gt.npz world.npz", NETWORK, "tests/cli/test_convert_command.py"),
    Left("docs/convert.md", "posebench convert TS1/annot_data.mat", LICENSED, "tests/io/test_layout_3dhp.py"),
    Left("docs/conformance.md", "posebench conformance --scorer PATH", PLACEHOLDER, "docs/conformance.md"),
    Left("docs/datasets.md", "python -m posebench.datasets.survey", MOCAP, "tests/datasets/test_survey.py"),
    Left("docs/figures.md", "cd docs/figures", "the next commands run in a folder of their own", "docs/figures.md"),
    Left("docs/figures.md", "posebench figure 4", MOCAP, "tests/figures/test_figure4.py"),
    Left("docs/figures.md", "posebench figure 5", MOCAP, "tests/figures/test_figure5.py"),
    Left("docs/labels.md", "python docs/make_label_study.py", HOURS, "tests/zoo/test_evaluation.py"),
    Left("", "python benchmarks/peers.py", HOURS, "tests/docs/test_performance.py"),
    Left("", "python docs/make_performance.py --run", HOURS, "tests/docs/test_performance.py"),
    Left("docs/scaling.md", "dask ", "runs until it is stopped", "tests/scoring/test_shards_dask.py"),
    Left(
        "docs/scaling.md",
        "posebench score --pred predictions/ --gt ground_truth/ --scheduler tcp",
        "needs a scheduler on another machine",
        "tests/scoring/test_shards_dask.py",
    ),
    Left("docs/security.md", "python tests/fuzz/report.py", HOURS, "tests/fuzz/test_fuzz.py"),
    Left("docs/security.md", "python tests/fuzz/coverage_guided.py", HOURS, "tests/fuzz/test_fuzz.py"),
    Left("docs/statistics.md", "python docs/make_coverage.py", HOURS, "tests/test_statistics.py"),
    Left("docs/tables.md", "posebench table 2 --data h36m", LICENSED, "tests/tables/test_building.py"),
    Left("docs/tables.md", "posebench table 3 --run", "trains for hours", "tests/zoo/test_rows.py"),
    Left("clusters/README.md", "clusters/build.sh", MOCAP, "tests/banks/test_recipe.py"),
    Left(
        "examples/data/pose2sim/README.md",
        "python examples/make_pose2sim",
        NETWORK,
        "tests/examples/test_pose2sim_example.py",
    ),
)

PYTHON = (
    Left(
        "clusters/README.md",
        'gt = pb.read("open4v/labels/test.npz")',
        "needs a rendered set",
        "tests/banks/test_nearest.py",
    ),
    Left("docs/convert.md", 'cameras = pb.read_cameras("Calib.qca.txt")', NETWORK, "tests/test_cameras.py"),
    Left("docs/datasets.md", "clip = read_hdm05", MOCAP, "tests/datasets/test_hdm05.py"),
    Left("docs/datasets.md", 'print(locate_h36m("h36m").report)', LICENSED, "tests/datasets/test_h36m.py"),
    Left("docs/datasets.md", "train = read_3dhp_train", LICENSED, "tests/datasets/test_mpi_inf_3dhp.py"),
    Left("docs/datasets.md", "people = read_mpii", LICENSED, "tests/datasets/test_mpii.py"),
    Left("docs/datasets.md", 'views = MultiViewSet("pose2sim-crops"', NETWORK, "tests/datasets/test_views.py"),
    Left("docs/figures.md", "found = figure4.measure", MOCAP, "tests/figures/test_figure4.py"),
    Left("docs/formats.md", "for sample in mmengine.load", "needs MMPose", "tests/io/test_layout_mmpose.py"),
    Left("docs/howto/benchmarks.md", 'print(locate_h36m("h36m").report)', LICENSED, "tests/datasets/test_h36m.py"),
    Left("docs/howto/benchmarks.md", "pb.write(read_3dhp_test", LICENSED, "tests/datasets/test_mpi_inf_3dhp.py"),
    Left("docs/models.md", 'source = open_source("pictures", fov=60)', PLACEHOLDER, "docs/extend/model.md"),
    Left("docs/open4v.md", 'render("open4v"', MOCAP, "tests/zoo/test_end_to_end.py"),
)
