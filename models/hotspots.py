"""The step of `hotspots`: decided buckets of all partitions in; alerts, the board and versions out.

It sees what is global. A bucket is taken when every partition of `stages` has decided it; its
videos in the order of their keys, so nothing depends on how they are spread. Cohorts and forecasts
are learned here, in one place, and told to all.

What makes it durable: the reports, as they came, and now and then the works and videos that came of
them. A restart loads these and decides again what was decided since, which gives the same state,
since the outcome is a function of the reports; what was told is not told again.
"""

import json
from typing import Any, Final

import numpy as np

from models.actor_memory import PREFIX as ACTORS
from models.actor_memory import ActorMemory
from models.alert_budget import score_of, score_of_burst
from models.alerts import ALERTS, Alert
from models.cohort_learning import CohortMemory, EpochSummary
from models.decided_rows import DecidedRows, in_order
from models.discoveries import Discoveries
from models.forecast_learning import PREFIX as FORECASTS
from models.forecast_learning import ForecastLearning
from models.forecasting import BASELINE
from models.guidance import PREFIX as GUIDANCE
from models.guidance import Guidance
from models.guidance_actions import decode_action, is_action
from models.hotspot_alerts import AlertWriter, WorksKnown
from models.looks import look_buckets
from models.measured_actions import PREFIX as ACTIONS
from models.measured_actions import MeasuredActions
from models.outlook import PREFIX, Outlook
from models.parameters import Parameters
from models.ranking import BOARD, board_of
from models.report_log import ReportLog
from models.roll_up import LookDue, RollUp, VideoNews, WorkEnded, WorkNews
from models.spending import Spending
from models.stage_reports import ALWAYS, StageReport, decode_report, encode_report
from models.steps import BrokenChainError, Chunk, Cut, Output
from models.topic_merges import PREFIX as MERGES
from models.tracked_videos import TrackedVideo, shown
from models.transitions import Reason
from models.views import PREFIX as VIEWS
from models.views import Views
from models.vocabulary import Stage, State
from models.withheld import Withheld
from models.work_depth import PREFIX as DEPTH
from models.work_depth import WorkDepth
from models.work_integrity import PREFIX as INTEGRITY
from models.work_integrity import WorkIntegrity
from models.work_judging import WorkJudge
from models.work_outlook import PREFIX as WORK_OUTLOOK
from models.work_outlook import WorkOutlook
from models.work_participation import PREFIX as PARTICIPATION
from models.work_participation import WorkParticipation
from models.work_voices import PREFIX as VOICES
from models.work_voices import WorkVoices
from models.works import NOT_DUE, Work

LEARNED: Final = "learned"
"""Logical name of the topic that carries versions of cohorts and of forecasts."""

VERSIONS_KEPT: Final = 4
"""How many versions stay on the compacted topic; a partition of `stages` needs the last two."""

_META: Final = b"m"
_MEMORY: Final = b"c"
_BUDGET: Final = b"b"
_DISCOVERIES: Final = b"d"
_REPORT: Final = b"r/"


