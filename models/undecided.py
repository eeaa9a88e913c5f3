"""Events of buckets that are not decided yet, summed as they arrive.

Inside a bucket updates commute, so one entry per bucket and video holds all that its decision needs
to know: counts by action, the first and last time, and which different people acted. Nothing here
is saved: after a restart the log is read again from `first_offset`.

An event belongs to its own bucket, or, where it comes late, to the next one to be decided: there it
counts in the totals of its video and in nothing else.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.batches import Batch
from models.cohorts import SIGNALS
from models.compiled import compiled
from models.event_time import SourceClocks
from models.records import assign, grow, grown, joined, resize
from models.tallies import TALLY, keep_tallies, tally_of
from models.undecided_details import NO_ENTRY, UndecidedDetails, watched_rows
from models.vocabulary import (
    ACTION_CODE,
    NO_SIGNAL,
    ROLE_CODE,
    SIGNAL_OF_ACTION,
    Action,
    Role,
)

ENTRY: Final = np.dtype(
    [
        ("bucket", np.int64),
        ("offset", np.int64),
        ("first_ms", np.int64),
        ("last_ms", np.int64),
        ("events", np.int64),
        ("views", np.int64),
        ("watch_first_ms", np.int64),
        ("watch_last_ms", np.int64),
        ("watch_ms", np.int64),
        ("watches", np.int32),
        ("slot", np.int32),
        ("tally", np.int32),
        ("person", np.int32),
        ("roles", np.uint8),
        ("is_visit", np.uint8),
        ("is_watched", np.uint8),
        ("spare", np.uint8, (5,)),
    ]
)
"""What one bucket says of one video so far.

