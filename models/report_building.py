"""What `stages` tells `hotspots` of decided buckets: the videos that matter to it, and no others.

A video is *followed* from the bucket on in which one of these holds: it has a topic or a source
(its growth is growth of a work), it has gone through a transition or beyond presentation, or it
will probably reach the level. `hotspots` keeps nothing of other videos, so leaving them out changes
no work and no alert. What a followed video had before is in the totals of its first row. Whether a
video is followed is kept in its row, follows from the log alone, and is forgotten with the row when
the video expires.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.cohort_learning import EpochSummary
from models.compiled import compiled
from models.decisions import Decided
from models.epoch_evidence import EpochEvidence
from models.forecast_moments import MOMENT, moments_of
from models.known_actors import ACTED
from models.parameters import Parameters
from models.participation_table import ParticipationTable
from models.records import joined
from models.stage_reports import ALWAYS, REPORT, Said, StageReport, encode_report
from models.transition_words import Transition
from models.video_state import VideoTable
from models.vocabulary import Stage

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

REPORT_BYTES_MAX: Final = 3 * 1024 * 1024
"""Rows, keys, profiles, transitions, explanations and participations of one message, before Arrow's
frame: the message stays below 4 MB."""

PROFILE_TOLD: Final = (
    *("title", "creator_id", "topics", "source", "fingerprint", "labels"),
    *("creator_role", "creator_followers", "mcn", "vertical"),
)
"""What `hotspots` reads of a profile."""

SUMMARIES_BESIDE_BYTES: Final = 512 * 1024
"""Summaries of up to this size travel with the first rows, more in messages of their own; forecasts
to learn from likewise."""

_VOICES_OVERHEAD_BYTES: Final = 2_048
"""Figures and names of what was said in a visit, as JSON at the most: 16 phrases, 5 sums and 3
comments of 8 fields; texts aside."""

_TEXT_OVERHEAD_BYTES: Final = 512
"""Figures and names of one transition, or the field names of one profile, as JSON at the most
(their longest is 430 bytes), texts aside."""

_NUMBER_BYTES: Final = 24
"""A number of a summary as JSON at the longest: 17 digits, a point, an exponent."""

_BYTES_PER_CHARACTER: Final = 6
"""A character of JSON at its longest: an escape such as `\\u001f`."""


_PARTICIPATION_OVERHEAD_BYTES: Final = 8
"""The row that a participation belongs to, and where it begins."""

_NO_SLOTS: Final = np.zeros(0, np.int64)

_SAME: Final = (
    *("bucket", "last_ms", "age_ms", "views", "total_views", "acted", "total_acted"),
    *("progress", "total_progress", "episode_progress", "probability", "roles"),
    *("stage", "route", "state", "episode", "deleted"),
)
"""Fields of a report that are those of a decision."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DecidedVideos:
    """Where all videos stand that some buckets changed, whether followed or not.

    Attributes:
        videos: Their keys.
        last_ms: int64[n], event time of the last event of each.
        probability: float32[n], that it reaches the level.
    """

    videos: list[str]
    last_ms: Ints
    probability: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MadeForecasts:
    """The forecasts that were made in some buckets, of videos followed or not, for who trains.

    Of each episode that reaches its level the last one is the moment when it did.

    Attributes:
        videos: The key of each forecast's video.
        time_ms: int64[m], event time of the last event that it reflects.
        progress: int64[m], events of the level's action since the episode began.
        episode: int64[m], when the episode began, -1 for a video's first: tells episodes apart.
        features: float32[m, len(forecast_features.FEATURES)], what it looked at.
        probability: float32[m], what it said; 1 from the level on.
    """

    videos: list[str]
    time_ms: Ints
    progress: Ints
    episode: Ints
    features: npt.NDArray[np.float32]
    probability: npt.NDArray[np.float32]


@dataclass(slots=True)
class _Profiles:
    """What was known of a video before the buckets at hand, and from which of them on what is.

    `told` is the position of the last that was told, -1 for none.
    """

    known: list[tuple[int, dict[str, Any]]]
    told: int


