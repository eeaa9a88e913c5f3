"""Every compiled loop of `stages` and `hotspots`, compiled or loaded before the stream begins.

numba compiles a function at its first call, and for seconds at a time: in the middle of a stream
that would be a standstill.
"""

import json
from typing import Final

from models import forecasting, views
from models.cohorts import CohortVersion
from models.hotspots import HotspotsStep
from models.intake import Intake
from models.parameters import HOUR_MS, MINUTE_MS, Level, Parameters
from models.recent_ids import RecentIds
from models.stages import VIDEO_STAGES, StagesStep
from models.steps import Chunk

_START_MS: Final = 1_693_353_600_000
_PARAMETERS: Final = Parameters(
    partitions=1, bucket_ms=MINUTE_MS, epoch_ms=HOUR_MS, level=Level("view", 1_000)
)


def warm_up() -> None:
    """Let a story of a few videos pass: a rise that is noticed, a silence in which it ends."""
    messages = _messages()
    stages, hotspots = StagesStep(0, _PARAMETERS), HotspotsStep(0, _PARAMETERS)
    reported = 0
    _learn(stages)
    for offset, message in enumerate(messages):
        stages.process(_chunk([message], offset))
        reports = [o.value for o in stages.cut().outputs if o.topic == VIDEO_STAGES]
        hotspots.process(_chunk(reports, reported))
        hotspots.cut()
        reported += len(reports)
    # What only a large stream needs, only a restart, only a model, and only a day.
    RecentIds(1).warm_up()
    forecasting.warm_up()
    views.warm_up()


def _messages() -> list[bytes]:
    """Return batches of a video that many people watch and like, share and leave."""
    intake, low, messages = Intake(1, bytes(16)), 0, list[bytes]()
    for minute in range(0, 50, 5):
        events: list[dict[str, object]] = [
            {"action": "view", "count": 400, "topics": ["t"], "event_id": f"e{minute}"},
            {"action": "comment", "actor_region": "r", "comment_id": f"c{minute}", "text": "t"},
            {"action": "like", "count": 1, "actor_id": f"a{minute}"},
            {"action": "like", "count": 300},
            {"action": "share", "count": 300, "video_id": "w"},
        ]
        common = {"platform": "p", "video_id": "v", "time": _START_MS + minute * MINUTE_MS}
        lines = [json.dumps({**common, **event}).encode() for event in events]
        values: list[bytes | None] = [*lines]
        taken = intake.process(_chunk(values, low), source=0, sources=1, received_ms=_START_MS * 2)
        messages += taken.batches[0]
        low += len(lines)
    later = {"platform": "p", "video_id": "x", "time": _START_MS + 59 * MINUTE_MS, "action": "view"}
    end = Chunk(low + 1, low + 2, [low + 1], [b"hotspots:end"], [None], [-1])
    for chunk in (_chunk([json.dumps(later).encode()], low), end):
        taken = intake.process(chunk, source=0, sources=1, received_ms=_START_MS * 2)
        messages += taken.batches[0]
    return messages


def _learn(stages: StagesStep) -> None:
    epoch = _START_MS // _PARAMETERS.epoch_ms
    for learned in (epoch - 2, epoch - 1):
        version = CohortVersion(learned)
        stages.learn(version.name.encode(), json.dumps(version.to_dict()).encode())


def _chunk(values: list[bytes | None], low: int) -> Chunk:
    count = len(values)
    offsets = list(range(low, low + count))
    return Chunk(low, low + count, offsets, [None] * count, values, [-1] * count)
