"""The depth index: how deep a hotspot goes, in components from 0 to 1, each visible.

Reach alone makes no cultural hotspot: deep value is stimulated in interaction, then enlarged by
diffusion (seed 000, section 3.1). What of that shows in who takes part (models/participation.py) is
gathered here. Every component is a share of people, exchanges, roles or events, so none needs a
scale of its own; one of which too little is known is left out. The index is their arithmetic mean:
equal weights, where nothing says which counts more, as composite indicators are built by default
[1]. The components:

- `deepening`: of those who took part, how many moved up to a deeper act than their first: users are
  no longer confined to liking or viewing [2, 3.1].
- `persistence`: of those who could, how many came back on another day: stability and persistence of
  the willingness to take part [2, 3.3].
- `dialogue`: the share of replies among all comments: messages that refer to earlier messages are
  what makes a conversation interactive [4]; in it the value ecosystem of the comment section forms
  [3, 3.2].
- `weak_ties`: of the exchanges, those between people who had not met: recipients are connected
  through weak relationships [3, 3.2], which carry what is new from circle to circle [5].
- `response`: of the comments, those that the creator or a brand answered [2, 1.2].
- `elites`: of mainstream media, elites, experts and officials, how many have entered, since they
  improve the quality of weak-tie interaction [3, 3.2].
- `regions`: the chance that two events come from different regions, which is Gini's index of
  diversity as Simpson has it [6]: empathy among audiences of different cultures [7].

The index of one work says little by itself: components are of different kinds, and not all are
known of each. So works are compared, in what is known of both (`cultural_of`): reach is accompanied
by depth where a work goes deeper than most others that the monitor looks at.

References:
    [1] OECD, "Handbook on Constructing Composite Indicators", 2008, section 1.6.
    [2] seed 004, sections 1.2, 3.1 and 3.3.
    [3] seed 000, sections 3.1 and 3.2.
    [4] S. Rafaeli, F. Sudweeks, "Networked Interactivity", Journal of Computer-Mediated
        Communication 2 (4), 1997.
    [5] M. Granovetter, "The Strength of Weak Ties", American Journal of Sociology 1973.
    [6] E. Simpson, "Measurement of diversity", Nature 163, 1949.
    [7] seed 001, section 1.2.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models import sketches
from models.guidance_rules import ELITE_CODES
from models.homogenisation import MAJORITY, wilson_interval
from models.parameters import DAY_MS, MINUTE_MS
from models.people_sample import Depth

LEAST: Final = 20
"""People, replies, exchanges or events of which a share is told: half of its interval is then at
most 0.22 wide (0.98 / sqrt(20)), and fewer would move the index more than they say."""

LEAST_COMMON: Final = 2
"""Components that both works must be known by to be compared: by one alone it would be that
component, and not depth, that is compared."""

_WORDS: Final = {
    "deepening": "people move up to deeper acts",
    "persistence": "people come back on other days",
    "dialogue": "people answer each other",
    "weak_ties": "strangers meet",
    "response": "the creator answers",
    "elites": "media, elites, experts or officials take part",
    "regions": "people of different regions take part",
}

Components = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class DepthIndex:
    """How deep a work goes.

    Attributes:
        components: By name, each from 0 to 1; those known, one at least.
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


@dataclass(frozen=True, slots=True)
class Cultural:
    """Whether depth accompanies the reach of a work.

    Attributes:
        deeper_than: How many other works it goes deeper than.
        of: With how many it was compared.
        strongest: The components in which it lies highest above the others, two at the most.
    """

    deeper_than: int
    of: int
    strongest: tuple[str, ...]

    @property
    def holds(self) -> bool | None:
        """Whether it goes deeper than most, with 95 % confidence; None: too few to tell."""
        if not self.of or wilson_interval(self.of, self.of)[0] <= MAJORITY:
            return None
        return wilson_interval(self.deeper_than, self.of)[0] > MAJORITY

    def figures(self) -> dict[str, Any]:
        """Return what an alert says, JSON-ready."""
        return {
            "holds": self.holds,
            "deeper_than": self.deeper_than,
            "of": self.of,
            "why": self._why(),
        }

    def _why(self) -> str:
        if self.holds is None:
            return f"too few other works are known as well to tell ({self.of})"
        compared = f"deeper than {self.deeper_than} of {self.of} other works that were looked at"
        if not self.holds:
            return f"reach without more depth than others: {compared}"
        above = " and ".join(_WORDS[name] for name in self.strongest)
        return f"depth accompanies reach: {compared}; above all, {above}"


