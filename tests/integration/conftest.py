"""What tests of the worker's flow start, stop and compare: a pipeline, or the product itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline import Pipeline
from product import Product

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


@pytest.fixture
def product(kafka: EmbeddedKafka, redis_url: str, tmp_path: Path) -> Iterator[Product]:
    """Workers of the product itself; a file of tests may change it by a fixture of this name."""
    made = Product(kafka.bootstrap_servers, tmp_path, redis_url=redis_url)
    try:
        yield made
    finally:
        made.stop_workers()
        print(made.logs())  # noqa: T201 - pytest shows it when the test fails
