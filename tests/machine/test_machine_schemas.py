"""What commands write as JSON is what the schemas say, and the schemas are where they are looked for."""

import importlib
import json
import pkgutil
from pathlib import Path

import click
import msgspec
import pytest
from jsonschema import Draft202012Validator
from machine_support import ADDRESS, make_project, strict, written
from project_support import PASSWORDS

from ekomi_reconcile import render
from ekomi_reconcile.cli.fmt import schema_names, schema_text
from ekomi_reconcile.cli.main import app, run
from ekomi_reconcile.model.document import JsonObject
from ekomi_reconcile.model.review import Period, ReviewStatistics
from ekomi_reconcile.plan.document import PlanDocument
from ekomi_reconcile.render.events import TYPES
from ekomi_reconcile.render.json_schemas import DOCUMENTS, LISTS
from ekomi_reconcile.render.reviews import ListedStatistics, statistics_json
from ekomi_reconcile.sandbox.server import SandboxServer

SCHEMAS = Path(__file__).parents[2] / "schemas"
OUTPUTS = {
    "validate": ["validate", "--format", "json"],
    "plan": ["plan", "--format", "json"],
    "accounts-list": ["accounts", "list", "--format", "json"],
    "accounts-show": ["accounts", "show", "Germany", "--format", "json"],
    "accounts-check": ["accounts", "check", "--format", "json"],
    "invitations-list": ["invitations", "list", "--format", "json"],
    "invitations-show": ["invitations", "show", "1", "--format", "json"],
    "invitations-history": ["invitations", "history", "1", "--format", "json"],
    "reviews-list": ["reviews", "list", "--format", "json"],
    "reviews-stats": ["reviews", "stats", "--format", "json"],
    "reviews-funnel": ["reviews", "funnel", "--by", "account", "--format", "json"],
    "errors": ["errors", "--format", "json"],
    "analyze": ["analyze", "--format", "json"],
    "backtest": ["backtest", "--format", "json"],
    "test-results": ["test", "--format", "json"],
    "test-mutants": ["test", "--mutate", "--format", "json"],
    "orders-inspect": ["orders", "inspect", "orders.jsonl", "--format", "json"],
    "explain": ["explain", "100000001", "--format", "json"],
    "doctor": ["doctor", "--format", "json"],
    "state-list": ["state", "list", "--format", "json"],
    "state-show": ["state", "show", "Germany", "--format", "json"],
    "state-history": ["state", "history", "--format", "json"],
    "state-check": ["state", "check", "--format", "json"],
    "state-format": ["state", "migrate", "--format", "json"],
    "state-mv": ["state", "mv", "Germany", "Deutschland", "--dry-run", "--format", "json"],
    "state-init": ["state", "init", "--format", "json"],
    "state-mv-source": [
        *("--config", "renamed.yaml"),
        *("state", "mv-source", "default", "eu", "--dry-run", "--format", "json"),
    ],
    "state-accept-loss": ["state", "accept-loss", "--since", "1h", "--dry-run", "--format", "json"],
    "state-rm": ["state", "rm", "Germany", "--dry-run", "--format", "json"],
    "lock": ["lock", "show", "--format", "json"],
    "suppress-add": ["suppress", "add", ADDRESS, "@example.org", "--format", "json"],
    "suppress-list": ["suppress", "list", "--format", "json"],
    "suppress-remove": ["suppress", "remove", "@example.org", "--format", "json"],
    "privacy-export": ["privacy", "export", ADDRESS],
    "invitations-mark-sent": ["invitations", "mark-sent", "past.csv", "--keep-going", "--format", "json"],
    "state-backup": ["state", "backup", "--out", "copy.db", "--format", "json"],
    "state-restore": ["state", "restore", "copy.db", "--format", "json"],
    "state-migrate": ["state", "migrate", "moved.db", "--format", "json"],
    "privacy-erase": ["privacy", "erase", ADDRESS, "--format", "json"],
    "version": ["version", "--json"],
}
"""Every schema and a command that writes such a document, in an order in which each has something to say."""

