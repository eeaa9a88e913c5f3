"""The servers a command needs: those that the settings name, and ours where they name none."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.local.kafka import EmbeddedKafka
from streams.local.processes import Progress, quiet
from streams.local.valkey import EmbeddedValkey

KAFKA_VARIABLE: Final = "HOTSPOTS_KAFKA"
REDIS_VARIABLE: Final = "HOTSPOTS_REDIS"


@dataclass(frozen=True, slots=True)
class LocalServers:
    """Where Kafka and Redis are, and which of them are ours (None: it was there before us)."""

    bootstrap_servers: str
    redis_url: str
    kafka: EmbeddedKafka | None
    valkey: EmbeddedValkey | None


@contextmanager
def local_servers(
    data_directory: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    progress: Progress = quiet,
) -> Iterator[LocalServers]:
    """Yield the addresses of Kafka and Redis, starting only what the environment does not name.

    Args:
        data_directory: Where the embedded Kafka keeps its data; by default a temporary directory.
        environment: Where HOTSPOTS_KAFKA and HOTSPOTS_REDIS are read; by default `os.environ`.
        progress: Told in a few words about slow work.

    Raises:
        LocalServerError: A server of ours cannot run.
    """
    environment = os.environ if environment is None else environment
    bootstrap_servers = environment.get(KAFKA_VARIABLE, "")
    redis_url = environment.get(REDIS_VARIABLE, "")
    kafka: EmbeddedKafka | None = None
    valkey: EmbeddedValkey | None = None
    with ExitStack() as stack:
        if not redis_url:
            valkey = EmbeddedValkey(environment=environment, progress=progress)
            redis_url = stack.enter_context(valkey).url
        if not bootstrap_servers:
            kafka = EmbeddedKafka(data_directory, environment=environment, progress=progress)
            bootstrap_servers = stack.enter_context(kafka).bootstrap_servers
        yield LocalServers(bootstrap_servers, redis_url, kafka, valkey)
