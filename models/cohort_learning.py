"""How what is ordinary is learned: histograms of one epoch, folded into a fading memory.

Each partition of `stages` summarises the videos it saw in an epoch as whole counts in histograms
with fixed logarithmic bins, so that sums over partitions do not depend on their order. `hotspots`
folds the summaries of all partitions into one memory per platform and derives the next version
from it.

References:
    [1] I. Weissman, "Estimation of parameters and large quantiles based on the k largest
        observations", JASA 1978: extrapolating a power-law tail from two inner quantiles.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.cohorts import (
    AGES,
    INTENSITY_QUANTILE,
    NULL_QUANTILE,
    REACHES,
    SCARCE_QUANTILE,
    SHIPPED,
    SIGNALS,
    CohortVersion,
    PlatformCohort,
)
from models.parameters import DAY_MS
from models.vocabulary import Signal

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HALF_LIFE_MS: Final = 7 * DAY_MS
"""The memory fades by half in a week, the shortest span that holds every day of the week."""

LEAST_EXPOSURES: Final = 200
"""A video with fewer exposures says too little about its propensities: at a median of 0.012 for
interaction (measured), 200 exposures carry two events."""

MOST_PLATFORMS: Final = 64
"""Platforms beyond these share the shipped cohort; a named limit, since the name is free text."""

PRIOR_PROPENSITY: Final = 50.0
"""How many video-epochs of a cohort weigh as much as the shipped one: below about 50, the sampling
error of a median (1.25 sigma / sqrt(n)) is larger than the difference between platforms."""

PRIOR_INTENSITY: Final = 500.0
"""The same for an extreme quantile: its inner quantiles need hundreds of video-epochs (5 beyond 99
%)."""

LEAST_PER_HOUR: Final = 1 / 6
"""One event in the six hours of a default epoch: a lower rate cannot be told from none, and a
null that sinks to zero where nobody has acted yet makes evidence of the first who do."""

TAIL_RATIO: Final = (2.0, 30.0)
"""Bounds of the ratio between quantiles a decade of exceedance apart: a power law with exponent 3
to 0.7, around the 1 of Zipf's law."""

_DECADE_BINS: Final = 12
_SCALES: Final = {"propensity": (-6.0, 6), "intensity": (-2.0, 10), "dispersion": (-6.0, 10)}
"""Decimal exponent where the first bin begins, and decades covered; bin 0 holds zeros."""


def bins_of(scale: str) -> int:
    """Return how many bins a scale has, the zero bin included."""
    return 1 + _SCALES[scale][1] * _DECADE_BINS


def bin_index(scale: str, value: Floats) -> Ints:
    """Return the bin of each value: 0 for zero and below, else logarithmic, clipped at the ends."""
    first, _ = _SCALES[scale]
    with np.errstate(divide="ignore"):
        index = np.floor((np.log10(np.maximum(value, 1e-300)) - first) * _DECADE_BINS) + 1
    return np.where(value > 0, np.clip(index, 1, bins_of(scale) - 1), 0).astype(np.int64)


def quantile(scale: str, histogram: Floats, q: float) -> Floats:
    """Return a quantile of each histogram along its last axis, one rank above the plain one.

    The extra rank stands for the video under test: whatever its own value is, the result is at
    least the quantile of the others.

    Args:
        scale: Name of the bins.
        histogram: float[..., bins].
        q: In (0, 1).

    Returns:
        float[...]; 0 where the quantile lies among the zeros, or the histogram is empty.
    """
    first, _ = _SCALES[scale]
    cumulative = np.cumsum(histogram, axis=-1)
    # The last running sum, not `sum`: of faded counts the two differ in the last digit, and a rank
    # above the last running sum would be found nowhere.
    total = cumulative[..., -1:]
    rank = np.minimum(q * total + 1, total)
    index = np.argmax(cumulative >= rank, axis=-1)
    at = index[..., None]
    inside = np.take_along_axis(histogram, at, axis=-1)
    before = np.take_along_axis(cumulative, at, axis=-1) - inside
    share = np.where(inside > 0, (rank - before) / np.where(inside > 0, inside, 1), 0)[..., 0]
    value = np.power(10.0, first + (index - 1 + np.clip(share, 0, 1)) / _DECADE_BINS)
    return np.where((index == 0) | (total[..., 0] <= 0), 0.0, value)


