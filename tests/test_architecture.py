"""The layers of docs/how-it-works.md: which may import, print and start programs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import wizard
from tests.test_startup import HEAVY

ROOT = Path(wizard.__file__).parent
PAGE = ROOT.parent / "docs/how-it-works.md"
MODULES = {
    ".".join(("wizard", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): ast.parse(path.read_text("utf-8"))
    for path in sorted(ROOT.rglob("*.py"))
}
# Packages that know one subject, and not the command line.
KNOWLEDGE = ("librechat", "auth0", "tunnels")
SURFACE = ("cli", "cli_options", "commands", "steps", "ui", "execution", "ports", "doctor", "demo")
# Modules that use a standard stream, and why.
STREAMS = {
    "wizard.ui.console": "what users read",
    "wizard.ui.prompts": "what users are asked",
    "wizard.cli": "its encoding, before anything is written",
    "wizard.cli_options": "--version, beside other options",
    "wizard.__main__": "--version, before anything is imported",
    "wizard.execution": "asks whether a person watches",
    "wizard.system.streams": "opens those that are missing, and flushes them",
    "wizard.system.supervisor": "why a program cannot be started, in that program's place",
    "wizard.steps.background.process": "the pipe between a run and its tunnel in the background",
}
# Modules that start programs, and why.
STARTERS = {
    "wizard.system.processes": "the port for all others",
    "wizard.system.supervisor": "the process that outlives us by design",
    "wizard.steps.background.tunnel": "the tunnel in the background",
}


# Modules that need a costly package at import; all others import it inside functions.
COSTLY = {
    "wizard.demo.endpoints",
    "wizard.demo.tokens",
    "wizard.tunnels.certificates",
    "wizard.tunnels.connections",
    "wizard.tunnels.proxy",
}


def imports(tree: ast.AST) -> Iterator[str]:
    """Return what a module imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)


IMPORTS = {name: set(imports(tree)) for name, tree in MODULES.items()}


def house(module: str) -> str:
    """Return the package, or the module directly in `wizard`."""
    return module.split(".")[1] if "." in module else ""


def assert_no_cycle(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_packages_have_no_import_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for name, imported in IMPORTS.items():
        inside = {house(each) for each in imported if each.startswith("wizard.")}
        graph.setdefault(house(name), set()).update(inside - {house(name)})

    assert_no_cycle(graph)


def test_modules_have_no_import_cycle() -> None:
    assert_no_cycle({name: imported & MODULES.keys() for name, imported in IMPORTS.items()})


def test_the_diagram_matches_the_imports() -> None:
    """Each arrow is an import, and each import follows from the arrows."""
    diagram = PAGE.read_text("utf-8").split("```mermaid")[2].split("```")[0]
    plain = re.sub(r"\[.*?\]", "", diagram)
    drawn = {
        (before, after)
        for befores, after in re.findall(r"(\w+(?: & \w+)*) --> (\w+)", plain)
        for before in befores.split(" & ")
    }
    nodes = {node for arrow in drawn for node in arrow} - {"base"}
    code = {
        (house(name), house(each))
        for name, imported in IMPORTS.items()
        for each in imported
        if {house(name), house(each)} <= nodes and house(name) != house(each)
    }

    assert {arrow for arrow in drawn if arrow[1] != "base"} <= code
    assert code <= reachable(drawn)


def reachable(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the arrows and their transitive closure."""
    while more := {(a, d) for a, b in arrows for c, d in arrows if b == c} - arrows:
        arrows |= more
    return arrows


def test_the_system_is_below_all_else() -> None:
    of_system = [imported for name, imported in IMPORTS.items() if house(name) == "system"]
    ours = set().union(*of_system) & MODULES.keys()

    assert {each for each in ours if house(each) != "system"} == {"wizard.language"}


@pytest.mark.parametrize("package", KNOWLEDGE)
def test_subject_packages_do_not_import_the_command_line(package: str) -> None:
    others = {*SURFACE, *KNOWLEDGE} - {package}
    wrong = [
        f"{name} imports {each}"
        for name, imported in IMPORTS.items()
        for each in imported
        if house(name) == package and each.startswith("wizard.") and house(each) in others
    ]

    assert not wrong


@pytest.mark.parametrize("package", ["doctor", "demo"])
def test_rules_and_demo_do_not_import_the_terminal(package: str) -> None:
    imported = {
        house(each)
        for name, found in IMPORTS.items()
        if house(name) == package
        for each in found
        if each.startswith("wizard.")
    }

    assert not imported & {"cli", "commands", "ui", "execution", "ports"}


def test_only_entry_points_import_the_command_line() -> None:
    importers = {name for name, imported in IMPORTS.items() if "wizard.cli" in imported}

    assert importers == {"wizard.__main__"}


def test_only_the_console_writes() -> None:
    writers = {
        name
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name)
        and ast.unparse(node) in {"print", "sys.stdout", "sys.stderr", "typer.echo"}
    }

    assert writers == STREAMS.keys()


def test_only_listed_modules_start_programs() -> None:
    starters = {
        name
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func)
        in {"subprocess.run", "subprocess.Popen", "subprocess.call", "os.system", "os.popen"}
    }

    assert starters == STARTERS.keys()


def test_only_listed_modules_change_an_env() -> None:
    """The callers show every line that is removed, and ask before they save."""
    savers = {
        name
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and re.search(r"store\.save$", ast.unparse(node))
    }

    assert savers == {"wizard.steps.change"}


def test_costly_packages_are_imported_inside_functions() -> None:
    at_once = {
        name: {
            each
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for each in imports(node)
        }
        for name, tree in MODULES.items()
    }
    importers = {
        name
        for name, imported in at_once.items()
        if imported & COSTLY or {each.split(".")[0] for each in imported} & set(HEAVY)
    }

    assert importers == COSTLY


@pytest.mark.parametrize("module", MODULES)
def test_each_module_docstring_states_its_purpose(module: str) -> None:
    said = ast.get_docstring(MODULES[module])

    assert said
    assert said.splitlines()[0].endswith((".", "`", ":"))


def test_functions_classes_and_parameter_lists_stay_small() -> None:
    too_large = []
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and lines(node) > 200:
                too_large.append(f"{module}.{node.name}: {lines(node)} lines")
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if lines(node) > 40:
                    too_large.append(f"{module}.{node.name}: {lines(node)} lines")
                if (number := len(parameters(node))) > 6:
                    too_large.append(f"{module}.{node.name}: {number} parameters")
    assert too_large == []


def lines(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the names of a function's parameters, without `self` and `cls`."""
    given = node.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in names if name not in {"self", "cls"}]
