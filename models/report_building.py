"""What `stages` tells of the buckets it decided, gathered into one message."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models.bucket_decision import Decided
from models.cohort_learning import EpochSummary
from models.stage_reports import REPORT
from models.transitions import Transition
from models.video_state import VideoTable

Rows = npt.NDArray[np.void]

_SAME = (
    *("bucket", "last_ms", "age_ms", "views", "total_views", "acted", "progress"),
    *("total_progress", "episode_progress", "probability", "roles", "stage", "route", "state"),
    "episode",
)


@dataclass(slots=True)
class ReportBuilder:
    """Collects decided buckets for one message of `video-stages`."""

    videos: list[str] = field(default_factory=list)
    profiles: list[str | None] = field(default_factory=list)
    transitions: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    summaries: list[tuple[int, str, EpochSummary]] = field(default_factory=list)
    _rows: list[Rows] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Tell whether anything but progress is to be said."""
        return bool(self.videos or self.summaries)

    def rows(self) -> Rows:
        """Return REPORT[n]."""
        return np.concatenate(self._rows) if self._rows else np.zeros(0, REPORT)

    def describe(self, bucket: int, slot: int, videos: VideoTable) -> None:
        """Note that a profile changed."""

    def add(self, videos: VideoTable, decided: Decided) -> None:
        """Add what was decided."""
        first = len(self.videos)
        decisions = decided.decisions
        report = np.zeros(len(decisions), REPORT)
        for name in _SAME:
            report[name] = decisions[name]
        report["views_per_hour"] = decisions["activity_per_hour"]
        self._rows.append(report)
        for slot in decisions["slot"].tolist():
            self.videos.append(videos.keys[slot] or "")
            profile = videos.profiles.get(slot)
            self.profiles.append(json.dumps(profile, ensure_ascii=False) if profile else None)
        self.transitions += [(first + t.row, _to_dict(t)) for t in decided.transitions]


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
