"""Event time: buckets, epochs, and the watermark over all source partitions.

Everything here is a function of the log: the clock moves when a message of `engagement-batches`
says so, and in no other way.

References:
    [1] T. Akidau et al., "The Dataflow Model", VLDB 2015, section 2.3 (watermarks).
    [2] T. Akidau et al., "Watermarks in Stream Processing Systems", VLDB 2021, section 4.2: the
        watermark of several inputs is their minimum; idle inputs are left out.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.steps import BrokenChainError

NEVER_MS: Final = -1
"""No event time is known yet."""


def bucket_of(time_ms: npt.NDArray[np.int64], bucket_ms: int) -> npt.NDArray[np.int64]:
    """Return the number of the bucket that holds each time.

    >>> bucket_of(np.array([0, 299_999, 300_000]), 300_000)
    array([0, 0, 1])
    """
    return time_ms // bucket_ms


@dataclass(slots=True)
class SourceClock:
    """How far one source partition has come: offset, greatest event time, idle or ended."""

    mark: int
    high_ms: int = NEVER_MS
    idle: bool = False
    ended: bool = False


@dataclass(slots=True)
class SourceClocks:
    """The clocks of all source partitions of one `engagement-batches` partition.

    `closed_bucket` is the last bucket that the watermark has passed; it never goes back.
    """

    bucket_ms: int
    allowed_lateness_ms: int
    clocks: dict[int, SourceClock] = field(default_factory=dict)
    sources: int | None = None
    closed_bucket: int | None = None

    def accept(self, source: int, sources: int, low: int, high: int) -> int | None:
        """Check the chain (low, high] of a batch and return the first offset still to be counted.

        Returns:
            None when the batch was counted before, else the offset after the known mark.

        Raises:
            BrokenChainError: Offsets between the mark and `low` never arrived.
        """
        self.sources = sources if self.sources is None else max(self.sources, sources)
        clock = self.clocks.get(source)
        if clock is None:
            # The first batch of a source partition says where its log begins (retention may have
            # removed what was before).
            self.clocks[source] = SourceClock(mark=low)
            clock = self.clocks[source]
        if low > clock.mark:
            raise BrokenChainError(
                f"source partition {source}: offsets {clock.mark + 1}..{low} never arrived"
            )
        if high <= clock.mark:
            return None
        first_new = clock.mark + 1
        clock.mark = high
        return first_new

    def late(
        self,
        source: int,
        time_ms: npt.NDArray[np.int64],
        running_high_ms: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.bool_]:
        """Tell which events are late: behind their own source, or in a bucket already closed.

        Args:
            source: The source partition of the events.
            time_ms: int64[n], event times.
            running_high_ms: int64[n], greatest event time of the source's chunk up to each event.

        Returns:
            bool[n].
        """
        high_ms = np.maximum(running_high_ms, self.clocks[source].high_ms)
        late = time_ms < high_ms - self.allowed_lateness_ms
        if self.closed_bucket is not None:
            late |= bucket_of(time_ms, self.bucket_ms) <= self.closed_bucket
        return late

    def advance(self, source: int, high_ms: int, *, idle: bool, ended: bool) -> None:
        """Move one source's clock and, with it, the watermark.

        The watermark is the minimum over the sources that are neither idle nor ended. When every
        source is idle it stands still; when none is active and one has ended, all buckets seen so
        far are closed: the end mark of a replay.
        """
        clock = self.clocks[source]
        clock.high_ms = max(clock.high_ms, high_ms)
        clock.idle = idle
        clock.ended = ended or (clock.ended and idle)
        if self.sources is None or len(self.clocks) < self.sources:
            return
        active = [c for c in self.clocks.values() if not (c.idle or c.ended)]
        if active:
            slowest_ms = min(c.high_ms for c in active)
            if slowest_ms == NEVER_MS:
                return
            self._close((slowest_ms - self.allowed_lateness_ms) // self.bucket_ms - 1)
        elif any(c.ended for c in self.clocks.values()):
            self._close(self.high_ms // self.bucket_ms)

    @property
    def high_ms(self) -> int:
        """The greatest event time seen on any source partition, or NEVER_MS."""
        return max((c.high_ms for c in self.clocks.values()), default=NEVER_MS)

    def _close(self, bucket: int) -> None:
        if bucket < 0:
            return
        self.closed_bucket = (
            bucket if self.closed_bucket is None else max(bucket, self.closed_bucket)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form for the changelog."""
        return {
            "sources": self.sources,
            "closed_bucket": self.closed_bucket,
            "clocks": {
                str(source): [c.mark, c.high_ms, c.idle, c.ended]
                for source, c in sorted(self.clocks.items())
            },
        }

    def load_dict(self, stored: dict[str, Any]) -> None:
        """Take back what `to_dict` returned."""
        self.sources = stored["sources"]
        self.closed_bucket = stored["closed_bucket"]
        self.clocks = {
            int(source): SourceClock(*values) for source, values in stored["clocks"].items()
        }
