"""Lets the client libraries say the same thing once in a while, and not thousands of times.

While a broker is away, aiokafka reports every attempt of every connection: 11,700 lines in the 7 s
of a broker's restart (measured), in which our own lines drown.
"""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

INTERVAL_S: Final = 10.0
"""How often the same line of code may speak: three times before a worker without Kafka ends
(KAFKA_LOST_AFTER_S, streams/learned.py)."""


class _Place(NamedTuple):
    """The line of code that speaks; what it says differs in connection ids and the like."""

    path: str
    line: int


class RepeatedLines(logging.Filter):
    """Passes on one record for each line of code and interval, and then says how many it kept."""

    def __init__(
        self,
        loggers: Iterable[str],
        *,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch these loggers and those below them; `clock` returns seconds."""
        super().__init__()
        self._loggers = tuple(loggers)
        self._interval_s = interval_s
        self._clock = clock
        self._passed_s: dict[_Place, float] = {}
        self._kept: dict[_Place, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be written; adds to it how many like it were not."""
        if record.name.partition(".")[0] not in self._loggers:
            return True
        place = _Place(record.pathname, record.lineno)
        now = self._clock()
        if now - self._passed_s.get(place, float("-inf")) < self._interval_s:
            self._kept[place] = self._kept.get(place, 0) + 1
            return False
        self._passed_s[place] = now
        kept = self._kept.pop(place, 0)
        if kept:
            record.msg = f"{record.getMessage()} (and {kept} times more since)"
            record.args = None
        return True
