"""The plan of the house: what the package's source looks like, and which way its imports run."""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

import dataflow

PACKAGE = Path(dataflow.__file__).parent
# Each entry of the package's root, on its floor. A module may import from its own room and from lower floors.
FLOORS = [
    ["_core"],
    ["_compat"],  # what modules need to know their old names; those that know the modules are further up
    ["utils"],
    ["base"],
    ["_flows", "_transport", "imgaug", "raw"],
    ["_images", "_parallel", "_remote", "_storage", "common", "dataset"],
    ["format", "image", "parallel", "remote", "serialize"],
    ["parallel_map"],
    ["__init__"],
    ["_cli", "_compat.old_classes"],
    ["__main__", "_compat.as_tensorpack", "_compat.old_modules"],
]
MAX_ENTRIES_AT_THE_ROOT = 24  # py.typed and the stub not counted
MAX_LINES_OF_A_MODULE = 400
MAX_LINES_OF_A_FUNCTION = 80


# ---- reading the source


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Return the syntax tree of each module of the package, by the module's full name."""
    return {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in files()}


@functools.cache
def lazy_names() -> dict[str, str]:
    """Return the module of each name that the package loads when it is first used: its stub says so."""
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    names = {}
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), "dataflow")
            for alias in node.names:
                names[alias.name] = source if node.module else f"{source}.{alias.name}"
    return names


def what_runs(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree, except what only type checkers read."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from what_runs(child)


def imported_by(module: str) -> set[str]:
    """Return the modules of the package that a module names in imports, those inside functions included."""
    package = module if (PACKAGE.parent / module.replace(".", "/")).is_dir() else module.rpartition(".")[0]
    named = set()
    for node in what_runs(trees()[module]):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                lazy = lazy_names().get(alias.name, source) if source == "dataflow" else source
                named.add(inner if inner in trees() else lazy)
    if module == "dataflow":
        named |= set(lazy_names().values())
    return {name for name in named if name in trees() and name != module}


def packages_around(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:n]) for n in range(1, len(parts))}


def entry_of(module: str) -> str:
    """Return the entry of ``FLOORS`` that a module belongs to."""
    inside = module.removeprefix("dataflow").removeprefix(".") or "__init__"
    entries = [e for floor in FLOORS for e in floor if f"{inside}.".startswith(f"{e}.")]
    return max(entries, key=len, default=inside)


# ---- the plan


def test_the_root_has_few_entries_and_all_stand_in_the_plan() -> None:
    entries = {path.stem for path in PACKAGE.iterdir()} - {"__pycache__", "py"}
    assert entries == {entry.partition(".")[0] for floor in FLOORS for entry in floor}
    assert len(entries) <= MAX_ENTRIES_AT_THE_ROOT


def test_imports_run_one_way() -> None:
    floor_of = {entry: number for number, floor in enumerate(FLOORS) for entry in floor}
    wrong = []
    for module in trees():
        entry = entry_of(module)
        for name in imported_by(module):
            other = entry_of(name)
            if other != entry and floor_of[other] >= floor_of[entry]:
                wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_no_imports_in_a_circle() -> None:
    """An import inside a function counts: it is a circle that shows itself later."""
    graph = {}
    for module in trees():
        named = imported_by(module)
        # importing a.b.c runs a and a.b first; those around the importer itself have begun already
        around = {package for name in named for package in packages_around(name)} - packages_around(module)
        graph[module] = (named | around) - {module}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as e:
        pytest.fail("imports in a circle: " + " is imported by ".join(e.args[1]))


def test_each_module_can_be_imported_first() -> None:
    """In one interpreter, which forgets the package after each."""
    code = """
import importlib, sys, traceback
meta_path = list(sys.meta_path)
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception:
        print(name, traceback.format_exc())
    for loaded in [m for m in sys.modules if m.partition(".")[0] == "dataflow"]:
        del sys.modules[loaded]
    sys.meta_path[:] = meta_path
"""
    # these two folders are imported by other names
    names = [name.replace("._compat.old_modules", "") for name in trees() if "as_tensorpack" not in name]
    command = [sys.executable, "-W", "ignore", "-c", code, *names]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr


# ---- the style


def test_modules_and_functions_are_short() -> None:
    long = []
    for path in files():
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > MAX_LINES_OF_A_MODULE:
            long.append(f"{module_name(path)}: {lines} lines")
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_LINES_OF_A_FUNCTION:
                    long.append(f"{module}.{node.name}: {lines} lines")
    assert long == []


def is_star_import(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)


def is_assert(node: ast.AST) -> bool:
    return isinstance(node, ast.Assert)


def is_call_of_globals(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "globals"


@pytest.mark.parametrize("is_unwanted", [is_star_import, is_assert, is_call_of_globals])
def test_what_the_package_does_without(is_unwanted: Callable[[ast.AST], bool]) -> None:
    found = [
        f"{module}:{node.lineno}"  # type: ignore[attr-defined]
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if is_unwanted(node)
    ]
    assert found == []
