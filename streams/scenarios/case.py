"""The seeds' case: three episodes on three platforms, what was made of them and who reported.

Each episode is first only seen (presentation); then people take sides with it (judgment), talk
(interaction), and carry it on (diffusion), each from a known time on.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from models.parameters import HOUR_MS, MINUTE_MS
from models.vocabulary import ACTION_CODE, Action, Role, Route, Signal, Stage, State
from streams.scenarios import figures as f
from streams.scenarios.arrivals import Videos, age_factor, events_of
from streams.scenarios.event_blocks import single_events
from streams.scenarios.ordinary import views_curve
from streams.scenarios.people import DISCUSSION_ROLES, WARM_TEXTS
from streams.scenarios.planted import BEFORE, hours, median_propensity, ramp
from streams.scenarios.truth import PlantedTransition

JUDGMENT_AFTER_H: Final = 1.5
INTERACTION_AFTER_H: Final = 4.0
DIFFUSION_AFTER_H: Final = 7.0
"""Hours from release to each stage: an assumption; the last episode must pass all of them before
its first night, because the seven days end the next noon."""

PLATFORM_DELAY_MS: Final = {"douyin": 0, f.BILIBILI: 10 * MINUTE_MS, "weibo": 20 * MINUTE_MS}
EPISODE_HALF_LIFE_H: Final = 40.0
EPISODE_RISE_H: Final = 1.5
"""Bilibili counted 1.0, 2.7, 4.1, 5.1 million views of the second episode at the ends of its
first days."""

EPISODES_VIEWS_SHARE: Final = 0.9
"""The rest of the case's views are those of its derivatives."""
SHARES_PER_VIEW: Final = 0.028
"""Over the whole window; 0.034 is the 99 % quantile of the popular list, where the third episode
stood."""

STAGE_SIGNALS: Final = {
    Signal.IDENTIFICATION: Stage.JUDGMENT,
    Signal.INTERACTION: Stage.INTERACTION,
    Signal.DIFFUSION: Stage.DIFFUSION,
}
_DISCUSSION: Final = f.ACTION_SHARES[Signal.INTERACTION]
IDENTIFICATION_ON_BILIBILI: Final = 0.35
"""Per view: 0.31 of likes, coins and bookmarks on the second and third episode, and follows."""
_ON_BILIBILI: Final = f.VIEWS * f.SCALE * EPISODES_VIEWS_SHARE * f.PLATFORM_SHARE[f.BILIBILI]
_LIKES_ELSEWHERE: Final = f.LIKES * f.SCALE - (
    _ON_BILIBILI * IDENTIFICATION_ON_BILIBILI * f.IDENTIFICATION_ON_BILIBILI[Action.LIKE]
)
EXPECTED_EVENTS: Final = {
    (Signal.IDENTIFICATION, True): _ON_BILIBILI * IDENTIFICATION_ON_BILIBILI,
    (Signal.IDENTIFICATION, False): _LIKES_ELSEWHERE
    / f.ACTION_SHARES[Signal.IDENTIFICATION][Action.LIKE],
    (Signal.INTERACTION, None): f.COMMENTS
    * f.SCALE
    / (_DISCUSSION[Action.COMMENT] + _DISCUSSION[Action.REPLY]),
    (Signal.DIFFUSION, None): f.VIEWS * f.SCALE * EPISODES_VIEWS_SHARE * SHARES_PER_VIEW,
}
"""Events of each signal on all episodes together (on Bilibili, elsewhere, or both: None), so that
the seeds' likes and comments come out."""

EPISODE_DURATION_MS: Final = (4 * MINUTE_MS, 4 * MINUTE_MS, 9 * MINUTE_MS)
"""The seeds: "3 episodes, each lasting 2 to 10 minutes"."""

ORIGIN: Final = {
    "source_platform": "douyin",
    "source_video_id": "wish-2023",
    "source_comment_id": "wish-2023-origin",
}
"""The script began as a comment of a Douyin user under another video."""