_SHAPES: Final = {
    "propensity": (SIGNALS, AGES, REACHES, bins_of("propensity")),
    "response": (AGES, REACHES, bins_of("propensity")),
    "intensity": (SIGNALS, AGES, bins_of("intensity")),
    "overdispersion": (SIGNALS, bins_of("dispersion")),
    "burstiness": (SIGNALS, bins_of("dispersion")),
    "hours": (24,),
    "newcomers": (1,),
}


@dataclass(slots=True)
class EpochSummary:
    """Histograms of one platform in one epoch: whole counts, float64 so that they can fade.

    Attributes:
        propensity: [SIGNALS, AGES, REACHES, bins], video-epochs by events per exposure, each drawn
            towards the shipped cohort by what it lacks in exposures.
        response: [AGES, REACHES, bins], video-epochs by identification per exposure as it is.
        intensity: [SIGNALS, AGES, bins], video-epochs by events per hour.
        overdispersion: [SIGNALS, bins], by the beta-binomial's 1 / (a + b + 1).
        burstiness: [SIGNALS, bins], by the gamma-Poisson's 1 / r.
        hours: [24], events by UTC hour.
        newcomers: [1], videos first seen: six hours of one video are not six videos, so this, not
            the number of video-epochs, says how much a platform has shown of itself.
    """

    propensity: Floats
    response: Floats
    intensity: Floats
    overdispersion: Floats
    burstiness: Floats
    hours: Floats
    newcomers: Floats

    @classmethod
    def empty(cls) -> "EpochSummary":
        """Return a summary of nothing."""
        return cls(**{name: np.zeros(shape) for name, shape in _SHAPES.items()})

    def add(self, other: "EpochSummary", fade: float = 1.0) -> None:
        """Fade this summary and add another."""
        for name in _SHAPES:
            setattr(self, name, getattr(self, name) * fade + getattr(other, name))

    def stored_numbers(self) -> int:
        """Return how many numbers the form of `to_dict` has."""
        return sum(2 * int(np.count_nonzero(getattr(self, name))) for name in _SHAPES)

    def to_dict(self) -> dict[str, Any]:
        """Return a sparse JSON-ready form."""
        stored = {}
        for name in _SHAPES:
            flat = getattr(self, name).ravel()
            index = np.flatnonzero(flat)
            stored[name] = [index.tolist(), flat[index].tolist()]
        return stored

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "EpochSummary":
        """Take back what `to_dict` returned."""
        summary = cls.empty()
        for name, (index, values) in stored.items():
            getattr(summary, name).ravel()[index] = values
        return summary


@dataclass(frozen=True, slots=True)
class VideoEpochs:
    """Columns of n video-epochs of one platform: what a partition knows at the end of an epoch.

    Attributes: age: int[n], age bands. reach: int[n], reach bands. views: float[n], exposures
    since it was first seen. acted_ever: float[n, SIGNALS], likewise. The cohort's propensities
    are taken over a video's life, since six hours of a quiet video hold too few events; early
    strangers are fewer, so this errs upwards: against an alarm. hours_watched: float[n], length
    of the epoch the video was known for, in hours. exposed: float[n]. acted: float[n, SIGNALS].
    acted_squared_per_exposed: float[n, SIGNALS], sum over visits of k^2 / n. acted_squared:
    float[n, SIGNALS], sum over visits of k^2. acted_times_span: float[n, SIGNALS], sum of k *
    hours. span: float[n], span_squared: float[n]. visits: float[n]. new: bool[n], first seen in
    this epoch.
    """

    age: Ints
    reach: Ints
    views: Floats
    acted_ever: Floats
    hours_watched: Floats
    exposed: Floats
    acted: Floats
    acted_squared_per_exposed: Floats
    acted_squared: Floats
    acted_times_span: Floats
    span: Floats
    span_squared: Floats
    visits: Floats
    new: npt.NDArray[np.bool_]


