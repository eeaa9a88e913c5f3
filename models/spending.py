"""Spending the budget of alerts: what a score affords, what is told from it, what is withheld."""

from collections.abc import Mapping
from typing import Any

from models.alert_budget import SCORES, AlertBudget
from models.withheld import Withheld, WithheldReason


class Spending:
    """The budget of alerts, and what it withheld.

    Args:
        budget: Which scores are told.
        withheld: What was not told.
    """

    def __init__(self, budget: AlertBudget, withheld: Withheld) -> None:
        self._budget = budget
        self._withheld = withheld

    def affords(self, score: int) -> bool:
        """Tell whether an alert of this score is told now."""
        return score >= self._budget.bar

    def figures(self, score: int) -> dict[str, Any]:
        """Return what an alert says of the budget, before `spend`: nothing where there is none."""
        return {"budget": self._budget.figures(score)} if self._budget else {}

    def spend(self, subject: str, bucket: int) -> None:
        """Note that a subject is told in a bucket."""
        self._budget.spend(bucket)
        self._withheld.told(subject)

    def withhold(
        self,
        subject: str,
        title: str,
        time_ms: int,
        probability: float,
        score: int,
        explanation: Mapping[str, Any] | None = None,
    ) -> None:
        """Note that a subject is not told.

        Args:
            subject: `platform/video_id` or `topic:NAME`.
            title: For people.
            time_ms: Event time.
            probability: That the level is reached.
            score: What the budget went by.
            explanation: What spoke for the forecast, JSON-ready; None or empty: as before.
        """
        spent = self._budget.bar == SCORES
        said = self._said(title, time_ms, probability, score) | {
            "bar": None if spent else self._budget.bar / SCORES,
            "reason": WithheldReason.BUDGET_SPENT if spent else WithheldReason.BELOW_BAR,
        }
        self._withheld.put(subject, said, explanation)

    def discount(
        self, subject: str, title: str, time_ms: int, probability: float, score: int
    ) -> None:
        """Note that a video is not told since too much of it is suspected to be pushed.

        Args:
            subject: `platform/video_id`.
            title: For people.
            time_ms: Event time.
            probability: That the level is reached, as far as the video's acts count.
            score: That of this probability.
        """
        said = self._said(title, time_ms, probability, score)
        self._withheld.put(subject, said | {"bar": None, "reason": WithheldReason.SUSPECTED})

    @staticmethod
    def _said(title: str, time_ms: int, probability: float, score: int) -> dict[str, Any]:
        return {
            "title": title,
            "time_ms": time_ms,
            "probability": round(probability, 4),
            "score": score / SCORES,
        }

    # -- the changelog ------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {"budget": self._budget.to_dict(), "withheld": self._withheld.to_list()}

    def load_dict(self, stored: dict[str, Any]) -> None:
        """Take back what `to_dict` returned."""
        self._budget.load_dict(stored["budget"])
        self._withheld.load_list(stored["withheld"])
