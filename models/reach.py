"""How far it will go: an interval for the progress of an episode at the horizon.

It is learned from the monitor's own alerts. Each is a moment of which the outcome is known a
horizon later, whatever it was: by then, how many times as far has the video come? Such ratios are
kept in logarithmic bins, by how much of the level had been reached and how fast it grew at the
moment, and fade. The interval of a new alert lies between their outer quantiles, one rank further
out: split conformal prediction [1]. As long as moments are alike, it holds the outcome with the
promised probability or more; with weights that fade, where they are not quite alike, up to how much
they have changed [2]. Whether it does is counted on everything that matures.

References:
    [1] V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", 2005.
    [2] R. F. Barber, E. J. Candes, A. Ramdas, R. J. Tibshirani, "Conformal prediction beyond
        exchangeability", Annals of Statistics 2023.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.cohort_learning import HALF_LIFE_MS
from models.parameters import DAY_MS, HOUR_MS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

COVERAGE: Final = 0.8
"""The promise: one outcome of five lies outside."""

_TAIL: Final = (1 - COVERAGE) / 2

LEAST: Final = 9
"""The fewest outcomes of which a tenth can be cut off on either side, one rank further out [1]:
(9 + 1) x 0.1 = 1."""

SHARE_BANDS: Final = (0.1, 0.3, 1.0, 3.0)
"""Half decades of how much of the level has been reached."""
PACE_BANDS: Final = (0.1, 0.3, 1.0, 3.0)
"""Half decades of what a day of activity as it is now would add to what there is, as a ratio."""

BINS_PER_DECADE: Final = 40
BINS: Final = 1 + 4 * BINS_PER_DECADE
"""Ratios of 1 (bin 0) and up to ten thousand times; a bin is 6 % wide: at 12 % the outer edges made
the interval hold 0.855 of the outcomes on the popular list instead of 0.812, for a promise of 0.8
(docs/budget.md)."""

MOST_WAITING: Final = 10_000
"""Moments that wait for their outcome at once; a named limit: 1,400 alerts a day at a horizon of a
week, more than anybody reads. Beyond it moments are passed over until others have matured."""

_ROUNDING: Final = 1e-9
"""More than sums of thousands of numbers near 1 are rounded by."""

GONE: Final = -1
"""Stands for the slot of a video that has been forgotten."""

MOMENT: Final = np.dtype(
    [
        ("time_ms", np.int64),
        ("slot", np.int64),
        ("progress", np.int64),
        ("total", np.int64),
        ("low", np.float64),
        ("high", np.float64),
        ("share", np.int8),
        ("pace", np.int8),
    ]
)
"""A moment that waits for its outcome.

