"""Decided rows of several reports in the order in which works are decided: by bucket, then by key.

The order is worked out once for all buckets that come together: what a small bucket costs is then
that of its rows.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from models.records import joined
from models.stage_reports import REPORT, StageReport

Ints = npt.NDArray[np.int64]
Said = TypeVar("Said")
"""What may be said of a row."""


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive rows of one report: `first` to `end`."""

    report: StageReport
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class DecidedRows:
    """Rows by bucket and video key; of one video in one bucket, as they were told.

    Attributes:
        keys: Keys of the different videos, in order.
        video: int64[n], the position of each row's video in `keys`.
        rows: REPORT[n].
        profiles: By row, what is newly known of a video.
        transitions: By row, those of the video in that bucket, in order.
        explanations: By row, what spoke for a forecast that has come to suffice for an alert.
        voices: By row, what was said under the video in a visit that is over.
        participations: (row, packed record) in order of rows: who took part in the video.
    """

    keys: list[str]
    video: Ints
    rows: npt.NDArray[np.void]
    profiles: dict[int, dict[str, Any]]
    transitions: dict[int, list[dict[str, Any]]]
    explanations: dict[int, dict[str, Any]]
    voices: dict[int, dict[str, Any]]
    participations: list[tuple[int, bytes]]

    def runs(self, buckets: int) -> Iterator[tuple[int, int]]:
        """Yield first and end of the rows of each so many buckets, counted from bucket 0."""
        spans = self.rows["bucket"] // buckets
        ends = [*(np.flatnonzero(np.diff(spans)) + 1).tolist(), len(spans)]
        first = 0
        for end in ends:
            if first < end:
                yield first, end
            first = end


def in_order(parts: Sequence[Part]) -> DecidedRows:
    """Return the rows of some parts, which are in the order in which they were told."""
    used = [np.unique(p.report.video[p.first : p.end], return_inverse=True) for p in parts]
    names = [
        [part.report.videos[number] for number in numbers.tolist()]
        for part, (numbers, _) in zip(parts, used, strict=True)
    ]
    keys = sorted({name for some in names for name in some})
    number_of = {key: number for number, key in enumerate(keys)}
    video = np.zeros(0, np.int64)
    rows = np.zeros(0, REPORT)
    if parts:
        video = np.concatenate(
            [
                np.array([number_of[name] for name in some], np.int64)[inverse]
                for some, (_, inverse) in zip(names, used, strict=True)
            ]
        )
        rows = joined([part.report.rows[part.first : part.end] for part in parts])
    # Both in one number: half the time that sorting by two takes.
    since = rows["bucket"] - rows["bucket"].min(initial=np.iinfo(np.int64).max)
    order = np.argsort(since * len(keys) + video, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    profiles: dict[int, dict[str, Any]] = {}
    transitions: dict[int, list[dict[str, Any]]] = {}
    explanations: dict[int, dict[str, Any]] = {}
    voices: dict[int, dict[str, Any]] = {}
    participations: list[tuple[int, bytes]] = []
    before = 0
    for part in parts:
        shift = before - part.first
        for row, profile in _within(part.report.profiles, part):
            profiles[int(place[row + shift])] = profile
        for row, transition in _within(part.report.transitions, part):
            transitions.setdefault(int(place[row + shift]), []).append(transition)
        for row, why in _within(part.report.explanations, part):
            explanations[int(place[row + shift])] = why
        for row, said in _within(part.report.voices, part):
            voices[int(place[row + shift])] = said
        for row, packed in _within(part.report.participations, part):
            participations.append((int(place[row + shift]), packed))
        before += part.end - part.first
    participations.sort(key=itemgetter(0))
    said_of_rows = (profiles, transitions, explanations, voices, participations)
    return DecidedRows(keys, video[order], rows.take(order), *said_of_rows)


def _within(said: list[tuple[int, Said]], part: Part) -> list[tuple[int, Said]]:
    """Return what is said of the rows of one part."""
    first = bisect_left(said, part.first, key=itemgetter(0))
    return said[first : bisect_left(said, part.end, lo=first, key=itemgetter(0))]