@compiled
def _follow(
    decisions: Rows,
    rows: Rows,
    belonging: Ints,
    happened: Flags,
    likely: Flags,
    told: Flags,
    untold: Flags,
) -> None:
    """Find the decisions of followed videos, and follow from each on whose video matters now.

    Args:
        decisions: decisions.DECISION[n], by bucket.
        rows: video_state.ROW[all], `followed` is changed in place.
        belonging: int64[m, 2], bucket and slot, by bucket: from when on a video belongs somewhere.
        happened: bool[n], where there is a transition.
        likely: bool[n], where the level will probably be reached.
        told: bool[n], out: the video is followed.
        untold: bool[n], out: and its profile has not been told as it is now.
    """
    first = 0
    for at in range(len(decisions)):
        while first < len(belonging) and belonging[first, 0] <= decisions[at].bucket:
            rows[belonging[first, 1]].followed = 1
            first += 1
        row = rows[decisions[at].slot]
        if happened[at] or likely[at] or decisions[at].stage > Stage.PRESENTATION:
            row.followed = 1
        told[at] = row.followed
        untold[at] = row.followed and not row.profile_told
    for at in range(first, len(belonging)):
        rows[belonging[at, 1]].followed = 1


@dataclass(slots=True)
class ReportBuilder:
    """Collects decided buckets for messages of `video-stages`.

    Attributes:
        parameters: For the probability from which on a video matters.
        everything: Where to note all decided videos, for who writes forecasts of them; None where
            nobody does.
        made: Where to note all forecasts that were made, for who learns from them; None likewise.
        acted: ACTED[k] of each epoch at hand: who acted towards the level.
        table: Takes in who took part in followed videos, and says what is told of it; None where
            nobody asks.
    """

    parameters: Parameters
    everything: list[DecidedVideos] | None = None
    made: list[MadeForecasts] | None = None
    table: ParticipationTable | None = None
    profiles: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    transitions: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    explanations: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    voices: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    summaries: list[tuple[int, str, EpochSummary]] = field(default_factory=list)
    evidence: list[EpochEvidence] = field(default_factory=list)
    participations: list[tuple[int, bytes]] = field(default_factory=list)
    acted: list[Rows] = field(default_factory=list)
    _moments: list[Rows] = field(default_factory=list)
    _rows: list[Rows] = field(default_factory=list)
    _slots: list[Ints] = field(default_factory=list)
    _keys: dict[int, str] = field(default_factory=dict)
    _described: dict[int, _Profiles] = field(default_factory=dict)
    _belonging: list[tuple[int, int]] = field(default_factory=list)
    _count: int = 0
    _decided: bool = False

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count

    def __bool__(self) -> bool:
        """Tell whether anything was decided or an epoch summarised."""
        return self._decided or bool(self.summaries) or bool(self.evidence)

    def rows(self) -> Rows:
        """Return REPORT[n]."""
        return joined(self._rows) if self._rows else np.zeros(0, REPORT)

    def describe(
        self, bucket: int, slot: int, videos: VideoTable, profile: Mapping[str, Any]
    ) -> None:
        """Merge a profile into a video's, and note from which bucket on it holds.

        Buckets come in order, and before the call of `add` that decides them.
        """
        videos.make_rows(slot + 1)
        described = self._described.get(slot)
        if described is None:
            before = (ALWAYS, _told_of(videos.profiles.get(slot)))
            described = _Profiles([before], 0 if videos.rows["profile_told"][slot] else -1)
        if videos.describe(slot, profile):
            self._described[slot] = described
            known = _told_of(videos.profiles.get(slot))
            described.known.append((bucket, known))
            if known.get("topics") or known.get("source"):
                self._belonging.append((bucket, slot))

    def add(self, videos: VideoTable, decided: Decided, thinning: int = 0) -> None:
        """Add some decided buckets, and mark in the rows of their videos what was told of them.

        Args:
            videos: The partition's videos.
            decided: What was decided of them.
            thinning: Of one video of 2^thinning forecasts are told to learn from.
        """
        decisions = decided.decisions
        if self.parameters.learn_forecast and len(decided.forecasts):
            self._moments.append(moments_of(videos.keys, decided, self.parameters, thinning))
        self._decided |= bool(len(decisions))
        if self.everything is not None:
            keys = [videos.keys[slot] or "" for slot in decisions["slot"].tolist()]
            probability = decisions["probability"].astype(np.float32)
            self.everything.append(DecidedVideos(keys, decisions["last_ms"], probability))
        if self.made is not None and len(decided.forecasts):
            self.made.append(_made_of(videos, decided))
        told, untold = self._follow(videos, decided)
        where = np.flatnonzero(told)
        if len(where):
            followed = decisions.take(where)
            self._add_rows(videos, followed)
            self._tell_profiles(videos, followed["slot"], np.flatnonzero(untold[where]))
            self._tell_participations(followed, decided.deep)
            position = np.cumsum(told) - 1 + self._count
            self.transitions += [(int(position[t.row]), _to_dict(t)) for t in decided.transitions]
            # A forecast that suffices for an alert is told, so each of these has a row.
            self.explanations += [
                (int(position[row]), why) for row, why in decided.explanations.items()
            ]
            self._count += len(where)
        self._described.clear()
        self._belonging.clear()

    def told_from(self, first: int) -> tuple[Ints, Ints]:
        """Return int64[n] twice: bucket and slot of each row from `first` on, in order."""
        if first == self._count:
            return _NO_SLOTS, _NO_SLOTS
        # What is asked for are the rows that were added last.
        return self._rows[-1]["bucket"], self._slots[-1]

    def _follow(self, videos: VideoTable, decided: Decided) -> tuple[Flags, Flags]:
        """Return which decisions are told, and with which of them a profile might be."""
        decisions = decided.decisions
        happened, told, untold = (np.zeros(len(decisions), np.bool_) for _ in range(3))
        happened[[transition.row for transition in decided.transitions]] = True
        # Compared in the precision of the report, as who reads it does.
        probability = decisions["probability"].astype(np.float32)
        likely = probability >= self.parameters.emerging_probability
        belonging = np.array(self._belonging, np.int64).reshape(-1, 2)
        _follow(decisions, videos.rows, belonging, happened, likely, told, untold)
        return told, untold

    def _add_rows(self, videos: VideoTable, decisions: Rows) -> None:
        report = np.zeros(len(decisions), REPORT)
        for name in _SAME:
            report[name] = decisions[name]
        report["views_per_hour"] = decisions["activity_per_hour"]
        self._rows.append(report)
        self._slots.append(decisions["slot"])
        # A slot keeps its video while a report is built, but may lose it before the report is told.
        slots, keys = np.unique(decisions["slot"]).tolist(), videos.keys
        self._keys.update({slot: keys[slot] or "" for slot in slots})

    def _tell_profiles(self, videos: VideoTable, slots: Ints, untold: Ints) -> None:
        """Tell each profile with the first row of its video for which it holds.

        Args:
            videos: The partition's videos.
            slots: int64[n], the video of each row added last.
            untold: Rows of videos whose profile has not been told as it is now.
        """
        buckets = self._rows[-1]["bucket"]
        at_once: dict[int, _Profiles] = {}
        for row, slot in zip(untold.tolist(), slots[untold].tolist(), strict=True):
            profiles = self._described.get(slot) or at_once.get(slot)
            if profiles is None:
                known = _told_of(videos.profiles.get(slot))
                profiles = at_once[slot] = _Profiles([(ALWAYS, known)], -1)
            holds = max(i for i, (since, _) in enumerate(profiles.known) if since <= buckets[row])
            if holds > profiles.told:
                profiles.told = holds
                if profiles.known[holds][1]:
                    self.profiles.append((self._count + row, profiles.known[holds][1]))
            if holds == len(profiles.known) - 1:
                videos.rows["profile_told"][slot] = 1

    def _tell_participations(self, decisions: Rows, deep: Rows) -> None:
        """Take in who took part in the videos of the rows added last, and tell what is due."""
        if self.table is not None:
            told = self.table.take_in(
                decisions["bucket"].copy(),
                decisions["slot"].copy(),
                deep,
                self.parameters.bucket_ms,
            )
            self.participations += [(self._count + row, packed) for row, packed in told]

    def messages(self, last: StageReport) -> list[bytes]:
        """Return what was collected as messages of bounded size, in order.

        Args:
            last: Who speaks, how far it has decided (`through_bucket`), and the sequence number of
                the first message; its other fields are filled in here.

        Returns:
            At least one message; the last says `through_bucket`, those before it where they stand.
        """
        rows = self.rows()
        slots, video = np.unique(np.concatenate([_NO_SLOTS, *self._slots]), return_inverse=True)
        keys = [self._keys[slot] for slot in slots.tolist()]
        ends = self._ends(np.array([len(key.encode()) for key in keys], np.int64)[video])
        all_named = np.arange(len(keys))
        *alone, beside = self._parts_of_summaries()
        room = not self.summaries
        *moments_alone, moments_beside = _parts_of(MOMENT, self._moments, beside=room)
        room &= not len(moments_beside)
        *acted_alone, acted_beside = _parts_of(ACTED, self.acted, beside=room)
        # They are learned when their epoch is complete, so they come before it is.
        reports = [
            replace(last, through_bucket=self._before_lessons(), summaries=part) for part in alone
        ]
        reports += [
            replace(last, through_bucket=self._before_lessons(), moments=part)
            for part in moments_alone
        ]
        reports += [
            replace(last, through_bucket=self._before_lessons(), acted=part) for part in acted_alone
        ]
        reports += [
            replace(last, through_bucket=self._before_lessons(), evidence=[part])
            for part in self._parts_of_evidence()
        ]
        first = 0
        for end in ends:
            named, numbers = all_named, video
            if end - first < len(rows):
                named, numbers = np.unique(video[first:end], return_inverse=True)
            # What follows begins in the bucket of the next row: those before it are complete.
            complete = end == len(rows)
            report = replace(
                last,
                through_bucket=last.through_bucket if complete else int(rows["bucket"][end]) - 1,
                videos=[keys[number] for number in named.tolist()],
                video=numbers.astype(np.int32),
                rows=rows[first:end],
                profiles=_within(self.profiles, first, end),
                transitions=_within(self.transitions, first, end),
                explanations=_within(self.explanations, first, end),
                voices=_within(self.voices, first, end),
                summaries=[] if first else beside,
                moments=moments_beside[:0] if first else moments_beside,
                acted=acted_beside[:0] if first else acted_beside,
                participations=_within(self.participations, first, end),
            )
            reports.append(report)
            first = end
        return [
            encode_report(replace(report, sequence=last.sequence + number))
            for number, report in enumerate(reports)
        ]

    def _parts_of_summaries(self) -> list[list[tuple[int, str, EpochSummary]]]:
        """Return the summaries in parts, all but the last for messages of their own."""
        parts: list[list[tuple[int, str, EpochSummary]]] = [[]]
        size = 0
        for told in self.summaries:
            more = told[2].stored_numbers() * _NUMBER_BYTES + _TEXT_OVERHEAD_BYTES
            more += _BYTES_PER_CHARACTER * len(told[1])
            if parts[-1] and size + more > REPORT_BYTES_MAX:
                parts.append([])
                size = 0
            parts[-1].append(told)
            size += more
        return parts if size <= SUMMARIES_BESIDE_BYTES else [*parts, []]

    def _parts_of_evidence(self) -> Iterator[EpochEvidence]:
        """Yield the evidence in parts, each for a message of its own."""
        for told in self.evidence:
            part = EpochEvidence(told.epoch, told.tested, [])
            size = 0
            for candidate in told.candidates:
                texts = len(candidate.video) + len(candidate.title)
                more = _BYTES_PER_CHARACTER * texts + _TEXT_OVERHEAD_BYTES
                if part.candidates and size + more > REPORT_BYTES_MAX:
                    yield part
                    # All that were tested are counted with the first part.
                    part, size = EpochEvidence(told.epoch, 0, []), 0
                part.candidates.append(candidate)
                size += more
            yield part

    def _before_lessons(self) -> int:
        """Return the bucket before all that is told here: nothing since then is complete."""
        epochs = [epoch for epoch, _, _ in self.summaries]
        epochs += [told.epoch for told in self.evidence]
        lessons = (*self._moments, *self.acted)
        epochs += [int(part["epoch"][0]) for part in lessons if len(part)]
        first = min(epochs) * (self.parameters.epoch_ms // self.parameters.bucket_ms)
        if self._rows:
            # An epoch in which videos only fell silent has rows and no summary.
            first = min(first, int(self._rows[0]["bucket"][0]))
        return first - 1

    def _ends(self, key_bytes: Ints) -> list[int]:
        """Return after how many rows each message ends, the last included.

        Args:
            key_bytes: int64[rows], the length of the key of each row's video.
        """
        size = key_bytes + REPORT.itemsize + np.dtype(np.int32).itemsize
        for row, rare in (*self.profiles, *self.transitions, *self.explanations):
            size[row] += _TEXT_OVERHEAD_BYTES + _BYTES_PER_CHARACTER * _characters(rare)
        for row, said in self.voices:
            size[row] += _VOICES_OVERHEAD_BYTES + _BYTES_PER_CHARACTER * _characters(said)
        for row, packed in self.participations:
            size[row] += len(packed) + _PARTICIPATION_OVERHEAD_BYTES
        reached = np.cumsum(size)
        ends: list[int] = []
        first = 0
        while True:
            before = int(reached[first - 1]) if first else 0
            end = int(np.searchsorted(reached, before + REPORT_BYTES_MAX, side="right"))
            end = max(end, first + 1)
            if end >= len(reached):
                return [*ends, len(reached)]
            ends.append(end)
            first = end


def _parts_of(kind: np.dtype[np.void], told: list[Rows], *, beside: bool) -> list[Rows]:
    """Return what there is to learn from in parts, all but the last for messages of their own.

    Beside rows there is one kind of lessons at the most: a message stays below 4 MB.

    Args:
        kind: Of records.
        told: Some of them.
        beside: Whether they may travel with rows.
    """
    lessons = np.concatenate([np.zeros(0, kind), *told])
    most = REPORT_BYTES_MAX // kind.itemsize
    parts = [lessons[first : first + most] for first in range(0, len(lessons), most)]
    if not beside or lessons.nbytes > SUMMARIES_BESIDE_BYTES or not parts:
        parts.append(lessons[:0])
    return parts


def _made_of(videos: VideoTable, decided: Decided) -> MadeForecasts:
    made = decided.forecasts
    decisions = decided.decisions[made["decision"]]
    return MadeForecasts(
        videos=[videos.keys[slot] or "" for slot in decisions["slot"].tolist()],
        time_ms=decisions["last_ms"],
        progress=decisions["episode_progress"],
        episode=made["episode_ms"].copy(),
        features=made["features"].copy(),
        probability=decisions["probability"].astype(np.float32),
    )


def _told_of(profile: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what `hotspots` reads of a profile."""
    return {name: profile[name] for name in PROFILE_TOLD if name in profile} if profile else {}


def _characters(value: object) -> int:
    """Return how many characters the texts inside a JSON-ready value have."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list) else 0


def _within(said: list[tuple[int, Said]], first: int, end: int) -> list[tuple[int, Said]]:
    return [(row - first, what) for row, what in said if first <= row < end]


def _to_dict(transition: Transition) -> dict[str, Any]:
    return {
        "time_ms": transition.time_ms,
        "stage": transition.stage.name.lower(),
        "state": transition.state.value,
        "route": transition.route.value,
        "episode": transition.episode,
        "reason": transition.reason.value,
        "signal": None if transition.signal is None else transition.signal.name.lower(),
        "juncture": transition.juncture,
        "figures": transition.figures,
    }
