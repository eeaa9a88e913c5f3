"""The numbers a platform may set, with their defaults; each is a `HOTSPOTS_*` setting."""

from dataclasses import dataclass
from typing import Final

from models.screening import SHIPPED_RULES, ScreeningRules
from models.vocabulary import ACTION_CODE, Action

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

_WITHOUT_LEVEL: Final = (Action.RETRACT, Action.DELETE, Action.RESTORE)
"""Actions that no number of makes a hotspot."""


@dataclass(frozen=True, slots=True)
class Level:
    """What counts as a hotspot in numbers: so many events of one action, `view:10000`."""

    action: str
    count: int

    @classmethod
    def parse(cls, text: str) -> "Level":
        """Read `ACTION:N`.

        >>> Level.parse("view:10000")
        Level(action='view', count=10000)

        Raises:
            ValueError: The text is not `ACTION:N` with a known action and a positive number.
        """
        action, _, number = text.partition(":")
        if action not in ACTION_CODE or action in _WITHOUT_LEVEL:
            raise ValueError(f"unknown action {action!r} in level {text!r}")
        if not number.isdecimal() or int(number) < 1:
            raise ValueError(f"level {text!r} needs a positive whole number after the colon")
        return cls(action, int(number))

    def __str__(self) -> str:
        return f"{self.action}:{self.count}"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the pure steps need to know; every field is a setting (docs/settings.md)."""

    partitions: int = 4
    bucket_ms: int = 5 * SECOND_MS
    epoch_ms: int = 6 * HOUR_MS
    allowed_lateness_ms: int = 5 * SECOND_MS
    alarm_rate_per_video_day: float = 0.001
    false_discovery_rate: float = 0.1
    level: Level = Level("view", 10_000)
    horizon_ms: int = 7 * DAY_MS
    emerging_probability: float = 0.6
    alerts_per_day: int = 0
    burst_return_ms: int = 7 * DAY_MS
    expire_after_ms: int = 30 * DAY_MS
    repeat_window_ms: int = HOUR_MS
    board_size: int = 50
    effect_window_ms: int = 6 * HOUR_MS
    learn_forecast: bool = True
    screening_rules: ScreeningRules = SHIPPED_RULES

    def __post_init__(self) -> None:
        """Check what no single field can know.

        Raises:
            ValueError: Epochs are not whole buckets, or a number is out of its range.
        """
        if self.bucket_ms < 1 or self.epoch_ms % self.bucket_ms:
            raise ValueError("epoch_ms must be a whole multiple of bucket_ms")
        if DAY_MS % self.epoch_ms and self.epoch_ms % DAY_MS:
            raise ValueError("epoch_ms must divide a day or be whole days")
        if not 0 < self.alarm_rate_per_video_day < 1:
            raise ValueError("alarm_rate_per_video_day must lie between 0 and 1")
        if not 0 < self.false_discovery_rate < 1:
            raise ValueError("false_discovery_rate must lie between 0 and 1")
        if not 0 < self.emerging_probability < 1:
            raise ValueError("emerging_probability must lie between 0 and 1")
        if self.alerts_per_day < 0:
            raise ValueError("alerts_per_day must not be negative")
        if self.effect_window_ms < 1:
            raise ValueError("effect_window_ms must be positive")
        if self.burst_return_ms < DAY_MS:
            raise ValueError("burst_return_ms must be a day or more")
