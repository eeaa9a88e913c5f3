"""Rows of undecided buckets that say who takes part; they wait beside the sums of their bucket.

A row is *deep* when it carries a detail (models/details.py), when the actor has another role than
an ordinary person, when it is an act of interaction or diffusion, or of somebody in the fixed
sample of people (models/people_sample.py). Of other rows models/undecided.py keeps sums alone; so
does it of rows that come late, which decide nothing. Each of these has an entry there, which says
from which offset the log is to be read again.

Somebody who *merely watches* (a view of nobody in the sample, led by nobody, from no known place)
changes sums alone, whatever else was said. That is what most events are, so they are summed in
their entry as they come, and become one deep row when the bucket is taken.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.batches import Batch
from models.compiled import compiled
from models.details import NO_NUMBER, NO_REGION, Details
from models.people_sample import DEPTH_OF_ACTION, SAMPLE_BELOW, Depth
from models.records import assign, grown
from models.vocabulary import ACTION_CODE, ROLE_CODE, SIGNAL_OF_ACTION, Action, Role, Signal

REGION_BYTES: Final = 16
"""Of the name of a region so much is kept: a code, five characters of Chinese, or a short name."""

REGION_WORDS: Final = REGION_BYTES // 8

DEEP: Final = np.dtype(
    [
        ("bucket", np.int64),
        ("slot", np.int64),
        ("time_ms", np.int64),
        ("content", np.uint64),
        ("count", np.int64),
        ("actor", np.uint64),
        ("via", np.uint64),
        ("comment", np.uint64),
        ("parent", np.uint64),
        ("region", np.uint64, (REGION_WORDS,)),
        ("followers", np.int64),
        ("watch_ms", np.int64),
        ("age_days", np.int32),
        ("watches", np.int32),
        ("last_ms", np.int64),
        ("action", np.uint8),
        ("role", np.uint8),
        ("spare", np.uint8, (6,)),
    ]
)
"""A deep row; `slot` points into the video table. `region` are the words of `region_words`, 0 where
it is not known; the other details are those of models/details.py, but for the sentiment, which is
of the comment alone (models/undecided_comments.py). `last_ms` is `time_ms`, and
`watches` 1 where a view says how long it was, else 0; but in the one row of those who merely
watched a video in a bucket, `time_ms` to `last_ms` are the first to the last of them, and
`watch_ms` is the sum of so many `watches`. `content` is a digest of what it says: it orders rows of
one moment, whichever source partition they came by; rows that have it in common, too, are alike."""

_INTERACTION: Final = int(Signal.INTERACTION)
_ORDINARY: Final = ROLE_CODE[Role.ORDINARY]
_VIEW: Final = ACTION_CODE[Action.VIEW]
_MULTIPLIER: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
_TURN: Final = np.uint64(29)
_NO_LENGTH: Final = np.int64(NO_NUMBER)
NO_ENTRY: Final = -1
"""Stands for the entry of a row that was skipped or came late."""

_SMALL: Final = 4_096
"""So many rows (0.5 MB) are always kept room for."""
_SHRINKS_ABOVE: Final = 2
"""How much longer than what is left the rows may be when some are taken."""

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]
Words = npt.NDArray[np.uint64]


def region_words(names: Sequence[str]) -> Words:
    """Return uint64[len(names) + 1, REGION_WORDS]: the cut names, after one that is absent.

    >>> region_name(*region_words(["江苏"])[1].tolist())
    '江苏'
    """
    cut = [name.encode()[:REGION_BYTES].decode(errors="ignore").encode() for name in names]
    padded = [name.ljust(REGION_BYTES, b"\0") for name in (b"", *cut)]
    return np.frombuffer(b"".join(padded), np.uint64).reshape(-1, REGION_WORDS)


def region_name(first: int, second: int) -> str:
    """Return the name that `region_words` made two words of, cut to REGION_BYTES."""
    words = np.array([first, second], np.uint64)
    return words.tobytes().rstrip(b"\0").decode()


@compiled
def _content(row: Rows) -> np.uint64:
    """Return a digest of DEEP[1]: of everything but its place."""
    digest = np.uint64(0)
    said = row[0]
    for word in (
        np.uint64(said.count),
        said.actor,
        said.via,
        said.comment,
        said.parent,
        said.region[0],
        said.region[1],
        np.uint64(said.followers),
        np.uint64(said.watch_ms),
        np.uint64(np.int64(said.age_days)),
        np.uint64(said.action),
        np.uint64(said.role),
    ):
        digest = (digest ^ word) * _MULTIPLIER
        digest ^= digest >> _TURN
    return digest


@compiled
def _gather(
    action: npt.NDArray[np.uint8],
    time_ms: Ints,
    count: Ints,
    actor: npt.NDArray[np.uint64],
    role: npt.NDArray[np.uint8],
    details: Details,
    regions: Words,
    entry_of: npt.NDArray[np.int32],
    entries: Rows,
    at: tuple[int, int],
    rows: Rows,
    size: int,
) -> tuple[int, int, int]:
    """Copy the deep rows of a batch, from one on, until its end or until there is no room.

    Those that merely watch are added to their entries instead.

    Returns:
        The row and the detail it came to, and how many rows there are now.
    """
    row, detail = at
    while row < len(action) and size < len(rows):
        while detail < len(details) and details[detail].row < row:
            detail += 1
        told = detail < len(details) and details[detail].row == row
        at_row, row = row, row + 1
        number, what = entry_of[at_row], action[at_row]
        if number == NO_ENTRY:
            continue
        sampled = 0 < actor[at_row] < SAMPLE_BELOW and DEPTH_OF_ACTION[what] != Depth.NONE
        deep = told or sampled or role[at_row] != _ORDINARY
        if not deep and SIGNAL_OF_ACTION[what] < _INTERACTION:
            continue
        if what == _VIEW and not sampled and count[at_row] > 0:
            # Anything else that a view may say changes the record of its video.
            said_more = told and not _merely_watches(details[detail])
            if not said_more:
                watch_ms = details[detail].watch_ms if told else _NO_LENGTH
                _watch(entries[number], time_ms[at_row], watch_ms)
                continue
        kept = rows[size]
        kept.bucket, kept.slot = entries[number].bucket, entries[number].slot
        kept.time_ms = kept.last_ms = time_ms[at_row]
        kept.count, kept.actor = count[at_row], actor[at_row]
        kept.action, kept.role = what, role[at_row]
        if told:
            said = details[detail]
            kept.via, kept.comment, kept.parent = said.via, said.comment, said.parent
            kept.region[0] = regions[said.region, 0]
            kept.region[1] = regions[said.region, 1]
            kept.followers, kept.watch_ms = said.followers, said.watch_ms
            kept.age_days = said.age_days
        else:
            kept.via = kept.comment = kept.parent = 0
            kept.region[:] = 0
            kept.followers = kept.watch_ms = kept.age_days = NO_NUMBER
        kept.watches = what == _VIEW and kept.watch_ms != NO_NUMBER
        kept.spare[:] = 0
        kept.content = _content(rows[size : size + 1])
        size += 1
    return row, detail, size


@compiled
def _merely_watches(said: Any) -> bool:  # noqa: ANN401 - a record
    """Tell whether a view's detail says nothing that its video's record keeps but its length."""
    nothing: bool = said.via == 0 and said.region == NO_REGION
    return nothing


@compiled
def _watch(entry: Any, at_ms: np.int64, watch_ms: np.int64) -> None:  # noqa: ANN401 - a record
    """Add somebody who merely watched to an entry of models/undecided.py, in place."""
    if not entry.is_watched:
        entry.is_watched = 1
        entry.watch_first_ms = entry.watch_last_ms = at_ms
        entry.watches = entry.watch_ms = 0
    entry.watch_first_ms = min(entry.watch_first_ms, at_ms)
    entry.watch_last_ms = max(entry.watch_last_ms, at_ms)
    if watch_ms != NO_NUMBER:
        entry.watches += 1
        entry.watch_ms += watch_ms


@compiled
def watched_rows(entries: Rows, count: int, through_bucket: int) -> Rows:
    """Return DEEP[n]: what those who merely watched come to, a row for each entry that has any.

    Args:
        entries: Of models/undecided.py; the first `count` are in use.
        count: See there.
        through_bucket: Entries of buckets up to this one are looked at.
    """
    size = 0
    for number in range(count):
        size += entries[number].is_watched and entries[number].bucket <= through_bucket
    rows = np.zeros(size, DEEP)
    at = 0
    for number in range(count):
        entry = entries[number]
        if not entry.is_watched or entry.bucket > through_bucket:
            continue
        row = rows[at]
        row.bucket, row.slot, row.action, row.count = entry.bucket, entry.slot, _VIEW, 1
        row.time_ms, row.last_ms = entry.watch_first_ms, entry.watch_last_ms
        row.watches, row.watch_ms = entry.watches, entry.watch_ms
        row.followers = row.age_days = NO_NUMBER
        at += 1
    return rows


class UndecidedDetails:
    """The deep rows of one partition whose buckets are not decided yet.

    Attributes:
        rows: DEEP[capacity]; the first `count` are in use.
    """

    def __init__(self) -> None:
        self.rows = np.empty(_SMALL, DEEP)
        self.count = 0

    def add(self, batch: Batch, entry_of: npt.NDArray[np.int32], entries: Rows) -> None:
        """Add the deep rows of a batch; what those come to who merely watch, to their entries.

        Args:
            batch: The batch.
            entry_of: int32[n], the number of the entry that each row went to, or NO_ENTRY.
            entries: Of models/undecided.py, changed in place.
        """
        regions = region_words(batch.regions)
        row = detail = 0
        while True:
            row, detail, self.count = _gather(
                batch.action,
                batch.time_ms,
                batch.count,
                batch.actor,
                batch.role,
                batch.details,
                regions,
                entry_of,
                entries,
                (row, detail),
                self.rows,
                self.count,
            )
            if row == len(batch):
                return
            self.rows = grown(self.rows, self.count + 1)

    def take(self, through_bucket: int) -> Rows:
        """Remove and return the rows of buckets up to this one: DEEP[n], in any order."""
        stays = self.rows["bucket"][: self.count] > through_bucket
        left = int(np.count_nonzero(stays))
        taken = self.rows.take(np.flatnonzero(~stays))
        assign(self.rows[:left], self.rows.take(np.flatnonzero(stays)))
        self.count = left
        needed = max(left, _SMALL)
        if len(self.rows) > _SHRINKS_ABOVE * needed:
            self.rows = self.rows[: needed + needed // 4].copy()
        return taken
