"""The shipped definitions: every name in them exists, and every command of a recipe is one that posebench takes."""

from __future__ import annotations

import shlex
from collections import Counter

import pytest
import typer
import yaml

from model_zoo.rows import facts as row_facts
from model_zoo.rows import get_row, list_rows
from posebench.cli.app import app
from posebench.errors import InputError, UsageError
from posebench.protocols import get_protocol
from posebench.published import published_result, published_results
from posebench.tables.definitions import NUMBERS, definition, read_recipe, recipe_of, recipes
from posebench.tables.marks import column_of
from tests.tables.results import facts

RECIPES = recipes()


@pytest.mark.parametrize("number", NUMBERS)
def test_every_published_entry_has_a_column_of_its_row(number: int) -> None:
    table = definition(number)
    ids = [id for line in table.lines for id in line.published]
    assert max(Counter(ids).values()) == 1
    for line in table.lines:
        columns = [column_of(published_result(id).metric, table.columns) for id in line.published]
        assert None not in columns
        assert len(set(columns)) == len(columns)


@pytest.mark.parametrize("number", NUMBERS)
def test_every_number_that_is_known_of_a_table_of_the_paper_is_in_it(number: int) -> None:
    ids = {id for line in definition(number).lines for id in line.published}
    of_table = {
        entry.id
        for entry in published_results(method="EpipolarPose")
        for source in entry.sources
        if source.document is not None and source.document.key == "epipolarpose" and source.table == f"table {number}"
    }
    assert of_table <= ids


def test_every_number_on_human36m_stands_in_one_of_the_tables() -> None:
    ids = [id for number in NUMBERS for line in definition(number).lines for id in line.published]
    assert {entry.id for entry in published_results(dataset="h36m")} <= set(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_table_has_a_protocol_and_runs_for_each_data_set(number: int) -> None:
    table = definition(number)
    for data, on in table.data.items():
        get_protocol(on.protocol)
        asked = [line.runs[data][0] for line in table.lines if data in line.runs]
        assert asked
        assert {name for name in asked if "*" not in name} <= set(RECIPES)


def test_there_is_no_fifth_table() -> None:
    with pytest.raises(UsageError, match="there is no table 5; the paper's are 1, 2, 3, 4"):
        definition(5)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_commands_of_a_recipe_are_ones_that_posebench_takes(name: str) -> None:
    for command in RECIPES[name].commands:
        program, *words = shlex.split(command.replace("{seed}", "0"))
        assert program == "posebench"
        group = typer.main.get_command(app)
        context = typer.Context(group)
        while hasattr(group, "get_command"):
            inner = group.get_command(context, words[0])
            assert inner is not None, f"there is no command {words[0]}"
            group, words = inner, words[1:]
        group.make_context(name, list(words))  # raises on an option that does not exist, or is missing


@pytest.mark.parametrize("name", [name for name in sorted(RECIPES) if "zoo row" in RECIPES[name].commands[-1]])
def test_a_recipe_says_of_a_row_what_the_zoo_says(name: str) -> None:
    assert name in list_rows()
    row = get_row(name)
    assert (row.supervision, row.config) == (RECIPES[name].supervision, RECIPES[name].config)


@pytest.mark.parametrize("name", [name for name in list_rows() if name.startswith("open4v-small")])
def test_what_a_row_of_the_zoo_writes_beside_its_results_is_read(tmp_path, name: str) -> None:
    path = tmp_path / name / "run.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(row_facts(get_row(name), [0, 1])), "utf-8")
    recipe = read_recipe(path)
    assert (recipe.seeds, recipe.supervision) == ((0, 1), get_row(name).supervision)
    assert recipe.commands[0].startswith(f"posebench zoo row {name} ")


def test_what_a_run_yaml_leaves_open_is_that_of_the_recipe_of_its_name(tmp_path) -> None:
    path = tmp_path / "open4v-small-lite0-ss" / "run.yaml"
    path.parent.mkdir()
    said = facts("open4v-small-lite0-ss", gt_root_depth=None, gt_intrinsics=False)
    path.write_text(yaml.safe_dump(said), "utf-8")
    recipe = read_recipe(path)
    assert (recipe.gt_root_depth, recipe.gt_intrinsics) == (True, False)
    assert recipe.source_2d == "pre-training-domain"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "A B"}, "name is 'A B', expected lower-case letters"),
        ({"description": 3}, "description is 3, expected text"),
        ({"commands": "posebench"}, "commands is 'posebench', expected a list of texts"),
        ({"supervision": ["3d"]}, "supervision is .'3d'., expected a list of none, 2d"),
        ({"gt_root_depth": "yes"}, "gt_root_depth is 'yes', expected true, false or unknown"),
        ({"source_2d": "net"}, "source_2d is 'net', expected one of ground-truth"),
        ({"seeds": [0, 0]}, "seeds is .0, 0., expected a list of whole numbers from 0, each once"),
        ({"seeds": [True]}, "seeds is .True., expected a list of whole numbers"),
        ({"data": None}, "data is missing; docs/tables.md shows a whole file"),
        ({"speed": 1}, "there is no field 'speed'; known are name, description"),
    ],
)
def test_a_wrong_field_of_a_run_is_named(changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=f"^run.yaml: {words}"):
        recipe_of({k: v for k, v in {**facts("a"), **changes}.items() if v is not None}, "run.yaml")


def test_a_recipe_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected the fields name, .*, commands, found list"):
        recipe_of([1], "run.yaml")


def test_a_run_yaml_in_a_folder_of_another_name_is_refused(tmp_path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(facts("other")), "utf-8")
    with pytest.raises(InputError, match="name is 'other', expected that of its folder"):
        read_recipe(path)
