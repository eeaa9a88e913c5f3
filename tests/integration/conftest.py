"""The pipeline that tests of the worker's flow start, stop and compare."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline import Pipeline

from streams.local.kafka import EmbeddedKafka


@pytest.fixture
def pipeline(kafka: EmbeddedKafka, tmp_path: Path) -> Iterator[Pipeline]:
    """Workers under test and what they read and write, with topics of its own."""
    made = Pipeline(kafka.bootstrap_servers, tmp_path)
    try:
        yield made
    finally:
        made.stop_workers()
        print(made.logs())  # noqa: T201 - pytest shows it when the test fails
