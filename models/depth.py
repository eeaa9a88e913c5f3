"""The depth index: how deep a hotspot goes, in components from 0 to 1, each visible.

Reach alone makes no cultural hotspot: deep value is stimulated in interaction, then enlarged by
diffusion (seed 000, section 3.1). What of that shows in who takes part (models/participation.py) is
gathered here. Every component is a share of people, exchanges, roles or events, so none needs a
scale of its own; one of which too little is known is left out. The index is their arithmetic mean:
equal weights, where nothing says which counts more, as composite indicators are built by default
[1].

References:
    [1] OECD, "Handbook on Constructing Composite Indicators", 2008, section 1.6.
    [2] seed 004, section 3.1: users are no longer confined to liking or viewing; 3.3: stability
        and persistence of their willingness to take part; 1.2: the brand answers.
    [3] seed 000, section 3.1: numerous recipients connected through weak relationships; 3.2:
        the participation of mainstream media, social elites, experts and scholars.
    [4] seed 001, section 1.2: empathy among audiences of different cultures.
    [5] C. Gini's index of diversity, as E. Simpson, "Measurement of diversity", Nature 163, 1949,
        has it: the chance that two events come from different regions.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models import sketches
from models.guidance_rules import ELITE_CODES
from models.parameters import DAY_MS
from models.people_sample import Depth

LEAST: Final = 20
"""People, replies, exchanges or events of which a share is told: half of its interval is then at
most 0.22 wide (0.98 / sqrt(20)), and fewer would move the index more than they say."""


@dataclass(frozen=True, slots=True)
class DepthIndex:
    """How deep a work goes.

    Attributes:
        components: By name, each from 0 to 1; those known.
    """

    components: dict[str, float]

    @property
    def index(self) -> float:
        """Their mean."""
        return sum(self.components.values()) / len(self.components)

    def figures(self) -> dict[str, Any]:
        """Return what an alert says, JSON-ready."""
        rounded = {name: round(value, 3) for name, value in self.components.items()}
        return {"index": round(self.index, 3), "components": rounded}


def depth_of(record: npt.NDArray[np.void]) -> DepthIndex | None:
    """Return how deep the participation goes; None where too little is known of all of it.

    Args:
        record: PARTICIPATION[1], of a work's videos merged.
    """
    one = record[0]
    found = {
        "deepening": _deepening(one["people"]),
        "persistence": _persistence(one["people"], int(one["last_ms"])),
        "dialogue": _share(one["dialogue"][0]["replies"], _comments(one)),
        "weak_ties": _weak_ties(one["dialogue"][0]),
        "response": _share(one["dialogue"][0]["answered"], one["dialogue"][0]["answerable"]),
        "elites": _elites(one),
        "regions": _regions(one),
    }
    known = {name: value for name, value in found.items() if value is not None}
    return DepthIndex(known) if known else None


def _share(part: int, of: int) -> float | None:
    return min(max(float(part) / float(of), 0.0), 1.0) if of >= LEAST else None


def _comments(one: np.void) -> int:
    dialogue = one["dialogue"][0]
    return int(dialogue["comments"]) + int(dialogue["replies"])


def _deepening(people: npt.NDArray[np.void]) -> float | None:
    """Of those who judged, spoke or created: who moved up, from their first act to a deeper one."""
    took_part = people[(people["key"] != 0) & (people["deepest_act"] > Depth.WATCH)]
    return _share(int((took_part["deepest_act"] > took_part["first_act"]).sum()), len(took_part))


def _persistence(people: npt.NDArray[np.void], last_ms: int) -> float | None:
    """Of those who came a day or more ago: who came back on another day."""
    there = (people["key"] != 0) & (
        people["first_minute"].astype(np.int64) * 60_000 // DAY_MS < last_ms // DAY_MS
    )
    return _share(int((np.bitwise_count(people["days"][there]) > 1).sum()), int(there.sum()))


def _weak_ties(dialogue: np.void) -> float | None:
    """Of the exchanges: those between people who had not met, as many as there are pairs."""
    pairs = sketches.estimate(np.ascontiguousarray(dialogue["pairs"]))
    return _share(round(pairs), int(dialogue["exchanges"]))


def _elites(one: np.void) -> float | None:
    """Of media, elites, experts and officials: how many have entered the discussion."""
    if _comments(one) < LEAST:
        return None
    return float((one["entry_ms"][list(ELITE_CODES)] > 0).mean())


def _regions(one: np.void) -> float | None:
    """The chance that two events come from different regions [5]; what is not counted differs."""
    located = int(one["located"])
    if located < LEAST:
        return None
    least = one["regions"]["count"].astype(np.float64) - one["regions"]["error"]
    return float(1 - ((least / located) ** 2).sum())
