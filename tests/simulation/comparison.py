"""What a history left behind, held against two runs in which nothing goes wrong.

These are the steps over the log `engagement-batches` that the history left, which decides by
itself what comes out, and, where no partition was ever called idle, the steps over the events
themselves.
"""

import json
from dataclasses import dataclass, field

from simulated_broker import Broker
from simulated_platform import Platform
from simulated_worker import TOPICS, SimulatedStore

from models.alerts import AlertType
from models.batch_header import BatchKind
from models.batches import decode_batch
from models.events import DecodingLimits, RejectedEventError
from models.forecast_versions import is_forecast
from models.guidance_actions import (
    GuidanceAction,
    decode_action,
    is_action,
    validate_action,
)
from models.hotspots import LEARNED, HotspotsStep
from models.intake import Intake
from models.parameters import DAY_MS
from models.stage_reports import ALWAYS, decode_report
from models.stages import StagesStep
from models.steps import Chunk, Cut, Output, PartitionStep
from streams.checkpoints import POSITION_KEY
from streams.offline.pipeline import Pipeline
from streams.topics import Topic
from streams.transport.ledger import Partition

ACTOR_KEY = bytes(range(16))
RECEIVED_MS = 1_900_000_000_000
"""After all events of all platforms, so that none is rejected for coming too early."""


@dataclass
class Outcome:
    """What a history came to."""

    seed: int
    problems: list[str]
    trace: list[str]
    events: int = 0
    alerts: int = 0
    participations: int = 0
    participations_kept: int = 0
    pushes: int = 0
    withheld: int = 0
    forecasts: int = 0
    """Versions of the forecast that were learned."""
    faults: dict[str, int] = field(default_factory=dict)
    steps: int = 0
    requests: int = 0
    compared_with_undisturbed: bool = False
    told_again: int = 0
    effects: int = 0
    measured: int = 0
    merges: int = 0
    """Alerts that say by which other names a topic goes."""
    splits: int = 0
    """Actions that keep two topics two works."""

    def report(self) -> str:
        """Say what went wrong, and how it came to it."""
        head = f"history {self.seed}: {'; '.join(self.problems)}"
        again = f"HOTSPOTS_SIMULATION_SEED={self.seed} HOTSPOTS_SIMULATION_HISTORIES=1"
        return "\n".join([head, f"again: {again}", "the last steps:", *self.trace])


