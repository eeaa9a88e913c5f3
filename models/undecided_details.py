"""Rows of undecided buckets that say who takes part; they wait beside the sums of their bucket.

A row is *deep* when it carries a detail (models/details.py), when the actor has another role than
an ordinary person, when it is an act of interaction or diffusion, or of somebody in the fixed
sample of people (models/people_sample.py). Of other rows models/undecided.py keeps sums alone; so
does it of rows that come late, which decide nothing. Each of these has an entry there, which says
from which offset the log is to be read again.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from models.batches import Batch
from models.compiled import compiled
from models.details import NO_NUMBER, Details
from models.event_time import SourceClocks
from models.people_sample import DEPTH_OF_ACTION, SAMPLE_BELOW, Depth
from models.records import assign, grown
from models.vocabulary import ROLE_CODE, SIGNAL_OF_ACTION, Role, Signal

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
        ("sentiment", np.float32),
        ("action", np.uint8),
        ("role", np.uint8),
        ("spare", np.uint8, (6,)),
    ]
)
"""A deep row; `slot` points into the video table. `region` are the words of `region_words`, 0 where
it is not known; the other details are those of models/details.py. `content` is a digest of what it
says: it orders rows of one moment, whichever source partition they came by; rows that have it in
common, too, are alike."""

_INTERACTION: Final = int(Signal.INTERACTION)
_ORDINARY: Final = ROLE_CODE[Role.ORDINARY]
_MULTIPLIER: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
_TURN: Final = np.uint64(29)
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
        np.uint64(np.int64(said.sentiment * np.float32(1e6)))
        if said.sentiment == said.sentiment
        else _MULTIPLIER,
        np.uint64(said.action),
        np.uint64(said.role),
    ):
        digest = (digest ^ word) * _MULTIPLIER
        digest ^= digest >> _TURN
    return digest


@compiled
def _gather(
    slots: Ints,
    video: npt.NDArray[np.int32],
    action: npt.NDArray[np.uint8],
    time_ms: Ints,
    high_ms: Ints,
    count: Ints,
    actor: npt.NDArray[np.uint64],
    role: npt.NDArray[np.uint8],
    skip: npt.NDArray[np.bool_],
    details: Details,
    regions: Words,
    bounds: tuple[int, int, int, int],
    at: tuple[int, int],
    rows: Rows,
    size: int,
) -> tuple[int, int, int]:
    """Copy the deep rows of a batch, from one on, until its end or until there is no room.

    `bounds` are bucket_ms, allowed_lateness_ms, the source's greatest time before the batch and the
    last closed bucket.

    Returns:
        The row and the detail it came to, and how many rows there are now.
    """
    bucket_ms, lateness_ms, source_high_ms, closed = bounds
    row, detail = at
    while row < len(video) and size < len(rows):
        while detail < len(details) and details[detail].row < row:
            detail += 1
        told = detail < len(details) and details[detail].row == row
        what = action[row]
        deep = told or role[row] != _ORDINARY or SIGNAL_OF_ACTION[what] >= _INTERACTION
        if not deep and 0 < actor[row] < SAMPLE_BELOW:
            deep = DEPTH_OF_ACTION[what] != Depth.NONE
        if deep and not skip[row]:
            bucket = time_ms[row] // bucket_ms
            late = bucket <= closed or (
                time_ms[row] < max(high_ms[row], source_high_ms) - lateness_ms
            )
            if not late:
                kept = rows[size]
                kept.bucket, kept.slot = bucket, slots[video[row]]
                kept.time_ms, kept.count = time_ms[row], count[row]
                kept.actor, kept.action, kept.role = actor[row], what, role[row]
                if told:
                    said = details[detail]
                    kept.via, kept.comment, kept.parent = said.via, said.comment, said.parent
                    kept.region[0] = regions[said.region, 0]
                    kept.region[1] = regions[said.region, 1]
                    kept.followers, kept.watch_ms = said.followers, said.watch_ms
                    kept.age_days, kept.sentiment = said.age_days, said.sentiment
                else:
                    kept.via = kept.comment = kept.parent = 0
                    kept.region[:] = 0
                    kept.followers = kept.watch_ms = kept.age_days = NO_NUMBER
                    kept.sentiment = np.nan
                kept.spare[:] = 0
                kept.content = _content(rows[size : size + 1])
                size += 1
        row += 1
    return row, detail, size


class UndecidedDetails:
    """The deep rows of one partition whose buckets are not decided yet.

    Attributes:
        rows: DEEP[capacity]; the first `count` are in use.
    """

    def __init__(self) -> None:
        self.rows = np.empty(_SMALL, DEEP)
        self.count = 0

    def add(
        self, batch: Batch, slots: Ints, skip: npt.NDArray[np.bool_], clocks: SourceClocks
    ) -> None:
        """Add the deep rows of a batch that are not to be skipped and do not come late.

        Args:
            batch: The batch; its source's clock has not been moved by it yet.
            slots: int64[len(batch.videos)], the slot of each of its videos.
            skip: bool[n].
            clocks: The clocks, for lateness.
        """
        closed = -1 if clocks.closed_bucket is None else clocks.closed_bucket
        source_high_ms = clocks.clocks[batch.header.source].high_ms
        regions = region_words(batch.regions)
        row = detail = 0
        while True:
            row, detail, self.count = _gather(
                slots,
                batch.video,
                batch.action,
                batch.time_ms,
                batch.high_ms,
                batch.count,
                batch.actor,
                batch.role,
                skip,
                batch.details,
                regions,
                (clocks.bucket_ms, clocks.allowed_lateness_ms, source_high_ms, closed),
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
