"""Which of those that emerge are told when only so many a day can be read: the best, as they come.

An alert is worth what it leaves time for: its score is the expected part of the level that is still
to come, probability x (1 - progress / level). An episode is looked at whenever its score is the
best that it had so far, so what is learned is how many first reach each score in each hour of the
day. At any moment the bar is the lowest score of which, as on the days before, no more are to come
today than may still be told: the budget-ratio policy [1], solved anew with every hour and every
alert told. With the distribution known, scores on finitely many steps and independent arrivals,
what it loses against somebody who sees the whole day in advance does not grow with the day [1]; a
bar that is fixed in advance loses like the square root of it. Here the distribution is learned and
changes, so this is the reason for the rule and no promise; docs/budget.md says what was measured.
What is promised: never more than the budget in a UTC day of event time, by the bucket in which an
alert is decided.

Only `hotspot.emerging` has a budget. Stages and confirmed hotspots are found, not forecast, and
their rate is bounded by the evidence they take.

References:
    [1] A. Arlotto, I. Gurvich, "Uniformly bounded regret in the multisecretary problem",
        Stochastic Systems 9 (3), 2019.
"""

from typing import Any, Final

import numpy as np

from models.compiled import compiled
from models.parameters import HOUR_MS

SCORES: Final = 100
"""Steps of the score: a hundredth of the level is finer than any forecast is exact."""

NEVER_BEGINS: Final = np.iinfo(np.int64).max
"""The bucket from which on the bar changes with the hour, where there is no budget."""

HALF_LIFE_DAYS: Final = 7
"""What is known of an hour of the day fades by half in a week, as cohorts do
(cohort_learning.HALF_LIFE_MS)."""

_HOURS: Final = 24
_FADE: Final = 0.5 ** (1 / HALF_LIFE_DAYS)

_BORROWED: Final = 1.0
"""The average hour counts for as much as one day of an hour by itself: what one day says of an hour
is a handful of arrivals."""


@compiled
def score_of(probability: float, progress: int, level: int) -> int:
    """Return the score of an alert, from 0 to SCORES - 1: hundredths of the level to be expected.

    Args:
        probability: That the level is reached; 1 once it is, which is worth nothing any more.
        progress: Events of the level's action in this episode.
        level: How many make a hotspot.
    """
    missing = min(max(level - progress, 0) / level, 1.0)
    return min(int(probability * missing * SCORES), SCORES - 1)


def score_of_burst(return_days: float, return_days_asked: float) -> int:
    """Return the score of a burst, from 0 to SCORES - 1: how much rarer it is than must be.

    It is the share of the bursts told by the setting that are more ordinary: with a return period
    twice the one asked for, half of them are.

    Args:
        return_days: How rarely the video's own past brings such an hour (models/bursts.py).
        return_days_asked: From which return period on a burst is told.

    >>> score_of_burst(7.0, 7.0), score_of_burst(14.0, 7.0), score_of_burst(1e9, 7.0)
    (0, 50, 99)
    """
    return min(int((1 - return_days_asked / return_days) * SCORES), SCORES - 1)


