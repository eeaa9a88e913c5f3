"""What can be done about a hotspot, and when it is worth saying: rules over columns of works.

The papers ask for guidance on three levels [1]: *creative* (what is made, and how), *interaction*
(bring in media and experts, highlight quality comments, guide negative value) and *dissemination*
(encourage deeper creations, warn of homogenisation). A rule says when it holds and when it is over;
between the two nothing moves (models/guidance.py), so that it is raised once. What it goes by was
found with evidence before (models/transitions.py), so rules add few limits of their own.

References:
    [1] seed 000, section 4, strategies (1) to (3).
    [2] seed 000, section 3.1: exclusion may potentially lead to the interruption of dissemination.
    [3] seed 000, section 3.2, third stage: the participation of mainstream media, social elites,
        experts and scholars significantly improves the quality of weak-tie interaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.alerts import AlertType, rfc3339
from models.cohorts import SIGNALS
from models.homogenisation import MAJORITY, Homogenisation
from models.transitions import ACTIVITY_HALF_LIFE_MS, COLLAPSE
from models.vocabulary import ROLES, Role, Route, Signal, Stage
from models.works import ROUTES

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.void]

ELITES: Final = (Role.MEDIA, Role.ELITE, Role.EXPERT, Role.OFFICIAL)
"""Whose entry deepens a discussion: mainstream media, social elites, experts and scholars [3], and
officials, who are both."""

ELITE_CODES: Final = tuple(ROLES.index(role) for role in ELITES)
ELITE_MASK: Final = sum(1 << code for code in ELITE_CODES)

WAIT_MS: Final = ACTIVITY_HALF_LIFE_MS
"""Experts are wanted when none has come in so long: a discussion that was left for one half-life of
activity has passed its height. In the seeds' case the first of the mainstream media came a day
after the first episode."""

BEYOND_JUDGMENT: Final = 1 << Stage.INTERACTION | 1 << Stage.DIFFUSION
"""Stages that exclusion has not interrupted."""

RISK: Final = COLLAPSE**0.5
"""Dissemination is at risk when activity has fallen half of the way to its collapse, on a
logarithmic scale, as activity falls; the risk is over when half of that is won back. The daily
rhythm alone brings smoothed activity to 0.56 of its highest (transitions.ACTIVITY_HALF_LIFE_MS)."""

RISK_OVER: Final = RISK**0.5

_EXCLUSION = ROUTES.index(Route.EXCLUSION)
_FOR, _NOT_FOR = int(Signal.IDENTIFICATION), int(Signal.EXCLUSION)


class GuidanceLevel(StrEnum):
    """On which level something can be done [1]."""

    CREATIVE = "creative"
    INTERACTION = "interaction"
    DISSEMINATION = "dissemination"


class Urgency(StrEnum):
    """How soon it is worth doing: the most urgent first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class GuidanceReason(StrEnum):
    """Why guidance is given: the closed set."""

    EXCLUSION_ENTERED = "exclusion_entered"
    EXCLUSION_WITH_FALLING_DISSEMINATION = "exclusion_with_falling_dissemination"
    MOST_DERIVATIVES_ARE_NEAR_COPIES = "most_derivatives_are_near_copies"
    DISCUSSED_WITHOUT_EXPERTS = "discussed_without_experts"
    ROLE_ENTERED = "role_entered"
    ORIGINAL_DERIVATIVE_GOES_DEEP = "original_derivative_goes_deep"
    COMMENTS_TAKEN_UP = "comments_taken_up"
    SYMBOLS_WITH_RESONANCE = "symbols_rise_with_resonance"


