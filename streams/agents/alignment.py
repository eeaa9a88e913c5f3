"""Which source partitions are so far ahead in event time that they have to wait for the others.

A bucket of event time is decided when the slowest source partition has passed it; until then
`stages` keeps the aggregates of the others. In a replay partitions are read at different speeds:
without alignment, the memory that takes would be bounded by the length of the log alone.

A partition that waits costs more than one that is read on: what was fetched of it is thrown away,
and fetched again. So what is bounded is memory, not time as such: however much time its events
span, a partition may be ahead by a few chunks.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from streams.transport.ledger import Partition

BACKLOG_S: Final = 1.0
"""A partition that was at its end within this time is not behind: it has nothing to catch up with,
however old its events are, and those of others must not wait for the next of them."""

CHUNKS_AHEAD: Final = 3
"""So many chunks (3 MB) a partition may be ahead, whatever time they span. Where a day was replayed
whose chunks spanned 50 minutes each, partitions waited 40 times for being an hour ahead; where two
hours were allowed, it took 5 to 10 % less time (measured)."""


class Alignment:
    """Follows where partitions stand in event time.

    Args:
        drift_max_ms: How far one may be ahead of the slowest that has a backlog, or else by
            CHUNKS_AHEAD of the chunks that it brings.
    """

    def __init__(self, drift_max_ms: int) -> None:
        self._drift_max_ms = drift_max_ms
        self._stands_ms: dict[Partition, int] = {}
        self._chunk_ms: dict[Partition, int] = {}
        self._at_end_s: dict[Partition, float] = {}

    def reset(self) -> None:
        """Forget everything: partitions are assigned anew."""
        self._stands_ms = {}
        self._chunk_ms = {}
        self._at_end_s = {}

    def note(self, partition: Partition, middle_ms: int) -> None:
        """Note the event time that a partition has come to with one more chunk."""
        self._chunk_ms[partition] = middle_ms - self._stands_ms.get(partition, middle_ms)
        self._stands_ms[partition] = middle_ms

    def note_end(self, partition: Partition, now_s: float) -> None:
        """Note that a partition has nothing more to read."""
        self._at_end_s[partition] = now_s

    def too_far_ahead(
        self, partitions: Iterable[Partition], now_s: float
    ) -> Mapping[Partition, int]:
        """Return the partitions that have to wait, and how far each is ahead (ms).

        A partition of which nothing was read yet makes no other one wait: where it stands is not
        known. The slowest with a backlog never waits itself, hence somebody always goes on.
        """
        standing = {tp: self._stands_ms[tp] for tp in partitions if tp in self._stands_ms}
        behind = [
            at for tp, at in standing.items() if now_s - self._at_end_s.get(tp, -1e9) > BACKLOG_S
        ]
        if not behind:
            return {}
        slowest = min(behind)
        return {
            tp: at - slowest
            for tp, at in standing.items()
            if at - slowest > max(self._drift_max_ms, CHUNKS_AHEAD * self._chunk_ms[tp])
        }
