"""Reports of the partitions of `stages`: which bucket each has rows of, and which must be kept.

A report is kept, as it came, until the works that came of it have been saved, and all that it
teaches learned.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from models.decided_rows import Part
from models.stage_reports import StageReport

SAVE_AFTER_BYTES: Final = 32 * 1024 * 1024
"""Once the decided reports are larger than this, works are saved instead: a restart then decides at
most some 200,000 rows again, which takes under a second, and a row that changed in many buckets is
written once."""

SAVE_AFTER_REPORTS: Final = 4_096
"""The same for small reports, of which a restart reads some 5,000 a second."""


_DIGITS: Final = 12
"""Of the number in a key, so that keys sort as their reports came."""


@dataclass(slots=True)
class _Kept:
    size: int
    last_bucket: int
    last_epoch: int
    durable: bool


@dataclass(slots=True)
class ReportLog:
    """Reports that are still to be decided, and the bytes of all that a restart needs.

    Attributes:
        prefix: Of the keys of the changelog, which a number follows that no report kept has.
    """

    prefix: bytes
    _waiting: list[Part] = field(default_factory=list)
    _kept: dict[bytes, _Kept] = field(default_factory=dict)
    _new: dict[bytes, bytes | None] = field(default_factory=dict)
    _size: int = 0
    _next: int = 0

    def __len__(self) -> int:
        """Return how many reports are kept."""
        return len(self._kept)

    def add(self, report: StageReport, value: bytes) -> None:
        """Take in a report, and keep its message if it says anything."""
        lessons = (report.summaries, report.evidence, report.moments)
        if not (len(report.rows) or any(len(told) for told in lessons)):
            return
        key = self.prefix + f"{self._next:0{_DIGITS}}".encode()
        self._keep(key, report, 0, len(value), durable=False)
        self._new[key] = value

    def load(self, key: bytes, report: StageReport, size: int, through_bucket: int) -> None:
        """Take a report back that the changelog has.

        Args:
            key: Its key.
            report: The report.
            size: The length of its message in bytes.
            through_bucket: Up to this one, its rows are in what was saved of works: it is kept for
                what it teaches.
        """
        first = bisect_right(report.rows["bucket"], through_bucket)
        self._keep(key, report, first, size, durable=True)

    def _keep(
        self, key: bytes, report: StageReport, first: int, size: int, *, durable: bool
    ) -> None:
        if first < len(report.rows):
            self._waiting.append(Part(report, first, len(report.rows)))
        last_epoch = max((epoch for epoch, _, _ in report.summaries), default=-1)
        last_epoch = max([last_epoch, *(told.epoch for told in report.evidence)])
        last_epoch = max(last_epoch, int(report.moments["epoch"].max(initial=-1)))
        self._kept[key] = _Kept(size, report.last_bucket, last_epoch, durable)
        self._size += size
        self._next = max(self._next, int(key[len(self.prefix) :]) + 1)

    def take(self, through_bucket: int) -> list[Part]:
        """Return the rows of buckets up to one, in the order they were told, and forget these."""
        taken: list[Part] = []
        waiting: list[Part] = []
        for part in self._waiting:
            buckets = part.report.rows["bucket"]
            end = bisect_right(buckets, through_bucket, part.first, part.end)
            if end > part.first:
                taken.append(Part(part.report, part.first, end))
            if end < part.end:
                waiting.append(Part(part.report, end, part.end))
        self._waiting = waiting
        return taken

    def worth_saving(self, through_bucket: int) -> bool:
        """Tell whether so many reports up to a bucket are kept that works should be saved."""
        if self._size <= SAVE_AFTER_BYTES and len(self._kept) <= SAVE_AFTER_REPORTS:
            return False
        decided = [kept.size for kept in self._kept.values() if kept.last_bucket <= through_bucket]
        return sum(decided) > SAVE_AFTER_BYTES or len(decided) > SAVE_AFTER_REPORTS

    def drop(self, through_bucket: int, learned_epoch: int) -> None:
        """Forget the reports up to a bucket and an epoch: what came of them is saved."""
        for key, kept in list(self._kept.items()):
            if kept.last_bucket <= through_bucket and kept.last_epoch <= learned_epoch:
                del self._kept[key]
                self._size -= kept.size
                if kept.durable:
                    self._new[key] = None
                else:
                    del self._new[key]

    def take_dirty(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield key and message of the reports that came since the last call, None for dropped."""
        yield from self._new.items()
        for key, value in self._new.items():
            if value is not None:
                self._kept[key].durable = True
        self._new.clear()
