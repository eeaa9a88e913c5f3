"""The false discovery rate of an epoch over many videos, on simulated nulls, by the real steps."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.false_discovery import discoveries
from models.null_streams import INSIDE, OUTSIDE, VISITS_PER_DAY, Null, Setting, planted
from models.parameters import DAY_MS, Parameters
from streams.scoreboard.stream_of_counts import evidence_in

LEVELS: Final = (0.01, 0.05, 0.1, 0.2)
EPOCH_VISITS: Final = VISITS_PER_DAY * Parameters().epoch_ms // DAY_MS
EPOCHS_IN_A_ROW: Final = 4
"""In the first one videos come to be watched and all are ordinary; it is not judged."""
STREAMS: Final = 10
NULLS: Final = Setting(series=980, visits=EPOCHS_IN_A_ROW * EPOCH_VISITS)
RISING: Final = Setting(series=20, visits=EPOCHS_IN_A_ROW * EPOCH_VISITS)
FACTOR: Final = 3.0
_DEVIATIONS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Discoveries:
    """What was rejected at one level, when all but a few videos are of one null.

    Attributes:
        null: Its name.
        level: The false discovery rate that is promised at most.
        false_share: Mean over epochs of the share of nulls among what was rejected.
        error: Its standard error.
        found: Share of the rising videos that were rejected.
    """

    null: str
    level: float
    false_share: float
    error: float
    found: float

    @property
    def is_broken(self) -> bool:
        """Whether the promise is certainly not kept."""
        return self.false_share - _DEVIATIONS * self.error > self.level


def discoveries_on_nulls(seed: int) -> Iterator[Discoveries]:
    """Measure every null at every level."""
    for name, null in (INSIDE | OUTSIDE).items():
        rng = np.random.default_rng(seed)
        judged = [one for _ in range(STREAMS) for one in _judge_stream(null, rng)]
        for at, level in enumerate(LEVELS):
            shares = np.array([one[at][0] for one in judged])
            error = float(shares.std()) / math.sqrt(len(judged))
            found = float(np.mean([one[at][1] for one in judged]))
            yield Discoveries(name, level, float(shares.mean()), error, found)


def _judge_stream(null: Null, rng: np.random.Generator) -> Iterator[list[tuple[float, float]]]:
    """Yield per epoch and level the share of nulls among what was rejected, and of rises found."""
    # Bots are discounted to parts of people, events are whole.
    ordinary = np.floor(null(rng, NULLS).people)
    rising = planted(rng, RISING, FACTOR, EPOCH_VISITS).people
    counts = np.concatenate([ordinary, rising])
    for number, told in enumerate(evidence_in(counts, NULLS.mean, max(LEVELS), rng)):
        if not number:
            continue
        log_e_values = np.array([one.log_e_value for one in told.candidates])
        videos = np.array([int(one.video.partition("\x1f")[2]) for one in told.candidates])
        judged = []
        for level in LEVELS:
            rejected = videos[discoveries(log_e_values, level, told.tested)]
            false = np.count_nonzero(rejected < NULLS.series)
            share = float(false / max(len(rejected), 1))
            judged.append((share, float((len(rejected) - false) / RISING.series)))
        yield judged
