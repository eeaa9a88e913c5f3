"""`delivery`: hands alerts and the board to whoever shows them; at least once."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from models.steps import Chunk
from streams.ending import ending_worker
from streams.errors import UserError
from streams.metrics import Agent, Delivered, Metrics
from streams.topics import Topic
from streams.transport.ledger import Partition

if TYPE_CHECKING:
    from streams.transport.consumer import LedgerConsumer

log = logging.getLogger(__name__)

RETRY_FIRST_S: Final = 0.5
RETRY_MAX_S: Final = 30.0
"""Waits between attempts double up to this. They never end: a board that is down must not stop the
monitor, and the topics keep what was not delivered (kept by size)."""


class Store(Protocol):
    """Where alerts and the board go (streams/delivery/board_store.py)."""

    async def write_board(self, board: Mapping[str, Any]) -> bool:
        """Replace the board."""

    async def record_alerts(self, alerts: Sequence[Mapping[str, Any]]) -> int:
        """Add alerts; those known by their id are passed over."""


class DeliveryPartitions:
    """The host of `alerts` and `hotspot-board`."""

    accepts_loss = True
    saves_positions = False
    is_recovered = True

    def __init__(self, *, topics: Mapping[str, str], store: Store | None, metrics: Metrics) -> None:
        """Own nothing yet; without a store everything is read and passed over."""
        self._alerts = topics[Topic.ALERTS]
        self._board = topics[Topic.BOARD]
        self.topics: Sequence[str] = (self._alerts, self._board)
        self._store = store
        self._metrics = metrics
        self.consumer: LedgerConsumer | None = None

    async def assign(self, partitions: frozenset[Partition]) -> None:
        """Do nothing: there is no state to take over."""

    def saved_position(self, partition: Partition) -> int | None:
        """Return None: delivery keeps no state."""
        del partition
        return None

    async def was_taken_over(self, partition: Partition) -> bool:
        """Return False: there is no state that anybody could write."""
        del partition
        return False

    def opened(self, positions: Mapping[Partition, int]) -> None:
        """Do nothing."""

    def closed(self) -> None:
        """Do nothing."""

    async def checkpoint(self) -> Mapping[Partition, int]:
        """Return what was delivered: the group commits it."""
        if self.consumer is None:
            return {}
        return self.consumer.ledger.uncommitted(self.topics)

    async def take(self, partition: Partition, chunk: Chunk) -> None:
        """Deliver a chunk, if it is the next one, however long that takes."""
        if self.consumer is None:
            raise RuntimeError("delivery was not attached to a consumer")
        with ending_worker(f"delivery of {partition.topic}-{partition.partition}"):
            rest = await self.consumer.begin(partition, chunk)
            if rest is None:
                return
            if self._store is not None and rest.values:
                await self._deliver(self._store, partition, rest)
            self.consumer.end(partition, rest)
        self._metrics.observe_chunk(Agent.DELIVERY, rest.values)

    async def _deliver(self, store: Store, partition: Partition, chunk: Chunk) -> None:
        documents = [json.loads(value) for value in chunk.values if value is not None]
        what = Delivered.ALERTS if partition.topic == self._alerts else Delivered.BOARD
        wait_s = RETRY_FIRST_S
        while documents:
            try:
                if what is Delivered.ALERTS:
                    await store.record_alerts(documents)
                else:
                    # Compacted: only the latest board matters.
                    await store.write_board(documents[-1])
            except UserError as error:
                self._metrics.observe_delivery(what, failed=True)
                log.warning("%s; next attempt in %.1f s", error, wait_s)
            else:
                self._metrics.observe_delivery(what, failed=False)
                return
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_MAX_S)
            if self.consumer is not None and self.consumer.ledger.expected(partition) is None:
                return  # the partition has gone to another worker, which delivers it