class AlertBudget:
    """How much of the budget is left, and the bar that follows from it.

    Args:
        per_day: Alerts told at most in a day; 0: no budget, everything is told.
        bucket_ms: Length of a bucket, by which time is told.

    Attributes:
        bar: The lowest score that is told now; SCORES: nothing is.
        begins: The bucket from which on the bar must be worked out anew, by `begin`.
        told: Alerts told in the day at hand.
    """

    def __init__(self, per_day: int, bucket_ms: int) -> None:
        self.per_day = per_day
        self.bar = 0
        self.begins = -1 if per_day else NEVER_BEGINS
        self.told = 0
        self._bucket_ms = bucket_ms
        self._hour: int | None = None
        self._hours_seen = 0
        self._reached = np.zeros((_HOURS, SCORES))
        self._days = np.zeros(_HOURS)
        self._this_hour = np.zeros(SCORES)

    def __bool__(self) -> bool:
        """Tell whether there is a budget."""
        return self.per_day > 0

    def begin(self, bucket: int) -> None:
        """Go on to a bucket that is in another hour than the one before."""
        hour = bucket * self._bucket_ms // HOUR_MS
        if self._hour is not None:
            if hour // _HOURS != self._hour // _HOURS:
                self.told = 0
            self._learn(self._hour, hour)
        self._hour = hour
        self.begins = -(-(hour + 1) * HOUR_MS // self._bucket_ms)
        self._solve(bucket)

    def reach(self, offered: int, score: int) -> int:
        """Note that an episode reaches a score; return what it has been offered for now.

        Args:
            offered: What this returned for the episode before, at first 0.
            score: Its score.
        """
        if not self:
            return offered
        self._this_hour[offered : score + 1] += 1
        return max(offered, score + 1)

    def spend(self, bucket: int) -> None:
        """Note that an alert is told in a bucket."""
        if self:
            self.told += 1
            self._solve(bucket)

    def figures(self, score: int) -> dict[str, Any]:
        """Return what an alert says of the budget it was told from, before `spend`."""
        return {
            "per_day": self.per_day,
            "told_today": self.told + 1,
            "score": score / SCORES,
            "bar": self.bar / SCORES,
        }

    # -- the rule -----------------------------------------------------------------------------

    def _solve(self, bucket: int) -> None:
        """Set the bar: the middle of a step's mass must fit into what is left [1, section 4]."""
        left = self.per_day - self.told
        if self._hours_seen < _HOURS:
            # Nothing is known of a day yet: the budget is handed out evenly to who comes first.
            due = -(-self.per_day * (self._hours_seen + 1) // _HOURS)
            self.bar = 0 if self.told < due else SCORES
            return
        if left <= 0:
            self.bar = SCORES
            return
        to_come = self._to_come(bucket)
        middle = (to_come + np.append(to_come[1:], 0.0)) / 2
        self.bar = int(np.argmax(middle <= left)) if (middle <= left).any() else SCORES - 1

    def _to_come(self, bucket: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return float[SCORES]: how many will first reach each score in what is left of the day."""
        average = self._reached.sum(axis=0) / self._days.sum()
        per_hour = (self._reached + _BORROWED * average) / (self._days[:, None] + _BORROWED)
        now_ms = bucket * self._bucket_ms
        hour = now_ms // HOUR_MS % _HOURS
        left_of_hour = 1 - now_ms % HOUR_MS / HOUR_MS
        to_come = per_hour[hour] * left_of_hour + per_hour[hour + 1 :].sum(axis=0)
        return np.asarray(to_come, np.float64)

    def _learn(self, hour: int, until: int) -> None:
        """Fold in the hour that is over, and those up to another one in which nothing came."""
        self._observe(hour, self._this_hour)
        self._this_hour = np.zeros(SCORES)
        silent_days, silent_hours = divmod(until - hour - 1, _HOURS)
        fade = _FADE**silent_days
        self._reached *= fade
        self._days = self._days * fade + (1 - fade) / (1 - _FADE)
        for silent in range(until - silent_hours, until):
            self._observe(silent, np.zeros(SCORES))
        self._hours_seen = min(self._hours_seen + until - hour, _HOURS)

    def _observe(self, hour: int, reached: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        at = hour % _HOURS
        self._reached[at] = self._reached[at] * _FADE + reached
        self._days[at] = self._days[at] * _FADE + 1

    # -- the changelog ------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        at = np.nonzero(self._reached)
        return {
            "hour": self._hour,
            "hours_seen": self._hours_seen,
            "told": self.told,
            "bar": self.bar,
            "begins": self.begins,
            "days": self._days.tolist(),
            "this_hour": self._this_hour.tolist(),
            "reached": [at[0].tolist(), at[1].tolist(), self._reached[at].tolist()],
        }

    def load_dict(self, stored: dict[str, Any]) -> None:
        """Take back what `to_dict` returned; nothing of it where there is no budget any more."""
        if not self or stored["hour"] is None:
            return
        self._hour = stored["hour"]
        self._hours_seen = stored["hours_seen"]
        self.told, self.bar, self.begins = stored["told"], stored["bar"], stored["begins"]
        self._days = np.array(stored["days"])
        self._this_hour = np.array(stored["this_hour"])
        hours, scores, values = stored["reached"]
        self._reached[hours, scores] = values
