"""The scenario "british-museum": the seeds' case, incidents beside it, and ordinary life."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from models.parameters import DAY_MS
from models.vocabulary import Stage
from streams.scenarios import case, derivatives, incidents, judged_anew, museum_nights
from streams.scenarios import figures as f
from streams.scenarios.event_blocks import as_lines
from streams.scenarios.ordinary import ordinary_life
from streams.scenarios.planted_mechanisms import planted_mechanisms
from streams.scenarios.truth import Kind, Truth

NAME: Final = "british-museum"
SEED: Final = 20230830
"""The default seed; any other gives another week with the same truth."""

EVENTS_AT_ONCE: Final = 16_384
"""Events turned into Python objects at a time; the rest stays in columns."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Events with known truth.

    Attributes:
        name: The scenario's name.
        events: Columns `arrival_ms` (int64, when the platform sends it) and `line` (JSON text), in
            the order of arrival.
        truth: What is planted.
        actions: What people tell that they did about hotspots (docs/actions.md), JSON objects.
    """

    name: str
    events: pl.DataFrame
    truth: Truth
    actions: tuple[bytes, ...] = ()

    def timed_events(self) -> Iterator[tuple[int, bytes]]:
        """Yield when the platform sends each event (ms since the epoch), and its bytes."""
        for part in self.events.iter_slices(EVENTS_AT_ONCE):
            for arrival_ms, line in part.iter_rows():
                yield arrival_ms, line.encode()


def british_museum(seed: int = SEED, ordinary_videos: int = f.ORDINARY_VIDEOS) -> Scenario:
    """Generate the scenario; the same seed gives the same bytes (with the same numpy).

    Args:
        seed: Of all chance.
        ordinary_videos: How many ordinary videos live beside the case (fewer for tests).
    """
    # One stream of chance for each part: changing one part leaves the others as they are.
    chance = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(12)]
    names, published_ms, blocks = ordinary_life(chance[0], 0, ordinary_videos)
    kinds = dict.fromkeys(names, Kind.ORDINARY)
    taken_up_ms: dict[str, int] = {}
    lived_ms = float((f.ENDS_MS - published_ms).sum())

    episodes = case.episodes(len(names))
    names += [(e.platform, e.video_id) for e in episodes]
    kinds |= {(e.platform, e.video_id): Kind.EPISODE for e in episodes}
    blocks += [
        case.publications(episodes),
        *case.events(chance[1], episodes),
        case.reports(chance[2], episodes),
    ]
    for kind, rng, make in (
        (Kind.DERIVATIVE, chance[3], derivatives.originals),
        (Kind.NEAR_COPY, chance[4], derivatives.near_copies),
    ):
        made, made_ms, made_blocks = make(rng, len(names), episodes)
        kinds |= dict.fromkeys(made, kind)
        lived_ms += float((f.ENDS_MS - made_ms).sum())
        for (platform, _), time_ms in zip(made, made_ms.tolist(), strict=True):
            taken_up_ms[platform] = min(time_ms, taken_up_ms.get(platform, time_ms))
        names += made
        blocks += made_blocks
    for name, kind, rng, make_one in (
        (incidents.EXCLUDED, Kind.EXCLUDED, chance[5], incidents.excluded),
        (incidents.IGNORED, Kind.IGNORED, chance[6], incidents.ignored),
        (incidents.BOTS, Kind.BOTS, chance[7], incidents.bots),
        (incidents.WISH, Kind.ORDINARY, chance[7], incidents.wish),
        (judged_anew.DISPUTED, Kind.DISPUTED, chance[8], judged_anew.disputed),
        (judged_anew.REJECTED, Kind.REJECTED, chance[9], judged_anew.rejected),
        (judged_anew.REDISCOVERED, Kind.REDISCOVERED, chance[10], judged_anew.rediscovered),
    ):
        blocks += make_one(rng, len(names))
        names.append(name)
        kinds[name] = kind
    blocks += museum_nights.nights(chance[11], len(names))
    names += museum_nights.NAMES
    kinds |= dict.fromkeys(museum_nights.NAMES, Kind.NIGHT)
    discussed = {(*name, Stage.INTERACTION) for name in museum_nights.NAMES}
    planted = [
        *case.planted_transitions(episodes),
        *incidents.planted_transitions(),
        *judged_anew.planted_transitions(),
    ]
    mechanisms = planted_mechanisms(episodes, taken_up_ms)
    return Scenario(
        name=NAME,
        events=as_lines(blocks, names),
        truth=Truth(
            planted=tuple(sorted(planted, key=lambda p: (p.time_ms, p.video_id))),
            kinds=kinds,
            video_days=lived_ms / DAY_MS,
            tolerated=frozenset({(*incidents.IGNORED, Stage.JUDGMENT), *discussed}),
            mechanisms=tuple(sorted(mechanisms, key=lambda p: (p.time_ms, p.subject, p.what))),
        ),
        actions=museum_nights.actions(),
    )
