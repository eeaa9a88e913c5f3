import numpy as np
import pytest
from building import events_of, fresh_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from models.video_state import ROW
from models.visits import Visits, visits_of
from models.vocabulary import ACTION_CODE, ACTIONS, Signal

VIEW = ACTION_CODE["view"]
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "slot": st.integers(0, 3),
            "time_ms": st.integers(0, 1_000),
            "count": st.integers(-50, 50).filter(bool),
            "actor": st.integers(0, 5).map(lambda n: n * 0x9E37_79B9_7F4A_7C15 % 2**64),
            "action": st.sampled_from([a.value for a in ACTIONS]),
            "role": st.integers(0, 7),
        }
    ),
    min_size=1,
    max_size=30,
)


def visit(*said: dict[str, object]) -> tuple[Visits, np.ndarray]:
    return visits_of(events_of(*said), fresh_rows(4), VIEW)


@given(said=EVENTS, data=st.data())
@settings(deadline=None)
def test_events_of_a_bucket_commute(said: list[dict[str, object]], data: st.DataObject) -> None:
    one, rows = visit(*said)
    two, same_rows = visit(*data.draw(st.permutations(said)))
    for name in Visits.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    for name in ROW.names or ():
        np.testing.assert_array_equal(rows[name], same_rows[name], err_msg=name)


@given(said=EVENTS)
@settings(deadline=None)
def test_nothing_is_negative_and_nobody_counts_twice(said: list[dict[str, object]]) -> None:
    visits, _ = visit(*said)
    for name in ("views", "acted", "people", "progress"):
        assert (getattr(visits, name) >= 0).all(), name
    assert (visits.people <= visits.acted).all()
    assert (visits.first_ms <= visits.last_ms).all()
    assert visits.slot.tolist() == sorted({event["slot"] for event in said})


@given(said=EVENTS)
@settings(deadline=None)
def test_one_video_plays_no_part_in_anothers_visit(said: list[dict[str, object]]) -> None:
    together, _ = visit(*said)
    for position, slot in enumerate(together.slot.tolist()):
        alone, _ = visit(*(event for event in said if event["slot"] == slot))
        for name in Visits.__dataclass_fields__:
            np.testing.assert_array_equal(
                getattr(alone, name)[0], getattr(together, name)[position], err_msg=name
            )


def test_what_is_taken_back_lowers_counts_but_not_below_zero() -> None:
    visits, _ = visit(
        {"action": "like", "count": 30},
        {"action": "like", "count": -10},
        {"action": "share", "count": 2},
        {"action": "share", "count": -5},
        {"action": "view", "count": -5},
    )
    assert visits.acted[0].tolist() == [20, 0, 0, 0]
    assert visits.people[0].tolist() == [20, 0, 0, 0]
    assert visits.views[0] == 0


def test_a_known_person_who_takes_it_back_did_not_act() -> None:
    visits, _ = visit(
        {"action": "like", "actor": 2**60}, {"action": "like", "actor": 2**60, "count": -1}
    )
    assert visits.people[0, Signal.IDENTIFICATION] == 0


def test_a_thousand_clicks_of_forty_accounts_are_not_a_thousand_people() -> None:
    rng = np.random.default_rng(1)
    accounts = rng.integers(1, 2**64, 40, np.uint64)
    clicks = [{"action": "like", "actor": rng.choice(accounts)} for _ in range(1_000)]
    crowd = [{"action": "like", "actor": rng.integers(1, 2**64, dtype=np.uint64)} for _ in clicks]
    few, many = visit(*clicks)[0].people[0, 0], visit(*crowd)[0].people[0, 0]
    # Forty in the bucket, and one click in 25 has a new person behind it: 40 x 40 / 1000.
    assert few == pytest.approx(1.6, rel=0.4)
    assert many == pytest.approx(1_000, rel=0.3)


def test_events_without_an_actor_count_as_people_beside_known_ones() -> None:
    visits, rows = visit(
        {"action": "comment", "count": 7}, *({"action": "comment", "actor": 2**50} for _ in "abc")
    )
    people = visits.people[0, Signal.INTERACTION]
    # Seven unknown people; of the known one a third, since two of three events are repeats.
    assert people == pytest.approx(7 + 1 / 3, abs=0.01)
    assert rows["known_actors_acted"][0, Signal.INTERACTION] == 3


@pytest.mark.parametrize(
    ("said", "removed"),
    [
        ([("delete", 5)], 1),
        ([("restore", 5)], -1),
        ([("delete", 5), ("restore", 6)], -1),
        ([("restore", 6), ("delete", 7)], 1),
        ([("delete", 7), ("restore", 6)], 1),
        ([("delete", 6), ("restore", 6)], -1),
        ([("view", 9)], 0),
    ],
)
def test_the_last_word_by_time_says_whether_a_video_is_there(
    said: list[tuple[str, int]], removed: int
) -> None:
    visits, _ = visit(*({"action": action, "time_ms": time} for action, time in said))
    assert visits.removed.tolist() == [removed]


def test_roles_count_where_people_acted() -> None:
    visits, _ = visit(
        {"action": "view", "role": 1}, {"action": "share", "role": 3}, {"action": "like", "role": 5}
    )
    assert visits.roles[0] == 1 << 3 | 1 << 5


def test_a_video_is_published_when_it_was_first_said_to_be() -> None:
    visits, _ = visit(
        {"action": "publish", "time_ms": 9},
        {"action": "publish", "time_ms": 4},
        {"action": "view", "time_ms": 1, "count": 3},
        {"slot": 1, "action": "view"},
    )
    assert visits.publish_ms.tolist() == [4, np.iinfo(np.int64).max]
    assert (visits.first_ms[0], visits.last_ms[0], visits.progress[0]) == (1, 9, 3)
