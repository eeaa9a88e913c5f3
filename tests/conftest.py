"""The servers that tests share: one Kafka, one Valkey, started when first asked for."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from streams.local.kafka import EmbeddedKafka
from streams.local.valkey import EmbeddedValkey

# The first call of a compiled loop compiles it, and no test asserts speed.
settings.register_profile("hotspots", deadline=None)
settings.load_profile("hotspots")


@pytest.fixture(scope="session")
def kafka() -> Iterator[EmbeddedKafka]:
    """A real broker of this session; tests name their topics and groups apart (uuid4)."""
    with EmbeddedKafka() as server:
        yield server


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a real Valkey of this session; tests use keys of their own."""
    with EmbeddedValkey() as server:
        yield server.url
