"""The latest that emerged and were not told, with the reason: the budget, or a suspicion."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

MOST_WITHHELD: Final = 500
"""Kept at most: some screens full, as many as alerts in the board store."""


class WithheldReason(StrEnum):
    """Why an alert was not told: the closed set."""

    BELOW_BAR = "score_below_bar"
    BUDGET_SPENT = "budget_spent"
    SUSPECTED = "coordinated_push_suspected"


@dataclass(slots=True)
class Withheld:
    """What was withheld, by subject, the latest last; each as of the best score it had.

    Attributes:
        most: How many are kept.
        counts: How many were withheld since `take_counts`, by reason; what is kept already is not
            counted again.
    """

    most: int = MOST_WITHHELD
    counts: Counter[WithheldReason] = field(default_factory=Counter)
    _by_subject: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._by_subject)

    def put(
        self, subject: str, said: Mapping[str, Any], explanation: Mapping[str, Any] | None = None
    ) -> None:
        """Note what is not told.

        Args:
            subject: `platform/video_id` or `topic:NAME`.
            said: What would have been said, JSON-ready.
            explanation: What spoke for the forecast, JSON-ready; None or empty: as before.
        """
        why = dict(explanation or self.explanation(subject))
        if self._by_subject.pop(subject, None) is None:
            self.counts[WithheldReason(said["reason"])] += 1
        self._by_subject[subject] = {"subject": subject, **said, "explanation": why}
        while len(self._by_subject) > self.most:
            del self._by_subject[next(iter(self._by_subject))]

    def explanation(self, subject: str) -> dict[str, Any]:
        """Return what spoke for the forecast when it came to suffice; empty when not known."""
        return dict(self._by_subject.get(subject, {}).get("explanation", {}))

    def told(self, subject: str) -> None:
        """Forget a subject: it is told now."""
        self._by_subject.pop(subject, None)

    def take_counts(self) -> Counter[WithheldReason]:
        """Return `counts`, and begin anew."""
        counts, self.counts = self.counts, Counter()
        return counts

    def latest(self, count: int) -> list[dict[str, Any]]:
        """Return up to so many, the latest first."""
        return list(reversed(self._by_subject.values()))[:count]

    def to_list(self) -> list[dict[str, Any]]:
        """Return a JSON-ready form."""
        return list(self._by_subject.values())

    def load_list(self, stored: list[dict[str, Any]]) -> None:
        """Take back what `to_list` returned."""
        self._by_subject = {one["subject"]: one for one in stored}
