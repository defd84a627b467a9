"""The shape of the code: who may know whom, and what the documents say of it."""

import ast
import graphlib
import importlib
import inspect
import re
import textwrap
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "ekomi_reconcile"
MUST_NOT_KNOW = {
    "config": {"state", "orders", "ekomi", "apply", "render", "cli", "sandbox"},
    "model": {"config", "state", "orders", "ekomi", "apply", "plan", "render", "cli", "sandbox", "rules"},
    "analysis": {"config", "state", "orders", "ekomi", "apply", "plan", "render", "cli", "sandbox"},
    "rule_tests": {"state", "ekomi", "apply", "render", "cli", "sandbox"},
    "rules": {"config", "state", "orders", "ekomi", "apply", "render", "cli", "sandbox"},
    "plan": {"ekomi", "orders", "render", "cli", "apply", "sandbox"},
    "apply": {"render", "cli", "sandbox"},
    "orders": {"ekomi", "state", "apply", "plan", "render", "cli", "sandbox"},
    "http": {
        "config",
        "rules",
        "plan",
        "orders",
        "ekomi",
        "state",
        "apply",
        "reconcile",
        "render",
        "cli",
        "sandbox",
    },
    "sent_import": {"ekomi", "apply", "render", "cli", "sandbox"},
    "privacy": {"config", "state", "orders", "ekomi", "apply", "render", "cli", "sandbox"},
    "service": {"config", "state", "orders", "plan", "render", "cli", "sandbox"},
    "reconcile": {"render", "cli", "sandbox"},
    "doctor": {"render", "cli", "sandbox"},
    "ekomi": {"plan", "state", "apply", "render", "cli", "sandbox"},
    "state": {"cli", "render", "apply", "ekomi", "orders", "sandbox"},
    "render": {"state", "ekomi", "orders", "apply", "cli", "sandbox"},
    "notify": {"state", "orders", "ekomi", "apply", "plan", "render", "cli", "sandbox", "rules"},
    "report": {"orders", "ekomi", "apply", "plan", "render", "cli", "sandbox", "rules", "config"},
    "formatting": {"state", "orders", "ekomi", "apply", "plan", "render", "cli", "sandbox", "rules"},
    "scaffold": {"state", "orders", "ekomi", "apply", "plan", "render", "cli", "sandbox", "rules"},
    "sandbox": {"config", "ekomi", "apply", "plan", "state", "render", "cli", "orders", "rules", "model"},
}


@cache
def modules():
    """Every module with its tree."""
    return [(path, ast.parse(path.read_text("utf-8"))) for path in sorted(SOURCE.rglob("*.py"))]


def imported(tree):
    """The packages of this project that a module imports."""
    for node in ast.walk(tree):
        names = [each.name for each in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name}" for name in names]
        for name in names:
            if name.startswith("ekomi_reconcile."):
                yield name.split(".")[1]


def test_a_package_knows_only_what_it_may():
    """The direction of flow is the one that the architecture draws."""
    found = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path, tree in modules()
        for name in imported(tree)
        if name in MUST_NOT_KNOW.get(path.relative_to(SOURCE).with_suffix("").parts[0], ())
    }
    assert found == set()


def import_graph():
    """Each module with those that it imports, in functions too; imports for type checking do not count."""
    trees = {".".join(path.relative_to(ROOT).with_suffix("").parts): tree for path, tree in modules()}
    trees = {name.removesuffix(".__init__"): tree for name, tree in trees.items()}
    graph = {}
    for name, tree in trees.items():
        typing = {
            id(inner)
            for block in ast.walk(tree)
            if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
            for inner in ast.walk(block)
        }
        targets = {
            target
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and id(node) not in typing
            for target in [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        }
        graph[name] = (targets & trees.keys()) - {name}
    return graph


def test_no_modules_import_each_other():
    """There is an order in which every module stands after those that it imports."""
    try:
        graphlib.TopologicalSorter(import_graph()).prepare()
    except graphlib.CycleError as cycle:
        pytest.fail(" -> ".join(cycle.args[1]))


def test_a_module_is_read_in_one_sitting():
    """No module has more than 400 lines."""
    lengths = {
        path.relative_to(SOURCE).as_posix(): path.read_text("utf-8").count("\n") for path, _ in modules()
    }
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_modules_are_subjects_not_crumbs():
    """At most 240 modules; outside of `cli/` at most 10 that define something have fewer than 50 lines."""
    assert len(modules()) <= 240
    short = [
        path
        for path, tree in modules()
        if path.name != "__init__.py"
        and path.parent.name != "cli"
        and path.read_text("utf-8").count("\n") < 50
    ]
    assert len(short) <= 10


def test_imports_are_a_small_part_of_the_code():
    """At most 7.5 % of the lines that are neither empty nor comments."""
    texts = [path.read_text("utf-8") for path, _ in modules()]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    code = sum(bool(line) and not line.startswith("#") for line in lines)
    imports = sum(
        node.end_lineno - node.lineno + 1
        for _, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    )
    assert imports <= 0.075 * code


def test_no_class_is_wide_or_deep():
    """A class has at most 25 public methods, those of its bases included, and three bases of this project."""
    classes = {
        node.name: node for _, tree in modules() for node in tree.body if isinstance(node, ast.ClassDef)
    }

    def lineage(name):
        bases = [getattr(base, "id", getattr(base, "attr", "")) for base in classes[name].bases]
        return {name}.union(*(lineage(base) for base in bases if base in classes and base != name))

    def methods(name):
        own = (node.name for node in classes[name].body if isinstance(node, ast.FunctionDef))
        return {each for each in own if not each.startswith("_")}

    wide = {name for name in classes if len(set().union(*map(methods, lineage(name)))) > 25}
    assert wide == set()
    assert {name for name in classes if len(lineage(name)) > 4} == set()


def test_libraries_neither_print_nor_exit():
    """Only the command line writes to the terminal and ends the process."""
    calls = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in modules()
        if path.relative_to(SOURCE).parts[0] not in ("cli", "__main__.py", "config")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("print", "exit", "quit")
    }
    assert calls == set()


