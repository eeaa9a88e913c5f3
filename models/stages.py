"""The step of `stages`: batches of events in, decided buckets out, for one partition of videos.

State: a row per video (video_state), sums of buckets that are not decided yet (undecided), the
clocks of the source partitions (event_time) and the cohort versions in force. A bucket is decided
once the watermark has passed it and the version of its epoch is known; what is decided depends on
the log alone, not on chunks, restarts or the number of partitions.

Only what is decided is saved. A cut names the offset of the first message with a part in anything
undecided: after a restart the log is read again from there, with the clocks and ids as they were at
that offset, and what belongs to buckets decided before is passed over.
"""

import json
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models import evidence
from models.batch_header import BatchHeader, BatchKind
from models.batches import Batch, decode_batch
from models.bucket_decision import Cohorts, decide_buckets
from models.cohorts import EPOCHS_TO_LEARN, CohortVersion
from models.dirty_rows import DirtyRows
from models.epoch_evidence import evidence_of
from models.event_time import NEVER_MS, ClockState, SourceClocks
from models.forecast_versions import ForecastVersions, is_forecast
from models.forecasting import BASELINE, Forecaster
from models.known_actors import NO_SIGNAL, ActorVersions, acted_through, is_actors, signal_of
from models.parameters import DAY_MS, Parameters
from models.participation_table import ParticipationTable
from models.recent_ids import RecentIds
from models.report_building import DecidedVideos, MadeForecasts, ReportBuilder
from models.stage_reports import REPORT, StageReport
from models.steps import Chunk, Cut, Output
from models.transitions import RULES, VISIT_MS
from models.undecided import Undecided, assigned_bucket
from models.undecided_comments import UndecidedComments
from models.video_epochs import summaries
from models.video_state import NEVER, VideoTable
from models.vocabulary import ROLES, Role, Stage
from models.voices import FollowedVoices

VIDEO_STAGES: Final = "video-stages"
"""Logical name of the topic this step writes."""

VERSIONS_KEPT: Final = 4
"""A partition never needs more: it is at most two epochs away from what was learned last."""

_SPREAD: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
"""An odd constant (2^64 over the golden ratio) that carries 32 bits into all 64."""

_META: Final = b"m"
_ROW: Final = b"v/"
_IDS: Final = b"i/"
_VOICES: Final = b"w/"
_PARTICIPATION: Final = b"p/"


@dataclass(slots=True)
class StageCounters:
    """What the shell's metrics read; never read by a decision."""

    events: int = 0
    late: int = 0
    repeats: int = 0
    batches_repeated: int = 0


class _CutRows:
    """Rows of videos and participations, read while they are written, and the few others."""

    def __init__(
        self,
        videos: DirtyRows,
        participations: DirtyRows,
        others: list[tuple[bytes, bytes | None]],
    ) -> None:
        self._tables = ((_ROW, videos), (_PARTICIPATION, participations))
        self._others = others

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self._tables) + len(self._others)

    def __iter__(self) -> Iterator[tuple[bytes, bytes | None]]:
        for prefix, rows in self._tables:
            for key, row in rows:
                yield prefix + key.encode(), row
        yield from self._others