MEDIA: Final = (
    ("media-peoples-daily", Role.MEDIA, "下一站，回家的路！", "2023-08-31T09:00"),
    ("media-cctv-news", Role.MEDIA, "逃出大英博物馆为何刷屏", "2023-09-01T08:30"),
    ("media-xinhua", Role.MEDIA, "文物回家，民心所向", "2023-09-02T10:00"),
    (
        "media-cctv-film-report",
        Role.MEDIA,
        "爆发式出圈，扎根现实，引发强烈共情",
        "2023-09-03T18:00",
    ),
    ("scholar-film-review", Role.EXPERT, "网络微短剧的创作升维", "2023-09-04T11:00"),
    ("official-heritage", Role.OFFICIAL, "流失文物追索返还", "2023-09-05T10:00"),
    ("media-global-times", Role.MEDIA, "Escape from the British Museum", "2023-09-06T09:00"),
)
"""Who reported and when: People's Daily and the film channel are the seeds', the film channel's
time is known (09-03); the others stand for the media reports that followed."""
ELITES_ENTER_MS: Final = {
    Role.MEDIA: f.china_ms("2023-08-31T09:00"),
    Role.ELITE: f.china_ms("2023-09-02T12:00"),
    Role.EXPERT: f.china_ms("2023-09-04T11:00"),
    Role.OFFICIAL: f.china_ms("2023-09-05T10:00"),
}
"""When those of a role first took part in the case: with the first report of theirs (MEDIA). No
report says when the social elites came: an assumption."""

ENTRY_TEXT: Final = "短短三集，说的是我们都想说的话"

OFFLINE_FROM: Final = "2023-09-02T09:00"
OFFLINE_DAYS: Final = 5
OFFLINE_VISITS_A_DAY: Final = 40
"""Visits to museums traced to the drama, per platform's first episode: an assumption."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode on one platform."""

    number: int
    episode: int
    platform: str
    released_ms: int

    @property
    def video_id(self) -> str:
        """Its id."""
        return f"escape-{self.episode}-{self.platform}"

    @property
    def views(self) -> float:
        """Its expected views in the scenario."""
        share = f.PLATFORM_SHARE[self.platform] * f.EPISODE_SHARE[self.episode - 1]
        return f.VIEWS * f.SCALE * EPISODES_VIEWS_SHARE * share

    def stage_ms(self, stage: Stage) -> int:
        """When the stage is planted."""
        after_h = {
            Stage.JUDGMENT: JUDGMENT_AFTER_H,
            Stage.INTERACTION: INTERACTION_AFTER_H,
            Stage.DIFFUSION: DIFFUSION_AFTER_H,
        }[stage]
        return self.released_ms + hours(after_h)


def episodes(first_number: int) -> list[Episode]:
    """Return all episodes on all platforms."""
    pairs = [(e, p) for e in range(1, len(f.EPISODES_MS) + 1) for p in f.PLATFORMS]
    return [
        Episode(first_number + i, e, p, f.EPISODES_MS[e - 1] + PLATFORM_DELAY_MS[p])
        for i, (e, p) in enumerate(pairs)
    ]


def planted_transitions(of: list[Episode]) -> list[PlantedTransition]:
    """Return the truth about the episodes."""
    return [
        PlantedTransition(
            e.platform, e.video_id, stage, State.ACTIVE, e.stage_ms(stage), Route.IDENTIFICATION
        )
        for e in of
        for stage in (Stage.JUDGMENT, Stage.INTERACTION, Stage.DIFFUSION)
    ]


def episode_videos(of: list[Episode]) -> Videos:
    """Return the intensities of the episodes: their sums are the seeds' totals, times SCALE."""
    n = len(of)
    released_ms = np.array([e.released_ms for e in of])
    curve = views_curve(released_ms, np.full(n, EPISODE_HALF_LIFE_H), np.full(n, EPISODE_RISE_H))
    views = np.array([e.views for e in of])
    # All the views fall into the scenario: the seeds counted those of the seven days.
    rate = curve / curve.sum(axis=1, keepdims=True) * views[:, None]
    base = np.stack([median_propensity(e.platform, f.LARGE_REACH) for e in of], axis=1)
    age_h = (f.STARTS_MS + np.arange(f.SLOTS) * f.SLOT_MS - released_ms[:, None]) / HOUR_MS
    viewers = rate * age_factor(age_h)
    boost = np.ones((len(Signal), n, f.SLOTS))
    on_bilibili = np.array([e.platform == f.BILIBILI for e in of])
    for (signal, there), wanted in EXPECTED_EVENTS.items():
        which = np.full(n, fill_value=True) if there is None else on_bilibili == there
        climbed = np.stack([ramp(e.stage_ms(STAGE_SIGNALS[signal])) for e in of])[which]
        height = _height(viewers[which] * base[signal, which, None], climbed, wanted)
        boost[signal, which] = BEFORE + (height - BEFORE) * climbed
    return Videos(
        number=np.array([e.number for e in of]),
        ids=[e.video_id for e in of],
        on_bilibili=on_bilibili,
        published_ms=released_ms,
        rate=rate,
        propensity=base,
        boost=boost,
        texts=WARM_TEXTS,
        sentiment=0.6,
        roles=DISCUSSION_ROLES,
        enters_ms=ELITES_ENTER_MS,
    )