LEAST_VISITS: Final = 6
"""A variance between visits needs several of them."""
LEAST_EVENTS: Final = 20
"""And enough events that the Poisson part does not drown the rest."""


def summarise(rows: VideoEpochs, hours: Floats) -> EpochSummary:
    """Return the histograms of one platform's videos in one epoch."""
    summary = EpochSummary.empty()
    summary.hours += hours
    summary.newcomers += rows.new.sum()
    known = rows.views >= LEAST_EXPOSURES
    response = rows.acted_ever[:, Signal.IDENTIFICATION] / np.maximum(rows.views, 1.0)
    bins = bin_index("propensity", np.minimum(response, 1.0))
    np.add.at(summary.response, (rows.age[known], rows.reach[known], bins[known]), 1)
    exposed = np.maximum(rows.exposed, 1.0)
    for signal in range(SIGNALS):
        acted = rows.acted[:, signal]
        # A posterior mean, the shipped propensity being worth LEAST_EXPOSURES: nobody's true
        # propensity is zero because nobody has shared yet.
        prior = SHIPPED.propensity[signal, rows.age, rows.reach] * LEAST_EXPOSURES
        ever = (rows.acted_ever[:, signal] + prior) / (rows.views + LEAST_EXPOSURES)
        bins = bin_index("propensity", np.minimum(ever, 1.0))
        where = (rows.age[known], rows.reach[known], bins[known])
        np.add.at(summary.propensity[signal], where, 1)
        rate = np.minimum(acted / exposed, 1.0)
        per_hour = acted / rows.hours_watched
        np.add.at(summary.intensity[signal], (rows.age, bin_index("intensity", per_hour)), 1)
        at = (rows.visits >= LEAST_VISITS) & (acted >= LEAST_EVENTS)
        binomial = at & (rows.exposed >= LEAST_EXPOSURES) & (rate < 1)
        pearson = rows.acted_squared_per_exposed[:, signal] - acted * rate
        variance = np.where(binomial, rate * (1 - rate), 1.0)
        excess = pearson / variance / np.maximum(rows.visits - 1, 1) - 1
        typical = np.maximum(rows.exposed / np.maximum(rows.visits, 1) - 1, 1.0)
        bins = bin_index("dispersion", np.minimum(excess / typical, 0.999))
        np.add.at(summary.overdispersion[signal], bins[binomial], 1)
        mean_rate = acted / np.maximum(rows.span, 1e-9)
        squared = mean_rate**2 * rows.span_squared
        residual = rows.acted_squared[:, signal] - 2 * mean_rate * rows.acted_times_span[:, signal]
        inverse = (residual + squared - acted) / np.where(at, squared, 1.0)
        np.add.at(summary.burstiness[signal], bin_index("dispersion", inverse)[at], 1)
    return summary


def _blend(learned: Floats, shipped: Floats, videos: Floats, prior: float) -> Floats:
    """Mix learned and shipped values on a logarithmic scale, by weight of evidence."""
    weight = videos / (videos + prior)
    floor = 1e-7
    mixture = weight * np.log(np.maximum(learned, floor))
    mixture += (1 - weight) * np.log(np.maximum(shipped, floor))
    return np.asarray(np.exp(mixture))


DISPERSION_QUANTILE: Final = 0.75
"""The null takes the over-dispersion that three videos of four stay under: a null that is too
regular calls ordinary bursts evidence."""


def _dispersion(histogram: Floats, shipped_inverse: Floats, videos: float) -> Floats:
    learned = np.maximum(quantile("dispersion", histogram, DISPERSION_QUANTILE), 1e-6)
    weight = np.minimum(histogram.sum(axis=-1), videos)
    return _blend(learned, shipped_inverse, weight, PRIOR_PROPENSITY)


