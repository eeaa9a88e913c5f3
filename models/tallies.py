"""What one bucket says of one video beyond views: a tally for each action, chained to its entry.

Most videos are only watched in a bucket, by a few. So an entry (models/undecided.py) holds what
every one has, and of each other action that happened there is a record of its own in a pool. What
the rules of a decision read is unfolded from both when the bucket is decided, one video at a time.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.cohorts import SIGNALS
from models.compiled import compiled
from models.vocabulary import ACTION_CODE, ACTIONS, NO_SIGNAL, SIGNAL_OF_ACTION, Action

TALLY: Final = np.dtype(
    [
        ("count", np.int64),
        ("late", np.int64),
        ("known", np.int64),
        ("at_ms", np.int64),
        ("different", np.int32),
        ("entry", np.int32),
        ("next", np.int32),
        ("action", np.uint8),
        ("spare", np.uint8, (3,)),
    ]
)
"""One action of one entry: its events in time and those that came late. `known` are events of known
actors, `different` how many actors of its signal were first met by it, and `at_ms` is the first
time of a `publish`, the last of a `delete` or `restore`; `next` is the entry's next tally, or
NO_TALLY. The views of an entry have one only where some came late: it counts the others itself."""

SUMMED: Final = np.dtype(
    [
        ("bucket", np.int64),
        ("first_ms", np.int64),
        ("last_ms", np.int64),
        ("publish_ms", np.int64),
        ("events", np.int64),
        ("counts", np.int64, (len(ACTIONS),)),
        ("late", np.int64, (len(ACTIONS),)),
        ("known", np.int64, (SIGNALS,)),
        ("different", np.int64, (SIGNALS,)),
        ("person", np.int32),
        ("roles", np.uint8),
        ("removed_by", np.uint8),
        ("is_visit", np.uint8),
        ("spare", np.uint8),
    ]
)
"""An entry and its tallies, unfolded: `known` and `different` by signal, `publish_ms` the first
time of a `publish` or NEVER_PUBLISHED, `removed_by` the code of the last `delete` or `restore`, 0
when there is none."""

NO_TALLY: Final = -1
NEVER_PUBLISHED: Final = np.iinfo(np.int64).max
_VIEW: Final = ACTION_CODE[Action.VIEW]
_PUBLISH: Final = ACTION_CODE[Action.PUBLISH]
_DELETE: Final = ACTION_CODE[Action.DELETE]
_RESTORE: Final = ACTION_CODE[Action.RESTORE]

Entry = Any
"""One record of undecided.ENTRY, in place."""
Records = npt.NDArray[np.void]


@compiled
def tally_of(
    entry: Entry, number: np.int64, action: np.int64, tallies: Records, count: int
) -> np.int64:
    """Return the tally of an action of the entry of that number: `count` where it was just made."""
    at = entry.tally
    while at != NO_TALLY:
        if tallies[at].action == action:
            return np.int64(at)
        at = tallies[at].next
    made = tallies[count]
    made.count = made.late = made.known = made.different = 0
    made.at_ms = NEVER_PUBLISHED if action == _PUBLISH else -1
    made.entry, made.action = number, action
    made.spare[:] = 0
    made.next = entry.tally
    entry.tally = count
    return np.int64(count)


@compiled
def unfold(entry: Entry, tallies: Records, summed: Any) -> None:  # noqa: ANN401 - a record
    """Fill in SUMMED from an entry and its tallies, in place."""
    summed.bucket, summed.first_ms, summed.last_ms = entry.bucket, entry.first_ms, entry.last_ms
    summed.events, summed.person = entry.events, entry.person
    summed.roles, summed.is_visit = entry.roles, entry.is_visit
    summed.publish_ms, summed.removed_by = NEVER_PUBLISHED, 0
    summed.counts[:] = 0
    summed.late[:] = 0
    summed.known[:] = 0
    summed.different[:] = 0
    summed.counts[_VIEW] = entry.views
    removed_ms = np.int64(-1)
    at = entry.tally
    while at != NO_TALLY:
        tally = tallies[at]
        action = np.int64(tally.action)
        summed.counts[action] += tally.count
        summed.late[action] = tally.late
        signal = np.int64(SIGNAL_OF_ACTION[action])
        if signal != NO_SIGNAL:
            summed.known[signal] += tally.known
            summed.different[signal] += tally.different
        elif action == _PUBLISH:
            summed.publish_ms = tally.at_ms
        elif action in (_DELETE, _RESTORE) and tally.at_ms >= 0:
            later = tally.at_ms == removed_ms and action > summed.removed_by
            if tally.at_ms > removed_ms or later:
                removed_ms, summed.removed_by = tally.at_ms, action
        at = tally.next


@compiled
def keep_tallies(
    tallies: Records, count: int, number_of: npt.NDArray[np.int32], entries: Records
) -> int:
    """Move the tallies of entries that stay to the front, chain them anew; return how many.

    Args:
        tallies: TALLY[capacity]; the first `count` are in use.
        count: See there.
        number_of: int32[entries before], the number of each entry now, below zero for those gone.
        entries: Those that stay, by their numbers now.
    """
    for number in range(len(number_of)):
        if number_of[number] >= 0:
            entries[number_of[number]].tally = NO_TALLY
    kept = 0
    for number in range(count):
        entry = number_of[tallies[number].entry]
        if entry < 0:
            continue
        tally, was = tallies[kept], tallies[number]
        tally.count, tally.late, tally.known = was.count, was.late, was.known
        tally.at_ms, tally.different, tally.action = was.at_ms, was.different, was.action
        tally.entry = entry
        tally.next = entries[entry].tally
        entries[entry].tally = kept
        kept += 1
    return kept