def _height(at_median: Floats, climbed: Floats, wanted: float) -> float:
    """Return how far above the median a propensity must climb for a total of `wanted` events."""
    before = BEFORE * float((at_median * (1 - climbed)).sum())
    return (wanted - before) / float((at_median * climbed).sum())


def publications(of: list[Episode]) -> pl.DataFrame:
    """Return the `publish` events: the first episode says which comment it began as."""
    return single_events(
        (
            e.released_ms,
            e.number,
            ACTION_CODE[Action.PUBLISH],
            None,
            {
                "title": f"《{f.TOPIC}》第{'一二三'[e.episode - 1]}集",
                "creator_id": "jianbing-guozai",
                "creator_followers": 30_000,
                "duration_ms": EPISODE_DURATION_MS[e.episode - 1],
                "vertical": "drama",
                "labels": ["original"],
                "topics": [f.TOPIC],
                "fingerprint": f"{e.number * 0x9E3779B97F4A7C15 % 2**64:016x}",
            }
            | (ORIGIN if e.episode == 1 else {}),
        )
        for e in of
    )


def reports(rng: np.random.Generator, of: list[Episode]) -> pl.DataFrame:
    """Return what mainstream media published, and what people did in the museums."""
    rows: list[tuple[int, int, int, str | None, dict[str, Any]]] = []
    for medium, role, title, first in MEDIA:
        seen = [e for e in of if e.stage_ms(Stage.DIFFUSION) <= f.china_ms(first)]
        for e in seen:
            time_ms = f.china_ms(first) + int(rng.integers(0, hours(2)))
            fields = {"actor_role": role.value, "title": title, "actor_followers": 10_000_000}
            rows.append((time_ms, e.number, ACTION_CODE[Action.MEDIA_REPORT], medium, fields))
    visited = [e for e in of if e.episode == 1]
    for day in range(OFFLINE_DAYS):
        for e in visited:
            # Museums are open from nine to five.
            opening_ms = f.china_ms(OFFLINE_FROM) + hours(24 * day)
            for k, at_ms in enumerate(rng.integers(0, hours(8), OFFLINE_VISITS_A_DAY)):
                actor = f"visitor-{day}-{e.number}-{k}"
                rows.append(
                    (opening_ms + int(at_ms), e.number, ACTION_CODE[Action.OFFLINE], actor, {})
                )
    rows += _entries(of)
    return single_events(row for row in rows if row[0] < f.ENDS_MS)


def _entries(of: list[Episode]) -> list[tuple[int, int, int, str | None, dict[str, Any]]]:
    """Return the comments with which those of each role enter the discussion, under the first."""
    first = min(of, key=lambda episode: episode.released_ms)
    rows: list[tuple[int, int, int, str | None, dict[str, Any]]] = []
    for role, time_ms in ELITES_ENTER_MS.items():
        said = {"comment_id": f"{first.video_id}-{role.value}", "text": ENTRY_TEXT}
        fields = {"actor_role": role.value, "actor_followers": 1_000_000} | said
        row = (time_ms, first.number, ACTION_CODE[Action.COMMENT], f"{role.value}-1", fields)
        rows.append(row)
    return rows


def events(rng: np.random.Generator, of: list[Episode]) -> list[pl.DataFrame]:
    """Return what people did with the episodes."""
    return events_of(rng, episode_videos(of))
