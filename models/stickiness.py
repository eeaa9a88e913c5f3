"""Stickiness: whether people come back, of those who were there in the last four weeks.

Of the people of a sample (models/people_sample.py) whose last day lies in the window, the share who
were there on two days or more; and daily over monthly active people [1]: over the days of the
window, how many of its people were there on a day, on average. Whoever watches, judges, speaks or
creates is there.

References:
    [1] Google Analytics Help, "Engagement overview report", user stickiness: DAU / MAU. Seed 003,
        section 3.3: the growth of daily active users, and "strive to maintain high user
        stickiness".
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.homogenisation import wilson_interval
from models.parameters import MINUTE_MS
from models.people_sample import People, distinct_people

WINDOW_DAYS: Final = 28
"""A month of whole weeks; the days of a person are known by day % 32 (people_sample.PERSON), so a
month more than 32 days long could not be told."""

LEAST_SAMPLED: Final = 20
"""With fewer people in the sample nothing is told: half of a share's interval is up to 0.2 wide."""

_DAY_BITS: Final = 32
_MINUTES_PER_DAY: Final = 24 * 60 * 60_000 // MINUTE_MS


@dataclass(frozen=True, slots=True)
class Stickiness:
    """How people come back.

    Attributes:
        people: How many there are, estimated; relative_error: the standard error of that.
        sampled: How many of them in the window the shares are about.
        returning: How many of these were there on two days or more.
        days: How many days are known: of the window, those since the first of the people came.
        daily_over_monthly: Of these people, the mean share of those days on which they were there.
    """

    people: float
    relative_error: float
    sampled: int
    returning: int
    days: int
    daily_over_monthly: float

    def figures(self) -> dict[str, Any]:
        """Return it for a view, JSON-ready."""
        low, high = wilson_interval(self.returning, self.sampled)
        return {
            "people": round(self.people),
            "people_relative_error": round(self.relative_error, 3),
            "sampled": self.sampled,
            "returning_share": round(self.returning / self.sampled, 3),
            "returning_share_interval": [round(low, 3), round(high, 3)],
            "daily_over_monthly": round(self.daily_over_monthly, 3),
            "days": self.days,
        }


def stickiness_of(people: People, today: int) -> Stickiness | None:
    """Return how the people of a sample come back; None with fewer than LEAST_SAMPLED of late.

    Days more than 31 apart may fall together, so that who came in an earlier month may count a day
    too many, never one too few.

    Args:
        people: PERSON[SAMPLED].
        today: The last day of the window, in days since the epoch (UTC).
    """
    oldest = today - WINDOW_DAYS + 1
    there = people[(people["key"] > 0) & (people["last_day"] >= oldest)]
    if len(there) < LEAST_SAMPLED:
        return None
    bits = sum(1 << day % _DAY_BITS for day in range(oldest, today + 1))
    days = np.bitwise_count(there["days"] & np.uint32(bits)).astype(np.int64)
    first = max(int(there["first_minute"].min()) // _MINUTES_PER_DAY, oldest)
    known = max(today - first + 1, 1)
    estimate, error = distinct_people(people)
    return Stickiness(
        people=estimate,
        relative_error=error,
        sampled=len(there),
        returning=int((days >= 2).sum()),
        days=known,
        daily_over_monthly=int(days.sum()) / (len(there) * known),
    )
