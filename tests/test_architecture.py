"""Rules that the whole repository keeps: who may import whom, no code run out of data, no paths of a machine."""

from __future__ import annotations

import ast
import graphlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "posebench").rglob("*.py"))
BESIDE = ("model_zoo", "examples", "benchmarks")
SHIPPED = [*MODULES, *(path for folder in BESIDE for path in sorted((ROOT / folder).rglob("*.py")))]

#: Calls that can run code found in data, by the name they are usually called by.
RUNS_CODE = {
    "eval",
    "exec",
    "marshal.load",
    "marshal.loads",
    "pickle.Unpickler",
    "pickle.load",
    "pickle.loads",
    "joblib.load",
    "pandas.read_pickle",
    "pd.read_pickle",
    "shelve.open",
    "yaml.full_load",
    "yaml.load",
    "yaml.unsafe_load",
}
#: (file, call) -> why it cannot run code found in data.
ALLOWED: dict[tuple[str, str], str] = {}

#: Folders that exist on somebody's machine only, at the start of a path.
MACHINE_PATH = re.compile(
    r"(?<![\w.~<>)\]}:/-])(?:/(?:home|root|Users|opt|work|mnt|media|srv|scratch)/\w|[A-Z]:\\Users\\)"
)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"), str(path))
    except SystemError:
        # CPython 3.11 loses count of the depth of trees when other threads, as those of Dask, compile too; once.
        return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported_when_loaded(node: ast.AST) -> Iterator[str]:
    """Full names of the modules that are imported when a module is, not when its functions run."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                continue
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from (name for other in child.orelse for name in imported_when_loaded(other))
            case ast.Import():
                yield from (alias.name for alias in child.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield from (f"{module}.{alias.name}" for alias in child.names)
            case _:
                yield from imported_when_loaded(child)


def risky_calls(module: ast.Module) -> Iterator[str]:
    """Calls and imports of RUNS_CODE, `allow_pickle` and `weights_only` set the wrong way, shells."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom):
            yield from (name for alias in node.names if (name := f"{node.module}.{alias.name}") in RUNS_CODE)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in RUNS_CODE:
                yield name
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            for option, safe in (("allow_pickle", "False"), ("weights_only", "True"), ("shell", "False")):
                if given.get(option, safe) != safe:
                    yield f"{name}({option}={given[option]})"
            if name == "torch.load" and "weights_only" not in given:
                yield name


def room(name: str) -> str:
    """The part of posebench that a module belongs to: posebench.io.csv_file -> io."""
    return name.split(".")[1] if "." in name else "posebench"


def files_of_the_repository() -> list[Path]:
    """Every file that is committed or could be: not those that git ignores."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = [git, "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, capture_output=True, check=True).stdout
    return [path for name in listing.decode().split("\0") if name and (path := ROOT / name).is_file()]


#: Modules that are imported by those who have torch already; nothing else of the library imports them.
ADAPTERS = ("posebench/torch/", "posebench/torchmetrics.py", "posebench/mmengine.py")


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_the_library_does_not_load_torch_or_the_models(path: Path) -> None:
    names = set(imported_when_loaded(parse(path)))
    loaded = {name.partition(".")[0] for name in names}
    if relative(path).startswith(ADAPTERS):
        assert "model_zoo" not in loaded
    else:
        assert loaded.isdisjoint({"torch", "torchmetrics", "mmengine", "model_zoo"})
        assert {room(name) for name in names if name.startswith("posebench.")}.isdisjoint(
            {"torch", "torchmetrics", "mmengine"}
        )


def test_the_rooms_of_the_library_import_each_other_in_one_direction() -> None:
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        inside = path.relative_to(ROOT).with_suffix("").parts
        user = inside[1] if len(inside) > 1 and inside[1] != "__init__" else "posebench"
        used = {room(name) for name in imported_when_loaded(parse(path)) if name.startswith("posebench.")}
        graph.setdefault(user, set()).update(used - {user})
    tuple(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the rooms


@pytest.mark.parametrize("path", SHIPPED, ids=relative)
def test_nothing_runs_code_that_came_with_data(path: Path) -> None:
    assert [call for call in risky_calls(parse(path)) if (relative(path), call) not in ALLOWED] == []


@pytest.mark.parametrize("path", SHIPPED, ids=relative)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(parse(path))


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    found = []
    for path in files_of_the_repository():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # binary
        hits = ((number, line) for number, line in enumerate(lines, 1) if MACHINE_PATH.search(line))
        found += [f"{relative(path)}:{number}: {line.strip()}" for number, line in hits]
    assert found == []


def test_constraints_are_plain_versions() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", pin)] == []
    assert "posebench" not in "".join(pins)
