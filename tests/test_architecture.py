"""Does the layout keep its promises? Import order, no circles, size of functions."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parent.parent
LONGEST_FUNCTION = 60
LONGEST_FILE = 400


def test_imports_point_down_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contracts of pyproject.toml hold."""
    monkeypatch.chdir(ROOT)
    assert lint_imports(is_debug_mode=False, cache_dir=None) == EXIT_STATUS_SUCCESS


def test_only_the_entry_and_the_types_of_the_compiler_are_open() -> None:
    """Its contract forbids the others to all packages above: a new module is to be named there."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in contracts if each["name"] == "the compiler is reached by its entry and its types")
    inside = {path.stem for path in (ROOT / "accelsim" / "lowering").iterdir() if path.name[0] not in "_."}
    assert set(contract["forbidden_modules"]) == {f"accelsim.lowering.{name}" for name in inside - {"compile", "ir"}}
    (layers,) = (each["layers"] for each in contracts if each["type"] == "layers")
    above = layers[1 : layers.index("accelsim.lowering | accelsim.machine")]
    assert set(contract["source_modules"]) == {name for layer in above for name in layer.split(" | ")}


def test_functions_and_files_are_short() -> None:
    """A function fits a screen, a file is about one thing."""
    for path in sorted((ROOT / "accelsim").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= LONGEST_FILE, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                assert node.end_lineno - node.lineno < LONGEST_FUNCTION, f"{path}: {node.name}"


def test_only_the_command_line_knows_its_options() -> None:
    """No text or docstring elsewhere names one: the same mistakes and tables are met from Python."""
    for path in sorted((ROOT / "accelsim").rglob("*.py")):
        if path.is_relative_to(ROOT / "accelsim" / "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.search(r"(?<![\w-])--\w", node.value), f"{path}:{node.lineno}"


def folders_of_code(folder: Path) -> set[str]:
    """Folders below one, two levels deep, that have Python files of more than a docstring, by their path."""
    files = (
        path.relative_to(folder) for path in folder.rglob("*.py") if path.read_text(encoding="utf-8").count("\n") > 1
    )
    return {str(Path(*file.parts[:-1][:2])) for file in files if file.parts[:-1]}


def test_tests_mirror_the_package() -> None:
    """A folder of the package that has code has a folder of tests of the same name."""
    tested = {str(path.parent.relative_to(ROOT / "tests")) for path in (ROOT / "tests").rglob("test_*.py")}
    code = folders_of_code(ROOT / "accelsim")
    assert len(code) > 20
    assert {name for name in code if not any(Path(each).is_relative_to(name) for each in tested)} == set()


KERNELS = {"Requester"}
"""Names that the kernels of DRAM and caches share: each has its own, compiled."""


def type_names(module: ast.Module) -> Iterator[str]:
    """Names of the classes of a module, nested ones too, and of its types."""
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in module.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        yield from (each.id for each in targets if isinstance(each, ast.Name) and re.match("_?[A-Z]+[a-z]", each.id))


def test_a_type_has_a_name_of_its_own() -> None:
    """One name has one meaning. Classes of files are named as their keys, and importers speak of other formats."""
    found: dict[str, Path] = {}
    for path in sorted((ROOT / "accelsim").rglob("*.py")):
        if path.relative_to(ROOT).parts[1] in ("config", "importers"):
            continue
        for name in {each.lstrip("_") for each in type_names(ast.parse(path.read_text(encoding="utf-8")))} - KERNELS:
            assert name not in found, f"{path}: {name} is of {found[name]}, too"
            found[name] = path


def module_names() -> dict[str, Path]:
    """All modules of the package, by dotted name."""
    found = {}
    for path in (ROOT / "accelsim").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(node: ast.AST, known: dict[str, Path]) -> Iterator[str]:
    """Modules of the package that are imported here or below, in functions too, but not for type checkers alone."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        for child in node.orelse:
            yield from imported(child, known)
        return
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names)
    if isinstance(node, ast.ImportFrom):
        assert not node.level, "imports are absolute"
        for name in node.names:
            full = f"{node.module}.{name.name}"
            yield full if full in known else str(node.module)
    for child in ast.iter_child_nodes(node):
        yield from imported(child, known)


def test_no_files_import_each_other_in_a_circle() -> None:
    """Inside packages, too, and by imports that stand in functions."""
    known = module_names()
    graph = {
        name: {each for each in imported(ast.parse(path.read_text(encoding="utf-8")), known) if each in known} - {name}
        for name, path in known.items()
    }
    assert len(graph) > 150
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
