"""How those who comment feel, from samples: a mean with its standard error, and who is against.

Each sampled comment stands for as many as its weight says, so sums over samples of any sizes are
unbiased sums over all comments (Horvitz & Thompson 1952), and they add up over visits, videos and
works. The error of the mean follows from the weights' effective number of comments (Kish [1]).

References:
    [1] L. Kish, "Survey Sampling", 1965, section 11.7: (sum of weights)^2 / sum of squared weights.
    [2] A. Maurer, M. Pontil, "Empirical Bernstein Bounds and Sample Variance Penalization", COLT
        2009, theorem 4: holds for any feelings, and however alike the comments are.
"""

import math
from dataclasses import astuple, dataclass
from typing import Any, Final

NEGATIVE: Final = -0.05
"""Polarity from which on a text is negative: VADER's own bound for its compound score."""

POSITIVE: Final = 0.05
"""Likewise, positive."""

_CONFIDENCE: Final = 0.95
_WIDEST: Final = 2.0
"""How far two polarities can lie apart."""


@dataclass(slots=True)
class Feelings:
    """Weighted sums over comments.

    Attributes:
        comments: Sum of the weights: how many comments the sums stand for.
        squared_weights: Sum of their squares.
        polarity: Weighted sum of the polarities.
        squares: Weighted sum of their squares.
        negative: Weight of the negative ones.
    """

    comments: float = 0.0
    squared_weights: float = 0.0
    polarity: float = 0.0
    squares: float = 0.0
    negative: float = 0.0

    def add(self, polarity: float, weight: float) -> None:
        """Take in one comment that stands for `weight`."""
        self.comments += weight
        self.squared_weights += weight * weight
        self.polarity += weight * polarity
        self.squares += weight * polarity * polarity
        self.negative += weight * (polarity <= NEGATIVE)

    def merge(self, other: "Feelings") -> None:
        """Take in other comments."""
        self.comments += other.comments
        self.squared_weights += other.squared_weights
        self.polarity += other.polarity
        self.squares += other.squares
        self.negative += other.negative

    def to_list(self) -> list[float]:
        """Return the sums in order, ready for JSON."""
        return list(astuple(self))

    def polarity_bounds(self) -> tuple[float, float]:
        """Return between what the mean polarity lies, each end with 95 % confidence [2].

        >>> alike = Feelings()
        >>> alike.add(0.9, 1.0)
        >>> alike.add(0.9, 1.0)
        >>> alike.polarity_bounds()
        (-1.0, 1.0)
        """
        if self.comments <= 0.0:
            return -1.0, 1.0
        effective = self.comments * self.comments / self.squared_weights
        if effective <= 1.0:
            return -1.0, 1.0
        mean = self.polarity / self.comments
        variance = max(self.squares / self.comments - mean * mean, 0.0)
        spread = variance * effective / (effective - 1.0)
        doubt = math.log(2.0 / (1.0 - _CONFIDENCE))
        off = math.sqrt(2.0 * spread * doubt / effective)
        off += 7.0 * _WIDEST * doubt / (3.0 * (effective - 1.0))
        return max(mean - off, -1.0), min(mean + off, 1.0)

    def figures(self) -> dict[str, Any]:
        """Return what alerts say: the mean, its standard error, the share against; or nothing.

        The error is that of the mean feeling of those who comment, of whom these comments are
        themselves a sample.
        """
        if self.comments <= 0.0:
            return {}
        mean = self.polarity / self.comments
        variance = max(self.squares / self.comments - mean * mean, 0.0)
        effective = self.comments * self.comments / self.squared_weights
        # Of one comment nothing is known of how they differ: they differ by 1 at the most.
        spread = variance * effective / (effective - 1.0) if effective > 1.0 else 1.0
        return {
            "polarity": round(mean, 3),
            "standard_error": round(min(math.sqrt(spread / effective), 1.0), 3),
            "share_negative": round(self.negative / self.comments, 3),
            "comments": round(self.comments),
            "judged": round(effective, 1),
        }
