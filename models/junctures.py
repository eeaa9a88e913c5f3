"""What comes next: how long it takes, on a platform, from one stage to beyond it.

While a video is in a stage of an episode, a clock runs. It stops when the video goes beyond the
stage, by its next juncture or past it, or when the episode ends, after which the juncture cannot
come any more: two competing ends [2]. A life table per platform and stage counts, in bins of the
logarithm of the time spent, how many clocks entered each bin, and how many stopped there, and how:
counts that add up, so that clocks which still run count for as long as they have [1], and that fade
by when they were counted, so that a table says what goes on now. Clocks that still run within a bin
are at risk for half of it [3].

The clock of presentation, which everything begins in, begins when a video is emerging: before that
nobody is told of it, and what becomes of all the others says nothing about it.

References:
    [1] E. L. Kaplan, P. Meier, "Nonparametric estimation from incomplete observations", 1958.
    [2] O. O. Aalen, S. Johansen, "An empirical transition matrix for non-homogeneous Markov chains
        based on censored observations", 1978.
    [3] S. J. Cutler, F. Ederer, "Maximum utilization of the life table method", 1958.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.cohort_learning import HALF_LIFE_MS, MOST_PLATFORMS
from models.parameters import HOUR_MS, MINUTE_MS
from models.vocabulary import JUNCTURE_INTO, Stage

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

FIRST_MS: Final = MINUTE_MS
"""What takes less is in bin 0: transitions are found in visits of minutes (VISIT_MS)."""

BINS_PER_DECADE: Final = 6
BINS: Final = 32
"""Up to a hundred minutes, two hours, ..., 69 days: longer than videos are remembered
(HOTSPOTS_EXPIRE_AFTER_MS)."""

STAGES: Final = len(Stage) - 1
"""Stages that something comes after."""

LEAST_PASSED: Final = 13
"""Fewer that went beyond a stage say nothing of quartiles: from 13 on the lower one lies above the
least of them with 95 % confidence, both sides together (0.75^13 < 0.025; order statistics)."""

QUARTILES: Final = (0.25, 0.5, 0.75)

NO_CLOCK: Final = 0
"""Stands in `clock` where none runs; otherwise it is the stage + 1."""

NO_PLATFORM: Final = -1
"""Stands for a platform beyond MOST_PLATFORMS: nothing is learned of it."""

CLOCK: Final = (
    ("since_ms", np.int64),
    ("platform", np.int16),
    ("clock", np.uint8),
    ("counted", np.uint8),
)
"""What a tracked video has of a clock: when it began, the code of its platform, which stage it is
in (NO_CLOCK: none runs), and how many bins it has been counted into."""

_PASSED, _ENDED = range(2)


def bin_of(span_ms: Ints) -> Ints:
    """Return int64[n]: the bin of each time spent."""
    decades = np.log10(np.maximum(span_ms, 1) / FIRST_MS)
    bins = np.floor(decades * BINS_PER_DECADE) + 1
    return np.asarray(np.clip(bins, 0, BINS - 1), np.int64)


def place_of(span_ms: float) -> float:
    """Return where on the scale of bins a time spent lies: 3.5 is the middle of bin 3."""
    if span_ms <= FIRST_MS:
        return max(span_ms, 0.0) / FIRST_MS
    return float(min(np.log10(span_ms / FIRST_MS) * BINS_PER_DECADE + 1, BINS))


def span_of(place: Floats) -> Floats:
    """Return the times spent, in milliseconds, at places on the scale of bins."""
    later = FIRST_MS * 10 ** ((place - 1) / BINS_PER_DECADE)
    return np.where(place <= 1, place * FIRST_MS, later)


class JunctureMemory:
    """The life tables of all platforms.

    Attributes:
        platforms: Names by code.
        entered: float64[platforms, STAGES, BINS], clocks that entered each bin, faded.
        stopped: float64[2, platforms, STAGES, BINS], clocks that stopped in each bin by going
            beyond the stage, and by the end of the episode, faded.
        running: float64[platforms, STAGES, BINS], clocks in each bin at the end of the last epoch.
    """

    def __init__(self, epoch_ms: int) -> None:
        self.platforms: list[str] = []
        self.entered = np.zeros((0, STAGES, BINS))
        self.stopped = np.zeros((2, 0, STAGES, BINS))
        self.running = np.zeros((0, STAGES, BINS))
        self._fade = 0.5 ** (epoch_ms / HALF_LIFE_MS)

    def code(self, platform: str) -> int:
        """Return the code of a platform, giving it one where there is room, else NO_PLATFORM."""
        if platform in self.platforms:
            return self.platforms.index(platform)
        if len(self.platforms) >= MOST_PLATFORMS:
            return NO_PLATFORM
        self.platforms.append(platform)
        more = np.zeros((1, STAGES, BINS))
        self.entered = np.concatenate([self.entered, more])
        self.running = np.concatenate([self.running, more])
        self.stopped = np.concatenate([self.stopped, np.zeros((2, 1, STAGES, BINS))], axis=1)
        return len(self.platforms) - 1

    # -- clocks -------------------------------------------------------------------------------

    def enter(self, row: np.void, platform: str, stage: Stage, time_ms: int) -> None:
        """Let a video be in a stage: its clock goes on, or stops and begins anew.

        Args:
            row: A record with the fields of CLOCK, changed in place.
            platform: The video's.
            stage: Where it is now; what it has already gone beyond is passed over.
            time_ms: When it came there.
        """
        if row["clock"] != NO_CLOCK:
            if row["clock"] > stage:
                return
            self._stop(row, time_ms, _PASSED)
        row["platform"] = self.code(platform)
        if stage < STAGES and row["platform"] != NO_PLATFORM:
            row["clock"], row["since_ms"], row["counted"] = stage + 1, time_ms, 0

    def end(self, row: np.void, time_ms: int) -> None:
        """End the episode of a video; its record is changed in place."""
        if row["clock"] != NO_CLOCK:
            self._stop(row, time_ms, _ENDED)

    def _stop(self, row: np.void, time_ms: int, how: int) -> None:
        at = (int(row["platform"]), int(row["clock"]) - 1)
        # An event that came late may have been counted as further on.
        last = max(int(bin_of(np.array(time_ms - row["since_ms"]))), int(row["counted"]) - 1)
        self.entered[at][int(row["counted"]) : last + 1] += 1
        self.stopped[how][at][last] += 1
        row["clock"] = NO_CLOCK

    def pass_epoch(self, rows: Rows, now_ms: int) -> Ints:
        """Fade, and count the clocks that run at the end of an epoch.

        Args:
            rows: All records with the fields of CLOCK; `counted` is changed in place.
            now_ms: The end of the epoch.

        Returns:
            int64[m], the records that were changed.
        """
        self.entered *= self._fade
        self.stopped *= self._fade
        self.running[:] = 0
        slots = np.flatnonzero(rows["clock"] != NO_CLOCK)
        platform = rows["platform"][slots].astype(np.int64)
        stage = rows["clock"][slots].astype(np.int64) - 1
        counted = rows["counted"][slots].astype(np.int64)
        now = np.maximum(bin_of(now_ms - rows["since_ms"][slots]), counted - 1)
        np.add.at(self.running, (platform, stage, now), 1)
        change = np.zeros((*self.running.shape[:2], BINS + 1))
        np.add.at(change, (platform, stage, counted), 1)
        np.add.at(change, (platform, stage, now + 1), -1)
        self.entered += np.cumsum(change, axis=2)[..., :BINS]
        rows["counted"][slots] = now + 1
        return slots

    # -- what comes next ----------------------------------------------------------------------

    def next_of(self, row: np.void, now_ms: int, horizon_ms: int) -> dict[str, Any] | None:
        """Return what comes next for a video, JSON-ready; None where it is not known.

        Returns:
            `juncture`; `probability_within_horizon`, that it goes beyond its stage in time; and
            `hours`, quartiles of how long that takes from now, of those which do it in time.
        """
        if row["clock"] == NO_CLOCK:
            return None
        at = (int(row["platform"]), int(row["clock"]) - 1)
        if self.stopped[_PASSED][at].sum() < LEAST_PASSED:
            return None
        spent_ms = max(now_ms - int(row["since_ms"]), 0)
        edges, passed = self._ahead(at, place_of(spent_ms), place_of(spent_ms + horizon_ms))
        if passed[-1] <= 0:
            return None
        places = np.interp(np.array(QUARTILES) * passed[-1], passed, edges)
        hours = np.maximum(span_of(places) - spent_ms, 0.0) / HOUR_MS
        names = (f"p{share * 100:.0f}" for share in QUARTILES)
        return {
            "juncture": JUNCTURE_INTO[Stage(int(row["clock"]))].value,
            "probability_within_horizon": round(float(passed[-1]), 3),
            "hours": dict(zip(names, hours.round(2).tolist(), strict=True)),
        }

    def _ahead(self, at: tuple[int, int], first: float, last: float) -> tuple[Floats, Floats]:
        """Return how many of 1 go beyond a stage from one place on the scale to others [2].

        Returns:
            Places (rising, the first and the last as given), and the share that has gone beyond the
            stage by each.
        """
        at_risk = self.entered[at] - self.running[at] / 2
        passed, ended = (stopped[at] for stopped in self.stopped)
        at_risk = np.maximum(at_risk, passed + ended)
        safe = np.maximum(at_risk, 1e-300)
        edges = np.unique(np.concatenate([[first, last], np.arange(BINS + 1.0)]))
        edges = edges[(edges >= first) & (edges <= last)]
        bins = np.minimum(edges[:-1].astype(np.int64), BINS - 1)
        left = 1 - np.minimum((passed + ended) / safe, 1.0)[bins]
        # Within a bin hazards are even: what a part of it leaves is a power of what all of it does.
        stay = left ** np.diff(edges)
        before = np.concatenate([[1.0], np.cumprod(stay)[:-1]])
        share = np.where(passed + ended > 0, passed / np.maximum(passed + ended, 1e-300), 0.0)[bins]
        return edges, np.concatenate([[0.0], np.cumsum(before * (1 - stay) * share)])

    # -- the changelog ------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        tables = {"entered": self.entered, "stopped": self.stopped, "running": self.running}
        return {
            "platforms": self.platforms,
            **{name: table.tolist() for name, table in tables.items()},
        }

    def load_dict(self, stored: dict[str, Any]) -> None:
        """Take back what `to_dict` returned."""
        self.platforms = stored["platforms"]
        shape = (len(self.platforms), STAGES, BINS)
        self.entered = np.array(stored["entered"], np.float64).reshape(shape)
        self.stopped = np.array(stored["stopped"], np.float64).reshape((2, *shape))
        self.running = np.array(stored["running"], np.float64).reshape(shape)