class StagesStep:
    """The state of one partition of `engagement-batches`; a models.steps.PartitionStep.

    Where somebody asks for them (they are None otherwise), `decided_videos` and `made_forecasts`
    take in where videos stand and what was forecast of them.
    """

    def __init__(
        self, partition: int, parameters: Parameters, forecaster: Forecaster = BASELINE
    ) -> None:
        self.partition = partition
        self.parameters = parameters
        self.forecasts = ForecastVersions(parameters, forecaster)
        self.actors = ActorVersions(parameters)
        self.counters = StageCounters()
        self.clocks = SourceClocks(parameters.bucket_ms, parameters.allowed_lateness_ms)
        self.videos = VideoTable()
        self.participations = ParticipationTable(self.videos)
        self.decided_videos: list[DecidedVideos] | None = None
        self.made_forecasts: list[MadeForecasts] | None = None
        self._undecided = Undecided()
        self._comments = UndecidedComments()
        self.voices = FollowedVoices(parameters)
        self._recent = RecentIds(-(-parameters.repeat_window_ms // parameters.bucket_ms))
        self._saved_clocks = SourceClocks(parameters.bucket_ms, parameters.allowed_lateness_ms)
        self._unsaved_clocks: deque[tuple[int, ClockState]] = deque()
        self._cohorts: Cohorts | None = None
        self._versions: dict[int, CohortVersion] = {}
        self._decided_bucket: int | None = None
        self._epoch: int | None = None
        self._hours: dict[str, npt.NDArray[np.float64]] = {}
        self._sequence = 0
        self._held = False
        self._epoch_ended = False
        self._saved_epochs = 0
        self._meta_dirty = False
        self._outputs: list[Output] = []
        self._loaded: dict[bytes, bytes] = {}
        self._buckets_per_epoch = parameters.epoch_ms // parameters.bucket_ms
        self._visit_ms = max(VISIT_MS, parameters.bucket_ms)
        self._log_c = evidence.log_threshold(
            parameters.alarm_rate_per_video_day, DAY_MS / self._visit_ms, RULES
        )

    # -- the contract of a step ---------------------------------------------------------------

    @property
    def held(self) -> bool:
        """Whether the next bucket waits for a cohort version."""
        return self._held

    @property
    def awaited(self) -> bool:
        """Whether there are reports: `hotspots` waits for them."""
        return bool(self._outputs)

    @property
    def urgent(self) -> bool:
        """Whether an epoch's end is to be told: other partitions may wait for what it teaches."""
        return self._epoch_ended

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one changelog record."""
        if key.startswith(_ROW):
            self.videos.load(key[len(_ROW) :].decode(), value)
        elif key.startswith(_PARTICIPATION):
            self.participations.load(key[len(_PARTICIPATION) :].decode(), value)
        elif value is None:
            self._loaded.pop(key, None)
        else:
            self._loaded[key] = value

    def load_all(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take consecutive changelog records."""
        latest = dict(zip(keys, values, strict=True))
        rows: dict[str, bytes | None] = {}
        for key, value in latest.items():
            if key.startswith(_ROW):
                rows[key[len(_ROW) :].decode()] = value
            else:
                self.load(key, value)
        self.videos.load_all(rows)

    def recovered(self) -> None:
        """Finish recovery."""
        for key in sorted(self._loaded):
            value = self._loaded[key]
            if key == _META:
                self._load_meta(json.loads(value))
            elif key.startswith(_VOICES):
                self.voices.load(key[len(_VOICES) :].decode(), value)
            else:
                self._recent.load(key[len(_IDS) :].decode(), value)
        self._loaded.clear()
        self._recent.recovered()
        self.videos.recovered()
        self.participations.recovered()
        self._saved_epochs = self._epochs_ended()
        self._decide()

    def process(self, chunk: Chunk) -> None:
        """Apply a chunk of batches and decide what can be decided.

        Raises:
            BrokenChainError: A source partition has a hole.
            BatchFormatError: A message is not a batch of this version.
        """
        for offset, value in zip(chunk.offsets, chunk.values, strict=True):
            if value is not None:
                self._apply(offset, decode_batch(value))
        self._decide()

    def learn(self, key: bytes, value: bytes | None) -> None:
        """Take a version of what was learned; go on if it is that of cohorts, which is waited for.

        Raises:
            ModelFormatError: A version of a forecast is damaged.
            ActorsFormatError: One of what is known of people is.
        """
        if value is None:
            return
        if is_forecast(key):
            self.forecasts.learn(key, value)
            return
        if is_actors(key):
            self.actors.learn(key, value)
            return
        version = CohortVersion.from_dict(json.loads(value))
        self._versions[version.through_epoch] = version
        for epoch in sorted(self._versions)[:-VERSIONS_KEPT]:
            del self._versions[epoch]
        if self._held:
            self._decide()

    def cut(self) -> Cut:
        """Return changed rows and new outputs, and from where the log must be read again."""
        position = self._undecided.first_offset()
        while self._unsaved_clocks and (position is None or self._unsaved_clocks[0][0] < position):
            _, state = self._unsaved_clocks.popleft()
            self._saved_clocks.set_state(state)
            self._meta_dirty = True
        through = np.iinfo(np.int64).max if position is None else position
        others: list[tuple[bytes, bytes | None]] = [
            (_IDS + name.encode(), part) for name, part in self._recent.take_dirty(through)
        ]
        others += [(_VOICES + key.encode(), said) for key, said in self.voices.take_dirty()]
        if self._meta_dirty:
            others.append((_META, json.dumps(self._meta()).encode()))
            self._meta_dirty = False
        rows = _CutRows(self.videos.take_dirty(), self.participations.take_dirty(), others)
        self._saved_epochs = self._epochs_ended()
        return Cut(rows, self.tell(), position)

    @property
    def may_tell(self) -> bool:
        """Whether reports may last before their rows do: of one epoch's end, not of more.

        What was told of is no longer needed in the eyes of `hotspots`, which keeps VERSIONS_KEPT
        versions: after a crash the epochs behind the last rows are decided again, by the versions
        of EPOCHS_TO_LEARN epochs before.
        """
        ahead = self._epochs_ended() - self._saved_epochs
        return ahead <= VERSIONS_KEPT - EPOCHS_TO_LEARN - 1

    def unsaved_rows(self) -> int:
        """Return how many rows of videos the next cut would have."""
        return self.videos.count_dirty()

    def tell(self) -> list[Output]:
        """Return the reports made since they were last asked for: `hotspots` knows them again."""
        outputs, self._outputs = self._outputs, []
        self._epoch_ended = False
        return outputs

    # -- what the shell may show --------------------------------------------------------------

    @property
    def watermark_ms(self) -> int:
        """End of the last closed bucket, or NEVER_MS."""
        closed = self.clocks.closed_bucket
        return NEVER_MS if closed is None else (closed + 1) * self.parameters.bucket_ms

    @property
    def high_ms(self) -> int:
        """Greatest event time seen, or NEVER_MS."""
        return self.clocks.high_ms

    def videos_by_stage(self) -> dict[Stage, int]:
        """Return how many videos stand in each stage."""
        used = self.videos.used
        stages = used["stage"][used["first_ms"] != NEVER]
        counts = np.bincount(stages, minlength=len(Stage))
        return {stage: int(counts[stage]) for stage in Stage}

    def totals(self) -> dict[str, list[int]]:
        """Return every video's counts by action code, late events included."""
        slots = np.fromiter(self.videos.slot_of.values(), np.int64, len(self.videos))
        totals = self.videos.totals.of(slots).tolist()
        return dict(zip(self.videos.slot_of, totals, strict=True))

    # -- events in ----------------------------------------------------------------------------

    def _apply(self, offset: int, batch: Batch) -> None:
        header, clocks = batch.header, self.clocks
        if header.kind is BatchKind.HEARTBEAT:
            clock = clocks.clocks.get(header.source)
            if clock is not None and header.high < clock.mark:
                self.counters.batches_repeated += 1
                return
        first_new = clocks.accept(header.source, header.sources, header.low, header.high)
        if first_new is None and header.kind is not BatchKind.HEARTBEAT:
            self.counters.batches_repeated += 1
            return
        if first_new is not None and len(batch):
            self._take_rows(offset, batch, first_new)
        self._advance(offset, header)

    def _advance(self, offset: int, header: BatchHeader) -> None:
        idle = header.kind is BatchKind.HEARTBEAT and header.idle
        ended = header.kind is BatchKind.END
        self.clocks.advance(header.source, header.high_ms, idle=idle, ended=ended)
        self._unsaved_clocks.append((offset, self.clocks.state_of(header.source)))

    def _take_rows(self, offset: int, batch: Batch, first_new: int) -> None:
        skip = batch.offset < first_new
        if batch.event.any():
            bucket_ms = self.parameters.bucket_ms
            reached_ms = np.maximum(batch.high_ms, self.clocks.clocks[batch.header.source].high_ms)
            ids = np.where(skip, np.uint64(0), _ids_per_video(batch))
            repeat = self._recent.repeats(
                ids, batch.time_ms // bucket_ms, reached_ms // bucket_ms, offset
            )
            self.counters.repeats += int(np.count_nonzero(repeat))
            skip |= repeat
        decided, closed = self._decided_bucket, self.clocks.closed_bucket
        if decided is not None and (closed is None or closed < decided):
            # The log is read again: what belongs to buckets decided before is passed over.
            skip |= assigned_bucket(batch, self.clocks) <= decided
        videos = batch.videos
        slots = np.full(len(videos), NEVER, np.int64)
        if skip.any():
            # A video that may have been forgotten since gets no row for what is passed over.
            wanted = np.unique(batch.video[~skip])
            slots[wanted] = self.videos.slots([videos[number] for number in wanted.tolist()])
        else:
            slots[:] = self.videos.slots(videos)
        self._comments.add(batch, slots, skip, self.clocks)
        events, late = self._undecided.add(batch, slots, skip, self.clocks, offset)
        self.counters.events += events
        self.counters.late += late

    # -- decisions ----------------------------------------------------------------------------

    def _decide(self) -> None:
        closed = self.clocks.closed_bucket
        if closed is None or (self._decided_bucket is not None and closed <= self._decided_bucket):
            return
        self.videos.let_rows_change()
        self.participations.let_rows_change()
        report = ReportBuilder(
            self.parameters, self.decided_videos, self.made_forecasts, self.participations
        )
        epochs_ended = self._epochs_ended()
        self._held = False
        through = closed
        while (bucket := self._next_bucket()) is not None and bucket <= closed:
            epoch = bucket // self._buckets_per_epoch
            self._enter_epoch(epoch, report)
            version = self._versions.get(epoch - EPOCHS_TO_LEARN)
            if version is None:
                self._held = True
                through = epoch * self._buckets_per_epoch - 1
                break
            last = min(closed, (epoch + 1) * self._buckets_per_epoch - 1)
            self._decide_through(last, version, report)
            self._decided_bucket = last
        else:
            self._enter_epoch((closed + 1) // self._buckets_per_epoch, report)
        if self._decided_bucket is None or through > self._decided_bucket or report:
            self._decided_bucket = max(through, self._decided_bucket or 0)
        self._epoch_ended |= self._epochs_ended() > epochs_ended
        self._emit(report)

    def _epochs_ended(self) -> int:
        decided = -1 if self._decided_bucket is None else self._decided_bucket
        return (decided + 1) // self._buckets_per_epoch

    def _next_bucket(self) -> int | None:
        buckets = [b for b in (self._undecided.first(), self.videos.due.first()) if b is not None]
        if not buckets:
            return None
        return (
            min(buckets)
            if self._decided_bucket is None
            else max(min(buckets), self._decided_bucket + 1)
        )

    def _enter_epoch(self, epoch: int, report: ReportBuilder) -> None:
        """Summarise the epoch that ended, once, and forget videos that have long been silent."""
        if self._epoch is not None and epoch > self._epoch:
            report.summaries += summaries(self.videos, self._epoch, self._hours, self.parameters)
            ended = range(self._epoch, epoch)
            report.evidence += evidence_of(self.videos, ended, self._visit_ms, self.parameters)
            self._expire(epoch)
        if self._epoch is None or epoch > self._epoch:
            self._epoch = epoch
            self._hours = {}
            self._meta_dirty = True

    def _decide_through(self, last: int, version: CohortVersion, report: ReportBuilder) -> None:
        """Decide the undecided buckets of one epoch up to `last`."""
        for profile in self._undecided.profiles(last):
            said = json.loads(profile.text)
            if ROLES[profile.role] is not Role.ORDINARY:
                said["creator_role"] = ROLES[profile.role].value
            report.describe(profile.bucket, profile.slot, self.videos, said)
        cohorts = self._cohorts
        if (
            cohorts is None
            or cohorts.version is not version
            or len(cohorts.arrays[0]) != len(self.videos.platforms)
        ):
            cohorts = self._cohorts = Cohorts.of(version, self.videos.platforms)
        epoch = last // self._buckets_per_epoch
        known = self.actors.of(epoch)
        signal = signal_of(self.parameters)
        if signal != NO_SIGNAL:
            report.acted.append(acted_through(self._undecided, last, signal, epoch, known.bound))
        decided = decide_buckets(
            self.videos,
            self._undecided,
            last,
            cohorts,
            self.parameters,
            self.forecasts.of(epoch),
            known,
            log_c=self._log_c,
        )
        for code in np.flatnonzero(decided.activity.any(axis=1)).tolist():
            name = self.videos.platforms[code]
            self._hours.setdefault(name, np.zeros(24))[:] += decided.activity[code]
        first = len(report)
        report.add(self.videos, decided, version.thinning)
        comments = self._comments.take(last)
        heard = self.voices.decide(self.videos, report.told_from(first), comments)
        report.voices += [(first + row, what) for row, what in heard]

    def _expire(self, epoch: int) -> None:
        """Forget videos without activity for `expire_after_ms` of event time."""
        used = self.videos.used
        before = (epoch * self.parameters.epoch_ms - self.parameters.expire_after_ms) // (
            self.parameters.bucket_ms
        )
        silent = (used["last_bucket"] != NEVER) & (used["last_bucket"] < before)
        unseen = (used["seen_bucket"] != NEVER) & (used["seen_bucket"] < before)
        # What waits for a decision keeps the row, but not what it knew: whether it has arrived
        # already is a matter of timing, and must not show in what is decided.
        slots = self._undecided.slots()
        waiting = np.zeros(len(used), np.bool_)
        waiting[slots[slots < len(used)]] = True
        self.voices.forget(
            self.videos.keys[slot] or "" for slot in np.flatnonzero(silent | unseen).tolist()
        )
        self.participations.forget(np.flatnonzero(silent | unseen))
        self.videos.begin_anew(np.flatnonzero(silent & ~unseen), keep_totals=True)
        self.videos.begin_anew(np.flatnonzero(unseen & waiting), keep_totals=False)
        self.videos.remove(np.flatnonzero(unseen & ~waiting))
        self._cohorts = None

    def _emit(self, report: ReportBuilder) -> None:
        assert self._decided_bucket is not None  # noqa: S101 - set by the only caller
        last = StageReport(
            partition=self.partition,
            partitions=self.parameters.partitions,
            sequence=self._sequence,
            through_bucket=self._decided_bucket,
            high_ms=self.clocks.high_ms,
            videos=[],
            video=np.zeros(0, np.int32),
            rows=np.zeros(0, REPORT),
        )
        messages = report.messages(last)
        self._sequence += len(messages)
        self._meta_dirty = True
        self._outputs += [Output(VIDEO_STAGES, 0, None, message) for message in messages]

    # -- the changelog ------------------------------------------------------------------------

    def _meta(self) -> dict[str, Any]:
        return {
            "clocks": self._saved_clocks.to_dict(),
            "decided_bucket": self._decided_bucket,
            "epoch": self._epoch,
            "hours": {name: hours.tolist() for name, hours in sorted(self._hours.items())},
            "sequence": self._sequence,
        }

    def _load_meta(self, stored: dict[str, Any]) -> None:
        for clocks in (self.clocks, self._saved_clocks):
            clocks.load_dict(stored["clocks"])
        self._decided_bucket = stored["decided_bucket"]
        self._epoch = stored["epoch"]
        self._hours = {name: np.array(hours) for name, hours in stored["hours"].items()}
        self._sequence = stored["sequence"]


def _ids_per_video(batch: Batch) -> npt.NDArray[np.uint64]:
    """Return the id of each event within its video, 0 where it has none: ids repeat per video."""
    if not batch.event.any():
        return batch.event
    video = np.array([zlib.crc32(key.encode()) for key in batch.videos], np.uint64)
    mixed = batch.event ^ (video[batch.video] * _SPREAD)
    return np.where(batch.event == 0, np.uint64(0), np.maximum(mixed, np.uint64(1)))
