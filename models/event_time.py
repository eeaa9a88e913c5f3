"""Event time: buckets, epochs, and the watermark over all source partitions.

Everything here is a function of the log: the clock moves when a message of `engagement-batches`
says so, and in no other way.

References:
    [1] T. Akidau et al., "The Dataflow Model", VLDB 2015, section 2.3 (watermarks).
    [2] T. Akidau et al., "Watermarks in Stream Processing Systems", VLDB 2021: the watermark of
        several inputs is their minimum.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from models.steps import BrokenChainError

NEVER_MS: Final = -1
"""No event time is known yet."""


@dataclass(slots=True)
class SourceClock:
    """How far one source partition has come: offset, greatest event time, idle or ended.

    `follows_ms` is the greatest event time of all sources at the moment (in the log) at which this
    one last said that it had nothing new: so far, and no further, it lets the watermark go. An idle
    source that was left out for good would make late whatever it brings after a silence.
    """

    mark: int
    high_ms: int = NEVER_MS
    idle: bool = False
    ended: bool = False
    follows_ms: int = NEVER_MS

    @property
    def reached_ms(self) -> int:
        """How far this source lets the watermark go."""
        return max(self.high_ms, self.follows_ms) if self.idle else self.high_ms


@dataclass(frozen=True, slots=True)
class ClockState:
    """The clock of one source and what all share, right after one of its messages."""

    source: int
    clock: SourceClock
    sources: int | None
    closed_bucket: int | None


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

    def advance(self, source: int, high_ms: int, *, idle: bool, ended: bool) -> None:
        """Move one source's clock and, with it, the watermark.

        The watermark is the minimum over the sources that have not ended; an idle one follows the
        others each time it says so. When all have ended, all buckets seen so far are closed: the
        end marks of a replay. The last of them closes one bucket at least, in which what came late
        is counted.
        """
        clock = self.clocks[source]
        clock.high_ms = max(clock.high_ms, high_ms)
        clock.idle = idle
        if idle:
            clock.follows_ms = self.high_ms
        clock.ended = ended or (clock.ended and idle)
        if self.sources is None or len(self.clocks) < self.sources:
            return
        going_on = [c for c in self.clocks.values() if not c.ended]
        if going_on:
            slowest_ms = min(c.reached_ms for c in going_on)
            if slowest_ms == NEVER_MS:
                return
            self._close((slowest_ms - self.allowed_lateness_ms) // self.bucket_ms - 1)
        else:
            following = -1 if self.closed_bucket is None else self.closed_bucket + ended
            self._close(max(self.high_ms // self.bucket_ms, following))

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

    def state_of(self, source: int) -> "ClockState":
        """Return what a message of one source may have changed, to be set again elsewhere."""
        c = self.clocks[source]
        clock = SourceClock(c.mark, c.high_ms, c.idle, c.ended, c.follows_ms)
        return ClockState(source, clock, self.sources, self.closed_bucket)

    def set_state(self, state: "ClockState") -> None:
        """Take over what `state_of` returned."""
        self.clocks[state.source] = state.clock
        self.sources, self.closed_bucket = state.sources, state.closed_bucket

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form for the changelog."""
        return {
            "sources": self.sources,
            "closed_bucket": self.closed_bucket,
            "clocks": {
                str(source): [c.mark, c.high_ms, c.idle, c.ended, c.follows_ms]
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
