"""Which servers are started, with which settings, and what is said when they cannot run."""

from pathlib import Path

import pytest

from streams.errors import UserError
from streams.local.broker_settings import BROKER_SETTINGS, server_properties
from streams.local.errors import LocalServerError, Reason
from streams.local.log_reading import explain
from streams.local.servers import local_servers
from streams.local.system import require_supported_system


def test_servers_that_are_named_are_used_and_none_is_started() -> None:
    told: list[str] = []
    environment = {
        "HOTSPOTS_KAFKA": "kafka.example:9092",
        "HOTSPOTS_REDIS": "redis://redis.example/1",
    }
    with local_servers(environment=environment, progress=told.append) as servers:
        assert servers.bootstrap_servers == "kafka.example:9092"
        assert servers.redis_url == "redis://redis.example/1"
        assert (servers.kafka, servers.valkey) == (None, None)
    assert told == []


def test_only_what_is_not_named_is_started() -> None:
    told: list[str] = []
    environment = {"HOTSPOTS_KAFKA": "kafka.example:9092"}
    with local_servers(environment=environment, progress=told.append) as servers:
        assert servers.bootstrap_servers == "kafka.example:9092"
        assert servers.kafka is None
        assert servers.valkey is not None
        assert servers.redis_url == servers.valkey.url
        process = servers.valkey.process
    assert told == [f"Starting Valkey on {servers.redis_url[8:-2]}"]
    assert process is not None
    assert process.returncode is not None


@pytest.mark.parametrize(
    ("system", "machine"), [("Windows", "AMD64"), ("Linux", "riscv64"), ("FreeBSD", "amd64")]
)
def test_an_unsupported_system_is_told(system: str, machine: str) -> None:
    with pytest.raises(LocalServerError, match=f"{system} {machine}") as caught:
        require_supported_system(system, machine)
    assert caught.value.reason is Reason.UNSUPPORTED_SYSTEM
    assert "HOTSPOTS_KAFKA" in str(caught.value)


@pytest.mark.parametrize(("system", "machine"), [("Linux", "x86_64"), ("Darwin", "arm64")])
def test_supported_systems_pass(system: str, machine: str) -> None:
    require_supported_system(system, machine)


LAST_WORDS = {
    "java.net.BindException: Address already in use": Reason.PORT_TAKEN,
    "KafkaException: Failed to acquire lock on file .lock in /d.": Reason.DIRECTORY_LOCKED,
    "RuntimeException: Stored node id 7 doesn't match previous node id 1": Reason.OTHER_CLUSTER,
    "java.io.IOException: No space left on device": Reason.DISK_FULL,
    "java.lang.UnsupportedClassVersionError: kafka/Kafka": Reason.JAVA_TOO_OLD,
    "Error: Could not find or load main class kafka.Kafka": Reason.DAMAGED_JAR,
    "java.lang.OutOfMemoryError: Java heap space": Reason.ENDED_EARLY,
    "": Reason.ENDED_EARLY,
}


@pytest.mark.parametrize(("log", "reason"), LAST_WORDS.items())
def test_a_servers_last_words_become_one_line(log: str, reason: Reason) -> None:
    error = explain(log, server="Kafka", returncode=1, where="127.0.0.1:1")
    assert error.reason is reason
    assert isinstance(error, UserError)
    assert "\n" not in str(error)
    assert "(127.0.0.1:1): " in str(error)


def test_the_line_that_names_an_error_is_told() -> None:
    log = "INFO start\njava.lang.OutOfMemoryError: Java heap space\n\tat java.base/x\nbye\n"
    error = explain(log, server="Kafka", returncode=3, where="here")
    assert str(error).startswith(
        "Kafka ended with code 3: java.lang.OutOfMemoryError: Java heap space (here): "
    )


def test_given_settings_stand_above_ours_but_never_above_the_place(tmp_path: Path) -> None:
    text = server_properties(
        tmp_path / "log",
        {"PLAINTEXT": 1, "SECURE": 2, "CONTROLLER": 3},
        {"message.max.bytes": "7", "listeners": "PLAINTEXT://0.0.0.0:9092", "a": "b\\c\nd"},
    )
    written = dict(line.split("=", 1) for line in text.splitlines())
    assert written["message.max.bytes"] == "7"
    assert written["auto.create.topics.enable"] == "false"
    assert written["listeners"] == (
        "PLAINTEXT://127.0.0.1:1,SECURE://127.0.0.1:2,CONTROLLER://127.0.0.1:3"
    )
    assert written["advertised.listeners"] == "PLAINTEXT://127.0.0.1:1,SECURE://127.0.0.1:2"
    assert written["a"] == "b\\\\c\\nd"
    assert set(BROKER_SETTINGS) < set(written)
