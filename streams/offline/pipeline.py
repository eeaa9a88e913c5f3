"""The whole flow in memory: the steps of `stages` and `hotspots`, driven without a broker."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from models.alerts import ALERTS
from models.forecasting import BASELINE, Forecaster
from models.guidance_actions import GuidanceAction, encode_action
from models.hotspots import LEARNED, HotspotsStep
from models.parameters import Parameters
from models.ranking import BOARD
from models.stages import VIDEO_STAGES, StagesStep
from models.steps import Chunk, Output

_NO_APPEND_TIME: Final = -1


@dataclass(slots=True)
class Outcome:
    """What came out so far.

    Attributes:
        alerts: CloudEvents as JSON, in order.
        reports: Messages of `video-stages`, in order.
        board: The latest board as JSON.
        versions: Versions of what was learned, by key.
    """

    alerts: list[bytes] = field(default_factory=list)
    reports: list[bytes] = field(default_factory=list)
    board: bytes | None = None
    versions: dict[bytes, bytes] = field(default_factory=dict)


class Pipeline:
    """Feeds batches to the steps and carries what they write from one to the next."""

    def __init__(self, parameters: Parameters, forecaster: Forecaster = BASELINE) -> None:
        self.parameters = parameters
        partitions = range(parameters.partitions)
        self.stages = [StagesStep(p, parameters, forecaster) for p in partitions]
        self.hotspots = HotspotsStep(0, parameters, forecaster.name)
        self.outcome = Outcome()
        self._offsets = [0] * parameters.partitions
        self._reported = 0

    def act(self, actions: Iterable[GuidanceAction]) -> None:
        """Take in actions, before anything else: none of them comes late."""
        told = [encode_action(action) for action in actions]
        self.hotspots.process(chunk_of(told, self._reported))
        self._reported += len(told)

    def feed(self, messages: Sequence[Iterable[bytes]]) -> None:
        """Feed messages of `engagement-batches`: one iterable per partition."""
        for partition, values in enumerate(messages):
            batch = list(values)
            if batch:
                self.stages[partition].process(self._chunk(partition, batch))
        self._settle()

    def _chunk(self, partition: int, values: list[bytes]) -> Chunk:
        low = self._offsets[partition]
        self._offsets[partition] += len(values)
        return chunk_of(values, low)

    def _settle(self) -> None:
        """Carry outputs on until nothing new comes."""
        reports = [o for step in self.stages for o in step.cut().outputs]
        while reports:
            self.outcome.reports += [_value(o) for o in reports if o.topic == VIDEO_STAGES]
            self.hotspots.process(chunk_of([_value(o) for o in reports], self._reported))
            self._reported += len(reports)
            for output in self.hotspots.cut().outputs:
                self._take(output)
            reports = [o for step in self.stages for o in step.cut().outputs]

    def _take(self, output: Output) -> None:
        if output.topic == ALERTS:
            self.outcome.alerts.append(_value(output))
        elif output.topic == BOARD:
            self.outcome.board = _value(output)
        elif output.topic == LEARNED and output.key is not None:
            if output.value is None:
                self.outcome.versions.pop(output.key, None)
            else:
                self.outcome.versions[output.key] = output.value
            for step in self.stages:
                step.learn(output.key, output.value)


def chunk_of(values: list[bytes], low_offset: int) -> Chunk:
    """Return a chunk of consecutive messages without keys."""
    count = len(values)
    return Chunk(
        low_offset=low_offset,
        next_offset=low_offset + count,
        offsets=list(range(low_offset, low_offset + count)),
        keys=[None] * count,
        values=list(values),
        append_ms=[_NO_APPEND_TIME] * count,
    )


def _value(output: Output) -> bytes:
    if output.value is None:
        raise ValueError(f"an empty message for {output.topic}")
    return output.value
