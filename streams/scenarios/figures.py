"""What the scenario is made from: the figures of the seeds' case and measured propensities.

The case is the short drama "Escape from the British Museum": 270 million views, nearly 20 million
likes, over 3 million comments and 5.55 million new followers in seven days [1]. What is measured
comes from public observations of the same days and platforms (quantiles only); what is neither
is called an assumption.

References:
    [1] The study of the drama's spread on Douyin, Bilibili and Weibo that the project's seed
        papers build on: Z. Zhu, "Value Communication Model of Social Networking Services".
"""

from datetime import datetime, timedelta, timezone
from typing import Final

import numpy as np

from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS, Level
from models.vocabulary import Action, Signal

CHINA: Final = timezone(timedelta(hours=8))
TOPIC: Final = "逃出大英博物馆"


def china_ms(text: str) -> int:
    """Return ms since the epoch of an ISO time in UTC+8.

    >>> china_ms("2023-08-30T13:00")
    1693371600000
    """
    return int(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp() * 1000)


SCALE: Final = 1 / 100
"""One person of the scenario stands for a hundred of the case: the whole stays near a million
messages, which a laptop carries in two minutes."""

VIEWS: Final = 270_000_000
LIKES: Final = 20_000_000
COMMENTS: Final = 3_000_000
NEW_FOLLOWERS: Final = 5_550_000
"""The seeds' totals over all platforms in seven days."""

LEVEL: Final = Level("view", 100_000)
"""What counts as a hotspot in this scenario: ten million views, times SCALE."""

STARTS_MS: Final = china_ms("2023-08-28T00:00")
"""Ordinary life begins two and a half days before the release: a monitor must know what is
ordinary first."""
ENDS_MS: Final = china_ms("2023-09-06T14:00")
"""Seven days and an hour after the first episode."""

SLOT_MS: Final = 5 * MINUTE_MS
"""Views reach the monitor pre-counted, once per video and slot, as platforms do."""
SLOTS: Final = (ENDS_MS - STARTS_MS) // SLOT_MS
SLOTS_PER_HOUR: Final = HOUR_MS // SLOT_MS
SLOTS_PER_DAY: Final = DAY_MS // SLOT_MS

EPISODES_MS: Final = (
    china_ms("2023-08-30T13:00"),
    china_ms("2023-08-31T17:12"),
    china_ms("2023-09-05T15:09"),
)
"""Release of the three episodes. The second and third are Bilibili's own times; the first is an
hour before Weibo's board opened with it (14:17)."""

BILIBILI: Final = "bilibili"
PLATFORMS: Final = ("douyin", BILIBILI, "weibo")
"""Where the drama was first shown ("premiered on platforms such as TikTok, Bilibili, and
Weibo")."""

PLATFORM_SHARE: Final = {"douyin": 0.54, BILIBILI: 0.14, "weibo": 0.32}
"""Share of the case's views. Bilibili: about 18 of the 270 million were counted there for four of
its videos; doubled for what was not. Douyin before Weibo: an assumption."""

EPISODE_SHARE: Final = (0.40, 0.33, 0.27)
"""Share of each episode in the views of the seven days: an assumption, falling with the days
left."""

IDENTIFICATION_ELSEWHERE: Final = 0.45
"""How much less people elsewhere respond than on Bilibili: likes per view over all platforms (20 of
270) against those of the second and third episode on Bilibili (0.165 after a week)."""

RHYTHM: Final = np.array(
    [
        *(1.07, 0.65, 0.36, 0.17, 0.14, 0.12, 0.23, 0.42, 0.65, 0.98, 1.12, 1.31),  # from midnight
        *(1.73, 1.68, 1.18, 1.14, 1.28, 1.33, 1.53, 1.44, 1.31, 1.32, 1.44, 1.41),  # from noon
    ]
)
"""float[24]: activity by hour of the day in UTC+8, mean 1; measured on 68,000 danmaku of 58
videos."""

