"""The board: the works worth looking at now, in order.

Confirmed hotspots come first, then emerging ones, then works with a video beyond presentation;
inside each group the hotter first. Heat is activity per hour, the strongest single figure on real
data (docs/detection.md): a hand-made score of stages does not beat it.
"""

from collections.abc import Iterable
from typing import Any, Final

from models.parameters import Parameters
from models.works import Work

BOARD: Final = "hotspot-board"
"""Logical name of the topic that carries it."""


def board_of(works: Iterable[Work], bucket: int, parameters: Parameters) -> dict[str, Any]:
    """Return the board as of a bucket: at most `board_size` hotspots, JSON-ready."""
    shown = []
    for work in works:
        if not (work.confirmed or work.emerging or work.stages):
            continue
        heat = work.heat_at(bucket, parameters.bucket_ms)
        shown.append((work.confirmed, work.emerging, heat, work))
    shown.sort(key=lambda s: (-s[0], -s[1], -s[2], s[3].work_id))
    hotspots = [
        {
            "hotspot_id": work.work_id,
            "kind": work.kind,
            "title": work.title or work.work_id,
            "rank": rank,
            "heat": round(heat, 2),
            "stage": work.stage,
            "route": work.route,
            "state": work.state,
            "reason": work.reason or "forecast_above_alert_level",
            "probability": round(work.probability, 4),
            "emerging": emerging,
            "confirmed": confirmed,
            "videos": work.videos,
            "views": work.views,
            "platforms": sorted(work.platforms),
        }
        for rank, (confirmed, emerging, heat, work) in enumerate(
            shown[: parameters.board_size], start=1
        )
    ]
    return {"time_ms": (bucket + 1) * parameters.bucket_ms, "hotspots": hotspots}