def test_broad_excepts_stand_at_the_outermost_edge_only():
    """Nothing is swallowed: the one broad except is where the process ends."""
    broad = {
        path.relative_to(SOURCE).as_posix()
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
    }
    assert broad <= {"cli/main.py"}


def test_every_error_stands_in_the_tree():
    """The drawing at the top of model/errors.py names every class below it."""
    text = (SOURCE / "model" / "errors.py").read_text("utf-8")
    drawn = set(re.findall(r"^[│├└─ ]*([A-Z][A-Za-z]+)", text.split('"""')[1], re.MULTILINE))
    assert set(re.findall(r"^class (\w+)", text, re.MULTILINE)) <= drawn


def test_decisions_are_numbered_without_gaps():
    """Decision records count from 0001."""
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_project_speaks_only_of_itself():
    """No absolute path of a machine and no registry host stands in code or documents."""
    hosts = re.compile(r"/work/|/home/\w|/root/|pypi\.org|files\.pythonhosted|registry\.npmjs|deb\.debian")
    kinds = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".json", ""}
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("ekomi_reconcile", "docs", "accounts.d", "schemas", "benchmarks", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix in kinds and hosts.search(path.read_text("utf-8", "replace"))
    ]
    found += [
        name
        for name in ("README.md", "CHANGELOG.md", "constraints.txt")
        if hosts.search((ROOT / name).read_text())
    ]
    assert found == []


@cache
def classes():
    """Every class of a module with its package, and the names of its public fields and properties."""
    return [
        (path.relative_to(SOURCE).parts[0], node, frozenset(public_fields(node)))
        for path, tree in modules()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def base_names(node):
    """The names of a class's bases, without their modules."""
    return {getattr(base, "id", getattr(base, "attr", "")) for base in node.bases}


def public_fields(node):
    """The annotated public names of a class, and the properties of a protocol."""
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            name = each.target.id
        elif isinstance(each, ast.FunctionDef) and "Protocol" in base_names(node) and each.decorator_list:
            name = each.name
        else:
            continue
        if not name.startswith("_"):
            yield name


def test_class_names_are_used_once():
    """A class name means one thing in the whole package."""
    names = Counter(node.name for _, node, _ in classes())
    assert len(repeated := {name for name, count in names.items() if count > 1}) <= 5, repeated


def test_records_are_declared_once_in_the_model():
    """State, plan, rendering and report use the records of the model instead of declaring their fields again.

    The JSON objects of the outputs are formats of their own: their times are text, and they may not follow
    every change of a record.
    """
    records = [(node.name, fields) for package, node, fields in classes() if package == "model"]
    copies = {
        f"{package}: {node.name} repeats {name}"
        for package, node, fields in classes()
        if package in ("state", "plan", "render", "report") and "JsonObject" not in base_names(node)
        for name, known in records
        if len(fields & known) >= 5 and (fields <= known or known <= fields)
    }
    assert copies == set()


def test_no_two_records_have_the_same_fields():
    """One concept is one class, wherever it is declared."""
    found: dict[frozenset[str], set[str]] = {}
    for _, node, fields in classes():
        if len(fields) >= 5 and "JsonObject" not in base_names(node):
            found.setdefault(fields, set()).add(node.name)
    assert [names for names in found.values() if len(names) > 1] == []


def classes_of_the_state():
    """Every class below state/."""
    for path in sorted((SOURCE / "state").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        module = importlib.import_module(name.removesuffix(".__init__"))
        for found in vars(module).values():
            if isinstance(found, type) and found.__module__ == module.__name__:
                yield found


def lineage_in_the_project(found):
    """A class and its bases, as far as they are of this project."""
    return [each for each in found.__mro__ if each.__module__.startswith("ekomi_reconcile.")]


def public_names(found):
    """What a class and its bases offer, with what their objects are given."""
    names = set()
    for each in lineage_in_the_project(found):
        names |= {*vars(each), *getattr(each, "__annotations__", {})}
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(each)))):
            stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            if stored and getattr(node.value, "id", "") == "self":
                names.add(node.attr)
    return {name for name in names if not name.startswith("_")}


def test_the_state_is_composed_of_narrow_classes():
    """No class below state/ offers more than 25 names, nor inherits from more than two of this project."""
    found = list(classes_of_the_state())
    assert len(found) > 20
    assert {each.__name__ for each in found if len(public_names(each)) > 25} == set()
    assert {each.__name__ for each in found if len(lineage_in_the_project(each)) > 3} == set()
