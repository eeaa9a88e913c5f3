"""The step of `hotspots`: decided buckets of all partitions in; alerts, the board and versions out.

It sees what is global. A bucket is taken when every partition of `stages` has decided it; its
videos in the order of their keys, so nothing depends on how they are spread. Cohorts are learned
here, in one place, and told to all.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from models import forecast
from models.alerts import ALERTS, Alert, AlertType
from models.cohort_learning import CohortMemory, EpochSummary
from models.identity import split_video_key
from models.parameters import Parameters
from models.ranking import BOARD, board_of
from models.roll_up import RollUp, TrackedVideo, shown
from models.stage_reports import StageReport, decode_report
from models.steps import BrokenChainError, Chunk, Cut, Output
from models.vocabulary import Stage, State
from models.works import TOPIC, Work

LEARNED: Final = "learned"
"""Logical name of the topic that carries cohort versions."""

VERSIONS_KEPT: Final = 4
"""How many versions stay on the compacted topic; a partition of `stages` needs the last two."""

_META: Final = b"m"
_MEMORY: Final = b"c"
_REPORT: Final = b"r/"


class HotspotsStep:
    """The state of the one partition of `video-stages`; a models.steps.PartitionStep."""

    def __init__(self, partition: int, parameters: Parameters) -> None:
        self.partition = partition
        self.parameters = parameters
        self.roll_up = RollUp(parameters.bucket_ms)
        self.alerts_by_type = dict.fromkeys(AlertType, 0)
        self._through: dict[int, int] = {}
        self._sequence: dict[int, int] = {}
        self._partitions: int | None = None
        self._reports: dict[tuple[int, int], StageReport] = {}
        self._encoded: dict[bytes, bytes | None] = {}
        self._closed: int | None = None
        self._passed_epoch: int | None = None
        self._memory = CohortMemory(parameters.epoch_ms)
        self._summaries: dict[int, list[tuple[str, EpochSummary]]] = {}
        self._published: list[int] = []
        self._meta_dirty = self._memory_dirty = self._board_dirty = False
        self._outputs: list[Output] = []
        self._loaded: dict[bytes, bytes] = {}
        self._buckets_per_epoch = parameters.epoch_ms // parameters.bucket_ms

    # -- the contract of a step ---------------------------------------------------------------

    @property
    def held(self) -> bool:
        """It waits for nobody."""
        return False

    @property
    def awaited(self) -> bool:
        """Whether alerts, the board or a version of what was learned are to be written."""
        return bool(self._outputs)

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one changelog record."""
        if value is None:
            self._loaded.pop(key, None)
        else:
            self._loaded[key] = value

    def recovered(self) -> None:
        """Finish recovery."""
        for key in sorted(self._loaded):
            value = self._loaded[key]
            if key == _META:
                self._load_meta(json.loads(value))
            elif key == _MEMORY:
                self._memory.load_bytes(value)
            elif not key.startswith(_REPORT):
                self.roll_up.load(key, value)
        for key in sorted(k for k in self._loaded if k.startswith(_REPORT)):
            report = decode_report(self._loaded[key])
            self._reports[report.partition, report.sequence] = report
            self._note_summaries(report)
        self._loaded.clear()

    def process(self, chunk: Chunk) -> None:
        """Take reports in, and decide every bucket that all partitions have decided.

        Raises:
            BrokenChainError: A report is missing.
            ReportFormatError: A message is not a report of this version.
        """
        for value in chunk.values:
            if value is not None:
                self._accept(value)
        self._advance()

    def learn(self, key: bytes, value: bytes | None) -> None:
        """Ignore what it published itself."""

    def cut(self) -> Cut:
        """Return changed rows and new outputs; the board at most once per cut."""
        rows: list[tuple[bytes, bytes | None]] = list(self._encoded.items())
        self._encoded.clear()
        rows += self.roll_up.take_dirty()
        if self._memory_dirty:
            rows.append((_MEMORY, self._memory.to_bytes()))
        if self._meta_dirty:
            rows.append((_META, json.dumps(self._meta()).encode()))
        if self._board_dirty and self._closed is not None:
            board = board_of(self.roll_up.works.values(), self._closed, self.parameters)
            value = json.dumps(board, ensure_ascii=False).encode()
            self._outputs.append(Output(BOARD, 0, b"board", value))
        self._memory_dirty = self._meta_dirty = self._board_dirty = False
        outputs, self._outputs = self._outputs, []
        return Cut(rows, outputs)

    # -- reports in ---------------------------------------------------------------------------

    def _accept(self, value: bytes) -> None:
        report = decode_report(value)
        expected = self._sequence.get(report.partition, 0)
        if report.sequence != expected:
            raise BrokenChainError(
                f"video-stages: partition {report.partition} said {report.sequence}, "
                f"expected {expected}"
            )
        self._sequence[report.partition] = expected + 1
        self._partitions = report.partitions
        self._through[report.partition] = report.through_bucket
        self._reports[report.partition, report.sequence] = report
        self._encoded[_report_key(report)] = value
        self._note_summaries(report)
        self._meta_dirty = True

    def _note_summaries(self, report: StageReport) -> None:
        for epoch, platform, summary in report.summaries:
            if self._memory.epoch is None or epoch > self._memory.epoch:
                self._summaries.setdefault(epoch, []).append((platform, summary))

    def _advance(self) -> None:
        if self._partitions is None or len(self._through) < self._partitions:
            return
        closed = min(self._through.values())
        if self._closed is not None and closed <= self._closed:
            return
        for bucket, parts in self._buckets(closed):
            self._pass_time(bucket - 1)
            self._decide(bucket, parts)
        self._pass_time(closed)
        self._closed = closed
        self._learn_through((closed + 1) // self._buckets_per_epoch - 1)
        for key, report in list(self._reports.items()):
            if report.through_bucket <= closed:
                del self._reports[key]
                self._forget(report)
        self._meta_dirty = self._board_dirty = True

    def _pass_time(self, bucket: int) -> None:
        """Fade what fell silent and forget what is long gone, up to a bucket.

        Epoch by epoch, and before what comes after is decided: neither may depend on how many
        reports came at once.
        """
        whole = (bucket + 1) // self._buckets_per_epoch - 1
        passed = whole if self._passed_epoch is None else self._passed_epoch
        for epoch in range(passed + 1, whole + 1):
            self._end_silent((epoch + 1) * self._buckets_per_epoch - 1)
            self.roll_up.expire(epoch, self.parameters)
        self._passed_epoch = max(passed, whole)
        self._end_silent(bucket)

    def _forget(self, report: StageReport) -> None:
        self._encoded[_report_key(report)] = None

    def _buckets(self, closed: int) -> Iterator[tuple[int, list[tuple[str, StageReport, int]]]]:
        """Yield each bucket up to `closed` with its rows as (video, report, row), by video."""
        found: dict[int, list[tuple[str, StageReport, int]]] = {}
        after = -1 if self._closed is None else self._closed
        for report in self._reports.values():
            buckets = report.rows["bucket"]
            for row in np.flatnonzero((buckets > after) & (buckets <= closed)).tolist():
                part = (report.videos[row], report, row)
                found.setdefault(int(buckets[row]), []).append(part)
        for bucket in sorted(found):
            yield bucket, sorted(found[bucket], key=lambda part: part[0])

    # -- one bucket ---------------------------------------------------------------------------

    def _decide(self, bucket: int, parts: list[tuple[str, StageReport, int]]) -> None:
        transitions = _transitions_of(parts)
        for video, report, row in parts:
            happened = transitions.get((id(report), row), [])
            tracked = self.roll_up.add(video, report, row, worth=self._worth(report, row, happened))
            if tracked is None:
                continue
            for transition in happened:
                self._tell_transition(tracked, transition)
            self._tell_video_emerging(tracked, report, row)
        for work in self.roll_up.grow(bucket):
            self._judge_work(work, bucket)

    def _worth(self, report: StageReport, row: int, happened: list[dict[str, Any]]) -> bool:
        """Tell whether a video without topic or source is worth a work of its own."""
        return bool(
            happened
            or report.rows["stage"][row] > Stage.PRESENTATION
            or report.rows["probability"][row] >= self.parameters.emerging_probability
        )

    def _tell_transition(self, tracked: TrackedVideo, transition: dict[str, Any]) -> None:
        ended = transition["state"] in (State.FADED, State.INTERRUPTED)
        faded = transition["state"] == State.FADED
        for work in self.roll_up.works_of(tracked):
            if not ended:
                work.enter(
                    Stage[transition["stage"].upper()],
                    transition["route"],
                    transition["state"],
                    transition["reason"],
                )
        if ended:
            tracked.emerging = False
        data = self._data_of(tracked) | {
            name: transition[name]
            for name in ("stage", "state", "route", "episode", "juncture", "signal", "reason")
        }
        data["figures"] = transition["figures"]
        data["alarm_rate_per_video_day"] = self.parameters.alarm_rate_per_video_day
        occurrence = "/".join(
            str(transition[name]) for name in ("episode", "stage", "state", "signal")
        )
        kind = AlertType.FADED if faded else AlertType.STAGE_ENTERED
        self._tell(Alert(kind, transition["time_ms"], shown(tracked.video), occurrence, data))

    def _tell_video_emerging(self, tracked: TrackedVideo, report: StageReport, row: int) -> None:
        numbers = report.rows[row]
        probability = float(numbers["probability"])
        if tracked.emerging or probability < self.parameters.emerging_probability:
            return
        tracked.emerging = True
        data = self._data_of(tracked) | self._emerging_data(
            probability, int(numbers["episode_progress"]), float(numbers["views_per_hour"])
        )
        data["stage"] = Stage(int(numbers["stage"])).name.lower()
        time_ms = int(numbers["last_ms"])
        self._tell(Alert(AlertType.EMERGING, time_ms, shown(tracked.video), str(time_ms), data))

    def _emerging_data(self, probability: float, progress: int, per_hour: float) -> dict[str, Any]:
        level = self.parameters.level
        reached = progress >= level.count
        return {
            "probability": round(probability, 4),
            "level": str(level),
            "horizon_ms": self.parameters.horizon_ms,
            "reason": "level_reached" if reached else "forecast_above_alert_level",
            "figures": {
                f"{level.action}s": progress,
                "activity_per_hour": round(per_hour, 1),
                "alert_probability": self.parameters.emerging_probability,
            },
        }

    def _data_of(self, tracked: TrackedVideo) -> dict[str, Any]:
        platform, video_id = split_video_key(tracked.video)
        data: dict[str, Any] = {"video_id": video_id, "platform": platform}
        topics = [w.title for w in self.roll_up.works_of(tracked) if w.kind == TOPIC]
        if topics:
            data["topic"] = topics[0]
            data["topics"] = topics
        if tracked.title:
            data["title"] = tracked.title
        if tracked.creator_id:
            data["creator_id"] = tracked.creator_id
        return data

    # -- works --------------------------------------------------------------------------------

    def _judge_work(self, work: Work, bucket: int) -> None:
        level = self.parameters.level
        progress = work.progress - work.progress_before_episode
        columns = (progress, work.pace_fast_per_hour, work.pace_slow_per_hour)
        arrays = [np.array([float(value)]) for value in columns]
        age = np.array([float(max(work.last_ms - work.episode_ms, 0))])
        likely = forecast.probability(arrays[0], arrays[1], arrays[2], age, level.count)
        work.probability = 0.0 if work.resting else float(likely[0])
        enough = work.probability >= self.parameters.emerging_probability
        if enough and not work.emerging:
            work.emerging = True
            if work.kind == TOPIC:
                data = self._work_data(work) | self._emerging_data(
                    work.probability, progress, work.heat
                )
                self._tell_work(AlertType.EMERGING, work, data, work.last_ms)
        if progress >= level.count and work.deep() and not work.confirmed:
            work.confirmed = True
            data = self._work_data(work) | {
                "reason": "level_reached_with_depth",
                "level": str(level),
                "probability": 1.0,
                "figures": {
                    f"{level.action}s": progress,
                    "stages": [Stage(stage).name.lower() for stage in sorted(work.stages)],
                },
            }
            self._tell_work(AlertType.CONFIRMED, work, data, work.last_ms)
        self.roll_up.touch(work, bucket, open_episode=work.open())

    def _end_silent(self, bucket: int) -> None:
        """Fade the works whose activity has collapsed, at the bucket where it did."""
        for work, due in self.roll_up.due(bucket):
            time_ms = (due + 1) * self.parameters.bucket_ms - 1
            figures = {
                "activity_per_hour": round(work.heat_at(due, self.parameters.bucket_ms), 2),
                "peak_per_hour": round(work.peak_heat, 2),
            }
            data = self._work_data(work) | {"reason": "activity_collapsed", "figures": figures}
            if work.kind == TOPIC and (work.emerging or work.confirmed):
                self._tell_work(AlertType.FADED, work, data, time_ms)
            work.fade()
            self.roll_up.touch(work, due, open_episode=False)

    def _work_data(self, work: Work) -> dict[str, Any]:
        platform, video_id = split_video_key(work.lead)
        data: dict[str, Any] = {"platform": platform, "platforms": sorted(work.platforms)}
        data |= {"topic": work.title} if work.kind == TOPIC else {"video_id": video_id}
        return data | {
            "lead_video_id": video_id,
            "videos": work.videos,
            "views": work.views,
            "stage": work.stage,
            "route": work.route,
            "episode": work.episode,
        }

    def _tell_work(self, kind: AlertType, work: Work, data: dict[str, Any], time_ms: int) -> None:
        self._tell(Alert(kind, time_ms, work.work_id, str(work.episode), data))

    def _tell(self, alert: Alert) -> None:
        self.alerts_by_type[alert.type] += 1
        self._outputs.append(Output(ALERTS, 0, alert.subject.encode(), alert.to_bytes()))

    # -- learning -----------------------------------------------------------------------------

    def _learn_through(self, last_epoch: int) -> None:
        """Fold the epochs that are closed everywhere, and publish the two latest versions."""
        for through in (last_epoch - 1, last_epoch):
            for epoch in sorted(e for e in self._summaries if e <= through):
                self._memory.fold(epoch, self._summaries.pop(epoch))
                self._memory_dirty = True
            if self._published and through <= self._published[-1]:
                continue
            version = self._memory.version(through)
            value = json.dumps(version.to_dict()).encode()
            self._outputs.append(Output(LEARNED, 0, version.name.encode(), value))
            self._published.append(through)
        for epoch in self._published[:-VERSIONS_KEPT]:
            self._outputs.append(Output(LEARNED, 0, f"epoch:{epoch}".encode(), None))
        self._published = self._published[-VERSIONS_KEPT:]

    # -- the changelog ------------------------------------------------------------------------

    def _meta(self) -> dict[str, Any]:
        return {
            "through": sorted(self._through.items()),
            "sequence": sorted(self._sequence.items()),
            "partitions": self._partitions,
            "closed": self._closed,
            "published": self._published,
        }

    def _load_meta(self, stored: dict[str, Any]) -> None:
        self._through = {int(p): b for p, b in stored["through"]}
        self._sequence = {int(p): s for p, s in stored["sequence"]}
        self._partitions = stored["partitions"]
        self._closed = stored["closed"]
        if self._closed is not None:
            self._passed_epoch = (self._closed + 1) // self._buckets_per_epoch - 1
        self._published = stored["published"]


def _report_key(report: StageReport) -> bytes:
    return _REPORT + f"{report.partition}/{report.sequence}".encode()


def _transitions_of(
    parts: list[tuple[str, StageReport, int]],
) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """Return the transitions of each (report, row) of one bucket."""
    found: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for report in {id(report): report for _, report, _ in parts}.values():
        for row, transition in report.transitions:
            found.setdefault((id(report), row), []).append(transition)
    return found
