"""The dashboards: what they are made of is what is committed, and what they ask for exists.

tests/integration/test_dashboards.py asks a real Prometheus all of it.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from test_prometheus_rules import EXPOSED, RECORDED, RULES, selectors

from streams.metrics import Metrics
from streams.top_hotspots import MOST_NAMED

REPOSITORY = Path(__file__).parent.parent
GRAFANA = REPOSITORY / "deploy/grafana"
PAGES = {path.stem: json.loads(path.read_text("utf-8")) for path in GRAFANA.glob("dashboards/*")}
PANELS: list[tuple[str, dict[str, Any]]] = [
    (name, panel) for name, page in PAGES.items() for panel in page["panels"]
]
PICTURES = [(name, panel) for name, panel in PANELS if panel["type"] != "row"]
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text("utf-8"))


def title_of(value: object) -> str | None:
    return f"{value['title']}" if isinstance(value, dict) else None


def test_what_is_committed_is_what_the_code_makes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, GRAFANA / "generate.py", tmp_path], check=True, timeout=120)
    made = {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text("utf-8") for path in GRAFANA.glob("dashboards/*")}
    assert made == kept, "run: python deploy/grafana/generate.py"


@pytest.mark.parametrize(("name", "panel"), PICTURES, ids=title_of)
def test_every_panel_says_what_it_shows_and_asks_for_what_there_is(
    name: str, panel: dict[str, Any]
) -> None:
    assert panel["description"].endswith((".", ")")), name
    for target in panel["targets"]:
        named = selectors(target["expr"])
        assert named
        for metric, matchers in named:
            if metric in RECORDED:
                continue
            labels, known = EXPOSED[metric]
            assert matchers.keys() <= labels | {"job", "instance"}, metric
            for label, value in matchers.items():
                assert value in known.get(label, {value}), (metric, label)
        shown = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
        given = set().union(*(EXPOSED[m][0] for m, _ in named if m in EXPOSED))
        assert shown <= given | {"instance", "topic", "agent"}


def test_every_metric_of_a_worker_is_on_a_dashboard_or_in_a_rule() -> None:
    asked = [target["expr"] for _, panel in PICTURES for target in panel["targets"]]
    asked += [rule["expr"] for rule in RULES]
    named = {name for expression in asked for name, _ in selectors(expression)}
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
    for family in Metrics(CollectorRegistry()).registry.collect():
        names = {family.name + suffix for suffix in suffixes.get(family.type, [""])}
        assert names & named or family.type == "info", family.name


def test_panels_do_not_overlap_and_fit_the_width() -> None:
    for name, page in PAGES.items():
        taken: set[tuple[int, int]] = set()
        for panel in page["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert not cells & taken, (name, panel["title"])
            assert at["x"] + at["w"] <= 24
            taken |= cells


def test_grafana_is_given_its_data_and_its_dashboards() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
    providers = yaml.safe_load((GRAFANA / "provisioning/dashboards/hotspots.yml").read_text())
    (source,) = sources["datasources"]
    service, port = source["url"].removeprefix("http://").split(":")
    assert COMPOSE["services"][service]["ports"][0].endswith(f":{port}")
    asked = {target["datasource"]["uid"] for _, panel in PICTURES for target in panel["targets"]}
    assert asked == {source["uid"]}
    (provider,) = providers["providers"]
    assert set(COMPOSE["services"]["grafana"]["volumes"]) >= {
        "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro",
        f"./deploy/grafana/dashboards:{provider['options']['path']}:ro",
    }
    assert len({page["uid"] for page in PAGES.values()}) == len(PAGES)


def test_the_dashboard_says_how_many_are_named() -> None:
    assert f"Only the {MOST_NAMED} hotspots" in PAGES["hotspots-now"]["description"]
