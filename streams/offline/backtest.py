"""A file of events through the same steps as the worker's, in memory and without a broker.

The batches are those that `intake` would have written for one source partition, so the outcome is
the worker's: the same transitions and alerts, with the same ids.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from models.events import END_MARK_KEY, DecodingLimits, RejectReason
from models.forecasting import BASELINE, Forecaster
from models.guidance_actions import validate_action
from models.identity import split_video_key
from models.intake import Intake
from models.parameters import Parameters
from models.report_building import DecidedVideos
from models.steps import CREATE_TIME_MS, Chunk
from streams.offline.pipeline import Pipeline, chunk_of

CHUNK_LINES: Final = 8_192
"""Lines taken at a time, about the megabyte that a worker fetches; the outcome does not depend on
it."""

PROBABILITY_DIGITS: Final = 4
"""A forecast is written when its probability changes in this digit; finer is below its own
error."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was said of a video at the last event that it reflects."""

    time_ms: int
    platform: str
    video_id: str
    probability: float


@dataclass(slots=True)
class Backtest:
    """Runs the steps over lines of events, a chunk at a time.

    Attributes:
        parameters: As the worker's; partitions play no part in the outcome, one is used.
        actor_key: The key that actors are hashed with; the worker's, for the same sketches.
        limits: Bounds within which an event is accepted.
        received_ms: The time that stands for the receipt: events further ahead are rejected.
        forecaster: What makes the forecasts; the worker's.
        events: How many were accepted.
        rejects: How many were not, by reason.
    """

    parameters: Parameters
    actor_key: bytes = field(repr=False)
    limits: DecodingLimits
    received_ms: int
    forecaster: Forecaster = BASELINE
    events: int = 0
    rejects: Counter[RejectReason] = field(default_factory=Counter)
    pipeline: Pipeline = field(init=False)
    _decided: list[DecidedVideos] = field(default_factory=list)
    _said: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pipeline = Pipeline(replace(self.parameters, partitions=1), self.forecaster)
        self.pipeline.stages[0].decided_videos = self._decided

    def act(self, lines: Iterable[bytes]) -> int:
        """Take in the actions that people took, before `run`; return how many there were.

        Raises:
            RejectedEventError: A line is no action of the contract (docs/actions.md).
        """
        latest_ms = self.received_ms + self.limits.max_ahead_ms
        actions = [validate_action(line, latest_ms=latest_ms, limits=self.limits) for line in lines]
        self.pipeline.act(actions)
        return len(actions)

    def run(self, lines: Iterable[bytes]) -> Iterator[tuple[int, list[bytes], list[Forecast]]]:
        """Yield after each chunk how many lines it had, and the alerts and forecasts it brought."""
        intake = Intake(1, self.actor_key, self.limits)
        offset = 0
        remaining = iter(lines)
        while values := list(islice(remaining, CHUNK_LINES)):
            chunk = chunk_of(values, offset)
            offset = chunk.next_offset
            yield len(values), *self._feed(intake, chunk)
        end = Chunk(offset, offset + 1, [offset], [END_MARK_KEY], [None], [CREATE_TIME_MS])
        yield 0, *self._feed(intake, end)

    def _feed(self, intake: Intake, chunk: Chunk) -> tuple[list[bytes], list[Forecast]]:
        taken = intake.process(chunk, source=0, sources=1, received_ms=self.received_ms)
        self.events += taken.events
        self.rejects.update(reject.reason for reject in taken.rejects)
        self.pipeline.feed(taken.batches)
        outcome = self.pipeline.outcome
        alerts, outcome.alerts = outcome.alerts, []
        outcome.reports.clear()
        forecasts = [forecast for decided in self._decided for forecast in self._forecasts(decided)]
        self._decided.clear()
        return alerts, forecasts

    def _forecasts(self, decided: DecidedVideos) -> Iterator[Forecast]:
        probabilities = decided.probability.astype(float).round(PROBABILITY_DIGITS)
        columns = zip(decided.videos, decided.last_ms.tolist(), probabilities, strict=True)
        for video, last_ms, probability in columns:
            if self._said.get(video) != probability:
                self._said[video] = probability
                platform, video_id = split_video_key(video)
                yield Forecast(last_ms, platform, video_id, float(probability))
