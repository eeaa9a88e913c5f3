import numpy as np
import pytest

from models.vocabulary import (
    ACTION_CODE,
    ACTIONS,
    JUNCTURE_INTO,
    NO_SIGNAL,
    ROLE_CODE,
    ROLES,
    SIGNAL_ACTIONS,
    SIGNAL_OF_ACTION,
    STAGE_OF_SIGNAL,
    Action,
    Juncture,
    Signal,
    Stage,
)

WIRE_ACTIONS = [
    "publish",
    "impression",
    "view",
    "like",
    "bookmark",
    "follow",
    "tip",
    "skip",
    "dislike",
    "report",
    "comment",
    "reply",
    "danmaku",
    "comment_like",
    "share",
    "repost",
    "derive",
    "media_report",
    "offline",
    "retract",
    "delete",
    "restore",
]
WIRE_ROLES = ["ordinary", "creator", "kol", "media", "elite", "expert", "official", "brand"]


def test_codes_on_the_wire_are_never_renumbered() -> None:
    # Topics hold these codes: a member may be appended, and none may move.
    assert [action.value for action in ACTIONS][: len(WIRE_ACTIONS)] == WIRE_ACTIONS
    assert [role.value for role in ROLES][: len(WIRE_ROLES)] == WIRE_ROLES
    assert [ACTION_CODE[action.value] for action in ACTIONS] == list(range(len(ACTIONS)))
    assert [ROLE_CODE[role.value] for role in ROLES] == list(range(len(ROLES)))
    assert len(ACTIONS) <= np.iinfo(np.uint8).max
    assert len(ROLES) < 63, "roles are bits of an int64"


def test_every_signal_has_actions_and_no_action_two_signals() -> None:
    spoken = [action for signal in Signal for action in SIGNAL_ACTIONS[signal]]
    assert len(spoken) == len(set(spoken))
    for action in ACTIONS:
        signals = [signal for signal in Signal if action in SIGNAL_ACTIONS[signal]]
        expected = signals[0] if signals else NO_SIGNAL
        assert SIGNAL_OF_ACTION[ACTION_CODE[action]] == expected


@pytest.mark.parametrize(
    "action",
    [Action.PUBLISH, Action.IMPRESSION, Action.VIEW, Action.RETRACT, Action.DELETE, Action.RESTORE],
)
def test_presentation_and_corrections_speak_for_no_signal(action: Action) -> None:
    assert SIGNAL_OF_ACTION[ACTION_CODE[action]] == NO_SIGNAL


def test_both_judgments_lead_into_judgment_and_every_stage_after_the_first_has_a_juncture() -> None:
    assert STAGE_OF_SIGNAL[Signal.IDENTIFICATION] == STAGE_OF_SIGNAL[Signal.EXCLUSION]
    assert set(STAGE_OF_SIGNAL) == set(Signal)
    assert [JUNCTURE_INTO[stage] for stage in sorted(JUNCTURE_INTO)] == list(Juncture)
    assert set(JUNCTURE_INTO) == set(Stage) - {Stage.PRESENTATION}
