"""What comes of one attempt to hand something to a receiver, and when the next one is due.

References:
    [1] Standard Webhooks 1.0, "Delivery attempts": the schedule of retries with jitter, what a
        status means (2xx delivered, 3xx failed, 410 ends, 429, 502 and 504 ask for less),
        `Retry-After`, timeouts of 15 to 30 s.
    [2] RFC 9110, section 10.2.3: `Retry-After` in seconds or as a date.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

RETRIES_MS: Final = (
    5 * SECOND_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    14 * HOUR_MS,
    20 * HOUR_MS,
    24 * HOUR_MS,
)
"""Waits after the first failure, the second, and so on; after the last one an alert cannot be
delivered. The specification's own example [1]: three days and a bit."""
JITTER: Final = 0.1
"""Up to a tenth is added to each wait, so that what failed together does not come together [1]
("some level of random jitter"; how much is not said)."""
TIMEOUT_S: Final = 15.0
"""For a whole attempt [1]; issue 7 sets 15."""
RETRY_AFTER_MS_MAX: Final = DAY_MS
"""No receiver silences a route for longer than the longest wait of the schedule."""
GONE: Final = 410
THROTTLING: Final = frozenset({429, 502, 503, 504})
"""Statuses after which the whole route waits, and not just the one alert [1]."""


class Outcome(StrEnum):
    """What came of an attempt, as a label of metrics."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt.

    Attributes:
        outcome: What came of it.
        why: In words, without anything secret; empty when it was delivered.
        pause_ms: How long the receiver wants no request at all, 0 when it does not say.
        throttled: Whether the whole route waits for this alert's next attempt.
    """

    outcome: Outcome
    why: str = ""
    pause_ms: int = 0
    throttled: bool = False


def answered(status: int, retry_after: str | None, now_ms: int) -> Attempt:
    """Return what an answer means; `retry_after` is its header, `now_ms` the wall clock.

    >>> answered(204, None, 0).outcome, answered(302, None, 0).outcome, answered(410, None, 0)
    (<Outcome.DELIVERED: 'delivered'>, <Outcome.FAILED: 'failed'>, \
Attempt(outcome=<Outcome.GONE: 'gone'>, why='it answers 410 (gone)', pause_ms=0, throttled=False))
    >>> answered(429, "120", 0).pause_ms
    120000
    """
    if 200 <= status < 300:
        return Attempt(Outcome.DELIVERED)
    if status == GONE:
        return Attempt(Outcome.GONE, "it answers 410 (gone)")
    pause_ms = retry_after_ms(retry_after, now_ms)
    what = " (redirects are not followed)" if 300 <= status < 400 else ""
    throttled = pause_ms > 0 or status in THROTTLING
    return Attempt(Outcome.FAILED, f"it answers {status}{what}", pause_ms, throttled)


def retry_after_ms(text: str | None, now_ms: int) -> int:
    """Return how long to wait by a `Retry-After` [2], at most a day; 0 when it says nothing.

    >>> retry_after_ms("Thu, 01 Jan 1970 00:01:00 GMT", 10_000), retry_after_ms("soon", 0)
    (50000, 0)
    """
    said = (text or "").strip()
    if said.isascii() and said.isdigit():
        return min(int(said) * SECOND_MS, RETRY_AFTER_MS_MAX)
    try:
        date = parsedate_to_datetime(said)
    except ValueError:
        return 0
    date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    until_ms = int((date - datetime.fromtimestamp(0, UTC)).total_seconds() * SECOND_MS)
    return min(max(0, until_ms - now_ms), RETRY_AFTER_MS_MAX)


def wait_ms(
    failures: int, attempt: Attempt, chance: float, schedule: Sequence[int] = RETRIES_MS
) -> int | None:
    """Return how long to wait after so many failures, None when that was the last attempt.

    Args:
        failures: From 1.
        attempt: The one that failed last.
        chance: From 0 to below 1, for the jitter.
        schedule: Waits in milliseconds.

    >>> wait_ms(1, Attempt(Outcome.FAILED), 0.0), wait_ms(10, Attempt(Outcome.FAILED), 0.0)
    (5000, None)
    >>> wait_ms(1, Attempt(Outcome.FAILED, pause_ms=60_000), 0.0)
    60000
    """
    if failures > len(schedule):
        return None
    return max(int(schedule[failures - 1] * (1 + JITTER * chance)), attempt.pause_ms)