class HotspotsStep:
    """The state of the one partition of `video-stages`; a models.steps.PartitionStep."""

    def __init__(self, partition: int, parameters: Parameters, first: str = BASELINE.name) -> None:
        self.partition = partition
        self.parameters = parameters
        self.roll_up = RollUp(parameters)
        self.outlook = Outlook(parameters, self.roll_up.tracked)
        self.work_outlook = WorkOutlook(parameters, self.roll_up.works)
        self.withheld = Withheld()
        self._spending = Spending(self.roll_up.budget, self.withheld)
        self.discoveries = Discoveries(parameters)
        self.voices = WorkVoices(parameters.bucket_ms)
        self.actions = MeasuredActions(parameters, self.roll_up)
        self.participation = WorkParticipation(self.roll_up)
        self.depth = WorkDepth(parameters, self.roll_up, self.participation)
        self.integrity = WorkIntegrity(self.roll_up, self.participation)
        self._alerts = AlertWriter(
            parameters,
            self.roll_up,
            WorksKnown(self.voices, self.depth, self.integrity),
            self.discoveries,
            self.actions,
            self._tell,
        )
        self.guidance = Guidance(
            parameters, self.roll_up, self.voices, self.integrity, self._alerts
        )
        self._works = WorkJudge(
            parameters,
            self.roll_up,
            self.integrity,
            self.work_outlook,
            self._spending,
            self._alerts,
        )
        self.views = Views(parameters, self.roll_up, self.participation)
        self._through: dict[int, int] = {}
        self._sequence: dict[int, int] = {}
        self._partitions: int | None = None
        self._reports = ReportLog(_REPORT)
        self._closed: int | None = None
        self._saved: int | None = None
        self._passed_epoch: int | None = None
        self._ended_epoch: int | None = None
        self._memory = CohortMemory(parameters.epoch_ms)
        self.forecasts = ForecastLearning(parameters, first)
        self.actors = ActorMemory(parameters)
        self._summaries: dict[int, list[tuple[str, EpochSummary]]] = {}
        self._published: list[int] = []
        self._meta_dirty = self._memory_dirty = self._board_dirty = False
        self._outputs: list[Output] = []
        self._loaded: dict[bytes, bytes] = {}
        self._deciding_again = False
        self._buckets_per_epoch = parameters.epoch_ms // parameters.bucket_ms
        self._buckets_per_look = look_buckets(parameters)

    # -- the contract of a step ---------------------------------------------------------------

    @property
    def held(self) -> bool:
        """It waits for nobody."""
        return False

    @property
    def awaited(self) -> bool:
        """Whether alerts, the board or a version of what was learned are to be written."""
        return bool(self._outputs)

    @property
    def urgent(self) -> bool:
        """Whether a version is to be told: partitions of `stages` may be held until it is."""
        return any(output.topic == LEARNED for output in self._outputs)

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one changelog record."""
        if value is None:
            self._loaded.pop(key, None)
        else:
            self._loaded[key] = value

    def recovered(self) -> None:
        """Finish recovery: load what was saved and decide again what was decided after it."""
        closed = None
        for key in sorted(self._loaded):
            if key == _META:
                closed = self._load_meta(json.loads(self._loaded[key]))
            elif not key.startswith(_REPORT):
                self._load_state(key, self._loaded[key])
        self.roll_up.recovered()
        self.integrity.recovered()
        self.forecasts.recovered()
        saved = ALWAYS if self._saved is None else self._saved
        for key in sorted(k for k in self._loaded if k.startswith(_REPORT)):
            report = decode_report(self._loaded[key])
            self._reports.load(key, report, len(self._loaded[key]), saved)
            self._note_lessons(report)
        self._loaded.clear()
        if closed is not None:
            self._deciding_again = True
            self._decide_through(closed)
            self._deciding_again = False
            self.withheld.take_counts()
            self.discoveries.take_count()

    def _load_state(self, key: bytes, value: bytes) -> None:
        """Take back one record of what came of reports."""
        if key == _MEMORY:
            self._memory.load_bytes(value)
            return
        if key == _BUDGET:
            self._spending.load_dict(json.loads(value))
            return
        if key == _DISCOVERIES:
            self.discoveries.load_bytes(value)
            return
        for prefix, part in (
            (PREFIX, self.outlook),
            (WORK_OUTLOOK, self.work_outlook),
            (GUIDANCE, self.guidance),
            (ACTIONS, self.actions),
            (VIEWS, self.views),
            (MERGES, self.roll_up.merges),
            (VOICES, self.voices),
            (PARTICIPATION, self.participation),
            (DEPTH, self.depth),
            (INTEGRITY, self.integrity),
            (FORECASTS, self.forecasts),
            (ACTORS, self.actors),
        ):
            if key.startswith(prefix):
                part.load(key, value)
                return
        self.roll_up.load(key, value)

    def process(self, chunk: Chunk) -> None:
        """Take reports in, and decide every bucket that all partitions have decided.

        Raises:
            BrokenChainError: A report is missing.
            ReportFormatError: A message is not a report of this version.
        """
        if self.take_in(chunk):
            self.finish()

    def take_in(self, chunk: Chunk) -> bool:
        """Process a chunk but for what is learned of epochs that it has ended.

        Returns:
            Whether there are any: `finish` is to be called before anything else.

        Raises:
            BrokenChainError: A report is missing.
            ReportFormatError: A message is not a report of this version.
        """
        for value in chunk.values:
            if value is not None:
                self._accept(value)
        return self._advance()

    def finish(self) -> None:
        """Learn from the epochs that have ended, which takes seconds when a forecast is learned.

        Raises:
            AbandonedError: `abandon` was called.
            NoTreesError: The library that grows trees cannot be loaded.
        """
        if self._ended_epoch is not None:
            self._learn_through(self._ended_epoch)

    def abandon(self) -> None:
        """Let `finish` raise AbandonedError soon; from any thread."""
        self.forecasts.abandon()

    @property
    def finished(self) -> int:
        """How many trees were grown so far; from any thread."""
        return self.forecasts.trees_grown

    def learn(self, key: bytes, value: bytes | None) -> None:
        """Ignore what it published itself."""

    def cut(self) -> Cut:
        """Return changed rows and new outputs; the board at most once per cut."""
        rows: list[tuple[bytes, bytes | None]] = []
        if self._closed is not None and self._reports.worth_saving(self._closed):
            rows += self.roll_up.take_dirty()
            rows.append((_BUDGET, json.dumps(self._spending.to_dict()).encode()))
            rows.append((_DISCOVERIES, self.discoveries.to_bytes()))
            rows += self.outlook.rows()
            rows += self.voices.rows()
            rows += self.work_outlook.rows()
            rows += self.guidance.rows()
            rows += self.actions.take_rows()
            rows += self.participation.rows()
            rows += self.depth.rows()
            rows += self.integrity.rows()
            rows += self.views.rows()
            rows += self.roll_up.merges.rows()
            self._reports.drop(self._closed, self._published[-1] if self._published else -1)
            self._saved = self._closed
            self._meta_dirty = True
        rows += self._reports.take_dirty()
        rows += self.actions.take_told()
        rows += self.roll_up.merges.take_told()
        rows += self.forecasts.rows()
        rows += self.actors.rows()
        if self._memory_dirty:
            rows.append((_MEMORY, self._memory.to_bytes()))
        if self._meta_dirty:
            rows.append((_META, json.dumps(self._meta()).encode()))
        if self._board_dirty and self._closed is not None:
            found = self.roll_up.count_by_work(self.discoveries.videos)
            known = (self.depth, self.integrity)
            board = board_of(self.roll_up, found, *known, self._closed, self.parameters)
            board["discoveries"] = self.discoveries.to_board()
            board["actions"] = self.actions.latest(self.parameters.board_size)
            board["views"] = self.views.latest
            board["withheld"] = self.withheld.latest(self.parameters.board_size)
            value = json.dumps(board, ensure_ascii=False).encode()
            self._outputs.append(Output(BOARD, 0, b"board", value))
        self._memory_dirty = self._meta_dirty = self._board_dirty = False
        outputs, self._outputs = self._outputs, []
        return Cut(rows, outputs)

    # -- reports in ---------------------------------------------------------------------------

    def _accept(self, value: bytes) -> None:
        if is_action(value):
            self._accept_action(value)
            return
        told = decode_report(value)
        expected = self._sequence.get(told.partition, 0)
        if told.sequence > expected:
            raise BrokenChainError(
                f"video-stages: partition {told.partition} said {told.sequence}, "
                f"expected {expected}"
            )
        self._sequence[told.partition] = told.sequence + 1
        self._partitions = told.partitions
        through = self._through.get(told.partition, ALWAYS)
        report = told.after(through, self._buckets_per_epoch)
        # Summaries may travel ahead in a message that reaches less far than the one before it.
        self._through[told.partition] = max(through, told.through_bucket)
        self._reports.add(report, value if report is told else encode_report(report))
        self._note_lessons(report)
        self._meta_dirty = True

    def _accept_action(self, value: bytes) -> None:
        known = self._partitions is not None and len(self._through) == self._partitions
        through = min(self._through.values()) if known else ALWAYS
        action = decode_action(value)
        if action.split_from:
            self.roll_up.merges.split(action, through)
        else:
            self.actions.take(action, through)

    def _note_lessons(self, report: StageReport) -> None:
        self.forecasts.note(report.moments)
        self.actors.note(report.acted)
        for told in report.evidence:
            self.discoveries.note(told)
        for epoch, platform, summary in report.summaries:
            if self._memory.epoch is None or epoch > self._memory.epoch:
                self._summaries.setdefault(epoch, []).append((platform, summary))

    def _advance(self) -> bool:
        """Decide what can be decided; return whether an epoch has ended."""
        if self._partitions is None or len(self._through) < self._partitions:
            return False
        closed = min(self._through.values())
        if self._closed is not None and closed <= self._closed:
            return False
        self._decide_through(closed)
        self._meta_dirty = self._board_dirty = True
        before, self._ended_epoch = self._ended_epoch, (closed + 1) // self._buckets_per_epoch - 1
        return before != self._ended_epoch

    def _decide_through(self, closed: int) -> None:
        decided = in_order(self._reports.take(closed))
        if self.roll_up.next_look == NOT_DUE and len(decided.rows):
            self._look_after(int(decided.rows["bucket"][0]))
        for first, end in decided.runs(self._buckets_per_epoch):
            self._pass_time(int(decided.rows["bucket"][first]) - 1)
            self._decide(decided, first, end)
        self._pass_time(closed)
        self.participation.advance(closed)
        self._closed = closed

    def _pass_time(self, bucket: int) -> None:
        """Fade what fell silent and forget what is long gone, up to a bucket.

        Epoch by epoch, and before what comes after is decided: neither may depend on how many
        reports came at once.
        """
        whole = (bucket + 1) // self._buckets_per_epoch - 1
        self.discoveries.pass_through(whole)
        passed = whole if self._passed_epoch is None else self._passed_epoch
        for epoch in range(passed + 1, whole + 1):
            self._pass_looks((epoch + 1) * self._buckets_per_epoch - 1)
            self.outlook.pass_epoch(epoch)
            self.work_outlook.pass_epoch(epoch)
            videos, works, progress = self.roll_up.expire(epoch)
            self.outlook.forget(videos)
            self.work_outlook.reach.forget(works, progress)
            self._forget((epoch + 1) * self._buckets_per_epoch - 1)
        self._passed_epoch = max(passed, whole)
        self._pass_looks(bucket)

    def _forget(self, bucket: int) -> None:
        """Forget what is known of works and videos that were forgotten at a bucket's end."""
        works = self.roll_up.works.by_id
        self.voices.forget_all_but(works)
        self.participation.advance(bucket)
        self.participation.forget_untracked()
        self.integrity.forget_all_but(works)

    def _pass_looks(self, bucket: int) -> None:
        """Fade what fell silent and look at all works when it is time to, up to a bucket's end."""
        while self.roll_up.next_look <= bucket + 1:
            at = self.roll_up.next_look
            self._end_silent(at - 1)
            self.participation.advance(at - 1)
            for work, suspicion in self.integrity.look():
                time_ms = at * self.parameters.bucket_ms - 1
                self._alerts.coordinated_push(work, suspicion, time_ms)
            self._works.look(self.roll_up.merges.look(at))
            self.depth.look(at)
            self.guidance.look(at)
            for effect in self.actions.look(at):
                self._alerts.effect(effect)
            self.views.look(at)
            self._look_after(at)
        self._end_silent(bucket)

    def _look_after(self, bucket: int) -> None:
        """Set the next look: they come before every so many buckets, counted from bucket 0."""
        self.roll_up.next_look = (bucket // self._buckets_per_look + 1) * self._buckets_per_look

    # -- what was decided ---------------------------------------------------------------------

    def _decide(self, decided: DecidedRows, first: int, end: int) -> None:
        """Take in rows of one epoch, and tell what comes of them."""
        self.participation.note(decided, first, end)
        for news in self.roll_up.take_in(decided, first, end):
            if isinstance(news, WorkEnded):
                self._end(news.work, news.bucket)
            elif isinstance(news, LookDue):
                self._pass_looks(news.bucket)
            elif isinstance(news, WorkNews):
                self.participation.advance(
                    int(self.roll_up.works.rows["last_bucket"][news.slots[0]])
                )
                self._works.judge(news.slots)
            else:
                self._take_video(news, decided)
        # What a work was forecast on the way is not kept, unless there was news of it.
        self._works.forecast(self.roll_up.works.take_unforecast())

    def _take_video(self, news: VideoNews, decided: DecidedRows) -> None:
        tracked, numbers = news.tracked, decided.rows[news.row]
        self.participation.advance(int(numbers["bucket"]))
        if said := decided.voices.get(news.row):
            works = [work.work_id for work in self.roll_up.works_of(tracked)]
            self.voices.take(tracked.video, works, said, int(numbers["bucket"]))
        noteworthy = False
        for transition in decided.transitions.get(news.row, ()):
            noteworthy |= self._take_transition(tracked, transition, numbers)
        explanation = decided.explanations.get(news.row, {})
        noteworthy |= self._take_forecast(tracked, numbers, explanation)
        if noteworthy:
            self.outlook.note(tracked, numbers)

    def _take_transition(
        self, tracked: TrackedVideo, transition: dict[str, Any], numbers: np.void
    ) -> bool:
        """Tell a transition; return whether it is one into a stage."""
        if transition["reason"] == Reason.BURST:
            self._take_burst(tracked, transition, numbers)
            return False
        self.outlook.transition(tracked, transition)
        ends = transition["state"] in (State.FADED, State.INTERRUPTED)
        if ends:
            self.roll_up.told_emerging(tracked, emerging=False)
            self._alerts.transition(tracked, transition, {})
        else:
            for work in self.roll_up.works_of(tracked):
                stage = Stage[transition["stage"].upper()]
                work.enter(stage, transition["route"], transition["state"], transition["reason"])
                self.work_outlook.entered(work, stage, transition["time_ms"])
                self.roll_up.works.touch(work)
            self.guidance.transition(tracked, transition)
            ahead = self.outlook.of(tracked, numbers, transition["time_ms"])
            self._alerts.transition(tracked, transition, ahead)
        return not ends

    def _take_burst(
        self, tracked: TrackedVideo, transition: dict[str, Any], numbers: np.void
    ) -> None:
        """Tell or withhold a burst: it is news of its own, whatever was told of the video."""
        figures = transition["figures"]
        score = score_of_burst(figures["return_days"], figures["return_days_asked"])
        subject = shown(tracked.video)
        self.roll_up.budget.reach(0, score)
        if self._spending.affords(score):
            self._alerts.video_burst(tracked, transition, numbers, self._spending.figures(score))
            self._spending.spend(subject, int(numbers["bucket"]))
        else:
            probability, time_ms = float(numbers["probability"]), int(numbers["last_ms"])
            self._spending.withhold(subject, tracked.title, time_ms, probability, score)

    def _take_forecast(
        self, tracked: TrackedVideo, numbers: np.void, explanation: dict[str, Any]
    ) -> bool:
        """Tell or withhold that a video is emerging; return whether there was anything to tell."""
        alert_level = self.parameters.emerging_probability
        probability = float(numbers["probability"])
        if probability < alert_level:
            return False
        probability *= self.integrity.kept_of_video(tracked.video)
        level = self.parameters.level.count
        score = score_of(probability, int(numbers["episode_progress"]), level)
        subject, time_ms = shown(tracked.video), int(numbers["last_ms"])
        if probability < alert_level:
            self._spending.discount(subject, tracked.title, time_ms, probability, score)
            return False
        first = self.roll_up.tracked.rows["offered"][tracked.slot] == 0
        best = self.roll_up.offer(tracked, score)
        if self.roll_up.tracked.rows["emerging"][tracked.slot] or not best:
            return False
        self.outlook.emerging(tracked, numbers)
        told = self._spending.affords(score)
        if told:
            self.roll_up.told_emerging(tracked, emerging=True)
            why = explanation or self.withheld.explanation(subject)
            more = why | self.outlook.of(tracked, numbers, time_ms) | self._spending.figures(score)
            self._alerts.video_emerging(tracked, numbers, probability, more)
            self._spending.spend(subject, int(numbers["bucket"]))
        else:
            title = tracked.title
            self._spending.withhold(subject, title, time_ms, probability, score, explanation)
        return told or bool(first)

    # -- works that end ------------------------------------------------------------------------

    def _end_silent(self, bucket: int) -> None:
        """Fade the works whose activity has collapsed, at the bucket where it did."""
        for work, due in self.roll_up.due(bucket):
            self._end(work, due)

    def _end(self, work: Work, bucket: int) -> None:
        self.participation.advance(bucket)
        self._works.ended(work, bucket)

    def _tell(self, alert: Alert) -> None:
        if self._deciding_again:
            return
        self._outputs.append(Output(ALERTS, 0, alert.subject.encode(), alert.to_bytes()))

    # -- learning -----------------------------------------------------------------------------

    def _learn_through(self, last_epoch: int) -> None:
        """Fold the epochs that are closed everywhere, and publish what follows from them.

        Of the cohorts and of what is known of people the two latest versions, of forecasts every
        new one; the cohorts last, so that who has these has all that holds with them.
        """
        for through in (last_epoch - 1, last_epoch):
            learned = self.forecasts.learn_through(through) + self.actors.learn_through(through)
            for key, value in learned:
                self._outputs.append(Output(LEARNED, 0, key, value))
            for epoch in sorted(e for e in self._summaries if e <= through):
                self._memory.fold(epoch, self._summaries.pop(epoch))
                self._memory_dirty = True
            if self._published and through <= self._published[-1]:
                continue
            version = self._memory.version(through, self.forecasts.thinning)
            told = json.dumps(version.to_dict()).encode()
            self._outputs.append(Output(LEARNED, 0, version.name.encode(), told))
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
            "saved": self._saved,
            "published": self._published,
        }

    def _load_meta(self, stored: dict[str, Any]) -> int | None:
        """Take the position back, as of when works were saved; return how far it had decided."""
        self._through = {int(p): b for p, b in stored["through"]}
        self._sequence = {int(p): s for p, s in stored["sequence"]}
        self._partitions = stored["partitions"]
        self._closed = self._saved = stored["saved"]
        if self._saved is not None:
            self._passed_epoch = (self._saved + 1) // self._buckets_per_epoch - 1
            self._look_after(self._saved + 1)
        self._published = stored["published"]
        closed: int | None = stored["closed"]
        return closed
