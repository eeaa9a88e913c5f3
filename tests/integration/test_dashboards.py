"""Every query of every dashboard has an answer: a real Prometheus that scrapes a real worker."""

import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_demo import demo, environment, traces, wait_for

from streams.local.kafka import EmbeddedKafka
from streams.local.processes import free_ports

pytestmark = pytest.mark.kafka

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
SCRAPE_S = 1
RATE_INTERVAL = "1m"
"""What Grafana would put for `$__rate_interval`: four scrapes at the least."""
PATIENCE_S = 60.0
SILENT_IN_THE_DEMO = {
    "Calibration": "no forecast is learned: a demo's week ends before enough has matured",
    "Loss": "as above",
    "Attempts": "nobody is told by a hook; tests/integration/test_hooks_kafka.py sees the figures",
    "Alerts of a route": "as above",
    "Waiting for another attempt": "as above",
}
"""Panels that stay empty here, and why; tests/models and tests/simulation see their figures."""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Start Prometheus with our rules; yield where it answers and the port that it scrapes."""
    program = shutil.which("prometheus")
    if program is None:
        reason = "Prometheus is not installed (Debian: apt-get install prometheus)"
        if os.environ.get("REQUIRE_PROMTOOL") == "1":
            pytest.fail(f"REQUIRE_PROMTOOL=1, but {reason}")
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("prometheus")
    port, worker_port = free_ports(2)
    told = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))
    told["global"] = {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": f"{SCRAPE_S}s"}
    told["rule_files"] = [str(DEPLOY / "prometheus/rules.yml")]
    job = told["scrape_configs"][0]["job_name"]
    targets = [{"targets": [f"127.0.0.1:{worker_port}"]}]
    told["scrape_configs"] = [{"job_name": job, "static_configs": targets}]
    del told["alerting"]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(told), "utf-8")
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={directory}/prometheus.yml",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}", worker_port
    finally:
        process.terminate()
        process.wait(10)
        print((directory / "log").read_text())  # noqa: T201 - pytest shows it when the test fails


def asked(address: str, expression: str) -> list[Any]:
    """Return the series of an expression."""
    query = urllib.parse.urlencode({"query": expression})
    where = f"{address}/api/v1/query?{query}"
    with urllib.request.urlopen(where, timeout=10) as answer:  # noqa: S310 - our own Prometheus
        found: list[Any] = json.load(answer)["data"]["result"]
    return found


def queries() -> list[tuple[str, str]]:
    """Return title and expression of every query of every panel."""
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", RATE_INTERVAL))
        for page in DASHBOARDS
        for panel in json.loads(page.read_text("utf-8"))["panels"]
        for target in panel.get("targets", ())
    ]


def test_no_panel_is_empty_while_a_worker_has_the_load_of_the_demo(
    kafka: EmbeddedKafka, redis_url: str, prometheus: tuple[str, int], tmp_path: Path
) -> None:
    address, worker_port = prometheus
    before = traces(kafka, redis_url)
    log = tmp_path / "log"
    given = environment(
        HOTSPOTS_KAFKA=kafka.bootstrap_servers,
        HOTSPOTS_REDIS=redis_url,
        HOTSPOTS_METRICS_PORT=str(worker_port),
        HOTSPOTS_ALERTS_PER_DAY="3",
    )
    with demo(log, given, "--speed", "max") as process:
        wait_for(log, "all is decided; Ctrl-C ends", process, 240)
        deadline_s = time.monotonic() + PATIENCE_S
        # The scrapes of the end, and the rules on them.
        while empty := {title for title, query in queries() if not asked(address, query)}:
            if empty == SILENT_IN_THE_DEMO.keys() or time.monotonic() > deadline_s:
                break
            time.sleep(SCRAPE_S)
        missing = [q for q in queries() if q[0] in empty - SILENT_IN_THE_DEMO.keys()]
        assert not missing
        assert empty == SILENT_IN_THE_DEMO.keys(), "a panel that is named has become alive"
        named = asked(address, "hotspots_top_info")
        assert 0 < len(named) <= 20
    assert traces(kafka, redis_url) == before, "the tests that come next find what was left"
