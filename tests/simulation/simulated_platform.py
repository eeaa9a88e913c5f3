"""A small platform drawn from a seed: a few videos, all kinds of events, and some that are bad."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from models.events import END_MARK_KEY
from models.parameters import DAY_MS, HOUR_MS, Level, Parameters

START_MS = 1_693_353_600_000
"""A midnight (2023-08-30 00:00 UTC): epochs begin with it."""

BAD_LINES = (b"{", b"[]", b'{"time": 1}', b"\xff\xfe", b'{"time": "x", "platform": "p"}')
ACTIONS = ("view", "view", "view", "like", "like", "comment", "share", "skip", "bookmark")


PUSHED = "v1"
"""The video whose accounts are new: when it is acted on enough, it is suspected to be pushed."""


WORKS = 4


@dataclass(frozen=True)
class Platform:
    """What the platform sends, and the parameters it is watched with."""

    parameters: Parameters
    sources: list[list[tuple[bytes | None, bytes | None]]]
    """Keys and values of each source partition; the last is its end mark."""
    actions: list[bytes]
    """What its team tells on `guidance-actions`."""
    events: int
    is_order_free: bool
    """Whether nothing in it depends on the order in which source partitions are read: no profile
    comes late (it holds from the next bucket on that is not closed yet, and which one that is, the
    log says), and no id is repeated on another partition (the first in the log counts)."""


def draw_actions(seed: int) -> list[bytes]:
    """Draw what the team of a platform tells: every other one acts, and tells some of it twice.

    Half of those say that a name and the same one written differently are two works.
    """
    choices = random.Random(seed)  # noqa: S311 - the same in each history of that seed
    if seed % 2:
        return []
    told: list[bytes] = []
    for number in range(choices.choice((1, 1, 2, 4))):
        video = {"platform": "p", "video_id": choices.choice(("v0", "v1", "d0", "d1", "d2"))}
        action = {
            "action_id": f"act{number}",
            "taken_at": START_MS + choices.randrange(-10_000, 60_000),
            "level": "interaction",
            "kind": "pin_comment",
            **(video if choices.random() < 0.8 else {"topic": "work1"}),
        }
        told.append(json.dumps(action).encode())
        if choices.random() < 0.2:
            told.append(choices.choice((*told, *BAD_LINES)))
    for work in choices.sample(range(WORKS), choices.choice((0, 0, 1, 2))):
        split = {
            "action_id": f"split{work}",
            "taken_at": START_MS + choices.randrange(-10_000, 60_000),
            "level": "dissemination",
            "kind": "split_topics",
            "topic": topic_of(work),
            "split_from": topic_of(work + WORKS),
        }
        told.insert(choices.randrange(len(told) + 1), json.dumps(split).encode())
    return told


def topic_of(number: int) -> str:
    """Return a topic: each of WORKS works goes by a name that is written in two ways."""
    work = number % WORKS
    return f"work{work}" if number % (2 * WORKS) < WORKS else f"WORK {work}"


def draw_platform(
    choices: random.Random, alerts_per_day: int = 0, actions: Sequence[bytes] = ()
) -> Platform:
    """Draw one, whose team can read so many alerts a day, and tells these actions."""
    bucket_ms = 10_000
    parameters = Parameters(
        partitions=choices.choice((1, 2, 2, 3)),
        bucket_ms=bucket_ms,
        epoch_ms=bucket_ms * choices.choice((3, 6)),
        allowed_lateness_ms=choices.choice((0, 2_000, 15_000)),
        alarm_rate_per_video_day=0.5,
        alerts_per_day=alerts_per_day,
        level=Level("view", choices.choice((20, 200))),
        emerging_probability=choices.choice((0.2, 0.6)),
        expire_after_ms=choices.choice((30 * DAY_MS, 4 * bucket_ms)),
        repeat_window_ms=choices.choice((HOUR_MS, 3 * bucket_ms)),
        effect_window_ms=bucket_ms,
    )
    videos = [f"v{number}" for number in range(choices.randint(2, 6))]
    count = choices.randint(50, 400)
    span_ms = bucket_ms * choices.randint(3, 10)
    sources: list[list[bytes]] = [[] for _ in range(choices.choice((1, 2, 3)))]
    hot = choices.choice(videos)
    is_order_free = choices.random() < 0.6
    for number in range(count):
        at_ms = span_ms * number // count
        source = choices.choice(sources)
        source.append(
            _line(choices, videos, hot, number, at_ms, bucket_ms, late_profiles=not is_order_free)
        )
        if choices.random() < 0.05:
            # What has an id counts once.
            again = source if is_order_free else choices.choice(sources)
            again.append(choices.choice(source[-10:]))
        if choices.random() < 0.02:
            source.append(choices.choice(BAD_LINES))
    return Platform(
        parameters,
        [[*((None, line) for line in source), (END_MARK_KEY, None)] for source in sources],
        list(actions),
        count,
        is_order_free,
    )


def _line(
    choices: random.Random,
    videos: list[str],
    hot: str,
    number: int,
    at_ms: int,
    bucket_ms: int,
    *,
    late_profiles: bool,
) -> bytes:
    """Draw one event."""
    jitter_ms = choices.randrange(2_000)
    if choices.random() < 0.04:
        jitter_ms += choices.randrange(5 * bucket_ms)  # late
    event: dict[str, object] = {
        "time": max(START_MS, START_MS + at_ms - jitter_ms),
        "platform": "p",
        "video_id": hot if choices.random() < 0.4 else choices.choice(videos),
        "action": choices.choice(ACTIONS),
        "actor_id": f"a{choices.randrange(60)}",
    }
    if number % 3 == 0:
        pushed = event["video_id"] == PUSHED
        event |= _details(random.Random(number), number, pushed=pushed)  # noqa: S311 - the same in each history
    if choices.random() < 0.3:
        event["event_id"] = f"e{number}"
    if choices.random() < 0.2:
        event["count"] = choices.choice((2, 30, 400))
    kind = choices.random()
    if kind < 0.05:
        event |= {"action": "retract", "retracts": choices.choice(("like", "share"))}
        event.pop("count", None)
    elif kind < 0.09:
        event |= {
            "action": "derive",
            "source_video_id": event["video_id"],
            "video_id": f"d{choices.randrange(3)}",
            "topics": [topic_of(number)],
        }
        event.pop("count", None)
    elif kind < 0.13:
        event |= {
            "action": "publish",
            "title": f"t{number}",
            "topics": [topic_of(number)],
        } | _made_by(number)
        event.pop("count", None)
    if "topics" in event and not late_profiles:
        event["time"] = START_MS + at_ms
    elif 0.13 < kind < 0.14:
        event |= {"action": choices.choice(("delete", "restore"))}
        event.pop("count", None)
    return json.dumps(event).encode()


def _made_by(number: int) -> dict[str, object]:
    """Return what a publication says of its creator and kind, the same in each history."""
    return {
        "creator_id": f"c{number % 3}",
        "creator_followers": 10 * number,
        "mcn": f"m{number % 2}",
        "vertical": f"kind{number % 2}",
        "labels": ["advert"] if number % 5 == 0 else ["original"],
    }


def _details(choices: random.Random, number: int, *, pushed: bool) -> dict[str, object]:
    """Draw what an event says beyond who did what when."""
    return {
        "actor_role": choices.choice(("ordinary", "creator", "media", "expert")),
        "actor_region": choices.choice(("江苏", "CN-SH", "US")),
        "actor_age_days": 0 if pushed else choices.randrange(1_000),
        "actor_followers": choices.randrange(10_000),
        "via_actor_id": f"a{choices.randrange(20)}",
        "comment_id": f"c{number}",
        "parent_id": f"c{number - 3 * choices.randrange(1, 6)}",
        "sentiment": choices.choice((-0.5, 0.25, 1)),
        "watch_ms": choices.randrange(60_000),
    }


LEARNED_VIDEOS = 160
"""Enough that of those which a candidate is judged by ten reach the level, and ten do not."""


def draw_learning_platform(choices: random.Random) -> Platform:
    """Draw one whose outcomes mature in time, and from which something can be learned.

    Videos begin one after the other; those that are liked will be seen, the rest fades.
    """
    bucket_ms = 10_000
    parameters = Parameters(
        partitions=choices.choice((1, 2)),
        bucket_ms=bucket_ms,
        epoch_ms=6 * bucket_ms,
        level=Level("view", 100),
        horizon_ms=12 * bucket_ms,
        emerging_probability=0.6,
        expire_after_ms=30 * DAY_MS,
    )
    lines: list[tuple[int, bytes]] = []
    for number in range(LEARNED_VIDEOS):
        begun_ms = START_MS + number * bucket_ms // 3 + choices.randrange(bucket_ms)
        liked = choices.random() < 0.5
        for step in range(12):
            at_ms = begun_ms + step * 8_000 + choices.randrange(4_000)
            views = choices.randint(4, 9) if step < 4 or not liked else choices.randint(8, 20)
            event = {"time": at_ms, "platform": "p", "video_id": f"v{number}"}
            lines.append((at_ms, json.dumps(event | {"action": "view", "count": views}).encode()))
            if liked:
                lines.append((at_ms, json.dumps(event | {"action": "like", "count": 2}).encode()))
    lines.sort(key=lambda line: line[0])
    sources: list[list[tuple[bytes | None, bytes | None]]] = [
        [] for _ in range(choices.choice((1, 2)))
    ]
    for _, line in lines:
        choices.choice(sources).append((None, line))
    for source in sources:
        source.append((END_MARK_KEY, None))
    return Platform(parameters, sources, [], len(lines), is_order_free=True)
