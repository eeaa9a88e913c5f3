"""Shows how far each partition lies behind."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from streams.metrics import Metrics
from streams.transport.consumer import LedgerConsumer

if TYPE_CHECKING:
    from streams.transport.ledger import Partition

LAG_INTERVAL_S: Final = 5.0
"""Three points within the 15 s after which Prometheus scrapes by custom."""


class LagGauges:
    """The lag of the partitions that this worker owns, and of no others."""

    def __init__(self, metrics: Metrics, topics: Mapping[str, str]) -> None:
        """Show nothing yet; `topics` are the real names of topics by their logical ones.

        The logical ones are shown: rules and dashboards hold whatever topics are called.
        """
        self._metrics = metrics
        self._logical = {real: logical for logical, real in topics.items()}
        self._shown: set[Partition] = set()

    def observe(self, consumer: LedgerConsumer) -> None:
        """Set the lag of what is open; forget what is not."""
        now: set[Partition] = set()
        for host in consumer.hosts:
            for topic in host.topics:
                for partition in consumer.ledger.partitions(topic):
                    end = consumer.stable_end(partition)
                    done = consumer.ledger.done(partition)
                    if end is not None and done is not None:
                        gauge = self._metrics.lag.labels(*self._labels(partition))
                        gauge.set(max(0, end - done))
                        now.add(partition)
        for partition in self._shown - now:
            self._metrics.lag.remove(*self._labels(partition))
        self._shown = now

    def _labels(self, partition: "Partition") -> tuple[str, str]:
        return self._logical[partition.topic], str(partition.partition)