class Comparison:
    """Holds what a history left behind against runs in which nothing goes wrong."""

    def __init__(
        self, platform: Platform, broker: Broker, store: SimulatedStore, outcome: Outcome
    ) -> None:
        self.platform = platform
        self.broker = broker
        self.store = store
        self.outcome = outcome
        self.parameters = platform.parameters

    def compare(self) -> None:
        """Note every difference."""
        partitions = self.parameters.partitions
        batches = [
            [entry.value or b"" for _, entry in log.visible(0, log.stable_end)]
            for log in (
                self.broker.logs[Partition(TOPICS[Topic.BATCHES], p)] for p in range(partitions)
            )
        ]
        self.outcome.told_again = self._told_again()
        arrivals = self._arrivals()
        replayed = Reference(self.platform, arrivals)
        replayed.feed(batches)
        self._hold_against("a replay of its log", replayed)
        self._compare_state(replayed)
        self._compare_works(replayed)
        undisturbed = Reference(self.platform, arrivals)
        rejects = undisturbed.take_in(self.platform.sources)
        self._compare_rejects(rejects)
        if self.platform.is_order_free and not any(
            decode_batch(value).header.kind is BatchKind.HEARTBEAT
            for values in batches
            for value in values
        ):
            self.outcome.compared_with_undisturbed = True
            self._hold_against("the undisturbed run", undisturbed)
        if self.platform.is_order_free and self.parameters.expire_after_ms >= DAY_MS:
            # A late event keeps its video from the bucket on that is decided next, which the log
            # says: when a video is forgotten may differ.
            self._same("totals", undisturbed.totals(), replayed.totals())

    def _told_again(self) -> int:
        """Return how often a partition told again what it had told before a crash."""
        expected: dict[int, int] = {}
        times = 0
        for report in map(decode_report, self._reports()):
            times += report.sequence < expected.get(report.partition, 0)
            expected[report.partition] = report.sequence + 1
        return times

    def _reports(self) -> list[bytes]:
        told = [e.value or b"" for e in self.broker.committed(TOPICS[Topic.VIDEO_STAGES])]
        return [value for value in told if not is_action(value)]

    def _arrivals(self) -> list[tuple[GuidanceAction, int]]:
        """Return the actions of `video-stages`, each with what all had told before it."""
        through: dict[int, int] = {}
        arrivals = []
        for entry in self.broker.committed(TOPICS[Topic.VIDEO_STAGES]):
            value = entry.value or b""
            if is_action(value):
                everyone = len(through) == self.parameters.partitions
                arrived = min(through.values()) if everyone else ALWAYS
                arrivals.append((decode_action(value), arrived))
                continue
            report = decode_report(value)
            before = through.get(report.partition, ALWAYS)
            through[report.partition] = max(before, report.through_bucket)
        told = [action.action_id for action, _ in arrivals]
        sent = [json.loads(line)["action_id"] for line in self.platform.actions if _is_good(line)]
        self._same("actions in the log", sent, told)
        self.outcome.splits = sum(action.split_from != "" for action, _ in arrivals)
        return arrivals

    def _same(self, what: str, expected: object, found: object) -> None:
        if expected != found:
            self.outcome.problems.append(f"{what} differ: {_difference(expected, found)}")

    def _hold_against(self, name: str, reference: "Reference") -> None:
        alerts = [entry.value for entry in self.broker.committed(TOPICS[Topic.ALERTS])]
        self.outcome.alerts = len(alerts)
        self._same(f"alerts and those of {name}", reference.outcome.alerts, alerts)
        kinds = [json.loads(alert or b"")["type"] for alert in alerts]
        self.outcome.pushes = kinds.count(AlertType.COORDINATED_PUSH)
        self._compare_versions(name, reference.learned)
        told = {json.loads(alert or b"")["id"] for alert in alerts}
        self._same("alerts in the store", told, set(self.store.alerts))
        boards = self.broker.committed(TOPICS[Topic.BOARD])
        board = boards[-1].value if boards else None
        self._same(f"the board and that of {name}", reference.outcome.board, board)
        kept = json.loads(board) if board is not None else None
        self.outcome.withheld = len(kept["withheld"]) if kept is not None else 0
        self._same("the board in the store", kept, self.store.board)
        said = [json.loads(alert or b"") for alert in alerts]
        self.outcome.merges = sum("also_known_as" in one["data"] for one in said)
        effects = [one for one in said if one["type"] == AlertType.GUIDANCE_EFFECT]
        self.outcome.effects = len(effects)
        self.outcome.measured = sum("effect" in one["data"] for one in effects)
        participations = _participations(self._reports())
        self.outcome.participations = len(participations)
        expected = _participations(reference.outcome.reports)
        self._same(f"participations and those of {name}", expected, participations)

    def _compare_versions(self, name: str, expected: list[tuple[bytes | None, bytes]]) -> None:
        """Compare the sequence of versions, each told once.

        Only before the first epoch with events may there be more: how many empty ones depends on
        how far time had come when a partition first decided anything.
        """
        found = [
            (entry.key, entry.value)
            for entry in self.broker.committed(TOPICS[Topic.LEARNED])
            if entry.value is not None
        ]
        first = expected[0][0] if expected else None
        begin = next((at for at, (key, _) in enumerate(found) if key == first), 0)
        self._same(f"versions and those of {name}", expected, found[begin:])
        self.outcome.forecasts = sum(is_forecast(key or b"") for key, _ in found)
        empty = [value for _, value in found[:begin] if json.loads(value)["platforms"]]
        self._same("versions before the first event", [], empty)

    def _compare_state(self, replayed: "Reference") -> None:
        """Compare what a restart would find, byte by byte where rows do not depend on reports."""
        totals: dict[str, list[int]] = {}
        for partition in range(self.parameters.partitions):
            step = StagesStep(partition, self.parameters)
            rows = self._rows(Partition(TOPICS[Topic.VIDEOS_CHANGELOG], partition))
            for key, value in rows.items():
                step.load(key, value)
            step.recovered()
            totals |= step.totals()
            expected = replayed.rows[partition]
            self._same("rows of videos", _of_videos(expected), _of_videos(rows))
            self._same("progress", _progress(expected), _progress(rows))
        self._same("saved totals and those of a replay", replayed.totals(), totals)

    def _compare_works(self, replayed: "Reference") -> None:
        """Compare what a restart of `hotspots` would know of who takes part, and suspect."""
        step = HotspotsStep(0, self.parameters)
        for key, value in self._rows(Partition(TOPICS[Topic.WORKS_CHANGELOG], 0)).items():
            step.load(key, value)
        step.recovered()
        kept, expected = _kept(step), _kept(replayed.hotspots)
        self.outcome.participations_kept = len(kept)
        self._same("participations kept and those of a replay", expected, kept)
        for name, found, known in (
            ("suspicions", step.integrity.rows(), replayed.hotspots.integrity.rows()),
            ("depths of works", step.depth.rows(), replayed.hotspots.depth.rows()),
            ("merges", list(step.roll_up.merges), list(replayed.hotspots.roll_up.merges)),
        ):
            self._same(f"{name} and those of a replay", known, found)

    def _rows(self, partition: Partition) -> dict[bytes, bytes]:
        """Return the rows that a changelog holds, without the position."""
        log = self.broker.logs[partition]
        rows: dict[bytes, bytes] = {}
        for _, entry in log.visible(0, log.stable_end):
            assert entry.key is not None
            if entry.value is None:
                rows.pop(entry.key, None)
            elif entry.key != POSITION_KEY:
                rows[entry.key] = entry.value
        return rows

    def _compare_rejects(self, expected: dict[bytes, tuple[bytes | None, str]]) -> None:
        expected = expected | self._refused_actions()
        found = {}
        for entry in self.broker.committed(TOPICS[Topic.REJECTED]):
            assert entry.key is not None
            found[entry.key] = (entry.value, dict(entry.headers)["reason"].decode())
        self._same("rejects", expected, found)

    def _refused_actions(self) -> dict[bytes, tuple[bytes | None, str]]:
        """Return the messages of `guidance-actions` that are none."""
        entries = self.broker.committed(TOPICS[Topic.GUIDANCE_ACTIONS])
        return {
            f"guidance-actions:0:{offset}".encode(): (entry.value, refusal)
            for offset, entry in enumerate(entries)
            if (refusal := _refusal(entry.value))
        }


