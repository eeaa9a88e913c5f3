"""What a learned forecast looks at: growth at several time scales, and propensities per exposure.

Twenty figures of a video, each a natural logarithm of a ratio, so that they mean the same at
10,000 views as at a million: multiplied by one number, the level and all counts give the same
figures, but for the pseudo-views that propensities are shrunk with.

With P the events of the level's action since the episode began, L the level, h the hours since then
(at first: since publication) plus one, and G(H) the pace of the last H hours as a share of the
level a day, at least FLOOR:

| feature | formula | tells |
|---|---|---|
| progress | ln P/L | how far it is |
| age | ln h | how long it took |
| mean_pace | ln 24 P/(h L) | the pace since the episode began, a share of the level a day |
| pace_6h, pace_24h, pace_72h | ln G | the same of the last hours |
| pace_24h_to_mean | ln G(24) - mean_pace | whether it grows faster than it did |
| pace_6h_to_72h | ln G(6)/G(72) | likewise |
| need_6h, need_24h | ln (1 - P/L)/G | days to go at that pace |
| day_6h, day_24h | ln (P/L + G) | where a day at that pace would bring it, a share of the level |
| three_days_24h | ln (P/L + 3 G(24)) | likewise |
| identification, interaction, diffusion | ln (n + 100 q)/(V + 100) | people per view, by signal |
| recent_identification, ... | likewise | the same, everything halved after a day |
| acted_before | mean of ln (1 + n) | how often those who act towards the level had acted before |

Ratios below FLOOR count as FLOOR, so no figure is infinite. A level counts anew in each episode,
and so do P and h; paces and propensities go on, since they are what brought the episode about.

A pace with a half-life of H hours moves with events of the level's action alone, each answering for
the time since the one before: what counts rarely is not taken for silence. Propensities count
people, as evidence does (models/visits.py): forty accounts that like a thousand times are not a
thousand; where actors are not known that is events. They count the signals of models/vocabulary.py,
that is also `follow`, `comment_like` and `derive`, which none of the sets had that they were chosen
on.

Who shares tells how far it goes: on the development half of the cascades average precision with
`acted_before` was 1.10 times that of shares per hour, and 1.04 without it, within seven days; 1.19
and 1.05 within any time (250 trees, two ways of fifths and a halving; models/known_actors.py says
who is known). It is 0 where nobody is, and for a level of views.

Which figures, half-lives and pseudo-views: those that gained in average precision on the
development halves of uploads (towards 10,000 views) and of the popular list (towards a million), in
five folds over videos and over creators. What gained nothing is left out: paces of an hour or
three, the hour of the day, the stage, the creator's history and followers. Single actions, each as
a share of the level, gained on the popular list (1.48 times views per hour against 1.46, by halves)
and lost on uploads (1.25 against 1.28), and the loss on videos left out did not tell which.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.known_actors import LOG_UNITS
from models.parameters import DAY_MS, HOUR_MS
from models.signal_words import figure, span
from models.transitions import kept
from models.video_state import NEVER, PROPENSITIES
from models.vocabulary import Signal

Floats32 = npt.NDArray[np.float32]

PACE_HALF_LIVES_H: Final = (6, 24, 72)
"""Hours, a day, and what evens out days: 1 and 3 hours gained nothing beside them. Each is a whole
multiple of the one before, which `follow` makes use of."""

RECENT_HALF_LIFE_MS: Final = DAY_MS
"""Recent propensities forget half in a day: over a day evens out the daily rhythm of views."""

FLOOR: Final = 1e-5
"""Shares of the level below this are alike: a view a day towards 100,000."""

_NEARLY_NOTHING: Final = 1e-6
_LEAST_MISSING: Final = 1e-4
"""What is missing counts as a ten-thousandth of the level at least."""

PSEUDO_VIEWS: Final = 100
PSEUDO_PROPENSITY: Final = (0.10, 0.010, 0.004)
"""Propensities are shrunk by so many views on which as many people acted as is ordinary, by signal:
likes, bookmarks and tips; comments, replies and danmaku; shares and reposts. Round figures near the
medians of the uploads."""

_SIGNALS: Final = (int(Signal.IDENTIFICATION), int(Signal.INTERACTION), int(Signal.DIFFUSION))
"""Exclusion is too rare to tell anything: most platforms do not report it."""

_PLATFORM_WORDS: Final = ("likes, bookmarks and tips", "comments and danmaku", "shares and reposts")

FEATURES: Final = (
    *("progress", "age", "mean_pace", "pace_6h", "pace_24h", "pace_72h"),
    *("pace_24h_to_mean", "pace_6h_to_72h", "need_6h", "need_24h"),
    *("day_6h", "day_24h", "three_days_24h"),
    *("identification", "recent_identification", "interaction", "recent_interaction"),
    *("diffusion", "recent_diffusion", "acted_before"),
)
"""Their names, in the order in which `fill_features` fills them in."""

FIRST_PROPENSITY: Final = FEATURES.index("identification")
"""Those since publication stand at every second position from here on."""
_ACTED_BEFORE: Final = FEATURES.index("acted_before")

_FASTEST_OF_NEXT: Final = PACE_HALF_LIVES_H[1] // PACE_HALF_LIVES_H[0]
_NEXT_OF_SLOWEST: Final = PACE_HALF_LIVES_H[2] // PACE_HALF_LIVES_H[1]
_SLOWEST_MS: Final = PACE_HALF_LIVES_H[2] * HOUR_MS

Row = Any
"""One record of video_state.ROW, in place."""


@compiled
def follow(
    row: Row,
    before_ms: int,
    time_ms: int,
    decision: Any,  # noqa: ANN401 - a record
    bucket_ms: int,
) -> None:
    """Move the paces and sums of a row to a visit, in place.

    Args:
        row: The video's.
        before_ms: Event time of the last event before the visit.
        time_ms: Event time of the last event of the visit.
        decision: One record of DECISION: `views`, `progress` and `people` of the visit.
        bucket_ms: What the events of a visit answer for at least: nobody knows when in it they
            were.
    """
    if row.progress_ms == NEVER:
        row.progress_ms = time_ms
    else:
        keep = kept(max(time_ms - before_ms, 0), RECENT_HALF_LIFE_MS)
        row.recent_views *= keep
        for at in range(PROPENSITIES):
            row.recent_people[at] *= keep
    row.recent_views += decision.views
    for at in range(PROPENSITIES):
        people = decision.people[_SIGNALS[at]]
        row.people[at] += people
        row.recent_people[at] += people
    if decision.progress > 0:
        span_ms = max(time_ms - row.progress_ms, bucket_ms)
        per_hour = decision.progress / (span_ms / HOUR_MS)
        # One power for three: half-lives are multiples of each other.
        slowest = kept(span_ms, _SLOWEST_MS)
        middle = slowest**_NEXT_OF_SLOWEST
        fastest = middle**_FASTEST_OF_NEXT
        row.paces_per_hour[0] = row.paces_per_hour[0] * fastest + (1 - fastest) * per_hour
        row.paces_per_hour[1] = row.paces_per_hour[1] * middle + (1 - middle) * per_hour
        row.paces_per_hour[2] = row.paces_per_hour[2] * slowest + (1 - slowest) * per_hour
        row.progress_ms = time_ms


@compiled
def fill_features(row: Row, progress: int, now_ms: int, level: int, out: Floats32) -> None:
    """Fill in the figures of a video: float32[len(FEATURES)].

    Args:
        row: The video's.
        progress: Events of the level's action since the episode began.
        now_ms: Event time of the last event that they reflect.
        level: How many events make a hotspot.
        out: Where to write.
    """
    born_ms = row.first_ms if row.publish_ms == NEVER else row.publish_ms
    begun_ms = born_ms if row.episode_ms == NEVER else row.episode_ms
    hours = max(now_ms - begun_ms, 0) / HOUR_MS + 1
    share = progress / level
    day = DAY_MS / HOUR_MS / level
    fast = max(row.paces_per_hour[0] * day, FLOOR)
    slow = max(row.paces_per_hour[1] * day, FLOOR)
    missing = math.log(max(1 - share, _LEAST_MISSING))
    log_mean = math.log(max(progress / hours * day, FLOOR))
    log_fast, log_slow = math.log(fast), math.log(slow)
    log_slowest = math.log(max(row.paces_per_hour[2] * day, FLOOR))
    out[0] = math.log(max(share, FLOOR))
    out[1] = math.log(hours)
    out[2] = log_mean
    out[3] = log_fast
    out[4] = log_slow
    out[5] = log_slowest
    out[6] = log_slow - log_mean
    out[7] = log_fast - log_slowest
    out[8] = missing - log_fast
    out[9] = missing - log_slow
    out[10] = math.log(share + fast + _NEARLY_NOTHING)
    out[11] = math.log(share + slow + _NEARLY_NOTHING)
    out[12] = math.log(share + 3 * slow + _NEARLY_NOTHING)
    for at in range(PROPENSITIES):
        more = PSEUDO_VIEWS * PSEUDO_PROPENSITY[at]
        ever = (row.people[at] + more) / (row.views + PSEUDO_VIEWS)
        recent = (row.recent_people[at] + more) / (row.recent_views + PSEUDO_VIEWS)
        out[FIRST_PROPENSITY + 2 * at] = math.log(ever)
        out[FIRST_PROPENSITY + 2 * at + 1] = math.log(recent)
    out[_ACTED_BEFORE] = row.met_before / LOG_UNITS / max(row.met, 1)


def _share(before: str, after: str) -> Callable[[float], str]:
    return lambda ratio: f"{before}{figure(100 * ratio)} % of the level{after}"


def _needs(hours: int) -> Callable[[float], str]:
    return lambda days: f"at the pace of the last {hours} hours the level in {span(24 * days)}"


def _per_view(what: str, after: str) -> Callable[[float], str]:
    return lambda ratio: f"{what}: {figure(ratio)} per view{after}"


_IN_A_DAY: Final = " a day"

_WORDS: Final[tuple[Callable[[float], str], ...]] = (
    _share("", " reached"),
    lambda hours: f"it began {span(max(hours - 1, 0))} ago",
    _share("growing since it began by ", _IN_A_DAY),
    _share("growing in the last 6 hours by ", _IN_A_DAY),
    _share("growing in the last day by ", _IN_A_DAY),
    _share("growing in the last three days by ", _IN_A_DAY),
    lambda ratio: f"in the last day growing {figure(ratio)} times as fast as since it began",
    # Of a smoothed pace times its half-life: 12 times as fast is all that there was.
    lambda ratio: (
        f"{figure(100 * ratio * PACE_HALF_LIVES_H[0] / PACE_HALF_LIVES_H[2])} % of what came "
        "in three days came in the last 6 hours"
    ),
    _needs(6),
    _needs(24),
    _share("another day like the last 6 hours would make ", ""),
    _share("another day like the last one would make ", ""),
    _share("three more days like the last one would make ", ""),
    *(
        _per_view(what, after)
        for what in _PLATFORM_WORDS
        for after in ("", ", counting the last day most")
    ),
    lambda ratio: f"those who brought it there had done so {figure(ratio - 1)} times before",
)


def words(feature: int, value: float) -> str:
    """Return what a feature says, by its position in FEATURES and its value, in words."""
    return _WORDS[feature](math.exp(value))
