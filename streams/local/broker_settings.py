"""The settings of the embedded broker, each with the reason it is not Kafka's own default.

The names and defaults are those of the Apache Kafka 4.1 documentation, "Broker Configs" and
"Group Configs".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from streams.local.processes import LOOPBACK

NODE_ID: Final = 1
MEGABYTE: Final = 1 << 20

SEGMENT_BYTES: Final = 64 * MEGABYTE
CLEANER_BUFFER_BYTES: Final = 32 * MEGABYTE
"""The cleaner keeps 24 bytes per key (16 of MD5, 8 of offset) at a load of 0.9 and must hold a
whole segment: 64 MB of records of 70 bytes or more are 960,000 keys, 25 MB. Kafka's default of
128 MB would take half of our heap."""

BROKER_SETTINGS: Final[Mapping[str, str]] = {
    # Our topics are made with the settings they need; a misspelt one must not appear by itself.
    "auto.create.topics.enable": "false",
    # One broker: nothing can be replicated.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # 50 partitions each are made at the first commit otherwise, and loaded at every start.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    # Files are mapped to their whole length when made: 100 MB and 10 MB each otherwise.
    "log.segment.bytes": str(SEGMENT_BYTES),
    "offsets.topic.segment.bytes": str(16 * MEGABYTE),
    "transaction.state.log.segment.bytes": str(16 * MEGABYTE),
    "log.index.size.max.bytes": str(MEGABYTE),
    "log.cleaner.dedupe.buffer.size": str(CLEANER_BUFFER_BYTES),
    "log.cleaner.threads": "1",
    # A replay of the past carries old times: nothing may be deleted, or rolled, by their age.
    "log.retention.ms": "-1",
    "log.roll.hours": "87600",
    # Arrow batches and messages of rejected originals of 1 MB and more; 16 MB leaves room.
    "message.max.bytes": str(16 * MEGABYTE),
    "replica.fetch.max.bytes": str(16 * MEGABYTE),
    # A group of one or two members need not wait for more of them.
    "group.initial.rebalance.delay.ms": "0",
    # Tests find dead members quickly when they ask for it; 6 s is the least otherwise.
    "group.min.session.timeout.ms": "1000",
    # What a killed producer left open holds up readers of committed data: look every second.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # A few clients on this machine; each thread costs a stack.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    # Nothing is reported to anybody.
    "metric.reporters": "",
    "telemetry.max.bytes": str(MEGABYTE),
}


CONTROLLER: Final = "CONTROLLER"
"""The listener on which the broker reaches its own controller."""

PLAINTEXT: Final = "PLAINTEXT"
"""The listener that every client of ours uses."""


def server_properties(
    log_directory: Path,
    ports: Mapping[str, int],
    settings: Mapping[str, str],
    advertised: Mapping[str, int] | None = None,
) -> str:
    """Return the broker's configuration file: KRaft combined mode on the loopback.

    Args:
        log_directory: Where the broker keeps its logs.
        ports: The port of every listener, `PLAINTEXT` and `CONTROLLER` among them.
        settings: What stands above `BROKER_SETTINGS`; the place and the cluster cannot be changed.
        advertised: The ports that clients are told, where they are others.
    """
    addresses = {name: f"{name}://{LOOPBACK}:{port}" for name, port in ports.items()}
    told = {**ports, **(advertised or {})}
    clients = [f"{name}://{LOOPBACK}:{port}" for name, port in told.items() if name != CONTROLLER]
    place = {
        "process.roles": "broker,controller",
        "node.id": str(NODE_ID),
        "controller.quorum.voters": f"{NODE_ID}@{LOOPBACK}:{ports[CONTROLLER]}",
        "controller.listener.names": CONTROLLER,
        "listeners": ",".join(addresses.values()),
        "advertised.listeners": ",".join(clients),
        "log.dirs": str(log_directory),
    }
    lines = [
        f"{key}={_escape(value)}"
        for key, value in ({**BROKER_SETTINGS, **settings, **place}).items()
    ]
    return "\n".join([*lines, ""])


def _escape(value: str) -> str:
    r"""Escape a value for a Java properties file, where a backslash starts an escape.

    >>> _escape("a\\b")
    'a\\\\b'
    """
    return value.replace("\\", "\\\\").replace("\n", "\\n")