def _refusal(line: bytes | None) -> str:
    """Return why a line is no action, an empty string where it is one."""
    try:
        validate_action(line, latest_ms=RECEIVED_MS, limits=DecodingLimits())
    except RejectedEventError as error:
        return error.reason.value
    return ""


def _is_good(line: bytes) -> bool:
    return not _refusal(line)


class Reference(Pipeline):
    """The steps with nothing between them that could fail."""

    def __init__(self, platform: Platform, arrivals: list[tuple[GuidanceAction, int]]) -> None:
        super().__init__(platform.parameters)
        for action, through in arrivals:
            if action.split_from:
                self.hotspots.roll_up.merges.split(action, through)
            else:
                self.hotspots.actions.take(action, through)
        self.learned: list[tuple[bytes | None, bytes]] = []
        self.rows = [_recorded(step) for step in self.stages]

    def _take(self, output: Output) -> None:
        if output.topic == LEARNED and output.value is not None:
            self.learned.append((output.key, output.value))
        super()._take(output)

    def take_in(
        self, sources: list[list[tuple[bytes | None, bytes | None]]]
    ) -> dict[bytes, tuple[bytes | None, str]]:
        """Take in the events themselves; return what was rejected."""
        intake = Intake(self.parameters.partitions, ACTOR_KEY)
        rejected = {}
        batches: list[list[bytes]] = [[] for _ in range(self.parameters.partitions)]
        for number, records in enumerate(sources):
            count = len(records)
            chunk = Chunk(
                low_offset=0,
                next_offset=count,
                offsets=list(range(count)),
                keys=[key for key, _ in records],
                values=[value for _, value in records],
                append_ms=[-1] * count,
            )
            taken = intake.process(
                chunk, source=number, sources=len(sources), received_ms=RECEIVED_MS
            )
            for reject in taken.rejects:
                key = f"{number}:{reject.offset}".encode()
                rejected[key] = (reject.value, str(reject.reason))
            for partition, messages in enumerate(taken.batches):
                batches[partition] += messages
        self.feed(batches)
        return rejected

    def totals(self) -> dict[str, list[int]]:
        """Return every video's counts."""
        return {video: counts for step in self.stages for video, counts in step.totals().items()}


def _recorded(step: PartitionStep) -> dict[bytes, bytes]:
    """Return the rows that the cuts of a step will leave behind, kept up to date."""
    rows: dict[bytes, bytes] = {}
    take = step.cut

    def cut() -> Cut:
        taken = take()
        for key, value in taken.rows:
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        return taken

    step.cut = cut  # type: ignore[method-assign] # watched, not changed
    return rows


def _participations(reports: list[bytes]) -> dict[tuple[str, int], set[bytes]]:
    """Return what is told by video and bucket; what is told again after a crash is the same."""
    told: dict[tuple[str, int], set[bytes]] = {}
    for report in map(decode_report, reports):
        for row, packed in report.participations:
            place = (report.videos[report.video[row]], int(report.rows["bucket"][row]))
            told.setdefault(place, set()).add(packed)
    return told


def _kept(step: HotspotsStep) -> dict[str, bytes]:
    """Return the records of videos that `hotspots` keeps."""
    records = {key: step.participation.of_video(key) for key in step.roll_up.tracked.slot_of}
    return {key: record.tobytes() for key, record in records.items() if record is not None}


def _of_videos(rows: dict[bytes, bytes]) -> dict[bytes, bytes]:
    return {key: value for key, value in rows.items() if key.startswith((b"v/", b"p/"))}


def _progress(rows: dict[bytes, bytes]) -> dict[str, object]:
    """Return how far a partition has come.

    Not how many reports told of it, which depends on chunks, nor where its sources stand:
    heartbeats go on, and the last of them need not be saved.
    """
    found = json.loads(rows.get(b"m", b'{"clocks": {}}'))
    progress = {name: found.get(name) for name in ("decided_bucket", "epoch", "hours")}
    return progress | {"closed_bucket": found["clocks"].get("closed_bucket")}


def _difference(expected: object, found: object) -> str:
    """Say where two things differ first."""
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = [k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k)]
        first = min(keys, key=str)
        return f"at {first!r}: {expected.get(first)!r} expected, {found.get(first)!r} found"
    if isinstance(expected, list) and isinstance(found, list):
        same = next(
            (i for i, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b),
            min(len(expected), len(found)),
        )
        return (
            f"{len(expected)} expected, {len(found)} found; at {same}: "
            f"{expected[same : same + 1]!r} expected, {found[same : same + 1]!r} found"
        )
    return f"{expected!r} expected, {found!r} found"