QUANTILES: Final = np.array([0.0, 0.10, 0.25, 0.50, 0.75, 0.90, 0.99, 1.0])
PROPENSITY_QUANTILES: Final = {
    Signal.IDENTIFICATION: np.array([0.01, 0.039, 0.082, 0.154, 0.251, 0.359, 0.574, 0.7]),
    Signal.EXCLUSION: np.array([0.0001, 0.0002, 0.0004, 0.0007, 0.0013, 0.0024, 0.010, 0.014]),
    Signal.INTERACTION: np.array([0.0006, 0.0013, 0.0055, 0.012, 0.024, 0.042, 0.104, 0.15]),
    Signal.DIFFUSION: np.array([0.00005, 0.0001, 0.0002, 0.0037, 0.0081, 0.014, 0.030, 0.04]),
}
"""Events per view at QUANTILES: Bilibili, all uploads that matched a keyword (like + favourite +
coin; reply + danmaku; share), and YouTube's trending videos for dislikes. 10 to 99 % are measured;
the ends are assumptions that bound what "ordinary" means."""

LARGE_REACH_RATIO: Final = {
    Signal.IDENTIFICATION: 0.101 / 0.154,
    Signal.EXCLUSION: 1.0,
    Signal.INTERACTION: 0.0039 / 0.012,
    Signal.DIFFUSION: 0.0025 / 0.0037,
}
"""Median of the popular list over the median of all uploads: strangers respond less than fans."""
SMALL_REACH: Final = 200
LARGE_REACH: Final = 500_000
"""Views between which the ratio sets in (linear in the logarithm): the median reach of all uploads
and the order of those on the popular list."""

RANK_CORRELATION: Final = np.array(
    [[1.0, 0.0, 0.53, 0.47], [0.0, 1.0, 0.0, 0.0], [0.53, 0.0, 1.0, 0.34], [0.47, 0.0, 0.34, 1.0]]
)
"""float[4, 4] over Signal: Spearman's correlation of the propensities of one video, measured on the
same uploads; for exclusion none was measured."""

AGE_EXPONENT: Final = -0.155
"""Propensities fall like age to this power: the third episode's 0.57 after 9 hours, 0.37 after six
days (measured)."""
AGE_REFERENCE_H: Final = 24.0
"""The age at which a video shows the propensity it was given."""

IDENTIFICATION_ON_BILIBILI: Final = {
    Action.LIKE: 0.42,
    Action.BOOKMARK: 0.11,
    Action.TIP: 0.36,
    Action.FOLLOW: 0.11,
}
"""There people tip with coins: 2.18 million likes, 1.86 of coins and 0.56 of bookmarks on the
second and third episode; follows, which nobody counted, as elsewhere in relation to likes."""

ACTION_SHARES: Final = {
    Signal.IDENTIFICATION: {
        Action.LIKE: 0.62,
        Action.BOOKMARK: 0.12,
        Action.TIP: 0.09,
        Action.FOLLOW: 0.17,
    },
    Signal.EXCLUSION: {Action.SKIP: 0.45, Action.DISLIKE: 0.45, Action.REPORT: 0.10},
    Signal.INTERACTION: {
        Action.COMMENT: 0.45,
        Action.REPLY: 0.20,
        Action.DANMAKU: 0.25,
        Action.COMMENT_LIKE: 0.10,
    },
    Signal.DIFFUSION: {Action.SHARE: 0.85, Action.REPOST: 0.15},
}
"""How a signal's events divide among its actions (on Bilibili see above). Likes to follows as in
the seeds (20 to 5.55 million); the rest are assumptions. A `skip` is the press of "not
interested", not every swipe."""

ORDINARY_VIDEOS: Final = 5_000
ORDINARY_VIEWS_MEDIAN: Final = 220
ORDINARY_VIEWS_SIGMA: Final = 1.1
"""Reach of an ordinary video, lognormal: one in a hundred passes 2,800 views, one in a thousand
6,600. The measured median of all uploads is 191 with a far heavier tail (sigma 2.6), because it
holds hits; here the hits are planted, so that it is known which they are."""
ORDINARY_VIEWS_MAX: Final = 25_000