`slot` points into the video table of the same partition; `offset` is that of the first message (of
`engagement-batches`) with a part in it; `views` are those that came in time, `tally` the first in
`tallies` of what else happened, `person` the first in `people` of the known actors; `roles` has the
bit of each role that somebody acted in. Without `is_visit` all of it came late.
With `is_watched` some merely watched (models/undecided_details.py): from when to when, how many of
them said how long, and how long together.
"""

PERSON: Final = np.dtype(
    [("actor", np.uint64), ("entry", np.int32), ("next", np.int32), ("signal", np.int64)]
)
"""Somebody who acted: a link in the list of an entry, the last one pointing to -1."""

_NO_TIME: Final = np.iinfo(np.int64).max
_VIEW: Final = ACTION_CODE[Action.VIEW]
_PUBLISH: Final = ACTION_CODE[Action.PUBLISH]
_ORDINARY: Final = ROLE_CODE[Role.ORDINARY]
_EMPTY: Final = -1
_SHRINKS_ABOVE: Final = 2
"""How much longer than what is left the entries may be when buckets are dropped."""
_SMALL: Final = 8_192
"""So many entries (0.8 MB) and tallies (0.4 MB) are always kept room for."""
_KEPT_MOST: Final = 16_384
"""Room for so many entries (1.6 MB) is kept where as many have just been decided: with the next
chunk of a replay they come again, and growing by doubling took a tenth of the step (measured)."""
_MOVED_AT_ONCE: Final = 4_096
"""Entries are moved to the front 0.4 MB at a time: copied at once, they would stand there twice."""
_MIX: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
"""2^64 over the golden ratio: multiplying by it spreads numbers over a table."""
_HALF: Final = np.uint64(32)

Entry = Any
"""One record of ENTRY, in place."""
Ints = npt.NDArray[np.int64]
Links = npt.NDArray[np.int32]


@compiled
def _place(table: Links, key: np.uint64) -> np.int64:
    spread = key * _MIX
    return np.int64((spread ^ (spread >> _HALF)) & np.uint64(len(table) - 1))


@compiled
def _entry_key(bucket: int, slot: int) -> np.uint64:
    return np.uint64(slot) ^ (np.uint64(bucket) << np.uint64(24))


@compiled
def _person_key(entry: np.int64, signal: np.int64, actor: np.uint64) -> np.uint64:
    return actor ^ (np.uint64(entry * SIGNALS + signal) << _HALF)


@compiled
def _index_entries(table: Links, entries: npt.NDArray[np.void], count: int) -> None:
    """Fill an empty table with entries whose places are free."""
    for number in range(count):
        at = _place(table, _entry_key(entries[number].bucket, entries[number].slot))
        while table[at] != _EMPTY:
            at = (at + 1) & (len(table) - 1)
        table[at] = number


@compiled
def _index_people(table: Links, people: npt.NDArray[np.void], count: int) -> None:
    for number in range(count):
        person = people[number]
        at = _place(table, _person_key(person.entry, person.signal, person.actor))
        while table[at] != _EMPTY:
            at = (at + 1) & (len(table) - 1)
        table[at] = number


@compiled
def _entry_of(
    entries: npt.NDArray[np.void], table: Links, count: int, bucket: int, slot: int, offset: int
) -> np.int64:
    """Return the number of the entry of a video in a bucket: `count` where it was made just now."""
    at = _place(table, _entry_key(bucket, slot))
    while table[at] != _EMPTY:
        found = entries[table[at]]
        if found.slot == slot and found.bucket == bucket:
            return np.int64(table[at])
        at = (at + 1) & (len(table) - 1)
    table[at] = count
    entry = entries[count]
    entry.bucket, entry.slot, entry.offset = bucket, slot, offset
    entry.first_ms, entry.last_ms, entry.events, entry.views = _NO_TIME, -1, 0, 0
    entry.tally = entry.person = -1
    entry.roles = entry.is_visit = entry.is_watched = 0
    entry.spare[:] = 0
    return np.int64(count)


@compiled
def _sum_row(
    entry: Entry,
    tally: Any,  # noqa: ANN401 - a record
    at_ms: np.int64,
    amount: np.int64,
    action: np.int64,
    role: np.uint8,
) -> None:
    """Add an event that came in time, and is no view, to the tally of its action, in place."""
    tally.count += amount
    if SIGNAL_OF_ACTION[action] != NO_SIGNAL:
        entry.roles |= np.uint8(1 << np.int64(role))
    elif action == _PUBLISH:
        tally.at_ms = min(tally.at_ms, at_ms)
    else:
        tally.at_ms = max(tally.at_ms, at_ms)


@compiled
def _add_person(
    people: npt.NDArray[np.void],
    table: Links,
    count: int,
    entry: Entry,
    tally: Any,  # noqa: ANN401 - a record
    number: np.int64,
    signal: np.int64,
    actor: np.uint64,
) -> int:
    """Add somebody who acted to an entry unless known there; return the number of people."""
    at = _place(table, _person_key(number, signal, actor))
    while table[at] != _EMPTY:
        known = people[table[at]]
        if known.actor == actor and known.entry == number and known.signal == signal:
            return count
        at = (at + 1) & (len(table) - 1)
    table[at] = count
    person = people[count]
    person.actor, person.entry, person.signal = actor, number, signal
    person.next = entry.person
    entry.person = count
    tally.different += 1
    return count + 1


@compiled
def _sum_rows(
    slots: Ints,
    video: Links,
    action: npt.NDArray[np.uint8],
    time_ms: Ints,
    high_ms: Ints,
    count: Ints,
    actor: npt.NDArray[np.uint64],
    role: npt.NDArray[np.uint8],
    skip: npt.NDArray[np.bool_],
    bounds: tuple[int, int, int, int, int],
    entries: npt.NDArray[np.void],
    entry_table: Links,
    entry_count: int,
    tallies: npt.NDArray[np.void],
    tally_count: int,
    people: npt.NDArray[np.void],
    person_table: Links,
    person_count: int,
    entry_of: Links,
) -> tuple[int, int, int, int, int]:
    """Add the rows of a batch; return (entries, tallies, people, events, rows that came late).

    `entry_of`, int32[n], is filled with the numbers of the rows' entries, NO_ENTRY for those that
    were skipped or came late.

    `bounds` are bucket_ms, allowed_lateness_ms, the source's greatest time before the batch, the
    last closed bucket, and the message's offset. There is room for a new entry, tally
    and person per row.
    """
    bucket_ms, lateness_ms, source_high_ms, closed, offset = bounds
    events = late_rows = 0
    for row in range(len(video)):
        entry_of[row] = NO_ENTRY
        if skip[row]:
            continue
        at_ms, amount, what = time_ms[row], count[row], np.int64(action[row])
        bucket = at_ms // bucket_ms
        late = bucket <= closed or at_ms < max(high_ms[row], source_high_ms) - lateness_ms
        if late:
            bucket = max(bucket, closed + 1)
        number = _entry_of(entries, entry_table, entry_count, bucket, slots[video[row]], offset)
        entry_count += number == entry_count
        entry = entries[number]
        events += abs(amount)
        if not late:
            entry_of[row] = number
            entry.is_visit = 1
            entry.events += abs(amount)
            entry.first_ms = min(entry.first_ms, at_ms)
            entry.last_ms = max(entry.last_ms, at_ms)
            if what == _VIEW:
                entry.views += amount
                continue
        tallied = tally_of(entry, number, what, tallies, tally_count)
        tally_count += tallied == tally_count
        tally = tallies[tallied]
        if late:
            late_rows += 1
            tally.late += amount
            continue
        _sum_row(entry, tally, at_ms, amount, what, role[row])
        signal, who = np.int64(SIGNAL_OF_ACTION[what]), actor[row]
        if signal != NO_SIGNAL and who != 0 and amount > 0:
            tally.known += amount
            person_count = _add_person(
                people, person_table, person_count, entry, tally, number, signal, who
            )
    return entry_count, tally_count, person_count, events, late_rows


@dataclass(frozen=True, slots=True)
class Profile:
    """What was said about a video; it holds from the decision of its bucket on.

    `role` is the code of the role in which it was published, that of ordinary people where it was
    said of a video that is there.
    """

    bucket: int
    time_ms: int
    text: str
    slot: int
    offset: int
    role: int


def assigned_bucket(batch: Batch, clocks: SourceClocks) -> Ints:
    """Return int64[n]: the bucket that each row of a batch belongs to (see the module)."""
    closed = -1 if clocks.closed_bucket is None else clocks.closed_bucket
    reached_ms = np.maximum(batch.high_ms, clocks.clocks[batch.header.source].high_ms)
    bucket = batch.time_ms // clocks.bucket_ms
    late = (bucket <= closed) | (batch.time_ms < reached_ms - clocks.allowed_lateness_ms)
    return np.where(late, np.maximum(bucket, closed + 1), bucket)


class Undecided:
    """All entries of one partition, their people, and the profiles that wait with them.

    Attributes:
        entries: ENTRY[capacity]; the first `count` are in use.
        tallies: tallies.TALLY[capacity]; the first `tally_count` are in use.
        people: PERSON[capacity]; the first `person_count` are in use.
        details: The rows that say who takes part, as they came.
    """

    def __init__(self) -> None:
        self.entries = np.empty(1024, ENTRY)
        self.count = 0
        self.tallies = np.empty(1024, TALLY)
        self.tally_count = 0
        self.people = np.empty(1024, PERSON)
        self.person_count = 0
        self.details = UndecidedDetails()
        self._entry_table = np.full(2048, _EMPTY, np.int32)
        self._person_table = np.full(2048, _EMPTY, np.int32)
        self._profiles: list[Profile] = []

    def add(
        self,
        batch: Batch,
        slots: Ints,
        skip: npt.NDArray[np.bool_],
        clocks: SourceClocks,
        offset: int,
    ) -> tuple[int, int]:
        """Add the rows of a batch that are not to be skipped.

        Args:
            batch: The batch; its source's clock has not been moved by it yet.
            slots: int64[len(batch.videos)], the slot of each of its videos.
            skip: bool[n].
            clocks: The clocks, for lateness.
            offset: The offset of the message in `engagement-batches`.

        Returns:
            How many events were added, and how many rows came late.
        """
        self._reserve(len(batch))
        entry_of = np.empty(len(batch), np.int32)
        closed = -1 if clocks.closed_bucket is None else clocks.closed_bucket
        source_high_ms = clocks.clocks[batch.header.source].high_ms
        self.count, self.tally_count, self.person_count, events, late = _sum_rows(
            slots,
            batch.video,
            batch.action,
            batch.time_ms,
            batch.high_ms,
            batch.count,
            batch.actor,
            batch.role,
            skip,
            (clocks.bucket_ms, clocks.allowed_lateness_ms, source_high_ms, closed, offset),
            self.entries,
            self._entry_table,
            self.count,
            self.tallies,
            self.tally_count,
            self.people,
            self._person_table,
            self.person_count,
            entry_of,
        )
        self.details.add(batch, entry_of, self.entries)
        for row, text in batch.profiles:
            if not skip[row]:
                at_ms = int(batch.time_ms[row])
                # What was said late still describes the video: it holds from the next bucket on.
                bucket = max(at_ms // clocks.bucket_ms, closed + 1)
                slot = int(slots[batch.video[row]])
                role = int(batch.role[row]) if batch.action[row] == _PUBLISH else _ORDINARY
                self._profiles.append(Profile(bucket, at_ms, text, slot, offset, role))
        return events, late

    def _reserve(self, rows: int) -> None:
        grow(self, "entries", self.count + rows)
        if 2 * (self.count + rows) > len(self._entry_table):
            self._entry_table = _empty_table(2 * len(self.entries))
            _index_entries(self._entry_table, self.entries, self.count)
        grow(self, "tallies", self.tally_count + rows)
        self.people = grown(self.people, self.person_count + rows)
        if 2 * (self.person_count + rows) > len(self._person_table):
            self._person_table = _empty_table(2 * len(self.people))
            _index_people(self._person_table, self.people, self.person_count)

    def first(self) -> int | None:
        """Return the earliest bucket with anything in it."""
        first = [int(self.entries["bucket"][: self.count].min())] if self.count else []
        first += [profile.bucket for profile in self._profiles]
        return min(first, default=None)

    def first_offset(self) -> int | None:
        """Return the offset of the first message with a part in anything here."""
        first = [int(self.entries["offset"][: self.count].min())] if self.count else []
        first += [profile.offset for profile in self._profiles]
        return min(first, default=None)

    def slots(self) -> Ints:
        """Return int64[...]: the rows that must not be forgotten."""
        waiting = [profile.slot for profile in self._profiles]
        return np.unique(np.concatenate([self.entries["slot"][: self.count], waiting])).astype(
            np.int64
        )

    def order(self, through_bucket: int) -> Ints:
        """Return int64[...]: the entries of buckets up to this one, by bucket, then by slot."""
        bucket = self.entries["bucket"][: self.count]
        due = np.flatnonzero(bucket <= through_bucket)
        if not len(due):
            return due
        bucket, slot = bucket[due], self.entries["slot"][due]
        # By one number, which is unique: seven times as fast as by two columns.
        return due[np.argsort((bucket - bucket.min()) * (slot.max() + 1) + slot)]

    def profiles(self, through_bucket: int) -> list[Profile]:
        """Remove and return the profiles of buckets up to this one, in a fixed order."""
        due = [profile for profile in self._profiles if profile.bucket <= through_bucket]
        self._profiles = [p for p in self._profiles if p.bucket > through_bucket]
        return sorted(due, key=lambda p: (p.bucket, p.time_ms, p.text, p.offset))

    def take_deep(self, through_bucket: int) -> npt.NDArray[np.void]:
        """Remove and return who took part in buckets up to this one: undecided_details.DEEP[n].

        They are in any order; call it before the buckets are dropped, once.
        """
        watched = watched_rows(self.entries, self.count, through_bucket)
        return joined([self.details.take(through_bucket), watched])

    def drop(self, through_bucket: int) -> None:
        """Forget the entries of buckets up to this one."""
        stays = np.flatnonzero(self.entries["bucket"][: self.count] > through_bucket)
        number_of = np.full(self.count, _EMPTY, np.int32)
        number_of[stays] = np.arange(len(stays), dtype=np.int32)
        for first in range(0, len(stays), _MOVED_AT_ONCE):
            part = stays[first : first + _MOVED_AT_ONCE]
            if part[-1] != first + len(part) - 1:  # else nothing before it was dropped
                assign(self.entries[first : first + len(part)], self.entries.take(part))
        self._shrink("entries", self.count, len(stays))
        tallied = keep_tallies(self.tallies, self.tally_count, number_of, self.entries)
        self._shrink("tallies", self.tally_count, tallied)
        kept = _keep_people(self.people, self.person_count, number_of, self.entries)
        self.count, self.tally_count, self.person_count = len(stays), tallied, kept
        self._entry_table = _empty_table(2 * len(self.entries))
        _index_entries(self._entry_table, self.entries, self.count)
        self._person_table = _empty_table(2 * len(self.people))
        _index_people(self._person_table, self.people, self.person_count)

    def _shrink(self, name: str, had: int, left: int) -> None:
        """Give back the room after what is left of records: after a rush that is as much again."""
        needed = max(left, min(had, _KEPT_MOST), _SMALL)
        if len(getattr(self, name)) > _SHRINKS_ABOVE * needed:
            resize(self, name, needed + needed // 4)


@compiled
def _keep_people(
    people: npt.NDArray[np.void], count: int, number_of: Links, entries: npt.NDArray[np.void]
) -> int:
    """Move the people of entries that stay to the front, and chain them anew."""
    kept = 0
    for number in range(count):
        entry = number_of[people[number].entry]
        if entry == _EMPTY:
            continue
        person = people[kept]
        person.actor, person.signal = people[number].actor, people[number].signal
        person.entry = entry
        person.next = _EMPTY
        kept += 1
    for number in range(len(number_of)):
        if number_of[number] != _EMPTY:
            entries[number_of[number]].person = _EMPTY
    for number in range(kept):
        person = people[number]
        person.next = entries[person.entry].person
        entries[person.entry].person = number
    return kept


def _empty_table(least: int) -> Links:
    size = 2048
    while size < least:
        size *= 2
    return np.full(size, _EMPTY, np.int32)
