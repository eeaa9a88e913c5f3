from typing import Any

import numpy as np
import pytest

from models.depth import LEAST, depth_of
from models.participation import PARTICIPATION
from models.people_sample import Depth
from models.vocabulary import ROLES, Role

DAY_MINUTES = 24 * 60


def nobody() -> Any:  # noqa: ANN401 - a structured array
    return np.zeros(1, PARTICIPATION)


def components(record: Any) -> dict[str, float]:  # noqa: ANN401 - a structured array
    found = depth_of(record)
    return {} if found is None else found.components


def test_of_nothing_nothing_is_said() -> None:
    assert depth_of(nobody()) is None


def test_deepening_is_the_share_of_those_who_took_part_and_moved_up() -> None:
    one = nobody()
    people = one[0]["people"]
    people["key"][:40] = np.arange(1, 41)
    people["first_act"][:40] = people["deepest_act"][:40] = Depth.JUDGE
    people["deepest_act"][:10] = Depth.SPEAK
    people["first_act"][30:40] = people["deepest_act"][30:40] = Depth.WATCH
    assert components(one)["deepening"] == pytest.approx(10 / 30)


def test_persistence_is_of_those_who_had_a_day_to_come_back() -> None:
    one = nobody()
    one[0]["last_ms"] = 5 * DAY_MINUTES * 60_000
    people = one[0]["people"]
    people["key"][:50] = np.arange(1, 51)
    people["first_minute"][:50] = 2 * DAY_MINUTES
    people["days"][:50] = 0b100
    people["days"][:5] = 0b1100
    people["first_minute"][40:50] = 5 * DAY_MINUTES
    assert components(one)["persistence"] == pytest.approx(5 / 40)


def test_dialogue_response_and_elites_are_shares() -> None:
    one = nobody()
    dialogue = one[0]["dialogue"][0]
    dialogue["comments"], dialogue["replies"] = 60, 20
    dialogue["answerable"], dialogue["answered"] = 80, 8
    one[0]["entry_ms"][[ROLES.index(Role.MEDIA), ROLES.index(Role.KOL)]] = 1
    assert components(one) == {"dialogue": 0.25, "response": 0.1, "elites": 0.25}
    found = depth_of(one)
    assert found is not None
    assert found.figures()["index"] == 0.2


def test_regions_count_as_far_as_they_differ() -> None:
    one = nobody()
    one[0]["located"] = 2 * LEAST
    one[0]["regions"]["count"][:2] = LEAST
    one[0]["regions"]["key"][:2] = (1, 2)
    assert components(one) == {"regions": 0.5}
    one[0]["regions"]["count"][:2] = (2 * LEAST, 0)
    assert components(one) == {"regions": 0.0}
