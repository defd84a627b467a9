"""Alert rules and dashboard: their metrics exist, their queries parse, alerts fire when they should."""

import json
import re
import subprocess

import pytest
import yaml
from docs_blocks import DOCS
from docs_commands import check_flags
from prometheus_client.parser import text_string_to_metric_families
from required_programs import program

from ekomi_reconcile.ekomi import Call, CallOutcome
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.run import Result
from ekomi_reconcile.service import CycleOutcome, FinishedCycle, Metrics

FOLDER = DOCS / "deploy" / "monitoring"
RULES = FOLDER / "prometheus-rules.yaml"
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text("utf-8"))
ALERTS = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
NOW = 1_800_000_000


FRESH = "0+60x600"
"""A timestamp that is always now, in series that begin at 0 and have a sample per minute."""

QUEUE = 'ekomi_reconcile_queue{account="Germany", status="%s"}'
CASES = {
    "EkomiReconcileNoSuccess": (
        {"last_success_timestamp_seconds": "1+0x600", "last_cycle_timestamp_seconds": "1+60x600"},
        {"last_success_timestamp_seconds": FRESH, "last_cycle_timestamp_seconds": "1+60x600"},
    ),
    "EkomiReconcileNotRunning": (
        {"last_cycle_timestamp_seconds": "1+0x600"},
        {"last_cycle_timestamp_seconds": FRESH},
    ),
    "EkomiReconcileNeverReported": ({"queue": "0+0x600"}, {"last_cycle_timestamp_seconds": FRESH}),
    "EkomiReconcileRunFailed": (
        {'cycle_outcome{outcome="failed"}': "1+0x600"},
        {'cycle_outcome{outcome="failed"}': "0x29 1 0x600", 'cycle_outcome{outcome="ok"}': "1+0x600"},
    ),
    "EkomiReconcileFailures": ({"cycle_failures": "2+0x600"}, {"cycle_failures": "0x200 3x30 0x400"}),
    "EkomiReconcileOverdue": ({"oldest_due_seconds": "7260+60x600"}, {"oldest_due_seconds": "7100+0x600"}),
    "EkomiReconcileUnknownInvitations": (
        {'queue{account="Germany", status="unknown"}': "1+0x600"},
        {'queue{account="Germany", status="unknown"}': "0+0x600", 'queue{status="failed"}': "9+0x600"},
    ),
    "EkomiReconcileFailedInvitations": (
        {'queue{account="Germany", status="failed"}': "5+1x600"},
        {'queue{account="Germany", status="failed"}': "500+0x600"},
    ),
    "EkomiReconcileSendBurst": (
        {'queue{account="Germany", status="sent"}': "0x270 4000x330"},
        {'queue{account="Germany", status="sent"}': "90000+10x600"},
    ),
}
"""For each alert: series (without the prefix) that let it fire after five hours, and others that do not."""


@pytest.fixture(scope="module")
def metrics():
    """The names and labels of everything that a service reports once it has done one of each."""
    served = Metrics()
    served.cycle(FinishedCycle(outcome=CycleOutcome.OK, began_at=NOW, ended_at=NOW + 1))
    served.did(Result())
    served.queue({"Germany": {Status.PENDING: 1}}, oldest_due=None, now=NOW)
    served.call(Call("getSnapshot", 0.1, CallOutcome.OK, 200))
    families = text_string_to_metric_families(served.text().decode())
    found = {}
    for sample in (each for family in families for each in family.samples):
        values = found.setdefault(sample.name, {})
        for label, value in sample.labels.items():
            values.setdefault(label, set()).add(value)
    return found


def queries():
    """Every expression of the rules and the dashboard, with what it belongs to."""
    yield from ((each["alert"], each["expr"]) for each in ALERTS)
    for panel in DASHBOARD["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])


@pytest.mark.parametrize(("name", "query"), list(queries()))
def test_each_query_is_about_metrics_that_exist(name, query, metrics):
    """Names, labels and the values of labels are those of /metrics."""
    used = re.findall(r"(ekomi_reconcile_\w+)(?:\{([^}]*)\})?", query)
    assert used
    for metric, labels in used:
        assert metric in metrics, name
        for label, operator, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', labels):
            if label != "job":
                assert operator == "="
                assert value in metrics[metric][label], name
    for group in re.findall(r"by \(([^)]*)\)", query):
        assert set(group.split(", ")) <= set().union(*(metrics[metric] for metric, _ in used)), name


def test_prometheus_reads_every_expression(tmp_path):
    """The rules pass promtool, and so does the dashboard, each query as a rule."""
    records = [
        {"record": f"panel:{number}", "expr": query.replace("$job", ".*")}
        for number, (_, query) in enumerate(queries())
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": records}]}))
    done = subprocess.run(
        [program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", str(RULES), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout


def test_each_alert_fires_when_it_should(tmp_path):
    """By Prometheus itself: each alert fires for its series, and not for others that are close to it."""
    assert {each["alert"] for each in ALERTS} == set(CASES)
    tests = []
    for alert, (wrong, right) in CASES.items():
        for series, firing in ((wrong, True), (right, False)):
            given = [{"series": f"ekomi_reconcile_{key}", "values": values} for key, values in series.items()]
            tests.append(
                {
                    "interval": "1m",
                    "input_series": given,
                    "promql_expr_test": [
                        {
                            "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)',
                            "eval_time": "5h",
                            "exp_samples": [{"labels": "{}", "value": int(firing)}],
                        }
                    ],
                }
            )
    file = tmp_path / "alerts.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout


def test_alerts_name_commands_that_exist():
    """Each says what to do, and the commands that it names can be typed."""
    for alert in ALERTS:
        text = alert["annotations"]["description"]
        for command in re.findall(r"ekomi-reconcile ([a-z][^.,;]*)$", text):
            check_flags(command.split())
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert alert["annotations"]["summary"]


def test_the_dashboard_can_be_imported():
    """Panels have ids of their own and do not overlap; data source and job are chosen, not built in."""
    panels = DASHBOARD["panels"]
    assert len({each["id"] for each in panels}) == len(panels) > 10
    places = [
        (x, y)
        for grid in (each["gridPos"] for each in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(set(places)) == len(places)
    assert all(0 <= x < 24 for x, _ in places)
    sources = {json.dumps(target["datasource"]) for each in panels for target in (each, *each["targets"])}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource", "job"]
