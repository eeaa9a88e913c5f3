"""The alerting and recording rules: what they name exists, each is tested and in the runbook."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, ProcessCollector

from streams.metrics import Metrics
from streams.reference import label_names
from streams.settings import Settings
from streams.topics import Topic
from streams.worker import product_app

REPOSITORY = Path(__file__).parent.parent
PROMETHEUS = REPOSITORY / "deploy/prometheus"
GROUPS = yaml.safe_load((PROMETHEUS / "rules.yml").read_text("utf-8"))["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
TESTS = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text("utf-8"))["tests"]
CONFIGURATION = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text("utf-8"))
RUNBOOK = (REPOSITORY / "docs/runbook.md").read_text("utf-8")
OF_TARGET = {"instance", "job"}
"""Labels that Prometheus itself puts on what it scrapes."""
SEVERITIES = {"critical", "warning", "info"}
PAGE = "docs/runbook.md"


def exposed() -> dict[str, tuple[set[str], dict[str, set[str]]]]:
    """Return the labels of each sample of a worker, and the values known from the start."""
    found: dict[str, tuple[set[str], dict[str, set[str]]]] = {"up": (set(), {})}
    metrics = Metrics(CollectorRegistry())
    declared = label_names()
    for family in metrics.registry.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
        for suffix in suffixes.get(family.type, [""]):
            name = family.name + suffix
            known: dict[str, set[str]] = {}
            for sample in family.samples:
                if sample.name == name:
                    for label, value in sample.labels.items():
                        known.setdefault(label, set()).add(value)
            bounds = {"le"} if suffix == "_bucket" else set()
            found[name] = ({*declared[family.name]} | bounds, known)
    for family in ProcessCollector(registry=None).collect():
        for sample in family.samples:
            found[sample.name] = (set(), {})
    return found


EXPOSED = exposed()


def selectors(expression: str) -> list[tuple[str, dict[str, str]]]:
    """Return each metric of an expression with what is asked of its labels (`=` and `!=`)."""
    return [
        (name, dict(re.findall(r'(\w+)\s*!?=\s*"([^"]*)"', matchers)))
        for name, matchers in re.findall(
            r"\b(up|(?:hotspots|process)[_:][\w:]*)\b(?:\{([^}]*)\})?", expression
        )
    ]


def name_of(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_every_metric_and_label_that_a_rule_names_exists(rule: dict[str, Any]) -> None:
    named = selectors(rule["expr"])
    assert named
    for name, matchers in named:
        if name in RECORDED:
            assert not matchers, "what is recorded is asked for without labels here"
            continue
        labels, known = EXPOSED[name]
        assert matchers.keys() <= labels | OF_TARGET, name
        for label, value in matchers.items():
            assert value in known.get(label, {value}), (name, label)
    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"])
    available = OF_TARGET.union(*(EXPOSED[name][0] for name, _ in named if name in EXPOSED))
    for label in re.findall(r"\w+", " ".join(grouped)):
        assert label in available


def test_nothing_is_recorded_that_nobody_uses() -> None:
    used = {name for rule in RULES for name, _ in selectors(rule["expr"])}
    assert all(name in used or f"`{name}`" in RUNBOOK for name in RECORDED)


def test_rules_mean_the_job_and_the_topic_that_are_set() -> None:
    matchers = [found for rule in RULES for _, found in selectors(rule["expr"])]
    assert {found["job"] for found in matchers if "job" in found} == {
        CONFIGURATION["scrape_configs"][0]["job_name"]
    }
    assert {found["topic"] for found in matchers if "topic" in found} == {Topic.ENGAGEMENT}


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_how_bad_it_is_what_it_is_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert all(text.strip() for text in rule["annotations"].values())
    assert rule["annotations"]["runbook_url"] == f"{PAGE}#{alert.lower()}"


def test_the_runbook_has_an_entry_for_each_alert_and_no_other() -> None:
    entries = re.split(r"^### (\w+)$", re.sub(r"(?m)^## .*$", "", RUNBOOK), flags=re.MULTILINE)
    assert entries[1::2] == list(ALERTS)
    for alert, text in zip(entries[1::2], entries[2::2], strict=True):
        for part in ("**Means:**", "**Look:**", "**Do:**"):
            assert text.count(part) == 1, (alert, part)
    for severity in SEVERITIES:
        assert f"| `{severity}` |" in RUNBOOK


def test_the_runbook_names_what_is_recorded() -> None:
    assert set(re.findall(r"`(hotspots:[\w:]+)`", RUNBOOK)) == RECORDED


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_shown_to_be_silent_and_to_fire(alert: str) -> None:
    (found,) = [one for one in TESTS if one["name"] == alert]
    silent, firing = found["promql_expr_test"]
    asked = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    assert silent["expr"] == firing["expr"] == asked
    assert not silent["exp_samples"]
    assert [sample["value"] for sample in firing["exp_samples"]] == [1]


def test_compose_gives_prometheus_the_rules_that_its_configuration_names() -> None:
    mounted = COMPOSE["services"]["prometheus"]["volumes"]
    for name in ("prometheus.yml", *CONFIGURATION["rule_files"]):
        assert (PROMETHEUS / name).is_file()
        assert f"./deploy/prometheus/{name}:/etc/prometheus/{name}:ro" in mounted


def test_compose_gives_alerts_to_an_alertmanager_that_knows_them() -> None:
    (where,) = CONFIGURATION["alerting"]["alertmanagers"]
    service, port = where["static_configs"][0]["targets"][0].split(":")
    composed = COMPOSE["services"][service]
    assert composed["ports"] == [f"127.0.0.1:${{ALERTMANAGER_PORT:-{port}}}:{port}"]
    mounted = "./deploy/alertmanager/alertmanager.yml:/etc/alertmanager/alertmanager.yml:ro"
    assert mounted in composed["volumes"]
    text = (REPOSITORY / mounted.partition(":")[0]).read_text("utf-8")
    named = set(re.findall(r"\bHotspots\w+", text))
    assert named
    assert named <= ALERTS.keys()
    told = yaml.safe_load(text)
    assert told["route"]["receiver"] in {receiver["name"] for receiver in told["receivers"]}


def test_a_worker_tells_of_its_process() -> None:
    app = product_app(Settings(kafka="127.0.0.1:9", actor_key="0" * 32))
    names = {family.name for family in app.worker_metrics.registry.collect()}
    assert {"process_resident_memory_bytes", "process_start_time_seconds"} <= names


# ---- as Prometheus sees them ------------------------------------------------------------------


@pytest.fixture(scope="module")
def promtool() -> str:
    """Return the promtool of the system, such as that of Debian's package `prometheus`."""
    found = shutil.which("promtool")
    if found is None:
        reason = "promtool is not installed (Debian: apt-get install prometheus)"
        if os.environ.get("REQUIRE_PROMTOOL") == "1":
            pytest.fail(f"REQUIRE_PROMTOOL=1, but {reason}")
        pytest.skip(reason)
    return found


@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")]
)
def test_promtool_accepts(promtool: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout
