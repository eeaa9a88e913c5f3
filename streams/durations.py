"""Durations as people write them: `7d`, `90s`, `500ms`."""

import re
from typing import Final

from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

UNIT_MS: Final = {"ms": 1, "s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_DURATION: Final = re.compile(r"([0-9]+)(ms|s|m|h|d)", re.ASCII)


def parse_duration_ms(text: str) -> int:
    """Return the milliseconds of a whole number with a unit (ms, s, m, h or d).

    >>> parse_duration_ms("7d")
    604800000

    Raises:
        ValueError: The text is anything else, or the duration is zero.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text!r} is not a duration such as 7d, 36h, 90m, 30s or 500ms")
    return int(match[1]) * UNIT_MS[match[2]]


def format_duration(milliseconds: int) -> str:
    """Return `milliseconds` (at least 1) in the largest unit that divides it.

    >>> format_duration(604_800_000)
    '7d'
    """
    for unit in ("d", "h", "m", "s"):
        if milliseconds % UNIT_MS[unit] == 0:
            return f"{milliseconds // UNIT_MS[unit]}{unit}"
    return f"{milliseconds}ms"
