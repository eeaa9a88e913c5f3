"""The lineage of secondary creation: how deep it goes, how fast, and whether by itself.

A derivative of an original is of the first generation, one of that of the second, and so on. Every
derivative begets others at random; how many on average is the branching ratio. From a lineage that
is seen whole it is estimated by children over parents [1], and the children of many parents are
close to a Poisson number, whose interval is exact [2]. The first generation is no child here: what
people make of the original says how far that reached, not whether making goes on by itself. Below 1
it dies out without the original, above 1 it sustains itself. Those made last have had no time for
children, so the figure is low rather than high while much is being made.

References:
    [1] T. Harris, "Branching processes", Annals of Mathematical Statistics 19, 1948.
    [2] F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936.
    [3] seed 000, section 3.2: secondary creation and dissemination carry a hotspot on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import chi2

from models.parameters import DAY_MS
from models.tracked_videos import DEEPEST_DERIVATION, TrackedVideo, TrackedVideos

_CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Lineage:
    """What was made of a work.

    Attributes:
        generations: How many derivatives there are of the first, second, ... generation.
        last_day, day_before: How many were published in the 24 hours before the moment, and in
            those before.
    """

    generations: tuple[int, ...]
    last_day: int
    day_before: int

    @property
    def branching_ratio(self) -> tuple[float, float, float] | None:
        """Derivatives made of each derivative, with an interval of 95 %; None without any."""
        parents = sum(self.generations)
        return None if not parents else _rate(sum(self.generations[1:]), parents)

    def figures(self) -> dict[str, Any]:
        """Return them for an alert, JSON-ready."""
        figures: dict[str, Any] = {
            "derivatives": sum(self.generations),
            "generations": list(self.generations),
            "last_day": self.last_day,
            "day_before": self.day_before,
        }
        ratio = self.branching_ratio
        if ratio is not None:
            figures["branching_ratio"] = round(ratio[0], 3)
            figures["branching_ratio_interval"] = [round(ratio[1], 3), round(ratio[2], 3)]
        return figures


def lineage_of(made: Sequence[TrackedVideo], tracked: TrackedVideos, now_ms: int) -> Lineage:
    """Look at the derivatives of a work.

    Args:
        made: The derivatives.
        tracked: All videos, among which their sources are.
        now_ms: The moment, in event time.
    """
    generations = np.zeros(DEEPEST_DERIVATION, np.int64)
    for video in made:
        generations[generation(video, tracked) - 1] += 1
    published_ms = np.array([video.published_ms for video in made], np.int64)
    age_days = (now_ms - published_ms) // DAY_MS
    return Lineage(
        generations=tuple(np.trim_zeros(generations, "b").tolist()),
        last_day=int((age_days <= 0).sum()),
        day_before=int((age_days == 1).sum()),
    )


def generation(video: TrackedVideo, tracked: TrackedVideos) -> int:
    """Return the generation of a derivative, at most DEEPEST_DERIVATION."""
    depth, source = 1, tracked.get(video.source)
    while source is not None and source.source and depth < DEEPEST_DERIVATION:
        depth, source = depth + 1, tracked.get(source.source)
    return depth


def _rate(count: int, of: int) -> tuple[float, float, float]:
    """Return a rate with its exact interval [2].

    >>> [round(number, 3) for number in _rate(10, 100)]
    [0.1, 0.048, 0.184]
    """
    tail = (1 - _CONFIDENCE) / 2
    low = chi2.ppf(tail, 2 * count) / 2 / of if count else 0.0
    high = chi2.ppf(1 - tail, 2 * count + 2) / 2 / of
    return count / of, float(low), float(high)