def derive(memory: EpochSummary) -> PlatformCohort:
    """Return the nulls that follow from a platform's memory, blended with the shipped cohort."""
    propensity = np.empty((SIGNALS, AGES, REACHES))
    shown = float(memory.newcomers[0])
    videos = np.minimum(memory.propensity.sum(axis=-1), shown)
    for signal in range(SIGNALS):
        learned = quantile("propensity", memory.propensity[signal], NULL_QUANTILE[signal])
        propensity[signal] = _blend(
            learned, SHIPPED.propensity[signal], videos[signal], PRIOR_PROPENSITY
        )
    scarce = quantile("propensity", memory.response, SCARCE_QUANTILE)
    scarcity = _blend(scarce, SHIPPED.scarcity, videos[Signal.IDENTIFICATION], PRIOR_INTENSITY)
    inner = quantile("intensity", memory.intensity, 0.9)
    outer = quantile("intensity", memory.intensity, 0.99)
    ratio = np.clip(np.where(inner > 0, outer / np.maximum(inner, 1e-9), 10.0), *TAIL_RATIO)
    decades = np.log10(0.01 / (1 - INTENSITY_QUANTILE))
    intensity = _blend(
        outer * ratio**decades,
        SHIPPED.intensity,
        np.minimum(memory.intensity.sum(axis=-1), shown),
        PRIOR_INTENSITY,
    )
    intensity = np.maximum(intensity, LEAST_PER_HOUR)
    rho = _dispersion(memory.overdispersion, 1 / (SHIPPED.concentration + 1), shown)
    burst = _dispersion(memory.burstiness, 1 / SHIPPED.shape, shown)
    weight = shown / (shown + PRIOR_INTENSITY)
    hours = memory.hours / max(float(memory.hours.mean()), 1e-9)
    return PlatformCohort(
        propensity=propensity,
        scarcity=scarcity,
        concentration=1 / np.minimum(rho, 0.9) - 1,
        intensity=intensity,
        shape=1 / np.maximum(burst, 1e-6),
        rhythm=weight * hours + (1 - weight) * SHIPPED.rhythm,
        videos=int(shown),
    )


@dataclass(slots=True)
class CohortMemory:
    """Everything learned so far, per platform, and the last epoch that went in."""

    epoch_ms: int
    platforms: dict[str, EpochSummary] = field(default_factory=dict)
    epoch: int | None = None

    def fold(self, epoch: int, summaries: Iterable[tuple[str, EpochSummary]]) -> None:
        """Take in the summaries of one epoch, in a fixed order of platforms.

        Raises:
            ValueError: The epoch was folded before.
        """
        if self.epoch is not None and epoch <= self.epoch:
            raise ValueError(f"epoch {epoch} after {self.epoch}")
        if self.epoch is not None:
            fade = 0.5 ** ((epoch - self.epoch) * self.epoch_ms / HALF_LIFE_MS)
            for memory in self.platforms.values():
                memory.add(EpochSummary.empty(), fade)
        self.epoch = epoch
        # Whole counts are summed before they meet the faded memory: only whole counts give the
        # same sum in any order and from any number of partitions.
        of_epoch: dict[str, EpochSummary] = {}
        for platform, summary in summaries:
            of_epoch.setdefault(platform, EpochSummary.empty()).add(summary)
        for platform in sorted(of_epoch):
            if platform in self.platforms:
                self.platforms[platform].add(of_epoch[platform])
            elif len(self.platforms) < MOST_PLATFORMS:
                self.platforms[platform] = of_epoch[platform]

    def version(self, through_epoch: int, thinning: int = 0) -> CohortVersion:
        """Return what is known, as the version named after `through_epoch`."""
        platforms = {name: derive(memory) for name, memory in self.platforms.items()}
        return CohortVersion(through_epoch, platforms, thinning)

    def to_bytes(self) -> bytes:
        """Return a form for the changelog."""
        stored = {name: memory.to_dict() for name, memory in sorted(self.platforms.items())}
        return json.dumps({"epoch": self.epoch, "platforms": stored}).encode()

    def load_bytes(self, stored: bytes) -> None:
        """Take back what `to_bytes` returned."""
        content = json.loads(stored)
        self.epoch = content["epoch"]
        self.platforms = {
            name: EpochSummary.from_dict(memory) for name, memory in content["platforms"].items()
        }