LIKE_ANOTHER = {
    "invitations-skip": "invitations-show",
    "invitations-unskip": "invitations-show",
    "invitations-push": "invitations-show",
    "invitations-retry": "invitations-show",
    "invitations-resolve": "invitations-show",
    "lock-show": "lock",
    "force-unlock": "lock",
    "state-push": "state-restore",
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What each command wrote, in a project that has applied once, not without trouble."""
    found = {}
    with pytest.MonkeyPatch.context() as patch, SandboxServer() as server:
        patch.setenv("NO_PROXY", "*")
        for interface_id, password in PASSWORDS.items():
            patch.setenv(f"PASSWORD_{interface_id}", password)
        patch.setenv("PASSWORD_28376", "not-the-password")
        project = make_project(tmp_path_factory.mktemp("lived"), server.url)
        code, text = written(project, "apply", "--auto-approve", "--no-send")
        assert code == 1, text
        for name, command in OUTPUTS.items():
            changed = [
                str(project.folder / each) if each in {"moved.db", "orders.jsonl"} else each
                for each in command
            ]
            found[name] = written(project, *changed)[1]
    return found


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", [*OUTPUTS])
def test_outputs_fit_their_schemas(outputs, name):
    """Every key that is written is in the schema, and every key of the schema is written."""
    document = json.loads(outputs[name])
    strict(name).validate(document)
    assert document or name == "reviews-funnel", "an empty list proves nothing"
    assert isinstance(document, list) or document["format_version"].startswith("1.")


def test_every_schema_has_an_output():
    """Nothing is described that is not written; the files and the events have tests of their own."""
    assert set(OUTPUTS) == set(schema_names()) - {"account", "project", "events", "state", "test"}


def test_every_output_has_a_schema():
    """A command that writes JSON has a schema of its name."""
    wanted = {LIKE_ANOTHER.get(name, name) for name in _writers(app, "")}
    assert wanted - set(schema_names()) == set()


def test_every_schema_of_an_output_has_a_struct():
    """What is published is declared as a struct; the files and the state have declarations of their own."""
    assert {*LISTS, *DOCUMENTS, "plan", "events"} == set(schema_names()) - {
        "account",
        "project",
        "state",
        "test",
    }


def test_every_struct_is_in_a_schema():
    """What is declared as part of an output is published, as itself or by what inherits from it."""
    for module in pkgutil.iter_modules(render.__path__, f"{render.__name__}."):
        importlib.import_module(module.name)
    roots = [*LISTS.values(), *DOCUMENTS.values(), *TYPES.values(), PlanDocument]
    published = set(_structs(msgspec.inspect.multi_type_info(roots)))
    published |= {parent for kind in published for parent in kind.__mro__}
    declared = {kind for kind in _heirs(JsonObject) if kind.__module__.startswith("ekomi_reconcile.")}
    assert len(declared) > 40
    assert declared - published == set()


def _heirs(kind):
    for heir in kind.__subclasses__():
        yield heir
        yield from _heirs(heir)


def _structs(part):
    if isinstance(part, msgspec.inspect.StructType):
        yield part.cls
    if isinstance(part, list | tuple):
        for each in part:
            yield from _structs(each)
    elif isinstance(part, msgspec.inspect.Type | msgspec.inspect.Field):
        for name in part.__struct_fields__:
            yield from _structs(getattr(part, name))


def test_statistics_of_a_product_fit_their_schema():
    """How many reviews are answered is not known of a product: the schema allows `null` for it."""
    found = ListedStatistics(
        account="Germany", by=Period.MONTH, found=ReviewStatistics(interface_id="28374"), product_id="BK-1"
    )
    document = msgspec.to_builtins(statistics_json(found))
    assert document["answered"] is None
    strict("reviews-stats").validate([document])


def _writers(group, prefix):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _writers(command, f"{prefix}{name}-")
        elif any("--json" in each.opts or _offers_json(each) for each in command.params):
            yield f"{prefix}{name}"


def _offers_json(option):
    return "--format" in option.opts and "json" in option.type.choices


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", schema_names())
def test_schemas_are_committed_as_printed(name, capsys):
    """schemas/ holds what the command prints, it is a valid schema, and says which version it is of."""
    assert run(["schema", name]) == 0
    printed = capsys.readouterr().out
    assert (SCHEMAS / f"{name}.schema.json").read_text("utf-8") == printed, "run: python -m tools.generate"
    Draft202012Validator.check_schema(json.loads(printed))


def test_no_schema_is_left_over():
    """Every committed schema is one that the command knows."""
    assert {path.name.removesuffix(".schema.json") for path in SCHEMAS.iterdir()} == set(schema_names())


def test_an_unknown_schema_is_a_usage_error(capsys):
    """It says what there is."""
    assert run(["schema", "nothing"]) == 64
    assert "accounts-list" in capsys.readouterr().err


def test_lists_tell_their_version_in_the_schema():
    """An array has no place for a version: it stands in the id and the title of its schema."""
    schema = json.loads(schema_text("accounts-list"))
    assert schema["type"] == "array"
    assert schema["$id"] == "urn:ekomi-reconcile:schema:accounts-list:1"
    assert schema["title"] == "ekomi-reconcile accounts list, format 1.0"
