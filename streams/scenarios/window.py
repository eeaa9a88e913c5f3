"""When a detection counts for what was planted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from models.parameters import HOUR_MS

EARLY_MS: Final = HOUR_MS
"""A detection may come so long before the planted time: the climb has begun by then, and planted
time is only its middle."""

WINDOW_MS: Final = 24 * HOUR_MS
"""A detection later than this comes too late to guide anything: counted as missed."""


def time_ms_of(alert: Mapping[str, Any]) -> int:
    """Return the event time of a CloudEvent, in ms since the epoch."""
    return round(datetime.fromisoformat(alert["time"]).timestamp() * 1000)


def in_window(time_ms: int, planted_ms: int) -> bool:
    """Tell whether a detection counts for what was planted at a time.

    >>> in_window(0, EARLY_MS), in_window(WINDOW_MS + 1, 0)
    (True, False)
    """
    return planted_ms - EARLY_MS <= time_ms <= planted_ms + WINDOW_MS
