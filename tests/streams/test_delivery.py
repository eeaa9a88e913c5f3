import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from models.steps import Chunk
from streams.agents import delivery
from streams.agents.delivery import DeliveryPartitions
from streams.errors import UserError
from streams.metrics import Metrics
from streams.topics import Topic
from streams.transport.ledger import Partition

TOPICS = {topic: topic for topic in Topic}


class Store:
    """Refuses the first attempts, then keeps what it is given."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.kept: list[Mapping[str, Any]] = []

    def _refuse(self) -> None:
        self.refusals -= 1
        if self.refusals >= 0:
            raise UserError("it is full", "HOTSPOTS_REDIS", "make room")

    async def write_board(self, board: Mapping[str, Any]) -> bool:
        self._refuse()
        self.kept.append(board)
        return True

    async def record_alerts(self, alerts: Sequence[Mapping[str, Any]]) -> int:
        self._refuse()
        self.kept.extend(alerts)
        return len(alerts)


class Consumer:
    """Hands out what is next, with the ledger left out."""

    def __init__(self) -> None:
        self.ended: list[Chunk] = []
        self.ledger = self

    def expected(self, partition: Partition) -> int:
        del partition
        return 0

    async def begin(self, partition: Partition, chunk: Chunk) -> Chunk:
        del partition
        return chunk

    def end(self, partition: Partition, chunk: Chunk) -> None:
        del partition
        self.ended.append(chunk)


@pytest.mark.parametrize("refusals", [0, 3])
@pytest.mark.parametrize(("topic", "what"), [(Topic.ALERTS, "alerts"), (Topic.BOARD, "board")])
def test_every_attempt_is_counted_by_what_came_of_it(
    monkeypatch: pytest.MonkeyPatch, topic: Topic, what: str, refusals: int
) -> None:
    monkeypatch.setattr(delivery, "RETRY_FIRST_S", 0.001)
    metrics, store, consumer = Metrics(CollectorRegistry()), Store(refusals), Consumer()
    partitions = DeliveryPartitions(topics=TOPICS, store=store, metrics=metrics)
    partitions.consumer = consumer
    chunk = Chunk(0, 1, [0], [b"k"], [b'{"id": "a"}'], [0])
    asyncio.run(partitions.take(Partition(topic, 0), chunk))
    assert store.kept == [{"id": "a"}]
    assert consumer.ended == [chunk]
    counted = {
        (sample.labels["what"], sample.labels["outcome"]): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "hotspots_delivery_attempts_total" and sample.value
    }
    failed = {(what, "failed"): refusals} if refusals else {}
    assert counted == failed | {(what, "delivered"): 1}
