"""Symbols that emerge in a hotspot: phrases that rise there, and not everywhere.

A phrase emerges where the share of people who use it is higher now than it was in the same work,
and than it is in all other works. Both are judged by the log-likelihood ratio [1], which, unlike
chi-squared, holds for rare phrases, too; what was forgotten for want of room is taken to have been
as frequent as it can have been, so that forgetting makes no symbol.

References:
    [1] T. Dunning, "Accurate methods for the statistics of surprise and coincidence",
        Computational Linguistics 19(1), 1993, section 4.
    [2] P. Rayson, D. Berridge, B. Francis, "Extending the Cochran rule for the comparison of word
        frequencies between corpora", JADT 2004: 15.13, the critical value for p < 0.0001, is
        recommended where expected frequencies are small.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from models.phrase_counts import PhraseCounts

SURPRISE: Final = 15.13
"""The log-likelihood ratio from which on a phrase has risen [2]."""

SYMBOLS_TOLD: Final = 8
"""How many symbols are told of a work, the most surprising first."""


PAST_ROOM: Final = 256
"""Phrases kept of the past of a work: sixteen visits of nothing but new ones."""

RECENT_ROOM: Final = 128
"""Phrases kept of the hour at hand."""


class WorkSymbols:
    """What people say in a work: in the hour at hand, and before.

    Attributes:
        hour: The hour at hand, in hours since the epoch; -1 before the first.
        recent: Phrases of that hour.
        past: Phrases of all hours before.
    """

    __slots__ = ("hour", "past", "recent")

    def __init__(self) -> None:
        self.hour = -1
        self.recent = PhraseCounts(RECENT_ROOM)
        self.past = PhraseCounts(PAST_ROOM)

    def add(self, hour: int, phrases: Mapping[str, int], people: int) -> None:
        """Take in the phrases that some of so many people used; hours never go back."""
        if hour > self.hour:
            self.past.merge(self.recent)
            self.recent = PhraseCounts(RECENT_ROOM)
            self.hour = hour
        self.recent.add(phrases, people)

    def emerging(self, everywhere: PhraseCounts) -> list[dict[str, Any]]:
        """Return the symbols that emerge in the hour at hand, the most surprising first.

        Args:
            everywhere: Phrases of all works, this one included.

        Returns:
            For each the `phrase`, the `share` of people who use it, `share_before` (an upper bound;
            absent where the work has no past), and `surprise`, the smaller of the two ratios.
        """
        found = []
        for phrase in self.recent:
            now = self.recent.at_least(phrase)
            known = now + self.past.at_least(phrase)
            elsewhere = max(everywhere.at_most(phrase) - known, 0)
            others = everywhere.people - self.recent.people - self.past.people
            ratio = surprise(now, self.recent.people, elsewhere, others)
            said: dict[str, Any] = {"phrase": phrase, "share": round(now / self.recent.people, 3)}
            if self.past.people:
                before = min(self.past.at_most(phrase), self.past.people)
                ratio = min(ratio, surprise(now, self.recent.people, before, self.past.people))
                said["share_before"] = round(before / self.past.people, 3)
            if ratio >= SURPRISE:
                found.append(said | {"surprise": round(ratio, 1)})
        found.sort(key=lambda one: (-one["surprise"], one["phrase"]))
        return found[:SYMBOLS_TOLD]

    def to_list(self) -> list[Any]:
        """Return what `of` takes, ready for JSON."""
        return [self.hour, self.recent.to_list(), self.past.to_list()]

    @classmethod
    def of(cls, stored: list[Any]) -> "WorkSymbols":
        """Return what `to_list` gave."""
        made = cls()
        made.hour = stored[0]
        made.recent = PhraseCounts.of(stored[1], RECENT_ROOM)
        made.past = PhraseCounts.of(stored[2], PAST_ROOM)
        return made


def surprise(now: int, people_now: int, before: int, people_before: int) -> float:
    """Return how surprising a rise is: Dunning's -2 log lambda of two binomials [1], 0 for a fall.

    Args:
        now: How many of `people_now` use a phrase.
        people_now: At least one.
        before: How many of `people_before` used it.
        people_before: 0 where there is nothing to compare with: then nothing surprises.

    >>> surprise(10, 32, 1, 300) > 15.13 > surprise(3, 32, 20, 300)
    True
    """
    if people_before <= 0 or now * people_before <= before * people_now:
        return 0.0
    common = (now + before) / (people_now + people_before)
    return 2.0 * (
        _log_likelihood(now, people_now, now / people_now)
        + _log_likelihood(before, people_before, before / people_before)
        - _log_likelihood(now, people_now, common)
        - _log_likelihood(before, people_before, common)
    )


def _log_likelihood(count: int, of: int, share: float) -> float:
    """Return the logarithm of share^count (1 - share)^(of - count)."""
    some = count * math.log(share) if count else 0.0
    rest = (of - count) * math.log1p(-share) if count < of else 0.0
    return some + rest