GUIDED_NUMBERS: Final = (
    ("slot", np.int64),
    ("episode", np.int64),
    ("interaction_ms", np.int64),
    ("excluded_ms", np.int64),
    ("excluded_told_ms", np.int64),
    ("acted_before", np.int64, (SIGNALS,)),
    ("acted_recent", np.float64, (SIGNALS,)),
    ("roles_told", np.int64),
    ("creations_told", np.int64),
    ("comments_told", np.bool_),
    ("symbols_told", np.bool_),
)
"""What guidance keeps of a work besides its rules (guidance.GUIDED).

slot: The work's, -1 for none. episode: That all else belongs to. interaction_ms: When a video of
its first entered interaction, 0: none has. excluded_ms: When one last entered a stage by exclusion;
excluded_told_ms: that which was told. acted_before: Events per signal at the last look.
acted_recent: Those of late, fading with ACTIVITY_HALF_LIFE_MS. roles_told: Bit mask of those whose
entry was told. creations_told: How many deep creations were.
comments_told: Whether comments worth highlighting were; symbols_told: whether symbols that people
feel for were."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Some works at a look.

    Attributes:
        works: WORK[n].
        guided: guidance.GUIDED[n], what is kept of them.
        heat_share: float64[n], activity as a share of its peak.
        homogenisation: What the derivatives of each are like.
        now_ms: The end of what was decided.
        roles_are_told: Whether the platforms tell of elites at all.
    """

    works: Rows
    guided: Rows
    heat_share: Floats
    homogenisation: Sequence[Homogenisation | None]
    now_ms: int
    roles_are_told: bool

    def judged(self, at: int) -> tuple[float, float]:
        """Return how many identified with a work of late, and how many did not."""
        recent = self.guided["acted_recent"][at]
        return float(recent[_FOR]), float(recent[_NOT_FOR])


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of guidance.

    Attributes:
        type: Of its alerts.
        reason: Why it is raised.
        level: On which level something can be done.
        suggestion: What.
        judge: Tells bool[n], where it holds, and bool[n], where it is over.
        urgency: Of the work at a position.
        figures: Likewise.
    """

    type: AlertType
    reason: GuidanceReason
    level: GuidanceLevel
    suggestion: str
    judge: Callable[[Looked], tuple[Flags, Flags]]
    urgency: Callable[[Looked, int], Urgency]
    figures: Callable[[Looked, int], dict[str, Any]]


# -- a surge of negative value ----------------------------------------------------------------


def _surges(looked: Looked) -> tuple[Flags, Flags]:
    """It holds from a stage entered by exclusion on; it is over when people judge as before."""
    guided, works = looked.guided, looked.works
    holds = guided["excluded_ms"] > guided["excluded_told_ms"]
    recent, whole = guided["acted_recent"], works["acted"]
    before = np.maximum(whole - recent, 0)
    over = _exclusion_share(recent) <= _exclusion_share(before)
    return holds, over & ~holds


def _exclusion_share(acted: npt.NDArray[Any]) -> Floats:
    judged = acted[:, _FOR] + acted[:, _NOT_FOR]
    return np.asarray(acted[:, _NOT_FOR] / np.maximum(judged, 1), np.float64)


def _surge_urgency(looked: Looked, at: int) -> Urgency:
    identified, excluded = looked.judged(at)
    return Urgency.HIGH if excluded >= identified else Urgency.MEDIUM


def _surge_figures(looked: Looked, at: int) -> dict[str, Any]:
    identified, excluded = looked.judged(at)
    whole = looked.works["acted"][at]
    return {
        "exclusion_recent": round(excluded, 1),
        "identification_recent": round(identified, 1),
        "exclusion": int(whole[_NOT_FOR]),
        "identification": int(whole[_FOR]),
        "half_life_ms": ACTIVITY_HALF_LIFE_MS,
        "entered_at": rfc3339(int(looked.guided["excluded_ms"][at])),
    }


# -- exclusion that may interrupt -------------------------------------------------------------


def _at_risk(looked: Looked) -> tuple[Flags, Flags]:
    """It holds of what may end `interrupted` (transitions.end), and of nothing else.

    What has led into interaction or diffusion has been disseminated: it fades as all does, and so
    does what many take the side of.
    """
    carried_on = looked.works["stages"] & BEYOND_JUDGMENT != 0
    rejected = (looked.works["route"] == _EXCLUSION) & ~carried_on
    falling = (looked.heat_share <= RISK) & (looked.heat_share > COLLAPSE)
    over = ~rejected | (looked.heat_share >= RISK_OVER)
    return rejected & falling, over


def _risk_figures(looked: Looked, at: int) -> dict[str, Any]:
    identified, excluded = looked.judged(at)
    return {
        "activity_share_of_peak": round(float(looked.heat_share[at]), 3),
        "risk_from": round(RISK, 3),
        "interrupted_at": COLLAPSE,
        "exclusion_recent": round(excluded, 1),
        "identification_recent": round(identified, 1),
    }


# -- homogenisation ---------------------------------------------------------------------------


def _homogenises(looked: Looked) -> tuple[Flags, Flags]:
    found = looked.homogenisation
    holds = np.array([one is not None and one.low > MAJORITY for one in found], np.bool_)
    over = np.array([one is None or one.high < MAJORITY for one in found], np.bool_)
    return holds, over


def _homogenisation_figures(looked: Looked, at: int) -> dict[str, Any]:
    found = looked.homogenisation[at]
    return {} if found is None else found.figures()


# -- experts wanted ---------------------------------------------------------------------------


def _wants_experts(looked: Looked) -> tuple[Flags, Flags]:
    works, since_ms = looked.works, looked.guided["interaction_ms"]
    hotspot = works["emerging"] | works["confirmed"]
    waited = (since_ms > 0) & (looked.now_ms - since_ms >= WAIT_MS)
    none = works["roles"] & ELITE_MASK == 0
    return hotspot & waited & none & looked.roles_are_told, ~none


def _experts_figures(looked: Looked, at: int) -> dict[str, Any]:
    works, since_ms = looked.works[at], int(looked.guided["interaction_ms"][at])
    return {
        "interactions": int(works["acted"][Signal.INTERACTION]),
        "interactions_recent": round(float(looked.guided["acted_recent"][at][Signal.INTERACTION])),
        "views": int(works["views"]),
        "discussed_since": rfc3339(since_ms),
        "hours": round((looked.now_ms - since_ms) / 3_600_000, 1),
        "stages": [stage.name.lower() for stage in Stage if works["stages"] >> stage & 1],
    }


def _always(urgency: Urgency) -> Callable[[Looked, int], Urgency]:
    return lambda _looked, _at: urgency


RULES: Final = (
    Rule(
        AlertType.NEGATIVE_VALUE_SURGE,
        GuidanceReason.EXCLUSION_ENTERED,
        GuidanceLevel.INTERACTION,
        "Find out what people reject: read the latest comments, answer in the creator's name, and "
        "pin a comment that explains; check the labels before the platform's push is raised.",
        _surges,
        _surge_urgency,
        _surge_figures,
    ),
    Rule(
        AlertType.INTERRUPTION_RISK,
        GuidanceReason.EXCLUSION_WITH_FALLING_DISSEMINATION,
        GuidanceLevel.INTERACTION,
        "Decide now whether it is worth carrying on: if so, bring in a voice that people trust and "
        "highlight reasoned comments; if not, let it end, and do not push it.",
        _at_risk,
        _always(Urgency.HIGH),
        _risk_figures,
    ),
    Rule(
        AlertType.HOMOGENISATION,
        GuidanceReason.MOST_DERIVATIVES_ARE_NEAR_COPIES,
        GuidanceLevel.DISSEMINATION,
        "Show fewer of the near-copies and more of what differs; invite creations from another "
        "angle (a topic page, a challenge with a question instead of a template).",
        _homogenises,
        _always(Urgency.MEDIUM),
        _homogenisation_figures,
    ),
    Rule(
        AlertType.EXPERTS_WANTED,
        GuidanceReason.DISCUSSED_WITHOUT_EXPERTS,
        GuidanceLevel.INTERACTION,
        "Invite mainstream media and people who know the subject to comment, sum up or answer; "
        "put what they say where the discussion is.",
        _wants_experts,
        _always(Urgency.MEDIUM),
        _experts_figures,
    ),
)
"""The rules that hold or do not hold of a work. Their order is part of the changelog's format."""

ENTRY_SUGGESTION: Final = (
    "Put the contribution in front: pin it, link it from the topic, and let the creator answer."
)
COMMENTS_SUGGESTION: Final = (
    "Pin one of these comments or answer it in the creator's name: ordinary people wrote them, "
    "kindly or with a reason, and others took them up."
)
SYMBOLS_SUGGESTION: Final = (
    "Take one of these symbols up in what is made next (an episode, an answer as a video, the "
    "title): people have made them their own, and feel for them; build pictures and story on that."
)
"""The creative level [1]: "the integration of 'emotionality' into overall audiovisual symbol
construction and online emotional communication"; the seeds' drama itself was made of what a user
had written in a comment (seed 000, section 2)."""
CREATION_SUGGESTION: Final = (
    "Support this creation: recommend it beside the original, and invite its creator to go on."
)
