"""The contract between a pure step and the shell that drives it: chunks in, a cut out.

A step owns the state of one partition. The shell (a Faust agent, a backtest or a test) hands it
chunks of messages in log order and now and then asks for a cut: what must be made durable, all of
it or nothing. Nothing here knows how that is done.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

CREATE_TIME_MS = -1
"""Stands in `Chunk.append_ms` where the topic does not carry the broker's append time."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive messages of one partition, as columns of equal length.

    `low_offset` is the first offset the chunk answers for and `next_offset` the one after its
    last; offsets in between may be absent (compacted, control or aborted records), and a chunk
    may hold no message at all and still move the position on.
    """

    low_offset: int
    next_offset: int
    offsets: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    append_ms: list[int]

    def after(self, offset: int) -> "Chunk":
        """Return the part of this chunk that starts at `offset`."""
        if offset <= self.low_offset:
            return self
        keep = [i for i, at in enumerate(self.offsets) if at >= offset]
        return Chunk(
            low_offset=offset,
            next_offset=self.next_offset,
            offsets=[self.offsets[i] for i in keep],
            keys=[self.keys[i] for i in keep],
            values=[self.values[i] for i in keep],
            append_ms=[self.append_ms[i] for i in keep],
        )

    def answering_from(self, offset: int) -> "Chunk":
        """Return the same messages answering for the offsets from `offset` on, too."""
        low_offset = min(offset, self.low_offset)
        return Chunk(
            low_offset, self.next_offset, self.offsets, self.keys, self.values, self.append_ms
        )


@dataclass(frozen=True, slots=True)
class Output:
    """One message for another topic; `topic` is a logical name (streams/topics.py maps it)."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Rows(Protocol):
    """Keys and packed rows of a cut (None: deleted), as they were at the cut.

    They may be packed while they are read, so they are read once; the step may go on meanwhile.
    """

    def __len__(self) -> int:
        """Return how many there are."""

    def __iter__(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield each once."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A consistent cut of a step: rows changed since the last cut, and outputs made since then.

    `position` is the offset of the consumed partition from which the step must be read again after
    a restart, when that lies before the next one to process: it holds what the rows do not. None:
    right after the last chunk processed.
    """

    rows: Rows = field(default_factory=list[tuple[bytes, bytes | None]])
    outputs: list[Output] = field(default_factory=list)
    position: int | None = None

    def __bool__(self) -> bool:
        """Tell whether there is anything to make durable besides the position."""
        return len(self.rows) > 0 or bool(self.outputs)


class PartitionStep(Protocol):
    """The state of one partition and the pure logic on it."""

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one record of the changelog during recovery; the last record of a key wins."""

    def recovered(self) -> None:
        """Finish recovery: every changelog record has been loaded."""

    def process(self, chunk: Chunk) -> None:
        """Process one chunk, in log order; offsets never repeat and never leave a hole."""

    def learn(self, key: bytes, value: bytes | None) -> None:
        """Take one record of the `learned` topic (only steps that decide by what was learned)."""

    @property
    def held(self) -> bool:
        """Whether the step waits for a `learned` version and wants no further chunks until then."""

    @property
    def awaited(self) -> bool:
        """Whether others wait for outputs made since the last cut: they are committed soon."""

    @property
    def urgent(self) -> bool:
        """Whether others may stand still until they have those outputs: committed at once."""

    def cut(self) -> Cut:
        """Return what changed since the last cut and forget that it did."""


class AbandonedError(RuntimeError):
    """Work was given up on its way, since nobody waits for it any more."""


@runtime_checkable
class LearnsAtLength(Protocol):
    """A step that now and then learns for seconds, which a shell lets it do in another thread.

    `process` is `take_in`, and `finish` where that has left something. In between, and until
    `finish` has returned, the step is amid a chunk: no cut, no further chunk and no look at its
    state, but `held`, and `learn`, of which it makes nothing, since it is what writes that topic.
    """

    def take_in(self, chunk: Chunk) -> bool:
        """Process a chunk but for what may take long; return whether anything is left of it."""

    def finish(self) -> None:
        """Do what `take_in` has left.

        Raises:
            AbandonedError: `abandon` was called; the step is of no use any more.
        """

    def abandon(self) -> None:
        """Let `finish` raise AbandonedError soon; from any thread."""

    @property
    def finished(self) -> int:
        """How much `finish` has done so far: it grows while that moves; from any thread."""


@runtime_checkable
class LoadsBatches(Protocol):
    """A step that can take many records of the changelog at once, faster than one by one."""

    def load_all(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take consecutive records, the same as `load` for each of them in turn."""


@runtime_checkable
class TellsAhead(Protocol):
    """A step whose outputs may last before the rows that belong to them do.

    After a crash between the two the same is told again, and whoever reads it passes over what it
    was told before.
    """

    @property
    def may_tell(self) -> bool:
        """Whether outputs may go ahead now: what decides them again must still be there then."""

    def unsaved_rows(self) -> int:
        """Return how many rows the next cut would have."""

    def tell(self) -> list[Output]:
        """Return the outputs made since they were last asked for, by this or a cut."""


def load_records(
    step: PartitionStep, keys: Sequence[bytes], values: Sequence[bytes | None]
) -> None:
    """Hand consecutive changelog records to a step, at once where it can take them so."""
    if isinstance(step, LoadsBatches):
        step.load_all(keys, values)
        return
    for key, value in zip(keys, values, strict=True):
        step.load(key, value)


class BrokenChainError(RuntimeError):
    """A hole in a source partition: going on would lose events silently."""


class StepFactory(Protocol):
    """Makes the step of one partition."""

    def __call__(self, partition: int) -> PartitionStep:
        """Return a fresh, empty step for `partition`."""


__all__: Sequence[str] = (
    "CREATE_TIME_MS",
    "AbandonedError",
    "BrokenChainError",
    "Chunk",
    "Cut",
    "LearnsAtLength",
    "LoadsBatches",
    "Output",
    "PartitionStep",
    "Rows",
    "StepFactory",
    "TellsAhead",
    "load_records",
)