time_ms: When it was. slot: The tracked video's, or GONE. progress: Of the episode, at the moment.
total: Of the video's life, at the moment; once it is GONE, what came after it. low, high: The
interval that was told, 0 where none was. share, pace: Its bands."""


class ReachMemory:
    """Outcomes of alerts, and alerts that wait for theirs.

    Attributes:
        outcomes: float64[share bands, pace bands, BINS], ratios, faded.
        waiting: MOMENT[n].
        judged, covered: How many intervals have matured, and how many held the outcome.
    """

    def __init__(self, level: int, horizon_ms: int, epoch_ms: int) -> None:
        self._level = level
        self._horizon_ms = horizon_ms
        self._fade = 0.5 ** (epoch_ms / HALF_LIFE_MS)
        self.outcomes = np.zeros((len(SHARE_BANDS) + 1, len(PACE_BANDS) + 1, BINS))
        self.waiting = np.zeros(0, MOMENT)
        self.judged = self.covered = 0

    # -- moments ------------------------------------------------------------------------------

    def interval(self, progress: int, per_hour: float) -> tuple[float, float, float] | None:
        """Return low, median and high of the progress at the horizon; None when not known.

        Args:
            progress: Of the episode, so far.
            per_hour: Activity per hour now.
        """
        share, pace = self._bands(progress, per_hour)
        candidates = (
            self.outcomes[share, pace],
            self.outcomes[share].sum(axis=0),
            self.outcomes.sum(axis=(0, 1)),
        )
        # The closest that is enough: alerts much alike, else those as far on their way, else all.
        for outcomes in candidates:
            if outcomes.sum() >= LEAST:
                low, median, high = (at * max(progress, 1) for at in _quantiles(outcomes))
                return low, median, high
        return None

    def note(self, slot: int, time_ms: int, progress: int, total: int, per_hour: float) -> None:
        """Let an alert wait for its outcome.

        Args:
            slot: The tracked video's.
            time_ms: When the alert was.
            progress: Of the episode, by then.
            total: Of the video's life, by then.
            per_hour: Activity per hour, then.
        """
        if len(self.waiting) >= MOST_WAITING:
            return
        low, _, high = self.interval(progress, per_hour) or (0.0, 0.0, 0.0)
        share, pace = self._bands(progress, per_hour)
        moment = np.array([(time_ms, slot, progress, total, low, high, share, pace)], MOMENT)
        self.waiting = np.concatenate([self.waiting, moment])

    def forget(self, slots: Ints, totals: Ints) -> None:
        """Note videos that are forgotten: nothing is to be added to them any more.

        Args:
            slots: int64[n], theirs.
            totals: int64[n], progress of their lives.
        """
        total_of = dict(zip(slots.tolist(), totals.tolist(), strict=True))
        for at in np.flatnonzero(np.isin(self.waiting["slot"], slots)).tolist():
            gained = total_of[int(self.waiting["slot"][at])] - int(self.waiting["total"][at])
            self.waiting["total"][at] = gained
            self.waiting["slot"][at] = GONE

    def pass_epoch(self, totals: Ints, now_ms: int) -> None:
        """Fade, and take in the outcomes of the moments whose horizon is over.

        Args:
            totals: int64[slots], progress of the lives of all tracked videos.
            now_ms: The end of the epoch.
        """
        self.outcomes *= self._fade
        over = self.waiting["time_ms"] + self._horizon_ms <= now_ms
        if not over.any():
            return
        mature, self.waiting = self.waiting[over], self.waiting[~over]
        gained = mature["total"].copy()
        here = mature["slot"] != GONE
        gained[here] = totals[mature["slot"][here]] - gained[here]
        before = np.maximum(mature["progress"], 1)
        final = before + np.maximum(gained, 0)
        at = (mature["share"], mature["pace"], _bin_of(final / before))
        np.add.at(self.outcomes, at, 1)
        told = mature["high"] > 0
        held = told & (mature["low"] <= final) & (final <= mature["high"])
        self.judged += int(told.sum())
        self.covered += int(held.sum())

    def _bands(self, progress: int, per_hour: float) -> tuple[int, int]:
        share = np.searchsorted(SHARE_BANDS, progress / self._level, side="right")
        of_day = per_hour * (DAY_MS / HOUR_MS) / max(progress, 1)
        return int(share), int(np.searchsorted(PACE_BANDS, of_day, side="right"))

    # -- the changelog ------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form of all but `waiting`, which is an array by itself."""
        at = np.nonzero(self.outcomes)
        return {
            "judged": self.judged,
            "covered": self.covered,
            "outcomes": [*(index.tolist() for index in at), self.outcomes[at].tolist()],
        }

    def load_dict(self, stored: dict[str, Any]) -> None:
        """Take back what `to_dict` returned; `waiting` is taken back by itself."""
        self.judged, self.covered = stored["judged"], stored["covered"]
        share, pace, ratio, values = stored["outcomes"]
        self.outcomes[share, pace, ratio] = values


def _bin_of(ratio: Floats) -> Ints:
    """Return the bin of each ratio: it ends at its upper edge."""
    bins = np.ceil(np.log10(np.maximum(ratio, 1.0)) * BINS_PER_DECADE - 1e-9)
    return np.minimum(bins, BINS - 1).astype(np.int64)


def _quantiles(outcomes: Floats) -> tuple[float, float, float]:
    """Return low, median and high ratio of a histogram, each at the outer edge of its bin."""
    reached = np.cumsum(outcomes)
    total = float(reached[-1])
    # The outcome to come counts for one on either side: what lies outside may weigh so much less.
    outside = _TAIL * (total + 1) - 1 + _ROUNDING
    some = outcomes > 0
    low = int(np.flatnonzero(some & (reached - outcomes <= outside))[-1])
    high = int(np.flatnonzero(some & (total - reached <= outside))[0])
    median = int(np.argmax(reached >= total / 2))
    edges = 10 ** (np.array([max(low - 1, 0), median, high]) / BINS_PER_DECADE)
    return float(edges[0]), float(edges[1]), float(edges[2])
