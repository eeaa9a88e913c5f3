"""What deploy/ and docker-compose.yml say, held against the settings and the project, as text."""

import re
import tomllib
from pathlib import Path

import pytest

from streams.producing import INPUT_PARTITIONS
from streams.settings import Settings, variable

REPOSITORY = Path(__file__).parent.parent
COMPOSE = (REPOSITORY / "docker-compose.yml").read_text("utf-8")
DOCKERFILE = (REPOSITORY / "deploy/Dockerfile").read_text("utf-8")
PROMETHEUS = (REPOSITORY / "deploy/prometheus/prometheus.yml").read_text("utf-8")
IGNORED = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
METRICS_PORT = str(Settings.model_fields["metrics_port"].default)
MOVING = {
    "grafana/grafana": "${GRAFANA_TAG:-11.6.0}",
    "prom/alertmanager": "${ALERTMANAGER_TAG:-latest}",
    "prom/prometheus": "${PROMETHEUS_TAG:-latest}",
}
"""Images whose tag is left to the user, with what stands there; the reason is in the file."""


def images() -> list[tuple[str, str]]:
    """Return name and tag of every image that is pulled or built."""
    named = re.findall(r"^ +image: (\S+)$", COMPOSE, re.MULTILINE)
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    named += [
        name for name in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) if name not in stages
    ]
    return [(name, tag) for name, _, tag in (image.partition(":") for image in named)]


@pytest.mark.parametrize("text", [COMPOSE, DOCKERFILE], ids=["docker-compose.yml", "Dockerfile"])
def test_every_setting_that_is_named_exists(text: str) -> None:
    named = set(re.findall(r"\bHOTSPOTS_[A-Z_]+", text))
    assert named
    assert named <= {variable(name) for name in Settings.model_fields}


def test_every_image_is_pinned_by_a_tag() -> None:
    found = images()
    assert {name for name, _ in found} == {
        "apache/kafka",
        "grafana/grafana",
        "hotspots",
        "prom/alertmanager",
        "prom/prometheus",
        "python",
        "redis",
    }
    for name, tag in found:
        if name in MOVING:
            assert tag == MOVING[name]
        else:
            assert re.fullmatch(r"\d[\w.-]*", tag), name


def test_no_image_names_a_registry() -> None:
    for name, _ in images():
        assert "." not in name.partition("/")[0], name


def test_the_image_bears_the_version_of_the_project() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"image: hotspots:{project['version']}\n" in COMPOSE


def test_ports_are_open_on_this_machine_only() -> None:
    published = re.findall(r"^ +- ([^\s-]\S*:\d+)$", COMPOSE, re.MULTILINE)
    assert len(published) == 6
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_everybody_means_the_same_port() -> None:
    assert re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE) == [METRICS_PORT]
    assert re.findall(r"http://127\.0\.0\.1:(\d+)/healthz", COMPOSE) == [METRICS_PORT]
    assert re.findall(r"^ +port: (\d+)$", PROMETHEUS, re.MULTILINE) == [METRICS_PORT]


def test_the_input_topic_is_made_as_simulate_and_replay_make_it() -> None:
    assert f"--topic={Settings.model_fields['input_topic'].default}\n" in COMPOSE
    assert f"--partitions={INPUT_PARTITIONS}\n" in COMPOSE


def test_the_context_holds_what_the_image_is_built_from_and_no_more() -> None:
    assert "*" in IGNORED
    allowed = {line[1:] for line in IGNORED if line.startswith("!")}
    copied = {
        source
        for sources in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for source in sources.split()
    }
    assert copied == allowed - {"deploy", "deploy/Dockerfile"}
    assert all((REPOSITORY / source).exists() for source in copied)


def test_the_image_installs_the_tested_versions_and_no_extras() -> None:
    for command in re.findall(r"pip .*install .*", DOCKERFILE):
        assert "-c constraints.txt" in command or "--no-index --no-deps" in command
    assert not re.search(r"\[(local|dev)|optional-dependencies", DOCKERFILE)


def test_the_worker_does_not_run_as_root() -> None:
    user = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert user
    assert user[-1] not in {"root", "0"}