def cultural_of(one: DepthIndex, others: Iterable[Components]) -> Cultural:
    """Hold the depth of a work against that of others, each in what is known of both.

    Args:
        one: The work's.
        others: Components of the others.
    """
    deeper = of = 0
    above: dict[str, list[float]] = {}
    for other in others:
        common = [name for name in one.components if name in other]
        if len(common) < LEAST_COMMON:
            continue
        lead = {name: one.components[name] - other[name] for name in common}
        of += 1
        deeper += sum(lead.values()) > 0
        for name in common:
            above.setdefault(name, []).append(lead[name])
    leads = {name: sum(some) / len(some) for name, some in above.items()}
    order = sorted(leads, key=lambda name: (-leads[name], name))
    return Cultural(deeper, of, tuple(name for name in order if leads[name] > 0)[:2])


def depth_of(record: npt.NDArray[np.void]) -> DepthIndex | None:
    """Return how deep the participation goes; None where too little is known of all of it.

    Args:
        record: PARTICIPATION[1], of a work's videos merged.
    """
    one = record[0]
    found = {
        "deepening": _deepening(one["people"]),
        "persistence": _persistence(one["people"], int(one["last_ms"])),
        "dialogue": share_of(one["dialogue"][0]["replies"], comments_of(one)),
        "weak_ties": _weak_ties(one["dialogue"][0]),
        "response": share_of(one["dialogue"][0]["answered"], one["dialogue"][0]["answerable"]),
        "elites": _elites(one),
        "regions": _regions(one),
    }
    known = {name: value for name, value in found.items() if value is not None}
    return DepthIndex(known) if known else None


def share_of(part: int, of: int) -> float | None:
    """Return a share from 0 to 1; None where it is of fewer than LEAST."""
    return min(max(float(part) / float(of), 0.0), 1.0) if of >= LEAST else None


def comments_of(one: np.void) -> int:
    """Return how many comments and replies a record of PARTICIPATION has."""
    dialogue = one["dialogue"][0]
    return int(dialogue["comments"]) + int(dialogue["replies"])


def _deepening(people: npt.NDArray[np.void]) -> float | None:
    """Of those who judged, spoke or created: who moved up, from their first act to a deeper one."""
    took_part = people[(people["key"] != 0) & (people["deepest_act"] > Depth.WATCH)]
    return share_of(int((took_part["deepest_act"] > took_part["first_act"]).sum()), len(took_part))


def _persistence(people: npt.NDArray[np.void], last_ms: int) -> float | None:
    """Of those who came on a day before the last: who came back on another day."""
    there = (people["key"] != 0) & (
        people["first_minute"].astype(np.int64) * MINUTE_MS // DAY_MS < last_ms // DAY_MS
    )
    return share_of(int((np.bitwise_count(people["days"][there]) > 1).sum()), int(there.sum()))


def _weak_ties(dialogue: np.void) -> float | None:
    """Of the exchanges: those between people who had not met, as many as there are pairs."""
    pairs = sketches.estimate(np.ascontiguousarray(dialogue["pairs"]))
    return share_of(round(pairs), int(dialogue["exchanges"]))


def _elites(one: np.void) -> float | None:
    """Of media, elites, experts and officials: how many have entered the discussion."""
    if comments_of(one) < LEAST:
        return None
    return float((one["entry_ms"][list(ELITE_CODES)] > 0).mean())


def _regions(one: np.void) -> float | None:
    """The chance that two events come from different regions [6]; what is not counted differs."""
    located = int(one["located"])
    if located < LEAST:
        return None
    least = one["regions"]["count"].astype(np.float64) - one["regions"]["error"]
    return float(np.clip(1 - ((least / located) ** 2).sum(), 0.0, 1.0))
