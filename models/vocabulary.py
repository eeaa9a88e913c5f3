"""The words of the field: actions, signals, roles, stages, junctures, routes and states.

The four stages, the routes of judgment and the junctures are those of the SNS Value Communication
Model [1]; the lists of actions per stage are the event contract's (docs/events.md).

Codes are positions in these enums. They are written to Kafka, so members are only ever appended.

References:
    [1] Z. Zhu, "Value Communication Model of Social Networking Services", sections 2 and 3.1.
"""

from enum import IntEnum, StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt


class Action(StrEnum):
    """What people do to a video; the position in this enum is the action's code on the wire."""

    PUBLISH = "publish"
    IMPRESSION = "impression"
    VIEW = "view"
    LIKE = "like"
    BOOKMARK = "bookmark"
    FOLLOW = "follow"
    TIP = "tip"
    SKIP = "skip"
    DISLIKE = "dislike"
    REPORT = "report"
    COMMENT = "comment"
    REPLY = "reply"
    DANMAKU = "danmaku"
    COMMENT_LIKE = "comment_like"
    SHARE = "share"
    REPOST = "repost"
    DERIVE = "derive"
    MEDIA_REPORT = "media_report"
    OFFLINE = "offline"
    RETRACT = "retract"
    DELETE = "delete"
    RESTORE = "restore"


class Signal(IntEnum):
    """What is held against a cohort: one group of actions (seed 000, section 3.1)."""

    IDENTIFICATION = 0
    EXCLUSION = 1
    INTERACTION = 2
    DIFFUSION = 3


class Role(StrEnum):
    """Who takes part; the position is the role's code on the wire."""

    ORDINARY = "ordinary"
    CREATOR = "creator"
    KOL = "kol"
    MEDIA = "media"
    ELITE = "elite"
    EXPERT = "expert"
    OFFICIAL = "official"
    BRAND = "brand"


class Stage(IntEnum):
    """The four stages of value communication, in the model's order (seed 000, section 2)."""

    PRESENTATION = 0
    JUDGMENT = 1
    INTERACTION = 2
    DIFFUSION = 3


class Juncture(StrEnum):
    """What joins one stage to the next (seed 000, section 2: "three junctures")."""

    OUTBREAK = "outbreak"
    SUBLIMATION = "sublimation"
    CONTINUATION = "continuation"


class Route(StrEnum):
    """How people judged; both judgments may lead into interaction (seed 000, section 3.1)."""

    UNDECIDED = "undecided"
    IDENTIFICATION = "identification"
    EXCLUSION = "exclusion"
    CONTESTED = "contested"


class State(StrEnum):
    """How an episode of a video goes on."""

    ACTIVE = "active"
    INTERRUPTED = "interrupted"
    FADED = "faded"
    REVIVED = "revived"


ACTIONS: Final = tuple(Action)
ROLES: Final = tuple(Role)
ACTION_CODE: Final = {action.value: code for code, action in enumerate(ACTIONS)}
ROLE_CODE: Final = {role.value: code for code, role in enumerate(ROLES)}

SIGNAL_ACTIONS: Final = {
    Signal.IDENTIFICATION: (Action.LIKE, Action.BOOKMARK, Action.FOLLOW, Action.TIP),
    Signal.EXCLUSION: (Action.SKIP, Action.DISLIKE, Action.REPORT),
    Signal.INTERACTION: (Action.COMMENT, Action.REPLY, Action.DANMAKU, Action.COMMENT_LIKE),
    Signal.DIFFUSION: (
        Action.SHARE,
        Action.REPOST,
        Action.DERIVE,
        Action.MEDIA_REPORT,
        Action.OFFLINE,
    ),
}
"""Which actions speak for which signal (docs/events.md, the table of actions)."""

NO_SIGNAL: Final = -1


def _signal_of_action() -> npt.NDArray[np.int8]:
    table = np.full(len(ACTIONS), NO_SIGNAL, np.int8)
    for signal, actions in SIGNAL_ACTIONS.items():
        for action in actions:
            table[ACTION_CODE[action]] = signal
    return table


SIGNAL_OF_ACTION: Final = _signal_of_action()
"""int8[len(ACTIONS)]: the signal of each action code, or NO_SIGNAL."""

STAGE_OF_SIGNAL: Final = {
    Signal.IDENTIFICATION: Stage.JUDGMENT,
    Signal.EXCLUSION: Stage.JUDGMENT,
    Signal.INTERACTION: Stage.INTERACTION,
    Signal.DIFFUSION: Stage.DIFFUSION,
}
JUNCTURE_INTO: Final = {
    Stage.JUDGMENT: Juncture.OUTBREAK,
    Stage.INTERACTION: Juncture.SUBLIMATION,
    Stage.DIFFUSION: Juncture.CONTINUATION,
}
